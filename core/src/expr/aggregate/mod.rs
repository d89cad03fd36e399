//! Aggregate functions: what they are called, and how they fold vectors into states.
//!
//! The executor keeps the states of its groups as plain bytes, `stride` of them per group, each aggregate's at its
//! offset; groups are numbered. So a hash table's states are one allocation that can be copied, merged and spilled
//! without knowing what is in them.
//!
//! ```text
//!   group 0 | count 8 | sum 24                  | min 16         | stride = 48
//!   group 1 | ...
//! ```
//!
//! Strings do not fit: their bytes lie in a [`StateHeap`] beside the states, which hold a number.
//!
//! Invariants:
//! 1. Zero bytes are the state of an aggregate that has seen nothing.
//! 2. NULL inputs are skipped, except by `count(*)`, which has none.
//! 3. A state changes only through the aggregate it belongs to; one group's state never moves inside the heap.
//!
//! DISTINCT, FILTER and ORDER BY are the executor's: it gives an accumulator only the rows that count, in order.

mod extreme;
mod statistics;
mod strings;
mod sums;

#[cfg(test)]
mod tests;

use super::eval::RowSet;
use super::resolve::resolve_aggregate;
use super::{Expr, Operand, ResultType};
use crate::error::{Result, StatementError};
use crate::types::{DataType, FlatVector, Vector};
use std::fmt;
use std::hash::{Hash, Hasher};

/// One overload of an aggregate. They are statics: equality is of identity.
pub struct Aggregate {
    /// The name it is called by.
    pub name: &'static str,
    /// The types of the arguments; none for `count(*)`.
    pub arguments: &'static [Operand],
    /// The type of the result.
    pub result: ResultType,
    /// False if the result of no rows is a value.
    pub may_return_null: bool,
    /// Makes the accumulator for arguments of these types and a result of that.
    pub accumulator: fn(&[DataType], &DataType) -> Box<dyn Accumulator>,
}

impl Aggregate {
    /// Whether the order of the rows shows in the result.
    pub fn sees_order(&self) -> bool {
        self.name == "string_agg"
    }

    /// The result for arguments of these types.
    pub fn result_type(&self, arguments: &[DataType]) -> DataType {
        match self.result {
            ResultType::Is(ty) => ty,
            ResultType::Rule(rule) => rule(arguments),
        }
    }
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Aggregate {}

impl Hash for Aggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self).hash(state);
    }
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A sort key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SortKey {
    /// What is sorted by.
    pub expr: Expr,
    /// Greatest first.
    pub descending: bool,
    /// NULLs before everything.
    pub nulls_first: bool,
}

/// An aggregate with its arguments, as a statement asks for it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AggregateCall {
    /// Which.
    pub function: &'static Aggregate,
    /// Its arguments.
    pub arguments: Vec<Expr>,
    /// Equal arguments count once.
    pub distinct: bool,
    /// The rows that count.
    pub filter: Option<Expr>,
    /// The order of the rows, for `string_agg`.
    pub order_by: Vec<SortKey>,
    /// The result.
    pub ty: DataType,
}

impl AggregateCall {
    /// The aggregate `name` of arguments, with casts where they are needed; `count(*)` has no arguments.
    ///
    /// # Errors
    /// 42883, 42725 if no aggregate or no single one fits; those of a literal's text.
    pub fn new(name: &str, arguments: Vec<Expr>) -> Result<Self> {
        let types: Vec<_> = arguments.iter().map(Expr::data_type).collect();
        let resolved = resolve_aggregate(name, &types)?;
        let arguments = Expr::coerce_all_to(arguments, &resolved.arguments)?;
        let types: Vec<_> = arguments.iter().map(Expr::data_type).collect();
        let ty = resolved.function.result_type(&types);
        let function = resolved.function;
        Ok(Self { function, arguments, distinct: false, filter: None, order_by: Vec::new(), ty })
    }

    /// The same with DISTINCT.
    ///
    /// # Errors
    /// 42601 of `count(*)`.
    pub fn distinct(self) -> Result<Self> {
        if self.arguments.is_empty() {
            return Err(StatementError::DistinctWithoutArguments.into());
        }
        Ok(Self { distinct: true, ..self })
    }

    /// The code that folds its inputs.
    pub fn accumulator(&self) -> Box<dyn Accumulator> {
        let types: Vec<_> = self.arguments.iter().map(Expr::data_type).collect();
        (self.function.accumulator)(&types, &self.ty)
    }
}

/// The states of one aggregate in all groups.
pub struct States<'a> {
    /// Those of all aggregates.
    pub bytes: &'a mut [u8],
    /// Bytes per group.
    pub stride: usize,
    /// Where in them this aggregate's are.
    pub offset: usize,
    /// The bytes of strings.
    pub heap: &'a mut StateHeap,
}

