//! Filters that a join makes of its kept rows, for the scans that feed its other side: rows that cannot have a match
//! are dropped before they travel.
//!
//! Of integers the range is known, and either which values there are, a bit for each of the range, or, where the range is
//! too wide for that, a bloom filter; of other types a bloom filter.

use super::hash::{Picked, hash_integer, hash_rows};
use super::row_store::RowStore;
use crate::types::vector::{Native, Rows};
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, Selection, VECTOR_SIZE, Vector};
use std::sync::Arc;

/// Kept rows above which a bloom filter would not stay in the cache, and passes too many rows to be worth it.
const BLOOM_ROWS: usize = 1 << 20;
/// Bits of the bloom filter a kept row.
const BLOOM_BITS: usize = 16;
/// Bits that the values of a range may have in any case, and for each kept row.
const VALUE_BITS: (u64, u64) = (1 << 18, 32);

/// What is known of the keys.
#[derive(Debug)]
pub(super) struct RuntimeFilter {
    ty: DataType,
    /// The least and the greatest of integers and what is stored as such.
    range: Option<(i64, i64)>,
    members: Members,
    is_empty: bool,
}

#[derive(Debug)]
enum Members {
    /// All values pass that are in the range.
    Any,
    /// Bits of the values from the least on.
    Values(Vec<u64>),
    /// Words of which each key sets bits in one.
    Bloom(Vec<u64>),
}

/// The word and the bits of a hash.
#[inline]
fn bloom_place(hash: u64, words: usize) -> (usize, u64) {
    let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63) | 1 << (hash >> 18 & 63);
    ((hash >> 32) as usize & (words - 1), bits)
}

fn is_integer(ty: PhysicalType) -> bool {
    matches!(ty, PhysicalType::I16 | PhysicalType::I32 | PhysicalType::I64)
}

/// An integer of any width.
fn integer(vector: &FlatVector, slot: usize) -> i64 {
    match vector.physical() {
        PhysicalType::I16 => vector.values::<i16>()[slot].into(),
        PhysicalType::I32 => vector.values::<i32>()[slot].into(),
        _ => vector.values::<i64>()[slot],
    }
}

/// Calls `visit` with a column of kept rows, piece by piece.
fn each_piece(store: &Arc<RowStore>, column: usize, ty: &DataType, mut visit: impl FnMut(FlatVector)) {
    for start in (0..store.len()).step_by(VECTOR_SIZE) {
        // Stores have fewer than 2^32 rows.
        let part: Vec<u32> = (start..store.len().min(start + VECTOR_SIZE)).map(|row| row as u32).collect();
        let mut values = FlatVector::with_capacity(ty.physical(), part.len());
        store.gather(column, &part, &mut values);
        visit(values);
    }
}

fn valid_slots(values: &FlatVector) -> impl Iterator<Item = usize> {
    (0..values.len()).filter(|&slot| values.validity().is_valid(slot))
}

impl RuntimeFilter {
    /// Over a column of kept rows.
    pub(super) fn new(store: &Arc<RowStore>, column: usize, ty: &DataType) -> Self {
        let rows = store.len();
        let mut filter = Self { ty: *ty, range: None, members: Members::Any, is_empty: true };
        each_piece(store, column, ty, |values| {
            for slot in valid_slots(&values) {
                filter.is_empty = false;
                if !is_integer(ty.physical()) {
                    break;
                }
                let value = integer(&values, slot);
                let (low, high) = filter.range.get_or_insert((value, value));
                (*low, *high) = (value.min(*low), value.max(*high));
            }
        });
        let span = filter.range.map(|(low, high)| high.abs_diff(low));
        if let Some(span) = span.filter(|&span| span < VALUE_BITS.0.max(rows as u64 * VALUE_BITS.1)) {
            // The span is limited just above.
            filter.members = Members::Values(vec![0; span as usize / 64 + 1]);
        } else if rows <= BLOOM_ROWS {
            filter.members = Members::Bloom(vec![0; (rows * BLOOM_BITS / 64).next_power_of_two()]);
        } else {
            return filter;
        }
        let mut hashes = Vec::new();
        each_piece(store, column, ty, |values| filter.add(values, &mut hashes));
        filter
    }

