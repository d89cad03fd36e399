//! `+ - * / %` and the signs, on numbers.
//!
//! The loops run over every row of a chunk, whatever its selection and NULLs, and remember only whether any row
//! overflowed; then the rows that count are looked at again one by one. Integers and decimals of up to 18 digits at
//! one scale are plain loops that the compiler vectorises.

use super::{BIGINT, Code, DOUBLE, INTEGER, NUMERIC, REAL, SMALLINT, infix, prefix};
use crate::error::{DataError, Error, Result};
use crate::expr::eval::{Argument, Call, Lane, Output, RowSet, binary, unary};
use crate::expr::function::Function;
use crate::types::vector::Native;
use crate::types::{DataType, Decimal, PhysicalType};

const ANY_NUMERIC: DataType = DataType::AnyNumeric;

pub(super) const FUNCTIONS: &[Function] = &[
    infix("+", &[SMALLINT; 2], DataType::SmallInt, integers::<i16, Add>),
    infix("+", &[INTEGER; 2], DataType::Integer, integers::<i32, Add>),
    infix("+", &[BIGINT; 2], DataType::BigInt, integers::<i64, Add>),
    infix("+", &[REAL; 2], DataType::Real, floats::<f32, Add>),
    infix("+", &[DOUBLE; 2], DataType::Double, floats::<f64, Add>),
    infix("+", &[NUMERIC; 2], ANY_NUMERIC, decimals::<Add>).typed(sum_type),
    infix("-", &[SMALLINT; 2], DataType::SmallInt, integers::<i16, Subtract>),
    infix("-", &[INTEGER; 2], DataType::Integer, integers::<i32, Subtract>),
    infix("-", &[BIGINT; 2], DataType::BigInt, integers::<i64, Subtract>),
    infix("-", &[REAL; 2], DataType::Real, floats::<f32, Subtract>),
    infix("-", &[DOUBLE; 2], DataType::Double, floats::<f64, Subtract>),
    infix("-", &[NUMERIC; 2], ANY_NUMERIC, decimals::<Subtract>).typed(sum_type),
    infix("*", &[SMALLINT; 2], DataType::SmallInt, integers::<i16, Multiply>),
    infix("*", &[INTEGER; 2], DataType::Integer, integers::<i32, Multiply>),
    infix("*", &[BIGINT; 2], DataType::BigInt, integers::<i64, Multiply>),
    infix("*", &[REAL; 2], DataType::Real, floats::<f32, Multiply>),
    infix("*", &[DOUBLE; 2], DataType::Double, floats::<f64, Multiply>),
    infix("*", &[NUMERIC; 2], ANY_NUMERIC, decimals::<Multiply>).typed(product_type),
    infix("/", &[SMALLINT; 2], DataType::SmallInt, integers::<i16, Divide>),
    infix("/", &[INTEGER; 2], DataType::Integer, integers::<i32, Divide>),
    infix("/", &[BIGINT; 2], DataType::BigInt, integers::<i64, Divide>),
    infix("/", &[REAL; 2], DataType::Real, floats::<f32, Divide>),
    infix("/", &[DOUBLE; 2], DataType::Double, floats::<f64, Divide>),
    infix("/", &[NUMERIC; 2], ANY_NUMERIC, |call| binary(call, |a: Decimal, b: Decimal| a.divide(&b))),
    infix("%", &[SMALLINT; 2], DataType::SmallInt, integers::<i16, Remainder>),
    infix("%", &[INTEGER; 2], DataType::Integer, integers::<i32, Remainder>),
    infix("%", &[BIGINT; 2], DataType::BigInt, integers::<i64, Remainder>),
    infix("%", &[NUMERIC; 2], ANY_NUMERIC, remainder_of_decimals).typed(remainder_type),
    prefix("-", &[SMALLINT], DataType::SmallInt, negate::<i16>),
    prefix("-", &[INTEGER], DataType::Integer, negate::<i32>),
    prefix("-", &[BIGINT], DataType::BigInt, negate::<i64>),
    prefix("-", &[REAL], DataType::Real, |call| unary(call, |a: f32| Ok(-a))),
    prefix("-", &[DOUBLE], DataType::Double, |call| unary(call, |a: f64| Ok(-a))),
    prefix("-", &[NUMERIC], ANY_NUMERIC, negate_decimals).typed(same_type),
    prefix("+", &[SMALLINT], DataType::SmallInt, |call| unary(call, |a: i16| Ok(a))),
    prefix("+", &[INTEGER], DataType::Integer, |call| unary(call, |a: i32| Ok(a))),
    prefix("+", &[BIGINT], DataType::BigInt, |call| unary(call, |a: i64| Ok(a))),
    prefix("+", &[REAL], DataType::Real, |call| unary(call, |a: f32| Ok(a))),
    prefix("+", &[DOUBLE], DataType::Double, |call| unary(call, |a: f64| Ok(a))),
    prefix("+", &[NUMERIC], ANY_NUMERIC, |call| unary(call, |a: Decimal| Ok(a))).typed(same_type),
];

