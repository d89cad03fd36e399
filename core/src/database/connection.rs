//! Connections.

use super::parameters::Params;
use super::rows::Rows;
use super::statement::Statement;
use super::{Notice, TransactionState};
use crate::catalog::TableEntry;
use crate::error::{Result, StatementError, StorageError};
use crate::executor::Meter;
use crate::executor::copy::{ByteSink, ByteSource};
use crate::parser::ast::{Begin, StatementKind, TransactionModes};
use crate::parser::statements;
use crate::session::{Prepared, Session};
use crate::transaction::Cancel;
use crate::types::Value;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A connection: a session of the database. Its calls wait for each other.
#[derive(Clone)]
pub struct Connection {
    pub(super) shared: Arc<Shared>,
}

/// What a connection and what came from it share.
pub(super) struct Shared {
    pub(super) session: Mutex<Session>,
    cancel: Arc<Cancel>,
    meter: Arc<Meter>,
}

impl Shared {
    /// Does something with the session.
    pub(super) fn with<T>(&self, run: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        caught(&mut self.session.lock(), run)
    }
}

/// What comes of a statement. A panic is a bug, ours or that of what the program reads and writes with; it ends the
/// statement as an error does.
fn caught<T>(session: &mut Session, run: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| run(session))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        let message = message.unwrap_or("a panic without a message").to_owned();
        session.settle(Err(StatementError::Panicked { message }.into()))
    })
}

/// Stops what a connection is doing, from any thread.
#[derive(Clone)]
pub struct InterruptHandle(Arc<Cancel>);

impl InterruptHandle {
    /// Stops the running statement, which fails with 57014. Does nothing if none is running.
    pub fn interrupt(&self) {
        self.0.cancel();
    }
}

/// Tells how far a connection's statement is, to any thread.
#[derive(Clone)]
pub struct ProgressHandle(Arc<Meter>);

impl ProgressHandle {
    /// How much of the running statement's work is done, from 0 to 1: of the rows its tables are expected to have, or of
    /// the bytes of the file that COPY reads. It never falls while the statement runs. It is an estimate: it may stand
    /// still while rows are sorted, or pass over what turns out to be less than expected.
    ///
    /// `None` if no statement runs, also none whose result is still being read; if it is expected to read few rows; or if
    /// nothing is known about its length, as of COPY FROM STDIN, CREATE INDEX and VACUUM.
    ///
    /// ```
    /// let connection = rustdb::Database::in_memory()?.connect()?;
    /// let progress = connection.progress_handle();
    /// let mut rows = connection.query("SELECT n FROM generate_series(1, 100000) AS s(n)", ())?;
    /// assert!(progress.fraction().is_some_and(|fraction| fraction < 0.5));
    /// while rows.next_chunk()?.is_some() {}
    /// assert_eq!(progress.fraction(), None);
    /// # Ok::<(), rustdb::Error>(())
    /// ```
    pub fn fraction(&self) -> Option<f64> {
        self.0.fraction()
    }
}

/// What a program gives COPY to read.
struct ReaderSource<R>(R);

impl<R: Read + Send> ByteSource for ReaderSource<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => return other.map_err(|source| client_error("read", source)),
            }
        }
    }
}

/// Where a program wants what COPY writes.
struct WriterSink<'w>(&'w mut dyn Write);

impl ByteSink for WriterSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(|source| client_error("write", source))
    }
}

fn client_error(operation: &'static str, source: std::io::Error) -> crate::Error {
    StorageError::Io { operation, path: "the client's data".to_owned(), source }.into()
}

/// The statement of a text.
fn prepare(session: &mut Session, sql: &str) -> Result<Arc<Prepared>> {
    let prepared = session.prepare(sql, &[]);
    session.settle(prepared)
}

/// The statement of a text for these parameters, and their values.
fn prepare_for<'p>(
    session: &mut Session,
    sql: &str,
    parameters: &'p impl Params,
) -> Result<(Arc<Prepared>, Cow<'p, [Value]>)> {
    let plain = session.prepare(sql, &[]);
    let values = parameters.values(plain.as_deref().ok());
    let prepared = match &values {
        Ok(values) => session.prepare_for(sql, plain, values),
        Err(_) => plain,
    };
    let prepared = session.settle(prepared)?;
    Ok((prepared, values?))
}

