//! The part of a row tree's leaf that the tree knows: fences and the hint to the next leaf. The rest of the
//! page, from [`LEAF_BODY`] on, belongs to the table.
//!
//! ```text
//!   96  lower fence u64 (inclusive)
//!  104  upper fence u64 (exclusive; u64::MAX = unbounded, and then u64::MAX belongs to the leaf)
//!  112  next leaf u64 (a hint, 0 = none)
//!  120  zero u64
//!  128  the table's
//! ```

use super::bytes::{Damage, PageBytes, put};
use super::inner::within;
use crate::ids::{PageId, RowId};

const BODY: usize = 96;
const LOWER: usize = BODY;
const UPPER: usize = BODY + 8;
const NEXT: usize = BODY + 16;

/// Where the table's part of a leaf begins.
pub const LEAF_BODY: usize = BODY + 32;

/// The row ids a leaf may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fences {
    /// The least row id of the leaf.
    pub lower: RowId,
    /// The least row id above the leaf; `u64::MAX` means that nothing is above.
    pub upper: RowId,
}

impl Fences {
    /// Those of a leaf that is alone.
    pub const ALL: Self = Self { lower: RowId(0), upper: RowId(u64::MAX) };

    /// Reads a leaf's fences.
    #[inline]
    pub fn of<P: PageBytes + ?Sized>(page: &P) -> Self {
        Self { lower: RowId(page.u64(LOWER)), upper: RowId(page.u64(UPPER)) }
    }

    /// Whether the leaf may hold `row`.
    #[inline]
    pub fn cover(self, row: RowId) -> bool {
        within(self.lower.0, self.upper.0, row.0)
    }

    /// Where the next leaf begins; `None` if this is the last.
    pub fn after(self) -> Option<RowId> {
        Some(self.upper).filter(|upper| upper.0 != u64::MAX)
    }
}

/// The leaf after this one, as far as this one knows.
pub(super) fn next<P: PageBytes + ?Sized>(page: &P) -> Option<PageId> {
    Some(page.u64(NEXT)).filter(|id| *id != 0).map(PageId)
}

pub(super) fn set_fences(page: &mut [u8], fences: Fences) -> Result<(), Damage> {
    put(page, LOWER, &fences.lower.0.to_le_bytes())?;
    put(page, UPPER, &fences.upper.0.to_le_bytes())
}

pub(super) fn set_next(page: &mut [u8], next: Option<PageId>) -> Result<(), Damage> {
    put(page, NEXT, &next.unwrap_or_default().0.to_le_bytes())
}
