//! Transaction control, settings, prepared statements, COPY, EXPLAIN and maintenance.

use super::{
    expr::Expr,
    name::{Ident, ObjectName, Position},
    query::Query,
    statement::{Parameters, StatementKind},
    type_name::TypeName,
};

/// The isolation levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsolationLevel {
    /// `READ UNCOMMITTED`, which behaves as the next one.
    ReadUncommitted,
    /// `READ COMMITTED`
    ReadCommitted,
    /// `REPEATABLE READ`
    RepeatableRead,
    /// `SERIALIZABLE`
    Serializable,
}

/// Whether a transaction may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessMode {
    /// `READ ONLY`
    ReadOnly,
    /// `READ WRITE`
    ReadWrite,
}

/// What BEGIN and SET TRANSACTION say; a part not given keeps its default.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TransactionModes {
    /// `ISOLATION LEVEL ..`
    pub isolation: Option<IsolationLevel>,
    /// `READ ONLY | WRITE`
    pub access: Option<AccessMode>,
    /// `[NOT] DEFERRABLE`
    pub deferrable: Option<bool>,
}

/// `BEGIN` or `START TRANSACTION`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begin {
    /// How.
    pub modes: TransactionModes,
    /// Written `START TRANSACTION`, which decides the command tag.
    pub start: bool,
}

/// `SET [SESSION | LOCAL] name = value`
#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    /// For how long.
    pub scope: SetScope,
    /// The setting.
    pub name: SettingName,
    /// The new values; none for `DEFAULT`.
    pub values: Option<Vec<SetValue>>,
}

/// For how long a setting holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetScope {
    /// For the session; the default.
    Session,
    /// For the transaction.
    Local,
}

/// A setting's name, with dots if it has any. `TIME ZONE` is `timezone`, `NAMES` is `client_encoding`,
/// `SESSION CHARACTERISTICS` has no name of its own, see [`StatementKind::SetCharacteristics`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingName {
    /// The folded name.
    pub name: String,
    /// Where it starts.
    pub position: Position,
}

/// One value of SET.
#[derive(Clone, PartialEq, Debug)]
pub struct SetValue {
    /// A word, a string's text, or a number as written with its sign.
    pub text: String,
    /// It was a string in quotes.
    pub quoted: bool,
    /// Where it starts.
    pub position: Position,
}

/// `PREPARE name [(types)] AS statement`
#[derive(Clone, PartialEq, Debug)]
pub struct Prepare {
    /// Its name.
    pub name: Ident,
    /// The types of the first parameters.
    pub types: Vec<TypeName>,
    /// A query, INSERT, UPDATE or DELETE.
    pub statement: Box<StatementKind>,
    /// The parameters of that statement; the one that prepares it has none.
    pub parameters: Parameters,
    /// That statement's text.
    pub text: String,
}

/// `EXECUTE name [(values)]`
#[derive(Clone, PartialEq, Debug)]
pub struct Execute {
    /// The prepared statement.
    pub name: Ident,
    /// Its parameters.
    pub arguments: Vec<Expr>,
}

/// `DEALLOCATE [PREPARE] name | ALL`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deallocate {
    /// All of them.
    All,
    /// One.
    Name(Ident),
}

/// `EXPLAIN [ANALYZE] [VERBOSE] statement`, `EXPLAIN (options) statement`
#[derive(Clone, PartialEq, Debug)]
pub struct Explain {
    /// Run it and show what happened.
    pub analyze: bool,
    /// Show more.
    pub verbose: bool,
    /// Show costs; on unless switched off.
    pub costs: bool,
    /// Show buffer use; only with ANALYZE unless given.
    pub buffers: Option<bool>,
    /// Show log use.
    pub wal: bool,
    /// Show times of nodes; only with ANALYZE unless given.
    pub timing: Option<bool>,
    /// Show totals; only with ANALYZE unless given.
    pub summary: Option<bool>,
    /// Show changed settings.
    pub settings: bool,
    /// How to print it.
    pub format: ExplainFormat,
    /// What to explain.
    pub statement: Box<StatementKind>,
}

