//! Statements that change or lock rows.

use super::{Builder, Built, place, place_all, position};
use crate::error::Result;
use crate::expr::Expr;
use crate::ids::ObjectId;
use crate::plan::logical::{Check, ColumnId, Delete, Insert, Lock, Update};
use crate::plan::physical::{self, PhysicalNode, TableName};
use std::sync::Arc;

pub(super) fn table_name(table: &crate::catalog::TableEntry, alias: &Arc<str>) -> TableName {
    TableName { storage: table.storage, name: table.name.as_str().into(), alias: Arc::clone(alias) }
}

fn own_name(table: &crate::catalog::TableEntry) -> TableName {
    table_name(table, &table.name.as_str().into())
}

/// An index as the writer of rows knows it: a primary key that is the row id is the table's own storage.
fn arbiter(table: &crate::catalog::TableEntry, index: ObjectId) -> ObjectId {
    if super::scan::trees(table).any(|tree| tree.oid == index) { index } else { table.storage }
}

fn checks(checks: &[Check], row: &[ColumnId]) -> Vec<Check> {
    let check = |check: &Check| Check { name: check.name.clone(), condition: place(&check.condition, row) };
    checks.iter().map(check).collect()
}

impl Builder<'_> {
    pub(super) fn insert(&mut self, node: &Insert, returning: bool) -> Result<Built> {
        let source = self.build(&node.source)?;
        let values = node.values.iter().map(|&id| position(&source.ids, id)).collect();
        let on_conflict = node.on_conflict.as_ref().map(|conflict| physical::OnConflict {
            arbiters: conflict.arbiters.iter().map(|&index| arbiter(&node.table, index)).collect(),
            update: conflict.update.as_ref().map(|update| {
                let row: Vec<ColumnId> = update.existing.iter().chain(&source.ids).copied().collect();
                let assign = |(column, value): &(u16, Expr)| (*column, place(value, &row));
                physical::ConflictUpdate {
                    assignments: update.assignments.iter().map(assign).collect(),
                    conditions: place_all(&update.conditions, &row),
                }
            }),
        });
        let rows = source.plan.rows;
        let insert = physical::Insert {
            table: own_name(&node.table),
            source: source.plan,
            values,
            checks: checks(&node.checks, &node.output),
            on_conflict,
            returning,
        };
        Ok(self.built(PhysicalNode::Insert(Box::new(insert)), node.output.clone(), rows))
    }

    pub(super) fn update(&mut self, node: &Update, returning: bool) -> Result<Built> {
        let source = self.build(&node.source)?;
        let rows = source.plan.rows;
        let assign = |(column, value): &(u16, Expr)| (*column, place(value, &source.ids));
        let update = physical::Update {
            table: own_name(&node.table),
            row_id: position(&source.ids, node.row_id),
            old: node.old.iter().map(|&id| position(&source.ids, id)).collect(),
            assignments: node.assignments.iter().map(assign).collect(),
            checks: checks(&node.checks, &node.output),
            returning,
            source: source.plan,
        };
        let ids = node.output.iter().chain(&source.ids).copied().collect();
        Ok(self.built(PhysicalNode::Update(Box::new(update)), ids, rows))
    }

    pub(super) fn delete(&mut self, node: &Delete, returning: bool) -> Result<Built> {
        let source = self.build(&node.source)?;
        let rows = source.plan.rows;
        let delete = physical::Delete {
            table: own_name(&node.table),
            row_id: position(&source.ids, node.row_id),
            returning,
            source: source.plan,
        };
        Ok(self.built(PhysicalNode::Delete(Box::new(delete)), source.ids, rows))
    }

    /// Locks no more rows than `limit`.
    pub(super) fn lock(&mut self, node: &Lock, limit: Option<Expr>) -> Result<Built> {
        let input = self.build(&node.input)?;
        let rows = input.plan.rows;
        let targets = node.targets.iter().map(|target| physical::LockTarget {
            table: own_name(&target.table),
            row_id: position(&input.ids, target.row_id),
            strength: target.strength,
            wait: target.wait,
        });
        let lock = PhysicalNode::Lock { targets: targets.collect(), input: Box::new(input.plan), limit };
        Ok(self.built(lock, input.ids, rows))
    }
}
