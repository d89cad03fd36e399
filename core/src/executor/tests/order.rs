//! Sorts, top-k, limits, series, set operations.

use super::{Db, Draws, MIXED, SIZES, Setup, column, mixed_rows, plan, sorted};
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::plan::physical::{PhysicalNode, PhysicalPlan, Series, SetOperation};
use crate::types::{DataType, Value};
use std::cmp::Ordering;
use std::collections::HashMap;

fn key(index: usize, descending: bool, nulls_first: bool) -> SortKey {
    SortKey { expr: column(index, MIXED[index]), descending, nulls_first }
}

fn number(n: i64) -> Expr {
    Expr::Constant { value: Value::BigInt(n), ty: DataType::BigInt }
}

/// The order of SQL, with NULLs where the key says.
fn compare(a: &[Value], b: &[Value], keys: &[(usize, bool, bool)]) -> Ordering {
    for &(index, descending, nulls_first) in keys {
        let order = match (a[index].is_null(), b[index].is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let order = a[index].compare(&b[index]).unwrap();
                if descending { order.reverse() } else { order }
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

const KEYS: [&[(usize, bool, bool)]; 3] = [
    &[(1, false, false), (5, true, true)],
    &[(0, true, false), (3, false, true), (5, false, false)],
    &[(4, false, false), (2, true, true), (5, false, false)],
];

fn sort_keys(keys: &[(usize, bool, bool)]) -> Vec<SortKey> {
    keys.iter().map(|&(index, descending, nulls_first)| key(index, descending, nulls_first)).collect()
}

#[test]
fn sorts_like_a_stable_sort() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(1);
        for (i, size) in SIZES.into_iter().chain([20_000]).enumerate() {
            let rows = mixed_rows(&draws, size, 100);
            let keys = KEYS[i % KEYS.len()];
            let input = Box::new(db.rows(&MIXED, rows.clone()));
            let sort = plan(PhysicalNode::Sort { input, keys: sort_keys(keys) }, &MIXED, 1e9);
            let outcome = db.run(&sort);
            let mut expected = rows;
            expected.sort_by(|a, b| compare(a, b, keys));
            assert_eq!(format!("{:?}", outcome.rows), format!("{expected:?}"), "{setup:?} {size}");
            assert!(!(setup.is_tight() && size == 20_000) || outcome.spilled > 0, "{setup:?}");
        }
    }
}

#[test]
fn top_k_is_the_head_of_a_sort() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(2);
        for (limit, offset) in [(0, 0), (1, 0), (10, 3), (3000, 100), (100_000, 5)] {
            let rows = mixed_rows(&draws, 10_000, 50);
            let keys = KEYS[1];
            let input = Box::new(db.rows(&MIXED, rows.clone()));
            let node = PhysicalNode::TopK {
                input,
                keys: sort_keys(keys),
                limit: number(limit),
                offset: Some(number(offset)),
            };
            let outcome = db.run(&plan(node, &MIXED, 10.0));
            assert!(!setup.is_tight() || limit < 100_000 || outcome.spilled > 0, "{setup:?}");
            let mut expected = rows;
            expected.sort_by(|a, b| compare(a, b, keys));
            let (from, to) = ((offset as usize).min(expected.len()), (offset + limit) as usize);
            let expected = &expected[from..to.min(expected.len())];
            assert_eq!(format!("{:?}", outcome.rows), format!("{expected:?}"), "{setup:?} {limit}");
        }
    }
}

#[test]
fn limits_count_rows_of_all_threads() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let rows = mixed_rows(&Draws::new(3), 9000, 50);
        for (limit, offset, expected) in [
            (Some(10), None, 10),
            (None, Some(8990), 10),
            (Some(5000), Some(2047), 5000),
            (Some(0), None, 0),
            (Some(9), Some(8995), 5),
        ] {
            let input = Box::new(db.rows(&MIXED, rows.clone()));
            let (limit, offset) = (limit.map(number), offset.map(number));
            let node = PhysicalNode::Limit { input, limit, offset, ties: None };
            let outcome = db.run(&plan(node, &MIXED, 10.0));
            assert_eq!(outcome.rows.len(), expected);
            assert_eq!(outcome.counted, expected as u64);
        }
    }
    let db = Db::new(Setup::PLAIN);
    let input = Box::new(db.rows(&[DataType::Integer], Vec::new()));
    let node = PhysicalNode::Limit { input, limit: Some(number(-1)), offset: None, ties: None };
    let error = db.try_run(&plan(node, &[DataType::Integer], 1.0)).unwrap_err();
    assert_eq!(error.sqlstate().0, "2201W");
}

