//! Grouping: one row for each different combination of keys, with the results of aggregates over the rows that have
//! it.
//!
//! ```text
//!   thread 1   rows --> table --.               single table: its groups as they are
//!   thread 2   rows --> table --+--> partitions 0..15, each merged by one thread --> rows
//!               `--- full: groups and their states to disk, by partition --'
//! ```
//! Each thread groups its rows in a table of its own. When memory is refused the table goes to disk, dealt to sixteen
//! partitions by the hash of the keys, and starts again; a partition that is too large when it is merged is dealt to
//! sixteen smaller ones, by the next digit.
//!
//! DISTINCT and ORDER BY inside an aggregate's parentheses are not done here: the rows come through a grouping or a
//! sort of their own first, and enter by another [`Feed`].

mod spilling;
mod table;

use super::hash::{PARTITIONS, Picked, hash_rows};
use super::memory::Allowance;
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::row_store::RowFormat;
use super::spill::{SpillReader, SpillRun};
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::aggregate::AggregateCall;
use crate::expr::eval::{Evaluator, RowSet};
use crate::types::{Chunk, DataType, Selection, Vector};
use parking_lot::Mutex;
use spilling::{Filled, SpillingTable};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use table::{GroupTable, StateLayout};

/// A grouping.
pub(super) struct Aggregation {
    node: usize,
    key_types: Vec<DataType>,
    format: Arc<RowFormat>,
    layout: Arc<StateLayout>,
    result_types: Vec<DataType>,
    filled: Mutex<FilledParts>,
    /// The next partition to merge, or the next group of a single table.
    next: AtomicUsize,
}

#[derive(Default)]
struct FilledParts {
    tables: Vec<Arc<PartTable>>,
    /// By partition.
    runs: Vec<Vec<SpillRun>>,
}

/// The groups of one thread.
struct PartTable {
    table: Mutex<GroupTable>,
    by_partition: Vec<Vec<u32>>,
    allowances: Vec<Allowance>,
}

impl PartTable {
    fn new(table: GroupTable, allowance: Allowance) -> Self {
        let by_partition = table.by_partition(0);
        Self { table: Mutex::new(table), by_partition, allowances: vec![allowance] }
    }
}

/// A way into a grouping: which of its aggregates are fed, from which expressions.
#[derive(Clone)]
pub(super) struct Feed {
    pub(super) keys: Vec<Expr>,
    pub(super) calls: Vec<FeedCall>,
}

/// The input of one aggregate.
#[derive(Clone)]
pub(super) struct FeedCall {
    /// Which.
    pub(super) number: usize,
    pub(super) arguments: Vec<Expr>,
    pub(super) filter: Option<Expr>,
}

impl Aggregation {
    /// A grouping by keys of these types.
    pub(super) fn new(node: usize, key_types: Vec<DataType>, calls: &[AggregateCall]) -> Arc<Self> {
        Arc::new(Self {
            node,
            format: RowFormat::new(&key_types),
            key_types,
            layout: StateLayout::new(calls),
            result_types: calls.iter().map(|call| call.ty).collect(),
            filled: Mutex::default(),
            next: AtomicUsize::new(0),
        })
    }

    fn table(&self, query: &Arc<Query>, level: u32) -> Result<SpillingTable> {
        SpillingTable::new(query, self.node, &self.format, &self.layout, level)
    }
}

/// The part that takes rows in.
pub(super) struct AggregateSink {
    pub(super) aggregation: Arc<Aggregation>,
    pub(super) feed: Feed,
}

impl Sink for AggregateSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        let mut exprs = self.feed.keys.clone();
        let mut plain = Vec::new();
        let mut filtered = Vec::new();
        for call in &self.feed.calls {
            match &call.filter {
                None => {
                    plain.push((call.number, exprs.len()..exprs.len() + call.arguments.len()));
                    exprs.extend(call.arguments.iter().cloned());
                }
                Some(filter) => filtered.push(FilteredCall {
                    number: call.number,
                    filter: Evaluator::new(std::slice::from_ref(filter))?,
                    arguments: Evaluator::new(&call.arguments)?,
                    passed: Selection::new(),
                }),
            }
        }
        Ok(Box::new(AggregateStage {
            table: Some(self.aggregation.table(query, 0)?),
            query: Arc::clone(query),
            aggregation: Arc::clone(&self.aggregation),
            evaluator: Evaluator::new(&exprs)?,
            plain,
            filtered,
            keys: Vec::new(),
            hashes: Vec::new(),
        }))
    }
}

