//! The cheapest of the orders that are allowed.
//!
//! DPhyp (Moerkotte and Neumann, "Dynamic programming strikes back", SIGMOD 2008) goes through all pairs of connected sets
//! of relations that an edge connects, the parts of a set before the set. An edge is what an operator needs of each side,
//! so most orders that are not allowed are never looked at; the rest is refused when a pair is considered. What no edge
//! connects, and everything when there are too many pairs, is joined greedily: the allowed join with the fewest rows,
//! products last, until one set is left (greedy operator ordering). If that ran into a dead end, the joins would stay as
//! they are written.
//!
//! The cost of a join is its rows and the rows of the side that is kept in memory (C_out with a build term).

use super::conflict::{Cut, Operators};
use super::relations::RelationSet;
use crate::optimizer::cardinality::{Estimator, joined_rows};
use std::collections::HashMap;

/// Sets looked at, about as many as pairs of sets considered, before the order is chosen greedily.
pub(super) const MAX_STEPS: usize = 20_000;
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

/// What an edge connects.
#[derive(Clone, Copy)]
struct Edge {
    one: RelationSet,
    other: RelationSet,
}

pub(super) struct Search<'a> {
    operators: &'a Operators,
    /// By operator, what its conditions leave of the pairs of rows.
    shares: Vec<f64>,
    edges: Vec<Edge>,
    best: HashMap<RelationSet, Best>,
    /// How many more sets may be looked at.
    steps: usize,
}

/// There are too many orders to look at.
struct TooMany;

impl<'a> Search<'a> {
    /// For relations with these numbers of rows.
    pub(super) fn new(
        sizes: &[f64],
        operators: &'a Operators,
        estimator: &Estimator<'_>,
        steps: usize,
    ) -> Self {
        let single = |(relation, &rows): (usize, &f64)| {
            (RelationSet::of(relation), Best { cost: 0.0, rows, left: RelationSet::EMPTY })
        };
        let operators_of = operators.list.iter();
        Self {
            operators,
            shares: operators_of.map(|of| estimator.share(&of.conditions).max(MIN_SHARE)).collect(),
            edges: edges(operators),
            best: sizes.iter().enumerate().map(single).collect(),
            steps,
        }
    }

    /// By set of relations that is joined, one of its two parts; none if the written order must do.
    pub(super) fn run(mut self) -> Option<HashMap<RelationSet, RelationSet>> {
        let all: RelationSet = self.best.keys().copied().collect();
        if self.enumerate(all.len()).is_err() {
            self.best.retain(|set, _| set.len() == 1);
        }
        if !self.best.contains_key(&all) {
            self.join_greedily();
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
        self.steps = self.steps.checked_sub(1).ok_or(TooMany)?;
        Ok(())
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
        let Some(cut) = self.operators.cut(one, other) else { return };
        let known = self.best.get(&(one | other)).copied();
        let rows = known.map_or_else(|| self.rows(&cut, left.rows, right.rows), |known| known.rows);
        let mut joining = cut.outer.iter().map(|(outer, _)| outer).chain(&cut.inner);
        let by_key = joining.any(|&operator| self.operators.list[operator].has_key(one, other));
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
                let (left, right) = if is_turned { (other, one) } else { (one, other) };
                joined_rows(&self.operators.list[outer].kind, left, right, self.shares[outer])
            }
        };
        joined * cut.inner.iter().map(|&inner| self.shares[inner]).product::<f64>()
    }

    /// Joins the largest sets that were found until one is left.
    fn join_greedily(&mut self) {
        let mut found: Vec<RelationSet> = self.best.keys().copied().collect();
        found.sort_by_key(|set| (std::cmp::Reverse(set.len()), *set));
        let mut parts: Vec<RelationSet> = Vec::new();
        for set in found {
            if !parts.iter().any(|part| part.intersects(set)) {
                parts.push(set);
            }
        }
        // By pair of parts, whether their join is a product, and its rows; none if it is not allowed.
        let mut joins: HashMap<(RelationSet, RelationSet), Option<(bool, f64)>> = HashMap::new();
        while parts.len() > 1 {
            let mut choice: Option<((bool, f64), RelationSet, RelationSet)> = None;
            for (index, &one) in parts.iter().enumerate() {
                for &other in &parts[index + 1..] {
                    let join = *joins.entry((one, other)).or_insert_with(|| {
                        let cut = self.operators.cut(one, other)?;
                        let rows = self.rows(&cut, self.best[&one].rows, self.best[&other].rows);
                        Some((cut.is_product(), rows))
                    });
                    if let Some(join) = join
                        && choice.is_none_or(|(best, ..)| join < best)
                    {
                        choice = Some((join, one, other));
                    }
                }
            }
            let Some((_, one, other)) = choice else { return };
            self.consider(one, other);
            parts.retain(|part| *part != one && *part != other);
            parts.push(one | other);
        }
    }
}

/// What connects the sides of each operator. The conditions of inner ones take effect wherever their last relation comes.
fn edges(operators: &Operators) -> Vec<Edge> {
    let mut edges = Vec::new();
    for operator in &operators.list {
        let mut add = |one, other| edges.push(Edge { one, other });
        add(operator.left, operator.right);
        let needs = operator.needs();
        if operator.is_inner() && needs.len() > 2 {
            for relation in needs.iter().map(RelationSet::of) {
                add(relation, needs - relation);
            }
        }
    }
    edges
}

/// Keeping the smaller side in memory costs more than letting a row pass.
fn build_cost(left: f64, right: f64) -> f64 {
    2.0 * left.min(right) + 0.2 * left.max(right)
}