const COMMIT: StatementKind = StatementKind::Commit { chain: false };
const ROLLBACK: StatementKind = StatementKind::Rollback { chain: false };

fn plain_begin() -> StatementKind {
    StatementKind::Begin(Begin { modes: TransactionModes::default(), start: false })
}

/// Runs one statement for each set of parameters in the open block; how many rows they concerned.
fn run_sets<P: Params>(session: &mut Session, sql: &str, mut sets: &[P]) -> Result<u64> {
    let mut count = 0;
    while let Some((first, others)) = sets.split_first() {
        let (prepared, values) = prepare_for(session, sql, first)?;
        sets = others;
        if !prepared.changes_rows() {
            count += count_rows(session, &prepared, &values)?;
            continue;
        }
        let mut batch = VecDeque::from([values.into_owned()]);
        while let Some((next, others)) = sets.split_first() {
            let (same, values) = prepare_for(session, sql, next)?;
            // Values of other types may make another statement of the text.
            if !Arc::ptr_eq(&same, &prepared) {
                break;
            }
            batch.push_back(values.into_owned());
            sets = others;
        }
        count += session.run_many(&prepared, batch)?;
    }
    Ok(count)
}

/// Runs a statement to its end; how many rows it found, or changed.
fn count_rows(session: &mut Session, prepared: &Arc<Prepared>, values: &[Value]) -> Result<u64> {
    let started = session.run(prepared, values)?;
    let mut count = started.affected;
    if let Some((portal, _)) = started.rest {
        while let Some(chunk) = session.fetch(portal)? {
            count += chunk.count() as u64;
        }
    }
    Ok(count)
}

impl Connection {
    pub(super) fn new(session: Session) -> Self {
        let (cancel, meter) = (session.cancel(), session.meter());
        Self { shared: Arc::new(Shared { session: Mutex::new(session), cancel, meter }) }
    }

    /// Runs one statement and returns its rows, as they are asked for.
    ///
    /// # Errors
    /// Those of the statement; 42601 if there are several.
    pub fn query(&self, sql: &str, parameters: impl Params) -> Result<Rows> {
        self.shared.with(|session| {
            let (prepared, values) = prepare_for(session, sql, &parameters)?;
            self.start(session, &prepared, &values)
        })
    }

    /// Runs one statement for each set of parameters, all of them in one transaction, and returns how many rows they
    /// inserted, changed, removed or found in all. An INSERT of one row of VALUES is much faster like this than one by
    /// one.
    ///
    /// ```
    /// # let connection = rustdb::Database::in_memory()?.connect()?;
    /// connection.execute("CREATE TABLE planets (name text, moons int)", ())?;
    /// let planets = [("Earth", 1), ("Mars", 2)];
    /// assert_eq!(connection.execute_many("INSERT INTO planets VALUES ($1, $2)", &planets)?, 2);
    /// # Ok::<(), rustdb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the statement, for whichever set; nothing is done then, or, if a transaction was open, it has failed.
    pub fn execute_many<P: Params>(&self, sql: &str, sets: &[P]) -> Result<u64> {
        self.shared.with(|session| {
            let own = session.transaction_state() == TransactionState::Idle;
            if own {
                session.run_control(plain_begin())?;
            }
            let done = caught(session, |session| run_sets(session, sql, sets));
            if own {
                session.run_control(if done.is_ok() { COMMIT } else { ROLLBACK })?;
            }
            done
        })
    }

