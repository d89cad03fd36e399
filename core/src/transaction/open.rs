//! A transaction while it is open: its snapshot, its undo log, its redo.
//!
//! ```text
//!   statement   -> new snapshot (READ COMMITTED), next command number
//!   row changed -> undo record (in the row operation), effect appended to the redo buffer
//!   64 KiB redo -> written to the log ahead, as a chunk; taken back by an "undo to" record if need be
//!   commit      -> redo to the log under the commit mutex, status committed, wait for the flush
//!   rollback    -> undo records taken back newest first, status aborted
//! ```
//! A transaction gets an id when it first writes; until then nothing of it is shared but its snapshot.
//!
//! Invariants:
//! 1. The redo stream holds the effects of the changes in the undo log, in their order, and nothing else: a rollback
//!    to a mark cuts both.
//! 2. A transaction is in the table of open ones from its first change until all its changes are committed or taken
//!    back, so that a cut finds every change that may have to be undone.

use super::cancel::{Cancel, Patience};
use super::commit::{CommitOrder, Committed, Durability};
use super::garbage::{Garbage, GarbageQueue};
use super::locks::{Locker, Locks, RowKey, RowTurn};
use super::modes::RowLockMode;
use super::redo::{Effect, LogRecord};
use super::rowop::RowOps;
use super::snapshot::{SessionSnapshots, Snapshot, SnapshotHandle, SnapshotKind, Snapshots};
use super::status::{Status, StatusTable};
use super::undo::{Change, UndoLog, UndoRecord};
use super::versions::ReadView;
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, ObjectId, RowId, Timestamp, TransactionId};
use crate::vfs::Clock;
use crate::wal::Wal;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Redo kept in memory before it is written ahead, in bytes.
const REDO_CHUNK: usize = 64 << 10;

/// How much a transaction sees of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    /// A new snapshot for every statement.
    ReadCommitted,
    /// One snapshot; the first updater wins.
    RepeatableRead,
}

/// Takes changes back. Implemented by whoever made them.
pub trait UndoTarget {
    /// Takes the change of `record`, the newest of `log`, back: its row, its index entries, its pages. Pops the
    /// record in the same row operation that restores the row.
    ///
    /// # Errors
    /// What the pages say; the record then stays where it is.
    fn undo(&self, record: &Arc<UndoRecord>, log: &UndoLog) -> Result<()>;
}

/// What the transactions of a database share.
pub struct Transactions {
    statuses: Arc<StatusTable>,
    snapshots: Arc<Snapshots>,
    commits: CommitOrder,
    row_ops: RowOps,
    locks: Arc<Locks>,
    log: OnceLock<Arc<Wal>>,
    open: Mutex<BTreeMap<TransactionId, Arc<UndoLog>>>,
    pub(super) garbage: Mutex<GarbageQueue>,
    clock: Arc<dyn Clock>,
    stopped: AtomicBool,
}

impl Transactions {
    /// Continues after the commit `newest`. Commits wait for a log once there is one ([`Self::set_log`]).
    pub fn new(newest: Timestamp, durability: Durability, clock: Arc<dyn Clock>) -> Self {
        let statuses = Arc::new(StatusTable::default());
        let snapshots = Snapshots::new(newest);
        Self {
            locks: Locks::new(Arc::clone(&statuses)),
            commits: CommitOrder::new(Arc::clone(&statuses), Arc::clone(&snapshots), durability),
            statuses,
            snapshots,
            row_ops: RowOps::default(),
            log: OnceLock::new(),
            open: Mutex::new(BTreeMap::new()),
            garbage: Mutex::new(GarbageQueue::default()),
            clock,
            stopped: AtomicBool::new(false),
        }
    }

