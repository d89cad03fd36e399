//! Physical plans as EXPLAIN prints them: PostgreSQL's names, indentation and order of details.

use super::{Bounds, JoinType, PhysicalNode, PhysicalPlan, TableName};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::plan::logical::LockWait;
use crate::stack;
use std::fmt::Write;

/// Adds to the line of the node with a number, and adds lines below it.
pub type Note<'a> = &'a dyn Fn(usize) -> (String, Vec<String>);

impl PhysicalPlan {
    /// The plan as text: a line a node, details below it, inputs indented. `note` tells what was measured.
    pub fn explain(&self, note: Note<'_>) -> String {
        let mut printer = Printer { out: String::new(), next: 0, note };
        stack::with_room(self.size(), || printer.node(self, 0));
        printer.out
    }

    /// The names of its columns as its own expressions see those of its inputs, one after the other.
    fn input_names(&self) -> Vec<String> {
        match &self.node {
            PhysicalNode::TableScan(_) | PhysicalNode::IndexScan(_) | PhysicalNode::VirtualScan(_) => {
                names(&self.columns)
            }
            PhysicalNode::IndexJoin(join) => {
                let mut all = names(&join.left.columns);
                all.extend(self.columns.iter().skip(all.len()).map(|column| column.name.to_string()));
                all
            }
            _ => self.inputs().iter().flat_map(|input| names(&input.columns)).collect(),
        }
    }
}

fn names(columns: &[super::OutputColumn]) -> Vec<String> {
    columns.iter().map(|column| column.name.to_string()).collect()
}

struct Printer<'a> {
    out: String,
    next: usize,
    note: Note<'a>,
}

impl Printer<'_> {
    fn node(&mut self, plan: &PhysicalPlan, depth: usize) {
        let number = self.next;
        self.next += 1;
        let (measured, below) = (self.note)(number);
        let arrow = if depth == 0 { String::new() } else { format!("{}->  ", " ".repeat(6 * depth - 4)) };
        // Infallible: the target is a string.
        let _ =
            writeln!(self.out, "{arrow}{}  (rows={:.0}){measured}", title(plan), plan.rows.max(0.0).ceil());
        for line in details(plan).into_iter().chain(below) {
            let _ = writeln!(self.out, "{}{line}", " ".repeat(6 * depth + 2));
        }
        for input in plan.inputs() {
            self.node(input, depth + 1);
        }
    }
}

fn relation(table: &TableName) -> String {
    if table.name == table.alias { table.name.to_string() } else { format!("{} {}", table.name, table.alias) }
}

fn title(plan: &PhysicalPlan) -> String {
    match &plan.node {
        PhysicalNode::Values(rows) if rows.len() == 1 => "Result".to_owned(),
        PhysicalNode::Values(_) => "Values Scan".to_owned(),
        PhysicalNode::Input => "Copy Input".to_owned(),
        PhysicalNode::Series(_) => "Function Scan on generate_series".to_owned(),
        PhysicalNode::TableScan(scan) => format!("Seq Scan on {}", relation(&scan.table)),
        PhysicalNode::IndexScan(scan) => {
            let way = if scan.backward { " Backward" } else { "" };
            format!("Index Scan{way} using {} on {}", scan.index_name, relation(&scan.table))
        }
        PhysicalNode::VirtualScan(scan) => format!("Virtual Scan on {}", relation(&scan.table)),
        PhysicalNode::Filter { .. } => "Filter".to_owned(),
        PhysicalNode::Project { .. } => "Projection".to_owned(),
        PhysicalNode::Aggregate { keys, .. } if keys.is_empty() => "Aggregate".to_owned(),
        PhysicalNode::Aggregate { .. } => "HashAggregate".to_owned(),
        PhysicalNode::DistinctOn { .. } => "Unique".to_owned(),
        PhysicalNode::Sort { .. } => "Sort".to_owned(),
        PhysicalNode::TopK { .. } => "Top-N Sort".to_owned(),
        PhysicalNode::Limit { .. } => "Limit".to_owned(),
        PhysicalNode::HashJoin(join) => format!("Hash {}", join_name(&join.kind)),
        PhysicalNode::NestedLoopJoin(join) => match join.kind {
            JoinType::Inner => "Nested Loop".to_owned(),
            _ => format!("Nested Loop {}", join_name(&join.kind)),
        },
        PhysicalNode::IndexJoin(join) => {
            let index = join.index.as_ref().map_or("row ids", |(_, name)| &**name);
            format!("Index {} using {index} on {}", join_name(&join.kind), relation(&join.table))
        }
        PhysicalNode::Append(_) => "Append".to_owned(),
        PhysicalNode::SetOperation(operation) => {
            let name = if operation.intersect { "Intersect" } else { "Except" };
            format!("HashSetOp {name}{}", if operation.all { " All" } else { "" })
        }
        PhysicalNode::With { name, .. } => format!("With {name}"),
        PhysicalNode::CteScan { alias, .. } => format!("CTE Scan on {alias}"),
        PhysicalNode::Lock { .. } => "LockRows".to_owned(),
        PhysicalNode::Insert(insert) => format!("Insert on {}", relation(&insert.table)),
        PhysicalNode::Update(update) => format!("Update on {}", relation(&update.table)),
        PhysicalNode::Delete(delete) => format!("Delete on {}", relation(&delete.table)),
    }
}

