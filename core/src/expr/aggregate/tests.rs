use super::{AggregateCall, Groups, StateHeap, States, all};
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::eval::{Evaluator, RowSet, evaluate_constant};
use crate::expr::resolve::common_type;
use crate::expr::tests::context;
use crate::expr::tests::parser::parse;
use crate::types::{CastContext, Chunk, DataType, FlatVector, Value, Vector};

/// Two groups' states of one aggregate, between bytes of others.
struct Table {
    bytes: Vec<u8>,
    stride: usize,
    heap: StateHeap,
}

const OFFSET: usize = 8;

impl Table {
    fn new(size: usize, groups: usize) -> Self {
        let stride = size + 16;
        Self { bytes: vec![0; stride * groups], stride, heap: StateHeap::default() }
    }

    fn states(&mut self) -> States<'_> {
        States { bytes: &mut self.bytes, stride: self.stride, offset: OFFSET, heap: &mut self.heap }
    }
}

/// The aggregate `call` written as `name(expr, ..)` over rows, folded in every way there is: all at once, by halves
/// that are combined, through bytes; all must agree.
fn aggregate(call: &str, rows: &[&str]) -> Result<(DataType, Value)> {
    let (name, inside) = call.split_once('(').unwrap();
    let values = rows.iter().map(|row| parse(row, &[])).collect::<Result<Vec<_>>>()?;
    let ty = common_type(&values.iter().map(Expr::data_type).collect::<Vec<_>>(), "VALUES")?;
    let argument = Expr::column(0, ty, true);
    let mut arguments = vec![argument];
    if let Some((_, separator)) = inside.trim_end_matches(')').split_once(", ") {
        arguments.push(parse(separator, &[])?);
    }
    if inside == "*)" {
        arguments.clear();
    }
    let call = AggregateCall::new(name, arguments)?;
    let mut column = FlatVector::new(ty.physical());
    for value in &values {
        let value = value.clone().cast(ty, CastContext::Assignment)?;
        let value = evaluate_constant(&value, &context(&[]))?;
        column.push_value(&value, &ty)?;
    }
    let chunk = Chunk { len: rows.len(), selection: None, columns: vec![Vector::Flat(column)] };
    let mut evaluator = Evaluator::new(&call.arguments)?;
    let inputs = evaluator.evaluate(&chunk, &context(&[]))?;
    let inputs: Vec<_> = inputs.iter().cloned().collect();
    let inputs: Vec<_> = inputs.iter().collect();
    let code = call.accumulator();
    assert_eq!(code.state_size() % 8, 0);

    let finish = |table: &mut Table, group: u32| -> Result<Value> {
        let mut out = FlatVector::new(call.ty.physical());
        code.finalize(&table.states(), &[group], &mut out)?;
        Ok(Value::from_scalar(out.scalar(0), &call.ty))
    };
    let mut whole = Table::new(code.state_size(), 3);
    code.update(&mut whole.states(), Groups::One(1), &inputs, RowSet::All(rows.len()))?;
    let expected = finish(&mut whole, 1)?;
    assert!(whole.bytes[..whole.stride + OFFSET].iter().all(|byte| *byte == 0), "other states changed");

    // Row by row, each half of the rows in a group of its own.
    let halves: Vec<u32> = (0..rows.len()).map(|row| if row < rows.len() / 2 { 0 } else { 2 }).collect();
    let mut split = Table::new(code.state_size(), 3);
    code.update(&mut split.states(), Groups::Each(&halves), &inputs, RowSet::All(rows.len()))?;
    let mut merged = Table::new(code.state_size(), 1);
    code.combine(&mut merged.states(), &split.states(), &[(0, 0), (0, 2)])?;
    close(&finish(&mut merged, 0)?, &expected);

    // Half of it spilled and read back.
    let mut bytes = Vec::new();
    code.save(&split.states(), 0, &mut bytes);
    let mut loaded = Table::new(code.state_size(), 1);
    assert_eq!(code.load(&mut loaded.states(), 0, &bytes), Some(&[][..]));
    assert!(
        code.load(&mut Table::new(code.state_size(), 1).states(), 0, &bytes[..bytes.len() - 1]).is_none()
    );
    code.combine(&mut loaded.states(), &split.states(), &[(0, 2)])?;
    close(&finish(&mut loaded, 0)?, &expected);
    Ok((call.ty, expected))
}

/// Floats may differ in their last digits when they are added in another order.
fn close(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) if a.is_finite() => assert!((a - b).abs() <= a.abs() * 1e-12),
        _ => assert_eq!(a, b),
    }
}

#[test]
fn results_are_those_of_postgres() {
    for line in include_str!("../tests/data/aggregate.txt").lines().filter(|line| !line.starts_with('#')) {
        let (call, rest) = line.split_once(" over ").unwrap();
        let (rows, expected) = rest.split_once(" => ").unwrap();
        let rows: Vec<_> = rows.split("; ").collect();
        let given = match aggregate(call, &rows) {
            Ok((ty, value)) => {
                let text = value.to_text(&ty, &context(&[]).times);
                format!("{}: {}", ty.name(), text.unwrap_or_else(|| "NULL".into()))
            }
            Err(error) => format!("ERROR {}: {error}", error.sqlstate().0),
        };
        assert_eq!(given, expected, "{call} over {rows:?}");
    }
}

#[test]
fn nothing_gives_null_or_zero() {
    for function in all() {
        let types: Vec<_> = function
            .arguments
            .iter()
            .map(|operand| match operand {
                crate::expr::Operand::Is(ty) => *ty,
                crate::expr::Operand::Any => DataType::Integer,
            })
            .collect();
        let ty = function.result_type(&types);
        let code = (function.accumulator)(&types, &ty);
        let mut table = Table::new(code.state_size(), 1);
        let mut out = FlatVector::new(ty.physical());
        code.finalize(&table.states(), &[0], &mut out).unwrap();
        let value = Value::from_scalar(out.scalar(0), &ty);
        let expected = if function.name == "count" { Value::BigInt(0) } else { Value::Null };
        assert_eq!(value, expected, "{function:?}");
    }
}
