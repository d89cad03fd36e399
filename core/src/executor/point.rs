//! The short path of reads by key: one descent, one look at the row's versions, one row out; no operators.
//!
//! [`PointRead::of`] recognises in a physical plan what reads one row by the key that is its row id and passes columns
//! on. Running it gives what running the plan gives, in the same snapshot.

use crate::codec::row::{Cell, RowLayout};
use crate::error::Result;
use crate::expr::Expr;
use crate::ids::ObjectId;
use crate::plan::physical::{PhysicalNode, PhysicalPlan, TableScan};
use crate::table::{RowKey, Store, TableDef};
use crate::transaction::ReadView;
use crate::types::{Chunk, DataType, Value, Vector};

/// A read of one row by its key.
pub struct PointRead {
    storage: ObjectId,
    key: Key,
    /// Columns of the table, in the order of the result.
    columns: Box<[u16]>,
    types: Box<[DataType]>,
    layout: RowLayout,
}

enum Key {
    Parameter(usize),
    Constant(Option<i64>),
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::SmallInt(value) => Some((*value).into()),
        Value::Integer(value) => Some((*value).into()),
        Value::BigInt(value) => Some(*value),
        _ => None,
    }
}

/// The scan and the places of its columns in the result.
fn scan_of(plan: &PhysicalPlan) -> Option<(&TableScan, Vec<usize>)> {
    match &plan.node {
        PhysicalNode::TableScan(scan) => Some((scan, (0..scan.columns.len()).collect())),
        PhysicalNode::Project { input, exprs } => {
            let (scan, below) = scan_of(input)?;
            let place = |expr: &Expr| match expr {
                Expr::Column { index, .. } => below.get(*index).copied(),
                _ => None,
            };
            Some((scan, exprs.iter().map(place).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

impl PointRead {
    /// The read that a plan comes to, if it is one.
    pub fn of(plan: &PhysicalPlan, store: &Store) -> Option<Self> {
        let (scan, places) = scan_of(plan)?;
        let bounds = &scan.bounds;
        let only_key = bounds.equal.len() == 1 && bounds.lower.is_none() && bounds.upper.is_none();
        if !only_key || !scan.filters.is_empty() || !scan.runtime_filters.is_empty() || scan.row_ids {
            return None;
        }
        let table = store.table(scan.table.storage).ok()?;
        if table.def().row_key == RowKey::Hidden {
            return None;
        }
        let key = match &bounds.equal[0] {
            Expr::Parameter { number, .. } => Key::Parameter(usize::try_from(*number).ok()?.checked_sub(1)?),
            Expr::Constant { value, .. } => Key::Constant(integer(value)),
            _ => return None,
        };
        let columns: Box<[u16]> = places.iter().map(|&place| scan.columns[place]).collect();
        Some(Self {
            storage: scan.table.storage,
            key,
            layout: table.layout().project(&columns),
            columns,
            types: plan.types().into(),
        })
    }

    /// The row that `view` sees, as a chunk of one row.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn run(&self, store: &Store, view: &ReadView, parameters: &[Value]) -> Result<Option<Chunk>> {
        let key = match self.key {
            Key::Parameter(place) => parameters.get(place).and_then(integer),
            Key::Constant(key) => key,
        };
        let Some(key) = key else { return Ok(None) };
        let table = store.table(self.storage)?;
        let mut bytes = Vec::with_capacity(128);
        let row = TableDef::row_of_key(key);
        if !table.get(store, view, row, &self.columns, &self.layout, &mut bytes)? {
            return Ok(None);
        }
        let view = self.layout.view(&bytes)?;
        let mut chunk = Chunk::of_types(&self.types);
        for (place, column) in chunk.columns.iter_mut().enumerate() {
            if let (Vector::Flat(flat), Cell::Scalar(scalar)) = (column, view.cell(place)) {
                flat.push_scalar(scalar);
            }
        }
        chunk.len = 1;
        Ok(Some(chunk))
    }
}
