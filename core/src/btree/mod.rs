//! B+-trees over pages of the pool.
//!
//! Two trees share one way of descending, splitting and merging:
//!
//! * [`IndexTree`]: byte keys compared as memory, unique because each ends with its row's id; nothing but keys
//!   in the leaves. Nodes are slotted (`node`).
//! * [`RowTree`]: `u64` row ids; inner nodes are dense arrays (`inner`), leaves belong to the table ([`Leaf`]).
//!
//! ```text
//!                      [ -inf .. +inf )              root: its page id never changes; when it is full its
//!                     /       |        \             content moves into two new children
//!          [-inf..m)       [m..t)       [t..+inf)    every node knows its fences [lower, upper)
//!          /      \        /    \        /     \
//!      leaf ---> leaf -> leaf -> leaf -> leaf ...    the arrow is a hint; the fences decide
//! ```
//!
//! Rules, which every operation keeps:
//!
//! 1. A key `k` lives in the one leaf with `lower <= k < upper`. Sibling fences meet without gap or overlap, and
//!    the parent's separator of a child is the child's lower fence.
//! 2. Descents are optimistic: read the child pointer, take the child's version, validate the parent. Whoever
//!    changes which keys a node holds has its parent latched exclusively, so a validated parent means that the
//!    child is the right one. Nothing read optimistically decides anything before it is validated.
//! 3. At most three pages are latched exclusively by a thread: parent, then left, then right. A split whose
//!    parent is full drops everything, splits the parent (and so on up), and starts again from the root; each
//!    such step leaves a whole tree.
//! 4. An attempt makes all its latches and allocations before its first change, so leaving it with a `Restart`
//!    changes no key. It never reads a page from disk.
//! 5. Structure changes are not logged: the cut holds whole trees and the log replays rows.
//! 6. Pages are merged lazily and only on request (`merge_sparse`), never by a reader or a deleter.
//! 7. A page with any content at all gives wrong answers at worst; never a panic, a wild read or an endless
//!    loop. `check` tells.

mod bulk;
mod bytes;
mod cursor;
mod index;
mod inner;
mod keys;
mod leaf;
mod node;
mod report;
mod row;
mod structure;
#[cfg(test)]
mod tests;

pub use bulk::BulkBuilder;
pub use bytes::{Damage, PageBytes};
pub use cursor::{Cursor, Direction, Entry, KeyRange};
pub use index::{IndexTree, LeafStamp, Match};
pub use leaf::{Fences, LEAF_BODY, Leaf, NextLeaf};
pub use node::max_key_len;
pub use report::TreeReport;
pub use row::RowTree;
