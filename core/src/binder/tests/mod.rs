//! Statements bound against a small catalog: their plans, or PostgreSQL's errors.

mod definitions;
mod tpch;

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

/// Paragraphs of a query, in the first line, and its plan, after `rewrite`.
#[track_caller]
pub(crate) fn check_plans(catalog: &Catalog, text: &str, rewrite: impl Fn(BoundQuery) -> BoundQuery) {
    let mut failures = Vec::new();
    for case in text.split("\n\n") {
        let (sql, plan) = case.trim().split_once('\n').unwrap();
        let query = rewrite(query_of(catalog, sql));
        let found = query.plan.display(&query.columns).to_string();
        if found.trim_end() != plan.trim_end() {
            failures.push(format!("{sql}\n{found}"));
        }
    }
    assert!(failures.is_empty(), "{} plans are not as expected\n\n{}", failures.len(), failures.join("\n"));
}

/// What a client is told about a statement: `name type, .. <- parameters`, `ok` for one that is no query, or the error as
/// `SQLSTATE message @ position | hint: .. | detail: ..`.
fn answer(catalog: &Catalog, sql: &str) -> String {
    let bound = match bind_text(catalog, sql) {
        Ok(bound) => bound,
        Err(error) => return shown(&error),
    };
    let BoundStatement::Query(query) = bound.statement else { return "ok".to_owned() };
    let columns = query.output.iter().map(|column| format!("{} {}", column.name, column.ty));
    let mut text = columns.collect::<Vec<_>>().join(", ");
    if !bound.parameters.is_empty() {
        let types: Vec<&str> = bound.parameters.iter().map(DataType::name).collect();
        text.push_str(&format!(" <- {}", types.join(", ")));
    }
    text
}

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

/// A line that is not indented is a statement, the next one the answer.
#[track_caller]
fn check_answers(text: &str) {
    let catalog = catalog();
    let mut failures = Vec::new();
    let mut lines = text.lines();
    while let (Some(sql), Some(expected)) = (lines.next(), lines.next()) {
        let found = answer(&catalog, sql);
        if found.trim() != expected.trim() {
            failures.push(format!("{sql}\n  expected {}\n  found    {found}", expected.trim()));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn plans_are_as_expected() {
    check_plans(&catalog(), include_str!("plans.txt"), |query| query);
}

#[test]
fn answers_are_those_of_postgresql() {
    check_answers(include_str!("answers.txt"));
}

/// What is not supported, and errors that have a position where PostgreSQL gives none.
#[test]
fn differences_from_postgresql_are_known() {
    check_answers(include_str!("differences.txt"));
}

/// The deepest nesting that the parser lets through is bound on a small stack.
#[test]
fn deep_statements_are_bound_or_refused() {
    let run = || {
        let catalog = catalog();
        for depth in [10, 50, 100, 200, 250, 300] {
            let nested = |open: &str, close: &str| {
                format!("select {}1{} from t", open.repeat(depth), close.repeat(depth))
            };
            for sql in [
                nested("(select ", ")"),
                nested("coalesce(", ", 2)"),
                nested("- (", ")"),
                nested("case when a = 1 then ", " end"),
                format!(
                    "select 1 where {}true{}",
                    "exists (select 1 where ".repeat(depth),
                    ")".repeat(depth)
                ),
                format!("select * from {}t{}", "(select * from ".repeat(depth), ") q".repeat(depth)),
                format!("select {} from t", vec!["a"; depth * 10].join(" + ")),
                format!("select {}", vec!["(select 1)"; depth * 10].join(", ")),
                vec!["select 1"; depth * 10].join(" union "),
                vec!["select 1"; depth * 10].join(" except "),
                format!("select 1 from t {}", "cross join u ".repeat(depth * 10)),
                format!("select 1 where {}", vec!["1 = 1"; depth * 10].join(" or ")),
            ] {
                if let Err(error) = bind_text(&catalog, &sql) {
                    let state = error.sqlstate().0;
                    assert!(["54001", "54011", "42712"].contains(&state), "{error:?}");
                }
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}
