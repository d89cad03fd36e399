//! The catalog's own tables: how entries are stored.
//!
//! ```text
//! 1 relations    oid | schema | name | kind | storage | table | row key | unique | primary | constraint | key
//! 2   their names: unique index over (schema, name), so that tables and indexes share one name space
//! 3 columns      id = oid << 16 | number | name | type | modifier | not null | default
//! 4 checks       id = oid << 16 | ordinal | name | condition
//! 5 statistics   id = oid << 16 | number, all ones for the table itself | encoded
//! ```
//! They are ordinary tables whose row id is their first column, written in the transaction that changes an object, so
//! that rollback, recovery and snapshots are those of rows.

use super::{
    CheckEntry, ColumnEntry, ColumnStatistics, IndexColumn, IndexEntry, TableEntry, TableKind,
    TableStatistics,
};
use crate::codec::fields::{FieldReader, FieldWriter};
use crate::codec::key::KeyColumn;
use crate::codec::row::Cell;
use crate::error::{DataError, ErrorKind, Result, StatementError, StorageError};
use crate::ids::ObjectId;
use crate::table::{self, ChunkScan, IndexDef, RowKey, RowRange, Store, TableDef};
use crate::transaction::{ReadView, Transaction};
use crate::types::{Chunk, DataType, Scalar, TimeContext, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

const RELATIONS: ObjectId = ObjectId(1);
const RELATION_NAMES: ObjectId = ObjectId(2);
const COLUMNS: ObjectId = ObjectId(3);
const CHECKS: ObjectId = ObjectId(4);
const STATISTICS: ObjectId = ObjectId(5);

const KIND_TABLE: i16 = 0;
const KIND_INDEX: i16 = 1;
/// Stands for the table itself among its columns' statistics.
const WHOLE_TABLE: u16 = u16::MAX;

fn column(name: &str, ty: DataType, not_null: bool) -> table::ColumnDef {
    table::ColumnDef { name: name.to_owned(), ty, not_null }
}

fn definition(object: ObjectId, name: &str, columns: Vec<table::ColumnDef>) -> TableDef {
    TableDef { object, name: name.to_owned(), schema: 1, columns, row_key: RowKey::Column(0) }
}

fn definitions() -> [TableDef; 4] {
    use DataType::{BigInt, Boolean, Bytea, Integer, SmallInt, Text};
    [
        definition(
            RELATIONS,
            "system_relations",
            vec![
                column("oid", BigInt, true),
                column("schema", Text, true),
                column("name", Text, true),
                column("kind", SmallInt, true),
                column("storage", BigInt, true),
                column("of_table", BigInt, true),
                column("row_key", Integer, false),
                column("is_unique", Boolean, true),
                column("is_primary", Boolean, true),
                column("is_constraint", Boolean, true),
                column("key", Bytea, false),
            ],
        ),
        definition(
            COLUMNS,
            "system_columns",
            vec![
                column("id", BigInt, true),
                column("name", Text, true),
                column("type", BigInt, true),
                column("modifier", Integer, true),
                column("not_null", Boolean, true),
                column("default_sql", Text, false),
            ],
        ),
        definition(
            CHECKS,
            "system_checks",
            vec![column("id", BigInt, true), column("name", Text, true), column("condition", Text, true)],
        ),
        definition(
            STATISTICS,
            "system_statistics",
            vec![column("id", BigInt, true), column("encoded", Bytea, true)],
        ),
    ]
}

/// Whether the database has its system tables.
pub(super) fn exist(store: &Store) -> bool {
    store.table(RELATIONS).is_ok()
}

/// Makes the system tables of a new database.
pub(super) fn create(store: &Store, tx: &mut Transaction) -> Result<()> {
    for def in definitions() {
        let table = store.create_table(tx, &def)?;
        if def.object == RELATIONS {
            let key = |column: u16| table::IndexColumn {
                column,
                key: KeyColumn { ty: DataType::Text, descending: false, nulls_first: false },
            };
            let names = IndexDef {
                object: RELATION_NAMES,
                name: "system_relation_names".to_owned(),
                unique: true,
                columns: vec![key(1), key(2)],
            };
            store.create_index(tx, &table, &names)?;
        }
    }
    Ok(())
}

fn id_of(oid: ObjectId, number: u16) -> i64 {
    i64::from(oid.0) << 16 | i64::from(number)
}

fn number(index: usize) -> Result<u16> {
    u16::try_from(index).map_err(|_| damaged("a table has too many parts"))
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// The rows of a table's entry, by system table.
fn rows_of(entry: &TableEntry) -> Result<Vec<(ObjectId, Vec<Value>)>> {
    let oid = |id: ObjectId| Value::BigInt(i64::from(id.0));
    let mut rows = Vec::new();
    let row_key = match entry.row_key {
        RowKey::Hidden => Value::Null,
        RowKey::Column(column) => Value::Integer(column.into()),
    };
    let no = Value::Boolean(false);
    rows.push((
        RELATIONS,
        vec![
            oid(entry.oid),
            text(&entry.schema),
            text(&entry.name),
            Value::SmallInt(KIND_TABLE),
            oid(entry.storage),
            oid(entry.oid),
            row_key,
            no.clone(),
            no.clone(),
            no,
            Value::Null,
        ],
    ));
    for index in &entry.indexes {
        rows.push((
            RELATIONS,
            vec![
                oid(index.oid),
                text(&entry.schema),
                text(&index.name),
                Value::SmallInt(KIND_INDEX),
                oid(index.oid),
                oid(entry.oid),
                Value::Null,
                Value::Boolean(index.unique),
                Value::Boolean(index.primary),
                Value::Boolean(index.constraint),
                Value::Bytea(encode_key(&index.columns).into()),
            ],
        ));
    }
    for (index, column) in entry.columns.iter().enumerate() {
        rows.push((
            COLUMNS,
            vec![
                Value::BigInt(id_of(entry.oid, number(index)?)),
                text(&column.name),
                Value::BigInt(column.ty.oid().into()),
                Value::Integer(column.ty.typmod()),
                Value::Boolean(column.not_null),
                column.default.as_deref().map_or(Value::Null, text),
            ],
        ));
    }
    for (index, check) in entry.checks.iter().enumerate() {
        let id = Value::BigInt(id_of(entry.oid, number(index)?));
        rows.push((CHECKS, vec![id, text(&check.name), text(&check.sql)]));
    }
    if let Some(statistics) = &entry.statistics {
        let row = |number, bytes: Vec<u8>| {
            (STATISTICS, vec![Value::BigInt(id_of(entry.oid, number)), Value::Bytea(bytes.into())])
        };
        let mut whole = FieldWriter::default();
        whole.u64(statistics.rows);
        whole.u64(statistics.pages);
        rows.push(row(WHOLE_TABLE, whole.bytes));
        for (index, (column, known)) in entry.columns.iter().zip(&statistics.columns).enumerate() {
            rows.push(row(number(index)?, encode_statistics(known, &column.ty)));
        }
    }
    Ok(rows)
}

fn encode_key(columns: &[IndexColumn]) -> Vec<u8> {
    let mut out = FieldWriter::default();
    out.count(columns.len());
    for column in columns {
        out.u16(column.column);
        out.u8(u8::from(column.descending));
        out.u8(u8::from(column.nulls_first));
    }
    out.bytes
}

fn decode_key(bytes: &[u8]) -> Result<Vec<IndexColumn>> {
    let mut from = FieldReader::new(bytes, "the columns of an index");
    let mut columns = Vec::new();
    for _ in 0..from.count()? {
        let column = from.u16()?;
        columns.push(IndexColumn { column, descending: from.u8()? != 0, nulls_first: from.u8()? != 0 });
    }
    Ok(columns)
}

fn encode_statistics(known: &ColumnStatistics, ty: &DataType) -> Vec<u8> {
    let mut out = FieldWriter::default();
    for number in [known.null_fraction, known.distinct, known.width] {
        out.u64(number.to_bits());
    }
    let as_text = |value: &Value| value.to_text(ty, &TimeContext::default()).unwrap_or_default();
    out.count(known.most_common.len());
    for (value, share) in &known.most_common {
        out.counted(as_text(value).as_bytes());
        out.u64(share.to_bits());
    }
    out.count(known.bounds.len());
    for value in &known.bounds {
        out.counted(as_text(value).as_bytes());
    }
    out.bytes
}

fn decode_statistics(bytes: &[u8], ty: &DataType) -> Result<ColumnStatistics> {
    let mut from = FieldReader::new(bytes, "the statistics of a column");
    let times = TimeContext::default();
    let mut known = ColumnStatistics {
        null_fraction: f64::from_bits(from.u64()?),
        distinct: f64::from_bits(from.u64()?),
        width: f64::from_bits(from.u64()?),
        ..ColumnStatistics::default()
    };
    for _ in 0..from.count()? {
        let value = Value::parse(&from.text()?, ty, &times)?;
        known.most_common.push((value, f64::from_bits(from.u64()?)));
    }
    for _ in 0..from.count()? {
        known.bounds.push(Value::parse(&from.text()?, ty, &times)?);
    }
    Ok(known)
}

/// Writes the rows of an entry.
///
/// # Errors
/// 42P07 when a name is taken by a transaction that has committed since; errors of writing.
pub(super) fn insert(store: &Store, tx: &mut Transaction, entry: &TableEntry) -> Result<()> {
    for (object, values) in rows_of(entry)? {
        let table = store.table(object)?;
        let types: Vec<DataType> = table.def().columns.iter().map(|column| column.ty).collect();
        let scalars: Vec<Scalar<'_>> =
            values.iter().zip(&types).map(|(value, ty)| value.to_scalar(ty)).collect::<Result<_>>()?;
        let mut bytes = Vec::new();
        table.layout().encode(&mut bytes, |index| Cell::Scalar(scalars[index]));
        let mut suspects = Vec::new();
        table.insert(store, tx, &bytes, &mut suspects)?;
        table.check_unique(store, tx, &suspects).map_err(|error| match error.kind() {
            ErrorKind::Data(DataError::UniqueViolation { .. }) => {
                let name = match &values[2] {
                    Value::Text(name) => name.to_string(),
                    _ => entry.name.clone(),
                };
                StatementError::DuplicateTable { name }.into()
            }
            _ => error,
        })?;
    }
    Ok(())
}

/// Removes the rows of an entry.
///
/// # Errors
/// Errors of writing; 40001 when a row is not there any more.
pub(super) fn remove(store: &Store, tx: &mut Transaction, entry: &TableEntry) -> Result<()> {
    for (object, values) in rows_of(entry)? {
        let Value::BigInt(key) = values[0] else { continue };
        match store.table(object)?.delete(store, tx, TableDef::row_of_key(key))? {
            table::Written::Done | table::Written::Again => {}
            table::Written::Changed | table::Written::Deleted => {
                return Err(crate::error::TransactionError::Serialization { cause: "update" }.into());
            }
        }
    }
    Ok(())
}

/// Hands the rows of a system table to `visit`.
fn read(
    store: &Store,
    view: &ReadView,
    object: ObjectId,
    mut visit: impl FnMut(Vec<Value>) -> Result<()>,
) -> Result<()> {
    let table = store.table(object)?;
    let types: Vec<DataType> = table.def().columns.iter().map(|column| column.ty).collect();
    let columns: Vec<u16> = (0..).take(types.len()).collect();
    let mut scan = ChunkScan::new(&columns, false, RowRange::ALL);
    let mut chunk = Chunk::new(scan.shapes(&table));
    while scan.next(&table, store, view, &mut chunk)? {
        for row in 0..chunk.len {
            visit(chunk.row(row, &types))?;
        }
    }
    Ok(())
}

fn damaged(reason: &str) -> crate::Error {
    StorageError::Corrupt { reason: format!("the catalog is damaged: {reason}") }.into()
}

fn long(value: &Value) -> Result<i64> {
    match value {
        Value::BigInt(value) => Ok(*value),
        _ => Err(damaged("a number is missing")),
    }
}

fn object(value: &Value) -> Result<ObjectId> {
    u32::try_from(long(value)?).map(ObjectId).map_err(|_| damaged("an object's id is out of range"))
}

fn string(value: &Value) -> Result<String> {
    match value {
        Value::Text(text) => Ok(text.to_string()),
        _ => Err(damaged("a name is missing")),
    }
}

fn flag(value: &Value) -> bool {
    matches!(value, Value::Boolean(true))
}

/// The owner and the number that an id is made of.
fn split_id(id: i64) -> Result<(ObjectId, u16)> {
    let owner = u32::try_from(id >> 16).map_err(|_| damaged("an id is out of range"))?;
    Ok((ObjectId(owner), (id & 0xffff) as u16))
}

/// All tables as a snapshot sees them.
///
/// # Errors
/// XX001 for rows that make no catalog; I/O errors.
pub(super) fn load(store: &Store, view: &ReadView) -> Result<Vec<TableEntry>> {
    let mut tables: BTreeMap<ObjectId, TableEntry> = BTreeMap::new();
    let mut indexes = Vec::new();
    read(store, view, RELATIONS, |row| {
        let oid = object(&row[0])?;
        if row[3] == Value::SmallInt(KIND_INDEX) {
            let Value::Bytea(key) = &row[10] else { return Err(damaged("an index has no columns")) };
            let index = IndexEntry {
                oid,
                name: string(&row[2])?,
                columns: decode_key(key)?,
                unique: flag(&row[7]),
                primary: flag(&row[8]),
                constraint: flag(&row[9]),
            };
            indexes.push((object(&row[5])?, index));
            return Ok(());
        }
        let row_key = match &row[6] {
            Value::Integer(column) => {
                RowKey::Column(u16::try_from(*column).map_err(|_| damaged("a row key is out of range"))?)
            }
            _ => RowKey::Hidden,
        };
        let entry = TableEntry {
            oid,
            storage: object(&row[4])?,
            schema: string(&row[1])?,
            name: string(&row[2])?,
            kind: TableKind::Base,
            columns: Vec::new(),
            checks: Vec::new(),
            indexes: Vec::new(),
            row_key,
            statistics: None,
        };
        tables.insert(oid, entry);
        Ok(())
    })?;
    let owner = |id: ObjectId, tables: &BTreeMap<ObjectId, TableEntry>| -> Result<()> {
        if tables.contains_key(&id) { Ok(()) } else { Err(damaged("something belongs to no table")) }
    };
    for (table, index) in indexes {
        owner(table, &tables)?;
        tables.entry(table).and_modify(|entry| entry.indexes.push(index));
    }
    read(store, view, COLUMNS, |row| {
        let (table, _) = split_id(long(&row[0])?)?;
        let oid = u32::try_from(long(&row[2])?).map_err(|_| damaged("a type is out of range"))?;
        let Value::Integer(modifier) = row[3] else { return Err(damaged("a type has no modifier")) };
        let column = ColumnEntry {
            name: string(&row[1])?,
            ty: DataType::from_oid(oid, modifier).ok_or_else(|| damaged("a type is unknown"))?,
            not_null: flag(&row[4]),
            default: if row[5].is_null() { None } else { Some(string(&row[5])?) },
        };
        // Rows come in the order of their ids, columns in that of their numbers.
        owner(table, &tables)?;
        tables.entry(table).and_modify(|entry| entry.columns.push(column));
        Ok(())
    })?;
    read(store, view, CHECKS, |row| {
        let (table, _) = split_id(long(&row[0])?)?;
        let check = CheckEntry { name: string(&row[1])?, sql: string(&row[2])? };
        owner(table, &tables)?;
        tables.entry(table).and_modify(|entry| entry.checks.push(check));
        Ok(())
    })?;
    load_statistics(store, view, &mut tables)?;
    Ok(tables.into_values().collect())
}

fn load_statistics(
    store: &Store,
    view: &ReadView,
    tables: &mut BTreeMap<ObjectId, TableEntry>,
) -> Result<()> {
    let mut found: BTreeMap<ObjectId, TableStatistics> = BTreeMap::new();
    read(store, view, STATISTICS, |row| {
        let (table, number) = split_id(long(&row[0])?)?;
        let entry = tables.get(&table).ok_or_else(|| damaged("statistics belong to no table"))?;
        let Value::Bytea(bytes) = &row[1] else { return Err(damaged("statistics are missing")) };
        let statistics =
            found.entry(table).or_insert_with(|| TableStatistics { rows: 0, pages: 0, columns: Vec::new() });
        if number == WHOLE_TABLE {
            let mut from = FieldReader::new(bytes, "the statistics of a table");
            (statistics.rows, statistics.pages) = (from.u64()?, from.u64()?);
            return Ok(());
        }
        let column = entry
            .columns
            .get(usize::from(number))
            .ok_or_else(|| damaged("statistics belong to no column"))?;
        statistics.columns.push(decode_statistics(bytes, &column.ty)?);
        Ok(())
    })?;
    for (table, statistics) in found {
        tables.entry(table).and_modify(|entry| entry.statistics = Some(Arc::new(statistics)));
    }
    Ok(())
}
