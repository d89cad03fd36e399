//! The version map of a page: for each row changed lately, the newest undo record; for runs of fresh rows, the record
//! of the fill that made them.
//!
//! A page without a map shows every reader the same rows. A map hangs beside its page (see `pager`), is guarded by
//! the page's latch, moves with its rows when the page is split, and is dropped once no snapshot can tell its
//! changes from the page's image.
//!
//! A row is governed by its own chain; where that ends, by the fill that covers the row, if one does; else the image
//! the chain ends in is older than every snapshot.

use super::snapshot::Snapshot;
use super::status::{StampState, StatusTable};
use super::undo::{Change, UndoRecord};
use crate::ids::{RowId, Timestamp, TransactionId};
use std::collections::HashMap;
use std::sync::Arc;

/// What a statement sees: a snapshot, and its own transaction's changes up to the statement before.
#[derive(Clone, Copy, Debug)]
pub struct ReadView {
    /// Whose commits count.
    pub snapshot: Snapshot,
    /// Own changes of commands below this are seen.
    pub command: u32,
}

impl ReadView {
    /// Whether the change a record describes is seen.
    pub fn sees(&self, record: &UndoRecord, statuses: &StatusTable) -> bool {
        match record.stamp.resolve(statuses) {
            StampState::Committed(ts) => self.snapshot.sees(ts),
            StampState::InProgress(id) => self.snapshot.own() == Some(id) && record.command < self.command,
            StampState::Aborted => false,
        }
    }
}

/// How a reader gets from the page's image of a row to the row it sees.
#[derive(Debug)]
pub enum Resolution {
    /// The image as it is, dead or alive.
    Current,
    /// The image with these changes taken back, in this order.
    Undo(Vec<Arc<UndoRecord>>),
    /// There is no row.
    Absent,
}

/// Undo records of the rows of one page.
#[derive(Debug, Default)]
pub struct VersionMap {
    rows: HashMap<RowId, Arc<UndoRecord>>,
    fills: Vec<Arc<UndoRecord>>,
}

fn covers(fill: &UndoRecord, row: RowId) -> bool {
    matches!(fill.change, Change::Fill { last } if fill.row <= row && row <= last)
}

impl VersionMap {
    /// The newest record of a row: its own, or the fill's.
    pub fn newest(&self, row: RowId) -> Option<&Arc<UndoRecord>> {
        self.rows.get(&row).or_else(|| self.fill(row))
    }

    fn fill(&self, row: RowId) -> Option<&Arc<UndoRecord>> {
        self.fills.iter().rev().find(|fill| covers(fill, row))
    }

    /// Puts a record on top of its row's chain.
    pub fn push(&mut self, record: Arc<UndoRecord>) {
        match record.change {
            Change::Fill { .. } => self.fills.push(record),
            Change::Insert | Change::Revive { .. } | Change::Delete { .. } | Change::Update { .. } => {
                record.set_older(self.rows.remove(&record.row));
                self.rows.insert(record.row, record);
            }
            Change::Create | Change::Overflow { .. } => unreachable!("neither changes a row"),
        }
    }

    /// Takes a record that was rolled back off the top of its chain; false if it is not there.
    pub fn pop(&mut self, record: &Arc<UndoRecord>) -> bool {
        if let Some(at) = self.fills.iter().position(|fill| Arc::ptr_eq(fill, record)) {
            self.fills.swap_remove(at);
            return true;
        }
        if !self.rows.get(&record.row).is_some_and(|top| Arc::ptr_eq(top, record)) {
            return false;
        }
        match record.older() {
            Some(older) => self.rows.insert(record.row, older),
            None => self.rows.remove(&record.row),
        };
        true
    }

    /// What `view` sees of a row.
    pub fn resolve(&self, row: RowId, view: &ReadView, statuses: &StatusTable) -> Resolution {
        let mut undo = Vec::new();
        let mut next = self.rows.get(&row).cloned();
        while let Some(record) = next {
            if view.sees(&record, statuses) {
                return if undo.is_empty() { Resolution::Current } else { Resolution::Undo(undo) };
            }
            next = record.older();
            if matches!(record.change, Change::Insert) {
                return Resolution::Absent;
            }
            undo.push(record);
        }
        if self.fill(row).is_some_and(|fill| !view.sees(fill, statuses)) {
            return Resolution::Absent;
        }
        if undo.is_empty() { Resolution::Current } else { Resolution::Undo(undo) }
    }

    /// Whether the image of every row of the page is what `view` sees. Costs a look at each record that hangs here,
    /// and saves one at each row of the page.
    pub fn all_current(&self, view: &ReadView, statuses: &StatusTable) -> bool {
        self.rows.values().chain(&self.fills).all(|record| view.sees(record, statuses))
    }

    /// The records of a row, newest first, that a running transaction other than `own` may still take back come
    /// first; tells the first such transaction.
    pub fn writer(
        &self,
        row: RowId,
        own: Option<TransactionId>,
        statuses: &StatusTable,
    ) -> Option<TransactionId> {
        self.newest(row).and_then(|record| record.held_by_other(own, statuses))
    }

    /// When the newest change of a row committed, if it did so after `snapshot`.
    pub fn changed_after(&self, row: RowId, snapshot: Snapshot, statuses: &StatusTable) -> Option<Timestamp> {
        match self.newest(row)?.stamp.resolve(statuses) {
            StampState::Committed(ts) if !snapshot.sees(ts) => Some(ts),
            StampState::Committed(_) | StampState::InProgress(_) | StampState::Aborted => None,
        }
    }

    /// Drops what no snapshot from `horizon` on needs; false when something is left.
    pub fn prune(&mut self, horizon: Timestamp, statuses: &StatusTable) -> bool {
        let old = |record: &UndoRecord| matches!(record.stamp.resolve(statuses), StampState::Committed(ts) if ts <= horizon);
        self.fills.retain(|fill| !old(fill));
        let fills = &self.fills;
        self.rows.retain(|&row, top| {
            // While a fill covers the row, its own record is what tells that the fill is not the last word.
            if old(top) && !fills.iter().any(|fill| covers(fill, row)) {
                return false;
            }
            let mut record = Arc::clone(top);
            loop {
                if old(&record) {
                    record.forget_older();
                    return true;
                }
                let Some(older) = record.older() else { return true };
                record = older;
            }
        });
        self.is_empty()
    }

    /// Whether every row's image is the only version.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.fills.is_empty()
    }

    /// Moves the records of the rows from `separator` on to the map of a new right neighbour.
    pub fn split_off(&mut self, separator: RowId) -> Self {
        let mut right = Self::default();
        right.rows.extend(self.rows.extract_if(|&row, _| row >= separator));
        right.fills.extend(
            self.fills
                .iter()
                .filter(|fill| matches!(fill.change, Change::Fill { last } if last >= separator))
                .cloned(),
        );
        self.fills.retain(|fill| fill.row < separator);
        right
    }

    /// Takes over the records of a right neighbour that is merged into this page.
    pub fn absorb(&mut self, right: Self) {
        self.rows.extend(right.rows);
        for fill in right.fills {
            if !self.fills.iter().any(|known| Arc::ptr_eq(known, &fill)) {
                self.fills.push(fill);
            }
        }
    }
}
