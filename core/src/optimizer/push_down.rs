//! Conditions move down to where their columns are made, so that rows are dropped as early as possible, and become
//! conditions of the joins they pass on their way.
//!
//! On the way an OR of ANDs gives up what all its terms share, an outer join whose NULLs a condition above it refuses
//! becomes an inner one, and an OR over both sides of a join leaves each side the part that follows for it alone.

use crate::expr::fold::may_fail;
use crate::expr::{CompareOp, Expr, IsTest, Volatility};
use crate::plan::logical::{
    Aggregate, ColumnId, Computed, Distinct, Filter, Join, JoinKind, LogicalPlan, SetOperation,
};
use std::collections::{HashMap, HashSet};

/// Moves all conditions of a plan. Of a dependent join, only its left side gets any: what reads its left side from the
/// right one stays where it was.
pub(super) fn push_down(plan: LogicalPlan) -> LogicalPlan {
    push(plan, Vec::new())
}

type ColumnSet = HashSet<usize>;

fn made_by(plan: &LogicalPlan) -> ColumnSet {
    plan.columns().into_iter().map(ColumnId::index).collect()
}

fn reads_only(expr: &Expr, set: &ColumnSet) -> bool {
    expr.columns().iter().all(|column| set.contains(column))
}

pub(super) fn is_volatile(expr: &Expr) -> bool {
    expr.volatility() == Volatility::Volatile
}

/// `plan` with only the rows for which all conditions are true.
fn filter(plan: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    if conditions.is_empty() {
        return plan;
    }
    LogicalPlan::Filter(Filter { input: Box::new(plan), conditions })
}

/// Adds the terms of a condition.
fn add_terms(condition: Expr, terms: &mut Vec<Expr>) {
    for term in condition.split_conjunction() {
        for part in factor(term) {
            if !terms.contains(&part) {
                terms.push(part);
            }
        }
    }
}

/// `(a AND b) OR (a AND c)` as `a`, `b OR c`.
fn factor(expr: Expr) -> Vec<Expr> {
    let Expr::Or(branches) = expr else { return vec![expr] };
    let mut branches: Vec<Vec<Expr>> = branches.into_iter().map(Expr::split_conjunction).collect();
    let mut shared: Vec<Expr> = branches[0].clone();
    shared.retain(|term| !is_volatile(term) && branches.iter().all(|branch| branch.contains(term)));
    if shared.is_empty() {
        return vec![Expr::Or(branches.into_iter().map(conjunction).collect())];
    }
    for branch in &mut branches {
        branch.retain(|term| !shared.contains(term));
    }
    if branches.iter().all(|branch| !branch.is_empty()) {
        shared.push(Expr::Or(branches.into_iter().map(conjunction).collect()));
    }
    shared
}

fn conjunction(mut terms: Vec<Expr>) -> Expr {
    if terms.len() == 1 { terms.remove(0) } else { Expr::And(terms) }
}

/// What follows from a condition for columns of a set alone: of an OR each of whose terms says something about them.
fn implied(expr: &Expr, set: &ColumnSet) -> Option<Expr> {
    let Expr::Or(branches) = expr else { return None };
    let part = |branch: &Expr| {
        let terms = branch.clone().split_conjunction();
        let own: Vec<Expr> =
            terms.into_iter().filter(|term| reads_only(term, set) && !is_volatile(term)).collect();
        (!own.is_empty()).then(|| conjunction(own))
    };
    branches.iter().map(part).collect::<Option<Vec<Expr>>>().map(Expr::Or)
}

/// The plan with only the rows for which all conditions are true. A plan's own conditions stay before those from above,
/// which may fail for rows that the plan does not have.
fn push(plan: LogicalPlan, conditions: Vec<Expr>) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter(node) => {
            let (mut here, mut own) = (Vec::new(), Vec::new());
            let below = made_by(&node.input);
            for condition in node.conditions {
                if is_volatile(&condition) || !reads_only(&condition, &below) {
                    here.push(condition)
                } else {
                    add_terms(condition, &mut own)
                }
            }
            if here.is_empty() {
                conditions.into_iter().for_each(|condition| add_terms(condition, &mut own));
                return push(*node.input, own);
            }
            filter(filter(push(*node.input, own), here), conditions)
        }
        LogicalPlan::Project(mut node) => {
            let exprs: HashMap<usize, &Expr> = node.columns.iter().map(|c| (c.id.index(), &c.expr)).collect();
            let (down, stay) = split(conditions, |condition| {
                condition
                    .columns()
                    .iter()
                    .all(|column| exprs.get(column).is_some_and(|expr| !is_volatile(expr)))
            });
            let down = down.into_iter().map(|condition| substitute(condition, &node.columns)).collect();
            node.input = Box::new(push(*node.input, down));
            filter(LogicalPlan::Project(node), stay)
        }
        LogicalPlan::Join(join) => push_join(*join, conditions),
        LogicalPlan::Aggregate(node) => push_aggregate(node, conditions),
        LogicalPlan::Distinct(node) => push_distinct(node, conditions),
        LogicalPlan::Sort(mut node) => {
            node.input = Box::new(push(*node.input, conditions));
            LogicalPlan::Sort(node)
        }
        LogicalPlan::SetOperation(operation) => push_set_operation(*operation, &conditions),
        LogicalPlan::With(mut node) => {
            let definition = std::mem::replace(&mut node.definition, LogicalPlan::one_row());
            node.definition = push(definition, Vec::new());
            let body = std::mem::replace(&mut node.body, LogicalPlan::one_row());
            node.body = push(body, conditions);
            LogicalPlan::With(node)
        }
        LogicalPlan::Series(mut node) => {
            let below = made_by(&node.input);
            let (down, stay) = split(conditions, |condition| reads_only(condition, &below));
            node.input = Box::new(push(*node.input, down));
            filter(LogicalPlan::Series(node), stay)
        }
        mut other @ (LogicalPlan::Scan(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Input(_)
        | LogicalPlan::CteScan(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Lock(_)
        | LogicalPlan::Insert(_)
        | LogicalPlan::Update(_)
        | LogicalPlan::Delete(_)) => {
            for input in other.inputs_mut() {
                let old = std::mem::replace(input, LogicalPlan::one_row());
                *input = push(old, Vec::new());
            }
            filter(other, conditions)
        }
    }
}

