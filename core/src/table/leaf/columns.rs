//! Reading a leaf column by column: runs of slots become parts of vectors.

use super::{ALIVE, ARRAYS, Cell, INLINE, LeafView, NULLS, OVERFLOW_PLACE};
use crate::btree::{Damage, PageBytes};
use crate::codec::row::{OverflowRef, read_fixed};
use crate::ids::PageId;
use crate::types::{FlatVector, PhysicalType};
use std::ops::Range;

/// A long value that a column refers to: the row of the vector, and where the value is.
pub(in crate::table) type LongValue = (usize, OverflowRef);

impl LeafView<'_, [u8]> {
    fn bitmap(&self, bitmap: usize) -> &[u8] {
        let stride = self.header.capacity.div_ceil(8);
        let start = ARRAYS + bitmap * stride;
        &self.page[start..start + stride]
    }

    /// Appends the runs of rows that are there to `runs`, from slot `from` on until they have `limit` rows. Returns
    /// the first slot that was not looked at.
    pub(in crate::table) fn alive_runs(
        &self,
        slots: Range<usize>,
        limit: usize,
        runs: &mut Vec<Range<usize>>,
    ) -> usize {
        let alive = self.bitmap(ALIVE);
        let (mut slot, mut left) = (slots.start, limit);
        while slot < slots.end && left > 0 {
            if alive[slot / 8] & 1 << (slot % 8) == 0 {
                slot += 1;
                continue;
            }
            let start = slot;
            let end = slots.end.min(start + left);
            while slot < end {
                if slot % 8 == 0 && slot + 8 <= end && alive[slot / 8] == u8::MAX {
                    slot += 8;
                } else if alive[slot / 8] & 1 << (slot % 8) != 0 {
                    slot += 1;
                } else {
                    break;
                }
            }
            left -= slot - start;
            runs.push(start..slot);
        }
        slot
    }

    /// Appends a run of a column to `out`. Long values are left empty and added to `long`.
    ///
    /// # Errors
    /// [`Damage`] when a string lies outside the page.
    pub(in crate::table) fn append_column(
        &self,
        column: usize,
        run: Range<usize>,
        out: &mut FlatVector,
        long: &mut Vec<LongValue>,
    ) -> Result<(), Damage> {
        let start = out.len();
        let physical = self.layout.rows.columns()[column];
        let width = physical.width();
        let at = self.column_at(column) + run.start * width;
        let bytes = &self.page[at..at + run.len() * width];
        match physical {
            PhysicalType::Bytes => {
                let (cells, _) = bytes.as_chunks::<16>();
                out.extend_cells(cells, |i, cell| {
                    if self.is_null(run.start + i, column) {
                        return Ok(&[]);
                    }
                    self.long_cell(cell, |reference| long.push((start + i, reference)))
                })?;
            }
            // In memory its parts are in another order.
            PhysicalType::Interval => {
                bytes.chunks_exact(width).for_each(|value| out.push_scalar(read_fixed(physical, value)));
            }
            _ => out.extend_bytes(run.len()).copy_from_slice(bytes),
        }
        self.append_nulls(column, run, start, out);
        Ok(())
    }

    /// The content of a string that does not lie in its cell, or nothing if it is not in the page either.
    fn long_cell(&self, cell: &[u8; 16], overflow: impl FnOnce(OverflowRef)) -> Result<&[u8], Damage> {
        let (length, place) = (cell[..].u32(0), cell[..].u64(8));
        debug_assert!(length as usize > INLINE);
        if place & OVERFLOW_PLACE != 0 {
            overflow(OverflowRef { length, first: PageId(place & !OVERFLOW_PLACE) });
            return Ok(&[]);
        }
        let at = self.heap_place(place, length)?;
        Ok(&self.page[at..at + length as usize])
    }

    fn append_nulls(&self, column: usize, run: Range<usize>, start: usize, out: &mut FlatVector) {
        let nulls = self.bitmap(NULLS + column);
        if run.is_empty() || nulls[run.start / 8..=(run.end - 1) / 8].iter().all(|&byte| byte == 0) {
            return;
        }
        for slot in run.clone() {
            if nulls[slot / 8] & 1 << (slot % 8) != 0 {
                out.set_null(start + slot - run.start);
            }
        }
    }
}

/// Appends one cell, wherever it comes from, to `out`.
pub(in crate::table) fn append_cell(cell: Cell<'_>, out: &mut FlatVector, long: &mut Vec<LongValue>) {
    match cell {
        Cell::Scalar(scalar) => out.push_scalar(scalar),
        Cell::Overflow(reference) => {
            long.push((out.len(), reference));
            out.push_bytes(&[]);
        }
    }
}
