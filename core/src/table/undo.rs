//! Taking changes back: rollback, and the changes that a cut holds of transactions that never ended.
//!
//! Index entries go first and the row last, so that whatever interrupts the work, doing it again completes it. An
//! entry goes only if no version that remains has it.

use super::index::Index;
use super::leaf::{LeafMut, LeafView, Room, heap_bytes};
use super::read::{Image, Versions};
use super::write::entry_or_restart;
use super::{Store, Table, corrupt, overflow, versions_of, versions_of_mut, view_of};
use crate::btree::Fences;
use crate::codec::row::Cell;
use crate::error::{Result, StorageError};
use crate::ids::{ObjectId, RowId};
use crate::pager::{Attempt, WriteGuard};
use crate::transaction::{Change, UndoLog, UndoRecord, UndoTarget};
use std::sync::Arc;

/// What taking a row's change back needs first.
enum Step {
    Done,
    Split,
}

impl UndoTarget for Store {
    fn undo(&self, record: &Arc<UndoRecord>, log: &UndoLog) -> Result<()> {
        self.take_back(record.object, record.row, &record.change, Some(record), || log.pop())
    }
}

impl Store {
    /// Takes a change back; `done` is called inside the row operation that completes it. `link` is the change's
    /// record where version maps know it, which they do not after a restart.
    pub(crate) fn take_back(
        &self,
        object: ObjectId,
        row: RowId,
        change: &Change,
        link: Option<&Arc<UndoRecord>>,
        done: impl Fn(),
    ) -> Result<()> {
        match change {
            Change::Overflow { first } => overflow::free(self, *first, || {
                done();
                Ok(())
            }),
            Change::Create => self.drop_object(object, done),
            Change::Fill { last } => self.table(object)?.take_fill_back(self, row, *last, link, done),
            Change::Insert | Change::Revive { .. } | Change::Delete { .. } | Change::Update { .. } => {
                self.table(object)?.take_row_back(self, row, change, link, done)
            }
        }
    }

    /// Frees the pages of a table with its indexes and long values, or of an index; `done` is called with the last of
    /// them. Until then the object can be found, so that whatever interrupts the work, doing it again completes it.
    pub(crate) fn drop_object(&self, object: ObjectId, done: impl Fn()) -> Result<()> {
        if let Ok(table) = self.table(object) {
            table.free_long_values(self)?;
            for index in table.indexes().iter() {
                self.drop_index(&table, index, || ())?;
            }
            while self.attempt(|| {
                let left = table.tree.free_last(self.pager())?;
                if !left {
                    self.remove_table(object);
                    done();
                }
                Ok(left)
            })? {}
            return Ok(());
        }
        for table in self.tables() {
            if let Some(index) = table.indexes().iter().find(|index| index.def.object == object) {
                return self.drop_index(&table, index, done);
            }
        }
        self.attempt(|| {
            done();
            Ok(())
        })
    }

    fn drop_index(&self, table: &Table, index: &Arc<Index>, done: impl Fn()) -> Result<()> {
        while self.attempt(|| {
            let left = index.tree.free_last(self.pager())?;
            if !left {
                table.remove_index(index);
                done();
            }
            Ok(left)
        })? {}
        Ok(())
    }
}

impl Table {
    fn take_row_back(
        &self,
        store: &Store,
        row: RowId,
        change: &Change,
        link: Option<&Arc<UndoRecord>>,
        done: impl Fn(),
    ) -> Result<()> {
        if let Change::Update { columns, .. } = change
            && columns.iter().any(|&column| usize::from(column) >= self.all_columns.len())
        {
            return Err(StorageError::Corrupt { reason: "a change names no column".to_owned() }.into());
        }
        for index in self.indexes().iter() {
            let affected = match change {
                Change::Update { columns, .. } => index.touches(columns),
                Change::Insert | Change::Revive { .. } => true,
                Change::Delete { .. } | Change::Fill { .. } | Change::Create | Change::Overflow { .. } => {
                    false
                }
            };
            if affected {
                store.attempt(|| self.remove_undone_entry(store, index, row, change, link))?;
            }
        }
        while let Step::Split = store.attempt(|| self.restore_row(store, row, change, link, &done))? {
            self.split(store, row, usize::MAX)?;
        }
        if link.is_none() {
            // Without a chain it is not known whether an entry that was removed is that of a version further back, as
            // after A -> B -> A or a delete and an insert in one transaction: the row gets what it needs at each step.
            self.replay_entries(store, row, true)?;
        }
        Ok(())
    }

