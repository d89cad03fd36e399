//! Bytes that nobody wrote: the reader ends or complains, and never takes them for records.

use super::{FOLDER, Records, SMALL, create, read, read_until_error, record};
use crate::error::{ErrorKind, Result, StorageError};
use crate::ids::Lsn;
use crate::vfs::{MemoryVfs, OpenOptions, Vfs, VfsFile};
use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log of two openings, its records from `start`, and the position where each segment's file is.
fn log() -> (MemoryVfs, Lsn, Records) {
    let vfs = MemoryVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    for n in 0..20 {
        wal.append(&[&record(n, 500)]).unwrap();
    }
    wal.flush(wal.end()).unwrap();
    let start = wal.end();
    let wal = create(&vfs, 2, start, SMALL);
    for n in 20..120 {
        wal.append(&[&record(n, 700)]).unwrap();
        if n % 3 == 0 {
            wal.flush(wal.end()).unwrap();
        }
    }
    wal.flush(wal.end()).unwrap();
    let records = read(&vfs, start);
    assert_eq!(records.len(), 100);
    (vfs, start, records)
}

fn files(vfs: &MemoryVfs) -> Vec<(PathBuf, Arc<dyn VfsFile>)> {
    let mut names = vfs.list(Path::new(FOLDER)).unwrap();
    names.sort();
    let options = OpenOptions { write: true, ..OpenOptions::default() };
    let path = |name: String| Path::new(FOLDER).join(name);
    names.into_iter().map(path).map(|path| (path.clone(), vfs.open(&path, options).unwrap())).collect()
}

fn is_corruption(result: &Result<()>) -> bool {
    result.as_ref().is_err_and(|e| matches!(e.kind(), ErrorKind::Storage(StorageError::CorruptLog { .. })))
}

/// The offset in its file of the frame that starts at `lsn`.
fn find_frame(file: &dyn VfsFile, lsn: Lsn) -> Option<u64> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let starts = |window: &[u8]| window[..4] == *b"RWFR" && window[16..24] == lsn.0.to_le_bytes();
    bytes.windows(24).position(starts).map(|at| at as u64)
}

#[test]
fn damage_before_the_durable_end_is_reported_and_after_it_is_the_end() {
    let (_, start, records) = log();
    // Frames start at the first record and after each flush.
    let flushed = |n: usize| n == 0 || (n + 20 - 1).is_multiple_of(3);
    let frames: Vec<usize> = (0..100).filter(|&n| flushed(n)).collect();
    for &n in &frames {
        let (vfs, ..) = log();
        let (from, ..) = records[n];
        let hits = files(&vfs).into_iter().filter_map(|(_, f)| find_frame(&*f, from).map(|at| (f, at)));
        for (file, at) in hits {
            file.write_at(&[0xff], at + 60).unwrap();
        }
        let (found, end) = read_until_error(&vfs, start);
        assert_eq!(found, records[..n], "damaged at record {n}");
        let last = frames.last() == Some(&n);
        assert_eq!(is_corruption(&end), !last, "damaged at record {n}: {end:?}");
    }
}

#[test]
fn a_missing_segment_is_reported() {
    let (vfs, start, _) = log();
    let count = files(&vfs).len();
    for missing in 0..count {
        let (vfs, ..) = log();
        let (path, _) = files(&vfs).swap_remove(missing);
        vfs.remove(&path).unwrap();
        let (found, end) = read_until_error(&vfs, start);
        // The first holds the earlier opening; the last ones may be spare or hold the unprovable end.
        assert!(found.len() == 100 || is_corruption(&end) || missing + 2 >= count || missing == 1);
    }
    vfs.list(Path::new(FOLDER)).unwrap().iter().for_each(|name| {
        vfs.remove(&Path::new(FOLDER).join(name)).unwrap();
    });
    assert!(is_corruption(&read_until_error(&vfs, start).1));
    vfs.remove_dir(Path::new(FOLDER)).unwrap();
    assert!(is_corruption(&read_until_error(&vfs, start).1));
}

#[test]
fn a_later_format_version_is_refused() {
    let (vfs, start, _) = log();
    for (_, file) in files(&vfs) {
        let mut block = vec![0; 4096];
        file.read_at(&mut block, 0).unwrap();
        if let Some(mut header) = super::super::format::SegmentHeader::read(&block) {
            header.version = 9;
            header.write(&mut block);
            file.write_at(&block, 0).unwrap();
        }
    }
    let error = read_until_error(&vfs, start).1.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Storage(StorageError::WrongVersion { found: 9, .. })));
}

/// One thing that happens to a file.
#[derive(Clone, Debug)]
enum Damage {
    Bytes { file: prop::sample::Index, at: prop::sample::Index, bytes: Vec<u8> },
    Truncate { file: prop::sample::Index, len: prop::sample::Index },
    Copy { from: prop::sample::Index, to: prop::sample::Index, at: prop::sample::Index, blocks: u8 },
}

fn damage() -> impl Strategy<Value = Damage> {
    use prop::sample::Index;
    let bytes = (any::<Index>(), any::<Index>(), prop::collection::vec(any::<u8>(), 1..40))
        .prop_map(|(file, at, bytes)| Damage::Bytes { file, at, bytes });
    let truncate = (any::<Index>(), any::<Index>()).prop_map(|(file, len)| Damage::Truncate { file, len });
    let copy = (any::<Index>(), any::<Index>(), any::<Index>(), 1..8u8)
        .prop_map(|(from, to, at, blocks)| Damage::Copy { from, to, at, blocks });
    prop::strategy::Union::new_weighted(vec![(6, bytes.boxed()), (1, truncate.boxed()), (2, copy.boxed())])
}

fn inflict(vfs: &MemoryVfs, damage: &Damage) {
    let files = files(vfs);
    let pick = |index: &prop::sample::Index| &*files[index.index(files.len())].1;
    let offset = |index: &prop::sample::Index, file: &dyn VfsFile| {
        index.index(file.size().unwrap().max(1) as usize) as u64
    };
    match damage {
        Damage::Bytes { file, at, bytes } => {
            let file = pick(file);
            file.write_at(bytes, offset(at, file)).unwrap();
        }
        Damage::Truncate { file, len } => {
            let file = pick(file);
            file.set_size(offset(len, file)).unwrap();
        }
        Damage::Copy { from, to, at, blocks } => {
            let (from, to) = (pick(from), pick(to));
            let mut bytes = vec![0; 4096 * usize::from(*blocks)];
            let start = offset(at, from) / 512 * 512;
            if from.read_at(&mut bytes, start).is_ok() {
                to.write_at(&bytes, start).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn no_damage_makes_up_records(all in prop::collection::vec(damage(), 1..6), from in 0..100_000u64) {
        let (vfs, start, records) = log();
        all.iter().for_each(|one| inflict(&vfs, one));
        let (found, _) = read_until_error(&vfs, start);
        prop_assert!(records.starts_with(&found));
        // From a place that is no boundary nothing sensible can come, but no panic either.
        let _ = read_until_error(&vfs, Lsn(from));
    }

    #[test]
    fn garbage_is_no_log(files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..4)) {
        let vfs = MemoryVfs::new();
        vfs.create_dir(Path::new(FOLDER)).unwrap();
        let options = OpenOptions { write: true, create: true, ..OpenOptions::default() };
        for (number, bytes) in files.iter().enumerate() {
            let path = Path::new(FOLDER).join(format!("{number:016x}.wal"));
            vfs.open(&path, options).unwrap().write_at(bytes, 0).unwrap();
        }
        prop_assert!(is_corruption(&read_until_error(&vfs, Lsn(0)).1));
    }
}
