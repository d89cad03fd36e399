//! Vectors: the executor's format. A [`Chunk`] is up to [`VECTOR_SIZE`] rows, fewer if their strings are
//! [`CHUNK_BYTES`] together; a [`Vector`] is one of its columns.
//!
//! ```text
//!   Flat          values  |v0|v1|v2|v3|..   16-byte aligned, one slot a row
//!                 NULLs   bitmap, LSB first, absent while there are none
//!                 strings |len|pref|rest|   16 bytes, long content in shared heaps
//!   Constant      one slot for all rows
//!   Dictionary    codes   |2|0|0|1|..       u16, into a shared flat vector
//!   Sequence      base + row * step
//! ```
//!
//! Operators write flat vectors and reuse them: [`Vector::writer`] empties one without giving its memory back. They
//! read through [`Vector::base`], which shows the first three forms alike, as a flat vector and the way from a row
//! to its slot. Passing a column on copies nothing: clones share values, selections become dictionaries
//! ([`Vector::select`]), and gathered strings share their bytes.
//!
//! Invariants:
//! 1. A flat column of a chunk is at least as long as the chunk; a dictionary's codes likewise.
//! 2. Codes are below the length of the dictionary, which is at most 65,536.
//! 3. A long string's bytes stay in place while any vector with its header exists.
//! 4. The slot of a NULL can be read and computed with; its content means nothing.

mod buffer;
mod chunk;
mod flat;
mod heap;
mod str16;
mod validity;

#[cfg(test)]
mod tests;

use super::{DataType, PhysicalType, Scalar, Value};
use std::sync::Arc;

pub use buffer::Native;
pub use chunk::{Chunk, Selection};
pub use flat::FlatVector;
pub use heap::StringHeap;
pub use str16::Str16;
pub use validity::Validity;

/// Rows of a full chunk.
pub const VECTOR_SIZE: usize = 2048;

/// Bytes of long strings with which a chunk is full however few its rows are.
pub const CHUNK_BYTES: usize = 1 << 20;

/// A column of a chunk in one of four forms.
#[derive(Clone, Debug)]
pub enum Vector {
    /// One slot a row.
    Flat(FlatVector),
    /// One slot for all rows.
    Constant(FlatVector),
    /// Slots named by codes: a dictionary of storage, or rows selected out of a flat column.
    Dictionary {
        /// The slot of each row.
        codes: Arc<[u16]>,
        /// The slots.
        dictionary: Arc<FlatVector>,
    },
    /// Integers at equal distances.
    Sequence(Sequence),
}

/// `base + row * step`, of [`PhysicalType::I64`], [`PhysicalType::I32`] or [`PhysicalType::I16`]. Never NULL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sequence {
    /// The shape.
    pub physical: PhysicalType,
    /// The value of row 0.
    pub base: i64,
    /// The distance from row to row.
    pub step: i64,
}

/// The way from a row to its slot in a flat vector.
#[derive(Clone, Copy, Debug)]
pub enum Rows<'a> {
    /// Row `i` is slot `i`.
    Each,
    /// Every row is slot 0.
    Same,
    /// Row `i` is slot `codes[i]`.
    Codes(&'a [u16]),
}

impl Rows<'_> {
    /// The slot of `row`.
    #[inline]
    pub fn index(&self, row: usize) -> usize {
        match self {
            Self::Each => row,
            Self::Same => 0,
            Self::Codes(codes) => usize::from(codes[row]),
        }
    }
}

impl Sequence {
    /// The value of a row, wrapping at 64 bits.
    #[inline]
    pub fn value(&self, row: usize) -> i64 {
        self.base.wrapping_add(self.step.wrapping_mul(row as i64))
    }

    fn scalar(&self, row: usize) -> Scalar<'static> {
        let value = self.value(row);
        // The values of a sequence are of its shape.
        match self.physical {
            PhysicalType::I16 => Scalar::I16(value as i16),
            PhysicalType::I32 => Scalar::I32(value as i32),
            _ => Scalar::I64(value),
        }
    }

    fn write(&self, target: &mut FlatVector, rows: impl Iterator<Item = usize>) {
        rows.for_each(|row| target.push_scalar(self.scalar(row)));
    }
}

impl Vector {
    /// An empty flat vector.
    pub fn new(physical: PhysicalType) -> Self {
        Self::Flat(FlatVector::new(physical))
    }

    /// One scalar of shape `physical`, or NULL, for all rows.
    pub fn constant(physical: PhysicalType, scalar: Scalar<'_>) -> Self {
        let mut slot = FlatVector::new(physical);
        slot.push_scalar(scalar);
        Self::Constant(slot)
    }

    /// The rows `base, base + step, ...`.
    pub fn sequence(base: i64, step: i64) -> Self {
        Self::Sequence(Sequence { physical: PhysicalType::I64, base, step })
    }

    /// The shape of the values.
    pub fn physical(&self) -> PhysicalType {
        match self {
            Self::Flat(v) | Self::Constant(v) => v.physical(),
            Self::Dictionary { dictionary, .. } => dictionary.physical(),
            Self::Sequence(s) => s.physical,
        }
    }