    /// Takes a run of rows back, leaf by leaf: those of one leaf go together with its fill, so that nobody sees any.
    fn take_fill_back(
        &self,
        store: &Store,
        first: RowId,
        last: RowId,
        link: Option<&Arc<UndoRecord>>,
        done: impl Fn(),
    ) -> Result<()> {
        let mut next = Some(first);
        while let Some(from) = next {
            let (rows, after) = store.pager().retry(|| {
                let guard = self.tree.find_shared(store.pager(), from)?;
                let view = self.view(&guard, guard.page_id())?;
                let used = (0..view.rows()).filter(|&slot| view.is_used(slot)).map(|slot| view.row_id(slot));
                let rows: Vec<RowId> = used.filter(|row| (from..=last).contains(row)).collect();
                Ok((rows, Fences::of(&*guard).after().filter(|&after| after <= last)))
            })?;
            for index in self.indexes().iter() {
                for &row in &rows {
                    store.attempt(|| self.remove_undone_entry(store, index, row, &Change::Insert, None))?;
                }
            }
            store.attempt(|| {
                let mut guard = self.tree.find_exclusive(store.pager(), from)?;
                let page = guard.page_id();
                for &row in rows.iter().rev() {
                    if let Ok(slot) = self.view(&guard, page)?.find(row) {
                        let purged = LeafMut::new(&mut guard, &self.layout).purge(slot);
                        purged.map_err(|damage| corrupt(page, damage))?;
                    }
                }
                if let Some(record) = link {
                    unlink(&mut guard, record);
                }
                if after.is_none() {
                    done();
                }
                Ok(())
            })?;
            next = after;
        }
        Ok(())
    }

    /// Frees the long values of all rows, each together with the reference to it. Nobody else may use the table.
    fn free_long_values(&self, store: &Store) -> Result<()> {
        let mut next = Some(RowId(0));
        while let Some(from) = next {
            let (values, after) = store.pager().retry(|| {
                let guard = self.tree.find_shared(store.pager(), from)?;
                let page = guard.page_id();
                let view = self.view(&guard, page)?;
                let mut values = Vec::new();
                for slot in (0..view.rows()).filter(|&slot| view.is_used(slot)) {
                    for &column in &self.all_columns {
                        let cell = view.cell(slot, usize::from(column));
                        if let Cell::Overflow(value) = cell.map_err(|damage| corrupt(page, damage))? {
                            values.push((view.row_id(slot), column, value.first));
                        }
                    }
                }
                Ok((values, Fences::of(&*guard).after()))
            })?;
            for (row, column, first) in values {
                overflow::free(store, first, || self.forget_value(store, row, column))?;
            }
            next = after;
        }
        Ok(())
    }

