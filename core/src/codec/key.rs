//! Keys that compare as bytes the way their values compare in SQL.
//!
//! A key is the concatenation of its columns; each column is self-delimiting, so columns cannot run into one
//! another and a key of the first few columns is a prefix of the keys that begin with them.
//!
//! ```text
//!   column      marker u8 | content              marker: 00 NULL (nulls first), 01 a value, FF NULL (nulls last)
//!   boolean     00 or 01
//!   integers, dates, times, numeric(p,s)         big-endian, sign bit flipped
//!   floats      big-endian; negative: all bits flipped, else: sign bit flipped; -0 as 0, NaN above all
//!   numeric     sign u8 (0, 1 zero, 2) | exponent u8 | 38 digits left-aligned, u128; both flipped if negative
//!   interval    microseconds (a month is 30 days) as i128
//!   uuid        16 bytes
//!   text, bytea bytes with 00 as 00 FF | 00 00
//! ```
//!
//! DESC flips the bits of the content, not of the marker: where NULLs go is said apart.
//!
//! Invariants:
//! 1. `a < b` in SQL iff `encode(a) < encode(b)` as bytes; equal values have equal bytes.
//! 2. Decoding gives an equal value, and the very same one where [`is_exact`] says so.

use crate::error::{Error, Result, StorageError};
use crate::types::vector::Vector;
use crate::types::{DataType, Decimal, Interval, MICROS_PER_DAY, PhysicalType, Scalar, Value};

/// How one column of a key is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyColumn {
    /// Its type.
    pub ty: DataType,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

const NULL_FIRST: u8 = 0x00;
const VALUE: u8 = 0x01;
const NULL_LAST: u8 = 0xff;

/// Added to the exponent of a `numeric`, which lies between -37 and 38.
const EXPONENT_BIAS: i16 = 64;

impl KeyColumn {
    /// ASC NULLS LAST, the default of an index.
    pub fn ascending(ty: DataType) -> Self {
        Self { ty, descending: false, nulls_first: false }
    }

    /// DESC NULLS FIRST, the default of DESC.
    pub fn descending(ty: DataType) -> Self {
        Self { ty, descending: true, nulls_first: true }
    }

