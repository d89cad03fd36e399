//! Computes columns from columns.

use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::eval::Evaluator;
use crate::types::Chunk;
use std::sync::Arc;

/// The columns.
pub(super) struct Project(pub(super) Vec<Expr>);

impl Operator for Project {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        let evaluator = Evaluator::new(&self.0)?;
        Ok(Box::new(ProjectStage { query: Arc::clone(query), evaluator, out: Chunk::default(), next }))
    }
}

struct ProjectStage {
    query: Arc<Query>,
    evaluator: Evaluator,
    out: Chunk,
    next: Box<dyn Stage>,
}

impl Stage for ProjectStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.evaluator.project(chunk, &self.query.eval(), &mut self.out)?;
        self.next.push(&mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}

/// Passes some columns on, in another order.
pub(super) struct Rearrange(pub(super) Vec<usize>);

impl Operator for Rearrange {
    fn stage(&self, _: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(RearrangeStage { columns: self.0.clone(), next }))
    }
}

struct RearrangeStage {
    columns: Vec<usize>,
    next: Box<dyn Stage>,
}

impl Stage for RearrangeStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let columns = self.columns.iter().map(|&column| chunk.columns[column].clone()).collect();
        let mut out = Chunk { len: chunk.len, selection: chunk.selection.take(), columns };
        self.next.push(&mut out)
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}
