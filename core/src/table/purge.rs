//! Clearing up what committed transactions left behind, once no snapshot can see it: versions, deleted rows, entries
//! of replaced versions, long values, dropped objects.

use super::index::Index;
use super::leaf::{LeafMut, LeafView};
use super::read::Versions;
use super::write::entry_or_restart;
use super::{Store, Table, corrupt, overflow, versions_of, versions_of_mut, versions_of_read};
use crate::codec::row::Cell;
use crate::error::Result;
use crate::ids::{PageId, RowId, Timestamp};
use crate::pager::{Attempt, ReadGuard, WriteGuard};
use crate::transaction::{Garbage, VersionMap};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Store {
    /// Clears up to `limit` pieces of garbage and looks once at every page with versions. Returns how many pieces went.
    /// Another collector at work makes it return at once.
    ///
    /// # Errors
    /// I/O errors and damage; what was not cleared stays.
    pub fn collect_garbage(&self, limit: usize) -> Result<usize> {
        let Some(_alone) = self.collector.try_lock() else { return Ok(0) };
        let horizon = self.transactions.snapshots().horizon();
        self.prune_versions(horizon)?;
        self.transactions.resume_garbage();
        let mut cleared = 0;
        while cleared < limit
            && let Some(garbage) = self.transactions.next_garbage(horizon)
        {
            cleared += usize::from(self.clear(&garbage)?);
        }
        Ok(cleared)
    }

    /// Clears everything that no snapshot needs and joins leaves that have become sparse.
    ///
    /// # Errors
    /// As [`Self::collect_garbage`].
    pub fn vacuum(&self, table: &Table) -> Result<()> {
        while self.collect_garbage(usize::MAX)? > 0 {}
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            next = self.attempt(|| table.tree.merge_leaf(&self.pager, &table.leaves(self, 0), from))?;
        }
        for index in table.indexes().iter() {
            let mut next = Some(Vec::new());
            while let Some(from) = next {
                next = self.attempt(|| index.tree.merge_leaf(&self.pager, &from))?;
            }
        }
        Ok(())
    }

    /// Keeps collectors out, so that the list of garbage stands still but for what commits add.
    pub(crate) fn pause_collector(&self) -> MutexGuard<'_, ()> {
        self.collector.lock()
    }

    /// Clears a piece of garbage that nobody can see any more; false if it has to wait all the same.
    fn clear(&self, garbage: &Garbage) -> Result<bool> {
        let done = || self.transactions.garbage_done();
        match garbage {
            Garbage::Row { table, row } => match self.table(*table) {
                Ok(table) => return table.purge_row(self, *row),
                Err(_) => self.nothing_left(done),
            },
            Garbage::Key { table, index, row, key } => {
                let table = self.table(*table).ok();
                let index = table.as_ref().and_then(|table| {
                    table.indexes().iter().find(|other| other.def.object == *index).cloned()
                });
                match (table, index) {
                    (Some(table), Some(index)) => self.attempt(|| {
                        table.remove_dead_entry(self, &index, *row, key)?;
                        done();
                        Ok(())
                    }),
                    (_, _) => self.nothing_left(done),
                }
            }
            Garbage::Overflow(value) => overflow::free(self, value.first, || {
                done();
                Ok(())
            }),
            Garbage::Object(object) => self.drop_object(*object, done),
        }?;
        Ok(true)
    }

    /// What the garbage belonged to is gone.
    fn nothing_left(&self, done: impl Fn()) -> Result<()> {
        self.attempt(|| {
            done();
            Ok(())
        })
    }

    /// Clears garbage that a cut remembered, before anybody can look.
    pub(crate) fn clear_remembered(&self, garbage: &Garbage) -> Result<()> {
        self.transactions.add_garbage(Timestamp(0), [garbage.clone()]);
        while let Some(garbage) = self.transactions.next_garbage(Timestamp(0)) {
            self.clear(&garbage)?;
        }
        Ok(())
    }

    /// Looks at the pages with versions, unless the horizon stands where it stood at the last look: then whatever was
    /// changed since is younger.
    fn prune_versions(&self, horizon: Timestamp) -> Result<()> {
        if self.pruned_at.swap(horizon.0, Ordering::Relaxed) == horizon.0 {
            return Ok(());
        }
        let pages = std::mem::take(&mut *self.versioned.lock());
        for (at, &page) in pages.iter().enumerate() {
            match self.attempt(|| self.prune_page(page, horizon)) {
                Ok(true) => {}
                Ok(false) => self.versioned.lock().push(page),
                Err(error) => {
                    self.versioned.lock().extend_from_slice(&pages[at..]);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether the page has no versions left.
    fn prune_page(&self, page: PageId, horizon: Timestamp) -> Attempt<bool> {
        if !self.pager.has_side(page) {
            return Ok(true);
        }
        let mut guard = self.pager.pin_exclusive(page)?;
        if versions_of(guard.side()).is_none() {
            return Ok(true);
        }
        let statuses = self.transactions.statuses();
        let empty = versions_of_mut(&mut guard).is_none_or(|versions| versions.prune(horizon, statuses));
        if empty {
            *guard.side_mut() = None;
        }
        Ok(empty)
    }
}

impl Table {
    /// Removes an entry unless a version of its row has it.
    pub(super) fn remove_dead_entry(
        &self,
        store: &Store,
        index: &Index,
        row: RowId,
        entry: &[u8],
    ) -> Attempt<()> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let view = self.view(&guard, guard.page_id())?;
        if let Ok(slot) = view.find(row) {
            let newest = versions_of_read(&guard).and_then(|v| v.newest(row)).cloned();
            if Versions::new(self, &view, slot, newest).any_has(store, index, entry)? {
                return Ok(());
            }
        }
        index.tree.remove(store.pager(), entry)?;
        Ok(())
    }

    /// Takes a deleted row away for good, its entries first; its long values become garbage of their own. False if a
    /// transaction has put a row in its place and may take it away again: then the row has to wait.
    fn purge_row(&self, store: &Store, row: RowId) -> Result<bool> {
        for index in self.indexes().iter() {
            store.attempt(|| self.remove_entry_of_dead_row(store, index, row))?;
        }
        store.attempt(|| {
            let mut guard = self.tree.find_exclusive(store.pager(), row)?;
            let page = guard.page_id();
            let damaged = |damage| corrupt(page, damage);
            if versions_of(guard.side()).is_some_and(|versions| versions.newest(row).is_some()) {
                store.transactions().postpone_garbage();
                return Ok(false);
            }
            let view = self.view(&guard, page)?;
            let mut long = Vec::new();
            if let Some(slot) = self.dead_slot(&view, &guard, row) {
                for &column in &self.all_columns {
                    if let Cell::Overflow(value) = view.cell(slot, usize::from(column)).map_err(damaged)? {
                        long.push(Garbage::Overflow(value));
                    }
                }
                LeafMut::new(&mut guard, &self.layout).purge(slot).map_err(damaged)?;
            }
            store.transactions().replace_garbage(long);
            Ok(true)
        })
    }

    /// The slot of a row that is deleted for everybody and still there.
    fn dead_slot(&self, view: &LeafView<'_, [u8]>, guard: &impl Beside, row: RowId) -> Option<usize> {
        let settled = guard.versions().is_none_or(|versions| versions.newest(row).is_none());
        view.find(row).ok().filter(|&slot| settled && view.is_used(slot) && !view.is_alive(slot))
    }

    fn remove_entry_of_dead_row(&self, store: &Store, index: &Arc<Index>, row: RowId) -> Attempt<()> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let page = guard.page_id();
        let view = self.view(&guard, page)?;
        let Some(slot) = self.dead_slot(&view, &guard, row) else { return Ok(()) };
        let cell = |column| view.cell(slot, column).map_err(|damage| corrupt(page, damage));
        if let Some((entry, _)) = entry_or_restart(index.entry(store, row, cell))? {
            index.tree.remove(store.pager(), &entry)?;
        }
        Ok(())
    }
}

/// A page held in any way, for its versions.
trait Beside {
    fn versions(&self) -> Option<&VersionMap>;
}

impl Beside for ReadGuard<'_> {
    fn versions(&self) -> Option<&VersionMap> {
        versions_of_read(self)
    }
}

impl Beside for WriteGuard<'_> {
    fn versions(&self) -> Option<&VersionMap> {
        versions_of(self.side())
    }
}
