//! A column with one slot per row.
#![expect(unsafe_code, reason = "string headers are handed out for as long as the vector keeps their bytes")]

use super::buffer::{Buffer, Native, Plain};
use super::heap::{HeapWriter, StringHeap};
use super::str16::{RawStr16, Str16};
use super::validity::Validity;
use super::{Rows, Vector};
use crate::error::Result;
use crate::types::{DataType, PhysicalType, Scalar, Value};
use std::fmt;
use std::sync::Arc;

/// Values side by side, 16-byte aligned, with their NULLs.
///
/// A clone shares the values until one of the two is written. [`reset`](Self::reset) keeps memory that nobody
/// shares, so that a vector filled once per chunk does not allocate. The slot of a NULL holds some value of the
/// type, so that a loop may compute on it.
pub struct FlatVector {
    physical: PhysicalType,
    len: usize,
    values: Arc<Buffer>,
    validity: Validity,
    /// Keep alive what long strings point to, together with the block of `tail`.
    heaps: Vec<Arc<dyn StringHeap>>,
    tail: Option<HeapWriter>,
}

impl FlatVector {
    /// An empty vector; memory is taken as it fills.
    pub fn new(physical: PhysicalType) -> Self {
        Self {
            physical,
            len: 0,
            values: Arc::default(),
            validity: Validity::default(),
            heaps: Vec::new(),
            tail: None,
        }
    }

    /// An empty vector with room for `rows`.
    pub fn with_capacity(physical: PhysicalType, rows: usize) -> Self {
        let mut vector = Self::new(physical);
        vector.reserve(rows);
        vector
    }

    /// The shape of the values.
    pub fn physical(&self) -> PhysicalType {
        self.physical
    }

    /// Rows written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Empties the vector for the next chunk.
    pub fn reset(&mut self) {
        self.len = 0;
        self.validity.clear();
        self.heaps.clear();
        if self.tail.as_mut().is_some_and(|tail| !tail.reset()) {
            self.tail = None;
        }
        if Arc::get_mut(&mut self.values).is_none() {
            self.values = Arc::default();
        }
    }

