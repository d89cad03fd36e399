//! Sorting: every thread collects rows and sorts them when it has all, or when memory is refused; the sorted runs are
//! merged as the result is read.
//!
//! ```text
//!   thread 1   rows --> [run]--spill--> run on disk    --.
//!              rows --> [run]--spill--> run on disk    --+--> merge --> chunks in order
//!              rows --> [run]                          --|
//!   thread 2   rows --> [run]                          --'
//! ```
//! A run on disk has the keys as its last column. If there are more of them than a merge has memory for, some are
//! merged into longer ones before.

use super::hash::Picked;
use super::memory::Allowance;
use super::merge::{Cursor, Merge};
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::row_store::{RowFormat, RowStore};
use super::sort_key::KeyEncoder;
use super::spill::{SpillFile, SpillRun};
use crate::error::Result;
use crate::expr::aggregate::SortKey;
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, VECTOR_SIZE, Vector};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// Memory that a merge needs for each run on disk at the least: an extent and its rows.
const MERGE_BYTES: usize = 128 << 10;
/// Runs that are merged at once however little memory there is, if their rows are not long.
const LEAST_FAN_IN: usize = 4;
/// Bytes of a block of a run on disk, about.
const BLOCK_BYTES: usize = 32 << 10;

/// Memory that a merge of these runs needs.
fn merge_bytes(runs: &[SpillRun]) -> usize {
    runs.iter().map(|run| MERGE_BYTES.max(2 * run.largest_extent())).sum()
}

/// How many of these runs are merged at once, at the least.
fn least_fan_in(runs: &[SpillRun]) -> usize {
    let some = LEAST_FAN_IN.min(runs.len());
    let are_long = merge_bytes(&runs[..some]) > 2 * LEAST_FAN_IN * MERGE_BYTES;
    if are_long { some.min(2) } else { some }
}

/// Rows of a block, when `bytes` are those of `rows`.
fn block_rows(bytes: usize, rows: usize) -> usize {
    (BLOCK_BYTES / (bytes / rows.max(1)).max(1)).clamp(1, VECTOR_SIZE)
}

/// Rows with their keys.
pub(super) struct SortBuffer {
    store: RowStore,
    keys: Vec<u8>,
    /// By row, where its key ends.
    ends: Vec<usize>,
    /// In order once sorted.
    entries: Vec<Entry>,
}

/// A row in an order: the first eight bytes of its key decide mostly.
#[derive(Clone, Copy)]
struct Entry {
    head: u64,
    row: u32,
}

fn head_of(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    head[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(head)
}

impl SortBuffer {
    /// No rows.
    pub(super) fn new(format: &Arc<RowFormat>) -> Self {
        Self { store: RowStore::new(format), keys: Vec::new(), ends: Vec::new(), entries: Vec::new() }
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of memory.
    pub(super) fn memory_size(&self) -> usize {
        self.store.memory_size()
            + self.keys.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.entries.capacity() * size_of::<Entry>()
    }

    /// Adds the picked rows, whose keys `key` gives by their numbers.
    pub(super) fn push<'k>(
        &mut self,
        columns: &[Vector],
        picked: Picked<'_>,
        key: impl Fn(usize) -> &'k [u8],
    ) {
        self.store.append(columns, picked, &[]);
        for i in 0..picked.count {
            let key = key(picked.row(i));
            // The store has fewer than 2^32 rows.
            self.entries.push(Entry { head: head_of(key), row: self.ends.len() as u32 });
            self.keys.extend_from_slice(key);
            self.ends.push(self.keys.len());
        }
    }

    fn key(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[row]]
    }

    /// Puts the rows in order; equal ones as they came.
    pub(super) fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let heads = a.head.cmp(&b.head);
            heads.then_with(|| self.key(a.row).cmp(self.key(b.row))).then_with(|| a.row.cmp(&b.row))
        });
        self.entries = entries;
    }

    /// Takes the rows out in order, ready to be read.
    pub(super) fn into_run(mut self) -> SortedRun {
        self.sort();
        let Self { store, keys, ends, entries } = self;
        let order = entries.iter().map(|entry| entry.row).collect();
        SortedRun { store: Arc::new(store), keys, ends, order }
    }
}

/// Rows in order, in memory.
pub(super) struct SortedRun {
    store: Arc<RowStore>,
    keys: Vec<u8>,
    ends: Vec<usize>,
    order: Vec<u32>,
}

impl SortedRun {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The rows, in no order.
    pub(super) fn store(&self) -> &Arc<RowStore> {
        &self.store
    }

    /// Which row of the store is the `at`-th.
    pub(super) fn row(&self, at: usize) -> u32 {
        self.order[at]
    }

