//! INSERT, UPDATE, DELETE.

use super::{
    expr::Expr,
    name::{Ident, ObjectName, Position},
    query::{Query, SelectItem, TableRef, With},
};

/// `INSERT INTO t [AS a] [(columns)] source [ON CONFLICT ..] [RETURNING ..]`
#[derive(Clone, PartialEq, Debug)]
pub struct Insert {
    /// `WITH ..` before INSERT.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// Its name within the statement.
    pub alias: Option<Ident>,
    /// The columns given; all, in order, if empty.
    pub columns: Vec<Ident>,
    /// The rows.
    pub source: InsertSource,
    /// What to do about a row that is there already.
    pub on_conflict: Option<OnConflict>,
    /// `RETURNING`; empty if absent.
    pub returning: Vec<SelectItem>,
    /// Where it starts.
    pub position: Position,
}

/// The rows to insert.
#[derive(Clone, PartialEq, Debug)]
pub enum InsertSource {
    /// `DEFAULT VALUES`: one row of defaults.
    Defaults,
    /// A query, whose body is `VALUES` in the usual case; there a value may be [`super::ExprKind::Default`].
    Query(Box<Query>),
}

/// `ON CONFLICT [(columns)] DO ..`
#[derive(Clone, PartialEq, Debug)]
pub struct OnConflict {
    /// The columns of the unique index that decides; any if empty and no constraint is named.
    pub columns: Vec<Ident>,
    /// `ON CONSTRAINT name`
    pub constraint: Option<Ident>,
    /// `DO UPDATE SET ..`; `DO NOTHING` if empty.
    pub assignments: Vec<Assignment>,
    /// `DO UPDATE .. WHERE ..`
    pub filter: Option<Expr>,
    /// Where it starts.
    pub position: Position,
}

/// `UPDATE t [AS a] SET .. [FROM ..] [WHERE ..] [RETURNING ..]`
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// `WITH ..` before UPDATE.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// Its name within the statement.
    pub alias: Option<Ident>,
    /// `SET`; never empty.
    pub assignments: Vec<Assignment>,
    /// Further tables to join with.
    pub from: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`; empty if absent.
    pub returning: Vec<SelectItem>,
    /// Where it starts.
    pub position: Position,
}

/// One assignment of SET.
#[derive(Clone, PartialEq, Debug)]
pub enum Assignment {
    /// `column = value`; the value may be [`super::ExprKind::Default`].
    Column {
        /// The target.
        column: Ident,
        /// The new value.
        value: Expr,
    },
    /// `(a, b) = (x, y)`, `= ROW(x, y)` or `= (SELECT ..)`: the value is a row or a subquery.
    Columns {
        /// The targets.
        columns: Vec<Ident>,
        /// The new values.
        value: Expr,
    },
}

/// `DELETE FROM t [AS a] [USING ..] [WHERE ..] [RETURNING ..]`
#[derive(Clone, PartialEq, Debug)]
pub struct Delete {
    /// `WITH ..` before DELETE.
    pub with: Option<With>,
    /// The table.
    pub table: ObjectName,
    /// Its name within the statement.
    pub alias: Option<Ident>,
    /// Further tables to join with.
    pub using: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`; empty if absent.
    pub returning: Vec<SelectItem>,
    /// Where it starts.
    pub position: Position,
}
