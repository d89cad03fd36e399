//! Whether a disk found after a crash holds what it must.

use super::driver;
use super::model::{Row, State, TableState};
use super::workload::History;
use rustdb::btree::{Direction, KeyRange};
use rustdb::engine::Engine;
use rustdb::ids::RowId;
use rustdb::table::{RowKey, Table, Written};
use rustdb::transaction::{Isolation, Transaction};
use rustdb::vfs::{MemoryVfs, Vfs};
use rustdb::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that a new transaction sees; garbage is cleared first, so that dropped objects are gone.
pub(crate) fn read(engine: &Engine) -> Result<State> {
    while engine.store().collect_garbage(usize::MAX)? > 0 {}
    let mut state = State::default();
    let mut tx =
        Transaction::begin(engine.store().transactions(), engine.participant(), Isolation::ReadCommitted);
    tx.start_statement();
    for table in engine.store().tables() {
        let (rows, _) = driver::scan(engine, &tx, &table)?;
        let indexes = table.indexes().iter().map(|index| (index.def.object, index.def.clone())).collect();
        let object = table.def().object;
        state.tables.insert(object, Arc::new(TableState { def: table.def().clone(), indexes, rows }));
    }
    let (_, ended) = tx.commit(true, engine.store());
    ended?;
    Ok(state)
}

/// Compares each index with the rows both ways, as index-only scans of a quiet database would: an entry of a clean
/// leaf stands for a row that is there.
fn check_indexes(engine: &Engine, table: &Table) -> std::result::Result<(), String> {
    let mut tx =
        Transaction::begin(engine.store().transactions(), engine.participant(), Isolation::ReadCommitted);
    tx.start_statement();
    let (rows, places) = driver::scan(engine, &tx, table).map_err(in_words)?;
    drop(tx.commit(true, engine.store()));
    let id_bytes = if table.def().row_key == RowKey::Hidden { 6 } else { 8 };
    for index in table.indexes().iter() {
        let mut expected: BTreeMap<Vec<u8>, (i64, RowId)> = BTreeMap::new();
        for (place, id) in &places {
            let mut entry = rows[id].key(*id, &index.def).0;
            entry.extend_from_slice(&place.0.to_be_bytes()[8 - id_bytes..]);
            expected.insert(entry, (*id, *place));
        }
        let name = &index.def.name;
        for direction in [Direction::Forward, Direction::Backward] {
            let mut missing = expected.clone();
            let mut cursor = index.tree.cursor(KeyRange::all(), direction);
            while let Some(entry) = cursor.next(engine.store().pager()).map_err(in_words)? {
                if missing.remove(entry.key).is_none() && entry.clean {
                    let place = index.row_of(entry.key);
                    return Err(format!("{name}: an index-only scan finds row {place}, which is not there"));
                }
            }
            if let Some((id, place)) = missing.values().next() {
                return Err(format!("{name} misses row {place} with the key {id}"));
            }
        }
    }
    Ok(())
}

fn in_words(error: Error) -> String {
    format!("{error} ({})", error.sqlstate().0)
}

/// The rows against every index both ways, and the pages against what reaches them.
fn check_structure(engine: &Engine) -> std::result::Result<(), String> {
    for table in engine.store().tables() {
        check_indexes(engine, &table)?;
    }
    let report = engine.check().map_err(|error| format!("check: {}", in_words(error)))?;
    match report.problems.first() {
        Some(problem) => Err(format!("check: {problem} and {} more", report.problems.len() - 1)),
        None => Ok(()),
    }
}

/// How much is asked of a database that was reopened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Care {
    /// Contents and structure.
    Look,
    /// Also that it can be written, closed and opened.
    Use,
}

/// Opens what a crash left and compares it with the commits that may have survived; returns which commit was the last.
pub(crate) fn verify(
    history: &History,
    image: &MemoryVfs,
    bounds: (usize, usize),
    seed: u64,
    care: Care,
) -> std::result::Result<usize, String> {
    let vfs: Arc<dyn Vfs> = Arc::new(image.snapshot());
    let engine = driver::open(&vfs, seed).map_err(|error| format!("opening: {}", in_words(error)))?;
    let survived = matches_one(history, &engine, bounds)?;
    check_structure(&engine)?;
    if care == Care::Use {
        let mut state = history.commits[survived].state.clone();
        go_on(&engine, &mut state).map_err(|error| format!("going on: {}", in_words(error)))?;
        let found = read(&engine).map_err(in_words)?;
        if found != state {
            return Err(format!("after going on: {}", state.difference(&found)));
        }
        check_structure(&engine).map_err(|problem| format!("after going on: {problem}"))?;
        if seed % 2 == 0 {
            engine.close().map_err(|error| format!("closing: {}", in_words(error)))?;
        } else {
            drop(engine);
        }
        let engine =
            driver::open(&vfs, seed + 1).map_err(|error| format!("opening again: {}", in_words(error)))?;
        let found = read(&engine).map_err(in_words)?;
        if found != state {
            return Err(format!("after opening again: {}", state.difference(&found)));
        }
        check_structure(&engine).map_err(|problem| format!("after opening again: {problem}"))?;
    }
    Ok(survived)
}

fn matches_one(
    history: &History,
    engine: &Engine,
    (first, last): (usize, usize),
) -> std::result::Result<usize, String> {
    let found = read(engine).map_err(|error| format!("reading: {}", in_words(error)))?;
    let matching = (first..=last).rev().find(|commit| history.commits[*commit].state == found);
    matching.ok_or_else(|| {
        let difference = history.commits[last].state.difference(&found);
        let earlier = history.commits.iter().rposition(|commit| commit.state == found);
        match earlier {
            Some(commit) => format!("commit {commit} was the last, which should be {first} to {last}"),
            None => format!("no commit from {first} to {last} matches; from the last: {difference}"),
        }
    })
}

/// A few more transactions.
fn go_on(engine: &Engine, state: &mut State) -> Result<()> {
    let mut party = engine.participant();
    for (object, table) in state.clone().tables {
        let open = driver::table(engine, object);
        let mut tx = Transaction::begin(engine.store().transactions(), party, Isolation::ReadCommitted);
        let rows = &mut Arc::make_mut(state.tables.get_mut(&object).expect("a table of the state")).rows;
        let id = 1_000_000;
        let row = Arc::new(Row { number: Some(-5), word: None, body: Arc::from("y".repeat(2500)) });
        tx.start_statement();
        driver::insert(engine, &mut tx, &open, &[(id, Arc::clone(&row))])?;
        rows.insert(id, row);
        if let Some((id, old)) = table.rows.iter().next() {
            let changed = Row { word: Some(Arc::from("zebra")), ..Row::clone(old) };
            tx.start_statement();
            assert_eq!(driver::update(engine, &mut tx, &open, *id, &[2], &changed)?, Written::Done);
            rows.insert(*id, Arc::new(changed));
        }
        if let Some(id) = table.rows.keys().nth(1) {
            tx.start_statement();
            assert_eq!(driver::delete(engine, &mut tx, &open, *id)?, Written::Done);
            rows.remove(id);
        }
        let done;
        (party, done) = tx.commit(true, engine.store());
        done?;
        // One that takes everything back.
        let mut tx = Transaction::begin(engine.store().transactions(), party, Isolation::ReadCommitted);
        for id in table.rows.keys().skip(2).take(5) {
            tx.start_statement();
            assert_eq!(driver::delete(engine, &mut tx, &open, *id)?, Written::Done);
        }
        let done;
        (party, done) = tx.rollback(engine.store());
        done?;
    }
    Ok(())
}
