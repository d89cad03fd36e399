//! Removes rows of a table.

use super::Writer;
use super::target::{Target, row_id};
use crate::error::Result;
use crate::executor::chunk_buffer::BufferWriter;
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
use crate::plan::physical::Delete;
use crate::table::Written;
use crate::transaction::Transaction;
use crate::types::{Chunk, Selection};
use std::sync::Arc;

/// The writer.
pub(super) struct DeleteWriter {
    target: Target,
    row_id: usize,
    returning: bool,
}

impl DeleteWriter {
    pub(super) fn new(query: &Arc<Query>, delete: &Delete) -> Result<Self> {
        let target = Target::new(query, delete.table.storage, &[])?;
        Ok(Self { target, row_id: delete.row_id, returning: delete.returning })
    }
}

impl Writer for DeleteWriter {
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow> {
        let mut done: Vec<u16> = Vec::new();
        for row in chunk.rows() {
            let Some(id) = row_id(&chunk.columns[self.row_id], row) else { continue };
            match self.target.table.delete(self.target.query.store(), tx, id)? {
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
            out.push(&Chunk { selection: Some(selection), ..chunk.clone() })?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, _: &mut Transaction, _: &mut BufferWriter) -> Result<()> {
        Ok(())
    }
}
