//! TRUNCATE, ANALYZE, VACUUM and CHECKPOINT.

use super::{Session, Started};
use crate::catalog::{ColumnStatistics, TableEntry, TableStatistics};
use crate::error::{Result, TransactionError};
use crate::parser::ast::VacuumOptions;
use crate::table::{ChunkScan, RowRange, Table};
use crate::transaction::{ReadView, TableLockMode};
use crate::types::{Chunk, DataType, VECTOR_SIZE, Value, Vector};
use crate::vfs::Rng;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows that ANALYZE looks at: enough for the bounds of a hundred buckets, after Chaudhuri, Motwani and Narasayya,
/// *Random sampling for histogram construction* (1998).
const SAMPLE: usize = 30_000;
/// Buckets of equal numbers of rows, and most common values.
const BUCKETS: usize = 100;
/// Longer values are not kept in statistics.
const MAX_KEPT: usize = 256;

impl Session {
    pub(super) fn truncate(&mut self, tables: &[Arc<TableEntry>]) -> Result<Started> {
        self.check_writable("TRUNCATE TABLE")?;
        for table in tables {
            self.lock_table(table.oid, TableLockMode::AccessExclusive)?;
            let mut entry = (*self.known(table)?).clone();
            let old = entry.storage;
            entry.storage = self.store.allocate_object();
            for index in &mut entry.indexes {
                index.oid = self.store.allocate_object();
            }
            entry.statistics = None;
            self.in_transaction(|session, tx| {
                let entry = session.put_entry(tx, entry)?;
                session.make_storage(tx, &entry)?;
                session.store.drop_at_commit(tx, old)
            })?;
        }
        Ok(Started::done(Arc::default(), "TRUNCATE TABLE", 0))
    }

    pub(super) fn analyze(&mut self, tables: Vec<(Arc<TableEntry>, Vec<u16>)>) -> Result<Started> {
        for (table, columns) in tables {
            self.analyze_table(&table, &columns)?;
        }
        Ok(Started::done(Arc::default(), "ANALYZE", 0))
    }

    /// Collects statistics of some columns of a table, or of all.
    pub(super) fn analyze_table(&mut self, table: &TableEntry, columns: &[u16]) -> Result<()> {
        self.lock_table(table.oid, TableLockMode::ShareUpdateExclusive)?;
        let entry = self.known(table)?;
        let storage = self.store.table(entry.storage)?;
        let view = self.in_transaction(|_, tx| Ok(tx.view()))?;
        let (leaves, rows) = storage.estimate_size(&self.store)?;
        let sample = self.sample(&storage, &view, rows)?;
        let rows = sample.rows;
        let known = entry.statistics.as_ref();
        let column = |(number, column): (usize, &crate::catalog::ColumnEntry)| {
            let wanted = columns.is_empty() || columns.iter().any(|&wanted| usize::from(wanted) == number);
            match known.and_then(|known| known.columns.get(number)).filter(|_| !wanted) {
                Some(kept) => kept.clone(),
                None => describe(sample.chunks.iter(), number, &column.ty, rows),
            }
        };
        let statistics = TableStatistics {
            rows: rows as u64,
            pages: leaves as u64,
            columns: entry.columns.iter().enumerate().map(column).collect(),
        };
        let mut changed = (*entry).clone();
        changed.statistics = Some(Arc::new(statistics));
        self.in_transaction(|session, tx| session.put_entry(tx, changed).map(drop))
    }

    /// Rows of random places of a table: all of a small one, else some of the first chunk of many ranges, apart from
    /// each other, since neighbours are often alike.
    fn sample(&self, table: &Table, view: &ReadView, expected: f64) -> Result<Sample> {
        let pieces = (SAMPLE / 100).min(expected as usize / 100 + 1);
        let ranges = table.ranges(&self.store, pieces)?;
        let columns: Vec<u16> = (0..).take(table.def().columns.len()).collect();
        let shapes = ChunkScan::new(&columns, false, RowRange::ALL).shapes(table);
        let fresh = || Chunk::new(shapes.iter().copied());
        let whole = expected <= SAMPLE as f64 * 1.5;
        let a_range = SAMPLE.div_ceil(ranges.len().max(1));
        let (mut chunks, mut picked) = (Vec::new(), fresh());
        for range in ranges {
            self.cancel.check()?;
            let mut scan = ChunkScan::new(&columns, false, range);
            let mut chunk = fresh();
            while scan.next(table, &self.store, view, &mut chunk)? {
                if whole {
                    chunks.push(std::mem::replace(&mut chunk, fresh()));
                    continue;
                }
                let wanted = a_range.min(chunk.len);
                for at in 0..wanted {
                    let (low, high) = (at * chunk.len / wanted, (at + 1) * chunk.len / wanted);
                    copy_row(&chunk, low + random_below(&*self.queries.rng, high - low), &mut picked);
                    if picked.len == VECTOR_SIZE {
                        chunks.push(std::mem::replace(&mut picked, fresh()));
                    }
                }
                break;
            }
        }
        chunks.push(picked);
        let seen = chunks.iter().map(|chunk| chunk.len).sum::<usize>() as f64;
        let rows = if whole { seen } else { expected.max(seen) };
        Ok(Sample { chunks, rows })
    }

