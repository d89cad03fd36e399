//! Transaction control.

use super::super::{
    ast::{AccessMode, Begin, IsolationLevel, StatementKind, TransactionModes},
    cursor::Cursor,
};
use crate::error::Result;

impl Cursor<'_> {
    pub(super) fn begin(&mut self, word: &str) -> Result<StatementKind> {
        let start = word == "start";
        if start {
            self.expect_word("transaction")?;
        } else {
            self.work();
        }
        let modes =
            if self.peek().is_some() { self.transaction_modes()? } else { TransactionModes::default() };
        Ok(StatementKind::Begin(Begin { modes, start }))
    }

    pub(super) fn commit(&mut self) -> Result<StatementKind> {
        if self.is_word("prepared") {
            return Err(self.not_supported("COMMIT PREPARED"));
        }
        self.work();
        Ok(StatementKind::Commit { chain: self.chain()? })
    }

    pub(super) fn rollback(&mut self, word: &str) -> Result<StatementKind> {
        if word == "rollback" && self.is_word("prepared") {
            return Err(self.not_supported("ROLLBACK PREPARED"));
        }
        self.work();
        if word == "rollback" && self.accept_word("to") {
            self.savepoint_word();
            return Ok(StatementKind::RollbackTo(self.ident()?));
        }
        Ok(StatementKind::Rollback { chain: self.chain()? })
    }

    pub(super) fn release(&mut self) -> Result<StatementKind> {
        self.savepoint_word();
        Ok(StatementKind::Release(self.ident()?))
    }

    /// One or more modes, with or without commas between.
    pub(super) fn transaction_modes(&mut self) -> Result<TransactionModes> {
        let mut modes = TransactionModes::default();
        loop {
            self.transaction_mode(&mut modes)?;
            if !self.accept_punctuation(',') && self.peek().is_none() {
                return Ok(modes);
            }
        }
    }

    fn transaction_mode(&mut self, modes: &mut TransactionModes) -> Result<()> {
        const LEVELS: &[(&[&str], IsolationLevel)] = &[
            (&["read", "uncommitted"], IsolationLevel::ReadUncommitted),
            (&["read", "committed"], IsolationLevel::ReadCommitted),
            (&["repeatable", "read"], IsolationLevel::RepeatableRead),
            (&["serializable"], IsolationLevel::Serializable),
        ];
        if self.accept_word("isolation") {
            self.expect_word("level")?;
            let Some((_, level)) = LEVELS.iter().find(|(words, _)| self.accept_words(words)) else {
                // The error is at the word that no level goes on with.
                self.at += usize::from(self.is_word("read") || self.is_word("repeatable"));
                return Err(self.error());
            };
            modes.isolation = Some(*level);
        } else if self.accept_words(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else if self.accept_word("deferrable") {
            modes.deferrable = Some(true);
        } else {
            self.expect_word("read")?;
            modes.access = Some(if self.accept_word("only") {
                AccessMode::ReadOnly
            } else {
                self.expect_word("write")?;
                AccessMode::ReadWrite
            });
        }
        Ok(())
    }

    fn work(&mut self) {
        let _ = self.accept_word("work") || self.accept_word("transaction");
    }

    /// SAVEPOINT before a name; alone it is the name.
    fn savepoint_word(&mut self) {
        if self.peek_at(1).is_some() {
            self.accept_word("savepoint");
        }
    }

    /// `AND [NO] CHAIN`
    fn chain(&mut self) -> Result<bool> {
        if !self.accept_word("and") {
            return Ok(false);
        }
        let chain = !self.accept_word("no");
        self.expect_word("chain")?;
        Ok(chain)
    }
}
