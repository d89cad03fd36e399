//! Strings: lengths, parts, case, padding, search.

use super::{BIGINT, BYTEA, INTEGER, TEXT, function, infix};
use crate::error::{DataError, Result};
use crate::expr::eval::{Call, binary, ternary, unary};
use crate::expr::function::{Function, Operand, Variadic};
use crate::types::{DataType, MAX_STRING, Scalar, write_text};
use std::collections::HashMap;

const STRING: DataType = DataType::Text;
const INT: DataType = DataType::Integer;
const BYTES: DataType = DataType::Bytea;

pub(super) const FUNCTIONS: &[Function] = &[
    infix("||", &[TEXT; 2], STRING, |call| binary(call, |a: &str, b: &str| Ok([a, b].concat()))),
    infix("||", &[BYTEA; 2], BYTES, |call| binary(call, |a: &[u8], b: &[u8]| Ok([a, b].concat()))),
    infix("||", &[TEXT, Operand::Any], STRING, join_text).stable(),
    infix("||", &[Operand::Any, TEXT], STRING, join_text).stable(),
    function("length", &[TEXT], INT, |call| unary(call, |a: &[u8]| Ok(characters(a)))),
    function("length", &[BYTEA], INT, |call| unary(call, |a: &[u8]| Ok(a.len() as i32))),
    function("char_length", &[TEXT], INT, |call| unary(call, |a: &[u8]| Ok(characters(a)))),
    function("character_length", &[TEXT], INT, |call| unary(call, |a: &[u8]| Ok(characters(a)))),
    function("octet_length", &[TEXT], INT, |call| unary(call, |a: &[u8]| Ok(a.len() as i32))),
    function("octet_length", &[BYTEA], INT, |call| unary(call, |a: &[u8]| Ok(a.len() as i32))),
    function("bit_length", &[TEXT], INT, |call| unary(call, |a: &[u8]| Ok(a.len() as i32 * 8))),
    function("bit_length", &[BYTEA], INT, |call| unary(call, |a: &[u8]| Ok(a.len() as i32 * 8))),
    function("upper", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(map_case(a, char::to_uppercase)))),
    function("lower", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(map_case(a, char::to_lowercase)))),
    function("initcap", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(initcap(a)))),
    function("substring", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, from: i32| Ok(substring(a, from, None)?.to_owned()))
    }),
    function("substring", &[TEXT, INTEGER, INTEGER], STRING, |call| {
        ternary(call, |a: &str, from: i32, count: i32| Ok(substring(a, from, Some(count))?.to_owned()))
    }),
    function("substring", &[BYTEA, INTEGER], BYTES, |call| {
        binary(call, |a: &[u8], from: i32| Ok(subbytes(a, from, None)?.to_vec()))
    }),
    function("substring", &[BYTEA, INTEGER, INTEGER], BYTES, |call| {
        ternary(call, |a: &[u8], from: i32, count: i32| Ok(subbytes(a, from, Some(count))?.to_vec()))
    }),
    function("substr", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, from: i32| Ok(substring(a, from, None)?.to_owned()))
    }),
    function("substr", &[TEXT, INTEGER, INTEGER], STRING, |call| {
        ternary(call, |a: &str, from: i32, count: i32| Ok(substring(a, from, Some(count))?.to_owned()))
    }),
    function("substr", &[BYTEA, INTEGER], BYTES, |call| {
        binary(call, |a: &[u8], from: i32| Ok(subbytes(a, from, None)?.to_vec()))
    }),
    function("substr", &[BYTEA, INTEGER, INTEGER], BYTES, |call| {
        ternary(call, |a: &[u8], from: i32, count: i32| Ok(subbytes(a, from, Some(count))?.to_vec()))
    }),
    function("position", &[TEXT; 2], INT, |call| binary(call, |a: &str, part: &str| Ok(position(a, part)))),
    function("strpos", &[TEXT; 2], INT, |call| binary(call, |a: &str, part: &str| Ok(position(a, part)))),
    function("position", &[BYTEA; 2], INT, |call| {
        binary(call, |a: &[u8], part: &[u8]| Ok(memchr::memmem::find(a, part).map_or(0, |at| at as i32 + 1)))
    }),
    function("starts_with", &[TEXT; 2], DataType::Boolean, |call| {
        binary(call, |a: &[u8], start: &[u8]| Ok(a.starts_with(start)))
    }),
    infix("^@", &[TEXT; 2], DataType::Boolean, |call| {
        binary(call, |a: &[u8], start: &[u8]| Ok(a.starts_with(start)))
    }),
    function("btrim", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(a.trim_matches(' ').to_owned()))),
    function("btrim", &[TEXT; 2], STRING, |call| {
        binary(call, |a: &str, set: &str| Ok(a.trim_matches(|c| set.contains(c)).to_owned()))
    }),
    function("ltrim", &[TEXT], STRING, |call| {
        unary(call, |a: &str| Ok(a.trim_start_matches(' ').to_owned()))
    }),
    function("ltrim", &[TEXT; 2], STRING, |call| {
        binary(call, |a: &str, set: &str| Ok(a.trim_start_matches(|c| set.contains(c)).to_owned()))
    }),
    function("rtrim", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(a.trim_end_matches(' ').to_owned()))),
    function("rtrim", &[TEXT; 2], STRING, |call| {
        binary(call, |a: &str, set: &str| Ok(a.trim_end_matches(|c| set.contains(c)).to_owned()))
    }),
    function("lpad", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, length: i32| pad(a, length, " ", Side::Left))
    }),
    function("lpad", &[TEXT, INTEGER, TEXT], STRING, |call| {
        ternary(call, |a: &str, length: i32, fill: &str| pad(a, length, fill, Side::Left))
    }),
    function("rpad", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, length: i32| pad(a, length, " ", Side::Right))
    }),
    function("rpad", &[TEXT, INTEGER, TEXT], STRING, |call| {
        ternary(call, |a: &str, length: i32, fill: &str| pad(a, length, fill, Side::Right))
    }),
    function("left", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, count: i32| Ok(a[..boundary(a, count)].to_owned()))
    }),
    function("right", &[TEXT, INTEGER], STRING, |call| {
        // All but the first `length - count`; of a negative count, all but the first `-count`.
        binary(call, |a: &str, count: i32| {
            let drop = if count < 0 {
                usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX)
            } else {
                a.chars().count().saturating_sub(usize::try_from(count).unwrap_or(0))
            };
            Ok(a.char_indices().nth(drop).map_or("", |(at, _)| &a[at..]).to_owned())
        })
    }),
    function("repeat", &[TEXT, INTEGER], STRING, |call| {
        binary(call, |a: &str, count: i32| {
            let count = usize::try_from(count).unwrap_or(0);
            limited(a.len().saturating_mul(count))?;
            Ok(a.repeat(count))
        })
    }),
    function("reverse", &[TEXT], STRING, |call| {
        unary(call, |a: &str| Ok(a.chars().rev().collect::<String>()))
    }),
    function("replace", &[TEXT; 3], STRING, |call| {
        ternary(call, |a: &str, from: &str, to: &str| {
            if from.is_empty() {
                return Ok(a.to_owned());
            }
            if to.len() > from.len() {
                limited(
                    a.len().saturating_add((to.len() - from.len()).saturating_mul(a.matches(from).count())),
                )?;
            }
            Ok(a.replace(from, to))
        })
    }),
    function("translate", &[TEXT; 3], STRING, |call| {
        ternary(call, |a: &str, from: &str, to: &str| Ok(translate(a, from, to)))
    }),
    function("split_part", &[TEXT, TEXT, INTEGER], STRING, |call| ternary(call, split_part)),
    function("concat", &[Operand::Any], STRING, concat).repeats(Variadic::Last).sees_nulls().stable(),
    function("concat_ws", &[TEXT, Operand::Any], STRING, concat_ws)
        .repeats(Variadic::Last)
        .sees_nulls()
        .nullable()
        .stable(),
    function("ascii", &[TEXT], INT, |call| {
        unary(call, |a: &str| Ok(a.chars().next().map_or(0, |c| c as i32)))
    }),
    function("chr", &[INTEGER], STRING, |call| unary(call, chr)),
    function("overlay", &[TEXT, TEXT, INTEGER], STRING, |call| {
        ternary(call, |a: &str, new: &str, from: i32| {
            overlay(a, new, from, i32::try_from(new.chars().count()).unwrap_or(i32::MAX))
        })
    }),
    function("overlay", &[TEXT, TEXT, INTEGER, INTEGER], STRING, |call| {
        let (a, new) = (call.read::<&str>(0), call.read::<&str>(1));
        let (from, count) = (call.read::<i32>(2), call.read::<i32>(3));
        use crate::expr::eval::Argument;
        call.write(|row| {
            overlay(<&str>::get(&a, row), <&str>::get(&new, row), i32::get(&from, row), i32::get(&count, row))
        })
    }),
    function("to_hex", &[INTEGER], STRING, |call| unary(call, |a: i32| Ok(format!("{a:x}")))),
    function("to_hex", &[BIGINT], STRING, |call| unary(call, |a: i64| Ok(format!("{a:x}")))),
];

