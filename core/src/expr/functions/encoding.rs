//! Strings made for other readers: quoting, `format`, `encode`, hashes.

use super::{BYTEA, INTEGER, TEXT, function};
use crate::error::{DataError, Error, Result};
use crate::expr::eval::{Call, binary, ternary, unary};
use crate::expr::function::{Function, Operand, Variadic};
use crate::types::{DataType, MAX_STRING, Scalar, write_text};

const STRING: DataType = DataType::Text;
const BYTES: DataType = DataType::Bytea;
const INT: DataType = DataType::Integer;

pub(super) const FUNCTIONS: &[Function] = &[
    function("quote_ident", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(quote_ident(a)))),
    function("quote_literal", &[TEXT], STRING, |call| unary(call, |a: &str| Ok(quote_literal(a)))),
    function("quote_literal", &[Operand::Any], STRING, |call| {
        let text = row_texts(call, 0);
        call.write(|row| Ok(text[row].as_deref().map(quote_literal)))
    })
    .stable(),
    function("quote_nullable", &[TEXT], STRING, |call| {
        unary(call, |a: Option<&str>| Ok(a.map_or_else(|| "NULL".to_owned(), quote_literal)))
    })
    .sees_nulls(),
    function("quote_nullable", &[Operand::Any], STRING, |call| {
        let text = row_texts(call, 0);
        call.write(|row| Ok(text[row].as_deref().map_or_else(|| "NULL".to_owned(), quote_literal)))
    })
    .sees_nulls()
    .stable(),
    function("format", &[TEXT], STRING, format_rows).sees_nulls().nullable().stable(),
    function("format", &[TEXT, Operand::Any], STRING, format_rows)
        .repeats(Variadic::Last)
        .sees_nulls()
        .nullable()
        .stable(),
    function("encode", &[BYTEA, TEXT], STRING, |call| {
        binary(call, |bytes: &[u8], format: &str| Ok(Encoding::parse(format)?.encode(bytes)))
    }),
    function("decode", &[TEXT, TEXT], BYTES, |call| {
        binary(call, |text: &str, format: &str| Encoding::parse(format)?.decode(text))
    }),
    function("md5", &[TEXT], STRING, |call| unary(call, |a: &[u8]| Ok(hex(&md5(a))))),
    function("md5", &[BYTEA], STRING, |call| unary(call, |a: &[u8]| Ok(hex(&md5(a))))),
    function("convert_to", &[TEXT, TEXT], BYTES, |call| {
        binary(call, |a: &str, encoding: &str| {
            utf8_only(encoding)?;
            Ok(a.as_bytes().to_vec())
        })
    }),
    function("convert_from", &[BYTEA, TEXT], STRING, |call| {
        binary(call, |a: &[u8], encoding: &str| {
            utf8_only(encoding)?;
            let text = std::str::from_utf8(a).map_err(|error| invalid_utf8(a, error.valid_up_to()))?;
            if text.contains('\0') {
                return Err(invalid_utf8(a, a.iter().position(|byte| *byte == 0).unwrap_or(0)));
            }
            Ok(text.to_owned())
        })
    }),
    function("get_byte", &[BYTEA, INTEGER], INT, |call| {
        binary(call, |a: &[u8], index: i32| {
            let byte = usize::try_from(index).ok().and_then(|index| a.get(index));
            byte.map(|byte| i32::from(*byte)).ok_or_else(|| index_error(index, a.len()))
        })
    }),
    function("set_byte", &[BYTEA, INTEGER, INTEGER], BYTES, |call| {
        ternary(call, |a: &[u8], index: i32, value: i32| {
            let mut bytes = a.to_vec();
            let slot = usize::try_from(index).ok().and_then(|index| bytes.get_mut(index));
            // The low byte of the value, as in PostgreSQL.
            *slot.ok_or_else(|| index_error(index, a.len()))? = value as u8;
            Ok(bytes)
        })
    }),
];

fn index_error(index: i32, length: usize) -> Error {
    DataError::ByteIndexOutOfRange { index, last: length as i64 - 1 }.into()
}

fn utf8_only(encoding: &str) -> Result<()> {
    let plain = encoding.replace(['-', '_'], "").to_ascii_lowercase();
    if matches!(plain.as_str(), "utf8" | "unicode") {
        Ok(())
    } else {
        Err(DataError::UnknownEncoding { name: encoding.to_owned() }.into())
    }
}

fn invalid_utf8(bytes: &[u8], at: usize) -> Error {
    let shown: Vec<_> = bytes[at..].iter().take(1).map(|byte| format!("0x{byte:02x}")).collect();
    DataError::InvalidUtf8 { bytes: shown.join(" ") }.into()
}

// ---- Quoting ----

