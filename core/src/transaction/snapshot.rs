//! Snapshots: what a reader sees, and how far back anybody still reads.
//!
//! A snapshot is a timestamp: it sees the commits up to it. The registry knows every snapshot in use, because
//! versions older than the *horizon*, the oldest timestamp anybody may still read at, are garbage.
//!
//! ```text
//!        horizon <= durable_ts <= acked_ts <= visible_ts
//!   --------|-----------|------------|------------|-------> commits
//!           |           |            |            newest commit: read-write transactions read here
//!           |           |            newest commit whose client was told: read-only statements read here
//!           |           newest commit that survives a crash
//!           oldest snapshot in use, or durable_ts
//! ```
//!
//! # Taking a snapshot without a lock
//! Each session owns slots of its own. Taking a snapshot is: read a timestamp `t`, store it in a slot, look at
//! `floor`; if `t < floor`, start again. Whoever computes a horizon reads `base = durable_ts`, raises `floor`
//! to it, then reads all slots and takes the least of `base` and what it found. All of these but the first
//! reads are sequentially consistent.
//!
//! 1. *The horizon never passes a snapshot in use or being taken.* Take a scan and a snapshot `t` that it did
//!    not find. Either the scan read the slot before `t` was stored: then it had raised `floor` before that,
//!    so the snapshot's later look at `floor` found at least `base`, and it kept `t` only if `t >= base`. Or
//!    the slot did not exist yet when the scan read the list of slots: then the list's lock orders the raised
//!    `floor` before the slot's first use. In both cases `horizon <= base <= t`.
//! 2. *A horizon stays true.* Later snapshots find `floor >= base` too, so the greatest horizon ever computed
//!    holds and is kept in `oldest` for callers to whom a slightly old one is good enough.
//! 3. *Taking ends.* The timestamps to choose from never lag behind `durable_ts`, and having read `floor` the
//!    reader sees the `durable_ts` it was made from. So it starts again only when yet another scan passed.
//! 4. A slot is written by its session only while it holds `NONE`, and set to `NONE` by the handle's end only.

use super::status::{Stamp, StampState, StatusTable};
use crate::ids::{Timestamp, TransactionId};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Padded, RwLock};
use std::sync::Arc;

/// No snapshot: later than every timestamp, so that the least of all slots needs no exception.
const NONE: u64 = u64::MAX;

type Slot = Padded<AtomicU64>;

/// Which commits a snapshot is to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotKind {
    /// Every commit, durable or not: for transactions that may write. Their own acknowledgement waits for a
    /// later log position than anything they saw.
    Latest,
    /// Every acknowledged commit and whatever this session has seen before: for read-only statements outside
    /// a block, which then wait for nothing unless the session itself ran ahead.
    Acknowledged,
    /// Every durable commit: for reading after a failed sync.
    Durable,
}

/// The timestamps that order commits, and all snapshots in use.
#[derive(Debug)]
pub struct Snapshots {
    visible: Padded<AtomicU64>,
    durable: Padded<AtomicU64>,
    acked: Padded<AtomicU64>,
    floor: Padded<AtomicU64>,
    oldest: Padded<AtomicU64>,
    slots: RwLock<Vec<Arc<Slot>>>,
}

impl Snapshots {
    /// A registry for a database whose newest commit, durable and visible, is `newest`.
    pub fn new(newest: Timestamp) -> Arc<Self> {
        let at = |ts: Timestamp| Padded(AtomicU64::new(ts.0));
        Arc::new(Self {
            visible: at(newest),
            durable: at(newest),
            acked: at(newest),
            floor: at(Timestamp(0)),
            oldest: at(Timestamp(0)),
            slots: RwLock::new(Vec::new()),
        })
    }

    /// The newest commit.
    pub fn visible_ts(&self) -> Timestamp {
        Timestamp(self.visible.load(Ordering::Acquire))
    }

    /// The newest commit of which the log is on the device.
    pub fn durable_ts(&self) -> Timestamp {
        Timestamp(self.durable.load(Ordering::Acquire))
    }

    /// The newest commit that a client knows of: durable, or acknowledged without waiting.
    pub fn acked_ts(&self) -> Timestamp {
        Timestamp(self.acked.load(Ordering::Acquire))
    }

    /// Up to where nobody reads the past any more: versions superseded at or before it are garbage.
    pub fn horizon(&self) -> Timestamp {
        let base = self.raise_floor();
        let slots = self.slots.read();
        let oldest = slots.iter().map(|slot| slot.load(Ordering::SeqCst)).fold(base, u64::min);
        self.oldest.fetch_max(oldest, Ordering::AcqRel);
        Timestamp(oldest)
    }

    /// The greatest horizon computed so far: one load, and true for ever (invariant 2).
    pub fn last_horizon(&self) -> Timestamp {
        Timestamp(self.oldest.load(Ordering::Acquire))
    }

    /// All timestamps that are read at, for dropping versions between two of them.
    pub fn active_snapshots(&self) -> ActiveSnapshots {
        let base = self.raise_floor();
        let slots = self.slots.read();
        let mut sorted: Vec<Timestamp> = slots
            .iter()
            .map(|slot| slot.load(Ordering::SeqCst))
            .filter(|&ts| ts < base)
            .map(Timestamp)
            .collect();
        drop(slots);
        sorted.push(Timestamp(base));
        sorted.sort_unstable();
        sorted.dedup();
        self.oldest.fetch_max(sorted[0].0, Ordering::AcqRel);
        ActiveSnapshots { sorted }
    }

    /// A session's place in the registry.
    pub fn session(self: &Arc<Self>) -> SessionSnapshots {
        SessionSnapshots { registry: Arc::clone(self), slots: Vec::new(), newest_seen: Timestamp(0) }
    }

