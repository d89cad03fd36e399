//! Prepared statements, their parameters, and plans that are remembered.

use super::{ask, one, said, talk, text};
use crate::database::{Connection, Database};
use crate::engine::{EngineOptions, SharedEngine};
use crate::session::Session;
use crate::types::{DataType, Value};
use crate::vfs::{OsRng, SystemClock};
use std::sync::Arc;

#[test]
fn statements_are_prepared_by_name() {
    talk(
        &one(),
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, name text)", "CREATE TABLE"),
            ("PREPARE put (int, text) AS INSERT INTO t VALUES ($1, $2)", "PREPARE"),
            ("PREPARE put AS SELECT 1", "42P05: prepared statement \"put\" already exists"),
            ("EXECUTE put(1, 'a')", "INSERT 1"),
            ("EXECUTE put(1 + 1, 'b')", "INSERT 1"),
            ("EXECUTE put(1)", "42601: wrong number of parameters for prepared statement \"put\""),
            ("EXECUTE put(1, 'c')", "23505: duplicate key value violates unique constraint \"t_pkey\""),
            ("PREPARE find AS SELECT name FROM t WHERE id = $1", "PREPARE"),
            ("EXECUTE find(2)", "b"),
            ("DEALLOCATE find", "DEALLOCATE"),
            ("EXECUTE find(2)", "26000: prepared statement \"find\" does not exist"),
            ("DEALLOCATE ALL", "DEALLOCATE ALL"),
            ("EXECUTE put(3, 'c')", "26000: prepared statement \"put\" does not exist"),
        ],
    );
}

fn given(client: &Connection, sql: &str, values: &[Value]) -> String {
    client.query(sql, values).and_then(text).unwrap_or_else(|error| said(&error))
}

#[test]
fn parameters_get_the_types_that_the_statement_wants() {
    let client = one();
    assert_eq!(
        ask(&client, "CREATE TABLE t (id bigint PRIMARY KEY, at date, n numeric(10,2))"),
        "CREATE TABLE"
    );
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3)").unwrap();
    let names: Vec<&str> = insert.parameter_types().iter().map(DataType::name).collect();
    assert_eq!(names, ["bigint", "date", "numeric"]);
    assert_eq!(insert.execute((1, "2024-02-29", "1.005")).unwrap(), 1);
    assert_eq!(ask(&client, "SELECT * FROM t"), "1|2024-02-29|1.01");
    for (values, answer) in [
        ((Value::Text("x".into()), Value::Null), "22P02: invalid input syntax for type bigint: \"x\""),
        (
            (Value::Integer(2), Value::Text("some day".into())),
            "22007: invalid input syntax for type date: \"some day\"",
        ),
    ] {
        let failed = insert.execute([values.0, values.1, Value::Null].as_slice()).unwrap_err();
        assert_eq!(said(&failed), answer);
    }
    let failed = insert.execute((1,)).unwrap_err();
    assert_eq!(failed.sqlstate().0, "08P01");
    // A text says nothing about the parameter's type: that of the value is taken.
    assert_eq!(given(&client, "SELECT $1", &[Value::Integer(3)]), "3");
    assert_eq!(given(&client, "SELECT $1 + 1", &[Value::Integer(3)]), "4");
    assert_eq!(given(&client, "SELECT $1 || 'x'", &[Value::Text("y".into())]), "yx");
}

#[test]
fn parameters_have_numbers_and_names() {
    let client = one();
    assert_eq!(client.query("SELECT ?::int - ?::int", (5, 3)).and_then(text).unwrap(), "2");
    for sql in ["SELECT :low::int + $high::int * :low::int", "SELECT $low::int + $high::int * $low::int"] {
        let by_name = [("high", Value::Integer(10)), ("low", Value::Integer(2))];
        assert_eq!(client.query(sql, by_name).and_then(text).unwrap(), "22", "{sql}");
        let statement = client.prepare(sql).unwrap();
        assert_eq!(
            (statement.parameter_number("low"), statement.parameter_number("high")),
            (Some(1), Some(2))
        );
        assert_eq!(statement.parameter_number("medium"), None);
        let wrong = client.query(sql, [("high", Value::Null), ("medium", Value::Null)]).err().unwrap();
        assert_eq!(wrong.sqlstate().0, "42P02");
    }
}

