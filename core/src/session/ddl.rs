//! CREATE and DROP of tables and indexes: rows of the catalog and objects in storage, in one transaction.

use super::{Session, Started};
use crate::binder::{CreateIndex, CreateTable, CreateTableAs, Dropped};
use crate::catalog::{IndexEntry, TableEntry, TableKind};
use crate::codec::key::KeyColumn;
use crate::error::{Error, Result, StorageError};
use crate::ids::ObjectId;
use crate::plan::physical::{Insert, PhysicalNode, PhysicalPlan, TableName};
use crate::table::{ColumnDef, IndexColumn, IndexDef, RowKey, Table, TableDef};
use crate::transaction::{TableLockMode, Transaction};
use crate::types::Value;
use std::sync::Arc;

/// The definition of a table's storage.
fn table_def(entry: &TableEntry) -> TableDef {
    let column = |column: &crate::catalog::ColumnEntry| ColumnDef {
        name: column.name.clone(),
        ty: column.ty,
        not_null: column.not_null,
    };
    TableDef {
        object: entry.storage,
        name: entry.name.clone(),
        schema: 1,
        columns: entry.columns.iter().map(column).collect(),
        row_key: entry.row_key,
    }
}

/// The definition of an index's storage.
fn index_def(entry: &TableEntry, index: &IndexEntry) -> IndexDef {
    let column = |column: &crate::catalog::IndexColumn| IndexColumn {
        column: column.column,
        key: KeyColumn {
            ty: entry.columns[usize::from(column.column)].ty,
            descending: column.descending,
            nulls_first: column.nulls_first,
        },
    };
    IndexDef {
        object: index.oid,
        name: index.name.clone(),
        unique: index.unique,
        columns: index.columns.iter().map(column).collect(),
    }
}

/// Whether an index has a tree of its own: a primary key that is the row id has none.
fn has_tree(entry: &TableEntry, index: &IndexEntry) -> bool {
    !(index.primary && entry.row_key != RowKey::Hidden)
}

