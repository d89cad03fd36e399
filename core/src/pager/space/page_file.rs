//! The database file as an array of pages, and the flag that stops all writing after a failed sync.

use super::header;
use super::superblock::{COPY_OFFSETS, SUPERBLOCK_SIZE};
use crate::error::{Error, Result, StorageError};
use crate::ids::PhysicalPage;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::vfs::VfsFile;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Pages written with one call while they follow each other in the file.
const RUN_BYTES: usize = 1 << 20;

/// The open file. Its path serves messages only.
pub(super) struct PageFile {
    file: Arc<dyn VfsFile>,
    path: String,
    page_size: usize,
    poisoned: AtomicBool,
}

impl PageFile {
    pub(super) fn new(path: &Path, file: Arc<dyn VfsFile>, page_size: usize) -> Self {
        Self { file, path: path.display().to_string(), page_size, poisoned: AtomicBool::new(false) }
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Refuses once a sync has failed.
    pub(super) fn check_usable(&self) -> Result<()> {
        if self.is_poisoned() { Err(StorageError::Poisoned.into()) } else { Ok(()) }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// What is on disk is no longer known: stops every later change.
    fn poison(&self) -> Error {
        self.poisoned.store(true, Ordering::Release);
        StorageError::Poisoned.into()
    }

    fn failed(&self, operation: &'static str, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StorageError::DiskFull { path: self.path.clone() }.into()
            }
            _ => StorageError::Io { operation, path: self.path.clone(), source }.into(),
        }
    }

    fn offset(&self, place: PhysicalPage) -> Option<u64> {
        place.0.checked_mul(self.page_size as u64)
    }

    /// Reads the page at `place` without looking at it. Beyond the end of the file it is corruption.
    pub(super) fn read_raw(&self, place: PhysicalPage, page: &mut [u8]) -> Result<()> {
        let beyond =
            || StorageError::CorruptPage { page: place.0, reason: "lies beyond the end of the file" };
        let offset = self.offset(place).ok_or_else(beyond)?;
        self.file.read_at(page, offset).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => beyond().into(),
            _ => self.failed("read", e),
        })
    }

    /// Reads the page at `place` and checks it against its checksum and its parent's copy of that.
    pub(super) fn read(&self, place: PhysicalPage, crc: u32, page: &mut [u8]) -> Result<header::PageHeader> {
        self.read_raw(place, page)?;
        header::check(page, place, crc)
    }

    /// Writes pages at their places.
    pub(super) fn write(&self, batch: &[(PhysicalPage, &[u8])]) -> Result<()> {
        self.check_usable()?;
        let mut writes = Vec::with_capacity(batch.len());
        for (place, bytes) in batch {
            assert!(bytes.len().is_multiple_of(self.page_size), "whole pages are written");
            let offset = self.offset(*place).expect("places handed out lie within the addressable file");
            writes.push((offset, *bytes));
        }
        self.file.write_batch(&writes).map_err(|e| self.failed("write", e))
    }

    /// Makes all writes durable. A failure poisons the file.
    pub(super) fn sync(&self) -> Result<()> {
        self.check_usable()?;
        self.file.sync().map_err(|_| self.poison())
    }

    /// Writes one copy of the superblock durably. Any failure leaves that copy unknown and poisons the file.
    pub(super) fn write_superblock(&self, copy: usize, image: &[u8; SUPERBLOCK_SIZE]) -> Result<()> {
        self.check_usable()?;
        self.file.write_at(image, COPY_OFFSETS[copy]).map_err(|_| self.poison())?;
        self.sync()
    }

    /// Reserves room for `pages` pages.
    pub(super) fn reserve(&self, pages: u64) -> Result<()> {
        let len = self.offset(PhysicalPage(pages)).ok_or_else(|| self.too_long())?;
        self.file.allocate(len).map_err(|e| self.failed("extend", e))
    }

    /// Cuts or extends the file to `pages` pages.
    pub(super) fn set_pages(&self, pages: u64) -> Result<()> {
        let len = self.offset(PhysicalPage(pages)).ok_or_else(|| self.too_long())?;
        self.file.set_size(len).map_err(|e| self.failed("resize", e))
    }

    /// Whole pages the file holds now.
    pub(super) fn pages(&self) -> Result<u64> {
        Ok(self.file.size().map_err(|e| self.failed("stat", e))? / self.page_size as u64)
    }

    fn too_long(&self) -> Error {
        self.failed("extend", io::ErrorKind::FileTooLarge.into())
    }
}

/// Collects pages in the order of their places and writes neighbours together.
pub(super) struct RunWriter<'a> {
    file: &'a PageFile,
    bytes: Vec<u8>,
    first: PhysicalPage,
}

impl<'a> RunWriter<'a> {
    pub(super) fn new(file: &'a PageFile) -> Self {
        Self { file, bytes: Vec::new(), first: PhysicalPage(0) }
    }

    /// Adds a zeroed page for `place` that `fill` completes.
    pub(super) fn push<T>(&mut self, place: PhysicalPage, fill: impl FnOnce(&mut [u8]) -> T) -> Result<T> {
        let page_size = self.file.page_size();
        let next = self.first.0 + (self.bytes.len() / page_size) as u64;
        if self.bytes.is_empty() || place.0 != next || self.bytes.len() >= RUN_BYTES {
            self.flush()?;
            self.first = place;
        }
        let at = self.bytes.len();
        self.bytes.resize(at + page_size, 0);
        Ok(fill(&mut self.bytes[at..]))
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        if !self.bytes.is_empty() {
            self.file.write(&[(self.first, &self.bytes)])?;
            self.bytes.clear();
        }
        Ok(())
    }
}
