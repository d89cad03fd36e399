//! Filters that a join makes of its kept rows, for the scans that feed its other side: rows that cannot have a match
//! are dropped before they travel.

use super::hash::{Picked, hash_rows};
use super::row_store::RowStore;
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, Selection, VECTOR_SIZE, Vector};
use std::sync::Arc;

/// Kept rows above which the bloom filter would not stay in the cache, and passes too many rows to be worth it.
const BLOOM_ROWS: usize = 1 << 20;
/// Bits of the bloom filter a kept row.
const BLOOM_BITS: usize = 16;

/// What is known of the keys.
#[derive(Debug)]
pub(super) struct RuntimeFilter {
    ty: DataType,
    /// Of integers and what is stored as such.
    range: Option<(i64, i64)>,
    /// Words of which each key sets bits in one.
    bloom: Vec<u64>,
    is_empty: bool,
}

/// The word and the bits of a hash.
#[inline]
fn bloom_place(hash: u64, words: usize) -> (usize, u64) {
    let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63) | 1 << (hash >> 18 & 63);
    ((hash >> 32) as usize & (words - 1), bits)
}

/// An integer of any width.
fn integer(vector: &FlatVector, slot: usize) -> Option<i64> {
    match vector.physical() {
        PhysicalType::I16 => Some(vector.values::<i16>()[slot].into()),
        PhysicalType::I32 => Some(vector.values::<i32>()[slot].into()),
        PhysicalType::I64 => Some(vector.values::<i64>()[slot]),
        _ => None,
    }
}

impl RuntimeFilter {
    /// Over a column of kept rows.
    pub(super) fn new(store: &Arc<RowStore>, column: usize, ty: &DataType) -> Self {
        let rows = store.len();
        let words = if rows <= BLOOM_ROWS { (rows * BLOOM_BITS / 64).next_power_of_two() } else { 0 };
        let mut filter = Self { ty: *ty, range: None, bloom: vec![0; words], is_empty: true };
        let mut hashes = Vec::new();
        for start in (0..rows).step_by(VECTOR_SIZE) {
            // Stores have fewer than 2^32 rows.
            let part: Vec<u32> = (start..rows.min(start + VECTOR_SIZE)).map(|row| row as u32).collect();
            let mut values = FlatVector::with_capacity(ty.physical(), part.len());
            store.gather(column, &part, &mut values);
            let vector = [Vector::Flat(values)];
            let picked = Picked { selected: None, count: part.len() };
            hash_rows(&vector, &[*ty], picked, &mut hashes);
            filter.add(&vector[0], &hashes);
        }
        filter
    }

    fn add(&mut self, keys: &Vector, hashes: &[u64]) {
        let Vector::Flat(keys) = keys else { return };
        for slot in (0..keys.len()).filter(|&slot| keys.validity().is_valid(slot)) {
            self.is_empty = false;
            if let Some(value) = integer(keys, slot) {
                let (low, high) = self.range.get_or_insert((value, value));
                (*low, *high) = (value.min(*low), value.max(*high));
            }
            if !self.bloom.is_empty() {
                let (word, bits) = bloom_place(hashes[slot], self.bloom.len());
                self.bloom[word] |= bits;
            }
        }
    }

    /// Leaves those rows of a chunk selected that may have a match in `column`; whether there are any.
    pub(super) fn apply(&self, chunk: &mut Chunk, column: usize, hashes: &mut Vec<u64>) -> bool {
        if self.is_empty {
            chunk.selection = Some(Selection::default());
            return false;
        }
        let vector = &chunk.columns[column];
        let Some((base, rows)) = vector.base() else { return true };
        if self.ty.physical() != base.physical() {
            return true;
        }
        let mut kept: Vec<u16> = Vec::with_capacity(chunk.count());
        let valid = base.validity();
        let in_range = |slot: usize| match (self.range, integer(base, slot)) {
            (Some((low, high)), Some(value)) => low <= value && value <= high,
            (_, _) => true,
        };
        kept.extend(
            chunk
                .rows()
                .filter(|&row| {
                    let slot = rows.index(row);
                    valid.is_valid(slot) && in_range(slot)
                })
                .map(|row| row as u16),
        );
        if !self.bloom.is_empty() && !kept.is_empty() {
            let picked = Picked { selected: Some(&kept), count: kept.len() };
            hash_rows(std::slice::from_ref(vector), &[self.ty], picked, hashes);
            kept.retain(|&row| {
                let (word, bits) = bloom_place(hashes[usize::from(row)], self.bloom.len());
                self.bloom[word] & bits == bits
            });
        }
        if kept.len() < chunk.count() {
            chunk.selection = Some(kept.into_iter().collect());
        }
        chunk.count() > 0
    }
}
