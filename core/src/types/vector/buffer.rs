//! Aligned memory of one column, read and written as slices of its native type.
#![expect(unsafe_code, reason = "one allocation is seen as slices of different plain types")]

use super::super::{Interval, PhysicalType};
use super::str16::RawStr16;

/// A type whose values are plain bytes.
///
/// # Safety
/// Every pattern of bytes is a value, there is no padding, and the alignment is at most 16.
pub(super) unsafe trait Plain: Copy {}

/// The native type of one of the fixed-width [`PhysicalType`]s; a `boolean` is a `u8` of 0 or 1.
#[expect(private_bounds, reason = "sealed: Plain is a promise about bytes that only this module makes")]
pub trait Native: Plain + PartialEq + 'static {
    /// The shape it is the type of.
    const PHYSICAL: PhysicalType;
}

macro_rules! native {
    ($($ty:ty => $physical:ident),*) => {$(
        // SAFETY: an integer, float, array of bytes, or a `repr(C)` struct of integers whose sizes add up to its own.
        unsafe impl Plain for $ty {}
        impl Native for $ty {
            const PHYSICAL: PhysicalType = PhysicalType::$physical;
        }
        const _: () = assert!(size_of::<$ty>() == PhysicalType::$physical.width());
    )*};
}
native!(u8 => Bool, i16 => I16, i32 => I32, i64 => I64, i128 => I128, f32 => F32, f64 => F64,
        Interval => Interval, [u8; 16] => Uuid);

// SAFETY: unsigned integers, and a `repr(C)` struct of u32, four bytes and u64 without padding.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for u128 {}
// SAFETY: as above; following its pointer is another matter, see `Str16`.
unsafe impl Plain for RawStr16 {}

/// As much as an allocator aligns anyway: more would send every column of a small result the slow way.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Line([u8; 16]);

/// Initialised memory in whole lines, aligned to them.
#[derive(Clone, Default)]
pub(super) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// Bytes it holds.
    pub(super) fn capacity(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    /// Makes room for `bytes`; what is there stays, the rest is zero.
    pub(super) fn grow(&mut self, bytes: usize) {
        let lines = bytes.div_ceil(size_of::<Line>());
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; 16]));
        }
    }

    /// The first `len` values.
    pub(super) fn slice<T: Plain>(&self, len: usize) -> &[T] {
        assert!(len <= self.capacity() / size_of::<T>(), "read past the end of a column");
        // SAFETY: the lines are initialised and borrowed for the slice's life, `len` values fit them (asserted), and
        // `Plain` promises alignment of at most a line's and that any bytes are values.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }

    /// The first `len` values, to be changed.
    pub(super) fn slice_mut<T: Plain>(&mut self, len: usize) -> &mut [T] {
        assert!(len <= self.capacity() / size_of::<T>(), "write past the end of a column");
        // SAFETY: as in `slice`; the borrow is exclusive, and whatever `T` is written leaves initialised bytes, for
        // `Plain` types have no padding.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }
}
