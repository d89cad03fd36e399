//! The map tree: a radix tree of System pages from a number to a place in the file.
//!
//! It is used twice: as the page map (logical page id to place) and to find the bitmaps of the free map.
//! Nodes are never overwritten. A cut writes the changed leaves and the path above them to new places, and a
//! parent's entry carries its child's checksum, so the root in the superblock vouches for everything below.
//!
//! ```text
//! node:   | page header 96 | entry 0 | entry 1 | ...        1,018 entries in a 16 KiB page
//! entry:  | location u48 | flags u16 | crc32c u32 | epoch u32 |
//!           live (bit 0): a page and its checksum
//!           free (bit 1): a free page id; location = the next one, 0 at the end
//!           zero: never used
//! ```
//!
//! In memory each leaf is an array of atomics guarded by a sequence count, reached through a directory that
//! only grows; a lookup takes no lock. Leaves and inner nodes are read when first needed and then kept (0.1 %
//! of the data they map).
//!
//! 1. Only the holder of the cut mutex publishes changes; readers see an entry whole, old or new.
//! 2. Memory equals the durable cut: a cut stages new nodes beside it and publishes after the superblock.

use super::header::{self, HEADER_SIZE, PageHeader, PageKind};
use super::page_file::{PageFile, RunWriter};
use super::superblock::PAGE_ID_LIMIT;
use crate::error::{Result, StorageError};
use crate::ids::{Epoch, Lsn, ObjectId, PageId, PhysicalPage};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering, fence};
use std::collections::HashMap;
use std::sync::OnceLock;

const ENTRY_SIZE: usize = 16;
const LOCATION_BITS: u32 = 48;
const LIVE: u64 = 1 << LOCATION_BITS;
const FREE: u64 = 2 << LOCATION_BITS;

/// An entry of a map node, in its stored form as two words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Entry {
    location: u64,
    check: u64,
}

impl Entry {
    pub(super) const EMPTY: Self = Self { location: 0, check: 0 };

    pub(super) fn live(place: PhysicalPage, crc: u32, epoch: Epoch) -> Self {
        assert!(place.0 < 1 << LOCATION_BITS, "places have 48 bits");
        Self { location: place.0 | LIVE, check: u64::from(crc) | (epoch.0 << 32) }
    }

    /// An unused id of a chain whose next id is `next`.
    pub(super) fn free(next: u64) -> Self {
        assert!(next < 1 << LOCATION_BITS, "page ids have 48 bits");
        Self { location: next | FREE, check: 0 }
    }

    pub(super) fn is_live(self) -> bool {
        self.location & LIVE != 0
    }

    pub(super) fn is_free(self) -> bool {
        self.location & (LIVE | FREE) == FREE
    }

    /// The place of a live entry.
    pub(super) fn place(self) -> PhysicalPage {
        PhysicalPage(self.number())
    }

    /// The next id of a free entry.
    pub(super) fn next_free(self) -> u64 {
        self.number()
    }

    fn number(self) -> u64 {
        self.location & ((1 << LOCATION_BITS) - 1)
    }

    pub(super) fn crc(self) -> u32 {
        (self.check & 0xffff_ffff) as u32
    }

    /// The cut that wrote it, modulo 2^32.
    pub(super) fn epoch(self) -> Epoch {
        Epoch(self.check >> 32)
    }

    pub(super) fn to_bytes(self) -> [u8; ENTRY_SIZE] {
        let mut bytes = [0; ENTRY_SIZE];
        bytes[..8].copy_from_slice(&self.location.to_le_bytes());
        bytes[8..].copy_from_slice(&self.check.to_le_bytes());
        bytes
    }

    /// `bytes` has at least 16 of them.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { location: header::u64_at(bytes, 0), check: header::u64_at(bytes, 8) }
    }
}

/// Where a tree starts: the entry of its root node and the number of levels, 0 for a tree without nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Root {
    pub(super) entry: Entry,
    pub(super) depth: u8,
}

impl Root {
    pub(super) const EMPTY: Self = Self { entry: Entry::EMPTY, depth: 0 };
}

/// Entries per node.
pub(super) fn fanout(page_size: usize) -> u64 {
    ((page_size - HEADER_SIZE) / ENTRY_SIZE) as u64
}

