//! Rows that come from outside while the statement runs: those COPY reads.

use super::pipeline::{Reader, Source};
use super::resources::{Query, SharedInput};
use crate::error::{Result, StorageError};
use crate::types::Chunk;
use std::sync::Arc;

/// Gives the rows of a statement's input, on whichever thread asks.
pub trait ChunkSource: Send {
    /// Replaces `chunk` by the next rows; false after the last.
    ///
    /// # Errors
    /// What reading the rows finds.
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool>;
}

/// The statement's input.
pub(super) struct InputSource;

impl Source for InputSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let missing = || StorageError::Corrupt { reason: "a statement reads an input it has not".to_owned() };
        let input = query.statement.input.clone().ok_or_else(missing)?;
        Ok(Box::new(InputReader { query: Arc::clone(query), input }))
    }
}

struct InputReader {
    query: Arc<Query>,
    input: SharedInput,
}

impl Reader for InputReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        self.query.check()?;
        self.input.lock().next(chunk)
    }
}
