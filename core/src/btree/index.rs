//! The index tree: byte keys, each unique because it ends with its row's id.

use super::bytes::{Damage, PageBytes};
use super::cursor::{Cursor, Direction, KeyRange};
use super::keys::KeyList;
use super::node::{Node, NodeMut, Shape, max_key_len};
use super::structure::{Layout, Merged, Nodes, Split, Structure, corrupt};
use crate::ids::{ObjectId, PageId};
use crate::pager::space::PageKind;
use crate::pager::{Attempt, Pager, ReadGuard, Restart, WriteGuard};

/// Percent of a node's body below which it is merged, and that two neighbours may fill together afterwards.
const SPARSE: usize = 35;
const MERGED_LIMIT: usize = 80;

/// What a descent in an index tree looks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe<'k> {
    /// The node that covers the key.
    At(&'k [u8]),
    /// The node that covers the keys right below the key.
    Below(&'k [u8]),
    /// The last node.
    End,
}

/// A leaf full of keys that `BulkBuilder` puts before the empty last leaf.
pub(super) struct Filling<'b> {
    /// The keys, in order, of which the leaf takes the first `count`.
    pub(super) keys: &'b KeyList,
    pub(super) count: usize,
    /// Where the next leaf begins.
    pub(super) separator: &'b [u8],
}

/// Slotted nodes on every level.
pub(super) struct IndexNodes;

/// How index nodes are divided and joined.
pub(super) struct IndexLayout<'b> {
    /// Set while a bulk build appends a leaf: the last, empty leaf takes these keys and gets a successor.
    pub(super) filling: Option<Filling<'b>>,
}

impl Nodes for IndexNodes {
    type Key<'k> = Probe<'k>;
    type Separator = Vec<u8>;
    const LEAF: PageKind = PageKind::Index;
    const LOWEST_ROOT: u32 = 0;

    fn key_of(separator: &Vec<u8>) -> Probe<'_> {
        Probe::At(separator)
    }

    #[inline]
    fn route<P: PageBytes + ?Sized>(page: &P, key: Probe<'_>) -> Result<(usize, PageId), Damage> {
        let node = Node::new(page);
        match key {
            Probe::At(key) => node.route(key),
            Probe::Below(_) | Probe::End if !node.is_inner() || node.count() == 0 => {
                Err(Damage("an inner node of an index has no children"))
            }
            Probe::Below(key) => {
                let at = node.search(key).at.saturating_sub(1);
                Ok((at, node.child(at)))
            }
            Probe::End => Ok((node.count() - 1, node.child(node.count() - 1))),
        }
    }

    fn children<P: PageBytes + ?Sized>(page: &P) -> usize {
        Node::new(page).count()
    }

    fn child<P: PageBytes + ?Sized>(page: &P, at: usize) -> PageId {
        Node::new(page).child(at)
    }

    fn covers(page: &[u8], _level: u32, key: Probe<'_>) -> bool {
        let node = Node::new(page);
        match key {
            Probe::At(key) => node.covers(key),
            Probe::Below(key) => node.covers_below(key),
            Probe::End => !node.is_bounded(),
        }
    }

    fn upper(page: &[u8], _level: u32) -> Option<Vec<u8>> {
        Node::new(page).upper()
    }

    fn has_room(page: &[u8], separator: &Vec<u8>) -> bool {
        Node::new(page).has_room(separator)
    }

    fn insert_child(page: &mut [u8], at: usize, separator: &Vec<u8>, child: PageId) -> Result<(), Damage> {
        if NodeMut::new(page).insert(at, separator, Some(child))? {
            Ok(())
        } else {
            Err(Damage("a node's free space does not add up"))
        }
    }

    fn remove_child(page: &mut [u8], at: usize) -> Result<(), Damage> {
        NodeMut::new(page).remove(at)
    }

    fn grow_root(root: &mut [u8], left: PageId, separator: &Vec<u8>, right: PageId) -> Result<(), Damage> {
        let mut node = NodeMut::init_for(root, Shape::Inner, (&[], None), separator)?;
        node.push(&[], Some(left))?;
        node.push(separator, Some(right))?;
        node.finish()
    }
}

