//! Changes to a slotted node whose page is latched exclusively (or not yet reachable).
//!
//! Every operation verifies what it relies on before its first write where it can, so that a damaged page is
//! refused rather than damaged further.

use super::super::bytes::{Damage, child_bytes, common_prefix, put, shift, shortest_separator};
use super::{
    BODY, BOUNDED, CHILD, COUNT, FLAGS, HEAP_TOP, HINT_COUNT, HINTS, INNER, LOWER_LEN, MARKS, MAY_HOLD_DEAD,
    NEXT, Node, PREFIX_LEN, RUN_DOWN, RUN_UP, SLOT, SLOTS, UPPER_LEN, WASTE, capacity, head_of,
    hint_distance,
};
use crate::btree::bytes::PageBytes;
use crate::btree::structure::Split;
use crate::ids::PageId;

/// Inserts in a row at one end of a node that make it split there.
const RUN: u8 = 2;

/// What a new node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::btree) enum Shape {
    Leaf,
    Inner,
}

/// A node that may be changed.
pub(in crate::btree) struct NodeMut<'a>(&'a mut [u8]);

fn narrow(value: usize) -> Result<u16, Damage> {
    u16::try_from(value).map_err(|_| Damage("a node's length field overflows"))
}

fn widen(value: usize) -> Result<u32, Damage> {
    u32::try_from(value).map_err(|_| Damage("a node's length field overflows"))
}

impl<'a> NodeMut<'a> {
    pub(in crate::btree) fn new(page: &'a mut [u8]) -> Self {
        Self(page)
    }

    /// Makes the page an empty node with these fences, whatever it was.
    pub(in crate::btree) fn init(
        page: &'a mut [u8],
        shape: Shape,
        lower: &[u8],
        upper: Option<&[u8]>,
    ) -> Result<Self, Damage> {
        Self::init_for(page, shape, (lower, upper), lower)
    }

    /// As `init`, for keys of which `greatest` is the greatest.
    pub(in crate::btree) fn init_for(
        page: &'a mut [u8],
        shape: Shape,
        (lower, upper): (&[u8], Option<&[u8]>),
        greatest: &[u8],
    ) -> Result<Self, Damage> {
        let size = page.len();
        let bound = upper.unwrap_or_default();
        let fences = lower.len() + bound.len();
        if fences > capacity(size) {
            return Err(Damage("a node's fences do not fit its page"));
        }
        page.get_mut(BODY..SLOTS).ok_or(Damage("a page is too small for a node"))?.fill(0);
        let mut node = Self(page);
        let inner = if shape == Shape::Inner { INNER } else { 0 };
        let bounded = if upper.is_some() { BOUNDED } else { 0 };
        node.set_u16(FLAGS, inner | bounded)?;
        node.set_u16(PREFIX_LEN, narrow(common_prefix(lower, upper.unwrap_or(greatest)))?)?;
        node.set_u16(LOWER_LEN, narrow(lower.len())?)?;
        node.set_u16(UPPER_LEN, narrow(bound.len())?)?;
        node.set_u32(HEAP_TOP, widen(size - fences)?)?;
        put(node.0, size - lower.len(), lower)?;
        put(node.0, size - fences, bound)?;
        Ok(node)
    }

