//! Reading whole tables, or a range of their row ids, on any number of threads.
//!
//! The row ids are cut into ranges of about equally many leaves; threads take one range after the other. Filters that
//! joins have made of their kept rows are applied first, then the scan's own conditions. When few rows pass, the next
//! range is read in two steps: first what filters read, then the other columns of the rows that have passed.

use super::filter::RowFilter;
use super::index_access::row_range;
use super::pipeline::{Reader, Source};
use super::progress::Share;
use super::resources::Query;
use super::runtime_filter::RuntimeFilter;
use crate::error::Result;
use crate::expr::Expr;
use crate::ids::RowId;
use crate::plan::physical::{TableScan, VirtualScan};
use crate::table::{ChunkScan, RowRange, Table};
use crate::types::{CHUNK_BYTES, Chunk, PhysicalType, Scalar, VECTOR_SIZE, Vector};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Ranges a thread takes of a table, about: enough that all threads end at about the same time.
const RANGES_A_THREAD: usize = 16;
/// Rows that a range should have at the least.
const RANGE_ROWS: f64 = 16_384.0;
/// Rows after which it is known how many pass.
const TRIAL_ROWS: usize = 8 * VECTOR_SIZE;
/// What reading a row's string costs in a scan, reading a column of fixed size or the row id being 1.
const STRING_COST: usize = 4;
/// What fetching a row by its id costs.
const FETCH_COST: usize = 160;
/// Bytes that rows waiting to be fetched may keep: each may keep the strings of the whole chunk it comes from.
const PENDING_BYTES: usize = 2 * CHUNK_BYTES;

/// A scan of a table.
pub(super) struct ScanSource {
    scan: Arc<TableScan>,
    ranges: OnceLock<Arc<Ranges>>,
    /// The rows that it reads, those it passes over too, as a part of the statement's work.
    share: Option<Arc<Share>>,
}

struct Ranges {
    table: Arc<Table>,
    list: Vec<RowRange>,
    next: AtomicUsize,
}

impl ScanSource {
    pub(super) fn new(scan: TableScan, share: Option<Arc<Share>>) -> Self {
        Self { scan: Arc::new(scan), ranges: OnceLock::new(), share }
    }
}

impl Source for ScanSource {
    fn prepare(&self, query: &Arc<Query>) -> Result<usize> {
        let table = query.store().table(self.scan.table.storage)?;
        let whole = row_range(query, &table, &self.scan.bounds)?;
        let threads = query.resources.options.threads;
        let wanted = (self.scan.scanned / RANGE_ROWS).clamp(1.0, (threads * RANGES_A_THREAD) as f64) as usize;
        let mut list = Vec::new();
        if let Some(whole) = whole {
            let cut = if wanted > 1 { table.ranges(query.store(), wanted)? } else { vec![RowRange::ALL] };
            let part = |range: RowRange| RowRange {
                first: range.first.max(whole.first),
                last: range.last.min(whole.last),
            };
            list = cut.into_iter().map(part).filter(|range| !range.is_empty()).collect();
        }
        let useful = list.len();
        if useful == 0 {
            self.share.iter().for_each(|share| share.finish());
        }
        self.ranges.get_or_init(|| Arc::new(Ranges { table, list, next: AtomicUsize::new(0) }));
        Ok(useful)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let known = query.runtime_filters.read();
        let filter = |(id, column): &(_, usize)| known.get(id).map(|filter| (Arc::clone(filter), *column));
        let runtime: Vec<_> = self.scan.runtime_filters.iter().filter_map(filter).collect();
        let ranges = self.ranges.get().map(Arc::clone);
        Ok(Box::new(ScanReader {
            filters: Filters::new(query, runtime, &self.scan.filters)?,
            scan: Arc::clone(&self.scan),
            query: Arc::clone(query),
            ranges,
            share: self.share.clone(),
            tally: Tally::default(),
            lazy: None,
            current: None,
            way: None,
            shapes: Vec::new(),
        }))
    }
}

/// What rows have to pass.
struct Filters {
    runtime: Vec<Tried>,
    conditions: RowFilter,
    hashes: Vec<u64>,
}

/// How many rows have passed.
#[derive(Default)]
struct Tally {
    seen: usize,
    /// Those that passed the filters of joins.
    joined: usize,
    /// Those that passed all.
    passed: usize,
}