    /// Appends the key of `scalar`, which has the shape of the column's type.
    ///
    /// # Panics
    /// If it has another shape.
    pub fn encode(&self, out: &mut Vec<u8>, scalar: Scalar<'_>) {
        if scalar == Scalar::Null {
            return out.push(if self.nulls_first { NULL_FIRST } else { NULL_LAST });
        }
        assert_eq!(scalar.physical(), Some(self.ty.physical()));
        out.push(VALUE);
        let start = out.len();
        match scalar {
            Scalar::Null => {}
            Scalar::Bool(v) => out.push(u8::from(v)),
            Scalar::I16(v) => out.extend((v ^ i16::MIN).to_be_bytes()),
            Scalar::I32(v) => out.extend((v ^ i32::MIN).to_be_bytes()),
            Scalar::I64(v) => out.extend((v ^ i64::MIN).to_be_bytes()),
            Scalar::I128(v) if self.ty == DataType::AnyNumeric => encode_numeric(out, Decimal::unpack(v)),
            Scalar::I128(v) => out.extend((v ^ i128::MIN).to_be_bytes()),
            Scalar::F32(v) => {
                let bits = if v.is_nan() { f32::NAN.to_bits() } else { (v + 0.0).to_bits() };
                let folded = if bits >> 31 == 1 { !bits } else { bits ^ (1 << 31) };
                out.extend(folded.to_be_bytes());
            }
            Scalar::F64(v) => {
                let bits = if v.is_nan() { f64::NAN.to_bits() } else { (v + 0.0).to_bits() };
                let folded = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
                out.extend(folded.to_be_bytes());
            }
            Scalar::Interval(v) => out.extend((v.span() ^ i128::MIN).to_be_bytes()),
            Scalar::Uuid(v) => out.extend(v),
            Scalar::Bytes(v) => encode_bytes(out, v),
        }
        if self.descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// Appends the key of a value.
    ///
    /// # Errors
    /// As [`Value::to_scalar`].
    pub fn encode_value(&self, out: &mut Vec<u8>, value: &Value) -> Result<()> {
        self.encode(out, value.to_scalar(&self.ty)?);
        Ok(())
    }

    /// Reads this column from the front of a key and leaves what follows it.
    ///
    /// # Errors
    /// XX001 if the bytes are no key of this type.
    pub fn decode(&self, key: &mut &[u8]) -> Result<Value> {
        let flip = if self.descending { 0xff } else { 0 };
        let mut reader = Reader { key, flip: 0 };
        let value = match reader.byte()? {
            NULL_FIRST | NULL_LAST => Value::Null,
            VALUE => {
                reader.flip = flip;
                self.decode_value(&mut reader)?
            }
            _ => return Err(damaged()),
        };
        *key = reader.key;
        Ok(value)
    }

    fn decode_value(&self, reader: &mut Reader<'_>) -> Result<Value> {
        let bytes;
        let scalar = match self.ty.physical() {
            PhysicalType::Bool => Scalar::Bool(reader.byte()? != 0),
            PhysicalType::I16 => Scalar::I16(i16::from_be_bytes(reader.array()?) ^ i16::MIN),
            PhysicalType::I32 => Scalar::I32(i32::from_be_bytes(reader.array()?) ^ i32::MIN),
            PhysicalType::I64 => Scalar::I64(i64::from_be_bytes(reader.array()?) ^ i64::MIN),
            PhysicalType::I128 if self.ty == DataType::AnyNumeric => {
                return Ok(Value::Numeric(decode_numeric(reader)?));
            }
            PhysicalType::I128 => Scalar::I128(i128::from_be_bytes(reader.array()?) ^ i128::MIN),
            PhysicalType::F32 => {
                let folded = u32::from_be_bytes(reader.array()?);
                Scalar::F32(f32::from_bits(if folded >> 31 == 1 { folded ^ (1 << 31) } else { !folded }))
            }
            PhysicalType::F64 => {
                let folded = u64::from_be_bytes(reader.array()?);
                Scalar::F64(f64::from_bits(if folded >> 63 == 1 { folded ^ (1 << 63) } else { !folded }))
            }
            PhysicalType::Interval => {
                let span = i128::from_be_bytes(reader.array()?) ^ i128::MIN;
                Scalar::Interval(interval_of_span(span)?)
            }
            PhysicalType::Uuid => Scalar::Uuid(reader.array()?),
            PhysicalType::Bytes => {
                bytes = decode_bytes(reader)?;
                if self.ty != DataType::Bytea && std::str::from_utf8(&bytes).is_err() {
                    return Err(damaged());
                }
                Scalar::Bytes(&bytes)
            }
        };
        Ok(Value::from_scalar(scalar, &self.ty))
    }
}

/// Appends the key of a row, one value a column.
///
/// # Errors
/// As [`Value::to_scalar`].
pub fn encode_values(out: &mut Vec<u8>, values: &[Value], columns: &[KeyColumn]) -> Result<()> {
    values.iter().zip(columns).try_for_each(|(value, column)| column.encode_value(out, value))
}

/// Appends the key of a row of vectors, given with the columns they are the values of.
pub fn encode_row<'a>(
    out: &mut Vec<u8>,
    vectors: impl IntoIterator<Item = (&'a Vector, &'a KeyColumn)>,
    row: usize,
) {
    for (vector, column) in vectors {
        column.encode(out, vector.scalar(row));
    }
}

/// Turns a key into the least one above all that begin with it; false, and an empty key, if there is none.
#[must_use]
pub fn successor(key: &mut Vec<u8>) -> bool {
    while let Some(byte) = key.pop() {
        if byte != 0xff {
            key.push(byte + 1);
            return true;
        }
    }
    false
}

/// Whether decoding gives back the value that was encoded, not just an equal one: 1.0 and 1.00, -0 and 0, '1 mon'
/// and '30 days' share keys.
pub fn is_exact(ty: &DataType) -> bool {
    !matches!(ty, DataType::AnyNumeric | DataType::Real | DataType::Double | DataType::Interval)
}

fn encode_bytes(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while let Some(zero) = bytes.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&bytes[..=zero]);
        out.push(0xff);
        bytes = &bytes[zero + 1..];
    }
    out.extend_from_slice(bytes);
    out.extend([0, 0]);
}

fn decode_bytes(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match reader.byte()? {
            0 => match reader.byte()? {
                0 => return Ok(bytes),
                0xff => bytes.push(0),
                _ => return Err(damaged()),
            },
            byte => bytes.push(byte),
        }
    }
}

/// Normalises to 38 digits and the power of ten in front of which the point stands.
fn encode_numeric(out: &mut Vec<u8>, decimal: Decimal) {
    let mut digits = decimal.value.unsigned_abs();
    if digits == 0 {
        return out.push(1);
    }
    let mut exponent = i16::from(Decimal::MAX_DIGITS) - i16::from(decimal.scale);
    while digits < 10u128.pow(37) {
        digits *= 10;
        exponent -= 1;
    }
    // Between -37 and 38.
    let exponent = (exponent + EXPONENT_BIAS) as u8;
    if decimal.value > 0 {
        out.extend([2, exponent]);
        out.extend(digits.to_be_bytes());
    } else {
        out.extend([0, !exponent]);
        out.extend((!digits).to_be_bytes());
    }
}

