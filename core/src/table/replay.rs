//! Applying committed effects after a restart: no versions, no locks, no checks, entries kept at once.
//!
//! Effects come in the order of commits and each has been applied once, or not at all, to the state it meets.

use super::leaf::{LeafMut, Room, heap_bytes, room_for};
use super::read::bring_in_long;
use super::write::entry_or_restart;
use super::{Store, Table, corrupt, overflow, view_of};
use crate::codec::row::{Cell, RowLayout};
use crate::error::{Result, StorageError};
use crate::ids::RowId;
use crate::pager::Attempt;

impl Table {
    /// Inserts a row, over whatever is there.
    pub(crate) fn replay_insert(&self, store: &Store, row: RowId, values: &[u8]) -> Result<()> {
        self.replay_delete(store, row)?;
        self.saw_row(row);
        let view = self.layout().view(values)?;
        let moved = self.move_out_long(store, None, &view, false)?;
        let stored = self.layout().view(moved.as_deref().unwrap_or(values))?;
        let heap = heap_bytes(&stored);
        while !store.attempt(|| {
            let mut guard = self.tree.find_exclusive(store.pager(), row)?;
            let page = guard.page_id();
            let damaged = |damage| corrupt(page, damage);
            if let Ok(slot) = self.view(&guard, page)?.find(row) {
                if self.room_for_change(&mut guard, heap, 0)? != Room::Fits {
                    return Ok(false);
                }
                let slot = self.view(&guard, page)?.find(row).unwrap_or(slot);
                LeafMut::new(&mut guard, &self.layout).revive(slot, &stored).map_err(damaged)?;
                return Ok(true);
            }
            match room_for(&guard, &self.layout, row, heap).map_err(damaged)? {
                Room::Fits => {}
                Room::Reshape { capacity, dense } => {
                    LeafMut::new(&mut guard, &self.layout).reshape(capacity, dense).map_err(damaged)?;
                }
                Room::Full => return Ok(false),
            }
            let slot = self.view(&guard, page)?.find(row).unwrap_or_else(|slot| slot);
            LeafMut::new(&mut guard, &self.layout).insert(slot, row, &stored).map_err(damaged)?;
            Ok(true)
        })? {
            self.split(store, row, heap)?;
        }
        self.replay_entries(store, row, true)
    }

    /// Gives columns new values.
    pub(crate) fn replay_update(
        &self,
        store: &Store,
        row: RowId,
        columns: &[u16],
        values: &[u8],
    ) -> Result<()> {
        let all = self.layout();
        if columns.iter().any(|&column| usize::from(column) >= all.columns().len()) {
            return Err(StorageError::Corrupt { reason: "an update names no column".to_owned() }.into());
        }
        let projected = all.project(columns);
        let new = projected.view(values)?;
        let Some(old) = self.replay_read(store, row, all)? else {
            let reason = format!("the log updates a row that table \"{}\" does not have", self.def.name);
            return Err(StorageError::Corrupt { reason }.into());
        };
        let old = all.view(&old)?;
        let mut merged = Vec::new();
        all.encode(&mut merged, |column| match columns.iter().position(|&c| usize::from(c) == column) {
            Some(at) => new.cell(at),
            None => old.cell(column),
        });
        self.replay_insert(store, row, &merged)
    }

    /// Removes a row with its entries and long values, if it is there.
    pub(crate) fn replay_delete(&self, store: &Store, row: RowId) -> Result<()> {
        self.replay_entries(store, row, false)?;
        let long = store.attempt(|| {
            let mut guard = self.tree.find_exclusive(store.pager(), row)?;
            let page = guard.page_id();
            let view = self.view(&guard, page)?;
            let Ok(slot) = view.find(row) else { return Ok(Vec::new()) };
            if !view.is_used(slot) {
                return Ok(Vec::new());
            }
            let mut long = Vec::new();
            for &column in &self.all_columns {
                match view.cell(slot, usize::from(column)).map_err(|damage| corrupt(page, damage))? {
                    Cell::Overflow(value) => long.push(value.first),
                    Cell::Scalar(_) => {}
                }
            }
            LeafMut::new(&mut guard, &self.layout).purge(slot).map_err(|damage| corrupt(page, damage))?;
            Ok(long)
        })?;
        long.into_iter().try_for_each(|first| overflow::free(store, first, || Ok(())))
    }

    fn replay_read(&self, store: &Store, row: RowId, layout: &RowLayout) -> Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        let found = store.pager().retry(|| {
            out.clear();
            self.replay_copy(store, row, layout, &mut out)
        })?;
        if found {
            bring_in_long(store, layout, &mut out, 0)?;
        }
        Ok(found.then_some(out))
    }

    fn replay_copy(&self, store: &Store, row: RowId, layout: &RowLayout, out: &mut Vec<u8>) -> Attempt<bool> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let page = guard.page_id();
        let view = self.view(&guard, page)?;
        let Some(slot) = view.find(row).ok().filter(|&slot| view.is_alive(slot)) else { return Ok(false) };
        view.copy_row(slot, &self.all_columns, layout, out).map_err(|damage| corrupt(page, damage))?;
        Ok(true)
    }

    /// Adds or removes the entries of a row that is there.
    pub(super) fn replay_entries(&self, store: &Store, row: RowId, add: bool) -> Result<()> {
        let indexes = self.indexes();
        if indexes.is_empty() {
            return Ok(());
        }
        let mut stored = Vec::new();
        let found = store.pager().retry(|| {
            stored.clear();
            self.replay_copy(store, row, self.layout(), &mut stored)
        })?;
        if !found {
            return Ok(());
        }
        for index in indexes.iter() {
            store.attempt(|| {
                let values = view_of(self.layout(), &stored)?;
                let entry = entry_or_restart(index.entry(store, row, |column| Ok(values.cell(column))))?;
                let Some((entry, _)) = entry else { return Ok(()) };
                if add {
                    index.tree.insert(store.pager(), &entry)?;
                } else {
                    index.tree.remove(store.pager(), &entry)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
