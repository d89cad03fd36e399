//! The meaning of logical plans, computed row by row and as simply as possible: what rewrites are tested against.

use super::logical::{
    Aggregate, ColumnId, Columns, CteId, Join, JoinKind, Limit, LogicalPlan, Series, SetOperation,
    SetOperator,
};
use crate::error::{BindingError, Result};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::expr::eval::evaluate_constant;
use crate::expr::tests::context;
use crate::ids::ObjectId;
use crate::types::{DataType, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// A row: values by column.
pub(crate) type Row = BTreeMap<ColumnId, Value>;

/// Tables and their rows.
#[derive(Default)]
pub(crate) struct Tables {
    rows: HashMap<ObjectId, Vec<Vec<Value>>>,
}

/// What a plan is computed in: the statement's columns, and what is around a part of it.
#[derive(Clone)]
struct Scope<'t> {
    tables: &'t Tables,
    columns: &'t Columns,
    outer: Row,
    ctes: HashMap<CteId, Vec<Row>>,
}

impl Tables {
    /// The rows of a plan; an insertion adds its rows.
    pub(crate) fn run(&mut self, plan: &LogicalPlan, columns: &Columns) -> Result<Vec<Row>> {
        if let LogicalPlan::Insert(insert) = plan {
            let rows = self.rows_of(&insert.source, columns)?;
            let table = self.rows.entry(insert.table.oid).or_default();
            table.extend(rows.iter().map(|row| insert.values.iter().map(|id| row[id].clone()).collect()));
            return Ok(Vec::new());
        }
        self.rows_of(plan, columns)
    }

    fn rows_of(&self, plan: &LogicalPlan, columns: &Columns) -> Result<Vec<Row>> {
        Scope { tables: self, columns, outer: Row::new(), ctes: HashMap::new() }.rows(plan)
    }
}

