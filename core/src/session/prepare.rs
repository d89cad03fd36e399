//! Prepared statements: a statement bound and planned, for as long as what it was planned for stays the same.

use super::Session;
use super::batch::insert_of_sets;
use crate::binder::{Bound, BoundQuery, BoundStatement, Command, bind};
use crate::catalog::{Catalog, TableEntry, TableKind};
use crate::error::Result;
use crate::executor::PointRead;
use crate::ids::ObjectId;
use crate::optimizer::{TableSizes, optimize};
use crate::parser::ast::{Parameters, Statement, StatementKind};
use crate::plan::logical::{LogicalPlan, RowLock};
use crate::plan::physical::{PhysicalNode, PhysicalPlan};
use crate::stack;
use crate::table::Store;
use crate::transaction::TableLockMode;
use crate::types::DataType;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A plan is made anew when a table has this many times the rows it had, and a few thousand at least.
const OUTGROWN: f64 = 4.0;
const FEW_ROWS: f64 = 2_000.0;

/// A column of a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// Its type as a client is told.
    pub ty: DataType,
    /// The type that the values in chunks are in: the same, perhaps with modifiers.
    pub value_type: DataType,
    /// The table and column that it passes on unchanged.
    pub origin: Option<(ObjectId, u16)>,
}

/// A statement that is ready to run.
pub struct Prepared {
    pub(super) statement: Statement,
    /// The types of its parameters.
    pub parameters: Vec<DataType>,
    /// The columns of its result.
    pub columns: Arc<[Column]>,
    pub(super) kind: Kind,
    /// The tables it uses, and how.
    pub(super) tables: Vec<(Arc<TableEntry>, TableLockMode)>,
    /// The last catalog for which it is known to be right.
    version: AtomicU64,
    /// How often it ran: at powers of two the sizes of tables are looked at again.
    runs: AtomicU64,
    /// Rows of the tables when it was planned.
    sizes: Vec<f64>,
    /// What runs instead since it was bound or planned anew.
    successor: Mutex<Option<Arc<Prepared>>>,
}

/// What a statement is to the session.
pub(super) enum Kind {
    /// Nothing.
    Empty,
    /// A query or a change of rows.
    Query(Query),
    /// Transaction control.
    Control,
    /// Everything else; bound when it runs.
    Utility,
}

/// A plan and what it is for.
pub(super) struct Query {
    pub(super) plan: Arc<PhysicalPlan>,
    /// The plan's short path, if it has one.
    pub(super) point: Option<PointRead>,
    /// The plan for many sets of parameters at a time, if there is one.
    pub(super) of_sets: Option<Arc<PhysicalPlan>>,
    command: Command,
    /// What a read-only transaction calls it when it refuses it; `None` if it only reads.
    pub(super) writes: Option<&'static str>,
}

impl Query {
    fn new(plan: PhysicalPlan, command: Command, parameters: &[DataType], store: &Store) -> Self {
        let writes = match command {
            Command::Insert => Some("INSERT"),
            Command::Update => Some("UPDATE"),
            Command::Delete => Some("DELETE"),
            Command::Select => written(&plan),
        };
        let of_sets = insert_of_sets(&plan, parameters).map(Arc::new);
        Self { point: PointRead::of(&plan, store), plan: Arc::new(plan), of_sets, command, writes }
    }

    /// The word of the command tag.
    pub(super) fn command(&self) -> &'static str {
        match self.command {
            Command::Select => "SELECT",
            Command::Insert => "INSERT",
            Command::Update => "UPDATE",
            Command::Delete => "DELETE",
        }
    }

    /// Whether it changes rows.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.command, Command::Select)
    }
}

impl Prepared {
    /// The statement of a text without one.
    pub(super) fn empty() -> Self {
        let statement = Statement {
            kind: StatementKind::DiscardAll,
            parameters: Parameters::default(),
            range: 0..0,
            position: 1,
        };
        Self::new(statement, Kind::Empty)
    }

