//! Trees: display, folding, walking, types.

use super::parser::{parse, parse_type};
use crate::expr::fold::fold;
use crate::expr::{Expr, Volatility};
use crate::types::DataType;

const MONEY: DataType = DataType::Numeric { precision: 15, scale: 2 };

const COLUMNS: [(&str, DataType); 6] = [
    ("a", DataType::Integer),
    ("b", DataType::BigInt),
    ("price", MONEY),
    ("discount", MONEY),
    ("name", DataType::VarChar(Some(10))),
    ("day", DataType::Date),
];

fn expr(text: &str) -> Expr {
    parse(text, &COLUMNS).unwrap()
}

fn shown(expr: &Expr) -> String {
    expr.display(&|_, index| COLUMNS[index].0.to_owned()).to_string()
}

#[test]
fn prints_as_postgres_explains() {
    for (text, expected) in [
        ("a = 1", "(a = 1)"),
        ("a + 1 < b", "(((a + 1))::bigint < b)"),
        ("b = 1", "(b = '1'::bigint)"),
        ("price * (1 - discount)", "(price * ('1'::numeric - discount))"),
        ("name = 'x'", "(name = 'x'::text)"),
        ("name like 'a%'", "(name ~~ 'a%'::text)"),
        ("name not like 'a%'", "(name !~~ 'a%'::text)"),
        ("day <= date '1998-12-01'", "(day <= '1998-12-01'::date)"),
        ("a = 1 and b = 2 or not a = 3", "(((a = 1) AND (b = '2'::bigint)) OR (NOT (a = 3)))"),
        ("a is null", "(a IS NULL)"),
        ("(a = 1) is not true", "((a = 1) IS NOT TRUE)"),
        ("a is not distinct from 1", "(NOT (a IS DISTINCT FROM 1))"),
        ("a in (1, 2)", "(a = ANY ('{1,2}'::integer[]))"),
        ("name not in ('a b', 'c''d')", "(name <> ALL ('{\"a b\",c''d}'::text[]))"),
        (
            "case when a = 1 then 'x' else name end",
            "CASE WHEN (a = 1) THEN 'x'::character varying ELSE name END",
        ),
        ("coalesce(a, 0)", "COALESCE(a, 0)"),
        ("nullif(a, 0)", "NULLIF(a, 0)"),
        ("greatest(a, 1)", "GREATEST(a, 1)"),
        ("- a", "(- a)"),
        ("a::text", "(a)::text"),
        ("a::numeric(10,2)", "(a)::numeric(10,2)"),
        ("upper(name)", "upper(name)"),
        ("a = -1", "(a = '-1'::integer)"),
        ("price > 1.5", "(price > 1.5)"),
    ] {
        assert_eq!(shown(&expr(text)), expected, "{text}");
    }
}

#[test]
fn arithmetic_types_keep_their_digits() {
    for (text, expected) in [
        ("1 - discount", "numeric(16,2)"),
        ("price * (1 - discount)", "numeric(31,4)"),
        ("price + a", "numeric(16,2)"),
        ("price * 2", "numeric(16,2)"),
        ("price / 2", "numeric"),
        ("price % 7", "numeric(15,2)"),
        ("price + price::numeric(20,5)", "numeric(21,5)"),
        ("-price", "numeric(15,2)"),
        ("round(price)", "numeric(14,0)"),
        ("case when a = 1 then price else discount end", "numeric(15,2)"),
        ("case when a = 1 then price else 0 end", "numeric"),
    ] {
        assert_eq!(expr(text).data_type().to_string(), expected, "{text}");
    }
    assert_eq!(expr("price + 1").declared_type(), DataType::AnyNumeric);
    assert_eq!(expr("price").declared_type(), MONEY);
    assert_eq!(expr("coalesce(price, discount)").declared_type(), MONEY);
    assert_eq!(expr("a::numeric(5,1)").declared_type(), parse_type("numeric(5,1)"));
}

#[test]
fn folds_what_is_constant() {
    for (text, expected) in [
        ("1 + 2 * 3", "7"),
        ("a + (1 + 2)", "(a + 3)"),
        ("a = 1 and true", "(a = 1)"),
        ("a = 1 and false", "false"),
        ("a = 1 or true", "true"),
        ("a = 1 or null", "((a = 1) OR NULL::boolean)"),
        ("not (a < 1)", "(a >= 1)"),
        ("not (a in (1, 2))", "(a <> ALL ('{1,2}'::integer[]))"),
        ("1 < a", "(a > 1)"),
        ("a = null", "NULL::boolean"),
        ("1 / 0", "(1 / 0)"),
        ("case when false then a when true then 2 else 3 end", "2"),
        ("case when a = 1 then 5 when true then 2 else 3 end", "CASE WHEN (a = 1) THEN 5 ELSE 2 END"),
        ("coalesce(null, a, null)", "a"),
        ("coalesce(1, a)", "1"),
        ("upper('x')", "'X'::text"),
        ("day + interval '1 day' * 2", "(day + '2 days'::interval)"),
        ("date '1998-12-01' - 90", "'1998-09-02'::date"),
        ("date 'yesterday' - 90", "(('yesterday')::date - 90)"),
        ("a = 7::bigint", "(a = 7)"),
        ("a < 3000000000", "((a)::bigint < '3000000000'::bigint)"),
        ("day < date '1998-12-01' - interval '1 day'", "(day < '1998-11-30'::date)"),
        ("day < timestamp '1998-12-01 12:00'", "(day <= '1998-12-01'::date)"),
        ("day <= timestamp '1998-12-01 12:00'", "(day <= '1998-12-01'::date)"),
        ("day > timestamp '1998-12-01 12:00'", "(day > '1998-12-01'::date)"),
        ("timestamp '1998-12-01 12:00' <= day", "(day > '1998-12-01'::date)"),
        ("day < timestamp '1969-12-31 23:59:59'", "(day <= '1969-12-31'::date)"),
        ("day < timestamp 'infinity'", "(day < 'infinity'::date)"),
        ("day > timestamp '-infinity'", "(day > '-infinity'::date)"),
        (
            "day = timestamp '1998-12-01 12:00'",
            "((day)::timestamp without time zone = '1998-12-01 12:00:00'::timestamp without time zone)",
        ),
    ] {
        assert_eq!(shown(&fold(expr(text))), expected, "{text}");
    }
}

#[test]
fn knows_what_it_reads() {
    let both = expr("a + b * a");
    assert_eq!(both.columns().into_iter().collect::<Vec<_>>(), [0, 1]);
    assert!(!both.is_constant() && expr("1 + 2").is_constant() && expr("now()").is_constant());
    assert!(!expr("random()").is_constant());
    assert_eq!(expr("now()").volatility(), Volatility::Stable);
    assert_eq!(expr("a = 1 and b = 2 and (a = 2 and b = 3)").split_conjunction().len(), 4);
    assert_eq!(expr("a + 1"), expr("a + 1"));
    assert_ne!(expr("a + 1"), expr("a + 2"));
    let mut moved = expr("a + b");
    moved.remap_columns(&mut |index| index + 10);
    assert_eq!(moved.columns().into_iter().collect::<Vec<_>>(), [10, 11]);
    assert!(expr("a + 1").nullable() && !expr("a is null").nullable() && !expr("coalesce(a, 1)").nullable());
}

#[test]
fn deep_trees_are_refused() {
    let deep = (0..300).fold(expr("a"), |inner, _| Expr::operator("-", vec![inner]).unwrap());
    assert_eq!(deep.check_depth().unwrap_err().sqlstate().0, "54001");
    assert!(expr("a + 1").check_depth().is_ok());
}