    /// Forgets all but the first rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.order.truncate(rows);
    }

    /// The key of the `at`-th row.
    pub(super) fn key(&self, at: usize) -> &[u8] {
        let row = self.order[at] as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[row]]
    }

    /// Makes `chunk` the rows from the `start`-th on, up to `limit` of them.
    pub(super) fn read(&self, start: usize, limit: usize, chunk: &mut Chunk) {
        let rows = &self.order[start..self.order.len().min(start + limit)];
        *chunk = Chunk::new(self.store.format().types().map(DataType::physical));
        for (column, vector) in chunk.columns.iter_mut().enumerate() {
            self.store.gather(column, rows, vector.writer());
        }
        chunk.len = rows.len();
    }

    /// Writes the rows to disk.
    fn spill(&self, file: &Arc<SpillFile>, shapes: &Arc<[PhysicalType]>) -> Result<SpillRun> {
        let mut run = SpillRun::new(file, shapes);
        let block = block_rows(self.store.memory_size() + self.keys.len(), self.ends.len());
        let mut chunk = Chunk::default();
        for start in (0..self.len()).step_by(block) {
            self.read(start, block, &mut chunk);
            let mut keys = FlatVector::with_capacity(PhysicalType::Bytes, chunk.len);
            (start..start + chunk.len).for_each(|at| keys.push_bytes(self.key(at)));
            chunk.columns.push(keys.into());
            run.push(&chunk)?;
        }
        run.flush()?;
        Ok(run)
    }
}

/// The sort of a plan.
pub(super) struct Sort {
    keys: Vec<SortKey>,
    node: usize,
    format: Arc<RowFormat>,
    /// Of rows on disk: the columns and the key.
    shapes: Arc<[PhysicalType]>,
    file: OnceLock<Arc<SpillFile>>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    memory: Vec<SortedRun>,
    disk: Vec<SpillRun>,
    /// What `memory` is covered by.
    allowances: Vec<Allowance>,
}

impl Sort {
    /// A sort of rows of these types.
    pub(super) fn new(node: usize, types: &[DataType], keys: Vec<SortKey>) -> Arc<Self> {
        Arc::new(Self {
            keys,
            node,
            format: RowFormat::new(types),
            shapes: types.iter().map(DataType::physical).chain([PhysicalType::Bytes]).collect(),
            file: OnceLock::new(),
            runs: Mutex::default(),
        })
    }

    fn file(&self, query: &Query) -> Result<Arc<SpillFile>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = query.spill_file()?;
        Ok(Arc::clone(self.file.get_or_init(|| file)))
    }

    /// No rows, of those that it takes.
    pub(super) fn buffer(&self) -> SortBuffer {
        SortBuffer::new(&self.format)
    }

    /// Encodes its keys.
    ///
    /// # Errors
    /// As [`KeyEncoder::new`].
    pub(super) fn encoder(&self, query: &Arc<Query>) -> Result<KeyEncoder> {
        KeyEncoder::new(query, &self.keys)
    }

    /// Notes how much memory one thread holds.
    pub(super) fn saw_memory(&self, query: &Query, bytes: usize) {
        query.stats[self.node].saw_memory(bytes as u64);
    }

    /// Adds a run and what it is covered by.
    pub(super) fn keep(&self, run: SortedRun, allowance: Option<Allowance>) {
        let mut runs = self.runs.lock();
        runs.memory.push(run);
        runs.allowances.extend(allowance);
    }

    /// Adds a run by writing it to disk.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn spill(&self, query: &Query, run: &SortedRun) -> Result<()> {
        let run = run.spill(&self.file(query)?, &self.shapes)?;
        query.stats[self.node].add_spilled(run.bytes());
        self.runs.lock().disk.push(run);
        Ok(())
    }

    /// Merges runs until what is left can be merged as it is read.
    ///
    /// # Errors
    /// I/O errors; 53200 when there is no memory for the least merge.
    pub(super) fn complete(&self, query: &Arc<Query>) -> Result<()> {
        let mut disk = std::mem::take(&mut self.runs.lock().disk);
        if disk.is_empty() {
            return Ok(());
        }
        let mut allowance = query.allowance()?;
        if !allowance.cover(merge_bytes(&disk[..least_fan_in(&disk)])).unwrap_or(false) {
            disk.extend(self.spill_all(query)?);
        }
        loop {
            let least = least_fan_in(&disk);
            let mut fan_in = disk.len();
            while fan_in > least && !allowance.cover(merge_bytes(&disk[..fan_in])).unwrap_or(false) {
                fan_in = (fan_in / 2).max(least);
            }
            allowance.demand(merge_bytes(&disk[..fan_in]))?;
            if fan_in == disk.len() {
                break;
            }
            let parts: Vec<SpillRun> = disk.drain(..fan_in).collect();
            disk.push(self.merge(query, &parts)?);
        }
        let mut runs = self.runs.lock();
        runs.disk = disk;
        runs.allowances.push(allowance);
        Ok(())
    }

    /// Writes the runs in memory to disk, which makes room for a merge.
    fn spill_all(&self, query: &Query) -> Result<Vec<SpillRun>> {
        let Runs { memory, allowances, .. } = std::mem::take(&mut *self.runs.lock());
        for run in memory {
            self.spill(query, &run)?;
        }
        drop(allowances);
        Ok(std::mem::take(&mut self.runs.lock().disk))
    }

    /// Makes one run on disk of several.
    fn merge(&self, query: &Query, parts: &[SpillRun]) -> Result<SpillRun> {
        let file = self.file(query)?;
        let before = file.written();
        let mut merged = SpillRun::new(&file, &self.shapes);
        let mut merge = Merge::new(parts.iter().map(SpillRun::reader).map(Cursor::on_disk))?;
        let bytes: u64 = parts.iter().map(SpillRun::bytes).sum();
        let rows: u64 = parts.iter().map(SpillRun::rows).sum();
        let block = block_rows(bytes as usize, rows as usize);
        let mut chunk = Chunk::default();
        while merge.next(block, true, &mut chunk)? {
            query.check()?;
            merged.push(&chunk)?;
        }
        merged.flush()?;
        query.stats[self.node].add_spilled(file.written() - before);
        Ok(merged)
    }

    /// Gives the rows of all runs out.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn rows(&self) -> Result<SortedRows> {
        let Runs { mut memory, disk, allowances } = std::mem::take(&mut *self.runs.lock());
        let order = if disk.is_empty() && memory.len() <= 1 {
            Order::Run { run: memory.pop(), next: 0 }
        } else {
            let cursors = disk.iter().map(SpillRun::reader).map(Cursor::on_disk);
            Order::Merge(Merge::new(cursors.chain(memory.into_iter().map(Cursor::in_memory)))?)
        };
        Ok(SortedRows { order, _allowances: allowances })
    }
}