    fn new(statement: Statement, kind: Kind) -> Self {
        Self {
            statement,
            parameters: Vec::new(),
            columns: Arc::default(),
            kind,
            tables: Vec::new(),
            version: AtomicU64::new(u64::MAX),
            runs: AtomicU64::new(0),
            sizes: Vec::new(),
            successor: Mutex::new(None),
        }
    }

    /// The statement as it was last bound and planned.
    pub(super) fn newest(self: &Arc<Self>) -> Arc<Self> {
        self.successor.lock().as_ref().map_or_else(|| Arc::clone(self), Arc::clone)
    }

    /// Makes another binding of the statement the one that runs.
    pub(super) fn succeed(&self, successor: &Arc<Self>) {
        *self.successor.lock() = Some(Arc::clone(successor));
    }

    /// The number, from 1, of the parameter with a name.
    pub fn parameter_number(&self, name: &str) -> Option<usize> {
        let number = self.statement.parameters.number(name)?;
        usize::try_from(number).ok()
    }

    pub(super) fn query(&self) -> Option<&Query> {
        match &self.kind {
            Kind::Query(query) => Some(query),
            Kind::Empty | Kind::Control | Kind::Utility => None,
        }
    }

    /// Whether it changes rows.
    pub fn changes_rows(&self) -> bool {
        self.query().is_some_and(Query::changes)
    }

    /// Whether its text may be remembered with it.
    pub(super) fn is_cacheable(&self) -> bool {
        !matches!(self.kind, Kind::Utility)
    }

    /// Whether everything it uses is in the catalog as it was.
    pub(super) fn is_current(&self, catalog: &Catalog) -> bool {
        if self.version.load(Ordering::Relaxed) == catalog.version() {
            return true;
        }
        let same = |(entry, _): &(Arc<TableEntry>, _)| {
            catalog.table_by_id(entry.oid).is_some_and(|known| Arc::ptr_eq(known, entry))
        };
        let current = self.tables.iter().all(same);
        if current {
            self.version.store(catalog.version(), Ordering::Relaxed);
        }
        current
    }
}

/// What a plan does besides reading.
fn written(plan: &PhysicalPlan) -> Option<&'static str> {
    match &plan.node {
        PhysicalNode::Insert(_) => Some("INSERT"),
        PhysicalNode::Update(_) => Some("UPDATE"),
        PhysicalNode::Delete(_) => Some("DELETE"),
        PhysicalNode::Lock { targets, .. } => Some(match targets.first().map(|target| target.strength) {
            Some(RowLock::NoKeyUpdate) => "SELECT FOR NO KEY UPDATE",
            Some(RowLock::Share) => "SELECT FOR SHARE",
            Some(RowLock::KeyShare) => "SELECT FOR KEY SHARE",
            Some(RowLock::Update) | None => "SELECT FOR UPDATE",
        }),
        _ => plan.inputs().into_iter().find_map(written),
    }
}

/// The sizes of tables in storage.
pub(super) struct StoredSizes<'a> {
    store: &'a Store,
    /// What the transaction's snapshot knows.
    known: Option<&'a Catalog>,
}

impl TableSizes for StoredSizes<'_> {
    fn rows(&self, storage: ObjectId) -> f64 {
        let size = self.store.table(storage).and_then(|table| table.estimate_size(self.store));
        // An estimate may be wrong; whoever reads the table meets the error.
        size.map_or(1000.0, |(_, rows)| rows)
    }

    fn may_use(&self, index: ObjectId) -> bool {
        self.known.is_none_or(|known| known.index_by_id(index).is_some())
    }
}

