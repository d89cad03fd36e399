//! Errors of names, types and clauses: what a statement of right syntax can still get wrong.
//!
//! The words are PostgreSQL's, so that a program, or a person, who knows them need not learn others. Each variant has
//! its SQLSTATE in `codes.rs`.
//!
//! 1. A variant carries what its message shows and what a program may ask for, never a finished sentence.
//! 2. Positions are added by the binder, which knows where the name or clause stands.
//! 3. None of these errors is worth trying again: the statement itself is wrong.

mod codes;

use codes::shown;

/// What can be wrong with the meaning of a statement.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// A column that is not there.
    #[error("column {} does not exist", shown(table.as_deref(), name))]
    UndefinedColumn {
        /// The table.
        table: Option<String>,
        /// As written.
        name: String,
    },
    /// A name that several columns have.
    #[error("column reference \"{name}\" is ambiguous")]
    AmbiguousColumn {
        /// As written.
        name: String,
    },
    /// A name that several tables of one query have.
    #[error("table reference \"{name}\" is ambiguous")]
    AmbiguousTable {
        /// As written.
        name: String,
    },
    /// Two tables of one query with one name.
    #[error("table name \"{name}\" specified more than once")]
    DuplicateAlias {
        /// As written.
        name: String,
    },
    /// A qualified column of a table that FROM does not have.
    #[error("missing FROM-clause entry for table \"{name}\"")]
    MissingTableEntry {
        /// As written.
        name: String,
    },
    /// A qualified column of a table that cannot be seen where it stands.
    #[error("invalid reference to FROM-clause entry for table \"{name}\"")]
    InvalidTableReference {
        /// As written.
        name: String,
    },
    /// A qualified column of the side that LATERAL cannot combine.
    #[error("invalid reference to FROM-clause entry for table \"{name}\"")]
    InvalidLateral {
        /// As written.
        name: String,
    },
    /// A name of another database.
    #[error("cross-database references are not implemented: {name}")]
    CrossDatabaseReference {
        /// As written.
        name: String,
    },
    /// Something other than a table that is not there.
    #[error("{kind} \"{name}\" does not exist")]
    UndefinedObject {
        /// What kind of thing.
        kind: &'static str,
        /// As written.
        name: String,
    },
    /// A table to drop that is not there.
    #[error("table \"{name}\" does not exist")]
    UndefinedNamedTable {
        /// As written.
        name: String,
    },
    /// A schema that is not there.
    #[error("schema \"{name}\" does not exist")]
    UndefinedSchema {
        /// As written.
        name: String,
    },
    /// A type that nobody has.
    #[error("type \"{name}\" does not exist")]
    UndefinedType {
        /// As written.
        name: String,
    },
    /// A collation that is not there.
    #[error("collation \"{name}\" for encoding \"UTF8\" does not exist")]
    UndefinedCollation {
        /// As written.
        name: String,
    },
    /// A constraint that the table does not have.
    #[error("constraint \"{name}\" for table \"{table}\" does not exist")]
    UndefinedConstraint {
        /// As written.
        name: String,
        /// The table.
        table: String,
    },
    /// A name that stands for something else than it should.
    #[error("\"{name}\" is not {expected}")]
    WrongObject {
        /// As written.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// An index where a table should be.
    #[error("\"{name}\" is an index")]
    IsIndex {
        /// As written.
        name: String,
    },
    /// A change of a system table.
    #[error("permission denied: \"{name}\" is a system catalog")]
    SystemTable {
        /// As written.
        name: String,
    },
    /// A table in a schema of the system.
    #[error("permission denied to create \"{name}\"")]
    CannotCreate {
        /// As written.
        name: String,
    },
    /// A subquery in FROM without a name.
    #[error("subquery in FROM must have an alias")]
    SubqueryWithoutAlias,
    /// VALUES in FROM without a name.
    #[error("VALUES in FROM must have an alias")]
    ValuesWithoutAlias,
    /// More names than columns.
    #[error("table \"{table}\" has {available} columns available but {given} columns specified")]
    TooManyAliases {
        /// The table.
        table: String,
        /// What there is.
        available: usize,
        /// What was given.
        given: usize,
    },
    /// More names than columns of a join.
    #[error("join expression \"{join}\" has {available} columns available but {given} columns specified")]
    TooManyJoinAliases {
        /// The join's name.
        join: String,
        /// What there is.
        available: usize,
        /// What was given.
        given: usize,
    },
    /// More names than columns of a table of WITH.
    #[error("WITH query \"{table}\" has {available} columns available but {given} columns specified")]
    TooManyCteColumns {
        /// The table.
        table: String,
        /// What there is.
        available: usize,
        /// What was given.
        given: usize,
    },
    /// Two tables of WITH with one name.
    #[error("WITH query name \"{name}\" specified more than once")]
    DuplicateCte {
        /// As written.
        name: String,
    },
    /// A column twice in USING.
    #[error("column name \"{name}\" appears more than once in USING clause")]
    DuplicateUsing {
        /// As written.
        name: String,
    },
    /// A column of USING that a side has twice.
    #[error("common column name \"{name}\" appears more than once in {side} table")]
    AmbiguousUsing {
        /// As written.
        name: String,
        /// `left` or `right`.
        side: &'static str,
    },
    /// A column of USING that a side does not have.
    #[error("column \"{name}\" specified in USING clause does not exist in {side} table")]
    UndefinedUsing {
        /// As written.
        name: String,
        /// `left` or `right`.
        side: &'static str,
    },
    /// A star without FROM.
    #[error("SELECT * with no tables specified is not valid")]
    StarWithoutTables,
    /// A length of a type that has none.
    #[error("type modifier is not allowed for type \"{ty}\"")]
    TypeModifierNotAllowed {
        /// The type.
        ty: &'static str,
    },
    /// More modifiers than the type takes.
    #[error("invalid {ty} type modifier")]
    InvalidTypeModifier {
        /// The type.
        ty: &'static str,
    },
    /// A precision that no decimal has.
    #[error("NUMERIC precision {precision} must be between 1 and 1000")]
    PrecisionOutOfRange {
        /// The number.
        precision: i64,
    },
    /// A scale that no decimal has.
    #[error("NUMERIC scale {scale} must be between -1000 and 1000")]
    ScaleOutOfRange {
        /// The number.
        scale: i64,
    },
    /// A string type of length zero.
    #[error("length for type {ty} must be at least 1")]
    LengthTooSmall {
        /// The type.
        ty: &'static str,
    },
    /// A string type over the limit.
    #[error("length for type {ty} cannot exceed {limit}")]
    LengthTooLarge {
        /// The type.
        ty: &'static str,
        /// The limit.
        limit: i64,
    },
    /// A collation of something else than text.
    #[error("collations are not supported by type {ty}")]
    NoCollation {
        /// The type.
        ty: &'static str,
    },
    /// A value of another type than its place asks for.
    #[error("argument of {construct} must be type {expected}, not type {found}")]
    WrongType {
        /// What asks for it.
        construct: &'static str,
        /// What it should be.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// An operator of ANY or ALL that gives no truth value.
    #[error("op ANY/ALL requires operator to yield boolean")]
    NotBooleanOperator {
        /// The operator.
        operator: String,
    },
    /// A value that its column cannot store.
    #[error("column \"{column}\" is of type {column_type} but expression is of type {found}")]
    ColumnTypeMismatch {
        /// The column.
        column: String,
        /// The column's type.
        column_type: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A default that its column cannot store.
    #[error("column \"{column}\" is of type {column_type} but default expression is of type {found}")]
    DefaultTypeMismatch {
        /// The column.
        column: String,
        /// The column's type.
        column_type: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A parameter that is used as two types.
    #[error("inconsistent types deduced for parameter ${number}")]
    AmbiguousParameter {
        /// The number.
        number: u32,
    },
    /// A parameter whose type nothing tells.
    #[error("could not determine data type of parameter ${number}")]
    IndeterminateParameter {
        /// The number.
        number: usize,
    },
    /// More or fewer values than parameters.
    #[error("wrong number of parameters for prepared statement \"{name}\"")]
    ArgumentCount {
        /// As written.
        name: String,
    },
    /// A value that its parameter cannot take.
    #[error("parameter ${number} of type {found} cannot be coerced to the expected type {expected}")]
    ArgumentType {
        /// The number.
        number: u32,
        /// The type it has.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// An aggregate where there are no groups yet.
    #[error("aggregate functions are not allowed in {clause}")]
    AggregateNotAllowed {
        /// The clause, in the message's words.
        clause: &'static str,
    },
    /// An aggregate of an aggregate.
    #[error("aggregate function calls cannot be nested")]
    NestedAggregate,
    /// A column with several values in a group.
    #[error("column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function")]
    Ungrouped {
        /// The column.
        column: String,
    },
    /// A column with several values in a group, read by a subquery above the groups.
    #[error("subquery uses ungrouped column \"{column}\" from outer query")]
    UngroupedInSubquery {
        /// The column.
        column: String,
    },
    /// `count()`
    #[error("{name}(*) must be used to call a parameterless aggregate function")]
    AggregateWithoutArguments {
        /// As written.
        name: String,
    },
    /// Something only aggregates take.
    #[error("{modifier} specified, but {name} is not an aggregate function")]
    NotAggregate {
        /// What was specified.
        modifier: &'static str,
        /// As written.
        name: String,
    },
    /// A star only aggregates take.
    #[error("{name}(*) specified, but {name} is not an aggregate function")]
    StarNotAggregate {
        /// As written.
        name: String,
    },
    /// An order of different values by something else.
    #[error("in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")]
    DistinctAggregateOrder,
    /// A call over the limit.
    #[error("cannot pass more than {limit} arguments to a function")]
    TooManyArguments {
        /// The limit.
        limit: usize,
    },
    /// A result over the limit.
    #[error("target lists can have at most {limit} entries")]
    TooManyTargets {
        /// The limit.
        limit: usize,
    },
    /// A statement over the limit.
    #[error("statement is too complex: more than {limit} joins, subqueries and set operations")]
    TooComplex {
        /// The limit.
        limit: usize,
    },
    /// A subquery where no plan is.
    #[error("cannot use subquery in {clause}")]
    SubqueryNotAllowed {
        /// The clause, in the message's words.
        clause: &'static str,
    },
    /// A column where no row is.
    #[error("cannot use column reference in {clause}")]
    ColumnNotAllowed {
        /// The clause, in the message's words.
        clause: &'static str,
    },
    /// A value of several columns.
    #[error("subquery must return only one column")]
    SubqueryColumns,
    /// A value of several rows.
    #[error("more than one row returned by a subquery used as an expression")]
    SubqueryRows,
    /// A row compared with one of another length.
    #[error("subquery has too {} columns", if *too_many { "many" } else { "few" })]
    SubqueryWidth {
        /// The subquery has too many, rather than too few.
        too_many: bool,
    },
    /// Rows of different lengths.
    #[error("unequal number of entries in row expressions")]
    RowLengths,
    /// Rows without fields.
    #[error("cannot compare rows of zero length")]
    EmptyRows,
    /// An operator that rows do not have.
    #[error("could not determine interpretation of row comparison operator {operator}")]
    RowOperator {
        /// The operator.
        operator: String,
    },
    /// A key by a name that several result columns have.
    #[error("{clause} \"{name}\" is ambiguous")]
    AmbiguousKey {
        /// The clause, in the message's words.
        clause: &'static str,
        /// As written.
        name: String,
    },
    /// A key that is a constant.
    #[error("non-integer constant in {clause}")]
    NonIntegerKey {
        /// The clause, in the message's words.
        clause: &'static str,
    },
    /// A key by a number that no result column has.
    #[error("{clause} position {number} is not in select list")]
    KeyNumber {
        /// The clause, in the message's words.
        clause: &'static str,
        /// The number.
        number: i64,
    },
    /// An order of different rows by something else.
    #[error("for SELECT DISTINCT, ORDER BY expressions must appear in select list")]
    DistinctOrder,
    /// An order that does not begin with the keys of DISTINCT ON.
    #[error("SELECT DISTINCT ON expressions must match initial ORDER BY expressions")]
    DistinctOnOrder,
    /// A column in LIMIT or OFFSET.
    #[error("argument of {clause} must not contain variables")]
    VariableNotAllowed {
        /// The clause, in the message's words.
        clause: &'static str,
    },
    /// Ties without an order.
    #[error("WITH TIES cannot be specified without ORDER BY clause")]
    TiesWithoutOrder,
    /// Locks of rows that are no rows of a table.
    #[error("{strength} is not allowed with {what}")]
    LockNotAllowed {
        /// The clause.
        strength: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// Locks of a table that FROM does not have.
    #[error("relation \"{name}\" in {strength} clause not found in FROM clause")]
    LockOfUnknown {
        /// The clause.
        strength: &'static str,
        /// As written.
        name: String,
    },
    /// Inputs of different widths.
    #[error("each {operator} query must have the same number of columns")]
    SetOperationWidth {
        /// The operator.
        operator: &'static str,
    },
    /// An order by something else than result columns.
    #[error("invalid UNION/INTERSECT/EXCEPT ORDER BY clause")]
    SetOperationOrder,
    /// Rows of different lengths.
    #[error("VALUES lists must all be the same length")]
    ValuesLengths,
    /// DEFAULT where there is no column.
    #[error("DEFAULT is not allowed in this context")]
    DefaultNotAllowed,
    /// A column to change that is not there.
    #[error("column \"{column}\" of relation \"{relation}\" does not exist")]
    UndefinedTargetColumn {
        /// The column.
        column: String,
        /// The table.
        relation: String,
    },
    /// A column twice in a list.
    #[error("column \"{name}\" specified more than once")]
    DuplicateColumn {
        /// As written.
        name: String,
    },
    /// A column twice in SET.
    #[error("multiple assignments to same column \"{name}\"")]
    DuplicateAssignment {
        /// As written.
        name: String,
    },
    /// A row assigned to columns of another number.
    #[error("number of columns does not match number of values")]
    AssignmentWidth,
    /// A value without a column.
    #[error("INSERT has more expressions than target columns")]
    TooManyInsertValues,
    /// A column without a value.
    #[error("INSERT has more target columns than expressions")]
    TooFewInsertValues,
    /// DO UPDATE without a key.
    #[error("ON CONFLICT DO UPDATE requires inference specification or constraint name")]
    ConflictWithoutTarget,
    /// ON CONFLICT of columns that are no key.
    #[error("there is no unique or exclusion constraint matching the ON CONFLICT specification")]
    NoArbiter,
    /// A table over the limit.
    #[error("tables can have at most {limit} columns")]
    TooManyTableColumns {
        /// The limit.
        limit: usize,
    },
    /// An index over the limit.
    #[error("cannot use more than {limit} columns in an index")]
    TooManyIndexColumns {
        /// The limit.
        limit: usize,
    },
    /// More names than columns of a query.
    #[error("too many column names were specified")]
    TooManyColumnNames,
    /// Two primary keys.
    #[error("multiple primary keys for table \"{table}\" are not allowed")]
    MultiplePrimaryKeys {
        /// The table.
        table: String,
    },
    /// A key of a column that is not there.
    #[error("column \"{column}\" named in key does not exist")]
    UndefinedKeyColumn {
        /// The column.
        column: String,
    },
    /// A column twice in a key.
    #[error("column \"{column}\" appears twice in {kind} constraint")]
    DuplicateKeyColumn {
        /// The column.
        column: String,
        /// What kind of thing.
        kind: &'static str,
    },
    /// Two constraints with one name.
    #[error("check constraint \"{name}\" already exists")]
    DuplicateConstraint {
        /// As written.
        name: String,
        /// The table.
        relation: String,
    },
    /// A column that may and may not be NULL.
    #[error("conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{table}\"")]
    ConflictingNull {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// A column with two defaults.
    #[error("multiple default values specified for column \"{column}\" of table \"{table}\"")]
    MultipleDefaults {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// An index that a constraint needs.
    #[error("cannot drop index {name} because constraint {name} on table {table} requires it")]
    IndexOfConstraint {
        /// As written.
        name: String,
        /// The table.
        table: String,
    },
}
