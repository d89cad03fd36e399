//! Casts: which there are and where they apply without being written, and what they do to a value.
//!
//! The matrix is PostgreSQL's `pg_cast` for our types, together with its conversions through text: every type
//! casts to the string types in an assignment, and from them when asked explicitly. A literal of unknown type
//! becomes anything.

use super::datetime::{date_to_timestamp, local_to_utc, timestamp_to_date, timestamp_to_time, utc_to_local};
use super::{DataType, Decimal, Interval, MICROS_PER_DAY, TimeContext, Value};
use crate::error::{DataError, Result};

/// Where a cast is applied; each context allows the casts of those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CastContext {
    /// In an expression, to make its types agree.
    Implicit,
    /// To a column or parameter of the target type.
    Assignment,
    /// Written as `CAST` or `::`. Strings are then cut to their type's length.
    Explicit,
}

/// The least context in which `from` casts to `to`; `None` if it never does.
pub fn cast_context(from: &DataType, to: &DataType) -> Option<CastContext> {
    use CastContext::{Assignment, Explicit, Implicit};
    /// The order in which numbers widen: to the right implicitly, to the left in an assignment.
    fn width(ty: &DataType) -> Option<u32> {
        Some(match ty {
            DataType::SmallInt => 0,
            DataType::Integer => 1,
            DataType::BigInt => 2,
            DataType::Numeric { .. } | DataType::AnyNumeric => 3,
            DataType::Real => 4,
            DataType::Double => 5,
            _ => return None,
        })
    }
    if let (Some(from), Some(to)) = (width(from), width(to)) {
        return Some(if from <= to { Implicit } else { Assignment });
    }
    Some(match (from, to) {
        _ if from.oid() == to.oid() => Implicit,
        (DataType::Unknown, _) => Implicit,
        (_, DataType::Unknown) => return None,
        _ if from.is_string() && to.is_string() => Implicit,
        _ if to.is_string() => Assignment,
        _ if from.is_string() => Explicit,
        (DataType::Boolean, DataType::Integer) | (DataType::Integer, DataType::Boolean) => Explicit,
        (DataType::Date, DataType::Timestamp | DataType::TimestampTz)
        | (DataType::Timestamp, DataType::TimestampTz)
        | (DataType::Time, DataType::Interval) => Implicit,
        (DataType::Timestamp | DataType::TimestampTz, DataType::Date | DataType::Time)
        | (DataType::TimestampTz, DataType::Timestamp)
        | (DataType::Interval, DataType::Time) => Assignment,
        _ => return None,
    })
}

