//! Puts rows into a table.

use super::Writer;
use super::assignments::Assignments;
use super::target::{Target, encode_row};
use crate::error::{DataError, Result};
use crate::executor::chunk_buffer::BufferWriter;
use crate::executor::filter::RowFilter;
use crate::executor::pipeline::Flow;
use crate::executor::resources::Query;
use crate::ids::RowId;
use crate::plan::physical::{ConflictUpdate, Insert, OnConflict};
use crate::table::{RowLocked, Written};
use crate::transaction::{RowLockMode, Transaction};
use crate::types::{Chunk, Selection, Vector};
use std::sync::Arc;

/// Bytes of rows that are handed to storage at a time.
const BATCH_BYTES: usize = 256 << 10;

/// The writer.
pub(in crate::executor) struct InsertWriter {
    target: Target,
    values: Vec<usize>,
    on_conflict: Option<ConflictHandler>,
    returning: bool,
}

/// What is done about a row whose key is there.
struct ConflictHandler {
    plan: OnConflict,
    /// What `DO UPDATE` sets.
    update: Option<Assigner>,
}

struct Assigner {
    assignments: Assignments,
    conditions: RowFilter,
}

impl InsertWriter {
    pub(super) fn new(query: &Arc<Query>, insert: &Insert) -> Result<Self> {
        let target = Target::new(query, insert.table.storage, &insert.checks)?;
        let assigner = |update: &ConflictUpdate| -> Result<Assigner> {
            Ok(Assigner {
                assignments: Assignments::new(&target.table, &update.assignments)?,
                conditions: RowFilter::new(query, &update.conditions)?,
            })
        };
        let on_conflict = match &insert.on_conflict {
            None => None,
            Some(plan) => Some(ConflictHandler {
                update: plan.update.as_ref().map(assigner).transpose()?,
                plan: plan.clone(),
            }),
        };
        Ok(Self { target, values: insert.values.clone(), on_conflict, returning: insert.returning })
    }

    /// Inserts the rows of a chunk of the table's columns that count.
    ///
    /// # Errors
    /// Those of constraints and of writing.
    pub(in crate::executor) fn insert(&mut self, tx: &mut Transaction, rows: &Chunk) -> Result<()> {
        let Target { query, table, suspects, .. } = &mut self.target;
        let columns: Vec<&Vector> = rows.columns.iter().collect();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut flush = |bytes: &mut Vec<u8>, ends: &mut Vec<usize>| -> Result<()> {
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let encoded: Vec<&[u8]> =
                starts.zip(ends.iter()).map(|(start, &end)| &bytes[start..end]).collect();
            table.insert_many(query.store(), tx, &encoded, suspects)?;
            bytes.clear();
            ends.clear();
            Ok(())
        };
        for row in rows.rows() {
            encode_row(table.layout(), |number| columns[number], row, &mut bytes)?;
            ends.push(bytes.len());
            if bytes.len() >= BATCH_BYTES {
                flush(&mut bytes, &mut ends)?;
            }
        }
        flush(&mut bytes, &mut ends)
    }

    /// Checks a chunk of the table's columns, and inserts it.
    ///
    /// # Errors
    /// Those of constraints and of writing.
    pub(in crate::executor) fn check_and_insert(&mut self, tx: &mut Transaction, rows: &Chunk) -> Result<()> {
        self.target.check(rows)?;
        self.insert(tx, rows)?;
        self.target.count(rows.count());
        Ok(())
    }

    /// Inserts row by row, each unless its key is there. False if the statement must start again.
    fn insert_or_resolve(
        &mut self,
        tx: &mut Transaction,
        source: &Chunk,
        rows: &Chunk,
        out: &mut BufferWriter,
    ) -> Result<bool> {
        let mut written: Vec<u16> = Vec::new();
        for row in source.rows() {
            match self.resolve(tx, source, rows, row)? {
                // Rows of a chunk fit u16.
                Resolved::Inserted => written.push(row as u16),
                Resolved::Nothing => {}
                Resolved::Updated(updated) => {
                    self.target.count(1);
                    // Rows come out in the order in which they came in.
                    self.give(rows, std::mem::take(&mut written), out)?;
                    if self.returning {
                        out.push(&updated)?;
                    }
                }
                Resolved::Conflict => return Ok(false),
            }
        }
        self.give(rows, written, out)?;
        Ok(true)
    }

