//! `count`, `sum` and `avg`.

use super::{Accumulator, Aggregate, Groups, States, each_value};
use crate::error::{DataError, Result};
use crate::expr::eval::{Argument, RowSet};
use crate::expr::{Operand, ResultType};
use crate::types::vector::Native;
use crate::types::{DataType, Decimal, FlatVector, Interval, PhysicalType, Scalar, Value, Vector};
use std::marker::PhantomData;

const SMALLINT: Operand = Operand::Is(DataType::SmallInt);
const INTEGER: Operand = Operand::Is(DataType::Integer);
const BIGINT: Operand = Operand::Is(DataType::BigInt);
const REAL: Operand = Operand::Is(DataType::Real);
const DOUBLE: Operand = Operand::Is(DataType::Double);
const NUMERIC: Operand = Operand::Is(DataType::AnyNumeric);
const INTERVAL: Operand = Operand::Is(DataType::Interval);

/// A sum of whole numbers has none behind the point.
const WHOLE: DataType = DataType::Numeric { precision: 38, scale: 0 };

pub(super) const TABLE: &[Aggregate] = &[
    Aggregate {
        may_return_null: false,
        ..aggregate("count", &[], DataType::BigInt, |_, _| Box::new(CountRows))
    },
    Aggregate {
        may_return_null: false,
        ..aggregate("count", &[Operand::Any], DataType::BigInt, |_, _| Box::new(Count))
    },
    aggregate("sum", &[SMALLINT], DataType::BigInt, |_, _| Box::new(IntegerSum::<i16>(PhantomData))),
    aggregate("sum", &[INTEGER], DataType::BigInt, |_, _| Box::new(IntegerSum::<i32>(PhantomData))),
    aggregate("sum", &[BIGINT], WHOLE, |types, result| decimal_total(types, result, false)),
    aggregate("sum", &[REAL], DataType::Real, |_, _| Box::new(FloatTotal::<f32>(PhantomData))),
    aggregate("sum", &[DOUBLE], DataType::Double, |_, _| Box::new(FloatTotal::<f64>(PhantomData))),
    Aggregate {
        result: ResultType::Rule(sum_type),
        ..aggregate("sum", &[NUMERIC], DataType::AnyNumeric, |types, result| {
            decimal_total(types, result, false)
        })
    },
    aggregate("sum", &[INTERVAL], DataType::Interval, |_, _| Box::new(IntervalTotal { average: false })),
    aggregate("avg", &[SMALLINT], DataType::AnyNumeric, |types, result| decimal_total(types, result, true)),
    aggregate("avg", &[INTEGER], DataType::AnyNumeric, |types, result| decimal_total(types, result, true)),
    aggregate("avg", &[BIGINT], DataType::AnyNumeric, |types, result| decimal_total(types, result, true)),
    aggregate("avg", &[REAL], DataType::Double, |_, _| Box::new(FloatAverage::<f32>(PhantomData))),
    aggregate("avg", &[DOUBLE], DataType::Double, |_, _| Box::new(FloatAverage::<f64>(PhantomData))),
    aggregate("avg", &[NUMERIC], DataType::AnyNumeric, |types, result| decimal_total(types, result, true)),
    aggregate("avg", &[INTERVAL], DataType::Interval, |_, _| Box::new(IntervalTotal { average: true })),
];

/// An aggregate that is NULL for no rows.
pub(super) const fn aggregate(
    name: &'static str,
    arguments: &'static [Operand],
    result: DataType,
    accumulator: fn(&[DataType], &DataType) -> Box<dyn Accumulator>,
) -> Aggregate {
    Aggregate { name, arguments, result: ResultType::Is(result), may_return_null: true, accumulator }
}

/// A sum of decimals of one scale has it too, and all digits there are.
fn sum_type(types: &[DataType]) -> DataType {
    match types {
        [DataType::Numeric { scale, .. }] => {
            DataType::Numeric { precision: DataType::MAX_PRECISION, scale: *scale }
        }
        _ => DataType::AnyNumeric,
    }
}

