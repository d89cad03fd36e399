use super::{Engine, EngineOptions};
use crate::codec::key::KeyColumn;
use crate::codec::row::Cell;
use crate::error::Result;
use crate::ids::{ObjectId, RowId};
use crate::sqlstate::SqlState;
use crate::table::{ColumnDef, IndexColumn, IndexDef, RowKey, Table, TableDef, Written};

use crate::transaction::{Isolation, LogRecord, Participant, Transaction};
use crate::types::{DataType, Scalar};
use crate::vfs::{FaultVfs, ManualClock, MemoryVfs, SeededRng, Vfs};
use crate::wal::WalOptions;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A row of the test tables: a number and a text.
type Row = (i64, String);

fn options(frames: usize, seed: u64) -> EngineOptions {
    let mut options =
        EngineOptions::new(64 << 20, Arc::new(ManualClock::new(0)), Arc::new(SeededRng::new(seed)));
    options.frames = frames;
    options.wal = WalOptions { segment_bytes: 64 << 10, ring_bytes: 64 << 10, pad: false };
    options
}

fn open(vfs: &Arc<dyn Vfs>, seed: u64) -> Engine {
    open_with(vfs, seed, 16 << 10)
}

fn open_with(vfs: &Arc<dyn Vfs>, seed: u64, page_size: u32) -> Engine {
    let options = EngineOptions { page_size, ..options(64, seed) };
    Engine::open(vfs, Path::new("/t.db"), options).unwrap()
}

fn table_def(object: ObjectId, row_key: RowKey) -> TableDef {
    let column = |name: &str, ty| ColumnDef { name: name.to_owned(), ty, not_null: true };
    TableDef {
        object,
        name: format!("t{object}"),
        schema: 1,
        columns: vec![
            column("id", DataType::BigInt),
            column("n", DataType::BigInt),
            column("v", DataType::Text),
        ],
        row_key,
    }
}

fn index_def(object: ObjectId, name: &str, unique: bool, columns: &[(u16, DataType)]) -> IndexDef {
    let columns = columns
        .iter()
        .map(|(column, ty)| IndexColumn { column: *column, key: KeyColumn::ascending(*ty) })
        .collect();
    IndexDef { object, name: name.to_owned(), unique, columns }
}

fn encode(table: &Table, id: i64, row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    table.layout().encode(&mut out, |column| {
        Cell::Scalar(match column {
            0 => Scalar::I64(id),
            1 => Scalar::I64(row.0),
            _ => Scalar::Bytes(row.1.as_bytes()),
        })
    });
    out
}

/// A session over one engine.
struct Session<'e> {
    engine: &'e Engine,
    party: Option<Participant>,
}

impl<'e> Session<'e> {
    fn new(engine: &'e Engine) -> Self {
        Self { engine, party: Some(engine.participant()) }
    }

    fn begin(&mut self) -> Transaction {
        let party = self.party.take().unwrap();
        Transaction::begin(self.engine.store().transactions(), party, Isolation::ReadCommitted)
    }

    fn commit(&mut self, tx: Transaction) -> Result<()> {
        let (party, done) = tx.commit(true, self.engine.store());
        self.party = Some(party);
        done.map(drop)
    }

    fn rollback(&mut self, tx: Transaction) {
        let (party, done) = tx.rollback(self.engine.store());
        self.party = Some(party);
        done.unwrap();
    }
}

fn insert(engine: &Engine, tx: &mut Transaction, table: &Table, id: i64, row: &Row) -> Result<()> {
    tx.start_statement();
    let mark = tx.mark();
    let mut suspects = Vec::new();
    let done = table
        .insert(engine.store(), tx, &encode(table, id, row), &mut suspects)
        .and_then(|_| table.check_unique(engine.store(), tx, &suspects));
    if done.is_err() {
        tx.rollback_to(mark, engine.store()).unwrap();
    }
    done
}

fn update(engine: &Engine, tx: &mut Transaction, table: &Table, id: i64, row: &Row) -> Written {
    tx.start_statement();
    let layout = table.layout().project(&[1, 2]);
    let mut values = Vec::new();
    layout.encode(&mut values, |column| {
        Cell::Scalar(if column == 0 { Scalar::I64(row.0) } else { Scalar::Bytes(row.1.as_bytes()) })
    });
    let row = TableDef::row_of_key(id);
    let mut suspects = Vec::new();
    let written = table.update(engine.store(), tx, row, &[1, 2], &values, &mut suspects).unwrap();
    table.check_unique(engine.store(), tx, &suspects).unwrap();
    written
}

