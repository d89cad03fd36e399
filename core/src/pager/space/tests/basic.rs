use super::*;
use crate::error::{ErrorKind, StorageError};
use std::collections::HashSet;

#[test]
fn an_empty_database_opens_in_every_page_size() {
    for page_size in [16_384, 32_768, 65_536] {
        let vfs = MemoryVfs::new();
        let driver = Driver::create(&vfs, page_size).unwrap();
        check_contents(&driver.space, &BTreeMap::new());
        let (space, superblock) = Space::open(path(), file_in(&vfs)).unwrap();
        assert_eq!((superblock.epoch, superblock.uuid, superblock.page_size), (Epoch(1), [7; 16], page_size));
        assert_eq!(space.lookup(PageId(1)).unwrap(), None);
        check_contents(&space, &BTreeMap::new());
    }
}

#[test]
fn superblock_pages_are_never_given_out() {
    for page_size in [16_384, 32_768, 65_536] {
        let driver = Driver::create(&MemoryVfs::new(), page_size).unwrap();
        let places: HashSet<u64> = (0..500).map(|_| driver.space.allocate().unwrap().0).collect();
        assert_eq!(places.len(), 500);
        assert!(!places.contains(&0) && !places.contains(&(65_536 / u64::from(page_size))));
    }
}

#[test]
fn impossible_page_sizes_and_full_files_are_refused() {
    let vfs = MemoryVfs::new();
    for page_size in [0, 4096, 8192, 20_000, 131_072] {
        assert!(Space::create(path(), file_in(&vfs), page_size, [0; 16]).is_err());
    }
    Driver::create(&vfs, PAGE).unwrap();
    let error = Space::create(path(), file_in(&vfs), PAGE, [0; 16]).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Storage(StorageError::NotADatabase { .. })));
}

#[test]
fn the_map_grows_by_levels() {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    for size in [1usize, 1017, 1018, 2500] {
        while driver.current.len() < size {
            driver.add().unwrap();
        }
        driver.cut().unwrap();
        check_contents(&open_in(&vfs), &driver.current);
    }
}

#[test]
fn unused_ids_come_back_after_reopening() {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    let ids: Vec<PageId> = (0..3000).map(|_| driver.add().unwrap()).collect();
    driver.cut().unwrap();
    ids.iter().step_by(2).for_each(|pid| driver.remove(*pid));
    driver.cut().unwrap();
    let space = open_in(&vfs);
    assert_eq!(space.verify().unwrap().free_page_ids, 1500);
    let again: HashSet<PageId> = (0..1500).map(|_| space.allocate_page_id()).collect();
    assert_eq!(again, ids.iter().step_by(2).copied().collect());
    assert_eq!(space.allocate_page_id(), PageId(3001));
}

#[test]
fn ids_handed_out_but_in_no_cut_stay_unused() {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    let skipped: Vec<PageId> = (0..10).map(|_| driver.space.allocate_page_id()).collect();
    driver.add().unwrap();
    driver.cut().unwrap();
    check_contents(&driver.space, &driver.current);
    let space = open_in(&vfs);
    let again: HashSet<PageId> = (0..10).map(|_| space.allocate_page_id()).collect();
    assert_eq!(again, skipped.into_iter().collect());
}

#[test]
fn scratch_places_stay_handed_out_across_cuts() {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    let scratch: HashSet<PhysicalPage> = (0..50).map(|_| driver.space.allocate().unwrap()).collect();
    for _ in 0..5 {
        for _ in 0..20 {
            driver.add().unwrap();
        }
        driver.cut().unwrap();
    }
    assert_eq!(driver.space.handed_out(), 50);
    assert!((0..200).all(|_| !scratch.contains(&driver.space.allocate().unwrap())));
    check_contents(&open_in(&vfs), &driver.current);
}

#[test]
fn rewriting_pages_reuses_places_and_a_clean_cut_shortens_the_file() {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    let ids: Vec<PageId> = (0..1000).map(|_| driver.add().unwrap()).collect();
    driver.cut().unwrap();
    for round in 0..20 {
        ids.iter().skip(round).step_by(3).for_each(|pid| driver.write(*pid).unwrap());
        driver.cut().unwrap();
    }
    let size = file_in(&vfs).size().unwrap();
    assert!(size < 2000 * u64::from(PAGE), "{size}");
    ids[100..].iter().for_each(|pid| driver.remove(*pid));
    ids[..100].iter().for_each(|pid| driver.write(*pid).unwrap());
    driver.cut().unwrap();
    // What remained at the high end moves down.
    ids[..100].iter().for_each(|pid| driver.write(*pid).unwrap());
    let mut cut = driver.prepare_cut().unwrap();
    cut.clean = true;
    driver.space.commit_cut(cut).unwrap();
    let size = file_in(&vfs).size().unwrap();
    assert!(size < 400 * u64::from(PAGE), "{size}");
    assert!(open_in(&vfs).superblock().clean);
    check_contents(&open_in(&vfs), &driver.current);
}

#[test]
fn runs_are_long_where_the_file_is_empty() {
    let driver = Driver::create(&MemoryVfs::new(), PAGE).unwrap();
    // The places between the superblock copies go first.
    assert_eq!(driver.space.allocate_run(64).unwrap().len, 3);
    let run = driver.space.allocate_run(64).unwrap();
    assert_eq!(run.len, 64);
    run.places().step_by(8).for_each(|place| driver.space.release(place));
    let next = driver.space.allocate_run(64).unwrap();
    assert!(next.len >= 16 && next.first.0 >= run.first.0 + 64);
    // Single pages fill the holes.
    assert_eq!(driver.space.allocate().unwrap(), run.first);
}