fn join_name(kind: &JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "Join",
        JoinType::Left => "Left Join",
        JoinType::Right => "Right Join",
        JoinType::Full => "Full Join",
        JoinType::Semi => "Semi Join",
        JoinType::Anti => "Anti Join",
        JoinType::RightSemi => "Right Semi Join",
        JoinType::RightAnti => "Right Anti Join",
        JoinType::Single => "Single Join",
        JoinType::Mark(_) => "Mark Join",
    }
}

fn details(plan: &PhysicalPlan) -> Vec<String> {
    let columns = plan.input_names();
    let own = names(&plan.columns);
    let named = Named(&columns);
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    };
    match &plan.node {
        PhysicalNode::Values(_)
        | PhysicalNode::Input
        | PhysicalNode::Append(_)
        | PhysicalNode::SetOperation(_)
        | PhysicalNode::With { .. }
        | PhysicalNode::CteScan { .. }
        | PhysicalNode::Update(_)
        | PhysicalNode::Delete(_) => {}
        PhysicalNode::Series(series) => {
            line("Function Call", named.list([&series.start, &series.stop, &series.step]));
        }
        PhysicalNode::TableScan(scan) => {
            line("Key Cond", named.bounds(&scan.bounds));
            line("Filter", named.all(&scan.filters));
            let runtime = scan.runtime_filters.iter().map(|(_, column)| own[*column].as_str());
            line("Runtime Filter", runtime.collect::<Vec<_>>().join(", "));
        }
        PhysicalNode::IndexScan(scan) => {
            line("Index Cond", named.bounds(&scan.bounds));
            line("Filter", named.all(&scan.filters));
        }
        PhysicalNode::VirtualScan(scan) => line("Filter", named.all(&scan.filters)),
        PhysicalNode::Filter { conditions, .. } => line("Filter", named.all(conditions)),
        PhysicalNode::Project { exprs, .. } => line("Output", named.list(exprs)),
        PhysicalNode::Aggregate { keys, aggregates, .. } => {
            line("Group Key", named.list(keys));
            let calls = aggregates.iter().map(|call| named.aggregate(call)).collect::<Vec<_>>();
            line("Aggregates", calls.join(", "));
        }
        PhysicalNode::DistinctOn { keys, .. } => line("Key", named.list(keys)),
        PhysicalNode::Sort { keys, .. } => line("Sort Key", named.sort_keys(keys)),
        PhysicalNode::TopK { keys, limit, offset, .. } => {
            line("Sort Key", named.sort_keys(keys));
            line("Limit", named.list(std::iter::once(limit)));
            line("Offset", named.list(offset));
        }
        PhysicalNode::Limit { limit, offset, .. } => {
            line("Limit", named.list(limit));
            line("Offset", named.list(offset));
        }
        PhysicalNode::HashJoin(join) => {
            let (left, right) = (names(&join.left.columns), names(&join.right.columns));
            let keys = join.keys.iter().map(|key| {
                let operator = if key.nulls_equal { "IS NOT DISTINCT FROM" } else { "=" };
                format!("({} {operator} {})", Named(&left).one(&key.left), Named(&right).one(&key.right))
            });
            line("Hash Cond", keys.collect::<Vec<_>>().join(" AND "));
            line("Join Filter", named.all(&join.conditions));
        }
        PhysicalNode::NestedLoopJoin(join) => line("Join Filter", named.all(&join.conditions)),
        PhysicalNode::IndexJoin(join) => {
            line("Index Key", named.list(&join.keys));
            line("Join Filter", named.all(&join.conditions));
        }
        PhysicalNode::Lock { targets, .. } => {
            let target = |target: &super::LockTarget| {
                let wait = match target.wait {
                    LockWait::Block => "",
                    LockWait::SkipLocked => " SKIP LOCKED",
                    LockWait::NoWait => " NOWAIT",
                };
                format!("{}{wait}", target.table.alias)
            };
            line("Rows of", targets.iter().map(target).collect::<Vec<_>>().join(", "));
        }
        PhysicalNode::Insert(insert) => {
            if let Some(conflict) = &insert.on_conflict {
                let what = if conflict.update.is_some() { "UPDATE" } else { "NOTHING" };
                line("Conflict Resolution", what.to_owned());
            }
        }
    }
    lines
}

