//! Tests of the front end as a whole.

mod commands;
mod errors;
mod expressions;
mod fuzz;
mod limits;
mod print;
mod queries;
mod scripts;

use super::{ast::StatementKind, parse};

/// The only statement of a text.
fn kind(sql: &str) -> StatementKind {
    let mut statements = parse(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0).kind
}

/// The last statement of a text.
fn last_kind(sql: &str) -> StatementKind {
    let mut statements = parse(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    statements.pop().unwrap_or_else(|| panic!("{sql}: empty")).kind
}
