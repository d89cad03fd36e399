//! Descending, splitting, merging and taking down a tree, whatever its nodes look like.
//!
//! [`Nodes`] and [`Layout`] say how nodes are read and changed; [`Structure`] does it in the order that keeps the rules of
//! [`super`]. Every operation here is one attempt: it latches and allocates all it needs, then changes, and
//! on a `Restart` before that leaves everything as it was.

use super::bytes::{Damage, PageBytes};
use crate::ids::{ObjectId, PageId};
use crate::pager::space::{HEADER_SIZE, PageHeader, PageKind};
use crate::pager::{Attempt, OptimisticPage, Pager, ReadGuard, Restart, WriteGuard};
use std::marker::PhantomData;
use std::ops::Deref;

/// No tree is higher: 64 levels of two children are more pages than ids. A damaged level ends a descent here.
pub(super) const MAX_LEVEL: u32 = 64;

/// Where a full node is divided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Split<S> {
    /// The first entry that moves to the right node.
    pub(super) at: usize,
    /// The right node's lower fence.
    pub(super) separator: S,
}

/// How a tree's nodes are read, and how the inner ones change.
pub(super) trait Nodes {
    /// What a descent looks for.
    type Key<'k>: Copy;
    /// A fence.
    type Separator;
    /// The kind of the leaves' pages; inner nodes are `Index` pages.
    const LEAF: PageKind;
    /// The lowest level a root may have.
    const LOWEST_ROOT: u32;

