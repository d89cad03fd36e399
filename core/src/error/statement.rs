//! Errors of a statement's text: syntax, names, types.

use crate::sqlstate::SqlState;

/// What can be wrong with a statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// A text that is not SQL: PostgreSQL's `syntax error at or near "x"` and the lexer's complaints.
    #[error("{problem} {}", place(near.as_deref()))]
    Syntax {
        /// What is wrong, `syntax error` in the usual case.
        problem: &'static str,
        /// The token it was found at; none at the end of the text.
        near: Option<String>,
    },
    /// Something PostgreSQL knows and this engine does not.
    #[error("{feature} is not supported")]
    NotSupported {
        /// What, as the subject of the message.
        feature: String,
    },
    /// A statement over the limit of text.
    #[error("statement is too long (limit {limit} bytes)")]
    TextTooLong {
        /// In bytes.
        limit: usize,
    },
    /// Expressions or queries nested too deeply.
    #[error("stack depth limit exceeded")]
    TooDeep,
    /// A bug: the statement ended in a panic.
    #[error("internal error: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Parameters of two kinds in one statement.
    #[error("parameters written in different ways cannot be mixed in one statement")]
    MixedParameters,
    /// A parameter number that cannot be.
    #[error("there is no parameter ${number}")]
    UndefinedParameter {
        /// The number.
        number: u32,
    },
    /// A parameter number over the limit.
    #[error("too many parameters (limit {limit})")]
    TooManyParameters {
        /// The highest number.
        limit: u32,
    },
    /// An escape in a string that stands for no character.
    #[error("invalid Unicode escape")]
    InvalidUnicodeEscape,
    /// Bytes that are not text.
    #[error("invalid byte sequence for encoding \"{encoding}\"")]
    InvalidEncoding {
        /// PostgreSQL's name for the encoding.
        encoding: &'static str,
    },
    /// A name with too many dots.
    #[error("improper {what} name (too many dotted names): {name}")]
    TooManyDots {
        /// `qualified`, `relation`, ...
        what: &'static str,
        /// As written.
        name: String,
    },
    /// An option that the statement does not have.
    #[error("unrecognized {statement} option \"{option}\"")]
    UnrecognizedOption {
        /// The statement's name.
        statement: &'static str,
        /// The option.
        option: String,
    },
    /// An option that COPY does not have.
    #[error("option \"{option}\" not recognized")]
    OptionNotRecognized {
        /// The option.
        option: String,
    },
    /// A format that COPY does not have.
    #[error("COPY format \"{format}\" not recognized")]
    UnrecognizedCopyFormat {
        /// As written.
        format: String,
    },
    /// A value that an option does not take.
    #[error("unrecognized value for {statement} option \"{option}\": \"{value}\"")]
    UnrecognizedOptionValue {
        /// The statement's name.
        statement: &'static str,
        /// The option.
        option: String,
        /// Its value.
        value: String,
    },
    /// An option whose value is of the wrong kind.
    #[error("{option} requires {kind}")]
    OptionValue {
        /// The option.
        option: String,
        /// What it needs: `a Boolean value`, `a parameter`, ...
        kind: &'static str,
    },
    /// Options that exclude each other, or one given twice.
    #[error("conflicting or redundant options")]
    ConflictingOptions,
    /// A precision that a type cannot have.
    #[error("precision for type {type_name} must be {bound}")]
    InvalidPrecision {
        /// The type.
        type_name: &'static str,
        /// For example `at least 1 bit`.
        bound: &'static str,
    },
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
    /// An index where a table is meant.
    #[error("\"{name}\" is an index")]
    IsIndex {
        /// The index.
        name: String,
    },
    /// A table where an index is meant.
    #[error("\"{name}\" is not an index")]
    IsNotIndex {
        /// The table.
        name: String,
    },
    /// An object that is not there.
    #[error("{kind} \"{name}\" does not exist")]
    UndefinedObject {
        /// What it would be.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A setting that is not there.
    #[error("unrecognized configuration parameter \"{name}\"")]
    UnknownSetting {
        /// As written.
        name: String,
    },
    /// A value that a setting cannot have.
    #[error("invalid value for parameter \"{name}\": \"{value}\"")]
    InvalidSetting {
        /// The setting.
        name: String,
        /// The value.
        value: String,
    },
    /// A number that a setting cannot be.
    #[error("{value} is outside the valid range for parameter \"{name}\" ({range})")]
    SettingOutOfRange {
        /// The number, with its unit.
        value: String,
        /// The setting.
        name: String,
        /// From where to where.
        range: String,
    },
    /// No truth value for a setting that needs one.
    #[error("parameter \"{name}\" requires a Boolean value")]
    NotBooleanSetting {
        /// The setting.
        name: String,
    },
    /// A setting that nobody sets.
    #[error("parameter \"{name}\" cannot be changed")]
    FixedSetting {
        /// The setting.
        name: String,
    },
    /// No prepared statement of that name.
    #[error("prepared statement \"{name}\" does not exist")]
    UndefinedPreparedStatement {
        /// The name.
        name: String,
    },
    /// A second prepared statement of a name.
    #[error("prepared statement \"{name}\" already exists")]
    DuplicatePreparedStatement {
        /// The name.
        name: String,
    },
    /// More or fewer values than parameters.
    #[error("bind message supplies {given} parameters, but prepared statement \"\" requires {expected}")]
    ParameterCount {
        /// Values.
        given: usize,
        /// Parameters.
        expected: usize,
    },
    /// A value for a parameter that is not there.
    #[error("there is no parameter :{name}")]
    UndefinedParameterName {
        /// Its name.
        name: String,
    },
    /// Several statements where one is asked for.
    #[error("cannot insert multiple commands into a prepared statement")]
    SeveralStatements,
    /// `count(DISTINCT *)`
    #[error("DISTINCT specified but no argument given")]
    DistinctWithoutArguments,
}