    /// Drops the rows from the `len`-th on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.len = len;
            self.validity.truncate(len);
        }
    }

    /// Makes room for `rows` in all. Grows in doubles, so that pushing is linear.
    pub fn reserve(&mut self, rows: usize) {
        let bytes = rows * self.physical.width();
        if bytes > self.values.capacity() {
            let doubled = bytes.max(self.values.capacity() * 2);
            Arc::make_mut(&mut self.values).grow(doubled);
        }
    }

    // ---- Reading ----

    /// The values.
    ///
    /// # Panics
    /// If `T` is not the native type of the vector's shape.
    pub fn values<T: Native>(&self) -> &[T] {
        assert_eq!(T::PHYSICAL, self.physical);
        self.values.slice(self.len)
    }

    /// The strings.
    ///
    /// # Panics
    /// If the shape is not [`PhysicalType::Bytes`].
    pub fn strings(&self) -> &[Str16<'_>] {
        assert_eq!(PhysicalType::Bytes, self.physical);
        let raw = self.values.slice::<RawStr16>(self.len);
        // SAFETY: `store` and `append` put only headers here whose bytes are in the block of `tail` or in one of `heaps`
        // (directly, by `append` sharing the source's heaps, or by the promise of `push_shared`). Those are dropped
        // or overwritten only through `&mut self`, which the result's borrow excludes.
        unsafe { Str16::from_raw(raw) }
    }

    /// The bytes of a string, whatever they mean.
    pub fn bytes_at(&self, row: usize) -> &[u8] {
        self.strings()[row].as_bytes()
    }

    /// The values as they lie in memory, to be written to storage.
    ///
    /// # Panics
    /// If the shape is [`PhysicalType::Bytes`], whose slots mean nothing outside of it.
    pub fn bytes(&self) -> &[u8] {
        assert_ne!(PhysicalType::Bytes, self.physical);
        self.values.slice(self.len * self.physical.width())
    }

    /// The NULLs.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// The NULLs, to be changed.
    pub fn validity_mut(&mut self) -> &mut Validity {
        &mut self.validity
    }

    /// One row.
    pub fn scalar(&self, row: usize) -> Scalar<'_> {
        if !self.validity.is_valid(row) {
            return Scalar::Null;
        }
        match self.physical {
            PhysicalType::Bool => Scalar::Bool(self.values::<u8>()[row] != 0),
            PhysicalType::I16 => Scalar::I16(self.values()[row]),
            PhysicalType::I32 => Scalar::I32(self.values()[row]),
            PhysicalType::I64 => Scalar::I64(self.values()[row]),
            PhysicalType::I128 => Scalar::I128(self.values()[row]),
            PhysicalType::F32 => Scalar::F32(self.values()[row]),
            PhysicalType::F64 => Scalar::F64(self.values()[row]),
            PhysicalType::Interval => Scalar::Interval(self.values()[row]),
            PhysicalType::Uuid => Scalar::Uuid(self.values()[row]),
            PhysicalType::Bytes => Scalar::Bytes(self.bytes_at(row)),
        }
    }

    // ---- Writing ----

    /// Makes the vector `len` rows long, none NULL, and hands out their values to be overwritten; until then they
    /// are arbitrary.
    ///
    /// # Panics
    /// If `T` is not the native type of the vector's shape.
    pub fn overwrite<T: Native>(&mut self, len: usize) -> &mut [T] {
        assert_eq!(T::PHYSICAL, self.physical);
        self.reset();
        self.reserve(len);
        self.len = len;
        self.values_mut()
    }

    /// The values, to be changed.
    ///
    /// # Panics
    /// If `T` is not the native type of the vector's shape.
    pub fn values_mut<T: Native>(&mut self) -> &mut [T] {
        assert_eq!(T::PHYSICAL, self.physical);
        Arc::make_mut(&mut self.values).slice_mut(self.len)
    }

    /// Appends `rows` rows and hands out their bytes, `rows` times the width, to be copied from storage.
    ///
    /// # Panics
    /// If the shape is [`PhysicalType::Bytes`], whose slots are not plain bytes.
    pub fn extend_bytes(&mut self, rows: usize) -> &mut [u8] {
        assert_ne!(PhysicalType::Bytes, self.physical);
        let (start, width) = (self.len * self.physical.width(), self.physical.width());
        self.reserve(self.len + rows);
        self.len += rows;
        &mut Arc::make_mut(&mut self.values).slice_mut(self.len * width)[start..]
    }

    /// Appends values, none NULL.
    pub fn extend<T: Native>(&mut self, values: &[T]) {
        assert_eq!(T::PHYSICAL, self.physical);
        self.spare::<T>(values.len()).copy_from_slice(values);
        self.len += values.len();
    }

    /// Appends a value.
    pub fn push<T: Native>(&mut self, value: T) {
        assert_eq!(T::PHYSICAL, self.physical);
        self.spare::<T>(1)[0] = value;
        self.len += 1;
    }

    /// Appends a copy of a string.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        assert_eq!(PhysicalType::Bytes, self.physical);
        let raw = self.store(bytes);
        self.spare::<RawStr16>(1)[0] = raw;
        self.len += 1;
    }

    /// Appends a copy of a string.
    pub fn push_str(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends strings that share their bytes with a heap named by [`share_heap`](Self::share_heap).
    ///
    /// # Safety
    /// The bytes of the long ones lie in a heap shared with this vector since its last reset, and do not change.
    pub unsafe fn push_shared(&mut self, strings: &[u128]) {
        assert_eq!(PhysicalType::Bytes, self.physical);
        for (slot, &bits) in self.spare::<RawStr16>(strings.len()).iter_mut().zip(strings) {
            // SAFETY: passed on to the caller.
            *slot = unsafe { Str16::from_bits(bits) }.raw();
        }
        self.len += strings.len();
    }

    /// Appends strings that lie in 16-byte cells of storage: `{length u32, content, zero padded}` up to 12 bytes; of
    /// any longer one, `long` is asked for the content of the cell with that number.
    ///
    /// # Errors
    /// That of `long`; the strings before its cell may have been appended.
    pub fn extend_cells<'b, E>(
        &mut self,
        cells: &[[u8; 16]],
        mut long: impl FnMut(usize, &[u8; 16]) -> std::result::Result<&'b [u8], E>,
    ) -> std::result::Result<(), E> {
        const BATCH: usize = 64;
        assert_eq!(PhysicalType::Bytes, self.physical);
        self.reserve(self.len + cells.len());
        let mut headers = [RawStr16::EMPTY; BATCH];
        for (batch, cells) in cells.chunks(BATCH).enumerate() {
            let mut long_ones = 0u64;
            for (i, (header, cell)) in headers.iter_mut().zip(cells).enumerate() {
                let (raw, is_short) = RawStr16::from_cell(cell);
                *header = raw;
                long_ones |= u64::from(!is_short) << i;
            }
            while long_ones != 0 {
                let i = long_ones.trailing_zeros() as usize;
                long_ones &= long_ones - 1;
                headers[i] = self.store(long(batch * BATCH + i, &cells[i])?);
            }
            self.spare::<RawStr16>(cells.len()).copy_from_slice(&headers[..cells.len()]);
            self.len += cells.len();
        }
        Ok(())
    }

    /// Keeps `heap` alive until the next reset.
    pub fn share_heap(&mut self, heap: &Arc<dyn StringHeap>) {
        if !self.heaps.iter().any(|known| Arc::ptr_eq(known, heap)) {
            self.heaps.push(Arc::clone(heap));
        }
    }

    /// Replaces a string.
    pub fn set_bytes(&mut self, row: usize, bytes: &[u8]) {
        assert_eq!(PhysicalType::Bytes, self.physical);
        let raw = self.store(bytes);
        Arc::make_mut(&mut self.values).slice_mut(self.len)[row] = raw;
    }

    /// Makes the vector `len` rows long, all empty strings, for [`set_bytes`](Self::set_bytes) in any order.
    pub fn overwrite_strings(&mut self, len: usize) {
        assert_eq!(PhysicalType::Bytes, self.physical);
        self.reset();
        self.spare::<RawStr16>(len).fill(RawStr16::EMPTY);
        self.len = len;
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        self.push_nulls(1);
    }

    /// Appends NULLs.
    pub fn push_nulls(&mut self, rows: usize) {
        let start = self.len;
        if self.physical == PhysicalType::Bytes {
            self.spare::<RawStr16>(rows).fill(RawStr16::EMPTY);
            self.len += rows;
        } else {
            self.extend_bytes(rows).fill(0);
        }
        for row in start..self.len {
            self.validity.set_null(row);
        }
    }

    /// Makes a row NULL.
    pub fn set_null(&mut self, row: usize) {
        self.validity.set_null(row);
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If the scalar is not of the vector's shape.
    pub fn push_scalar(&mut self, scalar: Scalar<'_>) {
        match scalar {
            Scalar::Null => self.push_null(),
            Scalar::Bool(v) => self.push(u8::from(v)),
            Scalar::I16(v) => self.push(v),
            Scalar::I32(v) => self.push(v),
            Scalar::I64(v) => self.push(v),
            Scalar::I128(v) => self.push(v),
            Scalar::F32(v) => self.push(v),
            Scalar::F64(v) => self.push(v),
            Scalar::Interval(v) => self.push(v),
            Scalar::Uuid(v) => self.push(v),
            Scalar::Bytes(v) => self.push_bytes(v),
        }
    }

    /// Appends a value of type `ty`, which has the vector's shape.
    ///
    /// # Errors
    /// As [`Value::to_scalar`].
    pub fn push_value(&mut self, value: &Value, ty: &DataType) -> Result<()> {
        self.push_scalar(value.to_scalar(ty)?);
        Ok(())
    }

    /// Appends rows of `source`: those that `selected` names, or its first `len`. Long strings are shared, not
    /// copied.
    ///
    /// # Panics
    /// If the shapes differ or a row is not there.
    pub fn append(&mut self, source: &Vector, len: usize, selected: Option<&[u16]>) {
        assert_eq!(source.physical(), self.physical);
        let count = selected.map_or(len, <[u16]>::len);
        let Some((base, rows)) = source.base() else {
            let Vector::Sequence(sequence) = source else { return };
            return match selected {
                Some(selected) => {
                    sequence.write(self, selected.iter().map(|&row| usize::from(row)));
                }
                None => sequence.write(self, 0..len),
            };
        };
        self.share_heaps_of(base);
        if !base.validity.all_valid() {
            let start = self.len;
            let null_at = |(i, row)| {
                if !base.validity.is_valid(rows.index(row)) {
                    self.validity.set_null(start + i);
                }
            };
            match selected {
                Some(selected) => selected.iter().map(|&row| usize::from(row)).enumerate().for_each(null_at),
                None => (0..len).enumerate().for_each(null_at),
            }
        }
        match self.physical.width() {
            1 => gather::<u8>(self.spare(count), base.values.slice(base.len), rows, selected),
            2 => gather::<u16>(self.spare(count), base.values.slice(base.len), rows, selected),
            4 => gather::<u32>(self.spare(count), base.values.slice(base.len), rows, selected),
            8 => gather::<u64>(self.spare(count), base.values.slice(base.len), rows, selected),
            _ => gather::<u128>(self.spare(count), base.values.slice(base.len), rows, selected),
        }
        self.len += count;
    }

    /// Appends `len` rows of `source` from `offset` on. Long strings are shared, not copied.
    pub(super) fn append_range(&mut self, source: &Self, offset: usize, len: usize) {
        self.share_heaps_of(source);
        if !source.validity.all_valid() {
            let start = self.len;
            (0..len)
                .filter(|i| !source.validity.is_valid(offset + i))
                .for_each(|i| self.validity.set_null(start + i));
        }
        let (width, end) = (self.physical.width(), offset + len);
        assert!(source.physical == self.physical && end <= source.len, "sliced row is not there");
        self.reserve(self.len + len);
        let (from, to) = (self.len * width, (self.len + len) * width);
        self.len += len;
        let bytes = &source.values.slice::<u8>(end * width)[offset * width..];
        Arc::make_mut(&mut self.values).slice_mut::<u8>(to)[from..].copy_from_slice(bytes);
    }

    /// Bytes of long strings that the vector keeps, but for those that somebody else answers for.
    pub fn string_bytes(&self) -> usize {
        let own = self.tail.as_ref().map_or(0, HeapWriter::used);
        let heaps = self.heaps.iter().filter(|heap| !heap.is_accounted());
        own + heaps.map(|heap| heap.memory_size()).sum::<usize>()
    }

    /// Bytes of memory; heaps shared with other vectors count in each.
    pub fn memory_size(&self) -> usize {
        let tail = self.tail.as_ref().map_or(0, |tail| tail.heap().memory_size());
        let heaps = self.heaps.iter().map(|heap| heap.memory_size()).sum::<usize>();
        self.values.capacity() + self.validity.memory_size() + heaps + tail
    }

    fn share_heaps_of(&mut self, source: &Self) {
        source.heaps.iter().for_each(|heap| self.share_heap(heap));
        if let Some(tail) = &source.tail {
            self.share_heap(&tail.heap());
        }
    }

    /// The next `rows` slots, with arbitrary content. They become rows when `len` counts them, which must happen
    /// after they are written: a stale header would point to freed bytes.
    fn spare<T: Plain>(&mut self, rows: usize) -> &mut [T] {
        debug_assert_eq!(size_of::<T>(), self.physical.width());
        let end = self.len + rows;
        self.reserve(end);
        &mut Arc::make_mut(&mut self.values).slice_mut(end)[self.len..]
    }

    /// A header of `bytes` whose content this vector keeps.
    fn store(&mut self, bytes: &[u8]) -> RawStr16 {
        if let Some(raw) = RawStr16::inline(bytes) {
            return raw;
        }
        if let Some(raw) = self.tail.as_mut().and_then(|tail| tail.push(bytes)) {
            return raw;
        }
        let mut fresh = HeapWriter::new(bytes.len(), self.tail.as_ref());
        let raw = fresh.push(bytes).expect("the block was made large enough");
        if let Some(full) = self.tail.replace(fresh) {
            self.heaps.push(full.heap());
        }
        raw
    }
}

