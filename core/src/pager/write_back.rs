//! Writing dirty frames to places that no durable cut knows.
//!
//! A batch is copied under short shared latches, then written with nothing held, so that nobody ever waits for this
//! I/O except who wants the frames themselves. `DIRTY` is cleared at the copy: a change after it makes the frame
//! dirty again. `WRITING` keeps the frame from being evicted until its image is where readers will look for it.

use super::arena::{DIRTY, FREED, WRITING};
use super::cut::Place;
use super::{PageId, Pager};
use crate::error::Result;
use crate::ids::{Epoch, PhysicalPage};
use std::sync::atomic::Ordering;

/// A page image on its way out.
struct Image {
    frame: u32,
    page: PageId,
    epoch: Epoch,
}

impl Pager {
    /// Writes those of the frames that are dirty.
    pub(super) fn write_back(&self, frames: &[u32]) -> Result<()> {
        let _writing = self.writers.read();
        let size = self.page_size();
        let mut images = Vec::with_capacity(frames.len());
        let mut bytes = Vec::with_capacity(frames.len() * size);
        for &frame in frames {
            if let Some(image) = self.copy_dirty(frame, &mut bytes) {
                images.push(image);
            }
        }
        if images.is_empty() {
            return Ok(());
        }
        let written = self.write_images(&images, &mut bytes);
        for image in &images {
            let state = self.arena.state(image.frame);
            if written.is_err() {
                // If nobody changed the frame since, it still holds the image that did not get out; if somebody
                // did, the image is lost to the cut it belonged to.
                state.set(DIRTY);
                self.cut.lock().fail(image.epoch);
            }
            if state.clear(WRITING) & FREED != 0 {
                self.finish_free(image.page, image.frame);
            }
        }
        written
    }

    /// Places to write `count` images to, neighbours where possible.
    pub(super) fn places_for(&self, count: usize) -> Result<Vec<PhysicalPage>> {
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            let want = u32::try_from(count - places.len()).unwrap_or(u32::MAX);
            match self.space.allocate_run(want) {
                Ok(run) => places.extend(run.places()),
                Err(error) => {
                    places.iter().for_each(|&place| self.space.release(place));
                    return Err(error);
                }
            }
        }
        Ok(places)
    }

    fn copy_dirty(&self, frame: u32, bytes: &mut Vec<u8>) -> Option<Image> {
        let state = self.arena.state(frame);
        let page = PageId(state.page.load(Ordering::Acquire));
        let guard = self.pin_shared(page).ok()?;
        if page.0 == 0 || guard.frame() != frame || !state.has(DIRTY) || state.set(WRITING) & WRITING != 0 {
            return None;
        }
        let epoch = Epoch(state.epoch.load(Ordering::Acquire));
        bytes.extend_from_slice(&guard);
        state.clear(DIRTY);
        Some(Image { frame, page, epoch })
    }

    fn write_images(&self, images: &[Image], bytes: &mut [u8]) -> Result<()> {
        let mut fresh = self.places_for(images.len())?;
        fresh.reverse();
        let mut places = Vec::with_capacity(images.len());
        {
            // One decision with the epoch: a cut that begins after it takes the place over as part of itself.
            let mut cut = self.cut.lock();
            for image in images {
                let known = cut.place_in(image.page, image.epoch);
                places.push(known.map(|place| place.at).or_else(|| fresh.pop()));
            }
        }
        fresh.iter().for_each(|&place| self.space.release(place));
        let mut batch = Vec::with_capacity(images.len());
        let mut sealed = Vec::with_capacity(images.len());
        for ((image, place), page) in images.iter().zip(&places).zip(bytes.chunks_exact_mut(self.page_size()))
        {
            let at = place.expect("as many places were allocated as there are images");
            let crc = self.space.seal_page(image.page, image.epoch, page);
            sealed.push(Place { at, crc });
            batch.push((at, &*page));
        }
        let written = self.space.write_pages(&batch);
        let mut cut = self.cut.lock();
        for (image, place) in images.iter().zip(sealed) {
            let known = cut.place_in(image.page, image.epoch).is_some();
            if written.is_ok() {
                cut.set_place(image.page, image.epoch, place);
            } else if !known {
                self.space.release(place.at);
            }
        }
        written
    }
}
