//! Building an index tree from sorted keys.
//!
//! Each full leaf is put before the tree's last, empty leaf as one split of that leaf, so the tree is whole after
//! every step: a cut may come at any time, and taking down an unfinished tree frees all its pages. Inner nodes
//! see inserts at their end only and stay full.

use super::bytes::{common_prefix, shortest_separator};
use super::index::{Filling, IndexLayout, IndexTree, Probe};
use super::keys::KeyList;
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
    /// Keys for that leaf.
    keys: KeyList,
    /// How many of the keys are known to fit a leaf that ends before the next one.
    fitting: usize,
}

impl<'a> BulkBuilder<'a> {
    /// Starts to fill `tree`, which must be empty.
    pub fn new(pager: &'a Pager, tree: IndexTree) -> Self {
        Self { pager, tree, lower: Vec::new(), keys: KeyList::default(), fitting: 0 }
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
        while let Some(last) = self.keys.last() {
            assert!(last < key, "a bulk build's keys come in ascending order");
            let separator = shortest_separator(last, key);
            let count = self.keys.len();
            if self.used(count, Some(&separator)) * 100 <= capacity(self.pager.page_size()) * FILL {
                self.fitting = count;
                break;
            }
            // One key fits between any fences.
            let fitting = self.fitting.max(1);
            let separator = if fitting == count { separator } else { self.separator(fitting) };
            self.append_leaf(fitting, separator)?;
        }
        self.keys.push_with(|bytes| bytes.extend_from_slice(key));
        Ok(())
    }

    /// Puts the remaining keys into the last leaf and returns the tree.
    pub fn finish(mut self) -> Result<IndexTree> {
        // The last leaf's prefix ends where its last key departs, and fewer keys may fit than with a fence.
        while self.used(self.keys.len(), None) > capacity(self.pager.page_size()) {
            let half = (self.keys.len() / 2).max(1);
            let separator = self.separator(half);
            self.append_leaf(half, separator)?;
        }
        self.pager.retry(|| self.fill_last())?;
        Ok(self.tree)
    }

    /// What divides the first `count` keys from the rest.
    fn separator(&self, count: usize) -> Vec<u8> {
        shortest_separator(self.keys.get(count - 1), self.keys.get(count))
    }

    /// Bytes of a leaf with the first `count` keys.
    fn used(&self, count: usize, upper: Option<&[u8]>) -> usize {
        let greatest = if count > 0 { self.keys.get(count - 1) } else { &self.lower };
        let prefix = common_prefix(&self.lower, upper.unwrap_or(greatest));
        let entries = self.keys.bytes_of(count) + count * SLOT;
        self.lower.len() + upper.map_or(0, <[u8]>::len) + entries.saturating_sub(count * prefix)
    }

    /// Makes the first `count` keys a leaf, and the keys from `separator` on the next.
    fn append_leaf(&mut self, count: usize, separator: Vec<u8>) -> Result<()> {
        let filling = Filling { keys: &self.keys, count, separator: &separator };
        let layout = IndexLayout { filling: Some(filling) };
        while !self.pager.retry(|| self.tree.structure(self.pager).split(&layout, Probe::End, 0))? {}
        self.keys.drop_first(count);
        self.fitting = 0;
        self.lower = separator;
        Ok(())
    }

    fn fill_last(&self) -> Attempt<()> {
        let mut leaf = self.tree.leaf_mut(self.pager, Probe::End)?;
        let id = leaf.page_id();
        let next = Node::new(&*leaf).next();
        let greatest = self.keys.last().unwrap_or(&self.lower);
        let mut fill = || {
            let mut node = NodeMut::init_for(&mut leaf, Shape::Leaf, (&self.lower, None), greatest)?;
            node.set_next(next)?;
            (0..self.keys.len()).try_for_each(|i| node.push(self.keys.get(i), None))?;
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
