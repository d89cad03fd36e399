//! What the code of a function sees: its arguments as vectors, the rows to compute, the vector to write.
//!
//! Most functions are a Rust closure over one row; [`unary`], [`binary`] and their kin run it over the rows that
//! count, with arguments read as [`Argument`] and results written as [`Output`]. NULLs were taken out before.

use super::super::EvalContext;
use super::program::Arguments;
use crate::error::{DataError, Error, Result, StorageError};
use crate::types::vector::{Native, Rows};
use crate::types::{
    DataType, Decimal, FlatVector, Interval, MAX_STRING, PhysicalType, Scalar, Str16, Value, Vector,
};

/// Rows of a chunk: the first so many, or those named.
#[derive(Clone, Copy, Debug)]
pub enum RowSet<'a> {
    /// The first so many.
    All(usize),
    /// These, ascending.
    Some(&'a [u16]),
}

impl<'a> RowSet<'a> {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Some(rows) => rows.len(),
        }
    }

    /// Calls `visit` on each, until it fails.
    ///
    /// # Errors
    /// That of `visit`.
    #[inline]
    pub fn try_each(self, mut visit: impl FnMut(usize) -> Result<()>) -> Result<()> {
        match self {
            Self::All(count) => (0..count).try_for_each(visit),
            Self::Some(rows) => rows.iter().try_for_each(|&row| visit(usize::from(row))),
        }
    }

    /// Calls `visit` on each.
    #[inline]
    pub fn each(self, mut visit: impl FnMut(usize)) {
        match self {
            Self::All(count) => (0..count).for_each(visit),
            Self::Some(rows) => rows.iter().for_each(|&row| visit(usize::from(row))),
        }
    }

    /// Appends those that `keep` holds for.
    #[inline]
    pub fn filter(self, out: &mut Vec<u16>, mut keep: impl FnMut(usize) -> bool) {
        // Rows of a chunk fit u16.
        self.each(|row| {
            if keep(row) {
                out.push(row as u16);
            }
        });
    }

    /// Appends all.
    pub fn copy_to(self, out: &mut Vec<u16>) {
        match self {
            Self::All(count) => out.extend((0..count).map(|row| row as u16)),
            Self::Some(rows) => out.extend_from_slice(rows),
        }
    }
}

/// One call of a function on the rows of a chunk.
pub struct Call<'a> {
    pub(super) arguments: Arguments<'a>,
    /// The types of the arguments.
    pub types: &'a [DataType],
    /// The type of the result.
    pub result_type: DataType,
    /// The rows to compute; of a strict function, those without a NULL argument.
    pub rows: RowSet<'a>,
    /// The length that `out` must get.
    pub len: usize,
    /// The session and the like.
    pub context: &'a EvalContext<'a>,
    /// The result.
    pub out: &'a mut FlatVector,
}

impl<'a> Call<'a> {
    /// An argument; never a sequence.
    pub fn argument(&self, index: usize) -> &'a Vector {
        self.arguments.get(index)
    }

    /// How many arguments there are.
    pub fn count(&self) -> usize {
        self.types.len()
    }

    /// An argument as the rows of a Rust type.
    pub fn read<A: Argument<'a>>(&self, index: usize) -> A::Source {
        A::source(self.argument(index), &self.types[index])
    }

    /// Writes what `compute` gives for each row.
    ///
    /// # Errors
    /// Those of `compute`; 22003 if a decimal does not fit the result's type.
    pub fn write<R: Output>(&mut self, mut compute: impl FnMut(usize) -> Result<R>) -> Result<()> {
        let mut nulls = Vec::new();
        let ty = self.result_type;
        {
            let mut sink = R::Value::sink(self.out, self.len);
            self.rows.try_each(|row| {
                match compute(row)?.into_option() {
                    Some(value) => value.store(&mut sink, row, &ty)?,
                    None => nulls.push(row),
                }
                Ok(())
            })?;
        }
        nulls.into_iter().for_each(|row| self.out.set_null(row));
        Ok(())
    }
}

