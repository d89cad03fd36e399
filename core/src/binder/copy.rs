//! COPY: an insertion whose rows come from outside, or a query whose rows go there.

use super::change::check_changeable;
use super::query::{Item, Output, filter};
use super::scope::{Clause, Level};
use super::statement::{BoundQuery, BoundStatement, Command, CopyIn, CopyOut};
use super::{At as _, Binder, not_supported};
use crate::catalog::TableEntry;
use crate::error::{BindingError, CopyError, Error, Result};
use crate::parser::ast::{
    self, CopyColumns, CopyDirection, CopyFormat, CopyHeader, CopyOptions, CopySource, CopyTarget, Ident,
};
use crate::plan::logical::{Column, ColumnId, Input, Insert, LogicalPlan};
use std::sync::Arc;

impl Binder<'_> {
    /// `COPY source FROM | TO target`
    pub(super) fn bind_copy(&mut self, copy: &ast::Copy) -> Result<BoundStatement> {
        if let CopyTarget::Program(_) = copy.target {
            return Err(not_supported("COPY with PROGRAM").at(copy.position));
        }
        check_options(&copy.options, copy.direction)?;
        match (&copy.source, copy.direction) {
            (CopySource::Table { name, columns }, CopyDirection::From) => {
                let table = Arc::clone(self.find_table(name)?);
                check_changeable(&table).at(name.position())?;
                self.bind_copy_in(copy, &table, columns)
            }
            (CopySource::Table { name, columns }, CopyDirection::To) => {
                let table = Arc::clone(self.find_table(name)?);
                let query = self.bind_copied_table(&table, columns)?;
                check_forced(&copy.options, &table.columns.iter().map(|c| &*c.name).collect::<Vec<_>>())?;
                Ok(copy_out(copy, query))
            }
            (CopySource::Query(query), CopyDirection::To) => {
                let rows = self.bind_query(query)?;
                let query = self.bound_query(rows.plan, &rows.output, Command::Select);
                check_forced(&copy.options, &query.output.iter().map(|c| &*c.name).collect::<Vec<_>>())?;
                Ok(copy_out(copy, query))
            }
            (CopySource::Query(_), CopyDirection::From) => {
                Err(not_supported("COPY FROM into a query").at(copy.position))
            }
        }
    }

    fn bind_copy_in(
        &mut self,
        copy: &ast::Copy,
        table: &Arc<TableEntry>,
        names: &[Ident],
    ) -> Result<BoundStatement> {
        check_forced(&copy.options, &table.columns.iter().map(|c| &*c.name).collect::<Vec<_>>())?;
        let columns = copied_columns(table, names)?;
        let mut ids: Vec<Option<ColumnId>> = vec![None; table.columns.len()];
        let mut input = Vec::with_capacity(columns.len());
        for &number in &columns {
            let column = &table.columns[usize::from(number)];
            let (name, ty) = (column.name.as_str().into(), column.ty);
            let id = self.columns.add(Column { name, relation: None, ty, declared: ty, origin: None });
            ids[usize::from(number)] = Some(id);
            input.push(id);
        }
        let mut items = Vec::with_capacity(ids.len());
        for (index, (column, id)) in table.columns.iter().zip(ids).enumerate() {
            let expr = match id {
                Some(id) => self.columns.read(id),
                None => self.default_of(table, index)?,
            };
            items.push(Item { name: column.name.as_str().into(), expr, declared: column.ty });
        }
        let (mut source, values) = self.project(LogicalPlan::Input(Input { columns: input }), &items, false);
        if let Some(condition) = &copy.filter {
            let mut level = Level::new(Clause::CopyWhere);
            level.entries.push(self.row_entry(table, Some(table.name.as_str().into()), false, &values));
            self.levels.push(level);
            let terms = self.bind_terms(condition, "WHERE");
            self.levels.pop();
            source = filter(source, terms?);
        }
        let output = self.stored_row(table, &table.name.as_str().into());
        let checks = self.bind_checks(table, &output)?;
        let of = Arc::clone(table);
        let insert = Insert { table: of, source, values, output, checks, on_conflict: None };
        let insert = self.bound_query(LogicalPlan::Insert(Box::new(insert)), &[], Command::Insert);
        let (source, options) = (copy.target.clone(), copy.options.clone());
        let table = Arc::clone(table);
        Ok(BoundStatement::CopyIn(Box::new(CopyIn { insert, table, columns, source, options })))
    }

    /// `COPY t (columns) TO`: a query of the table.
    fn bind_copied_table(&mut self, table: &Arc<TableEntry>, names: &[Ident]) -> Result<BoundQuery> {
        let columns = copied_columns(table, names)?;
        self.levels.push(Level::new(Clause::Select));
        let (plan, entry) = self.scan(table, table.name.as_str().into());
        self.levels.pop();
        let ids = plan.columns();
        let output: Vec<Output> = columns
            .iter()
            .map(|&number| {
                let column = &entry.columns[usize::from(number)];
                let (name, nullable) = (Arc::clone(&column.name), column.expr.nullable());
                Output { name, id: ids[usize::from(number)], nullable }
            })
            .collect();
        Ok(self.bound_query(plan, &output, Command::Select))
    }
}

