//! What became of each transaction: the status table, and the stamp on a version that points into it.
//!
//! A [`TransactionId`] names a slot and the slot's generation. The slot's word holds generation and state,
//! so one load tells whether an id is still the slot's owner:
//!
//! ```text
//!   TransactionId  | generation 47 | slot 16 |        word | generation 47 | state 16 |
//!   Stamp          0 | commit timestamp 63            ts   | commit timestamp, or next free slot + 1
//!                  1 | transaction id 63
//! ```
//!
//! A version carries its writer's id until somebody who meets it after the commit replaces the id by the
//! commit's timestamp. So a commit costs one store however many rows it changed.
//!
//! 1. Only a transaction's owner changes its state: active -> committing -> committed or (log refused) active
//!    again; active -> aborted.
//! 2. The timestamp is stored before the state `committed` (release), and the word is read again after the
//!    timestamp (acquire), so that a reader never takes another generation's timestamp for its own.
//! 3. A committed slot is released only when no stamp that can still be reached holds its id; an aborted one
//!    also when its versions are unlinked. Hence a stamp that still holds a released id belongs to an
//!    unlinked version of an aborted transaction.
//! 4. Free slots are a stack, so the few slots in use stay in the processor's cache and the table grows
//!    only as far as transactions were ever open at once.

use crate::error::{Result, TransactionError};
use crate::ids::{Timestamp, TransactionId};
use crate::sync::Padded;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

/// The most transactions that can hold a slot at once.
pub const MAX_TRANSACTIONS: u32 = 1 << 16;
const CHUNK: u32 = 1024;
const CHUNKS: usize = (MAX_TRANSACTIONS / CHUNK) as usize;

const ACTIVE: u64 = 1;
const COMMITTING: u64 = 2;
const COMMITTED: u64 = 3;
const ABORTED: u64 = 4;
const FREE: u64 = 0;
const STATE_BITS: u32 = 16;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;

/// What is known of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It runs.
    Active,
    /// It is being put into the order of commits; it can no longer be cancelled.
    Committing,
    /// It committed at this place in the order.
    Committed(Timestamp),
    /// It was rolled back, or is being rolled back.
    Aborted,
    /// It ended and its slot was given up: every version it left says so itself.
    Released,
}

impl Status {
    /// Whether the transaction can still change anything.
    pub fn in_progress(self) -> bool {
        matches!(self, Self::Active | Self::Committing)
    }
}

#[derive(Default)]
struct Slot {
    word: AtomicU64,
    ts: AtomicU64,
}

/// The table of transactions that are open or not yet forgotten.
pub struct StatusTable {
    chunks: [OnceLock<Box<[Slot]>>; CHUNKS],
    /// Top of the stack of free slots: 32 bits of change count, 32 bits of slot + 1 (0: empty).
    free: Padded<AtomicU64>,
    /// Slots from here on were never used.
    fresh: Padded<AtomicU32>,
    limit: u32,
}

impl Default for StatusTable {
    fn default() -> Self {
        Self::with_limit(MAX_TRANSACTIONS)
    }
}

