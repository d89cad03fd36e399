//! The catalog: what tables and indexes there are, as one immutable snapshot.
//!
//! ```text
//!   Catalog -- names:  (schema, name) -> ObjectId      one name space for tables and indexes, as in PostgreSQL
//!           |- tables: ObjectId -> Arc<TableEntry>
//!           `- indexes: ObjectId of an index -> ObjectId of its table
//! ```
//!
//! A statement takes one snapshot and keeps it; a change of the catalog makes a new one, which shares every entry
//! that did not change. Defaults and checks are kept as SQL text and bound where they are used, so that an entry
//! never holds a plan that a later change would make stale.
//!
//! 1. A snapshot never changes. Its [`version`](Catalog::version) differs from that of every other.
//! 2. Tables and indexes of one schema share a name space.
//! 3. A column keeps its number for the table's life.

mod entry;
mod statistics;
mod store;
mod system;

use crate::error::{BindingError, Result, StatementError};
use crate::ids::ObjectId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use entry::{
    CheckEntry, ColumnEntry, IndexColumn, IndexEntry, MAX_COLUMNS, MAX_INDEX_COLUMNS, TableEntry, TableKind,
};
pub use statistics::{ColumnStatistics, TableStatistics};
pub use store::{CatalogChanges, CatalogMark, CatalogStore};

/// The schema of system tables, searched first.
pub const SYSTEM_SCHEMA: &str = "pg_catalog";
/// The schema of a new database, where unqualified names are made.
pub const PUBLIC_SCHEMA: &str = "public";
/// The schema of the standard's views; not searched unless named.
pub const INFORMATION_SCHEMA: &str = "information_schema";
/// What an unqualified name is looked up in, in order.
const SEARCH_PATH: [&str; 2] = [SYSTEM_SCHEMA, PUBLIC_SCHEMA];

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Relation<'c> {
    /// A table.
    Table(&'c Arc<TableEntry>),
    /// An index and its table.
    Index(&'c IndexEntry, &'c Arc<TableEntry>),
}

/// A snapshot of the catalog.
#[derive(Clone, Debug)]
pub struct Catalog {
    version: u64,
    /// The last version given to a snapshot of this database.
    last_version: Arc<AtomicU64>,
    database: String,
    tables: HashMap<ObjectId, Arc<TableEntry>>,
    indexes: HashMap<ObjectId, ObjectId>,
    names: BTreeMap<(String, String), ObjectId>,
}

