//! EXECUTE: the values for the parameters of a prepared statement.

use super::coerce::convert_exactly;
use super::scope::{Clause, Level};
use super::{At as _, Binder};
use crate::catalog::Catalog;
use crate::error::{BindingError, Error, ErrorKind, Result};
use crate::expr::Expr;
use crate::parser::ast;
use crate::types::{CastContext, DataType};

/// The arguments of EXECUTE as values of the parameters' types; they read no columns.
///
/// # Errors
/// 42601 if there are more or fewer than parameters, 42804 if one cannot become its parameter's type.
pub fn bind_arguments(catalog: &Catalog, arguments: &ast::Execute, types: &[DataType]) -> Result<Vec<Expr>> {
    let (expected, given) = (types.len(), arguments.arguments.len());
    if expected != given {
        let name = arguments.name.name.clone();
        let error = Error::from(BindingError::ArgumentCount { name });
        return Err(error.with_detail(format!("Expected {expected} parameters but got {given}.")));
    }
    let mut binder = Binder::new(catalog, 0, &[])?;
    binder.levels.push(Level::new(Clause::Execute));
    let mut values = Vec::with_capacity(types.len());
    for (number, (argument, ty)) in (1_u32..).zip(arguments.arguments.iter().zip(types)) {
        let value = binder.bind_expr(argument)?;
        value.check_depth().at(argument.position)?;
        let found = value.data_type().name();
        let value =
            convert_exactly(value, *ty, CastContext::Assignment).map_err(|error| match error.kind() {
                ErrorKind::Data(crate::error::DataError::CannotCast { .. }) => {
                    Error::from(BindingError::ArgumentType { number, found, expected: ty.name() })
                        .with_hint("You will need to rewrite or cast the expression.")
                }
                _ => error,
            });
        values.push(value.at(argument.start())?);
    }
    Ok(values)
}
