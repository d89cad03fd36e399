//! Queries.

use super::Converter;
use crate::{
    error::Result,
    parser::{
        ast::{
            CommonTable, Distinct, Expr, ExprKind, GroupBy, Ident, Literal, LockClause, LockStrength,
            LockWait, NullsOrder, Query, QueryBody, Select, SelectItem, SetOperation, SetOperator, SortItem,
            TableRef, With,
        },
        cursor::Cursor,
    },
};
use sqlparser::ast as sql;

impl Converter<'_> {
    pub(super) fn query(&mut self, query: sql::Query) -> Result<Query> {
        self.deeper(1, |this| this.query_clauses(query))
    }

    fn query_clauses(&mut self, query: sql::Query) -> Result<Query> {
        let with = query.with.map(|with| self.with(with)).transpose()?;
        let (body, start) = self.body(*query.body)?;
        let position = with.as_ref().map_or(start, |with| with.position);
        let foreign = query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if foreign {
            return Err(self.foreign());
        }
        let order_by = match query.order_by {
            Some(order_by) => {
                self.seek(&["order"]);
                self.seek(&["by"]);
                self.order_by(order_by)?
            }
            None => Vec::new(),
        };
        // LIMIT, OFFSET, FETCH and FOR may come in any order.
        let after = self.cursor.at;
        let mut made = Query {
            with,
            body,
            order_by,
            limit: None,
            with_ties: false,
            offset: None,
            locks: Vec::new(),
            position,
        };
        let mut end = self.limit(query.limit_clause, &mut made)?;
        if let Some(fetch) = query.fetch {
            self.cursor.at = after;
            end = end.max(self.fetch(fetch, &mut made)?);
        }
        self.cursor.at = after;
        for _ in query.locks {
            made.locks.push(self.lock()?);
        }
        self.cursor.at = end.max(self.cursor.at);
        Ok(made)
    }

    pub(super) fn with(&mut self, with: sql::With) -> Result<With> {
        let position = self.token(with.with_token.0.span)?.position;
        let mut tables = Vec::with_capacity(with.cte_tables.len());
        for table in with.cte_tables {
            let alias = self.alias(Some(table.alias))?;
            let Some(alias) = alias else {
                return Err(self.foreign());
            };
            self.seek(&["as"]);
            let materialized = table.materialized.map(|m| m == sql::CteAsMaterialized::Materialized);
            self.seek_punctuation('(');
            let query = self.query(*table.query)?;
            self.seek_punctuation(')');
            tables.push(CommonTable { name: alias.name, columns: alias.columns, materialized, query });
        }
        Ok(With { recursive: with.recursive, tables, position })
    }

    /// A body and where it starts. Chains of set operations lean to the left, as expressions do.
    fn body(&mut self, body: sql::SetExpr) -> Result<(QueryBody, u32)> {
        let mut steps = Vec::new();
        let mut rest = body;
        while let sql::SetExpr::SetOperation { left, op, set_quantifier, right } = rest {
            steps.push((op, set_quantifier, right));
            rest = *left;
        }
        let (first, position) = self.simple_body(rest)?;
        if steps.is_empty() {
            return Ok((first, position));
        }
        let mut operations = Vec::with_capacity(steps.len());
        for (op, quantifier, right) in steps.into_iter().rev() {
            let operator = match op {
                sql::SetOperator::Union => SetOperator::Union,
                sql::SetOperator::Intersect => SetOperator::Intersect,
                sql::SetOperator::Except => SetOperator::Except,
                sql::SetOperator::Minus => return Err(self.foreign()),
            };
            let position = self.seek(&["union", "intersect", "except"]);
            let all = match quantifier {
                sql::SetQuantifier::All => true,
                sql::SetQuantifier::Distinct | sql::SetQuantifier::None => false,
                sql::SetQuantifier::ByName
                | sql::SetQuantifier::AllByName
                | sql::SetQuantifier::DistinctByName => return Err(self.not_supported("BY NAME")),
            };
            let right = self.deeper(1, |this| this.body(*right))?.0;
            operations.push(SetOperation { operator, all, right, position });
        }
        Ok((QueryBody::SetOperations { first: Box::new(first), rest: operations }, position))
    }

    fn simple_body(&mut self, body: sql::SetExpr) -> Result<(QueryBody, u32)> {
        match body {
            sql::SetExpr::Select(select) => {
                let select = self.select(*select)?;
                let position = select.position;
                Ok((QueryBody::Select(Box::new(select)), position))
            }
            sql::SetExpr::Query(query) => {
                let position = self.seek_punctuation('(');
                let query = self.subquery(*query)?;
                self.seek_punctuation(')');
                Ok((QueryBody::Nested(query), position))
            }
            sql::SetExpr::Values(values) => {
                let position = self.seek(&["table", "values"]);
                if self.cursor.source.tokens.get(self.cursor.at - 1).is_some_and(|t| t.is_word("table")) {
                    return self.table_command(position);
                }
                if values.explicit_row || values.value_keyword {
                    return Err(self.foreign());
                }
                let mut rows = Vec::with_capacity(values.rows.len());
                for row in values.rows {
                    self.seek_punctuation('(');
                    if row.content.is_empty() {
                        return Err(self.foreign());
                    }
                    rows.push(self.exprs(row.content)?);
                    self.seek_punctuation(')');
                }
                Ok((QueryBody::Values(rows), position))
            }
            sql::SetExpr::Table(_) => Err(self.foreign()),
            operations @ sql::SetExpr::SetOperation { .. } => self.body(operations),
            sql::SetExpr::Insert(_)
            | sql::SetExpr::Update(_)
            | sql::SetExpr::Delete(_)
            | sql::SetExpr::Merge(_) => Err(self.not_supported("a data-modifying statement in WITH")),
        }
    }

    /// `TABLE t`, which is `SELECT * FROM t`; the word has been taken.
    fn table_command(&mut self, position: u32) -> Result<(QueryBody, u32)> {
        let name = self.cursor.object_name()?;
        let star = SelectItem::Wildcard { qualifier: Vec::new(), exclude: Vec::new(), position };
        let select = Select {
            distinct: Distinct::All,
            items: vec![star],
            from: vec![TableRef::Table { name, alias: None }],
            filter: None,
            group_by: GroupBy::None,
            having: None,
            windows: Vec::new(),
            position,
        };
        Ok((QueryBody::Select(Box::new(select)), position))
    }

    fn select(&mut self, select: sql::Select) -> Result<Select> {
        let foreign = select.top.is_some()
            || select.exclude.is_some()
            || select.prewhere.is_some()
            || select.qualify.is_some()
            || select.value_table_mode.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
            || !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty();
        let position = self.token(select.select_token.0.span)?.position;
        if foreign {
            return Err(self.foreign());
        }
        let mut from = Vec::new();
        let mut items = Vec::new();
        let mut distinct = Distinct::All;
        match select.flavor {
            sql::SelectFlavor::Standard => {
                distinct = self.distinct(select.distinct)?;
                items = self.select_items(select.projection)?;
                if select.into.is_some() {
                    return Err(self.not_supported("SELECT INTO"));
                }
                if !select.from.is_empty() {
                    self.seek(&["from"]);
                    from = self.from(select.from)?;
                }
            }
            // The library puts the token SELECT first here too; FROM stands before it.
            sql::SelectFlavor::FromFirst => {
                self.cursor.at = self.leading_from(self.cursor.at);
                from = self.from(select.from)?;
                self.seek(&["select"]);
                distinct = self.distinct(select.distinct)?;
                items = self.select_items(select.projection)?;
            }
            sql::SelectFlavor::FromFirstNoSelect => {
                from = self.from(select.from)?;
                items.push(SelectItem::Wildcard { qualifier: Vec::new(), exclude: Vec::new(), position });
            }
        }
        let filter = match select.selection {
            Some(filter) => {
                self.seek(&["where"]);
                Some(self.expr(filter)?)
            }
            None => None,
        };
        let group_by = self.group_by(select.group_by)?;
        let having = match select.having {
            Some(having) => {
                self.seek(&["having"]);
                Some(self.expr(having)?)
            }
            None => None,
        };
        let windows = self.named_windows(select.named_window)?;
        Ok(Select { distinct, items, from, filter, group_by, having, windows, position })
    }

    /// The token after the FROM that belongs to a SELECT that follows it.
    fn leading_from(&self, select: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = select.saturating_sub(1);
        while at > 0 {
            at -= 1;
            let Some(token) = self.cursor.source.tokens.get(at) else {
                break;
            };
            if token.is_punctuation(')') {
                depth += 1;
            } else if token.is_punctuation('(') {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && token.is_word("from") {
                return at + 1;
            }
        }
        at
    }

    fn distinct(&mut self, distinct: Option<sql::Distinct>) -> Result<Distinct> {
        match distinct {
            None => Ok(Distinct::All),
            Some(sql::Distinct::All) => {
                self.cursor.accept_word("all");
                Ok(Distinct::All)
            }
            Some(sql::Distinct::Distinct) => {
                self.cursor.accept_word("distinct");
                Ok(Distinct::Rows)
            }
            Some(sql::Distinct::On(keys)) => {
                self.cursor.accept_words(&["distinct", "on"]);
                if keys.is_empty() {
                    return Err(self.foreign());
                }
                let keys = self.exprs(keys)?;
                self.seek_punctuation(')');
                Ok(Distinct::On(keys))
            }
        }
    }

    pub(super) fn select_items(&mut self, items: Vec<sql::SelectItem>) -> Result<Vec<SelectItem>> {
        match items.as_slice() {
            // The item that stands for none, see `library/tokens.rs`.
            [sql::SelectItem::UnnamedExpr(sql::Expr::Identifier(only))]
                if self.token(only.span)?.is_word("select") =>
            {
                Ok(Vec::new())
            }
            _ => items.into_iter().map(|item| self.select_item(item)).collect(),
        }
    }

    fn select_item(&mut self, item: sql::SelectItem) -> Result<SelectItem> {
        match item {
            sql::SelectItem::UnnamedExpr(expr) => {
                Ok(SelectItem::Expr { expr: self.expr(expr)?, alias: None })
            }
            sql::SelectItem::ExprWithAlias { expr, alias } => {
                let expr = self.expr(expr)?;
                let alias = self.ident(&alias, |_| true)?;
                Ok(SelectItem::Expr { expr, alias: Some(alias) })
            }
            sql::SelectItem::Wildcard(options) => {
                let position = self.token(options.wildcard_token.0.span)?.position;
                let exclude = self.exclude(options)?;
                Ok(SelectItem::Wildcard { qualifier: Vec::new(), exclude, position })
            }
            sql::SelectItem::QualifiedWildcard(
                sql::SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) => {
                let qualifier = self.name_parts(&name, |category| category.is_column_id())?;
                let position = qualifier.first().map_or(1, |part| part.position);
                self.token(options.wildcard_token.0.span)?;
                let exclude = self.exclude(options)?;
                Ok(SelectItem::Wildcard { qualifier, exclude, position })
            }
            sql::SelectItem::QualifiedWildcard(sql::SelectItemQualifiedWildcardKind::Expr(_), _) => {
                Err(self.not_supported("row expansion"))
            }
            sql::SelectItem::ExprWithAliases { .. } => Err(self.foreign()),
        }
    }

    /// What is taken out of a star.
    fn exclude(&mut self, options: sql::WildcardAdditionalOptions) -> Result<Vec<Ident>> {
        let foreign = options.opt_ilike.is_some()
            || options.opt_except.is_some()
            || options.opt_replace.is_some()
            || options.opt_rename.is_some()
            || options.opt_alias.is_some();
        if foreign {
            return Err(self.foreign());
        }
        match options.opt_exclude {
            None => Ok(Vec::new()),
            Some(sql::ExcludeSelectItem::Single(column)) => Ok(vec![self.plain_column(&column)?]),
            Some(sql::ExcludeSelectItem::Multiple(columns)) => {
                let columns = self.plain_columns(&columns)?;
                self.seek_punctuation(')');
                Ok(columns)
            }
        }
    }

    fn group_by(&mut self, group_by: sql::GroupByExpr) -> Result<GroupBy> {
        let (keys, modifiers) = match group_by {
            sql::GroupByExpr::All(modifiers) => (None, modifiers),
            sql::GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty() => {
                return Ok(GroupBy::None);
            }
            sql::GroupByExpr::Expressions(keys, modifiers) => (Some(keys), modifiers),
        };
        let position = self.seek(&["group"]);
        self.seek(&["by"]);
        if !modifiers.is_empty() {
            return Err(self.not_supported("GROUPING SETS"));
        }
        let Some(keys) = keys else {
            self.seek(&["all"]);
            return Ok(GroupBy::All(position));
        };
        let mut made = Vec::with_capacity(keys.len());
        for key in keys {
            match key {
                // `()` adds nothing to the other keys.
                sql::Expr::Tuple(fields) if fields.is_empty() => {
                    self.seek_punctuation(')');
                }
                key => made.push(self.expr(key)?),
            }
        }
        Ok(GroupBy::Keys(made))
    }

    fn order_by(&mut self, order_by: sql::OrderBy) -> Result<Vec<SortItem>> {
        match order_by.kind {
            sql::OrderByKind::Expressions(items) if order_by.interpolate.is_none() => self.sort_items(items),
            sql::OrderByKind::Expressions(_) | sql::OrderByKind::All(_) => Err(self.foreign()),
        }
    }

    pub(super) fn sort_items(&mut self, items: Vec<sql::OrderByExpr>) -> Result<Vec<SortItem>> {
        items.into_iter().map(|item| self.sort_item(item)).collect()
    }

    fn sort_item(&mut self, item: sql::OrderByExpr) -> Result<SortItem> {
        let expr = self.expr(item.expr)?;
        let descending = match item.options.sort {
            None | Some(sql::OrderBySort::Asc) => false,
            Some(sql::OrderBySort::Desc) => true,
            Some(sql::OrderBySort::Using(_)) => return Err(self.not_supported("ORDER BY USING")),
        };
        if item.with_fill.is_some() {
            return Err(self.foreign());
        }
        if item.options.sort.is_some() {
            self.seek(&["asc", "desc"]);
        }
        let nulls = match item.options.nulls_first {
            None => NullsOrder::Default,
            Some(true) => NullsOrder::First,
            Some(false) => NullsOrder::Last,
        };
        Ok(SortItem { expr, descending, nulls })
    }

    /// LIMIT and OFFSET; where they end.
    fn limit(&mut self, clause: Option<sql::LimitClause>, made: &mut Query) -> Result<usize> {
        let after = self.cursor.at;
        let (limit, offset) = match clause {
            None => return Ok(after),
            Some(sql::LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (limit, offset)
            }
            Some(sql::LimitClause::LimitOffset { .. } | sql::LimitClause::OffsetCommaLimit { .. }) => {
                return Err(self.foreign());
            }
        };
        if let Some(limit) = limit {
            self.seek(&["limit"]);
            made.limit = Some(self.expr(limit)?).filter(|e| e.kind != ExprKind::Literal(Literal::Null));
        }
        let end = self.cursor.at;
        if let Some(offset) = offset {
            self.cursor.at = after;
            self.seek(&["offset"]);
            made.offset = Some(self.expr(offset.value)?);
        }
        Ok(end.max(self.cursor.at))
    }

    /// `FETCH FIRST n ROWS ONLY`; where it ends.
    fn fetch(&mut self, fetch: sql::Fetch, made: &mut Query) -> Result<usize> {
        let position = self.seek(&["fetch"]);
        if !(self.cursor.accept_word("first") || self.cursor.accept_word("next")) {
            return Err(self.foreign());
        }
        if fetch.percent || made.limit.is_some() {
            self.cursor.at -= 1;
            return Err(self.foreign());
        }
        made.with_ties = fetch.with_ties;
        made.limit = Some(match fetch.quantity {
            Some(quantity) => self.expr(quantity)?,
            None => Expr { position, kind: ExprKind::Literal(Literal::Integer(1)) },
        });
        while self.cursor.accept_punctuation(')') {}
        if !(self.cursor.accept_word("row") || self.cursor.accept_word("rows")) {
            return Err(self.foreign());
        }
        if !(self.cursor.accept_word("only") || self.cursor.accept_words(&["with", "ties"])) {
            return Err(self.foreign());
        }
        Ok(self.cursor.at)
    }

    /// A locking clause, which the library knows only a part of.
    fn lock(&mut self) -> Result<LockClause> {
        const STRENGTHS: &[(&[&str], LockStrength)] = &[
            (&["update"], LockStrength::Update),
            (&["no", "key", "update"], LockStrength::NoKeyUpdate),
            (&["share"], LockStrength::Share),
            (&["key", "share"], LockStrength::KeyShare),
        ];
        loop {
            let before = self.cursor.at;
            let position = self.seek(&["for"]);
            if self.cursor.at == before {
                return Err(self.foreign());
            }
            let Some((_, strength)) = STRENGTHS.iter().find(|(words, _)| self.cursor.accept_words(words))
            else {
                continue;
            };
            let of = match self.cursor.accept_word("of") {
                true => self.cursor.comma_separated(Cursor::object_name)?,
                false => Vec::new(),
            };
            let wait = if self.cursor.accept_word("nowait") {
                LockWait::NoWait
            } else if self.cursor.accept_words(&["skip", "locked"]) {
                LockWait::SkipLocked
            } else {
                LockWait::Block
            };
            return Ok(LockClause { strength: *strength, of, wait, position });
        }
    }
}
