//! The order of joins.
//!
//! ```text
//!   tree of joins -> relations, written joins -> operators, rules -> cheapest allowed order -> tree of joins
//!                    mod.rs                      conflict.rs         search.rs                 mod.rs
//! ```
//! A tree has inner, left, full, semi and anti joins; what is under it, other joins and the right sides of semi and anti
//! joins included, are its relations, each a plan whose own trees are ordered by themselves.
//!
//! 1. An order is made of pairs of sets of relations. Every operator takes effect once, where the last relation that it
//!    needs comes to it.
//! 2. The order that is written is always allowed.

mod conflict;
mod relations;
mod search;
#[cfg(test)]
mod tests;

use super::cardinality::Estimator;
use crate::plan::logical::{Filter, Join, JoinKind, LogicalPlan};
use conflict::{Cut, Makers, Operators, WrittenJoin};
use relations::RelationSet;
use search::{MAX_STEPS, Search};
use std::collections::HashMap;

/// Orders all joins of a plan.
pub(super) fn reorder(plan: LogicalPlan, estimator: &Estimator<'_>) -> LogicalPlan {
    match plan {
        LogicalPlan::Join(join) if is_ordered(&join) => {
            let mut tree = Tree::default();
            // The uppermost join is always one of the tree; each of its sides is in it too if it fits.
            tree.add_join(*join, estimator);
            tree.order(estimator, MAX_STEPS)
        }
        mut other => {
            for input in other.inputs_mut() {
                let old = std::mem::replace(input, LogicalPlan::one_row());
                *input = reorder(old, estimator);
            }
            other
        }
    }
}

/// Whether a join may change places with others.
fn is_ordered(join: &Join) -> bool {
    !join.dependent && !matches!(join.kind, JoinKind::Single | JoinKind::Mark { .. })
}

/// The relations of a tree of joins.
fn relations_of(plan: &LogicalPlan) -> usize {
    match plan {
        LogicalPlan::Join(join) if is_ordered(join) => {
            let right = if has_closed_right_side(&join.kind) { 1 } else { relations_of(&join.right) };
            relations_of(&join.left) + right
        }
        _ => 1,
    }
}

/// Whether no order takes the right side apart.
fn has_closed_right_side(kind: &JoinKind) -> bool {
    matches!(kind, JoinKind::Semi | JoinKind::Anti)
}

#[derive(Default)]
struct Tree {
    relations: Vec<LogicalPlan>,
    makers: Makers,
    /// In post-order.
    joins: Vec<WrittenJoin>,
}

impl Tree {
    /// Adds a plan that may be a join of this tree.
    fn add(&mut self, plan: LogicalPlan, estimator: &Estimator<'_>) -> RelationSet {
        let fits = self.relations.len() + relations_of(&plan) < RelationSet::CAPACITY;
        match plan {
            LogicalPlan::Join(join) if is_ordered(&join) && fits => self.add_join(*join, estimator),
            other => self.add_relation(other, estimator),
        }
    }

    fn add_relation(&mut self, plan: LogicalPlan, estimator: &Estimator<'_>) -> RelationSet {
        let relation = reorder(plan, estimator);
        let number = self.relations.len();
        self.makers.extend(relation.columns().into_iter().map(|id| (id.index(), number)));
        self.relations.push(relation);
        RelationSet::of(number)
    }

    fn add_join(&mut self, join: Join, estimator: &Estimator<'_>) -> RelationSet {
        let Join { mut kind, mut left, mut right, conditions, .. } = join;
        if kind == JoinKind::Right {
            kind = JoinKind::Left;
            std::mem::swap(&mut left, &mut right);
        }
        let left = self.add(left, estimator);
        let right = if has_closed_right_side(&kind) {
            self.add_relation(right, estimator)
        } else {
            self.add(right, estimator)
        };
        self.joins.push(WrittenJoin { kind, conditions, left, right });
        left | right
    }

    /// The tree in the best order found in so many steps.
    fn order(self, estimator: &Estimator<'_>, steps: usize) -> LogicalPlan {
        let Self { relations, makers, joins } = self;
        let written: HashMap<RelationSet, RelationSet> =
            joins.iter().map(|join| (join.left | join.right, join.left)).collect();
        let operators = Operators::of(&joins, &makers);
        // Of two relations there is one order.
        let found = if relations.len() > 2 {
            let rows = |relation| estimator.rows(relation).max(1.0);
            let sizes: Vec<f64> = relations.iter().map(rows).collect();
            Search::new(&sizes, &operators, estimator, steps).run()
        } else {
            None
        };
        let all = (0..relations.len()).map(RelationSet::of).collect();
        let relations = relations.into_iter().map(Some).collect();
        Assembly { parts: found.unwrap_or(written), operators, relations }.plan(all)
    }
}

/// Makes the plan of an order.
struct Assembly {
    /// By set of relations that is joined, one of its two parts.
    parts: HashMap<RelationSet, RelationSet>,
    operators: Operators,
    relations: Vec<Option<LogicalPlan>>,
}

impl Assembly {
    fn plan(&mut self, set: RelationSet) -> LogicalPlan {
        if set.len() == 1 {
            let relation = set.first().and_then(|number| self.relations[number].take());
            return relation.expect("an order has each relation once");
        }
        let one = self.parts[&set];
        let other = set - one;
        let Cut { outer, inner } = self.operators.cut(one, other).expect("the order is allowed");
        let (one, other) = (self.plan(one), self.plan(other));
        let mut filters = Vec::new();
        for number in inner {
            filters.append(&mut self.operators.list[number].conditions);
        }
        let (kind, conditions, is_turned) = match outer {
            None => (JoinKind::Inner, std::mem::take(&mut filters), false),
            Some((number, is_turned)) => {
                let operator = &mut self.operators.list[number];
                (operator.kind.clone(), std::mem::take(&mut operator.conditions), is_turned)
            }
        };
        let (left, right) = if is_turned { (other, one) } else { (one, other) };
        let join = LogicalPlan::Join(Box::new(Join { kind, dependent: false, left, right, conditions }));
        if filters.is_empty() {
            return join;
        }
        LogicalPlan::Filter(Filter { input: Box::new(join), conditions: filters })
    }
}
