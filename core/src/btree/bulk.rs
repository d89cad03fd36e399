//! Building an index tree from sorted keys.
//!
//! Each full leaf is put before the tree's last, empty leaf as one split of that leaf, so the tree is whole after
//! every step: a cut may come at any time, and taking down an unfinished tree frees all its pages. Inner nodes
//! see inserts at their end only and stay full.

use super::bytes::{Damage, common_prefix, shortest_separator};
use super::index::{Filling, IndexLayout, IndexTree, Probe};
use super::node::{Node, NodeMut, SLOT, Shape, capacity, max_key_len};
use super::structure::corrupt;
use crate::Result;
use crate::pager::{Attempt, Pager};

/// Percent of a leaf's body that a build fills.
const FILL: usize = 90;

/// Fills a new tree with keys that come in ascending order.
pub struct BulkBuilder<'a> {
    pager: &'a Pager,
    tree: IndexTree,
    /// Lower fence of the last, empty leaf.
    lower: Vec<u8>,
    /// Keys for that leaf, end to end, and where each ends.
    keys: Vec<u8>,
    ends: Vec<usize>,
    /// How many of the keys are known to fit a leaf that ends before the next one.
    fitting: usize,
}

impl<'a> BulkBuilder<'a> {
    /// Starts to fill `tree`, which must be empty.
    pub fn new(pager: &'a Pager, tree: IndexTree) -> Self {
        Self { pager, tree, lower: Vec::new(), keys: Vec::new(), ends: Vec::new(), fitting: 0 }
    }

    /// Appends a key, which must be above all before it.
    ///
    /// # Panics
    /// If the key is out of order or longer than [`max_key_len`].
    pub fn push(&mut self, key: &[u8]) -> Result<()> {
        assert!(
            key.len() <= max_key_len(self.pager.page_size()),
            "index keys are measured before they get here"
        );
        while let Some(last) = self.ends.len().checked_sub(1) {
            assert!(self.key(last) < key, "a bulk build's keys come in ascending order");
            let separator = shortest_separator(self.key(last), key);
            if self.used(self.ends.len(), Some(&separator)) * 100 <= capacity(self.pager.page_size()) * FILL {
                self.fitting = self.ends.len();
                break;
            }
            // One key fits between any fences.
            let fitting = self.fitting.max(1);
            let separator = if fitting > last { separator } else { self.separator(fitting) };
            self.append_leaf(fitting, separator)?;
        }
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        Ok(())
    }

    /// Puts the remaining keys into the last leaf and returns the tree.
    pub fn finish(mut self) -> Result<IndexTree> {
        // The last leaf has no upper fence, so no prefix is cut and fewer keys fit.
        while self.used(self.ends.len(), None) > capacity(self.pager.page_size()) {
            let half = (self.ends.len() / 2).max(1);
            let separator = self.separator(half);
            self.append_leaf(half, separator)?;
        }
        self.pager.retry(|| self.fill_last())?;
        Ok(self.tree)
    }

    fn key(&self, i: usize) -> &[u8] {
        let start = i.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(i).copied().unwrap_or(start);
        self.keys.get(start..end).unwrap_or_default()
    }

    /// What divides the first `count` keys from the rest.
    fn separator(&self, count: usize) -> Vec<u8> {
        shortest_separator(self.key(count - 1), self.key(count))
    }

    /// Bytes of a leaf with the first `count` keys.
    fn used(&self, count: usize, upper: Option<&[u8]>) -> usize {
        let prefix = upper.map_or(0, |upper| common_prefix(&self.lower, upper));
        let bytes = count.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        self.lower.len()
            + upper.map_or(0, <[u8]>::len)
            + (bytes + count * SLOT).saturating_sub(count * prefix)
    }

    /// Makes the first `count` keys a leaf, and the keys from `separator` on the next.
    fn append_leaf(&mut self, count: usize, separator: Vec<u8>) -> Result<()> {
        let keys = |push: &mut dyn FnMut(&[u8]) -> Result<(), Damage>| {
            (0..count).try_for_each(|i| push(self.key(i)))
        };
        let layout = IndexLayout { filling: Some(Filling { keys: &keys, separator: &separator }) };
        while !self.pager.retry(|| self.tree.structure(self.pager).split(&layout, Probe::End, 0))? {}
        let taken = self.ends.get(count - 1).copied().unwrap_or(0);
        self.keys.drain(..taken);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= taken);
        self.fitting = 0;
        self.lower = separator;
        Ok(())
    }

    fn fill_last(&self) -> Attempt<()> {
        let mut leaf = self.tree.leaf_mut(self.pager, Probe::End)?;
        let id = leaf.page_id();
        let next = Node::new(&*leaf).next();
        let mut fill = || {
            let mut node = NodeMut::init(&mut leaf, Shape::Leaf, &self.lower, None)?;
            node.set_next(next)?;
            (0..self.ends.len()).try_for_each(|i| node.push(self.key(i), None))?;
            node.finish()
        };
        fill().map_err(corrupt(id))
    }
}

impl IndexTree {
    /// A new tree with these keys, which come in ascending order.
    pub fn bulk_build<K: AsRef<[u8]>>(
        pager: &Pager,
        object: crate::ids::ObjectId,
        keys: impl IntoIterator<Item = Result<K>>,
    ) -> Result<Self> {
        let tree = pager.retry(|| Self::create(pager, object))?;
        let mut builder = BulkBuilder::new(pager, tree);
        let filled = keys.into_iter().try_for_each(|key| builder.push(key?.as_ref()));
        match filled.and_then(|()| builder.finish()) {
            Ok(tree) => Ok(tree),
            Err(error) => {
                tree.free(pager)?;
                Err(error)
            }
        }
    }
}