impl Scope<'_> {
    fn rows(&self, plan: &LogicalPlan) -> Result<Vec<Row>> {
        Ok(match plan {
            LogicalPlan::Scan(scan) => {
                let rows = self.tables.rows.get(&scan.table.oid).map_or(&[][..], Vec::as_slice);
                let read = |row: &Vec<Value>| {
                    scan.columns.iter().map(|&(number, id)| (id, row[usize::from(number)].clone())).collect()
                };
                rows.iter().map(read).collect()
            }
            LogicalPlan::Values(values) => {
                let row = |row: &Vec<Expr>| {
                    let pairs = values.columns.iter().zip(row);
                    pairs.map(|(&id, expr)| Ok((id, self.value(expr, &Row::new())?))).collect()
                };
                values.rows.iter().map(row).collect::<Result<_>>()?
            }
            LogicalPlan::Series(series) => self.series(series)?,
            LogicalPlan::Filter(filter) => {
                let mut rows = Vec::new();
                for row in self.rows(&filter.input)? {
                    if self.all(&filter.conditions, &row)? == Some(true) {
                        rows.push(row);
                    }
                }
                rows
            }
            LogicalPlan::Project(project) => {
                let compute = |row: Row| {
                    let columns = project.columns.iter();
                    columns.map(|column| Ok((column.id, self.value(&column.expr, &row)?))).collect()
                };
                self.rows(&project.input)?.into_iter().map(compute).collect::<Result<_>>()?
            }
            LogicalPlan::Aggregate(aggregate) => self.groups(aggregate)?,
            LogicalPlan::Distinct(distinct) => {
                let mut seen: Vec<Vec<Value>> = Vec::new();
                let mut rows = Vec::new();
                for row in self.rows(&distinct.input)? {
                    let key = match &distinct.on {
                        Some(on) => on.iter().map(|key| self.value(key, &row)).collect::<Result<_>>()?,
                        None => row.values().cloned().collect(),
                    };
                    if !seen.contains(&key) {
                        seen.push(key);
                        rows.push(row);
                    }
                }
                rows
            }
            LogicalPlan::Sort(sort) => self.sorted(self.rows(&sort.input)?, &sort.keys)?,
            LogicalPlan::Limit(limit) => self.limited(limit)?,
            LogicalPlan::Join(join) => self.join(join)?,
            LogicalPlan::SetOperation(operation) => self.set_operation(operation)?,
            LogicalPlan::With(with) => {
                let mut inner = self.clone();
                inner.ctes.insert(with.cte, self.rows(&with.definition)?);
                inner.rows(&with.body)?
            }
            LogicalPlan::CteScan(scan) => {
                let read = |row: &Row| scan.columns.iter().map(|(of, id)| (*id, row[of].clone())).collect();
                self.ctes[&scan.cte].iter().map(read).collect()
            }
            LogicalPlan::Lock(lock) => self.rows(&lock.input)?,
            LogicalPlan::Input(_)
            | LogicalPlan::Insert(_)
            | LogicalPlan::Update(_)
            | LogicalPlan::Delete(_) => {
                panic!("only queries are computed here")
            }
        })
    }

    fn value(&self, expr: &Expr, row: &Row) -> Result<Value> {
        let mut expr = expr.clone();
        expr.rewrite(&mut |node| {
            if let Expr::Column { index, ty, .. } = node {
                let id = ColumnId::of_index(*index);
                let value = row.get(&id).or_else(|| self.outer.get(&id));
                let value =
                    value.unwrap_or_else(|| panic!("{:?} is not there", self.columns.get(id))).clone();
                *node = Expr::Constant { value, ty: *ty };
            }
        });
        evaluate_constant(&expr, &context(&[]))
    }

    /// The AND of some conditions.
    fn all(&self, conditions: &[Expr], row: &Row) -> Result<Option<bool>> {
        let mut all = Some(true);
        for condition in conditions {
            match self.value(condition, row)? {
                Value::Boolean(true) => {}
                Value::Boolean(false) => return Ok(Some(false)),
                _ => all = None,
            }
        }
        Ok(all)
    }

    fn with(&self, row: &Row) -> Self {
        let mut inner = self.clone();
        inner.outer.extend(row.iter().map(|(id, value)| (*id, value.clone())));
        inner
    }

    fn series(&self, series: &Series) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for row in self.rows(&series.input)? {
            let bounds = [&series.start, &series.stop, &series.step].map(|expr| self.value(expr, &row));
            let [Value::Integer(start), Value::Integer(stop), Value::Integer(step)] =
                bounds.map(|v| v.unwrap())
            else {
                continue;
            };
            let mut at = start;
            while if step > 0 { at <= stop } else { at >= stop } {
                let mut row = row.clone();
                row.insert(series.column, Value::Integer(at));
                rows.push(row);
                at += step;
            }
        }
        Ok(rows)
    }

    fn groups(&self, aggregate: &Aggregate) -> Result<Vec<Row>> {
        let mut groups: Vec<(Vec<Value>, Vec<Row>)> = Vec::new();
        if aggregate.keys.is_empty() {
            groups.push((Vec::new(), Vec::new()));
        }
        for row in self.rows(&aggregate.input)? {
            let key: Vec<Value> =
                aggregate.keys.iter().map(|key| self.value(&key.expr, &row)).collect::<Result<_>>()?;
            match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        let mut result = Vec::new();
        for (key, rows) in groups {
            let mut row: Row = aggregate.keys.iter().map(|key| key.id).zip(key).collect();
            for of in &aggregate.aggregates {
                row.insert(of.id, self.aggregate(&of.call, &rows)?);
            }
            result.push(row);
        }
        Ok(result)
    }

    /// `count`, `min`, `max`, and `sum` of integers.
    fn aggregate(&self, call: &AggregateCall, rows: &[Row]) -> Result<Value> {
        let mut values: Vec<Value> = Vec::new();
        for row in rows {
            let counts =
                call.filter.as_ref().map_or(Ok(Value::Boolean(true)), |filter| self.value(filter, row))?;
            let value = match call.arguments.first() {
                Some(argument) => self.value(argument, row)?,
                None => Value::Boolean(true),
            };
            let is_new = !call.distinct || !values.contains(&value);
            if counts == Value::Boolean(true) && !value.is_null() && is_new {
                values.push(value);
            }
        }
        let best = |better: Ordering| {
            let pick = |a: Value, b: Value| if b.compare(&a) == Some(better) { b } else { a };
            values.iter().cloned().reduce(pick).unwrap_or(Value::Null)
        };
        Ok(match call.function.name {
            "count" => Value::BigInt(values.len().try_into().unwrap()),
            "min" => best(Ordering::Less),
            "max" => best(Ordering::Greater),
            "sum" if values.is_empty() => Value::Null,
            "sum" => {
                let number = |value: &Value| match value {
                    Value::Integer(v) => i64::from(*v),
                    Value::BigInt(v) => *v,
                    other => panic!("sum of {other:?}"),
                };
                let sum = Value::BigInt(values.iter().map(number).sum());
                sum.cast(&call.ty, crate::types::CastContext::Explicit, &context(&[]).times)?
            }
            other => panic!("aggregate {other}"),
        })
    }

    fn sorted(&self, rows: Vec<Row>, keys: &[SortKey]) -> Result<Vec<Row>> {
        let mut keyed: Vec<(Vec<Value>, Row)> = Vec::new();
        for row in rows {
            keyed.push((keys.iter().map(|key| self.value(&key.expr, &row)).collect::<Result<_>>()?, row));
        }
        let compare = |(key, a, b): (&SortKey, &Value, &Value)| match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if key.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if key.nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => {
                let order = a.compare(b).unwrap_or(Ordering::Equal);
                if key.descending { order.reverse() } else { order }
            }
        };
        keyed.sort_by(|(a, _), (b, _)| {
            let pairs = keys.iter().zip(a).zip(b).map(|((key, a), b)| compare((key, a, b)));
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        Ok(keyed.into_iter().map(|(_, row)| row).collect())
    }

    fn limited(&self, limit: &Limit) -> Result<Vec<Row>> {
        let count = |expr: &Option<Expr>| match expr {
            Some(expr) => Ok::<_, crate::error::Error>(match self.value(expr, &Row::new())? {
                Value::BigInt(count) => Some(usize::try_from(count).unwrap()),
                _ => None,
            }),
            None => Ok(None),
        };
        let (most, offset) = (count(&limit.limit)?.unwrap_or(usize::MAX), count(&limit.offset)?.unwrap_or(0));
        let mut seen: Vec<(Vec<Value>, usize)> = Vec::new();
        let mut rows = Vec::new();
        for row in self.rows(&limit.input)? {
            let key: Vec<Value> = limit.partition.iter().map(|id| row[id].clone()).collect();
            let place = match seen.iter_mut().find(|(other, _)| *other == key) {
                Some((_, place)) => {
                    *place += 1;
                    *place
                }
                None => {
                    seen.push((key, 0));
                    0
                }
            };
            if place >= offset && place - offset < most {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn join(&self, join: &Join) -> Result<Vec<Row>> {
        let both = |left: &Row, right: &Row| -> Row {
            left.iter().chain(right).map(|(id, value)| (*id, value.clone())).collect()
        };
        let nulls =
            |plan: &LogicalPlan| -> Row { plan.columns().into_iter().map(|id| (id, Value::Null)).collect() };
        let lefts = self.rows(&join.left)?;
        let mut rows = Vec::new();
        let mut right_seen: Vec<bool> = Vec::new();
        for left in &lefts {
            let rights = self.with(left).rows(&join.right)?;
            right_seen.resize(rights.len(), false);
            let mut matches = Vec::new();
            for (index, right) in rights.iter().enumerate() {
                let pair = both(left, right);
                if self.all(&join.conditions, &pair)? == Some(true) {
                    right_seen[index] = true;
                    matches.push(pair);
                }
            }
            match &join.kind {
                JoinKind::Inner | JoinKind::Right => rows.extend(matches),
                JoinKind::Single if matches.len() > 1 => return Err(too_many_rows()),
                JoinKind::Left | JoinKind::Full | JoinKind::Single if matches.is_empty() => {
                    rows.push(both(left, &nulls(&join.right)));
                }
                JoinKind::Left | JoinKind::Full | JoinKind::Single => rows.extend(matches),
                JoinKind::Semi => rows.extend((!matches.is_empty()).then(|| left.clone())),
                JoinKind::Anti => rows.extend(matches.is_empty().then(|| left.clone())),
                JoinKind::Mark { column, test } => {
                    let mut mark = Value::Boolean(false);
                    for pair in &matches {
                        match self.all(test, pair)? {
                            Some(true) => {
                                mark = Value::Boolean(true);
                                break;
                            }
                            Some(false) => {}
                            None => mark = Value::Null,
                        }
                    }
                    let mut row = left.clone();
                    row.insert(*column, mark);
                    rows.push(row);
                }
            }
        }
        if matches!(join.kind, JoinKind::Right | JoinKind::Full) {
            let rights = self.rows(&join.right)?;
            right_seen.resize(rights.len(), false);
            let alone = rights.iter().zip(right_seen).filter(|(_, seen)| !seen);
            rows.extend(alone.map(|(right, _)| both(&nulls(&join.left), right)));
        }
        Ok(rows)
    }

    fn set_operation(&self, operation: &SetOperation) -> Result<Vec<Row>> {
        let mut inputs = Vec::new();
        for input in &operation.inputs {
            let key = |row: Row| -> Vec<Value> { input.columns.iter().map(|id| row[id].clone()).collect() };
            inputs.push(self.rows(&input.plan)?.into_iter().map(key).collect::<Vec<_>>());
        }
        let mut inputs = inputs.into_iter();
        let mut rows = inputs.next().unwrap();
        for mut other in inputs {
            match operation.operator {
                SetOperator::Union => rows.append(&mut other),
                SetOperator::Intersect => rows.retain(|row| take(&mut other, row, operation.all)),
                SetOperator::Except => rows.retain(|row| !take(&mut other, row, operation.all)),
            }
        }
        if !operation.all {
            let mut seen: Vec<Vec<Value>> = Vec::new();
            rows.retain(|row| {
                let is_new = !seen.contains(row);
                seen.push(row.clone());
                is_new
            });
        }
        Ok(rows.into_iter().map(|row| operation.columns.iter().copied().zip(row).collect()).collect())
    }
}

/// Whether a row is among others, where it counts once if `each` is asked for.
fn take(others: &mut Vec<Vec<Value>>, row: &Vec<Value>, each: bool) -> bool {
    match others.iter().position(|other| other == row) {
        Some(index) => {
            if each {
                others.swap_remove(index);
            }
            true
        }
        None => false,
    }
}

fn too_many_rows() -> crate::error::Error {
    BindingError::SubqueryRows.into()
}

/// Used where rows are compared as text.
pub(crate) fn shown(value: &Value, ty: &DataType) -> String {
    value.to_text(ty, &context(&[]).times).unwrap_or_else(|| "-".to_owned())
}
