//! Keeps the rows for which all conditions are true, by selecting them: nothing is copied.

use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::eval::Evaluator;
use crate::types::{Chunk, Selection};
use std::sync::Arc;

/// The conditions.
pub(super) struct Filter(pub(super) Vec<Expr>);

impl Operator for Filter {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(FilterStage { filter: RowFilter::new(query, &self.0)?, next }))
    }
}

struct FilterStage {
    filter: RowFilter,
    next: Box<dyn Stage>,
}

impl Stage for FilterStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        if self.filter.apply(chunk)? { self.next.push(chunk) } else { Ok(Flow::More) }
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}

/// Conditions at work on one thread.
pub(super) struct RowFilter {
    query: Arc<Query>,
    evaluator: Evaluator,
    spare: Selection,
}

impl RowFilter {
    /// Compiles conditions.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub(super) fn new(query: &Arc<Query>, conditions: &[Expr]) -> Result<Self> {
        let evaluator = Evaluator::new(conditions)?;
        Ok(Self { query: Arc::clone(query), evaluator, spare: Selection::new() })
    }

    /// Whether there is no condition.
    pub(super) fn is_empty(&self) -> bool {
        self.evaluator.is_empty()
    }

    /// Leaves the rows selected that pass; whether there are any.
    ///
    /// # Errors
    /// Those of the conditions.
    pub(super) fn apply(&mut self, chunk: &mut Chunk) -> Result<bool> {
        if self.evaluator.is_empty() {
            return Ok(chunk.count() > 0);
        }
        self.evaluator.select(chunk, &self.query.eval(), &mut self.spare)?;
        if self.spare.len() < chunk.count() {
            let before = chunk.selection.take().unwrap_or_default();
            chunk.selection = Some(std::mem::replace(&mut self.spare, before));
        }
        Ok(chunk.count() > 0)
    }
}