/// Computes a function of one argument.
///
/// # Errors
/// Those of `f`.
pub fn unary<'a, A: Argument<'a>, R: Output>(
    call: &mut Call<'a>,
    mut f: impl FnMut(A) -> Result<R>,
) -> Result<()> {
    let a = call.read::<A>(0);
    call.write(|row| f(A::get(&a, row)))
}

/// Computes a function of two arguments.
///
/// # Errors
/// Those of `f`.
pub fn binary<'a, A: Argument<'a>, B: Argument<'a>, R: Output>(
    call: &mut Call<'a>,
    mut f: impl FnMut(A, B) -> Result<R>,
) -> Result<()> {
    let (a, b) = (call.read::<A>(0), call.read::<B>(1));
    call.write(|row| f(A::get(&a, row), B::get(&b, row)))
}

/// Computes a function of three arguments.
///
/// # Errors
/// Those of `f`.
pub fn ternary<'a, A: Argument<'a>, B: Argument<'a>, C: Argument<'a>, R: Output>(
    call: &mut Call<'a>,
    mut f: impl FnMut(A, B, C) -> Result<R>,
) -> Result<()> {
    let (a, b, c) = (call.read::<A>(0), call.read::<B>(1), call.read::<C>(2));
    call.write(|row| f(A::get(&a, row), B::get(&b, row), C::get(&c, row)))
}

/// A Rust type that rows of a vector are read as; NULLs must not be asked for.
pub trait Argument<'a>: Sized {
    /// The vector prepared for reading.
    type Source;

    /// Prepares a vector of a SQL type.
    fn source(vector: &'a Vector, ty: &DataType) -> Self::Source;

    /// Reads a row.
    fn get(source: &Self::Source, row: usize) -> Self;
}

/// The slots of a vector and the way to them.
#[derive(Clone, Copy)]
pub struct Slots<'a, T> {
    values: &'a [T],
    rows: Rows<'a>,
}

impl<'a, T> Slots<'a, T> {
    #[inline]
    fn at(&self, row: usize) -> &'a T {
        &self.values[self.rows.index(row)]
    }
}

/// The slots of a vector. Sequences are flattened before a function sees them.
fn base(vector: &Vector) -> (&FlatVector, Rows<'_>) {
    vector.base().expect("sequences are flattened before they become arguments")
}

fn slots<T: Native>(vector: &Vector) -> Slots<'_, T> {
    let (base, rows) = base(vector);
    Slots { values: base.values(), rows }
}

macro_rules! native_arguments {
    ($($ty:ty),*) => {$(
        impl<'a> Argument<'a> for $ty {
            type Source = Slots<'a, $ty>;

            fn source(vector: &'a Vector, _: &DataType) -> Self::Source {
                slots(vector)
            }

            #[inline]
            fn get(source: &Self::Source, row: usize) -> Self {
                *source.at(row)
            }
        }
    )*};
}
native_arguments!(i16, i32, i64, f32, f64, Interval, [u8; 16]);

impl<'a> Argument<'a> for bool {
    type Source = Slots<'a, u8>;

    fn source(vector: &'a Vector, _: &DataType) -> Self::Source {
        slots(vector)
    }

    #[inline]
    fn get(source: &Self::Source, row: usize) -> Self {
        *source.at(row) != 0
    }
}

impl<'a> Argument<'a> for &'a [u8] {
    type Source = Slots<'a, Str16<'a>>;

    fn source(vector: &'a Vector, _: &DataType) -> Self::Source {
        let (base, rows) = base(vector);
        Slots { values: base.strings(), rows }
    }

    #[inline]
    fn get(source: &Self::Source, row: usize) -> Self {
        source.at(row).as_bytes()
    }
}