impl Value {
    /// The value as one of type `to`, which it casts to in `context`.
    ///
    /// # Errors
    /// The type's own: 22003, 22P02, 22001, 22007, 22008; 42846 if there is no such cast.
    pub fn cast(self, to: &DataType, context: CastContext, times: &TimeContext) -> Result<Self> {
        if self.is_null() {
            return Ok(self);
        }
        match to {
            DataType::Text | DataType::VarChar(_) | DataType::Char(_) | DataType::Unknown => {
                Ok(Self::Text(fit_string(self.into_string(times), to, context)?))
            }
            DataType::Boolean => match self {
                Self::Boolean(_) => Ok(self),
                Self::Integer(v) => Ok(Self::Boolean(v != 0)),
                other => other.parse_as(to, times),
            },
            DataType::SmallInt => self.into_integer(to, times, |v| Some(Self::SmallInt(v.try_into().ok()?))),
            DataType::Integer => self.into_integer(to, times, |v| Some(Self::Integer(v.try_into().ok()?))),
            DataType::BigInt => self.into_integer(to, times, |v| Some(Self::BigInt(v.try_into().ok()?))),
            DataType::Real => self.into_real(times),
            DataType::Double => self.into_double(times),
            DataType::Numeric { precision, scale } => {
                if let Self::Text(text) = &self {
                    return Ok(Self::Numeric(Decimal::parse_fitting(text, *precision, *scale)?));
                }
                let decimal = self.into_decimal(times)?;
                Ok(Self::Numeric(Decimal::new(decimal.fit(*precision, *scale)?, *scale)))
            }
            DataType::AnyNumeric => Ok(Self::Numeric(self.into_decimal(times)?)),
            DataType::Bytea | DataType::Uuid => match self {
                Self::Bytea(_) if *to == DataType::Bytea => Ok(self),
                Self::Uuid(_) if *to == DataType::Uuid => Ok(self),
                other => other.parse_as(to, times),
            },
            DataType::Date => Ok(Self::Date(match self {
                Self::Date(v) => v,
                Self::Timestamp(v) => timestamp_to_date(v),
                Self::TimestampTz(v) => timestamp_to_date(utc_to_local(v, times)?),
                other => return other.parse_as(to, times),
            })),
            DataType::Time => {
                let time = match self {
                    Self::Time(v) => Some(v),
                    Self::Timestamp(v) => timestamp_to_time(v),
                    Self::TimestampTz(v) => timestamp_to_time(utc_to_local(v, times)?),
                    Self::Interval(v) => Some(v.micros.rem_euclid(MICROS_PER_DAY)),
                    other => return other.parse_as(to, times),
                };
                Ok(time.map_or(Self::Null, Self::Time))
            }
            DataType::Timestamp => Ok(Self::Timestamp(match self {
                Self::Timestamp(v) => v,
                Self::TimestampTz(v) => utc_to_local(v, times)?,
                Self::Date(v) => date_to_timestamp(v)?,
                other => return other.parse_as(to, times),
            })),
            DataType::TimestampTz => Ok(Self::TimestampTz(match self {
                Self::TimestampTz(v) => v,
                Self::Timestamp(v) => local_to_utc(v, times)?,
                Self::Date(v) => local_to_utc(date_to_timestamp(v)?, times)?,
                other => return other.parse_as(to, times),
            })),
            DataType::Interval => Ok(Self::Interval(match self {
                Self::Interval(v) => v,
                Self::Time(v) => Interval::new(0, 0, v),
                other => return other.parse_as(to, times),
            })),
        }
    }

    /// The value's text, where casts differ from output: `true`, not `t`, and no padding.
    fn into_string(self, times: &TimeContext) -> Box<str> {
        match self {
            Self::Text(v) => v,
            Self::Boolean(v) => if v { "true" } else { "false" }.into(),
            other => other.to_text(&other.data_type(), times).unwrap_or_default().into(),
        }
    }

    fn parse_as(self, to: &DataType, times: &TimeContext) -> Result<Self> {
        match self {
            Self::Text(text) => Self::parse(&text, to, times),
            other => Err(DataError::CannotCast { from: other.data_type().name(), to: to.name() }.into()),
        }
    }

    fn into_integer(
        self,
        to: &DataType,
        times: &TimeContext,
        narrow: impl FnOnce(i128) -> Option<Self>,
    ) -> Result<Self> {
        let rounded = |v: f64| (v.abs() < 1e30).then(|| v.round_ties_even() as i128);
        let wide = match self {
            Self::SmallInt(v) => Some(v.into()),
            Self::Integer(v) => Some(v.into()),
            Self::BigInt(v) => Some(v.into()),
            Self::Numeric(v) => Some(v.to_i128()),
            Self::Real(v) => rounded(v.into()),
            Self::Double(v) => rounded(v),
            Self::Boolean(v) if *to == DataType::Integer => Some(v.into()),
            other => return other.parse_as(to, times),
        };
        wide.and_then(narrow).ok_or_else(|| DataError::OutOfRange { ty: to.name() }.into())
    }

