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
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::row_store::{RowFormat, RowStore};
use super::sort_key::KeyEncoder;
use super::spill::{SpillFile, SpillReader, SpillRun};
use crate::error::Result;
use crate::expr::aggregate::SortKey;
use crate::types::vector::Rows;
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, VECTOR_SIZE, Vector};
use parking_lot::Mutex;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::{Arc, OnceLock};

/// Memory that a merge needs for each run on disk: an extent and its rows.
const MERGE_BYTES: usize = 128 << 10;
/// Runs that are merged at once however little memory there is.
const LEAST_FAN_IN: usize = 4;
/// Bytes of a block of a run on disk, about.
const BLOCK_BYTES: usize = 32 << 10;

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

    /// The key of the last row in order.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.entries.last().map(|entry| self.key(entry.row))
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
        let bytes = (self.store.memory_size() + self.keys.len()) / self.len().max(1);
        let block = (BLOCK_BYTES / bytes.max(1)).clamp(1, VECTOR_SIZE);
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
}

/// The part that takes rows in.
pub(super) struct SortSink(pub(super) Arc<Sort>);

impl Sink for SortSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(SortStage {
            query: Arc::clone(query),
            sort: Arc::clone(&self.0),
            encoder: KeyEncoder::new(query, &self.0.keys)?,
            buffer: SortBuffer::new(&self.0.format),
            allowance: Some(query.allowance()?),
        }))
    }

    /// Merges runs until what is left can be merged as it is read.
    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        let mut disk = std::mem::take(&mut self.0.runs.lock().disk);
        if disk.is_empty() {
            return Ok(());
        }
        let mut allowance = query.allowance()?;
        loop {
            let mut fan_in = disk.len();
            while fan_in > LEAST_FAN_IN && !allowance.cover(fan_in * MERGE_BYTES).unwrap_or(false) {
                fan_in = (fan_in / 2).max(LEAST_FAN_IN);
            }
            allowance.demand(fan_in * MERGE_BYTES)?;
            if fan_in == disk.len() {
                break;
            }
            let file = self.0.file(query)?;
            let before = file.written();
            let parts: Vec<SpillRun> = disk.drain(..fan_in).collect();
            let mut merged = SpillRun::new(&file, &self.0.shapes);
            let mut merge = Merge::new(parts.iter().map(SpillRun::reader).map(Cursor::on_disk))?;
            let mut chunk = Chunk::default();
            while merge.next(VECTOR_SIZE, true, &mut chunk)? {
                query.check()?;
                merged.push(&chunk)?;
            }
            merged.flush()?;
            query.stats[self.0.node].add_spilled(file.written() - before);
            disk.push(merged);
        }
        let mut runs = self.0.runs.lock();
        runs.disk = disk;
        runs.allowances.push(allowance);
        Ok(())
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
        let bytes = self.buffer.memory_size();
        if let Some(allowance) = &mut self.allowance
            && !allowance.cover(bytes)?
        {
            self.spill()?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        let stats = &self.query.stats[self.sort.node];
        stats.saw_memory(self.buffer.memory_size() as u64);
        if self.buffer.len() > 0 {
            let buffer = std::mem::replace(&mut self.buffer, SortBuffer::new(&self.sort.format));
            let run = buffer.into_run();
            let mut runs = self.sort.runs.lock();
            runs.memory.push(run);
            runs.allowances.extend(self.allowance.take());
        }
        Ok(())
    }
}

impl SortStage {
    fn spill(&mut self) -> Result<()> {
        let stats = &self.query.stats[self.sort.node];
        stats.saw_memory(self.buffer.memory_size() as u64);
        let file = self.sort.file(&self.query)?;
        let buffer = std::mem::replace(&mut self.buffer, SortBuffer::new(&self.sort.format));
        let run = buffer.into_run().spill(&file, &self.sort.shapes)?;
        stats.add_spilled(run.bytes());
        self.sort.runs.lock().disk.push(run);
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
        let Runs { memory, disk, allowances } = std::mem::take(&mut *self.0.runs.lock());
        if disk.is_empty() && memory.len() <= 1 {
            return Ok(Box::new(RunReader {
                run: memory.into_iter().next(),
                next: 0,
                _allowances: allowances,
            }));
        }
        let cursors = disk.iter().map(SpillRun::reader).map(Cursor::on_disk);
        let cursors = cursors.chain(memory.into_iter().map(Cursor::in_memory));
        Ok(Box::new(MergeReader { merge: Merge::new(cursors)?, _allowances: allowances }))
    }
}

/// Reads a single run.
struct RunReader {
    run: Option<SortedRun>,
    next: usize,
    _allowances: Vec<Allowance>,
}

impl Reader for RunReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let Some(run) = &self.run else { return Ok(false) };
        run.read(self.next, VECTOR_SIZE, chunk);
        self.next += chunk.len;
        Ok(chunk.len > 0)
    }
}

struct MergeReader {
    merge: Merge,
    _allowances: Vec<Allowance>,
}

impl Reader for MergeReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        self.merge.next(VECTOR_SIZE, false, chunk)
    }
}

/// A run being merged.
enum Cursor {
    Memory { run: SortedRun, at: usize },
    Disk { reader: SpillReader, block: Chunk, at: usize },
}

impl Cursor {
    fn in_memory(run: SortedRun) -> Self {
        Self::Memory { run, at: 0 }
    }

    fn on_disk(reader: SpillReader) -> Self {
        Self::Disk { block: reader.chunk(), reader, at: 0 }
    }

