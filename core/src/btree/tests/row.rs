use super::{Draws, PAGE, small_pager};
use crate::btree::{Damage, Fences, LEAF_BODY, Leaf, NextLeaf, PageBytes, RowTree};
use crate::ids::{ObjectId, PageId, RowId};
use crate::pager::{Attempt, Pager, WriteGuard};
use proptest::prelude::*;
use std::collections::BTreeMap;

const OBJECT: ObjectId = ObjectId(9);
const COUNT: usize = LEAF_BODY;
const ROWS: usize = LEAF_BODY + 8;

/// The least table: pairs of row id and value in order, `capacity` of them a leaf.
#[derive(Clone, Copy)]
pub(super) struct Pairs {
    pub(super) capacity: usize,
}

fn count<P: PageBytes + ?Sized>(leaf: &P) -> usize {
    usize::from(leaf.u16(COUNT)).min((PAGE - ROWS) / 16)
}

fn pair<P: PageBytes + ?Sized>(leaf: &P, i: usize) -> (u64, u64) {
    (leaf.u64(ROWS + i * 16), leaf.u64(ROWS + i * 16 + 8))
}

fn find<P: PageBytes + ?Sized>(leaf: &P, row: u64) -> Result<usize, usize> {
    let at = (0..count(leaf)).find(|i| pair(leaf, *i).0 >= row).unwrap_or_else(|| count(leaf));
    if at < count(leaf) && pair(leaf, at).0 == row { Ok(at) } else { Err(at) }
}

