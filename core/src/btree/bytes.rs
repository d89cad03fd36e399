//! Reads of a page's bytes that cannot leave the page.
//!
//! Search code runs over two kinds of bytes: those of a latched page, and those of a page read optimistically,
//! which may change under the reader and hold anything until the read is validated. Both must survive a page
//! that was damaged on purpose, so a read outside the page is not an error but gives zeros; whoever depends on
//! the answer checks it.

use crate::ids::PageId;
use std::cmp::Ordering;

/// Bounded little-endian reads of one page, header included.
pub trait PageBytes {
    /// Bytes in the page.
    fn size(&self) -> usize;
    /// The byte at `at`, or 0 outside the page.
    fn u8(&self, at: usize) -> u8;
    /// The two bytes at `at`, or 0 unless both are in the page.
    fn u16(&self, at: usize) -> u16;
    /// The four bytes at `at`, or 0 unless all are in the page.
    fn u32(&self, at: usize) -> u32;
    /// The eight bytes at `at`, or 0 unless all are in the page.
    fn u64(&self, at: usize) -> u64;
    /// Fills `out` from `at` on; zeros if the range leaves the page.
    fn copy(&self, at: usize, out: &mut [u8]);
    /// How the `len` bytes at `at` order against `key`; a range that leaves the page counts as empty.
    fn compare(&self, at: usize, len: usize, key: &[u8]) -> Ordering;
}

fn array<const N: usize>(page: &[u8], at: usize) -> [u8; N] {
    page.get(at..).and_then(|tail| tail.first_chunk::<N>()).copied().unwrap_or([0; N])
}

impl PageBytes for [u8] {
    #[inline]
    fn size(&self) -> usize {
        self.len()
    }

    #[inline]
    fn u8(&self, at: usize) -> u8 {
        self.get(at).copied().unwrap_or(0)
    }

    #[inline]
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(array(self, at))
    }

    #[inline]
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(array(self, at))
    }

    #[inline]
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(array(self, at))
    }

    fn copy(&self, at: usize, out: &mut [u8]) {
        match at.checked_add(out.len()).and_then(|end| self.get(at..end)) {
            Some(bytes) => out.copy_from_slice(bytes),
            None => out.fill(0),
        }
    }

    fn compare(&self, at: usize, len: usize, key: &[u8]) -> Ordering {
        at.checked_add(len).and_then(|end| self.get(at..end)).unwrap_or(&[]).cmp(key)
    }
}

/// Bytes of a page that do not add up to the structure they should hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage(pub &'static str);

/// Writes `bytes` at `at`, refusing to leave the page.
pub(super) fn put(page: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), Damage> {
    let end = at.checked_add(bytes.len()).ok_or(Damage("a write leaves the page"))?;
    page.get_mut(at..end).ok_or(Damage("a write leaves the page"))?.copy_from_slice(bytes);
    Ok(())
}

/// Moves `len` bytes within the page, refusing to leave it.
pub(super) fn shift(page: &mut [u8], from: usize, to: usize, len: usize) -> Result<(), Damage> {
    let size = page.len();
    let fits = |at: usize| at.checked_add(len).is_some_and(|end| end <= size);
    if !fits(from) || !fits(to) {
        return Err(Damage("a move leaves the page"));
    }
    page.copy_within(from..from + len, to);
    Ok(())
}

/// A child pointer, as inner nodes store it.
pub(super) fn child_bytes(child: PageId) -> [u8; 8] {
    child.0.to_le_bytes()
}

/// How many leading bytes two keys share.
pub(super) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// The shortest key `s` with `low < s <= high`: what two leaves need to be told apart.
pub(super) fn shortest_separator(low: &[u8], high: &[u8]) -> Vec<u8> {
    let end = (common_prefix(low, high) + 1).min(high.len());
    high.get(..end).unwrap_or(high).to_vec()
}