fn delete(engine: &Engine, tx: &mut Transaction, table: &Table, id: i64) -> Written {
    tx.start_statement();
    table.delete(engine.store(), tx, TableDef::row_of_key(id)).unwrap()
}

/// All rows that a new statement of the transaction sees.
fn contents(engine: &Engine, tx: &mut Transaction, table: &Table) -> BTreeMap<i64, Row> {
    tx.start_statement();
    let mut rows = BTreeMap::new();
    table
        .scan(engine.store(), &tx.view(), RowId(0), &[0, 1, 2], |_, view| {
            let (Cell::Scalar(Scalar::I64(id)), Cell::Scalar(Scalar::I64(n))) = (view.cell(0), view.cell(1))
            else {
                panic!("numbers")
            };
            let Cell::Scalar(Scalar::Bytes(text)) = view.cell(2) else { panic!("text") };
            rows.insert(id, (n, String::from_utf8(text.to_vec()).unwrap()));
            Ok(true)
        })
        .unwrap();
    rows
}

fn get(engine: &Engine, tx: &mut Transaction, table: &Table, id: i64) -> Option<i64> {
    tx.start_statement();
    let layout = table.layout().project(&[1]);
    let mut out = Vec::new();
    let row = TableDef::row_of_key(id);
    let found = table.get(engine.store(), &tx.view(), row, &[1], &layout, &mut out).unwrap();
    found.then(|| match layout.view(&out).unwrap().cell(0) {
        Cell::Scalar(Scalar::I64(n)) => n,
        other => panic!("{other:?}"),
    })
}

fn assert_sound(engine: &Engine) {
    let report = engine.check().unwrap();
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
}

fn create(engine: &Engine, session: &mut Session<'_>) -> Arc<Table> {
    let store = engine.store();
    let mut tx = session.begin();
    let def = table_def(store.allocate_object(), RowKey::Column(0));
    let table = store.create_table(&mut tx, &def).unwrap();
    let index = index_def(store.allocate_object(), "by_n", false, &[(1, DataType::BigInt)]);
    store.create_index(&mut tx, &table, &index).unwrap();
    session.commit(tx).unwrap();
    table
}

#[test]
fn rows_survive_reopening_with_and_without_a_close() {
    for clean in [true, false] {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
        let engine = open(&vfs, 1);
        let mut session = Session::new(&engine);
        let table = create(&engine, &mut session);
        let mut tx = session.begin();
        for id in 0..1000 {
            insert(&engine, &mut tx, &table, id, &(id * 2, format!("value {id}"))).unwrap();
        }
        session.commit(tx).unwrap();
        let mut tx = session.begin();
        assert_eq!(get(&engine, &mut tx, &table, 77), Some(154));
        assert_eq!(update(&engine, &mut tx, &table, 77, &(5, "x".repeat(5000))), Written::Done);
        assert_eq!(delete(&engine, &mut tx, &table, 78), Written::Done);
        assert_eq!(get(&engine, &mut tx, &table, 78), None);
        session.commit(tx).unwrap();
        let mut tx = session.begin();
        assert_eq!(delete(&engine, &mut tx, &table, 79), Written::Done);
        assert_eq!(update(&engine, &mut tx, &table, 80, &(5, "y".repeat(5000))), Written::Done);
        session.rollback(tx);
        let object = table.def().object;
        drop((table, session));
        if clean {
            assert_sound(&engine);
            engine.close().unwrap();
        } else {
            drop(engine);
        }
        let engine = open(&vfs, 2);
        let mut session = Session::new(&engine);
        let table = engine.store().table(object).unwrap();
        let mut tx = session.begin();
        let rows = contents(&engine, &mut tx, &table);
        assert_eq!(rows.len(), 999);
        assert_eq!(rows[&77], (5, "x".repeat(5000)));
        assert_eq!(rows[&79], (158, "value 79".to_owned()));
        assert_eq!(get(&engine, &mut tx, &table, 80), Some(160));
        session.commit(tx).unwrap();
        assert_sound(&engine);
    }
}

