//! The write path: insert, update and delete of one row, with index entries and uniqueness.
//!
//! Each of them looks at the row under its leaf's exclusive latch and then either changes it, or learns whom to wait
//! for, or that the row has moved on since the statement's snapshot. READ COMMITTED hands the last case to the caller,
//! who evaluates the statement again; REPEATABLE READ fails with 40001.
//!
//! Uniqueness is judged at the end of the statement ([`Table::check_unique`]), so that `SET id = id + 1` and swaps
//! work; while rows are written only keys that met a live row are noted. A row whose id is its key is the exception:
//! two of them cannot stand side by side.

use super::index::{Index, KeyError};
use super::leaf::{self, LeafMut, LeafView, Room};
use super::lock::{fate, is_lost, refused};
use super::unique::Suspect;
use super::{RowKey, Store, Table, TableDef, corrupt, overflow, versions_of, view_of};
use crate::codec::row::{Cell, RowView};
use crate::error::{DataError, Result, StorageError};
use crate::ids::{RowId, TransactionId};
use crate::pager::{Attempt, WriteGuard};
use crate::transaction::{Change, Effect, Garbage, RowLockMode, StampState, Transaction};
use crate::types::Scalar;
use std::sync::Arc;

/// What became of an update or delete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It was done.
    Done,
    /// The row was changed by a transaction that the snapshot does not see.
    Changed,
    /// The row was deleted by such a transaction.
    Deleted,
    /// This statement has already written the row.
    Again,
}

/// What an attempt at a row came to.
enum Step<T> {
    Done(T),
    Wait(TransactionId),
    Locked,
    Split,
    /// The row is alone in its leaf and still has no room.
    Crowded,
    Duplicate,
    Refused(Written),
}

/// An entry and whose it is.
type IndexedEntry = (Arc<Index>, Vec<u8>);

/// Entries that change with a row.
struct EntryChange {
    index: Arc<Index>,
    old: Option<Vec<u8>>,
    new: NewEntry,
}

enum NewEntry {
    Fits(Vec<u8>, bool),
    TooLong(usize),
}

impl Table {
    /// Inserts a row, given in the form of [`Table::layout`]; returns its id. Keys that met a live row are added to
    /// `suspects`.
    ///
    /// # Errors
    /// 23505 for a row whose id is taken; 54000 when it cannot fit; waits end as [`Transaction::wait_for_writer`] says.
    pub fn insert(
        &self,
        store: &Store,
        tx: &mut Transaction,
        values: &[u8],
        suspects: &mut Vec<Suspect>,
    ) -> Result<RowId> {
        let view = self.layout().view(values)?;
        let row = match self.def.row_key {
            RowKey::Hidden => self.take_row()?,
            RowKey::Column(column) => self.row_of(&view, column)?,
        };
        tx.write_id()?;
        let stored = self.move_out_long(store, Some(tx), &view, false)?;
        let stored = self.layout().view(stored.as_deref().unwrap_or(values))?;
        let mut turn = None;
        let revived = loop {
            match store.attempt(|| self.try_insert(store, tx, row, &stored))? {
                Step::Done(revived) => break revived,
                Step::Wait(writer) => {
                    tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                }
                Step::Split => self.split(store, row, leaf::heap_bytes(&stored))?,
                Step::Duplicate => return Err(self.duplicate_row(row)),
                Step::Crowded => return Err(self.too_big(store, values.len())),
                Step::Locked | Step::Refused(_) => unreachable!("inserts meet neither"),
            }
        };
        drop(turn);
        tx.push_redo(&Effect::Insert { table: self.def.object, row, schema: self.def.schema, values });
        if let Some(old) = &revived {
            push_long_garbage(tx, &self.layout().view(old)?);
        }
        for index in self.indexes().iter() {
            let (entry, null) = self.entry_of(store, index, row, &stored)?;
            let old = match &revived {
                Some(old) => Some(self.entry_of(store, index, row, &self.layout().view(old)?)?.0),
                None => None,
            };
            if let Some(old) = old.filter(|old| *old != entry) {
                tx.push_garbage(self.key_garbage(index, row, old));
            }
            self.add_entry(store, tx, index, row, &entry, null, suspects)?;
        }
        tx.write_ahead()?;
        Ok(row)
    }

