//! Several sessions at once: what each isolation level allows, waits and deadlocks, and money that must not vanish.

mod bank;
mod isolation;

use rustdb::Result;
use rustdb::codec::key::KeyColumn;
use rustdb::codec::row::Cell;
use rustdb::engine::{Engine, EngineOptions};
use rustdb::ids::{ObjectId, RowId};
use rustdb::table::{ColumnDef, IndexColumn, IndexDef, RowKey, Table, TableDef, Written};
use rustdb::transaction::{Isolation, Participant, Transaction};
use rustdb::types::{DataType, Scalar};
use rustdb::vfs::{SeededRng, SystemClock, Vfs};
use rustdb::wal::WalOptions;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn open(vfs: &Arc<dyn Vfs>, seed: u64) -> Engine {
    let mut options = EngineOptions::new(64 << 20, Arc::new(SystemClock), Arc::new(SeededRng::new(seed)));
    options.frames = 64;
    options.wal = WalOptions { segment_bytes: 256 << 10, ring_bytes: 256 << 10, pad: false };
    Engine::open(vfs, Path::new("/t.db"), options).expect("the database opens")
}

/// A session and a table of two numbers, the first of which is the key; the second may be indexed.
struct Session<'e> {
    engine: &'e Engine,
    table: Arc<Table>,
    party: Option<Participant>,
    tx: Option<Transaction>,
}

impl<'e> Session<'e> {
    fn new(engine: &'e Engine, table: &Arc<Table>) -> Self {
        Self { engine, table: Arc::clone(table), party: Some(engine.participant()), tx: None }
    }

    fn begin(&mut self, isolation: Isolation) -> &mut Self {
        let party = self.party.take().expect("no transaction is open");
        self.tx = Some(Transaction::begin(self.engine.store().transactions(), party, isolation));
        self
    }

    fn tx(&mut self) -> &mut Transaction {
        self.tx.as_mut().expect("a transaction is open")
    }

    fn commit(&mut self) -> Result<()> {
        let tx = self.tx.take().expect("a transaction is open");
        let (party, done) = tx.commit(true, self.engine.store());
        self.party = Some(party);
        done.map(drop)
    }

    fn rollback(&mut self) {
        let tx = self.tx.take().expect("a transaction is open");
        let (party, done) = tx.rollback(self.engine.store());
        self.party = Some(party);
        done.expect("a rollback in memory succeeds");
    }

    /// A statement that is taken back if it fails.
    fn statement<T>(
        &mut self,
        run: impl FnOnce(&Engine, &Table, &mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let (engine, table) = (self.engine, Arc::clone(&self.table));
        let tx = self.tx();
        tx.start_statement();
        let mark = tx.mark();
        let done = run(engine, &table, tx);
        if done.is_err() {
            tx.rollback_to(mark, engine.store()).expect("a rollback in memory succeeds");
        }
        done
    }

    fn insert(&mut self, id: i64, value: i64) -> Result<()> {
        self.statement(|engine, table, tx| {
            let mut row = Vec::new();
            table.layout().encode(&mut row, |column| Cell::Scalar(Scalar::I64([id, value][column])));
            let mut suspects = Vec::new();
            table.insert(engine.store(), tx, &row, &mut suspects)?;
            table.check_unique(engine.store(), tx, &suspects)
        })
    }

    fn update(&mut self, id: i64, value: i64) -> Result<Written> {
        self.statement(|engine, table, tx| update(engine, table, tx, id, value))
    }

    fn delete(&mut self, id: i64) -> Result<Written> {
        self.statement(|engine, table, tx| table.delete(engine.store(), tx, TableDef::row_of_key(id)))
    }

    fn get(&mut self, id: i64) -> Option<i64> {
        self.statement(|engine, table, tx| read(engine, table, tx, id)).expect("reading works")
    }

    /// Adds to a value as one statement of READ COMMITTED: started again when the row has moved on.
    fn add(&mut self, id: i64, amount: i64) -> Result<()> {
        loop {
            let written = self.statement(|engine, table, tx| {
                let value = read(engine, table, tx, id)?.expect("the row is there");
                update(engine, table, tx, id, value + amount)
            })?;
            match written {
                Written::Done => return Ok(()),
                Written::Changed => {}
                Written::Deleted | Written::Again => panic!("{written:?}"),
            }
        }
    }

    fn all(&mut self) -> BTreeMap<i64, i64> {
        let mut rows = BTreeMap::new();
        let done = self.statement(|engine, table, tx| {
            table.scan(engine.store(), &tx.view(), RowId(0), &[0, 1], |_, row| {
                let (Cell::Scalar(Scalar::I64(id)), Cell::Scalar(Scalar::I64(value))) =
                    (row.cell(0), row.cell(1))
                else {
                    panic!("two numbers")
                };
                rows.insert(id, value);
                Ok(true)
            })
        });
        done.expect("scanning works");
        rows
    }
}

fn update(engine: &Engine, table: &Table, tx: &mut Transaction, id: i64, value: i64) -> Result<Written> {
    let mut bytes = Vec::new();
    table.layout().project(&[1]).encode(&mut bytes, |_| Cell::Scalar(Scalar::I64(value)));
    let mut suspects = Vec::new();
    let row = TableDef::row_of_key(id);
    let written = table.update(engine.store(), tx, row, &[1], &bytes, &mut suspects)?;
    table.check_unique(engine.store(), tx, &suspects)?;
    Ok(written)
}

fn read(engine: &Engine, table: &Table, tx: &Transaction, id: i64) -> Result<Option<i64>> {
    let layout = table.layout().project(&[1]);
    let mut out = Vec::new();
    if !table.get(engine.store(), &tx.view(), TableDef::row_of_key(id), &[1], &layout, &mut out)? {
        return Ok(None);
    }
    match layout.view(&out)?.cell(0) {
        Cell::Scalar(Scalar::I64(value)) => Ok(Some(value)),
        other => panic!("{other:?}"),
    }
}

/// A table with some rows, its values indexed.
fn create(engine: &Engine, unique: bool, rows: impl IntoIterator<Item = (i64, i64)>) -> Arc<Table> {
    let store = engine.store();
    let column = |name: &str| ColumnDef { name: name.to_owned(), ty: DataType::BigInt, not_null: true };
    let def = TableDef {
        object: store.allocate_object(),
        name: "t".to_owned(),
        schema: 1,
        columns: vec![column("id"), column("value")],
        row_key: RowKey::Column(0),
    };
    let index = IndexDef {
        object: store.allocate_object(),
        name: "by_value".to_owned(),
        unique,
        columns: vec![IndexColumn { column: 1, key: KeyColumn::ascending(DataType::BigInt) }],
    };
    let mut tx = Transaction::begin(store.transactions(), engine.participant(), Isolation::ReadCommitted);
    let table = store.create_table(&mut tx, &def).expect("a new table");
    store.create_index(&mut tx, &table, &index).expect("a new index");
    tx.commit(true, store).1.expect("the table commits");
    let mut session = Session::new(engine, &table);
    session.begin(Isolation::ReadCommitted);
    for (id, value) in rows {
        session.insert(id, value).expect("a new row");
    }
    session.commit().expect("the rows commit");
    table
}

fn table_of(engine: &Engine, object: ObjectId) -> Arc<Table> {
    engine.store().table(object).expect("the table is there")
}

fn assert_sound(engine: &Engine) {
    let report = engine.check().expect("the check runs");
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
}

fn code<T>(result: Result<T>) -> &'static str {
    result.map(drop).expect_err("it should fail").sqlstate().0
}
