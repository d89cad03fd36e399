//! EXPLAIN, and the list of options that it shares with VACUUM and COPY.

use super::super::{
    ast::{Explain, ExplainFormat, Ident, StatementKind},
    cursor::Cursor,
    lexer::{Token, TokenKind},
};
use super::Grammar;
use crate::error::{Error, Result, StatementError};

/// `name [value]` in an option list, as text.
pub(super) struct CommandOption {
    /// The option.
    pub(super) name: Ident,
    /// Its value: a word, a string or a number.
    pub(super) value: Option<String>,
}

impl CommandOption {
    /// A switch, which is on unless it says otherwise.
    pub(super) fn boolean(&self) -> Result<bool> {
        match self.value.as_deref() {
            None | Some("true" | "on" | "1") => Ok(true),
            Some("false" | "off" | "0") => Ok(false),
            Some(_) => Err(self.value_error("a Boolean value")),
        }
    }

    /// A value that must be there.
    pub(super) fn text(&self) -> Result<String> {
        self.value.clone().ok_or_else(|| self.value_error("a parameter"))
    }

    pub(super) fn value_error(&self, kind: &'static str) -> Error {
        let option = self.name.name.clone();
        Error::from(StatementError::OptionValue { option, kind }).at(self.name.position)
    }

    pub(super) fn unrecognized(&self, statement: &'static str) -> Error {
        let option = self.name.name.clone();
        Error::from(StatementError::UnrecognizedOption { statement, option }).at(self.name.position)
    }
}

impl Grammar<'_> {
    pub(super) fn explain(&mut self, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
        let mut explain = Explain {
            analyze: false,
            verbose: false,
            costs: true,
            buffers: None,
            wal: false,
            timing: None,
            summary: None,
            settings: false,
            format: ExplainFormat::Text,
            statement: Box::new(StatementKind::Checkpoint),
        };
        let options = cursor.is_punctuation('(') && !starts_query(cursor);
        if options {
            cursor.at += 1;
            for option in cursor.comma_separated(Cursor::command_option)? {
                apply(&option, &mut explain)?;
            }
            cursor.expect_punctuation(')')?;
        } else {
            explain.analyze = cursor.accept_word("analyze") || cursor.accept_word("analyse");
            explain.verbose = cursor.accept_word("verbose");
        }
        const EXPLAINABLE: &[&str] =
            &["create", "delete", "execute", "from", "insert", "select", "table", "update", "values", "with"];
        if !cursor.is_punctuation('(') && !EXPLAINABLE.iter().any(|word| cursor.is_word(word)) {
            return Err(cursor.error());
        }
        let start = cursor.at;
        self.nesting += 1;
        explain.statement = Box::new(self.statement(cursor.clone())?);
        self.nesting -= 1;
        match *explain.statement {
            StatementKind::CreateTable(_) | StatementKind::CreateIndex(_) => {
                // Of the CREATE statements only CREATE TABLE AS has a plan.
                Err(cursor.source.syntax_error(start))
            }
            _ => {
                cursor.at = cursor.end;
                Ok(StatementKind::Explain(Box::new(explain)))
            }
        }
    }
}

/// Does the parenthesis open a query rather than options?
fn starts_query(cursor: &Cursor<'_>) -> bool {
    const QUERY: &[&str] = &["select", "values", "with", "table", "from"];
    let mut ahead = 0;
    while cursor.peek_at(ahead).is_some_and(|token| token.is_punctuation('(')) {
        ahead += 1;
    }
    cursor.peek_at(ahead).is_some_and(|token| QUERY.iter().any(|word| token.is_word(word)))
}

fn apply(option: &CommandOption, explain: &mut Explain) -> Result<()> {
    match option.name.name.as_str() {
        "analyze" | "analyse" => explain.analyze = option.boolean()?,
        "verbose" => explain.verbose = option.boolean()?,
        "costs" => explain.costs = option.boolean()?,
        "buffers" => explain.buffers = Some(option.boolean()?),
        "wal" => explain.wal = option.boolean()?,
        "timing" => explain.timing = Some(option.boolean()?),
        "summary" => explain.summary = Some(option.boolean()?),
        "settings" => explain.settings = option.boolean()?,
        "format" => {
            let value = option.text()?;
            explain.format = match value.as_str() {
                "text" => ExplainFormat::Text,
                "json" => ExplainFormat::Json,
                "xml" => ExplainFormat::Xml,
                "yaml" => ExplainFormat::Yaml,
                _ => {
                    let error = StatementError::UnrecognizedOptionValue {
                        statement: "EXPLAIN",
                        option: "format".to_owned(),
                        value,
                    };
                    return Err(Error::from(error).at(option.name.position));
                }
            };
        }
        _ => return Err(option.unrecognized("EXPLAIN")),
    }
    Ok(())
}

impl Cursor<'_> {
    /// `name [value]`
    pub(super) fn command_option(&mut self) -> Result<CommandOption> {
        let name = self.label()?;
        let sign = if self.accept_operator("-") { "-" } else { "" };
        let value = match self.peek() {
            Some(Token { kind: TokenKind::Number(digits), .. }) => Some(format!("{sign}{digits}")),
            Some(_) if !sign.is_empty() => return Err(self.error()),
            Some(Token { kind: TokenKind::Word(word, _), .. }) => Some(word.clone()),
            Some(Token { kind: TokenKind::String(text) | TokenKind::Quoted(text), .. }) => Some(text.clone()),
            _ => None,
        };
        self.at += usize::from(value.is_some());
        Ok(CommandOption { name, value })
    }
}
