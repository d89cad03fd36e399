//! The cheapest of the orders that are allowed.
//!
//! DPhyp (Moerkotte and Neumann, "Dynamic programming strikes back", SIGMOD 2008) goes through all pairs of connected sets
//! of relations that an edge connects, the parts of a set before the set. An edge is what an operator needs of each side,
//! so most orders that are not allowed are never looked at; the rest is refused when a pair is considered. Where no order
//! without a product joins everything, products become edges too. When there are too many pairs, the allowed join with
//! the fewest rows is made until one relation is left (greedy operator ordering). That can run into a dead end, and then
//! the joins stay as they are written.
//!
//! The cost of a join is its rows and the rows of the side that is kept in memory (C_out with a build term).

use super::conflict::Operator;
use super::relations::RelationSet;
use crate::expr::{CompareOp, Expr};
use crate::optimizer::cardinality::Estimator;
use crate::plan::logical::JoinKind;
use std::collections::HashMap;

/// Sets looked at, about as many as pairs of sets considered, before the order is chosen greedily.
const MAX_STEPS: usize = 20_000;
/// The cost of trying a pair of rows that no key brings together, beside that of a row.
const PAIR_COST: f64 = 0.1;
/// What the conditions of an operator leave of the pairs of rows, at least.
const MIN_SHARE: f64 = 1e-12;

/// The best plan known for a set of relations.
#[derive(Clone, Copy)]
struct Best {
    cost: f64,
    rows: f64,
    /// One of the two sets that are joined; none for a relation.
    left: RelationSet,
}

/// What joins two sets.
pub(super) struct Cut {
    /// The operator that is not inner, and whether the first set is its right side.
    pub(super) outer: Option<(usize, bool)>,
    /// The inner ones.
    pub(super) inner: Vec<usize>,
}

/// What an edge connects.
#[derive(Clone, Copy)]
struct Edge {
    one: RelationSet,
    other: RelationSet,
}

pub(super) struct Search<'a> {
    estimator: &'a Estimator<'a>,
    operators: &'a [Operator],
    /// By operator, what its conditions leave of the pairs of rows, and whether one is an equality.
    shares: Vec<(f64, bool)>,
    edges: Vec<Edge>,
    best: HashMap<RelationSet, Best>,
    steps: usize,
}

/// There are too many orders to look at.
struct TooMany;

impl<'a> Search<'a> {
    /// For relations with these numbers of rows.
    pub(super) fn new(sizes: &[f64], operators: &'a [Operator], estimator: &'a Estimator<'a>) -> Self {
        let share = |operator: &Operator| {
            let is_equality = operator.conditions.iter().any(is_equality);
            (estimator.share(&operator.conditions).max(MIN_SHARE), is_equality)
        };
        let single = |(relation, &rows): (usize, &f64)| {
            (RelationSet::of(relation), Best { cost: 0.0, rows, left: RelationSet::EMPTY })
        };
        Self {
            estimator,
            operators,
            shares: operators.iter().map(share).collect(),
            edges: Vec::new(),
            best: sizes.iter().enumerate().map(single).collect(),
            steps: 0,
        }
    }

    /// By set of relations that is joined, one of its two parts; none if the written order must do.
    pub(super) fn run(mut self) -> Option<HashMap<RelationSet, RelationSet>> {
        let all: RelationSet = self.best.keys().copied().collect();
        for with_products in [false, true] {
            self.edges = edges(self.operators, with_products);
            if self.enumerate(all.len()).is_err() {
                self.best.retain(|set, _| set.len() == 1);
                self.edges = edges(self.operators, true);
                self.join_greedily();
                break;
            }
            if self.best.contains_key(&all) {
                break;
            }
        }
        let is_found = self.best.contains_key(&all);
        is_found.then(|| self.best.into_iter().map(|(set, best)| (set, best.left)).collect())
    }

