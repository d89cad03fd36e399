//! Every type's text: what a client sends and sees, after PostgreSQL's input and output functions.

use super::bytes::{parse_bytea, parse_uuid, write_bytea, write_uuid};
use super::cast::{CastContext, fit_string};
use super::datetime::{
    parse_date, parse_time, parse_timestamp, parse_timestamptz, write_date, write_time, write_timestamp,
    write_timestamptz,
};
use super::float::{parse_f32, parse_f64, write_f32, write_f64};
use super::{DataType, Decimal, Scalar, TimeContext, Value};
use crate::error::{DataError, Result};
use std::fmt::{self, Write};
use std::str::FromStr;

impl Value {
    /// Reads a value of type `ty`, as it stands in a literal, a parameter or a COPY file. Strings too long for
    /// `ty` are errors, as in an assignment.
    ///
    /// # Errors
    /// As the type's input function: 22P02, 22003, 22007, 22008, 22001.
    pub fn parse(text: &str, ty: &DataType, context: &TimeContext) -> Result<Self> {
        Ok(match ty {
            DataType::Boolean => Self::Boolean(parse_boolean(text)?),
            DataType::SmallInt => Self::SmallInt(parse_integer(text, "smallint")?),
            DataType::Integer => Self::Integer(parse_integer(text, "integer")?),
            DataType::BigInt => Self::BigInt(parse_integer(text, "bigint")?),
            DataType::Real => Self::Real(parse_f32(text)?),
            DataType::Double => Self::Double(parse_f64(text)?),
            DataType::Numeric { precision, scale } => {
                Self::Numeric(Decimal::parse_fitting(text, *precision, *scale)?)
            }
            DataType::AnyNumeric => Self::Numeric(text.parse()?),
            DataType::Text | DataType::VarChar(_) | DataType::Char(_) | DataType::Unknown => {
                Self::Text(fit_string(text.into(), ty, CastContext::Assignment)?)
            }
            DataType::Bytea => Self::Bytea(parse_bytea(text)?.into()),
            DataType::Date => Self::Date(parse_date(text, context)?),
            DataType::Time => Self::Time(parse_time(text, context)?),
            DataType::Timestamp => Self::Timestamp(parse_timestamp(text, context)?),
            DataType::TimestampTz => Self::TimestampTz(parse_timestamptz(text, context)?),
            DataType::Interval => Self::Interval(text.parse()?),
            DataType::Uuid => Self::Uuid(parse_uuid(text)?),
        })
    }

    /// Appends the value as a client of `ty` sees it; nothing for NULL.
    pub fn write_text(&self, out: &mut impl Write, ty: &DataType, context: &TimeContext) -> fmt::Result {
        match self {
            Self::Numeric(v) => write!(out, "{v}"),
            // Of its own type every other value has a scalar.
            _ => match self.to_scalar(&self.data_type()) {
                Ok(scalar) if matches!(self, Self::Text(_)) => write_text(out, scalar, ty, context),
                Ok(scalar) => write_text(out, scalar, &self.data_type(), context),
                Err(_) => Err(fmt::Error),
            },
        }
    }

    /// The value as a client of `ty` sees it; `None` of NULL.
    pub fn to_text(&self, ty: &DataType, context: &TimeContext) -> Option<String> {
        if self.is_null() {
            return None;
        }
        let mut out = String::new();
        self.write_text(&mut out, ty, context).expect("a String takes any text, and values have one");
        Some(out)
    }
}

/// Appends a scalar of type `ty` as a client sees it; nothing for NULL. Text that is not UTF-8, which only a damaged
/// file can hold, gets replacement characters.
pub fn write_text(
    out: &mut impl Write,
    scalar: Scalar<'_>,
    ty: &DataType,
    context: &TimeContext,
) -> fmt::Result {
    match scalar {
        Scalar::Null => Ok(()),
        Scalar::Bool(v) => out.write_char(if v { 't' } else { 'f' }),
        Scalar::I16(v) => write!(out, "{v}"),
        Scalar::I32(v) if *ty == DataType::Date => write_date(out, v),
        Scalar::I32(v) => write!(out, "{v}"),
        Scalar::I64(v) => match ty {
            DataType::Time => write_time(out, v),
            DataType::Timestamp => write_timestamp(out, v),
            DataType::TimestampTz => write_timestamptz(out, v, context.zone_seconds),
            DataType::Numeric { scale, .. } => write!(out, "{}", Decimal::new(v.into(), *scale)),
            _ => write!(out, "{v}"),
        },
        Scalar::I128(v) => match ty {
            DataType::Numeric { scale, .. } => write!(out, "{}", Decimal::new(v, *scale)),
            _ => write!(out, "{}", Decimal::unpack(v)),
        },
        Scalar::F32(v) => write_f32(out, v),
        Scalar::F64(v) => write_f64(out, v),
        Scalar::Interval(v) => write!(out, "{v}"),
        Scalar::Uuid(v) => write_uuid(out, &v),
        Scalar::Bytes(v) if *ty == DataType::Bytea => write_bytea(out, v),
        Scalar::Bytes(v) => {
            let text = String::from_utf8_lossy(v);
            out.write_str(&text)?;
            match ty {
                DataType::Char(n) => pad(out, &text, *n),
                _ => Ok(()),
            }
        }
    }
}

