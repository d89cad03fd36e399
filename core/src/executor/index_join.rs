//! Joins that look the matches of each left row up in an index of a table, or by row id.

use super::compact::Compactor;
use super::filter::RowFilter;
use super::index_access::{Entries, RowFetch, encode_prefix, types_of};
use super::pipeline::{Flow, Operator, Stage};
use super::resources::Query;
use crate::btree::{Direction, KeyRange};
use crate::error::{DataError, Result};
use crate::expr::Expr;
use crate::expr::eval::Evaluator;
use crate::ids::ObjectId;
use crate::plan::physical::JoinType;
use crate::table::TableDef;
use crate::types::{Chunk, DataType, Scalar, Selection, VECTOR_SIZE, Vector};
use std::sync::Arc;

/// The operator.
pub(super) struct IndexLookup {
    pub(super) kind: JoinType,
    pub(super) table: ObjectId,
    pub(super) index: Option<ObjectId>,
    pub(super) keys: Vec<Expr>,
    pub(super) columns: Vec<u16>,
    pub(super) row_ids: bool,
    pub(super) conditions: Vec<Expr>,
    /// The types of the columns it adds.
    pub(super) added: Vec<DataType>,
}

impl Operator for IndexLookup {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(LookupStage {
            evaluator: Evaluator::new(&self.keys)?,
            key_types: types_of(&self.keys),
            fetch: RowFetch::new(query, self.table, self.index, &self.columns, self.row_ids)?,
            conditions: RowFilter::new(query, &self.conditions)?,
            query: Arc::clone(query),
            kind: self.kind.clone(),
            added: self.added.clone(),
            entries: Entries::default(),
            lefts: Vec::new(),
            matched: Vec::new(),
            next: Compactor::new(next),
        }))
    }
}

struct LookupStage {
    query: Arc<Query>,
    kind: JoinType,
    added: Vec<DataType>,
    evaluator: Evaluator,
    key_types: Vec<DataType>,
    fetch: RowFetch,
    conditions: RowFilter,
    entries: Entries,
    /// The left row of each entry.
    lefts: Vec<u16>,
    /// By left row.
    matched: Vec<bool>,
    next: Compactor,
}

impl Stage for LookupStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.matched.clear();
        self.matched.resize(chunk.len, false);
        let keys: Vec<Vector> = self.evaluator.evaluate(chunk, &self.query.eval())?.iter().cloned().collect();
        for row in chunk.rows() {
            if self.look_up(chunk, &keys, row)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        if self.flush(chunk)? == Flow::Enough {
            return Ok(Flow::Enough);
        }
        match self.rest(chunk) {
            Some(mut out) => self.next.push(&mut out),
            None => Ok(Flow::More),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.next.finish()
    }
}

impl LookupStage {
    /// Collects the entries of a left row.
    fn look_up(&mut self, chunk: &Chunk, keys: &[Vector], row: usize) -> Result<Flow> {
        // Rows of a chunk fit u16.
        let left = row as u16;
        let Some(index) = self.fetch.index.clone() else {
            let key = match keys[0].scalar(row) {
                Scalar::I16(key) => i64::from(key),
                Scalar::I32(key) => i64::from(key),
                Scalar::I64(key) => key,
                _ => return Ok(Flow::More),
            };
            self.entries.push(TableDef::row_of_key(key), &[]);
            self.lefts.push(left);
            return if self.entries.len() == VECTOR_SIZE { self.flush(chunk) } else { Ok(Flow::More) };
        };
        let mut prefix = Vec::new();
        let values = keys.iter().zip(&self.key_types).map(|(key, ty)| key.value_at(row, ty));
        if !encode_prefix(&mut prefix, values, index.def.columns.iter().map(|column| column.key))? {
            return Ok(Flow::More);
        }
        let mut cursor = index.tree.cursor(KeyRange::prefix(&prefix), Direction::Forward);
        while let Some(entry) = cursor.next(self.query.store().pager())? {
            self.entries.push(index.row_of(entry.key), index.key_of(entry.key));
            self.lefts.push(left);
            if self.entries.len() == VECTOR_SIZE && self.flush(chunk)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::More)
    }

    /// Fetches the rows of the entries and passes the pairs on.
    fn flush(&mut self, chunk: &Chunk) -> Result<Flow> {
        let mut next = 0;
        while next < self.entries.len() {
            self.query.check()?;
            let (rows, found) = self.fetch.fetch(&self.query, &self.entries, &mut next)?;
            if self.pass_on(chunk, rows, &found)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        self.entries.clear();
        self.lefts.clear();
        Ok(Flow::More)
    }

    /// Passes the pairs of left rows and the rows fetched for these entries on.
    fn pass_on(&mut self, chunk: &Chunk, rows: Chunk, found: &[usize]) -> Result<Flow> {
        let lefts: Arc<[u16]> = found.iter().map(|&entry| self.lefts[entry]).collect();
        let columns = chunk.columns.iter().map(|column| column.select(&lefts)).chain(rows.columns).collect();
        let mut pairs = Chunk { len: lefts.len(), selection: None, columns };
        if pairs.len == 0 || !self.conditions.apply(&mut pairs)? {
            return Ok(Flow::More);
        }
        for pair in pairs.rows() {
            let matched = &mut self.matched[usize::from(lefts[pair])];
            if *matched && self.kind == JoinType::Single {
                return Err(DataError::MoreThanOneRow.into());
            }
            *matched = true;
        }
        match self.kind {
            JoinType::Semi | JoinType::Anti => Ok(Flow::More),
            _ => self.next.push(&mut pairs),
        }
    }

    /// What is said of the left rows.
    fn rest(&self, chunk: &Chunk) -> Option<Chunk> {
        let wanted = match self.kind {
            JoinType::Left | JoinType::Single | JoinType::Anti => false,
            JoinType::Semi => true,
            JoinType::Inner
            | JoinType::Right
            | JoinType::Full
            | JoinType::RightSemi
            | JoinType::RightAnti
            | JoinType::Mark(_) => return None,
        };
        // Rows of a chunk fit u16.
        let rows = chunk.rows().filter(|&row| self.matched[row] == wanted).map(|row| row as u16);
        let selection: Selection = rows.collect();
        if selection.is_empty() {
            return None;
        }
        let mut out = Chunk { len: chunk.len, selection: Some(selection), columns: chunk.columns.clone() };
        if matches!(self.kind, JoinType::Left | JoinType::Single) {
            out.columns.extend(self.added.iter().map(|ty| Vector::constant(ty.physical(), Scalar::Null)));
        }
        Some(out)
    }
}
