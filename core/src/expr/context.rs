//! What the result of an expression may depend on besides its row.

use crate::error::Result;
use crate::types::{TimeContext, Value};

/// Whatever changes while a statement runs. The engine implements it; a simulation decides what it answers.
pub trait Environment: Sync {
    /// The time now, in microseconds since 2000-01-01 00:00 UTC.
    fn clock_timestamp(&self) -> i64;

    /// Sixty-four random bits.
    fn random(&self) -> u64;

    /// The value of a setting, as SHOW prints it; `None` if there is none of this name.
    fn setting(&self, name: &str) -> Option<String>;

    /// The next value of a sequence, given as in `nextval('name')`.
    ///
    /// # Errors
    /// 42P01 if there is none, 2200H at its end.
    fn next_value(&self, sequence: &str) -> Result<i64>;

    /// The last value [`next_value`](Self::next_value) gave to this session.
    ///
    /// # Errors
    /// 42P01 if there is no such sequence, 55000 if it was not asked yet.
    fn current_value(&self, sequence: &str) -> Result<i64>;

    /// Sets a sequence; `called` tells whether `value` counts as given out.
    ///
    /// # Errors
    /// 42P01 if there is none, 22003 outside its range.
    fn set_value(&self, sequence: &str, value: i64, called: bool) -> Result<()>;
}

/// The names a session goes by.
#[derive(Clone, Copy, Debug)]
pub struct SessionNames<'a> {
    /// `current_user`
    pub user: &'a str,
    /// `session_user`
    pub session_user: &'a str,
    /// `current_database()`
    pub database: &'a str,
    /// `current_schema()`; none if the search path has no schema.
    pub schema: Option<&'a str>,
    /// `version()`
    pub version: &'a str,
}

/// What evaluation reads besides the chunk. Shared by the threads of a statement.
#[derive(Clone, Copy)]
pub struct EvalContext<'a> {
    /// The transaction's start and the session's zone.
    pub times: TimeContext,
    /// The statement's start, in microseconds since 2000-01-01 00:00 UTC.
    pub statement_start: i64,
    /// The parameters, already of the types the statement wants.
    pub parameters: &'a [Value],
    /// Names.
    pub names: SessionNames<'a>,
    /// Clock, random numbers, settings, sequences.
    pub environment: &'a dyn Environment,
}
