//! Plans of queries: what is asked for ([`logical`]), how it is done ([`physical`]) and how both are printed.
//!
//! The binder makes a [`LogicalPlan`](logical::LogicalPlan), the optimizer rewrites it until nothing in it needs a
//! row of another plan, and makes a [`PhysicalPlan`](physical::PhysicalPlan) of the result, which the executor runs.
//!
//! 1. Plans are data: they hold no pages, locks or open tables, and may be kept and shared.
//! 2. What a plan refers to, it names by ids; whoever runs it finds out whether that is still there.
//! 3. Columns of logical plans are ids that are given out once; those of physical plans are positions.

pub mod display;
pub mod logical;
#[cfg(test)]
pub(crate) mod naive;
pub mod physical;
mod walk;

pub use walk::{for_each_argument, for_each_argument_mut, rename_in_expr};
