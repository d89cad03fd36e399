//! Reading rows chunk by chunk: the way of analytical queries into a table.
//!
//! ```text
//!   leaf 1  |a a a a|b b b b|c c c c|       chunk   a: a a a a a a a a a ..   one copy a column and run of rows
//!   leaf 2  |a a a|b b b|c c c|       -->           b: b b b b b b b b b ..
//!   ..      (about 14 leaves)                       row ids, if asked for
//! ```
//! A leaf that nothing hangs beside, or of whose versions the view sees the newest, is copied in runs of live rows.
//! In any other each row is resolved, and those that changed since are put together from their undo records.
//!
//! A walk holds at most one leaf, shared, and nothing between two chunks. Long values are brought in when the leaf is
//! released; they stay while a snapshot that sees them is in use. A chunk ends early when its strings are
//! [`CHUNK_BYTES`] together, if need be in the middle of a leaf: rows may have strings of many megabytes.

use super::leaf::{LeafView, LongValue, append_cell};
use super::read::Image;
use super::{Store, Table, corrupt, overflow, versions_of_read};
use crate::btree::{Fences, NextLeaf};
use crate::error::Result;
use crate::ids::RowId;
use crate::pager::{Attempt, ReadGuard};
use crate::transaction::{ReadView, Resolution};
use crate::types::{CHUNK_BYTES, Chunk, FlatVector, PhysicalType, VECTOR_SIZE, Vector};
use std::ops::Range;

/// Row ids from one to another, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowRange {
    /// The least.
    pub first: RowId,
    /// The greatest.
    pub last: RowId,
}

impl RowRange {
    /// All rows.
    pub const ALL: Self = Self { first: RowId(0), last: RowId(u64::MAX) };

    /// Whether there is no row in it.
    pub fn is_empty(&self) -> bool {
        self.first > self.last
    }
}

/// Where a walk goes on.
#[derive(Clone, Copy)]
enum Place {
    Row(RowId),
    Leaf(NextLeaf),
}

/// Rows of a leaf that go to a chunk.
enum Part<'a> {
    /// Slots as the page has them.
    Run(Range<usize>),
    /// One row as it was.
    Image(Image<'a>),
}

/// A walk over the rows of a range.
pub struct ChunkScan {
    columns: Box<[u16]>,
    with_row_ids: bool,
    last: RowId,
    place: Option<Place>,
    long: LongValues,
}

/// The long values of a chunk that are to be brought in.
struct LongValues {
    /// By column of the chunk, in the order of rows.
    columns: Vec<Vec<LongValue>>,
    /// What they are together.
    bytes: usize,
    /// A row had to be left to the next chunk.
    is_full: bool,
}

impl LongValues {
    fn new(columns: usize) -> Self {
        Self { columns: vec![Vec::new(); columns], bytes: 0, is_full: false }
    }

    /// Counts the values of the chunk's rows added last, and forgets those of rows for which there is no room. Returns
    /// where the rows end that stay; the first of a chunk always does.
    fn admit(&mut self, rows: Range<usize>) -> usize {
        let bytes = self.bytes + self.lengths_from(rows.start).map(|(_, length)| length).sum::<usize>();
        if bytes <= CHUNK_BYTES {
            self.bytes = bytes;
            return rows.end;
        }
        let mut lengths = vec![0; rows.len()];
        self.lengths_from(rows.start).for_each(|(row, length)| lengths[row - rows.start] += length);
        let mut end = rows.start;
        for length in lengths {
            if end > 0 && self.bytes + length > CHUNK_BYTES {
                break;
            }
            self.bytes += length;
            end += 1;
        }
        self.columns.iter_mut().for_each(|values| values.retain(|(row, _)| *row < end));
        self.is_full = true;
        end
    }

