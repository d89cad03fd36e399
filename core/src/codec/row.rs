//! Rows as bytes: one form for log records, undo images and rows on their way into a leaf.
//!
//! ```text
//! | null bitmap, a bit a column, LSB first | fixed slots, packed | bytes of strings |
//! slot of a fixed-width column: its little-endian value; zeros when NULL
//! slot of a string: u32 end of its bytes, counted from the first string's start; its top bit says that the bytes
//!                   are not the string but an overflow reference {length u32, first page u64}
//! ```
//! A string starts where the one before it ends. Offsets of slots depend on the column types only, so reading one
//! column touches its slot, its null bit and, for strings, the slot of the string before it.

use crate::error::{Result, StorageError};
use crate::ids::PageId;
use crate::types::{Interval, PhysicalType, Scalar};

const OVERFLOW: u32 = 1 << 31;
const OVERFLOW_BYTES: usize = 12;

/// A long value kept in overflow pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverflowRef {
    /// The value's length in bytes.
    pub length: u32,
    /// The first page of its chain.
    pub first: PageId,
}

/// One column of a stored row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cell<'a> {
    /// The value itself.
    Scalar(Scalar<'a>),
    /// Where the value is.
    Overflow(OverflowRef),
}

/// The places of the columns of one schema version (or of some of its columns) in a row's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowLayout {
    columns: Box<[PhysicalType]>,
    slots: Box<[u32]>,
    strings: u32,
}

fn slot_width(ty: PhysicalType) -> usize {
    if ty == PhysicalType::Bytes { size_of::<u32>() } else { ty.width() }
}

impl RowLayout {
    /// The layout of rows with these columns.
    pub fn new(columns: impl IntoIterator<Item = PhysicalType>) -> Self {
        let columns: Box<[PhysicalType]> = columns.into_iter().collect();
        let mut at = u32::try_from(columns.len().div_ceil(8)).expect("columns are counted in thousands");
        let slots = columns
            .iter()
            .map(|&ty| {
                let slot = at;
                at += slot_width(ty) as u32;
                slot
            })
            .collect();
        Self { columns, slots, strings: at }
    }

    /// The layout of some of the columns, in the order given.
    pub fn project(&self, columns: &[u16]) -> Self {
        Self::new(columns.iter().map(|&column| self.columns[usize::from(column)]))
    }

    /// The columns' types.
    pub fn columns(&self) -> &[PhysicalType] {
        &self.columns
    }

    /// Starts a row at the end of `out`; its columns are then written in order.
    pub fn writer<'w>(&'w self, out: &'w mut Vec<u8>) -> RowWriter<'w> {
        let row = out.len();
        let strings = row + self.strings as usize;
        out.resize(strings, 0);
        RowWriter { layout: self, out, row, strings }
    }

    /// Appends a row to `out`; `cell` is asked for each column once, in order, and answers with the column's type.
    ///
    /// # Panics
    /// If a cell's type is not its column's: the caller has checked types before.
    pub fn encode<'v>(&self, out: &mut Vec<u8>, mut cell: impl FnMut(usize) -> Cell<'v>) {
        let mut writer = self.writer(out);
        for (index, &ty) in self.columns.iter().enumerate() {
            match cell(index) {
                Cell::Scalar(Scalar::Null) => writer.null(index),
                Cell::Scalar(Scalar::Bytes(bytes)) => {
                    writer.string(index, bytes.len()).copy_from_slice(bytes);
                }
                Cell::Overflow(reference) => writer.overflow(index, reference),
                Cell::Scalar(scalar) => {
                    assert_eq!(scalar.physical(), Some(ty));
                    write_fixed(scalar, writer.fixed(index));
                }
            }
        }
    }

    /// Looks at a row's bytes.
    ///
    /// # Errors
    /// XX001 when they cannot be a row of this layout.
    pub fn view<'a>(&'a self, bytes: &'a [u8]) -> Result<RowView<'a>> {
        let damaged = |reason: &str| StorageError::Corrupt { reason: reason.to_owned() };
        let strings = self.strings as usize;
        if bytes.len() < strings {
            return Err(damaged("a row is shorter than its fixed part").into());
        }
        let mut before = 0;
        for (index, &ty) in self.columns.iter().enumerate() {
            if ty != PhysicalType::Bytes {
                continue;
            }
            let (end, overflow) = self.end_of(bytes, index);
            if end < before || end > bytes.len() - strings {
                return Err(damaged("a string of a row passes the row's end").into());
            }
            if overflow && end - before != OVERFLOW_BYTES {
                return Err(damaged("an overflow reference of a row is damaged").into());
            }
            before = end;
        }
        if before != bytes.len() - strings {
            return Err(damaged("a row is longer than its columns").into());
        }
        Ok(RowView { layout: self, bytes })
    }

    fn end_of(&self, bytes: &[u8], index: usize) -> (usize, bool) {
        let slot = self.slots[index] as usize;
        let end = u32::from_le_bytes([bytes[slot], bytes[slot + 1], bytes[slot + 2], bytes[slot + 3]]);
        ((end & !OVERFLOW) as usize, end & OVERFLOW != 0)
    }
}

