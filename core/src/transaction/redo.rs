//! What the log holds: row effects of transactions, self-contained and logical.
//!
//! ```text
//! log record:  kind u8 | flags u8 | transaction u64 | ...
//!   1 commit     | timestamp u64 | wall clock, unix microseconds i64 | node u32 | chunks u32 | effects ...
//!   2 chunk      | number u32 | effects ...              effects of a transaction written before its end
//!   3 undo to    | bytes u64                             its effects from there on do not count
//!   4 abort      |                                       none of them do
//! effect:      kind u8 | flags u8 | object u32 | row u64 | schema u32 | length u32 | payload
//!   1 insert     payload: the row
//!   2 update     payload: columns u16, each column u16, then their values as a row
//!   3 delete     no payload
//!   4 create table   payload: its definition
//!   5 create index   payload: its definition; the object is its table
//!   6 drop           no payload
//! ```
//! flags: bit 0, a reader that does not know the kind passes it over; without it such a record is damage.
//! Numbers are little-endian. Rows are in the form of `codec::row`; long values are in them whole. There are no page
//! numbers, no SQL, no index entries: applying the same effects to the same rows gives the same database anywhere.

use crate::error::{Result, StorageError};
use crate::ids::{ObjectId, RowId, Timestamp, TransactionId};

const COMMIT: u8 = 1;
const CHUNK: u8 = 2;
const UNDO_TO: u8 = 3;
const ABORT: u8 = 4;

const INSERT: u8 = 1;
const UPDATE: u8 = 2;
const DELETE: u8 = 3;
const CREATE_TABLE: u8 = 4;
const CREATE_INDEX: u8 = 5;
const DROP: u8 = 6;

/// What a reader does not know it may pass over.
const OPTIONAL: u8 = 1;

const EFFECT_HEADER: usize = 22;
const RECORD_HEADER: usize = 10;

/// A change of one row, as replay applies it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect<'a> {
    /// A new row.
    Insert {
        /// Its table.
        table: ObjectId,
        /// Its id.
        row: RowId,
        /// The schema version of `values`.
        schema: u32,
        /// The whole row.
        values: &'a [u8],
    },
    /// New values of some columns.
    Update {
        /// Its table.
        table: ObjectId,
        /// Its id.
        row: RowId,
        /// The schema version of `values`.
        schema: u32,
        /// The columns, each a little-endian u16.
        columns: &'a [u8],
        /// Their values.
        values: &'a [u8],
    },
    /// A row gone.
    Delete {
        /// Its table.
        table: ObjectId,
        /// Its id.
        row: RowId,
    },
    /// A new table.
    CreateTable {
        /// Its id.
        table: ObjectId,
        /// What it is, as `table` encodes it.
        definition: &'a [u8],
    },
    /// A new index over the rows that are there.
    CreateIndex {
        /// Its table.
        table: ObjectId,
        /// What it is, as `table` encodes it.
        definition: &'a [u8],
    },
    /// A table with its indexes, or an index, gone.
    Drop {
        /// Which.
        object: ObjectId,
    },
}

impl Effect<'_> {
    /// Appends the effect to a redo buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = |kind: u8, object: ObjectId, row: RowId, schema: u32, length: usize| {
            let length = u32::try_from(length).expect("rows are bounded far below 4 GiB");
            out.extend_from_slice(&[kind, 0]);
            out.extend_from_slice(&object.0.to_le_bytes());
            out.extend_from_slice(&row.0.to_le_bytes());
            out.extend_from_slice(&schema.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
        };
        match *self {
            Self::Insert { table, row, schema, values } => {
                header(INSERT, table, row, schema, values.len());
                out.extend_from_slice(values);
            }
            Self::Update { table, row, schema, columns, values } => {
                header(UPDATE, table, row, schema, 2 + columns.len() + values.len());
                let count = u16::try_from(columns.len() / 2).expect("columns are counted in thousands");
                out.extend_from_slice(&count.to_le_bytes());
                out.extend_from_slice(columns);
                out.extend_from_slice(values);
            }
            Self::Delete { table, row } => header(DELETE, table, row, 0, 0),
            Self::CreateTable { table, definition } => {
                header(CREATE_TABLE, table, RowId(0), 0, definition.len());
                out.extend_from_slice(definition);
            }
            Self::CreateIndex { table, definition } => {
                header(CREATE_INDEX, table, RowId(0), 0, definition.len());
                out.extend_from_slice(definition);
            }
            Self::Drop { object } => header(DROP, object, RowId(0), 0, 0),
        }
    }
}