    pub(super) fn vacuum(
        &mut self,
        options: VacuumOptions,
        mut tables: Vec<(Arc<TableEntry>, Vec<u16>)>,
    ) -> Result<Started> {
        if self.block != super::Block::None {
            return Err(TransactionError::ActiveTransaction { statement: "VACUUM" }.into());
        }
        if tables.is_empty() {
            let catalog = self.catalog();
            tables = catalog.tables().map(|table| (Arc::clone(table), Vec::new())).collect();
        }
        for (table, columns) in &tables {
            if options.analyze {
                self.analyze_table(table, columns)?;
            }
            self.lock_table(table.oid, TableLockMode::ShareUpdateExclusive)?;
        }
        // Its own snapshot must not keep what is to go.
        self.commit_all()?;
        while self.store.collect_garbage(usize::MAX)? > 0 {
            self.cancel.check()?;
        }
        for (table, _) in &tables {
            // A table that was dropped meanwhile needs no vacuum.
            let Some(entry) = self.catalog().table_by_id(table.oid).cloned() else { continue };
            self.store.vacuum(&*self.store.table(entry.storage)?)?;
        }
        Ok(Started::done(Arc::default(), "VACUUM", 0))
    }

    pub(super) fn checkpoint(&mut self) -> Result<Started> {
        self.engine.engine()?.checkpoint()?;
        Ok(Started::done(Arc::default(), "CHECKPOINT", 0))
    }
}

struct Sample {
    chunks: Vec<Chunk>,
    /// Rows of the whole table, about.
    rows: f64,
}

/// Copies a row with its long strings: the chunk they come from need not stay for them.
fn copy_row(from: &Chunk, row: usize, to: &mut Chunk) {
    for (from, to) in from.columns.iter().zip(&mut to.columns) {
        if let Vector::Flat(flat) = to {
            flat.push_scalar(from.scalar(row));
        }
    }
    to.len += 1;
}

fn random_below(rng: &dyn Rng, bound: usize) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

/// What the sample tells of a column of a table with `rows` rows.
fn describe<'a>(
    chunks: impl Iterator<Item = &'a Chunk>,
    number: usize,
    ty: &DataType,
    rows: f64,
) -> ColumnStatistics {
    let (mut counts, mut nulls, mut seen, mut bytes) =
        (HashMap::<Value, usize>::new(), 0_usize, 0_usize, 0_usize);
    for chunk in chunks {
        for row in 0..chunk.len {
            let value = chunk.columns[number].value_at(row, ty);
            seen += 1;
            bytes += width(&value, ty);
            if value.is_null() { nulls += 1 } else { *counts.entry(value).or_default() += 1 }
        }
    }
    if seen == 0 {
        return ColumnStatistics::default();
    }
    let filled = (seen - nulls) as f64;
    let distinct = estimate_distinct(&counts, filled, rows * filled / seen as f64);
    let mut by_count: Vec<(&Value, usize)> = counts.iter().map(|(value, &count)| (value, count)).collect();
    by_count
        .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.compare(b.0).unwrap_or(std::cmp::Ordering::Equal)));
    // A value is common if it is a quarter more frequent than the average; all are if there are few.
    let average = filled / counts.len().max(1) as f64;
    let few = counts.len() <= BUCKETS && distinct <= counts.len() as f64 * 1.05;
    let common = |&&(value, count): &&(&Value, usize)| {
        (few || (count > 1 && count as f64 > average * 1.25)) && width(value, ty) <= MAX_KEPT
    };
    let most_common: Vec<(Value, f64)> = by_count
        .iter()
        .take_while(|pair| common(pair))
        .take(BUCKETS)
        .map(|&(value, count)| (value.clone(), count as f64 / seen as f64))
        .collect();
    let mut rest: Vec<(&Value, usize)> = by_count[most_common.len()..].to_vec();
    rest.sort_by(|a, b| a.0.compare(b.0).unwrap_or(std::cmp::Ordering::Equal));
    ColumnStatistics {
        null_fraction: nulls as f64 / seen as f64,
        distinct,
        width: bytes as f64 / seen as f64,
        bounds: bounds(&rest, ty),
        most_common,
    }
}

/// Values that cut the others, which are sorted, into buckets of equal numbers of rows.
fn bounds(sorted: &[(&Value, usize)], ty: &DataType) -> Vec<Value> {
    let total: usize = sorted.iter().map(|(_, count)| count).sum();
    if sorted.len() < 2 || sorted.iter().any(|(value, _)| width(value, ty) > MAX_KEPT) {
        return Vec::new();
    }
    let buckets = BUCKETS.min(sorted.len() - 1);
    let mut bounds = vec![sorted[0].0.clone()];
    let (mut passed, mut next) = (0, 1);
    for (value, count) in sorted {
        passed += count;
        while next < buckets && passed * buckets >= next * total {
            bounds.push((*value).clone());
            next += 1;
        }
    }
    bounds.push(sorted[sorted.len() - 1].0.clone());
    bounds
}

/// Different values of a column, after Haas and Stokes, *Estimating the number of classes in a finite population*
/// (1998), the estimator that PostgreSQL uses: n*d / (n - f1 + f1*n/N).
fn estimate_distinct(counts: &HashMap<Value, usize>, sampled: f64, rows: f64) -> f64 {
    let different = counts.len() as f64;
    let once = counts.values().filter(|&&count| count == 1).count() as f64;
    if sampled >= rows || once == 0.0 {
        return different;
    }
    let estimate = sampled * different / (sampled - once + once * sampled / rows);
    estimate.clamp(different, rows)
}

fn width(value: &Value, ty: &DataType) -> usize {
    match value {
        Value::Text(text) => text.len() + 4,
        Value::Bytea(bytes) => bytes.len() + 4,
        Value::Null => 0,
        _ => ty.physical().width(),
    }
}
