//! The insides of a session: the connection, and the statements and cursors that JavaScript has numbers of. All of it
//! can be dropped at once, so that closing a database does not wait for the collector of JavaScript.

use crate::failure::Cause;
use crate::parameters::Parameters;
use crate::rows::{Batch, Decoding, ResultSet};
use rustdb::{Column, Connection, Database, InterruptHandle, OpenOptions, Rows, Statement, TransactionState};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What can fail in the engine.
pub(crate) type Attempt<T> = Result<T, Cause>;

/// What a session shares with its thread, its statements and its cursors.
pub(crate) struct Shared {
    /// None once the session is closed.
    open: Mutex<Option<Open>>,
    /// Statements and cursors that JavaScript let go of. The collector may not wait for a session that is busy, so
    /// they are dropped when the session is used next.
    abandoned: Mutex<Vec<u64>>,
    interrupt: InterruptHandle,
    decoding: Decoding,
}

/// An open session with everything that must go before the database can close.
struct Open {
    objects: HashMap<u64, Held>,
    next: u64,
    connection: Connection,
    database: Database,
}

enum Held {
    Statement(Statement),
    Cursor(Rows),
}

fn gone() -> Cause {
    Cause::new("24000", "the statement or cursor is closed")
}

impl Shared {
    pub(crate) fn open(
        location: &str,
        settings: HashMap<String, String>,
        decoding: Decoding,
    ) -> Attempt<Self> {
        let mut options = OpenOptions::default();
        for (name, value) in settings {
            options.set(&name, &value)?;
        }
        let database = Database::open_with(location, &options)?;
        let connection = database.connect()?;
        let interrupt = connection.interrupt_handle();
        let open = Open { objects: HashMap::new(), next: 0, connection, database };
        Ok(Self { open: Mutex::new(Some(open)), abandoned: Mutex::default(), interrupt, decoding })
    }

    /// Uses the session, if it is open.
    fn with<T>(&self, action: impl FnOnce(&mut Open) -> Attempt<T>) -> Attempt<T> {
        let fault = |_| Cause::new("XX000", "the session is unusable after a fault");
        let mut open = self.open.lock().map_err(fault)?;
        let closed = || Cause::new("08003", "the database is closed");
        let open = open.as_mut().ok_or_else(closed)?;
        for number in std::mem::take(&mut *self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)) {
            open.objects.remove(&number);
        }
        action(open)
    }

    pub(crate) fn abandon(&self, number: u64) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(number);
    }

    pub(crate) fn close(&self) -> Attempt<()> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { objects, connection, database, .. }) = open else { return Ok(()) };
        drop(objects);
        drop(connection);
        Ok(database.close()?)
    }

    /// Stops the running statement.
    pub(crate) fn interrupt(&self) {
        self.interrupt.interrupt();
    }

    pub(crate) fn transaction_state(&self) -> Attempt<TransactionState> {
        self.with(|open| Ok(open.connection.transaction_state()))
    }

    pub(crate) fn query(&self, sql: &str, parameters: &Parameters) -> Attempt<ResultSet> {
        self.with(|open| Ok(self.decoding.result(open.connection.query(sql, parameters)?, None)?))
    }

    pub(crate) fn exec(&self, sql: &str) -> Attempt<Vec<ResultSet>> {
        self.with(|open| {
            let mut results = Vec::new();
            open.connection.run_script(sql, &mut |rows| {
                results.push(self.decoding.result(rows, None)?);
                Ok(())
            })?;
            Ok(results)
        })
    }

    pub(crate) fn prepare(self: &Arc<Self>, sql: &str) -> Attempt<(Handle, Statement)> {
        self.with(|open| {
            let statement = open.connection.prepare(sql)?;
            let handle = Handle::new(self, open, Held::Statement(statement.clone()));
            Ok((handle, statement))
        })
    }

    /// Opens a cursor on the rows of a text.
    pub(crate) fn cursor(
        self: &Arc<Self>,
        sql: &str,
        parameters: &Parameters,
    ) -> Attempt<(Handle, Vec<Column>)> {
        self.with(|open| {
            let rows = open.connection.query(sql, parameters)?;
            Ok(self.hold(open, rows))
        })
    }

    fn hold(self: &Arc<Self>, open: &mut Open, rows: Rows) -> (Handle, Vec<Column>) {
        let columns = rows.columns().to_vec();
        (Handle::new(self, open, Held::Cursor(rows)), columns)
    }
}

/// The number of a statement or cursor, which is abandoned with it.
pub(crate) struct Handle {
    shared: Arc<Shared>,
    number: u64,
}

impl Handle {
    fn new(shared: &Arc<Shared>, open: &mut Open, held: Held) -> Self {
        let number = open.next;
        open.next += 1;
        open.objects.insert(number, held);
        Self { shared: Arc::clone(shared), number }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Open, &mut Held) -> Attempt<T>) -> Attempt<T> {
        self.shared.with(|open| {
            // Out of the table while it runs, so that what it runs may add to the table.
            let mut held = open.objects.remove(&self.number).ok_or_else(gone)?;
            let result = action(open, &mut held);
            open.objects.insert(self.number, held);
            result
        })
    }

    /// Runs the statement.
    pub(crate) fn query(&self, parameters: &Parameters, limit: Option<u32>) -> Attempt<ResultSet> {
        self.with(|_, held| match held {
            Held::Statement(statement) => {
                Ok(self.shared.decoding.result(statement.query(parameters)?, limit)?)
            }
            Held::Cursor(_) => Err(gone()),
        })
    }

    /// Runs the statement and opens a cursor on its rows.
    pub(crate) fn cursor(&self, parameters: &Parameters) -> Attempt<(Self, Vec<Column>)> {
        self.with(|open, held| match held {
            Held::Statement(statement) => {
                let rows = statement.query(parameters)?;
                Ok(self.shared.hold(open, rows))
            }
            Held::Cursor(_) => Err(gone()),
        })
    }

    /// The cursor's next rows. One at its end, or with an error, has no more.
    pub(crate) fn fetch(&self, limit: u32) -> Attempt<Batch> {
        self.with(|_, held| match held {
            Held::Cursor(rows) => Ok(self.shared.decoding.read(rows, limit as usize)?),
            Held::Statement(_) => Err(gone()),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.abandon(self.number);
    }
}
