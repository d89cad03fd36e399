//! Hashes of rows, column by column, and the two questions that go with them: when are two values equal to GROUP BY
//! and to a join, and in which partition does a row belong.
//!
//! Values that SQL takes for equal have one hash, though their bits differ: 1.0 and 1.00, 0 and -0, a month and
//! thirty days. The 64 bits of a hash serve three masters that must not disturb each other:
//!
//! ```text
//!   63    60 59                32 31                 0
//!   | radix | ---- tag, 32 bits (radix included) --- |
//!                             | directory slot       |
//! ```

use crate::types::vector::{Native, Rows};
use crate::types::{DataType, Decimal, FlatVector, Interval, PhysicalType, Vector};
use std::hash::{BuildHasher, Hasher};

/// Partitions that rows are dealt to by [`radix_of`].
pub(super) const PARTITIONS: usize = 16;
const PARTITION_BITS: u32 = PARTITIONS.trailing_zeros();

/// The last digit by which rows can be dealt: further down the bits choose slots of directories.
pub(super) const MAX_LEVEL: u32 = 7;

/// The digit of a hash that deals rows to partitions at `level`; 0 is the first.
#[inline]
pub(super) fn radix_of(hash: u64, level: u32) -> usize {
    (hash >> (u64::BITS - PARTITION_BITS * (level + 1))) as usize & (PARTITIONS - 1)
}

/// When two values of a key are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Equality {
    /// When their bits are.
    Bits,
    /// As decimals that carry their scale.
    Packed,
    /// As floats: all NaNs are one, zeros have no sign.
    Float,
    /// As lengths of time.
    Span,
    /// When their bytes are.
    Strings,
}

impl Equality {
    /// That of a type.
    pub(super) fn of(ty: &DataType) -> Self {
        match (ty, ty.physical()) {
            (DataType::AnyNumeric, _) => Self::Packed,
            (_, PhysicalType::F32 | PhysicalType::F64) => Self::Float,
            (_, PhysicalType::Interval) => Self::Span,
            (_, PhysicalType::Bytes) => Self::Strings,
            _ => Self::Bits,
        }
    }
}

const NULL_HASH: u64 = 0x51_7c_c1_b7_27_22_0a_95;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiplies to 128 bits and folds them: every bit of the result depends on every bit of `x`.
#[inline]
fn mix(x: u64) -> u64 {
    let product = u128::from(x ^ 0xa076_1d64_78bd_642f) * u128::from(MULTIPLIER);
    let folded = (product >> 64) as u64 ^ product as u64;
    let product = u128::from(folded) * u128::from(0xe703_7ed1_a0b4_28db_u64);
    (product >> 64) as u64 ^ product as u64
}

/// The hash of an integer, whatever its width.
#[inline]
pub(super) fn hash_integer(value: i64) -> u64 {
    mix(value.cast_unsigned())
}

#[inline]
fn mix_wide(x: u128) -> u64 {
    mix(x as u64 ^ mix((x >> 64) as u64))
}

/// A NaN or zero as every NaN and zero.
#[inline]
pub(super) fn canonical_float(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

/// The digits and scale of a decimal without zeros at the end.
pub(super) fn canonical_decimal(packed: i128) -> (i128, u8) {
    let Decimal { mut value, mut scale } = Decimal::unpack(packed);
    if value == 0 {
        return (0, 0);
    }
    while scale > 0 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    (value, scale)
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::fast::FixedState::with_seed(MULTIPLIER).build_hasher();
    hasher.write(bytes);
    mix(hasher.finish())
}

/// Which rows of vectors are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Picked<'a> {
    /// Their numbers; the first `count` if absent.
    pub(super) selected: Option<&'a [u16]>,
    /// How many.
    pub(super) count: usize,
}

impl<'a> Picked<'a> {
    /// The rows of a chunk that count.
    pub(super) fn of(chunk: &'a crate::types::Chunk) -> Self {
        let selected = chunk.selection.as_ref().map(crate::types::Selection::as_slice);
        Self { selected, count: chunk.count() }
    }

