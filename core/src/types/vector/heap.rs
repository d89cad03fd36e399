//! The bytes of long strings: append-only blocks, shared by every vector that has a header pointing into them.
//!
//! A block is written by one [`HeapWriter`], which never touches what it has written before; other holders read
//! only what was written before they got their reference. So appending needs no lock, and filters and joins pass
//! strings on by copying sixteen bytes.
#![expect(unsafe_code, reason = "a block is appended to while others read its written part")]

use super::str16::RawStr16;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Whatever keeps the bytes of long strings in place: a block, a table of decoded values, an operator's arena.
pub trait StringHeap: Send + Sync {
    /// Bytes held.
    fn memory_size(&self) -> usize;

    /// Whether somebody else answers for these bytes: an operator whose rows they belong to.
    fn is_accounted(&self) -> bool {
        false
    }
}

const FIRST_BLOCK: usize = 4 << 10;
const LAST_BLOCK: usize = 256 << 10;

/// Memory that does not move.
struct Block {
    memory: Box<[UnsafeCell<MaybeUninit<u8>>]>,
}

// SAFETY: bytes are written only by the block's one `HeapWriter`, and only where no string has been handed out
// yet; readers follow headers, which exist only for bytes written before.
unsafe impl Sync for Block {}

impl StringHeap for Block {
    fn memory_size(&self) -> usize {
        self.memory.len()
    }
}

/// The one writer of a block. Not `Clone`: two would write the same bytes.
pub(super) struct HeapWriter {
    block: Arc<Block>,
    used: usize,
}

impl HeapWriter {
    /// A writer to a fresh block that takes at least `bytes`, sized after its `predecessor`.
    pub(super) fn new(bytes: usize, predecessor: Option<&Self>) -> Self {
        let grown = predecessor.map_or(FIRST_BLOCK, |p| (p.block.memory.len() * 2).min(LAST_BLOCK));
        let memory = Box::<[UnsafeCell<MaybeUninit<u8>>]>::new_uninit_slice(grown.max(bytes));
        // SAFETY: the elements are themselves allowed to be uninitialised.
        let memory = unsafe { memory.assume_init() };
        Self { block: Arc::new(Block { memory }), used: 0 }
    }

    /// Appends a long string, if there is room.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<RawStr16> {
        let free = self.block.memory.get(self.used..self.used.checked_add(bytes.len())?)?;
        let start = UnsafeCell::raw_get(free.as_ptr()).cast::<u8>();
        // SAFETY: `free` is as long as `bytes` and, being above `used`, was handed out to nobody, so that nothing
        // reads or writes it; `&mut self` on the block's only writer excludes other writers. After the copy the
        // range is initialised and, lying below `used`, never written again before `reset` finds no other holder.
        let written = unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
            std::slice::from_raw_parts(start, bytes.len())
        };
        self.used += bytes.len();
        Some(RawStr16::outline(written))
    }

    /// Starts over, unless others still hold the block.
    #[must_use]
    pub(super) fn reset(&mut self) -> bool {
        let alone = Arc::get_mut(&mut self.block).is_some();
        if alone {
            self.used = 0;
        }
        alone
    }

    /// Bytes written since the last reset.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// The block, for those who keep headers into it.
    pub(super) fn heap(&self) -> Arc<dyn StringHeap> {
        Arc::<Block>::clone(&self.block)
    }
}
