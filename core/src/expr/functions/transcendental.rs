//! Roots, powers, exponentials and logarithms of `numeric`, with the scales PostgreSQL gives them: at least sixteen
//! significant digits and as many behind the point as the arguments have.

use super::natural::{Calculator, Natural};
use super::{NUMERIC, function, infix};
use crate::error::{DataError, Result};
use crate::expr::eval::{binary, unary};
use crate::expr::function::Function;
use crate::types::{DataType, Decimal};
use std::f64::consts::LOG10_E;

const NUMBER: DataType = DataType::AnyNumeric;

pub(super) const FUNCTIONS: &[Function] = &[
    function("sqrt", &[NUMERIC], NUMBER, |call| unary(call, square_root)),
    function("exp", &[NUMERIC], NUMBER, |call| unary(call, exponential)),
    function("ln", &[NUMERIC], NUMBER, |call| unary(call, natural_logarithm)),
    function("log", &[NUMERIC], NUMBER, |call| unary(call, |a: Decimal| logarithm(Decimal::new(10, 0), a))),
    function("log10", &[NUMERIC], NUMBER, |call| unary(call, |a: Decimal| logarithm(Decimal::new(10, 0), a))),
    function("log", &[NUMERIC; 2], NUMBER, |call| binary(call, logarithm)),
    function("power", &[NUMERIC; 2], NUMBER, |call| binary(call, power)),
    function("pow", &[NUMERIC; 2], NUMBER, |call| binary(call, power)),
    infix("^", &[NUMERIC; 2], NUMBER, |call| binary(call, power)),
];

/// Digits a result shows at least.
const SIGNIFICANT: i32 = 16;
/// Digits calculated beyond those of the result.
const GUARD: u32 = 12;
/// PostgreSQL keeps decimals in groups of four digits.
const GROUP: i32 = 4;

fn overflow() -> crate::Error {
    DataError::NumericOverflow.into()
}

/// The place of the first digit: 0 is the units.
fn first_place(a: Decimal) -> i32 {
    let digits = a.value.unsigned_abs().checked_ilog10().unwrap_or(0);
    // At most 38.
    digits as i32 - i32::from(a.scale)
}

/// The scale that PostgreSQL wants, as far as 38 digits allow.
fn scale_of(wanted: i32, operands: &[Decimal]) -> u32 {
    let least = operands.iter().map(|a| i32::from(a.scale)).max().unwrap_or(0);
    wanted.max(least).clamp(0, Decimal::MAX_DIGITS.into()).unsigned_abs()
}

/// The decimal that a calculation gives at `scale`, or at less if it has more than 38 digits.
fn decimal(scale: u32, digits: impl Fn(u32) -> Option<i128>) -> Result<Decimal> {
    let fits = |digits: &i128| digits.unsigned_abs() < 10u128.pow(38);
    let found = (0..=scale).rev().find_map(|scale| digits(scale).filter(fits).map(|digits| (digits, scale)));
    let (value, scale) = found.ok_or_else(overflow)?;
    // At most 38.
    Ok(Decimal::new(value, scale as u8))
}

fn square_root(a: Decimal) -> Result<Decimal> {
    if a.value < 0 {
        return Err(DataError::NegativeSquareRoot.into());
    }
    let weight = if a.value == 0 { 0 } else { first_place(a).div_euclid(GROUP) };
    square_root_at(a, scale_of(SIGNIFICANT - (weight * GROUP / 2 + 1), &[a]))
}

/// The root of a decimal that is not negative, rounded to `scale`.
pub(in crate::expr) fn square_root_at(a: Decimal, scale: u32) -> Result<Decimal> {
    decimal(scale, |scale| {
        // root(v / 10^s) * 10^scale = root(v * 10^(2 scale - s)); one more digit tells how to round.
        let shift = 2 * (i64::from(scale) + 1) - i64::from(a.scale);
        let value = Natural::new(a.value.unsigned_abs());
        let factor = Natural::power_of_ten(u32::try_from(shift.abs()).unwrap_or(0));
        let scaled = if shift >= 0 { value.multiply(&factor) } else { value.divide(&factor).0 };
        let rounded = scaled.square_root().divide_rounded(&Natural::new(10));
        rounded.narrow().and_then(|value| i128::try_from(value).ok())
    })
}

fn exponential(a: Decimal) -> Result<Decimal> {
    let places = a.to_f64() * LOG10_E;
    if places > 40.0 {
        return Err(overflow());
    }
    // Where not a digit of the result is seen.
    if places < -1000.0 {
        return Ok(Decimal::new(0, Decimal::MAX_DIGITS));
    }
    let scale = scale_of(SIGNIFICANT - places as i32, &[a]);
    let calculator = Calculator::new(scale + GUARD + 40);
    let result = calculator.exponential(&calculator.number(a.value, a.scale.into()));
    decimal(scale, |scale| calculator.digits(&result, scale))
}

