//! The hot leaf: rows of one table, column after column within a page (PAX, Ailamaki et al., VLDB 2001).
//!
//! ```text
//! page header 96 | tree leaf header (fences, next)                                     see btree::leaf
//! BODY +0  schema version u32 | +4 rows u16 | +6 capacity u16 | +8 flags u16 | +12 heap top u32
//!      +16 dead heap bytes u32 | +24 first row id u64
//!      +32 alive bitmap, used bitmap, then a null bitmap a column, each ceil(capacity / 8) bytes; padding to 16
//!          row ids, u64 a row (absent when dense)
//!          columns: fixed-width arrays of `capacity` values, widest columns first
//!          free space
//!          heap of string bytes, growing down from the page's end
//! ```
//! A string is a 16-byte cell: `{length u32, 12 bytes inline}` up to 12 bytes; else `{length u32, prefix [4],
//! place u64}`, where the place is the offset of its bytes in the page, or with the top bit set the first page of
//! its overflow chain.
//!
//! Invariants:
//! 1. Row ids ascend. A *dense* leaf stores no ids: slot `i` is row `first + i`.
//! 2. A slot that is used but not alive holds a deleted row, whose values stay until it is purged. A slot of a dense
//!    leaf that is not used holds none at all.
//! 3. Sorting columns by width keeps every array aligned to its width, whatever the capacity.
//! 4. The heap's live bytes are exactly those that some slot's cell points to.
//!
//! All functions survive any bytes: they answer with [`Damage`] or nonsense, never with a panic.

mod columns;
mod edit;
mod shape;

use crate::btree::{Damage, LEAF_BODY, PageBytes};
use crate::codec::row::{Cell, OverflowRef, RowLayout, RowView, read_fixed};
use crate::ids::{PageId, RowId};
use crate::types::{PhysicalType, Scalar};

pub(super) use columns::{LongValue, append_cell};
pub(super) use edit::LeafMut;
pub(super) use shape::{Room, init, make_room, merge, mergeable, room_for, separator, split};

const SCHEMA: usize = LEAF_BODY;
const ROWS: usize = LEAF_BODY + 4;
const CAPACITY: usize = LEAF_BODY + 6;
const FLAGS: usize = LEAF_BODY + 8;
const HEAP_TOP: usize = LEAF_BODY + 12;
const HEAP_DEAD: usize = LEAF_BODY + 16;
const FIRST: usize = LEAF_BODY + 24;
const ARRAYS: usize = LEAF_BODY + 32;

const DENSE: u16 = 1;
/// Strings up to this are stored in their cell.
pub(super) const INLINE: usize = 12;
const OVERFLOW_PLACE: u64 = 1 << 63;
/// Ids that a dense leaf may skip before it is worth storing them.
const MAX_GAP: u64 = 8;

const ALIVE: usize = 0;
const USED: usize = 1;
/// The null bitmap of column 0.
const NULLS: usize = 2;

/// Where the columns of a schema version lie in a leaf of any capacity.
#[derive(Debug)]
pub(super) struct LeafLayout {
    rows: RowLayout,
    /// By column: bytes of the columns stored before it, a row.
    before: Box<[u32]>,
    /// Bytes of all columns, a row.
    width: usize,
}

impl LeafLayout {
    /// The layout for rows of `rows`.
    pub(super) fn new(rows: RowLayout) -> Self {
        let mut order: Vec<usize> = (0..rows.columns().len()).collect();
        order.sort_by_key(|&column| std::cmp::Reverse(rows.columns()[column].width()));
        let mut before = vec![0; order.len()].into_boxed_slice();
        let mut width = 0;
        for column in order {
            before[column] = u32::try_from(width).expect("columns are counted in thousands");
            width += rows.columns()[column].width();
        }
        Self { rows, before, width }
    }

    /// The row form of the same columns.
    pub(super) fn rows(&self) -> &RowLayout {
        &self.rows
    }

    fn columns(&self) -> usize {
        self.before.len()
    }

    fn ids_at(&self, capacity: usize) -> usize {
        (ARRAYS + (NULLS + self.columns()) * capacity.div_ceil(8)).next_multiple_of(16)
    }

    /// Where the heap may begin at the lowest.
    fn fixed_end(&self, capacity: usize, dense: bool) -> usize {
        let ids = if dense { 0 } else { 8 * capacity };
        // 16-byte columns follow the ids.
        (self.ids_at(capacity) + ids).next_multiple_of(16) + capacity * self.width
    }

    /// The largest capacity that leaves `heap` bytes a row.
    fn capacity_for(&self, page_size: usize, heap: usize, dense: bool) -> usize {
        let bits = (NULLS + self.columns()).div_ceil(8);
        let row = self.width + heap + bits + if dense { 0 } else { 8 };
        let room = page_size.saturating_sub(ARRAYS + 32);
        let mut capacity = (room / row.max(1)).min(usize::from(u16::MAX));
        while capacity > 0 && self.fixed_end(capacity, dense) + capacity * heap > page_size {
            capacity -= 1;
        }
        capacity
    }