/// Reads node `index` of `level` and checks that it is that node of that tree.
pub(super) fn read_node(
    file: &PageFile,
    tree: ObjectId,
    entry: Entry,
    level: u8,
    index: u64,
) -> Result<Box<[Entry]>> {
    let mut page = vec![0; file.page_size()];
    let header = file.read(entry.place(), entry.crc(), &mut page)?;
    if header.kind != PageKind::System
        || header.object != tree
        || header.level != u32::from(level)
        || header.page_id.0 != index
    {
        let reason = "not the expected node of a map";
        return Err(StorageError::CorruptPage { page: entry.place().0, reason }.into());
    }
    Ok(page[HEADER_SIZE..].chunks_exact(ENTRY_SIZE).map(Entry::from_bytes).collect())
}

/// A leaf in memory.
struct Leaf {
    /// Odd while entries are being changed.
    sequence: AtomicU64,
    /// Two words per entry.
    words: Box<[AtomicU64]>,
}

impl Leaf {
    fn new(entries: &[Entry]) -> Self {
        let words =
            entries.iter().flat_map(|e| [AtomicU64::new(e.location), AtomicU64::new(e.check)]).collect();
        Self { sequence: AtomicU64::new(0), words }
    }

    fn read(&self, slot: usize) -> Entry {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let location = self.words[2 * slot].load(Ordering::Relaxed);
            let check = self.words[2 * slot + 1].load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before {
                return Entry { location, check };
            }
            std::hint::spin_loop();
        }
    }

    /// Callers are serialised by the mutex over the nodes.
    fn write(&self, changes: impl Iterator<Item = (usize, Entry)>) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (slot, entry) in changes {
            self.words[2 * slot].store(entry.location, Ordering::Relaxed);
            self.words[2 * slot + 1].store(entry.check, Ordering::Relaxed);
        }
        self.sequence.store(before + 2, Ordering::Release);
    }
}

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

type Chunk<T> = OnceLock<Box<[T]>>;

/// Leaves by number, in three levels of 1,024 that are made when first touched and never move.
struct Directory {
    top: Box<[Chunk<Chunk<OnceLock<Leaf>>>]>,
}

fn empty_chunk<T>() -> Box<[OnceLock<T>]> {
    (0..CHUNK).map(|_| OnceLock::new()).collect()
}

impl Directory {
    fn slots(leaf: u64) -> Option<[usize; 3]> {
        let at = |shift: u32| usize::try_from(leaf >> shift).ok();
        let top = at(2 * CHUNK_BITS).filter(|top| *top < CHUNK)?;
        Some([top, at(CHUNK_BITS)? % CHUNK, at(0)? % CHUNK])
    }

    fn get(&self, leaf: u64) -> Option<&Leaf> {
        let [a, b, c] = Self::slots(leaf)?;
        self.top[a].get()?[b].get()?[c].get()
    }

    /// The leaf, made from `entries` if it is not there. `leaf` is within the page id limit.
    fn get_or_insert(&self, leaf: u64, entries: &[Entry]) -> &Leaf {
        let [a, b, c] = Self::slots(leaf).expect("page ids below the limit have a slot");
        self.top[a].get_or_init(empty_chunk)[b].get_or_init(empty_chunk)[c].get_or_init(|| Leaf::new(entries))
    }
}

/// The inner nodes read so far, by level (1 = above the leaves) and index.
struct Nodes {
    root: Root,
    inner: HashMap<Node, Box<[Entry]>>,
}

/// One of the two map trees of a file, at the durable cut.
pub(super) struct MapTree {
    tree: ObjectId,
    fanout: u64,
    leaves: Directory,
    nodes: Mutex<Nodes>,
}

/// Which nodes a set of changes rewrites, by level from the leaves up, each level ascending.
pub(super) struct Plan {
    depth: u8,
    levels: Vec<Vec<u64>>,
}

impl Plan {
    /// Every node to rewrite, leaves first, as (level, index).
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> {
        (0u8..)
            .zip(&self.levels)
            .flat_map(|(level, indexes)| indexes.iter().map(move |index| (level, *index)))
    }
}

/// A node of a map: its level, 0 for leaves, and its index in the level.
pub(super) type Node = (u8, u64);

