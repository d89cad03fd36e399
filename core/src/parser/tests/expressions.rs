//! Expressions: what binds to what, and where each node stands.

use super::{last_kind, print};
use crate::parser::ast::{QueryBody, SelectItem, StatementKind};

fn select_item(sql: &str) -> crate::parser::ast::Expr {
    let StatementKind::Query(query) = last_kind(sql) else { panic!("{sql}") };
    let QueryBody::Select(mut select) = query.body else { panic!("{sql}") };
    match select.items.pop() {
        Some(SelectItem::Expr { expr, .. }) => expr,
        other => panic!("{other:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(print::expr(&select_item(&format!("select {input}"))), *expected, "{input}");
    }
}

fn check_positions(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(print::expr_with_positions(&select_item(input)), *expected, "{input}");
    }
}

#[test]
fn operators_bind_as_in_postgresql() {
    check(&[
        ("a + b * c - d", "(a + (b * c) - d)"),
        ("a * (b + c)", "(a * (b + c))"),
        ("(a + b) * c", "(a + b * c)"),
        ("- a ^ 2", "((- a) ^ 2)"),
        ("not a = b and c or d and e", "(or (and (not (a = b)), c), (and d, e))"),
        ("a = b is null", "((a = b) is Null)"),
        ("a || b + c", "(a || (b + c))"),
        ("a -> b || c", "(a -> b || c)"),
        ("@ a + b", "(@ (a + b))"),
        ("~ a * b", "(~ (a * b))"),
        ("a between b and c and d", "(and (a between b, c), d)"),
        ("not a between b and c or d", "(or (not (a between b, c)), d)"),
        ("a like b || c escape '!'", "(a Like (b || c) escape '!')"),
        ("a::int::text || b::varchar(10)", "(((a::int4)::text) || (b::varchar(10)))"),
        ("a collate \"C\" || b", "((a collate C) || b)"),
        ("a is distinct from b and c", "(and (a is distinct b), c)"),
        ("a & b | c # d ^@ e", "(a & b | c # d ^@ e)"),
        ("a <> b", "(a <> b)"),
        ("a != b", "(a <> b)"),
        ("a < b and b < c", "(and (a < b), (b < c))"),
        ("a ~~ b", "(a ~~ b)"),
        ("a at time zone 'x' at time zone 'y'", "timezone('y', timezone('x', a))"),
    ]);
}

#[test]
fn constants_are_read() {
    check(&[
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9223372036854775808d"),
        ("-9223372036854775809", "-9223372036854775809d"),
        ("- - 5", "5"),
        ("1.50", "1.50d"),
        (".5", ".5d"),
        ("5.", "5.d"),
        ("1e10", "1e10d"),
        ("1_000", "1000"),
        ("0xff", "255"),
        ("x'1F'", "x'1F'"),
        ("b'01'", "b'01'"),
        ("e'a\\n\\x41\\101\\u00e9\\''", "'a\nAAé''"),
        ("'it''s'", "'it's'"),
        ("'a'\n  'b'", "'ab'"),
        ("$q$a'b$q$", "'a'b'"),
        ("U&'\\0041\\+000042'", "'AB'"),
        ("true", "true"),
        ("null", "null"),
        ("date '2020-01-01'", "date '2020-01-01'"),
        ("timestamp(3) with time zone 'x'", "timestamptz(3) 'x'"),
        ("interval '3' month", "interval Month '3'"),
        ("interval '1' day to second(3)", "interval(3) DayToSecond '1'"),
        ("interval(3) '1'", "interval(3) '1'"),
        ("double precision '1'", "float8 '1'"),
        ("pg_catalog.int4 '5'", "pg_catalog.int4 '5'"),
        ("numeric(5, 2) '1.5'", "numeric(5, 2) '1.5'"),
        ("character varying(3) 'x'", "varchar(3) 'x'"),
        ("current_timestamp(3)", "CurrentTimestamp(Some(3))"),
        ("current_user", "CurrentUser"),
        ("current_schema", "CurrentSchema"),
    ]);
}