    /// Heap bytes that an otherwise empty leaf of one row has.
    pub(super) fn max_heap(&self, page_size: usize) -> Option<usize> {
        page_size.checked_sub(self.fixed_end(1, false))
    }
}

/// Heap bytes that a row's strings need.
pub(super) fn heap_bytes(row: &RowView<'_>) -> usize {
    let columns = row.layout().columns();
    (0..columns.len())
        .filter(|&column| columns[column] == PhysicalType::Bytes)
        .map(|column| match row.cell(column) {
            Cell::Scalar(Scalar::Bytes(bytes)) if bytes.len() > INLINE => bytes.len(),
            Cell::Scalar(_) | Cell::Overflow(_) => 0,
        })
        .sum()
}

/// A leaf's header, read once and checked against the page.
#[derive(Clone, Copy, Debug)]
struct Header {
    schema: u32,
    rows: usize,
    capacity: usize,
    dense: bool,
    first: u64,
    arrays: usize,
}

/// A leaf looked at, latched or not.
#[derive(Debug)]
pub(super) struct LeafView<'a, B: PageBytes + ?Sized> {
    page: &'a B,
    layout: &'a LeafLayout,
    header: Header,
}

impl<B: PageBytes + ?Sized> Clone for LeafView<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: PageBytes + ?Sized> Copy for LeafView<'_, B> {}