/// A short sequence of pseudo-random numbers.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn random_transactions_match_a_map() {
    for (seed, page_size) in [(1, 16 << 10), (2, 32 << 10), (3, 64 << 10), (4, 16 << 10)] {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
        let mut draws = Draws(seed * 0x9e37_79b9);
        let mut model: BTreeMap<i64, Row> = BTreeMap::new();
        let mut object = None;
        for round in 0..6 {
            let engine = open_with(&vfs, seed * 100 + round, page_size);
            let mut session = Session::new(&engine);
            let table = match object {
                None => create(&engine, &mut session),
                Some(object) => engine.store().table(object).unwrap(),
            };
            object = Some(table.def().object);
            for _ in 0..60 {
                let mut tx = session.begin();
                let mut draft = model.clone();
                let mut marks = Vec::new();
                for _ in 0..draws.below(40) {
                    let id = draws.below(300) as i64;
                    let length = if draws.below(20) == 0 { 20_000 } else { draws.below(60) };
                    let row = (draws.below(50) as i64, "z".repeat(length as usize));
                    match draws.below(12) {
                        0..4 => {
                            let done = insert(&engine, &mut tx, &table, id, &row);
                            assert_eq!(done.is_ok(), !draft.contains_key(&id), "{done:?}");
                            draft.entry(id).or_insert(row);
                        }
                        4..7 => {
                            let expected =
                                if draft.contains_key(&id) { Written::Done } else { Written::Deleted };
                            assert_eq!(update(&engine, &mut tx, &table, id, &row), expected);
                            draft.entry(id).and_modify(|old| *old = row);
                        }
                        7..9 => {
                            let written = delete(&engine, &mut tx, &table, id);
                            assert_eq!(written == Written::Done, draft.remove(&id).is_some());
                        }
                        9 => marks.push((tx.mark(), draft.clone())),
                        10 => {
                            if let Some((mark, state)) = marks.pop() {
                                tx.rollback_to(mark, engine.store()).unwrap();
                                draft = state;
                            }
                        }
                        _ => assert_eq!(
                            get(&engine, &mut tx, &table, id),
                            draft.get(&id).map(|row| row.0),
                            "row {id}"
                        ),
                    }
                }
                assert_eq!(contents(&engine, &mut tx, &table), draft);
                if draws.below(8) == 0 {
                    engine.checkpoint().unwrap();
                }
                if draws.below(3) == 0 {
                    session.rollback(tx);
                } else {
                    session.commit(tx).unwrap();
                    model = draft;
                }
                if draws.below(4) == 0 {
                    engine.store().collect_garbage(1000).unwrap();
                }
            }
            drop((table, session));
            assert_sound(&engine);
            if round % 2 == 0 {
                engine.close().unwrap();
            }
        }
    }
}

#[test]
fn transfers_keep_their_sum_beside_cuts_and_garbage_collection() {
    const ACCOUNTS: i64 = 50;
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let engine = Arc::new(open(&vfs, 9));
    let mut session = Session::new(&engine);
    let table = create(&engine, &mut session);
    let mut tx = session.begin();
    for id in 0..ACCOUNTS {
        insert(&engine, &mut tx, &table, id, &(100, format!("account {id}"))).unwrap();
    }
    session.commit(tx).unwrap();
    let keeper = super::Housekeeper::start(&engine, 100_000).unwrap();
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (engine, table) = (&engine, &table);
            scope.spawn(move || {
                let mut session = Session::new(engine);
                let mut draws = Draws(seed * 7919);
                for _ in 0..400 {
                    let (from, to) = (draws.below(50) as i64, draws.below(50) as i64);
                    let mut tx = session.begin();
                    // Rows are taken in one order, so that nobody waits in a circle.
                    let moved = [(from.min(to), -1), (from.max(to), 1)].iter().all(|&(id, amount)| {
                        loop {
                            let Some(balance) = get(engine, &mut tx, table, id) else { return false };
                            let layout = table.layout().project(&[1]);
                            let mut values = Vec::new();
                            layout.encode(&mut values, |_| Cell::Scalar(Scalar::I64(balance + amount)));
                            let row = TableDef::row_of_key(id);
                            let store = engine.store();
                            match table.update(store, &mut tx, row, &[1], &values, &mut Vec::new()).unwrap() {
                                Written::Done => return true,
                                Written::Changed => {}
                                Written::Deleted | Written::Again => return false,
                            }
                        }
                    });
                    if moved && draws.below(5) > 0 {
                        session.commit(tx).unwrap()
                    } else {
                        session.rollback(tx)
                    }
                }
            });
        }
        let (engine, table) = (&engine, &table);
        scope.spawn(move || {
            let mut session = Session::new(engine);
            for _ in 0..200 {
                let mut tx = session.begin();
                let sum: i64 = contents(engine, &mut tx, table).values().map(|row| row.0).sum();
                assert_eq!(sum, ACCOUNTS * 100);
                session.commit(tx).unwrap();
            }
        });
    });
    drop(keeper);
    let object = table.def().object;
    drop((table, session));
    assert_sound(&engine);
    drop(engine);
    let engine = open(&vfs, 10);
    let mut session = Session::new(&engine);
    let table = engine.store().table(object).unwrap();
    let mut tx = session.begin();
    let sum: i64 = contents(&engine, &mut tx, &table).values().map(|row| row.0).sum();
    assert_eq!(sum, ACCOUNTS * 100);
    session.commit(tx).unwrap();
    assert_sound(&engine);
}

