//! Queries: SELECT, VALUES, set operations, joins.

use super::{
    expr::{Expr, FunctionCall, WindowDefinition},
    name::{Ident, ObjectName, Position},
};

/// A query with the clauses that apply to its whole result.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// `WITH ..`
    pub with: Option<With>,
    /// Where the rows come from.
    pub body: QueryBody,
    /// `ORDER BY`
    pub order_by: Vec<SortItem>,
    /// `LIMIT n` or `FETCH FIRST n ROWS`; none for `LIMIT ALL`.
    pub limit: Option<Expr>,
    /// `FETCH FIRST n ROWS WITH TIES`: peers of the last row are returned as well.
    pub with_ties: bool,
    /// `OFFSET n`
    pub offset: Option<Expr>,
    /// `FOR UPDATE` and its like.
    pub locks: Vec<LockClause>,
    /// Where the query starts.
    pub position: Position,
}

/// `WITH [RECURSIVE] a AS (..), b AS (..)`
#[derive(Clone, PartialEq, Debug)]
pub struct With {
    /// Tables may refer to themselves and to later ones.
    pub recursive: bool,
    /// In order; never empty.
    pub tables: Vec<CommonTable>,
    /// Where it starts.
    pub position: Position,
}

/// `name [(columns)] AS [[NOT] MATERIALIZED] (query)`
#[derive(Clone, PartialEq, Debug)]
pub struct CommonTable {
    /// Its name.
    pub name: Ident,
    /// New names for its columns; may be fewer than there are.
    pub columns: Vec<Ident>,
    /// `MATERIALIZED` or `NOT MATERIALIZED`, if given.
    pub materialized: Option<bool>,
    /// What it holds.
    pub query: Query,
}

/// Where the rows of a query come from.
#[derive(Clone, PartialEq, Debug)]
pub enum QueryBody {
    /// `SELECT ..`
    Select(Box<Select>),
    /// `VALUES (..), (..)`: the rows; never empty. All of one length, which the binder checks.
    Values(Vec<Vec<Expr>>),
    /// `(query)`, with clauses of its own.
    Nested(Box<Query>),
    /// `first op query op query ..`, applied from left to right, at least one operation.
    SetOperations {
        /// The first operand.
        first: Box<QueryBody>,
        /// What is applied to it.
        rest: Vec<SetOperation>,
    },
}

/// One step of a chain of set operations.
#[derive(Clone, PartialEq, Debug)]
pub struct SetOperation {
    /// Which.
    pub operator: SetOperator,
    /// `ALL`: duplicates are kept.
    pub all: bool,
    /// The right side.
    pub right: QueryBody,
    /// Where the operator stands.
    pub position: Position,
}

/// The set operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetOperator {
    /// `UNION`
    Union,
    /// `INTERSECT`
    Intersect,
    /// `EXCEPT`
    Except,
}

/// `SELECT ..` without the clauses of [`Query`].
#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    /// `DISTINCT`
    pub distinct: Distinct,
    /// The result columns; may be empty.
    pub items: Vec<SelectItem>,
    /// `FROM`: the tables, between which stand commas; may be empty.
    pub from: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `GROUP BY`
    pub group_by: GroupBy,
    /// `HAVING`
    pub having: Option<Expr>,
    /// `WINDOW`
    pub windows: Vec<NamedWindow>,
    /// Where `SELECT` stands.
    pub position: Position,
}

/// What DISTINCT asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Distinct {
    /// Every row.
    All,
    /// Different rows.
    Rows,
    /// The first row of each group of equal keys: `DISTINCT ON (..)`.
    On(Vec<Expr>),
}

/// What GROUP BY asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum GroupBy {
    /// There is none.
    None,
    /// Equal keys; an empty list is `GROUP BY ()`, one group of everything.
    Keys(Vec<Expr>),
    /// `GROUP BY ALL`: every result column without an aggregate.
    All(Position),
}

/// A result column, or several.
#[derive(Clone, PartialEq, Debug)]
pub enum SelectItem {
    /// `expr [AS alias]`
    Expr {
        /// The value.
        expr: Expr,
        /// Its name, if given.
        alias: Option<Ident>,
    },
    /// `*` or `table.*`, optionally `EXCLUDE (columns)`
    Wildcard {
        /// The table, perhaps with its schema; empty for a bare star.
        qualifier: Vec<Ident>,
        /// The columns to leave out.
        exclude: Vec<Ident>,
        /// Where the qualifier or the star stands.
        position: Position,
    },
}

