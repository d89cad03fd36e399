//! Joins of all kinds against nested loops over values.

use super::{Db, Draws, Setup, column, plan, sorted};
use crate::error::Result;
use crate::expr::{CompareOp, Expr};
use crate::plan::physical::{HashJoin, JoinKey, JoinType, Mark, NestedLoopJoin, PhysicalNode, PhysicalPlan};
use crate::types::{DataType, Decimal, Value};

const LEFT: [DataType; 3] = [DataType::Integer, DataType::Text, DataType::BigInt];
const RIGHT: [DataType; 3] = [DataType::Integer, DataType::Text, DataType::BigInt];

fn rows(draws: &Draws, count: usize, kinds: u64) -> Vec<Vec<Value>> {
    let row = |_| {
        vec![
            draws.or_null(20, Value::Integer(draws.below(kinds) as i32)),
            draws.text(kinds),
            Value::BigInt(draws.below(100) as i64),
        ]
    };
    (0..count).map(row).collect()
}

fn kinds() -> Vec<JoinType> {
    let test = Expr::compare(CompareOp::Less, column(2, LEFT[2]), column(5, RIGHT[2])).unwrap();
    vec![
        JoinType::Inner,
        JoinType::Left,
        JoinType::Right,
        JoinType::Full,
        JoinType::Semi,
        JoinType::Anti,
        JoinType::RightSemi,
        JoinType::RightAnti,
        JoinType::Mark(Mark::Test(vec![test])),
        JoinType::Mark(Mark::Test(Vec::new())),
    ]
}

fn condition() -> Expr {
    Expr::compare(CompareOp::NotEqual, column(2, LEFT[2]), column(5, RIGHT[2])).unwrap()
}

fn types_of(kind: &JoinType) -> Vec<DataType> {
    let mut types = LEFT.to_vec();
    match kind {
        JoinType::Semi | JoinType::Anti => {}
        JoinType::RightSemi | JoinType::RightAnti => return RIGHT.to_vec(),
        JoinType::Mark(_) => types.push(DataType::Boolean),
        _ => types.extend(RIGHT),
    }
    types
}

fn less(a: &Value, b: &Value) -> bool {
    a.compare(b).is_some_and(std::cmp::Ordering::is_lt)
}

/// The join, by trying all pairs.
fn naive(
    left: &[Vec<Value>],
    right: &[Vec<Value>],
    kind: &JoinType,
    matches: impl Fn(&[Value], &[Value]) -> bool,
) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    let mut met = vec![false; right.len()];
    let pair = |l: &[Value], r: &[Value]| l.iter().chain(r).cloned().collect::<Vec<_>>();
    for l in left {
        let found: Vec<usize> = (0..right.len()).filter(|&r| matches(l, &right[r])).collect();
        found.iter().for_each(|&r| met[r] = true);
        match kind {
            JoinType::Semi | JoinType::Anti => {
                if found.is_empty() == (*kind == JoinType::Anti) {
                    out.push(l.clone());
                }
            }
            JoinType::RightSemi | JoinType::RightAnti => {}
            JoinType::Mark(Mark::Test(tests)) => {
                let passes = |&&r: &&usize| tests.is_empty() || less(&l[2], &right[r][2]);
                let mark = Value::Boolean(found.iter().any(|r| passes(&r)));
                out.push(l.iter().cloned().chain([mark]).collect());
            }
            JoinType::Mark(Mark::NullAware) => {
                let unknown = !right.is_empty() && (l[0].is_null() || right.iter().any(|r| r[0].is_null()));
                let mark = match (found.is_empty(), unknown) {
                    (false, _) => Value::Boolean(true),
                    (true, true) => Value::Null,
                    (true, false) => Value::Boolean(false),
                };
                out.push(l.iter().cloned().chain([mark]).collect());
            }
            _ => {
                out.extend(found.iter().map(|&r| pair(l, &right[r])));
                if found.is_empty() && matches!(kind, JoinType::Left | JoinType::Full | JoinType::Single) {
                    out.push(pair(l, &vec![Value::Null; RIGHT.len()]));
                }
            }
        }
    }
    out.extend(kept(right, &met, kind));
    out
}

/// The right rows that come out when all left rows have passed.
fn kept(right: &[Vec<Value>], met: &[bool], kind: &JoinType) -> Vec<Vec<Value>> {
    let some = |wanted: bool| right.iter().zip(met).filter(move |(_, met)| **met == wanted).map(|(r, _)| r);
    match kind {
        JoinType::RightSemi => some(true).cloned().collect(),
        JoinType::RightAnti => some(false).cloned().collect(),
        JoinType::Right | JoinType::Full => {
            let nulls = vec![Value::Null; LEFT.len()];
            some(false).map(|r| nulls.iter().chain(r).cloned().collect()).collect()
        }
        _ => Vec::new(),
    }
}

