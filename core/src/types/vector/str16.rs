//! Sixteen-byte string headers ("German strings"): most comparisons end in the first eight bytes.
//!
//! ```text
//!   len <= 12   len u32 | 12 bytes of content, zero padded
//!   len >  12   len u32 | first 4 bytes | address u64 of all bytes
//! ```
#![expect(unsafe_code, reason = "a header's address is followed to its bytes")]

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The longest string that needs no heap.
pub(super) const INLINE: usize = 12;

/// A header as it lies in a buffer, where no borrow tells how long its address is good.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct RawStr16 {
    len: u32,
    prefix: [u8; 4],
    rest: u64,
}

const _: () = assert!(size_of::<RawStr16>() == 16);

impl RawStr16 {
    /// The empty string.
    pub(super) const EMPTY: Self = Self { len: 0, prefix: [0; 4], rest: 0 };

    /// The header of a string that fits it.
    pub(super) fn inline(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > INLINE {
            return None;
        }
        let mut content = [0; INLINE];
        content[..bytes.len()].copy_from_slice(bytes);
        let [a, b, c, d, rest @ ..] = content;
        // At most twelve.
        Some(Self { len: bytes.len() as u32, prefix: [a, b, c, d], rest: u64::from_ne_bytes(rest) })
    }

    /// The header of a short string in a cell of storage, `{length u32, content}`; what lies behind the content does
    /// not count. Of a string that is too long for that, that of an empty one, and false.
    #[inline]
    pub(super) fn from_cell(cell: &[u8; 16]) -> (Self, bool) {
        let word = u128::from_le_bytes(*cell);
        let stored = word as u32;
        let is_short = stored as usize <= INLINE;
        let len = if is_short { stored } else { 0 };
        // Length and content; at most all 128 bits.
        let bits = 32 + 8 * len;
        let kept = if bits == u128::BITS { word } else { word & ((1 << bits) - 1) };
        let [_, _, _, _, a, b, c, d, rest @ ..] = kept.to_le_bytes();
        (Self { len, prefix: [a, b, c, d], rest: u64::from_ne_bytes(rest) }, is_short)
    }

    /// The header of long bytes at their place, which it does not keep alive.
    ///
    /// # Panics
    /// If there are 4 GiB or more; values are limited far below.
    pub(super) fn outline(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("values are limited below 4 GiB");
        let prefix = [bytes[0], bytes[1], bytes[2], bytes[3]];
        Self { len, prefix, rest: bytes.as_ptr().expose_provenance() as u64 }
    }
}

/// A string in a vector, good as long as the vector is borrowed. Equality looks at length and first four bytes
/// before anything else; the order is that of bytes, decided by the first four where they differ.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Str16<'a> {
    raw: RawStr16,
    life: PhantomData<&'a [u8]>,
}

impl<'a> Str16<'a> {
    /// The header of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        let raw = RawStr16::inline(bytes).unwrap_or_else(|| RawStr16::outline(bytes));
        Self { raw, life: PhantomData }
    }

    /// Views headers in a buffer.
    ///
    /// # Safety
    /// The bytes of every long string stay in place and unchanged for `'a`.
    pub(super) unsafe fn from_raw(raw: &'a [RawStr16]) -> &'a [Self] {
        // SAFETY: `repr(transparent)` gives both the same layout; the caller vouches for the addresses.
        unsafe { std::slice::from_raw_parts(raw.as_ptr().cast(), raw.len()) }
    }

    /// The header itself, for rows and hash tables that keep the bytes alive by other means.
    pub fn into_bits(self) -> u128 {
        let [a, b, c, d] = self.raw.len.to_ne_bytes();
        let [e, f, g, h] = self.raw.prefix;
        let [i, j, k, l, m, n, o, p] = self.raw.rest.to_ne_bytes();
        u128::from_ne_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// A header that [`into_bits`](Self::into_bits) gave.
    ///
    /// # Safety
    /// The bytes of a long string stay in place and unchanged for `'a`.
    pub unsafe fn from_bits(bits: u128) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bits.to_ne_bytes();
        let len = u32::from_ne_bytes([a, b, c, d]);
        Self {
            raw: RawStr16 { len, prefix: [e, f, g, h], rest: u64::from_ne_bytes(rest) },
            life: PhantomData,
        }
    }

    pub(super) fn raw(self) -> RawStr16 {
        self.raw
    }

    /// Bytes of content.
    pub fn len(&self) -> usize {
        self.raw.len as usize
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.raw.len == 0
    }

    /// Whether the content lies in the header.
    pub fn is_inline(&self) -> bool {
        self.len() <= INLINE
    }

    /// The content, unless it lies in the header.
    pub fn long_bytes(&self) -> Option<&'a [u8]> {
        if self.is_inline() {
            return None;
        }
        let start = std::ptr::with_exposed_provenance(self.raw.rest as usize);
        // SAFETY: a long string's bytes live for `'a` by construction: `new` borrows them, `from_raw` and `from_bits`
        // demand it.
        Some(unsafe { std::slice::from_raw_parts(start, self.len()) })
    }

    /// The content. Borrowed from the header, because short content lies there.
    pub fn as_bytes(&self) -> &[u8] {
        let start = if self.is_inline() {
            std::ptr::from_ref(self).cast::<u8>().wrapping_add(4)
        } else {
            std::ptr::with_exposed_provenance(self.raw.rest as usize)
        };
        // SAFETY: short content is the 12 bytes behind `len` of this very header, borrowed with it. A long string's
        // bytes live for `'a` by construction: `new` borrows them, `from_raw` and `from_bits` demand it.
        unsafe { std::slice::from_raw_parts(start, self.len()) }
    }
}

impl PartialEq for Str16<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw.len == other.raw.len
            && self.raw.prefix == other.raw.prefix
            && (self.raw.rest == other.raw.rest || (!self.is_inline() && self.as_bytes() == other.as_bytes()))
    }
}

impl Eq for Str16<'_> {}

impl Ord for Str16<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zero padding sorts a string before its extensions, or ties with those that go on with zeros.
        let heads = (u32::from_be_bytes(self.raw.prefix), u32::from_be_bytes(other.raw.prefix));
        heads.0.cmp(&heads.1).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl PartialOrd for Str16<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Str16<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Str16<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.as_bytes()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_bytes_do() {
        let words: [&[u8]; 11] = [
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"a\0b",
            b"abcd",
            b"abcde",
            b"abcdefghijkl",
            b"abcdefghijklm",
            b"abcdefghijklmnopq",
            b"b\xff\xff\xff\xff",
        ];
        for a in words {
            for b in words {
                assert_eq!(Str16::new(a).cmp(&Str16::new(b)), a.cmp(b), "{a:?} {b:?}");
                assert_eq!(Str16::new(a) == Str16::new(b), a == b, "{a:?} {b:?}");
            }
            assert_eq!(Str16::new(a).as_bytes(), a);
            if let Some(inline) = RawStr16::inline(a) {
                let mut cell = [0xee; 16];
                cell[..4].copy_from_slice(&(a.len() as u32).to_le_bytes());
                cell[4..4 + a.len()].copy_from_slice(a);
                assert!(RawStr16::from_cell(&cell) == (inline, true), "{a:?}");
            }
            // SAFETY: `a` outlives the header.
            assert_eq!(unsafe { Str16::from_bits(Str16::new(a).into_bits()) }.as_bytes(), a);
        }
    }
}
