//! Which function a call means, by PostgreSQL's rules: an exact match wins; else those reachable by implicit casts,
//! narrowed by the number of exact arguments, then by preferred types, then by what the literals of unknown type
//! could be.

use super::aggregate::{self, Aggregate};
use super::functions::{named, operators_named};
use super::{CompareOp, Function, Kind, Operand};
use crate::error::{Error, Result, StatementError};
use crate::types::{CastContext, DataType, TypeCategory, cast_context};

/// A function and what its arguments must be cast to; an argument that fits has its own type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved<F = &'static Function> {
    /// The overload.
    pub function: F,
    /// A type for each argument.
    pub arguments: Vec<DataType>,
}

/// Something with argument types that a call may mean.
trait Candidate: Copy {
    fn accepts(&self, count: usize) -> bool;
    fn operand(&self, index: usize) -> Option<Operand>;
}

impl Candidate for &'static Function {
    fn accepts(&self, count: usize) -> bool {
        Function::accepts(self, count)
    }

    fn operand(&self, index: usize) -> Option<Operand> {
        Function::operand(self, index)
    }
}

impl Candidate for &'static Aggregate {
    fn accepts(&self, count: usize) -> bool {
        count == self.arguments.len()
    }

    fn operand(&self, index: usize) -> Option<Operand> {
        self.arguments.get(index).copied()
    }
}

/// An operator on two types, of which PostgreSQL has one for every pair in [`CROSS`] too.
#[derive(Clone, Copy)]
struct Pair(DataType, DataType);

impl Candidate for Pair {
    fn accepts(&self, count: usize) -> bool {
        count == 2
    }

    fn operand(&self, index: usize) -> Option<Operand> {
        [self.0, self.1].get(index).map(|ty| Operand::Is(*ty))
    }
}

/// An operator, perhaps on a pair of types the wider of which it has a function for.
#[derive(Clone, Copy)]
struct Operator {
    function: &'static Function,
    cross: Option<Pair>,
}

impl Candidate for Operator {
    fn accepts(&self, count: usize) -> bool {
        self.function.accepts(count)
    }

    fn operand(&self, index: usize) -> Option<Operand> {
        match self.cross {
            Some(pair) => pair.operand(index),
            None => self.function.operand(index),
        }
    }
}

/// The types that have an order, one per oid.
const ORDERED: [DataType; 16] = [
    DataType::Boolean,
    DataType::SmallInt,
    DataType::Integer,
    DataType::BigInt,
    DataType::Real,
    DataType::Double,
    DataType::AnyNumeric,
    DataType::Text,
    DataType::Char(1),
    DataType::Bytea,
    DataType::Date,
    DataType::Time,
    DataType::Timestamp,
    DataType::TimestampTz,
    DataType::Interval,
    DataType::Uuid,
];

/// Pairs of different types that PostgreSQL compares, and for the numbers also calculates with, directly. They end
/// at the wider type, which stands last.
const CROSS: [(DataType, DataType); 7] = [
    (DataType::SmallInt, DataType::Integer),
    (DataType::SmallInt, DataType::BigInt),
    (DataType::Integer, DataType::BigInt),
    (DataType::Real, DataType::Double),
    (DataType::Date, DataType::Timestamp),
    (DataType::Date, DataType::TimestampTz),
    (DataType::Timestamp, DataType::TimestampTz),
];

/// The operator `name` for one or two operands of these types; comparisons have [`comparison_type`].
///
/// # Errors
/// 42883 if there is none, 42725 if there are several and none is best.
pub fn resolve_operator(name: &str, types: &[DataType]) -> Result<Resolved> {
    let kind = if types.len() == 1 { Kind::Prefix } else { Kind::Infix };
    let own = operators_named(name).filter(|f| f.kind == kind).map(|f| Operator { function: f, cross: None });
    let mut overloads: Vec<_> = own.collect();
    // The pairs that PostgreSQL has operators for beside those of one type.
    let crossing = if matches!(name, "+" | "-" | "*" | "/") { &CROSS[..] } else { &[] };
    for &(narrow, wide) in crossing {
        let same = |operator: &&Operator| operator.function.arguments == [Operand::Is(wide); 2];
        if let Some(Operator { function, .. }) = overloads.iter().find(same).copied() {
            let pairs = [Pair(narrow, wide), Pair(wide, narrow)];
            overloads.extend(pairs.map(|cross| Operator { function, cross: Some(cross) }));
        }
    }
    // A literal beside a known type is first taken to be of that type.
    if let [left, right] = *types
        && (left == DataType::Unknown) != (right == DataType::Unknown)
    {
        let known = if left == DataType::Unknown { right } else { left };
        if let Some(found) = overloads.iter().find(|f| matches(*f, &[known, known], |_| false)) {
            return Ok(Resolved { function: found.function, arguments: targets(&found.function, types) });
        }
    }
    match select(&overloads, types) {
        Choice::One(Operator { function, .. }) => {
            Ok(Resolved { function, arguments: targets(&function, types) })
        }
        Choice::None => Err(no_operator(name, types)),
        Choice::Several => Err(ambiguous_operator(name, types)),
    }
}

