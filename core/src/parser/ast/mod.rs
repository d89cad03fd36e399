//! The syntax tree: what a statement says, before any name in it has been looked up.
//!
//! ```text
//! Statement
//!   kind: StatementKind -- Query -- QueryBody -- Select -- TableRef, SelectItem
//!   parameters              |                       +----- Expr (one struct: position + ExprKind)
//!   range                   +-- Insert, Update, Delete, CreateTable, Copy, Begin, ...
//! ```
//!
//! The tree follows PostgreSQL's own raw parse tree: special syntax that PostgreSQL's grammar turns into a
//! function call (`EXTRACT`, `SUBSTRING .. FROM`, `TRIM`, `POSITION`, `OVERLAY`, `AT TIME ZONE`) is a function
//! call here too, with PostgreSQL's names; type names are those of `pg_type` (`int` is `int4`).
//!
//! 1. A name is folded: lower case unless it was quoted, at most 63 bytes.
//! 2. A [`Position`] counts characters from 1 in the text that was given to the parser, as PostgreSQL counts
//!    in error messages, so it can be handed to [`crate::Error::at`] as it is.
//! 3. The depth of a tree is bounded by [`crate::parser::MAX_DEPTH`]: a recursive walk is safe. Long flat chains
//!    (`a OR b OR ...`, `1 + 2 + ...`, `SELECT .. UNION SELECT ..`, `a JOIN b JOIN ..`) are vectors, not deep trees.
//! 4. Nothing in the tree comes from the SQL library underneath; it can be replaced without touching readers.

mod ddl;
mod dml;
mod expr;
mod name;
mod query;
mod statement;
mod type_name;
mod utility;

pub use ddl::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CreateIndex, CreateTable, CreateTableAs,
    DropBehavior, DropObjects, ExprText, IndexColumn, TableConstraint, TableConstraintKind, Truncate,
};
pub use dml::{Assignment, Delete, Insert, InsertSource, OnConflict, Update};
pub use expr::{
    Argument, BinaryOperation, CaseBranch, CastSyntax, Expr, ExprKind, FrameBound, FrameUnits, FunctionCall,
    IsTest, Literal, PatternKind, QuantifiedOperand, Quantifier, SessionValue, WindowDefinition, WindowFrame,
};
pub use name::{Ident, ObjectName, Position};
pub use query::{
    Alias, CommonTable, Distinct, GroupBy, Join, JoinCondition, JoinKind, LockClause, LockStrength, LockWait,
    NamedWindow, NullsOrder, Query, QueryBody, Select, SelectItem, SetOperation, SetOperator, SortItem,
    TableRef, With,
};
pub use statement::{Parameters, Statement, StatementKind};
pub use type_name::{IntervalFields, TypeName};
pub use utility::{
    AccessMode, Analyze, Begin, Copy, CopyColumns, CopyDirection, CopyFormat, CopyHeader, CopyOptions,
    CopySource, CopyTarget, Deallocate, Execute, Explain, ExplainFormat, IsolationLevel, Prepare, Set,
    SetScope, SetValue, SettingName, TransactionModes, Vacuum, VacuumOptions,
};
