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

#[test]
fn a_statement_that_was_planned_anew_stays_so() {
    let options = EngineOptions::new(64 << 20, Arc::new(SystemClock), Arc::new(OsRng));
    let mut session = Session::new(SharedEngine::in_memory(None, options, 1 << 20).unwrap()).unwrap();
    let run = |session: &mut Session, text: &str| {
        let prepared = session.prepare(text, &[]).unwrap();
        session.run(&prepared, &[]).unwrap();
        prepared
    };
    run(&mut session, "CREATE TABLE t (n int)");
    let first = run(&mut session, "SELECT * FROM t");
    assert!(Arc::ptr_eq(&first, &first.newest()));
    run(&mut session, "CREATE INDEX ON t (n)");
    run(&mut session, "SELECT * FROM t");
    let second = first.newest();
    assert!(!Arc::ptr_eq(&first, &second));
    run(&mut session, "SELECT * FROM t");
    assert!(Arc::ptr_eq(&second, &first.newest()));
}

#[test]
fn many_sets_of_parameters_are_one_change() {
    let client = one();
    ask(&client, "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'none', n numeric(6,2) CHECK (n > 0))");
    let said = |result: crate::error::Result<u64>| {
        result.map_or_else(|error| said(&error), |count| count.to_string())
    };
    let insert = "INSERT INTO t (n, id) VALUES ($1, $2 * 10)";
    let sets: Vec<(&str, i32)> = (0..5000).map(|n| ("1.005", n)).collect();
    assert_eq!(said(client.execute_many(insert, &sets)), "5000");
    assert_eq!(
        ask(&client, "SELECT count(*), min(id), max(id), min(n), max(n), min(v) FROM t"),
        "5000|0|49990|1.01|1.01|none"
    );
    // A key that is there, in the same sets or before; a CHECK; a bad value; too few values: nothing is done.
    let refused = |sets: &[(&str, i32)]| said(client.execute_many(insert, sets));
    let twice = "23505: duplicate key value violates unique constraint \"t_pkey\"";
    assert_eq!(refused(&[("2", 5000), ("2", 5001), ("2", 5000)]), twice);
    assert_eq!(refused(&[("2", 5000), ("2", 7)]), twice);
    assert_eq!(
        refused(&[("2", 5000), ("-2", 5001)]),
        "23514: new row for relation \"t\" violates check constraint \"t_n_check\""
    );
    assert_eq!(refused(&[("2", 5000), ("x", 5001)]), "22P02: invalid input syntax for type numeric: \"x\"");
    assert_eq!(ask(&client, "SELECT count(*) FROM t"), "5000");
    assert!(client.execute_many(insert, &[(1,)]).is_err());
    // Values of several types for one parameter; other changes; queries; conflicts.
    let mixed =
        [vec![Value::Integer(1)], vec![Value::Text("b".into())], vec![Value::Null], vec![Value::BigInt(7)]];
    assert_eq!(
        said(client.execute_many("INSERT INTO t VALUES (-1 - $1::text::int, 'x', 1)", &mixed[..1])),
        "1"
    );
    ask(&client, "CREATE TABLE words (w text)");
    assert_eq!(said(client.execute_many("INSERT INTO words VALUES ($1)", &mixed)), "4");
    assert_eq!(ask(&client, "SELECT w FROM words ORDER BY w"), "1 7 b null");
    assert_eq!(
        said(client.execute_many("UPDATE words SET w = w || '!' WHERE w = $1", &[("1",), ("b",), ("c",)])),
        "2"
    );
    assert_eq!(said(client.execute_many("SELECT w FROM words WHERE w < $1", &[("a",), ("z",)])), "5");
    let upsert = "INSERT INTO t VALUES ($1, 'again', 3) ON CONFLICT (id) DO UPDATE SET v = excluded.v";
    assert_eq!(said(client.execute_many(upsert, &[(10,), (11,), (10,)])), "3");
    assert_eq!(ask(&client, "SELECT id, n FROM t WHERE v = 'again' ORDER BY id"), "10|1.01 11|3.00");
    // In an open transaction a failure is the transaction's.
    ask(&client, "BEGIN");
    assert_eq!(refused(&[("2", 5000), ("2", 7)]), twice);
    assert_eq!(
        ask(&client, "SELECT 1"),
        "25P02: current transaction is aborted, commands ignored until end of transaction block"
    );
    ask(&client, "ROLLBACK");
}
