//! Rewrites of logical plans, one file a rule.

pub mod unnest;
