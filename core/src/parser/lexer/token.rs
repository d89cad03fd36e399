//! Tokens: what the lexer makes of a statement's text.

use super::keyword::{self, Category};
use crate::parser::ast::Position;

/// A token and its place; the text itself stays where it is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Its first byte in the text.
    pub(crate) start: usize,
    /// The byte after its last.
    pub(crate) end: usize,
    /// Its first character, from 1.
    pub(crate) position: Position,
}

/// What a token is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum TokenKind {
    /// An unquoted word, folded.
    Word(String, Category),
    /// A name in double quotes.
    Quoted(String),
    /// A number as written, without `_`, in decimal.
    Number(String),
    /// A string of any quoting, with its escapes resolved.
    String(String),
    /// `B'..'`
    Binary(String),
    /// `X'..'`
    Hexadecimal(String),
    /// A parameter of any kind, by its number from 1.
    Parameter(u32),
    /// Operator characters, also `::`, `:=` and `..`; the text tells which.
    Operator,
    /// Any other character: `( ) [ ] , ; . :`, or one that has no place in SQL.
    Punctuation(char),
}

impl Token {
    /// Is it this unquoted word?
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(name, _) if name == word)
    }

    /// Is it this character?
    pub(crate) fn is_punctuation(&self, character: char) -> bool {
        self.kind == TokenKind::Punctuation(character)
    }

    /// Can a value end with it? Then a `?` after it is an operator, else a parameter.
    pub(super) fn ends_operand(&self) -> bool {
        match &self.kind {
            TokenKind::Word(name, _) => !BEFORE_OPERAND.contains(&name.as_str()),
            TokenKind::Quoted(_)
            | TokenKind::Number(_)
            | TokenKind::String(_)
            | TokenKind::Binary(_)
            | TokenKind::Hexadecimal(_)
            | TokenKind::Parameter(_) => true,
            TokenKind::Operator => false,
            TokenKind::Punctuation(character) => matches!(character, ')' | ']'),
        }
    }
}

/// Words that a value follows.
const BEFORE_OPERAND: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "between",
    "by",
    "case",
    "distinct",
    "else",
    "escape",
    "except",
    "execute",
    "fetch",
    "filter",
    "first",
    "following",
    "for",
    "from",
    "having",
    "ilike",
    "in",
    "intersect",
    "into",
    "is",
    "like",
    "limit",
    "next",
    "not",
    "offset",
    "on",
    "or",
    "over",
    "placing",
    "preceding",
    "range",
    "returning",
    "rows",
    "select",
    "set",
    "similar",
    "some",
    "symmetric",
    "then",
    "to",
    "union",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// A word with its category.
pub(super) fn word(folded: String) -> TokenKind {
    let category = keyword::category(&folded);
    TokenKind::Word(folded, category)
}
