//! Checks a whole file: everything the superblock reaches is read, and compared with what the free map marks.

use super::free_map::{self, Bitmap};
use super::page_map::{Entry, Root, fanout, read_node};
use super::superblock::{Superblock, reserved_places};
use super::{BlobRef, FREE_MAP_OBJECT, PAGE_MAP_OBJECT, Space, blob};
use crate::error::{Error, ErrorKind, Result, StorageError};
use crate::ids::{Epoch, ObjectId, PageId, PhysicalPage};
use std::fmt;

/// Problems listed; further ones are only counted.
const PROBLEM_LIMIT: usize = 1000;

/// What a check of a file found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The cut that was checked.
    pub epoch: Epoch,
    /// Logical pages in use.
    pub pages: u64,
    /// Nodes of the maps, bitmaps and links of blobs.
    pub system_pages: u64,
    /// Logical page ids that can be reused.
    pub free_page_ids: u64,
    /// Places of the file up to the last one in use.
    pub places: u64,
    /// Places of those that the cut does not use.
    pub free_places: u64,
    /// The first thousand problems.
    pub problems: Vec<Problem>,
    /// Problems not listed.
    pub more_problems: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The place in the file, if it is about one.
    pub place: Option<PhysicalPage>,
    /// The logical page, if it is about one.
    pub page_id: Option<PageId>,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pid) = self.page_id {
            write!(f, "logical page {pid}: ")?;
        }
        if let Some(place) = self.place {
            write!(f, "page {place}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl Space {
    /// Every logical page of the durable cut.
    ///
    /// # Errors
    /// I/O errors and damage of the page map.
    pub fn live_pages(&self) -> Result<Vec<PageId>> {
        let mut pages = Vec::new();
        for id in 1..self.superblock().next_page_id {
            if self.lookup(PageId(id))?.is_some() {
                pages.push(PageId(id));
            }
        }
        Ok(pages)
    }

    /// Reads everything the durable cut refers to and reports what is damaged, leaked (marked in the free map but
    /// not reached), unmarked or referred to twice. Cuts wait meanwhile; other work goes on.
    ///
    /// # Errors
    /// Only for failures that are not damage, such as an I/O error.
    pub fn verify(&self) -> Result<Report> {
        let state = self.cut.lock();
        let mut check = Check {
            space: self,
            superblock: &state.superblock,
            report: Report { epoch: state.superblock.epoch, ..Report::default() },
            reached: Bitmap::default(),
            free_ids: Vec::new(),
            page: vec![0; self.page_size()],
        };
        check.run()?;
        Ok(check.report)
    }
}

struct Check<'a> {
    space: &'a Space,
    superblock: &'a Superblock,
    report: Report,
    reached: Bitmap,
    /// Unused ids and the next in the chain, ascending.
    free_ids: Vec<(u64, u64)>,
    page: Vec<u8>,
}