    /// The key that a descent to the node starting at a fence looks for.
    fn key_of(separator: &Self::Separator) -> Self::Key<'_>;
    /// The child of an inner node that covers `key`, and its place.
    fn route<P: PageBytes + ?Sized>(page: &P, key: Self::Key<'_>) -> Result<(usize, PageId), Damage>;
    /// How many children an inner node has.
    fn children<P: PageBytes + ?Sized>(page: &P) -> usize;
    /// Child `at` of an inner node.
    fn child<P: PageBytes + ?Sized>(page: &P, at: usize) -> PageId;
    /// Whether `key` lies between a node's fences.
    fn covers(page: &[u8], level: u32, key: Self::Key<'_>) -> bool;
    /// A node's upper fence; `None` if nothing is above.
    fn upper(page: &[u8], level: u32) -> Option<Self::Separator>;

    /// Whether an inner node can take one more child.
    fn has_room(page: &[u8], separator: &Self::Separator) -> bool;
    /// Inserts a child, which fits, before place `at` of an inner node.
    fn insert_child(
        page: &mut [u8],
        at: usize,
        separator: &Self::Separator,
        child: PageId,
    ) -> Result<(), Damage>;
    /// Removes the child at place `at` of an inner node.
    fn remove_child(page: &mut [u8], at: usize) -> Result<(), Damage>;
    /// Makes the root an inner node of two children.
    fn grow_root(
        root: &mut [u8],
        left: PageId,
        separator: &Self::Separator,
        right: PageId,
    ) -> Result<(), Damage>;
}

/// How a tree's nodes, leaves too, are divided and joined.
pub(super) trait Layout<N: Nodes> {
    /// Where to divide a node that should take `key`; `None` if it has room for it.
    fn plan(&self, page: &[u8], level: u32, key: N::Key<'_>) -> Result<Option<Split<N::Separator>>, Damage>;
    /// Moves the upper part of `left` to `right`, an empty page. Changes nothing on an error.
    fn divide(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        level: u32,
        split: &Split<N::Separator>,
    ) -> Result<(), Damage>;
    /// Whether two neighbours should become one: one of them sparse, both together not near full.
    fn mergeable(&self, left: &[u8], right: &[u8], level: u32) -> bool;
    /// Moves all of `right` to `left`. Changes nothing on an error.
    fn merge(&self, left: &mut WriteGuard<'_>, right: &mut WriteGuard<'_>, level: u32) -> Result<(), Damage>;
}

/// What became of a node and its right neighbour.
pub(super) enum Merged<S> {
    /// They are one now.
    Yes,
    /// They stay two; the next node begins here.
    No(S),
    /// The node has no right neighbour.
    Last,
}

/// A node found by descending.
struct Path<'p> {
    page: OptimisticPage<'p>,
    /// The node above, and the place in it that leads here.
    parent: Option<(OptimisticPage<'p>, usize)>,
}

/// A tree for the time of one operation.
pub(super) struct Structure<'a, N> {
    pub(super) pager: &'a Pager,
    pub(super) root: PageId,
    object: ObjectId,
    nodes: PhantomData<N>,
}

/// The restart that reports a damaged page.
pub(super) fn corrupt(page: PageId) -> impl Fn(Damage) -> Restart {
    move |Damage(reason)| Restart::Corrupt(page, reason)
}

/// A node's level, from its page's header.
pub(super) fn level_of<P: PageBytes + ?Sized>(page: &P) -> u32 {
    page.u32(PageHeader::LEVEL_AT)
}

fn set_level(page: &mut [u8], level: u32) -> Result<(), Damage> {
    super::bytes::put(page, PageHeader::LEVEL_AT, &level.to_le_bytes())
}

impl<'a, N: Nodes> Structure<'a, N> {
    pub(super) fn new(pager: &'a Pager, root: PageId, object: ObjectId) -> Self {
        Self { pager, root, object, nodes: PhantomData }
    }

    fn kind(level: u32) -> PageKind {
        if level == 0 { N::LEAF } else { PageKind::Index }
    }

    /// Whether a page is this tree's and at `level`.
    pub(super) fn owns<P: PageBytes + ?Sized>(&self, page: &P, level: u32) -> bool {
        page.u32(PageHeader::OBJECT_AT) == self.object.0
            && level_of(page) == level
            && page.u8(PageHeader::KIND_AT) == Self::kind(level) as u8
    }

    fn verified(&self, page: WriteGuard<'a>, level: u32) -> Attempt<WriteGuard<'a>> {
        if self.owns(&*page, level) {
            return Ok(page);
        }
        Err(corrupt(page.page_id())(Damage("a node is not where its parent says")))
    }

    /// The root and its level, unvalidated.
    fn start(&self) -> Attempt<(OptimisticPage<'a>, u32)> {
        let root = self.pager.optimistic(self.root)?;
        let level = level_of(&root);
        if level > MAX_LEVEL || level < N::LOWEST_ROOT {
            root.validate()?;
            return Err(corrupt(self.root)(Damage("a tree's root has an impossible level")));
        }
        Ok((root, level))
    }

    /// One step down: the child that `pick` reads from `page`. The child is the right one, since the parent is
    /// validated after the child's version was taken.
    #[inline]
    fn step(
        &self,
        page: &OptimisticPage<'a>,
        pick: impl FnOnce(&OptimisticPage<'a>) -> Result<(usize, PageId), Damage>,
    ) -> Attempt<(usize, OptimisticPage<'a>)> {
        let picked = pick(page);
        page.validate()?;
        let (at, child) = picked.map_err(corrupt(page.page_id()))?;
        let next = self.pager.optimistic(child);
        page.validate()?;
        Ok((at, next?))
    }

    /// The node at `level` that covers `key`, unvalidated. Retries if the tree is lower than that.
    #[inline]
    fn descend(&self, key: N::Key<'_>, level: u32) -> Attempt<Path<'a>> {
        let (mut page, mut height) = self.start()?;
        let mut parent = None;
        if height < level {
            return Err(Restart::Retry);
        }
        while height > level {
            let (at, next) = self.step(&page, |page| N::route(page, key))?;
            parent = Some((page, at));
            page = next;
            height -= 1;
        }
        Ok(Path { page, parent })
    }

    /// The leaf that covers `key`, for an optimistic read that the caller validates.
    #[inline]
    pub(super) fn leaf_optimistic(&self, key: N::Key<'_>) -> Attempt<OptimisticPage<'a>> {
        let leaf = self.descend(key, 0)?.page;
        if !self.owns(&leaf, 0) {
            leaf.validate()?;
            return Err(corrupt(leaf.page_id())(Damage("a leaf is not where its parent says")));
        }
        Ok(leaf)
    }

    /// The leaf that covers `key`, latched shared.
    pub(super) fn leaf_shared(&self, key: N::Key<'_>) -> Attempt<ReadGuard<'a>> {
        self.latched(key, 0, |id| self.pager.pin_shared(id))
    }

    /// The leaf that covers `key`, latched exclusively.
    pub(super) fn leaf_exclusive(&self, key: N::Key<'_>) -> Attempt<WriteGuard<'a>> {
        self.exclusive(key, 0)
    }

    /// The node at `level` that covers `key`, latched exclusively. Retries if the tree is lower than that.
    fn exclusive(&self, key: N::Key<'_>, level: u32) -> Attempt<WriteGuard<'a>> {
        self.latched(key, level, |id| self.pager.pin_exclusive(id))
    }

    /// Latches by id rather than by upgrading an optimistic read, so that a busy node is waited for instead of
    /// retried. The node may have been split, merged away or reused before the latch was granted: its header
    /// and fences tell.
    fn latched<G: Deref<Target = [u8]>>(
        &self,
        key: N::Key<'_>,
        level: u32,
        pin: impl Fn(PageId) -> Attempt<G>,
    ) -> Attempt<G> {
        let (root, height) = self.start()?;
        let (id, parent) = if height <= level {
            root.validate()?;
            (self.root, None)
        } else {
            let parent = self.descend(key, level + 1)?.page;
            let routed = N::route(&parent, key);
            parent.validate()?;
            (routed.map_err(corrupt(parent.page_id()))?.1, Some(parent))
        };
        let validate = || parent.as_ref().map_or(Ok(()), OptimisticPage::validate);
        // A page that was freed meanwhile is not missing: look again for the right one.
        let node = pin(id).or_else(|restart| validate().and(Err(restart)))?;
        if self.owns(&*node, level) && N::covers(&node, level, key) {
            return Ok(node);
        }
        validate()?;
        if parent.is_none() && level_of(&*node) != level {
            // The root has grown or come down since.
            return Err(Restart::Retry);
        }
        Err(corrupt(id)(Damage("a node is not where its parent says")))
    }

    /// Makes room for `key` in the node at `level`, or in the first full node above it that would have to take
    /// the separator. Returns whether the node at `level` itself has room now; if not, call again.
    pub(super) fn split(&self, layout: &impl Layout<N>, key: N::Key<'_>, level: u32) -> Attempt<bool> {
        let (root, height) = self.start()?;
        root.validate()?;
        if height <= level {
            return self.split_root(layout, key, level);
        }
        let mut parent = self.exclusive(key, level + 1)?;
        let above = parent.page_id();
        let (at, id) = N::route(&*parent, key).map_err(corrupt(above))?;
        let mut left = self.verified(self.pager.pin_exclusive(id)?, level)?;
        let Some(split) = layout.plan(&left, level, key).map_err(corrupt(id))? else { return Ok(true) };
        if !N::has_room(&parent, &split.separator) {
            drop(left);
            drop(parent);
            return self.split(layout, N::key_of(&split.separator), level + 1).map(|_| false);
        }
        let mut right = self.pager.allocate(Self::kind(level), self.object, level)?;
        let changed = N::insert_child(&mut parent, at + 1, &split.separator, right.page_id())
            .map_err(corrupt(above))
            .and_then(|()| {
                layout.divide(&mut left, &mut right, level, &split).map_err(|damage| {
                    let undone = N::remove_child(&mut parent, at + 1);
                    undone.map_or_else(corrupt(above), |()| corrupt(id)(damage))
                })
            });
        if let Err(damage) = changed {
            self.pager.free(right);
            return Err(damage);
        }
        Ok(true)
    }

    /// Moves the root's content into two new children, so that the root keeps its id.
    fn split_root(&self, layout: &impl Layout<N>, key: N::Key<'_>, level: u32) -> Attempt<bool> {
        let mut root = self.exclusive(key, level)?;
        if root.page_id() != self.root {
            // Another thread has split it first.
            return Err(Restart::Retry);
        }
        let Some(split) = layout.plan(&root, level, key).map_err(corrupt(self.root))? else {
            return Ok(true);
        };
        let mut left = self.pager.allocate(Self::kind(level), self.object, level)?;
        let mut right = match self.pager.allocate(Self::kind(level), self.object, level) {
            Ok(right) => right,
            Err(restart) => {
                self.pager.free(left);
                return Err(restart);
            }
        };
        copy_body(&root, &mut left);
        let changed = layout.divide(&mut left, &mut right, level, &split).and_then(|()| {
            N::grow_root(&mut root, left.page_id(), &split.separator, right.page_id())?;
            set_level(&mut root, level + 1)
        });
        if let Err(damage) = changed {
            self.pager.free(left);
            self.pager.free(right);
            return Err(corrupt(self.root)(damage));
        }
        Ok(true)
    }

    /// Merges the node at `level` that covers `key` with its right neighbour under the same parent, if the
    /// layout wants it.
    pub(super) fn merge(
        &self,
        layout: &impl Layout<N>,
        key: N::Key<'_>,
        level: u32,
    ) -> Attempt<Merged<N::Separator>> {
        let path = self.descend(key, level)?;
        let Some((parent, at)) = path.parent else {
            path.page.validate()?;
            return Ok(Merged::Last);
        };
        let (count, right) = (N::children(&parent), N::child(&parent, at + 1));
        parent.validate()?;
        let left = path.page.page_id();
        // Latch shared first: most pairs stay two, and looking must neither dirty them nor stop readers.
        let first = self.pager.pin_shared(left)?;
        parent.validate()?;
        if !self.owns(&*first, level) {
            return Err(corrupt(left)(Damage("a node is not where its parent says")));
        }
        let stay = N::upper(&first, level).map_or(Merged::Last, Merged::No);
        if at + 1 >= count {
            return Ok(stay);
        }
        let second = self.pager.pin_shared(right).or_else(|restart| parent.validate().and(Err(restart)))?;
        if !self.owns(&*second, level) || !layout.mergeable(&first, &second, level) {
            parent.validate()?;
            return Ok(stay);
        }
        drop(second);
        drop(first);
        let mut parent = self.exclusive(key, level + 1)?;
        let above = parent.page_id();
        let (at, left) = N::route(&*parent, key).map_err(corrupt(above))?;
        if at + 1 >= N::children(&*parent) {
            return Err(Restart::Retry);
        }
        let right = N::child(&*parent, at + 1);
        let mut left = self.verified(self.pager.pin_exclusive(left)?, level)?;
        let mut right = self.verified(self.pager.pin_exclusive(right)?, level)?;
        if !layout.mergeable(&left, &right, level) {
            return Err(Restart::Retry);
        }
        layout.merge(&mut left, &mut right, level).map_err(corrupt(left.page_id()))?;
        N::remove_child(&mut parent, at + 1).map_err(corrupt(above))?;
        self.pager.free(right);
        Ok(Merged::Yes)
    }

    /// Pulls a root's only child up into it. Returns whether there was one.
    pub(super) fn lower_root(&self) -> Attempt<bool> {
        let (root, height) = self.start()?;
        let (count, child) = (N::children(&root), N::child(&root, 0));
        root.validate()?;
        if height <= N::LOWEST_ROOT || count != 1 {
            return Ok(false);
        }
        let mut root = root.upgrade()?;
        let child = self.verified(self.pager.pin_exclusive(child)?, height - 1)?;
        copy_body(&child, &mut root);
        set_level(&mut root, height - 1).map_err(corrupt(self.root))?;
        self.pager.free(child);
        Ok(true)
    }

    /// Frees the last page of the tree, bottom up. Returns false once the root is gone. Between two calls the
    /// tree is whole but for the freed keys, so that a cut may come between.
    pub(super) fn free_last(&self) -> Attempt<bool> {
        let (mut page, mut height) = self.start()?;
        let mut parent = None;
        while height > 0 {
            let last = N::children(&page).checked_sub(1);
            page.validate()?;
            let Some(last) = last else { break };
            let (at, next) = self.step(&page, |page| Ok((last, N::child(page, last))))?;
            parent = Some((page, at));
            page = next;
            height -= 1;
        }
        let id = page.page_id();
        let Some((parent, at)) = parent else {
            let root = page.upgrade()?;
            self.pager.free(self.verified(root, height)?);
            return Ok(false);
        };
        let mut parent = parent.upgrade()?;
        let page = self.verified(self.pager.pin_exclusive(id)?, height)?;
        N::remove_child(&mut parent, at).map_err(corrupt(parent.page_id()))?;
        self.pager.free(page);
        Ok(true)
    }

    /// A new, single-page root, for the caller to fill.
    pub(super) fn allocate_root(pager: &'a Pager, object: ObjectId) -> Attempt<WriteGuard<'a>> {
        pager.allocate(Self::kind(N::LOWEST_ROOT), object, N::LOWEST_ROOT)
    }
}

fn copy_body(from: &[u8], to: &mut [u8]) {
    let body = HEADER_SIZE..;
    if let (Some(from), Some(to)) = (from.get(body.clone()), to.get_mut(body)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

impl PageBytes for OptimisticPage<'_> {
    #[inline]
    fn size(&self) -> usize {
        OptimisticPage::size(self)
    }

    #[inline]
    fn u8(&self, at: usize) -> u8 {
        self.u8(at)
    }

    #[inline]
    fn u16(&self, at: usize) -> u16 {
        self.u16(at)
    }

    #[inline]
    fn u32(&self, at: usize) -> u32 {
        self.u32(at)
    }

    #[inline]
    fn u64(&self, at: usize) -> u64 {
        self.u64(at)
    }

    #[inline]
    fn copy(&self, at: usize, out: &mut [u8]) {
        self.copy(at, out);
    }

    #[inline]
    fn compare(&self, at: usize, len: usize, key: &[u8]) -> std::cmp::Ordering {
        self.compare(at, len, key)
    }
}