/// An aggregate with FILTER.
struct FilteredCall {
    number: usize,
    filter: Evaluator,
    arguments: Evaluator,
    passed: Selection,
}

struct AggregateStage {
    query: Arc<Query>,
    aggregation: Arc<Aggregation>,
    /// Keys, then the arguments of aggregates without filter.
    evaluator: Evaluator,
    plain: Vec<(usize, std::ops::Range<usize>)>,
    filtered: Vec<FilteredCall>,
    table: Option<SpillingTable>,
    keys: Vec<Vector>,
    hashes: Vec<u64>,
}

impl Stage for AggregateStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let Some(spilling) = &mut self.table else { return Ok(Flow::Enough) };
        let table = &mut spilling.table;
        let context = self.query.eval();
        let outputs = self.evaluator.evaluate(chunk, &context)?;
        let picked = Picked::of(chunk);
        let types = &self.aggregation.key_types;
        if !types.is_empty() {
            self.keys.clear();
            self.keys.extend(outputs.iter().take(types.len()).cloned());
            hash_rows(&self.keys, types, picked, &mut self.hashes);
            table.find(&self.keys, picked, &self.hashes);
        }
        let rows = picked.selected.map_or(RowSet::All(picked.count), RowSet::Some);
        for (number, arguments) in &self.plain {
            let inputs: Vec<&Vector> = arguments.clone().map(|argument| outputs.get(argument)).collect();
            table.update_all(*number, &inputs, rows)?;
        }
        self.keys.clear();
        for call in &mut self.filtered {
            call.filter.select(chunk, &context, &mut call.passed)?;
            let all = chunk.selection.replace(std::mem::take(&mut call.passed));
            let folded = fold_filtered(table, call, chunk, &context);
            call.passed = std::mem::replace(&mut chunk.selection, all).unwrap_or_default();
            folded?;
        }
        spilling.has_grown()?;
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        let filled = table.finish()?;
        let mut parts = self.aggregation.filled.lock();
        match filled {
            Filled::Memory(table, _) if table.len() == 0 => {}
            Filled::Memory(table, allowance) => {
                parts.tables.push(Arc::new(PartTable::new(*table, allowance)));
            }
            Filled::Disk(runs) => {
                parts.runs.resize_with(PARTITIONS, Vec::new);
                parts.runs.iter_mut().zip(runs).for_each(|(all, run)| all.push(run));
            }
        }
        Ok(())
    }
}

fn fold_filtered(
    table: &mut GroupTable,
    call: &mut FilteredCall,
    chunk: &Chunk,
    context: &crate::expr::EvalContext<'_>,
) -> Result<()> {
    let Some(passed) = &chunk.selection else { return Ok(()) };
    let outputs = call.arguments.evaluate(chunk, context)?;
    let inputs: Vec<&Vector> = outputs.iter().collect();
    table.update(call.number, &inputs, RowSet::Some(passed.as_slice()))
}

/// The part that gives rows out.
pub(super) struct AggregateSource(pub(super) Arc<Aggregation>);

impl Source for AggregateSource {
    fn prepare(&self, query: &Arc<Query>) -> Result<usize> {
        let mut parts = self.0.filled.lock();
        let keyless = self.0.key_types.is_empty();
        if keyless {
            // One row, whatever the threads saw; nothing of it was spilled.
            let own = |part| Arc::into_inner(part).expect("nobody reads before the source is prepared");
            let mut tables = std::mem::take(&mut parts.tables).into_iter().map(own);
            let mut all = match tables.next() {
                Some(first) => first,
                None => {
                    let empty = GroupTable::new(&self.0.format, &self.0.layout);
                    PartTable::new(empty, query.allowance()?)
                }
            };
            for part in tables {
                all.table.get_mut().absorb(&mut part.table.into_inner(), &[0])?;
                // What the states were covered by covers what has become of them.
                all.allowances.extend(part.allowances);
            }
            parts.tables.push(Arc::new(all));
        }
        let single = parts.runs.is_empty() && parts.tables.len() <= 1;
        Ok(if single { 1 } else { PARTITIONS })
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let parts = self.0.filled.lock();
        if parts.runs.is_empty() && parts.tables.len() <= 1 {
            let (table, aggregation) = (parts.tables.first().cloned(), Arc::clone(&self.0));
            return Ok(Box::new(TableReader { aggregation, table }));
        }
        Ok(Box::new(PartitionReader {
            query: Arc::clone(query),
            aggregation: Arc::clone(&self.0),
            work: Vec::new(),
            merged: None,
        }))
    }
}

