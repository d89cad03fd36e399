//! Columns of the right side that may take the place of outer ones, because a condition makes the two equal.

use super::pass;
use super::pieces::{Repr, interchangeable};
use super::push::Correlation;
use crate::expr::{CompareOp, Expr, Volatility};
use crate::plan::logical::{ColumnId, Computed, LogicalPlan, Project};
use std::collections::BTreeMap;

/// Columns that are equal to an outer column in every row that counts.
#[derive(Clone, Default, Debug)]
pub(super) struct Known(BTreeMap<ColumnId, Vec<ColumnId>>);

impl Known {
    pub(super) fn find(&self, outer: ColumnId, columns: &[ColumnId]) -> Option<ColumnId> {
        self.0.get(&outer)?.iter().copied().find(|id| columns.contains(id))
    }

    /// What is known of the columns that `below` gives for those above.
    pub(super) fn through(&self, below: impl Fn(ColumnId) -> Option<ColumnId>) -> Self {
        let map = |ids: &Vec<ColumnId>| ids.iter().filter_map(|id| below(*id)).collect();
        Self(self.0.iter().map(|(outer, ids)| (*outer, map(ids))).collect())
    }
}

impl Correlation<'_> {
    /// Takes note of `outer = column`.
    pub(super) fn learn(&self, conditions: &[Expr], known: &mut Known) {
        if !self.substitutes {
            return;
        }
        for (outer, value) in conditions.iter().filter_map(|condition| self.equality(condition)) {
            if let Expr::Column { index, .. } = value {
                known.0.entry(outer).or_default().push(ColumnId::of_index(*index));
            }
        }
    }

    /// `outer = value`, where the value reads no outer column and one may stand for the other.
    fn equality<'e>(&self, condition: &'e Expr) -> Option<(ColumnId, &'e Expr)> {
        let Expr::Compare { operator: CompareOp::Equal, left, right } = condition else { return None };
        [(left, right), (right, left)].into_iter().find_map(|(outer, value)| {
            let Expr::Column { index, ty, .. } = outer.as_ref() else { return None };
            let id = ColumnId::of_index(*index);
            let stands =
                interchangeable(ty, &value.data_type()) && value.volatility() != Volatility::Volatile;
            let is_inner = self.read_in([value.as_ref()]).is_empty() && !value.columns().is_empty();
            (self.outer.contains(&id) && is_inner && stands).then_some((id, value.as_ref()))
        })
    }

    /// Computes the value of `outer = value` where no column can stand for the outer one.
    pub(super) fn compute_equal(
        &mut self,
        input: LogicalPlan,
        conditions: &[Expr],
        repr: &Repr,
        known: &mut Known,
    ) -> LogicalPlan {
        let available = input.columns();
        let mut computed: Vec<Computed> = Vec::new();
        let equalities: Vec<_> = conditions.iter().filter_map(|condition| self.equality(condition)).collect();
        for (outer, value) in equalities {
            let has_one = repr.contains_key(&outer) || known.find(outer, &available).is_some();
            if self.substitutes && !has_one && !matches!(value, Expr::Column { .. }) {
                let id = self.columns.add_computed("key", value);
                known.0.entry(outer).or_default().push(id);
                computed.push(Computed { id, expr: value.clone() });
            }
        }
        if computed.is_empty() {
            return input;
        }
        let mut columns = pass(&available, self.columns);
        columns.extend(computed);
        LogicalPlan::Project(Project { input: Box::new(input), columns })
    }
}