fn copy_out(copy: &ast::Copy, query: BoundQuery) -> BoundStatement {
    let (target, options) = (copy.target.clone(), copy.options.clone());
    BoundStatement::CopyOut(Box::new(CopyOut { query, target, options }))
}

/// The columns of the data: those named, or all.
fn copied_columns(table: &TableEntry, names: &[Ident]) -> Result<Vec<u16>> {
    if names.is_empty() {
        return Ok((0..).zip(&table.columns).map(|(number, _)| number).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let number = super::change::target_column(table, name)?;
        if columns.contains(&number) {
            let error = BindingError::DuplicateColumn { name: name.name.clone() };
            return Err(Error::from(error).at(name.position));
        }
        columns.push(number);
    }
    Ok(columns)
}

/// The columns of options must be columns of the data.
fn check_forced(options: &CopyOptions, columns: &[&str]) -> Result<()> {
    for forced in [&options.force_quote, &options.force_not_null, &options.force_null] {
        let CopyColumns::These(names) = forced else { continue };
        if let Some(name) = names.iter().find(|name| !columns.contains(&name.name.as_str())) {
            let error = BindingError::UndefinedColumn { table: None, name: name.name.clone() };
            return Err(Error::from(error).at(name.position));
        }
    }
    Ok(())
}

/// PostgreSQL's checks of the options against each other.
fn check_options(options: &CopyOptions, direction: CopyDirection) -> Result<()> {
    let csv = options.format == CopyFormat::Csv;
    let only_csv = |given: bool, option: &'static str| {
        if given && !csv { Err(Error::from(CopyError::OnlyCsv { option })) } else { Ok(()) }
    };
    if matches!(options.format, CopyFormat::Binary | CopyFormat::Parquet) {
        let format = if options.format == CopyFormat::Binary { "BINARY" } else { "PARQUET" };
        let given = [
            (options.delimiter.is_some(), "DELIMITER"),
            (options.null.is_some(), "NULL"),
            (options.header != CopyHeader::Absent, "HEADER"),
        ];
        if let Some((_, option)) = given.into_iter().find(|(given, _)| *given) {
            return Err(CopyError::NotInFormat { option, format }.into());
        }
    }
    let delimiter = options.delimiter.as_deref().unwrap_or(if csv { "," } else { "\t" });
    if delimiter.len() != 1 {
        return Err(CopyError::OneByte { option: "delimiter" }.into());
    }
    if delimiter.contains(['\r', '\n']) {
        return Err(CopyError::Newline { option: "delimiter" }.into());
    }
    if options.null.as_deref().is_some_and(|null| null.contains(['\r', '\n'])) {
        return Err(CopyError::Newline { option: "null representation" }.into());
    }
    if !csv && "\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(delimiter) {
        return Err(CopyError::Delimiter { delimiter: delimiter.to_owned() }.into());
    }
    only_csv(options.quote.is_some(), "quote")?;
    only_csv(options.escape.is_some(), "escape")?;
    only_csv(options.force_quote != CopyColumns::None, "force quote")?;
    only_csv(options.force_not_null != CopyColumns::None, "force not null")?;
    only_csv(options.force_null != CopyColumns::None, "force null")?;
    for (text, option) in [(&options.quote, "quote"), (&options.escape, "escape")] {
        if text.as_deref().is_some_and(|text| text.len() != 1) {
            return Err(CopyError::OneByte { option }.into());
        }
    }
    let quote = options.quote.as_deref().unwrap_or("\"");
    if csv && quote == delimiter {
        return Err(CopyError::SameQuote.into());
    }
    if options.null.as_deref().is_some_and(|null| null.contains(delimiter)) {
        return Err(CopyError::DelimiterInNull.into());
    }
    let wrong_way = match direction {
        CopyDirection::From if options.force_quote != CopyColumns::None => Some(("force quote", "COPY TO")),
        CopyDirection::To if options.force_not_null != CopyColumns::None => {
            Some(("force not null", "COPY FROM"))
        }
        CopyDirection::To if options.force_null != CopyColumns::None => Some(("force null", "COPY FROM")),
        _ => None,
    };
    match wrong_way {
        None => Ok(()),
        Some((option, direction)) => Err(CopyError::OnlyDirection { option, direction }.into()),
    }
}