/// Nodes that are written and wait for the superblock.
pub(super) struct Staged {
    root: Root,
    inner: Vec<(Node, Box<[Entry]>)>,
}

impl Staged {
    pub(super) fn root(&self) -> Root {
        self.root
    }
}

impl MapTree {
    pub(super) fn new(tree: ObjectId, page_size: usize, root: Root) -> Self {
        let leaves = Directory { top: empty_chunk() };
        let nodes = Mutex::new(Nodes { root, inner: HashMap::new() });
        Self { tree, fanout: fanout(page_size), leaves, nodes }
    }

    fn split(&self, key: u64) -> (u64, usize) {
        let slot = usize::try_from(key % self.fanout).expect("a slot is smaller than a page");
        (key / self.fanout, slot)
    }

    /// The entry of `key`; reads nodes that are not in memory yet.
    pub(super) fn get(&self, file: &PageFile, key: u64) -> Result<Entry> {
        let (leaf, slot) = self.split(key);
        if let Some(leaf) = self.leaves.get(leaf) {
            return Ok(leaf.read(slot));
        }
        if key >= PAGE_ID_LIMIT {
            return Ok(Entry::EMPTY);
        }
        let mut nodes = self.nodes.lock();
        Ok(self.load_leaf(&mut nodes, file, leaf)?.map_or(Entry::EMPTY, |leaf| leaf.read(slot)))
    }

    /// Whether the leaf of `key` is in memory.
    pub(super) fn is_loaded(&self, key: u64) -> bool {
        self.leaves.get(self.split(key).0).is_some()
    }

    /// The leaf, or None if the tree has none at this index.
    fn load_leaf(&self, nodes: &mut Nodes, file: &PageFile, leaf: u64) -> Result<Option<&Leaf>> {
        if let Some(leaf) = self.leaves.get(leaf) {
            return Ok(Some(leaf));
        }
        let entry = self.node_entry(nodes, file, 0, leaf)?;
        if !entry.is_live() {
            return Ok(None);
        }
        let entries = read_node(file, self.tree, entry, 0, leaf)?;
        Ok(Some(self.leaves.get_or_insert(leaf, &entries)))
    }

    /// The entry that refers to a node: the root's, or the one in its parent. Depth bounds the recursion.
    fn node_entry(&self, nodes: &mut Nodes, file: &PageFile, level: u8, index: u64) -> Result<Entry> {
        if level >= nodes.root.depth {
            return Ok(Entry::EMPTY);
        }
        if level + 1 == nodes.root.depth {
            return Ok(if index == 0 { nodes.root.entry } else { Entry::EMPTY });
        }
        let (parent, slot) = self.split(index);
        self.load_inner(nodes, file, level + 1, parent)?;
        Ok(nodes.inner.get(&(level + 1, parent)).map_or(Entry::EMPTY, |entries| entries[slot]))
    }

    fn load_inner(&self, nodes: &mut Nodes, file: &PageFile, level: u8, index: u64) -> Result<()> {
        if nodes.inner.contains_key(&(level, index)) {
            return Ok(());
        }
        let entry = self.node_entry(nodes, file, level, index)?;
        if entry.is_live() {
            let entries = read_node(file, self.tree, entry, level, index)?;
            nodes.inner.insert((level, index), entries);
        }
        Ok(())
    }

    /// The nodes that a change of these keys, ascending, rewrites. The tree grows to hold the last key.
    pub(super) fn plan(&self, keys: impl DoubleEndedIterator<Item = u64> + Clone) -> Plan {
        let old = self.nodes.lock().root;
        let Some(last) = keys.clone().next_back() else {
            return Plan { depth: old.depth, levels: Vec::new() };
        };
        let mut depth = old.depth.max(1);
        let mut reach = self.fanout.saturating_pow(u32::from(depth));
        while last >= reach {
            depth += 1;
            reach = reach.saturating_mul(self.fanout);
        }
        let mut levels = Vec::new();
        let mut below: Vec<u64> = keys.collect();
        for level in 0..depth {
            for index in &mut below {
                *index /= self.fanout;
            }
            below.dedup();
            // The first node of a new level holds the old root, whether or not a key lies under it.
            if old.depth > 0 && level >= old.depth && below.first() != Some(&0) {
                below.insert(0, 0);
            }
            levels.push(below.clone());
        }
        Plan { depth, levels }
    }