fn logarithm_operand(a: Decimal) -> Result<()> {
    match a.signum() {
        0 => Err(DataError::LogarithmOf { operand: "zero" }.into()),
        -1 => Err(DataError::LogarithmOf { operand: "a negative number" }.into()),
        _ => Ok(()),
    }
}

/// The place of the first digit of the logarithm, as PostgreSQL estimates it.
fn logarithm_place(a: Decimal) -> i32 {
    let near = |digits| a.compare(&Decimal::new(digits, 1));
    if near(9).is_ge() && near(11).is_le() {
        // ln(1 + x) is about x.
        return match a.subtract(&Decimal::new(1, 0)) {
            Ok(x) if x.value != 0 => first_place(x),
            _ => 0,
        };
    }
    a.to_f64().ln().abs().log10() as i32
}

fn natural_logarithm(a: Decimal) -> Result<Decimal> {
    logarithm_operand(a)?;
    let scale = scale_of(SIGNIFICANT - logarithm_place(a), &[a]);
    let calculator = Calculator::new(scale + GUARD + 40);
    let result = calculator.logarithm(&calculator.number(a.value, a.scale.into()));
    decimal(scale, |scale| calculator.digits(&result, scale))
}

fn logarithm(base: Decimal, a: Decimal) -> Result<Decimal> {
    logarithm_operand(base)?;
    logarithm_operand(a)?;
    if base.compare(&Decimal::new(1, 0)).is_eq() {
        return Err(DataError::DivisionByZero.into());
    }
    let scale = scale_of(SIGNIFICANT - (logarithm_place(a) - logarithm_place(base)), &[base, a]);
    let calculator = Calculator::new(scale + GUARD + 80);
    let of = |x: Decimal| calculator.logarithm(&calculator.number(x.value, x.scale.into()));
    let result = calculator.divide(&of(a), &of(base));
    decimal(scale, |scale| calculator.digits(&result, scale))
}

/// Digits up to which an integer power is multiplied out.
const EXACT_DIGITS: u32 = 1200;

fn power(base: Decimal, exponent: Decimal) -> Result<Decimal> {
    let whole = exponent.truncate(0)?;
    let is_whole = whole.compare(&exponent).is_eq();
    if base.value == 0 {
        return match exponent.signum() {
            -1 => Err(DataError::ZeroToNegativePower.into()),
            0 => Ok(one(base, exponent)),
            _ => Ok(Decimal::zero(scale_of(SIGNIFICANT, &[base, exponent]) as u8)),
        };
    }
    if base.value < 0 && !is_whole {
        return Err(DataError::NegativeToFractionalPower.into());
    }
    if exponent.value == 0 {
        return Ok(one(base, exponent));
    }
    let places = base.abs().to_f64().log10() * exponent.to_f64();
    if places > 40.0 {
        return Err(overflow());
    }
    if places < -1000.0 {
        return Ok(Decimal::new(0, Decimal::MAX_DIGITS));
    }
    // PostgreSQL looks at the size of the result only where the exponent is no integer.
    let scale = if is_whole {
        scale_of(SIGNIFICANT, &[base])
    } else {
        scale_of(SIGNIFICANT - places as i32, &[base, exponent])
    };
    let negative = base.value < 0 && whole.value % 2 != 0;
    let signed = |digits: i128| if negative { -digits } else { digits };
    let digits = base.value.unsigned_abs().ilog10() + 1;
    if let Ok(times) = u32::try_from(whole.value.unsigned_abs())
        && is_whole
        && times.saturating_mul(digits.max(base.scale.into())) <= EXACT_DIGITS
    {
        let numerator = Natural::new(base.value.unsigned_abs()).power(times);
        let denominator = Natural::power_of_ten(u32::from(base.scale) * times);
        let (numerator, denominator) =
            if exponent.value < 0 { (denominator, numerator) } else { (numerator, denominator) };
        return decimal(scale, |scale| {
            let scaled = numerator.multiply(&Natural::power_of_ten(scale)).divide_rounded(&denominator);
            scaled.narrow().and_then(|value| i128::try_from(value).ok()).map(signed)
        });
    }
    let calculator = Calculator::new(scale + GUARD + 120);
    let ln = calculator.logarithm(&calculator.number(base.value.abs(), base.scale.into()));
    let product = calculator.multiply(&ln, &calculator.number(exponent.value, exponent.scale.into()));
    let result = calculator.exponential(&product);
    decimal(scale, |scale| calculator.digits(&result, scale).map(signed))
}

/// 1 with sixteen digits behind the point, or as many as the operands have.
fn one(base: Decimal, exponent: Decimal) -> Decimal {
    let scale = scale_of(SIGNIFICANT, &[base, exponent]);
    Decimal::new(10i128.pow(scale.min(37)), scale.min(37) as u8)
}