    fn give(&self, rows: &Chunk, written: Vec<u16>, out: &mut BufferWriter) -> Result<()> {
        self.target.count(written.len());
        if self.returning && !written.is_empty() {
            let selection: Selection = written.into_iter().collect();
            out.push(&Chunk { selection: Some(selection), ..rows.clone() })?;
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        tx: &mut Transaction,
        source: &Chunk,
        rows: &Chunk,
        row: usize,
    ) -> Result<Resolved> {
        let Some(handler) = &mut self.on_conflict else { return Ok(Resolved::Nothing) };
        let Target { query, table, suspects, .. } = &mut self.target;
        let mut values = Vec::new();
        encode_row(table.layout(), |number| &rows.columns[number], row, &mut values)?;
        let store = query.store();
        let existing = loop {
            query.check()?;
            if let Some(existing) = table.find_conflict(store, tx, &values, &handler.plan.arbiters)? {
                break existing;
            }
            let (before, known) = (tx.mark(), suspects.len());
            let inserted = table.insert(store, tx, &values, suspects);
            let judged = inserted.and_then(|_| table.check_unique(store, tx, &suspects[known..]));
            suspects.truncate(known);
            match judged {
                Ok(()) => {
                    // Rows that were looked at fail only if another transaction came in between.
                    self.target.check(&one_row(rows, row))?;
                    return Ok(Resolved::Inserted);
                }
                Err(error) if error.sqlstate() == crate::sqlstate::SqlState::UNIQUE_VIOLATION => {
                    tx.rollback_to(before, store)?;
                    // Whoever had an arbitrated key may have gone again meanwhile: that is no reason to fail.
                    let arbiters = &handler.plan.arbiters;
                    let others = if arbiters.is_empty() { Vec::new() } else { table.other_keys(arbiters) };
                    if !others.is_empty() && table.find_conflict(store, tx, &values, &others)?.is_some() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        };
        match &handler.update {
            None => {
                self.target.table.expect_seen(self.target.query.store(), tx, existing)?;
                Ok(Resolved::Nothing)
            }
            Some(_) => self.update_existing(tx, source, row, existing),
        }
    }

    /// `DO UPDATE` of the row that is there.
    fn update_existing(
        &mut self,
        tx: &mut Transaction,
        source: &Chunk,
        row: usize,
        existing: RowId,
    ) -> Result<Resolved> {
        let Some(ConflictHandler { update: Some(assigner), .. }) = &mut self.on_conflict else {
            return Ok(Resolved::Nothing);
        };
        let Target { query, table, .. } = &self.target;
        let store = query.store();
        match table.lock(store, tx, existing, RowLockMode::NoKeyUpdate, true)? {
            RowLocked::Yes => {}
            RowLocked::Busy | RowLocked::Changed | RowLocked::Deleted => {
                self.target.conflict(existing);
                return Ok(Resolved::Conflict);
            }
        }
        let all: Vec<u16> = (0..).take(table.def().columns.len()).collect();
        let mut old = Chunk::new(table.layout().columns().iter().copied());
        let mut found = Vec::new();
        table.fetch(store, &tx.view(), &[existing], &all, &mut old, &mut found)?;
        if found.is_empty() {
            // Written by this very statement, or committed since it began.
            table.fetch(store, &tx.view_after(), &[existing], &all, &mut old, &mut found)?;
            if found.is_empty() {
                self.target.conflict(existing);
                return Ok(Resolved::Conflict);
            }
            return Err(DataError::ConflictTwice.into());
        }
        let excluded = one_row(source, row);
        let mut both = Chunk { len: 1, selection: None, columns: old.columns.clone() };
        both.columns.extend(excluded.columns);
        if !assigner.conditions.apply(&mut both)? {
            return Ok(Resolved::Nothing);
        }
        let assignments = &mut assigner.assignments;
        let assigned = assignments.values.evaluate(&both, &query.eval())?;
        let new: Vec<Vector> = assigned.iter().cloned().collect();
        let moves = assignments.moves(&old.columns, &new, 0);
        let updated = Chunk { columns: assignments.apply(&old.columns, &new), ..old };
        self.target.check(&updated)?;
        let Target { query, table, suspects, .. } = &mut self.target;
        let mut values = Vec::new();
        let written = if moves {
            encode_row(table.layout(), |number| &updated.columns[number], 0, &mut values)?;
            let written = table.move_out(query.store(), tx, existing)?;
            if written == Written::Done {
                table.insert(query.store(), tx, &values, suspects)?;
            }
            written
        } else {
            assignments.encode_kept(&new, 0, &mut values)?;
            table.update(query.store(), tx, existing, assignments.kept_columns(), &values, suspects)?
        };
        match written {
            Written::Done => Ok(Resolved::Updated(updated)),
            Written::Again => Err(DataError::ConflictTwice.into()),
            Written::Changed | Written::Deleted => {
                self.target.conflict(existing);
                Ok(Resolved::Conflict)
            }
        }
    }
}

/// What became of a row.
enum Resolved {
    Inserted,
    Nothing,
    Updated(Chunk),
    /// The statement must start again.
    Conflict,
}

/// A chunk of one row of a chunk.
fn one_row(chunk: &Chunk, row: usize) -> Chunk {
    let columns = chunk.columns.iter().map(|column| Vector::constant(column.physical(), column.scalar(row)));
    Chunk { len: 1, selection: None, columns: columns.collect() }
}

impl Writer for InsertWriter {
    fn write(&mut self, tx: &mut Transaction, chunk: &Chunk, out: &mut BufferWriter) -> Result<Flow> {
        let columns = self.values.iter().map(|&value| chunk.columns[value].clone()).collect();
        let rows = Chunk { len: chunk.len, selection: chunk.selection.clone(), columns };
        if self.on_conflict.is_some() {
            self.target.check(&rows)?;
            let done = self.insert_or_resolve(tx, chunk, &rows, out)?;
            return Ok(if done { Flow::More } else { Flow::Enough });
        }
        self.check_and_insert(tx, &rows)?;
        if self.returning {
            out.push(&rows)?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, tx: &mut Transaction, _: &mut BufferWriter) -> Result<()> {
        self.target.finish(tx)
    }
}
