//! Rows of the statement itself, and series of numbers and times.

use super::pipeline::{Reader, Source};
use super::resources::Query;
use crate::error::{DataError, Result};
use crate::expr::Expr;
use crate::expr::eval::evaluate_constant;
use crate::plan::physical::Series;
use crate::types::{Chunk, DataType, VECTOR_SIZE, Value};
use std::sync::Arc;

/// Lists of expressions.
pub(super) struct ValuesSource {
    pub(super) rows: Arc<[Vec<Expr>]>,
    pub(super) types: Vec<DataType>,
}

impl Source for ValuesSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let (rows, types) = (Arc::clone(&self.rows), self.types.clone());
        Ok(Box::new(ValuesReader { query: Arc::clone(query), rows, types, next: 0 }))
    }
}

struct ValuesReader {
    query: Arc<Query>,
    rows: Arc<[Vec<Expr>]>,
    types: Vec<DataType>,
    next: usize,
}

impl Reader for ValuesReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let rows = &self.rows[self.next..self.rows.len().min(self.next + VECTOR_SIZE)];
        self.next += rows.len();
        *chunk = Chunk::of_types(&self.types);
        let context = self.query.eval();
        for row in rows {
            let values: Vec<Value> =
                row.iter().map(|expr| evaluate_constant(expr, &context)).collect::<Result<_>>()?;
            chunk.push_row(&values, &self.types)?;
        }
        Ok(chunk.len > 0)
    }
}

/// `generate_series`.
pub(super) struct SeriesSource {
    pub(super) series: Series,
    pub(super) ty: DataType,
}

impl SeriesSource {
    /// How many rows it gives, if it is a series of whole numbers and the statement says between which.
    pub(super) fn known_rows(&self) -> Option<f64> {
        let number = |expr: &Expr| match expr {
            Expr::Constant { value: Value::SmallInt(n), .. } => Some(f64::from(*n)),
            Expr::Constant { value: Value::Integer(n), .. } => Some(f64::from(*n)),
            Expr::Constant { value: Value::BigInt(n), .. } => Some(*n as f64),
            _ => None,
        };
        let (start, stop) = (number(&self.series.start)?, number(&self.series.stop)?);
        Some(((stop - start) / number(&self.series.step)? + 1.0).floor().max(0.0))
    }
}

impl Source for SeriesSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let context = query.eval();
        let value = |expr: &Expr| evaluate_constant(expr, &context);
        let (start, stop, step) =
            (value(&self.series.start)?, value(&self.series.stop)?, value(&self.series.step)?);
        let descending = direction(&step)?;
        let null = start.is_null() || stop.is_null() || step.is_null();
        Ok(Box::new(SeriesReader {
            current: (!null).then_some(start),
            stop,
            step,
            descending,
            types: std::iter::once(self.ty)
                .chain(self.series.ordinality.then_some(DataType::BigInt))
                .collect(),
            number: 0,
        }))
    }
}

/// Whether the values fall.
fn direction(step: &Value) -> Result<bool> {
    let sign = match step {
        Value::Null => return Ok(false),
        Value::SmallInt(n) => i64::from(n.signum()),
        Value::Integer(n) => i64::from(n.signum()),
        Value::BigInt(n) => n.signum(),
        Value::Numeric(n) => match n.value.signum() {
            1 => 1,
            0 => 0,
            _ => -1,
        },
        Value::Interval(interval) => match interval.span().signum() {
            1 => 1,
            0 => 0,
            _ => -1,
        },
        other => {
            let found = other.data_type().name();
            return Err(DataError::TypeMismatch { expected: "bigint", found }.into());
        }
    };
    if sign == 0 {
        return Err(DataError::ZeroStep.into());
    }
    Ok(sign < 0)
}

struct SeriesReader {
    current: Option<Value>,
    stop: Value,
    step: Value,
    descending: bool,
    types: Vec<DataType>,
    number: i64,
}

impl SeriesReader {
    /// The value after `value`; `None` past the end of the type.
    fn after(&self, value: &Value) -> Result<Option<Value>> {
        Ok(match (value, &self.step) {
            (Value::SmallInt(a), Value::SmallInt(b)) => a.checked_add(*b).map(Value::SmallInt),
            (Value::Integer(a), Value::Integer(b)) => a.checked_add(*b).map(Value::Integer),
            (Value::BigInt(a), Value::BigInt(b)) => a.checked_add(*b).map(Value::BigInt),
            (Value::Numeric(a), Value::Numeric(b)) => Some(Value::Numeric(a.add(b)?)),
            (Value::Timestamp(a), Value::Interval(b)) => {
                Some(Value::Timestamp(crate::types::datetime::add_interval(*a, b)?))
            }
            (Value::TimestampTz(a), Value::Interval(b)) => {
                Some(Value::TimestampTz(crate::types::datetime::add_interval(*a, b)?))
            }
            (_, _) => None,
        })
    }
}

impl Reader for SeriesReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        *chunk = Chunk::of_types(&self.types);
        while chunk.len < VECTOR_SIZE
            && let Some(value) = self.current.take()
        {
            let past = if self.descending { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
            if value.compare(&self.stop) == Some(past) {
                break;
            }
            self.number += 1;
            self.current = self.after(&value)?;
            let row = [value, Value::BigInt(self.number)];
            chunk.push_row(&row[..self.types.len()], &self.types)?;
        }
        Ok(chunk.len > 0)
    }
}
