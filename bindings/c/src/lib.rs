//! RustDB for C: the functions that `include/rustdb.h` declares. Only translation lives here; what the calls mean
//! is the engine's.
//!
//! - A handle is a box whose pointer the caller holds. Children share a reference count with `rustdb_db` and
//!   `rustdb_conn`, which tells whether there are any.
//! - Every function that can fail runs in `boundary::enter`: its result is a status, its error an object given
//!   through the last argument, and a panic `RUSTDB_INTERNAL`.
//! - Nothing is global and nothing is kept per thread.

mod boundary;

// In the order in which the header has them.
pub mod status;

pub mod error;

pub mod config;

pub mod database;

pub mod connection;

pub mod statement;

pub mod row;

use std::ffi::{CStr, c_char};

/// The number of the binary interface. A program can use a library whose number is the one of its header.
pub const RUSTDB_ABI_VERSION: u32 = 1;

/// The library's version, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn rustdb_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    const TEXT: &CStr = match CStr::from_bytes_with_nul(VERSION.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };
    TEXT.as_ptr()
}

/// `RUSTDB_ABI_VERSION` as the library has it.
#[unsafe(no_mangle)]
pub extern "C" fn rustdb_abi_version() -> u32 {
    RUSTDB_ABI_VERSION
}
