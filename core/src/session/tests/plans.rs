//! Plans of one question that must answer alike: scans whose filters few rows pass, which read the other columns of those
//! alone; conditions that an index could answer; joins of more tables than are ordered together.

use super::{ask, talk, two};

/// Rows in which `rare` is set in one of a thousand, `half` in every second, and `late` only at the end.
const FILL: &str = "INSERT INTO t SELECT i, i % 1000 = 7, i % 2 = 0, i > 100000, \
    CASE WHEN i % 5 = 0 THEN NULL ELSE 'text of some length ' || i END, CASE WHEN i % 3 > 0 THEN i * 2 END, 'ab' || i % 9 \
    FROM generate_series(1, 120000) AS g(i)";

const CREATE: &str = "CREATE TABLE t (id int PRIMARY KEY, rare boolean, half boolean, late boolean, word text, \
    double bigint, short text)";

#[test]
fn casts_that_change_the_column_do_not_use_its_index() {
    let [a, _] = two();
    talk(
        &a,
        &[
            ("CREATE TABLE s (t text PRIMARY KEY, v varchar(8) UNIQUE, b bigint UNIQUE)", "CREATE TABLE"),
            (
                "INSERT INTO s SELECT lpad(g::text, 5, '0') || 'x', g, g FROM generate_series(1, 20000) AS g(g)",
                "INSERT 20000",
            ),
            ("INSERT INTO s VALUES ('big', NULL, 5000000000)", "INSERT 1"),
            ("ANALYZE s", "ANALYZE"),
            ("SELECT count(*) FROM s WHERE t::varchar(5) = '00007'", "1"),
            ("SELECT count(*) FROM s WHERE t::varchar(5) > '19990' AND t::varchar(5) < '19992'", "1"),
            ("SELECT count(*) FROM s WHERE v::varchar(3) = '123'", "111"),
            ("UPDATE s SET b = b WHERE t::varchar(5) > '19990' AND t::varchar(5) < '19992'", "UPDATE 1"),
            ("DELETE FROM s WHERE t::varchar(5) > '19990' AND t::varchar(5) < '19992'", "DELETE 1"),
            ("SELECT t FROM s WHERE t = '19990x'", "19990x"),
            ("SELECT count(*) FROM s WHERE b::int = 7", "22003: integer out of range"),
            ("SELECT count(*) FROM s WHERE b::smallint = 7", "22003: smallint out of range"),
        ],
    );
    // Those that only widen it do.
    for condition in ["v::text = '77'", "v::varchar(9) = '77'", "t::varchar = '00077x'", "b = 77::int"] {
        let plan = ask(&a, &format!("EXPLAIN SELECT * FROM s WHERE {condition}"));
        assert!(plan.contains("Index Scan"), "{condition}: {plan}");
    }
}

#[test]
fn rare_rows_are_whole() {
    let [a, _] = two();
    talk(&a, &[(CREATE, "CREATE TABLE"), (FILL, "INSERT 120000")]);
    for (condition, remainder) in [
        ("rare", "id % 1000 = 7"),
        ("rare AND half", "false"),
        ("late AND rare", "id > 100000 AND id % 1000 = 7"),
    ] {
        // The same rows by a condition that reads all columns.
        let all = "coalesce(word, '') || coalesce(double, 0) || short IS NOT NULL";
        let columns = "count(*), count(word), sum(length(word)), sum(double), min(short), max(word), sum(id)";
        let lazy = ask(&a, &format!("SELECT {columns} FROM t WHERE {condition}"));
        let whole = ask(&a, &format!("SELECT {columns} FROM t WHERE {remainder} AND {all}"));
        assert_eq!(lazy, whole, "{condition}");
    }
    talk(
        &a,
        &[
            (
                "SELECT count(*), count(word), sum(double), sum(id) FROM t WHERE rare",
                "120|120|9441120|7140840",
            ),
            (
                "SELECT id, word, double, short FROM t WHERE rare AND late ORDER BY id LIMIT 2",
                "100007|text of some length 100007|200014|ab8 101007|text of some length 101007|null|ab0",
            ),
            ("SELECT count(*), sum(double) FROM t WHERE late AND half AND id % 4 = 2", "5000|733266668"),
        ],
    );
}

