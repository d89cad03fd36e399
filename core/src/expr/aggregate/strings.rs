//! `string_agg`: the strings of a group with a separator before each but the first.

use super::sums::aggregate;
use super::{Accumulator, Aggregate, Groups, States, each_value};
use crate::error::{DataError, Result};
use crate::expr::Operand;
use crate::expr::eval::{Argument, RowSet};
use crate::types::{DataType, FlatVector, MAX_STRING, Vector};

const TEXT: Operand = Operand::Is(DataType::Text);
const BYTEA: Operand = Operand::Is(DataType::Bytea);

pub(super) const TABLE: &[Aggregate] = &[
    aggregate("string_agg", &[TEXT; 2], DataType::Text, |_, _| Box::new(Join)),
    aggregate("string_agg", &[BYTEA; 2], DataType::Bytea, |_, _| Box::new(Join)),
];

/// The number of the string in the heap. It begins with the separator before the first value, whose length stands
/// in the state as well: another part's values may come before it.
struct Join;

fn parts(state: &[u8; 16]) -> (u64, usize) {
    let word = |at: usize| state[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (word(0), usize::try_from(word(8)).unwrap_or(0))
}

fn append(states: &mut States<'_>, group: u32, separator: &[u8], value: &[u8]) -> Result<()> {
    let (number, _) = parts(&states.copy(group));
    if number == 0 {
        let number = states.heap.insert([separator, value].concat());
        let state = states.of::<16>(group);
        state[..8].copy_from_slice(&number.to_le_bytes());
        state[8..].copy_from_slice(&(separator.len() as u64).to_le_bytes());
        return Ok(());
    }
    let length = states.heap.get(number).map_or(0, <[u8]>::len);
    if length.saturating_add(separator.len()).saturating_add(value.len()) > MAX_STRING {
        return Err(DataError::RequestedLengthTooLarge.into());
    }
    states.heap.change(number, |text| {
        text.extend_from_slice(separator);
        text.extend_from_slice(value);
    });
    Ok(())
}

impl Accumulator for Join {
    fn state_size(&self) -> usize {
        16
    }

    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()> {
        let source = <&[u8]>::source(inputs[0], &DataType::Text);
        let separators = Option::<&[u8]>::source(inputs[1], &DataType::Text);
        each_value(inputs[0], rows, |row| {
            // A NULL separator is none.
            let separator = Option::<&[u8]>::get(&separators, row).unwrap_or_default();
            append(states, groups.of(row), separator, <&[u8]>::get(&source, row))
        })
    }

    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()> {
        for &(target, source) in pairs {
            let (number, separator) = parts(&from.copy(source));
            if let Some((separator, value)) =
                from.heap.get(number).and_then(|text| text.split_at_checked(separator))
            {
                append(into, target, separator, value)?;
            }
        }
        Ok(())
    }

    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()> {
        for &group in groups {
            let (number, separator) = parts(&states.copy(group));
            match states.heap.get(number).and_then(|text| text.get(separator..)) {
                None => out.push_null(),
                Some(text) => out.push_bytes(text),
            }
        }
        Ok(())
    }

    fn save(&self, states: &States<'_>, group: u32, out: &mut Vec<u8>) {
        let (number, separator) = parts(&states.copy(group));
        out.extend_from_slice(&(separator as u64).to_le_bytes());
        states.save_string(number, out);
    }

    fn load<'b>(&self, states: &mut States<'_>, group: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (separator, rest) = bytes.split_first_chunk::<8>()?;
        let (number, rest) = states.load_string(rest)?;
        let state = states.of::<16>(group);
        state[..8].copy_from_slice(&number.to_le_bytes());
        state[8..].copy_from_slice(separator);
        Some(rest)
    }
}
