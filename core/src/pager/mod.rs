//! The pager: pages of the database file in memory, and how they get there and back.
//!
//! ```text
//!   B+-trees, tables                      optimistic / shared / exclusive guards
//!        |
//!   directory: page id -> word {state, version, frame}     (word.rs, directory.rs)
//!        |
//!   arena: frames of one page each                          (arena.rs)
//!        |  evict, load                (replacement.rs)
//!        |  write back, cut            (write_back.rs, cut.rs)
//!   space: page map, free map, superblock, places in the file   (space/)
//! ```
//! A page is known by its logical id. It is *never* written over the place the last durable cut has for it: a page
//! that leaves memory between two cuts goes to a scratch place that only memory knows of, and a cut moves all pages
//! changed since the former one to new places before the superblock names them.
//!
//! Invariants:
//! 1. A word says `resident` exactly while its frame holds the page's newest image.
//! 2. The newest image of a page that is not resident is at its place in the open epoch if there is one, else in the
//!    closing epoch, else where the page map says.
//! 3. A frame that is dirty or being written is not given to another page.
//! 4. While a cut is being written, no image that belongs to it is lost: the first change of a frame still dirty from
//!    the closing epoch copies the frame aside first.
//! 5. Guards are taken inside row operations only, at most three exclusive ones a thread, root before leaf and left
//!    before right. Nothing in here waits for I/O while a guard of the caller is held: a missing page or a full pool
//!    comes back as [`Restart`], which the caller takes to [`Pager::resolve`] after letting everything go.

mod arena;
mod cut;
mod directory;
mod guard;
mod replacement;
pub mod space;
#[cfg(test)]
mod tests;
mod word;
mod write_back;

use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, ObjectId, PageId};
use crate::memory::Budget;
use arena::{Arena, DIRTY, FREED, WRITING};
use cut::CutState;
use directory::Directory;
use parking_lot::{Mutex, RwLock};
use replacement::FreeFrames;
use space::{PageHeader, PageKind, Space};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use word::{Access, FRAME_BITS, Latch, Waiters};

pub use directory::Side;
pub use guard::{OptimisticPage, ReadGuard, WriteGuard};
pub use replacement::{Clock, Eviction, Random, Victims};

/// Why a row operation must let go of everything and start again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Another thread was faster; trying again is enough.
    Retry,
    /// The page must be read first.
    Miss(PageId),
    /// A frame must be freed first.
    Full,
    /// A page is not what its parent or its checksum says.
    Corrupt(PageId, &'static str),
}

/// The result of one try of a row operation.
pub type Attempt<T> = std::result::Result<T, Restart>;

/// The smallest pool that every operation can work in, in frames.
pub const MIN_FRAMES: usize = 64;

/// The buffer pool over one database file.
pub struct Pager {
    space: Space,
    arena: Arena,
    directory: Directory,
    waiters: Waiters,
    free: Mutex<FreeFrames>,
    eviction: Box<dyn Eviction>,
    open_epoch: AtomicU64,
    cut: Mutex<CutState>,
    /// Held shared by whoever writes pages back, exclusively to know that nobody does.
    writers: RwLock<()>,
}

impl Pager {
    /// A pool of at most `frames` frames over `space`, its memory taken from `budget` as it grows.
    ///
    /// # Errors
    /// 53200 when the budget has no room for [`MIN_FRAMES`], or the address space none for the arena.
    pub fn new(
        space: Space,
        frames: usize,
        budget: &Arc<Budget>,
        eviction: Box<dyn Eviction>,
    ) -> Result<Self> {
        let mut frames = frames.clamp(MIN_FRAMES, 1 << FRAME_BITS);
        let page_size = space.page_size();
        // A process may have fewer addresses than the machine has memory; what is mapped is not yet used.
        let arena = loop {
            match Arena::new(page_size, frames) {
                Err(_) if frames / 2 >= MIN_FRAMES => frames /= 2,
                arena => break arena?,
            }
        };
        let open = space.superblock().epoch.0 + 1;
        Ok(Self {
            free: Mutex::new(FreeFrames::new(budget.reserve((MIN_FRAMES * page_size) as u64)?)),
            space,
            arena,
            directory: Directory::new(),
            waiters: Waiters::new(),
            eviction,
            open_epoch: AtomicU64::new(open),
            cut: Mutex::new(CutState::new(Epoch(open))),
            writers: RwLock::new(()),
        })
    }

