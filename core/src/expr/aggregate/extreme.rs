//! `min`, `max`, and `bool_and`, `bool_or`, which are the least and greatest truth value.

use super::sums::aggregate;
use super::{Accumulator, Aggregate, Groups, States, each_value};
use crate::error::Result;
use crate::expr::eval::{Argument, RowSet};
use crate::expr::{Operand, ResultType};
use crate::types::vector::Native;
use crate::types::{DataType, Decimal, FlatVector, Interval, PhysicalType, Vector, compare_floats};
use std::cmp::Ordering;
use std::marker::PhantomData;

const BOOLEAN: Operand = Operand::Is(DataType::Boolean);

macro_rules! extremes {
    ($($ty:expr),*) => {
        &[
            $(
                Aggregate {
                    result: ResultType::Rule(same),
                    ..aggregate("min", &[Operand::Is($ty)], $ty, |types, _| extreme(&types[0], Ordering::Less))
                },
                Aggregate {
                    result: ResultType::Rule(same),
                    ..aggregate("max", &[Operand::Is($ty)], $ty, |types, _| extreme(&types[0], Ordering::Greater))
                },
            )*
            aggregate("bool_and", &[BOOLEAN], DataType::Boolean, |types, _| extreme(&types[0], Ordering::Less)),
            aggregate("every", &[BOOLEAN], DataType::Boolean, |types, _| extreme(&types[0], Ordering::Less)),
            aggregate("bool_or", &[BOOLEAN], DataType::Boolean, |types, _| extreme(&types[0], Ordering::Greater)),
        ]
    };
}

pub(super) const TABLE: &[Aggregate] = extremes!(
    DataType::SmallInt,
    DataType::Integer,
    DataType::BigInt,
    DataType::Real,
    DataType::Double,
    DataType::AnyNumeric,
    DataType::Text,
    DataType::Char(1),
    DataType::Date,
    DataType::Time,
    DataType::Timestamp,
    DataType::TimestampTz,
    DataType::Interval
);

fn same(types: &[DataType]) -> DataType {
    // The length of character(n) does not outlive an aggregate in PostgreSQL.
    match types.first() {
        Some(DataType::VarChar(_)) | None => DataType::Text,
        Some(ty) => *ty,
    }
}

fn extreme(ty: &DataType, wanted: Ordering) -> Box<dyn Accumulator> {
    match (ty.physical(), ty) {
        (_, DataType::AnyNumeric) => Box::new(Fixed::<Packed>::new(wanted)),
        (PhysicalType::Bool, _) => Box::new(Fixed::<u8>::new(wanted)),
        (PhysicalType::I16, _) => Box::new(Fixed::<i16>::new(wanted)),
        (PhysicalType::I32, _) => Box::new(Fixed::<i32>::new(wanted)),
        (PhysicalType::I64, _) => Box::new(Fixed::<i64>::new(wanted)),
        (PhysicalType::I128, _) => Box::new(Fixed::<i128>::new(wanted)),
        (PhysicalType::F32, _) => Box::new(Fixed::<f32>::new(wanted)),
        (PhysicalType::F64, _) => Box::new(Fixed::<f64>::new(wanted)),
        (PhysicalType::Interval, _) => Box::new(Fixed::<Interval>::new(wanted)),
        (PhysicalType::Uuid, _) => Box::new(Fixed::<[u8; 16]>::new(wanted)),
        (PhysicalType::Bytes, _) => Box::new(Strings { wanted }),
    }
}

/// A type whose extreme is kept in the state itself.
trait Kept: Sized {
    type Slot: Native;

    /// SQL's order.
    fn order(a: Self::Slot, b: Self::Slot) -> Ordering;

    fn to_bytes(value: Self::Slot) -> [u8; 16];

    fn from_bytes(bytes: [u8; 16]) -> Self::Slot;
}

macro_rules! kept_integers {
    ($($ty:ty),*) => {$(
        impl Kept for $ty {
            type Slot = $ty;

            #[inline(always)]
            fn order(a: $ty, b: $ty) -> Ordering {
                a.cmp(&b)
            }

            #[inline(always)]
            fn to_bytes(value: $ty) -> [u8; 16] {
                i128::from(value).to_le_bytes()
            }

            #[inline(always)]
            fn from_bytes(bytes: [u8; 16]) -> $ty {
                // It was widened before.
                i128::from_le_bytes(bytes) as $ty
            }
        }
    )*};
}
kept_integers!(u8, i16, i32, i64, i128);

macro_rules! kept_floats {
    ($($ty:ty),*) => {$(
        impl Kept for $ty {
            type Slot = $ty;

            #[inline(always)]
            fn order(a: $ty, b: $ty) -> Ordering {
                compare_floats(a.into(), b.into())
            }

            #[inline(always)]
            fn to_bytes(value: $ty) -> [u8; 16] {
                u128::from(value.to_bits()).to_le_bytes()
            }

            #[inline(always)]
            fn from_bytes(bytes: [u8; 16]) -> $ty {
                <$ty>::from_bits(u128::from_le_bytes(bytes) as _)
            }
        }
    )*};
}
kept_floats!(f32, f64);

