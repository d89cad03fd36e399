//! Locks that last as long as a transaction, and waiting for them.
//!
//! A [`Locker`] is a session's handle to them. Four kinds of things are locked or waited for:
//!
//! ```text
//!   Table(id)       eight modes; weak ones usually not here but in the session's slots, see table_locks
//!   Row(table, row) FOR UPDATE and its like, four modes
//!   Turn(table, row) the place at the head of those who wait to write a row
//!   End(id)         a transaction; held by nobody, waited for until `finish`
//! ```
//!
//! An UPDATE takes no lock: its uncommitted version is the lock. Who meets one queues for the row's turn, waits
//! at the head for the writer's end, tries again, and passes the turn on when it has written or given up. So
//! waiters of one row are served in the order of arrival, and one commit wakes one waiter a row. ROLLBACK TO
//! SAVEPOINT wakes the same waiters: the row they wait for may be free again.
//!
//! 1. The queues live in 1,024 shards, each with a mutex. A request is answered or queued under it; a release
//!    grants under it. So no wake-up is lost.
//! 2. A thread that is about to sleep has queued, then entered the deadlock graph; it leaves both before it
//!    returns.
//! 3. Order of mutexes: graph, shard, list of sessions, sleeper. No shard is locked while another is.
//! 4. A transaction's state is decided before `finish` looks for those who wait for its end; they look at the
//!    state under the shard's mutex before they queue.
//! 5. A partial rollback is counted after its rows are free and before its waiters are woken. Who waits has read
//!    the count before looking at the row, and looks again instead of sleeping if it has changed.
//! 6. Locks are given back in the reverse order of taking. A lock that is already covered is not taken again,
//!    so giving back to a mark never takes away what was held at the mark.

use super::cancel::{Outcome, Patience, Sleeper};
use super::deadlock::{Blocker, LockerId, WaitGraph, Waiting};
use super::modes::{
    Conflicts, ModeSet, ROW_CONFLICTS, RowLockMode, SINGLE_CONFLICTS, TABLE_CONFLICTS, TableLockMode, set_of,
};
use super::queue::{Answer, LockQueue, Request};
use super::status::{Status, StatusTable};
use super::table_locks::{HeldTable, SessionSlots, TableSlots};
use crate::error::{Error, Result, TransactionError};
use crate::ids::{ObjectId, RowId, Timestamp, TransactionId};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

const SHARDS: u32 = 1024;

/// A row of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RowKey {
    /// The table.
    pub table: ObjectId,
    /// The row.
    pub row: RowId,
}

/// What can be waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    /// A table, in a [`TableLockMode`].
    Table(ObjectId),
    /// A row, in a [`RowLockMode`].
    Row(RowKey),
    /// The right to be the next to write a row.
    Turn(RowKey),
    /// A transaction's end.
    End(TransactionId),
}

impl Resource {
    fn shard(self) -> usize {
        let (kind, table, rest) = match self {
            Self::Table(table) => (1, table.0, 0),
            Self::Row(key) => (2, key.table.0, key.row.0),
            Self::Turn(key) => (3, key.table.0, key.row.0),
            Self::End(id) => (4, 0, id.0),
        };
        // Fibonacci hashing: the upper bits of the product depend on all bits of the factor.
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (u64::from(table) << 3 | kind).wrapping_mul(GOLDEN).rotate_left(32) ^ rest;
        (mixed.wrapping_mul(GOLDEN) >> (64 - SHARDS.trailing_zeros())) as usize
    }

    fn conflicts(self) -> Conflicts {
        match self {
            Self::Table(_) => TABLE_CONFLICTS,
            Self::Row(_) => ROW_CONFLICTS,
            Self::Turn(_) | Self::End(_) => SINGLE_CONFLICTS,
        }
    }

    /// The name of one of its modes in `pg_locks`.
    pub fn mode_name(self, mode: u8) -> &'static str {
        let at = usize::from(mode);
        match self {
            Self::Table(_) => TableLockMode::ALL[at].name(),
            Self::Row(_) => RowLockMode::ALL[at].name(),
            Self::Turn(_) => "ExclusiveLock",
            Self::End(_) => "ShareLock",
        }
    }
}

