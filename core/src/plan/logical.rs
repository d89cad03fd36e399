//! Logical plans: relational algebra over columns that have names of their own.
//!
//! ```text
//!   SELECT a, count(*) FROM t WHERE b > 1 GROUP BY a
//!
//!   Project    [a#0, count#3]
//!   Aggregate  keys [a#0 := a#0]  aggregates [count#3 := count(*)]
//!   Filter     b#1 > 1
//!   Scan t     [a#0, b#1]
//! ```
//!
//! A column is a [`ColumnId`], given out once by the [`Columns`] of the statement: whatever a rewrite moves, a name
//! keeps its meaning. The scalar expressions are [`crate::expr::Expr`] as they are, so that there is one type system
//! and one set of rules; inside a logical plan the `index` of an [`Expr::Column`] is the number of a `ColumnId`.
//! Positions take their place when the physical plan is made.
//!
//! There is no subquery inside an expression. Binding `x > (SELECT ..)` joins the subquery to the plan below the
//! expression and leaves a column there; a join whose right side reads columns of its left side is a
//! [`Join`] with [`dependent`](Join::dependent) set, which the optimizer removes.
//!
//! 1. A column is made by one node of the plan, and read only above it, or to the right of it in a dependent join.
//!    A plan that occurs twice occurs as [`With`] and [`CteScan`]s, each with columns of its own.
//! 2. Conditions are lists of terms, all of which must be true; NULL is not true.
//! 3. Expressions of a node read the columns of its inputs only, apart from those a dependent join provides.

use crate::catalog::TableEntry;
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::ids::ObjectId;
use crate::types::DataType;
use std::sync::Arc;

/// A column of a statement's plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnId(pub u32);

/// A common table expression of a statement.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CteId(pub u32);

/// What is known about a column wherever it goes.
#[derive(Clone, Debug)]
pub struct Column {
    /// What it is called in messages and EXPLAIN.
    pub name: Arc<str>,
    /// The table or alias it comes from.
    pub relation: Option<Arc<str>>,
    /// Its type as evaluation knows it.
    pub ty: DataType,
    /// Its type as a client is told.
    pub declared: DataType,
    /// The table and the column of it that it passes on unchanged.
    pub origin: Option<(ObjectId, u16)>,
}

/// The columns of a statement, by id.
#[derive(Clone, Default, Debug)]
pub struct Columns {
    columns: Vec<Column>,
    ctes: u32,
}

impl Columns {
    /// A new column.
    pub fn add(&mut self, column: Column) -> ColumnId {
        let id =
            ColumnId(u32::try_from(self.columns.len()).expect("a statement has fewer than 2^32 columns"));
        self.columns.push(column);
        id
    }

    /// A new column that holds the values of an expression.
    pub fn add_computed(&mut self, name: &str, expr: &Expr) -> ColumnId {
        self.add(Column {
            name: name.into(),
            relation: None,
            ty: expr.data_type(),
            declared: expr.declared_type(),
            origin: None,
        })
    }

    /// A new column that is like another.
    pub fn add_copy(&mut self, of: ColumnId) -> ColumnId {
        self.add(self.get(of).clone())
    }

    /// A new common table expression.
    pub fn add_cte(&mut self) -> CteId {
        self.ctes += 1;
        CteId(self.ctes)
    }

    /// Gives a column whose type was not known its type.
    pub fn set_type(&mut self, id: ColumnId, ty: DataType) {
        let column = &mut self.columns[id.index()];
        column.ty = ty;
        column.declared = ty;
    }

    /// What is known about a column.
    pub fn get(&self, id: ColumnId) -> &Column {
        &self.columns[id.index()]
    }

    /// All columns, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter()
    }

    /// The expression that reads a column.
    pub fn read(&self, id: ColumnId) -> Expr {
        self.read_as(id, true)
    }

    /// The expression that reads a column that is known to be NULL at times or never.
    pub fn read_as(&self, id: ColumnId, nullable: bool) -> Expr {
        Expr::Column { index: id.index(), ty: self.get(id).ty, nullable }
    }
}

