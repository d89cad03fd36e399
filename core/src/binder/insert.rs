//! INSERT.

use super::change::{check_changeable, target_column};
use super::coerce::{assign, check_literals};
use super::query::{Item, Rows, Unknowns};
use super::returning::BoundReturning;
use super::scope::{Clause, Level};
use super::set_operation::column_start;
use super::statement::{BoundQuery, Command};
use super::values::{ValueRow, check_lengths};
use super::{At as _, Binder};
use crate::catalog::{IndexEntry, TableEntry};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::ids::ObjectId;
use crate::parser::ast::{self, ExprKind, Ident, InsertSource, Query, QueryBody};
use crate::plan::logical::{Column, ColumnId, ConflictUpdate, Insert, LogicalPlan, OnConflict};
use std::sync::Arc;

impl Binder<'_> {
    /// `INSERT INTO t (columns) source ON CONFLICT .. RETURNING ..`
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert) -> Result<BoundQuery> {
        let tables = self.bind_with(insert.with.as_ref())?;
        let table = Arc::clone(self.find_table(&insert.table)?);
        check_changeable(&table).at(insert.table.position())?;
        let alias: Arc<str> = insert.alias.as_ref().map_or(table.name.as_str(), |alias| &alias.name).into();
        // The source cannot see the table, but messages know that it is there.
        let mut level = Level::new(Clause::Returning);
        let mut entry = self.row_entry(&table, Some(Arc::clone(&alias)), insert.alias.is_some(), &[]);
        entry.columns = table.columns.iter().map(super::change::unreadable).collect();
        (entry.plain, entry.qualified) = (false, false);
        level.entries.push(entry);
        self.levels.push(level);
        let result = self.bind_insert_level(insert, &table, alias);
        self.levels.pop();
        let (insert, returning) = result?;
        let (plan, output) = self.add_returning(LogicalPlan::Insert(Box::new(insert)), returning);
        let plan = self.finish_with(tables, plan);
        Ok(self.bound_query(plan, &output, Command::Insert))
    }

    fn bind_insert_level(
        &mut self,
        insert: &ast::Insert,
        table: &Arc<TableEntry>,
        alias: Arc<str>,
    ) -> Result<(Insert, BoundReturning)> {
        let targets = insert_targets(table, &insert.columns)?;
        let explicit = !insert.columns.is_empty();
        let (source, values) = match &insert.source {
            InsertSource::Defaults => self.bind_insert_values(table, &[], &insert.columns, &[&[]])?,
            InsertSource::Query(query) => match plain_values(query) {
                Some(rows) => {
                    check_lengths(rows)?;
                    let rows: Vec<&[ast::Expr]> = rows.iter().map(Vec::as_slice).collect();
                    self.bind_insert_values(table, &targets, &insert.columns, &rows)?
                }
                None => {
                    self.bind_insert_query(table, &targets, explicit.then_some(&*insert.columns), query)?
                }
            },
        };
        let renamed = insert.alias.is_some();
        let output = self.stored_row(table, &alias);
        let checks = self.bind_checks(table, &output)?;
        let on_conflict = match &insert.on_conflict {
            None => None,
            Some(conflict) => Some(self.bind_on_conflict(conflict, table, (&alias, renamed), &values)?),
        };
        let entry = self.row_entry(table, Some(alias), renamed, &output);
        self.level().entries = vec![entry];
        let returning = self.bind_returning(&insert.returning)?;
        let table = Arc::clone(table);
        Ok((Insert { table, source, values, output, checks, on_conflict }, returning))
    }

    /// `VALUES` as rows of the whole table: what is not given is the default.
    fn bind_insert_values(
        &mut self,
        table: &Arc<TableEntry>,
        targets: &[u16],
        names: &[Ident],
        rows: &[&[ast::Expr]],
    ) -> Result<(LogicalPlan, Vec<ColumnId>)> {
        let given = rows.first().map_or(0, |row| row.len());
        if let Some(extra) = rows.first().and_then(|row| row.get(targets.len())) {
            return Err(Error::from(BindingError::TooManyInsertValues).at(extra.start()));
        }
        if let Some(missing) = names.get(given).filter(|_| !targets.is_empty()) {
            return Err(Error::from(BindingError::TooFewInsertValues).at(missing.position));
        }
        let defaults = self.defaults(table, &targets[..given])?;
        let mut bound: Vec<ValueRow> = Vec::with_capacity(rows.len());
        for row in rows {
            bound.push(self.bind_value_row(|binder| binder.bind_insert_row(table, targets, row, &defaults))?);
        }
        let columns = self.unnamed_row(table);
        Ok((self.values_plan(columns.clone(), bound), columns))
    }

    /// A row of VALUES as a row of the table.
    fn bind_insert_row(
        &mut self,
        table: &TableEntry,
        targets: &[u16],
        row: &[ast::Expr],
        defaults: &[Option<Expr>],
    ) -> Result<Vec<Expr>> {
        let mut values = Vec::with_capacity(table.columns.len());
        for (index, default) in defaults.iter().enumerate() {
            let position = targets.iter().position(|target| usize::from(*target) == index);
            let value = match (position.and_then(|position| row.get(position)), default) {
                (Some(value), _) if !matches!(value.kind, ExprKind::Default) => {
                    let column = &table.columns[index];
                    let bound = self.bind_expr(value)?;
                    bound.check_depth().at(value.position)?;
                    let bound = assign(bound, &column.name, column.ty).at(value.start())?;
                    check_literals(&bound).at(value.position)?;
                    self.settle(&bound, value.position)?;
                    bound
                }
                (_, Some(default)) => default.clone(),
                (_, None) => self.default_of(table, index)?,
            };
            values.push(value);
        }
        Ok(values)
    }

    /// For each column that is not given its default.
    fn defaults(&mut self, table: &TableEntry, given: &[u16]) -> Result<Vec<Option<Expr>>> {
        let is_given = |index: usize| given.iter().any(|target| usize::from(*target) == index);
        (0..table.columns.len())
            .map(|index| if is_given(index) { Ok(None) } else { self.default_of(table, index).map(Some) })
            .collect()
    }

    /// The rows of a query as rows of the table.
    fn bind_insert_query(
        &mut self,
        table: &TableEntry,
        targets: &[u16],
        names: Option<&[Ident]>,
        query: &Query,
    ) -> Result<(LogicalPlan, Vec<ColumnId>)> {
        let Rows { mut plan, output } = self.bind_query_with(query, Unknowns::Keep)?;
        if output.len() > targets.len() {
            let position = column_start(&query.body, targets.len());
            return Err(Error::from(BindingError::TooManyInsertValues).at(position));
        }
        if let Some(missing) = names.and_then(|names| names.get(output.len())) {
            return Err(Error::from(BindingError::TooFewInsertValues).at(missing.position));
        }
        let defaults = self.defaults(table, &targets[..output.len()])?;
        let mut items = Vec::with_capacity(table.columns.len());
        for (index, (column, default)) in table.columns.iter().zip(defaults).enumerate() {
            let given = targets.iter().position(|target| usize::from(*target) == index);
            let position = column_start(&query.body, given.unwrap_or_default());
            let expr = match (given.and_then(|given| output.get(given)), default) {
                (Some(source), _) => {
                    if self.columns.get(source.id).ty == crate::types::DataType::Unknown {
                        self.retype(&mut plan, source.id, column.ty, position)?;
                    }
                    let value = self.columns.read_as(source.id, source.nullable);
                    assign(value, &column.name, column.ty).at(position)?
                }
                (None, Some(default)) => default,
                (None, None) => self.default_of(table, index)?,
            };
            items.push(Item { name: column.name.as_str().into(), expr, declared: column.ty });
        }
        Ok(self.project(plan, &items, false))
    }

    /// `ON CONFLICT`; what the innermost level sees is replaced.
    fn bind_on_conflict(
        &mut self,
        conflict: &ast::OnConflict,
        table: &Arc<TableEntry>,
        (alias, renamed): (&Arc<str>, bool),
        values: &[ColumnId],
    ) -> Result<OnConflict> {
        let arbiters = arbiters(table, conflict)?;
        if conflict.assignments.is_empty() {
            return Ok(OnConflict { arbiters, update: None });
        }
        if arbiters.is_empty() {
            let error = Error::from(BindingError::ConflictWithoutTarget);
            return Err(error.with_hint("For example, ON CONFLICT (column_name).").at(conflict.position));
        }
        let existing = self.stored_row(table, alias);
        let excluded = self.row_entry(table, Some("excluded".into()), true, values);
        let entry = self.row_entry(table, Some(Arc::clone(alias)), renamed, &existing);
        self.level().entries = vec![excluded, entry];
        let assignments = self.bind_assignments(&conflict.assignments, table)?;
        let filter = self.bind_filter(conflict.filter.as_ref(), Clause::Where, "WHERE")?;
        self.level().attachments.extend(filter.attachments);
        self.refuse_attachments("ON CONFLICT DO UPDATE")?;
        let update = ConflictUpdate { existing, assignments, conditions: filter.terms };
        Ok(OnConflict { arbiters, update: Some(update) })
    }

    /// Columns for the row that is inserted, which nothing in the statement can name.
    fn unnamed_row(&mut self, table: &TableEntry) -> Vec<ColumnId> {
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let (name, ty) = (column.name.as_str().into(), column.ty);
            columns.push(self.columns.add(Column { name, relation: None, ty, declared: ty, origin: None }));
        }
        columns
    }
}

