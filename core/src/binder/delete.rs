//! DELETE.

use super::change::check_changeable;
use super::query::Output;
use super::scope::{Clause, Level};
use super::statement::{BoundQuery, Command};
use super::{At as _, Binder};
use crate::catalog::TableEntry;
use crate::error::Result;
use crate::parser::ast;
use crate::plan::logical::{ColumnId, Delete, LogicalPlan};
use std::sync::Arc;

impl Binder<'_> {
    /// `DELETE FROM t USING .. WHERE .. RETURNING ..`
    pub(super) fn bind_delete(&mut self, delete: &ast::Delete) -> Result<BoundQuery> {
        let tables = self.bind_with(delete.with.as_ref())?;
        self.levels.push(Level::new(Clause::FromFunction));
        let result = self.bind_delete_level(delete);
        self.levels.pop();
        let (plan, output) = result?;
        let plan = self.finish_with(tables, plan);
        Ok(self.bound_query(plan, &output, Command::Delete))
    }

    fn bind_delete_level(&mut self, delete: &ast::Delete) -> Result<(LogicalPlan, Vec<Output>)> {
        let table = Arc::clone(self.find_table(&delete.table)?);
        check_changeable(&table).at(delete.table.position())?;
        let alias: Arc<str> = delete.alias.as_ref().map_or(table.name.as_str(), |alias| &alias.name).into();
        let (row_id, mut source) = self.bind_changed_table(&table, &alias, delete.alias.is_some());
        for item in &delete.using {
            source = self.bind_next(source, item)?;
        }
        let returning = self.bind_returning(&delete.returning)?;
        let condition = self.bind_filter(delete.filter.as_ref(), Clause::Where, "WHERE")?;
        let source = self.add_filter(source, condition);
        let change = Delete { table, source, row_id };
        Ok(self.add_returning(LogicalPlan::Delete(Box::new(change)), returning))
    }

    /// The scan of the table that a statement changes, with row ids; it is the first entry of its level.
    pub(super) fn bind_changed_table(
        &mut self,
        table: &Arc<TableEntry>,
        alias: &Arc<str>,
        renamed: bool,
    ) -> (ColumnId, LogicalPlan) {
        self.level().row_ids = true;
        let (plan, mut entry) = self.scan(table, Arc::clone(alias));
        self.level().row_ids = false;
        entry.renamed = renamed;
        let row_id = entry.row_id.expect("the scan was asked for row ids");
        self.level().entries.push(entry);
        (row_id, plan)
    }
}