/// Appends the blanks that `character(n)` values are kept without.
fn pad(out: &mut impl Write, text: &str, length: u32) -> fmt::Result {
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    write!(out, "{:missing$}", "")
}

/// Reads a `boolean`: any beginning of `true`, `false`, `yes`, `no`, that of `on` and `off` if it tells them apart,
/// `1` and `0`.
fn parse_boolean(text: &str) -> Result<bool> {
    let word = text.trim_ascii().to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if word == "1" || word == "on" || begins("true", 1) || begins("yes", 1) {
        Ok(true)
    } else if word == "0" || begins("off", 2) || begins("false", 1) || begins("no", 1) {
        Ok(false)
    } else {
        Err(DataError::invalid_text("boolean", text).into())
    }
}

fn parse_integer<T: FromStr>(text: &str, ty: &'static str) -> Result<T> {
    let number = text.trim_ascii();
    number.parse().map_err(|_| {
        // Too many digits are found before what may follow them.
        let sign = usize::from(number.starts_with(['+', '-']));
        let digits = number[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && number[..sign + digits].parse::<T>().is_err() {
            DataError::TextOutOfRange { ty, text: text.to_owned() }.into()
        } else {
            DataError::invalid_text(ty, text).into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: TimeContext = TimeContext { now: 0, zone_seconds: 3600 };

    #[test]
    fn texts_round_trip() {
        for (text, ty, expected) in [
            ("yes", DataType::Boolean, "t"),
            (" 12 ", DataType::SmallInt, "12"),
            ("-0", DataType::Integer, "0"),
            ("+9223372036854775807", DataType::BigInt, "9223372036854775807"),
            ("1.5", DataType::Real, "1.5"),
            ("1e100", DataType::Double, "1e+100"),
            ("1.255", DataType::Numeric { precision: 10, scale: 2 }, "1.26"),
            ("1.255", DataType::Numeric { precision: 30, scale: 2 }, "1.26"),
            ("1.250", DataType::AnyNumeric, "1.250"),
            ("na\u{ef}ve ", DataType::Text, "na\u{ef}ve "),
            ("abc   ", DataType::VarChar(Some(4)), "abc "),
            ("a\u{e9}   ", DataType::Char(4), "a\u{e9}  "),
            ("abc", DataType::Bytea, "\\x616263"),
            ("Jan 5, 2001", DataType::Date, "2001-01-05"),
            ("1:2", DataType::Time, "01:02:00"),
            ("20010203T040506", DataType::Timestamp, "2001-02-03 04:05:06"),
            ("2001-02-03 04:05:06Z", DataType::TimestampTz, "2001-02-03 05:05:06+01"),
            ("90 min", DataType::Interval, "01:30:00"),
            ("a0eebc999c0b4ef8bb6d6bb9bd380a11", DataType::Uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ] {
            let value = Value::parse(text, &ty, &CONTEXT).unwrap();
            assert_eq!(value.to_text(&ty, &CONTEXT).as_deref(), Some(expected));
            let mut out = String::new();
            write_text(&mut out, value.to_scalar(&ty).unwrap(), &ty, &CONTEXT).unwrap();
            assert_eq!(out, expected);
        }
        assert_eq!(Value::Null.to_text(&DataType::Text, &CONTEXT), None);
    }

    #[test]
    fn booleans_may_be_shortened() {
        for text in ["t", "TRUE", " tru ", "y", "yes", "on", "1"] {
            assert!(parse_boolean(text).unwrap());
        }
        for text in ["f", "false", "n", "no", "of", "OFF", "0"] {
            assert!(!parse_boolean(text).unwrap());
        }
        for text in ["", "o", "2", "truee", "10"] {
            let message = format!("invalid input syntax for type boolean: \"{text}\"");
            assert_eq!(parse_boolean(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn bad_integers_are_told_from_large_ones() {
        let error = |text, ty| Value::parse(text, &ty, &CONTEXT).unwrap_err().to_string();
        for text in ["abc", "", " ", "1.5", "1 2", "+", "--1", "1e3"] {
            assert_eq!(
                error(text, DataType::Integer),
                format!("invalid input syntax for type integer: \"{text}\"")
            );
        }
        assert_eq!(error("70000", DataType::SmallInt), "value \"70000\" is out of range for type smallint");
        assert_eq!(
            error("-99999999999", DataType::Integer),
            "value \"-99999999999\" is out of range for type integer"
        );
        assert_eq!(error("70000x", DataType::SmallInt), "value \"70000x\" is out of range for type smallint");
        assert_eq!(
            error("99999999999999999999", DataType::BigInt),
            "value \"99999999999999999999\" is out of range for type bigint"
        );
    }
}