/// The output formats of EXPLAIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExplainFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For programs.
    Xml,
    /// For programs.
    Yaml,
}

/// `COPY source FROM | TO target [WITH] (options) [WHERE ..]`
#[derive(Clone, PartialEq, Debug)]
pub struct Copy {
    /// What is read or written in the database.
    pub source: CopySource,
    /// Which way.
    pub direction: CopyDirection,
    /// What is read or written outside.
    pub target: CopyTarget,
    /// How.
    pub options: CopyOptions,
    /// Rows to keep when reading in.
    pub filter: Option<Expr>,
    /// Where it starts.
    pub position: Position,
}

/// The database's side of COPY.
#[derive(Clone, PartialEq, Debug)]
pub enum CopySource {
    /// `t [(columns)]`
    Table {
        /// The table.
        name: ObjectName,
        /// The columns; all if empty.
        columns: Vec<Ident>,
    },
    /// `(query)`, TO only.
    Query(Box<Query>),
}

/// Which way COPY goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyDirection {
    /// Into the table.
    From,
    /// Out of it.
    To,
}

/// The other side of COPY.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CopyTarget {
    /// A file on the engine's machine.
    File(String),
    /// `STDIN` or `STDOUT`: the client.
    Client,
    /// `PROGRAM 'command'`, which is refused later for reasons of safety.
    Program(String),
}

/// The options of COPY; absent ones depend on the format.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CopyOptions {
    /// `FORMAT`
    pub format: CopyFormat,
    /// `HEADER`
    pub header: CopyHeader,
    /// `DELIMITER`: a tab, in CSV a comma.
    pub delimiter: Option<String>,
    /// `NULL`: `\N`, in CSV nothing.
    pub null: Option<String>,
    /// `DEFAULT`: text that stands for the column's default.
    pub default: Option<String>,
    /// `QUOTE`: `"`
    pub quote: Option<String>,
    /// `ESCAPE`: the quote.
    pub escape: Option<String>,
    /// `ENCODING`
    pub encoding: Option<String>,
    /// `FREEZE`
    pub freeze: bool,
    /// `FORCE_QUOTE (columns)`: always quoted when written.
    pub force_quote: CopyColumns,
    /// `FORCE_NOT_NULL (columns)`: never NULL when read.
    pub force_not_null: CopyColumns,
    /// `FORCE_NULL (columns)`: NULL even when quoted.
    pub force_null: CopyColumns,
}

/// The formats of COPY.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum CopyFormat {
    /// PostgreSQL's tab-separated text.
    #[default]
    Text,
    /// Comma-separated values.
    Csv,
    /// PostgreSQL's binary format.
    Binary,
    /// Apache Parquet.
    Parquet,
}

/// Whether COPY's first line holds names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum CopyHeader {
    /// It does not.
    #[default]
    Absent,
    /// It does.
    Present,
    /// It does, and they must be the columns' when read.
    Match,
}

/// The columns an option of COPY is for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum CopyColumns {
    /// No column.
    #[default]
    None,
    /// `*`
    All,
    /// These.
    These(Vec<Ident>),
}

/// `ANALYZE [VERBOSE] [table [(columns)], ..]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Analyze {
    /// Say what is done.
    pub verbose: bool,
    /// The tables and their columns; all tables if empty, all columns if a list is empty.
    pub tables: Vec<(ObjectName, Vec<Ident>)>,
}

/// `VACUUM [(options)] [table [(columns)], ..]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vacuum {
    /// How.
    pub options: VacuumOptions,
    /// The tables and their columns to analyze; all tables if empty.
    pub tables: Vec<(ObjectName, Vec<Ident>)>,
}

/// The options of VACUUM; those without a meaning here are checked and forgotten.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct VacuumOptions {
    /// Rewrite the table.
    pub full: bool,
    /// Freeze rows into groups whatever their age.
    pub freeze: bool,
    /// Say what is done.
    pub verbose: bool,
    /// Collect statistics too.
    pub analyze: bool,
}
