//! Joins that try every pair: for conditions that no hash table helps with.
//!
//! The right rows are kept in a buffer. A chunk of left rows meets one chunk of right rows after the other; within, the
//! smaller of the two is gone through row by row, each row as constants beside all rows of the other, so that the
//! conditions are evaluated on whole vectors.

use super::chunk_buffer::{BufferSource, ChunkBuffer};
use super::compact::Compactor;
use super::filter::RowFilter;
use super::pipeline::{Flow, Operator, Reader, Source, Stage};
use super::resources::Query;
use crate::error::{DataError, Result};
use crate::expr::Expr;
use crate::expr::eval::Evaluator;
use crate::plan::physical::{JoinType, Mark};
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, Scalar, Selection, Vector};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

const MATCHED: u8 = 1;
const UNKNOWN: u8 = 2;

/// A join at work.
pub(super) struct LoopState {
    kind: JoinType,
    conditions: Vec<Expr>,
    left_types: Vec<DataType>,
    right_types: Vec<DataType>,
    pub(super) right: Arc<ChunkBuffer>,
    /// By right row, whether it has a match, if that matters.
    matched: OnceLock<Vec<AtomicBool>>,
}

impl LoopState {
    pub(super) fn new(
        kind: JoinType,
        conditions: Vec<Expr>,
        left_types: Vec<DataType>,
        right_types: Vec<DataType>,
        right: &Arc<ChunkBuffer>,
    ) -> Arc<Self> {
        let right = Arc::clone(right);
        Arc::new(Self { kind, conditions, left_types, right_types, right, matched: OnceLock::new() })
    }

    fn keeps_right(&self) -> bool {
        matches!(self.kind, JoinType::Right | JoinType::Full)
    }

    fn gives_pairs(&self) -> bool {
        self.kind.gives_pairs()
    }

    fn matched(&self) -> &[AtomicBool] {
        self.matched.get_or_init(|| {
            let rows = if self.keeps_right() { self.right.contents().rows() } else { 0 };
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            std::iter::repeat_with(AtomicBool::default).take(rows).collect()
        })
    }
}

/// Passes left rows by.
pub(super) struct LoopProbe(pub(super) Arc<LoopState>);

impl Operator for LoopProbe {
    fn stage(&self, query: &Arc<Query>, next: Box<dyn Stage>) -> Result<Box<dyn Stage>> {
        let tests = match &self.0.kind {
            JoinType::Mark(Mark::Test(tests)) => tests.as_slice(),
            _ => &[],
        };
        Ok(Box::new(LoopStage {
            conditions: RowFilter::new(query, &self.0.conditions)?,
            tests: Evaluator::new(tests)?,
            query: Arc::clone(query),
            join: Arc::clone(&self.0),
            flags: Vec::new(),
            next: Compactor::new(next),
        }))
    }
}

struct LoopStage {
    query: Arc<Query>,
    join: Arc<LoopState>,
    conditions: RowFilter,
    tests: Evaluator,
    flags: Vec<u8>,
    next: Compactor,
}

/// Which row of a pair is the same for all pairs of a chunk.
enum Fixed {
    Left(usize),
    Right(usize),
}

/// One row as constants.
fn constants(chunk: &Chunk, row: usize) -> impl Iterator<Item = Vector> + '_ {
    chunk.columns.iter().map(move |column| Vector::constant(column.physical(), column.scalar(row)))
}

