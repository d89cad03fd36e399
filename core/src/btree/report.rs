//! Verification of whole trees.

use super::bytes::{Damage, PageBytes};
use super::index::IndexTree;
use super::inner;
use super::leaf::{Fences, Leaf};
use super::node::{Node, capacity};
use super::row::RowTree;
use super::structure::{MAX_LEVEL, Nodes, Structure, level_of};
use crate::Result;
use crate::error::StorageError;
use crate::ids::{PageId, RowId};
use crate::pager::Pager;
use crate::pager::space::HEADER_SIZE;
use std::collections::HashSet;

/// What a verified tree consists of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TreeReport {
    /// Levels, leaves included.
    pub levels: u32,
    /// Pages above the leaves.
    pub inner_pages: u64,
    /// Leaves.
    pub leaf_pages: u64,
    /// Keys or rows in the leaves.
    pub entries: u64,
    /// Percent of the leaves' bodies in use; 0 where the leaves do not tell.
    pub leaf_fill: u64,
    /// Every page of the tree.
    pub pages: Vec<PageId>,
}

fn damaged(page: PageId, reason: &'static str) -> crate::Error {
    StorageError::CorruptPage { page: page.0, reason }.into()
}

/// A copy of a node: its children with their fences, or what its leaf holds.
enum Content<F> {
    Inner(Vec<(PageId, F)>),
    Leaf { entries: u64, used: u64 },
}

/// Verifies a node's bytes against its level and fences, and says what it holds.
type Read<'a, F> = &'a dyn Fn(&[u8], u32, &F) -> Result<Content<F>, Damage>;

struct Walk<'a, N, F> {
    structure: Structure<'a, N>,
    seen: HashSet<PageId>,
    report: TreeReport,
    used: u64,
    read: Read<'a, F>,
}

impl<'a, N: Nodes, F> Walk<'a, N, F> {
    fn new(structure: Structure<'a, N>, read: Read<'a, F>) -> Self {
        Self { structure, seen: HashSet::new(), report: TreeReport::default(), used: 0, read }
    }

    fn run(mut self, all: &F) -> Result<TreeReport> {
        let root = self.structure.root;
        let level = level_of(self.page(root)?.as_slice());
        if level > MAX_LEVEL || level < N::LOWEST_ROOT {
            return Err(damaged(root, "a tree's root has an impossible level"));
        }
        self.report.levels = level + 1;
        self.visit(root, level, all)?;
        let body = u64::try_from(self.structure.pager.page_size() - HEADER_SIZE).unwrap_or(u64::MAX);
        self.report.leaf_fill = self.used * 100 / self.report.leaf_pages.max(1) / body.max(1);
        self.report.pages = self.seen.into_iter().collect();
        Ok(self.report)
    }

    fn page(&self, id: PageId) -> Result<Vec<u8>> {
        let pager = self.structure.pager;
        pager.retry(|| pager.pin_shared(id).map(|page| page.to_vec()))
    }

    fn visit(&mut self, id: PageId, level: u32, fences: &F) -> Result<()> {
        if !self.seen.insert(id) {
            return Err(damaged(id, "a node has two parents"));
        }
        let page = self.page(id)?;
        if !self.structure.owns(page.as_slice(), level) {
            return Err(damaged(id, "a node is not where its parent says"));
        }
        match (self.read)(&page, level, fences).map_err(|Damage(reason)| damaged(id, reason))? {
            Content::Leaf { entries, used } => {
                self.report.leaf_pages += 1;
                self.report.entries += entries;
                self.used += used;
            }
            Content::Inner(children) => {
                self.report.inner_pages += 1;
                for (child, fences) in children {
                    self.visit(child, level - 1, &fences)?;
                }
            }
        }
        Ok(())
    }
}

type KeyFences = (Vec<u8>, Option<Vec<u8>>);

fn read_index(page: &[u8], level: u32, fences: &KeyFences) -> Result<Content<KeyFences>, Damage> {
    let node = Node::new(page);
    node.check()?;
    if node.is_inner() != (level > 0) {
        return Err(Damage("a node's kind is not its level's"));
    }
    if (node.lower(), node.upper()) != *fences {
        return Err(Damage("a node's fences are not its parent's separators"));
    }
    let count = node.count();
    if !node.is_inner() {
        let used = node.used() + (page.size() - HEADER_SIZE) - capacity(page.size());
        return Ok(Content::Leaf {
            entries: u64::try_from(count).unwrap_or(0),
            used: u64::try_from(used).unwrap_or(0),
        });
    }
    if count == 0 {
        return Err(Damage("an inner node of an index has no children"));
    }
    let end = |i: usize| if i + 1 < count { Some(node.key(i + 1)) } else { fences.1.clone() };
    Ok(Content::Inner((0..count).map(|i| (node.child(i), (node.key(i), end(i)))).collect()))
}

impl IndexTree {
    /// Verifies every node: its own bytes, its place under its parent, order, fences, that no page is reached
    /// twice. The tree's structure must not change meanwhile.
    pub fn check(&self, pager: &Pager) -> Result<TreeReport> {
        Walk::new(self.structure(pager), &read_index).run(&(Vec::new(), None))
    }
}

fn read_row<L: Leaf>(leaf: &L, page: &[u8], level: u32, fences: &Fences) -> Result<Content<Fences>, Damage> {
    if level == 0 {
        if Fences::of(page) != *fences {
            return Err(Damage("a leaf's fences are not its parent's separators"));
        }
        return Ok(Content::Leaf { entries: leaf.check(page)?, used: 0 });
    }
    inner::check(page)?;
    if inner::fences(page) != *fences {
        return Err(Damage("a node's fences are not its parent's separators"));
    }
    let count = inner::count(page);
    let last = |i| if i + 1 < count { RowId(inner::key(page, i + 1).0 - 1) } else { fences.last };
    let child = |i| (inner::child(page, i), Fences { first: inner::key(page, i), last: last(i) });
    Ok(Content::Inner((0..count).map(child).collect()))
}

impl RowTree {
    /// Verifies every node: its own bytes, its place under its parent, order, fences, that no page is reached
    /// twice. The tree's structure must not change meanwhile.
    pub fn check<L: Leaf>(&self, pager: &Pager, leaf: &L) -> Result<TreeReport> {
        let read = |page: &[u8], level: u32, fences: &Fences| read_row(leaf, page, level, fences);
        Walk::new(self.structure(pager), &read).run(&Fences::ALL)
    }
}