    /// Shows a commit to new snapshots. Called in the order of commits, after the commit's status was set.
    pub(super) fn publish(&self, ts: Timestamp) {
        self.visible.store(ts.0, Ordering::Release);
    }

    /// In this order, so that no reader finds `acked_ts` behind a `floor` made from `durable_ts` and has to
    /// try until the second store happens.
    pub(super) fn made_durable(&self, ts: Timestamp) {
        self.acknowledged(ts);
        self.durable.fetch_max(ts.0, Ordering::AcqRel);
    }

    pub(super) fn acknowledged(&self, ts: Timestamp) {
        self.acked.fetch_max(ts.0, Ordering::AcqRel);
    }

    fn raise_floor(&self) -> u64 {
        let base = self.durable.load(Ordering::Acquire);
        self.floor.fetch_max(base, Ordering::SeqCst);
        base
    }

    /// A slot nobody else holds: one that a former session left, or a new one.
    fn lease(&self) -> Arc<Slot> {
        let mut slots = self.slots.write();
        let unused = |slot: &&Arc<Slot>| Arc::strong_count(slot) == 1 && slot.load(Ordering::Acquire) == NONE;
        if let Some(slot) = slots.iter().find(unused) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Padded(AtomicU64::new(NONE)));
        slots.push(Arc::clone(&slot));
        slot
    }
}

/// The timestamps that are read at, now or (from `durable_ts` on) in future.
#[derive(Clone, Debug)]
pub struct ActiveSnapshots {
    sorted: Vec<Timestamp>,
}

impl ActiveSnapshots {
    /// Ascending and distinct. The last is `durable_ts`; later snapshots than that are not listed.
    pub fn as_slice(&self) -> &[Timestamp] {
        &self.sorted
    }

    /// The oldest of them: the horizon.
    pub fn oldest(&self) -> Timestamp {
        self.sorted[0]
    }

    /// Whether anybody may still read a version that was made by commit `created` and replaced by commit
    /// `superseded`.
    pub fn may_read(&self, created: Timestamp, superseded: Timestamp) -> bool {
        let first = self.sorted.partition_point(|&ts| ts < created);
        self.sorted.get(first).is_none_or(|&ts| ts < superseded)
    }
}

/// The snapshots of one session.
#[derive(Debug)]
pub struct SessionSnapshots {
    registry: Arc<Snapshots>,
    slots: Vec<Arc<Slot>>,
    newest_seen: Timestamp,
}

impl SessionSnapshots {
    /// Takes a snapshot. Costs one atomic exchange when the session holds no other one.
    pub fn acquire(&mut self, kind: SnapshotKind) -> SnapshotHandle {
        let slot = self.free_slot();
        let registry = &self.registry;
        let ts = loop {
            let ts = match kind {
                SnapshotKind::Latest => registry.visible_ts(),
                SnapshotKind::Acknowledged => registry.acked_ts().max(self.newest_seen),
                SnapshotKind::Durable => registry.durable_ts(),
            };
            slot.swap(ts.0, Ordering::SeqCst);
            if registry.floor.load(Ordering::SeqCst) <= ts.0 {
                break ts;
            }
        };
        self.newest_seen = self.newest_seen.max(ts);
        SnapshotHandle { slot, ts }
    }

    /// Notes a commit of this session, so that its later statements see it even before its client is told.
    pub fn saw(&mut self, ts: Timestamp) {
        self.newest_seen = self.newest_seen.max(ts);
    }

    /// The newest timestamp this session read at or committed.
    pub fn newest_seen(&self) -> Timestamp {
        self.newest_seen
    }

    fn free_slot(&mut self) -> Arc<Slot> {
        let free = self.slots.iter().find(|slot| slot.load(Ordering::Acquire) == NONE);
        if let Some(slot) = free {
            return Arc::clone(slot);
        }
        let slot = self.registry.lease();
        self.slots.push(Arc::clone(&slot));
        slot
    }
}

/// A snapshot in use; versions it can see are kept until it is dropped, on whatever thread.
#[derive(Debug)]
pub struct SnapshotHandle {
    slot: Arc<Slot>,
    ts: Timestamp,
}

impl SnapshotHandle {
    /// The newest commit it sees.
    pub fn ts(&self) -> Timestamp {
        self.ts
    }

    /// The view of a transaction that reads here and has written nothing, or `own`.
    pub fn view(&self, own: Option<TransactionId>) -> Snapshot {
        Snapshot { ts: self.ts, own }
    }
}

impl Drop for SnapshotHandle {
    fn drop(&mut self) {
        self.slot.store(NONE, Ordering::Release);
    }
}

/// A view of the data: the commits up to a timestamp and the reader's own changes. It protects nothing by
/// itself; a [`SnapshotHandle`] at its timestamp must live as long as it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    ts: Timestamp,
    own: Option<TransactionId>,
}

impl Snapshot {
    /// The newest commit seen.
    pub fn ts(self) -> Timestamp {
        self.ts
    }

    /// The transaction whose uncommitted changes are seen.
    pub fn own(self) -> Option<TransactionId> {
        self.own
    }

    /// Whether it sees the commit `ts`.
    pub fn sees(self, ts: Timestamp) -> bool {
        ts <= self.ts
    }

    /// Whether it sees a version with this stamp.
    pub fn sees_stamp(self, stamp: &Stamp, statuses: &StatusTable) -> bool {
        match stamp.resolve(statuses) {
            StampState::Committed(ts) => self.sees(ts),
            StampState::InProgress(id) => self.own == Some(id),
            StampState::Aborted => false,
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
