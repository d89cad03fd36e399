//! The first rows of an order, without sorting the rest.
//!
//! Each thread collects rows until it has several times as many as are wanted, then keeps the first ones and from then
//! on drops rows that come after the last of them. What one thread knows of that bound helps the others: they share
//! the first eight bytes of the least bound.

use super::hash::Picked;
use super::limit::Window;
use super::memory::Allowance;
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::row_store::RowFormat;
use super::sort::{SortBuffer, SortedRun};
use super::sort_key::KeyEncoder;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::aggregate::SortKey;
use crate::types::{Chunk, DataType, VECTOR_SIZE};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The operator.
pub(super) struct TopK {
    keys: Vec<SortKey>,
    limit: Expr,
    offset: Option<Expr>,
    node: usize,
    format: Arc<RowFormat>,
    bound: AtomicU64,
    parts: Mutex<Vec<(SortedRun, Allowance)>>,
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
        let (format, bound) = (RowFormat::new(types), AtomicU64::new(u64::MAX));
        Arc::new(Self { keys, limit, offset, node, format, bound, parts: Mutex::default() })
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
            encoder: KeyEncoder::new(query, &self.0.keys)?,
            buffer: SortBuffer::new(&self.0.format),
            allowance: Some(query.allowance()?),
            wanted,
            bound: None,
            kept: Vec::new(),
        }))
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
            self.cut();
        }
        let bytes = self.buffer.memory_size() + self.encoder.memory_size();
        if let Some(allowance) = &mut self.allowance
            && !allowance.cover(bytes)?
        {
            self.cut();
            if let Some(allowance) = &mut self.allowance {
                allowance.demand(self.buffer.memory_size() + self.encoder.memory_size())?;
            }
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.query.stats[self.top.node].saw_memory(self.buffer.memory_size() as u64);
        let buffer = std::mem::replace(&mut self.buffer, SortBuffer::new(&self.top.format));
        if buffer.len() > 0
            && let Some(allowance) = self.allowance.take()
        {
            self.top.parts.lock().push((buffer.into_run(), allowance));
        }
        Ok(())
    }
}

impl TopKStage {
    /// Keeps the first rows only.
    fn cut(&mut self) {
        let fresh = SortBuffer::new(&self.top.format);
        let mut run = std::mem::replace(&mut self.buffer, fresh).into_run();
        run.truncate(self.wanted);
        copy(&run, run.len(), &mut self.buffer);
        if self.buffer.len() == self.wanted
            && let Some(last) = self.buffer.last_key()
        {
            self.top.bound.fetch_min(head(last), Ordering::Relaxed);
            self.bound = Some(last.to_vec());
        }
    }
}

/// Adds the first rows of a run to a buffer.
fn copy(run: &SortedRun, rows: usize, buffer: &mut SortBuffer) {
    let mut chunk = Chunk::default();
    for start in (0..rows.min(run.len())).step_by(VECTOR_SIZE) {
        run.read(start, VECTOR_SIZE.min(rows - start), &mut chunk);
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
        let window = self.0.window(query)?;
        let clamp = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let mut parts = std::mem::take(&mut *self.0.parts.lock());
        let (run, allowances) = if parts.len() == 1 {
            let (run, allowance) = parts.remove(0);
            (run, vec![allowance])
        } else {
            let mut all = SortBuffer::new(&self.0.format);
            parts.iter().for_each(|(run, _)| copy(run, clamp(window.end()), &mut all));
            (all.into_run(), parts.into_iter().map(|(_, allowance)| allowance).collect())
        };
        let end = clamp(window.end()).min(run.len());
        Ok(Box::new(TopKReader { run, next: clamp(window.offset), end, _allowances: allowances }))
    }
}

struct TopKReader {
    run: SortedRun,
    next: usize,
    end: usize,
    _allowances: Vec<Allowance>,
}

impl Reader for TopKReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        if self.next >= self.end {
            return Ok(false);
        }
        self.run.read(self.next, VECTOR_SIZE.min(self.end - self.next), chunk);
        self.next += chunk.len;
        Ok(true)
    }
}
