//! RustDB is an embedded relational database: one file, PostgreSQL's SQL, many concurrent writers and
//! analytical speed in one engine.
//!
//! The modules are layers: each imports only from those listed above it in `ARCHITECTURE.md`, and a test
//! enforces that.
#![deny(unsafe_code)]

pub mod binder;
pub mod btree;
pub mod catalog;
pub mod checkpoint;
pub mod codec;
pub mod config;
pub mod database;
pub mod engine;
pub mod error;
pub mod executor;
pub mod expr;
pub mod ids;
pub mod memory;
pub mod optimizer;
pub mod pager;
pub mod parser;
pub mod plan;
pub mod session;
pub mod sqlstate;
pub(crate) mod stack;
pub(crate) mod sync;
pub mod table;
pub mod transaction;
pub mod types;
pub mod vfs;
pub mod wal;

pub use database::{
    CheckReport, Column, ColumnIndex, Connection, Database, FromValue, InterruptHandle, Notice, OpenOptions,
    Params, Prepared, ProgressHandle, Row, Rows, Statement, ToValue, TransactionState,
};
pub use error::{Error, Result};
pub use types::Value;