#[test]
fn rare_rows_are_as_the_snapshot_has_them() {
    let [a, b] = two();
    talk(&a, &[(CREATE, "CREATE TABLE"), (FILL, "INSERT 120000")]);
    let sum = "SELECT count(*), sum(double), max(word), max(short) FROM t WHERE rare";
    talk(&b, &[("BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN")]);
    let before = ask(&b, sum);
    talk(
        &a,
        &[
            (
                "UPDATE t SET double = -1, word = 'z changed', short = 'zz' WHERE rare AND id > 50000",
                "UPDATE 70",
            ),
            ("DELETE FROM t WHERE rare AND id <= 10000", "DELETE 10"),
            ("UPDATE t SET rare = true WHERE id = 3", "UPDATE 1"),
        ],
    );
    assert_eq!(ask(&b, sum), before);
    talk(&b, &[("COMMIT", "COMMIT")]);
    assert_eq!(ask(&b, sum), "111|1606308|z changed|zz");
}

#[test]
fn joins_that_few_rows_survive() {
    let [a, _] = two();
    talk(
        &a,
        &[
            (CREATE, "CREATE TABLE"),
            (FILL, "INSERT 120000"),
            ("CREATE TABLE keys (k bigint, w text)", "CREATE TABLE"),
            ("INSERT INTO keys SELECT i * 4001, 'k' || i FROM generate_series(1, 40) AS g(i)", "INSERT 40"),
            ("ANALYZE", "ANALYZE"),
            // By a dense range of values, by a bloom filter, by words.
            (
                "SELECT count(*), sum(id), max(word), max(w) FROM t JOIN keys ON id = k",
                "29|1740435|text of some length 96024|k9",
            ),
            (
                "SELECT count(*), count(word), max(word) FROM t JOIN keys ON double = k * 2 - 2 AND short <> 'ab0'",
                "19|15|text of some length 96023",
            ),
            (
                "SELECT count(*), sum(id) FROM t WHERE EXISTS (SELECT FROM keys WHERE 'text of some length ' || k = word)",
                "24|1440360",
            ),
            (
                "SELECT count(*), sum(id) FROM t WHERE rare AND NOT EXISTS (SELECT FROM keys WHERE k % 1000 = id % 1000)",
                "0|null",
            ),
            ("SELECT k FROM keys WHERE EXISTS (SELECT FROM t WHERE id = k AND rare) ORDER BY 1", "28007"),
            (
                "SELECT count(*) FROM keys WHERE NOT EXISTS (SELECT FROM t WHERE id = k AND short <> 'ab1')",
                "15",
            ),
            ("SELECT count(*) FROM t RIGHT JOIN keys ON id = k AND rare", "40"),
            ("SELECT count(*), count(id) FROM keys LEFT JOIN t ON id = k AND rare", "40|1"),
        ],
    );
}

#[test]
fn groups_nobody_asks_for() {
    let [a, _] = two();
    talk(
        &a,
        &[
            (CREATE, "CREATE TABLE"),
            (FILL, "INSERT 120000"),
            ("CREATE TABLE few (s text)", "CREATE TABLE"),
            ("INSERT INTO few VALUES ('ab1'), ('ab4'), (NULL), ('no')", "INSERT 4"),
            ("ANALYZE", "ANALYZE"),
            (
                "SELECT g.short, n, total FROM few JOIN (SELECT short, count(*) AS n, sum(id) AS total FROM t GROUP BY short) g \
             ON g.short = s ORDER BY 1",
                "ab1|13334|800033333 ab4|13333|799953334",
            ),
            (
                "SELECT s, (SELECT max(id) FROM t WHERE short = s) FROM few ORDER BY s NULLS FIRST",
                "null|null ab1|119998 ab4|119992 no|null",
            ),
        ],
    );
}

