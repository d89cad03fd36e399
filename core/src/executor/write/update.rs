//! Changes rows of a table.
//!
//! A row keeps its id, unless its id is its key and the key changes: then the row is deleted at once and the new one is
//! inserted at the statement's end, when all rows that go have gone, so that `SET id = id + 1` works.

use super::Writer;
use super::assignments::Assignments;
use super::target::{Target, encode_row, row_id};
use crate::error::Result;
use crate::executor::chunk_buffer::BufferWriter;
use crate::executor::memory::Allowance;
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
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
    assignments: Assignments,
    /// Rows with new ids, in the form of storage, one after the other.
    moved: Vec<u8>,
    ends: Vec<usize>,
    allowance: Allowance,
    returning: bool,
}

impl UpdateWriter {
    pub(super) fn new(query: &Arc<Query>, update: &Update) -> Result<Self> {
        let target = Target::new(query, update.table.storage, &update.checks)?;
        Ok(Self {
            assignments: Assignments::new(&target.table, &update.assignments)?,
            target,
            row_id: update.row_id,
            old: update.old.clone(),
            moved: Vec::new(),
            ends: Vec::new(),
            allowance: query.allowance()?,
            returning: update.returning,
        })
    }

    /// Deletes a row and keeps its new form for the end.
    fn move_row(&mut self, tx: &mut Transaction, id: RowId, rows: &Chunk, row: usize) -> Result<Written> {
        let Target { query, table, .. } = &self.target;
        let written = table.move_out(query.store(), tx, id)?;
        if written == Written::Done {
            encode_row(table.layout(), |number| &rows.columns[number], row, &mut self.moved)?;
            self.ends.push(self.moved.len());
            self.allowance.demand(self.moved.capacity() + self.ends.capacity() * size_of::<usize>())?;
        }
        Ok(written)
    }
}

impl Writer for UpdateWriter {
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow> {
        let outputs = self.assignments.values.evaluate(chunk, &self.target.query.eval())?;
        let new: Vec<Vector> = outputs.iter().cloned().collect();
        let old: Vec<Vector> = self.old.iter().map(|&old| chunk.columns[old].clone()).collect();
        let columns = self.assignments.apply(&old, &new);
        let rows = Chunk { len: chunk.len, selection: chunk.selection.clone(), columns };
        self.target.check(&rows)?;
        let (mut values, mut done): (Vec<u8>, Vec<u16>) = (Vec::new(), Vec::new());
        for row in chunk.rows() {
            let Some(id) = row_id(&chunk.columns[self.row_id], row) else { continue };
            let written = if self.assignments.moves(&old, &new, row) {
                self.move_row(tx, id, &rows, row)?
            } else {
                values.clear();
                self.assignments.encode_kept(&new, row, &mut values)?;
                let Target { query, table, suspects, .. } = &mut self.target;
                table.update(query.store(), tx, id, self.assignments.kept_columns(), &values, suspects)?
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
