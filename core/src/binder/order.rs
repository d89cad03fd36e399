//! ORDER BY: names of result columns, their numbers, or expressions.

use super::query::{Item, Output};
use super::scope::Clause;
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::parser::ast::{self, ExprKind, Literal, NullsOrder, SortItem};

/// What a key of ORDER BY, GROUP BY or DISTINCT ON is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A result column, by index.
    Item(usize),
    /// Something else.
    Expr(Expr),
}

/// A key of ORDER BY or DISTINCT ON.
#[derive(Clone, Debug)]
pub(super) struct BoundKey {
    /// What it is.
    pub(super) target: Target,
    /// From high to low.
    pub(super) descending: bool,
    /// NULLs come first.
    pub(super) nulls_first: bool,
    /// Where it stands.
    pub(super) position: ast::Position,
}

impl BoundKey {
    /// The same key as the index of an item; one is added if it is none yet.
    pub(super) fn into_item(self, items: &mut Vec<Item>) -> Self {
        let index = match self.target {
            Target::Item(index) => index,
            Target::Expr(expr) => items.iter().position(|item| item.expr == expr).unwrap_or_else(|| {
                let declared = expr.declared_type();
                items.push(Item { name: "?column?".into(), expr, declared });
                items.len() - 1
            }),
        };
        Self { target: Target::Item(index), ..self }
    }

    /// The item it is.
    pub(super) fn item(&self) -> usize {
        match self.target {
            Target::Item(index) => index,
            Target::Expr(_) => unreachable!("keys are items when the plan is put together"),
        }
    }
}

impl Binder<'_> {
    /// ORDER BY of a SELECT.
    pub(super) fn bind_order(&mut self, keys: &[SortItem], items: &mut [Item]) -> Result<Vec<BoundKey>> {
        self.level().clause = Clause::OrderBy;
        let mut bound = Vec::with_capacity(keys.len());
        for key in keys {
            let target = self.bind_target(&key.expr, items, Clause::OrderBy)?;
            bound.push(bound_key(key, target));
        }
        Ok(bound)
    }

    /// A key as SQL-92 and PostgreSQL read it: the name of a result column (for GROUP BY only if no column of FROM has
    /// it), a number, or an expression.
    pub(super) fn bind_target(
        &mut self,
        expr: &ast::Expr,
        items: &mut [Item],
        clause: Clause,
    ) -> Result<Target> {
        let index = match &expr.kind {
            ExprKind::Column(names) if names.len() == 1 => {
                let name = &names[0];
                if clause == Clause::GroupBy && self.is_local_column(&name.name) {
                    None
                } else {
                    named_item(items, &name.name, clause).at(name.position)?
                }
            }
            ExprKind::Literal(literal) => Some(numbered(literal, items.len(), clause).at(expr.position)?),
            _ => None,
        };
        if let Some(index) = index {
            self.resolve_item(&mut items[index])?;
            return Ok(Target::Item(index));
        }
        let bound = self.bind_expr(expr)?.resolve_unknown()?;
        bound.check_depth().at(expr.position)?;
        self.settle(&bound, expr.position)?;
        Ok(match items.iter().position(|item| item.expr == bound) {
            Some(index) => Target::Item(index),
            None => Target::Expr(bound),
        })
    }

    /// ORDER BY of a query that is no SELECT: result columns only.
    pub(super) fn bind_output_order(
        &mut self,
        keys: &[SortItem],
        output: &[Output],
        set_operation: bool,
    ) -> Result<Vec<SortKey>> {
        let mut bound = Vec::with_capacity(keys.len());
        for key in keys {
            let index = match &key.expr.kind {
                ExprKind::Column(names) if names.len() == 1 => {
                    let name = &names[0].name;
                    let mut found = output.iter().enumerate().filter(|(_, column)| *column.name == **name);
                    match (found.next(), found.next()) {
                        (Some((index, _)), None) => index,
                        (Some(_), Some(_)) => {
                            let error = BindingError::AmbiguousKey { clause: "ORDER BY", name: name.clone() };
                            return Err(Error::from(error).at(key.expr.position));
                        }
                        (None, _) => {
                            let error = BindingError::UndefinedColumn { table: None, name: name.clone() };
                            return Err(Error::from(error).at(key.expr.position));
                        }
                    }
                }
                ExprKind::Literal(literal) => {
                    numbered(literal, output.len(), Clause::OrderBy).at(key.expr.position)?
                }
                _ if set_operation => return Err(set_operation_order().at(key.expr.start())),
                _ => return Err(super::not_supported("ORDER BY an expression here").at(key.expr.start())),
            };
            let expr = self.columns.read_as(output[index].id, output[index].nullable);
            let key = bound_key(key, Target::Item(index));
            bound.push(SortKey { expr, descending: key.descending, nulls_first: key.nulls_first });
        }
        Ok(bound)
    }

    /// Whether a column of the innermost query's FROM has this name.
    fn is_local_column(&mut self, name: &str) -> bool {
        let level = self.level();
        level.entries.iter().filter(|entry| entry.plain).any(|entry| entry.named(name).next().is_some())
    }
}

fn bound_key(key: &SortItem, target: Target) -> BoundKey {
    let nulls_first = match key.nulls {
        NullsOrder::Default => key.descending,
        NullsOrder::First => true,
        NullsOrder::Last => false,
    };
    BoundKey { target, descending: key.descending, nulls_first, position: key.expr.start() }
}

fn set_operation_order() -> Error {
    Error::from(BindingError::SetOperationOrder)
        .with_detail("Only result column names can be used, not expressions or functions.")
        .with_hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
}

/// The item of that name, which must be one value even if several have the name.
fn named_item(items: &[Item], name: &str, clause: Clause) -> Result<Option<usize>> {
    let mut found = items.iter().enumerate().filter(|(_, item)| *item.name == *name);
    let Some((index, first)) = found.next() else { return Ok(None) };
    if found.any(|(_, other)| other.expr != first.expr) {
        let name = name.to_owned();
        return Err(BindingError::AmbiguousKey { clause: clause.name(), name }.into());
    }
    Ok(Some(index))
}

/// The item of that number.
fn numbered(literal: &Literal, items: usize, clause: Clause) -> Result<usize> {
    let Literal::Integer(number) = literal else {
        return Err(BindingError::NonIntegerKey { clause: clause.name() }.into());
    };
    match usize::try_from(*number) {
        Ok(index @ 1..) if index <= items => Ok(index - 1),
        _ => Err(BindingError::KeyNumber { clause: clause.name(), number: *number }.into()),
    }
}