/// Writes one row, column by column in order.
#[derive(Debug)]
pub struct RowWriter<'w> {
    layout: &'w RowLayout,
    out: &'w mut Vec<u8>,
    row: usize,
    strings: usize,
}

impl RowWriter<'_> {
    /// The column is NULL.
    pub fn null(&mut self, index: usize) {
        self.out[self.row + index / 8] |= 1 << (index % 8);
        if self.layout.columns[index] == PhysicalType::Bytes {
            self.end_string(index, 0);
        }
    }

    /// The place of a fixed-width column's value.
    pub fn fixed(&mut self, index: usize) -> &mut [u8] {
        let width = self.layout.columns[index].width();
        let slot = self.row + self.layout.slots[index] as usize;
        &mut self.out[slot..slot + width]
    }

    /// The place of a string of `length` bytes.
    pub fn string(&mut self, index: usize, length: usize) -> &mut [u8] {
        let start = self.out.len();
        self.out.resize(start + length, 0);
        self.end_string(index, 0);
        &mut self.out[start..]
    }

    /// The column's value is in overflow pages.
    pub fn overflow(&mut self, index: usize, reference: OverflowRef) {
        self.out.extend_from_slice(&reference.length.to_le_bytes());
        self.out.extend_from_slice(&reference.first.0.to_le_bytes());
        self.end_string(index, OVERFLOW);
    }

    fn end_string(&mut self, index: usize, flag: u32) {
        assert_eq!(self.layout.columns[index], PhysicalType::Bytes);
        let end = u32::try_from(self.out.len() - self.strings).ok().filter(|end| end & OVERFLOW == 0);
        let end = end.expect("a row's strings are bounded far below 2 GiB") | flag;
        let slot = self.row + self.layout.slots[index] as usize;
        self.out[slot..slot + 4].copy_from_slice(&end.to_le_bytes());
    }
}

/// A row's bytes, proven to fit the layout.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    layout: &'a RowLayout,
    bytes: &'a [u8],
}

impl<'a> RowView<'a> {
    /// The layout it was read with.
    pub fn layout(&self) -> &'a RowLayout {
        self.layout
    }

    /// The bytes it reads.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether a column is NULL.
    pub fn is_null(&self, index: usize) -> bool {
        self.bytes[index / 8] & 1 << (index % 8) != 0
    }

    /// One column.
    pub fn cell(&self, index: usize) -> Cell<'a> {
        if self.is_null(index) {
            return Cell::Scalar(Scalar::Null);
        }
        let ty = self.layout.columns[index];
        if ty != PhysicalType::Bytes {
            let slot = self.layout.slots[index] as usize;
            return Cell::Scalar(read_fixed(ty, &self.bytes[slot..slot + ty.width()]));
        }
        let before = self.layout.columns[..index].iter().rposition(|&ty| ty == PhysicalType::Bytes);
        let start = before.map_or(0, |before| self.layout.end_of(self.bytes, before).0);
        let (end, overflow) = self.layout.end_of(self.bytes, index);
        let strings = self.layout.strings as usize;
        let bytes = &self.bytes[strings + start..strings + end];
        if !overflow {
            return Cell::Scalar(Scalar::Bytes(bytes));
        }
        let (length, first) = bytes.split_at(4);
        Cell::Overflow(OverflowRef {
            length: u32::from_le_bytes(fixed(length)),
            first: PageId(u64::from_le_bytes(fixed(first))),
        })
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}