    fn into_real(self, times: &TimeContext) -> Result<Self> {
        Ok(Self::Real(match self {
            Self::Real(v) => v,
            Self::SmallInt(v) => v.into(),
            Self::Integer(v) => v as f32,
            Self::BigInt(v) => v as f32,
            Self::Numeric(v) => v.to_f32(),
            Self::Double(v) => {
                let narrow = v as f32;
                if narrow.is_infinite() && v.is_finite() {
                    return Err(DataError::FloatOverflow.into());
                }
                if narrow == 0.0 && v != 0.0 {
                    return Err(DataError::FloatUnderflow.into());
                }
                narrow
            }
            other => return other.parse_as(&DataType::Real, times),
        }))
    }

    fn into_double(self, times: &TimeContext) -> Result<Self> {
        Ok(Self::Double(match self {
            Self::Double(v) => v,
            Self::Real(v) => v.into(),
            Self::SmallInt(v) => v.into(),
            Self::Integer(v) => v.into(),
            Self::BigInt(v) => v as f64,
            Self::Numeric(v) => v.to_f64(),
            other => return other.parse_as(&DataType::Double, times),
        }))
    }

    fn into_decimal(self, times: &TimeContext) -> Result<Decimal> {
        match self {
            Self::Numeric(v) => Ok(v),
            Self::SmallInt(v) => Ok(Decimal::from(i64::from(v))),
            Self::Integer(v) => Ok(Decimal::from(i64::from(v))),
            Self::BigInt(v) => Ok(Decimal::from(v)),
            Self::Real(v) => Decimal::from_f32(v),
            Self::Double(v) => Decimal::from_f64(v),
            other => match other.parse_as(&DataType::AnyNumeric, times)? {
                Self::Numeric(v) => Ok(v),
                found => {
                    let found = found.data_type().name();
                    Err(DataError::TypeMismatch { expected: "numeric", found }.into())
                }
            },
        }
    }
}

