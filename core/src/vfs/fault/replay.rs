//! What the platters hold after a prefix of the recorded operations, and what a crash makes of the rest.

use super::{CrashMode, FileId, Operation};
use crate::vfs::image::Image;
use crate::vfs::{MemoryVfs, OpenOptions, Rng, SeededRng, Vfs};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The unit that a disk writes atomically.
pub(super) const SECTOR: usize = 512;
const SECTOR_BYTES: u64 = SECTOR as u64;

/// A change of a file's content that is not certain yet.
#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen { len: u64 },
}

/// A change of a name that is not certain yet; `None` removes.
#[derive(Clone)]
enum NameChange {
    Set { path: PathBuf, node: Option<Node> },
    Rename { from: PathBuf, to: PathBuf, file: FileId },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(FileId),
}

#[derive(Clone, Default)]
struct File {
    durable: Image,
    /// One bit per sector that a completed sync or direct write covered; it can no longer hold garbage.
    synced: Arc<Vec<u64>>,
    pending: Vec<Change>,
}

/// The certain and the pending state of every file and name.
#[derive(Clone)]
pub(super) struct Disk {
    files: BTreeMap<FileId, File>,
    names: BTreeMap<PathBuf, Node>,
    pending_names: Vec<NameChange>,
}

fn sectors(offset: u64, len: usize) -> std::ops::Range<u64> {
    offset / SECTOR_BYTES..(offset + len as u64).div_ceil(SECTOR_BYTES)
}

impl File {
    fn is_synced(&self, sector: u64) -> bool {
        let word = usize::try_from(sector / 64).ok().and_then(|at| self.synced.get(at));
        word.is_some_and(|bits| bits >> (sector % 64) & 1 == 1)
    }

    fn mark_synced(&mut self, range: std::ops::Range<u64>) {
        if range.clone().all(|sector| self.is_synced(sector)) {
            return;
        }
        let synced = Arc::make_mut(&mut self.synced);
        for sector in range {
            let word = (sector / 64) as usize;
            if synced.len() <= word {
                synced.resize(word + 1, 0);
            }
            synced[word] |= 1 << (sector % 64);
        }
    }

    fn settle(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes } => {
                self.durable.write(bytes, *offset);
                self.mark_synced(sectors(*offset, bytes.len()));
            }
            Change::SetLen { len } => self.durable.set_len(*len),
        }
    }

    fn settle_all(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            self.settle(&change);
        }
    }

    /// A direct write reaches the disk past the page cache, whose dirty pages in its range go first.
    fn write_direct(&mut self, offset: u64, bytes: &Arc<[u8]>) {
        let range = sectors(offset, bytes.len());
        let touches = |change: &Change| match change {
            Change::Write { offset, bytes } => {
                let other = sectors(*offset, bytes.len());
                other.start < range.end && range.start < other.end
            }
            Change::SetLen { .. } => true,
        };
        if self.pending.iter().any(touches) {
            self.settle_all();
        }
        self.settle(&Change::Write { offset, bytes: Arc::clone(bytes) });
    }

    /// Each pending change reached the disk or is lost.
    fn fail_sync(&mut self, seed: u64) {
        let rng = SeededRng::new(seed);
        for change in std::mem::take(&mut self.pending) {
            if rng.below(2) == 0 {
                self.settle(&change);
            }
        }
    }

    fn crash(&self, mode: CrashMode, rng: &SeededRng) -> Image {
        let mut image = self.durable.clone();
        let apply = |image: &mut Image, change: &Change| match change {
            Change::Write { offset, bytes } => image.write(bytes, *offset),
            Change::SetLen { len } => image.set_len(*len),
        };
        match mode {
            CrashMode::Drop => {}
            CrashMode::Keep => self.pending.iter().for_each(|change| apply(&mut image, change)),
            CrashMode::Reorder => {
                let kept = self.pending.iter().filter(|_| rng.below(2) == 0);
                kept.for_each(|change| apply(&mut image, change));
            }
            CrashMode::Tear => self.tear(&mut image, rng),
        }
        image
    }

    /// Applies pending writes sector by sector. A sector that stopped at some version stays there, so that
    /// what it holds was its content at one moment.
    fn tear(&self, image: &mut Image, rng: &SeededRng) {
        let mut stopped = BTreeSet::new();
        for change in &self.pending {
            match change {
                Change::SetLen { len } => {
                    if rng.below(2) == 0 {
                        image.set_len(*len);
                    }
                }
                Change::Write { offset, bytes } => {
                    let end = offset + bytes.len() as u64;
                    for sector in sectors(*offset, bytes.len()) {
                        if stopped.contains(&sector) {
                            continue;
                        }
                        let from = (sector * SECTOR_BYTES).max(*offset);
                        let to = ((sector + 1) * SECTOR_BYTES).min(end);
                        let piece = &bytes[(from - offset) as usize..(to - offset) as usize];
                        match rng.below(4) {
                            0 if !self.is_synced(sector) => {
                                let mut garbage = vec![0; piece.len()];
                                rng.fill(&mut garbage);
                                image.write(&garbage, from);
                                stopped.insert(sector);
                            }
                            0 | 1 => drop(stopped.insert(sector)),
                            _ => image.write(piece, from),
                        }
                    }
                    if end > image.len() && rng.below(2) == 0 {
                        image.set_len(end);
                    }
                }
            }
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set { path, node: Some(node) } => drop(names.insert(path.clone(), *node)),
            Self::Set { path, node: None } => drop(names.remove(path)),
            Self::Rename { from, to, file } => {
                if names.get(from) == Some(&Node::File(*file)) {
                    names.remove(from);
                }
                names.insert(to.clone(), Node::File(*file));
            }
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Set { path, .. } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
        }
    }
}

