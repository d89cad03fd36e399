//! Between Rust's types and SQL's.

use crate::error::{DataError, Result};
use crate::types::{DataType, Decimal, Interval, Value};

/// What can be given to a parameter.
pub trait ToValue {
    /// The value.
    fn to_value(&self) -> Value;
}

/// What a value can be taken as.
pub trait FromValue: Sized {
    /// The value as this type. Integers are taken as wider ones, all numbers as `f64`.
    ///
    /// # Errors
    /// 42804 if it is of another type, or NULL.
    fn from_value(value: Value) -> Result<Self>;
}

fn mismatch(expected: &'static str, found: &Value) -> crate::Error {
    let found = if found.is_null() { "NULL" } else { found.data_type().name() };
    DataError::TypeMismatch { expected, found }.into()
}

macro_rules! conversions {
    ($($ty:ty, $variant:ident, $name:literal $(, $other:ident)*;)*) => {$(
        impl ToValue for $ty {
            fn to_value(&self) -> Value {
                Value::$variant(self.clone().into())
            }
        }

        impl FromValue for $ty {
            fn from_value(value: Value) -> Result<Self> {
                match value {
                    Value::$variant(value) => Ok(value.into()),
                    $(Value::$other(value) => Ok(value.into()),)*
                    other => Err(mismatch($name, &other)),
                }
            }
        }
    )*};
}

conversions! {
    bool, Boolean, "boolean";
    i16, SmallInt, "smallint";
    i32, Integer, "integer", SmallInt;
    i64, BigInt, "bigint", Integer, SmallInt;
    f32, Real, "real";
    String, Text, "text";
    Vec<u8>, Bytea, "bytea";
    Decimal, Numeric, "numeric";
    Interval, Interval, "interval";
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        Value::Double(*self)
    }
}

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self> {
        Ok(match value {
            Value::Double(value) => value,
            Value::Real(value) => value.into(),
            Value::SmallInt(value) => value.into(),
            Value::Integer(value) => value.into(),
            Value::BigInt(value) => value as Self,
            value @ Value::Numeric(_) => {
                match value.cast(
                    &DataType::Double,
                    crate::types::CastContext::Explicit,
                    &Default::default(),
                )? {
                    Value::Double(value) => value,
                    other => return Err(mismatch("double precision", &other)),
                }
            }
            other => return Err(mismatch("double precision", &other)),
        })
    }
}

impl ToValue for &str {
    fn to_value(&self) -> Value {
        Value::Text((*self).into())
    }
}

impl ToValue for &[u8] {
    fn to_value(&self) -> Value {
        Value::Bytea((*self).into())
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}
