//! Physical plans: which operator does what, in which order, over columns by position.
//!
//! ```text
//!   Sort  [0 a, 1 count]              key column 1 of its input
//!   `- Aggregate  [0 a, 1 count]      keys column 0, count(*)
//!      `- TableScan t  [0 a]          filter b > 1 over the scanned columns
//! ```
//! An [`Expr::Column`] of a node reads the output columns of its input by position; the conditions of a join read the
//! columns of the left input followed by those of the right one. There are no outer columns: the optimizer has removed
//! correlation.
//!
//! Plans own all they need, so that they can be cached and shared by executions; tables and indexes are named by the
//! ids of their storage and looked up when an execution starts.
//!
//! 1. The columns of a node are those its `node` says, in that order, of those types.
//! 2. Keys that are compared, of joins and bounds of indexes, have types of one oid.
//! 3. Estimates are for choosing and for EXPLAIN; nothing is wrong if they are.

mod display;

use super::logical::{Check, CteId, LockWait, RowLock};
use crate::expr::Expr;
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::ids::ObjectId;
use crate::stack;
use crate::types::DataType;
use std::sync::Arc;

pub use display::Note;

/// An operator with its inputs.
#[derive(Clone, PartialEq, Debug)]
pub struct PhysicalPlan {
    /// What it does.
    pub node: PhysicalNode,
    /// The columns of its rows.
    pub columns: Vec<OutputColumn>,
    /// How many rows are expected.
    pub rows: f64,
}

impl Drop for PhysicalPlan {
    fn drop(&mut self) {
        // A cached plan is dropped wherever the last who knew it lets go.
        if !self.inputs().is_empty() {
            let node = std::mem::replace(&mut self.node, PhysicalNode::Input);
            stack::with_little(|| drop(node));
        }
    }
}

/// A column of an operator's rows.
#[derive(Clone, PartialEq, Debug)]
pub struct OutputColumn {
    /// As EXPLAIN and the client name it.
    pub name: Arc<str>,
    /// Its type.
    pub ty: DataType,
}

/// What an operator does.
#[derive(Clone, PartialEq, Debug)]
pub enum PhysicalNode {
    /// Rows of the statement itself: for each, an expression without columns for each column.
    Values(Vec<Vec<Expr>>),
    /// Rows that are given to the statement while it runs: those COPY reads.
    Input,
    /// The rows a series of numbers or times has.
    Series(Series),
    /// The rows of a table, in the order of their ids.
    TableScan(TableScan),
    /// Rows of a table that an index finds, in its order.
    IndexScan(IndexScan),
    /// The rows of a table that the engine makes up.
    VirtualScan(VirtualScan),
    /// Rows for which all conditions are true.
    Filter {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// The conditions.
        conditions: Vec<Expr>,
    },
    /// Computed columns.
    Project {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// The columns.
        exprs: Vec<Expr>,
    },
    /// Keys, then aggregates: one row for each different combination of keys, NULLs being equal; one row in all if
    /// there are no keys. Without aggregates: the different rows.
    Aggregate {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// The keys.
        keys: Vec<Expr>,
        /// The aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// The first of the neighbouring rows that are equal in `keys`.
    DistinctOn {
        /// The rows, sorted by the keys first.
        input: Box<PhysicalPlan>,
        /// The keys.
        keys: Vec<Expr>,
    },
    /// Rows in order.
    Sort {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// From the most significant to the least.
        keys: Vec<SortKey>,
    },
    /// The first rows of an order, in that order.
    TopK {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// The order.
        keys: Vec<SortKey>,
        /// How many, a `bigint` without columns; all if NULL.
        limit: Expr,
        /// How many to leave out before; none if absent or NULL.
        offset: Option<Expr>,
    },
    /// Some of the first rows.
    Limit {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// How many, a `bigint` without columns; all if absent or NULL.
        limit: Option<Expr>,
        /// How many to leave out before; none if absent or NULL.
        offset: Option<Expr>,
        /// `WITH TIES`: rows equal to the last one by these keys too. The input is sorted by them.
        ties: Option<Vec<SortKey>>,
    },
    /// Pairs of rows with equal keys.
    HashJoin(Box<HashJoin>),
    /// Pairs of rows, each tried.
    NestedLoopJoin(Box<NestedLoopJoin>),
    /// The rows of the left input, each with those that an index finds for it.
    IndexJoin(Box<IndexJoin>),
    /// The rows of all inputs, which have the same columns.
    Append(Vec<PhysicalPlan>),
    /// `INTERSECT` or `EXCEPT` of two inputs with the same columns.
    SetOperation(Box<SetOperation>),
    /// A plan that is computed once for several readings below `body`.
    With {
        /// Its id.
        cte: CteId,
        /// Its name.
        name: Arc<str>,
        /// Its rows.
        definition: Box<PhysicalPlan>,
        /// The result.
        body: Box<PhysicalPlan>,
    },
    /// A reading of it.
    CteScan {
        /// Of which.
        cte: CteId,
        /// What the statement calls it.
        alias: Arc<str>,
        /// The columns of the definition that are read.
        columns: Vec<usize>,
    },
    /// Locks rows and passes them on.
    Lock {
        /// The rows.
        input: Box<PhysicalPlan>,
        /// What is locked of each.
        targets: Vec<LockTarget>,
        /// No more rows are wanted than this, a `bigint` without columns.
        limit: Option<Expr>,
    },
    /// Puts rows into a table. The columns are the table's.
    Insert(Box<Insert>),
    /// Changes rows of a table. The columns are the table's, then those of the source.
    Update(Box<Update>),
    /// Removes rows of a table. The columns are those of the source.
    Delete(Box<Delete>),
}

/// A table as a plan names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableName {
    /// Its storage.
    pub storage: ObjectId,
    /// Its name.
    pub name: Arc<str>,
    /// What the statement calls it.
    pub alias: Arc<str>,
}

