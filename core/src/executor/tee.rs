//! Sends each chunk several ways.

use super::pipeline::{Flow, Operator, Sink, Stage};
use super::resources::Query;
use crate::error::Result;
use crate::types::Chunk;
use std::sync::Arc;

/// A way: operators, then a sink, which is completed by whoever made it.
pub(super) struct Branch {
    pub(super) operators: Vec<Arc<dyn Operator>>,
    pub(super) sink: Arc<dyn Sink>,
}

/// All ways.
pub(super) struct Tee(pub(super) Vec<Branch>);

impl Sink for Tee {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        let branch = |branch: &Branch| {
            let sink = branch.sink.stage(query)?;
            branch.operators.iter().rev().try_fold(sink, |next, operator| operator.stage(query, next))
        };
        Ok(Box::new(TeeStage(self.0.iter().map(branch).collect::<Result<_>>()?)))
    }
}

struct TeeStage(Vec<Box<dyn Stage>>);

impl Stage for TeeStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let Some((last, others)) = self.0.split_last_mut() else { return Ok(Flow::Enough) };
        for stage in others {
            // Columns are shared; only the first to write one copies it.
            stage.push(&mut chunk.clone())?;
        }
        last.push(chunk)?;
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|stage| stage.finish())
    }
}
