//! Subqueries of every kind, with PostgreSQL's answers: plans must give them before and after unnesting.
//!
//! A line of `queries.txt` that is not indented is a query; the next one has its rows in the order of their text, or
//! the error that it ends with.

use super::unnest;
use crate::binder::BoundQuery;
use crate::binder::tests::{catalog_of, check_plans, query_of};
use crate::catalog::Catalog;
use crate::error::Result;
use crate::plan::logical::LogicalPlan;
use crate::plan::naive::{Tables, shown};

const QUERIES: &str = include_str!("queries.txt");
const SCHEMA: &str = "
create table t (id integer not null, a integer, b integer not null);
create table u (id integer not null, a integer, b integer);";
const ROWS: [&str; 2] = [
    "insert into t values (1, 1, 1), (2, 1, 2), (3, 2, 2), (4, null, 3), (5, 3, 1), (6, null, 1), (7, 2, 5)",
    "insert into u values (1, 1, 1), (2, 1, 3), (3, 2, 2), (4, null, 2), (5, 4, null), (6, 2, 2), (7, null, null)",
];

fn tables(catalog: &Catalog) -> Tables {
    let mut tables = Tables::default();
    for sql in ROWS {
        let insert = query_of(catalog, sql);
        tables.run(&insert.plan, &insert.columns).unwrap();
    }
    tables
}

/// The rows of a query as text, sorted; or its error.
fn answer(tables: &mut Tables, query: &BoundQuery) -> String {
    let run = |tables: &mut Tables| -> Result<String> {
        let mut rows = Vec::new();
        for row in tables.run(&query.plan, &query.columns)? {
            let value = |column: &crate::binder::OutputColumn| {
                shown(&row[&column.id], &query.columns.get(column.id).ty)
            };
            rows.push(query.output.iter().map(value).collect::<Vec<_>>().join("|"));
        }
        rows.sort();
        Ok(rows.join(" "))
    };
    run(tables).unwrap_or_else(|error| format!("! {}", error.sqlstate().0))
}

fn is_dependent(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.dependent) || plan.inputs().into_iter().any(is_dependent)
}

#[test]
fn unnested_plans_give_the_answers_of_nested_ones() {
    let catalog = catalog_of(SCHEMA);
    let mut tables = tables(&catalog);
    let mut failures = Vec::new();
    let mut lines = QUERIES.lines();
    while let (Some(sql), Some(expected)) = (lines.next(), lines.next()) {
        let expected = expected.trim();
        let mut query = query_of(&catalog, sql);
        let nested = answer(&mut tables, &query);
        let before = query.plan.display(&query.columns).to_string();
        query.plan = unnest(query.plan, &mut query.columns).unwrap();
        let unnested = answer(&mut tables, &query);
        let after = query.plan.display(&query.columns).to_string();
        if nested != expected || unnested != expected || is_dependent(&query.plan) {
            failures.push(format!(
                "{sql}\n  expected {expected}\n  nested   {nested}\n  unnested {unnested}\n{before}\n{after}"
            ));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn plans_are_as_expected() {
    check_plans(&catalog_of(SCHEMA), include_str!("plans.txt"), |mut query| {
        query.plan = unnest(query.plan, &mut query.columns).unwrap();
        query
    });
}
