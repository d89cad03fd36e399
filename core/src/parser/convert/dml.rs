//! INSERT, UPDATE, DELETE.

use super::Converter;
use crate::{
    error::Result,
    parser::ast::{
        Assignment, Delete, ExprKind, Ident, Insert, InsertSource, ObjectName, OnConflict, SelectItem,
        StatementKind, Update, With,
    },
};
use sqlparser::ast as sql;

impl Converter<'_> {
    /// A statement, with the WITH that stood before it.
    pub(super) fn statement(
        &mut self,
        statement: sql::Statement,
        with: Option<With>,
    ) -> Result<StatementKind> {
        match statement {
            sql::Statement::Query(query) => self.query_or_dml(*query),
            sql::Statement::Insert(insert) => {
                self.insert(insert, with).map(|insert| StatementKind::Insert(Box::new(insert)))
            }
            sql::Statement::Update(update) => {
                self.update(update, with).map(|update| StatementKind::Update(Box::new(update)))
            }
            sql::Statement::Delete(delete) => {
                self.delete(delete, with).map(|delete| StatementKind::Delete(Box::new(delete)))
            }
            // The caller lets nothing else come here.
            _ => Err(self.foreign()),
        }
    }

    /// `WITH .. INSERT` is a query to the library.
    fn query_or_dml(&mut self, mut query: sql::Query) -> Result<StatementKind> {
        let modifies = matches!(
            *query.body,
            sql::SetExpr::Insert(_) | sql::SetExpr::Update(_) | sql::SetExpr::Delete(_)
        );
        if !modifies {
            return self.query(query).map(|query| StatementKind::Query(Box::new(query)));
        }
        let with = query.with.take().map(|with| self.with(with)).transpose()?;
        match *query.body {
            sql::SetExpr::Insert(statement)
            | sql::SetExpr::Update(statement)
            | sql::SetExpr::Delete(statement) => self.statement(statement, with),
            sql::SetExpr::Select(_)
            | sql::SetExpr::Query(_)
            | sql::SetExpr::SetOperation { .. }
            | sql::SetExpr::Values(_)
            | sql::SetExpr::Merge(_)
            | sql::SetExpr::Table(_) => Err(self.foreign()),
        }
    }

    fn insert(&mut self, insert: sql::Insert, with: Option<With>) -> Result<Insert> {
        let position = self.token(insert.insert_token.0.span)?.position;
        let foreign = !insert.into
            || insert.or.is_some()
            || insert.overwrite
            || insert.has_table_keyword
            || insert.partitioned.is_some()
            || insert.output.is_some()
            || !insert.assignments.is_empty();
        let sql::TableObject::TableName(table) = insert.table else {
            return Err(self.foreign());
        };
        if foreign {
            return Err(self.foreign());
        }
        let table = self.object_name(&table)?;
        let alias = match insert.table_alias {
            Some(alias) if alias.explicit => {
                self.cursor.accept_word("as");
                Some(self.column_id(&alias.alias)?)
            }
            // PostgreSQL wants AS here.
            Some(_) => return Err(self.foreign()),
            None => None,
        };
        let columns = self.plain_columns(&insert.columns)?;
        if !columns.is_empty() {
            self.seek_punctuation(')');
        }
        let source = match insert.source {
            Some(query) => InsertSource::Query(self.subquery(*query)?),
            None => {
                self.seek(&["values"]);
                InsertSource::Defaults
            }
        };
        let on_conflict = insert.on.map(|on| self.on_conflict(on)).transpose()?;
        let returning = self.returning(insert.returning)?;
        Ok(Insert { with, table, alias, columns, source, on_conflict, returning, position })
    }

    fn on_conflict(&mut self, on: sql::OnInsert) -> Result<OnConflict> {
        let position = self.seek(&["on"]);
        let sql::OnInsert::OnConflict(on) = on else {
            return Err(self.foreign());
        };
        let (columns, constraint) = match on.conflict_target {
            None => (Vec::new(), None),
            Some(sql::ConflictTarget::Columns(columns)) => (self.column_ids(&columns)?, None),
            Some(sql::ConflictTarget::OnConstraint(name)) => (Vec::new(), Some(self.plain_column(&name)?)),
        };
        self.seek(&["do"]);
        let (assignments, filter) = match on.action {
            sql::OnConflictAction::DoNothing => (Vec::new(), None),
            sql::OnConflictAction::DoUpdate(update) => {
                self.seek(&["set"]);
                let assignments = self.assignments(update.assignments)?;
                (assignments, self.filter(update.selection)?)
            }
        };
        Ok(OnConflict { columns, constraint, assignments, filter, position })
    }

    fn update(&mut self, update: sql::Update, with: Option<With>) -> Result<Update> {
        let position = self.token(update.update_token.0.span)?.position;
        let foreign = update.or.is_some()
            || update.output.is_some()
            || !update.order_by.is_empty()
            || update.limit.is_some()
            || matches!(update.from, Some(sql::UpdateTableFromKind::BeforeSet(_)));
        if foreign {
            return Err(self.foreign());
        }
        let (table, alias) = self.target(update.table)?;
        self.seek(&["set"]);
        let assignments = self.assignments(update.assignments)?;
        let from = match update.from {
            Some(sql::UpdateTableFromKind::BeforeSet(from) | sql::UpdateTableFromKind::AfterSet(from)) => {
                self.seek(&["from"]);
                self.from(from)?
            }
            None => Vec::new(),
        };
        let filter = self.filter(update.selection)?;
        let returning = self.returning(update.returning)?;
        Ok(Update { with, table, alias, assignments, from, filter, returning, position })
    }

    fn delete(&mut self, delete: sql::Delete, with: Option<With>) -> Result<Delete> {
        let position = self.token(delete.delete_token.0.span)?.position;
        let foreign = !delete.tables.is_empty()
            || delete.output.is_some()
            || !delete.order_by.is_empty()
            || delete.limit.is_some();
        let sql::FromTable::WithFromKeyword(mut from) = delete.from else {
            return Err(self.foreign());
        };
        let target = from.pop();
        let (Some(target), true, false) = (target, from.is_empty(), foreign) else {
            return Err(self.foreign());
        };
        let (table, alias) = self.target(target)?;
        let using = match delete.using {
            Some(using) => {
                self.seek(&["using"]);
                self.from(using)?
            }
            None => Vec::new(),
        };
        let filter = self.filter(delete.selection)?;
        let returning = self.returning(delete.returning)?;
        Ok(Delete { with, table, alias, using, filter, returning, position })
    }

    /// The table that is changed.
    fn target(&mut self, table: sql::TableWithJoins) -> Result<(ObjectName, Option<Ident>)> {
        let sql::TableFactor::Table { name, alias, args: None, .. } = table.relation else {
            return Err(self.foreign());
        };
        let name = self.object_name(&name)?;
        let alias = self.alias(alias)?;
        if !table.joins.is_empty() {
            return Err(self.foreign());
        }
        match alias {
            Some(alias) if !alias.columns.is_empty() => Err(self.foreign()),
            alias => Ok((name, alias.map(|alias| alias.name))),
        }
    }

    fn assignments(&mut self, assignments: Vec<sql::Assignment>) -> Result<Vec<Assignment>> {
        let mut made = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            made.push(match assignment.target {
                sql::AssignmentTarget::ColumnName(column) => {
                    let column = self.plain_column(&column)?;
                    self.cursor.accept_operator("=");
                    Assignment::Column { column, value: self.expr(assignment.value)? }
                }
                sql::AssignmentTarget::Tuple(columns) => {
                    let columns = self.plain_columns(&columns)?;
                    self.seek_token(|text, _| text == "=");
                    let value_at = self.cursor.at;
                    let value = self.expr(assignment.value)?;
                    if !matches!(value.kind, ExprKind::Row { .. } | ExprKind::Subquery(_)) {
                        let feature = "a multiple-column UPDATE item from anything but a sub-SELECT or ROW() expression";
                        return Err(self.cursor.source.not_supported(feature, value_at));
                    }
                    Assignment::Columns { columns, value }
                }
            });
            self.cursor.accept_punctuation(',');
        }
        Ok(made)
    }

    fn filter(&mut self, filter: Option<sql::Expr>) -> Result<Option<crate::parser::ast::Expr>> {
        if filter.is_some() {
            self.seek(&["where"]);
        }
        self.optional(filter)
    }

    fn returning(&mut self, items: Option<Vec<sql::SelectItem>>) -> Result<Vec<SelectItem>> {
        match items {
            Some(items) => {
                self.seek(&["returning"]);
                self.select_items(items)
            }
            None => Ok(Vec::new()),
        }
    }
}
