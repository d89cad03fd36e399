//! The shape of a leaf: how many rows it has places for, when it is rebuilt, split or merged.

use super::{
    CAPACITY, FIRST, FLAGS, HEAP_TOP, Header, INLINE, LeafLayout, LeafMut, LeafView, MAX_GAP, ROWS, SCHEMA,
};
use crate::btree::{Damage, LEAF_BODY};
use crate::codec::row::Cell;
use crate::ids::RowId;
use crate::types::{PhysicalType, Scalar};
use std::ops::Range;

/// What stands in the way of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::table) enum Room {
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
pub(in crate::table) fn init(page: &mut [u8], layout: &LeafLayout, schema: u32, first: RowId, heap: usize) {
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
pub(in crate::table) fn room_for(
    leaf: &[u8],
    layout: &LeafLayout,
    row: RowId,
    heap: usize,
) -> Result<Room, Damage> {
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
pub(in crate::table) fn make_room(
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

/// Writes some slots of `source` as the whole content of the leaf `target`, whose tree header stays.
pub(super) fn rebuild(
    source: &LeafView<'_, [u8]>,
    slots: Range<usize>,
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
    let mut leaf = LeafMut::new(target, layout);
    leaf.copy_slots(source, slots, 0)
}

/// Where to divide a leaf to make room for `incoming`. A row above all others gets a leaf for itself, so that
/// ascending inserts leave full leaves behind.
pub(in crate::table) fn separator(
    leaf: &[u8],
    layout: &LeafLayout,
    incoming: RowId,
) -> Result<RowId, Damage> {
    let view = LeafView::new(leaf, layout)?;
    let rows = view.rows();
    if view.find(incoming).unwrap_or_else(|slot| slot) == rows {
        return Ok(incoming);
    }
    Ok(view.row_id(if rows == 1 { 0 } else { rows / 2 }))
}

/// Moves the rows from `separator` on from `left` to `right`; the tree headers are the caller's.
pub(in crate::table) fn split(
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
pub(in crate::table) fn mergeable(left: &[u8], right: &[u8], layout: &LeafLayout) -> bool {
    let (Ok(left_view), Ok(right_view)) = (LeafView::new(left, layout), LeafView::new(right, layout)) else {
        return false;
    };
    let fill = |view: &LeafView<'_, [u8]>| view.rows() * (layout.width + 9) + view.live_heap();
    let (a, b, size) = (fill(&left_view), fill(&right_view), left.len());
    a.min(b) < size * 35 / 100 && a + b < size * 80 / 100
}

/// Moves all rows of `right` to the end of `left`.
pub(in crate::table) fn merge(left: &mut [u8], right: &[u8], layout: &LeafLayout) -> Result<(), Damage> {
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
    let mut leaf = LeafMut::new(left, layout);
    leaf.copy_slots(&low, 0..low.rows(), 0)?;
    leaf.copy_slots(&high, 0..high.rows(), low.rows())
}

/// Rewrites a leaf with some slots of `source`, as densely as they allow.
fn refill(source: &LeafView<'_, [u8]>, slots: Range<usize>, target: &mut [u8]) -> Result<(), Damage> {
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
