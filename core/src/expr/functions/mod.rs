//! The functions and operators there are, one file per family, and their lookup by name.
//!
//! Each family has a table of [`Function`]s, made with `function`, `infix` and `prefix` and refined with the
//! methods of [`Function`] below: strict and immutable unless they say otherwise. A row of a table is a row of
//! PostgreSQL's catalog, so that overloads resolve as they do there.
//!
//! 1. A function of one name and argument types stands in one table only.
//! 2. What a function computes depends on its arguments alone, unless its volatility says otherwise.
//! 3. An error has the SQLSTATE and the words that PostgreSQL has for it.

mod arithmetic;
mod datetime;
mod encoding;
mod fields;
mod math;
mod natural;
mod pattern;
mod string;
mod system;
mod template;
mod transcendental;

use super::eval::Call;
use super::function::{Function, Kind, Operand, ResultType, Variadic, Volatility};
use crate::error::Result;
use crate::types::DataType;
use std::collections::HashMap;
use std::sync::LazyLock;

pub use encoding::{quote_ident, quote_literal};
pub(super) use transcendental::square_root_at;

/// The tables of all families.
const FAMILIES: [&[Function]; 10] = [
    arithmetic::FUNCTIONS,
    math::FUNCTIONS,
    transcendental::FUNCTIONS,
    string::FUNCTIONS,
    encoding::FUNCTIONS,
    pattern::FUNCTIONS,
    datetime::FUNCTIONS,
    fields::FUNCTIONS,
    template::FUNCTIONS,
    system::FUNCTIONS,
];

/// Overloads by name.
static BY_NAME: LazyLock<HashMap<&'static str, Vec<&'static Function>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<&'static Function>> = HashMap::new();
    for function in all() {
        map.entry(function.name).or_default().push(function);
    }
    map
});

/// Every function and operator, for `pg_proc` and `pg_operator`.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.into_iter().flatten()
}

/// The functions of this name, operators not among them.
pub fn named(name: &str) -> impl Iterator<Item = &'static Function> {
    overloads(name).filter(|f| f.kind == Kind::Function)
}

/// The operators of this name.
pub fn operators_named(name: &str) -> impl Iterator<Item = &'static Function> {
    overloads(name).filter(|f| f.kind != Kind::Function)
}

fn overloads(name: &str) -> impl Iterator<Item = &'static Function> {
    BY_NAME.get(name).into_iter().flatten().copied()
}

/// The code of a function.
type Code = fn(&mut Call<'_>) -> Result<()>;

const BOOLEAN: Operand = Operand::Is(DataType::Boolean);
const SMALLINT: Operand = Operand::Is(DataType::SmallInt);
const INTEGER: Operand = Operand::Is(DataType::Integer);
const BIGINT: Operand = Operand::Is(DataType::BigInt);
const REAL: Operand = Operand::Is(DataType::Real);
const DOUBLE: Operand = Operand::Is(DataType::Double);
const NUMERIC: Operand = Operand::Is(DataType::AnyNumeric);
const TEXT: Operand = Operand::Is(DataType::Text);
const BYTEA: Operand = Operand::Is(DataType::Bytea);
const DATE: Operand = Operand::Is(DataType::Date);
const TIME: Operand = Operand::Is(DataType::Time);
const TIMESTAMP: Operand = Operand::Is(DataType::Timestamp);
const TIMESTAMPTZ: Operand = Operand::Is(DataType::TimestampTz);
const INTERVAL: Operand = Operand::Is(DataType::Interval);

/// A strict, immutable function.
const fn function(
    name: &'static str,
    arguments: &'static [Operand],
    result: DataType,
    code: Code,
) -> Function {
    Function {
        name,
        kind: Kind::Function,
        arguments,
        variadic: Variadic::No,
        result: ResultType::Is(result),
        strict: true,
        may_return_null: false,
        volatility: Volatility::Immutable,
        code,
    }
}

/// A strict, immutable operator between two operands.
const fn infix(
    name: &'static str,
    arguments: &'static [Operand; 2],
    result: DataType,
    code: Code,
) -> Function {
    Function { kind: Kind::Infix, ..function(name, arguments, result, code) }
}

/// A strict, immutable operator before its operand.
const fn prefix(
    name: &'static str,
    arguments: &'static [Operand; 1],
    result: DataType,
    code: Code,
) -> Function {
    Function { kind: Kind::Prefix, ..function(name, arguments, result, code) }
}

impl Function {
    /// The same function with a result type that follows from the arguments'.
    const fn typed(self, rule: fn(&[DataType]) -> DataType) -> Self {
        Self { result: ResultType::Rule(rule), ..self }
    }

    /// The same function, whose result depends on the session.
    const fn stable(self) -> Self {
        Self { volatility: Volatility::Stable, ..self }
    }

    /// The same function, computed anew for each row.
    const fn volatile(self) -> Self {
        Self { volatility: Volatility::Volatile, ..self }
    }

    /// The same function, which may give NULL although no argument is.
    const fn nullable(self) -> Self {
        Self { may_return_null: true, ..self }
    }

    /// The same function, which sees NULL arguments.
    const fn sees_nulls(self) -> Self {
        Self { strict: false, ..self }
    }

    /// The same function, whose last argument may be repeated.
    const fn repeats(self, variadic: Variadic) -> Self {
        Self { variadic, ..self }
    }
}
