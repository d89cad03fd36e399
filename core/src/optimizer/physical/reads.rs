//! Which columns of a join anything reads: the others need not be kept in its hash table, nor put together.

use crate::expr::Expr;
use crate::plan::for_each_argument;
use crate::plan::physical::{JoinType, Mark, PhysicalNode, PhysicalPlan};

/// Notes in all joins of a plan, of whose columns these are read, which of theirs are.
pub(super) fn note_reads(plan: &mut PhysicalPlan, mut read: Vec<bool>) {
    match &mut plan.node {
        PhysicalNode::Filter { input, conditions } => {
            add(&mut read, conditions.iter());
            note_reads(input, read);
        }
        PhysicalNode::Project { input, exprs } => {
            let wanted = exprs.iter().zip(&read).filter(|(_, read)| **read).map(|(expr, _)| expr);
            let below = of(input, wanted);
            note_reads(input, below);
        }
        PhysicalNode::Aggregate { input, keys, aggregates } => {
            let mut below = of(input, keys.iter());
            for call in aggregates {
                for_each_argument(call, &mut |expr| add(&mut below, [expr]));
            }
            note_reads(input, below);
        }
        PhysicalNode::DistinctOn { input, keys } => {
            add(&mut read, keys.iter());
            note_reads(input, read);
        }
        PhysicalNode::Sort { input, keys } | PhysicalNode::TopK { input, keys, .. } => {
            add(&mut read, keys.iter().map(|key| &key.expr));
            note_reads(input, read);
        }
        PhysicalNode::Limit { input, ties, .. } => {
            add(&mut read, ties.iter().flatten().map(|key| &key.expr));
            note_reads(input, read);
        }
        PhysicalNode::HashJoin(join) => {
            let (lefts, rights) = (join.left.columns.len(), join.right.columns.len());
            let mut both = match join.kind {
                JoinType::RightSemi | JoinType::RightAnti => {
                    std::iter::repeat_n(false, lefts).chain(read).collect()
                }
                _ => read,
            };
            // Of semi joins only one side comes out, and behind it perhaps the mark.
            both.resize(lefts + rights, false);
            if matches!(join.kind, JoinType::Mark(_)) {
                both[lefts..].fill(false);
            }
            join.reads = both.clone();
            add(&mut both, join.conditions.iter());
            if let JoinType::Mark(Mark::Test(tests)) = &join.kind {
                add(&mut both, tests.iter());
            }
            let (left, right) = both.split_at_mut(lefts);
            let (mut left, mut right) = (left.to_vec(), right.to_vec());
            add(&mut left, join.keys.iter().map(|key| &key.left));
            add(&mut right, join.keys.iter().map(|key| &key.right));
            note_reads(&mut join.left, left);
            note_reads(&mut join.right, right);
        }
        PhysicalNode::IndexJoin(join) => {
            read.resize(join.left.columns.len() + join.columns.len() + usize::from(join.row_ids), false);
            add(&mut read, join.conditions.iter().chain(&join.keys));
            read.truncate(join.left.columns.len());
            note_reads(&mut join.left, read);
        }
        PhysicalNode::NestedLoopJoin(join) => {
            all(&mut join.left);
            all(&mut join.right);
        }
        PhysicalNode::Append(inputs) => inputs.iter_mut().for_each(all),
        PhysicalNode::SetOperation(operation) => {
            all(&mut operation.left);
            all(&mut operation.right);
        }
        PhysicalNode::With { definition, body, .. } => {
            all(definition);
            note_reads(body, read);
        }
        PhysicalNode::Lock { input, .. } => all(input),
        PhysicalNode::Insert(insert) => all(&mut insert.source),
        PhysicalNode::Update(update) => all(&mut update.source),
        PhysicalNode::Delete(delete) => all(&mut delete.source),
        PhysicalNode::Values(_)
        | PhysicalNode::Input
        | PhysicalNode::Series(_)
        | PhysicalNode::TableScan(_)
        | PhysicalNode::IndexScan(_)
        | PhysicalNode::VirtualScan(_)
        | PhysicalNode::CteScan { .. } => {}
    }
}

/// As [`note_reads`], with every column read.
pub(super) fn all(plan: &mut PhysicalPlan) {
    let read = vec![true; plan.columns.len()];
    note_reads(plan, read);
}

fn add<'a>(read: &mut [bool], exprs: impl IntoIterator<Item = &'a Expr>) {
    exprs.into_iter().flat_map(Expr::columns).for_each(|column| read[column] = true);
}

fn of<'a>(plan: &PhysicalPlan, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<bool> {
    let mut read = vec![false; plan.columns.len()];
    add(&mut read, exprs);
    read
}
