//! Pushing a dependent join with the domain down its right side.
//!
//! [`Correlation::push`] makes a plan that reads outer columns one that does not: it has columns more, a
//! *representative* for each outer column it read, and its rows with representatives `v` are the rows of the old plan
//! for outer values `v`. Representatives are keys wherever rows are grouped, and equal wherever plans are joined.

use super::domain::Domain;
use super::known::Known;
use super::pieces::{
    Repr, Representative, filtered, inner, is_settled, is_volatile, often_fails, passed, replace, substitute,
    zero,
};
use super::{equal, has_single, pass};
use crate::error::{Result, StatementError};
use crate::expr::{Expr, IsTest, Volatility};
use crate::plan::logical::{
    Aggregate, ColumnId, Columns, Computed, CteId, CteScan, Distinct, Filter, Join, JoinKind, Limit,
    LogicalPlan, Project, Series, SetInput, SetOperation, SetOperator, Sort, Values, With,
};
use crate::plan::{for_each_argument, for_each_argument_mut};
use std::collections::{BTreeSet, HashMap};

/// One dependent join on its way down.
pub(super) struct Correlation<'c> {
    /// All columns.
    pub(super) columns: &'c mut Columns,
    /// What the right side reads of the left one; with what is volatile, also the number of the row.
    pub(super) outer: BTreeSet<ColumnId>,
    domain: Domain,
    /// Equal columns may take the place of outer ones: nothing fails, or is computed anew, for values nobody asks for.
    pub(super) substitutes: bool,
    /// Common tables whose definition read outer columns, and the representatives it has now.
    tables: HashMap<CteId, Repr>,
}

impl<'c> Correlation<'c> {
    /// For a dependent join.
    pub(super) fn new(join: &Join, columns: &'c mut Columns) -> Result<Self> {
        let available: BTreeSet<ColumnId> = join.left.columns().into_iter().collect();
        let mut outer: BTreeSet<ColumnId> =
            join.right.outer_columns().intersection(&available).copied().collect();
        let volatile = is_volatile(&join.right);
        let domain = Domain::of(join, &outer, volatile, columns)?;
        outer.extend(domain.row());
        let substitutes = !volatile && !often_fails(&join.right) && !has_single(&join.right);
        Ok(Self { columns, outer, domain, substitutes, tables: HashMap::new() })
    }

    /// The conditions that join the left side with the answers.
    pub(super) fn on_domain(&self, repr: &Repr) -> Vec<Expr> {
        repr.iter().map(|(outer, by)| equal(self.columns, *outer, by.id, by.strict)).collect()
    }

    /// The left side of the new join.
    pub(super) fn left(&mut self, left: LogicalPlan) -> LogicalPlan {
        self.domain.left(left, self.columns)
    }

    /// The finished plan.
    pub(super) fn finish(self, plan: LogicalPlan) -> LogicalPlan {
        self.domain.finish(plan, self.columns)
    }

    /// The plan for all outer values, and the representatives of those it reads.
    pub(super) fn push(&mut self, plan: LogicalPlan, known: &Known) -> Result<(LogicalPlan, Repr)> {
        if self.read_by(&plan).is_empty() {
            return Ok((plan, Repr::new()));
        }
        match plan {
            LogicalPlan::Filter(filter) => self.push_filter(filter, known),
            LogicalPlan::Project(project) => self.push_project(project, known),
            LogicalPlan::Aggregate(aggregate) if aggregate.keys.is_empty() => self.push_scalar(aggregate),
            LogicalPlan::Aggregate(aggregate) => {
                let below = known.through(|id| passed(&aggregate.keys, id));
                let (plan, repr, _) = self.group_by(aggregate, &below)?;
                Ok((plan, repr))
            }
            LogicalPlan::Distinct(distinct) => self.push_distinct(distinct, known),
            LogicalPlan::Sort(sort) => {
                let (input, mut repr) = self.push(*sort.input, known)?;
                let wanted = self.read_in(sort.keys.iter().map(|key| &key.expr));
                let input = Box::new(self.cover(input, &mut repr, known, &wanted));
                let mut keys = sort.keys;
                keys.iter_mut().for_each(|key| substitute(&mut key.expr, &repr));
                Ok((LogicalPlan::Sort(Sort { input, keys }), repr))
            }
            LogicalPlan::Limit(limit) => self.push_limit(limit),
            LogicalPlan::Join(join) => self.push_join(*join, known),
            LogicalPlan::SetOperation(operation) => self.push_set_operation(*operation, known),
            LogicalPlan::With(with) => self.push_with(*with, known),
            LogicalPlan::CteScan(scan) => Ok(self.push_table(scan)),
            LogicalPlan::Values(values) => Ok(self.push_values(values, known)),
            LogicalPlan::Series(series) => self.push_series(series, known),
            LogicalPlan::Scan(_)
            | LogicalPlan::Input(_)
            | LogicalPlan::Lock(_)
            | LogicalPlan::Insert(_)
            | LogicalPlan::Update(_)
            | LogicalPlan::Delete(_) => {
                Err(StatementError::NotSupported { feature: "a change of rows in a subquery".to_owned() }
                    .into())
            }
        }
    }

