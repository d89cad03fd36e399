//! Cuts and recovery: how the database gets from one durable state to the next, and back up after a crash.
//!
//! ```text
//!            barrier                              superblock switch
//!   ----+-------+--------------------------------------+---------------> time
//!       |  epoch and log position are noted,           |
//!       |  open transactions with their newest undo    |
//!       |       background: dirty pages, cut state,    |
//!       |       domain table, page map, free map       |
//! ```
//! A cut holds the pages as they were at the barrier, changes of open transactions included, and with them what takes
//! those changes back. The log holds the effects of committed transactions. Recovery is: load the cut, take back what
//! was open, clear what was garbage, apply every transaction whose commit lies at or after the cut's position, in the
//! order of commits.
//!
//! Invariants:
//! 1. At the barrier no row operation is in progress and no commit: a transaction is wholly before the cut's log
//!    position, or its commit is at or after it and its changes are in the cut's undo.
//! 2. The log from the cut's *replay start* on is kept: the cut's position, or the first chunk of a transaction open at
//!    the barrier, if that is earlier.
//! 3. Recovery changes memory only, until the cut at its end: a crash during recovery leaves what it started from.
//! 4. That cut names a new log, whose segment is durable already and empty.

mod recovery;
mod state;

use crate::error::{Result, StorageError};
use crate::ids::{Lsn, ObjectId};
use crate::pager::space::Cut;
use crate::table::Store;
use crate::wal::Wal;
use parking_lot::Mutex;
use state::{CutState, Domains, OpenTransaction};
use std::sync::atomic::{AtomicU64, Ordering};

pub use recovery::{Recovered, recover};

/// Takes cuts, one at a time.
#[derive(Default)]
pub struct Checkpointer {
    one: Mutex<()>,
    /// The log position of the last cut.
    last: AtomicU64,
}

impl Checkpointer {
    /// The log position of the last cut.
    pub fn last_cut(&self) -> Lsn {
        Lsn(self.last.load(Ordering::Relaxed))
    }

    /// Makes the state at a moment after the call durable, and gives the log before it up. `log` is the log and its
    /// salt; with `clean` nothing is open and the log is not needed.
    ///
    /// # Errors
    /// When the cut cannot be written, the former one stands and everything goes on; when a sync fails, the database
    /// is stopped.
    pub fn cut(&self, store: &Store, log: (&Wal, u64), clean: bool) -> Result<()> {
        let _one = self.one.lock();
        let (wal, salt) = log;
        let transactions = store.transactions();
        let collector = store.pause_collector();
        let (epoch, cut_lsn, newest, open, tables) = {
            let commits = transactions.commits().freeze_commits();
            transactions.row_ops().barrier(|| {
                let epoch = store.pager().begin_cut();
                (epoch, wal.end(), commits.last(), transactions.open(), store.tables_at_cut())
            })
        };
        let written = (|| {
            let garbage = transactions.pending_garbage(newest);
            drop(collector);
            let open: Vec<OpenTransaction> = open
                .into_iter()
                .map(|(id, log, head)| OpenTransaction { id, first_chunk: log.first_chunk(), head })
                .collect();
            let replay_start = open
                .iter()
                .filter_map(|tx| tx.first_chunk)
                .fold(cut_lsn, |start: Lsn, chunk| start.min(chunk));
            store.pager().write_cut(epoch)?;
            if store.pager().cut_failed() {
                return Err(StorageError::Corrupt { reason: "a page of the cut was lost".to_owned() }.into());
            }
            let space = store.pager().space();
            let cut_state = space.write_blob(&CutState::encode(cut_lsn, &open, &garbage))?;
            let domains = space.write_blob(&Domains::encode(store.next_object(), &tables))?;
            wal.flush(cut_lsn)?;
            transactions.commits().durable(wal.durable());
            store.pager().finish_cut(Cut {
                epoch,
                changes: store.pager().cut_changes(),
                cut_state,
                domains,
                catalog_root: 0,
                wal_start: replay_start,
                wal_salt: salt,
                commit_ts: newest,
                clean,
            })?;
            Ok(replay_start)
        })();
        match written {
            Ok(replay_start) => {
                self.last.store(cut_lsn.0, Ordering::Relaxed);
                // The cut stands whether or not old segments can be reused.
                wal.recycle(replay_start).ok();
                Ok(())
            }
            Err(error) => {
                if store.pager().space().is_poisoned() {
                    transactions.stop();
                } else {
                    store.pager().abandon_cut();
                }
                Err(error)
            }
        }
    }
}

/// The object ids of the system's own tables are below this.
pub const FIRST_OBJECT: ObjectId = ObjectId(16);