impl<'a, B: PageBytes + ?Sized> LeafView<'a, B> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Damage`] when the arrays it describes do not fit the page.
    pub(super) fn new(page: &'a B, layout: &'a LeafLayout) -> Result<Self, Damage> {
        let capacity = usize::from(page.u16(CAPACITY));
        let rows = usize::from(page.u16(ROWS));
        let dense = page.u16(FLAGS) & DENSE != 0;
        let fixed_end = layout.fixed_end(capacity, dense);
        let heap_top = page.u32(HEAP_TOP) as usize;
        if rows > capacity || fixed_end > heap_top || heap_top > page.size() {
            return Err(Damage("the rows of a leaf do not fit its page"));
        }
        let header = Header {
            schema: page.u32(SCHEMA),
            rows,
            capacity,
            dense,
            first: page.u64(FIRST),
            arrays: fixed_end - capacity * layout.width,
        };
        Ok(Self { page, layout, header })
    }

    /// Slots in use, dead ones included.
    pub(super) fn rows(&self) -> usize {
        self.header.rows
    }

    /// The schema version of the rows.
    pub(super) fn schema(&self) -> u32 {
        self.header.schema
    }

    /// The id of a slot's row.
    pub(super) fn row_id(&self, slot: usize) -> RowId {
        RowId(if self.header.dense {
            self.header.first.wrapping_add(slot as u64)
        } else {
            self.page.u64(self.layout.ids_at(self.header.capacity) + 8 * slot)
        })
    }

    /// The slot of a row, or the slot before which it would stand.
    pub(super) fn find(&self, row: RowId) -> Result<usize, usize> {
        let rows = self.header.rows;
        if self.header.dense {
            let slot = row.0.wrapping_sub(self.header.first);
            return match usize::try_from(slot) {
                Ok(slot) if slot < rows => Ok(slot),
                _ if row.0 < self.header.first => Err(0),
                _ => Err(rows),
            };
        }
        let ids = self.layout.ids_at(self.header.capacity);
        let (mut low, mut high) = (0, rows);
        while low < high {
            let middle = low.midpoint(high);
            if self.page.u64(ids + 8 * middle) < row.0 { low = middle + 1 } else { high = middle }
        }
        if low < rows && self.page.u64(ids + 8 * low) == row.0 { Ok(low) } else { Err(low) }
    }

    fn bit(&self, bitmap: usize, slot: usize) -> bool {
        let at = ARRAYS + bitmap * self.header.capacity.div_ceil(8) + slot / 8;
        self.page.u8(at) & 1 << (slot % 8) != 0
    }

    /// Whether the slot's row is there.
    pub(super) fn is_alive(&self, slot: usize) -> bool {
        self.bit(ALIVE, slot)
    }

    /// Whether the slot holds a row, deleted or not.
    pub(super) fn is_used(&self, slot: usize) -> bool {
        self.bit(USED, slot)
    }

    /// Whether a column of the slot is NULL.
    pub(super) fn is_null(&self, slot: usize, column: usize) -> bool {
        self.bit(NULLS + column, slot)
    }

    fn value_at(&self, slot: usize, column: usize) -> usize {
        let width = self.layout.rows.columns()[column].width();
        self.column_at(column) + slot * width
    }

    fn column_at(&self, column: usize) -> usize {
        self.header.arrays + self.header.capacity * self.layout.before[column] as usize
    }

    /// Appends some columns of a slot to `out` as a row of `projected`, which is the layout's projection to
    /// `columns`.
    ///
    /// # Errors
    /// [`Damage`] when a string lies outside the page; an unvalidated page may look so for a moment.
    pub(super) fn copy_row(
        &self,
        slot: usize,
        columns: &[u16],
        projected: &RowLayout,
        out: &mut Vec<u8>,
    ) -> Result<(), Damage> {
        let mut writer = projected.writer(out);
        for (index, &column) in columns.iter().enumerate() {
            let column = usize::from(column);
            if self.is_null(slot, column) {
                writer.null(index);
                continue;
            }
            let at = self.value_at(slot, column);
            if projected.columns()[index] != PhysicalType::Bytes {
                self.page.copy(at, writer.fixed(index));
                continue;
            }
            let length = self.page.u32(at);
            if length as usize <= INLINE {
                self.page.copy(at + 4, writer.string(index, length as usize));
                continue;
            }
            let place = self.page.u64(at + 8);
            if place & OVERFLOW_PLACE != 0 {
                writer.overflow(index, OverflowRef { length, first: PageId(place & !OVERFLOW_PLACE) });
                continue;
            }
            let at = self.heap_place(place, length)?;
            self.page.copy(at, writer.string(index, length as usize));
        }
        Ok(())
    }

    fn heap_place(&self, place: u64, length: u32) -> Result<usize, Damage> {
        let size = self.page.size() as u64;
        match place.checked_add(u64::from(length)) {
            Some(end) if end <= size => Ok(place as usize),
            _ => Err(Damage("a string lies outside its page")),
        }
    }
}

impl<'a> LeafView<'a, [u8]> {
    /// One column of a slot.
    ///
    /// # Errors
    /// [`Damage`] when a string lies outside the page.
    pub(super) fn cell(&self, slot: usize, column: usize) -> Result<Cell<'a>, Damage> {
        if self.is_null(slot, column) {
            return Ok(Cell::Scalar(Scalar::Null));
        }
        let ty = self.layout.rows.columns()[column];
        let at = self.value_at(slot, column);
        if ty != PhysicalType::Bytes {
            return Ok(Cell::Scalar(read_fixed(ty, &self.page[at..at + ty.width()])));
        }
        let length = self.page.u32(at);
        if length as usize <= INLINE {
            return Ok(Cell::Scalar(Scalar::Bytes(&self.page[at + 4..at + 4 + length as usize])));
        }
        let place = self.page.u64(at + 8);
        if place & OVERFLOW_PLACE != 0 {
            return Ok(Cell::Overflow(OverflowRef { length, first: PageId(place & !OVERFLOW_PLACE) }));
        }
        let at = self.heap_place(place, length)?;
        Ok(Cell::Scalar(Scalar::Bytes(&self.page[at..at + length as usize])))
    }

    fn heap_top(&self) -> usize {
        (self.page.u32(HEAP_TOP) as usize).min(self.page.len())
    }

    fn fixed_end(&self) -> usize {
        self.header.arrays + self.header.capacity * self.layout.width
    }

    /// Heap bytes that some cell points to.
    fn live_heap(&self) -> usize {
        (self.page.len() - self.heap_top()).saturating_sub(self.page.u32(HEAP_DEAD) as usize)
    }

    /// Checks order, counts and that every string lies in the heap.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub(super) fn check(&self) -> Result<(), Damage> {
        if (1..self.rows()).any(|slot| self.row_id(slot - 1) >= self.row_id(slot)) {
            return Err(Damage("row ids of a leaf are out of order"));
        }
        let top = self.page.u32(HEAP_TOP) as usize;
        if top < self.fixed_end() || top > self.page.len() {
            return Err(Damage("the heap of a leaf overlaps its rows"));
        }
        let mut used = 0;
        for (column, &ty) in self.layout.rows.columns().iter().enumerate() {
            if ty != PhysicalType::Bytes {
                continue;
            }
            for slot in 0..self.rows() {
                let at = self.value_at(slot, column);
                let (length, place) = (self.page.u32(at), self.page.u64(at + 8));
                let inline = length as usize <= INLINE || place & OVERFLOW_PLACE != 0;
                if self.is_null(slot, column) || inline {
                    continue;
                }
                if self.heap_place(place, length)? < top {
                    return Err(Damage("a string lies outside its leaf's heap"));
                }
                used += length as usize;
            }
        }
        if used > self.live_heap() {
            return Err(Damage("the heap of a leaf counts too few bytes"));
        }
        Ok(())
    }
}
