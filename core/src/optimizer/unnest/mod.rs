//! Unnesting: dependent joins become joins, so that no subquery is computed row by row.
//!
//! After Neumann and Kemper, *Unnesting Arbitrary Queries* (2015), and Neumann, *Improving Unnesting of Complex
//! Queries* (2025): a dependent join asks its right side once for every row of its left side. It is enough to ask once
//! for every combination of the values that the right side reads (the *domain* D), for all of them at a time, and to
//! join the answers with the left side on these values.
//!
//! ```text
//!   L DJOIN R(o)   =   L JOIN(o = d) (D DJOIN R(d))      D = distinct o of L
//!
//!   D DJOIN is pushed down R (push.rs) until nothing below reads o:
//!     D DJOIN FILTER(R) = FILTER(D DJOIN R)     D DJOIN GROUPk(R) = GROUPk,d(D DJOIN R)     D DJOIN (R JOIN S) = (D DJOIN R) JOIN S     ..
//! ```
//!
//! Most subqueries need no D at all. Where what reads `o` are conditions above inner joins only, the conditions move
//! into the join (pull.rs). Where the right side is reduced to rows with `c = o`, its column `c` takes the place of
//! `o`: it has the values of the domain and others that find no partner. A scalar aggregate, whose groups exist without
//! rows, becomes the outer join of its groups.
//!
//! Before that, conditions that are the truth value of a subquery and nothing else turn its mark join into a semi or
//! anti join (marks.rs), and subqueries in branches that not all rows take are kept from the others (guard.rs).
//!
//! 1. Outer dependent joins go first; when one is done, what is right of it reads nothing of what is left of it.
//! 2. Where `c` takes the place of `o` because of `c = o`, the answers are joined by `=`: there is none for NULL. Where
//!    D does, they are joined by `IS NOT DISTINCT FROM`.
//! 3. A single join that may fail, or an expression that does so for values that are not rare, is never asked for values
//!    that its query would not have asked for.

mod domain;
mod guard;
mod known;
mod marks;
mod pieces;
mod pull;
mod push;

use crate::error::Result;
use crate::expr::{CompareOp, Expr};
use crate::plan::logical::{
    Aggregate, ColumnId, Columns, Computed, Filter, Join, JoinKind, LogicalPlan, Project, Series,
};
use known::Known;
use push::Correlation;

/// The plan without dependent joins.
///
/// # Errors
/// 0A000 for the few forms that cannot be unnested: a LIMIT whose count is computed from the row it is asked for.
pub fn unnest(mut plan: LogicalPlan, columns: &mut Columns) -> Result<LogicalPlan> {
    marks::simplify(&mut plan);
    guard::guard(&mut plan);
    eliminate(plan, columns)
}

/// Removes the dependent joins of a plan that reads nothing around it, from the top.
fn eliminate(mut plan: LogicalPlan, columns: &mut Columns) -> Result<LogicalPlan> {
    while let LogicalPlan::Join(join) = plan {
        let join = simplify_single(*join);
        if !join.dependent {
            plan = LogicalPlan::Join(Box::new(join));
            break;
        }
        plan = eliminate_join(join, columns)?;
    }
    for input in plan.inputs_mut() {
        let old = std::mem::replace(input, LogicalPlan::one_row());
        *input = eliminate(old, columns)?;
    }
    Ok(plan)
}

/// A single join whose right side cannot have a second row is an ordinary one.
fn simplify_single(mut join: Join) -> Join {
    if join.kind == JoinKind::Single {
        match rows_of(&join.right) {
            Rows::One if join.conditions.is_empty() && !join.dependent => join.kind = JoinKind::Inner,
            Rows::One | Rows::AtMostOne => join.kind = JoinKind::Left,
            Rows::Any => {}
        }
    }
    join
}

/// How many rows a plan has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    One,
    AtMostOne,
    Any,
}

