//! A database that is open: its files, its log, and what all sessions share.
//!
//! ```text
//! open:   lock the file -> superblock -> pool -> recovery -> new log -> cut
//! run:    sessions write through `table::Store`; the collector clears up; a cut when the log has grown
//! close:  cut without open transactions -> log removed -> lock given back
//! ```
//! A new log is begun at every opening, so nothing is ever appended behind the damaged end of an old one. The first
//! cut, at the end of the opening, is what makes the recovered state durable; until then the old files stand.

mod files;
mod housekeeper;
mod queries;
mod shared;
#[cfg(test)]
mod tests;

use crate::checkpoint::{Checkpointer, FIRST_OBJECT, recover};
use crate::error::{Result, StorageError};
use crate::ids::Timestamp;
use crate::memory::Budget;
use crate::pager::space::{Report, Space};
use crate::pager::{Clock as SecondChance, Eviction, MIN_FRAMES, Pager};
use crate::table::Store;
use crate::transaction::{Durability, Participant, Transactions};
use crate::vfs::{Clock, Rng, Vfs};
use crate::wal::{Wal, WalOptions};
use files::Files;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use housekeeper::Housekeeper;
pub use queries::Queries;
pub use shared::SharedEngine;

/// How a database is opened.
pub struct EngineOptions {
    /// The page size of a database that is made, in bytes.
    pub page_size: u32,
    /// The largest pool, in frames.
    pub frames: usize,
    /// Memory for everything, in bytes.
    pub memory_limit: u64,
    /// Which page leaves memory.
    pub eviction: Box<dyn Eviction>,
    /// How the log is kept.
    pub wal: WalOptions,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bits.
    pub rng: Arc<dyn Rng>,
    /// Threads that a query may use; one for each core if absent.
    pub threads: Option<usize>,
    /// Where queries put what memory has no room for; beside the database if absent.
    pub spill: Option<(Arc<dyn Vfs>, PathBuf)>,
}

impl EngineOptions {
    /// Pages of 16 KiB, a pool of `memory_limit` at most.
    pub fn new(memory_limit: u64, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let page_size = 16 << 10;
        let frames = usize::try_from(memory_limit / u64::from(page_size)).unwrap_or(usize::MAX);
        Self {
            page_size,
            frames: frames.max(MIN_FRAMES),
            memory_limit,
            eviction: Box::new(SecondChance::default()),
            wal: WalOptions::default(),
            clock,
            rng,
            threads: None,
            spill: None,
        }
    }
}

/// What a check of the whole database found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Rows in all tables.
    pub rows: u64,
    /// Pages in use.
    pub pages: u64,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// An open database.
pub struct Engine {
    store: Arc<Store>,
    log: Arc<Wal>,
    salt: u64,
    checkpointer: Checkpointer,
    files: Files,
    budget: Arc<Budget>,
    /// How queries run, and what they share once the first has come.
    how: queries::Setup,
    queries: Mutex<Option<Arc<Queries>>>,
}