    /// Makes a row available if there is one left.
    fn fill(&mut self) -> Result<bool> {
        match self {
            Self::Memory { run, at } => Ok(*at < run.len()),
            Self::Disk { block, at, .. } if *at < block.len => Ok(true),
            Self::Disk { reader, block, at } => {
                *at = 0;
                reader.next_block(block)
            }
        }
    }

    fn key(&self) -> &[u8] {
        match self {
            Self::Memory { run, at } => run.key(*at),
            Self::Disk { block, at, .. } => {
                let keys = block.columns.last().and_then(Vector::base);
                keys.map_or(&[], |(keys, rows)| match rows {
                    Rows::Each => keys.bytes_at(*at),
                    Rows::Same | Rows::Codes(_) => &[],
                })
            }
        }
    }

    /// Takes the row; its number, and whether the next needs a [`fill`](Self::fill) first.
    fn take(&mut self) -> (u32, bool) {
        match self {
            Self::Memory { run, at } => {
                *at += 1;
                (run.order[*at - 1], *at == run.len())
            }
            Self::Disk { block, at, .. } => {
                *at += 1;
                // Rows of a chunk fit.
                (*at as u32 - 1, *at == block.len)
            }
        }
    }

    fn append(&self, column: usize, rows: &[u32], out: &mut FlatVector) {
        match self {
            Self::Memory { run, .. } => run.store.gather(column, rows, out),
            Self::Disk { block, .. } => {
                let rows: Vec<u16> = rows.iter().map(|&row| row as u16).collect();
                out.append(&block.columns[column], block.len, Some(&rows));
            }
        }
    }

    fn shapes(&self, with_key: bool) -> Vec<PhysicalType> {
        match self {
            Self::Memory { run, .. } => run.store.format().types().map(DataType::physical).collect(),
            Self::Disk { block, .. } => {
                let columns = block.columns.len() - usize::from(!with_key);
                block.columns[..columns].iter().map(Vector::physical).collect()
            }
        }
    }
}

/// The next row of a cursor.
struct Head {
    key: Vec<u8>,
    cursor: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.cursor.cmp(&other.cursor))
    }
}

/// A merge of runs.
struct Merge {
    cursors: Vec<Cursor>,
    heap: BinaryHeap<Reverse<Head>>,
    /// A cursor that is not in the heap because it has to be filled.
    dry: Option<usize>,
    /// By cursor, the rows taken for the chunk being made.
    taken: Vec<Vec<u32>>,
}

impl Merge {
    fn new(cursors: impl Iterator<Item = Cursor>) -> Result<Self> {
        let cursors: Vec<Cursor> = cursors.collect();
        let taken = vec![Vec::new(); cursors.len()];
        let mut merge = Self { heap: BinaryHeap::with_capacity(cursors.len()), cursors, dry: None, taken };
        for cursor in 0..merge.cursors.len() {
            merge.refill(cursor)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, cursor: usize) -> Result<()> {
        if self.cursors[cursor].fill()? {
            self.heap.push(Reverse(Head { key: self.cursors[cursor].key().to_vec(), cursor }));
        }
        Ok(())
    }

    /// Makes `chunk` the next rows; false after the last. The columns are dictionaries: the rows of one run after
    /// those of another, and the order in which they come.
    fn next(&mut self, limit: usize, with_key: bool, chunk: &mut Chunk) -> Result<bool> {
        if let Some(cursor) = self.dry.take() {
            self.refill(cursor)?;
        }
        self.taken.iter_mut().for_each(Vec::clear);
        let mut order = Vec::with_capacity(limit);
        while order.len() < limit
            && let Some(mut top) = self.heap.peek_mut()
        {
            let Head { key, cursor } = &mut top.0;
            let number = *cursor;
            let (row, is_dry) = self.cursors[number].take();
            self.taken[number].push(row);
            order.push(number);
            if is_dry {
                PeekMut::pop(top);
                self.dry = Some(number);
                // Its rows in the chunk must be copied before its next block is read.
                break;
            }
            key.clear();
            key.extend_from_slice(self.cursors[number].key());
        }
        if order.is_empty() {
            *chunk = Chunk::default();
            return Ok(false);
        }
        self.assemble(&order, with_key, chunk);
        Ok(true)
    }

    fn assemble(&self, order: &[usize], with_key: bool, chunk: &mut Chunk) {
        let mut starts: Vec<usize> = self
            .taken
            .iter()
            .scan(0, |sum, rows| {
                let start = *sum;
                *sum += rows.len();
                Some(start)
            })
            .collect();
        let codes: Arc<[u16]> = order
            .iter()
            .map(|&cursor| {
                starts[cursor] += 1;
                // At most a chunk's rows.
                (starts[cursor] - 1) as u16
            })
            .collect();
        let shapes = self.cursors[order[0]].shapes(with_key);
        let column = |(index, &shape): (usize, &PhysicalType)| {
            let mut values = FlatVector::with_capacity(shape, order.len());
            for (cursor, rows) in self.cursors.iter().zip(&self.taken).filter(|(_, rows)| !rows.is_empty()) {
                cursor.append(index, rows, &mut values);
            }
            Vector::Dictionary { codes: Arc::clone(&codes), dictionary: Arc::new(values) }
        };
        let columns = shapes.iter().enumerate().map(column).collect();
        *chunk = Chunk { len: order.len(), selection: None, columns };
    }
}
