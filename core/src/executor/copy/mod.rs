//! COPY: rows as text in files, in PostgreSQL's CSV and text formats.
//!
//! ```text
//!   bytes --records.rs--> fields of a record --fields.rs--> columns of a chunk    CopyReader, the input of an INSERT
//!   chunks --writer.rs--> bytes                                                   CopyWriter, the output of a query
//! ```
//! Nothing of a file is kept but the block at hand and the record that crosses its end. A record is at most
//! `MAX_RECORD` bytes long.

mod fields;
mod reader;
mod records;
#[cfg(test)]
mod tests;
mod writer;

use crate::error::Result;
use crate::parser::ast::{CopyColumns, CopyFormat, CopyHeader, CopyOptions};

pub use reader::CopyReader;
pub use writer::CopyWriter;

/// The longest record, in bytes: some values of the largest size.
const MAX_RECORD: usize = 1 << 30;

/// Where the bytes of a COPY come from.
pub trait ByteSource: Send {
    /// Fills the beginning of `buffer` and returns how many bytes that are; 0 at the end.
    ///
    /// # Errors
    /// I/O errors.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;
}

impl<S: ByteSource + ?Sized> ByteSource for Box<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        (**self).read(buffer)
    }
}

/// Where they go.
pub trait ByteSink {
    /// Takes some bytes.
    ///
    /// # Errors
    /// I/O errors.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// A format with everything settled.
#[derive(Clone, Debug)]
pub struct CopyStyle {
    csv: bool,
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: Box<[u8]>,
    header: CopyHeader,
    /// By column of the data.
    force_quote: Vec<bool>,
    force_not_null: Vec<bool>,
    force_null: Vec<bool>,
}

impl CopyStyle {
    /// The style that options give data with columns of these names. The binder has checked the options.
    pub fn new(options: &CopyOptions, names: &[&str]) -> Self {
        let csv = options.format == CopyFormat::Csv;
        let byte = |option: &Option<String>, default: u8| {
            option.as_ref().and_then(|text| text.bytes().next()).unwrap_or(default)
        };
        let forced = |columns: &CopyColumns| -> Vec<bool> {
            let is_forced = |name: &&str| match columns {
                CopyColumns::None => false,
                CopyColumns::All => true,
                CopyColumns::These(those) => those.iter().any(|other| other.name == **name),
            };
            names.iter().map(is_forced).collect()
        };
        let quote = byte(&options.quote, b'"');
        Self {
            csv,
            delimiter: byte(&options.delimiter, if csv { b',' } else { b'\t' }),
            quote,
            escape: byte(&options.escape, quote),
            null: options.null.as_deref().unwrap_or(if csv { "" } else { "\\N" }).as_bytes().into(),
            header: options.header,
            force_quote: forced(&options.force_quote),
            force_not_null: forced(&options.force_not_null),
            force_null: forced(&options.force_null),
        }
    }
}