/// `generate_series(start, stop, step)`: no rows if one of them is NULL.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The first value; of the column's type.
    pub start: Expr,
    /// No value is beyond this one; of the column's type.
    pub stop: Expr,
    /// From one value to the next: of the column's type, an interval for times.
    pub step: Expr,
    /// A second column, `bigint`, counts the rows from 1.
    pub ordinality: bool,
}

/// The rows of a table, in the order of their ids.
#[derive(Clone, PartialEq, Debug)]
pub struct TableScan {
    /// The table.
    pub table: TableName,
    /// Its columns that are read, in order of the output.
    pub columns: Vec<u16>,
    /// A `bigint` column with the row ids comes after them.
    pub row_ids: bool,
    /// Bounds of the column that is the row id; their keys are expressions without columns of the column's type.
    pub bounds: Bounds,
    /// Conditions over the output.
    pub filters: Vec<Expr>,
    /// Filters that joins above make while the query runs: which, and the output column they apply to.
    pub runtime_filters: Vec<(RuntimeFilterId, usize)>,
    /// How many rows are expected to be read.
    pub scanned: f64,
}

/// A range of keys. NULL as a bound means no rows at all.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bounds {
    /// The first columns of the key equal these.
    pub equal: Vec<Expr>,
    /// The next column is at least this; more than this if not `inclusive`.
    pub lower: Option<Bound>,
    /// And at most this.
    pub upper: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, PartialEq, Debug)]
pub struct Bound {
    /// The value.
    pub value: Expr,
    /// It belongs to the range.
    pub inclusive: bool,
}

/// Rows of a table that an index finds, in its order. Rows whose key column is NULL are found only where no bound
/// stands on that column.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexScan {
    /// The table.
    pub table: TableName,
    /// The index's storage.
    pub index: ObjectId,
    /// Its name.
    pub index_name: Arc<str>,
    /// Columns of the table that are read, in order of the output.
    pub columns: Vec<u16>,
    /// A `bigint` column with the row ids comes after them.
    pub row_ids: bool,
    /// The keys; expressions without columns.
    pub bounds: Bounds,
    /// From the end of the range to its beginning.
    pub backward: bool,
    /// Conditions over the output.
    pub filters: Vec<Expr>,
}

/// The rows of a table that the engine makes up.
#[derive(Clone, PartialEq, Debug)]
pub struct VirtualScan {
    /// The table, by its id in the catalog.
    pub table: TableName,
    /// Its columns that are read, in order of the output.
    pub columns: Vec<u16>,
    /// Conditions over the output.
    pub filters: Vec<Expr>,
}

/// A filter made of the keys of a join's build side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuntimeFilterId(pub u32);

/// What comes of the matching pairs of a join.
#[derive(Clone, PartialEq, Debug)]
pub enum JoinType {
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
    /// Right rows with a match, once: columns of the right side. Only for hash joins.
    RightSemi,
    /// Right rows without a match: columns of the right side. Only for hash joins.
    RightAnti,
    /// As [`Left`](Self::Left), but a left row with two matches is an error (21000).
    Single,
    /// Every left row with one boolean column more; see [`Mark`].
    Mark(Mark),
}

