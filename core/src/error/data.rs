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
    /// Rows that a unique index cannot be made over.
    #[error("could not create unique index \"{index}\"")]
    DuplicateKeys {
        /// The index.
        index: String,
    },
    /// NULL where none may be.
    #[error("null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint")]
    NotNullViolation {
        /// The column.
        column: String,
        /// Its table.
        relation: String,
    },
    /// A row that a check constraint refuses.
    #[error("new row for relation \"{relation}\" violates check constraint \"{constraint}\"")]
    CheckViolation {
        /// The table.
        relation: String,
        /// The constraint.
        constraint: String,
    },
    /// A scalar subquery with two rows.
    #[error("more than one row returned by a subquery used as an expression")]
    MoreThanOneRow,
    /// A row that INSERT would change twice.
    #[error("ON CONFLICT DO UPDATE command cannot affect row a second time")]
    ConflictTwice,
    /// A negative number of rows.
    #[error("LIMIT must not be negative")]
    NegativeLimit,
    /// A negative number of rows.
    #[error("OFFSET must not be negative")]
    NegativeOffset,
    /// A series that stands still.
    #[error("step size cannot equal zero")]
    ZeroStep,
    /// A line of a file with too few fields.
    #[error("missing data for column \"{column}\"")]
    CopyMissingData {
        /// The first column without a field.
        column: String,
    },
    /// A line of a file with too many fields.
    #[error("extra data after last expected column")]
    CopyExtraData,
    /// A quoted field without an end.
    #[error("unterminated CSV quoted field")]
    CopyUnterminatedQuote,
    /// A line that ends otherwise than those before.
    #[error("{kind} {what} found in data")]
    CopyLineEnd {
        /// In which format: unquoted or literal.
        kind: &'static str,
        /// The character.
        what: &'static str,
    },
    /// A first line that does not name the columns.
    #[error("column name mismatch in header line field {field}: got \"{found}\", expected \"{expected}\"")]
    CopyHeaderMismatch {
        /// From 1.
        field: usize,
        /// In the file.
        found: String,
        /// The column.
        expected: String,
    },
    /// A first line that has not as many fields as there are columns.
    #[error("wrong number of fields in header line: got {found}, expected {expected}")]
    CopyHeaderCount {
        /// In the file.
        found: usize,
        /// Columns.
        expected: usize,
    },
    /// A line that is too long.
    #[error("a record of the file is longer than {limit} bytes")]
    CopyRecordTooLong {
        /// The limit.
        limit: usize,
    },
    /// A file that is not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    CopyInvalidEncoding,
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
    /// A divisor of zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A value that another type has no counterpart of.
    #[error("cannot convert {value} to {ty}")]
    CannotConvert {
        /// The value, as in the message: `NaN`, `infinity`.
        value: &'static str,
        /// The type's name.
        ty: &'static str,
    },
    /// Text that is no value of its type.
    #[error("invalid input syntax for type {ty}: \"{text}\"")]
    InvalidText {
        /// The type's name.
        ty: &'static str,
        /// As given.
        text: String,
    },
    /// Text that is a number but none of its type.
    #[error("value \"{text}\" is out of range for type {ty}")]
    TextOutOfRange {
        /// The type's name.
        ty: &'static str,
        /// As given.
        text: String,
    },
    /// Text that is no date, time or interval.
    #[error("invalid input syntax for type {ty}: \"{text}\"")]
    InvalidDateTime {
        /// The type's name.
        ty: &'static str,
        /// As given.
        text: String,
    },
    /// Text of a date or time with a part that is too large.
    #[error("date/time field value out of range: \"{text}\"")]
    DateTimeFieldOverflow {
        /// As given.
        text: String,
    },
    /// Text of an interval with a part that is too large.
    #[error("interval field value out of range: \"{text}\"")]
    IntervalFieldOverflow {
        /// As given.
        text: String,
    },
    /// Text of a time with a zone too far from UTC.
    #[error("time zone displacement out of range: \"{text}\"")]
    ZoneOutOfRange {
        /// As given.
        text: String,
    },
    /// A zone's name that is not known.
    #[error("time zone \"{name}\" not recognized")]
    UnknownZone {
        /// As given.
        name: String,
    },
    /// Text of a date or timestamp before the first or after the last.
    #[error("{ty} out of range: \"{text}\"")]
    DateTimeTextOutOfRange {
        /// `date` or `timestamp`.
        ty: &'static str,
        /// As given.
        text: String,
    },
    /// A date, timestamp or interval before the first or after the last.
    #[error("{ty} out of range")]
    DateTimeOutOfRange {
        /// `date`, `timestamp` or `interval`.
        ty: &'static str,
    },
    /// A value that another type of date or time cannot show.
    #[error("{ty} out of range for {target}")]
    DateTimeOutOfRangeFor {
        /// The value's type.
        ty: &'static str,
        /// The other type.
        target: &'static str,
    },
    /// The difference of infinite dates or timestamps.
    #[error("cannot subtract infinite {ty}")]
    InfiniteDifference {
        /// `dates` or `timestamps`.
        ty: &'static str,
    },
    /// Text of a float that is too large or too close to zero.
    #[error("\"{text}\" is out of range for type {ty}")]
    NumberOutOfRange {
        /// The type's name.
        ty: &'static str,
        /// As given.
        text: String,
    },
    /// A float too large for its type.
    #[error("value out of range: overflow")]
    FloatOverflow,
    /// A float too close to zero for its type.
    #[error("value out of range: underflow")]
    FloatUnderflow,
    /// A string over its column's length.
    #[error("value too long for type {ty}")]
    StringTooLong {
        /// The type with its length.
        ty: String,
    },
    /// Two types without a cast between them.
    #[error("cannot cast type {from} to {to}")]
    CannotCast {
        /// The value's type.
        from: &'static str,
        /// The target.
        to: &'static str,
    },
    /// Text in neither form of `bytea`.
    #[error("invalid input syntax for type bytea")]
    InvalidBytea,
    /// A character among hexadecimal digits that is none.
    #[error("invalid hexadecimal digit: \"{digit}\"")]
    InvalidHexDigit {
        /// The character.
        digit: char,
    },
    /// Half a byte at the end.
    #[error("invalid hexadecimal data: odd number of digits")]
    OddHexDigits,
    /// An escape of LIKE that is more than a character.
    #[error("invalid escape string")]
    InvalidEscape,
    /// A pattern that ends where a character must follow.
    #[error("LIKE pattern must not end with escape character")]
    PatternEndsWithEscape,
    /// A regular expression that is none.
    #[error("invalid regular expression: {reason}")]
    InvalidRegularExpression {
        /// What is wrong with it.
        reason: String,
    },
    /// An argument outside the domain of a function.
    #[error("input is out of range")]
    InputOutOfRange,
    /// A square root that is no number.
    #[error("cannot take square root of a negative number")]
    NegativeSquareRoot,
    /// A logarithm that is no number.
    #[error("cannot take logarithm of {operand}")]
    LogarithmOf {
        /// `zero` or `a negative number`.
        operand: &'static str,
    },
    /// A power that is no number.
    #[error("zero raised to a negative power is undefined")]
    ZeroToNegativePower,
    /// A power that is no real number.
    #[error("a negative number raised to a non-integer power yields a complex result")]
    NegativeToFractionalPower,
    /// A factorial that is no number.
    #[error("factorial of a negative number is undefined")]
    NegativeFactorial,
    /// Bounds or a count that make no histogram.
    #[error("{problem}")]
    InvalidWidthBucket {
        /// What is wrong with them.
        problem: &'static str,
    },
    /// A string that would be too long.
    #[error("requested length too large")]
    RequestedLengthTooLarge,
    /// A part of a string that ends before it begins.
    #[error("negative substring length not allowed")]
    NegativeSubstringLength,
    /// A part of a string counted from no end.
    #[error("field position must not be zero")]
    FieldPositionZero,
    /// A negative code of a character.
    #[error("character number must be positive")]
    NegativeCharacter,
    /// A zero byte in a text.
    #[error("null character not permitted")]
    NullCharacter,
    /// A code without a character.
    #[error("requested character not valid for encoding: {code}")]
    CharacterOutOfRange {
        /// The code.
        code: i32,
    },
    /// A byte past the end.
    #[error("index {index} out of valid range, 0..{last}")]
    ByteIndexOutOfRange {
        /// The byte.
        index: i32,
        /// The last there is.
        last: i64,
    },
    /// A character encoding that is not known.
    #[error("invalid source encoding name \"{name}\"")]
    UnknownEncoding {
        /// As given.
        name: String,
    },
    /// A textual form of bytes that is not known.
    #[error("unrecognized encoding: \"{name}\"")]
    UnrecognizedEncoding {
        /// As given.
        name: String,
    },
    /// Bytes that are no text.
    #[error("invalid byte sequence for encoding \"UTF8\": {bytes}")]
    InvalidUtf8 {
        /// The first wrong ones.
        bytes: String,
    },
    /// A character that base64 does not have.
    #[error("invalid symbol \"{symbol}\" found while decoding base64 sequence")]
    InvalidBase64 {
        /// The character.
        symbol: char,
    },
    /// Padding of base64 in the middle.
    #[error("unexpected \"=\" while decoding base64 sequence")]
    UnexpectedPadding,
    /// Base64 that stops too early.
    #[error("invalid base64 end sequence")]
    InvalidBase64End,
    /// A letter that `format` does not know.
    #[error("unrecognized format() type specifier \"{specifier}\"")]
    UnknownFormatSpecifier {
        /// The letter.
        specifier: char,
    },
    /// A format that ends in a specifier.
    #[error("unterminated format() type specifier")]
    UnterminatedFormat,
    /// More specifiers than arguments.
    #[error("too few arguments for format()")]
    TooFewFormatArguments,
    /// A number in a format that is too large.
    #[error("number is out of range")]
    FormatNumberOutOfRange,
    /// An argument of a format before the first.
    #[error("format specifies argument 0, but arguments are numbered from 1")]
    FormatArgumentZero,
    /// A width's argument without its end.
    #[error("width argument position must be ended by \"$\"")]
    FormatWidthNotClosed,
    /// NULL as a name.
    #[error("null values cannot be formatted as an SQL identifier")]
    NullIdentifier,
    /// A flag that regular expressions do not have.
    #[error("invalid regular expression option: \"{option}\"")]
    InvalidRegularExpressionOption {
        /// The flag.
        option: char,
    },
    /// A field of a date or time that is not known.
    #[error("unit \"{unit}\" not recognized for type {ty}")]
    UnknownUnit {
        /// As given.
        unit: String,
        /// The type.
        ty: &'static str,
    },
    /// A field that a type does not have.
    #[error("unit \"{unit}\" not supported for type {ty}")]
    UnsupportedUnit {
        /// As given.
        unit: String,
        /// The type.
        ty: &'static str,
    },
    /// A date made of parts that are none.
    #[error("date field value out of range: {text}")]
    DateFieldOutOfRange {
        /// The parts.
        text: String,
    },
    /// A date made of parts that is too far away.
    #[error("date out of range: {text}")]
    DateTextOutOfRange {
        /// The parts.
        text: String,
    },
    /// A time made of parts that are none.
    #[error("time field value out of range: {text}")]
    TimeFieldOutOfRange {
        /// The parts.
        text: String,
    },
    /// Seconds that reach no timestamp.
    #[error("timestamp out of range: \"{text}\"")]
    UnixTimestampOutOfRange {
        /// The seconds.
        text: String,
    },
    /// A timestamp made of no number.
    #[error("timestamp cannot be NaN")]
    TimestampIsNan,
    /// A zone given as a span that has no fixed length.
    #[error("interval time zone must not include months or days")]
    ZoneWithMonths,
    /// An origin of bins that is infinite.
    #[error("origin out of range")]
    OriginOutOfRange,
    /// Bins without a fixed length.
    #[error("timestamps cannot be binned into intervals containing months or years")]
    BinWithMonths,
    /// Bins of no length.
    #[error("stride must be greater than zero")]
    StrideNotPositive,
    /// Text where a template has a field that it is not.
    #[error("invalid value \"{text}\" for \"{field}\"")]
    InvalidTemplateValue {
        /// What stands there.
        text: String,
        /// The field.
        field: String,
    },
    /// Two values for one field.
    #[error("conflicting values for \"{field}\" field in formatting string")]
    ConflictingTemplateValues {
        /// The field.
        field: String,
    },
    /// Text that ends inside a field of a template.
    #[error("source string too short for \"{field}\" formatting field")]
    TemplateTextTooShort {
        /// What is left of it.
        text: String,
        /// The field.
        field: String,
    },
    /// A number too large for a field of a template.
    #[error("value for \"{field}\" in source string is out of range")]
    TemplateValueOutOfRange {
        /// The number.
        text: String,
        /// The field.
        field: String,
    },
    /// An hour that a clock of twelve does not show.
    #[error("hour \"{hour}\" is invalid for the 12-hour clock")]
    InvalidHour {
        /// The hour.
        hour: i32,
    },
    /// A template that only writes.
    #[error("{problem}")]
    UnsupportedTemplate {
        /// What is wrong.
        problem: &'static str,
    },
    /// A template that asks for what cannot be read.
    #[error("{problem}")]
    InvalidTemplate {
        /// What is wrong.
        problem: &'static str,
    },
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
    /// `text` is no value of type `ty`.
    pub(crate) fn invalid_text(ty: &'static str, text: &str) -> Self {
        Self::InvalidText { ty, text: text.to_owned() }
    }

    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::UniqueViolation { .. } | Self::DuplicateKeys { .. } => SqlState::UNIQUE_VIOLATION,
            Self::NotNullViolation { .. } => SqlState::NOT_NULL_VIOLATION,
            Self::CheckViolation { .. } => SqlState::CHECK_VIOLATION,
            Self::MoreThanOneRow | Self::ConflictTwice => SqlState::CARDINALITY_VIOLATION,
            Self::NegativeLimit => SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
            Self::NegativeOffset => SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
            Self::ZeroStep => SqlState::INVALID_PARAMETER_VALUE,
            Self::CopyMissingData { .. }
            | Self::CopyExtraData
            | Self::CopyUnterminatedQuote
            | Self::CopyLineEnd { .. }
            | Self::CopyHeaderCount { .. }
            | Self::CopyHeaderMismatch { .. } => SqlState::BAD_COPY_FILE_FORMAT,
            Self::CopyRecordTooLong { .. } => SqlState::PROGRAM_LIMIT_EXCEEDED,
            Self::CopyInvalidEncoding => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            Self::OutOfRange { .. }
            | Self::TextOutOfRange { .. }
            | Self::NumberOutOfRange { .. }
            | Self::FloatOverflow
            | Self::FloatUnderflow
            | Self::NumericFieldOverflow
            | Self::NumericOverflow => SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            Self::DivisionByZero => SqlState::DIVISION_BY_ZERO,
            Self::CannotConvert { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::InvalidDateTime { .. } => SqlState::INVALID_DATETIME_FORMAT,
            Self::DateTimeFieldOverflow { .. }
            | Self::DateTimeTextOutOfRange { .. }
            | Self::DateTimeOutOfRange { .. }
            | Self::DateTimeOutOfRangeFor { .. }
            | Self::InfiniteDifference { .. } => SqlState::DATETIME_FIELD_OVERFLOW,
            Self::IntervalFieldOverflow { .. } => SqlState::INTERVAL_FIELD_OVERFLOW,
            Self::ZoneOutOfRange { .. } => SqlState::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
            Self::UnknownZone { .. } | Self::InvalidHexDigit { .. } | Self::OddHexDigits => {
                SqlState::INVALID_PARAMETER_VALUE
            }
            Self::StringTooLong { .. } => SqlState::STRING_DATA_RIGHT_TRUNCATION,
            Self::CannotCast { .. } => SqlState::CANNOT_COERCE,
            Self::InvalidText { .. } | Self::InvalidBytea => SqlState::INVALID_TEXT_REPRESENTATION,
            Self::InvalidEscape | Self::PatternEndsWithEscape => SqlState::INVALID_ESCAPE_SEQUENCE,
            Self::InvalidRegularExpression { .. } => SqlState::INVALID_REGULAR_EXPRESSION,
            Self::InputOutOfRange | Self::NegativeFactorial | Self::FormatNumberOutOfRange => {
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            }
            Self::NegativeSquareRoot | Self::ZeroToNegativePower | Self::NegativeToFractionalPower => {
                SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION
            }
            Self::LogarithmOf { .. } => SqlState::INVALID_ARGUMENT_FOR_LOGARITHM,
            Self::InvalidWidthBucket { .. } => SqlState::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION,
            Self::RequestedLengthTooLarge | Self::NullCharacter | Self::CharacterOutOfRange { .. } => {
                SqlState::PROGRAM_LIMIT_EXCEEDED
            }
            Self::NegativeSubstringLength => SqlState::SUBSTRING_ERROR,
            Self::NegativeCharacter
            | Self::FieldPositionZero
            | Self::UnknownEncoding { .. }
            | Self::UnrecognizedEncoding { .. }
            | Self::InvalidBase64 { .. }
            | Self::UnexpectedPadding
            | Self::InvalidBase64End
            | Self::UnknownFormatSpecifier { .. }
            | Self::UnterminatedFormat
            | Self::TooFewFormatArguments
            | Self::FormatArgumentZero
            | Self::FormatWidthNotClosed
            | Self::InvalidRegularExpressionOption { .. }
            | Self::UnknownUnit { .. }
            | Self::ZoneWithMonths => SqlState::INVALID_PARAMETER_VALUE,
            Self::ByteIndexOutOfRange { .. } => SqlState::ARRAY_SUBSCRIPT_ERROR,
            Self::InvalidUtf8 { .. } => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            Self::NullIdentifier => SqlState::NULL_VALUE_NOT_ALLOWED,
            Self::UnsupportedUnit { .. } | Self::BinWithMonths => SqlState::FEATURE_NOT_SUPPORTED,
            Self::DateFieldOutOfRange { .. }
            | Self::DateTextOutOfRange { .. }
            | Self::TimeFieldOutOfRange { .. }
            | Self::UnixTimestampOutOfRange { .. }
            | Self::TimestampIsNan
            | Self::OriginOutOfRange
            | Self::StrideNotPositive => SqlState::DATETIME_FIELD_OVERFLOW,
            Self::InvalidTemplateValue { .. }
            | Self::ConflictingTemplateValues { .. }
            | Self::TemplateTextTooShort { .. }
            | Self::InvalidHour { .. } => SqlState::INVALID_DATETIME_FORMAT,
            Self::TemplateValueOutOfRange { .. } => SqlState::DATETIME_FIELD_OVERFLOW,
            Self::UnsupportedTemplate { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::InvalidTemplate { .. } => SqlState::SYNTAX_ERROR,
            Self::TypeMismatch { .. } => SqlState::DATATYPE_MISMATCH,
        }
    }
}
