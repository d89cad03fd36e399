//! Our tokens as the library wants them.
//!
//! Words that are keywords to other databases only lose that meaning here. Syntax that the library does not know
//! but that changes nothing around it is left out or put in words it knows; the converter, which walks our tokens
//! along with the library's tree, sees what was written:
//!
//! | written | library sees |
//! |---|---|
//! | `a::type`, `CAST(a AS type)` | `a::text`, `CAST(a AS text)` |
//! | `SELECT` without items | `SELECT nothing`, an item at the place of SELECT |
//! | `TRIM(BOTH FROM a)` | `TRIM(BOTH a)` |
//! | `BETWEEN SYMMETRIC` | `BETWEEN` |
//! | `a ISNULL`, `a NOTNULL` | `a IS NULL`, `a IS NOT NULL` |
//! | `a [NOT] LIKE ANY (..)` | `a ~~ ANY (..)`, `a !~~ ANY (..)` |
//! | `TABLE s.t` | `VALUES (NULL)` |
//! | `FOR NO KEY UPDATE OF a, b NOWAIT` | `FOR UPDATE` |
//! | `f(VARIADIC a)` | `f(a)` |
//! | `FROM ONLY t` | `FROM t`, as no table has children |

use crate::parser::{
    cursor::{Cursor, Source},
    lexer::{Token as Ours, TokenKind, keyword::Category},
};
use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Span, Token, TokenWithSpan, Word},
};
use std::ops::Range;

/// What can follow SELECT when it has no items, but for FROM, which the library knows.
const AFTER_ITEMS: &[&str] = &[
    "except",
    "fetch",
    "for",
    "group",
    "having",
    "intersect",
    "limit",
    "offset",
    "order",
    "union",
    "where",
    "window",
];

/// The span that stands for one of our tokens.
fn span(index: usize) -> Span {
    let column = index as u64 + 1;
    Span::new(Location::new(1, column), Location::new(1, column + 1))
}

/// The token that a span stands for, if it stands for one.
pub(in crate::parser) fn index(span: Span) -> Option<usize> {
    usize::try_from(span.start.column).ok()?.checked_sub(1)
}

/// The token that an error message of the library names by its place.
pub(super) fn index_in_message(message: &str) -> Option<usize> {
    let (_, column) = message.rsplit_once("Column: ")?;
    column.trim().parse::<usize>().ok()?.checked_sub(1)
}

/// The library's tokens for a range of ours.
pub(super) fn translate(source: Source<'_>, range: Range<usize>) -> Vec<TokenWithSpan> {
    let mut cursor = Cursor::over(source, range);
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(cursor.end - cursor.at);
    // For each open parenthesis: is it that of CAST?
    let mut open = Vec::new();
    while let Some(token) = cursor.peek() {
        let at = span(cursor.at);
        cursor.at += 1;
        match &token.kind {
            TokenKind::Word(word, category) => {
                word_tokens(word, *category, &mut cursor, &mut tokens, at);
                if word == "as" && open.last() == Some(&true) {
                    type_token(&mut cursor, &mut tokens);
                }
                continue;
            }
            TokenKind::Punctuation('(') => {
                open.push(
                    tokens
                        .last()
                        .is_some_and(|t| matches!(&t.token, Token::Word(w) if w.keyword == Keyword::CAST)),
                );
            }
            TokenKind::Punctuation(')') => {
                open.pop();
            }
            _ => {}
        }
        let translated = plain(source, token);
        let cast = translated == Token::DoubleColon;
        tokens.push(TokenWithSpan::new(translated, at));
        if cast {
            type_token(&mut cursor, &mut tokens);
        }
    }
    tokens
}

/// A type, if one comes next: any one will do for the library.
fn type_token(cursor: &mut Cursor<'_>, tokens: &mut Vec<TokenWithSpan>) {
    let before = cursor.clone();
    match cursor.type_name() {
        Ok(_) => tokens.push(TokenWithSpan::new(keyword("text"), span(before.at))),
        // Whatever stands there is left for the library to complain about.
        Err(_) => *cursor = before,
    }
}

