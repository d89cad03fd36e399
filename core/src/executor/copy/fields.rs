//! Fields to values of columns: the common forms of numbers and dates straight from their bytes, everything else by the
//! type's input function.

use crate::error::{DataError, Result};
use crate::types::datetime::CivilDate;
use crate::types::{DataType, FlatVector, TimeContext, Value};

/// Appends the value that a field's bytes are in a column's type.
///
/// # Errors
/// 22021 for bytes that are no UTF-8; those of the type's input function.
pub(super) fn push(bytes: &[u8], ty: &DataType, times: &TimeContext, out: &mut FlatVector) -> Result<()> {
    match ty {
        DataType::Integer => {
            if let Some(value) = integer(bytes).and_then(|value| i32::try_from(value).ok()) {
                out.push(value);
                return Ok(());
            }
        }
        DataType::BigInt => {
            if let Some(value) = integer(bytes) {
                out.push(value);
                return Ok(());
            }
        }
        DataType::Numeric { precision, scale } if *precision <= 18 => {
            if let Some(value) = decimal(bytes, *precision, *scale) {
                out.push(value);
                return Ok(());
            }
        }
        DataType::Date => {
            if let Some(days) = date(bytes) {
                out.push(days);
                return Ok(());
            }
        }
        DataType::Text => {
            let text = utf8(bytes)?;
            crate::table::check_length(text.len())?;
            out.push_str(text);
            return Ok(());
        }
        _ => {}
    }
    let value = Value::parse(utf8(bytes)?, ty, times)?;
    out.push_value(&value, ty)
}

/// Whether bytes are text at all.
///
/// # Errors
/// 22021.
pub(super) fn check_text(bytes: &[u8]) -> Result<()> {
    utf8(bytes).map(drop)
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes).map_err(|_| crate::Error::from(DataError::CopyInvalidEncoding))?;
    if memchr::memchr(0, bytes).is_some() {
        return Err(DataError::CopyInvalidEncoding.into());
    }
    Ok(text)
}

/// Up to eighteen digits with a sign.
fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// Digits with at most `scale` of them behind a point, as the integer that is stored.
fn decimal(bytes: &[u8], precision: u8, scale: u8) -> Option<i64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (mut value, mut behind, mut count) = (0_i64, None, 0);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                count += 1;
                behind = behind.map(|behind: u8| behind + 1);
            }
            b'.' if behind.is_none() => behind = Some(0),
            _ => return None,
        }
    }
    let missing = u32::from(scale.checked_sub(behind.unwrap_or(0))?);
    if count == 0 || behind == Some(0) {
        return None;
    }
    let value = value.checked_mul(10_i64.checked_pow(missing)?)?;
    let fits = value < 10_i64.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// `2000-01-31`, as days since 2000-01-01.
fn date(bytes: &[u8]) -> Option<i32> {
    let bytes: &[u8; 10] = bytes.try_into().ok()?;
    let number = |range: std::ops::Range<usize>| {
        let digits = &bytes[range];
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, d| n * 10 + i32::from(d - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let in_calendar = bytes[4] == b'-'
        && bytes[7] == b'-'
        && year > 0
        && (1..=12).contains(&month)
        && (1..=crate::types::datetime::days_in_month(year, month)).contains(&day);
    if !in_calendar {
        return None;
    }
    CivilDate { year, month, day }.to_days()
}
