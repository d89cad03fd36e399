//! Comparisons and the tests of truth values.

use super::call::{Argument, RowSet};
use super::lane::Lane;
use super::program::{NodeId, Op};
use super::run::{Evaluator, Input};
use crate::error::Result;
use crate::expr::{CompareOp, IsTest};
use crate::types::vector::{Native, Rows, Validity};
use crate::types::{
    DataType, Decimal, FlatVector, Interval, PhysicalType, Scalar, Value, Vector, compare_floats,
};
use std::cmp::Ordering;
use std::sync::Arc;

/// SQL's order of a native type.
pub(crate) trait Ordered: Native {
    /// `a = b`
    fn equal(a: Self, b: Self) -> bool;

    /// `a < b`
    fn less(a: Self, b: Self) -> bool;
}

macro_rules! ordered {
    ($($ty:ty),*) => {$(
        impl Ordered for $ty {
            #[inline(always)]
            fn equal(a: Self, b: Self) -> bool {
                a == b
            }

            #[inline(always)]
            fn less(a: Self, b: Self) -> bool {
                a < b
            }
        }
    )*};
}
ordered!(u8, i16, i32, i64, i128, [u8; 16]);

macro_rules! ordered_floats {
    ($($ty:ty),*) => {$(
        impl Ordered for $ty {
            #[inline(always)]
            fn equal(a: Self, b: Self) -> bool {
                (a == b) | (a.is_nan() & b.is_nan())
            }

            #[inline(always)]
            fn less(a: Self, b: Self) -> bool {
                (a < b) | (!a.is_nan() & b.is_nan())
            }
        }
    )*};
}
ordered_floats!(f32, f64);

impl Ordered for Interval {
    fn equal(a: Self, b: Self) -> bool {
        a.span() == b.span()
    }

    fn less(a: Self, b: Self) -> bool {
        a.span() < b.span()
    }
}