    fn enumerate(&mut self, relations: usize) -> Result<(), TooMany> {
        for relation in (0..relations).rev() {
            let set = RelationSet::of(relation);
            self.pair(set)?;
            self.grow(set, RelationSet::up_to(relation))?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), TooMany> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(TooMany) } else { Ok(()) }
    }

    /// Pairs all connected sets that contain `set` and nothing of `excluded` otherwise (EnumerateCsgRec).
    fn grow(&mut self, set: RelationSet, excluded: RelationSet) -> Result<(), TooMany> {
        let neighbours = self.neighbours(set, excluded);
        for more in neighbours.subsets() {
            self.step()?;
            if self.best.contains_key(&(set | more)) {
                self.pair(set | more)?;
            }
        }
        for more in neighbours.subsets() {
            self.step()?;
            self.grow(set | more, excluded | neighbours)?;
        }
        Ok(())
    }

    /// Considers a set with all connected sets whose lowest relation is higher (EmitCsg).
    fn pair(&mut self, set: RelationSet) -> Result<(), TooMany> {
        let Some(lowest) = set.first() else { return Ok(()) };
        let excluded = set | RelationSet::up_to(lowest);
        let neighbours = self.neighbours(set, excluded);
        for relation in neighbours.iter().rev() {
            self.step()?;
            let other = RelationSet::of(relation);
            if self.connects(set, other) {
                self.consider(set, other);
            }
            let before = RelationSet::up_to(relation).common(neighbours);
            self.grow_partner(set, other, excluded | before)?;
        }
        Ok(())
    }

    /// Considers a set with all connected sets that contain `other` (EnumerateCmpRec).
    fn grow_partner(
        &mut self,
        set: RelationSet,
        other: RelationSet,
        excluded: RelationSet,
    ) -> Result<(), TooMany> {
        let neighbours = self.neighbours(other, excluded);
        for more in neighbours.subsets() {
            self.step()?;
            if self.best.contains_key(&(other | more)) && self.connects(set, other | more) {
                self.consider(set, other | more);
            }
        }
        for more in neighbours.subsets() {
            self.step()?;
            self.grow_partner(set, other | more, excluded | neighbours)?;
        }
        Ok(())
    }

    /// For each smallest set that an edge leads to from within `set` and that has nothing of `excluded`, its lowest
    /// relation.
    fn neighbours(&self, set: RelationSet, excluded: RelationSet) -> RelationSet {
        let taken = set | excluded;
        let mut reached: Vec<RelationSet> = Vec::new();
        for edge in &self.edges {
            for (from, to) in [(edge.one, edge.other), (edge.other, edge.one)] {
                if from.is_within(set)
                    && !to.intersects(taken)
                    && !reached.iter().any(|other| other.is_within(to))
                {
                    reached.retain(|other| !to.is_within(*other));
                    reached.push(to);
                }
            }
        }
        reached.into_iter().filter_map(RelationSet::first).map(RelationSet::of).collect()
    }

    fn connects(&self, one: RelationSet, other: RelationSet) -> bool {
        self.edges.iter().any(|edge| {
            edge.one.is_within(one) && edge.other.is_within(other)
                || edge.one.is_within(other) && edge.other.is_within(one)
        })
    }

    /// Notes the join of two sets if it is allowed and better than what is known.
    fn consider(&mut self, one: RelationSet, other: RelationSet) {
        let (Some(&left), Some(&right)) = (self.best.get(&one), self.best.get(&other)) else { return };
        let Some(cut) = cut(self.operators, one, other) else { return };
        let known = self.best.get(&(one | other)).copied();
        let rows = known.map_or_else(|| self.rows(&cut, left.rows, right.rows), |known| known.rows);
        let by_key = cut.outer.iter().map(|(outer, _)| outer).chain(&cut.inner).any(|&i| self.shares[i].1);
        let trying = if by_key { 0.0 } else { PAIR_COST * left.rows * right.rows };
        let cost = left.cost
            + right.cost
            + rows.max(1.0)
            + build_cost(left.rows.max(1.0), right.rows.max(1.0))
            + trying;
        if known.is_none_or(|known| cost < known.cost) {
            self.best.insert(one | other, Best { cost, rows, left: one });
        }
    }

    fn rows(&self, cut: &Cut, one: f64, other: f64) -> f64 {
        let joined = match cut.outer {
            None => one * other,
            Some((outer, is_turned)) => {
                let Operator { kind, conditions, .. } = &self.operators[outer];
                let (left, right) = if is_turned { (other, one) } else { (one, other) };
                self.estimator.join_rows(kind, left, right, conditions)
            }
        };
        joined * cut.inner.iter().map(|&inner| self.shares[inner].0).product::<f64>()
    }

    fn join_greedily(&mut self) {
        let mut parts: Vec<RelationSet> = self.best.keys().copied().collect();
        parts.sort();
        while parts.len() > 1 {
            let mut choice: Option<(bool, f64, RelationSet, RelationSet)> = None;
            for edge in &self.edges {
                let part = |needs: RelationSet| parts.iter().copied().find(|part| needs.is_within(*part));
                let (Some(one), Some(other)) = (part(edge.one), part(edge.other)) else { continue };
                if one == other {
                    continue;
                }
                let Some(cut) = cut(self.operators, one, other) else { continue };
                let is_product = cut.outer.is_none() && cut.inner.is_empty();
                let rows = self.rows(&cut, self.best[&one].rows, self.best[&other].rows);
                if choice.is_none_or(|(p, r, ..)| (is_product, rows) < (p, r)) {
                    choice = Some((is_product, rows, one, other));
                }
            }
            let Some((_, _, one, other)) = choice else { return };
            self.consider(one, other);
            parts.retain(|part| *part != one && *part != other);
            parts.push(one | other);
        }
    }
}

