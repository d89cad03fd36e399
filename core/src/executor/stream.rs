//! The result of a query: chunks, made as they are asked for.
//!
//! Whoever asks runs the last pipelines itself, chunk by chunk, and finds in a queue what its helpers have made in
//! the meantime. Helpers stop when the queue is full and go on when it has been half emptied, so that a slow client
//! holds neither threads nor memory.

use super::pipeline::{Flow, Gang, Pipeline, Sink, Stage, Step, Worker, complete, helpers, run};
use super::progress::Metered;
use super::resources::{NodeStats, Query};
use crate::error::Result;
use crate::plan::physical::PhysicalPlan;
use crate::stack;
use crate::transaction::RowKey;
use crate::types::Chunk;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Chunks that wait for the client, at most, and when helpers go on.
const QUEUE_CHUNKS: usize = 16;

/// Chunks on their way from helpers to the client.
pub(super) struct ResultQueue {
    chunks: Mutex<VecDeque<Chunk>>,
    gang: Arc<Gang>,
}

impl ResultQueue {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { chunks: Mutex::default(), gang: Gang::new() })
    }

    fn len(&self) -> usize {
        self.chunks.lock().len()
    }
}

/// Puts a pipeline's chunks into the queue.
pub(super) struct ResultSink(pub(super) Arc<ResultQueue>);

impl Sink for ResultSink {
    fn stage(&self, _: &Arc<Query>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(ResultStage(Arc::clone(&self.0))))
    }
}

struct ResultStage(Arc<ResultQueue>);

impl Stage for ResultStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.0.chunks.lock().push_back(std::mem::take(chunk));
        self.0.gang.notify();
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A pipeline that delivers, as far as the client's thread is concerned.
struct Delivery {
    /// Gone when the source has no more for this thread.
    worker: Option<Worker>,
}

/// The result of a query.
///
/// Dropping it ends the query. The transaction whose snapshot it reads must stay open until then.
pub struct RowStream {
    plan: Arc<PhysicalPlan>,
    query: Arc<Query>,
    steps: VecDeque<Step>,
    queue: Arc<ResultQueue>,
    current: Option<Delivery>,
    /// Shows how far it is, if it is long.
    _metered: Option<Metered>,
}

impl RowStream {
    pub(super) fn new(
        plan: &Arc<PhysicalPlan>,
        query: &Arc<Query>,
        steps: Vec<Step>,
        queue: Arc<ResultQueue>,
        metered: Option<Metered>,
    ) -> Self {
        let (plan, query) = (Arc::clone(plan), Arc::clone(query));
        Self { plan, query, steps: steps.into(), queue, current: None, _metered: metered }
    }

    /// The plan it is the result of.
    pub fn plan(&self) -> &Arc<PhysicalPlan> {
        &self.plan
    }

    /// What was counted so far, by number of the node in the plan.
    pub fn stats(&self) -> &[NodeStats] {
        &self.query.stats
    }

    /// Rows that the statement inserted, changed or removed.
    pub fn affected_rows(&self) -> u64 {
        self.query.affected.load(Ordering::Relaxed)
    }

    /// The next chunk with at least one row; `None` after the last.
    ///
    /// # Errors
    /// What the query finds. There is nothing after an error.
    #[expect(clippy::should_implement_trait, reason = "a chunk may fail to be made")]
    pub fn next(&mut self) -> Result<Option<Chunk>> {
        let next = stack::with_room(self.query.stats.len(), || self.advance());
        if next.is_err() {
            self.end();
        }
        next
    }

    /// Runs what must be done before the first row is known.
    ///
    /// # Errors
    /// What the query finds.
    pub(super) fn begin(&mut self) -> Result<()> {
        while self.query.conflict.lock().is_none() {
            match self.steps.front() {
                Some(Step::Run(_) | Step::Complete(..)) => self.run_step()?,
                Some(Step::Deliver(_)) | None => break,
            }
        }
        Ok(())
    }

    /// The row that made the statement stop.
    pub(super) fn take_conflict(&mut self) -> Option<RowKey> {
        self.query.conflict.lock().take()
    }

    fn advance(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.pop() {
                return Ok(Some(chunk));
            }
            let Some(delivery) = &mut self.current else {
                if self.steps.is_empty() {
                    return Ok(None);
                }
                self.run_step()?;
                continue;
            };
            if let Some(worker) = &mut delivery.worker {
                if !worker.step()? {
                    delivery.worker = None;
                    self.queue.gang.close();
                }
            } else if !self.queue.gang.wait(|| self.queue.len() > 0)? && self.queue.len() == 0 {
                self.current = None;
            }
        }
    }

    fn run_step(&mut self) -> Result<()> {
        match self.steps.pop_front() {
            Some(Step::Run(pipeline)) => run(&self.query, &pipeline),
            Some(Step::Complete(node, sink)) => complete(&self.query, node, &sink),
            Some(Step::Deliver(pipeline)) => self.deliver(&pipeline),
            None => Ok(()),
        }
    }

    fn deliver(&mut self, pipeline: &Arc<Pipeline>) -> Result<()> {
        let Some(helpers) = helpers(&self.query, pipeline)? else { return Ok(()) };
        let queue = Arc::downgrade(&self.queue);
        let is_full = move || queue.upgrade().is_none_or(|queue| queue.len() >= QUEUE_CHUNKS);
        self.queue.gang.call_helpers(&self.query, pipeline, Arc::new(is_full), helpers);
        self.current = Some(Delivery { worker: Some(Worker::new(&self.query, pipeline)?) });
        Ok(())
    }

    fn pop(&self) -> Option<Chunk> {
        let mut chunks = self.queue.chunks.lock();
        let chunk = chunks.pop_front()?;
        let few = chunks.len() <= QUEUE_CHUNKS / 2;
        drop(chunks);
        if few {
            for job in self.queue.gang.take_parked() {
                self.query.resources.pool.submit(job);
            }
        }
        Some(chunk)
    }

    fn end(&mut self) {
        self.queue.gang.stop();
        self.queue.chunks.lock().clear();
        self.steps.clear();
        self.current = None;
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.end();
    }
}
