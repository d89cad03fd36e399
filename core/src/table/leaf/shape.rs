//! The shape of a leaf: how many rows it has places for, when it is rebuilt, split or merged.

use super::{
    CAPACITY, FIRST, FLAGS, HEAP_TOP, Header, INLINE, LeafLayout, LeafMut, LeafView, MAX_GAP, ROWS, SCHEMA,
};
use crate::btree::{Damage, LEAF_BODY};
use crate::codec::row::Cell;
use crate::ids::RowId;
use crate::types::{PhysicalType, Scalar};

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
        rebuild(leaf, layout, rows, dense)?;
        return Ok(Room::Fits);
    }
    Ok(Room::Full)
}

/// Rewrites a leaf with another capacity, and with its ids stored unless `dense`; its rows and heap must fit.
pub(super) fn rebuild(
    leaf: &mut [u8],
    layout: &LeafLayout,
    capacity: usize,
    dense: bool,
) -> Result<(), Damage> {
    let source = leaf.to_vec();
    let view = LeafView::new(&*source, layout)?;
    let slots: Vec<usize> = (0..view.rows()).filter(|&slot| view.is_used(slot)).collect();
    if dense && view.header.dense && view.rows() <= capacity {
        // Whoever has found a slot finds its row there afterwards: unused slots stay.
        let (schema, first) = (view.schema(), view.header.first);
        write_rows(leaf, layout, schema, first, capacity, true, &[(&view, &slots)])?;
        leaf[ROWS..ROWS + 2].copy_from_slice(&(view.rows() as u16).to_le_bytes());
        return Ok(());
    }
    let ends = slots.first().zip(slots.last()).map(|(&a, &b)| (view.row_id(a).0, view.row_id(b).0));
    let (first, span) = ends.map_or((view.header.first, 0), |(a, b)| (a, b.wrapping_sub(a) as usize));
    let dense = dense && (slots.is_empty() || span < capacity);
    write_rows(leaf, layout, view.schema(), first, capacity, dense, &[(&view, &slots)])
}

/// Makes a page a leaf of this shape that holds some slots of other leaves, ascending.
fn write_rows(
    target: &mut [u8],
    layout: &LeafLayout,
    schema: u32,
    first: u64,
    capacity: usize,
    dense: bool,
    sources: &[(&LeafView<'_, [u8]>, &[usize])],
) -> Result<(), Damage> {
    let size = target.len();
    let count: usize = sources.iter().map(|(_, slots)| slots.len()).sum();
    if count > capacity || layout.fixed_end(capacity, dense) > size {
        return Err(Damage("rows do not fit the leaf they should"));
    }
    write_header(target, schema, first, capacity, dense, size);
    let mut leaf = LeafMut::new(target, layout);
    let mut next = 0;
    for (source, slots) in sources {
        for &from in *slots {
            let row = source.row_id(from);
            let to = if dense { row.0.wrapping_sub(first) as usize } else { next };
            leaf.place(to, row, source, from)?;
            next = to + 1;
        }
    }
    Ok(())
}

/// The capacity and density that suit `count` rows over `span` ids, with `heap` bytes of strings.
fn shape_for(layout: &LeafLayout, size: usize, count: usize, span: usize, heap: usize) -> (usize, bool) {
    let fits = |capacity: usize, dense| layout.fixed_end(capacity, dense).saturating_add(heap) <= size;
    let slots = span.saturating_add(1);
    let dense =
        slots < size && fits(slots, true) && layout.fixed_end(slots, true) <= layout.fixed_end(count, false);
    let needed = if dense { slots } else { count };
    let roomy = layout.capacity_for(size, heap.div_ceil(needed.max(1)), dense);
    (roomy.max(needed), dense)
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
        let slots: Vec<usize> = slots.filter(|&slot| view.is_used(slot)).collect();
        let Some((&low, &high)) = slots.first().zip(slots.last()) else {
            init(target, layout, view.schema(), first, heap);
            continue;
        };
        let needed: usize = slots.iter().map(|&slot| slot_heap(&view, slot)).sum();
        let span = view.row_id(high).0.wrapping_sub(view.row_id(low).0) as usize;
        let (capacity, dense) = shape_for(layout, target.len(), slots.len(), span, needed);
        let first = view.row_id(low).0;
        write_rows(target, layout, view.schema(), first, capacity, dense, &[(&view, &slots)])?;
    }
    Ok(())
}

/// Whether two neighbours have too few rows for two leaves.
pub(in crate::table) fn mergeable(left: &[u8], right: &[u8], layout: &LeafLayout) -> bool {
    let (Ok(left_view), Ok(right_view)) = (LeafView::new(left, layout), LeafView::new(right, layout)) else {
        return false;
    };
    let fill = |view: &LeafView<'_, [u8]>| {
        let used = (0..view.rows()).filter(|&slot| view.is_used(slot)).count();
        used * (layout.width + 9) + view.live_heap()
    };
    let (a, b, size) = (fill(&left_view), fill(&right_view), left.len());
    a.min(b) < size * 35 / 100 && a + b < size * 80 / 100
}

/// Moves all rows of `right` to the end of `left`.
pub(in crate::table) fn merge(left: &mut [u8], right: &[u8], layout: &LeafLayout) -> Result<(), Damage> {
    let source = left.to_vec();
    let views = [LeafView::new(&*source, layout)?, LeafView::new(right, layout)?];
    let slots = views.map(|view| (0..view.rows()).filter(|&slot| view.is_used(slot)).collect::<Vec<_>>());
    let count = slots[0].len() + slots[1].len();
    let ids =
        views.iter().zip(&slots).flat_map(|(view, slots)| slots.iter().map(|&slot| view.row_id(slot).0));
    let (first, last) = ids.fold((u64::MAX, 0), |(first, last), id| (first.min(id), last.max(id)));
    if count == 0 {
        return Ok(());
    }
    let heap = views[0].live_heap() + views[1].live_heap();
    let (capacity, dense) = shape_for(layout, left.len(), count, (last - first) as usize, heap);
    if layout.fixed_end(capacity, dense).saturating_add(heap) > left.len() {
        return Err(Damage("two leaves to be merged do not fit one"));
    }
    let sources = [(&views[0], &*slots[0]), (&views[1], &*slots[1])];
    write_rows(left, layout, views[0].schema(), first, capacity, dense, &sources)
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