    /// The outer columns that a plan reads, also through common tables.
    fn read_by(&self, plan: &LogicalPlan) -> BTreeSet<ColumnId> {
        let mut read: BTreeSet<ColumnId> = plan.outer_columns().intersection(&self.outer).copied().collect();
        if !self.tables.is_empty() {
            self.read_through_tables(plan, &mut read);
        }
        if self.domain.row().is_some() && is_volatile(plan) {
            read.extend(self.domain.row());
        }
        read
    }

    fn read_through_tables(&self, plan: &LogicalPlan, read: &mut BTreeSet<ColumnId>) {
        if let LogicalPlan::CteScan(scan) = plan
            && let Some(repr) = self.tables.get(&scan.cte)
        {
            read.extend(repr.keys());
        }
        for input in plan.inputs() {
            self.read_through_tables(input, read);
        }
    }

    /// The outer columns that expressions read. What is volatile has another value for each row of the left side, so it
    /// reads their number.
    pub(super) fn read_in<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> BTreeSet<ColumnId> {
        let mut read = BTreeSet::new();
        for expr in exprs {
            read.extend(expr.columns().into_iter().map(ColumnId::of_index));
            if expr.volatility() == Volatility::Volatile {
                read.extend(self.domain.row());
            }
        }
        read.retain(|id| self.outer.contains(id));
        read
    }

    /// All outer columns and what tells them apart.
    fn all_outer(&self) -> BTreeSet<ColumnId> {
        let images = self.outer.iter().filter_map(|&id| self.domain.image(id));
        self.outer.iter().copied().chain(images).collect()
    }

    /// The plan with representatives for all that is wanted: an equal column, or the domain joined to it. The domain comes
    /// with all its columns, joined by those that have representatives already: what does not occur together is not asked
    /// for together.
    fn cover(
        &mut self,
        plan: LogicalPlan,
        repr: &mut Repr,
        known: &Known,
        wanted: &BTreeSet<ColumnId>,
    ) -> LogicalPlan {
        let available = plan.columns();
        let mut find = |wanted: &BTreeSet<ColumnId>| -> Vec<ColumnId> {
            let mut missing = Vec::new();
            for &outer in wanted.iter() {
                match known.find(outer, &available) {
                    _ if repr.contains_key(&outer) => {}
                    Some(id) => {
                        repr.insert(outer, Representative { id, strict: true });
                    }
                    None => missing.push(outer),
                }
            }
            missing
        };
        if find(wanted).is_empty() {
            return plan;
        }
        let all = self.all_outer();
        let missing = find(&all);
        let all: Vec<ColumnId> = all.into_iter().collect();
        let (domain, names) = self.domain.scan(&all, self.columns);
        let represent = |(outer, id)| (outer, Representative { id, strict: false });
        let by: Repr = names.into_iter().map(represent).collect();
        let conditions = self.match_up(&by, repr);
        repr.extend(by.into_iter().filter(|(outer, _)| missing.contains(outer)));
        if plan == LogicalPlan::one_row() {
            return domain;
        }
        inner(domain, plan, conditions)
    }

    fn push_filter(&mut self, filter: Filter, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let mut conditions = filter.conditions;
        let mut known = known.clone();
        self.learn(&conditions, &mut known);
        let (input, mut repr) = self.push(*filter.input, &known)?;
        let input = self.compute_equal(input, &conditions, &repr, &mut known);
        let wanted = self.read_in(&conditions);
        let input = self.cover(input, &mut repr, &known, &wanted);
        conditions.iter_mut().for_each(|condition| substitute(condition, &repr));
        conditions.retain(|condition| !is_settled(condition, &repr));
        Ok((filtered(input, conditions), repr))
    }

