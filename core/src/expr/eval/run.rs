//! Running a program over chunks.

use super::call::{Call, RowSet};
use super::compare::merge_nulls;
use super::program::{Arguments, NodeId, Op, Program, vector_of};
use crate::error::{Result, StatementError};
use crate::expr::fold::fold;
use crate::expr::{EvalContext, Expr};
use crate::types::vector::Validity;
use crate::types::{Chunk, FlatVector, PhysicalType, Scalar, Selection, Value, Vector};
use std::sync::Arc;

/// Compiled expressions with their scratch memory; each thread has its own.
pub struct Evaluator {
    pub(super) program: Program,
    pub(super) registers: Vec<Vector>,
    stamps: Vec<Stamp>,
    /// The scopes being computed, outermost first.
    pub(super) scopes: Vec<u32>,
    next_scope: u32,
    /// Row lists to be used again.
    pool: Vec<Vec<u16>>,
}

/// Which rows of the current chunk a register holds: those of a scope of a run, none for the default.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    scope: u32,
}

/// What a run reads.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) chunk: &'a Chunk,
    pub(super) context: &'a EvalContext<'a>,
}

/// The results of a run.
pub struct Outputs<'a> {
    evaluator: &'a Evaluator,
    chunk: &'a Chunk,
}

impl<'a> Outputs<'a> {
    /// The result of the `index`-th expression: filled at least where the chunk's rows count.
    pub fn get(&self, index: usize) -> &'a Vector {
        let evaluator = self.evaluator;
        vector_of(evaluator.program.roots[index], &evaluator.program.nodes, &evaluator.registers, self.chunk)
    }

    /// All results in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Vector> + '_ {
        (0..self.evaluator.program.roots.len()).map(|index| self.get(index))
    }
}

/// What stands in a register while its node is computed.
const ABSENT: Vector =
    Vector::Sequence(crate::types::vector::Sequence { physical: PhysicalType::I64, base: 0, step: 0 });

/// The value of an expression without columns.
///
/// # Errors
/// Those of its functions.
pub fn evaluate_constant(expr: &Expr, context: &EvalContext<'_>) -> Result<Value> {
    let chunk = Chunk { len: 1, ..Chunk::default() };
    let mut evaluator = Evaluator::unfolded(std::slice::from_ref(expr))?;
    Ok(evaluator.evaluate(&chunk, context)?.get(0).value_at(0, &expr.data_type()))
}

impl Evaluator {
    /// Compiles expressions.
    ///
    /// # Errors
    /// 54001 if one is too deep; 22003 if a constant does not fit its type.
    pub fn new(exprs: &[Expr]) -> Result<Self> {
        exprs.iter().try_for_each(Expr::check_depth)?;
        let folded: Vec<_> = exprs.iter().map(|expr| fold(expr.clone())).collect();
        Self::unfolded(&folded)
    }

    /// Compiles expressions as they are.
    fn unfolded(exprs: &[Expr]) -> Result<Self> {
        let (program, registers) = Program::new(exprs)?;
        let stamps = vec![Stamp::default(); registers.len()];
        Ok(Self { program, registers, stamps, scopes: Vec::new(), next_scope: 0, pool: Vec::new() })
    }

