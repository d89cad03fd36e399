//! Blocks: what a failure leaves, savepoints, read-only transactions, scripts.

use super::{ask, one, said, talk, talk_with, text, two, warnings};
use crate::database::{Connection, TransactionState};

const ABORTED: &str =
    "25P02: current transaction is aborted, commands ignored until end of transaction block";

#[test]
fn a_failed_block_hears_only_its_end() {
    let client = one();
    talk(
        &client,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE"),
            ("BEGIN", "BEGIN"),
            ("INSERT INTO t VALUES (1)", "INSERT 1"),
            ("SELECT 1/0", "22012: division by zero"),
        ],
    );
    assert_eq!(client.transaction_state(), TransactionState::Failed);
    talk(
        &client,
        &[
            ("SELECT 1", ABORTED),
            ("SAVEPOINT s", ABORTED),
            ("BEGIN", ABORTED),
            ("COMMIT", "ROLLBACK"),
            ("SELECT count(*) FROM t", "0"),
        ],
    );
    assert_eq!(client.transaction_state(), TransactionState::Idle);
}

#[test]
fn errors_of_syntax_and_names_fail_the_block_too() {
    let client = one();
    for wrong in ["SELEC 1", "SELECT * FROM nowhere"] {
        assert_eq!(ask(&client, "BEGIN"), "BEGIN");
        assert!(client.query(wrong, ()).is_err());
        talk(&client, &[("SELECT 1", ABORTED), ("ROLLBACK", "ROLLBACK"), ("SELECT 1", "1")]);
        assert_eq!(ask(&client, "BEGIN"), "BEGIN");
        assert!(client.prepare(wrong).is_err());
        talk(&client, &[("SELECT 1", ABORTED), ("ROLLBACK", "ROLLBACK")]);
    }
}

#[test]
fn a_statement_takes_effect_as_a_whole() {
    let client = one();
    talk(
        &client,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, n int)", "CREATE TABLE"),
            ("INSERT INTO t SELECT i, 10 - i FROM generate_series(1, 9) AS g(i)", "INSERT 9"),
            (
                "INSERT INTO t VALUES (20, 0), (5, 0)",
                "23505: duplicate key value violates unique constraint \"t_pkey\"",
            ),
            ("UPDATE t SET n = 10 / (n - 3)", "22012: division by zero"),
            ("SELECT count(*), sum(n) FROM t", "9|45"),
            ("UPDATE t SET id = id + 1", "UPDATE 9"),
            ("SELECT min(id), max(id) FROM t", "2|10"),
        ],
    );
}

#[test]
fn savepoints_are_gone_back_to() {
    talk(
        &one(),
        &[
            ("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE"),
            ("SAVEPOINT s", "25P01: SAVEPOINT can only be used in transaction blocks"),
            ("BEGIN", "BEGIN"),
            ("INSERT INTO t VALUES (1)", "INSERT 1"),
            ("SAVEPOINT s", "SAVEPOINT"),
            ("INSERT INTO t VALUES (2)", "INSERT 1"),
            ("SAVEPOINT s", "SAVEPOINT"),
            ("INSERT INTO t VALUES (2)", "23505: duplicate key value violates unique constraint \"t_pkey\""),
            ("ROLLBACK TO nowhere", "3B001: savepoint \"nowhere\" does not exist"),
            ("RELEASE s", ABORTED),
            ("ROLLBACK TO s", "ROLLBACK"),
            ("SELECT count(*) FROM t", "2"),
            ("RELEASE s", "RELEASE"),
            ("ROLLBACK TO SAVEPOINT s", "ROLLBACK"),
            ("SELECT count(*) FROM t", "1"),
            ("INSERT INTO t VALUES (3)", "INSERT 1"),
            ("ROLLBACK TO s", "ROLLBACK"),
            ("CREATE TABLE u (id int)", "CREATE TABLE"),
            ("ROLLBACK TO s", "ROLLBACK"),
            ("COMMIT", "COMMIT"),
            ("SELECT id FROM t", "1"),
            ("SELECT * FROM u", "42P01: relation \"u\" does not exist"),
        ],
    );
}

