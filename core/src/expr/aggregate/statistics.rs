//! Variances and standard deviations, and bitwise aggregates.

use super::sums::{aggregate, push_decimal};
use super::{Accumulator, Aggregate, Groups, States, each_value};
use crate::error::{DataError, Result};
use crate::expr::Operand;
use crate::expr::eval::{Argument, RowSet};
use crate::expr::functions::square_root_at;
use crate::types::vector::Native;
use crate::types::{DataType, Decimal, FlatVector, PhysicalType, Vector};
use std::marker::PhantomData;

const SMALLINT: Operand = Operand::Is(DataType::SmallInt);
const INTEGER: Operand = Operand::Is(DataType::Integer);
const BIGINT: Operand = Operand::Is(DataType::BigInt);
const REAL: Operand = Operand::Is(DataType::Real);
const DOUBLE: Operand = Operand::Is(DataType::Double);
const NUMERIC: Operand = Operand::Is(DataType::AnyNumeric);

/// Which moment is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// Of the rows as a sample of more.
    sample: bool,
    /// The root of the variance.
    deviation: bool,
}

const VARIANCE: Kind = Kind { sample: true, deviation: false };
const VARIANCE_POP: Kind = Kind { sample: false, deviation: false };
const DEVIATION: Kind = Kind { sample: true, deviation: true };
const DEVIATION_POP: Kind = Kind { sample: false, deviation: true };

macro_rules! moments {
    ($($name:literal $kind:ident),*) => {
        &[
            $(
                aggregate($name, &[SMALLINT], DataType::AnyNumeric, |t, _| Box::new(Exact::new(t, $kind))),
                aggregate($name, &[INTEGER], DataType::AnyNumeric, |t, _| Box::new(Exact::new(t, $kind))),
                aggregate($name, &[BIGINT], DataType::AnyNumeric, |t, _| Box::new(Exact::new(t, $kind))),
                aggregate($name, &[NUMERIC], DataType::AnyNumeric, |t, _| Box::new(Exact::new(t, $kind))),
                aggregate($name, &[REAL], DataType::Double, |_, _| Box::new(Float::<f32>::new($kind))),
                aggregate($name, &[DOUBLE], DataType::Double, |_, _| Box::new(Float::<f64>::new($kind))),
            )*
        ]
    };
}

pub(super) const MOMENTS: &[Aggregate] = moments!(
    "variance" VARIANCE,
    "var_samp" VARIANCE,
    "var_pop" VARIANCE_POP,
    "stddev" DEVIATION,
    "stddev_samp" DEVIATION,
    "stddev_pop" DEVIATION_POP
);

macro_rules! bitwise {
    ($($name:literal $f:expr),*) => {
        &[
            $(
                aggregate($name, &[SMALLINT], DataType::SmallInt, |_, _| Box::new(Bits::<i16>::new($f))),
                aggregate($name, &[INTEGER], DataType::Integer, |_, _| Box::new(Bits::<i32>::new($f))),
                aggregate($name, &[BIGINT], DataType::BigInt, |_, _| Box::new(Bits::<i64>::new($f))),
            )*
        ]
    };
}

pub(super) const BITWISE: &[Aggregate] =
    bitwise!("bit_and" | a, b | a & b, "bit_or" | a, b | a | b, "bit_xor" | a, b | a ^ b);

// ---- Exact moments ----

/// The sums of numbers and of their squares, and how many there were; beside them the same in floats, for numbers
/// whose squares pass 128 bits.
///
/// ```text
///   sum i128 | squares i128 | count u64 | scale u8, inexact u8 | mean f64 | deviations f64
/// ```
struct Exact {
    input: DataType,
    kind: Kind,
}

#[derive(Clone, Copy, Default)]
struct Moments {
    sum: i128,
    squares: i128,
    count: u64,
    scale: u8,
    inexact: bool,
    rough: Rough,
}

/// Youngs and Cramer: the sum, and the sum of squared distances from the mean.
#[derive(Clone, Copy, Default)]
struct Rough {
    sum: f64,
    distances: f64,
}

impl Rough {
    /// With one more value, the `count`-th.
    fn with(self, value: f64, count: u64) -> Self {
        let sum = self.sum + value;
        if count < 2 {
            // A first value that is not finite has no distance from itself.
            let distances = if value.is_finite() { 0.0 } else { f64::NAN };
            return Self { sum, distances };
        }
        let n = count as f64;
        let step = value * n - sum;
        Self { sum, distances: self.distances + step * step / (n * (n - 1.0)) }
    }

    /// Whether it is beyond what a float holds, if what it was made of is not.
    fn overflowed(self) -> bool {
        self.sum.is_infinite() || self.distances.is_infinite()
    }

