//! Pipelines: a source, stages that pass chunks on, and a sink; run by one thread or several.
//!
//! ```text
//!   Source  --reader-->  Stage  --push-->  Stage  --push-->  Sink's stage      on each thread its own
//!   (morsels from one cursor)                                 `-- finish: hands its part to the Sink
//!   all threads done: Sink::complete
//! ```
//! A plan becomes a list of [`Step`]s: pipelines run one after the other, sinks are completed between them. The last
//! pipelines deliver the result and are run by whoever asks for it (see `stream`).
//!
//! 1. A thread that stops early, on an error or because nobody wants more, drops its stages; only stages that saw the
//!    end of their input are finished.
//! 2. `complete` is called once, after every pipeline into the sink has ended without an error.
//! 3. Between two chunks a thread holds no latch and no lock.

use super::progress::Share;
use super::resources::{NodeStats, Query};
use super::scheduler::{Job, Turn};
use crate::error::{Error, Result};
use crate::stack;
use crate::types::Chunk;
use parking_lot::{Condvar, Mutex};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Whether a stage wants more input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    /// It does.
    More,
    /// Nothing that comes after changes the result.
    Enough,
}

/// Where a pipeline's chunks come from.
pub(super) trait Source: Send + Sync {
    /// Called once, when all that the source reads is complete: how many threads find work in it.
    ///
    /// # Errors
    /// What preparing finds.
    fn prepare(&self, query: &Arc<Query>) -> Result<usize>;

    /// A thread's view of it.
    ///
    /// # Errors
    /// What opening finds.
    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>>;
}

/// A thread's view of a source.
pub(super) trait Reader: Send {
    /// Replaces `chunk` by the next one; false after the last. A chunk may be empty.
    ///
    /// # Errors
    /// What reading finds.
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool>;
}

/// Something that passes chunks on, changed.
pub(super) trait Operator: Send + Sync {
    /// A thread's part of it, in front of `next`.
    ///
    /// # Errors
    /// What preparing finds.
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>>;
}

/// Something that takes all chunks in.
pub(super) trait Sink: Send + Sync {
    /// A thread's part of it.
    ///
    /// # Errors
    /// What preparing finds.
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>>;

    /// Called when all threads of all pipelines are finished.
    ///
    /// # Errors
    /// What completing finds.
    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        let _ = query;
        Ok(())
    }

    /// Whether chunks must come from one thread, in order.
    fn is_serial(&self) -> bool {
        false
    }
}

/// A thread's part of an operator or a sink.
pub(super) trait Stage: Send {
    /// Takes a chunk. What is left of it is its memory.
    ///
    /// # Errors
    /// What the operator finds.
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow>;

    /// Passes on what was kept back: there is no more input on this thread.
    ///
    /// # Errors
    /// What the operator finds.
    fn finish(&mut self) -> Result<()>;
}

/// A source with the stages behind it.
pub(super) struct Pipeline {
    pub(super) source: Arc<dyn Source>,
    /// The node of the plan that the source belongs to.
    pub(super) node: usize,
    /// From the source on, with their nodes.
    pub(super) operators: Vec<(usize, Arc<dyn Operator>)>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) sink_node: usize,
    /// How many rows the source is expected to give.
    pub(super) rows: f64,
    /// These rows as a part of the statement's work.
    pub(super) share: Option<Arc<Share>>,
}

/// What is done next to compute a plan.
pub(super) enum Step {
    /// Run this.
    Run(Arc<Pipeline>),
    /// Run this as the result is asked for, which its sink takes.
    Deliver(Arc<Pipeline>),
    /// All pipelines into this have run.
    Complete(usize, Arc<dyn Sink>),
}

/// One thread at work on a pipeline.
pub(super) struct Worker {
    query: Arc<Query>,
    reader: Box<dyn Reader>,
    stage: Box<dyn Stage>,
    share: Option<Arc<Share>>,
    chunk: Chunk,
}

impl Worker {
    pub(super) fn new(query: &Arc<Query>, pipeline: &Pipeline) -> Result<Self> {
        let measured = query.statement.measured;
        let measure = |node: usize, stage: Box<dyn Stage>| -> Box<dyn Stage> {
            if measured { Box::new(Timed { query: Arc::clone(query), node, stage }) } else { stage }
        };
        let mut stage = measure(pipeline.sink_node, pipeline.sink.stage(query)?);
        for (node, operator) in pipeline.operators.iter().rev() {
            stage = Box::new(Counted { query: Arc::clone(query), node: *node, stage });
            stage = measure(*node, operator.stage(query, stage)?);
        }
        let stage = Box::new(Counted { query: Arc::clone(query), node: pipeline.node, stage });
        let reader = pipeline.source.reader(query)?;
        let reader: Box<dyn Reader> = if measured {
            Box::new(TimedReader { query: Arc::clone(query), node: pipeline.node, reader })
        } else {
            reader
        };
        let share = pipeline.share.clone();
        Ok(Self { query: Arc::clone(query), reader, stage, share, chunk: Chunk::default() })
    }

