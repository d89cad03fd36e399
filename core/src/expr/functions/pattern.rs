//! Regular expressions as operators and functions. The engine's dialect is close to PostgreSQL's advanced one; it has
//! no back references and looks at no surroundings, and in return its time is linear in the text.

use super::{TEXT, function, infix};
use crate::error::{DataError, Result};
use crate::expr::eval::{Argument, Call, binary, reason};
use crate::expr::function::Function;
use crate::types::DataType;
use regex::{Regex, RegexBuilder};

const STRING: DataType = DataType::Text;
const TRUTH: DataType = DataType::Boolean;
const INT: DataType = DataType::Integer;

pub(super) const FUNCTIONS: &[Function] = &[
    infix("~", &[TEXT; 2], TRUTH, |call| matches(call, false, false)),
    infix("!~", &[TEXT; 2], TRUTH, |call| matches(call, false, true)),
    infix("~*", &[TEXT; 2], TRUTH, |call| matches(call, true, false)),
    infix("!~*", &[TEXT; 2], TRUTH, |call| matches(call, true, true)),
    function("regexp_like", &[TEXT; 2], TRUTH, regexp_like),
    function("regexp_like", &[TEXT; 3], TRUTH, regexp_like),
    function("regexp_count", &[TEXT; 2], INT, regexp_count),
    function("regexp_substr", &[TEXT; 2], STRING, regexp_substr).nullable(),
    function("substring", &[TEXT; 2], STRING, substring).nullable(),
    function("regexp_replace", &[TEXT; 3], STRING, regexp_replace),
    function("regexp_replace", &[TEXT; 4], STRING, regexp_replace),
];

/// A compiled expression with its flags.
struct Expression {
    regex: Regex,
    /// Replace every match, not the first only.
    all: bool,
}

/// The last expression, which is nearly always the next.
#[derive(Default)]
struct Cache {
    last: Option<(String, String, Expression)>,
}

impl Cache {
    fn get(&mut self, pattern: &str, flags: &str) -> Result<&Expression> {
        let known = |(p, f, _): &(String, String, Expression)| p == pattern && f == flags;
        if !self.last.as_ref().is_some_and(known) {
            self.last = Some((pattern.to_owned(), flags.to_owned(), compile(pattern, flags)?));
        }
        match &self.last {
            Some((_, _, expression)) => Ok(expression),
            None => unreachable!("filled above"),
        }
    }
}

/// The largest program of a regular expression, in bytes.
const LIMIT: usize = 4 << 20;

fn compile(pattern: &str, flags: &str) -> Result<Expression> {
    let (mut all, mut literal) = (false, false);
    let mut builder_flags = (false, true, false, false);
    for flag in flags.chars() {
        match flag {
            'g' => all = true,
            'i' => builder_flags.0 = true,
            'c' => builder_flags.0 = false,
            // Newline-sensitive, in part or not at all.
            'n' | 'm' => (builder_flags.1, builder_flags.2) = (false, true),
            'p' => (builder_flags.1, builder_flags.2) = (false, false),
            'w' => (builder_flags.1, builder_flags.2) = (true, true),
            's' => (builder_flags.1, builder_flags.2) = (true, false),
            'x' => builder_flags.3 = true,
            't' => builder_flags.3 = false,
            'q' => literal = true,
            'e' | 'b' => {}
            _ => return Err(DataError::InvalidRegularExpressionOption { option: flag }.into()),
        }
    }
    let escaped;
    let pattern = if literal {
        escaped = regex::escape(pattern);
        &escaped
    } else {
        escaped = translated(pattern);
        &escaped
    };
    let (ignore_case, dot, lines, spaced) = builder_flags;
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(dot)
        .multi_line(lines)
        .ignore_whitespace(spaced)
        .size_limit(LIMIT)
        .build()
        .map_err(|error| DataError::InvalidRegularExpression { reason: reason(&error) })?;
    Ok(Expression { regex, all })
}

/// The escapes PostgreSQL has other letters for: `\m` and `\M` are the edges of a word, `\y` either of them, `\Y`
/// neither, `\Z` the end.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '\\' {
            continue;
        }
        let Some(next) = chars.next() else { break };
        match next {
            'm' => out.push_str("b{start}"),
            'M' => out.push_str("b{end}"),
            'y' => out.push('b'),
            'Y' => out.push('B'),
            'Z' => out.push('z'),
            other => out.push(other),
        }
    }
    out
}

fn matches(call: &mut Call<'_>, ignore_case: bool, negated: bool) -> Result<()> {
    let mut cache = Cache::default();
    let flags = if ignore_case { "i" } else { "" };
    binary(call, |text: &str, pattern: &str| Ok(cache.get(pattern, flags)?.regex.is_match(text) != negated))
}

fn regexp_like(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    let (text, pattern) = (call.read::<&str>(0), call.read::<&str>(1));
    let flags = (call.count() > 2).then(|| call.read::<&str>(2));
    call.write(|row| {
        let flags = flags.as_ref().map_or("", |flags| <&str>::get(flags, row));
        Ok(cache.get(<&str>::get(&pattern, row), flags)?.regex.is_match(<&str>::get(&text, row)))
    })
}

fn regexp_count(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    binary(call, |text: &str, pattern: &str| {
        // Fewer matches than bytes.
        Ok(cache.get(pattern, "")?.regex.find_iter(text).count() as i32)
    })
}

fn regexp_substr(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    binary(call, |text: &str, pattern: &str| {
        let found = cache.get(pattern, "")?.regex.find(text);
        Ok(found.map(|found| found.as_str().to_owned()))
    })
}

/// The first group, or the whole match if there is none.
fn substring(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    binary(call, |text: &str, pattern: &str| {
        let captures = cache.get(pattern, "")?.regex.captures(text);
        Ok(captures.and_then(|groups| {
            let wanted = if groups.len() > 1 { groups.get(1) } else { groups.get(0) };
            wanted.map(|found| found.as_str().to_owned())
        }))
    })
}

fn regexp_replace(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    let (text, pattern, new) = (call.read::<&str>(0), call.read::<&str>(1), call.read::<&str>(2));
    let flags = (call.count() > 3).then(|| call.read::<&str>(3));
    call.write(|row| {
        let flags = flags.as_ref().map_or("", |flags| <&str>::get(flags, row));
        let expression = cache.get(<&str>::get(&pattern, row), flags)?;
        let replacement = replacement(<&str>::get(&new, row));
        let limit = if expression.all { 0 } else { 1 };
        Ok(expression.regex.replacen(<&str>::get(&text, row), limit, replacement.as_str()).into_owned())
    })
}

/// PostgreSQL's `\1` and `\&` as the engine's `${1}` and `${0}`.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('&') => out.push_str("${0}"),
                Some(digit @ '0'..='9') => out.push_str(&format!("${{{digit}}}")),
                Some('\\') | None => out.push('\\'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
            },
            _ => out.push(c),
        }
    }
    out
}
