//! The domain of a dependent join: the different values that its right side is asked for.
//!
//! It is computed from the left side, which then is needed twice and becomes a common table expression:
//!
//! ```text
//!   With domain
//!     L, its columns renamed, and what tells its rows apart
//!     Join
//!       CteScan of all columns, under their old names
//!       ...  Distinct (CteScan of the outer columns)  ...
//! ```
//!
//! Different is what the right side may tell apart. Where equal values have several forms, the *image* of a column, its
//! text, is beside it wherever it goes. A right side that is volatile has other rows for each row of the left side: then
//! the domain has them all, with something that no two of them share.

use super::pass;
use super::pieces::has_one_form;
use crate::error::Result;
use crate::expr::Expr;
use crate::plan::logical::{
    Column, ColumnId, Columns, Computed, CteId, CteScan, Distinct, Join, LogicalPlan, Project, With,
};
use crate::plan::rename_in_expr;
use crate::types::{CastContext, DataType};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The domain of one dependent join.
pub(super) struct Domain {
    left: Vec<ColumnId>,
    /// The columns of the join.
    output: Vec<ColumnId>,
    /// The images of outer columns.
    images: BTreeMap<ColumnId, ColumnId>,
    row: Option<ColumnId>,
    /// Images and the row's number, of the left side's columns.
    computed: Vec<Computed>,
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
    /// The domain of a join whose right side reads these columns; it costs nothing until it is read.
    pub(super) fn of(
        join: &Join,
        outer: &BTreeSet<ColumnId>,
        by_row: bool,
        columns: &mut Columns,
    ) -> Result<Self> {
        let (mut images, mut computed) = (BTreeMap::new(), Vec::new());
        let mut add = |expr: Expr, columns: &mut Columns| {
            let ty = expr.data_type();
            let name = "image".into();
            let id = columns.add(Column { name, relation: None, ty, declared: ty, origin: None });
            computed.push(Computed { id, expr });
            id
        };
        let row = if by_row { Some(add(Expr::call("gen_random_uuid", Vec::new())?, columns)) } else { None };
        for &id in outer.iter().filter(|_| row.is_none()) {
            if !has_one_form(&columns.get(id).ty) {
                let image = columns.read(id).cast(DataType::Text, CastContext::Explicit)?;
                images.insert(id, add(image, columns));
            }
        }
        Ok(Self { left: join.left.columns(), output: join.columns(), images, row, computed, used: None })
    }

    /// What no two rows of the left side share, if that matters.
    pub(super) fn row(&self) -> Option<ColumnId> {
        self.row
    }

    /// What has to be beside an outer column.
    pub(super) fn image(&self, of: ColumnId) -> Option<ColumnId> {
        self.images.get(&of).copied()
    }

    /// The different values of some columns, and what they are called there.
    pub(super) fn scan(
        &mut self,
        wanted: &[ColumnId],
        columns: &mut Columns,
    ) -> (LogicalPlan, Vec<(ColumnId, ColumnId)>) {
        let all = self.left.iter().copied().chain(self.computed.iter().map(|column| column.id));
        let used = self.used.get_or_insert_with(|| {
            let renamed = all.map(|id| (id, columns.add_copy(id))).collect();
            Used { cte: columns.add_cte(), renamed, definition: None }
        });
        let names: Vec<(ColumnId, ColumnId)> = wanted.iter().map(|&id| (id, columns.add_copy(id))).collect();
        let scanned = names.iter().filter_map(|(of, id)| Some((*used.renamed.get(of)?, *id)));
        let scan = CteScan { cte: used.cte, alias: NAME.into(), columns: scanned.collect() };
        let scan = LogicalPlan::CteScan(scan);
        if self.row.is_some_and(|row| wanted.contains(&row)) {
            return (scan, names);
        }
        (LogicalPlan::Distinct(Distinct { input: Box::new(scan), on: None }), names)
    }

    /// The left side of the join: itself if the domain is not read, else a scan of it.
    pub(super) fn left(&mut self, mut left: LogicalPlan, columns: &Columns) -> LogicalPlan {
        let Some(used) = &mut self.used else { return left };
        left.rename_columns(&used.renamed);
        if !self.computed.is_empty() {
            let mut made = pass(&left.columns(), columns);
            for Computed { id, expr } in &self.computed {
                let mut expr = expr.clone();
                rename_in_expr(&mut expr, &used.renamed);
                made.push(Computed { id: used.renamed[id], expr });
            }
            left = LogicalPlan::Project(Project { input: Box::new(left), columns: made });
        }
        let all = self.left.iter().copied().chain(self.computed.iter().map(|column| column.id));
        let scanned = all.filter_map(|id| Some((*used.renamed.get(&id)?, id))).collect();
        used.definition = Some(left);
        LogicalPlan::CteScan(CteScan { cte: used.cte, alias: NAME.into(), columns: scanned })
    }

    /// The plan with the domain's definition around it, if it is read.
    pub(super) fn finish(self, mut body: LogicalPlan, columns: &Columns) -> LogicalPlan {
        match self.used {
            Some(Used { cte, definition: Some(definition), .. }) => {
                if !self.computed.is_empty() {
                    let columns = pass(&self.output, columns);
                    body = LogicalPlan::Project(Project { input: Box::new(body), columns });
                }
                let name = Arc::from(NAME);
                LogicalPlan::With(Box::new(With { cte, name, definition, body }))
            }
            _ => body,
        }
    }
}
