//! Changes rows of a table.
//!
//! A row keeps its id, unless its id is its key and the key changes: then the row is deleted at once and the new one is
//! inserted at the statement's end, when all rows that go have gone, so that `SET id = id + 1` works.

use super::Writer;
use super::target::{Target, encode_row, row_id};
use crate::error::Result;
use crate::executor::chunk_buffer::BufferWriter;
use crate::executor::memory::Allowance;
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
use crate::expr::eval::Evaluator;
use crate::ids::RowId;
use crate::plan::physical::Update;
use crate::table::Written;
use crate::transaction::Transaction;
use crate::types::{Chunk, Selection, Vector};
use std::sync::Arc;

/// The writer.
pub(super) struct UpdateWriter {
    target: Target,
    row_id: usize,
    old: Vec<usize>,
    /// Ascending.
    columns: Vec<u16>,
    values: Evaluator,
    /// Rows with new ids, in the form of storage, one after the other.
    moved: Vec<u8>,
    ends: Vec<usize>,
    allowance: Allowance,
    returning: bool,
}

impl UpdateWriter {
    pub(super) fn new(query: &Arc<Query>, update: &Update) -> Result<Self> {
        let mut assignments = update.assignments.clone();
        assignments.sort_by_key(|(column, _)| *column);
        let (columns, values): (Vec<u16>, Vec<_>) = assignments.into_iter().unzip();
        Ok(Self {
            target: Target::new(query, update.table.storage, &update.checks)?,
            row_id: update.row_id,
            old: update.old.clone(),
            columns,
            values: Evaluator::new(&values)?,
            moved: Vec::new(),
            ends: Vec::new(),
            allowance: query.allowance()?,
            returning: update.returning,
        })
    }

    /// Deletes a row and keeps its new form for the end.
    fn move_row(&mut self, tx: &mut Transaction, id: RowId, rows: &Chunk, row: usize) -> Result<Written> {
        let Target { query, table, .. } = &self.target;
        let written = table.delete(query.store(), tx, id)?;
        if written == Written::Done {
            let columns: Vec<&Vector> = rows.columns.iter().collect();
            encode_row(table.layout(), &columns, row, &mut self.moved);
            self.ends.push(self.moved.len());
            self.allowance.demand(self.moved.capacity() + self.ends.capacity() * size_of::<usize>())?;
        }
        Ok(written)
    }
}

impl Writer for UpdateWriter {
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow> {
        let outputs = self.values.evaluate(chunk, &self.target.query.eval())?;
        let new: Vec<Vector> = outputs.iter().cloned().collect();
        let mut columns: Vec<Vector> = self.old.iter().map(|&old| chunk.columns[old].clone()).collect();
        for (&column, vector) in self.columns.iter().zip(&new) {
            columns[usize::from(column)] = vector.clone();
        }
        let rows = Chunk { len: chunk.len, selection: chunk.selection.clone(), columns };
        self.target.check(&rows)?;
        let key = self.target.key_among(&self.columns);
        // The id itself is never among the values that a row keeps its place with.
        let kept: Vec<usize> = (0..self.columns.len()).filter(|&at| Some(at) != key).collect();
        let kept_columns: Vec<u16> = kept.iter().map(|&at| self.columns[at]).collect();
        let kept_vectors: Vec<&Vector> = kept.iter().map(|&at| &new[at]).collect();
        let layout = self.target.table.layout().project(&kept_columns);
        let (mut values, mut done): (Vec<u8>, Vec<u16>) = (Vec::new(), Vec::new());
        for row in chunk.rows() {
            let Some(id) = row_id(&chunk.columns[self.row_id], row) else { continue };
            let moves = key.is_some_and(|at| {
                let old = &chunk.columns[self.old[usize::from(self.columns[at])]];
                old.scalar(row) != new[at].scalar(row)
            });
            let written = if moves {
                self.move_row(tx, id, &rows, row)?
            } else {
                values.clear();
                encode_row(&layout, &kept_vectors, row, &mut values);
                let Target { query, table, suspects, .. } = &mut self.target;
                table.update(query.store(), tx, id, &kept_columns, &values, suspects)?
            };
            match written {
                // Rows of a chunk fit u16.
                Written::Done => done.push(row as u16),
                Written::Deleted | Written::Again => {}
                Written::Changed => {
                    self.target.conflict(id);
                    return Ok(Flow::Enough);
                }
            }
        }
        self.target.count(done.len());
        if self.returning && !done.is_empty() {
            let selection: Selection = done.into_iter().collect();
            let columns = rows.columns.into_iter().chain(chunk.columns.iter().cloned()).collect();
            out.push(&Chunk { len: chunk.len, selection: Some(selection), columns })?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, tx: &mut Transaction, _: &mut BufferWriter) -> Result<()> {
        let Target { query, table, suspects, .. } = &mut self.target;
        let mut start = 0;
        for &end in &self.ends {
            table.insert(query.store(), tx, &self.moved[start..end], suspects)?;
            start = end;
        }
        self.target.finish(tx)
    }
}
