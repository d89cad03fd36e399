//! The public API: databases, connections, statements, rows.
//!
//! ```
//! use rustdb::{Database, Value};
//!
//! let database = Database::in_memory()?;
//! let connection = database.connect()?;
//! connection.execute("CREATE TABLE planets (name text PRIMARY KEY, moons int)", ())?;
//! connection.execute("INSERT INTO planets VALUES ($1, $2), ('Mars', 2)", ("Earth", 1))?;
//! let mut rows = connection.query("SELECT name, moons FROM planets WHERE moons > $1", (1,))?;
//! while let Some(row) = rows.next()? {
//!     let (name, moons): (String, i32) = (row.get("name")?, row.get(1)?);
//!     assert_eq!((name.as_str(), moons), ("Mars", 2));
//! }
//! # Ok::<(), rustdb::Error>(())
//! ```
//! Everything is owned, `Send` and `Sync`, and may outlive what it came from: the database is closed when its last
//! handle goes. Calls of one connection wait for each other; connections work at the same time.

mod connection;
mod location;
mod parameters;
mod rows;
mod statement;
mod value;

use crate::engine::{EngineOptions, SharedEngine};
use crate::error::{Result, StatementError};
use crate::pager::space::is_page_size;
use crate::session::Session;
use crate::vfs::{OsRng, SystemClock};
use location::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use crate::engine::CheckReport;
pub use crate::session::{Column, Notice, Prepared, TransactionState};
pub use connection::{Connection, InterruptHandle, ProgressHandle};
pub use parameters::Params;
pub use rows::{ColumnIndex, Row, Rows};
pub use statement::Statement;
pub use value::{FromValue, ToValue};

/// Memory of a database about which nothing else is said, at most, and its share of the machine's.
const DEFAULT_MEMORY_SHARE: u64 = 2;
/// Bytes of log after which a checkpoint is taken.
const LOG_LIMIT: u64 = 256 << 20;

/// How a database is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Memory for everything, in bytes; half of the machine's if absent.
    pub memory_limit: Option<u64>,
    /// Threads that a query may use; one for each core if absent.
    pub threads: Option<usize>,
    /// The page size of a database that is made, in bytes: 16384, 32768 or 65536.
    pub page_size: Option<u32>,
    /// Pages kept in memory, at most; as memory allows if absent.
    pub frames: Option<usize>,
    /// Settings that every connection starts with: names and values as SET takes them.
    pub settings: Vec<(String, String)>,
}

impl OpenOptions {
    /// Sets an option by its name in a location: `memory_limit`, `threads`, `page_size`, or any setting.
    ///
    /// # Errors
    /// 22023 for a value that it cannot have. Settings are looked at when the database is opened.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        location::set(self, name, value)
    }
}

/// A database that is open.
#[derive(Clone)]
pub struct Database {
    engine: SharedEngine,
    settings: Arc<[(String, String)]>,
}

impl Database {
    /// Opens the database file at `path`, or makes it. Within a process a file that is open already is shared.
    ///
    /// # Errors
    /// 55006 when another process has it, XX001 when it is damaged or no database; I/O errors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_path(path.as_ref(), &OpenOptions::default())
    }

    /// A database in memory that nobody else sees, gone with its last handle.
    ///
    /// # Errors
    /// 53200 when there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        Self::open_with(":memory:", &OpenOptions::default())
    }

    /// Opens what a location names: a path, `rustdb:path?memory_limit=256MB`, `:memory:`, or `rustdb::memory:name` for
    /// one in memory that is shared by name within the process. Options in the location win.
    ///
    /// # Errors
    /// As [`Self::open`]; 22023 for a location that cannot be read.
    pub fn open_with(location: &str, options: &OpenOptions) -> Result<Self> {
        let (location, options) = location::parse(location, options)?;
        match location {
            Location::File(path) => Self::open_path(&path, &options),
            Location::Memory(name) => {
                let engine = SharedEngine::in_memory(name.as_deref(), engine_options(&options)?, LOG_LIMIT)?;
                Self::with(engine, &options)
            }
        }
    }

    /// Opens the database file at `path`, or makes it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_path(path: &Path, options: &OpenOptions) -> Result<Self> {
        Self::with(SharedEngine::open(path, engine_options(options)?, LOG_LIMIT)?, options)
    }

    fn with(engine: SharedEngine, options: &OpenOptions) -> Result<Self> {
        let database = Self { engine, settings: options.settings.as_slice().into() };
        // Settings that cannot be are refused here, and the catalog is known to be readable.
        database.connect()?;
        Ok(database)
    }

    /// A new connection.
    ///
    /// # Errors
    /// 08003 in a child of the process that opened the database.
    pub fn connect(&self) -> Result<Connection> {
        let mut session = Session::new(self.engine.clone())?;
        for (name, value) in self.settings.iter() {
            session.set_initial(name, value)?;
        }
        Ok(Connection::new(session))
    }

    /// Statements since the database was opened that read a row by its key without running operators.
    ///
    /// # Errors
    /// 08003 in a child of the process that opened the database.
    pub fn point_reads(&self) -> Result<u64> {
        Ok(self.engine.engine()?.queries()?.point_reads.load(Ordering::Relaxed))
    }

    /// Gives the handle up. The last handle of a file, connections included, closes it: everything is then in the one
    /// file.
    ///
    /// # Errors
    /// I/O errors; the log then stays, and the next opening replays it.
    pub fn close(self) -> Result<()> {
        self.engine.close()
    }

    /// Verifies every page, table and index of a database file that nobody has open, this process included.
    ///
    /// # Errors
    /// 58030 when there is no such file, 55006 when it is open; otherwise as [`Self::open`], and damage that hides the
    /// rest.
    pub fn check(path: impl AsRef<Path>) -> Result<CheckReport> {
        SharedEngine::check(path.as_ref(), engine_options(&OpenOptions::default())?)
    }
}

fn engine_options(options: &OpenOptions) -> Result<EngineOptions> {
    let memory = options.memory_limit.unwrap_or_else(|| machine_memory() / DEFAULT_MEMORY_SHARE);
    let mut engine = EngineOptions::new(memory, Arc::new(SystemClock), Arc::new(OsRng));
    engine.threads = options.threads;
    if let Some(page_size) = options.page_size {
        if !is_page_size(page_size) {
            let (name, value) = ("page_size".to_owned(), page_size.to_string());
            return Err(StatementError::InvalidSetting { name, value }.into());
        }
        engine.page_size = page_size;
    }
    if let Some(frames) = options.frames {
        engine.frames = frames;
    }
    Ok(engine)
}

/// Bytes of memory that the machine, or the group of processes, has.
fn machine_memory() -> u64 {
    let vfs = crate::vfs::OsVfs;
    let machine = crate::vfs::read_text(&vfs, Path::new("/proc/meminfo"))
        .and_then(|text| text.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()))
        .map_or(4 << 30, |kilobytes| kilobytes << 10);
    let group = crate::vfs::read_text(&vfs, Path::new("/sys/fs/cgroup/memory.max"))
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map_or(u64::MAX, |bytes| bytes / 10 * 8 * 2);
    machine.min(group)
}
