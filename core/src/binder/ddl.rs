//! CREATE TABLE: columns, constraints and their names.

use super::coerce::assign;
use super::expr::check_collation;
use super::scope::{Clause, Entry, Level, ScopeColumn};
use super::statement::{BoundQuery, Command, CreateTable, CreateTableAs, NewIndex};
use super::type_name::resolve_type;
use super::{At as _, Binder};
use crate::catalog::{
    CheckEntry, ColumnEntry, IndexColumn, MAX_COLUMNS, MAX_INDEX_COLUMNS, PUBLIC_SCHEMA, SYSTEM_SCHEMA,
};
use crate::error::{BindingError, Error, ErrorKind, Result, StatementError};
use crate::parser::ast::{
    self, ColumnConstraintKind, ColumnDefinition, ExprText, Ident, ObjectName, Position, TableConstraintKind,
};
use crate::plan::logical::Column;
use crate::table::RowKey;
use crate::types::DataType;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A key that constraints ask for, before it has a name.
struct Key {
    name: Option<Ident>,
    columns: Vec<u16>,
    primary: bool,
}

/// What is known of the table so far.
struct Definition {
    schema: String,
    name: String,
    columns: Vec<ColumnEntry>,
    keys: Vec<Key>,
    checks: Vec<CheckEntry>,
    /// Checks that wait for a name until all given names are known: the column they stand at, and their text.
    unnamed: Vec<(Option<String>, String)>,
}

