//! A simulated disk: it forgets what was not synced when the power goes, and fails when told to.
//!
//! [`FaultVfs`] serves a run like [`MemoryVfs`] and records every operation that changes the disk as a numbered
//! *point*:
//!
//! ```text
//! point   0        1        2      3        4       5
//!         create   write    sync   write    write   sync_dir      <- the operation in flight at that point
//!         |------ completed ------|                               a crash at point 3: 0, 1 and 2 returned,
//!                                 |in flight|                     3 had begun, 4 was never reached
//! ```
//!
//! [`FaultVfs::crash_image`] then gives, for any point, one of the disks that a power failure there could
//! leave. The rules:
//! 1. A write is certain once a `sync` of its file returned after it, or at once through a handle opened with
//!    `direct`. Before, it is *pending*; so is the write in flight, direct or not.
//! 2. A name is certain once `sync_dir` of its folder returned. A file without a name is gone, and so is all
//!    in a folder without a name.
//! 3. Of pending operations [`CrashMode`] says which took place. A disk never puts an older version of a
//!    sector over a newer one.
//! 4. A 512-byte sector is old or new. Only one that no completed sync or direct write ever covered may hold
//!    garbage.
//! 5. After a failed sync each write it covered is either on the disk or lost for good, and which is not told;
//!    a later successful sync says nothing about it (as kernels drop dirty pages they could not write).
//!
//! A direct write that is not aligned is refused, since real file systems refuse it.
//!
//! Faults: [`FaultVfs::fail_at`] lets one call fail; [`PlantedBug`]s make the disk lie, for tests that prove
//! that a crash suite notices.

mod replay;
#[cfg(test)]
mod tests;

use super::memory::normal;
use super::{DIRECT_ALIGNMENT, MemoryVfs, OpenOptions, Vfs, VfsFile};
use parking_lot::Mutex;
use replay::{Disk, SECTOR};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which of the pending operations a crash leaves on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashMode {
    /// All of them, the one in flight included.
    Keep,
    /// None.
    Drop,
    /// Each or not, as a whole, by the seed.
    Reorder,
    /// Each 512-byte sector on its own old, new, or garbage if it was never synced, by the seed. Lengths and
    /// names each old or new.
    Tear,
}

impl CrashMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Keep, Self::Drop, Self::Reorder, Self::Tear];
}

/// A lie of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlantedBug {
    /// The n-th call of `sync`, counted from 0 since the start, does nothing.
    IgnoreSync(u64),
    /// No `sync` does anything.
    IgnoreAllSyncs,
    /// No `sync_dir` does anything.
    IgnoreSyncDir,
    /// Writes of `direct` handles stay pending until a `sync`.
    IgnoreDirect,
}

/// A file, through all its names.
type FileId = u64;

/// One recorded operation.
#[derive(Clone, Debug)]
enum Operation {
    CreateFile {
        path: PathBuf,
        file: FileId,
    },
    CreateFolder {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: FileId,
    },
    Write {
        file: FileId,
        offset: u64,
        bytes: Arc<[u8]>,
        direct: bool,
    },
    SetLen {
        file: FileId,
        len: u64,
    },
    Sync {
        file: FileId,
    },
    /// A sync that reported an error; `point` decides which of its writes are lost.
    SyncFailed {
        file: FileId,
        point: u64,
    },
    SyncFolder {
        folder: PathBuf,
    },
    /// A sync that a planted bug swallowed, or a call that failed without effect.
    Nothing {
        what: &'static str,
    },
}

struct State {
    operations: Vec<Operation>,
    syncs: u64,
    failures: BTreeMap<u64, i32>,
    bugs: Vec<PlantedBug>,
    space: u64,
    /// The disk as of point 0, then as of every further [`STRIDE`] points that a crash image asked for.
    checkpoints: BTreeMap<u64, Disk>,
}

/// Points between two remembered disks: an image replays at most so many operations.
const STRIDE: u64 = 64;

/// A simulated disk that records what is done to it. Clones are handles of the same one.
#[derive(Clone)]
pub struct FaultVfs {
    live: MemoryVfs,
    state: Arc<Mutex<State>>,
}

impl Default for FaultVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultVfs {
    /// An empty disk.
    pub fn new() -> Self {
        Self::with_contents(&MemoryVfs::new())
    }

