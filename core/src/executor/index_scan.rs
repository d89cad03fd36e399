//! Reading rows in the order of an index.

use super::filter::RowFilter;
use super::index_access::{Entries, RowFetch, key_range};
use super::pipeline::{Reader, Source};
use super::resources::Query;
use crate::btree::{Cursor, Direction};
use crate::error::Result;
use crate::plan::physical::IndexScan;
use crate::types::{Chunk, VECTOR_SIZE};
use std::sync::Arc;

/// Rows of the first chunk; each later one may have twice as many. Who wants one row does not fetch a thousand.
const FIRST_ROWS: usize = 16;

/// A scan of an index.
pub(super) struct IndexSource(pub(super) IndexScan);

impl Source for IndexSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let scan = &self.0;
        let fetch = RowFetch::new(query, scan.table.storage, Some(scan.index), &scan.columns, scan.row_ids)?;
        let direction = if scan.backward { Direction::Backward } else { Direction::Forward };
        let cursor = match &fetch.index {
            Some(index) => {
                key_range(query, index, &scan.bounds)?.map(|range| index.tree.cursor(range, direction))
            }
            None => None,
        };
        Ok(Box::new(IndexReader {
            filter: RowFilter::new(query, &scan.filters)?,
            query: Arc::clone(query),
            fetch,
            cursor,
            entries: Entries::default(),
            next: 0,
            rows: FIRST_ROWS,
        }))
    }
}

struct IndexReader {
    query: Arc<Query>,
    fetch: RowFetch,
    cursor: Option<Cursor>,
    entries: Entries,
    /// The first entry whose row is still to be fetched.
    next: usize,
    rows: usize,
    filter: RowFilter,
}

impl Reader for IndexReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let (Some(cursor), Some(index)) = (&mut self.cursor, self.fetch.index.clone()) else {
            return Ok(false);
        };
        loop {
            self.query.check()?;
            if self.next == self.entries.len() {
                self.entries.clear();
                self.next = 0;
                while self.entries.len() < self.rows.min(VECTOR_SIZE)
                    && let Some(entry) = cursor.next(self.query.store().pager())?
                {
                    self.entries.push(index.row_of(entry.key), index.key_of(entry.key));
                }
                if self.entries.len() == 0 {
                    return Ok(false);
                }
                self.rows = self.rows.saturating_mul(2);
            }
            let (rows, _) = self.fetch.fetch(&self.query, &self.entries, &mut self.next)?;
            *chunk = rows;
            if self.filter.apply(chunk)? {
                return Ok(true);
            }
        }
    }
}
