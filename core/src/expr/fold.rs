//! What can be known of an expression before there are rows: constants are computed, and what follows from them.

use super::eval::evaluate_constant;
use super::function::Volatility;
use super::{CompareOp, Environment, EvalContext, Expr, SessionNames};
use crate::error::{Result, StatementError};
use crate::types::datetime::{date_to_timestamp, timestamp_to_date};
use crate::types::{DataType, TimeContext, Value};

/// The expression with its constant parts computed, without columns, parameters or anything of the session. A part
/// that fails stays as it is: the row that needs it gets the error.
#[must_use]
pub fn fold(mut expr: Expr) -> Expr {
    expr.rewrite(&mut |node| {
        simplify(node);
        if is_foldable(node)
            && let Ok(value) = evaluate_constant_node(node)
        {
            *node = Expr::Constant { value, ty: node.data_type() };
        }
    });
    expr
}

/// Whether all operands are constants and the result depends on nothing else.
fn is_foldable(expr: &Expr) -> bool {
    let own = match expr {
        Expr::Constant { .. } | Expr::Column { .. } | Expr::OuterColumn { .. } | Expr::Parameter { .. } => {
            return false;
        }
        _ => expr.volatility() == Volatility::Immutable,
    };
    let mut constant = own;
    expr.for_each_child(&mut |child| constant = constant && matches!(child, Expr::Constant { .. }));
    constant
}

/// Rules that need no evaluation.
fn simplify(expr: &mut Expr) {
    match expr {
        Expr::And(terms) => simplify_terms(expr_terms(terms), true, expr),
        Expr::Or(terms) => simplify_terms(expr_terms(terms), false, expr),
        Expr::Not(operand) => match operand.as_mut() {
            Expr::Not(inner) if inner.data_type() == DataType::Boolean => *expr = take(inner),
            Expr::Compare { operator, left, right } => {
                *expr = Expr::Compare {
                    operator: operator.negate(),
                    left: take_box(left),
                    right: take_box(right),
                };
            }
            Expr::Is { negated, .. } | Expr::InList { negated, .. } | Expr::Like { negated, .. } => {
                *negated = !*negated;
                *expr = take(operand);
            }
            _ => {}
        },
        // A comparison with NULL is NULL.
        Expr::Compare { operator, left, right } if !operator.sees_nulls() => {
            let is_null = |e: &Expr| matches!(e, Expr::Constant { value: Value::Null, .. });
            if (is_null(left) && !may_fail(right)) || (is_null(right) && !may_fail(left)) {
                *expr = Expr::null(DataType::Boolean);
            } else if matches!(**left, Expr::Constant { .. }) && !matches!(**right, Expr::Constant { .. }) {
                // Constants stand on the right, where kernels and index matching look for them.
                *operator = operator.commute();
                std::mem::swap(left, right);
            }
            unwrap_cast(expr);
        }
        Expr::Case { branches, otherwise, ty } => {
            branches.retain(|(condition, _)| !is_never_true(condition));
            let certain = branches.iter().position(|(condition, _)| is_true(condition));
            if let Some(certain) = certain {
                let (_, result) = branches.swap_remove(certain);
                branches.truncate(certain);
                *otherwise = Some(Box::new(result));
            }
            if branches.is_empty() {
                *expr = match otherwise {
                    Some(result) => take(result),
                    None => Expr::null(*ty),
                };
            }
        }
        Expr::Coalesce { arguments, ty } => {
            arguments.retain(|e| !matches!(e, Expr::Constant { value: Value::Null, .. }));
            if let Some(certain) = arguments.iter().position(|e| !e.nullable()) {
                arguments.truncate(certain + 1);
            }
            match arguments.len() {
                0 => *expr = Expr::null(*ty),
                1 => *expr = arguments.remove(0),
                _ => {}
            }
        }
        _ => {}
    }
}

/// Makes of the comparison of a widened value with a constant one of the value itself, so that an index or statistics
/// of a column can be used.
fn unwrap_cast(expr: &mut Expr) {
    let Expr::Compare { operator, left, right } = expr else { return };
    let (Expr::Cast { operand, to, .. }, Expr::Constant { value, .. }) = (&mut **left, &**right) else {
        return;
    };
    let ty = operand.data_type();
    let narrow = match (&ty, &*to, value) {
        (DataType::SmallInt, DataType::Integer, Value::Integer(n)) => {
            (*n).try_into().ok().map(Value::SmallInt)
        }
        (DataType::SmallInt, DataType::BigInt, Value::BigInt(n)) => (*n).try_into().ok().map(Value::SmallInt),
        (DataType::Integer, DataType::BigInt, Value::BigInt(n)) => (*n).try_into().ok().map(Value::Integer),
        (DataType::Date, DataType::Timestamp, &Value::Timestamp(moment)) => {
            let day = timestamp_to_date(moment);
            if date_to_timestamp(day).is_ok_and(|midnight| midnight != moment) {
                // Days before a moment within a day are those up to it.
                *operator = match operator {
                    CompareOp::Less | CompareOp::LessEqual => CompareOp::LessEqual,
                    CompareOp::Greater | CompareOp::GreaterEqual => CompareOp::Greater,
                    _ => return,
                };
            }
            Some(Value::Date(day))
        }
        _ => None,
    };
    if let Some(value) = narrow {
        **left = take(operand);
        **right = Expr::Constant { value, ty };
    }
}

