//! The choice of operators: from a rewritten logical plan to the plan that is run.
//!
//! Columns become positions here. Each part of the plan is built together with the ids of its columns, in order, so that
//! an expression above it finds its columns wherever the operators have put them.
//!
//! 1. A part of the plan gives at least the columns that are read above it, in any order; what a statement returns is
//!    put in order at the very top.
//! 2. Conditions that an access path makes true are not checked again; all others are.
//! 3. Costs are microseconds of one thread on the reference machine, about.

mod join;
mod reads;
mod scan;
mod write;

use super::cardinality::{Estimator, integer};
use crate::binder::OutputColumn as Returned;
use crate::error::{Result, StatementError};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::plan::logical::{
    Aggregate, ColumnId, Columns, CteId, Distinct, Limit, LogicalPlan, SetOperation, SetOperator, Sort, With,
};
use crate::plan::physical::{self, OutputColumn, PhysicalNode, PhysicalPlan, RuntimeFilterId};
use std::collections::HashMap;
use std::sync::Arc;

/// The longest result that is kept in a heap while its input passes by.
const MAX_TOP: i64 = 10_000;

/// Builds the plan with a statement's output as its columns.
pub(super) fn build(
    plan: &LogicalPlan,
    output: &[Returned],
    columns: &Columns,
    estimator: &Estimator<'_>,
) -> Result<PhysicalPlan> {
    let mut builder = Builder { estimator, columns, ctes: HashMap::new(), runtime_filters: 0 };
    let returning = !output.is_empty();
    let mut built = match plan {
        LogicalPlan::Insert(insert) => builder.insert(insert, returning)?,
        LogicalPlan::Update(update) => builder.update(update, returning)?,
        LogicalPlan::Delete(delete) => builder.delete(delete, returning)?,
        other => builder.build(other)?,
    };
    if returning || !plan.is_change() {
        let ids: Vec<ColumnId> = output.iter().map(|column| column.id).collect();
        built = builder.arrange(built, &ids);
        for (column, returned) in built.plan.columns.iter_mut().zip(output) {
            column.name = Arc::clone(&returned.name);
        }
    }
    reads::all(&mut built.plan);
    Ok(built.plan)
}

/// A plan and its columns.
struct Built {
    plan: PhysicalPlan,
    ids: Vec<ColumnId>,
}

struct Builder<'a> {
    estimator: &'a Estimator<'a>,
    columns: &'a Columns,
    ctes: HashMap<CteId, Vec<ColumnId>>,
    runtime_filters: u32,
}

fn not_supported(feature: &str) -> crate::Error {
    StatementError::NotSupported { feature: feature.to_owned() }.into()
}

/// An expression over columns that have found their places.
fn place(expr: &Expr, ids: &[ColumnId]) -> Expr {
    let mut placed = expr.clone();
    placed.remap_columns(&mut |index| {
        let id = ColumnId::of_index(index);
        ids.iter().position(|&other| other == id).expect("an expression reads the columns of its input")
    });
    placed
}

fn place_all(exprs: &[Expr], ids: &[ColumnId]) -> Vec<Expr> {
    exprs.iter().map(|expr| place(expr, ids)).collect()
}

fn place_keys(keys: &[SortKey], ids: &[ColumnId]) -> Vec<SortKey> {
    keys.iter().map(|key| SortKey { expr: place(&key.expr, ids), ..key.clone() }).collect()
}

fn position(ids: &[ColumnId], id: ColumnId) -> usize {
    ids.iter().position(|&other| other == id).expect("a plan's columns are made below it")
}

