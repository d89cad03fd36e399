//! Bound scalar expressions: their tree, the functions they call, and their evaluation over vectors.
//!
//! The binder makes an [`Expr`] through the constructors of [`build`], which resolve overloads and insert casts; the
//! optimizer rewrites it with the walkers of [`walk`]; the executor compiles a list of them into one
//! [`Evaluator`](eval::Evaluator) per thread and runs that over chunks.
//!
//! ```text
//!   name + argument types --resolve--> Function --build--> Expr --fold, rewrite--> Expr --Evaluator::new--> program
//!                                                                                              |
//!                                              chunk + EvalContext --evaluate / select--> vectors / selection
//! ```
//!
//! Invariants:
//! 1. Every node knows its type. The operands of a comparison, the results of `CASE`, `COALESCE`, `GREATEST` and the
//!    members of an `IN` list have types of one oid; casts were inserted where they differed.
//! 2. An argument of a call has the oid the function declares. Decimals keep the precision and scale of their source,
//!    so that `numeric(15,2)` stays a 64-bit integer through arithmetic.
//! 3. Two expressions are equal if they are the same tree; equal expressions that call nothing volatile have equal
//!    results on one row.
//! 4. An error of a row is raised only if the row is selected and the expression is reached: `CASE`, `COALESCE`, `AND`
//!    and `OR` evaluate their later operands only on the rows that need them.
//! 5. Nothing here looks at a clock, a random number or a setting except through [`EvalContext`].
//!
//! Subqueries have no node: the plan puts their result into a column. What a subquery takes from the query around it
//! is an [`Expr::OuterColumn`], which is gone before anything is evaluated.

pub mod aggregate;
pub mod build;
mod context;
mod display;
pub mod eval;
pub mod fold;
mod function;
pub mod functions;
pub mod resolve;
pub mod walk;

#[cfg(test)]
pub(crate) mod tests;

use crate::types::{CastContext, DataType, Value};

pub use context::{Environment, EvalContext, SessionNames};
pub use display::{ColumnNamer, ExprDisplay};
pub use function::{Function, Kind, Operand, ResultType, Variadic, Volatility};

/// A typed expression over the columns of one input.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Expr {
    /// A column of the input chunk.
    Column {
        /// Its place in the chunk.
        index: usize,
        /// Its type.
        ty: DataType,
        /// Whether it may be NULL.
        nullable: bool,
    },
    /// A column of a query around this one; never evaluated.
    OuterColumn {
        /// How many queries out; 1 is the nearest.
        depth: usize,
        /// Its place there.
        index: usize,
        /// Its type.
        ty: DataType,
    },
    /// A parameter of the statement.
    Parameter {
        /// Its number from 1.
        number: u32,
        /// Its type.
        ty: DataType,
    },
    /// A value known when the statement is bound.
    Constant {
        /// The value.
        value: Value,
        /// Its type, which NULL does not tell.
        ty: DataType,
    },
    /// A conversion.
    Cast {
        /// What is converted.
        operand: Box<Expr>,
        /// To what.
        to: DataType,
        /// Where it stands: inserted by the binder, made by an assignment, or written.
        context: CastContext,
    },
    /// A function or operator.
    Call {
        /// Which.
        function: &'static Function,
        /// Its arguments.
        arguments: Vec<Expr>,
        /// Its result.
        ty: DataType,
    },
    /// A comparison of two operands of one type.
    Compare {
        /// Which.
        operator: CompareOp,
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
    },
    /// True if all terms are, false if one is false; at least two terms.
    And(Vec<Expr>),
    /// True if one term is, false if all are false; at least two terms.
    Or(Vec<Expr>),
    /// The opposite; NULL of NULL.
    Not(Box<Expr>),
    /// `IS [NOT] NULL | TRUE | FALSE | UNKNOWN`; never NULL.
    Is {
        /// What is tested.
        operand: Box<Expr>,
        /// For what.
        test: IsTest,
        /// With NOT.
        negated: bool,
    },
    /// `CASE WHEN condition THEN result .. ELSE otherwise END`. `CASE x WHEN y` has `x = y` as condition.
    Case {
        /// Conditions and results, in order.
        branches: Vec<(Expr, Expr)>,
        /// The result if no condition is true; NULL if absent.
        otherwise: Option<Box<Expr>>,
        /// The result.
        ty: DataType,
    },
    /// The first argument that is not NULL.
    Coalesce {
        /// In order; at least one.
        arguments: Vec<Expr>,
        /// The result.
        ty: DataType,
    },
    /// NULL where `equals` is true, else `value`.
    NullIf {
        /// The first argument, as it is compared.
        value: Box<Expr>,
        /// The comparison of the first argument with the second.
        equals: Box<Expr>,
    },
    /// `GREATEST` or `LEAST`: NULLs do not count.
    Extremum {
        /// Which.
        kind: Extremum,
        /// At least one.
        arguments: Vec<Expr>,
        /// The result.
        ty: DataType,
    },
    /// `operand [NOT] IN (list)`.
    InList {
        /// What is looked for.
        operand: Box<Expr>,
        /// Where; never empty.
        list: Vec<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `operand [NOT] LIKE | ILIKE | SIMILAR TO pattern [ESCAPE escape]`, all text.
    Like {
        /// Which of the three.
        kind: PatternKind,
        /// What is matched.
        operand: Box<Expr>,
        /// Against what.
        pattern: Box<Expr>,
        /// The escape character; backslash if absent, none if the empty text.
        escape: Option<Box<Expr>>,
        /// With NOT.
        negated: bool,
    },
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `IS DISTINCT FROM`: NULL is a value equal to itself.
    Distinct,
    /// `IS NOT DISTINCT FROM`
    NotDistinct,
}

