//! Which page leaves memory when a frame is needed.
//!
//! [`Clock`] gives every page a second chance: its hand marks unlocked pages and takes those still marked when it
//! comes round again; whoever uses a marked page clears the mark. Clean victims leave at once, dirty ones are
//! written in one batch first.

use super::arena::{Arena, DIRTY, FREED, WRITING};
use super::word::Latch;
use super::{PageId, Pager};
use crate::error::{Result, StorageError};
use crate::memory::Grant;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Frames looked at, and dirty ones written, in one go.
const BATCH: usize = 64;
/// Frames the pool grows by.
const GROWTH: usize = 64;
/// Frames that an attempt may need at once: a root is split into two new pages, so an attempt that finds only one
/// free gives it back and asks again.
const SPARE: usize = 2;
/// Sweeps over the whole pool before it counts as stuck.
const MAX_SWEEPS: usize = 64;

/// Attempts without success after which the pool gives no more memory away.
const IDLE_SWEEPS: usize = 4;

/// Frames that hold no page.
pub(super) struct FreeFrames {
    list: Vec<u32>,
    /// Frames whose memory was given back.
    returned: Vec<u32>,
    /// Frames from here on were never used.
    fresh: usize,
    /// Frames that the budget has granted and nobody has taken yet.
    granted: usize,
    grant: Grant,
}

impl FreeFrames {
    pub(super) fn new(grant: Grant) -> Self {
        Self { list: Vec::new(), returned: Vec::new(), fresh: 0, granted: super::MIN_FRAMES, grant }
    }

    pub(super) fn take(&mut self, arena: &Arena) -> Option<u32> {
        if let Some(frame) = self.list.pop() {
            return Some(frame);
        }
        if self.granted == 0 {
            let more = GROWTH.min(self.returned.len() + arena.frames() - self.fresh);
            if more == 0 || !self.grant.try_grow_from_free((more * arena.page_size()) as u64) {
                return None;
            }
            self.granted += more;
        }
        let frame = match self.returned.pop() {
            Some(frame) => frame,
            None if self.fresh < arena.frames() => {
                self.fresh += 1;
                u32::try_from(self.fresh - 1).expect("frames are numbered with 28 bits")
            }
            None => return None,
        };
        self.granted -= 1;
        Some(frame)
    }

    pub(super) fn give(&mut self, frame: u32) {
        self.list.push(frame);
    }

    /// Gives the memory of up to `count` free frames back, and tells how many there were.
    fn give_back(&mut self, arena: &Arena, count: usize) -> usize {
        let floor = (super::MIN_FRAMES * arena.page_size()) as u64;
        let spare = usize::try_from(self.grant.bytes().saturating_sub(floor)).unwrap_or(usize::MAX);
        let count = count.min(spare / arena.page_size());
        let unused = count.min(self.granted);
        self.granted -= unused;
        let mut given = unused;
        while given < count
            && let Some(frame) = self.list.pop()
        {
            arena.discard(frame);
            self.returned.push(frame);
            given += 1;
        }
        self.grant.shrink_to(self.grant.bytes() - (given * arena.page_size()) as u64);
        given
    }

    /// Frames that were ever used: 0 up to this.
    fn used(&self) -> usize {
        self.fresh
    }
}

/// What an eviction policy sees of the pool.
pub struct Victims<'p> {
    pager: &'p Pager,
    frames: usize,
}

impl Victims<'_> {
    /// Frames that may hold a page: 0 up to this.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Whether the frame's page is unlocked and was not used since it was marked.
    pub fn is_marked(&self, frame: u32) -> bool {
        self.pager.latch_in(frame).is_some_and(|latch| latch.load().is_marked())
    }

    /// Marks the frame's page if it is unlocked.
    pub fn mark(&self, frame: u32) {
        if let Some(latch) = self.pager.latch_in(frame) {
            latch.mark(latch.load());
        }
    }
}

/// A replacement policy.
pub trait Eviction: Send + Sync {
    /// Proposes up to `count` frames whose pages should leave; unsuitable ones are passed over by the caller.
    fn victims(&self, pool: &Victims<'_>, count: usize, out: &mut Vec<u32>);
}

/// Second chance: the default.
#[derive(Debug, Default)]
pub struct Clock {
    hand: AtomicUsize,
}

impl Eviction for Clock {
    fn victims(&self, pool: &Victims<'_>, count: usize, out: &mut Vec<u32>) {
        let frames = pool.frames();
        for _ in 0..frames {
            let frame = self.hand.fetch_add(1, Ordering::Relaxed) % frames;
            let frame = u32::try_from(frame).expect("frames are numbered with 28 bits");
            if pool.is_marked(frame) {
                out.push(frame);
                if out.len() == count {
                    return;
                }
            } else {
                pool.mark(frame);
            }
        }
    }
}

/// Frames drawn by chance, whatever their use: shows up pages that were not protected by a guard.
#[derive(Debug)]
pub struct Random {
    state: AtomicU64,
}

impl Random {
    /// A sequence of draws.
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }
}

