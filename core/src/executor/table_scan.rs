//! Reading whole tables, or a range of their row ids, on any number of threads.
//!
//! The row ids are cut into ranges of about equally many leaves; threads take one range after the other. Filters that
//! joins have made of their kept rows are applied first, then the scan's own conditions.

use super::filter::RowFilter;
use super::index_access::row_range;
use super::pipeline::{Reader, Source};
use super::resources::Query;
use super::runtime_filter::RuntimeFilter;
use crate::error::Result;
use crate::plan::physical::{TableScan, VirtualScan};
use crate::table::{ChunkScan, RowRange, Table};
use crate::types::{Chunk, PhysicalType, Vector};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Ranges a thread takes of a table, about: enough that all threads end at about the same time.
const RANGES_A_THREAD: usize = 16;
/// Rows that a range should have at the least.
const RANGE_ROWS: f64 = 16_384.0;

/// A scan of a table.
pub(super) struct ScanSource {
    scan: TableScan,
    ranges: OnceLock<Arc<Ranges>>,
}

struct Ranges {
    table: Arc<Table>,
    list: Vec<RowRange>,
    next: AtomicUsize,
}

impl ScanSource {
    pub(super) fn new(scan: TableScan) -> Self {
        Self { scan, ranges: OnceLock::new() }
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
        self.ranges.get_or_init(|| Arc::new(Ranges { table, list, next: AtomicUsize::new(0) }));
        Ok(useful)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let known = query.runtime_filters.read();
        let filter = |(id, column): &(_, usize)| known.get(id).map(|filter| (Arc::clone(filter), *column));
        Ok(Box::new(ScanReader {
            runtime_filters: self.scan.runtime_filters.iter().filter_map(filter).collect(),
            filter: RowFilter::new(query, &self.scan.filters)?,
            ranges: self.ranges.get().map(Arc::clone),
            columns: self.scan.columns.clone(),
            row_ids: self.scan.row_ids,
            query: Arc::clone(query),
            current: None,
            hashes: Vec::new(),
            shapes: Vec::new(),
        }))
    }
}

struct ScanReader {
    query: Arc<Query>,
    ranges: Option<Arc<Ranges>>,
    columns: Vec<u16>,
    row_ids: bool,
    current: Option<ChunkScan>,
    runtime_filters: Vec<(Arc<RuntimeFilter>, usize)>,
    filter: RowFilter,
    hashes: Vec<u64>,
    shapes: Vec<PhysicalType>,
}

impl Reader for ScanReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let Some(ranges) = &self.ranges else { return Ok(false) };
        loop {
            self.query.check()?;
            let Some(scan) = &mut self.current else {
                let next = ranges.next.fetch_add(1, Ordering::Relaxed);
                let Some(&range) = ranges.list.get(next) else { return Ok(false) };
                let scan = ChunkScan::new(&self.columns, self.row_ids, range);
                self.shapes = scan.shapes(&ranges.table);
                self.current = Some(scan);
                continue;
            };
            // What the stages have left of the chunk may have other columns.
            if !chunk.columns.iter().map(Vector::physical).eq(self.shapes.iter().copied()) {
                *chunk = Chunk::new(self.shapes.iter().copied());
            }
            if !scan.next(&ranges.table, self.query.store(), &self.query.statement.view, chunk)? {
                self.current = None;
                continue;
            }
            let passes = self
                .runtime_filters
                .iter()
                .all(|(filter, column)| filter.apply(chunk, *column, &mut self.hashes));
            if passes && self.filter.apply(chunk)? {
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