/// Writes a fixed-width value in little-endian form.
///
/// # Panics
/// If `out` is not as wide as the value, or the value is NULL or a string.
pub fn write_fixed(scalar: Scalar<'_>, out: &mut [u8]) {
    match scalar {
        Scalar::Bool(v) => out.copy_from_slice(&[u8::from(v)]),
        Scalar::I16(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::I32(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::I64(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::I128(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::F32(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::F64(v) => out.copy_from_slice(&v.to_le_bytes()),
        Scalar::Interval(v) => {
            out[..8].copy_from_slice(&v.micros.to_le_bytes());
            out[8..12].copy_from_slice(&v.days.to_le_bytes());
            out[12..].copy_from_slice(&v.months.to_le_bytes());
        }
        Scalar::Uuid(v) => out.copy_from_slice(&v),
        Scalar::Null | Scalar::Bytes(_) => unreachable!("neither has a fixed width"),
    }
}

/// Reads a fixed-width value from its little-endian form.
///
/// # Panics
/// If `bytes` is not as wide as the type, or the type is a string.
pub fn read_fixed(ty: PhysicalType, bytes: &[u8]) -> Scalar<'static> {
    match ty {
        PhysicalType::Bool => Scalar::Bool(bytes[0] != 0),
        PhysicalType::I16 => Scalar::I16(i16::from_le_bytes(fixed(bytes))),
        PhysicalType::I32 => Scalar::I32(i32::from_le_bytes(fixed(bytes))),
        PhysicalType::I64 => Scalar::I64(i64::from_le_bytes(fixed(bytes))),
        PhysicalType::I128 => Scalar::I128(i128::from_le_bytes(fixed(bytes))),
        PhysicalType::F32 => Scalar::F32(f32::from_le_bytes(fixed(bytes))),
        PhysicalType::F64 => Scalar::F64(f64::from_le_bytes(fixed(bytes))),
        PhysicalType::Interval => Scalar::Interval(Interval {
            micros: i64::from_le_bytes(fixed(&bytes[..8])),
            days: i32::from_le_bytes(fixed(&bytes[8..12])),
            months: i32::from_le_bytes(fixed(&bytes[12..])),
        }),
        PhysicalType::Uuid => Scalar::Uuid(fixed(bytes)),
        PhysicalType::Bytes => unreachable!("strings have no fixed width"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> RowLayout {
        use PhysicalType::{Bool, Bytes, F64, I16, I32, I64, I128, Uuid};
        RowLayout::new([Bytes, I64, Bool, Bytes, I128, I16, F64, Uuid, I32, Bytes, PhysicalType::Interval])
    }

    fn cells(text: &str, null: usize) -> Vec<Cell<'_>> {
        let interval = Interval { months: -3, days: 5, micros: -7 };
        let mut cells: Vec<Cell<'_>> = [
            Scalar::Bytes(text.as_bytes()),
            Scalar::I64(i64::MIN),
            Scalar::Bool(true),
            Scalar::Bytes(b""),
            Scalar::I128(-5),
            Scalar::I16(-2),
            Scalar::F64(1.5),
            Scalar::Uuid([7; 16]),
            Scalar::I32(9),
            Scalar::Null,
            Scalar::Interval(interval),
        ]
        .map(Cell::Scalar)
        .into();
        cells[9] = Cell::Overflow(OverflowRef { length: 70_000, first: PageId(12) });
        cells[null] = Cell::Scalar(Scalar::Null);
        cells
    }

    #[test]
    fn rows_survive_a_round_trip() {
        let layout = layout();
        for null in 0..11 {
            let cells = cells("a longer string than most", null);
            let mut bytes = b"before".to_vec();
            layout.encode(&mut bytes, |index| cells[index]);
            let view = layout.view(&bytes[6..]).unwrap();
            for (index, cell) in cells.iter().enumerate() {
                assert_eq!(view.cell(index), *cell, "column {index}");
            }
        }
    }

    #[test]
    fn damaged_rows_are_refused_or_read_without_panic() {
        let layout = layout();
        let cells = cells("text", 2);
        let mut bytes = Vec::new();
        layout.encode(&mut bytes, |index| cells[index]);
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(view) = layout.view(&damaged) {
                    (0..11).for_each(|index| drop(format!("{:?}", view.cell(index))));
                }
            }
            assert!(layout.view(&bytes[..at]).is_err());
        }
    }
}
