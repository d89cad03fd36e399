//! Logical plans as text, one node a line, for tests and for people who look at rewrites.
//!
//! ```text
//!   Sort [t.a DESC]
//!     Filter [(t.b > 1)]
//!       Scan t [a, b]
//! ```
//!
//! A column is named for its table and itself; where several have one name they are numbered from the second on.

use super::logical::{ColumnId, Columns, Computed, JoinKind, LogicalPlan, RowLock, SetOperator};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use std::collections::HashMap;
use std::fmt;

/// A plan to be printed.
pub struct PlanDisplay<'p> {
    plan: &'p LogicalPlan,
    names: Vec<String>,
}

impl LogicalPlan {
    /// The plan as text.
    pub fn display<'p>(&'p self, columns: &Columns) -> PlanDisplay<'p> {
        PlanDisplay { plan: self, names: names(columns) }
    }
}

/// A name for each column.
fn names(columns: &Columns) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let name = |column: &super::logical::Column| {
        let name = match &column.relation {
            Some(relation) => format!("{relation}.{}", column.name),
            None => column.name.to_string(),
        };
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}#{count}") }
    };
    columns.iter().map(name).collect()
}

impl fmt::Display for PlanDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node(f, self.plan, 0)
    }
}

impl PlanDisplay<'_> {
    fn name(&self, id: ColumnId) -> &str {
        self.names.get(id.index()).map_or("?", String::as_str)
    }

    fn expr(&self, expr: &Expr) -> String {
        expr.display(&|_, index| self.name(ColumnId::of_index(index)).to_owned()).to_string()
    }

    fn exprs<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> String {
        list(exprs.into_iter().map(|expr| self.expr(expr)))
    }

    fn ids<'e>(&self, ids: impl IntoIterator<Item = &'e ColumnId>) -> String {
        list(ids.into_iter().map(|id| self.name(*id).to_owned()))
    }

    fn computed(&self, columns: &[Computed]) -> String {
        list(columns.iter().map(|column| {
            let (name, expr) = (self.name(column.id), self.expr(&column.expr));
            if name == expr { expr } else { format!("{name} := {expr}") }
        }))
    }

    fn keys(&self, keys: &[SortKey]) -> String {
        list(keys.iter().map(|key| {
            let descending = if key.descending { " DESC" } else { "" };
            let nulls = match (key.descending, key.nulls_first) {
                (false, true) => " NULLS FIRST",
                (true, false) => " NULLS LAST",
                _ => "",
            };
            format!("{}{descending}{nulls}", self.expr(&key.expr))
        }))
    }

    fn aggregate(&self, call: &AggregateCall) -> String {
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let arguments = match call.arguments.is_empty() {
            true => "*".to_owned(),
            false => call.arguments.iter().map(|argument| self.expr(argument)).collect::<Vec<_>>().join(", "),
        };
        let mut text = format!("{}({distinct}{arguments}", call.function.name);
        if !call.order_by.is_empty() {
            text.push_str(&format!(" ORDER BY {}", self.keys(&call.order_by)));
        }
        text.push(')');
        if let Some(filter) = &call.filter {
            text.push_str(&format!(" FILTER {}", self.expr(filter)));
        }
        text
    }

    fn node(&self, f: &mut fmt::Formatter<'_>, plan: &LogicalPlan, depth: usize) -> fmt::Result {
        writeln!(f, "{:indent$}{}", "", self.line(plan), indent = depth * 2)?;
        plan.inputs().into_iter().try_for_each(|input| self.node(f, input, depth + 1))
    }

    fn line(&self, plan: &LogicalPlan) -> String {
        match plan {
            LogicalPlan::Scan(scan) => {
                let own = |id: ColumnId| {
                    let name = self.name(id);
                    name.strip_prefix(&format!("{}.", scan.alias)).unwrap_or(name).to_owned()
                };
                let columns = list(scan.columns.iter().map(|(_, id)| own(*id)).chain(scan.row_id.map(own)));
                if *scan.alias == *scan.table.name {
                    return format!("Scan {} {columns}", scan.alias);
                }
                format!("Scan {} AS {} {columns}", scan.table.name, scan.alias)
            }
            LogicalPlan::Values(values) if values.columns.is_empty() => format!("Rows {}", values.rows.len()),
            LogicalPlan::Values(values) => {
                let rows = values.rows.iter().map(|row| self.exprs(row)).collect::<Vec<_>>().join(" ");
                format!("Values {} {rows}", self.ids(&values.columns))
            }
            LogicalPlan::Series(series) => {
                let columns = self.ids([series.column].iter().chain(&series.ordinality));
                format!("Series {columns} {}", self.exprs([&series.start, &series.stop, &series.step]))
            }
            LogicalPlan::Input(input) => format!("Input {}", self.ids(&input.columns)),
            LogicalPlan::Filter(filter) => format!("Filter {}", self.exprs(&filter.conditions)),
            LogicalPlan::Project(project) => format!("Project {}", self.computed(&project.columns)),
            LogicalPlan::Aggregate(aggregate) => {
                let calls = aggregate.aggregates.iter().map(|of| {
                    let (name, call) = (self.name(of.id), self.aggregate(&of.call));
                    format!("{name} := {call}")
                });
                format!("Aggregate {} {}", self.computed(&aggregate.keys), list(calls))
            }
            LogicalPlan::Distinct(distinct) => match &distinct.on {
                None => "Distinct".to_owned(),
                Some(on) => format!("Distinct on {}", self.exprs(on)),
            },
            LogicalPlan::Sort(sort) => format!("Sort {}", self.keys(&sort.keys)),
            LogicalPlan::Limit(limit) => {
                let part = |name: &str, expr: &Option<Expr>| {
                    expr.as_ref().map_or_else(String::new, |expr| format!(" {name}{}", self.expr(expr)))
                };
                let ties = if limit.ties.is_some() { " with ties" } else { "" };
                let each = match limit.partition.is_empty() {
                    true => String::new(),
                    false => format!(" for each {}", self.ids(&limit.partition)),
                };
                format!("Limit{}{}{ties}{each}", part("", &limit.limit), part("offset ", &limit.offset))
            }
            LogicalPlan::Join(join) => {
                let dependent = if join.dependent { "dependent " } else { "" };
                let kind = match &join.kind {
                    JoinKind::Inner => "inner".to_owned(),
                    JoinKind::Left => "left".to_owned(),
                    JoinKind::Right => "right".to_owned(),
                    JoinKind::Full => "full".to_owned(),
                    JoinKind::Semi => "semi".to_owned(),
                    JoinKind::Anti => "anti".to_owned(),
                    JoinKind::Single => "single".to_owned(),
                    JoinKind::Mark { column, test } => {
                        format!("mark {} := any {}", self.name(*column), self.exprs(test))
                    }
                };
                format!("Join {dependent}{kind} {}", self.exprs(&join.conditions))
            }
            LogicalPlan::SetOperation(operation) => {
                let name = match operation.operator {
                    SetOperator::Union => "Union",
                    SetOperator::Intersect => "Intersect",
                    SetOperator::Except => "Except",
                };
                let all = if operation.all { " all" } else { "" };
                let inputs = operation.inputs.iter().map(|input| self.ids(&input.columns));
                format!(
                    "{name}{all} {} from {}",
                    self.ids(&operation.columns),
                    inputs.collect::<Vec<_>>().join(" ")
                )
            }
            LogicalPlan::With(with) => format!("With {}", with.name),
            LogicalPlan::CteScan(scan) => {
                let columns =
                    scan.columns.iter().map(|(of, id)| format!("{} := {}", self.name(*id), self.name(*of)));
                format!("CteScan {} {}", scan.alias, list(columns))
            }
            LogicalPlan::Lock(lock) => {
                let target = |target: &super::logical::LockTarget| {
                    let strength = match target.strength {
                        RowLock::Update => "update",
                        RowLock::NoKeyUpdate => "no key update",
                        RowLock::Share => "share",
                        RowLock::KeyShare => "key share",
                    };
                    format!("{} {strength}", self.name(target.row_id))
                };
                format!("Lock {}", list(lock.targets.iter().map(target)))
            }
            LogicalPlan::Insert(insert) => {
                let conflict = match insert.on_conflict.as_ref().map(|conflict| &conflict.update) {
                    None => String::new(),
                    Some(None) => " on conflict do nothing".to_owned(),
                    Some(Some(update)) => {
                        let assignments = self.assignments(&insert.table, &update.assignments);
                        let conditions = match update.conditions.is_empty() {
                            true => String::new(),
                            false => format!(" where {}", self.exprs(&update.conditions)),
                        };
                        format!(" on conflict update {assignments}{conditions}")
                    }
                };
                let checks = self.checks(&insert.checks);
                format!("Insert {} {}{checks}{conflict}", insert.table.name, self.ids(&insert.values))
            }
            LogicalPlan::Update(update) => {
                let checks = self.checks(&update.checks);
                let assignments = self.assignments(&update.table, &update.assignments);
                format!("Update {} {assignments}{checks}", update.table.name)
            }
            LogicalPlan::Delete(delete) => format!("Delete {}", delete.table.name),
        }
    }

    fn assignments(&self, table: &crate::catalog::TableEntry, assignments: &[(u16, Expr)]) -> String {
        let column = |number: u16| table.columns.get(usize::from(number)).map_or("?", |column| &column.name);
        list(assignments.iter().map(|(number, value)| format!("{} := {}", column(*number), self.expr(value))))
    }

    fn checks(&self, checks: &[super::logical::Check]) -> String {
        match checks.is_empty() {
            true => String::new(),
            false => format!(" check {}", self.exprs(checks.iter().map(|check| &check.condition))),
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