impl Check<'_> {
    fn run(&mut self) -> Result<()> {
        for place in reserved_places(self.space.page_size()) {
            self.reached.insert(place);
        }
        for blob in [self.superblock.cut_state, self.superblock.domains] {
            self.blob(blob)?;
        }
        self.tree(PAGE_MAP_OBJECT, self.superblock.page_map)?;
        let marked = self.free_map()?;
        self.free_ids();
        self.compare(&marked);
        self.report.places = self.superblock.file_pages;
        self.report.free_places = self.superblock.file_pages.saturating_sub(self.reached.len());
        Ok(())
    }

    fn problem(&mut self, place: Option<PhysicalPage>, page_id: Option<PageId>, reason: impl Into<String>) {
        if self.report.problems.len() < PROBLEM_LIMIT {
            self.report.problems.push(Problem { place, page_id, reason: reason.into() });
        } else {
            self.report.more_problems += 1;
        }
    }

    /// Turns damage into a problem and lets other errors pass.
    fn note(&mut self, error: Error, place: PhysicalPage, page_id: Option<PageId>) -> Result<()> {
        match error.kind() {
            ErrorKind::Storage(StorageError::CorruptPage { page, reason }) => {
                self.problem(Some(PhysicalPage(*page)), page_id, *reason);
                Ok(())
            }
            ErrorKind::Storage(StorageError::Corrupt { reason }) => {
                self.problem(Some(place), page_id, reason.as_str());
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Counts a place as reached; false if it cannot be, or was reached before.
    fn reach(&mut self, place: PhysicalPage, page_id: Option<PageId>) -> bool {
        if place.0 >= self.superblock.file_pages {
            self.problem(Some(place), page_id, "lies beyond the end of the cut");
            return false;
        }
        let first = self.reached.insert(place.0);
        if !first {
            self.problem(Some(place), page_id, "is referred to twice");
        }
        first
    }

    fn blob(&mut self, blob: BlobRef) -> Result<()> {
        match blob::read(&self.space.file, blob, self.superblock.file_pages) {
            Ok((_, places)) => {
                self.report.system_pages += places.len() as u64;
                for place in places {
                    self.reach(place, None);
                }
                Ok(())
            }
            Err(e) => self.note(e, blob.page, None),
        }
    }

    fn tree(&mut self, tree: ObjectId, root: Root) -> Result<()> {
        if root.depth == 0 {
            return Ok(());
        }
        self.node(tree, root.entry, root.depth - 1, 0)
    }

    /// Visits a node and what lies below; levels fall, so a damaged tree ends too.
    fn node(&mut self, tree: ObjectId, entry: Entry, level: u8, index: u64) -> Result<()> {
        if !self.reach(entry.place(), None) {
            return Ok(());
        }
        self.report.system_pages += 1;
        let entries = match read_node(&self.space.file, tree, entry, level, index) {
            Ok(entries) => entries,
            Err(e) => return self.note(e, entry.place(), None),
        };
        let first = index.saturating_mul(fanout(self.space.page_size()));
        for (key, child) in (first..).zip(entries) {
            match level {
                0 if tree == PAGE_MAP_OBJECT => self.logical_page(key, child)?,
                0 if child.is_live() => self.bitmap_page(key, child)?,
                _ if child.is_live() => self.node(tree, child, level - 1, key)?,
                _ if child != Entry::EMPTY => {
                    self.problem(Some(entry.place()), None, "map node with an impossible entry");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn logical_page(&mut self, key: u64, entry: Entry) -> Result<()> {
        let pid = PageId(key);
        let known = key != 0 && key < self.superblock.next_page_id;
        if entry.is_live() && known {
            self.report.pages += 1;
            if self.reach(entry.place(), Some(pid)) {
                let mut page = std::mem::take(&mut self.page);
                let read = self.space.read_page(entry.place(), pid, entry.crc(), &mut page);
                self.page = page;
                if let Err(e) = read {
                    self.note(e, entry.place(), Some(pid))?;
                }
            }
        } else if entry.is_free() && known {
            self.free_ids.push((key, entry.next_free()));
        } else if known {
            self.problem(None, Some(pid), "id is neither used nor in the chain of unused ids");
        } else if entry != Entry::EMPTY {
            self.problem(None, Some(pid), "id was never used but has an entry");
        }
        Ok(())
    }

    fn bitmap_page(&mut self, index: u64, entry: Entry) -> Result<()> {
        self.report.system_pages += 1;
        self.reach(entry.place(), None);
        if index >= self.superblock.file_pages.div_ceil(free_map::coverage(self.space.page_size())) {
            self.problem(Some(entry.place()), None, "bitmap of places beyond the end of the cut");
        }
        Ok(())
    }

    /// Walks the free map and returns what it marks.
    fn free_map(&mut self) -> Result<Bitmap> {
        self.tree(FREE_MAP_OBJECT, self.superblock.free_map)?;
        let mut marked = Bitmap::default();
        for place in reserved_places(self.space.page_size()) {
            marked.insert(place);
        }
        let coverage = free_map::coverage(self.space.page_size());
        for index in 0..self.superblock.file_pages.div_ceil(coverage) {
            if let Err(e) = self.load_bitmap(index, &mut marked) {
                self.note(e, PhysicalPage(0), None)?;
            }
        }
        Ok(marked)
    }

    fn load_bitmap(&mut self, index: u64, marked: &mut Bitmap) -> Result<()> {
        let entry = self.space.free_map.get(&self.space.file, index)?;
        if entry.is_live() {
            let header = self.space.file.read(entry.place(), entry.crc(), &mut self.page)?;
            let limit = self.superblock.file_pages;
            free_map::load_page(&self.page, &header, entry.place(), index, marked, limit)?;
        }
        Ok(())
    }

    /// The chain must pass every unused id once.
    fn free_ids(&mut self) {
        let ids = std::mem::take(&mut self.free_ids);
        self.report.free_page_ids = ids.len() as u64;
        if self.report.is_clean()
            && self.report.pages + self.report.free_page_ids != self.superblock.next_page_id - 1
        {
            self.problem(None, None, "page ids are missing from the page map");
        }
        let mut id = self.superblock.free_id_head;
        let mut passed = 0;
        while id != 0 && passed < ids.len() {
            let Ok(at) = ids.binary_search_by_key(&id, |(id, _)| *id) else { break };
            id = ids[at].1;
            passed += 1;
        }
        if id != 0 {
            self.problem(None, Some(PageId(id)), "chain of unused ids is broken or a cycle");
        } else if passed != ids.len() {
            let missing = ids.len() - passed;
            self.problem(None, None, format!("{missing} unused page ids are not in the chain"));
        }
    }

    fn compare(&mut self, marked: &Bitmap) {
        let reached = std::mem::take(&mut self.reached);
        for place in marked.iter().filter(|place| !reached.contains(*place)) {
            self.problem(Some(PhysicalPage(place)), None, "is marked as used but nothing refers to it");
        }
        for place in reached.iter().filter(|place| !marked.contains(*place)) {
            self.problem(Some(PhysicalPage(place)), None, "is in use but marked as free");
        }
        self.reached = reached;
    }
}
