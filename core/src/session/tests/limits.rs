//! Statements at the limits of what may nest and chain, on threads with little stack.

use super::{ask, one};
use crate::database::Connection;

/// Runs a test on a thread whose stack is as small as programs make them.
fn on_small_stack(test: impl FnOnce(&Connection) + Send + 'static) {
    let client = one();
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    // The plans it has cached are dropped there too.
    thread
        .spawn(move || {
            test(&client);
            drop(client);
        })
        .unwrap()
        .join()
        .unwrap();
}

/// `make(0)`, `make(1)`, .. with a text between them.
fn list(count: usize, between: &str, make: impl Fn(usize) -> String) -> String {
    (0..count).map(make).collect::<Vec<_>>().join(between)
}

#[test]
fn nested_expressions_and_queries() {
    on_small_stack(|client| {
        let nested = |open: &str, core: &str, close: &str, levels| {
            format!("select {}{core}{}", open.repeat(levels), close.repeat(levels))
        };
        for (open, core, close, levels, answer) in [
            ("(1 + ", "1", ")", 80, "81"),
            ("abs(", "-1", ")", 240, "1"),
            ("case when true then ", "1", " end", 240, "1"),
            ("not (", "true", ")", 100, "t"),
        ] {
            assert_eq!(ask(client, &nested(open, core, close, levels)), answer, "{open}");
            assert!(ask(client, &nested(open, core, close, 5000)).starts_with("54001"), "{open}");
        }
        assert_eq!(ask(client, &nested("(select ", "7", ")", 100)), "7");
        assert_eq!(
            ask(
                client,
                &format!(
                    "{}{}",
                    "select * from (".repeat(100),
                    "values (8)) q".to_owned() + &") q".repeat(99)
                )
            ),
            "8"
        );
    });
}

#[test]
fn chained_tables_of_with() {
    let chain = |count: usize| {
        let next = |i: usize| {
            if i == 0 {
                "t0 as (select 1 as x)".to_owned()
            } else {
                format!("t{i} as (select x + 1 as x from t{})", i - 1)
            }
        };
        format!("with {} select x from t{}", list(count, ", ", next), count - 1)
    };
    on_small_stack(move |client| {
        assert_eq!(ask(client, &chain(200)), "200");
        for count in [450, 5_000, 20_000] {
            let answer = ask(client, &chain(count));
            assert!(answer.starts_with("54001") || answer == count.to_string(), "{count}: {answer}");
        }
    });
}

#[test]
fn joins_and_set_operations_of_many() {
    on_small_stack(|client| {
        ask(client, "create table t (a integer primary key, b integer)");
        ask(client, "insert into t values (1, 10), (2, 20)");
        let commas = format!(
            "select count(*) from {} where {}",
            list(200, ", ", |i| format!("t as x{i}")),
            list(199, " and ", |i| format!("x{i}.a = x{}.a", i + 1))
        );
        assert_eq!(ask(client, &commas), "2");
        let lefts = format!(
            "select count(*) from t as x0 {}",
            list(200, " ", |i| format!("left join t as x{} on x{}.a = x{i}.b", i + 1, i + 1))
        );
        assert_eq!(ask(client, &lefts), "2");
        assert!(ask(client, &format!("explain {lefts}")).contains("Join"));
        let unions = list(900, " union all ", |i| format!("select {i}"));
        assert_eq!(ask(client, &format!("select count(*) from ({unions}) q")), "900");
        let distinct = list(200, " union ", |i| format!("select {}", i % 3));
        assert_eq!(ask(client, &format!("select count(*) from ({distinct}) q")), "3");
        let scalars = list(200, ", ", |i| format!("(select b from t where a = {i})"));
        assert_eq!(ask(client, &format!("select count(*) from (select {scalars}) q")), "1");
    });
}