fn hash_join(
    db: &Db,
    kind: &JoinType,
    sides: (&[Vec<Value>], &[Vec<Value>]),
    keys: Vec<JoinKey>,
    conditions: Vec<Expr>,
) -> PhysicalPlan {
    let join = HashJoin {
        kind: kind.clone(),
        left: db.rows(&LEFT, sides.0.to_vec()),
        right: db.rows(&RIGHT, sides.1.to_vec()),
        keys,
        conditions,
        reads: vec![true; LEFT.len() + RIGHT.len()],
        runtime_filters: Vec::new(),
    };
    plan(PhysicalNode::HashJoin(Box::new(join)), &types_of(kind), 1e9)
}

fn key(index: usize, nulls_equal: bool) -> JoinKey {
    JoinKey { left: column(index, LEFT[index]), right: column(index, RIGHT[index]), nulls_equal }
}

#[test]
fn hash_joins_match_nested_loops() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(11);
        for (lefts, rights, kinds_of_keys) in [(0, 50, 5), (50, 0, 5), (3000, 2500, 900), (700, 700, 20)] {
            let (left, right) = (rows(&draws, lefts, kinds_of_keys), rows(&draws, rights, kinds_of_keys));
            for kind in kinds() {
                for with_condition in [false, true] {
                    let conditions = if with_condition { vec![condition()] } else { Vec::new() };
                    let join = hash_join(&db, &kind, (&left, &right), vec![key(0, false)], conditions);
                    let outcome = db.run(&join);
                    let expected = naive(&left, &right, &kind, |l, r| {
                        !l[0].is_null() && l[0] == r[0] && (!with_condition || l[2] != r[2])
                    });
                    assert_eq!(outcome.sorted(), sorted(&expected), "{setup:?} {kind:?} {lefts} {rights}");
                }
            }
        }
    }
}

#[test]
fn large_hash_joins_go_to_disk() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(12);
        let (left, right) = (rows(&draws, 15_000, 20_000), rows(&draws, 20_000, 20_000));
        for kind in kinds() {
            let keys = vec![key(0, true), key(1, false)];
            let join = hash_join(&db, &kind, (&left, &right), keys, Vec::new());
            let outcome = db.run(&join);
            let mut index = std::collections::HashMap::<(Value, Value), Vec<usize>>::new();
            for (i, r) in right.iter().enumerate() {
                index.entry((r[0].clone(), r[1].clone())).or_default().push(i);
            }
            let mut expected = Vec::new();
            let mut met = vec![false; right.len()];
            for l in &left {
                let found = index.get(&(l[0].clone(), l[1].clone())).cloned().unwrap_or_default();
                found.iter().for_each(|&r| met[r] = true);
                let partners: Vec<Vec<Value>> = found.iter().map(|&r| right[r].clone()).collect();
                let own = naive(std::slice::from_ref(l), &partners, &kind, |_, _| true);
                // Right rows are added once, below.
                let is_kept = matches!(kind, JoinType::RightSemi | JoinType::RightAnti);
                let own = own.into_iter().filter(|row| !is_kept && !row[..3].iter().all(Value::is_null));
                expected.extend(own);
            }
            expected.extend(kept(&right, &met, &kind));
            assert_eq!(outcome.sorted(), sorted(&expected), "{setup:?} {kind:?}");
            assert!(!setup.is_tight() || outcome.spilled > 0, "{setup:?} {kind:?}");
        }
    }
}

#[test]
fn skewed_partitions_are_done_in_passes() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        // One key for nearly all right rows.
        let one = |i: usize, n: i64| {
            vec![Value::Integer(i.is_multiple_of(100).into()), Value::Null, Value::BigInt(n)]
        };
        let left: Vec<_> = (0..300).map(|i| one(i, (i % 3) as i64)).collect();
        let right: Vec<_> = (0..30_000).map(|i| one(i, i as i64 % 7000)).collect();
        let test = Expr::compare(CompareOp::Equal, column(2, LEFT[2]), column(5, RIGHT[2])).unwrap();
        for kind in [JoinType::Inner, JoinType::Full, JoinType::Anti, JoinType::RightSemi] {
            let join = hash_join(&db, &kind, (&left, &right), vec![key(0, false)], vec![test.clone()]);
            let expected = naive(&left, &right, &kind, |l, r| l[0] == r[0] && l[2] == r[2]);
            assert_eq!(db.run(&join).sorted(), sorted(&expected), "{setup:?} {kind:?}");
        }
    }
}

