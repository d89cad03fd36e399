//! Results.

use super::connection::Shared;
use super::value::FromValue;
use crate::error::{BindingError, Result};
use crate::session::{Column, Rest, Started};
use crate::types::{Chunk, TimeContext, Value};
use std::collections::VecDeque;
use std::sync::Arc;

/// The rows of a result, made as they are asked for. Dropping it ends the query.
pub struct Rows {
    columns: Arc<[Column]>,
    command: &'static str,
    affected: u64,
    complete: bool,
    chunks: VecDeque<Chunk>,
    rest: Option<Remaining>,
    current: Option<Chunk>,
    /// The next row, as a count of the current chunk's rows that are selected.
    at: usize,
    times: TimeContext,
}

/// Where the chunks are that were not there when the statement returned. A result without keeps nothing open.
struct Remaining {
    shared: Arc<Shared>,
    portal: u64,
    rest: Arc<Rest>,
}

impl Rows {
    pub(super) fn new(shared: &Arc<Shared>, started: Started, times: TimeContext) -> Self {
        let Started { columns, command, affected, chunks, rest } = started;
        let complete = rest.is_none();
        let rest = rest.map(|(portal, rest)| Remaining { shared: Arc::clone(shared), portal, rest });
        Self { columns, command, affected, complete, chunks, rest, current: None, at: 0, times }
    }

    /// Its columns; none for a statement without a result.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The word of PostgreSQL's command tag: `SELECT`, `INSERT`, `CREATE TABLE`, ..
    pub fn command(&self) -> &str {
        self.command
    }

    /// Rows inserted, changed or removed, copied, or put into a new table; of a query `None`, since they are counted as
    /// they are read.
    pub fn affected(&self) -> Option<u64> {
        let counts = match self.command {
            "INSERT" | "UPDATE" | "DELETE" | "COPY" => true,
            // CREATE TABLE AS: a query without columns still has rows to read.
            "SELECT" => self.columns.is_empty() && self.complete && self.chunks.is_empty(),
            _ => false,
        };
        counts.then_some(self.affected)
    }

    /// How many rows the result had when the statement returned, if all of it was there by then.
    pub fn known_rows(&self) -> Option<u64> {
        self.complete.then_some(self.affected)
    }

    /// The next chunk of rows, up to 2048; `None` after the last. Rows of the current chunk that [`Self::next`] has not
    /// given yet are left out.
    ///
    /// # Errors
    /// What the query finds. There is nothing after an error.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        self.current = None;
        if let Some(chunk) = self.chunks.pop_front() {
            return Ok(Some(chunk));
        }
        let Some(Remaining { shared, portal, rest }) = &self.rest else { return Ok(None) };
        let fetched = shared.with(|session| session.fetch(*portal));
        let next = match fetched {
            Ok(None) => rest.next(),
            other => other,
        };
        if !matches!(next, Ok(Some(_))) {
            self.rest = None;
        }
        next
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// What the query finds. There is nothing after an error.
    #[expect(clippy::should_implement_trait, reason = "a row borrows from the result and may fail")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        while self.current.as_ref().is_none_or(|chunk| self.at >= chunk.count()) {
            self.at = 0;
            let next = self.next_chunk()?;
            if next.is_none() {
                return Ok(None);
            }
            self.current = next;
        }
        self.at += 1;
        Ok(self.current())
    }

    /// The row that [`Self::next`] gave last, for callers that cannot keep it; `None` before the first and after the
    /// last.
    pub fn current(&self) -> Option<Row<'_>> {
        let chunk = self.current.as_ref()?;
        let at = self.at.checked_sub(1)?;
        let row = chunk.selection.as_ref().map_or(at, |selection| usize::from(selection.as_slice()[at]));
        Some(Row { columns: &self.columns, chunk, row, times: self.times })
    }

    /// Reads to the end; rows counted, or changed.
    pub(super) fn count_rest(mut self) -> Result<u64> {
        let mut rows = 0;
        while let Some(chunk) = self.next_chunk()? {
            rows += chunk.count() as u64;
        }
        Ok(self.affected().unwrap_or(rows))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(Remaining { shared, portal, rest }) = self.rest.take() {
            drop(rest);
            shared.session.lock().close(portal);
        }
    }
}

/// A row of a result.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    columns: &'r [Column],
    chunk: &'r Chunk,
    row: usize,
    times: TimeContext,
}

/// What names a column of a row: its place from 0, or its name.
pub trait ColumnIndex {
    /// The place of the column.
    ///
    /// # Errors
    /// 42703 if there is none.
    fn place(&self, columns: &[Column]) -> Result<usize>;
}

fn missing(name: String) -> crate::Error {
    BindingError::UndefinedColumn { table: None, name }.into()
}

impl ColumnIndex for usize {
    fn place(&self, columns: &[Column]) -> Result<usize> {
        if *self < columns.len() { Ok(*self) } else { Err(missing(self.to_string())) }
    }
}

impl ColumnIndex for &str {
    fn place(&self, columns: &[Column]) -> Result<usize> {
        let place = columns.iter().position(|column| *column.name == **self);
        place.ok_or_else(|| missing((*self).to_owned()))
    }
}

impl Row<'_> {
    /// The columns.
    pub fn columns(&self) -> &[Column] {
        self.columns
    }

    /// The value of a column as a Rust type.
    ///
    /// # Errors
    /// 42703 if there is no such column; 42804 if the value is of another type, or NULL and `T` no `Option`.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T> {
        T::from_value(self.value(column)?)
    }

    /// The value of a column.
    ///
    /// # Errors
    /// 42703 if there is no such column.
    #[expect(clippy::needless_pass_by_value, reason = "a place or a name, as a literal")]
    pub fn value(&self, column: impl ColumnIndex) -> Result<Value> {
        let place = column.place(self.columns)?;
        Ok(self.chunk.columns[place].value_at(self.row, &self.columns[place].value_type))
    }

    /// The value of a column as PostgreSQL writes it; `None` of NULL.
    ///
    /// # Errors
    /// 42703 if there is no such column.
    #[expect(clippy::needless_pass_by_value, reason = "a place or a name, as a literal")]
    pub fn text(&self, column: impl ColumnIndex) -> Result<Option<String>> {
        let place = column.place(self.columns)?;
        Ok(self.value(place)?.to_text(&self.columns[place].ty, &self.times))
    }
}
