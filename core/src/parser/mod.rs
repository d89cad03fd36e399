//! The SQL front end.

pub mod ast;

/// How deep expressions and queries may nest.
pub const MAX_DEPTH: u32 = 256;