impl Kept for [u8; 16] {
    type Slot = Self;

    fn order(a: Self, b: Self) -> Ordering {
        a.cmp(&b)
    }

    fn to_bytes(value: Self) -> [u8; 16] {
        value
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        bytes
    }
}

impl Kept for Interval {
    type Slot = Self;

    fn order(a: Self, b: Self) -> Ordering {
        a.compare(&b)
    }

    fn to_bytes(value: Self) -> [u8; 16] {
        let bits = (value.micros as u64 as u128) << 64
            | (value.days as u32 as u128) << 32
            | (value.months as u32 as u128);
        bits.to_le_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        Self::new(bits as u32 as i32, (bits >> 32) as u32 as i32, (bits >> 64) as u64 as i64)
    }
}

/// A `numeric` with the scale of each value.
struct Packed;

impl Kept for Packed {
    type Slot = i128;

    fn order(a: i128, b: i128) -> Ordering {
        Decimal::unpack(a).compare(&Decimal::unpack(b))
    }

    fn to_bytes(value: i128) -> [u8; 16] {
        value.to_le_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> i128 {
        i128::from_le_bytes(bytes)
    }
}

/// The extreme in sixteen bytes, and whether there is one.
struct Fixed<T> {
    wanted: Ordering,
    kept: PhantomData<fn() -> T>,
}

impl<T: Kept> Fixed<T> {
    fn new(wanted: Ordering) -> Self {
        Self { wanted, kept: PhantomData }
    }

    #[inline(always)]
    fn offer(&self, states: &mut States<'_>, group: u32, value: T::Slot) {
        let state = states.of::<24>(group);
        let (bytes, present) = state.split_at_mut(16);
        let current = T::from_bytes(*bytes.first_chunk().expect("split there"));
        // Of equals the last counts, as in PostgreSQL: 1.00 after 1.0.
        if present[0] == 0 || T::order(value, current) != self.wanted.reverse() {
            bytes.copy_from_slice(&T::to_bytes(value));
            present[0] = 1;
        }
    }
}

impl<T: Kept> Accumulator for Fixed<T> {
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
        let Some((base, way)) = inputs[0].base() else { return Ok(()) };
        let values = base.values::<T::Slot>();
        if let Groups::One(group) = groups {
            let mut best: Option<T::Slot> = None;
            each_value(inputs[0], rows, |row| {
                let value = values[way.index(row)];
                if best.is_none_or(|best| T::order(value, best) != self.wanted.reverse()) {
                    best = Some(value);
                }
                Ok(())
            })?;
            if let Some(best) = best {
                self.offer(states, group, best);
            }
            return Ok(());
        }
        each_value(inputs[0], rows, |row| {
            self.offer(states, groups.of(row), values[way.index(row)]);
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let state = from.copy::<24>(source);
            if state[16] != 0 {
                self.offer(into, target, T::from_bytes(*state.first_chunk().expect("less than 24")));
            }
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let state = states.copy::<24>(group);
            match state[16] {
                0 => out.push_null(),
                _ => out.push(T::from_bytes(*state.first_chunk().expect("less than 24"))),
            }
        }
        Ok(())
    }
}

/// The extreme of strings: its number in the heap.
struct Strings {
    wanted: Ordering,
}

impl Strings {
    fn offer(&self, states: &mut States<'_>, group: u32, value: &[u8]) {
        let number = u64::from_le_bytes(states.copy::<8>(group));
        match states.heap.get(number) {
            None => {
                let number = states.heap.insert(value.to_vec());
                *states.of::<8>(group) = number.to_le_bytes();
            }
            Some(current) if value.cmp(current) == self.wanted => {
                states.heap.change(number, |kept| {
                    kept.clear();
                    kept.extend_from_slice(value);
                });
            }
            Some(_) => {}
        }
    }
}

impl Accumulator for Strings {
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
        let source = <&[u8]>::source(inputs[0], &DataType::Text);
        each_value(inputs[0], rows, |row| {
            self.offer(states, groups.of(row), <&[u8]>::get(&source, row));
            Ok(())
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            if let Some(value) = from.heap.get(u64::from_le_bytes(from.copy::<8>(source))) {
                self.offer(into, target, value);
            }
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            match states.heap.get(u64::from_le_bytes(states.copy::<8>(group))) {
                None => out.push_null(),
                Some(value) => out.push_bytes(value),
            }
        }
        Ok(())
    }

    fn save(&self, states: &States<'_>, group: u32, out: &mut Vec<u8>) {
        states.save_string(u64::from_le_bytes(states.copy::<8>(group)), out);
    }

    fn load<'b>(&self, states: &mut States<'_>, group: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (number, rest) = states.load_string(bytes)?;
        *states.of::<8>(group) = number.to_le_bytes();
        Some(rest)
    }
}
