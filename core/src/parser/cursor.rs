//! A place in a statement's tokens, and the small steps that hand-written grammar is made of.

use super::{
    ast::{Ident, ObjectName, Position},
    lexer::{Token, TokenKind, keyword::Category, near},
};
use crate::error::{Error, Result, StatementError};
use std::ops::Range;

/// A statement's tokens with the text they stand in.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    /// The statement's tokens.
    pub(super) tokens: &'a [Token],
    /// The semicolon after them.
    pub(super) semicolon: Option<&'a Token>,
}

impl<'a> Source<'a> {
    /// The token's characters.
    pub(super) fn token_text(&self, token: &Token) -> &'a str {
        &self.text[token.start..token.end]
    }

    /// The text from the first to the last token of a range.
    pub(super) fn range_text(&self, range: &Range<usize>) -> &'a str {
        match (self.tokens.get(range.start), range.end.checked_sub(1).and_then(|last| self.tokens.get(last)))
        {
            (Some(first), Some(last)) if first.start <= last.end => &self.text[first.start..last.end],
            _ => "",
        }
    }

    /// The position of a token, or of the end.
    pub(super) fn position(&self, index: usize) -> Position {
        match self.tokens.get(index).or(self.semicolon) {
            Some(token) => token.position,
            None => {
                let characters = self.text.chars().count();
                u32::try_from(characters).unwrap_or(u32::MAX).saturating_add(1)
            }
        }
    }

    /// PostgreSQL's `syntax error at or near` a token, or `at end of input`.
    pub(super) fn syntax_error(&self, index: usize) -> Error {
        let token = self.tokens.get(index).or(self.semicolon);
        let near = token.and_then(|token| near(self.token_text(token)));
        Error::from(StatementError::Syntax { problem: "syntax error", near }).at(self.position(index))
    }

    /// The refusal of something that PostgreSQL knows.
    pub(super) fn not_supported(&self, feature: impl Into<String>, index: usize) -> Error {
        Error::from(StatementError::NotSupported { feature: feature.into() }).at(self.position(index))
    }
}

/// The next token to read, of a range of a statement's tokens.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    /// The statement.
    pub(super) source: Source<'a>,
    /// The next token.
    pub(super) at: usize,
    /// The token after the last.
    pub(super) end: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of a statement.
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source, at: 0, end: source.tokens.len() }
    }

    /// At the start of a part of a statement.
    pub(super) fn over(source: Source<'a>, range: Range<usize>) -> Self {
        Self { source, at: range.start, end: range.end }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        let index = self.at + ahead;
        if index < self.end { self.source.tokens.get(index) } else { None }
    }

    /// Is the next token this word?
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    /// Are the next tokens these words?
    pub(super) fn are_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.peek_at(ahead).is_some_and(|t| t.is_word(word)))
    }

    pub(super) fn is_punctuation(&self, character: char) -> bool {
        self.peek().is_some_and(|token| token.is_punctuation(character))
    }

    /// Is the next token this operator?
    pub(super) fn is_operator(&self, operator: &str) -> bool {
        self.peek().is_some_and(|t| t.kind == TokenKind::Operator && self.source.token_text(t) == operator)
    }

    /// Takes these words if they come next, all or none.
    pub(super) fn accept_words(&mut self, words: &[&str]) -> bool {
        let found = self.are_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        self.accept_words(&[word])
    }

    pub(super) fn accept_punctuation(&mut self, character: char) -> bool {
        let found = self.is_punctuation(character);
        self.at += usize::from(found);
        found
    }

    pub(super) fn accept_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.accept_word(word) { Ok(()) } else { Err(self.error()) }
    }

    pub(super) fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect_word(word))
    }

    pub(super) fn expect_punctuation(&mut self, character: char) -> Result<()> {
        if self.accept_punctuation(character) { Ok(()) } else { Err(self.error()) }
    }

    /// Nothing may follow.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.at < self.end { Err(self.error()) } else { Ok(()) }
    }

    /// A syntax error at the next token.
    pub(super) fn error(&self) -> Error {
        self.source.syntax_error(self.at)
    }

    /// The refusal of what comes next.
    pub(super) fn not_supported(&self, feature: impl Into<String>) -> Error {
        self.source.not_supported(feature, self.at)
    }

    /// The position of the next token.
    pub(super) fn position(&self) -> Position {
        self.source.position(self.at)
    }

    /// A name of a column, table, index, ... (`ColId`).
    pub(super) fn ident(&mut self) -> Result<Ident> {
        self.ident_if(Category::is_column_id)
    }

    /// A name after AS, or an option, where every keyword may stand (`ColLabel`).
    pub(super) fn label(&mut self) -> Result<Ident> {
        self.ident_if(|_| true)
    }

    /// A name unless its keyword's category is refused.
    pub(super) fn ident_if(&mut self, accept: impl Fn(Category) -> bool) -> Result<Ident> {
        match self.peek() {
            Some(Token { kind: TokenKind::Word(name, category), position, .. }) if accept(*category) => {
                self.at += 1;
                Ok(Ident { name: name.clone(), position: *position })
            }
            Some(Token { kind: TokenKind::Quoted(name), position, .. }) => {
                self.at += 1;
                Ok(Ident { name: name.clone(), position: *position })
            }
            _ => Err(self.error()),
        }
    }

    /// A name with up to two qualifiers.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        let mut parts = vec![self.ident()?];
        while self.accept_punctuation('.') {
            parts.push(self.label()?);
        }
        object_name(parts)
    }

    /// `(a, b, ...)`
    pub(super) fn column_list(&mut self) -> Result<Vec<Ident>> {
        self.expect_punctuation('(')?;
        let columns = self.comma_separated(Self::ident)?;
        self.expect_punctuation(')')?;
        Ok(columns)
    }

    /// One or more of something with commas between.
    pub(super) fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept_punctuation(',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A string.
    pub(super) fn string(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token { kind: TokenKind::String(text), .. }) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.error()),
        }
    }

    /// The tokens up to the parenthesis that closes the one just taken, which is taken as well.
    pub(super) fn parenthesized(&mut self) -> Result<Range<usize>> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Punctuation('(') => depth += 1,
                TokenKind::Punctuation(')') if depth == 0 => {
                    let range = start..self.at;
                    self.at += 1;
                    return Ok(range);
                }
                TokenKind::Punctuation(')') => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Err(self.error())
    }
}

/// A name from its parts; PostgreSQL allows three.
pub(super) fn object_name(parts: Vec<Ident>) -> Result<ObjectName> {
    let dotted = parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".");
    let position = parts.first().map_or(1, |part| part.position);
    let mut parts = parts.into_iter().rev();
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(name), schema, database, None) => Ok(ObjectName { database, schema, name }),
        _ => Err(Error::from(StatementError::TooManyDots { what: "qualified", name: dotted }).at(position)),
    }
}
