//! Memory that starts at a multiple of 4 KiB, which writes past the page cache (`O_DIRECT`) need.

use std::ops::{Deref, DerefMut};

/// What offsets, lengths and addresses of direct I/O must be multiples of.
pub const DIRECT_ALIGNMENT: usize = 4096;

/// A zeroed buffer of fixed length whose first byte lies at a multiple of [`DIRECT_ALIGNMENT`].
pub struct AlignedBuf {
    /// Longer than asked for by one alignment unit; never reallocated, so `start` stays right.
    bytes: Box<[u8]>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// A buffer of `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        let bytes = vec![0u8; len + DIRECT_ALIGNMENT].into_boxed_slice();
        let start = (bytes.as_ptr() as usize).next_multiple_of(DIRECT_ALIGNMENT) - bytes.as_ptr() as usize;
        Self { bytes, start, len }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::{AlignedBuf, DIRECT_ALIGNMENT};

    #[test]
    fn starts_at_a_block() {
        for len in [0, 1, 4096, 100_000] {
            let buf = AlignedBuf::zeroed(len);
            assert_eq!(buf.as_ptr() as usize % DIRECT_ALIGNMENT, 0);
            assert_eq!(buf.len(), len);
        }
    }
}
