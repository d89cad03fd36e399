//! One engine a file in this process, however often the file is opened.
//!
//! Engines are known by the device and inode of their file, so that two names of one file, or two parts of a program
//! that know nothing of each other, share one engine. The file's lock belongs to the process: it could not keep two
//! engines of one process apart. The last handle closes the engine.

use super::{CheckReport, Engine, EngineOptions, Housekeeper};
use crate::error::{Result, StorageError};
use crate::vfs::{MemoryVfs, OpenOptions, OsVfs, Vfs, fork};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

type FileId = (u64, u64);

/// Held while an engine is opened or closed, so that neither meets the other half way.
static ENGINES: Mutex<Option<HashMap<FileId, Weak<Inner>>>> = Mutex::new(None);

/// Stands for the device of databases in memory.
const IN_MEMORY: u64 = u64::MAX;

struct Inner {
    file: FileId,
    /// The process that opened the file: memory and locks do not survive a fork in a usable state.
    process: u32,
    /// Goes first, since it uses the engine.
    keeper: Housekeeper,
    engine: Arc<Engine>,
}

/// A handle of an engine that others in this process may hold as well.
#[derive(Clone)]
pub struct SharedEngine {
    inner: Option<Arc<Inner>>,
}

impl SharedEngine {
    /// Opens the database file at `path`, makes it, or joins those of this process who have it open; then `options`
    /// do not count. A cut is taken when the log is longer than `log_limit` bytes.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open(path: &Path, options: EngineOptions, log_limit: u64) -> Result<Self> {
        let mut engines = ENGINES.lock();
        let engines = engines.get_or_insert_default();
        let vfs: Arc<dyn Vfs> = Arc::new(OsVfs);
        let file = identity(&*vfs, path, true)?;
        if let Some(inner) = engines.get(&file).and_then(Weak::upgrade) {
            let shared = Self { inner: Some(inner) };
            shared.engine()?;
            return Ok(shared);
        }
        let engine = Arc::new(Engine::open(&vfs, path, options)?);
        // A database that was made has taken the place of the empty file.
        let file = identity(&*vfs, path, false)?;
        let keeper = Housekeeper::start(&engine, log_limit)?;
        let inner = Arc::new(Inner { file, process: fork::process(), keeper, engine });
        engines.insert(file, Arc::downgrade(&inner));
        Ok(Self { inner: Some(inner) })
    }

    /// Verifies every page, table and index of a database file that is there and that nobody has open. Nothing else is
    /// opened or closed in this process meanwhile.
    ///
    /// # Errors
    /// 55006 when somebody has it open, this process included; as [`Engine::open`] and [`Engine::check`].
    pub fn check(path: &Path, options: EngineOptions) -> Result<CheckReport> {
        let mut engines = ENGINES.lock();
        let engines = engines.get_or_insert_default();
        let vfs: Arc<dyn Vfs> = Arc::new(OsVfs);
        let file = identity(&*vfs, path, false)?;
        if engines.get(&file).is_some_and(|inner| inner.strong_count() > 0) {
            let (path, pid) = (path.display().to_string(), std::process::id());
            return Err(StorageError::InUse { path, pid }.into());
        }
        let engine = Engine::open(&vfs, path, options)?;
        let report = engine.check()?;
        engine.close()?;
        Ok(report)
    }

    /// Opens a database in memory. Those with a name are shared by all of this process who use the name.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn in_memory(name: Option<&str>, mut options: EngineOptions, log_limit: u64) -> Result<Self> {
        let mut engines = ENGINES.lock();
        let engines = engines.get_or_insert_default();
        let number = match name {
            Some(name) => hash_of(name),
            None => {
                let mut random = [0; 8];
                options.rng.fill(&mut random);
                u64::from_le_bytes(random)
            }
        };
        let file = (IN_MEMORY, number);
        if let Some(inner) = engines.get(&file).and_then(Weak::upgrade) {
            let shared = Self { inner: Some(inner) };
            shared.engine()?;
            return Ok(shared);
        }
        options.spill.get_or_insert_with(|| (Arc::new(OsVfs) as Arc<dyn Vfs>, std::env::temp_dir()));
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
        let path = PathBuf::from("/").join(name.unwrap_or("memory"));
        let engine = Arc::new(Engine::open(&vfs, &path, options)?);
        let keeper = Housekeeper::start(&engine, log_limit)?;
        let inner = Arc::new(Inner { file, process: fork::process(), keeper, engine });
        engines.insert(file, Arc::downgrade(&inner));
        Ok(Self { inner: Some(inner) })
    }

    /// The engine.
    ///
    /// # Errors
    /// 08003 in a child of the process that opened it.
    pub fn engine(&self) -> Result<&Arc<Engine>> {
        let inner = self.inner.as_ref().ok_or(StorageError::Poisoned)?;
        if fork::is_other_process(inner.process) {
            return Err(StorageError::Forked.into());
        }
        Ok(&inner.engine)
    }

    /// Gives the handle up; the last one closes the database.
    ///
    /// # Errors
    /// As [`Engine::close`]: the log then stays, and the next opening replays it.
    pub fn close(mut self) -> Result<()> {
        self.release()
    }

    fn release(&mut self) -> Result<()> {
        let mut engines = ENGINES.lock();
        let Some(inner) = self.inner.take().and_then(Arc::into_inner) else { return Ok(()) };
        if fork::is_other_process(inner.process) {
            // The parent's threads and locks are not here: touching anything would only harm it.
            std::mem::forget(inner);
            return Ok(());
        }
        engines.get_or_insert_default().remove(&inner.file);
        drop(inner.keeper);
        match Arc::into_inner(inner.engine) {
            Some(engine) => engine.close(),
            None => Ok(()),
        }
    }
}

