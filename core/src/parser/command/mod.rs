//! Statements whose grammar is written by hand: everything but queries, INSERT, UPDATE and DELETE.
//!
//! The grammar of each is a function on [`Cursor`] in the file of its subject. It takes tokens one after the other,
//! and whatever does not fit is a syntax error at the token where PostgreSQL's grammar would stop as well.
//! Expressions and queries inside are given to the SQL library as ranges of tokens.
//!
//! 1. The first word alone decides which statement it is; CREATE and DROP look at the next ones too.
//! 2. Statements of PostgreSQL that this engine does not have are known by their first words, and so are clauses:
//!    they are refused with 0A000, so that they do not look like mistakes.
//! 3. A statement must end where its grammar ends.

mod copy;
mod explain;
mod index;
mod maintenance;
mod objects;
mod prepared;
mod setting;
mod table;
mod transaction;
mod unsupported;

use super::{
    ast::{Parameters, StatementKind},
    convert,
    cursor::{Cursor, Source},
    lexer::{Token, TokenKind},
    library,
};
use crate::error::Result;
use std::ops::Range;

/// Statements within statements: EXPLAIN and PREPARE.
const MAX_NESTING: u32 = 16;

/// Parses one statement. The parameters are those of the whole text; PREPARE takes them for itself.
pub(super) fn statement(source: Source<'_>, parameters: &mut Parameters) -> Result<StatementKind> {
    Grammar { parameters, nesting: 0 }.statement(Cursor::new(source))
}

/// What statements within statements share.
struct Grammar<'p> {
    parameters: &'p mut Parameters,
    nesting: u32,
}

impl Grammar<'_> {
    /// The statement from the cursor to its end.
    fn statement(&mut self, mut cursor: Cursor<'_>) -> Result<StatementKind> {
        if self.nesting > MAX_NESTING {
            return Err(library::too_deep(cursor.source, cursor.at));
        }
        let Some(token) = cursor.peek() else {
            return Err(cursor.error());
        };
        let word = match &token.kind {
            TokenKind::Word(word, _) => word.as_str(),
            TokenKind::Punctuation('(') => return query_or_dml(&cursor),
            _ => return Err(cursor.error()),
        };
        cursor.at += 1;
        let kind = match word {
            "select" | "values" | "with" | "from" | "insert" | "update" | "delete" | "table" => {
                cursor.at -= 1;
                return query_or_dml(&cursor);
            }
            "create" => create(&mut cursor)?,
            "drop" => cursor.drop_objects()?,
            "truncate" => cursor.truncate()?,
            "begin" | "start" => cursor.begin(word)?,
            "commit" | "end" => cursor.commit()?,
            "rollback" | "abort" => cursor.rollback(word)?,
            "savepoint" => StatementKind::Savepoint(cursor.ident()?),
            "release" => cursor.release()?,
            "set" => cursor.set()?,
            "show" => cursor.show()?,
            "reset" => cursor.reset()?,
            "discard" => cursor.discard()?,
            "prepare" => self.prepare(&mut cursor)?,
            "execute" => cursor.execute()?,
            "deallocate" => cursor.deallocate()?,
            "explain" => self.explain(&mut cursor)?,
            "copy" => cursor.copy()?,
            "analyze" | "analyse" => cursor.analyze()?,
            "vacuum" => cursor.vacuum()?,
            "checkpoint" => StatementKind::Checkpoint,
            _ => {
                cursor.at -= 1;
                return Err(unsupported::refuse(&cursor));
            }
        };
        cursor.expect_end()?;
        Ok(kind)
    }
}

/// One of the statements that the library parses.
fn query_or_dml(cursor: &Cursor<'_>) -> Result<StatementKind> {
    let range = cursor.at..cursor.end;
    match cursor.peek() {
        // The library would look for more names, or do without the word.
        Some(token) if token.is_word("insert") && !cursor.are_words(&["insert", "into"]) => {
            Err(cursor.source.syntax_error(cursor.at + 1))
        }
        Some(token) if token.is_word("delete") && !cursor.are_words(&["delete", "from"]) => {
            Err(cursor.source.syntax_error(cursor.at + 1))
        }
        Some(token) if ["delete", "insert", "update", "with"].iter().any(|word| token.is_word(word)) => {
            convert::statement(cursor.source, range)
        }
        _ => convert::query(cursor.source, range).map(|query| StatementKind::Query(Box::new(query))),
    }
}

/// `CREATE ..`; the word has been taken.
fn create(cursor: &mut Cursor<'_>) -> Result<StatementKind> {
    if cursor.accept_word("table") {
        return cursor.create_table();
    }
    if cursor.accept_words(&["unique", "index"]) {
        return cursor.create_index(true);
    }
    if cursor.accept_word("index") {
        return cursor.create_index(false);
    }
    cursor.at -= 1;
    Err(unsupported::refuse(cursor))
}

impl Cursor<'_> {
    /// An expression in parentheses, of which the opening one has been taken; its tokens.
    fn parenthesized_expr(&mut self) -> Result<(super::ast::Expr, Range<usize>)> {
        let range = self.parenthesized()?;
        let expr = convert::expr(self.source, range.clone())?;
        Ok((expr, range))
    }

    /// Skips tokens up to one that stands outside of parentheses and CASE and passes.
    fn skip_until(&mut self, mut stop: impl FnMut(&Self, &Token) -> bool) -> Range<usize> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if depth == 0 && stop(self, token) {
                break;
            }
            match &token.kind {
                TokenKind::Punctuation('(' | '[') => depth += 1,
                TokenKind::Punctuation(')' | ']') => depth = depth.saturating_sub(1),
                TokenKind::Word(word, _) if word == "case" => depth += 1,
                TokenKind::Word(word, _) if word == "end" => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        start..self.at
    }
}
