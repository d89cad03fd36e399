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

use crate::btree::{Damage, LEAF_BODY, PageBytes};
use crate::codec::row::{Cell, OverflowRef, RowLayout, RowView, read_fixed};
use crate::ids::{PageId, RowId};
use crate::types::{PhysicalType, Scalar};

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
        if rows > capacity || fixed_end > page.size() {
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

/// What stands in the way of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    /// Nothing.
    Fits,
    /// The leaf must be rebuilt first, with this capacity and density; then the row fits.
    Reshape {
        /// Slots.
        capacity: usize,
        /// Without stored ids.
        dense: bool,
    },
    /// The leaf is full.
    Full,
}

/// Makes an empty leaf out of a page whose tree header is complete.
pub(super) fn init(page: &mut [u8], layout: &LeafLayout, schema: u32, first: RowId, heap: usize) {
    let size = page.len();
    let capacity = layout.capacity_for(size, heap, true).max(1);
    write_header(page, schema, first.0, capacity, true, size);
}

fn write_header(page: &mut [u8], schema: u32, first: u64, capacity: usize, dense: bool, size: usize) {
    page[LEAF_BODY..].fill(0);
    page[SCHEMA..SCHEMA + 4].copy_from_slice(&schema.to_le_bytes());
    page[CAPACITY..CAPACITY + 2].copy_from_slice(&(capacity as u16).to_le_bytes());
    page[FLAGS..FLAGS + 2].copy_from_slice(&u16::from(dense).to_le_bytes());
    page[HEAP_TOP..HEAP_TOP + 4].copy_from_slice(&(size as u32).to_le_bytes());
    page[FIRST..FIRST + 8].copy_from_slice(&first.to_le_bytes());
}

/// Whether a row with `heap` bytes of strings fits beside those that are there.
pub(super) fn room_for(leaf: &[u8], layout: &LeafLayout, row: RowId, heap: usize) -> Result<Room, Damage> {
    let view = LeafView::new(leaf, layout)?;
    let Header { rows, capacity, dense, first, .. } = view.header;
    let gap = row.0.wrapping_sub(first.wrapping_add(rows as u64));
    let stays_dense = dense && (rows == 0 || row.0 > first && gap <= MAX_GAP);
    let slots = if stays_dense && rows > 0 { rows + 1 + gap as usize } else { rows + 1 };
    let needed = view.live_heap().saturating_add(heap);
    let size = leaf.len();
    if dense == stays_dense && slots <= capacity && view.fixed_end().saturating_add(needed) <= size {
        return Ok(Room::Fits);
    }
    let wanted = layout.capacity_for(size, needed.div_ceil(slots), stays_dense);
    // Rebuilding for a single row more would be done for every row to come: better to split.
    if wanted < slots + slots / 8 && (dense == stays_dense || wanted < slots) {
        return Ok(Room::Full);
    }
    Ok(Room::Reshape { capacity: wanted, dense: stays_dense })
}

/// Makes room for `heap` bytes of strings in place of `freed` bytes of a row that is there: by compaction, or by
/// giving up slots that no row uses.
pub(super) fn make_room(
    leaf: &mut [u8],
    layout: &LeafLayout,
    heap: usize,
    freed: usize,
) -> Result<Room, Damage> {
    let view = LeafView::new(&*leaf, layout)?;
    let Header { rows, dense, .. } = view.header;
    let needed = view.live_heap().saturating_sub(freed).saturating_add(heap);
    if view.fixed_end().saturating_add(needed) <= leaf.len() {
        return Ok(Room::Fits);
    }
    // The old strings stay until the change: they must fit the narrower leaf as well.
    if layout.fixed_end(rows, dense).saturating_add(needed.max(view.live_heap())) <= leaf.len() {
        LeafMut::new(leaf, layout).reshape(rows, dense)?;
        return Ok(Room::Fits);
    }
    Ok(Room::Full)
}

/// A leaf held exclusively.
#[derive(Debug)]
pub(super) struct LeafMut<'a> {
    page: &'a mut [u8],
    layout: &'a LeafLayout,
}

impl<'a> LeafMut<'a> {
    /// To change a leaf of this layout.
    pub(super) fn new(page: &'a mut [u8], layout: &'a LeafLayout) -> Self {
        Self { page, layout }
    }

