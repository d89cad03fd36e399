//! Up to 2048 rows: columns of equal length and, after a filter, which of the rows still count.

use super::{CHUNK_BYTES, FlatVector, VECTOR_SIZE, Vector};
use crate::error::Result;
use crate::types::{DataType, PhysicalType, Value};
use std::sync::Arc;

/// Row numbers of a chunk, ascending: those a filter let through. A filter fills it and keeps its memory.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Selection {
    rows: Vec<u16>,
}

impl Selection {
    /// No rows, with room for a full chunk.
    pub fn new() -> Self {
        Self { rows: Vec::with_capacity(VECTOR_SIZE) }
    }

    /// The row numbers.
    pub fn as_slice(&self) -> &[u16] {
        &self.rows
    }

    /// The row numbers, to be filled.
    pub fn rows_mut(&mut self) -> &mut Vec<u16> {
        &mut self.rows
    }

    /// How many rows count.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none counts.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl FromIterator<u16> for Selection {
    fn from_iter<I: IntoIterator<Item = u16>>(rows: I) -> Self {
        Self { rows: rows.into_iter().collect() }
    }
}

/// A batch of rows. The fields are open: an operator reads one column while it writes another.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Rows in each column, at most [`VECTOR_SIZE`].
    pub len: usize,
    /// The rows that count, all of them if `None`. Columns are filled at least where they do.
    pub selection: Option<Selection>,
    /// The columns.
    pub columns: Vec<Vector>,
}

impl Chunk {
    /// No rows of these shapes.
    pub fn new(shapes: impl IntoIterator<Item = PhysicalType>) -> Self {
        Self { len: 0, selection: None, columns: shapes.into_iter().map(Vector::new).collect() }
    }

    /// No rows of these types.
    pub fn of_types(types: &[DataType]) -> Self {
        Self::new(types.iter().map(DataType::physical))
    }

    /// How many rows count.
    pub fn count(&self) -> usize {
        self.selection.as_ref().map_or(self.len, Selection::len)
    }

    /// The numbers of the rows that count.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let selected = self.selection.as_ref().map(Selection::as_slice);
        (0..self.count()).map(move |i| selected.map_or(i, |rows| usize::from(rows[i])))
    }

    /// Bytes that long strings of this chunk keep, but for those that an operator has and accounts for.
    pub fn string_bytes(&self) -> usize {
        self.columns.iter().map(Vector::string_bytes).sum()
    }

    /// Whether it should get no more rows: it has as many as it may have, or long strings enough.
    pub fn is_full(&self) -> bool {
        self.len == VECTOR_SIZE || self.string_bytes() >= CHUNK_BYTES
    }

    /// Drops the rows from the `len`-th on of a chunk whose columns are flat and whose rows all count.
    pub fn truncate(&mut self, len: usize) {
        debug_assert!(self.selection.is_none());
        self.len = self.len.min(len);
        self.columns.iter_mut().for_each(|column| {
            if let Vector::Flat(flat) = column {
                flat.truncate(len);
            }
        });
    }

    /// Empties the chunk for the next batch and keeps the memory of its flat columns.
    pub fn reset(&mut self) {
        self.len = 0;
        self.selection = None;
        for column in &mut self.columns {
            column.writer();
        }
    }

    /// Appends a row of these types; on an error the chunk is as before.
    ///
    /// # Errors
    /// As [`Value::to_scalar`].
    ///
    /// # Panics
    /// If a column is not flat, or there are rows filtered out.
    pub fn push_row(&mut self, row: &[Value], types: &[DataType]) -> Result<()> {
        assert!(self.selection.is_none() && self.columns.len() == row.len() && row.len() == types.len());
        let scalars =
            row.iter().zip(types).map(|(value, ty)| value.to_scalar(ty)).collect::<Result<Vec<_>>>()?;
        for (column, scalar) in self.columns.iter_mut().zip(scalars) {
            let Vector::Flat(flat) = column else { panic!("rows are appended to flat columns") };
            flat.push_scalar(scalar);
        }
        self.len += 1;
        Ok(())
    }

    /// One row, as owned values of these types.
    pub fn row(&self, row: usize, types: &[DataType]) -> Vec<Value> {
        self.columns.iter().zip(types).map(|(column, ty)| column.value_at(row, ty)).collect()
    }

    /// Appends the rows of `source` that count, as far as there is room, from the `skip`-th on; returns how many.
    /// This is how sparse chunks become full ones.
    ///
    /// # Panics
    /// If the columns' shapes differ or a column of `self` is not flat.
    pub fn append(&mut self, source: &Self, skip: usize) -> usize {
        assert_eq!(self.columns.len(), source.columns.len());
        let taken = source.count().saturating_sub(skip).min(VECTOR_SIZE - self.len);
        for (target, column) in self.columns.iter_mut().zip(&source.columns) {
            let Vector::Flat(flat) = target else { panic!("rows are appended to flat columns") };
            match &source.selection {
                Some(selection) => flat.append(column, source.len, Some(&selection.rows[skip..skip + taken])),
                None if skip == 0 => flat.append(column, taken, None),
                None => flat.append(&column.slice(skip, taken), taken, None),
            }
        }
        self.len += taken;
        taken
    }

    /// Drops the rows filtered out, so that every row counts. Flat columns become dictionaries of themselves,
    /// without copying; see [`flatten`](Self::flatten).
    pub fn compact(&mut self) {
        let Some(selection) = self.selection.take() else { return };
        let selected: Arc<[u16]> = selection.rows.into();
        for column in &mut self.columns {
            *column = column.select(&selected);
        }
        self.len = selected.len();
    }

    /// Drops the rows filtered out and makes every column flat.
    pub fn flatten(&mut self) {
        let selection = self.selection.take();
        let selected = selection.as_ref().map(Selection::as_slice);
        let len = selected.map_or(self.len, <[u16]>::len);
        for column in &mut self.columns {
            if selected.is_none() {
                column.flatten(len);
                continue;
            }
            let mut flat = FlatVector::with_capacity(column.physical(), len);
            flat.append(column, len, selected);
            *column = Vector::Flat(flat);
        }
        self.len = len;
    }

    /// Bytes of memory; what is shared counts in each column that shares it.
    pub fn memory_size(&self) -> usize {
        self.columns.iter().map(Vector::memory_size).sum()
    }

    /// Checks invariants 1 and 2 of the module.
    ///
    /// # Panics
    /// If one is broken.
    pub fn verify(&self) {
        assert!(self.len <= VECTOR_SIZE);
        if let Some(selection) = &self.selection {
            assert!(
                selection.rows.is_sorted() && selection.rows.iter().all(|&row| usize::from(row) < self.len)
            );
        }
        for column in &self.columns {
            match column {
                Vector::Flat(flat) => assert!(flat.len() >= self.len),
                Vector::Constant(slot) => assert_eq!(slot.len(), 1),
                Vector::Dictionary { codes, dictionary } => {
                    assert!(codes.len() >= self.len && dictionary.len() <= 1 << 16);
                    assert!(codes.iter().all(|&code| usize::from(code) < dictionary.len()));
                }
                Vector::Sequence(_) => {}
            }
        }
    }
}
