//! Queries, INSERT, UPDATE, DELETE.

use super::{kind, print};
use crate::parser::ast::{Assignment, InsertSource, OnConflict, StatementKind};

fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        let StatementKind::Query(query) = kind(sql) else { panic!("{sql}") };
        assert_eq!(print::query(&query), *expected, "{sql}");
    }
}

#[test]
fn selects_are_read() {
    check(&[
        ("select", "select "),
        ("select from t", "select  from t"),
        ("select a b, c as select, d \"X\" from t", "select a as b, c as select, d as X from t"),
        ("select *, t.*, s.t.* from s.t", "select *, t.*, s.t.* from s.t"),
        ("select * exclude (a, b) from t", "select * exclude (a, b) from t"),
        ("select distinct a from t", "select distinct a from t"),
        ("select distinct on (a, b + 1) c from t", "select distinct on (a, (b + 1)) c from t"),
        ("select all a from t", "select a from t"),
        (
            "select a, count(*) from t where b group by a, 2 having count(*) > 1 order by 2 desc nulls first, a",
            "select a, count(*) from t where b group by (a, 2) having (count(*) > 1) order by 2 desc nulls first, a",
        ),
        ("select a from t group by ()", "select a from t group by ()"),
        ("select a from t group by all", "select a from t group by all"),
        ("select a from t window w as (order by b)", "select a from t window w (order b)"),
        ("from t", "select * from t"),
        ("from t u, v select a where b", "select a from t as u, v where b"),
        ("table s.t order by 1", "select * from s.t order by 1"),
        ("select 1 union table t", "[select 1 Union select * from t]"),
        ("select a from only t", "select a from t"),
    ]);
}

#[test]
fn limits_come_in_any_order() {
    check(&[
        ("select 1 limit 2 offset 3", "select 1 limit 2 offset 3"),
        ("select 1 offset 3 limit 2", "select 1 limit 2 offset 3"),
        ("select 1 limit all", "select 1"),
        ("select 1 limit null", "select 1"),
        ("select 1 offset 5 rows fetch next row only", "select 1 limit 1 offset 5"),
        ("select 1 fetch first 5 rows with ties", "select 1 limit 5 with ties"),
        ("select 1 limit $1 offset $1 + 1", "select 1 limit $1 offset ($1 + 1)"),
        ("select 1 for update limit 2", "select 1 limit 2 for Update of [] Block"),
        ("select 1 limit 2 for share", "select 1 limit 2 for Share of [] Block"),
    ]);
}

#[test]
fn locks_are_read() {
    check(&[
        ("select from t for update", "select  from t for Update of [] Block"),
        (
            "select from t, s.u for no key update of t, s.u nowait for key share of u skip locked",
            "select  from t, s.u for NoKeyUpdate of [t, s.u] NoWait for KeyShare of [u] SkipLocked",
        ),
    ]);
}

#[test]
fn joins_are_read() {
    check(&[
        ("select from a, b c", "select  from a, b as c"),
        (
            "select from a join b on x left join c using (y, z) natural full outer join d cross join e",
            "select  from (a Inner b on x Left c using (y, z) Full d natural Cross e)",
        ),
        ("select from a right join b on x inner join c on y", "select  from (a Right b on x Inner c on y)"),
        ("select from a join b join c on x on y", "select  from (a Inner (b Inner c on x) on y)"),
        ("select from a left join (b join c on x) on y", "select  from (a Left (b Inner c on x) on y)"),
        ("select from (a join b on x) as j (p, q)", "select  from (a Inner b on x) as j(p, q)"),
        ("select from ((a cross join b)) j", "select  from (a Cross b) as j"),
        (
            "select from (select 1) x (a), lateral (select a) y",
            "select  from {select 1} as x(a), lateral {select a} as y",
        ),
        ("select from (values (1), (2)) v (x)", "select  from {values (1), (2)} as v(x)"),
        ("select from ((select 1) union select 2) u", "select  from {[{select 1} Union select 2]} as u"),
        (
            "select from generate_series(1, 2) with ordinality as g (a, b), lateral s.f(x => 1) h",
            "select  from generate_series(1, 2) with ordinality as g(a, b), lateral s.f(x => 1) as h",
        ),
        (
            "select from ((a join b on x) join ((c cross join d)) on y)",
            "select  from ((a Inner b on x) Inner (c Cross d) on y)",
        ),
    ]);
}

#[test]
fn set_operations_are_read() {
    check(&[
        ("select 1 union select 2 except all select 3", "[select 1 Union select 2 Except all select 3]"),
        ("select 1 union select 2 intersect select 3", "[select 1 Union [select 2 Intersect select 3]]"),
        ("(select 1 union distinct select 2) order by 1", "{[select 1 Union select 2]} order by 1"),
        (
            "(select 1 limit 1) union all (values (2) order by 1)",
            "[{select 1 limit 1} Union all {values (2) order by 1}]",
        ),
        ("values (1, default), (2, 3) limit 1", "values (1, default), (2, 3) limit 1"),
    ]);
}

#[test]
fn with_is_read() {
    check(&[
        (
            "with recursive a (n) as (values (1) union all select n + 1 from a where n < 9), b as materialized (table a), c as not materialized (select 1) select from b",
            "with recursive a(n) {[values (1) Union all select (n + 1) from a where (n < 9)]}, b() materialized {select * from a}, c() not materialized {select 1} select  from b",
        ),
        ("select (with x as (select 1) select * from x)", "select {with x() {select 1} select * from x}"),
    ]);
}

