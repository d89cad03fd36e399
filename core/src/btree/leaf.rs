//! The leaf of a row tree: the part of its page that the tree knows, and what the tree asks of the table.
//!
//! ```text
//!   96  first row id u64  (fences, both inclusive)
//!  104  last row id u64
//!  112  next leaf u64 (a hint, 0 = none)
//!  120  zero u64
//!  128  the table's
//! ```

use super::bytes::{Damage, PageBytes, put};
use crate::ids::{PageId, RowId};
use crate::pager::WriteGuard;
use crate::pager::space::HEADER_SIZE;

const BODY: usize = HEADER_SIZE;
const FIRST: usize = BODY;
const LAST: usize = BODY + 8;
const NEXT: usize = BODY + 16;

/// Where the table's part of a leaf begins.
pub const LEAF_BODY: usize = BODY + 32;

/// The row ids a node may hold. Both ends belong to it, so that the greatest id needs no special case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fences {
    /// The least row id.
    pub first: RowId,
    /// The greatest row id.
    pub last: RowId,
}

impl Fences {
    /// Those of a node that is alone on its level.
    pub const ALL: Self = Self { first: RowId(0), last: RowId(u64::MAX) };

    /// Reads a leaf's fences.
    #[inline]
    pub fn of<P: PageBytes + ?Sized>(leaf: &P) -> Self {
        Self { first: RowId(leaf.u64(FIRST)), last: RowId(leaf.u64(LAST)) }
    }

    /// Whether the node may hold `row`.
    #[inline]
    pub fn cover(self, row: RowId) -> bool {
        self.first <= row && row <= self.last
    }

    /// The first row id above the node, if there is one.
    pub fn after(self) -> Option<RowId> {
        self.last.0.checked_add(1).map(RowId)
    }
}

/// Where a walk over the leaves goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NextLeaf {
    /// The first row id of the leaf.
    pub first: RowId,
    /// The page it probably is.
    pub(super) hint: Option<PageId>,
}

impl NextLeaf {
    /// The leaf that a walk over all rows begins with.
    pub const FIRST: Self = Self { first: RowId(0), hint: None };

    /// The leaf after this one, if it is not the last.
    pub fn after<P: PageBytes + ?Sized>(leaf: &P) -> Option<Self> {
        let hint = Some(leaf.u64(NEXT)).filter(|id| *id != 0).map(PageId);
        Fences::of(leaf).after().map(|first| Self { first, hint })
    }
}

pub(super) fn set_fences(leaf: &mut [u8], fences: Fences) -> Result<(), Damage> {
    put(leaf, FIRST, &fences.first.0.to_le_bytes())?;
    put(leaf, LAST, &fences.last.0.to_le_bytes())
}

pub(super) fn set_next(leaf: &mut [u8], next: Option<PageId>) -> Result<(), Damage> {
    put(leaf, NEXT, &next.unwrap_or_default().0.to_le_bytes())
}

pub(super) fn next(leaf: &[u8]) -> Option<PageId> {
    Some(leaf.u64(NEXT)).filter(|id| *id != 0).map(PageId)
}

/// What a row tree asks of the table that owns its leaves. An implementation may carry what one operation needs
/// to know, such as the size of the row to be inserted.
///
/// The tree reads and writes only the bytes before [`LEAF_BODY`], the table only those from there on. Guards come
/// along so that what hangs off a page in memory can move with its rows.
pub trait Leaf {
    /// Makes a zeroed page an empty leaf.
    fn init(&self, leaf: &mut WriteGuard<'_>) -> Result<(), Damage>;

    /// The first row id that should move to a new right neighbour, so that `row` gets room; `None` if it has room
    /// already (another thread may have split the leaf). It must lie above the leaf's first fence and not above
    /// its last. A row above all others that gives itself opens a leaf of its own and leaves this one full.
    fn separator(&self, leaf: &[u8], row: RowId) -> Result<Option<RowId>, Damage>;

    /// Moves the rows from `separator` on to `right`, a zeroed page with its fences set. Changes nothing on an
    /// error.
    fn split(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        separator: RowId,
    ) -> Result<(), Damage>;

    /// Whether two neighbours should become one: one of them sparse, both together not near full.
    fn mergeable(&self, left: &[u8], right: &[u8]) -> bool;

    /// Moves all rows of `right` to `left`. Changes nothing on an error.
    fn merge(&self, left: &mut WriteGuard<'_>, right: &mut WriteGuard<'_>) -> Result<(), Damage>;

    /// Verifies the leaf, whose fences are right, and counts its rows.
    fn check(&self, leaf: &[u8]) -> Result<u64, Damage>;
}
