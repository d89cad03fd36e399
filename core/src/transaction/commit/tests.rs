use super::super::snapshot::SnapshotKind;
use super::super::status::Status;
use super::*;
use crate::error::{StorageError, TransactionError};
use std::sync::atomic::AtomicBool;
use std::thread;

fn order(durability: Durability) -> CommitOrder {
    CommitOrder::new(Arc::new(StatusTable::default()), Snapshots::new(Timestamp(0)), durability)
}

#[test]
fn a_commit_is_visible_at_once_and_durable_later() {
    let order = order(Durability::Logged);
    let id = order.statuses().begin().unwrap();
    let commit = order.commit(id, |ts| Ok(Lsn(ts.0 * 100))).unwrap();
    assert_eq!(commit, Committed { ts: Timestamp(1), lsn: Lsn(100) });
    assert_eq!(order.statuses().status(id), Status::Committed(Timestamp(1)));
    let snapshots = order.snapshots();
    assert_eq!((snapshots.visible_ts(), snapshots.durable_ts()), (Timestamp(1), Timestamp(0)));
    assert_eq!(order.pending_lsn(Timestamp(1)), Some(Lsn(100)));
    order.durable(Lsn(99));
    assert_eq!(snapshots.durable_ts(), Timestamp(0));
    order.durable(Lsn(100));
    assert_eq!((snapshots.durable_ts(), snapshots.acked_ts()), (Timestamp(1), Timestamp(1)));
    assert_eq!(order.pending_lsn(Timestamp(1)), None);
}

#[test]
fn an_early_acknowledgement_is_not_durability() {
    let order = order(Durability::Logged);
    let commits: Vec<_> = (0..3)
        .map(|_| {
            let id = order.statuses().begin().unwrap();
            order.commit(id, |ts| Ok(Lsn(ts.0 * 10))).unwrap()
        })
        .collect();
    order.acknowledge(commits[1]);
    let snapshots = order.snapshots();
    assert_eq!((snapshots.durable_ts(), snapshots.acked_ts()), (Timestamp(0), Timestamp(2)));
    assert_eq!(order.pending_lsn(Timestamp(2)), None);
    assert_eq!(order.pending_lsn(Timestamp(3)), Some(Lsn(30)));
    order.durable(Lsn(29));
    assert_eq!((snapshots.durable_ts(), snapshots.acked_ts()), (Timestamp(2), Timestamp(2)));
}

#[test]
fn a_refused_log_leaves_no_gap() {
    let order = order(Durability::Logged);
    let id = order.statuses().begin().unwrap();
    let refused = order.commit(id, |_| Err(StorageError::Poisoned.into()));
    assert!(refused.is_err());
    assert_eq!(order.statuses().status(id), Status::Active);
    assert_eq!(order.snapshots().visible_ts(), Timestamp(0));
    let validation = order.commit(id, |_| Err(TransactionError::Serialization { cause: "update" }.into()));
    assert!(validation.is_err());
    assert_eq!(order.commit(id, |_| Ok(Lsn(1))).unwrap().ts, Timestamp(1));
}

#[test]
fn without_a_log_commits_are_durable_at_once() {
    let order = order(Durability::Volatile);
    let id = order.statuses().begin().unwrap();
    order.commit(id, |_| Ok(Lsn(0))).unwrap();
    assert_eq!(order.snapshots().durable_ts(), Timestamp(1));
    assert_eq!(order.snapshots().horizon(), Timestamp(1));
    assert_eq!(order.pending_lsn(Timestamp(1)), None);
}

#[test]
fn commits_go_on_after_the_newest_known() {
    let statuses = Arc::new(StatusTable::default());
    let order = CommitOrder::new(statuses, Snapshots::new(Timestamp(41)), Durability::Logged);
    assert_eq!(order.freeze_commits().last(), Timestamp(41));
    let id = order.statuses().begin().unwrap();
    assert_eq!(order.commit(id, |_| Ok(Lsn(5))).unwrap().ts, Timestamp(42));
    assert_eq!(order.freeze_commits().last(), Timestamp(42));
}

/// Committers, group flushes, freezes and readers at once.
#[test]
fn timestamps_log_and_visibility_have_one_order() {
    const COMMITTERS: usize = 4;
    const COMMITS: usize = 5_000;
    let order = order(Durability::Logged);
    let log: Mutex<Vec<Timestamp>> = Mutex::new(Vec::new());
    let writer_of: Vec<AtomicU64> = (0..=COMMITTERS * COMMITS).map(|_| AtomicU64::new(0)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let committers: Vec<_> = (0..COMMITTERS)
            .map(|number| {
                let (order, log, writer_of) = (&order, &log, &writer_of);
                scope.spawn(move || {
                    let mut session = order.snapshots().session();
                    for round in 0..COMMITS {
                        let id = order.statuses().begin().unwrap();
                        let commit = order
                            .commit(id, |ts| {
                                let mut log = log.lock();
                                log.push(ts);
                                writer_of[ts.0 as usize].store(id.0, Ordering::Relaxed);
                                Ok(Lsn(log.len() as u64 * 8))
                            })
                            .unwrap();
                        session.saw(commit.ts);
                        let seen = session.acquire(SnapshotKind::Acknowledged);
                        assert!(seen.ts() >= commit.ts, "a session sees its own commits");
                        if (round + number) % 3 == 0 {
                            order.acknowledge(commit);
                            assert!(order.snapshots().acked_ts() >= commit.ts);
                        } else {
                            order.durable(Lsn(commit.lsn.0 + 3));
                            assert!(order.snapshots().durable_ts() >= commit.ts);
                        }
                        assert_eq!(order.pending_lsn(commit.ts), None);
                        if round % 2 == 0 {
                            order.statuses().release(id);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut session = order.snapshots().session();
            let mut before = Timestamp(0);
            while !done.load(Ordering::Relaxed) {
                let handle = session.acquire(SnapshotKind::Latest);
                assert!(handle.ts() >= before, "visible_ts never goes back");
                before = handle.ts();
                for ts in before.0.saturating_sub(5).max(1)..=before.0 {
                    let id = TransactionId(writer_of[ts as usize].load(Ordering::Relaxed));
                    let status = order.statuses().status(id);
                    assert!(
                        matches!(status, Status::Committed(at) if at.0 == ts) || status == Status::Released,
                        "commit {ts} is visible but {status:?}"
                    );
                }
                let snapshots = order.snapshots();
                let (durable, acked) = (snapshots.durable_ts(), snapshots.acked_ts());
                assert!(durable <= acked && acked <= snapshots.visible_ts());
                assert!(snapshots.horizon() <= before);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let freeze = order.freeze_commits();
                let last = freeze.last();
                assert_eq!(order.snapshots().visible_ts(), last);
                thread::yield_now();
                assert_eq!(order.snapshots().visible_ts(), last);
                assert_eq!(log.lock().len() as u64, last.0);
            }
        });
        for committer in committers {
            committer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let log = log.into_inner();
    assert!(
        log.iter().enumerate().all(|(index, ts)| ts.0 == index as u64 + 1),
        "order of ts is order of lsn"
    );
}
