//! Plans run over a whole engine in memory, against naive implementations: with several threads, with budgets that force
//! rows to disk, and with numbers of rows around the size of a vector.

mod aggregate;
mod join;
mod memory;
mod order;

use super::{ExecutorOptions, Names, Resources, RowStream, StatementContext, VirtualTables, execute};
use crate::engine::{Engine, EngineOptions};
use crate::error::{Result, StatementError};
use crate::expr::{Environment, Expr};
use crate::ids::ObjectId;
use crate::memory::Budget;
use crate::plan::logical::CteId;
use crate::plan::physical::{OutputColumn, PhysicalNode, PhysicalPlan, TableName, VirtualScan};
use crate::transaction::{Isolation, Transaction};
use crate::types::{Chunk, DataType, Decimal, TimeContext, VECTOR_SIZE, Value};
use crate::vfs::{Clock, ManualClock, MemoryVfs, Rng, SeededRng, SystemClock, Vfs};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No sequences, no settings, no time.
struct NoEnvironment;

impl Environment for NoEnvironment {
    fn clock_timestamp(&self) -> i64 {
        0
    }

    fn random(&self) -> u64 {
        4
    }

    fn setting(&self, _: &str) -> Option<String> {
        None
    }

    fn next_value(&self, sequence: &str) -> Result<i64> {
        Err(StatementError::UndefinedTable { name: sequence.to_owned() }.into())
    }

    fn current_value(&self, sequence: &str) -> Result<i64> {
        self.next_value(sequence)
    }

    fn set_value(&self, sequence: &str, _: i64, _: bool) -> Result<()> {
        self.next_value(sequence).map(drop)
    }
}

/// Tables of the tests' own, by number.
#[derive(Default)]
pub(super) struct TestTables(Mutex<Vec<TestTable>>);

/// Types of columns, and rows.
type TestTable = (Vec<DataType>, Vec<Vec<Value>>);

impl VirtualTables for TestTables {
    fn rows(&self, table: ObjectId, columns: &[u16]) -> Result<Vec<Chunk>> {
        let tables = self.0.lock();
        let (types, rows) = &tables[table.0 as usize];
        let wanted: Vec<DataType> = columns.iter().map(|&column| types[usize::from(column)]).collect();
        let mut chunks = Vec::new();
        for part in rows.chunks(VECTOR_SIZE) {
            let mut chunk = Chunk::of_types(&wanted);
            for row in part {
                let row: Vec<Value> = columns.iter().map(|&c| row[usize::from(c)].clone()).collect();
                chunk.push_row(&row, &wanted)?;
            }
            chunks.push(chunk);
        }
        Ok(chunks)
    }
}

/// A database and what runs queries over it.
pub(super) struct Db {
    pub(super) engine: Engine,
    pub(super) resources: Arc<Resources>,
    budget: Arc<Budget>,
    tables: Arc<TestTables>,
}

/// How queries run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) threads: usize,
    /// Bytes for operators.
    pub(super) memory: u64,
}

impl Setup {
    pub(super) const PLAIN: Self = Self { threads: 1, memory: 1 << 30 };
    /// One thread or several, much memory or hardly any.
    pub(super) const ALL: [Self; 4] = [
        Self::PLAIN,
        Self { threads: 4, memory: 1 << 30 },
        Self { threads: 1, memory: 1 << 20 },
        Self { threads: 3, memory: 3 << 20 },
    ];

    pub(super) fn is_tight(&self) -> bool {
        self.memory < 1 << 30
    }
}