/// A filter of a join, with its success so far.
struct Tried {
    filter: Arc<RuntimeFilter>,
    column: usize,
    seen: usize,
    passed: usize,
}

impl Filters {
    fn new(
        query: &Arc<Query>,
        runtime: Vec<(Arc<RuntimeFilter>, usize)>,
        conditions: &[Expr],
    ) -> Result<Self> {
        let tried = |(filter, column)| Tried { filter, column, seen: 0, passed: 0 };
        Ok(Self {
            runtime: runtime.into_iter().map(tried).collect(),
            conditions: RowFilter::new(query, conditions)?,
            hashes: Vec::new(),
        })
    }

    /// Leaves the rows selected that pass; whether there are any.
    fn apply(&mut self, chunk: &mut Chunk, tally: &mut Tally) -> Result<bool> {
        tally.seen += chunk.count();
        for tried in &mut self.runtime {
            tried.seen += chunk.count();
            let any = tried.filter.apply(chunk, tried.column, &mut self.hashes);
            tried.passed += chunk.count();
            if !any {
                return Ok(false);
            }
        }
        // The join finds out anyway: a filter that nearly all rows pass is not worth its price.
        self.runtime.retain(|tried| tried.seen < TRIAL_ROWS || tried.passed < tried.seen / 8 * 7);
        tally.joined += chunk.count();
        let any = self.conditions.apply(chunk)?;
        tally.passed += chunk.count();
        Ok(any)
    }
}

/// A way to scan in two steps: columns that no early filter reads are fetched for the rows alone that have passed.
struct Lazy {
    /// The columns that early filters read.
    columns: Vec<u16>,
    shapes: Vec<PhysicalType>,
    filters: Filters,
    /// By column, where it belongs in the output.
    places: Vec<usize>,
    late: Vec<u16>,
    late_shapes: Vec<PhysicalType>,
    late_places: Vec<usize>,
    /// Of the output; the conditions that are not early.
    late_conditions: RowFilter,
    /// What rows have to pass early is that of joins alone.
    only_joins: bool,
    chunk: Chunk,
    /// Rows that wait to be fetched: the filters' columns and the row ids.
    pending: Chunk,
    /// How many of them have been.
    fetched: usize,
    /// Those that `pending` had no room for.
    next_pending: Chunk,
}

fn scan_cost(shapes: &[PhysicalType]) -> usize {
    shapes.iter().map(|shape| if *shape == PhysicalType::Bytes { STRING_COST } else { 1 }).sum()
}

impl Lazy {
    /// The ways there are: by the filters of joins alone, and by all.
    fn ways(query: &Arc<Query>, scan: &TableScan, filters: &Filters, table: &Table) -> Result<Vec<Self>> {
        let runtime: Vec<_> =
            filters.runtime.iter().map(|tried| (Arc::clone(&tried.filter), tried.column)).collect();
        let mut ways = Vec::new();
        ways.extend(Self::new(query, scan, &runtime, &[], table)?);
        if !scan.filters.is_empty() {
            ways.extend(Self::new(query, scan, &runtime, &scan.filters, table)?);
        }
        Ok(ways)
    }

    /// The way with these conditions early. `None` if there is no early filter or no column beyond those they read.
    fn new(
        query: &Arc<Query>,
        scan: &TableScan,
        runtime: &[(Arc<RuntimeFilter>, usize)],
        early: &[Expr],
        table: &Table,
    ) -> Result<Option<Self>> {
        let read = |column: &usize| {
            let by_condition = early.iter().any(|condition| condition.columns().contains(column));
            by_condition || runtime.iter().any(|(_, other)| other == column)
        };
        let (places, late_places): (Vec<usize>, Vec<usize>) = (0..scan.columns.len()).partition(read);
        let reads_row_ids = scan.filters.iter().any(|expr| expr.columns().contains(&scan.columns.len()));
        if places.is_empty() || late_places.is_empty() || reads_row_ids {
            return Ok(None);
        }
        let moved = |column: usize| places.iter().position(|&place| place == column).unwrap_or(column);
        let mut conditions = early.to_vec();
        conditions.iter_mut().for_each(|condition| condition.remap_columns(&mut |column| moved(column)));
        let runtime = runtime.iter().map(|(filter, column)| (Arc::clone(filter), moved(*column))).collect();
        let columns: Vec<u16> = places.iter().map(|&place| scan.columns[place]).collect();
        let late: Vec<u16> = late_places.iter().map(|&place| scan.columns[place]).collect();
        let only_joins = early.is_empty();
        Ok(Some(Self {
            shapes: ChunkScan::new(&columns, true, RowRange::ALL).shapes(table),
            columns,
            filters: Filters::new(query, runtime, &conditions)?,
            places,
            late_shapes: ChunkScan::new(&late, false, RowRange::ALL).shapes(table),
            late,
            late_places,
            late_conditions: RowFilter::new(query, if only_joins { &scan.filters } else { &[] })?,
            only_joins,
            chunk: Chunk::default(),
            pending: Chunk::default(),
            fetched: 0,
            next_pending: Chunk::default(),
        }))
    }