impl Drop for SharedEngine {
    fn drop(&mut self) {
        // Who wants to know closes; what is lost here is only the time to replay the log.
        self.release().ok();
    }
}

/// A number for a name, the same for the life of the process; FNV-1a.
fn hash_of(name: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// Which file it is; with `create` an empty one is made if there is none.
fn identity(vfs: &dyn Vfs, path: &Path, create: bool) -> Result<FileId> {
    let options = OpenOptions { write: true, create, create_new: false, direct: false };
    let file = vfs.open(path, options).and_then(|file| file.identity());
    file.map_err(|source| {
        StorageError::Io { operation: "open", path: path.display().to_string(), source }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlstate::SqlState;
    use crate::vfs::{OsRng, SystemClock};

    fn options() -> EngineOptions {
        EngineOptions::new(8 << 20, Arc::new(SystemClock), Arc::new(OsRng))
    }

    #[test]
    fn one_file_has_one_engine_until_the_last_handle_goes() {
        let folder = std::env::temp_dir().join(format!("rustdb-shared-{}", std::process::id()));
        OsVfs.create_dir(&folder).unwrap();
        let path = folder.join("t.db");
        let first = SharedEngine::open(&path, options(), 1 << 20).unwrap();
        let second = SharedEngine::open(&folder.join(".").join("t.db"), options(), 1 << 20).unwrap();
        assert!(Arc::ptr_eq(first.engine().unwrap(), second.engine().unwrap()));
        first.close().unwrap();
        assert!(OsVfs.exists(&folder.join("t.db-wal")).unwrap());
        second.engine().unwrap();
        second.close().unwrap();
        let mut left = OsVfs.list(&folder).unwrap();
        left.sort();
        assert_eq!(left, ["t.db"]);
        let open = SharedEngine::open(&path, options(), 1 << 20).unwrap();
        assert_eq!(SharedEngine::check(&path, options()).unwrap_err().sqlstate(), SqlState::OBJECT_IN_USE);
        open.close().unwrap();
        assert_eq!(SharedEngine::check(&path, options()).unwrap().problems, [""; 0]);
        let missing = folder.join("missing.db");
        assert_eq!(SharedEngine::check(&missing, options()).unwrap_err().sqlstate(), SqlState::IO_ERROR);
        assert!(!OsVfs.exists(&missing).unwrap());
        OsVfs.remove(&path).unwrap();
        OsVfs.remove_dir(&folder).unwrap();
    }
}
