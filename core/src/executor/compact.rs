//! Makes few full chunks of many sparse ones, where an operator may thin its rows out.

use super::pipeline::{Flow, Stage};
use crate::error::Result;
use crate::types::{CHUNK_BYTES, Chunk, VECTOR_SIZE, Vector};

/// Chunks with more rows are passed on as they are.
const SPARSE: usize = VECTOR_SIZE / 4;
/// Bytes that the collected rows may keep: each may keep the strings of the whole chunk it comes from.
const PENDING_BYTES: usize = 2 * CHUNK_BYTES;

/// Collects sparse chunks in front of a stage. The order of rows stays.
pub(super) struct Compactor {
    pending: Chunk,
    next: Box<dyn Stage>,
}

impl Compactor {
    pub(super) fn new(next: Box<dyn Stage>) -> Self {
        Self { pending: Chunk::default(), next }
    }
}

impl Compactor {
    fn flush(&mut self) -> Result<Flow> {
        if self.pending.len == 0 {
            return Ok(Flow::More);
        }
        self.next.push(&mut std::mem::take(&mut self.pending))
    }
}

impl Stage for Compactor {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        if chunk.count() > SPARSE {
            return match self.flush()? {
                Flow::Enough => Ok(Flow::Enough),
                Flow::More => self.next.push(chunk),
            };
        }
        // Rows may have no columns and count all the same.
        if self.pending.len == 0 {
            self.pending = Chunk::new(chunk.columns.iter().map(Vector::physical));
        }
        let taken = self.pending.append(chunk, 0);
        if self.pending.len < VECTOR_SIZE - SPARSE && self.pending.string_bytes() < PENDING_BYTES {
            return Ok(Flow::More);
        }
        if self.flush()? == Flow::Enough {
            return Ok(Flow::Enough);
        }
        if taken < chunk.count() {
            self.pending = Chunk::new(chunk.columns.iter().map(Vector::physical));
            self.pending.append(chunk, taken);
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.next.finish()
    }
}