    pub(in crate::btree) fn view(&self) -> Node<'_, [u8]> {
        Node::new(self.0)
    }

    fn set_u16(&mut self, at: usize, value: u16) -> Result<(), Damage> {
        put(self.0, at, &value.to_le_bytes())
    }

    fn set_u32(&mut self, at: usize, value: u32) -> Result<(), Damage> {
        put(self.0, at, &value.to_le_bytes())
    }

    fn set_flag(&mut self, flag: u16, on: bool) -> Result<(), Damage> {
        let flags = self.0.u16(FLAGS);
        self.set_u16(FLAGS, if on { flags | flag } else { flags & !flag })
    }

    /// Notes that the leaf may hold entries of row versions that are no longer the newest.
    pub(in crate::btree) fn mark_dead(&mut self) -> Result<(), Damage> {
        self.set_u32(MARKS, self.0.u32(MARKS).wrapping_add(1))?;
        self.set_flag(MAY_HOLD_DEAD, true)
    }

    /// Notes that the leaf holds no such entry.
    pub(in crate::btree) fn clear_dead(&mut self) -> Result<(), Damage> {
        self.set_flag(MAY_HOLD_DEAD, false)
    }

    /// Copies the notes about dead entries to a node that takes entries of this one.
    fn inherit_marks(&mut self, from: Node<'_, [u8]>) -> Result<(), Damage> {
        // A sum differs from what a purge saw before, even if the fences come out as they were.
        self.set_u32(MARKS, self.0.u32(MARKS).wrapping_add(from.0.u32(MARKS)).wrapping_add(1))?;
        if from.may_hold_dead() { self.set_flag(MAY_HOLD_DEAD, true) } else { Ok(()) }
    }

    pub(in crate::btree) fn set_next(&mut self, next: Option<PageId>) -> Result<(), Damage> {
        put(self.0, NEXT, &child_bytes(next.unwrap_or_default()))
    }

    fn heap_top(&self) -> Result<usize, Damage> {
        let top = usize::try_from(self.0.u32(HEAP_TOP)).unwrap_or(usize::MAX);
        let slots_end = Node::<[u8]>::slot(self.view().count());
        if top < slots_end || top > self.view().upper_at() {
            return Err(Damage("a node's heap and slots overlap"));
        }
        Ok(top)
    }

    /// Inserts a key, which must be absent, before entry `at`, with its child in an inner node. Returns false,
    /// with nothing changed, if there is no room.
    pub(in crate::btree) fn insert(
        &mut self,
        at: usize,
        key: &[u8],
        child: Option<PageId>,
    ) -> Result<bool, Damage> {
        let (count, first) = (self.view().count(), usize::from(self.view().is_inner()));
        if at > count || at < first {
            return Err(Damage("an entry is inserted outside its node"));
        }
        if !self.view().has_room(key) {
            return Ok(false);
        }
        let prefix = self.view().prefix_with(key);
        if prefix < self.view().prefix_len() {
            self.shorten_prefix(prefix)?;
        }
        let suffix = key.get(prefix..).ok_or(Damage("a key lacks its node's prefix"))?;
        if !self.insert_suffix(at, suffix, child)? {
            return Err(Damage("a node's free space does not add up"));
        }
        self.count_run(RUN_UP, at == count)?;
        self.count_run(RUN_DOWN, at == first)?;
        self.refresh_hints(at)?;
        Ok(true)
    }

    fn count_run(&mut self, field: usize, goes_on: bool) -> Result<(), Damage> {
        let run = if goes_on { self.0.u8(field).saturating_add(1) } else { 0 };
        put(self.0, field, &[run])
    }

    /// Rebuilds the node with only `prefix` bytes cut from its keys.
    fn shorten_prefix(&mut self, prefix: usize) -> Result<(), Damage> {
        let old = self.0.to_vec();
        let node = Node::new(old.as_slice());
        self.set_u16(PREFIX_LEN, narrow(prefix)?)?;
        self.set_u16(COUNT, 0)?;
        self.set_u32(WASTE, 0)?;
        self.set_u32(HEAP_TOP, widen(node.upper_at())?)?;
        node.push_all(self, 0..node.count())?;
        self.finish()
    }

    /// The part of an insert that leaves the hints stale.
    fn insert_suffix(&mut self, at: usize, suffix: &[u8], child: Option<PageId>) -> Result<bool, Damage> {
        let count = self.view().count();
        let len = suffix.len() + if child.is_some() { CHILD } else { 0 };
        let end = Node::<[u8]>::slot(count + 1) + len;
        if self.heap_top()? < end {
            if self.view().used() + SLOT + len > capacity(self.0.len()) {
                return Ok(false);
            }
            self.compact()?;
        }
        let top = self.heap_top()?.checked_sub(len).filter(|top| *top >= Node::<[u8]>::slot(count + 1));
        let top = top.ok_or(Damage("a node's free space does not add up"))?;
        let slot = Node::<[u8]>::slot(at);
        shift(self.0, slot, slot + SLOT, (count - at) * SLOT)?;
        let mut value_end = top;
        if let Some(child) = child {
            put(self.0, top, &child_bytes(child))?;
            value_end += CHILD;
        }
        put(self.0, value_end, suffix)?;
        // An entry without bytes may begin at the page's end, which 16 bits cannot always say.
        let offset = if len == 0 { 0 } else { narrow(top)? };
        self.set_u16(slot, offset)?;
        self.set_u16(slot + 2, narrow(suffix.len())?)?;
        self.set_u32(slot + 4, head_of(suffix))?;
        self.set_u16(COUNT, narrow(count + 1)?)?;
        self.set_u32(HEAP_TOP, widen(top)?)?;
        Ok(true)
    }

    /// Appends an entry that is known to fit, as when a node is rebuilt; `finish` must follow the last.
    pub(in crate::btree) fn push(&mut self, key: &[u8], child: Option<PageId>) -> Result<(), Damage> {
        let count = self.view().count();
        let suffix = if count == 0 && self.view().is_inner() {
            &[]
        } else {
            key.get(self.view().prefix_len()..).ok_or(Damage("a key lacks its node's prefix"))?
        };
        let fits = self.insert_suffix(count, suffix, child)?;
        if fits { Ok(()) } else { Err(Damage("a rebuilt node overflows")) }
    }

    /// Makes a node filled by `push` searchable.
    pub(in crate::btree) fn finish(&mut self) -> Result<(), Damage> {
        self.refresh_hints(0)
    }

    /// Removes entry `at`.
    pub(in crate::btree) fn remove(&mut self, at: usize) -> Result<(), Damage> {
        let view = self.view();
        let count = view.count();
        if at >= count {
            return Err(Damage("an entry to remove is missing"));
        }
        let (offset, len) = (view.offset(at), view.entry_len(at));
        let top = self.heap_top()?;
        if len > 0 && offset == top {
            self.set_u32(HEAP_TOP, widen(top + len)?)?;
        } else {
            let waste = self.0.u32(WASTE).saturating_add(widen(len)?);
            self.set_u32(WASTE, waste)?;
        }
        let slot = Node::<[u8]>::slot(at);
        shift(self.0, slot + SLOT, slot, (count - at - 1) * SLOT)?;
        self.set_u16(COUNT, narrow(count - 1)?)?;
        put(self.0, RUN_UP, &[0, 0])?;
        self.refresh_hints(at)
    }

    /// Writes the hints that a change at entry `at` can have moved.
    fn refresh_hints(&mut self, at: usize) -> Result<(), Damage> {
        let count = self.view().count();
        let Some(distance) = hint_distance(count) else { return Ok(()) };
        // Hints before `at` stand, unless the count's last change moved the distance for all of them.
        let steady = [count.wrapping_sub(1), count + 1].iter().all(|n| hint_distance(*n) == Some(distance));
        let first = if steady { (at / distance).saturating_sub(1) } else { 0 };
        for i in first..HINT_COUNT {
            let head = self.view().head(distance * (i + 1));
            self.set_u32(HINTS + i * 4, head)?;
        }
        Ok(())
    }

    /// Squeezes the waste out of the heap.
    fn compact(&mut self) -> Result<(), Damage> {
        let old = self.0.to_vec();
        let node = Node::new(old.as_slice());
        let mut top = node.upper_at();
        for i in 0..node.count() {
            let (offset, len) = (node.offset(i), node.entry_len(i));
            if len == 0 {
                continue;
            }
            let bytes = old.get(offset..offset + len).ok_or(Damage("an entry lies outside the page"))?;
            top = top.checked_sub(len).ok_or(Damage("a node's entries overlap"))?;
            if top < Node::<[u8]>::slot(node.count()) {
                return Err(Damage("a node's entries overlap"));
            }
            put(self.0, top, bytes)?;
            self.set_u16(Node::<[u8]>::slot(i), narrow(top)?)?;
        }
        self.set_u32(HEAP_TOP, widen(top)?)?;
        self.set_u32(WASTE, 0)
    }
}

