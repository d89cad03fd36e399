//! An owned SQL value outside vectors: literals, parameters, results, keys of the point path.

use super::{DataType, Decimal, Interval, Scalar};
use crate::error::{DataError, Result};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A value that owns its bytes. Equality and hash are of representation (NaN equals itself, 1.0 differs from
/// 1.00, NULL equals NULL), for plans and tests; SQL's comparison is [`Value::compare`].
#[derive(Clone, Debug)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// `boolean`
    Boolean(bool),
    /// `smallint`
    SmallInt(i16),
    /// `integer`
    Integer(i32),
    /// `bigint`
    BigInt(i64),
    /// `real`
    Real(f32),
    /// `double precision`
    Double(f64),
    /// `numeric` of any precision.
    Numeric(Decimal),
    /// `text`, `character varying`, `character` (without trailing blanks) and literals of unknown type.
    Text(Box<str>),
    /// `bytea`
    Bytea(Box<[u8]>),
    /// Days since 2000-01-01; `i32::MIN` and `MAX` are the infinities.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 2000-01-01; `i64::MIN` and `MAX` are the infinities.
    Timestamp(i64),
    /// Microseconds since 2000-01-01 00:00 UTC; `i64::MIN` and `MAX` are the infinities.
    TimestampTz(i64),
    /// `interval`
    Interval(Interval),
    /// `uuid`
    Uuid([u8; 16]),
}

impl Value {
    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The widest type whose values look like this one; `Unknown` for NULL.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Null => DataType::Unknown,
            Self::Boolean(_) => DataType::Boolean,
            Self::SmallInt(_) => DataType::SmallInt,
            Self::Integer(_) => DataType::Integer,
            Self::BigInt(_) => DataType::BigInt,
            Self::Real(_) => DataType::Real,
            Self::Double(_) => DataType::Double,
            Self::Numeric(_) => DataType::AnyNumeric,
            Self::Text(_) => DataType::Text,
            Self::Bytea(_) => DataType::Bytea,
            Self::Date(_) => DataType::Date,
            Self::Time(_) => DataType::Time,
            Self::Timestamp(_) => DataType::Timestamp,
            Self::TimestampTz(_) => DataType::TimestampTz,
            Self::Interval(_) => DataType::Interval,
            Self::Uuid(_) => DataType::Uuid,
        }
    }

    /// SQL's order of two values of one type; `None` if one is NULL or their types differ (the binder casts
    /// first). Floats are totally ordered: -0 equals 0 and NaN is the greatest.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::SmallInt(a), Self::SmallInt(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) | (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::BigInt(a), Self::BigInt(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Timestamp(a), Self::Timestamp(b))
            | (Self::TimestampTz(a), Self::TimestampTz(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => compare_floats(f64::from(*a), f64::from(*b)),
            (Self::Double(a), Self::Double(b)) => compare_floats(*a, *b),
            (Self::Numeric(a), Self::Numeric(b)) => a.compare(b),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Bytea(a), Self::Bytea(b)) => a.cmp(b),
            (Self::Interval(a), Self::Interval(b)) => a.compare(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// The value in the physical shape of `ty`.
    ///
    /// # Errors
    /// 22003 if a decimal does not fit `ty`; 42804 if the value is not of `ty` (casts come first).
    pub fn to_scalar(&self, ty: &DataType) -> Result<Scalar<'_>> {
        Ok(match (self, ty) {
            (Self::Null, _) => Scalar::Null,
            (Self::Boolean(v), DataType::Boolean) => Scalar::Bool(*v),
            (Self::SmallInt(v), DataType::SmallInt) => Scalar::I16(*v),
            (Self::Integer(v), DataType::Integer) | (Self::Date(v), DataType::Date) => Scalar::I32(*v),
            (Self::BigInt(v), DataType::BigInt)
            | (Self::Time(v), DataType::Time)
            | (Self::Timestamp(v), DataType::Timestamp)
            | (Self::TimestampTz(v), DataType::TimestampTz) => Scalar::I64(*v),
            (Self::Real(v), DataType::Real) => Scalar::F32(*v),
            (Self::Double(v), DataType::Double) => Scalar::F64(*v),
            (Self::Numeric(v), DataType::Numeric { precision, scale }) => {
                let fixed = v.fit(*precision, *scale)?;
                match i64::try_from(fixed) {
                    Ok(narrow) if *precision <= 18 => Scalar::I64(narrow),
                    _ => Scalar::I128(fixed),
                }
            }
            (Self::Numeric(v), DataType::AnyNumeric) => {
                Scalar::I128(v.pack().ok_or(DataError::NumericOverflow)?)
            }
            (
                Self::Text(v),
                DataType::Text | DataType::VarChar(_) | DataType::Char(_) | DataType::Unknown,
            ) => Scalar::Bytes(v.as_bytes()),
            (Self::Bytea(v), DataType::Bytea) => Scalar::Bytes(v),
            (Self::Interval(v), DataType::Interval) => Scalar::Interval(*v),
            (Self::Uuid(v), DataType::Uuid) => Scalar::Uuid(*v),
            _ => {
                return Err(
                    DataError::TypeMismatch { expected: ty.name(), found: self.data_type().name() }.into()
                );
            }
        })
    }

    /// The value of type `ty` that `scalar` is the physical shape of. Text that is not UTF-8, which only a damaged
    /// file can hold, gets replacement characters.
    ///
    /// # Panics
    /// If the shape is not `ty`'s.
    pub fn from_scalar(scalar: Scalar<'_>, ty: &DataType) -> Self {
        match (scalar, ty) {
            (Scalar::Null, _) => Self::Null,
            (Scalar::Bool(v), DataType::Boolean) => Self::Boolean(v),
            (Scalar::I16(v), DataType::SmallInt) => Self::SmallInt(v),
            (Scalar::I32(v), DataType::Integer) => Self::Integer(v),
            (Scalar::I32(v), DataType::Date) => Self::Date(v),
            (Scalar::I64(v), DataType::BigInt) => Self::BigInt(v),
            (Scalar::I64(v), DataType::Time) => Self::Time(v),
            (Scalar::I64(v), DataType::Timestamp) => Self::Timestamp(v),
            (Scalar::I64(v), DataType::TimestampTz) => Self::TimestampTz(v),
            (Scalar::F32(v), DataType::Real) => Self::Real(v),
            (Scalar::F64(v), DataType::Double) => Self::Double(v),
            (Scalar::I64(v), DataType::Numeric { scale, .. }) => {
                Self::Numeric(Decimal::new(v.into(), *scale))
            }
            (Scalar::I128(v), DataType::Numeric { scale, .. }) => Self::Numeric(Decimal::new(v, *scale)),
            (Scalar::I128(v), DataType::AnyNumeric) => Self::Numeric(Decimal::unpack(v)),
            (Scalar::Bytes(v), DataType::Bytea) => Self::Bytea(v.into()),
            (
                Scalar::Bytes(v),
                DataType::Text | DataType::VarChar(_) | DataType::Char(_) | DataType::Unknown,
            ) => Self::Text(String::from_utf8_lossy(v).into()),
            (Scalar::Interval(v), DataType::Interval) => Self::Interval(v),
            (Scalar::Uuid(v), DataType::Uuid) => Self::Uuid(v),
            (scalar, ty) => panic!("{scalar:?} is not the shape of {ty}"),
        }
    }
}

