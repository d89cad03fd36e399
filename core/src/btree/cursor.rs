//! Walking an index tree in either direction.
//!
//! A cursor copies the matching keys of one leaf out under its shared latch and holds nothing in between. It
//! goes on by key: the leaf's fence, or the last key if it took only part of the leaf. So the tree may change in
//! any way meanwhile; a walk sees every key that was there all the time, exactly once and in order.

use super::index::{IndexTree, LeafStamp, Probe};
use super::keys::KeyList;
use super::node::Node;
use crate::Result;
use crate::pager::{Attempt, Pager};

/// Keys taken from the first leaf; each later take may be twice the one before. So a query that wants one row
/// does not copy a leaf, and one that wants many copies whole leaves.
const FIRST_TAKE: usize = 8;

/// An interval of keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyRange {
    /// The least key.
    pub lower: Vec<u8>,
    /// The least key above the range, if there is a bound.
    pub upper: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self::default()
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { lower: prefix.to_vec(), upper: after_prefix(prefix) }
    }
}

/// The least key above all that begin with `prefix`; `None` if there is no such key.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    if let Some(byte) = after.last_mut() {
        *byte += 1;
    }
    Some(after)
}

/// Which way a cursor walks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the least key up.
    Forward,
    /// From the greatest key down.
    Backward,
}

/// What a cursor yields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'c> {
    /// The whole key, row id included.
    pub key: &'c [u8],
    /// The entry's leaf held only entries of newest versions.
    pub clean: bool,
}

/// A walk over a range of an index tree. Used outside row operations, since it waits for page reads.
#[derive(Clone, Debug)]
pub struct Cursor {
    tree: IndexTree,
    direction: Direction,
    /// What is left to take from leaves; shrinks from the side the walk comes from.
    rest: KeyRange,
    done: bool,
    take: usize,
    /// The keys taken, in walking order, and the first of them not yet yielded.
    keys: KeyList,
    at: usize,
    clean: bool,
    stamp: Option<LeafStamp>,
}

impl Cursor {
    pub(super) fn new(tree: IndexTree, range: KeyRange, direction: Direction) -> Self {
        let done = range.upper.as_ref().is_some_and(|upper| *upper <= range.lower);
        Self {
            tree,
            direction,
            rest: range,
            done,
            take: FIRST_TAKE,
            keys: KeyList::default(),
            at: 0,
            clean: false,
            stamp: None,
        }
    }

    /// The next entry, `None` after the last.
    pub fn next(&mut self, pager: &Pager) -> Result<Option<Entry<'_>>> {
        while self.at == self.keys.len() {
            if !self.fill(pager)? {
                return Ok(None);
            }
        }
        let i = self.at;
        self.at += 1;
        Ok(Some(self.entry(i)))
    }

    /// Takes the next keys, all of one leaf, in place of those that are left. Returns false after the last.
    pub fn fill(&mut self, pager: &Pager) -> Result<bool> {
        while !self.done {
            pager.retry(|| self.try_fill(pager))?;
            if self.keys.len() > 0 {
                return Ok(true);
            }
        }
        self.keys.clear();
        self.at = 0;
        Ok(false)
    }

    /// The entries of the last `fill` that `next` has not yielded.
    pub fn filled(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (self.at..self.keys.len()).map(|i| self.entry(i))
    }

    /// Names the state of the leaf that the last `fill` took, if it took all its entries.
    pub fn stamp(&self) -> Option<&LeafStamp> {
        self.stamp.as_ref()
    }

    /// Makes every `fill` take a whole leaf, as a purge wants.
    #[must_use]
    pub fn whole_leaves(mut self) -> Self {
        self.take = usize::MAX;
        self
    }

    fn entry(&self, i: usize) -> Entry<'_> {
        Entry { key: self.keys.get(i), clean: self.clean }
    }

    fn try_fill(&mut self, pager: &Pager) -> Attempt<()> {
        let probe = match (self.direction, &self.rest.upper) {
            (Direction::Forward, _) => Probe::At(&self.rest.lower),
            (Direction::Backward, Some(upper)) => Probe::Below(upper),
            (Direction::Backward, None) => Probe::End,
        };
        let leaf = self.tree.leaf(pager, probe)?;
        let node = Node::new(&*leaf);
        let first = node.search(&self.rest.lower).at;
        let last = match &self.rest.upper {
            Some(upper) => node.search(upper).at.max(first),
            None => node.count().max(first),
        };
        let taken = (last - first).min(self.take);
        self.keys.clear();
        self.at = 0;
        for step in 0..taken {
            let i = match self.direction {
                Direction::Forward => first + step,
                Direction::Backward => last - 1 - step,
            };
            self.keys.push_with(|bytes| node.key_into(i, bytes));
        }
        self.clean = !node.may_hold_dead();
        self.stamp = (taken == node.count()).then(|| node.stamp());
        self.take = self.take.saturating_mul(2);
        if taken < last - first {
            self.shrink_to_last();
        } else {
            match self.direction {
                Direction::Forward => match node.upper() {
                    Some(upper) if self.rest.upper.as_ref().is_none_or(|end| upper < *end) => {
                        self.rest.lower = upper
                    }
                    Some(_) | None => self.done = true,
                },
                Direction::Backward => {
                    let lower = node.lower();
                    self.done = lower <= self.rest.lower;
                    self.rest.upper = Some(lower);
                }
            }
        }
        Ok(())
    }

    /// Takes the keys up to the last one taken out of what is left.
    fn shrink_to_last(&mut self) {
        let mut key = self.keys.last().unwrap_or_default().to_vec();
        match self.direction {
            Direction::Forward => {
                // The least key above.
                key.push(0);
                self.rest.lower = key;
            }
            Direction::Backward => self.rest.upper = Some(key),
        }
    }
}
