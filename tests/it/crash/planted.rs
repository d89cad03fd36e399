//! Bugs put in on purpose, each of which the suite must notice: otherwise its silence would mean nothing.
//!
//! Some are lies of the disk; some change what a crash left before it is opened, as if the engine had written it so.

use super::oracle::{Care, verify};
use super::power::{Crash, SMALL, crashes};
use super::workload::{History, Plan, run, run_over};
use super::failures;
use rustdb::Result;
use rustdb::codec::fields::FieldReader;
use rustdb::ids::{Epoch, Lsn};
use rustdb::pager::space::{Cut, Location, Space};
use rustdb::vfs::{CrashMode, FaultVfs, MemoryVfs, OpenOptions, PlantedBug, Vfs, VfsFile};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DATABASE: &str = "/t.db";
const PLAN: Plan = Plan { seed: 300, steps: 700, ..SMALL };

/// Whether a sampled crash of a run fails once `change` was made to what it left. Changes that do not apply to an image
/// return false.
fn is_caught(history: &History, crashes: &[Crash], change: impl Fn(&MemoryVfs) -> Result<bool> + Sync) -> bool {
    let applied = AtomicU64::new(0);
    let check = |crash: &Crash| {
        let image = history.vfs.crash_image(crash.point, crash.mode, crash.seed);
        if !change(&image).map_err(|error| error.to_string())? {
            return Ok(());
        }
        applied.fetch_add(1, Ordering::Relaxed);
        verify(history, &image, history.bounds(crash.point), 40, Care::Use).map(drop)
    };
    let failed = failures(crashes, 1, check, |crash| format!("{crash:?}"));
    let first = failed.first().map_or("nothing", String::as_str);
    eprintln!("after {} crashes: {}", applied.into_inner(), first.chars().take(300).collect::<String>());
    !failed.is_empty()
}

fn assert_caught(history: &History, change: impl Fn(&MemoryVfs) -> Result<bool> + Sync) {
    assert!(is_caught(history, &crashes(history, 10), change), "nobody noticed");
}

// ------------------------------------------------------------------------------------------------ lies of the disk

fn run_with(bug: PlantedBug) -> History {
    let vfs = FaultVfs::new();
    vfs.plant(bug);
    run(vfs, PLAN)
}

#[test]
fn a_disk_that_never_syncs_is_noticed() {
    assert_caught(&run_with(PlantedBug::IgnoreAllSyncs), |_| Ok(true));
}

#[test]
fn a_log_that_is_not_durable_is_noticed() {
    assert_caught(&run_with(PlantedBug::IgnoreDirect), |_| Ok(true));
}

#[test]
fn folders_that_are_not_synced_are_noticed() {
    assert_caught(&run_with(PlantedBug::IgnoreSyncDir), |_| Ok(true));
}

#[test]
fn single_syncs_left_out_are_noticed() {
    // Three syncs make a cut: of the pages, and after each copy of the superblock. The last can be missed only if a
    // copy is damaged later.
    let noticed = (20..32).filter(|n| {
        let history = run_with(PlantedBug::IgnoreSync(*n));
        let left_out = |point: &u64| history.vfs.describe(*point).ends_with("ignored sync");
        let Some(point) = (0..history.vfs.current_point()).find(left_out) else { return false };
        let near = (point..point + 50).flat_map(|point| {
            CrashMode::ALL.into_iter().flat_map(move |mode| (0..3).map(move |seed| Crash { point, mode, seed }))
        });
        is_caught(&history, &near.collect::<Vec<_>>(), |_| Ok(true))
    });
    assert_eq!(noticed.take(3).count(), 3);
}

/// Whether a write of so many bytes at this offset of the database file is lost.
type Loses = fn(u64, usize, &AtomicU64) -> bool;

/// A disk that loses some writes of the database file.
struct Lossy {
    disk: FaultVfs,
    loses: Loses,
    seen: Arc<AtomicU64>,
}

struct LossyFile {
    file: Arc<dyn VfsFile>,
    loses: Loses,
    seen: Arc<AtomicU64>,
}