    fn view(&self) -> Result<LeafView<'_, [u8]>, Damage> {
        LeafView::new(&*self.page, self.layout)
    }

    /// Rewrites the leaf with another capacity; its rows and its compacted heap must fit.
    pub(super) fn reshape(&mut self, capacity: usize, dense: bool) -> Result<(), Damage> {
        let source = self.page.to_vec();
        let view = LeafView::new(&*source, self.layout)?;
        rebuild(&view, 0..view.rows(), self.page, capacity, dense)
    }

    fn compact(&mut self) -> Result<(), Damage> {
        let (capacity, dense) = {
            let view = self.view()?;
            (view.header.capacity, view.header.dense)
        };
        self.reshape(capacity, dense)
    }

    /// Puts a new row before `slot` (where `find` said it belongs) and makes it alive. There is room for it.
    pub(super) fn insert(&mut self, slot: usize, row: RowId, values: &RowView<'_>) -> Result<(), Damage> {
        self.reserve_heap(heap_bytes(values))?;
        let Header { rows, capacity, dense, first, .. } = self.view()?.header;
        let (slot, rows_after) = if dense {
            if rows == 0 {
                self.page[FIRST..FIRST + 8].copy_from_slice(&row.0.to_le_bytes());
                (0, 1)
            } else {
                let slot = row.0.wrapping_sub(first) as usize;
                (slot, slot + 1)
            }
        } else {
            self.open_slot(slot, rows)?;
            let at = self.layout.ids_at(capacity) + 8 * slot;
            self.page[at..at + 8].copy_from_slice(&row.0.to_le_bytes());
            (slot, rows + 1)
        };
        if rows_after > capacity {
            return Err(Damage("a leaf has no slot for a row that should fit"));
        }
        self.page[ROWS..ROWS + 2].copy_from_slice(&(rows_after as u16).to_le_bytes());
        for column in 0..self.layout.columns() {
            self.put(slot, column, values.cell(column))?;
        }
        self.set_bit(USED, slot, true)?;
        self.set_alive(slot, true)
    }

    /// Gives a dead slot new values and makes it alive.
    pub(super) fn revive(&mut self, slot: usize, values: &RowView<'_>) -> Result<(), Damage> {
        let columns: Vec<u16> = (0..self.layout.columns() as u16).collect();
        self.update(slot, &columns, values)?;
        self.set_bit(USED, slot, true)?;
        self.set_alive(slot, true)
    }

    /// Replaces some columns of a slot; `values` has just those. There is room in the heap for their strings.
    pub(super) fn update(
        &mut self,
        slot: usize,
        columns: &[u16],
        values: &RowView<'_>,
    ) -> Result<(), Damage> {
        for &column in columns {
            self.forget_string(slot, usize::from(column))?;
        }
        self.reserve_heap(heap_bytes(values))?;
        for (index, &column) in columns.iter().enumerate() {
            self.put(slot, usize::from(column), values.cell(index))?;
        }
        Ok(())
    }

    /// Marks a slot's row as there or deleted.
    pub(super) fn set_alive(&mut self, slot: usize, alive: bool) -> Result<(), Damage> {
        self.set_bit(ALIVE, slot, alive)
    }

    /// Takes a dead slot away for good; in a dense leaf only its strings go.
    pub(super) fn purge(&mut self, slot: usize) -> Result<(), Damage> {
        for column in 0..self.layout.columns() {
            self.forget_string(slot, column)?;
            self.set_bit(NULLS + column, slot, true)?;
        }
        self.set_alive(slot, false)?;
        self.set_bit(USED, slot, false)?;
        let Header { rows, dense, .. } = self.view()?.header;
        if !dense {
            self.close_slot(slot, rows)?;
            self.page[ROWS..ROWS + 2].copy_from_slice(&(rows.saturating_sub(1) as u16).to_le_bytes());
        } else if slot + 1 == rows {
            self.page[ROWS..ROWS + 2].copy_from_slice(&(slot as u16).to_le_bytes());
        }
        Ok(())
    }

    fn set_bit(&mut self, bitmap: usize, slot: usize, value: bool) -> Result<(), Damage> {
        let capacity = self.view()?.header.capacity;
        let at = ARRAYS + bitmap * capacity.div_ceil(8) + slot / 8;
        let byte = self.page.get_mut(at).ok_or(Damage("a bitmap leaves its page"))?;
        if value {
            *byte |= 1 << (slot % 8)
        } else {
            *byte &= !(1 << (slot % 8))
        }
        Ok(())
    }

    /// Counts a string's heap bytes as dead and makes the cell an empty string.
    fn forget_string(&mut self, slot: usize, column: usize) -> Result<(), Damage> {
        let view = self.view()?;
        if self.layout.rows.columns()[column] != PhysicalType::Bytes || view.is_null(slot, column) {
            return Ok(());
        }
        let at = view.value_at(slot, column);
        let (length, place) = (view.page.u32(at), view.page.u64(at + 8));
        if length as usize > INLINE && place & OVERFLOW_PLACE == 0 {
            let dead = view.page.u32(HEAP_DEAD).saturating_add(length);
            self.page[HEAP_DEAD..HEAP_DEAD + 4].copy_from_slice(&dead.to_le_bytes());
        }
        self.page[at..at + 16].fill(0);
        Ok(())
    }

    /// Makes `bytes` of contiguous heap free, compacting if needed.
    fn reserve_heap(&mut self, bytes: usize) -> Result<(), Damage> {
        let free = |leaf: &Self| -> Result<usize, Damage> {
            let view = leaf.view()?;
            Ok(view.heap_top().saturating_sub(view.fixed_end()))
        };
        if free(self)? < bytes {
            self.compact()?;
            if free(self)? < bytes {
                return Err(Damage("a leaf has no heap for a row that should fit"));
            }
        }
        Ok(())
    }

    fn put(&mut self, slot: usize, column: usize, cell: Cell<'_>) -> Result<(), Damage> {
        let null = matches!(cell, Cell::Scalar(Scalar::Null));
        self.set_bit(NULLS + column, slot, null)?;
        let at = self.view()?.value_at(slot, column);
        let width = self.layout.rows.columns()[column].width();
        let place = self.page.get_mut(at..at + width).ok_or(Damage("a column leaves its page"))?;
        match cell {
            Cell::Scalar(Scalar::Null) => place.fill(0),
            Cell::Scalar(Scalar::Bytes(bytes)) => {
                place.fill(0);
                place[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
                if bytes.len() <= INLINE {
                    place[4..4 + bytes.len()].copy_from_slice(bytes);
                    return Ok(());
                }
                place[4..8].copy_from_slice(&bytes[..4]);
                let top = (self.page.u32(HEAP_TOP) as usize)
                    .checked_sub(bytes.len())
                    .ok_or(Damage("the heap of a leaf is full"))?;
                self.page[top..top + bytes.len()].copy_from_slice(bytes);
                self.page[at + 8..at + 16].copy_from_slice(&(top as u64).to_le_bytes());
                self.page[HEAP_TOP..HEAP_TOP + 4].copy_from_slice(&(top as u32).to_le_bytes());
            }
            Cell::Scalar(scalar) => crate::codec::row::write_fixed(scalar, place),
            Cell::Overflow(reference) => {
                place.fill(0);
                place[..4].copy_from_slice(&reference.length.to_le_bytes());
                place[8..].copy_from_slice(&(reference.first.0 | OVERFLOW_PLACE).to_le_bytes());
            }
        }
        Ok(())
    }

    /// Fills slots with those of another leaf: from `start` on, or in a dense leaf each at the place of its row.
    fn copy_slots(
        &mut self,
        source: &LeafView<'_, [u8]>,
        slots: std::ops::Range<usize>,
        start: usize,
    ) -> Result<(), Damage> {
        let Header { capacity, dense, first, .. } = self.view()?.header;
        for (index, from) in slots.enumerate() {
            let row = source.row_id(from);
            let to = if dense { row.0.wrapping_sub(first) as usize } else { start + index };
            if !dense {
                let at = self.layout.ids_at(capacity) + 8 * to;
                let place = self.page.get_mut(at..at + 8).ok_or(Damage("a row id leaves its page"))?;
                place.copy_from_slice(&row.0.to_le_bytes());
            }
            for column in 0..self.layout.columns() {
                self.put(to, column, source.cell(from, column)?)?;
            }
            self.set_bit(USED, to, source.is_used(from))?;
            self.set_alive(to, source.is_alive(from))?;
        }
        Ok(())
    }

    /// Moves the slots from `slot` on up by one in every array.
    fn open_slot(&mut self, slot: usize, rows: usize) -> Result<(), Damage> {
        self.move_slots(rows, |page, at, width| {
            page.copy_within(at + slot * width..at + rows * width, at + (slot + 1) * width);
        })?;
        self.move_bits(|bits| insert_bit(bits, slot))
    }

    fn close_slot(&mut self, slot: usize, rows: usize) -> Result<(), Damage> {
        self.move_slots(rows, |page, at, width| {
            page.copy_within(at + (slot + 1) * width..at + rows * width, at + slot * width);
        })?;
        self.move_bits(|bits| remove_bit(bits, slot))
    }

    fn move_slots(&mut self, rows: usize, shift: impl Fn(&mut [u8], usize, usize)) -> Result<(), Damage> {
        let header = self.view()?.header;
        if rows > header.capacity {
            return Err(Damage("a leaf has more rows than slots"));
        }
        shift(self.page, self.layout.ids_at(header.capacity), 8);
        for column in 0..self.layout.columns() {
            let at = header.arrays + header.capacity * self.layout.before[column] as usize;
            shift(self.page, at, self.layout.rows.columns()[column].width());
        }
        Ok(())
    }

    fn move_bits(&mut self, shift: impl Fn(&mut [u8])) -> Result<(), Damage> {
        let stride = self.view()?.header.capacity.div_ceil(8);
        let bitmaps = &mut self.page[ARRAYS..ARRAYS + stride * (NULLS + self.layout.columns())];
        bitmaps.chunks_exact_mut(stride.max(1)).for_each(shift);
        Ok(())
    }
}