impl Stage for LoopStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.flags.clear();
        self.flags.resize(chunk.len, 0);
        let join = Arc::clone(&self.join);
        let mut right = join.right.contents().reader();
        let mut first = 0;
        while let Some(others) = right.next()? {
            if self.meet(chunk, &others, first)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
            first += others.len;
            if self.is_settled(chunk) {
                break;
            }
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

impl LoopStage {
    /// Whether no further right row changes anything.
    fn is_settled(&self, chunk: &Chunk) -> bool {
        !self.join.gives_pairs() && chunk.rows().all(|row| self.flags[row] & MATCHED != 0)
    }

    /// Tries all pairs of two chunks; `first` is the number of the first right row.
    fn meet(&mut self, left: &Chunk, right: &Chunk, first: usize) -> Result<Flow> {
        if left.count() < right.len {
            for row in left.rows() {
                let columns = constants(left, row).chain(right.columns.iter().cloned()).collect();
                let mut pairs = Chunk { len: right.len, selection: None, columns };
                if self.take(&mut pairs, &Fixed::Left(row), first)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
        } else {
            for row in 0..right.len {
                let columns = left.columns.iter().cloned().chain(constants(right, row)).collect();
                let mut pairs = Chunk { len: left.len, selection: left.selection.clone(), columns };
                if self.take(&mut pairs, &Fixed::Right(row), first)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
        }
        Ok(Flow::More)
    }

    fn take(&mut self, pairs: &mut Chunk, fixed: &Fixed, first: usize) -> Result<Flow> {
        self.query.check()?;
        if !self.conditions.apply(pairs)? {
            return Ok(Flow::More);
        }
        let left_of = |pair: usize| if let Fixed::Left(row) = fixed { *row } else { pair };
        if !self.tests.is_empty() {
            let outputs = self.tests.evaluate(pairs, &self.query.eval())?;
            for pair in pairs.rows() {
                let verdicts = outputs.iter().map(|test| test.scalar(pair));
                let verdict = verdicts.fold(MATCHED, |verdict, test| match test {
                    Scalar::Bool(true) => verdict,
                    Scalar::Null if verdict != 0 => UNKNOWN,
                    _ => 0,
                });
                self.flags[left_of(pair)] |= verdict;
            }
            return Ok(Flow::More);
        }
        for pair in pairs.rows() {
            let flag = &mut self.flags[left_of(pair)];
            if *flag & MATCHED != 0 && self.join.kind == JoinType::Single {
                return Err(DataError::MoreThanOneRow.into());
            }
            *flag |= MATCHED;
            if self.join.keeps_right() {
                let right = first + if let Fixed::Right(row) = fixed { *row } else { pair };
                self.join.matched()[right].store(true, Ordering::Relaxed);
            }
        }
        if self.join.gives_pairs() { self.next.push(pairs) } else { Ok(Flow::More) }
    }

    /// What is said of the left rows.
    fn rest(&self, chunk: &Chunk) -> Option<Chunk> {
        let wanted = match self.join.kind {
            JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => return None,
            JoinType::Left | JoinType::Full | JoinType::Single | JoinType::Anti => 0,
            JoinType::Semi => MATCHED,
            JoinType::Mark(_) => {
                let mut marks = FlatVector::with_capacity(PhysicalType::Bool, chunk.len);
                for &flag in &self.flags {
                    match flag & MATCHED != 0 {
                        true => marks.push(1u8),
                        false if flag & UNKNOWN != 0 => marks.push_null(),
                        false => marks.push(0u8),
                    }
                }
                let mut out = chunk.clone();
                out.columns.push(marks.into());
                return Some(out);
            }
        };
        // Rows of a chunk fit u16.
        let rows = chunk.rows().filter(|&row| self.flags[row] & MATCHED == wanted).map(|row| row as u16);
        let selection: Selection = rows.collect();
        if selection.is_empty() {
            return None;
        }
        let mut out = Chunk { len: chunk.len, selection: Some(selection), columns: chunk.columns.clone() };
        if self.join.gives_pairs() {
            let nulls = self.join.right_types.iter();
            out.columns.extend(nulls.map(|ty| Vector::constant(ty.physical(), Scalar::Null)));
        }
        Some(out)
    }
}

/// Right rows that have met no left row.
pub(super) struct LoopUnmatched(pub(super) Arc<LoopState>);

impl Source for LoopUnmatched {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        Ok(1)
    }

    fn reader(&self, query: &Arc<Query>) -> Result<Box<dyn Reader>> {
        let rows = BufferSource::new(&self.0.right).reader(query)?;
        Ok(Box::new(UnmatchedReader { join: Arc::clone(&self.0), rows, done: 0 }))
    }
}

struct UnmatchedReader {
    join: Arc<LoopState>,
    rows: Box<dyn Reader>,
    done: usize,
}

impl Reader for UnmatchedReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        if !self.rows.next(chunk)? {
            return Ok(false);
        }
        let matched = &self.join.matched()[self.done..self.done + chunk.len];
        self.done += chunk.len;
        // Rows of a chunk fit u16.
        let unmatched = (0..chunk.len).filter(|&row| !matched[row].load(Ordering::Relaxed));
        chunk.selection = Some(unmatched.map(|row| row as u16).collect());
        let nulls = self.join.left_types.iter().map(|ty| Vector::constant(ty.physical(), Scalar::Null));
        chunk.columns.splice(0..0, nulls);
        Ok(true)
    }
}