    /// The slots and the way to them; `None` of a sequence, which has none before it is
    /// [flattened](Self::flatten).
    pub fn base(&self) -> Option<(&FlatVector, Rows<'_>)> {
        match self {
            Self::Flat(v) => Some((v, Rows::Each)),
            Self::Constant(v) => Some((v, Rows::Same)),
            Self::Dictionary { codes, dictionary } => Some((dictionary, Rows::Codes(codes))),
            Self::Sequence(_) => None,
        }
    }

    /// False if no row is NULL; true if some may be.
    pub fn may_have_nulls(&self) -> bool {
        self.base().is_some_and(|(base, _)| !base.validity().all_valid())
    }

    /// Whether a row is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        self.base().is_some_and(|(base, rows)| !base.validity().is_valid(rows.index(row)))
    }

    /// One row.
    pub fn scalar(&self, row: usize) -> Scalar<'_> {
        match self {
            Self::Flat(v) => v.scalar(row),
            Self::Constant(v) => v.scalar(0),
            Self::Dictionary { codes, dictionary } => dictionary.scalar(usize::from(codes[row])),
            Self::Sequence(s) => s.scalar(row),
        }
    }

    /// One row as an owned value of type `ty`, which has the vector's shape.
    pub fn value_at(&self, row: usize, ty: &DataType) -> Value {
        Value::from_scalar(self.scalar(row), ty)
    }

    /// The bytes of a string, or `None` of NULL.
    ///
    /// # Panics
    /// If the shape is not [`PhysicalType::Bytes`].
    pub fn bytes_at(&self, row: usize) -> Option<&[u8]> {
        let (base, rows) = self.base().expect("a sequence has no strings");
        let slot = rows.index(row);
        base.validity().is_valid(slot).then(|| base.bytes_at(slot))
    }

    /// The text of a string, or `None` of NULL and of bytes that are not UTF-8, which only a damaged file can hold.
    ///
    /// # Panics
    /// If the shape is not [`PhysicalType::Bytes`].
    pub fn str_at(&self, row: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes_at(row)?).ok()
    }

    /// Makes the vector flat and empty, and hands it out to be written. Unshared memory of a flat vector is kept.
    pub fn writer(&mut self) -> &mut FlatVector {
        if !matches!(self, Self::Flat(_)) {
            *self = Self::new(self.physical());
        }
        let Self::Flat(flat) = self else { unreachable!("made flat above") };
        flat.reset();
        flat
    }

    /// Makes the vector flat with its first `len` rows, if it is not flat already.
    pub fn flatten(&mut self, len: usize) -> &mut FlatVector {
        if !matches!(self, Self::Flat(_)) {
            let mut flat = FlatVector::with_capacity(self.physical(), len);
            flat.append(self, len, None);
            *self = Self::Flat(flat);
        }
        let Self::Flat(flat) = self else { unreachable!("made flat above") };
        flat
    }

    /// The rows that `selected` names, in its order, without copying values.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn select(&self, selected: &Arc<[u16]>) -> Self {
        match self {
            Self::Flat(v) => {
                assert!(selected.iter().all(|&row| usize::from(row) < v.len()), "selected row is not there");
                Self::Dictionary { codes: Arc::clone(selected), dictionary: Arc::new(v.clone()) }
            }
            Self::Constant(_) => self.clone(),
            Self::Dictionary { codes, dictionary } => Self::Dictionary {
                codes: selected.iter().map(|&row| codes[usize::from(row)]).collect(),
                dictionary: Arc::clone(dictionary),
            },
            Self::Sequence(s) => {
                let mut flat = FlatVector::with_capacity(s.physical, selected.len());
                flat.append(self, selected.len(), Some(selected));
                Self::Flat(flat)
            }
        }
    }

    /// `len` rows from `offset` on, copied.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        match self {
            Self::Constant(_) => self.clone(),
            Self::Sequence(s) => Self::Sequence(Sequence { base: s.value(offset), ..*s }),
            Self::Dictionary { codes, dictionary } => Self::Dictionary {
                codes: codes[offset..offset + len].into(),
                dictionary: Arc::clone(dictionary),
            },
            Self::Flat(v) => {
                let mut part = FlatVector::with_capacity(v.physical(), len);
                part.append_range(v, offset, len);
                Self::Flat(part)
            }
        }
    }

    /// As [`FlatVector::string_bytes`].
    pub fn string_bytes(&self) -> usize {
        self.base().map_or(0, |(base, _)| base.string_bytes())
    }

    /// Bytes of memory; what is shared counts in each vector that shares it.
    pub fn memory_size(&self) -> usize {
        match self {
            Self::Flat(v) | Self::Constant(v) => v.memory_size(),
            Self::Dictionary { codes, dictionary } => size_of_val::<[u16]>(codes) + dictionary.memory_size(),
            Self::Sequence(_) => 0,
        }
    }
}

impl From<FlatVector> for Vector {
    fn from(flat: FlatVector) -> Self {
        Self::Flat(flat)
    }
}
