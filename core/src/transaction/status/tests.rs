use super::*;
use crate::error::ErrorKind;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::thread;

fn commit(table: &StatusTable, id: TransactionId, ts: u64) {
    table.committing(id);
    table.committed(id, Timestamp(ts));
}

#[test]
fn states_follow_a_transactions_life() {
    let table = StatusTable::default();
    let id = table.begin().unwrap();
    assert_eq!(table.status(id), Status::Active);
    table.committing(id);
    assert_eq!(table.status(id), Status::Committing);
    table.not_committed(id);
    assert_eq!(table.status(id), Status::Active);
    commit(&table, id, 7);
    assert_eq!(table.status(id), Status::Committed(Timestamp(7)));
    table.release(id);
    assert_eq!(table.status(id), Status::Released);

    let next = table.begin().unwrap();
    assert_eq!(next.0 & STATE_MASK, id.0 & STATE_MASK, "the slot just released is used again");
    assert_ne!(next, id);
    assert_eq!(table.status(id), Status::Released);
    table.abort(next);
    assert_eq!(table.status(next), Status::Aborted);
}

#[test]
fn an_unknown_id_is_released() {
    let table = StatusTable::default();
    assert_eq!(table.status(TransactionId(5 << 16 | 40_000)), Status::Released);
    assert_eq!(table.status(TransactionId(0)), Status::Released);
}

#[test]
#[should_panic(expected = "only the slot of an ended transaction")]
fn a_running_transaction_keeps_its_slot() {
    let table = StatusTable::default();
    let id = table.begin().unwrap();
    table.release(id);
}

#[test]
fn slots_are_bounded_and_come_back() {
    let table = StatusTable::with_limit(2_500);
    let ids: Vec<_> = (0..2_500).map(|_| table.begin().unwrap()).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len());
    let refused = table.begin().unwrap_err();
    assert!(matches!(
        refused.kind(),
        ErrorKind::Transaction(TransactionError::TooManyTransactions { limit: 2_500 })
    ));
    for &id in &ids {
        table.abort(id);
        table.release(id);
    }
    let again: Vec<_> = (0..2_500).map(|_| table.begin().unwrap()).collect();
    assert!(again.iter().all(|id| !ids.contains(id)));
}

#[test]
fn places_within_a_chunk_are_a_permutation() {
    let mut seen = vec![false; CHUNK as usize];
    for index in 0..CHUNK {
        let (chunk, within) = place(index + 3 * CHUNK);
        assert_eq!(chunk, 3);
        assert!(!std::mem::replace(&mut seen[within], true));
    }
}

#[test]
fn a_stamp_is_settled_by_its_first_reader() {
    let table = StatusTable::default();
    let id = table.begin().unwrap();
    let stamp = Stamp::pending(id);
    assert_eq!(stamp.resolve(&table), StampState::InProgress(id));
    commit(&table, id, 9);
    assert_eq!(stamp.writer(), Some(id));
    assert_eq!(stamp.resolve(&table), StampState::Committed(Timestamp(9)));
    assert_eq!(stamp.writer(), None);
    table.release(id);
    assert_eq!(stamp.resolve(&table), StampState::Committed(Timestamp(9)));

    let id = table.begin().unwrap();
    let stamp = Stamp::pending(id);
    table.abort(id);
    assert_eq!(stamp.resolve(&table), StampState::Aborted);
    table.release(id);
    assert_eq!(stamp.resolve(&table), StampState::Aborted, "unlinked, but some reader still holds it");
}

/// A version on the board with what its writer decided, set before the status table shows it.
struct Version {
    stamp: Stamp,
    committed_at: AtomicU64,
    aborted: AtomicBool,
}

#[test]
fn readers_never_see_another_generations_fate() {
    const WRITERS: u64 = 3;
    const ROUNDS: u64 = 20_000;
    let table = StatusTable::with_limit(8);
    let board: Vec<RwLock<Option<Arc<Version>>>> = (0..WRITERS).map(|_| RwLock::new(None)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        for place in &board {
                            let Some(version) = place.read().unwrap().clone() else { continue };
                            match version.stamp.resolve(&table) {
                                StampState::Committed(ts) => {
                                    assert_eq!(ts.0, version.committed_at.load(Ordering::Relaxed));
                                }
                                StampState::Aborted => assert!(version.aborted.load(Ordering::Relaxed)),
                                StampState::InProgress(_) => {}
                            }
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (table, board) = (&table, &board);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let id = table.begin().unwrap();
                        let version = Arc::new(Version {
                            stamp: Stamp::pending(id),
                            committed_at: AtomicU64::new(0),
                            aborted: AtomicBool::new(false),
                        });
                        *board[writer as usize].write().unwrap() = Some(Arc::clone(&version));
                        if round % 3 == 0 {
                            version.aborted.store(true, Ordering::Relaxed);
                            table.abort(id);
                        } else {
                            let ts = round * WRITERS + writer + 1;
                            version.committed_at.store(ts, Ordering::Relaxed);
                            commit(table, id, ts);
                            version.stamp.resolve(table);
                        }
                        table.release(id);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
