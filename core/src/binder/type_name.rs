//! From type names as written to types.

use super::not_supported;
use crate::catalog::SYSTEM_SCHEMA;
use crate::error::{BindingError, Error, Result, StatementError};
use crate::parser::ast::TypeName;
use crate::types::{DataType, MAX_CHARACTERS};

/// The longest `character(n)` and `character varying(n)`.
const MAX_LENGTH: i64 = MAX_CHARACTERS as i64;

/// Names of PostgreSQL's types that this engine does not have, to be told from names that are nobody's.
const MISSING: &[&str] = &[
    "bit", "varbit", "box", "char", "cidr", "circle", "inet", "json", "jsonb", "line", "lseg", "macaddr",
    "macaddr8", "money", "name", "oid", "path", "pg_lsn", "point", "polygon", "regclass", "regproc",
    "regtype", "timetz", "tsquery", "tsvector", "xml",
];

/// The type that a name means.
///
/// # Errors
/// 42704 if there is no such type, 22023 if its modifiers are out of range, 0A000 if PostgreSQL has it.
pub fn resolve_type(name: &TypeName) -> Result<DataType> {
    resolve(name).map_err(|error| error.at(name.position))
}

fn resolve(name: &TypeName) -> Result<DataType> {
    let undefined = || Err(BindingError::UndefinedType { name: name.to_string() }.into());
    if name.schema.as_ref().is_some_and(|schema| schema.name != SYSTEM_SCHEMA) {
        return undefined();
    }
    if name.dimensions > 0 {
        return Err(not_supported("array types"));
    }
    let ty = match name.name.as_str() {
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt,
        "int4" => DataType::Integer,
        "int8" => DataType::BigInt,
        "float4" => DataType::Real,
        "float8" => DataType::Double,
        "text" => DataType::Text,
        "bytea" => DataType::Bytea,
        "date" => DataType::Date,
        "uuid" => DataType::Uuid,
        "numeric" => return numeric(&name.modifiers),
        "varchar" => return Ok(DataType::VarChar(length("varchar", &name.modifiers)?)),
        "bpchar" => return Ok(length("char", &name.modifiers)?.map_or(DataType::Text, DataType::Char)),
        "time" => return fraction(DataType::Time, name),
        "timestamp" => return fraction(DataType::Timestamp, name),
        "timestamptz" => return fraction(DataType::TimestampTz, name),
        "interval" if name.fields.is_some() => return Err(not_supported("interval fields")),
        "interval" => return fraction(DataType::Interval, name),
        "serial" | "serial2" | "serial4" | "serial8" | "bigserial" | "smallserial" => {
            return Err(not_supported(format!("type {}", name.name)));
        }
        other if MISSING.contains(&other) => return Err(not_supported(format!("type {other}"))),
        _ => return undefined(),
    };
    if name.modifiers.is_empty() {
        return Ok(ty);
    }
    Err(BindingError::TypeModifierNotAllowed { ty: ty.typname() }.into())
}

fn invalid(message: BindingError) -> Result<DataType> {
    Err(message.into())
}

/// PostgreSQL's `numerictypmodin`, within the 38 digits of this engine.
fn numeric(modifiers: &[i64]) -> Result<DataType> {
    let (precision, scale) = match *modifiers {
        [] => return Ok(DataType::AnyNumeric),
        [precision] => (precision, 0),
        [precision, scale] => (precision, scale),
        _ => return invalid(BindingError::InvalidTypeModifier { ty: "NUMERIC" }),
    };
    if !(1..=1000).contains(&precision) {
        return invalid(BindingError::PrecisionOutOfRange { precision });
    }
    if !(-1000..=1000).contains(&scale) {
        return invalid(BindingError::ScaleOutOfRange { scale });
    }
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision), Ok(scale)) if precision <= DataType::MAX_PRECISION && scale <= precision => {
            Ok(DataType::Numeric { precision, scale })
        }
        _ => Err(Error::from(StatementError::NotSupported {
            feature: format!("numeric({precision},{scale})"),
        })
        .with_detail("A numeric has at most 38 digits, and a scale from 0 to its precision.")),
    }
}

fn length(ty: &'static str, modifiers: &[i64]) -> Result<Option<u32>> {
    match *modifiers {
        [] => Ok(None),
        [n] if n < 1 => Err(BindingError::LengthTooSmall { ty }.into()),
        [n] if n > MAX_LENGTH => Err(BindingError::LengthTooLarge { ty, limit: MAX_LENGTH }.into()),
        [n] => Ok(u32::try_from(n).ok()),
        _ => Err(BindingError::InvalidTypeModifier { ty }.into()),
    }
}

/// A type of time, which here always keeps microseconds.
fn fraction(ty: DataType, name: &TypeName) -> Result<DataType> {
    match *name.modifiers {
        [] | [6] => Ok(ty),
        _ => Err(not_supported(format!("a precision of type {} other than 6", name.name))),
    }
}
