//! Joins of FROM: their conditions, the columns that USING and NATURAL merge, and what can be seen of their sides.

use super::query::filter;
use super::scope::{Clause, Entry, ScopeColumn};
use super::{At as _, Binder, not_supported};
use crate::error::{BindingError, Result};
use crate::expr::resolve::common_type;
use crate::expr::{CompareOp, Expr};
use crate::parser::ast::{self, Alias, Ident, JoinCondition, TableRef};
use crate::plan::logical::{Join, JoinKind, LogicalPlan};
use crate::types::CastContext;
use std::ops::Range;
use std::sync::Arc;

/// The join of two plans, dependent if the right one reads columns of the left one.
pub(super) fn join(
    kind: JoinKind,
    left: LogicalPlan,
    right: LogicalPlan,
    conditions: Vec<Expr>,
) -> LogicalPlan {
    let outer = right.outer_columns();
    let dependent = !outer.is_empty() && left.columns().iter().any(|id| outer.contains(id));
    LogicalPlan::Join(Box::new(Join { kind, dependent, left, right, conditions }))
}

/// The entries of a join's sides.
struct Sides {
    left: Range<usize>,
    right: Range<usize>,
}

/// A column of both sides that USING or NATURAL makes one.
struct Merged {
    name: Arc<str>,
    left: ScopeColumn,
    right: ScopeColumn,
}

