//! GROUP BY, and what it does to the expressions above the groups: they read keys and aggregates, nothing else.

use super::Binder;
use super::order::Target;
use super::query::Item;
use super::scope::{Attachment, Clause};
use super::select::Parts;
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::parser::ast::{self, ExprKind, GroupBy};
use crate::plan::logical::{Aggregate, ColumnId, Computed, JoinKind, LogicalPlan};
use std::collections::BTreeSet;

/// The keys of the groups and what else may be read above them.
struct Keys {
    computed: Vec<Computed>,
    /// Key expressions and the columns that take their place.
    replaced: Vec<(Expr, Expr)>,
    /// Columns of the tables below the groups.
    local: BTreeSet<ColumnId>,
}

impl Binder<'_> {
    /// The keys of GROUP BY.
    pub(super) fn bind_group_by(&mut self, group_by: &GroupBy, items: &mut [Item]) -> Result<Vec<Expr>> {
        self.level().clause = Clause::GroupBy;
        let mut keys: Vec<Expr> = Vec::new();
        match group_by {
            GroupBy::None => {}
            GroupBy::Keys(exprs) => {
                for expr in exprs {
                    self.bind_group_key(expr, items, &mut keys)?;
                }
            }
            GroupBy::All(_) => {
                for item in items {
                    self.resolve_item(item)?;
                    if self.first_aggregate(&item.expr).is_none() && !keys.contains(&item.expr) {
                        keys.push(item.expr.clone());
                    }
                }
            }
        }
        Ok(keys)
    }

    fn bind_group_key(&mut self, expr: &ast::Expr, items: &mut [Item], keys: &mut Vec<Expr>) -> Result<()> {
        if let ExprKind::Row { fields, .. } = &expr.kind {
            return fields.iter().try_for_each(|field| self.bind_group_key(field, items, keys));
        }
        let key = match self.bind_target(expr, items, Clause::GroupBy)? {
            Target::Item(index) => items[index].expr.clone(),
            Target::Expr(expr) => expr,
        };
        if let Some(aggregate) = self.first_aggregate(&key) {
            let error = Error::from(BindingError::AggregateNotAllowed { clause: Clause::GroupBy.name() });
            return Err(self.level().first_use(aggregate).into_iter().fold(error, Error::at));
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
        Ok(())
    }

    /// An aggregate of the innermost query that the expression reads.
    fn first_aggregate(&mut self, expr: &Expr) -> Option<ColumnId> {
        let read = expr.columns();
        self.level().aggregates.iter().map(|aggregate| aggregate.id).find(|id| read.contains(&id.index()))
    }

    /// The groups, and the clauses above them reading keys and aggregates.
    pub(super) fn group(&mut self, plan: LogicalPlan, mut parts: Parts) -> Result<(LogicalPlan, Parts)> {
        let below = self.attachments_of_keys(&mut parts);
        let inner = std::mem::take(&mut self.level().inner_attachments);
        let input = below.into_iter().chain(inner).fold(plan, |plan, subquery| subquery.attach(plan));
        let mut keys = self.keys(&parts.group, &input);
        for item in &mut parts.items {
            self.above(&mut item.expr, &mut keys)?;
        }
        for term in &mut parts.having.terms {
            self.above(term, &mut keys)?;
        }
        for key in parts.order.iter_mut().chain(&mut parts.on) {
            if let Target::Expr(expr) = &mut key.target {
                self.above(expr, &mut keys)?;
            }
        }
        for subquery in parts.having.attachments.iter_mut().chain(&mut parts.attachments) {
            self.attachment_above(subquery, &mut keys)?;
        }
        let aggregates = std::mem::take(&mut self.level().aggregates);
        let plan =
            LogicalPlan::Aggregate(Aggregate { input: Box::new(input), keys: keys.computed, aggregates });
        let having = std::mem::take(&mut parts.having);
        Ok((self.add_filter(plan, having), parts))
    }

    /// Takes the subqueries that keys read out of those that are joined above the groups.
    fn attachments_of_keys(&mut self, parts: &mut Parts) -> Vec<Attachment> {
        let mut needed: BTreeSet<ColumnId> = BTreeSet::new();
        for key in &parts.group {
            needed.extend(key.columns().into_iter().map(ColumnId::of_index));
        }
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for subquery in std::mem::take(&mut parts.attachments).into_iter().rev() {
            if needed.iter().any(|column| subquery.makes(*column)) {
                needed.extend(read_by(&subquery));
                below.push(subquery);
            } else {
                above.push(subquery);
            }
        }
        below.reverse();
        above.reverse();
        parts.attachments = above;
        below
    }

    fn keys(&mut self, group: &[Expr], input: &LogicalPlan) -> Keys {
        let available = input.columns();
        let mut computed = Vec::with_capacity(group.len());
        let mut replaced = Vec::with_capacity(group.len());
        for key in group {
            let column = match key {
                Expr::Column { index, .. } => {
                    Some(ColumnId::of_index(*index)).filter(|id| available.contains(id))
                }
                _ => None,
            };
            let id = column.unwrap_or_else(|| {
                let id = self.columns.add_computed("key", key);
                replaced.push((key.clone(), self.columns.read_as(id, key.nullable())));
                id
            });
            computed.push(Computed { id, expr: key.clone() });
        }
        let entries = &self.level().entries;
        let local = entries.iter().flat_map(|entry| &entry.columns).flat_map(|column| column.expr.columns());
        let local = local.map(ColumnId::of_index).collect();
        Keys { computed, replaced, local }
    }

    /// Makes an expression one over the groups.
    fn above(&mut self, expr: &mut Expr, keys: &mut Keys) -> Result<()> {
        replace(expr, &keys.replaced);
        for index in expr.columns() {
            let id = ColumnId::of_index(index);
            if !self.is_grouped(id, keys) {
                return Err(self.ungrouped(id, |column| BindingError::Ungrouped { column }));
            }
        }
        Ok(())
    }

    fn attachment_above(&mut self, subquery: &mut Attachment, keys: &mut Keys) -> Result<()> {
        if let JoinKind::Mark { test, .. } = &mut subquery.kind {
            let own: BTreeSet<ColumnId> = subquery.plan.columns().into_iter().collect();
            for term in test {
                replace(term, &keys.replaced);
                for id in term.columns().into_iter().map(ColumnId::of_index) {
                    if !own.contains(&id) && !self.is_grouped(id, keys) {
                        return Err(self.ungrouped(id, |column| BindingError::Ungrouped { column }));
                    }
                }
            }
        }
        replace_in_plan(&mut subquery.plan, &keys.replaced);
        for id in subquery.plan.outer_columns() {
            if !self.is_grouped(id, keys) {
                return Err(self.ungrouped(id, |column| BindingError::UngroupedInSubquery { column }));
            }
        }
        Ok(())
    }

    /// Whether a column has one value in each group: it is a key, or none of the tables below, or its table's primary
    /// key is among the keys, which makes it one.
    fn is_grouped(&mut self, id: ColumnId, keys: &mut Keys) -> bool {
        let is_key = |keys: &Keys, id: ColumnId| keys.computed.iter().any(|key| key.id == id);
        if !keys.local.contains(&id) || is_key(keys, id) {
            return true;
        }
        let column_id = |expr: &Expr| match expr {
            Expr::Column { index, .. } => Some(ColumnId::of_index(*index)),
            _ => None,
        };
        let depends = self.level().entries.iter().any(|entry| {
            let Some(primary) = entry.table.as_ref().and_then(|table| table.primary_key()) else {
                return false;
            };
            entry.columns.iter().any(|column| column_id(&column.expr) == Some(id))
                && primary.columns.iter().all(|key| {
                    let column = entry.columns.get(usize::from(key.column));
                    column.and_then(|column| column_id(&column.expr)).is_some_and(|id| is_key(keys, id))
                })
        });
        if depends {
            keys.computed.push(Computed { id, expr: self.columns.read(id) });
        }
        depends
    }

    /// A column that is neither a key nor inside an aggregate.
    fn ungrouped(&mut self, id: ColumnId, error: impl FnOnce(String) -> BindingError) -> Error {
        let level = self.level();
        let name = level.entries.iter().filter(|entry| !entry.is_join).find_map(|entry| {
            let reads = |column: &&super::scope::ScopeColumn| {
                matches!(column.expr, Expr::Column { index, .. } if index == id.index())
            };
            let column = entry.columns.iter().find(reads)?;
            Some(match &entry.alias {
                Some(alias) => format!("{alias}.{}", column.name),
                None => column.name.to_string(),
            })
        });
        let position = level.first_use(id);
        let error = Error::from(error(name.unwrap_or_default()));
        position.into_iter().fold(error, Error::at)
    }
}

/// The columns a subquery reads from around it.
fn read_by(subquery: &Attachment) -> BTreeSet<ColumnId> {
    let mut read = subquery.plan.outer_columns();
    if let JoinKind::Mark { test, .. } = &subquery.kind {
        read.extend(test.iter().flat_map(Expr::columns).map(ColumnId::of_index));
    }
    read
}

/// Puts columns in the place of the expressions they hold, the largest first.
fn replace(expr: &mut Expr, replaced: &[(Expr, Expr)]) {
    if replaced.is_empty() {
        return;
    }
    match replaced.iter().find(|(key, _)| key == expr) {
        Some((_, column)) => *expr = column.clone(),
        None => expr.for_each_child_mut(&mut |child| replace(child, replaced)),
    }
}

fn replace_in_plan(plan: &mut LogicalPlan, replaced: &[(Expr, Expr)]) {
    if replaced.is_empty() {
        return;
    }
    plan.for_each_expr_mut(&mut |expr| replace(expr, replaced));
    for input in plan.inputs_mut() {
        replace_in_plan(input, replaced);
    }
}
