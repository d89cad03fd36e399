//! Statements bound against a small catalog: their plans, or PostgreSQL's errors.

mod changes;
mod definitions;
mod errors;
mod names;
mod oracle;
mod plans;
mod tpch;
mod types;

use super::{BoundQuery, BoundStatement, bind};
use crate::catalog::{Catalog, TableEntry, TableKind};
use crate::error::{Error, Result};
use crate::ids::ObjectId;
use crate::parser;
use crate::types::DataType;

/// The tables most tests use.
const SCHEMA: &str = "
create table t (id integer primary key, a integer, b bigint not null, c text, d date);
create table u (id integer primary key, a integer, x varchar(10), n numeric(15,2));
create table o (k integer not null, t_id integer, price numeric(10,2) default 1.5, note text,
    check (price > 0), constraint o_note unique (k, note));
";

/// A catalog with the tables that the statements create.
pub(crate) fn catalog_of(sql: &str) -> Catalog {
    let mut catalog = Catalog::new("db");
    let mut next = 1000;
    let mut oid = || {
        next += 1;
        ObjectId(next)
    };
    for statement in parser::parse(sql).unwrap() {
        let bound = bind(&catalog, &statement, &[]).unwrap().statement;
        let table = match bound {
            BoundStatement::CreateTable(create) => {
                let indexes = create.indexes.into_iter().map(|index| index.into_entry(oid())).collect();
                let table = oid();
                TableEntry {
                    oid: table,
                    storage: table,
                    schema: create.schema,
                    name: create.name,
                    kind: TableKind::Base,
                    columns: create.columns,
                    checks: create.checks,
                    indexes,
                    row_key: create.row_key,
                    statistics: None,
                }
            }
            BoundStatement::CreateIndex(create) => {
                let mut table = TableEntry::clone(&create.table);
                table.indexes.push(create.index.into_entry(oid()));
                table
            }
            other => panic!("not a definition: {other:?}"),
        };
        catalog = catalog.with_table(table).unwrap();
    }
    catalog
}

pub(crate) fn catalog() -> Catalog {
    catalog_of(SCHEMA)
}

/// The first statement of a text, bound.
pub(crate) fn bind_text(catalog: &Catalog, sql: &str) -> Result<super::Bound> {
    let statements = parser::parse(sql)?;
    bind(catalog, &statements[0], &[])
}

pub(crate) fn query_of(catalog: &Catalog, sql: &str) -> BoundQuery {
    match bind_text(catalog, sql).unwrap_or_else(|error| panic!("{sql}: {error:?}")).statement {
        BoundStatement::Query(query) => *query,
        other => panic!("no query: {other:?}"),
    }
}

/// The statement's plan.
#[track_caller]
fn check(sql: &str, plan: &str) {
    let query = query_of(&catalog(), sql);
    let found = query.plan.display(&query.columns).to_string();
    assert_eq!(trimmed(&found), trimmed(plan), "\n{sql}\n{found}");
}

/// Lines without the margin they have in common.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|line| line[margin..].trim_end()).collect::<Vec<_>>().join("\n")
}

/// The columns that a statement returns: names and types.
#[track_caller]
fn check_output(sql: &str, expected: &str) {
    let query = query_of(&catalog(), sql);
    let columns: Vec<String> = query.output.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    assert_eq!(columns.join(", "), expected, "\n{sql}");
}

/// The types of a statement's parameters.
#[track_caller]
fn check_parameters(sql: &str, expected: &[DataType]) {
    let bound = bind_text(&catalog(), sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(bound.parameters, expected, "\n{sql}");
}

/// An error as `SQLSTATE message @ position | hint: .. | detail: ..`.
pub(crate) fn shown(error: &Error) -> String {
    let mut text = format!("{} {error}", error.sqlstate().0);
    if let Some(position) = error.position() {
        text.push_str(&format!(" @ {position}"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!(" | hint: {hint}"));
    }
    if let Some(detail) = error.detail() {
        text.push_str(&format!(" | detail: {detail}"));
    }
    text
}

/// The error of a statement; `$` in the text marks where it must point to.
#[track_caller]
fn check_error(sql: &str, expected: &str) {
    match bind_text(&catalog(), sql) {
        Ok(bound) => panic!("{sql}\nshould fail with {expected} but gives {bound:?}"),
        Err(error) => assert_eq!(shown(&error), expected, "\n{sql}"),
    }
}