    /// What a row costs this way, by what is known of those seen.
    fn cost(&self, known: &Tally) -> usize {
        let fetched = if self.only_joins { known.joined } else { known.passed };
        scan_cost(&self.shapes) + (FETCH_COST + scan_cost(&self.late_shapes)) * fetched / known.seen.max(1)
    }

    /// Applies what conditions are left to fetched rows, which have been counted as if they passed.
    fn finish(&mut self, fetched: &mut Chunk, tally: &mut Tally) -> Result<bool> {
        let before = fetched.count();
        let any = self.late_conditions.apply(fetched)?;
        tally.passed -= before - fetched.count();
        Ok(any)
    }

    /// Adds the rows that have passed to the pending ones; whether there are enough of these to be fetched.
    fn collect(&mut self) -> bool {
        if self.pending.len == 0 {
            self.pending = Chunk::new(self.shapes.iter().copied());
        }
        let taken = self.pending.append(&self.chunk, 0);
        if taken < self.chunk.count() {
            // More than is expected: the first go out, the others wait.
            self.next_pending = Chunk::new(self.shapes.iter().copied());
            self.next_pending.append(&self.chunk, taken);
        }
        self.pending.len >= VECTOR_SIZE / 2 || self.pending.string_bytes() >= PENDING_BYTES
    }

    /// Makes `out` pending rows with all their columns: all that there are, unless they have too long strings.
    fn fetch(&mut self, query: &Query, table: &Table, row_ids: bool, out: &mut Chunk) -> Result<()> {
        let (start, pending) = (self.fetched, &self.pending);
        let ids = pending.columns.last();
        let rows: Vec<RowId> = (start..pending.len)
            .filter_map(|row| match ids?.scalar(row) {
                Scalar::I64(id) => Some(RowId(id.cast_unsigned())),
                _ => None,
            })
            .collect();
        let mut late = Chunk::new(self.late_shapes.iter().copied());
        let mut found = Vec::new();
        let view = &query.statement.view;
        let done = table.fetch(query.store(), view, &rows, &self.late, &mut late, &mut found)?;
        let mut columns: Vec<Vector> =
            vec![Vector::new(PhysicalType::Bool); self.places.len() + self.late.len()];
        // A view sees the same rows as long as it lives: all are found that are looked for.
        let kept: Arc<[u16]> = found.iter().map(|&row| (start + row) as u16).collect();
        let is_part = found.len() < pending.len;
        let early = pending.columns.iter();
        let mut early = early.map(|column| if is_part { column.select(&kept) } else { column.clone() });
        for (&place, column) in self.places.iter().zip(early.by_ref()) {
            columns[place] = column;
        }
        for (&place, column) in self.late_places.iter().zip(late.columns) {
            columns[place] = column;
        }
        columns.extend(early.filter(|_| row_ids));
        self.fetched += done;
        if self.fetched == self.pending.len {
            self.pending = std::mem::take(&mut self.next_pending);
            self.fetched = 0;
        }
        *out = Chunk { len: found.len(), selection: None, columns };
        Ok(())
    }
}

struct ScanReader {
    query: Arc<Query>,
    ranges: Option<Arc<Ranges>>,
    scan: Arc<TableScan>,
    filters: Filters,
    share: Option<Arc<Share>>,
    tally: Tally,
    /// Made when it is known how many rows pass: a small scan never asks.
    lazy: Option<Vec<Lazy>>,
    current: Option<ChunkScan>,
    /// The one of `lazy` by which the current range is read; `None` if all columns are read at once.
    way: Option<usize>,
    shapes: Vec<PhysicalType>,
}

