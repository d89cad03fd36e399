//! The one error type of the engine.
//!
//! An [`Error`] is a box around an [`ErrorKind`] and what a client may show with it: the position in the
//! statement, a detail line, a hint. Kinds are grouped by the layer that raises them; each group maps every
//! one of its variants to an [`SqlState`] and a [`Retry`] class in its own file, next to the variant.
//!
//! Three kinds of trouble are told apart. A user's mistake or a refused request is an `Err`. A damaged file is
//! an `Err` too (`StorageError::Corrupt`), never a panic. A bug of ours is an assertion.

mod binding;
mod copy;
mod data;
mod statement;
mod storage;
mod transaction;

use crate::sqlstate::SqlState;
use std::fmt;

pub use binding::BindingError;
pub use copy::CopyError;
pub use data::DataError;
pub use statement::StatementError;
pub use storage::StorageError;
pub use transaction::TransactionError;

/// What every fallible function of the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a client can do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// The same statement will fail again.
    Never,
    /// The transaction was rolled back and may succeed when run again.
    Transaction,
    /// The database must be closed and opened again.
    Reopen,
    /// The commit may or may not have happened; look before repeating it.
    OutcomeUnknown,
}

/// What went wrong, by the layer that found it.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// Files, pages, memory.
    #[error(transparent)]
    Storage(StorageError),
    /// Locks, conflicts, transaction state.
    #[error(transparent)]
    Transaction(TransactionError),
    /// Values: casts, overflow, constraint violations.
    #[error(transparent)]
    Data(DataError),
    /// The text of a statement.
    #[error(transparent)]
    Statement(StatementError),
    /// The names, types and clauses of a statement.
    #[error(transparent)]
    Binding(BindingError),
    /// The options of COPY.
    #[error(transparent)]
    Copy(CopyError),
}

struct Inner {
    kind: ErrorKind,
    position: Option<u32>,
    detail: Option<String>,
    hint: Option<String>,
    context: Option<String>,
}

/// An error with its SQLSTATE and whatever helps the reader: position, detail, hint, context.
pub struct Error(Box<Inner>);

impl Error {
    fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, position: None, detail: None, hint: None, context: None }))
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// PostgreSQL's code for it.
    pub fn sqlstate(&self) -> SqlState {
        match &self.0.kind {
            ErrorKind::Storage(e) => e.sqlstate(),
            ErrorKind::Transaction(e) => e.sqlstate(),
            ErrorKind::Data(e) => e.sqlstate(),
            ErrorKind::Statement(e) => e.sqlstate(),
            ErrorKind::Binding(e) => e.sqlstate(),
            ErrorKind::Copy(e) => e.sqlstate(),
        }
    }

    /// What a client can do about it.
    pub fn retry(&self) -> Retry {
        match &self.0.kind {
            ErrorKind::Storage(e) => e.retry(),
            ErrorKind::Transaction(e) => e.retry(),
            ErrorKind::Data(_) | ErrorKind::Statement(_) | ErrorKind::Binding(_) | ErrorKind::Copy(_) => {
                Retry::Never
            }
        }
    }

    /// Where in the statement's text, as a 1-based count of characters (PostgreSQL's convention).
    pub fn position(&self) -> Option<u32> {
        self.0.position
    }

    /// PostgreSQL's DETAIL line.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// PostgreSQL's HINT line.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// PostgreSQL's CONTEXT line: what was being done, such as the line of a file being read.
    pub fn context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// The constraint or unique index that a row broke.
    pub fn constraint(&self) -> Option<&str> {
        match &self.0.kind {
            ErrorKind::Data(
                DataError::UniqueViolation { constraint } | DataError::CheckViolation { constraint, .. },
            ) => Some(constraint),
            _ => None,
        }
    }

    /// The table of the row that broke a constraint, where the error knows it.
    pub fn table(&self) -> Option<&str> {
        match &self.0.kind {
            ErrorKind::Data(
                DataError::NotNullViolation { relation, .. } | DataError::CheckViolation { relation, .. },
            ) => Some(relation),
            _ => None,
        }
    }

    /// The column that may not be NULL.
    pub fn column(&self) -> Option<&str> {
        match &self.0.kind {
            ErrorKind::Data(DataError::NotNullViolation { column, .. }) => Some(column),
            _ => None,
        }
    }

    /// The same error at a position; an inner, more exact position wins.
    #[must_use]
    pub fn at(mut self, position: u32) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// The same error with a DETAIL line.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// The same error with a CONTEXT line; an inner one wins.
    #[must_use]
    pub fn with_context(mut self, context: impl FnOnce() -> String) -> Self {
        self.0.context.get_or_insert_with(context);
        self
    }

    /// The same error with a HINT line.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Error");
        s.field("sqlstate", &self.sqlstate().0).field("kind", &self.0.kind);
        if let Some(p) = self.0.position {
            s.field("position", &p);
        }
        if let Some(d) = &self.0.detail {
            s.field("detail", d);
        }
        if let Some(h) = &self.0.hint {
            s.field("hint", h);
        }
        if let Some(c) = &self.0.context {
            s.field("context", c);
        }
        s.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.kind)
    }
}

impl From<CopyError> for Error {
    fn from(e: CopyError) -> Self {
        Self::new(ErrorKind::Copy(e))
    }
}

impl From<StorageError> for Error {
    fn from(e: StorageError) -> Self {
        Self::new(ErrorKind::Storage(e))
    }
}

impl From<TransactionError> for Error {
    fn from(e: TransactionError) -> Self {
        Self::new(ErrorKind::Transaction(e))
    }
}

impl From<DataError> for Error {
    fn from(e: DataError) -> Self {
        Self::new(ErrorKind::Data(e))
    }
}

impl From<StatementError> for Error {
    fn from(e: StatementError) -> Self {
        Self::new(ErrorKind::Statement(e))
    }
}

impl From<BindingError> for Error {
    fn from(e: BindingError) -> Self {
        Self::new(ErrorKind::Binding(e))
    }
}
