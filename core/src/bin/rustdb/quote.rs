//! Values as they stand in SQL.

use rustdb::types::DataType;

/// A text.
pub(crate) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A value of a type, by its text; NULL without one.
pub(crate) fn literal(text: Option<&str>, ty: &DataType) -> String {
    match text {
        None => "NULL".to_owned(),
        Some(text) if *ty == DataType::Boolean => if text == "t" { "true" } else { "false" }.to_owned(),
        Some(text) if is_number(ty) && text.parse::<f64>().is_ok_and(f64::is_finite) => text.to_owned(),
        Some(text) => string(text),
    }
}

pub(crate) fn is_number(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::SmallInt
            | DataType::Integer
            | DataType::BigInt
            | DataType::Real
            | DataType::Double
            | DataType::Numeric { .. }
            | DataType::AnyNumeric
    )
}