    /// A disk that durably holds a copy of what `contents` holds: the next run after a crash.
    pub fn with_contents(contents: &MemoryVfs) -> Self {
        let live = contents.snapshot();
        let state = State {
            operations: Vec::new(),
            syncs: 0,
            failures: BTreeMap::new(),
            bugs: Vec::new(),
            space: u64::MAX,
            checkpoints: BTreeMap::from([(0, Disk::new(&live))]),
        };
        Self { live, state: Arc::new(Mutex::new(state)) }
    }

    /// The number of operations so far. An operation that returned before this was read has a smaller number,
    /// so what it made durable is in every crash image from this point on.
    pub fn current_point(&self) -> u64 {
        self.state.lock().operations.len() as u64
    }

    /// The number of calls so far that can fail: those that change the disk or sync it. A call that fails
    /// counts as a point, too, so both numbers are one.
    pub fn calls(&self) -> u64 {
        self.current_point()
    }

    /// Makes call number `call` fail with a raw system error, such as 5 (`EIO`) or 28 (`ENOSPC`).
    ///
    /// A write that fails with anything but `ENOSPC` has put its first half, in whole sectors, on the way; a
    /// failed sync follows rule 5; any other failed call has no effect.
    pub fn fail_at(&self, call: u64, os_error: i32) {
        self.state.lock().failures.insert(call, os_error);
    }

    /// Limits the sum of all files' sizes; a call that would pass it fails with `ENOSPC`. `u64::MAX` lifts
    /// the limit.
    pub fn limit_space(&self, bytes: u64) {
        self.state.lock().space = bytes;
    }

    /// The sum of all named files' sizes.
    pub fn used_space(&self) -> u64 {
        let sizes = self.live.entries().into_iter().filter_map(|(_, image)| image).map(|image| image.len());
        sizes.sum()
    }

    /// Makes the disk lie from now on.
    pub fn plant(&self, bug: PlantedBug) {
        self.state.lock().bugs.push(bug);
    }

    /// A line about the operation at `point`, for the message of a failing test.
    pub fn describe(&self, point: u64) -> String {
        let state = self.state.lock();
        let operation = usize::try_from(point).ok().and_then(|at| state.operations.get(at));
        match operation {
            Some(Operation::Write { file, offset, bytes, direct }) => {
                format!("{point}: write file {file} at {offset}, {} bytes, direct: {direct}", bytes.len())
            }
            Some(Operation::Nothing { what }) => format!("{point}: {what}"),
            Some(operation) => format!("{point}: {operation:?}"),
            None => format!("{point}: the end of the run"),
        }
    }

    /// A disk that could be found after a power failure while operation `point` was running and all before it
    /// had returned; past the last operation, after the whole run. Equal arguments give equal disks.
    pub fn crash_image(&self, point: u64, mode: CrashMode, seed: u64) -> MemoryVfs {
        let state = &mut *self.state.lock();
        let point = point.min(state.operations.len() as u64);
        let (&from, disk) =
            state.checkpoints.range(..=point).next_back().expect("the disk as of point 0 is always kept");
        let mut disk = disk.clone();
        for at in from..point {
            if at > from && at % STRIDE == 0 {
                state.checkpoints.insert(at, disk.clone());
            }
            disk.complete(&state.operations[at as usize]);
        }
        let in_flight = state.operations.get(point as usize);
        disk.crash(in_flight, mode, seed ^ point.rotate_left(32))
    }
}

impl State {
    fn lies(&self, bug: PlantedBug) -> bool {
        self.bugs.contains(&bug)
    }

    /// The error that this call was told to fail with.
    fn failure(&mut self) -> Option<i32> {
        let call = self.operations.len() as u64;
        self.failures.remove(&call)
    }

    /// Fails the call without effect if it was told to.
    fn check(&mut self, what: &'static str) -> io::Result<()> {
        match self.failure() {
            None => Ok(()),
            Some(os_error) => {
                self.operations.push(Operation::Nothing { what });
                Err(io::Error::from_raw_os_error(os_error))
            }
        }
    }
}

struct FaultFile {
    vfs: FaultVfs,
    live: Arc<dyn VfsFile>,
    file: FileId,
    direct: bool,
}

/// `ENOSPC` of every Unix.
const NO_SPACE: i32 = 28;

