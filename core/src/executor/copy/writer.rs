//! Rows as COPY TO writes them.

use super::{ByteSink, CopyStyle};
use crate::error::Result;
use crate::parser::ast::CopyHeader;
use crate::types::{Chunk, DataType, TimeContext, write_text};

/// How much is written at a time.
const BLOCK: usize = 256 << 10;

/// Writes rows of some columns.
pub struct CopyWriter<'s> {
    sink: &'s mut dyn ByteSink,
    style: CopyStyle,
    types: Vec<DataType>,
    times: TimeContext,
    out: Vec<u8>,
    field: String,
}

impl<'s> CopyWriter<'s> {
    /// A writer of rows with these columns; the header is written now, if there is to be one.
    ///
    /// # Errors
    /// I/O errors.
    pub fn new(
        sink: &'s mut dyn ByteSink,
        style: CopyStyle,
        columns: &[(&str, DataType)],
        times: TimeContext,
    ) -> Result<Self> {
        let types = columns.iter().map(|(_, ty)| *ty).collect();
        let mut writer = Self { sink, style, types, times, out: Vec::new(), field: String::new() };
        if writer.style.header != CopyHeader::Absent {
            for (index, (name, _)) in columns.iter().enumerate() {
                writer.separate(index);
                writer.field.clear();
                writer.field.push_str(name);
                writer.put_field(false, columns.len() == 1);
            }
            writer.out.push(b'\n');
        }
        Ok(writer)
    }

    fn separate(&mut self, column: usize) {
        if column > 0 {
            self.out.push(self.style.delimiter);
        }
    }

    /// Writes the rows of a chunk that count.
    ///
    /// # Errors
    /// I/O errors.
    pub fn write(&mut self, chunk: &Chunk) -> Result<()> {
        for row in chunk.rows() {
            for column in 0..self.types.len() {
                self.separate(column);
                let scalar = chunk.columns[column].scalar(row);
                if chunk.columns[column].is_null(row) {
                    self.out.extend_from_slice(&self.style.null);
                    continue;
                }
                self.field.clear();
                let ty = self.types[column];
                // A String takes any text.
                let written = write_text(&mut self.field, scalar, &ty, &self.times);
                debug_assert!(written.is_ok());
                self.put_field(self.style.force_quote[column], self.types.len() == 1);
            }
            self.out.push(b'\n');
            if self.out.len() >= BLOCK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// I/O errors.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.sink.write(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    fn put_field(&mut self, force: bool, single: bool) {
        if self.style.csv { self.put_csv(force, single) } else { self.put_escaped() }
    }

    fn put_csv(&mut self, force: bool, single: bool) {
        let CopyStyle { delimiter, quote, escape, .. } = self.style;
        let bytes = self.field.as_bytes();
        let special = |byte: &u8| *byte == delimiter || *byte == quote || matches!(byte, b'\n' | b'\r');
        // A lone \. would end the data.
        let quoted =
            force || *bytes == *self.style.null || bytes.iter().any(special) || (single && bytes == b"\\.");
        if !quoted {
            self.out.extend_from_slice(bytes);
            return;
        }
        self.out.push(quote);
        for &byte in bytes {
            if byte == quote || byte == escape {
                self.out.push(escape);
            }
            self.out.push(byte);
        }
        self.out.push(quote);
    }

    fn put_escaped(&mut self) {
        for &byte in self.field.as_bytes() {
            let letter = match byte {
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                b'\\' => b'\\',
                byte if byte == self.style.delimiter => byte,
                byte => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.push(b'\\');
            self.out.push(letter);
        }
    }
}
