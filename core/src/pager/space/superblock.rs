//! The superblock: the one place of the file that is overwritten, and the switch from one cut to the next.
//!
//! Two copies of 4 KiB lie at bytes 0 and 65,536 whatever the page size. A cut writes both, the first durably
//! before the second, so that at every instant at least one of them is whole. Opening takes the valid copy with
//! the highest epoch. Every field has a fixed offset, listed here; what is not listed is zero and is carried
//! over unchanged when an older build rewrites the superblock of a newer one.
//!
//! ```text
//! offset  bytes  field
//!      0      8  magic 89 "RDB" 0D 0A 1A 0A
//!      8      4  format version
//!     12      4  page size in bytes
//!     16      8  compatible features: unknown bits are ignored
//!     24      8  read-only-compatible features: unknown bits forbid writing
//!     32      8  incompatible features: unknown bits forbid opening
//!     40     16  database UUID
//!     56     16  cluster id
//!     72      8  node id
//!     80      8  incarnation
//!     88      8  epoch, the number of the cut
//!     96     16  page map root (a map entry, see the page map)
//!    112     16  free map root (a map entry)
//!    128      1  page map depth in levels
//!    129      1  free map depth in levels
//!    136      8  next logical page id never used
//!    144      8  head of the chain of free page ids, 0 if empty
//!    152      8  pages the file must have to hold the cut
//!    160      8  pending-free list: its epoch                  (reserved)
//!    168     24  pending-free list: blob reference             (reserved)
//!    192     24  domain table: blob reference
//!    216     24  cut state: blob reference
//!    240      8  catalog root, a logical page id
//!    248      8  log position from which recovery replays
//!    256      8  salt of the log that holds it
//!    264      8  commit timestamp high-water mark
//!    272      4  bit 0: closed cleanly, the log is not needed
//!    512      4  cipher id, 0 = none                           (reserved)
//!    516      4  key derivation id                             (reserved)
//!    520     24  key derivation parameters                     (reserved)
//!    544     32  key derivation salt                           (reserved)
//!    576    320  two wrapped data keys of 160 bytes            (reserved)
//!    896     32  header MAC                                    (reserved)
//!   4092      4  CRC-32C of bytes 0 to 4091
//! ```
//!
//! A blob reference is: first page u64, length in bytes u64, CRC of the first page u32, zero u32.

use super::blob::BlobRef;
use super::header::{u32_at, u64_at};
use super::page_map::{Entry, Root};
use crate::codec::checksum::crc32c;
use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, Timestamp};
use crate::vfs::VfsFile;
use std::fmt;
use std::io;

/// Bytes of one copy.
pub(super) const SUPERBLOCK_SIZE: usize = 4096;
/// Where the copies are, in bytes.
pub(super) const COPY_OFFSETS: [u64; 2] = [0, 65_536];
/// Logical page ids stay below this, so that the page map's directory is bounded.
pub(super) const PAGE_ID_LIMIT: u64 = 1 << 39;

/// Never reached by counting; keeps sums with epochs from overflowing.
const EPOCH_LIMIT: u64 = 1 << 62;

/// A first byte that is not text and both kinds of line end: a transfer that "repairs" text breaks it visibly.
const MAGIC: [u8; 8] = *b"\x89RDB\r\n\x1a\n";
const FORMAT_VERSION: u32 = 1;
const CRC_AT: usize = SUPERBLOCK_SIZE - 4;
/// Feature bits this build understands; none exist yet.
const KNOWN_READ_ONLY_COMPATIBLE: u64 = 0;
const KNOWN_INCOMPATIBLE: u64 = 0;
const MAX_DEPTH: u8 = 5;

/// The decoded superblock of a cut.
#[derive(Clone)]
pub struct Superblock {
    /// Bytes per page: 16, 32 or 64 KiB.
    pub page_size: u32,
    /// Identifies the database; copies of the file share it.
    pub uuid: [u8; 16],
    /// The replication group, zero if none.
    pub cluster_id: [u8; 16],
    /// This node within the group.
    pub node_id: u64,
    /// Counts restores and forks of the database.
    pub incarnation: u64,
    /// The number of the cut.
    pub epoch: Epoch,
    /// The table of cut domains.
    pub domains: BlobRef,
    /// Active transactions at the cut and pending garbage.
    pub cut_state: BlobRef,
    /// Where the catalog starts; the space does not interpret it.
    pub catalog_root: u64,
    /// Replay of the log starts here.
    pub wal_start: Lsn,
    /// The salt of the log that holds that position.
    pub wal_salt: u64,
    /// No later commit is in the cut.
    pub commit_ts: Timestamp,
    /// The database was closed after this cut and the log is not needed.
    pub clean: bool,
    pub(super) page_map: Root,
    pub(super) free_map: Root,
    pub(super) next_page_id: u64,
    pub(super) free_id_head: u64,
    pub(super) file_pages: u64,
    /// The bytes as read, so that fields of later builds survive.
    image: Box<[u8; SUPERBLOCK_SIZE]>,
}