fn decode_numeric(reader: &mut Reader<'_>) -> Result<Decimal> {
    let sign = reader.byte()?;
    if sign == 1 {
        return Ok(Decimal::new(0, 0));
    }
    let (mut exponent, mut digits) = (reader.byte()?, u128::from_be_bytes(reader.array()?));
    if sign == 0 {
        (exponent, digits) = (!exponent, !digits);
    }
    let mut scale = i16::from(Decimal::MAX_DIGITS) - (i16::from(exponent) - EXPONENT_BIAS);
    while scale > 0 && digits != 0 && digits.is_multiple_of(10) {
        digits /= 10;
        scale -= 1;
    }
    let value = i128::try_from(digits).ok().filter(|&v| v < 10i128.pow(38)).ok_or_else(damaged)?;
    let scale = u8::try_from(scale).ok().filter(|&scale| scale <= Decimal::MAX_DIGITS).ok_or_else(damaged)?;
    Ok(Decimal::new(if sign == 0 { -value } else { value }, scale))
}

/// The interval of a length with as much as fits in months, then in days.
fn interval_of_span(span: i128) -> Result<Interval> {
    let day = i128::from(MICROS_PER_DAY);
    let clamp = |count: i128| i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX });
    let months = clamp(span / day / 30);
    // A damaged length stays too long for what follows.
    let rest = span - i128::from(months) * 30 * day;
    let days = clamp(rest / day);
    let micros = i64::try_from(rest - i128::from(days) * day).map_err(|_| damaged())?;
    Ok(Interval::new(months, days, micros))
}

fn damaged() -> Error {
    StorageError::Corrupt { reason: "an index key is malformed".to_owned() }.into()
}