    /// Gives some columns of a row new values, in the form of the layout projected to `columns`, which ascend. The
    /// row's id stays: a key that is the id is changed by deleting and inserting.
    ///
    /// # Errors
    /// As [`Self::insert`]; 40001 in REPEATABLE READ.
    pub fn update(
        &self,
        store: &Store,
        tx: &mut Transaction,
        row: RowId,
        columns: &[u16],
        values: &[u8],
        suspects: &mut Vec<Suspect>,
    ) -> Result<Written> {
        let projected = self.layout().project(columns);
        let view = projected.view(values)?;
        tx.write_id()?;
        let before = tx.mark();
        let mut moved = self.move_out_long(store, Some(tx), &view, false)?;
        let mut crowded = false;
        let mut turn = None;
        let (old, changes) = loop {
            let stored = projected.view(moved.as_deref().unwrap_or(values))?;
            match store.attempt(|| self.try_update(store, tx, row, columns, &stored))? {
                Step::Done(done) => break done,
                Step::Crowded if !crowded => {
                    crowded = true;
                    tx.rollback_to(before, store)?;
                    moved = self.move_out_long(store, Some(tx), &view, true)?;
                }
                Step::Crowded => return Err(self.too_big(store, values.len())),
                Step::Wait(writer) => {
                    tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                }
                Step::Locked => self.wait_for_locks(tx, row)?,
                Step::Split => self.split(store, row, usize::MAX)?,
                Step::Refused(written) => {
                    // Long values that were written for nothing.
                    tx.rollback_to(before, store)?;
                    return refused(tx, written);
                }
                Step::Duplicate => unreachable!("an update keeps its row's id"),
            }
        };
        drop(turn);
        push_long_garbage(tx, &projected.view(&old)?);
        let bytes: Vec<u8> = columns.iter().flat_map(|column| column.to_le_bytes()).collect();
        let (table, schema) = (self.def.object, self.def.schema);
        tx.push_redo(&Effect::Update { table, row, schema, columns: &bytes, values });
        for EntryChange { index, old, new } in changes {
            match new {
                NewEntry::Fits(new, null) => self.add_entry(store, tx, &index, row, &new, null, suspects)?,
                NewEntry::TooLong(length) => return Err(index.too_long(store, length)),
            }
            if let Some(old) = old {
                index.mark_dead(store, &old)?;
                tx.push_garbage(self.key_garbage(&index, row, old));
            }
        }
        tx.write_ahead()?;
        Ok(Written::Done)
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn delete(&self, store: &Store, tx: &mut Transaction, row: RowId) -> Result<Written> {
        self.take_out(store, tx, row, false)
    }

    /// Deletes a row that is about to be inserted under another id.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn move_out(&self, store: &Store, tx: &mut Transaction, row: RowId) -> Result<Written> {
        self.take_out(store, tx, row, true)
    }

    fn take_out(&self, store: &Store, tx: &mut Transaction, row: RowId, moves: bool) -> Result<Written> {
        tx.write_id()?;
        let mut turn = None;
        let entries = loop {
            match store.attempt(|| self.try_delete(store, tx, row, moves))? {
                Step::Done(entries) => break entries,
                Step::Wait(writer) => {
                    tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                }
                Step::Locked => self.wait_for_locks(tx, row)?,
                Step::Refused(written) => return refused(tx, written),
                Step::Duplicate | Step::Split | Step::Crowded => unreachable!("a delete needs no room"),
            }
        };
        drop(turn);
        tx.push_redo(&Effect::Delete { table: self.def.object, row });
        for (index, entry) in entries {
            index.mark_dead(store, &entry)?;
        }
        tx.push_garbage(Garbage::Row { table: self.def.object, row });
        tx.write_ahead()?;
        Ok(Written::Done)
    }

    pub(super) fn row_of(&self, values: &RowView<'_>, column: u16) -> Result<RowId> {
        let key = match values.cell(usize::from(column)) {
            Cell::Scalar(Scalar::I16(key)) => i64::from(key),
            Cell::Scalar(Scalar::I32(key)) => i64::from(key),
            Cell::Scalar(Scalar::I64(key)) => key,
            Cell::Scalar(_) | Cell::Overflow(_) => {
                let column = self.def.columns[usize::from(column)].name.clone();
                return Err(DataError::NotNullViolation { column, relation: self.def.name.clone() }.into());
            }
        };
        Ok(TableDef::row_of_key(key))
    }