#[test]
fn in_knows_about_nulls() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let kind = JoinType::Mark(Mark::NullAware);
        for (draws, rights) in [(Draws::new(13), 0), (Draws::new(14), 5), (Draws::new(15), 3000)] {
            for with_nulls in [false, true] {
                let left = rows(&draws, 2500, 4000);
                let mut right = rows(&draws, rights, 4000);
                if !with_nulls {
                    right.retain(|row| !row[0].is_null());
                }
                let join = hash_join(&db, &kind, (&left, &right), vec![key(0, false)], Vec::new());
                let expected = naive(&left, &right, &kind, |l, r| !l[0].is_null() && l[0] == r[0]);
                assert_eq!(db.run(&join).sorted(), sorted(&expected));
            }
        }
    }
}

fn loop_join(db: &Db, kind: &JoinType, left: &[Vec<Value>], right: &[Vec<Value>]) -> Result<super::Outcome> {
    let equal = Expr::compare(CompareOp::Equal, column(0, LEFT[0]), column(3, RIGHT[0])).unwrap();
    let join = NestedLoopJoin {
        kind: kind.clone(),
        left: db.rows(&LEFT, left.to_vec()),
        right: db.rows(&RIGHT, right.to_vec()),
        conditions: vec![equal, condition()],
    };
    db.try_run(&plan(PhysicalNode::NestedLoopJoin(Box::new(join)), &types_of(kind), 1e9))
}

#[test]
fn nested_loop_joins_try_all_pairs() {
    for setup in Setup::ALL {
        let db = Db::new(setup);
        let draws = Draws::new(16);
        for (lefts, rights) in [(0, 10), (10, 0), (2500, 3), (3, 2500), (300, 400)] {
            let (left, right) = (rows(&draws, lefts, 30), rows(&draws, rights, 30));
            let only_hashed = |kind: &JoinType| matches!(kind, JoinType::RightSemi | JoinType::RightAnti);
            for kind in kinds().into_iter().filter(|kind| !only_hashed(kind)) {
                let outcome = loop_join(&db, &kind, &left, &right).unwrap();
                let expected =
                    naive(&left, &right, &kind, |l, r| !l[0].is_null() && l[0] == r[0] && l[2] != r[2]);
                assert_eq!(outcome.sorted(), sorted(&expected), "{setup:?} {kind:?} {lefts} {rights}");
            }
        }
    }
}

#[test]
fn a_scalar_has_one_row() {
    let db = Db::new(Setup::PLAIN);
    let row = |n: i32, m: i64| vec![Value::Integer(n), Value::Null, Value::BigInt(m)];
    let left = [row(1, 1), row(2, 1), row(3, 1)];
    let right = vec![row(1, 2), row(2, 3)];
    let outcome = loop_join(&db, &JoinType::Single, &left, &right).unwrap();
    assert_eq!(outcome.rows.len(), 3);
    let twice = [right.clone(), right.clone()].concat();
    assert_eq!(loop_join(&db, &JoinType::Single, &left, &twice).unwrap_err().sqlstate().0, "21000");
    let join = hash_join(&db, &JoinType::Single, (&left, &twice), vec![key(0, false)], Vec::new());
    assert_eq!(db.try_run(&join).unwrap_err().sqlstate().0, "21000");
    let join = hash_join(&db, &JoinType::Single, (&left, &right), vec![key(0, false)], Vec::new());
    assert_eq!(db.run(&join).rows.len(), 3);
}

#[test]
fn decimals_of_different_scales_are_equal() {
    let db = Db::new(Setup::PLAIN);
    let (a, b) =
        (DataType::Numeric { precision: 10, scale: 2 }, DataType::Numeric { precision: 30, scale: 4 });
    let number = |value, scale| vec![Value::Numeric(Decimal::new(value, scale))];
    let join = HashJoin {
        kind: JoinType::Inner,
        left: db.rows(&[a], vec![number(150, 2), number(-7, 2), number(300, 2)]),
        right: db.rows(&[b], vec![number(15000, 4), number(-701, 4), number(30000, 4)]),
        keys: vec![JoinKey { left: column(0, a), right: column(0, b), nulls_equal: false }],
        conditions: Vec::new(),
        reads: vec![true; LEFT.len() + RIGHT.len()],
        runtime_filters: Vec::new(),
    };
    let outcome = db.run(&plan(PhysicalNode::HashJoin(Box::new(join)), &[a, b], 1.0));
    assert_eq!(outcome.rows.len(), 2);
}
