//! Joins by hash table: the right input is kept, the rows of the left one look for their likes in it.
//!
//! ```text
//!   right rows --> [store] --complete--> table          in memory: all of it
//!                   `-- refused: 16 partitions on disk, of which as many as fit come back into the table
//!   left rows  --> table --> rows
//!                   `-- partition on disk: to disk too
//!   then, if right rows come out for their match or for having none: those in the table    (KeptSource)
//!   then, partition by partition: right rows, as many as fit, x all left rows --> rows     (SpilledSource)
//! ```
//! The partitions have the memory of the table, which is given up before them.
//!
//! A partition whose right rows do not fit is done in several passes over its left rows, which remember what they have
//! met; so neither size nor skew is a limit.

mod build;
mod probe;
mod spec;
mod spilled;
mod table;

use super::compact::Compactor;
use super::pipeline::{Flow, Operator, Reader, Source, Stage};
use super::resources::Query;
use super::spill::SpillRun;
use crate::error::Result;
use crate::plan::physical::JoinType;
use crate::types::{Chunk, FlatVector, Scalar, Selection, VECTOR_SIZE, Vector};
use probe::{Prober, RightSide};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) use build::{JoinBuild, JoinState};
pub(super) use spec::JoinSpec;
pub(super) use spilled::SpilledSource;

/// Passes left rows by.
pub(super) struct JoinProbe(pub(super) Arc<JoinState>);

impl Operator for JoinProbe {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(ProbeStage {
            prober: Prober::new(query, &self.0.spec)?,
            query: Arc::clone(query),
            join: Arc::clone(&self.0),
            flags: Vec::new(),
            runs: Vec::new(),
            next: Compactor::new(next),
        }))
    }
}

struct ProbeStage {
    query: Arc<Query>,
    join: Arc<JoinState>,
    prober: Prober,
    flags: Vec<u8>,
    /// By partition, once a left row had to wait.
    runs: Vec<SpillRun>,
    next: Compactor,
}

impl JoinState {
    fn right_side(&self) -> RightSide {
        RightSide { has_rows: self.has_rows(), has_null_key: self.has_null_key() }
    }
}

impl Stage for ProbeStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.flags.clear();
        self.flags.resize(chunk.len, 0);
        self.prober.begin(chunk, &mut self.flags)?;
        if !self.join.partitions_on_disk().is_empty() {
            self.set_aside(chunk)?;
        }
        let table = self.join.table();
        while let Some(mut out) = self.prober.next(chunk, &table, &mut self.flags)? {
            self.query.check()?;
            if self.next.push(&mut out)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        match self.prober.rest(chunk, &self.flags, self.join.right_side()) {
            Some(mut out) => self.next.push(&mut out),
            None => Ok(Flow::More),
        }
    }

    fn finish(&mut self) -> Result<()> {
        if !self.runs.is_empty() {
            let mut all = self.join.left_runs.lock();
            all.resize_with(self.runs.len(), Vec::new);
            for (all, mut run) in all.iter_mut().zip(self.runs.drain(..)) {
                run.flush()?;
                self.query.stats[self.join.spec.node].add_spilled(run.bytes());
                all.push(run);
            }
        }
        self.next.finish()
    }
}

impl ProbeStage {
    /// Takes the rows out of the chunk whose right rows are on disk.
    fn set_aside(&mut self, chunk: &mut Chunk) -> Result<()> {
        let waiting = self.prober.divide(|hash| self.join.is_resident(hash));
        if waiting.is_empty() {
            return Ok(());
        }
        if self.runs.is_empty() {
            let (file, shapes) = (self.query.spill_file()?, self.join.spec.left_shapes());
            let run = || SpillRun::new(&file, &shapes);
            self.runs = std::iter::repeat_with(run).take(super::hash::PARTITIONS).collect();
        }
        let mut parts = vec![Selection::default(); self.runs.len()];
        for &row in &waiting {
            let partition = super::hash::radix_of(self.prober.hashes[usize::from(row)], 0);
            parts[partition].rows_mut().push(row);
        }
        let all = chunk.selection.take();
        let mut left: Vec<u16> = match &all {
            Some(selection) => selection.as_slice().to_vec(),
            // Rows of a chunk fit u16.
            None => (0..chunk.len as u16).collect(),
        };
        left.retain(|row| waiting.binary_search(row).is_err());
        for (run, part) in self.runs.iter_mut().zip(parts).filter(|(_, part)| !part.is_empty()) {
            chunk.selection = Some(part);
            run.push(chunk)?;
        }
        chunk.selection = Some(left.into_iter().collect());
        Ok(())
    }
}

/// Right rows in memory that come out when all left rows have passed.
pub(super) struct KeptSource(pub(super) Arc<JoinState>);

impl Source for KeptSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(self.0.table().store().len().div_ceil(VECTOR_SIZE).max(1))
    }

    fn reader(&self, _: &Arc<Query>) -> Result<Box<dyn Reader>> {
        Ok(Box::new(KeptReader(Arc::clone(&self.0))))
    }
}

struct KeptReader(Arc<JoinState>);

impl Reader for KeptReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let table = self.0.table();
        let start = self.0.next_row.fetch_add(VECTOR_SIZE, Ordering::Relaxed);
        if start >= table.store().len() {
            return Ok(false);
        }
        let end = table.store().len().min(start + VECTOR_SIZE);
        *chunk = kept_rows(&self.0.spec, &table, start..end);
        Ok(true)
    }
}

/// The rows among these that are wanted: that have met a left row, or that have not, with NULLs for its columns if the
/// join has these.
fn kept_rows(spec: &JoinSpec, table: &table::JoinTable, rows: std::ops::Range<usize>) -> Chunk {
    let with_match = spec.kind == JoinType::RightSemi;
    // Stores have fewer than 2^32 rows.
    let rows = rows.map(|row| row as u32).filter(|&row| table.is_marked(row) == with_match);
    let rows: Vec<u32> = rows.collect();
    let mut columns = Vec::new();
    if spec.gives_pairs() {
        columns.extend(spec.left_types.iter().map(|ty| Vector::constant(ty.physical(), Scalar::Null)));
    }
    for (place, ty) in spec.places.iter().zip(&spec.right_types) {
        let mut values = FlatVector::with_capacity(ty.physical(), rows.len());
        match place {
            Some(column) => table.store().gather(*column, &rows, &mut values),
            None => values.push_nulls(rows.len()),
        }
        columns.push(values.into());
    }
    Chunk { len: rows.len(), selection: None, columns }
}