    /// The number behind the last.
    pub(super) fn end(&self) -> usize {
        self.selected.map_or(self.count, |rows| rows.last().map_or(0, |&last| usize::from(last) + 1))
    }

    /// The number of the `i`-th.
    #[inline]
    pub(super) fn row(&self, i: usize) -> usize {
        self.selected.map_or(i, |rows| usize::from(rows[i]))
    }
}

/// Sets `hashes`, by number of the row, to the hash of each picked row over all `keys`.
pub(super) fn hash_rows(keys: &[Vector], types: &[DataType], picked: Picked<'_>, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.resize(picked.end(), MULTIPLIER);
    for (key, ty) in keys.iter().zip(types) {
        let flattened;
        let key = match key.base() {
            Some(_) => key,
            None => {
                let mut flat = key.clone();
                flat.flatten(picked.end());
                flattened = flat;
                &flattened
            }
        };
        if let Some((base, rows)) = key.base() {
            hash_column(base, rows, ty, picked, hashes);
        }
    }
}

fn hash_column(base: &FlatVector, rows: Rows<'_>, ty: &DataType, picked: Picked<'_>, hashes: &mut [u64]) {
    let at = Column { base, rows, picked };
    match base.physical() {
        PhysicalType::Bool => at.fold::<u8>(hashes, |v| mix(v.into())),
        PhysicalType::I16 => at.fold::<i16>(hashes, |v| hash_integer(v.into())),
        PhysicalType::I32 => at.fold::<i32>(hashes, |v| hash_integer(v.into())),
        PhysicalType::I64 => at.fold::<i64>(hashes, hash_integer),
        PhysicalType::I128 if *ty == DataType::AnyNumeric => at.fold::<i128>(hashes, |v| {
            let (digits, scale) = canonical_decimal(v);
            mix_wide(digits.cast_unsigned()) ^ mix(scale.into())
        }),
        PhysicalType::I128 => at.fold::<i128>(hashes, |v| mix_wide(v.cast_unsigned())),
        PhysicalType::F32 => at.fold::<f32>(hashes, |v| mix(canonical_float(v.into()))),
        PhysicalType::F64 => at.fold::<f64>(hashes, |v| mix(canonical_float(v))),
        PhysicalType::Interval => at.fold::<Interval>(hashes, |v| mix_wide(v.span().cast_unsigned())),
        PhysicalType::Uuid => at.fold::<[u8; 16]>(hashes, |v| mix_wide(u128::from_le_bytes(v))),
        PhysicalType::Bytes => {
            let strings = base.strings();
            at.each(hashes, |slot| match strings[slot].long_bytes() {
                Some(bytes) => hash_bytes(bytes),
                None => mix_wide(strings[slot].into_bits()),
            });
        }
    }
}

struct Column<'a> {
    base: &'a FlatVector,
    rows: Rows<'a>,
    picked: Picked<'a>,
}

impl Column<'_> {
    #[inline]
    fn fold<T: Native>(&self, hashes: &mut [u64], hash: impl Fn(T) -> u64) {
        let values = self.base.values::<T>();
        self.each(hashes, |slot| hash(values[slot]));
    }

    #[inline]
    fn each(&self, hashes: &mut [u64], hash: impl Fn(usize) -> u64) {
        let valid = self.base.validity();
        let combine =
            |known: &mut u64, own: u64| *known = (known.rotate_left(5) ^ own).wrapping_mul(MULTIPLIER);
        let own = |slot: usize| if valid.is_valid(slot) { hash(slot) } else { NULL_HASH };
        match self.picked.selected {
            None if valid.all_valid() => {
                for (row, known) in hashes.iter_mut().enumerate() {
                    combine(known, hash(self.rows.index(row)));
                }
            }
            None => {
                for (row, known) in hashes.iter_mut().enumerate() {
                    combine(known, own(self.rows.index(row)));
                }
            }
            Some(rows) => {
                for row in rows.iter().map(|&row| usize::from(row)) {
                    combine(&mut hashes[row], own(self.rows.index(row)));
                }
            }
        }
    }
}
