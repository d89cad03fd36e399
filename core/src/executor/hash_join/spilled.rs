//! The partitions of a hash join that are on disk, one after the other.

use super::build::{JoinState, append_kept};
use super::kept_rows;
use super::probe::Prober;
use super::table::JoinTable;
use crate::error::Result;
use crate::executor::memory::Allowance;
use crate::executor::pipeline::{Reader, Source};
use crate::executor::resources::Query;
use crate::executor::row_store::RowStore;
use crate::executor::spill::{SpillReader, SpillRun};
use crate::types::{Chunk, VECTOR_SIZE};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The rows of the join that the left pipelines could not give.
pub(in crate::executor) struct SpilledSource(pub(in crate::executor) Arc<JoinState>);

impl Source for SpilledSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        let partitions = self.0.partitions_on_disk().len();
        if partitions > 0 {
            self.0.drop_table();
        }
        Ok(partitions)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        Ok(Box::new(PartitionReader {
            prober: Prober::new(query, &self.0.spec)?,
            allowance: query.allowance()?,
            query: Arc::clone(query),
            join: Arc::clone(&self.0),
            current: None,
        }))
    }
}

struct PartitionReader {
    query: Arc<Query>,
    join: Arc<JoinState>,
    prober: Prober,
    allowance: Allowance,
    current: Option<Partition>,
}

/// A partition being joined.
struct Partition {
    left: Runs,
    right: RunsReader,
    /// By left row, in the order in which they are read.
    flags: Vec<u8>,
    part: Part,
}

/// What is being done with a partition.
enum Part {
    /// The next right rows are to be read.
    Load,
    /// Left rows look for matches among some right rows.
    Probe { table: JoinTable, left: RunsReader, chunk: Option<Chunk>, row: usize },
    /// Right rows that are wanted for their match, or for having none, come out.
    Kept { table: JoinTable, next: usize },
    /// Left rows are said what they are.
    Rest { left: RunsReader, row: usize },
}

/// Several runs as one.
struct Runs(Vec<SpillRun>);

struct RunsReader {
    readers: std::vec::IntoIter<SpillReader>,
    current: Option<SpillReader>,
}

impl Runs {
    fn reader(&self) -> RunsReader {
        let readers: Vec<SpillReader> = self.0.iter().map(SpillRun::reader).collect();
        RunsReader { readers: readers.into_iter(), current: None }
    }
}

impl RunsReader {
    fn next(&mut self) -> Result<Option<Chunk>> {
        self.read(SpillReader::next)
    }

    fn next_block(&mut self) -> Result<Option<Chunk>> {
        self.read(SpillReader::next_block)
    }

    fn read(&mut self, next: impl Fn(&mut SpillReader, &mut Chunk) -> Result<bool>) -> Result<Option<Chunk>> {
        loop {
            if let Some(reader) = &mut self.current {
                let mut chunk = reader.chunk();
                if next(reader, &mut chunk)? {
                    return Ok(Some(chunk));
                }
            }
            self.current = self.readers.next();
            if self.current.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Reader for PartitionReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        loop {
            self.query.check()?;
            if self.current.is_none() {
                let Some(partition) = self.next_partition() else { return Ok(false) };
                self.current = Some(partition);
            }
            match self.advance()? {
                Some(out) => {
                    *chunk = out;
                    return Ok(true);
                }
                None => continue,
            }
        }
    }
}

impl PartitionReader {
    fn next_partition(&self) -> Option<Partition> {
        let on_disk = self.join.partitions_on_disk();
        let partition = on_disk.start + self.join.next_partition.fetch_add(1, Ordering::Relaxed);
        if partition >= on_disk.end {
            return None;
        }
        let left = self.join.left_runs.lock().get_mut(partition).map(std::mem::take).unwrap_or_default();
        let right = self.join.take_right_runs(partition);
        let rows: u64 = left.iter().map(SpillRun::rows).sum();
        let flags = vec![0; usize::try_from(rows).unwrap_or(usize::MAX)];
        Some(Partition { left: Runs(left), right: Runs(right).reader(), flags, part: Part::Load })
    }

    /// Does a little; perhaps rows come of it.
    fn advance(&mut self) -> Result<Option<Chunk>> {
        let Some(partition) = &mut self.current else { return Ok(None) };
        match &mut partition.part {
            Part::Load => {
                self.load()?;
                Ok(None)
            }
            Part::Probe { table, left, chunk, row } => {
                let Some(current) = chunk else {
                    *chunk = left.next()?;
                    match chunk {
                        Some(next) => {
                            let flags = &mut partition.flags[*row..*row + next.len];
                            self.prober.begin(next, flags)?;
                        }
                        None => self.end_part(),
                    }
                    return Ok(None);
                };
                let flags = &mut partition.flags[*row..*row + current.len];
                let out = self.prober.next(current, table, flags)?;
                if out.is_none() {
                    *row += current.len;
                    *chunk = None;
                }
                Ok(out)
            }
            Part::Kept { table, next } => {
                let start = *next;
                *next += VECTOR_SIZE;
                if start >= table.store().len() {
                    partition.part = Part::Load;
                    return Ok(None);
                }
                let end = table.store().len().min(start + VECTOR_SIZE);
                Ok(Some(kept_rows(&self.join.spec, table, start..end)))
            }
            Part::Rest { left, row } => {
                let Some(chunk) = left.next()? else {
                    self.current = None;
                    return Ok(None);
                };
                let flags = &partition.flags[*row..*row + chunk.len];
                *row += chunk.len;
                Ok(self.prober.rest(&chunk, flags, self.join.right_side()))
            }
        }
    }

    /// Reads as many right rows as there is memory for, at least a block of them.
    fn load(&mut self) -> Result<()> {
        let Some(partition) = &mut self.current else { return Ok(()) };
        let spec = &self.join.spec;
        let mut store = RowStore::new(&spec.format);
        self.allowance.shrink_to(0);
        // A block too many is accounted for all the same, below.
        while let Some(chunk) = partition.right.next_block()? {
            append_kept(&mut store, &chunk);
            let bytes = store.memory_size() + JoinTable::overhead(store.len());
            if !self.allowance.cover(bytes).unwrap_or(false) {
                break;
            }
        }
        self.allowance.demand(store.memory_size() + JoinTable::overhead(store.len()))?;
        let left = partition.left.reader();
        partition.part = if store.len() == 0 {
            Part::Rest { left, row: 0 }
        } else {
            let table = JoinTable::new(store, |store, row| spec.may_match(store, row), spec.keeps_right());
            Part::Probe { table, left, chunk: None, row: 0 }
        };
        Ok(())
    }

    /// All left rows have seen the right rows in memory.
    fn end_part(&mut self) {
        if let Some(partition) = &mut self.current
            && let Part::Probe { table, .. } = std::mem::replace(&mut partition.part, Part::Load)
            && self.join.spec.keeps_right()
        {
            partition.part = Part::Kept { table, next: 0 };
        }
    }
}
