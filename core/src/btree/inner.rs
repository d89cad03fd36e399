//! The inner node of a row tree: two dense arrays.
//!
//! ```text
//!   96  count u16 | run u8 | zero u8 | zero u32
//!  104  first row id u64  (fences, both inclusive)
//!  112  last row id u64
//!  120  zero u64
//!  128  keys u64 x capacity: key i is the least row id of child i; key 0 is the first fence
//!       children u64 x capacity
//! ```
//!
//! Keys are strictly ascending and within the fences. `run` counts inserts at the end that came one after
//! the other; a node that such a run fills is split at its end and stays full.

use super::bytes::{Damage, PageBytes, put, shift};
use super::leaf::Fences;
use super::structure::Split;
use crate::ids::{PageId, RowId};
use crate::pager::space::HEADER_SIZE;

const BODY: usize = HEADER_SIZE;
const COUNT: usize = BODY;
const RUN: usize = BODY + 2;
const FIRST: usize = BODY + 8;
const LAST: usize = BODY + 16;
const KEYS: usize = BODY + 32;

/// Inserts in a row at the end that make a node split there.
const RUN_LIMIT: u8 = 2;

/// How many children a node in a page of this size can have.
pub(super) const fn capacity(page_size: usize) -> usize {
    let children = page_size.saturating_sub(KEYS) / 16;
    // The count is 16 bits wide.
    if children < u16::MAX as usize { children } else { u16::MAX as usize }
}

fn key_at(i: usize) -> usize {
    KEYS + i * 8
}

fn child_at(page_size: usize, i: usize) -> usize {
    KEYS + (capacity(page_size) + i) * 8
}

/// How many children the node has.
#[inline]
pub(super) fn count<P: PageBytes + ?Sized>(page: &P) -> usize {
    usize::from(page.u16(COUNT)).min(capacity(page.size()))
}

/// The node's fences.
pub(super) fn fences<P: PageBytes + ?Sized>(page: &P) -> Fences {
    Fences { first: RowId(page.u64(FIRST)), last: RowId(page.u64(LAST)) }
}

/// The least row id of child `i`.
#[inline]
pub(super) fn key<P: PageBytes + ?Sized>(page: &P, i: usize) -> RowId {
    RowId(page.u64(key_at(i)))
}

/// Child `i`.
#[inline]
pub(super) fn child<P: PageBytes + ?Sized>(page: &P, i: usize) -> PageId {
    PageId(page.u64(child_at(page.size(), i)))
}

