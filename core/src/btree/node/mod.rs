//! The slotted node of the index tree: inner nodes and leaves.
//!
//! ```text
//!   96  count u16 | flags u16 | heap top u32
//!  104  heap waste u32 | prefix length u16 | lower fence length u16
//!  112  upper fence length u16 | run up u8 | run down u8 | marks u32
//!  120  next leaf u64 (a hint, 0 = none)
//!  128  16 hints u32: the heads of the slots at 1/17, 2/17, ... of the slot array
//!  192  slots {offset u16, key length u16, head u32} in key order ->
//!       ...
//!       <- heap: [child u64 if inner] key without the prefix
//!       upper fence
//!       lower fence                                                    end of page
//! ```
//!
//! 1. Keys order as bytes. Those of a node lie in `[lower, upper)`; the prefix that its fences share is that of
//!    every key, so it is cut from the stored keys and lives only in the lower fence. Without an upper fence (a
//!    flag) the prefix is one that the lower fence shares with all keys present; a key that lacks it makes it
//!    shorter. So the node where ascending keys arrive is as dense as the others.
//! 2. A slot's *head* is the first four bytes of the cut key, big-endian and padded with zeros, so that heads
//!    order as keys do wherever they differ. A search compares heads, and bytes only where heads tie.
//! 3. Entry 0 of an inner node stands for the lower fence; its own key is stored empty. Child `i` holds the keys
//!    from separator `i` to separator `i + 1`.
//! 4. Waste counts the heap's bytes that no slot points to. Heap, waste and fences fill the page's end exactly.
//! 5. The runs count inserts that came one after the other at the node's end or start. They steer where a full
//!    node is split, and nothing else depends on them.
//! 6. A leaf's flag *may hold dead entries* is set with each mark, which also counts `marks` up (with wrapping),
//!    and cleared only if fences and count are those that the purge saw.
//!
//! Reading is in this file and works on optimistic bytes too; changing is in [`edit`].

pub(super) mod edit;
#[cfg(test)]
mod tests;

use super::LeafStamp;
use super::bytes::{Damage, PageBytes, common_prefix};
use crate::ids::PageId;
use crate::pager::space::HEADER_SIZE;
use std::cmp::Ordering;

pub(super) use edit::{NodeMut, Shape};

const BODY: usize = HEADER_SIZE;
const COUNT: usize = BODY;
const FLAGS: usize = BODY + 2;
const HEAP_TOP: usize = BODY + 4;
const WASTE: usize = BODY + 8;
const PREFIX_LEN: usize = BODY + 12;
const LOWER_LEN: usize = BODY + 14;
const UPPER_LEN: usize = BODY + 16;
const RUN_UP: usize = BODY + 18;
const RUN_DOWN: usize = BODY + 19;
const MARKS: usize = BODY + 20;
const NEXT: usize = BODY + 24;
const HINTS: usize = BODY + 32;
const SLOTS: usize = HINTS + HINT_COUNT * 4;

const HINT_COUNT: usize = 16;
/// Bytes of a slot.
pub(super) const SLOT: usize = 8;
const CHILD: usize = 8;

const INNER: u16 = 1;
const BOUNDED: u16 = 2;
const MAY_HOLD_DEAD: u16 = 4;

/// The longest key that any node can take whatever its fences are: a quarter page, less in pages so small that
/// two fences and one key of that size would not fit.
pub const fn max_key_len(page_size: usize) -> usize {
    // A key, two fences, and the slots and children of the two entries an inner node must be able to hold.
    let fitting = page_size.saturating_sub(SLOTS + 2 * (SLOT + CHILD)) / 3;
    let quarter = page_size / 4;
    if fitting < quarter { fitting } else { quarter }
}

/// Where a key is, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    /// The first entry that is not below the key.
    pub(super) at: usize,
    /// Whether that entry is the key.
    pub(super) found: bool,
}

/// A node seen through bytes that can be trusted no further than the page's end.
pub(super) struct Node<'a, P: ?Sized>(&'a P);

impl<P: ?Sized> Clone for Node<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: ?Sized> Copy for Node<'_, P> {}

/// The first four bytes of a cut key, comparable as a number.
#[inline]
fn head_of(suffix: &[u8]) -> u32 {
    match suffix.first_chunk::<4>() {
        Some(head) => u32::from_be_bytes(*head),
        None => {
            let mut head = [0; 4];
            head.iter_mut().zip(suffix).for_each(|(to, from)| *to = *from);
            u32::from_be_bytes(head)
        }
    }
}

impl<'a, P: PageBytes + ?Sized> Node<'a, P> {
    #[inline]
    pub(super) fn new(page: &'a P) -> Self {
        Self(page)
    }