/// As PostgreSQL's deadlock reports name it.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "relation {table}"),
            Self::Row(key) | Self::Turn(key) => write!(f, "row {} of relation {}", key.row, key.table),
            Self::End(id) => write!(f, "transaction {id}"),
        }
    }
}

type Queues = HashMap<Resource, LockQueue>;

#[derive(Default)]
struct Shard {
    queues: Mutex<Queues>,
    /// Queues of row locks among them, so that writers need not look when there are none.
    rows: AtomicU32,
}

/// All locks of a database.
pub struct Locks {
    shards: Box<[Shard]>,
    graph: Mutex<WaitGraph>,
    pub(super) tables: TableSlots,
    statuses: Arc<StatusTable>,
    next_locker: AtomicU32,
    partial_rollbacks: AtomicU64,
}

/// One line of `pg_locks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LockEntry {
    /// Who.
    pub locker: LockerId,
    /// What.
    pub resource: Resource,
    /// How; see [`Resource::mode_name`].
    pub mode: u8,
    /// Held, or waited for.
    pub granted: bool,
}

impl Locks {
    /// No locks yet. Ends of transactions are looked up in `statuses`.
    pub fn new(statuses: Arc<StatusTable>) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            graph: Mutex::new(WaitGraph::default()),
            tables: TableSlots::default(),
            statuses,
            next_locker: AtomicU32::new(1),
            partial_rollbacks: AtomicU64::new(0),
        })
    }

    /// A session's handle.
    pub fn locker(self: &Arc<Self>) -> Locker {
        let id = LockerId(self.next_locker.fetch_add(1, Ordering::Relaxed));
        Locker {
            locks: Arc::clone(self),
            id,
            transaction: None,
            slots: self.tables.register(id),
            tables: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Wakes those who wait for the end of `id`; its state in the status table is decided already.
    pub fn finish(&self, id: TransactionId) {
        let resource = Resource::End(id);
        let mut queues = self.queues(resource);
        if queues.is_empty() {
            return;
        }
        let waiting = queues.remove(&resource);
        drop(queues);
        if let Some(queue) = waiting {
            queue.grant_all();
        }
    }

    /// Wakes those who wait for `id`, which has taken some of its changes back.
    fn finish_partly(&self, id: TransactionId) {
        self.partial_rollbacks.fetch_add(1, Ordering::SeqCst);
        self.finish(id);
    }

    /// Everything held and waited for, shard by shard (so not of one moment).
    pub fn entries(&self) -> Vec<LockEntry> {
        let mut entries = self.tables.entries();
        for shard in &self.shards {
            let queues = shard.queues.lock();
            for (&resource, queue) in queues.iter() {
                for holder in queue.holders() {
                    let modes = (0..8).filter(|&mode| holder.modes & set_of(mode) != 0);
                    entries.extend(modes.map(|mode| LockEntry {
                        locker: holder.locker,
                        resource,
                        mode,
                        granted: true,
                    }));
                }
                entries.extend(queue.waiters().map(|request| LockEntry {
                    locker: request.locker,
                    resource,
                    mode: request.mode,
                    granted: false,
                }));
            }
        }
        entries
    }

    fn queues(&self, resource: Resource) -> MutexGuard<'_, Queues> {
        self.shards[resource.shard()].queues.lock()
    }

    /// Whether a session's slots, which are not in the queue, keep `locker` from having `mode`.
    fn blocked_by_slots(&self, resource: Resource, locker: LockerId, mode: u8) -> bool {
        match resource {
            Resource::Table(table) => {
                let excluded = TABLE_CONFLICTS[usize::from(mode)];
                !self.tables.holders(table, excluded, locker).is_empty()
            }
            Resource::Row(_) | Resource::Turn(_) | Resource::End(_) => false,
        }
    }

    /// Grants what can be granted after something changed that the queue depends on.
    pub(super) fn regrant(&self, resource: Resource) {
        self.change(resource, |_| {});
    }

    /// Takes a mode from its holder.
    pub(super) fn release(&self, resource: Resource, locker: LockerId, mode: u8) {
        self.change(resource, |queue| queue.release(locker, set_of(mode)));
    }

    fn change(&self, resource: Resource, f: impl FnOnce(&mut LockQueue)) {
        let mut queues = self.queues(resource);
        let Some(queue) = queues.get_mut(&resource) else { return };
        f(queue);
        match resource {
            Resource::Table(_) | Resource::Row(_) | Resource::Turn(_) => {
                queue.grant_waiting(resource.conflicts(), |locker, mode| {
                    self.blocked_by_slots(resource, locker, mode)
                });
            }
            Resource::End(_) => {}
        }
        self.drop_if_idle(&mut queues, resource);
    }

    fn queue_of<'q>(&self, queues: &'q mut Queues, resource: Resource) -> &'q mut LockQueue {
        queues.entry(resource).or_insert_with(|| {
            if let Resource::Row(_) = resource {
                self.shards[resource.shard()].rows.fetch_add(1, Ordering::Release);
            }
            LockQueue::default()
        })
    }

    fn drop_if_idle(&self, queues: &mut Queues, resource: Resource) {
        if queues.get(&resource).is_some_and(LockQueue::is_idle) {
            queues.remove(&resource);
            if let Resource::Row(_) = resource {
                self.shards[resource.shard()].rows.fetch_sub(1, Ordering::Release);
            }
        }
    }

    /// Whom a waiter waits for.
    fn blockers(&self, waiting: &Waiting) -> Vec<Blocker> {
        let (resource, mode) = (waiting.resource, waiting.mode);
        if let Resource::End(id) = resource {
            return vec![Blocker::Transaction(id)];
        }
        let queues = self.queues(resource);
        let Some(queue) = queues.get(&resource) else { return Vec::new() };
        let mut blockers = queue.blockers(&waiting.sleeper, resource.conflicts());
        if let Resource::Table(table) = resource {
            let excluded = TABLE_CONFLICTS[usize::from(mode)];
            blockers.extend(self.tables.holders(table, excluded, waiting.locker));
        }
        blockers.into_iter().map(Blocker::Locker).collect()
    }
}

