//! Which orders of a tree of joins give the rows of the tree.
//!
//! Inner joins may be done in any order; other joins only where the laws of association allow it: `(a LEFT b) JOIN c`
//! is `(a JOIN c) LEFT b` if `c` is joined to `a`, and nothing else if it is joined to `b`. Detecting what conflicts is
//! algorithm CD-C of Moerkotte, Fender and Eich, "On the correct and complete enumeration of the core search space"
//! (SIGMOD 2013).
//!
//! Each join of the tree becomes an *operator* with the relations it needs on each of its sides, and with rules "with any
//! of these, all of those". First it needs the relations that its conditions read, and all of a side of which they read
//! none. For each join below it the laws say whether the two may change places; where they may not, a rule keeps the
//! sides of the lower join together. Rules that always hold become needed relations.
//!
//! An inner join becomes an operator for each set of relations that some of its conditions read: a condition is a filter
//! of the product of its sides, and takes effect as soon as everything it needs is together. Beside that it allows
//! *products*: of anything its left side still shows with anything its right side does, if its rules hold.
//!
//! What is volatile is asked for the rows it is written for. What may fail is asked for no rows that a join below would
//! have dropped, but for inner joins.

use super::relations::RelationSet;
use crate::expr::fold::may_fail;
use crate::expr::{CompareOp, Expr};
use crate::optimizer::push_down::{is_volatile, refuses_null};
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
    /// The relations of the sides of its equalities.
    keys: Vec<(RelationSet, RelationSet)>,
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

    /// Whether its sides can be made of these sets.
    fn fits(&self, left: RelationSet, right: RelationSet) -> bool {
        self.left.is_within(left) && self.right.is_within(right)
    }

    /// Whether it asks that something of one set is equal to something of the other.
    pub(super) fn has_key(&self, one: RelationSet, other: RelationSet) -> bool {
        let splits = |a: RelationSet, b: RelationSet| a.is_within(one) && b.is_within(other);
        self.keys.iter().any(|&(a, b)| splits(a, b) || splits(b, a))
    }
}

/// What the sides of an inner join show: the product of any of it is allowed if the rules are.
struct Product {
    left: RelationSet,
    right: RelationSet,
    rules: Vec<Rule>,
}

fn allow(rules: &[Rule], set: RelationSet) -> bool {
    rules.iter().all(|rule| !rule.any.intersects(set) || rule.all.is_within(set))
}

/// What joins two sets; nothing if it is their product.
#[derive(Default)]
pub(super) struct Cut {
    /// The operator that is not inner, and whether the first set is its right side.
    pub(super) outer: Option<(usize, bool)>,
    /// The inner ones.
    pub(super) inner: Vec<usize>,
}

impl Cut {
    pub(super) fn is_product(&self) -> bool {
        self.outer.is_none() && self.inner.is_empty()
    }
}

/// The relation that makes each column.
pub(super) type Makers = HashMap<usize, usize>;

/// A tree without its order.
pub(super) struct Operators {
    pub(super) list: Vec<Operator>,
    products: Vec<Product>,
}

impl Operators {
    /// Of a tree whose joins are in post-order.
    pub(super) fn of(joins: &[WrittenJoin], makers: &Makers) -> Self {
        let detector = Detector::new(joins, makers);
        let mut operators = Self { list: Vec::new(), products: Vec::new() };
        for (number, join) in joins.iter().enumerate() {
            let rules = detector.rules(number);
            let mut parts: Vec<(RelationSet, Vec<&Expr>)> = Vec::new();
            if join.kind == JoinKind::Inner {
                for condition in &join.conditions {
                    let needs = detector.needs_of_inner(number, condition);
                    match parts.iter_mut().find(|(other, _)| *other == needs) {
                        Some((_, conditions)) => conditions.push(condition),
                        None => parts.push((needs, vec![condition])),
                    }
                }
            } else {
                parts.push((detector.needs[number], join.conditions.iter().collect()));
            }
            for (needs, conditions) in parts {
                let (needs, rules) = close(needs, rules.clone());
                operators.list.push(Operator {
                    kind: join.kind.clone(),
                    keys: conditions.iter().filter_map(|condition| detector.key(condition)).collect(),
                    conditions: conditions.into_iter().cloned().collect(),
                    left: needs.common(join.left),
                    right: needs.common(join.right),
                    rules,
                });
            }
            if join.kind == JoinKind::Inner {
                let (left, right) = (detector.shown(join.left), detector.shown(join.right));
                operators.products.push(Product { left, right, rules });
            }
        }
        operators
    }

