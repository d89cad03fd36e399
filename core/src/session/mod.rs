//! A session: statements, one after the other, in the transactions they belong to.
//!
//! ```text
//!   text --cache--> Prepared (syntax, types, plan) --locks, fresh?--> executor::execute --> chunks
//!             mod.rs: parsing, plan cache, locks      query.rs: queries and changes, the short path of lookups
//!             prepare.rs: binding, planning           portal.rs: results that are still being read
//!             transaction.rs: blocks, savepoints      ddl.rs, maintenance.rs, utility.rs, copy.rs: commands
//! ```
//! 1. A statement takes effect as a whole or not at all. Outside a block it is a transaction of its own.
//! 2. A failed statement in a block leaves the block failed, back at its last savepoint or at nothing, with the locks
//!    taken since given up; only ROLLBACK, ROLLBACK TO and COMMIT are then heard.
//! 3. Tables are locked before they are used, and what was known about them is looked at again after a wait.
//! 4. A result that is still being read is fetched to its end before the next statement begins.
//! 5. The parts are dropped in an order that lets the engine go last.

mod batch;
mod copy;
mod ddl;
mod environment;
mod explain;
mod maintenance;
mod portal;
mod prepare;
mod query;
mod transaction;
mod utility;

#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, CatalogChanges};
use crate::config::{Setting, Settings};
use crate::engine::{Queries, SharedEngine};
use crate::error::{Error, Result, StatementError};
use crate::executor::copy::ByteSource;
use crate::executor::{Meter, Names, NodeStats, RowStream, StatementContext, execute};
use crate::ids::ObjectId;
use crate::parser::ast::{Parameters, Statement, StatementKind, TransactionModes};
use crate::plan::physical::PhysicalPlan;
use crate::table::Store;
use crate::transaction::{Cancel, Isolation, Participant, Patience, Savepoints, TableLockMode, Transaction};
use crate::types::{DataType, TimeContext, Value};
use environment::SessionEnvironment;
use lru::LruCache;
use portal::Portal;
use prepare::Kind;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use transaction::{Block, Open, Progress};

pub use portal::{Rest, Started};
pub use prepare::{Column, Prepared};
pub use transaction::TransactionState;

/// Statements whose plans a session remembers by their text.
const CACHED_PLANS: usize = 512;
/// Combinations of types that are remembered for one text.
const MAX_TYPINGS: usize = 8;
/// Longer texts are seldom repeated.
const MAX_CACHED_TEXT: usize = 16 << 10;

/// Something a client should know that is no error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// `NOTICE` or `WARNING`.
    pub severity: &'static str,
    /// The SQLSTATE.
    pub code: &'static str,
    /// What there is to know.
    pub message: String,
}

/// The plans of one text: by what was said about its parameters.
#[derive(Default)]
struct CachedPlans(Vec<(Box<[DataType]>, Arc<Prepared>)>);

impl CachedPlans {
    fn get(&self, types: &[DataType]) -> Option<&Arc<Prepared>> {
        self.0.iter().find(|(known, _)| **known == *types).map(|(_, prepared)| prepared)
    }

    fn put(&mut self, types: &[DataType], prepared: &Arc<Prepared>) {
        self.0.retain(|(known, _)| **known != *types);
        self.0.truncate(MAX_TYPINGS - 1);
        self.0.push((types.into(), Arc::clone(prepared)));
    }
}

