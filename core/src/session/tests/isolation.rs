//! Two clients: what one sees of the other, waits, conflicts, deadlocks, timeouts.

use super::{Connection, ask, said, talk, talk_with, text, two};
use crate::database::Database;
use crate::engine::{EngineOptions, SharedEngine};
use crate::vfs::{OsRng, SystemClock};
use std::sync::Arc;

fn with_accounts() -> [Connection; 2] {
    let clients = two();
    fill(&clients[0]);
    clients
}

fn fill(client: &Connection) {
    talk(
        client,
        &[
            ("CREATE TABLE accounts (id int PRIMARY KEY, balance int)", "CREATE TABLE"),
            ("INSERT INTO accounts VALUES (1, 100), (2, 100)", "INSERT 2"),
        ],
    );
}

#[test]
fn read_committed_sees_what_is_committed_before_each_statement() {
    talk_with(
        &with_accounts(),
        &[
            ('a', "BEGIN", "BEGIN"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "100"),
            ('b', "BEGIN", "BEGIN"),
            ('b', "UPDATE accounts SET balance = 50 WHERE id = 1", "UPDATE 1"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "100"),
            ('b', "SELECT balance FROM accounts WHERE id = 1", "50"),
            ('b', "COMMIT", "COMMIT"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "50"),
            ('a', "COMMIT", "COMMIT"),
        ],
    );
}

#[test]
fn repeatable_read_has_the_snapshot_of_its_first_statement() {
    talk_with(
        &with_accounts(),
        &[
            ('a', "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN"),
            ('a', "SHOW transaction_isolation", "repeatable read"),
            ('b', "UPDATE accounts SET balance = 50 WHERE id = 1", "UPDATE 1"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "50"),
            ('b', "UPDATE accounts SET balance = 0 WHERE id = 1", "UPDATE 1"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "50"),
            (
                'a',
                "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
                "40001: could not serialize access due to concurrent update",
            ),
            ('a', "ROLLBACK", "ROLLBACK"),
        ],
    );
}

#[test]
fn a_failed_first_statement_keeps_the_snapshot() {
    talk_with(
        &with_accounts(),
        &[
            ('a', "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN"),
            ('a', "SAVEPOINT s", "SAVEPOINT"),
            ('a', "SELECT balance / 0 FROM accounts", "22012: division by zero"),
            ('b', "UPDATE accounts SET balance = 50 WHERE id = 1", "UPDATE 1"),
            ('a', "ROLLBACK TO s", "ROLLBACK"),
            ('a', "SELECT balance FROM accounts WHERE id = 1", "100"),
            ('a', "COMMIT", "COMMIT"),
        ],
    );
}

#[test]
fn repeatable_read_does_not_pass_over_a_key_it_cannot_see() {
    let refusal = "40001: could not serialize access due to concurrent update";
    for (change, level, answer) in [
        ("INSERT INTO accounts VALUES (3, 5)", "REPEATABLE READ", refusal),
        ("UPDATE accounts SET id = 3 WHERE id = 2", "REPEATABLE READ", refusal),
        ("INSERT INTO accounts VALUES (3, 5)", "READ COMMITTED", "INSERT 0"),
    ] {
        talk_with(
            &with_accounts(),
            &[
                ('a', &format!("BEGIN ISOLATION LEVEL {level}"), "BEGIN"),
                ('a', "INSERT INTO accounts VALUES (7, 1)", "INSERT 1"),
                ('b', change, if change.starts_with('I') { "INSERT 1" } else { "UPDATE 1" }),
                ('a', "INSERT INTO accounts VALUES (1, 1), (7, 1) ON CONFLICT DO NOTHING", "INSERT 0"),
                ('a', "INSERT INTO accounts VALUES (3, 1) ON CONFLICT DO NOTHING", answer),
                ('a', "ROLLBACK", "ROLLBACK"),
            ],
        );
    }
}

