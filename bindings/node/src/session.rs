//! Sessions, their statements and cursors, as classes of JavaScript. What takes a while comes as a promise and, with a
//! name in `Sync`, on the caller's thread.

use crate::failure::{Cause, Outcome, outcome};
use crate::parameters::{Inputs, Parameters};
use crate::rows::{Batch, Decoding, Field, ResultSet, fields};
use crate::shared::{Attempt, Handle, Shared};
use crate::worker::Worker;
use napi::bindgen_prelude::{Env, Object, Result};
use napi_derive::napi;
use rustdb::TransactionState;
use rustdb::types::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// A database connection.
#[napi]
pub struct Session {
    shared: Arc<Shared>,
    worker: Worker,
}

/// JavaScript holds the session while an operation runs. If it goes all the same, its thread of JavaScript is being
/// torn down, and nobody waits for the result.
impl Drop for Session {
    fn drop(&mut self) {
        self.shared.interrupt();
    }
}

fn open_session(
    location: &str,
    settings: HashMap<String, String>,
    int8: &str,
    text_types: Vec<u32>,
    worker: Worker,
) -> Attempt<Session> {
    let decoding = Decoding::new(int8, text_types)?;
    Ok(Session { shared: Arc::new(Shared::open(location, settings, decoding)?), worker })
}

/// Opens a database in a thread of its own, where the session will stay.
#[napi(catch_unwind)]
pub fn open<'env>(
    env: &'env Env,
    location: String,
    settings: HashMap<String, String>,
    int8: String,
    text_types: Vec<u32>,
) -> Result<Object<'env>> {
    let worker = Worker::default();
    let own = worker.clone();
    worker.promise(env, move || open_session(&location, settings, &int8, text_types, own))
}

/// Opens a database.
#[napi(catch_unwind)]
pub fn open_sync(
    location: String,
    settings: HashMap<String, String>,
    int8: String,
    text_types: Vec<u32>,
) -> Outcome<Session> {
    outcome(move || open_session(&location, settings, &int8, text_types, Worker::default()))
}

#[napi]
impl Session {
    /// Runs a statement.
    #[napi(catch_unwind)]
    pub fn query<'env>(&self, env: &'env Env, sql: String, inputs: Inputs) -> Result<Object<'env>> {
        let shared = Arc::clone(&self.shared);
        let parameters = Parameters::new(inputs);
        self.worker.promise(env, move || shared.query(&sql, &parameters?))
    }

    /// Runs any number of statements.
    #[napi(catch_unwind)]
    pub fn exec<'env>(&self, env: &'env Env, sql: String) -> Result<Object<'env>> {
        let shared = Arc::clone(&self.shared);
        self.worker.promise(env, move || shared.exec(&sql))
    }

    /// Runs any number of statements.
    #[napi(catch_unwind)]
    pub fn exec_sync(&self, sql: String) -> Outcome<Vec<ResultSet>> {
        outcome(move || self.shared.exec(&sql))
    }

    /// Prepares a statement.
    #[napi(catch_unwind)]
    pub fn prepare<'env>(&self, env: &'env Env, sql: String) -> Result<Object<'env>> {
        let (shared, worker) = (Arc::clone(&self.shared), self.worker.clone());
        self.worker.promise(env, move || Statement::prepare(&shared, &sql, worker))
    }

    /// Prepares a statement.
    #[napi(catch_unwind)]
    pub fn prepare_sync(&self, sql: String) -> Outcome<Statement> {
        outcome(move || Statement::prepare(&self.shared, &sql, self.worker.clone()))
    }

    /// Runs a statement and gives a cursor on its rows.
    #[napi(catch_unwind)]
    pub fn cursor<'env>(&self, env: &'env Env, sql: String, inputs: Inputs) -> Result<Object<'env>> {
        let (shared, worker) = (Arc::clone(&self.shared), self.worker.clone());
        let parameters = Parameters::new(inputs);
        self.worker.promise(env, move || Ok(Cursor::new(shared.cursor(&sql, &parameters?)?, worker)))
    }

    /// Stops the running statement; nothing happens if none runs.
    #[napi(catch_unwind)]
    pub fn interrupt(&self) {
        self.shared.interrupt();
    }

    /// `idle`, `active` in a transaction block, or `failed`.
    #[napi(catch_unwind)]
    pub fn transaction_state(&self) -> Outcome<&'static str> {
        outcome(move || {
            Ok(match self.shared.transaction_state()? {
                TransactionState::Idle => "idle",
                TransactionState::Active => "active",
                TransactionState::Failed => "failed",
            })
        })
    }

    /// Closes the session with its statements and cursors.
    #[napi(catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let shared = Arc::clone(&self.shared);
        self.worker.promise(env, move || shared.close())
    }

    /// Closes the session with its statements and cursors.
    #[napi(catch_unwind)]
    pub fn close_sync(&self) -> Outcome<()> {
        outcome(move || self.shared.close())
    }
}