impl CompareOp {
    /// The operator with this name; the two about DISTINCT have none.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "=" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Distinct => "IS DISTINCT FROM",
            Self::NotDistinct => "IS NOT DISTINCT FROM",
        }
    }

    /// The operator that gives the same with its sides exchanged.
    #[must_use]
    pub fn commute(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            Self::Equal | Self::NotEqual | Self::Distinct | Self::NotDistinct => self,
        }
    }

    /// Whether it bounds a value from one side.
    #[must_use]
    pub fn is_inequality(self) -> bool {
        matches!(self, Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual)
    }

    /// The operator that gives the opposite, and NULL where this one does.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Greater => Self::LessEqual,
            Self::GreaterEqual => Self::Less,
            Self::Distinct => Self::NotDistinct,
            Self::NotDistinct => Self::Distinct,
        }
    }

    /// Whether NULL operands give a truth value rather than NULL.
    pub fn sees_nulls(self) -> bool {
        matches!(self, Self::Distinct | Self::NotDistinct)
    }
}

/// What IS asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IsTest {
    /// `IS NULL`
    Null,
    /// `IS TRUE`
    True,
    /// `IS FALSE`
    False,
    /// `IS UNKNOWN`
    Unknown,
}

/// Which end of an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extremum {
    /// `GREATEST`
    Greatest,
    /// `LEAST`
    Least,
}

/// The three languages of patterns that have keywords.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PatternKind {
    /// `LIKE`
    Like,
    /// `ILIKE`, without regard to case
    ILike,
    /// `SIMILAR TO`, a regular expression in SQL's style
    Similar,
}

impl Expr {
    /// The type of the result, with the precision and scale that evaluation uses.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Column { ty, .. }
            | Self::OuterColumn { ty, .. }
            | Self::Parameter { ty, .. }
            | Self::Constant { ty, .. }
            | Self::Cast { to: ty, .. }
            | Self::Call { ty, .. }
            | Self::Case { ty, .. }
            | Self::Coalesce { ty, .. }
            | Self::Extremum { ty, .. } => *ty,
            Self::NullIf { value, .. } => value.data_type(),
            Self::Compare { .. }
            | Self::And(_)
            | Self::Or(_)
            | Self::Not(_)
            | Self::Is { .. }
            | Self::InList { .. }
            | Self::Like { .. } => DataType::Boolean,
        }
    }

    /// The type a client is told, and a table made from the query gets: computed results have no modifiers.
    pub fn declared_type(&self) -> DataType {
        match self {
            Self::Column { ty, .. } | Self::OuterColumn { ty, .. } => *ty,
            Self::Cast { to, context, .. } if *context != CastContext::Implicit => *to,
            Self::Case { ty, .. } | Self::Coalesce { ty, .. } | Self::Extremum { ty, .. } => {
                let mut declared = self.results().map(Self::declared_type);
                let first = declared.next();
                match first {
                    Some(first) if declared.all(|other| other == first) => first,
                    _ => without_modifiers(*ty),
                }
            }
            Self::NullIf { value, .. } => value.declared_type(),
            _ => without_modifiers(self.data_type()),
        }
    }

    /// The operands one of which is the result.
    fn results(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Case { branches, otherwise, .. } => {
                Box::new(branches.iter().map(|(_, result)| result).chain(otherwise.as_deref()))
            }
            Self::Coalesce { arguments, .. } | Self::Extremum { arguments, .. } => Box::new(arguments.iter()),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// False if the result is never NULL, as far as the tree tells.
    pub fn nullable(&self) -> bool {
        match self {
            Self::Column { nullable, .. } => *nullable,
            Self::OuterColumn { .. } | Self::Parameter { .. } | Self::NullIf { .. } => true,
            Self::Constant { value, .. } => value.is_null(),
            Self::Is { .. } => false,
            // An infinite timestamp has no time of day.
            Self::Cast { operand, to, .. } => operand.nullable() || *to == DataType::Time,
            Self::Call { function, arguments, .. } => {
                function.may_return_null || (function.strict && arguments.iter().any(Self::nullable))
            }
            Self::Compare { operator, left, right } => {
                !operator.sees_nulls() && (left.nullable() || right.nullable())
            }
            Self::And(terms) | Self::Or(terms) => terms.iter().any(Self::nullable),
            Self::Not(operand) => operand.nullable(),
            Self::Case { otherwise: None, .. } => true,
            Self::Case { .. } => self.results().any(Self::nullable),
            Self::Coalesce { arguments, .. } | Self::Extremum { arguments, .. } => {
                arguments.iter().all(Self::nullable)
            }
            Self::InList { operand, list, .. } => operand.nullable() || list.iter().any(Self::nullable),
            Self::Like { operand, pattern, escape, .. } => {
                operand.nullable() || pattern.nullable() || escape.as_ref().is_some_and(|e| e.nullable())
            }
        }
    }
}

/// `numeric(p,s)` as `numeric`, `varchar(n)` as `varchar`. `character(n)` without its length is `text` to us.
pub fn without_modifiers(ty: DataType) -> DataType {
    match ty {
        DataType::Numeric { .. } => DataType::AnyNumeric,
        DataType::VarChar(_) => DataType::VarChar(None),
        _ => ty,
    }
}