impl ScanReader {
    /// Begins with the next range; false if there is none.
    fn begin(&mut self, ranges: &Ranges) -> Result<bool> {
        let next = ranges.next.fetch_add(1, Ordering::Relaxed);
        let Some(&range) = ranges.list.get(next) else {
            self.share.iter().for_each(|share| share.finish());
            return Ok(false);
        };
        let whole = ChunkScan::new(&self.scan.columns, self.scan.row_ids, range);
        self.shapes = whole.shapes(&ranges.table);
        self.way = None;
        self.current = Some(whole);
        if self.tally.seen >= TRIAL_ROWS {
            let ways = match &mut self.lazy {
                Some(ways) => ways,
                none => none.insert(Lazy::ways(&self.query, &self.scan, &self.filters, &ranges.table)?),
            };
            let costs = ways.iter().map(|lazy| lazy.cost(&self.tally)).enumerate();
            let best = costs.min_by_key(|&(_, cost)| cost);
            self.way = best.filter(|&(_, cost)| cost < scan_cost(&self.shapes)).map(|(way, _)| way);
            if let Some(way) = self.way {
                self.current = Some(ChunkScan::new(&ways[way].columns, true, range));
            }
        }
        Ok(true)
    }

    /// Whether rows wait to be fetched, though the range may have ended.
    fn has_pending(&self) -> bool {
        let ways = self.lazy.as_deref().unwrap_or_default();
        self.way.and_then(|way| ways.get(way)).is_some_and(|way| way.pending.len > 0)
    }

    /// Reads on in two steps until enough rows wait or the range ends; whether `chunk` has rows.
    fn next_fetched(&mut self, way: usize, table: &Table, chunk: &mut Chunk) -> Result<bool> {
        let ways = self.lazy.as_mut().and_then(|ways| ways.get_mut(way));
        let Some(lazy) = ways else { return Ok(false) };
        let view = &self.query.statement.view;
        while lazy.fetched == 0
            && let Some(scan) = &mut self.current
        {
            self.query.check()?;
            prepare(&mut lazy.chunk, &lazy.shapes);
            if !scan.next(table, self.query.store(), view, &mut lazy.chunk)? {
                self.current = None;
                break;
            }
            self.share.iter().for_each(|share| share.advance(lazy.chunk.len as u64));
            if lazy.filters.apply(&mut lazy.chunk, &mut self.tally)? && lazy.collect() {
                break;
            }
        }
        if lazy.pending.len == 0 {
            return Ok(false);
        }
        lazy.fetch(&self.query, table, self.scan.row_ids, chunk)?;
        lazy.finish(chunk, &mut self.tally)
    }
}

/// What the stages have left of a chunk may have other columns.
fn prepare(chunk: &mut Chunk, shapes: &[PhysicalType]) {
    if !chunk.columns.iter().map(Vector::physical).eq(shapes.iter().copied()) {
        *chunk = Chunk::new(shapes.iter().copied());
    }
}

impl Reader for ScanReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let Some(ranges) = self.ranges.clone() else { return Ok(false) };
        loop {
            self.query.check()?;
            if self.current.is_none() && !self.has_pending() && !self.begin(&ranges)? {
                return Ok(false);
            }
            if let Some(way) = self.way {
                if self.next_fetched(way, &ranges.table, chunk)? {
                    return Ok(true);
                }
                continue;
            }
            let Some(scan) = &mut self.current else { return Ok(false) };
            prepare(chunk, &self.shapes);
            if !scan.next(&ranges.table, self.query.store(), &self.query.statement.view, chunk)? {
                self.current = None;
                continue;
            }
            self.share.iter().for_each(|share| share.advance(chunk.len as u64));
            if self.filters.apply(chunk, &mut self.tally)? {
                return Ok(true);
            }
        }
    }
}

/// A scan of a table that the engine makes up.
pub(super) struct VirtualSource(pub(super) VirtualScan);

impl Source for VirtualSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let rows = query.statement.virtual_tables.rows(self.0.table.storage, &self.0.columns)?;
        Ok(Box::new(VirtualReader {
            rows: rows.into_iter(),
            filter: RowFilter::new(query, &self.0.filters)?,
        }))
    }
}

struct VirtualReader {
    rows: std::vec::IntoIter<Chunk>,
    filter: RowFilter,
}

impl Reader for VirtualReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        for mut next in self.rows.by_ref() {
            if self.filter.apply(&mut next)? {
                *chunk = next;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
