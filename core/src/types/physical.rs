//! The ten shapes values have in vectors, rows and keys, and a borrowed scalar of any of them.

use super::Interval;

/// How a value lies in memory; several SQL types share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PhysicalType {
    /// One byte, 0 or 1.
    Bool,
    /// `smallint`
    I16,
    /// `integer`, `date`
    I32,
    /// `bigint`, times, `numeric` up to 18 digits.
    I64,
    /// `numeric` over 18 digits or without modifiers.
    I128,
    /// `real`
    F32,
    /// `double precision`
    F64,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// Strings and `bytea`, as a [`Str16`](super::Str16).
    Bytes,
}

impl PhysicalType {
    /// Bytes of one value in a vector; of [`PhysicalType::Bytes`], of its 16-byte string.
    pub const fn width(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
            Self::I128 | Self::Interval | Self::Uuid | Self::Bytes => 16,
        }
    }
}

/// One value in its physical shape, borrowing its bytes: the currency between [`Value`](super::Value), vectors,
/// rows and keys. It does not know its SQL type.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar<'a> {
    /// NULL of any type.
    Null,
    /// [`PhysicalType::Bool`]
    Bool(bool),
    /// [`PhysicalType::I16`]
    I16(i16),
    /// [`PhysicalType::I32`]
    I32(i32),
    /// [`PhysicalType::I64`]
    I64(i64),
    /// [`PhysicalType::I128`]
    I128(i128),
    /// [`PhysicalType::F32`]
    F32(f32),
    /// [`PhysicalType::F64`]
    F64(f64),
    /// [`PhysicalType::Interval`]
    Interval(Interval),
    /// [`PhysicalType::Uuid`]
    Uuid([u8; 16]),
    /// [`PhysicalType::Bytes`]
    Bytes(&'a [u8]),
}

impl Scalar<'_> {
    /// The shape, or `None` of NULL.
    pub fn physical(&self) -> Option<PhysicalType> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => PhysicalType::Bool,
            Self::I16(_) => PhysicalType::I16,
            Self::I32(_) => PhysicalType::I32,
            Self::I64(_) => PhysicalType::I64,
            Self::I128(_) => PhysicalType::I128,
            Self::F32(_) => PhysicalType::F32,
            Self::F64(_) => PhysicalType::F64,
            Self::Interval(_) => PhysicalType::Interval,
            Self::Uuid(_) => PhysicalType::Uuid,
            Self::Bytes(_) => PhysicalType::Bytes,
        })
    }
}