#[test]
fn type_names_become_those_of_the_catalog() {
    for (written, expected) in [
        ("int", "int4"),
        ("SMALLINT", "int2"),
        ("bigint", "int8"),
        ("real", "float4"),
        ("float", "float8"),
        ("float(24)", "float4"),
        ("double precision", "float8"),
        ("decimal(10, 2)", "numeric(10, 2)"),
        ("boolean", "bool"),
        ("char", "bpchar(1)"),
        ("\"char\"", "char"),
        ("character(5)", "bpchar(5)"),
        ("national character varying(4)", "varchar(4)"),
        ("timestamp without time zone", "timestamp"),
        ("time with time zone", "timetz"),
        ("bit varying(3)", "varbit(3)"),
        ("interval year to month", "interval YearToMonth"),
        ("int[][3]", "int4[][]"),
        ("int array[3]", "int4[]"),
        ("Pg_Catalog.Int4", "pg_catalog.int4"),
        ("\"My\".\"Type\"", "My.Type"),
        ("numeric(3, -2)", "numeric(3, -2)"),
    ] {
        check(&[(&format!("a::{written}"), &format!("(a::{expected})"))]);
        check(&[(&format!("cast(a as {written})"), &format!("cast(a as {expected})"))]);
    }
}

#[test]
fn predicates_are_read() {
    check(&[
        ("a not in (1, 2)", "(a not in [1, 2])"),
        ("a in (select 1)", "(a in {select 1})"),
        ("(a, b) in ((1, 2), (3, 4))", "(<a, b> in [<1, 2>, <3, 4>])"),
        ("a not ilike 'x'", "(a not ILike 'x')"),
        ("a similar to 'x' escape '#'", "(a Similar 'x' escape '#')"),
        ("a not between symmetric 1 and 2", "(a not between symmetric 1, 2)"),
        ("a between asymmetric 1 and 2", "(a between 1, 2)"),
        ("a = any (array[1, 2])", "(a = Any array[1, 2])"),
        ("a <> all (select 1)", "(a <> All {select 1})"),
        ("a not like some ('{x}')", "(a !~~ Any '{x}')"),
        ("a ilike all (b)", "(a ~~* All b)"),
        ("exists (select 1)", "(exists {select 1})"),
        ("not exists (select 1)", "(not (exists {select 1}))"),
        ("a isnull", "(a is Null)"),
        ("a notnull", "(a is not Null)"),
        ("a is not unknown", "(a is not Unknown)"),
        ("a is true", "(a is True)"),
        ("a is not false", "(a is not False)"),
        ("a is not distinct from b", "(a is not distinct b)"),
        (
            "case a when 1 then 2 else case when b then c end end",
            "(case a when 1 then 2 else (case when b then c))",
        ),
        ("row(1)", "row<1>"),
        ("row()", "row<>"),
        ("(1, 2) = (select 1, 2)", "(<1, 2> = {select 1, 2})"),
    ]);
}

#[test]
fn special_syntax_becomes_calls() {
    check(&[
        ("extract(year from a)", "extract('year', a)"),
        ("extract('epoch' from a)", "extract('epoch', a)"),
        ("substring(a from 2 for 3)", "substring(a, 2, 3)"),
        ("substring(a for 3)", "substring(a, 1, cast(3 as int4))"),
        ("substring(a, 2, 3)", "substring(a, 2, 3)"),
        ("trim(a)", "btrim(a)"),
        ("trim(leading 'x' from a)", "ltrim(a, 'x')"),
        ("trim(trailing from a)", "rtrim(a)"),
        ("trim(a, 'x')", "btrim(a, 'x')"),
        ("position('a' in b || c)", "position((b || c), 'a')"),
        ("overlay(a placing b from 1 for 2)", "overlay(a, b, 1, 2)"),
    ]);
}