#[test]
fn vacuum_joins_leaves_that_deletes_have_emptied() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let engine = open(&vfs, 20);
    let mut session = Session::new(&engine);
    let table = create(&engine, &mut session);
    let mut tx = session.begin();
    for id in 0..5000 {
        insert(&engine, &mut tx, &table, id, &(id, format!("a text of some length, number {id}"))).unwrap();
    }
    session.commit(tx).unwrap();
    let full = engine.check().unwrap();
    let mut tx = session.begin();
    for id in (0..5000).filter(|id| id % 20 != 0) {
        assert_eq!(delete(&engine, &mut tx, &table, id), Written::Done);
    }
    session.commit(tx).unwrap();
    engine.store().vacuum(&table).unwrap();
    assert_sound(&engine);
    let sparse = engine.check().unwrap();
    assert_eq!(sparse.rows, 250);
    assert!(sparse.pages * 4 < full.pages, "{} of {}", sparse.pages, full.pages);
    let mut tx = session.begin();
    let expected: Vec<i64> = (0..250).map(|n| n * 20).collect();
    assert_eq!(contents(&engine, &mut tx, &table).into_keys().collect::<Vec<_>>(), expected);
    session.commit(tx).unwrap();
}

/// Taking changes back must be logged before it counts as done: a log without room refuses it as often as it is asked.
#[test]
fn what_a_full_disk_did_not_let_be_taken_back_is_taken_back_later() {
    let disk = FaultVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let engine = open(&vfs, 1);
    let mut session = Session::new(&engine);
    let table = create(&engine, &mut session);
    let mut tx = session.begin();
    insert(&engine, &mut tx, &table, 1, &(1, "kept".to_owned())).unwrap();
    tx.start_statement();
    let mark = tx.mark();
    let mut ids = 2..;
    let full = loop {
        // Some of what is to be taken back is in the log by then.
        if ids.start == 100 {
            disk.limit_space(disk.used_space());
        }
        let row = encode(&table, ids.next().unwrap(), &(0, "x".repeat(3000)));
        if let Err(error) = table.insert(engine.store(), &mut tx, &row, &mut Vec::new()) {
            break error;
        }
    };
    assert_eq!(full.sqlstate(), SqlState::DISK_FULL);
    // A transaction that has nothing to take back any more uses what little is left.
    let mut other = Session::new(&engine);
    let mut idle = other.begin();
    let record = LogRecord::UndoTo { transaction: idle.write_id().unwrap(), bytes: 0 };
    while engine.log.append(&[&record.encode_header()]).is_ok() {
        engine.flush_log().unwrap();
    }
    let mut refused = 0;
    while refused < 3 && tx.rollback_to(mark, engine.store()).is_err() {
        refused += 1;
    }
    assert_eq!(refused, 3, "the log had room for the record");
    disk.limit_space(u64::MAX);
    other.rollback(idle);
    tx.rollback_to(mark, engine.store()).unwrap();
    insert(&engine, &mut tx, &table, 2, &(2, "after".to_owned())).unwrap();
    session.commit(tx).unwrap();
    let object = table.def().object;
    drop((table, session, other));
    drop(engine);
    let engine = open(&vfs, 2);
    let mut session = Session::new(&engine);
    let table = engine.store().table(object).unwrap();
    let mut tx = session.begin();
    let rows = contents(&engine, &mut tx, &table);
    assert_eq!(rows, BTreeMap::from([(1, (1, "kept".to_owned())), (2, (2, "after".to_owned()))]));
    session.commit(tx).unwrap();
    assert_sound(&engine);
}

#[test]
fn commits_that_do_not_wait_are_written_soon() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let engine = Arc::new(open(&vfs, 1));
    let mut session = Session::new(&engine);
    let table = create(&engine, &mut session);
    let mut tx = session.begin();
    insert(&engine, &mut tx, &table, 1, &(1, "one".to_owned())).unwrap();
    let (_, committed) = tx.commit(false, engine.store());
    let lsn = committed.unwrap().unwrap().lsn;
    assert!(engine.log.durable() < lsn);
    let keeper = super::Housekeeper::start(&engine, u64::MAX).unwrap();
    while engine.log.durable() < lsn {
        std::thread::yield_now();
    }
    drop(keeper);
}