    /// Computes every expression on the rows of a chunk that count.
    ///
    /// # Errors
    /// Those of the functions, on these rows.
    pub fn evaluate<'a>(&'a mut self, chunk: &'a Chunk, context: &EvalContext<'_>) -> Result<Outputs<'a>> {
        self.begin();
        let rows = chunk_rows(chunk);
        for index in 0..self.program.roots.len() {
            self.run(self.program.roots[index], rows, &Input { chunk, context })?;
        }
        Ok(Outputs { evaluator: self, chunk })
    }

    /// Computes every expression and makes the results the columns of `out`, whose former columns' memory is used for
    /// the next chunk.
    ///
    /// # Errors
    /// Those of the functions, on the rows that count.
    pub fn project(&mut self, chunk: &Chunk, context: &EvalContext<'_>, out: &mut Chunk) -> Result<()> {
        self.evaluate(chunk, context)?;
        out.len = chunk.len;
        out.selection.clone_from(&chunk.selection);
        let count = self.program.roots.len();
        out.columns.resize_with(count, || ABSENT);
        for index in 0..count {
            let id = self.program.roots[index];
            let node = &self.program.nodes[id];
            // A register read by nobody else is given away, in exchange for the memory of the column before.
            let last = !self.program.roots[index + 1..].contains(&id);
            if matches!(node.op, Op::Column(_) | Op::Constant) || node.constant || !last {
                out.columns[index] = self.output(index, chunk).clone();
                continue;
            }
            std::mem::swap(&mut out.columns[index], &mut self.registers[id]);
            let physical = node.ty.physical();
            if self.registers[id].physical() != physical || !matches!(self.registers[id], Vector::Flat(_)) {
                self.registers[id] = Vector::new(physical);
            }
            self.stamps[id] = Stamp::default();
        }
        Ok(())
    }

    /// The rows of the chunk that count and where every expression, a condition, is true.
    ///
    /// # Errors
    /// Those of the functions, on rows where the conditions before are true.
    pub fn select(&mut self, chunk: &Chunk, context: &EvalContext<'_>, out: &mut Selection) -> Result<()> {
        self.begin();
        let input = Input { chunk, context };
        let selected = out.rows_mut();
        selected.clear();
        let roots = self.program.roots.len();
        let mut current = self.take_rows();
        chunk_rows(chunk).copy_to(&mut current);
        for index in 0..roots {
            let mut passed = self.take_rows();
            let rows =
                if current.len() == chunk.len { RowSet::All(chunk.len) } else { RowSet::Some(&current) };
            self.select_rows(self.program.roots[index], rows, &input, &mut passed)?;
            self.give_rows(std::mem::replace(&mut current, passed));
            self.enter();
        }
        selected.extend_from_slice(&current);
        self.give_rows(current);
        Ok(())
    }

    /// How many expressions there are.
    pub fn len(&self) -> usize {
        self.program.roots.len()
    }

    /// Whether there is no expression.
    pub fn is_empty(&self) -> bool {
        self.program.roots.is_empty()
    }

    /// Bytes of scratch memory.
    pub fn memory_size(&self) -> usize {
        self.registers.iter().map(Vector::memory_size).sum()
    }

    // ---- Rows and scopes ----

    /// Forgets the chunk before.
    fn begin(&mut self) {
        self.scopes.clear();
        // Scopes are numbered on from run to run, so that old stamps match nothing.
        if self.next_scope > u32::MAX / 2 {
            self.next_scope = 0;
            self.stamps.fill(Stamp::default());
        }
        self.enter();
    }

    /// Goes on with a part of the rows, until [`leave`](Self::leave) goes back to a [`depth`](Self::depth).
    pub(super) fn enter(&mut self) {
        self.next_scope += 1;
        self.scopes.push(self.next_scope);
    }

    /// How many scopes are entered.
    pub(super) fn depth(&self) -> usize {
        self.scopes.len()
    }

    /// Goes back to the rows of an outer scope; what was computed for fewer is forgotten.
    pub(super) fn leave(&mut self, depth: usize) {
        self.scopes.truncate(depth);
    }

    pub(super) fn take_rows(&mut self) -> Vec<u16> {
        let mut rows = self.pool.pop().unwrap_or_default();
        rows.clear();
        rows
    }

    pub(super) fn give_rows(&mut self, rows: Vec<u16>) {
        self.pool.push(rows);
    }

    /// The vector of a node that was run.
    pub(super) fn vector<'a>(&'a self, id: NodeId, input: &Input<'a>) -> &'a Vector {
        vector_of(id, &self.program.nodes, &self.registers, input.chunk)
    }

    fn output<'a>(&'a self, index: usize, chunk: &'a Chunk) -> &'a Vector {
        vector_of(self.program.roots[index], &self.program.nodes, &self.registers, chunk)
    }

    // ---- Nodes ----

    /// Makes the register of a node hold these rows.
    pub(super) fn run(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>) -> Result<()> {
        let node = &self.program.nodes[id];
        let stamp = self.stamps[id];
        if matches!(node.op, Op::Constant) || (stamp.scope != 0 && self.scopes.contains(&stamp.scope)) {
            return Ok(());
        }
        if rows.count() == 0 {
            // Nothing is computed, and nobody may take it for computed.
            self.registers[id] = Vector::constant(node.ty.physical(), Scalar::Null);
            return Ok(());
        }
        let scope = self.scopes.last().copied().unwrap_or(0);
        if node.constant {
            self.run_constant(id, input)?;
        } else {
            self.run_rows(id, rows, input)?;
        }
        self.stamps[id] = Stamp { scope };
        Ok(())
    }

    /// One row for all.
    fn run_constant(&mut self, id: NodeId, input: &Input<'_>) -> Result<()> {
        if let Op::Parameter(number) = self.program.nodes[id].op {
            let ty = self.program.nodes[id].ty;
            let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
            let value = input.context.parameters.get(index);
            let value = value.ok_or(StatementError::UndefinedParameter { number })?;
            self.registers[id] = Vector::constant(ty.physical(), value.to_scalar(&ty)?);
            return Ok(());
        }
        let one = Chunk { len: 1, ..Chunk::default() };
        self.run_rows(id, RowSet::All(1), &Input { chunk: &one, context: input.context })?;
        let register = std::mem::replace(&mut self.registers[id], ABSENT);
        self.registers[id] = match register {
            Vector::Flat(flat) if flat.len() == 1 => Vector::Constant(flat),
            other => Vector::constant(other.physical(), other.scalar(0)),
        };
        Ok(())
    }

    fn run_rows(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>) -> Result<()> {
        let mut out = std::mem::replace(&mut self.registers[id], ABSENT);
        if out.physical() != self.program.nodes[id].ty.physical() {
            out = Vector::new(self.program.nodes[id].ty.physical());
        }
        let result = self.compute(id, rows, input, &mut out);
        self.registers[id] = out;
        result
    }

    fn compute(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) -> Result<()> {
        match &self.program.nodes[id].op {
            Op::Column(index) => {
                // Others are read where they are.
                if let column @ Vector::Sequence(_) = &input.chunk.columns[*index] {
                    let flat = out.writer();
                    flat.append(column, input.chunk.len, None);
                }
                Ok(())
            }
            Op::Constant => Ok(()),
            Op::Parameter(_) => unreachable!("has one value for all rows"),
            Op::Call { arguments, .. } => {
                for index in 0..arguments.len() {
                    let Op::Call { arguments, .. } = &self.program.nodes[id].op else { break };
                    let argument = arguments[index];
                    self.run(argument, rows, input)?;
                }
                self.call(id, rows, input, out)
            }
            Op::Compare { left, right, .. } => {
                let (left, right) = (*left, *right);
                self.run(left, rows, input)?;
                self.run(right, rows, input)?;
                self.compare(id, rows, input, out)
            }
            Op::And(..) => self.conjunction(id, rows, input, out),
            Op::Or(_) => self.disjunction(id, rows, input, out),
            Op::Not(operand) => {
                let operand = *operand;
                self.run(operand, rows, input)?;
                self.not(operand, rows, input, out);
                Ok(())
            }
            Op::Is { operand, .. } => {
                let operand = *operand;
                self.run(operand, rows, input)?;
                self.is(id, rows, input, out);
                Ok(())
            }
            Op::Case { .. } => self.case(id, rows, input, out),
            Op::Coalesce(_) => self.coalesce(id, rows, input, out),
            Op::NullIf { .. } => self.null_if(id, rows, input, out),
            Op::Extremum { .. } => self.extremum(id, rows, input, out),
            Op::Among { operand, .. } => {
                let operand = *operand;
                self.run(operand, rows, input)?;
                self.among(id, rows, input, out);
                Ok(())
            }
            Op::Matches { operand, .. } => {
                let operand = *operand;
                self.run(operand, rows, input)?;
                self.matches(id, rows, input, out);
                Ok(())
            }
            Op::Like { .. } => self.like(id, rows, input, out),
        }
    }

    // ---- Calls ----

    fn call(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) -> Result<()> {
        let Op::Call { arguments, volatile, .. } = &self.program.nodes[id].op else { return Ok(()) };
        if !volatile && let Some((node, codes, dictionary)) = self.only_dictionary(arguments, rows, input) {
            let instead = Vector::Flat(dictionary.as_ref().clone());
            let len = dictionary.len();
            let mut values = FlatVector::new(out.physical());
            let mut selected = self.take_rows();
            let result = self.invoke(
                id,
                RowSet::All(len),
                len,
                input,
                Some((node, &instead)),
                &mut values,
                &mut selected,
            );
            self.give_rows(selected);
            if result.is_ok() {
                *out = Vector::Dictionary { codes, dictionary: Arc::new(values) };
                return Ok(());
            }
        }
        let mut selected = self.take_rows();
        let result = self.invoke(id, rows, input.chunk.len, input, None, out.writer(), &mut selected);
        self.give_rows(selected);
        result
    }

    /// The one argument that is not constant, if it is a dictionary with fewer values than there are rows.
    pub(super) fn only_dictionary(
        &self,
        arguments: &[NodeId],
        rows: RowSet<'_>,
        input: &Input<'_>,
    ) -> Option<(NodeId, Arc<[u16]>, Arc<FlatVector>)> {
        let mut found: Option<(NodeId, Arc<[u16]>, Arc<FlatVector>)> = None;
        for &id in arguments {
            match self.vector(id, input) {
                Vector::Constant(_) => {}
                Vector::Dictionary { codes, dictionary }
                    if dictionary.len() < rows.count()
                        && found.as_ref().is_none_or(|(node, ..)| *node == id) =>
                {
                    found = Some((id, Arc::clone(codes), Arc::clone(dictionary)));
                }
                _ => return None,
            }
        }
        found
    }

    /// Runs a function's code; its NULLs first.
    #[expect(clippy::too_many_arguments, reason = "the two callers differ in every one of them")]
    fn invoke(
        &self,
        id: NodeId,
        rows: RowSet<'_>,
        len: usize,
        input: &Input<'_>,
        instead: Option<(NodeId, &Vector)>,
        out: &mut FlatVector,
        selected: &mut Vec<u16>,
    ) -> Result<()> {
        let Op::Call { code, arguments, types, strict, .. } = &self.program.nodes[id].op else {
            return Ok(());
        };
        let all = Arguments {
            ids: arguments,
            nodes: &self.program.nodes,
            registers: &self.registers,
            chunk: input.chunk,
            instead,
        };
        let nullable = |index: &usize| *strict && all.get(*index).may_have_nulls();
        let mut nulls = (0..arguments.len()).filter(nullable);
        let Some(first) = nulls.next() else {
            let mut call = Call {
                arguments: all,
                types,
                result_type: self.program.nodes[id].ty,
                rows,
                len,
                context: input.context,
                out,
            };
            return code(&mut call);
        };
        let mut validity = Validity::default();
        for index in std::iter::once(first).chain(nulls) {
            merge_nulls(&mut validity, all.get(index), len);
        }
        rows.filter(selected, |row| validity.is_valid(row));
        let mut call = Call {
            arguments: all,
            types,
            result_type: self.program.nodes[id].ty,
            rows: RowSet::Some(selected),
            len,
            context: input.context,
            out,
        };
        if !selected.is_empty() {
            code(&mut call)?;
        } else {
            out.push_nulls(len);
            return Ok(());
        }
        out.validity_mut().merge(&validity);
        Ok(())
    }
}

/// The rows of a chunk that count.
fn chunk_rows(chunk: &Chunk) -> RowSet<'_> {
    match &chunk.selection {
        Some(selection) => RowSet::Some(selection.as_slice()),
        None => RowSet::All(chunk.len),
    }
}
