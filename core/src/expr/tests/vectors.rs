//! Evaluation over chunks of every form: flat, constant, dictionary, sequence; with NULLs and selections.

use super::parser::parse;
use super::{context, types_of};
use crate::error::Result;
use crate::expr::eval::Evaluator;
use crate::types::{Chunk, DataType, Decimal, FlatVector, PhysicalType, Selection, Value, Vector};
use std::sync::Arc;

const MONEY: DataType = DataType::Numeric { precision: 15, scale: 2 };

const COLUMNS: [(&str, DataType); 6] = [
    ("a", DataType::Integer),
    ("b", DataType::BigInt),
    ("price", MONEY),
    ("name", DataType::Text),
    ("flag", DataType::Boolean),
    ("f", DataType::Double),
];

/// Row `i` has a = i, b = 10 i, price = i + i / 100, name = "name i mod 5" (long for odd ones), flag = i mod 3 == 0,
/// f = i / 2; every seventh value of a column is NULL.
fn row(i: i64) -> Vec<Value> {
    let null = |column: i64, value: Value| if (i + column) % 7 == 6 { Value::Null } else { value };
    let name = if i % 2 == 1 { format!("a rather long name {}", i % 5) } else { format!("name {}", i % 5) };
    vec![
        null(0, Value::Integer(i as i32)),
        null(1, Value::BigInt(i * 10)),
        null(2, Value::Numeric(Decimal::new((i * 101).into(), 2))),
        null(3, Value::from(name)),
        null(4, Value::Boolean(i % 3 == 0)),
        null(5, Value::Double(i as f64 / 2.0)),
    ]
}

fn flat_chunk(rows: i64) -> Chunk {
    let types = types_of(&COLUMNS);
    let mut chunk = Chunk::of_types(&types);
    (0..rows).for_each(|i| chunk.push_row(&row(i), &types).unwrap());
    chunk
}

/// The same rows behind codes.
fn dictionary_chunk(rows: i64) -> Chunk {
    let mut chunk = flat_chunk(rows);
    let order: Arc<[u16]> = (0..rows as u16).collect();
    chunk.columns.iter_mut().for_each(|column| *column = column.select(&order));
    chunk
}

/// The value of each row that counts, by evaluating rows one at a time.
fn one_by_one(text: &str, chunk: &Chunk) -> Vec<Result<Value>> {
    let types = types_of(&COLUMNS);
    let expr = parse(text, &COLUMNS).unwrap();
    let single = |row: usize| {
        let mut one = Chunk::of_types(&types);
        one.push_row(&chunk.row(row, &types), &types)?;
        let mut evaluator = Evaluator::new(std::slice::from_ref(&expr))?;
        let outputs = evaluator.evaluate(&one, &context(&[]))?;
        Ok(outputs.get(0).value_at(0, &expr.data_type()))
    };
    chunk.rows().map(single).collect()
}

const EXPRESSIONS: [&str; 38] = [
    "a",
    "a + 1",
    "a + b",
    "a * 2 - b / 3",
    "price * (1 - price) * (1 + price)",
    "price * price",
    "price + 1.005",
    "price / 3",
    "price > 10.5",
    "price > 10.555",
    "price = a",
    "-a",
    "f * 2.0 + a",
    "sqrt(f)",
    "upper(name)",
    "name || '!' || a",
    "name like '%long%'",
    "name = 'name 4'",
    "name > 'b'",
    "name in ('name 0', 'name 2')",
    "a in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)",
    "a in (1, null)",
    "a not in (3, b)",
    "a > 5 and b < 100",
    "a > 5 or b < 20 or flag",
    "flag and a > 3",
    "not flag",
    "flag is true",
    "a is null",
    "a is distinct from b",
    "case when flag then a when a > 10 then b else f end",
    "case when a > 3 then name else 'none' end",
    "coalesce(a, b, -1)",
    "nullif(a, 5)",
    "greatest(a, 4, b)",
    "least(name, 'b')",
    "case when a <> 0 then 100 / a else 0 end",
    "substring(name, 3, a)",
];

fn compare(chunk: &Chunk, form: &str) {
    for text in EXPRESSIONS {
        let expr = parse(text, &COLUMNS).unwrap();
        let mut evaluator = Evaluator::new(std::slice::from_ref(&expr)).unwrap();
        let expected: Vec<_> = one_by_one(text, chunk).into_iter().map(Result::unwrap).collect();
        // Twice, for registers keep what was in them.
        for _ in 0..2 {
            let outputs = evaluator.evaluate(chunk, &context(&[])).unwrap();
            let column = outputs.get(0);
            let given: Vec<_> = chunk.rows().map(|row| column.value_at(row, &expr.data_type())).collect();
            assert_eq!(given, expected, "{form}: {text}");
        }
        if expr.data_type() == DataType::Boolean {
            let mut selected = Selection::new();
            evaluator.select(chunk, &context(&[]), &mut selected).unwrap();
            let kept = chunk.rows().zip(&expected).filter(|(_, value)| **value == Value::Boolean(true));
            let kept: Vec<_> = kept.map(|(row, _)| row as u16).collect();
            assert_eq!(selected.as_slice(), kept, "{form}: rows of {text}");
        }
    }
}