/// Makes place for a bit: those from `at` on move up, the last falls off, the new one is clear.
fn insert_bit(bits: &mut [u8], at: usize) {
    let (byte, low) = (at / 8, (1u8 << (at % 8)) - 1);
    let Some(first) = bits.get(byte).copied() else { return };
    let mut carry = first >> 7;
    bits[byte] = first & low | (first & !low) << 1;
    for bits in &mut bits[byte + 1..] {
        (*bits, carry) = (*bits << 1 | carry, *bits >> 7);
    }
}

/// Takes a bit out: those behind `at` move down.
fn remove_bit(bits: &mut [u8], at: usize) {
    let (byte, low) = (at / 8, (1u8 << (at % 8)) - 1);
    for index in byte..bits.len() {
        let carry = bits.get(index + 1).map_or(0, |next| next << 7);
        let moved = bits[index] >> 1 | carry;
        bits[index] = if index == byte { bits[index] & low | moved & !low } else { moved };
    }
}

/// Writes some slots of `source` as the whole content of the leaf `target`, whose tree header stays.
fn rebuild(
    source: &LeafView<'_, [u8]>,
    slots: std::ops::Range<usize>,
    target: &mut [u8],
    capacity: usize,
    dense: bool,
) -> Result<(), Damage> {
    let layout = source.layout;
    let size = target.len();
    let first = source.row_id(slots.start).0;
    let last = if slots.is_empty() { first } else { source.row_id(slots.end - 1).0 };
    let span = last.wrapping_sub(first) as usize;
    let dense = dense && span < capacity;
    if slots.len() > capacity || layout.fixed_end(capacity, dense) > size {
        return Err(Damage("rows do not fit the leaf they should"));
    }
    write_header(target, source.schema(), first, capacity, dense, size);
    let rows = if slots.is_empty() {
        0
    } else if dense {
        span + 1
    } else {
        slots.len()
    };
    target[ROWS..ROWS + 2].copy_from_slice(&(rows as u16).to_le_bytes());
    let mut leaf = LeafMut { page: target, layout };
    leaf.copy_slots(source, slots, 0)
}

