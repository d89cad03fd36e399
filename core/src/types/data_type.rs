//! SQL types with their modifiers, and what PostgreSQL's catalog says about each: name, oid, typmod, length,
//! category. One table row per type would be shorter, but the compiler would not notice a missing one.

use super::PhysicalType;
use std::fmt;

/// The type of a column, parameter or expression, modifiers included.
///
/// Two types are *the same* to name resolution when their [`oid`](DataType::oid)s are equal; they are stored alike
/// when their [`physical`](DataType::physical) types are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataType {
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric(precision,scale)`: every value is an integer multiple of 10^-scale, stored as that integer.
    Numeric {
        /// Decimal digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// `numeric` without modifiers: each value carries its own scale ([`Decimal::pack`](super::Decimal::pack)).
    AnyNumeric,
    /// `text`
    Text,
    /// `character varying`, with its limit in characters.
    VarChar(Option<u32>),
    /// `character(n)`. Values are kept without their trailing blanks, which are insignificant in comparisons, and
    /// padded where they leave the engine.
    Char(u32),
    /// `bytea`
    Bytea,
    /// `date`: days since 2000-01-01.
    Date,
    /// `time without time zone`: microseconds since midnight, 24:00:00 included.
    Time,
    /// `timestamp without time zone`: microseconds since 2000-01-01.
    Timestamp,
    /// `timestamp with time zone`: microseconds since 2000-01-01 00:00 UTC.
    TimestampTz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// A literal or parameter whose type is not resolved yet; its value is text or NULL.
    Unknown,
}

/// PostgreSQL's `typcategory`: implicit conversions prefer to stay inside one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TypeCategory {
    /// `B`
    Boolean,
    /// `N`
    Numeric,
    /// `S`
    String,
    /// `D`
    DateTime,
    /// `T`
    Timespan,
    /// `U`
    User,
    /// `X`
    Unknown,
}

impl DataType {
    /// The largest precision of `numeric`.
    pub const MAX_PRECISION: u8 = 38;

    /// The object id PostgreSQL's catalog gives the type.
    pub fn oid(&self) -> u32 {
        match self {
            Self::Boolean => 16,
            Self::SmallInt => 21,
            Self::Integer => 23,
            Self::BigInt => 20,
            Self::Real => 700,
            Self::Double => 701,
            Self::Numeric { .. } | Self::AnyNumeric => 1700,
            Self::Text => 25,
            Self::VarChar(_) => 1043,
            Self::Char(_) => 1042,
            Self::Bytea => 17,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::TimestampTz => 1184,
            Self::Interval => 1186,
            Self::Uuid => 2950,
            Self::Unknown => 705,
        }
    }

    /// The type with this oid and typmod, as a client names it in the protocol or a cast.
    pub fn from_oid(oid: u32, typmod: i32) -> Option<Self> {
        let length = (typmod >= 4).then(|| (typmod - 4).unsigned_abs());
        Some(match oid {
            16 => Self::Boolean,
            21 => Self::SmallInt,
            23 => Self::Integer,
            20 => Self::BigInt,
            700 => Self::Real,
            701 => Self::Double,
            1700 => match length {
                None => Self::AnyNumeric,
                Some(bits) => {
                    let (precision, scale) =
                        (u8::try_from(bits >> 16).ok()?, u8::try_from(bits & 0x7ff).ok()?);
                    if precision > Self::MAX_PRECISION || scale > precision {
                        return None;
                    }
                    Self::Numeric { precision, scale }
                }
            },
            25 => Self::Text,
            1043 => Self::VarChar(length),
            1042 => Self::Char(length.unwrap_or(1)),
            17 => Self::Bytea,
            1082 => Self::Date,
            1083 => Self::Time,
            1114 => Self::Timestamp,
            1184 => Self::TimestampTz,
            1186 => Self::Interval,
            2950 => Self::Uuid,
            705 => Self::Unknown,
            _ => return None,
        })
    }

    /// `pg_type.typname`: `int4` where [`Display`](fmt::Display) says `integer`.
    pub fn typname(&self) -> &'static str {
        match self {
            Self::Boolean => "bool",
            Self::SmallInt => "int2",
            Self::Integer => "int4",
            Self::BigInt => "int8",
            Self::Real => "float4",
            Self::Double => "float8",
            Self::Numeric { .. } | Self::AnyNumeric => "numeric",
            Self::Text => "text",
            Self::VarChar(_) => "varchar",
            Self::Char(_) => "bpchar",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Unknown => "unknown",
        }
    }

    /// The type's name without modifiers, as error messages and `format_type(oid, NULL)` print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::SmallInt => "smallint",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Real => "real",
            Self::Double => "double precision",
            Self::Numeric { .. } | Self::AnyNumeric => "numeric",
            Self::Text => "text",
            Self::VarChar(_) => "character varying",
            Self::Char(_) => "character",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time without time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::TimestampTz => "timestamp with time zone",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Unknown => "unknown",
        }
    }

    /// `pg_attribute.atttypmod`: -1 without modifiers.
    pub fn typmod(&self) -> i32 {
        match self {
            Self::Numeric { precision, scale } => ((i32::from(*precision) << 16) | i32::from(*scale)) + 4,
            Self::VarChar(Some(n)) | Self::Char(n) => i32::try_from(*n).map_or(-1, |n| n.saturating_add(4)),
            _ => -1,
        }
    }

    /// `pg_type.typlen`: bytes in PostgreSQL's binary representation, -1 if variable, -2 for C strings.
    pub fn typlen(&self) -> i16 {
        match self {
            Self::Boolean => 1,
            Self::SmallInt => 2,
            Self::Integer | Self::Real | Self::Date => 4,
            Self::BigInt | Self::Double | Self::Time | Self::Timestamp | Self::TimestampTz => 8,
            Self::Interval | Self::Uuid => 16,
            Self::Unknown => -2,
            Self::Numeric { .. }
            | Self::AnyNumeric
            | Self::Text
            | Self::VarChar(_)
            | Self::Char(_)
            | Self::Bytea => -1,
        }
    }

    /// How values of the type lie in vectors and rows.
    pub fn physical(&self) -> PhysicalType {
        match self {
            Self::Boolean => PhysicalType::Bool,
            Self::SmallInt => PhysicalType::I16,
            Self::Integer | Self::Date => PhysicalType::I32,
            Self::BigInt | Self::Time | Self::Timestamp | Self::TimestampTz => PhysicalType::I64,
            Self::Real => PhysicalType::F32,
            Self::Double => PhysicalType::F64,
            Self::Numeric { precision: ..=18, .. } => PhysicalType::I64,
            Self::Numeric { .. } | Self::AnyNumeric => PhysicalType::I128,
            Self::Text | Self::VarChar(_) | Self::Char(_) | Self::Bytea | Self::Unknown => {
                PhysicalType::Bytes
            }
            Self::Interval => PhysicalType::Interval,
            Self::Uuid => PhysicalType::Uuid,
        }
    }

    /// The category for overload resolution.
    pub fn category(&self) -> TypeCategory {
        match self {
            Self::Boolean => TypeCategory::Boolean,
            Self::SmallInt
            | Self::Integer
            | Self::BigInt
            | Self::Real
            | Self::Double
            | Self::Numeric { .. }
            | Self::AnyNumeric => TypeCategory::Numeric,
            Self::Text | Self::VarChar(_) | Self::Char(_) => TypeCategory::String,
            Self::Date | Self::Time | Self::Timestamp | Self::TimestampTz => TypeCategory::DateTime,
            Self::Interval => TypeCategory::Timespan,
            Self::Bytea | Self::Uuid => TypeCategory::User,
            Self::Unknown => TypeCategory::Unknown,
        }
    }

    /// Whether the type is the preferred one of its category.
    pub fn is_preferred(&self) -> bool {
        matches!(self, Self::Boolean | Self::Double | Self::Text | Self::TimestampTz | Self::Interval)
    }

    /// Whether values are [`Value::Text`](super::Value::Text).
    pub fn is_string(&self) -> bool {
        self.category() == TypeCategory::String
    }

    /// Whether values are [`Value::Numeric`](super::Value::Numeric).
    pub fn is_decimal(&self) -> bool {
        matches!(self, Self::Numeric { .. } | Self::AnyNumeric)
    }
}

/// The name with modifiers, as `format_type(oid, typmod)` prints it.
impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            Self::VarChar(Some(n)) | Self::Char(n) => write!(f, "{}({n})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_format_type() {
        assert_eq!(DataType::Numeric { precision: 15, scale: 2 }.to_string(), "numeric(15,2)");
        assert_eq!(DataType::AnyNumeric.to_string(), "numeric");
        assert_eq!(DataType::VarChar(Some(10)).to_string(), "character varying(10)");
        assert_eq!(DataType::VarChar(None).to_string(), "character varying");
        assert_eq!(DataType::Char(3).to_string(), "character(3)");
        assert_eq!(DataType::Timestamp.to_string(), "timestamp without time zone");
    }

    #[test]
    fn oid_and_typmod_name_the_type() {
        for ty in [
            DataType::Boolean,
            DataType::SmallInt,
            DataType::Integer,
            DataType::BigInt,
            DataType::Real,
            DataType::Double,
            DataType::Numeric { precision: 15, scale: 2 },
            DataType::AnyNumeric,
            DataType::Text,
            DataType::VarChar(Some(10)),
            DataType::VarChar(None),
            DataType::Char(1),
            DataType::Bytea,
            DataType::Date,
            DataType::Time,
            DataType::Timestamp,
            DataType::TimestampTz,
            DataType::Interval,
            DataType::Uuid,
            DataType::Unknown,
        ] {
            assert_eq!(DataType::from_oid(ty.oid(), ty.typmod()), Some(ty));
        }
        assert_eq!(DataType::Numeric { precision: 15, scale: 2 }.typmod(), 983_046);
        assert_eq!(DataType::from_oid(1700, (39 << 16) + 4), None);
    }
}