impl JoinType {
    /// Whether the pairs themselves come out; otherwise rows of one side do, once.
    pub fn gives_pairs(&self) -> bool {
        match self {
            Self::Inner | Self::Left | Self::Right | Self::Full | Self::Single => true,
            Self::Semi | Self::Anti | Self::RightSemi | Self::RightAnti | Self::Mark(_) => false,
        }
    }
}

/// How a mark join decides.
#[derive(Clone, PartialEq, Debug)]
pub enum Mark {
    /// The OR, over the matches, of the AND of these: false without a match, true with one if empty.
    Test(Vec<Expr>),
    /// As `IN`: true if there is a match; NULL if there is none, but a right row and a NULL among its keys or the left
    /// row's; else false. Only for hash joins without further conditions.
    NullAware,
}

/// Pairs of rows with equal keys. The right input is kept in a hash table, the left one passes by.
#[derive(Clone, PartialEq, Debug)]
pub struct HashJoin {
    /// What comes of the pairs.
    pub kind: JoinType,
    /// The rows that look for matches.
    pub left: PhysicalPlan,
    /// The rows that are kept.
    pub right: PhysicalPlan,
    /// What must be equal; at least one.
    pub keys: Vec<JoinKey>,
    /// What else must be true of a pair, over the columns of both sides.
    pub conditions: Vec<Expr>,
    /// By column of both sides, whether it is read above; another may come out as NULL.
    pub reads: Vec<bool>,
    /// Filters made from the right keys, for scans of the left side: which key becomes which filter.
    pub runtime_filters: Vec<(usize, RuntimeFilterId)>,
}

/// A pair of expressions that must be equal.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinKey {
    /// Over the left columns.
    pub left: Expr,
    /// Over the right columns.
    pub right: Expr,
    /// NULLs are equal to each other.
    pub nulls_equal: bool,
}

/// Pairs of rows, each tried.
#[derive(Clone, PartialEq, Debug)]
pub struct NestedLoopJoin {
    /// What comes of the pairs.
    pub kind: JoinType,
    /// The rows that pass by.
    pub left: PhysicalPlan,
    /// The rows that are kept.
    pub right: PhysicalPlan,
    /// What must be true of a pair, over the columns of both sides; every pair matches if empty.
    pub conditions: Vec<Expr>,
}

/// The rows of the left input, each with those of a table that an index finds. Of the kinds those that need no look at
/// rows of the table without a match, and no mark.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexJoin {
    /// What comes of the pairs: inner, left, semi, anti or single.
    pub kind: JoinType,
    /// The rows that look for matches.
    pub left: PhysicalPlan,
    /// The table.
    pub table: TableName,
    /// The index; the table's row ids if absent.
    pub index: Option<(ObjectId, Arc<str>)>,
    /// Its first columns, over the left columns, of the columns' types.
    pub keys: Vec<Expr>,
    /// Columns of the table that are read, in order of the output.
    pub columns: Vec<u16>,
    /// A `bigint` column with the row ids comes after them.
    pub row_ids: bool,
    /// What must be true of a pair, over the left columns and those read.
    pub conditions: Vec<Expr>,
}

/// `INTERSECT` or `EXCEPT`.
#[derive(Clone, PartialEq, Debug)]
pub struct SetOperation {
    /// Rows of the left input that are in the right one; else those that are not.
    pub intersect: bool,
    /// Rows count as often as they occur.
    pub all: bool,
    /// The left input.
    pub left: PhysicalPlan,
    /// The right input.
    pub right: PhysicalPlan,
}

/// Rows of one table to lock.
#[derive(Clone, PartialEq, Debug)]
pub struct LockTarget {
    /// The table.
    pub table: TableName,
    /// The column with its row ids; nothing is locked where it is NULL.
    pub row_id: usize,
    /// How strongly.
    pub strength: RowLock,
    /// What to do if another transaction has the row.
    pub wait: LockWait,
}

/// Puts rows into a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    /// The table.
    pub table: TableName,
    /// The rows.
    pub source: PhysicalPlan,
    /// For each column of the table the column of the source, of the column's type with its modifiers applied.
    pub values: Vec<usize>,
    /// What the row must satisfy, over the table's columns.
    pub checks: Vec<Check>,
    /// What to do about a row whose key is there; fail if absent.
    pub on_conflict: Option<OnConflict>,
    /// Rows come out; otherwise they are only counted.
    pub returning: bool,
}