/// Where to divide a leaf to make room for `incoming`. A row above all others gets a leaf for itself, so that
/// ascending inserts leave full leaves behind.
pub(super) fn separator(leaf: &[u8], layout: &LeafLayout, incoming: RowId) -> Result<RowId, Damage> {
    let view = LeafView::new(leaf, layout)?;
    let rows = view.rows();
    if view.find(incoming).unwrap_or_else(|slot| slot) == rows {
        return Ok(incoming);
    }
    Ok(view.row_id(if rows == 1 { 0 } else { rows / 2 }))
}

/// Moves the rows from `separator` on from `left` to `right`; the tree headers are the caller's.
pub(super) fn split(
    left: &mut [u8],
    right: &mut [u8],
    layout: &LeafLayout,
    separator: RowId,
) -> Result<(), Damage> {
    let source = left.to_vec();
    let view = LeafView::new(&*source, layout)?;
    let rows = view.rows();
    let middle = view.find(separator).unwrap_or_else(|slot| slot);
    let heap = view.live_heap() / rows.max(1);
    for (target, slots, first) in [(left, 0..middle, view.row_id(0)), (right, middle..rows, separator)] {
        if slots.is_empty() {
            init(target, layout, view.schema(), first, heap);
            continue;
        }
        refill(&view, slots, target)?;
    }
    Ok(())
}