impl Disk {
    /// A disk that durably holds `contents`.
    pub(super) fn new(contents: &MemoryVfs) -> Self {
        let mut disk = Self { files: BTreeMap::new(), names: BTreeMap::new(), pending_names: Vec::new() };
        for (path, image) in contents.entries() {
            let Some(image) = image else {
                disk.names.insert(path, Node::Folder);
                continue;
            };
            let id = contents.open(&path, OpenOptions::default()).and_then(|file| file.identity());
            let (_, id) = id.expect("a listed file of a file system in memory opens");
            let mut file = File { durable: image, ..File::default() };
            file.mark_synced(0..file.durable.len().div_ceil(SECTOR_BYTES));
            disk.files.insert(id, file);
            disk.names.insert(path, Node::File(id));
        }
        disk
    }

    fn pend(&mut self, file: FileId, change: Change) {
        self.files.entry(file).or_default().pending.push(change);
    }

    /// An operation returned.
    pub(super) fn complete(&mut self, operation: &Operation) {
        match operation {
            Operation::Write { file, offset, bytes, direct: true } => {
                self.files.entry(*file).or_default().write_direct(*offset, bytes);
            }
            Operation::Sync { file } => self.files.entry(*file).or_default().settle_all(),
            Operation::SyncFailed { file, point } => self.files.entry(*file).or_default().fail_sync(*point),
            Operation::SyncFolder { folder } => {
                let (names, pending) = (&mut self.names, &mut self.pending_names);
                pending.retain(|change| {
                    let settled = change.folder() == Some(folder);
                    if settled {
                        change.apply(names);
                    }
                    !settled
                });
            }
            Operation::CreateFile { .. }
            | Operation::CreateFolder { .. }
            | Operation::Remove { .. }
            | Operation::Rename { .. }
            | Operation::Write { direct: false, .. }
            | Operation::SetLen { .. }
            | Operation::Nothing { .. } => self.begin(operation),
        }
    }

    /// An operation may have taken place.
    fn begin(&mut self, operation: &Operation) {
        match operation {
            Operation::CreateFile { path, file } => {
                self.files.entry(*file).or_default();
                let node = Some(Node::File(*file));
                self.pending_names.push(NameChange::Set { path: path.clone(), node });
            }
            Operation::CreateFolder { path } => {
                self.pending_names.push(NameChange::Set { path: path.clone(), node: Some(Node::Folder) });
            }
            Operation::Remove { path } => {
                self.pending_names.push(NameChange::Set { path: path.clone(), node: None });
            }
            Operation::Rename { from, to, file } => {
                let change = NameChange::Rename { from: from.clone(), to: to.clone(), file: *file };
                self.pending_names.push(change);
            }
            Operation::Write { file, offset, bytes, .. } => {
                self.pend(*file, Change::Write { offset: *offset, bytes: Arc::clone(bytes) });
            }
            Operation::SetLen { file, len } => self.pend(*file, Change::SetLen { len: *len }),
            Operation::Sync { .. }
            | Operation::SyncFailed { .. }
            | Operation::SyncFolder { .. }
            | Operation::Nothing { .. } => {}
        }
    }

    /// What is found after the power failed during `in_flight`.
    pub(super) fn crash(mut self, in_flight: Option<&Operation>, mode: CrashMode, seed: u64) -> MemoryVfs {
        if let Some(operation) = in_flight {
            self.begin(operation);
        }
        let rng = SeededRng::new(seed);
        for change in &self.pending_names {
            let happened = match mode {
                CrashMode::Keep => true,
                CrashMode::Drop => false,
                CrashMode::Reorder | CrashMode::Tear => rng.below(2) == 0,
            };
            if happened {
                change.apply(&mut self.names);
            }
        }
        let found = MemoryVfs::new();
        // Names are sorted, so a folder comes before what is in it; what has no folder is lost.
        for (path, node) in &self.names {
            let reachable = path.parent().is_none_or(|folder| found.exists(folder).unwrap_or(false));
            match node {
                _ if !reachable => {}
                Node::Folder => found.create_dir(path).expect("the parent was found"),
                Node::File(id) => {
                    let image = self.files.get(id).map(|file| file.crash(mode, &rng)).unwrap_or_default();
                    found.insert(path.clone(), image);
                }
            }
        }
        found
    }
}
