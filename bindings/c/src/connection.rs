//! Connections: transactions, scripts, interruption.

use crate::boundary::{
    Failure, RUSTDB_NUL_TERMINATED, enter, enter_infallible, hand_out, object, require_out, text,
};
use crate::database::Database;
use crate::error::Error;
use crate::status::Status;
use rustdb::{InterruptHandle, TransactionState};
use std::ffi::c_char;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A connection. One thread at a time uses it and its statements; only `rustdb_interrupt` may come from any other.
pub struct Connection {
    /// Each statement holds it too.
    pub(crate) session: Arc<Session>,
}

/// What a connection and its statements share.
pub(crate) struct Session {
    pub(crate) connection: rustdb::Connection,
    interrupt: InterruptHandle,
    /// A call on it panicked; its state is anybody's guess.
    poisoned: AtomicBool,
    /// Rows that the last statement changed.
    changes: AtomicU64,
    /// Makes `rustdb_close` wait for `rustdb_disconnect`.
    _child: Arc<()>,
}

impl Session {
    /// Refuses a connection on which a call panicked, and notices if this one does.
    pub(crate) fn watch(&self) -> Result<Watch<'_>, Failure> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::Internal("the connection is unusable after a fault".to_owned()));
        }
        Ok(Watch(self))
    }

    pub(crate) fn set_changes(&self, rows: u64) {
        self.changes.store(rows, Ordering::Relaxed);
    }
}

/// Poisons its session if it is dropped by a panic.
pub(crate) struct Watch<'a>(&'a Session);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

/// Connects. `rustdb_disconnect` ends the connection.
///
/// # Safety
/// `db` came from `rustdb_open`; the rest are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_connect(
    db: *const Database,
    out: *mut *mut Connection,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for both.
        let database = unsafe {
            require_out(out)?;
            object(db)?
        };
        let connection = database.database.connect()?;
        let session = Session {
            interrupt: connection.interrupt_handle(),
            connection,
            poisoned: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            _child: Arc::clone(&database.children),
        };
        // SAFETY: checked above.
        unsafe { hand_out(out, Connection { session: Arc::new(session) }) };
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Ends a connection and frees the handle; an open transaction is rolled back. While it has statements it stays as it
/// is and the result is `RUSTDB_BUSY`. Null is ended already.
///
/// # Safety
/// `conn` is null or was not freed, and no other call uses it; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_disconnect(conn: *mut Connection, err: *mut *mut Error) -> Status {
    let body = || {
        if conn.is_null() {
            return Ok(Status::RustdbOk);
        }
        // SAFETY: not null, and alive says the caller.
        if Arc::strong_count(&unsafe { object(conn) }?.session) > 1 {
            return Err(Failure::Busy("the connection has statements"));
        }
        // SAFETY: it came out of a box in `rustdb_connect`, and the caller uses it no more.
        drop(unsafe { Box::from_raw(conn) });
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Cancels the statement that runs on the connection, if one does: it fails with SQLSTATE 57014. Any thread may call
/// it, also while another is inside a call on this connection.
///
/// # Safety
/// `conn` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_interrupt(conn: *const Connection) {
    // SAFETY: null or alive, says the caller.
    let connection = unsafe { conn.as_ref() };
    enter_infallible((), || {
        if let Some(connection) = connection {
            connection.session.interrupt.interrupt();
        }
    });
}

/// Runs an action on a connection.
///
/// # Safety
/// As the entry points'.
unsafe fn on_session(
    conn: *const Connection,
    err: *mut *mut Error,
    action: impl FnOnce(&Session) -> Result<(), Failure>,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for it.
        let session = &unsafe { object(conn) }?.session;
        let _watch = session.watch()?;
        action(session)?;
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Begins a transaction, as BEGIN does.
///
/// # Safety
/// `conn` came from `rustdb_connect`; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_begin(conn: *const Connection, err: *mut *mut Error) -> Status {
    // SAFETY: passed on.
    unsafe { on_session(conn, err, |session| Ok(session.connection.begin()?)) }
}

/// Commits the transaction. If a statement of it failed it is rolled back, as COMMIT does; `rustdb_in_transaction`
/// tells beforehand.
///
/// # Safety
/// `conn` came from `rustdb_connect`; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_commit(conn: *const Connection, err: *mut *mut Error) -> Status {
    // SAFETY: passed on.
    unsafe { on_session(conn, err, |session| Ok(session.connection.commit()?)) }
}

/// Rolls the transaction back, as ROLLBACK does.
///
/// # Safety
/// `conn` came from `rustdb_connect`; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_rollback(conn: *const Connection, err: *mut *mut Error) -> Status {
    // SAFETY: passed on.
    unsafe { on_session(conn, err, |session| Ok(session.connection.rollback()?)) }
}

/// Whether the connection is inside a transaction block.
///
/// # Safety
/// `conn` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_in_transaction(conn: *const Connection) -> bool {
    // SAFETY: null or alive, says the caller.
    let connection = unsafe { conn.as_ref() };
    let inside = |c: &Connection| c.session.connection.transaction_state() != TransactionState::Idle;
    enter_infallible(false, || connection.is_some_and(inside))
}

/// How many rows the last statement changed that ran to its end on this connection; 0 if it was none that changes
/// rows.
///
/// # Safety
/// `conn` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_changes(conn: *const Connection) -> u64 {
    // SAFETY: null or alive, says the caller.
    unsafe { conn.as_ref() }.map_or(0, |connection| connection.session.changes.load(Ordering::Relaxed))
}

/// Runs any number of statements, separated by semicolons, and drops their rows. Outside of a transaction block they
/// are one transaction.
///
/// # Safety
/// `conn` came from `rustdb_connect`, `sql` ends with a NUL; `err` is null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_exec(
    conn: *const Connection,
    sql: *const c_char,
    err: *mut *mut Error,
) -> Status {
    let action = |session: &Session| {
        // SAFETY: the caller vouches for it.
        let sql = unsafe { text(sql, RUSTDB_NUL_TERMINATED) }?;
        session.set_changes(0);
        session.connection.run_script(sql, &mut |mut rows| {
            while rows.next_chunk()?.is_some() {}
            session.set_changes(rows.affected().unwrap_or(0));
            Ok(())
        })?;
        Ok(())
    };
    // SAFETY: passed on.
    unsafe { on_session(conn, err, action) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn a_panic_poisons_the_connection() {
        let (mut db, mut conn, mut err) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the handles come from the library, are used by one thread and freed once.
        unsafe {
            assert_eq!(
                crate::database::rustdb_open(c":memory:".as_ptr(), ptr::null(), &raw mut db, &raw mut err),
                Status::RustdbOk
            );
            assert_eq!(rustdb_connect(db, &raw mut conn, &raw mut err), Status::RustdbOk);
            assert_eq!(on_session(conn, &raw mut err, |_| panic!("a fault")), Status::RustdbInternal);
            crate::error::rustdb_error_free(err);
            assert_eq!(rustdb_exec(conn, c"SELECT 1".as_ptr(), &raw mut err), Status::RustdbInternal);
            crate::error::rustdb_error_free(err);
            assert_eq!(rustdb_disconnect(conn, &raw mut err), Status::RustdbOk);
            assert_eq!(crate::database::rustdb_close(db, &raw mut err), Status::RustdbOk);
        }
    }
}
