use super::*;
use std::collections::BTreeSet;

/// Random changes and cuts; after each cut the file is opened afresh and compared with the model.
fn run(seed: u64, page_size: u32, cuts: u64, steps: u64) {
    let rng = SeededRng::new(seed);
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, page_size).unwrap();
    let mut durable = BTreeMap::new();
    for _ in 0..cuts {
        for _ in 0..rng.below(steps) {
            driver.step(&rng).unwrap();
        }
        if rng.below(5) == 0 {
            // Changes are lost without a cut.
            driver = Driver::over(open_in(&vfs), durable.clone());
            check_contents(&driver.space, &durable);
            continue;
        }
        driver.cut().unwrap();
        durable.clone_from(&driver.current);
        check_contents(&open_in(&vfs), &durable);
        check_contents(&driver.space, &durable);
        if rng.below(3) == 0 {
            driver = Driver::over(open_in(&vfs), durable.clone());
        }
        assert_eq!(driver.space.handed_out(), 0);
    }
}

#[test]
fn behaves_like_a_map() {
    for seed in 0..8 {
        run(seed, 16_384, 25, 200);
    }
}

#[test]
fn behaves_like_a_map_with_larger_pages() {
    run(100, 32_768, 20, 100);
    run(101, 65_536, 20, 100);
}

#[test]
fn behaves_like_a_map_over_many_leaves() {
    run(200, 16_384, 6, 8000);
}

/// Pages handed out while a cut is being written belong to the next cut.
#[test]
fn places_and_ids_taken_after_the_barrier_belong_to_the_next_cut() {
    let rng = SeededRng::new(5);
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    for _ in 0..20 {
        for _ in 0..100 {
            driver.step(&rng).unwrap();
        }
        let closing = driver.prepare_cut().unwrap();
        let durable = driver.current.clone();
        let barrier: BTreeSet<PageId> = driver.changes.keys().copied().collect();
        driver.changes.clear();
        driver.epoch.0 += 1;
        for _ in 0..100 {
            driver.step(&rng).unwrap();
        }
        driver.space.commit_cut(closing).unwrap();
        assert!(!barrier.is_empty());
        check_contents(&open_in(&vfs), &durable);
    }
    driver.cut().unwrap();
    assert_eq!(driver.space.handed_out(), 0);
    check_contents(&open_in(&vfs), &driver.current);
}
