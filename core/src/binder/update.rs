//! UPDATE.

use super::change::check_changeable;
use super::scope::{Clause, Level};
use super::statement::{BoundQuery, Command};
use super::{At as _, Binder};
use crate::error::Result;
use crate::parser::ast;
use crate::plan::logical::{LogicalPlan, Update};
use std::sync::Arc;

impl Binder<'_> {
    /// `UPDATE t SET .. FROM .. WHERE .. RETURNING ..`
    pub(super) fn bind_update(&mut self, update: &ast::Update) -> Result<BoundQuery> {
        let tables = self.bind_with(update.with.as_ref())?;
        self.levels.push(Level::new(Clause::FromFunction));
        let result = self.bind_update_level(update);
        self.levels.pop();
        let (plan, output) = result?;
        let plan = self.finish_with(tables, plan);
        Ok(self.bound_query(plan, &output, Command::Update))
    }

    fn bind_update_level(
        &mut self,
        update: &ast::Update,
    ) -> Result<(LogicalPlan, Vec<super::query::Output>)> {
        let table = Arc::clone(self.find_table(&update.table)?);
        check_changeable(&table).at(update.table.position())?;
        let alias: Arc<str> = update.alias.as_ref().map_or(table.name.as_str(), |alias| &alias.name).into();
        let (row_id, mut source) = self.bind_changed_table(&table, &alias, update.alias.is_some());
        for item in &update.from {
            source = self.bind_next(source, item)?;
        }
        let condition = self.bind_filter(update.filter.as_ref(), Clause::Where, "WHERE")?;
        let old = source.columns()[..table.columns.len()].to_vec();
        let output = self.stored_row(&table, &alias);
        // RETURNING sees the row as it will be.
        let new = self.row_entry(&table, Some(Arc::clone(&alias)), update.alias.is_some(), &output);
        let entry = std::mem::replace(&mut self.level().entries[0], new);
        let returning = self.bind_returning(&update.returning)?;
        self.level().entries[0] = entry;
        let assignments = self.bind_assignments(&update.assignments, &table)?;
        let attachments = std::mem::take(&mut self.level().attachments);
        source = self.add_filter(source, condition);
        source = attachments.into_iter().fold(source, |plan, subquery| subquery.attach(plan));
        let checks = self.bind_checks(&table, &output)?;
        let change = Update { table, source, row_id, old, assignments, output, checks };
        Ok(self.add_returning(LogicalPlan::Update(Box::new(change)), returning))
    }
}
