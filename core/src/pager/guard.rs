//! The three ways to look at a page: optimistically, shared, exclusively.
//!
//! An [`OptimisticPage`] holds nothing. Its bytes may change while they are read, so it hands out copies of at most
//! eight bytes at a time, never a reference; offsets are checked against the page before use; and whatever was read
//! means nothing until [`OptimisticPage::validate`] has said that the page stood still. A [`ReadGuard`] and a
//! [`WriteGuard`] hold the page's latch until they are dropped and lend its bytes as slices.
#![expect(unsafe_code, reason = "the only place where frame bytes become slices or racy reads")]

use super::arena::Arena;
use super::directory::{Directory, Side};
use super::space::{HEADER_SIZE, PageHeader, PageKind};
use super::word::{Latch, Word};
use super::{Attempt, Pager, Restart};
use crate::ids::PageId;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// An integer read through this has no alignment, so one volatile load fetches it wherever it lies.
#[repr(C, packed)]
struct Unaligned<T>(T);

/// A page looked at without holding it.
pub struct OptimisticPage<'p> {
    pager: &'p Pager,
    base: *const u8,
    seen: Word,
    page: PageId,
}

impl<'p> OptimisticPage<'p> {
    pub(super) fn new(pager: &'p Pager, page: PageId, seen: Word) -> Self {
        Self { pager, base: pager.arena.bytes(seen.frame()), seen, page }
    }

    /// Which page this is.
    pub fn page_id(&self) -> PageId {
        self.page
    }

    /// The page's size in bytes.
    pub fn size(&self) -> usize {
        self.pager.page_size()
    }

    fn read<T: Copy + Default>(&self, offset: usize) -> T {
        if offset > self.size() - size_of::<T>() {
            return T::default();
        }
        // SAFETY: the read lies within the frame, which stays mapped while the pager lives; it needs no alignment;
        // it is volatile, so that the compiler assumes nothing of bytes that another thread may be writing; and T
        // is an integer, for which every bit pattern is a value.
        unsafe { self.base.add(offset).cast::<Unaligned<T>>().read_volatile().0 }
    }

    /// One byte, 0 past the page's end; as all reads, unproven until [`Self::validate`].
    pub fn u8(&self, offset: usize) -> u8 {
        self.read(offset)
    }

    /// A little-endian integer, 0 where it would pass the page's end.
    pub fn u16(&self, offset: usize) -> u16 {
        u16::from_le(self.read(offset))
    }

    /// A little-endian integer, 0 where it would pass the page's end.
    pub fn u32(&self, offset: usize) -> u32 {
        u32::from_le(self.read(offset))
    }

    /// A little-endian integer, 0 where it would pass the page's end.
    pub fn u64(&self, offset: usize) -> u64 {
        u64::from_le(self.read(offset))
    }

    /// Copies bytes out; those past the page's end come out as zeros.
    pub fn copy(&self, offset: usize, out: &mut [u8]) {
        let mut done = 0;
        while out.len() - done >= 8 {
            out[done..done + 8].copy_from_slice(&self.read::<u64>(offset + done).to_ne_bytes());
            done += 8;
        }
        for (i, byte) in out.iter_mut().enumerate().skip(done) {
            *byte = self.u8(offset + i);
        }
    }

    /// Orders `length` bytes of the page against `other`, as `memcmp` and then the lengths would.
    pub fn compare(&self, offset: usize, length: usize, other: &[u8]) -> Ordering {
        let common = length.min(other.len());
        let mut done = 0;
        while common - done >= 8 {
            let theirs = other[done..done + 8].try_into().map_or(0, u64::from_be_bytes);
            match u64::from_be(self.read(offset + done)).cmp(&theirs) {
                Ordering::Equal => done += 8,
                unequal => return unequal,
            }
        }
        for (i, byte) in other[..common].iter().enumerate().skip(done) {
            match self.u8(offset + i).cmp(byte) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        length.cmp(&other.len())
    }

    /// What the page is, unproven as every read.
    pub fn kind(&self) -> Option<PageKind> {
        PageKind::from_byte(self.u8(PageHeader::KIND_AT))
    }

    /// Its level in its tree, 0 for a leaf, unproven as every read.
    pub fn level(&self) -> u32 {
        self.u32(PageHeader::LEVEL_AT)
    }

    /// Whether something hangs beside the page, unproven as every read.
    pub fn has_side(&self) -> bool {
        self.pager.directory.side(self.page).is_some_and(|side| side.is_set())
    }

    /// Proves everything read so far.
    ///
    /// # Errors
    /// `Restart::Retry` when the page changed or left memory meanwhile.
    pub fn validate(&self) -> Attempt<()> {
        if self.latch().unchanged_since(self.seen) { Ok(()) } else { Err(Restart::Retry) }
    }

    /// Holds the page exclusively, unchanged since it was first looked at.
    ///
    /// # Errors
    /// `Restart::Retry` when it changed or somebody holds it.
    pub fn upgrade(self) -> Attempt<WriteGuard<'p>> {
        if !self.latch().upgrade(self.seen) {
            return Err(Restart::Retry);
        }
        Ok(WriteGuard::new(self.pager, self.page, self.seen.frame()))
    }