impl ColumnId {
    /// The number that stands for it in an [`Expr::Column`].
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The column that an [`Expr::Column`] of a logical plan reads.
    pub fn of_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("indexes in logical plans come from ids"))
    }
}

/// A column and what it is computed from.
#[derive(Clone, PartialEq, Debug)]
pub struct Computed {
    /// The new column; the one that is read if the expression only passes a column on.
    pub id: ColumnId,
    /// Its values.
    pub expr: Expr,
}

/// A plan.
#[derive(Clone, PartialEq, Debug)]
pub enum LogicalPlan {
    /// The rows of a table.
    Scan(Scan),
    /// Rows of the statement itself.
    Values(Values),
    /// The rows a series of numbers or times has.
    Series(Series),
    /// Rows that come from outside.
    Input(Input),
    /// Rows for which all conditions are true.
    Filter(Filter),
    /// Some columns, old and new.
    Project(Project),
    /// One row a group.
    Aggregate(Aggregate),
    /// Different rows.
    Distinct(Distinct),
    /// Rows in order.
    Sort(Sort),
    /// Some of the first rows.
    Limit(Limit),
    /// Pairs of rows.
    Join(Box<Join>),
    /// Rows of two inputs.
    SetOperation(Box<SetOperation>),
    /// A plan that is read several times.
    With(Box<With>),
    /// A reading of it.
    CteScan(CteScan),
    /// Row locks.
    Lock(Lock),
    /// New rows.
    Insert(Box<Insert>),
    /// Changed rows.
    Update(Box<Update>),
    /// Removed rows.
    Delete(Box<Delete>),
}

/// The rows of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Scan {
    /// The table.
    pub table: Arc<TableEntry>,
    /// What the statement calls it.
    pub alias: Arc<str>,
    /// Columns of the table, by number, and what they are called here.
    pub columns: Vec<(u16, ColumnId)>,
    /// A `bigint` column for the row ids, whose bits are those of [`crate::ids::RowId`].
    pub row_id: Option<ColumnId>,
}

/// Rows of the statement itself. No columns and one row is what a query without FROM reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Values {
    /// The columns.
    pub columns: Vec<ColumnId>,
    /// For each row a value for each column; they read no columns but those of a dependent join.
    pub rows: Vec<Vec<Expr>>,
}

/// Rows that are given to the statement while it runs: those COPY reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// The columns.
    pub columns: Vec<ColumnId>,
}

/// `generate_series(start, stop, step)`: for each row of the input its columns with each value of the series, in order;
/// no rows if start, stop or step is NULL.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// What the bounds are computed from: one row without columns, unless they depend on other tables.
    pub input: Box<LogicalPlan>,
    /// The values.
    pub column: ColumnId,
    /// A `bigint` column that counts the rows of each series from 1.
    pub ordinality: Option<ColumnId>,
    /// The first value; of the column's type.
    pub start: Expr,
    /// No value is beyond this one; of the column's type.
    pub stop: Expr,
    /// From one value to the next: of the column's type, an interval for times.
    pub step: Expr,
}

/// Rows for which all conditions are true.
#[derive(Clone, PartialEq, Debug)]
pub struct Filter {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// The conditions.
    pub conditions: Vec<Expr>,
}

/// Columns of the input and columns computed from them; others are gone.
#[derive(Clone, PartialEq, Debug)]
pub struct Project {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// The columns, in order.
    pub columns: Vec<Computed>,
}

/// One row for each group of rows with equal keys, NULLs being equal; one row in all if there are no keys.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// The keys.
    pub keys: Vec<Computed>,
    /// The aggregates.
    pub aggregates: Vec<ComputedAggregate>,
}

