//! `CASE`, `COALESCE`, `NULLIF`, `GREATEST`, `LEAST`: each operand is computed only on the rows that need it.

use super::call::RowSet;
use super::compare::{compare_scalars, filter_true};
use super::program::{NodeId, Op};
use super::run::{Evaluator, Input};
use super::select::subtract;
use crate::error::Result;
use crate::expr::Extremum;
use crate::types::vector::Native;
use crate::types::{FlatVector, Interval, PhysicalType, Vector};
use std::cmp::Ordering;

impl Evaluator {
    /// `CASE`.
    pub(super) fn case(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let flat = out.writer();
        prepare(flat, input.chunk.len);
        let (mut open, mut hits, depth) = (self.take_rows(), self.take_rows(), self.depth());
        rows.copy_to(&mut open);
        let mut place = 0;
        let result = loop {
            let Op::Case { branches, otherwise } = &self.program.nodes[id].op else { break Ok(()) };
            let (branch, otherwise) = (branches.get(place).copied(), *otherwise);
            place += 1;
            let Some((condition, value)) = branch else {
                break self.take_branch(otherwise, &open, input, flat);
            };
            if open.is_empty() {
                break Ok(());
            }
            hits.clear();
            let step = self.select_rows(condition, RowSet::Some(&open), input, &mut hits);
            let step = step.and_then(|()| self.take_branch(Some(value), &hits, input, flat));
            if step.is_err() {
                break step;
            }
            subtract(&mut open, &hits);
            self.enter();
        };
        self.leave(depth);
        self.give_rows(open);
        self.give_rows(hits);
        result
    }

    /// Fills rows with the value of a node, or with NULL.
    fn take_branch(
        &mut self,
        value: Option<NodeId>,
        rows: &[u16],
        input: &Input<'_>,
        out: &mut FlatVector,
    ) -> Result<()> {
        let Some(value) = value else {
            rows.iter().for_each(|&row| out.set_null(usize::from(row)));
            return Ok(());
        };
        let depth = self.depth();
        self.enter();
        let result = self.run(value, RowSet::Some(rows), input);
        self.leave(depth);
        result?;
        copy_rows(out, self.vector(value, input), rows);
        Ok(())
    }

    /// `COALESCE`.
    pub(super) fn coalesce(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let flat = out.writer();
        prepare(flat, input.chunk.len);
        let mut open = self.take_rows();
        rows.copy_to(&mut open);
        let mut result = Ok(());
        for place in 0.. {
            let Op::Coalesce(arguments) = &self.program.nodes[id].op else { break };
            let Some(&argument) = arguments.get(place) else { break };
            let last = arguments.len() == place + 1;
            result = self.take_branch(Some(argument), &open, input, flat);
            if result.is_err() {
                break;
            }
            let vector = self.vector(argument, input);
            if open.is_empty() || !vector.may_have_nulls() {
                break;
            }
            open.retain(|&row| vector.is_null(usize::from(row)));
            if !last {
                open.iter().for_each(|&row| flat.validity_mut().set_valid(usize::from(row)));
            }
        }
        self.give_rows(open);
        result
    }

    /// `NULLIF`.
    pub(super) fn null_if(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::NullIf { value, equals } = self.program.nodes[id].op else { return Ok(()) };
        self.run(value, rows, input)?;
        self.run(equals, rows, input)?;
        let mut equal = self.take_rows();
        filter_true(self.vector(equals, input), rows, &mut equal);
        // Values are shared with the operand, NULLs are not.
        *out = self.vector(value, input).clone();
        let flat = out.flatten(input.chunk.len);
        equal.iter().for_each(|&row| flat.set_null(usize::from(row)));
        self.give_rows(equal);
        Ok(())
    }

