//! Rows in memory: what hash tables and sorts keep of their input, and read back at random.
//!
//! ```text
//!   block 0   | row 0 | row 1 | .. | row 2^k - 1 |     rows of one width, found by number
//!   block 1   | row 2^k | ..
//!   a row     | hash u64 | NULL bits | column | column | ..    values as in vectors, unaligned
//!   heap      | the bytes of long strings, which the 16-byte headers in the rows point to |
//! ```
//! Rows are addressed by number, so that the blocks may grow and move; only heap blocks stay where they are.
//!
//! Invariants:
//! 1. A header of a long string in a row was written by this store, or came with the heap block it points into, and
//!    heap blocks live as long as the store. So following a header is safe whatever row number is asked for.
//! 2. Bytes of a heap block are written once.
#![expect(unsafe_code, reason = "headers of strings in rows are followed to the store's heap")]

use super::hash::{Equality, Picked, canonical_decimal, canonical_float};
use crate::types::vector::{Native, Rows, StringHeap};
use crate::types::{DataType, FlatVector, Interval, PhysicalType, Str16, Vector};
use std::sync::Arc;

/// The number of a row that is not there: what is read of it is NULL.
pub(super) const NO_ROW: u32 = u32::MAX;

const HASH_BYTES: usize = 8;
const BLOCK_BYTES: usize = 128 << 10;
const FIRST_HEAP_BLOCK: usize = 4 << 10;
const HEAP_BLOCK: usize = 128 << 10;

/// A column of a row.
#[derive(Debug)]
struct Field {
    ty: DataType,
    physical: PhysicalType,
    offset: usize,
}

/// Where the columns of a row lie.
#[derive(Debug)]
pub(super) struct RowFormat {
    fields: Box<[Field]>,
    width: usize,
    /// Rows of a block are 1 << shift.
    shift: u32,
}

impl RowFormat {
    /// The format for rows of these types.
    pub(super) fn new(types: &[DataType]) -> Arc<Self> {
        let mut offset = HASH_BYTES + types.len().div_ceil(8);
        let fields = types
            .iter()
            .map(|ty| {
                let field = Field { ty: *ty, physical: ty.physical(), offset };
                offset += field.physical.width();
                field
            })
            .collect();
        let width = offset.next_multiple_of(8);
        let shift = (BLOCK_BYTES / width).max(16).ilog2();
        Arc::new(Self { fields, width, shift })
    }

    /// The types of the columns.
    pub(super) fn types(&self) -> impl ExactSizeIterator<Item = &DataType> {
        self.fields.iter().map(|field| &field.ty)
    }

    fn block_rows(&self) -> usize {
        1 << self.shift
    }
}

/// A part of the heap. It is filled within its capacity, so that its bytes do not move.
#[derive(Debug)]
struct HeapBlock(Vec<u8>);

/// Rows of one format.
#[derive(Debug)]
pub(super) struct RowStore {
    format: Arc<RowFormat>,
    blocks: Vec<Vec<u8>>,
    rows: usize,
    heap: Vec<HeapBlock>,
    bytes: usize,
}

impl StringHeap for RowStore {
    fn memory_size(&self) -> usize {
        self.bytes
    }

    fn is_accounted(&self) -> bool {
        true
    }
}

impl RowStore {
    /// No rows, and no memory before the first.
    pub(super) fn new(format: &Arc<RowFormat>) -> Self {
        Self { format: Arc::clone(format), blocks: Vec::new(), rows: 0, heap: Vec::new(), bytes: 0 }
    }