impl Catalog {
    /// A catalog without tables, of the database called `database`.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            version: 0,
            last_version: Arc::default(),
            database: database.into(),
            tables: HashMap::new(),
            indexes: HashMap::new(),
            names: BTreeMap::new(),
        }
    }

    /// Which snapshot of the database's catalog it is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The name of the database, which may qualify names.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// All tables, in no order.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableEntry>> {
        self.tables.values()
    }

    /// Whether there is a schema of that name.
    pub fn has_schema(&self, schema: &str) -> bool {
        [SYSTEM_SCHEMA, PUBLIC_SCHEMA, INFORMATION_SCHEMA].contains(&schema)
    }

    /// The table with an id.
    pub fn table_by_id(&self, id: ObjectId) -> Option<&Arc<TableEntry>> {
        self.tables.get(&id)
    }

    /// The index with an id, and its table.
    pub fn index_by_id(&self, id: ObjectId) -> Option<(&IndexEntry, &Arc<TableEntry>)> {
        let table = self.tables.get(self.indexes.get(&id)?)?;
        Some((table.indexes.iter().find(|index| index.oid == id)?, table))
    }

    /// What a name stands for, along the search path if no schema is given.
    pub fn get(&self, schema: Option<&str>, name: &str) -> Option<Relation<'_>> {
        let id = match schema {
            Some(schema) => self.id(schema, name),
            None => SEARCH_PATH.iter().find_map(|schema| self.id(schema, name)),
        }?;
        if let Some(table) = self.tables.get(&id) {
            return Some(Relation::Table(table));
        }
        self.index_by_id(id).map(|(index, table)| Relation::Index(index, table))
    }

    /// The table of that name.
    ///
    /// # Errors
    /// 42P01 if there is none, 42809 if it is an index.
    pub fn table(&self, schema: Option<&str>, name: &str) -> Result<&Arc<TableEntry>> {
        match self.get(schema, name) {
            Some(Relation::Table(table)) => Ok(table),
            Some(Relation::Index(..)) => Err(BindingError::IsIndex { name: name.to_owned() }.into()),
            None => Err(undefined(schema, name).into()),
        }
    }

    /// The index of that name, and its table.
    ///
    /// # Errors
    /// 42704 if there is none, 42809 if it is a table.
    pub fn index(&self, schema: Option<&str>, name: &str) -> Result<(&IndexEntry, &Arc<TableEntry>)> {
        match self.get(schema, name) {
            Some(Relation::Index(index, table)) => Ok((index, table)),
            Some(Relation::Table(_)) => {
                Err(BindingError::WrongObject { name: name.to_owned(), expected: "an index" }.into())
            }
            None => {
                let name = qualified(schema, name);
                Err(BindingError::UndefinedObject { kind: "index", name }.into())
            }
        }
    }

    /// The snapshot after a table was made or replaced by a changed one of the same id, indexes included.
    ///
    /// # Errors
    /// 42P07 if the table's or an index's name belongs to something else.
    pub fn with_table(&self, table: TableEntry) -> Result<Self> {
        let mut next = self.clone();
        next.version = next.last_version.fetch_add(1, Ordering::Relaxed) + 1;
        next.forget(table.oid);
        next.take_name(&table.schema, &table.name, table.oid)?;
        for index in &table.indexes {
            next.take_name(&table.schema, &index.name, index.oid)?;
            next.indexes.insert(index.oid, table.oid);
        }
        next.tables.insert(table.oid, Arc::new(table));
        Ok(next)
    }

    /// The snapshot after a table and its indexes were dropped.
    #[must_use]
    pub fn without_table(&self, id: ObjectId) -> Self {
        let mut next = self.clone();
        next.version = next.last_version.fetch_add(1, Ordering::Relaxed) + 1;
        next.forget(id);
        next
    }

    /// A name for an index or constraint as PostgreSQL makes them up: `table_column_label`, shortened to 63 bytes,
    /// with a number if that is taken in the schema or by `taken`.
    pub fn choose_name(
        &self,
        schema: &str,
        table: &str,
        column: &str,
        label: &str,
        taken: impl Fn(&str) -> bool,
    ) -> String {
        let mut suffix = label.to_owned();
        let mut number = 0_u32;
        loop {
            let name = entry::object_name(table, column, &suffix);
            if self.id(schema, &name).is_none() && !taken(&name) {
                return name;
            }
            number += 1;
            suffix = format!("{label}{number}");
        }
    }

    fn id(&self, schema: &str, name: &str) -> Option<ObjectId> {
        self.names.get(&(schema.to_owned(), name.to_owned())).copied()
    }

    fn take_name(&mut self, schema: &str, name: &str, id: ObjectId) -> Result<()> {
        let key = (schema.to_owned(), name.to_owned());
        if self.names.insert(key, id).is_some() {
            return Err(StatementError::DuplicateTable { name: name.to_owned() }.into());
        }
        Ok(())
    }

    fn forget(&mut self, id: ObjectId) {
        if let Some(old) = self.tables.remove(&id) {
            self.names.remove(&(old.schema.clone(), old.name.clone()));
            for index in &old.indexes {
                self.indexes.remove(&index.oid);
                self.names.remove(&(old.schema.clone(), index.name.clone()));
            }
        }
    }
}

fn undefined(schema: Option<&str>, name: &str) -> StatementError {
    StatementError::UndefinedTable { name: qualified(schema, name) }
}

fn qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{schema}.{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
