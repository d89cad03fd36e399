//! `LIKE`, `ILIKE` and `SIMILAR TO`: patterns compiled once, matched against bytes.
//!
//! A `LIKE` pattern is pieces of text between `%`; a `_` inside a piece stands for any one character. The common
//! forms need no walk over the text: equality, prefix, suffix, and one piece searched for with SIMD. Pieces are
//! looked for from left to right, each at its first place, which is right because `%` takes any text.

use super::call::RowSet;
use super::compare::merge_nulls;
use super::program::{NodeId, Op};
use super::run::{Evaluator, Input};
use crate::error::{DataError, Result};
use crate::expr::PatternKind;
use crate::types::{FlatVector, PhysicalType, Vector};
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};
use std::sync::Arc;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    /// No `%` and no `_`.
    Exact(Box<[u8]>),
    /// `text%`
    Prefix(Box<[u8]>),
    /// `%text`
    Suffix(Box<[u8]>),
    /// `%text%`
    Contains(Box<Finder<'static>>),
    /// Anything else.
    Pieces(Pieces),
    /// `ILIKE` with characters whose case is not that of ASCII, and `SIMILAR TO`.
    Expression(Box<Regex>),
}

/// A `LIKE` pattern cut at its `%`.
#[derive(Debug)]
struct Pieces {
    /// The text before the first `%`; the whole pattern if there is none.
    head: Vec<Symbol>,
    /// Between one `%` and the next.
    middle: Vec<Piece>,
    /// Behind the last `%`; `None` if there is none.
    tail: Option<Vec<Symbol>>,
    /// Letters were folded to lower case.
    fold: bool,
}

/// Text between two `%`.
#[derive(Debug)]
enum Piece {
    /// Without a `_`, and minding the case.
    Text(Box<Finder<'static>>),
    Symbols(Vec<Symbol>),
}

/// A byte, or any one character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symbol {
    Byte(u8),
    One,
}

/// What a pattern is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(char),
    One,
    Any,
}

impl Pattern {
    /// Compiles a pattern; without `escape` it is the backslash, an empty one is none.
    ///
    /// # Errors
    /// 22025 if it ends with the escape or that is no single character; 2201B if a regular expression is wrong.
    pub fn new(kind: PatternKind, pattern: &str, escape: Option<&str>) -> Result<Self> {
        let escape = match escape {
            None => Some('\\'),
            Some(text) => {
                let mut chars = text.chars();
                let first = chars.next();
                if chars.next().is_some() {
                    return Err(crate::Error::from(DataError::InvalidEscape)
                        .with_hint("Escape string must be empty or one character."));
                }
                first
            }
        };
        if kind == PatternKind::Similar {
            let expression = similar_expression(pattern, escape)?;
            return Ok(Self { matcher: Matcher::Expression(compile(&expression, false)?) });
        }
        let parts = parts(pattern, escape)?;
        let fold = kind == PatternKind::ILike;
        if fold && !parts.iter().all(|part| !matches!(part, Part::Literal(c) if !c.is_ascii())) {
            return Ok(Self { matcher: Matcher::Expression(compile(&like_expression(&parts), true)?) });
        }
        Ok(Self { matcher: if fold { Matcher::Pieces(Pieces::new(&parts, true)) } else { plain(&parts) } })
    }

    /// Whether the whole of `text`, which is UTF-8, matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Exact(all) => **all == *text,
            Matcher::Prefix(head) => text.starts_with(head),
            Matcher::Suffix(tail) => text.ends_with(tail),
            Matcher::Contains(finder) => finder.find(text).is_some(),
            Matcher::Pieces(pieces) => pieces.matches(text),
            Matcher::Expression(regex) => std::str::from_utf8(text).is_ok_and(|text| regex.is_match(text)),
        }
    }

    /// The text every match begins with: the range of an index that may hold matches.
    pub fn prefix(&self) -> Option<&[u8]> {
        match &self.matcher {
            Matcher::Exact(text) | Matcher::Prefix(text) => Some(text),
            Matcher::Suffix(_) | Matcher::Contains(_) | Matcher::Pieces(_) | Matcher::Expression(_) => None,
        }
    }
}

fn parts(pattern: &str, escape: Option<char>) -> Result<Vec<Part>> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            _ if Some(c) == escape => Part::Literal(chars.next().ok_or(DataError::PatternEndsWithEscape)?),
            '%' if parts.last() == Some(&Part::Any) => continue,
            '%' => Part::Any,
            '_' => Part::One,
            _ => Part::Literal(c),
        });
    }
    Ok(parts)
}