    /// The format.
    pub(super) fn format(&self) -> &Arc<RowFormat> {
        &self.format
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Bytes of memory taken.
    pub(super) fn memory_size(&self) -> usize {
        self.bytes
    }

    fn row(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let at = (row & (self.format.block_rows() - 1)) * self.format.width;
        &self.blocks[row >> self.format.shift][at..at + self.format.width]
    }

    /// The hash of a row.
    #[inline]
    pub(super) fn hash(&self, row: u32) -> u64 {
        read(self.row(row), 0)
    }

    /// Whether a column of a row is NULL.
    #[inline]
    pub(super) fn is_null(&self, row: u32, column: usize) -> bool {
        self.row(row)[HASH_BYTES + column / 8] & 1 << (column % 8) != 0
    }

    // ---- Writing ----

    /// Appends the picked rows of `columns`; `hashes` has one for each row, by its number, or is empty.
    pub(super) fn append(&mut self, columns: &[Vector], picked: Picked<'_>, hashes: &[u64]) {
        debug_assert_eq!(columns.len(), self.format.fields.len());
        let first = self.rows;
        self.extend(picked.count);
        if !hashes.is_empty() {
            self.scatter(first, picked.count, |row, i| {
                row[..HASH_BYTES].copy_from_slice(&hashes[picked.row(i)].to_ne_bytes());
            });
        }
        for (column, vector) in columns.iter().enumerate() {
            self.write_column(first, column, vector, picked);
        }
    }

    /// Takes over the rows of another store of the same format.
    pub(super) fn absorb(&mut self, other: Self) {
        assert!(Arc::ptr_eq(&self.format, &other.format));
        if self.rows == 0 {
            *self = other;
            return;
        }
        let Self { blocks, heap, .. } = other;
        for block in blocks {
            let rows = block.len() / self.format.width;
            let mut copied = 0;
            let first = self.rows;
            self.extend(rows);
            let width = self.format.width;
            while copied < rows {
                let at = (first + copied) & (self.format.block_rows() - 1);
                let here = (rows - copied).min(self.format.block_rows() - at);
                let target = &mut self.blocks[(first + copied) >> self.format.shift];
                target[at * width..(at + here) * width]
                    .copy_from_slice(&block[copied * width..(copied + here) * width]);
                copied += here;
            }
        }
        self.bytes += heap.iter().map(|block| block.0.capacity()).sum::<usize>();
        // The block that is being filled stays the last.
        let full = self.heap.len().saturating_sub(1);
        self.heap.splice(full..full, heap);
    }

    /// Makes room for `rows` more, whose bytes are zero.
    fn extend(&mut self, rows: usize) {
        let (width, block_rows) = (self.format.width, self.format.block_rows());
        let mut left = rows;
        while left > 0 {
            let used = self.rows & (block_rows - 1);
            if used == 0 {
                self.blocks.push(Vec::new());
            }
            let here = left.min(block_rows - used);
            let block = self.blocks.last_mut().expect("pushed above or before");
            let before = block.capacity();
            let needed = (used + here) * width;
            if needed > before {
                let full = block_rows * width;
                // The first block grows with its rows; the others are there because there are many.
                let grown = if self.rows < block_rows { needed.next_power_of_two().min(full) } else { full };
                block.reserve_exact(grown.max(needed) - block.len());
                self.bytes += block.capacity() - before;
            }
            block.resize(needed, 0);
            self.rows += here;
            left -= here;
        }
        assert!(self.rows < NO_ROW as usize, "a store has fewer than 2^32 rows");
    }

    /// Calls `write` with each of `count` rows from `first` on.
    #[inline]
    fn scatter(&mut self, first: usize, count: usize, mut write: impl FnMut(&mut [u8], usize)) {
        let (width, block_rows) = (self.format.width, self.format.block_rows());
        let mut done = 0;
        while done < count {
            let at = (first + done) & (block_rows - 1);
            let here = (count - done).min(block_rows - at);
            let block = &mut self.blocks[(first + done) >> self.format.shift];
            for (i, row) in block[at * width..(at + here) * width].chunks_exact_mut(width).enumerate() {
                write(row, done + i);
            }
            done += here;
        }
    }

    fn write_column(&mut self, first: usize, column: usize, vector: &Vector, picked: Picked<'_>) {
        let Some((base, rows)) = vector.base() else {
            let mut flat = vector.clone();
            flat.flatten(picked.end());
            return self.write_column(first, column, &flat, picked);
        };
        let at = self.format.fields[column].offset;
        let slot = |i: usize| rows.index(picked.row(i));
        match self.format.fields[column].physical.width() {
            16 if base.physical() == PhysicalType::Bytes => {
                self.write_strings(first, column, base, rows, picked)
            }
            1 => self.write_fixed::<1>(first, picked.count, at, base.bytes(), slot),
            2 => self.write_fixed::<2>(first, picked.count, at, base.bytes(), slot),
            4 => self.write_fixed::<4>(first, picked.count, at, base.bytes(), slot),
            8 => self.write_fixed::<8>(first, picked.count, at, base.bytes(), slot),
            _ => self.write_fixed::<16>(first, picked.count, at, base.bytes(), slot),
        }
        let valid = base.validity();
        if !valid.all_valid() {
            let (byte, bit) = (HASH_BYTES + column / 8, 1 << (column % 8));
            self.scatter(first, picked.count, |row, i| {
                if !valid.is_valid(slot(i)) {
                    row[byte] |= bit;
                }
            });
        }
    }

    #[inline]
    fn write_fixed<const W: usize>(
        &mut self,
        first: usize,
        count: usize,
        at: usize,
        bytes: &[u8],
        slot: impl Fn(usize) -> usize,
    ) {
        let (values, _) = bytes.as_chunks::<W>();
        self.scatter(first, count, |row, i| row[at..at + W].copy_from_slice(&values[slot(i)]));
    }

    fn write_strings(
        &mut self,
        first: usize,
        column: usize,
        base: &FlatVector,
        rows: Rows<'_>,
        picked: Picked<'_>,
    ) {
        let at = self.format.fields[column].offset;
        let strings = base.strings();
        let mut heap = std::mem::take(&mut self.heap);
        let mut taken = 0;
        self.scatter(first, picked.count, |row, i| {
            let slot = rows.index(picked.row(i));
            let string = strings[slot];
            let stored = match string.long_bytes() {
                Some(long) if base.validity().is_valid(slot) => store(&mut heap, &mut taken, long),
                Some(_) => Str16::new(&[]).into_bits(),
                None => string.into_bits(),
            };
            row[at..at + 16].copy_from_slice(&stored.to_ne_bytes());
        });
        self.heap = heap;
        self.bytes += taken;
    }

    // ---- Reading ----

    /// Appends a column of some rows to `out`; rows that are [`NO_ROW`] come out as NULL. Long strings are shared
    /// with the store, not copied.
    pub(super) fn gather(self: &Arc<Self>, column: usize, rows: &[u32], out: &mut FlatVector) {
        let field = &self.format.fields[column];
        let start = out.len();
        match field.physical.width() {
            16 if field.physical == PhysicalType::Bytes => {
                let heap: Arc<dyn StringHeap> = Arc::<Self>::clone(self);
                if !self.heap.is_empty() {
                    out.share_heap(&heap);
                }
                let headers: Vec<u128> = rows.iter().map(|&row| self.header(row, field.offset)).collect();
                // SAFETY: by invariant 1 the bytes of long ones are in this store's heap, shared above, and do not
                // change.
                unsafe { out.push_shared(&headers) };
            }
            1 => self.gather_fixed::<1>(field.offset, rows, out),
            2 => self.gather_fixed::<2>(field.offset, rows, out),
            4 => self.gather_fixed::<4>(field.offset, rows, out),
            8 => self.gather_fixed::<8>(field.offset, rows, out),
            _ => self.gather_fixed::<16>(field.offset, rows, out),
        }
        for (i, &row) in rows.iter().enumerate() {
            if row == NO_ROW || self.is_null(row, column) {
                out.set_null(start + i);
            }
        }
    }

    fn header(&self, row: u32, at: usize) -> u128 {
        if row == NO_ROW {
            Str16::new(&[]).into_bits()
        } else {
            u128::from_ne_bytes(array(self.row(row), at))
        }
    }

    #[inline]
    fn gather_fixed<const W: usize>(&self, at: usize, rows: &[u32], out: &mut FlatVector) {
        let (values, _) = out.extend_bytes(rows.len()).as_chunks_mut::<W>();
        for (value, &row) in values.iter_mut().zip(rows) {
            *value = if row == NO_ROW { [0; W] } else { array(self.row(row), at) };
        }
    }

    /// The bytes of a string; of a NULL, any.
    fn string(&self, row: u32, at: usize) -> (Str16<'_>, &[u8]) {
        let bytes = self.row(row);
        // SAFETY: by invariant 1 a long one's bytes are in this store's heap, which outlives the borrow of it.
        let header = unsafe { Str16::from_bits(u128::from_ne_bytes(array(bytes, at))) };
        let content = header.long_bytes().unwrap_or_else(|| &bytes[at + 4..at + 4 + header.len()]);
        (header, content)
    }

    /// Keeps those pairs of a row of `vector` and a row of the store that are equal in a column; `nulls_equal` says
    /// whether two NULLs are.
    pub(super) fn retain_equal(
        &self,
        column: usize,
        vector: &Vector,
        nulls_equal: bool,
        pairs: &mut Vec<(u16, u32)>,
    ) {
        let Some((base, rows)) = vector.base() else {
            let mut flat = vector.clone();
            flat.flatten(pairs.iter().map(|pair| usize::from(pair.0) + 1).max().unwrap_or(0));
            return self.retain_equal(column, &flat, nulls_equal, pairs);
        };
        let side = Side { base, rows, column, at: self.format.fields[column].offset, nulls_equal };
        let field = &self.format.fields[column];
        match (field.physical, Equality::of(&field.ty)) {
            (PhysicalType::Bool, _) => self.retain::<u8, 1>(&side, pairs, |a, b| a == u8::from_ne_bytes(b)),
            (PhysicalType::I16, _) => self.retain::<i16, 2>(&side, pairs, |a, b| a == i16::from_ne_bytes(b)),
            (PhysicalType::I32, _) => self.retain::<i32, 4>(&side, pairs, |a, b| a == i32::from_ne_bytes(b)),
            (PhysicalType::I64, _) => self.retain::<i64, 8>(&side, pairs, |a, b| a == i64::from_ne_bytes(b)),
            (PhysicalType::I128, Equality::Packed) => self.retain::<i128, 16>(&side, pairs, |a, b| {
                canonical_decimal(a) == canonical_decimal(i128::from_ne_bytes(b))
            }),
            (PhysicalType::I128, _) => {
                self.retain::<i128, 16>(&side, pairs, |a, b| a == i128::from_ne_bytes(b));
            }
            (PhysicalType::F32, _) => self.retain::<f32, 4>(&side, pairs, |a, b| {
                canonical_float(a.into()) == canonical_float(f32::from_ne_bytes(b).into())
            }),
            (PhysicalType::F64, _) => self.retain::<f64, 8>(&side, pairs, |a, b| {
                canonical_float(a) == canonical_float(f64::from_ne_bytes(b))
            }),
            (PhysicalType::Interval, _) => {
                self.retain::<Interval, 16>(&side, pairs, |a, b| a.span() == interval(b).span());
            }
            (PhysicalType::Uuid, _) => self.retain::<[u8; 16], 16>(&side, pairs, |a, b| a == b),
            (PhysicalType::Bytes, _) => {
                let strings = base.strings();
                pairs.retain(|&(probe, row)| {
                    let slot = rows.index(probe.into());
                    side.decide(self, slot, row).unwrap_or_else(|| {
                        // Equal short strings have equal headers, and hardly ever do others come so far.
                        let stored = u128::from_ne_bytes(array(self.row(row), side.at));
                        strings[slot].into_bits() == stored || strings[slot] == self.string(row, side.at).0
                    })
                });
            }
        }
    }

    #[inline]
    fn retain<T: Native, const W: usize>(
        &self,
        side: &Side<'_>,
        pairs: &mut Vec<(u16, u32)>,
        equal: impl Fn(T, [u8; W]) -> bool,
    ) {
        let values = side.base.values::<T>();
        pairs.retain(|&(probe, row)| {
            let slot = side.rows.index(probe.into());
            side.decide(self, slot, row).unwrap_or_else(|| equal(values[slot], array(self.row(row), side.at)))
        });
    }
}

/// The vector that rows are compared with.
struct Side<'a> {
    base: &'a FlatVector,
    rows: Rows<'a>,
    column: usize,
    at: usize,
    nulls_equal: bool,
}

