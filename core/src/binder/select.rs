//! SELECT.
//!
//! ```text
//!   FROM -> WHERE -> GROUP BY -> HAVING -> result columns -> DISTINCT -> ORDER BY -> locks -> LIMIT      the plan
//!   FROM, result columns, WHERE, HAVING, ORDER BY, GROUP BY, DISTINCT, LIMIT          the order of binding
//! ```
//!
//! Everything is bound first, because whether there are groups is known only when the last aggregate was seen. Then
//! the plan is put together, and what stands above the groups is rewritten to read their keys.

use super::limit::BoundLimit;
use super::order::BoundKey;
use super::query::{Item, Output, Rows, Unknowns, filter, locks_refused, strength_name};
use super::scope::{Attachment, Clause, Level};
use super::{At as _, Binder, not_supported};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::parser::ast::{self, Distinct, GroupBy, Ident, Position, Query, Select, SelectItem};
use crate::plan::logical::{self, ColumnId, Lock, LockTarget, LockWait, LogicalPlan, RowLock, Sort};
use crate::types::DataType;
use std::sync::Arc;

/// Conditions and the subqueries they read.
#[derive(Default)]
pub(super) struct BoundFilter {
    pub(super) terms: Vec<Expr>,
    pub(super) attachments: Vec<Attachment>,
}

/// The clauses of a SELECT, bound.
pub(super) struct Parts {
    /// The result columns.
    pub(super) items: Vec<Item>,
    /// `HAVING`
    pub(super) having: BoundFilter,
    /// `ORDER BY`
    pub(super) order: Vec<BoundKey>,
    /// `GROUP BY`
    pub(super) group: Vec<Expr>,
    /// `DISTINCT ON`
    pub(super) on: Vec<BoundKey>,
    /// Subqueries of all these but HAVING.
    pub(super) attachments: Vec<Attachment>,
}

