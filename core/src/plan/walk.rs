//! Walking plans: inputs, output columns, and the columns a plan reads from around it.

use super::logical::{ColumnId, Computed, Join, JoinKind, LogicalPlan};
use crate::expr::Expr;
use crate::expr::aggregate::AggregateCall;
use std::collections::{BTreeSet, HashMap};

impl Join {
    /// The columns of its rows, in order.
    pub fn columns(&self) -> Vec<ColumnId> {
        let mut columns = self.left.columns();
        match &self.kind {
            JoinKind::Semi | JoinKind::Anti => {}
            JoinKind::Mark { column, .. } => columns.push(*column),
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full | JoinKind::Single => {
                columns.extend(self.right.columns());
            }
        }
        columns
    }
}

impl LogicalPlan {
    /// A plan with one row and no columns.
    pub fn one_row() -> Self {
        Self::Values(super::logical::Values { columns: Vec::new(), rows: vec![Vec::new()] })
    }

    /// The columns of its rows, in order.
    pub fn columns(&self) -> Vec<ColumnId> {
        let ids = |computed: &[Computed]| computed.iter().map(|column| column.id).collect();
        match self {
            Self::Scan(scan) => scan.columns.iter().map(|&(_, id)| id).chain(scan.row_id).collect(),
            Self::Values(values) => values.columns.clone(),
            Self::Series(series) => {
                let mut columns = series.input.columns();
                columns.push(series.column);
                columns.extend(series.ordinality);
                columns
            }
            Self::Input(input) => input.columns.clone(),
            Self::Filter(filter) => filter.input.columns(),
            Self::Project(project) => ids(&project.columns),
            Self::Aggregate(aggregate) => {
                let mut columns: Vec<ColumnId> = ids(&aggregate.keys);
                columns.extend(aggregate.aggregates.iter().map(|aggregate| aggregate.id));
                columns
            }
            Self::Distinct(distinct) => distinct.input.columns(),
            Self::Sort(sort) => sort.input.columns(),
            Self::Limit(limit) => limit.input.columns(),
            Self::Join(join) => join.columns(),
            Self::SetOperation(operation) => operation.columns.clone(),
            Self::With(with) => with.body.columns(),
            Self::CteScan(scan) => scan.columns.iter().map(|&(_, id)| id).collect(),
            Self::Lock(lock) => lock.input.columns(),
            Self::Insert(insert) => insert.output.clone(),
            Self::Update(update) => update.output.iter().copied().chain(update.source.columns()).collect(),
            Self::Delete(delete) => delete.source.columns(),
        }
    }

    /// Whether its root changes rows.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Insert(_) | Self::Update(_) | Self::Delete(_))
    }

    /// Its inputs, from left to right.
    pub fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Scan(_) | Self::Values(_) | Self::Input(_) | Self::CteScan(_) => Vec::new(),
            Self::Series(node) => vec![&*node.input],
            Self::Filter(node) => vec![&*node.input],
            Self::Project(node) => vec![&*node.input],
            Self::Aggregate(node) => vec![&*node.input],
            Self::Distinct(node) => vec![&*node.input],
            Self::Sort(node) => vec![&*node.input],
            Self::Limit(node) => vec![&*node.input],
            Self::Lock(node) => vec![&*node.input],
            Self::Join(node) => vec![&node.left, &node.right],
            Self::SetOperation(node) => node.inputs.iter().map(|input| &input.plan).collect(),
            Self::With(node) => vec![&node.definition, &node.body],
            Self::Insert(node) => vec![&node.source],
            Self::Update(node) => vec![&node.source],
            Self::Delete(node) => vec![&node.source],
        }
    }

    /// Its inputs, from left to right, to be changed.
    pub fn inputs_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Scan(_) | Self::Values(_) | Self::Input(_) | Self::CteScan(_) => Vec::new(),
            Self::Series(node) => vec![&mut *node.input],
            Self::Filter(node) => vec![&mut *node.input],
            Self::Project(node) => vec![&mut *node.input],
            Self::Aggregate(node) => vec![&mut *node.input],
            Self::Distinct(node) => vec![&mut *node.input],
            Self::Sort(node) => vec![&mut *node.input],
            Self::Limit(node) => vec![&mut *node.input],
            Self::Lock(node) => vec![&mut *node.input],
            Self::Join(node) => vec![&mut node.left, &mut node.right],
            Self::SetOperation(node) => node.inputs.iter_mut().map(|input| &mut input.plan).collect(),
            Self::With(node) => vec![&mut node.definition, &mut node.body],
            Self::Insert(node) => vec![&mut node.source],
            Self::Update(node) => vec![&mut node.source],
            Self::Delete(node) => vec![&mut node.source],
        }
    }
}

