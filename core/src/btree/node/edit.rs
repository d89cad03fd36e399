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
        let size = page.len();
        let bound = upper.unwrap_or_default();
        let fences = lower.len() + bound.len();
        if fences > capacity(size) {
            return Err(Damage("a node's fences do not fit its page"));
        }
        page.get_mut(BODY..SLOTS).ok_or(Damage("a page is too small for a node"))?.fill(0);
        let mut node = Self(page);
        let mut flags = if shape == Shape::Inner { INNER } else { 0 };
        if let Some(upper) = upper {
            flags |= BOUNDED;
            node.set_u16(PREFIX_LEN, narrow(common_prefix(lower, upper))?)?;
        }
        node.set_u16(FLAGS, flags)?;
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
        let suffix = key.get(self.view().prefix_len()..).ok_or(Damage("a key lacks its node's prefix"))?;
        if !self.insert_suffix(at, suffix, child)? {
            return Ok(false);
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
        let (up, down) = (self.0.u8(RUN_UP) >= RUN, self.0.u8(RUN_DOWN) >= RUN);
        if self.is_inner() {
            if count < 2 {
                return Err(Damage("an inner node with one child is full"));
            }
            let at = if up {
                count - 1
            } else if down {
                1
            } else {
                self.middle(|i| self.suffix_len(i))
            };
            return Ok(Split { at, separator: self.key(at) });
        }
        let Some(last) = count.checked_sub(1) else { return Err(Damage("an empty leaf is full")) };
        let between =
            |at: usize| Split { at, separator: shortest_separator(&self.key(at - 1), &self.key(at)) };
        let at = self.search(key).at;
        if at == count && (up || count == 1) {
            let separator = shortest_separator(&self.key(last), key);
            let fits =
                count == 1 || self.used_between(&self.lower(), Some(&separator)) <= capacity(self.0.len());
            return Ok(if fits { Split { at, separator } } else { between(last) });
        }
        if at == 0 && (down || count == 1) {
            let separator = shortest_separator(key, &self.key(0));
            let fits = count == 1
                || self.used_between(&separator, self.upper().as_deref()) <= capacity(self.0.len());
            return Ok(if fits { Split { at, separator } } else { between(1) });
        }
        Ok(between(self.middle(|i| shortest_separator(&self.key(i - 1), &self.key(i)).len())))
    }

    /// How many bytes this leaf's entries would use between other fences.
    fn used_between(self, lower: &[u8], upper: Option<&[u8]>) -> usize {
        let prefix = upper.map_or(0, |upper| common_prefix(lower, upper));
        let keys = (0..self.count()).map(|i| SLOT + self.prefix_len() + self.suffix_len(i));
        let cut = keys.map(|len| len.saturating_sub(prefix)).sum::<usize>();
        lower.len() + upper.map_or(0, <[u8]>::len) + cut
    }

    /// The entry near the middle of the bytes whose separator is shortest; at least one entry on each side.
    fn middle(self, separator_len: impl Fn(usize) -> usize) -> usize {
        let count = self.count();
        let total: usize = (0..count).map(|i| SLOT + self.entry_len(i)).sum();
        let mut before = 0;
        let middle = (0..count)
            .find(|i| {
                before += SLOT + self.entry_len(*i);
                before * 2 >= total
            })
            .unwrap_or(0);
        let reach = count / 16;
        let first = middle.saturating_sub(reach).max(1);
        let last = (middle + reach).clamp(first, count - 1);
        (first..=last).min_by_key(|i| (separator_len(*i), i.abs_diff(middle))).unwrap_or(first)
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
        let mut node = NodeMut::init(page, self.shape(), fences.0, fences.1)?;
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
        let mut node = NodeMut::init(page, self.shape(), &lower, upper.as_deref())?;
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
