use super::{Draws, PAGE, small_pager};
use crate::Result;
use crate::btree::{Cursor, Direction, IndexTree, KeyRange, Match, max_key_len};
use crate::ids::{ObjectId, PageId};
use crate::pager::{Attempt, Pager, Restart};
use proptest::prelude::*;
use std::collections::BTreeSet;

const OBJECT: ObjectId = ObjectId(42);

fn create(pager: &Pager) -> IndexTree {
    pager.retry(|| IndexTree::create(pager, OBJECT)).unwrap()
}

fn insert(pager: &Pager, tree: IndexTree, key: &[u8]) -> bool {
    pager.retry(|| tree.insert(pager, key)).unwrap()
}

fn remove(pager: &Pager, tree: IndexTree, key: &[u8]) -> bool {
    pager.retry(|| tree.remove(pager, key)).unwrap()
}

fn collect(pager: &Pager, mut cursor: Cursor) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    while let Some(entry) = cursor.next(pager).unwrap() {
        keys.push(entry.key.to_vec());
    }
    keys
}

fn scan(pager: &Pager, tree: IndexTree, range: KeyRange, direction: Direction) -> Vec<Vec<u8>> {
    collect(pager, tree.cursor(range, direction))
}

/// A key that few of fit a page, so that small sets make high trees.
fn wide(i: u64, len: usize) -> Vec<u8> {
    let mut key = i.to_be_bytes().to_vec();
    key.resize(len.max(8), b'.');
    key.extend_from_slice(&i.to_be_bytes());
    key
}

#[test]
fn root_keeps_its_page_through_every_level() {
    let pager = small_pager();
    let tree = create(&pager);
    let root = tree.root();
    for i in 0..400 {
        // The tails of the keys are what separators keep, so inner nodes fill as fast as leaves.
        let mut key = vec![b'k'; 3000];
        key.extend_from_slice(&i.to_string().into_bytes());
        key.resize(4000, 0);
        key.extend_from_slice(&u64::to_be_bytes(i));
        assert!(insert(&pager, tree, &key));
        assert!(!insert(&pager, tree, &key));
    }
    let report = tree.check(&pager).unwrap();
    assert_eq!(report.entries, 400);
    assert!(report.levels >= 2, "{report:?}");
    assert_eq!(tree.root(), root);
    assert_eq!(IndexTree::open(root, OBJECT), tree);
}

#[test]
fn fill_follows_the_pattern_of_inserts() {
    let rows = 20_000u64;
    let key = |i: u64| [&i.to_be_bytes()[..], &[7; 6]].concat();
    let fill = |order: &mut dyn Iterator<Item = u64>| {
        let pager = small_pager();
        let tree = create(&pager);
        for i in order {
            assert!(insert(&pager, tree, &key(i)));
        }
        let report = tree.check(&pager).unwrap();
        assert_eq!(report.entries, rows);
        report.leaf_fill
    };
    let ascending = fill(&mut (0..rows));
    assert!(ascending >= 90, "ascending {ascending}");
    let descending = fill(&mut (0..rows).rev());
    // The first leaf cuts no prefix until it has a lower fence; then it is as full as it will be.
    assert!(descending >= 70, "descending {descending}");
    let mut shuffled: Vec<u64> = (0..rows).collect();
    let mut draws = Draws(3);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, usize::try_from(draws.below(i as u64 + 1)).unwrap());
    }
    let random = fill(&mut shuffled.into_iter());
    assert!((60..=80).contains(&random), "random {random}");
}

#[test]
fn bulk_build_fills_leaves_and_equals_inserts() {
    for (rows, len) in [(0, 8), (1, 8), (50_000, 8), (300, 2000), (60, 4000)] {
        let pager = small_pager();
        let keys: Vec<Vec<u8>> = (0..rows).map(|i| wide(i * 3, len)).collect();
        let tree = IndexTree::bulk_build(&pager, OBJECT, keys.iter().map(Ok)).unwrap();
        let report = tree.check(&pager).unwrap();
        assert_eq!(report.entries, rows);
        if report.leaf_pages > 10 {
            assert!((if len > 1000 { 60 } else { 87 }..=92).contains(&report.leaf_fill), "{report:?}");
        }
        assert_eq!(scan(&pager, tree, KeyRange::all(), Direction::Forward), keys);
        assert!(insert(&pager, tree, &wide(1, len)));
        assert!(!insert(&pager, tree, &wide(0, len)) || rows == 0);
        tree.check(&pager).unwrap();
    }
}

