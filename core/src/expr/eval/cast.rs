//! Casts of vectors. Numbers have loops of their own; the rest goes value by value through
//! [`Value::cast`](crate::types::Value::cast), which knows the rules.

use super::call::{Call, unary};
use super::lane::Lane;
use crate::error::{DataError, Result};
use crate::types::datetime::date_to_timestamp;
use crate::types::{CastContext, DataType, Decimal, PhysicalType, Value};

type Code = fn(&mut Call<'_>) -> Result<()>;

/// The code that casts `from` to `to`.
pub(super) fn cast_code(from: &DataType, to: &DataType, context: CastContext) -> Code {
    use DataType::{BigInt, Date, Double, Integer, Real, SmallInt, Text, Timestamp, VarChar};
    match (from, to) {
        (SmallInt, Integer) => |call| unary(call, |v: i16| Ok(i32::from(v))),
        (SmallInt, BigInt) => |call| unary(call, |v: i16| Ok(i64::from(v))),
        (Integer, BigInt) => |call| unary(call, |v: i32| Ok(i64::from(v))),
        (SmallInt, Real) => |call| unary(call, |v: i16| Ok(f32::from(v))),
        (SmallInt, Double) => |call| unary(call, |v: i16| Ok(f64::from(v))),
        (Integer, Double) => |call| unary(call, |v: i32| Ok(f64::from(v))),
        (BigInt, Double) => |call| unary(call, |v: i64| Ok(v as f64)),
        (Real, Double) => |call| unary(call, |v: f32| Ok(f64::from(v))),
        (Date, Timestamp) => |call| unary(call, |v: i32| date_to_timestamp(v)),
        (BigInt, Integer) => |call| {
            unary(call, |v: i64| i32::try_from(v).map_err(|_| DataError::OutOfRange { ty: "integer" }.into()))
        },
        (SmallInt | Integer | BigInt, DataType::Numeric { .. }) => integer_to_decimal,
        (DataType::Numeric { .. }, DataType::Numeric { .. }) => rescale,
        (DataType::Numeric { .. } | DataType::AnyNumeric, DataType::AnyNumeric) => {
            |call| unary(call, |v: Decimal| Ok(v))
        }
        (DataType::Numeric { .. } | DataType::AnyNumeric, Double) => {
            |call| unary(call, |v: Decimal| Ok(v.to_f64()))
        }
        (from, Text | VarChar(None)) if from.is_string() => |call| unary(call, |v: &[u8]| Ok(v)),
        _ => match context {
            CastContext::Implicit => |call| general(call, CastContext::Implicit),
            CastContext::Assignment => |call| general(call, CastContext::Assignment),
            CastContext::Explicit => |call| general(call, CastContext::Explicit),
        },
    }
}

fn general(call: &mut Call<'_>, context: CastContext) -> Result<()> {
    let (source, to) = (call.read::<Value>(0), call.result_type);
    let mut nulls = Vec::new();
    let mut values = vec![Value::Null; call.len];
    call.rows.try_each(|row| {
        let (vector, ty): &(_, DataType) = &source;
        values[row] = vector.value_at(row, ty).cast(&to, context, &call.context.times)?;
        if values[row].is_null() {
            nulls.push(row);
        }
        Ok(())
    })?;
    values.iter().try_for_each(|value| call.out.push_value(value, &to))
}

/// An integer at a scale, checked against the precision if that is less than the integer's.
fn integer_to_decimal(call: &mut Call<'_>) -> Result<()> {
    let wide = match call.argument(0).physical() {
        PhysicalType::I16 => Lane::<i16>::of(call, 0).map(i64::from),
        PhysicalType::I32 => Lane::<i32>::of(call, 0).map(i64::from),
        _ => Lane::<i64>::of(call, 0),
    };
    let (digits, DataType::Numeric { precision, scale }) = (call.types[0], call.result_type) else {
        return Ok(());
    };
    let most = match digits {
        DataType::SmallInt => 5,
        DataType::Integer => 10,
        _ => 19,
    };
    let fits = precision - scale >= most;
    if call.out.physical() == PhysicalType::I64 {
        let factor = 10i64.pow(scale.into());
        if !fits {
            call.rows.try_each(|row| Decimal::from(wide.at(row)).fit(precision, scale).map(drop))?;
        }
        let rows = call.rows;
        let out = call.out.overwrite::<i64>(call.len);
        rows.each(|row| out[row] = wide.at(row).wrapping_mul(factor));
        return Ok(());
    }
    if !fits {
        call.rows.try_each(|row| Decimal::from(wide.at(row)).fit(precision, scale).map(drop))?;
    }
    let factor = 10i128.pow(scale.into());
    let rows = call.rows;
    let out = call.out.overwrite::<i128>(call.len);
    rows.each(|row| out[row] = i128::from(wide.at(row)).wrapping_mul(factor));
    Ok(())
}

/// A decimal at another scale or precision.
fn rescale(call: &mut Call<'_>) -> Result<()> {
    let (DataType::Numeric { precision: p, scale: s }, DataType::Numeric { precision: q, scale: t }) =
        (call.types[0], call.result_type)
    else {
        return Ok(());
    };
    let narrow = (call.argument(0).physical(), call.out.physical()) == (PhysicalType::I64, PhysicalType::I64);
    // Digits are only added, and there is room for all.
    if narrow && t >= s && q - t >= p - s {
        let lane = Lane::<i64>::of(call, 0);
        let factor = 10i64.pow(u32::from(t - s));
        let rows = call.rows;
        let out = call.out.overwrite::<i64>(call.len);
        rows.each(|row| out[row] = lane.at(row).wrapping_mul(factor));
        return Ok(());
    }
    let source = call.read::<Decimal>(0);
    call.write(|row| {
        let digits = <Decimal as super::call::Argument>::get(&source, row).fit(q, t)?;
        Ok(Decimal::new(digits, t))
    })
}
