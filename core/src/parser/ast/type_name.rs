//! Type names as written, reduced to the names of `pg_type`.

use super::name::{Ident, Position};
use std::fmt;

/// A type with its modifiers; whether it exists is for the binder to find out.
///
/// Keyword spellings become the name that PostgreSQL's grammar gives them: `int` and `integer` are `int4`,
/// `double precision` is `float8`, `character(3)` is `bpchar` with modifier 3 (`char` alone has modifier 1),
/// `timestamp with time zone` is `timestamptz`. A quoted `"char"` stays `char`, another type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeName {
    /// The schema, if given.
    pub schema: Option<Ident>,
    /// The name in `pg_type`.
    pub name: String,
    /// Length, or precision and scale; unchecked.
    pub modifiers: Vec<i64>,
    /// What `interval` keeps, as in `interval day to second`.
    pub fields: Option<IntervalFields>,
    /// How many array dimensions follow; 0 for a plain type.
    pub dimensions: u32,
    /// Where the name starts.
    pub position: Position,
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)?;
        for _ in 0..self.dimensions {
            f.write_str("[]")?;
        }
        Ok(())
    }
}

/// The fields that an interval keeps; smaller ones are cut off, larger ones are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntervalFields {
    /// `YEAR`
    Year,
    /// `MONTH`
    Month,
    /// `DAY`
    Day,
    /// `HOUR`
    Hour,
    /// `MINUTE`
    Minute,
    /// `SECOND`
    Second,
    /// `YEAR TO MONTH`
    YearToMonth,
    /// `DAY TO HOUR`
    DayToHour,
    /// `DAY TO MINUTE`
    DayToMinute,
    /// `DAY TO SECOND`
    DayToSecond,
    /// `HOUR TO MINUTE`
    HourToMinute,
    /// `HOUR TO SECOND`
    HourToSecond,
    /// `MINUTE TO SECOND`
    MinuteToSecond,
}