    /// How many entries there are; never more than slots fit the page.
    #[inline]
    pub(super) fn count(self) -> usize {
        usize::from(self.0.u16(COUNT)).min(self.0.size().saturating_sub(SLOTS) / SLOT)
    }

    #[inline]
    fn flag(self, flag: u16) -> bool {
        self.0.u16(FLAGS) & flag != 0
    }

    /// Whether the entries are separators with children.
    #[inline]
    pub(super) fn is_inner(self) -> bool {
        self.flag(INNER)
    }

    /// Whether the leaf may hold entries of row versions that are no longer the newest.
    pub(super) fn may_hold_dead(self) -> bool {
        self.flag(MAY_HOLD_DEAD)
    }

    /// The leaf after this one, as far as this one knows.
    pub(super) fn next(self) -> Option<PageId> {
        Some(self.0.u64(NEXT)).filter(|id| *id != 0).map(PageId)
    }

    #[inline]
    fn value_len(self) -> usize {
        if self.is_inner() { CHILD } else { 0 }
    }

    #[inline]
    fn prefix_len(self) -> usize {
        usize::from(self.0.u16(PREFIX_LEN))
    }

    #[inline]
    fn lower_len(self) -> usize {
        usize::from(self.0.u16(LOWER_LEN))
    }

    fn upper_len(self) -> usize {
        usize::from(self.0.u16(UPPER_LEN))
    }

    /// The lower fence, and with it the prefix, starts here.
    #[inline]
    fn lower_at(self) -> usize {
        self.0.size().saturating_sub(self.lower_len())
    }

    fn upper_at(self) -> usize {
        self.lower_at().saturating_sub(self.upper_len())
    }

    #[inline]
    fn slot(i: usize) -> usize {
        SLOTS + i * SLOT
    }

    #[inline]
    fn offset(self, i: usize) -> usize {
        usize::from(self.0.u16(Self::slot(i)))
    }

    #[inline]
    fn suffix_len(self, i: usize) -> usize {
        usize::from(self.0.u16(Self::slot(i) + 2))
    }

    #[inline]
    fn head(self, i: usize) -> u32 {
        self.0.u32(Self::slot(i) + 4)
    }

    #[inline]
    fn hint(self, i: usize) -> u32 {
        self.0.u32(HINTS + i * 4)
    }

    /// Heap bytes of entry `i`.
    fn entry_len(self, i: usize) -> usize {
        self.value_len() + self.suffix_len(i)
    }

    fn append(self, at: usize, len: usize, out: &mut Vec<u8>) {
        let old = out.len();
        out.resize(old + len, 0);
        if let Some(tail) = out.get_mut(old..) {
            self.0.copy(at, tail);
        }
    }

    /// Appends the lower fence, the least key this node may hold, to `out`.
    pub(super) fn lower_into(self, out: &mut Vec<u8>) {
        self.append(self.lower_at(), self.lower_len(), out);
    }

    /// Appends the upper fence, the least key above this node, to `out`; false if there is none.
    pub(super) fn upper_into(self, out: &mut Vec<u8>) -> bool {
        let bounded = self.is_bounded();
        if bounded {
            self.append(self.upper_at(), self.upper_len(), out);
        }
        bounded
    }

    pub(super) fn lower(self) -> Vec<u8> {
        let mut key = Vec::new();
        self.lower_into(&mut key);
        key
    }