/// How many characters UTF-8 bytes have.
fn characters(bytes: &[u8]) -> i32 {
    // Values are limited far below 2^31 bytes.
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as i32
}

fn limited(length: usize) -> Result<()> {
    if length > MAX_STRING { Err(DataError::RequestedLengthTooLarge.into()) } else { Ok(()) }
}

/// Changes the case character by character: one stays one, as PostgreSQL does it.
fn map_case<I: Iterator<Item = char>>(text: &str, map: fn(char) -> I) -> String {
    let one = |c: char| {
        let mut mapped = map(c);
        match (mapped.next(), mapped.next()) {
            (Some(single), None) => single,
            _ => c,
        }
    };
    text.chars().map(one).collect()
}

fn initcap(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if inside {
            map_case(c.encode_utf8(&mut [0; 4]), char::to_lowercase)
        } else {
            map_case(c.encode_utf8(&mut [0; 4]), char::to_uppercase)
        };
        inside = c.chars().all(char::is_alphanumeric);
        out.push_str(&c);
    }
    out
}

/// The range of places that `from` and `count` mean, places before the first included.
fn span(from: i32, count: Option<i32>) -> Result<(usize, usize)> {
    let start = i64::from(from) - 1;
    let end = match count {
        Some(count) if count < 0 => return Err(DataError::NegativeSubstringLength.into()),
        Some(count) => start + i64::from(count),
        None => i64::MAX,
    };
    let place = |at: i64| usize::try_from(at.max(0)).unwrap_or(usize::MAX);
    Ok((place(start), place(end)))
}

