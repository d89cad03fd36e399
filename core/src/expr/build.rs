//! The ways to make an expression: each checks types, inserts casts and gives the node its type.

use super::resolve::{common_type, comparison_type, exact_numeric, resolve_function, resolve_operator};
use super::{CompareOp, Expr, Extremum, IsTest, PatternKind, Volatility};
use crate::error::{DataError, Result, StatementError};
use crate::types::{CastContext, DataType, MAX_CHARACTERS, TimeContext, Value, cast_context};

impl Expr {
    /// A value of the type it looks like: `numeric` with its own digits and scale, text as a literal of unknown type.
    pub fn literal(value: Value) -> Self {
        let ty = match &value {
            Value::Text(_) => DataType::Unknown,
            Value::Numeric(decimal) => {
                let digits = decimal.value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
                // At most 39 digits in 128 bits.
                let precision = (digits as u8).max(decimal.scale).clamp(1, DataType::MAX_PRECISION);
                DataType::Numeric { precision, scale: decimal.scale.min(precision) }
            }
            other => other.data_type(),
        };
        Self::Constant { value, ty }
    }

    /// NULL of a type.
    pub fn null(ty: DataType) -> Self {
        Self::Constant { value: Value::Null, ty }
    }

    /// A truth value.
    pub fn boolean(value: bool) -> Self {
        Self::Constant { value: Value::Boolean(value), ty: DataType::Boolean }
    }

    /// The column at `index` of the input.
    pub fn column(index: usize, ty: DataType, nullable: bool) -> Self {
        Self::Column { index, ty, nullable }
    }

    /// `self` as a `to`. Literals are converted at once if that does not depend on the session; nothing is done
    /// where the types are the same.
    ///
    /// # Errors
    /// 42846 if there is no such cast in this context, or 42804 in an assignment; those of the literal's text.
    pub fn cast(self, to: DataType, context: CastContext) -> Result<Self> {
        let from = self.data_type();
        match (from, to) {
            // The scale stays what it is; an integer has none, and is faster so.
            (DataType::Numeric { .. }, DataType::AnyNumeric) => return Ok(self),
            (DataType::SmallInt | DataType::Integer | DataType::BigInt, DataType::AnyNumeric) => {
                return self.coerce(exact_numeric(&from));
            }
            _ => {}
        }
        match cast_context(&from, &to) {
            Some(least) if least <= context => self.cast_unchecked(to, context),
            _ => Err(DataError::CannotCast { from: from.name(), to: to.name() }.into()),
        }
    }

    /// As [`cast`](Self::cast), of types that are known to have a cast.
    fn cast_unchecked(self, to: DataType, context: CastContext) -> Result<Self> {
        let from = self.data_type();
        if from == to || is_relabel(&from, &to) {
            return Ok(self);
        }
        match self {
            Self::Constant { value, ty }
                if ty == DataType::Unknown || cast_volatility(&ty, &to) == Volatility::Immutable =>
            {
                let read =
                    |times: TimeContext| value.clone().cast(&to, literal_context(&ty, context), &times);
                let constant = read(TimeContext::default())?;
                // What a literal of unknown type means may depend on when and where it is read: `'now'::timestamptz`.
                if ty == DataType::Unknown
                    && cast_volatility(&ty, &to) != Volatility::Immutable
                    && !read(ELSEWHERE).is_ok_and(|value| value == constant)
                {
                    let operand = Box::new(Self::Constant { value, ty });
                    return Ok(Self::Cast { operand, to, context });
                }
                Ok(Self::Constant { value: constant, ty: to })
            }
            // The parameter takes the type it is used as.
            Self::Parameter { number, ty: DataType::Unknown } => Ok(Self::Parameter { number, ty: to }),
            other => Ok(Self::Cast { operand: Box::new(other), to, context }),
        }
    }

    fn coerce(self, to: DataType) -> Result<Self> {
        self.cast_unchecked(to, CastContext::Implicit)
    }

