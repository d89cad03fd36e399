//! Columns that nobody reads are dropped where they are made, and subqueries with them whose value nobody reads.

use super::cte::has_effects;
use crate::plan::logical::{ColumnId, CteId, Join, JoinKind, LogicalPlan};
use std::collections::{HashMap, HashSet};

/// Drops what neither `wanted` nor the plan itself reads.
pub(super) fn prune(mut plan: LogicalPlan, wanted: &[ColumnId]) -> LogicalPlan {
    let mut pruner = Pruner::default();
    pruner.need(&plan, wanted.iter().copied());
    pruner.drop_unread(&mut plan);
    plan
}

#[derive(Default)]
struct Pruner {
    needed: HashSet<ColumnId>,
    /// What the readings of common table expressions that have been seen need of them.
    of_ctes: HashMap<CteId, Vec<ColumnId>>,
}

impl Pruner {
    /// Notes what a plan must make so that its reader gets `wanted`, which must be complete when a plan is visited: the
    /// body of a WITH goes before its definition.
    fn need(&mut self, plan: &LogicalPlan, wanted: impl IntoIterator<Item = ColumnId>) {
        self.needed.extend(wanted);
        self.visit(plan);
    }

    fn read(&mut self, ids: impl IntoIterator<Item = usize>) {
        self.needed.extend(ids.into_iter().map(ColumnId::of_index));
    }

    /// Whether a join with a subquery is of no use: what it would tell is not read.
    fn is_unread(&self, join: &Join) -> bool {
        match &join.kind {
            JoinKind::Mark { column, .. } => !self.needed.contains(column),
            // One that was unnested reads its right side itself.
            JoinKind::Single => {
                let read = join.right.columns().iter().any(|column| self.needed.contains(column));
                join.conditions.is_empty() && !read && !has_effects(&join.right)
            }
            JoinKind::Inner
            | JoinKind::Left
            | JoinKind::Right
            | JoinKind::Full
            | JoinKind::Semi
            | JoinKind::Anti => false,
        }
    }

    fn visit(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Join(join) if self.is_unread(join) => return self.visit(&join.left),
            LogicalPlan::Join(join) if join.dependent => {
                plan.for_each_expr(&mut |expr| self.read(expr.columns()));
                // It reads columns of the left side.
                self.visit(&join.right);
                return self.visit(&join.left);
            }
            LogicalPlan::Project(node) => {
                for column in &node.columns {
                    if self.needed.contains(&column.id) {
                        self.read(column.expr.columns());
                    }
                }
            }
            LogicalPlan::Aggregate(node) => {
                for key in &node.keys {
                    self.read(key.expr.columns());
                }
                for aggregate in &node.aggregates {
                    if self.needed.contains(&aggregate.id) {
                        let mut read = Vec::new();
                        crate::plan::for_each_argument(&aggregate.call, &mut |expr| {
                            read.extend(expr.columns())
                        });
                        self.read(read);
                    }
                }
            }
            LogicalPlan::Distinct(node) => {
                if node.on.is_none() {
                    self.needed.extend(node.input.columns());
                }
                plan.for_each_expr(&mut |expr| self.read(expr.columns()));
            }
            LogicalPlan::SetOperation(node) => {
                let all = node.all && node.operator == crate::plan::logical::SetOperator::Union;
                for (index, column) in node.columns.iter().enumerate() {
                    if !all || self.needed.contains(column) {
                        self.needed.extend(node.inputs.iter().map(|input| input.columns[index]));
                    }
                }
            }
            LogicalPlan::With(node) => {
                self.visit(&node.body);
                let read = self.of_ctes.remove(&node.cte).unwrap_or_default();
                self.needed.extend(read);
                self.visit(&node.definition);
                return;
            }
            LogicalPlan::CteScan(node) => {
                let read = node.columns.iter().filter(|(_, id)| self.needed.contains(id)).map(|&(of, _)| of);
                self.of_ctes.entry(node.cte).or_default().extend(read);
            }
            LogicalPlan::Lock(node) => self.needed.extend(node.targets.iter().map(|target| target.row_id)),
            LogicalPlan::Limit(node) => {
                self.needed.extend(node.partition.iter().copied());
                plan.for_each_expr(&mut |expr| self.read(expr.columns()));
            }
            LogicalPlan::Insert(node) => {
                self.needed.extend(node.values.iter().copied());
                plan.for_each_expr(&mut |expr| self.read(expr.columns()));
            }
            LogicalPlan::Update(node) => {
                self.needed.insert(node.row_id);
                self.needed.extend(node.old.iter().copied());
                plan.for_each_expr(&mut |expr| self.read(expr.columns()));
            }
            LogicalPlan::Delete(node) => {
                self.needed.insert(node.row_id);
            }
            LogicalPlan::Values(node) => {
                for row in &node.rows {
                    for (value, id) in row.iter().zip(&node.columns) {
                        if self.needed.contains(id) {
                            self.read(value.columns());
                        }
                    }
                }
            }
            LogicalPlan::Scan(_)
            | LogicalPlan::Series(_)
            | LogicalPlan::Input(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_) => plan.for_each_expr(&mut |expr| self.read(expr.columns())),
        }
        for input in plan.inputs() {
            self.visit(input);
        }
    }

    fn drop_unread(&self, plan: &mut LogicalPlan) {
        let needed = |id: &ColumnId| self.needed.contains(id);
        match plan {
            LogicalPlan::Scan(node) => {
                node.columns.retain(|(_, id)| needed(id));
                node.row_id = node.row_id.filter(needed);
            }
            LogicalPlan::Project(node) => node.columns.retain(|column| needed(&column.id)),
            LogicalPlan::Aggregate(node) => node.aggregates.retain(|aggregate| needed(&aggregate.id)),
            LogicalPlan::CteScan(node) => node.columns.retain(|(_, id)| needed(id)),
            LogicalPlan::Values(node) => {
                let keep: Vec<bool> = node.columns.iter().map(needed).collect();
                for row in &mut node.rows {
                    retain_at(row, &keep);
                }
                retain_at(&mut node.columns, &keep);
            }
            LogicalPlan::SetOperation(node) => {
                let all = node.all && node.operator == crate::plan::logical::SetOperator::Union;
                if all {
                    let keep: Vec<bool> = node.columns.iter().map(needed).collect();
                    for input in &mut node.inputs {
                        retain_at(&mut input.columns, &keep);
                    }
                    retain_at(&mut node.columns, &keep);
                }
            }
            LogicalPlan::Join(node) => {
                if self.is_unread(node) {
                    let left = std::mem::replace(&mut node.left, LogicalPlan::one_row());
                    *plan = left;
                    return self.drop_unread(plan);
                }
            }
            LogicalPlan::Series(_)
            | LogicalPlan::Input(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::With(_)
            | LogicalPlan::Lock(_)
            | LogicalPlan::Insert(_)
            | LogicalPlan::Update(_)
            | LogicalPlan::Delete(_) => {}
        }
        for input in plan.inputs_mut() {
            self.drop_unread(input);
        }
    }
}

fn retain_at<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter().copied();
    items.retain(|_| keep.next().unwrap_or(true));
}
