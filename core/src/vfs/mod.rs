//! The only way to the operating system: files, the clock and randomness.
//!
//! Everything above reaches files through [`Vfs`] and [`VfsFile`], time through [`Clock`] and random bits
//! through [`Rng`], so that a test can put a simulated disk, clock or seed underneath the whole engine. The
//! linter refuses `std::fs` and its like elsewhere.
//!
//! What a back end promises:
//! 1. A write that returned is seen by later reads of every handle; it is durable only after `sync` of that
//!    file (or the write itself, for a file opened with `direct`) returned.
//! 2. A created, renamed or removed name is durable only after `sync_dir` of its folder returned.
//! 3. A 512-byte sector is atomic under power loss: old or new, unless it was never synced before.
//! 4. After a `sync` failed nothing is known about what it covered; callers must not try again.

mod aligned;
mod clock;
mod fault;
pub mod fork;
mod image;
mod memory;
#[cfg(unix)]
mod os;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use aligned::{AlignedBuf, DIRECT_ALIGNMENT};
pub use clock::{Clock, ManualClock, OsRng, Rng, SeededRng, SystemClock};
pub use fault::{CrashMode, FaultVfs, PlantedBug};
pub use memory::MemoryVfs;
#[cfg(unix)]
pub use os::OsVfs;

/// How to open a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Writing is allowed.
    pub write: bool,
    /// The file is made if it is missing.
    pub create: bool,
    /// The file must not exist yet.
    pub create_new: bool,
    /// Each write is durable when it returns (`O_DSYNC`), past the page cache (`O_DIRECT`) where the file
    /// system can. Offsets, lengths and addresses are then multiples of 4 KiB.
    pub direct: bool,
}

/// A file that is open.
pub trait VfsFile: Send + Sync {
    /// Fills `buf` from `offset`; `UnexpectedEof` when the file is shorter.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `buf` at `offset`, extending the file if needed.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Writes several places, each `(offset, bytes)`, in any order.
    fn write_batch(&self, writes: &[(u64, &[u8])]) -> io::Result<()> {
        writes.iter().try_for_each(|(offset, bytes)| self.write_at(bytes, *offset))
    }

    /// Makes all earlier writes of this file durable, its length included.
    fn sync(&self) -> io::Result<()>;

    /// The size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_size(&self, len: u64) -> io::Result<()>;

    /// Reserves room up to `len` bytes so that later writes below it cannot run out of space.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Takes the whole-file lock, shared between all handles of one process; false if another process has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Device and inode: equal for two handles exactly if they are one file.
    fn identity(&self) -> io::Result<(u64, u64)>;
}

/// The text of a small file that tells about the system; `None` if there is none.
pub(crate) fn read_text(vfs: &dyn Vfs, path: &Path) -> Option<String> {
    let file = vfs.open(path, OpenOptions::default()).ok()?;
    // Such files have no size of their own; what counts stands at the beginning.
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.len() < 256 && file.read_at(&mut byte, bytes.len() as u64).is_ok() {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).ok()
}

/// A file system.
pub trait Vfs: Send + Sync {
    /// Opens or makes a file.
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<Arc<dyn VfsFile>>;

    /// Whether the name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing what had the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// The names in a folder, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder if it is missing; its parent must exist.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes changes of names in a folder durable.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;
}