fn rows_of(plan: &LogicalPlan) -> Rows {
    match plan {
        LogicalPlan::Aggregate(aggregate) if aggregate.keys.is_empty() => Rows::One,
        LogicalPlan::Values(values) => match values.rows.len() {
            0 => Rows::AtMostOne,
            1 => Rows::One,
            _ => Rows::Any,
        },
        LogicalPlan::Project(project) => rows_of(&project.input),
        LogicalPlan::Sort(sort) => rows_of(&sort.input),
        LogicalPlan::With(with) => rows_of(&with.body),
        LogicalPlan::Filter(filter) => match rows_of(&filter.input) {
            Rows::Any => Rows::Any,
            Rows::One | Rows::AtMostOne => Rows::AtMostOne,
        },
        LogicalPlan::Limit(limit) => {
            let one = limit.limit.as_ref().is_some_and(|limit| integer(limit).is_some_and(|n| n <= 1));
            let whole = limit.ties.is_none() && limit.partition.is_empty();
            let input = rows_of(&limit.input);
            match input {
                Rows::Any if one && whole => Rows::AtMostOne,
                Rows::Any => Rows::Any,
                Rows::One | Rows::AtMostOne => Rows::AtMostOne,
            }
        }
        LogicalPlan::Join(join) => match (&join.kind, rows_of(&join.left)) {
            (JoinKind::Single | JoinKind::Mark { .. }, rows) => rows,
            (JoinKind::Semi | JoinKind::Anti, Rows::One) => Rows::AtMostOne,
            (JoinKind::Semi | JoinKind::Anti, rows) => rows,
            (JoinKind::Inner, Rows::One) if join.conditions.is_empty() => rows_of(&join.right),
            _ => Rows::Any,
        },
        _ => Rows::Any,
    }
}

/// The value of a constant integer.
fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Constant { value: crate::types::Value::BigInt(value), .. } => Some(*value),
        _ => None,
    }
}

/// One dependent join as a plan whose right side reads nothing of its left side.
fn eliminate_join(join: Join, columns: &mut Columns) -> Result<LogicalPlan> {
    let mut join = match pull::pull(join) {
        Ok(done) => return Ok(LogicalPlan::Join(Box::new(done))),
        Err(join) => *join,
    };
    let joins_all = matches!(join.kind, JoinKind::Single | JoinKind::Left) && join.conditions.is_empty();
    if joins_all && rows_of(&join.right) == Rows::One {
        join.kind = JoinKind::Inner;
    }
    if join.kind == JoinKind::Inner {
        return eliminate_inner(join, columns);
    }
    let mut correlation = Correlation::new(&join, columns)?;
    let Join { kind, left, right, mut conditions, .. } = join;
    let (right, repr) = correlation.push(right, &Known::default())?;
    conditions.extend(correlation.on_domain(&repr));
    let left = correlation.left(left);
    let join = Join { kind, dependent: false, left, right, conditions };
    Ok(correlation.finish(LogicalPlan::Join(Box::new(join))))
}