    fn forget_value(&self, store: &Store, row: RowId, column: u16) -> Attempt<()> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let Ok(slot) = self.view(&guard, page)?.find(row) else { return Ok(()) };
        let layout = self.layout().project(&[column]);
        let mut null = Vec::new();
        layout.writer(&mut null).null(0);
        let null = view_of(&layout, &null)?;
        let forgotten = LeafMut::new(&mut guard, &self.layout).update(slot, &[column], &null);
        forgotten.map_err(|damage| corrupt(page, damage))
    }

    /// Removes the entry of the page's image, unless a version that remains has it too.
    fn remove_undone_entry(
        &self,
        store: &Store,
        index: &Index,
        row: RowId,
        change: &Change,
        link: Option<&Arc<UndoRecord>>,
    ) -> Attempt<()> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let page = guard.page_id();
        let view = self.view(&guard, page)?;
        let Ok(slot) = view.find(row) else { return Ok(()) };
        if !view.is_alive(slot) {
            return Ok(());
        }
        let cell = |column| view.cell(slot, column).map_err(|damage| corrupt(page, damage));
        let Some((entry, _)) = entry_or_restart(index.entry(store, row, cell))? else { return Ok(()) };
        let remains = match link {
            Some(record) => {
                let newest = super::versions_of_read(&guard).and_then(|v| v.newest(row)).cloned();
                Versions::new(self, &view, slot, newest).older_has(store, index, &entry, Some(record))?
            }
            None => self.old_version_has(store, index, row, &view, slot, change, &entry)?,
        };
        if !remains {
            index.tree.remove(store.pager(), &entry)?;
        }
        Ok(())
    }

    /// Whether the row as it was before `change` has the entry, where no version map tells.
    #[expect(clippy::too_many_arguments, reason = "a row's place and the change to it")]
    fn old_version_has(
        &self,
        store: &Store,
        index: &Index,
        row: RowId,
        view: &LeafView<'_, [u8]>,
        slot: usize,
        change: &Change,
        entry: &[u8],
    ) -> Attempt<bool> {
        let Change::Update { columns, old, .. } = change else { return Ok(false) };
        let layout = self.layout().project(columns);
        let before = view_of(&layout, old)?;
        let image = Image::current(view, slot);
        let cell = |column: usize| match columns.iter().position(|&c| usize::from(c) == column) {
            Some(at) => Ok(before.cell(at)),
            None => image.cell(column),
        };
        Ok(entry_or_restart(index.entry(store, row, cell))?.is_some_and(|(own, _)| own == entry))
    }

    fn restore_row(
        &self,
        store: &Store,
        row: RowId,
        change: &Change,
        link: Option<&Arc<UndoRecord>>,
        done: &impl Fn(),
    ) -> Attempt<Step> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        let found = self.view(&guard, page)?.find(row).ok();
        if let Some(slot) = found {
            match change {
                Change::Insert => {
                    if self.view(&guard, page)?.is_used(slot) {
                        LeafMut::new(&mut guard, &self.layout).purge(slot).map_err(damaged)?;
                    }
                }
                Change::Delete { .. } => {
                    LeafMut::new(&mut guard, &self.layout).set_alive(slot, true).map_err(damaged)?;
                }
                Change::Revive { old, .. } => {
                    if !self.put_back(&mut guard, slot, row, &self.all_columns, self.layout(), old)? {
                        return Ok(Step::Split);
                    }
                    let slot = self.view(&guard, page)?.find(row).unwrap_or(slot);
                    LeafMut::new(&mut guard, &self.layout).set_alive(slot, false).map_err(damaged)?;
                }
                Change::Update { columns, old, .. } => {
                    let layout = self.layout().project(columns);
                    if !self.put_back(&mut guard, slot, row, columns, &layout, old)? {
                        return Ok(Step::Split);
                    }
                }
                Change::Fill { .. } | Change::Create | Change::Overflow { .. } => {}
            }
        }
        if let Some(record) = link {
            unlink(&mut guard, record);
        }
        done();
        Ok(Step::Done)
    }

    /// Gives columns their old values; false if the leaf must be split for them.
    fn put_back(
        &self,
        guard: &mut WriteGuard<'_>,
        slot: usize,
        row: RowId,
        columns: &[u16],
        layout: &crate::codec::row::RowLayout,
        old: &[u8],
    ) -> Attempt<bool> {
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        let old = view_of(layout, old)?;
        let mut present = Vec::new();
        self.view(guard, page)?.copy_row(slot, columns, layout, &mut present).map_err(damaged)?;
        let freed = heap_bytes(&view_of(layout, &present)?);
        if self.room_for_change(guard, heap_bytes(&old), freed)? != Room::Fits {
            return Ok(false);
        }
        let slot = self.view(guard, page)?.find(row).unwrap_or(slot);
        LeafMut::new(guard, &self.layout).update(slot, columns, &old).map_err(damaged)?;
        Ok(true)
    }
}

/// Takes a record out of its page's version map.
fn unlink(guard: &mut WriteGuard<'_>, record: &Arc<UndoRecord>) {
    if versions_of(guard.side()).is_some()
        && let Some(versions) = versions_of_mut(guard)
    {
        versions.pop(record);
        if versions.is_empty() {
            *guard.side_mut() = None;
        }
    }
}
