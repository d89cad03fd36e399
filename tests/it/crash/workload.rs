//! A run of several sessions over one engine, interleaved in one thread by a seed, next to a model of it.
//!
//! No session ever has to wait: before a statement runs, the rows and unique keys it will touch are claimed for its
//! transaction, and a statement whose claims another session holds is left out.

use super::driver::{self, Draws};
use super::model::{BODY, Draft, ID, NUMBER, Row, Rows, State, WORD, index_def, row_difference, table_def};
use super::oracle;
use rustdb::engine::Engine;
use rustdb::ids::ObjectId;
use rustdb::table::{RowKey, Written};
use rustdb::transaction::{Isolation, Mark, Participant, Transaction, UndoLog, UndoRecord, UndoTarget};
use rustdb::vfs::{FaultVfs, Vfs};
use rustdb::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a run does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    /// Rows that each of the two first tables begins with.
    pub(crate) rows: u64,
    pub(crate) sessions: usize,
    /// One of so many steps is a cut.
    pub(crate) cut_every: u64,
    /// I/O errors are met with a rollback, and end the run only if they stop the database.
    pub(crate) faulty: bool,
    /// Prints what it does.
    pub(crate) trace: bool,
}

/// A commit, or the empty database before the first.
pub(crate) struct Commit {
    /// The point at which it was asked for.
    pub(crate) started: u64,
    /// From this point on it must survive.
    pub(crate) durable: Option<u64>,
    /// Everything committed.
    pub(crate) state: State,
}

/// What happened while a cut was taken.
#[derive(Debug)]
struct CutSeen {
    /// Transactions that had written.
    open: Vec<u64>,
    /// The one that was taking changes back.
    inside_rollback: Option<u64>,
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Committed,
    RolledBack,
}

/// What a run has been through, for the proof that it tests what it should.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    cuts: Vec<CutSeen>,
    ends: HashMap<u64, End>,
    largest_redo: usize,
    pub(crate) revived: u64,
    pub(crate) back_to_old_keys: u64,
    pub(crate) schema_changes_committed: u64,
    pub(crate) schema_changes_undone: u64,
    pub(crate) violations: u64,
    pub(crate) errors: u64,
}

impl Coverage {
    /// Cuts with at least two transactions open, of which one committed later and one rolled back.
    pub(crate) fn cuts_across_transactions(&self) -> usize {
        let ended = |cut: &CutSeen, end| cut.open.iter().any(|tx| self.ends.get(tx) == Some(&end));
        self.cuts.iter().filter(|cut| ended(cut, End::Committed) && ended(cut, End::RolledBack)).count()
    }

    /// Cuts of that kind during which another transaction was inside ROLLBACK TO.
    pub(crate) fn cuts_inside_rollback(&self) -> usize {
        self.cuts.iter().filter(|cut| cut.inside_rollback.is_some() && cut.open.len() >= 2).count()
    }

    /// The redo of the largest transaction that committed, nearly.
    pub(crate) fn largest_redo(&self) -> usize {
        self.largest_redo
    }
}

/// A run that is over.
pub(crate) struct History {
    pub(crate) vfs: FaultVfs,
    pub(crate) commits: Vec<Commit>,
    pub(crate) coverage: Coverage,
}

impl History {
    /// The first and the last commit that the disk may show after a crash at `point`.
    pub(crate) fn bounds(&self, point: u64) -> (usize, usize) {
        let survives = |commit: &Commit| commit.durable.is_some_and(|durable| durable <= point);
        let first = self.commits.iter().rposition(survives).unwrap_or(0);
        let last = self.commits.iter().rposition(|commit| commit.started <= point).unwrap_or(0);
        (first, last)
    }
}

struct Session {
    party: Option<Participant>,
    open: Option<Open>,
}

struct Open {
    serial: u64,
    tx: Transaction,
    draft: Draft,
    savepoints: Vec<(Mark, Draft)>,
    redo: usize,
    schema_changes: u64,
}

/// A cut in the middle of taking changes back.
struct CutWithin<'w> {
    engine: &'w Engine,
    after: Cell<u64>,
    cut: RefCell<Option<Result<()>>>,
}

impl UndoTarget for CutWithin<'_> {
    fn undo(&self, record: &Arc<UndoRecord>, log: &UndoLog) -> Result<()> {
        self.engine.store().undo(record, log)?;
        self.after.set(self.after.get().wrapping_sub(1));
        if self.after.get() == 0 {
            *self.cut.borrow_mut() = Some(self.engine.checkpoint());
        }
        Ok(())
    }
}