/// What to do about a row whose key is there.
#[derive(Clone, PartialEq, Debug)]
pub struct OnConflict {
    /// The unique indexes that count; all if empty. The id of the table's storage stands for a key that is the row id.
    pub arbiters: Vec<ObjectId>,
    /// What to do; nothing if absent.
    pub update: Option<ConflictUpdate>,
}

/// `DO UPDATE SET .. WHERE ..`: over the table's columns of the row that is there, then the columns of the source.
#[derive(Clone, PartialEq, Debug)]
pub struct ConflictUpdate {
    /// Columns of the table and their new values.
    pub assignments: Vec<(u16, Expr)>,
    /// The row is updated if all are true, else left alone.
    pub conditions: Vec<Expr>,
}

/// Changes rows of a table. A row that the source has twice is changed once.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// The table.
    pub table: TableName,
    /// The rows to change, joined with what their new values need.
    pub source: PhysicalPlan,
    /// The column of the source with the row ids.
    pub row_id: usize,
    /// For each column of the table the column of the source with its old value.
    pub old: Vec<usize>,
    /// Columns of the table and their new values over the source, of the column's type with its modifiers applied.
    pub assignments: Vec<(u16, Expr)>,
    /// What the row must satisfy, over the table's columns.
    pub checks: Vec<Check>,
    /// Rows come out; otherwise they are only counted.
    pub returning: bool,
}

/// Removes rows of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    /// The table.
    pub table: TableName,
    /// The rows to remove, perhaps joined with others.
    pub source: PhysicalPlan,
    /// The column of the source with the row ids.
    pub row_id: usize,
    /// Rows come out; otherwise they are only counted.
    pub returning: bool,
}

impl OutputColumn {
    /// A column.
    pub fn new(name: impl Into<Arc<str>>, ty: DataType) -> Self {
        Self { name: name.into(), ty }
    }
}

impl PhysicalPlan {
    /// A plan with one row and no columns.
    pub fn one_row() -> Self {
        Self { node: PhysicalNode::Values(vec![Vec::new()]), columns: Vec::new(), rows: 1.0 }
    }

    /// The types of its columns.
    pub fn types(&self) -> Vec<DataType> {
        self.columns.iter().map(|column| column.ty).collect()
    }

    /// Its inputs, in the order EXPLAIN lists them. Numbering a plan and its inputs, depth first, from 0 gives each
    /// node its number.
    pub fn inputs(&self) -> Vec<&Self> {
        match &self.node {
            PhysicalNode::Values(_)
            | PhysicalNode::Input
            | PhysicalNode::Series(_)
            | PhysicalNode::TableScan(_)
            | PhysicalNode::IndexScan(_)
            | PhysicalNode::VirtualScan(_)
            | PhysicalNode::CteScan { .. } => Vec::new(),
            PhysicalNode::Filter { input, .. }
            | PhysicalNode::Project { input, .. }
            | PhysicalNode::Aggregate { input, .. }
            | PhysicalNode::DistinctOn { input, .. }
            | PhysicalNode::Sort { input, .. }
            | PhysicalNode::TopK { input, .. }
            | PhysicalNode::Limit { input, .. }
            | PhysicalNode::Lock { input, .. } => vec![input],
            PhysicalNode::HashJoin(join) => vec![&join.left, &join.right],
            PhysicalNode::NestedLoopJoin(join) => vec![&join.left, &join.right],
            PhysicalNode::IndexJoin(join) => vec![&join.left],
            PhysicalNode::Append(inputs) => inputs.iter().collect(),
            PhysicalNode::SetOperation(operation) => vec![&operation.left, &operation.right],
            PhysicalNode::With { definition, body, .. } => vec![definition, body],
            PhysicalNode::Insert(insert) => vec![&insert.source],
            PhysicalNode::Update(update) => vec![&update.source],
            PhysicalNode::Delete(delete) => vec![&delete.source],
        }
    }

    /// How many nodes it has, itself included. Does not recurse.
    pub fn size(&self) -> usize {
        let mut size = 0;
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            size += 1;
            open.extend(node.inputs());
        }
        size
    }

    /// Whether running it changes or locks rows.
    pub fn writes(&self) -> bool {
        let itself = matches!(
            self.node,
            PhysicalNode::Insert(_)
                | PhysicalNode::Update(_)
                | PhysicalNode::Delete(_)
                | PhysicalNode::Lock { .. }
        );
        itself || self.inputs().into_iter().any(Self::writes)
    }
}
