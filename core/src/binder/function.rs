//! Calls of functions, the special forms that look like calls, and the values of the session.

use super::{At as _, Binder, not_supported};
use crate::catalog::SYSTEM_SCHEMA;
use crate::error::{BindingError, Error, Result, StatementError};
use crate::expr::resolve::is_aggregate;
use crate::expr::{Expr, Extremum};
use crate::parser::ast::{self, FunctionCall, Position, SessionValue};
use crate::types::DataType;

/// The most arguments of a call.
const MAX_ARGUMENTS: usize = 100;
/// Functions that return rows, which only FROM can take.
const SET_RETURNING: [&str; 5] =
    ["generate_series", "generate_subscripts", "unnest", "regexp_matches", "regexp_split_to_table"];

impl Binder<'_> {
    /// A call of a function or an aggregate.
    pub(super) fn bind_function(&mut self, call: &FunctionCall, position: Position) -> Result<Expr> {
        let name = call.name.name.name.as_str();
        if let Some(over) = &call.over {
            return Err(not_supported("a window function").at(over.position.min(position)));
        }
        if !call.within_group.is_empty() {
            return Err(not_supported("WITHIN GROUP").at(position));
        }
        if call.variadic {
            return Err(not_supported("VARIADIC").at(position));
        }
        if let Some(argument) = call.arguments.iter().find_map(|argument| argument.name.as_ref()) {
            return Err(not_supported("a named argument").at(argument.position));
        }
        let expression = matches!(name, "coalesce" | "greatest" | "least");
        if call.arguments.len() > MAX_ARGUMENTS && !expression {
            return Err(Error::from(BindingError::TooManyArguments { limit: MAX_ARGUMENTS }).at(position));
        }
        let system = match &call.name.schema {
            None => true,
            Some(schema) if !self.catalog.has_schema(&schema.name) => {
                let name = schema.name.clone();
                return Err(Error::from(BindingError::UndefinedSchema { name }).at(position));
            }
            Some(schema) => schema.name == SYSTEM_SCHEMA,
        };
        if system && is_aggregate(name) {
            return self.bind_aggregate(call, position);
        }
        let operands: Vec<&ast::Expr> = call.arguments.iter().map(|argument| &argument.value).collect();
        let arguments = operands.iter().map(|value| self.bind_expr(value)).collect::<Result<Vec<_>>>()?;
        if !system {
            let types: Vec<DataType> = arguments.iter().map(Expr::data_type).collect();
            return Err(undefined_function(&call.name.to_string(), &types).at(position));
        }
        let special = if call.name.schema.is_none() { name } else { Default::default() };
        let result = match (special, &arguments[..]) {
            ("coalesce", [_, ..]) => Expr::coalesce(arguments),
            ("greatest", [_, ..]) => Expr::extremum(Extremum::Greatest, arguments),
            ("least", [_, ..]) => Expr::extremum(Extremum::Least, arguments),
            ("nullif", [value, other]) => Expr::null_if(value.clone(), other.clone()),
            _ if SET_RETURNING.contains(&name) => Err(not_supported("a set-returning function outside FROM")),
            _ => Expr::call(name, arguments),
        };
        let bound = self.finish(result, position, &operands)?;
        check_modifiers(call, name).at(position)?;
        Ok(bound)
    }

    /// `CURRENT_DATE` and its like.
    pub(super) fn bind_session_value(&mut self, value: SessionValue, position: Position) -> Result<Expr> {
        let name = match value {
            SessionValue::CurrentTime(_) => return Err(not_supported("type timetz").at(position)),
            SessionValue::CurrentTimestamp(Some(p))
            | SessionValue::LocalTime(Some(p))
            | SessionValue::LocalTimestamp(Some(p))
                if p != 6 =>
            {
                return Err(not_supported("a precision other than 6").at(position));
            }
            SessionValue::CurrentRole | SessionValue::User => "current_user",
            SessionValue::CurrentCatalog => "current_database",
            SessionValue::CurrentDate
            | SessionValue::CurrentTimestamp(_)
            | SessionValue::LocalTime(_)
            | SessionValue::LocalTimestamp(_)
            | SessionValue::CurrentUser
            | SessionValue::SessionUser
            | SessionValue::CurrentSchema => value.name(),
        };
        Expr::call(name, Vec::new()).at(position)
    }
}

/// No function has the name and takes arguments of these types.
pub(super) fn undefined_function(name: &str, types: &[DataType]) -> Error {
    let types = types.iter().map(DataType::name).collect::<Vec<_>>().join(", ");
    Error::from(StatementError::UndefinedFunction { call: format!("{name}({types})") }).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// Several functions of the name take arguments of these types, and none best.
pub(super) fn ambiguous_function(name: &str, types: &[DataType]) -> Error {
    let types = types.iter().map(DataType::name).collect::<Vec<_>>().join(", ");
    Error::from(StatementError::AmbiguousFunction { call: format!("{name}({types})") })
        .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
}

/// What only aggregates take.
fn check_modifiers(call: &FunctionCall, name: &str) -> Result<()> {
    let modifier = if call.star {
        return Err(BindingError::StarNotAggregate { name: name.to_owned() }.into());
    } else if call.distinct {
        "DISTINCT"
    } else if !call.order_by.is_empty() {
        "ORDER BY"
    } else if call.filter.is_some() {
        "FILTER"
    } else {
        return Ok(());
    };
    Err(BindingError::NotAggregate { modifier, name: name.to_owned() }.into())
}
