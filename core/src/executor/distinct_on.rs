//! Keeps the first of the neighbouring rows that have equal keys. The input is in order, on one thread.

use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use super::sort_key::KeyEncoder;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::types::{Chunk, Selection};
use std::sync::Arc;

/// The operator.
pub(super) struct DistinctOn(pub(super) Vec<Expr>);

impl Operator for DistinctOn {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        // Only equality of the keys matters, so any order does.
        let key = |expr: &Expr| SortKey { expr: expr.clone(), descending: false, nulls_first: false };
        let keys: Vec<SortKey> = self.0.iter().map(key).collect();
        Ok(Box::new(DistinctStage { encoder: KeyEncoder::new(query, &keys)?, last: None, next }))
    }
}

struct DistinctStage {
    encoder: KeyEncoder,
    last: Option<Vec<u8>>,
    next: Box<dyn Stage>,
}

impl Stage for DistinctStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.encoder.read(chunk)?;
        let mut kept = Vec::new();
        for row in chunk.rows() {
            let key = self.encoder.key(row);
            if self.last.as_deref() != Some(key) {
                self.last = Some(key.to_vec());
                // Rows of a chunk fit u16.
                kept.push(row as u16);
            }
        }
        if kept.is_empty() {
            return Ok(Flow::More);
        }
        chunk.selection = Some(kept.into_iter().collect::<Selection>());
        self.next.push(chunk)
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}
