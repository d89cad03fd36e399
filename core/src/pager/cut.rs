//! The pages' part of a cut: which images belong to the epoch that is closing, where they are, and the hand-over of
//! all of them to the space in one superblock switch.
//!
//! ```text
//!    begin_cut (in the barrier)     write_cut                       finish_cut
//!        |  open -> closing           |  dirty frames, kept images    |  page map, free map, superblock
//!  ------+----------------------------+-------------------------------+------> time
//!        |  changes from here on belong to the next epoch
//! ```

use super::arena::DIRTY;
use super::space::{Cut, Location};
use super::{PageId, Pager};
use crate::error::Result;
use crate::ids::{Epoch, PhysicalPage};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// Frames written in one batch of a cut.
const BATCH: usize = 64;

/// Where an image was written, and its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: PhysicalPage,
    pub(super) crc: u32,
}

/// What an epoch changed, as far as it is not in frames.
struct EpochPages {
    epoch: Epoch,
    places: BTreeMap<PageId, Place>,
    freed: BTreeSet<PageId>,
}

impl EpochPages {
    fn new(epoch: Epoch) -> Self {
        Self { epoch, places: BTreeMap::new(), freed: BTreeSet::new() }
    }
}

struct Closing {
    pages: EpochPages,
    /// Images of the closing epoch whose frames were changed before they were written.
    kept: BTreeMap<PageId, Box<[u8]>>,
    /// Pages freed in the closing epoch and given out again in the open one.
    reused: BTreeSet<PageId>,
    /// An image could not be written.
    failed: bool,
}

/// The open epoch and, while a cut is written, the closing one.
pub(super) struct CutState {
    open: EpochPages,
    closing: Option<Closing>,
}

impl CutState {
    pub(super) fn new(open: Epoch) -> Self {
        Self { open: EpochPages::new(open), closing: None }
    }

    /// The pages of the epoch that an image changed last in `epoch` belongs to. After an abandoned cut frames may
    /// be dirty from an older epoch still; they belong to the oldest one there is.
    fn pages_of(&mut self, epoch: Epoch) -> &mut EpochPages {
        match &mut self.closing {
            Some(closing) if epoch <= closing.pages.epoch => &mut closing.pages,
            _ => &mut self.open,
        }
    }

    /// Where the newest image outside memory is, if it is not in the durable cut.
    pub(super) fn place_of(&self, page: PageId) -> Option<Place> {
        let closing = || self.closing.as_ref().and_then(|closing| closing.pages.places.get(&page));
        self.open.places.get(&page).or_else(closing).copied()
    }

    /// The place that an image of `epoch` may be written over.
    pub(super) fn place_in(&mut self, page: PageId, epoch: Epoch) -> Option<Place> {
        self.pages_of(epoch).places.get(&page).copied()
    }

    pub(super) fn set_place(&mut self, page: PageId, epoch: Epoch, place: Place) {
        self.pages_of(epoch).places.insert(page, place);
    }

    /// An image of `epoch` did not get out, and its frame may have changed since.
    pub(super) fn fail(&mut self, epoch: Epoch) {
        if let Some(closing) = &mut self.closing
            && epoch <= closing.pages.epoch
        {
            closing.failed = true;
        }
    }

    /// Keeps the image of a frame dirty from `epoch` if a cut still needs it.
    pub(super) fn keep_image(&mut self, page: PageId, epoch: Epoch, image: impl FnOnce() -> Box<[u8]>) {
        if let Some(closing) = &mut self.closing
            && epoch <= closing.pages.epoch
        {
            closing.kept.insert(page, image());
        }
    }

    /// Whether the page was given up since the durable cut and its id is nobody's.
    pub(super) fn is_freed(&self, page: PageId) -> bool {
        let closing = self.closing.as_ref();
        self.open.freed.contains(&page)
            || closing.is_some_and(|c| c.pages.freed.contains(&page) && !c.reused.contains(&page))
    }

    /// A page was freed in the open epoch.
    pub(super) fn free(&mut self, page: PageId) {
        self.open.freed.insert(page);
    }

    /// The place that a freed page had in the epoch it was freed in.
    pub(super) fn forget_place(&mut self, page: PageId) -> Option<PhysicalPage> {
        let closing = self.closing.as_mut().filter(|closing| closing.pages.freed.contains(&page));
        let pages = match closing {
            Some(closing) if !self.open.freed.contains(&page) => &mut closing.pages,
            _ => &mut self.open,
        };
        pages.places.remove(&page).map(|place| place.at)
    }

    /// A page id was given out.
    pub(super) fn unfree(&mut self, page: PageId) {
        self.open.freed.remove(&page);
        if let Some(closing) = &mut self.closing
            && closing.pages.freed.contains(&page)
        {
            closing.reused.insert(page);
        }
    }
}

