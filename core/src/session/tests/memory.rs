//! Long strings and little memory.

use super::{ask, talk};
use crate::database::{Connection, Database, OpenOptions};
use crate::types::CHUNK_BYTES;

/// A client of a database in memory that may use so much.
fn limited(limit: &str) -> Connection {
    let database = Database::open_with(":memory:", &OpenOptions::default()).unwrap();
    let client = database.connect().unwrap();
    talk(&client, &[(&format!("SET memory_limit = '{limit}'"), "SET")]);
    client
}

/// Rows of a result, and the most bytes that the strings of one of its chunks have.
fn largest_chunk(client: &Connection, sql: &str) -> (usize, usize) {
    let mut rows = client.query(sql, ()).unwrap();
    let (mut count, mut largest) = (0, 0);
    while let Some(chunk) = rows.next_chunk().unwrap() {
        chunk.verify();
        count += chunk.count();
        largest = largest.max(chunk.string_bytes());
    }
    (count, largest)
}

#[test]
fn chunks_end_where_their_strings_are_many_bytes() {
    let client = limited("64MB");
    talk(
        &client,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, n int, k int, s text)", "CREATE TABLE"),
            (
                "INSERT INTO t SELECT g, CASE WHEN g > 39960 THEN 50000 ELSE g END, (g - 1) % 1000, \
                 CASE WHEN g > 39960 THEN repeat(md5(g::text), 6000) ELSE 'short' END \
                 FROM generate_series(1, 40000) g",
                "INSERT 40000",
            ),
            ("CREATE INDEX ON t (n)", "CREATE INDEX"),
            ("CREATE TABLE l (n int)", "CREATE TABLE"),
            ("INSERT INTO l VALUES (50000)", "INSERT 1"),
            ("ANALYZE", "ANALYZE"),
        ],
    );
    for (way, sql, count) in [
        ("Seq Scan", "SELECT * FROM t", 40_000),
        ("Seq Scan", "SELECT id, s FROM t WHERE k >= 960", 1600),
        ("Index Scan", "SELECT s FROM t WHERE n = 50000", 40),
        ("Index", "SELECT s FROM l JOIN t ON l.n = t.n", 40),
    ] {
        let plan = ask(&client, &format!("EXPLAIN {sql}"));
        assert!(plan.contains(way), "{sql}: {plan}");
        let (rows, largest) = largest_chunk(&client, sql);
        assert_eq!(rows, count, "{sql}");
        assert!(largest < 4 * CHUNK_BYTES, "{sql}: {largest}");
    }
    // What is read in parts is all there.
    for condition in ["k >= 960 AND n > 39990", "id > 39960", "n = 50000"] {
        let sql = format!("SELECT count(*), sum(length(s)), min(id), max(id) FROM t WHERE {condition}");
        assert_eq!(ask(&client, &sql), "40|7680000|39961|40000", "{condition}");
    }
}

#[test]
fn joins_of_wide_rows_spill() {
    let client = limited("4MB");
    talk(
        &client,
        &[
            ("CREATE TABLE w (id int, s text)", "CREATE TABLE"),
            (
                "INSERT INTO w SELECT g, repeat(md5(g::text), 128) FROM generate_series(1, 5000) g",
                "INSERT 5000",
            ),
            ("SELECT count(*), max(a.s) > max(b.s) FROM w a JOIN w b ON a.id = b.id", "5000|f"),
            (
                "SELECT count(*), count(a.s), count(b.s) FROM w a FULL JOIN w b ON a.id = b.id + 2500",
                "7500|5000|5000",
            ),
        ],
    );
}

#[test]
fn many_first_rows_go_to_disk() {
    let client = limited("4MB");
    talk(
        &client,
        &[
            ("CREATE TABLE w (id int, s text)", "CREATE TABLE"),
            (
                "INSERT INTO w SELECT g, repeat(md5(g::text), 128) FROM generate_series(1, 4000) g",
                "INSERT 4000",
            ),
            (
                "SELECT sum(length(s)), min(s) = (SELECT min(s) FROM w) FROM (SELECT s FROM w ORDER BY s LIMIT 2000) q",
                "8192000|t",
            ),
            ("SELECT id FROM w ORDER BY id DESC, s LIMIT 2 OFFSET 3000", "1000 999"),
            (
                "SELECT min(id), max(id), count(s) FROM (SELECT id, s FROM w ORDER BY id, s LIMIT 1500 OFFSET 1000) q",
                "1001|2500|1500",
            ),
        ],
    );
}

#[test]
fn rows_with_new_keys_wait_on_disk() {
    let client = limited("4MB");
    let table = "SELECT count(*), min(id), max(id), sum(length(s)), \
                 sum(CASE WHEN s = repeat(md5((id - 1)::text), 32) THEN 1 ELSE 0 END) FROM m";
    talk(
        &client,
        &[
            ("CREATE TABLE m (id int PRIMARY KEY, n int, s text)", "CREATE TABLE"),
            (
                "INSERT INTO m SELECT g, 1, repeat(md5(g::text), 32) FROM generate_series(1, 6000) g",
                "INSERT 6000",
            ),
            ("UPDATE m SET id = id + 1, n = n + 1", "UPDATE 6000"),
            (table, "6000|2|6001|6144000|6000"),
            ("SELECT min(n), max(n) FROM m", "2|2"),
            (
                "UPDATE m SET id = 7 WHERE id = 9",
                "23505: duplicate key value violates unique constraint \"m_pkey\"",
            ),
            (
                "UPDATE m SET id = CASE WHEN id > 3 THEN id ELSE -id END WHERE id < 6 RETURNING id",
                "-2 -3 4 5",
            ),
        ],
    );
}

#[test]
fn large_states_come_out_in_small_chunks() {
    let client = limited("64MB");
    talk(
        &client,
        &[
            ("CREATE TABLE t (k int, s text)", "CREATE TABLE"),
            (
                "INSERT INTO t SELECT g % 40, repeat(md5(g::text), 60) FROM generate_series(1, 4000) g",
                "INSERT 4000",
            ),
        ],
    );
    let sql = "SELECT k, string_agg(s, '') FROM t GROUP BY k";
    for limit in ["64MB", "4MB"] {
        talk(&client, &[(&format!("SET memory_limit = '{limit}'"), "SET")]);
        let (rows, largest) = largest_chunk(&client, sql);
        assert_eq!(rows, 40);
        assert!(largest < 3 * CHUNK_BYTES, "{limit}: {largest}");
        let sums = format!("SELECT count(*), min(length(a)), max(length(a)) FROM ({sql}) q(k, a)");
        assert_eq!(ask(&client, &sums), "40|192000|192000");
    }
}

#[test]
fn few_very_long_rows_are_sorted() {
    let client = limited("4MB");
    talk(
        &client,
        &[
            ("CREATE TABLE t (id int, s text)", "CREATE TABLE"),
            ("INSERT INTO t SELECT g, repeat(md5(g::text), 9000) FROM generate_series(1, 40) g", "INSERT 40"),
        ],
    );
    let sorted = "SELECT id, length(s) FROM (SELECT id, s FROM t ORDER BY s OFFSET 1) q";
    let expected = ask(&client, "SELECT id, 288000 FROM t ORDER BY md5(id::text) OFFSET 1");
    assert_eq!(ask(&client, sorted), expected);
}
