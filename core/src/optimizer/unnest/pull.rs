//! Dependent joins whose right side reads the left one in conditions above inner joins only: the conditions become the
//! join's.

use super::{Rows, integer, pieces, rows_of};
use crate::expr::Expr;
use crate::plan::logical::{ColumnId, Computed, Join, JoinKind, LogicalPlan};
use std::collections::{BTreeSet, HashMap};

/// The join that does not depend any more, or the join as it was. What is volatile on the right side stays where it is:
/// it is computed for the rows of one left row, not for those of all.
pub(super) fn pull(join: Join) -> Result<Join, Box<Join>> {
    if pieces::is_volatile(&join.right) {
        return Err(Box::new(join));
    }
    let test: &[Expr] = match &join.kind {
        JoinKind::Mark { test, .. } => test,
        _ => &[],
    };
    let mut attempt = Pull {
        left: join.left.columns().into_iter().collect(),
        reads_right: !test.is_empty() || !join.conditions.is_empty(),
        conditions: Vec::new(),
        computed: HashMap::new(),
    };
    let mut right = join.right.clone();
    // A semi join sees only whether there is a row.
    if matches!(join.kind, JoinKind::Semi | JoinKind::Anti | JoinKind::Mark { .. }) {
        attempt.strip(&mut right);
    }
    // What is computed from the conditions' rows must not be computed for others where it may fail.
    let computed = if attempt.reads_right { &join.right } else { &right };
    if pieces::often_fails(computed) {
        return Err(Box::new(join));
    }
    attempt.take(&mut right);
    if right.outer_columns().iter().any(|id| attempt.left.contains(id)) {
        return Err(Box::new(join));
    }
    let Join { mut kind, left, mut conditions, .. } = join;
    if let JoinKind::Mark { test, .. } = &mut kind {
        test.iter_mut().for_each(|term| substitute(term, &attempt.computed));
    }
    conditions.iter_mut().for_each(|condition| substitute(condition, &attempt.computed));
    // Those of the right side first: the others are asked of the rows that it has.
    conditions.splice(..0, attempt.conditions);
    Ok(Join { kind, dependent: false, left, right, conditions })
}

struct Pull {
    /// The columns of the left side.
    left: BTreeSet<ColumnId>,
    /// The join looks at columns of the right side.
    reads_right: bool,
    /// What was taken out of the right side.
    conditions: Vec<Expr>,
    /// What columns were computed from whose projection was removed.
    computed: HashMap<ColumnId, Expr>,
}

impl Pull {
    /// Removes what does not matter if only the existence of rows does.
    fn strip(&mut self, plan: &mut LogicalPlan) {
        loop {
            let input = match plan {
                LogicalPlan::Sort(node) => &mut node.input,
                LogicalPlan::Distinct(node) if node.on.is_none() || !self.reads_right => &mut node.input,
                LogicalPlan::Limit(node) if !self.reads_right && keeps_a_row(node) => &mut node.input,
                LogicalPlan::Project(node) => {
                    let passes = |column: &Computed| matches!(column.expr, Expr::Column { index, .. } if index == column.id.index());
                    let computed =
                        std::mem::take(&mut node.columns).into_iter().filter(|column| !passes(column));
                    let computed: HashMap<ColumnId, Expr> =
                        computed.map(|column| (column.id, column.expr)).collect();
                    self.computed.values_mut().for_each(|value| substitute(value, &computed));
                    self.computed.extend(computed);
                    &mut node.input
                }
                _ => return,
            };
            *plan = std::mem::replace(&mut **input, LogicalPlan::one_row());
        }
    }

    /// Takes the conditions that read the left side out of filters and inner joins, the lowest first.
    fn take(&mut self, plan: &mut LogicalPlan) {
        match plan {
            LogicalPlan::Filter(node) => {
                self.take(&mut node.input);
                self.split(&mut node.conditions);
                if node.conditions.is_empty() {
                    *plan = std::mem::replace(&mut *node.input, LogicalPlan::one_row());
                }
            }
            LogicalPlan::Join(node) if !node.dependent => match node.kind {
                JoinKind::Inner => {
                    self.take(&mut node.left);
                    self.take(&mut node.right);
                    self.split(&mut node.conditions);
                }
                // It must not fail for rows that a condition would have removed.
                JoinKind::Single if rows_of(&node.right) == Rows::Any => {}
                JoinKind::Left
                | JoinKind::Semi
                | JoinKind::Anti
                | JoinKind::Single
                | JoinKind::Mark { .. } => {
                    self.take(&mut node.left);
                }
                JoinKind::Right => self.take(&mut node.right),
                JoinKind::Full => {}
            },
            LogicalPlan::Project(node) => {
                let before = self.conditions.len();
                self.take(&mut node.input);
                for (id, expr) in reads_of(&self.conditions[before..]) {
                    let is_made = node.columns.iter().any(|column| column.id == id);
                    if !is_made && !self.left.contains(&id) {
                        node.columns.push(Computed { id, expr });
                    }
                }
            }
            LogicalPlan::Sort(node) => self.take(&mut node.input),
            LogicalPlan::With(node) => self.take(&mut node.body),
            _ => {}
        }
    }

    fn split(&mut self, conditions: &mut Vec<Expr>) {
        let left = &self.left;
        let reads_left =
            |term: &Expr| term.columns().into_iter().any(|index| left.contains(&ColumnId::of_index(index)));
        let (pulled, kept): (Vec<Expr>, Vec<Expr>) =
            std::mem::take(conditions).into_iter().partition(reads_left);
        self.conditions.extend(pulled);
        *conditions = kept;
    }
}

/// Whether a limit leaves a row if there is one.
fn keeps_a_row(limit: &crate::plan::logical::Limit) -> bool {
    limit.offset.is_none() && limit.limit.as_ref().is_none_or(|limit| integer(limit).is_some_and(|n| n > 0))
}

fn substitute(expr: &mut Expr, computed: &HashMap<ColumnId, Expr>) {
    if computed.is_empty() {
        return;
    }
    expr.rewrite(&mut |node| {
        if let Expr::Column { index, .. } = node
            && let Some(value) = computed.get(&ColumnId::of_index(*index))
        {
            *node = value.clone();
        }
    });
}

/// The columns that conditions read, each once.
fn reads_of(conditions: &[Expr]) -> Vec<(ColumnId, Expr)> {
    let mut reads: Vec<(ColumnId, Expr)> = Vec::new();
    for condition in conditions {
        condition.any(&mut |node| {
            if let Expr::Column { index, .. } = node {
                let id = ColumnId::of_index(*index);
                if !reads.iter().any(|(known, _)| *known == id) {
                    reads.push((id, node.clone()));
                }
            }
            false
        });
    }
    reads
}
