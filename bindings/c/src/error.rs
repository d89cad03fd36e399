//! What an error tells: SQLSTATE, message and PostgreSQL's further fields, as strings that live as long as it.

use crate::boundary::{Failure, enter_infallible};
use crate::status::Status;
use std::ffi::{CString, c_char};
use std::ptr;

/// An error. Its owner is whoever passed the out-pointer; `rustdb_error_free` frees it.
pub struct Error {
    pub(crate) status: Status,
    sqlstate: CString,
    message: CString,
    detail: Option<CString>,
    hint: Option<CString>,
    position: u32,
}

impl Error {
    pub(crate) fn new(failure: &Failure) -> Self {
        let plain = |status, sqlstate, message: &str| Self {
            status,
            sqlstate: c_string(sqlstate),
            message: c_string(message),
            detail: None,
            hint: None,
            position: 0,
        };
        match failure {
            Failure::Engine(error) => Self {
                status: Status::RustdbError,
                sqlstate: c_string(error.sqlstate().0),
                message: c_string(&error.to_string()),
                detail: error.detail().map(c_string),
                hint: error.hint().map(c_string),
                position: error.position().unwrap_or(0),
            },
            // Codes of the call level interface (ISO/IEC 9075-3): general error, invalid descriptor index, function
            // sequence error.
            Failure::Misuse(message) => plain(Status::RustdbMisuse, "HY000", message),
            Failure::Range { what, number, count } => {
                plain(Status::RustdbRange, "07009", &format!("there is no {what} {number} among {count}"))
            }
            Failure::Busy(message) => plain(Status::RustdbBusy, "HY010", message),
            Failure::Internal(message) => plain(Status::RustdbInternal, "XX000", message),
        }
    }
}

/// The text up to its first NUL, which no message of the engine has unless the statement had it.
pub(crate) fn c_string(text: &str) -> CString {
    let until_nul = text.split('\0').next().unwrap_or("");
    CString::new(until_nul).unwrap_or_default()
}

/// # Safety
/// As the callers' `error`.
unsafe fn field(error: *const Error, field: impl FnOnce(&Error) -> Option<&CString>) -> *const c_char {
    // SAFETY: null or alive, says the caller.
    let error = unsafe { error.as_ref() };
    enter_infallible(ptr::null(), || error.and_then(field).map_or(ptr::null(), |text| text.as_ptr()))
}

/// The status that the failed call returned; `RUSTDB_OK` of no error.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_code(error: *const Error) -> Status {
    // SAFETY: null or alive, says the caller.
    unsafe { error.as_ref() }.map_or(Status::RustdbOk, |error| error.status)
}

/// The SQLSTATE, five characters; null of no error.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_sqlstate(error: *const Error) -> *const c_char {
    // SAFETY: passed on.
    unsafe { field(error, |error| Some(&error.sqlstate)) }
}

/// What went wrong, one line in UTF-8; null of no error.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_message(error: *const Error) -> *const c_char {
    // SAFETY: passed on.
    unsafe { field(error, |error| Some(&error.message)) }
}

/// More about it, such as the key that was there already; null if there is nothing to add.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_detail(error: *const Error) -> *const c_char {
    // SAFETY: passed on.
    unsafe { field(error, |error| error.detail.as_ref()) }
}

/// What may help; null if nothing is known to.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_hint(error: *const Error) -> *const c_char {
    // SAFETY: passed on.
    unsafe { field(error, |error| error.hint.as_ref()) }
}

/// Where in the statement's text, counted in characters from 1; 0 if nowhere in particular.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_position(error: *const Error) -> u32 {
    // SAFETY: null or alive, says the caller.
    unsafe { error.as_ref() }.map_or(0, |error| error.position)
}

/// Frees an error.
///
/// # Safety
/// `error` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_error_free(error: *mut Error) {
    if !error.is_null() {
        // SAFETY: it came out of a box in `enter`, and the caller frees it once.
        drop(unsafe { Box::from_raw(error) });
    }
}
