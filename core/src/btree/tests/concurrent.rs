use super::row::Table;
use super::{Draws, small_pager};
use crate::btree::{Direction, IndexTree, KeyRange};
use crate::ids::ObjectId;
use crate::pager::Pager;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

const THREADS: u64 = 8;

/// Few of these fit a page, so that leaves split and merge all the time.
fn wide(i: u64) -> Vec<u8> {
    let mut key = i.to_be_bytes().to_vec();
    key.resize(1500, (i % 251) as u8);
    key
}

fn number(key: &[u8]) -> u64 {
    assert_eq!(key.len(), 1500);
    let i = u64::from_be_bytes(key[..8].try_into().unwrap());
    assert!(key[8..].iter().all(|byte| u64::from(*byte) == i % 251), "a torn key");
    i
}

fn create(pager: &Pager) -> IndexTree {
    pager.retry(|| IndexTree::create(pager, ObjectId(1))).unwrap()
}

#[test]
fn threads_share_an_index() {
    let pager = small_pager();
    let tree = create(&pager);
    // Keys 3 mod 4 are there from the start and stay.
    for i in (3..2000).step_by(4) {
        pager.retry(|| tree.insert(&pager, &wide(i))).unwrap();
    }
    let done = AtomicBool::new(false);
    let kept: Vec<BTreeSet<u64>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|me| {
                let pager = &pager;
                scope.spawn(move || {
                    let mut draws = Draws(me);
                    let mut mine = BTreeSet::new();
                    for step in 0..1200 {
                        // Own keys are 0 mod 4, those fought over 1 mod 4.
                        let own = (draws.below(60) * THREADS + me) * 4;
                        let shared = draws.below(500) * 4 + 1;
                        if draws.below(3) > 0 {
                            let absent = pager.retry(|| tree.insert(pager, &wide(own))).unwrap();
                            assert_eq!(absent, mine.insert(own));
                            pager.retry(|| tree.insert(pager, &wide(shared))).unwrap();
                        } else {
                            let present = pager.retry(|| tree.remove(pager, &wide(own))).unwrap();
                            assert_eq!(present, mine.remove(&own));
                            pager.retry(|| tree.remove(pager, &wide(shared))).unwrap();
                        }
                        let seen = pager.retry(|| tree.contains(pager, &wide(own))).unwrap();
                        assert_eq!(seen, mine.contains(&own));
                        if step % 100 == me * 12 {
                            tree.merge_sparse(pager).unwrap();
                        }
                    }
                    mine
                })
            })
            .collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let (pager, done) = (&pager, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut cursor = tree.cursor(KeyRange::all(), direction);
                    let mut seen = Vec::new();
                    while let Some(entry) = cursor.next(pager).unwrap() {
                        seen.push(number(entry.key));
                    }
                    if direction == Direction::Backward {
                        seen.reverse();
                    }
                    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "out of order or twice");
                    let stable = seen.iter().filter(|i| **i % 4 == 3);
                    assert!(stable.copied().eq((3..2000).step_by(4)), "a key was missed");
                }
            });
        }
        let kept = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        kept
    });
    let report = tree.check(&pager).unwrap();
    let mut cursor = tree.cursor(KeyRange::all(), Direction::Forward);
    let mut found = BTreeSet::new();
    while let Some(entry) = cursor.next(&pager).unwrap() {
        found.insert(number(entry.key));
    }
    assert_eq!(report.entries, found.len() as u64);
    let own: BTreeSet<u64> = found.iter().copied().filter(|i| i % 4 == 0).collect();
    assert_eq!(own, kept.into_iter().flatten().collect());
}

#[test]
fn threads_share_a_table() {
    let pager = small_pager();
    let table = Table::create(&pager, 4);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|me| {
                let pager = &pager;
                scope.spawn(move || {
                    let mut draws = Draws(100 + me);
                    for step in 0..3000 {
                        let row = draws.below(300) * THREADS + me;
                        match draws.below(4) {
                            0 => {
                                let had = table.get(pager, row);
                                assert_eq!(table.remove(pager, row), had);
                                assert_eq!(table.get(pager, row), None);
                            }
                            1 if step % 50 == 0 => {
                                let leaf = table.leaf;
                                table.tree.merge_sparse(pager, &leaf).unwrap();
                            }
                            _ => {
                                table.put(pager, row, row + 1);
                                assert_eq!(table.get(pager, row), Some(row + 1));
                            }
                        }
                    }
                })
            })
            .collect();
        let (pager, done) = (&pager, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let all = table.scan(pager);
                assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "out of order or twice");
                assert!(all.iter().all(|(row, value)| *value == row + 1), "a torn row");
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let report = table.tree.check(&pager, &table.leaf).unwrap();
    assert_eq!(report.entries, table.scan(&pager).len() as u64);
}

#[test]
fn threads_append_rows() {
    let pager = small_pager();
    let table = Table::create(&pager, 8);
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..1000 {
                    let row = next.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(table.put(&pager, row, row), None);
                }
            });
        }
    });
    let report = table.tree.check(&pager, &table.leaf).unwrap();
    assert_eq!(report.entries, THREADS * 1000);
    assert!(report.leaf_pages <= THREADS * 1000 / 4, "{report:?}");
}