impl Session {
    /// Runs something in the open transaction.
    pub(super) fn in_transaction<T>(
        &mut self,
        run: impl FnOnce(&mut Self, &mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let missing =
            || StorageError::Corrupt { reason: "a statement runs outside a transaction".to_owned() };
        let tx = Arc::clone(&self.open.as_ref().ok_or_else(|| Error::from(missing()))?.tx);
        let mut tx = tx.lock();
        run(self, &mut tx)
    }

    /// Makes the storage of a table and its indexes.
    pub(super) fn make_storage(&self, tx: &mut Transaction, entry: &TableEntry) -> Result<Arc<Table>> {
        let table = self.store.create_table(tx, &table_def(entry))?;
        for index in entry.indexes.iter().filter(|index| has_tree(entry, index)) {
            self.store.create_index(tx, &table, &index_def(entry, index))?;
        }
        Ok(table)
    }

    pub(super) fn put_entry(&mut self, tx: &mut Transaction, entry: TableEntry) -> Result<Arc<TableEntry>> {
        self.changes.put(&self.queries.catalog, &self.store, tx, entry)
    }

    fn make_table(&mut self, create: CreateTable) -> Result<Arc<TableEntry>> {
        let oid = self.store.allocate_object();
        let indexes = create.indexes.into_iter().map(|index| index.into_entry(self.store.allocate_object()));
        let entry = TableEntry {
            oid,
            storage: oid,
            schema: create.schema,
            name: create.name,
            kind: TableKind::Base,
            columns: create.columns,
            checks: create.checks,
            indexes: indexes.collect(),
            row_key: create.row_key,
            statistics: None,
        };
        self.in_transaction(|session, tx| {
            let entry = session.put_entry(tx, entry)?;
            session.make_storage(tx, &entry)?;
            Ok(entry)
        })
    }

    pub(super) fn create_table(&mut self, create: CreateTable) -> Result<Started> {
        self.check_writable("CREATE TABLE")?;
        if create.exists {
            self.notice("42P07", format!("relation \"{}\" already exists, skipping", create.name));
        } else {
            self.make_table(create)?;
        }
        Ok(Started::done(Arc::default(), "CREATE TABLE", 0))
    }

    pub(super) fn create_table_as(
        &mut self,
        create: CreateTableAs,
        parameters: Vec<Value>,
    ) -> Result<Started> {
        self.check_writable("CREATE TABLE AS")?;
        if create.table.exists {
            self.notice("42P07", format!("relation \"{}\" already exists, skipping", create.table.name));
            return Ok(Started::done(Arc::default(), "CREATE TABLE AS", 0));
        }
        let mut tables = Vec::new();
        super::prepare::tables_of(&create.query.plan, &mut tables);
        for (table, mode) in &tables {
            self.lock_table(table.oid, *mode)?;
        }
        let source = self.plan(create.query)?;
        let entry = self.make_table(create.table)?;
        if !create.with_data {
            return Ok(Started::done(Arc::default(), "CREATE TABLE AS", 0));
        }
        let name: Arc<str> = entry.name.as_str().into();
        let rows = source.rows;
        let insert = Insert {
            table: TableName { storage: entry.storage, name: Arc::clone(&name), alias: name },
            values: (0..source.columns.len()).collect(),
            source,
            checks: Vec::new(),
            on_conflict: None,
            returning: false,
        };
        let node = PhysicalNode::Insert(Box::new(insert));
        let plan = Arc::new(PhysicalPlan { node, columns: Vec::new(), rows });
        let mut stream = self.start(&plan, parameters, false)?;
        while stream.next()?.is_some() {}
        Ok(Started::done(Arc::default(), "SELECT", stream.affected_rows()))
    }

    pub(super) fn create_index(&mut self, create: CreateIndex) -> Result<Started> {
        self.check_writable("CREATE INDEX")?;
        let done = Started::done(Arc::default(), "CREATE INDEX", 0);
        if create.exists {
            self.notice("42P07", format!("relation \"{}\" already exists, skipping", create.index.name));
            return Ok(done);
        }
        // Two at a time would each know the table without the other's index.
        self.lock_table(create.table.oid, TableLockMode::ShareRowExclusive)?;
        // Whoever was waited for may have changed the table.
        let mut entry = (*self.known(&create.table)?).clone();
        let index = create.index.into_entry(self.store.allocate_object());
        let def = index_def(&entry, &index);
        entry.indexes.push(index);
        self.in_transaction(|session, tx| {
            let entry = session.put_entry(tx, entry)?;
            let table = session.store.table(entry.storage)?;
            session.store.create_index(tx, &table, &def)
        })?;
        Ok(done)
    }

    /// The entry of a table as it is now.
    pub(super) fn known(&mut self, table: &TableEntry) -> Result<Arc<TableEntry>> {
        let catalog = self.catalog();
        catalog
            .table_by_id(table.oid)
            .cloned()
            .ok_or_else(|| crate::error::StatementError::UndefinedTable { name: table.name.clone() }.into())
    }

    pub(super) fn drop_tables(&mut self, dropped: Dropped<Arc<TableEntry>>) -> Result<Started> {
        self.check_writable("DROP TABLE")?;
        for name in dropped.missing {
            self.notice("00000", format!("table \"{name}\" does not exist, skipping"));
        }
        for table in dropped.objects {
            self.lock_table(table.oid, TableLockMode::AccessExclusive)?;
            let entry = self.known(&table)?;
            self.in_transaction(|session, tx| {
                session.changes.drop_table(&session.store, tx, &entry)?;
                session.store.drop_at_commit(tx, entry.storage)
            })?;
        }
        Ok(Started::done(Arc::default(), "DROP TABLE", 0))
    }

    pub(super) fn drop_indexes(&mut self, dropped: Dropped<(Arc<TableEntry>, ObjectId)>) -> Result<Started> {
        self.check_writable("DROP INDEX")?;
        for name in dropped.missing {
            self.notice("00000", format!("index \"{name}\" does not exist, skipping"));
        }
        for (table, index) in dropped.objects {
            self.lock_table(table.oid, TableLockMode::AccessExclusive)?;
            let mut entry = (*self.known(&table)?).clone();
            let storage = entry.storage;
            entry.indexes.retain(|other| other.oid != index);
            self.in_transaction(|session, tx| {
                session.put_entry(tx, entry)?;
                session.store.drop_at_commit(tx, index)
            })?;
            self.dropped_indexes.push((storage, index));
        }
        Ok(Started::done(Arc::default(), "DROP INDEX", 0))
    }
}