/// The tables of a plan and the modes that using them takes.
pub(super) fn tables_of(plan: &LogicalPlan, tables: &mut Vec<(Arc<TableEntry>, TableLockMode)>) {
    let mut add = |table: &Arc<TableEntry>, mode| {
        if table.kind == TableKind::Base
            && !tables.iter().any(|(other, m)| other.oid == table.oid && *m == mode)
        {
            tables.push((Arc::clone(table), mode));
        }
    };
    match plan {
        LogicalPlan::Scan(scan) => add(&scan.table, TableLockMode::AccessShare),
        LogicalPlan::Lock(lock) => {
            lock.targets.iter().for_each(|target| add(&target.table, TableLockMode::RowShare));
        }
        LogicalPlan::Insert(insert) => add(&insert.table, TableLockMode::RowExclusive),
        LogicalPlan::Update(update) => add(&update.table, TableLockMode::RowExclusive),
        LogicalPlan::Delete(delete) => add(&delete.table, TableLockMode::RowExclusive),
        _ => {}
    }
    for input in plan.inputs() {
        tables_of(input, tables);
    }
}

pub(super) fn columns_of(query: &BoundQuery) -> Arc<[Column]> {
    let column = |output: &crate::binder::OutputColumn| Column {
        name: Arc::clone(&output.name),
        ty: output.ty,
        value_type: query.columns.get(output.id).ty,
        origin: output.origin,
    };
    query.output.iter().map(column).collect()
}

impl Session {
    /// Binds and plans a statement.
    pub(super) fn prepare_statement(
        &mut self,
        statement: Statement,
        types: &[DataType],
    ) -> Result<Arc<Prepared>> {
        if is_control(&statement.kind) {
            return Ok(Arc::new(Prepared::new(statement, Kind::Control)));
        }
        stack::with_room(statement.nodes(), || self.plan_statement(statement, types))
    }

    fn plan_statement(&mut self, statement: Statement, types: &[DataType]) -> Result<Arc<Prepared>> {
        let catalog = self.catalog();
        let Bound { statement: bound, parameters } = bind(&catalog, &statement, types)?;
        let mut prepared = Prepared::new(statement, Kind::Utility);
        prepared.parameters = parameters;
        prepared.version = AtomicU64::new(catalog.version());
        match bound {
            BoundStatement::Query(query) => {
                tables_of(&query.plan, &mut prepared.tables);
                prepared.columns = columns_of(&query);
                let command = query.command;
                let plan = self.plan(*query)?;
                let sizes = self.sizes();
                prepared.sizes = prepared.tables.iter().map(|(table, _)| sizes.rows(table.storage)).collect();
                prepared.kind = Kind::Query(Query::new(plan, command, &prepared.parameters, &self.store));
            }
            other => prepared.columns = self.utility_columns(&other),
        }
        Ok(Arc::new(prepared))
    }

    fn sizes(&self) -> StoredSizes<'_> {
        StoredSizes { store: &self.store, known: self.known_catalog().map(|known| &**known) }
    }

    /// The plan of a bound query.
    pub(super) fn plan(&self, query: BoundQuery) -> Result<PhysicalPlan> {
        optimize(query, &self.sizes())
    }

    /// Whether the tables have grown so much since a statement was planned that another plan may be better.
    pub(super) fn has_outgrown(&self, prepared: &Prepared) -> bool {
        let runs = prepared.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if !runs.is_power_of_two() || prepared.sizes.is_empty() {
            return false;
        }
        let sizes = self.sizes();
        prepared.tables.iter().zip(&prepared.sizes).any(|((table, _), &then)| {
            let now = sizes.rows(table.storage);
            now > FEW_ROWS && now > then.max(1.0) * OUTGROWN
        })
    }
}

fn is_control(kind: &StatementKind) -> bool {
    matches!(
        kind,
        StatementKind::Begin(_)
            | StatementKind::Commit { .. }
            | StatementKind::Rollback { .. }
            | StatementKind::Savepoint(_)
            | StatementKind::Release(_)
            | StatementKind::RollbackTo(_)
            | StatementKind::SetTransaction(_)
            | StatementKind::SetCharacteristics(_)
    )
}
