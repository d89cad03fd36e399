//! Floats as text: the shortest digits that read back as the same float, laid out as PostgreSQL lays them out.

use crate::error::{DataError, Result};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::str::FromStr;

/// Reads a `double precision`.
///
/// # Errors
/// 22P02 if it is no number; 22003 if it is too large or too close to zero.
pub fn parse_f64(text: &str) -> Result<f64> {
    parse(text, "double precision", |value: f64| value.is_infinite() || value == 0.0)
}

/// Reads a `real`.
///
/// # Errors
/// 22P02 if it is no number; 22003 if it is too large or too close to zero.
pub fn parse_f32(text: &str) -> Result<f32> {
    parse(text, "real", |value: f32| value.is_infinite() || value == 0.0)
}

fn parse<T: FromStr + Copy>(text: &str, ty: &'static str, suspect: impl Fn(T) -> bool) -> Result<T> {
    let number = text.trim_ascii();
    let value = number.parse().map_err(|_| DataError::invalid_text(ty, text))?;
    // Infinity and zero are right only if they are written.
    let unsigned = number.trim_start_matches(['+', '-']);
    let named = unsigned.starts_with(|c: char| c.is_ascii_alphabetic());
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    if suspect(value) && !named && mantissa.bytes().any(|c| matches!(c, b'1'..=b'9')) {
        return Err(DataError::NumberOutOfRange { ty, text: number.to_owned() }.into());
    }
    Ok(value)
}

/// Appends a `double precision`: `0.1`, `1e+20`, `Infinity`, `NaN`.
pub fn write_f64(out: &mut impl Write, value: f64) -> fmt::Result {
    if !value.is_finite() {
        return write_special(out, value);
    }
    write_digits(out, &shortest(&value, value.abs() >= 1e15, 16, 17), 15)
}

/// Appends a `real`.
pub fn write_f32(out: &mut impl Write, value: f32) -> fmt::Result {
    if !value.is_finite() {
        return write_special(out, value.into());
    }
    write_digits(out, &shortest(&value, value.abs() >= 1e6, 7, 9), 6)
}

fn write_special(out: &mut impl Write, value: f64) -> fmt::Result {
    out.write_str(match value.partial_cmp(&0.0) {
        None => "NaN",
        Some(Ordering::Less) => "-Infinity",
        Some(_) => "Infinity",
    })
}

/// The shortest digits, with an exponent, among those inside the interval of numbers that round to `value`; of
/// several, the nearest to it; of two, the even ones. Rust's own differ in two ways: they may lie on the border of
/// the interval, where reading depends on how ties are broken, and they take the upper of two.
///
/// A border can have so few digits only if `borders`; two numbers can be equally near only from `ties` digits on;
/// no float needs more than `most`.
fn shortest<T: fmt::LowerExp + FromStr + PartialEq>(
    value: &T,
    borders: bool,
    ties: usize,
    most: usize,
) -> String {
    let text = format!("{value:e}");
    let digits = text.bytes().take_while(|&c| c != b'e').filter(u8::is_ascii_digit).count();
    let accept = |text: &str| {
        if borders { reads_back(text, value) } else { text.parse().is_ok_and(|read: T| read == *value) }
    };
    let rounded = |digits: usize| Some(format!("{value:.*e}", digits - 1)).filter(|text| accept(text));
    if borders && !reads_back(&text, value) {
        return (digits..=most).find_map(rounded).unwrap_or(text);
    }
    if digits >= ties { rounded(digits).unwrap_or(text) } else { text }
}

/// Whether `text`, and anything a little above or below it, reads as `value`.
fn reads_back<T: FromStr + PartialEq>(text: &str, value: &T) -> bool {
    let Some((mantissa, exponent)) = text.split_once('e') else { return false };
    let point = if mantissa.contains('.') { "" } else { "." };
    let above = format!("{mantissa}{point}0000000000000000000000001e{exponent}");
    let below = lowered(mantissa).map(|m| format!("{m}{point}9999999999999999999999999e{exponent}"));
    [Some(above), below].into_iter().flatten().all(|text| text.parse().is_ok_and(|read: T| read == *value))
}

