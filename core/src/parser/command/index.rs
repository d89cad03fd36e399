//! CREATE INDEX.

use super::super::{
    ast::{CreateIndex, Expr, ExprKind, ExprText, IndexColumn, NullsOrder, SortItem, StatementKind},
    convert,
    cursor::Cursor,
};
use crate::error::Result;

impl Cursor<'_> {
    /// `CREATE [UNIQUE] INDEX ..`; the words have been taken.
    pub(super) fn create_index(&mut self, unique: bool) -> Result<StatementKind> {
        if self.is_word("concurrently") {
            return Err(self.not_supported("CREATE INDEX CONCURRENTLY"));
        }
        let if_not_exists = self.accept_words(&["if", "not", "exists"]);
        let name = match self.is_word("on") && !if_not_exists {
            true => None,
            false => Some(self.ident()?),
        };
        self.expect_word("on")?;
        self.accept_word("only");
        let table = self.object_name()?;
        if self.accept_word("using") && !self.accept_word("btree") {
            return Err(self.not_supported("an index of another kind than btree"));
        }
        self.expect_punctuation('(')?;
        let columns = self.comma_separated(Self::index_column)?;
        self.expect_punctuation(')')?;
        let include = match self.accept_word("include") {
            true => self.column_list()?,
            false => Vec::new(),
        };
        let nulls_not_distinct = self.nulls_not_distinct();
        for (word, feature) in [("with", "a storage parameter"), ("tablespace", "TABLESPACE")] {
            if self.is_word(word) {
                return Err(self.not_supported(feature));
            }
        }
        let filter = match self.accept_word("where") {
            true => {
                let range = self.at..self.end;
                let expr = convert::expr(self.source, range.clone())?;
                self.at = self.end;
                Some(ExprText { expr, text: self.source.range_text(&range).to_owned() })
            }
            false => None,
        };
        let index =
            CreateIndex { name, unique, if_not_exists, table, columns, include, nulls_not_distinct, filter };
        Ok(StatementKind::CreateIndex(Box::new(index)))
    }

    /// A column, a function's call or an expression in parentheses, and its order.
    fn index_column(&mut self) -> Result<IndexColumn> {
        let start = self.at;
        let (expr, range) = if self.accept_punctuation('(') {
            self.parenthesized_expr()?
        } else if self.is_call() {
            let range = self.skip_until(|_, token| token.is_punctuation(',') || token.is_punctuation(')'));
            let end = self.end_of_call(range.start);
            self.at = end;
            (convert::expr(self.source, start..end)?, start..end)
        } else {
            let name = self.ident()?;
            let position = name.position;
            (Expr { position, kind: ExprKind::Column(vec![name]) }, start..self.at)
        };
        let text = self.source.range_text(&range).to_owned();
        if self.is_word("collate") {
            return Err(self.not_supported("a collation of an index column"));
        }
        let descending = self.accept_word("desc");
        if !descending {
            self.accept_word("asc");
        }
        let nulls = if self.accept_words(&["nulls", "first"]) {
            NullsOrder::First
        } else if self.accept_words(&["nulls", "last"]) {
            NullsOrder::Last
        } else {
            NullsOrder::Default
        };
        // A word that is left is the name of an operator class, unless it is plainly wrong.
        if self.clone().ident().is_ok() {
            return Err(self.not_supported("an operator class"));
        }
        Ok(IndexColumn { item: SortItem { expr, descending, nulls }, text })
    }

    /// Is the next thing `name(` or `schema.name(`?
    fn is_call(&self) -> bool {
        let mut ahead = self.clone();
        if ahead.label().is_err() {
            return false;
        }
        while ahead.accept_punctuation('.') {
            if ahead.label().is_err() {
                return false;
            }
        }
        ahead.is_punctuation('(')
    }

    /// The token after the parenthesis that closes the first one from a token on.
    fn end_of_call(&self, start: usize) -> usize {
        let mut ahead = self.clone();
        ahead.at = start;
        while ahead.peek().is_some_and(|token| !token.is_punctuation('(')) {
            ahead.at += 1;
        }
        ahead.at += 1;
        match ahead.parenthesized() {
            Ok(_) => ahead.at,
            Err(_) => ahead.end,
        }
    }
}
