//! Cursors: statements and their results.

use crate::connection::Connection;
use crate::error::{OrRaise, raise};
use crate::lock::lock;
use crate::value::{from_python, rows};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use rustdb::types::Chunk;
use rustdb::{Params, Prepared, Rows, TransactionState, Value};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};

/// Runs statements of a connection and holds the result of the last one; `rustdb.Cursor` adds what needs no speed.
#[pyclass(subclass, frozen, module = "rustdb._rustdb")]
pub(crate) struct Cursor {
    connection: Py<Connection>,
    /// The connection drops the result when it is closed.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    rows: Option<Rows>,
    chunk: Option<Chunk>,
    /// Rows of the chunk that were fetched.
    at: usize,
    rowcount: i64,
    command: String,
    closed: bool,
    /// The result has columns.
    has_result: bool,
}

impl State {
    /// Forgets the rows that were not fetched: the connection is closed.
    pub(crate) fn end_result(&mut self) -> Option<Rows> {
        self.chunk = None;
        self.has_result = false;
        self.rows.take()
    }
}

/// The parameters of a statement.
enum Parameters {
    Positional(Vec<Value>),
    Named(Vec<(String, Value)>),
}

fn parameters(given: Option<&Bound<'_, PyAny>>) -> PyResult<Parameters> {
    let Some(given) = given.filter(|given| !given.is_none()) else {
        return Ok(Parameters::Positional(Vec::new()));
    };
    if let Ok(tuple) = given.cast::<PyTuple>() {
        return tuple
            .iter()
            .map(|item| from_python(&item))
            .collect::<PyResult<_>>()
            .map(Parameters::Positional);
    }
    if let Ok(list) = given.cast::<PyList>() {
        return list
            .iter()
            .map(|item| from_python(&item))
            .collect::<PyResult<_>>()
            .map(Parameters::Positional);
    }
    if let Ok(dict) = given.cast::<PyDict>() {
        let pair = |(name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            PyResult::Ok((name.extract::<String>()?, from_python(&value)?))
        };
        return dict.iter().map(pair).collect::<PyResult<_>>().map(Parameters::Named);
    }
    if given.is_instance_of::<PyString>() {
        let message = "parameters must be a sequence or a mapping, not a string";
        return Err(raise(given.py(), "ProgrammingError", message));
    }
    let mut values = Vec::new();
    for item in given.try_iter()? {
        values.push(from_python(&item?)?);
    }
    Ok(Parameters::Positional(values))
}

impl Params for Parameters {
    fn values(&self, statement: Option<&Prepared>) -> rustdb::Result<Cow<'_, [Value]>> {
        match self {
            Self::Positional(values) => Ok(Cow::Borrowed(values)),
            Self::Named(pairs) => pairs.as_slice().values(statement),
        }
    }
}

impl Cursor {
    fn state(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, State>> {
        let state = lock(py, &self.state);
        if state.closed {
            return Err(raise(py, "InterfaceError", "the cursor is closed"));
        }
        Ok(state)
    }

    fn fetch<'py>(&self, py: Python<'py>, wanted: usize) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut state = self.state(py)?;
        if !state.has_result {
            self.connection.get().get(py)?;
            return Err(raise(py, "ProgrammingError", "the last operation didn't produce a result"));
        }
        let mut fetched = Vec::new();
        while fetched.len() < wanted {
            let State { rows: result, chunk, at, .. } = &mut *state;
            let Some(result) = result else { break };
            if chunk.is_none() {
                *chunk = py.detach(|| result.next_chunk()).or_raise(py)?;
                *at = 0;
            }
            let Some(current) = chunk else { break };
            let end = current.count().min(at.saturating_add(wanted - fetched.len()));
            fetched.append(&mut rows(py, current, result.columns(), *at..end)?);
            *at = end;
            if end == current.count() {
                *chunk = None;
            }
        }
        Ok(fetched)
    }
}

#[pymethods]
impl Cursor {
    #[new]
    fn new(py: Python<'_>, connection: Py<Connection>) -> Self {
        let state = Arc::new(Mutex::new(State { rowcount: -1, ..State::default() }));
        connection.get().add_cursor(py, &state);
        Self { connection, state }
    }