fn expr_terms(terms: &mut Vec<Expr>) -> Vec<Expr> {
    std::mem::take(terms)
}

/// Drops terms that decide nothing, flattens, and ends at one that decides all.
fn simplify_terms(terms: Vec<Expr>, neutral: bool, expr: &mut Expr) {
    let mut kept = Vec::with_capacity(terms.len());
    for term in terms {
        match term {
            Expr::Constant { value: Value::Boolean(value), .. } if value == neutral => {}
            Expr::Constant { value: Value::Boolean(_), .. } if !kept.iter().any(may_fail) => {
                *expr = Expr::boolean(!neutral);
                return;
            }
            Expr::And(inner) if neutral => kept.extend(inner),
            Expr::Or(inner) if !neutral => kept.extend(inner),
            other => kept.push(other),
        }
    }
    *expr = match kept.len() {
        0 => Expr::boolean(neutral),
        1 => kept.remove(0),
        _ if neutral => Expr::And(kept),
        _ => Expr::Or(kept),
    };
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::And(Vec::new()))
}

fn take_box(expr: &mut Expr) -> Box<Expr> {
    Box::new(take(expr))
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant { value: Value::Boolean(true), .. })
}

fn is_never_true(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant { value: Value::Boolean(false) | Value::Null, .. })
}

/// Whether computing the expression on some row may be an error. Comparisons and tests cannot fail by themselves.
pub fn may_fail(expr: &Expr) -> bool {
    expr.any(&mut |node| match node {
        Expr::Call { .. } => true,
        Expr::Cast { operand, to, .. } => !is_safe_cast(&operand.data_type(), to),
        Expr::Like { pattern, escape, .. } => {
            let constant = |e: &Expr| matches!(e, Expr::Constant { .. });
            !constant(pattern) || escape.as_ref().is_some_and(|e| !constant(e))
        }
        _ => false,
    })
}

/// Casts that every value survives.
pub fn is_safe_cast(from: &DataType, to: &DataType) -> bool {
    use DataType::{BigInt, Double, Integer, Real, SmallInt};
    match (from, to) {
        (SmallInt, Integer | BigInt | Real | Double)
        | (Integer, BigInt | Real | Double)
        | (BigInt, Real | Double)
        | (Real, Double) => true,
        (SmallInt | Integer | BigInt, DataType::Numeric { precision, scale }) => precision - scale >= 19,
        (DataType::Numeric { .. }, DataType::AnyNumeric) => true,
        (from, DataType::Text | DataType::VarChar(None)) => from.is_string(),
        (DataType::VarChar(Some(from)), DataType::VarChar(Some(to))) => from <= to,
        _ => false,
    }
}

/// The value of an expression of constants.
fn evaluate_constant_node(expr: &Expr) -> Result<Value> {
    evaluate_constant(expr, &context())
}

/// A context in which only immutable functions may be called.
fn context() -> EvalContext<'static> {
    EvalContext {
        times: TimeContext::default(),
        statement_start: 0,
        parameters: &[],
        names: SessionNames { user: "", session_user: "", database: "", schema: None, version: "" },
        environment: &Nowhere,
    }
}

/// No session. Functions that would ask it are not immutable and not called.
struct Nowhere;

impl Environment for Nowhere {
    fn clock_timestamp(&self) -> i64 {
        0
    }

    fn random(&self) -> u64 {
        0
    }

    fn setting(&self, _: &str) -> Option<String> {
        None
    }

    fn next_value(&self, sequence: &str) -> Result<i64> {
        Err(StatementError::UndefinedTable { name: sequence.to_owned() }.into())
    }

    fn current_value(&self, sequence: &str) -> Result<i64> {
        self.next_value(sequence)
    }

    fn set_value(&self, sequence: &str, _: i64, _: bool) -> Result<()> {
        self.next_value(sequence).map(drop)
    }
}

/// The comparison that holds for rows of an index, with the column on the left: for index matching.
pub fn as_column_comparison(expr: &Expr) -> Option<(usize, CompareOp, &Expr)> {
    let Expr::Compare { operator, left, right } = expr else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column { index, .. }, value) if value.is_constant() => Some((*index, *operator, value)),
        (value, Expr::Column { index, .. }) if value.is_constant() => {
            Some((*index, operator.commute(), value))
        }
        _ => None,
    }
}
