//! PREPARE, EXECUTE, DEALLOCATE.

use super::super::{
    ast::{Deallocate, Execute, Prepare, StatementKind},
    convert,
    cursor::Cursor,
};
use super::Grammar;
use crate::error::Result;

impl Grammar<'_> {
    pub(super) fn prepare(&mut self, cursor: &mut Cursor<'_>) -> Result<StatementKind> {
        if cursor.are_words(&["transaction"]) && !cursor.peek_at(1).is_some_and(|t| t.is_word("as")) {
            return Err(cursor.not_supported("PREPARE TRANSACTION"));
        }
        let name = cursor.ident()?;
        let types = match cursor.accept_punctuation('(') {
            true => {
                let types = cursor.comma_separated(Cursor::type_name)?;
                cursor.expect_punctuation(')')?;
                types
            }
            false => Vec::new(),
        };
        cursor.expect_word("as")?;
        let start = cursor.at;
        const PREPARABLE: &[&str] =
            &["delete", "from", "insert", "select", "table", "update", "values", "with"];
        if !cursor.is_punctuation('(') && !PREPARABLE.iter().any(|word| cursor.is_word(word)) {
            return Err(cursor.error());
        }
        self.nesting += 1;
        let statement = Box::new(self.statement(cursor.clone())?);
        self.nesting -= 1;
        cursor.at = cursor.end;
        let text = cursor.source.range_text(&(start..cursor.end)).to_owned();
        let parameters = std::mem::take(self.parameters);
        Ok(StatementKind::Prepare(Box::new(Prepare { name, types, statement, parameters, text })))
    }
}

impl Cursor<'_> {
    pub(super) fn execute(&mut self) -> Result<StatementKind> {
        let name = self.ident()?;
        let mut arguments = Vec::new();
        if self.accept_punctuation('(') {
            loop {
                let range =
                    self.skip_until(|_, token| token.is_punctuation(',') || token.is_punctuation(')'));
                arguments.push(convert::expr(self.source, range)?);
                if !self.accept_punctuation(',') {
                    break;
                }
            }
            self.expect_punctuation(')')?;
        }
        Ok(StatementKind::Execute(Execute { name, arguments }))
    }

    pub(super) fn deallocate(&mut self) -> Result<StatementKind> {
        if self.peek_at(1).is_some() {
            self.accept_word("prepare");
        }
        let deallocate = match self.accept_word("all") {
            true => Deallocate::All,
            false => Deallocate::Name(self.ident()?),
        };
        Ok(StatementKind::Deallocate(deallocate))
    }
}
