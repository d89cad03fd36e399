//! Moving the database from one durable state to the next.
//!
//! The free map describes itself: rewriting a bitmap or a map node takes a new place and gives up the old one,
//! which changes bits in perhaps other bitmaps. All places are therefore chosen before anything is serialised,
//! by repeating the step "each bitmap with a changed bit, and each node above it, moves" until nothing new
//! moves. A page moves at most once, so this ends.

use super::page_file::RunWriter;
use super::page_ids::FreeChain;
use super::page_map::{Entry, Node, Plan, Staged};
use super::{BlobRef, CutState, Location, Space, Superblock, blob, free_map};
use crate::error::Result;
use crate::ids::{Epoch, Lsn, PageId, PhysicalPage, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Places at the end of the file that may stay unused after a cut, in bytes; beyond it the file is shortened.
const SLACK_BYTES: u64 = 4 << 20;

/// What the next durable state is.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Higher than that of the durable cut.
    pub epoch: Epoch,
    /// Pages written, with their new places, and pages that are gone (None). Each page once.
    pub changes: Vec<(PageId, Option<Location>)>,
    /// Active transactions and pending garbage.
    pub cut_state: BlobRef,
    /// The table of cut domains.
    pub domains: BlobRef,
    /// Where the catalog starts.
    pub catalog_root: u64,
    /// Where replay of the log starts.
    pub wal_start: Lsn,
    /// The salt of the log that holds that position.
    pub wal_salt: u64,
    /// No later commit is in the cut.
    pub commit_ts: Timestamp,
    /// The database is being closed and its log is not needed.
    pub clean: bool,
}

/// How the durable set of places changes, and the places taken for the cut's own pages.
#[derive(Default)]
struct Build {
    added: Vec<PhysicalPage>,
    removed: Vec<PhysicalPage>,
    /// Of `added`, those this cut allocated.
    allocated: Vec<PhysicalPage>,
    /// The durable set has been changed accordingly.
    applied: bool,
}

/// A cut of which everything but the superblock is written.
struct Ready {
    superblock: Superblock,
    chain: FreeChain,
    map_changes: Vec<(u64, Entry)>,
    page_map: Staged,
    free_map_changes: Vec<(u64, Entry)>,
    free_map: Staged,
}

impl Space {
    /// Makes `cut` the durable state; its pages must be written, not synced. When this returns it is durable, and
    /// the places that only the former cut used are free.
    ///
    /// # Errors
    /// A failed write abandons the cut: the former one stays, the places of the cut's pages stay handed out, its
    /// blobs are gone. `Poisoned` if a sync or a write of the superblock failed: then either cut may be the
    /// durable one and every later change is refused.
    ///
    /// # Panics
    /// If the epoch does not grow, or a change names a page twice or one never handed out.
    pub fn commit_cut(&self, mut cut: Cut) -> Result<()> {
        let mut state = self.cut.lock();
        self.file.check_usable()?;
        self.repair_superblock(&mut state)?;
        assert!(cut.epoch > state.superblock.epoch, "epochs grow");
        cut.changes.sort_unstable_by_key(|(pid, _)| *pid);
        let next = self.ids.next();
        assert!(cut.changes.windows(2).all(|w| w[0].0 != w[1].0), "a cut changes each page once");
        assert!(cut.changes.iter().all(|(pid, _)| pid.0 != 0 && pid.0 < next), "page ids were handed out");

        let mut build = Build::default();
        match self.prepare(&mut state, &cut, &mut build).and_then(|ready| {
            self.file.sync()?;
            let image = ready.superblock.encode();
            self.file.write_superblock(0, &image)?;
            self.file.write_superblock(1, &image)?;
            Ok(ready)
        }) {
            Ok(ready) => {
                self.publish(&mut state, ready, &build.removed);
                Ok(())
            }
            Err(e) => {
                self.abandon(&state.superblock, &build);
                Err(e)
            }
        }
    }

