//! Keys of an order as bytes that compare as their rows do.

use super::resources::Query;
use crate::codec::key::KeyColumn;
use crate::error::Result;
use crate::expr::aggregate::SortKey;
use crate::expr::eval::Evaluator;
use crate::types::Chunk;
use std::ops::Range;
use std::sync::Arc;

/// Makes the keys of the rows of one chunk after the other.
pub(super) struct KeyEncoder {
    query: Arc<Query>,
    evaluator: Evaluator,
    columns: Vec<KeyColumn>,
    bytes: Vec<u8>,
    /// By number of the row.
    places: Vec<Range<usize>>,
}

impl KeyEncoder {
    /// Keys of this order.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub(super) fn new(query: &Arc<Query>, keys: &[SortKey]) -> Result<Self> {
        let exprs: Vec<_> = keys.iter().map(|key| key.expr.clone()).collect();
        let column = |key: &SortKey| KeyColumn {
            ty: key.expr.data_type(),
            descending: key.descending,
            nulls_first: key.nulls_first,
        };
        Ok(Self {
            query: Arc::clone(query),
            evaluator: Evaluator::new(&exprs)?,
            columns: keys.iter().map(column).collect(),
            bytes: Vec::new(),
            places: Vec::new(),
        })
    }

    /// Makes the keys of the rows of `chunk` that count.
    ///
    /// # Errors
    /// Those of the expressions.
    pub(super) fn read(&mut self, chunk: &Chunk) -> Result<()> {
        let outputs = self.evaluator.evaluate(chunk, &self.query.eval())?;
        self.bytes.clear();
        self.places.clear();
        self.places.resize(chunk.len, 0..0);
        for row in chunk.rows() {
            let start = self.bytes.len();
            for (vector, column) in outputs.iter().zip(&self.columns) {
                column.encode(&mut self.bytes, vector.scalar(row));
            }
            self.places[row] = start..self.bytes.len();
        }
        Ok(())
    }

    /// Bytes of memory.
    pub(super) fn memory_size(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * size_of::<Range<usize>>()
    }

    /// The key of a row of the chunk read last.
    pub(super) fn key(&self, row: usize) -> &[u8] {
        &self.bytes[self.places[row].clone()]
    }
}
