//! A list of keys in two allocations, whatever their number.

/// Keys end to end, and where each ends.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyList {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn start(&self, i: usize) -> usize {
        i.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    /// Key `i`; empty past the end.
    pub(super) fn get(&self, i: usize) -> &[u8] {
        let start = self.start(i);
        let end = self.ends.get(i).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    pub(super) fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|last| self.get(last))
    }

    /// Bytes of the first `count` keys.
    pub(super) fn bytes_of(&self, count: usize) -> usize {
        self.start(count)
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Appends the key that `write` appends to the bytes it is given.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Drops the first `count` keys.
    pub(super) fn drop_first(&mut self, count: usize) {
        let taken = self.bytes_of(count);
        self.bytes.drain(..taken);
        self.ends.drain(..count.min(self.ends.len()));
        self.ends.iter_mut().for_each(|end| *end -= taken);
    }
}
