//! Databases: opened by location, closed when their connections are gone.

use crate::boundary::{
    Failure, RUSTDB_NUL_TERMINATED, enter, enter_infallible, hand_out, object, require_out, text,
};
use crate::config::Config;
use crate::error::Error;
use crate::status::Status;
use rustdb::OpenOptions;
use std::ffi::c_char;
use std::sync::Arc;

/// An open database. Any thread may use it.
pub struct Database {
    pub(crate) database: rustdb::Database,
    /// Each connection holds it too, so that its count tells whether there are any.
    pub(crate) children: Arc<()>,
}

/// Opens a database, or makes it if the file is not there: "app.db", "rustdb:app.db?memory_limit=256MB", or one in
/// memory, ":memory:" for one of its own and "rustdb::memory:name" for one that the process shares. `config` may be
/// null. `rustdb_close` closes it.
///
/// # Safety
/// `location` ends with a NUL, `config` is null or came from `rustdb_config_new`, the rest are null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_open(
    location: *const c_char,
    config: *const Config,
    out: *mut *mut Database,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for the three.
        let (location, config) = unsafe {
            require_out(out)?;
            (text(location, RUSTDB_NUL_TERMINATED)?, config.as_ref())
        };
        let defaults = OpenOptions::default();
        let options = config.map_or(&defaults, |config| &config.options);
        let database = rustdb::Database::open_with(location, options)?;
        // SAFETY: checked above.
        unsafe { hand_out(out, Database { database, children: Arc::default() }) };
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Closes a database and frees the handle, also if the last write to the file fails. While it has connections it
/// stays as it is and the result is `RUSTDB_BUSY`. Null is closed already.
///
/// # Safety
/// `db` is null or was not freed, and no other call uses it; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_close(db: *mut Database, err: *mut *mut Error) -> Status {
    let body = || {
        if db.is_null() {
            return Ok(Status::RustdbOk);
        }
        // SAFETY: not null, and alive says the caller.
        if Arc::strong_count(&unsafe { object(db) }?.children) > 1 {
            return Err(Failure::Busy("the database has connections"));
        }
        // SAFETY: it came out of a box in `rustdb_open`, and the caller uses it no more.
        let database = unsafe { Box::from_raw(db) };
        database.database.close()?;
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Frees the handle; the database closes with its last connection.
///
/// # Safety
/// `db` is null or was not freed, and no other call uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_close_deferred(db: *mut Database) {
    if !db.is_null() {
        // SAFETY: it came out of a box in `rustdb_open`, and the caller uses it no more.
        let database = unsafe { Box::from_raw(db) };
        enter_infallible((), || drop(database));
    }
}