#[test]
fn failed_bulk_build_leaves_no_page() {
    let pager = small_pager();
    let keys = (0..200).map(|i| if i < 150 { Ok(wide(i, 2000)) } else { Err(damage()) });
    assert!(IndexTree::bulk_build(&pager, OBJECT, keys).is_err());
    // Every id that the build took is free again.
    let fresh = create(&pager);
    assert!(fresh.root().0 < 150, "{:?}", fresh.root());
}

fn damage() -> crate::Error {
    crate::error::StorageError::Poisoned.into()
}

#[test]
fn cursors_go_on_through_changes() {
    for direction in [Direction::Forward, Direction::Backward] {
        let pager = small_pager();
        let tree = create(&pager);
        for i in 0..300 {
            insert(&pager, tree, &wide(i * 10, 1000));
        }
        let mut cursor = tree.cursor(KeyRange::all(), direction);
        let mut seen = Vec::new();
        while let Some(entry) = cursor.next(&pager).unwrap() {
            let i = u64::from_be_bytes(entry.key[..8].try_into().unwrap());
            if i % 10 > 0 {
                continue;
            }
            seen.push(i / 10);
            // Split leaves around the cursor and empty those behind and before it.
            for near in [i + 1, i + 2, i.saturating_sub(1), i + 501, i + 503] {
                if near % 10 > 0 {
                    insert(&pager, tree, &wide(near, 1000));
                    remove(&pager, tree, &wide(near + 200, 1000));
                }
            }
            insert(&pager, tree, &wide(i, 1000));
            if seen.len() % 20 == 0 {
                tree.merge_sparse(&pager).unwrap();
            }
        }
        if direction == Direction::Backward {
            seen.reverse();
        }
        assert_eq!(seen, (0..300).collect::<Vec<u64>>());
        tree.check(&pager).unwrap();
    }
}

#[test]
fn prefixes_find_their_entries_across_leaves() {
    let pager = small_pager();
    let tree = create(&pager);
    let mut out = Vec::new();
    let first = |prefix: &[u8], from: &[u8], out: &mut Vec<u8>| {
        pager.retry(|| tree.first_with_prefix(&pager, prefix, from, out)).unwrap()
    };
    assert_eq!(first(b"a", b"a", &mut out), None);
    for name in ["ant", "bee", "bee", "cow"] {
        for row in 0..40u64 {
            let key = [name.as_bytes(), &[b'x'; 1200], &row.to_be_bytes()].concat();
            insert(&pager, tree, &key);
        }
    }
    assert!(tree.check(&pager).unwrap().leaf_pages > 8);
    let mut from = b"bee".to_vec();
    let mut rows = 0;
    while let Some(found) = first(b"bee", &from, &mut out) {
        assert!(found.clean);
        assert!(found.more || rows == 39);
        rows += 1;
        from = [&out[..], &[0]].concat();
    }
    assert_eq!(rows, 40);
    assert_eq!(scan(&pager, tree, KeyRange::prefix(b"bee"), Direction::Forward).len(), 40);
    assert_eq!(scan(&pager, tree, KeyRange::prefix(b"be"), Direction::Backward).len(), 40);
    assert_eq!(first(b"bed", b"bed", &mut out), None);
    assert_eq!(first(b"zoo", b"zoo", &mut out), None);
    assert_eq!(scan(&pager, tree, KeyRange::prefix(&[255, 255]), Direction::Forward).len(), 0);
}

