//! What a cut knows besides pages: changes to take back, garbage to clear, and where each object's pages begin.
//!
//! ```text
//! cut state:   version u16 | log position of the cut u64 | transactions | garbage
//! transaction: id u64 | changes, newest first
//! change:      kind u8 | object u32 | row u64 | ...
//!   1 insert | 2 fill: last row u64 | 3 revive: schema u32, old row | 4 delete
//!   5 update: schema u32, columns, old values | 6 create | 7 overflow: first page u64
//! garbage:     kind u8 | ...
//!   1 row: table u32, row u64 | 2 key: table u32, index u32, row u64, key
//!   3 overflow: length u32, first page u64 | 4 object: u32
//! domains:     version u16 | next object id u32 | tables
//! table:       definition | root page u64 | next hidden row id u64 | indexes: definition | root page u64
//! ```
//! Lists have a u32 count before them, bytes a u32 length.

use crate::btree::{IndexTree, RowTree};
use crate::codec::fields::{FieldReader, FieldWriter};
use crate::codec::row::OverflowRef;
use crate::error::Result;
use crate::ids::{Lsn, ObjectId, PageId, RowId, TransactionId};
use crate::table::{Index, IndexDef, MAX_HIDDEN_ROW, Table, TableAtCut, TableDef};
use crate::transaction::{Change, Garbage, UndoRecord};
use std::sync::Arc;

const VERSION: u16 = 1;

/// A transaction that was open at the barrier.
pub(super) struct OpenTransaction {
    pub(super) id: TransactionId,
    pub(super) first_chunk: Option<Lsn>,
    pub(super) head: Option<Arc<UndoRecord>>,
}

/// A change to take back.
#[derive(Debug)]
pub(super) struct OpenChange {
    pub(super) object: ObjectId,
    pub(super) row: RowId,
    pub(super) change: Change,
}

/// A cut state that was read.
#[derive(Debug, Default)]
pub(super) struct CutState {
    pub(super) cut_lsn: Lsn,
    /// Transaction by transaction, each newest first. Rows are changed by one open transaction at most, so the
    /// order between transactions does not matter.
    pub(super) changes: Vec<OpenChange>,
    pub(super) garbage: Vec<Garbage>,
}

impl CutState {
    pub(super) fn encode(cut_lsn: Lsn, open: &[OpenTransaction], garbage: &[Garbage]) -> Vec<u8> {
        let mut out = FieldWriter::default();
        out.u16(VERSION);
        out.u64(cut_lsn.0);
        out.count(open.len());
        for transaction in open {
            out.u64(transaction.id.0);
            let mut records = Vec::new();
            let mut next = transaction.head.as_ref();
            while let Some(record) = next {
                records.push(record);
                next = record.previous();
            }
            out.count(records.len());
            for record in records {
                write_change(&mut out, record);
            }
        }
        out.count(garbage.len());
        for garbage in garbage {
            write_garbage(&mut out, garbage);
        }
        out.bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut from = FieldReader::new(bytes, "the state of a cut");
        if from.u16()? != VERSION {
            return Err(from.damaged());
        }
        let cut_lsn = Lsn(from.u64()?);
        let mut changes = Vec::new();
        for _ in 0..from.count()? {
            from.u64()?;
            for _ in 0..from.count()? {
                changes.push(read_change(&mut from)?);
            }
        }
        let garbage = (0..from.count()?).map(|_| read_garbage(&mut from)).collect::<Result<_>>()?;
        if !from.is_empty() {
            return Err(from.damaged());
        }
        Ok(Self { cut_lsn, changes, garbage })
    }
}

fn write_change(out: &mut FieldWriter, record: &UndoRecord) {
    let kind = match &record.change {
        Change::Insert => 1,
        Change::Fill { .. } => 2,
        Change::Revive { .. } => 3,
        Change::Delete { .. } => 4,
        Change::Update { .. } => 5,
        Change::Create => 6,
        Change::Overflow { .. } => 7,
    };
    out.u8(kind);
    out.u32(record.object.0);
    out.u64(record.row.0);
    match &record.change {
        Change::Insert | Change::Delete { .. } | Change::Create => {}
        Change::Fill { last } => out.u64(last.0),
        Change::Revive { schema, old } => {
            out.u32(*schema);
            out.counted(old);
        }
        Change::Update { schema, columns, old } => {
            out.u32(*schema);
            out.count(columns.len());
            columns.iter().for_each(|&column| out.u16(column));
            out.counted(old);
        }
        Change::Overflow { first } => out.u64(first.0),
    }
}

