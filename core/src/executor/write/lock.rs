//! Locks rows and passes them on: `SELECT .. FOR UPDATE` and its kin.

use super::Writer;
use super::target::{Target, row_id};
use crate::error::{Result, TransactionError};
use crate::executor::chunk_buffer::BufferWriter;
use crate::executor::limit::Window;
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
use crate::expr::Expr;
use crate::plan::logical::{LockWait, RowLock};
use crate::plan::physical::LockTarget;
use crate::table::RowLocked;
use crate::transaction::{RowLockMode, Transaction};
use crate::types::{Chunk, Selection};
use std::sync::Arc;

/// The writer.
pub(super) struct LockWriter {
    targets: Vec<(LockTarget, Target)>,
    /// Rows still wanted.
    left: u64,
}

/// What became of a row.
enum Locked {
    Yes,
    Skip,
    /// The statement must start again.
    Conflict,
}

impl LockWriter {
    pub(super) fn new(query: &Arc<Query>, targets: &[LockTarget], limit: Option<&Expr>) -> Result<Self> {
        let target =
            |target: &LockTarget| Ok((target.clone(), Target::new(query, target.table.storage, &[])?));
        let targets = targets.iter().map(target).collect::<Result<_>>()?;
        Ok(Self { targets, left: Window::new(query, limit, None)?.limit })
    }

    fn lock(&self, tx: &mut Transaction, chunk: &Chunk, row: usize) -> Result<Locked> {
        for (plan, target) in &self.targets {
            let Some(id) = row_id(&chunk.columns[plan.row_id], row) else { continue };
            let wait = plan.wait == LockWait::Block;
            let mode = match plan.strength {
                RowLock::Update => RowLockMode::Update,
                RowLock::NoKeyUpdate => RowLockMode::NoKeyUpdate,
                RowLock::Share => RowLockMode::Share,
                RowLock::KeyShare => RowLockMode::KeyShare,
            };
            match target.table.lock(target.query.store(), tx, id, mode, wait)? {
                RowLocked::Yes => {}
                RowLocked::Busy if plan.wait == LockWait::NoWait => {
                    let what = format!("row in relation \"{}\"", target.table.def().name);
                    return Err(TransactionError::LockNotAvailable { what }.into());
                }
                RowLocked::Busy | RowLocked::Deleted => return Ok(Locked::Skip),
                RowLocked::Changed => {
                    target.conflict(id);
                    return Ok(Locked::Conflict);
                }
            }
        }
        Ok(Locked::Yes)
    }
}

impl Writer for LockWriter {
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow> {
        let mut kept: Vec<u16> = Vec::new();
        for row in chunk.rows() {
            if self.left == 0 {
                break;
            }
            match self.lock(tx, chunk, row)? {
                Locked::Yes => {
                    // Rows of a chunk fit u16.
                    kept.push(row as u16);
                    self.left -= 1;
                }
                Locked::Skip => {}
                Locked::Conflict => return Ok(Flow::Enough),
            }
        }
        let selection: Selection = kept.into_iter().collect();
        out.push(&Chunk { selection: Some(selection), ..chunk.clone() })?;
        Ok(if self.left == 0 { Flow::Enough } else { Flow::More })
    }

    fn finish(&mut self, _: &mut Transaction, _: &mut BufferWriter) -> Result<()> {
        Ok(())
    }
}
