//! `bytea` and `uuid`: bytes as hexadecimal text.

use crate::error::{DataError, Result};
use std::fmt::{self, Write};

/// Reads `\x` and hexadecimal digits, blanks between pairs allowed, or the older form where `\\` is a backslash
/// and `\ooo` a byte in octal.
///
/// # Errors
/// 22023 or 22P02, as PostgreSQL has it.
pub fn parse_bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escaped(text.as_bytes()).ok_or_else(|| DataError::InvalidBytea.into()),
    }
}

fn parse_hex(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut digits = text.chars();
    let nibble = |digit: char| match digit.to_digit(16) {
        Some(value) => Ok(value as u8),
        None => Err(DataError::InvalidHexDigit { digit }),
    };
    while let Some(digit) = digits.next() {
        if matches!(digit, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high = nibble(digit)?;
        let low = nibble(digits.next().ok_or(DataError::OddHexDigits)?)?;
        bytes.push(high << 4 | low);
    }
    Ok(bytes)
}

fn parse_escaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        text = match text {
            [] => return Some(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            [b'\\', ..] => return None,
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

/// Appends `\x` and the bytes in hexadecimal.
pub fn write_bytea(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    out.write_str("\\x")?;
    write_hex(out, bytes)
}

/// Reads 32 hexadecimal digits, hyphens allowed after every four, braces around them.
///
/// # Errors
/// 22P02 if it is anything else.
pub fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    uuid(text.as_bytes()).ok_or_else(|| DataError::invalid_text("uuid", text).into())
}

fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut digits = match text {
        [b'{', inner @ .., b'}'] => inner,
        _ => text,
    };
    let mut value = [0; 16];
    for (i, byte) in value.iter_mut().enumerate() {
        let [high, low, rest @ ..] = digits else { return None };
        let nibble = |c: u8| char::from(c).to_digit(16).map(|value| value as u8);
        *byte = nibble(*high)? << 4 | nibble(*low)?;
        digits = match rest {
            [b'-', rest @ ..] if i % 2 == 1 && i < 15 => rest,
            _ => rest,
        };
    }
    digits.is_empty().then_some(value)
}

/// Appends `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`.
pub fn write_uuid(out: &mut impl Write, uuid: &[u8; 16]) -> fmt::Result {
    for (i, range) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if i > 0 {
            out.write_char('-')?;
        }
        write_hex(out, &uuid[range])?;
    }
    Ok(())
}

fn write_hex(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.write_char(char::from(DIGITS[usize::from(byte >> 4)]))?;
        out.write_char(char::from(DIGITS[usize::from(byte & 15)]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_bytea() {
        for (text, expected) in [
            ("\\x4142", &b"AB"[..]),
            ("\\x 41 4F\n", b"AO"),
            ("\\x", b""),
            ("abc", b"abc"),
            ("\\\\a\\001b", b"\\a\x01b"),
            ("", b""),
        ] {
            assert_eq!(parse_bytea(text).unwrap(), expected);
        }
        for (text, state, message) in [
            ("\\x4", "22023", "invalid hexadecimal data: odd number of digits"),
            ("\\x4g", "22023", "invalid hexadecimal digit: \"g\""),
            ("\\9", "22P02", "invalid input syntax for type bytea"),
            ("a\\", "22P02", "invalid input syntax for type bytea"),
            ("\\400", "22P02", "invalid input syntax for type bytea"),
        ] {
            let error = parse_bytea(text).unwrap_err();
            assert_eq!((error.sqlstate().0, error.to_string().as_str()), (state, message));
        }
        let mut out = String::new();
        write_bytea(&mut out, &[0, 0xab]).unwrap();
        assert_eq!(out, "\\x00ab");
    }

    #[test]
    fn reads_all_forms_of_uuid() {
        let expected = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [expected, "{A0EEBC99-9C0B4EF8-bb6d6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11"] {
            let mut out = String::new();
            write_uuid(&mut out, &parse_uuid(text).unwrap()).unwrap();
            assert_eq!(out, expected);
        }
        for text in ["", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11x", "{"]
        {
            let message = format!("invalid input syntax for type uuid: \"{text}\"");
            assert_eq!(parse_uuid(text).unwrap_err().to_string(), message);
        }
        assert!(parse_uuid("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11").is_err());
        assert!(parse_uuid("a0-eebc999c0b4ef8bb6d6bb9bd380a11").is_err());
        assert!(parse_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-").is_err());
    }
}
