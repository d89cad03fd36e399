//! Scripts: statements one by one, and whether a text that is being typed is complete.

use super::{
    ast::Statement,
    command,
    cursor::Source,
    lexer::{Lexed, Lexer},
};
use crate::error::Result;
use std::ops::Range;

/// A statement of a script, or what is wrong with it.
#[derive(Debug)]
pub struct ScriptItem {
    /// Its bytes: from its first token up to its semicolon, which is not part of it.
    pub range: Range<usize>,
    /// The statement.
    pub statement: Result<Statement>,
}

/// The statements of a text; each is parsed when it is asked for.
#[derive(Clone)]
pub struct Statements<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
}

/// The statements of a text, one after the other, so that each can be run before the next is looked at. A mistake in
/// one does not hide the next, unless a quote or comment is left open. Empty statements are left out.
pub fn statements(sql: &str) -> Statements<'_> {
    Statements { text: sql, lexer: Lexer::new(sql) }
}

impl Statements<'_> {
    /// The byte after the last statement and its semicolon, where the data of a COPY would start.
    pub fn offset(&self) -> usize {
        self.lexer.offset()
    }

    /// Goes on from a byte further on, which must be at the start of a character: behind the data of a COPY.
    pub fn skip_to(&mut self, offset: usize) {
        self.lexer.skip_to(offset);
    }
}

impl Iterator for Statements<'_> {
    type Item = ScriptItem;

    fn next(&mut self) -> Option<ScriptItem> {
        loop {
            let lexed = self.lexer.statement()?;
            let first = lexed.tokens.first();
            let start = match (first, &lexed.error) {
                (Some(first), _) => first.start,
                (None, None) => continue,
                (None, Some(_)) => lexed.start,
            };
            let end = match &lexed.semicolon {
                Some(semicolon) => semicolon.start,
                None => self.lexer.offset(),
            };
            let last = if lexed.error.is_none() { lexed.tokens.last().map_or(end, |t| t.end) } else { end };
            let range = start..last;
            let statement = parse(self.text, lexed, range.clone());
            return Some(ScriptItem { range, statement });
        }
    }
}

fn parse(text: &str, lexed: Lexed, range: Range<usize>) -> Result<Statement> {
    if let Some(error) = lexed.error {
        return Err(error);
    }
    let source = Source { text, tokens: &lexed.tokens, semicolon: lexed.semicolon.as_ref() };
    let mut parameters = lexed.parameters;
    let kind = command::statement(source, &mut parameters)?;
    Ok(Statement { kind, parameters, range, position: source.position(0) })
}

/// Is there nothing that a further line could complete? True if every statement has its semicolon, which is outside
/// of quotes, comments and parentheses, and for a text without any statement.
pub fn is_complete(sql: &str) -> bool {
    let mut lexer = Lexer::new(sql);
    let mut depth = 0_usize;
    loop {
        let Some(lexed) = lexer.statement() else {
            return depth == 0;
        };
        for token in &lexed.tokens {
            if token.is_punctuation('(') {
                depth += 1;
            } else if token.is_punctuation(')') {
                depth = depth.saturating_sub(1);
            }
        }
        if lexed.open || lexed.semicolon.is_none() {
            return false;
        }
    }
}
