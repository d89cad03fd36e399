//! Expressions.

use super::{
    name::{Ident, ObjectName, Position},
    query::{Query, SortItem},
    type_name::TypeName,
};

/// An expression and the place PostgreSQL points to when it is wrong.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// The operator's place for an operation, else where the expression starts.
    pub position: Position,
    /// What it is.
    pub kind: ExprKind,
}

impl Expr {
    /// The leftmost position, where PostgreSQL points to when the whole expression has the wrong type.
    pub fn start(&self) -> Position {
        let mut at = self;
        let mut start = self.position;
        while let Some(left) = at.leftmost() {
            at = left;
            start = start.min(at.position);
        }
        start
    }

    /// The operand that stands before the operator, if this is an operation that has one.
    fn leftmost(&self) -> Option<&Expr> {
        match &self.kind {
            ExprKind::Binary { first, .. } => Some(first),
            ExprKind::And(terms) | ExprKind::Or(terms) => terms.first(),
            ExprKind::Is { operand, .. }
            | ExprKind::Pattern { operand, .. }
            | ExprKind::Between { operand, .. }
            | ExprKind::InList { operand, .. }
            | ExprKind::InQuery { operand, .. }
            | ExprKind::Quantified { operand, .. }
            | ExprKind::Collate { operand, .. }
            | ExprKind::Cast { operand, .. } => Some(operand),
            ExprKind::IsDistinctFrom { left, .. } => Some(left),
            ExprKind::Literal(_)
            | ExprKind::Parameter(_)
            | ExprKind::Column(_)
            | ExprKind::SessionValue(_)
            | ExprKind::Default
            | ExprKind::Unary { .. }
            | ExprKind::Not(_)
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_)
            | ExprKind::Array(_)
            | ExprKind::Row { .. }
            | ExprKind::Case { .. }
            | ExprKind::Function(_) => None,
        }
    }
}

