//! Mathematical functions of integers and floats, and those of decimals that are exact.

use super::arithmetic::{MOD, remainder_type, same_type};
use super::{BIGINT, DOUBLE, INTEGER, NUMERIC, REAL, SMALLINT, function, infix, prefix};
use crate::error::{DataError, Result};
use crate::expr::eval::{Argument, binary, unary};
use crate::expr::function::Function;
use crate::types::{DataType, Decimal};
use std::f64::consts::PI;

const SMALL: DataType = DataType::SmallInt;
const INT: DataType = DataType::Integer;
const BIG: DataType = DataType::BigInt;
const FLOAT: DataType = DataType::Double;
const ANY_NUMERIC: DataType = DataType::AnyNumeric;

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", &[SMALLINT], SMALL, |call| unary(call, |a: i16| a.checked_abs().ok_or_else(small_range))),
    function("abs", &[INTEGER], INT, |call| unary(call, |a: i32| a.checked_abs().ok_or_else(range))),
    function("abs", &[BIGINT], BIG, |call| unary(call, |a: i64| a.checked_abs().ok_or_else(big_range))),
    function("abs", &[REAL], DataType::Real, |call| unary(call, |a: f32| Ok(a.abs()))),
    function("abs", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.abs()))),
    function("abs", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a.abs()))).typed(same_type),
    prefix("@", &[INTEGER], INT, |call| unary(call, |a: i32| a.checked_abs().ok_or_else(range))),
    prefix("@", &[BIGINT], BIG, |call| unary(call, |a: i64| a.checked_abs().ok_or_else(big_range))),
    prefix("@", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.abs()))),
    prefix("@", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a.abs()))).typed(same_type),
    function("ceil", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.ceil()))),
    function("ceil", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a.ceil())))
        .typed(whole_type),
    function("ceiling", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.ceil()))),
    function("ceiling", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a.ceil())))
        .typed(whole_type),
    function("floor", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.floor()))),
    function("floor", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a.floor())))
        .typed(whole_type),
    function("round", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.round_ties_even()))),
    function("round", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| a.round(0))).typed(whole_type),
    function("round", &[NUMERIC, INTEGER], ANY_NUMERIC, |call| {
        binary(call, |a: Decimal, places: i32| a.round(places))
    }),
    function("trunc", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.trunc()))),
    function("trunc", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| a.truncate(0)))
        .typed(whole_type),
    function("trunc", &[NUMERIC, INTEGER], ANY_NUMERIC, |call| {
        binary(call, |a: Decimal, places: i32| a.truncate(places))
    }),
    function("sign", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(sign(a)))),
    function("sign", &[NUMERIC], DataType::Numeric { precision: 1, scale: 0 }, |call| {
        unary(call, |a: Decimal| Ok(Decimal::new(a.signum().into(), 0)))
    }),
    function("mod", &[SMALLINT; 2], SMALL, MOD[0]),
    function("mod", &[INTEGER; 2], INT, MOD[1]),
    function("mod", &[BIGINT; 2], BIG, MOD[2]),
    function("mod", &[NUMERIC; 2], ANY_NUMERIC, |call| {
        binary(call, |a: Decimal, b: Decimal| a.remainder(&b))
    })
    .typed(remainder_type),
    function("div", &[NUMERIC; 2], ANY_NUMERIC, |call| {
        binary(call, |a: Decimal, b: Decimal| {
            // What is left after the remainder is divided without one.
            let rest = a.remainder(&b)?;
            a.subtract(&rest)?.divide_at(&b, 0).ok_or_else(|| DataError::NumericOverflow.into())
        })
    }),
    function("gcd", &[INTEGER; 2], INT, |call| {
        binary(call, |a: i32, b: i32| i32::try_from(gcd(a.into(), b.into())).map_err(|_| range()))
    }),
    function("gcd", &[BIGINT; 2], BIG, |call| {
        binary(call, |a: i64, b: i64| i64::try_from(gcd(a.into(), b.into())).map_err(|_| big_range()))
    }),
    function("gcd", &[NUMERIC; 2], ANY_NUMERIC, |call| binary(call, decimal_gcd)),
    function("lcm", &[INTEGER; 2], INT, |call| {
        binary(call, |a: i32, b: i32| i32::try_from(lcm(a.into(), b.into())).map_err(|_| range()))
    }),
    function("lcm", &[BIGINT; 2], BIG, |call| {
        binary(call, |a: i64, b: i64| i64::try_from(lcm(a.into(), b.into())).map_err(|_| big_range()))
    }),
    function("lcm", &[NUMERIC; 2], ANY_NUMERIC, |call| {
        binary(call, |a: Decimal, b: Decimal| {
            let common = decimal_gcd(a, b)?;
            if common.value == 0 {
                return Ok(common);
            }
            let share = a.divide_at(&common, 0).ok_or(DataError::NumericOverflow)?;
            Ok(share.multiply(&b)?.abs())
        })
    }),
    function("factorial", &[BIGINT], DataType::Numeric { precision: 38, scale: 0 }, |call| {
        unary(call, factorial)
    }),
    function("scale", &[NUMERIC], INT, |call| unary(call, |a: Decimal| Ok(i32::from(a.scale)))),
    function("min_scale", &[NUMERIC], INT, |call| unary(call, |a: Decimal| Ok(i32::from(trimmed(a).scale)))),
    function("trim_scale", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(trimmed(a)))),
    function("width_bucket", &[DOUBLE, DOUBLE, DOUBLE, INTEGER], INT, |call| {
        let (value, low) = (call.read::<f64>(0), call.read::<f64>(1));
        let (high, count) = (call.read::<f64>(2), call.read::<i32>(3));
        call.write(|row| float_bucket(get(&value, row), get(&low, row), get(&high, row), get(&count, row)))
    }),
    function("width_bucket", &[NUMERIC, NUMERIC, NUMERIC, INTEGER], INT, |call| {
        let (value, low) = (call.read::<Decimal>(0), call.read::<Decimal>(1));
        let (high, count) = (call.read::<Decimal>(2), call.read::<i32>(3));
        call.write(|row| decimal_bucket(get(&value, row), get(&low, row), get(&high, row), get(&count, row)))
    }),
    // ---- Floats ----
    function("pi", &[], FLOAT, |call| call.write(|_| Ok(PI))),
    function("sqrt", &[DOUBLE], FLOAT, |call| unary(call, square_root)),
    prefix("|/", &[DOUBLE], FLOAT, |call| unary(call, square_root)),
    function("cbrt", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.cbrt()))),
    prefix("||/", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.cbrt()))),
    function("exp", &[DOUBLE], FLOAT, |call| {
        unary(call, |a: f64| checked(a.exp(), a.is_infinite(), a == f64::NEG_INFINITY))
    }),
    function("ln", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(logarithm_operand(a)?.ln()))),
    function("log", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(logarithm_operand(a)?.log10()))),
    function("log10", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(logarithm_operand(a)?.log10()))),
    function("power", &[DOUBLE; 2], FLOAT, |call| binary(call, power)),
    function("pow", &[DOUBLE; 2], FLOAT, |call| binary(call, power)),
    infix("^", &[DOUBLE; 2], FLOAT, |call| binary(call, power)),
    function("degrees", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a / (PI / 180.0)))),
    function("radians", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a * (PI / 180.0)))),
    function("sin", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(angle(a)?.sin()))),
    function("cos", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(angle(a)?.cos()))),
    function("tan", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(angle(a)?.tan()))),
    function("cot", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(1.0 / angle(a)?.tan()))),
    function("asin", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(unit(a)?.asin()))),
    function("acos", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(unit(a)?.acos()))),
    function("atan", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.atan()))),
    function("atan2", &[DOUBLE; 2], FLOAT, |call| binary(call, |a: f64, b: f64| Ok(a.atan2(b)))),
    function("sinh", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.sinh()))),
    function("cosh", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.cosh()))),
    function("tanh", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.tanh()))),
    function("asinh", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(a.asinh()))),
    function("acosh", &[DOUBLE], FLOAT, |call| {
        unary(call, |a: f64| if a < 1.0 { Err(DataError::InputOutOfRange.into()) } else { Ok(a.acosh()) })
    }),
    function("atanh", &[DOUBLE], FLOAT, |call| unary(call, |a: f64| Ok(unit(a)?.atanh()))),
    // ---- Bits ----
    infix("&", &[SMALLINT; 2], SMALL, |call| binary(call, |a: i16, b: i16| Ok(a & b))),
    infix("&", &[INTEGER; 2], INT, |call| binary(call, |a: i32, b: i32| Ok(a & b))),
    infix("&", &[BIGINT; 2], BIG, |call| binary(call, |a: i64, b: i64| Ok(a & b))),
    infix("|", &[SMALLINT; 2], SMALL, |call| binary(call, |a: i16, b: i16| Ok(a | b))),
    infix("|", &[INTEGER; 2], INT, |call| binary(call, |a: i32, b: i32| Ok(a | b))),
    infix("|", &[BIGINT; 2], BIG, |call| binary(call, |a: i64, b: i64| Ok(a | b))),
    infix("#", &[SMALLINT; 2], SMALL, |call| binary(call, |a: i16, b: i16| Ok(a ^ b))),
    infix("#", &[INTEGER; 2], INT, |call| binary(call, |a: i32, b: i32| Ok(a ^ b))),
    infix("#", &[BIGINT; 2], BIG, |call| binary(call, |a: i64, b: i64| Ok(a ^ b))),
    prefix("~", &[SMALLINT], SMALL, |call| unary(call, |a: i16| Ok(!a))),
    prefix("~", &[INTEGER], INT, |call| unary(call, |a: i32| Ok(!a))),
    prefix("~", &[BIGINT], BIG, |call| unary(call, |a: i64| Ok(!a))),
    infix("<<", &[SMALLINT, INTEGER], SMALL, |call| {
        // As in C, where the operand is an integer first.
        binary(call, |a: i16, b: i32| Ok(i32::from(a).wrapping_shl(b.cast_unsigned()) as i16))
    }),
    infix("<<", &[INTEGER, INTEGER], INT, |call| {
        binary(call, |a: i32, b: i32| Ok(a.wrapping_shl(b.cast_unsigned())))
    }),
    infix("<<", &[BIGINT, INTEGER], BIG, |call| {
        binary(call, |a: i64, b: i32| Ok(a.wrapping_shl(b.cast_unsigned())))
    }),
    infix(">>", &[SMALLINT, INTEGER], SMALL, |call| {
        binary(call, |a: i16, b: i32| Ok(i32::from(a).wrapping_shr(b.cast_unsigned()) as i16))
    }),
    infix(">>", &[INTEGER, INTEGER], INT, |call| {
        binary(call, |a: i32, b: i32| Ok(a.wrapping_shr(b.cast_unsigned())))
    }),
    infix(">>", &[BIGINT, INTEGER], BIG, |call| {
        binary(call, |a: i64, b: i32| Ok(a.wrapping_shr(b.cast_unsigned())))
    }),
    // ---- Random numbers ----
    function("random", &[], FLOAT, |call| {
        let environment = call.context.environment;
        // 53 bits fill a double between 0 and 1.
        call.write(|_| Ok((environment.random() >> 11) as f64 / (1u64 << 53) as f64))
    })
    .volatile(),
];

