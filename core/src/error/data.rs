//! Errors of values: casts, overflow, violated constraints.

use crate::sqlstate::SqlState;

/// What can be wrong with a value.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Two rows with one key.
    #[error("duplicate key value violates unique constraint \"{constraint}\"")]
    UniqueViolation {
        /// The index or constraint.
        constraint: String,
    },
    /// NULL where none may be.
    #[error("null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint")]
    NotNullViolation {
        /// The column.
        column: String,
        /// Its table.
        relation: String,
    },
}

impl DataError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UniqueViolation { .. } => SqlState::UNIQUE_VIOLATION,
            Self::NotNullViolation { .. } => SqlState::NOT_NULL_VIOLATION,
        }
    }
}
