//! DROP and TRUNCATE.

use super::super::{
    ast::{DropBehavior, DropObjects, StatementKind, Truncate},
    cursor::Cursor,
};
use super::unsupported;
use crate::error::Result;

impl Cursor<'_> {
    pub(super) fn drop_objects(&mut self) -> Result<StatementKind> {
        let make = if self.accept_word("table") {
            StatementKind::DropTable
        } else if self.accept_word("index") {
            if self.is_word("concurrently") {
                return Err(self.not_supported("DROP INDEX CONCURRENTLY"));
            }
            StatementKind::DropIndex
        } else {
            self.at -= 1;
            return Err(unsupported::refuse(self));
        };
        let if_exists = self.accept_words(&["if", "exists"]);
        let names = self.comma_separated(Self::object_name)?;
        let behavior = self.behavior();
        Ok(make(DropObjects { names, if_exists, behavior }))
    }

    pub(super) fn truncate(&mut self) -> Result<StatementKind> {
        self.accept_word("table");
        let tables = self.comma_separated(|cursor| {
            cursor.accept_word("only");
            let name = cursor.object_name()?;
            cursor.accept_operator("*");
            Ok(name)
        })?;
        let restart_identity = self.accept_words(&["restart", "identity"]);
        if !restart_identity {
            self.accept_words(&["continue", "identity"]);
        }
        let behavior = self.behavior();
        Ok(StatementKind::Truncate(Truncate { tables, restart_identity, behavior }))
    }

    fn behavior(&mut self) -> DropBehavior {
        if self.accept_word("cascade") {
            return DropBehavior::Cascade;
        }
        self.accept_word("restrict");
        DropBehavior::Restrict
    }
}