struct Reader<'a> {
    key: &'a [u8],
    flip: u8,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.key.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.key = rest;
        Ok(bytes.map(|byte| byte ^ self.flip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::vector::FlatVector;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    fn numeric(digits: i128, scale: u8) -> BoxedStrategy<Value> {
        (-digits..=digits).prop_map(move |v| Value::Numeric(Decimal::new(v, scale))).boxed()
    }

    /// Values of a type, with many ties and extremes.
    fn values(ty: DataType) -> BoxedStrategy<Value> {
        let some = match ty {
            DataType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            DataType::SmallInt => any::<i16>().prop_map(Value::SmallInt).boxed(),
            DataType::Integer => prop_oneof![any::<i32>(), -2..2].prop_map(Value::Integer).boxed(),
            DataType::BigInt => prop_oneof![any::<i64>(), -2i64..2].prop_map(Value::BigInt).boxed(),
            DataType::Real => {
                prop_oneof![any::<f32>(), Just(0.0), Just(-0.0), Just(f32::NAN), Just(-f32::NAN)]
                    .prop_map(Value::Real)
                    .boxed()
            }
            DataType::Double => {
                prop_oneof![any::<f64>(), Just(0.0), Just(-0.0), Just(f64::NAN), Just(f64::NEG_INFINITY)]
                    .prop_map(Value::Double)
                    .boxed()
            }
            DataType::Numeric { precision, scale } => {
                prop_oneof![numeric(10i128.pow(precision.into()) - 1, scale), numeric(9, scale)].boxed()
            }
            DataType::AnyNumeric => prop_oneof![
                (-(10i128.pow(36) - 1)..10i128.pow(36), 0..=38u8),
                (-1000..1000i128, 0..5u8),
                (-1000..1000i128, 0..=38u8)
            ]
            .prop_map(|(value, scale)| Value::Numeric(Decimal::new(value, scale)))
            .boxed(),
            DataType::Text | DataType::VarChar(_) | DataType::Char(_) | DataType::Unknown => {
                prop_oneof!["[\u{0}\u{1}ab\u{7f}\u{e9}]{0,4}", ".{0,20}"].prop_map(Value::from).boxed()
            }
            DataType::Bytea => prop_oneof![
                prop::collection::vec(prop_oneof![Just(0u8), Just(255), Just(1)], 0..4),
                prop::collection::vec(any::<u8>(), 0..30)
            ]
            .prop_map(|bytes| Value::Bytea(bytes.into()))
            .boxed(),
            DataType::Date => any::<i32>().prop_map(Value::Date).boxed(),
            DataType::Time => any::<i64>().prop_map(Value::Time).boxed(),
            DataType::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
            DataType::TimestampTz => any::<i64>().prop_map(Value::TimestampTz).boxed(),
            DataType::Interval => prop_oneof![
                (any::<i32>(), any::<i32>(), any::<i64>()),
                (-1..2, -31..32, (-1..2i64).prop_map(|days| days * MICROS_PER_DAY))
            ]
            .prop_map(|(months, days, micros)| Value::Interval(Interval::new(months, days, micros)))
            .boxed(),
            DataType::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        };
        prop_oneof![9 => some, 1 => Just(Value::Null)].boxed()
    }

    fn types() -> Vec<DataType> {
        vec![
            DataType::Boolean,
            DataType::SmallInt,
            DataType::Integer,
            DataType::BigInt,
            DataType::Real,
            DataType::Double,
            DataType::Numeric { precision: 9, scale: 2 },
            DataType::Numeric { precision: 38, scale: 10 },
            DataType::AnyNumeric,
            DataType::Text,
            DataType::VarChar(Some(20)),
            DataType::Char(5),
            DataType::Bytea,
            DataType::Date,
            DataType::Time,
            DataType::Timestamp,
            DataType::TimestampTz,
            DataType::Interval,
            DataType::Uuid,
            DataType::Unknown,
        ]
    }

    fn sql_order(a: &Value, b: &Value, column: &KeyColumn) -> Ordering {
        match a.compare(b) {
            Some(order) if column.descending => order.reverse(),
            Some(order) => order,
            None if column.nulls_first => b.is_null().cmp(&a.is_null()),
            None => a.is_null().cmp(&b.is_null()),
        }
    }

    fn column() -> impl Strategy<Value = KeyColumn> {
        (prop::sample::select(types()), any::<bool>(), any::<bool>())
            .prop_map(|(ty, descending, nulls_first)| KeyColumn { ty, descending, nulls_first })
    }

    /// Two key columns and two rows of them.
    fn rows() -> impl Strategy<Value = ([KeyColumn; 2], [[Value; 2]; 2])> {
        (column(), column()).prop_flat_map(|(a, b)| {
            let row = || (values(a.ty), values(b.ty));
            (row(), row(), any::<bool>()).prop_map(move |((a1, b1), (a2, b2), tie)| {
                let a2 = if tie { a1.clone() } else { a2 };
                ([a, b], [[a1, b1], [a2, b2]])
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn bytes_order_as_sql_does((columns, [left, right]) in rows()) {
            let encode = |row: &[Value]| {
                let mut key = Vec::new();
                encode_values(&mut key, row, &columns).unwrap();
                key
            };
            let (l, r) = (encode(&left), encode(&right));
            let expected = sql_order(&left[0], &right[0], &columns[0])
                .then_with(|| sql_order(&left[1], &right[1], &columns[1]));
            prop_assert_eq!(l.cmp(&r), expected);

            let mut rest = &l[..];
            for (value, column) in left.iter().zip(&columns) {
                let decoded = column.decode(&mut rest).unwrap();
                if is_exact(&column.ty) {
                    prop_assert_eq!(&decoded, value);
                } else {
                    prop_assert_eq!(sql_order(&decoded, value, column), Ordering::Equal);
                }
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn vectors_encode_as_values_do((columns, [left, right]) in rows()) {
            let vectors: Vec<Vector> = (0..2).map(|i| {
                let mut flat = FlatVector::new(columns[i].ty.physical());
                flat.push_value(&left[i], &columns[i].ty).unwrap();
                flat.push_value(&right[i], &columns[i].ty).unwrap();
                flat.into()
            }).collect();
            let (mut by_value, mut by_vector) = (Vec::new(), Vec::new());
            encode_values(&mut by_value, &right, &columns).unwrap();
            encode_row(&mut by_vector, vectors.iter().zip(&columns), 1);
            prop_assert_eq!(by_value, by_vector);
        }

        #[test]
        fn damaged_keys_are_errors(column in column(), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut key = &bytes[..];
            if let Ok(value) = column.decode(&mut key) {
                prop_assert!(value.is_null() || value.to_scalar(&column.ty).is_ok() || column.ty.is_decimal());
            }
        }
    }

    #[test]
    fn layout_is_as_documented() {
        let mut key = Vec::new();
        KeyColumn::ascending(DataType::Integer).encode(&mut key, Scalar::I32(-1));
        KeyColumn::descending(DataType::Text).encode(&mut key, Scalar::Bytes(b"a\0"));
        KeyColumn::ascending(DataType::Text).encode(&mut key, Scalar::Null);
        KeyColumn::descending(DataType::Text).encode(&mut key, Scalar::Null);
        assert_eq!(key, [1, 0x7f, 0xff, 0xff, 0xff, 1, !b'a', 0xff, 0, 0xff, 0xff, 0xff, 0]);
    }

    #[test]
    fn successors_end_a_prefix() {
        let mut key = vec![1, 2, 0xff, 0xff];
        assert!(successor(&mut key));
        assert_eq!(key, [1, 3]);
        let mut last = vec![0xff, 0xff];
        assert!(!successor(&mut last) && last.is_empty());
    }
}