fn get<'a, A: Argument<'a>>(source: &A::Source, row: usize) -> A {
    A::get(source, row)
}

fn small_range() -> crate::Error {
    DataError::OutOfRange { ty: "smallint" }.into()
}

fn range() -> crate::Error {
    DataError::OutOfRange { ty: "integer" }.into()
}

fn big_range() -> crate::Error {
    DataError::OutOfRange { ty: "bigint" }.into()
}

/// A whole number with room for a carry.
fn whole_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Numeric { precision, scale }] => {
            let precision = (precision - scale + 1).min(DataType::MAX_PRECISION);
            DataType::Numeric { precision, scale: 0 }
        }
        _ => ANY_NUMERIC,
    }
}

fn sign(a: f64) -> f64 {
    if a > 0.0 {
        1.0
    } else if a < 0.0 {
        -1.0
    } else {
        a.abs()
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i128, b: i128) -> i128 {
    match gcd(a, b) {
        0 => 0,
        common => (a / common * b).abs(),
    }
}

fn decimal_gcd(a: Decimal, b: Decimal) -> Result<Decimal> {
    let scale = a.scale.max(b.scale);
    let overflow = || crate::Error::from(DataError::NumericOverflow);
    let (a, b) = (a.rescale(scale).ok_or_else(overflow)?, b.rescale(scale).ok_or_else(overflow)?);
    Ok(Decimal::new(gcd(a.value, b.value), scale))
}

fn factorial(n: i64) -> Result<Decimal> {
    if n < 0 {
        return Err(DataError::NegativeFactorial.into());
    }
    let product = (2..=i128::from(n))
        .try_fold(1i128, |product, i| product.checked_mul(i).filter(|product| *product < 10i128.pow(38)));
    product.map(|value| Decimal::new(value, 0)).ok_or_else(|| DataError::NumericOverflow.into())
}

fn trimmed(mut a: Decimal) -> Decimal {
    while a.scale > 0 && a.value % 10 == 0 {
        a = Decimal::new(a.value / 10, a.scale - 1);
    }
    a
}

fn checked_bucket_count(count: i32) -> Result<i128> {
    if count <= 0 {
        return Err(DataError::InvalidWidthBucket { problem: "count must be greater than zero" }.into());
    }
    Ok(count.into())
}

fn float_bucket(value: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    let buckets = checked_bucket_count(count)? as f64;
    if value.is_nan() || low.is_nan() || high.is_nan() {
        let problem = "operand, lower bound, and upper bound cannot be NaN";
        return Err(DataError::InvalidWidthBucket { problem }.into());
    }
    if low.is_infinite() || high.is_infinite() {
        let problem = "lower and upper bounds must be finite";
        return Err(DataError::InvalidWidthBucket { problem }.into());
    }
    if low == high {
        return Err(DataError::InvalidWidthBucket { problem: "lower bound cannot equal upper bound" }.into());
    }
    let (before, after) =
        if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    if before {
        return Ok(0);
    }
    if after {
        return count.checked_add(1).ok_or_else(range);
    }
    let place = if (high - low).is_finite() {
        (value - low) / (high - low)
    } else {
        (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    };
    // Between 0 and 1, but for rounding.
    Ok(((place * buckets) as i32).min(count - 1) + 1)
}

fn decimal_bucket(value: Decimal, low: Decimal, high: Decimal, count: i32) -> Result<i32> {
    let buckets = checked_bucket_count(count)?;
    let (from_low, width) = (value.subtract(&low)?, high.subtract(&low)?);
    if width.value == 0 {
        return Err(DataError::InvalidWidthBucket { problem: "lower bound cannot equal upper bound" }.into());
    }
    let (from_low, width) =
        if width.value < 0 { (from_low.negate(), width.negate()) } else { (from_low, width) };
    if from_low.value < 0 {
        return Ok(0);
    }
    if from_low.compare(&width).is_ge() {
        return count.checked_add(1).ok_or_else(range);
    }
    let scaled = from_low.multiply(&Decimal::new(buckets, 0))?;
    let rest = scaled.remainder(&width)?;
    let bucket = scaled.subtract(&rest)?.divide_at(&width, 0).ok_or(DataError::NumericOverflow)?;
    i32::try_from(bucket.value + 1).map_err(|_| range())
}

// ---- Floats ----

/// A float result that is infinite or zero only where that is right.
fn checked(value: f64, infinite: bool, zero: bool) -> Result<f64> {
    if value.is_infinite() && !infinite {
        return Err(DataError::FloatOverflow.into());
    }
    if value == 0.0 && !zero {
        return Err(DataError::FloatUnderflow.into());
    }
    Ok(value)
}

fn square_root(a: f64) -> Result<f64> {
    if a < 0.0 {
        return Err(DataError::NegativeSquareRoot.into());
    }
    Ok(a.sqrt())
}

fn logarithm_operand(a: f64) -> Result<f64> {
    if a == 0.0 {
        return Err(DataError::LogarithmOf { operand: "zero" }.into());
    }
    if a < 0.0 {
        return Err(DataError::LogarithmOf { operand: "a negative number" }.into());
    }
    Ok(a)
}

fn power(a: f64, b: f64) -> Result<f64> {
    if a == 0.0 && b < 0.0 {
        return Err(DataError::ZeroToNegativePower.into());
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        return Err(DataError::NegativeToFractionalPower.into());
    }
    let infinite = a.is_infinite() || b.is_infinite();
    checked(a.powf(b), infinite, a == 0.0 || infinite)
}

fn angle(a: f64) -> Result<f64> {
    if a.is_infinite() { Err(DataError::InputOutOfRange.into()) } else { Ok(a) }
}

fn unit(a: f64) -> Result<f64> {
    if (-1.0..=1.0).contains(&a) || a.is_nan() { Ok(a) } else { Err(DataError::InputOutOfRange.into()) }
}