impl Binder<'_> {
    /// `first JOIN table JOIN table ..`
    pub(super) fn bind_joins(
        &mut self,
        first: &TableRef,
        joins: &[ast::Join],
        alias: Option<&Alias>,
    ) -> Result<LogicalPlan> {
        let start = self.level().entries.len();
        let mut plan = self.bind_table_ref(first)?;
        for join in joins {
            plan = self.bind_join(plan, start, join)?;
        }
        if let Some(alias) = alias {
            self.rename_join(start, alias)?;
        }
        Ok(plan)
    }

    fn bind_join(&mut self, left: LogicalPlan, start: usize, join: &ast::Join) -> Result<LogicalPlan> {
        self.count_node().at(join.position)?;
        let middle = self.level().entries.len();
        let combines = !matches!(join.kind, ast::JoinKind::Right | ast::JoinKind::Full);
        let forbidden = |binder: &mut Self, forbidden| {
            for entry in &mut binder.level().entries[start..middle] {
                entry.forbidden = forbidden;
            }
        };
        forbidden(self, !combines);
        let right = self.bind_table_ref(&join.right)?;
        forbidden(self, false);
        let sides = Sides { left: start..middle, right: middle..self.level().entries.len() };
        self.check_aliases(sides.left.clone(), sides.right.clone())?;
        let kind = match join.kind {
            ast::JoinKind::Inner | ast::JoinKind::Cross => JoinKind::Inner,
            ast::JoinKind::Left => JoinKind::Left,
            ast::JoinKind::Right => JoinKind::Right,
            ast::JoinKind::Full => JoinKind::Full,
        };
        let (mut merged, conditions) = match &join.condition {
            JoinCondition::None => (Vec::new(), Vec::new()),
            JoinCondition::On(condition) => (Vec::new(), self.bind_on(condition, start)?),
            JoinCondition::Using { columns, .. } => self.bind_using(columns, &sides)?,
            JoinCondition::Natural => {
                let columns = self.common_columns(&sides);
                self.bind_using(&columns, &sides)?
            }
        };
        let plan = self.join_on(kind.clone(), left, right, conditions).at(join.position)?;
        self.mark_nullable(&kind, &sides, &mut merged);
        self.add_join_entry(&kind, &sides, merged)?;
        if let JoinCondition::Using { columns, alias: Some(alias) } = &join.condition {
            self.add_using_alias(alias, columns.len())?;
        }
        Ok(plan)
    }

    /// The condition of ON sees the two sides of its join only.
    fn bind_on(&mut self, condition: &ast::Expr, start: usize) -> Result<Vec<Expr>> {
        let level = self.level();
        level.clause = Clause::JoinOn;
        let visible_from = std::mem::replace(&mut level.visible_from, start);
        let terms = self.bind_terms(condition, "JOIN/ON");
        let level = self.level();
        level.visible_from = visible_from;
        level.clause = Clause::FromFunction;
        terms
    }

    /// The join with subqueries that its condition reads. Those of an outer join are joined to the side that has no
    /// row to lose, which then depends on the other: `l LEFT JOIN LATERAL (SELECT * FROM r WHERE condition) ON true`.
    fn join_on(
        &mut self,
        kind: JoinKind,
        left: LogicalPlan,
        right: LogicalPlan,
        conditions: Vec<Expr>,
    ) -> Result<LogicalPlan> {
        if self.level().attachments.is_empty() {
            return Ok(join(kind, left, right, conditions));
        }
        match kind {
            JoinKind::Inner => {
                let plan = join(JoinKind::Inner, left, right, Vec::new());
                Ok(filter(self.level().attach(plan), conditions))
            }
            JoinKind::Left => {
                let right = filter(self.level().attach(right), conditions);
                Ok(join(JoinKind::Left, left, right, Vec::new()))
            }
            JoinKind::Right => {
                let left = filter(self.level().attach(left), conditions);
                Ok(join(JoinKind::Left, right, left, Vec::new()))
            }
            _ => Err(not_supported("FULL JOIN with a subquery in its condition")),
        }
    }

    /// The names that both sides have, in the order of the left one.
    fn common_columns(&mut self, sides: &Sides) -> Vec<Ident> {
        let entries = &self.level().entries;
        let rights = visible(&entries[sides.right.clone()]);
        let mut names: Vec<Ident> = Vec::new();
        for column in visible(&entries[sides.left.clone()]) {
            let is_common = rights.iter().any(|right| right.name == column.name);
            if is_common && !names.iter().any(|name| *name.name == *column.name) {
                names.push(Ident { name: column.name.to_string(), position: 0 });
            }
        }
        names
    }

    fn bind_using(&mut self, columns: &[Ident], sides: &Sides) -> Result<(Vec<Merged>, Vec<Expr>)> {
        let mut merged: Vec<Merged> = Vec::with_capacity(columns.len());
        let mut conditions = Vec::with_capacity(columns.len());
        for column in columns {
            let name = &column.name;
            if merged.iter().any(|merged| *merged.name == **name) {
                return Err(BindingError::DuplicateUsing { name: name.clone() }.into());
            }
            let entries = &self.level().entries;
            let left = only(&visible(&entries[sides.left.clone()]), name, "left")?;
            let right = only(&visible(&entries[sides.right.clone()]), name, "right")?;
            conditions.push(Expr::compare(CompareOp::Equal, left.expr.clone(), right.expr.clone())?);
            merged.push(Merged { name: name.as_str().into(), left, right });
        }
        Ok((merged, conditions))
    }

    /// Rows of a side that finds no match are filled with NULL, in the columns that are merged too.
    fn mark_nullable(&mut self, kind: &JoinKind, sides: &Sides, merged: &mut [Merged]) {
        let (left, right) = match kind {
            JoinKind::Left => (false, true),
            JoinKind::Right => (true, false),
            JoinKind::Full => (true, true),
            _ => return,
        };
        let mark = |column: &mut ScopeColumn| {
            column.expr.rewrite(&mut |node| {
                if let Expr::Column { nullable, .. } = node {
                    *nullable = true;
                }
            });
        };
        let ranges = [left.then(|| sides.left.clone()), right.then(|| sides.right.clone())];
        for range in ranges.into_iter().flatten() {
            self.level().entries[range].iter_mut().flat_map(|entry| &mut entry.columns).for_each(mark);
        }
        for column in merged {
            if left {
                mark(&mut column.left);
            }
            if right {
                mark(&mut column.right);
            }
        }
    }

    /// Adds the join itself: merged columns first, then the rest of both sides, whose plain names are seen through it.
    fn add_join_entry(&mut self, kind: &JoinKind, sides: &Sides, merged: Vec<Merged>) -> Result<()> {
        let entries = &self.level().entries;
        let rest = |range: &Range<usize>| {
            visible(&entries[range.clone()])
                .into_iter()
                .filter(|column| !merged.iter().any(|merged| merged.name == column.name))
        };
        let (lefts, rights): (Vec<_>, Vec<_>) = (rest(&sides.left).collect(), rest(&sides.right).collect());
        let mut columns = Vec::with_capacity(merged.len() + lefts.len() + rights.len());
        for column in merged {
            columns.push(merge(kind, column)?);
        }
        columns.extend(lefts);
        columns.extend(rights);
        let level = self.level();
        for entry in &mut level.entries[sides.left.start..sides.right.end] {
            entry.plain = false;
        }
        level.entries.push(Entry {
            alias: None,
            renamed: false,
            table: None,
            is_join: true,
            columns,
            row_id: None,
            qualified: false,
            plain: true,
            forbidden: false,
        });
        Ok(())
    }

    /// `JOIN .. USING (a, b) AS alias`: a name for the merged columns, beside the other names.
    fn add_using_alias(&mut self, alias: &Ident, merged: usize) -> Result<()> {
        let level = self.level();
        let columns = level.entries.last().map_or(Vec::new(), |join| join.columns[..merged].to_vec());
        level.entries.push(Entry {
            alias: Some(alias.name.as_str().into()),
            renamed: true,
            table: None,
            is_join: true,
            columns,
            row_id: None,
            qualified: true,
            plain: false,
            forbidden: false,
        });
        Ok(())
    }

    /// `(a JOIN b) AS alias`: the sides cannot be seen any more.
    fn rename_join(&mut self, start: usize, alias: &Alias) -> Result<()> {
        let level = self.level();
        for entry in &mut level.entries[start..] {
            entry.qualified = false;
        }
        let Some(join) = level.entries[start..].iter_mut().rfind(|entry| entry.plain) else { return Ok(()) };
        join.alias = Some(alias.name.name.as_str().into());
        join.renamed = true;
        join.qualified = true;
        super::from::rename_columns(join, alias)
    }

    /// No two tables that can be seen together may have one name.
    pub(super) fn check_aliases(&mut self, left: Range<usize>, right: Range<usize>) -> Result<()> {
        let entries = &self.level().entries;
        for entry in entries[right].iter().filter(|entry| entry.qualified) {
            let clash = entries[left.clone()].iter().filter(|other| other.qualified).any(|other| {
                let different_tables = match (&entry.table, &other.table) {
                    (Some(a), Some(b)) => !entry.renamed && !other.renamed && a.oid != b.oid,
                    _ => false,
                };
                other.alias == entry.alias && !different_tables
            });
            if clash {
                let name = entry.alias.as_deref().unwrap_or_default().to_owned();
                return Err(BindingError::DuplicateAlias { name }.into());
            }
        }
        Ok(())
    }
}