impl Binder<'_> {
    /// A SELECT with the ORDER BY, LIMIT and locks of the query around it.
    pub(super) fn bind_select(&mut self, select: &Select, query: &Query, unknowns: Unknowns) -> Result<Rows> {
        let mut level = Level::new(Clause::FromFunction);
        level.row_ids = !query.locks.is_empty();
        self.levels.push(level);
        let result = self.bind_select_level(select, query, unknowns);
        self.levels.pop();
        result
    }

    fn bind_select_level(&mut self, select: &Select, query: &Query, unknowns: Unknowns) -> Result<Rows> {
        let from = self.bind_from(&select.from)?;
        if let Some(window) = select.windows.first() {
            return Err(not_supported("WINDOW").at(window.name.position));
        }
        let mut items = self.bind_items(&select.items)?;
        if unknowns == Unknowns::ToText {
            self.resolve_items(&mut items)?;
        }
        let attachments = std::mem::take(&mut self.level().attachments);
        let filter = self.bind_filter(select.filter.as_ref(), Clause::Where, "WHERE")?;
        let having = self.bind_filter(select.having.as_ref(), Clause::Having, "HAVING")?;
        self.level().attachments = attachments;
        let order = self.bind_order(&query.order_by, &mut items)?;
        let group = self.bind_group_by(&select.group_by, &mut items)?;
        let on = self.bind_distinct(&select.distinct, &mut items, &order)?;
        let attachments = std::mem::take(&mut self.level().attachments);
        let parts = Parts { items, having, order, group, on, attachments };
        let limit = self.bind_limit(query)?;
        let grouped = self.level().aggregated || select.having.is_some() || select.group_by != GroupBy::None;
        let plan = self.add_filter(from, filter);
        let (plan, parts) = if grouped { self.group(plan, parts)? } else { (plan, parts) };
        self.check_locks(query, select, grouped)?;
        self.assemble(plan, parts, query, &select.distinct, limit)
    }

    /// Joins a condition's subqueries and filters.
    pub(super) fn add_filter(&mut self, plan: LogicalPlan, bound: BoundFilter) -> LogicalPlan {
        let BoundFilter { terms, attachments } = bound;
        // Terms without a subquery go first, so that subqueries are asked for fewer rows.
        let reads_subquery = |term: &Expr| {
            let read = term.columns();
            attachments
                .iter()
                .any(|subquery| read.iter().any(|index| subquery.makes(ColumnId::of_index(*index))))
        };
        let (above, below): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(reads_subquery);
        let plan = attachments.into_iter().fold(filter(plan, below), |plan, subquery| subquery.attach(plan));
        filter(plan, above)
    }

    /// A condition with subqueries of its own.
    pub(super) fn bind_filter(
        &mut self,
        condition: Option<&ast::Expr>,
        clause: Clause,
        construct: &'static str,
    ) -> Result<BoundFilter> {
        let Some(condition) = condition else { return Ok(BoundFilter::default()) };
        self.level().clause = clause;
        let terms = self.bind_terms(condition, construct)?;
        let attachments = std::mem::take(&mut self.level().attachments);
        Ok(BoundFilter { terms, attachments })
    }

    /// What follows the groups: result columns, DISTINCT, ORDER BY, locks, LIMIT.
    fn assemble(
        &mut self,
        plan: LogicalPlan,
        parts: Parts,
        query: &Query,
        distinct: &Distinct,
        limit: BoundLimit,
    ) -> Result<Rows> {
        let Parts { mut items, order, on, attachments, .. } = parts;
        let plan = attachments.into_iter().fold(plan, |plan, subquery| subquery.attach(plan));
        let width = items.len();
        let output: Vec<(Arc<str>, bool)> =
            items.iter().map(|item| (Arc::clone(&item.name), item.expr.nullable())).collect();
        let order: Vec<BoundKey> = order.into_iter().map(|key| key.into_item(&mut items)).collect();
        let on: Vec<BoundKey> = on.into_iter().map(|key| key.into_item(&mut items)).collect();
        let targets = self.lock_targets(query)?;
        for target in &targets {
            let declared = DataType::BigInt;
            let expr = self.columns.read(target.row_id);
            items.push(Item { name: "row_id".into(), expr, declared });
        }
        let exact = *distinct == Distinct::Rows;
        let (mut plan, ids) = self.project(plan, &items, exact);
        let key = |binder: &Self, key: &BoundKey| SortKey {
            expr: binder.columns.read_as(ids[key.item()], items[key.item()].expr.nullable()),
            descending: key.descending,
            nulls_first: key.nulls_first,
        };
        let order: Vec<SortKey> = order.iter().map(|bound| key(self, bound)).collect();
        if exact {
            plan = LogicalPlan::Distinct(logical::Distinct { input: Box::new(plan), on: None });
        }
        if !order.is_empty() {
            plan = LogicalPlan::Sort(Sort { input: Box::new(plan), keys: order.clone() });
        }
        if !on.is_empty() {
            let on = on.iter().map(|bound| key(self, bound).expr).collect();
            plan = LogicalPlan::Distinct(logical::Distinct { input: Box::new(plan), on: Some(on) });
        }
        if !targets.is_empty() {
            plan = LogicalPlan::Lock(Lock { input: Box::new(plan), targets });
        }
        let output = output.into_iter().zip(&ids[..width]);
        let output = output.map(|((name, nullable), &id)| Output { name, id, nullable }).collect();
        Ok(Rows { plan: limit.apply(plan, order), output })
    }

    /// The result columns, with stars expanded.
    pub(super) fn bind_items(&mut self, items: &[SelectItem]) -> Result<Vec<Item>> {
        self.level().clause = Clause::Select;
        self.bind_targets(items)
    }

    /// As [`bind_items`](Self::bind_items), in the clause that is being bound.
    pub(super) fn bind_targets(&mut self, items: &[SelectItem]) -> Result<Vec<Item>> {
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SelectItem::Expr { expr, alias } => {
                    let value = self.bind_expr(expr)?;
                    value.check_depth().at(expr.position)?;
                    let name = match alias {
                        Some(alias) => alias.name.clone(),
                        None => super::naming::column_name(expr),
                    };
                    let declared = match &expr.kind {
                        ast::ExprKind::Cast { to, .. } => {
                            super::resolve_type(to).unwrap_or_else(|_| value.data_type())
                        }
                        _ => self.declared(&value),
                    };
                    bound.push(Item { name: name.into(), expr: value, declared });
                }
                SelectItem::Wildcard { qualifier, exclude, position } => {
                    self.bind_wildcard(qualifier, exclude, *position, &mut bound)?;
                }
            }
        }
        super::from::check_width(bound.len())?;
        Ok(bound)
    }

    /// The type a client is told: a column's own, else what the expression says.
    fn declared(&self, expr: &Expr) -> DataType {
        match expr {
            Expr::Column { index, .. } => self.columns.get(ColumnId::of_index(*index)).declared,
            other => other.declared_type(),
        }
    }

    /// Literals that are result columns and have no type are text.
    pub(super) fn resolve_items(&mut self, items: &mut [Item]) -> Result<()> {
        items.iter_mut().try_for_each(|item| self.resolve_item(item))
    }

    /// As [`resolve_items`](Self::resolve_items), for one of them.
    pub(super) fn resolve_item(&mut self, item: &mut Item) -> Result<()> {
        if item.expr.data_type() == DataType::Unknown {
            let expr = std::mem::replace(&mut item.expr, Expr::boolean(true));
            item.expr = expr.resolve_unknown()?;
            item.declared = DataType::Text;
            self.settle(&item.expr, 0)?;
        }
        Ok(())
    }

    /// `*` and `table.*`
    fn bind_wildcard(
        &mut self,
        qualifier: &[Ident],
        exclude: &[Ident],
        position: Position,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        let (level, columns) = if let Some(table) = qualifier.last() {
            let schema = qualifier.len().checked_sub(2).map(|index| qualifier[index].name.as_str());
            match self.find_entry(schema, table, position)? {
                Some((level, entry)) => (level, self.levels[level].entries[entry].columns.clone()),
                None => return Err(self.missing_entry(schema, table).at(position)),
            }
        } else {
            let level = self.levels.len() - 1;
            let entries = &self.levels[level].entries;
            if !entries.iter().any(|entry| entry.plain) {
                return Err(Error::from(BindingError::StarWithoutTables).at(position));
            }
            let plain = entries.iter().filter(|entry| entry.plain);
            (level, plain.flat_map(|entry| entry.columns.iter().cloned()).collect())
        };
        for name in exclude {
            if !columns.iter().any(|column| *column.name == *name.name) {
                let error = BindingError::UndefinedColumn { table: None, name: name.name.clone() };
                return Err(Error::from(error).at(name.position));
            }
        }
        for column in columns {
            if exclude.iter().any(|name| *name.name == *column.name) {
                continue;
            }
            let expr = self.read(level, &column, position);
            items.push(Item { name: column.name, expr, declared: column.declared });
        }
        Ok(())
    }

    /// Rows of groups and of different values are no rows of tables.
    fn check_locks(&self, query: &Query, select: &Select, grouped: bool) -> Result<()> {
        let Some(lock) = query.locks.first() else { return Ok(()) };
        let what = if select.distinct != Distinct::All {
            "DISTINCT clause"
        } else if select.group_by != GroupBy::None {
            "GROUP BY clause"
        } else if select.having.is_some() {
            "HAVING clause"
        } else if grouped {
            "aggregate functions"
        } else {
            return Ok(());
        };
        Err(locks_refused(lock.strength, what)).at(lock.position)
    }

    /// The tables whose rows FOR UPDATE and its kin lock.
    fn lock_targets(&mut self, query: &Query) -> Result<Vec<LockTarget>> {
        let mut targets: Vec<LockTarget> = Vec::new();
        for lock in &query.locks {
            let strength = match lock.strength {
                ast::LockStrength::Update => RowLock::Update,
                ast::LockStrength::NoKeyUpdate => RowLock::NoKeyUpdate,
                ast::LockStrength::Share => RowLock::Share,
                ast::LockStrength::KeyShare => RowLock::KeyShare,
            };
            let wait = match lock.wait {
                ast::LockWait::Block => LockWait::Block,
                ast::LockWait::SkipLocked => LockWait::SkipLocked,
                ast::LockWait::NoWait => LockWait::NoWait,
            };
            let entries = &self.level().entries;
            let mut chosen = Vec::new();
            if lock.of.is_empty() {
                chosen.extend(entries.iter().filter(|entry| entry.table.is_some()));
            }
            for name in &lock.of {
                let found = entries.iter().find(|entry| entry.alias.as_deref() == Some(&name.name.name));
                match found {
                    Some(entry) => chosen.push(entry),
                    None => {
                        let strength = strength_name(lock.strength);
                        let error = BindingError::LockOfUnknown { strength, name: name.name.name.clone() };
                        return Err(Error::from(error).at(name.position()));
                    }
                }
            }
            for entry in chosen {
                let (Some(table), Some(row_id)) = (&entry.table, entry.row_id) else { continue };
                match targets.iter_mut().find(|target| target.row_id == row_id) {
                    // The stronger lock counts, and the more impatient wait.
                    Some(target) => target.strength = target.strength.min(strength),
                    None => targets.push(LockTarget { table: Arc::clone(table), row_id, strength, wait }),
                }
            }
        }
        Ok(targets)
    }
}
