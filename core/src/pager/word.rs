//! The translation word: one `AtomicU64` a page that says whether the page is in memory, in which frame, how it
//! is latched, and which version of it that is.
//!
//! ```text
//! 63      56 55                          28 27                           0
//! +---------+------------------------------+------------------------------+
//! | state 8 |          version 28          |           frame 28           |
//! +---------+------------------------------+------------------------------+
//! state: 0 unlocked | 1..=251 shared holders | 252 exclusive | 253 marked | 254 loading | 255 absent
//! ```
//! It is the page state of vmcache (Leis et al., SIGMOD 2023) with a frame number in place of the virtual memory
//! mapping. The version grows whenever an exclusive holder lets go and whenever the page leaves memory, so a reader
//! that saw the same version and frame twice, not exclusively held, has read one consistent page.

use crate::ids::PageId;
use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN};
use std::hint;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub(super) const FRAME_BITS: u32 = 28;
const VERSION_BITS: u32 = 28;
const STATE_SHIFT: u32 = FRAME_BITS + VERSION_BITS;
const FRAME_MASK: u64 = (1 << FRAME_BITS) - 1;
const VERSION_MASK: u64 = ((1 << VERSION_BITS) - 1) << FRAME_BITS;

const UNLOCKED: u8 = 0;
const MAX_SHARED: u8 = 251;
const EXCLUSIVE: u8 = 252;
const MARKED: u8 = 253;
const LOADING: u8 = 254;
const ABSENT: u8 = 255;

/// Turns spent looking at a word before its reader parks: on few cores the holder may not be running.
const SPINS: u32 = 64;
const WAITER_SHARDS: usize = 256;

/// A copy of a translation word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word(pub(super) u64);

impl Word {
    pub(super) const ABSENT: Self = Self((ABSENT as u64) << STATE_SHIFT);

    fn state(self) -> u8 {
        (self.0 >> STATE_SHIFT) as u8
    }

    pub(super) fn frame(self) -> u32 {
        (self.0 & FRAME_MASK) as u32
    }

    fn with_state(self, state: u8) -> Self {
        Self(self.0 & (VERSION_MASK | FRAME_MASK) | u64::from(state) << STATE_SHIFT)
    }

    fn next_version(self) -> Self {
        let version = self.0.wrapping_add(1 << FRAME_BITS) & VERSION_MASK;
        Self(self.0 & !VERSION_MASK | version)
    }

    fn with_frame(self, frame: u32) -> Self {
        Self(self.0 & !FRAME_MASK | u64::from(frame))
    }

    pub(super) fn is_resident(self) -> bool {
        self.state() < LOADING
    }

    pub(super) fn is_marked(self) -> bool {
        self.state() == MARKED
    }

    /// Same page image: version and frame, whatever the number of shared holders.
    fn same_image(self, other: Self) -> bool {
        (self.0 ^ other.0) & (VERSION_MASK | FRAME_MASK) == 0
    }
}

/// What a thread finds when it asks for a page.
pub(super) enum Access {
    /// Granted, with the word as it was before.
    Granted(Word),
    /// Not in memory, or on its way there.
    Missing,
}

/// The words of the pages and the threads parked on them.
pub(super) struct Latch<'a> {
    word: &'a AtomicU64,
    waiters: &'a Waiters,
    page: PageId,
}

/// Counts of parked threads by page, so that an unlock of an uncontended page touches no parking lot.
pub(super) struct Waiters([AtomicU32; WAITER_SHARDS]);

impl Waiters {
    pub(super) fn new() -> Self {
        Self([const { AtomicU32::new(0) }; WAITER_SHARDS])
    }

    fn shard(&self, page: PageId) -> &AtomicU32 {
        &self.0[(page.0 % WAITER_SHARDS as u64) as usize]
    }
}

impl<'a> Latch<'a> {
    pub(super) fn new(word: &'a AtomicU64, waiters: &'a Waiters, page: PageId) -> Self {
        Self { word, waiters, page }
    }