/// A column and the aggregate it holds.
#[derive(Clone, PartialEq, Debug)]
pub struct ComputedAggregate {
    /// The new column.
    pub id: ColumnId,
    /// Its values.
    pub call: AggregateCall,
}

/// Different rows; the output is the input's columns.
#[derive(Clone, PartialEq, Debug)]
pub struct Distinct {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// `DISTINCT ON`: the first row for each combination of these, in the order of an input that is sorted by them
    /// first. Without, rows that differ in any column.
    pub on: Option<Vec<Expr>>,
}

/// Rows in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Sort {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// From the most significant to the least.
    pub keys: Vec<SortKey>,
}

/// Some of the first rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// How many, a `bigint`; all if absent or NULL.
    pub limit: Option<Expr>,
    /// How many to leave out before, a `bigint`; none if absent or NULL.
    pub offset: Option<Expr>,
    /// `WITH TIES`: rows equal to the last one by these keys are kept too. The input is sorted by them.
    pub ties: Option<Vec<SortKey>>,
    /// Rows are counted for each combination of values of these, NULLs being equal; the order of the input is kept.
    pub partition: Vec<ColumnId>,
}

/// Pairs of rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// What comes of the pairs.
    pub kind: JoinKind,
    /// The right side is a plan for each row of the left side, whose columns it reads. Not for right and full joins.
    pub dependent: bool,
    /// The left side.
    pub left: LogicalPlan,
    /// The right side.
    pub right: LogicalPlan,
    /// Which pairs match; all if empty.
    pub conditions: Vec<Expr>,
}

/// What comes of the matching pairs of a join.
#[derive(Clone, PartialEq, Debug)]
pub enum JoinKind {
    /// They are the result: columns of both sides.
    Inner,
    /// And left rows without a match, with NULLs.
    Left,
    /// And right rows without a match, with NULLs.
    Right,
    /// And both.
    Full,
    /// Left rows with a match, once: columns of the left side.
    Semi,
    /// Left rows without a match: columns of the left side.
    Anti,
    /// As [`Left`](Self::Left), but a left row with two matches is an error (21000).
    Single,
    /// Every left row with one boolean column more: the OR, over its matches, of the AND of `test`. So it is false
    /// without a match, true with one if `test` is empty, and otherwise NULL if `test` is true for no match and NULL
    /// for some: the value of `IN`.
    Mark {
        /// The column.
        column: ColumnId,
        /// What is asked of matching rows.
        test: Vec<Expr>,
    },
}

/// Rows of two or more inputs.
#[derive(Clone, PartialEq, Debug)]
pub struct SetOperation {
    /// Which rows.
    pub operator: SetOperator,
    /// Rows count as often as they occur; otherwise the result has each once.
    pub all: bool,
    /// The columns of the result.
    pub columns: Vec<ColumnId>,
    /// The inputs: two, or more for UNION.
    pub inputs: Vec<SetInput>,
}

/// An input of a set operation.
#[derive(Clone, PartialEq, Debug)]
pub struct SetInput {
    /// The rows.
    pub plan: LogicalPlan,
    /// For each column of the result the column of `plan`, of the same type.
    pub columns: Vec<ColumnId>,
}

/// The set operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SetOperator {
    /// Rows of any input.
    Union,
    /// Rows of both inputs.
    Intersect,
    /// Rows of the first input that are not in the second.
    Except,
}

/// A plan that is computed once and may be read several times below `body`.
#[derive(Clone, PartialEq, Debug)]
pub struct With {
    /// Its id.
    pub cte: CteId,
    /// Its name.
    pub name: Arc<str>,
    /// Its rows.
    pub definition: LogicalPlan,
    /// The result.
    pub body: LogicalPlan,
}

/// A reading of a [`With`].
#[derive(Clone, PartialEq, Debug)]
pub struct CteScan {
    /// Of which.
    pub cte: CteId,
    /// What the statement calls it.
    pub alias: Arc<str>,
    /// Columns of the definition and what they are called here.
    pub columns: Vec<(ColumnId, ColumnId)>,
}