    /// Of both, of which there were so many.
    fn merged(self, count: u64, other: Self, other_count: u64) -> Self {
        if count == 0 || other_count == 0 {
            return if count == 0 { other } else { self };
        }
        let (n, m) = (count as f64, other_count as f64);
        let step = self.sum / n - other.sum / m;
        Self {
            sum: self.sum + other.sum,
            distances: self.distances + other.distances + n * m * step * step / (n + m),
        }
    }

    fn finish(self, count: u64, kind: Kind) -> Option<f64> {
        let divisor = divisor(count, kind)?;
        let variance = self.distances / divisor as f64;
        Some(if kind.deviation { variance.sqrt() } else { variance })
    }
}

/// What distances are divided by; none if there are too few values.
fn divisor(count: u64, kind: Kind) -> Option<u64> {
    let divisor = if kind.sample { count.checked_sub(1)? } else { count };
    (divisor > 0).then_some(divisor)
}

const EXACT_SIZE: usize = 64;

impl Moments {
    fn read(state: &[u8; EXACT_SIZE]) -> Self {
        let wide = |at: usize| state[at..].first_chunk().map_or(0, |bytes| i128::from_le_bytes(*bytes));
        let word = |at: usize| state[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let flags = word(40).to_le_bytes();
        Self {
            sum: wide(0),
            squares: wide(16),
            count: word(32),
            scale: flags[0],
            inexact: flags[1] != 0,
            rough: Rough { sum: f64::from_bits(word(48)), distances: f64::from_bits(word(56)) },
        }
    }

    fn write(&self, state: &mut [u8; EXACT_SIZE]) {
        state[..16].copy_from_slice(&self.sum.to_le_bytes());
        state[16..32].copy_from_slice(&self.squares.to_le_bytes());
        state[32..40].copy_from_slice(&self.count.to_le_bytes());
        state[40] = self.scale;
        state[41] = self.inexact.into();
        state[48..56].copy_from_slice(&self.rough.sum.to_le_bytes());
        state[56..].copy_from_slice(&self.rough.distances.to_le_bytes());
    }

    /// Both at the larger scale; `None` if that does not fit.
    fn aligned(self, scale: u8) -> Option<Self> {
        let factor = 10i128.checked_pow(u32::from(scale.checked_sub(self.scale)?))?;
        let square = factor.checked_mul(factor)?;
        let (sum, squares) = (self.sum.checked_mul(factor)?, self.squares.checked_mul(square)?);
        Some(Self { sum, squares, scale, ..self })
    }

    fn merged(self, other: Self) -> Self {
        let rough = self.rough.merged(self.count, other.rough, other.count);
        let count = self.count + other.count;
        let exact = || {
            let scale = self.scale.max(other.scale);
            let (a, b) = (self.aligned(scale)?, other.aligned(scale)?);
            let (sum, squares) = (a.sum.checked_add(b.sum)?, a.squares.checked_add(b.squares)?);
            Some(Self { sum, squares, count, scale, inexact: a.inexact || b.inexact, rough })
        };
        exact().unwrap_or(Self { count, inexact: true, rough, ..self })
    }

    fn with(self, value: Decimal) -> Self {
        let count = self.count + 1;
        let rough = self.rough.with(value.to_f64(), count);
        let exact = || {
            let scale = self.scale.max(value.scale);
            let own = self.aligned(scale)?;
            let digits = value.rescale(scale)?.value;
            let sum = own.sum.checked_add(digits)?;
            let squares = own.squares.checked_add(digits.checked_mul(digits)?)?;
            Some(Self { sum, squares, count, scale, inexact: own.inexact, rough })
        };
        exact().unwrap_or(Self { count, inexact: true, rough, ..self })
    }

    /// The variance or deviation as PostgreSQL's `numeric_stddev_internal` has it.
    fn finish(&self, kind: Kind) -> Result<Option<Decimal>> {
        let Some(divisor) = divisor(self.count, kind) else { return Ok(None) };
        let count = i128::from(self.count);
        let numerator = || {
            let (all, square) = (count.checked_mul(self.squares)?, self.sum.checked_mul(self.sum)?);
            let scale = self.scale.checked_mul(2).filter(|scale| *scale <= Decimal::MAX_DIGITS)?;
            let value = all.checked_sub(square)?;
            (value.unsigned_abs() < 10u128.pow(38)).then_some(Decimal::new(value, scale))
        };
        let Some(numerator) = numerator().filter(|_| !self.inexact) else {
            return self.rough.finish(self.count, kind).map(Decimal::from_f64).transpose();
        };
        if numerator.value <= 0 {
            return Ok(Some(Decimal::zero(0)));
        }
        let denominator = count.checked_mul(divisor.into()).ok_or(DataError::NumericOverflow)?;
        let variance = numerator.divide(&Decimal::new(denominator, 0))?;
        if kind.deviation {
            square_root_at(variance, variance.scale.into()).map(Some)
        } else {
            Ok(Some(variance))
        }
    }
}

impl Exact {
    fn new(types: &[DataType], kind: Kind) -> Self {
        Self { input: types[0], kind }
    }