impl Binder<'_> {
    /// `CREATE TABLE`
    pub(super) fn bind_create_table(&mut self, create: &ast::CreateTable) -> Result<CreateTable> {
        let (schema, exists) = self.new_name(&create.name, create.if_not_exists)?;
        let mut table = Definition {
            schema,
            name: create.name.name.name.clone(),
            columns: Vec::with_capacity(create.columns.len()),
            keys: Vec::new(),
            checks: Vec::new(),
            unnamed: Vec::new(),
        };
        if create.columns.len() > MAX_COLUMNS {
            return Err(BindingError::TooManyTableColumns { limit: MAX_COLUMNS }.into());
        }
        for column in &create.columns {
            table.add_column(column)?;
        }
        for column in &create.columns {
            self.bind_column_constraints(&mut table, column)?;
        }
        for constraint in &create.constraints {
            self.bind_table_constraint(&mut table, constraint)?;
        }
        self.finish_table(table, exists)
    }

    /// `CREATE TABLE .. AS query`
    pub(super) fn bind_create_table_as(&mut self, create: &ast::CreateTableAs) -> Result<CreateTableAs> {
        let (schema, exists) = self.new_name(&create.name, create.if_not_exists)?;
        let mut rows = self.bind_query(&create.query)?;
        if create.columns.len() > rows.output.len() {
            return Err(BindingError::TooManyColumnNames.into());
        }
        // The table's columns have the types a client is told, and so have the values that are put there.
        let declared: Vec<DataType> =
            rows.output.iter().map(|output| self.columns.get(output.id).declared).collect();
        rows = self.coerce_rows(rows, &declared, create.query.position)?;
        for (output, name) in rows.output.iter_mut().zip(&create.columns) {
            output.name = name.name.as_str().into();
        }
        let query: BoundQuery = self.bound_query(rows.plan, &rows.output, Command::Select);
        let mut columns: Vec<ColumnEntry> = Vec::with_capacity(query.output.len());
        for output in &query.output {
            if columns.iter().any(|column| *column.name == *output.name) {
                return Err(BindingError::DuplicateColumn { name: output.name.to_string() }.into());
            }
            let name = output.name.to_string();
            columns.push(ColumnEntry { name, ty: output.ty, not_null: false, default: None });
        }
        let (name, row_key) = (create.name.name.name.clone(), RowKey::Hidden);
        let (checks, indexes) = (Vec::new(), Vec::new());
        let table = CreateTable { schema, name, exists, columns, checks, indexes, row_key };
        Ok(CreateTableAs { table, query, with_data: create.with_data })
    }

    /// The schema a new table goes to, and whether its name is taken where that is allowed.
    fn new_name(&self, name: &ObjectName, if_not_exists: bool) -> Result<(String, bool)> {
        self.check_database(name)?;
        let schema = name.schema.as_ref().map_or(PUBLIC_SCHEMA, |schema| &schema.name);
        if !self.catalog.has_schema(schema) {
            let error = Error::from(BindingError::UndefinedSchema { name: schema.to_owned() });
            return Err(error.at(name.position()));
        }
        if schema != PUBLIC_SCHEMA {
            let kind = if schema == SYSTEM_SCHEMA {
                "System catalog modifications are currently disallowed."
            } else {
                "The schema holds the views of the SQL standard."
            };
            let error = BindingError::CannotCreate { name: name.to_string() };
            return Err(Error::from(error).with_detail(kind));
        }
        let exists = self.catalog.get(Some(schema), &name.name.name).is_some();
        if exists && !if_not_exists {
            return Err(StatementError::DuplicateTable { name: name.name.name.clone() }.into());
        }
        Ok((schema.to_owned(), exists))
    }

    fn bind_column_constraints(&mut self, table: &mut Definition, column: &ColumnDefinition) -> Result<()> {
        let number = table.number(&column.name.name).unwrap_or_default();
        let (mut null, mut not_null) = (false, false);
        for constraint in &column.constraints {
            let position = constraint.position;
            match &constraint.kind {
                ColumnConstraintKind::NotNull => not_null = true,
                ColumnConstraintKind::Null => null = true,
                ColumnConstraintKind::Default(default) => {
                    self.bind_default(table, number, default, position)?
                }
                ColumnConstraintKind::PrimaryKey => {
                    table.columns[usize::from(number)].not_null = true;
                    table.add_key(constraint.name.clone(), vec![number], true, position)?;
                }
                ColumnConstraintKind::Unique { nulls_not_distinct } => {
                    refuse_nulls_not_distinct(*nulls_not_distinct).at(position)?;
                    table.add_key(constraint.name.clone(), vec![number], false, position)?;
                }
                ColumnConstraintKind::Check(check) => {
                    self.bind_check(table, constraint.name.as_ref(), Some(&column.name.name), check)?;
                }
            }
            if null && not_null {
                let (column, table) = (column.name.name.clone(), table.name.clone());
                return Err(Error::from(BindingError::ConflictingNull { column, table }).at(position));
            }
        }
        table.columns[usize::from(number)].not_null |= not_null;
        Ok(())
    }

    fn bind_table_constraint(
        &mut self,
        table: &mut Definition,
        constraint: &ast::TableConstraint,
    ) -> Result<()> {
        let position = constraint.position;
        match &constraint.kind {
            TableConstraintKind::PrimaryKey(columns) => {
                let columns = table.key_columns(columns, "primary key", position)?;
                for &number in &columns {
                    table.columns[usize::from(number)].not_null = true;
                }
                table.add_key(constraint.name.clone(), columns, true, position)
            }
            TableConstraintKind::Unique { columns, nulls_not_distinct } => {
                refuse_nulls_not_distinct(*nulls_not_distinct).at(position)?;
                let columns = table.key_columns(columns, "unique", position)?;
                table.add_key(constraint.name.clone(), columns, false, position)
            }
            TableConstraintKind::Check(check) => {
                self.bind_check(table, constraint.name.as_ref(), None, check)
            }
        }
    }

    /// A default must be a value that its column can store.
    fn bind_default(
        &mut self,
        table: &mut Definition,
        number: u16,
        default: &ExprText,
        position: Position,
    ) -> Result<()> {
        let column = &mut table.columns[usize::from(number)];
        if column.default.is_some() {
            let (column, table) = (column.name.clone(), table.name.clone());
            return Err(Error::from(BindingError::MultipleDefaults { column, table }).at(position));
        }
        self.levels.push(Level::new(Clause::Default));
        let value = self.bind_expr(&default.expr);
        self.levels.pop();
        let value = value?;
        let found = value.data_type().name();
        assign(value, &column.name, column.ty).map_err(|error| match error.kind() {
            ErrorKind::Binding(BindingError::ColumnTypeMismatch { .. }) => {
                let (column, column_type) = (column.name.clone(), column.ty.name());
                Error::from(BindingError::DefaultTypeMismatch { column, column_type, found })
                    .with_hint("You will need to rewrite or cast the expression.")
            }
            _ => error.at(default.expr.start()),
        })?;
        column.default = Some(default.text.clone());
        Ok(())
    }

    /// A check must be a condition over the table's columns.
    fn bind_check(
        &mut self,
        table: &mut Definition,
        name: Option<&Ident>,
        column: Option<&str>,
        check: &ExprText,
    ) -> Result<()> {
        let mut level = Level::new(Clause::Check);
        level.entries.push(self.definition_entry(table));
        self.levels.push(level);
        let bound = self.bind_condition(&check.expr, "CHECK");
        let level = self.levels.pop();
        bound?;
        let sql = check.text.clone();
        if let Some(name) = name {
            let taken = table.checks.iter().any(|other| other.name == name.name);
            if taken {
                let (name_text, relation) = (name.name.clone(), table.name.clone());
                let error = BindingError::DuplicateConstraint { name: name_text, relation };
                return Err(Error::from(error).at(name.position));
            }
            table.checks.push(CheckEntry { name: name.name.clone(), sql });
            return Ok(());
        }
        // A check that reads one column is named for it.
        let used: BTreeSet<u32> = level.iter().flat_map(|level| &level.uses).map(|used| used.id.0).collect();
        let only = match (used.first(), used.len()) {
            (Some(&id), 1) => Some(self.columns.get(crate::plan::logical::ColumnId(id)).name.to_string()),
            _ => None,
        };
        table.unnamed.push((column.map(str::to_owned).or(only), sql));
        Ok(())
    }

    fn definition_entry(&mut self, table: &Definition) -> Entry {
        let alias: Arc<str> = table.name.as_str().into();
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let name: Arc<str> = column.name.as_str().into();
            let (relation, ty) = (Some(Arc::clone(&alias)), column.ty);
            let of = Column { name: Arc::clone(&name), relation, ty, declared: ty, origin: None };
            let id = self.columns.add(of);
            columns.push(ScopeColumn { name, expr: self.columns.read(id), declared: ty });
        }
        Entry {
            alias: Some(alias),
            renamed: false,
            table: None,
            is_join: false,
            columns,
            row_id: None,
            qualified: true,
            plain: true,
            forbidden: false,
        }
    }

    /// Gives names to constraints that have none.
    fn finish_table(&self, table: Definition, exists: bool) -> Result<CreateTable> {
        let Definition { schema, name, columns, mut keys, mut checks, unnamed } = table;
        let mut taken: Vec<String> = vec![name.clone()];
        let given = keys.iter().filter_map(|key| key.name.as_ref());
        for given in given {
            if taken.contains(&given.name) || self.catalog.get(Some(&schema), &given.name).is_some() {
                let name = given.name.clone();
                return Err(StatementError::DuplicateTable { name }.into());
            }
            taken.push(given.name.clone());
        }
        for (column, sql) in unnamed {
            let is_taken = |name: &str| checks.iter().any(|check| check.name == name);
            let column = column.unwrap_or_default();
            let name = self.catalog.choose_name(&schema, &name, &column, "check", is_taken);
            checks.push(CheckEntry { name, sql });
        }
        // The primary key stands first, as PostgreSQL lists it.
        keys.sort_by_key(|key| !key.primary);
        let mut indexes: Vec<NewIndex> = Vec::with_capacity(keys.len());
        for key in keys {
            let same =
                |other: &NewIndex| other.columns.iter().map(|c| c.column).eq(key.columns.iter().copied());
            if key.name.is_none() && indexes.iter().any(same) {
                continue;
            }
            let index_name = match key.name {
                Some(given) => given.name,
                None => {
                    let label = if key.primary { "pkey" } else { "key" };
                    let joined =
                        if key.primary { String::new() } else { joined_names(&columns, &key.columns) };
                    let is_taken = |name: &str| taken.iter().any(|other| other == name);
                    self.catalog.choose_name(&schema, &name, &joined, label, is_taken)
                }
            };
            taken.push(index_name.clone());
            let of = |&column: &u16| IndexColumn { column, descending: false, nulls_first: false };
            let columns = key.columns.iter().map(of).collect();
            indexes.push(NewIndex {
                name: index_name,
                columns,
                unique: true,
                primary: key.primary,
                constraint: true,
            });
        }
        let row_key = row_key(&columns, &indexes);
        Ok(CreateTable { schema, name, exists, columns, checks, indexes, row_key })
    }
}