/// A run in progress.
pub(crate) struct World {
    plan: Plan,
    vfs: FaultVfs,
    engine: Rc<Engine>,
    sessions: Vec<Session>,
    draws: Draws,
    committed: State,
    commits: Vec<Commit>,
    coverage: Coverage,
    rows_claimed: HashMap<(ObjectId, i64), usize>,
    keys_claimed: HashMap<(ObjectId, Vec<u8>), usize>,
    tables_used: HashSet<(ObjectId, usize)>,
    tables_claimed: HashMap<ObjectId, usize>,
    /// Numbers that a row has had.
    numbers: HashMap<(ObjectId, i64), Vec<Option<i64>>>,
    deleted: BTreeSet<(ObjectId, i64)>,
    next_serial: u64,
    next_body: u64,
}

/// Runs a plan on an empty disk, which may have been told to fail.
///
/// # Panics
/// When the engine does not do what the model says.
pub(crate) fn run(vfs: FaultVfs, plan: Plan) -> History {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let first = Commit { started: 0, durable: Some(0), state: State::default() };
    let engine = match driver::open(&shared, plan.seed) {
        Ok(engine) => Rc::new(engine),
        Err(error) => {
            assert!(plan.faulty && is_stated(&error), "{error}");
            let coverage = Coverage { errors: 1, ..Coverage::default() };
            return History { vfs, commits: vec![first], coverage };
        }
    };
    let session = || Session { party: Some(impatient(&engine)), open: None };
    let mut world = World {
        plan,
        sessions: (0..plan.sessions).map(|_| session()).collect(),
        vfs,
        engine,
        draws: Draws::new(plan.seed),
        committed: State::default(),
        commits: vec![first],
        coverage: Coverage::default(),
        rows_claimed: HashMap::new(),
        keys_claimed: HashMap::new(),
        tables_used: HashSet::new(),
        tables_claimed: HashMap::new(),
        numbers: HashMap::new(),
        deleted: BTreeSet::new(),
        next_serial: 0,
        next_body: 0,
    };
    if world.run().is_ok() && !world.engine.is_stopped() {
        world.finish();
    }
    let World { vfs, commits, coverage, .. } = world;
    History { vfs, commits, coverage }
}

/// Whether an error is one that a failing disk may cause.
pub(crate) fn is_stated(error: &Error) -> bool {
    ["58030", "53100", "08007"].contains(&error.sqlstate().0)
}

/// A session that fails where it would wait.
fn impatient(engine: &Engine) -> Participant {
    let mut party = engine.participant();
    party.lock_timeout = Some(Duration::from_millis(1));
    party
}

/// The run cannot go on: the database stopped, or could not be opened again.
struct Stopped;

type Step = std::result::Result<(), Stopped>;

impl World {
    fn run(&mut self) -> Step {
        self.prepare()?;
        for step in 0..self.plan.steps {
            if step == self.plan.steps / 3 {
                self.reopen_after_close()?;
            } else if step == self.plan.steps * 2 / 3 {
                self.reopen_after_loss()?;
            } else {
                self.step()?;
            }
        }
        Ok(())
    }

    /// An I/O error, if the run may meet one.
    fn failed(&mut self, error: &Error, what: &str) -> Step {
        assert!(self.plan.faulty && is_stated(error), "{what}: {error}, {}", error.sqlstate().0);
        self.coverage.errors += 1;
        if self.engine.is_stopped() { Err(Stopped) } else { Ok(()) }
    }

    fn step(&mut self) -> Step {
        if self.draws.one_in(self.plan.cut_every) {
            return self.cut();
        }
        if self.draws.one_in(25) {
            let limit = if self.draws.one_in(2) { usize::MAX } else { 5 };
            return match self.engine.store().collect_garbage(limit) {
                Ok(_) => Ok(()),
                Err(error) => self.failed(&error, "collecting garbage"),
            };
        }
        let session = self.draws.below(self.sessions.len() as u64) as usize;
        if self.sessions[session].open.is_none() {
            self.begin(session);
            return Ok(());
        }
        match self.draws.below(100) {
            0..22 => self.insert(session, 1),
            22..27 => {
                let rows = 1 + self.draws.below(30);
                self.insert(session, rows)
            }
            27..57 => self.update(session),
            57..70 => self.delete(session),
            70..76 => self.savepoint(session),
            76..82 => self.rollback_to(session),
            82..85 => self.change_schema(session),
            85..87 => self.compare(session),
            87..96 => self.commit(session),
            _ => self.rollback(session),
        }
    }

