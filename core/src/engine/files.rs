//! The files of a database: the one that holds it, and the folder of its log.

use crate::error::{Result, StorageError};
use crate::vfs::{OpenOptions, Vfs, VfsFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of an open database. The lock on the first goes with the last handle.
pub(super) struct Files {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    data: Arc<dyn VfsFile>,
    log_folder: PathBuf,
    lock_path: PathBuf,
}

/// `path` with something behind its last name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Files {
    pub(super) fn open(vfs: Arc<dyn Vfs>, path: &Path) -> Result<Self> {
        let failed = |operation, source| io_error(operation, path, source);
        let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
        let data = vfs.open(path, options).map_err(|e| failed("open", e))?;
        let lock_path = beside(path, "-lock");
        if !data.try_lock().map_err(|e| failed("lock", e))? {
            let pid = read_owner(&*vfs, &lock_path).unwrap_or(0);
            return Err(StorageError::InUse { path: path.display().to_string(), pid }.into());
        }
        let files = Self { vfs, path: path.to_owned(), data, log_folder: beside(path, "-wal"), lock_path };
        files.write_owner()?;
        Ok(files)
    }

    /// Names the owner for those who find the file locked. The lock itself is the operating system's, on the database
    /// file; this file may be stale.
    fn write_owner(&self) -> Result<()> {
        let failed = |operation, source| io_error(operation, &self.lock_path, source);
        let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
        let file = self.vfs.open(&self.lock_path, options).map_err(|e| failed("open", e))?;
        let text = format!("{}\n", std::process::id());
        file.set_size(0).and_then(|()| file.write_at(text.as_bytes(), 0)).map_err(|e| failed("write", e))
    }

    /// The database is closed and nobody owns it.
    pub(super) fn remove_owner(&self) -> Result<()> {
        self.vfs.remove(&self.lock_path).map_err(|e| io_error("remove", &self.lock_path, e))
    }

    pub(super) fn data(&self) -> Arc<dyn VfsFile> {
        Arc::clone(&self.data)
    }

    pub(super) fn log_folder(&self) -> &Path {
        &self.log_folder
    }

    /// Whether the database file has just been made.
    pub(super) fn is_empty(&self) -> Result<bool> {
        let size = self.data.size().map_err(|e| io_error("read", &self.path, e))?;
        Ok(size == 0)
    }

    /// Makes the database's first state under another name, so that an interrupted attempt leaves an empty file and
    /// not half a database; `write` makes it durable.
    pub(super) fn make<T>(&mut self, write: impl FnOnce(Arc<dyn VfsFile>) -> Result<T>) -> Result<T> {
        let draft = beside(&self.path, "-new");
        let failed = |operation, source| io_error(operation, &draft, source);
        let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
        let file = self.vfs.open(&draft, options).map_err(|e| failed("open", e))?;
        if !file.try_lock().map_err(|e| failed("lock", e))? {
            return Err(StorageError::InUse { path: draft.display().to_string(), pid: 0 }.into());
        }
        file.set_size(0).map_err(|e| failed("truncate", e))?;
        let written = write(Arc::clone(&file))?;
        self.vfs.rename(&draft, &self.path).map_err(|e| failed("rename", e))?;
        self.sync_folder()?;
        self.data = file;
        Ok(written)
    }

    /// Makes the names of the files durable.
    pub(super) fn sync_folder(&self) -> Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        self.vfs.sync_dir(folder).map_err(|e| io_error("sync", folder, e))
    }
}

/// The process that the lock file names.
fn read_owner(vfs: &dyn Vfs, lock_path: &Path) -> Option<u32> {
    let file = vfs.open(lock_path, OpenOptions::default()).ok()?;
    let size = usize::try_from(file.size().ok()?).ok().filter(|&size| size < 32)?;
    let mut text = vec![0; size];
    file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

fn io_error(operation: &'static str, path: &Path, source: io::Error) -> crate::Error {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::StorageFull => StorageError::DiskFull { path }.into(),
        _ => StorageError::Io { operation, path, source }.into(),
    }
}
