use super::{CrashMode, FaultVfs, PlantedBug};
use crate::vfs::{AlignedBuf, MemoryVfs, OpenOptions, Vfs, VfsFile};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

const WRITE: OpenOptions = OpenOptions { write: true, create: true, create_new: false, direct: false };

fn disk_with_file() -> (FaultVfs, Arc<dyn VfsFile>) {
    let vfs = FaultVfs::new();
    let file = vfs.open(Path::new("f"), WRITE).unwrap();
    vfs.sync_dir(Path::new("")).unwrap();
    (vfs, file)
}

fn contents(vfs: &MemoryVfs, name: &str) -> Option<Vec<u8>> {
    let file = vfs.open(Path::new(name), OpenOptions::default()).ok()?;
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    Some(bytes)
}

fn check(vfs: &FaultVfs, point: u64, mode: CrashMode, expect: Option<&[u8]>) {
    let found = contents(&vfs.crash_image(point, mode, 1), "f");
    assert_eq!(found.as_deref(), expect, "{mode:?} at {}", vfs.describe(point));
}

#[test]
fn only_a_sync_makes_a_write_certain() {
    let (vfs, file) = disk_with_file();
    file.write_at(b"one", 0).unwrap();
    let unsynced = vfs.current_point();
    check(&vfs, unsynced, CrashMode::Keep, Some(b"one"));
    check(&vfs, unsynced, CrashMode::Drop, Some(b""));
    file.sync().unwrap();
    let synced = vfs.current_point();
    for mode in CrashMode::ALL {
        check(&vfs, synced, mode, Some(b"one"));
    }
    // While the sync was running it promised nothing.
    check(&vfs, synced - 1, CrashMode::Drop, Some(b""));
    file.write_at(b"two", 0).unwrap();
    check(&vfs, synced, CrashMode::Keep, Some(b"two"));
    check(&vfs, synced, CrashMode::Drop, Some(b"one"));
}

#[test]
fn a_direct_write_is_certain_when_it_returned() {
    let (vfs, _file) = disk_with_file();
    let direct = vfs.open(Path::new("f"), OpenOptions { direct: true, ..WRITE }).unwrap();
    let point = vfs.current_point();
    let mut block = AlignedBuf::zeroed(4096);
    assert_eq!(direct.write_at(&block[..512], 0).unwrap_err().kind(), ErrorKind::InvalidInput);
    block.fill(7);
    direct.write_at(&block, 0).unwrap();
    check(&vfs, point, CrashMode::Drop, Some(b""));
    check(&vfs, point + 1, CrashMode::Drop, Some(&[7; 4096]));
    block.fill(8);
    direct.write_at(&block, 0).unwrap();
    // In flight, each sector is one of the two.
    let mut kinds = BTreeSet::new();
    for seed in 0..20 {
        let found = contents(&vfs.crash_image(point + 1, CrashMode::Tear, seed), "f").unwrap();
        for sector in found.chunks(512) {
            assert!(sector == [7; 512] || sector == [8; 512], "garbage in a synced sector");
        }
        kinds.insert(found);
    }
    assert!(kinds.len() > 10);
}

#[test]
fn a_sector_never_synced_may_hold_garbage() {
    let (vfs, file) = disk_with_file();
    file.write_at(&[9; 1024], 0).unwrap();
    let garbage = (0..100).any(|seed| {
        let found = contents(&vfs.crash_image(vfs.current_point(), CrashMode::Tear, seed), "f").unwrap();
        found.iter().any(|&b| b != 0 && b != 9)
    });
    assert!(garbage);
}

#[test]
fn reorder_keeps_whole_writes_in_the_order_of_a_sector() {
    let (vfs, file) = disk_with_file();
    file.write_at(&[0; 3], 0).unwrap();
    file.sync().unwrap();
    for (value, at) in [(1, 0), (2, 1), (3, 2)] {
        file.write_at(&[value], at).unwrap();
    }
    let end = vfs.current_point();
    let found: BTreeSet<_> = (0..100)
        .map(|seed| contents(&vfs.crash_image(end, CrashMode::Reorder, seed), "f").unwrap())
        .collect();
    assert_eq!(found.len(), 8, "every subset is found");
}

#[test]
fn names_need_their_folder_synced() {
    let vfs = FaultVfs::new();
    vfs.create_dir(Path::new("d")).unwrap();
    let file = vfs.open(Path::new("d/a"), WRITE).unwrap();
    file.write_at(b"x", 0).unwrap();
    file.sync().unwrap();
    vfs.sync_dir(Path::new("d")).unwrap();
    let lost = vfs.crash_image(vfs.current_point(), CrashMode::Drop, 0);
    assert!(!lost.exists(Path::new("d")).unwrap(), "the folder itself has no certain name");
    vfs.sync_dir(Path::new("")).unwrap();
    let point = vfs.current_point();
    vfs.rename(Path::new("d/a"), Path::new("d/b")).unwrap();
    let here = |mode| {
        let image = vfs.crash_image(vfs.current_point(), mode, 0);
        (contents(&image, "d/a").is_some(), contents(&image, "d/b").is_some())
    };
    assert_eq!(here(CrashMode::Drop), (true, false));
    assert_eq!(here(CrashMode::Keep), (false, true));
    vfs.sync_dir(Path::new("d")).unwrap();
    assert_eq!(here(CrashMode::Drop), (false, true));
    vfs.remove(Path::new("d/b")).unwrap();
    assert_eq!(here(CrashMode::Drop), (false, true));
    assert_eq!(here(CrashMode::Keep), (false, false));
    assert_eq!(contents(&vfs.crash_image(point, CrashMode::Drop, 0), "d/a").unwrap(), b"x");
}

