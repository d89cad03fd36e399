//! ANALYZE and VACUUM.

use super::super::{
    ast::{Analyze, Ident, ObjectName, StatementKind, Vacuum, VacuumOptions},
    cursor::Cursor,
};
use crate::error::Result;

impl Cursor<'_> {
    pub(super) fn analyze(&mut self) -> Result<StatementKind> {
        let mut verbose = false;
        if self.accept_punctuation('(') {
            for option in self.comma_separated(Self::command_option)? {
                match option.name.name.as_str() {
                    "verbose" => verbose = option.boolean()?,
                    "skip_locked" => {
                        option.boolean()?;
                    }
                    _ => return Err(option.unrecognized("ANALYZE")),
                }
            }
            self.expect_punctuation(')')?;
        } else {
            verbose = self.accept_word("verbose");
        }
        let tables = self.table_list()?;
        Ok(StatementKind::Analyze(Analyze { verbose, tables }))
    }

    pub(super) fn vacuum(&mut self) -> Result<StatementKind> {
        let mut options = VacuumOptions::default();
        if self.accept_punctuation('(') {
            for option in self.comma_separated(Self::command_option)? {
                match option.name.name.as_str() {
                    "full" => options.full = option.boolean()?,
                    "freeze" => options.freeze = option.boolean()?,
                    "verbose" => options.verbose = option.boolean()?,
                    "analyze" | "analyse" => options.analyze = option.boolean()?,
                    "disable_page_skipping" | "skip_locked" | "process_toast" | "truncate" => {
                        option.boolean()?;
                    }
                    "parallel" | "index_cleanup" => drop(option.text()?),
                    _ => return Err(option.unrecognized("VACUUM")),
                }
            }
            self.expect_punctuation(')')?;
        } else {
            options.full = self.accept_word("full");
            options.freeze = self.accept_word("freeze");
            options.verbose = self.accept_word("verbose");
            options.analyze = self.accept_word("analyze") || self.accept_word("analyse");
        }
        let tables = self.table_list()?;
        Ok(StatementKind::Vacuum(Vacuum { options, tables }))
    }

    /// `table [(columns)], ..`, or nothing.
    fn table_list(&mut self) -> Result<Vec<(ObjectName, Vec<Ident>)>> {
        if self.peek().is_none() {
            return Ok(Vec::new());
        }
        self.comma_separated(|cursor| {
            let name = cursor.object_name()?;
            let columns = match cursor.is_punctuation('(') {
                true => cursor.column_list()?,
                false => Vec::new(),
            };
            Ok((name, columns))
        })
    }
}