impl fmt::Debug for Superblock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Superblock")
            .field("page_size", &self.page_size)
            .field("epoch", &self.epoch)
            .field("catalog_root", &self.catalog_root)
            .field("wal_start", &self.wal_start)
            .field("commit_ts", &self.commit_ts)
            .field("clean", &self.clean)
            .field("next_page_id", &self.next_page_id)
            .field("file_pages", &self.file_pages)
            .finish_non_exhaustive()
    }
}

impl Superblock {
    /// The superblock of an empty database.
    pub(super) fn initial(page_size: u32, uuid: [u8; 16]) -> Self {
        Self {
            page_size,
            uuid,
            cluster_id: [0; 16],
            node_id: 0,
            incarnation: 0,
            epoch: Epoch(1),
            domains: BlobRef::EMPTY,
            cut_state: BlobRef::EMPTY,
            catalog_root: 0,
            wal_start: Lsn(0),
            wal_salt: 0,
            commit_ts: Timestamp(0),
            clean: false,
            page_map: Root::EMPTY,
            free_map: Root::EMPTY,
            next_page_id: 1,
            free_id_head: 0,
            file_pages: reserved_places(page_size as usize)[1] + 1,
            image: Box::new([0; SUPERBLOCK_SIZE]),
        }
    }

    pub(super) fn encode(&self) -> Box<[u8; SUPERBLOCK_SIZE]> {
        let mut image = self.image.clone();
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &FORMAT_VERSION.to_le_bytes());
        put(12, &self.page_size.to_le_bytes());
        put(40, &self.uuid);
        put(56, &self.cluster_id);
        put(72, &self.node_id.to_le_bytes());
        put(80, &self.incarnation.to_le_bytes());
        put(88, &self.epoch.0.to_le_bytes());
        put(96, &self.page_map.entry.to_bytes());
        put(112, &self.free_map.entry.to_bytes());
        put(128, &[self.page_map.depth, self.free_map.depth]);
        put(136, &self.next_page_id.to_le_bytes());
        put(144, &self.free_id_head.to_le_bytes());
        put(152, &self.file_pages.to_le_bytes());
        put(192, &self.domains.to_bytes());
        put(216, &self.cut_state.to_bytes());
        put(240, &self.catalog_root.to_le_bytes());
        put(248, &self.wal_start.0.to_le_bytes());
        put(256, &self.wal_salt.to_le_bytes());
        put(264, &self.commit_ts.0.to_le_bytes());
        put(272, &u32::from(self.clean).to_le_bytes());
        let crc = crc32c(&image[..CRC_AT]);
        image[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        image
    }

    /// The fields of a copy whose magic, checksum, version and features have been checked.
    fn decode(image: Box<[u8; SUPERBLOCK_SIZE]>) -> Self {
        let b = &image[..];
        let id_at = |at: usize| {
            let mut id = [0; 16];
            id.copy_from_slice(&b[at..at + 16]);
            id
        };
        Self {
            page_size: u32_at(b, 12),
            uuid: id_at(40),
            cluster_id: id_at(56),
            node_id: u64_at(b, 72),
            incarnation: u64_at(b, 80),
            epoch: Epoch(u64_at(b, 88)),
            domains: BlobRef::from_bytes(&b[192..216]),
            cut_state: BlobRef::from_bytes(&b[216..240]),
            catalog_root: u64_at(b, 240),
            wal_start: Lsn(u64_at(b, 248)),
            wal_salt: u64_at(b, 256),
            commit_ts: Timestamp(u64_at(b, 264)),
            clean: u32_at(b, 272) & 1 != 0,
            page_map: Root { entry: Entry::from_bytes(&b[96..112]), depth: b[128] },
            free_map: Root { entry: Entry::from_bytes(&b[112..128]), depth: b[129] },
            next_page_id: u64_at(b, 136),
            free_id_head: u64_at(b, 144),
            file_pages: u64_at(b, 152),
            image,
        }
    }