#[test]
fn a_failed_write_leaves_half_and_no_room_leaves_nothing() {
    let (vfs, file) = disk_with_file();
    file.write_at(&[1; 2048], 0).unwrap();
    vfs.fail_at(vfs.calls(), 5);
    assert_eq!(file.write_at(&[2; 2048], 0).unwrap_err().raw_os_error(), Some(5));
    vfs.fail_at(vfs.calls(), 28);
    assert_eq!(file.write_at(&[3; 2048], 0).unwrap_err().kind(), ErrorKind::StorageFull);
    let mut found = [0; 2048];
    file.read_at(&mut found, 0).unwrap();
    assert_eq!(found[..1024], [2; 1024]);
    assert_eq!(found[1024..], [1; 1024]);
    file.write_at(&[4], 0).unwrap();
}

#[test]
fn a_failed_sync_loses_some_writes_for_good() {
    let (vfs, file) = disk_with_file();
    file.write_at(&[0; 64], 0).unwrap();
    file.sync().unwrap();
    for at in 0..64 {
        file.write_at(&[1], at).unwrap();
    }
    vfs.fail_at(vfs.calls(), 5);
    file.sync().unwrap_err();
    file.sync().unwrap();
    let found = contents(&vfs.crash_image(vfs.current_point(), CrashMode::Keep, 0), "f").unwrap();
    let kept = found.iter().filter(|&&b| b == 1).count();
    assert!((1..64).contains(&kept), "{kept} of 64 writes were kept");
}

#[test]
fn failing_calls_without_effect() {
    let (vfs, file) = disk_with_file();
    vfs.fail_at(vfs.calls(), 28);
    assert_eq!(file.allocate(100).unwrap_err().kind(), ErrorKind::StorageFull);
    vfs.fail_at(vfs.calls(), 5);
    file.set_size(100).unwrap_err();
    vfs.fail_at(vfs.calls(), 5);
    vfs.rename(Path::new("f"), Path::new("g")).unwrap_err();
    vfs.fail_at(vfs.calls(), 5);
    assert!(vfs.open(Path::new("h"), WRITE).is_err());
    vfs.fail_at(vfs.calls(), 5);
    vfs.sync_dir(Path::new("")).unwrap_err();
    assert_eq!(file.size().unwrap(), 0);
    assert_eq!(vfs.list(Path::new("")).unwrap(), ["f"]);
    file.allocate(100).unwrap();
    assert_eq!(file.size().unwrap(), 100);
}

#[test]
fn planted_bugs_lose_synced_data() {
    let run = |bug| {
        let (vfs, file) = disk_with_file();
        vfs.plant(bug);
        file.write_at(b"a", 0).unwrap();
        file.sync().unwrap();
        let direct = vfs.open(Path::new("f"), OpenOptions { direct: true, ..WRITE }).unwrap();
        let mut block = AlignedBuf::zeroed(4096);
        block.fill(b'b');
        direct.write_at(&block, 4096).unwrap();
        vfs.open(Path::new("g"), WRITE).unwrap();
        vfs.sync_dir(Path::new("")).unwrap();
        let image = vfs.crash_image(vfs.current_point(), CrashMode::Drop, 0);
        let found = contents(&image, "f").unwrap();
        (found.first() == Some(&b'a'), found.get(4096) == Some(&b'b'), contents(&image, "g").is_some())
    };
    assert_eq!(run(PlantedBug::IgnoreSync(0)), (false, true, true));
    assert_eq!(run(PlantedBug::IgnoreSync(1)), (true, true, true));
    assert_eq!(run(PlantedBug::IgnoreAllSyncs), (false, true, true));
    assert_eq!(run(PlantedBug::IgnoreDirect), (true, false, true));
    assert_eq!(run(PlantedBug::IgnoreSyncDir), (true, true, false));
}

#[test]
fn images_do_not_depend_on_the_order_of_asking() {
    let (vfs, file) = disk_with_file();
    for at in 0..500u64 {
        file.write_at(&at.to_le_bytes(), at % 37 * 100).unwrap();
        if at % 7 == 0 {
            file.sync().unwrap();
        }
    }
    let image = |point| contents(&vfs.crash_image(point, CrashMode::Tear, point), "f");
    let forward: Vec<_> = (0..=vfs.current_point()).map(image).collect();
    let backward: Vec<_> = (0..=vfs.current_point()).rev().map(image).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
}

#[test]
fn the_next_run_starts_from_an_image() {
    let (vfs, file) = disk_with_file();
    file.write_at(b"kept", 0).unwrap();
    let image = vfs.crash_image(vfs.current_point(), CrashMode::Keep, 0);
    let next = FaultVfs::with_contents(&image);
    let file = next.open(Path::new("f"), WRITE).unwrap();
    file.write_at(b"lost", 0).unwrap();
    check(&next, next.current_point(), CrashMode::Drop, Some(b"kept"));
    assert_eq!(contents(&image, "f").unwrap(), b"kept");
}

#[test]
fn a_limit_of_space_stops_growth_only() {
    let (vfs, file) = disk_with_file();
    file.write_at(&[1; 1000], 0).unwrap();
    vfs.limit_space(1500);
    assert_eq!(file.write_at(&[2; 1000], 600).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.allocate(1501).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_at(&[3; 1000], 500).unwrap();
    assert_eq!(vfs.used_space(), 1500);
    file.set_size(10).unwrap();
    vfs.open(Path::new("g"), WRITE).unwrap().write_at(&[4; 1490], 0).unwrap();
    vfs.limit_space(u64::MAX);
    file.write_at(&[5; 1000], 600).unwrap();
}