    /// The durable place of a node, which a rewrite gives up.
    pub(super) fn place_of(&self, file: &PageFile, level: u8, index: u64) -> Result<Option<PhysicalPage>> {
        let entry = self.node_entry(&mut self.nodes.lock(), file, level, index)?;
        Ok(entry.is_live().then(|| entry.place()))
    }

    /// Writes the nodes of `plan` with `changes`, ascending, applied. `place` names the new place of each node.
    pub(super) fn stage(
        &self,
        file: &PageFile,
        plan: &Plan,
        changes: &[(u64, Entry)],
        place: impl Fn(u8, u64) -> PhysicalPage,
        epoch: Epoch,
        writer: &mut RunWriter<'_>,
    ) -> Result<Staged> {
        let old = self.nodes.lock().root;
        let mut staged = Staged { root: old, inner: Vec::new() };
        let mut changes = changes.to_vec();
        for (level, indexes) in (0u8..).zip(&plan.levels) {
            let mut children = Vec::with_capacity(indexes.len());
            let mut rest = &changes[..];
            for index in indexes {
                let mine = rest.partition_point(|(key, _)| key / self.fanout == *index);
                let (mine, others) = rest.split_at(mine);
                rest = others;
                let mut entries = self.current_entries(file, level, *index)?;
                if level == old.depth && *index == 0 && old.depth > 0 {
                    entries[0] = old.entry;
                }
                for (key, entry) in mine {
                    entries[self.split(*key).1] = *entry;
                }
                let at = place(level, *index);
                let crc = writer.push(at, |page| self.fill(page, level, *index, epoch, &entries))?;
                children.push((*index, Entry::live(at, crc, epoch)));
                if level > 0 {
                    staged.inner.push(((level, *index), entries));
                }
            }
            assert!(rest.is_empty(), "a plan covers its changes");
            changes = children;
        }
        if let [(0, entry)] = changes[..] {
            staged.root = Root { entry, depth: plan.depth };
        }
        Ok(staged)
    }

    /// The durable entries of a node that is to be rewritten; zeros if it is new.
    fn current_entries(&self, file: &PageFile, level: u8, index: u64) -> Result<Box<[Entry]>> {
        let mut nodes = self.nodes.lock();
        let slots = usize::try_from(self.fanout).expect("a node fits memory");
        if level > 0 {
            self.load_inner(&mut nodes, file, level, index)?;
            let entries = nodes.inner.get(&(level, index)).cloned();
            return Ok(entries.unwrap_or_else(|| vec![Entry::EMPTY; slots].into()));
        }
        let leaf = match self.load_leaf(&mut nodes, file, index)? {
            Some(leaf) => leaf,
            None => self.leaves.get_or_insert(index, &vec![Entry::EMPTY; slots]),
        };
        Ok((0..slots).map(|slot| leaf.read(slot)).collect())
    }

    fn fill(&self, page: &mut [u8], level: u8, index: u64, epoch: Epoch, entries: &[Entry]) -> u32 {
        let header = PageHeader {
            kind: PageKind::System,
            flags: 0,
            page_id: PageId(index),
            epoch,
            lsn: Lsn(0),
            object: self.tree,
            level: u32::from(level),
        };
        header.write(page);
        for (entry, bytes) in entries.iter().zip(page[HEADER_SIZE..].chunks_exact_mut(ENTRY_SIZE)) {
            bytes.copy_from_slice(&entry.to_bytes());
        }
        header::seal(page)
    }

    /// Makes staged nodes current. `changes` are those that were staged.
    pub(super) fn publish(&self, staged: Staged, changes: &[(u64, Entry)]) {
        let mut nodes = self.nodes.lock();
        nodes.root = staged.root;
        nodes.inner.extend(staged.inner);
        for group in changes.chunk_by(|(a, _), (b, _)| a / self.fanout == b / self.fanout) {
            let leaf = self.leaves.get(self.split(group[0].0).0).expect("staging loaded every changed leaf");
            leaf.write(group.iter().map(|(key, entry)| (self.split(*key).1, *entry)));
        }
    }
}