/// The function `name` for arguments of these types.
///
/// # Errors
/// 42883 if there is none, 42725 if there are several and none is best.
pub fn resolve_function(name: &str, types: &[DataType]) -> Result<Resolved> {
    let overloads: Vec<_> = named(name).collect();
    match select(&overloads, types) {
        Choice::One(function) => Ok(Resolved { function, arguments: targets(&function, types) }),
        Choice::None => Err(no_function(name, types)),
        Choice::Several => Err(ambiguous_function(name, types)),
    }
}

/// Whether some function or aggregate has this name.
pub fn function_exists(name: &str) -> bool {
    named(name).next().is_some() || is_aggregate(name)
}

/// Whether an aggregate has this name.
pub fn is_aggregate(name: &str) -> bool {
    aggregate::named(name).next().is_some()
}

/// The aggregate `name` for arguments of these types; `count(*)` has none.
///
/// # Errors
/// 42883 if there is none, 42725 if there are several and none is best.
pub fn resolve_aggregate(name: &str, types: &[DataType]) -> Result<Resolved<&'static Aggregate>> {
    let overloads: Vec<_> = aggregate::named(name).collect();
    match select(&overloads, types) {
        Choice::One(function) => Ok(Resolved { function, arguments: targets(&function, types) }),
        Choice::None => Err(no_function(name, types)),
        Choice::Several => Err(ambiguous_function(name, types)),
    }
}

/// The type that both operands of a comparison become.
///
/// # Errors
/// 42883 if the two cannot be compared, 42725 if they can in several ways.
pub fn comparison_type(operator: CompareOp, left: DataType, right: DataType) -> Result<DataType> {
    let name = match operator {
        CompareOp::Distinct | CompareOp::NotDistinct => "=",
        other => other.name(),
    };
    match (left, right) {
        (DataType::Unknown, DataType::Unknown) => return Ok(DataType::Text),
        (DataType::Unknown, known) | (known, DataType::Unknown) => return Ok(base(&known)),
        _ if left.oid() == right.oid() => return Ok(common_modifiers(left, right)),
        (DataType::Char(_), DataType::VarChar(_)) => return Ok(left),
        (DataType::VarChar(_), DataType::Char(_)) => return Ok(right),
        _ => {}
    }
    let same = ORDERED.iter().map(|ty| Pair(*ty, *ty));
    let cross = CROSS.iter().flat_map(|(a, b)| [Pair(*a, *b), Pair(*b, *a)]);
    let candidates: Vec<_> = same.chain(cross).collect();
    match select(&candidates, &[left, right]) {
        Choice::None => Err(no_operator(name, &[left, right])),
        Choice::Several => Err(ambiguous_operator(name, &[left, right])),
        Choice::One(Pair(a, b)) => {
            let wide = CROSS.iter().find(|(l, r)| (*l, *r) == (a, b) || (*l, *r) == (b, a));
            let common = wide.map_or(a, |(_, wide)| *wide);
            // A literal of either string type is compared as text; decimals keep their scales.
            Ok(if common == DataType::Char(1) { DataType::Text } else { common })
        }
    }
}