/// The fastest matcher of a pattern that minds the case.
fn plain(parts: &[Part]) -> Matcher {
    let literal = |parts: &[Part]| {
        let chars = parts.iter().map(|part| if let Part::Literal(c) = part { Some(*c) } else { None });
        chars.collect::<Option<String>>().map(String::into_bytes)
    };
    if let Some(all) = literal(parts) {
        return Matcher::Exact(all.into());
    }
    match parts {
        [Part::Any, inner @ .., Part::Any] if let Some(text) = literal(inner) => {
            Matcher::Contains(Box::new(Finder::new(&text).into_owned()))
        }
        [head @ .., Part::Any] if let Some(text) = literal(head) => Matcher::Prefix(text.into()),
        [Part::Any, tail @ ..] if let Some(text) = literal(tail) => Matcher::Suffix(text.into()),
        _ => Matcher::Pieces(Pieces::new(parts, false)),
    }
}

impl Pieces {
    fn new(parts: &[Part], fold: bool) -> Self {
        let mut pieces: Vec<Vec<Symbol>> = vec![Vec::new()];
        for part in parts {
            let last = pieces.len() - 1;
            match part {
                Part::Any => pieces.push(Vec::new()),
                Part::One => pieces[last].push(Symbol::One),
                Part::Literal(c) => {
                    let folded = if fold { c.to_ascii_lowercase() } else { *c };
                    let mut buffer = [0; 4];
                    pieces[last].extend(folded.encode_utf8(&mut buffer).bytes().map(Symbol::Byte));
                }
            }
        }
        let tail = if pieces.len() > 1 { pieces.pop() } else { None };
        let head = pieces.remove(0);
        let middle = pieces.into_iter().map(|symbols| {
            let byte = |symbol: &Symbol| if let Symbol::Byte(byte) = symbol { Some(*byte) } else { None };
            match symbols.iter().map(byte).collect::<Option<Vec<u8>>>() {
                Some(text) if !fold => Piece::Text(Box::new(Finder::new(&text).into_owned())),
                _ => Piece::Symbols(symbols),
            }
        });
        Self { head, middle: middle.collect(), tail, fold }
    }

    fn matches(&self, text: &[u8]) -> bool {
        let Some(at) = self.piece_at(&self.head, text, 0) else { return false };
        let Some(tail) = &self.tail else { return at == text.len() };
        let mut at = at;
        for piece in &self.middle {
            let end = match piece {
                // Characters of UTF-8 are found nowhere but at the beginning of one.
                Piece::Text(finder) => {
                    finder.find(&text[at..]).map(|found| at + found + finder.needle().len())
                }
                Piece::Symbols(symbols) => {
                    let mut starts = (at..=text.len()).filter(|&start| is_boundary(text, start));
                    starts.find_map(|start| self.piece_at(symbols, text, start))
                }
            };
            match end {
                Some(end) => at = end,
                None => return false,
            }
        }
        // The tail is as many characters as it has symbols, so its bytes are counted from the end.
        self.tail_start(tail, text)
            .is_some_and(|start| start >= at && self.piece_at(tail, text, start) == Some(text.len()))
    }

    /// Where a piece that begins at `start` ends, if it matches there.
    fn piece_at(&self, piece: &[Symbol], text: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        for symbol in piece {
            let byte = *text.get(at)?;
            match symbol {
                Symbol::Byte(wanted) => {
                    let byte = if self.fold { byte.to_ascii_lowercase() } else { byte };
                    if byte != *wanted {
                        return None;
                    }
                    at += 1;
                }
                Symbol::One => at += width(byte),
            }
        }
        (at <= text.len()).then_some(at)
    }

    /// Where the last characters of `text` begin that are as many as `tail` has.
    fn tail_start(&self, tail: &[Symbol], text: &[u8]) -> Option<usize> {
        let mut at = text.len();
        for symbol in tail.iter().rev() {
            at = at.checked_sub(1)?;
            if *symbol == Symbol::One {
                while !is_boundary(text, at) {
                    at = at.checked_sub(1)?;
                }
            }
        }
        Some(at)
    }
}

