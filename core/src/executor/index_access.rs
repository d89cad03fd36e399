//! From bounds of a plan to ranges of row ids and of index keys, and from index entries to rows.

use super::resources::Query;
use crate::btree::KeyRange;
use crate::codec::key::{KeyColumn, successor};
use crate::error::Result;
use crate::expr::Expr;
use crate::expr::eval::evaluate_constant;
use crate::ids::{ObjectId, RowId};
use crate::plan::physical::{Bound, Bounds};
use crate::table::{Index, RowRange, Table, TableDef};
use crate::types::{Chunk, DataType, Decimal, PhysicalType, Value};
use std::sync::Arc;

/// One end of a range in terms of a column: the value as the column has values, or nothing beyond.
enum End {
    At {
        value: Value,
        inclusive: bool,
    },
    Open,
    /// No value of the column lies within.
    Nothing,
}

/// Which end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

/// A bound as a value of the column: decimals may have digits or a size that the column has not.
fn end(value: Value, inclusive: bool, side: Side, ty: &DataType) -> End {
    let (Value::Numeric(decimal), DataType::Numeric { precision, scale }) = (&value, ty) else {
        return if value.is_null() { End::Nothing } else { End::At { value, inclusive } };
    };
    let Some(floor) = floor_at(decimal, *scale) else { return beyond(decimal, side) };
    if floor.fit(*precision, *scale).is_err() {
        return beyond(decimal, side);
    }
    // Below a value between two of the column's lies the lower of these, and nothing else between.
    let exact = floor.compare(decimal).is_eq();
    let inclusive = if exact { inclusive } else { side == Side::Upper };
    End::At { value: Value::Numeric(floor), inclusive }
}

/// The greatest decimal of this scale that is not above `decimal`; `None` past 38 digits.
fn floor_at(decimal: &Decimal, scale: u8) -> Option<Decimal> {
    let power = |digits: u8| 10i128.checked_pow(digits.into());
    let value = match decimal.scale.checked_sub(scale) {
        Some(digits) => decimal.value.div_euclid(power(digits)?),
        None => decimal.value.checked_mul(power(scale - decimal.scale)?)?,
    };
    Some(Decimal::new(value, scale))
}

/// The end of a range at a decimal that is larger than any of the column, to either side.
fn beyond(decimal: &Decimal, side: Side) -> End {
    if (decimal.signum() > 0) == (side == Side::Upper) { End::Open } else { End::Nothing }
}

fn bound_end(query: &Query, bound: Option<&Bound>, side: Side, ty: &DataType) -> Result<End> {
    let Some(bound) = bound else { return Ok(End::Open) };
    Ok(end(evaluate_constant(&bound.value, &query.eval())?, bound.inclusive, side, ty))
}

/// The value of an equality, if the column can have it.
fn equal_value(value: Value, ty: &DataType) -> Option<Value> {
    match end(value, true, Side::Lower, ty) {
        End::At { value, inclusive: true } => Some(value),
        End::At { .. } | End::Open | End::Nothing => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::SmallInt(n) => Some((*n).into()),
        Value::Integer(n) => Some((*n).into()),
        Value::BigInt(n) => Some(*n),
        _ => None,
    }
}

/// The row ids within bounds of the column that is the row id; `None` if there are none.
///
/// # Errors
/// Those of the bounds' expressions.
pub(super) fn row_range(query: &Query, table: &Table, bounds: &Bounds) -> Result<Option<RowRange>> {
    let crate::table::RowKey::Column(column) = table.def().row_key else { return Ok(Some(RowRange::ALL)) };
    let ty = table.def().columns[usize::from(column)].ty;
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    for expr in &bounds.equal {
        let Some(key) = integer(&evaluate_constant(expr, &query.eval())?) else { return Ok(None) };
        (low, high) = (low.max(key), high.min(key));
    }
    match bound_end(query, bounds.lower.as_ref(), Side::Lower, &ty)? {
        End::Open => {}
        End::Nothing => return Ok(None),
        End::At { value, inclusive } => {
            let Some(key) = integer(&value) else { return Ok(None) };
            let Some(first) = key.checked_add((!inclusive).into()) else { return Ok(None) };
            low = low.max(first);
        }
    }
    match bound_end(query, bounds.upper.as_ref(), Side::Upper, &ty)? {
        End::Open => {}
        End::Nothing => return Ok(None),
        End::At { value, inclusive } => {
            let Some(key) = integer(&value) else { return Ok(None) };
            let Some(last) = key.checked_sub((!inclusive).into()) else { return Ok(None) };
            high = high.min(last);
        }
    }
    let range = RowRange { first: TableDef::row_of_key(low), last: TableDef::row_of_key(high) };
    Ok((low <= high).then_some(range))
}