impl Pager {
    /// Closes the open epoch. The caller holds the barrier: nobody is inside a row operation. Constant time.
    pub fn begin_cut(&self) -> Epoch {
        let mut cut = self.cut.lock();
        debug_assert!(cut.closing.is_none(), "one cut at a time");
        let next = Epoch(cut.open.epoch.0 + 1);
        let pages = std::mem::replace(&mut cut.open, EpochPages::new(next));
        let closing = pages.epoch;
        cut.closing = Some(Closing { pages, kept: BTreeMap::new(), reused: BTreeSet::new(), failed: false });
        self.open_epoch.store(next.0, Ordering::Release);
        closing
    }

    /// Writes every image of the closing epoch.
    ///
    /// # Errors
    /// What the file says; the caller then abandons the cut.
    pub fn write_cut(&self, closing: Epoch) -> Result<()> {
        loop {
            for batch in self.dirty_frames(closing).chunks(BATCH) {
                self.write_back(batch)?;
            }
            self.write_kept()?;
            let _alone = self.writers.write();
            if self.dirty_frames(closing).is_empty()
                && self.cut.lock().closing.as_ref().is_none_or(|closing| closing.kept.is_empty())
            {
                return Ok(());
            }
        }
    }

    /// Frames whose newest change belongs to an epoch up to `closing`, neighbours in the file's order of pages.
    fn dirty_frames(&self, closing: Epoch) -> Vec<u32> {
        let frames = u32::try_from(self.arena.frames()).expect("frames are numbered with 28 bits");
        let mut dirty: Vec<(u64, u32)> = (0..frames.min(self.used_frames()))
            .filter_map(|frame| {
                let state = self.arena.state(frame);
                let belongs = state.has(DIRTY) && state.epoch.load(Ordering::Acquire) <= closing.0;
                belongs.then(|| (state.page.load(Ordering::Acquire), frame))
            })
            .collect();
        dirty.sort_unstable();
        dirty.into_iter().map(|(_, frame)| frame).collect()
    }

    fn write_kept(&self) -> Result<()> {
        loop {
            let _writing = self.writers.read();
            let mut images = Vec::new();
            let epoch = {
                let cut = self.cut.lock();
                let Some(closing) = &cut.closing else { return Ok(()) };
                images.extend(closing.kept.iter().take(BATCH).map(|(&page, image)| (page, image.clone())));
                closing.pages.epoch
            };
            if images.is_empty() {
                return Ok(());
            }
            let fresh = self.places_for(images.len())?;
            let mut batch = Vec::with_capacity(images.len());
            let mut places = Vec::with_capacity(images.len());
            for ((page, image), &at) in images.iter_mut().zip(&fresh) {
                places.push((*page, Place { at, crc: self.space.seal_page(*page, epoch, image) }));
                batch.push((at, &**image));
            }
            if let Err(error) = self.space.write_pages(&batch) {
                fresh.iter().for_each(|&at| self.space.release(at));
                return Err(error);
            }
            let mut cut = self.cut.lock();
            let Some(closing) = &mut cut.closing else { return Ok(()) };
            for (page, place) in places {
                closing.kept.remove(&page);
                if let Some(old) = closing.pages.places.insert(page, place) {
                    self.space.release(old.at);
                }
            }
        }
    }

    /// What the closing epoch changed, for the page map: a new location, or None for a page given up.
    pub fn cut_changes(&self) -> Vec<(PageId, Option<Location>)> {
        let cut = self.cut.lock();
        let Some(closing) = &cut.closing else { return Vec::new() };
        let pages = &closing.pages;
        let moved = pages.places.iter().map(|(&page, place)| {
            (page, Some(Location { page: place.at, crc: place.crc, epoch: pages.epoch }))
        });
        moved.chain(pages.freed.iter().map(|&page| (page, None))).collect()
    }

    /// Makes the closing epoch the durable one.
    ///
    /// # Errors
    /// When a page could not be written, the cut is abandoned and the former one stands; when a sync failed, the
    /// space refuses everything from then on.
    pub fn finish_cut(&self, cut: Cut) -> Result<()> {
        self.space.commit_cut(cut)?;
        self.cut.lock().closing = None;
        Ok(())
    }

    /// Whether an image of the closing epoch was lost to a failed write.
    pub fn cut_failed(&self) -> bool {
        self.cut.lock().closing.as_ref().is_some_and(|closing| closing.failed)
    }

    /// Gives the closing epoch up: what it wrote stays readable, and its changes become part of the next cut.
    pub fn abandon_cut(&self) {
        let _alone = self.writers.write();
        let mut cut = self.cut.lock();
        let Some(closing) = cut.closing.take() else { return };
        for (page, place) in closing.pages.places {
            if cut.open.freed.contains(&page) || cut.open.places.contains_key(&page) {
                self.space.release(place.at);
            } else {
                cut.open.places.insert(page, place);
            }
        }
        cut.open.freed.extend(closing.pages.freed.difference(&closing.reused));
    }
}
