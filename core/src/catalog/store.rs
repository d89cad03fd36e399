//! The catalog of an open database: the snapshot that statements take, and its changes by transactions.
//!
//! ```text
//!   CatalogStore   current: Arc<Catalog> --------------> every statement takes it
//!                       ^ publish, with the commit
//!   CatalogChanges of a transaction: what it has put and dropped; its own snapshot = current + these
//! ```
//! 1. A change is written to the system tables by the transaction that makes it, before it enters its `CatalogChanges`.
//! 2. Changes become current under the write lock that the commit is done under: no statement sees the catalog of a
//!    commit without its rows.
//! 3. Publishing applies changes to what is current then. Two transactions never change one object: they would have
//!    met at its table lock or its name's row.

use super::system;
use super::{Catalog, TableEntry};
use crate::error::Result;
use crate::ids::ObjectId;
use crate::table::Store;
use crate::transaction::{Isolation, Participant, Transaction};
use parking_lot::RwLock;
use std::sync::Arc;

/// The catalog of an open database.
pub struct CatalogStore {
    current: RwLock<Arc<Catalog>>,
}

impl CatalogStore {
    /// Reads the catalog, or makes it in a database that has none. `base` has the tables that are not in storage.
    ///
    /// # Errors
    /// XX001 when the system tables are damaged; I/O errors.
    pub fn open(store: &Store, party: Participant, base: Catalog) -> Result<Self> {
        let mut tx = Transaction::begin(store.transactions(), party, Isolation::ReadCommitted);
        tx.start_statement();
        let entries = if system::exist(store) {
            system::load(store, &tx.view())
        } else {
            system::create(store, &mut tx).map(|()| Vec::new())
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                tx.rollback(store).1?;
                return Err(error);
            }
        };
        tx.commit(true, store).1?;
        let mut catalog = base;
        for entry in entries {
            catalog = catalog.with_table(entry)?;
        }
        Ok(Self { current: RwLock::new(Arc::new(catalog)) })
    }

    /// What is committed.
    pub fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.current.read())
    }

    /// Commits by `commit` and, if it says so, makes the changes current with it.
    pub fn publish<T>(&self, changes: &CatalogChanges, commit: impl FnOnce() -> (T, bool)) -> T {
        let mut current = self.current.write();
        let (result, committed) = commit();
        if committed {
            *current = Arc::new(changes.applied_to(&current));
        }
        result
    }
}

#[derive(Clone)]
enum Change {
    Put(Arc<TableEntry>),
    Drop(ObjectId),
}

/// What a transaction has changed in the catalog.
#[derive(Default)]
pub struct CatalogChanges {
    changes: Vec<Change>,
    /// The transaction's own snapshot, and the version of what it was made of.
    own: Option<(u64, Arc<Catalog>)>,
}

/// A place in the changes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CatalogMark(usize);

impl CatalogChanges {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Where they stand.
    pub fn mark(&self) -> CatalogMark {
        CatalogMark(self.changes.len())
    }

    /// Forgets what came after a mark; the rows are taken back by the transaction.
    pub fn rollback_to(&mut self, mark: CatalogMark) {
        if self.changes.len() > mark.0 {
            self.changes.truncate(mark.0);
            self.own = None;
        }
    }

    /// The catalog as the transaction sees it.
    pub fn snapshot(&mut self, store: &CatalogStore) -> Arc<Catalog> {
        let current = store.current();
        if self.changes.is_empty() {
            return current;
        }
        match &self.own {
            Some((version, own)) if *version == current.version() => Arc::clone(own),
            _ => {
                let own = Arc::new(self.applied_to(&current));
                self.own = Some((current.version(), Arc::clone(&own)));
                own
            }
        }
    }

    /// Makes a table, or replaces what is known of the one with its id.
    ///
    /// # Errors
    /// 42P07 when a name is taken; errors of writing.
    pub fn put(
        &mut self,
        catalog: &CatalogStore,
        store: &Store,
        tx: &mut Transaction,
        entry: TableEntry,
    ) -> Result<Arc<TableEntry>> {
        let before = self.snapshot(catalog);
        let old = before.table_by_id(entry.oid);
        // The names are judged before anything is written.
        before.with_table(entry.clone())?;
        if let Some(old) = old {
            system::remove(store, tx, old)?;
        }
        system::insert(store, tx, &entry)?;
        let entry = Arc::new(entry);
        self.changes.push(Change::Put(Arc::clone(&entry)));
        self.own = None;
        Ok(entry)
    }

    /// Drops a table and its indexes.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn drop_table(&mut self, store: &Store, tx: &mut Transaction, entry: &TableEntry) -> Result<()> {
        system::remove(store, tx, entry)?;
        self.changes.push(Change::Drop(entry.oid));
        self.own = None;
        Ok(())
    }

    fn applied_to(&self, base: &Catalog) -> Catalog {
        let mut catalog = base.clone();
        for change in &self.changes {
            catalog = match change {
                Change::Put(entry) => catalog
                    .with_table((**entry).clone())
                    .expect("the unique index over names lets no two transactions take one"),
                Change::Drop(oid) => catalog.without_table(*oid),
            };
        }
        catalog
    }
}
