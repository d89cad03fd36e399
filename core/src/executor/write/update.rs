//! Changes rows of a table.
//!
//! A row keeps its id, unless its id is its key and the key changes: then the row is deleted at once and the new one is
//! inserted at the statement's end, when all rows that go have gone, so that `SET id = id + 1` works. Until then it
//! waits in a buffer, on disk if there are many.

use super::Writer;
use super::assignments::Assignments;
use super::target::{Target, encode_row, row_id};
use crate::error::Result;
use crate::executor::chunk_buffer::{BufferWriter, ChunkBuffer};
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
use crate::plan::physical::Update;
use crate::table::{Table, Written};
use crate::transaction::Transaction;
use crate::types::{Chunk, DataType, Selection, Vector};
use std::sync::Arc;

/// The writer.
pub(super) struct UpdateWriter {
    target: Target,
    row_id: usize,
    old: Vec<usize>,
    assignments: Assignments,
    moved: Option<Moved>,
    node: usize,
    returning: bool,
}

/// Rows with new ids, in the table's columns.
struct Moved {
    rows: Arc<ChunkBuffer>,
    writer: BufferWriter,
}

impl Moved {
    fn new(query: &Arc<Query>, node: usize, table: &Table) -> Result<Self> {
        let types: Vec<DataType> = table.def().columns.iter().map(|column| column.ty).collect();
        let rows = ChunkBuffer::in_order(node, &types);
        Ok(Self { writer: BufferWriter::new(query, &rows)?, rows })
    }
}

impl UpdateWriter {
    /// Changes rows for the plan's node of this number.
    ///
    /// # Errors
    /// XX001 if there is no such table, and what compiling finds.
    pub(super) fn new(query: &Arc<Query>, node: usize, update: &Update) -> Result<Self> {
        let target = Target::new(query, update.table.storage, &update.checks)?;
        Ok(Self {
            assignments: Assignments::new(&target.table, &update.assignments)?,
            target,
            row_id: update.row_id,
            old: update.old.clone(),
            moved: None,
            node,
            returning: update.returning,
        })
    }

    /// Keeps some rows for the end, which have been deleted.
    fn keep(&mut self, rows: &Chunk, moved: Selection) -> Result<()> {
        let Target { query, table, .. } = &self.target;
        let kept = match &mut self.moved {
            Some(kept) => kept,
            none => none.insert(Moved::new(query, self.node, table)?),
        };
        kept.writer.push(&Chunk { len: rows.len, selection: Some(moved), columns: rows.columns.clone() })
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
        let mut moved = Selection::default();
        for row in chunk.rows() {
            let Some(id) = row_id(&chunk.columns[self.row_id], row) else { continue };
            let moves = self.assignments.moves(&old, &new, row);
            let Target { query, table, suspects, .. } = &mut self.target;
            let written = if moves {
                table.move_out(query.store(), tx, id)?
            } else {
                values.clear();
                self.assignments.encode_kept(&new, row, &mut values)?;
                table.update(query.store(), tx, id, self.assignments.kept_columns(), &values, suspects)?
            };
            match written {
                // Rows of a chunk fit u16.
                Written::Done => {
                    done.push(row as u16);
                    if moves {
                        moved.rows_mut().push(row as u16);
                    }
                }
                Written::Deleted | Written::Again => {}
                Written::Changed => {
                    self.target.conflict(id);
                    return Ok(Flow::Enough);
                }
            }
        }
        if !moved.is_empty() {
            self.keep(&rows, moved)?;
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
        if let Some(Moved { rows, mut writer }) = self.moved.take() {
            writer.finish()?;
            rows.complete();
            let mut reader = rows.contents().reader();
            let mut values = Vec::new();
            while let Some(chunk) = reader.next()? {
                query.check()?;
                for row in chunk.rows() {
                    values.clear();
                    encode_row(table.layout(), |number| &chunk.columns[number], row, &mut values)?;
                    table.insert(query.store(), tx, &values, suspects)?;
                }
            }
        }
        self.target.finish(tx)
    }
}