    fn latch(&self) -> Latch<'p> {
        self.pager.latch_of_resident(self.page)
    }
}

/// A page held shared: nobody changes it while the guard lives.
pub struct ReadGuard<'p> {
    pager: &'p Pager,
    page: PageId,
    frame: u32,
    /// Latches belong to the thread that took them.
    not_send: PhantomData<*const ()>,
}

impl<'p> ReadGuard<'p> {
    pub(super) fn new(pager: &'p Pager, page: PageId, frame: u32) -> Self {
        Self { pager, page, frame, not_send: PhantomData }
    }

    /// Which page this is.
    pub fn page_id(&self) -> PageId {
        self.page
    }

    pub(super) fn frame(&self) -> u32 {
        self.frame
    }

    /// What hangs beside the page.
    pub fn side(&self) -> Option<&Side> {
        // SAFETY: the latch is held shared until the guard, which the reference borrows, is dropped.
        self.pager.directory.side(self.page).and_then(|side| unsafe { side.get() })
    }
}

impl Deref for ReadGuard<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the frame is the page's while its latch is held, and no writer can hold it at the same time.
        unsafe { slice(&self.pager.arena, self.frame, self.pager.page_size()) }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.pager.latch_of_resident(self.page).unlock_shared();
    }
}

/// A page held exclusively. Writing through it makes the page dirty.
pub struct WriteGuard<'p> {
    pager: &'p Pager,
    page: PageId,
    frame: u32,
    bytes_changed: bool,
    side_changed: bool,
    not_send: PhantomData<*const ()>,
}

impl<'p> WriteGuard<'p> {
    pub(super) fn new(pager: &'p Pager, page: PageId, frame: u32) -> Self {
        Self { pager, page, frame, bytes_changed: false, side_changed: false, not_send: PhantomData }
    }

    /// Which page this is.
    pub fn page_id(&self) -> PageId {
        self.page
    }

    /// What hangs beside the page.
    pub fn side(&self) -> Option<&Side> {
        // SAFETY: the latch is held exclusively, and the reference borrows the guard.
        self.pager.directory.side(self.page).and_then(|side| unsafe { side.get() })
    }

    /// What hangs beside the page, to change or to replace. Optimistic readers of the page start again.
    pub fn side_mut(&mut self) -> &mut Option<Side> {
        self.side_changed = true;
        // SAFETY: the latch is held exclusively, and the reference borrows the guard mutably; `drop` publishes.
        unsafe { self.pager.directory.side_of_allocated(self.page).get_mut() }
    }

    pub(super) fn frame(&self) -> u32 {
        self.frame
    }

    /// Ends the guard without unlocking: its caller has disposed of the page.
    pub(super) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Deref for WriteGuard<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the frame is the page's while its latch is held, and no other guard can hold it.
        unsafe { slice(&self.pager.arena, self.frame, self.pager.page_size()) }
    }
}

impl DerefMut for WriteGuard<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        if !self.bytes_changed {
            self.bytes_changed = true;
            self.pager.before_change(self.page, self.frame);
        }
        self.pager.arena.owned_mut(self.frame)
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        let latch = self.pager.latch_of_resident(self.page);
        if self.side_changed {
            // SAFETY: the latch is still held exclusively.
            unsafe { self.pager.directory.side_of_allocated(self.page).publish() };
        }
        if self.bytes_changed || self.side_changed {
            latch.unlock_exclusive();
        } else {
            latch.unlock_unchanged();
        }
    }
}

/// # Safety
/// The caller holds the latch of the page in `frame` for as long as the slice lives.
unsafe fn slice(arena: &Arena, frame: u32, page_size: usize) -> &[u8] {
    // SAFETY: frames are page_size bytes of mapped memory; the latch keeps writers out.
    unsafe { std::slice::from_raw_parts(arena.bytes(frame), page_size) }
}

macro_rules! header_fields {
    ($guard:ident) => {
        impl $guard<'_> {
            /// What the page is; None only for a damaged page.
            pub fn kind(&self) -> Option<PageKind> {
                PageKind::from_byte(self[PageHeader::KIND_AT])
            }

            /// Its level in its tree, 0 for a leaf.
            pub fn level(&self) -> u32 {
                let at = PageHeader::LEVEL_AT;
                u32::from_le_bytes([self[at], self[at + 1], self[at + 2], self[at + 3]])
            }

            /// The bytes behind the page header.
            pub fn body(&self) -> &[u8] {
                &self[HEADER_SIZE..]
            }
        }
    };
}

header_fields!(ReadGuard);
header_fields!(WriteGuard);

impl Directory {
    /// The side slot of a page that exists.
    fn side_of_allocated(&self, page: PageId) -> &super::directory::SideSlot {
        self.side(page).expect("the page was latched, so its directory chunk exists")
    }
}