    fn begin(&mut self, session: usize) {
        let slot = &mut self.sessions[session];
        let party = slot.party.take().expect("a session without a transaction");
        let shared = self.engine.store().transactions();
        slot.open = Some(Open {
            serial: self.next_serial,
            tx: Transaction::begin(shared, party, Isolation::ReadCommitted),
            draft: Draft::default(),
            savepoints: Vec::new(),
            redo: 0,
            schema_changes: 0,
        });
        self.next_serial += 1;
    }

    fn open(&mut self, session: usize) -> &mut Open {
        self.sessions[session].open.as_mut().expect("a transaction")
    }

    fn draft(&self, session: usize) -> &Draft {
        &self.sessions[session].open.as_ref().expect("a transaction").draft
    }

    // ------------------------------------------------------------------------------------------ first tables

    /// Two tables with rows, one keyed by its row ids and one not.
    fn prepare(&mut self) -> Step {
        self.begin(0);
        for key in [RowKey::Column(ID), RowKey::Hidden] {
            let mut indexes: Vec<(bool, &[(u16, bool)])> =
                vec![(true, &[(NUMBER, false)]), (false, &[(WORD, true), (NUMBER, false)])];
            if key == RowKey::Hidden {
                indexes.push((true, &[(ID, false)]));
            }
            self.create_table(0, key, &indexes)?;
        }
        if self.sessions[0].open.is_none() {
            return Ok(());
        }
        let tables: Vec<ObjectId> = self.draft(0).tables.keys().copied().collect();
        for table in tables {
            let rows = (0..self.plan.rows as i64).filter(|id| id % 8 != 0);
            let unique = |id: i64, row: &Row| Arc::new(Row { number: Some(id * 4), ..row.clone() });
            let rows: Vec<_> = rows.map(|id| (id, unique(id, &self.row(table, id)))).collect();
            for rows in rows.chunks(200) {
                self.insert_rows(0, table, rows)?;
            }
        }
        self.cut()?;
        self.commit(0)
    }

    /// A row for the key, often with a number that it has had before.
    fn row(&mut self, table: ObjectId, id: i64) -> Arc<Row> {
        let before = self.numbers.entry((table, id)).or_default();
        let number = if !before.is_empty() && self.draws.one_in(2) {
            *self.draws.pick(before)
        } else if self.draws.one_in(8) {
            None
        } else if self.draws.one_in(10) {
            Some(self.draws.below(self.plan.rows * 4) as i64)
        } else {
            Some(id * 4 + self.draws.below(4) as i64)
        };
        let word = (!self.draws.one_in(6)).then(|| {
            let word = ["", "\0", "ash", "beech", "elm", "oak", "a word that does not fit a cell"];
            Arc::from(*self.draws.pick(&word))
        });
        Arc::new(Row { number, word, body: self.body() })
    }

    fn body(&mut self) -> Arc<str> {
        let length = match self.draws.below(40) {
            0 => 40_000,
            1 | 2 => 3_000 + self.draws.below(8_000),
            3..10 => self.draws.below(13),
            _ => 100 + self.draws.below(900),
        };
        self.next_body += 1;
        let pattern = format!("{}.", self.next_body);
        Arc::from(&pattern.repeat(length as usize / pattern.len() + 1)[..length as usize])
    }

    // -------------------------------------------------------------------------------------------- statements

    /// Claims what writing a row touches; false if another session has some of it.
    fn claim(&mut self, session: usize, table: ObjectId, id: i64, new: Option<&Row>) -> bool {
        let draft = &self.sessions[session].open.as_ref().expect("a transaction").draft;
        let old = draft.row(&self.committed, table, id).cloned();
        let mut keys = Vec::new();
        for index in draft.indexes(&self.committed, table).values().filter(|index| index.unique) {
            for row in old.as_deref().into_iter().chain(new) {
                let (key, null) = row.key(id, index);
                if !null {
                    keys.push((index.object, key));
                }
            }
        }
        let free = |holder: Option<&usize>| holder.is_none_or(|holder| *holder == session);
        let all_free = free(self.tables_claimed.get(&table))
            && free(self.rows_claimed.get(&(table, id)))
            && keys.iter().all(|key| free(self.keys_claimed.get(key)));
        if all_free {
            self.tables_used.insert((table, session));
            self.rows_claimed.insert((table, id), session);
            self.keys_claimed.extend(keys.into_iter().map(|key| (key, session)));
        }
        all_free
    }