    /// `GREATEST` and `LEAST`.
    pub(super) fn extremum(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::Extremum { kind, arguments } = &self.program.nodes[id].op else { return Ok(()) };
        let (kind, arguments) = (*kind, arguments.clone());
        for &argument in &arguments {
            self.run(argument, rows, input)?;
        }
        let ty = self.program.nodes[id].ty;
        let flat = out.writer();
        prepare(flat, input.chunk.len);
        let better = match kind {
            Extremum::Greatest => Ordering::Greater,
            Extremum::Least => Ordering::Less,
        };
        let mut best = vec![u32::MAX; input.chunk.len];
        let vectors: Vec<_> = arguments.iter().map(|&argument| self.vector(argument, input)).collect();
        rows.each(|row| {
            let mut found = None;
            for (place, vector) in vectors.iter().enumerate().filter(|(_, vector)| !vector.is_null(row)) {
                let scalar = vector.scalar(row);
                if found.is_none_or(|(_, other)| compare_scalars(scalar, other, &ty, &ty) == better) {
                    found = Some((place, scalar));
                }
            }
            if let Some((place, _)) = found {
                best[row] = place as u32;
            }
        });
        let mut chosen = Vec::new();
        for (place, vector) in vectors.iter().enumerate() {
            chosen.clear();
            rows.filter(&mut chosen, |row| best[row] == place as u32);
            copy_rows(flat, vector, &chosen);
        }
        rows.each(|row| {
            if best[row] == u32::MAX {
                flat.set_null(row);
            }
        });
        Ok(())
    }
}

/// Makes a vector as long as the chunk, for rows in any order.
fn prepare(out: &mut FlatVector, len: usize) {
    match out.physical() {
        PhysicalType::Bool => drop(out.overwrite::<u8>(len)),
        PhysicalType::I16 => drop(out.overwrite::<i16>(len)),
        PhysicalType::I32 => drop(out.overwrite::<i32>(len)),
        PhysicalType::I64 => drop(out.overwrite::<i64>(len)),
        PhysicalType::I128 => drop(out.overwrite::<i128>(len)),
        PhysicalType::F32 => drop(out.overwrite::<f32>(len)),
        PhysicalType::F64 => drop(out.overwrite::<f64>(len)),
        PhysicalType::Interval => drop(out.overwrite::<Interval>(len)),
        PhysicalType::Uuid => drop(out.overwrite::<[u8; 16]>(len)),
        PhysicalType::Bytes => out.overwrite_strings(len),
    }
}

/// Copies rows of `source` to the same rows of `out`.
fn copy_rows(out: &mut FlatVector, source: &Vector, rows: &[u16]) {
    if rows.is_empty() {
        return;
    }
    match out.physical() {
        PhysicalType::Bool => copy_native::<u8>(out, source, rows),
        PhysicalType::I16 => copy_native::<i16>(out, source, rows),
        PhysicalType::I32 => copy_native::<i32>(out, source, rows),
        PhysicalType::I64 => copy_native::<i64>(out, source, rows),
        PhysicalType::I128 => copy_native::<i128>(out, source, rows),
        PhysicalType::F32 => copy_native::<f32>(out, source, rows),
        PhysicalType::F64 => copy_native::<f64>(out, source, rows),
        PhysicalType::Interval => copy_native::<Interval>(out, source, rows),
        PhysicalType::Uuid => copy_native::<[u8; 16]>(out, source, rows),
        PhysicalType::Bytes => {
            for &row in rows {
                if let Some(bytes) = source.bytes_at(usize::from(row)) {
                    out.set_bytes(row.into(), bytes);
                }
            }
        }
    }
    if source.may_have_nulls() {
        for &row in rows {
            if source.is_null(row.into()) {
                out.set_null(row.into());
            }
        }
    }
}

fn copy_native<T: Native>(out: &mut FlatVector, source: &Vector, rows: &[u16]) {
    let Some((base, way)) = source.base() else { return };
    let (values, slots) = (base.values::<T>(), out.values_mut::<T>());
    for &row in rows {
        let row = usize::from(row);
        slots[row] = values[way.index(row)];
    }
}
