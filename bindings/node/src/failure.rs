//! What an operation comes to: its result, or an error with PostgreSQL's fields.

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An error of the engine. No result has a property `sqlstate`; that tells the two apart.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct Failure {
    /// Five characters.
    pub sqlstate: String,
    /// One line.
    pub message: String,
    /// PostgreSQL's DETAIL.
    pub detail: Option<String>,
    /// PostgreSQL's HINT.
    pub hint: Option<String>,
    /// PostgreSQL's CONTEXT.
    pub context: Option<String>,
    /// In characters of the statement, from 1.
    pub position: Option<u32>,
    /// The violated constraint.
    pub constraint: Option<String>,
    /// The table it is of.
    pub table: Option<String>,
    /// The column that may not be NULL.
    pub column: Option<String>,
}

/// A result or what prevented it.
pub(crate) type Outcome<T> = Either<Failure, T>;

/// Why an operation failed.
pub(crate) enum Cause {
    /// The engine refused.
    Engine(rustdb::Error),
    /// This half did, or panicked.
    Own { sqlstate: &'static str, message: String },
}

impl Cause {
    pub(crate) fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::Own { sqlstate, message: message.into() }
    }

    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::new("XX000", message.unwrap_or_else(|| "a panic without a message".to_owned()))
    }
}

impl From<rustdb::Error> for Cause {
    fn from(error: rustdb::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        let plain = |sqlstate: &str, message| Self {
            sqlstate: sqlstate.to_owned(),
            message,
            detail: None,
            hint: None,
            context: None,
            position: None,
            constraint: None,
            table: None,
            column: None,
        };
        match cause {
            Cause::Own { sqlstate, message } => plain(sqlstate, message),
            Cause::Engine(error) => Self {
                detail: error.detail().map(str::to_owned),
                hint: error.hint().map(str::to_owned),
                context: error.context().map(str::to_owned),
                position: error.position(),
                constraint: error.constraint().map(str::to_owned),
                table: error.table().map(str::to_owned),
                column: error.column().map(str::to_owned),
                ..plain(error.sqlstate().0, error.to_string())
            },
        }
    }
}

/// Runs an operation up to its outcome, whatever happens.
pub(crate) fn outcome<T>(operation: impl FnOnce() -> Result<T, Cause>) -> Outcome<T> {
    let caught = catch_unwind(AssertUnwindSafe(operation));
    match caught.unwrap_or_else(|panic| Err(Cause::of_panic(panic.as_ref()))) {
        Ok(result) => Either::B(result),
        Err(cause) => Either::A(cause.into()),
    }
}
