//! Table locks, and the fast path for the modes that nearly every statement takes.
//!
//! AccessShare, RowShare and RowExclusive do not exclude each other, so they need no common place: a session
//! notes them in slots of its own, which only somebody who wants a stronger mode has to read.
//!
//! ```text
//!   weak:    slot := table, mode  ->  strong count of the table's bucket 0?  -> held
//!                                     else slot := as before, wake, queue like everybody else
//!   strong:  count += 1           ->  read the slots of all sessions; queue if any is in the way
//!   release: slot := free         ->  count 0? -> done, else grant what waits
//! ```
//!
//! 1. All four accesses are sequentially consistent, so of a weak and a strong request at the same time the
//!    strong one sees the slot, or the weak one sees the count, or both.
//! 2. The count stays raised while a strong request waits or is held. So no weak lock appears in a slot while
//!    a strong one is held, and a slot's release finds whoever queued because of it: who read the slot as
//!    taken had raised the count before, and queues before it lets go of the shard's mutex.
//! 3. A slot is written by its session only, and is where its lock stays until released.
//! 4. Who joins the list of sessions after a strong request read it finds the count raised, because the list's
//!    lock lies between.

use super::cancel::Patience;
use super::deadlock::LockerId;
use super::locks::{Asked, Blocked, Held, LockEntry, Locker, Resource};
use super::modes::{ModeSet, TABLE_CONFLICTS, TableLockMode, covers, set_of};
use crate::error::Result;
use crate::ids::ObjectId;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Padded, RwLock};
use std::sync::Arc;

/// Tables that one session can hold weakly on the fast path: two cache lines.
const SLOTS: usize = 16;
const BUCKETS: usize = 1024;

/// One session's slots; each holds a table's id in its low half and the modes held above it, or 0.
pub(super) struct SessionSlots {
    locker: LockerId,
    slots: Padded<[AtomicU64; SLOTS]>,
}

impl SessionSlots {
    /// The slot of a table, or else a free one.
    fn find(&self, table: ObjectId) -> Option<&AtomicU64> {
        let of = |wanted: &dyn Fn(u64) -> bool| {
            self.slots.iter().find(|slot| wanted(slot.load(Ordering::Relaxed)))
        };
        of(&|slot| modes_in(slot, table) != 0).or_else(|| of(&|slot| slot == 0))
    }
}

fn modes_in(slot: u64, table: ObjectId) -> ModeSet {
    if slot as u32 == table.0 { (slot >> 32) as ModeSet } else { 0 }
}

fn slot_value(table: ObjectId, modes: ModeSet) -> u64 {
    if modes == 0 { 0 } else { u64::from(modes) << 32 | u64::from(table.0) }
}

/// The slots of all sessions, and where strong requests announce themselves.
pub(super) struct TableSlots {
    strong: Box<[AtomicU32]>,
    sessions: RwLock<Vec<Arc<SessionSlots>>>,
}

impl Default for TableSlots {
    fn default() -> Self {
        Self { strong: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(), sessions: RwLock::new(Vec::new()) }
    }
}

impl TableSlots {
    pub(super) fn register(&self, locker: LockerId) -> Arc<SessionSlots> {
        let slots = Padded(std::array::from_fn(|_| AtomicU64::new(0)));
        let session = Arc::new(SessionSlots { locker, slots });
        self.sessions.write().push(Arc::clone(&session));
        session
    }

    pub(super) fn deregister(&self, session: &Arc<SessionSlots>) {
        self.sessions.write().retain(|other| !Arc::ptr_eq(other, session));
    }

    /// Who other than `locker` holds a mode of `excluded` in its slots.
    pub(super) fn holders(&self, table: ObjectId, excluded: ModeSet, locker: LockerId) -> Vec<LockerId> {
        let weak = TableLockMode::ALL.into_iter().filter(|mode| mode.is_weak());
        if weak.fold(0, |set, mode| set | set_of(mode as u8)) & excluded == 0 {
            return Vec::new();
        }
        let holds = |session: &&Arc<SessionSlots>| {
            let mut slots = session.slots.iter().map(|slot| slot.load(Ordering::SeqCst));
            session.locker != locker && slots.any(|slot| modes_in(slot, table) & excluded != 0)
        };
        self.sessions.read().iter().filter(holds).map(|session| session.locker).collect()
    }

    /// The locks in slots, for `pg_locks`.
    pub(super) fn entries(&self) -> Vec<LockEntry> {
        let mut entries = Vec::new();
        for session in self.sessions.read().iter() {
            for slot in session.slots.iter().map(|slot| slot.load(Ordering::SeqCst)) {
                let table = ObjectId(slot as u32);
                let modes = (0..8).filter(|&mode| modes_in(slot, table) & set_of(mode) != 0);
                entries.extend(modes.map(|mode| LockEntry {
                    locker: session.locker,
                    resource: Resource::Table(table),
                    mode,
                    granted: true,
                }));
            }
        }
        entries
    }

