//! Which rows of a column are not NULL: a bitmap, least significant bit first, that is absent while none is.

/// The NULLs of a column. The memory of the bitmap stays when the NULLs go, so that a reused vector does not
/// allocate it again.
#[derive(Clone, Default, Debug)]
pub struct Validity {
    /// A set bit is a value. Rows past the end are values. Meaningful only if `nulls`.
    words: Vec<u64>,
    nulls: bool,
}

impl Validity {
    /// True if no row is NULL; false if some may be.
    pub fn all_valid(&self) -> bool {
        !self.nulls
    }

    /// Whether `row` is not NULL.
    pub fn is_valid(&self, row: usize) -> bool {
        !self.nulls || self.words.get(row / 64).is_none_or(|word| word >> (row % 64) & 1 == 1)
    }

    /// Makes `row` NULL.
    pub fn set_null(&mut self, row: usize) {
        self.words_mut(row + 1)[row / 64] &= !(1 << (row % 64));
    }

    /// Makes `row` a value again.
    pub fn set_valid(&mut self, row: usize) {
        if let Some(word) = self.words.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    /// Makes every row a value.
    pub fn clear(&mut self) {
        self.nulls = false;
        self.words.clear();
    }

    /// Makes every row from `len` on a value.
    pub fn truncate(&mut self, len: usize) {
        self.words.truncate(len.div_ceil(64));
        if let Some(last) = self.words.get_mut(len / 64) {
            *last |= u64::MAX << (len % 64);
        }
    }

    /// The bitmap, or `None` if no row is NULL. Rows past its end are values.
    pub fn words(&self) -> Option<&[u64]> {
        self.nulls.then_some(&self.words)
    }

    /// The bitmap of at least `len` rows, to be changed.
    pub fn words_mut(&mut self, len: usize) -> &mut [u64] {
        if !self.nulls {
            self.words.clear();
            self.nulls = true;
        }
        let words = len.div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, u64::MAX);
        }
        &mut self.words
    }

    /// Makes every row NULL that is NULL in `other`.
    pub fn merge(&mut self, other: &Self) {
        if let Some(theirs) = other.words() {
            let ours = self.words_mut(theirs.len() * 64);
            for (our, their) in ours.iter_mut().zip(theirs) {
                *our &= their;
            }
        }
    }

    /// How many of the first `len` rows are NULL.
    pub fn count_nulls(&self, len: usize) -> usize {
        let Some(words) = self.words() else { return 0 };
        let whole = words.iter().take(len / 64).map(|w| w.count_zeros() as usize).sum::<usize>();
        let rest = words.get(len / 64).map_or(0, |w| (!w & ((1 << (len % 64)) - 1)).count_ones() as usize);
        whole + rest
    }

    pub(super) fn memory_size(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_past_the_bitmap_are_values() {
        let mut v = Validity::default();
        assert!(v.all_valid() && v.words().is_none() && v.is_valid(9999));
        v.set_null(70);
        assert!(!v.is_valid(70) && v.is_valid(69) && v.is_valid(9999));
        assert_eq!((v.count_nulls(70), v.count_nulls(71), v.count_nulls(2048)), (0, 1, 1));
        let mut w = Validity::default();
        w.set_null(3);
        w.merge(&v);
        assert!(!w.is_valid(3) && !w.is_valid(70) && w.is_valid(71));
        w.set_valid(3);
        assert_eq!(w.count_nulls(128), 1);
        w.set_null(71);
        w.truncate(71);
        assert!(!w.is_valid(70) && w.is_valid(71));
        w.truncate(64);
        assert_eq!(w.count_nulls(128), 0);
        w.clear();
        assert!(w.all_valid() && w.is_valid(70));
    }
}
