//! Indexes of a table: which columns they order and how a row's entry is made.
//!
//! An entry is the key of the indexed columns followed by the row's id, 6 bytes for hidden ids and 8 for keys, so
//! that versions of one row, rows with equal keys and NULLs can stand side by side and each is found in one descent.

use super::overflow;
use super::{RowKey, Store, TableDef};
use crate::btree::{IndexTree, max_key_len};
use crate::codec::key::KeyColumn;
use crate::codec::row::Cell;
use crate::error::{Result, StorageError};
use crate::ids::{ObjectId, RowId};
use crate::pager::{Attempt, Restart};
use crate::types::Scalar;
use std::sync::atomic::{AtomicBool, Ordering};

/// A column of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexColumn {
    /// The table's column.
    pub column: u16,
    /// Its type and order.
    pub key: KeyColumn,
}

/// An index as the catalog describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexDef {
    /// Its id.
    pub object: ObjectId,
    /// Its name, which is also the constraint's if it stands for one.
    pub name: String,
    /// No two rows have one key, NULLs apart.
    pub unique: bool,
    /// What it orders.
    pub columns: Vec<IndexColumn>,
}

/// An index that is open.
#[derive(Debug)]
pub struct Index {
    /// What it is.
    pub def: IndexDef,
    /// Its entries.
    pub tree: IndexTree,
    id_bytes: usize,
    /// It was dropped and only waits for those who may still read it: keys need not be different any more.
    retired: AtomicBool,
}

/// Why a row has no entry.
#[derive(Debug)]
pub(super) enum KeyError {
    /// It must be tried again.
    Restart(Restart),
    /// The key is too long.
    TooLong(usize),
}

impl From<Restart> for KeyError {
    fn from(restart: Restart) -> Self {
        Self::Restart(restart)
    }
}

impl Index {
    /// An index whose entries are in `tree`.
    pub fn new(def: IndexDef, tree: IndexTree, table: &TableDef) -> Self {
        let id_bytes = match table.row_key {
            RowKey::Hidden => 6,
            RowKey::Column(_) => 8,
        };
        Self { def, tree, id_bytes, retired: AtomicBool::new(false) }
    }

    /// Whether no two rows may have one key.
    pub fn is_unique(&self) -> bool {
        self.def.unique && !self.retired.load(Ordering::Acquire)
    }

    /// It was dropped: from now on it enforces nothing. Called when the drop has committed.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether a change of these columns changes entries.
    pub(super) fn touches(&self, columns: &[u16]) -> bool {
        self.def.columns.iter().any(|indexed| columns.contains(&indexed.column))
    }

    /// The entry of a row whose columns `cell` gives, and whether one of the indexed columns is NULL.
    pub(super) fn entry<'c>(
        &self,
        store: &Store,
        row: RowId,
        cell: impl Fn(usize) -> Attempt<Cell<'c>>,
    ) -> std::result::Result<(Vec<u8>, bool), KeyError> {
        let mut entry = Vec::with_capacity(32);
        let mut null = false;
        for indexed in &self.def.columns {
            match cell(usize::from(indexed.column))? {
                Cell::Scalar(scalar) => {
                    null |= scalar == Scalar::Null;
                    indexed.key.encode(&mut entry, scalar);
                }
                Cell::Overflow(value) => {
                    let limit = max_key_len(store.pager().page_size());
                    if value.length as usize > limit {
                        return Err(KeyError::TooLong(value.length as usize));
                    }
                    let mut bytes = Vec::new();
                    overflow::read(store.pager(), value, &mut bytes)?;
                    indexed.key.encode(&mut entry, Scalar::Bytes(&bytes));
                }
            }
        }
        entry.extend_from_slice(&row.0.to_be_bytes()[8 - self.id_bytes..]);
        if entry.len() > max_key_len(store.pager().page_size()) {
            return Err(KeyError::TooLong(entry.len()));
        }
        Ok((entry, null))
    }

    /// The error of a key that is too long.
    pub(super) fn too_long(&self, store: &Store, length: usize) -> crate::Error {
        StorageError::KeyTooBig {
            size: length as u64,
            limit: max_key_len(store.pager().page_size()) as u64,
            index: self.def.name.clone(),
        }
        .into()
    }

    /// The key part of an entry, without the row id.
    pub fn key_of<'e>(&self, entry: &'e [u8]) -> &'e [u8] {
        &entry[..entry.len().saturating_sub(self.id_bytes)]
    }

    /// Whether a column of a key is NULL, which makes it differ from every other key.
    pub(super) fn has_null(&self, mut key: &[u8]) -> Result<bool> {
        for indexed in &self.def.columns {
            if indexed.key.decode(&mut key)?.is_null() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The row that an entry belongs to.
    pub fn row_of(&self, entry: &[u8]) -> RowId {
        let id = &entry[entry.len().saturating_sub(self.id_bytes)..];
        RowId(id.iter().fold(0, |row, &byte| row << 8 | u64::from(byte)))
    }

    /// Adds an entry; it may be there already.
    pub(super) fn add(&self, store: &Store, entry: &[u8]) -> Result<()> {
        store.attempt(|| self.tree.insert(store.pager(), entry)).map(drop)
    }

    /// Notes that the leaf of an entry may hold dead ones.
    pub(super) fn mark_dead(&self, store: &Store, entry: &[u8]) -> Result<()> {
        store.attempt(|| self.tree.mark_dead_entries(store.pager(), entry))
    }
}