    /// The page size in bytes, header included.
    pub fn page_size(&self) -> usize {
        self.space.page_size()
    }

    /// The places in the file.
    pub fn space(&self) -> &Space {
        &self.space
    }

    fn latch(&self, page: PageId) -> Option<Latch<'_>> {
        self.directory.word(page).map(|word| Latch::new(word, &self.waiters, page))
    }

    fn latch_of_resident(&self, page: PageId) -> Latch<'_> {
        self.latch(page).expect("a page that was resident has a directory chunk")
    }

    /// Looks at a page without holding it.
    ///
    /// # Errors
    /// `Restart::Miss` when it is not in memory.
    pub fn optimistic(&self, page: PageId) -> Attempt<OptimisticPage<'_>> {
        match self.latch(page).map(|latch| latch.optimistic()) {
            Some(Access::Granted(seen)) => Ok(OptimisticPage::new(self, page, seen)),
            Some(Access::Missing) | None => Err(Restart::Miss(page)),
        }
    }

    /// Holds a page shared. Waits for an exclusive holder, never for I/O.
    ///
    /// # Errors
    /// `Restart::Miss` when it is not in memory.
    pub fn pin_shared(&self, page: PageId) -> Attempt<ReadGuard<'_>> {
        match self.latch(page).map(|latch| latch.lock_shared()) {
            Some(Access::Granted(word)) => Ok(ReadGuard::new(self, page, word.frame())),
            Some(Access::Missing) | None => Err(Restart::Miss(page)),
        }
    }

    /// Holds a page exclusively. Waits for other holders, never for I/O.
    ///
    /// # Errors
    /// `Restart::Miss` when it is not in memory.
    pub fn pin_exclusive(&self, page: PageId) -> Attempt<WriteGuard<'_>> {
        match self.latch(page).map(|latch| latch.lock_exclusive()) {
            Some(Access::Granted(word)) => Ok(WriteGuard::new(self, page, word.frame())),
            Some(Access::Missing) | None => Err(Restart::Miss(page)),
        }
    }

    /// A new page, zeroed behind its header, held exclusively.
    ///
    /// # Errors
    /// `Restart::Full` when no frame is free.
    pub fn allocate(&self, kind: PageKind, object: ObjectId, level: u32) -> Attempt<WriteGuard<'_>> {
        let frame = self.free.lock().take(&self.arena).ok_or(Restart::Full)?;
        let page = self.space.allocate_page_id();
        let Some(word) = self.directory.word_or_make(page) else {
            self.free.lock().give(frame);
            return Err(Restart::Corrupt(page, "page ids are used up"));
        };
        let latch = Latch::new(word, &self.waiters, page);
        // A thread that still looks for the page that had this id before may be finding out that it is gone. The
        // id counts as freed until the word is claimed, so that nobody loads that page's last image.
        while !latch.start_loading() {
            latch.wait_while_loading();
        }
        self.cut.lock().unfree(page);
        let state = self.arena.state(frame);
        state.page.store(page.0, Ordering::Release);
        state.epoch.store(self.open_epoch.load(Ordering::Acquire), Ordering::Release);
        state.set(DIRTY);
        latch.install_exclusive(frame);
        let mut guard = WriteGuard::new(self, page, frame);
        guard.fill(0);
        let header =
            PageHeader { kind, flags: 0, page_id: page, epoch: Epoch(0), lsn: Lsn(0), object, level };
        header.write(&mut guard);
        Ok(guard)
    }

    /// Whether something hangs beside a page, as far as can be told without holding it.
    pub fn has_side(&self, page: PageId) -> bool {
        self.directory.side(page).is_some_and(|side| side.is_set())
    }

    /// Gives a page up. Nothing may hang beside it any more.
    pub fn free(&self, guard: WriteGuard<'_>) {
        debug_assert!(guard.side().is_none(), "the owner of a side takes it away first");
        let (page, frame) = (guard.page_id(), guard.frame());
        self.before_change(page, frame);
        // Noted at once, in the epoch that the row operation belongs to; its places go when no copy is on its way.
        self.cut.lock().free(page);
        let before = self.arena.state(frame).set(FREED);
        guard.forget();
        self.latch_of_resident(page).make_absent();
        if before & WRITING == 0 {
            self.finish_free(page, frame);
        }
    }

    /// The end of `free`, once no copy of the page is on its way to disk.
    fn finish_free(&self, page: PageId, frame: u32) {
        let scratch = self.cut.lock().forget_place(page);
        if let Some(place) = scratch {
            self.space.release(place);
        }
        self.space.free_page_id(page);
        self.retire(frame);
    }

    /// Empties a frame whose page left the directory.
    fn retire(&self, frame: u32) {
        let state = self.arena.state(frame);
        state.page.store(0, Ordering::Release);
        state.clear(DIRTY | FREED);
        self.free.lock().give(frame);
    }

    /// Removes the cause of a restart: reads the page, frees a frame. The caller holds no guard and is in no row
    /// operation.
    ///
    /// # Errors
    /// I/O errors, damage, or 53200 when nothing can be evicted.
    pub fn resolve(&self, restart: Restart) -> Result<()> {
        match restart {
            Restart::Retry => {
                std::thread::yield_now();
                Ok(())
            }
            Restart::Miss(page) => self.load(page),
            Restart::Full => self.make_room(),
            Restart::Corrupt(page, reason) => Err(StorageError::CorruptPage { page: page.0, reason }.into()),
        }
    }

    /// Runs `operation` until it comes through. Only for callers that need no row operation around it.
    ///
    /// # Errors
    /// Whatever stands in the way of resolving a restart.
    pub fn retry<T>(&self, mut operation: impl FnMut() -> Attempt<T>) -> Result<T> {
        loop {
            match operation() {
                Ok(value) => return Ok(value),
                Err(restart) => self.resolve(restart)?,
            }
        }
    }

    fn load(&self, page: PageId) -> Result<()> {
        let unknown = || StorageError::CorruptPage { page: page.0, reason: "no such logical page" };
        let word = self.directory.word_or_make(page).ok_or_else(unknown)?;
        let latch = Latch::new(word, &self.waiters, page);
        if !latch.start_loading() {
            latch.wait_while_loading();
            return Ok(());
        }
        if self.cut.lock().is_freed(page) {
            // Freed between the caller's restart and now: its next try will not come here again.
            latch.abandon_loading();
            return Ok(());
        }
        let loaded = self.obtain_frame().and_then(|frame| match self.read_into(page, frame) {
            Ok(true) => Ok(frame),
            Ok(false) => {
                self.free.lock().give(frame);
                Err(unknown().into())
            }
            Err(error) => {
                self.free.lock().give(frame);
                Err(error)
            }
        });
        match loaded {
            Ok(frame) => {
                self.arena.state(frame).page.store(page.0, Ordering::Release);
                latch.finish_loading(frame);
                Ok(())
            }
            Err(error) => {
                latch.abandon_loading();
                Err(error)
            }
        }
    }

    /// Reads the newest image of an absent page; false if there is none.
    fn read_into(&self, page: PageId, frame: u32) -> Result<bool> {
        let scratch = self.cut.lock().place_of(page);
        let place = match scratch {
            Some(place) => place,
            None => match self.space.lookup(page)? {
                Some(location) => cut::Place { at: location.page, crc: location.crc },
                None => return Ok(false),
            },
        };
        self.space.read_page(place.at, page, place.crc, self.arena.owned_mut(frame))?;
        Ok(true)
    }

    /// Called before the exclusive holder of a page changes its bytes: keeps the image a running cut still needs,
    /// and makes the frame dirty.
    fn before_change(&self, page: PageId, frame: u32) {
        let open = self.open_epoch.load(Ordering::Acquire);
        let state = self.arena.state(frame);
        if state.has(DIRTY) {
            let epoch = state.epoch.load(Ordering::Acquire);
            if epoch == open {
                return;
            }
            self.cut.lock().keep_image(page, Epoch(epoch), || self.arena.owned_mut(frame).into());
        }
        state.epoch.store(open, Ordering::Release);
        state.set(DIRTY);
    }
}
