//! Errors: PostgreSQL's words, codes and places. The expectations are what PostgreSQL 15 answers, except where a
//! statement is refused that it would accept.

use crate::{parser::parse, sqlstate::SqlState};

/// A text, the message and the position of the error.
fn check(state: SqlState, cases: &[(&str, &str, u32)]) {
    for (sql, message, position) in cases {
        let error = parse(sql).map(|_| ()).expect_err(sql);
        let found = (error.sqlstate(), error.to_string(), error.position());
        assert_eq!(found, (state, (*message).to_owned(), Some(*position)), "{sql}");
    }
}

fn check_near(cases: &[(&str, &str, u32)]) {
    for (sql, near, position) in cases {
        let message = match *near {
            "" => "syntax error at end of input".to_owned(),
            near => format!("syntax error at or near \"{near}\""),
        };
        check(SqlState::SYNTAX_ERROR, &[(sql, &message, *position)]);
    }
}

#[test]
fn syntax_errors_are_where_postgresql_sees_them() {
    check_near(&[
        ("selec 1", "selec", 1),
        ("select 1 +", "", 11),
        ("select * form t", "form", 10),
        ("select (1", "", 10),
        ("select 1)", ")", 9),
        ("select (1; select 2", ";", 10),
        ("select a b c", "c", 12),
        ("select 1 'x'", "'x'", 10),
        ("select * from t where", "", 22),
        ("select * from t wher a = 1", "a", 22),
        ("select * from (select a from t wher b) x", "b", 37),
        ("select * from (select a from t", "", 31),
        ("select 1 < 2 < 3", "<", 14),
        ("select * from t natural u", "u", 25),
        ("select * from t join u", "", 23),
        ("insert t values (1)", "t", 8),
        ("insert into t values (1,)", ")", 25),
        ("insert into t values ()", ")", 23),
        ("update t set a", "", 15),
        ("update t set a = 1 wher b", "wher", 20),
        ("delete t", "t", 8),
        ("create table t (a int,)", ")", 23),
        ("create table t (a int b)", "b", 23),
        ("create table t (a int not)", ")", 26),
        ("create table t (a int default 1 2)", "2", 33),
        ("create table t (check (a)", "", 26),
        ("create table select (a int)", "select", 14),
        ("create foo", "foo", 8),
        ("create index i on t ()", ")", 22),
        ("drop table", "", 11),
        ("begin isolation level foo", "foo", 23),
        ("set x", "", 6),
        ("copy t", "", 7),
        ("copy t from stdin foo", "foo", 19),
        ("explain foo", "foo", 9),
        ("prepare p as commit", "commit", 14),
        ("select a from t order", "", 22),
        ("select a from t limit 1 limit 2", "limit", 25),
        ("select case a end", "end", 15),
        ("select cast(a int)", "int", 15),
        ("select a in ()", ")", 14),
        ("select a between 1 or 2", "or", 20),
        ("select not", "", 11),
        ("select f(a,)", ")", 12),
        ("select a,, b from t", ",", 10),
        ("select a, from t", "from", 11),
        ("with a as (select 1) foo", "foo", 22),
        ("values 1", "1", 8),
        ("select [a] from t", "[", 8),
        ("select a := 1", ":=", 10),
        ("select {a}", "{", 8),
        ("select a from t fetch first 5 rows", "", 35),
        ("select interval 1 day", "1", 17),
        ("select top 5 a from t", "5", 12),
        ("replace into t values (1)", "replace", 1),
        ("table t u", "u", 9),
        ("select exists (1)", "1", 16),
        ("select a not null = b", "null", 14),
        ("insert into t u values (1)", "u", 15),
        ("select 'é', selec selec from", "", 29),
    ]);
}