#[test]
fn dead_marks_are_cleared_only_unseen_by_others() {
    let pager = small_pager();
    let tree = create(&pager);
    for i in 0..20 {
        insert(&pager, tree, &wide(i, 100));
    }
    let stamp = || {
        let mut cursor = tree.cursor(KeyRange::all(), Direction::Forward).whole_leaves();
        assert!(cursor.fill(&pager).unwrap());
        assert_eq!(cursor.filled().len(), 20);
        (cursor.filled().all(|entry| entry.clean), cursor.stamp().unwrap().clone())
    };
    let mark = || pager.retry(|| tree.mark_dead_entries(&pager, &wide(3, 100))).unwrap();
    let clear = |seen: &_| pager.retry(|| tree.clear_dead_mark(&pager, seen)).unwrap();
    assert!(stamp().0);
    mark();
    let (clean, seen) = stamp();
    assert!(!clean);
    let mut out = Vec::new();
    let found = pager.retry(|| tree.first_with_prefix(&pager, &[0; 7], &[0; 7], &mut out)).unwrap();
    assert_eq!(found, Some(Match { clean: false, more: true }));
    mark();
    assert!(!clear(&seen), "marked again since");
    let (_, seen) = stamp();
    assert!(clear(&seen));
    assert!(stamp().0);
    mark();
    let (_, seen) = stamp();
    for i in 100..400 {
        insert(&pager, tree, &wide(i, 100));
    }
    assert!(!clear(&seen), "split since");
}

#[test]
fn emptied_tree_shrinks_to_its_root_and_is_freed() {
    let pager = small_pager();
    let tree = create(&pager);
    for i in 0..600 {
        insert(&pager, tree, &wide(i, 1500));
    }
    let full = tree.check(&pager).unwrap();
    for i in 0..600 {
        if i % 100 != 0 {
            assert!(remove(&pager, tree, &wide(i, 1500)));
        }
    }
    tree.merge_sparse(&pager).unwrap();
    let sparse = tree.check(&pager).unwrap();
    assert_eq!(sparse.entries, 6);
    assert!(sparse.leaf_pages <= 2 && full.leaf_pages >= 60, "{full:?} {sparse:?}");
    for i in 0..6 {
        assert!(remove(&pager, tree, &wide(i * 100, 1500)));
    }
    tree.merge_sparse(&pager).unwrap();
    let empty = tree.check(&pager).unwrap();
    assert_eq!((empty.levels, empty.inner_pages, empty.leaf_pages), (1, 0, 1));
    for i in 0..200 {
        assert!(insert(&pager, tree, &wide(i, 1500)));
    }
    tree.free(&pager).unwrap();
    assert!(create(&pager).root().0 <= full.leaf_pages + full.inner_pages + 2);
}

/// Runs an attempt as `retry` does, but gives up on what would be an endless loop.
fn bounded<T>(pager: &Pager, mut attempt: impl FnMut() -> Attempt<T>) -> Result<Option<T>> {
    for _ in 0..200 {
        match attempt() {
            Ok(value) => return Ok(Some(value)),
            Err(restart) => pager.resolve(restart)?,
        }
    }
    Ok(None)
}

#[test]
fn hostile_pages_are_refused() {
    let mut draws = Draws(11);
    for round in 0..60u64 {
        let pager = small_pager();
        let tree = create(&pager);
        for i in 0..120 {
            insert(&pager, tree, &wide(i * 7, 2000));
        }
        let mut pages: Vec<PageId> = tree.check(&pager).unwrap().pages.into_iter().collect();
        pages.sort_unstable();
        for _ in 0..1 + round % 4 {
            let victim = pages[usize::try_from(draws.below(pages.len() as u64)).unwrap()];
            let (from, spread) =
                (96 + draws.below(100), 1 + draws.below(if round % 2 == 0 { 8 } else { 16_000 }));
            let spoil = |draws: &mut Draws| {
                let mut page = pager.pin_exclusive(victim)?;
                for at in from..(from + spread).min(PAGE as u64) {
                    page[usize::try_from(at).unwrap()] = draws.next() as u8;
                }
                Ok(())
            };
            pager.retry(|| spoil(&mut draws)).unwrap();
        }
        for i in 0..130 {
            let key = wide(draws.below(900), 2000);
            let outcome = match i % 5 {
                0 => bounded(&pager, || tree.insert(&pager, &key)).map(|done| done.is_some()),
                1 => bounded(&pager, || tree.remove(&pager, &key)).map(|done| done.is_some()),
                2 => bounded(&pager, || tree.contains(&pager, &key)).map(|done| done.is_some()),
                3 => bounded(&pager, || tree.merge_leaf(&pager, &key)).map(|done| done.is_some()),
                _ => {
                    let direction = if i % 2 == 0 { Direction::Forward } else { Direction::Backward };
                    let mut cursor = tree.cursor(KeyRange::all(), direction);
                    (0..20).try_for_each(|_| cursor.next(&pager).map(|_| ())).map(|()| true)
                }
            };
            assert_ne!(outcome.ok(), Some(false), "an operation goes round in circles, round {round}");
        }
        let _ = tree.check(&pager);
    }
}