    /// Refuses all changes from now on: what is in memory or on disk is no longer known to be right.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether changes are refused.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire) || self.log.get().is_some_and(|log| log.poisoned())
    }

    /// Names the log that commits go to from now on.
    pub fn set_log(&self, log: Arc<Wal>) {
        let first = self.log.set(log).is_ok();
        assert!(first, "a database has one log");
    }

    /// The log, if commits go to one.
    pub fn log(&self) -> Option<&Arc<Wal>> {
        self.log.get()
    }

    /// What became of each transaction.
    pub fn statuses(&self) -> &StatusTable {
        &self.statuses
    }

    /// The snapshots in use.
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        &self.snapshots
    }

    /// The order of commits.
    pub fn commits(&self) -> &CommitOrder {
        &self.commits
    }

    /// The locks.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// A session's part in what transactions share.
    pub fn participant(&self) -> Participant {
        Participant {
            snapshots: self.snapshots.session(),
            locker: self.locks.locker(),
            cancel: Cancel::new(Arc::clone(&self.clock)),
            lock_timeout: None,
        }
    }

    /// The row operations in progress.
    pub fn row_ops(&self) -> &RowOps {
        &self.row_ops
    }

    /// The undo logs of all transactions that have not committed, with their newest records. Called inside the
    /// barrier with commits frozen: afterwards a status may be another one.
    pub fn open(&self) -> Vec<(TransactionId, Arc<UndoLog>, Option<Arc<UndoRecord>>)> {
        let open = self.open.lock();
        let uncommitted = open.iter().filter(|&(&id, _)| match self.statuses.status(id) {
            Status::Active | Status::Committing | Status::Aborted => true,
            // Rolled back ones leave the table before their slot is given up.
            Status::Committed(_) | Status::Released => false,
        });
        uncommitted.map(|(&id, log)| (id, Arc::clone(log), log.head())).collect()
    }

    fn flush(&self, upto: Lsn) -> Result<()> {
        if let Some(log) = self.log.get() {
            let flushed = log.flush(upto);
            self.commits.durable(log.durable());
            flushed?;
        }
        Ok(())
    }
}

/// A session as transactions know it; lent to each of its transactions in turn.
pub struct Participant {
    /// Its snapshots.
    pub snapshots: SessionSnapshots,
    /// Its locks.
    pub locker: Locker,
    /// Stops its statement.
    pub cancel: Arc<Cancel>,
    /// How long it waits for a lock.
    pub lock_timeout: Option<Duration>,
}

struct Writer {
    id: TransactionId,
    log: Arc<UndoLog>,
}

/// A place in a transaction that it can be taken back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    undo: u64,
    redo: u64,
    garbage: usize,
}

/// An open transaction. Dropping it without an end is a bug: its owner rolls it back.
pub struct Transaction {
    shared: Arc<Transactions>,
    party: Participant,
    isolation: Isolation,
    reads: SnapshotKind,
    snapshot: SnapshotHandle,
    command: u32,
    writer: Option<Writer>,
    redo: Vec<u8>,
    /// Bytes of the redo stream that are in chunks.
    written: u64,
    chunks: u32,
    garbage: Vec<Garbage>,
}

impl Transaction {
    /// Begins with a snapshot of every commit so far.
    pub fn begin(shared: &Arc<Transactions>, party: Participant, isolation: Isolation) -> Self {
        Self::new(shared, party, isolation, SnapshotKind::Latest)
    }

    /// Begins a statement of its own that only reads: it sees what was acknowledged, and what its session has seen
    /// before, so that its end seldom has to wait for the log.
    pub fn begin_reading(shared: &Arc<Transactions>, party: Participant) -> Self {
        Self::new(shared, party, Isolation::ReadCommitted, SnapshotKind::Acknowledged)
    }

    fn new(
        shared: &Arc<Transactions>,
        mut party: Participant,
        isolation: Isolation,
        reads: SnapshotKind,
    ) -> Self {
        // A database that is stopped shows what is certain.
        let reads = if shared.is_stopped() { SnapshotKind::Durable } else { reads };
        Self {
            shared: Arc::clone(shared),
            isolation,
            reads,
            snapshot: party.snapshots.acquire(reads),
            party,
            command: 0,
            writer: None,
            redo: Vec::new(),
            written: 0,
            chunks: 0,
            garbage: Vec::new(),
        }
    }

    /// Sees every commit so far, as if it had begun now: a block's snapshot is that of its first statement, not of
    /// BEGIN.
    pub fn renew_snapshot(&mut self) {
        self.snapshot = self.party.snapshots.acquire(self.reads);
    }

    /// Starts a statement: its changes are seen by the next one. In READ COMMITTED it gets its own snapshot.
    pub fn start_statement(&mut self) {
        if self.isolation == Isolation::ReadCommitted {
            self.snapshot = self.party.snapshots.acquire(self.reads);
        }
        self.command += 1;
    }

    /// What the current statement sees.
    pub fn view(&self) -> ReadView {
        ReadView { snapshot: self.snapshot(), command: self.command }
    }

    /// What the current statement sees and has done itself: for checks at its end.
    pub fn view_after(&self) -> ReadView {
        ReadView { snapshot: self.snapshot(), command: u32::MAX }
    }

    fn snapshot(&self) -> Snapshot {
        self.snapshot.view(self.id())
    }

