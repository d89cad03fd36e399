//! The SQL library, tamed: queries, INSERT, UPDATE, DELETE and expressions are parsed by `sqlparser` from our own
//! tokens, everything else by hand in `command`.
//!
//! ```text
//! our tokens --translate--> its tokens --its parser, our dialect--> its tree --`convert`--> our tree
//!     ^                     (span = index of our token)                            |
//!     +-------------------------- positions, words as written ---------------------+
//! ```
//!
//! 1. A span of the library is the index of one of our tokens plus one, never a place in the text.
//! 2. Its tree never outlives [`with_tree`], which has grown the stack for it: a left-deep chain of n operators is
//!    a tree of depth n there, and the library drops it by recursion.
//! 3. What could make the library recurse is measured before it sees the text, and refused when it is deeper than
//!    [`MAX_DEPTH`] or longer than [`MAX_CHAIN`]; its own counter is only a second guard.

mod dialect;
mod tokens;

use super::{
    MAX_DEPTH,
    cursor::Source,
    lexer::{Token, TokenKind},
};
use crate::error::{Error, Result, StatementError};
use dialect::Postgres;
use sqlparser::parser::{Parser, ParserError};
use std::ops::Range;

/// The longest chain of operators without parentheses or commas between.
pub const MAX_CHAIN: usize = 20_000;

/// How deep the library's functions may call each other; never reached by what [`measure`] lets pass.
const LIBRARY_DEPTH: usize = 8 * MAX_DEPTH as usize;

/// Stack that parsing and converting need whatever the text.
const STACK_BASE: usize = 256 << 10;

/// Stack for one level of nesting. Without optimisation the library takes up to 184 KiB for a query in FROM, more
/// than the reserve at which it grows the stack by itself.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 256 << 10 } else { 64 << 10 };

/// Stack for one of several prefix operators in a row.
const STACK_PER_PREFIX: usize = STACK_PER_LEVEL / 4;

/// Stack for one link of a chain, which is needed only while its tree is dropped.
const STACK_PER_LINK: usize = 1 << 10;

/// Parses a range of tokens with a function of the library, and converts the tree while the stack is large enough
/// to drop it.
pub(super) fn with_tree<T, U>(
    source: Source<'_>,
    range: Range<usize>,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
    convert: impl FnOnce(T) -> Result<U>,
) -> Result<U> {
    let extent = measure(source, &range)?;
    let stack = STACK_BASE
        + extent.levels * STACK_PER_LEVEL
        + extent.prefixes * STACK_PER_PREFIX
        + extent.chain * STACK_PER_LINK;
    stacker::maybe_grow(stack, stack, || convert(tree(source, range, parse)?))
}

