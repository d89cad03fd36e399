//! Blobs: byte strings of any length outside the page map, for what a cut must store about itself.
//!
//! A blob is a chain of System pages. The body of each link is
//!
//! ```text
//! 0           8             12        16
//! | next page | CRC of next | bytes   | data ...
//! ```
//!
//! A blob belongs to the cut that is being built when it is written, and its places are freed by the next cut
//! that does not refer to it.

use super::BLOB_OBJECT;
use super::header::{self, HEADER_SIZE, PageHeader, PageKind, u32_at, u64_at};
use super::page_file::{PageFile, RunWriter};
use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, PageId, PhysicalPage};

const LINK_SIZE: usize = 16;
const NEXT_AT: usize = HEADER_SIZE;
const NEXT_CRC_AT: usize = HEADER_SIZE + 8;
const BYTES_AT: usize = HEADER_SIZE + 12;
const DATA_AT: usize = HEADER_SIZE + LINK_SIZE;

/// Where a blob is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlobRef {
    /// The first link, 0 for a blob without bytes.
    pub page: PhysicalPage,
    /// Bytes of the blob.
    pub len: u64,
    /// The checksum of the first link.
    pub crc: u32,
}

impl BlobRef {
    /// The blob without bytes, which takes no page.
    pub const EMPTY: Self = Self { page: PhysicalPage(0), len: 0, crc: 0 };

    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.page.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.len.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// `bytes` has at least 24 of them.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { page: PhysicalPage(u64_at(bytes, 0)), len: u64_at(bytes, 8), crc: u32_at(bytes, 16) }
    }
}

/// Data bytes per link.
fn capacity(page_size: usize) -> usize {
    page_size - DATA_AT
}

/// Links that a blob of `len` bytes takes.
pub(super) fn links(page_size: usize, len: u64) -> u64 {
    len.div_ceil(capacity(page_size) as u64)
}

/// Writes `bytes` at `places`, which are as many as [`links`] says.
pub(super) fn write(file: &PageFile, places: &[PhysicalPage], bytes: &[u8], epoch: Epoch) -> Result<BlobRef> {
    let page_size = file.page_size();
    let mut pages = vec![0; places.len() * page_size];
    // The checksum of each link lies in the one before, so they are sealed from the last to the first.
    let mut next = (PhysicalPage(0), 0u32);
    let parts = bytes.chunks(capacity(page_size));
    assert_eq!(parts.len(), places.len(), "a blob takes one place per part");
    for (index, (part, page)) in parts.zip(pages.chunks_exact_mut(page_size)).enumerate().rev() {
        link_header(index as u64, epoch).write(page);
        page[NEXT_AT..NEXT_AT + 8].copy_from_slice(&next.0.0.to_le_bytes());
        page[NEXT_CRC_AT..NEXT_CRC_AT + 4].copy_from_slice(&next.1.to_le_bytes());
        let part_len = u32::try_from(part.len()).expect("a part is smaller than a page");
        page[BYTES_AT..BYTES_AT + 4].copy_from_slice(&part_len.to_le_bytes());
        page[DATA_AT..DATA_AT + part.len()].copy_from_slice(part);
        next = (places[index], header::seal(page));
    }
    let mut writer = RunWriter::new(file);
    for (place, page) in places.iter().zip(pages.chunks_exact(page_size)) {
        writer.push(*place, |out| out.copy_from_slice(page))?;
    }
    writer.finish()?;
    Ok(BlobRef { page: next.0, len: bytes.len() as u64, crc: next.1 })
}

fn link_header(index: u64, epoch: Epoch) -> PageHeader {
    PageHeader {
        kind: PageKind::System,
        flags: 0,
        page_id: PageId(index),
        epoch,
        lsn: Lsn(0),
        object: BLOB_OBJECT,
        level: 0,
    }
}

/// Reads a blob and the places of its links. `file_pages` bounds what a damaged length can claim.
pub(super) fn read(file: &PageFile, blob: BlobRef, file_pages: u64) -> Result<(Vec<u8>, Vec<PhysicalPage>)> {
    let page_size = file.page_size();
    let damaged = |place: PhysicalPage, reason| StorageError::CorruptPage { page: place.0, reason };
    let count = links(page_size, blob.len);
    if count > file_pages {
        return Err(damaged(blob.page, "blob is longer than the file").into());
    }
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    let (mut place, mut crc) = (blob.page, blob.crc);
    let mut page = vec![0; page_size];
    for index in 0..count {
        let header = file.read(place, crc, &mut page)?;
        if header.kind != PageKind::System || header.object != BLOB_OBJECT || header.page_id.0 != index {
            return Err(damaged(place, "not the expected link of a blob").into());
        }
        let part = u32_at(&page, BYTES_AT) as usize;
        let left = blob.len - bytes.len() as u64;
        if part as u64 != left.min(capacity(page_size) as u64) {
            return Err(damaged(place, "blob link of a wrong length").into());
        }
        bytes.extend_from_slice(&page[DATA_AT..DATA_AT + part]);
        places.push(place);
        (place, crc) = (PhysicalPage(u64_at(&page, NEXT_AT)), u32_at(&page, NEXT_CRC_AT));
    }
    Ok((bytes, places))
}