    /// Moves one chunk; false when the pipeline has ended on this thread.
    pub(super) fn step(&mut self) -> Result<bool> {
        self.query.check()?;
        if self.reader.next(&mut self.chunk)? {
            let rows = self.chunk.len as u64;
            if self.chunk.count() == 0 || self.stage.push(&mut self.chunk)? == Flow::More {
                self.share.iter().for_each(|share| share.advance(rows));
                return Ok(true);
            }
        }
        self.share.iter().for_each(|share| share.finish());
        self.stage.finish()?;
        Ok(false)
    }
}

/// Counts the rows that a node gives.
struct Counted {
    query: Arc<Query>,
    node: usize,
    stage: Box<dyn Stage>,
}

impl Stage for Counted {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.query.stats[self.node].add_rows(chunk.count());
        self.stage.push(chunk)
    }

    fn finish(&mut self) -> Result<()> {
        self.stage.finish()
    }
}

/// Measures the time in a stage and all behind it. Each stage adds its own time and takes off that of the next: what
/// is left is the time of one node.
struct Timed {
    query: Arc<Query>,
    node: usize,
    stage: Box<dyn Stage>,
}

std::thread_local! {
    /// Time spent in timed calls made by the timed call that runs now.
    static INNER: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

fn timed<T>(query: &Query, stats: &NodeStats, work: impl FnOnce() -> T) -> T {
    let clock = &query.resources.options.clock;
    let outer = INNER.replace(0);
    let start = clock.monotonic();
    let result = work();
    let spent = clock.monotonic().saturating_sub(start);
    let spent = u64::try_from(Duration::as_nanos(&spent)).unwrap_or(u64::MAX);
    stats.add_nanos(spent.saturating_sub(INNER.get()));
    INNER.set(outer + spent);
    result
}

impl Stage for Timed {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        timed(&self.query, &self.query.stats[self.node], || self.stage.push(chunk))
    }

    fn finish(&mut self) -> Result<()> {
        timed(&self.query, &self.query.stats[self.node], || self.stage.finish())
    }
}

struct TimedReader {
    query: Arc<Query>,
    node: usize,
    reader: Box<dyn Reader>,
}

impl Reader for TimedReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        timed(&self.query, &self.query.stats[self.node], || self.reader.next(chunk))
    }
}

/// Completes a sink.
pub(super) fn complete(query: &Arc<Query>, node: usize, sink: &Arc<dyn Sink>) -> Result<()> {
    if query.statement.measured {
        return timed(query, &query.stats[node], || sink.complete(query));
    }
    sink.complete(query)
}

/// The threads at work on one pipeline.
pub(super) struct Gang {
    state: Mutex<GangState>,
    changed: Condvar,
}

#[derive(Default)]
struct GangState {
    /// Helpers that have begun and not ended.
    active: usize,
    /// For helpers that have not begun; none if they may not any more.
    work: Option<Work>,
    /// Helpers that have begun shall end.
    stopped: bool,
    error: Option<Error>,
    panic: Option<Box<dyn Any + Send>>,
    parked: Vec<Box<dyn Job>>,
}

