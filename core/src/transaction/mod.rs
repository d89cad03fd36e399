//! Transactions: who sees what, in which order commits happen, who waits for whom.
//!
//! ```text
//!   begin -> [StatusTable] slot, id --------------------------------------------.
//!   read  -> [Snapshots] timestamp, kept by a handle                            |
//!   write -> [RowOps] one row operation a row; versions carry a [Stamp] = id    |
//!   commit-> [CommitOrder] ts, redo to the log, status committed(ts), visible   |
//!            log flushed -> durable_ts                                          |
//!   later -> stamps become timestamps; all stamped: slot released <-------------'
//! ```
//!
//! Versions hold no copy of their writer's fate: they point at the status table until somebody stamps them
//! with the commit's timestamp. Visibility is then one comparison with the snapshot's timestamp.
//!
//! 1. A commit's status is set before `visible_ts` covers it; whoever reads at a timestamp finds every commit
//!    up to it.
//! 2. Commits have the same order in time stamps, in the log and in visibility.
//! 3. No version is dropped that a snapshot in use, or one taken later, can see.
//!
//! Lock order inside this module, outermost first: commit mutex, barrier, deadlock graph, lock shard, one
//! waiter. No function here calls back into pages or files; the only closure run under a lock is the one that
//! appends a commit's redo.

mod cancel;
mod commit;
mod deadlock;
mod garbage;
mod locks;
mod modes;
mod open;
mod queue;
mod redo;
mod rowop;
mod savepoints;
mod snapshot;
mod status;
mod table_locks;
mod undo;
mod versions;

pub use cancel::{Cancel, Patience};
pub use commit::{CommitFreeze, CommitOrder, Committed, Durability};
pub use deadlock::LockerId;
pub use garbage::Garbage;
pub use locks::{Ended, LockEntry, LockMark, Locker, Locks, Resource, RowKey, RowTurn};
pub use modes::{RowLockMode, TableLockMode};
pub use open::{Isolation, Mark, Participant, Transaction, Transactions, UndoTarget};
pub use redo::{Effect, Effects, LogRecord};
pub use rowop::{RowOpGuard, RowOps};
pub use savepoints::Savepoints;
pub use snapshot::{ActiveSnapshots, SessionSnapshots, Snapshot, SnapshotHandle, SnapshotKind, Snapshots};
pub use status::{MAX_TRANSACTIONS, Stamp, StampState, Status, StatusTable};
pub use undo::{Change, UndoLog, UndoRecord};
pub use versions::{ReadView, Resolution, VersionMap};

#[cfg(test)]
#[cfg(shuttle)]
mod models;