    /// Claims a table for one session; false if another one uses it.
    fn claim_table(&mut self, session: usize, table: ObjectId) -> bool {
        let used = self.tables_used.iter().any(|(other, by)| *other == table && *by != session);
        let held = self.tables_claimed.get(&table).is_some_and(|holder| *holder != session);
        if !used && !held {
            self.tables_claimed.insert(table, session);
        }
        !used && !held
    }

    fn release(&mut self, session: usize) {
        self.rows_claimed.retain(|_, holder| *holder != session);
        self.keys_claimed.retain(|_, holder| *holder != session);
        self.tables_used.retain(|(_, holder)| *holder != session);
        self.tables_claimed.retain(|_, holder| *holder != session);
    }

    /// Whether a row of these values would share a key with another one that the transaction sees.
    fn violates(&self, session: usize, table: ObjectId, id: i64, row: &Row, inserts: bool) -> bool {
        let draft = self.draft(session);
        if inserts && draft.row(&self.committed, table, id).is_some() {
            return true;
        }
        let indexes = draft.indexes(&self.committed, table);
        let unique: Vec<_> = indexes.values().filter(|index| index.unique).collect();
        let rows = draft.rows(&self.committed, table);
        unique.iter().any(|index| {
            let (key, null) = row.key(id, index);
            !null && rows.iter().any(|(other, row)| *other != id && row.key(*other, index).0 == key)
        })
    }

    /// Runs a statement in a transaction that is open, and takes it back if it fails. Whether it was done.
    fn note(&self, session: usize, what: impl FnOnce() -> String) {
        if self.plan.trace {
            let serial = self.sessions[session].open.as_ref().map(|open| open.serial);
            println!("{}: session {session}, {serial:?}: {}", self.vfs.current_point(), what());
        }
    }

    fn statement(
        &mut self,
        session: usize,
        violates: bool,
        run: impl FnOnce(&Engine, &mut Transaction) -> Result<Written>,
    ) -> std::result::Result<bool, Stopped> {
        let engine = Rc::clone(&self.engine);
        let tx = &mut self.open(session).tx;
        let mark = tx.start_statement();
        match run(&engine, tx) {
            Ok(written) => {
                assert_eq!(written, Written::Done);
                assert!(!violates, "a second row with the key was taken");
                return Ok(true);
            }
            Err(error) if error.sqlstate().0 == "23505" => {
                assert!(violates, "{error}, but there is no such row");
                self.coverage.violations += 1;
                if self.draws.one_in(10) {
                    self.cut()?;
                }
            }
            Err(error) => self.failed(&error, "a statement")?,
        }
        if let Err(error) = self.open(session).tx.rollback_to(mark, engine.store()) {
            self.failed(&error, "taking a statement back")?;
            self.give_up(session);
        }
        Ok(false)
    }

    /// A rollback that cannot be finished: the rows stay locked until the next opening.
    fn give_up(&mut self, session: usize) {
        let open = self.sessions[session].open.take().expect("a transaction");
        let (_, result) = open.tx.rollback(self.engine.store());
        drop(result);
        let kept = usize::MAX - session;
        self.rows_claimed.values_mut().filter(|holder| **holder == session).for_each(|holder| *holder = kept);
        self.keys_claimed.values_mut().filter(|holder| **holder == session).for_each(|holder| *holder = kept);
        let used: Vec<ObjectId> =
            self.tables_used.iter().filter(|(_, by)| *by == session).map(|(table, _)| *table).collect();
        self.tables_used.extend(used.into_iter().map(|table| (table, kept)));
        self.tables_claimed
            .values_mut()
            .filter(|holder| **holder == session)
            .for_each(|holder| *holder = kept);
        self.sessions[session].party = Some(impatient(&self.engine));
    }

    fn tables(&self, session: usize) -> Vec<ObjectId> {
        let draft = self.draft(session);
        let tables = self.committed.tables.keys().chain(draft.tables.keys());
        tables.copied().filter(|table| !draft.dropped.contains(table)).collect()
    }