impl StatementError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::Syntax { .. }
            | Self::MixedParameters
            | Self::TooManyDots { .. }
            | Self::UnrecognizedOption { .. }
            | Self::OptionNotRecognized { .. }
            | Self::OptionValue { .. }
            | Self::ConflictingOptions => SqlState::SYNTAX_ERROR,
            Self::SeveralStatements => SqlState::SYNTAX_ERROR,
            Self::InvalidSetting { .. } | Self::SettingOutOfRange { .. } | Self::NotBooleanSetting { .. } => {
                SqlState::INVALID_PARAMETER_VALUE
            }
            Self::FixedSetting { .. } => SqlState::CANT_CHANGE_RUNTIME_PARAM,
            Self::UndefinedPreparedStatement { .. } => SqlState::INVALID_SQL_STATEMENT_NAME,
            Self::DuplicatePreparedStatement { .. } => SqlState::DUPLICATE_PREPARED_STATEMENT,
            Self::ParameterCount { .. } => SqlState::PROTOCOL_VIOLATION,
            Self::NotSupported { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::TextTooLong { .. } | Self::TooManyParameters { .. } => SqlState::PROGRAM_LIMIT_EXCEEDED,
            Self::TooDeep => SqlState::STATEMENT_TOO_COMPLEX,
            Self::Panicked { .. } => SqlState::INTERNAL_ERROR,
            Self::UndefinedParameter { .. } | Self::UndefinedParameterName { .. } => {
                SqlState::UNDEFINED_PARAMETER
            }
            Self::InvalidUnicodeEscape => SqlState::INVALID_ESCAPE_SEQUENCE,
            Self::InvalidEncoding { .. } => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            Self::UnrecognizedOptionValue { .. }
            | Self::UnrecognizedCopyFormat { .. }
            | Self::InvalidPrecision { .. } => SqlState::INVALID_PARAMETER_VALUE,
            Self::UndefinedTable { .. } => SqlState::UNDEFINED_TABLE,
            Self::DuplicateTable { .. } => SqlState::DUPLICATE_TABLE,
            Self::UndefinedOperator { .. } | Self::UndefinedFunction { .. } => SqlState::UNDEFINED_FUNCTION,
            Self::AmbiguousOperator { .. } | Self::AmbiguousFunction { .. } => SqlState::AMBIGUOUS_FUNCTION,
            Self::TypesCannotBeMatched { .. } | Self::NotBoolean { .. } => SqlState::DATATYPE_MISMATCH,
            Self::DistinctWithoutArguments => SqlState::SYNTAX_ERROR,
            Self::IsIndex { .. } | Self::IsNotIndex { .. } => SqlState::WRONG_OBJECT_TYPE,
            Self::UndefinedObject { .. } => SqlState::UNDEFINED_OBJECT,
            Self::UnknownSetting { .. } => SqlState::UNDEFINED_OBJECT,
        }
    }
}

/// Where a syntax error is, in PostgreSQL's words.
fn place(near: Option<&str>) -> String {
    match near {
        Some(token) => format!("at or near \"{token}\""),
        None => "at end of input".to_owned(),
    }
}
