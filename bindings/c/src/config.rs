//! Options of `rustdb_open`.

use crate::boundary::{enter, hand_out, object_mut, require_out, text};
use crate::error::Error;
use crate::status::Status;
use rustdb::OpenOptions;
use std::ffi::c_char;

/// Options for opening a database.
pub struct Config {
    pub(crate) options: OpenOptions,
}

/// Makes options that change nothing. `rustdb_config_free` frees them.
///
/// # Safety
/// The pointers are null or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_config_new(out: *mut *mut Config, err: *mut *mut Error) -> Status {
    let body = || {
        // SAFETY: `out` is null or may be written to, says the caller.
        unsafe {
            require_out(out)?;
            hand_out(out, Config { options: OpenOptions::default() });
        }
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Sets one option: `memory_limit` ("256MB"), `threads`, `page_size` (of a database that is made), or any setting
/// that SET knows, for all connections. An unknown name or a value that does not fit is refused here.
///
/// # Safety
/// `config` came from `rustdb_config_new`; `name` and `value` end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_config_set(
    config: *mut Config,
    name: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    let body = || {
        // SAFETY: the caller vouches for the three.
        let (config, name, value) = unsafe {
            (
                object_mut(config)?,
                text(name, crate::boundary::RUSTDB_NUL_TERMINATED)?,
                text(value, crate::boundary::RUSTDB_NUL_TERMINATED)?,
            )
        };
        config.options.set(name, value)?;
        Ok(Status::RustdbOk)
    };
    // SAFETY: `err` is null or may be written to, says the caller.
    unsafe { enter(err, body) }
}

/// Frees options. Databases opened with them do not need them any more.
///
/// # Safety
/// `config` is null or was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rustdb_config_free(config: *mut Config) {
    if !config.is_null() {
        // SAFETY: it came out of a box in `rustdb_config_new`, and the caller frees it once.
        drop(unsafe { Box::from_raw(config) });
    }
}
