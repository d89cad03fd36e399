//! Rows on their way to JavaScript. They are taken apart in the session's thread, so that only the making of
//! JavaScript's own values is left for the event loop.

use crate::failure::Cause;
use napi::bindgen_prelude::{Buffer, Either5, i64n};
use napi_derive::napi;
use rustdb::Column;
use rustdb::types::{DataType, Value};
use std::collections::HashSet;

/// A value: boolean, number, bigint, string or bytes; null of NULL.
pub(crate) type Cell = Option<Either5<bool, f64, i64n, String, Buffer>>;

/// A column of a result.
#[napi(object, object_from_js = false)]
#[derive(Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The oid of its type.
    #[napi(js_name = "dataTypeID")]
    pub data_type_id: u32,
    /// Its type as SQL writes it.
    pub data_type: String,
}

/// The whole result of a statement.
#[napi(object, object_from_js = false)]
pub struct ResultSet {
    /// Its columns.
    pub fields: Vec<Field>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that it changed, if it is a statement that does.
    pub affected_rows: Option<f64>,
}

/// Some rows of a result.
#[napi(object, object_from_js = false)]
pub struct Batch {
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// Whether they are the last.
    pub done: bool,
}

/// What values of `bigint` become.
#[derive(Clone, Copy)]
enum Int8 {
    BigInt,
    Number,
    String,
}

/// How values become JavaScript's.
#[derive(Clone)]
pub(crate) struct Decoding {
    int8: Int8,
    /// Oids of types whose values come as text.
    text_types: HashSet<u32>,
}

/// From 1970-01-01 to 2000-01-01, which dates and timestamps count from, in milliseconds.
const EPOCH_MS: f64 = 946_684_800_000.0;
const DAY_MS: f64 = 86_400_000.0;

impl Decoding {
    /// # Errors
    /// 22023 for an unknown way to read bigint.
    pub(crate) fn new(int8: &str, text_types: Vec<u32>) -> Result<Self, Cause> {
        let int8 = match int8 {
            "bigint" => Int8::BigInt,
            "number" => Int8::Number,
            "string" => Int8::String,
            other => return Err(Cause::new("22023", format!("int8 cannot be \"{other}\""))),
        };
        Ok(Self { int8, text_types: text_types.into_iter().collect() })
    }

    fn cell(&self, row: &rustdb::Row<'_>, place: usize, ty: &DataType) -> rustdb::Result<Cell> {
        let text = || Ok(row.text(place)?.map(Either5::D));
        if self.text_types.contains(&ty.oid()) {
            return text();
        }
        Ok(Some(match row.value(place)? {
            Value::Null => return Ok(None),
            Value::Boolean(v) => Either5::A(v),
            Value::SmallInt(v) => Either5::B(v.into()),
            Value::Integer(v) => Either5::B(v.into()),
            Value::BigInt(v) => match self.int8 {
                Int8::BigInt => Either5::C(i64n(v)),
                Int8::Number => Either5::B(v as f64),
                Int8::String => Either5::D(v.to_string()),
            },
            // The shortest text of a `real` is the number that was meant, not the one nearest to its bits.
            Value::Real(v) => Either5::B(v.to_string().parse().unwrap_or_else(|_| f64::from(v))),
            Value::Double(v) => Either5::B(v),
            Value::Bytea(v) => Either5::E(Vec::from(v).into()),
            Value::Date(i32::MIN) | Value::Timestamp(i64::MIN) | Value::TimestampTz(i64::MIN) => {
                Either5::B(f64::NEG_INFINITY)
            }
            Value::Date(i32::MAX) | Value::Timestamp(i64::MAX) | Value::TimestampTz(i64::MAX) => {
                Either5::B(f64::INFINITY)
            }
            Value::Date(days) => Either5::B(f64::from(days) * DAY_MS + EPOCH_MS),
            Value::Timestamp(micros) | Value::TimestampTz(micros) => {
                Either5::B(micros.div_euclid(1000) as f64 + EPOCH_MS)
            }
            Value::Text(_) | Value::Numeric(_) | Value::Time(_) | Value::Interval(_) | Value::Uuid(_) => {
                return text();
            }
        }))
    }

    /// Up to `limit` rows, and whether the rows ended.
    pub(crate) fn read(&self, rows: &mut rustdb::Rows, limit: usize) -> rustdb::Result<Batch> {
        let types: Vec<DataType> = rows.columns().iter().map(|column| column.ty).collect();
        let mut read = Vec::new();
        while read.len() < limit {
            let Some(row) = rows.next()? else { return Ok(Batch { rows: read, done: true }) };
            let cells = types.iter().enumerate().map(|(place, ty)| self.cell(&row, place, ty));
            read.push(cells.collect::<rustdb::Result<_>>()?);
        }
        Ok(Batch { rows: read, done: false })
    }

    /// The whole result, or its first `limit` rows.
    pub(crate) fn result(&self, mut rows: rustdb::Rows, limit: Option<u32>) -> rustdb::Result<ResultSet> {
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        let batch = self.read(&mut rows, limit)?;
        // Rows are counted where 2^53 is out of reach.
        let affected_rows = rows.affected().map(|rows| rows as f64);
        Ok(ResultSet { fields: fields(rows.columns()), rows: batch.rows, affected_rows })
    }
}

/// The columns of a result.
pub(crate) fn fields(columns: &[Column]) -> Vec<Field> {
    let field = |column: &Column| Field {
        name: column.name.to_string(),
        data_type_id: column.ty.oid(),
        data_type: column.ty.to_string(),
    };
    columns.iter().map(field).collect()
}
