//! FROM: tables, subqueries, functions, and the joins between them.

use super::coerce::convert_exactly;
use super::function::{ambiguous_function, undefined_function};
use super::join::join;
use super::query::Output;
use super::scope::{Entry, ScopeColumn};
use super::{At as _, Binder, not_supported};
use crate::catalog::{MAX_COLUMNS, Relation, TableEntry};
use crate::error::{BindingError, Error, Result, StatementError};
use crate::expr::Expr;
use crate::parser::ast::{Alias, FunctionCall, ObjectName, Query, QueryBody, TableRef};
use crate::plan::logical::{Column, ColumnId, Computed, JoinKind, LogicalPlan, Project, Scan, Series};
use crate::types::{CastContext, DataType};
use std::sync::Arc;

impl Binder<'_> {
    /// The rows of FROM; one row without columns if it is empty.
    pub(super) fn bind_from(&mut self, from: &[TableRef]) -> Result<LogicalPlan> {
        let mut tables = from.iter();
        let Some(first) = tables.next() else { return Ok(LogicalPlan::one_row()) };
        let mut plan = self.bind_table_ref(first)?;
        for table in tables {
            plan = self.bind_next(plan, table)?;
        }
        Ok(plan)
    }

    /// Another table after a comma.
    pub(super) fn bind_next(&mut self, plan: LogicalPlan, table: &TableRef) -> Result<LogicalPlan> {
        self.count_node()?;
        let middle = self.level().entries.len();
        let right = self.bind_table_ref(table)?;
        let end = self.level().entries.len();
        self.check_aliases(0..middle, middle..end)?;
        Ok(join(JoinKind::Inner, plan, right, Vec::new()))
    }

    /// One item of FROM; it becomes an entry of the innermost level.
    pub(super) fn bind_table_ref(&mut self, table: &TableRef) -> Result<LogicalPlan> {
        match table {
            TableRef::Table { name, alias } => self.bind_table(name, alias.as_ref()),
            TableRef::Query { query, lateral, alias, position } => {
                let Some(alias) = alias else { return Err(missing_alias(query).at(*position)) };
                self.bind_derived_table(query, *lateral, alias)
            }
            TableRef::Function { call, ordinality, alias, .. } => {
                self.bind_table_function(call, *ordinality, alias.as_ref())
            }
            TableRef::Join { first, joins, alias } => self.bind_joins(first, joins, alias.as_ref()),
        }
    }

    fn bind_table(&mut self, name: &ObjectName, alias: Option<&Alias>) -> Result<LogicalPlan> {
        if name.schema.is_none()
            && let Some(index) = self.find_cte(&name.name.name)
        {
            return self.bind_cte_scan(index, alias, name.position());
        }
        let table = Arc::clone(self.find_table(name)?);
        let shown: Arc<str> = alias.map_or(name.name.name.as_str(), |alias| &alias.name.name).into();
        let (plan, mut entry) = self.scan(&table, shown);
        entry.renamed = alias.is_some();
        if let Some(alias) = alias {
            rename_columns(&mut entry, alias)?;
        }
        self.level().entries.push(entry);
        Ok(plan)
    }

    /// The table that a name means.
    pub(super) fn find_table(&self, name: &ObjectName) -> Result<&Arc<TableEntry>> {
        self.check_database(name)?;
        let schema = name.schema.as_ref().map(|schema| schema.name.as_str());
        match self.catalog.get(schema, &name.name.name) {
            Some(Relation::Table(table)) => Ok(table),
            Some(Relation::Index(..)) => {
                Err(Error::from(BindingError::IsIndex { name: name.name.name.clone() }).at(name.position()))
            }
            None => Err(self.undefined_table(name).at(name.position())),
        }
    }

    /// No table has the name; perhaps a later table of WITH does.
    fn undefined_table(&self, name: &ObjectName) -> Error {
        let error = Error::from(StatementError::UndefinedTable { name: name.to_string() });
        let wanted = &name.name.name;
        if name.schema.is_some() || !self.later_tables.contains(wanted) {
            return error;
        }
        error
            .with_detail(format!(
                "There is a WITH item named \"{wanted}\", but it cannot be referenced from this part of the query."
            ))
            .with_hint("Use WITH RECURSIVE, or re-order the WITH items to remove forward references.")
    }

    /// A database in a name must be this one.
    pub(super) fn check_database(&self, name: &ObjectName) -> Result<()> {
        match &name.database {
            Some(database) if database.name != self.catalog.database() => {
                let name = name.to_string();
                Err(BindingError::CrossDatabaseReference { name }.into()).at(database.position)
            }
            _ => Ok(()),
        }
    }

    /// A scan of all columns of a table, and the entry for it.
    pub(super) fn scan(&mut self, table: &Arc<TableEntry>, alias: Arc<str>) -> (LogicalPlan, Entry) {
        let mut columns = Vec::with_capacity(table.columns.len());
        let mut scanned = Vec::with_capacity(table.columns.len());
        for (number, column) in (0_u16..).zip(&table.columns) {
            let name: Arc<str> = column.name.as_str().into();
            let id = self.columns.add(Column {
                name: Arc::clone(&name),
                relation: Some(Arc::clone(&alias)),
                ty: column.ty,
                declared: column.ty,
                origin: Some((table.oid, number)),
            });
            scanned.push((number, id));
            let expr = self.columns.read_as(id, !column.not_null);
            columns.push(ScopeColumn { name, expr, declared: column.ty });
        }
        let row_id = self.level().row_ids.then(|| {
            let ty = DataType::BigInt;
            let relation = Some(Arc::clone(&alias));
            self.columns.add(Column { name: "row_id".into(), relation, ty, declared: ty, origin: None })
        });
        let entry = Entry {
            alias: Some(Arc::clone(&alias)),
            renamed: false,
            table: Some(Arc::clone(table)),
            is_join: false,
            columns,
            row_id,
            qualified: true,
            plain: true,
            forbidden: false,
        };
        let table = Arc::clone(table);
        (LogicalPlan::Scan(Scan { table, alias, columns: scanned, row_id }), entry)
    }

    /// `(query) AS alias`
    fn bind_derived_table(&mut self, query: &Query, lateral: bool, alias: &Alias) -> Result<LogicalPlan> {
        let hidden = std::mem::replace(&mut self.level().hidden, !lateral);
        let rows = self.bind_query(query);
        self.level().hidden = hidden;
        let rows = rows?;
        let columns = self.columns_of(&rows.output);
        self.add_entry(alias, columns)?;
        Ok(rows.plan)
    }

    /// The names that the columns of a query make.
    pub(super) fn columns_of(&self, output: &[Output]) -> Vec<ScopeColumn> {
        let column = |output: &Output| ScopeColumn {
            name: Arc::clone(&output.name),
            expr: self.columns.read_as(output.id, output.nullable),
            declared: self.columns.get(output.id).declared,
        };
        output.iter().map(column).collect()
    }

    /// An entry that is no table.
    pub(super) fn add_entry(&mut self, alias: &Alias, columns: Vec<ScopeColumn>) -> Result<()> {
        let mut entry = Entry {
            alias: Some(alias.name.name.as_str().into()),
            renamed: true,
            table: None,
            is_join: false,
            columns,
            row_id: None,
            qualified: true,
            plain: true,
            forbidden: false,
        };
        rename_columns(&mut entry, alias)?;
        self.level().entries.push(entry);
        Ok(())
    }

    /// `f(..) AS alias`: `generate_series`, or the one row of a function with one result.
    fn bind_table_function(
        &mut self,
        call: &FunctionCall,
        ordinality: bool,
        alias: Option<&Alias>,
    ) -> Result<LogicalPlan> {
        let name = call.name.name.name.as_str();
        let position = call.name.position();
        let alias =
            alias.cloned().unwrap_or_else(|| Alias { name: call.name.name.clone(), columns: Vec::new() });
        let (plan, column, ordinal) = if name == "generate_series" {
            self.bind_series(call, ordinality, &alias)?
        } else if ordinality {
            return Err(not_supported("WITH ORDINALITY for this function").at(position));
        } else {
            let value = self.bind_function(call, position)?.resolve_unknown()?;
            self.refuse_attachments("functions in FROM")?;
            let id = self.columns.add_computed(&alias.name.name, &value);
            let columns = vec![Computed { id, expr: value }];
            let input = Box::new(LogicalPlan::one_row());
            (LogicalPlan::Project(Project { input, columns }), id, None)
        };
        let mut columns = vec![(Arc::from(alias.name.name.as_str()), column)];
        columns.extend(ordinal.map(|id| (Arc::from("ordinality"), id)));
        let scope = columns.into_iter().map(|(name, id)| ScopeColumn {
            name,
            expr: self.columns.read(id),
            declared: self.columns.get(id).declared,
        });
        let scope = scope.collect();
        self.add_entry(&alias, scope)?;
        Ok(plan)
    }

    /// `generate_series(start, stop [, step])` over integers, decimals or times.
    fn bind_series(
        &mut self,
        call: &FunctionCall,
        ordinality: bool,
        alias: &Alias,
    ) -> Result<(LogicalPlan, ColumnId, Option<ColumnId>)> {
        let position = call.name.position();
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.bind_expr(&argument.value)?);
        }
        self.refuse_attachments("functions in FROM")?;
        let types: Vec<DataType> = arguments.iter().map(Expr::data_type).collect();
        let undefined = || Err(undefined_function("generate_series", &types).at(position));
        if (2..=3).contains(&types.len()) && types.iter().all(|ty| *ty == DataType::Unknown) {
            return Err(ambiguous_function("generate_series", &types).at(position));
        }
        let Some((ty, step_ty)) = series_types(&types) else { return undefined() };
        let mut arguments = arguments.into_iter();
        let (Some(start), Some(stop)) = (arguments.next(), arguments.next()) else { return undefined() };
        let step = match arguments.next() {
            Some(step) => step,
            None => Expr::literal(crate::types::Value::Integer(1)),
        };
        let bounds = [(start, ty), (stop, ty), (step, step_ty)];
        let mut cast = Vec::with_capacity(3);
        for (value, ty) in bounds {
            let value = convert_exactly(value, ty, CastContext::Implicit).at(position)?;
            self.settle(&value, position)?;
            cast.push(value);
        }
        let alias: Arc<str> = alias.name.name.as_str().into();
        let mut add = |name: &str, ty: DataType| {
            let relation = Some(Arc::clone(&alias));
            self.columns.add(Column { name: name.into(), relation, ty, declared: ty, origin: None })
        };
        let column = add(&alias, ty);
        let ordinal = ordinality.then(|| add("ordinality", DataType::BigInt));
        let input = Box::new(LogicalPlan::one_row());
        let [start, stop, step] = <[Expr; 3]>::try_from(cast).expect("three values were cast");
        Ok((
            LogicalPlan::Series(Series { input, column, ordinality: ordinal, start, stop, step }),
            column,
            ordinal,
        ))
    }
}