/// The type of a construct whose operands become one type: `CASE`, `UNION`, `VALUES`, `COALESCE`, `IN`.
///
/// # Errors
/// 42804 if they are of different categories or not castable.
pub fn common_type(types: &[DataType], construct: &'static str) -> Result<DataType> {
    let mut known = types.iter().copied().filter(|ty| *ty != DataType::Unknown);
    let Some(mut common) = known.next() else { return Ok(DataType::Text) };
    let implicit = |from: &DataType, to: &DataType| cast_context(from, to) == Some(CastContext::Implicit);
    let mismatch = |left: DataType, right: DataType| {
        Error::from(StatementError::TypesCannotBeMatched {
            construct,
            left: left.name(),
            right: right.name(),
        })
    };
    for ty in known {
        if ty.oid() == common.oid() {
            common = common_modifiers(common, ty);
        } else if ty.category() != common.category() {
            return Err(mismatch(common, ty));
        } else if !common.is_preferred() && implicit(&common, &ty) && !implicit(&ty, &common) {
            common = super::without_modifiers(ty);
        } else if !implicit(&ty, &common) {
            return Err(mismatch(common, ty));
        } else {
            common = super::without_modifiers(common);
        }
    }
    Ok(common)
}

/// The type of two of one oid: their own if equal, one precision for decimals of one scale, else the bare type.
fn common_modifiers(left: DataType, right: DataType) -> DataType {
    match (left, right) {
        (
            DataType::Numeric { precision, scale },
            DataType::Numeric { precision: other, scale: other_scale },
        ) if scale == other_scale => DataType::Numeric { precision: precision.max(other), scale },
        (DataType::Char(a), DataType::Char(b)) => DataType::Char(a.max(b)),
        _ if left == right => left,
        _ => super::without_modifiers(left),
    }
}

enum Choice<C> {
    None,
    One(C),
    Several,
}

/// Whether `candidate` takes these types, the literals of unknown type by `unknown` and the others as they are.
fn matches<C: Candidate>(candidate: &C, types: &[DataType], unknown: impl Fn(&DataType) -> bool) -> bool {
    candidate.accepts(types.len())
        && types.iter().enumerate().all(|(i, ty)| match candidate.operand(i) {
            Some(Operand::Is(declared)) if *ty == DataType::Unknown => unknown(&declared),
            Some(Operand::Is(declared)) => declared.oid() == ty.oid(),
            Some(Operand::Any) => true,
            None => false,
        })
}

/// PostgreSQL's `func_select_candidate`.
fn select<C: Candidate>(overloads: &[C], types: &[DataType]) -> Choice<C> {
    if let Some(exact) = overloads.iter().find(|c| matches(*c, types, |ty| *ty == DataType::Unknown)) {
        return Choice::One(*exact);
    }
    let reachable = |candidate: &C| {
        candidate.accepts(types.len())
            && types.iter().enumerate().all(|(i, ty)| match candidate.operand(i) {
                Some(Operand::Is(declared)) => cast_context(ty, &declared) == Some(CastContext::Implicit),
                Some(Operand::Any) => true,
                None => false,
            })
    };
    let mut left: Vec<C> = overloads.iter().copied().filter(reachable).collect();
    // Varchar counts as text, for it is one in storage.
    let exact = |candidate: &C| {
        let fits = |(i, ty): (usize, &DataType)| match candidate.operand(i) {
            Some(Operand::Is(declared)) => *ty != DataType::Unknown && base(ty).oid() == declared.oid(),
            _ => false,
        };
        types.iter().enumerate().filter(|&pair| fits(pair)).count()
    };
    keep_best(&mut left, exact);
    let preferred = |candidate: &C| {
        let fits = |(i, ty): (usize, &DataType)| match candidate.operand(i) {
            Some(Operand::Is(declared)) if *ty != DataType::Unknown => {
                base(ty).oid() == declared.oid()
                    || (declared.is_preferred() && declared.category() == ty.category())
            }
            _ => false,
        };
        types.iter().enumerate().filter(|&pair| fits(pair)).count()
    };
    if left.len() > 1 {
        keep_best(&mut left, preferred);
    }
    if left.len() > 1 && types.contains(&DataType::Unknown) {
        guess_unknown(&mut left, types);
    }
    match left[..] {
        [] => Choice::None,
        [one] => Choice::One(one),
        _ => Choice::Several,
    }
}

fn base(ty: &DataType) -> DataType {
    match ty {
        DataType::VarChar(_) => DataType::Text,
        other => *other,
    }
}

fn keep_best<C: Copy>(left: &mut Vec<C>, score: impl Fn(&C) -> usize) {
    let best = left.iter().map(&score).max().unwrap_or(0);
    left.retain(|candidate| score(candidate) == best);
}