    fn push_project(&mut self, project: Project, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let mut columns = project.columns;
        let below = known.through(|id| passed(&columns, id));
        let (input, mut repr) = self.push(*project.input, &below)?;
        let wanted = self.read_in(columns.iter().map(|column| &column.expr));
        let input = Box::new(self.cover(input, &mut repr, &below, &wanted));
        columns.iter_mut().for_each(|column| substitute(&mut column.expr, &repr));
        self.add_passed(&mut columns, &repr);
        Ok((LogicalPlan::Project(Project { input, columns }), repr))
    }

    /// Passes representatives on.
    fn add_passed(&self, columns: &mut Vec<Computed>, repr: &Repr) {
        for by in repr.values() {
            if !columns.iter().any(|column| column.id == by.id) {
                columns.push(Computed { id: by.id, expr: self.columns.read(by.id) });
            }
        }
    }

    /// Groups by the representatives too, and by nothing else if there are no keys; then groups without rows are
    /// missing, and the third result says what aggregates are then that are not NULL.
    pub(super) fn group(&mut self, aggregate: Aggregate) -> Result<(LogicalPlan, Repr, Vec<Computed>)> {
        self.group_by(aggregate, &Known::default())
    }

    fn group_by(
        &mut self,
        aggregate: Aggregate,
        known: &Known,
    ) -> Result<(LogicalPlan, Repr, Vec<Computed>)> {
        let is_scalar = aggregate.keys.is_empty();
        let Aggregate { input, mut keys, mut aggregates } = aggregate;
        let (input, mut repr) = self.push(*input, known)?;
        let mut exprs: Vec<&Expr> = keys.iter().map(|key| &key.expr).collect();
        aggregates.iter().for_each(|of| for_each_argument(&of.call, &mut |expr| exprs.push(expr)));
        let wanted = self.read_in(exprs);
        let input = Box::new(self.cover(input, &mut repr, known, &wanted));
        keys.iter_mut().for_each(|key| substitute(&mut key.expr, &repr));
        for of in &mut aggregates {
            for_each_argument_mut(&mut of.call, &mut |expr| substitute(expr, &repr));
        }
        self.add_passed(&mut keys, &repr);
        let mut empty = Vec::new();
        if is_scalar {
            for of in aggregates.iter_mut().filter(|of| !of.call.function.may_return_null) {
                let (id, ty) = (of.id, of.call.ty);
                of.id = self.columns.add_copy(id);
                let none = Expr::Constant { value: zero(&ty), ty };
                let expr = Expr::Coalesce { arguments: vec![self.columns.read(of.id), none], ty };
                empty.push(Computed { id, expr });
            }
        }
        Ok((LogicalPlan::Aggregate(Aggregate { input, keys, aggregates }), repr, empty))
    }

    /// An aggregate without keys has a group for every value of the domain.
    fn push_scalar(&mut self, aggregate: Aggregate) -> Result<(LogicalPlan, Repr)> {
        let results: Vec<ColumnId> = aggregate.aggregates.iter().map(|of| of.id).collect();
        let (groups, by, empty) = self.group(aggregate)?;
        let wanted: Vec<ColumnId> = by.keys().copied().collect();
        let (domain, names) = self.domain.scan(&wanted, self.columns);
        let repr: Repr =
            names.into_iter().map(|(outer, id)| (outer, Representative { id, strict: false })).collect();
        let conditions = self.match_up(&repr, &by);
        let join = Join { kind: JoinKind::Left, dependent: false, left: domain, right: groups, conditions };
        let others: Vec<ColumnId> =
            results.into_iter().filter(|id| !empty.iter().any(|computed| computed.id == *id)).collect();
        let mut columns = pass(&others, self.columns);
        columns.extend(empty);
        self.add_passed(&mut columns, &repr);
        let input = Box::new(LogicalPlan::Join(Box::new(join)));
        Ok((LogicalPlan::Project(Project { input, columns }), repr))
    }

    /// The conditions under which rows of two plans belong to the same outer values.
    fn match_up(&self, left: &Repr, right: &Repr) -> Vec<Expr> {
        let both = left.iter().filter_map(|(outer, l)| Some((l, right.get(outer)?)));
        both.map(|(l, r)| equal(self.columns, l.id, r.id, l.strict || r.strict)).collect()
    }