impl Definition {
    fn number(&self, name: &str) -> Option<u16> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        u16::try_from(index).ok()
    }

    fn add_column(&mut self, column: &ColumnDefinition) -> Result<()> {
        let name = column.name.name.clone();
        if self.number(&name).is_some() {
            return Err(BindingError::DuplicateColumn { name }.into());
        }
        let ty = resolve_type(&column.data_type)?;
        if let Some(collation) = &column.collation {
            if !ty.is_string() {
                return Err(Error::from(BindingError::NoCollation { ty: ty.name() }).at(collation.position()));
            }
            check_collation(collation).at(collation.position())?;
        }
        self.columns.push(ColumnEntry { name, ty, not_null: false, default: None });
        Ok(())
    }

    fn add_key(
        &mut self,
        name: Option<Ident>,
        columns: Vec<u16>,
        primary: bool,
        position: Position,
    ) -> Result<()> {
        if primary && self.keys.iter().any(|key| key.primary) {
            let table = self.name.clone();
            return Err(Error::from(BindingError::MultiplePrimaryKeys { table }).at(position));
        }
        if columns.len() > MAX_INDEX_COLUMNS {
            return Err(
                Error::from(BindingError::TooManyIndexColumns { limit: MAX_INDEX_COLUMNS }).at(position)
            );
        }
        self.keys.push(Key { name, columns, primary });
        Ok(())
    }

    fn key_columns(&self, names: &[Ident], kind: &'static str, position: Position) -> Result<Vec<u16>> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let column = name.name.clone();
            let Some(number) = self.number(&column) else {
                return Err(Error::from(BindingError::UndefinedKeyColumn { column }).at(position));
            };
            if columns.contains(&number) {
                return Err(Error::from(BindingError::DuplicateKeyColumn { column, kind }).at(position));
            }
            columns.push(number);
        }
        Ok(columns)
    }
}

/// The columns' names as a part of a made-up name.
pub(super) fn joined_names(columns: &[ColumnEntry], numbers: &[u16]) -> String {
    let names = numbers.iter().filter_map(|number| columns.get(usize::from(*number)));
    names.map(|column| column.name.as_str()).collect::<Vec<_>>().join("_")
}

pub(super) fn refuse_nulls_not_distinct(nulls_not_distinct: bool) -> Result<()> {
    if nulls_not_distinct { Err(super::not_supported("NULLS NOT DISTINCT")) } else { Ok(()) }
}

/// Rows are kept in the order of a primary key that is one integer.
fn row_key(columns: &[ColumnEntry], indexes: &[NewIndex]) -> RowKey {
    match indexes.iter().find(|index| index.primary).map(|index| &index.columns[..]) {
        Some([key]) => match columns[usize::from(key.column)].ty {
            DataType::SmallInt | DataType::Integer | DataType::BigInt => RowKey::Column(key.column),
            _ => RowKey::Hidden,
        },
        _ => RowKey::Hidden,
    }
}