    /// Chooses places and writes everything but the superblock. `build` tells what to take back on failure.
    fn prepare(&self, state: &mut CutState, cut: &Cut, build: &mut Build) -> Result<Ready> {
        state.chain.refill(&self.ids, &self.page_map, &self.file)?;
        let (map_changes, chain) = self.map_changes(&state.chain, cut, build)?;
        self.exchange_blobs(&state.superblock, cut, build)?;

        let map_plan = self.page_map.plan(map_changes.iter().map(|(key, _)| *key));
        let map_nodes: Vec<Node> = map_plan.nodes().collect();
        let map_places = self.take_places(&map_nodes, build)?;
        for (level, index) in map_nodes {
            build.removed.extend(self.page_map.place_of(&self.file, level, index)?);
        }
        let (bitmaps, free_map_plan, free_map_places) = self.place_free_map(build)?;

        let file_pages = {
            let mut places = self.places.lock();
            places.replace(&build.added, &build.removed)?;
            build.applied = true;
            places.durable().last().map_or(0, |last| last + 1)
        };
        let mut writer = RunWriter::new(&self.file);
        let at = |level, index| map_places[&(level, index)];
        let page_map =
            self.page_map.stage(&self.file, &map_plan, &map_changes, at, cut.epoch, &mut writer)?;
        let free_map_changes = self.write_bitmaps(&bitmaps, cut.epoch, &mut writer)?;
        let at = |level, index| free_map_places[&(level, index)];
        let free_map =
            self.free_map.stage(&self.file, &free_map_plan, &free_map_changes, at, cut.epoch, &mut writer)?;
        writer.finish()?;

        let mut superblock = state.superblock.clone();
        superblock.epoch = cut.epoch;
        superblock.domains = cut.domains;
        superblock.cut_state = cut.cut_state;
        superblock.catalog_root = cut.catalog_root;
        superblock.wal_start = cut.wal_start;
        superblock.wal_salt = cut.wal_salt;
        superblock.commit_ts = cut.commit_ts;
        superblock.clean = cut.clean;
        superblock.page_map = page_map.root();
        superblock.free_map = free_map.root();
        superblock.next_page_id = chain.next_id();
        superblock.free_id_head = chain.head();
        superblock.file_pages = file_pages;
        Ok(Ready { superblock, chain, map_changes, page_map, free_map_changes, free_map })
    }

    /// The page-map entries to change, ascending, those of the chain of unused ids included.
    fn map_changes(
        &self,
        chain: &FreeChain,
        cut: &Cut,
        build: &mut Build,
    ) -> Result<(Vec<(u64, Entry)>, FreeChain)> {
        let mut changes = Vec::with_capacity(cut.changes.len());
        let (mut taken, mut freed) = (Vec::new(), Vec::new());
        for (pid, location) in &cut.changes {
            let old = self.page_map.get(&self.file, pid.0)?;
            let old_place = old.is_live().then(|| old.place());
            match location {
                Some(new) => {
                    changes.push((pid.0, Entry::live(new.page, new.crc, new.epoch)));
                    if old_place.is_none() {
                        taken.push(pid.0);
                    }
                    if old_place != Some(new.page) {
                        build.added.push(new.page);
                        build.removed.extend(old_place);
                    }
                }
                None if old.is_live() => {
                    freed.push(pid.0);
                    build.removed.extend(old_place);
                }
                // Made and freed since the last cut.
                None => {}
            }
        }
        let (chain, links) = chain.after(&taken, &freed)?;
        changes.extend(links);
        changes.sort_unstable_by_key(|(key, _)| *key);
        Ok((changes, chain))
    }

    /// Counts the places of the new blobs in and those of the old ones out.
    fn exchange_blobs(&self, old: &Superblock, cut: &Cut, build: &mut Build) -> Result<()> {
        let before: BTreeSet<PhysicalPage> = self.places_of_blobs([old.cut_state, old.domains])?;
        let after = self.places_of_blobs([cut.cut_state, cut.domains])?;
        build.added.extend(after.difference(&before));
        build.removed.extend(before.difference(&after));
        Ok(())
    }

    fn places_of_blobs(&self, refs: [BlobRef; 2]) -> Result<BTreeSet<PhysicalPage>> {
        let mut places = BTreeSet::new();
        for blob in refs {
            let known = self.blobs.lock().get(&blob.page).cloned();
            let links = match known {
                Some(links) => links,
                None => blob::read(&self.file, blob, self.places.lock().len())?.1,
            };
            places.extend(links);
        }
        Ok(places)
    }

    /// New places for nodes, next to each other as far as possible.
    fn take_places(&self, nodes: &[Node], build: &mut Build) -> Result<HashMap<Node, PhysicalPage>> {
        let places = self.allocate_many(nodes.len() as u64)?;
        build.allocated.extend(&places);
        build.added.extend(&places);
        Ok(nodes.iter().copied().zip(places).collect())
    }