/// What joins two sets, if that is allowed: each operator takes effect where the last relation it needs comes to it.
pub(super) fn cut(operators: &[Operator], one: RelationSet, other: RelationSet) -> Option<Cut> {
    let all = one | other;
    let mut cut = Cut { outer: None, inner: Vec::new() };
    let mut products = false;
    for (number, operator) in operators.iter().enumerate() {
        let (fits, fits_turned) = (operator.fits(one, other), operator.fits(other, one));
        if operator.is_product {
            products |= (fits || fits_turned) && operator.allows(all);
            continue;
        }
        let needs = operator.needs();
        if !needs.is_within(all) || needs.is_within(one) || needs.is_within(other) {
            continue;
        }
        if !operator.allows(all) {
            return None;
        }
        if operator.is_inner() {
            cut.inner.push(number);
        } else if cut.outer.is_some() || !(fits || fits_turned) {
            return None;
        } else {
            cut.outer = Some((number, fits_turned));
        }
    }
    match cut.outer {
        None if cut.inner.is_empty() => products.then_some(cut),
        // Their rows are without the columns of the right side.
        Some((outer, _)) if matches!(operators[outer].kind, JoinKind::Semi | JoinKind::Anti) => {
            cut.inner.is_empty().then_some(cut)
        }
        _ => Some(cut),
    }
}

/// What connects the sides of each operator. The conditions of inner ones take effect wherever their last relation comes.
fn edges(operators: &[Operator], with_products: bool) -> Vec<Edge> {
    let mut edges = Vec::new();
    for operator in operators.iter().filter(|operator| with_products || !operator.is_product) {
        let mut add = |one, other| edges.push(Edge { one, other });
        add(operator.left, operator.right);
        let needs = operator.needs();
        if operator.is_inner() && !operator.is_product && needs.len() > 2 {
            for relation in needs.iter().map(RelationSet::of) {
                add(relation, needs - relation);
            }
        }
    }
    edges
}

fn is_equality(condition: &Expr) -> bool {
    let Expr::Compare { operator: CompareOp::Equal | CompareOp::NotDistinct, left, right } = condition else {
        return false;
    };
    !left.columns().is_empty() && !right.columns().is_empty()
}

/// Keeping the smaller side in memory costs more than letting a row pass.
fn build_cost(left: f64, right: f64) -> f64 {
    2.0 * left.min(right) + 0.2 * left.max(right)
}
