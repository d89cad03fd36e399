//! Errors of files, pages and memory.

use super::Retry;
use crate::sqlstate::SqlState;
use std::io;

/// What can go wrong below the transactions.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused a file operation.
    #[error("could not {operation} file \"{path}\": {source}")]
    Io {
        /// The verb, as in PostgreSQL's messages: `open`, `read`, `write`, `sync`
        operation: &'static str,
        /// The file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of COPY that is not there.
    #[error("could not open file \"{path}\" for {purpose}: No such file or directory")]
    CopyFile {
        /// The file.
        path: String,
        /// `reading` or `writing`
        purpose: &'static str,
    },
    /// The device has no room; reads and rollback still work.
    #[error("could not extend file \"{path}\": no space left on device")]
    DiskFull {
        /// The file.
        path: String,
    },
    /// The file is not ours.
    #[error("\"{path}\" is not a RustDB database: {reason}")]
    NotADatabase {
        /// The file.
        path: String,
        /// What was found instead.
        reason: &'static str,
    },
    /// The file was written by a version this one does not understand.
    #[error("database format version {found} is not supported (this build reads version {supported})")]
    WrongVersion {
        /// In the file.
        found: u32,
        /// By this build.
        supported: u32,
    },
    /// The file uses features, as bits of its feature words, that this build does not know.
    #[error("database uses unsupported features (bits {bits:#x})")]
    UnsupportedFeatures {
        /// The unknown bits.
        bits: u64,
    },
    /// A page's bytes are not what was written.
    #[error("page {page} is damaged: {reason}")]
    CorruptPage {
        /// The physical page number (file offset = number x page size), or the logical one if `reason` says so.
        page: u64,
        /// The check that failed.
        reason: &'static str,
    },
    /// The log's bytes are not what was written, before its end.
    #[error("log is damaged at position {lsn}: {reason}")]
    CorruptLog {
        /// The position.
        lsn: u64,
        /// The check that failed.
        reason: &'static str,
    },
    /// A structure other than a page or the log is damaged.
    #[error("database is damaged: {reason}")]
    Corrupt {
        /// The check that failed.
        reason: String,
    },
    /// Another process owns the file.
    #[error("database \"{path}\" is in use by process {pid}")]
    InUse {
        /// The file.
        path: String,
        /// The owner, 0 if unknown.
        pid: u32,
    },
    /// A handle opened before `fork` is used in the child.
    #[error("a database opened before fork() cannot be used in the child process")]
    Forked,
    /// A sync failed earlier; what is durable is no longer certain.
    #[error("the database was stopped by an earlier I/O failure and must be reopened")]
    Poisoned,
    /// A sync failed while this commit waited for it.
    #[error("the outcome of the commit is unknown: the log could not be synced")]
    OutcomeUnknown,
    /// The memory budget refused a reservation.
    #[error("out of memory: could not reserve {requested} bytes (limit {limit})")]
    OutOfMemory {
        /// In bytes.
        requested: u64,
        /// The whole budget in bytes.
        limit: u64,
    },
    /// A row's fixed part does not fit a page, or its strings are too long together.
    #[error("row is too big: size {size}, maximum size {limit}")]
    RowTooBig {
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// A value is over the engine's limit.
    #[error("value of {size} bytes exceeds the limit of {limit} bytes")]
    ValueTooBig {
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// An index key does not fit a quarter page.
    #[error("index row size {size} exceeds maximum {limit} for index \"{index}\"")]
    KeyTooBig {
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
        /// The index.
        index: String,
    },
}

impl StorageError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::Io { .. } | Self::Poisoned => SqlState::IO_ERROR,
            Self::CopyFile { .. } => SqlState::UNDEFINED_FILE,
            Self::DiskFull { .. } => SqlState::DISK_FULL,
            Self::NotADatabase { .. }
            | Self::CorruptPage { .. }
            | Self::CorruptLog { .. }
            | Self::Corrupt { .. } => SqlState::DATA_CORRUPTED,
            Self::WrongVersion { .. } | Self::UnsupportedFeatures { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::InUse { .. } => SqlState::OBJECT_IN_USE,
            Self::Forked => SqlState::CONNECTION_DOES_NOT_EXIST,
            Self::OutcomeUnknown => SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
            Self::OutOfMemory { .. } => SqlState::OUT_OF_MEMORY,
            Self::RowTooBig { .. } | Self::ValueTooBig { .. } | Self::KeyTooBig { .. } => {
                SqlState::PROGRAM_LIMIT_EXCEEDED
            }
        }
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::Poisoned => Retry::Reopen,
            Self::OutcomeUnknown => Retry::OutcomeUnknown,
            Self::Io { .. }
            | Self::CopyFile { .. }
            | Self::DiskFull { .. }
            | Self::NotADatabase { .. }
            | Self::WrongVersion { .. }
            | Self::UnsupportedFeatures { .. }
            | Self::CorruptPage { .. }
            | Self::CorruptLog { .. }
            | Self::Corrupt { .. }
            | Self::InUse { .. }
            | Self::Forked
            | Self::OutOfMemory { .. }
            | Self::RowTooBig { .. }
            | Self::ValueTooBig { .. }
            | Self::KeyTooBig { .. } => Retry::Never,
        }
    }
}
