//! The write-ahead log: a durable stream of records whose content is the callers' business.
//!
//! # Positions
//!
//! The log is one stream of bytes since the database was created; an [`Lsn`] is a place in it. A record
//! takes 4 bytes of length and its payload, and nothing else counts: neither headers nor padding. So the end
//! of a record is known when it is appended, before it is known where in which file it will lie.
//!
//! ```text
//! LSN     100        120        150                  1000
//! stream  |len|pay...|len|pay...|len|payload.........|
//! frames  [header|-- frame -----][header|-- frame ---][header|--...   a frame cuts the stream anywhere
//! files   [segment 7: block 0 = header | frames ... ] [segment 8: ...  a frame lies in one segment
//! ```
//!
//! # Segments
//!
//! Files of one size in the folder `<database>-wal`, named by their number (16 hexadecimal digits and
//! `.wal`). Block 0 (4 KiB) is the header; frames follow from byte 4096. All numbers are little-endian.
//!
//! ```text
//! segment header                            frame header
//!   0  magic "RustDBWL"                       0  magic "RWFR" u32
//!   8  CRC-32C of bytes 12..64  u32           4  CRC-32C of bytes 8.. of header and payload  u32
//!  12  format version           u32           8  salt           u64
//!  16  segment size in bytes    u64          16  start LSN      u64
//!  24  salt                     u64          24  payload bytes  u32
//!  32  segment number           u64          28  stream id      u8   (0; more streams later)
//!  40  start LSN                u64          29  flags          u8
//!  48  zeros to 4096                         30  zero           u16
//!                                            32  dependency LSN u64  (0; for more streams)
//! flags: 1 = goes on with the flush of the   40  durable LSN    u64  when the frame was built
//!            frame before, maybe inside of   48  payload
//!            a record
//!        2 = next frame at the next block
//! ```
//!
//! A *salt* is a random number of one opening of the database; all segments and frames of that opening
//! bear it. They form a *chain*: segment numbers grow, and every segment and frame starts at the LSN where the
//! one before it ended. The next frame follows without a gap, or at the next block (flag 2), or, where what is
//! left of the segment is too short, as the first of the next segment.
//!
//! A new segment gets its room from the file system at once and is filled with zeros in slices shortly
//! before they are needed, since overwriting is what a disk does fastest: no metadata changes then.
//! A segment that is no longer needed is renamed to a number in the future. Its old header
//! betrays it until its turn comes, when the header is written together with its first frame.
//!
//! # Invariants
//!
//! 1. Nothing is appended to a segment that an earlier opening wrote: `create` starts a new one with a new
//!    salt, durable before it returns.
//! 2. A flush writes whole 4 KiB blocks. The last, partial one is written again by the next flush with the
//!    same bytes in front, so that a torn write leaves them intact: this needs sectors of 512 bytes that are
//!    old or new, never garbage. With [`WalOptions::pad`] no block is ever written twice.
//! 3. Frames reach the disk in order, each written only after the one before it is durable. So the durable
//!    LSN that a frame states is its own start.
//! 4. Room in the files is claimed before a record is taken, so that a full disk refuses work
//!    (`DiskFull`) instead of failing a commit.
//! 5. After a failed write nothing is written any more (*poison*): nobody can know what the disk holds.
//!    Whoever waits learns that the outcome is unknown.
//! 6. A name (new or recycled segment) is durable before anything written under it counts.
//!
//! # Reading
//!
//! [`WalReader`] starts in the segment with the highest number among those whose header is sound and whose
//! start is not past the wanted LSN, and follows the chain. It ends at the first frame that is missing or damaged, at X say.
//! That is the natural end of a log after a crash, unless some later frame of the same salt is
//! sound and says that the log was durable past X: then X had been acknowledged and is lost, and the reader
//! reports corruption.

mod format;
mod group;
mod reader;
mod segments;
#[cfg(test)]
mod tests;
mod writer;

pub use group::{Reservation, Wal};
pub use reader::WalReader;

use crate::error::{Error, StorageError};
use crate::ids::Lsn;
use std::io::{self, ErrorKind};
use std::path::Path;

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub struct WalOptions {
    /// The size of a segment file: a multiple of 4 KiB, at least 16 KiB and at most 1 GiB.
    pub segment_bytes: u64,
    /// How many bytes may be appended or reserved and not yet be durable. More wait. Memory use is
    /// up to twice as much.
    pub ring_bytes: usize,
    /// Never write a block twice, for devices that tear a sector into garbage.
    pub pad: bool,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, ring_bytes: 16 << 20, pad: false }
    }
}

/// The bytes of stream that a record of `payload` bytes takes.
pub const fn record_bytes(payload: usize) -> usize {
    payload + format::RECORD_HEADER
}

fn io_error(operation: &'static str, path: &Path, source: io::Error) -> Error {
    let path = path.display().to_string();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageError::DiskFull { path },
        _ => StorageError::Io { operation, path, source },
    }
    .into()
}

fn corrupt(lsn: Lsn, reason: &'static str) -> Error {
    StorageError::CorruptLog { lsn: lsn.0, reason }.into()
}
