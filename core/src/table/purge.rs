//! Clearing up what committed transactions left behind, once no snapshot can see it: versions, deleted rows, entries
//! of replaced versions, long values, dropped objects.

use super::index::Index;
use super::leaf::{LeafMut, LeafView};
use super::read::Versions;
use super::write::entry_or_restart;
use super::{Store, Table, corrupt, overflow, versions_of, versions_of_mut, versions_of_read, view_of};
use crate::codec::row::Cell;
use crate::error::Result;
use crate::ids::{PageId, RowId, Timestamp};
use crate::pager::{Attempt, ReadGuard, WriteGuard};
use crate::transaction::{Garbage, VersionMap};
use parking_lot::MutexGuard;
use std::sync::Arc;

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
        let mut cleared = 0;
        while cleared < limit
            && let Some(garbage) = self.transactions.next_garbage(horizon)
        {
            self.clear(&garbage)?;
            cleared += 1;
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

    /// Clears a piece of garbage that nobody can see any more.
    fn clear(&self, garbage: &Garbage) -> Result<()> {
        let done = || self.transactions.garbage_done();
        match garbage {
            Garbage::Row { table, row } => match self.table(*table) {
                Ok(table) if table.is_in_use(self, *row)? => self.attempt(|| {
                    self.transactions.postpone_garbage();
                    Ok(())
                }),
                Ok(table) => table.purge_row(self, *row, done),
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
        }
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

    fn prune_versions(&self, horizon: Timestamp) -> Result<()> {
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

    /// Whether the row has versions: a transaction may have put a row in its place, and may take it away again.
    fn is_in_use(&self, store: &Store, row: RowId) -> Result<bool> {
        store.attempt(|| {
            let guard = self.tree.find_shared(store.pager(), row)?;
            Ok(versions_of_read(&guard).is_some_and(|versions| versions.newest(row).is_some()))
        })
    }

    /// Takes a deleted row away for good, entries and long values first.
    pub(super) fn purge_row(&self, store: &Store, row: RowId, done: impl Fn()) -> Result<()> {
        let indexes = self.indexes();
        for index in indexes.iter() {
            store.attempt(|| self.remove_entry_of_dead_row(store, index, row))?;
        }
        // Long values go one by one, each together with the reference to it, so that none is freed twice.
        while let Some((column, first)) = store.attempt(|| {
            let guard = self.tree.find_shared(store.pager(), row)?;
            let view = self.view(&guard, guard.page_id())?;
            Ok(self.dead_slot(&view, &guard, row).and_then(|slot| self.long_value(&view, slot)))
        })? {
            overflow::free(store, first, || self.forget_value(store, row, column))?;
        }
        store.attempt(|| {
            let mut guard = self.tree.find_exclusive(store.pager(), row)?;
            let page = guard.page_id();
            let view = self.view(&guard, page)?;
            if let Some(slot) = self.dead_slot(&view, &guard, row) {
                let purged = LeafMut::new(&mut guard, &self.layout).purge(slot);
                purged.map_err(|damage| corrupt(page, damage))?;
            }
            done();
            Ok(())
        })
    }

    /// The slot of a row that is deleted for everybody and still there.
    fn dead_slot(&self, view: &LeafView<'_, [u8]>, guard: &impl Beside, row: RowId) -> Option<usize> {
        let settled = guard.versions().is_none_or(|versions| versions.newest(row).is_none());
        view.find(row).ok().filter(|&slot| settled && view.is_used(slot) && !view.is_alive(slot))
    }

    fn forget_value(&self, store: &Store, row: RowId, column: u16) -> Attempt<()> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let Ok(slot) = self.view(&guard, page)?.find(row) else { return Ok(()) };
        let layout = self.layout().project(&[column]);
        let mut null = Vec::new();
        layout.writer(&mut null).null(0);
        let forgotten =
            LeafMut::new(&mut guard, &self.layout).update(slot, &[column], &view_of(&layout, &null)?);
        forgotten.map_err(|damage| corrupt(page, damage))
    }

    fn long_value(&self, view: &LeafView<'_, [u8]>, slot: usize) -> Option<(u16, PageId)> {
        self.all_columns.iter().find_map(|&column| match view.cell(slot, usize::from(column)) {
            Ok(Cell::Overflow(value)) => Some((column, value.first)),
            Ok(Cell::Scalar(_)) | Err(_) => None,
        })
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
