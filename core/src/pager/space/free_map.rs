//! Places of the file: which are taken, and by whom.
//!
//! On disk the free map is a set of bitmaps, one bit per place, found through a map tree. Each bitmap fills the
//! body of a FreeSpace page, least significant bit first, and covers (page size - 96) x 8 places (2 GiB of
//! 16 KiB pages). It marks what the cut refers to, the map nodes and bitmaps themselves and the superblock
//! copies included; a bitmap that is missing is all zero but for the superblock copies.
//!
//! In memory there are two sets:
//! 1. `durable`: places the durable cut refers to. It changes only when a cut replaces it.
//! 2. `in_use`: `durable`, and every place handed out since: scratch copies of pages, pages and nodes of the
//!    cut being built. Allocation looks only here, so nothing a crash could fall back to is ever overwritten.

use super::header::{self, HEADER_SIZE, PageHeader, PageKind};
use super::superblock::reserved_places;
use super::{FREE_MAP_OBJECT, Run};
use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, PageId, PhysicalPage};

const WORD: u64 = 64;
/// The file grows by an eighth within these bounds.
const MIN_GROWTH_BYTES: u64 = 1 << 20;
const MAX_GROWTH_BYTES: u64 = 64 << 20;
/// Holes shorter than this are passed over by runs while the file has few of them.
const GOOD_RUN: u64 = 16;

/// A set of numbers with a summary that finds gaps quickly. Numbers beyond its storage are not in it.
#[derive(Clone, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
    /// One bit per word: the word has no zero.
    full: Vec<u64>,
    ones: u64,
}

impl Bitmap {
    fn position(bit: u64) -> (usize, u64) {
        (usize::try_from(bit / WORD).expect("a bitmap fits memory"), 1 << (bit % WORD))
    }

    pub(super) fn contains(&self, bit: u64) -> bool {
        let (word, mask) = Self::position(bit);
        self.words.get(word).is_some_and(|w| w & mask != 0)
    }

    /// Adds `bit`; false if it was there.
    pub(super) fn insert(&mut self, bit: u64) -> bool {
        let (word, mask) = Self::position(bit);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
            self.full.resize(word / 64 + 1, 0);
        }
        if self.words[word] & mask != 0 {
            return false;
        }
        self.words[word] |= mask;
        self.ones += 1;
        if self.words[word] == u64::MAX {
            self.full[word / 64] |= 1 << (word % 64);
        }
        true
    }

    /// Removes `bit`; false if it was not there.
    pub(super) fn remove(&mut self, bit: u64) -> bool {
        let (word, mask) = Self::position(bit);
        if !self.contains(bit) {
            return false;
        }
        self.words[word] &= !mask;
        self.full[word / 64] &= !(1 << (word % 64));
        self.ones -= 1;
        true
    }

    /// The first number at or after `from` that is not in the set.
    fn next_gap(&self, from: u64) -> u64 {
        let word = Self::position(from).0;
        let Some(first) = self.words.get(word) else { return from };
        let gaps = !first & (u64::MAX << (from % WORD));
        if gaps != 0 {
            return word as u64 * WORD + u64::from(gaps.trailing_zeros());
        }
        let next = word + 1;
        let mut ignore = (1u64 << (next % 64)) - 1;
        for (group, full) in self.full.iter().enumerate().skip(next / 64) {
            let open = !(full | ignore);
            ignore = 0;
            if open != 0 {
                let word = group * 64 + open.trailing_zeros() as usize;
                let bits = self.words.get(word).copied().unwrap_or(0);
                return word as u64 * WORD + u64::from((!bits).trailing_zeros());
            }
        }
        self.words.len() as u64 * WORD
    }

    /// The first number in `from..limit` that is in the set, or `limit`.
    fn next_member(&self, from: u64, limit: u64) -> u64 {
        let mut at = from;
        while at < limit {
            let bits = self.words.get(Self::position(at).0).copied().unwrap_or(0) >> (at % WORD);
            if bits != 0 {
                return limit.min(at + u64::from(bits.trailing_zeros()));
            }
            at = (at / WORD + 1) * WORD;
        }
        limit
    }

    /// The largest member, if there is one.
    pub(super) fn last(&self) -> Option<u64> {
        let word = self.words.iter().rposition(|w| *w != 0)?;
        Some(word as u64 * WORD + u64::from(63 - self.words[word].leading_zeros()))
    }

    pub(super) fn len(&self) -> u64 {
        self.ones
    }

    /// The members, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(index as u64 * WORD + u64::from(bit))
            })
        })
    }
}

/// Places per bitmap page.
pub(super) fn coverage(page_size: usize) -> u64 {
    (page_size - HEADER_SIZE) as u64 * 8
}