    fn push_distinct(&mut self, distinct: Distinct, known: &Known) -> Result<(LogicalPlan, Repr)> {
        match distinct.on {
            None => {
                let mut exact = distinct.input.columns();
                let (input, repr) = self.push(*distinct.input, known)?;
                exact.extend(
                    repr.values().map(|by| by.id).filter(|id| !exact.contains(id)).collect::<Vec<_>>(),
                );
                let made = input.columns();
                let input = if made.len() == exact.len() && exact.iter().all(|id| made.contains(id)) {
                    input
                } else {
                    let columns = pass(&exact, self.columns);
                    LogicalPlan::Project(Project { input: Box::new(input), columns })
                };
                Ok((LogicalPlan::Distinct(Distinct { input: Box::new(input), on: None }), repr))
            }
            Some(mut on) => {
                let wanted = self.read_in(&on);
                let (input, mut repr) = self.push(*distinct.input, &Known::default())?;
                let input = Box::new(self.cover(input, &mut repr, &Known::default(), &wanted));
                on.iter_mut().for_each(|key| substitute(key, &repr));
                on.extend(repr.values().map(|by| self.columns.read(by.id)));
                Ok((LogicalPlan::Distinct(Distinct { input, on: Some(on) }), repr))
            }
        }
    }

    /// A limit counts for each outer value.
    fn push_limit(&mut self, limit: Limit) -> Result<(LogicalPlan, Repr)> {
        if !self.read_in(limit.limit.iter().chain(&limit.offset)).is_empty() {
            let feature = "LIMIT or OFFSET that reads a column of an outer query".to_owned();
            return Err(StatementError::NotSupported { feature }.into());
        }
        let (input, repr) = self.push(*limit.input, &Known::default())?;
        let mut ties = limit.ties;
        ties.iter_mut().flatten().for_each(|key| substitute(&mut key.expr, &repr));
        let mut partition = limit.partition;
        partition.extend(repr.values().map(|by| by.id));
        Ok((LogicalPlan::Limit(Limit { input: Box::new(input), ties, partition, ..limit }), repr))
    }

    fn push_join(&mut self, join: Join, known: &Known) -> Result<(LogicalPlan, Repr)> {
        if join.dependent {
            return self.push_dependent(join, known);
        }
        match join.kind {
            JoinKind::Inner => self.push_inner(join, known),
            JoinKind::Full => self.push_full(join),
            JoinKind::Right => {
                let Join { left, right, conditions, .. } = join;
                let kind = JoinKind::Left;
                self.push_left(Join { kind, dependent: false, left: right, right: left, conditions }, known)
            }
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti | JoinKind::Single | JoinKind::Mark { .. } => {
                self.push_left(join, known)
            }
        }
    }

    fn push_inner(&mut self, join: Join, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let Join { left, right, mut conditions, .. } = join;
        let mut known = known.clone();
        self.learn(&conditions, &mut known);
        let (left, mut repr) = self.push(left, &known)?;
        let (right, mut other) = self.push(right, &known)?;
        let mut wanted = self.read_in(&conditions);
        // An equal column of either side will do; what is missing still is joined to the left one.
        let (of_left, of_right) = (left.columns(), right.columns());
        let sides: Vec<ColumnId> = of_left.iter().chain(&of_right).copied().collect();
        for &outer in &wanted {
            let is_there = repr.contains_key(&outer) || other.contains_key(&outer);
            if let (false, Some(id)) = (is_there, known.find(outer, &sides)) {
                let side = if of_left.contains(&id) { &mut repr } else { &mut other };
                side.insert(outer, Representative { id, strict: true });
            }
        }
        wanted.retain(|outer| !other.contains_key(outer));
        let left = self.cover(left, &mut repr, &known, &wanted);
        let matching = self.match_up(&repr, &other);
        for (outer, by) in other {
            let strict = repr.get(&outer).is_some_and(|known| known.strict) || by.strict;
            repr.entry(outer).or_insert(by).strict = strict;
        }
        conditions.iter_mut().for_each(|condition| substitute(condition, &repr));
        conditions.retain(|condition| !is_settled(condition, &repr));
        conditions.extend(matching);
        Ok((inner(left, right, conditions), repr))
    }

