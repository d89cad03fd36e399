use super::*;
use std::sync::atomic::AtomicBool;
use std::thread;

fn registry_at(visible: u64, acked: u64, durable: u64) -> Arc<Snapshots> {
    let registry = Snapshots::new(Timestamp(0));
    registry.publish(Timestamp(visible));
    registry.made_durable(Timestamp(durable));
    registry.acknowledged(Timestamp(acked));
    registry
}

#[test]
fn each_kind_reads_at_its_timestamp() {
    let registry = registry_at(30, 20, 10);
    let mut session = registry.session();
    assert_eq!(session.acquire(SnapshotKind::Durable).ts(), Timestamp(10));
    assert_eq!(session.acquire(SnapshotKind::Acknowledged).ts(), Timestamp(20));
    assert_eq!(session.acquire(SnapshotKind::Latest).ts(), Timestamp(30));
    assert_eq!(
        session.acquire(SnapshotKind::Acknowledged).ts(),
        Timestamp(30),
        "a session never goes back in time"
    );
    let mut other = registry.session();
    other.saw(Timestamp(25));
    assert_eq!(other.acquire(SnapshotKind::Acknowledged).ts(), Timestamp(25), "its own commits are seen");
}

#[test]
fn the_horizon_stays_at_the_oldest_snapshot() {
    let registry = registry_at(5, 5, 5);
    let mut session = registry.session();
    let old = session.acquire(SnapshotKind::Latest);
    registry.publish(Timestamp(9));
    registry.made_durable(Timestamp(8));
    let young = session.acquire(SnapshotKind::Latest);
    assert_eq!((old.ts(), young.ts()), (Timestamp(5), Timestamp(9)));
    assert_eq!(registry.horizon(), Timestamp(5));
    drop(session);
    assert_eq!(registry.horizon(), Timestamp(5), "handles outlive their session");
    drop(old);
    assert_eq!(registry.horizon(), Timestamp(8), "never past what is durable");
    assert_eq!(registry.last_horizon(), Timestamp(8));
    drop(young);
    assert_eq!(registry.horizon(), Timestamp(8));
}

#[test]
fn slots_are_used_again() {
    let registry = registry_at(1, 1, 1);
    for _ in 0..10 {
        let mut session = registry.session();
        let handles: Vec<_> = (0..3).map(|_| session.acquire(SnapshotKind::Latest)).collect();
        drop(handles);
        drop(session.acquire(SnapshotKind::Latest));
    }
    assert_eq!(registry.slots.read().len(), 3);
    let mut leaving = registry.session();
    let kept = leaving.acquire(SnapshotKind::Latest);
    drop(leaving);
    let mut next = registry.session();
    let handles: Vec<_> = (0..3).map(|_| next.acquire(SnapshotKind::Latest)).collect();
    assert_eq!(registry.slots.read().len(), 4, "a slot whose handle lives is not given away");
    drop((kept, handles));
}

#[test]
fn versions_between_snapshots_are_garbage() {
    let registry = registry_at(10, 10, 10);
    let mut session = registry.session();
    let _ten = session.acquire(SnapshotKind::Latest);
    registry.publish(Timestamp(20));
    registry.made_durable(Timestamp(20));
    let _twenty = session.acquire(SnapshotKind::Latest);
    registry.publish(Timestamp(40));
    registry.made_durable(Timestamp(30));
    let active = registry.active_snapshots();
    assert_eq!(active.as_slice(), [Timestamp(10), Timestamp(20), Timestamp(30)]);
    assert_eq!(active.oldest(), Timestamp(10));
    for (created, superseded, expected) in [
        (1, 10, false),
        (1, 11, true),
        (10, 12, true),
        (11, 20, false),
        (11, 21, true),
        (20, 21, true),
        (21, 30, false),
        (21, 31, true),
        (31, 32, true),
        (35, 40, true),
    ] {
        assert_eq!(
            active.may_read(Timestamp(created), Timestamp(superseded)),
            expected,
            "version of {created}..{superseded}"
        );
    }
}

#[test]
fn a_view_sees_the_past_and_itself() {
    let statuses = StatusTable::default();
    let registry = registry_at(5, 5, 5);
    let mut session = registry.session();
    let handle = session.acquire(SnapshotKind::Latest);
    let own = statuses.begin().unwrap();
    let other = statuses.begin().unwrap();
    let view = handle.view(Some(own));
    assert!(view.sees(Timestamp(5)) && !view.sees(Timestamp(6)));
    assert!(view.sees_stamp(&Stamp::committed(Timestamp(5)), &statuses));
    assert!(!view.sees_stamp(&Stamp::committed(Timestamp(6)), &statuses));
    assert!(view.sees_stamp(&Stamp::pending(own), &statuses));
    assert!(!view.sees_stamp(&Stamp::pending(other), &statuses));
    assert!(!handle.view(None).sees_stamp(&Stamp::pending(own), &statuses));
    let stamp = Stamp::pending(own);
    statuses.abort(own);
    assert!(!view.sees_stamp(&stamp, &statuses));
}

#[test]
fn no_horizon_passes_a_snapshot_in_use() {
    let registry = Snapshots::new(Timestamp(1));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for kind in [SnapshotKind::Latest, SnapshotKind::Acknowledged, SnapshotKind::Durable] {
            let (registry, done) = (&registry, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut session = registry.session();
                    for round in 0..200 {
                        let first = session.acquire(kind);
                        let second = session.acquire(SnapshotKind::Latest);
                        for _ in 0..round % 7 {
                            assert!(registry.last_horizon() <= first.ts());
                            std::hint::spin_loop();
                        }
                        drop(first);
                        assert!(registry.last_horizon() <= second.ts());
                    }
                }
            });
        }
        for scanner in 0..2 {
            let (registry, done) = (&registry, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if scanner == 0 {
                        registry.horizon();
                    } else {
                        let active = registry.active_snapshots();
                        assert!(active.as_slice().is_sorted());
                    }
                }
            });
        }
        for ts in 2..1_000_000 {
            registry.publish(Timestamp(ts));
            if ts % 5 == 0 {
                registry.acknowledged(Timestamp(ts - 1));
            }
            if ts % 3 == 0 {
                registry.made_durable(Timestamp(ts - 2));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    registry.made_durable(Timestamp(999_999));
    assert_eq!(registry.horizon(), Timestamp(999_999), "no slot was left behind");
}