impl FaultFile {
    /// Whether the file may grow to `len`.
    fn has_room(&self, state: &State, len: u64) -> io::Result<bool> {
        let growth = len.saturating_sub(self.live.size()?);
        let limited = growth > 0 && state.space < u64::MAX;
        Ok(!limited || self.vfs.used_space().saturating_add(growth) <= state.space)
    }

    fn set_len(
        &self,
        what: &'static str,
        len: u64,
        apply: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.vfs.state.lock();
        state.check(what)?;
        if !self.has_room(&state, len)? {
            state.operations.push(Operation::Nothing { what });
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        apply()?;
        state.operations.push(Operation::SetLen { file: self.file, len });
        Ok(())
    }
}

/// What the strictest file systems ask of a direct write.
fn is_aligned(buf: &[u8], offset: u64) -> bool {
    let of_memory = buf.as_ptr() as usize | buf.len();
    of_memory.is_multiple_of(DIRECT_ALIGNMENT) && offset.is_multiple_of(DIRECT_ALIGNMENT as u64)
}

impl VfsFile for FaultFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.live.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if self.direct && !is_aligned(buf, offset) {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut state = self.vfs.state.lock();
        let fits = self.has_room(&state, offset.saturating_add(buf.len() as u64))?;
        let failure =
            state.failure().or_else(|| (!fits).then_some(NO_SPACE)).map(io::Error::from_raw_os_error);
        let written = match &failure {
            None => buf,
            Some(e) if e.kind() == ErrorKind::StorageFull => &[],
            Some(_) => &buf[..(buf.len() / 2).next_multiple_of(SECTOR).min(buf.len())],
        };
        self.live.write_at(written, offset)?;
        let direct = self.direct && failure.is_none() && !state.lies(PlantedBug::IgnoreDirect);
        state.operations.push(Operation::Write { file: self.file, offset, bytes: written.into(), direct });
        failure.map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.vfs.state.lock();
        let number = state.syncs;
        state.syncs += 1;
        let (file, point) = (self.file, state.operations.len() as u64);
        if let Some(os_error) = state.failure() {
            state.operations.push(Operation::SyncFailed { file, point });
            return Err(io::Error::from_raw_os_error(os_error));
        }
        let ignored = state.lies(PlantedBug::IgnoreAllSyncs) || state.lies(PlantedBug::IgnoreSync(number));
        state.operations.push(match ignored {
            true => Operation::Nothing { what: "ignored sync" },
            false => Operation::Sync { file },
        });
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.live.size()
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        self.set_len("failed set_size", len, || self.live.set_size(len))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let extended = len.max(self.live.size()?);
        self.set_len("failed allocate", extended, || self.live.allocate(len))
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        self.live.identity()
    }
}

impl Vfs for FaultVfs {
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<Arc<dyn VfsFile>> {
        let mut state = self.state.lock();
        let creates = (options.create || options.create_new) && !self.live.exists(path)?;
        if creates {
            state.check("failed create")?;
        }
        let live = self.live.open(path, options)?;
        let (_, file) = live.identity()?;
        if creates {
            state.operations.push(Operation::CreateFile { path: normal(path), file });
        }
        Ok(Arc::new(FaultFile { vfs: self.clone(), live, file, direct: options.direct }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.live.exists(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check("failed remove")?;
        self.live.remove(path)?;
        state.operations.push(Operation::Remove { path: normal(path) });
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check("failed rename")?;
        let (_, file) = self.live.open(from, OpenOptions::default())?.identity()?;
        self.live.rename(from, to)?;
        state.operations.push(Operation::Rename { from: normal(from), to: normal(to), file });
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.live.list(folder)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if self.live.exists(path)? {
            return self.live.create_dir(path);
        }
        state.check("failed create_dir")?;
        self.live.create_dir(path)?;
        state.operations.push(Operation::CreateFolder { path: normal(path) });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check("failed remove_dir")?;
        self.live.remove_dir(path)?;
        state.operations.push(Operation::Remove { path: normal(path) });
        Ok(())
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check("failed sync_dir")?;
        self.live.sync_dir(folder)?;
        let ignored = state.lies(PlantedBug::IgnoreSyncDir);
        state.operations.push(match ignored {
            true => Operation::Nothing { what: "ignored sync_dir" },
            false => Operation::SyncFolder { folder: normal(folder) },
        });
        Ok(())
    }
}
