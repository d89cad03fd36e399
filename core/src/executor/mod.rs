//! Running physical plans.
//!
//! ```text
//!   PhysicalPlan --compile--> steps: pipeline, pipeline, .. --> RowStream
//!
//!   a pipeline     source ==chunks==> operator ==> operator ==> sink        pushed, on one or more threads
//!   sources        tables, indexes, groups, sorted runs, buffers, ..
//!   operators      filter, project, limit, the left side of joins
//!   sinks          groups, sorts, the right side of joins, buffers, tables, the result
//! ```
//! [`execute`] compiles a plan and returns its rows as a stream of chunks. What a thread does is plain sequential code; a
//! pipeline that is worth it is run by several threads at once, each with stages of its own, over morsels that the
//! source deals out. Sinks put the threads' parts together.
//!
//! Memory: whatever grows with the data asks an allowance first (`memory`), and goes to disk (`spill`) when it is
//! refused: groups and join rows by partitions of their hash, sorts by runs, buffers as they are.
//!
//! 1. A query's threads share nothing that is written but sinks, cursors and counters.
//! 2. A stream that is dropped has no thread at work any more.
//! 3. Only one thread of a statement writes or locks rows, and it has the transaction's lock meanwhile.

mod chunk_buffer;
mod compact;
mod compile;
pub mod copy;
mod distinct_on;
mod filter;
mod hash;
mod hash_aggregate;
mod hash_join;
mod index_access;
mod index_join;
mod index_scan;
mod input;
mod limit;
mod memory;
mod merge;
mod nested_loop_join;
mod pipeline;
mod point;
mod progress;
mod project;
mod resources;
mod row_store;
mod runtime_filter;
mod scheduler;
mod set_operation;
mod sort;
mod sort_key;
mod spill;
mod stream;
mod table_scan;
mod tee;
mod top_k;
mod values;
mod write;

#[cfg(test)]
mod tests;

use crate::error::{Result, TransactionError};
use crate::plan::physical::PhysicalPlan;
use crate::stack;
use crate::transaction::RowLockMode;
use parking_lot::{Mutex, RwLock};
use resources::Query;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use stream::{ResultQueue, ResultSink};

pub use input::ChunkSource;
pub use point::PointRead;
pub use progress::{Meter, Share};
pub use resources::{
    ExecutorOptions, Names, NodeStats, Resources, SharedInput, SharedTransaction, StatementContext,
    VirtualTables,
};
pub use stream::RowStream;

/// How often a statement is started again because a row has changed under it.
const MAX_RESTARTS: usize = 10;

/// Runs a plan. One that only reads is run as its rows are asked for; one that writes has written all when this returns.
///
/// The transaction of `statement`, if it has one, is in the statement: [`start_statement`] was called. A statement that
/// fails leaves it to its session to take back what it wrote.
///
/// # Errors
/// What compiling finds, and of a statement that writes all that running it finds; 40001 if a row has changed under it
/// again and again.
///
/// [`start_statement`]: crate::transaction::Transaction::start_statement
pub fn execute(
    resources: &Arc<Resources>,
    plan: &Arc<PhysicalPlan>,
    statement: StatementContext,
) -> Result<RowStream> {
    let nodes = plan.size();
    stack::with_room(nodes, || {
        if plan.writes() {
            write(resources, plan, nodes, statement)
        } else {
            start(resources, plan, nodes, statement, 0.0)
        }
    })
}

fn write(
    resources: &Arc<Resources>,
    plan: &Arc<PhysicalPlan>,
    nodes: usize,
    mut statement: StatementContext,
) -> Result<RowStream> {
    let mut reached = 0.0;
    for _ in 0..=MAX_RESTARTS {
        let before = statement.transaction.as_ref().map(|transaction| transaction.lock().mark());
        let mut stream = start(resources, plan, nodes, statement.clone(), reached)?;
        stream.begin()?;
        let Some(row) = stream.take_conflict() else { return Ok(stream) };
        reached = statement.meter.fraction().unwrap_or(0.0);
        drop(stream);
        if let (Some(transaction), Some(before)) = (&statement.transaction, before) {
            let mut transaction = transaction.lock();
            transaction.rollback_to(before, &**resources.store())?;
            // Nobody changes this row again before the statement gets to it.
            transaction.lock_row(row, RowLockMode::Update)?;
            transaction.start_statement();
            statement.view = transaction.view();
        }
    }
    Err(TransactionError::Serialization { cause: "update" }.into())
}

fn start(
    resources: &Arc<Resources>,
    plan: &Arc<PhysicalPlan>,
    nodes: usize,
    statement: StatementContext,
    reached: f64,
) -> Result<RowStream> {
    let query = Arc::new(Query {
        resources: Arc::clone(resources),
        statement,
        stats: std::iter::repeat_with(NodeStats::default).take(nodes).collect(),
        runtime_filters: RwLock::new(HashMap::new()),
        conflict: Mutex::new(None),
        affected: AtomicU64::new(0),
    });
    let queue = ResultQueue::new();
    let (steps, mut shares) = compile::compile(plan, Arc::new(ResultSink(Arc::clone(&queue))))?;
    shares.extend(query.statement.input_share.clone());
    let metered = query.statement.meter.begin(shares, reached);
    Ok(RowStream::new(plan, &query, steps, queue, metered))
}