impl Layout<IndexNodes> for IndexLayout<'_> {
    fn plan(&self, page: &[u8], level: u32, key: Probe<'_>) -> Result<Option<Split<Vec<u8>>>, Damage> {
        let node = Node::new(page);
        if let (Some(filling), 0) = (&self.filling, level) {
            return Ok(Some(Split { at: node.count(), separator: filling.separator.to_vec() }));
        }
        match key {
            Probe::At(key) if node.has_room(key) => Ok(None),
            Probe::At(key) => node.choose_split(key).map(Some),
            Probe::Below(_) | Probe::End => Ok(None),
        }
    }

    fn divide(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        level: u32,
        split: &Split<Vec<u8>>,
    ) -> Result<(), Damage> {
        let mut image = left.to_vec();
        if let (Some(filling), 0) = (&self.filling, level) {
            let lower = Node::new(&**left).lower();
            let mut node = NodeMut::init(&mut image, Shape::Leaf, &lower, Some(&split.separator))?;
            (0..filling.count).try_for_each(|i| node.push(filling.keys.get(i), None))?;
            node.finish()?;
            NodeMut::init(right, Shape::Leaf, &split.separator, None)?;
        } else {
            Node::new(&**left).split_into(&mut image, right, split)?;
        }
        if level == 0 {
            NodeMut::new(&mut image).set_next(Some(right.page_id()))?;
        }
        left.copy_from_slice(&image);
        Ok(())
    }

    fn mergeable(&self, left: &[u8], right: &[u8], _level: u32) -> bool {
        let (left, right) = (Node::new(left), Node::new(right));
        left.fill().min(right.fill()) < SPARSE && left.fill_with(right) < MERGED_LIMIT
    }

    fn merge(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        _level: u32,
    ) -> Result<(), Damage> {
        let mut image = left.to_vec();
        Node::new(&**left).merge_into(Node::new(&**right), &mut image)?;
        left.copy_from_slice(&image);
        Ok(())
    }
}

/// An entry found by its prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match {
    /// No version but the newest of any row has an entry in the leaf.
    pub clean: bool,
    /// Whether the next entry in the leaf has the prefix too, or lies in the next leaf and may have it.
    pub more: bool,
}

/// One state of one leaf, so that a purge can tell whether what it looked at is still all there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafStamp {
    pub(super) lower: Vec<u8>,
    pub(super) upper: Option<Vec<u8>>,
    pub(super) marks: u32,
}

/// A B+-tree of byte keys. The value only names it; the state is in its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexTree {
    root: PageId,
    object: ObjectId,
}

const PLAIN: IndexLayout<'static> = IndexLayout { filling: None };

impl IndexTree {
    /// A new tree without keys.
    pub fn create(pager: &Pager, object: ObjectId) -> Attempt<Self> {
        let mut root = Structure::<IndexNodes>::allocate_root(pager, object)?;
        let id = root.page_id();
        match NodeMut::init(&mut root, Shape::Leaf, &[], None).map(|_| ()) {
            Ok(()) => Ok(Self { root: id, object }),
            Err(damage) => {
                pager.free(root);
                Err(corrupt(id)(damage))
            }
        }
    }

    /// The tree with this root.
    pub fn open(root: PageId, object: ObjectId) -> Self {
        Self { root, object }
    }

    /// The root's page, the same for the tree's life.
    pub fn root(&self) -> PageId {
        self.root
    }

    /// The object that the tree's pages name as their owner.
    pub fn object(&self) -> ObjectId {
        self.object
    }

