//! Statements against the engine, as an executor would run them.

use super::model::{ID, Row, Rows};
use rustdb::Result;
use rustdb::btree::{Direction, KeyRange};
use rustdb::codec::row::{Cell, RowView};
use rustdb::engine::{Engine, EngineOptions};
use rustdb::ids::{ObjectId, RowId};
use rustdb::table::{RowKey, Table, TableDef, Written};
use rustdb::transaction::Transaction;
use rustdb::types::Scalar;
use rustdb::vfs::{ManualClock, SeededRng, Vfs};
use rustdb::wal::WalOptions;
use std::path::Path;
use std::sync::Arc;

/// The smallest pool there is.
pub(crate) const FRAMES: usize = 64;

/// Opens or makes the database of a test, in a pool of [`FRAMES`].
pub(crate) fn open(vfs: &Arc<dyn Vfs>, seed: u64) -> Result<Engine> {
    let mut options =
        EngineOptions::new(64 << 20, Arc::new(ManualClock::new(0)), Arc::new(SeededRng::new(seed)));
    options.frames = FRAMES;
    options.wal = WalOptions { segment_bytes: 128 << 10, ring_bytes: 128 << 10, pad: false };
    Engine::open(vfs, Path::new("/t.db"), options)
}

/// A whole row in the form of its table.
pub(crate) fn encode(table: &Table, id: i64, row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    table.layout().encode(&mut out, |column| Cell::Scalar(row.scalar(id, column as u16)));
    out
}

/// INSERT; the statement's end is the caller's, with [`Table::check_unique`] of `suspects`.
pub(crate) fn insert(
    engine: &Engine,
    tx: &mut Transaction,
    table: &Table,
    rows: &[(i64, Arc<Row>)],
) -> Result<()> {
    let encoded: Vec<Vec<u8>> = rows.iter().map(|(id, row)| encode(table, *id, row)).collect();
    let mut suspects = Vec::new();
    match &encoded[..] {
        [row] => drop(table.insert(engine.store(), tx, row, &mut suspects)?),
        rows => {
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            table.insert_many(engine.store(), tx, &rows, &mut suspects)?;
        }
    }
    table.check_unique(engine.store(), tx, &suspects)
}

/// UPDATE of some columns of one row.
pub(crate) fn update(
    engine: &Engine,
    tx: &mut Transaction,
    table: &Table,
    id: i64,
    columns: &[u16],
    row: &Row,
) -> Result<Written> {
    let Some(place) = find(engine, tx, table, id)? else { return Ok(Written::Deleted) };
    let layout = table.layout().project(columns);
    let mut values = Vec::new();
    layout.encode(&mut values, |column| Cell::Scalar(row.scalar(id, columns[column])));
    let mut suspects = Vec::new();
    let written = table.update(engine.store(), tx, place, columns, &values, &mut suspects)?;
    table.check_unique(engine.store(), tx, &suspects)?;
    Ok(written)
}

/// DELETE of one row.
pub(crate) fn delete(engine: &Engine, tx: &mut Transaction, table: &Table, id: i64) -> Result<Written> {
    match find(engine, tx, table, id)? {
        Some(place) => table.delete(engine.store(), tx, place),
        None => Ok(Written::Deleted),
    }
}

/// The row with a key that the statement sees: itself by the key, or through the index of keys.
pub(crate) fn find(engine: &Engine, tx: &Transaction, table: &Table, id: i64) -> Result<Option<RowId>> {
    let places = match table.def().row_key {
        RowKey::Column(_) => vec![TableDef::row_of_key(id)],
        RowKey::Hidden => {
            let indexes = table.indexes();
            let of_keys =
                indexes.iter().find(|index| matches!(&index.def.columns[..], [one] if one.column == ID));
            let index = of_keys.expect("tables with hidden row ids have an index of their keys");
            let mut prefix = Vec::new();
            index.def.columns[0].key.encode(&mut prefix, Scalar::I64(id));
            let mut places = Vec::new();
            let mut cursor = index.tree.cursor(KeyRange::prefix(&prefix), Direction::Forward);
            while let Some(entry) = cursor.next(engine.store().pager())? {
                places.push(index.row_of(entry.key));
            }
            places
        }
    };
    let layout = table.layout().project(&[ID]);
    for place in places {
        let mut out = Vec::new();
        if table.get(engine.store(), &tx.view(), place, &[ID], &layout, &mut out)?
            && layout.view(&out)?.cell(0) == Cell::Scalar(Scalar::I64(id))
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn decode(view: &RowView<'_>) -> (i64, Row) {
    let text = |column| match view.cell(column) {
        Cell::Scalar(Scalar::Bytes(bytes)) => Some(Arc::from(std::str::from_utf8(bytes).expect("UTF-8"))),
        Cell::Scalar(Scalar::Null) => None,
        other => panic!("{other:?} in a column of text"),
    };
    let number = |column| match view.cell(column) {
        Cell::Scalar(Scalar::I64(number)) => Some(number),
        Cell::Scalar(Scalar::Null) => None,
        other => panic!("{other:?} in a column of numbers"),
    };
    let row = Row { number: number(1), word: text(2), body: text(3).expect("a body") };
    (number(0).expect("a key"), row)
}

/// What the current statement sees of a table, with the places of the rows.
pub(crate) fn scan(engine: &Engine, tx: &Transaction, table: &Table) -> Result<(Rows, Vec<(RowId, i64)>)> {
    let mut rows = Rows::new();
    let mut places = Vec::new();
    table.scan(engine.store(), &tx.view(), RowId(0), &[0, 1, 2, 3], |place, view| {
        let (id, row) = decode(&view);
        places.push((place, id));
        assert!(rows.insert(id, Arc::new(row)).is_none(), "two rows with the key {id}");
        Ok(true)
    })?;
    Ok((rows, places))
}

/// An open table that must be there.
pub(crate) fn table(engine: &Engine, object: ObjectId) -> Arc<Table> {
    engine.store().table(object).expect("the table is open")
}

/// A short sequence of pseudo-random numbers.
#[derive(Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len() as u64) as usize]
    }
}
