//! From a bound query to the plan that is run: rewrites of logical plans, one file a rule, the order of joins, and the
//! choice of operators.
//!
//! ```text
//!   BoundQuery --> inline_ctes -> simplify -> unnest -> simplify --> join_order --> physical --> PhysicalPlan
//!                  logical rewrites, each right by itself             estimates (cardinality)
//!
//!   simplify  =  fold -> push_down -> prune
//! ```
//! Plans are simplified before unnesting, so that subqueries are asked for no more rows than the query has, and after it,
//! when their conditions have become conditions of joins.
//!
//! 1. A rewrite keeps the rows of a plan and the ids of its columns; it may only drop columns that nobody reads.
//! 2. Estimates decide between plans that give the same rows; no answer depends on one.
//! 3. Every expression reads columns of its node's inputs alone; tests and debug builds look.
//! 4. Conditions that call something volatile are evaluated where the statement has them.

mod cardinality;
mod cte;
mod join_order;
mod physical;
mod prune;
mod push_down;
pub mod unnest;

use crate::binder::BoundQuery;
use crate::error::Result;
use crate::expr::fold::fold;
use crate::ids::ObjectId;
use crate::plan::logical::{ColumnId, LogicalPlan};
use crate::plan::physical::PhysicalPlan;

/// What the optimizer may ask about tables.
pub trait TableSizes {
    /// Rows of a table in storage, about.
    fn rows(&self, storage: ObjectId) -> f64;

    /// Whether an index has entries for all rows that will be read.
    fn may_use(&self, index: ObjectId) -> bool;
}

/// The plan that answers a query. Its columns are the query's output, in order; a change without RETURNING has none.
///
/// # Errors
/// 0A000 for forms of queries that no operator does.
pub fn optimize(query: BoundQuery, sizes: &dyn TableSizes) -> Result<PhysicalPlan> {
    let BoundQuery { plan, mut columns, output, .. } = query;
    let wanted: Vec<ColumnId> = output.iter().map(|column| column.id).collect();
    let plan = simplify(cte::inline(plan, &mut columns), &wanted);
    let plan = simplify(unnest::unnest(plan, &mut columns)?, &wanted);
    debug_assert_eq!(plan.misplaced_read(), None, "{}", plan.display(&columns));
    let estimator = cardinality::Estimator::new(sizes, &plan);
    let plan = join_order::reorder(plan, &estimator);
    debug_assert_eq!(plan.misplaced_read(), None, "{}", plan.display(&columns));
    physical::build(&plan, &output, &columns, &estimator)
}

fn simplify(mut plan: LogicalPlan, wanted: &[ColumnId]) -> LogicalPlan {
    fold_all(&mut plan);
    prune::prune(push_down::push_down(plan), wanted)
}

fn fold_all(plan: &mut LogicalPlan) {
    plan.for_each_expr_mut(&mut |expr| {
        let old = std::mem::replace(expr, crate::expr::Expr::boolean(true));
        *expr = fold(old);
    });
    for input in plan.inputs_mut() {
        fold_all(input);
    }
}
