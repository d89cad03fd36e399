//! Queries with the clauses around them: WITH, ORDER BY, LIMIT.

use super::limit::BoundLimit;
use super::scope::{Clause, Level};
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::parser::ast::{LockStrength, Query, QueryBody};
use crate::plan::logical::{Column, ColumnId, Computed, Filter, Limit, LogicalPlan, Project, Sort};
use crate::types::DataType;
use std::sync::Arc;

/// The rows of a query.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// The plan, which may have more columns than the query returns.
    pub(super) plan: LogicalPlan,
    /// What it returns, in order.
    pub(super) output: Vec<Output>,
}

/// A column that a query returns.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// Its name.
    pub(super) name: Arc<str>,
    /// The plan's column; several names may have one.
    pub(super) id: ColumnId,
    /// Whether it may be NULL.
    pub(super) nullable: bool,
}

/// What becomes of literals and parameters that are whole result columns and have no type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unknowns {
    /// They are text.
    ToText,
    /// They wait for the type that the query around them needs.
    Keep,
}

/// A value to be computed and what its column is called.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The name.
    pub(super) name: Arc<str>,
    /// The value.
    pub(super) expr: Expr,
    /// The type a client is told.
    pub(super) declared: DataType,
}

impl Binder<'_> {
    /// A query whose columns all have types.
    pub(super) fn bind_query(&mut self, query: &Query) -> Result<Rows> {
        self.bind_query_with(query, Unknowns::ToText)
    }

    /// A query whose result columns may be of unknown type if `unknowns` says so.
    pub(super) fn bind_query_with(&mut self, query: &Query, unknowns: Unknowns) -> Result<Rows> {
        let tables = self.bind_with(query.with.as_ref())?;
        let rows = self.bind_body(query, unknowns)?;
        Ok(Rows { plan: self.finish_with(tables, rows.plan), ..rows })
    }

    fn bind_body(&mut self, query: &Query, unknowns: Unknowns) -> Result<Rows> {
        if query.with_ties && query.order_by.is_empty() {
            return Err(BindingError::TiesWithoutOrder.into());
        }
        let rows = match &query.body {
            QueryBody::Select(select) => return self.bind_select(select, query, unknowns),
            QueryBody::Values(rows) => {
                self.refuse_locks(query, "VALUES")?;
                self.bind_values(rows, unknowns)?
            }
            QueryBody::Nested(inner) => {
                self.refuse_locks(query, "a query in parentheses")?;
                self.bind_query_with(inner, unknowns)?
            }
            QueryBody::SetOperations { first, rest } => {
                self.refuse_locks(query, "UNION/INTERSECT/EXCEPT")?;
                self.bind_set_operations(first, rest)?
            }
        };
        self.levels.push(Level::new(Clause::OrderBy));
        let result = self.order_and_limit(rows, query);
        self.levels.pop();
        result
    }

    /// ORDER BY and LIMIT of a query that is no SELECT: they see the result columns only.
    fn order_and_limit(&mut self, rows: Rows, query: &Query) -> Result<Rows> {
        let Rows { mut plan, output } = rows;
        let set_operation = matches!(query.body, QueryBody::SetOperations { .. });
        let keys = self.bind_output_order(&query.order_by, &output, set_operation)?;
        if !keys.is_empty() {
            plan = LogicalPlan::Sort(Sort { input: Box::new(plan), keys: keys.clone() });
        }
        let limit = self.bind_limit(query)?;
        Ok(Rows { plan: limit.apply(plan, keys), output })
    }

    fn refuse_locks(&self, query: &Query, what: &'static str) -> Result<()> {
        match query.locks.first() {
            None => Ok(()),
            Some(lock) => Err(locks_refused(lock.strength, what)).at(lock.position),
        }
    }

    /// A projection of `items` and the columns they have. A value that is a column of the plan keeps its id; if all
    /// are, and `exact` is not asked for, nothing is added to the plan.
    pub(super) fn project(
        &mut self,
        plan: LogicalPlan,
        items: &[Item],
        exact: bool,
    ) -> (LogicalPlan, Vec<ColumnId>) {
        let available = plan.columns();
        let mut computed: Vec<Computed> = Vec::new();
        let mut ids = Vec::with_capacity(items.len());
        let mut passes = true;
        for item in items {
            let passed = match &item.expr {
                Expr::Column { index, .. } => {
                    Some(ColumnId::of_index(*index)).filter(|id| available.contains(id))
                }
                _ => None,
            };
            let id = passed.unwrap_or_else(|| {
                passes = false;
                let origin = None;
                let (name, ty) = (Arc::clone(&item.name), item.expr.data_type());
                self.columns.add(Column { name, relation: None, ty, declared: item.declared, origin })
            });
            if !computed.iter().any(|column| column.id == id) {
                computed.push(Computed { id, expr: item.expr.clone() });
            }
            ids.push(id);
        }
        if passes && (!exact || computed.iter().map(|column| &column.id).eq(&available)) {
            return (plan, ids);
        }
        (LogicalPlan::Project(Project { input: Box::new(plan), columns: computed }), ids)
    }
}

/// Why rows of some queries cannot be locked.
pub(super) fn locks_refused(strength: LockStrength, what: &'static str) -> Error {
    BindingError::LockNotAllowed { strength: strength_name(strength), what }.into()
}

/// A lock clause as it is written.
pub(super) fn strength_name(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::Update => "FOR UPDATE",
        LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockStrength::Share => "FOR SHARE",
        LockStrength::KeyShare => "FOR KEY SHARE",
    }
}

/// The rows for which all terms are true.
pub(super) fn filter(input: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    if conditions.is_empty() {
        return input;
    }
    LogicalPlan::Filter(Filter { input: Box::new(input), conditions })
}

impl BoundLimit {
    /// The plan cut to the limit, if there is one.
    pub(super) fn apply(self, input: LogicalPlan, keys: Vec<SortKey>) -> LogicalPlan {
        if self.limit.is_none() && self.offset.is_none() {
            return input;
        }
        LogicalPlan::Limit(Limit {
            input: Box::new(input),
            limit: self.limit,
            offset: self.offset,
            ties: self.with_ties.then_some(keys),
            partition: Vec::new(),
        })
    }
}
