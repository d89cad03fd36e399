//! Which orders of a tree of joins give the rows of the tree.
//!
//! Inner joins may be done in any order; other joins only where the laws of association allow it: `(a LEFT b) JOIN c`
//! is `(a JOIN c) LEFT b` if `c` is joined to `a`, and nothing else if it is joined to `b`. Detecting what conflicts is
//! algorithm CD-C of Moerkotte, Fender and Eich, "On the correct and complete enumeration of the core search space"
//! (SIGMOD 2013).
//!
//! Each join of the tree becomes an *operator* with the relations it needs on each of its sides, and with rules "with any
//! of these, all of those". First it needs the relations its conditions read, at least one of each side. For each join
//! below it the laws say whether the two may change places; where they may not, a rule keeps the sides of the lower join
//! together. Rules that always hold become needed relations.
//!
//! An inner join becomes an operator for each set of relations that some of its conditions read: a condition is a filter
//! of the product of its sides, and takes effect as soon as everything it needs is together. An inner join without
//! conditions is a *product*, needed only where nothing else connects its sides.

use super::super::push_down::refuses_null;
use super::relations::RelationSet;
use crate::expr::{Expr, Volatility};
use crate::plan::logical::JoinKind;
use std::collections::HashMap;

/// A join of the tree as it is written. Right joins are written as left ones.
pub(super) struct WrittenJoin {
    pub(super) kind: JoinKind,
    pub(super) conditions: Vec<Expr>,
    /// All relations of each side.
    pub(super) left: RelationSet,
    pub(super) right: RelationSet,
}

/// With any of some relations, all of others.
#[derive(Clone, Copy)]
struct Rule {
    any: RelationSet,
    all: RelationSet,
}

/// A join, or some conditions of an inner one, that may take effect at different places.
pub(super) struct Operator {
    pub(super) kind: JoinKind,
    pub(super) conditions: Vec<Expr>,
    /// What it needs on each side; an inner one needs it anywhere.
    pub(super) left: RelationSet,
    pub(super) right: RelationSet,
    /// An inner join without conditions.
    pub(super) is_product: bool,
    rules: Vec<Rule>,
}

impl Operator {
    pub(super) fn is_inner(&self) -> bool {
        self.kind == JoinKind::Inner
    }

    /// Everything it needs.
    pub(super) fn needs(&self) -> RelationSet {
        self.left | self.right
    }

    /// Whether its rules hold in a set.
    pub(super) fn allows(&self, set: RelationSet) -> bool {
        self.rules.iter().all(|rule| !rule.any.intersects(set) || rule.all.is_within(set))
    }

    /// Whether one side of it can be made of each set.
    pub(super) fn fits(&self, left: RelationSet, right: RelationSet) -> bool {
        self.left.is_within(left) && self.right.is_within(right)
    }
}

/// The relation that makes each column.
pub(super) type Makers = HashMap<usize, usize>;

/// The operators of a tree whose joins are in post-order.
pub(super) fn operators(joins: Vec<WrittenJoin>, makers: &Makers) -> Vec<Operator> {
    let detector = Detector { joins: &joins, makers };
    let rules: Vec<Vec<Rule>> = (0..joins.len()).map(|number| detector.rules(number)).collect();
    let read: Vec<Vec<RelationSet>> = joins
        .iter()
        .map(|join| join.conditions.iter().map(|condition| detector.needs(join, condition)).collect())
        .collect();
    let mut operators = Vec::new();
    for ((join, rules), read) in joins.into_iter().zip(rules).zip(read) {
        let mut parts: Vec<(RelationSet, Vec<Expr>)> = Vec::new();
        if join.kind == JoinKind::Inner && !join.conditions.is_empty() {
            for (condition, read) in join.conditions.into_iter().zip(read) {
                match parts.iter_mut().find(|(needs, _)| *needs == read) {
                    Some((_, conditions)) => conditions.push(condition),
                    None => parts.push((read, vec![condition])),
                }
            }
        } else {
            let read = if read.is_empty() { join.left | join.right } else { read.into_iter().collect() };
            parts.push((read, join.conditions));
        }
        for (read, conditions) in parts {
            let (needs, rules) = close(read, rules.clone());
            let (left, right) = (needs.common(join.left), needs.common(join.right));
            let kind = join.kind.clone();
            let is_product = kind == JoinKind::Inner && conditions.is_empty();
            operators.push(Operator { kind, conditions, left, right, is_product, rules });
        }
    }
    operators
}