    pub(super) fn structure<'a>(&self, pager: &'a Pager) -> Structure<'a, IndexNodes> {
        Structure::new(pager, self.root, self.object)
    }

    pub(super) fn leaf<'a>(&self, pager: &'a Pager, probe: Probe<'_>) -> Attempt<ReadGuard<'a>> {
        self.structure(pager).leaf_shared(probe)
    }

    pub(super) fn leaf_mut<'a>(&self, pager: &'a Pager, probe: Probe<'_>) -> Attempt<WriteGuard<'a>> {
        self.structure(pager).leaf_exclusive(probe)
    }

    /// Inserts `key`; false if it was there already. Splits as needed.
    ///
    /// # Panics
    /// If the key is longer than [`max_key_len`]; the caller has refused it with 54000.
    pub fn insert(&self, pager: &Pager, key: &[u8]) -> Attempt<bool> {
        assert!(key.len() <= max_key_len(pager.page_size()), "index keys are measured before they get here");
        loop {
            let mut leaf = self.leaf_mut(pager, Probe::At(key))?;
            let node = Node::new(&*leaf);
            let position = node.search(key);
            if position.found {
                return Ok(false);
            }
            if node.has_room(key) {
                let id = leaf.page_id();
                let done = NodeMut::new(&mut leaf).insert(position.at, key, None).map_err(corrupt(id))?;
                return if done {
                    Ok(true)
                } else {
                    Err(corrupt(id)(Damage("a leaf's free space does not add up")))
                };
            }
            drop(leaf);
            self.structure(pager).split(&PLAIN, Probe::At(key), 0)?;
        }
    }

    /// Removes `key`; false if it was absent. Leaves are not merged here.
    pub fn remove(&self, pager: &Pager, key: &[u8]) -> Attempt<bool> {
        let mut leaf = self.leaf_mut(pager, Probe::At(key))?;
        let position = Node::new(&*leaf).search(key);
        if position.found {
            let id = leaf.page_id();
            NodeMut::new(&mut leaf).remove(position.at).map_err(corrupt(id))?;
        }
        Ok(position.found)
    }

    /// Notes that the leaf of `key` may hold entries of versions that are no longer the newest.
    pub fn mark_dead_entries(&self, pager: &Pager, key: &[u8]) -> Attempt<()> {
        let mut leaf = self.leaf_mut(pager, Probe::At(key))?;
        let id = leaf.page_id();
        NodeMut::new(&mut leaf).mark_dead().map_err(corrupt(id))
    }

    /// Clears the mark of a leaf of which every entry was seen (see [`Cursor::stamp`]) and found live. Returns
    /// false, with the mark left, if the leaf was marked, split or merged since.
    pub fn clear_dead_mark(&self, pager: &Pager, seen: &LeafStamp) -> Attempt<bool> {
        let mut leaf = self.leaf_mut(pager, Probe::At(&seen.lower))?;
        if Node::new(&*leaf).stamp() != *seen {
            return Ok(false);
        }
        let id = leaf.page_id();
        NodeMut::new(&mut leaf).clear_dead().map_err(corrupt(id))?;
        Ok(true)
    }

    /// Whether `key` is in the tree.
    pub fn contains(&self, pager: &Pager, key: &[u8]) -> Attempt<bool> {
        let leaf = self.structure(pager).leaf_optimistic(Probe::At(key))?;
        let found = Node::new(&leaf).search(key).found;
        leaf.validate()?;
        Ok(found)
    }

    /// The first entry that begins with `prefix` and is not below `from`, which begins with it too (pass the
    /// prefix for the first of all); its key replaces `out`.
    pub fn first_with_prefix(
        &self,
        pager: &Pager,
        prefix: &[u8],
        from: &[u8],
        out: &mut Vec<u8>,
    ) -> Attempt<Option<Match>> {
        let structure = self.structure(pager);
        let mut beyond: Option<Vec<u8>> = None;
        loop {
            let from = beyond.as_deref().unwrap_or(from);
            let leaf = structure.leaf_optimistic(Probe::At(from))?;
            let node = Node::new(&leaf);
            let (at, count) = (node.search(from).at, node.count());
            out.clear();
            if at < count {
                node.key_into(at, out);
                let more = out.starts_with(prefix) && node.goes_on(at + 1, prefix);
                let clean = !node.may_hold_dead();
                leaf.validate()?;
                return Ok(out.starts_with(prefix).then_some(Match { clean, more }));
            }
            // Nothing here: entries with the prefix may begin in the next leaf.
            let next = node.upper().filter(|_| node.goes_on(count, prefix));
            leaf.validate()?;
            let Some(next) = next else { return Ok(None) };
            beyond = Some(next);
        }
    }

    /// A cursor over the keys of a range, in order or against it.
    pub fn cursor(&self, range: KeyRange, direction: Direction) -> Cursor {
        Cursor::new(*self, range, direction)
    }

    /// Merges the leaf of `from` with its right neighbour if it is sparse. Returns where to go on, `None` at
    /// the end of the tree.
    pub fn merge_leaf(&self, pager: &Pager, from: &[u8]) -> Attempt<Option<Vec<u8>>> {
        self.merge_at(pager, from, 0)
    }

    fn merge_at(&self, pager: &Pager, from: &[u8], level: u32) -> Attempt<Option<Vec<u8>>> {
        match self.structure(pager).merge(&PLAIN, Probe::At(from), level)? {
            Merged::Yes => Ok(Some(from.to_vec())),
            Merged::No(next) => Ok(Some(next)),
            Merged::Last => Ok(None),
        }
    }

    /// Merges every sparse node with its neighbour, level by level, and lowers a root with a single child.
    pub fn merge_sparse(&self, pager: &Pager) -> crate::Result<()> {
        for level in 0..self.levels(pager)? {
            let mut from = Some(Vec::new());
            while let Some(key) = from {
                from = pager.retry(|| match self.merge_at(pager, &key, level) {
                    // The root came down to this level or below: nothing is left to merge.
                    Err(Restart::Retry) if self.height(pager)? < level => Ok(None),
                    other => other,
                })?;
            }
        }
        while pager.retry(|| self.structure(pager).lower_root())? {}
        Ok(())
    }

    fn height(&self, pager: &Pager) -> Attempt<u32> {
        let root = pager.optimistic(self.root)?;
        let height = super::structure::level_of(&root);
        root.validate()?;
        Ok(height)
    }

    fn levels(&self, pager: &Pager) -> crate::Result<u32> {
        pager.retry(|| self.height(pager))
    }

    /// Frees the tree's last page: one step of taking it down, false when the root is gone. Between steps the
    /// tree is whole, only smaller.
    pub fn free_last(&self, pager: &Pager) -> Attempt<bool> {
        self.structure(pager).free_last()
    }

    /// Frees all pages of a tree that nobody uses any more.
    pub fn free(self, pager: &Pager) -> crate::Result<()> {
        while pager.retry(|| self.free_last(pager))? {}
        Ok(())
    }
}