    /// Its isolation level.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Its id, if it has written.
    pub fn id(&self) -> Option<TransactionId> {
        self.writer.as_ref().map(|writer| writer.id)
    }

    /// Its id, which it gets now if it has none.
    ///
    /// # Errors
    /// 53300 when too many transactions write.
    pub fn write_id(&mut self) -> Result<TransactionId> {
        if let Some(writer) = &self.writer {
            return Ok(writer.id);
        }
        if self.shared.is_stopped() {
            return Err(StorageError::Poisoned.into());
        }
        let id = self.shared.statuses.begin()?;
        let log = Arc::new(UndoLog::default());
        self.shared.open.lock().insert(id, Arc::clone(&log));
        self.party.locker.assign(id);
        self.writer = Some(Writer { id, log });
        Ok(id)
    }

    /// The session it belongs to.
    pub fn party(&mut self) -> &mut Participant {
        &mut self.party
    }

    /// Waits for a transaction met on a row; see [`Locker::wait_for_writer`].
    ///
    /// # Errors
    /// 40P01, 55P03 or 57014.
    pub fn wait_for_writer(
        &mut self,
        key: RowKey,
        writer: TransactionId,
        turn: &mut Option<RowTurn>,
    ) -> Result<()> {
        let weight = self.weight();
        let Participant { locker, cancel, lock_timeout, .. } = &mut self.party;
        let patience = Patience { cancel, lock_timeout: *lock_timeout, weight };
        locker.wait_for_writer(key, writer, turn, &patience)
    }

    /// Whether another session's row lock forbids `mode`; asked under the row's latch.
    pub fn row_is_locked(&self, key: RowKey, mode: RowLockMode) -> bool {
        self.party.locker.row_is_locked(key, mode)
    }