/// Whether two neighbours have too few rows for two leaves.
pub(super) fn mergeable(left: &[u8], right: &[u8], layout: &LeafLayout) -> bool {
    let (Ok(left_view), Ok(right_view)) = (LeafView::new(left, layout), LeafView::new(right, layout)) else {
        return false;
    };
    let fill = |view: &LeafView<'_, [u8]>| view.rows() * (layout.width + 9) + view.live_heap();
    let (a, b, size) = (fill(&left_view), fill(&right_view), left.len());
    a.min(b) < size * 35 / 100 && a + b < size * 80 / 100
}

/// Moves all rows of `right` to the end of `left`.
pub(super) fn merge(left: &mut [u8], right: &[u8], layout: &LeafLayout) -> Result<(), Damage> {
    let source = left.to_vec();
    let low = LeafView::new(&*source, layout)?;
    let high = LeafView::new(right, layout)?;
    let rows = low.rows() + high.rows();
    if rows == 0 {
        return Ok(());
    }
    let heap = (low.live_heap() + high.live_heap()).div_ceil(rows);
    let first = if low.rows() > 0 { low.row_id(0) } else { high.row_id(0) };
    let capacity = layout.capacity_for(left.len(), heap, false);
    if capacity < rows {
        return Err(Damage("two leaves to be merged do not fit one"));
    }
    write_header(left, low.schema(), first.0, capacity, false, source.len());
    left[ROWS..ROWS + 2].copy_from_slice(&(rows as u16).to_le_bytes());
    let mut leaf = LeafMut { page: left, layout };
    leaf.copy_slots(&low, 0..low.rows(), 0)?;
    leaf.copy_slots(&high, 0..high.rows(), low.rows())
}

/// Rewrites a leaf with some slots of `source`, as densely as they allow.
fn refill(
    source: &LeafView<'_, [u8]>,
    slots: std::ops::Range<usize>,
    target: &mut [u8],
) -> Result<(), Damage> {
    let span = source.row_id(slots.end - 1).0.wrapping_sub(source.row_id(slots.start).0);
    let dense = span < slots.len() as u64 + MAX_GAP;
    let needed: usize = slots.clone().map(|slot| slot_heap(source, slot)).sum();
    let count = if dense { span as usize + 1 } else { slots.len() };
    let capacity = source.layout.capacity_for(target.len(), needed.div_ceil(slots.len()), dense).max(count);
    rebuild(source, slots, target, capacity, dense)
}

fn slot_heap(view: &LeafView<'_, [u8]>, slot: usize) -> usize {
    (0..view.layout.columns())
        .filter(|&column| view.layout.rows.columns()[column] == PhysicalType::Bytes)
        .map(|column| match view.cell(slot, column) {
            Ok(Cell::Scalar(Scalar::Bytes(bytes))) if bytes.len() > INLINE => bytes.len(),
            Ok(_) | Err(_) => 0,
        })
        .sum()
}