    pub(super) fn upper(self) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        self.upper_into(&mut key).then_some(key)
    }

    /// Whether `key` is one this node may hold.
    pub(super) fn covers(self, key: &[u8]) -> bool {
        self.0.compare(self.lower_at(), self.lower_len(), key).is_le() && !self.is_below(key)
    }

    /// Whether the keys right below `key` are ones this node may hold.
    pub(super) fn covers_below(self, key: &[u8]) -> bool {
        self.0.compare(self.lower_at(), self.lower_len(), key).is_lt()
            && !(self.is_bounded() && self.0.compare(self.upper_at(), self.upper_len(), key).is_lt())
    }

    /// Whether `key` is at or above the upper fence.
    fn is_below(self, key: &[u8]) -> bool {
        self.is_bounded() && self.0.compare(self.upper_at(), self.upper_len(), key).is_le()
    }

    /// Whether there is an upper fence.
    pub(super) fn is_bounded(self) -> bool {
        self.flag(BOUNDED)
    }

    /// Whether entry `i` of a leaf begins with `prefix`; past the end, whether the next leaf's first entry may.
    pub(super) fn goes_on(self, i: usize, prefix: &[u8]) -> bool {
        if i < self.count() {
            let cut = self.prefix_len().min(prefix.len());
            let (shared, rest) = prefix.split_at(cut);
            return self.0.compare(self.lower_at(), cut, shared).is_eq()
                && self.0.compare(self.offset(i), self.suffix_len(i).min(rest.len()), rest).is_eq();
        }
        // Some key at or above the fence begins with the prefix unless the fence is already above all that do.
        let len = self.upper_len().min(prefix.len());
        self.is_bounded() && self.0.compare(self.upper_at(), len, prefix).is_le()
    }

    /// What a purge compares to learn whether the leaf is as it saw it.
    pub(super) fn stamp(self) -> LeafStamp {
        LeafStamp { lower: self.lower(), upper: self.upper(), marks: self.0.u32(MARKS) }
    }

    /// Percent of the body in use.
    pub(super) fn fill(self) -> usize {
        self.used() * 100 / capacity(self.0.size()).max(1)
    }

    /// Percent of the body that this node and its right neighbour would use as one.
    pub(super) fn fill_with(self, right: Self) -> usize {
        self.used_with(right) * 100 / capacity(self.0.size()).max(1)
    }

    /// Appends the whole key of entry `i` to `out`.
    pub(super) fn key_into(self, i: usize, out: &mut Vec<u8>) {
        if i == 0 && self.is_inner() {
            return self.lower_into(out);
        }
        self.append(self.lower_at(), self.prefix_len(), out);
        self.append(self.offset(i) + self.value_len(), self.suffix_len(i), out);
    }

    pub(super) fn key(self, i: usize) -> Vec<u8> {
        let mut key = Vec::new();
        self.key_into(i, &mut key);
        key
    }

    /// The child of entry `i` of an inner node.
    #[inline]
    pub(super) fn child(self, i: usize) -> PageId {
        PageId(self.0.u64(self.offset(i)))
    }

    /// The child whose range holds `key`, and its entry.
    #[inline]
    pub(super) fn route(self, key: &[u8]) -> Result<(usize, PageId), Damage> {
        if !self.is_inner() || self.count() == 0 {
            return Err(Damage("an inner node of an index has no children"));
        }
        let position = self.search(key);
        let at = if position.found { position.at } else { position.at.saturating_sub(1) };
        Ok((at, self.child(at)))
    }

    /// Finds `key` among the entries.
    #[inline]
    pub(super) fn search(self, key: &[u8]) -> Position {
        let count = self.count();
        let prefix = self.prefix_len();
        let suffix = if prefix == 0 {
            key
        } else {
            let shared = key.get(..prefix).unwrap_or(key);
            match self.0.compare(self.lower_at(), prefix, shared) {
                Ordering::Equal => key.get(prefix..).unwrap_or_default(),
                Ordering::Greater => return Position { at: 0, found: false },
                Ordering::Less => return Position { at: count, found: false },
            }
        };
        let head = head_of(suffix);
        let value = self.value_len();
        let (mut low, mut high) = self.hinted(head, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let order = self
                .head(middle)
                .cmp(&head)
                .then_with(|| self.0.compare(self.offset(middle) + value, self.suffix_len(middle), suffix));
            match order {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Position { at: middle, found: true },
            }
        }
        Position { at: low, found: false }
    }

    /// The entries among which the hints say that keys with this head, and the place for one, are.
    #[inline]
    fn hinted(self, head: u32, count: usize) -> (usize, usize) {
        let Some(distance) = hint_distance(count) else { return (0, count) };
        let (mut below, mut not_above) = (0, 0);
        for i in 0..HINT_COUNT {
            let hint = self.hint(i);
            below += usize::from(hint < head);
            not_above += usize::from(hint <= head);
        }
        let high = if not_above < HINT_COUNT { (not_above + 1) * distance } else { count };
        (below * distance, high.min(count))
    }

    /// Bytes of the body that entries and fences use, out of [`capacity`].
    pub(super) fn used(self) -> usize {
        let end = self.0.size();
        let top = usize::try_from(self.0.u32(HEAP_TOP)).unwrap_or(end).min(end);
        let waste = usize::try_from(self.0.u32(WASTE)).unwrap_or(end);
        self.count() * SLOT + (end - top).saturating_sub(waste)
    }

    /// Entries whose keys are stored: all but the first of an inner node.
    fn stored_keys(self) -> usize {
        self.count().saturating_sub(usize::from(self.is_inner()))
    }

    /// How much of the prefix remains when `key` joins the node. All of it, but in an unbounded node.
    pub(super) fn prefix_with(self, key: &[u8]) -> usize {
        let prefix = self.prefix_len();
        if self.is_bounded()
            || self.0.compare(self.lower_at(), prefix, key.get(..prefix).unwrap_or(key)).is_eq()
        {
            return prefix;
        }
        common_prefix(&self.lower(), key).min(prefix)
    }

    /// Whether an entry with this key fits, after compaction if need be.
    pub(super) fn has_room(self, key: &[u8]) -> bool {
        let prefix = self.prefix_with(key);
        let need = SLOT + self.value_len() + key.len().saturating_sub(prefix);
        let growth = self.stored_keys() * (self.prefix_len() - prefix);
        self.used() + growth + need <= capacity(self.0.size())
    }

    /// The greatest key of an entry; the lower fence if there is none.
    fn greatest(self) -> Vec<u8> {
        self.count().checked_sub(1).map_or_else(|| self.lower(), |last| self.key(last))
    }

    /// How many bytes this node and its right neighbour would use as one node.
    pub(super) fn used_with(self, right: Self) -> usize {
        let (lower, upper) = (self.lower(), right.upper());
        let greatest = if right.count() > 0 { right.greatest() } else { self.greatest() };
        let prefix = common_prefix(&lower, upper.as_deref().unwrap_or(&greatest));
        let entries = |node: Self| -> usize {
            let stored: usize = (0..node.count()).map(|i| SLOT + node.entry_len(i)).sum();
            (stored + node.stored_keys() * node.prefix_len()).saturating_sub(node.stored_keys() * prefix)
        };
        // The right node's first separator, stored empty until now, becomes a whole key.
        let separator = if self.is_inner() { right.lower_len().saturating_sub(prefix) } else { 0 };
        lower.len() + upper.map_or(0, |key| key.len()) + entries(self) + entries(right) + separator
    }
}

