//! What names mean in a part of a statement.
//!
//! A [`Level`] is one SELECT, or one INSERT, UPDATE or DELETE: what PostgreSQL calls a parse state. Queries inside it
//! have levels of their own above it on the binder's stack and see its names if they find none nearer.
//!
//! ```text
//!   levels: [ outer query | subquery in its WHERE | subquery in that one's SELECT ]
//!                                                    names are looked for from here to the left
//!   level:  entries   t1        t2        (t1 JOIN t2 USING (k))
//!           qualified yes       yes       no
//!           plain     no        no        yes: k, then the rest of t1, then the rest of t2
//! ```
//!
//! Every table and every join is an entry, in order of appearance; joining changes who may be seen how. Entries that
//! cannot be seen stay, for the hints of error messages.

use crate::catalog::TableEntry;
use crate::expr::Expr;
use crate::parser::ast::Position;
use crate::plan::logical::{ColumnId, ComputedAggregate, JoinKind, LogicalPlan};
use crate::types::DataType;
use std::sync::Arc;

/// A name and the value it stands for.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    /// The name.
    pub(super) name: Arc<str>,
    /// The value: a column, or what a join with USING makes of two.
    pub(super) expr: Expr,
    /// The type a client is told.
    pub(super) declared: DataType,
}

/// A table, subquery or join of FROM.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its name; a join may have none.
    pub(super) alias: Option<Arc<str>>,
    /// Whether the name was given with AS.
    pub(super) renamed: bool,
    /// The table, if it is one.
    pub(super) table: Option<Arc<TableEntry>>,
    /// It is a join, whose columns are those of its sides.
    pub(super) is_join: bool,
    /// Its columns.
    pub(super) columns: Vec<ScopeColumn>,
    /// The row id, for row locks and changes.
    pub(super) row_id: Option<ColumnId>,
    /// `alias.column` can be seen.
    pub(super) qualified: bool,
    /// `column` can be seen.
    pub(super) plain: bool,
    /// Seen only to be refused: the other side of a join that LATERAL cannot combine.
    pub(super) forbidden: bool,
}

impl Entry {
    /// The columns of that name.
    pub(super) fn named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e ScopeColumn> {
        self.columns.iter().filter(move |column| &*column.name == name)
    }
}

/// A subquery whose result an expression reads, to be joined to the plan that the expression's rows come from.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    /// How it is joined: single or mark.
    pub(super) kind: JoinKind,
    /// Its plan.
    pub(super) plan: LogicalPlan,
    /// Where it stands.
    pub(super) position: Position,
}

impl Attachment {
    /// The column that holds its result.
    pub(super) fn makes(&self, column: ColumnId) -> bool {
        match &self.kind {
            JoinKind::Mark { column: mark, .. } => *mark == column,
            _ => self.plan.columns().contains(&column),
        }
    }

    /// The plan with the subquery joined to it.
    pub(super) fn attach(self, left: LogicalPlan) -> LogicalPlan {
        super::join::join(self.kind, left, self.plan, Vec::new())
    }
}

/// The part of a query that is being bound, as far as it matters for what may stand there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clause {
    /// FROM itself: arguments of functions.
    FromFunction,
    /// ON of a join.
    JoinOn,
    /// WHERE
    Where,
    /// The result columns.
    Select,
    /// GROUP BY
    GroupBy,
    /// HAVING
    Having,
    /// ORDER BY
    OrderBy,
    /// DISTINCT ON
    DistinctOn,
    /// LIMIT
    Limit,
    /// OFFSET
    Offset,
    /// VALUES
    Values,
    /// SET of UPDATE
    UpdateSet,
    /// RETURNING
    Returning,
    /// The default of a column.
    Default,
    /// A check constraint.
    Check,
    /// WHERE of COPY.
    CopyWhere,
    /// The arguments of EXECUTE.
    Execute,
    /// FILTER of an aggregate.
    Filter,
}

impl Clause {
    /// As messages name it: `aggregate functions are not allowed in ..`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FromFunction => "functions in FROM",
            Self::JoinOn => "JOIN conditions",
            Self::Where => "WHERE",
            Self::Select => "SELECT",
            Self::GroupBy => "GROUP BY",
            Self::Having => "HAVING",
            Self::OrderBy => "ORDER BY",
            Self::DistinctOn => "DISTINCT ON",
            Self::Limit => "LIMIT",
            Self::Offset => "OFFSET",
            Self::Values => "VALUES",
            Self::UpdateSet => "UPDATE",
            Self::Returning => "RETURNING",
            Self::Default => "DEFAULT expressions",
            Self::Check => "check constraints",
            Self::CopyWhere => "COPY FROM WHERE conditions",
            Self::Execute => "EXECUTE parameters",
            Self::Filter => "FILTER",
        }
    }

    /// As other messages name it: `cannot use subquery in ..`.
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT expression",
            Self::Check => "check constraint",
            Self::CopyWhere => "COPY FROM WHERE condition",
            Self::Execute => "EXECUTE parameter",
            other => other.name(),
        }
    }

    /// Whether aggregates of the level may stand here.
    pub(super) fn allows_aggregates(self) -> bool {
        matches!(self, Self::Select | Self::Having | Self::OrderBy | Self::DistinctOn)
    }

    /// Whether subqueries may stand here.
    pub(super) fn allows_subqueries(self) -> bool {
        !matches!(self, Self::Default | Self::Check | Self::CopyWhere | Self::Execute)
    }
}

/// A column that was read, for the position of a later complaint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// The column.
    pub(super) id: ColumnId,
    /// Where it was read.
    pub(super) position: Position,
}

/// The names and the state of one query.
#[derive(Debug)]
pub(super) struct Level {
    /// Tables, subqueries and joins.
    pub(super) entries: Vec<Entry>,
    /// What is being bound.
    pub(super) clause: Clause,
    /// Names of this level cannot be seen: a subquery in FROM without LATERAL is being bound.
    pub(super) hidden: bool,
    /// Entries before this one cannot be seen: the condition of a join is being bound.
    pub(super) visible_from: usize,
    /// Scans of this level have row ids, for locks and changes.
    pub(super) row_ids: bool,
    /// The aggregates found so far.
    pub(super) aggregates: Vec<ComputedAggregate>,
    /// Where the first aggregate or HAVING stood, if there is one.
    pub(super) aggregated: bool,
    /// Subqueries that the expression being bound reads.
    pub(super) attachments: Vec<Attachment>,
    /// Subqueries that arguments of aggregates read.
    pub(super) inner_attachments: Vec<Attachment>,
    /// Columns of this level that were read outside its aggregates.
    pub(super) uses: Vec<Use>,
}

impl Level {
    /// A level without names.
    pub(super) fn new(clause: Clause) -> Self {
        Self {
            entries: Vec::new(),
            clause,
            hidden: false,
            visible_from: 0,
            row_ids: false,
            aggregates: Vec::new(),
            aggregated: false,
            attachments: Vec::new(),
            inner_attachments: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// Joins the subqueries that were found since to a plan.
    pub(super) fn attach(&mut self, plan: LogicalPlan) -> LogicalPlan {
        std::mem::take(&mut self.attachments).into_iter().fold(plan, |plan, subquery| subquery.attach(plan))
    }

    /// Where a column was first read.
    pub(super) fn first_use(&self, id: ColumnId) -> Option<Position> {
        self.uses.iter().find(|used| used.id == id).map(|used| used.position)
    }

    /// The entries that are not out of sight as a whole.
    pub(super) fn visible(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().skip(self.visible_from)
    }
}