fn read_change(from: &mut FieldReader<'_>) -> Result<OpenChange> {
    let kind = from.u8()?;
    let (object, row) = (ObjectId(from.u32()?), RowId(from.u64()?));
    let change = match kind {
        1 => Change::Insert,
        2 => Change::Fill { last: RowId(from.u64()?) },
        3 => Change::Revive { schema: from.u32()?, old: from.counted()?.into() },
        4 => Change::Delete { moves: false },
        5 => {
            let schema = from.u32()?;
            let columns = (0..from.count()?).map(|_| from.u16()).collect::<Result<_>>()?;
            Change::Update { schema, columns, old: from.counted()?.into() }
        }
        6 => Change::Create,
        7 => Change::Overflow { first: PageId(from.u64()?) },
        _ => return Err(from.damaged()),
    };
    Ok(OpenChange { object, row, change })
}

fn write_garbage(out: &mut FieldWriter, garbage: &Garbage) {
    match garbage {
        Garbage::Row { table, row } => {
            out.u8(1);
            out.u32(table.0);
            out.u64(row.0);
        }
        Garbage::Key { table, index, row, key } => {
            out.u8(2);
            out.u32(table.0);
            out.u32(index.0);
            out.u64(row.0);
            out.counted(key);
        }
        Garbage::Overflow(value) => {
            out.u8(3);
            out.u32(value.length);
            out.u64(value.first.0);
        }
        Garbage::Object(object) => {
            out.u8(4);
            out.u32(object.0);
        }
    }
}

fn read_garbage(from: &mut FieldReader<'_>) -> Result<Garbage> {
    Ok(match from.u8()? {
        1 => Garbage::Row { table: ObjectId(from.u32()?), row: RowId(from.u64()?) },
        2 => Garbage::Key {
            table: ObjectId(from.u32()?),
            index: ObjectId(from.u32()?),
            row: RowId(from.u64()?),
            key: from.counted()?.into(),
        },
        3 => Garbage::Overflow(OverflowRef { length: from.u32()?, first: PageId(from.u64()?) }),
        4 => Garbage::Object(ObjectId(from.u32()?)),
        _ => return Err(from.damaged()),
    })
}

/// Where each object's pages begin.
#[derive(Default)]
pub(super) struct Domains {
    pub(super) next_object: u32,
    pub(super) tables: Vec<Arc<Table>>,
}

impl Domains {
    pub(super) fn encode(next_object: u32, tables: &[TableAtCut]) -> Vec<u8> {
        let mut out = FieldWriter::default();
        out.u16(VERSION);
        out.u32(next_object);
        out.count(tables.len());
        for TableAtCut { table, next_row, indexes } in tables {
            out.counted(&table.def().encode());
            out.u64(table.tree().root().0);
            out.u64(*next_row);
            out.count(indexes.len());
            for index in indexes.iter() {
                out.counted(&index.def.encode());
                out.u64(index.tree.root().0);
            }
        }
        out.bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut from = FieldReader::new(bytes, "the domain table");
        if from.u16()? != VERSION {
            return Err(from.damaged());
        }
        let next_object = from.u32()?;
        let mut tables = Vec::new();
        for _ in 0..from.count()? {
            let def = TableDef::decode(from.counted()?)?;
            let tree = RowTree::open(PageId(from.u64()?), def.object);
            let next_row = from.u64()?;
            if next_row > MAX_HIDDEN_ROW + 1 {
                return Err(from.damaged());
            }
            let mut indexes = Vec::new();
            for _ in 0..from.count()? {
                let index = IndexDef::decode(from.counted()?, &def)?;
                let tree = IndexTree::open(PageId(from.u64()?), index.object);
                indexes.push(Arc::new(Index::new(index, tree, &def)));
            }
            tables.push(Arc::new(Table::new(def, tree, next_row, indexes)));
        }
        if !from.is_empty() {
            return Err(from.damaged());
        }
        Ok(Self { next_object, tables })
    }
}
