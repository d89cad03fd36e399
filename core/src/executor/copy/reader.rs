//! The rows that COPY FROM reads.

use super::records::Records;
use super::{ByteSource, CopyStyle, fields};
use crate::error::{DataError, Error, Result};
use crate::executor::ChunkSource;
use crate::parser::ast::CopyHeader;
use crate::types::{Chunk, DataType, TimeContext, VECTOR_SIZE, Vector};

/// Longer values are cut in messages, as in PostgreSQL.
const MAX_SHOWN: usize = 100;

/// Reads rows of some columns of a table.
pub struct CopyReader<S> {
    records: Records<S>,
    table: String,
    names: Vec<String>,
    types: Vec<DataType>,
    times: TimeContext,
    started: bool,
}

impl<S: ByteSource> CopyReader<S> {
    /// A reader of rows with these columns, for messages about the table of that name.
    pub fn new(
        source: S,
        style: CopyStyle,
        table: &str,
        columns: impl IntoIterator<Item = (String, DataType)>,
        times: TimeContext,
    ) -> Self {
        let (names, types) = columns.into_iter().unzip();
        let records = Records::new(source, style);
        Self { records, table: table.to_owned(), names, types, times, started: false }
    }

    fn at_line(&self, error: Error) -> Error {
        error.with_context(|| format!("COPY {}, line {}", self.table, self.records.line()))
    }

    fn at_column(&self, error: Error, column: usize, bytes: &[u8]) -> Error {
        error.with_context(|| {
            let shown = String::from_utf8_lossy(bytes);
            let cut = shown.floor_char_boundary(MAX_SHOWN);
            let dots = if cut < shown.len() { "..." } else { "" };
            let line = self.records.line();
            format!(
                "COPY {}, line {line}, column {}: \"{}{dots}\"",
                self.table,
                self.names[column],
                &shown[..cut]
            )
        })
    }

    fn check_header(&mut self) -> Result<()> {
        let header = self.records.style().header;
        if header == CopyHeader::Absent {
            return Ok(());
        }
        if !self.records.next().map_err(|error| self.at_line(error))? {
            return Ok(());
        }
        let fields = self.records.fields();
        for field in fields {
            fields::check_text(self.records.bytes(field)).map_err(|error| self.at_line(error))?;
        }
        if header == CopyHeader::Present {
            return Ok(());
        }
        if fields.len() != self.names.len() {
            let error = DataError::CopyHeaderCount { found: fields.len(), expected: self.names.len() };
            return Err(self.at_line(error.into()));
        }
        for (index, (field, name)) in fields.iter().zip(&self.names).enumerate() {
            let found = self.records.bytes(field);
            if found != name.as_bytes() {
                let error = DataError::CopyHeaderMismatch {
                    field: index + 1,
                    found: String::from_utf8_lossy(found).into_owned(),
                    expected: name.clone(),
                };
                return Err(self.at_line(error.into()));
            }
        }
        Ok(())
    }

    /// Appends the record at hand.
    fn push_record(&self, chunk: &mut Chunk) -> Result<()> {
        let fields = self.records.fields();
        if fields.len() < self.types.len() {
            // An empty line has one field, which a table without columns does not want.
            let error = DataError::CopyMissingData { column: self.names[fields.len()].clone() };
            return Err(self.at_line(error.into()));
        }
        if fields.len() > self.types.len() {
            return Err(self.at_line(DataError::CopyExtraData.into()));
        }
        for (column, (field, ty)) in fields.iter().zip(&self.types).enumerate() {
            let Vector::Flat(out) = &mut chunk.columns[column] else { continue };
            if self.records.is_null(field, column) {
                out.push_null();
                continue;
            }
            let bytes = self.records.bytes(field);
            fields::push(bytes, ty, &self.times, out)
                .map_err(|error| self.at_column(error, column, bytes))?;
        }
        chunk.len += 1;
        Ok(())
    }
}

impl<S: ByteSource> ChunkSource for CopyReader<S> {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        if !self.started {
            self.started = true;
            self.check_header()?;
        }
        *chunk = Chunk::of_types(&self.types);
        while chunk.len < VECTOR_SIZE {
            match self.records.next() {
                Ok(true) => self.push_record(chunk)?,
                Ok(false) => break,
                Err(error) => return Err(self.at_line(error)),
            }
        }
        Ok(chunk.len > 0)
    }
}