    /// The rows from `first` on that have long values, and their lengths.
    fn lengths_from(&self, first: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let newest = move |values: &'_ Vec<LongValue>| values.partition_point(|(row, _)| *row < first);
        let values = self.columns.iter().flat_map(move |values| &values[newest(values)..]);
        values.map(|(row, value)| (*row, value.length as usize))
    }

    /// Replaces the empty strings that stand for them.
    fn bring_in(&mut self, store: &Store, chunk: &mut Chunk) -> Result<()> {
        let mut bytes = Vec::new();
        for (column, values) in self.columns.iter_mut().enumerate() {
            for (row, value) in values.drain(..) {
                store.pager().retry(|| {
                    bytes.clear();
                    overflow::read(store.pager(), value, &mut bytes)
                })?;
                flat(chunk, column).set_bytes(row, &bytes);
            }
        }
        (self.bytes, self.is_full) = (0, false);
        Ok(())
    }
}

impl ChunkScan {
    /// A walk that reads some columns and, as the last column of the chunk, perhaps the row ids: their bits as a
    /// `bigint`.
    pub fn new(columns: &[u16], with_row_ids: bool, range: RowRange) -> Self {
        Self {
            columns: columns.into(),
            with_row_ids,
            last: range.last,
            place: (!range.is_empty()).then_some(Place::Row(range.first)),
            long: LongValues::new(columns.len()),
        }
    }

    /// The shapes of the chunks.
    pub fn shapes(&self, table: &Table) -> Vec<PhysicalType> {
        let columns = self.columns.iter().map(|&column| table.layout().columns()[usize::from(column)]);
        columns.chain(self.with_row_ids.then_some(PhysicalType::I64)).collect()
    }

    /// Fills `chunk`, whose columns have the shapes of [`Self::shapes`], with the next rows that `view` sees; false
    /// if there are no more.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn next(&mut self, table: &Table, store: &Store, view: &ReadView, chunk: &mut Chunk) -> Result<bool> {
        chunk.reset();
        while !self.long.is_full
            && !chunk.is_full()
            && let Some(place) = self.place
        {
            self.place = store.pager().retry(|| {
                let guard = match place {
                    Place::Row(row) => table.tree.find_shared(store.pager(), row)?,
                    Place::Leaf(leaf) => table.tree.find_next(store.pager(), leaf)?,
                };
                self.read_leaf(table, store, view, &guard, place, chunk)
            })?;
        }
        self.long.bring_in(store, chunk)?;
        Ok(chunk.len > 0)
    }

    /// Appends the rows of a leaf as far as there is room; returns where to go on.
    fn read_leaf(
        &mut self,
        table: &Table,
        store: &Store,
        view: &ReadView,
        guard: &ReadGuard<'_>,
        place: Place,
        chunk: &mut Chunk,
    ) -> Attempt<Option<Place>> {
        let leaf = table.view(guard, guard.page_id())?;
        let start = match place {
            Place::Row(row) => leaf.find(row).unwrap_or_else(|slot| slot),
            Place::Leaf(_) => 0,
        };
        let fences = Fences::of(&**guard);
        let end = if fences.last <= self.last {
            leaf.rows()
        } else {
            leaf.find(self.last).map_or_else(|slot| slot, |slot| slot + 1)
        };
        let mut parts = Vec::new();
        let room = VECTOR_SIZE - chunk.len;
        let next = visible_parts(table, store, view, guard, &leaf, start..end.max(start), room, &mut parts)?;
        for (index, &column) in self.columns.iter().enumerate() {
            let out = flat(chunk, index);
            append_parts(&leaf, guard, usize::from(column), &parts, out, &mut self.long.columns[index])?;
        }
        if self.with_row_ids {
            append_row_ids(&leaf, &parts, flat(chunk, self.columns.len()));
        }
        let rows = chunk.len..chunk.len + parts.iter().map(Part::rows).sum::<usize>();
        chunk.len = rows.end;
        let end_of_chunk = self.long.admit(rows.clone());
        if end_of_chunk < rows.end {
            chunk.truncate(end_of_chunk);
            return Ok(slots_of(&parts)
                .nth(end_of_chunk - rows.start)
                .map(|slot| Place::Row(leaf.row_id(slot))));
        }
        Ok(match () {
            () if next < end => Some(Place::Row(leaf.row_id(next))),
            () if fences.last >= self.last => None,
            () => NextLeaf::after(&**guard).map(Place::Leaf),
        })
    }
}