    fn add(&mut self, keys: FlatVector, hashes: &mut Vec<u64>) {
        let low = self.range.map_or(0, |range| range.0);
        match &mut self.members {
            Members::Any => {}
            Members::Values(words) => {
                for slot in valid_slots(&keys) {
                    let at = integer(&keys, slot).abs_diff(low);
                    words[at as usize / 64] |= 1 << (at % 64);
                }
            }
            Members::Bloom(words) => {
                let picked = Picked { selected: None, count: keys.len() };
                let keys = [Vector::Flat(keys)];
                let Vector::Flat(flat) = &keys[0] else { return };
                if !is_integer(flat.physical()) {
                    hash_rows(&keys, &[self.ty], picked, hashes);
                }
                for slot in valid_slots(flat) {
                    let is_integer = is_integer(flat.physical());
                    let hash = if is_integer { hash_integer(integer(flat, slot)) } else { hashes[slot] };
                    let (word, bits) = bloom_place(hash, words.len());
                    words[word] |= bits;
                }
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
        let mut kept = vec![0; chunk.count()];
        let found = match base.physical() {
            PhysicalType::I16 => self.keep_integers::<i16>(chunk, base, rows, &mut kept),
            PhysicalType::I32 => self.keep_integers::<i32>(chunk, base, rows, &mut kept),
            PhysicalType::I64 => self.keep_integers::<i64>(chunk, base, rows, &mut kept),
            _ => {
                let Members::Bloom(words) = &self.members else { return true };
                hash_rows(std::slice::from_ref(vector), &[self.ty], Picked::of(chunk), hashes);
                let valid = base.validity();
                keep(chunk.rows(), &mut kept, |row| {
                    let (word, bits) = bloom_place(hashes[row], words.len());
                    valid.is_valid(rows.index(row)) && words[word] & bits == bits
                })
            }
        };
        kept.truncate(found);
        if found < chunk.count() {
            chunk.selection = Some(kept.into_iter().collect());
        }
        found > 0
    }

    fn keep_integers<T: Native + Into<i64>>(
        &self,
        chunk: &Chunk,
        base: &FlatVector,
        rows: Rows<'_>,
        kept: &mut [u16],
    ) -> usize {
        let Some((low, high)) = self.range else { return 0 };
        let span = high.abs_diff(low);
        let place = |value: T| value.into().wrapping_sub(low).cast_unsigned();
        match &self.members {
            Members::Any => keep_values(chunk, base, rows, kept, |value| place(value) <= span),
            // Beyond the range there is no word; the last has no bits behind the greatest.
            Members::Values(words) => keep_values(chunk, base, rows, kept, |value| {
                let at = place(value);
                words.get((at / 64) as usize).is_some_and(|word| word >> (at % 64) & 1 == 1)
            }),
            Members::Bloom(words) => keep_values(chunk, base, rows, kept, |value: T| {
                let (word, bits) = bloom_place(hash_integer(value.into()), words.len());
                place(value) <= span && words[word] & bits == bits
            }),
        }
    }
}

/// Writes those rows of a chunk to `kept` whose value in a column is there and wanted; how many.
#[inline]
fn keep_values<T: Native>(
    chunk: &Chunk,
    base: &FlatVector,
    rows: Rows<'_>,
    kept: &mut [u16],
    wanted: impl Fn(T) -> bool,
) -> usize {
    let (values, valid) = (base.values::<T>(), base.validity());
    match (rows, &chunk.selection) {
        (Rows::Each, None) if valid.all_valid() => keep(0..chunk.len, kept, |row| wanted(values[row])),
        _ => keep(chunk.rows(), kept, |row| {
            let slot = rows.index(row);
            valid.is_valid(slot) && wanted(values[slot])
        }),
    }
}

/// Writes the rows that are wanted to `kept`, which has room for all; how many. There is no branch that depends on the
/// answer.
#[inline]
fn keep(rows: impl Iterator<Item = usize>, kept: &mut [u16], wanted: impl Fn(usize) -> bool) -> usize {
    let mut found = 0;
    for row in rows {
        // Rows of a chunk fit u16.
        kept[found] = row as u16;
        found += usize::from(wanted(row));
    }
    found
}