#[test]
fn wrong_root_is_refused() {
    let pager = small_pager();
    let tree = IndexTree::open(create(&pager).root(), ObjectId(43));
    let corrupt = |outcome: Attempt<bool>| matches!(outcome, Err(Restart::Corrupt(..)));
    assert!(corrupt(tree.insert(&pager, b"k")));
    assert!(corrupt(tree.contains(&pager, b"k")));
    assert!(tree.check(&pager).is_err());
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    Merge,
    Range(Vec<u8>, Option<Vec<u8>>),
    First(Vec<u8>),
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let longest = max_key_len(PAGE);
    prop_oneof![
        4 => (0u64..200, 0usize..2500).prop_map(|(i, len)| wide(i, len)),
        2 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (any::<u8>(), Just(longest)).prop_map(|(byte, len)| vec![byte; len]),
        1 => (0usize..longest).prop_map(|len| vec![b'z'; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => key().prop_map(Op::Insert),
        3 => key().prop_map(Op::Remove),
        1 => Just(Op::Merge),
        1 => (key(), prop::option::of(key())).prop_map(|(lower, upper)| Op::Range(lower, upper)),
        1 => key().prop_map(Op::First),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn tree_behaves_like_a_set(ops in prop::collection::vec(op(), 1..400)) {
        let pager = small_pager();
        let tree = create(&pager);
        let mut model = BTreeSet::new();
        for op in ops {
            match op {
                Op::Insert(key) => prop_assert_eq!(insert(&pager, tree, &key), model.insert(key)),
                Op::Remove(key) => prop_assert_eq!(remove(&pager, tree, &key), model.remove(&key)),
                Op::Merge => tree.merge_sparse(&pager).unwrap(),
                Op::Range(lower, upper) => {
                    let expected: Vec<_> = model
                        .iter()
                        .filter(|key| **key >= lower && upper.as_ref().is_none_or(|upper| *key < upper))
                        .cloned()
                        .collect();
                    let range = KeyRange { lower, upper };
                    let mut back = scan(&pager, tree, range.clone(), Direction::Backward);
                    back.reverse();
                    prop_assert_eq!(&scan(&pager, tree, range, Direction::Forward), &expected);
                    prop_assert_eq!(&back, &expected);
                }
                Op::First(prefix) => {
                    let mut out = Vec::new();
                    let found = pager.retry(|| tree.first_with_prefix(&pager, &prefix, &prefix, &mut out)).unwrap();
                    let expected = model.range(prefix.clone()..).next().filter(|key| key.starts_with(&prefix));
                    prop_assert_eq!(found.map(|_| &out), expected);
                    prop_assert_eq!(
                        pager.retry(|| tree.contains(&pager, &prefix)).unwrap(),
                        model.contains(&prefix)
                    );
                }
            }
        }
        prop_assert_eq!(tree.check(&pager).unwrap().entries, model.len() as u64);
        let all = scan(&pager, tree, KeyRange::all(), Direction::Forward);
        prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        tree.merge_sparse(&pager).unwrap();
        tree.check(&pager).unwrap();
        tree.free(&pager).unwrap();
    }
}