#[test]
fn a_read_only_transaction_changes_nothing() {
    let client = one();
    let refused = |what: &str| format!("25006: cannot execute {what} in a read-only transaction");
    assert_eq!(ask(&client, "CREATE TABLE t (id int)"), "CREATE TABLE");
    for (sql, what) in [
        ("INSERT INTO t VALUES (1)", "INSERT"),
        ("UPDATE t SET id = 2", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("SELECT * FROM t FOR UPDATE", "SELECT FOR UPDATE"),
        ("CREATE TABLE u (id int)", "CREATE TABLE"),
        ("CREATE INDEX ON t (id)", "CREATE INDEX"),
        ("DROP TABLE t", "DROP TABLE"),
        ("TRUNCATE t", "TRUNCATE TABLE"),
    ] {
        talk(&client, &[("BEGIN READ ONLY", "BEGIN"), ("SELECT count(*) FROM t", "0")]);
        assert_eq!(ask(&client, sql), refused(what), "{sql}");
        talk(&client, &[("SELECT 1", ABORTED), ("ROLLBACK", "ROLLBACK")]);
    }
    talk(
        &client,
        &[
            ("SET default_transaction_read_only = on", "SET"),
            ("INSERT INTO t VALUES (1)", &refused("INSERT")),
            ("BEGIN READ WRITE", "BEGIN"),
            ("INSERT INTO t VALUES (1)", "INSERT 1"),
            ("COMMIT", "COMMIT"),
            ("BEGIN", "BEGIN"),
            ("SELECT 1", "1"),
            ("SET TRANSACTION READ WRITE", "25001: transaction read-write mode must be set before any query"),
            ("ROLLBACK", "ROLLBACK"),
        ],
    );
}

#[test]
fn what_is_only_odd_is_warned_of() {
    let client = one();
    for (sql, answer, warning) in [
        ("COMMIT", "COMMIT", "25P01: there is no transaction in progress"),
        ("ROLLBACK", "ROLLBACK", "25P01: there is no transaction in progress"),
        ("SET LOCAL lock_timeout = 1", "SET", "25P01: SET LOCAL can only be used in transaction blocks"),
        ("SET TRANSACTION READ ONLY", "SET", "25P01: SET TRANSACTION can only be used in transaction blocks"),
    ] {
        assert_eq!(ask(&client, sql), answer);
        assert_eq!(warnings(&client), [warning], "{sql}");
    }
    talk(&client, &[("BEGIN", "BEGIN"), ("BEGIN", "BEGIN")]);
    assert_eq!(warnings(&client), ["25001: there is already a transaction in progress"]);
    talk(
        &client,
        &[
            ("COMMIT", "COMMIT"),
            ("COMMIT AND CHAIN", "25P01: COMMIT AND CHAIN can only be used in transaction blocks"),
        ],
    );
    assert!(warnings(&client).is_empty());
}

#[test]
fn a_chained_transaction_is_like_the_one_before() {
    talk(
        &one(),
        &[
            ("CREATE TABLE t (id int)", "CREATE TABLE"),
            ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN"),
            ("COMMIT AND CHAIN", "COMMIT"),
            ("SHOW transaction_isolation", "repeatable read"),
            ("SHOW transaction_read_only", "on"),
            ("SELECT 1/0", "22012: division by zero"),
            ("ROLLBACK AND CHAIN", "ROLLBACK"),
            ("SHOW transaction_isolation", "repeatable read"),
            ("ROLLBACK", "ROLLBACK"),
            ("SHOW transaction_isolation", "read committed"),
        ],
    );
}

#[test]
fn definitions_belong_to_their_transaction() {
    let clients = two();
    talk_with(
        &clients,
        &[
            ('a', "BEGIN", "BEGIN"),
            ('a', "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE"),
            ('a', "INSERT INTO t VALUES (7)", "INSERT 1"),
            ('a', "SELECT id FROM t", "7"),
            ('b', "SELECT id FROM t", "42P01: relation \"t\" does not exist"),
            ('a', "ROLLBACK", "ROLLBACK"),
            ('a', "SELECT id FROM t", "42P01: relation \"t\" does not exist"),
            ('a', "BEGIN", "BEGIN"),
            ('a', "CREATE TABLE t (name text)", "CREATE TABLE"),
            ('a', "COMMIT", "COMMIT"),
            ('b', "INSERT INTO t VALUES ('x')", "INSERT 1"),
            ('a', "SELECT name FROM t", "x"),
            ('b', "DROP TABLE t", "DROP TABLE"),
            ('a', "SELECT name FROM t", "42P01: relation \"t\" does not exist"),
        ],
    );
}

#[test]
fn a_script_is_one_transaction() {
    let client = one();
    let run = |sql: &str| {
        let mut answers = Vec::new();
        let done = client.run_script(sql, &mut |rows| {
            answers.push(text(rows)?);
            Ok(())
        });
        (answers.join(", "), done.err().map(|error| said(&error)))
    };
    assert_eq!(run("CREATE TABLE t (id int); INSERT INTO t VALUES (1);").1, None);
    let failed = run("INSERT INTO t VALUES (2); SELECT 1/0; INSERT INTO t VALUES (3)");
    assert_eq!(failed, ("INSERT 1".to_owned(), Some("22012: division by zero".to_owned())));
    assert_eq!(ask(&client, "SELECT id FROM t"), "1");
    let committed = run("INSERT INTO t VALUES (4); BEGIN; INSERT INTO t VALUES (5); COMMIT; SELECT 1/0");
    assert_eq!(committed.1.as_deref(), Some("22012: division by zero"));
    assert_eq!(run("SELECT id FROM t ORDER BY id; SELECT count(*) FROM t"), ("1 4 5, 3".to_owned(), None));
    assert_eq!(run("BEGIN; INSERT INTO t VALUES (6)").1, None);
    assert_eq!(client.transaction_state(), TransactionState::Active);
    talk(&client, &[("ROLLBACK", "ROLLBACK"), ("SELECT count(*) FROM t", "3")]);
}

#[test]
fn what_needs_no_block_is_refused_in_one() {
    let client = one();
    for (sql, what) in [("VACUUM", "VACUUM"), ("DISCARD ALL", "DISCARD ALL")] {
        assert_eq!(ask(&client, "BEGIN"), "BEGIN");
        assert_eq!(ask(&client, sql), format!("25001: {what} cannot run inside a transaction block"));
        assert_eq!(ask(&client, "ROLLBACK"), "ROLLBACK");
    }
}

#[test]
fn sets_of_parameters_are_one_transaction_beside_other_threads() {
    let client = one();
    talk(&client, &[("CREATE TABLE t (a int)", "CREATE TABLE")]);
    let sets: Vec<(i32,)> = (0..20_000).map(|a| (a,)).collect();
    std::thread::scope(|scope| {
        let many = scope.spawn(|| client.execute_many("INSERT INTO t VALUES ($1)", &sets));
        // What comes from another thread comes before or after it, never in the middle of its transaction.
        while !many.is_finished() {
            client.query("COMMIT", ()).unwrap();
            let count = ask(&client, "SELECT count(*) FROM t");
            assert!(["0", "20000"].contains(&count.as_str()), "{count}");
        }
        assert_eq!(many.join().unwrap().unwrap(), 20_000);
    });
    assert_eq!(client.execute_many("SELECT * FROM t WHERE a < $1", &[(10,), (5000,)]).unwrap(), 5010);
}

/// Data that a program cannot provide.
struct Broken;

impl std::io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("the program's own reader panics")
    }
}

#[test]
fn nothing_builds_on_a_statement_that_panicked() {
    let panicking = |client: &Connection| {
        let error = client.copy_in("COPY t FROM STDIN", Broken).unwrap_err();
        assert_eq!(error.sqlstate().0, "XX000");
        assert_eq!(error.to_string(), "internal error: the program's own reader panics");
    };
    let [a, b] = two();
    talk(&a, &[("CREATE TABLE t (a int)", "CREATE TABLE")]);
    panicking(&a);
    talk(&a, &[("INSERT INTO t VALUES (1)", "INSERT 1")]);
    talk(&b, &[("SELECT a FROM t", "1")]);
    talk(&a, &[("BEGIN", "BEGIN"), ("INSERT INTO t VALUES (2)", "INSERT 1")]);
    panicking(&a);
    let refused = "25P02: current transaction is aborted, commands ignored until end of transaction block";
    talk(&a, &[("INSERT INTO t VALUES (3)", refused), ("ROLLBACK", "ROLLBACK")]);
    talk(&b, &[("DROP TABLE t", "DROP TABLE")]);
}
