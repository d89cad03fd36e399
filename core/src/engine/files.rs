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
}

impl Files {
    pub(super) fn open(vfs: Arc<dyn Vfs>, path: &Path) -> Result<Self> {
        let failed = |operation, source| io_error(operation, path, source);
        let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
        let data = vfs.open(path, options).map_err(|e| failed("open", e))?;
        if !data.try_lock().map_err(|e| failed("lock", e))? {
            return Err(StorageError::InUse { path: path.display().to_string(), pid: 0 }.into());
        }
        let mut log_folder = path.as_os_str().to_owned();
        log_folder.push("-wal");
        Ok(Self { vfs, path: path.to_owned(), data, log_folder: log_folder.into() })
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

    /// Makes the names of the files durable.
    pub(super) fn sync_folder(&self) -> Result<()> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        self.vfs.sync_dir(folder).map_err(|e| io_error("sync", folder, e))
    }
}

fn io_error(operation: &'static str, path: &Path, source: io::Error) -> crate::Error {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::StorageFull => StorageError::DiskFull { path }.into(),
        _ => StorageError::Io { operation, path, source }.into(),
    }
}