/// Bytes of a node's page that entries and fences can use.
pub(super) const fn capacity(page_size: usize) -> usize {
    page_size.saturating_sub(SLOTS)
}

/// How many slots lie between two hints; `None` while the hints are not worth reading.
#[inline]
fn hint_distance(count: usize) -> Option<usize> {
    (count > 2 * HINT_COUNT).then_some(count / (HINT_COUNT + 1))
}

impl Node<'_, [u8]> {
    /// Verifies every invariant of the node's own bytes.
    pub(super) fn check(self) -> Result<(), Damage> {
        let verify =
            |holds: bool, otherwise: &'static str| if holds { Ok(()) } else { Err(Damage(otherwise)) };
        let count = self.count();
        verify(usize::from(self.0.u16(COUNT)) == count, "a node has more entries than fit a page")?;
        let (lower, upper) = (self.lower(), self.upper());
        verify(
            self.lower_len() + self.upper_len() <= capacity(self.0.size()),
            "a node's fences leave the page",
        )?;
        match &upper {
            Some(upper) => {
                verify(lower < *upper, "a node's lower fence is not below its upper one")?;
                verify(
                    self.prefix_len() == common_prefix(&lower, upper),
                    "a node's prefix is not its fences'",
                )?;
            }
            None => {
                let holds = self.prefix_len() <= self.lower_len() && self.upper_len() == 0;
                verify(holds, "an unbounded node's prefix is not its lower fence's")?;
            }
        }
        let top = usize::try_from(self.0.u32(HEAP_TOP)).unwrap_or(usize::MAX);
        let heap_end = self.upper_at();
        verify(top >= Self::slot(count) && top <= heap_end, "a node's heap and slots overlap")?;
        let mut live = 0;
        let mut previous = None;
        for i in 0..count {
            let (at, len) = (self.offset(i), self.entry_len(i));
            verify(len == 0 || (at >= top && at + len <= heap_end), "an entry lies outside the heap")?;
            live += len;
            let suffix = self.0.get(at + self.value_len()..at + len).unwrap_or_default();
            verify(self.head(i) == head_of(suffix), "an entry's head is not its key's")?;
            verify(!(i == 0 && self.is_inner() && !suffix.is_empty()), "a first separator has a key")?;
            let key = self.key(i);
            verify(self.covers(&key), "a key lies outside its node's fences")?;
            verify(previous.is_none_or(|previous| previous < key), "keys are out of order")?;
            previous = Some(key);
        }
        let waste = usize::try_from(self.0.u32(WASTE)).unwrap_or(usize::MAX);
        verify(live.checked_add(waste) == Some(heap_end - top), "a node's heap does not add up")?;
        if let Some(distance) = hint_distance(count) {
            let exact = (0..HINT_COUNT).all(|i| self.hint(i) == self.head(distance * (i + 1)));
            verify(exact, "a node's hints are not its heads")?;
        }
        Ok(())
    }
}
