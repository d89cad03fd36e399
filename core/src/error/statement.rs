//! Errors of a statement's text: syntax, names, types.

use crate::sqlstate::SqlState;

/// What can be wrong with a statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// A table that is not there.
    #[error("relation \"{name}\" does not exist")]
    UndefinedTable {
        /// As written.
        name: String,
    },
    /// A table that is there already.
    #[error("relation \"{name}\" already exists")]
    DuplicateTable {
        /// As written.
        name: String,
    },
}

impl StatementError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UndefinedTable { .. } => SqlState::UNDEFINED_TABLE,
            Self::DuplicateTable { .. } => SqlState::DUPLICATE_TABLE,
        }
    }
}
