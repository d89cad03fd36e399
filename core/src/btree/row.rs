//! The row tree: row ids to the leaves that hold the rows.

use super::bytes::{Damage, PageBytes};
use super::inner;
use super::leaf::{self, Fences, Leaf, NextLeaf};
use super::structure::{Layout, Merged, Nodes, Split, Structure, corrupt, level_of};
use crate::ids::{ObjectId, PageId, RowId};
use crate::pager::space::PageKind;
use crate::pager::{Attempt, OptimisticPage, Pager, ReadGuard, Restart, WriteGuard};

/// Percent of an inner node's children below which it is merged, and that two neighbours may have together
/// afterwards.
const SPARSE: usize = 35;
const MERGED_LIMIT: usize = 80;

/// Dense inner nodes over leaves of the table. The root is always an inner node, so that what the table keeps
/// with a leaf's page never has to move to another page but in a split or merge.
pub(super) struct RowNodes;

impl Nodes for RowNodes {
    type Key<'k> = RowId;
    type Separator = RowId;
    const LEAF: PageKind = PageKind::Data;
    const LOWEST_ROOT: u32 = 1;

    fn key_of(separator: &RowId) -> RowId {
        *separator
    }

    #[inline]
    fn route<P: PageBytes + ?Sized>(page: &P, key: RowId) -> Result<(usize, PageId), Damage> {
        inner::route(page, key)
    }

    fn children<P: PageBytes + ?Sized>(page: &P) -> usize {
        inner::count(page)
    }

    fn child<P: PageBytes + ?Sized>(page: &P, at: usize) -> PageId {
        inner::child(page, at)
    }

    fn covers(page: &[u8], level: u32, key: RowId) -> bool {
        fences(page, level).cover(key)
    }

    fn upper(page: &[u8], level: u32) -> Option<RowId> {
        fences(page, level).after()
    }

    fn has_room(page: &[u8], _separator: &RowId) -> bool {
        inner::has_room(page)
    }

    fn insert_child(page: &mut [u8], at: usize, separator: &RowId, child: PageId) -> Result<(), Damage> {
        if inner::insert(page, at, *separator, child)? {
            Ok(())
        } else {
            Err(Damage("a node that had room is full"))
        }
    }

    fn remove_child(page: &mut [u8], at: usize) -> Result<(), Damage> {
        inner::remove(page, at)
    }

    fn grow_root(root: &mut [u8], left: PageId, separator: &RowId, right: PageId) -> Result<(), Damage> {
        inner::init(root, Fences::ALL)?;
        inner::insert(root, 0, Fences::ALL.first, left)?;
        inner::insert(root, 1, *separator, right)?;
        Ok(())
    }
}

fn fences(page: &[u8], level: u32) -> Fences {
    if level == 0 { Fences::of(page) } else { inner::fences(page) }
}

/// How a row tree's nodes are divided and joined.
struct RowLayout<'l, L>(&'l L);

impl<L: Leaf> Layout<RowNodes> for RowLayout<'_, L> {
    fn plan(&self, page: &[u8], level: u32, key: RowId) -> Result<Option<Split<RowId>>, Damage> {
        if level > 0 {
            return if inner::has_room(page) { Ok(None) } else { inner::choose_split(page).map(Some) };
        }
        let Some(separator) = self.0.separator(page, key)? else { return Ok(None) };
        let fences = Fences::of(page);
        if separator <= fences.first || !fences.cover(separator) {
            return Err(Damage("a leaf divides outside its fences"));
        }
        Ok(Some(Split { at: 0, separator }))
    }

    fn divide(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        level: u32,
        split: &Split<RowId>,
    ) -> Result<(), Damage> {
        let whole = fences(left, level);
        let upper = Fences { first: split.separator, last: whole.last };
        let Some(last) = split.separator.0.checked_sub(1) else {
            return Err(Damage("a node divides outside its fences"));
        };
        let lower = Fences { first: whole.first, last: RowId(last) };
        if level > 0 {
            inner::init(right, upper)?;
            inner::append(right, left, split.at..inner::count(&**left))?;
            return inner::truncate(left, split.at, lower);
        }
        leaf::set_fences(right, upper)?;
        self.0.split(left, right, split.separator)?;
        leaf::set_next(right, leaf::next(left))?;
        leaf::set_next(left, Some(right.page_id()))?;
        leaf::set_fences(left, lower)
    }

    fn mergeable(&self, left: &[u8], right: &[u8], level: u32) -> bool {
        if level == 0 {
            return self.0.mergeable(left, right);
        }
        let fill = |count: usize| count * 100 / inner::capacity(left.len()).max(1);
        let (left, right) = (inner::count(left), inner::count(right));
        fill(left.min(right)) < SPARSE && fill(left + right) < MERGED_LIMIT
    }

    fn merge(&self, left: &mut WriteGuard<'_>, right: &mut WriteGuard<'_>, level: u32) -> Result<(), Damage> {
        let whole = Fences { first: fences(left, level).first, last: fences(right, level).last };
        if level > 0 {
            inner::append(left, right, 0..inner::count(&**right))?;
            return inner::set_fences(left, whole);
        }
        self.0.merge(left, right)?;
        leaf::set_next(left, leaf::next(right))?;
        leaf::set_fences(left, whole)
    }
}

/// A B+-tree of row ids. The value only names it; the state is in its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowTree {
    root: PageId,
    object: ObjectId,
}

