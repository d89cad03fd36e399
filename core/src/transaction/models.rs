//! The lock-free protocols of this module under shuttle's scheduler, which interleaves threads at every
//! atomic access: `RUSTFLAGS="--cfg shuttle" cargo test -p rustdb models`.

use super::{
    Cancel, CommitOrder, Durability, Locks, Patience, RowKey, RowLockMode, RowOps, SnapshotKind, Snapshots,
    Stamp, StampState, Status, StatusTable, TableLockMode,
};
use crate::ids::{Lsn, ObjectId, RowId, Timestamp, TransactionId};
use crate::vfs::ManualClock;
use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::{check_pct, check_random, thread};
use std::sync::Arc;

/// Random schedules, and such with few but badly placed switches.
fn explore(model: fn()) {
    check_random(model, 3_000);
    check_pct(model, 3_000, 3);
}

#[test]
fn no_horizon_passes_a_snapshot_being_taken() {
    explore(|| {
        let registry = Snapshots::new(Timestamp(1));
        let readers: Vec<_> = [SnapshotKind::Latest, SnapshotKind::Durable]
            .into_iter()
            .map(|kind| {
                let registry = Arc::clone(&registry);
                thread::spawn(move || {
                    let mut session = registry.session();
                    for _ in 0..2 {
                        let first = session.acquire(kind);
                        let second = session.acquire(SnapshotKind::Acknowledged);
                        assert!(registry.last_horizon() <= first.ts());
                        drop(first);
                        thread::yield_now();
                        assert!(registry.last_horizon() <= second.ts());
                    }
                })
            })
            .collect();
        let scanner = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                for _ in 0..3 {
                    registry.horizon();
                    let oldest = registry.active_snapshots().oldest();
                    assert!(oldest <= registry.last_horizon());
                }
            })
        };
        for ts in 2..6 {
            registry.publish(Timestamp(ts));
            registry.made_durable(Timestamp(ts));
        }
        scanner.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(registry.horizon(), Timestamp(5));
    });
}

