//! Transfers between accounts under many threads, while cuts are taken and garbage is cleared.

use super::{Session, assert_sound, create, open, table_of};
use rustdb::engine::Engine;
use rustdb::ids::ObjectId;
use rustdb::table::{Table, Written};
use rustdb::transaction::Isolation;
use rustdb::vfs::{CrashMode, FaultVfs, MemoryVfs, SeededRng, Vfs};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;

const ACCOUNTS: i64 = 200;
const TOTAL: i64 = ACCOUNTS * 1000;
const THREADS: u64 = 8;

/// Above the accounts each thread has a row that counts its transfers, in the same transactions.
fn counter(thread: u64) -> i64 {
    ACCOUNTS + 1 + thread as i64
}

/// A transfer that was asked for at one point of the disk's operations, and acknowledged at another.
struct Transfer {
    thread: u64,
    number: i64,
    started: u64,
    acknowledged: u64,
}

/// Makes `transfers` of each thread; deadlocks and conflicts are tried again.
fn run(engine: &Engine, table: &Arc<Table>, transfers: i64, point: impl Fn() -> u64 + Sync) -> Vec<Transfer> {
    let over = AtomicBool::new(false);
    let mut done = Vec::new();
    scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let point = &point;
                scope.spawn(move || work(engine, table, thread, transfers, point))
            })
            .collect();
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                engine.checkpoint().expect("a cut in memory succeeds");
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                engine.store().collect_garbage(100).expect("clearing in memory succeeds");
                std::thread::yield_now();
            }
        });
        scope.spawn(|| {
            let mut auditor = Session::new(engine, table);
            while !over.load(Ordering::Acquire) {
                auditor.begin(Isolation::RepeatableRead);
                assert_eq!(sum(&auditor.all()), TOTAL, "a snapshot sees whole transfers");
                auditor.rollback();
            }
        });
        for worker in workers {
            done.extend(worker.join().expect("no thread panics"));
        }
        over.store(true, Ordering::Release);
    });
    done
}

fn work(
    engine: &Engine,
    table: &Arc<Table>,
    thread: u64,
    transfers: i64,
    point: &(impl Fn() -> u64 + Sync),
) -> Vec<Transfer> {
    let draws = SeededRng::new(thread);
    let mut session = Session::new(engine, table);
    let mut done = Vec::new();
    for number in 1..=transfers {
        loop {
            let repeatable = draws.below(2) == 0;
            session.begin(if repeatable { Isolation::RepeatableRead } else { Isolation::ReadCommitted });
            let [from, to] = [(), ()].map(|()| draws.below(ACCOUNTS as u64) as i64);
            let amount = draws.below(50) as i64;
            let moved = session.add(from, -amount).and_then(|()| session.add(to, amount));
            let counted = moved.and_then(|()| session.update(counter(thread), number));
            let gives_up = draws.below(10) == 0;
            match counted {
                Ok(written) if !gives_up => {
                    assert_eq!(written, Written::Done, "the row is the thread's own");
                    let started = point();
                    session.commit().expect("a commit in memory succeeds");
                    done.push(Transfer { thread, number, started, acknowledged: point() });
                    break;
                }
                Ok(_) => session.rollback(),
                Err(error) => {
                    assert!(["40001", "40P01"].contains(&error.sqlstate().0), "{error}");
                    session.rollback();
                }
            }
        }
    }
    done
}

fn sum(rows: &BTreeMap<i64, i64>) -> i64 {
    rows.range(0..ACCOUNTS).map(|(_, balance)| balance).sum()
}

fn start(engine: &Engine) -> Arc<Table> {
    let accounts = (0..ACCOUNTS).map(|account| (account, TOTAL / ACCOUNTS));
    create(engine, false, accounts.chain((0..THREADS).map(|thread| (counter(thread), 0))))
}

fn contents(engine: &Engine, table: ObjectId) -> BTreeMap<i64, i64> {
    let mut session = Session::new(engine, &table_of(engine, table));
    session.begin(Isolation::ReadCommitted);
    let rows = session.all();
    session.rollback();
    rows
}

#[test]
fn no_money_is_lost_under_eight_threads() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let engine = open(&vfs, 1);
    let table = start(&engine);
    run(&engine, &table, 300, || 0);
    let object = table.def().object;
    let before = contents(&engine, object);
    assert_eq!(sum(&before), TOTAL);
    drop((table, engine));
    let engine = open(&vfs, 2);
    assert_eq!(contents(&engine, object), before, "after a loss");
    assert_sound(&engine);
    engine.close().expect("nothing is open");
    let engine = open(&vfs, 3);
    assert_eq!(contents(&engine, object), before, "after a close");
}

#[test]
fn no_money_is_lost_when_the_power_fails_under_eight_threads() {
    let disk = FaultVfs::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    let engine = open(&vfs, 1);
    let table = start(&engine);
    let first = disk.current_point();
    let transfers = run(&engine, &table, 60, || disk.current_point());
    let object = table.def().object;
    drop((table, engine));
    let draws = SeededRng::new(5);
    let crashes = if std::env::var_os("RUSTDB_CRASH_FULL").is_some() { 4000 } else { 120 };
    for crash in 0..crashes {
        let point = first + draws.below(disk.current_point() - first + 1);
        let mode = CrashMode::ALL[crash % 4];
        let found: Arc<dyn Vfs> = Arc::new(disk.crash_image(point, mode, crash as u64));
        let engine = open(&found, 100 + crash as u64);
        let rows = contents(&engine, object);
        let place = || format!("{mode:?}, seed {crash}, {}", disk.describe(point));
        assert_eq!(sum(&rows), TOTAL, "{}", place());
        for thread in 0..THREADS {
            let of_thread = || transfers.iter().filter(move |transfer| transfer.thread == thread);
            let number = rows[&counter(thread)];
            let acknowledged = of_thread().filter(|transfer| transfer.acknowledged <= point);
            let started = of_thread().filter(|transfer| transfer.started <= point);
            let least = acknowledged.map(|transfer| transfer.number).max().unwrap_or(0);
            let most = started.map(|transfer| transfer.number).max().unwrap_or(0);
            assert!((least..=most).contains(&number), "{number} of {least}..={most}, {}", place());
        }
        assert_sound(&engine);
    }
}