#[test]
fn calls_are_read() {
    check(&[
        ("count(*)", "count(*)"),
        ("count(distinct a)", "count(distinct a)"),
        ("sum(a) filter (where b > 1)", "sum(a) filter (b > 1)"),
        ("string_agg(a, ',' order by b desc nulls last)", "string_agg(a, ',' order by b desc nulls last)"),
        ("percentile_cont(0.5) within group (order by a)", "percentile_cont(0.5d) within group a"),
        ("f(variadic a)", "f(variadic a)"),
        ("f(x => 1, y := 2)", "f(x => 1, y => 2)"),
        ("s.f()", "s.f()"),
        ("left(a, 1)", "left(a, 1)"),
        ("coalesce(a, nullif(b, c))", "coalesce(a, nullif(b, c))"),
        (
            "rank() over (partition by a order by b rows between 1 preceding and unbounded following)",
            "rank() over (partition a order b Rows 1 preceding .. UnboundedFollowing)",
        ),
        ("sum(a) over w", "sum(a) over (w)"),
        (
            "sum(a) over (w order by b range current row)",
            "sum(a) over (w order b Range CurrentRow .. CurrentRow)",
        ),
    ]);
}

#[test]
fn names_are_folded_and_cut() {
    let long = "x".repeat(70);
    let (wide, cut) = ("é".repeat(40), "é".repeat(31));
    check(&[
        ("A.\"B\".c", "a.B.c"),
        ("\"x\"\"y\"", "x\"y"),
        ("ÄB", "Äb"),
        ("a$1", "a$1"),
        ("value + name + year", "(value + name + year)"),
        ("t.select", "t.select"),
        (&long, &long[..63]),
        (&format!("\"{long}\""), &long[..63]),
        (&wide, &cut),
    ]);
}

#[test]
fn every_node_has_its_position() {
    check_positions(&[
        ("select 1", "1@8"),
        ("select a + b * c", "(a@8 +@10 (b@12 *@14 c@16))"),
        ("select (a + b) - c", "(a@9 +@11 b@13 -@16 c@18)"),
        ("select -a", "(-@8 a@9)"),
        ("select -1", "-1@8"),
        ("select a and b and c", "(and@10 a@8, b@14, c@20)"),
        ("select not a", "(not@8 a@12)"),
        ("select a is not null", "(a@8 is@10 not Null)"),
        ("select a not in (1)", "(a@8 not in@10 [1@18])"),
        ("select a not like b escape c", "(a@8 not Like@10 b@19 escape c@28)"),
        ("select a between 1 and 2", "(a@8 between@10 1@18, 2@24)"),
        ("select a::int", "(a@8::@9int4)"),
        ("select cast(a as int)", "cast@8(a@13 as int4)"),
        ("select date 'x'", "date@8 'x'@13"),
        ("select numeric(5, 2) 'x'", "numeric(5, 2)@8 'x'@22"),
        ("select interval 'x' day", "interval Day@8 'x'@17"),
        ("select f(a, $1)", "f@8(a@10, $1@13)"),
        ("select s.f('é', a)", "s.f@8('é'@12, a@17)"),
        ("select case a when 1 then 2 end", "(case@8 a@13 when 1@20 then 2@27)"),
        ("select (a, b) = row(1, 2)", "(@8<a@9, b@12> =@15 row@17<1@21, 2@24>)"),
        ("select extract(year from a)", "extract@8('year'@16, a@26)"),
        ("select a at time zone 'x'", "timezone@10('x'@23, a@8)"),
        ("select count(*) * 2", "(count@8(*) *@17 2@19)"),
        ("select a = any (b)", "(a@8 =@10 Any b@17)"),
        ("select a not like any (b)", "(a@8 !~~@10 Any b@24)"),
        ("select exists (select 1)", "(exists@8 {select 1})"),
        ("select (select 1) + 1", "({select 1}@8 +@19 1@21)"),
        ("select 1 as x from t; select\n /* ü */ b || c", "(b@39 ||@41 c@44)"),
    ]);
}

#[test]
fn an_expression_starts_at_its_leftmost_operand() {
    let expr = crate::parser::parse_expr("  (a + b) * c = 1").expect("an expression");
    assert_eq!((expr.position, expr.start()), (15, 4));
}
