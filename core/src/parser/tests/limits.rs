//! What is too long or too deep is refused; what is long and flat works. The tests run on the small stack of a test
//! thread on purpose.

use super::{kind, print};
use crate::{
    parser::{
        MAX_CHAIN, MAX_DEPTH, MAX_PARAMETERS, MAX_TEXT_BYTES,
        ast::{ExprKind, QueryBody, StatementKind},
        parse, statements,
    },
    sqlstate::SqlState,
};

fn refused(sql: &str) -> SqlState {
    match parse(sql) {
        Ok(_) => panic!("accepted: {}", &sql[..sql.len().min(60)]),
        Err(error) => error.sqlstate(),
    }
}

fn select_filter(sql: &str) -> ExprKind {
    let StatementKind::Query(query) = kind(sql) else { panic!("no query") };
    let QueryBody::Select(select) = query.body else { panic!("no select") };
    select.filter.expect("a filter").kind
}

/// Text that nests through every construct that can, without being a mistake for long.
fn nested(depth: usize) -> Vec<String> {
    let n = |open: &str, middle: &str, close: &str| {
        format!("select {}{middle}{}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        n("(", "1", ")"),
        n("not ", "true", ""),
        n("- ", "1", ""),
        n("@ ", "1", ""),
        n("f(", "1", ")"),
        n("(select ", "1", ")"),
        n("case when true then ", "1", " end"),
        n("1 + (", "1", ")"),
        n("exists (select ", "1", ")"),
        n("cast(", "1", " as int)"),
        n("array[", "1", "]"),
        n("a in (", "1", ")"),
        n("1 between ", "1", " and 2"),
        n("", "1", "::int"),
        n("", "1", " is null"),
        n("", "1", " is distinct from (1"),
        n("", "a", " collate c"),
        n("", "a", " at time zone 'UTC'"),
        n("", "a", "[1]"),
        n("", "a", ".b"),
        n("", "1::int", "[]"),
        n("* from (", "a", ")"),
        n("* from (select * from ", "a", ")"),
        n("* from (", "a", " join b on true)"),
        n("* from ", "a", " join b"),
        n("* from ", "a", " natural join b"),
        n("1 ", "", " union (select 1"),
        n("", "1", " union select 1 intersect select 1"),
        n("(", "", ""),
        n("((", "", ""),
        n("[", "", ""),
        n("((1,", "", ""),
        n("sum(a) over (order by ", "1", ")"),
        n("interval ", "", ""),
        n("not exists(", "", ""),
        n("case ", "", ""),
        n("a.b(", "", ""),
        n("row(", "", ")"),
        n("coalesce(", "", ")"),
        n("cast(a as int", "", ""),
        format!("with {} select 1", "a as (with ".repeat(depth)),
        format!("{} select 1", "explain ".repeat(depth)),
        format!("{} select 1", "prepare a as ".repeat(depth)),
        format!("{}select 1{}", "(".repeat(depth), ")".repeat(depth)),
        format!("select 1 from {}", "(select 1 from ".repeat(depth)),
        format!("select 1 from {}", "((values (1)) ".repeat(depth)),
        format!("insert into t {}", "(".repeat(depth)),
        format!("create table t (a int check {})", "(".repeat(depth)),
        format!("create table t (a int{})", "[]".repeat(depth)),
        format!("create index on t ({}a{})", "(".repeat(depth), ")".repeat(depth)),
        "/*".repeat(depth),
    ]
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [50, 120, 250, 256, 1_000, 100_000] {
        for sql in nested(depth).iter().filter(|sql| sql.len() <= MAX_TEXT_BYTES) {
            // Whatever the answer is, there is one, and the tree is dropped.
            drop(parse(sql));
        }
    }
    for sql in &nested(1_000)[..8] {
        assert_eq!(refused(sql), SqlState::STATEMENT_TOO_COMPLEX, "{}", &sql[..60]);
    }
    let error = parse(&format!("select {}1{}", "(".repeat(300), ")".repeat(300))).expect_err("too deep");
    assert_eq!(error.to_string(), "stack depth limit exceeded");
    assert_eq!(error.position(), Some(8 + MAX_DEPTH));
}

#[test]
fn moderate_nesting_is_accepted() {
    let depth = 80;
    for (open, close) in
        [("(", ")"), ("f(", ")"), ("1 + (", ")"), ("not ", ""), ("(select ", ")"), ("- ", "")]
    {
        let sql = format!("select {}1{}", open.repeat(depth), close.repeat(depth));
        assert!(parse(&sql).is_ok(), "{open}");
    }
    let derived = format!("{}select 1{}", "select * from (".repeat(depth), ") t".repeat(depth));
    assert!(parse(&derived).is_ok());
}

#[test]
fn long_chains_are_flat() {
    let terms = 5_000;
    let ors = vec!["a = 1"; terms].join(" or ");
    assert!(
        matches!(select_filter(&format!("select from t where {ors}")), ExprKind::Or(t) if t.len() == terms)
    );
    let ands = vec!["a = 1"; terms].join(" and ");
    assert!(
        matches!(select_filter(&format!("select from t where {ands}")), ExprKind::And(t) if t.len() == terms)
    );
    for operator in ["+", "||", "*", "->", "~~"] {
        let chain = vec!["1"; terms].join(&format!(" {operator} "));
        let ExprKind::Binary { rest, .. } = select_filter(&format!("select from t where {chain}")) else {
            panic!("{operator}")
        };
        assert_eq!(rest.len(), terms - 1);
        assert!(rest.windows(2).all(|w| w[0].position < w[1].position));
    }
    let mixed = vec!["1 + 2 * 3 - 4"; 2_000].join(" + ");
    assert!(parse(&format!("select {mixed}")).is_ok());
    let unions = vec!["select 1"; terms].join(" union all ");
    let StatementKind::Query(query) = kind(&unions) else { panic!("no query") };
    assert!(matches!(query.body, QueryBody::SetOperations { rest, .. } if rest.len() == terms - 1));
    let joins = format!("select * from t{}", " cross join u".repeat(terms));
    assert!(parse(&joins).is_ok());
    let list = format!("select a in ({})", vec!["1"; 50_000].join(", "));
    assert!(parse(&list).is_ok());
    let rows = format!("insert into t values {}", vec!["(1, 'a')"; 20_000].join(", "));
    assert!(parse(&rows).is_ok());
    let inner = format!("select * from t{}", " join u on true".repeat(terms));
    assert!(parse(&inner).is_ok());
    let case = format!("select case {} end", "when a = 1 then 2 ".repeat(terms));
    assert!(parse(&case).is_ok());
}

#[test]
fn mistakes_at_the_bottom_are_dropped_safely() {
    for depth in [100, 250] {
        let chain = vec!["1"; 15_000].join(" + ");
        for (open, close) in [("(", ")"), ("(select ", ")"), ("case when ", " end"), ("f(1, ", ")")] {
            let text = format!("select {}{chain} +{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(refused(&text), SqlState::SYNTAX_ERROR);
        }
        let text = format!("select {}{chain}{}", "f(".repeat(depth), ", a b c)".repeat(depth));
        assert_eq!(refused(&text), SqlState::SYNTAX_ERROR);
    }
}

#[test]
fn chains_over_the_limit_are_refused() {
    for operator in [" or ", " + ", " union select "] {
        let sql = format!("select {}", vec!["1"; 100_000].join(operator));
        if sql.len() <= MAX_TEXT_BYTES {
            assert_eq!(refused(&sql), SqlState::STATEMENT_TOO_COMPLEX);
        }
        // A mistake at the end makes the library drop its deepest tree by itself.
        let broken = format!("select {} +", vec!["1"; MAX_CHAIN - 10].join(operator));
        assert_eq!(refused(&broken), SqlState::SYNTAX_ERROR);
    }
}

#[test]
fn text_over_the_limit_is_refused_alone() {
    let long = format!("select '{}'", "x".repeat(MAX_TEXT_BYTES));
    assert_eq!(refused(&long), SqlState::PROGRAM_LIMIT_EXCEEDED);
    let exact = format!("select '{}'", "x".repeat(MAX_TEXT_BYTES - 9));
    assert_eq!(exact.len(), MAX_TEXT_BYTES);
    assert!(parse(&exact).is_ok());
    let script = format!("{long}; select 1");
    let results: Vec<bool> = statements(&script).map(|item| item.statement.is_ok()).collect();
    assert_eq!(results, [false, true]);
    let many = "select 1;".repeat(2 * MAX_TEXT_BYTES / 9);
    assert!(statements(&many).take(3).all(|item| item.statement.is_ok()));
}

#[test]
fn parameters_over_the_limit_are_refused() {
    assert!(parse(&format!("select ${MAX_PARAMETERS}")).is_ok());
    assert_eq!(refused(&format!("select ${}", MAX_PARAMETERS + 1)), SqlState::PROGRAM_LIMIT_EXCEEDED);
    assert_eq!(refused("select $99999999999999999999"), SqlState::PROGRAM_LIMIT_EXCEEDED);
    let many = vec!["?"; MAX_PARAMETERS as usize].join(", ");
    assert!(parse(&format!("select {many}")).is_ok());
    assert_eq!(refused(&format!("select {many}, ?")), SqlState::PROGRAM_LIMIT_EXCEEDED);
}

#[test]
fn a_deep_tree_prints() {
    // The printer recurses: a tree that was accepted is shallow enough for that.
    let sql = format!("select {}1{}", "f(".repeat(200), ")".repeat(200));
    let StatementKind::Query(query) = kind(&sql) else { panic!("no query") };
    assert!(print::query(&query).len() > 600);
}