impl<'a> Argument<'a> for &'a str {
    type Source = Slots<'a, Str16<'a>>;

    fn source(vector: &'a Vector, ty: &DataType) -> Self::Source {
        <&[u8]>::source(vector, ty)
    }

    /// Text that is not UTF-8, which only a damaged file can hold, ends where it stops being so.
    #[inline]
    fn get(source: &Self::Source, row: usize) -> Self {
        let bytes = source.at(row).as_bytes();
        std::str::from_utf8(bytes)
            .unwrap_or_else(|error| std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default())
    }
}

/// A decimal column by how it is stored.
pub enum DecimalSource<'a> {
    /// Up to 18 digits at one scale.
    Narrow(Slots<'a, i64>, u8),
    /// Up to 38 digits at one scale.
    Wide(Slots<'a, i128>, u8),
    /// Each with its scale.
    Packed(Slots<'a, i128>),
}

impl<'a> Argument<'a> for Decimal {
    type Source = DecimalSource<'a>;

    fn source(vector: &'a Vector, ty: &DataType) -> Self::Source {
        match (vector.physical(), ty) {
            (PhysicalType::I64, DataType::Numeric { scale, .. }) => {
                DecimalSource::Narrow(slots(vector), *scale)
            }
            (_, DataType::Numeric { scale, .. }) => DecimalSource::Wide(slots(vector), *scale),
            _ => DecimalSource::Packed(slots(vector)),
        }
    }

    #[inline]
    fn get(source: &Self::Source, row: usize) -> Self {
        match source {
            DecimalSource::Narrow(slots, scale) => Self::new((*slots.at(row)).into(), *scale),
            DecimalSource::Wide(slots, scale) => Self::new(*slots.at(row), *scale),
            DecimalSource::Packed(slots) => Self::unpack(*slots.at(row)),
        }
    }
}

/// Any value, owned.
impl<'a> Argument<'a> for Value {
    type Source = (&'a Vector, DataType);

    fn source(vector: &'a Vector, ty: &DataType) -> Self::Source {
        (vector, *ty)
    }

    fn get((vector, ty): &Self::Source, row: usize) -> Self {
        vector.value_at(row, ty)
    }
}

/// Any value, borrowed.
impl<'a> Argument<'a> for Scalar<'a> {
    type Source = &'a Vector;

    fn source(vector: &'a Vector, _: &DataType) -> Self::Source {
        vector
    }

    fn get(vector: &Self::Source, row: usize) -> Self {
        vector.scalar(row)
    }
}

/// NULL as `None`, for functions that are not strict.
impl<'a, A: Argument<'a>> Argument<'a> for Option<A> {
    type Source = (&'a Vector, A::Source);

    fn source(vector: &'a Vector, ty: &DataType) -> Self::Source {
        (vector, A::source(vector, ty))
    }

    #[inline]
    fn get((vector, source): &Self::Source, row: usize) -> Self {
        (!vector.is_null(row)).then(|| A::get(source, row))
    }
}

/// What a function gives for a row: a value, or perhaps NULL.
pub trait Output {
    /// The value.
    type Value: Store;

    /// The value, or `None` for NULL.
    fn into_option(self) -> Option<Self::Value>;
}

impl<T: Output> Output for Option<T> {
    type Value = T::Value;

    #[inline]
    fn into_option(self) -> Option<T::Value> {
        self.and_then(T::into_option)
    }
}

/// A Rust type that can be written to a row of a vector.
pub trait Store {
    /// The vector prepared for writing.
    type Sink<'s>;

    /// Prepares a vector for `len` rows in any order.
    fn sink(out: &mut FlatVector, len: usize) -> Self::Sink<'_>;

    /// Writes a row.
    ///
    /// # Errors
    /// 22003 if a decimal does not fit `ty`.
    fn store(self, sink: &mut Self::Sink<'_>, row: usize, ty: &DataType) -> Result<()>;
}

macro_rules! native_outputs {
    ($($ty:ty as $slot:ty),*) => {$(
        impl Store for $ty {
            type Sink<'s> = &'s mut [$slot];

            fn sink(out: &mut FlatVector, len: usize) -> Self::Sink<'_> {
                out.overwrite(len)
            }

            #[inline]
            fn store(self, sink: &mut Self::Sink<'_>, row: usize, _: &DataType) -> Result<()> {
                sink[row] = self.into();
                Ok(())
            }
        }

        impl Output for $ty {
            type Value = Self;

            #[inline]
            fn into_option(self) -> Option<Self> {
                Some(self)
            }
        }
    )*};
}
native_outputs!(
    bool as u8,
    i16 as i16,
    i32 as i32,
    i64 as i64,
    f32 as f32,
    f64 as f64,
    Interval as Interval,
    [u8; 16] as [u8; 16]
);

macro_rules! string_outputs {
    ($($ty:ty, $bytes:ident);*) => {$(
        impl Store for $ty {
            type Sink<'s> = StringSink<'s>;

            fn sink(out: &mut FlatVector, len: usize) -> Self::Sink<'_> {
                out.overwrite_strings(len);
                StringSink { out, written: 0 }
            }

            #[inline]
            fn store(self, sink: &mut Self::Sink<'_>, row: usize, _: &DataType) -> Result<()> {
                sink.set(row, self.$bytes())
            }
        }

        impl Output for $ty {
            type Value = Self;

            #[inline]
            fn into_option(self) -> Option<Self> {
                Some(self)
            }
        }
    )*};
}
string_outputs!(String, as_bytes; &str, as_bytes; Box<str>, as_bytes; Vec<u8>, as_slice; &[u8], as_ref);

/// What one call may write for the rows of a chunk, in bytes. Such rows are out of all proportion; without a limit a
/// thousand of them would take the machine's memory before anybody could count it.
const MAX_STRINGS: usize = 16 * MAX_STRING;

/// A column of strings being written.
pub struct StringSink<'s> {
    out: &'s mut FlatVector,
    written: usize,
}

