//! Logical page ids: which are unused, in memory and in the durable cut.
//!
//! On disk unused ids form a chain through their entries in the page map. A cut marks as unused exactly the
//! ids below its next id that its pages do not use, so an id handed out but not yet in a cut is unused again
//! after a crash. In memory the two views are apart:
//!
//! * [`PageIds`]: what may be handed out now, taken without I/O. Refilled from the chain before a cut and at
//!   open, a bounded piece at a time; when it is empty ids that were never used are taken.
//! * [`FreeChain`]: the durable chain. Its front part is in memory and is rewritten by a cut; the rest is on
//!   disk only, and no id of it has been handed out.

use super::page_file::PageFile;
use super::page_map::{Entry, MapTree};
use crate::error::{Error, Result, StorageError};
use crate::ids::PageId;
use crate::sync::Mutex;
use std::collections::{HashSet, VecDeque};

/// Refill below so many ids at hand ...
const LOW_MARK: usize = 1024;
/// ... by at most so many ...
const REFILL_IDS: usize = 8192;
/// ... and at most so many page-map leaves read.
const REFILL_LEAVES: usize = 16;

fn damaged(reason: &'static str) -> Error {
    StorageError::Corrupt { reason: format!("free page ids: {reason}") }.into()
}

/// Ids to hand out.
pub(super) struct PageIds {
    state: Mutex<Available>,
}

struct Available {
    /// Never used before, with all above.
    next: u64,
    unused: Vec<u64>,
}

impl PageIds {
    pub(super) fn new(next: u64) -> Self {
        Self { state: Mutex::new(Available { next, unused: Vec::new() }) }
    }

    pub(super) fn allocate(&self) -> PageId {
        let mut state = self.state.lock();
        let id = state.unused.pop().unwrap_or_else(|| {
            state.next += 1;
            state.next - 1
        });
        PageId(id)
    }

    pub(super) fn free(&self, pid: PageId) {
        let mut state = self.state.lock();
        assert!(pid.0 != 0 && pid.0 < state.next, "only ids handed out are freed");
        state.unused.push(pid.0);
    }

    /// No id at or above this was ever handed out.
    pub(super) fn next(&self) -> u64 {
        self.state.lock().next
    }
}

/// The chain of unused ids of the durable cut.
#[derive(Clone)]
pub(super) struct FreeChain {
    /// The front of the chain, last element first in it.
    loaded: VecDeque<u64>,
    /// Where the part on disk starts, 0 if there is none.
    rest: u64,
    /// The durable next id.
    next_id: u64,
}

impl FreeChain {
    pub(super) fn new(head: u64, next_id: u64) -> Self {
        Self { loaded: VecDeque::new(), rest: head, next_id }
    }

    pub(super) fn head(&self) -> u64 {
        self.loaded.back().copied().unwrap_or(self.rest)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Moves ids from the part on disk to those at hand, if these are few.
    pub(super) fn refill(&mut self, ids: &PageIds, map: &MapTree, file: &PageFile) -> Result<()> {
        if self.rest == 0 || ids.state.lock().unused.len() >= LOW_MARK {
            return Ok(());
        }
        let mut seen: HashSet<u64> = self.loaded.iter().copied().collect();
        let (mut found, mut leaves) = (Vec::new(), 0);
        while self.rest != 0 && found.len() < REFILL_IDS {
            if !map.is_loaded(self.rest) {
                leaves += 1;
                if leaves > REFILL_LEAVES {
                    break;
                }
            }
            let entry = map.get(file, self.rest)?;
            if self.rest >= self.next_id || !entry.is_free() {
                return Err(damaged("the chain holds a page in use"));
            }
            if !seen.insert(self.rest) {
                return Err(damaged("the chain is a cycle"));
            }
            found.push(self.rest);
            self.rest = entry.next_free();
        }
        found.iter().for_each(|id| self.loaded.push_front(*id));
        // Ids nearest to the front of the chain are handed out first: taking them rewrites the fewest links.
        found.reverse();
        let mut state = ids.state.lock();
        found.append(&mut state.unused);
        state.unused = found;
        Ok(())
    }

    /// The chain after a cut that starts to use the ids `taken`, of which those below the next id were unused,
    /// and no longer uses `freed`; with the page-map entries to change. `taken` is ascending.
    pub(super) fn after(&self, taken: &[u64], freed: &[u64]) -> Result<(Self, Vec<(u64, Entry)>)> {
        let used: HashSet<u64> = taken.iter().copied().take_while(|id| *id < self.next_id).collect();
        let mut chain = Self { loaded: VecDeque::new(), rest: self.rest, next_id: self.next_id };
        let mut changes = Vec::new();
        let mut link = |chain: &mut Self, id: u64, old_next: Option<u64>| {
            let next = chain.head();
            if old_next != Some(next) {
                changes.push((id, Entry::free(next)));
            }
            chain.loaded.push_back(id);
        };
        let mut old_next = self.rest;
        for id in &self.loaded {
            if !used.contains(id) {
                link(&mut chain, *id, Some(old_next));
            }
            old_next = *id;
        }
        if self.loaded.len() - chain.loaded.len() != used.len() {
            return Err(damaged("a page came into use whose id was not in the chain"));
        }
        for id in freed {
            link(&mut chain, *id, None);
        }
        for id in taken.iter().skip(used.len()) {
            for skipped in chain.next_id..*id {
                link(&mut chain, skipped, None);
            }
            chain.next_id = id + 1;
        }
        Ok((chain, changes))
    }
}
