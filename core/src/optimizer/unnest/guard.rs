//! Subqueries in a branch of CASE, COALESCE, AND or OR are asked only for rows whose branch is taken.
//!
//! The join with a subquery stands below the expression that reads its value, and asks for all rows:
//!
//! ```text
//!   Project  case when a = 0 then 0 else z end        Project  case when a = 0 then 0 else z end
//!     DJOIN                                     ->      DJOIN
//!       L                                                 L
//!       Project  z := b / a                               Project  z := b / a
//!         R                                                 Filter  (a = 0) is not true
//!                                                             R
//! ```
//!
//! What holds of a row for which the column is read is its *guard*; it becomes a condition of the right side, below all
//! that reads the row and may fail. What the subquery is for other rows does not matter, since nobody reads it.
//!
//! Only subqueries that could fail for a row that does not ask are guarded: the others are better computed for all.

use super::{Rows, marks, rows_of};
use crate::expr::{Expr, IsTest, Volatility};
use crate::plan::logical::{ColumnId, Filter, Join, JoinKind, LogicalPlan, SetInput};
use std::collections::{BTreeSet, HashMap};

type ColumnSet = BTreeSet<ColumnId>;

/// Guards all subqueries of a plan.
pub(super) fn guard(plan: &mut LogicalPlan) {
    let mut reads = HashMap::new();
    marks::count_reads(plan, &mut reads);
    guard_below(plan, &reads);
}

fn guard_below(plan: &mut LogicalPlan, reads: &HashMap<usize, usize>) {
    // The condition of a join is asked of pairs; what it reads of one side stays unguarded.
    if !matches!(plan, LogicalPlan::Join(_)) {
        let mut exprs = Vec::new();
        plan.for_each_expr(&mut |expr| exprs.push(expr.clone()));
        if matches!(plan, LogicalPlan::Filter(_)) && exprs.len() > 1 {
            exprs = vec![Expr::And(exprs)];
        }
        for input in plan.inputs_mut() {
            guard_joins(input, &exprs, reads);
        }
    }
    for input in plan.inputs_mut() {
        guard_below(input, reads);
    }
}

/// Guards the subqueries that are joined just below an expression.
fn guard_joins(plan: &mut LogicalPlan, exprs: &[Expr], reads: &HashMap<usize, usize>) {
    let LogicalPlan::Join(join) = plan else { return };
    let made: ColumnSet = match &join.kind {
        JoinKind::Mark { column, .. } => ColumnSet::from([*column]),
        JoinKind::Single => join.right.columns().into_iter().collect(),
        _ => return,
    };
    let mut use_of = Use { made: &made, count: 0, guards: None };
    exprs.iter().for_each(|expr| use_of.visit(expr, &mut Vec::new()));
    let mut within = HashMap::new();
    marks::count_reads(&join.right, &mut within);
    let count = |reads: &HashMap<usize, usize>| -> usize {
        made.iter().filter_map(|id| reads.get(&id.index())).sum()
    };
    if let (true, Some(guards)) = (use_of.count + count(&within) == count(reads), use_of.guards) {
        let left: ColumnSet = join.left.columns().into_iter().collect();
        // Later ones may fail where an earlier one does not hold.
        let known = |guard: &Expr| reads_only(guard, &left) && guard.volatility() != Volatility::Volatile;
        let guards: Vec<Expr> = guards.into_iter().take_while(known).collect();
        add_guards(join, &left, &guards);
    }
    guard_joins(&mut join.left, exprs, reads);
}

fn reads_only(expr: &Expr, columns: &ColumnSet) -> bool {
    expr.columns().into_iter().all(|index| columns.contains(&ColumnId::of_index(index)))
}

/// Where some columns are read.
struct Use<'a> {
    made: &'a ColumnSet,
    count: usize,
    /// What holds wherever they are read, in the order of evaluation.
    guards: Option<Vec<Expr>>,
}