    fn insert(&mut self, session: usize, count: u64) -> Step {
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        let mut rows = Vec::new();
        for _ in 0..count {
            let gone: Vec<i64> =
                self.deleted.range((table, i64::MIN)..=(table, i64::MAX)).map(|(_, id)| *id).collect();
            let id = if !gone.is_empty() && self.draws.one_in(2) {
                *self.draws.pick(&gone)
            } else {
                self.draws.below(self.plan.rows * 2) as i64 - 10
            };
            let row = self.row(table, id);
            if rows.iter().any(|(other, _)| *other == id) || !self.claim(session, table, id, Some(&row)) {
                continue;
            }
            let clash = |index: &rustdb::table::IndexDef| {
                let (key, null) = row.key(id, index);
                !null && rows.iter().any(|(other, row): &(i64, Arc<Row>)| row.key(*other, index).0 == key)
            };
            let indexes = self.draft(session).indexes(&self.committed, table);
            if !indexes.values().filter(|index| index.unique).any(clash) {
                rows.push((id, row));
            }
        }
        if rows.is_empty() { Ok(()) } else { self.insert_rows(session, table, &rows) }
    }

    fn insert_rows(&mut self, session: usize, table: ObjectId, rows: &[(i64, Arc<Row>)]) -> Step {
        if self.sessions[session].open.is_none() {
            return Ok(());
        }
        let violates = rows.iter().any(|(id, row)| self.violates(session, table, *id, row, true));
        self.note(session, || {
            format!(
                "insert {table} {:?}, {violates}",
                rows.iter().map(|(id, row)| (id, &row.body[..row.body.len().min(4)])).collect::<Vec<_>>()
            )
        });
        for (id, row) in rows {
            if !self.claim(session, table, *id, Some(row)) {
                return Ok(());
            }
        }
        let done = self.statement(session, violates, |engine, tx| {
            let table = engine.store().table(table)?;
            driver::insert(engine, tx, &table, rows).map(|()| Written::Done)
        })?;
        if done {
            for (id, row) in rows {
                self.numbers.entry((table, *id)).or_default().push(row.number);
                self.coverage.revived += u64::from(self.deleted.remove(&(table, *id)));
                let open = self.open(session);
                open.redo += row.body.len();
                open.draft.rows.insert((table, *id), Some(Arc::clone(row)));
            }
        }
        Ok(())
    }

    /// A row that the transaction sees, and may write.
    fn choose(&mut self, session: usize) -> Option<(ObjectId, i64, Arc<Row>)> {
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        let rows: Rows = self.draft(session).rows(&self.committed, table);
        let ids: Vec<i64> = rows.keys().copied().collect();
        if ids.is_empty() {
            return None;
        }
        let id = *self.draws.pick(&ids);
        Some((table, id, Arc::clone(&rows[&id])))
    }

    fn update(&mut self, session: usize) -> Step {
        let Some((table, id, old)) = self.choose(session) else { return Ok(()) };
        let values = self.row(table, id);
        let mut columns: Vec<u16> =
            [NUMBER, WORD, BODY].into_iter().filter(|_| self.draws.one_in(2)).collect();
        if columns.is_empty() {
            columns.push(NUMBER);
        }
        let mut new = Row::clone(&old);
        for column in &columns {
            match *column {
                NUMBER => new.number = values.number,
                WORD => new.word.clone_from(&values.word),
                _ => new.body = Arc::clone(&values.body),
            }
        }
        if !self.claim(session, table, id, Some(&new)) {
            return Ok(());
        }
        let violates = self.violates(session, table, id, &new, false);
        self.note(session, || {
            format!("update {table} {id} {columns:?} {}, {violates}", &new.body[..new.body.len().min(4)])
        });
        let done = self.statement(session, violates, |engine, tx| {
            driver::update(engine, tx, &*engine.store().table(table)?, id, &columns, &new)
        })?;
        if done {
            let before = self.numbers.entry((table, id)).or_default();
            if old.number != new.number && before.contains(&new.number) {
                self.coverage.back_to_old_keys += 1;
            }
            before.push(new.number);
            let open = self.open(session);
            open.redo += if columns.contains(&BODY) { new.body.len() } else { 20 };
            open.draft.rows.insert((table, id), Some(Arc::new(new)));
        }
        Ok(())
    }

