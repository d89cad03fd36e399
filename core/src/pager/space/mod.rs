//! The database file: what is on disk, without any buffering of data pages.
//!
//! A database is one file of equal pages (16, 32 or 64 KiB, chosen when it is made). The first kilobytes of two
//! of them hold the superblock, the only place that is ever overwritten. Everything else is shadow-paged: a
//! page is written to a place nothing durable refers to, and a **cut** moves the whole database from one
//! consistent state to the next by replacing the superblock.
//!
//! ```text
//!  superblock A, B ---> page map (radix tree) ---> pages of trees, by logical page id
//!        |    |
//!        |    +-------> free map (radix tree) ---> bitmaps, one bit per place
//!        +------------> blobs: cut state, domain table
//!        +------------> next logical id, chain of unused ids (through the page map)
//! ```
//!
//! Byte layouts: `superblock` (the superblock), `header` (the 96 bytes of every page), `page_map` (map nodes and
//! their entries), `free_map` (bitmaps), `blob`. All numbers are little-endian. A logical page id and a place
//! (physical page number, file offset / page size) have 48 bits; id 0 and place 0 stand for "none". The pages
//! that hold a superblock copy are places 0 and 65,536 / page size, and are given to nothing else.
//!
//! **How a cut becomes durable.** (1) Data pages, blobs, changed map nodes and changed bitmaps are written to
//! places the durable cut does not use; (2) sync; (3) superblock A; (4) sync; (5) superblock B; (6) sync;
//! (7) the places only the old cut used become free. A crash before (3) leaves the old cut; a crash during (3)
//! leaves A old, new or torn, and B old and whole; from (4) on A is new and whole.
//!
//! Invariants:
//! 1. No write touches a place that the durable cut refers to, except the two superblock pages.
//! 2. Before superblock A is written, B is whole and of the durable cut: a copy found damaged or older at open
//!    is rewritten before the first change.
//! 3. The free map marks exactly what the superblock reaches, itself included. [`Space::verify`] checks it.
//! 4. A failed write before (3) abandons the cut and changes nothing. A failed sync or superblock write makes
//!    the durable state unknown: from then on every change is refused with `Poisoned`. Reads still work, since
//!    places of the last cut known to be durable are no longer reused.
//!
//! Locks are taken in this order: cut state, blobs, nodes of a map, places, page ids. Reading a page-map entry
//! that is in memory takes none.

mod blob;
mod cut;
mod free_map;
mod header;
mod page_file;
mod page_ids;
mod page_map;
mod superblock;
#[cfg(test)]
mod tests;
mod verify;

use crate::error::{Result, StorageError};
use crate::ids::{Epoch, ObjectId, PageId, PhysicalPage};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::vfs::VfsFile;
use free_map::{Bitmap, Places};
use page_file::PageFile;
use page_ids::{FreeChain, PageIds};
use page_map::MapTree;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

pub use blob::BlobRef;
pub use cut::Cut;
pub use header::{HEADER_SIZE, PageHeader, PageKind};
pub use superblock::{Superblock, is_page_size};
pub use verify::{Problem, Report};

/// Object ids in the headers of this module's own pages. Catalog objects have other page kinds.
const PAGE_MAP_OBJECT: ObjectId = ObjectId(1);
const FREE_MAP_OBJECT: ObjectId = ObjectId(2);
const BLOB_OBJECT: ObjectId = ObjectId(3);

/// Where a logical page is in the durable cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Location {
    /// The place in the file.
    pub page: PhysicalPage,
    /// The checksum its header must have.
    pub crc: u32,
    /// The cut that moved it there, modulo 2^32.
    pub epoch: Epoch,
}

/// Neighbouring places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The lowest.
    pub first: PhysicalPage,
    /// How many, at least one.
    pub len: u32,
}

impl Run {
    /// The places in it, ascending.
    pub fn places(self) -> impl Iterator<Item = PhysicalPage> {
        (self.first.0..self.first.0 + u64::from(self.len)).map(PhysicalPage)
    }
}

/// One open database file. All methods may be called from any thread.
pub struct Space {
    file: PageFile,
    page_map: MapTree,
    /// Entries lead to bitmap pages.
    free_map: MapTree,
    ids: PageIds,
    places: Mutex<Places>,
    /// Places of every blob written or read by a cut since open, by first page.
    blobs: Mutex<HashMap<PhysicalPage, Vec<PhysicalPage>>>,
    cut: Mutex<CutState>,
    /// A superblock copy must be rewritten before the first change.
    stale: AtomicBool,
}

/// The durable cut. Its mutex admits one cut (or check of the file) at a time.
struct CutState {
    superblock: Superblock,
    chain: FreeChain,
    /// The superblock copy that is damaged or older.
    stale_copy: Option<usize>,
}

