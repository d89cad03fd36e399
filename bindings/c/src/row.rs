//! The columns of a statement and the values of its current row.

use crate::boundary::{Failure, enter_infallible, write};
use crate::error::Error;
use crate::statement::{EPOCH_DAYS, EPOCH_MICROS, Statement, on_statement};
use crate::status::Status;
use rustdb::types::{CastContext, DataType, TimeContext, Value};
use std::ffi::{c_char, c_void};
use std::ptr;

/// Values of the current row that C has pointers to, by column.
pub(crate) struct Shown {
    /// With a NUL at the end.
    texts: Vec<Option<Vec<u8>>>,
    bytes: Vec<Option<Box<[u8]>>>,
}

impl Shown {
    pub(crate) fn new(columns: usize) -> Self {
        Self { texts: vec![None; columns], bytes: vec![None; columns] }
    }

    pub(crate) fn clear(&mut self) {
        self.texts.fill(None);
        self.bytes.fill(None);
    }
}

impl Statement {
    fn check_column(&self, number: usize) -> Result<(), Failure> {
        let count = self.columns().len();
        if number < count { Ok(()) } else { Err(Failure::Range { what: "column", number, count }) }
    }

    fn current(&self) -> Result<rustdb::Row<'_>, Failure> {
        let row = self.rows.as_ref().and_then(rustdb::Rows::current);
        row.ok_or(Failure::Misuse("the statement is at no row: rustdb_step comes first"))
    }

    fn value(&self, number: usize) -> Result<Value, Failure> {
        self.check_column(number)?;
        Ok(self.current()?.value(number)?)
    }

    fn text(&mut self, number: usize) -> Result<Option<&[u8]>, Failure> {
        self.check_column(number)?;
        if self.shown.texts[number].is_none() {
            self.shown.texts[number] = self.current()?.text(number)?.map(|text| {
                let mut bytes = text.into_bytes();
                bytes.push(0);
                bytes
            });
        }
        Ok(self.shown.texts[number].as_deref())
    }

    fn bytes(&mut self, number: usize) -> Result<Option<&[u8]>, Failure> {
        self.check_column(number)?;
        if self.shown.bytes[number].is_none() {
            self.shown.bytes[number] = match self.value(number)? {
                Value::Null => None,
                Value::Bytea(bytes) => Some(bytes),
                Value::Text(text) => Some(text.into_boxed_bytes()),
                _ => {
                    return Err(Failure::Misuse(
                        "the column has no bytes: its type is neither bytea nor text",
                    ));
                }
            };
        }
        Ok(self.shown.bytes[number].as_deref())
    }
}

/// The value as a whole number. Dates and times count from 1970, like what is bound.
fn integer(value: Value) -> Result<i64, Failure> {
    Ok(match value {
        Value::Null => 0,
        Value::Boolean(v) => v.into(),
        Value::SmallInt(v) => v.into(),
        Value::Integer(v) => v.into(),
        Value::BigInt(v) | Value::Time(v) => v,
        Value::Date(i32::MIN) => i64::MIN,
        Value::Date(i32::MAX) => i64::MAX,
        Value::Date(days) => i64::from(days) + i64::from(EPOCH_DAYS),
        Value::Timestamp(v @ (i64::MIN | i64::MAX)) | Value::TimestampTz(v @ (i64::MIN | i64::MAX)) => v,
        // Timestamps end in the year 294276, long before the sum would overflow.
        Value::Timestamp(micros) | Value::TimestampTz(micros) => micros.saturating_add(EPOCH_MICROS),
        Value::Real(_) | Value::Double(_) | Value::Numeric(_) => match number(value, &DataType::BigInt)? {
            Value::BigInt(v) => v,
            _ => return Err(NOT_A_NUMBER),
        },
        Value::Text(_) | Value::Bytea(_) | Value::Interval(_) | Value::Uuid(_) => return Err(NOT_A_NUMBER),
    })
}

