//! VALUES.

use super::coerce::{convert_exactly, odd_one};
use super::query::{Output, Rows, Unknowns};
use super::scope::{Attachment, Clause, Level};
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::expr::build::common_type_of;
use crate::parser::ast;
use crate::plan::logical::{
    Column, ColumnId, Computed, LogicalPlan, Project, SetInput, SetOperation, SetOperator, Values,
};
use crate::types::{CastContext, DataType};
use std::sync::Arc;

/// A row of VALUES and the subqueries it reads.
pub(super) struct ValueRow {
    /// Its values.
    pub(super) values: Vec<Expr>,
    /// Subqueries in them.
    pub(super) attachments: Vec<Attachment>,
}

impl Binder<'_> {
    /// `VALUES (..), (..)`: columns `column1`, `column2`, ..
    pub(super) fn bind_values(&mut self, rows: &[Vec<ast::Expr>], unknowns: Unknowns) -> Result<Rows> {
        check_lengths(rows)?;
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            bound.push(
                self.bind_value_row(|binder| row.iter().map(|value| binder.bind_expr(value)).collect())?,
            );
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        let mut output = Vec::with_capacity(width);
        for column in 0..width {
            let ty = self.unify_column(rows, &mut bound, column, unknowns)?;
            let name: Arc<str> = format!("column{}", column + 1).into();
            let declared = declared_type(&bound, column, ty);
            let nullable = bound.iter().any(|row| row.values[column].nullable());
            let name_of = Arc::clone(&name);
            let id = self.columns.add(Column { name: name_of, relation: None, ty, declared, origin: None });
            columns.push(id);
            output.push(Output { name, id, nullable });
        }
        Ok(Rows { plan: self.values_plan(columns, bound), output })
    }

    /// Binds a row at a level of its own.
    pub(super) fn bind_value_row(
        &mut self,
        bind: impl FnOnce(&mut Self) -> Result<Vec<Expr>>,
    ) -> Result<ValueRow> {
        self.levels.push(Level::new(Clause::Values));
        let values = bind(self);
        let attachments = std::mem::take(&mut self.level().attachments);
        self.levels.pop();
        Ok(ValueRow { values: values?, attachments })
    }

    /// The plan of rows: a row with subqueries is a plan of its own.
    pub(super) fn values_plan(&mut self, columns: Vec<ColumnId>, rows: Vec<ValueRow>) -> LogicalPlan {
        if rows.iter().all(|row| row.attachments.is_empty()) {
            let rows = rows.into_iter().map(|row| row.values).collect();
            return LogicalPlan::Values(Values { columns, rows });
        }
        let several = rows.len() > 1;
        let mut inputs: Vec<SetInput> = Vec::with_capacity(rows.len());
        for row in rows {
            let plan =
                row.attachments.into_iter().fold(LogicalPlan::one_row(), |plan, query| query.attach(plan));
            let ids: Vec<ColumnId> = if several {
                columns.iter().map(|&id| self.columns.add_copy(id)).collect()
            } else {
                columns.clone()
            };
            let computed = ids.iter().zip(row.values).map(|(&id, expr)| Computed { id, expr }).collect();
            let plan = LogicalPlan::Project(Project { input: Box::new(plan), columns: computed });
            inputs.push(SetInput { plan, columns: ids });
        }
        if several {
            let operator = SetOperator::Union;
            return LogicalPlan::SetOperation(Box::new(SetOperation {
                operator,
                all: true,
                columns,
                inputs,
            }));
        }
        inputs.remove(0).plan
    }

    /// Gives the values of a column one type.
    fn unify_column(
        &mut self,
        rows: &[Vec<ast::Expr>],
        bound: &mut [ValueRow],
        column: usize,
        unknowns: Unknowns,
    ) -> Result<DataType> {
        let values: Vec<&Expr> = bound.iter().map(|row| &row.values[column]).collect();
        let types: Vec<DataType> = values.iter().map(|value| value.data_type()).collect();
        if unknowns == Unknowns::Keep && types.iter().all(|ty| *ty == DataType::Unknown) {
            return Ok(DataType::Unknown);
        }
        let start = |row: usize| rows[row][column].start();
        let ty = common_type_of(&values, "VALUES").at(odd_one(&types).map_or_else(|| start(0), start))?;
        for (row, values) in bound.iter_mut().enumerate() {
            let value = std::mem::replace(&mut values.values[column], Expr::boolean(true));
            let value = convert_exactly(value, ty, CastContext::Implicit).at(start(row))?;
            self.settle(&value, start(row))?;
            values.values[column] = value;
        }
        Ok(ty)
    }
}

/// All rows must have as many values as the first.
pub(super) fn check_lengths(rows: &[Vec<ast::Expr>]) -> Result<()> {
    let width = rows.first().map_or(0, Vec::len);
    match rows.iter().find(|row| row.len() != width) {
        None => Ok(()),
        Some(row) => {
            let error = Error::from(BindingError::ValuesLengths);
            Err(row.first().map_or_else(|| Error::from(BindingError::ValuesLengths), |v| error.at(v.start())))
        }
    }
}

/// The values' own type if they agree on one, else the common one without modifiers.
fn declared_type(rows: &[ValueRow], column: usize, ty: DataType) -> DataType {
    let mut declared = rows.iter().map(|row| row.values[column].declared_type());
    match declared.next() {
        Some(first) if declared.all(|other| other == first) => first,
        _ => crate::expr::without_modifiers(ty),
    }
}