#[test]
fn shapes_of_tpch_are_read() {
    check(&[
        (
            "select o_orderpriority, count(*) as order_count from orders where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-07-01' + interval '3' month and exists (select * from lineitem where l_orderkey = o_orderkey) group by o_orderpriority order by o_orderpriority",
            "select o_orderpriority, count(*) as order_count from orders where (and (o_orderdate >= date '1993-07-01'), (o_orderdate < (date '1993-07-01' + interval Month '3')), (exists {select * from lineitem where (l_orderkey = o_orderkey)})) group by (o_orderpriority) order by o_orderpriority",
        ),
        (
            "select c_count from (select c_custkey, count(o_orderkey) from customer left outer join orders on c_custkey = o_custkey and o_comment not like '%x%' group by c_custkey) as c_orders (c_custkey, c_count)",
            "select c_count from {select c_custkey, count(o_orderkey) from (customer Left orders on (and (c_custkey = o_custkey), (o_comment not Like '%x%'))) group by (c_custkey)} as c_orders(c_custkey, c_count)",
        ),
        (
            "select 100.00 * sum(case when p_type like 'PROMO%' then e * (1 - d) else 0 end) / sum(e * (1 - d)) from l",
            "select (100.00d * sum((case when (p_type Like 'PROMO%') then (e * (1 - d)) else 0)) / sum((e * (1 - d)))) from l",
        ),
        (
            "select substring(c_phone from 1 for 2) as cntrycode from customer where substring(c_phone from 1 for 2) in ('13', '31') and c_acctbal > (select avg(c_acctbal) from customer where c_acctbal > 0.00)",
            "select substring(c_phone, 1, 2) as cntrycode from customer where (and (substring(c_phone, 1, 2) in ['13', '31']), (c_acctbal > {select avg(c_acctbal) from customer where (c_acctbal > 0.00d)}))",
        ),
    ]);
}

#[test]
fn inserts_are_read() {
    let StatementKind::Insert(insert) = kind(
        "with w as (select 1) insert into s.t as x (a, \"B\") values (default, $1), (1, 2) on conflict (a) do update set a = excluded.a, (b, c) = row(1, 2) where x.a > 1 returning *, a as b",
    ) else {
        panic!("no insert")
    };
    assert!(insert.with.is_some());
    assert_eq!(insert.table.to_string(), "s.t");
    assert_eq!(insert.alias.as_ref().map(|a| a.name.as_str()), Some("x"));
    assert_eq!(insert.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "B"]);
    let InsertSource::Query(query) = &insert.source else { panic!("no rows") };
    assert_eq!(print::query(query), "values (default, $1), (1, 2)");
    let Some(OnConflict { columns, assignments, filter: Some(filter), .. }) = &insert.on_conflict else {
        panic!("no conflict clause")
    };
    assert_eq!((columns.len(), assignments.len()), (1, 2));
    assert_eq!(print::expr(filter), "(x.a > 1)");
    assert_eq!(print::items(&insert.returning), "*, a as b");

    let StatementKind::Insert(insert) = kind("insert into t default values returning 1") else {
        panic!("no insert")
    };
    assert_eq!(insert.source, InsertSource::Defaults);
    let StatementKind::Insert(insert) = kind("insert into t select * from u on conflict do nothing") else {
        panic!("no insert")
    };
    assert!(matches!(&insert.on_conflict, Some(c) if c.assignments.is_empty() && c.columns.is_empty()));
    let StatementKind::Insert(insert) = kind("insert into t (select 1)") else { panic!("no insert") };
    assert!(insert.columns.is_empty());
}

#[test]
fn updates_are_read() {
    let StatementKind::Update(update) = kind(
        "update t as x set a = default, (b, c) = (2, 3), (d, e) = (select 1, 2) from u join v on true, w where x.a = u.a returning x.*",
    ) else {
        panic!("no update")
    };
    let values: Vec<String> = update
        .assignments
        .iter()
        .map(|a| match a {
            Assignment::Column { column, value } => format!("{column} = {}", print::expr(value)),
            Assignment::Columns { columns, value } => {
                let columns: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
                format!("({}) = {}", columns.join(", "), print::expr(value))
            }
        })
        .collect();
    assert_eq!(values, ["a = default", "(b, c) = <2, 3>", "(d, e) = {select 1, 2}"]);
    assert_eq!(update.from.iter().map(print::table).collect::<Vec<_>>(), ["(u Inner v on true)", "w"]);
    assert_eq!(update.filter.as_ref().map(print::expr).as_deref(), Some("(x.a = u.a)"));
    assert_eq!(print::items(&update.returning), "x.*");
}

#[test]
fn deletes_are_read() {
    let StatementKind::Delete(delete) =
        kind("with w as (select 1) delete from s.t x using w as y, z where true returning a")
    else {
        panic!("no delete")
    };
    assert!(delete.with.is_some());
    assert_eq!(delete.using.iter().map(print::table).collect::<Vec<_>>(), ["w as y", "z"]);
    assert_eq!(delete.alias.as_ref().map(|a| a.name.as_str()), Some("x"));
    assert!(delete.filter.is_some());
    assert_eq!(print::items(&delete.returning), "a");
}