    fn duplicate_row(&self, row: RowId) -> crate::Error {
        let error =
            crate::Error::from(DataError::UniqueViolation { constraint: format!("{}_pkey", self.def.name) });
        let RowKey::Column(column) = self.def.row_key else { return error };
        let (name, key) = (&self.def.columns[usize::from(column)].name, TableDef::key_of_row(row));
        error.with_detail(format!("Key ({name})=({key}) already exists."))
    }

    pub(super) fn key(&self, row: RowId) -> crate::transaction::RowKey {
        crate::transaction::RowKey { table: self.def.object, row }
    }

    fn key_garbage(&self, index: &Index, row: RowId, entry: Vec<u8>) -> Garbage {
        Garbage::Key { table: self.def.object, index: index.def.object, row, key: entry.into() }
    }

    fn wait_for_locks(&self, tx: &mut Transaction, row: RowId) -> Result<()> {
        tx.lock_row(self.key(row), RowLockMode::Update)
    }

    /// A row's entry in an index.
    pub(super) fn entry_of(
        &self,
        store: &Store,
        index: &Index,
        row: RowId,
        values: &RowView<'_>,
    ) -> Result<(Vec<u8>, bool)> {
        loop {
            match index.entry(store, row, |column| Ok(values.cell(column))) {
                Ok(entry) => return Ok(entry),
                Err(KeyError::Restart(restart)) => store.pager().resolve(restart)?,
                Err(KeyError::TooLong(length)) => return Err(index.too_long(store, length)),
            }
        }
    }

    /// The error of a table whose columns alone do not fit a page.
    pub(super) fn too_wide(&self, store: &Store) -> crate::Error {
        self.too_big(store, self.layout().columns().iter().map(|ty| ty.width()).sum())
    }

    fn too_big(&self, store: &Store, size: usize) -> crate::Error {
        StorageError::RowTooBig { size: size as u64, limit: store.pager().page_size() as u64 }.into()
    }