fn tree<T>(
    source: Source<'_>,
    range: Range<usize>,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Result<T> {
    let mut failed = match attempt(source, range.clone(), parse) {
        Ok(tree) => return Ok(tree),
        Err(Failure::TooDeep(at)) => return Err(too_deep(source, at)),
        Err(Failure::Syntax(failed)) => failed,
    };
    // A query in parentheses that fails is then tried as a joined table, and the complaint is about one of its
    // first words. What is wrong inside shows when it is parsed alone.
    let mut tried = range.start;
    for _ in 0..MAX_RETRIES {
        let Some(start) =
            open_query(source, &(range.start..failed.at.min(range.end))).filter(|at| *at > tried)
        else {
            break;
        };
        tried = start;
        match attempt(source, start..range.end, |parser| parser.parse_query()) {
            // A query up to the end: its closing parenthesis is missing.
            Ok(_) => failed.reached = range.end,
            Err(Failure::TooDeep(at)) => return Err(too_deep(source, at)),
            Err(Failure::Syntax(inner)) => {
                failed = Mistake { at: inner.at, reached: inner.reached.max(failed.reached) };
            }
        }
    }
    Err(source.syntax_error(after_pair(source, failed.reached.min(range.end))))
}

/// The start of the innermost query in parentheses that are open at the end of some tokens.
fn open_query(source: Source<'_>, range: &Range<usize>) -> Option<usize> {
    let mut open = Vec::new();
    for index in range.clone() {
        match source.tokens.get(index).map(|token| &token.kind) {
            Some(TokenKind::Punctuation('(')) => open.push(index + 1),
            Some(TokenKind::Punctuation(')')) => {
                open.pop();
            }
            _ => {}
        }
    }
    let is_query = |at: &usize| {
        let token = source.tokens.get(*at);
        token.is_some_and(|token| QUERY_WORDS.iter().any(|word| token.is_word(word)))
    };
    open.into_iter().rev().find(is_query)
}

/// How often an inner query is parsed again to find the place of a mistake.
const MAX_RETRIES: usize = 16;

/// Words that a query starts with.
const QUERY_WORDS: &[&str] = &["select", "table", "values", "with"];

/// Why a range of tokens is not what it should be.
enum Failure {
    /// Something nests too deeply at a token.
    TooDeep(usize),
    Syntax(Mistake),
}

/// The token that the library complained about, and the furthest one that it looked at.
struct Mistake {
    at: usize,
    reached: usize,
}

fn attempt<T>(
    source: Source<'_>,
    range: Range<usize>,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> std::result::Result<T, Failure> {
    let dialect = Postgres::default();
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(LIBRARY_DEPTH)
        .with_tokens_with_locations(tokens::translate(source, range.clone()));
    let result = parse(&mut parser);
    let next = index(parser.peek_token_ref().span).unwrap_or(range.end);
    let at = match result {
        Ok(tree) if next >= range.end => return Ok(tree),
        Ok(_) => next,
        Err(ParserError::RecursionLimitExceeded) => return Err(Failure::TooDeep(next)),
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            match message.contains("found: EOF") {
                true => range.end,
                false => tokens::index_in_message(&message).unwrap_or(next),
            }
        }
    };
    Err(Failure::Syntax(Mistake { at, reached: at.max(dialect.reached()).min(range.end) }))
}

/// The library goes back over `ORDER` without `BY`; the mistake is what stands in place of the second word.
fn after_pair(source: Source<'_>, index: usize) -> usize {
    let first = source.tokens.get(index);
    let second = source.tokens.get(index + 1);
    let broken = first.is_some_and(|t| t.is_word("order") || t.is_word("group"))
        && !second.is_some_and(|t| t.is_word("by"));
    index + usize::from(broken)
}

/// The error of a text that nests too deeply.
pub(super) fn too_deep(source: Source<'_>, index: usize) -> Error {
    Error::from(StatementError::TooDeep)
        .at(source.position(index))
        .with_hint(format!("Expressions and queries may nest {MAX_DEPTH} levels deep."))
}

/// How large a tree the tokens can make.
#[derive(Default)]
struct Extent {
    /// The deepest nesting of parentheses, brackets, CASE, and joins that wait for their ON.
    levels: usize,
    /// The most prefix operators in a row.
    prefixes: usize,
    /// The longest chain of operators.
    chain: usize,
}

/// What is open at one level of nesting.
#[derive(Default)]
struct Level {
    chain: usize,
    joins: usize,
}

/// The extent of the tokens, unless something is over its limit.
fn measure(source: Source<'_>, range: &Range<usize>) -> Result<Extent> {
    let limit = MAX_DEPTH as usize;
    let mut extent = Extent::default();
    let mut open = vec![Level::default()];
    // Joins that wait, at all levels.
    let mut joins = 0;
    let mut prefixes = 0;
    for index in range.clone() {
        let Some(token) = source.tokens.get(index) else {
            break;
        };
        let link = is_link(token);
        prefixes = if link { prefixes + 1 } else { 0 };
        let Some(level) = open.last_mut() else {
            break;
        };
        if link {
            level.chain += 1;
            extent.chain = extent.chain.max(level.chain);
        }
        if token.is_word("join") && !waits_for_nothing(source, index) {
            level.joins += 1;
            joins += 1;
        } else if level.joins > 0 && (token.is_word("on") || token.is_word("using")) {
            level.joins -= 1;
            joins -= 1;
        } else if token.is_punctuation(',') {
            joins -= level.joins;
            *level = Level::default();
        } else if token.is_punctuation('(') || token.is_punctuation('[') || token.is_word("case") {
            open.push(Level::default());
        } else if token.is_punctuation(')') || token.is_punctuation(']') || token.is_word("end") {
            joins -= level.joins;
            *level = Level::default();
            if open.len() > 1 {
                open.pop();
            }
        }
        extent.prefixes = extent.prefixes.max(prefixes);
        extent.levels = extent.levels.max(open.len() - 1 + joins);
        if extent.levels > limit || prefixes > limit {
            return Err(too_deep(source, index));
        }
        if extent.chain > MAX_CHAIN {
            return Err(Error::from(StatementError::TooDeep)
                .at(token.position)
                .with_hint(format!("An expression may have {MAX_CHAIN} operators in a row.")));
        }
    }
    Ok(extent)
}

/// Is the JOIN one without a condition?
fn waits_for_nothing(source: Source<'_>, join: usize) -> bool {
    let before = |back: usize| join.checked_sub(back).and_then(|index| source.tokens.get(index));
    before(1).is_some_and(|token| token.is_word("cross"))
        || (1..=3).any(|back| before(back).is_some_and(|token| token.is_word("natural")))
}

/// Can the token make a tree deeper to the left, or (joins without ON) to the right?
fn is_link(token: &Token) -> bool {
    const WORDS: &[&str] = &[
        "and",
        "at",
        "between",
        "collate",
        "except",
        "ilike",
        "in",
        "intersect",
        "is",
        "isnull",
        "join",
        "like",
        "not",
        "notnull",
        "operator",
        "or",
        "overlaps",
        "similar",
        "union",
    ];
    match &token.kind {
        TokenKind::Word(word, _) => WORDS.binary_search(&word.as_str()).is_ok(),
        TokenKind::Operator | TokenKind::Punctuation('[') => true,
        TokenKind::Quoted(_)
        | TokenKind::Number(_)
        | TokenKind::String(_)
        | TokenKind::Binary(_)
        | TokenKind::Hexadecimal(_)
        | TokenKind::Parameter(_)
        | TokenKind::Punctuation(_) => false,
    }
}
pub(super) use tokens::index;