fn substring(text: &str, from: i32, count: Option<i32>) -> Result<&str> {
    let (start, end) = span(from, count)?;
    let mut places = text.char_indices().map(|(at, _)| at);
    let Some(first) = places.nth(start) else { return Ok("") };
    if end <= start {
        return Ok("");
    }
    let last = places.nth(end - start - 1).unwrap_or(text.len());
    Ok(&text[first..last])
}

fn subbytes(bytes: &[u8], from: i32, count: Option<i32>) -> Result<&[u8]> {
    let (start, end) = span(from, count)?;
    let (start, end) = (start.min(bytes.len()), end.min(bytes.len()));
    Ok(bytes.get(start..end).unwrap_or_default())
}

fn position(text: &str, part: &str) -> i32 {
    match memchr::memmem::find(text.as_bytes(), part.as_bytes()) {
        Some(at) => characters(&text.as_bytes()[..at]) + 1,
        None => 0,
    }
}

/// The byte where the first `count` characters end; of a negative count, all but the last so many.
fn boundary(text: &str, count: i32) -> usize {
    let count = match usize::try_from(count) {
        Ok(count) => count,
        Err(_) => {
            let drop = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            text.chars().count().saturating_sub(drop)
        }
    };
    text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

fn pad(text: &str, length: i32, fill: &str, side: Side) -> Result<String> {
    let length = usize::try_from(length).unwrap_or(0);
    let have = text.chars().count();
    if have >= length || fill.is_empty() {
        return Ok(text.chars().take(length).collect());
    }
    limited(length)?;
    let padding = fill.chars().cycle().take(length - have);
    Ok(match side {
        Side::Left => padding.chain(text.chars()).collect(),
        Side::Right => text.chars().chain(padding).collect(),
    })
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let mut map = HashMap::new();
    let mut to = to.chars();
    for c in from.chars() {
        // The first of several counts; characters without a partner go.
        let partner = to.next();
        map.entry(c).or_insert(partner);
    }
    text.chars().filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))).collect()
}