/// Locks rows for the transaction and passes them on.
#[derive(Clone, PartialEq, Debug)]
pub struct Lock {
    /// The rows.
    pub input: Box<LogicalPlan>,
    /// What is locked of each.
    pub targets: Vec<LockTarget>,
}

/// Rows of one table to lock.
#[derive(Clone, PartialEq, Debug)]
pub struct LockTarget {
    /// The table.
    pub table: Arc<TableEntry>,
    /// Row ids of it; nothing is locked where it is NULL.
    pub row_id: ColumnId,
    /// How strongly.
    pub strength: RowLock,
    /// What to do if another transaction has the row.
    pub wait: LockWait,
}

/// The strengths of row locks, the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowLock {
    /// `FOR UPDATE`
    Update,
    /// `FOR NO KEY UPDATE`
    NoKeyUpdate,
    /// `FOR SHARE`
    Share,
    /// `FOR KEY SHARE`
    KeyShare,
}

/// What to do about a row that another transaction has locked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockWait {
    /// Wait for it.
    Block,
    /// Leave the row out.
    SkipLocked,
    /// Fail with 55P03.
    NoWait,
}

/// Puts rows into a table. The output is [`output`](Self::output), one row for each row inserted or updated.
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    /// The table.
    pub table: Arc<TableEntry>,
    /// The rows.
    pub source: LogicalPlan,
    /// For each column of the table the column of `source`, of the column's type with its modifiers applied.
    pub values: Vec<ColumnId>,
    /// The row as stored, for checks and RETURNING: a column for each of the table.
    pub output: Vec<ColumnId>,
    /// What the stored row must satisfy, over `output`.
    pub checks: Vec<Check>,
    /// What to do about a row whose key is there; fail if absent.
    pub on_conflict: Option<OnConflict>,
}

/// A check constraint, bound.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// False is a violation; NULL is none.
    pub condition: Expr,
}

/// What to do about a row whose key is there.
#[derive(Clone, PartialEq, Debug)]
pub struct OnConflict {
    /// The unique indexes that count; all if empty.
    pub arbiters: Vec<ObjectId>,
    /// What to do; nothing if absent.
    pub update: Option<ConflictUpdate>,
}

/// `DO UPDATE SET .. WHERE ..`. Expressions read the row that is there as `existing`, the one that was to be inserted as
/// [`Insert::values`].
#[derive(Clone, PartialEq, Debug)]
pub struct ConflictUpdate {
    /// The row that is there: a column for each of the table.
    pub existing: Vec<ColumnId>,
    /// Columns of the table and their new values.
    pub assignments: Vec<(u16, Expr)>,
    /// The row is updated if all are true, else left alone.
    pub conditions: Vec<Expr>,
}

/// Changes rows of a table. The output is [`output`](Self::output) and the columns of `source`, one row for each row
/// changed. A row that `source` has twice is changed once.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// The table.
    pub table: Arc<TableEntry>,
    /// The rows to change, joined with what their new values need.
    pub source: LogicalPlan,
    /// The row ids, in `source`.
    pub row_id: ColumnId,
    /// The old values, in `source`: a column for each of the table.
    pub old: Vec<ColumnId>,
    /// Columns of the table and their new values over `source`, of the column's type with its modifiers applied.
    pub assignments: Vec<(u16, Expr)>,
    /// The row as stored, for checks and RETURNING: a column for each of the table.
    pub output: Vec<ColumnId>,
    /// What the stored row must satisfy, over `output`.
    pub checks: Vec<Check>,
}

/// Removes rows of a table. The output is the columns of `source`, one row for each row removed.
#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    /// The table.
    pub table: Arc<TableEntry>,
    /// The rows to remove, perhaps joined with others.
    pub source: LogicalPlan,
    /// The row ids, in `source`.
    pub row_id: ColumnId,
}