/// The columns that values are given for: those named, or all.
fn insert_targets(table: &TableEntry, columns: &[Ident]) -> Result<Vec<u16>> {
    if columns.is_empty() {
        return Ok((0..).zip(&table.columns).map(|(number, _)| number).collect());
    }
    let mut targets = Vec::with_capacity(columns.len());
    for column in columns {
        let number = target_column(table, column)?;
        if targets.contains(&number) {
            let error = BindingError::DuplicateColumn { name: column.name.clone() };
            return Err(Error::from(error).at(column.position));
        }
        targets.push(number);
    }
    Ok(targets)
}

/// The rows of `VALUES (..), ..` without further clauses, whose values may be DEFAULT.
fn plain_values(query: &Query) -> Option<&[Vec<ast::Expr>]> {
    let bare =
        query.with.is_none() && query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none();
    match &query.body {
        QueryBody::Values(rows) if bare && query.locks.is_empty() => Some(rows),
        _ => None,
    }
}

/// The unique indexes that decide whether a row is there.
fn arbiters(table: &TableEntry, conflict: &ast::OnConflict) -> Result<Vec<ObjectId>> {
    if let Some(name) = &conflict.constraint {
        let constraint = |index: &&IndexEntry| index.constraint && index.name == name.name;
        return match table.indexes.iter().find(constraint) {
            Some(index) => Ok(vec![index.oid]),
            None => {
                let (name, table) = (name.name.clone(), table.name.clone());
                Err(BindingError::UndefinedConstraint { name, table }.into())
            }
        };
    }
    if conflict.columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted = Vec::with_capacity(conflict.columns.len());
    for column in &conflict.columns {
        match table.column(&column.name) {
            Some(number) => wanted.push(number),
            None => {
                let error = BindingError::UndefinedColumn { table: None, name: column.name.clone() };
                return Err(Error::from(error).at(column.position));
            }
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    let matches = |index: &&IndexEntry| {
        let mut columns: Vec<u16> = index.columns.iter().map(|column| column.column).collect();
        columns.sort_unstable();
        columns == wanted
    };
    let found: Vec<ObjectId> = table.unique_indexes().filter(matches).map(|index| index.oid).collect();
    if found.is_empty() {
        return Err(BindingError::NoArbiter.into());
    }
    Ok(found)
}