impl StatusTable {
    /// A table of at most `limit` slots (and never more than [`MAX_TRANSACTIONS`]).
    pub fn with_limit(limit: u32) -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
            free: Padded(AtomicU64::new(0)),
            fresh: Padded(AtomicU32::new(0)),
            limit: limit.min(MAX_TRANSACTIONS),
        }
    }

    /// A new active transaction.
    ///
    /// # Errors
    /// 53300 when every slot is taken.
    pub fn begin(&self) -> Result<TransactionId> {
        let index = self
            .pop()
            .or_else(|| self.take_fresh())
            .ok_or(TransactionError::TooManyTransactions { limit: self.limit })?;
        let slot = self.slot(index);
        let generation = (slot.word.load(Ordering::Relaxed) >> STATE_BITS) + 1;
        slot.word.store(generation << STATE_BITS | ACTIVE, Ordering::Release);
        Ok(TransactionId(generation << STATE_BITS | u64::from(index)))
    }

    /// What became of `id`.
    pub fn status(&self, id: TransactionId) -> Status {
        let (chunk, within) = place(index_of(id));
        let Some(slot) = self.chunks[chunk].get().map(|chunk| &chunk[within]) else {
            return Status::Released;
        };
        let word = slot.word.load(Ordering::Acquire);
        if word >> STATE_BITS != id.0 >> STATE_BITS {
            return Status::Released;
        }
        match word & STATE_MASK {
            ACTIVE => Status::Active,
            COMMITTING => Status::Committing,
            COMMITTED => {
                let ts = slot.ts.load(Ordering::Acquire);
                // Acquire: whoever learns here that the slot was released must see the stamps set before that.
                let unchanged = slot.word.load(Ordering::Acquire) == word;
                if unchanged { Status::Committed(Timestamp(ts)) } else { Status::Released }
            }
            ABORTED => Status::Aborted,
            _ => Status::Released,
        }
    }

    /// Marks an active transaction as rolled back. Readers stop seeing it as in progress, so its versions
    /// must already be undone, or be skipped by whoever meets them.
    pub fn abort(&self, id: TransactionId) {
        self.change(id, ACTIVE, ABORTED);
    }

    /// Gives up the slot of an ended transaction; see invariant 3 for when that is allowed.
    pub fn release(&self, id: TransactionId) {
        let index = index_of(id);
        let slot = self.slot(index);
        let word = slot.word.load(Ordering::Relaxed);
        assert!(
            word == id.0 & !STATE_MASK | COMMITTED || word == id.0 & !STATE_MASK | ABORTED,
            "only the slot of an ended transaction can be released"
        );
        slot.word.store(id.0 & !STATE_MASK | FREE, Ordering::Release);
        self.push(index);
    }

    pub(super) fn committing(&self, id: TransactionId) {
        self.change(id, ACTIVE, COMMITTING);
    }

    /// The log refused the commit: the transaction can still roll back.
    pub(super) fn not_committed(&self, id: TransactionId) {
        self.change(id, COMMITTING, ACTIVE);
    }

    pub(super) fn committed(&self, id: TransactionId, ts: Timestamp) {
        self.slot(index_of(id)).ts.store(ts.0, Ordering::Release);
        self.change(id, COMMITTING, COMMITTED);
    }

    fn change(&self, id: TransactionId, from: u64, to: u64) {
        let slot = self.slot(index_of(id));
        let found = slot.word.load(Ordering::Relaxed);
        assert_eq!(found, id.0 & !STATE_MASK | from, "a transaction's state is changed by its owner only");
        slot.word.store(id.0 & !STATE_MASK | to, Ordering::Release);
    }

    fn slot(&self, index: u32) -> &Slot {
        let (chunk, within) = place(index);
        &self.chunks[chunk].get().expect("the slot was handed out by begin")[within]
    }

    fn take_fresh(&self) -> Option<u32> {
        let index = self
            .fresh
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < self.limit).then_some(n + 1))
            .ok()?;
        let (chunk, _) = place(index);
        self.chunks[chunk].get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect());
        Some(index)
    }

    fn pop(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)?;
            // Another thread may own the slot by now and have stored a timestamp here; the exchange fails then.
            let next = self.slot(index).ts.load(Ordering::Relaxed) as u32;
            let new = (head >> 32).wrapping_add(1) << 32 | u64::from(next);
            match self.free.compare_exchange_weak(head, new, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(now) => head = now,
            }
        }
    }

    fn push(&self, index: u32) {
        let slot = self.slot(index);
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            slot.ts.store(head & u64::from(u32::MAX), Ordering::Release);
            let new = (head >> 32).wrapping_add(1) << 32 | u64::from(index + 1);
            match self.free.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

fn index_of(id: TransactionId) -> u32 {
    (id.0 & STATE_MASK) as u32
}

/// Chunk, and place in it such that neighbouring numbers lie on different cache lines.
fn place(index: u32) -> (usize, usize) {
    let within = index % CHUNK;
    ((index / CHUNK) as usize, (within << 2 & (CHUNK - 1) | within >> 8) as usize)
}

/// Who wrote a version: a commit's timestamp, or the id of a transaction that had not committed when the
/// stamp was last looked at.
#[derive(Debug)]
pub struct Stamp(AtomicU64);

const PENDING: u64 = 1 << 63;

/// What a stamp says now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StampState {
    /// Written by the commit with this timestamp.
    Committed(Timestamp),
    /// Written by a transaction that has not ended.
    InProgress(TransactionId),
    /// Written by a transaction that was rolled back; the version does not count.
    Aborted,
}

impl Stamp {
    /// A stamp of a running transaction.
    pub fn pending(id: TransactionId) -> Self {
        assert!(id.0 & PENDING == 0, "a slot's generations have 47 bits");
        Self(AtomicU64::new(id.0 | PENDING))
    }

    /// A stamp of a known commit.
    pub fn committed(ts: Timestamp) -> Self {
        assert!(ts.0 & PENDING == 0, "timestamps have 63 bits");
        Self(AtomicU64::new(ts.0))
    }

    /// What the stamp says. The first to find its transaction committed writes the timestamp down.
    pub fn resolve(&self, statuses: &StatusTable) -> StampState {
        loop {
            let raw = self.0.load(Ordering::Acquire);
            if raw & PENDING == 0 {
                return StampState::Committed(Timestamp(raw));
            }
            let id = TransactionId(raw & !PENDING);
            match statuses.status(id) {
                Status::Active | Status::Committing => return StampState::InProgress(id),
                Status::Aborted => return StampState::Aborted,
                Status::Committed(ts) => {
                    self.settle(raw, ts);
                    return StampState::Committed(ts);
                }
                // Somebody stamped it meanwhile, or (invariant 3) nobody ever will.
                Status::Released => {
                    if self.0.load(Ordering::Acquire) == raw {
                        return StampState::Aborted;
                    }
                }
            }
        }
    }

    /// The writer's id, if the stamp still holds one; for reachability checks and lists of pending work.
    pub fn writer(&self) -> Option<TransactionId> {
        let raw = self.0.load(Ordering::Acquire);
        (raw & PENDING != 0).then_some(TransactionId(raw & !PENDING))
    }

    fn settle(&self, raw: u64, ts: Timestamp) {
        // Losing means that another reader wrote the same timestamp.
        self.0.compare_exchange(raw, ts.0, Ordering::AcqRel, Ordering::Relaxed).ok();
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
