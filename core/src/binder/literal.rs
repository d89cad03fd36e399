//! Constants.

use super::not_supported;
use crate::error::Result;
use crate::expr::Expr;
use crate::parser::ast::Literal;
use crate::types::{DataType, Decimal, Value};

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

fn decimal(text: &str) -> Result<Expr> {
    Ok(Expr::literal(Value::Numeric(text.parse::<Decimal>()?)))
}