/// Words that PostgreSQL's grammar reserves or gives a meaning before a parenthesis; as identifiers they are quoted.
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit \
    boolean both case cast char character check coalesce collate collation column concurrently constraint create \
    cross current_catalog current_date current_role current_schema current_time current_timestamp current_user dec \
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze \
    from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval \
    into is isnull join lateral leading least left like limit localtime localtimestamp national natural nchar none \
    normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position \
    precision primary real references returning right row select session_user setof similar smallint some \
    substring symmetric table tablesample then time timestamp to trailing treat trim true union unique user using \
    values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest \
    xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";

/// An identifier as it must be written.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        && !RESERVED.contains(&format!(" {name} "));
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A string literal as it must be written.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// An argument's texts, as the type's output function gives them.
fn row_texts(call: &Call<'_>, index: usize) -> Vec<Option<String>> {
    let mut texts = vec![None; call.len];
    call.rows.each(|row| texts[row] = text_of(call, index, row));
    texts
}

fn text_of(call: &Call<'_>, index: usize, row: usize) -> Option<String> {
    let scalar = call.argument(index).scalar(row);
    if matches!(scalar, Scalar::Null) {
        return None;
    }
    let mut text = String::new();
    write_text(&mut text, scalar, &call.types[index], &call.context.times).expect("a String takes any text");
    Some(text)
}

// ---- format ----

fn format_rows(call: &mut Call<'_>) -> Result<()> {
    let formats = call.argument(0);
    let mut texts = vec![None; call.len];
    call.rows.try_each(|row| {
        if let Some(format) = formats.str_at(row) {
            texts[row] = Some(format_row(call, format, row)?);
        }
        Ok(())
    })?;
    call.write(|row| Ok(texts[row].take()))
}

/// What follows a `%`: `[position$][-][width]type`.
#[derive(Default)]
struct Specifier {
    position: Option<usize>,
    left: bool,
    width: Width,
}

#[derive(Default, Clone, Copy)]
enum Width {
    #[default]
    None,
    Given(i32),
    /// The next argument, or the one at a place.
    Argument(Option<usize>),
}