    fn add<T>(states: &mut States<'_>, groups: Groups<'_>, input: &Vector, rows: RowSet<'_>) -> Result<()>
    where
        T: for<'a> Argument<'a> + Into<i64>,
    {
        let source = T::source(input, &DataType::BigInt);
        each_value(input, rows, |row| {
            let state = states.of::<EXACT_SIZE>(groups.of(row));
            let value: i64 = T::get(&source, row).into();
            Moments::read(state).with(Decimal::new(value.into(), 0)).write(state);
            Ok(())
        })
    }
}

impl Accumulator for Exact {
    fn state_size(&self) -> usize {
        EXACT_SIZE
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let input = inputs[0];
        if !self.input.is_decimal() {
            return match input.physical() {
                PhysicalType::I16 => Self::add::<i16>(states, groups, input, rows),
                PhysicalType::I32 => Self::add::<i32>(states, groups, input, rows),
                _ => Self::add::<i64>(states, groups, input, rows),
            };
        }
        let source = Decimal::source(input, &self.input);
        each_value(input, rows, |row| {
            let state = states.of::<EXACT_SIZE>(groups.of(row));
            Moments::read(state).with(Decimal::get(&source, row)).write(state);
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let other = Moments::read(&from.copy(source));
            let state = into.of::<EXACT_SIZE>(target);
            Moments::read(state).merged(other).write(state);
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            match Moments::read(&states.copy(group)).finish(self.kind)? {
                None => out.push_null(),
                Some(value) => push_decimal(out, value, &DataType::AnyNumeric)?,
            }
        }
        Ok(())
    }
}

// ---- Moments of floats ----

struct Float<T> {
    kind: Kind,
    input: PhantomData<fn() -> T>,
}

impl<T> Float<T> {
    fn new(kind: Kind) -> Self {
        Self { kind, input: PhantomData }
    }
}

fn read_rough(state: &[u8; 24]) -> (u64, Rough) {
    let word = |at: usize| state[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (word(0), Rough { sum: f64::from_bits(word(8)), distances: f64::from_bits(word(16)) })
}

fn write_rough(state: &mut [u8; 24], count: u64, rough: Rough) {
    state[..8].copy_from_slice(&count.to_le_bytes());
    state[8..16].copy_from_slice(&rough.sum.to_le_bytes());
    state[16..].copy_from_slice(&rough.distances.to_le_bytes());
}

impl<T: Native + Into<f64> + for<'a> Argument<'a>> Accumulator for Float<T> {
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
        let source = T::source(inputs[0], &DataType::Double);
        each_value(inputs[0], rows, |row| {
            let state = states.of::<24>(groups.of(row));
            let (count, before) = read_rough(state);
            let value: f64 = T::get(&source, row).into();
            let after = before.with(value, count + 1);
            if after.overflowed() && before.sum.is_finite() && value.is_finite() {
                return Err(DataError::FloatOverflow.into());
            }
            write_rough(state, count + 1, after);
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let (other_count, other) = read_rough(&from.copy(source));
            let state = into.of::<24>(target);
            let (count, own) = read_rough(state);
            let merged = own.merged(count, other, other_count);
            if merged.overflowed() && own.sum.is_finite() && other.sum.is_finite() {
                return Err(DataError::FloatOverflow.into());
            }
            write_rough(state, count + other_count, merged);
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let (count, rough) = read_rough(&states.copy(group));
            match rough.finish(count, self.kind) {
                None => out.push_null(),
                Some(value) => out.push(value),
            }
        }
        Ok(())
    }
}

// ---- Bits ----

/// A bitwise operation, in 64 bits; the state has the result and whether there is one.
struct Bits<T> {
    combine: fn(i64, i64) -> i64,
    input: PhantomData<fn() -> T>,
}

impl<T> Bits<T> {
    fn new(combine: fn(i64, i64) -> i64) -> Self {
        Self { combine, input: PhantomData }
    }

    fn offer(&self, states: &mut States<'_>, group: u32, value: i64) {
        let state = states.of::<16>(group);
        let before = state.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        let after = if state[8] == 0 { value } else { (self.combine)(before, value) };
        state[..8].copy_from_slice(&after.to_le_bytes());
        state[8] = 1;
    }
}

impl<T: Native + Into<i64> + TryFrom<i64> + for<'a> Argument<'a>> Accumulator for Bits<T> {
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
        let source = T::source(inputs[0], &DataType::BigInt);
        each_value(inputs[0], rows, |row| {
            self.offer(states, groups.of(row), T::get(&source, row).into());
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let state = from.copy::<16>(source);
            if state[8] != 0 {
                let value = state.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
                self.offer(into, target, value);
            }
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<16>(group);
            let value = state.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
            // Bits of numbers of a type make a number of the type.
            match T::try_from(value) {
                Ok(value) if state[8] != 0 => out.push(value),
                _ => out.push_null(),
            }
        }
        Ok(())
    }
}