/// The keys of an index within bounds; `None` if there are none.
///
/// # Errors
/// Those of the bounds' expressions.
pub(super) fn key_range(query: &Query, index: &Index, bounds: &Bounds) -> Result<Option<KeyRange>> {
    let mut prefix = Vec::new();
    let columns: Vec<KeyColumn> = index.def.columns.iter().map(|column| column.key).collect();
    for (expr, column) in bounds.equal.iter().zip(&columns) {
        let value = evaluate_constant(expr, &query.eval())?;
        let Some(value) = equal_value(value, &column.ty) else { return Ok(None) };
        column.encode_value(&mut prefix, &value)?;
    }
    let next = columns.get(bounds.equal.len());
    let Some(column) = next.filter(|_| bounds.lower.is_some() || bounds.upper.is_some()) else {
        return Ok(Some(KeyRange::prefix(&prefix)));
    };
    let lower = bound_end(query, bounds.lower.as_ref(), Side::Lower, &column.ty)?;
    let upper = bound_end(query, bounds.upper.as_ref(), Side::Upper, &column.ty)?;
    // Keys of a descending column lie the other way around.
    let (first, last) = if column.descending { (upper, lower) } else { (lower, upper) };
    // Values have the marker 1: NULLs lie before or behind them all.
    let mut low = prefix.clone();
    match first {
        End::Nothing => return Ok(None),
        End::Open => low.push(1),
        End::At { value, inclusive } => {
            column.encode_value(&mut low, &value)?;
            if !inclusive && !successor(&mut low) {
                return Ok(None);
            }
        }
    }
    let mut high = prefix;
    match last {
        End::Nothing => return Ok(None),
        End::Open => high.push(2),
        End::At { value, inclusive } => {
            column.encode_value(&mut high, &value)?;
            if inclusive && !successor(&mut high) {
                return Ok(None);
            }
        }
    }
    Ok(Some(KeyRange { lower: low, upper: Some(high) }))
}

/// Entries of an index, waiting for their rows.
#[derive(Default)]
pub(super) struct Entries {
    rows: Vec<RowId>,
    keys: Vec<u8>,
    ends: Vec<usize>,
}

impl Entries {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.keys.clear();
        self.ends.clear();
    }

    /// Adds one, with the key it has in the index.
    pub(super) fn push(&mut self, row: RowId, key: &[u8]) {
        self.rows.push(row);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
    }

    fn key(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[start..self.ends[at]]
    }
}

/// The way from index entries to rows.
pub(super) struct RowFetch {
    pub(super) table: Arc<Table>,
    pub(super) index: Option<Arc<Index>>,
    /// Columns wanted, then those of the index that are not among them.
    columns: Vec<u16>,
    wanted: usize,
    row_ids: bool,
    /// Of each column of the index, its place in `columns`.
    key_places: Vec<usize>,
    key: Vec<u8>,
}

impl RowFetch {
    /// Rows of a table, found through an index or by their ids.
    ///
    /// # Errors
    /// XX001 if the plan names what is not there.
    pub(super) fn new(
        query: &Query,
        table: ObjectId,
        index: Option<ObjectId>,
        wanted: &[u16],
        row_ids: bool,
    ) -> Result<Self> {
        let table = query.store().table(table)?;
        let index = match index {
            None => None,
            Some(object) => {
                let found = table.indexes().iter().find(|index| index.def.object == object).cloned();
                let missing =
                    || crate::error::StorageError::Corrupt { reason: format!("there is no index {object}") };
                Some(found.ok_or_else(missing)?)
            }
        };
        let mut columns = wanted.to_vec();
        let mut key_places = Vec::new();
        for indexed in index.iter().flat_map(|index| &index.def.columns) {
            let place = columns.iter().position(|&column| column == indexed.column);
            key_places.push(place.unwrap_or_else(|| {
                columns.push(indexed.column);
                columns.len() - 1
            }));
        }
        Ok(Self { table, index, columns, wanted: wanted.len(), row_ids, key_places, key: Vec::new() })
    }

    /// The rows of entries from `next` on as the query sees them, and the entry of each; `next` becomes the first entry
    /// not looked at, which is past the last unless the rows' strings fill a chunk. An entry whose row has another key
    /// by now, or had one then, is passed over: the entry of that key finds the row.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub(super) fn fetch(
        &mut self,
        query: &Query,
        entries: &Entries,
        next: &mut usize,
    ) -> Result<(Chunk, Vec<usize>)> {
        let layout = self.table.layout().columns();
        let shapes = self.columns.iter().map(|&column| layout[usize::from(column)]);
        let mut chunk = Chunk::new(shapes.chain(self.row_ids.then_some(PhysicalType::I64)));
        let mut found = Vec::with_capacity(entries.len());
        let (view, rows) = (&query.statement.view, &entries.rows[*next..]);
        let done = self.table.fetch(query.store(), view, rows, &self.columns, &mut chunk, &mut found)?;
        found.iter_mut().for_each(|entry| *entry += *next);
        *next += done;
        if let Some(index) = &self.index {
            let mut kept = Vec::with_capacity(chunk.len);
            for (row, &entry) in found.iter().enumerate() {
                self.key.clear();
                for (indexed, &place) in index.def.columns.iter().zip(&self.key_places) {
                    indexed.key.encode(&mut self.key, chunk.columns[place].scalar(row));
                }
                if self.key == entries.key(entry) {
                    // Rows of a chunk fit u16.
                    kept.push(row as u16);
                }
            }
            if kept.len() < chunk.len {
                found = kept.iter().map(|&row| found[usize::from(row)]).collect();
                chunk.selection = Some(kept.into_iter().collect());
                chunk.compact();
            }
        }
        // The columns of the index that nobody asked for.
        chunk.columns.drain(self.wanted..self.columns.len());
        Ok((chunk, found))
    }
}

/// The values of expressions that are keys of an index, encoded row by row.
pub(super) fn encode_prefix(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = Value>,
    columns: impl Iterator<Item = KeyColumn>,
) -> Result<bool> {
    for (value, column) in values.zip(columns) {
        let Some(value) = equal_value(value, &column.ty) else { return Ok(false) };
        column.encode_value(out, &value)?;
    }
    Ok(true)
}

/// The types of expressions.
pub(super) fn types_of(exprs: &[Expr]) -> Vec<DataType> {
    exprs.iter().map(Expr::data_type).collect()
}
