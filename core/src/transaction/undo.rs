//! Undo records: what a row was before a transaction changed it.
//!
//! ```text
//!   transaction's log:   head -> record 3 -> record 2 -> record 1            (previous)
//!                                   |            |
//!   row's versions:      page image <- record 3 <- record of an older transaction    (older)
//! ```
//! One record serves four readers: rollback (newest first along `previous`), snapshots and constraint checks (newest
//! first along `older`, from the row's image in the page), validation, and the cut, which writes the records of the
//! transactions that are open at its barrier.
//!
//! Invariants:
//! 1. A record is immutable but for its stamp and its `older` link, which its row's page latch guards.
//! 2. `previous` never changes: a log only gets a new head. Whoever holds a head (a cut) holds all that was there.
//! 3. The image in the page is the state after the newest record of the row's chain.

use super::status::{Stamp, StampState, StatusTable};
use crate::ids::{Lsn, ObjectId, PageId, RowId, TransactionId};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was done to a row, with what is needed to take it back.
#[derive(Debug)]
pub enum Change {
    /// There was no row.
    Insert,
    /// There were no rows from the record's row up to and including this one, all of which were inserted.
    Fill {
        /// The last row.
        last: RowId,
    },
    /// The row was deleted and got new values; before, its dead slot held these, in the row form of `schema`.
    Revive {
        /// The schema version of `old`.
        schema: u32,
        /// The dead row.
        old: Box<[u8]>,
    },
    /// The row was there, with the values that its slot still holds.
    Delete {
        /// It goes on under another id. Who waits for the row wants to know; nobody needs it after a restart.
        moves: bool,
    },
    /// Some columns had these values, in the row form of `schema` projected to them.
    Update {
        /// The schema version of `old`.
        schema: u32,
        /// The columns, ascending.
        columns: Box<[u16]>,
        /// Their values.
        old: Box<[u8]>,
    },
    /// The object did not exist: its pages go when it is taken back.
    Create,
    /// A long value was begun in pages of its own: they go when it is taken back.
    Overflow {
        /// Its first page.
        first: PageId,
    },
}

/// One change of one transaction.
#[derive(Debug)]
pub struct UndoRecord {
    /// Who made the change, and when it committed.
    pub stamp: Stamp,
    /// The statement of the transaction that made it, counted from 0.
    pub command: u32,
    /// The table, or the object created.
    pub object: ObjectId,
    /// The row, or the first of a fill.
    pub row: RowId,
    /// What was done.
    pub change: Change,
    previous: Option<Arc<UndoRecord>>,
    older: Mutex<Option<Arc<UndoRecord>>>,
}

impl UndoRecord {
    /// The change this transaction made before.
    pub fn previous(&self) -> Option<&Arc<Self>> {
        self.previous.as_ref()
    }

    /// The next older record of the same row. The caller holds the row's page latch.
    pub fn older(&self) -> Option<Arc<Self>> {
        self.older.lock().clone()
    }

    /// Links the record above another. The caller holds the row's page latch exclusively.
    pub fn set_older(&self, older: Option<Arc<Self>>) {
        *self.older.lock() = older;
    }

    /// Cuts the chain below this record; what hung there no snapshot needs.
    pub fn forget_older(&self) {
        drop_chain(self.older.lock().take(), |record| record.older.get_mut().take());
    }

    /// Whether the change belongs to a running transaction other than `own`.
    pub fn held_by_other(&self, own: Option<TransactionId>, statuses: &StatusTable) -> Option<TransactionId> {
        match self.stamp.resolve(statuses) {
            StampState::InProgress(id) if own != Some(id) => Some(id),
            StampState::InProgress(_) | StampState::Committed(_) | StampState::Aborted => None,
        }
    }
}

/// Drops a chain without recursion: chains grow as long as transactions do.
fn drop_chain(
    mut next: Option<Arc<UndoRecord>>,
    mut link: impl FnMut(&mut UndoRecord) -> Option<Arc<UndoRecord>>,
) {
    while let Some(mut record) = next {
        next = Arc::get_mut(&mut record).and_then(&mut link);
    }
}

impl Drop for UndoRecord {
    fn drop(&mut self) {
        drop_chain(self.previous.take(), |record| record.previous.take());
        drop_chain(self.older.get_mut().take(), |record| record.older.get_mut().take());
    }
}

/// The undo log of one transaction, shared with cuts.
#[derive(Debug)]
pub struct UndoLog {
    head: Mutex<Option<Arc<UndoRecord>>>,
    length: AtomicU64,
    /// Position of the first redo chunk written ahead of the commit.
    first_chunk: AtomicU64,
}

/// No chunk was written ahead.
const NO_CHUNK: u64 = u64::MAX;

impl Default for UndoLog {
    fn default() -> Self {
        Self { head: Mutex::new(None), length: AtomicU64::new(0), first_chunk: AtomicU64::new(NO_CHUNK) }
    }
}

impl UndoLog {
    /// Makes a record and puts it at the head. Called inside the row operation that makes the change.
    pub fn push(
        &self,
        writer: TransactionId,
        command: u32,
        object: ObjectId,
        row: RowId,
        change: Change,
    ) -> Arc<UndoRecord> {
        let mut head = self.head.lock();
        let record = Arc::new(UndoRecord {
            stamp: Stamp::pending(writer),
            command,
            object,
            row,
            change,
            previous: head.take(),
            older: Mutex::new(None),
        });
        *head = Some(Arc::clone(&record));
        self.length.fetch_add(1, Ordering::Relaxed);
        record
    }

    /// The newest record.
    pub fn head(&self) -> Option<Arc<UndoRecord>> {
        self.head.lock().clone()
    }

    /// Takes the newest record off. Called inside the row operation that takes its change back.
    pub fn pop(&self) {
        let mut head = self.head.lock();
        let previous = head.as_ref().and_then(|record| record.previous.clone());
        if std::mem::replace(&mut *head, previous).is_some() {
            self.length.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Records in the log.
    pub fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Notes where the transaction's first redo chunk was written.
    pub fn note_chunk(&self, at: Lsn) {
        self.first_chunk.compare_exchange(NO_CHUNK, at.0, Ordering::AcqRel, Ordering::Relaxed).ok();
    }

    /// Where the transaction's first redo chunk was written.
    pub fn first_chunk(&self) -> Option<Lsn> {
        Some(self.first_chunk.load(Ordering::Acquire)).filter(|&at| at != NO_CHUNK).map(Lsn)
    }

    /// Replaces the transaction's id by its commit's timestamp in every record, so that its slot can be reused.
    pub fn settle(&self, statuses: &StatusTable) {
        let mut next = self.head();
        while let Some(record) = next {
            record.stamp.resolve(statuses);
            next = record.previous.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_logs_drop_without_recursion() {
        let log = UndoLog::default();
        for row in 0..1_000_000 {
            log.push(TransactionId(1 << 16), 0, ObjectId(1), RowId(row), Change::Insert);
        }
        assert_eq!(log.length(), 1_000_000);
        log.pop();
        assert_eq!(log.head().map(|record| record.row), Some(RowId(999_998)));
    }

    #[test]
    fn a_held_head_outlives_rollback() {
        let log = UndoLog::default();
        for row in 0..3 {
            log.push(TransactionId(1 << 16), 0, ObjectId(1), RowId(row), Change::Insert);
        }
        let held = log.head().unwrap();
        (0..3).for_each(|_| log.pop());
        assert!(log.head().is_none());
        assert_eq!(held.previous().unwrap().row, RowId(1));
    }
}
