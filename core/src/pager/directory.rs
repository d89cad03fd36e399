//! From page id to translation word: a directory of chunks that are made on first touch and never go away, and
//! beside each word a slot for what hangs on the page in memory only.
#![expect(unsafe_code, reason = "side slots are guarded by the page's latch, which the compiler cannot see")]

use super::word::Word;
use crate::ids::PageId;
use std::any::Any;
use std::cell::UnsafeCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const CHUNK_BITS: u32 = 13;
const CHUNK: usize = 1 << CHUNK_BITS;
const MIDDLE: usize = 1 << 10;
const TOP: usize = 1 << 10;

/// What hangs beside a page: it lives as long as its owner says, survives the page's eviction and is guarded by
/// the page's latch.
pub type Side = Box<dyn Any + Send + Sync>;

/// A place for a [`Side`].
pub(super) struct SideSlot {
    set: AtomicBool,
    side: UnsafeCell<Option<Side>>,
}

// SAFETY: the cell is reached only by holders of the page's latch (see the unsafe methods), and `Side` is Send + Sync.
unsafe impl Sync for SideSlot {}

impl SideSlot {
    /// Whether the slot is taken, as far as an optimistic reader can tell.
    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// # Safety
    /// The caller holds the page's latch, shared or exclusively, as long as the reference lives.
    pub(super) unsafe fn get(&self) -> Option<&Side> {
        // SAFETY: only an exclusive holder changes the slot, and there is none.
        unsafe { (*self.side.get()).as_ref() }
    }

    /// # Safety
    /// The caller holds the page's latch exclusively as long as the reference lives, and calls `publish` after.
    #[expect(clippy::mut_from_ref, reason = "the page's latch stands in for the exclusive borrow")]
    pub(super) unsafe fn get_mut(&self) -> &mut Option<Side> {
        // SAFETY: an exclusive holder is alone.
        unsafe { &mut *self.side.get() }
    }

    /// Tells optimistic readers what the slot is now.
    ///
    /// # Safety
    /// The caller holds the page's latch exclusively.
    pub(super) unsafe fn publish(&self) {
        // SAFETY: an exclusive holder is alone.
        let set = unsafe { (*self.side.get()).is_some() };
        self.set.store(set, Ordering::Release);
    }
}

struct Chunk {
    words: Box<[AtomicU64]>,
    sides: Box<[SideSlot]>,
}

impl Chunk {
    fn new() -> Box<Self> {
        Box::new(Self {
            words: (0..CHUNK).map(|_| AtomicU64::new(Word::ABSENT.0)).collect(),
            sides: (0..CHUNK)
                .map(|_| SideSlot { set: AtomicBool::new(false), side: UnsafeCell::new(None) })
                .collect(),
        })
    }
}

type Middle = Box<[OnceLock<Box<Chunk>>]>;

pub(super) struct Directory {
    top: Box<[OnceLock<Middle>]>,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self { top: (0..TOP).map(|_| OnceLock::new()).collect() }
    }

    fn split(page: PageId) -> (usize, usize, usize) {
        let low = (page.0 & (CHUNK as u64 - 1)) as usize;
        let middle = (page.0 >> CHUNK_BITS & (MIDDLE as u64 - 1)) as usize;
        let top = usize::try_from(page.0 >> CHUNK_BITS >> MIDDLE.trailing_zeros()).unwrap_or(usize::MAX);
        (top, middle, low)
    }

    fn chunk(&self, page: PageId) -> Option<(&Chunk, usize)> {
        let (top, middle, low) = Self::split(page);
        let chunk = self.top.get(top)?.get()?[middle].get()?;
        Some((chunk, low))
    }

    /// The page's word if its chunk was ever touched.
    pub(super) fn word(&self, page: PageId) -> Option<&AtomicU64> {
        self.chunk(page).map(|(chunk, low)| &chunk.words[low])
    }

    /// The page's word, its chunk made if needed; None for an id beyond what a directory can hold.
    pub(super) fn word_or_make(&self, page: PageId) -> Option<&AtomicU64> {
        let (top, middle, low) = Self::split(page);
        let chunks = self.top.get(top)?.get_or_init(|| (0..MIDDLE).map(|_| OnceLock::new()).collect());
        Some(&chunks[middle].get_or_init(Chunk::new).words[low])
    }

    pub(super) fn side(&self, page: PageId) -> Option<&SideSlot> {
        self.chunk(page).map(|(chunk, low)| &chunk.sides[low])
    }
}
