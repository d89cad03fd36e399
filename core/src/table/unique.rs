//! Uniqueness: who else has a key, while it is added and when its statement ends.
//!
//! Probing for a key and adding its entry happen under the key's latch, so of two transactions that add one key the
//! second finds the first's entry. A live row met there is only noted; the statement's end judges.

use super::index::Index;
use super::read::Versions;
use super::write::entry_or_restart;
use super::{RowKey, Store, Table, corrupt, versions_of_read};
use crate::btree::{Direction, KeyRange};
use crate::error::{DataError, Error, Result};
use crate::ids::{ObjectId, RowId, TransactionId};
use crate::pager::Attempt;
use crate::transaction::Transaction;
use crate::types::TimeContext;
use std::sync::Arc;

/// A key that met a live row, to be judged when the statement ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suspect {
    index: Arc<Index>,
    key: Box<[u8]>,
}

impl Suspect {
    pub(super) fn new(index: &Arc<Index>, key: &[u8]) -> Self {
        Self { index: Arc::clone(index), key: key.into() }
    }
}

impl PartialEq for Index {
    fn eq(&self, other: &Self) -> bool {
        self.def == other.def
    }
}

impl Eq for Index {}

impl Table {
    /// Judges keys that met a live row, at the end of their statement.
    ///
    /// # Errors
    /// 23505 when two live rows have one key.
    pub fn check_unique(&self, store: &Store, tx: &mut Transaction, suspects: &[Suspect]) -> Result<()> {
        for Suspect { index, key } in suspects {
            let mut live = 0;
            let mut turn = None;
            let mut cursor = index.tree.cursor(KeyRange::prefix(key), Direction::Forward);
            while let Some(entry) = cursor.next(store.pager())? {
                let entry = entry.key.to_vec();
                if index.key_of(&entry) != &**key {
                    continue;
                }
                let row = index.row_of(&entry);
                loop {
                    match store.attempt(|| self.try_probe(store, tx, index, row, &entry))? {
                        Probe::Live => live += 1,
                        Probe::Dead => {}
                        Probe::Busy(writer) => {
                            tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                            continue;
                        }
                    }
                    break;
                }
            }
            if live > 1 {
                return Err(self.duplicate_key(index, key));
            }
        }
        Ok(())
    }

    fn duplicate_key(&self, index: &Index, key: &[u8]) -> Error {
        let error = Error::from(DataError::UniqueViolation { constraint: index.def.name.clone() });
        let (mut names, mut values, mut rest) = (Vec::new(), Vec::new(), key);
        for column in &index.def.columns {
            // An entry that cannot be read is not worth another error than the one there is.
            let Ok(value) = column.key.decode(&mut rest) else { return error };
            let text = value.to_text(&column.key.ty, &TimeContext::default());
            names.push(self.def.columns[usize::from(column.column)].name.as_str());
            values.push(text.unwrap_or_else(|| "null".to_owned()));
        }
        error.with_detail(format!("Key ({})=({}) already exists.", names.join(", "), values.join(", ")))
    }

