//! Making and giving up tables and indexes, as part of transactions.

use super::index::{Index, IndexDef};
use super::unique::Suspect;
use super::{Store, Table, TableDef};
use crate::btree::{IndexTree, NextLeaf, RowTree};
use crate::error::{DataError, Result};
use crate::ids::{ObjectId, PageId, RowId};
use crate::transaction::{Change, Effect, Garbage, Transaction};
use std::sync::Arc;

impl Store {
    /// Makes a table.
    ///
    /// # Errors
    /// I/O errors; 54000 when its columns cannot fit a page.
    pub fn create_table(&self, tx: &mut Transaction, def: &TableDef) -> Result<Arc<Table>> {
        tx.write_id()?;
        let definition = def.encode();
        let blank = Table::new(def.clone(), RowTree::open(PageId(0), def.object), 0, Vec::new());
        if blank.layout.max_heap(self.pager().page_size()).is_none() {
            return Err(blank.too_wide(self));
        }
        let table = self.attempt(|| {
            let tree = RowTree::create(self.pager(), def.object, &blank.leaves(self, 0))?;
            let table = Arc::new(Table::new(def.clone(), tree, 1, Vec::new()));
            tx.push_undo(def.object, RowId(0), Change::Create);
            self.add_table(Arc::clone(&table));
            Ok(table)
        })?;
        tx.push_redo(&Effect::CreateTable { table: table.def().object, definition: &definition });
        Ok(table)
    }

    /// Makes an index over the rows that are there. Nobody else may write the table until the transaction ends, and
    /// no snapshot from before that end may use the index: it has the newest versions only.
    ///
    /// # Errors
    /// 23505 when two rows have one key of a unique index; 54000 for a key that is too long; I/O errors.
    pub fn create_index(&self, tx: &mut Transaction, table: &Table, def: &IndexDef) -> Result<Arc<Index>> {
        tx.write_id()?;
        let definition = def.encode();
        let index = self.attempt(|| {
            let tree = IndexTree::create(self.pager(), def.object)?;
            let index = Arc::new(Index::new(def.clone(), tree, table.def()));
            tx.push_undo(def.object, RowId(0), Change::Create);
            table.add_index(Arc::clone(&index));
            Ok(index)
        })?;
        tx.push_redo(&Effect::CreateIndex { table: table.def().object, definition: &definition });
        let suspects = table.build(self, &index, &|| tx.check_cancelled())?;
        table.check_unique(self, tx, &suspects).map_err(|error| match error.kind() {
            crate::error::ErrorKind::Data(DataError::UniqueViolation { constraint }) => {
                let detail =
                    error.detail().map(|detail| detail.replace(" already exists.", " is duplicated."));
                let error = crate::Error::from(DataError::DuplicateKeys { index: constraint.clone() });
                match detail {
                    Some(detail) => error.with_detail(detail),
                    None => error,
                }
            }
            _ => error,
        })?;
        Ok(index)
    }

    /// Gives a table with its indexes, or an index, up when the transaction commits.
    ///
    /// # Errors
    /// 53300 when too many transactions write.
    pub fn drop_at_commit(&self, tx: &mut Transaction, object: ObjectId) -> Result<()> {
        tx.write_id()?;
        tx.push_redo(&Effect::Drop { object });
        tx.push_garbage(Garbage::Object(object));
        Ok(())
    }

    /// Makes a table as the log says.
    pub(crate) fn replay_create_table(&self, definition: &[u8]) -> Result<()> {
        let def = TableDef::decode(definition)?;
        let tree = self.create_row_tree(&def)?;
        self.add_table(Arc::new(Table::new(def, tree, 1, Vec::new())));
        Ok(())
    }

    /// Makes an index as the log says.
    pub(crate) fn replay_create_index(&self, table: ObjectId, definition: &[u8]) -> Result<()> {
        let table = self.table(table)?;
        let def = IndexDef::decode(definition, table.def())?;
        self.set_next_object(def.object.0.saturating_add(1));
        let tree = self.create_index_tree(def.object)?;
        let index = Arc::new(Index::new(def, tree, table.def()));
        table.build(self, &index, &|| Ok(()))?;
        table.add_index(index);
        Ok(())
    }
}

impl Table {
    fn add_index(&self, index: Arc<Index>) {
        let mut indexes = self.indexes.write();
        *indexes = indexes.iter().cloned().chain([index]).collect();
    }

    pub(super) fn remove_index(&self, index: &Arc<Index>) {
        let mut indexes = self.indexes.write();
        *indexes = indexes.iter().filter(|other| !Arc::ptr_eq(other, index)).cloned().collect();
    }

    /// Adds the entries of all rows; returns keys that more than one of them has. `check` says whether to go on, leaf by
    /// leaf.
    fn build(
        &self,
        store: &Store,
        index: &Arc<Index>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Vec<Suspect>> {
        let mut next = Some(None);
        while let Some(place) = next {
            check()?;
            let mut rows = Vec::new();
            next = store
                .pager()
                .retry(|| {
                    rows.clear();
                    let guard = match place {
                        None => self.tree.find_shared(store.pager(), RowId(0))?,
                        Some(next) => self.tree.find_next(store.pager(), next)?,
                    };
                    let view = self.view(&guard, guard.page_id())?;
                    for slot in (0..view.rows()).filter(|&slot| view.is_alive(slot)) {
                        let mut bytes = Vec::new();
                        let copied = view.copy_row(slot, &self.all_columns, self.layout(), &mut bytes);
                        copied.map_err(|damage| super::corrupt(guard.page_id(), damage))?;
                        rows.push((view.row_id(slot), bytes));
                    }
                    Ok(NextLeaf::after(&*guard))
                })?
                .map(Some);
            for (row, bytes) in &rows {
                let (entry, _) = self.entry_of(store, index, *row, &self.layout().view(bytes)?)?;
                index.add(store, &entry)?;
            }
        }
        if index.def.unique { self.shared_keys(store, index) } else { Ok(Vec::new()) }
    }

    /// Keys without NULLs that more than one entry has.
    fn shared_keys(&self, store: &Store, index: &Arc<Index>) -> Result<Vec<Suspect>> {
        let mut suspects = Vec::new();
        let mut before: Vec<u8> = Vec::new();
        let range = crate::btree::KeyRange::all();
        let mut cursor = index.tree.cursor(range, crate::btree::Direction::Forward);
        while let Some(entry) = cursor.next(store.pager())? {
            let key = index.key_of(entry.key);
            if key == before && !index.has_null(key)? {
                suspects.push(Suspect::new(index, key));
            }
            before.clear();
            before.extend_from_slice(key);
        }
        Ok(suspects)
    }
}
