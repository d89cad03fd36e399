//! Mark joins whose truth value is a condition and nothing else become semi and anti joins.

use crate::expr::Expr;
use crate::plan::logical::{ColumnId, JoinKind, LogicalPlan};
use std::collections::HashMap;

/// Simplifies all mark joins of a plan.
pub(super) fn simplify(plan: &mut LogicalPlan) {
    let mut reads = HashMap::new();
    count_reads(plan, &mut reads);
    simplify_node(plan, &reads);
}

/// How often each column is read.
pub(super) fn count_reads(plan: &LogicalPlan, reads: &mut HashMap<usize, usize>) {
    plan.for_each_expr(&mut |expr| {
        expr.any(&mut |node| {
            if let Expr::Column { index, .. } = node {
                *reads.entry(*index).or_default() += 1;
            }
            false
        });
    });
    for input in plan.inputs() {
        count_reads(input, reads);
    }
}

fn simplify_node(plan: &mut LogicalPlan, reads: &HashMap<usize, usize>) {
    if let LogicalPlan::Filter(filter) = plan {
        let input = &mut filter.input;
        filter.conditions.retain(|condition| {
            let (mark, negated) = match condition {
                Expr::Column { index, .. } => (*index, false),
                Expr::Not(operand) => match operand.as_ref() {
                    Expr::Column { index, .. } => (*index, true),
                    _ => return true,
                },
                _ => return true,
            };
            let only_here = reads.get(&mark) == Some(&1);
            !(only_here && replace_mark(input, ColumnId::of_index(mark), negated))
        });
        if filter.conditions.is_empty() {
            let input = std::mem::replace(&mut *filter.input, LogicalPlan::one_row());
            *plan = input;
            return simplify_node(plan, reads);
        }
    }
    for input in plan.inputs_mut() {
        simplify_node(input, reads);
    }
}

/// Turns the join that makes the mark into one that keeps the rows with the wanted mark. NULL is not true either way,
/// so an anti join is right only if the test has no NULL.
fn replace_mark(plan: &mut LogicalPlan, mark: ColumnId, negated: bool) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => replace_mark(&mut filter.input, mark, negated),
        LogicalPlan::Join(join) => match &mut join.kind {
            JoinKind::Mark { column, test } if *column == mark => {
                if negated && test.iter().any(Expr::nullable) {
                    return false;
                }
                join.conditions.append(test);
                join.kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
                true
            }
            JoinKind::Mark { .. } | JoinKind::Single | JoinKind::Semi | JoinKind::Anti | JoinKind::Left => {
                replace_mark(&mut join.left, mark, negated)
            }
            JoinKind::Inner | JoinKind::Right | JoinKind::Full => false,
        },
        _ => false,
    }
}