fn set(leaf: &mut [u8], rows: &[(u64, u64)]) {
    leaf[COUNT..COUNT + 2].copy_from_slice(&u16::try_from(rows.len()).unwrap().to_le_bytes());
    for (i, (row, value)) in rows.iter().enumerate() {
        leaf[ROWS + i * 16..][..8].copy_from_slice(&row.to_le_bytes());
        leaf[ROWS + i * 16 + 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn rows(leaf: &[u8]) -> Vec<(u64, u64)> {
    (0..count(leaf)).map(|i| pair(leaf, i)).collect()
}

impl Leaf for Pairs {
    fn init(&self, leaf: &mut WriteGuard<'_>) -> Result<(), Damage> {
        set(leaf, &[]);
        Ok(())
    }

    fn separator(&self, leaf: &[u8], row: RowId) -> Result<Option<RowId>, Damage> {
        let count = count(leaf);
        if count < self.capacity {
            return Ok(None);
        }
        let last = pair(leaf, count - 1).0;
        Ok(Some(RowId(if row.0 > last { row.0 } else { pair(leaf, count / 2).0 })))
    }

    fn split(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        separator: RowId,
    ) -> Result<(), Damage> {
        assert_eq!(Fences::of(&**right).first, separator);
        let all = rows(left);
        let at = all.partition_point(|(row, _)| *row < separator.0);
        set(right, &all[at..]);
        set(left, &all[..at]);
        Ok(())
    }

    fn mergeable(&self, left: &[u8], right: &[u8]) -> bool {
        let (left, right) = (count(left), count(right));
        left.min(right) * 3 <= self.capacity && (left + right) * 5 <= self.capacity * 4
    }

    fn merge(&self, left: &mut WriteGuard<'_>, right: &mut WriteGuard<'_>) -> Result<(), Damage> {
        let all = [rows(left), rows(right)].concat();
        set(left, &all);
        Ok(())
    }

    fn check(&self, leaf: &[u8]) -> Result<u64, Damage> {
        let (rows, fences) = (rows(leaf), Fences::of(leaf));
        let good = rows.is_sorted() && rows.iter().all(|(row, _)| fences.cover(RowId(*row)));
        if good { Ok(rows.len() as u64) } else { Err(Damage("rows are out of order")) }
    }
}

/// A table of pairs.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) tree: RowTree,
    pub(super) leaf: Pairs,
}

impl Table {
    pub(super) fn create(pager: &Pager, capacity: usize) -> Self {
        let leaf = Pairs { capacity };
        Self { tree: pager.retry(|| RowTree::create(pager, OBJECT, &leaf)).unwrap(), leaf }
    }

    fn try_put(&self, pager: &Pager, row: u64, value: u64) -> Attempt<Option<u64>> {
        loop {
            let mut page = self.tree.find_exclusive(pager, RowId(row))?;
            let mut all = rows(&page);
            match find(&*page, row) {
                Ok(at) => {
                    let old = std::mem::replace(&mut all[at].1, value);
                    set(&mut page, &all);
                    return Ok(Some(old));
                }
                Err(_) if all.len() >= self.leaf.capacity => {
                    drop(page);
                    self.tree.split(pager, &self.leaf, RowId(row))?;
                }
                Err(at) => {
                    all.insert(at, (row, value));
                    set(&mut page, &all);
                    return Ok(None);
                }
            }
        }
    }

    pub(super) fn put(&self, pager: &Pager, row: u64, value: u64) -> Option<u64> {
        pager.retry(|| self.try_put(pager, row, value)).unwrap()
    }

    pub(super) fn remove(&self, pager: &Pager, row: u64) -> Option<u64> {
        let attempt = || {
            let mut page = self.tree.find_exclusive(pager, RowId(row))?;
            let Ok(at) = find(&*page, row) else { return Ok(None) };
            let mut all = rows(&page);
            let (_, value) = all.remove(at);
            set(&mut page, &all);
            Ok(Some(value))
        };
        pager.retry(attempt).unwrap()
    }

    pub(super) fn get(&self, pager: &Pager, row: u64) -> Option<u64> {
        let attempt = || {
            let page = self.tree.find_optimistic(pager, RowId(row))?;
            let found = find(&page, row).ok().map(|at| pair(&page, at).1);
            page.validate()?;
            let latched = self.tree.find_shared(pager, RowId(row))?;
            assert!(Fences::of(&*latched).cover(RowId(row)));
            Ok(found)
        };
        pager.retry(attempt).unwrap()
    }

    pub(super) fn scan(&self, pager: &Pager) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let mut next = Some(NextLeaf::FIRST);
        while let Some(from) = next {
            next = pager
                .retry(|| {
                    let page = self.tree.find_next(pager, from)?;
                    all.extend(rows(&page).into_iter().filter(|(row, _)| *row >= from.first.0));
                    Ok(NextLeaf::after(&*page))
                })
                .unwrap();
        }
        all
    }
}

#[test]
fn ascending_rows_fill_leaves_and_levels() {
    let pager = small_pager();
    let table = Table::create(&pager, 4);
    for row in 0..20_000 {
        assert_eq!(table.put(&pager, row, row * 2), None);
    }
    let report = table.tree.check(&pager, &table.leaf).unwrap();
    assert_eq!((report.entries, report.leaf_pages, report.levels), (20_000, 5_000, 3));
    assert!(report.inner_pages <= 7, "{report:?}");
    assert_eq!(table.get(&pager, 12_345), Some(24_690));
    assert_eq!(table.get(&pager, 20_000), None);
    assert_eq!(table.scan(&pager).len(), 20_000);
    for row in 0..20_000 {
        if row % 50 != 0 {
            assert_eq!(table.remove(&pager, row), Some(row * 2));
        }
    }
    table.tree.merge_sparse(&pager, &table.leaf).unwrap();
    let report = table.tree.check(&pager, &table.leaf).unwrap();
    assert_eq!((report.entries, report.levels), (400, 2));
    assert!(report.leaf_pages <= 200, "{report:?}");
    assert_eq!(table.scan(&pager), (0..400).map(|i| (i * 50, i * 100)).collect::<Vec<_>>());
    table.tree.free(&pager).unwrap();
}

#[test]
fn greatest_row_ids_are_ordinary() {
    let pager = small_pager();
    let table = Table::create(&pager, 2);
    for back in 0..10 {
        assert_eq!(table.put(&pager, u64::MAX - back, back), None);
        assert_eq!(table.put(&pager, back, back), None);
    }
    table.tree.check(&pager, &table.leaf).unwrap();
    assert_eq!(table.get(&pager, u64::MAX), Some(0));
    assert_eq!(table.scan(&pager).last(), Some(&(u64::MAX, 0)));
    let ascending = Table::create(&pager, 2);
    for back in (0..10).rev() {
        assert_eq!(ascending.put(&pager, u64::MAX - back, back), None);
    }
    assert_eq!(ascending.tree.check(&pager, &ascending.leaf).unwrap().entries, 10);
    assert_eq!(ascending.scan(&pager).len(), 10);
}

#[test]
fn hostile_inner_nodes_are_refused() {
    let mut draws = Draws(5);
    for round in 0..40u64 {
        let pager = small_pager();
        let table = Table::create(&pager, 2);
        for row in 0..60 {
            table.put(&pager, row * 9, row);
        }
        let spoil = |draws: &mut Draws| {
            let mut page = pager.pin_exclusive(table.tree.root())?;
            let from = 96 + draws.below(60);
            for at in from..(from + 1 + draws.below(600)).min(PAGE as u64) {
                page[usize::try_from(at).unwrap()] = draws.next() as u8;
            }
            Ok(())
        };
        pager.retry(|| spoil(&mut draws)).unwrap();
        for _ in 0..60 {
            let row = RowId(if round % 2 == 0 { draws.next() } else { draws.below(600) });
            for _ in 0..50 {
                let tree = table.tree;
                let outcome = match draws.below(4) {
                    0 => tree.find_optimistic(&pager, row).map(|_| ()),
                    1 => tree.find_shared(&pager, row).map(|_| ()),
                    2 => tree.split(&pager, &table.leaf, row),
                    _ => tree.merge_leaf(&pager, &table.leaf, row).map(|_| ()),
                };
                match outcome {
                    Ok(()) => break,
                    Err(restart) if pager.resolve(restart).is_err() => break,
                    Err(_) => {}
                }
            }
        }
        let _ = table.tree.check(&pager, &table.leaf);
    }
}

#[test]
fn wrong_root_is_refused() {
    let pager = small_pager();
    let table = Table::create(&pager, 4);
    let other = RowTree::open(table.tree.root(), ObjectId(1));
    assert!(other.find_shared(&pager, RowId(1)).is_err());
    assert!(other.find_optimistic(&pager, RowId(1)).is_err());
    assert!(RowTree::open(PageId(1 << 40), OBJECT).check(&pager, &table.leaf).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn tree_behaves_like_a_map(
        capacity in 2usize..6,
        ops in prop::collection::vec((0u8..10, 0u64..400, any::<bool>()), 1..1500),
    ) {
        let pager = small_pager();
        let table = Table::create(&pager, capacity);
        let mut model = BTreeMap::new();
        for (i, (what, row, far)) in ops.into_iter().enumerate() {
            let row = if far { row.wrapping_mul(0x9e37_79b9_7f4a_7c15) } else { row };
            match what {
                0..=5 => prop_assert_eq!(table.put(&pager, row, i as u64), model.insert(row, i as u64)),
                6..=7 => prop_assert_eq!(table.remove(&pager, row), model.remove(&row)),
                8 => prop_assert_eq!(table.get(&pager, row), model.get(&row).copied()),
                _ if row % 20 == 0 => table.tree.merge_sparse(&pager, &table.leaf).unwrap(),
                _ => {}
            }
        }
        prop_assert_eq!(table.tree.check(&pager, &table.leaf).unwrap().entries, model.len() as u64);
        prop_assert_eq!(table.scan(&pager), model.into_iter().collect::<Vec<_>>());
        table.tree.free(&pager).unwrap();
    }
}
