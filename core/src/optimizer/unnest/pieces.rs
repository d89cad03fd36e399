//! Small plans and expressions that pushing is made of.

use crate::expr::{CompareOp, Expr, Volatility};
use crate::plan::logical::{ColumnId, Computed, Filter, Join, JoinKind, LogicalPlan};
use crate::types::{DataType, Value};
use std::collections::BTreeMap;

/// What takes the place of outer columns.
pub(super) type Repr = BTreeMap<ColumnId, Representative>;

/// What takes the place of an outer column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Representative {
    /// The column.
    pub(super) id: ColumnId,
    /// It stands for `outer = id`, so that rows where it is NULL do not count.
    pub(super) strict: bool,
}

pub(super) fn inner(left: LogicalPlan, right: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    LogicalPlan::Join(Box::new(Join { kind: JoinKind::Inner, dependent: false, left, right, conditions }))
}

pub(super) fn filtered(input: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    if conditions.is_empty() {
        return input;
    }
    LogicalPlan::Filter(Filter { input: Box::new(input), conditions })
}

/// The column that a computed one passes on.
pub(super) fn passed(columns: &[Computed], id: ColumnId) -> Option<ColumnId> {
    let column = columns.iter().find(|column| column.id == id)?;
    match column.expr {
        Expr::Column { index, .. } => Some(ColumnId::of_index(index)),
        _ => None,
    }
}

pub(super) fn replace(node: &mut Expr, repr: &Repr) {
    if let Expr::Column { index, .. } = node
        && let Some(by) = repr.get(&ColumnId::of_index(*index))
    {
        *index = by.id.index();
    }
}

pub(super) fn substitute(expr: &mut Expr, repr: &Repr) {
    expr.rewrite(&mut |node| replace(node, repr));
}

/// `c = c` of a column that took the place of an outer one because of that condition.
pub(super) fn is_settled(condition: &Expr, repr: &Repr) -> bool {
    match condition {
        Expr::Compare { operator: CompareOp::Equal, left, right } => match (left.as_ref(), right.as_ref()) {
            (Expr::Column { index: a, .. }, Expr::Column { index: b, .. }) => {
                a == b && repr.values().any(|by| by.strict && by.id.index() == *a)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether equal values of a type are the same in every respect. Floats have two zeros, decimals of free scale trailing
/// zeros, intervals different ways to last as long.
pub(super) fn has_one_form(ty: &DataType) -> bool {
    !matches!(ty, DataType::Real | DataType::Double | DataType::AnyNumeric | DataType::Interval)
}

/// Whether equal values of two types are the same in every respect, so that one may stand for the other.
pub(super) fn interchangeable(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        _ if !has_one_form(a) => false,
        (DataType::Text | DataType::VarChar(_), DataType::Text | DataType::VarChar(_)) => true,
        _ => a == b,
    }
}

/// Whether a plan has other rows each time it is asked.
pub(super) fn is_volatile(plan: &LogicalPlan) -> bool {
    is_asked(plan, &|node| {
        let mut volatile = false;
        node.for_each_expr(&mut |expr| volatile |= expr.volatility() == Volatility::Volatile);
        volatile
    })
}

/// Functions that have no result for arguments that are not rare.
const PARTIAL: [&str; 12] =
    ["/", "%", "mod", "div", "sqrt", "|/", "ln", "log", "log10", "^", "power", "date_bin"];

/// Whether a plan computes something that fails for values that are not rare, so that it must not see those nobody asks
/// for: it divides, or reads text as something else. Overflow is rare. Conditions are left out: they drop rows wherever
/// they are.
pub(super) fn often_fails(plan: &LogicalPlan) -> bool {
    let fails = |node: &Expr| match node {
        Expr::Call { function, arguments, .. } => {
            PARTIAL.contains(&function.name) && arguments.last().is_some_and(|by| !by.is_constant())
        }
        Expr::Cast { operand, to, .. } => {
            operand.data_type().is_string() && !to.is_string() && !operand.is_constant()
        }
        _ => false,
    };
    is_asked(plan, &|node| {
        let mut any = false;
        if !matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_)) {
            node.for_each_expr(&mut |expr| any |= expr.any(&mut |node| fails(node)));
        }
        any
    })
}

/// Whether a test holds for a node of what is computed whenever a plan is asked. A subquery or a common table that reads
/// nothing around it is computed once for all.
fn is_asked(plan: &LogicalPlan, test: &dyn Fn(&LogicalPlan) -> bool) -> bool {
    if test(plan) {
        return true;
    }
    match plan {
        LogicalPlan::Join(join) if !join.right.is_correlated() => match join.kind {
            JoinKind::Single | JoinKind::Mark { .. } | JoinKind::Semi | JoinKind::Anti => {
                is_asked(&join.left, test)
            }
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => {
                is_asked(&join.left, test) || is_asked(&join.right, test)
            }
        },
        LogicalPlan::With(with) if !with.definition.is_correlated() => is_asked(&with.body, test),
        other => other.inputs().into_iter().any(|input| is_asked(input, test)),
    }
}

/// The count of no rows.
pub(super) fn zero(ty: &DataType) -> Value {
    match ty {
        DataType::Integer => Value::Integer(0),
        _ => Value::BigInt(0),
    }
}
