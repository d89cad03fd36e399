//! Conditions: which rows they hold for, and `AND` and `OR`, which look at later terms only where earlier ones leave
//! the question open.

use super::call::RowSet;
use super::compare::filter_true;
use super::program::{NodeId, Op};
use super::run::{Evaluator, Input};
use crate::error::Result;
use crate::expr::{Expr, fold::may_fail};
use crate::types::Vector;

/// The order in which the terms of an `AND` are looked at. Those before the first that may fail are sorted by what
/// they were seen to let through, the most selective first; the others stay where they are, so that `x <> 0 AND
/// 1 / x > 2` does what it says.
pub(super) struct Order {
    /// Places of terms.
    places: Vec<usize>,
    /// How many of them, at the start, may change places.
    movable: usize,
    /// By place: rows seen and rows let through, halved now and then.
    seen: Vec<(u32, u32)>,
    runs: u32,
}

/// Runs between two looks at the order.
const REORDER_EVERY: u32 = 16;

impl Order {
    pub(super) fn new(terms: &[Expr]) -> Self {
        let movable = terms.iter().take_while(|term| !may_fail(term)).count();
        Self { places: (0..terms.len()).collect(), movable, seen: vec![(0, 0); terms.len()], runs: 0 }
    }

    fn note(&mut self, place: usize, seen: usize, passed: usize) {
        // At most a chunk's rows.
        self.seen[place].0 += seen as u32;
        self.seen[place].1 += passed as u32;
    }

    fn end_run(&mut self) {
        self.runs += 1;
        if !self.runs.is_multiple_of(REORDER_EVERY) || self.movable < 2 {
            return;
        }
        let seen = &self.seen;
        let rate = |place: &usize| {
            let (seen, passed) = seen[*place];
            // In thousandths; a term not seen lately may be good.
            u64::from(passed) * 1000 / u64::from(seen.max(1))
        };
        self.places[..self.movable].sort_by_key(rate);
        self.seen.iter_mut().for_each(|(seen, passed)| (*seen, *passed) = (*seen / 2, *passed / 2));
    }
}

impl Evaluator {
    /// Appends the rows where the node, a condition, is true.
    pub(super) fn select_rows(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vec<u16>,
    ) -> Result<()> {
        if rows.count() == 0 {
            return Ok(());
        }
        match &self.program.nodes[id].op {
            Op::And(terms, _) if !self.program.nodes[id].constant => {
                let count = terms.len();
                self.select_all(id, count, rows, input, out)
            }
            Op::Or(terms) if !self.program.nodes[id].constant => {
                let count = terms.len();
                self.select_any(id, count, rows, input, out)
            }
            _ => {
                self.run(id, rows, input)?;
                filter_true(self.vector(id, input), rows, out);
                Ok(())
            }
        }
    }

    fn term(&self, id: NodeId, place: usize) -> NodeId {
        match &self.program.nodes[id].op {
            Op::And(terms, order) => terms[order.places[place]],
            Op::Or(terms) => terms[place],
            _ => id,
        }
    }

    /// The rows where all terms are true.
    fn select_all(
        &mut self,
        id: NodeId,
        count: usize,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vec<u16>,
    ) -> Result<()> {
        let (mut current, mut passed, depth) = (self.take_rows(), self.take_rows(), self.depth());
        let mut result = Ok(());
        for place in 0..count {
            let rows = if place == 0 { rows } else { RowSet::Some(&current) };
            let seen = rows.count();
            if seen == 0 {
                break;
            }
            passed.clear();
            result = self.select_rows(self.term(id, place), rows, input, &mut passed);
            if result.is_err() {
                break;
            }
            self.enter();
            if let Op::And(_, order) = &mut self.program.nodes[id].op {
                let term = order.places[place];
                order.note(term, seen, passed.len());
            }
            std::mem::swap(&mut current, &mut passed);
        }
        if let Op::And(_, order) = &mut self.program.nodes[id].op {
            order.end_run();
        }
        if result.is_ok() {
            out.extend_from_slice(&current);
        }
        self.leave(depth);
        self.give_rows(current);
        self.give_rows(passed);
        result
    }

    /// The rows where some term is true.
    fn select_any(
        &mut self,
        id: NodeId,
        count: usize,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vec<u16>,
    ) -> Result<()> {
        let (mut open, mut passed, depth) = (self.take_rows(), self.take_rows(), self.depth());
        rows.copy_to(&mut open);
        let start = out.len();
        let mut result = Ok(());
        for place in 0..count {
            if open.is_empty() {
                break;
            }
            passed.clear();
            result = self.select_rows(self.term(id, place), RowSet::Some(&open), input, &mut passed);
            if result.is_err() {
                break;
            }
            self.enter();
            subtract(&mut open, &passed);
            out.extend_from_slice(&passed);
        }
        out[start..].sort_unstable();
        self.leave(depth);
        self.give_rows(open);
        self.give_rows(passed);
        result
    }

    /// `AND` as a column: false where a term is, else NULL where a term is, else true.
    pub(super) fn conjunction(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::And(terms, _) = &self.program.nodes[id].op else { return Ok(()) };
        let count = terms.len();
        self.combine(id, count, true, rows, input, out)
    }

    /// `OR` as a column: true where a term is, else NULL where a term is, else false.
    pub(super) fn disjunction(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::Or(terms) = &self.program.nodes[id].op else { return Ok(()) };
        let count = terms.len();
        self.combine(id, count, false, rows, input, out)
    }

    /// Goes through the terms with the rows on which none was `!neutral` yet.
    fn combine(
        &mut self,
        id: NodeId,
        count: usize,
        neutral: bool,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let flat = out.writer();
        flat.overwrite::<u8>(input.chunk.len).fill(u8::from(neutral));
        let (mut open, depth) = (self.take_rows(), self.depth());
        rows.copy_to(&mut open);
        let mut result = Ok(());
        for place in 0..count {
            if open.is_empty() {
                break;
            }
            let term = self.term(id, place);
            result = self.run(term, RowSet::Some(&open), input);
            if result.is_err() {
                break;
            }
            self.enter();
            let vector = self.vector(term, input);
            let mut decided = Vec::new();
            open.retain(|&row| {
                let row = usize::from(row);
                match truth(vector, row) {
                    None => flat.set_null(row),
                    Some(truth) if truth != neutral => {
                        decided.push(row);
                        return false;
                    }
                    Some(_) => {}
                }
                true
            });
            for row in decided {
                flat.values_mut::<u8>()[row] = u8::from(!neutral);
                flat.validity_mut().set_valid(row);
            }
        }
        self.leave(depth);
        self.give_rows(open);
        result
    }
}

/// The truth value of a row.
pub(super) fn truth(vector: &Vector, row: usize) -> Option<bool> {
    let (base, rows) = vector.base()?;
    let slot = rows.index(row);
    base.validity().is_valid(slot).then(|| base.values::<u8>()[slot] != 0)
}

/// Takes ascending `rows` out of ascending `from`.
pub(super) fn subtract(from: &mut Vec<u16>, rows: &[u16]) {
    let mut rows = rows.iter().peekable();
    from.retain(|row| rows.next_if_eq(&row).is_none());
}