/// What an expression is.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// A constant.
    Literal(Literal),
    /// A parameter by its number from 1; names were resolved, see [`super::Parameters`].
    Parameter(u32),
    /// `column`, `table.column`, `schema.table.column`, `database.schema.table.column`: one to four names.
    Column(Vec<Ident>),
    /// `CURRENT_DATE` and its like, which need no parentheses.
    SessionValue(SessionValue),
    /// `DEFAULT`: allowed as a whole value in INSERT and UPDATE only, which the binder checks.
    Default,
    /// A prefix operator: `-`, `+`, `~`, `@`, ...
    Unary {
        /// The operator's characters.
        operator: String,
        /// What it applies to.
        operand: Box<Expr>,
    },
    /// A left-associative chain of infix operators: `((first op right) op right) ...`, at least one operation.
    Binary {
        /// The first operand.
        first: Box<Expr>,
        /// What is applied to it, from left to right.
        rest: Vec<BinaryOperation>,
    },
    /// `a AND b AND ...`, at least two terms.
    And(Vec<Expr>),
    /// `a OR b OR ...`, at least two terms.
    Or(Vec<Expr>),
    /// `NOT a`
    Not(Box<Expr>),
    /// `a IS [NOT] NULL`, `TRUE`, `FALSE`, `UNKNOWN`
    Is {
        /// What is tested.
        operand: Box<Expr>,
        /// For what.
        test: IsTest,
        /// With NOT.
        negated: bool,
    },
    /// `a IS [NOT] DISTINCT FROM b`
    IsDistinctFrom {
        /// The left side.
        left: Box<Expr>,
        /// The right side.
        right: Box<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `a [NOT] LIKE | ILIKE | SIMILAR TO pattern [ESCAPE e]`
    Pattern {
        /// Which of the three.
        kind: PatternKind,
        /// What is matched.
        operand: Box<Expr>,
        /// Against what.
        pattern: Box<Expr>,
        /// The escape character; backslash if absent.
        escape: Option<Box<Expr>>,
        /// With NOT.
        negated: bool,
    },
    /// `a [NOT] BETWEEN [SYMMETRIC] low AND high`
    Between {
        /// What is compared.
        operand: Box<Expr>,
        /// The lower bound.
        low: Box<Expr>,
        /// The upper bound.
        high: Box<Expr>,
        /// The bounds may stand in either order.
        symmetric: bool,
        /// With NOT.
        negated: bool,
    },
    /// `a [NOT] IN (b, c, ...)`
    InList {
        /// What is looked for; a row for `(a, b) IN ((1, 2), ...)`.
        operand: Box<Expr>,
        /// Where; never empty.
        list: Vec<Expr>,
        /// With NOT.
        negated: bool,
    },
    /// `a [NOT] IN (SELECT ...)`
    InQuery {
        /// What is looked for; a row if the query has several columns.
        operand: Box<Expr>,
        /// Where.
        query: Box<Query>,
        /// With NOT.
        negated: bool,
    },
    /// `a op ANY | SOME | ALL (query or array)`
    Quantified {
        /// The left side.
        operand: Box<Expr>,
        /// The operator's characters; `~~`, `~~*`, `!~~`, `!~~*` for LIKE and ILIKE.
        operator: String,
        /// ANY or ALL.
        quantifier: Quantifier,
        /// The right sides.
        right: QuantifiedOperand,
    },
    /// `EXISTS (SELECT ...)`
    Exists(Box<Query>),
    /// `(SELECT ...)` as a value, or as a row where one may stand.
    Subquery(Box<Query>),
    /// `ARRAY[a, b, ...]`
    Array(Vec<Expr>),
    /// `(a, b, ...)` or `ROW(a, ...)`
    Row {
        /// The fields.
        fields: Vec<Expr>,
        /// Written with ROW, which also allows fewer than two fields.
        explicit: bool,
    },
    /// `CASE [operand] WHEN .. THEN .. ELSE .. END`
    Case {
        /// What the branches are compared with, or none if they are conditions.
        operand: Option<Box<Expr>>,
        /// In order; never empty.
        branches: Vec<CaseBranch>,
        /// The ELSE; NULL if absent.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(a AS t)`, `a::t` or `t 'literal'`
    Cast {
        /// What is converted.
        operand: Box<Expr>,
        /// To what.
        to: TypeName,
        /// How it was written.
        syntax: CastSyntax,
    },
    /// `a COLLATE c`
    Collate {
        /// What is collated.
        operand: Box<Expr>,
        /// How.
        collation: ObjectName,
    },
    /// A function or aggregate, and the special syntax that stands for one. `COALESCE`, `NULLIF`, `GREATEST`
    /// and `LEAST` are here as well, unqualified.
    Function(Box<FunctionCall>),
}

/// A constant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Literal {
    /// `NULL`
    Null,
    /// `TRUE`, `FALSE`
    Boolean(bool),
    /// Digits that fit 64 bits; `integer` if they fit 32, else `bigint`.
    Integer(i64),
    /// Any other number as written, without `_`; it is `numeric`.
    Decimal(String),
    /// A quoted string with escapes resolved; its type is not known yet.
    String(String),
    /// `B'0101'`: the binary digits.
    Binary(String),
    /// `X'1f'`: the hexadecimal digits.
    Hexadecimal(String),
}

/// A value of the session or the transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionValue {
    /// `CURRENT_DATE`
    CurrentDate,
    /// `CURRENT_TIME [(p)]`
    CurrentTime(Option<u32>),
    /// `CURRENT_TIMESTAMP [(p)]`
    CurrentTimestamp(Option<u32>),
    /// `LOCALTIME [(p)]`
    LocalTime(Option<u32>),
    /// `LOCALTIMESTAMP [(p)]`
    LocalTimestamp(Option<u32>),
    /// `CURRENT_USER`
    CurrentUser,
    /// `CURRENT_ROLE`
    CurrentRole,
    /// `SESSION_USER`
    SessionUser,
    /// `USER`
    User,
    /// `CURRENT_CATALOG`
    CurrentCatalog,
    /// `CURRENT_SCHEMA`
    CurrentSchema,
}

impl SessionValue {
    /// Its keyword in lower case, which is also the name of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::CurrentDate => "current_date",
            Self::CurrentTime(_) => "current_time",
            Self::CurrentTimestamp(_) => "current_timestamp",
            Self::LocalTime(_) => "localtime",
            Self::LocalTimestamp(_) => "localtimestamp",
            Self::CurrentUser => "current_user",
            Self::CurrentRole => "current_role",
            Self::SessionUser => "session_user",
            Self::User => "user",
            Self::CurrentCatalog => "current_catalog",
            Self::CurrentSchema => "current_schema",
        }
    }
}

