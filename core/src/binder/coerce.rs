//! Conversions that a place asks for: assignments to columns, conditions, result columns.

use super::query::{Item, Rows};
use super::{At as _, Binder};
use crate::error::{BindingError, Error, ErrorKind, Result};
use crate::expr::Expr;
use crate::parser::ast::{self, ExprKind, Position};
use crate::plan::logical::{ColumnId, LogicalPlan};
use crate::types::{CastContext, DataType, TimeContext, TypeCategory, cast_context};
use std::sync::Arc;

/// A value as one that can be stored in a column: with an assignment cast, cut or checked to the column's modifiers.
///
/// # Errors
/// 42804 if the types have no assignment cast.
pub(super) fn assign(value: Expr, column: &str, ty: DataType) -> Result<Expr> {
    let from = value.data_type();
    convert_exactly(value, ty, CastContext::Assignment).map_err(|error| match error.kind() {
        ErrorKind::Data(crate::error::DataError::CannotCast { .. }) => {
            let column = column.to_owned();
            let mismatch =
                BindingError::ColumnTypeMismatch { column, column_type: ty.name(), found: from.name() };
            Error::from(mismatch).with_hint("You will need to rewrite or cast the expression.")
        }
        _ => error,
    })
}

/// A value as one of the type. A parameter without a type gets it without its modifiers, which then apply to its
/// value.
pub(super) fn convert(value: Expr, ty: DataType, context: CastContext) -> Result<Expr> {
    match value {
        Expr::Parameter { number, ty: DataType::Unknown } => {
            let plain = match ty {
                DataType::Char(_) => DataType::Text,
                other => crate::expr::without_modifiers(other),
            };
            Expr::Parameter { number, ty: plain }.cast(ty, context)
        }
        other => other.cast(ty, context),
    }
}

/// As [`convert`], for values that lie beside others of the type or in a column of it: those of `numeric` then have
/// the shape of `numeric`, where casts leave decimals of known scale as they are.
pub(super) fn convert_exactly(value: Expr, ty: DataType, context: CastContext) -> Result<Expr> {
    let widens = matches!(value.data_type().category(), TypeCategory::Numeric)
        && cast_context(&value.data_type(), &ty).is_some_and(|least| least <= context);
    if ty != DataType::AnyNumeric || value.data_type() == ty || !widens {
        return convert(value, ty, context);
    }
    Ok(match convert(value.clone(), ty, context)? {
        Expr::Constant { value, .. } => Expr::Constant { value, ty },
        _ => Expr::Cast { operand: Box::new(value), to: ty, context },
    })
}

impl Binder<'_> {
    /// An expression that must be a condition: the argument of `construct`.
    pub(super) fn bind_condition(&mut self, expr: &ast::Expr, construct: &'static str) -> Result<Expr> {
        let bound = self.bind_expr(expr)?.condition(construct).at(expr.start())?;
        self.settle(&bound, expr.position)?;
        Ok(bound)
    }

    /// A whole condition of a clause, as its terms.
    pub(super) fn bind_terms(&mut self, expr: &ast::Expr, construct: &'static str) -> Result<Vec<Expr>> {
        let bound = self.bind_condition(expr, construct)?;
        bound.check_depth().at(expr.position)?;
        Ok(bound.split_conjunction())
    }

    /// A value converted to the type that a clause asks for: `argument of LIMIT must be type bigint`.
    pub(super) fn bind_as(
        &mut self,
        expr: &ast::Expr,
        ty: DataType,
        construct: &'static str,
    ) -> Result<Expr> {
        let bound = self.bind_expr(expr)?;
        let found = bound.data_type().name();
        let bound = bound.cast(ty, CastContext::Assignment).map_err(|error| match error.kind() {
            ErrorKind::Data(crate::error::DataError::CannotCast { .. }) => {
                BindingError::WrongType { construct, expected: ty.name(), found }.into()
            }
            _ => error,
        });
        let bound = bound.at(expr.start())?;
        self.settle(&bound, expr.position)?;
        Ok(bound)
    }

    /// What an operation made of its operands, at the place PostgreSQL points to when something is wrong: the literal
    /// that is no value of its type, else the operator.
    pub(super) fn finish(
        &mut self,
        result: Result<Expr>,
        position: Position,
        operands: &[&ast::Expr],
    ) -> Result<Expr> {
        match result {
            Ok(expr) => {
                self.settle(&expr, position)?;
                let literal = operands.iter().find(|operand| is_string(operand));
                if let Some(literal) = literal {
                    check_literals(&expr).at(literal.position)?;
                }
                Ok(expr)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Data(_)) => {
                let literal = operands.iter().find(|operand| is_string(operand));
                Err(error.at(literal.map_or(position, |operand| operand.position)))
            }
            Err(error) => Err(error.at(position)),
        }
    }
}