/// What to do about a lock that is not free.
#[derive(Clone, Copy)]
pub(super) enum Blocked {
    Queue,
    GiveUp,
}

/// The answer to a request for a lock.
pub(super) enum Asked {
    /// It is held now and was not before.
    Granted,
    /// It, or one that includes it, was held before.
    Covered,
    /// It is not free; who is to sleep if the request was queued.
    Blocked(Arc<Sleeper>),
}

/// How a transaction ended that was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It committed.
    Committed(Timestamp),
    /// It was rolled back.
    Aborted,
    /// It ended so long ago that only its versions, if it left any, know how.
    Forgotten,
}

/// How many locks a transaction held at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockMark(usize);

/// A lock in the order of taking.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    Table(ObjectId, TableLockMode),
    Row(RowKey, RowLockMode),
}

/// A session's locks and its place in waits.
pub struct Locker {
    pub(super) locks: Arc<Locks>,
    pub(super) id: LockerId,
    transaction: Option<TransactionId>,
    pub(super) slots: Arc<SessionSlots>,
    pub(super) tables: Vec<HeldTable>,
    pub(super) held: Vec<Held>,
}

impl Locker {
    /// Its number, which serves as the session's process number.
    pub fn id(&self) -> LockerId {
        self.id
    }

    /// Says which transaction the session now runs, so that waits for it are waits for this session.
    pub fn assign(&mut self, transaction: TransactionId) {
        self.transaction = Some(transaction);
    }

    /// The locks held now, to go back to.
    pub fn mark(&self) -> LockMark {
        LockMark(self.held.len())
    }

    /// Gives back the locks taken since `mark`: ROLLBACK TO SAVEPOINT.
    pub fn release_to(&mut self, mark: LockMark) {
        while self.held.len() > mark.0 {
            match self.held.pop() {
                Some(Held::Table(table, mode)) => self.unlock_table(table, mode),
                Some(Held::Row(key, mode)) => self.unlock_row(key, mode),
                None => return,
            }
        }
    }