impl Space {
    /// Makes an empty database, at epoch 1, in an empty file. It is durable when this returns; the name of the
    /// file is the caller's to sync. `path` serves messages only.
    ///
    /// # Errors
    /// `NotADatabase` if the file is not empty; `Io` and `DiskFull`. `Corrupt` for an impossible page size.
    pub fn create(path: &Path, file: Arc<dyn VfsFile>, page_size: u32, uuid: [u8; 16]) -> Result<Self> {
        if !is_page_size(page_size) {
            return Err(
                StorageError::Corrupt { reason: format!("page size {page_size} is not supported") }.into()
            );
        }
        let superblock = Superblock::initial(page_size, uuid);
        let file = PageFile::new(path, file, page_size as usize);
        if file.pages()? != 0 {
            let reason = "a new database needs an empty file";
            return Err(StorageError::NotADatabase { path: file.path().to_owned(), reason }.into());
        }
        file.set_pages(superblock.file_pages)?;
        let image = superblock.encode();
        file.write_superblock(0, &image)?;
        file.write_superblock(1, &image)?;
        Self::with(file, superblock, None)
    }

    /// Opens the newest whole cut of a database file. Reads the superblock and the free map only.
    ///
    /// # Errors
    /// `NotADatabase`, `WrongVersion`, `UnsupportedFeatures`; `Corrupt` and `CorruptPage` for a damaged or
    /// cut-off file; `Io`.
    pub fn open(path: &Path, file: Arc<dyn VfsFile>) -> Result<(Self, Superblock)> {
        let found = superblock::read(file.as_ref(), &path.display().to_string())?;
        let superblock = found.superblock;
        let file = PageFile::new(path, file, superblock.page_size as usize);
        let space = Self::with(file, superblock.clone(), found.stale_copy)?;
        Ok((space, superblock))
    }

    fn with(file: PageFile, superblock: Superblock, stale_copy: Option<usize>) -> Result<Self> {
        let page_size = file.page_size();
        let file_pages = file.pages()?.max(superblock.file_pages);
        let free_map = MapTree::new(FREE_MAP_OBJECT, page_size, superblock.free_map);
        let durable = load_free_map(&file, &free_map, superblock.file_pages)?;
        let places = Places::new(page_size, durable, file_pages);
        let page_map = MapTree::new(PAGE_MAP_OBJECT, page_size, superblock.page_map);
        let ids = PageIds::new(superblock.next_page_id);
        let mut chain = FreeChain::new(superblock.free_id_head, superblock.next_page_id);
        chain.refill(&ids, &page_map, &file)?;
        Ok(Self {
            file,
            page_map,
            free_map,
            ids,
            places: Mutex::new(places),
            blobs: Mutex::new(HashMap::new()),
            cut: Mutex::new(CutState { superblock, chain, stale_copy }),
            stale: AtomicBool::new(stale_copy.is_some()),
        })
    }

    /// Bytes per page.
    pub fn page_size(&self) -> usize {
        self.file.page_size()
    }

    /// The superblock of the durable cut.
    pub fn superblock(&self) -> Superblock {
        self.cut.lock().superblock.clone()
    }

    /// Whether a sync has failed and every change is refused.
    pub fn is_poisoned(&self) -> bool {
        self.file.is_poisoned()
    }

    /// Where the durable cut has a logical page, None if it has no such page. Takes a few nanoseconds once the
    /// page-map leaf was read; reads it otherwise. During a cut the answer for a page of that cut may be the old
    /// or the new one.
    pub fn lookup(&self, pid: PageId) -> Result<Option<Location>> {
        let entry = self.page_map.get(&self.file, pid.0)?;
        Ok(entry.is_live().then(|| Location { page: entry.place(), crc: entry.crc(), epoch: entry.epoch() }))
    }

    /// A place to write a page to: not used by the durable cut nor handed out. Extends the file if there is
    /// none. The place stays handed out, across cuts, until a cut adopts it or it is released.
    pub fn allocate(&self) -> Result<PhysicalPage> {
        Ok(self.allocate_run(1)?.first)
    }

    /// Up to `want` neighbouring places, for pages that are written together; at least one.
    pub fn allocate_run(&self, want: u32) -> Result<Run> {
        self.file.check_usable()?;
        if self.stale.load(Ordering::Acquire) {
            self.repair_superblock(&mut self.cut.lock())?;
        }
        self.places.lock().allocate_run(want, |pages| self.file.reserve(pages))
    }

    /// Gives back a place handed out that no cut adopted and nobody reads any more. It may be handed out again
    /// at once.
    ///
    /// # Panics
    /// If the place belongs to the durable cut or is not handed out.
    pub fn release(&self, page: PhysicalPage) {
        // After a poisoning the cut that adopted the place may be the one on disk.
        if !self.file.is_poisoned() {
            self.places.lock().release(page);
        }
    }

