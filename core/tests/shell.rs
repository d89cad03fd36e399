//! The shell from outside: what it is given and what it writes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs the shell with some arguments and this on its standard input.
fn shell(arguments: &[&str], input: &str) -> Output {
    let mut shell = Command::new(env!("CARGO_BIN_EXE_rustdb"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut pipe = shell.stdin.take().expect("piped");
    pipe.write_all(input.as_bytes()).expect("the shell reads");
    drop(pipe);
    shell.wait_with_output().expect("the shell ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What every way into the engine must answer alike (`tests/parity/steps.txt`): rows on the output, errors where they
/// belong.
#[test]
fn the_shell_answers_as_all_do() {
    let steps = include_str!("../../tests/parity/steps.txt");
    let (mut script, mut rows, mut errors) = (String::new(), String::new(), Vec::new());
    for block in steps.split("\n\n").filter(|block| !block.starts_with('#') && !block.contains("\n% ")) {
        let is_answer = |line: &&str| matches!(line.as_bytes(), [b'=' | b'~' | b'!', b' ', ..]);
        let (answer, sql): (Vec<&str>, Vec<&str>) = block.lines().partition(is_answer);
        script += &format!("{};\n", sql.join("\n"));
        for line in answer {
            match line.split_at(2) {
                ("= ", row) => rows += &format!("{row}\n"),
                ("! ", state) => errors.push(state),
                _ => {}
            }
        }
    }
    let output = shell(&["--mode", "list", "--no-header", "--nullvalue", "null"], &script);
    assert_eq!(text(&output.stdout), rows);
    let complaints = text(&output.stderr);
    let states = complaints.lines().filter_map(|line| line.strip_prefix("ERROR:  ")?.get(..5));
    assert_eq!(states.collect::<Vec<_>>(), errors, "{complaints}");
    assert_eq!(output.status.code(), Some(1), "some steps fail");
}

/// A statement that is stopped after a time longer than it takes a bar to appear, and has done nothing by then.
const LONG: &str = "SET statement_timeout = '2500ms'; SELECT count(*) FROM generate_series(1, 100000000000);";

#[test]
fn pipes_get_no_progress_bar() {
    let output = shell(&[], LONG);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "ERROR:  57014: canceling statement due to statement timeout\n");
}

#[test]
fn a_progress_bar_is_gone_when_its_statement_ends() {
    let output = shell(&["--progress", "on"], LONG);
    assert_eq!(text(&output.stdout), "");
    let complaints = text(&output.stderr);
    let mut drawn: Vec<&str> = complaints.split('\r').collect();
    assert_eq!(drawn.pop(), Some("ERROR:  57014: canceling statement due to statement timeout\n"));
    assert_eq!(drawn.pop().map(str::trim), Some(""), "blanks over the bar: {complaints:?}");
    assert_eq!(drawn.remove(0), "", "{complaints:?}");
    assert!(!drawn.is_empty() && drawn.iter().all(|line| line.starts_with("[....")), "{complaints:?}");
}

/// A table with every type, its extremes and texts that need quotes.
const EVERYTHING: &str = r#"
CREATE TABLE "every ""type""" (
    b boolean, i2 smallint, i4 integer PRIMARY KEY, i8 bigint, r real, d double precision, n numeric(38,10),
    t text, v varchar(20), c char(5), y bytea, "date" date, tm time, ts timestamp, tz timestamptz, iv interval, u uuid,
    "Default" text NOT NULL DEFAULT 'it''s; -- "so"', CONSTRAINT "Check; this" CHECK (length(t) < 1000));
INSERT INTO "every ""type""" VALUES
    (true, -32768, -2147483648, -9223372036854775808, 'NaN', '-Infinity', -9999999999999999999999999999.9999999999,
     E'a\nb\r\nc; -- ''"\\$1', 'ä€', 'x', '\x00ff27', '-infinity', '00:00', 'infinity', '-infinity',
     '-1 year -2 mons +3 days -04:05:06.789', '00000000-0000-0000-0000-000000000000', ''),
    (false, 32767, 2147483647, 9223372036854775807, '1e-45', '5e-324', 9999999999999999999999999999.9999999999,
     '', ' ', '', '', '4713-01-01 BC', '24:00', '294276-12-31 23:59:59.999999', '2000-01-01 00:00:00.000001+13:59',
     '178000000 years', 'ffffffff-ffff-ffff-ffff-ffffffffffff', E'\n.tables\n'),
    (NULL, NULL, 0, NULL, '-0', '-0', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, DEFAULT),
    (NULL, NULL, 1, NULL, '3.4028235e38', '1.7976931348623157e308', 0.1, NULL, NULL, NULL, NULL, '0001-01-01',
     '23:59:59.999999', '0001-01-01 00:00:00 BC', NULL, '0', NULL, DEFAULT),
    (NULL, NULL, 2, NULL, '0.1', '0.30000000000000004', 123.4560000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, DEFAULT);
CREATE TABLE "select" ("from" int, "Where" text, UNIQUE ("from", "Where"));
INSERT INTO "select" SELECT i, 'row ' || i FROM generate_series(1, 5000) AS g(i);
CREATE UNIQUE INDEX "an Index" ON "select" ("Where" DESC NULLS LAST, "from" NULLS FIRST);
CREATE TABLE "no columns" ();
INSERT INTO "no columns" DEFAULT VALUES;
INSERT INTO "no columns" DEFAULT VALUES;
"#;

#[test]
fn a_dump_makes_the_same_database() {
    let queries = r#"SELECT * FROM "every ""type""" ORDER BY i4; SELECT * FROM "select" ORDER BY 1;
        SELECT count(*) FROM "no columns"; INSERT INTO "select" VALUES (1, 'row 1');
        INSERT INTO "every ""type""" (i4, t) VALUES (9, repeat('x', 1000));"#;
    let made = shell(&["--mode", "json"], &format!("{EVERYTHING}.dump\n.schema\n.mode json\n{queries}"));
    let all = text(&made.stdout);
    let (dump, rest) = all.split_at(all.find("COMMIT;\n").expect("a whole dump") + "COMMIT;\n".len());
    assert!(dump.starts_with("BEGIN;\nCREATE TABLE"), "{dump}");
    let again = shell(&["--mode", "json"], &format!("{dump}.dump\n.schema\n{queries}"));
    let all = text(&again.stdout);
    let (dump_again, rest_again) = all.split_at(dump.len().min(all.len()));
    assert_eq!(dump_again, dump, "{}", text(&again.stderr));
    assert_eq!(rest_again, rest);
    assert!(rest.contains(r#""t":"a\nb\r\nc; -- '\"\\$1""#), "{rest}");
    assert!(rest.contains(r#""Default":"\n.tables\n""#), "{rest}");
    let refused = text(&again.stderr);
    assert_eq!(refused, text(&made.stderr));
    assert!(refused.contains("23505") && refused.contains("Check; this"), "constraints are there: {refused}");
}

#[test]
fn a_dump_that_cannot_be_is_an_error() {
    let output = shell(&[], "BEGIN;\n.dump\nCOMMIT;\n.dump missing\n.dump a b\n");
    assert_eq!(text(&output.stdout), "");
    let complaints = text(&output.stderr);
    let complaints: Vec<&str> = complaints.lines().collect();
    assert_eq!(complaints[0], ".dump: a dump is a transaction of its own; end the one that is open");
    assert_eq!(complaints[1], ".dump: there is no table missing");
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert_eq!(output.status.code(), Some(1));
}
