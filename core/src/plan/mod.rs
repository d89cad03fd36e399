//! Plans of queries: what is asked for ([`logical`]) and how it is printed.
//!
//! The binder makes a [`LogicalPlan`](logical::LogicalPlan), the optimizer rewrites it until nothing in it needs a
//! row of another plan, and the executor's plan is made from the result.

pub mod display;
pub mod logical;
mod walk;

pub use walk::{for_each_argument, for_each_argument_mut};