    /// Runs one statement to its end and returns how many rows it inserted, changed, removed or, of a query, found.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn execute(&self, sql: &str, parameters: impl Params) -> Result<u64> {
        self.query(sql, parameters)?.count_rest()
    }

    pub(super) fn run(
        &self,
        session: &mut Session,
        prepared: &Arc<Prepared>,
        parameters: impl Params,
    ) -> Result<Rows> {
        let values = parameters.values(Some(prepared))?;
        self.start(session, prepared, &values)
    }

    fn start(&self, session: &mut Session, prepared: &Arc<Prepared>, values: &[Value]) -> Result<Rows> {
        let started = session.run(prepared, values)?;
        let times = session.times();
        Ok(Rows::new(&self.shared, started, times))
    }

    /// Prepares one statement to be run often.
    ///
    /// # Errors
    /// Those of its syntax, names and types; 42601 if there are several.
    pub fn prepare(&self, sql: &str) -> Result<Statement> {
        let prepared = self.shared.with(|session| prepare(session, sql))?;
        Ok(Statement::new(self.clone(), prepared))
    }

    /// Runs a text of any number of statements, handing the result of each to `visit`, which may use the connection;
    /// what other threads run on it meanwhile comes between the statements. As in PostgreSQL's simple
    /// protocol they are one transaction, unless the text has BEGIN and COMMIT itself or a transaction is open.
    ///
    /// # Errors
    /// That of the first statement that fails; the rest is not run. Those of `visit`.
    pub fn run_script(&self, sql: &str, visit: &mut dyn FnMut(Rows) -> Result<()>) -> Result<()> {
        let several = statements(sql).nth(1).is_some();
        if several {
            self.shared.session.lock().begin_script();
        }
        let run = self.run_statements(sql, several, visit);
        if !several {
            return run;
        }
        let ended = self.shared.with(|session| session.end_script(run.is_err()));
        run.and(ended)
    }

    fn run_statements(
        &self,
        sql: &str,
        several: bool,
        visit: &mut dyn FnMut(Rows) -> Result<()>,
    ) -> Result<()> {
        for item in statements(sql) {
            let rows = self.shared.with(|session| {
                if several {
                    session.begin_script();
                }
                let statement = session.settle(item.statement)?;
                let prepared = session.prepare_parsed(statement)?;
                self.run(session, &prepared, ())
            })?;
            visit(rows)?;
        }
        Ok(())
    }

    /// Runs `COPY .. FROM STDIN` with the bytes of `data`; returns how many rows they were.
    ///
    /// # Errors
    /// Those of the statement, its data and of reading.
    pub fn copy_in(&self, sql: &str, data: impl Read + Send + 'static) -> Result<u64> {
        self.shared.with(|session| {
            let prepared = prepare(session, sql)?;
            Ok(session.run_with_input(&prepared, Box::new(ReaderSource(data)))?.affected)
        })
    }

    /// Runs `COPY .. TO STDOUT` and writes its bytes to `data`; returns how many rows they were.
    ///
    /// # Errors
    /// Those of the statement and of writing.
    pub fn copy_out(&self, sql: &str, data: &mut dyn Write) -> Result<u64> {
        self.shared.with(|session| {
            let prepared = prepare(session, sql)?;
            Ok(session.run_with_output(&prepared, &mut WriterSink(data))?.affected)
        })
    }

    /// Opens a transaction block.
    ///
    /// # Errors
    /// Those of BEGIN.
    pub fn begin(&self) -> Result<()> {
        self.control(plain_begin())
    }

    /// Commits the open block and waits until that is durable, unless `synchronous_commit` is off.
    ///
    /// # Errors
    /// Those of COMMIT: after 08007 the commit may or may not last.
    pub fn commit(&self) -> Result<()> {
        self.control(COMMIT)
    }

    /// Takes the open block back.
    ///
    /// # Errors
    /// Those of ROLLBACK.
    pub fn rollback(&self) -> Result<()> {
        self.control(ROLLBACK)
    }

    fn control(&self, kind: StatementKind) -> Result<()> {
        self.shared.with(|session| session.run_control(kind))
    }

    /// Whether a block is open.
    pub fn transaction_state(&self) -> TransactionState {
        self.shared.session.lock().transaction_state()
    }

    /// Stops the running statement from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::clone(&self.shared.cancel))
    }

    /// Tells how far the running statement is, from another thread.
    pub fn progress_handle(&self) -> ProgressHandle {
        ProgressHandle(Arc::clone(&self.shared.meter))
    }

    /// The tables of the database as this connection sees them, by name.
    pub fn tables(&self) -> Vec<Arc<TableEntry>> {
        let catalog = self.shared.session.lock().catalog();
        let mut tables: Vec<_> = catalog.tables().cloned().collect();
        tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        tables
    }

    /// Notices and warnings since the last call.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.shared.session.lock().take_notices()
    }
}