impl Side<'_> {
    /// The answer, if one of the two is NULL.
    #[inline]
    fn decide(&self, store: &RowStore, slot: usize, row: u32) -> Option<bool> {
        let (left, right) = (!self.base.validity().is_valid(slot), store.is_null(row, self.column));
        (left || right).then_some(left && right && self.nulls_equal)
    }
}

fn interval(bytes: [u8; 16]) -> Interval {
    Interval { months: read_i32(&bytes, 0), days: read_i32(&bytes, 4), micros: read(&bytes, 8).cast_signed() }
}

/// Copies a long string to the heap; its header.
fn store(heap: &mut Vec<HeapBlock>, taken: &mut usize, bytes: &[u8]) -> u128 {
    if bytes.len() > HEAP_BLOCK / 4 {
        // A block of its own wastes nothing; the one that is being filled stays the last.
        *taken += bytes.len();
        let own = bytes.to_vec();
        let header = Str16::new(&own).into_bits();
        heap.insert(heap.len().saturating_sub(1), HeapBlock(own));
        return header;
    }
    let room = heap.last().map_or(0, |block| block.0.capacity() - block.0.len());
    if room < bytes.len() {
        let grown = heap.last().map_or(FIRST_HEAP_BLOCK, |last| (last.0.capacity() * 2).min(HEAP_BLOCK));
        let block = Vec::with_capacity(grown.max(bytes.len()));
        *taken += block.capacity();
        heap.push(HeapBlock(block));
    }
    let block = &mut heap.last_mut().expect("pushed above or before").0;
    let start = block.len();
    block.extend_from_slice(bytes);
    Str16::new(&block[start..]).into_bits()
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[inline]
fn read(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(array(bytes, at))
}

fn read_i32(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(array(bytes, at))
}