    /// Places handed out that no cut has adopted.
    #[cfg(test)]
    pub(crate) fn handed_out(&self) -> u64 {
        self.places.lock().handed_out()
    }

    /// An unused logical page id; never 0, without I/O. Ids that no cut adopts are unused again at the next open.
    pub fn allocate_page_id(&self) -> PageId {
        self.ids.allocate()
    }

    /// Gives an id back; it may be handed out again at once. The cut that no longer has the page says so in its
    /// changes.
    ///
    /// # Panics
    /// If the id was never handed out.
    pub fn free_page_id(&self, pid: PageId) {
        self.ids.free(pid);
    }

    /// Reads the page at a place into `page` (one page long) and checks its checksum, against `crc` too, and
    /// that it is the logical page `pid`.
    pub fn read_page(&self, at: PhysicalPage, pid: PageId, crc: u32, page: &mut [u8]) -> Result<()> {
        let header = self.file.read(at, crc, page)?;
        if header.page_id != pid {
            return Err(StorageError::CorruptPage { page: at.0, reason: "holds another logical page" }.into());
        }
        Ok(())
    }

    /// Completes the header of a page for writing: id, epoch, checksum. Kind, flags, object, level and newest
    /// change are as [`PageHeader::write`] or the owner set them. The result goes into the page's [`Location`].
    pub fn seal_page(&self, pid: PageId, epoch: Epoch, page: &mut [u8]) -> u32 {
        assert_eq!(page.len(), self.page_size(), "whole pages are sealed");
        header::seal_as(page, pid, epoch)
    }

    /// Writes sealed pages to places handed out. Not durable before the cut that adopts them.
    ///
    /// # Panics
    /// If a place is not handed out, or belongs to the durable cut.
    pub fn write_pages(&self, batch: &[(PhysicalPage, &[u8])]) -> Result<()> {
        let places = self.places.lock();
        assert!(
            batch.iter().all(|(place, _)| places.is_handed_out(*place)),
            "only places handed out are written"
        );
        drop(places);
        self.file.write(batch)
    }

    /// Writes a blob for the cut that is being built. If that cut fails or does not refer to it, it is gone.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<BlobRef> {
        self.file.check_usable()?;
        if bytes.is_empty() {
            return Ok(BlobRef::EMPTY);
        }
        let epoch = Epoch(self.cut.lock().superblock.epoch.0 + 1);
        let places = self.allocate_many(blob::links(self.page_size(), bytes.len() as u64))?;
        match blob::write(&self.file, &places, bytes, epoch) {
            Ok(blob) => {
                self.blobs.lock().insert(blob.page, places);
                Ok(blob)
            }
            Err(e) => {
                self.release_all(&places);
                Err(e)
            }
        }
    }

    /// The bytes of a blob.
    pub fn read_blob(&self, blob: BlobRef) -> Result<Vec<u8>> {
        let file_pages = self.places.lock().len();
        Ok(blob::read(&self.file, blob, file_pages)?.0)
    }

    /// Makes both superblock copies whole and equal. Nothing is written to the file without a place, so doing
    /// this before the first allocation and before a cut keeps invariant 2.
    fn repair_superblock(&self, state: &mut CutState) -> Result<()> {
        if let Some(copy) = state.stale_copy {
            self.file.write_superblock(copy, &state.superblock.encode())?;
            state.stale_copy = None;
            self.stale.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// `count` places, in runs as long as possible; none if not all can be had.
    fn allocate_many(&self, count: u64) -> Result<Vec<PhysicalPage>> {
        let mut places = Vec::new();
        while (places.len() as u64) < count {
            let want = u32::try_from(count - places.len() as u64).unwrap_or(u32::MAX);
            match self.allocate_run(want) {
                Ok(run) => places.extend(run.places()),
                Err(e) => {
                    self.release_all(&places);
                    return Err(e);
                }
            }
        }
        Ok(places)
    }

    fn release_all(&self, places: &[PhysicalPage]) {
        places.iter().for_each(|place| self.release(*place));
    }
}

/// The places that the bitmaps on disk mark, all below `file_pages`.
fn load_free_map(file: &PageFile, free_map: &MapTree, file_pages: u64) -> Result<Bitmap> {
    let mut durable = Bitmap::default();
    let mut page = vec![0; file.page_size()];
    for index in 0..file_pages.div_ceil(free_map::coverage(file.page_size())) {
        let entry = free_map.get(file, index)?;
        if entry.is_live() {
            let header = file.read(entry.place(), entry.crc(), &mut page)?;
            free_map::load_page(&page, &header, entry.place(), index, &mut durable, file_pages)?;
        }
    }
    Ok(durable)
}
