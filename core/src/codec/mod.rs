//! Bytes that more than one layer stores: checksums, keys and rows.
//!
//! ```text
//!   checksum   CRC-32C over pages, superblocks, segments and frames of the log
//!   key        columns -> bytes that compare as the columns do in SQL        (index trees)
//!   row        columns -> bytes with a slot a column                         (log, undo, cut state)
//! ```
//!
//! Nothing here knows of pages or files. Decoding takes bytes from disk, so whatever they hold gives a value or
//! XX001, never a panic. The forms are part of the file format: `docs/file-format.md`, "Keys" and "Row bytes".

pub mod checksum;
pub mod fields;
pub mod key;
pub mod row;
