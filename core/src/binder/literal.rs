//! Constants.

use super::not_supported;
use crate::error::Result;
use crate::expr::Expr;
use crate::parser::ast::Literal;
use crate::types::{DataType, Decimal, Value};

/// Digits behind the point that a decimal has at the most.
const MAX_SCALE: i64 = DataType::MAX_PRECISION as i64;

/// The value of a literal. Strings and NULL have no type until their surroundings give them one.
pub(super) fn bind_literal(literal: &Literal) -> Result<Expr> {
    Ok(match literal {
        Literal::Null => Expr::null(DataType::Unknown),
        Literal::Boolean(value) => Expr::boolean(*value),
        Literal::Integer(value) => integer(*value),
        Literal::Decimal(text) => decimal(text)?,
        Literal::String(text) => Expr::literal(Value::Text(text.as_str().into())),
        Literal::Binary(_) | Literal::Hexadecimal(_) => return Err(not_supported("type bit")),
    })
}

/// The negated value of a literal, if it is a number: `-2147483648` is an integer although `2147483648` is none.
pub(super) fn bind_negative(literal: &Literal) -> Option<Result<Expr>> {
    match literal {
        Literal::Integer(value) => Some(Ok(integer(-value))),
        Literal::Decimal(text) => {
            let text = format!("-{text}");
            Some(text.parse().map_or_else(|_| decimal(&text), |value| Ok(integer(value))))
        }
        Literal::Null
        | Literal::Boolean(_)
        | Literal::String(_)
        | Literal::Binary(_)
        | Literal::Hexadecimal(_) => None,
    }
}

fn integer(value: i64) -> Expr {
    Expr::literal(i32::try_from(value).map_or(Value::BigInt(value), Value::Integer))
}

/// A number with more digits than a decimal has is one in double precision, if it is written with an exponent: nobody
/// expects all the digits of `1e100`.
fn decimal(text: &str) -> Result<Expr> {
    let rounded = || text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Double);
    let value = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => {
            let behind_point = digits.split_once('.').map_or(0, |(_, behind)| behind.len());
            let shift: i64 = exponent.parse().unwrap_or(i64::MIN);
            // A decimal would drop the last of these digits.
            let too_small = shift.saturating_neg().saturating_add(behind_point as i64) > MAX_SCALE;
            let exact = if too_small { None } else { text.parse::<Decimal>().ok().map(Value::Numeric) };
            exact.or_else(rounded)
        }
        None => None,
    };
    Ok(Expr::literal(match value {
        Some(value) => value,
        None => Value::Numeric(text.parse::<Decimal>()?),
    }))
}
