//! What commits leave behind, until no snapshot can see it: who waits to be cleared, in the order of commits.

use super::open::Transactions;
use crate::codec::row::OverflowRef;
use crate::ids::{ObjectId, RowId, Timestamp};
use std::collections::VecDeque;

/// What a commit leaves behind that nobody needs once every snapshot is younger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Garbage {
    /// A deleted row.
    Row {
        /// Its table.
        table: ObjectId,
        /// Its id.
        row: RowId,
    },
    /// An index entry of a version that was replaced.
    Key {
        /// The table.
        table: ObjectId,
        /// The index.
        index: ObjectId,
        /// The row.
        row: RowId,
        /// The entry, row id included.
        key: Box<[u8]>,
    },
    /// The pages of a long value that was replaced.
    Overflow(OverflowRef),
    /// All pages of a dropped or emptied object.
    Object(ObjectId),
}

#[derive(Default)]
pub(super) struct GarbageQueue {
    /// In the order of commits.
    waiting: VecDeque<(Timestamp, Garbage)>,
    /// What a collector is at, which is garbage still until it is done.
    working: Option<(Timestamp, Garbage)>,
    /// What a collector had to leave.
    postponed: Vec<(Timestamp, Garbage)>,
}

impl Transactions {
    /// Takes the oldest garbage up into work, if its commit is not younger than `horizon`. One collector at a time;
    /// it calls [`Self::garbage_done`] inside the row operation that finishes the work.
    pub fn next_garbage(&self, horizon: Timestamp) -> Option<Garbage> {
        let mut queue = self.garbage.lock();
        if queue.working.is_none() && queue.waiting.front().is_some_and(|(ts, _)| *ts <= horizon) {
            queue.working = queue.waiting.pop_front();
        }
        queue.working.as_ref().map(|(_, garbage)| garbage.clone())
    }

    /// The garbage taken up last is gone.
    pub fn garbage_done(&self) {
        self.garbage.lock().working = None;
    }

    /// The garbage taken up last is gone, and left this behind, which nobody can see either.
    pub fn replace_garbage(&self, left: Vec<Garbage>) {
        let mut queue = self.garbage.lock();
        queue.working = None;
        for garbage in left {
            queue.waiting.push_front((Timestamp(0), garbage));
        }
    }

    /// The garbage taken up last has to wait for a transaction that is open.
    pub fn postpone_garbage(&self) {
        let mut queue = self.garbage.lock();
        let postponed = queue.working.take();
        queue.postponed.extend(postponed);
    }

    /// Garbage that had to wait may be taken up again.
    pub fn resume_garbage(&self) {
        let mut queue = self.garbage.lock();
        while let Some(garbage) = queue.postponed.pop() {
            queue.waiting.push_front(garbage);
        }
    }

    /// Adds garbage of the commit `ts`.
    pub fn add_garbage(&self, ts: Timestamp, garbage: impl IntoIterator<Item = Garbage>) {
        let mut queue = self.garbage.lock();
        queue.waiting.extend(garbage.into_iter().map(|garbage| (ts, garbage)));
    }

    /// The garbage of all commits up to `ts`, for the cut. No collector may be at work.
    pub fn pending_garbage(&self, ts: Timestamp) -> Vec<Garbage> {
        let queue = self.garbage.lock();
        let all = queue.working.iter().chain(&queue.postponed).chain(&queue.waiting);
        let of_cut = all.filter(|(other, _)| *other <= ts);
        of_cut.map(|(_, garbage)| garbage.clone()).collect()
    }
}