/// An inner dependent join: what its right side computes or filters last can as well be computed after the join.
fn eliminate_inner(join: Join, columns: &mut Columns) -> Result<LogicalPlan> {
    let Join { kind, left, right, conditions, .. } = join;
    if !conditions.is_empty() {
        let bare = Join { kind, dependent: true, left, right, conditions: Vec::new() };
        let input = Box::new(eliminate_inner(bare, columns)?);
        return Ok(LogicalPlan::Filter(Filter { input, conditions }));
    }
    let again = |left: LogicalPlan, right: LogicalPlan, columns: &mut Columns| {
        let outer = right.outer_columns();
        if left.columns().iter().any(|id| outer.contains(id)) {
            let join = Join { kind: JoinKind::Inner, dependent: true, left, right, conditions: Vec::new() };
            return eliminate_inner(join, columns);
        }
        if right == LogicalPlan::one_row() {
            return Ok(left);
        }
        let join = Join { kind: JoinKind::Inner, dependent: false, left, right, conditions: Vec::new() };
        Ok(LogicalPlan::Join(Box::new(join)))
    };
    match right {
        LogicalPlan::Project(project) => {
            let mut computed = pass(&left.columns(), columns);
            computed.extend(project.columns);
            let input = Box::new(again(left, *project.input, columns)?);
            Ok(LogicalPlan::Project(Project { input, columns: computed }))
        }
        LogicalPlan::Filter(filter) => {
            let input = Box::new(again(left, *filter.input, columns)?);
            Ok(LogicalPlan::Filter(Filter { input, conditions: filter.conditions }))
        }
        LogicalPlan::Sort(sort) => again(left, *sort.input, columns),
        LogicalPlan::Series(series) => {
            let input = Box::new(again(left, *series.input, columns)?);
            Ok(LogicalPlan::Series(Series { input, ..series }))
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.keys.is_empty() => {
            join_groups(left, aggregate, columns)
        }
        right => {
            let join = Join { kind, dependent: true, left, right, conditions };
            let mut correlation = Correlation::new(&join, columns)?;
            let Join { kind, left, right, .. } = join;
            let (right, repr) = correlation.push(right, &Known::default())?;
            let conditions = correlation.on_domain(&repr);
            let left = correlation.left(left);
            let join = Join { kind, dependent: false, left, right, conditions };
            Ok(correlation.finish(LogicalPlan::Join(Box::new(join))))
        }
    }
}

/// A left side joined with the one group that an aggregate without keys has for each of its rows. The groups of the
/// domain's values are those that have rows; where there is none the aggregate has its value of no rows.
fn join_groups(left: LogicalPlan, aggregate: Aggregate, columns: &mut Columns) -> Result<LogicalPlan> {
    let results: Vec<ColumnId> = aggregate.aggregates.iter().map(|of| of.id).collect();
    let kept = left.columns();
    let join = Join {
        kind: JoinKind::Left,
        dependent: true,
        left,
        right: LogicalPlan::Aggregate(aggregate),
        conditions: Vec::new(),
    };
    let mut correlation = Correlation::new(&join, columns)?;
    let Join { kind, left, right, .. } = join;
    let LogicalPlan::Aggregate(aggregate) = right else { unreachable!("an aggregate was put there") };
    let (right, repr, empty) = correlation.group(aggregate)?;
    let conditions = correlation.on_domain(&repr);
    let left = correlation.left(left);
    let join = Join { kind, dependent: false, left, right, conditions };
    let mut plan = LogicalPlan::Join(Box::new(join));
    if !empty.is_empty() {
        let others: Vec<ColumnId> =
            results.into_iter().filter(|id| !empty.iter().any(|computed| computed.id == *id)).collect();
        let mut computed = pass(&kept, correlation.columns);
        computed.extend(pass(&others, correlation.columns));
        computed.extend(empty);
        plan = LogicalPlan::Project(Project { input: Box::new(plan), columns: computed });
    }
    Ok(correlation.finish(plan))
}

/// Columns that are passed on.
fn pass(ids: &[ColumnId], columns: &Columns) -> Vec<Computed> {
    ids.iter().map(|&id| Computed { id, expr: columns.read(id) }).collect()
}

/// Whether some single join in the plan may fail.
fn has_single(plan: &LogicalPlan) -> bool {
    let here = matches!(plan, LogicalPlan::Join(join)
        if join.kind == JoinKind::Single && rows_of(&join.right) == Rows::Any);
    here || plan.inputs().into_iter().any(has_single)
}

/// `left = right`, or `IS NOT DISTINCT FROM`.
fn equal(columns: &Columns, left: ColumnId, right: ColumnId, strict: bool) -> Expr {
    let operator = if strict { CompareOp::Equal } else { CompareOp::NotDistinct };
    Expr::Compare { operator, left: Box::new(columns.read(left)), right: Box::new(columns.read(right)) }
}

#[cfg(test)]
mod tests;
