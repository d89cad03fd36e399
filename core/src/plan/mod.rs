//! Plans of queries: what is asked for ([`logical`]) and how it is done ([`physical`]).
//!
//! The binder makes a [`LogicalPlan`](logical::LogicalPlan), the optimizer rewrites it until nothing in it needs a
//! row of another plan, and makes a [`PhysicalPlan`](physical::PhysicalPlan) of the result, which the executor runs.

pub mod logical;
pub mod physical;
pub mod walk;
