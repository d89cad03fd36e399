//! The folder of segments: which are in use, which wait for their turn, and how room is made.

use super::format::BLOCK_BYTES;
use super::{WalOptions, io_error};
use crate::error::Result;
use crate::ids::Lsn;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::vfs::{OpenOptions, Vfs, VfsFile};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIRECT: OpenOptions = OpenOptions { write: true, create: false, create_new: false, direct: true };

/// What a segment surely offers to claims. The rest covers what the change to the next segment wastes: an
/// end too short for a frame, and the second header of a frame that is split.
pub(super) fn usable_bytes(options: &WalOptions) -> u64 {
    options.segment_bytes - BLOCK_BYTES - 1024
}

/// A segment that is not written yet but has its room and its name.
pub(super) struct Ready {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn VfsFile>,
    /// Up to here the file's blocks were written at least once.
    pub(super) filled: u64,
}

/// What recycling changed.
#[derive(Default)]
pub(super) struct Recycled {
    /// Segments that became ready.
    pub(super) added: u64,
    /// Segments that were ready before and are more than the log has lately used.
    pub(super) surplus: u64,
}

struct Used {
    number: u64,
    start: Lsn,
}

#[derive(Default)]
struct State {
    /// Segments of earlier openings, and the LSN that none of them passes.
    earlier: Vec<u64>,
    earlier_end: Lsn,
    /// Segments of this opening; the last is being written.
    used: VecDeque<Used>,
    ready: VecDeque<Ready>,
    /// How many segments came into use since the last recycling: as many are kept for the next time.
    recent: usize,
}

/// All segments of a log.
pub(super) struct Segments {
    vfs: Arc<dyn Vfs>,
    folder: PathBuf,
    bytes: u64,
    state: Mutex<State>,
    /// The next number to give; held while files are made or renamed, never while the log is written.
    /// A number whose file could not be made is not given again, so a chain may skip some.
    next_number: Mutex<u64>,
    /// A thread is in `add_ahead`.
    adding_ahead: AtomicBool,
}

pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}.wal"))
}