    fn delete(&mut self, session: usize) -> Step {
        let Some((table, id, _)) = self.choose(session) else { return Ok(()) };
        if !self.claim(session, table, id, None) {
            return Ok(());
        }
        self.note(session, || format!("delete {table} {id}"));
        let done = self.statement(session, false, |engine, tx| {
            driver::delete(engine, tx, &*engine.store().table(table)?, id)
        })?;
        if done {
            self.open(session).draft.rows.insert((table, id), None);
            self.deleted.insert((table, id));
        }
        Ok(())
    }

    /// Compares a table with the model, as the transaction sees both.
    fn compare(&mut self, session: usize) -> Step {
        let tables = self.tables(session);
        let object = *self.draws.pick(&tables);
        let engine = Rc::clone(&self.engine);
        let tx = &mut self.open(session).tx;
        tx.start_statement();
        let found = engine.store().table(object).and_then(|table| driver::scan(&engine, tx, &table));
        match found {
            Ok((rows, _)) => {
                let expected = self.draft(session).rows(&self.committed, object);
                if let Some(difference) = row_difference(&expected, &rows) {
                    panic!("table {object} as session {session} sees it: {difference}");
                }
                Ok(())
            }
            Err(error) => self.failed(&error, "a scan"),
        }
    }

    // ---------------------------------------------------------------------------------------------- schema

    fn change_schema(&mut self, session: usize) -> Step {
        if self.tables(session).len() < 5 && self.draws.one_in(2) {
            let key = if self.draws.one_in(2) { RowKey::Hidden } else { RowKey::Column(ID) };
            let mut indexes: Vec<(bool, &[(u16, bool)])> = Vec::new();
            if key == RowKey::Hidden {
                indexes.push((self.draws.one_in(2), &[(ID, false)]));
            }
            if self.draws.one_in(2) {
                indexes.push((true, &[(WORD, false), (ID, true)]));
            }
            return self.create_table(session, key, &indexes);
        }
        let tables = self.tables(session);
        let table = *self.draws.pick(&tables);
        if !self.claim_table(session, table) {
            return Ok(());
        }
        let indexes = self.draft(session).indexes(&self.committed, table);
        if self.draws.one_in(3) && tables.len() > 3 {
            return self.drop_object(session, table);
        }
        // The index of keys stays: it is how rows of tables with hidden ids are found.
        let extra = indexes.values().find(|index| index.columns[0].column != ID).map(|index| index.object);
        match extra {
            Some(index) if indexes.len() > 3 || self.draws.one_in(4) => self.drop_object(session, index),
            _ if indexes.len() < 5 => {
                let columns: [&[(u16, bool)]; 4] = [
                    &[(NUMBER, true)],
                    &[(WORD, false)],
                    &[(NUMBER, false), (WORD, true)],
                    &[(WORD, true), (ID, false)],
                ];
                let columns = *self.draws.pick(&columns);
                let unique = self.draws.one_in(3);
                self.create_index(session, table, unique, columns)
            }
            _ => Ok(()),
        }
    }

    fn create_table(&mut self, session: usize, key: RowKey, indexes: &[(bool, &[(u16, bool)])]) -> Step {
        if self.sessions[session].open.is_none() {
            return Ok(());
        }
        let def = table_def(self.engine.store().allocate_object(), key);
        let object = def.object;
        let created = def.clone();
        let before = self.open(session).tx.mark();
        let drafted = self.draft(session).clone();
        let done = self.statement(session, false, |engine, tx| {
            engine.store().create_table(tx, &created).map(|_| Written::Done)
        })?;
        if !done {
            return Ok(());
        }
        self.tables_claimed.insert(object, session);
        let open = self.open(session);
        open.draft.tables.insert(object, def);
        open.schema_changes += 1;
        for (unique, columns) in indexes {
            self.create_index(session, object, *unique, columns)?;
            let lost = self.sessions[session].open.as_ref().is_none_or(|open| {
                !open
                    .draft
                    .indexes
                    .values()
                    .any(|(of, index)| *of == object && index.columns.len() == columns.len())
            });
            if lost {
                // An I/O error took the index: the table goes, too.
                return self.back_to(session, before, drafted);
            }
        }
        Ok(())
    }

