//! Values from JavaScript for the parameters of a statement.

use crate::failure::Cause;
use napi::bindgen_prelude::{BigInt, Either, Either5, Uint8Array};
use rustdb::session::Prepared;
use rustdb::types::{Decimal, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// A value; null is NULL. JavaScript turned everything else that it accepts into one of these.
type Input = Option<Either5<bool, f64, BigInt, String, Uint8Array>>;

/// Values by position or by name.
pub(crate) type Inputs = Either<Vec<Input>, HashMap<String, Input>>;

/// Values for a statement.
pub(crate) enum Parameters {
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

impl Parameters {
    /// # Errors
    /// 22003 for a bigint beyond every type.
    pub(crate) fn new(inputs: Inputs) -> Result<Self, Cause> {
        Ok(match inputs {
            Either::A(values) => Self::Positional(values.into_iter().map(value).collect::<Result<_, _>>()?),
            Either::B(values) => {
                let named = values.into_iter().map(|(name, input)| Ok((name, value(input)?)));
                Self::Named(named.collect::<Result<_, Cause>>()?)
            }
        })
    }
}

impl rustdb::Params for Parameters {
    fn values(&self, statement: Option<&Prepared>) -> rustdb::Result<Cow<'_, [Value]>> {
        match self {
            Self::Positional(values) => Ok(Cow::Borrowed(values)),
            Self::Named(named) => named.as_slice().values(statement),
        }
    }
}

fn value(input: Input) -> Result<Value, Cause> {
    Ok(match input {
        None => Value::Null,
        Some(Either5::A(v)) => Value::Boolean(v),
        Some(Either5::B(v)) => number(v),
        Some(Either5::C(v)) => big(&v)?,
        Some(Either5::D(v)) => Value::from(v),
        Some(Either5::E(v)) => Value::Bytea(v.as_ref().into()),
    })
}

/// Whole numbers that JavaScript holds exactly are integers; the statement casts them to what it needs.
fn number(value: f64) -> Value {
    const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
    let whole = value.trunc() == value && value.abs() <= MAX_SAFE_INTEGER;
    // -0 is a number that only floating point has.
    if whole && !(value == 0.0 && value.is_sign_negative()) {
        Value::BigInt(value as i64)
    } else {
        Value::Double(value)
    }
}

fn big(value: &BigInt) -> Result<Value, Cause> {
    if let (value, true) = value.get_i64() {
        return Ok(Value::BigInt(value));
    }
    let (wide, lossless) = value.get_i128();
    if !lossless {
        return Err(Cause::new("22003", "value out of range for a parameter"));
    }
    let decimal: Decimal = wide.to_string().parse().map_err(Cause::from)?;
    Ok(Value::Numeric(decimal))
}