fn damaged(reason: &str) -> StorageError {
    StorageError::Corrupt { reason: format!("a log record is damaged: {reason}") }
}

/// The effects in a redo buffer.
#[derive(Clone, Debug)]
pub struct Effects<'a>(&'a [u8]);

impl<'a> Effects<'a> {
    /// Those in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next effect, None for one to be passed over.
    fn decode(&mut self) -> Result<Option<Effect<'a>>> {
        let Some((header, rest)) = self.0.split_at_checked(EFFECT_HEADER) else {
            return Err(damaged("an effect is cut short").into());
        };
        let (table, row) = (ObjectId(u32_at(header, 2)), RowId(u64_at(header, 6)));
        let schema = u32_at(header, 14);
        let length = u32_at(header, 18) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            return Err(damaged("an effect is cut short").into());
        };
        self.0 = rest;
        Ok(Some(match header[0] {
            INSERT => Effect::Insert { table, row, schema, values: payload },
            UPDATE => {
                let (count, rest) =
                    payload.split_at_checked(2).ok_or_else(|| damaged("an update is cut short"))?;
                let bytes = 2 * usize::from(u16::from_le_bytes([count[0], count[1]]));
                let (columns, values) =
                    rest.split_at_checked(bytes).ok_or_else(|| damaged("an update is cut short"))?;
                Effect::Update { table, row, schema, columns, values }
            }
            DELETE => Effect::Delete { table, row },
            CREATE_TABLE => Effect::CreateTable { table, definition: payload },
            CREATE_INDEX => Effect::CreateIndex { table, definition: payload },
            DROP => Effect::Drop { object: table },
            _ if header[1] & OPTIONAL != 0 => return Ok(None),
            _ => return Err(damaged("unknown effect").into()),
        }))
    }
}

