//! The directory of a join's kept rows ("unchained" hash table; Birler et al., DaMoN 2024).
//!
//! ```text
//!   directory   | start 48, bloom 16 | start, bloom | ..      slot = low bits of the hash; ends where the next starts
//!   entries     | tag, row | tag, row | tag, row | ..         all rows of a slot side by side
//! ```
//! A probe looks at one directory word: its bloom bits turn most rows without a match away. What is left walks a few
//! neighbouring entries, and looks at a row only when its tag, the upper half of the hash, fits.

use crate::executor::row_store::RowStore;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const BLOOM_BITS: u32 = 16;

/// Rows that can be found by hash.
pub(super) struct JoinTable {
    store: Arc<RowStore>,
    directory: Vec<u64>,
    entries: Vec<(u32, u32)>,
    /// By row, whether it has met its like; empty unless that is asked for.
    matched: Vec<AtomicBool>,
}

/// Two of sixteen bits.
#[inline]
fn bloom_of(hash: u64) -> u64 {
    1 << (hash >> 56 & 15) | 1 << (hash >> 52 & 15)
}

impl JoinTable {
    /// Bytes that a table of so many rows takes besides the rows.
    pub(super) fn overhead(rows: usize) -> usize {
        rows.next_power_of_two() * 8 + rows * 9
    }

    /// Makes the directory of the rows that `may_match` says yes to. With `marks`, rows remember their matches.
    pub(super) fn new(store: RowStore, may_match: impl Fn(&RowStore, u32) -> bool, marks: bool) -> Self {
        // Stores have fewer than 2^32 rows.
        let rows = store.len() as u32;
        let slots = (rows as usize).next_power_of_two().max(16);
        let mask = slots - 1;
        let mut directory = vec![0u64; slots + 1];
        let mut blooms = vec![0u16; slots];
        for row in (0..rows).filter(|&row| may_match(&store, row)) {
            let hash = store.hash(row);
            let slot = hash as usize & mask;
            directory[slot] += 1;
            blooms[slot] |= bloom_of(hash) as u16;
        }
        let mut start = 0;
        for (slot, word) in directory.iter_mut().enumerate() {
            let count = *word;
            *word = start << BLOOM_BITS | blooms.get(slot).map_or(0, |&bloom| u64::from(bloom));
            start += count;
        }
        let mut entries = vec![(0, 0); start as usize];
        let mut places: Vec<u32> =
            directory[..slots].iter().map(|word| (word >> BLOOM_BITS) as u32).collect();
        for row in (0..rows).filter(|&row| may_match(&store, row)) {
            let hash = store.hash(row);
            let place = &mut places[hash as usize & mask];
            entries[*place as usize] = ((hash >> 32) as u32, row);
            *place += 1;
        }
        let marked = if marks { rows as usize } else { 0 };
        let matched = std::iter::repeat_with(AtomicBool::default).take(marked).collect();
        Self { store: Arc::new(store), directory, entries, matched }
    }

    /// The rows.
    pub(super) fn store(&self) -> &Arc<RowStore> {
        &self.store
    }

    /// Where the entries of rows with this hash are.
    #[inline]
    pub(super) fn lookup(&self, hash: u64) -> Range<usize> {
        let slot = hash as usize & (self.directory.len() - 2);
        let word = self.directory[slot];
        let bloom = bloom_of(hash);
        if word & bloom != bloom {
            return 0..0;
        }
        (word >> BLOOM_BITS) as usize..(self.directory[slot + 1] >> BLOOM_BITS) as usize
    }

    /// The row of an entry, if its tag is that of `hash`.
    #[inline]
    pub(super) fn row_at(&self, entry: usize, hash: u64) -> Option<u32> {
        let (tag, row) = self.entries[entry];
        (u64::from(tag) == hash >> 32).then_some(row)
    }

    /// Notes that a row has a match.
    #[inline]
    pub(super) fn mark(&self, row: u32) {
        let matched = &self.matched[row as usize];
        // Most rows are marked again and again: a read shares their line, a write would not.
        if !matched.load(Ordering::Relaxed) {
            matched.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a row has a match.
    pub(super) fn is_marked(&self, row: u32) -> bool {
        self.matched[row as usize].load(Ordering::Relaxed)
    }
}