impl Use<'_> {
    fn visit(&mut self, expr: &Expr, path: &mut Vec<Expr>) {
        let depth = path.len();
        match expr {
            Expr::Column { index, .. } if self.made.contains(&ColumnId::of_index(*index)) => {
                self.count += 1;
                let guards = self.guards.get_or_insert_with(|| path.clone());
                let shared = guards.iter().zip(&*path).take_while(|(a, b)| a == b).count();
                guards.truncate(shared);
            }
            Expr::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    self.visit(condition, path);
                    path.push(condition.clone());
                    self.visit(result, path);
                    path.pop();
                    path.push(is(condition, IsTest::True, true));
                }
                otherwise.iter().for_each(|result| self.visit(result, path));
            }
            Expr::Coalesce { arguments, .. } => {
                self.visit_in_turn(arguments, path, |earlier| is(earlier, IsTest::Null, false));
            }
            Expr::And(terms) => self.visit_in_turn(terms, path, |earlier| is(earlier, IsTest::False, true)),
            Expr::Or(terms) => self.visit_in_turn(terms, path, |earlier| is(earlier, IsTest::True, true)),
            other => other.for_each_child(&mut |child| self.visit(child, path)),
        }
        path.truncate(depth);
    }

    fn visit_in_turn(&mut self, exprs: &[Expr], path: &mut Vec<Expr>, goes_on: impl Fn(&Expr) -> Expr) {
        for expr in exprs {
            self.visit(expr, path);
            path.push(goes_on(expr));
        }
    }
}

fn is(operand: &Expr, test: IsTest, negated: bool) -> Expr {
    Expr::Is { operand: Box::new(operand.clone()), test, negated }
}

fn add_guards(join: &mut Join, left: &ColumnSet, guards: &[Expr]) {
    if guards.is_empty() {
        return;
    }
    if join.dependent && may_fail(&join.right, left) {
        install(&mut join.right, left, guards);
    } else if join.kind == JoinKind::Single && rows_of(&join.right) == Rows::Any {
        // It has rows enough to fail.
        filter(&mut join.right, guards);
        join.dependent = true;
    }
}

/// Whether something computed from some columns may fail.
fn may_fail(plan: &LogicalPlan, columns: &ColumnSet) -> bool {
    let mut fails = false;
    plan.for_each_expr(&mut |expr| {
        fails |= expr.any(&mut |node| {
            let computes = matches!(node, Expr::Call { .. } | Expr::Cast { .. });
            computes && node.columns().into_iter().any(|index| columns.contains(&ColumnId::of_index(index)))
        });
    });
    fails || plan.inputs().into_iter().any(|input| may_fail(input, columns))
}

fn filter(plan: &mut LogicalPlan, conditions: &[Expr]) {
    let input = Box::new(std::mem::replace(plan, LogicalPlan::one_row()));
    *plan = LogicalPlan::Filter(Filter { input, conditions: conditions.to_vec() });
}

/// Puts guards below all that reads outer columns.
fn install(plan: &mut LogicalPlan, outer: &ColumnSet, guards: &[Expr]) {
    let reads = |plan: &LogicalPlan| plan.outer_columns().iter().any(|id| outer.contains(id));
    if !reads(plan) {
        return filter(plan, guards);
    }
    match plan {
        LogicalPlan::Project(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Filter(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Sort(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Distinct(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Limit(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Series(node) => install(&mut node.input, outer, guards),
        LogicalPlan::Aggregate(node) => {
            install(&mut node.input, outer, guards);
            // It has a row even where its input has none.
            if node.keys.is_empty() {
                filter(plan, guards);
            }
        }
        LogicalPlan::Join(node) => {
            let right = reads(&node.right);
            if right {
                install(&mut node.right, outer, guards);
            }
            if !right || reads(&node.left) {
                install(&mut node.left, outer, guards);
            }
        }
        LogicalPlan::SetOperation(node) => {
            for SetInput { plan, .. } in node.inputs.iter_mut().filter(|input| reads(&input.plan)) {
                install(plan, outer, guards);
            }
        }
        LogicalPlan::With(node) => {
            for part in [&mut node.definition, &mut node.body].into_iter().filter(|part| reads(part)) {
                install(part, outer, guards);
            }
        }
        LogicalPlan::Values(_)
        | LogicalPlan::Scan(_)
        | LogicalPlan::Input(_)
        | LogicalPlan::CteScan(_)
        | LogicalPlan::Lock(_)
        | LogicalPlan::Insert(_)
        | LogicalPlan::Update(_)
        | LogicalPlan::Delete(_) => filter(plan, guards),
    }
}
