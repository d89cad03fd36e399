//! Common table expressions that are read once become part of the plan that reads them, as in PostgreSQL.

use crate::expr::Volatility;
use crate::plan::logical::{Columns, Computed, CteId, LogicalPlan, Project};

/// Puts the definitions of all WITHs that are read once, and change nothing, where they are read.
pub(super) fn inline(mut plan: LogicalPlan, columns: &mut Columns) -> LogicalPlan {
    if let LogicalPlan::With(with) = plan {
        let mut with = *with;
        with.definition = inline(with.definition, columns);
        with.body = inline(with.body, columns);
        let movable = readings(&with.body, with.cte) <= 1 && !has_effects(&with.definition);
        if !movable {
            return LogicalPlan::With(Box::new(with));
        }
        let mut definition = Some(with.definition);
        replace(&mut with.body, with.cte, &mut definition, columns);
        return with.body;
    }
    for input in plan.inputs_mut() {
        let old = std::mem::replace(input, LogicalPlan::one_row());
        *input = inline(old, columns);
    }
    plan
}

fn readings(plan: &LogicalPlan, cte: CteId) -> usize {
    let here = usize::from(matches!(plan, LogicalPlan::CteScan(scan) if scan.cte == cte));
    here + plan.inputs().into_iter().map(|input| readings(input, cte)).sum::<usize>()
}

/// Whether it matters how often the plan runs: it changes or locks rows, or calls something volatile.
pub(super) fn has_effects(plan: &LogicalPlan) -> bool {
    let writes = matches!(
        plan,
        LogicalPlan::Insert(_) | LogicalPlan::Update(_) | LogicalPlan::Delete(_) | LogicalPlan::Lock(_)
    );
    let mut volatile = false;
    plan.for_each_expr(&mut |expr| volatile |= expr.volatility() == Volatility::Volatile);
    writes || volatile || plan.inputs().into_iter().any(has_effects)
}

fn replace(plan: &mut LogicalPlan, cte: CteId, definition: &mut Option<LogicalPlan>, columns: &Columns) {
    if let LogicalPlan::CteScan(scan) = plan
        && scan.cte == cte
    {
        if let Some(definition) = definition.take() {
            let pass = |&(of, id): &_| Computed { id, expr: columns.read(of) };
            let columns = scan.columns.iter().map(pass).collect();
            *plan = LogicalPlan::Project(Project { input: Box::new(definition), columns });
        }
        return;
    }
    for input in plan.inputs_mut() {
        replace(input, cte, definition, columns);
    }
}
