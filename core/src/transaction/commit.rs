//! The order of commits: one mutex under which a commit gets its timestamp, its log record and its visibility.
//!
//! ```text
//!   commit mutex:  ts = last + 1 -> redo appended at lsn -> status committed(ts) -> visible_ts = ts
//!   outside:       log flushed up to lsn -> durable_ts = ts -> client told
//! ```
//!
//! 1. Timestamps and log positions of commits ascend together, without gaps in the timestamps.
//! 2. A reader that sees `visible_ts >= ts` finds every commit up to `ts` in the status table: the table is
//!    written before `visible_ts` (release), and read after it (acquire).
//! 3. `durable_ts` is the newest commit whose log position the log reported durable.
//! 4. Inside the mutex nothing waits: ring space is reserved before, the flush is waited for afterwards. The
//!    only other holder is the cut's barrier.
//!
//! Which snapshot who takes: a transaction that may write reads at `visible_ts`, so that one hot row takes
//! many updates per flush; it sees commits that are not durable, which is safe because its own commit is
//! acknowledged only when a later log position is durable. If it turns out to have written nothing, or a
//! read-only statement had to read ahead of `acked_ts` because its session had done so before, it waits at
//! its end for [`CommitOrder::pending_lsn`] of its snapshot. Other read-only statements read at `acked_ts` and
//! never wait.

use super::snapshot::Snapshots;
use super::status::StatusTable;
use crate::error::Result;
use crate::ids::{Lsn, Timestamp, TransactionId};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, Padded};
use std::collections::VecDeque;
use std::sync::Arc;

/// A commit's place in the order and in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// When.
    pub ts: Timestamp,
    /// The end of its redo: it is durable when the log is durable up to here.
    pub lsn: Lsn,
}

/// Whether commits have to reach a log to last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// A commit lasts when the log is flushed up to it.
    Logged,
    /// There is no log (a database in memory): a commit is as durable as it will ever be.
    Volatile,
}

#[derive(Debug)]
struct Order {
    last: Timestamp,
    /// Commits not known to be durable, oldest first.
    pending: VecDeque<Committed>,
}

/// Puts commits into order and follows them to durability.
pub struct CommitOrder {
    order: Padded<Mutex<Order>>,
    /// How far durability was processed; lets all but the first of a group's committers return at once.
    settled: Padded<AtomicU64>,
    statuses: Arc<StatusTable>,
    snapshots: Arc<Snapshots>,
    durability: Durability,
}

impl CommitOrder {
    /// Continues after the newest commit that `snapshots` knows.
    pub fn new(statuses: Arc<StatusTable>, snapshots: Arc<Snapshots>, durability: Durability) -> Self {
        let order = Order { last: snapshots.visible_ts(), pending: VecDeque::new() };
        Self {
            order: Padded(Mutex::new(order)),
            settled: Padded(AtomicU64::new(0)),
            statuses,
            snapshots,
            durability,
        }
    }

    /// Goes on after the commit `newest`, which recovery found. Before the first transaction.
    pub fn start_after(&self, newest: Timestamp) {
        let mut order = self.order.lock();
        order.last = order.last.max(newest);
        self.snapshots.publish(order.last);
        self.snapshots.made_durable(order.last);
    }

    /// Commits `id`. `log` appends the redo, told the timestamp, and returns its end; what it checks and what
    /// it copies happens inside the commit mutex, so it must be short and must not wait.
    ///
    /// # Errors
    /// Those of `log`; the transaction is then still active and can be rolled back.
    pub fn commit(&self, id: TransactionId, log: impl FnOnce(Timestamp) -> Result<Lsn>) -> Result<Committed> {
        let mut order = self.order.lock();
        self.statuses.committing(id);
        let ts = Timestamp(order.last.0 + 1);
        let lsn = log(ts).inspect_err(|_| self.statuses.not_committed(id))?;
        let committed = Committed { ts, lsn };
        order.last = ts;
        match self.durability {
            Durability::Logged => {
                debug_assert!(order.pending.back().is_none_or(|before| before.lsn <= lsn));
                order.pending.push_back(committed);
            }
            Durability::Volatile => {}
        }
        self.statuses.committed(id, ts);
        self.snapshots.publish(ts);
        if self.durability == Durability::Volatile {
            self.snapshots.made_durable(ts);
        }
        Ok(committed)
    }

    /// Notes that the log is durable up to `upto`. To be called before a commit that waited for it is
    /// acknowledged; on return `durable_ts` covers every commit up to there.
    pub fn durable(&self, upto: Lsn) {
        if upto.0 <= self.settled.load(Ordering::Acquire) {
            return;
        }
        let mut order = self.order.lock();
        let count = order.pending.partition_point(|commit| commit.lsn <= upto);
        if let Some(newest) = order.pending.drain(..count).next_back() {
            self.snapshots.made_durable(newest.ts);
        }
        self.settled.fetch_max(upto.0, Ordering::AcqRel);
    }

    /// Notes that a commit is acknowledged without waiting for its flush.
    pub fn acknowledge(&self, commit: Committed) {
        self.snapshots.acknowledged(commit.ts);
    }

    /// What must be durable before anything read at `ts` may be told to a client; `None` if it is already, or
    /// was acknowledged.
    pub fn pending_lsn(&self, ts: Timestamp) -> Option<Lsn> {
        if ts <= self.snapshots.acked_ts() {
            return None;
        }
        let order = self.order.lock();
        let seen = order.pending.partition_point(|commit| commit.ts <= ts);
        let newest = seen.checked_sub(1)?;
        order.pending.get(newest).map(|commit| commit.lsn)
    }

    /// Keeps commits from happening until the guard is dropped: the first half of the cut's barrier.
    pub fn freeze_commits(&self) -> CommitFreeze<'_> {
        CommitFreeze { order: self.order.lock() }
    }

    /// The timestamps and snapshots that commits advance.
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        &self.snapshots
    }

    /// The table of transactions that commits mark.
    pub fn statuses(&self) -> &Arc<StatusTable> {
        &self.statuses
    }
}

/// While it lives no transaction commits.
pub struct CommitFreeze<'a> {
    order: MutexGuard<'a, Order>,
}

impl CommitFreeze<'_> {
    /// The newest commit.
    pub fn last(&self) -> Timestamp {
        self.order.last
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
