//! The 96 bytes that open every page of the file, and the seal over the whole page.
//!
//! ```text
//!  0        4    5     6          8            16       24      32          36       40           44
//!  | crc32c | kind | flags | layout | page id u64 | epoch  | lsn   | object u32 | level  | key epoch | reserved |
//!  48              72            88        96
//!  | nonce [24]    | tag [16]    | zero    | body ...
//! ```
//!
//! The layout is the same with and without encryption, so that turning it on moves nothing. Without
//! encryption the CRC-32C covers bytes 4 to the end of the page. A second copy of it lies in the parent (page
//! map entry, map node, blob reference), which is how a lost or misdirected write is told from a good page.

use crate::codec::checksum::crc32c;
use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, ObjectId, PageId, PhysicalPage};

/// Bytes of a page that belong to its header.
pub const HEADER_SIZE: usize = 96;

/// The version of the page layouts this build writes.
const LAYOUT_VERSION: u16 = 1;

const CRC_AT: usize = 0;
const KIND_AT: usize = 4;
const FLAGS_AT: usize = 5;
const LAYOUT_AT: usize = 6;
const PAGE_ID_AT: usize = 8;
const EPOCH_AT: usize = 16;
const LSN_AT: usize = 24;
const OBJECT_AT: usize = 32;
const LEVEL_AT: usize = 36;

/// What a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum PageKind {
    /// A hot leaf of a row tree.
    Data = 1,
    /// An inner page of any tree, or a leaf of an index tree.
    Index = 2,
    /// A bitmap of the free map.
    FreeSpace = 3,
    /// A node of the page map or free map, or a link of a blob.
    System = 4,
    /// Deletes and overrides of a cold row group.
    Mask = 5,
    /// A piece of a long value.
    Overflow = 6,
    /// The first page of an extent.
    ExtentHead = 7,
}

impl PageKind {
    /// The kind with this byte, if there is one.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Data,
            2 => Self::Index,
            3 => Self::FreeSpace,
            4 => Self::System,
            5 => Self::Mask,
            6 => Self::Overflow,
            7 => Self::ExtentHead,
            _ => return None,
        })
    }
}

/// The decoded header fields, without the checksum and the fields that encryption will use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageHeader {
    /// What the page holds.
    pub kind: PageKind,
    /// Free for the page's owner.
    pub flags: u8,
    /// The logical page; for the map nodes, bitmaps and blob links of this module their index.
    pub page_id: PageId,
    /// The cut the page was written for.
    pub epoch: Epoch,
    /// The commit position of the newest change in the page.
    pub lsn: Lsn,
    /// The table, index or system structure the page belongs to.
    pub object: ObjectId,
    /// Level in a tree, 0 for leaves.
    pub level: u32,
}

impl PageHeader {
    /// Byte of the kind, for readers of a page that other threads change.
    pub const KIND_AT: usize = KIND_AT;
    /// Byte of the owner's flags.
    pub const FLAGS_AT: usize = FLAGS_AT;
    /// First byte of the logical page id (u64).
    pub const PAGE_ID_AT: usize = PAGE_ID_AT;
    /// First byte of the epoch (u64).
    pub const EPOCH_AT: usize = EPOCH_AT;
    /// First byte of the newest change's position (u64).
    pub const LSN_AT: usize = LSN_AT;
    /// First byte of the object id (u32).
    pub const OBJECT_AT: usize = OBJECT_AT;
    /// First byte of the level (u32).
    pub const LEVEL_AT: usize = LEVEL_AT;

    /// Writes the fields; the rest of the header becomes zero.
    ///
    /// # Panics
    /// If `page` is shorter than a header.
    pub fn write(&self, page: &mut [u8]) {
        page[..HEADER_SIZE].fill(0);
        page[KIND_AT] = self.kind as u8;
        page[FLAGS_AT] = self.flags;
        page[LAYOUT_AT..LAYOUT_AT + 2].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
        page[PAGE_ID_AT..PAGE_ID_AT + 8].copy_from_slice(&self.page_id.0.to_le_bytes());
        page[EPOCH_AT..EPOCH_AT + 8].copy_from_slice(&self.epoch.0.to_le_bytes());
        page[LSN_AT..LSN_AT + 8].copy_from_slice(&self.lsn.0.to_le_bytes());
        page[OBJECT_AT..OBJECT_AT + 4].copy_from_slice(&self.object.0.to_le_bytes());
        page[LEVEL_AT..LEVEL_AT + 4].copy_from_slice(&self.level.to_le_bytes());
    }

