//! The SQLSTATE of each error of binding, and what their messages share.

use super::BindingError;
use crate::sqlstate::SqlState;

impl BindingError {
    pub(in crate::error) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UndefinedColumn { .. }
            | Self::UndefinedUsing { .. }
            | Self::UndefinedTargetColumn { .. }
            | Self::UndefinedKeyColumn { .. } => SqlState::UNDEFINED_COLUMN,
            Self::AmbiguousColumn { .. } | Self::AmbiguousUsing { .. } | Self::AmbiguousKey { .. } => {
                SqlState::AMBIGUOUS_COLUMN
            }
            Self::AmbiguousTable { .. } => SqlState::AMBIGUOUS_ALIAS,
            Self::DuplicateAlias { .. } | Self::DuplicateCte { .. } => SqlState::DUPLICATE_ALIAS,
            Self::MissingTableEntry { .. }
            | Self::InvalidTableReference { .. }
            | Self::UndefinedNamedTable { .. }
            | Self::LockOfUnknown { .. } => SqlState::UNDEFINED_TABLE,
            Self::InvalidLateral { .. }
            | Self::TooManyAliases { .. }
            | Self::TooManyJoinAliases { .. }
            | Self::TooManyCteColumns { .. }
            | Self::DistinctAggregateOrder
            | Self::KeyNumber { .. }
            | Self::DistinctOrder
            | Self::DistinctOnOrder
            | Self::VariableNotAllowed { .. }
            | Self::NoArbiter => SqlState::INVALID_COLUMN_REFERENCE,
            Self::CrossDatabaseReference { .. }
            | Self::SubqueryNotAllowed { .. }
            | Self::ColumnNotAllowed { .. }
            | Self::EmptyRows
            | Self::RowOperator { .. }
            | Self::LockNotAllowed { .. }
            | Self::SetOperationOrder => SqlState::FEATURE_NOT_SUPPORTED,
            Self::UndefinedObject { .. }
            | Self::UndefinedType { .. }
            | Self::UndefinedCollation { .. }
            | Self::UndefinedConstraint { .. } => SqlState::UNDEFINED_OBJECT,
            Self::UndefinedSchema { .. } => SqlState::INVALID_SCHEMA_NAME,
            Self::WrongObject { .. }
            | Self::IsIndex { .. }
            | Self::NotBooleanOperator { .. }
            | Self::AggregateWithoutArguments { .. }
            | Self::NotAggregate { .. }
            | Self::StarNotAggregate { .. } => SqlState::WRONG_OBJECT_TYPE,
            Self::SystemTable { .. } | Self::CannotCreate { .. } => SqlState::INSUFFICIENT_PRIVILEGE,
            Self::SubqueryWithoutAlias
            | Self::ValuesWithoutAlias
            | Self::StarWithoutTables
            | Self::TypeModifierNotAllowed { .. }
            | Self::ArgumentCount { .. }
            | Self::SubqueryColumns
            | Self::SubqueryWidth { .. }
            | Self::RowLengths
            | Self::NonIntegerKey { .. }
            | Self::TiesWithoutOrder
            | Self::SetOperationWidth { .. }
            | Self::ValuesLengths
            | Self::DefaultNotAllowed
            | Self::DuplicateAssignment { .. }
            | Self::AssignmentWidth
            | Self::TooManyInsertValues
            | Self::TooFewInsertValues
            | Self::ConflictWithoutTarget
            | Self::TooManyColumnNames
            | Self::ConflictingNull { .. }
            | Self::MultipleDefaults { .. } => SqlState::SYNTAX_ERROR,
            Self::DuplicateUsing { .. } | Self::DuplicateColumn { .. } | Self::DuplicateKeyColumn { .. } => {
                SqlState::DUPLICATE_COLUMN
            }
            Self::InvalidTypeModifier { .. }
            | Self::PrecisionOutOfRange { .. }
            | Self::ScaleOutOfRange { .. }
            | Self::LengthTooSmall { .. }
            | Self::LengthTooLarge { .. } => SqlState::INVALID_PARAMETER_VALUE,
            Self::NoCollation { .. }
            | Self::WrongType { .. }
            | Self::ColumnTypeMismatch { .. }
            | Self::DefaultTypeMismatch { .. }
            | Self::ArgumentType { .. } => SqlState::DATATYPE_MISMATCH,
            Self::AmbiguousParameter { .. } => SqlState::AMBIGUOUS_PARAMETER,
            Self::IndeterminateParameter { .. } => SqlState::INDETERMINATE_DATATYPE,
            Self::AggregateNotAllowed { .. }
            | Self::NestedAggregate
            | Self::Ungrouped { .. }
            | Self::UngroupedInSubquery { .. } => SqlState::GROUPING_ERROR,
            Self::TooManyArguments { .. } => SqlState::TOO_MANY_ARGUMENTS,
            Self::TooManyTargets { .. }
            | Self::TooManyTableColumns { .. }
            | Self::TooManyIndexColumns { .. } => SqlState::TOO_MANY_COLUMNS,
            Self::TooComplex { .. } => SqlState::STATEMENT_TOO_COMPLEX,
            Self::SubqueryRows => SqlState::CARDINALITY_VIOLATION,
            Self::MultiplePrimaryKeys { .. } => SqlState::INVALID_TABLE_DEFINITION,
            Self::DuplicateConstraint { .. } => SqlState::DUPLICATE_OBJECT,
            Self::IndexOfConstraint { .. } => SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        }
    }
}

/// A column as PostgreSQL's messages show it: quoted alone, bare with its table.
pub(super) fn shown(table: Option<&str>, name: &str) -> String {
    match table {
        Some(table) => format!("{table}.{name}"),
        None => format!("\"{name}\""),
    }
}
