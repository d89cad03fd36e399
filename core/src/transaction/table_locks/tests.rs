use super::*;
use crate::transaction::{Cancel, Locks, StatusTable, TableLockMode as T};
use crate::vfs::SystemClock;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

const TABLE: ObjectId = ObjectId(7);

fn database() -> Arc<Locks> {
    Locks::new(Arc::new(StatusTable::default()))
}

fn switch() -> Arc<Cancel> {
    Cancel::new(Arc::new(SystemClock))
}

fn patience(cancel: &Cancel) -> Patience<'_> {
    Patience { cancel, lock_timeout: Some(Duration::from_secs(60)), weight: 0 }
}

fn until_waiting(locks: &Locks, count: usize) {
    while locks.entries().iter().filter(|entry| !entry.granted).count() != count {
        thread::yield_now();
    }
}

fn assert_no_traces(locks: &Locks) {
    assert_eq!(locks.entries(), []);
    assert!(locks.tables.strong.iter().all(|count| count.load(Ordering::SeqCst) == 0));
}

#[test]
fn modes_exclude_each_other_between_sessions() {
    let locks = database();
    let (mut one, mut two) = (locks.locker(), locks.locker());
    for held in T::ALL {
        for wanted in T::ALL {
            assert!(one.try_lock_table(TABLE, held));
            let excluded = TABLE_CONFLICTS[held as usize] & set_of(wanted as u8) != 0;
            assert_eq!(two.try_lock_table(TABLE, wanted), !excluded, "{wanted:?} beside {held:?}");
            assert!(two.try_lock_table(ObjectId(8), wanted));
            one.end_transaction();
            two.end_transaction();
            assert_no_traces(&locks);
        }
    }
}

#[test]
fn one_session_holds_any_modes_together() {
    let locks = database();
    let mut locker = locks.locker();
    for first in T::ALL {
        for second in T::ALL {
            assert!(locker.try_lock_table(TABLE, first) && locker.try_lock_table(TABLE, second));
            assert!(locker.holds_table(TABLE, first) && locker.holds_table(TABLE, second));
            locker.end_transaction();
            assert!(!locker.holds_table(TABLE, T::AccessShare));
            assert_no_traces(&locks);
        }
    }
}

#[test]
fn more_tables_than_slots_go_to_the_queues() {
    let locks = database();
    let (mut one, mut two) = (locks.locker(), locks.locker());
    let tables = || (0..SLOTS as u32 + 9).map(ObjectId);
    let mark = one.mark();
    for table in tables() {
        assert!(one.try_lock_table(table, T::RowExclusive));
    }
    for table in tables() {
        assert!(!two.try_lock_table(table, T::Share), "{table}");
        assert!(two.try_lock_table(table, T::AccessShare), "{table}");
    }
    two.end_transaction();
    one.release_to(mark);
    for table in tables() {
        assert!(two.try_lock_table(table, T::AccessExclusive), "{table}");
    }
    two.end_transaction();
    assert_no_traces(&locks);
}

#[test]
fn a_mark_remembers_modes_of_one_table() {
    let locks = database();
    let (mut one, mut two) = (locks.locker(), locks.locker());
    assert!(one.try_lock_table(TABLE, T::AccessShare));
    let mark = one.mark();
    assert!(one.try_lock_table(TABLE, T::RowExclusive));
    assert!(one.try_lock_table(TABLE, T::Share));
    assert!(!two.try_lock_table(TABLE, T::ShareUpdateExclusive));
    one.release_to(mark);
    assert!(one.holds_table(TABLE, T::AccessShare) && !one.holds_table(TABLE, T::RowShare));
    assert!(two.try_lock_table(TABLE, T::Exclusive));
    assert!(!two.try_lock_table(TABLE, T::AccessExclusive));
    one.end_transaction();
    assert!(two.try_lock_table(TABLE, T::AccessExclusive));
    drop((one, two));
    assert_no_traces(&locks);
}