/// The types of a series' values and of its step, for arguments of these types.
fn series_types(types: &[DataType]) -> Option<(DataType, DataType)> {
    if !(2..=3).contains(&types.len()) {
        return None;
    }
    let rank = |ty: &DataType| match ty {
        DataType::Unknown => Some(0),
        DataType::SmallInt | DataType::Integer => Some(1),
        DataType::BigInt => Some(2),
        DataType::Numeric { .. } | DataType::AnyNumeric => Some(3),
        DataType::Date | DataType::Timestamp => Some(4),
        DataType::TimestampTz => Some(5),
        _ => None,
    };
    let bounds = types[..2].iter().map(rank).try_fold(0, |most, rank| Some(rank?.max(most)))?;
    let step = types.get(2);
    match (bounds, step) {
        (4 | 5, Some(DataType::Interval | DataType::Unknown)) => {
            // A date alone becomes a timestamp with time zone, which its category prefers.
            let plain = types[..2].contains(&DataType::Timestamp);
            let ty = if bounds == 4 && plain { DataType::Timestamp } else { DataType::TimestampTz };
            Some((ty, DataType::Interval))
        }
        (0..=3, _) => {
            let most = bounds.max(step.map_or(Some(0), rank).filter(|rank| *rank <= 3)?);
            let ty = match most {
                0 | 1 => DataType::Integer,
                2 => DataType::BigInt,
                _ => DataType::AnyNumeric,
            };
            Some((ty, ty))
        }
        _ => None,
    }
}