    /// Adds a row's entry; for a unique index first looks who else has the key.
    #[expect(clippy::too_many_arguments, reason = "an entry, what it belongs to, and where suspects go")]
    pub(super) fn add_entry(
        &self,
        store: &Store,
        tx: &mut Transaction,
        index: &Arc<Index>,
        row: RowId,
        entry: &[u8],
        null: bool,
        suspects: &mut Vec<Suspect>,
    ) -> Result<()> {
        if !index.is_unique() || null {
            return index.add(store, entry);
        }
        let key = index.key_of(entry);
        let mut turn = None;
        'again: loop {
            let latch = store.latch_key(index.def.object, key);
            let mut met = false;
            let mut cursor = index.tree.cursor(KeyRange::prefix(key), Direction::Forward);
            while let Some(other) = cursor.next(store.pager())? {
                let other = other.key.to_vec();
                let other_row = index.row_of(&other);
                if other_row == row || index.key_of(&other) != key {
                    continue;
                }
                match store.attempt(|| self.try_probe(store, tx, index, other_row, &other))? {
                    Probe::Live => met = true,
                    Probe::Dead => {}
                    Probe::Busy(writer) => {
                        drop(latch);
                        tx.wait_for_writer(self.key(other_row), writer, &mut turn)?;
                        continue 'again;
                    }
                }
            }
            if met {
                suspects.push(Suspect::new(index, key));
            }
            return index.add(store, entry);
        }
    }

    /// A live row that has a key of `values`, a row in the form of [`Table::layout`] that is to be inserted: in one of
    /// the unique indexes `arbiters`, or in any if there are none; the table's own id stands for the row id as key.
    /// Waits for writers of such rows. With no `arbiters` any key counts.
    ///
    /// # Errors
    /// 54000 for a key too long; those of waiting.
    pub fn find_conflict(
        &self,
        store: &Store,
        tx: &mut Transaction,
        values: &[u8],
        arbiters: &[ObjectId],
    ) -> Result<Option<RowId>> {
        let values = self.layout().view(values)?;
        let counts = |object: ObjectId| arbiters.is_empty() || arbiters.contains(&object);
        if let RowKey::Column(column) = self.def.row_key
            && counts(self.def.object)
        {
            let row = self.row_of(&values, column)?;
            if self.wait_for_probe(tx, row, |tx| store.attempt(|| self.try_probe_row(store, tx, row)))? {
                return Ok(Some(row));
            }
        }
        for index in self.indexes().iter().filter(|index| index.is_unique() && counts(index.def.object)) {
            // The id is not part of the key.
            let (entry, null) = self.entry_of(store, index, RowId(0), &values)?;
            if null {
                continue;
            }
            let key = index.key_of(&entry);
            let mut cursor = index.tree.cursor(KeyRange::prefix(key), Direction::Forward);
            while let Some(other) = cursor.next(store.pager())? {
                let (entry, row) = (other.key.to_vec(), index.row_of(other.key));
                if index.key_of(&entry) == key
                    && self.wait_for_probe(tx, row, |tx| {
                        store.attempt(|| self.try_probe(store, tx, index, row, &entry))
                    })?
                {
                    return Ok(Some(row));
                }
            }
        }
        Ok(None)
    }

    /// What else than `keys` is unique in the table: its indexes, and itself if its rows have their key as id.
    pub fn other_keys(&self, keys: &[ObjectId]) -> Vec<ObjectId> {
        let itself = matches!(self.def.row_key, RowKey::Column(_)).then_some(self.def.object);
        let indexes = self.indexes();
        let unique = indexes.iter().filter(|index| index.is_unique()).map(|index| index.def.object);
        itself.into_iter().chain(unique).filter(|object| !keys.contains(object)).collect()
    }

    /// Probes until no writer is in the way; whether the row is live.
    fn wait_for_probe(
        &self,
        tx: &mut Transaction,
        row: RowId,
        probe: impl Fn(&Transaction) -> Result<Probe>,
    ) -> Result<bool> {
        let mut turn = None;
        loop {
            match probe(tx)? {
                Probe::Live => return Ok(true),
                Probe::Dead => return Ok(false),
                Probe::Busy(writer) => {
                    tx.wait_for_writer(self.key(row), writer, &mut turn)?;
                }
            }
        }
    }

    /// Whether the newest version of a row is alive.
    fn try_probe_row(&self, store: &Store, tx: &Transaction, row: RowId) -> Attempt<Probe> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let view = self.view(&guard, guard.page_id())?;
        let statuses = store.transactions().statuses();
        if let Some(writer) = versions_of_read(&guard).and_then(|v| v.writer(row, tx.id(), statuses)) {
            return Ok(Probe::Busy(writer));
        }
        let alive = view.find(row).is_ok_and(|slot| view.is_alive(slot));
        Ok(if alive { Probe::Live } else { Probe::Dead })
    }

    /// Whether the newest version of a row is alive and has this entry.
    fn try_probe(
        &self,
        store: &Store,
        tx: &Transaction,
        index: &Index,
        row: RowId,
        entry: &[u8],
    ) -> Attempt<Probe> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let view = self.view(&guard, guard.page_id())?;
        let Ok(slot) = view.find(row) else { return Ok(Probe::Dead) };
        let versions = versions_of_read(&guard);
        if let Some(writer) = versions.and_then(|v| v.writer(row, tx.id(), store.transactions().statuses())) {
            // Only a version with this key can make the wait worth while.
            let chain = Versions::new(self, &view, slot, versions.and_then(|v| v.newest(row)).cloned());
            return Ok(if chain.may_keep(store, index, entry)? { Probe::Busy(writer) } else { Probe::Dead });
        }
        if !view.is_alive(slot) {
            return Ok(Probe::Dead);
        }
        let page = guard.page_id();
        let cell = |column| view.cell(slot, column).map_err(|damage| corrupt(page, damage));
        let own = entry_or_restart(index.entry(store, row, cell))?;
        Ok(if own.is_some_and(|(own, _)| own == entry) { Probe::Live } else { Probe::Dead })
    }
}

enum Probe {
    Live,
    Dead,
    Busy(TransactionId),
}