#[test]
fn a_strong_request_waits_for_slots_and_holds_newcomers_back() {
    let locks = database();
    let mut reader = locks.locker();
    reader.lock_table(TABLE, T::AccessShare, &patience(&switch())).unwrap();
    thread::scope(|scope| {
        let mut strong = locks.locker();
        let dropped = scope.spawn(move || {
            strong.lock_table(TABLE, T::AccessExclusive, &patience(&switch())).unwrap();
            strong.end_transaction();
        });
        until_waiting(&locks, 1);
        let mut late = locks.locker();
        assert!(!late.try_lock_table(TABLE, T::AccessShare), "a newcomer does not overtake");
        let behind = scope.spawn(move || {
            late.lock_table(TABLE, T::AccessShare, &patience(&switch())).unwrap();
        });
        until_waiting(&locks, 2);
        assert!(reader.try_lock_table(TABLE, T::RowExclusive), "a holder is not stopped by who waits for it");
        reader.end_transaction();
        dropped.join().unwrap();
        behind.join().unwrap();
    });
    drop(reader);
    assert_no_traces(&locks);
}

#[test]
fn giving_up_a_strong_request_lets_weak_ones_pass() {
    let locks = database();
    let mut reader = locks.locker();
    assert!(reader.try_lock_table(TABLE, T::AccessShare));
    thread::scope(|scope| {
        let cancel = switch();
        let mut strong = locks.locker();
        let cancelled = {
            let cancel = Arc::clone(&cancel);
            scope.spawn(move || strong.lock_table(TABLE, T::AccessExclusive, &patience(&cancel)))
        };
        until_waiting(&locks, 1);
        let mut late = locks.locker();
        let behind = scope.spawn(move || late.lock_table(TABLE, T::RowShare, &patience(&switch())));
        until_waiting(&locks, 2);
        cancel.cancel();
        assert_eq!(cancelled.join().unwrap().unwrap_err().sqlstate().0, "57014");
        behind.join().unwrap().unwrap();
    });
    drop(reader);
    assert_no_traces(&locks);
}

#[test]
fn two_upgrades_deadlock_and_one_gives_up() {
    for _ in 0..50 {
        let locks = database();
        let start = std::sync::Barrier::new(2);
        let victims: usize = thread::scope(|scope| {
            let upgrades: Vec<_> = (0..2)
                .map(|_| {
                    let (mut locker, start) = (locks.locker(), &start);
                    scope.spawn(move || {
                        locker.lock_table(TABLE, T::AccessShare, &patience(&switch())).unwrap();
                        start.wait();
                        let upgrade = locker.lock_table(TABLE, T::AccessExclusive, &patience(&switch()));
                        upgrade.inspect_err(|error| assert_eq!(error.sqlstate().0, "40P01")).is_err()
                    })
                })
                .collect();
            upgrades.into_iter().map(|upgrade| usize::from(upgrade.join().unwrap())).sum()
        });
        assert_eq!(victims, 1);
        assert_no_traces(&locks);
    }
}

/// Weak holders on the fast path against strong ones; the strong ones must be alone.
#[test]
fn strong_holders_are_alone_and_nobody_sleeps_for_ever() {
    let locks = database();
    let data = [AtomicU64::new(0), AtomicU64::new(0)];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for mode in [T::AccessShare, T::RowShare, T::RowExclusive, T::AccessShare] {
            let (mut locker, data, done) = (locks.locker(), &data, &done);
            scope.spawn(move || {
                let cancel = switch();
                while !done.load(Ordering::Relaxed) {
                    for _ in 0..100 {
                        locker.lock_table(TABLE, mode, &patience(&cancel)).unwrap();
                        let first = data[0].load(Ordering::Relaxed);
                        assert_eq!(data[1].load(Ordering::Relaxed), first);
                        locker.end_transaction();
                    }
                    thread::yield_now();
                }
            });
        }
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let (mut locker, data) = (locks.locker(), &data);
                scope.spawn(move || {
                    let cancel = switch();
                    for _ in 0..2_000 {
                        locker.lock_table(TABLE, T::AccessExclusive, &patience(&cancel)).unwrap();
                        let before = data[0].fetch_add(1, Ordering::Relaxed);
                        std::hint::spin_loop();
                        assert_eq!(data[1].fetch_add(1, Ordering::Relaxed), before);
                        locker.end_transaction();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(data[0].load(Ordering::Relaxed), 4_000);
    assert_no_traces(&locks);
}