fn word(state: &[u8]) -> u64 {
    state.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

// ---- count ----

struct CountRows;

impl Accumulator for CountRows {
    fn state_size(&self) -> usize {
        8
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        _: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        match groups {
            Groups::One(group) => add_count(states, group, rows.count() as u64),
            Groups::Each(groups) => rows.each(|row| add_count(states, groups[row], 1)),
        }
        Ok(())
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            add_count(into, target, word(&from.copy::<8>(source)));
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            // Fewer rows than 2^63.
            out.push(word(&states.copy::<8>(group)) as i64);
        }
        Ok(())
    }
}

#[inline(always)]
fn add_count(states: &mut States<'_>, group: u32, count: u64) {
    let state = states.of::<8>(group);
    *state = (u64::from_le_bytes(*state) + count).to_le_bytes();
}

struct Count;

impl Accumulator for Count {
    fn state_size(&self) -> usize {
        8
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        if !inputs[0].may_have_nulls() {
            return CountRows.update(states, groups, inputs, rows);
        }
        each_value(inputs[0], rows, |row| {
            add_count(states, groups.of(row), 1);
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        CountRows.combine(into, from, pairs)
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        CountRows.finalize(states, groups, out)
    }
}

// ---- Integers that fit 64 bits ----

/// `sum(smallint)` and `sum(integer)`: the sum and how many there were.
struct IntegerSum<T>(PhantomData<fn() -> T>);

impl<T> IntegerSum<T> {
    #[inline(always)]
    fn add(states: &mut States<'_>, group: u32, value: i64, count: u64) -> Result<()> {
        let state = states.of::<16>(group);
        let (sum, seen) = (word(state) as i64, word(&state[8..]));
        let Some(sum) = sum.checked_add(value) else {
            return Err(DataError::OutOfRange { ty: "bigint" }.into());
        };
        state[..8].copy_from_slice(&sum.to_le_bytes());
        state[8..].copy_from_slice(&(seen + count).to_le_bytes());
        Ok(())
    }
}

impl<T: Native + Into<i64> + for<'a> Argument<'a>> Accumulator for IntegerSum<T> {
    fn state_size(&self) -> usize {
        16
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let input = inputs[0];
        let source = T::source(input, &DataType::Integer);
        if let Groups::One(group) = groups {
            // A chunk of 32-bit numbers cannot overflow 64 bits.
            let (mut sum, mut count) = (0i64, 0);
            if let (Vector::Flat(flat), RowSet::All(len), false) = (input, rows, input.may_have_nulls()) {
                sum = flat.values::<T>()[..len].iter().map(|value| (*value).into()).sum();
                count = len as u64;
            } else {
                each_value(input, rows, |row| {
                    sum += T::get(&source, row).into();
                    count += 1;
                    Ok(())
                })?;
            }
            return Self::add(states, group, sum, count);
        }
        each_value(input, rows, |row| Self::add(states, groups.of(row), T::get(&source, row).into(), 1))
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let state = from.copy::<16>(source);
            Self::add(into, target, word(&state) as i64, word(&state[8..]))?;
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<16>(group);
            match word(&state[8..]) {
                0 => out.push_null(),
                _ => out.push(word(&state) as i64),
            }
        }
        Ok(())
    }
}

// ---- Decimals ----

/// `sum` and `avg` of decimals and of integers with a decimal result: the digits, how many there were, and the scale
/// where each value has its own.
struct DecimalTotal {
    input: DataType,
    result: DataType,
    average: bool,
}

fn decimal_total(types: &[DataType], result: &DataType, average: bool) -> Box<dyn Accumulator> {
    Box::new(DecimalTotal { input: types[0], result: *result, average })
}

impl DecimalTotal {
    #[inline(always)]
    fn add(states: &mut States<'_>, group: u32, value: i128, count: u64) -> Result<()> {
        let state = states.of::<32>(group);
        let sum = i128::from_le_bytes(*state.first_chunk().expect("half of 32"));
        let Some(sum) = sum.checked_add(value) else { return Err(DataError::NumericOverflow.into()) };
        state[..16].copy_from_slice(&sum.to_le_bytes());
        let seen = word(&state[16..]);
        state[16..24].copy_from_slice(&(seen + count).to_le_bytes());
        Ok(())
    }