impl Db {
    pub(super) fn new(setup: Setup) -> Self {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(0));
        let mut options = EngineOptions::new(64 << 20, Arc::clone(&clock), Arc::new(SeededRng::new(1)));
        options.frames = 2048;
        let engine = Engine::open(&vfs, Path::new("/t.db"), options).unwrap();
        let budget = Budget::new(setup.memory);
        let mut options = ExecutorOptions::new(&budget, &vfs, PathBuf::from("/"), Arc::new(SystemClock));
        options.threads = setup.threads;
        options.inline_rows = 0.0;
        options.floor_bytes = 32 << 10;
        let resources = Resources::new(engine.shared_store(), options);
        Self { engine, resources, budget, tables: Arc::default() }
    }

    /// Rows as a plan; with `shared` by way of a buffer that several threads read.
    pub(super) fn rows(&self, types: &[DataType], rows: Vec<Vec<Value>>) -> PhysicalPlan {
        let count = rows.len() as f64;
        let mut tables = self.tables.0.lock();
        tables.push((types.to_vec(), rows));
        let table = TableName {
            storage: ObjectId(tables.len() as u32 - 1),
            name: "rows".into(),
            alias: "rows".into(),
        };
        let scan = VirtualScan { table, columns: (0..types.len() as u16).collect(), filters: Vec::new() };
        let scan = plan(PhysicalNode::VirtualScan(scan), types, count);
        let cte = CteId(tables.len() as u32);
        let body = PhysicalNode::CteScan { cte, alias: "c".into(), columns: (0..types.len()).collect() };
        let body = plan(body, types, 1e9);
        let with =
            PhysicalNode::With { cte, name: "c".into(), definition: Box::new(scan), body: Box::new(body) };
        plan(with, types, 1e9)
    }

    pub(super) fn begin(&self) -> Transaction {
        let shared = self.engine.store().transactions();
        Transaction::begin(shared, self.engine.participant(), Isolation::ReadCommitted)
    }

    pub(super) fn commit(&self, tx: Transaction) {
        tx.commit(true, self.engine.store()).1.unwrap();
    }

    /// A statement of a transaction.
    pub(super) fn statement(&self, tx: Transaction) -> StatementContext {
        let mut tx = tx;
        tx.start_statement();
        StatementContext {
            view: tx.view(),
            cancel: Arc::clone(&tx.party().cancel),
            transaction: Some(Arc::new(Mutex::new(tx))),
            times: TimeContext::default(),
            statement_start: 0,
            parameters: Vec::new(),
            names: Arc::new(Names::default()),
            environment: Arc::new(NoEnvironment),
            virtual_tables: Arc::clone(&self.tables) as Arc<dyn VirtualTables>,
            input: None,
            input_share: None,
            meter: Arc::default(),
            measured: true,
        }
    }

    pub(super) fn try_run(&self, plan: &PhysicalPlan) -> Result<Outcome> {
        let statement = self.statement(self.begin());
        let transaction = statement.transaction.clone();
        let outcome = self.run_in(plan, statement);
        if let Some(Ok(tx)) = transaction.map(Arc::try_unwrap) {
            let tx = tx.into_inner();
            if outcome.is_ok() { self.commit(tx) } else { tx.rollback(self.engine.store()).1.unwrap() }
        }
        assert_eq!(self.budget.used(), 0, "memory is given back");
        outcome
    }

    pub(super) fn run_in(&self, plan: &PhysicalPlan, statement: StatementContext) -> Result<Outcome> {
        let plan = Arc::new(plan.clone());
        let mut stream = execute(&self.resources, &plan, statement)?;
        let rows = collect(&mut stream)?;
        let spilled = stream.stats().iter().map(super::NodeStats::spilled).sum();
        let counted = stream.stats()[0].rows();
        Ok(Outcome { rows, spilled, counted })
    }

    pub(super) fn run(&self, plan: &PhysicalPlan) -> Outcome {
        self.try_run(plan).unwrap()
    }
}

/// What came of a query.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) spilled: u64,
    /// Rows as the root node counted them.
    pub(super) counted: u64,
}

impl Outcome {
    /// The rows in an order that does not depend on threads.
    pub(super) fn sorted(&self) -> Vec<String> {
        sorted(&self.rows)
    }
}

pub(super) fn sorted(rows: &[Vec<Value>]) -> Vec<String> {
    let mut shown: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    shown.sort();
    shown
}

fn collect(stream: &mut RowStream) -> Result<Vec<Vec<Value>>> {
    let types = stream.plan().types();
    let mut rows = Vec::new();
    while let Some(chunk) = stream.next()? {
        assert!(chunk.count() > 0);
        chunk.verify();
        rows.extend(chunk.rows().map(|row| chunk.row(row, &types)));
    }
    Ok(rows)
}

pub(super) fn plan(node: PhysicalNode, types: &[DataType], rows: f64) -> PhysicalPlan {
    let columns = types.iter().enumerate().map(|(i, &ty)| OutputColumn::new(format!("c{i}"), ty)).collect();
    PhysicalPlan { node, columns, rows }
}

pub(super) fn column(index: usize, ty: DataType) -> Expr {
    Expr::column(index, ty, true)
}

/// Repeatable randomness.
pub(super) struct Draws(SeededRng);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    pub(super) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A text of any length: inline, on the heap, empty.
    pub(super) fn text(&self, kinds: u64) -> Value {
        let kind = self.below(kinds);
        let length = [0, 1, 5, 12, 13, 40][(kind % 6) as usize];
        Value::Text(format!("{kind:x>length$}").into())
    }

    pub(super) fn or_null(&self, n: u64, value: Value) -> Value {
        if self.one_in(n) { Value::Null } else { value }
    }
}

/// An integer, a text, a decimal of two digits, a float with odd values, a numeric of any scale, a bigint.
pub(super) const MIXED: [DataType; 6] = [
    DataType::Integer,
    DataType::Text,
    DataType::Numeric { precision: 10, scale: 2 },
    DataType::Double,
    DataType::AnyNumeric,
    DataType::BigInt,
];

/// Rows of [`MIXED`] with about `kinds` different keys in the first column.
pub(super) fn mixed_rows(draws: &Draws, count: usize, kinds: u64) -> Vec<Vec<Value>> {
    (0..count)
        .map(|i| {
            let float = [0.0, -0.0, f64::NAN, 1.5, f64::INFINITY][draws.below(5) as usize];
            let any = [Decimal::new(10, 1), Decimal::new(100, 2), Decimal::new(1, 0), Decimal::new(7, 3)];
            vec![
                draws.or_null(10, Value::Integer(draws.below(kinds) as i32)),
                draws.or_null(8, draws.text(kinds)),
                draws.or_null(9, Value::Numeric(Decimal::new(i128::from(draws.below(500)) - 250, 2))),
                draws.or_null(9, Value::Double(float)),
                Value::Numeric(any[draws.below(4) as usize]),
                Value::BigInt(i as i64),
            ]
        })
        .collect()
}

/// Numbers of rows around the size of a vector.
pub(super) const SIZES: [usize; 7] =
    [0, 1, VECTOR_SIZE - 1, VECTOR_SIZE, VECTOR_SIZE + 1, 3 * VECTOR_SIZE, 5000];
