//! From the library's tree to ours, one file a clause.
//!
//! The library keeps no positions of operators and keywords. The converter therefore walks two things at once: the
//! tree, in the order of the text, and our tokens, with a cursor that only moves forward. A leaf's span tells its
//! token; from there the next `+`, `BETWEEN` or `AS` is the one that belongs to the node being converted. Type
//! names, locking clauses and interval literals are read from the tokens alone.
//!
//! 1. Parts are converted in the order in which they were written.
//! 2. A tree is taken apart by moving out of it; left-deep chains in a loop, see `expr.rs`.
//! 3. What the library accepts and PostgreSQL does not is refused here: reserved words as names, strings as
//!    aliases, other databases' clauses.

mod dml;
mod expr;
mod function;
mod literal;
mod query;
mod table_ref;
mod window;

use super::{
    MAX_DEPTH,
    ast::{Expr, Ident, ObjectName, Position, Query, StatementKind},
    cursor::{Cursor, Source, object_name},
    lexer::{Token, TokenKind, keyword::Category},
    library,
};
use crate::error::{Error, Result};
use sqlparser::{ast as sql, tokenizer::Span};
use std::ops::Range;

/// Parses and converts a query that fills a range of tokens.
pub(super) fn query(source: Source<'_>, range: Range<usize>) -> Result<Query> {
    let mut converter = Converter::new(source, range.clone());
    library::with_tree(source, range, |p| p.parse_query(), |tree| converter.query(*tree))
}

/// Parses and converts an expression that fills a range of tokens.
pub(super) fn expr(source: Source<'_>, range: Range<usize>) -> Result<Expr> {
    let mut converter = Converter::new(source, range.clone());
    library::with_tree(source, range, |p| p.parse_expr(), |tree| converter.expr(tree))
}

/// Parses and converts one of the statements that the library knows: a query, INSERT, UPDATE or DELETE.
pub(super) fn statement(source: Source<'_>, range: Range<usize>) -> Result<StatementKind> {
    let mut converter = Converter::new(source, range.clone());
    library::with_tree(source, range, |p| p.parse_statement(), |tree| converter.statement(tree, None))
}

/// The state of a conversion: the place in our tokens, and how deep it is in the tree.
struct Converter<'a> {
    cursor: Cursor<'a>,
    depth: u32,
}

impl<'a> Converter<'a> {
    fn new(source: Source<'a>, range: Range<usize>) -> Self {
        Self { cursor: Cursor::over(source, range), depth: 0 }
    }

    /// Does something so many levels deeper in the tree.
    fn deeper<T>(&mut self, levels: u32, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth = self.depth.saturating_add(levels);
        if self.depth > MAX_DEPTH {
            return Err(library::too_deep(self.cursor.source, self.cursor.at));
        }
        let result = act(self);
        self.depth -= levels;
        result
    }

    /// Moves past the next of these words; the position of it, or of the next token if there is none.
    fn seek(&mut self, words: &[&str]) -> Position {
        self.seek_token(
            |_, token| matches!(&token.kind, TokenKind::Word(word, _) if words.contains(&word.as_str())),
        )
    }

    /// Moves past the next token that passes; the position of it, or of the next token if there is none.
    fn seek_token(&mut self, accept: impl Fn(&str, &Token) -> bool) -> Position {
        let source = self.cursor.source;
        let range = self.cursor.at..self.cursor.end;
        let tokens = source.tokens.get(range).unwrap_or_default();
        match tokens.iter().position(|token| accept(source.token_text(token), token)) {
            Some(ahead) => {
                self.cursor.at += ahead + 1;
                tokens[ahead].position
            }
            None => self.cursor.position(),
        }
    }

    /// Moves past the next character of this kind.
    fn seek_punctuation(&mut self, character: char) -> Position {
        self.seek_token(|_, token| token.is_punctuation(character))
    }

    /// Our token of a leaf of the tree; the cursor moves past it.
    fn token(&mut self, span: Span) -> Result<&'a Token> {
        let token =
            library::index(span).and_then(|index| Some((index, self.cursor.source.tokens.get(index)?)));
        match token {
            Some((index, token)) => {
                self.cursor.at = index + 1;
                Ok(token)
            }
            // The library gives no place to a string that stands for a name.
            None => Err(self.foreign()),
        }
    }

    /// A name whose keyword category passes.
    fn ident(&mut self, ident: &sql::Ident, accept: impl Fn(Category) -> bool) -> Result<Ident> {
        self.token(ident.span)?;
        self.cursor.at -= 1;
        self.cursor.ident_if(accept)
    }

    /// A name of a column, a table, an alias.
    fn column_id(&mut self, ident: &sql::Ident) -> Result<Ident> {
        self.ident(ident, Category::is_column_id)
    }

    fn column_ids(&mut self, idents: &[sql::Ident]) -> Result<Vec<Ident>> {
        idents.iter().map(|ident| self.column_id(ident)).collect()
    }

    /// The parts of a dotted name; after a dot every keyword is a name.
    fn name_parts(
        &mut self,
        name: &sql::ObjectName,
        accept: impl Fn(Category) -> bool,
    ) -> Result<Vec<Ident>> {
        let mut parts = Vec::with_capacity(name.0.len());
        for part in &name.0 {
            let Some(ident) = part.as_ident() else {
                return Err(self.foreign());
            };
            let first = parts.is_empty();
            parts.push(self.ident(ident, |category| !first || accept(category))?);
        }
        Ok(parts)
    }

    /// A name of a table or type.
    fn object_name(&mut self, name: &sql::ObjectName) -> Result<ObjectName> {
        let parts = self.name_parts(name, Category::is_column_id)?;
        object_name(parts)
    }

    /// A list of plain column names that the library allows qualifiers in.
    fn plain_columns(&mut self, names: &[sql::ObjectName]) -> Result<Vec<Ident>> {
        names.iter().map(|name| self.plain_column(name)).collect()
    }

    fn plain_column(&mut self, name: &sql::ObjectName) -> Result<Ident> {
        let mut parts = self.name_parts(name, Category::is_column_id)?;
        match (parts.pop(), parts.is_empty()) {
            (Some(column), true) => Ok(column),
            (Some(column), false) => Err(Error::from(crate::error::StatementError::NotSupported {
                feature: "assignment to a field of a column".to_owned(),
            })
            .at(column.position)),
            (None, _) => Err(self.foreign()),
        }
    }

    /// The refusal of syntax that is not PostgreSQL's.
    fn foreign(&self) -> Error {
        self.cursor.error()
    }

    /// The refusal of syntax that PostgreSQL knows.
    fn not_supported(&self, feature: &str) -> Error {
        self.cursor.not_supported(feature)
    }
}