#[test]
fn an_unchanged_cut_writes_no_page() {
    let vfs = FaultVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    driver.add().unwrap();
    driver.cut().unwrap();
    let before = vfs.current_point();
    let old = driver.space.superblock();
    let cut = Cut { cut_state: old.cut_state, domains: old.domains, ..placed(3, [].into_iter()) };
    driver.space.commit_cut(cut).unwrap();
    assert_eq!(vfs.current_point() - before, 5, "sync, A, sync, B, sync");
    assert!(open_in(&vfs).verify().unwrap().is_clean());
}

#[test]
fn blobs_of_every_length_come_back() {
    let driver = Driver::create(&MemoryVfs::new(), PAGE).unwrap();
    for len in [0usize, 1, 16_271, 16_272, 16_273, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let blob = driver.space.write_blob(&bytes).unwrap();
        assert_eq!(blob == BlobRef::EMPTY, len == 0);
        assert_eq!(driver.space.read_blob(blob).unwrap(), bytes);
    }
}

#[test]
fn blobs_no_cut_refers_to_are_given_back() {
    let mut driver = Driver::create(&MemoryVfs::new(), PAGE).unwrap();
    driver.space.write_blob(&[1; 50_000]).unwrap();
    assert_eq!(driver.space.handed_out(), 4);
    driver.cut().unwrap();
    assert_eq!(driver.space.handed_out(), 0);
}

#[test]
fn lookups_go_on_beside_cuts() {
    let mut driver = Driver::create(&MemoryVfs::new(), PAGE).unwrap();
    let ids: Vec<PageId> = (0..2000).map(|_| driver.add().unwrap()).collect();
    driver.cut().unwrap();
    let space = &driver.space;
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [0, 1].map(|offset| {
            let (ids, stop) = (&ids, &stop);
            scope.spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    for pid in ids.iter().skip(offset).step_by(2) {
                        // The checksum of this test is a function of the place, so a mix would show.
                        let at = space.lookup(*pid).unwrap().unwrap();
                        assert!(at.epoch == Epoch(2) || at.crc as u64 == at.page.0, "{at:?}");
                    }
                }
            })
        });
        for epoch in 3..40 {
            let changes = ids.iter().map(|pid| {
                let page = space.allocate().unwrap();
                (*pid, Some(Location { page, crc: page.0 as u32, epoch: Epoch(epoch) }))
            });
            space.commit_cut(Cut { changes: changes.collect(), ..placed(epoch, [].into_iter()) }).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// A cut that says where pages are; nothing is written at the places.
fn placed(epoch: u64, changes: impl Iterator<Item = (PageId, Option<PhysicalPage>)>) -> Cut {
    let epoch = Epoch(epoch);
    let location = |page| Location { page, crc: 0, epoch };
    Cut {
        epoch,
        changes: changes.map(|(pid, page)| (pid, page.map(location))).collect(),
        cut_state: BlobRef::EMPTY,
        domains: BlobRef::EMPTY,
        catalog_root: 0,
        wal_start: Lsn(0),
        wal_salt: 0,
        commit_ts: Timestamp(0),
        clean: false,
    }
}

#[test]
fn the_free_map_spans_several_bitmaps() {
    let vfs = MemoryVfs::new();
    let space = Space::create(path(), file_in(&vfs), PAGE, [0; 16]).unwrap();
    let ids: Vec<PageId> = (0..140_000).map(|_| space.allocate_page_id()).collect();
    let places = space.allocate_many(140_000).unwrap();
    space.commit_cut(placed(2, ids.iter().copied().zip(places.iter().copied().map(Some)))).unwrap();
    space.commit_cut(placed(3, ids.iter().step_by(7).map(|pid| (*pid, None)))).unwrap();
    let low = space.allocate().unwrap();
    space.commit_cut(placed(4, [(ids[139_999], Some(low))].into_iter())).unwrap();
    let other = open_in(&vfs);
    assert!(other.places.lock().durable().iter().eq(space.places.lock().durable().iter()));
    assert_eq!(other.superblock().free_map.depth, 1);
    assert_eq!(other.lookup(ids[139_999]).unwrap().map(|at| at.page), Some(low));
    let report = other.verify().unwrap();
    assert_eq!((report.pages, report.free_page_ids), (120_000, 20_000));
    let unread = report.problems.iter().all(|problem| problem.reason == "checksum mismatch");
    assert!(unread, "{:?}", report.problems.last());
    assert_eq!(report.problems.len() as u64 + report.more_problems, 120_000);
}

#[test]
#[should_panic(expected = "only places handed out are written")]
fn a_place_of_the_durable_cut_is_never_written() {
    let mut driver = Driver::create(&MemoryVfs::new(), PAGE).unwrap();
    let pid = driver.add().unwrap();
    driver.cut().unwrap();
    let at = driver.space.lookup(pid).unwrap().unwrap();
    let bytes = page(&driver.space, 1);
    driver.space.write_pages(&[(at.page, &bytes)]).unwrap();
}