impl StringSink<'_> {
    #[inline]
    fn set(&mut self, row: usize, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len();
        if bytes.len() > MAX_STRING || self.written > MAX_STRINGS {
            return Err(too_long(bytes.len(), self.written));
        }
        self.out.set_bytes(row, bytes);
        Ok(())
    }
}

#[cold]
fn too_long(length: usize, written: usize) -> Error {
    if length > MAX_STRING {
        return DataError::RequestedLengthTooLarge.into();
    }
    StorageError::OutOfMemory { requested: written as u64, limit: MAX_STRINGS as u64 }.into()
}

/// A decimal column being written.
pub enum DecimalSink<'s> {
    /// Up to 18 digits.
    Narrow(&'s mut [i64]),
    /// More, or packed.
    Wide(&'s mut [i128]),
}

impl Store for Decimal {
    type Sink<'s> = DecimalSink<'s>;

    fn sink(out: &mut FlatVector, len: usize) -> Self::Sink<'_> {
        match out.physical() {
            PhysicalType::I64 => DecimalSink::Narrow(out.overwrite(len)),
            _ => DecimalSink::Wide(out.overwrite(len)),
        }
    }

    #[inline]
    fn store(self, sink: &mut Self::Sink<'_>, row: usize, ty: &DataType) -> Result<()> {
        let digits = match ty {
            DataType::Numeric { precision, scale } => {
                self.fit(*precision, *scale).map_err(|_| DataError::NumericOverflow)?
            }
            _ => {
                let Some(packed) = self.pack() else { return Err(DataError::NumericOverflow.into()) };
                packed
            }
        };
        match sink {
            DecimalSink::Narrow(slots) => {
                slots[row] = i64::try_from(digits).map_err(|_| DataError::NumericOverflow)?;
            }
            DecimalSink::Wide(slots) => slots[row] = digits,
        }
        Ok(())
    }
}

impl Output for Decimal {
    type Value = Self;

    #[inline]
    fn into_option(self) -> Option<Self> {
        Some(self)
    }
}