/// A word, which has just been taken, and what it takes along.
fn word_tokens(
    word: &str,
    category: Category,
    cursor: &mut Cursor<'_>,
    tokens: &mut Vec<TokenWithSpan>,
    at: Span,
) {
    let mut push = |token| tokens.push(TokenWithSpan::new(token, at));
    match word {
        "between" => {
            let _ = cursor.accept_word("symmetric") || cursor.accept_word("asymmetric");
            push(keyword(word));
        }
        "variadic" => {}
        "both" | "leading" | "trailing" => {
            cursor.accept_word("from");
            push(keyword(word));
        }
        "select" => {
            push(keyword(word));
            if cursor
                .peek()
                .is_none_or(|next| AFTER_ITEMS.iter().any(|w| next.is_word(w)) || next.is_punctuation(')'))
            {
                push(plain_word("nothing", None));
            }
        }
        "only" if cursor.clone().ident().is_ok() => {}
        "isnull" | "notnull" if !cursor.is_punctuation('(') => {
            push(keyword("is"));
            if word == "notnull" {
                push(keyword("not"));
            }
            push(keyword("null"));
        }
        "like" | "ilike" if is_quantifier(cursor) => {
            let negated =
                tokens.pop_if(|last| matches!(&last.token, Token::Word(w) if w.keyword == Keyword::NOT));
            let operator = match (word, negated.is_some()) {
                ("like", false) => Token::DoubleTilde,
                ("like", true) => Token::ExclamationMarkDoubleTilde,
                (_, false) => Token::DoubleTildeAsterisk,
                (_, true) => Token::ExclamationMarkDoubleTildeAsterisk,
            };
            tokens.push(TokenWithSpan::new(operator, at));
        }
        "table" if cursor.clone().object_name().is_ok() => {
            // The library takes too many words for the name.
            let _ = cursor.object_name();
            push(keyword("values"));
            push(Token::LParen);
            push(keyword("null"));
            push(Token::RParen);
        }
        "for" if skip_lock(cursor) => {
            push(keyword("for"));
            push(keyword("update"));
        }
        _ if category == Category::None => push(plain_word(word, None)),
        _ => push(keyword(word)),
    }
}

/// Do `ANY (`, `SOME (` or `ALL (` come next?
fn is_quantifier(cursor: &Cursor<'_>) -> bool {
    ["any", "some", "all"].iter().any(|word| cursor.is_word(word))
        && cursor.peek_at(1).is_some_and(|token| token.is_punctuation('('))
}

/// Takes what follows FOR in a locking clause; false, and nothing taken, if it is none.
fn skip_lock(cursor: &mut Cursor<'_>) -> bool {
    let strength = [&["update"][..], &["no", "key", "update"], &["share"], &["key", "share"]]
        .iter()
        .any(|words| cursor.accept_words(words));
    if !strength {
        return false;
    }
    if cursor.accept_word("of") {
        // A name that is wrong stays, for the library to trip over.
        let before = cursor.clone();
        if cursor.comma_separated(Cursor::object_name).is_err() {
            *cursor = before;
        }
    }
    let _ = cursor.accept_word("nowait") || cursor.accept_words(&["skip", "locked"]);
    true
}

fn keyword(word: &str) -> Token {
    Token::make_word(word, None)
}

fn plain_word(word: &str, quote_style: Option<char>) -> Token {
    Token::Word(Word { value: word.to_owned(), quote_style, keyword: Keyword::NoKeyword })
}

/// Any token but a word.
fn plain(source: Source<'_>, token: &Ours) -> Token {
    match &token.kind {
        TokenKind::Word(word, _) => plain_word(word, None),
        TokenKind::Quoted(name) => plain_word(name, Some('"')),
        TokenKind::Number(digits) => Token::Number(digits.clone(), false),
        TokenKind::String(text) => Token::SingleQuotedString(text.clone()),
        TokenKind::Binary(digits) => Token::SingleQuotedByteStringLiteral(digits.clone()),
        TokenKind::Hexadecimal(digits) => Token::HexStringLiteral(digits.clone()),
        TokenKind::Parameter(number) => Token::Placeholder(format!("${number}")),
        TokenKind::Operator => operator(source.token_text(token)),
        TokenKind::Punctuation(character) => match character {
            '(' => Token::LParen,
            ')' => Token::RParen,
            '[' => Token::LBracket,
            ']' => Token::RBracket,
            ',' => Token::Comma,
            ';' => Token::SemiColon,
            '.' => Token::Period,
            ':' => Token::Colon,
            other => Token::Char(*other),
        },
    }
}

/// Operators with a precedence or a meaning of their own; all others are alike.
fn operator(text: &str) -> Token {
    match text {
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "^" => Token::Caret,
        "=" => Token::Eq,
        "<>" | "!=" => Token::Neq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "::" => Token::DoubleColon,
        ":=" => Token::Assignment,
        "=>" => Token::RArrow,
        "~" => Token::Tilde,
        "~*" => Token::TildeAsterisk,
        "!~" => Token::ExclamationMarkTilde,
        "!~*" => Token::ExclamationMarkTildeAsterisk,
        "~~" => Token::DoubleTilde,
        "~~*" => Token::DoubleTildeAsterisk,
        "!~~" => Token::ExclamationMarkDoubleTilde,
        "!~~*" => Token::ExclamationMarkDoubleTildeAsterisk,
        ".." => Token::Char('.'),
        other => Token::CustomBinaryOperator(other.to_owned()),
    }
}
