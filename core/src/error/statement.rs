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
    /// Expressions or queries nested too deeply.
    #[error("stack depth limit exceeded")]
    TooDeep,
    /// A parameter number that cannot be.
    #[error("there is no parameter ${number}")]
    UndefinedParameter {
        /// The number.
        number: u32,
    },
    /// Types that no operator of a name takes.
    #[error("operator does not exist: {operation}")]
    UndefinedOperator {
        /// The operator between its types.
        operation: String,
    },
    /// Types that several operators of a name take, none of them best.
    #[error("operator is not unique: {operation}")]
    AmbiguousOperator {
        /// The operator between its types.
        operation: String,
    },
    /// Arguments that no function of a name takes.
    #[error("function {call} does not exist")]
    UndefinedFunction {
        /// The name with the arguments' types.
        call: String,
    },
    /// Arguments that several functions of a name take, none of them best.
    #[error("function {call} is not unique")]
    AmbiguousFunction {
        /// The name with the arguments' types.
        call: String,
    },
    /// Operands that would have to become one type.
    #[error("{construct} types {left} and {right} cannot be matched")]
    TypesCannotBeMatched {
        /// `CASE`, `UNION`, ...
        construct: &'static str,
        /// One type.
        left: &'static str,
        /// The other.
        right: &'static str,
    },
    /// A condition that is no boolean.
    #[error("argument of {construct} must be type boolean, not type {found}")]
    NotBoolean {
        /// `WHERE`, `AND`, ...
        construct: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// `count(DISTINCT *)`
    #[error("DISTINCT specified but no argument given")]
    DistinctWithoutArguments,
}

impl StatementError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UndefinedTable { .. } => SqlState::UNDEFINED_TABLE,
            Self::DuplicateTable { .. } => SqlState::DUPLICATE_TABLE,
            Self::TooDeep => SqlState::STATEMENT_TOO_COMPLEX,
            Self::UndefinedParameter { .. } => SqlState::UNDEFINED_PARAMETER,
            Self::UndefinedOperator { .. } | Self::UndefinedFunction { .. } => SqlState::UNDEFINED_FUNCTION,
            Self::AmbiguousOperator { .. } | Self::AmbiguousFunction { .. } => SqlState::AMBIGUOUS_FUNCTION,
            Self::TypesCannotBeMatched { .. } | Self::NotBoolean { .. } => SqlState::DATATYPE_MISMATCH,
            Self::DistinctWithoutArguments => SqlState::SYNTAX_ERROR,
        }
    }
}
