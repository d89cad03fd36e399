//! Connections.

use crate::cursor::State;
use crate::error::{OrRaise, raise};
use crate::lock::lock;
use pyo3::prelude::*;
use rustdb::{Database, InterruptHandle, OpenOptions, TransactionState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A connection of a database; `rustdb.Connection` adds what needs no speed.
#[pyclass(subclass, frozen, module = "rustdb._rustdb")]
pub(crate) struct Connection {
    /// Gone when it is closed.
    open: Mutex<Option<Open>>,
    /// The states of its cursors.
    cursors: Mutex<Vec<Weak<Mutex<State>>>>,
    autocommit: AtomicBool,
    interrupt: InterruptHandle,
}

struct Open {
    connection: rustdb::Connection,
    database: Database,
}

impl Connection {
    pub(crate) fn is_autocommit(&self) -> bool {
        self.autocommit.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<rustdb::Connection> {
        let open = lock(py, &self.open);
        let open = open.as_ref().ok_or_else(|| raise(py, "InterfaceError", "the connection is closed"))?;
        Ok(open.connection.clone())
    }

    /// Notes a cursor, whose result is dropped when the connection is closed.
    pub(crate) fn add_cursor(&self, py: Python<'_>, state: &Arc<Mutex<State>>) {
        let mut cursors = lock(py, &self.cursors);
        if cursors.len() == cursors.capacity() {
            cursors.retain(|cursor| cursor.strong_count() > 0);
        }
        cursors.push(Arc::downgrade(state));
    }

    /// Opens a transaction if a statement is about to need one.
    pub(crate) fn before_statement(&self, connection: &rustdb::Connection) -> rustdb::Result<()> {
        if !self.autocommit.load(Ordering::Relaxed)
            && connection.transaction_state() == TransactionState::Idle
        {
            connection.begin()?;
        }
        Ok(())
    }
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (location, memory_limit, threads, settings, autocommit))]
    fn new(
        py: Python<'_>,
        location: &str,
        memory_limit: Option<u64>,
        threads: Option<usize>,
        settings: Vec<(String, String)>,
        autocommit: bool,
    ) -> PyResult<Self> {
        let options = OpenOptions { memory_limit, threads, settings, ..OpenOptions::default() };
        let opened = py.detach(|| {
            let database = Database::open_with(location, &options)?;
            Ok(Open { connection: database.connect()?, database })
        });
        let open = opened.or_raise(py)?;
        Ok(Self {
            interrupt: open.connection.interrupt_handle(),
            open: Mutex::new(Some(open)),
            cursors: Mutex::default(),
            autocommit: AtomicBool::new(autocommit),
        })
    }

    /// Commits the open transaction; does nothing if there is none.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.get(py)?;
        py.detach(|| match connection.transaction_state() {
            TransactionState::Idle => Ok(()),
            TransactionState::Active | TransactionState::Failed => connection.commit(),
        })
        .or_raise(py)
    }

    /// Takes the open transaction back; does nothing if there is none.
    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        let connection = self.get(py)?;
        py.detach(|| match connection.transaction_state() {
            TransactionState::Idle => Ok(()),
            TransactionState::Active | TransactionState::Failed => connection.rollback(),
        })
        .or_raise(py)
    }

    /// Closes the connection; an open transaction is taken back. The last connection of a file closes the database.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(Open { connection, database }) = lock(py, &self.open).take() else {
            return Ok(());
        };
        let cursors = std::mem::take(&mut *lock(py, &self.cursors));
        // Results keep the database open; what is left of them cannot be asked for any more.
        let states = cursors.iter().filter_map(Weak::upgrade);
        let results: Vec<_> = states.filter_map(|state| lock(py, &state).end_result()).collect();
        py.detach(|| {
            drop(results);
            drop(connection);
            database.close()
        })
        .or_raise(py)
    }

    /// Stops the running statement, from any thread.
    fn interrupt(&self) {
        self.interrupt.interrupt();
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        lock(py, &self.open).is_none()
    }

    /// Whether a transaction is open.
    #[getter]
    fn in_transaction(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.get(py)?.transaction_state() != TransactionState::Idle)
    }

    /// Whether each statement is a transaction of its own.
    #[getter]
    fn autocommit(&self) -> bool {
        self.autocommit.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_autocommit(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        if on != self.autocommit() && self.get(py)?.transaction_state() != TransactionState::Idle {
            return Err(raise(py, "ProgrammingError", "autocommit cannot be changed inside a transaction"));
        }
        self.autocommit.store(on, Ordering::Relaxed);
        Ok(())
    }

    /// Notices and warnings since the last call: pairs of severity and message.
    fn notices(&self, py: Python<'_>) -> PyResult<Vec<(String, String)>> {
        let notices = self.get(py)?.take_notices();
        Ok(notices.into_iter().map(|notice| (notice.severity.to_owned(), notice.message)).collect())
    }
}