/// A prepared statement.
#[napi]
pub struct Statement {
    handle: Arc<Handle>,
    worker: Worker,
    fields: Vec<Field>,
    parameter_types: Vec<u32>,
}

#[napi]
impl Statement {
    fn prepare(shared: &Arc<Shared>, sql: &str, worker: Worker) -> Attempt<Self> {
        let (handle, statement) = shared.prepare(sql)?;
        Ok(Self {
            handle: Arc::new(handle),
            worker,
            fields: fields(statement.columns()),
            parameter_types: statement.parameter_types().iter().map(DataType::oid).collect(),
        })
    }

    /// The columns of its rows.
    #[napi(getter, catch_unwind)]
    pub fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    /// The oids of the types of its parameters.
    #[napi(getter, catch_unwind)]
    pub fn parameter_types(&self) -> Vec<u32> {
        self.parameter_types.clone()
    }

    /// Runs it.
    #[napi(catch_unwind)]
    pub fn query<'env>(&self, env: &'env Env, inputs: Inputs) -> Result<Object<'env>> {
        let handle = Arc::clone(&self.handle);
        let parameters = Parameters::new(inputs);
        self.worker.promise(env, move || handle.query(&parameters?, None))
    }

    /// Runs it for all rows or the first `limit`.
    #[napi(catch_unwind)]
    pub fn query_sync(&self, inputs: Inputs, limit: Option<u32>) -> Outcome<ResultSet> {
        outcome(move || self.handle.query(&Parameters::new(inputs)?, limit))
    }

    /// Runs it and gives a cursor on its rows.
    #[napi(catch_unwind)]
    pub fn cursor<'env>(&self, env: &'env Env, inputs: Inputs) -> Result<Object<'env>> {
        let (handle, worker) = (Arc::clone(&self.handle), self.worker.clone());
        let parameters = Parameters::new(inputs);
        self.worker.promise(env, move || Ok(Cursor::new(handle.cursor(&parameters?)?, worker)))
    }

    /// Runs it and gives a cursor on its rows.
    #[napi(catch_unwind)]
    pub fn cursor_sync(&self, inputs: Inputs) -> Outcome<Cursor> {
        outcome(move || Ok(Cursor::new(self.handle.cursor(&Parameters::new(inputs)?)?, self.worker.clone())))
    }
}

/// Rows that are fetched as they are asked for.
#[napi]
pub struct Cursor {
    /// None once it is closed.
    handle: Option<Arc<Handle>>,
    worker: Worker,
    fields: Vec<Field>,
}

#[napi]
impl Cursor {
    fn new((handle, columns): (Handle, Vec<rustdb::Column>), worker: Worker) -> Self {
        Self { handle: Some(Arc::new(handle)), worker, fields: fields(&columns) }
    }

    fn handle(&self) -> Attempt<Arc<Handle>> {
        self.handle.clone().ok_or_else(|| Cause::new("24000", "the cursor is closed"))
    }

    /// The columns of its rows.
    #[napi(getter, catch_unwind)]
    pub fn fields(&self) -> Vec<Field> {
        self.fields.clone()
    }

    /// The next rows, at most `limit`.
    #[napi(catch_unwind)]
    pub fn fetch<'env>(&self, env: &'env Env, limit: u32) -> Result<Object<'env>> {
        let handle = self.handle();
        self.worker.promise(env, move || handle?.fetch(limit))
    }

    /// The next rows, at most `limit`.
    #[napi(catch_unwind)]
    pub fn fetch_sync(&self, limit: u32) -> Outcome<Batch> {
        outcome(move || self.handle()?.fetch(limit))
    }

    /// Gives up the rows that were not fetched. The session does so when it is used next.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.handle = None;
    }
}