/// Copies `rows` of `source`, the selected ones or all, to `target`.
fn gather<T: Plain>(target: &mut [T], source: &[T], rows: Rows<'_>, selected: Option<&[u16]>) {
    match (rows, selected) {
        (Rows::Each, None) => target.copy_from_slice(&source[..target.len()]),
        (Rows::Each, Some(selected)) => {
            for (to, &row) in target.iter_mut().zip(selected) {
                *to = source[usize::from(row)];
            }
        }
        (Rows::Same, _) => target.fill(source[0]),
        (Rows::Codes(codes), None) => {
            for (to, &code) in target.iter_mut().zip(codes) {
                *to = source[usize::from(code)];
            }
        }
        (Rows::Codes(codes), Some(selected)) => {
            for (to, &row) in target.iter_mut().zip(selected) {
                *to = source[usize::from(codes[usize::from(row)])];
            }
        }
    }
}

impl Clone for FlatVector {
    fn clone(&self) -> Self {
        // The block being written stays with the original; the clone starts one of its own when it needs it.
        let tail = self.tail.as_ref().map(HeapWriter::heap);
        Self {
            physical: self.physical,
            len: self.len,
            values: Arc::clone(&self.values),
            validity: self.validity.clone(),
            heaps: self.heaps.iter().cloned().chain(tail).collect(),
            tail: None,
        }
    }
}

impl fmt::Debug for FlatVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len).map(|row| self.scalar(row))).finish()
    }
}