/// The numbers of all segments in a folder, ascending.
pub(super) fn list_segments(vfs: &dyn Vfs, folder: &Path) -> Result<Vec<u64>> {
    let names = vfs.list(folder).map_err(|e| io_error("list", folder, e))?;
    let number = |name: &String| {
        let digits = name.strip_suffix(".wal").filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    let mut numbers: Vec<_> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

impl Segments {
    /// Finds what is in the folder, which is made if it is missing. All of it lies below `start`.
    pub(super) fn open(vfs: Arc<dyn Vfs>, folder: &Path, bytes: u64, start: Lsn) -> Result<Self> {
        vfs.create_dir(folder).map_err(|e| io_error("create", folder, e))?;
        if let Some(parent) = folder.parent() {
            vfs.sync_dir(parent).map_err(|e| io_error("sync", parent, e))?;
        }
        let earlier = list_segments(&*vfs, folder)?;
        let next_number = earlier.last().map_or(1, |last| last + 1);
        let state = State { earlier, earlier_end: start, ..State::default() };
        Ok(Self {
            vfs,
            folder: folder.to_owned(),
            bytes,
            state: Mutex::new(state),
            next_number: Mutex::new(next_number),
            adding_ahead: AtomicBool::new(false),
        })
    }

    /// Makes one more segment ready.
    pub(super) fn add(&self) -> Result<()> {
        let mut next_number = self.next_number.lock();
        let number = *next_number;
        *next_number += 1;
        let path = segment_path(&self.folder, number);
        let options = OpenOptions { create_new: true, ..DIRECT };
        let made = self.vfs.open(&path, options).and_then(|file| {
            file.allocate(self.bytes)?;
            file.sync()?;
            self.vfs.sync_dir(&self.folder)?;
            Ok(file)
        });
        let file = made.map_err(|e| {
            // Half a segment would only keep the room from others. Should it stay, the next opening finds it
            // among the earlier ones.
            let _ = self.vfs.remove(&path);
            io_error("extend", &path, e)
        })?;
        self.state.lock().ready.push_back(Ready { number, path, file, filled: 0 });
        Ok(())
    }

    /// Makes a segment ready if none is and nobody else is about to; whether it did.
    pub(super) fn add_ahead(&self) -> Result<bool> {
        if !self.state.lock().ready.is_empty() || self.adding_ahead.swap(true, Ordering::Acquire) {
            return Ok(false);
        }
        let added = self.add();
        self.adding_ahead.store(false, Ordering::Release);
        added.map(|()| true)
    }

    /// Takes the next ready segment into use, from LSN `start`.
    pub(super) fn take(&self, start: Lsn) -> Option<Ready> {
        let mut state = self.state.lock();
        let next = state.ready.pop_front()?;
        state.used.push_back(Used { number: next.number, start });
        state.recent += 1;
        Some(next)
    }

    /// Renames segments wholly below `below` to the future, or removes those that would be too many.
    pub(super) fn recycle(&self, below: Lsn) -> Result<Recycled> {
        let mut next_number = self.next_number.lock();
        let (mut free, keep, surplus) = {
            let state = &mut *self.state.lock();
            let mut free = Vec::new();
            if state.earlier_end <= below {
                // What an earlier opening did not get to may never have been written.
                free.extend(state.earlier.drain(..).map(|number| (number, 0)));
            }
            while state.used.len() > 1 && state.used[1].start <= below {
                free.extend(state.used.pop_front().map(|segment| (segment.number, self.bytes)));
            }
            if free.is_empty() {
                return Ok(Recycled::default());
            }
            let wanted = std::mem::take(&mut state.recent) + 1;
            let ready = state.ready.len();
            (free, wanted.saturating_sub(ready), ready.saturating_sub(wanted))
        };
        // The fully written ones come last and are the better ones to keep.
        free.reverse();
        let mut ready = Vec::new();
        for (number, filled) in free {
            let path = segment_path(&self.folder, number);
            let fits = ready.len() < keep && {
                let file = self.vfs.open(&path, DIRECT).map_err(|e| io_error("open", &path, e))?;
                file.size().map_err(|e| io_error("stat", &path, e))? == self.bytes
            };
            if !fits {
                self.vfs.remove(&path).map_err(|e| io_error("remove", &path, e))?;
                continue;
            }
            let number = *next_number;
            *next_number += 1;
            let target = segment_path(&self.folder, number);
            self.vfs.rename(&path, &target).map_err(|e| io_error("rename", &path, e))?;
            let file = self.vfs.open(&target, DIRECT).map_err(|e| io_error("open", &target, e))?;
            ready.push(Ready { number, path: target, file, filled });
        }
        self.vfs.sync_dir(&self.folder).map_err(|e| io_error("sync", &self.folder, e))?;
        let added = ready.len() as u64;
        self.state.lock().ready.extend(ready);
        Ok(Recycled { added, surplus: surplus as u64 })
    }

    /// Removes the last `count` of the ready segments, whose room nobody claims.
    pub(super) fn remove_ready(&self, count: u64) -> Result<()> {
        for _ in 0..count {
            let Some(last) = self.state.lock().ready.pop_back() else {
                break;
            };
            self.vfs.remove(&last.path).map_err(|e| io_error("remove", &last.path, e))?;
        }
        Ok(())
    }

    /// Removes all files and the folder.
    pub(super) fn remove_all(&self) -> Result<()> {
        let folder = &self.folder;
        for number in list_segments(&*self.vfs, folder)? {
            let path = segment_path(folder, number);
            self.vfs.remove(&path).map_err(|e| io_error("remove", &path, e))?;
        }
        self.vfs.remove_dir(folder).map_err(|e| io_error("remove", folder, e))?;
        match folder.parent() {
            Some(parent) => self.vfs.sync_dir(parent).map_err(|e| io_error("sync", parent, e)),
            None => Ok(()),
        }
    }
}