    /// Moves long strings to pages of their own, or with `all` every string that does not fit its cell; None if
    /// there are none.
    pub(super) fn move_out_long(
        &self,
        store: &Store,
        tx: Option<&Transaction>,
        values: &RowView<'_>,
        all: bool,
    ) -> Result<Option<Vec<u8>>> {
        let limit = self.layout.max_heap(store.pager().page_size());
        let row_limit = limit.ok_or_else(|| self.too_big(store, values.bytes().len()))?;
        let lengths: Vec<usize> = (0..values.layout().columns().len())
            .map(|column| match values.cell(column) {
                Cell::Scalar(Scalar::Bytes(bytes)) => bytes.len(),
                Cell::Scalar(_) | Cell::Overflow(_) => 0,
            })
            .collect();
        // The longest go first, until the rest fits a leaf with some company.
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&column| std::cmp::Reverse(lengths[column]));
        let mut rest: usize = lengths.iter().sum();
        let mut out = vec![false; lengths.len()];
        for column in order {
            let length = lengths[column];
            if length > overflow::MAX_INLINE || length > leaf::INLINE && (all || rest > row_limit) {
                out[column] = true;
                rest -= length;
            }
        }
        if !out.contains(&true) {
            return Ok(None);
        }
        let mut references = Vec::with_capacity(out.len());
        for (column, &moves) in out.iter().enumerate() {
            references.push(match (moves, values.cell(column)) {
                (true, Cell::Scalar(Scalar::Bytes(bytes))) => Some(match tx {
                    Some(tx) => overflow::write(store, tx, self.def.object, bytes)?,
                    None => overflow::write_untracked(store, self.def.object, bytes)?,
                }),
                (_, _) => None,
            });
        }
        let mut stored = Vec::with_capacity(values.bytes().len().min(1 << 14));
        values.layout().encode(&mut stored, |column| match references[column] {
            Some(reference) => Cell::Overflow(reference),
            None => values.cell(column),
        });
        Ok(Some(stored))
    }

    pub(super) fn split(&self, store: &Store, row: RowId, heap: usize) -> Result<()> {
        store.attempt(|| self.tree.split(store.pager(), &self.leaves(store, heap), row))
    }

    fn try_insert(
        &self,
        store: &Store,
        tx: &Transaction,
        row: RowId,
        values: &RowView<'_>,
    ) -> Attempt<Step<Option<Vec<u8>>>> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        if let Some(writer) =
            versions_of(guard.side()).and_then(|v| v.writer(row, tx.id(), store.transactions().statuses()))
        {
            return Ok(Step::Wait(writer));
        }
        let view = self.view(&guard, page)?;
        let found = view.find(row);
        if let Ok(slot) = found {
            if view.is_alive(slot) {
                return Ok(Step::Duplicate);
            }
            let mut old = Vec::new();
            let (used, rows) = (view.is_used(slot), view.rows());
            view.copy_row(slot, &self.all_columns, self.layout(), &mut old).map_err(damaged)?;
            let freed = leaf::heap_bytes(&view_of(self.layout(), &old)?);
            match self.room_for_change(&mut guard, leaf::heap_bytes(values), freed)? {
                Room::Fits => {}
                Room::Reshape { .. } | Room::Full if rows == 1 => return Ok(Step::Crowded),
                Room::Reshape { .. } | Room::Full => return Ok(Step::Split),
            }
            let change = if used {
                Change::Revive { schema: self.def.schema, old: old.clone().into() }
            } else {
                Change::Insert
            };
            LeafMut::new(&mut guard, &self.layout).revive(slot, values).map_err(damaged)?;
            self.record(store, tx, &mut guard, row, change);
            return Ok(Step::Done(used.then_some(old)));
        }
        match leaf::room_for(&guard, &self.layout, row, leaf::heap_bytes(values)).map_err(damaged)? {
            Room::Fits => {}
            Room::Reshape { capacity, dense } => {
                LeafMut::new(&mut guard, &self.layout).reshape(capacity, dense).map_err(damaged)?;
            }
            Room::Full => return Ok(Step::Split),
        }
        let slot = self.view(&guard, page)?.find(row).unwrap_or_else(|slot| slot);
        LeafMut::new(&mut guard, &self.layout).insert(slot, row, values).map_err(damaged)?;
        self.record(store, tx, &mut guard, row, Change::Insert);
        Ok(Step::Done(None))
    }

    /// Makes the undo record of a change just made to a leaf.
    fn record(
        &self,
        store: &Store,
        tx: &Transaction,
        guard: &mut WriteGuard<'_>,
        row: RowId,
        change: Change,
    ) {
        let record = tx.push_undo(self.def.object, row, change);
        store.versions_for(guard).push(record);
    }

    /// Room for strings of a row that is there, whose present ones take `freed` bytes.
    pub(super) fn room_for_change(
        &self,
        guard: &mut WriteGuard<'_>,
        heap: usize,
        freed: usize,
    ) -> Attempt<Room> {
        let page = guard.page_id();
        leaf::make_room(guard, &self.layout, heap, freed).map_err(|damage| corrupt(page, damage))
    }

    /// Whether the row may be written: it is there, nobody else is at it, and it is what the snapshot shows.
    fn look<T>(
        &self,
        store: &Store,
        tx: &Transaction,
        guard: &WriteGuard<'_>,
        row: RowId,
    ) -> Attempt<std::result::Result<usize, Step<T>>> {
        let statuses = store.transactions().statuses();
        let view = self.view(guard, guard.page_id())?;
        let alive = |slot: &usize| view.is_alive(*slot);
        let found = view.find(row).ok();
        let newest = versions_of(guard.side()).and_then(|versions| versions.newest(row));
        if let Some(newest) = newest {
            match newest.stamp.resolve(statuses) {
                StampState::InProgress(writer) if tx.id() != Some(writer) => {
                    let lost = is_lost(newest, tx, statuses);
                    return Ok(Err(if lost { Step::Refused(Written::Changed) } else { Step::Wait(writer) }));
                }
                StampState::InProgress(_) if newest.command == tx.view().command => {
                    return Ok(Err(Step::Refused(Written::Again)));
                }
                StampState::Committed(ts) if !tx.view().snapshot.sees(ts) => {
                    return Ok(Err(Step::Refused(fate(newest, tx, statuses))));
                }
                StampState::InProgress(_) | StampState::Committed(_) | StampState::Aborted => {}
            }
        }
        if tx.row_is_locked(self.key(row), RowLockMode::Update) {
            return Ok(Err(Step::Locked));
        }
        Ok(found.filter(alive).ok_or(Step::Refused(Written::Deleted)))
    }

    fn try_update(
        &self,
        store: &Store,
        tx: &Transaction,
        row: RowId,
        columns: &[u16],
        values: &RowView<'_>,
    ) -> Attempt<Step<(Vec<u8>, Vec<EntryChange>)>> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        let slot = match self.look(store, tx, &guard, row)? {
            Ok(slot) => slot,
            Err(step) => return Ok(step),
        };
        let projected = self.layout().project(columns);
        let mut old = Vec::new();
        self.view(&guard, page)?.copy_row(slot, columns, &projected, &mut old).map_err(damaged)?;
        let old_view = view_of(&projected, &old)?;
        let rows = self.view(&guard, page)?.rows();
        let changes = self.entry_changes(store, &self.view(&guard, page)?, slot, row, columns, values)?;
        match self.room_for_change(&mut guard, leaf::heap_bytes(values), leaf::heap_bytes(&old_view))? {
            Room::Fits => {}
            Room::Reshape { .. } | Room::Full if rows == 1 => return Ok(Step::Crowded),
            Room::Reshape { .. } | Room::Full => return Ok(Step::Split),
        }
        let slot = self.view(&guard, page)?.find(row).unwrap_or(slot);
        LeafMut::new(&mut guard, &self.layout).update(slot, columns, values).map_err(damaged)?;
        let (schema, columns) = (self.def.schema, columns.into());
        self.record(store, tx, &mut guard, row, Change::Update { schema, columns, old: old.clone().into() });
        Ok(Step::Done((old, changes)))
    }

    /// Entries that an update moves, computed before it.
    fn entry_changes(
        &self,
        store: &Store,
        view: &LeafView<'_, [u8]>,
        slot: usize,
        row: RowId,
        columns: &[u16],
        values: &RowView<'_>,
    ) -> Attempt<Vec<EntryChange>> {
        let page = crate::ids::PageId(0);
        let before = |column: usize| view.cell(slot, column).map_err(|damage| corrupt(page, damage));
        let after = |column: usize| match columns.iter().position(|&c| usize::from(c) == column) {
            Some(at) => Ok(values.cell(at)),
            None => before(column),
        };
        let mut changes = Vec::new();
        for index in self.indexes().iter().filter(|index| index.touches(columns)) {
            let old = entry_or_restart(index.entry(store, row, before))?.map(|(entry, _)| entry);
            let new = match index.entry(store, row, after) {
                Ok((new, _)) if old.as_ref() == Some(&new) => continue,
                Ok((new, null)) => NewEntry::Fits(new, null),
                Err(KeyError::TooLong(length)) => NewEntry::TooLong(length),
                Err(KeyError::Restart(restart)) => return Err(restart),
            };
            changes.push(EntryChange { index: Arc::clone(index), old, new });
        }
        Ok(changes)
    }

    fn try_delete(
        &self,
        store: &Store,
        tx: &Transaction,
        row: RowId,
        moves: bool,
    ) -> Attempt<Step<Vec<IndexedEntry>>> {
        let mut guard = self.tree.find_exclusive(store.pager(), row)?;
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        let slot = match self.look(store, tx, &guard, row)? {
            Ok(slot) => slot,
            Err(step) => return Ok(step),
        };
        let view = self.view(&guard, page)?;
        let mut entries = Vec::new();
        for index in self.indexes().iter() {
            let cell = |column| view.cell(slot, column).map_err(damaged);
            if let Some((entry, _)) = entry_or_restart(index.entry(store, row, cell))? {
                entries.push((Arc::clone(index), entry));
            }
        }
        LeafMut::new(&mut guard, &self.layout).set_alive(slot, false).map_err(damaged)?;
        self.record(store, tx, &mut guard, row, Change::Delete { moves });
        Ok(Step::Done(entries))
    }
}

/// The long values of a version that is replaced go once nobody sees it.
fn push_long_garbage(tx: &mut Transaction, old: &RowView<'_>) {
    for column in 0..old.layout().columns().len() {
        if let Cell::Overflow(value) = old.cell(column) {
            tx.push_garbage(Garbage::Overflow(value));
        }
    }
}

/// A row that is stored has been measured: a key too long means that it has no entry.
pub(super) fn entry_or_restart(
    entry: std::result::Result<(Vec<u8>, bool), KeyError>,
) -> Attempt<Option<(Vec<u8>, bool)>> {
    match entry {
        Ok(entry) => Ok(Some(entry)),
        Err(KeyError::Restart(restart)) => Err(restart),
        Err(KeyError::TooLong(_)) => Ok(None),
    }
}