#[test]
fn ties_follow_the_last_row() {
    let db = Db::new(Setup::PLAIN);
    let types = [DataType::Integer];
    let rows: Vec<Vec<Value>> = (0..6000).map(|i| vec![Value::Integer(i / 3000)]).collect();
    for (limit, expected) in [(1, 3000), (2999, 3000), (3000, 3000), (3001, 6000)] {
        let sort = SortKey { expr: column(0, types[0]), descending: false, nulls_first: false };
        let input = Box::new(db.rows(&types, rows.clone()));
        let node =
            PhysicalNode::Limit { input, limit: Some(number(limit)), offset: None, ties: Some(vec![sort]) };
        assert_eq!(db.run(&plan(node, &types, 10.0)).rows.len(), expected, "{limit}");
    }
}

#[test]
fn distinct_on_keeps_the_first_of_each() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let rows = mixed_rows(&Draws::new(4), 9000, 700);
        let input = Box::new(db.rows(&MIXED, rows.clone()));
        let keys = [(0, false, false), (5, true, false)];
        let sort = plan(PhysicalNode::Sort { input, keys: sort_keys(&keys) }, &MIXED, 1e9);
        let node = PhysicalNode::DistinctOn { input: Box::new(sort), keys: vec![column(0, MIXED[0])] };
        let outcome = db.run(&plan(node, &MIXED, 10.0));
        let mut last: HashMap<Value, Vec<Value>> = HashMap::new();
        for row in rows {
            last.insert(row[0].clone(), row);
        }
        assert_eq!(outcome.sorted(), sorted(&last.into_values().collect::<Vec<_>>()));
    }
}

#[test]
fn set_operations_count_like_multisets() {
    let types = [DataType::Integer, DataType::Text];
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(5);
        let rows = |count: usize| -> Vec<Vec<Value>> {
            let row = |_| vec![draws.or_null(5, Value::Integer(draws.below(40) as i32)), draws.text(40)];
            (0..count).map(row).collect()
        };
        let (left, right) = (rows(6000), rows(5000));
        let count = |rows: &[Vec<Value>]| {
            let mut counts: HashMap<Vec<Value>, usize> = HashMap::new();
            rows.iter().for_each(|row| *counts.entry(row.clone()).or_default() += 1);
            counts
        };
        let (lefts, rights) = (count(&left), count(&right));
        for (intersect, all) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut expected = Vec::new();
            for (row, &l) in &lefts {
                let r = rights.get(row).copied().unwrap_or(0);
                let times = match (intersect, all) {
                    (true, true) => l.min(r),
                    (true, false) => usize::from(r > 0),
                    (false, true) => l.saturating_sub(r),
                    (false, false) => usize::from(r == 0),
                };
                expected.extend(std::iter::repeat_n(row.clone(), times));
            }
            let operation = SetOperation {
                intersect,
                all,
                left: db.rows(&types, left.clone()),
                right: db.rows(&types, right.clone()),
            };
            let node = PhysicalNode::SetOperation(Box::new(operation));
            assert_eq!(db.run(&plan(node, &types, 1e9)).sorted(), sorted(&expected));
        }
        let inputs = vec![db.rows(&types, left.clone()), db.rows(&types, right.clone())];
        let append = plan(PhysicalNode::Append(inputs), &types, 1e9);
        let all: Vec<Vec<Value>> = left.iter().chain(&right).cloned().collect();
        assert_eq!(db.run(&append).sorted(), sorted(&all));
    }
}

#[test]
fn series_end_where_they_should() {
    let db = Db::new(Setup::PLAIN);
    let run = |start: Value, stop: Value, step: Value, ty: DataType| {
        let constant = |value: Value, ty| Expr::Constant { value, ty };
        let step_ty = if matches!(ty, DataType::Timestamp) { DataType::Interval } else { ty };
        let series = Series {
            start: constant(start, ty),
            stop: constant(stop, ty),
            step: constant(step, step_ty),
            ordinality: true,
        };
        let plan: PhysicalPlan = plan(PhysicalNode::Series(series), &[ty, DataType::BigInt], 10.0);
        db.try_run(&plan).map(|outcome| outcome.rows)
    };
    let int = Value::Integer;
    let rows = run(int(1), int(5000), int(1), DataType::Integer).unwrap();
    assert_eq!((rows.len(), &rows[4999]), (5000, &vec![int(5000), Value::BigInt(5000)]));
    assert_eq!(run(int(5), int(1), int(-2), DataType::Integer).unwrap().len(), 3);
    assert_eq!(run(int(5), int(1), int(1), DataType::Integer).unwrap().len(), 0);
    assert_eq!(run(int(i32::MAX - 1), int(i32::MAX), int(1), DataType::Integer).unwrap().len(), 2);
    assert_eq!(run(Value::Null, int(3), int(1), DataType::Integer).unwrap().len(), 0);
    assert_eq!(run(int(1), int(3), int(0), DataType::Integer).unwrap_err().sqlstate().0, "22023");
}