#[test]
fn vectors_agree_with_single_rows() {
    let some: Selection = (0..300u16).filter(|row| row % 3 != 1).collect();
    let few: Selection = [3u16, 77, 78, 200].into_iter().collect();
    for selection in [None, Some(some), Some(few)] {
        for (form, mut chunk) in [("flat", flat_chunk(300)), ("dictionary", dictionary_chunk(300))] {
            chunk.selection.clone_from(&selection);
            compare(&chunk, form);
        }
    }
}

#[test]
fn small_dictionaries_are_computed_once() {
    let types = types_of(&COLUMNS);
    let small = flat_chunk(12);
    let codes: Arc<[u16]> = (0..500u16).map(|i| i % 12).collect();
    let mut chunk = Chunk::of_types(&types);
    chunk.columns = small.columns.iter().map(|column| column.select(&codes)).collect();
    chunk.len = 500;
    compare(&chunk, "small dictionary");
    let expr = parse("upper(name)", &COLUMNS).unwrap();
    let mut evaluator = Evaluator::new(std::slice::from_ref(&expr)).unwrap();
    let outputs = evaluator.evaluate(&chunk, &context(&[])).unwrap();
    assert!(matches!(outputs.get(0), Vector::Dictionary { dictionary, .. } if dictionary.len() == 12));
}

#[test]
fn constants_and_sequences_are_columns() {
    let mut chunk = flat_chunk(100);
    chunk.columns[1] = Vector::sequence(5, 3);
    chunk.columns[0] = Vector::constant(PhysicalType::I32, crate::types::Scalar::I32(4));
    compare(&chunk, "constant and sequence");
}

/// Row 0 would fail; it is not selected, NULL, or not reached.
#[test]
fn only_rows_that_count_fail() {
    let types = [DataType::Integer, DataType::Integer];
    let columns = [("x", DataType::Integer), ("y", DataType::Integer)];
    let mut chunk = Chunk::of_types(&types);
    for (x, y) in [(1, 0), (i32::MAX, 1), (4, 2)] {
        chunk.push_row(&[Value::Integer(x), Value::Integer(y)], &types).unwrap();
    }
    let run = |text: &str, chunk: &Chunk| {
        let expr = parse(text, &columns).unwrap();
        let mut evaluator = Evaluator::new(std::slice::from_ref(&expr)).unwrap();
        let outputs = evaluator.evaluate(chunk, &context(&[])).map_err(|error| error.to_string())?;
        let column = outputs.get(0);
        Ok::<_, String>(chunk.rows().map(|row| column.value_at(row, &expr.data_type())).collect::<Vec<_>>())
    };
    assert_eq!(run("x / y", &chunk), Err("division by zero".into()));
    assert_eq!(run("x + 1", &chunk), Err("integer out of range".into()));
    let three = [Value::Null, Value::Integer(i32::MAX), Value::Integer(2)];
    assert_eq!(run("case when y <> 0 then x / y end", &chunk), Ok(three.to_vec()));
    assert_eq!(run("y <> 0 and x / y = 2", &chunk), Ok([false, false, true].map(Value::Boolean).to_vec()));
    chunk.selection = Some([2u16].into_iter().collect());
    assert_eq!(run("x / y", &chunk), Ok(vec![Value::Integer(2)]));
    assert_eq!(run("x + 1", &chunk), Ok(vec![Value::Integer(5)]));
    chunk.selection = Some(Selection::new());
    assert_eq!(run("1 / 0", &chunk), Ok(vec![]));
}

#[test]
fn projections_reuse_memory() {
    let columns = [("a", DataType::Integer)];
    let exprs = ["a + 1", "a", "a + 1", "7"].map(|text| parse(text, &columns).unwrap());
    let mut evaluator = Evaluator::new(&exprs).unwrap();
    let mut out = Chunk::default();
    for round in 0..3 {
        let mut column = FlatVector::new(PhysicalType::I32);
        (0..50).for_each(|i| column.push(i + round));
        let chunk = Chunk { len: 50, selection: None, columns: vec![Vector::Flat(column)] };
        evaluator.project(&chunk, &context(&[]), &mut out).unwrap();
        out.verify();
        let row = out.row(10, &[DataType::Integer; 4]);
        let expected = [11 + round, 10 + round, 11 + round, 7].map(Value::Integer);
        assert_eq!(row, expected);
    }
}

#[test]
fn parameters_come_from_the_context() {
    let expr = parse("a", &[("a", DataType::Integer)]).unwrap();
    let parameter = crate::expr::Expr::Parameter { number: 1, ty: DataType::Integer };
    let sum = crate::expr::Expr::operator("+", vec![expr, parameter]).unwrap();
    let mut evaluator = Evaluator::new(std::slice::from_ref(&sum)).unwrap();
    let mut chunk = Chunk::of_types(&[DataType::Integer]);
    chunk.push_row(&[Value::Integer(1)], &[DataType::Integer]).unwrap();
    for value in [5, 6] {
        let parameters = [Value::Integer(value)];
        let outputs = evaluator.evaluate(&chunk, &context(&parameters)).unwrap();
        assert_eq!(outputs.get(0).value_at(0, &DataType::Integer), Value::Integer(value + 1));
    }
    assert_eq!(evaluator.evaluate(&chunk, &context(&[])).err().unwrap().sqlstate().0, "42P02");
}