#[test]
fn plans_follow_the_tables_they_are_for() {
    let client = one();
    assert_eq!(ask(&client, "CREATE TABLE t (id int)"), "CREATE TABLE");
    let all = client.prepare("SELECT * FROM t").unwrap();
    let get = || all.query(()).and_then(text).unwrap_or_else(|error| said(&error));
    assert_eq!(get(), "");
    talk(
        &client,
        &[
            ("BEGIN", "BEGIN"),
            ("DROP TABLE t", "DROP TABLE"),
            ("CREATE TABLE t (id int, name text)", "CREATE TABLE"),
            ("INSERT INTO t VALUES (1, 'a')", "INSERT 1"),
            ("SELECT * FROM t", "1|a"),
        ],
    );
    assert_eq!(ask(&client, "ROLLBACK"), "ROLLBACK");
    talk(&client, &[("SELECT * FROM t", ""), ("INSERT INTO t VALUES (2)", "INSERT 1")]);
    assert_eq!(get(), "2");
    talk(&client, &[("DROP TABLE t", "DROP TABLE")]);
    assert_eq!(get(), "42P01: relation \"t\" does not exist");
}

#[test]
fn a_text_is_parsed_once() {
    let options = EngineOptions::new(64 << 20, Arc::new(SystemClock), Arc::new(OsRng));
    let mut session = Session::new(SharedEngine::in_memory(None, options, 1 << 20).unwrap()).unwrap();
    let prepared = session.prepare("SELECT 1", &[]).unwrap();
    assert!(Arc::ptr_eq(&prepared, &session.prepare("SELECT 1", &[]).unwrap()));
    let typed = session.prepare("SELECT $1", &[DataType::Integer]).unwrap();
    assert!(Arc::ptr_eq(&typed, &session.prepare("SELECT $1", &[DataType::Integer]).unwrap()));
    let other = session.prepare("SELECT $1", &[DataType::Text]).unwrap();
    assert!(!Arc::ptr_eq(&typed, &other));
    for i in 0..super::super::CACHED_PLANS {
        session.prepare(&format!("SELECT {}", i + 2), &[]).unwrap();
    }
    assert!(!Arc::ptr_eq(&prepared, &session.prepare("SELECT 1", &[]).unwrap()));
    assert_eq!(session.plans.len(), super::super::CACHED_PLANS);
}

#[test]
fn reads_by_key_take_the_short_path_and_see_what_others_see() {
    let database = Database::in_memory().unwrap();
    let [a, b] = [database.connect().unwrap(), database.connect().unwrap()];
    talk(
        &a,
        &[
            ("create table t (id bigint primary key, v text, n numeric(6,2))", "CREATE TABLE"),
            ("insert into t values (1, 'one', 1.5), (2, null, null), (-3, repeat('x', 3000), 0)", "INSERT 3"),
        ],
    );
    let before = database.point_reads().unwrap();
    let read = |client: &Connection, key: i64| {
        let rows = client.query("select n, v, id from t where id = $1", (key,));
        rows.and_then(text).unwrap_or_else(|error| said(&error))
    };
    assert_eq!(read(&a, 1), "1.50|one|1");
    assert_eq!(read(&a, 2), "null|null|2");
    assert_eq!(read(&a, -3), format!("0.00|{}|-3", "x".repeat(3000)));
    assert_eq!(read(&a, 4), "");
    assert_eq!(ask(&a, "select v from t where id = null"), "");
    talk(&b, &[("begin", "BEGIN"), ("update t set v = 'two' where id = 1", "UPDATE 1")]);
    assert_eq!((read(&a, 1), read(&b, 1)), ("1.50|one|1".to_owned(), "1.50|two|1".to_owned()));
    talk(&a, &[("begin isolation level repeatable read", "BEGIN"), ("select v from t where id = 1", "one")]);
    talk(&b, &[("delete from t where id = 2", "DELETE 1"), ("commit", "COMMIT")]);
    assert_eq!((read(&a, 1), read(&a, 2)), ("1.50|one|1".to_owned(), "null|null|2".to_owned()));
    talk(&a, &[("commit", "COMMIT")]);
    assert_eq!((read(&a, 1), read(&a, 2)), ("1.50|two|1".to_owned(), String::new()));
    assert!(database.point_reads().unwrap() >= before + 10);
    assert_eq!(ask(&a, "select 1 from t where id = 1 and v = 'none'"), "");
}