#[test]
fn the_barrier_is_alone_and_everybody_wakes() {
    explore(|| {
        let ops = Arc::new(RowOps::default());
        let inside = Arc::new(AtomicU64::new(0));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (ops, inside) = (Arc::clone(&ops), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let guard = ops.enter();
                        inside.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(guard);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            ops.barrier(|| {
                assert_eq!(inside.load(Ordering::SeqCst), 0);
                thread::yield_now();
                assert_eq!(inside.load(Ordering::SeqCst), 0);
            });
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn a_slot_serves_one_transaction_at_a_time() {
    explore(|| {
        let table = Arc::new(StatusTable::with_limit(2));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let Ok(id) = table.begin() else { continue };
                        assert_eq!(table.status(id), Status::Active);
                        table.abort(id);
                        assert_eq!(table.status(id), Status::Aborted);
                        table.release(id);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(table.begin().is_ok() && table.begin().is_ok() && table.begin().is_err());
    });
}

#[test]
fn what_a_snapshot_covers_is_committed() {
    explore(|| {
        let order = Arc::new(CommitOrder::new(
            Arc::new(StatusTable::with_limit(2)),
            Snapshots::new(Timestamp(0)),
            Durability::Logged,
        ));
        let statuses = order.statuses();
        let ids = [statuses.begin().unwrap(), statuses.begin().unwrap()];
        let stamps = Arc::new(ids.map(Stamp::pending));
        let by_ts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let committers: Vec<_> = (0..2)
            .map(|number| {
                let (order, stamps, by_ts) = (Arc::clone(&order), Arc::clone(&stamps), Arc::clone(&by_ts));
                thread::spawn(move || {
                    let id = ids[number];
                    let commit = order
                        .commit(id, |ts| {
                            by_ts[ts.0 as usize - 1].store(id.0, Ordering::SeqCst);
                            Ok(Lsn(ts.0))
                        })
                        .unwrap();
                    order.durable(commit.lsn);
                    assert!(order.snapshots().durable_ts() >= commit.ts);
                    assert_eq!(stamps[number].resolve(order.statuses()), StampState::Committed(commit.ts));
                    order.statuses().release(id);
                    order.statuses().begin().unwrap();
                })
            })
            .collect();
        let mut session = order.snapshots().session();
        for _ in 0..3 {
            let view = session.acquire(SnapshotKind::Latest);
            for ts in 1..=view.ts().0 {
                let id = TransactionId(by_ts[ts as usize - 1].load(Ordering::SeqCst));
                let number = ids.iter().position(|&known| known == id).unwrap();
                assert_eq!(stamps[number].resolve(order.statuses()), StampState::Committed(Timestamp(ts)));
            }
        }
        committers.into_iter().for_each(|committer| committer.join().unwrap());
    });
}

/// Without a timeout, so that a lost wake-up is a deadlock, which the scheduler reports.
fn patience(cancel: &Cancel) -> Patience<'_> {
    Patience { cancel, lock_timeout: None, weight: 0 }
}

#[test]
fn weak_and_strong_table_locks_meet() {
    explore(|| {
        let locks = Locks::new(Arc::new(StatusTable::with_limit(1)));
        let strong_inside = Arc::new(AtomicU64::new(0));
        let modes = [TableLockMode::AccessShare, TableLockMode::RowExclusive, TableLockMode::AccessExclusive];
        let threads: Vec<_> = modes
            .into_iter()
            .map(|mode| {
                let mut locker = locks.locker();
                let strong_inside = Arc::clone(&strong_inside);
                thread::spawn(move || {
                    let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
                    for _ in 0..2 {
                        locker.lock_table(ObjectId(1), mode, &patience(&cancel)).unwrap();
                        if mode == TableLockMode::AccessExclusive {
                            strong_inside.store(1, Ordering::SeqCst);
                            strong_inside.store(0, Ordering::SeqCst);
                        } else {
                            assert_eq!(strong_inside.load(Ordering::SeqCst), 0);
                        }
                        locker.end_transaction();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(locks.entries().is_empty());
    });
}

#[test]
fn waiters_wake_at_the_end_of_a_transaction() {
    explore(|| {
        let statuses = Arc::new(StatusTable::with_limit(2));
        let locks = Locks::new(Arc::clone(&statuses));
        let id = statuses.begin().unwrap();
        let key = RowKey { table: ObjectId(1), row: RowId(1) };
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let mut locker = locks.locker();
                thread::spawn(move || {
                    let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
                    let mut turn = None;
                    locker.wait_for_writer(key, id, &mut turn, &patience(&cancel)).unwrap();
                })
            })
            .collect();
        statuses.abort(id);
        locks.finish(id);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert!(locks.entries().is_empty());
    });
}

#[test]
fn a_partial_rollback_is_not_missed() {
    explore(|| {
        let statuses = Arc::new(StatusTable::with_limit(1));
        let locks = Locks::new(Arc::clone(&statuses));
        let id = statuses.begin().unwrap();
        let key = RowKey { table: ObjectId(1), row: RowId(1) };
        let mut writer = locks.locker();
        writer.assign(id);
        let written = Arc::new(AtomicBool::new(true));
        let waiter = {
            let (mut locker, written) = (locks.locker(), Arc::clone(&written));
            thread::spawn(move || {
                let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
                let mut turn = None;
                while written.load(Ordering::SeqCst) {
                    locker.wait_for_writer(key, id, &mut turn, &patience(&cancel)).unwrap();
                }
            })
        };
        written.store(false, Ordering::SeqCst);
        writer.rolled_back_partly();
        // The transaction goes on; nobody waits for its end.
        waiter.join().unwrap();
        statuses.abort(id);
        writer.end_transaction();
        assert!(locks.entries().is_empty());
    });
}

#[test]
fn two_who_want_each_others_row_deadlock_once() {
    explore(|| {
        let locks = Locks::new(Arc::new(StatusTable::with_limit(1)));
        let key = |row| RowKey { table: ObjectId(1), row: RowId(row) };
        let lockers = [0, 1].map(|number| {
            let mut locker = locks.locker();
            assert!(locker.try_lock_row(key(number), RowLockMode::Update));
            (locker, number)
        });
        let threads = lockers.map(|(mut locker, number)| {
            thread::spawn(move || {
                let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
                locker.lock_row(key(1 - number), RowLockMode::Share, &patience(&cancel)).is_err()
            })
        });
        let failures = threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count();
        assert_eq!(failures, 1);
        assert!(locks.entries().is_empty());
    });
}

#[test]
fn a_cancelled_waiter_wakes() {
    explore(|| {
        let statuses = Arc::new(StatusTable::with_limit(1));
        let locks = Locks::new(Arc::clone(&statuses));
        let id = statuses.begin().unwrap();
        let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
        let waiter = {
            let (mut locker, cancel) = (locks.locker(), Arc::clone(&cancel));
            thread::spawn(move || locker.wait_for_end(id, &patience(&cancel)).is_err())
        };
        cancel.cancel();
        assert!(waiter.join().unwrap());
        assert!(locks.entries().is_empty());
    });
}
