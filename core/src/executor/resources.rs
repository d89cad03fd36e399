//! What the queries of a database share: its storage, memory, threads and a place to spill to; and what one query
//! takes along.

use super::input::ChunkSource;
use super::memory::{Allowance, Arbiter};
use super::progress::{Meter, Share};
use super::runtime_filter::RuntimeFilter;
use super::scheduler::Pool;
use super::spill::SpillFile;
use crate::error::Result;
use crate::expr::{Environment, EvalContext, SessionNames};
use crate::ids::ObjectId;
use crate::memory::Budget;
use crate::plan::physical::RuntimeFilterId;
use crate::table::Store;
use crate::transaction::{Cancel, ReadView, RowKey, Transaction};
use crate::types::{Chunk, TimeContext, Value};
use crate::vfs::{Clock, Vfs};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How queries are run.
pub struct ExecutorOptions {
    /// Threads a query may use, the caller's included.
    pub threads: usize,
    /// Queries expected to read fewer rows run on the caller's thread alone.
    pub inline_rows: f64,
    /// Memory that each operator of a query gets on each thread, or the query fails; in bytes.
    pub floor_bytes: u64,
    /// What all of them share with the rest of the engine.
    pub budget: Arc<Budget>,
    /// Where rows are put that memory has no room for.
    pub vfs: Arc<dyn Vfs>,
    /// A folder there.
    pub spill_folder: PathBuf,
    /// Measures operators for EXPLAIN ANALYZE.
    pub clock: Arc<dyn Clock>,
}

impl ExecutorOptions {
    /// The defaults of the rest.
    pub fn new(
        budget: &Arc<Budget>,
        vfs: &Arc<dyn Vfs>,
        spill_folder: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            inline_rows: 50_000.0,
            floor_bytes: 256 << 10,
            budget: Arc::clone(budget),
            vfs: Arc::clone(vfs),
            spill_folder,
            clock,
        }
    }
}

/// What the queries of a database share.
pub struct Resources {
    pub(super) store: Arc<Store>,
    pub(super) options: ExecutorOptions,
    pub(super) arbiter: Arc<Arbiter>,
    pub(super) pool: Pool,
}

impl Resources {
    /// Queries over `store`. Threads are started by the first query that wants some.
    pub fn new(store: Arc<Store>, options: ExecutorOptions) -> Arc<Self> {
        let arbiter = Arbiter::new(&options.budget, options.floor_bytes);
        let pool = Pool::new(options.threads.saturating_sub(1));
        Arc::new(Self { store, options, arbiter, pool })
    }

    /// The tables.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

/// Gives the rows of tables that are not in storage.
pub trait VirtualTables: Send + Sync {
    /// All rows of a table, with the columns of these numbers.
    ///
    /// # Errors
    /// What its maker says.
    fn rows(&self, table: ObjectId, columns: &[u16]) -> Result<Vec<Chunk>>;
}

/// Names a session goes by, owned.
#[derive(Clone, Default, Debug)]
pub struct Names {
    /// `current_user`
    pub user: String,
    /// `session_user`
    pub session_user: String,
    /// `current_database()`
    pub database: String,
    /// `current_schema()`
    pub schema: Option<String>,
    /// `version()`
    pub version: String,
}

/// A transaction that its session lends to the operators that write.
pub type SharedTransaction = Arc<Mutex<Transaction>>;

/// Rows that a statement reads from outside.
pub type SharedInput = Arc<Mutex<dyn ChunkSource>>;

/// What a statement brings along. Whoever makes it keeps the transaction open until the result is dropped.
#[derive(Clone)]
pub struct StatementContext {
    /// What it reads.
    pub view: ReadView,
    /// The transaction, for statements that write or lock rows.
    pub transaction: Option<SharedTransaction>,
    /// Stops it.
    pub cancel: Arc<Cancel>,
    /// The transaction's start and the session's zone.
    pub times: TimeContext,
    /// The statement's start, in microseconds since 2000-01-01 00:00 UTC.
    pub statement_start: i64,
    /// The parameters, of the types the plan wants.
    pub parameters: Vec<Value>,
    /// Names.
    pub names: Arc<Names>,
    /// Clock, random numbers, settings, sequences.
    pub environment: Arc<dyn Environment + Send + Sync>,
    /// Tables that are not in storage.
    pub virtual_tables: Arc<dyn VirtualTables>,
    /// The rows that COPY reads.
    pub input: Option<SharedInput>,
    /// What of the statement's work these rows are, if that is known. Whoever makes them advances it.
    pub input_share: Option<Arc<Share>>,
    /// Shows how far it is.
    pub meter: Arc<Meter>,
    /// Operators measure their time, for EXPLAIN ANALYZE.
    pub measured: bool,
}

impl StatementContext {
    /// What its expressions may read.
    pub fn eval(&self) -> EvalContext<'_> {
        EvalContext {
            times: self.times,
            statement_start: self.statement_start,
            parameters: &self.parameters,
            names: SessionNames {
                user: &self.names.user,
                session_user: &self.names.session_user,
                database: &self.names.database,
                schema: self.names.schema.as_deref(),
                version: &self.names.version,
            },
            environment: &*self.environment,
        }
    }
}

/// What was counted at a node of a plan.
#[derive(Default, Debug)]
pub struct NodeStats {
    rows: AtomicU64,
    nanos: AtomicU64,
    spilled: AtomicU64,
    memory: AtomicU64,
}

impl NodeStats {
    /// Rows it gave.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Time spent in it, on all threads together, without its inputs; in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Bytes it wrote to disk.
    pub fn spilled(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// The most memory it held on one thread, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    pub(super) fn add_rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn add_nanos(&self, nanos: u64) {
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn add_spilled(&self, bytes: u64) {
        self.spilled.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn saw_memory(&self, bytes: u64) {
        self.memory.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// One execution of a plan, as its operators see it on every thread.
pub(super) struct Query {
    pub(super) resources: Arc<Resources>,
    pub(super) statement: StatementContext,
    /// By number of the node in the plan.
    pub(super) stats: Arc<[NodeStats]>,
    pub(super) runtime_filters: RwLock<HashMap<RuntimeFilterId, Arc<RuntimeFilter>>>,
    /// A row that a transaction changed which the snapshot does not see: the statement must start again.
    pub(super) conflict: Mutex<Option<RowKey>>,
    /// Rows written by the statement.
    pub(super) affected: AtomicU64,
}

impl Query {
    pub(super) fn store(&self) -> &Store {
        &self.resources.store
    }

    pub(super) fn check(&self) -> Result<()> {
        self.statement.cancel.check()
    }

    pub(super) fn eval(&self) -> EvalContext<'_> {
        self.statement.eval()
    }

    pub(super) fn allowance(&self) -> Result<Allowance> {
        self.resources.arbiter.allowance()
    }

    pub(super) fn spill_file(&self) -> Result<Arc<SpillFile>> {
        SpillFile::create(&self.resources)
    }
}