/// SQL's order of two scalars of one shape and type; NULLs are equal and last.
pub(crate) fn compare_scalars(a: Scalar<'_>, b: Scalar<'_>, left: &DataType, right: &DataType) -> Ordering {
    match (a, b) {
        (Scalar::Null, Scalar::Null) => Ordering::Equal,
        (Scalar::Null, _) => Ordering::Greater,
        (_, Scalar::Null) => Ordering::Less,
        (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(&b),
        (Scalar::I16(a), Scalar::I16(b)) => a.cmp(&b),
        (Scalar::I32(a), Scalar::I32(b)) => a.cmp(&b),
        (Scalar::F32(a), Scalar::F32(b)) => compare_floats(a.into(), b.into()),
        (Scalar::F64(a), Scalar::F64(b)) => compare_floats(a, b),
        (Scalar::Interval(a), Scalar::Interval(b)) => a.compare(&b),
        (Scalar::Uuid(a), Scalar::Uuid(b)) => a.cmp(&b),
        (Scalar::Bytes(a), Scalar::Bytes(b)) => a.cmp(b),
        (Scalar::I64(a), Scalar::I64(b)) if !left.is_decimal() => a.cmp(&b),
        (a, b) => {
            let (a, b) = (Value::from_scalar(a, left), Value::from_scalar(b, right));
            a.compare(&b).unwrap_or(Ordering::Equal)
        }
    }
}

/// Makes rows of `out` NULL that are NULL in `vector`, among the first `len`.
pub(super) fn merge_nulls(out: &mut Validity, vector: &Vector, len: usize) {
    let Some((base, rows)) = vector.base() else { return };
    if base.validity().all_valid() {
        return;
    }
    match rows {
        Rows::Each => out.merge(base.validity()),
        Rows::Same => {
            if !base.validity().is_valid(0) {
                out.words_mut(len).fill(0);
            }
        }
        Rows::Codes(codes) => {
            for (row, &code) in codes[..len].iter().enumerate() {
                if !base.validity().is_valid(usize::from(code)) {
                    out.set_null(row);
                }
            }
        }
    }
}

impl Evaluator {
    /// A comparison as a column.
    pub(super) fn compare(
        &mut self,
        id: NodeId,
        rows: RowSet<'_>,
        input: &Input<'_>,
        out: &mut Vector,
    ) -> Result<()> {
        let Op::Compare { operator, left, right } = self.program.nodes[id].op else { return Ok(()) };
        let types = [self.program.nodes[left].ty, self.program.nodes[right].ty];
        if !operator.sees_nulls()
            && let Some((node, codes, dictionary)) = self.only_dictionary(&[left, right], rows, input)
        {
            let len = dictionary.len();
            let instead = Vector::Flat(dictionary.as_ref().clone());
            let side = |id| if id == node { &instead } else { self.vector(id, input) };
            let mut values = FlatVector::new(PhysicalType::Bool);
            compare_vectors(operator, side(left), side(right), &types, RowSet::All(len), len, &mut values);
            *out = Vector::Dictionary { codes, dictionary: Arc::new(values) };
            return Ok(());
        }
        let (left, right) = (self.vector(left, input), self.vector(right, input));
        compare_vectors(operator, left, right, &types, rows, input.chunk.len, out.writer());
        Ok(())
    }

    /// `NOT` of a truth value.
    pub(super) fn not(&mut self, operand: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) {
        let operand = self.vector(operand, input);
        let lane = Lane::<u8>::of_vector(operand, input.chunk.len);
        let flat = out.writer();
        write_bools(flat, input.chunk.len, rows, &lane, &Lane::Same(0), |a, _| a == 0);
        merge_nulls(flat.validity_mut(), operand, input.chunk.len);
    }

    /// `IS [NOT] NULL | TRUE | FALSE | UNKNOWN`.
    pub(super) fn is(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) {
        let Op::Is { operand, test, negated } = self.program.nodes[id].op else { return };
        let vector = self.vector(operand, input);
        let slots = out.writer().overwrite::<u8>(input.chunk.len);
        let wanted = match test {
            IsTest::Null | IsTest::Unknown => {
                match vector.may_have_nulls() {
                    false => slots.fill(u8::from(negated)),
                    true => rows.each(|row| slots[row] = u8::from(vector.is_null(row) != negated)),
                }
                return;
            }
            IsTest::True => 1,
            IsTest::False => 0,
        };
        let lane = Lane::<u8>::of_vector(vector, input.chunk.len);
        let nulls = vector.may_have_nulls();
        rows.each(|row| {
            let holds = lane.at(row) == wanted && !(nulls && vector.is_null(row));
            slots[row] = u8::from(holds != negated);
        });
    }
}

/// Appends the rows where a truth value is true.
pub(super) fn filter_true(vector: &Vector, rows: RowSet<'_>, out: &mut Vec<u16>) {
    let Some((base, way)) = vector.base() else { return };
    let (truths, validity) = (base.values::<u8>(), base.validity());
    match way {
        Rows::Same => {
            if truths[0] != 0 && validity.is_valid(0) {
                rows.copy_to(out);
            }
        }
        Rows::Each if validity.all_valid() => compress(rows, out, |row| truths[row] != 0),
        Rows::Each => compress(rows, out, |row| (truths[row] != 0) & validity.is_valid(row)),
        Rows::Codes(codes) => compress(rows, out, |row| {
            let slot = usize::from(codes[row]);
            (truths[slot] != 0) & validity.is_valid(slot)
        }),
    }
}

/// Appends the rows that pass, without a branch for each.
#[inline(always)]
fn compress(rows: RowSet<'_>, out: &mut Vec<u16>, pass: impl Fn(usize) -> bool) {
    let start = out.len();
    out.resize(start + rows.count(), 0);
    let mut at = start;
    match rows {
        RowSet::All(count) => {
            for row in 0..count {
                // Rows of a chunk fit u16; `at` is at most `start` and the rows seen before this one.
                out[at] = row as u16;
                at += usize::from(pass(row));
            }
        }
        RowSet::Some(rows) => {
            for &row in rows {
                out[at] = row;
                at += usize::from(pass(usize::from(row)));
            }
        }
    }
    out.truncate(at);
}

/// Compares two vectors of one type into a flat vector of truth values.
pub(super) fn compare_vectors(
    operator: CompareOp,
    left: &Vector,
    right: &Vector,
    types: &[DataType; 2],
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let plain = match operator {
        CompareOp::Distinct => CompareOp::NotEqual,
        CompareOp::NotDistinct => CompareOp::Equal,
        other => other,
    };
    // Two of the six are the others with their sides exchanged.
    let (plain, a, b, ta, tb) = match plain {
        CompareOp::Greater => (CompareOp::Less, right, left, types[1], types[0]),
        CompareOp::GreaterEqual => (CompareOp::LessEqual, right, left, types[1], types[0]),
        other => (other, left, right, types[0], types[1]),
    };
    match a.physical() {
        PhysicalType::Bytes => compare_strings(plain, a, b, rows, len, out),
        _ if ta.is_decimal() && !comparable_digits(&ta, &tb) => {
            compare_decimals(plain, a, b, &ta, &tb, rows, len, out);
        }
        PhysicalType::Bool => compare_native::<u8>(plain, a, b, rows, len, out),
        PhysicalType::I16 => compare_native::<i16>(plain, a, b, rows, len, out),
        PhysicalType::I32 => compare_native::<i32>(plain, a, b, rows, len, out),
        PhysicalType::I64 => compare_native::<i64>(plain, a, b, rows, len, out),
        PhysicalType::I128 => compare_native::<i128>(plain, a, b, rows, len, out),
        PhysicalType::F32 => compare_native::<f32>(plain, a, b, rows, len, out),
        PhysicalType::F64 => compare_native::<f64>(plain, a, b, rows, len, out),
        PhysicalType::Interval => compare_native::<Interval>(plain, a, b, rows, len, out),
        PhysicalType::Uuid => compare_native::<[u8; 16]>(plain, a, b, rows, len, out),
    }
    if !operator.sees_nulls() {
        merge_nulls(out.validity_mut(), left, len);
        merge_nulls(out.validity_mut(), right, len);
    } else if left.may_have_nulls() || right.may_have_nulls() {
        let distinct = operator == CompareOp::Distinct;
        let slots = out.values_mut::<u8>();
        rows.each(|row| {
            let (a, b) = (left.is_null(row), right.is_null(row));
            if a || b {
                slots[row] = u8::from((a != b) == distinct);
            }
        });
    }
}

/// Whether the digits of two decimal types compare as the numbers do.
fn comparable_digits(a: &DataType, b: &DataType) -> bool {
    let scale = |ty: &DataType| if let DataType::Numeric { scale, .. } = ty { Some(*scale) } else { None };
    a.physical() == b.physical() && scale(a).is_some() && scale(a) == scale(b)
}

fn compare_native<T: Ordered>(
    operator: CompareOp,
    a: &Vector,
    b: &Vector,
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let (a, b) = (Lane::<T>::of_vector(a, len), Lane::<T>::of_vector(b, len));
    match operator {
        CompareOp::Equal => write_bools(out, len, rows, &a, &b, T::equal),
        CompareOp::NotEqual => write_bools(out, len, rows, &a, &b, |a, b| !T::equal(a, b)),
        CompareOp::Less => write_bools(out, len, rows, &a, &b, T::less),
        _ => write_bools(out, len, rows, &a, &b, |a, b| !T::less(b, a)),
    }
}

/// Writes a truth value for every row, or for those that count if they are few.
#[inline(always)]
fn write_bools<T: Native>(
    out: &mut FlatVector,
    len: usize,
    rows: RowSet<'_>,
    a: &Lane<'_, T>,
    b: &Lane<'_, T>,
    f: impl Fn(T, T) -> bool,
) {
    let out = out.overwrite::<u8>(len);
    if let RowSet::Some(rows) = rows
        && rows.len() < len / 4
    {
        for &row in rows {
            let row = usize::from(row);
            out[row] = u8::from(f(a.at(row), b.at(row)));
        }
        return;
    }
    match (a, b) {
        (Lane::Same(a), Lane::Same(b)) => out.fill(u8::from(f(*a, *b))),
        (Lane::Same(a), b) => {
            for (out, b) in out.iter_mut().zip(b.slice()) {
                *out = u8::from(f(*a, *b));
            }
        }
        (a, Lane::Same(b)) => {
            for (out, a) in out.iter_mut().zip(a.slice()) {
                *out = u8::from(f(*a, *b));
            }
        }
        (a, b) => {
            for ((out, a), b) in out.iter_mut().zip(a.slice()).zip(b.slice()) {
                *out = u8::from(f(*a, *b));
            }
        }
    }
}

fn compare_strings(
    operator: CompareOp,
    a: &Vector,
    b: &Vector,
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let (Some((a, a_rows)), Some((b, b_rows))) = (a.base(), b.base()) else { return };
    let (a, b) = (a.strings(), b.strings());
    let out = out.overwrite::<u8>(len);
    let pair = |row| (&a[a_rows.index(row)], &b[b_rows.index(row)]);
    match operator {
        CompareOp::Equal => rows.each(|row| {
            let (a, b) = pair(row);
            out[row] = u8::from(a == b);
        }),
        CompareOp::NotEqual => rows.each(|row| {
            let (a, b) = pair(row);
            out[row] = u8::from(a != b);
        }),
        CompareOp::Less => rows.each(|row| {
            let (a, b) = pair(row);
            out[row] = u8::from(a < b);
        }),
        _ => rows.each(|row| {
            let (a, b) = pair(row);
            out[row] = u8::from(a <= b);
        }),
    }
}

#[expect(clippy::too_many_arguments, reason = "two vectors with their types, where and whereto")]
fn compare_decimals(
    operator: CompareOp,
    a: &Vector,
    b: &Vector,
    ta: &DataType,
    tb: &DataType,
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let (a, b) = (Decimal::source(a, ta), Decimal::source(b, tb));
    let out = out.overwrite::<u8>(len);
    rows.each(|row| {
        let order = Decimal::get(&a, row).compare(&Decimal::get(&b, row));
        out[row] = u8::from(match operator {
            CompareOp::Equal => order == Ordering::Equal,
            CompareOp::NotEqual => order != Ordering::Equal,
            CompareOp::Less => order == Ordering::Less,
            _ => order != Ordering::Greater,
        });
    });
}