#[test]
fn joins_of_more_tables_than_are_ordered_together() {
    let [a, _] = two();
    talk(
        &a,
        &[
            ("CREATE TABLE j (id int PRIMARY KEY)", "CREATE TABLE"),
            ("INSERT INTO j VALUES (1), (2)", "INSERT 2"),
        ],
    );
    for tables in [62, 63, 64, 65, 70] {
        let from: Vec<String> = (0..tables).map(|i| format!("j t{i}")).collect();
        let equal: Vec<String> = (1..tables).map(|i| format!("t{i}.id = t{}.id", i - 1)).collect();
        let sql = format!("SELECT sum(t0.id) FROM {} WHERE {}", from.join(", "), equal.join(" AND "));
        assert_eq!(ask(&a, &sql), "3", "{tables} tables");
        // A product: one row of each, but for the last.
        let one: Vec<String> = (1..tables).map(|i| format!("t{i}.id = 1")).collect();
        let sql = format!("SELECT count(*) FROM {} WHERE {}", from.join(", "), one.join(" AND "));
        assert_eq!(ask(&a, &sql), "2", "{tables} tables");
    }
}

/// Rows with a key, a hundred values of `a` and as many of `b` as rows.
const PAIRS: [(&str, &str); 3] = [
    ("CREATE TABLE pairs (id int PRIMARY KEY, a int, b int)", "CREATE TABLE"),
    ("INSERT INTO pairs SELECT g, g % 100, g FROM generate_series(1, 20000) AS g(g)", "INSERT 20000"),
    ("ANALYZE pairs", "ANALYZE"),
];

#[test]
fn subqueries_are_asked_for_the_rows_that_are_left() {
    let [a, _] = two();
    talk(&a, &PAIRS);
    let counts = "(SELECT count(*) FROM pairs y WHERE y.a < x.b)";
    for (sql, answer) in [
        (format!("SELECT * FROM (SELECT x.id, {counts} FROM pairs x) q WHERE id = 1"), "1|200"),
        (format!("SELECT x.id, l.n FROM pairs x, LATERAL {counts} l(n) WHERE x.id = 2"), "2|400"),
        (
            format!(
                "SELECT id FROM pairs x WHERE {counts} > 500 AND id = 3 AND EXISTS (SELECT FROM pairs y WHERE y.b = x.a)"
            ),
            "3",
        ),
    ] {
        let plan = ask(&a, &format!("EXPLAIN {sql}"));
        assert!(plan.contains("Seq Scan on pairs x  (rows=1)"), "{sql}: {plan}");
        assert_eq!(ask(&a, &sql), answer, "{sql}");
    }
}

#[test]
fn rows_are_looked_up_by_what_is_never_null() {
    let [a, _] = two();
    talk(&a, &PAIRS);
    for (sql, answer) in [
        ("SELECT count(*) FROM pairs WHERE (id, a) NOT IN (SELECT id + 150, a + 50 FROM pairs)", "10051"),
        (
            "SELECT count(*) FROM pairs WHERE (id, a) IN (SELECT id + 150, a + 50 FROM pairs) OR a = 3",
            "10149",
        ),
        (
            "SELECT count(*) FROM pairs x WHERE (id, a) NOT IN (SELECT id + 150, a + 50 FROM pairs y WHERE y.b + 150 = x.b)",
            "10051",
        ),
    ] {
        let plan = ask(&a, &format!("EXPLAIN {sql}"));
        assert!(plan.contains("Hash Mark Join") && !plan.contains("Nested Loop"), "{sql}: {plan}");
        assert_eq!(ask(&a, sql), answer, "{sql}");
    }
}

#[test]
fn subqueries_meet_the_rows_that_ask_them() {
    let [a, _] = two();
    talk(&a, &PAIRS);
    // One column of the outer row is equal to one of the inner row, another is read beside it.
    let sql = "SELECT sum(z) FROM (SELECT (SELECT y.b / (x.a - y.a + 1) FROM pairs y WHERE y.id = x.id) AS z FROM pairs x) q";
    let plan = ask(&a, &format!("EXPLAIN {sql}"));
    assert!(!plan.contains("Nested Loop"), "{plan}");
    assert_eq!(ask(&a, sql), "200010000");
}

const FEW: [(&str, &str); 3] = [
    ("CREATE TABLE few (id int PRIMARY KEY)", "CREATE TABLE"),
    ("INSERT INTO few SELECT g FROM generate_series(1, 10) AS g(g)", "INSERT 10"),
    ("ANALYZE few", "ANALYZE"),
];