    /// The fields, or why they cannot be those of a page this build wrote.
    pub fn read(page: &[u8]) -> Result<Self, &'static str> {
        let Some(header) = page.first_chunk::<HEADER_SIZE>() else {
            return Err("page is shorter than its header");
        };
        let kind = PageKind::from_byte(header[KIND_AT]).ok_or("unknown page kind")?;
        if u16_at(header, LAYOUT_AT) != LAYOUT_VERSION {
            return Err("unknown page layout version");
        }
        Ok(Self {
            kind,
            flags: header[FLAGS_AT],
            page_id: PageId(u64_at(header, PAGE_ID_AT)),
            epoch: Epoch(u64_at(header, EPOCH_AT)),
            lsn: Lsn(u64_at(header, LSN_AT)),
            object: ObjectId(u32_at(header, OBJECT_AT)),
            level: u32_at(header, LEVEL_AT),
        })
    }
}

/// Computes the checksum of a finished page, stores it in the header and returns it for the parent.
pub(super) fn seal(page: &mut [u8]) -> u32 {
    let crc = crc32c(&page[CRC_AT + 4..]);
    page[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// Sets the page id and epoch of a page whose other header fields are complete, and seals it.
pub(super) fn seal_as(page: &mut [u8], pid: PageId, epoch: Epoch) -> u32 {
    page[PAGE_ID_AT..PAGE_ID_AT + 8].copy_from_slice(&pid.0.to_le_bytes());
    page[EPOCH_AT..EPOCH_AT + 8].copy_from_slice(&epoch.0.to_le_bytes());
    page[LAYOUT_AT..LAYOUT_AT + 2].copy_from_slice(&LAYOUT_VERSION.to_le_bytes());
    seal(page)
}

/// Checks a page read from `place` against its own checksum and its parent's copy of it.
pub(super) fn check(page: &[u8], place: PhysicalPage, parent_crc: u32) -> Result<PageHeader> {
    let damaged = |reason| StorageError::CorruptPage { page: place.0, reason };
    if page.len() < HEADER_SIZE {
        return Err(damaged("page is shorter than its header").into());
    }
    let stored = u32_at(page, CRC_AT);
    if crc32c(&page[CRC_AT + 4..]) != stored {
        return Err(damaged("checksum mismatch").into());
    }
    if stored != parent_crc {
        return Err(damaged("not the page its parent refers to").into());
    }
    Ok(PageHeader::read(page).map_err(damaged)?)
}

/// The u16 at `at`, which the caller knows to lie inside `bytes`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The u32 at `at`, which the caller knows to lie inside `bytes`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// The u64 at `at`, which the caller knows to lie inside `bytes`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PageHeader {
        PageHeader {
            kind: PageKind::Mask,
            flags: 3,
            page_id: PageId(0x1234_5678_9abc),
            epoch: Epoch(77),
            lsn: Lsn(99),
            object: ObjectId(5),
            level: 2,
        }
    }

    #[test]
    fn fields_survive_a_round_trip() {
        let mut page = vec![0xee; 256];
        sample().write(&mut page);
        assert_eq!(PageHeader::read(&page), Ok(sample()));
        assert!(page[44..HEADER_SIZE].iter().all(|b| *b == 0));
    }

    #[test]
    fn every_flipped_bit_breaks_the_seal() {
        let mut page = vec![0x5a; 256];
        sample().write(&mut page);
        let crc = seal(&mut page);
        assert_eq!(check(&page, PhysicalPage(9), crc).unwrap(), sample());
        for bit in 0..page.len() * 8 {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&page, PhysicalPage(9), crc).is_err(), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(check(&page, PhysicalPage(9), crc ^ 1).is_err());
    }
}
