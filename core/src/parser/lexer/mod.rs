//! The lexer: PostgreSQL's lexical rules, and the places where one statement ends and the next begins.
//!
//! ```text
//! text    SELECT "A", 'it''s' FROM t WHERE x = :lo /* why */;  COMMIT
//!         +---------------- Lexed: tokens, parameters ------+  +- next call
//! ```
//!
//! 1. Quotes, dollar quotes and nested comments hide semicolons; a semicolon anywhere else ends the statement.
//! 2. Every kind of parameter (`$1`, `$name`, `:name`, `?`) is a [`TokenKind::Parameter`] with a number when it
//!    leaves here; see `parameter.rs` for what tells them from operators, casts and array slices.
//! 3. Tokens of a statement over [`MAX_TEXT_BYTES`] are not kept, so that memory stays bounded, but its end is
//!    found all the same.
//! 4. A mistake inside a statement does not hide its end, unless a quote or comment is left open.

pub(crate) mod keyword;
mod number;
mod parameter;
mod quoted;
mod token;

use super::ast::{Parameters, Position};
use crate::error::{Error, StatementError};
use parameter::ParameterNumbers;

pub use parameter::MAX_PARAMETERS;

pub(crate) use token::{Token, TokenKind};

/// The longest statement in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Names are cut to this many bytes.
const MAX_NAME_BYTES: usize = 63;

/// A statement's tokens and how it ended.
pub(crate) struct Lexed {
    /// Without the semicolon; none for an empty statement.
    pub(crate) tokens: Vec<Token>,
    /// What was found wrong first.
    pub(crate) error: Option<Error>,
    /// The parameters.
    pub(crate) parameters: Parameters,
    /// The semicolon that ended it, or none at the end of the text.
    pub(crate) semicolon: Option<Token>,
    /// A quote or comment was open at the end of the text.
    pub(crate) open: bool,
    /// The byte of its first token, or of what is wrong with that one.
    pub(crate) start: usize,
}

/// Reads a text statement by statement.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    /// The next byte to read.
    offset: usize,
    /// A byte, and the position of the character that starts there.
    counted: (usize, Position),
}

/// A mistake, and whether the rest of the text is lost because of it.
struct Mistake {
    error: Error,
    open: bool,
}

