//! Locking a row without changing it, and what becomes of a row that another transaction has changed.

use super::write::Written;
use super::{Store, Table, versions_of, versions_of_read};
use crate::error::{Result, TransactionError};
use crate::ids::{RowId, TransactionId};
use crate::pager::Attempt;
use crate::transaction::{Change, Isolation, RowLockMode, StampState, StatusTable, Transaction, UndoRecord};
use std::sync::Arc;

/// What became of an attempt to lock a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowLocked {
    /// It is locked.
    Yes,
    /// Another transaction has it, and waiting was not wanted.
    Busy,
    /// It was changed by a transaction that the snapshot does not see.
    Changed,
    /// It was deleted by such a transaction.
    Deleted,
}

enum Step {
    Done,
    Wait(TransactionId),
    Held,
    Refused(Written),
}

impl Table {
    /// Locks a row that the transaction's statement sees, until the transaction ends. Without `wait` gives up where it
    /// would have to wait for somebody.
    ///
    /// # Errors
    /// 40001 in REPEATABLE READ for a row that has moved on; those of waiting.
    pub fn lock(
        &self,
        store: &Store,
        tx: &mut Transaction,
        row: RowId,
        mode: RowLockMode,
        wait: bool,
    ) -> Result<RowLocked> {
        let mut turn = None;
        loop {
            match store.attempt(|| self.try_lock(store, tx, row, mode))? {
                Step::Done => return Ok(RowLocked::Yes),
                Step::Refused(written) => {
                    return Ok(match refused(tx, written)? {
                        Written::Changed => RowLocked::Changed,
                        Written::Done | Written::Deleted | Written::Again => RowLocked::Deleted,
                    });
                }
                Step::Wait(_) | Step::Held if !wait => return Ok(RowLocked::Busy),
                Step::Wait(writer) => {
                    tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                }
                Step::Held => tx.lock_row(self.key(row), mode)?,
            }
        }
    }

    /// Refuses a row whose newest version the transaction's snapshot cannot have seen, where it may not be passed over.
    ///
    /// # Errors
    /// 40001 in REPEATABLE READ for a row that has moved on, or was not there.
    pub fn expect_seen(&self, store: &Store, tx: &Transaction, row: RowId) -> Result<()> {
        if tx.isolation() == Isolation::ReadCommitted {
            return Ok(());
        }
        let seen = store.attempt(|| {
            let guard = self.tree.find_shared(store.pager(), row)?;
            let newest = versions_of_read(&guard).and_then(|versions| versions.newest(row));
            Ok(newest.is_none_or(|newest| match newest.stamp.resolve(store.transactions().statuses()) {
                StampState::Committed(ts) => tx.view().snapshot.sees(ts),
                StampState::InProgress(_) | StampState::Aborted => true,
            }))
        })?;
        if seen { Ok(()) } else { Err(TransactionError::Serialization { cause: "update" }.into()) }
    }

    /// Writers look for locks under the row's latch, so it is taken exclusively here too.
    fn try_lock(&self, store: &Store, tx: &mut Transaction, row: RowId, mode: RowLockMode) -> Attempt<Step> {
        let guard = self.tree.find_exclusive(store.pager(), row)?;
        let view = self.view(&guard, guard.page_id())?;
        let is_alive = view.find(row).is_ok_and(|slot| view.is_alive(slot));
        let newest = versions_of(guard.side()).and_then(|versions| versions.newest(row));
        if let Some(newest) = newest {
            let statuses = store.transactions().statuses();
            match newest.stamp.resolve(statuses) {
                StampState::InProgress(writer) if tx.id() != Some(writer) => {
                    let lost = is_lost(newest, tx, statuses);
                    return Ok(if lost { Step::Refused(Written::Changed) } else { Step::Wait(writer) });
                }
                StampState::Committed(ts) if !tx.view().snapshot.sees(ts) => {
                    return Ok(Step::Refused(fate(newest, tx, statuses)));
                }
                StampState::InProgress(_) | StampState::Committed(_) | StampState::Aborted => {}
            }
        }
        if !is_alive {
            return Ok(Step::Refused(Written::Deleted));
        }
        let granted = tx.party().locker.try_lock_row(self.key(row), mode);
        Ok(if granted { Step::Done } else { Step::Held })
    }
}

/// Whether a REPEATABLE READ transaction has lost a row that somebody else is writing: a version below the one in
/// progress has committed since the snapshot, so that waiting would change nothing.
pub(super) fn is_lost(newest: &UndoRecord, tx: &Transaction, statuses: &StatusTable) -> bool {
    if tx.isolation() == Isolation::ReadCommitted {
        return false;
    }
    let mut next = newest.older();
    while let Some(record) = next {
        if let StampState::Committed(ts) = record.stamp.resolve(statuses) {
            return !tx.view().snapshot.sees(ts);
        }
        next = record.older();
    }
    false
}

/// What became of the row that the transaction's snapshot sees, when a transaction that it does not see has committed
/// a newer version. The first deletion of that row decides: what stands under its id now may be another one.
pub(super) fn fate(newest: &Arc<UndoRecord>, tx: &Transaction, statuses: &StatusTable) -> Written {
    let mut fate = Written::Changed;
    let mut next = Some(Arc::clone(newest));
    while let Some(record) = next {
        match record.stamp.resolve(statuses) {
            StampState::Committed(ts) if tx.view().snapshot.sees(ts) => break,
            StampState::Committed(_) | StampState::InProgress(_) | StampState::Aborted => {}
        }
        if let Change::Delete { moves } = record.change {
            fate = if moves { Written::Changed } else { Written::Deleted };
        }
        next = record.older();
    }
    fate
}

/// Gives the answer to a row that may not be written, or the error that it is at this isolation level.
pub(super) fn refused(tx: &Transaction, written: Written) -> Result<Written> {
    let cause = match written {
        Written::Changed => "update",
        Written::Deleted => "delete",
        Written::Done | Written::Again => return Ok(written),
    };
    match tx.isolation() {
        Isolation::ReadCommitted => Ok(written),
        Isolation::RepeatableRead => Err(TransactionError::Serialization { cause }.into()),
    }
}
