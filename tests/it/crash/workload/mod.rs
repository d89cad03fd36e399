//! A run of several sessions over one engine, interleaved in one thread by a seed, next to a model of it.
//!
//! No session ever has to wait: before a statement runs, the rows and unique keys it will touch are claimed for its
//! transaction, and a statement whose claims another session holds is left out.
//!
//! ```text
//! mod.rs            the run: its plan, its steps, its first tables, and the history it leaves
//! statements.rs     claims, and statements over rows
//! schema.rs         tables and indexes made and dropped
//! transactions.rs   savepoints, ends of transactions, cuts
//! openings.rs       closing, losing, opening again
//! ```

mod openings;
mod schema;
mod statements;
mod transactions;

use super::driver::{self, Draws};
use super::model::{Draft, ID, NUMBER, Row, State, WORD};
use rustdb::Error;
use rustdb::engine::Engine;
use rustdb::ids::ObjectId;
use rustdb::table::RowKey;
use rustdb::transaction::{Isolation, Mark, Participant, Transaction};
use rustdb::vfs::{FaultVfs, Vfs};
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
    /// The size that all files together may have in the first third of the run.
    pub(crate) space: u64,
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

/// A run in progress.
pub(crate) struct World {
    plan: Plan,
    vfs: FaultVfs,
    seen: Arc<dyn Vfs>,
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
    let seen = Arc::new(vfs.clone());
    run_over(vfs, seen, plan)
}

/// Runs a plan on `seen`, a view of the disk `vfs`.
pub(crate) fn run_over(vfs: FaultVfs, seen: Arc<dyn Vfs>, plan: Plan) -> History {
    vfs.limit_space(plan.space);
    let first = Commit { started: 0, durable: Some(0), state: State::default() };
    let engine = match driver::open(&seen, plan.seed) {
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
        seen,
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

type Step = Result<(), Stopped>;

impl World {
    fn run(&mut self) -> Step {
        self.prepare()?;
        for step in 0..self.plan.steps {
            if step == self.plan.steps / 3 {
                self.vfs.limit_space(u64::MAX);
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
        self.note(0, || format!("{what} failed: {error}; stopped: {}", self.engine.is_stopped()));
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
}
