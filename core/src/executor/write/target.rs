//! The table that a statement writes to: what its rows must satisfy, and their form in storage.

use crate::codec::row::{Cell, RowLayout};
use crate::error::{DataError, Result, StorageError};
use crate::executor::resources::Query;
use crate::expr::eval::Evaluator;
use crate::ids::{ObjectId, RowId};
use crate::plan::logical::Check;
use crate::table::{Suspect, Table};
use crate::transaction::{RowKey, Transaction};
use crate::types::{Chunk, PhysicalType, Scalar, Vector};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Characters of a value that messages show.
const SHOWN_CHARS: usize = 64;

/// The table.
pub(in crate::executor) struct Target {
    pub(super) query: Arc<Query>,
    pub(super) table: Arc<Table>,
    checks: Evaluator,
    names: Vec<String>,
    pub(super) suspects: Vec<Suspect>,
}

impl Target {
    /// A table with its checks.
    ///
    /// # Errors
    /// XX001 if there is none of this id.
    pub(in crate::executor) fn new(query: &Arc<Query>, table: ObjectId, checks: &[Check]) -> Result<Self> {
        let conditions: Vec<_> = checks.iter().map(|check| check.condition.clone()).collect();
        Ok(Self {
            table: query.store().table(table)?,
            checks: Evaluator::new(&conditions)?,
            names: checks.iter().map(|check| check.name.clone()).collect(),
            query: Arc::clone(query),
            suspects: Vec::new(),
        })
    }

    /// Refuses rows of the table that its constraints do not allow. `chunk` has the table's columns.
    ///
    /// # Errors
    /// 23502 and 23514.
    pub(super) fn check(&mut self, chunk: &Chunk) -> Result<()> {
        let def = self.table.def();
        for (column, vector) in def.columns.iter().zip(&chunk.columns) {
            if !column.not_null || !vector.may_have_nulls() {
                continue;
            }
            if let Some(row) = chunk.rows().find(|&row| vector.is_null(row)) {
                let (column, relation) = (column.name.clone(), def.name.clone());
                let error: crate::Error = DataError::NotNullViolation { column, relation }.into();
                return Err(error.with_detail(self.failing_row(chunk, row)));
            }
        }
        if self.checks.is_empty() {
            return Ok(());
        }
        let outputs = self.checks.evaluate(chunk, &self.query.eval())?;
        let mut violated = None;
        for (verdicts, name) in outputs.iter().zip(&self.names) {
            if let Some(row) = chunk.rows().find(|&row| verdicts.scalar(row) == Scalar::Bool(false)) {
                violated = Some((row, name.clone()));
                break;
            }
        }
        let Some((row, constraint)) = violated else { return Ok(()) };
        let relation = def.name.clone();
        let error: crate::Error = DataError::CheckViolation { relation, constraint }.into();
        Err(error.with_detail(self.failing_row(chunk, row)))
    }

    /// A row as PostgreSQL's DETAIL shows it.
    fn failing_row(&self, chunk: &Chunk, row: usize) -> String {
        let shown = |(column, vector): (&crate::table::ColumnDef, &Vector)| {
            let text = vector.value_at(row, &column.ty).to_text(&column.ty, &self.query.statement.times);
            let Some(text) = text else { return "null".to_owned() };
            match text.char_indices().nth(SHOWN_CHARS) {
                Some((cut, _)) => format!("{}...", &text[..cut]),
                None => text,
            }
        };
        let columns = self.table.def().columns.iter().zip(&chunk.columns);
        format!("Failing row contains ({}).", columns.map(shown).collect::<Vec<_>>().join(", "))
    }

    /// Judges uniqueness at the statement's end.
    ///
    /// # Errors
    /// 23505.
    pub(super) fn finish(&mut self, tx: &mut Transaction) -> Result<()> {
        self.table.check_unique(self.query.store(), tx, &self.suspects)
    }

    /// Counts rows that the statement has written.
    pub(super) fn count(&self, rows: usize) {
        self.query.affected.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Notes that a row is not any more what the snapshot shows: the statement must start again.
    pub(super) fn conflict(&self, row: RowId) {
        *self.query.conflict.lock() = Some(RowKey { table: self.table.def().object, row });
    }
}

/// The strings of a row together, in bytes. The form of storage counts them in 31 bits.
const MAX_ROW_STRINGS: usize = 1 << 30;

/// Appends a row in the form of storage; `column` gives its columns by their number in the layout.
///
/// # Errors
/// 54000 when its strings are too long together.
pub(super) fn encode_row<'v>(
    layout: &RowLayout,
    column: impl Fn(usize) -> &'v Vector,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let strings = layout.columns().iter().enumerate().filter(|&(_, ty)| *ty == PhysicalType::Bytes);
    let size: usize = strings.filter_map(|(number, _)| column(number).bytes_at(row)).map(<[u8]>::len).sum();
    if size > MAX_ROW_STRINGS {
        return Err(StorageError::RowTooBig { size: size as u64, limit: MAX_ROW_STRINGS as u64 }.into());
    }
    layout.encode(out, |number| Cell::Scalar(column(number).scalar(row)));
    Ok(())
}

/// The row id in a column of row ids; `None` of NULL.
pub(super) fn row_id(ids: &Vector, row: usize) -> Option<RowId> {
    match ids.scalar(row) {
        Scalar::I64(bits) => Some(RowId(bits.cast_unsigned())),
        _ => None,
    }
}