impl VfsFile for LossyFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if (self.loses)(offset, buf.len(), &self.seen) { Ok(()) } else { self.file.write_at(buf, offset) }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn set_size(&self, len: u64) -> io::Result<()> {
        self.file.set_size(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        self.file.identity()
    }
}

impl Vfs for Lossy {
    fn open(&self, path: &Path, options: OpenOptions) -> io::Result<Arc<dyn VfsFile>> {
        let file = self.disk.open(path, options)?;
        if path != Path::new(DATABASE) {
            return Ok(file);
        }
        Ok(Arc::new(LossyFile { file, loses: self.loses, seen: Arc::clone(&self.seen) }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_dir(folder)
    }
}

const SUPERBLOCK_B: u64 = 65_536;
const SUPERBLOCK_BYTES: usize = 4096;

/// Runs on a disk that loses writes; None if the run itself failed, which is noticing, too.
fn run_losing(loses: Loses) -> Option<History> {
    let disk = FaultVfs::new();
    let lossy = Arc::new(Lossy { disk: disk.clone(), loses, seen: Arc::default() });
    catch_unwind(AssertUnwindSafe(|| run_over(disk, lossy, PLAN))).ok()
}

#[test]
fn a_superblock_with_one_copy_is_noticed() {
    let history = run_losing(|offset, bytes, _| offset == SUPERBLOCK_B && bytes == SUPERBLOCK_BYTES);
    if let Some(history) = history {
        assert_caught(&history, |_| Ok(true));
    }
}

#[test]
fn places_reused_before_the_cut_that_freed_them_are_noticed() {
    // Both copies of one cut's superblock are lost: to the disk, the next epoch overwrites what is in use.
    let history = run_losing(|offset, bytes, seen| {
        let superblock = bytes == SUPERBLOCK_BYTES && (offset == 0 || offset == SUPERBLOCK_B);
        superblock && (24..28).contains(&seen.fetch_add(1, Ordering::Relaxed))
    });
    if let Some(history) = history {
        assert_caught(&history, |_| Ok(true));
    }
}

// --------------------------------------------------------------------------------------------- changes of what is left

/// What a cut says, to be written again otherwise.
struct Rewritten {
    state: Vec<u8>,
    domains: Vec<u8>,
    wal_start: Lsn,
}

/// Writes the cut that an image holds once more, changed; false if there is none or `change` declines.
fn cut_again(image: &MemoryVfs, change: impl Fn(&Space, &mut Rewritten) -> Result<Option<Pages>>) -> Result<bool> {
    let Ok(file) = image.open(Path::new(DATABASE), OpenOptions { write: true, ..OpenOptions::default() }) else {
        return Ok(false);
    };
    let Ok((space, superblock)) = Space::open(Path::new(DATABASE), file) else { return Ok(false) };
    if superblock.epoch.0 == 1 || superblock.clean {
        return Ok(false);
    }
    let (state, domains) = (space.read_blob(superblock.cut_state)?, space.read_blob(superblock.domains)?);
    let mut cut = Rewritten { state, domains, wal_start: superblock.wal_start };
    let Some(changes) = change(&space, &mut cut)? else { return Ok(false) };
    space.commit_cut(Cut {
        epoch: Epoch(superblock.epoch.0 + 1),
        changes,
        cut_state: space.write_blob(&cut.state)?,
        domains: space.write_blob(&cut.domains)?,
        catalog_root: superblock.catalog_root,
        wal_start: cut.wal_start,
        wal_salt: superblock.wal_salt,
        commit_ts: superblock.commit_ts,
        clean: false,
    })?;
    Ok(true)
}

/// Pages that moved.
type Pages = Vec<(rustdb::ids::PageId, Option<Location>)>;

/// Version and log position.
const STATE_HEADER: usize = 10;

/// The bytes that the transactions of a cut's state take, their count included.
fn transactions_len(state: &[u8]) -> Result<usize> {
    let rest = &state[STATE_HEADER..];
    let mut from = FieldReader::new(rest, "the state of a cut");
    let mut len = 4;
    for _ in 0..from.count()? {
        from.u64()?;
        len += 12;
        for _ in 0..from.count()? {
            let kind = from.u8()?;
            from.u32()?;
            from.u64()?;
            len += 13;
            match kind {
                2 | 7 => len += size_of_val(&from.u64()?),
                3 => {
                    from.u32()?;
                    len += 8 + from.counted()?.len();
                }
                5 => {
                    from.u32()?;
                    let columns = from.count()?;
                    (0..columns).try_for_each(|_| from.u16().map(drop))?;
                    len += 12 + 2 * columns + from.counted()?.len();
                }
                _ => {}
            }
        }
    }
    Ok(len)
}

const NONE: [u8; 4] = [0; 4];

fn history() -> History {
    run(FaultVfs::new(), PLAN)
}

#[test]
fn a_cut_written_again_as_it_was_is_fine() {
    let history = history();
    let unchanged = |image: &MemoryVfs| cut_again(image, |_, _| Ok(Some(Pages::new())));
    assert!(!is_caught(&history, &crashes(&history, 60), unchanged));
}

#[test]
fn recovery_without_undo_is_noticed() {
    let forget = |_: &Space, cut: &mut Rewritten| {
        let len = transactions_len(&cut.state)?;
        cut.state.splice(STATE_HEADER..STATE_HEADER + len, NONE);
        Ok((len > NONE.len()).then(Pages::new))
    };
    assert_caught(&history(), |image| cut_again(image, forget));
}

#[test]
fn garbage_that_a_cut_forgets_is_noticed() {
    let forget = |_: &Space, cut: &mut Rewritten| {
        let at = STATE_HEADER + transactions_len(&cut.state)?;
        let some = cut.state[at..] != NONE;
        cut.state.splice(at.., NONE);
        Ok(some.then(Pages::new))
    };
    assert_caught(&history(), |image| cut_again(image, forget));
}

#[test]
fn a_log_given_up_before_an_open_transaction_is_noticed() {
    let start_at_the_cut = |_: &Space, cut: &mut Rewritten| {
        let of_cut = cut.state[2..STATE_HEADER].try_into().expect("eight bytes");
        let of_cut = Lsn(u64::from_le_bytes(of_cut));
        let early = cut.wal_start < of_cut;
        cut.wal_start = of_cut;
        Ok(early.then(Pages::new))
    };
    // Transactions must write ahead for this: they change many rows.
    let history = run(FaultVfs::new(), Plan { rows: 400, ..PLAN });
    assert_caught(&history, |image| cut_again(image, start_at_the_cut));
}

#[test]
fn log_segments_recycled_early_are_noticed() {
    let recycle = |image: &MemoryVfs| {
        let folder = Path::new("/t.db-wal");
        let mut segments = image.list(folder).unwrap_or_default();
        segments.sort();
        let Some(first) = segments.first() else { return Ok(false) };
        image.remove(&folder.join(first)).expect("the segment was listed");
        Ok(true)
    };
    assert_caught(&history(), recycle);
}

#[test]
fn row_ids_given_out_twice_are_noticed() {
    let forget = |_: &Space, cut: &mut Rewritten| {
        let mut from = FieldReader::new(&cut.domains, "the domain table");
        from.u16()?;
        from.u32()?;
        let mut at = 10;
        let mut counters = Vec::new();
        for _ in 0..from.count()? {
            at += 12 + from.counted()?.len();
            counters.push(at);
            from.u64()?;
            from.u64()?;
            at += 12;
            for _ in 0..from.count()? {
                at += 12 + from.counted()?.len();
                from.u64()?;
            }
        }
        for at in &counters {
            cut.domains[*at..at + 8].copy_from_slice(&1u64.to_le_bytes());
        }
        Ok((!counters.is_empty()).then(Pages::new))
    };
    assert_caught(&history(), |image| cut_again(image, forget));
}