    fn create_index(
        &mut self,
        session: usize,
        table: ObjectId,
        unique: bool,
        columns: &[(u16, bool)],
    ) -> Step {
        let def = index_def(self.engine.store().allocate_object(), unique, columns);
        let rows = self.draft(session).rows(&self.committed, table);
        let mut keys = HashSet::new();
        let violates = unique
            && rows.iter().any(|(id, row)| {
                let (key, null) = row.key(*id, &def);
                !null && !keys.insert(key)
            });
        let created = def.clone();
        let done = self.statement(session, violates, |engine, tx| {
            engine.store().create_index(tx, &*engine.store().table(table)?, &created).map(|_| Written::Done)
        })?;
        if done {
            let open = self.open(session);
            open.draft.indexes.insert(def.object, (table, def));
            open.schema_changes += 1;
        }
        Ok(())
    }

    fn drop_object(&mut self, session: usize, object: ObjectId) -> Step {
        let done = self.statement(session, false, |engine, tx| {
            engine.store().drop_at_commit(tx, object).map(|()| Written::Done)
        })?;
        if done {
            let open = self.open(session);
            open.draft.dropped.insert(object);
            open.schema_changes += 1;
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ transactions

    fn savepoint(&mut self, session: usize) -> Step {
        let open = self.open(session);
        let mark = open.tx.mark();
        self.note(session, || format!("savepoint {mark:?}"));
        let open = self.open(session);
        open.savepoints.push((mark, open.draft.clone()));
        Ok(())
    }

    fn rollback_to(&mut self, session: usize) -> Step {
        let savepoints = &mut self.open(session).savepoints;
        let Some((mark, draft)) = savepoints.pop() else { return Ok(()) };
        self.back_to(session, mark, draft)
    }

    fn back_to(&mut self, session: usize, mark: Mark, draft: Draft) -> Step {
        let Some(open) = self.sessions[session].open.as_ref() else { return Ok(()) };
        let serial = open.serial;
        let engine = Rc::clone(&self.engine);
        let after = if self.draws.one_in(3) { 1 + self.draws.below(4) } else { 0 };
        let target = CutWithin { engine: &engine, after: Cell::new(after), cut: RefCell::new(None) };
        self.note(session, || format!("back to {mark:?}"));
        let open = self.open(session);
        let undone = open.tx.rollback_to(mark, &target);
        if undone.is_ok() {
            open.draft = draft;
        }
        if let Some(cut) = target.cut.into_inner() {
            self.saw_cut(cut, Some(serial))?;
        }
        if let Err(error) = undone {
            self.failed(&error, "ROLLBACK TO")?;
            self.give_up(session);
        }
        Ok(())
    }

    fn commit(&mut self, session: usize) -> Step {
        self.note(session, || "commit".to_owned());
        let Some(open) = self.sessions[session].open.take() else { return Ok(()) };
        let wait = !self.draws.one_in(8);
        let started = self.vfs.current_point();
        let (party, committed) = open.tx.commit(wait, self.engine.store());
        self.sessions[session].party = Some(party);
        let now = self.vfs.current_point();
        match committed {
            Ok(None) => {}
            Ok(Some(_)) => {
                open.draft.apply(&mut self.committed);
                self.commits.push(Commit { started, durable: None, state: self.committed.clone() });
                if wait {
                    self.durable_at(now);
                }
                self.coverage.ends.insert(open.serial, End::Committed);
                self.coverage.largest_redo = self.coverage.largest_redo.max(open.redo);
                self.coverage.schema_changes_committed += open.schema_changes;
            }
            Err(error) => {
                if error.sqlstate().0 == "08007" {
                    assert!(self.engine.is_stopped(), "an outcome is unknown only when the log has failed");
                    open.draft.apply(&mut self.committed);
                    self.commits.push(Commit { started, durable: None, state: self.committed.clone() });
                }
                self.failed(&error, "COMMIT")?;
            }
        }
        self.release(session);
        Ok(())
    }

    fn rollback(&mut self, session: usize) -> Step {
        self.note(session, || "rollback".to_owned());
        let Some(open) = self.sessions[session].open.take() else { return Ok(()) };
        let engine = Rc::clone(&self.engine);
        let after = if self.draws.one_in(4) { 1 + self.draws.below(6) } else { 0 };
        let target = CutWithin { engine: &engine, after: Cell::new(after), cut: RefCell::new(None) };
        let (party, undone) = open.tx.rollback(&target);
        self.sessions[session].party = Some(party);
        self.coverage.ends.insert(open.serial, End::RolledBack);
        self.coverage.schema_changes_undone += open.schema_changes;
        if let Some(cut) = target.cut.into_inner() {
            self.saw_cut(cut, None)?;
        }
        match undone {
            Ok(()) => self.release(session),
            Err(error) => {
                self.failed(&error, "ROLLBACK")?;
                // What could not be taken back stays locked.
                self.sessions[session].open = None;
                self.begin(session);
                self.give_up(session);
            }
        }
        Ok(())
    }

    fn durable_at(&mut self, point: u64) {
        for commit in self.commits.iter_mut().rev().take_while(|commit| commit.durable.is_none()) {
            commit.durable = Some(point);
        }
    }

    fn cut(&mut self) -> Step {
        let cut = self.engine.checkpoint();
        self.saw_cut(cut, None)
    }

    fn saw_cut(&mut self, cut: Result<()>, inside_rollback: Option<u64>) -> Step {
        if let Err(error) = cut {
            return self.failed(&error, "a cut");
        }
        self.durable_at(self.vfs.current_point());
        self.note(0, || "cut".to_owned());
        let open = self.sessions.iter().filter_map(|session| session.open.as_ref());
        let open = open.filter(|open| open.tx.id().is_some()).map(|open| open.serial).collect();
        self.coverage.cuts.push(CutSeen { open, inside_rollback });
        Ok(())
    }

    // ---------------------------------------------------------------------------------------------- openings

    fn open_again(&mut self, seed: u64) -> Step {
        let shared: Arc<dyn Vfs> = Arc::new(self.vfs.clone());
        for session in 0..self.sessions.len() {
            self.release(session);
        }
        (self.rows_claimed, self.keys_claimed) = (HashMap::new(), HashMap::new());
        (self.tables_used, self.tables_claimed) = (HashSet::new(), HashMap::new());
        match driver::open(&shared, self.plan.seed + seed) {
            Ok(engine) => self.engine = Rc::new(engine),
            Err(error) => {
                assert!(self.plan.faulty && is_stated(&error), "opening: {error}");
                self.coverage.errors += 1;
                return Err(Stopped);
            }
        }
        for session in &mut self.sessions {
            session.party = Some(impatient(&self.engine));
        }
        self.durable_at(self.vfs.current_point());
        Ok(())
    }

    fn end_all(&mut self) -> Step {
        for session in 0..self.sessions.len() {
            if self.draws.one_in(2) { self.commit(session)? } else { self.rollback(session)? }
        }
        for session in &mut self.sessions {
            session.party = None;
        }
        Ok(())
    }

    fn reopen_after_close(&mut self) -> Step {
        self.end_all()?;
        self.close()?;
        self.open_again(1)
    }

    fn close(&mut self) -> Step {
        // The engine is replaced by the next opening; until then nothing may be left of it but this.
        let engine = std::mem::replace(&mut self.engine, Rc::new(empty()));
        let engine = Rc::try_unwrap(engine).ok().expect("nobody else has the engine");
        match engine.close() {
            Ok(()) => {
                self.durable_at(self.vfs.current_point());
                Ok(())
            }
            Err(error) => {
                assert!(self.plan.faulty && is_stated(&error), "closing: {error}");
                self.coverage.errors += 1;
                Ok(())
            }
        }
    }

    /// As after a kill: transactions are open, and nothing more is said to the disk.
    fn reopen_after_loss(&mut self) -> Step {
        for session in &mut self.sessions {
            *session = Session { party: None, open: None };
        }
        self.open_again(2)
    }

    /// Compares everything at the end of the run.
    fn finish(&mut self) {
        if self.end_all().is_err() {
            return;
        }
        let undone = self.rows_claimed.is_empty() && self.tables_used.is_empty();
        let cut = self.engine.checkpoint();
        let found = cut.and_then(|()| oracle::read(&self.engine));
        match found {
            Ok(found) => {
                let difference = self.committed.difference(&found);
                assert!(!undone || found == self.committed, "at the end of the run: {difference}");
            }
            Err(error) => assert!(self.plan.faulty, "reading at the end of the run: {error}"),
        }
    }
}

fn empty() -> Engine {
    let vfs: Arc<dyn Vfs> = Arc::new(rustdb::vfs::MemoryVfs::new());
    driver::open(&vfs, 0).expect("an empty database in memory")
}
