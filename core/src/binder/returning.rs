//! RETURNING.

use super::Binder;
use super::query::Output;
use super::scope::{Attachment, Clause};
use crate::error::Result;
use crate::parser::ast::SelectItem;
use crate::plan::logical::LogicalPlan;
use std::sync::Arc;

use super::query::Item;

/// The columns of RETURNING and the subqueries they read.
#[derive(Default)]
pub(super) struct BoundReturning {
    items: Vec<Item>,
    attachments: Vec<Attachment>,
}

impl Binder<'_> {
    /// Binds RETURNING; the innermost level has the changed table as it will be.
    pub(super) fn bind_returning(&mut self, items: &[SelectItem]) -> Result<BoundReturning> {
        if items.is_empty() {
            return Ok(BoundReturning::default());
        }
        self.level().clause = Clause::Returning;
        let mut items = self.bind_targets(items)?;
        self.resolve_items(&mut items)?;
        Ok(BoundReturning { items, attachments: std::mem::take(&mut self.level().attachments) })
    }

    /// Adds RETURNING to a change of rows.
    pub(super) fn add_returning(
        &mut self,
        change: LogicalPlan,
        returning: BoundReturning,
    ) -> (LogicalPlan, Vec<Output>) {
        let plan = returning.attachments.into_iter().fold(change, |plan, subquery| subquery.attach(plan));
        if returning.items.is_empty() {
            return (plan, Vec::new());
        }
        let (plan, ids) = self.project(plan, &returning.items, false);
        let output = returning.items.iter().zip(ids);
        let output = output.map(|(item, id)| Output {
            name: Arc::clone(&item.name),
            id,
            nullable: item.expr.nullable(),
        });
        (plan, output.collect())
    }
}