    /// The transaction ended: wakes those who wait for it and gives back every lock. Its state in the status
    /// table is decided already.
    pub fn end_transaction(&mut self) {
        if let Some(id) = self.transaction.take() {
            self.locks.finish(id);
        }
        self.release_to(LockMark(0));
    }

    /// Waits until `other` has ended; at once if it has.
    ///
    /// # Errors
    /// 40P01, 55P03 (`lock_timeout`) or 57014 when the wait ends otherwise.
    pub fn wait_for_end(&mut self, other: TransactionId, patience: &Patience<'_>) -> Result<Ended> {
        assert!(self.transaction != Some(other), "a transaction does not wait for itself");
        loop {
            match self.locks.statuses.status(other) {
                Status::Active | Status::Committing => self.sleep_until_end(other, None, patience)?,
                Status::Committed(ts) => return Ok(Ended::Committed(ts)),
                Status::Aborted => return Ok(Ended::Aborted),
                Status::Released => return Ok(Ended::Forgotten),
            }
        }
    }

    /// Waits while `writer`, met on the row `key`, may be in the way: until it has ended or taken changes back. Those
    /// who wait for one row take turns in the order of arrival: `turn` is kept over the caller's attempts, and dropped
    /// when it is through with the row. The first call only comes back with the turn. The caller looks at the row
    /// again after every call, and waits again if it has to.
    ///
    /// # Errors
    /// As [`Self::wait_for_end`].
    pub fn wait_for_writer(
        &mut self,
        key: RowKey,
        writer: TransactionId,
        turn: &mut Option<RowTurn>,
        patience: &Patience<'_>,
    ) -> Result<()> {
        assert!(self.transaction != Some(writer), "a transaction does not wait for itself");
        let count = |locks: &Locks| locks.partial_rollbacks.load(Ordering::SeqCst);
        match turn.as_mut().filter(|turn| turn.key == key) {
            Some(turn) => {
                self.sleep_until_end(writer, Some(turn.seen), patience)?;
                turn.seen = count(&self.locks);
            }
            None => {
                *turn = None;
                self.acquire(Resource::Turn(key), 0, 0, patience)?;
                let (locks, seen) = (Arc::clone(&self.locks), count(&self.locks));
                *turn = Some(RowTurn { locks, locker: self.id, key, seen });
            }
        }
        Ok(())
    }

    /// Some of its transaction's changes were taken back: who waits for them looks again.
    pub fn rolled_back_partly(&self) {
        if let Some(id) = self.transaction {
            self.locks.finish_partly(id);
        }
    }

    /// Locks a row if that needs no waiting; says whether it is locked.
    #[must_use]
    pub fn try_lock_row(&mut self, key: RowKey, mode: RowLockMode) -> bool {
        let request = self.ask(Resource::Row(key), mode as u8, 0, Blocked::GiveUp);
        if matches!(request, Asked::Granted) {
            self.held.push(Held::Row(key, mode));
        }
        matches!(request, Asked::Granted | Asked::Covered)
    }

    /// Locks a row, waiting for those who hold it in the way.
    ///
    /// # Errors
    /// As [`Self::wait_for_end`].
    pub fn lock_row(&mut self, key: RowKey, mode: RowLockMode, patience: &Patience<'_>) -> Result<()> {
        if self.acquire(Resource::Row(key), mode as u8, 0, patience)? {
            self.held.push(Held::Row(key, mode));
        }
        Ok(())
    }

    /// Whether another session's row lock forbids what `mode` stands for. Writers ask this under the row's
    /// latch, under which row locks are tried too; then neither can slip past the other.
    pub fn row_is_locked(&self, key: RowKey, mode: RowLockMode) -> bool {
        let resource = Resource::Row(key);
        if self.locks.shards[resource.shard()].rows.load(Ordering::Acquire) == 0 {
            return false;
        }
        let excluded = ROW_CONFLICTS[mode as usize];
        self.locks.queues(resource).get(&resource).is_some_and(|queue| queue.others_hold(self.id, excluded))
    }

    fn unlock_row(&mut self, key: RowKey, mode: RowLockMode) {
        self.locks.release(Resource::Row(key), self.id, mode as u8);
    }

