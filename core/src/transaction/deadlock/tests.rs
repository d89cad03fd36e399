use super::super::locks::RowKey;
use super::*;
use crate::ids::{ObjectId, RowId};

/// `edges` are (waiter, whom it waits for); returns the victims in order of their numbers.
fn victims(searcher: u32, edges: &[(u32, u32)], weights: &[(u32, u64)]) -> Vec<u32> {
    let mut graph = WaitGraph::default();
    let mut sleepers = Vec::new();
    let weight = |locker| weights.iter().find(|(known, _)| *known == locker).map_or(0, |(_, weight)| *weight);
    for &(locker, _) in edges {
        if graph.waiting.contains_key(&LockerId(locker)) {
            continue;
        }
        let sleeper = Arc::new(Sleeper::default());
        sleepers.push((locker, Arc::clone(&sleeper)));
        graph.enter(Waiting {
            locker: LockerId(locker),
            transaction: Some(TransactionId(u64::from(locker))),
            resource: Resource::Table(ObjectId(locker)),
            mode: 7,
            weight: weight(locker),
            sleeper,
        });
    }
    graph.break_circles(LockerId(searcher), |waiting| {
        let of = edges.iter().filter(|(from, _)| *from == waiting.locker.0);
        of.map(|&(from, to)| {
            if from % 2 == 0 {
                Blocker::Locker(LockerId(to))
            } else {
                Blocker::Transaction(TransactionId(u64::from(to)))
            }
        })
        .collect()
    });
    let mut victims: Vec<u32> =
        sleepers.iter().filter(|(_, sleeper)| !sleeper.waits()).map(|(locker, _)| *locker).collect();
    victims.sort_unstable();
    victims
}

#[test]
fn chains_and_diamonds_are_no_circles() {
    assert_eq!(victims(1, &[(1, 2), (2, 3), (3, 4)], &[]), []);
    assert_eq!(victims(1, &[(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)], &[]), []);
    assert_eq!(victims(1, &[(1, 9)], &[]), [], "a blocker that does not wait");
}

#[test]
fn a_circle_elsewhere_is_somebody_elses_business() {
    assert_eq!(victims(1, &[(1, 2), (2, 3), (3, 2)], &[]), []);
}

#[test]
fn the_searcher_gives_up_among_equals() {
    assert_eq!(victims(1, &[(1, 2), (2, 1)], &[]), [1]);
    assert_eq!(
        victims(3, &[(1, 2), (2, 3), (3, 4), (4, 5), (5, 1)], &[(1, 8), (2, 8), (3, 8), (4, 8), (5, 8)]),
        [3]
    );
}

#[test]
fn who_has_least_undo_gives_up() {
    assert_eq!(victims(1, &[(1, 2), (2, 1)], &[(1, 5), (2, 4)]), [2]);
    assert_eq!(victims(1, &[(1, 2), (2, 1)], &[(1, 4), (2, 5)]), [1]);
    assert_eq!(victims(2, &[(1, 2), (2, 3), (3, 1)], &[(1, 5), (2, 6), (3, 1)]), [3]);
}

#[test]
fn every_circle_is_broken() {
    let two_circles = [(1, 2), (1, 3), (2, 1), (3, 1)];
    assert_eq!(victims(1, &two_circles, &[]), [1]);
    assert_eq!(victims(1, &two_circles, &[(1, 9)]), [2, 3]);
    assert_eq!(victims(1, &[(1, 2), (2, 3), (3, 1), (2, 1)], &[(1, 9), (2, 5), (3, 6)]), [2]);
}

#[test]
fn the_report_begins_with_the_victim() {
    let waiting = |locker, resource, mode| Waiting {
        locker: LockerId(locker),
        transaction: None,
        resource,
        mode,
        weight: 0,
        sleeper: Arc::default(),
    };
    let key = RowKey { table: ObjectId(7), row: RowId(8) };
    let circle = [
        waiting(1, Resource::End(TransactionId(5)), 0),
        waiting(2, Resource::Table(ObjectId(6)), 7),
        waiting(3, Resource::Row(key), 1),
    ];
    let circle: Vec<&Waiting> = circle.iter().collect();
    assert_eq!(
        report(&circle, 1),
        "Process 2 waits for AccessExclusiveLock on relation 6; blocked by process 3.\n\
         Process 3 waits for For Share on row 8 of relation 7; blocked by process 1.\n\
         Process 1 waits for ShareLock on transaction 5; blocked by process 2."
    );
}

#[test]
fn a_long_chain_needs_no_stack() {
    let edges: Vec<(u32, u32)> = (1..50_000).map(|at| (at, at % 49_999 + 1)).collect();
    assert_eq!(victims(1, &edges, &[]), [1]);
}
