//! Who waits for whom, and which waiter gives up when nobody in a circle can go on.
//!
//! The graph lists only lockers that wait. Whom one waits for is not stored but asked of the lock's queue when
//! the graph is searched, so it is never out of date. Everybody who is about to sleep enters the graph and
//! then searches it for a circle through itself, holding the graph's mutex.
//!
//! 1. *Every deadlock is found.* The members of a circle all wait, so one of them entered the graph last, after
//!    all of them had queued; its search sees every edge of the circle.
//! 2. *No deadlock is found that is none.* A locker leaves the graph only by itself, after it was woken; so
//!    during a search each member of a found circle either sleeps since before the search and can have
//!    released nothing, or was woken by somebody, and then its queue does not list it or its outcome is
//!    decided, and it has no edges.
//! 3. The one with the least to lose gives up: the searcher, unless another one has less undo. A sleeping
//!    victim is woken with the report; it may lose the race against a grant, then the circle is broken anyway.

use super::cancel::{Outcome, Sleeper};
use super::locks::Resource;
use crate::ids::TransactionId;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// A session as a holder of locks; also its process number in messages and `pg_locks`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LockerId(pub u32);

impl fmt::Display for LockerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A locker that waits.
pub(super) struct Waiting {
    pub(super) locker: LockerId,
    pub(super) transaction: Option<TransactionId>,
    pub(super) resource: Resource,
    pub(super) mode: u8,
    pub(super) weight: u64,
    pub(super) sleeper: Arc<Sleeper>,
}

/// Whom somebody waits for.
pub(super) enum Blocker {
    /// A holder of a lock, or somebody before it in the queue.
    Locker(LockerId),
    /// Whoever runs this transaction.
    Transaction(TransactionId),
}

/// All lockers that wait.
#[derive(Default)]
pub(super) struct WaitGraph {
    waiting: HashMap<LockerId, Waiting>,
    by_transaction: HashMap<TransactionId, LockerId>,
}

impl WaitGraph {
    /// Notes that a locker is about to sleep; it has queued already.
    pub(super) fn enter(&mut self, waiting: Waiting) {
        if let Some(id) = waiting.transaction {
            self.by_transaction.insert(id, waiting.locker);
        }
        let before = self.waiting.insert(waiting.locker, waiting);
        assert!(before.is_none(), "a locker waits for one thing at a time");
    }

    /// Notes that it woke.
    pub(super) fn leave(&mut self, locker: LockerId) {
        let left = self.waiting.remove(&locker);
        if let Some(id) = left.and_then(|waiting| waiting.transaction) {
            self.by_transaction.remove(&id);
        }
    }

    /// Breaks every circle that `searcher` is part of. If it has to give up itself, its outcome is decided
    /// like anybody else's.
    pub(super) fn break_circles(&self, searcher: LockerId, blockers: impl Fn(&Waiting) -> Vec<Blocker>) {
        while let Some(circle) = self.circle_through(searcher, &blockers) {
            // The circle begins with the searcher, which is therefore taken among equals.
            let Some(at) = (0..circle.len()).min_by_key(|&at| circle[at].weight) else { return };
            circle[at].sleeper.decide(Outcome::Deadlock(report(&circle, at)));
        }
    }

    /// Depth first; each locker is looked at once, so the cost is the number of edges.
    fn circle_through(
        &self,
        searcher: LockerId,
        blockers: impl Fn(&Waiting) -> Vec<Blocker>,
    ) -> Option<Vec<&Waiting>> {
        let edges = |waiting: &Waiting| -> Vec<LockerId> {
            if !waiting.sleeper.waits() {
                return Vec::new();
            }
            blockers(waiting).iter().filter_map(|blocker| self.locker_of(blocker)).collect()
        };
        let start = self.waiting.get(&searcher)?;
        let mut seen = HashSet::from([searcher]);
        let mut path = vec![(start, edges(start))];
        while let Some((_, open)) = path.last_mut() {
            match open.pop() {
                None => {
                    path.pop();
                }
                Some(next) if next == searcher => {
                    return Some(path.into_iter().map(|(waiting, _)| waiting).collect());
                }
                Some(next) if seen.insert(next) => {
                    if let Some(waiting) = self.waiting.get(&next) {
                        path.push((waiting, edges(waiting)));
                    }
                }
                Some(_) => {}
            }
        }
        None
    }

    fn locker_of(&self, blocker: &Blocker) -> Option<LockerId> {
        match blocker {
            Blocker::Locker(locker) => Some(*locker),
            Blocker::Transaction(id) => self.by_transaction.get(id).copied(),
        }
    }
}

/// PostgreSQL's DETAIL: the circle, beginning with the victim.
fn report(circle: &[&Waiting], victim: usize) -> String {
    let line = |at: usize| {
        let (waiting, blocker) = (circle[at % circle.len()], circle[(at + 1) % circle.len()]);
        format!(
            "Process {} waits for {} on {}; blocked by process {}.",
            waiting.locker,
            waiting.resource.mode_name(waiting.mode),
            waiting.resource,
            blocker.locker
        )
    };
    (victim..victim + circle.len()).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