impl Gang {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new() })
    }

    /// Asks for `count` helpers.
    pub(super) fn call_helpers(
        self: &Arc<Self>,
        query: &Arc<Query>,
        pipeline: &Arc<Pipeline>,
        is_full: Arc<dyn Fn() -> bool + Send + Sync>,
        count: usize,
    ) {
        let (query, pipeline) = (Arc::clone(query), Arc::clone(pipeline));
        let pool = Arc::clone(&query.resources);
        self.state.lock().work = Some(Work { query, pipeline, is_full });
        for _ in 0..count {
            pool.pool.submit(Box::new(PipelineJob { gang: Arc::clone(self), begun: None }));
        }
    }

    /// What a helper is to do, if it may begin.
    fn enter(&self) -> Option<Work> {
        let mut state = self.state.lock();
        let work = state.work.clone();
        state.active += usize::from(work.is_some());
        work
    }

    fn leave(&self) {
        self.state.lock().active -= 1;
        self.changed.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        state.error.get_or_insert(error);
        state.stopped = true;
    }

    /// Tells the owner that there is something to look at.
    pub(super) fn notify(&self) {
        // Taken and released, so that an owner between looking and sleeping is not missed.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    /// Jobs that can go on.
    pub(super) fn take_parked(&self) -> Vec<Box<dyn Job>> {
        std::mem::take(&mut self.state.lock().parked)
    }

    /// Lets no more helpers begin.
    pub(super) fn close(&self) {
        let work = self.state.lock().work.take();
        drop(work);
    }

    /// Waits until `ready`, or until no helper is at work; whether one is.
    ///
    /// # Errors
    /// That of a helper.
    pub(super) fn wait(&self, ready: impl Fn() -> bool) -> Result<bool> {
        let mut state = self.state.lock();
        loop {
            if let Some(panic) = state.panic.take() {
                drop(state);
                resume_unwind(panic);
            }
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.active == 0 || ready() {
                return Ok(state.active > 0);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Ends all helpers, whatever they are at.
    pub(super) fn stop(&self) {
        self.close();
        let mut state = self.state.lock();
        state.stopped = true;
        while state.active > 0 {
            let parked = std::mem::take(&mut state.parked);
            if parked.is_empty() {
                self.changed.wait(&mut state);
                continue;
            }
            // They leave when they are dropped, which takes the lock.
            drop(state);
            drop(parked);
            state = self.state.lock();
        }
    }
}

/// Chunks a helper moves before it lets others have its thread.
const TURN_CHUNKS: usize = 32;

/// What helpers are to do.
#[derive(Clone)]
struct Work {
    query: Arc<Query>,
    pipeline: Arc<Pipeline>,
    /// Whether the result has all it can keep at the moment.
    is_full: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// A helper's part of a pipeline. One that has not begun holds nothing of the query.
struct PipelineJob {
    gang: Arc<Gang>,
    begun: Option<(Work, Option<Worker>)>,
}

impl PipelineJob {
    fn run(&mut self) -> Result<Turn> {
        let Some((work, worker)) = &mut self.begun else { return Ok(Turn::Done) };
        let worker = match worker {
            Some(worker) => worker,
            None => worker.insert(Worker::new(&work.query, &work.pipeline)?),
        };
        for _ in 0..TURN_CHUNKS {
            if self.gang.is_stopped() || !worker.step()? {
                return Ok(Turn::Done);
            }
            if (work.is_full)() {
                return Ok(Turn::Park);
            }
        }
        Ok(Turn::Again)
    }
}

impl Job for PipelineJob {
    fn turn(&mut self) -> Turn {
        if self.begun.is_none() {
            let Some(work) = self.gang.enter() else { return Turn::Done };
            self.begun = Some((work, None));
        }
        let nodes = self.begun.as_ref().map_or(0, |(work, _)| work.query.stats.len());
        match catch_unwind(AssertUnwindSafe(|| stack::with_room(nodes, || self.run()))) {
            Ok(Ok(turn)) => turn,
            Ok(Err(error)) => {
                self.gang.fail(error);
                Turn::Done
            }
            Err(panic) => {
                let mut state = self.gang.state.lock();
                state.panic.get_or_insert(panic);
                state.stopped = true;
                Turn::Done
            }
        }
    }

    fn park(self: Box<Self>) {
        let gang = Arc::clone(&self.gang);
        gang.state.lock().parked.push(self);
        gang.changed.notify_all();
    }
}

impl Drop for PipelineJob {
    fn drop(&mut self) {
        // What it holds of the query goes before it leaves: who waits for it may count on that.
        if self.begun.take().is_some() {
            self.gang.leave();
        }
    }
}

/// Runs a pipeline to its end, with helpers if it is worth it.
///
/// # Errors
/// Those of its parts.
pub(super) fn run(query: &Arc<Query>, pipeline: &Arc<Pipeline>) -> Result<()> {
    let Some(helpers) = helpers(query, pipeline)? else { return Ok(()) };
    let gang = Called(Gang::new());
    gang.0.call_helpers(query, pipeline, Arc::new(|| false), helpers);
    run_here(query, pipeline, &gang.0)?;
    gang.0.close();
    gang.0.wait(|| false).map(drop)
}

/// Helpers that were called: none is left when it goes, however the work ended.
struct Called(Arc<Gang>);

impl Drop for Called {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn run_here(query: &Arc<Query>, pipeline: &Pipeline, gang: &Gang) -> Result<()> {
    let mut worker = Worker::new(query, pipeline)?;
    while !gang.is_stopped() && worker.step()? {}
    Ok(())
}

/// How many helpers a pipeline should have; `None` if there is nothing to do.
///
/// # Errors
/// Those of preparing its source.
pub(super) fn helpers(query: &Arc<Query>, pipeline: &Pipeline) -> Result<Option<usize>> {
    let useful = pipeline.source.prepare(query)?;
    if useful == 0 {
        pipeline.share.iter().for_each(|share| share.finish());
        return Ok(None);
    }
    if pipeline.sink.is_serial() || pipeline.rows < query.resources.options.inline_rows {
        return Ok(Some(0));
    }
    Ok(Some((useful - 1).min(query.resources.pool.limit())))
}
