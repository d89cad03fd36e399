//! Results that are read while other things happen.

use super::{ask, one, talk, text, two};
use crate::database::TransactionState;

const MANY: &str = "SELECT i FROM generate_series(1, 100000) AS g(i)";

#[test]
fn a_result_survives_the_next_statement() {
    let client = one();
    let mut rows = client.query(MANY, ()).unwrap();
    assert_eq!(rows.next().unwrap().unwrap().get::<i32>(0).unwrap(), 1);
    assert_eq!(ask(&client, "SELECT 1"), "1");
    let mut count = 1;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 100_000);
}

#[test]
fn an_error_comes_after_the_rows_before_it() {
    let client = one();
    let sql = "SELECT 10 / (90000 - i) FROM generate_series(1, 100000) AS g(i)";
    let mut rows = client.query(sql, ()).unwrap();
    assert_eq!(ask(&client, "SELECT 1"), "1");
    let error = loop {
        match rows.next() {
            Ok(row) => assert!(row.is_some(), "an error is due"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.sqlstate().0, "22012");
    assert!(rows.next().unwrap().is_none());
}

#[test]
fn blocks_begin_and_end_while_a_result_is_read() {
    let client = one();
    assert_eq!(ask(&client, "CREATE TABLE t (id int)"), "CREATE TABLE");
    let rows = client.query(MANY, ()).unwrap();
    client.begin().unwrap();
    assert_eq!(client.transaction_state(), TransactionState::Active);
    assert_eq!(ask(&client, "INSERT INTO t VALUES (1)"), "INSERT 1");
    let more = client.query(MANY, ()).unwrap();
    client.commit().unwrap();
    assert_eq!(client.transaction_state(), TransactionState::Idle);
    for rows in [rows, more] {
        assert_eq!(text(rows).unwrap().split(' ').count(), 100_000);
    }
    let rows = client.query(MANY, ()).unwrap();
    drop(rows);
    talk(&client, &[("INSERT INTO t VALUES (2)", "INSERT 1"), ("SELECT count(*) FROM t", "2")]);
}

#[test]
fn a_result_that_is_read_keeps_its_table() {
    let [a, b] = two();
    talk(
        &a,
        &[
            ("CREATE TABLE t (id int)", "CREATE TABLE"),
            ("INSERT INTO t SELECT i FROM generate_series(1, 20000) AS g(i)", "INSERT 20000"),
        ],
    );
    let rows = a.query("SELECT id FROM t", ()).unwrap();
    talk(
        &b,
        &[
            ("SET lock_timeout = '10ms'", "SET"),
            ("DROP TABLE t", "55P03: canceling statement due to lock timeout"),
            ("DELETE FROM t", "DELETE 20000"),
        ],
    );
    assert_eq!(text(rows).unwrap().split(' ').count(), 20_000);
    assert_eq!(ask(&b, "DROP TABLE t"), "DROP TABLE");
}

#[test]
fn a_change_is_done_before_its_rows_are_read() {
    let [a, b] = two();
    assert_eq!(ask(&a, "CREATE TABLE t (id int)"), "CREATE TABLE");
    let insert = "INSERT INTO t SELECT i FROM generate_series(1, 5000) AS g(i) RETURNING id";
    let rows = a.query(insert, ()).unwrap();
    assert_eq!(ask(&b, "SELECT count(*) FROM t"), "5000");
    assert_eq!((rows.affected(), rows.command()), (Some(5000), "INSERT"));
    assert_eq!(text(rows).unwrap().split(' ').count(), 5000);
    assert_eq!(a.execute("SELECT id FROM t", ()).unwrap(), 5000);
    assert_eq!(a.execute("UPDATE t SET id = 0 WHERE id <= 10", ()).unwrap(), 10);
    assert_eq!(a.execute("CREATE TABLE u AS SELECT id FROM t WHERE id > $1", (0,)).unwrap(), 4990);
    assert_eq!(ask(&a, "CREATE TABLE v AS SELECT 1 AS one WHERE false"), "SELECT 0");
}

#[test]
fn duplicates_are_named() {
    let a = one();
    talk(
        &a,
        &[
            (
                "CREATE TABLE d (id int PRIMARY KEY, a numeric(5,2), b text, c date, UNIQUE (a, b))",
                "CREATE TABLE",
            ),
            ("INSERT INTO d VALUES (-1, 1.5, 'one', '2020-01-01'), (2, 2, 'two', '2020-01-01')", "INSERT 2"),
        ],
    );
    for (sql, detail) in [
        ("INSERT INTO d VALUES (-1, 0, '')", "Key (id)=(-1) already exists."),
        ("INSERT INTO d VALUES (5, 1.50, 'one')", "Key (a, b)=(1.50, one) already exists."),
        ("UPDATE d SET b = 'one', a = 1.5 WHERE id = 2", "Key (a, b)=(1.50, one) already exists."),
        ("CREATE UNIQUE INDEX d_c ON d (c)", "Key (c)=(2020-01-01) is duplicated."),
    ] {
        let error = a.execute(sql, ()).unwrap_err();
        assert_eq!((error.sqlstate().0, error.detail()), ("23505", Some(detail)), "{sql}");
    }
}
