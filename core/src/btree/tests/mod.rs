//! Trees over a real pool of the smallest size.

mod concurrent;
mod index;
mod row;

use crate::memory::Budget;
use crate::pager::space::Space;
use crate::pager::{Eviction, Pager, Random};
use crate::vfs::{MemoryVfs, OpenOptions, Vfs};
use std::path::Path;

pub(super) const PAGE: usize = 16 << 10;

pub(super) fn pager_with(frames: usize, eviction: Box<dyn Eviction>) -> Pager {
    let vfs = MemoryVfs::new();
    let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
    let file = vfs.open(Path::new("/tree.db"), options).unwrap();
    let space = Space::create(Path::new("/tree.db"), file, 16 << 10, [1; 16]).unwrap();
    Pager::new(space, frames, &Budget::new(4 << 30), eviction).unwrap()
}

/// The smallest pool, whose pages leave by chance.
pub(super) fn small_pager() -> Pager {
    pager_with(64, Box::new(Random::new(7)))
}

/// A short sequence of pseudo-random numbers (SplitMix64).
pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