    /// A join that keeps its left side: that side has the representatives.
    fn push_left(&mut self, join: Join, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let Join { mut kind, left, right, mut conditions, .. } = join;
        let (left, mut repr) = self.push(left, known)?;
        let mut of_right = Known::default();
        self.learn(&conditions, &mut of_right);
        let mut wanted = self.read_by(&right);
        wanted.extend(self.read_in(&conditions));
        if let JoinKind::Mark { test, .. } = &kind {
            wanted.extend(self.read_in(test));
        }
        let (right, other) = self.push(right, &of_right)?;
        wanted.extend(other.keys());
        let left = self.cover(left, &mut repr, known, &wanted);
        conditions.iter_mut().for_each(|condition| substitute(condition, &repr));
        if let JoinKind::Mark { test, .. } = &mut kind {
            test.iter_mut().for_each(|term| substitute(term, &repr));
        }
        conditions.extend(self.match_up(&repr, &other));
        Ok((LogicalPlan::Join(Box::new(Join { kind, dependent: false, left, right, conditions })), repr))
    }

    /// A full join has the representatives of the side that has a row.
    fn push_full(&mut self, join: Join) -> Result<(LogicalPlan, Repr)> {
        let Join { kind, left, right, mut conditions, .. } = join;
        let mut wanted = self.read_by(&left);
        wanted.extend(self.read_by(&right));
        wanted.extend(self.read_in(&conditions));
        if !wanted.is_empty() {
            // Either side may be the one that has the row.
            wanted = self.all_outer();
        }
        let (left, mut repr) = self.push(left, &Known::default())?;
        let (right, mut other) = self.push(right, &Known::default())?;
        let left = self.cover(left, &mut repr, &Known::default(), &wanted);
        let right = self.cover(right, &mut other, &Known::default(), &wanted);
        let (left, right) = (self.without_nulls(left, &mut repr), self.without_nulls(right, &mut other));
        conditions.iter_mut().for_each(|condition| substitute(condition, &repr));
        conditions.extend(self.match_up(&repr, &other));
        let mut columns = pass(&left.columns(), self.columns);
        columns.extend(pass(&right.columns(), self.columns));
        let plan = LogicalPlan::Join(Box::new(Join { kind, dependent: false, left, right, conditions }));
        for (outer, by) in &mut repr {
            let Some(other) = other.get(outer) else { continue };
            let arguments = vec![self.columns.read(by.id), self.columns.read(other.id)];
            let expr = Expr::Coalesce { arguments, ty: self.columns.get(by.id).ty };
            by.id = self.columns.add_copy(by.id);
            columns.push(Computed { id: by.id, expr });
        }
        Ok((LogicalPlan::Project(Project { input: Box::new(plan), columns }), repr))
    }

    /// Makes strict representatives ordinary ones by removing the rows that do not count.
    fn without_nulls(&mut self, plan: LogicalPlan, repr: &mut Repr) -> LogicalPlan {
        let mut conditions = Vec::new();
        for by in repr.values_mut().filter(|by| by.strict) {
            let operand = Box::new(self.columns.read(by.id));
            conditions.push(Expr::Is { operand, test: IsTest::Null, negated: true });
            by.strict = false;
        }
        filtered(plan, conditions)
    }

    /// A dependent join inside: it waits for its turn, but reads representatives of its own left side.
    fn push_dependent(&mut self, join: Join, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let Join { mut kind, left, mut right, mut conditions, .. } = join;
        let (left, mut repr) = self.push(left, known)?;
        let mut wanted = self.read_by(&right);
        wanted.extend(self.read_in(&conditions));
        if let JoinKind::Mark { test, .. } = &kind {
            wanted.extend(self.read_in(test));
        }
        let left = self.cover(left, &mut repr, known, &wanted);
        self.read_tables_of(&mut right, &repr);
        right.rewrite_exprs(&mut |node| replace(node, &repr));
        conditions.iter_mut().for_each(|condition| substitute(condition, &repr));
        if let JoinKind::Mark { test, .. } = &mut kind {
            test.iter_mut().for_each(|term| substitute(term, &repr));
        }
        let outer = right.outer_columns();
        let dependent = left.columns().iter().any(|id| outer.contains(id));
        Ok((LogicalPlan::Join(Box::new(Join { kind, dependent, left, right, conditions })), repr))
    }

    /// Makes the scans of common tables that have rows for all outer values give those for the representatives only.
    fn read_tables_of(&mut self, plan: &mut LogicalPlan, repr: &Repr) {
        if let LogicalPlan::CteScan(scan) = plan {
            if self.tables.contains_key(&scan.cte) {
                let (scan, own) = self.push_table(scan.clone());
                let conditions = self.match_up(repr, &own);
                *plan = filtered(scan, conditions);
            }
            return;
        }
        for input in plan.inputs_mut() {
            self.read_tables_of(input, repr);
        }
    }