/// `text` as a value of the string type `ty`. If it is too long, an explicit cast cuts it, and an assignment does if
/// only blanks are lost. `character(n)` loses its trailing blanks.
///
/// # Errors
/// 22001 if it is too long.
pub fn fit_string(text: Box<str>, ty: &DataType, context: CastContext) -> Result<Box<str>> {
    let limit = match ty {
        DataType::VarChar(Some(n)) | DataType::Char(n) => usize::try_from(*n).unwrap_or(usize::MAX),
        _ => return Ok(text),
    };
    let mut fitted = &text[..];
    // As many bytes cannot be more characters.
    if text.len() > limit
        && let Some((end, _)) = text.char_indices().nth(limit)
    {
        if context != CastContext::Explicit && !text[end..].bytes().all(|c| c == b' ') {
            return Err(DataError::StringTooLong { ty: ty.to_string() }.into());
        }
        fitted = &text[..end];
    }
    if matches!(ty, DataType::Char(_)) {
        fitted = fitted.trim_end_matches(' ');
    }
    Ok(if fitted.len() == text.len() { text } else { fitted.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use CastContext::{Assignment, Explicit, Implicit};

    const UTC: TimeContext = TimeContext { now: 0, zone_seconds: 0 };
    const EAST: TimeContext = TimeContext { now: 0, zone_seconds: 3600 };
    const MONEY: DataType = DataType::Numeric { precision: 10, scale: 2 };

    fn cast(value: impl Into<Value>, to: DataType) -> Result<Value, String> {
        value.into().cast(&to, Explicit, &UTC).map_err(|error| error.to_string())
    }

    #[test]
    fn matrix_is_that_of_pg_cast() {
        let varchar = DataType::VarChar(Some(5));
        for (from, to, expected) in [
            (DataType::SmallInt, DataType::BigInt, Some(Implicit)),
            (DataType::BigInt, DataType::SmallInt, Some(Assignment)),
            (DataType::BigInt, MONEY, Some(Implicit)),
            (MONEY, DataType::AnyNumeric, Some(Implicit)),
            (DataType::AnyNumeric, DataType::Real, Some(Implicit)),
            (DataType::Real, DataType::AnyNumeric, Some(Assignment)),
            (DataType::Double, DataType::Real, Some(Assignment)),
            (DataType::Integer, DataType::Boolean, Some(Explicit)),
            (DataType::Boolean, DataType::Integer, Some(Explicit)),
            (DataType::SmallInt, DataType::Boolean, None),
            (DataType::Boolean, DataType::BigInt, None),
            (DataType::Boolean, DataType::Text, Some(Assignment)),
            (DataType::Integer, varchar, Some(Assignment)),
            (DataType::Text, DataType::Integer, Some(Explicit)),
            (DataType::Text, varchar, Some(Implicit)),
            (DataType::Char(3), DataType::Text, Some(Implicit)),
            (DataType::Unknown, DataType::Uuid, Some(Implicit)),
            (DataType::Date, DataType::TimestampTz, Some(Implicit)),
            (DataType::Timestamp, DataType::Date, Some(Assignment)),
            (DataType::TimestampTz, DataType::Timestamp, Some(Assignment)),
            (DataType::Timestamp, DataType::TimestampTz, Some(Implicit)),
            (DataType::Time, DataType::Interval, Some(Implicit)),
            (DataType::Interval, DataType::Time, Some(Assignment)),
            (DataType::Date, DataType::Time, None),
            (DataType::Integer, DataType::Date, None),
            (DataType::Uuid, DataType::Bytea, None),
        ] {
            assert_eq!(cast_context(&from, &to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn numbers_round_and_overflow() {
        let d = Decimal::new;
        for (from, to, expected) in [
            (Value::Double(2.5), DataType::Integer, Value::Integer(2)),
            (Value::Double(3.5), DataType::Integer, Value::Integer(4)),
            (Value::Double(-2.5), DataType::SmallInt, Value::SmallInt(-2)),
            (Value::Numeric(d(25, 1)), DataType::Integer, Value::Integer(3)),
            (Value::Numeric(d(-25, 1)), DataType::BigInt, Value::BigInt(-3)),
            (Value::Boolean(true), DataType::Integer, Value::Integer(1)),
            (Value::Integer(0), DataType::Boolean, Value::Boolean(false)),
            (Value::BigInt(7), DataType::AnyNumeric, Value::Numeric(d(7, 0))),
            (Value::Integer(7), MONEY, Value::Numeric(d(700, 2))),
            (Value::Numeric(d(1255, 3)), MONEY, Value::Numeric(d(126, 2))),
            (Value::Real(0.1), DataType::AnyNumeric, Value::Numeric(d(1, 1))),
            (Value::Real(0.1), DataType::Double, Value::Double(0.100_000_001_490_116_12)),
            (Value::Numeric(d(1, 1)), DataType::Double, Value::Double(0.1)),
            (Value::Numeric(d(1_234_567_895, 1)), DataType::Real, Value::Real(123_456_790.0)),
            (Value::from("12"), DataType::SmallInt, Value::SmallInt(12)),
            (Value::from("1.255"), MONEY, Value::Numeric(d(126, 2))),
            (Value::Null, DataType::Integer, Value::Null),
        ] {
            assert_eq!(cast(from.clone(), to), Ok(expected), "{from:?} to {to}");
        }
        for (from, to, message) in [
            (Value::Double(1e10), DataType::Integer, "integer out of range"),
            (Value::Double(f64::NAN), DataType::Integer, "integer out of range"),
            (Value::Double(1e19), DataType::BigInt, "bigint out of range"),
            (Value::Integer(70_000), DataType::SmallInt, "smallint out of range"),
            (Value::Numeric(d(32_768, 0)), DataType::SmallInt, "smallint out of range"),
            (Value::Double(1e40), DataType::Real, "value out of range: overflow"),
            (Value::Double(1e-60), DataType::Real, "value out of range: underflow"),
            (Value::Integer(100_000_000), MONEY, "numeric field overflow"),
            (Value::Double(f64::INFINITY), MONEY, "cannot convert infinity to numeric"),
            (Value::SmallInt(1), DataType::Boolean, "cannot cast type smallint to boolean"),
            (Value::from("x"), DataType::Integer, "invalid input syntax for type integer: \"x\""),
        ] {
            assert_eq!(cast(from.clone(), to), Err(message.to_owned()), "{from:?} to {to}");
        }
    }

    #[test]
    fn strings_are_cut_or_refused() {
        let text = |value: &str, ty: DataType, context| {
            let fitted = Value::from(value).cast(&ty, context, &UTC).map_err(|error| error.to_string())?;
            Ok(fitted.to_text(&ty, &UTC).unwrap())
        };
        let (varchar, char) = (DataType::VarChar(Some(3)), DataType::Char(3));
        let too_long = |ty: &str| Err(format!("value too long for type {ty}"));
        assert_eq!(text("abcd", varchar, Explicit), Ok("abc".to_owned()));
        assert_eq!(text("abcd", varchar, Assignment), too_long("character varying(3)"));
        assert_eq!(text("abc   ", varchar, Assignment), Ok("abc".to_owned()));
        assert_eq!(text("ab ", varchar, Assignment), Ok("ab ".to_owned()));
        assert_eq!(text("\u{e9}\u{e9}\u{e9}", varchar, Assignment), Ok("\u{e9}\u{e9}\u{e9}".to_owned()));
        assert_eq!(text("\u{e9}\u{e9}\u{e9}\u{e9}", varchar, Assignment), too_long("character varying(3)"));
        assert_eq!(text("abcd", char, Explicit), Ok("abc".to_owned()));
        assert_eq!(text("abcd", char, Assignment), too_long("character(3)"));
        assert_eq!(text("abc   ", char, Assignment), Ok("abc".to_owned()));
        assert_eq!(text("a", char, Assignment), Ok("a  ".to_owned()));
        assert_eq!(cast("a  ", char), Ok(Value::from("a")));
        assert_eq!(cast(12345, varchar), Ok(Value::from("123")));
        assert_eq!(cast(true, DataType::Text), Ok(Value::from("true")));
        assert_eq!(cast(1e20, DataType::Text), Ok(Value::from("1e+20")));
        let error = Value::from("abcd").cast(&varchar, Assignment, &UTC).unwrap_err();
        assert_eq!(error.sqlstate().0, "22001");
    }

    #[test]
    fn times_convert_in_the_session_zone() {
        let hour = 3_600_000_000;
        let cast = |value: Value, to| value.cast(&to, Explicit, &EAST).unwrap();
        assert_eq!(cast(Value::Date(1), DataType::Timestamp), Value::Timestamp(24 * hour));
        assert_eq!(cast(Value::Date(1), DataType::TimestampTz), Value::TimestampTz(23 * hour));
        assert_eq!(cast(Value::TimestampTz(23 * hour), DataType::Date), Value::Date(1));
        assert_eq!(cast(Value::TimestampTz(23 * hour), DataType::Time), Value::Time(0));
        assert_eq!(cast(Value::TimestampTz(0), DataType::Timestamp), Value::Timestamp(hour));
        assert_eq!(cast(Value::Timestamp(hour), DataType::TimestampTz), Value::TimestampTz(0));
        assert_eq!(cast(Value::Timestamp(i64::MAX), DataType::Time), Value::Null);
        assert_eq!(cast(Value::Interval(Interval::new(1, 1, -hour)), DataType::Time), Value::Time(23 * hour));
        assert_eq!(cast(Value::Time(hour), DataType::Interval), Value::Interval(Interval::new(0, 0, hour)));
        assert_eq!(cast(Value::TimestampTz(0), DataType::Text), Value::from("2000-01-01 01:00:00+01"));
        assert_eq!(cast(Value::from("2000-01-02"), DataType::Date), Value::Date(1));
    }
}