impl Engine {
    /// Opens the database at `path`, or makes it.
    ///
    /// # Errors
    /// 55006 when another process has it; XX001 when it is damaged; I/O errors.
    pub fn open(vfs: &Arc<dyn Vfs>, path: &Path, options: EngineOptions) -> Result<Self> {
        let mut files = Files::open(Arc::clone(vfs), path)?;
        let mut random = [0; 24];
        options.rng.fill(&mut random);
        let (uuid, salt) = random.split_at(16);
        let uuid = uuid.first_chunk().copied().unwrap_or_default();
        let salt = u64::from_le_bytes(salt.first_chunk().copied().unwrap_or_default());
        let budget = Budget::new(options.memory_limit);
        let (space, superblock, fresh) = if files.is_empty()? {
            let space = files.make(|file| Space::create(path, file, options.page_size, uuid))?;
            let superblock = space.superblock();
            (space, superblock, true)
        } else {
            let (space, superblock) = Space::open(path, files.data())?;
            (space, superblock, false)
        };
        let pager = Arc::new(Pager::new(space, options.frames, &budget, options.eviction)?);
        let pool = Arc::downgrade(&pager);
        budget.set_reclaimer(move |bytes| {
            if let Some(pool) = pool.upgrade() {
                pool.shrink(bytes);
            }
        });
        // A database that was never cut has neither pages nor a log.
        let never_cut = fresh || superblock.epoch.0 == 1;
        let newest = superblock.commit_ts;
        let transactions =
            Arc::new(Transactions::new(newest, Durability::Logged, Arc::clone(&options.clock)));
        let store = Arc::new(Store::new(pager, Arc::clone(&transactions)));
        store.set_next_object(FIRST_OBJECT.0);
        let (commit_ts, start) = if never_cut {
            (Timestamp(0), superblock.wal_start)
        } else {
            let recovered = recover(&store, &superblock, vfs, files.log_folder())?;
            (recovered.commit_ts, recovered.end)
        };
        transactions.commits().start_after(commit_ts);
        let log = Arc::new(Wal::create(Arc::clone(vfs), files.log_folder(), salt, start, options.wal)?);
        transactions.set_log(Arc::clone(&log));
        let (spill_vfs, spill_folder) = options.spill.unwrap_or_else(|| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            (Arc::clone(vfs), folder.unwrap_or_else(|| Path::new(".")).to_owned())
        });
        let how = queries::Setup {
            database: path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            threads: options.threads,
            spill_vfs,
            spill_folder,
            clock: options.clock,
            rng: options.rng,
        };
        let queries = Mutex::new(None);
        let checkpointer = Checkpointer::default();
        let engine = Self { store, log, salt, checkpointer, files, budget, how, queries };
        engine.checkpoint()?;
        Ok(engine)
    }

    /// The tables and the transactions.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The same, for whoever outlives a borrow of the engine, such as the threads of queries. It must be dropped before
    /// [`Self::close`], or the log stays.
    pub fn shared_store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// The memory that everything shares.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// What queries share: made when the first asks.
    ///
    /// # Errors
    /// XX001 when the catalog is damaged; I/O errors.
    pub fn queries(&self) -> Result<Arc<Queries>> {
        let mut queries = self.queries.lock();
        if let Some(queries) = &*queries {
            return Ok(Arc::clone(queries));
        }
        let made = Arc::new(Queries::open(self, &self.how)?);
        *queries = Some(Arc::clone(&made));
        Ok(made)
    }

    /// A new session's part in transactions.
    pub fn participant(&self) -> Participant {
        self.store.transactions().participant()
    }

    /// Makes the state at a moment after the call durable in the database file.
    ///
    /// # Errors
    /// As [`Checkpointer::cut`].
    pub fn checkpoint(&self) -> Result<()> {
        self.checkpointer.cut(&self.store, (&self.log, self.salt), false)
    }

    /// Makes everything in the log durable.
    ///
    /// # Errors
    /// 58030 when the log cannot be written; the database has then stopped.
    pub fn flush_log(&self) -> Result<()> {
        self.log.flush(self.log.end())
    }

    /// Bytes of log since the last cut.
    pub fn log_length(&self) -> u64 {
        self.log.end().0.saturating_sub(self.checkpointer.last_cut().0)
    }

    /// Whether an I/O failure stopped the database.
    pub fn is_stopped(&self) -> bool {
        self.store.transactions().is_stopped() || self.store.pager().space().is_poisoned()
    }

    /// Verifies the durable file and, against it, every table. Nothing may be open.
    ///
    /// # Errors
    /// I/O errors and damage that hides the rest.
    pub fn check(&self) -> Result<CheckReport> {
        while self.store.collect_garbage(usize::MAX)? > 0 {}
        self.checkpoint()?;
        let Report { problems, .. } = self.store.pager().space().verify()?;
        let mut report = CheckReport::default();
        report.problems.extend(problems.iter().map(|problem| format!("{problem:?}")));
        let mut reached = HashSet::new();
        for table in self.store.tables() {
            let found = table.verify(&self.store)?;
            report.rows += found.rows;
            report.problems.extend(found.problems);
            for page in found.pages {
                if !reached.insert(page) {
                    report.problems.push(format!("page {page} belongs to two structures"));
                }
            }
        }
        report.pages = reached.len() as u64;
        for page in self.store.pager().space().live_pages()? {
            if !reached.contains(&page) {
                report.problems.push(format!("page {page} belongs to nothing"));
            }
        }
        Ok(report)
    }

    /// Closes the database, leaving one file. Every transaction must have ended.
    ///
    /// # Errors
    /// As [`Checkpointer::cut`]; the log then stays, and the next opening replays it.
    pub fn close(self) -> Result<()> {
        if self.is_stopped() {
            return Err(StorageError::Poisoned.into());
        }
        while self.store.collect_garbage(usize::MAX)? > 0 {}
        self.checkpointer.cut(&self.store, (&self.log, self.salt), true)?;
        drop(self.queries);
        drop(self.store);
        if let Ok(log) = Arc::try_unwrap(self.log) {
            log.close_empty()?;
        }
        self.files.remove_owner()?;
        self.files.sync_folder()
    }
}