fn split(conditions: Vec<Expr>, goes: impl Fn(&Expr) -> bool) -> (Vec<Expr>, Vec<Expr>) {
    conditions.into_iter().partition(|condition| goes(condition))
}

/// The condition over what computed columns are computed from.
fn substitute(condition: Expr, columns: &[Computed]) -> Expr {
    condition.transform(&mut |node| match node {
        Expr::Column { index, .. } => {
            let found = columns.iter().find(|column| column.id.index() == index);
            found.map_or(node, |column| column.expr.clone())
        }
        other => other,
    })
}

fn push_aggregate(mut node: Aggregate, conditions: Vec<Expr>) -> LogicalPlan {
    let keys: ColumnSet =
        node.keys.iter().filter(|key| !is_volatile(&key.expr)).map(|key| key.id.index()).collect();
    // Without keys there is a row for no rows: a condition without columns must see it.
    let (down, stay) =
        split(conditions, |condition| !condition.columns().is_empty() && reads_only(condition, &keys));
    let down = down.into_iter().map(|condition| substitute(condition, &node.keys)).collect();
    node.input = Box::new(push(*node.input, down));
    filter(LogicalPlan::Aggregate(node), stay)
}

fn push_distinct(mut node: Distinct, conditions: Vec<Expr>) -> LogicalPlan {
    let (down, stay) = match &node.on {
        None => (conditions, Vec::new()),
        Some(on) => {
            let keys: ColumnSet = on
                .iter()
                .filter_map(|expr| if let Expr::Column { index, .. } = expr { Some(*index) } else { None })
                .collect();
            split(conditions, |condition| reads_only(condition, &keys))
        }
    };
    node.input = Box::new(push(*node.input, down));
    filter(LogicalPlan::Distinct(node), stay)
}

fn push_set_operation(mut node: SetOperation, conditions: &[Expr]) -> LogicalPlan {
    for input in &mut node.inputs {
        let map: HashMap<ColumnId, ColumnId> =
            node.columns.iter().copied().zip(input.columns.iter().copied()).collect();
        let down = conditions.iter().cloned().map(|mut condition| {
            crate::plan::rename_in_expr(&mut condition, &map);
            condition
        });
        let plan = std::mem::replace(&mut input.plan, LogicalPlan::one_row());
        input.plan = push(plan, down.collect());
    }
    LogicalPlan::SetOperation(Box::new(node))
}

fn push_join(mut join: Join, conditions: Vec<Expr>) -> LogicalPlan {
    let (left, right) = (made_by(&join.left), made_by(&join.right));
    join.kind = strengthen(join.kind, &conditions, &left, &right);
    if join.dependent {
        // What will become of its conditions may drop rows for which others fail.
        let keeps = matches!(join.kind, JoinKind::Single | JoinKind::Left);
        let (to_left, above) =
            split(conditions, |condition| reads_only(condition, &left) && (keeps || !may_fail(condition)));
        join.left = push(join.left, to_left);
        join.right = push(join.right, Vec::new());
        return filter(LogicalPlan::Join(Box::new(join)), above);
    }
    let mut own = Vec::new();
    for condition in std::mem::take(&mut join.conditions) {
        add_terms(condition, &mut own);
    }
    // What stays above, and what goes into each side after the join's own conditions.
    let (mut above, mut later_left, mut later_right) = (Vec::new(), Vec::new(), Vec::new());
    match &join.kind {
        JoinKind::Inner => {
            for condition in conditions {
                add_terms(condition, &mut own);
            }
        }
        JoinKind::Left | JoinKind::Semi | JoinKind::Anti | JoinKind::Single | JoinKind::Mark { .. } => {
            (later_left, above) = split(conditions, |condition| reads_only(condition, &left));
        }
        JoinKind::Right => {
            (later_right, above) = split(conditions, |condition| reads_only(condition, &right));
        }
        JoinKind::Full => above = conditions,
    }
    let (mut to_left, mut to_right) = (Vec::new(), Vec::new());
    // A condition of one side may go there if rows of that side without a match do not come out.
    let drops_left = matches!(join.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Right);
    let drops_right = !matches!(join.kind, JoinKind::Right | JoinKind::Full);
    for condition in own {
        let movable = !is_volatile(&condition);
        if movable && drops_left && reads_only(&condition, &left) {
            to_left.push(condition);
        } else if movable && drops_right && reads_only(&condition, &right) {
            to_right.push(condition);
        } else {
            if drops_left {
                to_left.extend(implied(&condition, &left));
            }
            if drops_right {
                to_right.extend(implied(&condition, &right));
            }
            join.conditions.push(condition);
        }
    }
    if join.kind == JoinKind::Inner {
        derive_constants(&join.conditions, (&left, &mut to_left), (&right, &mut to_right));
    }
    to_left.append(&mut later_left);
    to_right.append(&mut later_right);
    join.left = push(join.left, to_left);
    join.right = push(join.right, to_right);
    filter(LogicalPlan::Join(Box::new(join)), above)
}