    /// Takes a lock, sleeping if need be; false if what is held covers it. `elsewhere` is what this locker
    /// holds in its slots.
    pub(super) fn acquire(
        &self,
        resource: Resource,
        mode: u8,
        elsewhere: ModeSet,
        patience: &Patience<'_>,
    ) -> Result<bool> {
        match self.ask(resource, mode, elsewhere, Blocked::Queue) {
            Asked::Granted => Ok(true),
            Asked::Covered => Ok(false),
            Asked::Blocked(sleeper) => self.sleep(resource, mode, &sleeper, patience).map(|()| true),
        }
    }

    /// Takes a lock if it is free.
    pub(super) fn ask(&self, resource: Resource, mode: u8, elsewhere: ModeSet, blocked: Blocked) -> Asked {
        let locks = &self.locks;
        let mut queues = locks.queues(resource);
        let blocked_by_slots = locks.blocked_by_slots(resource, self.id, mode);
        let queue = locks.queue_of(&mut queues, resource);
        let place = match queue.request(self.id, mode, elsewhere, resource.conflicts(), blocked_by_slots) {
            Answer::Granted => return Asked::Granted,
            Answer::Covered => return Asked::Covered,
            Answer::WaitAt(place) => place,
        };
        let sleeper = Arc::new(Sleeper::default());
        match blocked {
            Blocked::Queue => {
                queue.wait_at(place, Request { locker: self.id, mode, sleeper: Arc::clone(&sleeper) });
            }
            Blocked::GiveUp => locks.drop_if_idle(&mut queues, resource),
        }
        Asked::Blocked(sleeper)
    }

    /// Sleeps until `other` has ended or taken changes back; not at all if that has happened, by the count `seen` of
    /// partial rollbacks.
    fn sleep_until_end(
        &self,
        other: TransactionId,
        seen: Option<u64>,
        patience: &Patience<'_>,
    ) -> Result<()> {
        let resource = Resource::End(other);
        let sleeper = Arc::new(Sleeper::default());
        {
            let locks = &self.locks;
            let mut queues = locks.queues(resource);
            let changed = seen.is_some_and(|seen| seen != locks.partial_rollbacks.load(Ordering::SeqCst));
            if changed || !locks.statuses.status(other).in_progress() {
                return Ok(());
            }
            let request = Request { locker: self.id, mode: 0, sleeper: Arc::clone(&sleeper) };
            locks.queue_of(&mut queues, resource).wait_at(0, request);
        }
        self.sleep(resource, 0, &sleeper, patience)
    }

    fn sleep(
        &self,
        resource: Resource,
        mode: u8,
        sleeper: &Arc<Sleeper>,
        patience: &Patience<'_>,
    ) -> Result<()> {
        let locks = &self.locks;
        let waiting = Waiting {
            locker: self.id,
            transaction: self.transaction,
            resource,
            mode,
            weight: patience.weight,
            sleeper: Arc::clone(sleeper),
        };
        {
            let mut graph = locks.graph.lock();
            graph.enter(waiting);
            graph.break_circles(self.id, |waiting| locks.blockers(waiting));
        }
        let outcome = sleeper.sleep(patience);
        if outcome != Outcome::Granted {
            locks.change(resource, |queue| queue.withdraw(sleeper));
        }
        locks.graph.lock().leave(self.id);
        match outcome {
            Outcome::Granted => Ok(()),
            Outcome::Deadlock(report) => {
                let error = Error::from(TransactionError::Deadlock);
                Err(error.with_detail(report))
            }
            Outcome::Canceled => Err(patience.cancel.error()),
            Outcome::TimedOut => Err(TransactionError::LockTimeout.into()),
        }
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        self.end_transaction();
        self.locks.tables.deregister(&self.slots);
    }
}

/// The place at the head of those who wait to write a row; passed on when dropped.
pub struct RowTurn {
    locks: Arc<Locks>,
    locker: LockerId,
    key: RowKey,
    /// Partial rollbacks before the row was looked at.
    seen: u64,
}

impl Drop for RowTurn {
    fn drop(&mut self) {
        self.locks.release(Resource::Turn(self.key), self.locker, 0);
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