/// Builds bitmap page `index` of `set` and seals it.
pub(super) fn fill_page(page: &mut [u8], set: &Bitmap, index: u64, epoch: Epoch) -> u32 {
    let header = PageHeader {
        kind: PageKind::FreeSpace,
        flags: 0,
        page_id: PageId(index),
        epoch,
        lsn: Lsn(0),
        object: FREE_MAP_OBJECT,
        level: 0,
    };
    header.write(page);
    let first = Bitmap::position(index * coverage(page.len())).0;
    for (offset, bytes) in page[HEADER_SIZE..].chunks_exact_mut(8).enumerate() {
        let word = set.words.get(first + offset).copied().unwrap_or(0);
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    header::seal(page)
}

/// Adds the members of bitmap page `index` to `set`. None may be `limit` or more.
pub(super) fn load_page(
    page: &[u8],
    header: &PageHeader,
    place: PhysicalPage,
    index: u64,
    set: &mut Bitmap,
    limit: u64,
) -> Result<()> {
    let damaged = |reason| StorageError::CorruptPage { page: place.0, reason };
    if header.kind != PageKind::FreeSpace || header.object != FREE_MAP_OBJECT || header.page_id.0 != index {
        return Err(damaged("not the expected bitmap of the free map").into());
    }
    let first = index * coverage(page.len());
    for (offset, bytes) in page[HEADER_SIZE..].chunks_exact(8).enumerate() {
        let mut rest = header::u64_at(bytes, 0);
        while rest != 0 {
            let bit = first + offset as u64 * WORD + u64::from(rest.trailing_zeros());
            if bit >= limit {
                return Err(damaged("free map marks places beyond the end of the file").into());
            }
            set.insert(bit);
            rest &= rest - 1;
        }
    }
    Ok(())
}

/// The places of an open file.
pub(super) struct Places {
    page_size: usize,
    durable: Bitmap,
    in_use: Bitmap,
    /// Places the file has room for.
    len: u64,
    /// No place below is free.
    cursor: u64,
    /// No good run lies below.
    run_cursor: u64,
}

impl Places {
    /// `durable` is what the free map on disk marks; the superblock copies are added.
    pub(super) fn new(page_size: usize, mut durable: Bitmap, len: u64) -> Self {
        for place in reserved_places(page_size) {
            durable.insert(place);
        }
        Self { page_size, in_use: durable.clone(), durable, len, cursor: 0, run_cursor: 0 }
    }

    /// Takes 1 to `want` free neighbours. `grow` gives the file room for so many places.
    pub(super) fn allocate_run(&mut self, want: u32, mut grow: impl FnMut(u64) -> Result<()>) -> Result<Run> {
        let want = u64::from(want.max(1));
        let free = self.len.saturating_sub(self.in_use.len());
        let mut run = if want == 1 { self.find_first_hole(want) } else { self.find_good_run(want) };
        if run.is_none() && free > self.len / 4 {
            run = self.find_first_hole(want);
        }
        if run.is_none() {
            match self.extend(want, &mut grow) {
                Ok(()) => run = self.find_good_run(want),
                // A full disk is no reason to fail while there are holes.
                Err(e) => run = Some(self.find_first_hole(want).ok_or(e)?),
            }
        }
        let (first, count) = run.expect("growth makes room");
        for place in first..first + count {
            self.in_use.insert(place);
        }
        let len = u32::try_from(count).expect("a run is no longer than wanted");
        Ok(Run { first: PhysicalPage(first), len })
    }

    fn find_good_run(&mut self, want: u64) -> Option<(u64, u64)> {
        let good = want.min(GOOD_RUN);
        loop {
            let first = self.in_use.next_gap(self.run_cursor);
            let end = self.in_use.next_member(first, self.len.min(first + want));
            if first >= self.len {
                self.run_cursor = self.len;
                return None;
            }
            self.run_cursor = end;
            if end - first >= good {
                return Some((first, end - first));
            }
        }
    }

    fn find_first_hole(&mut self, want: u64) -> Option<(u64, u64)> {
        let first = self.in_use.next_gap(self.cursor);
        self.cursor = first.min(self.len);
        let end = self.in_use.next_member(first, self.len.min(first + want));
        (first < self.len).then_some((first, end - first))
    }

    fn extend(&mut self, want: u64, grow: &mut impl FnMut(u64) -> Result<()>) -> Result<()> {
        let page = self.page_size as u64;
        let step = (self.len / 8).clamp(MIN_GROWTH_BYTES / page, MAX_GROWTH_BYTES / page).max(want);
        let len = match grow(self.len + step) {
            Ok(()) => self.len + step,
            Err(_) => {
                grow(self.len + want)?;
                self.len + want
            }
        };
        // Free places at the old end join the new ones.
        self.run_cursor = self.in_use.last().map_or(0, |last| last + 1).min(self.len);
        self.len = len;
        Ok(())
    }

    /// Gives back a place handed out and not adopted by a cut.
    pub(super) fn release(&mut self, place: PhysicalPage) {
        assert!(!self.durable.contains(place.0), "places of the durable cut are freed by the next cut");
        assert!(self.in_use.remove(place.0), "a place is released once");
        self.cursor = self.cursor.min(place.0);
        self.run_cursor = self.run_cursor.min(place.0);
    }

    /// Gives back a place unless that has happened or the durable cut refers to it.
    pub(super) fn release_if_handed_out(&mut self, place: PhysicalPage) {
        if self.is_handed_out(place) {
            self.release(place);
        }
    }

    /// Whether the place may be written: it is in use, but not by the durable cut.
    pub(super) fn is_handed_out(&self, place: PhysicalPage) -> bool {
        self.in_use.contains(place.0) && !self.durable.contains(place.0)
    }

    pub(super) fn durable(&self) -> &Bitmap {
        &self.durable
    }

    /// Places in use that the durable cut does not refer to.
    #[cfg(test)]
    pub(super) fn handed_out(&self) -> u64 {
        self.in_use.len() - self.durable.len()
    }

    /// Places the file has room for.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Changes the durable set for the cut being written; all of it or nothing.
    pub(super) fn replace(&mut self, added: &[PhysicalPage], removed: &[PhysicalPage]) -> Result<()> {
        for (done, place) in removed.iter().enumerate() {
            if reserved_places(self.page_size).contains(&place.0) || !self.durable.remove(place.0) {
                self.undo_replace(&[], &removed[..done]);
                let reason = "a place the cut gives up is not marked in the free map, or twice referred to";
                return Err(StorageError::CorruptPage { page: place.0, reason }.into());
            }
        }
        for (done, place) in added.iter().enumerate() {
            let handed_out = self.in_use.contains(place.0);
            if !handed_out || !self.durable.insert(place.0) {
                self.undo_replace(&added[..done], removed);
                let reason = "a place the cut takes was not handed out for it";
                return Err(StorageError::CorruptPage { page: place.0, reason }.into());
            }
        }
        Ok(())
    }

    /// Takes back a replacement whose cut was abandoned.
    pub(super) fn undo_replace(&mut self, added: &[PhysicalPage], removed: &[PhysicalPage]) {
        for place in added {
            self.durable.remove(place.0);
        }
        for place in removed {
            self.durable.insert(place.0);
        }
    }

    /// After the cut is durable: what it gave up is free, and allocation starts again at the low end.
    pub(super) fn finish_cut(&mut self, removed: &[PhysicalPage]) {
        for place in removed {
            self.in_use.remove(place.0);
        }
        self.cursor = 0;
        self.run_cursor = 0;
    }

    /// The length to which the file can shrink, if more than `slack` places at its end are free.
    pub(super) fn shrinkable(&self, slack: u64) -> Option<u64> {
        let needed = self.in_use.last().map_or(0, |last| last + 1);
        (self.len > needed + slack).then_some(needed)
    }

    pub(super) fn shrunk(&mut self, len: u64) {
        self.len = len;
        self.cursor = self.cursor.min(len);
        self.run_cursor = self.run_cursor.min(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::SeededRng;
    use std::collections::BTreeSet;

    #[test]
    fn a_bitmap_behaves_like_a_set() {
        let rng = SeededRng::new(1);
        for limit in [1, 63, 64, 65, 5000, 20_000] {
            let (mut bitmap, mut set) = (Bitmap::default(), BTreeSet::new());
            for _ in 0..2000 {
                let first = rng.below(limit);
                let add = rng.below(3) > 0;
                for bit in first..limit.min(first + rng.below(200)) {
                    if add {
                        assert_eq!(bitmap.insert(bit), set.insert(bit));
                    } else {
                        assert_eq!(bitmap.remove(bit), set.remove(&bit));
                    }
                }
                let from = rng.below(limit + 100);
                let gap = (from..).find(|bit| !set.contains(bit));
                assert_eq!(Some(bitmap.next_gap(from)), gap);
                let member = set.range(from..).next().copied().unwrap_or(u64::MAX);
                assert_eq!(bitmap.next_member(from, limit.max(from)), member.min(limit.max(from)));
                assert_eq!(bitmap.last(), set.last().copied());
                assert_eq!(bitmap.len(), set.len() as u64);
            }
            assert!(bitmap.iter().eq(set.iter().copied()));
        }
    }

    #[test]
    fn a_full_disk_gives_holes_before_it_fails() {
        let mut places = Places::new(16_384, Bitmap::default(), 200);
        let refuse = |_: u64| Err(StorageError::Poisoned.into());
        let mut taken = Vec::new();
        while let Ok(run) = places.allocate_run(50, refuse) {
            taken.extend(run.places());
        }
        assert_eq!(taken.len(), 198);
        taken.iter().step_by(50).for_each(|place| places.release(*place));
        assert_eq!((0..).take_while(|_| places.allocate_run(50, refuse).is_ok()).count(), 4);
        // A step is refused, but what is needed now can still be had.
        let run = places.allocate_run(3, |len| if len <= 203 { Ok(()) } else { refuse(len) }).unwrap();
        assert_eq!((run.first, run.len), (PhysicalPage(200), 3));
    }
}
