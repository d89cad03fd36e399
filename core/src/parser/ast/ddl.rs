//! Statements that make, empty and remove tables and indexes.

use super::{
    expr::Expr,
    name::{Ident, ObjectName, Position},
    query::{Query, SortItem},
    type_name::TypeName,
};

/// `CREATE TABLE [IF NOT EXISTS] t (..)`
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: ObjectName,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// The columns; may be empty.
    pub columns: Vec<ColumnDefinition>,
    /// Constraints that stand on their own.
    pub constraints: Vec<TableConstraint>,
}

/// `CREATE TABLE [IF NOT EXISTS] t [(columns)] AS query [WITH [NO] DATA]`
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTableAs {
    /// Its name.
    pub name: ObjectName,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// New names of the columns; may be fewer than there are.
    pub columns: Vec<Ident>,
    /// What it holds.
    pub query: Box<Query>,
    /// False for `WITH NO DATA`.
    pub with_data: bool,
}

/// A column and what is said about it.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub data_type: TypeName,
    /// `COLLATE c`
    pub collation: Option<ObjectName>,
    /// In order.
    pub constraints: Vec<ColumnConstraint>,
}

/// `[CONSTRAINT name] kind` of a column.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnConstraint {
    /// Its name, if given.
    pub name: Option<Ident>,
    /// What it demands.
    pub kind: ColumnConstraintKind,
    /// Where it starts.
    pub position: Position,
}

/// What a column's constraint demands.
#[derive(Clone, PartialEq, Debug)]
pub enum ColumnConstraintKind {
    /// `NOT NULL`
    NotNull,
    /// `NULL`: nothing, but it contradicts `NOT NULL`.
    Null,
    /// `DEFAULT expr`
    Default(ExprText),
    /// `PRIMARY KEY`
    PrimaryKey,
    /// `UNIQUE [NULLS NOT DISTINCT]`
    Unique {
        /// NULLs are equal to each other.
        nulls_not_distinct: bool,
    },
    /// `CHECK (expr)`
    Check(ExprText),
}

/// `[CONSTRAINT name] kind` of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableConstraint {
    /// Its name, if given.
    pub name: Option<Ident>,
    /// What it demands.
    pub kind: TableConstraintKind,
    /// Where it starts.
    pub position: Position,
}

/// What a table's constraint demands.
#[derive(Clone, PartialEq, Debug)]
pub enum TableConstraintKind {
    /// `PRIMARY KEY (columns)`
    PrimaryKey(Vec<Ident>),
    /// `UNIQUE [NULLS NOT DISTINCT] (columns)`
    Unique {
        /// The columns.
        columns: Vec<Ident>,
        /// NULLs are equal to each other.
        nulls_not_distinct: bool,
    },
    /// `CHECK (expr)`
    Check(ExprText),
}

/// An expression that the catalog keeps as text, with that text.
#[derive(Clone, PartialEq, Debug)]
pub struct ExprText {
    /// Parsed.
    pub expr: Expr,
    /// As written, without the parentheses that belong to the clause.
    pub text: String,
}

/// `DROP TABLE | INDEX [IF EXISTS] a, b [CASCADE | RESTRICT]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DropObjects {
    /// What to drop; never empty.
    pub names: Vec<ObjectName>,
    /// `IF EXISTS`
    pub if_exists: bool,
    /// What to do about dependent objects.
    pub behavior: DropBehavior,
}

/// What to do about objects that depend on a dropped one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropBehavior {
    /// Refuse; the default.
    Restrict,
    /// Drop them too.
    Cascade,
}

/// `CREATE [UNIQUE] INDEX [IF NOT EXISTS] [name] ON t (..)`
#[derive(Clone, PartialEq, Debug)]
pub struct CreateIndex {
    /// Its name; made up from the table's and columns' if absent.
    pub name: Option<Ident>,
    /// `UNIQUE`
    pub unique: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// The table.
    pub table: ObjectName,
    /// The keys; never empty.
    pub columns: Vec<IndexColumn>,
    /// `INCLUDE (columns)`
    pub include: Vec<Ident>,
    /// `NULLS NOT DISTINCT`
    pub nulls_not_distinct: bool,
    /// `WHERE predicate`
    pub filter: Option<ExprText>,
}

/// A key of an index: a column, or an expression in parentheses.
#[derive(Clone, PartialEq, Debug)]
pub struct IndexColumn {
    /// The key and its order; a plain column is [`super::ExprKind::Column`] with one name.
    pub item: SortItem,
    /// The key as written.
    pub text: String,
}

/// `TRUNCATE [TABLE] a, b [RESTART IDENTITY | CONTINUE IDENTITY] [CASCADE | RESTRICT]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Truncate {
    /// The tables; never empty.
    pub tables: Vec<ObjectName>,
    /// `RESTART IDENTITY`
    pub restart_identity: bool,
    /// What to do about dependent tables.
    pub behavior: DropBehavior,
}