    /// How much would be lost with it: the changes it has made.
    pub fn weight(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.log.length())
    }

    /// Locks a row, waiting for those who hold it in the way.
    ///
    /// # Errors
    /// 40P01, 55P03 or 57014.
    pub fn lock_row(&mut self, key: RowKey, mode: RowLockMode) -> Result<()> {
        let weight = self.weight();
        let Participant { locker, cancel, lock_timeout, .. } = &mut self.party;
        locker.lock_row(key, mode, &Patience { cancel, lock_timeout: *lock_timeout, weight })
    }

    /// Whether its statement is to go on.
    ///
    /// # Errors
    /// 57014.
    pub fn check_cancelled(&self) -> Result<()> {
        self.party.cancel.check()
    }

    /// What it shares with others.
    pub fn shared(&self) -> &Arc<Transactions> {
        &self.shared
    }

    /// Notes a change in the undo log. Called inside the row operation that makes it, after [`Self::write_id`].
    pub fn push_undo(&self, object: ObjectId, row: RowId, change: Change) -> Arc<UndoRecord> {
        let writer = self.writer.as_ref().expect("a writing transaction has an id");
        writer.log.push(writer.id, self.command, object, row, change)
    }

    /// Notes a change in the redo stream.
    pub fn push_redo(&mut self, effect: &Effect<'_>) {
        effect.encode(&mut self.redo);
    }

    /// Notes what will be garbage if it commits.
    pub fn push_garbage(&mut self, garbage: Garbage) {
        self.garbage.push(garbage);
    }

    /// Writes redo ahead if there is much of it. Called between row operations.
    ///
    /// # Errors
    /// 53100 when the log has no room, 58030 when it is poisoned.
    pub fn write_ahead(&mut self) -> Result<()> {
        if self.redo.len() < REDO_CHUNK {
            return Ok(());
        }
        let (Some(writer), Some(log)) = (&self.writer, self.shared.log.get()) else {
            return Ok(());
        };
        writer.log.note_chunk(log.end());
        let record = LogRecord::Chunk { transaction: writer.id, number: self.chunks, effects: &[] };
        log.append(&[&record.encode_header(), &self.redo])?;
        self.written += self.redo.len() as u64;
        self.chunks += 1;
        self.redo.clear();
        Ok(())
    }

    /// Where it stands.
    pub fn mark(&self) -> Mark {
        Mark {
            undo: self.writer.as_ref().map_or(0, |writer| writer.log.length()),
            redo: self.written + self.redo.len() as u64,
            garbage: self.garbage.len(),
        }
    }

    /// Takes every change since `mark` back. After an error it must be called again, or the transaction be given up.
    ///
    /// # Errors
    /// What the pages say; 53100 when the log has no room.
    pub fn rollback_to(&mut self, mark: Mark, target: &dyn UndoTarget) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        if writer.log.length() > mark.undo {
            self.take_back(mark.undo, target)?;
            self.party.locker.rolled_back_partly();
        }
        self.garbage.truncate(mark.garbage);
        if mark.redo >= self.written {
            self.redo.truncate(usize::try_from(mark.redo - self.written).unwrap_or(usize::MAX));
            return Ok(());
        }
        if let Some(log) = self.shared.log.get() {
            log.append(&[&LogRecord::UndoTo { transaction: writer.id, bytes: mark.redo }.encode_header()])?;
        }
        // Not before the log knows: a refusal must be met again by whoever tries again.
        self.redo.clear();
        self.written = mark.redo;
        Ok(())
    }

    /// Takes changes back until `length` of them are left.
    fn take_back(&self, length: u64, target: &dyn UndoTarget) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        while writer.log.length() > length {
            let Some(record) = writer.log.head() else { break };
            target.undo(&record, &writer.log)?;
        }
        Ok(())
    }

    /// Commits; with `wait` returns when the commit is durable. Gives the session back.
    ///
    /// # Errors
    /// Before the commit is in the log, its refusal: the transaction was rolled back. After, 08007: it may or may not
    /// last.
    pub fn commit(mut self, wait: bool, target: &dyn UndoTarget) -> (Participant, Result<Option<Committed>>) {
        if self.writer.is_none() {
            self.party.locker.end_transaction();
            // What it read may not be durable yet, and its client is about to be told.
            let pending = self.shared.commits.pending_lsn(self.snapshot.ts()).filter(|_| wait);
            let flushed = pending.map_or(Ok(()), |lsn| self.shared.flush(lsn));
            return (self.party, flushed.map(|()| None));
        }
        let committed = match self.log_commit() {
            Ok(committed) => committed,
            Err(refusal) => {
                let (party, undone) = self.rollback(target);
                return (party, undone.and(Err(refusal)));
            }
        };
        if let Some(writer) = self.writer.take() {
            writer.log.settle(&self.shared.statuses);
            self.shared.open.lock().remove(&writer.id);
            self.party.locker.end_transaction();
            self.shared.statuses.release(writer.id);
        }
        self.party.snapshots.saw(committed.ts);
        if !wait {
            self.shared.commits.acknowledge(committed);
            return (self.party, Ok(Some(committed)));
        }
        let flushed = self.shared.flush(committed.lsn);
        (self.party, flushed.map(|()| Some(committed)))
    }

    fn log_commit(&mut self) -> Result<Committed> {
        let garbage = std::mem::take(&mut self.garbage);
        let Some(writer) = &self.writer else {
            return Err(StorageError::Poisoned.into());
        };
        let header = |ts| {
            LogRecord::Commit {
                transaction: writer.id,
                ts,
                wall_clock: self.shared.clock.now_micros(),
                node: 0,
                chunks: self.chunks,
                effects: &[],
            }
            .encode_header()
        };
        // Garbage joins the queue under the commit mutex: a cut that holds the commit holds its garbage.
        let commits = &self.shared.commits;
        match self.shared.log.get() {
            Some(log) => {
                let space = log.reserve(header(Timestamp(0)).len() + self.redo.len())?;
                commits.commit(writer.id, |ts| {
                    let end = space.append(&[&header(ts), &self.redo])?;
                    self.shared.add_garbage(ts, garbage);
                    Ok(end)
                })
            }
            None => commits.commit(writer.id, |ts| {
                self.shared.add_garbage(ts, garbage);
                Ok(Lsn(0))
            }),
        }
    }

    /// Takes everything back. Gives the session back.
    ///
    /// # Errors
    /// What the pages say. What could not be taken back must not be built upon: the database is stopped, and the next
    /// opening takes it back.
    pub fn rollback(mut self, target: &dyn UndoTarget) -> (Participant, Result<()>) {
        let undone = self.take_back(0, target);
        let Some(writer) = self.writer.take() else {
            self.party.locker.end_transaction();
            return (self.party, undone);
        };
        if undone.is_err() {
            self.shared.stop();
        } else {
            if self.chunks > 0
                && let Some(log) = self.shared.log.get()
            {
                // Readers of the log drop the chunks without it too, only later.
                log.append(&[&LogRecord::Abort { transaction: writer.id }.encode_header()]).ok();
            }
            self.shared.open.lock().remove(&writer.id);
        }
        self.shared.statuses.abort(writer.id);
        self.party.locker.end_transaction();
        if undone.is_ok() {
            self.shared.statuses.release(writer.id);
        }
        (self.party, undone)
    }
}