#[test]
fn rows_are_dropped_before_outer_joins_and_joins_below_subqueries() {
    let [a, _] = two();
    talk(&a, &PAIRS);
    talk(&a, &FEW);
    for (sql, join, answer) in [
        // The inner join is written after the outer one.
        (
            "SELECT count(y.a), count(*) FROM pairs x LEFT JOIN pairs y ON y.a = x.b JOIN few f ON f.id = x.id",
            "Hash Right Join  (rows=10)",
            "2000|2000",
        ),
        (
            "SELECT count(y.a), count(*) FROM few f JOIN (pairs y RIGHT JOIN pairs x ON y.a = x.b) ON f.id = x.id",
            "Hash Right Join  (rows=10)",
            "2000|2000",
        ),
        // A subquery that few rows pass, and one that is asked for few.
        (
            "SELECT count(*) FROM pairs x JOIN pairs y ON y.a = x.a WHERE EXISTS (SELECT FROM few f WHERE f.id = x.id)",
            "Hash Semi Join  (rows=10)",
            "2000",
        ),
        (
            "SELECT count(*) FROM pairs x JOIN few f ON f.id = x.id WHERE NOT EXISTS (SELECT FROM pairs y WHERE y.a = x.b + 95)",
            "Hash Right Anti Join  (rows=4)",
            "6",
        ),
    ] {
        let plan = ask(&a, &format!("EXPLAIN {sql}"));
        assert!(plan.contains(join), "{sql}: {plan}");
        assert_eq!(ask(&a, sql), answer, "{sql}");
    }
}

#[test]
fn products_are_of_what_is_small() {
    let [a, _] = two();
    talk(&a, &PAIRS);
    talk(&a, &FEW);
    for (sql, answer) in [
        (
            "SELECT count(*) FROM pairs p, pairs q, few f, few g WHERE p.id = f.id + g.id AND q.id = f.id - g.id",
            "45",
        ),
        ("SELECT count(*) FROM few f, pairs p, few g WHERE f.id + g.id = p.id", "100"),
        (
            "SELECT count(p.id) FROM few h LEFT JOIN (few f CROSS JOIN few g) ON f.id + g.id = h.id LEFT JOIN pairs p ON p.id = h.id",
            "46",
        ),
    ] {
        let plan = ask(&a, &format!("EXPLAIN {sql}"));
        assert!(plan.contains("Index Join") || plan.contains("Index Left Join"), "{sql}: {plan}");
        assert_eq!(ask(&a, sql), answer, "{sql}");
    }
}

#[test]
fn conditions_of_outer_joins_are_asked_for_the_rows_they_are_written_for() {
    let [a, _] = two();
    talk(
        &a,
        &[
            ("CREATE TABLE x (id int, d int)", "CREATE TABLE"),
            ("INSERT INTO x SELECT g, g % 10 FROM generate_series(0, 999) AS g(g)", "INSERT 1000"),
            ("CREATE TABLE y (k int)", "CREATE TABLE"),
            (
                "INSERT INTO y SELECT g % 1000 FROM generate_series(0, 9999) AS g(g) WHERE g % 10 <> 0",
                "INSERT 9000",
            ),
            ("CREATE TABLE z (v int)", "CREATE TABLE"),
            ("INSERT INTO z SELECT g FROM generate_series(1, 10) AS g(g)", "INSERT 10"),
            ("ANALYZE", "ANALYZE"),
            // The rows for which it fails are dropped by the join below.
            ("SELECT count(*), count(v) FROM x JOIN y ON k = id LEFT JOIN z ON v = 10 / d", "9000|9000"),
            (
                "SELECT count(*) FROM x JOIN y ON k = id WHERE NOT EXISTS (SELECT FROM z WHERE v = 5 / d)",
                "4000",
            ),
            (
                "SELECT count(*) FROM (SELECT * FROM x WHERE d IN (SELECT v FROM z)) x JOIN z ON v = 10 / d",
                "900",
            ),
            // A row of x has a partner or it has none, for all rows of y.
            (
                "SELECT count(*) FROM (SELECT id FROM x LEFT JOIN z ON v = d AND random() < 0.5 JOIN y ON k = id \
                 GROUP BY id HAVING count(*) <> count(v) AND count(v) > 0) q",
                "0",
            ),
        ],
    );
}
