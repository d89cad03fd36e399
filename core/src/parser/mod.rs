//! The SQL front end: from text to statements of our own syntax tree.
//!
//! ```text
//! text --lexer--> tokens of one statement --+-> command    BEGIN, COPY, CREATE TABLE, ...: by hand
//!                                           +-> library    queries, INSERT, UPDATE, DELETE: sqlparser
//!                                                  +-> convert --> ast
//! ```
//!
//! The language is PostgreSQL's: its lexical rules, keywords, precedences, folding of names, parameters, and its
//! words and positions for errors. What PostgreSQL knows and this engine does not is refused with 0A000, so that a
//! syntax error always means a mistake in the text. The parser looks nothing up; [`ast`] is what the binder reads.
//!
//! 1. Only this module names the SQL library, and nothing of it leaves.
//! 2. No input makes the parser recurse without a bound, take time that is not near linear in its length, or panic.
//! 3. Positions count characters from 1 in the text that was given, also when it has several statements.
//!
//! Limits: a statement has at most [`MAX_TEXT_BYTES`] bytes (54000) and [`MAX_PARAMETERS`] parameters (54000);
//! expressions and queries nest at most [`MAX_DEPTH`] deep and chain at most [`MAX_CHAIN`] operators (54001).

pub mod ast;
mod command;
mod convert;
mod cursor;
mod lexer;
mod library;
mod script;
mod type_name;

use crate::error::Result;
use ast::{Expr, Statement};

pub use lexer::{MAX_PARAMETERS, MAX_TEXT_BYTES};
pub use library::MAX_CHAIN;
pub use script::{ScriptItem, Statements, is_complete, statements};

/// How deep expressions and queries may nest.
pub const MAX_DEPTH: u32 = 256;

/// Parses a text of any number of statements; the first mistake anywhere refuses all of it.
///
/// # Errors
/// 42601 for a syntax error, 0A000 for what is not supported, 54000 and 54001 for what is over a limit.
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    statements(sql).map(|item| item.statement).collect()
}

/// The keywords of the language, in lower case and in alphabetical order.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    lexer::keyword::all()
}

/// Parses an expression that the catalog keeps as text: a default, a check, a predicate.
///
/// # Errors
/// As [`parse`]; positions count in the given text.
pub fn parse_expr(sql: &str) -> Result<Expr> {
    let Some(lexed) = lexer::Lexer::new(sql).statement() else {
        let source = cursor::Source { text: sql, tokens: &[], semicolon: None };
        return Err(source.syntax_error(0));
    };
    if let Some(error) = lexed.error {
        return Err(error);
    }
    let source = cursor::Source { text: sql, tokens: &lexed.tokens, semicolon: None };
    if let Some(semicolon) = &lexed.semicolon {
        let source = cursor::Source { semicolon: Some(semicolon), ..source };
        return Err(source.syntax_error(lexed.tokens.len()));
    }
    convert::expr(source, 0..lexed.tokens.len())
}

#[cfg(test)]
mod tests;
