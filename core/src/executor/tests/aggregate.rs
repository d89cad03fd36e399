//! Grouping.

use super::{Db, Draws, MIXED, SIZES, Setup, column, mixed_rows, plan, sorted};
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::expr::{CompareOp, Expr};
use crate::plan::physical::PhysicalNode;
use crate::types::{DataType, Decimal, Value};
use std::collections::{BTreeMap, BTreeSet};

fn call(name: &str, arguments: &[usize]) -> AggregateCall {
    let arguments = arguments.iter().map(|&index| column(index, MIXED[index])).collect();
    AggregateCall::new(name, arguments).unwrap()
}

fn odd() -> Expr {
    let right = Expr::Constant { value: Value::BigInt(1000), ty: DataType::BigInt };
    Expr::compare(CompareOp::Less, column(5, MIXED[5]), right).unwrap()
}

fn calls() -> Vec<AggregateCall> {
    let mut filtered = call("count", &[]);
    filtered.filter = Some(odd());
    vec![
        call("count", &[]),
        call("count", &[1]),
        call("sum", &[5]),
        call("min", &[5]),
        call("max", &[5]),
        filtered,
        call("count", &[2]).distinct().unwrap(),
        call("sum", &[2]).distinct().unwrap(),
    ]
}

/// What [`calls`] give for a group.
fn expected(rows: &[&Vec<Value>]) -> Vec<Value> {
    let numbers: Vec<i64> = rows
        .iter()
        .map(|row| match row[5] {
            Value::BigInt(n) => n,
            _ => unreachable!(),
        })
        .collect();
    let big = |n: usize| Value::BigInt(n as i64);
    let or_null = |value: Option<i64>| value.map_or(Value::Null, Value::BigInt);
    let sum = numbers.iter().map(|&n| i128::from(n)).sum();
    let different: BTreeSet<i128> = rows
        .iter()
        .filter_map(|row| match &row[2] {
            Value::Numeric(n) => Some(n.value),
            _ => None,
        })
        .collect();
    let decimal = |value, scale| Value::Numeric(Decimal::new(value, scale));
    vec![
        big(rows.len()),
        big(rows.iter().filter(|row| !row[1].is_null()).count()),
        if rows.is_empty() { Value::Null } else { decimal(sum, 0) },
        or_null(numbers.iter().copied().min()),
        or_null(numbers.iter().copied().max()),
        big(numbers.iter().filter(|&&n| n < 1000).count()),
        big(different.len()),
        if different.is_empty() { Value::Null } else { decimal(different.iter().sum(), 2) },
    ]
}

/// Values of equal groups have equal names.
fn name(value: &Value) -> String {
    match value {
        Value::Double(n) if *n == 0.0 => "zero".to_owned(),
        Value::Numeric(n) => format!("{}", n.to_f64()),
        other => format!("{other:?}"),
    }
}

#[test]
fn groups_like_a_map() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(7);
        let mut spilled = 0;
        for (i, size) in SIZES.into_iter().chain([20_000]).enumerate() {
            let kinds = [3, 40, 4000][i % 3];
            let rows = mixed_rows(&draws, size, kinds);
            let keys: &[usize] = [&[0, 1][..], &[1], &[3, 4, 0]][i % 3];
            let calls = calls();
            let mut groups: BTreeMap<Vec<String>, Vec<&Vec<Value>>> = BTreeMap::new();
            for row in &rows {
                groups.entry(keys.iter().map(|&key| name(&row[key])).collect()).or_default().push(row);
            }
            let mut types: Vec<DataType> = keys.iter().map(|&key| MIXED[key]).collect();
            types.extend(calls.iter().map(|call| call.ty));
            let node = PhysicalNode::Aggregate {
                input: Box::new(db.rows(&MIXED, rows.clone())),
                keys: keys.iter().map(|&key| column(key, MIXED[key])).collect(),
                aggregates: calls,
            };
            let outcome = db.run(&plan(node, &types, 1e9));
            let found: BTreeMap<Vec<String>, Vec<Value>> = outcome
                .rows
                .iter()
                .map(|row| (row[..keys.len()].iter().map(name).collect(), row[keys.len()..].to_vec()))
                .collect();
            assert_eq!(found.len(), outcome.rows.len(), "no group comes twice: {setup:?} {size}");
            let groups: BTreeMap<_, _> =
                groups.into_iter().map(|(key, rows)| (key, expected(&rows))).collect();
            assert_eq!(found, groups, "{setup:?} {size}");
            spilled += outcome.spilled;
        }
        assert!(!setup.is_tight() || spilled > 0, "{setup:?}");
    }
}

#[test]
fn without_keys_there_is_one_row() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        for size in SIZES {
            let rows = mixed_rows(&Draws::new(8), size, 10);
            let calls = calls();
            let types: Vec<DataType> = calls.iter().map(|call| call.ty).collect();
            let input = Box::new(db.rows(&MIXED, rows.clone()));
            let node = PhysicalNode::Aggregate { input, keys: Vec::new(), aggregates: calls };
            let outcome = db.run(&plan(node, &types, 1.0));
            assert_eq!(outcome.rows, [expected(&rows.iter().collect::<Vec<_>>())], "{setup:?} {size}");
        }
    }
}

#[test]
fn distinct_rows_come_once() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(9);
        let types = [DataType::Text, DataType::Integer];
        let row = |_| vec![draws.text(60_000), draws.or_null(4, Value::Integer(draws.below(3) as i32))];
        let rows: Vec<Vec<Value>> = (0..60_000).map(row).collect();
        let node = PhysicalNode::Aggregate {
            input: Box::new(db.rows(&types, rows.clone())),
            keys: vec![column(0, types[0]), column(1, types[1])],
            aggregates: Vec::new(),
        };
        let outcome = db.run(&plan(node, &types, 1e9));
        let mut expected = sorted(&rows);
        expected.dedup();
        assert_eq!(outcome.sorted(), expected);
        assert!(!setup.is_tight() || outcome.spilled > 0, "{setup:?}");
    }
}

#[test]
fn ordered_aggregates_see_rows_in_order() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(10);
        let types = [DataType::Integer, DataType::Text];
        let row = |_| {
            let text = Value::Text(format!("{}", draws.below(50)).into());
            vec![Value::Integer(draws.below(20) as i32), draws.or_null(9, text)]
        };
        let rows: Vec<Vec<Value>> = (0..4000).map(row).collect();
        for distinct in [false, true] {
            let comma = Expr::Constant { value: Value::Text(",".into()), ty: DataType::Text };
            let Ok(mut call) = AggregateCall::new("string_agg", vec![column(1, types[1]), comma]) else {
                return;
            };
            call.distinct = distinct;
            call.order_by = vec![SortKey { expr: column(1, types[1]), descending: true, nulls_first: false }];
            let node = PhysicalNode::Aggregate {
                input: Box::new(db.rows(&types, rows.clone())),
                keys: vec![column(0, types[0])],
                aggregates: vec![call],
            };
            let outcome = db.run(&plan(node, &types, 1e9));
            let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for row in &rows {
                let texts = groups.entry(format!("{:?}", row[0])).or_default();
                if let Value::Text(text) = &row[1] {
                    texts.push(text);
                }
            }
            assert_eq!(outcome.rows.len(), groups.len());
            for row in outcome.rows {
                let mut texts = groups.remove(&format!("{:?}", row[0])).unwrap();
                texts.sort();
                texts.reverse();
                if distinct {
                    texts.dedup();
                }
                assert_eq!(row[1], Value::Text(texts.join(",").into()), "{setup:?} {distinct}");
            }
        }
    }
}
