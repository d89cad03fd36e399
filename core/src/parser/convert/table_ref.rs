//! FROM: tables, subqueries, functions, joins.

use super::{Converter, expr::is_one_of, function::call};
use crate::{
    error::Result,
    parser::ast::{Alias, ExprKind, Join, JoinCondition, JoinKind, TableRef},
    parser::cursor::object_name,
};
use sqlparser::ast as sql;

impl Converter<'_> {
    /// Tables between which stand commas.
    pub(super) fn from(&mut self, tables: Vec<sql::TableWithJoins>) -> Result<Vec<TableRef>> {
        tables.into_iter().map(|table| self.table_with_joins(table, None)).collect()
    }

    /// A table and what is joined to it; in parentheses if there is something to name after them.
    fn table_with_joins(
        &mut self,
        table: sql::TableWithJoins,
        parenthesized: Option<Option<sql::TableAlias>>,
    ) -> Result<TableRef> {
        self.deeper(1, |this| {
            if parenthesized.is_some() {
                this.cursor.accept_punctuation('(');
            }
            let first = this.table_factor(table.relation)?;
            let mut joins = Vec::with_capacity(table.joins.len());
            for join in table.joins {
                joins.push(this.join(join)?);
            }
            let alias = this.alias(parenthesized.flatten())?;
            match (first, alias) {
                (first, None) if joins.is_empty() => Ok(first),
                // `((a JOIN b)) AS alias`
                (TableRef::Join { first, joins: inner, alias: None }, alias) if joins.is_empty() => {
                    Ok(TableRef::Join { first, joins: inner, alias })
                }
                (first, alias) => Ok(TableRef::Join { first: Box::new(first), joins, alias }),
            }
        })
    }

    fn join(&mut self, join: sql::Join) -> Result<Join> {
        use sql::JoinOperator as Op;
        const WORDS: &[&str] = &["cross", "full", "inner", "join", "left", "natural", "right"];
        let position = self.seek_token(|_, token| is_one_of(token, WORDS));
        self.cursor.at -= 1;
        let (kind, constraint) = match join.join_operator {
            Op::Join(constraint) | Op::Inner(constraint) => (JoinKind::Inner, constraint),
            Op::Left(constraint) | Op::LeftOuter(constraint) => (JoinKind::Left, constraint),
            Op::Right(constraint) | Op::RightOuter(constraint) => (JoinKind::Right, constraint),
            Op::FullOuter(constraint) => (JoinKind::Full, constraint),
            Op::CrossJoin(constraint) => (JoinKind::Cross, constraint),
            // Joins of other databases.
            _ => return Err(self.foreign()),
        };
        self.seek(&["join"]);
        let right = self.table_factor(join.relation)?;
        let condition = match constraint {
            sql::JoinConstraint::On(condition) => {
                self.seek(&["on"]);
                JoinCondition::On(self.expr(condition)?)
            }
            sql::JoinConstraint::Using(columns) => {
                self.seek(&["using"]);
                let columns = self.plain_columns(&columns)?;
                self.seek_punctuation(')');
                JoinCondition::Using { columns, alias: None }
            }
            sql::JoinConstraint::Natural => JoinCondition::Natural,
            sql::JoinConstraint::None if kind == JoinKind::Cross => JoinCondition::None,
            // Only CROSS JOIN stands without a condition.
            sql::JoinConstraint::None => return Err(self.foreign()),
        };
        Ok(Join { kind, condition, right, position })
    }

    fn table_factor(&mut self, table: sql::TableFactor) -> Result<TableRef> {
        use sql::TableFactor as T;
        match table {
            T::Table { name, alias, args: None, with_hints, sample, .. } => {
                let name = self.object_name(&name)?;
                let alias = self.alias(alias)?;
                if sample.is_some() {
                    return Err(self.not_supported("TABLESAMPLE"));
                }
                if !with_hints.is_empty() {
                    return Err(self.foreign());
                }
                Ok(TableRef::Table { name, alias })
            }
            T::Table { name, alias, args: Some(arguments), with_ordinality, .. } => {
                self.table_function(&name, arguments.args, with_ordinality, false, alias)
            }
            T::Function { lateral, name, args, with_ordinality, alias } => {
                self.cursor.accept_word("lateral");
                self.table_function(&name, args, with_ordinality, lateral, alias)
            }
            T::Derived { lateral, subquery, alias, sample: None } => {
                let position = self.seek_punctuation('(');
                let query = self.subquery(*subquery)?;
                let alias = self.alias(alias)?;
                Ok(TableRef::Query { query, lateral, alias, position })
            }
            T::NestedJoin { table_with_joins, alias } => {
                self.table_with_joins(*table_with_joins, Some(alias))
            }
            // Tables of other databases.
            _ => Err(self.foreign()),
        }
    }

    fn table_function(
        &mut self,
        name: &sql::ObjectName,
        args: Vec<sql::FunctionArg>,
        ordinality: bool,
        lateral: bool,
        alias: Option<sql::TableAlias>,
    ) -> Result<TableRef> {
        let name = object_name(self.name_parts(name, |category| category.is_function_name())?)?;
        let made = call("", Vec::new(), name.position());
        let ExprKind::Function(mut made) = made.kind else {
            return Err(self.foreign());
        };
        made.name = name;
        let list = sql::FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
        self.arguments(sql::FunctionArguments::List(list), &mut made)?;
        if ordinality {
            self.seek(&["ordinality"]);
        }
        let alias = self.alias(alias)?;
        Ok(TableRef::Function { call: made, ordinality, lateral, alias })
    }

    /// `[AS] name [(columns)]`
    pub(super) fn alias(&mut self, alias: Option<sql::TableAlias>) -> Result<Option<Alias>> {
        let Some(alias) = alias else {
            return Ok(None);
        };
        let name = self.column_id(&alias.name)?;
        let mut columns = Vec::with_capacity(alias.columns.len());
        for column in &alias.columns {
            columns.push(self.column_id(&column.name)?);
            if column.data_type.is_some() {
                return Err(self.not_supported("a column definition list"));
            }
        }
        if alias.at.is_some() {
            return Err(self.foreign());
        }
        if !columns.is_empty() {
            self.seek_punctuation(')');
        }
        Ok(Some(Alias { name, columns }))
    }
}
