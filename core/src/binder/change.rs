//! What INSERT, UPDATE, DELETE and COPY share: the changed table's rows as names, its defaults and checks, SET.

use super::coerce::{assign, check_literals};
use super::scope::{Clause, Entry, Level, ScopeColumn};
use super::{At as _, Binder, not_supported};
use crate::catalog::{TableEntry, TableKind};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::parser::ast::{self, Assignment, ExprKind, Ident};
use crate::parser::parse_expr;
use crate::plan::logical::{Check, Column, ColumnId};
use std::sync::Arc;

/// System tables change through statements of their own.
pub(super) fn check_changeable(table: &TableEntry) -> Result<()> {
    match table.kind {
        TableKind::Base => Ok(()),
        TableKind::Virtual => Err(BindingError::SystemTable { name: table.name.clone() }.into()),
    }
}

/// The number of a column that a statement wants to change.
pub(super) fn target_column(table: &TableEntry, column: &Ident) -> Result<u16> {
    table.column(&column.name).ok_or_else(|| {
        let (column_name, relation) = (column.name.clone(), table.name.clone());
        let error = BindingError::UndefinedTargetColumn { column: column_name, relation };
        Error::from(error).at(column.position)
    })
}

/// A column that messages know and nothing reads.
pub(super) fn unreadable(column: &crate::catalog::ColumnEntry) -> ScopeColumn {
    ScopeColumn { name: column.name.as_str().into(), expr: Expr::null(column.ty), declared: column.ty }
}

impl Binder<'_> {
    /// New columns for a row of the table as it is stored.
    pub(super) fn stored_row(&mut self, table: &TableEntry, alias: &Arc<str>) -> Vec<ColumnId> {
        let mut ids = Vec::with_capacity(table.columns.len());
        for (number, column) in (0_u16..).zip(&table.columns) {
            ids.push(self.columns.add(Column {
                name: column.name.as_str().into(),
                relation: Some(Arc::clone(alias)),
                ty: column.ty,
                declared: column.ty,
                origin: Some((table.oid, number)),
            }));
        }
        ids
    }

    /// An entry for a row of the table whose values are these columns; without an alias only plain names work.
    pub(super) fn row_entry(
        &self,
        table: &Arc<TableEntry>,
        alias: Option<Arc<str>>,
        renamed: bool,
        ids: &[ColumnId],
    ) -> Entry {
        let columns = table.columns.iter().zip(ids).map(|(column, &id)| ScopeColumn {
            name: column.name.as_str().into(),
            expr: self.columns.read_as(id, !column.not_null),
            declared: column.ty,
        });
        Entry {
            qualified: alias.is_some(),
            alias,
            renamed,
            table: Some(Arc::clone(table)),
            is_join: false,
            columns: columns.collect(),
            row_id: None,
            plain: true,
            forbidden: false,
        }
    }

    /// The checks of a table over a row of it.
    pub(super) fn bind_checks(&mut self, table: &Arc<TableEntry>, row: &[ColumnId]) -> Result<Vec<Check>> {
        if table.checks.is_empty() {
            return Ok(Vec::new());
        }
        let mut level = Level::new(Clause::Check);
        level.entries.push(self.row_entry(table, Some(table.name.as_str().into()), false, row));
        let hidden = std::mem::replace(&mut self.levels, vec![level]);
        let bind = |check: &crate::catalog::CheckEntry| {
            let condition = self.bind_condition(&parse_expr(&check.sql)?, "CHECK")?;
            Ok(Check { name: check.name.clone(), condition })
        };
        let checks = table.checks.iter().map(bind).collect();
        self.levels = hidden;
        checks
    }

    /// The default of a column, of the column's type.
    pub(super) fn default_of(&mut self, table: &TableEntry, index: usize) -> Result<Expr> {
        let column = &table.columns[index];
        let Some(sql) = &column.default else { return Ok(Expr::null(column.ty)) };
        let hidden = std::mem::replace(&mut self.levels, vec![Level::new(Clause::Default)]);
        let value = parse_expr(sql).and_then(|expr| self.bind_expr(&expr));
        self.levels = hidden;
        assign(value?, &column.name, column.ty)
    }

    /// The assignments of SET, in the innermost level.
    pub(super) fn bind_assignments(
        &mut self,
        assignments: &[Assignment],
        table: &TableEntry,
    ) -> Result<Vec<(u16, Expr)>> {
        self.level().clause = Clause::UpdateSet;
        let mut bound: Vec<(u16, Expr)> = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            match assignment {
                Assignment::Column { column, value } => {
                    let number = new_target(table, column, &bound)?;
                    let value = self.bind_new_value(table, number, value)?;
                    bound.push((number, value));
                }
                Assignment::Columns { columns, value } => {
                    self.bind_row_assignment(table, columns, value, &mut bound)?;
                }
            }
        }
        Ok(bound)
    }

    /// `(a, b) = (x, y)` and `(a, b) = (SELECT ..)`.
    fn bind_row_assignment(
        &mut self,
        table: &TableEntry,
        columns: &[Ident],
        value: &ast::Expr,
        bound: &mut Vec<(u16, Expr)>,
    ) -> Result<()> {
        let check = |width: usize| {
            if width == columns.len() {
                return Ok(());
            }
            Err(Error::from(BindingError::AssignmentWidth).at(value.position))
        };
        match &value.kind {
            ExprKind::Row { fields, .. } => {
                check(fields.len())?;
                for (column, field) in columns.iter().zip(fields) {
                    let number = new_target(table, column, bound)?;
                    let field = self.bind_new_value(table, number, field)?;
                    bound.push((number, field));
                }
            }
            ExprKind::Subquery(query) => {
                let values = self.bind_row_of(query, value.position)?;
                check(values.len())?;
                for (column, field) in columns.iter().zip(values) {
                    let number = new_target(table, column, bound)?;
                    let definition = &table.columns[usize::from(number)];
                    let field = assign(field, &definition.name, definition.ty).at(value.position)?;
                    bound.push((number, field));
                }
            }
            _ if columns.len() == 1 => {
                let number = new_target(table, &columns[0], bound)?;
                let field = self.bind_new_value(table, number, value)?;
                bound.push((number, field));
            }
            _ => {
                return Err(
                    not_supported("a row that is no list of values and no subquery").at(value.position)
                );
            }
        }
        Ok(())
    }

    /// A value for a column; DEFAULT is the column's.
    fn bind_new_value(&mut self, table: &TableEntry, number: u16, value: &ast::Expr) -> Result<Expr> {
        let column = &table.columns[usize::from(number)];
        if matches!(value.kind, ExprKind::Default) {
            return self.default_of(table, usize::from(number));
        }
        let bound = self.bind_expr(value)?;
        bound.check_depth().at(value.position)?;
        let bound = assign(bound, &column.name, column.ty).at(value.start())?;
        check_literals(&bound).at(value.position)?;
        self.settle(&bound, value.position)?;
        Ok(bound)
    }
}

/// The number of an assigned column, which must not have a value yet.
fn new_target(table: &TableEntry, column: &Ident, bound: &[(u16, Expr)]) -> Result<u16> {
    let number = target_column(table, column)?;
    if bound.iter().any(|(other, _)| *other == number) {
        let name = column.name.clone();
        return Err(Error::from(BindingError::DuplicateAssignment { name }).at(column.position));
    }
    Ok(number)
}