#[test]
fn repeatable_read_does_not_wait_for_a_row_that_is_lost() {
    for statement in [
        "UPDATE accounts SET balance = 1 WHERE id = 1",
        "DELETE FROM accounts WHERE id = 1",
        "SELECT * FROM accounts WHERE id = 1 FOR UPDATE",
    ] {
        talk_with(
            &with_accounts(),
            &[
                ('a', "SET lock_timeout = '20ms'", "SET"),
                ('a', "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN"),
                ('a', "SELECT balance FROM accounts WHERE id = 1", "100"),
                ('b', "UPDATE accounts SET balance = 50 WHERE id = 1", "UPDATE 1"),
                ('b', "BEGIN", "BEGIN"),
                ('b', "UPDATE accounts SET balance = 60 WHERE id = 1", "UPDATE 1"),
                ('a', statement, "40001: could not serialize access due to concurrent update"),
                ('a', "ROLLBACK", "ROLLBACK"),
                ('b', "ROLLBACK", "ROLLBACK"),
            ],
        );
    }
}

#[test]
fn levels_are_chosen_before_the_first_query() {
    talk_with(
        &with_accounts(),
        &[
            (
                'a',
                "BEGIN ISOLATION LEVEL SERIALIZABLE",
                "0A000: isolation level SERIALIZABLE is not supported",
            ),
            ('a', "BEGIN", "BEGIN"),
            ('a', "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET"),
            ('a', "SHOW transaction_isolation", "repeatable read"),
            ('a', "SELECT 1", "1"),
            (
                'a',
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
                "25001: SET TRANSACTION ISOLATION LEVEL must be called before any query",
            ),
            ('a', "ROLLBACK", "ROLLBACK"),
            ('a', "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET"),
            ('a', "BEGIN", "BEGIN"),
            ('a', "SHOW transaction_isolation", "repeatable read"),
            ('a', "COMMIT", "COMMIT"),
        ],
    );
}

/// A database whose locks can be looked at, with its accounts and two clients.
fn watched(name: &str) -> (SharedEngine, [Connection; 2]) {
    let database = Database::open_with(&format!("rustdb::memory:{name}"), &Default::default()).unwrap();
    let clients = [database.connect().unwrap(), database.connect().unwrap()];
    fill(&clients[0]);
    let options = EngineOptions::new(64 << 20, Arc::new(SystemClock), Arc::new(OsRng));
    (SharedEngine::in_memory(Some(name), options, 1 << 20).unwrap(), clients)
}

fn wait_for_a_waiter(engine: &SharedEngine) {
    let waits = || {
        let engine = engine.engine().unwrap();
        engine.store().transactions().locks().entries().iter().any(|lock| !lock.granted)
    };
    while !waits() {
        std::thread::yield_now();
    }
}

/// `blocked` waits for what its neighbour holds until that does `then`.
fn while_waiting(
    engine: &SharedEngine,
    blocked: (&Connection, &str),
    then: (&Connection, &str, &str),
) -> String {
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| ask(blocked.0, blocked.1));
        wait_for_a_waiter(engine);
        assert_eq!(ask(then.0, then.1), then.2);
        waiter.join().unwrap()
    })
}

#[test]
fn a_waiting_update_is_done_on_what_it_waited_for() {
    let (engine, [a, b]) = watched("updates");
    talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = balance - 10 WHERE id = 1", "UPDATE 1")]);
    let update = "UPDATE accounts SET balance = balance - 10 WHERE id = 1 RETURNING balance";
    assert_eq!(while_waiting(&engine, (&b, update), (&a, "COMMIT", "COMMIT")), "80");
    talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = -1 WHERE id = 2", "UPDATE 1")]);
    let update = "UPDATE accounts SET balance = 7 WHERE balance = 100 RETURNING id";
    assert_eq!(while_waiting(&engine, (&b, update), (&a, "COMMIT", "COMMIT")), "");
}