/// The columns that can be seen without their table.
fn visible(entries: &[Entry]) -> Vec<ScopeColumn> {
    entries.iter().filter(|entry| entry.plain).flat_map(|entry| entry.columns.iter().cloned()).collect()
}

/// The one column of that name.
fn only(columns: &[ScopeColumn], name: &str, side: &'static str) -> Result<ScopeColumn> {
    let mut found = columns.iter().filter(|column| &*column.name == name);
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column.clone()),
        (Some(_), Some(_)) => Err(BindingError::AmbiguousUsing { name: name.to_owned(), side }.into()),
        (None, _) => Err(BindingError::UndefinedUsing { name: name.to_owned(), side }.into()),
    }
}

/// What a merged column stands for: the side that always has a value, or in a full join the one that has.
fn merge(kind: &JoinKind, column: Merged) -> Result<ScopeColumn> {
    let Merged { name, left, right } = column;
    let ty = common_type(&[left.expr.data_type(), right.expr.data_type()], "JOIN/USING")?;
    let declared =
        if left.declared == right.declared { left.declared } else { crate::expr::without_modifiers(ty) };
    let keeps = |column: &ScopeColumn| column.expr.data_type() == ty;
    let expr = match kind {
        JoinKind::Full => Expr::coalesce(vec![left.expr, right.expr])?,
        JoinKind::Right => right.expr.cast(ty, CastContext::Implicit)?,
        JoinKind::Inner if !keeps(&left) && keeps(&right) => right.expr,
        _ => left.expr.cast(ty, CastContext::Implicit)?,
    };
    Ok(ScopeColumn { name, expr, declared })
}