/// The part that takes rows in.
pub(super) struct SortSink(pub(super) Arc<Sort>);

impl Sink for SortSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(SortStage {
            query: Arc::clone(query),
            sort: Arc::clone(&self.0),
            encoder: self.0.encoder(query)?,
            buffer: self.0.buffer(),
            allowance: Some(query.allowance()?),
        }))
    }

    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        self.0.complete(query)
    }
}

struct SortStage {
    query: Arc<Query>,
    sort: Arc<Sort>,
    encoder: KeyEncoder,
    buffer: SortBuffer,
    allowance: Option<Allowance>,
}

impl Stage for SortStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.encoder.read(chunk)?;
        self.buffer.push(&chunk.columns, Picked::of(chunk), |row| self.encoder.key(row));
        let bytes = self.buffer.memory_size() + self.encoder.memory_size();
        if let Some(allowance) = &mut self.allowance
            && !allowance.cover(bytes)?
        {
            self.spill()?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.sort.saw_memory(&self.query, self.buffer.memory_size());
        if self.buffer.len() > 0 {
            let buffer = std::mem::replace(&mut self.buffer, self.sort.buffer());
            self.sort.keep(buffer.into_run(), self.allowance.take());
        }
        Ok(())
    }
}

impl SortStage {
    fn spill(&mut self) -> Result<()> {
        self.sort.saw_memory(&self.query, self.buffer.memory_size());
        let buffer = std::mem::replace(&mut self.buffer, self.sort.buffer());
        self.sort.spill(&self.query, &buffer.into_run())?;
        if let Some(allowance) = &mut self.allowance {
            allowance.shrink_to(0);
        }
        Ok(())
    }
}

/// The part that gives rows out.
pub(super) struct SortSource(pub(super) Arc<Sort>);

impl Source for SortSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, _: &Arc<Query>) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.0.rows()?))
    }
}

/// Rows in order, read one after the other.
pub(super) struct SortedRows {
    order: Order,
    _allowances: Vec<Allowance>,
}

enum Order {
    /// There is a single run, in memory, or none.
    Run {
        run: Option<SortedRun>,
        next: usize,
    },
    Merge(Merge),
}

impl SortedRows {
    /// Makes `chunk` the next rows, up to `limit`; false after the last.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn read(&mut self, limit: usize, chunk: &mut Chunk) -> Result<bool> {
        match &mut self.order {
            Order::Run { run, next } => {
                let Some(run) = run else { return Ok(false) };
                run.read(*next, limit, chunk);
                *next += chunk.len;
                Ok(chunk.len > 0)
            }
            Order::Merge(merge) => merge.next(limit, false, chunk),
        }
    }
}

impl Reader for SortedRows {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        self.read(VECTOR_SIZE, chunk)
    }
}
