//! The left side of a hash join: rows look for matches.
//!
//! A [`Prober`] takes a chunk of left rows and gives the join's rows out bit by bit: first the pairs, a chunk of them at
//! a time however many there are, then what is said of the left rows themselves. It does not care whether the right rows
//! are all there: for those that are in memory only in part, it is called again with the next part and the same
//! [`RowFlags`].

use super::spec::JoinSpec;
use super::table::JoinTable;
use crate::error::{DataError, Result};
use crate::executor::filter::RowFilter;
use crate::executor::hash::{Picked, hash_rows};
use crate::executor::resources::Query;
use crate::expr::eval::Evaluator;
use crate::plan::physical::{JoinType, Mark};
use crate::types::{Chunk, FlatVector, PhysicalType, Scalar, Selection, VECTOR_SIZE, Vector};
use std::ops::Range;
use std::sync::Arc;

/// What is known of left rows, by number.
pub(super) type RowFlags = [u8];

const MATCHED: u8 = 1;
/// A test was NULL for some match.
const UNKNOWN: u8 = 2;
/// A key is NULL.
const NULL_KEY: u8 = 4;

/// A thread's left side.
pub(super) struct Prober {
    query: Arc<Query>,
    spec: Arc<JoinSpec>,
    evaluator: Evaluator,
    conditions: RowFilter,
    tests: Evaluator,
    keys: Vec<Vector>,
    pub(super) hashes: Vec<u64>,
    /// Rows that look for matches, and the next of them.
    rows: Vec<u16>,
    next: usize,
    /// Entries of the row before `next` that are still to be looked at.
    entries: Range<usize>,
    pairs: Vec<(u16, u32)>,
}

impl Prober {
    pub(super) fn new(query: &Arc<Query>, spec: &Arc<JoinSpec>) -> Result<Self> {
        let tests = match &spec.kind {
            JoinType::Mark(Mark::Test(tests)) => tests.as_slice(),
            _ => &[],
        };
        Ok(Self {
            evaluator: Evaluator::new(&spec.left_keys)?,
            conditions: RowFilter::new(query, &spec.conditions)?,
            tests: Evaluator::new(tests)?,
            query: Arc::clone(query),
            spec: Arc::clone(spec),
            keys: Vec::new(),
            hashes: Vec::new(),
            rows: Vec::new(),
            next: 0,
            entries: 0..0,
            pairs: Vec::new(),
        })
    }

    /// Begins with a chunk: the rows that count and have no NULL key that matters look for matches. Their keys' hashes
    /// are in `hashes`.
    pub(super) fn begin(&mut self, chunk: &Chunk, flags: &mut RowFlags) -> Result<()> {
        let outputs = self.evaluator.evaluate(chunk, &self.query.eval())?;
        self.keys.clear();
        self.keys.extend(outputs.iter().cloned());
        hash_rows(&self.keys, &self.spec.key_types, Picked::of(chunk), &mut self.hashes);
        self.rows.clear();
        // Rows of a chunk fit u16.
        self.rows.extend(chunk.rows().map(|row| row as u16));
        for (key, &equal) in self.keys.iter().zip(&self.spec.nulls_equal) {
            if !equal && key.may_have_nulls() {
                self.rows.retain(|&row| {
                    let null = key.is_null(row.into());
                    if null {
                        flags[usize::from(row)] |= NULL_KEY;
                    }
                    !null
                });
            }
        }
        self.next = 0;
        self.entries = 0..0;
        Ok(())
    }

    /// Keeps the rows that `keep` says yes to, by their hashes; gives the others.
    pub(super) fn divide(&mut self, keep: impl Fn(u64) -> bool) -> Vec<u16> {
        let (kept, others) = self.rows.iter().partition(|&&row| keep(self.hashes[usize::from(row)]));
        self.rows = kept;
        others
    }

    /// The next rows of the join; `None` when all pairs of the chunk are done.
    pub(super) fn next(
        &mut self,
        chunk: &Chunk,
        table: &JoinTable,
        flags: &mut RowFlags,
    ) -> Result<Option<Chunk>> {
        if self.spec.is_existence() {
            self.find_existing(table, flags);
            return Ok(None);
        }
        while self.find_pairs(table) {
            if self.spec.only_marks() && self.conditions.is_empty() {
                self.pairs.iter().for_each(|pair| table.mark(pair.1));
                continue;
            }
            if !self.pairs.is_empty()
                && let Some(out) = self.take_pairs(chunk, table, flags)?
            {
                return Ok(Some(out));
            }
        }
        Ok(None)
    }

    /// Finds which rows have a match, whichever.
    fn find_existing(&mut self, table: &JoinTable, flags: &mut RowFlags) {
        let hash = |row: u16| self.hashes[usize::from(row)];
        let unmatched = self.rows.drain(..).filter(|&row| flags[usize::from(row)] & MATCHED == 0);
        let mut open: Vec<(u16, Range<usize>)> =
            unmatched.map(|row| (row, table.lookup(hash(row)))).collect();
        while !open.is_empty() {
            self.pairs.clear();
            open.retain_mut(|(row, entries)| {
                let found = entries.find_map(|entry| table.row_at(entry, hash(*row)));
                self.pairs.extend(found.map(|other| (*row, other)));
                found.is_some()
            });
            retain_equal(table, &self.keys, &self.spec.nulls_equal, &mut self.pairs);
            self.pairs.iter().for_each(|pair| flags[usize::from(pair.0)] |= MATCHED);
            open.retain(|(row, _)| flags[usize::from(*row)] & MATCHED == 0);
        }
    }