/// A session of an open database.
pub struct Session {
    portal: Option<Portal>,
    portals: u64,
    plans: LruCache<Box<str>, CachedPlans>,
    prepared: HashMap<String, Arc<Prepared>>,
    open: Option<Open>,
    block: Block,
    /// What kind of transaction the failed block was, whose transaction is gone.
    failed: TransactionModes,
    savepoints: Savepoints<Progress>,
    changes: CatalogChanges,
    /// Indexes that the open transaction drops: the storage of the table, and the index.
    dropped_indexes: Vec<(ObjectId, ObjectId)>,
    /// The session's part in transactions while none is open.
    party: Option<Participant>,
    cancel: Arc<Cancel>,
    meter: Arc<Meter>,
    settings: Arc<Settings>,
    /// Settings changed by the open transaction: the value before, and whether the change ends with it.
    changed: Vec<transaction::ChangedSetting>,
    names: Arc<Names>,
    notices: Vec<Notice>,
    /// What COPY FROM STDIN reads.
    client_input: Option<Box<dyn ByteSource>>,
    environment: Arc<SessionEnvironment>,
    store: Arc<Store>,
    queries: Arc<Queries>,
    /// A statement is being run; still true afterwards if it ended in a panic.
    running: bool,
    /// Goes last.
    engine: SharedEngine,
}