/// The code of `mod(a, b)` for integers, which is that of `%`.
pub(super) const MOD: [Code; 3] =
    [integers::<i16, Remainder>, integers::<i32, Remainder>, integers::<i64, Remainder>];

// ---- Result types of decimals ----

/// The type of one argument.
pub(super) fn same_type(types: &[DataType]) -> DataType {
    types.first().copied().unwrap_or(ANY_NUMERIC)
}

/// `numeric` of as many digits as both parts need, all digits at most.
fn fixed(whole: u8, scale: u8) -> DataType {
    let precision = (whole + scale).clamp(1, DataType::MAX_PRECISION);
    DataType::Numeric { precision, scale }
}

/// A carry more than the larger whole part, the larger scale.
fn sum_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Numeric { precision: p, scale: s }, DataType::Numeric { precision: q, scale: t }] => {
            fixed((p - s).max(q - t) + 1, *s.max(t))
        }
        _ => ANY_NUMERIC,
    }
}

/// All digits of both. Where the digits behind the point alone are too many, they are rounded per value.
fn product_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Numeric { precision: p, scale: s }, DataType::Numeric { precision: q, scale: t }]
            if s + t <= DataType::MAX_PRECISION =>
        {
            fixed((p - s) + (q - t), s + t)
        }
        _ => ANY_NUMERIC,
    }
}

/// The remainder is smaller than the divisor and not larger than the dividend.
pub(super) fn remainder_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Numeric { precision: p, scale: s }, DataType::Numeric { precision: q, scale: t }] => {
            fixed((p - s).max(q - t), *s.max(t))
        }
        _ => ANY_NUMERIC,
    }
}

// ---- The operations ----

struct Add;
struct Subtract;
struct Multiply;
struct Divide;
struct Remainder;

/// An operation on one type of integer.
trait Checked<T> {
    /// The result, or some number and true if there is none.
    fn wrapping(a: T, b: T) -> (T, bool);

    /// Why there is none.
    fn fault(a: T, b: T) -> Error;
}

macro_rules! integer_operations {
    ($($ty:ty, $name:literal);*) => {$(
        integer_operations!(@simple $ty, $name, Add overflowing_add, Subtract overflowing_sub,
                            Multiply overflowing_mul);

        impl Checked<$ty> for Divide {
            #[inline(always)]
            fn wrapping(a: $ty, b: $ty) -> ($ty, bool) {
                if b == 0 { (0, true) } else { a.overflowing_div(b) }
            }

            fn fault(_: $ty, b: $ty) -> Error {
                if b == 0 { DataError::DivisionByZero.into() } else { DataError::OutOfRange { ty: $name }.into() }
            }
        }

        impl Checked<$ty> for Remainder {
            #[inline(always)]
            fn wrapping(a: $ty, b: $ty) -> ($ty, bool) {
                if b == 0 { (0, true) } else { (a.wrapping_rem(b), false) }
            }

            fn fault(_: $ty, _: $ty) -> Error {
                DataError::DivisionByZero.into()
            }
        }
    )*};
    (@simple $ty:ty, $name:literal, $($op:ident $method:ident),*) => {$(
        impl Checked<$ty> for $op {
            #[inline(always)]
            fn wrapping(a: $ty, b: $ty) -> ($ty, bool) {
                a.$method(b)
            }

            fn fault(_: $ty, _: $ty) -> Error {
                DataError::OutOfRange { ty: $name }.into()
            }
        }
    )*};
}
integer_operations!(i16, "smallint"; i32, "integer"; i64, "bigint");