    fn push_set_operation(&mut self, operation: SetOperation, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let SetOperation { operator, all, mut columns, inputs } = operation;
        let mut pushed = Vec::with_capacity(inputs.len());
        let mut wanted = BTreeSet::new();
        for SetInput { plan, columns: of } in inputs {
            let below = known.through(|id| {
                let index = columns.iter().position(|column| *column == id)?;
                of.get(index).copied()
            });
            let (plan, repr) = self.push(plan, &below)?;
            wanted.extend(repr.keys().copied());
            pushed.push((plan, of, repr, below));
        }
        let mut inputs = Vec::with_capacity(pushed.len());
        for (plan, mut of, mut repr, below) in pushed {
            let plan = self.cover(plan, &mut repr, &below, &wanted);
            let plan = self.without_nulls(plan, &mut repr);
            of.extend(wanted.iter().filter_map(|outer| repr.get(outer)).map(|by| by.id));
            inputs.push(SetInput { plan, columns: of });
        }
        let mut repr = Repr::new();
        for &outer in &wanted {
            let id = self.columns.add_copy(outer);
            columns.push(id);
            repr.insert(outer, Representative { id, strict: false });
        }
        Ok((LogicalPlan::SetOperation(Box::new(SetOperation { operator, all, columns, inputs })), repr))
    }

    fn push_with(&mut self, with: With, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let With { cte, name, definition, body } = with;
        let (definition, repr) = self.push(definition, &Known::default())?;
        if !repr.is_empty() {
            self.tables.insert(cte, repr);
        }
        let (body, repr) = self.push(body, known)?;
        Ok((LogicalPlan::With(Box::new(With { cte, name, definition, body })), repr))
    }

    /// A scan of a common table with its representatives.
    fn push_table(&mut self, mut scan: CteScan) -> (LogicalPlan, Repr) {
        let mut repr = self.tables.get(&scan.cte).cloned().unwrap_or_default();
        for by in repr.values_mut() {
            let id = self.columns.add_copy(by.id);
            scan.columns.push((by.id, id));
            by.id = id;
        }
        (LogicalPlan::CteScan(scan), repr)
    }

    /// Rows that read outer columns are computed from the domain.
    fn push_values(&mut self, values: Values, known: &Known) -> (LogicalPlan, Repr) {
        let wanted = self.all_outer();
        let several = values.rows.len() > 1;
        let mut inputs = Vec::with_capacity(values.rows.len());
        for row in values.rows {
            let mut repr = Repr::new();
            let input = Box::new(self.cover(LogicalPlan::one_row(), &mut repr, known, &wanted));
            let made: Vec<ColumnId> = if several {
                values.columns.iter().map(|&id| self.columns.add_copy(id)).collect()
            } else {
                values.columns.clone()
            };
            let computed = made.iter().zip(row).map(|(&id, mut expr)| {
                substitute(&mut expr, &repr);
                Computed { id, expr }
            });
            let mut columns: Vec<Computed> = computed.collect();
            self.add_passed(&mut columns, &repr);
            let plan = LogicalPlan::Project(Project { input, columns });
            if !several {
                return (plan, repr);
            }
            let columns = made.into_iter().chain(repr.values().map(|by| by.id)).collect();
            inputs.push(SetInput { plan, columns });
        }
        let mut columns = values.columns;
        let mut repr = Repr::new();
        for &outer in &wanted {
            let id = self.columns.add_copy(outer);
            columns.push(id);
            repr.insert(outer, Representative { id, strict: false });
        }
        let operator = SetOperator::Union;
        (LogicalPlan::SetOperation(Box::new(SetOperation { operator, all: true, columns, inputs })), repr)
    }

    fn push_series(&mut self, series: Series, known: &Known) -> Result<(LogicalPlan, Repr)> {
        let wanted = self.read_in([&series.start, &series.stop, &series.step]);
        let (input, mut repr) = self.push(*series.input, known)?;
        let input = Box::new(self.cover(input, &mut repr, known, &wanted));
        let Series { column, ordinality, mut start, mut stop, mut step, .. } = series;
        [&mut start, &mut stop, &mut step].into_iter().for_each(|expr| substitute(expr, &repr));
        Ok((LogicalPlan::Series(Series { input, column, ordinality, start, stop, step }), repr))
    }
}