impl RowTree {
    /// A new tree with one empty leaf.
    pub fn create(pager: &Pager, object: ObjectId, leaf: &impl Leaf) -> Attempt<Self> {
        let mut root = Structure::<RowNodes>::allocate_root(pager, object)?;
        let mut first = match pager.allocate(PageKind::Data, object, 0) {
            Ok(first) => first,
            Err(restart) => {
                pager.free(root);
                return Err(restart);
            }
        };
        let id = root.page_id();
        let filled = leaf::set_fences(&mut first, Fences::ALL)
            .and_then(|()| leaf.init(&mut first))
            .and_then(|()| inner::init(&mut root, Fences::ALL))
            .and_then(|()| inner::insert(&mut root, 0, Fences::ALL.first, first.page_id()));
        match filled {
            Ok(_) => Ok(Self { root: id, object }),
            Err(damage) => {
                pager.free(first);
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

    pub(super) fn structure<'a>(&self, pager: &'a Pager) -> Structure<'a, RowNodes> {
        Structure::new(pager, self.root, self.object)
    }

    /// The leaf that covers `row`, unlatched: whatever is read from it holds once it is validated.
    #[inline]
    pub fn find_optimistic<'a>(&self, pager: &'a Pager, row: RowId) -> Attempt<OptimisticPage<'a>> {
        self.structure(pager).leaf_optimistic(row)
    }

    /// The leaf that covers `row`, latched shared.
    pub fn find_shared<'a>(&self, pager: &'a Pager, row: RowId) -> Attempt<ReadGuard<'a>> {
        self.structure(pager).leaf_shared(row)
    }

    /// The leaf that covers `row`, latched exclusively.
    pub fn find_exclusive<'a>(&self, pager: &'a Pager, row: RowId) -> Attempt<WriteGuard<'a>> {
        self.structure(pager).leaf_exclusive(row)
    }

    /// The leaf that covers `next.first`, latched shared; it begins there unless the tree changed since. Take
    /// `next` from the leaf before (see [`NextLeaf::after`]), and release that first.
    pub fn find_next<'a>(&self, pager: &'a Pager, next: NextLeaf) -> Attempt<ReadGuard<'a>> {
        let structure = self.structure(pager);
        // The hinted page may be missing, freed or another's by now; a descent from the root sorts that out.
        let hinted = next.hint.and_then(|hint| pager.pin_shared(hint).ok());
        match hinted {
            Some(leaf) if structure.owns(&*leaf, 0) && Fences::of(&*leaf).first == next.first => Ok(leaf),
            Some(_) | None => structure.leaf_shared(next.first),
        }
    }

    /// Row ids, ascending, that cut the tree into at most `parts` pieces of similar size; fewer than `parts` - 1 if
    /// it has not so many leaves. They are read from the highest level that has enough nodes, so that a big tree
    /// costs no more than a small one.
    pub fn split_points(&self, pager: &Pager, parts: usize) -> Attempt<Vec<RowId>> {
        let structure = self.structure(pager);
        let (mut nodes, mut level) = (vec![self.root], self.height(pager)?);
        let keys = loop {
            let (mut keys, mut children) = (Vec::new(), Vec::new());
            for &id in &nodes {
                let node = pager.pin_shared(id)?;
                if !structure.owns(&*node, level) {
                    return Err(Restart::Retry);
                }
                keys.extend((0..inner::count(&*node)).map(|at| inner::key(&*node, at)));
                children.extend((0..inner::count(&*node)).map(|at| inner::child(&*node, at)));
            }
            if keys.len() >= parts || level <= 1 {
                break keys;
            }
            (nodes, level) = (children, level - 1);
        };
        // The first key is where the tree begins.
        let pieces = parts.clamp(1, keys.len().max(1));
        Ok((1..pieces).map(|piece| keys[piece * keys.len() / pieces]).collect())
    }

    /// About how many leaves there are: the product of the children of one node on each level.
    pub fn estimate_leaves(&self, pager: &Pager) -> Attempt<f64> {
        let structure = self.structure(pager);
        let (mut id, mut level, mut leaves) = (self.root, self.height(pager)?, 1.0);
        while level > 0 {
            let node = pager.pin_shared(id)?;
            if !structure.owns(&*node, level) {
                return Err(Restart::Retry);
            }
            let children = inner::count(&*node);
            leaves *= children as f64;
            // A node in the middle is as full as most.
            id = inner::child(&*node, children / 2);
            level -= 1;
        }
        Ok(leaves)
    }

    /// Divides the leaf that should take `row`, unless it has room by now. No latch may be held; find the leaf
    /// again afterwards.
    pub fn split(&self, pager: &Pager, leaf: &impl Leaf, row: RowId) -> Attempt<()> {
        while !self.structure(pager).split(&RowLayout(leaf), row, 0)? {}
        Ok(())
    }

    /// Merges the leaf of `from` with its right neighbour if the table finds them mergeable. Returns where to go
    /// on, `None` at the end of the tree.
    pub fn merge_leaf(&self, pager: &Pager, leaf: &impl Leaf, from: RowId) -> Attempt<Option<RowId>> {
        self.merge_at(pager, leaf, from, 0)
    }

    fn merge_at(&self, pager: &Pager, leaf: &impl Leaf, from: RowId, level: u32) -> Attempt<Option<RowId>> {
        match self.structure(pager).merge(&RowLayout(leaf), from, level)? {
            Merged::Yes => Ok(Some(from)),
            Merged::No(next) => Ok(Some(next)),
            Merged::Last => Ok(None),
        }
    }

    /// Merges every sparse node with its neighbour, level by level, and lowers a root with a single child.
    pub fn merge_sparse(&self, pager: &Pager, leaf: &impl Leaf) -> crate::Result<()> {
        for level in 0..pager.retry(|| self.height(pager))? {
            let mut from = Some(Fences::ALL.first);
            while let Some(row) = from {
                from = pager.retry(|| match self.merge_at(pager, leaf, row, level) {
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
        let height = level_of(&root);
        root.validate()?;
        Ok(height)
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