type Lexing<T> = Result<T, Mistake>;

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, counted: (0, 1) }
    }

    /// The byte after the last statement read.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Goes on from a later byte.
    pub(crate) fn skip_to(&mut self, offset: usize) {
        let mut offset = offset.clamp(self.offset, self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset += 1;
        }
        self.offset = offset;
    }

    /// Reads up to the next semicolon or the end; none if nothing is left but space and comments.
    pub(crate) fn statement(&mut self) -> Option<Lexed> {
        let mut lexed = Lexed {
            tokens: Vec::new(),
            error: None,
            parameters: Parameters::default(),
            semicolon: None,
            open: false,
            start: self.offset,
        };
        let mut numbers = ParameterNumbers::default();
        let mut brackets = Vec::new();
        let mut first = None;
        loop {
            match self.token(lexed.tokens.last(), &mut numbers, &mut brackets) {
                Ok(Some(token)) if token.is_punctuation(';') => {
                    lexed.semicolon = Some(token);
                    break;
                }
                Ok(Some(token)) => {
                    let start = *first.get_or_insert(token.start);
                    if token.end - start <= MAX_TEXT_BYTES {
                        lexed.tokens.push(token);
                    } else if lexed.error.is_none() {
                        let error = StatementError::TextTooLong { limit: MAX_TEXT_BYTES };
                        lexed.error = Some(error.into());
                    }
                }
                Ok(None) => break,
                Err(mistake) => {
                    lexed.error.get_or_insert(mistake.error);
                    if mistake.open {
                        lexed.open = true;
                        self.offset = self.text.len();
                        break;
                    }
                }
            }
        }
        let empty = lexed.tokens.is_empty() && lexed.error.is_none() && lexed.semicolon.is_none();
        lexed.parameters = numbers.finish();
        (!empty).then_some(lexed)
    }

    /// The next token; `before` is the one before it in the statement.
    fn token(
        &mut self,
        before: Option<&Token>,
        numbers: &mut ParameterNumbers,
        brackets: &mut Vec<char>,
    ) -> Lexing<Option<Token>> {
        self.skip_space()?;
        let start = self.offset;
        let Some(character) = self.peek() else {
            return Ok(None);
        };
        let position = self.position(start);
        let kind = match character {
            '\'' => TokenKind::String(self.string(start, position)?),
            '"' => TokenKind::Quoted(self.quoted_name(start, position)?),
            '0'..='9' => self.number(position)?,
            '.' if self.peek_at(1).is_some_and(|c| c.is_ascii_digit()) => self.number(position)?,
            '.' if self.rest().starts_with("..") => self.operator(2),
            '$' => self.dollar(numbers, start, position)?,
            ':' if self.rest().starts_with("::") || self.rest().starts_with(":=") => self.operator(2),
            ':' if self.peek_at(1).is_some_and(is_name_start) && brackets.last() != Some(&'[') => {
                self.offset += 1;
                let name = fold(self.take_while(is_name_part));
                self.parameter(numbers.named(&name), position)?
            }
            '?' if !before.is_some_and(Token::ends_operand) => {
                self.offset += 1;
                self.parameter(numbers.anonymous(), position)?
            }
            _ if is_operator_character(character) => {
                let length = self.operator_length();
                self.operator(length)
            }
            _ if is_name_start(character) => self.word(start, position)?,
            _ => {
                self.offset += character.len_utf8();
                match character {
                    '(' | '[' => brackets.push(character),
                    ')' | ']' => {
                        brackets.pop();
                    }
                    _ => {}
                }
                TokenKind::Punctuation(character)
            }
        };
        Ok(Some(Token { kind, start, end: self.offset, position }))
    }

    /// A word, or one of the literals that start with a letter.
    fn word(&mut self, start: usize, position: Position) -> Lexing<TokenKind> {
        let letter = self.peek().map(|c| c.to_ascii_lowercase());
        match (letter, self.peek_at(1)) {
            (Some('e'), Some('\'')) => return Ok(TokenKind::String(self.escape_string(start, position)?)),
            (Some('b'), Some('\'')) => {
                let digits = self.digits_string("unterminated bit string literal", start, position)?;
                return Ok(TokenKind::Binary(digits));
            }
            (Some('x'), Some('\'')) => {
                let digits =
                    self.digits_string("unterminated hexadecimal string literal", start, position)?;
                return Ok(TokenKind::Hexadecimal(digits));
            }
            (Some('n'), Some('\'')) => {
                self.offset += 1;
                return Ok(TokenKind::String(self.string(start, position)?));
            }
            (Some('u'), Some('&')) if matches!(self.peek_at(2), Some('\'' | '"')) => {
                return self.unicode(start, position);
            }
            _ => {}
        }
        Ok(token::word(fold(self.take_while(is_name_part))))
    }

    /// `$1`, `$name` or a dollar-quoted string.
    fn dollar(
        &mut self,
        numbers: &mut ParameterNumbers,
        start: usize,
        position: Position,
    ) -> Lexing<TokenKind> {
        if let Some(string) = self.dollar_string(start, position)? {
            return Ok(TokenKind::String(string));
        }
        self.offset += 1;
        match self.peek() {
            Some('0'..='9') => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                if self.peek().is_some_and(is_name_start) {
                    return Err(self.junk("trailing junk after parameter", start, position));
                }
                self.parameter(numbers.numbered(digits), position)
            }
            Some(c) if is_name_start(c) => {
                let name = fold(self.take_while(|c| c != '$' && is_name_part(c)));
                self.parameter(numbers.named(&name), position)
            }
            _ => Ok(TokenKind::Punctuation('$')),
        }
    }

    fn parameter(&self, number: crate::Result<u32>, position: Position) -> Lexing<TokenKind> {
        match number {
            Ok(number) => Ok(TokenKind::Parameter(number)),
            Err(error) => Err(Mistake { error: error.at(position), open: false }),
        }
    }

    fn operator(&mut self, length: usize) -> TokenKind {
        self.offset += length;
        TokenKind::Operator
    }

    /// PostgreSQL's rule: the longest run of operator characters that does not start a comment; `+` and `-` may
    /// not be the last of several unless one of ``~ ! @ # % ^ & | ` ?`` is among them. A `?` starts a parameter
    /// unless it is the first character or follows `@`.
    fn operator_length(&self) -> usize {
        let rest = self.rest();
        let mut length = 0;
        for (at, character) in rest.char_indices() {
            let comment = rest[at..].starts_with("--") || rest[at..].starts_with("/*");
            let parameter = character == '?' && at > 0 && &rest[..at] != "@";
            if !is_operator_character(character) || comment || parameter {
                break;
            }
            length = at + 1;
        }
        let special = |c: char| "~!@#%^&|`?".contains(c);
        while length > 1 && rest[..length].ends_with(['+', '-']) && !rest[..length - 1].contains(special) {
            length -= 1;
        }
        length.max(1)
    }

    /// Skips space and comments.
    fn skip_space(&mut self) -> Lexing<()> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(is_space);
            self.offset += rest.len() - trimmed.len();
            if trimmed.starts_with("--") {
                self.offset += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Skips a comment and those inside it.
    fn skip_comment(&mut self) -> Lexing<()> {
        let (start, bytes) = (self.offset, self.text.as_bytes());
        let mut depth = 0_usize;
        let mut at = start;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"/*") {
                depth += 1;
                at += 2;
            } else if bytes[at..].starts_with(b"*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    self.offset = at;
                    return Ok(());
                }
            } else {
                at += 1;
            }
        }
        let position = self.position(start);
        Err(self.unterminated("unterminated /* comment", start, position))
    }

    /// A mistake that swallows the rest of the text.
    fn unterminated(&self, problem: &'static str, start: usize, position: Position) -> Mistake {
        let near = near(&self.text[start..]);
        Mistake { error: Error::from(StatementError::Syntax { problem, near }).at(position), open: true }
    }

    /// A mistake up to and including the word that comes next.
    fn junk(&mut self, problem: &'static str, start: usize, position: Position) -> Mistake {
        self.take_while(is_name_part);
        let near = near(&self.text[start..self.offset]);
        Mistake { error: Error::from(StatementError::Syntax { problem, near }).at(position), open: false }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn peek_at(&self, count: usize) -> Option<char> {
        self.rest().chars().nth(count)
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.offset += length;
        &rest[..length]
    }

    /// The position of the character at a byte; counts on from the last one asked for.
    fn position(&mut self, offset: usize) -> Position {
        let (from, position) = if self.counted.0 <= offset { self.counted } else { (0, 1) };
        let passed = self.text[from..offset].chars().count();
        let position = position.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        self.counted = (offset, position);
        position
    }
}

/// The text of an error message, cut to a length that a reader can take in.
pub(crate) fn near(text: &str) -> Option<String> {
    const LONGEST: usize = 1000;
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(text[..end].to_owned())
}

/// An unquoted name: ASCII letters in lower case, at most 63 bytes.
fn fold(name: &str) -> String {
    truncate(name.to_ascii_lowercase())
}

/// Cuts a name to 63 bytes, never within a character.
fn truncate(mut name: String) -> String {
    if name.len() > MAX_NAME_BYTES {
        let mut end = MAX_NAME_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || !character.is_ascii()
}

fn is_name_part(character: char) -> bool {
    is_name_start(character) || character.is_ascii_digit() || character == '$'
}

fn is_operator_character(character: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(character)
}

#[cfg(test)]
mod tests;
