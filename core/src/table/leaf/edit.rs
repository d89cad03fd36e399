//! Changing the rows of a leaf that is held exclusively.

use super::shape::rebuild;
use super::{
    ALIVE, ARRAYS, FIRST, HEAP_DEAD, HEAP_TOP, Header, INLINE, LeafLayout, LeafView, NULLS, OVERFLOW_PLACE,
    ROWS, USED, heap_bytes,
};
use crate::btree::{Damage, PageBytes};
use crate::codec::row::{Cell, RowView, write_fixed};
use crate::ids::RowId;
use crate::types::{PhysicalType, Scalar};

/// A leaf held exclusively.
#[derive(Debug)]
pub(in crate::table) struct LeafMut<'a> {
    page: &'a mut [u8],
    layout: &'a LeafLayout,
}

impl<'a> LeafMut<'a> {
    /// To change a leaf of this layout.
    pub(in crate::table) fn new(page: &'a mut [u8], layout: &'a LeafLayout) -> Self {
        Self { page, layout }
    }

    fn view(&self) -> Result<LeafView<'_, [u8]>, Damage> {
        LeafView::new(&*self.page, self.layout)
    }

    /// Rewrites the leaf with another capacity; its rows and its compacted heap must fit.
    pub(in crate::table) fn reshape(&mut self, capacity: usize, dense: bool) -> Result<(), Damage> {
        rebuild(self.page, self.layout, capacity, dense)
    }

    fn compact(&mut self) -> Result<(), Damage> {
        let (capacity, dense) = {
            let view = self.view()?;
            (view.header.capacity, view.header.dense)
        };
        self.reshape(capacity, dense)
    }

    /// Puts a new row before `slot` (where `find` said it belongs) and makes it alive. There is room for it.
    pub(in crate::table) fn insert(
        &mut self,
        slot: usize,
        row: RowId,
        values: &RowView<'_>,
    ) -> Result<(), Damage> {
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
    pub(in crate::table) fn revive(&mut self, slot: usize, values: &RowView<'_>) -> Result<(), Damage> {
        let columns: Vec<u16> = (0..self.layout.columns() as u16).collect();
        self.update(slot, &columns, values)?;
        self.set_bit(USED, slot, true)?;
        self.set_alive(slot, true)
    }

    /// Replaces some columns of a slot; `values` has just those. There is room in the heap for their strings.
    pub(in crate::table) fn update(
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
    pub(in crate::table) fn set_alive(&mut self, slot: usize, alive: bool) -> Result<(), Damage> {
        self.set_bit(ALIVE, slot, alive)
    }

    /// Takes a dead slot away for good; in a dense leaf only its strings go.
    pub(in crate::table) fn purge(&mut self, slot: usize) -> Result<(), Damage> {
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
            Cell::Scalar(scalar) => write_fixed(scalar, place),
            Cell::Overflow(reference) => {
                place.fill(0);
                place[..4].copy_from_slice(&reference.length.to_le_bytes());
                place[8..].copy_from_slice(&(reference.first.0 | OVERFLOW_PLACE).to_le_bytes());
            }
        }
        Ok(())
    }

    /// Makes slot `to`, which is beyond all that are there, a copy of another leaf's slot.
    pub(super) fn place(
        &mut self,
        to: usize,
        row: RowId,
        source: &LeafView<'_, [u8]>,
        from: usize,
    ) -> Result<(), Damage> {
        let Header { capacity, dense, .. } = self.view()?.header;
        if to >= capacity {
            return Err(Damage("a leaf has no slot for a row that should fit"));
        }
        if !dense {
            let at = self.layout.ids_at(capacity) + 8 * to;
            self.page[at..at + 8].copy_from_slice(&row.0.to_le_bytes());
        }
        self.page[ROWS..ROWS + 2].copy_from_slice(&((to + 1) as u16).to_le_bytes());
        for column in 0..self.layout.columns() {
            self.put(to, column, source.cell(from, column)?)?;
        }
        self.set_bit(USED, to, source.is_used(from))?;
        self.set_alive(to, source.is_alive(from))
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
