use super::*;
use crate::error::{ErrorKind, StorageError};
use crate::vfs::{CrashMode, PlantedBug};

/// What the disk must hold from a point on.
struct Milestone {
    /// The first operation of the cut.
    begun: u64,
    /// The cut was durable when this many operations had returned.
    done: u64,
    contents: BTreeMap<PageId, u64>,
}

fn recorded_run(seed: u64, bug: Option<PlantedBug>) -> (FaultVfs, Vec<Milestone>) {
    let rng = SeededRng::new(seed);
    let vfs = FaultVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    vfs.sync_dir(Path::new("")).unwrap();
    bug.into_iter().for_each(|bug| vfs.plant(bug));
    let done = vfs.current_point();
    let mut milestones = vec![Milestone { begun: 0, done, contents: BTreeMap::new() }];
    for _ in 0..6 {
        for _ in 0..12 {
            driver.step(&rng).unwrap();
        }
        let begun = vfs.current_point();
        driver.cut().unwrap();
        milestones.push(Milestone { begun, done: vfs.current_point(), contents: driver.current.clone() });
    }
    (vfs, milestones)
}

/// What is wrong with one of the disks that a crash at `point` can leave.
fn fault_after_crash(
    (vfs, milestones): &(FaultVfs, Vec<Milestone>),
    point: u64,
    mode: CrashMode,
    seed: u64,
) -> Result<(), String> {
    let image = vfs.crash_image(point, mode, seed);
    let (space, superblock) = Space::open(path(), file_in(&image)).map_err(|e| e.to_string())?;
    let index = (superblock.epoch.0 - 1) as usize;
    let certain = milestones.iter().rposition(|m| m.done <= point).unwrap();
    let possible = milestones.iter().rposition(|m| m.begun <= point).unwrap();
    if !(certain..=possible).contains(&index) {
        return Err(format!("epoch {}", superblock.epoch));
    }
    find_fault(&space, &milestones[index].contents)
}

#[test]
fn a_crash_leaves_the_old_cut_or_the_new_one() {
    for seed in 0..4 {
        let run = recorded_run(seed, None);
        for point in run.1[0].done..=run.0.current_point() {
            for mode in CrashMode::ALL {
                for image_seed in 0..3 {
                    if let Err(fault) = fault_after_crash(&run, point, mode, image_seed) {
                        panic!("run {seed}, {mode:?} {image_seed} at {}: {fault}", run.0.describe(point));
                    }
                }
            }
        }
    }
}

/// The crash test would notice if a sync of the cut were left out.
#[test]
fn every_sync_of_a_cut_is_needed() {
    // Two syncs make the database; of the three of the second cut, all but the last change what a crash leaves.
    for sync in [5, 6] {
        let run = recorded_run(0, Some(PlantedBug::IgnoreSync(sync)));
        let mut points = run.1[0].done..=run.0.current_point();
        let noticed = points.any(|point| {
            CrashMode::ALL
                .iter()
                .any(|mode| (0..20).any(|seed| fault_after_crash(&run, point, *mode, seed).is_err()))
        });
        assert!(noticed, "sync {sync}");
    }
}

/// The next owner works on what the crash left, and crashes again.
#[test]
fn work_goes_on_after_a_crash() {
    let (vfs, milestones) = recorded_run(9, None);
    let rng = SeededRng::new(17);
    for point in (milestones[3].begun..=milestones[4].done).step_by(2) {
        let image = vfs.crash_image(point, CrashMode::Tear, point);
        let space = open_in(&image);
        let before = milestones[(space.superblock().epoch.0 - 1) as usize].contents.clone();
        let second = FaultVfs::with_contents(&image);
        let mut driver = Driver::over(open_in(&second), before.clone());
        for _ in 0..10 {
            driver.step(&rng).unwrap();
        }
        driver.cut().unwrap();
        for crash in 0..=second.current_point() {
            let image = second.crash_image(crash, CrashMode::Tear, crash);
            let space = open_in(&image);
            let old = space.superblock().epoch < driver.epoch;
            check_contents(&space, if old { &before } else { &driver.current });
        }
    }
}

/// Every call of a cut fails once: a failed write abandons the cut, a failed sync poisons.
#[test]
fn failed_calls_abandon_the_cut_or_poison() {
    for os_error in [5, 28] {
        let mut call = 0;
        loop {
            let rng = SeededRng::new(3);
            let vfs = FaultVfs::new();
            let mut driver = Driver::create(&vfs, PAGE).unwrap();
            vfs.sync_dir(Path::new("")).unwrap();
            for _ in 0..30 {
                driver.step(&rng).unwrap();
            }
            driver.cut().unwrap();
            let before = driver.current.clone();
            for _ in 0..30 {
                driver.step(&rng).unwrap();
            }
            let scratch = driver.space.handed_out();
            vfs.fail_at(vfs.calls() + call, os_error);
            let first = vfs.calls();
            let Err(error) = driver.cut() else {
                // Beyond the last call of a cut.
                assert!(vfs.calls() - first <= call + 1);
                break;
            };
            if driver.space.is_poisoned() {
                assert!(matches!(error.kind(), ErrorKind::Storage(StorageError::Poisoned)));
                assert!(driver.cut().is_err() && driver.space.allocate().is_err());
                let space = open_in(&vfs.crash_image(vfs.current_point(), CrashMode::Drop, call));
                let old = space.superblock().epoch == driver.epoch;
                check_contents(&space, if old { &before } else { &driver.current });
            } else {
                assert_eq!(driver.space.superblock().epoch, driver.epoch);
                check_contents(&driver.space, &before);
                // Blobs of the failed attempt are given back when a cut succeeds.
                driver.cut().unwrap();
                assert_eq!(driver.space.handed_out(), 0, "{scratch}");
                check_contents(&open_in(&vfs), &driver.current);
            }
            call += 1;
        }
        assert!(call >= 8, "{call}");
    }
}

#[test]
fn a_stale_superblock_copy_is_repaired_before_any_change() {
    for copy in [0u64, 65_536] {
        let vfs = MemoryVfs::new();
        let mut driver = Driver::create(&vfs, PAGE).unwrap();
        driver.add().unwrap();
        driver.cut().unwrap();
        file_in(&vfs).write_at(&[0xee; 512], copy).unwrap();
        let mut driver = Driver::over(open_in(&vfs), driver.current.clone());
        check_contents(&driver.space, &driver.current);
        driver.add().unwrap();
        // Either copy alone now leads to the durable cut.
        for other in [0u64, 65_536] {
            let image = vfs.snapshot();
            file_in(&image).write_at(&[0xee; 512], other).unwrap();
            assert_eq!(open_in(&image).superblock().epoch, Epoch(2));
        }
        driver.cut().unwrap();
        check_contents(&open_in(&vfs), &driver.current);
    }
}