/// From `a = b` and `a = 5` follows `b = 5`.
fn derive_constants(
    joins: &[Expr],
    (left_columns, left): (&ColumnSet, &mut Vec<Expr>),
    (right_columns, right): (&ColumnSet, &mut Vec<Expr>),
) {
    let equal = |expr: &Expr| match expr {
        Expr::Compare { operator: CompareOp::Equal, left, right } => {
            Some(((**left).clone(), (**right).clone()))
        }
        _ => None,
    };
    let pairs: Vec<(Expr, Expr)> = joins.iter().filter_map(equal).collect();
    let constants = left.iter().chain(right.iter()).filter_map(equal);
    let constants = constants.filter(|(_, value)| value.columns().is_empty() && !is_volatile(value));
    for (column, value) in constants.collect::<Vec<_>>() {
        for (a, b) in &pairs {
            let other = match () {
                () if *a == column => b,
                () if *b == column => a,
                () => continue,
            };
            if !matches!(other, Expr::Column { .. }) || other.data_type() != value.data_type() {
                continue;
            }
            let derived = Expr::Compare {
                operator: CompareOp::Equal,
                left: Box::new(other.clone()),
                right: Box::new(value.clone()),
            };
            let side = match () {
                () if reads_only(&derived, left_columns) => &mut *left,
                () if reads_only(&derived, right_columns) => &mut *right,
                () => continue,
            };
            if !side.contains(&derived) {
                side.push(derived);
            }
        }
    }
}

/// The kind of join when rows that it fills with NULLs are dropped by conditions above it.
fn strengthen(kind: JoinKind, conditions: &[Expr], left: &ColumnSet, right: &ColumnSet) -> JoinKind {
    let refuses = |side: &ColumnSet| conditions.iter().any(|condition| refuses_null(condition, side));
    match kind {
        JoinKind::Left if refuses(right) => JoinKind::Inner,
        JoinKind::Right if refuses(left) => JoinKind::Inner,
        JoinKind::Full => match (refuses(left), refuses(right)) {
            (true, true) => JoinKind::Inner,
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        other => other,
    }
}

/// Whether a condition is not true where all columns of a set are NULL.
pub(super) fn refuses_null(expr: &Expr, set: &ColumnSet) -> bool {
    match expr {
        Expr::And(terms) => terms.iter().any(|term| refuses_null(term, set)),
        Expr::Or(terms) => terms.iter().all(|term| refuses_null(term, set)),
        Expr::Not(operand) => null_if_null(operand, set),
        Expr::Is { operand, test: IsTest::Null, negated: true } => null_if_null(operand, set),
        Expr::Is { operand, test: IsTest::True, negated: false } => refuses_null(operand, set),
        other => null_if_null(other, set),
    }
}

/// Whether an expression is NULL where all columns of a set are.
fn null_if_null(expr: &Expr, set: &ColumnSet) -> bool {
    match expr {
        Expr::Column { index, .. } => set.contains(index),
        Expr::Cast { operand, .. } | Expr::Not(operand) => null_if_null(operand, set),
        Expr::Compare { operator, left, right } => {
            !operator.sees_nulls() && (null_if_null(left, set) || null_if_null(right, set))
        }
        Expr::Call { function, arguments, .. } => {
            function.strict && arguments.iter().any(|argument| null_if_null(argument, set))
        }
        Expr::InList { operand, .. } => null_if_null(operand, set),
        Expr::Like { operand, pattern, .. } => null_if_null(operand, set) || null_if_null(pattern, set),
        Expr::NullIf { value, .. } => null_if_null(value, set),
        Expr::Coalesce { arguments, .. } => arguments.iter().all(|argument| null_if_null(argument, set)),
        Expr::And(_)
        | Expr::Or(_)
        | Expr::Is { .. }
        | Expr::Case { .. }
        | Expr::Extremum { .. }
        | Expr::OuterColumn { .. }
        | Expr::Parameter { .. }
        | Expr::Constant { .. } => false,
    }
}
