//! Statements: prepared, their parameters bound, run step by step.

use crate::boundary::{
    Failure, RUSTDB_NUL_TERMINATED, bytes, enter, enter_infallible, hand_out, object, object_mut,
    require_out, text, write,
};
use crate::connection::{Connection, Session};
use crate::error::{Error, c_string};
use crate::row::Shown;
use crate::status::Status;
use rustdb::types::{DataType, Value};
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

/// Days and microseconds from 1970-01-01, which C counts from, to 2000-01-01, which the engine counts from.
pub(crate) const EPOCH_DAYS: i32 = 10_957;
pub(crate) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A prepared statement.
pub struct Statement {
    statement: rustdb::Statement,
    /// The value of each parameter, NULL until it is bound.
    parameters: Vec<Value>,
    /// The names of the columns, kept for C.
    pub(crate) names: Vec<CString>,
    /// The rows, from the first step to the last.
    pub(crate) rows: Option<rustdb::Rows>,
    /// What C has pointers to in the current row.
    pub(crate) shown: Shown,
    pub(crate) session: Arc<Session>,
}

impl Statement {
    pub(crate) fn columns(&self) -> &[rustdb::Column] {
        self.statement.columns()
    }

    fn step(&mut self) -> Result<Status, Failure> {
        self.shown.clear();
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => {
                self.session.set_changes(0);
                self.statement.query(self.parameters.as_slice())?
            }
        };
        if rows.next()?.is_some() {
            self.rows = Some(rows);
            return Ok(Status::RustdbRow);
        }
        self.session.set_changes(rows.affected().unwrap_or(0));
        Ok(Status::RustdbDone)
    }

    fn reset(&mut self) {
        self.shown.clear();
        self.rows = None;
    }

    fn bind(&mut self, number: usize, value: Value) -> Result<Status, Failure> {
        if self.rows.is_some() {
            return Err(Failure::Misuse("the statement is being stepped: rustdb_reset comes first"));
        }
        let count = self.parameters.len();
        let slot = number.checked_sub(1).and_then(|index| self.parameters.get_mut(index));
        *slot.ok_or(Failure::Range { what: "parameter", number, count })? = value;
        Ok(Status::RustdbOk)
    }

    fn parameter_type(&self, number: usize) -> Option<&DataType> {
        self.statement.parameter_types().get(number.checked_sub(1)?)
    }
}

/// Prepares the first statement of a text of `length` bytes, or up to its NUL with `RUSTDB_NUL_TERMINATED`. `tail`, if
/// not null, is pointed at what follows the statement. A text without a statement gives `RUSTDB_OK` and a null `out`.
/// `rustdb_finalize` frees the statement.
///
/// # Safety
/// `conn` came from `rustdb_connect`; `sql` is as long as said; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_prepare(
    conn: *const Connection,
    sql: *const c_char,
    length: usize,
    out: *mut *mut Statement,
    tail: *mut *const c_char,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for all of them.
        let (session, all) = unsafe {
            write(tail, sql);
            require_out(out)?;
            (&object(conn)?.session, text(sql, length)?)
        };
        let _watch = session.watch()?;
        let mut statements = rustdb::parser::statements(all);
        let first = statements.next();
        // SAFETY: the offset lies inside the text or at its end.
        unsafe { write(tail, sql.wrapping_add(statements.offset())) };
        let Some(item) = first else { return Ok(Status::RustdbOk) };
        // What stands before the statement stays, so that positions count from the beginning of the text.
        let statement = session.connection.prepare(&all[..item.range.end])?;
        let names: Vec<CString> = statement.columns().iter().map(|c| c_string(&c.name)).collect();
        let statement = Statement {
            parameters: vec![Value::Null; statement.parameter_types().len()],
            rows: None,
            shown: Shown::new(names.len()),
            names,
            session: Arc::clone(session),
            statement,
        };
        // SAFETY: checked above.
        unsafe { hand_out(out, statement) };
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Runs an action on a statement.
///
/// # Safety
/// As the entry points'.
pub(crate) unsafe fn on_statement(
    stmt: *mut Statement,
    err: *mut *mut Error,
    action: impl FnOnce(&mut Statement) -> Result<Status, Failure>,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for it.
        let statement = unsafe { object_mut(stmt) }?;
        let session = Arc::clone(&statement.session);
        let _watch = session.watch()?;
        action(statement)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Runs the statement to its next row: `RUSTDB_ROW`, `RUSTDB_DONE` behind the last one, or an error. The first step
/// and the one after `RUSTDB_DONE`, an error or `rustdb_reset` run the statement anew.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_step(stmt: *mut Statement, err: *mut *mut Error) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, Statement::step) }
}

/// Leaves the rows that were not fetched, so that parameters can be bound and the statement run again. Values that
/// are bound stay.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_reset(stmt: *mut Statement) {
    // SAFETY: null or alive, says the caller.
    if let Some(statement) = unsafe { stmt.as_mut() } {
        enter_infallible((), || statement.reset());
    }
}

/// Resets the statement and sets all parameters to NULL.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_clear_bindings(stmt: *mut Statement) {
    // SAFETY: null or alive, says the caller.
    if let Some(statement) = unsafe { stmt.as_mut() } {
        enter_infallible((), || {
            statement.reset();
            statement.parameters.fill(Value::Null);
        });
    }
}