#[test]
fn a_row_is_followed_to_its_new_key_and_not_taken_for_one_that_has_its_old_key() {
    let (engine, [a, b]) = watched("moves");
    let statements = [
        (
            "UPDATE accounts SET balance = balance + 1 WHERE balance < 200 RETURNING id, balance",
            "2|101 100|101",
        ),
        ("DELETE FROM accounts WHERE balance < 200 RETURNING id", "2 100"),
        ("SELECT id FROM accounts WHERE balance < 200 ORDER BY id DESC FOR UPDATE", "100 2"),
    ];
    for (statement, answer) in statements {
        talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET id = 100 WHERE id = 1", "UPDATE 1")]);
        talk(&b, &[("BEGIN", "BEGIN")]);
        assert_eq!(while_waiting(&engine, (&b, statement), (&a, "COMMIT", "COMMIT")), answer);
        talk(&b, &[("ROLLBACK", "ROLLBACK")]);
        talk(&a, &[("UPDATE accounts SET id = 1 WHERE id = 100", "UPDATE 1")]);
    }
    for (statement, answer) in [
        ("UPDATE accounts SET balance = balance + 1 RETURNING id, balance", "2|101"),
        ("DELETE FROM accounts RETURNING id", "2"),
        ("SELECT id FROM accounts FOR UPDATE", "2"),
    ] {
        let other = [
            ("BEGIN", "BEGIN"),
            ("DELETE FROM accounts WHERE id = 1", "DELETE 1"),
            ("INSERT INTO accounts VALUES (1, 100)", "INSERT 1"),
        ];
        talk(&a, &other);
        talk(&b, &[("BEGIN", "BEGIN")]);
        assert_eq!(while_waiting(&engine, (&b, statement), (&a, "COMMIT", "COMMIT")), answer);
        talk(&b, &[("ROLLBACK", "ROLLBACK")]);
    }
}

#[test]
fn who_waits_for_a_row_goes_on_when_a_savepoint_gives_it_up() {
    let (engine, [a, b]) = watched("savepoints");
    for (statement, answer) in [
        ("UPDATE accounts SET balance = balance + 1 WHERE id = 1 RETURNING balance", "101"),
        ("SELECT balance FROM accounts WHERE id = 1 FOR UPDATE", "100"),
        ("INSERT INTO accounts VALUES (3, 7) RETURNING id", "3"),
    ] {
        talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = 1 WHERE id = 2", "UPDATE 1")]);
        talk(&a, &[("SAVEPOINT s", "SAVEPOINT"), ("UPDATE accounts SET balance = 0", "UPDATE 2")]);
        talk(&a, &[("INSERT INTO accounts VALUES (3, 0)", "INSERT 1")]);
        talk(&b, &[("BEGIN", "BEGIN")]);
        let rollback = (&a, "ROLLBACK TO s", "ROLLBACK");
        assert_eq!(while_waiting(&engine, (&b, statement), rollback), answer);
        talk(&b, &[("ROLLBACK", "ROLLBACK")]);
        talk(&a, &[("ROLLBACK", "ROLLBACK")]);
    }
}

#[test]
fn one_of_a_circle_of_waits_is_a_deadlock() {
    let (engine, [a, b]) = watched("circles");
    talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = 1 WHERE id = 1", "UPDATE 1")]);
    talk(&b, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = 2 WHERE id = 2", "UPDATE 1")]);
    let answers = std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&a, "UPDATE accounts SET balance = 3 WHERE id = 2"));
        wait_for_a_waiter(&engine);
        let second = ask(&b, "UPDATE accounts SET balance = 4 WHERE id = 1");
        if second.starts_with("40P01") {
            assert_eq!(ask(&b, "ROLLBACK"), "ROLLBACK");
        }
        let first = first.join().unwrap();
        [first, second]
    });
    let deadlocks = answers.iter().filter(|answer| answer.starts_with("40P01: deadlock detected")).count();
    assert_eq!((deadlocks, answers.contains(&"UPDATE 1".to_owned())), (1, true), "{answers:?}");
}