impl LogicalPlan {
    /// Visits the expressions of this node, not those of its inputs.
    pub fn for_each_expr<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Scan(_)
            | Self::Input(_)
            | Self::CteScan(_)
            | Self::Lock(_)
            | Self::SetOperation(_)
            | Self::With(_)
            | Self::Delete(_) => {}
            Self::Values(node) => node.rows.iter().flatten().for_each(visit),
            Self::Series(node) => [&node.start, &node.stop, &node.step].into_iter().for_each(visit),
            Self::Filter(node) => node.conditions.iter().for_each(visit),
            Self::Project(node) => node.columns.iter().for_each(|column| visit(&column.expr)),
            Self::Aggregate(node) => {
                node.keys.iter().for_each(|key| visit(&key.expr));
                node.aggregates.iter().for_each(|aggregate| for_each_argument(&aggregate.call, visit));
            }
            Self::Distinct(node) => node.on.iter().flatten().for_each(visit),
            Self::Sort(node) => node.keys.iter().for_each(|key| visit(&key.expr)),
            Self::Limit(node) => {
                node.limit.iter().chain(&node.offset).for_each(&mut *visit);
                node.ties.iter().flatten().for_each(|key| visit(&key.expr));
            }
            Self::Join(node) => {
                node.conditions.iter().for_each(&mut *visit);
                if let JoinKind::Mark { test, .. } = &node.kind {
                    test.iter().for_each(visit);
                }
            }
            Self::Insert(node) => {
                node.checks.iter().for_each(|check| visit(&check.condition));
                for update in node.on_conflict.iter().filter_map(|conflict| conflict.update.as_ref()) {
                    update.assignments.iter().for_each(|(_, value)| visit(value));
                    update.conditions.iter().for_each(&mut *visit);
                }
            }
            Self::Update(node) => {
                node.assignments.iter().for_each(|(_, value)| visit(value));
                node.checks.iter().for_each(|check| visit(&check.condition));
            }
        }
    }

    /// Visits the expressions of this node, not those of its inputs, to change them.
    pub fn for_each_expr_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Scan(_)
            | Self::Input(_)
            | Self::CteScan(_)
            | Self::Lock(_)
            | Self::SetOperation(_)
            | Self::With(_)
            | Self::Delete(_) => {}
            Self::Values(node) => node.rows.iter_mut().flatten().for_each(visit),
            Self::Series(node) => {
                [&mut node.start, &mut node.stop, &mut node.step].into_iter().for_each(visit);
            }
            Self::Filter(node) => node.conditions.iter_mut().for_each(visit),
            Self::Project(node) => node.columns.iter_mut().for_each(|column| visit(&mut column.expr)),
            Self::Aggregate(node) => {
                node.keys.iter_mut().for_each(|key| visit(&mut key.expr));
                node.aggregates
                    .iter_mut()
                    .for_each(|aggregate| for_each_argument_mut(&mut aggregate.call, visit));
            }
            Self::Distinct(node) => node.on.iter_mut().flatten().for_each(visit),
            Self::Sort(node) => node.keys.iter_mut().for_each(|key| visit(&mut key.expr)),
            Self::Limit(node) => {
                node.limit.iter_mut().chain(&mut node.offset).for_each(&mut *visit);
                node.ties.iter_mut().flatten().for_each(|key| visit(&mut key.expr));
            }
            Self::Join(node) => {
                node.conditions.iter_mut().for_each(&mut *visit);
                if let JoinKind::Mark { test, .. } = &mut node.kind {
                    test.iter_mut().for_each(visit);
                }
            }
            Self::Insert(node) => {
                node.checks.iter_mut().for_each(|check| visit(&mut check.condition));
                for update in node.on_conflict.iter_mut().filter_map(|conflict| conflict.update.as_mut()) {
                    update.assignments.iter_mut().for_each(|(_, value)| visit(value));
                    update.conditions.iter_mut().for_each(&mut *visit);
                }
            }
            Self::Update(node) => {
                node.assignments.iter_mut().for_each(|(_, value)| visit(value));
                node.checks.iter_mut().for_each(|check| visit(&mut check.condition));
            }
        }
    }

    /// The columns that expressions anywhere in the plan read and no node in it makes.
    pub fn outer_columns(&self) -> BTreeSet<ColumnId> {
        let (mut read, mut made) = (BTreeSet::new(), BTreeSet::new());
        self.collect(&mut read, &mut made);
        read.difference(&made).copied().collect()
    }

    /// A column that an expression of a query without dependent joins reads though the inputs of its node do not make it.
    pub fn misplaced_read(&self) -> Option<ColumnId> {
        let mut read = BTreeSet::new();
        // The conditions of a change are over the columns of its table.
        if !matches!(self, Self::Insert(_) | Self::Update(_)) {
            self.for_each_expr(&mut |expr| read.extend(expr.columns().into_iter().map(ColumnId::of_index)));
        }
        let inputs = self.inputs();
        for made in inputs.iter().flat_map(|input| input.columns()) {
            read.remove(&made);
        }
        read.first().copied().or_else(|| inputs.into_iter().find_map(Self::misplaced_read))
    }

    /// Whether the plan reads a column it does not make, so that it cannot be computed by itself.
    pub fn is_correlated(&self) -> bool {
        !self.outer_columns().is_empty()
    }

    /// Changes every node of every expression, in all expressions of the plan.
    pub fn rewrite_exprs(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        self.for_each_expr_mut(&mut |expr| expr.rewrite(visit));
        for input in self.inputs_mut() {
            input.rewrite_exprs(visit);
        }
    }

    /// Gives columns other ids, where they are made and where they are read.
    pub fn rename_columns(&mut self, map: &HashMap<ColumnId, ColumnId>) {
        self.for_each_expr_mut(&mut |expr| rename_in_expr(expr, map));
        let rename = |id: &mut ColumnId| {
            if let Some(new) = map.get(id) {
                *id = *new;
            }
        };
        match self {
            Self::Scan(node) => {
                node.columns.iter_mut().map(|(_, id)| id).chain(&mut node.row_id).for_each(rename);
            }
            Self::Values(node) => node.columns.iter_mut().for_each(rename),
            Self::Series(node) => [&mut node.column].into_iter().chain(&mut node.ordinality).for_each(rename),
            Self::Input(node) => node.columns.iter_mut().for_each(rename),
            Self::Project(node) => node.columns.iter_mut().map(|column| &mut column.id).for_each(rename),
            Self::Aggregate(node) => {
                let keys = node.keys.iter_mut().map(|key| &mut key.id);
                keys.chain(node.aggregates.iter_mut().map(|aggregate| &mut aggregate.id)).for_each(rename);
            }
            Self::Limit(node) => node.partition.iter_mut().for_each(rename),
            Self::Join(node) => {
                if let JoinKind::Mark { column, .. } = &mut node.kind {
                    rename(column);
                }
            }
            Self::SetOperation(node) => {
                let inputs = node.inputs.iter_mut().flat_map(|input| &mut input.columns);
                node.columns.iter_mut().chain(inputs).for_each(rename);
            }
            Self::CteScan(node) => node.columns.iter_mut().flat_map(|(of, id)| [of, id]).for_each(rename),
            Self::Lock(node) => node.targets.iter_mut().map(|target| &mut target.row_id).for_each(rename),
            Self::Insert(node) => {
                let updates = node.on_conflict.iter_mut().filter_map(|conflict| conflict.update.as_mut());
                let existing = updates.flat_map(|update| &mut update.existing);
                node.values.iter_mut().chain(&mut node.output).chain(existing).for_each(rename);
            }
            Self::Update(node) => {
                let row_id = std::iter::once(&mut node.row_id);
                row_id.chain(&mut node.old).chain(&mut node.output).for_each(rename);
            }
            Self::Delete(node) => rename(&mut node.row_id),
            Self::Filter(_) | Self::Distinct(_) | Self::Sort(_) | Self::With(_) => {}
        }
        for input in self.inputs_mut() {
            input.rename_columns(map);
        }
    }

    fn collect(&self, read: &mut BTreeSet<ColumnId>, made: &mut BTreeSet<ColumnId>) {
        self.for_each_expr(&mut |expr| read.extend(expr.columns().into_iter().map(ColumnId::of_index)));
        match self {
            Self::Insert(node) => {
                made.extend(&node.output);
                let updates = node.on_conflict.iter().filter_map(|conflict| conflict.update.as_ref());
                made.extend(updates.flat_map(|update| update.existing.iter()));
            }
            Self::Update(node) => made.extend(&node.output),
            Self::Scan(_)
            | Self::Values(_)
            | Self::Series(_)
            | Self::Input(_)
            | Self::Project(_)
            | Self::Aggregate(_)
            | Self::SetOperation(_)
            | Self::CteScan(_)
            | Self::Join(_) => made.extend(self.columns()),
            Self::Filter(_)
            | Self::Distinct(_)
            | Self::Sort(_)
            | Self::Limit(_)
            | Self::With(_)
            | Self::Lock(_)
            | Self::Delete(_) => {}
        }
        for input in self.inputs() {
            input.collect(read, made);
        }
    }
}

/// Makes an expression read other columns.
pub fn rename_in_expr(expr: &mut Expr, map: &HashMap<ColumnId, ColumnId>) {
    expr.remap_columns(&mut |index| map.get(&ColumnId::of_index(index)).map_or(index, |new| new.index()));
}

/// Visits the expressions of an aggregate: arguments, order, filter.
pub fn for_each_argument<'a>(call: &'a AggregateCall, visit: &mut dyn FnMut(&'a Expr)) {
    call.arguments.iter().for_each(&mut *visit);
    call.order_by.iter().for_each(|key| visit(&key.expr));
    call.filter.iter().for_each(visit);
}

/// Visits the expressions of an aggregate, to change them.
pub fn for_each_argument_mut(call: &mut AggregateCall, visit: &mut dyn FnMut(&mut Expr)) {
    call.arguments.iter_mut().for_each(&mut *visit);
    call.order_by.iter_mut().for_each(|key| visit(&mut key.expr));
    call.filter.iter_mut().for_each(visit);
}
