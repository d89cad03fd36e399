use super::*;
use std::sync::atomic::{AtomicU64, Ordering as O};
use std::thread;

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "row operations do not nest"))]
fn entering_twice_is_a_bug() {
    let ops = RowOps::default();
    let _outer = ops.enter();
    if cfg!(debug_assertions) {
        let _inner = ops.enter();
    }
}

#[test]
fn different_databases_are_apart() {
    let (a, b) = (RowOps::default(), RowOps::default());
    let _inside_a = a.enter();
    b.barrier(|| ());
}

#[test]
fn the_door_opens_after_a_panic() {
    let ops = RowOps::default();
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ops.barrier(|| panic!("inside"))));
    assert!(panicked.is_err());
    drop(ops.enter());
    ops.barrier(|| ());
}

/// Two plain counters are changed one after the other inside row operations; a barrier must find them equal.
#[test]
fn the_barrier_sees_only_whole_row_operations() {
    const THREADS: usize = 6;
    const ROUNDS: u64 = 30_000;
    let ops = RowOps::default();
    let counts: Vec<[AtomicU64; 2]> = (0..THREADS).map(|_| Default::default()).collect();
    let running = AtomicUsize::new(THREADS);
    let barriers = AtomicU64::new(0);
    thread::scope(|scope| {
        for [left, right] in &counts {
            let (ops, running) = (&ops, &running);
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    let _inside = ops.enter();
                    left.store(round, O::Relaxed);
                    if round % 64 == 0 {
                        thread::yield_now();
                    }
                    right.store(round, O::Relaxed);
                }
                running.fetch_sub(1, O::Relaxed);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while running.load(O::Relaxed) > 0 {
                    ops.barrier(|| {
                        let look = || -> Vec<(u64, u64)> {
                            counts.iter().map(|[l, r]| (l.load(O::Relaxed), r.load(O::Relaxed))).collect()
                        };
                        let first = look();
                        assert!(first.iter().all(|(left, right)| left == right));
                        thread::yield_now();
                        assert_eq!(look(), first, "nobody moves during the barrier");
                    });
                    barriers.fetch_add(1, O::Relaxed);
                    thread::yield_now();
                }
            });
        }
    });
    assert!(barriers.load(O::Relaxed) > 0);
    assert!(
        counts
            .iter()
            .all(|[left, right]| left.load(O::Relaxed) == ROUNDS && right.load(O::Relaxed) == ROUNDS)
    );
}