impl Eviction for Random {
    fn victims(&self, pool: &Victims<'_>, count: usize, out: &mut Vec<u32>) {
        for _ in 0..count {
            // SplitMix64 (Steele, Lea, Flood 2014).
            let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            out.push((z % pool.frames() as u64) as u32);
        }
    }
}

impl Pager {
    /// The latch of the page in a frame, if it holds one.
    fn latch_in(&self, frame: u32) -> Option<Latch<'_>> {
        let page = PageId(self.arena.state(frame).page.load(Ordering::Acquire));
        let latch = self.latch(page)?;
        let word = latch.load();
        (page.0 != 0 && word.is_resident() && word.frame() == frame).then_some(latch)
    }

    pub(super) fn used_frames(&self) -> u32 {
        u32::try_from(self.free.lock().used()).expect("frames are numbered with 28 bits")
    }

    pub(super) fn obtain_frame(&self) -> Result<u32> {
        loop {
            if let Some(frame) = self.free.lock().take(&self.arena) {
                return Ok(frame);
            }
            self.make_room()?;
        }
    }

    /// Frees as many frames as one attempt may allocate before it changes anything; fewer, but at least one, if
    /// no more can leave.
    pub(super) fn make_room(&self) -> Result<()> {
        for _ in 0..MAX_SWEEPS {
            if self.spare_frames() == SPARE {
                return Ok(());
            }
            if self.evict_some()? == 0 {
                std::thread::yield_now();
            }
        }
        if self.spare_frames() > 0 {
            return Ok(());
        }
        let bytes = self.page_size() as u64;
        Err(StorageError::OutOfMemory { requested: bytes, limit: self.arena.frames() as u64 * bytes }.into())
    }

    /// Free frames, counted up to `SPARE`; makes the pool grow if it may.
    fn spare_frames(&self) -> usize {
        let mut free = self.free.lock();
        let spare: Vec<u32> = (0..SPARE).map_while(|_| free.take(&self.arena)).collect();
        spare.iter().for_each(|&frame| free.give(frame));
        spare.len()
    }

    /// Frees some of the frames that the policy proposes; clean ones if there are any.
    fn evict_some(&self) -> Result<usize> {
        let frames = self.used_frames() as usize;
        if frames == 0 {
            return Ok(0);
        }
        // A small pool must not be emptied at one stroke: its readers would starve each other.
        let count = (frames / 8).clamp(1, BATCH);
        let mut victims = Vec::with_capacity(count);
        self.eviction.victims(&Victims { pager: self, frames }, count, &mut victims);
        let freed = victims.iter().filter(|&&frame| self.evict(frame)).count();
        victims.retain(|&frame| self.arena.state(frame).has(DIRTY));
        if freed > 0 || victims.is_empty() {
            return Ok(freed);
        }
        self.write_back(&victims)?;
        Ok(victims.iter().filter(|&&frame| self.evict(frame)).count())
    }

    /// Gives about `bytes` of memory back to the budget, as far as pages can leave.
    pub fn shrink(&self, bytes: u64) {
        let wanted = usize::try_from(bytes.div_ceil(self.page_size() as u64)).unwrap_or(usize::MAX);
        let mut given = self.free.lock().give_back(&self.arena, wanted);
        let mut idle = 0;
        while given < wanted && idle < IDLE_SWEEPS {
            // A failed write is for whoever needs the page: here it only means that the page stays.
            let freed = self.evict_some().unwrap_or(0);
            idle = if freed == 0 { idle + 1 } else { 0 };
            given += self.free.lock().give_back(&self.arena, wanted - given);
        }
    }

    /// Gives a clean, unlocked page's frame away.
    fn evict(&self, frame: u32) -> bool {
        let Some(latch) = self.latch_in(frame) else { return false };
        let state = self.arena.state(frame);
        if state.has(DIRTY | WRITING | FREED) || !latch.try_lock_for_eviction(frame) {
            return false;
        }
        if state.has(DIRTY | WRITING | FREED) {
            latch.unlock_unchanged();
            return false;
        }
        state.page.store(0, Ordering::Release);
        latch.make_absent();
        self.free.lock().give(frame);
        true
    }
}