/// Bytes of the character that begins with `byte`.
fn width(byte: u8) -> usize {
    match byte {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

// ---- Regular expressions ----

/// The largest program of a regular expression, in bytes.
const EXPRESSION_LIMIT: usize = 4 << 20;

fn compile(expression: &str, ignore_case: bool) -> Result<Box<Regex>> {
    let regex = RegexBuilder::new(expression)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .size_limit(EXPRESSION_LIMIT)
        .build()
        .map_err(|error| DataError::InvalidRegularExpression { reason: reason(&error) })?;
    Ok(Box::new(regex))
}

/// The last line of the error's text, which says what is wrong.
pub(in crate::expr) fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or(&text).trim_start_matches("error: ").to_owned()
}

fn like_expression(parts: &[Part]) -> String {
    let mut out = String::from("^(?:");
    for part in parts {
        match part {
            Part::Any => out.push_str(".*"),
            Part::One => out.push('.'),
            Part::Literal(c) => push_literal(&mut out, *c),
        }
    }
    out.push_str(")$");
    out
}

fn push_literal(out: &mut String, c: char) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// PostgreSQL's `similar_to_escape`: SQL's wildcards become those of regular expressions, whose own stay.
fn similar_expression(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut in_brackets = false;
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            push_literal(&mut out, chars.next().ok_or(DataError::PatternEndsWithEscape)?);
        } else if in_brackets {
            match c {
                ']' => in_brackets = false,
                '\\' => out.push('\\'),
                // Classes nest in this engine, and sets have operators.
                '[' if !chars.as_str().starts_with(':') => out.push('\\'),
                '&' | '~' => out.push('\\'),
                _ => {}
            }
            if c == '[' && chars.as_str().starts_with(':') {
                // A named class is copied to its end.
                out.push(c);
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
                continue;
            }
            out.push(c);
        } else {
            match c {
                '[' => {
                    in_brackets = true;
                    out.push('[');
                    if chars.as_str().starts_with('^') {
                        chars.next();
                        out.push('^');
                    }
                    if chars.as_str().starts_with(']') {
                        chars.next();
                        out.push_str("\\]");
                    }
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => push_literal(&mut out, c),
                _ => out.push(c),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

// ---- Evaluation ----

impl Evaluator {
    /// A constant pattern.
    pub(super) fn matches(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) {
        let Op::Matches { operand, pattern, negated } = &self.program.nodes[id].op else { return };
        if let Some((_, codes, dictionary)) = self.only_dictionary(&[*operand], rows, input) {
            let (len, mut values) = (dictionary.len(), FlatVector::new(PhysicalType::Bool));
            let instead = Vector::Flat(dictionary.as_ref().clone());
            match_rows(pattern, *negated, &instead, RowSet::All(len), len, &mut values);
            *out = Vector::Dictionary { codes, dictionary: Arc::new(values) };
            return;
        }
        let vector = self.vector(*operand, input);
        match_rows(pattern, *negated, vector, rows, input.chunk.len, out.writer());
    }

    /// A pattern for each row; one that stays is compiled once.
    pub(super) fn like(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::Like { kind, operand, pattern, escape, negated } = self.program.nodes[id].op else {
            return Ok(());
        };
        for node in [Some(operand), Some(pattern), escape].into_iter().flatten() {
            self.run(node, rows, input)?;
        }
        let (text, pattern) = (self.vector(operand, input), self.vector(pattern, input));
        let escape = escape.map(|escape| self.vector(escape, input));
        let flat = out.writer();
        flat.overwrite::<u8>(input.chunk.len);
        let mut compiled: Option<(String, Option<String>, Pattern)> = None;
        rows.try_each(|row| {
            let (Some(text), Some(source)) = (text.bytes_at(row), pattern.str_at(row)) else {
                flat.set_null(row);
                return Ok(());
            };
            let escape = match escape.map(|escape| escape.str_at(row)) {
                Some(None) => {
                    flat.set_null(row);
                    return Ok(());
                }
                Some(Some(escape)) => Some(escape),
                None => None,
            };
            let known = |(known, with, _): &(String, Option<String>, Pattern)| {
                known == source && with.as_deref() == escape
            };
            if !compiled.as_ref().is_some_and(known) {
                compiled =
                    Some((source.to_owned(), escape.map(str::to_owned), Pattern::new(kind, source, escape)?));
            }
            if let Some((_, _, pattern)) = &compiled {
                flat.values_mut::<u8>()[row] = u8::from(pattern.matches(text) != negated);
            }
            Ok(())
        })
    }
}

fn match_rows(
    pattern: &Pattern,
    negated: bool,
    vector: &Vector,
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let Some((base, way)) = vector.base() else { return };
    let strings = base.strings();
    let slots = out.overwrite::<u8>(len);
    rows.each(|row| {
        slots[row] = u8::from(pattern.matches(strings[way.index(row)].as_bytes()) != negated);
    });
    merge_nulls(out.validity_mut(), vector, len);
}