/// Frees a statement, rows that were not fetched included.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_finalize(stmt: *mut Statement) {
    if !stmt.is_null() {
        // SAFETY: it came out of a box in `rustdb_prepare`, and the caller uses it no more.
        let statement = unsafe { Box::from_raw(stmt) };
        enter_infallible((), || drop(statement));
    }
}

/// How many parameters the statement has.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_param_count(stmt: *const Statement) -> usize {
    // SAFETY: null or alive, says the caller.
    unsafe { stmt.as_ref() }.map_or(0, |statement| statement.parameters.len())
}

/// The number of the parameter that the statement writes as `$name` or `:name`; 0 if it has none of that name.
///
/// # Safety
/// `stmt` is null or was not freed; `name` is null or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_param_index(stmt: *const Statement, name: *const c_char) -> usize {
    enter_infallible(0, || {
        // SAFETY: the caller vouches for both.
        let (Some(statement), Ok(name)) = (unsafe { (stmt.as_ref(), text(name, RUSTDB_NUL_TERMINATED)) })
        else {
            return 0;
        };
        statement.statement.parameter_number(name).unwrap_or(0)
    })
}

/// The type of a parameter as an oid of PostgreSQL's catalog; 0 if there is none of that number.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_param_type(stmt: *const Statement, number: usize) -> u32 {
    // SAFETY: null or alive, says the caller.
    let statement = unsafe { stmt.as_ref() };
    statement.and_then(|statement| statement.parameter_type(number)).map_or(0, DataType::oid)
}

/// Binds NULL to a parameter; parameters are numbered from 1.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_null(
    stmt: *mut Statement,
    number: usize,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, |statement| statement.bind(number, Value::Null)) }
}

/// Binds a boolean.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_bool(
    stmt: *mut Statement,
    number: usize,
    value: bool,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, |statement| statement.bind(number, Value::Boolean(value))) }
}

/// Binds an integer.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_i32(
    stmt: *mut Statement,
    number: usize,
    value: i32,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, |statement| statement.bind(number, Value::Integer(value))) }
}

/// Binds a bigint.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_i64(
    stmt: *mut Statement,
    number: usize,
    value: i64,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, |statement| statement.bind(number, Value::BigInt(value))) }
}

/// Binds a double precision number.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_f64(
    stmt: *mut Statement,
    number: usize,
    value: f64,
    err: *mut *mut Error,
) -> Status {
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, |statement| statement.bind(number, Value::Double(value))) }
}

/// Binds a text in UTF-8, copied, of `length` bytes or `RUSTDB_NUL_TERMINATED`. A parameter of another type reads it
/// as it would a quoted literal.
///
/// # Safety
/// As `rustdb_bind_null`; `value` is as long as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_text(
    stmt: *mut Statement,
    number: usize,
    value: *const c_char,
    length: usize,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        // SAFETY: the caller vouches for it.
        let value = unsafe { text(value, length) }?;
        statement.bind(number, Value::from(value))
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// Binds bytes, copied.
///
/// # Safety
/// As `rustdb_bind_null`; `value` is as long as said.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_blob(
    stmt: *mut Statement,
    number: usize,
    value: *const c_void,
    length: usize,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        // SAFETY: the caller vouches for it.
        let value = unsafe { bytes(value.cast(), length) }?;
        statement.bind(number, Value::Bytea(value.into()))
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// Binds a decimal number written as text, such as "-12.50".
///
/// # Safety
/// As `rustdb_bind_null`; `value` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_decimal(
    stmt: *mut Statement,
    number: usize,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        // SAFETY: the caller vouches for it.
        let value = unsafe { text(value, RUSTDB_NUL_TERMINATED) }?;
        statement.bind(number, Value::Numeric(value.parse()?))
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// Binds a date, as days since 1970-01-01; `INT32_MIN` and `INT32_MAX` are the infinities.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_date(
    stmt: *mut Statement,
    number: usize,
    days: i32,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let days = match days {
            i32::MIN | i32::MAX => days,
            days => days.checked_sub(EPOCH_DAYS).ok_or(Failure::Misuse("the date is out of range"))?,
        };
        statement.bind(number, Value::Date(days))
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// Binds a point in time, as microseconds since 1970-01-01 00:00 UTC; `INT64_MIN` and `INT64_MAX` are the infinities.
/// To a parameter of type `timestamp` they count from 1970-01-01 00:00 without a time zone.
///
/// # Safety
/// As `rustdb_bind_null`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_timestamp(
    stmt: *mut Statement,
    number: usize,
    micros: i64,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let micros = match micros {
            i64::MIN | i64::MAX => micros,
            micros => {
                micros.checked_sub(EPOCH_MICROS).ok_or(Failure::Misuse("the timestamp is out of range"))?
            }
        };
        let value = match statement.parameter_type(number) {
            Some(DataType::Timestamp) => Value::Timestamp(micros),
            _ => Value::TimestampTz(micros),
        };
        statement.bind(number, value)
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// Binds a UUID of 16 bytes, the first the one that is written first.
///
/// # Safety
/// As `rustdb_bind_null`; `value` has 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_bind_uuid(
    stmt: *mut Statement,
    number: usize,
    value: *const u8,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        // SAFETY: the caller vouches for it.
        let value = unsafe { bytes(value, 16) }?;
        let value = value.try_into().map_err(|_| Failure::Misuse("a UUID has 16 bytes"))?;
        statement.bind(number, Value::Uuid(value))
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}
