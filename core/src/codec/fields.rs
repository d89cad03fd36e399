//! Records of fixed fields and counted bytes, for definitions, cut states and the like: written in order, read back
//! in order, every length checked.

use crate::error::{Result, StorageError};

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub struct FieldWriter {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl FieldWriter {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A count of what follows.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("records are bounded far below 4 GiB"));
    }

    /// Bytes with their length before them.
    pub fn counted(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }
}

/// Reads fields from bytes.
#[derive(Clone, Debug)]
pub struct FieldReader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> FieldReader<'a> {
    /// Reads `bytes`; `what` names the record in errors.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// The error of a record that makes no sense.
    pub fn damaged(&self) -> crate::Error {
        StorageError::Corrupt { reason: format!("{} is damaged", self.what) }.into()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(*field)
    }

    /// One byte.
    ///
    /// # Errors
    /// XX001 at the record's end, as of every method here.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    /// Two bytes.
    ///
    /// # Errors
    /// XX001.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    /// Four bytes.
    ///
    /// # Errors
    /// XX001.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// XX001.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// A count, refused if even one byte for each would pass the record's end.
    ///
    /// # Errors
    /// XX001.
    pub fn count(&mut self) -> Result<usize> {
        let count = self.u32()? as usize;
        if count > self.rest.len() { Err(self.damaged()) } else { Ok(count) }
    }

    /// Bytes with their length before them.
    ///
    /// # Errors
    /// XX001.
    pub fn counted(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(bytes)
    }

    /// Counted bytes that are text.
    ///
    /// # Errors
    /// XX001.
    pub fn text(&mut self) -> Result<String> {
        let bytes = self.counted()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.damaged())
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