    /// The operator `name` on one or two operands. Comparisons are operators too.
    ///
    /// # Errors
    /// 42883, 42725 if no operator or no single one fits; those of a literal's text.
    pub fn operator(name: &str, operands: Vec<Self>) -> Result<Self> {
        if let Some(operator) = CompareOp::from_name(name)
            && operands.len() == 2
        {
            let mut operands = operands.into_iter();
            if let (Some(left), Some(right)) = (operands.next(), operands.next()) {
                return Self::compare(operator, left, right);
            }
            return Err(StatementError::UndefinedOperator { operation: name.to_owned() }.into());
        }
        if let Some((kind, negated)) = like_operator(name)
            && operands.len() == 2
        {
            let mut operands = operands.into_iter();
            if let (Some(operand), Some(pattern)) = (operands.next(), operands.next()) {
                return Self::like(kind, operand, pattern, None, negated);
            }
            return Err(StatementError::UndefinedOperator { operation: name.to_owned() }.into());
        }
        let types: Vec<_> = operands.iter().map(Self::data_type).collect();
        let resolved = resolve_operator(name, &types)?;
        Self::apply(resolved.function, operands, &resolved.arguments)
    }

    /// The function `name`; a type's name with one argument is a cast.
    ///
    /// # Errors
    /// 42883, 42725 if no function or no single one fits; those of a literal's text.
    pub fn call(name: &str, mut arguments: Vec<Self>) -> Result<Self> {
        let types: Vec<_> = arguments.iter().map(Self::data_type).collect();
        match resolve_function(name, &types) {
            Ok(resolved) => Self::apply(resolved.function, arguments, &resolved.arguments),
            Err(error) => {
                let target = type_named(name).filter(|to| {
                    let from = types.first().copied().unwrap_or(DataType::Unknown);
                    types.len() == 1 && (from.oid() == to.oid() || cast_context(&from, to).is_some())
                });
                match (target, arguments.pop()) {
                    (Some(to), Some(argument)) => argument.cast(to, CastContext::Explicit),
                    _ => Err(error),
                }
            }
        }
    }

    /// A call of `function`, whose arguments become `types`.
    fn apply(function: &'static super::Function, arguments: Vec<Self>, types: &[DataType]) -> Result<Self> {
        let arguments = Self::coerce_all_to(arguments, types)?;
        let types: Vec<_> = arguments.iter().map(Self::data_type).collect();
        let ty = function.result_type(&types);
        Ok(Self::Call { function, arguments, ty })
    }

    /// Arguments cast to the types that a resolved call has for them. A constant decimal gets as few digits as it
    /// needs, so that the result has no more than it can use.
    pub(super) fn coerce_all_to(arguments: Vec<Self>, types: &[DataType]) -> Result<Vec<Self>> {
        let coerce = |(argument, ty): (Self, &DataType)| {
            Ok(match argument.coerce(*ty)? {
                Self::Constant { value: value @ Value::Numeric(_), ty: DataType::Numeric { .. } } => {
                    Self::literal(value)
                }
                other => other,
            })
        };
        arguments.into_iter().zip(types).map(coerce).collect()
    }

    /// `left operator right`.
    ///
    /// # Errors
    /// 42883, 42725 if the two cannot be compared; those of a literal's text.
    pub fn compare(operator: CompareOp, left: Self, right: Self) -> Result<Self> {
        let common = comparison_type(operator, left.data_type(), right.data_type())?;
        let left = left.coerce_operand(common)?;
        let right = right.coerce_operand(common)?;
        Ok(Self::Compare { operator, left: Box::new(left), right: Box::new(right) })
    }

    /// An operand of a comparison: of the type's oid. Decimals are compared at any scales, so that columns stay as
    /// they are; strings at any length.
    fn coerce_operand(self, common: DataType) -> Result<Self> {
        let ty = self.data_type();
        match (ty, common) {
            // Trailing blanks do not count, whatever the column's length is.
            (DataType::Unknown | DataType::VarChar(_), DataType::Char(_)) => {
                self.coerce(DataType::Char(MAX_CHARACTERS))
            }
            (DataType::Unknown, _) => self.coerce(super::without_modifiers(common)),
            _ if ty.oid() == common.oid() || ty.is_string() && common == DataType::Text => Ok(self),
            _ => self.coerce(common),
        }
    }