    pub(super) fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    fn exchange(&self, from: Word, to: Word) -> bool {
        self.word.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The word once nobody holds the page exclusively; clears an eviction mark on the way.
    pub(super) fn optimistic(&self) -> Access {
        let mut spins = 0;
        loop {
            let word = self.load();
            match word.state() {
                ABSENT | LOADING => return Access::Missing,
                EXCLUSIVE => self.pause(&mut spins, |w| w.state() == EXCLUSIVE),
                MARKED => {
                    let clear = word.with_state(UNLOCKED);
                    if self.exchange(word, clear) {
                        return Access::Granted(clear);
                    }
                }
                _ => return Access::Granted(word),
            }
        }
    }

    /// Whether the image read since `seen` was loaded is still the page.
    pub(super) fn unchanged_since(&self, seen: Word) -> bool {
        std::sync::atomic::fence(Ordering::Acquire);
        let now = Word(self.word.load(Ordering::Relaxed));
        now.same_image(seen) && now.is_resident() && now.state() != EXCLUSIVE
    }

    /// One more shared holder.
    pub(super) fn lock_shared(&self) -> Access {
        let mut spins = 0;
        loop {
            let word = self.load();
            let next = match word.state() {
                ABSENT | LOADING => return Access::Missing,
                EXCLUSIVE | MAX_SHARED => {
                    self.pause(&mut spins, |w| matches!(w.state(), EXCLUSIVE | MAX_SHARED));
                    continue;
                }
                MARKED => 1,
                shared => shared + 1,
            };
            if self.exchange(word, word.with_state(next)) {
                return Access::Granted(word);
            }
        }
    }

    pub(super) fn unlock_shared(&self) {
        let before = Word(self.word.fetch_sub(1 << STATE_SHIFT, Ordering::SeqCst));
        debug_assert!((1..=MAX_SHARED).contains(&before.state()));
        if matches!(before.state(), 1 | MAX_SHARED) {
            self.wake();
        }
    }

    /// The only holder.
    pub(super) fn lock_exclusive(&self) -> Access {
        let mut spins = 0;
        loop {
            let word = self.load();
            match word.state() {
                ABSENT | LOADING => return Access::Missing,
                UNLOCKED | MARKED => {
                    if self.exchange(word, word.with_state(EXCLUSIVE)) {
                        return Access::Granted(word);
                    }
                }
                _ => self.pause(&mut spins, |w| !matches!(w.state(), UNLOCKED | MARKED | ABSENT | LOADING)),
            }
        }
    }

    /// The only holder, if the page still is the image seen and nobody holds it now.
    pub(super) fn upgrade(&self, seen: Word) -> bool {
        let word = self.load();
        matches!(word.state(), UNLOCKED | MARKED)
            && word.same_image(seen)
            && self.exchange(word, word.with_state(EXCLUSIVE))
    }

    /// Lets go of a page that was changed, or may have been.
    pub(super) fn unlock_exclusive(&self) {
        let word = self.load();
        debug_assert_eq!(word.state(), EXCLUSIVE);
        self.word.swap(word.next_version().with_state(UNLOCKED).0, Ordering::SeqCst);
        self.wake();
    }

    /// Lets go of a page that was only looked at: optimistic readers go on.
    pub(super) fn unlock_unchanged(&self) {
        let word = self.load();
        debug_assert_eq!(word.state(), EXCLUSIVE);
        self.word.swap(word.with_state(UNLOCKED).0, Ordering::SeqCst);
        self.wake();
    }

    /// Makes an unlocked page a candidate for eviction.
    pub(super) fn mark(&self, word: Word) -> bool {
        word.state() == UNLOCKED && self.exchange(word, word.with_state(MARKED))
    }

    /// Exclusive hold of an unlocked page in `frame`, for the evictor.
    pub(super) fn try_lock_for_eviction(&self, frame: u32) -> bool {
        let word = self.load();
        matches!(word.state(), UNLOCKED | MARKED)
            && word.frame() == frame
            && self.exchange(word, word.with_state(EXCLUSIVE))
    }

    /// The page leaves memory; its holder was exclusive.
    pub(super) fn make_absent(&self) {
        let word = self.load();
        self.word.swap(word.next_version().with_frame(0).with_state(ABSENT).0, Ordering::SeqCst);
        self.wake();
    }

    /// Claims the right to bring the page in.
    pub(super) fn start_loading(&self) -> bool {
        let word = self.load();
        word.state() == ABSENT && self.exchange(word, word.with_state(LOADING))
    }

    /// The page is in `frame` now, held by nobody.
    pub(super) fn finish_loading(&self, frame: u32) {
        self.install(frame, UNLOCKED);
    }

    /// A page that the caller claimed with `start_loading` is in `frame` now, held exclusively by the caller.
    pub(super) fn install_exclusive(&self, frame: u32) {
        self.install(frame, EXCLUSIVE);
    }

    fn install(&self, frame: u32, state: u8) {
        let word = self.load();
        self.word.swap(word.next_version().with_frame(frame).with_state(state).0, Ordering::SeqCst);
        self.wake();
    }

    /// Gives up on loading.
    pub(super) fn abandon_loading(&self) {
        let word = self.load();
        debug_assert_eq!(word.state(), LOADING);
        self.word.swap(word.with_state(ABSENT).0, Ordering::SeqCst);
        self.wake();
    }

    /// Waits while another thread brings the page in.
    pub(super) fn wait_while_loading(&self) {
        let mut spins = 0;
        while self.load().state() == LOADING {
            self.pause(&mut spins, |w| w.state() == LOADING);
        }
    }

    fn pause(&self, spins: &mut u32, still: impl Fn(Word) -> bool) {
        if *spins < SPINS {
            *spins += 1;
            hint::spin_loop();
            return;
        }
        self.park(still);
    }

    /// Sleeps until an unlock, unless `still` no longer holds once the waiter is counted. The count is raised
    /// before the word is looked at again, and every unlock writes the word before it looks at the count, both
    /// sequentially consistent: one of the two sees the other.
    #[expect(unsafe_code, reason = "the parking lot's interface")]
    fn park(&self, still: impl Fn(Word) -> bool) {
        let count = self.waiters.shard(self.page);
        count.fetch_add(1, Ordering::SeqCst);
        let key = std::ptr::from_ref(self.word).addr();
        // SAFETY: the key is the address of a word that outlives the call, and the closures neither panic nor
        // call into the parking lot.
        unsafe {
            parking_lot_core::park(
                key,
                || still(Word(self.word.load(Ordering::SeqCst))),
                || (),
                |_, _| (),
                DEFAULT_PARK_TOKEN,
                None,
            );
        }
        count.fetch_sub(1, Ordering::SeqCst);
    }

    #[expect(unsafe_code, reason = "the parking lot's interface")]
    fn wake(&self) {
        if self.waiters.shard(self.page).load(Ordering::SeqCst) == 0 {
            return;
        }
        let key = std::ptr::from_ref(self.word).addr();
        // SAFETY: as in `park`.
        unsafe {
            parking_lot_core::unpark_all(key, DEFAULT_UNPARK_TOKEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_grows_with_exclusive_holds_only() {
        let word = AtomicU64::new(Word::ABSENT.0);
        let waiters = Waiters::new();
        let latch = Latch::new(&word, &waiters, PageId(1));
        assert!(matches!(latch.optimistic(), Access::Missing));
        assert!(latch.start_loading());
        assert!(!latch.start_loading());
        latch.finish_loading(7);
        let Access::Granted(seen) = latch.optimistic() else { panic!("resident") };
        assert_eq!(seen.frame(), 7);
        assert!(matches!(latch.lock_shared(), Access::Granted(_)));
        assert!(latch.unchanged_since(seen));
        assert!(!latch.upgrade(seen));
        latch.unlock_shared();
        assert!(latch.upgrade(seen));
        assert!(!latch.unchanged_since(seen));
        latch.unlock_unchanged();
        assert!(latch.unchanged_since(seen));
        assert!(matches!(latch.lock_exclusive(), Access::Granted(_)));
        latch.unlock_exclusive();
        assert!(!latch.unchanged_since(seen));
    }

    #[test]
    fn parked_waiters_are_woken() {
        let word = AtomicU64::new(Word::ABSENT.0);
        let waiters = Waiters::new();
        let counter = AtomicU64::new(0);
        Latch::new(&word, &waiters, PageId(1)).install(3, UNLOCKED);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let latch = Latch::new(&word, &waiters, PageId(1));
                    for _ in 0..10_000 {
                        assert!(matches!(latch.lock_exclusive(), Access::Granted(_)));
                        let value = counter.load(Ordering::Relaxed);
                        counter.store(value + 1, Ordering::Relaxed);
                        latch.unlock_exclusive();
                        assert!(matches!(latch.lock_shared(), Access::Granted(_)));
                        latch.unlock_shared();
                    }
                });
            }
        });
        assert_eq!(counter.load(Ordering::Relaxed), 40_000);
    }
}