impl Node<'_, [u8]> {
    /// Where to divide this node, which lacks room for `key`: at the end that a run of inserts is growing, so
    /// that the other side stays full; otherwise near the middle, where the separator is shortest.
    pub(in crate::btree) fn choose_split(self, key: &[u8]) -> Result<Split<Vec<u8>>, Damage> {
        let count = self.count();
        if count < if self.is_inner() { 2 } else { 1 } {
            return Err(Damage("a node without enough entries to divide is full"));
        }
        let (up, down) = (self.0.u8(RUN_UP) >= RUN, self.0.u8(RUN_DOWN) >= RUN);
        let at = self.search(key).at;
        let wished = if self.is_inner() {
            if up { Some(count - 1) } else { down.then_some(1) }
        } else {
            // A leaf with one entry and a newcomer that does not fit beside it go separate ways.
            let growing = (at == count && up) || (at == 0 && down);
            ((at == 0 || at == count) && (growing || count == 1)).then_some(at)
        };
        let alone = count == 1;
        if let Some(split) = wished.map(|at| self.split_at(at, key))
            && (alone || self.fits(&split))
        {
            return Ok(split);
        }
        let middle = self.middle();
        let reach = count / 16;
        let first = middle.saturating_sub(reach).max(1);
        let near = first..=(middle + reach).clamp(first, count - 1);
        let split = near
            .map(|at| self.split_at(at, key))
            .min_by_key(|split| (split.separator.len(), split.at.abs_diff(middle)))
            .filter(|split| self.fits(split));
        Ok(split.unwrap_or_else(|| self.split_at(middle, key)))
    }

    /// The division before entry `at`; before the first or after the last of a leaf, `key` is on the other side.
    fn split_at(self, at: usize, key: &[u8]) -> Split<Vec<u8>> {
        let separator = if self.is_inner() {
            self.key(at)
        } else {
            let low = if at == 0 { key.to_vec() } else { self.key(at - 1) };
            let high = if at == self.count() { key.to_vec() } else { self.key(at) };
            shortest_separator(&low, &high)
        };
        Split { at, separator }
    }

    /// Whether both sides of a division fit their pages. Fences that are longer than before, or a prefix that is
    /// shorter, can make a side that keeps most entries larger than the whole was.
    fn fits(self, split: &Split<Vec<u8>>) -> bool {
        let (lower, upper) = (self.lower(), self.upper());
        let room = capacity(self.0.len());
        self.used_between((&lower, Some(&split.separator)), 0..split.at) <= room
            && self.used_between((&split.separator, upper.as_deref()), split.at..self.count()) <= room
    }

    /// How many bytes entries `range` would use between other fences.
    fn used_between(self, (lower, upper): (&[u8], Option<&[u8]>), range: std::ops::Range<usize>) -> usize {
        let greatest = if range.is_empty() { lower.to_vec() } else { self.greatest() };
        let prefix = common_prefix(lower, upper.unwrap_or(&greatest));
        let entry = |i: usize| {
            let key =
                if self.is_inner() && i == range.start { 0 } else { self.prefix_len() + self.suffix_len(i) };
            SLOT + self.value_len() + key.saturating_sub(prefix)
        };
        lower.len() + upper.map_or(0, <[u8]>::len) + range.clone().map(entry).sum::<usize>()
    }

    /// The entry at which half of the bytes are reached; at least one entry lies before it.
    fn middle(self) -> usize {
        let total: usize = (0..self.count()).map(|i| SLOT + self.entry_len(i)).sum();
        let mut before = 0;
        let reached = (0..self.count()).find(|i| {
            before += SLOT + self.entry_len(*i);
            before * 2 >= total
        });
        reached.unwrap_or(0).max(1)
    }

    /// Rebuilds this node, a copy of one, as two. The pages' headers are the caller's.
    pub(in crate::btree) fn split_into(
        self,
        left: &mut [u8],
        right: &mut [u8],
        split: &Split<Vec<u8>>,
    ) -> Result<(), Damage> {
        let (lower, upper) = (self.lower(), self.upper());
        self.rebuild(left, (&lower, Some(&split.separator)), 0..split.at)?;
        self.rebuild(right, (&split.separator, upper.as_deref()), split.at..self.count())
    }

    fn rebuild(
        self,
        page: &mut [u8],
        fences: (&[u8], Option<&[u8]>),
        entries: std::ops::Range<usize>,
    ) -> Result<(), Damage> {
        let greatest = entries.end.checked_sub(1).filter(|_| !entries.is_empty());
        let greatest = greatest.map_or_else(|| fences.0.to_vec(), |last| self.key(last));
        let mut node = NodeMut::init_for(page, self.shape(), fences, &greatest)?;
        node.inherit_marks(self)?;
        node.set_next(self.next())?;
        self.push_all(&mut node, entries)?;
        node.finish()
    }

    fn push_all(self, node: &mut NodeMut<'_>, entries: std::ops::Range<usize>) -> Result<(), Damage> {
        let mut key = Vec::new();
        for i in entries {
            key.clear();
            self.key_into(i, &mut key);
            node.push(&key, self.is_inner().then(|| self.child(i)))?;
        }
        Ok(())
    }

    /// Rebuilds this node and its right neighbour, copies both, as one. They must fit (see `used_with`).
    pub(in crate::btree) fn merge_into(self, right: Self, page: &mut [u8]) -> Result<(), Damage> {
        let (lower, upper) = (self.lower(), right.upper());
        let greatest = if right.count() > 0 { right.greatest() } else { self.greatest() };
        let mut node = NodeMut::init_for(page, self.shape(), (&lower, upper.as_deref()), &greatest)?;
        node.inherit_marks(self)?;
        node.inherit_marks(right)?;
        node.set_next(right.next())?;
        self.push_all(&mut node, 0..self.count())?;
        right.push_all(&mut node, 0..right.count())?;
        node.finish()
    }

    fn shape(self) -> Shape {
        if self.is_inner() { Shape::Inner } else { Shape::Leaf }
    }
}
