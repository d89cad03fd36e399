//! The order of inner joins.
//!
//! A tree of inner joins is a set of relations and a set of conditions, each an edge, or a hyperedge, between the
//! relations it reads. For few relations all connected pairs of subsets are tried, smallest subsets first (dynamic
//! programming over subsets); for many the pair whose join has fewest rows is joined until one is left (greedy operator
//! ordering). Products are made last, where nothing connects. Other joins are relations of the tree around them; semi
//! joins that keep few rows move down to the relation they ask about.
//!
//! The cost of a join is its rows and the rows of the side that is kept in memory (C_out with a build term).

use super::cardinality::Estimator;
use crate::expr::Expr;
use crate::plan::logical::{ColumnId, Filter, Join, JoinKind, LogicalPlan};
use std::collections::HashMap;

/// Relations up to which all orders are tried: 3^n pairs of subsets.
const MAX_EXHAUSTIVE: usize = 10;
/// Relations of one tree, whose sets are numbers of 64 bits. Trees with more keep the upper joins as they are written.
const MAX_RELATIONS: usize = 62;
/// Semi joins that keep a smaller share of rows move down.
const SELECTIVE: f64 = 0.5;

/// Orders all inner joins of a plan.
pub(super) fn reorder(plan: LogicalPlan, estimator: &Estimator<'_>) -> LogicalPlan {
    match plan {
        LogicalPlan::Join(join) if join.kind == JoinKind::Inner => {
            let mut graph = Graph::default();
            graph.flatten(LogicalPlan::Join(join), estimator);
            graph.order(estimator)
        }
        LogicalPlan::Join(join) if join.kind == JoinKind::Semi => {
            let mut join = join;
            let right = std::mem::replace(&mut join.right, LogicalPlan::one_row());
            join.right = reorder(right, estimator);
            match sink(join, estimator) {
                Ok(plan) => plan,
                Err(mut join) => {
                    let left = std::mem::replace(&mut join.left, LogicalPlan::one_row());
                    join.left = reorder(left, estimator);
                    LogicalPlan::Join(join)
                }
            }
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

/// Moves a semi join that keeps few rows to the relation of its left side that it reads.
fn sink(mut join: Box<Join>, estimator: &Estimator<'_>) -> Result<LogicalPlan, Box<Join>> {
    let is_tree = matches!(&join.left, LogicalPlan::Join(left) if left.kind == JoinKind::Inner);
    if !is_tree {
        return Err(join);
    }
    let (left, right) = (estimator.rows(&join.left), estimator.rows(&join.right));
    if estimator.join_rows(&JoinKind::Semi, left, right, &join.conditions) > left * SELECTIVE {
        return Err(join);
    }
    let left = std::mem::replace(&mut join.left, LogicalPlan::one_row());
    let mut graph = Graph::default();
    graph.flatten(left, estimator);
    let made: Vec<usize> = join.right.columns().into_iter().map(ColumnId::index).collect();
    let reads = join.conditions.iter().flat_map(Expr::columns).filter(|column| !made.contains(column));
    let mask = graph.mask(reads);
    if mask.count_ones() != 1 {
        join.left = graph.order(estimator);
        return Ok(LogicalPlan::Join(join));
    }
    let target = mask.trailing_zeros() as usize;
    let relation = std::mem::replace(&mut graph.relations[target], LogicalPlan::one_row());
    join.left = relation;
    graph.relations[target] = match sink(join, estimator) {
        Ok(plan) => plan,
        Err(join) => LogicalPlan::Join(join),
    };
    Ok(graph.order(estimator))
}

#[derive(Default)]
struct Graph {
    relations: Vec<LogicalPlan>,
    /// Conditions and the relations they read.
    edges: Vec<(Expr, u64)>,
    makers: HashMap<usize, usize>,
}

/// The best plan known for a set of relations.
#[derive(Clone, Copy)]
struct Best {
    cost: f64,
    rows: f64,
    left: u64,
}

impl Graph {
    fn flatten(&mut self, plan: LogicalPlan, estimator: &Estimator<'_>) {
        let mut conditions = Vec::new();
        match plan {
            // The uppermost join is always one of the tree; each of its sides is in it too if it fits.
            LogicalPlan::Join(join) if join.kind == JoinKind::Inner => {
                self.collect_sides(*join, &mut conditions, estimator);
            }
            other => self.collect(other, &mut conditions, estimator),
        }
        for condition in conditions {
            let mask = self.mask(condition.columns());
            self.edges.push((condition, mask));
        }
    }

    fn collect(&mut self, plan: LogicalPlan, conditions: &mut Vec<Expr>, estimator: &Estimator<'_>) {
        match plan {
            LogicalPlan::Join(join)
                if join.kind == JoinKind::Inner
                    && self.relations.len() + relations_of(&join) <= MAX_RELATIONS =>
            {
                self.collect_sides(*join, conditions, estimator);
            }
            other => {
                let relation = reorder(other, estimator);
                let number = self.relations.len();
                self.makers.extend(relation.columns().into_iter().map(|id| (id.index(), number)));
                self.relations.push(relation);
            }
        }
    }

    fn collect_sides(&mut self, join: Join, conditions: &mut Vec<Expr>, estimator: &Estimator<'_>) {
        self.collect(join.left, conditions, estimator);
        self.collect(join.right, conditions, estimator);
        conditions.extend(join.conditions);
    }

    fn mask(&self, columns: impl IntoIterator<Item = usize>) -> u64 {
        columns
            .into_iter()
            .filter_map(|column| self.makers.get(&column))
            .fold(0, |mask, &maker| mask | 1 << maker)
    }

    /// Rows of the join of a set of relations.
    fn rows(set: u64, sizes: &[f64], shares: &Shares) -> f64 {
        let product: f64 = members(set).map(|relation| sizes[relation]).product();
        let within = shares.iter().filter(|(mask, _)| mask & !set == 0);
        (product * within.map(|(_, share)| share.max(1e-12)).product::<f64>()).max(1.0)
    }

    /// What the conditions between the same relations leave of their pairs.
    fn shares(&self, estimator: &Estimator<'_>) -> Shares {
        let mut by_mask: HashMap<u64, Vec<Expr>> = HashMap::new();
        for (condition, mask) in &self.edges {
            by_mask.entry(*mask).or_default().push(condition.clone());
        }
        by_mask.into_iter().map(|(mask, conditions)| (mask, estimator.share(&conditions))).collect()
    }

    fn connects(&self, left: u64, right: u64) -> bool {
        let both = left | right;
        self.edges.iter().any(|&(_, mask)| mask & !both == 0 && mask & left != 0 && mask & right != 0)
    }

    fn order(mut self, estimator: &Estimator<'_>) -> LogicalPlan {
        let sizes: Vec<f64> =
            self.relations.iter().map(|relation| estimator.rows(relation).max(1.0)).collect();
        let shares = self.shares(estimator);
        let single = |relation: usize| Best { cost: 0.0, rows: sizes[relation], left: 0 };
        let mut best: HashMap<u64, Best> = (0..sizes.len()).map(|i| (1 << i, single(i))).collect();
        let mut parts: Vec<u64> = (0..sizes.len()).map(|i| 1 << i).collect();
        if sizes.len() <= MAX_EXHAUSTIVE {
            self.try_all(&mut best, &sizes, &shares);
            parts = self.components();
        }
        self.join_greedily(parts, &mut best, &sizes, &shares);
        let all = (0..sizes.len()).fold(0, |set, relation| set | 1 << relation);
        let mut relations: Vec<Option<LogicalPlan>> = self.relations.drain(..).map(Some).collect();
        let mut edges: Vec<Option<(Expr, u64)>> = self.edges.drain(..).map(Some).collect();
        let plan = assemble(all, &best, &mut relations, &mut edges);
        // What reads no relation at all.
        let rest: Vec<Expr> = edges.into_iter().flatten().map(|(condition, _)| condition).collect();
        if rest.is_empty() {
            plan
        } else {
            LogicalPlan::Filter(Filter { input: Box::new(plan), conditions: rest })
        }
    }

    fn try_all(&self, best: &mut HashMap<u64, Best>, sizes: &[f64], shares: &Shares) {
        let all = (1u64 << sizes.len()) - 1;
        for set in 1..=all {
            if set.count_ones() < 2 {
                continue;
            }
            let mut rows = None;
            let mut left = (set - 1) & set;
            while left > 0 {
                let right = set & !left;
                if let (Some(&l), Some(&r)) = (best.get(&left), best.get(&right))
                    && self.connects(left, right)
                {
                    let rows = *rows.get_or_insert_with(|| Self::rows(set, sizes, shares));
                    let cost = l.cost + r.cost + rows + build_cost(l.rows, r.rows);
                    if best.get(&set).is_none_or(|known| cost < known.cost) {
                        best.insert(set, Best { cost, rows, left });
                    }
                }
                left = (left - 1) & set;
            }
        }
    }

    /// The sets of relations that conditions connect.
    fn components(&self) -> Vec<u64> {
        let mut parts: Vec<u64> = (0..self.relations.len()).map(|i| 1 << i).collect();
        for &(_, mask) in &self.edges {
            let (joined, apart): (Vec<u64>, Vec<u64>) = parts.iter().partition(|&&part| part & mask != 0);
            parts = apart;
            parts.extend(joined.into_iter().reduce(|a, b| a | b));
        }
        parts
    }

    fn join_greedily(
        &self,
        mut parts: Vec<u64>,
        best: &mut HashMap<u64, Best>,
        sizes: &[f64],
        shares: &Shares,
    ) {
        // A component of hyperedges may have no plan without a product: it falls back to its members.
        parts = parts
            .into_iter()
            .flat_map(|part| {
                if best.contains_key(&part) { vec![part] } else { members(part).map(|i| 1 << i).collect() }
            })
            .collect();
        while parts.len() > 1 {
            let mut choice: Option<(bool, f64, usize, usize)> = None;
            for (i, &left) in parts.iter().enumerate() {
                for (j, &right) in parts.iter().enumerate().skip(i + 1) {
                    let product = !self.connects(left, right);
                    let rows = Self::rows(left | right, sizes, shares);
                    let better = choice.is_none_or(|(p, r, ..)| (product, rows) < (p, r));
                    if better {
                        choice = Some((product, rows, i, j));
                    }
                }
            }
            let Some((_, rows, i, j)) = choice else { return };
            let right = parts.swap_remove(j);
            let left = parts[i];
            let cost = best[&left].cost + best[&right].cost + rows;
            best.insert(left | right, Best { cost, rows, left });
            parts[i] = left | right;
        }
    }
}

/// The relations of a tree of inner joins.
fn relations_of(join: &Join) -> usize {
    let side = |plan: &LogicalPlan| match plan {
        LogicalPlan::Join(join) if join.kind == JoinKind::Inner => relations_of(join),
        _ => 1,
    };
    side(&join.left) + side(&join.right)
}

/// By set of relations, the share of their pairs that the conditions between just these leave.
type Shares = Vec<(u64, f64)>;

/// Keeping the smaller side in memory costs more than letting a row pass.
fn build_cost(left: f64, right: f64) -> f64 {
    2.0 * left.min(right) + 0.2 * left.max(right)
}

fn members(set: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |bit| set >> bit & 1 == 1)
}

fn assemble(
    set: u64,
    best: &HashMap<u64, Best>,
    relations: &mut [Option<LogicalPlan>],
    edges: &mut [Option<(Expr, u64)>],
) -> LogicalPlan {
    if set.count_ones() == 1 {
        let relation = relations[set.trailing_zeros() as usize].take();
        return relation.unwrap_or_else(LogicalPlan::one_row);
    }
    let left = best[&set].left;
    let left_plan = assemble(left, best, relations, edges);
    let right_plan = assemble(set & !left, best, relations, edges);
    let mut conditions = Vec::new();
    for edge in edges.iter_mut() {
        if let Some((condition, _)) = edge.take_if(|(_, mask)| *mask != 0 && *mask & !set == 0) {
            conditions.push(condition);
        }
    }
    LogicalPlan::Join(Box::new(Join {
        kind: JoinKind::Inner,
        dependent: false,
        left: left_plan,
        right: right_plan,
        conditions,
    }))
}
