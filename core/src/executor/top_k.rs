//! The first rows of an order, without sorting the rest.
//!
//! Each thread collects rows until it has several times as many as are wanted, then keeps the first ones and from then
//! on drops rows that come after the last of them. What one thread knows of that bound helps the others: they share
//! the first eight bytes of the least bound. When memory is refused to the rows that are wanted themselves, they go to
//! disk as a run and the thread starts again, still with the bound; from there on it is a sort that is not read to its
//! end.

use super::hash::Picked;
use super::limit::Window;
use super::memory::Allowance;
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::sort::{Sort, SortBuffer, SortedRows, SortedRun};
use super::sort_key::KeyEncoder;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::types::{Chunk, DataType, VECTOR_SIZE};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The operator.
pub(super) struct TopK {
    sort: Arc<Sort>,
    limit: Expr,
    offset: Option<Expr>,
    bound: AtomicU64,
}

impl TopK {
    /// The first rows of an order of rows of these types.
    pub(super) fn new(
        node: usize,
        types: &[DataType],
        keys: Vec<SortKey>,
        limit: Expr,
        offset: Option<Expr>,
    ) -> Arc<Self> {
        let (sort, bound) = (Sort::new(node, types, keys), AtomicU64::new(u64::MAX));
        Arc::new(Self { sort, limit, offset, bound })
    }

    fn window(&self, query: &Query) -> Result<Window> {
        Window::new(query, Some(&self.limit), self.offset.as_ref())
    }
}

/// The part that takes rows in.
pub(super) struct TopKSink(pub(super) Arc<TopK>);

impl Sink for TopKSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        let wanted = usize::try_from(self.0.window(query)?.end()).unwrap_or(usize::MAX);
        Ok(Box::new(TopKStage {
            query: Arc::clone(query),
            top: Arc::clone(&self.0),
            encoder: self.0.sort.encoder(query)?,
            buffer: self.0.sort.buffer(),
            allowance: Some(query.allowance()?),
            wanted,
            bound: None,
            kept: Vec::new(),
        }))
    }

    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        self.0.sort.complete(query)
    }
}

struct TopKStage {
    query: Arc<Query>,
    top: Arc<TopK>,
    encoder: KeyEncoder,
    buffer: SortBuffer,
    allowance: Option<Allowance>,
    wanted: usize,
    /// The key of the last row that is wanted, as far as this thread knows.
    bound: Option<Vec<u8>>,
    kept: Vec<u16>,
}

fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    head[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(head)
}

impl Stage for TopKStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        if self.wanted == 0 {
            return Ok(Flow::Enough);
        }
        self.encoder.read(chunk)?;
        let shared = self.top.bound.load(Ordering::Relaxed);
        self.kept.clear();
        for row in chunk.rows() {
            let key = self.encoder.key(row);
            let below = |bound: &Vec<u8>| key < bound.as_slice();
            if head(key) <= shared && self.bound.as_ref().is_none_or(below) {
                // Rows of a chunk fit u16.
                self.kept.push(row as u16);
            }
        }
        if self.kept.is_empty() {
            return Ok(Flow::More);
        }
        let picked = Picked { selected: Some(&self.kept), count: self.kept.len() };
        self.buffer.push(&chunk.columns, picked, |row| self.encoder.key(row));
        let few = self.wanted.saturating_mul(2).max(2 * VECTOR_SIZE);
        if self.buffer.len() >= few {
            let run = self.first_rows();
            copy(&run, &mut self.buffer);
        }
        if !self.is_covered()? {
            self.make_room()?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.top.sort.saw_memory(&self.query, self.buffer.memory_size());
        if self.buffer.len() > 0 {
            let run = self.first_rows();
            self.top.sort.keep(run, self.allowance.take());
        }
        Ok(())
    }
}

impl TopKStage {
    fn is_covered(&mut self) -> Result<bool> {
        let bytes = self.buffer.memory_size() + self.encoder.memory_size();
        self.allowance.as_mut().map_or(Ok(true), |allowance| allowance.cover(bytes))
    }

    /// Takes out the first rows of those collected, and forgets the others.
    fn first_rows(&mut self) -> SortedRun {
        let mut run = std::mem::replace(&mut self.buffer, self.top.sort.buffer()).into_run();
        run.truncate(self.wanted);
        if run.len() == self.wanted
            && let Some(last) = self.wanted.checked_sub(1)
        {
            let last = run.key(last);
            self.top.bound.fetch_min(head(last), Ordering::Relaxed);
            self.bound = Some(last.to_vec());
        }
        run
    }

    /// Makes the rows collected fewer, or writes them to disk if too many of them are wanted: to forget a few would not
    /// be enough for long.
    fn make_room(&mut self) -> Result<()> {
        let rows = self.buffer.len();
        let mut run = self.first_rows();
        if run.len() <= rows / 2 {
            copy(&run, &mut self.buffer);
            if self.is_covered()? {
                return Ok(());
            }
            run = self.first_rows();
        }
        self.top.sort.spill(&self.query, &run)?;
        if let Some(allowance) = &mut self.allowance {
            allowance.shrink_to(0);
        }
        Ok(())
    }
}

/// Adds the rows of a run to a buffer.
fn copy(run: &SortedRun, buffer: &mut SortBuffer) {
    let mut chunk = Chunk::default();
    for start in (0..run.len()).step_by(VECTOR_SIZE) {
        run.read(start, VECTOR_SIZE, &mut chunk);
        buffer.push(&chunk.columns, Picked::of(&chunk), |row| run.key(start + row));
    }
}

/// The part that gives rows out.
pub(super) struct TopKSource(pub(super) Arc<TopK>);

impl Source for TopKSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let Window { offset, limit } = self.0.window(query)?;
        Ok(Box::new(TopKReader { rows: self.0.sort.rows()?, skip: offset, left: limit }))
    }
}

struct TopKReader {
    rows: SortedRows,
    /// Rows still to be left out, and those still to be given out.
    skip: u64,
    left: u64,
}

impl Reader for TopKReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        while self.left > 0 {
            let wanted = self.skip.saturating_add(self.left).min(VECTOR_SIZE as u64);
            if !self.rows.read(wanted as usize, chunk)? {
                break;
            }
            let count = chunk.len as u64;
            let skipped = self.skip.min(count);
            self.skip -= skipped;
            self.left -= count - skipped;
            if skipped == count {
                continue;
            }
            if skipped > 0 {
                // Rows of a chunk fit u16.
                chunk.selection = Some((skipped as u16..count as u16).collect());
            }
            return Ok(true);
        }
        Ok(false)
    }
}