    /// Collects pairs whose keys are equal, up to a chunk of candidates; false if there are no more.
    fn find_pairs(&mut self, table: &JoinTable) -> bool {
        self.pairs.clear();
        let once = self.spec.only_marks();
        while self.pairs.len() < VECTOR_SIZE {
            if self.entries.is_empty() {
                let Some(&row) = self.rows.get(self.next) else { break };
                self.next += 1;
                self.entries = table.lookup(self.hashes[usize::from(row)]);
                continue;
            }
            let row = self.rows[self.next - 1];
            let hash = self.hashes[usize::from(row)];
            while self.pairs.len() < VECTOR_SIZE
                && let Some(entry) = self.entries.next()
            {
                let found = table.row_at(entry, hash);
                self.pairs.extend(
                    found.filter(|&other| !once || !table.is_marked(other)).map(|other| (row, other)),
                );
            }
        }
        let more = !self.pairs.is_empty();
        retain_equal(table, &self.keys, &self.spec.nulls_equal, &mut self.pairs);
        more
    }

    /// Makes rows of the pairs and judges them.
    fn take_pairs(
        &mut self,
        chunk: &Chunk,
        table: &JoinTable,
        flags: &mut RowFlags,
    ) -> Result<Option<Chunk>> {
        let lefts: Arc<[u16]> = self.pairs.iter().map(|pair| pair.0).collect();
        let rights: Vec<u32> = self.pairs.iter().map(|pair| pair.1).collect();
        let left = |(column, read): (&Vector, &bool)| {
            if *read { column.select(&lefts) } else { Vector::constant(column.physical(), Scalar::Null) }
        };
        let mut columns: Vec<Vector> = chunk.columns.iter().zip(&self.spec.left_reads).map(left).collect();
        for (place, ty) in self.spec.pair_places.iter().zip(&self.spec.right_types) {
            columns.push(match place {
                Some(column) => {
                    let mut values = FlatVector::with_capacity(ty.physical(), rights.len());
                    table.store().gather(*column, &rights, &mut values);
                    values.into()
                }
                None => Vector::constant(ty.physical(), Scalar::Null),
            });
        }
        let mut out = Chunk { len: lefts.len(), selection: None, columns };
        if !self.conditions.apply(&mut out)? {
            return Ok(None);
        }
        if let JoinType::Mark(Mark::Test(tests)) = &self.spec.kind
            && !tests.is_empty()
        {
            self.judge(&out, &lefts, flags)?;
            return Ok(None);
        }
        for pair in out.rows() {
            let flag = &mut flags[usize::from(lefts[pair])];
            if *flag & MATCHED != 0 && self.spec.kind == JoinType::Single {
                return Err(DataError::MoreThanOneRow.into());
            }
            *flag |= MATCHED;
            if self.spec.keeps_right() {
                table.mark(rights[pair]);
            }
        }
        Ok(self.spec.gives_pairs().then_some(out))
    }

    /// Evaluates the tests of a mark join on matches.
    fn judge(&mut self, pairs: &Chunk, lefts: &[u16], flags: &mut RowFlags) -> Result<()> {
        let outputs = self.tests.evaluate(pairs, &self.query.eval())?;
        for pair in pairs.rows() {
            let mut verdict = MATCHED;
            for test in outputs.iter() {
                match test.scalar(pair) {
                    Scalar::Bool(true) => {}
                    Scalar::Null => verdict = if verdict == 0 { 0 } else { UNKNOWN },
                    _ => verdict = 0,
                }
            }
            flags[usize::from(lefts[pair])] |= verdict;
        }
        Ok(())
    }

    /// What is said of the left rows of a chunk when all right rows have been seen.
    pub(super) fn rest(&self, chunk: &Chunk, flags: &RowFlags, right: RightSide) -> Option<Chunk> {
        let wanted = match self.spec.kind {
            JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => return None,
            JoinType::Left | JoinType::Full | JoinType::Single | JoinType::Anti => 0,
            JoinType::Semi => MATCHED,
            JoinType::Mark(_) => return Some(self.mark(chunk, flags, right)),
        };
        // Rows of a chunk fit u16.
        let rows = chunk.rows().filter(|&row| flags[row] & MATCHED == wanted).map(|row| row as u16);
        let selection: Selection = rows.collect();
        if selection.is_empty() {
            return None;
        }
        let mut out = Chunk { len: chunk.len, selection: Some(selection), columns: chunk.columns.clone() };
        if self.spec.gives_pairs() {
            let nulls = self.spec.right_types.iter().map(|ty| Vector::constant(ty.physical(), Scalar::Null));
            out.columns.extend(nulls);
        }
        Some(out)
    }

    fn mark(&self, chunk: &Chunk, flags: &RowFlags, right: RightSide) -> Chunk {
        let null_aware = self.spec.kind == JoinType::Mark(Mark::NullAware);
        let mut marks = FlatVector::with_capacity(PhysicalType::Bool, chunk.len);
        for &flag in &flags[..chunk.len] {
            let unknown = if null_aware {
                right.has_null_key || (flag & NULL_KEY != 0 && right.has_rows)
            } else {
                flag & UNKNOWN != 0
            };
            match flag & MATCHED != 0 {
                true => marks.push(1u8),
                false if unknown => marks.push_null(),
                false => marks.push(0u8),
            }
        }
        let mut out = chunk.clone();
        out.columns.push(marks.into());
        out
    }
}

/// What is known of all right rows.
#[derive(Clone, Copy)]
pub(super) struct RightSide {
    pub(super) has_rows: bool,
    pub(super) has_null_key: bool,
}

fn retain_equal(table: &JoinTable, keys: &[Vector], nulls_equal: &[bool], pairs: &mut Vec<(u16, u32)>) {
    for (column, (key, &equal)) in keys.iter().zip(nulls_equal).enumerate() {
        table.store().retain_equal(column, key, equal, pairs);
    }
}
