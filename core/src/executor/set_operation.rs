//! INTERSECT and EXCEPT: rows are grouped with a count for either side, and come out as often as the counts say.

use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::aggregate::AggregateCall;
use crate::types::{Chunk, DataType, Scalar, VECTOR_SIZE};
use std::sync::Arc;

/// The counts of a grouping of both inputs, whose column `side` is true for rows of the left one.
///
/// # Errors
/// Never: the aggregate exists.
pub(super) fn side_counts(side: usize) -> Result<Vec<AggregateCall>> {
    let is_left = Expr::column(side, DataType::Boolean, false);
    let mut left = AggregateCall::new("count", Vec::new())?;
    let mut right = left.clone();
    left.filter = Some(is_left.clone());
    right.filter = Some(Expr::Not(Box::new(is_left)));
    Ok(vec![left, right])
}

/// Repeats groups: the last two columns are the counts.
pub(super) struct Repeat {
    pub(super) intersect: bool,
    pub(super) all: bool,
}

impl Repeat {
    fn times(&self, left: i64, right: i64) -> i64 {
        match (self.intersect, self.all) {
            (true, true) => left.min(right),
            (true, false) => i64::from(left > 0 && right > 0),
            (false, true) => (left - right).max(0),
            (false, false) => i64::from(left > 0 && right == 0),
        }
    }
}

impl Operator for Repeat {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        let repeat = Self { intersect: self.intersect, all: self.all };
        Ok(Box::new(RepeatStage { query: Arc::clone(query), repeat, rows: Vec::new(), next }))
    }
}

struct RepeatStage {
    query: Arc<Query>,
    repeat: Repeat,
    rows: Vec<u16>,
    next: Box<dyn Stage>,
}

fn count(chunk: &Chunk, column: usize, row: usize) -> i64 {
    match chunk.columns[column].scalar(row) {
        Scalar::I64(count) => count,
        _ => 0,
    }
}

impl Stage for RepeatStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let columns = chunk.columns.len() - 2;
        self.rows.clear();
        for row in chunk.rows() {
            for _ in 0..self.repeat.times(count(chunk, columns, row), count(chunk, columns + 1, row)) {
                // Rows of a chunk fit u16.
                self.rows.push(row as u16);
                if self.rows.len() == VECTOR_SIZE && self.flush(chunk)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
        }
        self.flush(chunk)
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}

impl RepeatStage {
    fn flush(&mut self, chunk: &Chunk) -> Result<Flow> {
        if self.rows.is_empty() {
            return Ok(Flow::More);
        }
        self.query.check()?;
        let rows: Arc<[u16]> = self.rows.as_slice().into();
        self.rows.clear();
        let columns = chunk.columns[..chunk.columns.len() - 2].iter().map(|column| column.select(&rows));
        self.next.push(&mut Chunk { len: rows.len(), selection: None, columns: columns.collect() })
    }
}