#[test]
fn lexical_errors_are_postgresqls() {
    check(
        SqlState::SYNTAX_ERROR,
        &[
            ("select 'abc", "unterminated quoted string at or near \"'abc\"", 8),
            ("select \"abc", "unterminated quoted identifier at or near \"\"abc\"", 8),
            ("select \"\"", "zero-length delimited identifier at or near \"\"\"\"", 8),
            ("select $$abc", "unterminated dollar-quoted string at or near \"$$abc\"", 8),
            ("select /* /* */", "unterminated /* comment at or near \"/* /* */\"", 8),
            ("select b'1", "unterminated bit string literal at or near \"b'1\"", 8),
            ("select 1abc", "trailing junk after numeric literal at or near \"1abc\"", 8),
            ("select 1e+", "trailing junk after numeric literal at or near \"1e+\"", 8),
            ("select $1abc", "trailing junk after parameter at or near \"$1abc\"", 8),
            ("select a from a.b.c.d", "improper qualified name (too many dotted names): a.b.c.d", 15),
        ],
    );
    check(SqlState::INVALID_ESCAPE_SEQUENCE, &[("select e'\\u12'", "invalid Unicode escape", 10)]);
    check(
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        &[
            ("select e'\\xff'", "invalid byte sequence for encoding \"UTF8\"", 8),
            ("select e'a\\0b'", "invalid byte sequence for encoding \"UTF8\"", 8),
        ],
    );
}

#[test]
fn what_is_not_supported_is_no_syntax_error() {
    check(
        SqlState::FEATURE_NOT_SUPPORTED,
        &[
            ("alter table t add a int", "ALTER TABLE is not supported", 1),
            ("create or replace view v as select 1", "CREATE OR REPLACE VIEW is not supported", 1),
            ("create temp table t (a int)", "CREATE TEMP TABLE is not supported", 1),
            ("drop materialized view v", "DROP MATERIALIZED VIEW is not supported", 1),
            ("grant select on t to u", "GRANT is not supported", 1),
            ("merge into t using u on true when matched then delete", "MERGE is not supported", 1),
            ("declare c cursor for select 1", "DECLARE is not supported", 1),
            ("prepare transaction 'x'", "PREPARE TRANSACTION is not supported", 9),
            ("create table t (a int references u)", "FOREIGN KEY is not supported", 23),
            ("create table t (a int generated always as identity)", "GENERATED is not supported", 23),
            ("create table t (like u)", "LIKE in CREATE TABLE is not supported", 17),
            ("create table t (a int unique deferrable)", "a deferrable constraint is not supported", 30),
            ("create index concurrently i on t (a)", "CREATE INDEX CONCURRENTLY is not supported", 14),
            ("create index i on t using gin (a)", "an index of another kind than btree is not supported", 27),
            ("select a into b from t", "SELECT INTO is not supported", 10),
            ("select a[1]", "array subscripting is not supported", 9),
            ("select (a).b", "field selection is not supported", 10),
            ("select array(select 1)", "ARRAY(query) is not supported", 8),
            ("select a from t group by rollup (a)", "GROUPING SETS is not supported", 26),
            ("select a from t tablesample system (1)", "TABLESAMPLE is not supported", 17),
            ("set role x", "SET ROLE is not supported", 5),
        ],
    );
}

#[test]
fn options_are_checked() {
    check(
        SqlState::SYNTAX_ERROR,
        &[
            ("explain (foo) select 1", "unrecognized EXPLAIN option \"foo\"", 10),
            ("explain (analyze maybe) select 1", "analyze requires a Boolean value", 10),
            ("vacuum (foo)", "unrecognized VACUUM option \"foo\"", 9),
            ("copy t from stdin (foo)", "option \"foo\" not recognized", 20),
            ("copy t from stdin (format csv, format text)", "conflicting or redundant options", 32),
            ("copy t from stdin (delimiter)", "delimiter requires a parameter", 20),
        ],
    );
    check(
        SqlState::INVALID_PARAMETER_VALUE,
        &[
            (
                "explain (format foo) select 1",
                "unrecognized value for EXPLAIN option \"format\": \"foo\"",
                10,
            ),
            ("copy t from stdin (format foo)", "COPY format \"foo\" not recognized", 20),
            ("select a::float(0)", "precision for type float must be at least 1 bit", 17),
            ("select a::float(54)", "precision for type float must be less than 54 bits", 17),
        ],
    );
}