impl Session {
    /// A session of the engine.
    ///
    /// # Errors
    /// XX001 when the catalog is damaged; 08003 after a fork.
    pub fn new(engine: SharedEngine) -> Result<Self> {
        let shared = engine.engine()?;
        let queries = shared.queries()?;
        let party = shared.participant();
        let store = shared.shared_store();
        let settings = Arc::new(Settings::default());
        let names = Names {
            user: "rustdb".to_owned(),
            session_user: "rustdb".to_owned(),
            database: queries.catalog.current().database().to_owned(),
            schema: Some("public".to_owned()),
            version: format!("RustDB {} (PostgreSQL 15 compatible)", env!("CARGO_PKG_VERSION")),
        };
        let capacity = NonZeroUsize::new(CACHED_PLANS).unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            portal: None,
            portals: 0,
            plans: LruCache::new(capacity),
            prepared: HashMap::new(),
            open: None,
            block: Block::None,
            failed: TransactionModes::default(),
            savepoints: Savepoints::default(),
            changes: CatalogChanges::default(),
            dropped_indexes: Vec::new(),
            cancel: Arc::clone(&party.cancel),
            meter: Arc::default(),
            party: Some(party),
            environment: Arc::new(SessionEnvironment::new(&queries, Arc::clone(&settings))),
            settings,
            changed: Vec::new(),
            names: Arc::new(names),
            notices: Vec::new(),
            client_input: None,
            store,
            queries,
            running: false,
            engine,
        })
    }

    /// Stops the running statement, from any thread.
    pub fn cancel(&self) -> Arc<Cancel> {
        Arc::clone(&self.cancel)
    }

    /// How far the running statement is, for any thread.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// What the client was not told yet.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The session's times: those of the open transaction.
    pub fn times(&self) -> TimeContext {
        let now =
            self.open.as_ref().map_or_else(|| environment::now(&*self.queries.clock), |open| open.started);
        TimeContext { now, zone_seconds: self.settings.zone_seconds() }
    }

    fn notice(&mut self, code: &'static str, message: String) {
        self.notices.push(Notice { severity: "NOTICE", code, message });
    }

    fn warning(&mut self, code: &'static str, message: &str) {
        self.notices.push(Notice { severity: "WARNING", code, message: message.to_owned() });
    }

    /// The catalog as the session sees it.
    pub fn catalog(&mut self) -> Arc<Catalog> {
        self.changes.snapshot(&self.queries.catalog)
    }

    /// The statement of a text, which has just one; from the cache if it was there before. `types` are what is known of
    /// its parameters, the first ones; the others are inferred.
    ///
    /// # Errors
    /// Those of parsing, binding and planning; 42601 for several statements.
    pub fn prepare(&mut self, text: &str, types: &[DataType]) -> Result<Arc<Prepared>> {
        if let Some(known) = self.plans.get(text).and_then(|cached| cached.get(types)) {
            return Ok(Arc::clone(known));
        }
        self.engine.engine()?;
        let mut statements = crate::parser::parse(text)?;
        let prepared = match statements.len() {
            0 => Arc::new(Prepared::empty()),
            1 => {
                let statement = statements.remove(0);
                self.check_block(&statement.kind)?;
                self.prepare_statement(statement, types)?
            }
            _ => return Err(StatementError::SeveralStatements.into()),
        };
        if text.len() <= MAX_CACHED_TEXT && prepared.is_cacheable() {
            let cached = self.plans.get_or_insert_mut(text.into(), CachedPlans::default);
            cached.put(types, &prepared);
        }
        Ok(prepared)
    }

    /// The statement of a text for these values: a parameter about which the text says nothing has the type of its
    /// value, as with a driver that tells the server the types of what it sends. `plain` is what [`Self::prepare`] came
    /// to without types.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_for(
        &mut self,
        text: &str,
        plain: Result<Arc<Prepared>>,
        values: &[Value],
    ) -> Result<Arc<Prepared>> {
        let open = |(ty, value): (&DataType, &Value)| match ty {
            DataType::Text => !matches!(value, Value::Null | Value::Text(_)),
            // It would be rounded.
            DataType::SmallInt | DataType::Integer | DataType::BigInt => {
                matches!(value, Value::Real(_) | Value::Double(_) | Value::Numeric(_))
            }
            _ => false,
        };
        match &plain {
            Ok(prepared) if !prepared.parameters.iter().zip(values).any(open) => return plain,
            Err(_) if values.iter().all(|value| matches!(value, Value::Null | Value::Text(_))) => {
                return plain;
            }
            Ok(_) | Err(_) => {}
        }
        let types: Vec<DataType> = match &plain {
            Ok(prepared) => {
                let known = prepared.parameters.iter().zip(values);
                known.map(|(ty, value)| if open((ty, value)) { value.data_type() } else { *ty }).collect()
            }
            Err(_) => values.iter().map(Value::data_type).collect(),
        };
        self.prepare(text, &types).or(plain)
    }

    /// A statement of a script.
    ///
    /// # Errors
    /// Those of binding and planning.
    pub fn prepare_parsed(&mut self, statement: Statement) -> Result<Arc<Prepared>> {
        self.detach_portal();
        let prepared =
            self.check_block(&statement.kind).and_then(|()| self.prepare_statement(statement, &[]));
        self.settle(prepared)
    }

    /// Runs BEGIN, COMMIT or their like.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn run_control(&mut self, kind: StatementKind) -> Result<()> {
        let parameters = Parameters::default();
        let statement = Statement { kind, parameters, range: 0..0, position: 1 };
        let prepared = self.prepare_parsed(statement)?;
        self.run(&prepared, &[]).map(drop)
    }

    /// Gives a setting its value for the whole session.
    ///
    /// # Errors
    /// 42704 if there is none of that name, 22023 for a value it cannot have.
    pub fn set_initial(&mut self, name: &str, value: &str) -> Result<()> {
        self.set(Setting::find(name)?, value, false)
    }

    /// Runs a prepared statement.
    ///
    /// # Errors
    /// Everything that running finds. What the statement did is then taken back.
    pub fn run(&mut self, prepared: &Arc<Prepared>, parameters: &[Value]) -> Result<Started> {
        self.run_checked(prepared, parameters.len(), |session| match &prepared.kind {
            Kind::Empty => Ok(Started::done(Arc::default(), "", 0)),
            Kind::Control => session.control(&prepared.statement),
            Kind::Query(_) | Kind::Utility => match session.read_alone(prepared, parameters)? {
                Some(started) => Ok(started),
                None => session.run_in_transaction(prepared, Given::One(parameters)),
            },
        })
    }

    /// Runs a prepared change of rows once for each set of parameters, as one statement; returns how many rows it
    /// inserted, changed or removed. Rows of RETURNING are dropped.
    ///
    /// # Errors
    /// As [`Self::run`]; 0A000 for another statement.
    pub fn run_many(&mut self, prepared: &Arc<Prepared>, sets: VecDeque<Vec<Value>>) -> Result<u64> {
        let expected = prepared.parameters.len();
        let given = sets.iter().map(Vec::len).find(|&given| given != expected).unwrap_or(expected);
        self.run_checked(prepared, given, |session| session.run_in_transaction(prepared, Given::Many(sets)))
            .map(|started| started.affected)
    }

    fn run_checked(
        &mut self,
        prepared: &Prepared,
        given: usize,
        run: impl FnOnce(&mut Self) -> Result<Started>,
    ) -> Result<Started> {
        if std::mem::take(&mut self.running) {
            self.give_up_panicked()?;
        }
        self.detach_portal();
        self.engine.engine()?;
        self.cancel.start_statement(self.settings.duration(Setting::StatementTimeout));
        self.check_block(&prepared.statement.kind)?;
        let expected = prepared.parameters.len();
        if given != expected {
            return Err(StatementError::ParameterCount { given, expected }.into());
        }
        self.running = true;
        let started = run(self);
        self.running = false;
        if started.is_err() {
            self.fail_block();
        }
        started
    }

    /// Ends the transaction of a statement that panicked, as a failure would have: nothing may build on what it left.
    fn give_up_panicked(&mut self) -> Result<()> {
        self.portal = None;
        if self.block == Block::None {
            return self.rollback_all();
        }
        self.fail_block();
        Ok(())
    }

    /// Passes on what preparing a statement came to; an error leaves the block failed, as one of running does.
    ///
    /// # Errors
    /// That of `result`.
    pub fn settle<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() && self.block != Block::None {
            self.detach_portal();
            self.fail_block();
        }
        result
    }

    /// Runs a statement that is part of a transaction: the open one, or one of its own.
    fn run_in_transaction(&mut self, prepared: &Arc<Prepared>, given: Given<'_>) -> Result<Started> {
        let implicit = self.open.is_none();
        if implicit {
            let reads = prepared.query().is_some_and(|query| query.writes.is_none());
            self.open_transaction(reads);
        }
        let result = self.locked(prepared).and_then(|prepared| match &prepared.kind {
            Kind::Query(query) => match given {
                Given::One(parameters) => {
                    let parameters = self.parameter_values(&prepared, parameters)?;
                    self.run_query(&prepared, query, parameters, implicit)
                }
                Given::Many(sets) => {
                    let affected = self.run_sets(&prepared, query, sets)?;
                    Ok(Started::done(Arc::default(), query.command(), affected))
                }
            },
            Kind::Utility | Kind::Control | Kind::Empty => match given {
                Given::One(parameters) => self.run_utility(&prepared, parameters, implicit),
                Given::Many(_) => Err(StatementError::NotSupported {
                    feature: "several sets of parameters for what changes no rows".to_owned(),
                }
                .into()),
            },
        });
        match result {
            Ok(started) if implicit && self.portal.is_none() => self.end_implicit().map(|()| started),
            Ok(started) => Ok(started),
            Err(error) => {
                if implicit && self.block == Block::None {
                    self.rollback_all()?;
                }
                Err(error)
            }
        }
    }

    /// Locks the tables of a statement, and binds it again if they have changed by then.
    fn locked(&mut self, prepared: &Arc<Prepared>) -> Result<Arc<Prepared>> {
        let first = prepared;
        let mut prepared = first.newest();
        loop {
            let catalog = self.catalog();
            let old = self.known_catalog().is_some_and(|known| known.version() != catalog.version());
            if old || !prepared.is_current(&catalog) || self.has_outgrown(&prepared) {
                prepared = self.prepare_statement(prepared.statement.clone(), &prepared.parameters)?;
                // A plan that may not use young indexes serves one transaction.
                if !old {
                    first.succeed(&prepared);
                }
            }
            for (table, mode) in &prepared.tables {
                self.lock_table(table.oid, *mode)?;
            }
            if prepared.is_current(&self.catalog()) {
                return Ok(prepared);
            }
        }
    }

    /// The catalog as it was when the snapshot of the whole transaction was taken, if it has one.
    fn known_catalog(&self) -> Option<&Arc<Catalog>> {
        self.open.as_ref()?.known.as_ref()
    }

    fn lock_table(&mut self, table: ObjectId, mode: TableLockMode) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        self.lock_table_in(&mut open.tx.lock(), table, mode)
    }

    fn lock_table_in(&self, tx: &mut Transaction, table: ObjectId, mode: TableLockMode) -> Result<()> {
        let lock_timeout = self.settings.duration(Setting::LockTimeout);
        let weight = tx.weight();
        let party = tx.party();
        party.lock_timeout = lock_timeout;
        let patience = Patience { cancel: &self.cancel, lock_timeout, weight };
        party.locker.lock_table(table, mode, &patience)
    }

    /// The values in the types that the statement wants.
    fn parameter_values(&self, prepared: &Prepared, given: &[Value]) -> Result<Vec<Value>> {
        let times = self.times();
        let convert = |(value, ty): (&Value, &DataType)| batch::convert(value.clone(), ty, &times);
        given.iter().zip(&prepared.parameters).map(convert).collect()
    }

    fn context(&self, parameters: Vec<Value>, writes: bool, measured: bool) -> Result<StatementContext> {
        let open = self.open.as_ref().ok_or_else(|| {
            Error::from(StatementError::NotSupported {
                feature: "a statement outside a transaction".to_owned(),
            })
        })?;
        let view = open.tx.lock().view();
        Ok(StatementContext {
            view,
            transaction: writes.then(|| Arc::clone(&open.tx)),
            cancel: Arc::clone(&self.cancel),
            times: self.times(),
            statement_start: environment::now(&*self.queries.clock),
            parameters,
            names: Arc::clone(&self.names),
            environment: Arc::clone(&self.environment) as _,
            virtual_tables: Arc::clone(&self.environment) as _,
            input: None,
            input_share: None,
            meter: Arc::clone(&self.meter),
            measured,
        })
    }

    /// Starts a plan as a statement of the open transaction.
    fn start(
        &mut self,
        plan: &Arc<PhysicalPlan>,
        parameters: Vec<Value>,
        measured: bool,
    ) -> Result<RowStream> {
        self.begin_statement();
        let context = self.context(parameters, plan.writes(), measured)?;
        execute(&self.queries.resources, plan, context)
    }

    /// The next statement of the open transaction sees what the former ones did.
    fn begin_statement(&mut self) {
        if let Some(open) = &mut self.open {
            let mut tx = open.tx.lock();
            tx.party().lock_timeout = self.settings.duration(Setting::LockTimeout);
            if std::mem::take(&mut open.fresh) && tx.isolation() == Isolation::RepeatableRead {
                // The catalog first: an index that it has is then older than the snapshot.
                open.known = Some(self.queries.catalog.current());
                tx.renew_snapshot();
            }
            tx.start_statement();
        }
    }

    /// 25P02 for what a failed block does not hear.
    fn check_block(&self, kind: &StatementKind) -> Result<()> {
        let heard = matches!(
            kind,
            StatementKind::Rollback { .. } | StatementKind::RollbackTo(_) | StatementKind::Commit { .. }
        );
        if self.block == Block::Failed && !heard {
            return Err(crate::error::TransactionError::InFailedTransaction.into());
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.portal = None;
        // Nobody is left to be told; what cannot be taken back stops the database by itself.
        self.rollback_all().ok();
    }
}

/// Parameters of a statement.
enum Given<'a> {
    One(&'a [Value]),
    /// Sets, for each of which a change of rows runs.
    Many(VecDeque<Vec<Value>>),
}

/// What EXPLAIN ANALYZE reads.
type Measured<'a> = &'a [NodeStats];