fn is_string(expr: &ast::Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(ast::Literal::String(_)))
}

/// Literals whose value depends on the session, as `today` does, are converted when the statement runs; what is wrong
/// with them is found now. Looks at the expression and its operands.
pub(super) fn check_literals(expr: &Expr) -> Result<()> {
    let check = |expr: &Expr| match expr {
        Expr::Cast { operand, to, context } => match operand.as_ref() {
            Expr::Constant { value, ty: DataType::Unknown } => {
                value.clone().cast(to, *context, &TimeContext::default()).map(drop)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    };
    let mut result = check(expr);
    expr.for_each_child(&mut |operand| {
        if result.is_ok() {
            result = check(operand);
        }
    });
    result
}

/// The first of some types that PostgreSQL blames when they have no common one: one of another category than the
/// first known type.
pub(super) fn odd_one(types: &[DataType]) -> Option<usize> {
    let mut known = types.iter().enumerate().filter(|(_, ty)| **ty != DataType::Unknown);
    let (_, first) = known.next()?;
    known.find(|(_, ty)| ty.category() != first.category()).map(|(index, _)| index)
}

impl Binder<'_> {
    /// Rows whose columns have these types, one for each that they return.
    pub(super) fn coerce_rows(&mut self, rows: Rows, types: &[DataType], position: Position) -> Result<Rows> {
        let Rows { mut plan, mut output } = rows;
        let mut items = Vec::with_capacity(output.len());
        let mut changed = false;
        for (column, ty) in output.iter().zip(types) {
            if self.columns.get(column.id).ty == DataType::Unknown {
                self.retype(&mut plan, column.id, *ty, position)?;
            }
            let value = self.columns.read_as(column.id, column.nullable);
            let expr = convert_exactly(value.clone(), *ty, CastContext::Implicit).at(position)?;
            changed |= expr != value;
            let declared =
                if expr == value { self.columns.get(column.id).declared } else { expr.declared_type() };
            items.push(Item { name: Arc::clone(&column.name), expr, declared });
        }
        if changed {
            let (projected, ids) = self.project(plan, &items, false);
            plan = projected;
            for (column, id) in output.iter_mut().zip(ids) {
                column.id = id;
            }
        }
        Ok(Rows { plan, output })
    }

    /// Gives a column of literals and parameters without a type one, where they stand.
    pub(super) fn retype(
        &mut self,
        plan: &mut LogicalPlan,
        id: ColumnId,
        ty: DataType,
        position: Position,
    ) -> Result<()> {
        let retype = |binder: &mut Self, expr: &mut Expr| {
            let value = std::mem::replace(expr, Expr::boolean(true));
            *expr = convert_exactly(value, ty, CastContext::Implicit).at(position)?;
            check_literals(expr).at(position)?;
            binder.settle(expr, position)
        };
        match plan {
            LogicalPlan::Project(project) => {
                for column in project.columns.iter_mut().filter(|column| column.id == id) {
                    retype(self, &mut column.expr)?;
                }
            }
            LogicalPlan::Values(values) => {
                let index = values.columns.iter().position(|column| *column == id);
                for row in &mut values.rows {
                    if let Some(value) = index.and_then(|index| row.get_mut(index)) {
                        retype(self, value)?;
                    }
                }
            }
            LogicalPlan::SetOperation(operation) => {
                let index = operation.columns.iter().position(|column| *column == id);
                for input in &mut operation.inputs {
                    if let Some(&of) = index.and_then(|index| input.columns.get(index)) {
                        self.retype(&mut input.plan, of, ty, position)?;
                    }
                }
            }
            LogicalPlan::With(with) => self.retype(&mut with.body, id, ty, position)?,
            LogicalPlan::Sort(sort) => self.retype(&mut sort.input, id, ty, position)?,
            LogicalPlan::Limit(limit) => self.retype(&mut limit.input, id, ty, position)?,
            LogicalPlan::Distinct(distinct) => self.retype(&mut distinct.input, id, ty, position)?,
            _ => {}
        }
        self.columns.set_type(id, ty);
        Ok(())
    }
}
