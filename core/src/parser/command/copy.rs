//! COPY, with the options of today and those of before PostgreSQL 9.

use super::super::{
    ast::{
        Copy, CopyColumns, CopyDirection, CopyFormat, CopyHeader, CopyOptions, CopySource, CopyTarget,
        StatementKind,
    },
    convert,
    cursor::Cursor,
};
use super::explain::CommandOption;
use crate::error::{Error, Result, StatementError};

impl Cursor<'_> {
    /// `COPY ..`; the word has been taken.
    pub(super) fn copy(&mut self) -> Result<StatementKind> {
        let position = self.source.position(self.at.saturating_sub(1));
        let binary = self.accept_word("binary");
        let source = self.copy_source()?;
        let query = matches!(source, CopySource::Query(_));
        let direction = if !query && self.accept_word("from") {
            CopyDirection::From
        } else {
            self.expect_word("to")?;
            CopyDirection::To
        };
        let target = self.copy_target(direction)?;
        let mut options = CopyOptions::default();
        if binary {
            options.format = CopyFormat::Binary;
        }
        // Before PostgreSQL 7.3: COPY .. [USING] DELIMITERS ';'
        let using = self.accept_word("using");
        if using || self.is_word("delimiters") {
            self.expect_word("delimiters")?;
            options.delimiter = Some(self.string()?);
        }
        self.accept_word("with");
        if self.accept_punctuation('(') {
            self.copy_options(&mut options)?;
        } else {
            self.old_copy_options(&mut options)?;
        }
        let filter = match direction == CopyDirection::From && self.accept_word("where") {
            true => {
                let filter = convert::expr(self.source, self.at..self.end)?;
                self.at = self.end;
                Some(filter)
            }
            false => None,
        };
        let copy = Copy { source, direction, target, options, filter, position };
        Ok(StatementKind::Copy(Box::new(copy)))
    }

    fn copy_source(&mut self) -> Result<CopySource> {
        if self.accept_punctuation('(') {
            for word in ["insert", "update", "delete"] {
                if self.is_word(word) {
                    return Err(self.not_supported("COPY of a data-modifying statement"));
                }
            }
            let range = self.parenthesized()?;
            return Ok(CopySource::Query(Box::new(convert::query(self.source, range)?)));
        }
        let name = self.object_name()?;
        let columns = match self.is_punctuation('(') {
            true => self.column_list()?,
            false => Vec::new(),
        };
        Ok(CopySource::Table { name, columns })
    }

    fn copy_target(&mut self, direction: CopyDirection) -> Result<CopyTarget> {
        // PostgreSQL takes STDIN and STDOUT for each other.
        let _ = direction;
        if self.accept_word("stdin") || self.accept_word("stdout") {
            return Ok(CopyTarget::Client);
        }
        if self.accept_word("program") {
            return Ok(CopyTarget::Program(self.string()?));
        }
        Ok(CopyTarget::File(self.string()?))
    }

    /// `(FORMAT csv, HEADER, ..)`; the parenthesis has been taken.
    fn copy_options(&mut self, options: &mut CopyOptions) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let mut ahead = self.clone();
            let name = ahead.label()?;
            if ahead.is_punctuation('(') || ahead.is_operator("*") {
                let (option, columns) = self.copy_columns()?;
                set_columns(&option, columns, options)?;
            } else {
                let option = self.command_option()?;
                set_option(&option, options)?;
            }
            if seen.contains(&name.name) {
                return Err(Error::from(StatementError::ConflictingOptions).at(name.position));
            }
            seen.push(name.name);
            if !self.accept_punctuation(',') {
                break;
            }
        }
        self.expect_punctuation(')')
    }

    /// `FORCE_QUOTE (a, b)`, `FORCE_QUOTE *`
    fn copy_columns(&mut self) -> Result<(CommandOption, CopyColumns)> {
        let name = self.label()?;
        let columns = match self.accept_operator("*") {
            true => CopyColumns::All,
            false => CopyColumns::These(self.column_list()?),
        };
        Ok((CommandOption { name, value: None }, columns))
    }

    /// `CSV HEADER DELIMITER AS ';' ..`
    fn old_copy_options(&mut self, options: &mut CopyOptions) -> Result<()> {
        loop {
            if self.accept_word("binary") {
                options.format = CopyFormat::Binary;
            } else if self.accept_word("csv") {
                options.format = CopyFormat::Csv;
            } else if self.accept_word("header") {
                options.header = CopyHeader::Present;
            } else if self.accept_word("freeze") {
                options.freeze = true;
            } else if self.accept_word("delimiter") {
                options.delimiter = Some(self.as_string()?);
            } else if self.accept_word("null") {
                options.null = Some(self.as_string()?);
            } else if self.accept_word("quote") {
                options.quote = Some(self.as_string()?);
            } else if self.accept_word("escape") {
                options.escape = Some(self.as_string()?);
            } else if self.accept_word("encoding") {
                options.encoding = Some(self.string()?);
            } else if self.accept_words(&["force", "quote"]) {
                options.force_quote = match self.accept_operator("*") {
                    true => CopyColumns::All,
                    false => CopyColumns::These(self.comma_separated(Self::ident)?),
                };
            } else if self.accept_words(&["force", "not", "null"]) {
                options.force_not_null = CopyColumns::These(self.comma_separated(Self::ident)?);
            } else if self.accept_words(&["force", "null"]) {
                options.force_null = CopyColumns::These(self.comma_separated(Self::ident)?);
            } else {
                return Ok(());
            }
        }
    }

    fn as_string(&mut self) -> Result<String> {
        self.accept_word("as");
        self.string()
    }
}

fn set_option(option: &CommandOption, options: &mut CopyOptions) -> Result<()> {
    match option.name.name.as_str() {
        "format" => {
            let format = option.text()?;
            options.format = match format.as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                "parquet" => CopyFormat::Parquet,
                _ => {
                    let error = StatementError::UnrecognizedCopyFormat { format };
                    return Err(Error::from(error).at(option.name.position));
                }
            };
        }
        "header" => {
            options.header = match option.value.as_deref() {
                Some("match") => CopyHeader::Match,
                _ => match option.boolean() {
                    Ok(true) => CopyHeader::Present,
                    Ok(false) => CopyHeader::Absent,
                    Err(_) => return Err(option.value_error("a Boolean value or \"match\"")),
                },
            };
        }
        "delimiter" => options.delimiter = Some(option.text()?),
        "null" => options.null = Some(option.text()?),
        "default" => options.default = Some(option.text()?),
        "quote" => options.quote = Some(option.text()?),
        "escape" => options.escape = Some(option.text()?),
        "encoding" => options.encoding = Some(option.text()?),
        "freeze" => options.freeze = option.boolean()?,
        _ => return Err(not_recognized(option)),
    }
    Ok(())
}

fn set_columns(option: &CommandOption, columns: CopyColumns, options: &mut CopyOptions) -> Result<()> {
    match option.name.name.as_str() {
        "force_quote" => options.force_quote = columns,
        "force_not_null" => options.force_not_null = columns,
        "force_null" => options.force_null = columns,
        _ => return Err(not_recognized(option)),
    }
    Ok(())
}

/// COPY has its own words for an unknown option.
fn not_recognized(option: &CommandOption) -> Error {
    let error = StatementError::OptionNotRecognized { option: option.name.name.clone() };
    Error::from(error).at(option.name.position)
}
