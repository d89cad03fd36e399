//! Passes some of the first rows on.
//!
//! The threads of a pipeline share two counters: rows still to be left out, rows still to be passed on. Which rows come
//! first is decided by who counts first; where order matters, the pipeline has one thread.

use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use super::sort_key::KeyEncoder;
use crate::error::{DataError, Result};
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::expr::eval::evaluate_constant;
use crate::types::{Chunk, Selection, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// How many rows, and after how many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) offset: u64,
    pub(super) limit: u64,
}

impl Window {
    /// Evaluates the two numbers.
    ///
    /// # Errors
    /// 2201W and 2201X if one is negative, and those of the expressions.
    pub(super) fn new(query: &Query, limit: Option<&Expr>, offset: Option<&Expr>) -> Result<Self> {
        let number = |expr: Option<&Expr>, negative: fn() -> DataError| -> Result<Option<u64>> {
            let Some(expr) = expr else { return Ok(None) };
            match evaluate_constant(expr, &query.eval())? {
                Value::BigInt(n) => Ok(Some(u64::try_from(n).map_err(|_| negative())?)),
                _ => Ok(None),
            }
        };
        let limit = number(limit, || DataError::NegativeLimit)?;
        let offset = number(offset, || DataError::NegativeOffset)?;
        Ok(Self { limit: limit.unwrap_or(u64::MAX), offset: offset.unwrap_or(0) })
    }

    /// The rows before the end of the window.
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(self.limit)
    }
}

/// The operator.
pub(super) struct Limit {
    limit: Option<Expr>,
    offset: Option<Expr>,
    ties: Vec<SortKey>,
    counters: OnceLock<Arc<Counters>>,
}

struct Counters {
    skip: AtomicU64,
    pass: AtomicU64,
}

impl Limit {
    pub(super) fn new(limit: Option<Expr>, offset: Option<Expr>, ties: Option<Vec<SortKey>>) -> Self {
        Self { limit, offset, ties: ties.unwrap_or_default(), counters: OnceLock::new() }
    }
}

impl Operator for Limit {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        let window = Window::new(query, self.limit.as_ref(), self.offset.as_ref())?;
        let counters = self.counters.get_or_init(|| {
            let (skip, pass) = (AtomicU64::new(window.offset), AtomicU64::new(window.limit));
            Arc::new(Counters { skip, pass })
        });
        // Without a row there is none to be equal to.
        let ties = if self.ties.is_empty() || matches!(window.limit, 0 | u64::MAX) {
            None
        } else {
            Some(Ties { encoder: KeyEncoder::new(query, &self.ties)?, last: None })
        };
        Ok(Box::new(LimitStage { counters: Arc::clone(counters), ties, next }))
    }
}

struct LimitStage {
    counters: Arc<Counters>,
    ties: Option<Ties>,
    next: Box<dyn Stage>,
}

/// Rows equal to the last one still come.
struct Ties {
    encoder: KeyEncoder,
    /// The key of the last row, when all that were asked for have passed.
    last: Option<Vec<u8>>,
}

/// Takes up to `wanted` off a counter; how many it had.
fn take(counter: &AtomicU64, wanted: u64) -> u64 {
    if counter.load(Ordering::Relaxed) == u64::MAX {
        return wanted;
    }
    let taken =
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - left.min(wanted)));
    taken.unwrap_or_default().min(wanted)
}

impl LimitStage {
    /// How many rows of a chunk are left out, and how many pass then.
    fn share(&self, count: usize) -> (usize, usize) {
        // Both are at most `count`.
        let skipped = take(&self.counters.skip, count as u64) as usize;
        (skipped, take(&self.counters.pass, (count - skipped) as u64) as usize)
    }
}

impl Stage for LimitStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let count = chunk.count();
        let (skipped, mut passed) = self.share(count);
        let is_last = self.counters.pass.load(Ordering::Relaxed) == 0;
        let mut flow = if is_last { Flow::Enough } else { Flow::More };
        if let Some(ties) = &mut self.ties
            && is_last
        {
            let more = ties.extend(chunk, skipped + passed)?;
            passed += more;
            flow = if skipped + passed < count { Flow::Enough } else { Flow::More };
        }
        if passed == 0 {
            return Ok(flow);
        }
        if passed < count {
            // Rows of a chunk fit u16.
            let kept: Selection = chunk.rows().skip(skipped).take(passed).map(|row| row as u16).collect();
            chunk.selection = Some(kept);
        }
        match self.next.push(chunk)? {
            Flow::Enough => Ok(Flow::Enough),
            Flow::More => Ok(flow),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}

impl Ties {
    /// How many rows after the first `done` are equal to the last that passed.
    fn extend(&mut self, chunk: &Chunk, done: usize) -> Result<usize> {
        let rows: Vec<usize> = chunk.rows().collect();
        self.encoder.read(chunk)?;
        if self.last.is_none()
            && let Some(&row) = done.checked_sub(1).and_then(|last| rows.get(last))
        {
            self.last = Some(self.encoder.key(row).to_vec());
        }
        let Some(last) = &self.last else { return Ok(0) };
        Ok(rows[done..].iter().take_while(|&&row| self.encoder.key(row) == last.as_slice()).count())
    }
}
