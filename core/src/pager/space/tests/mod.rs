//! Tests of the space as a whole: against a model, through crashes and failures, and on damaged files.

mod basic;
mod crash;
mod damage;
mod model;

use super::{BlobRef, Cut, HEADER_SIZE, Location, PageHeader, PageKind, Space};
use crate::error::Result;
use crate::ids::{Epoch, Lsn, ObjectId, PageId, PhysicalPage, Timestamp};
use crate::vfs::{FaultVfs, MemoryVfs, OpenOptions, Rng, SeededRng, Vfs, VfsFile};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const PAGE: u32 = 16_384;
const OPEN: OpenOptions = OpenOptions { write: true, create: true, create_new: false, direct: false };

fn path() -> &'static Path {
    Path::new("test.db")
}

fn file_in(vfs: &dyn Vfs) -> Arc<dyn VfsFile> {
    vfs.open(path(), OPEN).unwrap()
}

fn open_in(vfs: &dyn Vfs) -> Space {
    Space::open(path(), file_in(vfs)).unwrap().0
}

/// A page whose body repeats `fill`.
fn page(space: &Space, fill: u64) -> Vec<u8> {
    let mut bytes = vec![0; space.page_size()];
    let header = PageHeader {
        kind: PageKind::Data,
        flags: 0,
        page_id: PageId(0),
        epoch: Epoch(0),
        lsn: Lsn(fill),
        object: ObjectId(9),
        level: 0,
    };
    header.write(&mut bytes);
    for word in bytes[HEADER_SIZE..].chunks_exact_mut(8) {
        word.copy_from_slice(&fill.to_le_bytes());
    }
    bytes
}

/// A cut state whose length differs from cut to cut.
fn state_of(epoch: Epoch) -> Vec<u8> {
    vec![epoch.0 as u8; (epoch.0 % 5000 * 7919 % 40_000) as usize]
}

/// What the pager would be: pages changed since the last cut, and the model of the durable ones.
struct Driver {
    space: Space,
    epoch: Epoch,
    /// Contents by page, with the changes.
    current: BTreeMap<PageId, u64>,
    changes: BTreeMap<PageId, Option<Location>>,
    next_fill: u64,
}

impl Driver {
    fn create(vfs: &dyn Vfs, page_size: u32) -> Result<Self> {
        let space = Space::create(path(), file_in(vfs), page_size, [7; 16])?;
        Ok(Self::over(space, BTreeMap::new()))
    }

    fn over(space: Space, current: BTreeMap<PageId, u64>) -> Self {
        let epoch = space.superblock().epoch;
        let next_fill = current.values().max().map_or(1, |fill| fill + 1);
        Self { space, epoch, current, changes: BTreeMap::new(), next_fill }
    }

    /// Writes new contents of a page to a new place.
    fn write(&mut self, pid: PageId) -> Result<()> {
        let fill = self.next_fill;
        let mut bytes = page(&self.space, fill);
        let crc = self.space.seal_page(pid, Epoch(self.epoch.0 + 1), &mut bytes);
        let place = self.space.allocate()?;
        if let Err(e) = self.space.write_pages(&[(place, &bytes)]) {
            self.space.release(place);
            return Err(e);
        }
        self.next_fill += 1;
        self.current.insert(pid, fill);
        let location = Location { page: place, crc, epoch: Epoch(self.epoch.0 + 1) };
        if let Some(Some(scratch)) = self.changes.insert(pid, Some(location)) {
            self.space.release(scratch.page);
        }
        Ok(())
    }

    fn add(&mut self) -> Result<PageId> {
        let pid = self.space.allocate_page_id();
        if let Err(e) = self.write(pid) {
            self.space.free_page_id(pid);
            return Err(e);
        }
        Ok(pid)
    }

    fn remove(&mut self, pid: PageId) {
        self.current.remove(&pid).unwrap();
        if let Some(Some(scratch)) = self.changes.insert(pid, None) {
            self.space.release(scratch.page);
        }
        self.space.free_page_id(pid);
    }

    fn some_page(&self, rng: &SeededRng) -> Option<PageId> {
        let index = rng.below(self.current.len().max(1) as u64) as usize;
        self.current.keys().nth(index).copied()
    }

    /// One random change.
    fn step(&mut self, rng: &SeededRng) -> Result<()> {
        match (rng.below(10), self.some_page(rng)) {
            (0..4, Some(pid)) => self.write(pid),
            (4..7, Some(pid)) => {
                self.remove(pid);
                Ok(())
            }
            _ => self.add().map(drop),
        }
    }

    fn prepare_cut(&self) -> Result<Cut> {
        let epoch = Epoch(self.epoch.0 + 1);
        Ok(Cut {
            epoch,
            changes: self.changes.iter().map(|(pid, location)| (*pid, *location)).collect(),
            cut_state: self.space.write_blob(&state_of(epoch))?,
            domains: self.space.write_blob(b"domains")?,
            catalog_root: epoch.0 + 3,
            wal_start: Lsn(epoch.0 + 100),
            wal_salt: 0,
            commit_ts: Timestamp(epoch.0 + 10),
            clean: false,
        })
    }

    fn cut(&mut self) -> Result<()> {
        let cut = self.prepare_cut()?;
        self.space.commit_cut(cut)?;
        self.epoch.0 += 1;
        self.changes.clear();
        Ok(())
    }
}

/// What is wrong with the durable cut of `space`, which should be exactly `expect`, readable and consistent.
fn find_fault(space: &Space, expect: &BTreeMap<PageId, u64>) -> Result<(), String> {
    let ensure = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    let mut bytes = vec![0; space.page_size()];
    for (pid, fill) in expect {
        let found = space.lookup(*pid).map_err(|e| e.to_string())?;
        let at = found.ok_or_else(|| format!("page {pid} is missing"))?;
        space.read_page(at.page, *pid, at.crc, &mut bytes).map_err(|e| e.to_string())?;
        ensure(bytes[HEADER_SIZE..HEADER_SIZE + 8] == fill.to_le_bytes(), format!("wrong page {pid}"))?;
    }
    let report = space.verify().map_err(|e| e.to_string())?;
    ensure(report.is_clean(), format!("{:#?}", report.problems))?;
    ensure(report.pages == expect.len() as u64, "more pages than expected".to_owned())?;
    let superblock = space.superblock();
    if superblock.epoch > Epoch(1) {
        let epoch = superblock.epoch.0;
        let fields = (superblock.wal_start, superblock.catalog_root, superblock.commit_ts);
        ensure(fields == (Lsn(epoch + 100), epoch + 3, Timestamp(epoch + 10)), format!("{superblock:?}"))?;
        ensure(space.read_blob(superblock.domains).is_ok_and(|b| b == b"domains"), "domains".to_owned())?;
        let state = space.read_blob(superblock.cut_state);
        ensure(state.is_ok_and(|b| b == state_of(superblock.epoch)), "cut state".to_owned())?;
    }
    Ok(())
}

fn check_contents(space: &Space, expect: &BTreeMap<PageId, u64>) {
    if let Err(fault) = find_fault(space, expect) {
        panic!("{fault}");
    }
}