/// The value as a floating-point number.
fn double(value: Value) -> Result<f64, Failure> {
    match value {
        Value::Null => Ok(0.0),
        Value::SmallInt(_)
        | Value::Integer(_)
        | Value::BigInt(_)
        | Value::Real(_)
        | Value::Double(_)
        | Value::Numeric(_) => match number(value, &DataType::Double)? {
            Value::Double(v) => Ok(v),
            _ => Err(NOT_A_NUMBER),
        },
        Value::Boolean(_)
        | Value::Text(_)
        | Value::Bytea(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::TimestampTz(_)
        | Value::Interval(_)
        | Value::Uuid(_) => Err(NOT_A_NUMBER),
    }
}

const NOT_A_NUMBER: Failure = Failure::Misuse("the column is no number: rustdb_column_text reads any type");

/// A number as CAST makes it one of another type; no clock has a say in that.
fn number(value: Value, to: &DataType) -> Result<Value, Failure> {
    Ok(value.cast(to, CastContext::Explicit, &TimeContext { now: 0, zone_seconds: 0 })?)
}

/// How many columns the statement's rows have; 0 if it gives none. Columns are numbered from 0.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_count(stmt: *const Statement) -> usize {
    // SAFETY: null or alive, says the caller.
    unsafe { stmt.as_ref() }.map_or(0, |statement| statement.columns().len())
}

/// The name of a column, alive as long as the statement; null if there is none of that number.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_name(stmt: *const Statement, column: usize) -> *const c_char {
    // SAFETY: null or alive, says the caller.
    let statement = unsafe { stmt.as_ref() };
    statement.and_then(|statement| statement.names.get(column)).map_or(ptr::null(), |name| name.as_ptr())
}

/// The type of a column as an oid of PostgreSQL's catalog (20 is bigint, 25 text); 0 if there is none of that number.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_oid(stmt: *const Statement, column: usize) -> u32 {
    // SAFETY: null or alive, says the caller.
    let statement = unsafe { stmt.as_ref() };
    statement.and_then(|statement| statement.columns().get(column)).map_or(0, |column| column.ty.oid())
}

/// Whether a value of the current row is NULL; true as well if there is no such value.
///
/// # Safety
/// `stmt` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_is_null(stmt: *const Statement, column: usize) -> bool {
    // SAFETY: null or alive, says the caller.
    let statement = unsafe { stmt.as_ref() };
    enter_infallible(true, || {
        statement.and_then(|statement| statement.value(column).ok()).is_none_or(|value| value.is_null())
    })
}

/// A value of the current row as a whole number: a boolean as 0 or 1, a date as days since 1970-01-01, a time as
/// microseconds since midnight, a timestamp as microseconds since 1970-01-01 00:00 (UTC if it has a time zone),
/// another number as CAST makes it a bigint. NULL gives 0.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_i64(
    stmt: *mut Statement,
    column: usize,
    out: *mut i64,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let value = integer(statement.value(column)?)?;
        // SAFETY: the caller vouches for it.
        unsafe { write(out, value) };
        Ok(Status::RustdbOk)
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// A number of the current row in double precision. NULL gives 0.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_f64(
    stmt: *mut Statement,
    column: usize,
    out: *mut f64,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let value = double(statement.value(column)?)?;
        // SAFETY: the caller vouches for it.
        unsafe { write(out, value) };
        Ok(Status::RustdbOk)
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// A value of any type as text in UTF-8, as PostgreSQL writes it, with a NUL behind it that `length` does not count.
/// NULL gives a null pointer. The text lives until the next step, reset or finalize; `length` may be null.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_text(
    stmt: *mut Statement,
    column: usize,
    out: *mut *const c_char,
    length: *mut usize,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let text = statement.text(column)?;
        // SAFETY: the caller vouches for both.
        unsafe {
            write(out, text.map_or(ptr::null(), |text| text.as_ptr().cast()));
            write(length, text.map_or(0, |text| text.len() - 1));
        }
        Ok(Status::RustdbOk)
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}

/// The bytes of a bytea or text value. NULL gives a null pointer, a value without bytes one that is not null. They
/// live until the next step, reset or finalize.
///
/// # Safety
/// `stmt` came from `rustdb_prepare`; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_column_blob(
    stmt: *mut Statement,
    column: usize,
    out: *mut *const c_void,
    length: *mut usize,
    err: *mut *mut Error,
) -> Status {
    let action = |statement: &mut Statement| {
        let bytes = statement.bytes(column)?;
        // SAFETY: the caller vouches for both.
        unsafe {
            write(out, bytes.map_or(ptr::null(), |bytes| bytes.as_ptr().cast()));
            write(length, bytes.map_or(0, <[u8]>::len));
        }
        Ok(Status::RustdbOk)
    };
    // SAFETY: passed on.
    unsafe { on_statement(stmt, err, action) }
}