/// The relations that follow from some by the rules, and the rules that are left.
fn close(mut needs: RelationSet, mut rules: Vec<Rule>) -> (RelationSet, Vec<Rule>) {
    loop {
        let before = needs;
        for rule in rules.iter().filter(|rule| rule.any.intersects(before)) {
            needs |= rule.all;
        }
        rules.retain(|rule| !rule.all.is_within(needs));
        if needs == before {
            return (needs, rules);
        }
    }
}

struct Detector<'a> {
    joins: &'a [WrittenJoin],
    makers: &'a Makers,
}

impl Detector<'_> {
    /// The relations that a condition of a join reads, and all of a side of which it reads none. What is volatile stays
    /// where it is written.
    fn needs(&self, join: &WrittenJoin, condition: &Expr) -> RelationSet {
        if condition.volatility() == Volatility::Volatile {
            return join.left | join.right;
        }
        let maker = |column: &usize| self.makers.get(column).map(|&relation| RelationSet::of(relation));
        let mut read: RelationSet = condition.columns().iter().filter_map(maker).collect();
        for side in [join.left, join.right] {
            if !read.intersects(side) {
                read |= side;
            }
        }
        read
    }

    fn needs_of_all(&self, join: &WrittenJoin) -> RelationSet {
        if join.conditions.is_empty() {
            return join.left | join.right;
        }
        join.conditions.iter().map(|condition| self.needs(join, condition)).collect()
    }

    /// What keeps the joins below one from changing places with it.
    fn rules(&self, number: usize) -> Vec<Rule> {
        let upper = &self.joins[number];
        let mut rules = Vec::new();
        for lower in &self.joins[..number] {
            let (left, right) = (lower.left, lower.right);
            let read = self.needs_of_all(lower);
            if (left | right).is_within(upper.left) {
                if !self.associates(lower, upper, right) {
                    rules.push(Rule { any: right, all: read.common(left) });
                }
                if !self.exchanges_right_sides(lower, upper, left) {
                    rules.push(Rule { any: left, all: read.common(right) });
                }
            } else if (left | right).is_within(upper.right) {
                if !self.associates(upper, lower, left) {
                    rules.push(Rule { any: left, all: read.common(right) });
                }
                if !self.exchanges_left_sides(upper, lower, right) {
                    rules.push(Rule { any: right, all: read.common(left) });
                }
            }
        }
        rules
    }

    /// Whether `(x first y) second z` is `x first (y second z)`, where `second` reads `y`, made of `middle`.
    fn associates(&self, first: &WrittenJoin, second: &WrittenJoin, middle: RelationSet) -> bool {
        use JoinKind::{Anti, Full, Inner, Left, Semi};
        match (&first.kind, &second.kind) {
            (Inner, Inner | Semi | Anti | Left) => true,
            (Left | Full, Left) => self.refuses_null(second, middle),
            (Full, Full) => self.refuses_null(first, middle) && self.refuses_null(second, middle),
            _ => false,
        }
    }

    /// Whether `(x first y) second z` is `(x second z) first y`, where both read `x`, made of `shared`.
    fn exchanges_right_sides(&self, first: &WrittenJoin, second: &WrittenJoin, shared: RelationSet) -> bool {
        use JoinKind::{Anti, Full, Inner, Left, Semi};
        match (&first.kind, &second.kind) {
            (Inner | Semi | Anti | Left, Inner | Semi | Anti | Left) => true,
            (Left, Full) => self.refuses_null(first, shared),
            (Full, Left) => self.refuses_null(second, shared),
            (Full, Full) => self.refuses_null(first, shared) && self.refuses_null(second, shared),
            _ => false,
        }
    }

    /// Whether `x first (y second z)` is `y second (x first z)`, where both read `z`, made of `shared`.
    fn exchanges_left_sides(&self, first: &WrittenJoin, second: &WrittenJoin, shared: RelationSet) -> bool {
        match (&first.kind, &second.kind) {
            (JoinKind::Inner, JoinKind::Inner) => true,
            (JoinKind::Full, JoinKind::Full) => {
                self.refuses_null(first, shared) && self.refuses_null(second, shared)
            }
            _ => false,
        }
    }

    /// Whether a join has no partner for a row whose columns of some relations are all NULL.
    fn refuses_null(&self, join: &WrittenJoin, relations: RelationSet) -> bool {
        let made = |(_, relation): &(&usize, &usize)| RelationSet::of(**relation).is_within(relations);
        let columns = self.makers.iter().filter(made).map(|(&column, _)| column).collect();
        join.conditions.iter().any(|condition| refuses_null(condition, &columns))
    }
}
