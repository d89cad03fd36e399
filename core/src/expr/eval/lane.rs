//! An argument as a kernel reads it: a slice with a value for every row, or one value for all.

use super::call::Call;
use crate::types::vector::{Native, Rows};
use crate::types::{PhysicalType, Vector};
use std::borrow::Cow;

/// The values of an argument of a native type.
pub enum Lane<'a, T: Native> {
    /// One for each row.
    Each(Cow<'a, [T]>),
    /// The same for all.
    Same(T),
}

impl<'a, T: Native> Lane<'a, T> {
    /// The `index`-th argument of a call. Rows that are NULL or do not count have some value.
    pub fn of(call: &Call<'a>, index: usize) -> Self {
        Self::of_vector(call.argument(index), call.len)
    }

    /// The first `len` rows of a vector that is no sequence.
    pub(crate) fn of_vector(vector: &'a Vector, len: usize) -> Self {
        let (base, rows) = vector.base().expect("sequences are flattened before they become arguments");
        let values = base.values::<T>();
        match rows {
            Rows::Each => Self::Each(Cow::Borrowed(&values[..len])),
            Rows::Same => Self::Same(values[0]),
            Rows::Codes(codes) => {
                Self::Each(codes[..len].iter().map(|&code| values[usize::from(code)]).collect())
            }
        }
    }

    /// The value of a row.
    #[inline(always)]
    pub fn at(&self, row: usize) -> T {
        match self {
            Self::Each(values) => values[row],
            Self::Same(value) => *value,
        }
    }

    /// All values; one for a lane that has the same for all.
    #[inline(always)]
    pub fn slice(&self) -> &[T] {
        match self {
            Self::Each(values) => values,
            Self::Same(value) => std::slice::from_ref(value),
        }
    }

    /// The lane with `f` applied to its values.
    pub fn map<R: Native>(self, f: impl Fn(T) -> R) -> Lane<'a, R> {
        match self {
            Self::Each(values) => Lane::Each(values.iter().map(|value| f(*value)).collect()),
            Self::Same(value) => Lane::Same(f(value)),
        }
    }
}

impl<'a> Lane<'a, i128> {
    /// An argument of 64 or 128 bits.
    pub fn widened(call: &Call<'a>, index: usize) -> Self {
        match call.argument(index).physical() {
            PhysicalType::I64 => Lane::<i64>::of(call, index).map(i128::from),
            _ => Self::of(call, index),
        }
    }

    /// The values in 64 bits, if all of them fit.
    pub fn narrowed(&self) -> Option<Lane<'static, i64>> {
        let lost = |value: i128| value ^ i128::from(value as i64);
        let all = self.slice().iter().fold(0, |bits, value| bits | lost(*value));
        if all != 0 {
            return None;
        }
        Some(match self {
            Self::Each(values) => Lane::Each(values.iter().map(|value| *value as i64).collect()),
            Self::Same(value) => Lane::Same(*value as i64),
        })
    }
}
