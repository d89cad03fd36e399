//! WITH: common table expressions, bound once where they stand.
//!
//! Every reference reads the definition through a [`CteScan`]. When the query that has the WITH is complete, a
//! definition that is read once takes the place of its scan, one that is read more often becomes a [`With`] around
//! the query, and one that is not read is dropped, as PostgreSQL does. MATERIALIZED and NOT MATERIALIZED ask for one
//! or the other; a definition that may return something else each time is never copied.

use super::query::{Output, Rows};
use super::scope::ScopeColumn;
use super::{At as _, Binder, not_supported};
use crate::error::{BindingError, Error, Result};
use crate::expr::Volatility;
use crate::parser::ast::{self, Alias, Ident, Position};
use crate::plan::logical::{ColumnId, Columns, Computed, CteId, CteScan, LogicalPlan, Project, With};
use std::sync::Arc;

/// A common table expression that can be referred to.
#[derive(Debug)]
pub(super) struct CommonTableEntry {
    name: Arc<str>,
    id: CteId,
    output: Vec<Output>,
    /// The definition until the query with the WITH is complete; none while it is being bound itself.
    plan: Option<LogicalPlan>,
    materialized: Option<bool>,
}

impl Binder<'_> {
    /// Makes the tables of WITH known; gives where they start, for [`finish_with`](Self::finish_with).
    pub(super) fn bind_with(&mut self, with: Option<&ast::With>) -> Result<usize> {
        let start = self.ctes.len();
        let Some(with) = with else { return Ok(start) };
        let later = self.later_tables.len();
        for (index, table) in with.tables.iter().enumerate() {
            self.later_tables.truncate(later);
            self.later_tables.extend(with.tables[index..].iter().map(|table| table.name.name.clone()));
            let name = &table.name;
            self.count_node().at(name.position)?;
            if self.ctes[start..].iter().any(|other| *other.name == *name.name) {
                let error = BindingError::DuplicateCte { name: name.name.clone() };
                return Err(Error::from(error).at(name.position));
            }
            if with.recursive {
                // The table itself and those that follow are known, but not yet readable.
                self.push_cte(table, Vec::new(), None);
            }
            let bound = self.bind_query(&table.query);
            if with.recursive {
                self.ctes.pop();
            }
            let mut rows = bound?;
            rename(&mut rows.output, name, &table.columns)?;
            let Rows { plan, output } = rows;
            self.push_cte(table, output, Some(plan));
        }
        self.later_tables.truncate(later);
        Ok(start)
    }

    fn push_cte(&mut self, table: &ast::CommonTable, output: Vec<Output>, plan: Option<LogicalPlan>) {
        let id = self.columns.add_cte();
        let name = table.name.name.as_str().into();
        let materialized = table.materialized;
        self.ctes.push(CommonTableEntry { name, id, output, plan, materialized });
    }

    /// The table of WITH that a plain name means.
    pub(super) fn find_cte(&self, name: &str) -> Option<usize> {
        self.ctes.iter().rposition(|table| *table.name == *name)
    }

    /// A reading of a table of WITH.
    pub(super) fn bind_cte_scan(
        &mut self,
        index: usize,
        alias: Option<&Alias>,
        position: Position,
    ) -> Result<LogicalPlan> {
        let table = &self.ctes[index];
        if table.plan.is_none() {
            return Err(not_supported("WITH RECURSIVE with a table that reads itself").at(position));
        }
        let (cte, name) = (table.id, Arc::clone(&table.name));
        let output = table.output.clone();
        let shown: Arc<str> =
            alias.map_or_else(|| Arc::clone(&name), |alias| alias.name.name.as_str().into());
        let mut columns: Vec<(ColumnId, ColumnId)> = Vec::with_capacity(output.len());
        let mut scope = Vec::with_capacity(output.len());
        for column in &output {
            let known = columns.iter().find(|(of, _)| *of == column.id).map(|(_, id)| *id);
            let id = known.unwrap_or_else(|| {
                let mut copy = self.columns.get(column.id).clone();
                copy.name = Arc::clone(&column.name);
                copy.relation = Some(Arc::clone(&shown));
                let id = self.columns.add(copy);
                columns.push((column.id, id));
                id
            });
            let expr = self.columns.read_as(id, column.nullable);
            let declared = self.columns.get(id).declared;
            scope.push(ScopeColumn { name: Arc::clone(&column.name), expr, declared });
        }
        let own = || Alias { name: Ident { name: name.to_string(), position }, columns: Vec::new() };
        let given = alias.cloned().unwrap_or_else(own);
        self.add_entry(&given, scope)?;
        Ok(LogicalPlan::CteScan(CteScan { cte, alias: shown, columns }))
    }

    /// The complete plan of a query with the tables of its WITH, which are forgotten.
    pub(super) fn finish_with(&mut self, start: usize, mut plan: LogicalPlan) -> LogicalPlan {
        // From the last, for a table may read those before it, never one that follows.
        for table in self.ctes.drain(start..).rev() {
            let Some(definition) = table.plan else { continue };
            let references = count_scans(&plan, table.id);
            let copy = table.materialized != Some(true) && references == 1 && !is_volatile(&definition);
            if copy {
                let mut definition = Some(definition);
                inline(&mut plan, table.id, &mut definition, &self.columns);
            } else if references > 0 {
                let (cte, name) = (table.id, table.name);
                plan = LogicalPlan::With(Box::new(With { cte, name, definition, body: plan }));
            }
        }
        plan
    }
}

fn count_scans(plan: &LogicalPlan, cte: CteId) -> usize {
    match plan {
        LogicalPlan::CteScan(scan) => usize::from(scan.cte == cte),
        other => other.inputs().into_iter().map(|input| count_scans(input, cte)).sum(),
    }
}

fn is_volatile(plan: &LogicalPlan) -> bool {
    let mut volatile = false;
    plan.for_each_expr(&mut |expr| volatile |= expr.volatility() == Volatility::Volatile);
    volatile || plan.inputs().into_iter().any(is_volatile)
}

/// Puts the definition in the place of its only scan.
fn inline(plan: &mut LogicalPlan, cte: CteId, definition: &mut Option<LogicalPlan>, columns: &Columns) {
    if let LogicalPlan::CteScan(scan) = plan {
        if scan.cte == cte
            && let Some(definition) = definition.take()
        {
            let computed = scan.columns.iter().map(|&(of, id)| Computed { id, expr: columns.read(of) });
            let columns = computed.collect();
            *plan = LogicalPlan::Project(Project { input: Box::new(definition), columns });
        }
        return;
    }
    for input in plan.inputs_mut() {
        inline(input, cte, definition, columns);
    }
}

/// Gives the columns of a definition the names in `WITH name (columns)`.
fn rename(output: &mut [Output], table: &Ident, columns: &[Ident]) -> Result<()> {
    if columns.len() > output.len() {
        let (available, given) = (output.len(), columns.len());
        let table_name = table.name.clone();
        let error = BindingError::TooManyCteColumns { table: table_name, available, given };
        return Err(Error::from(error).at(table.position));
    }
    for (column, name) in output.iter_mut().zip(columns) {
        column.name = name.name.as_str().into();
    }
    Ok(())
}
