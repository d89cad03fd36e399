//! What binding gives.

use crate::catalog::{CheckEntry, ColumnEntry, IndexColumn, IndexEntry, TableEntry};
use crate::error::Result;
use crate::ids::ObjectId;
use crate::parser::ast::{CopyOptions, CopyTarget, Explain, StatementKind, VacuumOptions};
use crate::plan::logical::{ColumnId, Columns, LogicalPlan};
use crate::table::RowKey;
use crate::types::DataType;
use std::sync::Arc;

use super::Binder;
use super::query::Output;

/// A bound statement and its parameters.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What it does.
    pub statement: BoundStatement,
    /// The types of its parameters.
    pub parameters: Vec<DataType>,
}

/// What a statement does.
#[derive(Clone, Debug)]
pub enum BoundStatement {
    /// SELECT, VALUES, INSERT, UPDATE, DELETE.
    Query(Box<BoundQuery>),
    /// `EXPLAIN`
    Explain {
        /// How; its own statement is the one below.
        options: Box<Explain>,
        /// What.
        statement: Box<BoundStatement>,
    },
    /// `CREATE TABLE`
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE .. AS`
    CreateTableAs(Box<CreateTableAs>),
    /// `CREATE INDEX`
    CreateIndex(Box<CreateIndex>),
    /// `DROP TABLE`
    DropTables(Dropped<Arc<TableEntry>>),
    /// `DROP INDEX`: tables and their indexes.
    DropIndexes(Dropped<(Arc<TableEntry>, ObjectId)>),
    /// `TRUNCATE`
    Truncate(Vec<Arc<TableEntry>>),
    /// `COPY .. FROM`
    CopyIn(Box<CopyIn>),
    /// `COPY .. TO`
    CopyOut(Box<CopyOut>),
    /// `ANALYZE`: tables and their columns; all columns if there are none.
    Analyze(Vec<(Arc<TableEntry>, Vec<u16>)>),
    /// `VACUUM`
    Vacuum {
        /// How.
        options: VacuumOptions,
        /// Which.
        tables: Vec<(Arc<TableEntry>, Vec<u16>)>,
    },
    /// Transaction control, settings, prepared statements, CHECKPOINT: nothing in them names a table.
    Session(Box<StatementKind>),
}

/// A query or a change of rows.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    /// The plan; its root may have more columns than are returned.
    pub plan: LogicalPlan,
    /// All columns of the plan.
    pub columns: Columns,
    /// What is returned; empty for a change without RETURNING.
    pub output: Vec<OutputColumn>,
    /// The word of the command tag.
    pub command: Command,
}

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputColumn {
    /// Its name.
    pub name: Arc<str>,
    /// The column of the plan.
    pub id: ColumnId,
    /// The type a client is told. Values have the type of the plan's column, which may have modifiers.
    pub ty: DataType,
    /// The table and column that it passes on.
    pub origin: Option<(ObjectId, u16)>,
}

/// What a query does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `SELECT n`
    Select,
    /// `INSERT 0 n`
    Insert,
    /// `UPDATE n`
    Update,
    /// `DELETE n`
    Delete,
}

/// A table to be made.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// It is there already, and `IF NOT EXISTS` was given: nothing is to be done but a notice.
    pub exists: bool,
    /// Its columns.
    pub columns: Vec<ColumnEntry>,
    /// Its checks.
    pub checks: Vec<CheckEntry>,
    /// Its primary key and unique constraints.
    pub indexes: Vec<NewIndex>,
    /// What its row ids are: the primary key if that is one integer column.
    pub row_key: RowKey,
}

/// An index to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewIndex {
    /// Its name.
    pub name: String,
    /// What it orders.
    pub columns: Vec<IndexColumn>,
    /// No two rows have one key.
    pub unique: bool,
    /// It is the primary key.
    pub primary: bool,
    /// It stands for a constraint.
    pub constraint: bool,
}

impl NewIndex {
    /// The catalog's entry for it.
    pub fn into_entry(self, oid: ObjectId) -> IndexEntry {
        let Self { name, columns, unique, primary, constraint } = self;
        IndexEntry { oid, name, columns, unique, primary, constraint }
    }
}

/// A table to be made from a query.
#[derive(Clone, Debug)]
pub struct CreateTableAs {
    /// The table.
    pub table: CreateTable,
    /// Its rows: one output for each column.
    pub query: BoundQuery,
    /// False for `WITH NO DATA`.
    pub with_data: bool,
}

/// An index to be made on a table that is there.
#[derive(Clone, PartialEq, Debug)]
pub struct CreateIndex {
    /// The table.
    pub table: Arc<TableEntry>,
    /// The index.
    pub index: NewIndex,
    /// It is there already, and `IF NOT EXISTS` was given.
    pub exists: bool,
}

/// Objects to be dropped.
#[derive(Clone, PartialEq, Debug)]
pub struct Dropped<T> {
    /// Those that are there.
    pub objects: Vec<T>,
    /// Names that are nobody's, with `IF EXISTS`: a notice for each.
    pub missing: Vec<String>,
}

/// Rows to be read into a table.
#[derive(Clone, Debug)]
pub struct CopyIn {
    /// The insertion; the rows are fed to the [`crate::plan::logical::Input`] at its bottom.
    pub insert: BoundQuery,
    /// The table.
    pub table: Arc<TableEntry>,
    /// The columns of the table that the data has, in the order of the input's columns.
    pub columns: Vec<u16>,
    /// Where the data comes from.
    pub source: CopyTarget,
    /// Its form.
    pub options: CopyOptions,
}

/// Rows to be written out.
#[derive(Clone, Debug)]
pub struct CopyOut {
    /// The rows.
    pub query: BoundQuery,
    /// Where they go.
    pub target: CopyTarget,
    /// Their form.
    pub options: CopyOptions,
}

impl Binder<'_> {
    /// Binds a statement of any kind.
    pub(super) fn bind_statement(&mut self, kind: &StatementKind) -> Result<BoundStatement> {
        let query = |query: BoundQuery| BoundStatement::Query(Box::new(query));
        Ok(match kind {
            StatementKind::Query(select) => {
                let rows = self.bind_query(select)?;
                query(self.bound_query(rows.plan, &rows.output, Command::Select))
            }
            StatementKind::Insert(insert) => query(self.bind_insert(insert)?),
            StatementKind::Update(update) => query(self.bind_update(update)?),
            StatementKind::Delete(delete) => query(self.bind_delete(delete)?),
            StatementKind::Explain(explain) => {
                let statement = Box::new(self.bind_statement(&explain.statement)?);
                BoundStatement::Explain { options: explain.clone(), statement }
            }
            StatementKind::Truncate(truncate) => self.bind_truncate(truncate)?,
            StatementKind::CreateTable(create) => {
                BoundStatement::CreateTable(Box::new(self.bind_create_table(create)?))
            }
            StatementKind::CreateTableAs(create) => {
                BoundStatement::CreateTableAs(Box::new(self.bind_create_table_as(create)?))
            }
            StatementKind::CreateIndex(create) => {
                BoundStatement::CreateIndex(Box::new(self.bind_create_index(create)?))
            }
            StatementKind::DropTable(drop) => BoundStatement::DropTables(self.bind_drop_tables(drop)?),
            StatementKind::DropIndex(drop) => BoundStatement::DropIndexes(self.bind_drop_indexes(drop)?),
            StatementKind::Copy(copy) => self.bind_copy(copy)?,
            StatementKind::Analyze(analyze) => {
                BoundStatement::Analyze(self.bind_maintenance(&analyze.tables)?)
            }
            StatementKind::Vacuum(vacuum) => {
                let tables = self.bind_maintenance(&vacuum.tables)?;
                BoundStatement::Vacuum { options: vacuum.options, tables }
            }
            StatementKind::Begin(_)
            | StatementKind::Commit { .. }
            | StatementKind::Rollback { .. }
            | StatementKind::Savepoint(_)
            | StatementKind::Release(_)
            | StatementKind::RollbackTo(_)
            | StatementKind::SetTransaction(_)
            | StatementKind::SetCharacteristics(_)
            | StatementKind::Set(_)
            | StatementKind::Show(_)
            | StatementKind::Reset(_)
            | StatementKind::Prepare(_)
            | StatementKind::Execute(_)
            | StatementKind::Deallocate(_)
            | StatementKind::DiscardAll
            | StatementKind::Checkpoint => BoundStatement::Session(Box::new(kind.clone())),
        })
    }

    /// A complete query, which takes the statement's columns with it.
    pub(super) fn bound_query(
        &mut self,
        plan: LogicalPlan,
        output: &[Output],
        command: Command,
    ) -> BoundQuery {
        let columns = std::mem::take(&mut self.columns);
        let output = output.iter().map(|output| {
            let column = columns.get(output.id);
            OutputColumn {
                name: Arc::clone(&output.name),
                id: output.id,
                ty: column.declared,
                origin: column.origin,
            }
        });
        let output = output.collect();
        BoundQuery { plan, columns, output, command }
    }
}
