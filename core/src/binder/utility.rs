//! Statements about whole tables and indexes: CREATE INDEX, DROP, TRUNCATE, ANALYZE, VACUUM.

use super::change::check_changeable;
use super::ddl::{joined_names, refuse_nulls_not_distinct};
use super::statement::{BoundStatement, CreateIndex, Dropped, NewIndex};
use super::{At as _, Binder, not_supported};
use crate::catalog::{IndexColumn, MAX_INDEX_COLUMNS, Relation, TableEntry};
use crate::error::{BindingError, Error, Result, StatementError};
use crate::ids::ObjectId;
use crate::parser::ast::{self, DropObjects, ExprKind, Ident, NullsOrder, ObjectName};
use std::sync::Arc;

impl Binder<'_> {
    /// `CREATE INDEX`
    pub(super) fn bind_create_index(&self, create: &ast::CreateIndex) -> Result<CreateIndex> {
        let table = Arc::clone(self.find_table(&create.table)?);
        check_changeable(&table).at(create.table.position())?;
        refuse_nulls_not_distinct(create.nulls_not_distinct)?;
        if let Some(column) = create.include.first() {
            return Err(not_supported("INCLUDE").at(column.position));
        }
        if let Some(filter) = &create.filter {
            return Err(not_supported("an index with WHERE").at(filter.expr.start()));
        }
        if create.columns.len() > MAX_INDEX_COLUMNS {
            return Err(BindingError::TooManyIndexColumns { limit: MAX_INDEX_COLUMNS }.into());
        }
        let mut columns = Vec::with_capacity(create.columns.len());
        for column in &create.columns {
            columns.push(index_column(&table, column)?);
        }
        let schema = table.schema.as_str();
        let name = match &create.name {
            Some(name) => name.name.clone(),
            None => {
                let numbers: Vec<u16> = columns.iter().map(|column| column.column).collect();
                let joined = joined_names(&table.columns, &numbers);
                self.catalog.choose_name(schema, &table.name, &joined, "idx", |_| false)
            }
        };
        let exists = self.catalog.get(Some(schema), &name).is_some();
        if exists && !create.if_not_exists {
            return Err(StatementError::DuplicateTable { name }.into());
        }
        let index = NewIndex { name, columns, unique: create.unique, primary: false, constraint: false };
        Ok(CreateIndex { table, index, exists })
    }

    /// `DROP TABLE`
    pub(super) fn bind_drop_tables(&self, drop: &DropObjects) -> Result<Dropped<Arc<TableEntry>>> {
        let mut dropped = Dropped { objects: Vec::<Arc<TableEntry>>::new(), missing: Vec::new() };
        for name in &drop.names {
            match self.find_to_drop(name, drop.if_exists, "table")? {
                Some(Relation::Table(table)) => {
                    check_changeable(table).at(name.position())?;
                    if !dropped.objects.iter().any(|other| other.oid == table.oid) {
                        dropped.objects.push(Arc::clone(table));
                    }
                }
                Some(Relation::Index(index, _)) => {
                    let error = BindingError::WrongObject { name: index.name.clone(), expected: "a table" };
                    return Err(Error::from(error).with_hint("Use DROP INDEX to remove an index."));
                }
                None => dropped.missing.push(name.name.name.clone()),
            }
        }
        Ok(dropped)
    }

    /// `DROP INDEX`
    pub(super) fn bind_drop_indexes(
        &self,
        drop: &DropObjects,
    ) -> Result<Dropped<(Arc<TableEntry>, ObjectId)>> {
        let mut dropped = Dropped { objects: Vec::<(Arc<TableEntry>, ObjectId)>::new(), missing: Vec::new() };
        for name in &drop.names {
            match self.find_to_drop(name, drop.if_exists, "index")? {
                Some(Relation::Index(index, table)) => {
                    if index.constraint {
                        let (name, table) = (index.name.clone(), table.name.clone());
                        let hint = format!("You can drop constraint {name} on table {table} instead.");
                        return Err(
                            Error::from(BindingError::IndexOfConstraint { name, table }).with_hint(hint)
                        );
                    }
                    if !dropped.objects.iter().any(|(_, other)| *other == index.oid) {
                        dropped.objects.push((Arc::clone(table), index.oid));
                    }
                }
                Some(Relation::Table(table)) => {
                    let error = BindingError::WrongObject { name: table.name.clone(), expected: "an index" };
                    return Err(Error::from(error).with_hint("Use DROP TABLE to remove a table."));
                }
                None => dropped.missing.push(name.name.name.clone()),
            }
        }
        Ok(dropped)
    }

    /// What a name of DROP stands for; none if it is nobody's and that is allowed.
    fn find_to_drop(
        &self,
        name: &ObjectName,
        if_exists: bool,
        kind: &'static str,
    ) -> Result<Option<Relation<'_>>> {
        self.check_database(name)?;
        let schema = name.schema.as_ref().map(|schema| schema.name.as_str());
        let found = self.catalog.get(schema, &name.name.name);
        if found.is_some() || if_exists {
            return Ok(found);
        }
        if let Some(schema) = schema.filter(|schema| !self.catalog.has_schema(schema)) {
            return Err(BindingError::UndefinedSchema { name: schema.to_owned() }.into());
        }
        let name = name.to_string();
        Err(match kind {
            "table" => BindingError::UndefinedNamedTable { name },
            _ => BindingError::UndefinedObject { kind, name },
        }
        .into())
    }

    /// `TRUNCATE`
    pub(super) fn bind_truncate(&self, truncate: &ast::Truncate) -> Result<BoundStatement> {
        let mut tables: Vec<Arc<TableEntry>> = Vec::with_capacity(truncate.tables.len());
        for name in &truncate.tables {
            let schema = name.schema.as_ref().map(|schema| schema.name.as_str());
            if let Some(Relation::Index(index, _)) = self.catalog.get(schema, &name.name.name) {
                let error = BindingError::WrongObject { name: index.name.clone(), expected: "a table" };
                return Err(Error::from(error).at(name.position()));
            }
            let table = self.find_table(name)?;
            check_changeable(table).at(name.position())?;
            if !tables.iter().any(|other| other.oid == table.oid) {
                tables.push(Arc::clone(table));
            }
        }
        Ok(BoundStatement::Truncate(tables))
    }

    /// The tables and columns of ANALYZE and VACUUM.
    pub(super) fn bind_maintenance(
        &self,
        tables: &[(ObjectName, Vec<Ident>)],
    ) -> Result<Vec<(Arc<TableEntry>, Vec<u16>)>> {
        let mut bound = Vec::with_capacity(tables.len());
        for (name, columns) in tables {
            let table = Arc::clone(self.find_table(name)?);
            let mut numbers = Vec::with_capacity(columns.len());
            for column in columns {
                numbers.push(super::change::target_column(&table, column)?);
            }
            bound.push((table, numbers));
        }
        Ok(bound)
    }
}

fn index_column(table: &TableEntry, column: &ast::IndexColumn) -> Result<IndexColumn> {
    let item = &column.item;
    let name = match &item.expr.kind {
        ExprKind::Column(names) if names.len() == 1 => &names[0],
        _ => return Err(not_supported("an index on an expression").at(item.expr.start())),
    };
    let Some(number) = table.column(&name.name) else {
        let error = BindingError::UndefinedColumn { table: None, name: name.name.clone() };
        return Err(Error::from(error).at(name.position));
    };
    let nulls_first = match item.nulls {
        NullsOrder::Default => item.descending,
        NullsOrder::First => true,
        NullsOrder::Last => false,
    };
    Ok(IndexColumn { column: number, descending: item.descending, nulls_first })
}