    /// Runs one statement.
    #[pyo3(signature = (operation, parameters = None))]
    fn _execute(
        &self,
        py: Python<'_>,
        operation: &str,
        parameters: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let given = self::parameters(parameters)?;
        let owner = self.connection.get();
        let connection = owner.get(py)?;
        let mut state = self.state(py)?;
        *state = State { rowcount: -1, ..State::default() };
        let result = py.detach(|| {
            owner.before_statement(&connection)?;
            connection.query(operation, given)
        });
        let mut result = result.or_raise(py)?;
        state.has_result = !result.columns().is_empty();
        state.command = result.command().to_owned();
        state.rowcount = match result.affected() {
            Some(affected) => i64::try_from(affected).unwrap_or(i64::MAX),
            None if state.has_result => {
                result.known_rows().map_or(-1, |rows| i64::try_from(rows).unwrap_or(i64::MAX))
            }
            None => -1,
        };
        if !state.has_result {
            py.detach(|| result.next_chunk()).or_raise(py)?;
        }
        state.rows = Some(result);
        Ok(())
    }

    /// Runs one statement for each set of parameters, all in one transaction.
    fn _executemany(&self, py: Python<'_>, operation: &str, sets: &Bound<'_, PyAny>) -> PyResult<()> {
        let owner = self.connection.get();
        let connection = owner.get(py)?;
        // The sets may come from this cursor's own methods: its state is not locked meanwhile.
        *self.state(py)? = State { rowcount: 0, ..State::default() };
        let mut batch = Vec::new();
        let own = connection.transaction_state() == TransactionState::Idle;
        if own {
            connection.begin().or_raise(py)?;
        }
        let mut run = || -> PyResult<i64> {
            let mut total = 0;
            let mut sets = sets.try_iter()?;
            loop {
                let next = sets.next().transpose()?;
                let last = next.is_none();
                if let Some(set) = next {
                    batch.push(parameters(Some(&set))?);
                }
                if batch.len() == BATCH || (last && !batch.is_empty()) {
                    let counted = py.detach(|| connection.execute_many(operation, &batch));
                    batch.clear();
                    total += i64::try_from(counted.or_raise(py)?).unwrap_or(i64::MAX);
                }
                if last {
                    return Ok(total);
                }
            }
        };
        let total = run();
        if own && owner.is_autocommit() {
            match &total {
                Ok(_) => py.detach(|| connection.commit()).or_raise(py)?,
                Err(_) => py.detach(|| connection.rollback()).or_raise(py)?,
            }
        }
        let total = total?;
        self.state(py)?.rowcount = total;
        Ok(())
    }

    /// The next row as a tuple; `None` after the last.
    fn fetchone<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        Ok(self.fetch(py, 1)?.pop())
    }

    /// All rows that are left, as a list of tuples.
    fn fetchall<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.fetch(py, usize::MAX)
    }

    fn _fetchmany<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.fetch(py, size)
    }

    /// Rows inserted, changed or removed, or of a short result its rows; -1 if that is not known.
    #[getter]
    fn rowcount(&self, py: Python<'_>) -> i64 {
        lock(py, &self.state).rowcount
    }

    /// The word of the command tag of the last statement, such as `INSERT`; `None` before the first.
    #[getter]
    fn statusmessage(&self, py: Python<'_>) -> Option<String> {
        Some(lock(py, &self.state).command.clone()).filter(|command| !command.is_empty())
    }

    /// Name, type oid, precision and scale of each column of the result; `None` without one.
    fn _columns(&self, py: Python<'_>) -> Option<Vec<Described>> {
        let state = lock(py, &self.state);
        let rows = state.rows.as_ref().filter(|_| state.has_result)?;
        let column = |column: &rustdb::Column| {
            let (precision, scale) = match column.ty {
                rustdb::types::DataType::Numeric { precision, scale } => (Some(precision), Some(scale)),
                _ => (None, None),
            };
            (column.name.to_string(), column.ty.oid(), precision, scale)
        };
        Some(rows.columns().iter().map(column).collect())
    }

    /// Forgets the result. Nothing can be run afterwards.
    fn close(&self, py: Python<'_>) {
        let mut state = lock(py, &self.state);
        let rows = state.rows.take();
        *state = State { closed: true, rowcount: -1, ..State::default() };
        py.detach(|| drop(rows));
    }

    /// Whether it is closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        lock(py, &self.state).closed
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.fetchone(py)
    }
}

/// Name, type oid, precision and scale of a column.
type Described = (String, u32, Option<u8>, Option<u8>);

/// Sets of parameters that are run without asking Python for the next.
const BATCH: usize = 1024;
