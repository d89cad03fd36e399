//! From a plan to the steps that compute it.
//!
//! The plan is gone through from its root: what has been seen is a [`Tail`], the operators and the sink that rows of the
//! node at hand go through. Operators that pass rows on join the tail; those that need all rows end the tail of their
//! input and start a pipeline of their own.

use super::chunk_buffer::{BufferSink, BufferSource, ChunkBuffer};
use super::distinct_on::DistinctOn;
use super::filter::Filter;
use super::hash_aggregate::{AggregateSink, AggregateSource, Aggregation, Feed, FeedCall};
use super::hash_join::{JoinBuild, JoinProbe, JoinSpec, JoinState, KeptSource, SpilledSource};
use super::index_join::IndexLookup;
use super::index_scan::IndexSource;
use super::input::InputSource;
use super::limit::Limit;
use super::nested_loop_join::{LoopProbe, LoopState, LoopUnmatched};
use super::pipeline::{Operator, Pipeline, Sink, Source, Step};
use super::progress::Share;
use super::project::{Project, Rearrange};
use super::set_operation::{Repeat, side_counts};
use super::sort::{Sort, SortSink, SortSource};
use super::table_scan::{ScanSource, VirtualSource};
use super::tee::{Branch, Tee};
use super::top_k::{TopK, TopKSink, TopKSource};
use super::values::{SeriesSource, ValuesSource};
use super::write::WriteSink;
use crate::error::{Result, StatementError};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::plan::logical::CteId;
use crate::plan::physical::{
    HashJoin, IndexJoin, JoinType, NestedLoopJoin, PhysicalNode, PhysicalPlan, SetOperation,
};
use crate::types::{DataType, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// What rows go through.
#[derive(Clone)]
struct Tail {
    /// The last is the first to see a row.
    operators: Vec<(usize, Arc<dyn Operator>)>,
    sink: Arc<dyn Sink>,
    sink_node: usize,
    /// The sink is the result's.
    delivers: bool,
}

impl Tail {
    fn into(node: usize, sink: Arc<dyn Sink>) -> Self {
        Self { operators: Vec::new(), sink, sink_node: node, delivers: false }
    }

    fn after(mut self, node: usize, operator: impl Operator + 'static) -> Self {
        self.operators.push((node, Arc::new(operator)));
        self
    }
}

/// The steps that compute a plan and send its rows to `sink`, and the shares of its work that are worth watching.
///
/// # Errors
/// 42P01 for a common table expression that is not there.
pub(super) fn compile(plan: &PhysicalPlan, sink: Arc<dyn Sink>) -> Result<(Vec<Step>, Vec<Arc<Share>>)> {
    let mut compiler = Compiler { steps: Vec::new(), shares: Vec::new(), ctes: HashMap::new() };
    compiler.node(plan, 0, Tail { delivers: true, ..Tail::into(0, sink) })?;
    Ok((compiler.steps, compiler.shares))
}

struct Compiler {
    steps: Vec<Step>,
    shares: Vec<Arc<Share>>,
    ctes: HashMap<CteId, Arc<ChunkBuffer>>,
}

fn columns_of(types: &[DataType]) -> Vec<Expr> {
    types.iter().enumerate().map(|(index, &ty)| Expr::column(index, ty, true)).collect()
}

impl Compiler {
    /// A pipeline whose source reads little, or nothing in most cases, or counts what it reads itself.
    fn pipeline(&mut self, node: usize, source: impl Source + 'static, rows: f64, tail: Tail) {
        self.push(node, source, rows, None, tail);
    }

    /// A pipeline with a share of the work: the rows its source gives.
    fn counted(&mut self, node: usize, source: impl Source + 'static, rows: f64, tail: Tail) {
        let share = self.share(rows);
        self.push(node, source, rows, share, tail);
    }

    fn share(&mut self, rows: f64) -> Option<Arc<Share>> {
        let share = Share::of_rows(rows);
        self.shares.extend(share.clone());
        share
    }

    fn push(
        &mut self,
        node: usize,
        source: impl Source + 'static,
        rows: f64,
        share: Option<Arc<Share>>,
        tail: Tail,
    ) {
        let Tail { mut operators, sink, sink_node, delivers } = tail;
        operators.reverse();
        let pipeline =
            Arc::new(Pipeline { source: Arc::new(source), node, operators, sink, sink_node, rows, share });
        self.steps.push(if delivers { Step::Deliver(pipeline) } else { Step::Run(pipeline) });
    }

    /// Compiles a plan whose rows all go into a sink.
    fn end_in(
        &mut self,
        plan: &PhysicalPlan,
        number: usize,
        node: usize,
        sink: impl Sink + 'static,
    ) -> Result<()> {
        let sink: Arc<dyn Sink> = Arc::new(sink);
        self.node(plan, number, Tail::into(node, Arc::clone(&sink)))?;
        self.steps.push(Step::Complete(node, sink));
        Ok(())
    }

    /// Compiles the node `number` and what is below it.
    fn node(&mut self, plan: &PhysicalPlan, number: usize, tail: Tail) -> Result<()> {
        let (rows, below) = (plan.rows, number + 1);
        match &plan.node {
            PhysicalNode::Values(values) => {
                let source = ValuesSource { rows: values.as_slice().into(), types: plan.types() };
                self.pipeline(number, source, rows, tail);
            }
            PhysicalNode::Input => self.pipeline(number, InputSource, rows, tail),
            PhysicalNode::Series(series) => {
                let source = SeriesSource { series: series.clone(), ty: plan.columns[0].ty };
                let share = self.share(source.known_rows().unwrap_or(rows));
                self.push(number, source, rows, share, tail);
            }
            PhysicalNode::TableScan(scan) => {
                let share = self.share(scan.scanned);
                self.pipeline(number, ScanSource::new(scan.clone(), share), scan.scanned, tail);
            }
            PhysicalNode::IndexScan(scan) => self.counted(number, IndexSource(scan.clone()), rows, tail),
            PhysicalNode::VirtualScan(scan) => self.pipeline(number, VirtualSource(scan.clone()), rows, tail),
            PhysicalNode::Filter { input, conditions } => {
                self.node(input, below, tail.after(number, Filter(conditions.clone())))?;
            }
            PhysicalNode::Project { input, exprs } => {
                self.node(input, below, tail.after(number, Project(exprs.clone())))?;
            }
            PhysicalNode::Aggregate { input, keys, aggregates } => {
                let aggregation = self.aggregate(input, number, keys, aggregates)?;
                self.counted(number, AggregateSource(aggregation), rows, tail);
            }
            PhysicalNode::DistinctOn { input, keys } => {
                self.node(input, below, tail.after(number, DistinctOn(keys.clone())))?;
            }
            PhysicalNode::Sort { input, keys } => {
                let sort = Sort::new(number, &input.types(), keys.clone());
                self.end_in(input, below, number, SortSink(Arc::clone(&sort)))?;
                self.counted(number, SortSource(sort), rows, tail);
            }
            PhysicalNode::TopK { input, keys, limit, offset } => {
                let top = TopK::new(number, &input.types(), keys.clone(), limit.clone(), offset.clone());
                self.end_in(input, below, number, TopKSink(Arc::clone(&top)))?;
                self.pipeline(number, TopKSource(top), rows, tail);
            }
            PhysicalNode::Limit { input, limit, offset, ties } => {
                let operator = Limit::new(limit.clone(), offset.clone(), ties.clone());
                self.node(input, below, tail.after(number, operator))?;
            }
            PhysicalNode::HashJoin(join) => self.hash_join(join, number, tail)?,
            PhysicalNode::NestedLoopJoin(join) => self.nested_loop_join(join, number, tail)?,
            PhysicalNode::IndexJoin(join) => {
                let added = plan.columns.iter().skip(join.left.columns.len()).map(|column| column.ty);
                self.node(&join.left, below, tail.after(number, index_lookup(join, added.collect())))?;
            }
            PhysicalNode::Append(inputs) => {
                let mut next = below;
                for input in inputs {
                    self.node(input, next, tail.clone())?;
                    next += input.size();
                }
            }
            PhysicalNode::SetOperation(operation) => {
                self.set_operation(operation, number, rows, tail)?;
            }
            PhysicalNode::With { cte, definition, body, .. } => {
                let buffer = ChunkBuffer::new(number, &definition.types());
                self.end_in(definition, below, number, BufferSink(Arc::clone(&buffer)))?;
                self.ctes.insert(*cte, buffer);
                self.node(body, below + definition.size(), tail)?;
            }
            PhysicalNode::CteScan { cte, alias, columns } => {
                let missing = || StatementError::UndefinedTable { name: alias.to_string() };
                let buffer = Arc::clone(self.ctes.get(cte).ok_or_else(missing)?);
                let tail = tail.after(number, Rearrange(columns.clone()));
                self.counted(number, BufferSource::new(&buffer), rows, tail);
            }
            PhysicalNode::Lock { .. }
            | PhysicalNode::Insert(_)
            | PhysicalNode::Update(_)
            | PhysicalNode::Delete(_) => {
                let buffer = ChunkBuffer::in_order(number, &plan.types());
                for input in plan.inputs() {
                    self.end_in(input, below, number, WriteSink::new(plan, &buffer))?;
                }
                self.pipeline(number, BufferSource::new(&buffer), rows, tail);
            }
        }
        Ok(())
    }

    fn hash_join(&mut self, join: &HashJoin, number: usize, tail: Tail) -> Result<()> {
        let spec = JoinSpec::new(number, join);
        let state = JoinState::new(&spec);
        let right = number + 1 + join.left.size();
        self.end_in(&join.right, right, number, JoinBuild(Arc::clone(&state)))?;
        self.node(&join.left, number + 1, tail.clone().after(number, JoinProbe(Arc::clone(&state))))?;
        if spec.keeps_right() {
            self.pipeline(number, KeptSource(Arc::clone(&state)), join.right.rows, tail.clone());
        }
        self.pipeline(number, SpilledSource(state), join.left.rows, tail);
        Ok(())
    }

    fn nested_loop_join(&mut self, join: &NestedLoopJoin, number: usize, tail: Tail) -> Result<()> {
        let (left_types, right_types) = (join.left.types(), join.right.types());
        let buffer = ChunkBuffer::new(number, &right_types);
        let right = number + 1 + join.left.size();
        self.end_in(&join.right, right, number, BufferSink(Arc::clone(&buffer)))?;
        let state =
            LoopState::new(join.kind.clone(), join.conditions.clone(), left_types, right_types, &buffer);
        self.node(&join.left, number + 1, tail.clone().after(number, LoopProbe(Arc::clone(&state))))?;
        if matches!(join.kind, JoinType::Right | JoinType::Full) {
            self.pipeline(number, LoopUnmatched(state), join.right.rows, tail);
        }
        Ok(())
    }

    /// Groups the rows of both inputs, each with the side it comes from.
    fn set_operation(
        &mut self,
        operation: &SetOperation,
        number: usize,
        rows: f64,
        tail: Tail,
    ) -> Result<()> {
        let types = operation.left.types();
        let calls = side_counts(types.len())?;
        let aggregation = Aggregation::new(number, types.clone(), &calls);
        let feed = Feed { keys: columns_of(&types), calls: all_calls(&calls) };
        let sink: Arc<dyn Sink> = Arc::new(AggregateSink { aggregation: Arc::clone(&aggregation), feed });
        let mut below = number + 1;
        for (input, is_left) in [(&operation.left, true), (&operation.right, false)] {
            let mut exprs = columns_of(&types);
            exprs.push(Expr::Constant { value: Value::Boolean(is_left), ty: DataType::Boolean });
            let tail = Tail::into(number, Arc::clone(&sink)).after(number, Project(exprs));
            self.node(input, below, tail)?;
            below += input.size();
        }
        self.steps.push(Step::Complete(number, sink));
        let repeat = Repeat { intersect: operation.intersect, all: operation.all };
        self.counted(number, AggregateSource(aggregation), rows, tail.after(number, repeat));
        Ok(())
    }

    /// Groups the rows of an input. Aggregates with DISTINCT or ORDER BY get theirs by a way around: rows are made
    /// different, or put in order, and enter the grouping when all others have.
    fn aggregate(
        &mut self,
        input: &PhysicalPlan,
        number: usize,
        keys: &[Expr],
        calls: &[AggregateCall],
    ) -> Result<Arc<Aggregation>> {
        let key_types: Vec<DataType> = keys.iter().map(Expr::data_type).collect();
        let aggregation = Aggregation::new(number, key_types, calls);
        let is_plain = |call: &AggregateCall| !call.distinct && call.order_by.is_empty();
        let plain: Vec<FeedCall> =
            all_calls(calls).into_iter().filter(|call| is_plain(&calls[call.number])).collect();
        // Rows that enter by a way around bring their groups along, unless a filter keeps some out.
        let covered = plain.is_empty() && calls.iter().any(|call| call.filter.is_none());
        let mut branches = Vec::new();
        if !covered {
            let feed = Feed { keys: keys.to_vec(), calls: plain };
            let sink = AggregateSink { aggregation: Arc::clone(&aggregation), feed };
            branches.push(Branch { operators: Vec::new(), sink: Arc::new(sink) });
        }
        let detours: Vec<Detour> = detours(number, keys, calls);
        for detour in &detours {
            branches.push(detour.branch());
        }
        let sinks: Vec<Arc<dyn Sink>> = branches.iter().map(|branch| Arc::clone(&branch.sink)).collect();
        if let [Branch { operators, sink }] = branches.as_slice()
            && operators.is_empty()
        {
            self.node(input, number + 1, Tail::into(number, Arc::clone(sink)))?;
        } else {
            self.node(input, number + 1, Tail::into(number, Arc::new(Tee(branches))))?;
        }
        for sink in sinks {
            self.steps.push(Step::Complete(number, sink));
        }
        for detour in detours {
            self.rejoin(number, input.rows, detour, &aggregation)?;
        }
        Ok(aggregation)
    }

    /// Lets the rows of a detour enter the grouping.
    fn rejoin(
        &mut self,
        number: usize,
        rows: f64,
        detour: Detour,
        aggregation: &Arc<Aggregation>,
    ) -> Result<()> {
        let feed = Feed {
            keys: columns_of(&detour.types[..detour.keys]),
            calls: detour
                .calls
                .iter()
                .map(|&number| FeedCall {
                    number,
                    arguments: columns_of(&detour.types)[detour.keys..detour.keys + detour.arguments]
                        .to_vec(),
                    filter: None,
                })
                .collect(),
        };
        let sink: Arc<dyn Sink> = Arc::new(AggregateSink { aggregation: Arc::clone(aggregation), feed });
        let into = Tail::into(number, Arc::clone(&sink));
        match detour.stop {
            Stop::Distinct(different) if detour.order.is_empty() => {
                self.pipeline(number, AggregateSource(different), rows, into);
            }
            Stop::Distinct(different) => {
                let sort = Sort::new(number, &detour.types, detour.order);
                let in_order: Arc<dyn Sink> = Arc::new(SortSink(Arc::clone(&sort)));
                let tail = Tail::into(number, Arc::clone(&in_order));
                self.pipeline(number, AggregateSource(different), rows, tail);
                self.steps.push(Step::Complete(number, in_order));
                self.pipeline(number, SortSource(sort), rows, into);
            }
            Stop::Sort(sort) => self.pipeline(number, SortSource(sort), rows, into),
        }
        self.steps.push(Step::Complete(number, sink));
        Ok(())
    }
}

fn index_lookup(join: &IndexJoin, added: Vec<DataType>) -> IndexLookup {
    IndexLookup {
        kind: join.kind.clone(),
        table: join.table.storage,
        index: join.index.as_ref().map(|(index, _)| *index),
        keys: join.keys.clone(),
        columns: join.columns.clone(),
        row_ids: join.row_ids,
        conditions: join.conditions.clone(),
        added,
    }
}

fn all_calls(calls: &[AggregateCall]) -> Vec<FeedCall> {
    let feed = |(number, call): (usize, &AggregateCall)| FeedCall {
        number,
        arguments: call.arguments.clone(),
        filter: call.filter.clone(),
    };
    calls.iter().enumerate().map(feed).collect()
}

/// The way around of aggregates whose rows must be different or in order.
struct Detour {
    /// Which aggregates.
    calls: Vec<usize>,
    filter: Option<Expr>,
    /// Keys, arguments, and what else is sorted by.
    exprs: Vec<Expr>,
    types: Vec<DataType>,
    keys: usize,
    arguments: usize,
    /// Over `exprs`.
    order: Vec<SortKey>,
    stop: Stop,
}

/// Where the rows wait.
enum Stop {
    Distinct(Arc<Aggregation>),
    Sort(Arc<Sort>),
}

impl Detour {
    fn new(node: usize, keys: &[Expr], number: usize, call: &AggregateCall) -> Self {
        let mut exprs: Vec<Expr> = keys.iter().chain(&call.arguments).cloned().collect();
        let order = call.order_by.iter().map(|key| {
            let known = exprs[keys.len()..].iter().position(|expr| *expr == key.expr);
            let at = known.map_or_else(
                || {
                    exprs.push(key.expr.clone());
                    exprs.len() - 1
                },
                |at| keys.len() + at,
            );
            SortKey { expr: Expr::column(at, key.expr.data_type(), true), ..*key }
        });
        let order: Vec<SortKey> = order.collect();
        let types: Vec<DataType> = exprs.iter().map(Expr::data_type).collect();
        let stop = if call.distinct {
            Stop::Distinct(Aggregation::new(node, types.clone(), &[]))
        } else {
            Stop::Sort(Sort::new(node, &types, order.clone()))
        };
        let (keys, arguments) = (keys.len(), call.arguments.len());
        Self { calls: vec![number], filter: call.filter.clone(), exprs, types, keys, arguments, order, stop }
    }

    fn branch(&self) -> Branch {
        let mut operators: Vec<Arc<dyn Operator>> = Vec::new();
        if let Some(filter) = &self.filter {
            operators.push(Arc::new(Filter(vec![filter.clone()])));
        }
        let sink: Arc<dyn Sink> = match &self.stop {
            Stop::Distinct(aggregation) => {
                let feed = Feed { keys: self.exprs.clone(), calls: Vec::new() };
                Arc::new(AggregateSink { aggregation: Arc::clone(aggregation), feed })
            }
            Stop::Sort(sort) => {
                operators.push(Arc::new(Project(self.exprs.clone())));
                Arc::new(SortSink(Arc::clone(sort)))
            }
        };
        Branch { operators, sink }
    }
}

/// The ways around, one for all aggregates of equal needs.
fn detours(node: usize, keys: &[Expr], calls: &[AggregateCall]) -> Vec<Detour> {
    let mut detours: Vec<Detour> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        if !call.distinct && call.order_by.is_empty() {
            continue;
        }
        let detour = Detour::new(node, keys, number, call);
        let like = |other: &&mut Detour| {
            let same_stop = matches!(
                (&other.stop, &detour.stop),
                (Stop::Distinct(_), Stop::Distinct(_)) | (Stop::Sort(_), Stop::Sort(_))
            );
            same_stop
                && other.filter == detour.filter
                && other.exprs == detour.exprs
                && other.arguments == detour.arguments
                && other.order == detour.order
        };
        match detours.iter_mut().find(like) {
            Some(known) => known.calls.push(number),
            None => detours.push(detour),
        }
    }
    detours
}
