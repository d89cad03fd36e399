//! `IN` with constants: a hash set once for all rows.

use super::call::{Argument, RowSet};
use super::compare::merge_nulls;
use super::program::{NodeId, Op};
use super::run::{Evaluator, Input};
use crate::expr::Expr;
use crate::types::vector::Str16;
use crate::types::{DataType, Decimal, FlatVector, PhysicalType, Scalar, Value, Vector};
use foldhash::HashSet;
use std::sync::Arc;

/// The members of a list, NULL apart. All but strings are kept as a word of 128 bits, decimals with their scale, that
/// is equal where the values are.
pub(super) struct Members {
    set: Set,
    has_null: bool,
}

enum Set {
    /// Few enough to be compared one by one.
    Few(Vec<Decimal>),
    Words(HashSet<Decimal>),
    FewStrings(Vec<Box<[u8]>>),
    Strings(HashSet<Box<[u8]>>),
}

/// Up to so many members a scan is faster than a hash.
const FEW: usize = 8;

impl Members {
    /// The members, if all are constant. They have been cast to the operand's type, but for modifiers.
    pub(super) fn new(ty: &DataType, list: &[Expr]) -> Option<Self> {
        let mut values = Vec::with_capacity(list.len());
        let mut has_null = false;
        for member in list {
            match member {
                Expr::Constant { value: Value::Null, .. } => has_null = true,
                Expr::Constant { value, .. } => values.push(value),
                _ => return None,
            }
        }
        let set = if ty.physical() == PhysicalType::Bytes {
            let strings = values.iter().map(|value| match value {
                Value::Text(text) => Some(text.as_bytes().into()),
                Value::Bytea(bytes) => Some(bytes.clone()),
                _ => None,
            });
            if values.len() <= FEW {
                Set::FewStrings(strings.collect::<Option<_>>()?)
            } else {
                Set::Strings(strings.collect::<Option<_>>()?)
            }
        } else {
            let words = values.iter().map(|value| word_of_value(value, ty));
            if values.len() <= FEW {
                Set::Few(words.collect::<Option<_>>()?)
            } else {
                Set::Words(words.collect::<Option<_>>()?)
            }
        };
        Some(Self { set, has_null })
    }

    fn has_bytes(&self, bytes: &[u8]) -> bool {
        match &self.set {
            Set::FewStrings(members) => members.iter().any(|member| **member == *bytes),
            Set::Strings(members) => members.contains(bytes),
            Set::Few(_) | Set::Words(_) => false,
        }
    }

    fn has_word(&self, word: Decimal) -> bool {
        match &self.set {
            Set::Few(members) => members.contains(&word),
            Set::Words(members) => members.contains(&word),
            Set::FewStrings(_) | Set::Strings(_) => false,
        }
    }
}

/// A decimal without trailing zeros, so that equal numbers are equal words.
fn word_of_decimal(mut decimal: Decimal) -> Decimal {
    while decimal.scale > 0 && decimal.value % 10 == 0 {
        decimal = Decimal::new(decimal.value / 10, decimal.scale - 1);
    }
    decimal
}

fn word_of_float(value: f64) -> i128 {
    // Both zeros become the positive one.
    if value.is_nan() { i128::MIN } else { (value + 0.0).to_bits().into() }
}

fn word_of_value(value: &Value, ty: &DataType) -> Option<Decimal> {
    if let Value::Numeric(decimal) = value {
        return Some(word_of_decimal(*decimal));
    }
    word_of_scalar(value.to_scalar(ty).ok()?, ty)
}

fn word_of_scalar(scalar: Scalar<'_>, ty: &DataType) -> Option<Decimal> {
    let word: i128 = match scalar {
        Scalar::Null | Scalar::Bytes(_) => return None,
        Scalar::I64(_) | Scalar::I128(_) if ty.is_decimal() => match Value::from_scalar(scalar, ty) {
            Value::Numeric(decimal) => return Some(word_of_decimal(decimal)),
            _ => return None,
        },
        Scalar::Bool(v) => v.into(),
        Scalar::I16(v) => v.into(),
        Scalar::I32(v) => v.into(),
        Scalar::I64(v) => v.into(),
        Scalar::I128(v) => v,
        Scalar::F32(v) => word_of_float(v.into()),
        Scalar::F64(v) => word_of_float(v),
        Scalar::Interval(v) => v.span(),
        Scalar::Uuid(v) => i128::from_be_bytes(v),
    };
    Some(Decimal::new(word, 0))
}

impl Evaluator {
    /// `IN` with constant members.
    pub(super) fn among(&mut self, id: NodeId, rows: RowSet<'_>, input: &Input<'_>, out: &mut Vector) {
        let Op::Among { operand, members, negated } = &self.program.nodes[id].op else { return };
        let ty = self.program.nodes[*operand].ty;
        if let Some((_, codes, dictionary)) = self.only_dictionary(&[*operand], rows, input) {
            let (len, mut values) = (dictionary.len(), FlatVector::new(PhysicalType::Bool));
            let instead = Vector::Flat(dictionary.as_ref().clone());
            write(members, *negated, &instead, &ty, RowSet::All(len), len, &mut values);
            *out = Vector::Dictionary { codes, dictionary: Arc::new(values) };
            return;
        }
        let vector = self.vector(*operand, input);
        write(members, *negated, vector, &ty, rows, input.chunk.len, out.writer());
    }
}

fn write(
    members: &Members,
    negated: bool,
    vector: &Vector,
    ty: &DataType,
    rows: RowSet<'_>,
    len: usize,
    out: &mut FlatVector,
) {
    let slots = out.overwrite::<u8>(len);
    let mut put = |row: usize, found: bool| slots[row] = u8::from(found != negated);
    match vector.physical() {
        PhysicalType::Bytes
            if let (Set::FewStrings(list), Some((base, way))) = (&members.set, vector.base()) =>
        {
            let (list, strings): (Vec<Str16<'_>>, _) =
                (list.iter().map(|member| Str16::new(member)).collect(), base.strings());
            rows.each(|row| put(row, list.contains(&strings[way.index(row)])));
        }
        PhysicalType::Bytes => {
            let source = <&[u8]>::source(vector, ty);
            rows.each(|row| put(row, members.has_bytes(<&[u8]>::get(&source, row))));
        }
        PhysicalType::I32 => {
            let source = i32::source(vector, ty);
            rows.each(|row| put(row, members.has_word(Decimal::new(i32::get(&source, row).into(), 0))));
        }
        PhysicalType::I64 if !ty.is_decimal() => {
            let source = i64::source(vector, ty);
            rows.each(|row| put(row, members.has_word(Decimal::new(i64::get(&source, row).into(), 0))));
        }
        _ => rows.each(|row| {
            let word = word_of_scalar(vector.scalar(row), ty);
            put(row, word.is_some_and(|word| members.has_word(word)));
        }),
    }
    if members.has_null {
        // What is not found may be equal to the NULL.
        rows.each(|row| {
            if (out.values::<u8>()[row] != 0) == negated {
                out.set_null(row);
            }
        });
    }
    merge_nulls(out.validity_mut(), vector, len);
}
