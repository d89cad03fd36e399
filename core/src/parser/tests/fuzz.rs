//! Random text never makes the parser panic, hang or point outside of the text.

use crate::parser::{is_complete, parse, statements};
use proptest::{prelude::*, sample::select};

const TOKENS: &[&str] = &[
    "select",
    "from",
    "where",
    "and",
    "or",
    "not",
    "in",
    "between",
    "symmetric",
    "like",
    "any",
    "all",
    "exists",
    "case",
    "when",
    "then",
    "else",
    "end",
    "cast",
    "as",
    "is",
    "null",
    "distinct",
    "on",
    "join",
    "left",
    "natural",
    "cross",
    "using",
    "lateral",
    "union",
    "intersect",
    "values",
    "table",
    "with",
    "recursive",
    "order",
    "by",
    "group",
    "having",
    "limit",
    "offset",
    "fetch",
    "first",
    "rows",
    "only",
    "for",
    "update",
    "share",
    "of",
    "nowait",
    "insert",
    "into",
    "default",
    "set",
    "delete",
    "returning",
    "conflict",
    "do",
    "nothing",
    "create",
    "index",
    "primary",
    "key",
    "unique",
    "check",
    "constraint",
    "drop",
    "if",
    "truncate",
    "begin",
    "isolation",
    "level",
    "commit",
    "rollback",
    "to",
    "savepoint",
    "prepare",
    "execute",
    "explain",
    "analyze",
    "copy",
    "stdin",
    "csv",
    "header",
    "show",
    "reset",
    "vacuum",
    "extract",
    "year",
    "substring",
    "trim",
    "both",
    "position",
    "overlay",
    "placing",
    "at",
    "time",
    "zone",
    "interval",
    "month",
    "date",
    "timestamp",
    "double",
    "precision",
    "varying",
    "character",
    "numeric",
    "int",
    "array",
    "row",
    "over",
    "partition",
    "filter",
    "within",
    "exclude",
    "collate",
    "operator",
    "variadic",
    "isnull",
    "rollup",
    "a",
    "b",
    "t",
    "\"Q\"",
    "1",
    "2.5",
    "'s'",
    "e'\\n'",
    "x'ff'",
    "$1",
    "?",
    ":p",
    "$$d$$",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    ",",
    ",",
    ".",
    ";",
    ":",
    "::",
    ":=",
    "=>",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "=",
    "<>",
    "<",
    ">",
    "||",
    "->",
    "~",
    "@",
    "!",
    "#",
    "{",
    "\\",
    "--",
    "/*",
    "*/",
    "\n",
    "é",
];

/// Real statements, which mistakes are made in.
const SEEDS: &[&str] = &[
    "with recursive r ( n ) as ( select 1 union all select n + 1 from r ) select * from r where n between 1 and 2",
    "select a , count ( * ) filter ( where b ) over ( partition by c ) from t left join u using ( x ) group by a",
    "insert into t ( a , b ) values ( 1 , default ) on conflict ( a ) do update set b = 2 returning *",
    "update t set ( a , b ) = ( select 1 , 2 ) from u where t . a = u . a and exists ( select 1 )",
    "create table t ( a int primary key , b numeric ( 1 , 2 ) default 1 check ( b > 0 ) , unique ( a , b ) )",
    "create unique index i on t ( a desc nulls last , lower ( b ) ) where a is not null",
    "copy t ( a ) from stdin with ( format csv , header , null 'x' ) where a > 1",
    "select cast ( a as numeric ( 1 , 2 ) ) , a :: int , interval '1' day , timestamp with time zone 'x' , x [ 1 ]",
    "explain ( analyze , format json ) select case when a then b else c end from ( select 1 ) s for update of s",
    "select substring ( a from 1 for 2 ) , trim ( both 'x' from a ) , extract ( year from b ) , a like any ( b )",
];

fn check(sql: &str) {
    let end = u32::try_from(sql.chars().count()).expect("short") + 1;
    if let Err(error) = parse(sql) {
        let position = error.position().expect("every error has a place");
        assert!((1..=end).contains(&position), "{position} in {sql}");
    }
    let mut last = 0;
    for item in statements(sql) {
        assert!(last <= item.range.start && item.range.start <= item.range.end, "{:?} in {sql}", item.range);
        assert!(sql.get(item.range.clone()).is_some());
        last = item.range.end;
    }
    is_complete(sql);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn token_soup_is_answered(tokens in prop::collection::vec(select(TOKENS), 0..40)) {
        check(&tokens.join(" "));
        check(&tokens.concat());
    }

    #[test]
    fn statements_with_mistakes_are_answered(
        seed in select(SEEDS),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4, select(TOKENS)), 1..5),
    ) {
        let mut tokens: Vec<&str> = seed.split(' ').collect();
        for (index, change, token) in changes {
            let at = index.index(tokens.len());
            match change {
                0 => { tokens.remove(at); }
                1 => tokens.insert(at, token),
                2 => tokens[at] = token,
                _ => tokens.truncate(at + 1),
            }
            if tokens.is_empty() {
                break;
            }
        }
        check(&tokens.join(" "));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,60}") {
        check(&text);
    }
}
