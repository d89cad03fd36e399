//! Headers of segments and frames as bytes; the layout is in the module's head.

use crate::codec::checksum::crc32c;
use crate::ids::Lsn;
use crate::vfs::DIRECT_ALIGNMENT;

/// What one direct write is a multiple of; also the size of a segment's header.
pub(super) const BLOCK: usize = DIRECT_ALIGNMENT;
pub(super) const BLOCK_BYTES: u64 = BLOCK as u64;
/// The length in front of a record's payload.
pub(super) const RECORD_HEADER: usize = 4;
pub(super) const FRAME_HEADER: usize = 48;
/// A frame's header and payload together are at most this long.
pub(super) const FRAME_LIMIT: usize = 1 << 20;
pub(super) const VERSION: u32 = 1;

pub(super) const FRAME_MAGIC: [u8; 4] = *b"RWFR";
const SEGMENT_MAGIC: [u8; 8] = *b"RustDBWL";
const SEGMENT_HEADER: usize = 64;

/// The frame's first byte continues a record that an earlier frame began.
pub(super) const CONTINUES: u8 = 1;
/// The next frame starts at the next block.
pub(super) const PADDED: u8 = 2;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes)
}

/// The first block of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) version: u32,
    pub(super) segment_bytes: u64,
    pub(super) salt: u64,
    pub(super) number: u64,
    pub(super) start: Lsn,
}

impl SegmentHeader {
    /// Fills a whole block.
    pub(super) fn write(&self, block: &mut [u8]) {
        block.fill(0);
        block[..8].copy_from_slice(&SEGMENT_MAGIC);
        block[12..16].copy_from_slice(&self.version.to_le_bytes());
        block[16..24].copy_from_slice(&self.segment_bytes.to_le_bytes());
        block[24..32].copy_from_slice(&self.salt.to_le_bytes());
        block[32..40].copy_from_slice(&self.number.to_le_bytes());
        block[40..48].copy_from_slice(&self.start.0.to_le_bytes());
        let crc = crc32c(&block[12..SEGMENT_HEADER]);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    /// The header if the bytes are a sound one, of any version.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let header = block.get(..SEGMENT_HEADER)?;
        let sound = header[..8] == SEGMENT_MAGIC && u32_at(header, 8) == crc32c(&header[12..]);
        sound.then(|| Self {
            version: u32_at(header, 12),
            segment_bytes: u64_at(header, 16),
            salt: u64_at(header, 24),
            number: u64_at(header, 32),
            start: Lsn(u64_at(header, 40)),
        })
    }
}

/// What precedes a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) salt: u64,
    pub(super) start: Lsn,
    pub(super) payload_bytes: u32,
    pub(super) flags: u8,
    pub(super) durable: Lsn,
}

impl FrameHeader {
    /// Writes the header in front of the payload, which is in place already, and seals both.
    pub(super) fn seal(&self, frame: &mut [u8]) {
        frame[..FRAME_HEADER].fill(0);
        frame[..4].copy_from_slice(&FRAME_MAGIC);
        frame[8..16].copy_from_slice(&self.salt.to_le_bytes());
        frame[16..24].copy_from_slice(&self.start.0.to_le_bytes());
        frame[24..28].copy_from_slice(&self.payload_bytes.to_le_bytes());
        frame[29] = self.flags;
        frame[40..48].copy_from_slice(&self.durable.0.to_le_bytes());
        let crc = crc32c(&frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The header and payload at the start of `bytes`, if they are there and of this salt and `wanted`
    /// agrees; the checksum is looked at last.
    pub(super) fn open(bytes: &[u8], salt: u64, wanted: impl FnOnce(&Self) -> bool) -> Option<(Self, &[u8])> {
        let raw = bytes.get(..FRAME_HEADER)?;
        if raw[..4] != FRAME_MAGIC || u64_at(raw, 8) != salt {
            return None;
        }
        let header = Self {
            salt,
            start: Lsn(u64_at(raw, 16)),
            payload_bytes: u32_at(raw, 24),
            flags: raw[29],
            durable: Lsn(u64_at(raw, 40)),
        };
        if !wanted(&header) {
            return None;
        }
        let end = FRAME_HEADER.checked_add(usize::try_from(header.payload_bytes).ok()?)?;
        let frame = bytes.get(..end)?;
        (u32_at(raw, 4) == crc32c(&frame[8..])).then(|| (header, &frame[FRAME_HEADER..]))
    }

    /// The LSN behind the payload.
    pub(super) fn end(&self) -> Lsn {
        Lsn(self.start.0.saturating_add(u64::from(self.payload_bytes)))
    }
}