    fn add_decimal(states: &mut States<'_>, group: u32, value: Decimal, count: u64) -> Result<()> {
        let state = states.of::<32>(group);
        let sum = Decimal::new(i128::from_le_bytes(*state.first_chunk().expect("half of 32")), state[24]);
        let sum = sum.add(&value)?;
        state[..16].copy_from_slice(&sum.value.to_le_bytes());
        let seen = word(&state[16..]);
        state[16..24].copy_from_slice(&(seen + count).to_le_bytes());
        state[24] = sum.scale;
        Ok(())
    }

    fn scale(&self) -> u8 {
        if let DataType::Numeric { scale, .. } = self.input { scale } else { 0 }
    }

    fn update_native<T: Native + Into<i128>>(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        input: &Vector,
        rows: RowSet<'_>,
    ) -> Result<()> {
        let Some((base, way)) = input.base() else { return Ok(()) };
        let values = base.values::<T>();
        if let Groups::One(group) = groups {
            let (mut sum, mut count, mut overflows) = (0i128, 0, false);
            each_value(input, rows, |row| {
                let (next, overflow) = sum.overflowing_add(values[way.index(row)].into());
                (sum, overflows, count) = (next, overflows | overflow, count + 1);
                Ok(())
            })?;
            return if overflows {
                Err(DataError::NumericOverflow.into())
            } else {
                Self::add(states, group, sum, count)
            };
        }
        each_value(input, rows, |row| Self::add(states, groups.of(row), values[way.index(row)].into(), 1))
    }
}

impl Accumulator for DecimalTotal {
    fn state_size(&self) -> usize {
        32
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let input = inputs[0];
        match (self.input, input.physical()) {
            (DataType::AnyNumeric, _) => {
                let source = Decimal::source(input, &self.input);
                each_value(input, rows, |row| {
                    Self::add_decimal(states, groups.of(row), Decimal::get(&source, row), 1)
                })
            }
            (_, PhysicalType::I16) => self.update_native::<i16>(states, groups, input, rows),
            (_, PhysicalType::I32) => self.update_native::<i32>(states, groups, input, rows),
            (_, PhysicalType::I64) => self.update_native::<i64>(states, groups, input, rows),
            _ => self.update_native::<i128>(states, groups, input, rows),
        }
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let state = from.copy::<32>(source);
            let sum = i128::from_le_bytes(*state.first_chunk().expect("half of 32"));
            let count = word(&state[16..]);
            match self.input {
                DataType::AnyNumeric => Self::add_decimal(into, target, Decimal::new(sum, state[24]), count)?,
                _ => Self::add(into, target, sum, count)?,
            }
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<32>(group);
            let sum = i128::from_le_bytes(*state.first_chunk().expect("half of 32"));
            let count = word(&state[16..]);
            if count == 0 {
                out.push_null();
                continue;
            }
            let scale = if self.input == DataType::AnyNumeric { state[24] } else { self.scale() };
            let mut value = Decimal::new(sum, scale);
            if self.average {
                value = value.divide(&Decimal::new(count.into(), 0))?;
            }
            push_decimal(out, value, &self.result)?;
        }
        Ok(())
    }
}

/// Appends a decimal of a type that holds it unless it has over 38 digits.
pub(super) fn push_decimal(out: &mut FlatVector, value: Decimal, ty: &DataType) -> Result<()> {
    match Value::Numeric(value).to_scalar(ty) {
        Ok(scalar) => out.push_scalar(scalar),
        Err(_) => return Err(DataError::NumericOverflow.into()),
    }
    Ok(())
}

// ---- Floats ----

/// `sum` of floats: the sum and how many there were.
struct FloatTotal<T>(PhantomData<fn() -> T>);