/// SQL's total order of floats: -0 equals 0, NaN is the greatest and equals itself.
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::SmallInt(a), Self::SmallInt(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) | (Self::Date(a), Self::Date(b)) => a == b,
            (Self::BigInt(a), Self::BigInt(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Timestamp(a), Self::Timestamp(b))
            | (Self::TimestampTz(a), Self::TimestampTz(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => a.to_bits() == b.to_bits(),
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Numeric(a), Self::Numeric(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytea(a), Self::Bytea(b)) => a == b,
            (Self::Interval(a), Self::Interval(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Boolean(v) => v.hash(state),
            Self::SmallInt(v) => v.hash(state),
            Self::Integer(v) | Self::Date(v) => v.hash(state),
            Self::BigInt(v) | Self::Time(v) | Self::Timestamp(v) | Self::TimestampTz(v) => v.hash(state),
            Self::Real(v) => v.to_bits().hash(state),
            Self::Double(v) => v.to_bits().hash(state),
            Self::Numeric(v) => v.hash(state),
            Self::Text(v) => v.hash(state),
            Self::Bytea(v) => v.hash(state),
            Self::Interval(v) => v.hash(state),
            Self::Uuid(v) => v.hash(state),
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Boolean(v)
    }
}

impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Integer(v)
    }
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::BigInt(v)
    }
}

impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Double(v)
    }
}

impl From<Decimal> for Value {
    fn from(v: Decimal) -> Self {
        Self::Numeric(v)
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}

impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_round_trip() {
        let cases = [
            (Value::Boolean(true), DataType::Boolean),
            (Value::SmallInt(-3), DataType::SmallInt),
            (Value::Date(5), DataType::Date),
            (Value::Timestamp(i64::MAX), DataType::Timestamp),
            (Value::Numeric(Decimal::new(-1234, 2)), DataType::Numeric { precision: 15, scale: 2 }),
            (Value::Numeric(Decimal::new(-1234, 2)), DataType::Numeric { precision: 30, scale: 2 }),
            (Value::Numeric(Decimal::new(12345, 4)), DataType::AnyNumeric),
            (Value::from("naïve"), DataType::VarChar(Some(10))),
            (Value::Null, DataType::Uuid),
        ];
        for (value, ty) in cases {
            assert_eq!(Value::from_scalar(value.to_scalar(&ty).unwrap(), &ty), value);
        }
    }

    #[test]
    fn scalars_fit_the_type() {
        let ty = DataType::Numeric { precision: 4, scale: 2 };
        assert_eq!(Value::from(Decimal::new(12345, 3)).to_scalar(&ty).unwrap(), Scalar::I64(1235));
        let error = Value::from(Decimal::new(100, 0)).to_scalar(&ty).unwrap_err();
        assert_eq!(error.to_string(), "numeric field overflow");
        assert_eq!(
            error.detail(),
            Some("A field with precision 4, scale 2 must round to an absolute value less than 10^2.")
        );
        assert_eq!(Value::from(1).to_scalar(&DataType::Text).unwrap_err().sqlstate().0, "42804");
    }

    #[test]
    fn floats_are_totally_ordered() {
        assert_eq!(compare_floats(0.0, -0.0), Ordering::Equal);
        assert_eq!(compare_floats(f64::NAN, f64::INFINITY), Ordering::Greater);
        assert_eq!(compare_floats(f64::NAN, f64::NAN), Ordering::Equal);
        assert_eq!(Value::Null.compare(&Value::Null), None);
    }
}