/// `name AS (..)` of the WINDOW clause.
#[derive(Clone, PartialEq, Debug)]
pub struct NamedWindow {
    /// Its name.
    pub name: Ident,
    /// What it is.
    pub definition: WindowDefinition,
}

/// Something that can stand in FROM.
#[derive(Clone, PartialEq, Debug)]
pub enum TableRef {
    /// A table or view, or a name from WITH.
    Table {
        /// Its name.
        name: ObjectName,
        /// Its new name.
        alias: Option<Alias>,
    },
    /// `(query) [AS alias]`
    Query {
        /// The query.
        query: Box<Query>,
        /// It may refer to tables before it.
        lateral: bool,
        /// Its name; PostgreSQL 15 requires one, which the binder checks.
        alias: Option<Alias>,
        /// Where it starts.
        position: Position,
    },
    /// `f(..) [WITH ORDINALITY] [AS alias]`
    Function {
        /// The call.
        call: Box<FunctionCall>,
        /// With a column of row numbers.
        ordinality: bool,
        /// Written with LATERAL, which functions are anyway.
        lateral: bool,
        /// Its name.
        alias: Option<Alias>,
    },
    /// `first JOIN table JOIN table ..`, applied from left to right; alias only if it stood in parentheses.
    Join {
        /// The leftmost table.
        first: Box<TableRef>,
        /// What is joined to it; never empty.
        joins: Vec<Join>,
        /// `(a JOIN b) AS alias`
        alias: Option<Alias>,
    },
}

/// `[AS] name [(columns)]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The name.
    pub name: Ident,
    /// New names of the columns; may be fewer than there are.
    pub columns: Vec<Ident>,
}

/// One step of a chain of joins.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// Which rows are kept.
    pub kind: JoinKind,
    /// What matches; [`JoinCondition::None`] for CROSS JOIN only.
    pub condition: JoinCondition,
    /// The right side.
    pub right: TableRef,
    /// Where the join's keywords start.
    pub position: Position,
}

/// Which rows a join keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinKind {
    /// Matches only.
    Inner,
    /// All rows of the left side.
    Left,
    /// All rows of the right side.
    Right,
    /// All rows.
    Full,
    /// Every pair.
    Cross,
}

/// What matches in a join.
#[derive(Clone, PartialEq, Debug)]
pub enum JoinCondition {
    /// Everything.
    None,
    /// `ON condition`
    On(Expr),
    /// `USING (columns) [AS alias]`
    Using {
        /// The columns that both sides have.
        columns: Vec<Ident>,
        /// A name for the joined columns.
        alias: Option<Ident>,
    },
    /// `NATURAL`: all columns of the same name.
    Natural,
}

/// An item of ORDER BY, or a column of an index.
#[derive(Clone, PartialEq, Debug)]
pub struct SortItem {
    /// The key; an integer literal is the number of a result column.
    pub expr: Expr,
    /// `DESC`
    pub descending: bool,
    /// `NULLS FIRST | LAST`
    pub nulls: NullsOrder,
}

/// Where NULLs go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NullsOrder {
    /// Last when ascending, first when descending.
    Default,
    /// `NULLS FIRST`
    First,
    /// `NULLS LAST`
    Last,
}

/// `FOR UPDATE [OF t] [NOWAIT | SKIP LOCKED]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockClause {
    /// How strong.
    pub strength: LockStrength,
    /// The tables it is for; all if empty.
    pub of: Vec<ObjectName>,
    /// What to do about locked rows.
    pub wait: LockWait,
    /// Where FOR stands.
    pub position: Position,
}

/// The strengths of row locks, the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockStrength {
    /// `FOR UPDATE`
    Update,
    /// `FOR NO KEY UPDATE`
    NoKeyUpdate,
    /// `FOR SHARE`
    Share,
    /// `FOR KEY SHARE`
    KeyShare,
}

/// What to do about a row that someone else has locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockWait {
    /// Wait for it.
    Block,
    /// Leave it out.
    SkipLocked,
    /// Fail.
    NoWait,
}