    fn strong_count(&self, table: ObjectId) -> &AtomicU32 {
        let mixed = table.0.wrapping_mul(0x9e37_79b9);
        &self.strong[mixed as usize >> (u32::BITS - BUCKETS.trailing_zeros())]
    }
}

/// What a locker holds of one table.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldTable {
    table: ObjectId,
    /// In all places.
    modes: ModeSet,
    /// In a slot.
    fast: ModeSet,
}

impl Locker {
    /// Locks a table until the transaction ends, waiting for those who hold it in the way.
    ///
    /// # Errors
    /// 40P01, 55P03 (`lock_timeout`) or 57014 when the wait ends otherwise.
    pub fn lock_table(
        &mut self,
        table: ObjectId,
        mode: TableLockMode,
        patience: &Patience<'_>,
    ) -> Result<()> {
        if self.holds_table(table, mode) || self.take_slot(table, mode) {
            return Ok(());
        }
        self.announce(table, mode);
        let own = self.table_modes(table);
        self.acquire(Resource::Table(table), mode as u8, own, patience)
            .inspect_err(|_| self.withdraw_announcement(table, mode))?;
        self.note(table, mode, 0);
        Ok(())
    }

    /// Locks a table if that needs no waiting; says whether it is locked.
    #[must_use]
    pub fn try_lock_table(&mut self, table: ObjectId, mode: TableLockMode) -> bool {
        if self.holds_table(table, mode) || self.take_slot(table, mode) {
            return true;
        }
        self.announce(table, mode);
        let own = self.table_modes(table);
        let answer = self.ask(Resource::Table(table), mode as u8, own, Blocked::GiveUp);
        let granted = matches!(answer, Asked::Granted);
        if granted {
            self.note(table, mode, 0);
        } else {
            self.withdraw_announcement(table, mode);
        }
        granted
    }

    /// Whether the transaction holds the table in this mode or one that includes it.
    pub fn holds_table(&self, table: ObjectId, mode: TableLockMode) -> bool {
        covers(self.table_modes(table), mode as u8, TABLE_CONFLICTS)
    }

    pub(super) fn unlock_table(&mut self, table: ObjectId, mode: TableLockMode) {
        let Some(at) = self.tables.iter().position(|held| held.table == table) else { return };
        let held = &mut self.tables[at];
        let set = set_of(mode as u8);
        let was_fast = held.fast & set != 0;
        held.modes &= !set;
        held.fast &= !set;
        let (modes, fast) = (held.modes, held.fast);
        if modes == 0 {
            self.tables.swap_remove(at);
        }
        if was_fast {
            self.write_slot(table, fast);
        } else {
            self.locks.release(Resource::Table(table), self.id, mode as u8);
            self.withdraw_announcement(table, mode);
        }
    }

    fn table_modes(&self, table: ObjectId) -> ModeSet {
        self.tables.iter().find(|held| held.table == table).map_or(0, |held| held.modes)
    }

    /// The fast path; says whether the lock is taken.
    fn take_slot(&mut self, table: ObjectId, mode: TableLockMode) -> bool {
        let strong = self.locks.tables.strong_count(table);
        if !mode.is_weak() || strong.load(Ordering::Relaxed) != 0 {
            return false;
        }
        let Some(slot) = self.slots.find(table) else { return false };
        let before = modes_in(slot.load(Ordering::Relaxed), table);
        slot.store(slot_value(table, before | set_of(mode as u8)), Ordering::SeqCst);
        if strong.load(Ordering::SeqCst) != 0 {
            self.write_slot(table, before);
            return false;
        }
        self.note(table, mode, set_of(mode as u8));
        true
    }

    /// Leaves `modes` in the table's slot, fewer than were there.
    fn write_slot(&self, table: ObjectId, modes: ModeSet) {
        if let Some(slot) = self.slots.find(table) {
            slot.store(slot_value(table, modes), Ordering::SeqCst);
        }
        if self.locks.tables.strong_count(table).load(Ordering::SeqCst) != 0 {
            self.locks.regrant(Resource::Table(table));
        }
    }

    fn announce(&self, table: ObjectId, mode: TableLockMode) {
        if mode.is_strong() {
            self.locks.tables.strong_count(table).fetch_add(1, Ordering::SeqCst);
        }
    }

    fn withdraw_announcement(&self, table: ObjectId, mode: TableLockMode) {
        if mode.is_strong() {
            self.locks.tables.strong_count(table).fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn note(&mut self, table: ObjectId, mode: TableLockMode, fast: ModeSet) {
        let modes = set_of(mode as u8);
        match self.tables.iter_mut().find(|held| held.table == table) {
            Some(held) => {
                held.modes |= modes;
                held.fast |= fast;
            }
            None => self.tables.push(HeldTable { table, modes, fast }),
        }
        self.held.push(Held::Table(table, mode));
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
