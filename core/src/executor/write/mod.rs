//! Statements that change or lock rows: the end of the pipeline that finds the rows.
//!
//! Rows arrive on the thread of the statement, chunk by chunk, and are written one after the other; what is to be
//! returned is collected, since nothing may be returned before all is written. Uniqueness is judged at the end. The rows
//! are found by the statement's snapshot, which does not see what the statement writes.
//!
//! In READ COMMITTED a row may have been changed since the snapshot by a transaction that has committed. The sink then
//! notes the row and wants no more; the statement is taken back and run again with a new snapshot (see `execute`).

mod assignments;
mod delete;
mod insert;
mod lock;
mod target;
mod update;

use super::chunk_buffer::{BufferSink, BufferWriter, ChunkBuffer};
use super::pipeline::{Flow, Sink, Stage};
use super::resources::{Query, SharedTransaction};
use crate::error::{Result, StorageError};
use crate::plan::physical::{PhysicalNode, PhysicalPlan};
use crate::transaction::Transaction;
use crate::types::Chunk;
use std::sync::Arc;

pub(super) use insert::InsertWriter;

/// Writes rows.
pub(super) trait Writer: Send {
    /// Writes those of a chunk and adds what is returned to `out`.
    ///
    /// # Errors
    /// Those of constraints and of writing.
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow>;

    /// Ends the statement.
    ///
    /// # Errors
    /// Those of constraints that are judged last.
    fn finish(&mut self, tx: &mut Transaction, out: &mut BufferWriter) -> Result<()>;
}

/// The sink of a node that writes.
pub(super) struct WriteSink {
    node: PhysicalNode,
    returned: Arc<ChunkBuffer>,
}

impl WriteSink {
    /// Of a plan whose node writes; what is returned goes to `returned`.
    pub(super) fn new(plan: &PhysicalPlan, returned: &Arc<ChunkBuffer>) -> Self {
        Self { node: plan.node.clone(), returned: Arc::clone(returned) }
    }
}

impl Sink for WriteSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        let writer: Box<dyn Writer> = match &self.node {
            PhysicalNode::Insert(insert) => Box::new(InsertWriter::new(query, insert)?),
            PhysicalNode::Update(update) => {
                Box::new(update::UpdateWriter::new(query, self.returned.node(), update)?)
            }
            PhysicalNode::Delete(delete) => Box::new(delete::DeleteWriter::new(query, delete)?),
            PhysicalNode::Lock { targets, limit, .. } => {
                Box::new(lock::LockWriter::new(query, targets, limit.as_ref())?)
            }
            _ => unreachable!("only nodes that write get this sink"),
        };
        let missing =
            || StorageError::Corrupt { reason: "a statement writes without a transaction".to_owned() };
        let transaction = query.statement.transaction.clone().ok_or_else(missing)?;
        let out = BufferWriter::new(query, &self.returned)?;
        Ok(Box::new(WriteStage { query: Arc::clone(query), transaction, writer, out }))
    }

    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        BufferSink(Arc::clone(&self.returned)).complete(query)
    }

    fn is_serial(&self) -> bool {
        true
    }
}

struct WriteStage {
    query: Arc<Query>,
    transaction: SharedTransaction,
    writer: Box<dyn Writer>,
    out: BufferWriter,
}

impl Stage for WriteStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let mut tx = self.transaction.lock();
        self.writer.write(&mut tx, chunk, &mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        if self.query.conflict.lock().is_some() {
            return Ok(());
        }
        self.writer.finish(&mut self.transaction.lock(), &mut self.out)?;
        self.out.finish()
    }
}