/// The child whose range holds `wanted`, and its place.
#[inline]
pub(super) fn route<P: PageBytes + ?Sized>(page: &P, wanted: RowId) -> Result<(usize, PageId), Damage> {
    let count = count(page);
    if count == 0 {
        return Err(Damage("an inner node of a table has no children"));
    }
    // Row ids are mostly dense, so the place is mostly where a straight line through the keys says.
    let (first, last) = (key(page, 0), key(page, count - 1));
    let (mut low, mut high) = (0, count);
    if wanted >= last {
        low = count - 1;
    } else if wanted > first && first < last {
        let guess = guess(wanted.0 - first.0, last.0 - first.0, count - 1);
        if key(page, guess) <= wanted {
            low = guess;
            let mut step = 1;
            while low + step < high && key(page, low + step) <= wanted {
                low += step;
                step *= 2;
            }
            high = high.min(low + step);
        } else {
            high = guess;
            let mut step = 1;
            while step <= high && key(page, high - step) > wanted {
                high -= step;
                step *= 2;
            }
            low = high.saturating_sub(step);
        }
    } else {
        high = 1;
    }
    // The child is in `low..high`: key `low` is not above `wanted`, key `high` is.
    while high > low + 1 {
        let middle = low + (high - low) / 2;
        if key(page, middle) <= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok((low, child(page, low)))
}

/// `offset / span * places`, as an index below `places`.
#[inline]
fn guess(offset: u64, span: u64, places: usize) -> usize {
    let places = u64::try_from(places).unwrap_or(0);
    // Scaled down so that the product fits: an estimate needs no more than 32 significant bits.
    let shift = 32u32.saturating_sub(span.leading_zeros());
    let place = ((offset >> shift) * places) / (span >> shift).max(1);
    usize::try_from(place.min(places.saturating_sub(1))).unwrap_or(0)
}

/// Whether one more child fits.
pub(super) fn has_room(page: &[u8]) -> bool {
    count(page) < capacity(page.len())
}

/// Makes the page a node without children.
pub(super) fn init(page: &mut [u8], fences: Fences) -> Result<(), Damage> {
    page.get_mut(BODY..KEYS).ok_or(Damage("a page is too small for a node"))?.fill(0);
    set_fences(page, fences)
}

/// Changes the fences.
pub(super) fn set_fences(page: &mut [u8], fences: Fences) -> Result<(), Damage> {
    put(page, FIRST, &fences.first.0.to_le_bytes())?;
    put(page, LAST, &fences.last.0.to_le_bytes())
}

/// Cuts the children from place `at` on, and the fences with them.
pub(super) fn truncate(page: &mut [u8], at: usize, fences: Fences) -> Result<(), Damage> {
    put(page, RUN, &[0])?;
    set_count(page, at)?;
    set_fences(page, fences)
}

fn set_count(page: &mut [u8], count: usize) -> Result<(), Damage> {
    let count = u16::try_from(count).map_err(|_| Damage("a node's count overflows"))?;
    put(page, COUNT, &count.to_le_bytes())
}

/// Inserts a child before place `at`. Returns false, with nothing changed, if the node is full.
pub(super) fn insert(page: &mut [u8], at: usize, key: RowId, child: PageId) -> Result<bool, Damage> {
    let count = count(page);
    if at > count {
        return Err(Damage("a child is inserted outside its node"));
    }
    if !has_room(page) {
        return Ok(false);
    }
    let size = page.len();
    shift(page, key_at(at), key_at(at + 1), (count - at) * 8)?;
    shift(page, child_at(size, at), child_at(size, at + 1), (count - at) * 8)?;
    put(page, key_at(at), &key.0.to_le_bytes())?;
    put(page, child_at(size, at), &child.0.to_le_bytes())?;
    let run = if at == count { page.u8(RUN).saturating_add(1) } else { 0 };
    put(page, RUN, &[run])?;
    set_count(page, count + 1)?;
    Ok(true)
}

/// Removes the child at place `at`.
pub(super) fn remove(page: &mut [u8], at: usize) -> Result<(), Damage> {
    let count = count(page);
    if at >= count {
        return Err(Damage("a child to remove is missing"));
    }
    let size = page.len();
    shift(page, key_at(at + 1), key_at(at), (count - at - 1) * 8)?;
    shift(page, child_at(size, at + 1), child_at(size, at), (count - at - 1) * 8)?;
    put(page, RUN, &[0])?;
    set_count(page, count - 1)
}

/// Where to divide a full node: at its end if a run of inserts filled it, else in the middle.
pub(super) fn choose_split(page: &[u8]) -> Result<Split<RowId>, Damage> {
    let count = count(page);
    if count < 2 {
        return Err(Damage("an inner node with one child is full"));
    }
    let at = if page.u8(RUN) >= RUN_LIMIT { count - 1 } else { count / 2 };
    Ok(Split { at, separator: key(page, at) })
}

/// Appends places `range` of `from`.
pub(super) fn append(page: &mut [u8], from: &[u8], range: std::ops::Range<usize>) -> Result<(), Damage> {
    let start = count(page);
    let end = start + range.len();
    if end > capacity(page.len()) || range.end > count(from) {
        return Err(Damage("a rebuilt node overflows"));
    }
    for (to, i) in (start..end).zip(range) {
        put(page, key_at(to), &key(from, i).0.to_le_bytes())?;
        put(page, child_at(page.len(), to), &child(from, i).0.to_le_bytes())?;
    }
    set_count(page, end)
}

/// Verifies every invariant of the node's own bytes.
pub(super) fn check(page: &[u8]) -> Result<(), Damage> {
    let verify = |holds: bool, otherwise: &'static str| if holds { Ok(()) } else { Err(Damage(otherwise)) };
    let count = count(page);
    let fences = fences(page);
    verify(usize::from(page.u16(COUNT)) == count, "a node has more children than fit a page")?;
    verify(count > 0, "an inner node has no children")?;
    verify(fences.first <= fences.last, "a node's fences are out of order")?;
    verify(key(page, 0) == fences.first, "a node's first key is not its fence")?;
    for i in 0..count {
        verify(fences.cover(key(page, i)), "a key lies outside its node's fences")?;
        verify(i == 0 || key(page, i - 1) < key(page, i), "keys are out of order")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(size: usize, keys: &[u64]) -> Vec<u8> {
        let mut page = vec![0; size];
        init(&mut page, Fences::ALL).unwrap();
        for (i, key) in keys.iter().enumerate() {
            assert!(insert(&mut page, i, RowId(*key), PageId(key ^ 7)).unwrap());
        }
        page
    }

    #[test]
    fn full_node_refuses_and_splits_at_its_growing_end() {
        let size = 352;
        let keys: Vec<u64> = (0..14).map(|i| i * 10).collect();
        let mut page = node(size, &keys);
        assert_eq!(capacity(size), keys.len());
        assert!(!insert(&mut page, 14, RowId(999), PageId(1)).unwrap());
        assert_eq!(choose_split(&page).unwrap(), Split { at: 13, separator: RowId(130) });
        remove(&mut page, 3).unwrap();
        check(&page).unwrap();
        assert_eq!(choose_split(&page).unwrap(), Split { at: 6, separator: RowId(70) });
    }

    #[test]
    fn extreme_ids_have_a_child() {
        let page = node(352, &[0, 1, u64::MAX - 1, u64::MAX]);
        for (wanted, at) in [(0, 0), (1, 1), (2, 1), (1 << 63, 1), (u64::MAX - 1, 2), (u64::MAX, 3)] {
            assert_eq!(
                route(page.as_slice(), RowId(wanted)).unwrap(),
                (at, PageId(key(page.as_slice(), at).0 ^ 7))
            );
        }
        check(&page).unwrap();
    }

    proptest! {
        #[test]
        fn route_finds_the_last_key_not_above(
            mut keys in prop_oneof![
                prop::collection::btree_set(1u64.., 1..60),
                prop::collection::btree_set(1u64..200, 1..60),
            ],
            probes in prop::collection::vec(any::<u64>(), 40),
        ) {
            keys.insert(0);
            let keys: Vec<u64> = keys.into_iter().collect();
            let page = node(2048, &keys);
            check(&page).unwrap();
            let near = keys.iter().flat_map(|k| [k.saturating_sub(1), *k, k.saturating_add(1)]);
            for wanted in near.chain(probes.iter().flat_map(|p| [*p, *p % 256])) {
                let at = keys.partition_point(|k| *k <= wanted) - 1;
                prop_assert_eq!(route(page.as_slice(), RowId(wanted)).unwrap(), (at, PageId(keys[at] ^ 7)));
            }
        }

        #[test]
        fn hostile_bytes_do_no_harm(mut page in prop::collection::vec(any::<u8>(), 0..400), wanted: u64, at in 0usize..80) {
            let _ = route(page.as_slice(), RowId(wanted));
            let _ = check(&page);
            let _ = choose_split(&page);
            let copy = page.clone();
            let _ = append(&mut page, &copy, at / 2..at);
            let _ = insert(&mut page, at, RowId(wanted), PageId(1));
            let _ = remove(&mut page, at);
            let _ = route(page.as_slice(), RowId(wanted));
        }
    }
}
