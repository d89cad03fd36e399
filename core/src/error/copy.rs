//! Errors of the options of COPY.

use crate::sqlstate::SqlState;

/// What can be wrong with the options of a COPY.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// An option of CSV in another format.
    #[error("COPY {option} available only in CSV mode")]
    OnlyCsv {
        /// The option.
        option: &'static str,
    },
    /// An option that the format does not have.
    #[error("cannot specify {option} in {format} mode")]
    NotInFormat {
        /// The option.
        option: &'static str,
        /// The format.
        format: &'static str,
    },
    /// A character that is none, or too wide.
    #[error("COPY {option} must be a single one-byte character")]
    OneByte {
        /// The option.
        option: &'static str,
    },
    /// An end of line inside lines.
    #[error("COPY {option} cannot use newline or carriage return")]
    Newline {
        /// The option.
        option: &'static str,
    },
    /// A delimiter that data is made of.
    #[error("COPY delimiter cannot be \"{delimiter}\"")]
    Delimiter {
        /// The character.
        delimiter: String,
    },
    /// One character with two meanings.
    #[error("COPY delimiter and quote must be different")]
    SameQuote,
    /// One character with two meanings.
    #[error("COPY delimiter must not appear in the NULL specification")]
    DelimiterInNull,
    /// An option of the other direction.
    #[error("COPY {option} only available using {direction}")]
    OnlyDirection {
        /// The option.
        option: &'static str,
        /// The statement.
        direction: &'static str,
    },
}

impl CopyError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::OnlyCsv { .. }
            | Self::OneByte { .. }
            | Self::DelimiterInNull
            | Self::OnlyDirection { .. } => SqlState::FEATURE_NOT_SUPPORTED,
            Self::NotInFormat { .. } => SqlState::SYNTAX_ERROR,
            Self::Newline { .. } | Self::Delimiter { .. } | Self::SameQuote => {
                SqlState::INVALID_PARAMETER_VALUE
            }
        }
    }
}
