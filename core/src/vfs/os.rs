//! The operating system's files (Unix), through system calls that can be told apart: `pread`, `pwrite`,
//! `fdatasync`, `O_DIRECT`.
//!
//! A file opened with `direct` uses `O_DIRECT | O_DSYNC`, so that one system call makes a log block durable.
//! A file system that refuses `O_DIRECT`, at open or at the first write, gets plain `O_DSYNC` writes instead;
//! where that flag promises too little (macOS), each write is followed by a full sync.
//!
//! The whole-file lock is `flock`, which belongs to an open file description and so survives that another
//! handle of the process closes (a POSIX record lock would be lost then). It is taken once for a process, on
//! a description of its own, and shared by count between all handles that asked for it.

use super::{DIRECT_ALIGNMENT, OpenOptions, Vfs, VfsFile};
use parking_lot::Mutex;
use rustix::fs::{self, Access, AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Identity = (u64, u64);

/// Locks this process holds, each with the number of handles that share it. Closing happens under the mutex,
/// so that a lock is never seen as another process's while the last handle here is letting it go.
static LOCKS: Mutex<BTreeMap<Identity, (OwnedFd, usize)>> = Mutex::new(BTreeMap::new());

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsVfs;

struct OsFile {
    fd: OwnedFd,
    path: PathBuf,
    /// Each write is durable when it returns.
    durable_writes: bool,
    locked: AtomicBool,
}

/// Runs a system call again for as long as a signal interrupts it.
fn uninterrupted<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
fn sync_fd(fd: &OwnedFd) -> io::Result<()> {
    // fdatasync writes the inode too when the length or the block map changed.
    uninterrupted(|| fs::fdatasync(fd))
}

#[cfg(target_vendor = "apple")]
fn sync_fd(fd: &OwnedFd) -> io::Result<()> {
    // fsync leaves the data in the drive's cache there.
    uninterrupted(|| fs::fcntl_fullfsync(fd))
}

/// `O_DSYNC` reaches the medium, not only the drive's cache.
const DSYNC_IS_DURABLE: bool = cfg!(any(target_os = "linux", target_os = "android"));

#[cfg(any(target_os = "linux", target_os = "android"))]
const DIRECT: OFlags = OFlags::DIRECT;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DIRECT: OFlags = OFlags::empty();

fn identity(fd: &OwnedFd) -> io::Result<Identity> {
    let stat = fs::fstat(fd)?;
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "st_dev is 32 bits on some systems"
    )]
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

impl OsFile {
    /// Clears `O_DIRECT` after the file system refused such a write; whether it had been set.
    fn leave_direct(&self) -> io::Result<bool> {
        let flags = fs::fcntl_getfl(&self.fd)?;
        if DIRECT.is_empty() || !flags.contains(DIRECT) {
            return Ok(false);
        }
        fs::fcntl_setfl(&self.fd, flags.difference(DIRECT))?;
        Ok(true)
    }

    fn write_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 64 * 1024];
        let mut at = from;
        while at < to {
            let length = usize::try_from(to - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.write_at(&ZEROS[..length], at)?;
            at += length as u64;
        }
        Ok(())
    }
}

impl Drop for OsFile {
    fn drop(&mut self) {
        if !*self.locked.get_mut() {
            return;
        }
        if let Ok(identity) = identity(&self.fd) {
            let mut locks = LOCKS.lock();
            if let Some((_, handles)) = locks.get_mut(&identity) {
                *handles -= 1;
                if *handles == 0 {
                    locks.remove(&identity);
                }
            }
        }
    }
}

impl VfsFile for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let read = uninterrupted(|| rustix::io::pread(&self.fd, &mut buf[done..], offset + done as u64))?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            done += read;
        }
        Ok(())
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            match rustix::io::pwrite(&self.fd, &buf[done..], at) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) if self.durable_writes && self.leave_direct()? => {}
                Err(e) => return Err(e.into()),
            }
        }
        if self.durable_writes && !DSYNC_IS_DURABLE {
            sync_fd(&self.fd)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        sync_fd(&self.fd)
    }

    fn size(&self) -> io::Result<u64> {
        let size = fs::fstat(&self.fd)?.st_size;
        u64::try_from(size).map_err(|_| ErrorKind::InvalidData.into())
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        uninterrupted(|| fs::ftruncate(&self.fd, len))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let size = self.size()?;
        match fs::fallocate(&self.fd, fs::FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            // Room is then made by filling; holes below the current end stay holes.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => self.write_zeros(size, len),
            Err(Errno::INTR) => self.allocate(len),
            Err(e) => Err(e.into()),
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut locks = LOCKS.lock();
        if self.locked.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let this = identity(&self.fd)?;
        if let Some((_, handles)) = locks.get_mut(&this) {
            *handles += 1;
        } else {
            let own =
                uninterrupted(|| fs::open(&self.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()))?;
            if identity(&own)? != this {
                // The name was given to another file since this handle was opened.
                return Err(ErrorKind::NotFound.into());
            }
            match uninterrupted(|| fs::flock(&own, FlockOperation::NonBlockingLockExclusive)) {
                Ok(()) => drop(locks.insert(this, (own, 1))),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        self.locked.store(true, Ordering::Relaxed);
        Ok(true)
    }

    fn identity(&self) -> io::Result<Identity> {
        identity(&self.fd)
    }
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<Arc<dyn VfsFile>> {
        let mut flags = OFlags::CLOEXEC | if options.write { OFlags::RDWR } else { OFlags::RDONLY };
        if options.create_new {
            flags |= OFlags::CREATE | OFlags::EXCL;
        } else if options.create {
            flags |= OFlags::CREATE;
        }
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let open = |flags| uninterrupted(|| fs::open(path, flags, mode));
        let fd = if options.direct {
            let synced = flags | OFlags::DSYNC;
            match open(synced | DIRECT) {
                // The refused call may have made the file already, hence without EXCL.
                Err(e) if e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                    open(synced.difference(OFlags::EXCL))?
                }
                other => other?,
            }
        } else {
            open(flags)?
        };
        let durable_writes = options.direct;
        Ok(Arc::new(OsFile { fd, path: path.to_owned(), durable_writes, locked: AtomicBool::new(false) }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match uninterrupted(|| fs::accessat(CWD, path, Access::EXISTS, AtFlags::empty())) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| fs::unlink(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        uninterrupted(|| fs::rename(from, to))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let fd = open_folder(folder)?;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&fd)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match uninterrupted(|| {
            fs::mkdir(path, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH)
        }) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => open_folder(path).map(drop),
            other => other,
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        uninterrupted(|| fs::rmdir(path))
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let fd = open_folder(folder)?;
        // Names are metadata, which fdatasync may skip.
        uninterrupted(|| fs::fsync(&fd))
    }
}

fn open_folder(folder: &Path) -> io::Result<OwnedFd> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    uninterrupted(|| fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()))
}

// Callers align their buffers by this; ext4, xfs and btrfs ask for the device's block, which is no larger.
const _: () = assert!(DIRECT_ALIGNMENT.is_multiple_of(4096));
