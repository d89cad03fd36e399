//! The domain of a dependent join: the different values that its right side is asked for.
//!
//! It is computed from the left side, which then is needed twice and becomes a common table expression:
//!
//! ```text
//!   With domain
//!     L, its columns renamed
//!     Join
//!       CteScan of all columns, under their old names
//!       ...  Distinct (CteScan of the outer columns)  ...
//! ```

use crate::plan::logical::{ColumnId, Columns, CteId, CteScan, Distinct, LogicalPlan, With};
use std::collections::HashMap;
use std::sync::Arc;

/// The domain of one dependent join.
pub(super) struct Domain {
    left: Vec<ColumnId>,
    used: Option<Used>,
}

struct Used {
    cte: CteId,
    /// What the left side's columns are called in the definition.
    renamed: HashMap<ColumnId, ColumnId>,
    definition: Option<LogicalPlan>,
}

const NAME: &str = "domain";

impl Domain {
    /// The domain of a join with this left side; it costs nothing until it is read.
    pub(super) fn of(left: &LogicalPlan) -> Self {
        Self { left: left.columns(), used: None }
    }

    /// The different values of some columns, and what they are called there.
    pub(super) fn scan(
        &mut self,
        wanted: &[ColumnId],
        columns: &mut Columns,
    ) -> (LogicalPlan, Vec<(ColumnId, ColumnId)>) {
        let left = &self.left;
        let used = self.used.get_or_insert_with(|| {
            let renamed = left.iter().map(|&id| (id, columns.add_copy(id))).collect();
            Used { cte: columns.add_cte(), renamed, definition: None }
        });
        let names: Vec<(ColumnId, ColumnId)> = wanted.iter().map(|&id| (id, columns.add_copy(id))).collect();
        let scanned = names.iter().filter_map(|(of, id)| Some((*used.renamed.get(of)?, *id)));
        let scan = CteScan { cte: used.cte, alias: NAME.into(), columns: scanned.collect() };
        let input = Box::new(LogicalPlan::CteScan(scan));
        (LogicalPlan::Distinct(Distinct { input, on: None }), names)
    }

    /// The left side of the join: itself if the domain is not read, else a scan of it.
    pub(super) fn left(&mut self, mut left: LogicalPlan) -> LogicalPlan {
        let Some(used) = &mut self.used else { return left };
        left.rename_columns(&used.renamed);
        let columns = self.left.iter().filter_map(|id| Some((*used.renamed.get(id)?, *id))).collect();
        used.definition = Some(left);
        LogicalPlan::CteScan(CteScan { cte: used.cte, alias: NAME.into(), columns })
    }

    /// The plan with the domain's definition around it, if it is read.
    pub(super) fn finish(self, body: LogicalPlan) -> LogicalPlan {
        match self.used {
            Some(Used { cte, definition: Some(definition), .. }) => {
                let name = Arc::from(NAME);
                LogicalPlan::With(Box::new(With { cte, name, definition, body }))
            }
            _ => body,
        }
    }
}