    /// `term AND term ..`; a single term is itself, none is true.
    ///
    /// # Errors
    /// 42804 if a term is no boolean.
    pub fn and(terms: Vec<Self>) -> Result<Self> {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match term.condition("AND")? {
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Ok(match flat.len() {
            0 => Self::boolean(true),
            1 => flat.remove(0),
            _ => Self::And(flat),
        })
    }

    /// `term OR term ..`; a single term is itself, none is false.
    ///
    /// # Errors
    /// 42804 if a term is no boolean.
    pub fn or(terms: Vec<Self>) -> Result<Self> {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match term.condition("OR")? {
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        Ok(match flat.len() {
            0 => Self::boolean(false),
            1 => flat.remove(0),
            _ => Self::Or(flat),
        })
    }

    /// `NOT operand`.
    ///
    /// # Errors
    /// 42804 if it is no boolean.
    pub fn negate(self) -> Result<Self> {
        Ok(Self::Not(Box::new(self.condition("NOT")?)))
    }

    /// The expression as a condition of `construct`: `WHERE`, `AND`, `CASE/WHEN`, ...
    ///
    /// # Errors
    /// 42804 if it is no boolean.
    pub fn condition(self, construct: &'static str) -> Result<Self> {
        match self.data_type() {
            DataType::Boolean => Ok(self),
            DataType::Unknown => self.coerce(DataType::Boolean),
            other => Err(StatementError::NotBoolean { construct, found: other.name() }.into()),
        }
    }

    /// `self IS [NOT] test`.
    ///
    /// # Errors
    /// 42804 if a truth value is asked of something else.
    pub fn is(self, test: IsTest, negated: bool) -> Result<Self> {
        let construct = match test {
            IsTest::Null => None,
            IsTest::True => Some(if negated { "IS NOT TRUE" } else { "IS TRUE" }),
            IsTest::False => Some(if negated { "IS NOT FALSE" } else { "IS FALSE" }),
            IsTest::Unknown => Some(if negated { "IS NOT UNKNOWN" } else { "IS UNKNOWN" }),
        };
        let operand = match construct {
            Some(construct) => self.condition(construct)?,
            None => self.resolve_unknown()?,
        };
        Ok(Self::Is { operand: Box::new(operand), test, negated })
    }

    /// A literal whose type nothing tells, as text.
    ///
    /// # Errors
    /// None in practice; shares its signature with the other conversions.
    pub fn resolve_unknown(self) -> Result<Self> {
        if self.data_type() == DataType::Unknown { self.coerce(DataType::Text) } else { Ok(self) }
    }

    /// `CASE WHEN condition THEN result .. ELSE otherwise END`. For `CASE x WHEN y` give `x = y` as conditions.
    ///
    /// # Errors
    /// 42804 if a condition is no boolean or the results have no common type.
    pub fn case(branches: Vec<(Self, Self)>, otherwise: Option<Self>) -> Result<Self> {
        // PostgreSQL looks at the ELSE first.
        let results = otherwise.iter().chain(branches.iter().map(|(_, result)| result));
        let ty = common_type_of(&results.collect::<Vec<_>>(), "CASE")?;
        let branches = branches
            .into_iter()
            .map(|(condition, result)| Ok((condition.condition("CASE/WHEN")?, result.coerce(ty)?)))
            .collect::<Result<Vec<_>>>()?;
        let otherwise = otherwise.map(|e| e.coerce(ty)).transpose()?.map(Box::new);
        Ok(Self::Case { branches, otherwise, ty })
    }

    /// `COALESCE(argument, ..)`.
    ///
    /// # Errors
    /// 42804 if the arguments have no common type.
    pub fn coalesce(arguments: Vec<Self>) -> Result<Self> {
        let (arguments, ty) = Self::coerce_all(arguments, "COALESCE")?;
        Ok(Self::Coalesce { arguments, ty })
    }

    /// `GREATEST(argument, ..)` or `LEAST(argument, ..)`.
    ///
    /// # Errors
    /// 42804 if the arguments have no common type.
    pub fn extremum(kind: Extremum, arguments: Vec<Self>) -> Result<Self> {
        let construct = match kind {
            Extremum::Greatest => "GREATEST",
            Extremum::Least => "LEAST",
        };
        let (arguments, ty) = Self::coerce_all(arguments, construct)?;
        Ok(Self::Extremum { kind, arguments, ty })
    }

    /// `NULLIF(value, other)`.
    ///
    /// # Errors
    /// 42883 if the two cannot be compared.
    pub fn null_if(value: Self, other: Self) -> Result<Self> {
        let types = (value.data_type(), other.data_type());
        let original = value.clone();
        let equals = Self::compare(CompareOp::Equal, value, other)?;
        // PostgreSQL has operators for pairs of these types; otherwise the first argument is what it is compared as.
        let value = match &equals {
            Self::Compare { left, .. } if !has_own_equality(&types.0, &types.1) => left.as_ref().clone(),
            _ => original,
        };
        Ok(Self::NullIf { value: Box::new(value), equals: Box::new(equals) })
    }

    /// `operand [NOT] IN (list)`. Where the members have no common type with the operand, each is compared by itself,
    /// as PostgreSQL does.
    ///
    /// # Errors
    /// 42883 if a member cannot be compared with the operand.
    pub fn in_list(operand: Self, list: Vec<Self>, negated: bool) -> Result<Self> {
        let types: Vec<_> = std::iter::once(&operand).chain(&list).map(Self::data_type).collect();
        let common = common_type(&types, "IN").ok().filter(|common| {
            types[1..].iter().all(|ty| comparison_type(CompareOp::Equal, *common, *ty).is_ok())
        });
        let Some(common) = common else {
            let operator = if negated { CompareOp::NotEqual } else { CompareOp::Equal };
            let terms = list.into_iter().map(|member| Self::compare(operator, operand.clone(), member));
            let terms = terms.collect::<Result<Vec<_>>>()?;
            return if negated { Self::and(terms) } else { Self::or(terms) };
        };
        if list.len() == 1 {
            let operator = if negated { CompareOp::NotEqual } else { CompareOp::Equal };
            let mut list = list;
            return Self::compare(operator, operand, list.remove(0));
        }
        let operand = operand.coerce_operand(common)?;
        let list =
            list.into_iter().map(|member| member.coerce_operand(common)).collect::<Result<Vec<_>>>()?;
        Ok(Self::InList { operand: Box::new(operand), list, negated })
    }

    /// `operand [NOT] LIKE pattern [ESCAPE escape]` and its kin.
    ///
    /// # Errors
    /// 42883 if an operand is no text.
    pub fn like(
        kind: PatternKind,
        operand: Self,
        pattern: Self,
        escape: Option<Self>,
        negated: bool,
    ) -> Result<Self> {
        let types = [operand.data_type(), pattern.data_type()];
        let is_text = |ty: &DataType| ty.is_string() || *ty == DataType::Unknown;
        if !types.iter().all(is_text) {
            let name = match (kind, negated) {
                (PatternKind::Like, false) => "~~",
                (PatternKind::Like, true) => "!~~",
                (PatternKind::ILike, false) => "~~*",
                (PatternKind::ILike, true) => "!~~*",
                (PatternKind::Similar, false) => "~",
                (PatternKind::Similar, true) => "!~",
            };
            return Err(super::resolve::no_operator(name, &types));
        }
        let text = |e: Self| e.coerce(DataType::Text).map(Box::new);
        let escape = escape.map(|e| e.cast(DataType::Text, CastContext::Implicit)).transpose()?.map(Box::new);
        Ok(Self::Like { kind, operand: text(operand)?, pattern: text(pattern)?, escape, negated })
    }

    fn coerce_all(arguments: Vec<Self>, construct: &'static str) -> Result<(Vec<Self>, DataType)> {
        let ty = common_type_of(&arguments.iter().collect::<Vec<_>>(), construct)?;
        let arguments = arguments.into_iter().map(|e| e.coerce(ty)).collect::<Result<Vec<_>>>()?;
        Ok((arguments, ty))
    }
}

/// The type that the operands of a construct become. Literals and parameters take it from the others, but not their
/// modifiers, which could cut them.
///
/// # Errors
/// 42804 if the operands are of different categories or not castable.
pub fn common_type_of(operands: &[&Expr], construct: &'static str) -> Result<DataType> {
    let types: Vec<DataType> = operands.iter().map(|operand| operand.data_type()).collect();
    let common = common_type(&types, construct)?;
    let takes_all = |operand: &&&Expr| match (operand, &common) {
        (Expr::Constant { value: Value::Null, .. }, _) => true,
        (
            Expr::Constant { value: Value::Text(text), ty: DataType::Unknown },
            DataType::VarChar(Some(n)) | DataType::Char(n),
        ) => text.chars().count() <= *n as usize,
        (operand, _) => operand.data_type() != DataType::Unknown,
    };
    Ok(match common {
        _ if operands.iter().all(|operand| takes_all(&operand)) => common,
        DataType::Char(_) => DataType::Text,
        other => super::without_modifiers(other),
    })
}

/// Whether values of `from` are values of `to` as they lie in memory, so that an implicit cast does nothing.
fn is_relabel(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        // Blanks behind a value of `character(n)` are not stored; its type makes them.
        (DataType::Char(_), _) => false,
        (_, DataType::Text | DataType::VarChar(None)) => from.is_string(),
        _ => false,
    }
}

/// What the conversion depends on besides the value.
pub fn cast_volatility(from: &DataType, to: &DataType) -> Volatility {
    use DataType::{Date, Time, Timestamp, TimestampTz};
    let is_text = |ty: &DataType| ty.is_string() || *ty == DataType::Unknown;
    match (from, to) {
        // `today`, the session's zone.
        (_, Date | Time | Timestamp | TimestampTz) if is_text(from) => Volatility::Stable,
        (TimestampTz, _) if is_text(to) => Volatility::Stable,
        (TimestampTz, Date | Time | Timestamp) | (Date | Timestamp, TimestampTz) => Volatility::Stable,
        _ => Volatility::Immutable,
    }
}

/// Another day, hour and zone than the default.
const ELSEWHERE: TimeContext = TimeContext { now: 700_123_456_789_012, zone_seconds: 12_345 };

/// A literal is cut only where a cast is written.
fn literal_context(ty: &DataType, context: CastContext) -> CastContext {
    if *ty == DataType::Unknown { context.max(CastContext::Assignment) } else { context }
}

fn like_operator(name: &str) -> Option<(PatternKind, bool)> {
    Some(match name {
        "~~" => (PatternKind::Like, false),
        "!~~" => (PatternKind::Like, true),
        "~~*" => (PatternKind::ILike, false),
        "!~~*" => (PatternKind::ILike, true),
        _ => return None,
    })
}

/// The type a function-like cast names.
fn type_named(name: &str) -> Option<DataType> {
    Some(match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt,
        "int4" => DataType::Integer,
        "int8" => DataType::BigInt,
        "float4" => DataType::Real,
        "float8" => DataType::Double,
        "numeric" => DataType::AnyNumeric,
        "text" => DataType::Text,
        "varchar" => DataType::VarChar(None),
        "bytea" => DataType::Bytea,
        "date" => DataType::Date,
        "time" => DataType::Time,
        "timestamp" => DataType::Timestamp,
        "timestamptz" => DataType::TimestampTz,
        "interval" => DataType::Interval,
        "uuid" => DataType::Uuid,
        _ => return None,
    })
}

/// Whether two different types are compared without a conversion of either.
fn has_own_equality(a: &DataType, b: &DataType) -> bool {
    let family = |ty: &DataType| match ty {
        DataType::SmallInt | DataType::Integer | DataType::BigInt => Some(0),
        DataType::Real | DataType::Double => Some(1),
        DataType::Date | DataType::Timestamp | DataType::TimestampTz => Some(2),
        _ => None,
    };
    family(a).is_some() && family(a) == family(b)
}