macro_rules! float_total {
    ($($ty:ty, $size:literal);*) => {$(
        impl FloatTotal<$ty> {
            #[inline(always)]
            fn add(states: &mut States<'_>, group: u32, value: $ty, count: u64) -> Result<()> {
                let state = states.of::<16>(group);
                let before = <$ty>::from_le_bytes(*state.first_chunk().expect("less than 16"));
                let seen = word(&state[8..]);
                // No rounding for the first, which may be a negative zero.
                let sum = if seen == 0 { value } else { before + value };
                if sum.is_infinite() && before.is_finite() && value.is_finite() {
                    return Err(DataError::FloatOverflow.into());
                }
                state[..$size].copy_from_slice(&sum.to_le_bytes());
                state[8..].copy_from_slice(&(seen + count).to_le_bytes());
                Ok(())
            }
        }

        impl Accumulator for FloatTotal<$ty> {
            fn state_size(&self) -> usize {
                16
            }

            fn update(
                &self,
                states: &mut States<'_>,
                groups: Groups<'_>,
                inputs: &[&Vector],
                rows: RowSet<'_>,
            ) -> Result<()> {
                let source = <$ty>::source(inputs[0], &DataType::Double);
                each_value(inputs[0], rows, |row| {
                    Self::add(states, groups.of(row), <$ty>::get(&source, row), 1)
                })
            }

            fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
                for &(target, source) in pairs {
                    let state = from.copy::<16>(source);
                    let sum = <$ty>::from_le_bytes(*state.first_chunk().expect("less than 16"));
                    if word(&state[8..]) > 0 {
                        Self::add(into, target, sum, word(&state[8..]))?;
                    }
                }
                Ok(())
            }

            fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
                for &group in groups {
                    let state = states.copy::<16>(group);
                    match word(&state[8..]) {
                        0 => out.push_null(),
                        _ => out.push(<$ty>::from_le_bytes(*state.first_chunk().expect("less than 16"))),
                    }
                }
                Ok(())
            }
        }
    )*};
}
float_total!(f32, 4; f64, 8);

/// `avg` of floats, in double precision.
struct FloatAverage<T>(PhantomData<fn() -> T>);

impl<T: Native + Into<f64> + for<'a> Argument<'a>> Accumulator for FloatAverage<T> {
    fn state_size(&self) -> usize {
        16
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let source = T::source(inputs[0], &DataType::Double);
        each_value(inputs[0], rows, |row| {
            FloatTotal::<f64>::add(states, groups.of(row), T::get(&source, row).into(), 1)
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        FloatTotal::<f64>(PhantomData).combine(into, from, pairs)
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<16>(group);
            match word(&state[8..]) {
                0 => out.push_null(),
                count => out.push(f64::from_bits(word(&state)) / count as f64),
            }
        }
        Ok(())
    }
}

// ---- Intervals ----

/// `sum` and `avg` of intervals: the sum and how many there were.
struct IntervalTotal {
    average: bool,
}

fn interval_of(state: &[u8; 24]) -> Interval {
    let months_and_days = word(state).to_le_bytes();
    let [a, b, c, d, e, f, g, h] = months_and_days;
    Interval::new(
        i32::from_le_bytes([a, b, c, d]),
        i32::from_le_bytes([e, f, g, h]),
        i64::from_le_bytes(word(&state[8..]).to_le_bytes()),
    )
}

impl IntervalTotal {
    fn add(states: &mut States<'_>, group: u32, value: Interval, count: u64) -> Result<()> {
        let state = states.of::<24>(group);
        let sum = interval_of(state).add(&value)?;
        let seen = word(&state[16..]);
        state[..4].copy_from_slice(&sum.months.to_le_bytes());
        state[4..8].copy_from_slice(&sum.days.to_le_bytes());
        state[8..16].copy_from_slice(&sum.micros.to_le_bytes());
        state[16..].copy_from_slice(&(seen + count).to_le_bytes());
        Ok(())
    }
}

impl Accumulator for IntervalTotal {
    fn state_size(&self) -> usize {
        24
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let source = Interval::source(inputs[0], &DataType::Interval);
        each_value(inputs[0], rows, |row| Self::add(states, groups.of(row), Interval::get(&source, row), 1))
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let state = from.copy::<24>(source);
            Self::add(into, target, interval_of(&state), word(&state[16..]))?;
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<24>(group);
            out.push_scalar(match word(&state[16..]) {
                0 => Scalar::Null,
                count if self.average => Scalar::Interval(interval_of(&state).divide(count as f64)?),
                _ => Scalar::Interval(interval_of(&state)),
            });
        }
        Ok(())
    }
}
