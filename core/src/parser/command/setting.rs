//! SET, SHOW, RESET, DISCARD.

use super::super::{
    ast::{Set, SetScope, SetValue, SettingName, StatementKind},
    cursor::Cursor,
    lexer::{Token, TokenKind},
};
use crate::error::Result;

impl Cursor<'_> {
    pub(super) fn set(&mut self) -> Result<StatementKind> {
        if self.accept_word("transaction") {
            if self.is_word("snapshot") {
                return Err(self.not_supported("SET TRANSACTION SNAPSHOT"));
            }
            return Ok(StatementKind::SetTransaction(self.transaction_modes()?));
        }
        if self.accept_words(&["session", "characteristics"]) {
            self.expect_words(&["as", "transaction"])?;
            return Ok(StatementKind::SetCharacteristics(self.transaction_modes()?));
        }
        for words in [&["constraints"][..], &["role"], &["session", "authorization"], &["local", "role"]] {
            let name = self.peek_at(words.len());
            if self.are_words(words)
                && !name.is_some_and(|t| t.is_word("to") || self.source.token_text(t) == "=")
            {
                return Err(self.not_supported(format!("SET {}", words.join(" ").to_ascii_uppercase())));
            }
        }
        let scope = if self.accept_word("local") {
            SetScope::Local
        } else {
            // SESSION could be a setting's name to PostgreSQL as well, but there is none.
            self.accept_word("session");
            SetScope::Session
        };
        if let Some(set) = self.set_special(scope)? {
            return Ok(StatementKind::Set(set));
        }
        let name = self.setting_name()?;
        if !self.accept_operator("=") {
            self.expect_word("to")?;
        }
        let values = match self.accept_word("default") {
            true => None,
            false => Some(self.comma_separated(Self::set_value)?),
        };
        Ok(StatementKind::Set(Set { scope, name, values }))
    }

    /// Settings that SQL gives a syntax of their own: TIME ZONE, NAMES, SCHEMA.
    fn set_special(&mut self, scope: SetScope) -> Result<Option<Set>> {
        let position = self.position();
        let (name, defaults) = if self.accept_words(&["time", "zone"]) {
            ("timezone", &["default", "local"][..])
        } else if self.accept_word("names") {
            ("client_encoding", &["default"][..])
        } else if self.is_word("schema")
            && matches!(self.peek_at(1), Some(t) if matches!(t.kind, TokenKind::String(_)))
        {
            self.at += 1;
            ("search_path", &[][..])
        } else {
            return Ok(None);
        };
        let default = defaults.iter().any(|word| self.accept_word(word));
        let absent = name == "client_encoding" && self.peek().is_none();
        let values = if default || absent {
            None
        } else {
            if self.is_word("interval") {
                return Err(self.not_supported("SET TIME ZONE INTERVAL"));
            }
            Some(vec![self.set_value()?])
        };
        Ok(Some(Set { scope, name: SettingName { name: name.to_owned(), position }, values }))
    }

    fn set_value(&mut self) -> Result<SetValue> {
        let position = self.position();
        let sign = if self.accept_operator("-") {
            "-"
        } else {
            self.accept_operator("+");
            ""
        };
        let (text, quoted) = match self.peek() {
            Some(Token { kind: TokenKind::Number(digits), .. }) => (format!("{sign}{digits}"), false),
            Some(_) if position != self.position() => return Err(self.error()),
            Some(Token { kind: TokenKind::Word(word, _), .. }) => (word.clone(), false),
            Some(Token { kind: TokenKind::Quoted(text) | TokenKind::String(text), .. }) => {
                (text.clone(), true)
            }
            _ => return Err(self.error()),
        };
        self.at += 1;
        Ok(SetValue { text, quoted, position })
    }

    pub(super) fn show(&mut self) -> Result<StatementKind> {
        Ok(StatementKind::Show(self.setting_or_all()?))
    }

    pub(super) fn reset(&mut self) -> Result<StatementKind> {
        Ok(StatementKind::Reset(self.setting_or_all()?))
    }

    pub(super) fn discard(&mut self) -> Result<StatementKind> {
        if self.accept_word("all") {
            return Ok(StatementKind::DiscardAll);
        }
        match ["plans", "sequences", "temp", "temporary"].iter().any(|word| self.is_word(word)) {
            true => Err(self.not_supported("DISCARD of anything but ALL")),
            false => Err(self.error()),
        }
    }

    fn setting_or_all(&mut self) -> Result<Option<SettingName>> {
        const SPECIAL: &[(&[&str], &str)] = &[
            (&["time", "zone"], "timezone"),
            (&["transaction", "isolation", "level"], "transaction_isolation"),
            (&["session", "authorization"], "session_authorization"),
        ];
        if self.accept_word("all") {
            return Ok(None);
        }
        let position = self.position();
        if let Some((_, name)) = SPECIAL.iter().find(|(words, _)| self.accept_words(words)) {
            return Ok(Some(SettingName { name: (*name).to_owned(), position }));
        }
        self.setting_name().map(Some)
    }

    /// A setting's name; a dot separates the name of an extension.
    fn setting_name(&mut self) -> Result<SettingName> {
        let first = self.ident()?;
        let mut name = first.name;
        while self.accept_punctuation('.') {
            name.push('.');
            name.push_str(&self.ident()?.name);
        }
        Ok(SettingName { name, position: first.position })
    }
}
