//! Scripts of two sessions: the anomalies that have names, and which level lets them through.
//!
//! A statement that has to wait runs in a thread of its own; that it waits is seen in the list of locks.

use super::{Session, assert_sound, code, create, open};
use rustdb::Result;
use rustdb::engine::Engine;
use rustdb::table::{Table, Written};
use rustdb::transaction::Isolation::{self, ReadCommitted, RepeatableRead};
use rustdb::vfs::{MemoryVfs, Vfs};
use std::sync::Arc;
use std::thread::{scope, yield_now};

fn with_rows(rows: &[(i64, i64)], unique: bool, script: impl FnOnce(&Engine, &Arc<Table>)) {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let engine = open(&vfs, 1);
    let table = create(&engine, unique, rows.iter().copied());
    script(&engine, &table);
    assert_sound(&engine);
}

/// Two sessions in the middle of transactions.
fn two<'e>(engine: &'e Engine, table: &Arc<Table>, level: Isolation) -> [Session<'e>; 2] {
    [(), ()].map(|()| {
        let mut session = Session::new(engine, table);
        session.begin(level);
        session
    })
}

/// Runs `blocked` in a thread and, once it waits for a lock, `then`.
fn while_waiting<T: Send>(engine: &Engine, blocked: impl FnOnce() -> T + Send, then: impl FnOnce()) -> T {
    let waiting = || engine.store().transactions().locks().entries().iter().any(|lock| !lock.granted);
    scope(|scope| {
        let thread = scope.spawn(blocked);
        while !waiting() {
            assert!(!thread.is_finished(), "the statement should have waited");
            yield_now();
        }
        then();
        thread.join().expect("the statement does not panic")
    })
}

#[test]
fn dirty_writes_wait_and_uncommitted_rows_are_not_seen() {
    with_rows(&[(1, 10)], false, |engine, table| {
        let [mut a, mut b] = two(engine, table, ReadCommitted);
        assert_eq!(a.update(1, 11).unwrap(), Written::Done);
        assert_eq!(b.get(1), Some(10));
        let written = while_waiting(engine, || b.update(1, 12), || a.rollback());
        assert_eq!(written.unwrap(), Written::Done, "the other one took its change back");
        b.commit().unwrap();
        a.begin(ReadCommitted);
        assert_eq!(a.get(1), Some(12));
        a.rollback();
    });
}

#[test]
fn a_waiter_at_read_committed_learns_that_the_row_changed() {
    with_rows(&[(1, 10), (2, 20)], false, |engine, table| {
        let [mut a, mut b] = two(engine, table, ReadCommitted);
        a.update(1, 11).unwrap();
        a.delete(2).unwrap();
        let written = while_waiting(engine, || b.update(1, 12), || a.commit().unwrap());
        assert_eq!(written.unwrap(), Written::Changed);
        assert_eq!(b.delete(2).unwrap(), Written::Deleted, "this statement sees the commit");
        b.add(1, 100).unwrap();
        assert_eq!(b.update(1, 0).unwrap(), Written::Done, "a further statement of the same transaction");
        b.rollback();
        b.begin(ReadCommitted);
        assert_eq!(b.all(), [(1, 11)].into());
        b.rollback();
    });
}

#[test]
fn lost_updates_are_refused_at_repeatable_read() {
    with_rows(&[(1, 10)], false, |engine, table| {
        let [mut a, mut b] = two(engine, table, RepeatableRead);
        assert_eq!((a.get(1), b.get(1)), (Some(10), Some(10)));
        a.update(1, 11).unwrap();
        let written = while_waiting(engine, || b.update(1, 12), || a.commit().unwrap());
        assert_eq!(code(written), "40001");
        assert_eq!(b.get(1), Some(10), "the snapshot stands");
        b.rollback();
        // Without a wait, and for a row that is gone.
        let [mut a, mut b] = two(engine, table, RepeatableRead);
        assert_eq!(b.get(1), Some(11));
        a.delete(1).unwrap();
        a.commit().unwrap();
        assert_eq!(code(b.update(1, 5)), "40001");
        assert_eq!(code(b.delete(1)), "40001");
        b.rollback();
    });
}

#[test]
fn lost_updates_happen_at_read_committed_only_to_those_who_ask() {
    with_rows(&[(1, 0)], false, |engine, table| {
        scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut session = Session::new(engine, table);
                    for _ in 0..50 {
                        session.begin(ReadCommitted);
                        session.add(1, 1).unwrap();
                        session.commit().unwrap();
                    }
                });
            }
        });
        let [mut a, mut b] = two(engine, table, ReadCommitted);
        assert_eq!(a.get(1), Some(200));
        // Read and write in two statements: nothing keeps the other's write from being overwritten.
        let read = b.get(1).unwrap();
        a.add(1, 1).unwrap();
        a.commit().unwrap();
        assert_eq!(b.update(1, read + 1).unwrap(), Written::Done);
        b.commit().unwrap();
        b.begin(ReadCommitted);
        assert_eq!(b.get(1), Some(201));
        b.rollback();
    });
}