/// Takes literals of unknown type for strings where a candidate does, else for the one category they all agree on;
/// then for the type that all other arguments have.
fn guess_unknown<C: Candidate>(left: &mut Vec<C>, types: &[DataType]) {
    let unknown: Vec<usize> = (0..types.len()).filter(|&i| types[i] == DataType::Unknown).collect();
    // A candidate for any type is for none in particular.
    let declared = |candidate: &C, i: usize| match candidate.operand(i) {
        Some(Operand::Is(ty)) => ty,
        _ => DataType::Unknown,
    };
    let mut narrowed = left.clone();
    for &i in &unknown {
        let categories: Vec<TypeCategory> = narrowed.iter().map(|c| declared(c, i).category()).collect();
        let string = categories.contains(&TypeCategory::String);
        let agreed = categories.windows(2).all(|pair| pair[0] == pair[1]);
        let Some(first) = categories.first() else { return };
        let category = if string { TypeCategory::String } else { *first };
        if !string && !agreed {
            narrowed.clone_from(left);
            break;
        }
        narrowed.retain(|c| declared(c, i).category() == category);
        if narrowed.iter().any(|c| declared(c, i).is_preferred()) {
            narrowed.retain(|c| declared(c, i).is_preferred());
        }
    }
    *left = narrowed;
    if left.len() > 1 {
        let mut known = types.iter().filter(|ty| **ty != DataType::Unknown);
        if let Some(first) = known.next()
            && known.all(|ty| ty.oid() == first.oid())
        {
            let takes = |candidate: &&C, i: usize| {
                let declared = declared(candidate, i);
                declared.oid() == first.oid() || cast_context(first, &declared) == Some(CastContext::Implicit)
            };
            let mut taking = left.iter().filter(|candidate| unknown.iter().all(|&i| takes(candidate, i)));
            if let (Some(one), None) = (taking.next(), taking.next()) {
                *left = vec![*one];
            }
        }
    }
}

/// What each argument is cast to for `candidate`.
fn targets<C: Candidate>(candidate: &C, types: &[DataType]) -> Vec<DataType> {
    let target = |(i, ty): (usize, &DataType)| match (candidate.operand(i), ty) {
        (Some(Operand::Is(declared)), _) if declared.oid() == ty.oid() => *ty,
        (Some(Operand::Is(DataType::AnyNumeric)), _) => exact_numeric(ty),
        (Some(Operand::Is(declared)), _) => declared,
        (_, DataType::Unknown) => DataType::Text,
        (_, ty) => *ty,
    };
    types.iter().enumerate().map(target).collect()
}

/// The `numeric` that holds every value of a type: integers have no digits behind the point.
pub fn exact_numeric(ty: &DataType) -> DataType {
    match ty {
        DataType::SmallInt => DataType::Numeric { precision: 5, scale: 0 },
        DataType::Integer => DataType::Numeric { precision: 10, scale: 0 },
        DataType::BigInt => DataType::Numeric { precision: 19, scale: 0 },
        DataType::Numeric { .. } => *ty,
        _ => DataType::AnyNumeric,
    }
}

fn names(types: &[DataType]) -> String {
    types.iter().map(DataType::name).collect::<Vec<_>>().join(", ")
}

fn operation(name: &str, types: &[DataType]) -> String {
    match types {
        [left, right] => format!("{} {name} {}", left.name(), right.name()),
        _ => format!("{name} {}", names(types)),
    }
}

pub(super) fn no_operator(name: &str, types: &[DataType]) -> Error {
    let hint = match types.len() {
        1 => {
            "No operator matches the given name and argument type. You might need to add an explicit type cast."
        }
        _ => {
            "No operator matches the given name and argument types. You might need to add explicit type casts."
        }
    };
    Error::from(StatementError::UndefinedOperator { operation: operation(name, types) }).with_hint(hint)
}

fn ambiguous_operator(name: &str, types: &[DataType]) -> Error {
    Error::from(StatementError::AmbiguousOperator { operation: operation(name, types) })
        .with_hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
}

fn no_function(name: &str, types: &[DataType]) -> Error {
    Error::from(StatementError::UndefinedFunction { call: format!("{name}({})", names(types)) }).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

fn ambiguous_function(name: &str, types: &[DataType]) -> Error {
    Error::from(StatementError::AmbiguousFunction { call: format!("{name}({})", names(types)) })
        .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
}