fn format_row(call: &Call<'_>, format: &str, row: usize) -> Result<String> {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    let mut next = 1;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (specifier, after) = parse_specifier(rest)?;
        let mut chars = after.chars();
        let kind = chars.next().ok_or_else(unterminated)?;
        rest = chars.as_str();
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(Error::from(DataError::UnknownFormatSpecifier { specifier: kind })
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        let (mut left, width) = match specifier.width {
            Width::None => (specifier.left, 0),
            Width::Given(width) => (specifier.left, i64::from(width)),
            Width::Argument(place) => {
                let index = place.unwrap_or(next);
                next = index + 1;
                let text = argument(call, index, row)?.unwrap_or_else(|| "0".to_owned());
                let width: i32 = text.parse().map_err(|_| DataError::invalid_text("integer", &text))?;
                (specifier.left, i64::from(width))
            }
        };
        left |= width < 0;
        let index = specifier.position.unwrap_or(next);
        next = index + 1;
        let value = argument(call, index, row)?;
        let text = match (kind, value) {
            ('s', value) => value.unwrap_or_default(),
            ('L', None) => "NULL".to_owned(),
            ('L', Some(value)) => quote_literal(&value),
            (_, None) => return Err(DataError::NullIdentifier.into()),
            (_, Some(value)) => quote_ident(&value),
        };
        let padding = usize::try_from(width.unsigned_abs()).unwrap_or(0).saturating_sub(text.chars().count());
        if out.len().saturating_add(padding) > MAX_STRING {
            return Err(DataError::RequestedLengthTooLarge.into());
        }
        if left {
            out.push_str(&text);
        }
        out.extend(std::iter::repeat_n(' ', padding));
        if !left {
            out.push_str(&text);
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn unterminated() -> Error {
    Error::from(DataError::UnterminatedFormat).with_hint("For a single \"%\" use \"%%\".")
}

fn argument(call: &Call<'_>, index: usize, row: usize) -> Result<Option<String>> {
    if index >= call.count() {
        return Err(DataError::TooFewFormatArguments.into());
    }
    Ok(text_of(call, index, row))
}

fn leading_number(text: &str) -> Result<(Option<usize>, &str)> {
    let end = text.bytes().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    let number: i32 = text[..end].parse().map_err(|_| DataError::FormatNumberOutOfRange)?;
    Ok((usize::try_from(number).ok(), &text[end..]))
}

fn parse_specifier(text: &str) -> Result<(Specifier, &str)> {
    let mut specifier = Specifier::default();
    let (number, mut rest) = leading_number(text)?;
    match (number, rest.strip_prefix('$')) {
        (Some(0), Some(_)) => return Err(DataError::FormatArgumentZero.into()),
        (Some(position), Some(after)) => {
            specifier.position = Some(position);
            rest = after;
        }
        (None, Some(_)) => return Err(unterminated()),
        (Some(width), None) => {
            specifier.width = Width::Given(i32::try_from(width).unwrap_or(i32::MAX));
            return Ok((specifier, rest));
        }
        (None, None) => {}
    }
    while let Some(after) = rest.strip_prefix('-') {
        specifier.left = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('*') {
        let (place, after) = leading_number(after)?;
        specifier.width = match (place, after.strip_prefix('$')) {
            (Some(0), Some(_)) => return Err(DataError::FormatArgumentZero.into()),
            (Some(place), Some(after)) => {
                rest = after;
                Width::Argument(Some(place))
            }
            (Some(_), None) => return Err(DataError::FormatWidthNotClosed.into()),
            (None, _) => {
                rest = after;
                Width::Argument(None)
            }
        };
        return Ok((specifier, rest));
    }
    let (width, after) = leading_number(rest)?;
    if let Some(width) = width {
        specifier.width = Width::Given(i32::try_from(width).unwrap_or(i32::MAX));
    }
    Ok((specifier, after))
}

// ---- encode and decode ----

#[derive(Clone, Copy)]
enum Encoding {
    Hex,
    Base64,
    Escape,
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of base64 per line.
const BASE64_LINE: usize = 76;

impl Encoding {
    fn parse(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            "escape" => Ok(Self::Escape),
            _ => Err(DataError::UnrecognizedEncoding { name: name.to_owned() }.into()),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex(bytes),
            Self::Base64 => encode_base64(bytes),
            Self::Escape => {
                let mut out = String::with_capacity(bytes.len());
                for &byte in bytes {
                    match byte {
                        b'\\' => out.push_str("\\\\"),
                        0 | 0x80.. => out.push_str(&format!("\\{byte:03o}")),
                        _ => out.push(char::from(byte)),
                    }
                }
                out
            }
        }
    }

    fn decode(self, text: &str) -> Result<Vec<u8>> {
        match self {
            Self::Hex => decode_hex(text),
            Self::Base64 => decode_base64(text),
            Self::Escape => decode_escape(text),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = text.chars().filter(|c| !c.is_ascii_whitespace());
    let value = |c: char| c.to_digit(16).ok_or(DataError::InvalidHexDigit { digit: c });
    let mut out = Vec::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        let high = value(high)?;
        let low = value(digits.next().ok_or(DataError::OddHexDigits)?)?;
        // Two digits of four bits.
        out.push((high * 16 + low) as u8);
    }
    Ok(out)
}

fn encode_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 4);
    let mut column = 0;
    for group in bytes.chunks(3) {
        if column == BASE64_LINE {
            out.push('\n');
            column = 0;
        }
        let word = group.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            if place > group.len() {
                out.push('=');
            } else {
                out.push(char::from(BASE64[(word >> (18 - 6 * place)) as usize & 63]));
            }
        }
        column += 4;
    }
    out
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut place, mut end) = (0u32, 0, 0);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        let value = match c {
            '=' => {
                if end == 0 {
                    end = match place {
                        2 => 1,
                        3 => 2,
                        _ => return Err(DataError::UnexpectedPadding.into()),
                    };
                }
                0
            }
            _ => match BASE64.iter().position(|known| char::from(*known) == c) {
                Some(value) => value as u32,
                None => return Err(DataError::InvalidBase64 { symbol: c }.into()),
            },
        };
        word = word << 6 | value;
        place += 1;
        if place == 4 {
            let bytes = word.to_be_bytes();
            out.extend_from_slice(&bytes[1..if end == 0 { 4 } else { 1 + end }]);
            (word, place) = (0, 0);
        }
    }
    if place != 0 {
        return Err(Error::from(DataError::InvalidBase64End)
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}

fn decode_escape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => out.push(b'\\'),
            Some(first @ b'0'..=b'3') => {
                let digit = |byte: Option<u8>| match byte {
                    Some(byte @ b'0'..=b'7') => Ok(byte - b'0'),
                    _ => Err(DataError::InvalidBytea),
                };
                out.push((first - b'0') << 6 | digit(bytes.next())? << 3 | digit(bytes.next())?);
            }
            _ => return Err(DataError::InvalidBytea.into()),
        }
    }
    Ok(out)
}

// ---- MD5 ----

/// The message with the padding and length that MD5 ends it with.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut message = bytes.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(bytes.len() as u64 * 8).to_le_bytes());
    message
}

/// RFC 1321.
fn md5(bytes: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(bytes).chunks_exact(64) {
        let mut words = [0u32; 16];
        for (word, chunk) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, word) = match step / 16 {
                0 => (b & c | !b & d, step),
                1 => (d & b | !d & c, (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), 7 * step % 16),
            };
            // The table of constants is defined by the sine.
            let constant = (((step + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
            let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(words[word]);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(SHIFTS[step / 16][step % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut out = [0; 16];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    out
}