/// Gives out the groups of a single table.
struct TableReader {
    aggregation: Arc<Aggregation>,
    table: Option<Arc<PartTable>>,
}

impl Reader for TableReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let Some(part) = &self.table else { return Ok(false) };
        let mut table = part.table.lock();
        let count = table.chunk_groups();
        let start = self.aggregation.next.fetch_add(count, Ordering::Relaxed);
        finalize(&mut table, start..start + count, &self.aggregation, chunk)
    }
}

/// Makes `chunk` those of these groups that there are; false if there are none.
fn finalize(
    table: &mut GroupTable,
    groups: std::ops::Range<usize>,
    aggregation: &Aggregation,
    chunk: &mut Chunk,
) -> Result<bool> {
    // Stores have fewer than 2^32 rows.
    let groups: Vec<u32> = (groups.start..table.len().min(groups.end)).map(|group| group as u32).collect();
    if groups.is_empty() {
        return Ok(false);
    }
    table.finalize(&groups, &aggregation.result_types, chunk)?;
    Ok(true)
}

/// Merges partitions and gives out their groups.
struct PartitionReader {
    query: Arc<Query>,
    aggregation: Arc<Aggregation>,
    /// Parts of a partition that was too large, and their levels.
    work: Vec<(u32, SpillRun)>,
    merged: Option<Merged>,
}

struct Merged {
    table: GroupTable,
    next: usize,
    _allowance: Allowance,
}

impl Reader for PartitionReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        loop {
            if let Some(merged) = &mut self.merged {
                let groups = merged.next..merged.next + merged.table.chunk_groups();
                merged.next = groups.end;
                if finalize(&mut merged.table, groups, &self.aggregation, chunk)? {
                    return Ok(true);
                }
                self.merged = None;
            }
            let (level, filled) = if let Some((level, run)) = self.work.pop() {
                (level, self.merge_runs(level, &[run], Vec::new())?)
            } else {
                let partition = self.aggregation.next.fetch_add(1, Ordering::Relaxed);
                if partition >= PARTITIONS {
                    return Ok(false);
                }
                let (tables, runs) = {
                    let mut parts = self.aggregation.filled.lock();
                    (parts.tables.clone(), parts.runs.get_mut(partition).map(std::mem::take))
                };
                let tables = tables.into_iter().map(|table| (partition, table)).collect();
                (1, self.merge_runs(1, &runs.unwrap_or_default(), tables)?)
            };
            match filled {
                Filled::Memory(table, allowance) => {
                    self.merged = Some(Merged { table: *table, next: 0, _allowance: allowance });
                }
                Filled::Disk(runs) => self.work.extend(runs.into_iter().map(|run| (level + 1, run))),
            }
        }
    }
}

impl PartitionReader {
    /// Groups everything again; what does not fit is dealt by the digit `level`.
    fn merge_runs(
        &self,
        level: u32,
        runs: &[SpillRun],
        tables: Vec<(usize, Arc<PartTable>)>,
    ) -> Result<Filled> {
        let mut merged = self.aggregation.table(&self.query, level)?;
        for (partition, part) in tables {
            let count = part.table.lock().chunk_groups();
            for groups in part.by_partition[partition].chunks(count) {
                self.query.check()?;
                merged.table.absorb(&mut part.table.lock(), groups)?;
                merged.has_grown()?;
            }
        }
        for run in runs {
            let mut reader: SpillReader = run.reader();
            let mut chunk = reader.chunk();
            while reader.next(&mut chunk)? {
                self.query.check()?;
                merged.table.load(&chunk)?;
                merged.has_grown()?;
            }
        }
        merged.finish()
    }
}