fn split_part(text: &str, separator: &str, number: i32) -> Result<String> {
    if number == 0 {
        return Err(DataError::FieldPositionZero.into());
    }
    let index = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX) - 1;
    if separator.is_empty() {
        return Ok(if index == 0 { text.to_owned() } else { String::new() });
    }
    let part = if number > 0 { text.split(separator).nth(index) } else { text.rsplit(separator).nth(index) };
    Ok(part.unwrap_or_default().to_owned())
}

fn chr(code: i32) -> Result<String> {
    if code < 0 {
        return Err(DataError::NegativeCharacter.into());
    }
    if code == 0 {
        return Err(DataError::NullCharacter.into());
    }
    let c = char::from_u32(code.unsigned_abs());
    c.map(String::from).ok_or_else(|| DataError::CharacterOutOfRange { code }.into())
}

fn overlay(text: &str, new: &str, from: i32, count: i32) -> Result<String> {
    if from <= 0 {
        return Err(DataError::NegativeSubstringLength.into());
    }
    let after = from.checked_add(count).ok_or(DataError::OutOfRange { ty: "integer" })?;
    Ok([substring(text, 1, Some(from - 1))?, new, substring(text, after, None)?].concat())
}

// ---- Any type as text ----

/// Appends an argument's text as the type's output function gives it; nothing for NULL.
fn push_text(call: &Call<'_>, index: usize, row: usize, out: &mut String) {
    let scalar = call.argument(index).scalar(row);
    write_text(out, scalar, &call.types[index], &call.context.times).expect("a String takes any text");
}

fn join_text(call: &mut Call<'_>) -> Result<()> {
    rows_of_text(call, |call, row, out| {
        for index in 0..2 {
            // Here it is a cast, which spells truth values out.
            match call.argument(index).scalar(row) {
                Scalar::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
                _ => push_text(call, index, row, out),
            }
        }
    })
}

/// Writes a string for each row.
fn rows_of_text(call: &mut Call<'_>, mut compose: impl FnMut(&Call<'_>, usize, &mut String)) -> Result<()> {
    let rows = call.rows;
    call.out.overwrite_strings(call.len);
    let mut text = String::new();
    rows.try_each(|row| {
        text.clear();
        compose(call, row, &mut text);
        limited(text.len())?;
        call.out.set_bytes(row, text.as_bytes());
        Ok(())
    })
}

fn concat(call: &mut Call<'_>) -> Result<()> {
    rows_of_text(call, |call, row, out| (0..call.count()).for_each(|index| push_text(call, index, row, out)))
}

fn concat_ws(call: &mut Call<'_>) -> Result<()> {
    rows_of_text(call, |call, row, out| {
        let Some(separator) = call.argument(0).str_at(row) else { return };
        let mut first = true;
        for index in 1..call.count() {
            if matches!(call.argument(index).scalar(row), Scalar::Null) {
                continue;
            }
            if !first {
                out.push_str(separator);
            }
            first = false;
            push_text(call, index, row, out);
        }
    })?;
    let rows = call.rows;
    let separator = call.argument(0);
    rows.each(|row| {
        if separator.is_null(row) {
            call.out.set_null(row);
        }
    });
    Ok(())
}
