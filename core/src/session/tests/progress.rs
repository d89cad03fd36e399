//! How far statements are, as another thread may ask.

use super::{ask, one, talk, two};
use crate::database::Connection;

/// Reads a result chunk by chunk; the fractions before each.
fn watched(client: &Connection, sql: &str) -> Vec<f64> {
    let progress = client.progress_handle();
    let mut rows = client.query(sql, ()).unwrap();
    let mut seen = Vec::new();
    loop {
        let fraction = progress.fraction();
        let more = rows.next_chunk().unwrap().is_some();
        seen.extend(fraction);
        if !more {
            break;
        }
    }
    assert_eq!(progress.fraction(), None, "{sql} has ended");
    assert!(seen.is_sorted(), "{sql} falls back: {seen:?}");
    assert!(seen.iter().all(|fraction| (0.0..=1.0).contains(fraction)), "{sql}: {seen:?}");
    seen
}

/// A client of a table that one thread reads.
fn filled() -> Connection {
    let client = one();
    talk(
        &client,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, n int)", "CREATE TABLE"),
            ("INSERT INTO t SELECT i, i % 1000 FROM generate_series(1, 40000) AS g(i)", "INSERT 40000"),
            ("ANALYZE t", "ANALYZE"),
        ],
    );
    client
}

#[test]
fn a_scan_advances_by_the_rows_it_reads() {
    let client = filled();
    let seen = watched(&client, "SELECT id FROM t");
    assert!(seen.len() > 10, "a fraction for each chunk: {seen:?}");
    assert!(seen[0] < 0.9 && seen[0] > 0.0, "{seen:?}");
    assert!(*seen.last().unwrap() > 0.9, "{seen:?}");
}

#[test]
fn rows_that_are_passed_over_are_work_too() {
    let seen = watched(&filled(), "SELECT id FROM t WHERE id % 40000 < 6000 OR id % 40000 > 39000");
    assert!(seen[0] < 0.2 && *seen.last().unwrap() > 0.95, "{seen:?}");
}

#[test]
fn what_comes_after_a_scan_is_work_of_its_own() {
    let client = filled();
    let seen = watched(&client, "SELECT id FROM t ORDER BY n");
    // All is read and as much is to be given.
    assert!((0.4..0.7).contains(&seen[0]), "{seen:?}");
    assert!(*seen.last().unwrap() > 0.95, "{seen:?}");
    let seen = watched(&client, "SELECT a.id FROM t AS a JOIN t AS b USING (id)");
    assert!((0.4..0.9).contains(&seen[0]), "one side is read: {seen:?}");
}

#[test]
fn short_statements_have_no_progress() {
    let client = filled();
    let progress = client.progress_handle();
    for sql in ["SELECT n FROM t WHERE id = 7", "SELECT 1", "VALUES (1), (2)"] {
        let rows = client.query(sql, ()).unwrap();
        assert_eq!(progress.fraction(), None, "{sql}");
        drop(rows);
    }
}

#[test]
fn a_result_that_is_left_has_no_progress() {
    let client = filled();
    let progress = client.progress_handle();
    let rows = client.query("SELECT id FROM t", ()).unwrap();
    assert!(progress.fraction().is_some());
    drop(rows);
    assert_eq!(ask(&client, "SELECT 1"), "1");
    assert_eq!(progress.fraction(), None);
    let failing = "SELECT sum(1 / (id - 20000)) FROM t";
    assert_eq!(ask(&client, failing), "22012: division by zero");
    assert_eq!(progress.fraction(), None);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a file of the user's")]
fn copy_advances_by_the_bytes_of_its_file() {
    let path = std::env::temp_dir().join(format!("rustdb-progress-{}.csv", std::process::id()));
    let line = |id| format!("{id},{}\n", "x".repeat(1000));
    std::fs::write(&path, (1..=4000).map(line).collect::<String>()).unwrap();
    let [a, b] = two();
    talk(&a, &[("CREATE TABLE t (id int PRIMARY KEY, s text)", "CREATE TABLE"), ("BEGIN", "BEGIN")]);
    // The first row of the file waits for this one.
    assert_eq!(ask(&a, "INSERT INTO t VALUES (1, 'a')"), "INSERT 1");
    // It ends some time, whatever it shows.
    assert_eq!(ask(&b, "SET lock_timeout = '30s'"), "SET");
    let progress = b.progress_handle();
    let sql = format!("COPY t FROM '{}' (FORMAT csv)", path.display());
    let reached = std::thread::scope(|scope| {
        let copy = scope.spawn(|| ask(&b, &sql));
        let reached = loop {
            match progress.fraction() {
                Some(fraction) if fraction > 0.0 => break fraction,
                _ if copy.is_finished() => break 0.0,
                _ => std::thread::yield_now(),
            }
        };
        assert_eq!(ask(&a, "ROLLBACK"), "ROLLBACK");
        assert_eq!(copy.join().unwrap(), "COPY 4000");
        reached
    });
    std::fs::remove_file(&path).unwrap();
    assert!((0.2..0.9).contains(&reached), "a block or two of four megabytes: {reached}");
    assert_eq!(progress.fraction(), None);
}