/// Prints expressions over columns with these names.
struct Named<'a>(&'a [String]);

impl Named<'_> {
    fn one(&self, expr: &Expr) -> String {
        let name = |_: usize, index: usize| self.0.get(index).cloned().unwrap_or_else(|| format!("#{index}"));
        expr.display(&name).to_string()
    }

    fn list<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> String {
        exprs.into_iter().map(|expr| self.one(expr)).collect::<Vec<_>>().join(", ")
    }

    /// Terms that must all be true.
    fn all(&self, terms: &[Expr]) -> String {
        match terms {
            [one] => self.one(one),
            _ => terms.iter().map(|term| self.one(term)).collect::<Vec<_>>().join(" AND "),
        }
    }

    fn sort_keys(&self, keys: &[SortKey]) -> String {
        let key = |key: &SortKey| {
            let direction = if key.descending { " DESC" } else { "" };
            let nulls = match (key.descending, key.nulls_first) {
                (false, true) => " NULLS FIRST",
                (true, false) => " NULLS LAST",
                (false, false) | (true, true) => "",
            };
            format!("{}{direction}{nulls}", self.one(&key.expr))
        };
        keys.iter().map(key).collect::<Vec<_>>().join(", ")
    }

    fn bounds(&self, bounds: &Bounds) -> String {
        let mut terms: Vec<String> =
            bounds.equal.iter().map(|expr| format!("= {}", self.one(expr))).collect();
        for (bound, strict, loose) in [(&bounds.lower, ">", ">="), (&bounds.upper, "<", "<=")] {
            if let Some(bound) = bound {
                let operator = if bound.inclusive { loose } else { strict };
                terms.push(format!("{operator} {}", self.one(&bound.value)));
            }
        }
        terms.join(", ")
    }

    fn aggregate(&self, call: &AggregateCall) -> String {
        let mut arguments =
            if call.arguments.is_empty() { "*".to_owned() } else { self.list(&call.arguments) };
        if call.distinct {
            arguments.insert_str(0, "DISTINCT ");
        }
        if !call.order_by.is_empty() {
            arguments.push_str(" ORDER BY ");
            arguments.push_str(&self.sort_keys(&call.order_by));
        }
        let filter = call.filter.as_ref().map(|filter| format!(" FILTER (WHERE {})", self.one(filter)));
        format!("{}({arguments}){}", call.function.name, filter.unwrap_or_default())
    }
}