impl Part<'_> {
    fn rows(&self) -> usize {
        match self {
            Self::Run(slots) => slots.len(),
            Self::Image(_) => 1,
        }
    }
}

/// The rows of some slots that `view` sees, up to `room`, and the first slot not looked at.
#[expect(clippy::too_many_arguments, reason = "the leaf, the view and the part of it")]
fn visible_parts<'a>(
    table: &Table,
    store: &Store,
    view: &ReadView,
    guard: &ReadGuard<'_>,
    leaf: &'a LeafView<'a, [u8]>,
    slots: Range<usize>,
    room: usize,
    parts: &mut Vec<Part<'a>>,
) -> Attempt<usize> {
    let statuses = store.transactions().statuses();
    let versions = versions_of_read(guard).filter(|versions| !versions.all_current(view, statuses));
    let Some(versions) = versions else {
        if slots.len() == 1 {
            parts.extend(leaf.is_alive(slots.start).then(|| Part::Run(slots.clone())));
            return Ok(slots.end);
        }
        let mut runs = Vec::new();
        let next = leaf.alive_runs(slots, room, &mut runs);
        parts.extend(runs.into_iter().map(Part::Run));
        return Ok(next);
    };
    let mut rows = 0;
    for slot in slots.clone() {
        if rows == room {
            return Ok(slot);
        }
        match versions.resolve(leaf.row_id(slot), view, statuses) {
            Resolution::Absent => continue,
            Resolution::Current if !leaf.is_alive(slot) => continue,
            Resolution::Current => match parts.last_mut() {
                Some(Part::Run(run)) if run.end == slot => run.end += 1,
                Some(_) | None => parts.push(Part::Run(slot..slot + 1)),
            },
            Resolution::Undo(records) => {
                let mut image = Image::current(leaf, slot);
                if !records.iter().all(|record| image.take_back(table, record)) || !image.is_alive() {
                    continue;
                }
                parts.push(Part::Image(image));
            }
        }
        rows += 1;
    }
    Ok(slots.end)
}

fn append_parts(
    leaf: &LeafView<'_, [u8]>,
    guard: &ReadGuard<'_>,
    column: usize,
    parts: &[Part<'_>],
    out: &mut FlatVector,
    long: &mut Vec<LongValue>,
) -> Attempt<()> {
    for part in parts {
        match part {
            Part::Run(slots) => leaf
                .append_column(column, slots.clone(), out, long)
                .map_err(|damage| corrupt(guard.page_id(), damage))?,
            Part::Image(image) => append_cell(image.cell(column)?, out, long),
        }
    }
    Ok(())
}

fn append_row_ids(leaf: &LeafView<'_, [u8]>, parts: &[Part<'_>], out: &mut FlatVector) {
    let (ids, _) = out.extend_bytes(parts.iter().map(Part::rows).sum()).as_chunks_mut::<8>();
    for (id, slot) in ids.iter_mut().zip(slots_of(parts)) {
        *id = leaf.row_id(slot).0.to_ne_bytes();
    }
}

