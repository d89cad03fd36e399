//! CREATE TABLE.

use super::super::{
    ast::{
        ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CreateTable, CreateTableAs, ExprText,
        Ident, ObjectName, Position, StatementKind, TableConstraint, TableConstraintKind,
    },
    convert,
    cursor::Cursor,
    lexer::Token,
};
use crate::error::Result;

/// Words that start a constraint of a table where a column's definition could stand.
const TABLE_CONSTRAINTS: &[&str] = &["constraint", "check", "exclude", "foreign", "primary", "unique"];

impl Cursor<'_> {
    /// `CREATE TABLE ..`; the words have been taken.
    pub(super) fn create_table(&mut self) -> Result<StatementKind> {
        let if_not_exists = self.accept_words(&["if", "not", "exists"]);
        let name = self.object_name()?;
        if self.is_word("of") || self.are_words(&["partition", "of"]) {
            return Err(self.not_supported("CREATE TABLE OF"));
        }
        if self.accept_word("as") {
            return self.create_table_as(name, if_not_exists, Vec::new());
        }
        let before = self.clone();
        self.expect_punctuation('(')?;
        if self.parenthesized().is_ok() && self.is_word("as") {
            *self = before;
            let columns = self.column_list()?;
            self.expect_word("as")?;
            return self.create_table_as(name, if_not_exists, columns);
        }
        *self = before;
        self.at += 1;
        let mut table = CreateTable { name, if_not_exists, columns: Vec::new(), constraints: Vec::new() };
        if !self.accept_punctuation(')') {
            self.comma_separated(|cursor| cursor.table_element(&mut table))?;
            self.expect_punctuation(')')?;
        }
        for (word, feature) in [
            ("inherits", "INHERITS"),
            ("partition", "PARTITION BY"),
            ("using", "a table access method"),
            ("with", "a storage parameter"),
            ("without", "WITHOUT OIDS"),
            ("on", "ON COMMIT"),
            ("tablespace", "TABLESPACE"),
        ] {
            if self.is_word(word) {
                return Err(self.not_supported(feature));
            }
        }
        Ok(StatementKind::CreateTable(Box::new(table)))
    }

    fn create_table_as(
        &mut self,
        name: ObjectName,
        if_not_exists: bool,
        columns: Vec<Ident>,
    ) -> Result<StatementKind> {
        if self.is_word("execute") {
            return Err(self.not_supported("CREATE TABLE AS EXECUTE"));
        }
        let mut end = self.end;
        let mut with_data = true;
        let tail = |cursor: &Self, words: &[&str]| {
            let start = cursor.end.checked_sub(words.len())?;
            (start > cursor.at && Cursor::over(cursor.source, start..cursor.end).are_words(words))
                .then_some(start)
        };
        if let Some(start) = tail(self, &["with", "no", "data"]) {
            (end, with_data) = (start, false);
        } else if let Some(start) = tail(self, &["with", "data"]) {
            end = start;
        }
        let query = Box::new(convert::query(self.source, self.at..end)?);
        self.at = self.end;
        let table = CreateTableAs { name, if_not_exists, columns, query, with_data };
        Ok(StatementKind::CreateTableAs(Box::new(table)))
    }

    fn table_element(&mut self, table: &mut CreateTable) -> Result<()> {
        if self.is_word("like") {
            return Err(self.not_supported("LIKE in CREATE TABLE"));
        }
        if TABLE_CONSTRAINTS.iter().any(|word| self.is_word(word)) && !self.is_column_named_exclude() {
            table.constraints.push(self.table_constraint()?);
            return Ok(());
        }
        let name = self.ident()?;
        let data_type = self.type_name()?;
        let mut column = ColumnDefinition { name, data_type, collation: None, constraints: Vec::new() };
        while self.peek().is_some_and(|token| !token.is_punctuation(',') && !token.is_punctuation(')')) {
            self.column_constraint(&mut column)?;
        }
        table.columns.push(column);
        Ok(())
    }

    /// EXCLUDE is not reserved: it starts a constraint only before USING or a parenthesis.
    fn is_column_named_exclude(&self) -> bool {
        let next = self.peek_at(1);
        self.is_word("exclude") && !next.is_some_and(|t| t.is_word("using") || t.is_punctuation('('))
    }

    /// `CONSTRAINT name`
    fn constraint_name(&mut self) -> Result<Option<Ident>> {
        match self.accept_word("constraint") {
            true => self.ident().map(Some),
            false => Ok(None),
        }
    }

    fn column_constraint(&mut self, column: &mut ColumnDefinition) -> Result<()> {
        let position = self.position();
        if self.accept_word("collate") {
            column.collation = Some(self.object_name()?);
            return Ok(());
        }
        let name = self.constraint_name()?;
        let kind = if self.accept_words(&["not", "null"]) {
            ColumnConstraintKind::NotNull
        } else if self.accept_word("null") {
            ColumnConstraintKind::Null
        } else if self.accept_word("default") {
            ColumnConstraintKind::Default(self.default()?)
        } else if self.accept_words(&["primary", "key"]) {
            self.index_parameters()?;
            ColumnConstraintKind::PrimaryKey
        } else if self.accept_word("unique") {
            let nulls_not_distinct = self.nulls_not_distinct();
            self.index_parameters()?;
            ColumnConstraintKind::Unique { nulls_not_distinct }
        } else if self.accept_word("check") {
            ColumnConstraintKind::Check(self.check()?)
        } else {
            return Err(self.refused_constraint());
        };
        self.constraint_attributes()?;
        column.constraints.push(ColumnConstraint { name, kind, position });
        Ok(())
    }

    fn table_constraint(&mut self) -> Result<TableConstraint> {
        let position: Position = self.position();
        let name = self.constraint_name()?;
        let kind = if self.accept_words(&["primary", "key"]) {
            self.refuse_using_index()?;
            let columns = self.column_list()?;
            self.index_parameters()?;
            TableConstraintKind::PrimaryKey(columns)
        } else if self.accept_word("unique") {
            self.refuse_using_index()?;
            let nulls_not_distinct = self.nulls_not_distinct();
            let columns = self.column_list()?;
            self.index_parameters()?;
            TableConstraintKind::Unique { columns, nulls_not_distinct }
        } else if self.accept_word("check") {
            TableConstraintKind::Check(self.check()?)
        } else {
            return Err(self.refused_constraint());
        };
        self.constraint_attributes()?;
        Ok(TableConstraint { name, kind, position })
    }

    /// Constraints that are known but not supported, or an error.
    fn refused_constraint(&self) -> crate::Error {
        for (word, feature) in [
            ("references", "FOREIGN KEY"),
            ("foreign", "FOREIGN KEY"),
            ("generated", "GENERATED"),
            ("exclude", "EXCLUDE"),
            ("storage", "STORAGE"),
            ("compression", "COMPRESSION"),
        ] {
            if self.is_word(word) {
                return self.not_supported(feature);
            }
        }
        // `PRIMARY x`, `NOT x`: the second word is the one that does not fit.
        let mut wrong = self.clone();
        wrong.at += usize::from(self.is_word("primary") || self.is_word("not"));
        wrong.error()
    }

    fn refuse_using_index(&self) -> Result<()> {
        if self.are_words(&["using", "index"]) {
            return Err(self.not_supported("a constraint USING INDEX"));
        }
        Ok(())
    }

    /// What may follow PRIMARY KEY and UNIQUE about their index; none of it is supported.
    fn index_parameters(&self) -> Result<()> {
        for (word, feature) in [
            ("include", "INCLUDE in a constraint"),
            ("with", "a storage parameter"),
            ("using", "USING INDEX TABLESPACE"),
        ] {
            if self.is_word(word) {
                return Err(self.not_supported(feature));
            }
        }
        Ok(())
    }

    /// `DEFERRABLE` and its like: only what is the default anyway.
    fn constraint_attributes(&mut self) -> Result<()> {
        loop {
            if self.accept_words(&["not", "deferrable"]) || self.accept_words(&["initially", "immediate"]) {
                continue;
            }
            if self.is_word("deferrable") || self.are_words(&["initially", "deferred"]) {
                return Err(self.not_supported("a deferrable constraint"));
            }
            if self.are_words(&["no", "inherit"]) {
                return Err(self.not_supported("NO INHERIT"));
            }
            return Ok(());
        }
    }

    /// `NULLS [NOT] DISTINCT`
    pub(super) fn nulls_not_distinct(&mut self) -> bool {
        if self.accept_words(&["nulls", "not", "distinct"]) {
            return true;
        }
        self.accept_words(&["nulls", "distinct"]);
        false
    }

    fn check(&mut self) -> Result<ExprText> {
        self.expect_punctuation('(')?;
        let (expr, range) = self.parenthesized_expr()?;
        Ok(ExprText { expr, text: self.source.range_text(&range).to_owned() })
    }

    /// The expression after DEFAULT, which ends where the next constraint starts.
    fn default(&mut self) -> Result<ExprText> {
        let start = self.at;
        let range = self.skip_until(|cursor, token| {
            token.is_punctuation(',')
                || token.is_punctuation(')')
                || (cursor.at > start && ends_default(cursor, token))
        });
        let expr = convert::expr(self.source, range.clone())?;
        Ok(ExprText { expr, text: self.source.range_text(&range).to_owned() })
    }
}

/// Does the word start a constraint after DEFAULT's expression? In such an expression (PostgreSQL's `b_expr`)
/// neither NOT nor a test for NULL can stand outside of parentheses.
fn ends_default(cursor: &Cursor<'_>, token: &Token) -> bool {
    const WORDS: &[&str] = &[
        "check",
        "collate",
        "compression",
        "constraint",
        "generated",
        "not",
        "null",
        "primary",
        "references",
        "unique",
    ];
    let operator_before = cursor.at > 0
        && cursor
            .source
            .tokens
            .get(cursor.at - 1)
            .is_some_and(|before| matches!(before.kind, super::TokenKind::Operator));
    !operator_before && WORDS.iter().any(|word| token.is_word(word))
}
