//! What UPDATE and `DO UPDATE` set in a row that is there.

use super::target::encode_row;
use crate::codec::row::RowLayout;
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::eval::Evaluator;
use crate::table::{RowKey, Table};
use crate::types::Vector;

/// The assignments of a statement.
pub(super) struct Assignments {
    /// New values, in the order of `columns`.
    pub(super) values: Evaluator,
    /// Ascending.
    columns: Vec<u16>,
    /// The place among `columns` of the row id.
    key: Option<usize>,
    /// The places of the others: the id itself is never among the values that a row keeps its place with.
    kept: Vec<usize>,
    kept_columns: Vec<u16>,
    layout: RowLayout,
}

impl Assignments {
    /// Columns of the table and their new values over the source.
    ///
    /// # Errors
    /// What compiling the values finds.
    pub(super) fn new(table: &Table, assignments: &[(u16, Expr)]) -> Result<Self> {
        let mut assignments = assignments.to_vec();
        assignments.sort_by_key(|(column, _)| *column);
        let (columns, values): (Vec<u16>, Vec<_>) = assignments.into_iter().unzip();
        let key = match table.def().row_key {
            RowKey::Hidden => None,
            RowKey::Column(column) => columns.iter().position(|&assigned| assigned == column),
        };
        let kept: Vec<usize> = (0..columns.len()).filter(|&at| Some(at) != key).collect();
        let kept_columns: Vec<u16> = kept.iter().map(|&at| columns[at]).collect();
        let layout = table.layout().project(&kept_columns);
        Ok(Self { values: Evaluator::new(&values)?, columns, key, kept, kept_columns, layout })
    }

    /// The table's columns with new values in the place of the old ones.
    pub(super) fn apply(&self, old: &[Vector], new: &[Vector]) -> Vec<Vector> {
        let mut columns = old.to_vec();
        for (&column, vector) in self.columns.iter().zip(new) {
            columns[usize::from(column)] = vector.clone();
        }
        columns
    }

    /// Whether the row gets another id, so that it has to be deleted and inserted.
    pub(super) fn moves(&self, old: &[Vector], new: &[Vector], row: usize) -> bool {
        self.key.is_some_and(|at| old[usize::from(self.columns[at])].scalar(row) != new[at].scalar(row))
    }

    /// The columns that a row which keeps its place is written in.
    pub(super) fn kept_columns(&self) -> &[u16] {
        &self.kept_columns
    }

    /// Their new values in the form of storage, appended to `out`.
    ///
    /// # Errors
    /// 54000 when its strings are too long together.
    pub(super) fn encode_kept(&self, new: &[Vector], row: usize, out: &mut Vec<u8>) -> Result<()> {
        encode_row(&self.layout, |number| &new[self.kept[number]], row, out)
    }
}