/// The slots of the rows.
fn slots_of<'a>(parts: &'a [Part<'_>]) -> impl Iterator<Item = usize> + 'a {
    parts.iter().flat_map(|part| match part {
        Part::Run(slots) => slots.clone(),
        Part::Image(image) => image.slot()..image.slot() + 1,
    })
}

fn flat(chunk: &mut Chunk, column: usize) -> &mut FlatVector {
    match &mut chunk.columns[column] {
        Vector::Flat(flat) => flat,
        other => other.writer(),
    }
}

impl Table {
    /// About how many leaves and rows there are.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn estimate_size(&self, store: &Store) -> Result<(f64, f64)> {
        let leaves = store.pager().retry(|| self.tree.estimate_leaves(store.pager()))?;
        let middle = self.ranges(store, 2)?.last().map_or(RowId(0), |range| range.first);
        let rows = store.pager().retry(|| {
            let guard = self.tree.find_shared(store.pager(), middle)?;
            Ok(self.view(&guard, guard.page_id())?.rows())
        })?;
        Ok((leaves, leaves * rows as f64))
    }

    /// Cuts all row ids into at most `pieces` ranges with about equally many rows, for threads to take in turn.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn ranges(&self, store: &Store, pieces: usize) -> Result<Vec<RowRange>> {
        let points = store.pager().retry(|| self.tree.split_points(store.pager(), pieces))?;
        let firsts = std::iter::once(RowRange::ALL.first).chain(points.iter().copied());
        let lasts = points.iter().map(|point| RowId(point.0 - 1)).chain([RowRange::ALL.last]);
        Ok(firsts.zip(lasts).map(|(first, last)| RowRange { first, last }).collect())
    }

    /// Appends the rows of these ids that `view` sees to `chunk`, whose columns are as for a [`ChunkScan`] of
    /// `columns`, and the places in `rows` of those it found to `found`. Neighbours in one leaf are read together.
    /// Returns how many of `rows` it has looked for: one at least, and fewer than all if their strings fill the chunk.
    ///
    /// # Errors
    /// I/O errors and damage.
    ///
    /// # Panics
    /// If there are more rows than the chunk has room for.
    pub fn fetch(
        &self,
        store: &Store,
        view: &ReadView,
        rows: &[RowId],
        columns: &[u16],
        chunk: &mut Chunk,
        found: &mut Vec<usize>,
    ) -> Result<usize> {
        assert!(chunk.len + rows.len() <= VECTOR_SIZE);
        let mut long = LongValues::new(columns.len());
        let is_string = |&column: &u16| self.layout().columns()[usize::from(column)] == PhysicalType::Bytes;
        let has_strings = columns.iter().any(is_string);
        let mut done = 0;
        while done < rows.len() && !long.is_full && !(has_strings && chunk.is_full()) {
            done = store.pager().retry(|| {
                let guard = self.tree.find_shared(store.pager(), rows[done])?;
                let leaf = self.view(&guard, guard.page_id())?;
                let fences = Fences::of(&*guard);
                let here = rows[done..].iter().take_while(|&&row| fences.cover(row)).count();
                let mut parts = Vec::new();
                for (at, &row) in rows[done..done + here].iter().enumerate() {
                    let Ok(slot) = leaf.find(row) else { continue };
                    let before = parts.len();
                    visible_parts(self, store, view, &guard, &leaf, slot..slot + 1, 1, &mut parts)?;
                    if parts.len() > before {
                        found.push(done + at);
                    }
                }
                for (index, &column) in columns.iter().enumerate() {
                    let (column, out) = (usize::from(column), flat(chunk, index));
                    append_parts(&leaf, &guard, column, &parts, out, &mut long.columns[index])?;
                }
                if chunk.columns.len() > columns.len() {
                    append_row_ids(&leaf, &parts, flat(chunk, columns.len()));
                }
                let added = chunk.len..chunk.len + parts.len();
                chunk.len = added.end;
                let end = long.admit(added.clone());
                if end == added.end {
                    return Ok(done + here);
                }
                // Each part is a row, the last of those found.
                chunk.truncate(end);
                let left = found.split_off(found.len() - (added.end - end));
                Ok(left[0])
            })?;
        }
        long.bring_in(store, chunk)?;
        Ok(done)
    }
}
