//! What CREATE TABLE and CREATE INDEX make.

use super::{BoundStatement, bind_text, catalog};
use crate::binder::{CreateTable, NewIndex};
use crate::table::RowKey;

fn create(sql: &str) -> CreateTable {
    match bind_text(&catalog(), sql).unwrap().statement {
        BoundStatement::CreateTable(create) => *create,
        other => panic!("no table: {other:?}"),
    }
}

fn shown(index: &NewIndex) -> String {
    let columns: Vec<String> = index.columns.iter().map(|column| column.column.to_string()).collect();
    let primary = if index.primary { " primary" } else { "" };
    format!("{} ({}){primary}", index.name, columns.join(", "))
}

#[test]
fn constraints_get_the_names_postgresql_gives() {
    let table = create(
        "create table z (a integer primary key, b text unique, c integer check (c > 0), d integer,
         unique (c, d), check (a < c), check (d > 1), constraint given check (true), check (d < 9))",
    );
    let indexes: Vec<String> = table.indexes.iter().map(shown).collect();
    assert_eq!(indexes, ["z_pkey (0) primary", "z_b_key (1)", "z_c_d_key (2, 3)"]);
    let mut checks: Vec<String> =
        table.checks.iter().map(|check| format!("{}: {}", check.name, check.sql)).collect();
    checks.sort();
    assert_eq!(
        checks,
        ["given: true", "z_c_check: c > 0", "z_check: a < c", "z_d_check1: d < 9", "z_d_check: d > 1"]
    );
    assert!(table.columns[0].not_null && !table.columns[1].not_null);
}

#[test]
fn a_primary_key_of_one_integer_is_the_row_id() {
    assert_eq!(create("create table z (a text, b bigint primary key)").row_key, RowKey::Column(1));
    assert_eq!(create("create table z (a text primary key)").row_key, RowKey::Hidden);
    assert_eq!(create("create table z (a integer, b integer, primary key (a, b))").row_key, RowKey::Hidden);
}

#[test]
fn defaults_are_kept_as_they_were_written() {
    let table = create("create table z (a integer default 1 + 1, b text default 'x''y' not null, c text)");
    let defaults: Vec<Option<&str>> = table.columns.iter().map(|column| column.default.as_deref()).collect();
    assert_eq!(defaults, [Some("1 + 1"), Some("'x''y'"), None]);
}

#[test]
fn too_many_columns_are_refused() {
    let columns = |count: usize| (0..count).map(|i| format!("c{i} integer")).collect::<Vec<_>>().join(", ");
    assert_eq!(create(&format!("create table z ({})", columns(1600))).columns.len(), 1600);
    let error = bind_text(&catalog(), &format!("create table z ({})", columns(1601))).unwrap_err();
    assert_eq!(super::shown(&error), "54011 tables can have at most 1600 columns");
    let error = bind_text(&catalog(), &format!("select {}", vec!["1"; 1665].join(", "))).unwrap_err();
    assert_eq!(super::shown(&error), "54011 target lists can have at most 1600 entries");
}

#[test]
fn indexes_get_a_name_and_an_order() {
    let BoundStatement::CreateIndex(create) =
        bind_text(&catalog(), "create index on t (a, b desc nulls last)").unwrap().statement
    else {
        panic!("no index")
    };
    assert_eq!(create.index.name, "t_a_b_idx");
    let orders: Vec<(bool, bool)> =
        create.index.columns.iter().map(|column| (column.descending, column.nulls_first)).collect();
    assert_eq!(orders, [(false, false), (true, false)]);
}