/// Gives an entry the column names of its alias.
pub(super) fn rename_columns(entry: &mut Entry, alias: &Alias) -> Result<()> {
    let (available, given) = (entry.columns.len(), alias.columns.len());
    if given > available {
        let table = alias.name.name.clone();
        let error = if entry.is_join {
            BindingError::TooManyJoinAliases { join: table, available, given }
        } else {
            BindingError::TooManyAliases { table, available, given }
        };
        return Err(error.into());
    }
    for (column, name) in entry.columns.iter_mut().zip(&alias.columns) {
        column.name = name.name.as_str().into();
    }
    Ok(())
}

/// PostgreSQL 15 asks for an alias.
fn missing_alias(query: &Query) -> Error {
    if matches!(query.body, QueryBody::Values(_)) {
        Error::from(BindingError::ValuesWithoutAlias).with_hint("For example, FROM (VALUES ...) [AS] foo.")
    } else {
        Error::from(BindingError::SubqueryWithoutAlias).with_hint("For example, FROM (SELECT ...) [AS] foo.")
    }
}

/// Results have at most as many columns as tables.
pub(super) fn check_width(columns: usize) -> Result<()> {
    if columns > MAX_COLUMNS {
        return Err(BindingError::TooManyTargets { limit: MAX_COLUMNS }.into());
    }
    Ok(())
}