    /// Chooses places for every bitmap whose bits change and for the nodes above them.
    #[expect(clippy::type_complexity, reason = "the three parts of one answer, used once")]
    fn place_free_map(
        &self,
        build: &mut Build,
    ) -> Result<(BTreeMap<u64, PhysicalPage>, Plan, HashMap<Node, PhysicalPage>)> {
        let coverage = free_map::coverage(self.page_size());
        let mut bitmaps: BTreeMap<u64, PhysicalPage> = BTreeMap::new();
        let mut nodes: HashMap<Node, PhysicalPage> = HashMap::new();
        let (mut seen_added, mut seen_removed) = (0, 0);
        loop {
            let changed = build.added[seen_added..].iter().chain(&build.removed[seen_removed..]);
            let new: BTreeSet<u64> = changed
                .map(|place| place.0 / coverage)
                .filter(|index| !bitmaps.contains_key(index))
                .collect();
            (seen_added, seen_removed) = (build.added.len(), build.removed.len());
            if new.is_empty() {
                let plan = self.free_map.plan(bitmaps.keys().copied());
                return Ok((bitmaps, plan, nodes));
            }
            for index in new {
                let old = self.free_map.get(&self.file, index)?;
                if old.is_live() {
                    build.removed.push(old.place());
                }
                let place = self.allocate()?;
                build.allocated.push(place);
                build.added.push(place);
                bitmaps.insert(index, place);
            }
            let plan = self.free_map.plan(bitmaps.keys().copied());
            let new: Vec<Node> = plan.nodes().filter(|node| !nodes.contains_key(node)).collect();
            nodes.extend(self.take_places(&new, build)?);
            for (level, index) in new {
                build.removed.extend(self.free_map.place_of(&self.file, level, index)?);
            }
        }
    }

    /// Writes the bitmaps of the new durable set and returns the entries that lead to them.
    fn write_bitmaps(
        &self,
        bitmaps: &BTreeMap<u64, PhysicalPage>,
        epoch: Epoch,
        writer: &mut RunWriter<'_>,
    ) -> Result<Vec<(u64, Entry)>> {
        let mut entries = Vec::with_capacity(bitmaps.len());
        for (index, place) in bitmaps {
            let crc = writer.push(*place, |page| {
                free_map::fill_page(page, self.places.lock().durable(), *index, epoch)
            })?;
            entries.push((*index, Entry::live(*place, crc, epoch)));
        }
        Ok(entries)
    }

    /// The cut is durable: memory follows.
    fn publish(&self, state: &mut CutState, ready: Ready, removed: &[PhysicalPage]) {
        self.page_map.publish(ready.page_map, &ready.map_changes);
        self.free_map.publish(ready.free_map, &ready.free_map_changes);
        state.chain = ready.chain;
        state.superblock = ready.superblock;
        let mut blobs = self.blobs.lock();
        let kept = [state.superblock.cut_state.page, state.superblock.domains.page];
        let dropped: Vec<_> = blobs.extract_if(|page, _| !kept.contains(page)).collect();
        let mut places = self.places.lock();
        places.finish_cut(removed);
        for place in dropped.into_iter().flat_map(|(_, links)| links) {
            places.release_if_handed_out(place);
        }
        let slack = if state.superblock.clean {
            0
        } else {
            (SLACK_BYTES / self.page_size() as u64).max(places.len() / 4)
        };
        if let Some(pages) = places.shrinkable(slack) {
            // The cut is durable whether or not the file could be shortened; the places stay usable if not.
            if self.file.set_pages(pages).is_ok() {
                places.shrunk(pages);
            }
        }
    }

    /// Takes back what a failed cut did to memory. After a poisoning nothing is given out any more.
    fn abandon(&self, superblock: &Superblock, build: &Build) {
        if self.file.is_poisoned() {
            return;
        }
        let mut blobs = self.blobs.lock();
        let kept = [superblock.cut_state.page, superblock.domains.page];
        let dropped: Vec<_> = blobs.extract_if(|page, _| !kept.contains(page)).collect();
        let mut places = self.places.lock();
        if build.applied {
            places.undo_replace(&build.added, &build.removed);
        }
        for place in build.allocated.iter().copied().chain(dropped.into_iter().flat_map(|(_, links)| links)) {
            places.release(place);
        }
    }
}