#[test]
fn waits_end_in_time() {
    let [a, b] = with_accounts();
    talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = 1 WHERE id = 1", "UPDATE 1")]);
    talk(
        &b,
        &[
            ("SET lock_timeout = '20ms'", "SET"),
            (
                "UPDATE accounts SET balance = 2 WHERE id = 1",
                "55P03: canceling statement due to lock timeout",
            ),
            ("DROP TABLE accounts", "55P03: canceling statement due to lock timeout"),
            ("SET lock_timeout = 0", "SET"),
            ("SET statement_timeout = '20ms'", "SET"),
            (
                "UPDATE accounts SET balance = 2 WHERE id = 1",
                "57014: canceling statement due to statement timeout",
            ),
            (
                "SELECT count(*) FROM generate_series(1, 100000000) AS a, generate_series(1, 100000000) AS b",
                "57014: canceling statement due to statement timeout",
            ),
            ("SELECT balance FROM accounts WHERE id = 1", "100"),
        ],
    );
}

#[test]
fn a_statement_is_interrupted_from_another_thread() {
    let (engine, [a, b]) = watched("interrupts");
    talk(&a, &[("BEGIN", "BEGIN"), ("UPDATE accounts SET balance = 1 WHERE id = 1", "UPDATE 1")]);
    let handle = b.interrupt_handle();
    // Nothing is running: nothing is stopped.
    handle.interrupt();
    assert_eq!(ask(&b, "SELECT 1"), "1");
    let answer = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| ask(&b, "UPDATE accounts SET balance = 2 WHERE id = 1"));
        wait_for_a_waiter(&engine);
        handle.interrupt();
        waiter.join().unwrap()
    });
    assert_eq!(answer, "57014: canceling statement due to user request");
    assert_eq!(ask(&b, "SELECT 1"), "1");
}

#[test]
fn a_table_that_changed_during_the_wait_is_looked_at_again() {
    let (engine, [a, b]) = watched("renewals");
    talk(&a, &[("BEGIN", "BEGIN"), ("DROP TABLE accounts", "DROP TABLE")]);
    let gone = while_waiting(&engine, (&b, "SELECT balance FROM accounts"), (&a, "COMMIT", "COMMIT"));
    assert_eq!(gone, "42P01: relation \"accounts\" does not exist");
    talk(
        &a,
        &[
            ("CREATE TABLE accounts (id int)", "CREATE TABLE"),
            ("BEGIN", "BEGIN"),
            ("DROP TABLE accounts", "DROP TABLE"),
            ("CREATE TABLE accounts (name text)", "CREATE TABLE"),
            ("INSERT INTO accounts VALUES ('new')", "INSERT 1"),
        ],
    );
    let renewed = while_waiting(&engine, (&b, "SELECT * FROM accounts"), (&a, "COMMIT", "COMMIT"));
    assert_eq!(renewed, "new");
}

#[test]
fn errors_of_a_prepared_statement_are_those_of_its_run() {
    let [a, _] = with_accounts();
    let divide = a.prepare("SELECT balance / $1 FROM accounts WHERE id = 1").unwrap();
    assert_eq!(divide.query((4,)).and_then(text).unwrap(), "25");
    let failed = divide.query((0,)).and_then(text).unwrap_err();
    assert_eq!(said(&failed), "22012: division by zero");
    assert_eq!(divide.query((5,)).and_then(text).unwrap(), "20");
}

#[test]
fn an_index_made_since_the_snapshot_is_not_asked() {
    let clients = two();
    talk(
        &clients[0],
        &[
            ("create table t (id int primary key, v int)", "CREATE TABLE"),
            ("insert into t select i, i % 1000 from generate_series(1, 5000) as g(i)", "INSERT 5000"),
        ],
    );
    talk_with(
        &clients,
        &[
            ('a', "begin isolation level repeatable read", "BEGIN"),
            ('a', "select count(*) from t where v = 7", "5"),
            ('b', "update t set v = 8 where v = 7", "UPDATE 5"),
            ('b', "create index t_v on t (v)", "CREATE INDEX"),
            ('b', "select count(*) from t where v = 7", "0"),
            ('a', "select count(*) from t where v = 7", "5"),
            ('a', "select count(*) from t where v = 8", "5"),
            ('a', "commit", "COMMIT"),
            ('a', "select count(*) from t where v = 8", "10"),
        ],
    );
    let plan = ask(&clients[0], "explain select count(*) from t where v = 8");
    assert!(plan.contains("t_v"), "{plan}");
}