/// The mantissa with its last digit one lower.
fn lowered(mantissa: &str) -> Option<String> {
    let mut bytes = mantissa.as_bytes().to_vec();
    for digit in bytes.iter_mut().rev().filter(|c| c.is_ascii_digit()) {
        if *digit > b'0' {
            *digit -= 1;
            break;
        }
        *digit = b'9';
    }
    String::from_utf8(bytes).ok()
}

/// Lays digits out plainly, or with an exponent below 10^-4 and from 10^`limit` on.
fn write_digits(out: &mut impl Write, text: &str, limit: i32) -> fmt::Result {
    let (mantissa, exponent) = text.split_once('e').ok_or(fmt::Error)?;
    let exponent: i32 = exponent.parse().map_err(|_| fmt::Error)?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    out.write_str(sign)?;
    if !(-4..limit).contains(&exponent) {
        let point = if fraction.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{first}{point}{fraction}e{sign}{:02}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        // Between 10^-4 and 1: at most three zeros behind the point.
        let zeros = &"000"[..exponent.unsigned_abs() as usize - 1];
        return write!(out, "0.{zeros}{first}{fraction}");
    }
    let whole = exponent.unsigned_abs() as usize;
    match fraction.split_at_checked(whole) {
        None => write!(out, "{first}{fraction}{:0<width$}", "", width = whole - fraction.len()),
        Some((whole, "")) => write!(out, "{first}{whole}"),
        Some((whole, rest)) => write!(out, "{first}{whole}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f64_text(value: f64) -> String {
        let mut out = String::new();
        write_f64(&mut out, value).unwrap();
        out
    }

    fn f32_text(value: f32) -> String {
        let mut out = String::new();
        write_f32(&mut out, value).unwrap();
        out
    }

    #[test]
    fn doubles_print_as_in_postgres() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123456789012345.6, "123456789012345.6"),
            (1234567890123456.0, "1.234567890123456e+15"),
            (1e22, "1e+22"),
            (1e23, "9.999999999999999e+22"),
            (2e23, "1.9999999999999998e+23"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9007199254740992.0, "9.007199254740992e+15"),
            (1_097_718_834_198_879.3, "1.0977188341988792e+15"),
            (1.000_007_629_394_531_3, "1.0000076293945312"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(f64_text(value), expected);
        }
    }

    #[test]
    fn reals_print_as_in_postgres() {
        for (value, expected) in [
            (1e5, "100000"),
            (1e6, "1e+06"),
            (1234567.0, "1.234567e+06"),
            (123456.7, "123456.7"),
            (0.00001, "1e-05"),
            (3.4e38, "3.4e+38"),
            (16777216.0, "1.6777216e+07"),
            (33554432.0, "3.3554432e+07"),
            (8589973000.0, "8.589974e+09"),
            (1e-45, "1e-45"),
            (28_798.313, "28798.312"),
            (1.003_906_3, "1.0039062"),
        ] {
            assert_eq!(f32_text(value), expected);
        }
    }

    #[test]
    fn floats_are_read() {
        for (text, expected) in [
            (" 1.5 ", 1.5),
            ("-.5e1", -5.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
            ("0e999", 0.0),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(parse_f64(text).unwrap(), expected);
        }
        assert!(parse_f64("nan").unwrap().is_nan());
        for (text, message) in [
            ("x", "invalid input syntax for type double precision: \"x\""),
            ("", "invalid input syntax for type double precision: \"\""),
            ("infinit", "invalid input syntax for type double precision: \"infinit\""),
            ("1e400", "\"1e400\" is out of range for type double precision"),
            (" -1e-400", "\"-1e-400\" is out of range for type double precision"),
        ] {
            assert_eq!(parse_f64(text).unwrap_err().to_string(), message);
        }
        assert_eq!(parse_f32("1e50").unwrap_err().to_string(), "\"1e50\" is out of range for type real");
    }
}