impl<'a> Iterator for Effects<'a> {
    type Item = Result<Effect<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match self.decode() {
                Ok(Some(effect)) => return Some(Ok(effect)),
                Ok(None) => {}
                Err(error) => {
                    self.0 = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// A record of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogRecord<'a> {
    /// A transaction's end and the rest of its effects.
    Commit {
        /// Who.
        transaction: TransactionId,
        /// Its place in the order of commits.
        ts: Timestamp,
        /// Unix microseconds; replay ignores them.
        wall_clock: i64,
        /// The node that committed; replay ignores it.
        node: u32,
        /// Chunks written before.
        chunks: u32,
        /// The effects after those in the chunks.
        effects: &'a [u8],
    },
    /// Effects of a transaction that had not ended.
    Chunk {
        /// Who.
        transaction: TransactionId,
        /// Counted from 0.
        number: u32,
        /// What.
        effects: &'a [u8],
    },
    /// The transaction's effects from byte `bytes` on were taken back.
    UndoTo {
        /// Who.
        transaction: TransactionId,
        /// Bytes of effects that stand.
        bytes: u64,
    },
    /// All its effects were.
    Abort {
        /// Who.
        transaction: TransactionId,
    },
}

impl<'a> LogRecord<'a> {
    /// The fixed part; the effects follow it in the log.
    pub fn encode_header(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        let mut start = |kind: u8, transaction: TransactionId| {
            out.extend_from_slice(&[kind, 0]);
            out.extend_from_slice(&transaction.0.to_le_bytes());
        };
        match *self {
            Self::Commit { transaction, ts, wall_clock, node, chunks, effects: _ } => {
                start(COMMIT, transaction);
                out.extend_from_slice(&ts.0.to_le_bytes());
                out.extend_from_slice(&wall_clock.to_le_bytes());
                out.extend_from_slice(&node.to_le_bytes());
                out.extend_from_slice(&chunks.to_le_bytes());
            }
            Self::Chunk { transaction, number, effects: _ } => {
                start(CHUNK, transaction);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::UndoTo { transaction, bytes } => {
                start(UNDO_TO, transaction);
                out.extend_from_slice(&bytes.to_le_bytes());
            }
            Self::Abort { transaction } => start(ABORT, transaction),
        }
        out
    }

    /// Reads a record; None for one to be passed over.
    ///
    /// # Errors
    /// XX001 when the bytes are none.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<Self>> {
        let cut_short = || damaged("it is cut short");
        let (start, rest) = bytes.split_at_checked(RECORD_HEADER).ok_or_else(cut_short)?;
        let fixed = |length: usize| rest.split_at_checked(length).ok_or_else(cut_short);
        let transaction = TransactionId(u64_at(start, 2));
        Ok(Some(match start[0] {
            COMMIT => {
                let (header, effects) = fixed(24)?;
                Self::Commit {
                    transaction,
                    ts: Timestamp(u64_at(header, 0)),
                    wall_clock: u64_at(header, 8).cast_signed(),
                    node: u32_at(header, 16),
                    chunks: u32_at(header, 20),
                    effects,
                }
            }
            CHUNK => {
                let (header, effects) = fixed(4)?;
                Self::Chunk { transaction, number: u32_at(header, 0), effects }
            }
            UNDO_TO => Self::UndoTo { transaction, bytes: u64_at(fixed(8)?.0, 0) },
            ABORT => Self::Abort { transaction },
            _ if start[1] & OPTIONAL != 0 => return Ok(None),
            _ => return Err(damaged("unknown kind").into()),
        }))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_a_round_trip_and_damage_is_told() {
        let effects = [
            Effect::Insert { table: ObjectId(7), row: RowId(1), schema: 2, values: b"abc" },
            Effect::Update {
                table: ObjectId(7),
                row: RowId(2),
                schema: 2,
                columns: &[1, 0, 3, 0],
                values: b"x",
            },
            Effect::Delete { table: ObjectId(8), row: RowId(u64::MAX) },
            Effect::CreateTable { table: ObjectId(9), definition: b"t" },
            Effect::CreateIndex { table: ObjectId(9), definition: b"" },
            Effect::Drop { object: ObjectId(9) },
        ];
        let mut buffer = Vec::new();
        effects.iter().for_each(|effect| effect.encode(&mut buffer));
        let read: Vec<_> = Effects::new(&buffer).collect::<Result<_>>().unwrap();
        assert_eq!(read, effects);
        for cut in 1..buffer.len() {
            Effects::new(&buffer[..cut]).for_each(drop);
        }
        let id = TransactionId(5 << 16);
        for record in [
            LogRecord::Commit {
                transaction: id,
                ts: Timestamp(9),
                wall_clock: -1,
                node: 3,
                chunks: 2,
                effects: &buffer,
            },
            LogRecord::Chunk { transaction: id, number: 4, effects: &buffer },
            LogRecord::UndoTo { transaction: id, bytes: 77 },
            LogRecord::Abort { transaction: id },
        ] {
            let mut bytes = record.encode_header();
            if matches!(record, LogRecord::Commit { .. } | LogRecord::Chunk { .. }) {
                bytes.extend_from_slice(&buffer);
            }
            assert_eq!(LogRecord::decode(&bytes).unwrap(), Some(record));
            assert!(LogRecord::decode(&bytes[..5]).is_err());
            bytes[0] = 200;
            assert!(LogRecord::decode(&bytes).is_err());
            bytes[1] = 1;
            assert_eq!(LogRecord::decode(&bytes).unwrap(), None);
        }
    }
}