fn integers<T: Native, O: Checked<T>>(call: &mut Call<'_>) -> Result<()> {
    let (a, b) = (Lane::<T>::of(call, 0), Lane::<T>::of(call, 1));
    let out = call.out.overwrite::<T>(call.len);
    if run::<T, T, T>(out, &a, &b, call.rows, O::wrapping) {
        call.rows.try_each(|row| {
            let (a, b) = (a.at(row), b.at(row));
            if O::wrapping(a, b).1 { Err(O::fault(a, b)) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// Applies `f` to every row, or to those that count if they are few; whether one reported an overflow.
#[inline(always)]
fn run<A: Native, B: Native, R: Native>(
    out: &mut [R],
    a: &Lane<'_, A>,
    b: &Lane<'_, B>,
    rows: RowSet<'_>,
    f: impl Fn(A, B) -> (R, bool),
) -> bool {
    let mut fault = false;
    if let RowSet::Some(rows) = rows
        && rows.len() < out.len() / 4
    {
        for &row in rows {
            let row = usize::from(row);
            let (value, failed) = f(a.at(row), b.at(row));
            out[row] = value;
            fault |= failed;
        }
        return fault;
    }
    match (a, b) {
        (Lane::Same(a), Lane::Same(b)) => {
            let (value, failed) = f(*a, *b);
            out.fill(value);
            fault = failed;
        }
        (Lane::Same(a), b) => {
            for (out, b) in out.iter_mut().zip(b.slice()) {
                let (value, failed) = f(*a, *b);
                *out = value;
                fault |= failed;
            }
        }
        (a, Lane::Same(b)) => {
            for (out, a) in out.iter_mut().zip(a.slice()) {
                let (value, failed) = f(*a, *b);
                *out = value;
                fault |= failed;
            }
        }
        (a, b) => {
            for ((out, a), b) in out.iter_mut().zip(a.slice()).zip(b.slice()) {
                let (value, failed) = f(*a, *b);
                *out = value;
                fault |= failed;
            }
        }
    }
    fault
}

fn negate<T: Negate + Output + for<'a> Argument<'a>>(call: &mut Call<'_>) -> Result<()> {
    unary(call, |a: T| a.negate().ok_or_else(|| DataError::OutOfRange { ty: T::NAME }.into()))
}

trait Negate: Sized {
    const NAME: &'static str;

    fn negate(self) -> Option<Self>;
}

macro_rules! negations {
    ($($ty:ty, $name:literal);*) => {$(
        impl Negate for $ty {
            const NAME: &'static str = $name;

            fn negate(self) -> Option<Self> {
                self.checked_neg()
            }
        }
    )*};
}
negations!(i16, "smallint"; i32, "integer"; i64, "bigint");

// ---- Floats ----

/// An operation on floats, with PostgreSQL's errors for infinities and zeros that come out of finite operands.
trait Float<T> {
    fn apply(a: T, b: T) -> T;

    /// Whether a result may be an error.
    fn suspect(result: T) -> bool;

    fn check(a: T, b: T, result: T) -> Result<()>;
}

macro_rules! float_operations {
    ($($ty:ty),*) => {$(
        impl Float<$ty> for Add {
            #[inline(always)]
            fn apply(a: $ty, b: $ty) -> $ty { a + b }

            #[inline(always)]
            fn suspect(result: $ty) -> bool {
                !result.is_finite() | (result == 0.0)
            }

            fn check(a: $ty, b: $ty, result: $ty) -> Result<()> {
                overflow(result.is_infinite(), a.is_infinite() || b.is_infinite())
            }
        }

        impl Float<$ty> for Subtract {
            #[inline(always)]
            fn apply(a: $ty, b: $ty) -> $ty { a - b }

            #[inline(always)]
            fn suspect(result: $ty) -> bool {
                !result.is_finite() | (result == 0.0)
            }

            fn check(a: $ty, b: $ty, result: $ty) -> Result<()> {
                overflow(result.is_infinite(), a.is_infinite() || b.is_infinite())
            }
        }

        impl Float<$ty> for Multiply {
            #[inline(always)]
            fn apply(a: $ty, b: $ty) -> $ty { a * b }

            #[inline(always)]
            fn suspect(result: $ty) -> bool {
                !result.is_finite() | (result == 0.0)
            }

            fn check(a: $ty, b: $ty, result: $ty) -> Result<()> {
                overflow(result.is_infinite(), a.is_infinite() || b.is_infinite())?;
                underflow(result == 0.0, a == 0.0 || b == 0.0)
            }
        }

        impl Float<$ty> for Divide {
            #[inline(always)]
            fn apply(a: $ty, b: $ty) -> $ty { a / b }

            #[inline(always)]
            fn suspect(result: $ty) -> bool {
                !result.is_finite() | (result == 0.0)
            }

            fn check(a: $ty, b: $ty, result: $ty) -> Result<()> {
                if b == 0.0 && !a.is_nan() {
                    return Err(DataError::DivisionByZero.into());
                }
                overflow(result.is_infinite(), a.is_infinite())?;
                underflow(result == 0.0, a == 0.0 || b.is_infinite())
            }
        }
    )*};
}
float_operations!(f32, f64);

fn overflow(infinite: bool, expected: bool) -> Result<()> {
    if infinite && !expected { Err(DataError::FloatOverflow.into()) } else { Ok(()) }
}

fn underflow(zero: bool, expected: bool) -> Result<()> {
    if zero && !expected { Err(DataError::FloatUnderflow.into()) } else { Ok(()) }
}

fn floats<T: Native, O: Float<T>>(call: &mut Call<'_>) -> Result<()> {
    let (a, b) = (Lane::<T>::of(call, 0), Lane::<T>::of(call, 1));
    let out = call.out.overwrite::<T>(call.len);
    // Infinities and zeros are looked at again.
    if run(out, &a, &b, call.rows, |a, b| {
        let value = O::apply(a, b);
        (value, O::suspect(value))
    }) {
        let out = call.out.values::<T>();
        call.rows.try_each(|row| O::check(a.at(row), b.at(row), out[row]))?;
    }
    Ok(())
}

// ---- Decimals ----

/// An operation on decimals.
trait Exact {
    /// On integers of the result's scale, or for a product of any scale.
    fn wrapping(a: i64, b: i64) -> (i64, bool);

    /// The same on wide ones.
    fn wide(a: i128, b: i128) -> (i128, bool);

    /// The same on any.
    fn decimal(a: Decimal, b: Decimal) -> Result<Decimal>;

    /// What brings an operand of `scale` to the scale at which the digits are combined.
    fn factor(scale: u8, result: u8) -> i128;
}

macro_rules! exact_operations {
    ($($op:ident $method:ident $decimal:ident, $factor:expr;)*) => {$(
        impl Exact for $op {
            #[inline(always)]
            fn wrapping(a: i64, b: i64) -> (i64, bool) {
                a.$method(b)
            }

            #[inline(always)]
            fn wide(a: i128, b: i128) -> (i128, bool) {
                a.$method(b)
            }

            fn decimal(a: Decimal, b: Decimal) -> Result<Decimal> {
                a.$decimal(&b)
            }

            fn factor(scale: u8, result: u8) -> i128 {
                $factor(scale, result)
            }
        }
    )*};
}
exact_operations! {
    Add overflowing_add add, power_between;
    Subtract overflowing_sub subtract, power_between;
    Multiply overflowing_mul multiply, |_, _| 1;
}

fn power_between(scale: u8, result: u8) -> i128 {
    10i128.pow(u32::from(result.saturating_sub(scale)))
}

/// The largest decimal.
const LIMIT: i128 = 10i128.pow(38);

fn decimals<O: Exact>(call: &mut Call<'_>) -> Result<()> {
    let (DataType::Numeric { scale: s, .. }, DataType::Numeric { scale: t, .. }) =
        (call.types[0], call.types[1])
    else {
        return binary(call, O::decimal);
    };
    let DataType::Numeric { scale, .. } = call.result_type else {
        return binary(call, O::decimal);
    };
    let shapes = (call.argument(0).physical(), call.argument(1).physical(), call.out.physical());
    let (f, g) = (O::factor(s, scale), O::factor(t, scale));
    match shapes {
        (PhysicalType::I64, PhysicalType::I64, PhysicalType::I64) => {
            // The result's precision leaves room: nothing overflows but slots without a value.
            let (a, b) = (scaled(Lane::of(call, 0), f), scaled(Lane::of(call, 1), g));
            let out = call.out.overwrite::<i64>(call.len);
            run(out, &a, &b, call.rows, |a, b| (O::wrapping(a, b).0, false));
            Ok(())
        }
        (PhysicalType::I64, PhysicalType::I64, _) => {
            narrow::<O>(call, &Lane::<i64>::of(call, 0), &Lane::<i64>::of(call, 1), f, g);
            Ok(())
        }
        _ => {
            let (a, b) = (Lane::<i128>::widened(call, 0), Lane::<i128>::widened(call, 1));
            if f <= POWER_18
                && g <= POWER_18
                && let (Some(a), Some(b)) = (a.narrowed(), b.narrowed())
            {
                narrow::<O>(call, &a, &b, f, g);
                return Ok(());
            }
            let out = call.out.overwrite::<i128>(call.len);
            let step = |a: i128, b: i128| {
                let ((a, over_a), (b, over_b)) = (a.overflowing_mul(f), b.overflowing_mul(g));
                let (value, over) = O::wide(a, b);
                (value, over_a | over_b | over | (value >= LIMIT) | (value <= -LIMIT))
            };
            if run(out, &a, &b, call.rows, step) {
                call.rows.try_each(|row| {
                    if step(a.at(row), b.at(row)).1 { Err(DataError::NumericOverflow.into()) } else { Ok(()) }
                })?;
            }
            Ok(())
        }
    }
}

const POWER_18: i128 = 10i128.pow(18);

/// On operands of 64 bits, raised by at most 18 digits, the result is below 38 digits: it needs no check.
fn narrow<O: Exact>(call: &mut Call<'_>, a: &Lane<'_, i64>, b: &Lane<'_, i64>, f: i128, g: i128) {
    let out = call.out.overwrite::<i128>(call.len);
    if f == 1 && g == 1 {
        run(out, a, b, call.rows, |a, b| (O::wide(a.into(), b.into()).0, false));
    } else {
        run(out, a, b, call.rows, |a, b| {
            (O::wide(i128::from(a).wrapping_mul(f), i128::from(b).wrapping_mul(g)).0, false)
        });
    }
}

/// The operand at the result's scale.
fn scaled(lane: Lane<'_, i64>, factor: i128) -> Lane<'_, i64> {
    match i64::try_from(factor) {
        Ok(1) => lane,
        Ok(factor) => lane.map(|value| value.wrapping_mul(factor)),
        Err(_) => unreachable!("a result of 18 digits has a scale of at most 18"),
    }
}

fn remainder_of_decimals(call: &mut Call<'_>) -> Result<()> {
    binary(call, |a: Decimal, b: Decimal| a.remainder(&b))
}

fn negate_decimals(call: &mut Call<'_>) -> Result<()> {
    unary(call, |a: Decimal| Ok(a.negate()))
}