    /// What joins two sets, if that is allowed: each operator takes effect where the last relation that it needs comes to
    /// it.
    pub(super) fn cut(&self, one: RelationSet, other: RelationSet) -> Option<Cut> {
        let all = one | other;
        let mut cut = Cut::default();
        for (number, operator) in self.list.iter().enumerate() {
            let needs = operator.needs();
            if !needs.is_within(all) {
                // Relations of both sides that are together will not come apart again.
                if !operator.is_inner() && operator.left.intersects(all) && operator.right.intersects(all) {
                    return None;
                }
                continue;
            }
            if needs.is_within(one) || needs.is_within(other) {
                continue;
            }
            if !allow(&operator.rules, all) {
                return None;
            }
            let (fits, fits_turned) = (operator.fits(one, other), operator.fits(other, one));
            if operator.is_inner() {
                cut.inner.push(number);
            } else if cut.outer.is_some() || !(fits || fits_turned) {
                return None;
            } else {
                cut.outer = Some((number, fits_turned));
            }
        }
        (!cut.is_product() || self.multiplies(one, other)).then_some(cut)
    }

    fn multiplies(&self, one: RelationSet, other: RelationSet) -> bool {
        let shows = |product: &Product, left: RelationSet, right: RelationSet| {
            product.left.intersects(left) && product.right.intersects(right)
        };
        self.products.iter().any(|product| {
            (shows(product, one, other) || shows(product, other, one)) && allow(&product.rules, one | other)
        })
    }
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
    /// By join, what its conditions need together.
    needs: Vec<RelationSet>,
}

impl<'a> Detector<'a> {
    fn new(joins: &'a [WrittenJoin], makers: &'a Makers) -> Self {
        let mut detector = Self { joins, makers, needs: Vec::new() };
        let needs = |join: &WrittenJoin| {
            if join.conditions.is_empty() {
                return join.left | join.right;
            }
            join.conditions.iter().map(|condition| detector.needs_of(join, condition)).collect()
        };
        detector.needs = joins.iter().map(needs).collect();
        detector
    }

    fn read(&self, expr: &Expr) -> RelationSet {
        let maker = |column: &usize| self.makers.get(column).map(|&relation| RelationSet::of(relation));
        expr.columns().iter().filter_map(maker).collect()
    }

    /// The relations that a condition of a join reads, and all of a side of which it reads none; everything for one that
    /// must not move down.
    fn needs_of(&self, join: &WrittenJoin, condition: &Expr) -> RelationSet {
        if is_volatile(condition) || join.kind != JoinKind::Inner && may_fail(condition) {
            return join.left | join.right;
        }
        let mut read = self.read(condition);
        for side in [join.left, join.right] {
            if !read.intersects(side) {
                read |= side;
            }
        }
        read
    }

    /// What a condition of an inner join needs by itself. One that may fail waits for the semi and anti joins below, which
    /// may drop the rows for which it does.
    fn needs_of_inner(&self, number: usize, condition: &Expr) -> RelationSet {
        let join = &self.joins[number];
        let mut needs = self.needs_of(join, condition);
        if may_fail(condition) {
            for (lower, of_lower) in self.joins[..number].iter().zip(&self.needs) {
                let drops = matches!(lower.kind, JoinKind::Semi | JoinKind::Anti);
                if drops && lower.left.intersects(needs) {
                    needs |= *of_lower;
                }
            }
        }
        needs
    }

    /// The sides of an equality.
    fn key(&self, condition: &Expr) -> Option<(RelationSet, RelationSet)> {
        let Expr::Compare { operator: CompareOp::Equal | CompareOp::NotDistinct, left, right } = condition
        else {
            return None;
        };
        let (left, right) = (self.read(left), self.read(right));
        (!left.is_empty() && !right.is_empty()).then_some((left, right))
    }

    /// The relations of a side whose columns are in its rows.
    fn shown(&self, side: RelationSet) -> RelationSet {
        let hides = |join: &&WrittenJoin| {
            matches!(join.kind, JoinKind::Semi | JoinKind::Anti) && join.right.is_within(side)
        };
        side - self.joins.iter().filter(hides).map(|join| join.right).collect()
    }

    /// What keeps the joins below one from changing places with it.
    fn rules(&self, number: usize) -> Vec<Rule> {
        let upper = &self.joins[number];
        let mut rules = Vec::new();
        for (lower, &read) in self.joins[..number].iter().zip(&self.needs) {
            let (left, right) = (lower.left, lower.right);
            let is_left = (left | right).is_within(upper.left);
            if !is_left && !(left | right).is_within(upper.right) {
                continue;
            }
            if lower.conditions.iter().any(is_volatile) {
                rules.push(Rule { any: left | right, all: left | right });
            } else if is_left {
                if !self.associates(lower, upper, right) {
                    rules.push(Rule { any: right, all: read.common(left) });
                }
                if !self.exchanges_right_sides(lower, upper, left) {
                    rules.push(Rule { any: left, all: read.common(right) });
                }
            } else {
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