impl Builder<'_> {
    fn new_filter(&mut self) -> RuntimeFilterId {
        self.runtime_filters += 1;
        RuntimeFilterId(self.runtime_filters)
    }

    fn outputs(&self, ids: &[ColumnId]) -> Vec<OutputColumn> {
        let output = |&id: &ColumnId| {
            let column = self.columns.get(id);
            OutputColumn { name: Arc::clone(&column.name), ty: column.ty }
        };
        ids.iter().map(output).collect()
    }

    fn built(&self, node: PhysicalNode, ids: Vec<ColumnId>, rows: f64) -> Built {
        Built { plan: PhysicalPlan { node, columns: self.outputs(&ids), rows }, ids }
    }

    /// The same rows with exactly these columns.
    fn arrange(&self, built: Built, ids: &[ColumnId]) -> Built {
        if built.ids == ids {
            return built;
        }
        let exprs = ids.iter().map(|&id| place(&self.columns.read(id), &built.ids)).collect();
        let rows = built.plan.rows;
        self.built(PhysicalNode::Project { input: Box::new(built.plan), exprs }, ids.to_vec(), rows)
    }

    fn filtered(&self, built: Built, conditions: &[Expr]) -> Built {
        if conditions.is_empty() {
            return built;
        }
        let rows = built.plan.rows * self.estimator.share(conditions);
        let conditions = place_all(conditions, &built.ids);
        let node = PhysicalNode::Filter { input: Box::new(built.plan), conditions };
        self.built(node, built.ids, rows)
    }

    fn build(&mut self, plan: &LogicalPlan) -> Result<Built> {
        let rows = self.estimator.rows(plan);
        match plan {
            LogicalPlan::Scan(scan) => Ok(self.scan(scan, &[])),
            LogicalPlan::Filter(filter) => match &*filter.input {
                LogicalPlan::Scan(scan) => Ok(self.scan(scan, &filter.conditions)),
                input => {
                    let input = self.build(input)?;
                    Ok(self.filtered(input, &filter.conditions))
                }
            },
            LogicalPlan::Values(values) => {
                Ok(self.built(PhysicalNode::Values(values.rows.clone()), values.columns.clone(), rows))
            }
            LogicalPlan::Series(series) => {
                if *series.input != LogicalPlan::one_row() {
                    return Err(not_supported("generate_series over columns of other tables"));
                }
                let node = PhysicalNode::Series(physical::Series {
                    start: series.start.clone(),
                    stop: series.stop.clone(),
                    step: series.step.clone(),
                    ordinality: series.ordinality.is_some(),
                });
                Ok(self.built(node, plan.columns(), rows))
            }
            LogicalPlan::Input(input) => Ok(self.built(PhysicalNode::Input, input.columns.clone(), rows)),
            LogicalPlan::Project(project) => {
                let input = self.build(&project.input)?;
                let exprs = project.columns.iter().map(|column| place(&column.expr, &input.ids)).collect();
                let ids = project.columns.iter().map(|column| column.id).collect();
                Ok(self.built(PhysicalNode::Project { input: Box::new(input.plan), exprs }, ids, rows))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, rows),
            LogicalPlan::Distinct(distinct) => self.distinct(distinct, rows),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit, rows),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::SetOperation(operation) => self.set_operation(operation, rows),
            LogicalPlan::With(with) => self.with(with),
            LogicalPlan::CteScan(scan) => {
                let ids = self.ctes.get(&scan.cte).expect("a WITH stands above its readings");
                let columns = scan.columns.iter().map(|&(of, _)| position(ids, of)).collect();
                let node = PhysicalNode::CteScan { cte: scan.cte, alias: Arc::clone(&scan.alias), columns };
                Ok(self.built(node, plan.columns(), rows))
            }
            LogicalPlan::Lock(lock) => self.lock(lock, None),
            LogicalPlan::Insert(insert) => self.insert(insert, true),
            LogicalPlan::Update(update) => self.update(update, true),
            LogicalPlan::Delete(delete) => self.delete(delete, true),
        }
    }

    fn aggregate(&mut self, node: &Aggregate, rows: f64) -> Result<Built> {
        let input = self.build(&node.input)?;
        let keys = node.keys.iter().map(|key| place(&key.expr, &input.ids)).collect();
        let call = |call: &AggregateCall| {
            let mut call = call.clone();
            crate::plan::for_each_argument_mut(&mut call, &mut |expr| *expr = place(expr, &input.ids));
            call
        };
        let aggregates = node.aggregates.iter().map(|aggregate| call(&aggregate.call)).collect();
        let ids = node.keys.iter().map(|key| key.id).chain(node.aggregates.iter().map(|a| a.id)).collect();
        let input = Box::new(input.plan);
        Ok(self.built(PhysicalNode::Aggregate { input, keys, aggregates }, ids, rows))
    }

    fn distinct(&mut self, node: &Distinct, rows: f64) -> Result<Built> {
        let input = self.build(&node.input)?;
        let ids = input.ids.clone();
        let node = match &node.on {
            Some(on) => {
                let keys = place_all(on, &ids);
                PhysicalNode::DistinctOn { input: Box::new(input.plan), keys }
            }
            None => self.different(input),
        };
        Ok(self.built(node, ids, rows))
    }

    /// The different rows of an input.
    fn different(&self, input: Built) -> PhysicalNode {
        let keys = input.ids.iter().map(|&id| place(&self.columns.read(id), &input.ids)).collect();
        PhysicalNode::Aggregate { input: Box::new(input.plan), keys, aggregates: Vec::new() }
    }

    fn sort(&mut self, node: &Sort) -> Result<Built> {
        let input = self.build(&node.input)?;
        let keys = place_keys(&node.keys, &input.ids);
        let rows = input.plan.rows;
        Ok(self.built(PhysicalNode::Sort { input: Box::new(input.plan), keys }, input.ids, rows))
    }

    fn limit(&mut self, node: &Limit, rows: f64) -> Result<Built> {
        if !node.partition.is_empty() {
            return self.limit_of_groups(node, rows);
        }
        let bound = node.limit.as_ref().and_then(integer).map(|limit| {
            limit.saturating_add(node.offset.as_ref().map_or(0, |offset| integer(offset).unwrap_or(MAX_TOP)))
        });
        if let (Some(limit), None) = (&node.limit, &node.ties)
            && bound.is_some_and(|bound| bound < MAX_TOP)
        {
            let offset = node.offset.clone();
            match &*node.input {
                LogicalPlan::Sort(sort) => return self.top(sort, limit.clone(), offset, rows),
                LogicalPlan::Project(project) => {
                    if let LogicalPlan::Sort(sort) = &*project.input {
                        let top = self.top(sort, limit.clone(), offset, rows)?;
                        let exprs =
                            project.columns.iter().map(|column| place(&column.expr, &top.ids)).collect();
                        let ids = project.columns.iter().map(|column| column.id).collect();
                        let node = PhysicalNode::Project { input: Box::new(top.plan), exprs };
                        return Ok(self.built(node, ids, rows));
                    }
                }
                _ => {}
            }
        }
        let input = match &*node.input {
            // Rows beyond the limit are not locked.
            LogicalPlan::Lock(lock) if node.offset.is_none() => self.lock(lock, node.limit.clone())?,
            input => self.build(input)?,
        };
        let ties = node.ties.as_ref().map(|keys| place_keys(keys, &input.ids));
        let ids = input.ids;
        let node = PhysicalNode::Limit {
            input: Box::new(input.plan),
            limit: node.limit.clone(),
            offset: node.offset.clone(),
            ties,
        };
        Ok(self.built(node, ids, rows))
    }

    fn top(&mut self, sort: &Sort, limit: Expr, offset: Option<Expr>, rows: f64) -> Result<Built> {
        let input = self.build(&sort.input)?;
        let keys = place_keys(&sort.keys, &input.ids);
        let ids = input.ids;
        Ok(self.built(PhysicalNode::TopK { input: Box::new(input.plan), keys, limit, offset }, ids, rows))
    }

    /// The first row of each group, in the order of the input.
    fn limit_of_groups(&mut self, node: &Limit, rows: f64) -> Result<Built> {
        let one = node.limit.as_ref().and_then(integer) == Some(1);
        if !one || node.offset.is_some() || node.ties.is_some() {
            return Err(not_supported("a correlated subquery with LIMIT other than 1"));
        }
        let by_group = node.partition.iter().map(|&id| SortKey {
            expr: self.columns.read(id),
            descending: false,
            nulls_first: false,
        });
        let (inner, order) = match &*node.input {
            LogicalPlan::Sort(sort) => (&*sort.input, sort.keys.clone()),
            other => (other, Vec::new()),
        };
        let input = self.build(inner)?;
        let keys: Vec<SortKey> = by_group.chain(order).collect();
        let sorted = PhysicalNode::Sort { keys: place_keys(&keys, &input.ids), input: Box::new(input.plan) };
        let sorted = self.built(sorted, input.ids, rows);
        let keys = node.partition.iter().map(|&id| place(&self.columns.read(id), &sorted.ids)).collect();
        let ids = sorted.ids;
        Ok(self.built(PhysicalNode::DistinctOn { input: Box::new(sorted.plan), keys }, ids, rows))
    }

    fn set_operation(&mut self, node: &SetOperation, rows: f64) -> Result<Built> {
        let mut inputs = Vec::new();
        for input in &node.inputs {
            let built = self.build(&input.plan)?;
            let mut plan = self.arrange(built, &input.columns).plan;
            plan.columns = self.outputs(&node.columns);
            inputs.push(plan);
        }
        let ids = node.columns.clone();
        if node.operator == SetOperator::Union {
            let all = self.built(PhysicalNode::Append(inputs), ids.clone(), rows);
            return Ok(if node.all {
                all
            } else {
                let node = self.different(all);
                self.built(node, ids, rows)
            });
        }
        let intersect = node.operator == SetOperator::Intersect;
        let mut inputs = inputs.into_iter();
        let mut left = inputs.next().expect("a set operation has inputs");
        for right in inputs {
            let operation = physical::SetOperation { intersect, all: node.all, left, right };
            left = self.built(PhysicalNode::SetOperation(Box::new(operation)), ids.clone(), rows).plan;
        }
        Ok(Built { plan: left, ids })
    }

    fn with(&mut self, node: &With) -> Result<Built> {
        let definition = self.build(&node.definition)?;
        self.ctes.insert(node.cte, definition.ids);
        let body = self.build(&node.body)?;
        let rows = body.plan.rows;
        let with = PhysicalNode::With {
            cte: node.cte,
            name: Arc::clone(&node.name),
            definition: Box::new(definition.plan),
            body: Box::new(body.plan),
        };
        Ok(self.built(with, body.ids, rows))
    }
}
