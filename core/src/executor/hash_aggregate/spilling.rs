//! A table of groups that goes to disk when memory is refused: sixteen partitions by a digit of the hash, each the
//! groups of several fillings one after the other.

use super::table::{GroupTable, StateLayout};
use crate::error::Result;
use crate::executor::memory::Allowance;
use crate::executor::resources::Query;
use crate::executor::row_store::RowFormat;
use crate::executor::spill::SpillRun;
use crate::types::Chunk;
use std::sync::Arc;

/// The table.
pub(super) struct SpillingTable {
    query: Arc<Query>,
    node: usize,
    format: Arc<RowFormat>,
    layout: Arc<StateLayout>,
    pub(super) table: GroupTable,
    /// Which digit of the hash deals groups to partitions.
    level: u32,
    /// By partition, once something was spilled.
    runs: Vec<SpillRun>,
    allowance: Allowance,
}

/// What a table has become when all is in.
pub(super) enum Filled {
    /// All groups, and the memory they take.
    Memory(Box<GroupTable>, Allowance),
    /// Partitions.
    Disk(Vec<SpillRun>),
}

impl SpillingTable {
    pub(super) fn new(
        query: &Arc<Query>,
        node: usize,
        format: &Arc<RowFormat>,
        layout: &Arc<StateLayout>,
        level: u32,
    ) -> Result<Self> {
        Ok(Self {
            allowance: query.allowance()?,
            query: Arc::clone(query),
            node,
            table: GroupTable::new(format, layout),
            format: Arc::clone(format),
            layout: Arc::clone(layout),
            level,
            runs: Vec::new(),
        })
    }

    /// To be called when the table has grown: accounts for it, and empties it to disk if it is too large.
    ///
    /// # Errors
    /// I/O errors; 53200 when too many groups share a hash.
    pub(super) fn has_grown(&mut self) -> Result<()> {
        let bytes = self.table.memory_size();
        if self.format.types().len() == 0 || !GroupTable::can_split(self.level) {
            return self.allowance.demand(bytes);
        }
        if !self.allowance.cover(bytes)? {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let stats = &self.query.stats[self.node];
        stats.saw_memory(self.table.memory_size() as u64);
        if self.runs.is_empty() {
            let file = self.query.spill_file()?;
            let shapes = GroupTable::spilled_shapes(&self.format);
            let run = || SpillRun::new(&file, &shapes);
            self.runs = std::iter::repeat_with(run).take(crate::executor::hash::PARTITIONS).collect();
        }
        let mut chunk = Chunk::default();
        let count = self.table.chunk_groups();
        for (run, groups) in self.runs.iter_mut().zip(self.table.by_partition(self.level)) {
            let before = run.bytes();
            for groups in groups.chunks(count) {
                self.table.save(groups, &mut chunk);
                run.push(&chunk)?;
            }
            run.flush()?;
            stats.add_spilled(run.bytes() - before);
        }
        self.table = GroupTable::new(&self.format, &self.layout);
        self.allowance.shrink_to(0);
        Ok(())
    }

    /// Ends filling.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn finish(mut self) -> Result<Filled> {
        if self.runs.is_empty() {
            self.query.stats[self.node].saw_memory(self.table.memory_size() as u64);
            return Ok(Filled::Memory(Box::new(self.table), self.allowance));
        }
        self.flush()?;
        Ok(Filled::Disk(self.runs))
    }
}
