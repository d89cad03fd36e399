//! The frame arena: one reserved range of memory cut into page-sized frames, and what is known of each frame.
//!
//! The range is reserved once for the largest pool allowed and never unmapped while the pager lives: an optimistic
//! reader may look at a frame after it was given to another page, and must then read *something* (its validation
//! throws it away). The system gives memory to a frame when it is first written.
#![expect(
    unsafe_code,
    reason = "frames are shared memory: readers are checked by page versions, writers by latches"
)]

use crate::error::{Result, StorageError};
use memmap2::{MmapMut, MmapOptions};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Frames start on a huge page so that the kernel can map the arena with few table entries.
const HUGE_PAGE: usize = 2 << 20;

/// The page in the frame differs from its place on disk.
pub(super) const DIRTY: u32 = 1;
/// A copy of the frame is on its way to disk; the frame may not be given away.
pub(super) const WRITING: u32 = 2;
/// The page was freed while its copy was on the way.
pub(super) const FREED: u32 = 4;

/// What is known of a frame, apart from its bytes.
pub(super) struct FrameState {
    /// The page in it.
    pub(super) page: AtomicU64,
    /// `DIRTY`, `WRITING`, `FREED`.
    pub(super) flags: AtomicU32,
    /// The epoch of the newest change, valid while `DIRTY`.
    pub(super) epoch: AtomicU64,
}

pub(super) struct Arena {
    memory: MmapMut,
    start: usize,
    page_size: usize,
    frames: usize,
    /// `frames` times `FrameState`; the system's zeros are valid states and cost nothing until touched.
    states: MmapMut,
}

impl Arena {
    pub(super) fn new(page_size: usize, frames: usize) -> Result<Self> {
        let refused = |bytes| StorageError::OutOfMemory { requested: bytes, limit: bytes };
        let bytes = frames
            .checked_mul(page_size)
            .and_then(|n| n.checked_add(HUGE_PAGE))
            .ok_or_else(|| refused(u64::MAX))?;
        let map = |len: usize| {
            MmapOptions::new().len(len).no_reserve_swap().map_anon().map_err(|_| refused(len as u64))
        };
        let memory = map(bytes)?;
        #[cfg(target_os = "linux")]
        if bytes >= 64 * HUGE_PAGE {
            // Without the advice the arena works the same, only slower.
            let _advice = memory.advise(memmap2::Advice::HugePage);
        }
        let start = memory.as_ptr().align_offset(HUGE_PAGE);
        Ok(Self { memory, start, page_size, frames, states: map(frames * size_of::<FrameState>())? })
    }

    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    pub(super) fn state(&self, frame: u32) -> &FrameState {
        let index = frame as usize;
        assert!(index < self.frames);
        // SAFETY: the mapping holds `frames` states, is aligned to a page, and zeros are a valid state; it is
        // only ever reached through this shared reference, and its fields are atomics.
        unsafe { &*self.states.as_ptr().cast::<FrameState>().add(index) }
    }

    /// The first byte of a frame. Bytes behind it may be read through it by anyone (see the module's head) and
    /// written by the page's exclusive holder.
    pub(super) fn bytes(&self, frame: u32) -> *mut u8 {
        let index = frame as usize;
        assert!(index < self.frames);
        // SAFETY: the mapping is `start + frames * page_size` long at least, and index < frames.
        unsafe { self.memory.as_ptr().cast_mut().add(self.start + index * self.page_size) }
    }

    /// The bytes of a frame that only the caller may write: one it has taken from the free list, or whose page it
    /// holds exclusively.
    #[expect(clippy::mut_from_ref, reason = "latches and the free list stand in for the exclusive borrow")]
    pub(super) fn owned_mut(&self, frame: u32) -> &mut [u8] {
        // SAFETY: the frame is mapped, and the caller is its only writer; optimistic readers copy bytes out with
        // volatile reads and discard what they copied when the page's version has moved.
        unsafe { std::slice::from_raw_parts_mut(self.bytes(frame), self.page_size) }
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }
}

impl Arena {
    /// Gives the memory of an unused frame back to the system.
    pub(super) fn discard(&self, frame: u32) {
        let offset = self.start + frame as usize * self.page_size;
        #[cfg(unix)]
        // SAFETY: the frame belongs to no page; a late optimistic reader of it sees zeros and fails validation.
        let _advice = unsafe {
            self.memory.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, self.page_size)
        };
    }
}

impl FrameState {
    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Acquire) & flag != 0
    }

    /// Sets a flag and tells what was set before.
    pub(super) fn set(&self, flag: u32) -> u32 {
        self.flags.fetch_or(flag, Ordering::AcqRel)
    }

    /// Clears a flag and tells what was set before.
    pub(super) fn clear(&self, flag: u32) -> u32 {
        self.flags.fetch_and(!flag, Ordering::AcqRel)
    }
}