/// One step of a chain of infix operators.
#[derive(Clone, PartialEq, Debug)]
pub struct BinaryOperation {
    /// The operator's characters; `!=` is written `<>`.
    pub operator: String,
    /// Where the operator stands.
    pub position: Position,
    /// The right side.
    pub right: Expr,
}

/// What IS asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsTest {
    /// `IS NULL`, `ISNULL`
    Null,
    /// `IS TRUE`
    True,
    /// `IS FALSE`
    False,
    /// `IS UNKNOWN`
    Unknown,
}

/// The three languages of patterns that have keywords.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternKind {
    /// `LIKE`
    Like,
    /// `ILIKE`, without regard to case
    ILike,
    /// `SIMILAR TO`, a regular expression in SQL's style
    Similar,
}

/// How many of the right sides must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantifier {
    /// `ANY` or `SOME`
    Any,
    /// `ALL`
    All,
}

/// The right side of ANY and ALL.
#[derive(Clone, PartialEq, Debug)]
pub enum QuantifiedOperand {
    /// The rows of a query.
    Query(Box<Query>),
    /// The elements of an array.
    Array(Box<Expr>),
}

/// `WHEN .. THEN ..`
#[derive(Clone, PartialEq, Debug)]
pub struct CaseBranch {
    /// The condition, or the value that the operand must equal.
    pub when: Expr,
    /// The result.
    pub then: Expr,
}

/// The ways to write a cast; a literal of a type is checked at bind time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CastSyntax {
    /// `CAST(a AS t)`
    Cast,
    /// `a::t`
    DoubleColon,
    /// `t 'literal'`
    Literal,
}

/// A call of a function, an aggregate or a window function.
#[derive(Clone, PartialEq, Debug)]
pub struct FunctionCall {
    /// The name.
    pub name: ObjectName,
    /// The arguments; empty for `f(*)`.
    pub arguments: Vec<Argument>,
    /// `f(*)`
    pub star: bool,
    /// `f(DISTINCT ..)`
    pub distinct: bool,
    /// The last argument is an array of the remaining arguments: `f(VARIADIC a)`.
    pub variadic: bool,
    /// `f(.. ORDER BY ..)`
    pub order_by: Vec<SortItem>,
    /// `f(..) WITHIN GROUP (ORDER BY ..)`
    pub within_group: Vec<SortItem>,
    /// `f(..) FILTER (WHERE ..)`
    pub filter: Option<Expr>,
    /// `f(..) OVER ..`
    pub over: Option<WindowDefinition>,
}

/// An argument of a function.
#[derive(Clone, PartialEq, Debug)]
pub struct Argument {
    /// `name => value`
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// `OVER name` or `OVER (..)`.
#[derive(Clone, PartialEq, Debug)]
pub struct WindowDefinition {
    /// The window of the WINDOW clause that this one is, or is based on.
    pub base: Option<Ident>,
    /// `PARTITION BY`
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`
    pub order_by: Vec<SortItem>,
    /// The frame, if given.
    pub frame: Option<WindowFrame>,
    /// Where it starts.
    pub position: Position,
}

/// `ROWS | RANGE | GROUPS BETWEEN start AND end`
#[derive(Clone, PartialEq, Debug)]
pub struct WindowFrame {
    /// What bounds count.
    pub units: FrameUnits,
    /// The first row.
    pub start: FrameBound,
    /// The last row; the current row if not given.
    pub end: FrameBound,
}

/// What the bounds of a frame count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameUnits {
    /// Rows.
    Rows,
    /// Differences of the sort key.
    Range,
    /// Groups of peers.
    Groups,
}

/// One end of a frame.
#[derive(Clone, PartialEq, Debug)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`
    UnboundedPreceding,
    /// `n PRECEDING`
    Preceding(Box<Expr>),
    /// `CURRENT ROW`
    CurrentRow,
    /// `n FOLLOWING`
    Following(Box<Expr>),
    /// `UNBOUNDED FOLLOWING`
    UnboundedFollowing,
}
