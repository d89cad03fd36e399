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
    /// A result outside its type.
    #[error("{ty} out of range")]
    OutOfRange {
        /// The type's name, or `value` for types whose message names the operation's result.
        ty: &'static str,
    },
    /// A decimal with more digits before the point than its column's precision leaves.
    #[error("numeric field overflow")]
    NumericFieldOverflow,
    /// A decimal over the engine's 38 digits.
    #[error("value overflows numeric format")]
    NumericOverflow,
    /// A value stored or compared as a type it does not have.
    #[error("expected a value of type {expected} but got one of type {found}")]
    TypeMismatch {
        /// The type's name.
        expected: &'static str,
        /// The value's type.
        found: &'static str,
    },
}

impl DataError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UniqueViolation { .. } => SqlState::UNIQUE_VIOLATION,
            Self::NotNullViolation { .. } => SqlState::NOT_NULL_VIOLATION,
            Self::OutOfRange { .. } | Self::NumericFieldOverflow | Self::NumericOverflow => {
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            }
            Self::TypeMismatch { .. } => SqlState::DATATYPE_MISMATCH,
        }
    }
}