    /// Refuses values that no cut can have written, before anything relies on them.
    fn validate(&self, file_bytes: u64) -> Result<()> {
        let damaged = |reason: &str| StorageError::Corrupt { reason: format!("superblock: {reason}") };
        if !is_page_size(self.page_size) {
            return Err(damaged("impossible page size").into());
        }
        let held = file_bytes / u64::from(self.page_size);
        if self.file_pages > held {
            return Err(StorageError::Corrupt {
                reason: format!("the file is cut off: it has {held} pages of {}", self.file_pages),
            }
            .into());
        }
        if self.file_pages <= reserved_places(self.page_size as usize)[1] {
            return Err(damaged("impossible file length").into());
        }
        if self.epoch.0 == 0 || self.epoch.0 > EPOCH_LIMIT {
            return Err(damaged("impossible epoch").into());
        }
        for root in [&self.page_map, &self.free_map] {
            if root.depth > MAX_DEPTH || (root.depth == 0) == root.entry.is_live() {
                return Err(damaged("impossible depth of a map").into());
            }
        }
        // Every id below the next one has its entry in a leaf, and every leaf has its place.
        let per_leaf = u64::from(self.page_size) / 16;
        if self.next_page_id == 0
            || self.next_page_id > PAGE_ID_LIMIT.min(self.file_pages.saturating_mul(per_leaf))
            || self.free_id_head >= self.next_page_id
        {
            return Err(damaged("impossible page id").into());
        }
        Ok(())
    }
}

/// Whether a database can be made with pages of this many bytes.
pub fn is_page_size(bytes: u32) -> bool {
    matches!(bytes, 16_384 | 32_768 | 65_536)
}

/// The pages that hold the superblock copies and are never given to anything else.
pub(super) fn reserved_places(page_size: usize) -> [u64; 2] {
    COPY_OFFSETS.map(|offset| offset / page_size as u64)
}

/// What reading both copies gave.
pub(super) struct Found {
    pub(super) superblock: Superblock,
    /// The copy that is damaged or older and must be rewritten before the next change.
    pub(super) stale_copy: Option<usize>,
}

/// Reads both copies and takes the newest whole one.
pub(super) fn read(file: &dyn VfsFile, path: &str) -> Result<Found> {
    let io_error = |source| StorageError::Io { operation: "read", path: path.to_owned(), source };
    let size = file.size().map_err(io_error)?;
    let not_ours = |reason| StorageError::NotADatabase { path: path.to_owned(), reason };
    if size == 0 {
        return Err(not_ours("the file is empty").into());
    }
    let mut images = Vec::new();
    let mut magic_seen = false;
    for offset in COPY_OFFSETS {
        let mut image = Box::new([0; SUPERBLOCK_SIZE]);
        let whole = match file.read_at(&mut image[..], offset) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(e) => return Err(io_error(e).into()),
        };
        let magic = whole && image[..MAGIC.len()] == MAGIC;
        magic_seen |= magic;
        let sound = magic && crc32c(&image[..CRC_AT]) == u32_at(&image[..], CRC_AT);
        images.push(sound.then_some(image));
    }
    let epoch = |image: &Option<Box<[u8; SUPERBLOCK_SIZE]>>| image.as_ref().map(|i| u64_at(&i[..], 88));
    let [first, second] = [epoch(&images[0]), epoch(&images[1])];
    let (newest, stale_copy) = match (first, second) {
        (None, None) if magic_seen => {
            return Err(StorageError::Corrupt {
                reason: "both copies of the superblock are damaged".to_owned(),
            }
            .into());
        }
        (None, None) => return Err(not_ours("it does not start with a superblock").into()),
        (a, b) if a == b => (0, None),
        (a, b) if a > b => (0, Some(1)),
        _ => (1, Some(0)),
    };
    let image = images.swap_remove(newest).expect("the newest copy is a sound one");
    check_version_and_features(&image)?;
    let superblock = Superblock::decode(image);
    superblock.validate(size)?;
    Ok(Found { superblock, stale_copy })
}

fn check_version_and_features(image: &[u8; SUPERBLOCK_SIZE]) -> Result<()> {
    let found = u32_at(image, 8);
    if found != FORMAT_VERSION {
        return Err(StorageError::WrongVersion { found, supported: FORMAT_VERSION }.into());
    }
    let unknown =
        (u64_at(image, 24) & !KNOWN_READ_ONLY_COMPATIBLE) | (u64_at(image, 32) & !KNOWN_INCOMPATIBLE);
    if unknown != 0 {
        return Err(StorageError::UnsupportedFeatures { bits: unknown }.into());
    }
    Ok(())
}