#[test]
fn write_skew_is_let_through_at_repeatable_read() {
    with_rows(&[(1, 1), (2, 1)], false, |engine, table| {
        let [mut a, mut b] = two(engine, table, RepeatableRead);
        assert_eq!((a.all().len(), b.all().len()), (2, 2));
        a.update(1, 0).unwrap();
        b.update(2, 0).unwrap();
        a.commit().unwrap();
        b.commit().unwrap();
        a.begin(ReadCommitted);
        assert_eq!(a.all(), [(1, 0), (2, 0)].into(), "snapshot isolation, as PostgreSQL has it");
        a.rollback();
    });
}

#[test]
fn snapshots_do_not_move_at_repeatable_read() {
    with_rows(&[(1, 10), (2, 20)], false, |engine, table| {
        let [mut reader, mut writer] = two(engine, table, RepeatableRead);
        let before = reader.all();
        writer.update(1, 11).unwrap();
        writer.delete(2).unwrap();
        writer.insert(3, 30).unwrap();
        writer.commit().unwrap();
        engine.checkpoint().unwrap();
        engine.store().collect_garbage(usize::MAX).unwrap();
        assert_eq!(reader.all(), before, "neither changed nor phantom rows");
        assert_eq!((reader.get(2), reader.get(3)), (Some(20), None));
        reader.commit().unwrap();
        reader.begin(ReadCommitted);
        assert_eq!(reader.all(), [(1, 11), (3, 30)].into());
        writer.begin(ReadCommitted);
        writer.delete(3).unwrap();
        writer.commit().unwrap();
        assert_eq!(reader.all(), [(1, 11)].into(), "every statement has its own");
        reader.rollback();
    });
}

#[test]
fn a_circle_of_waits_costs_one_of_them_a_deadlock() {
    with_rows(&[(1, 0), (2, 0)], false, |engine, table| {
        let [mut a, mut b] = two(engine, table, ReadCommitted);
        a.update(1, 1).unwrap();
        b.update(2, 2).unwrap();
        let mut second: Option<Result<Written>> = None;
        let first = while_waiting(
            engine,
            || {
                let done = a.update(2, 1);
                if done.is_ok() {
                    a.commit().unwrap()
                } else {
                    a.rollback()
                }
                done
            },
            || {
                let done = b.update(1, 2);
                if done.is_ok() {
                    b.commit().unwrap()
                } else {
                    b.rollback()
                }
                second = Some(done);
            },
        );
        let second = second.expect("the second has run");
        assert!(first.is_ok() != second.is_ok(), "one goes on: {first:?} {second:?}");
        assert_eq!(code(if first.is_err() { first } else { second }), "40P01");
        let mut reader = Session::new(engine, table);
        reader.begin(ReadCommitted);
        let rows = reader.all();
        assert!(rows == [(1, 1), (2, 1)].into() || rows == [(1, 2), (2, 2)].into(), "{rows:?}");
        reader.rollback();
    });
}

#[test]
fn the_second_of_two_equal_keys_waits_for_the_first() {
    for commits in [true, false] {
        with_rows(&[(1, 10)], true, |engine, table| {
            let [mut a, mut b] = two(engine, table, ReadCommitted);
            a.insert(2, 20).unwrap();
            let inserted = while_waiting(
                engine,
                || b.insert(3, 20),
                || if commits { a.commit().unwrap() } else { a.rollback() },
            );
            if commits {
                assert_eq!(code(inserted), "23505");
                b.rollback();
            } else {
                inserted.unwrap();
                b.commit().unwrap();
            }
        });
    }
}

#[test]
fn a_key_given_up_by_another_is_free_once_that_commits() {
    for commits in [true, false] {
        with_rows(&[(1, 10)], true, |engine, table| {
            let [mut a, mut b] = two(engine, table, ReadCommitted);
            a.update(1, 11).unwrap();
            let inserted = while_waiting(
                engine,
                || b.insert(2, 10),
                || if commits { a.commit().unwrap() } else { a.rollback() },
            );
            if commits {
                inserted.unwrap();
                b.commit().unwrap();
            } else {
                assert_eq!(code(inserted), "23505");
                b.rollback();
            }
        });
    }
}

#[test]
fn keys_that_a_row_had_before_make_nobody_wait() {
    with_rows(&[(1, 10)], true, |engine, table| {
        let [mut a, mut b] = two(engine, table, ReadCommitted);
        // An old snapshot keeps the first version, and with it the entry.
        let mut old = Session::new(engine, table);
        old.begin(RepeatableRead);
        assert_eq!(old.get(1), Some(10));
        a.update(1, 11).unwrap();
        a.commit().unwrap();
        a.begin(ReadCommitted);
        a.update(1, 12).unwrap();
        b.tx().party().lock_timeout = Some(std::time::Duration::from_millis(1));
        b.insert(2, 10).unwrap();
        assert_eq!(code(b.insert(3, 11)), "55P03", "that one may come back");
        b.commit().unwrap();
        a.commit().unwrap();
        assert_eq!(old.all(), [(1, 10)].into());
        old.rollback();
    });
}

#[test]
fn keys_may_be_swapped_within_a_transaction() {
    with_rows(&[(1, 10), (2, 20)], true, |engine, table| {
        let [mut a, _] = two(engine, table, ReadCommitted);
        assert_eq!(code(a.update(1, 20)), "23505");
        a.update(1, 30).unwrap();
        a.update(2, 10).unwrap();
        a.update(1, 20).unwrap();
        assert_eq!(a.all(), [(1, 20), (2, 10)].into());
        a.commit().unwrap();
    });
}