impl States<'_> {
    /// The state of a group, of `N` bytes at most.
    #[inline(always)]
    pub(super) fn of<const N: usize>(&mut self, group: u32) -> &mut [u8; N] {
        let start = group as usize * self.stride + self.offset;
        let bytes = self.bytes[start..].first_chunk_mut();
        bytes.expect("a state lies inside its group's bytes")
    }

    /// A copy of the state of a group.
    #[inline(always)]
    pub(super) fn copy<const N: usize>(&self, group: u32) -> [u8; N] {
        let start = group as usize * self.stride + self.offset;
        let bytes = self.bytes[start..].first_chunk();
        *bytes.expect("a state lies inside its group's bytes")
    }
}

impl States<'_> {
    /// Appends a string of the heap, or that there is none, to spilled bytes.
    fn save_string(&self, number: u64, out: &mut Vec<u8>) {
        match self.heap.get(number) {
            None => out.extend_from_slice(&u64::MAX.to_le_bytes()),
            Some(value) => {
                out.extend_from_slice(&(value.len() as u64).to_le_bytes());
                out.extend_from_slice(value);
            }
        }
    }

    /// Takes a string back, and gives its number and the bytes behind it.
    fn load_string<'b>(&mut self, bytes: &'b [u8]) -> Option<(u64, &'b [u8])> {
        let (len, rest) = bytes.split_first_chunk()?;
        let len = u64::from_le_bytes(*len);
        if len == u64::MAX {
            return Some((0, rest));
        }
        let (value, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        Some((self.heap.insert(value.to_vec()), rest))
    }
}

/// The strings of states.
#[derive(Default, Debug)]
pub struct StateHeap {
    values: Vec<Vec<u8>>,
    bytes: usize,
}

impl StateHeap {
    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.bytes + self.values.len() * size_of::<Vec<u8>>()
    }

    fn get(&self, number: u64) -> Option<&[u8]> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.values.get(index).map(Vec::as_slice)
    }

    fn insert(&mut self, value: Vec<u8>) -> u64 {
        self.bytes += value.capacity();
        self.values.push(value);
        self.values.len() as u64
    }

    /// Changes a string, to be called with a number that [`insert`](Self::insert) gave.
    fn change(&mut self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        if let Some(value) = self.values.get_mut(index) {
            let before = value.capacity();
            change(value);
            self.bytes = self.bytes - before + value.capacity();
        }
    }
}

/// The group of each row of a chunk.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// By row.
    Each(&'a [u32]),
    /// The same for all.
    One(u32),
}

impl Groups<'_> {
    #[inline(always)]
    fn of(&self, row: usize) -> u32 {
        match self {
            Self::Each(groups) => groups[row],
            Self::One(group) => *group,
        }
    }
}

/// The code of an aggregate.
pub trait Accumulator: Send + Sync {
    /// Bytes of a state; a multiple of eight.
    fn state_size(&self) -> usize;

    /// Folds rows into their groups' states.
    ///
    /// # Errors
    /// 22003 past the range of the result.
    fn update(
        &self,
        states: &mut States<'_>,
        groups: Groups<'_>,
        inputs: &[&Vector],
        rows: RowSet<'_>,
    ) -> Result<()>;

    /// Folds states of the same aggregate, kept elsewhere, into these: pairs of a group here and a group there.
    ///
    /// # Errors
    /// 22003 past the range of the result.
    fn combine(&self, into: &mut States<'_>, from: &States<'_>, pairs: &[(u32, u32)]) -> Result<()>;

    /// Appends the results of groups.
    ///
    /// # Errors
    /// 22003 past the range of the result.
    fn finalize(&self, states: &States<'_>, groups: &[u32], out: &mut FlatVector) -> Result<()>;

    /// Appends the bytes of a group's state, wherever they are, to be spilled.
    fn save(&self, states: &States<'_>, group: u32, out: &mut Vec<u8>) {
        let start = group as usize * states.stride + states.offset;
        out.extend_from_slice(&states.bytes[start..start + self.state_size()]);
    }

    /// Takes the state of a group back from the bytes that [`save`](Self::save) gave; the group's state is empty.
    /// Gives the bytes behind it, or `None` if there are too few.
    fn load<'b>(&self, states: &mut States<'_>, group: u32, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (own, rest) = bytes.split_at_checked(self.state_size())?;
        let start = group as usize * states.stride + states.offset;
        states.bytes[start..start + own.len()].copy_from_slice(own);
        Some(rest)
    }
}

/// Calls `visit` on the rows of `input` that are not NULL.
#[inline(always)]
fn each_value(input: &Vector, rows: RowSet<'_>, mut visit: impl FnMut(usize) -> Result<()>) -> Result<()> {
    if input.may_have_nulls() {
        rows.try_each(|row| if input.is_null(row) { Ok(()) } else { visit(row) })
    } else {
        rows.try_each(visit)
    }
}

/// Every aggregate, for `pg_proc`.
pub fn all() -> impl Iterator<Item = &'static Aggregate> {
    let tables = [sums::TABLE, extreme::TABLE, statistics::MOMENTS, statistics::BITWISE, strings::TABLE];
    tables.into_iter().flatten()
}

/// The aggregates of this name.
pub(super) fn named(name: &str) -> impl Iterator<Item = &'static Aggregate> {
    all().filter(move |aggregate| aggregate.name == name)
}
