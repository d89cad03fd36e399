//! Power failures at every point of a run, against an oracle: what was flushed is read back, what is read
//! back is a prefix of what was appended, and the log can go on from there.

use super::{PADDED, SMALL, create, payloads, read, read_until_error, record};
use crate::ids::Lsn;
use crate::vfs::{CrashMode, FaultVfs, MemoryVfs, PlantedBug, SeededRng};
use crate::wal::{Wal, WalOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

/// What a run promised, and from which point on.
#[derive(Default)]
struct Promises {
    /// Everything appended, by the position of its end.
    appended: Vec<(Lsn, Vec<u8>)>,
    /// From this point on everything before the position is durable.
    durable: Vec<(u64, Lsn)>,
    /// From this point on a reader starts at the position.
    starts: Vec<(u64, Lsn)>,
}

impl Promises {
    fn at(list: &[(u64, Lsn)], point: u64) -> Option<Lsn> {
        list.iter().filter(|(from, _)| *from <= point).map(|(_, lsn)| *lsn).max()
    }

    /// Checks one disk found after a crash at `point`; an `Err` tells what was broken.
    fn check(&self, image: &MemoryVfs, point: u64) -> Result<(), String> {
        let Some(start) = Self::at(&self.starts, point) else {
            return Ok(());
        };
        let (found, end) = read_until_error(image, start);
        end.map_err(|e| format!("reading from {start}: {e}"))?;
        let expected = self.appended.iter().filter(|(end, _)| *end > start);
        for ((_, end, payload), (lsn, bytes)) in found.iter().zip(expected) {
            if end != lsn || payload != bytes {
                return Err(format!("the record that ends at {lsn} is not what was appended"));
            }
        }
        let last = found.last().map_or(start, |(_, end, _)| *end);
        let durable = Self::at(&self.durable, point).unwrap_or(start);
        if last < durable {
            return Err(format!("found up to {last}, durable was {durable}"));
        }
        // What recovery does then: a new chain from there on.
        let next = create(image, point + 1000, last, SMALL);
        next.append(&[b"goes on"]).and_then(|end| next.flush(end)).map_err(|e| e.to_string())?;
        if payloads(read(image, last)) != [b"goes on"] {
            return Err("the new chain is not found".into());
        }
        let again = read_until_error(image, start).0.len();
        if again < found.len() {
            return Err(format!("the old chain lost {} records", found.len() - again));
        }
        Ok(())
    }

    /// Checks every point in every mode; returns how many disks broke a promise, and the first complaint.
    fn check_all(&self, vfs: &FaultVfs, seeds: u64) -> (u64, Option<String>) {
        let mut broken = 0;
        let mut first = None;
        for point in 0..=vfs.current_point() {
            for mode in CrashMode::ALL {
                let seeds = if matches!(mode, CrashMode::Keep | CrashMode::Drop) { 1 } else { seeds };
                for seed in 0..seeds {
                    if let Err(what) = self.check(&vfs.crash_image(point, mode, seed), point) {
                        broken += 1;
                        let told = format!("{mode:?}, seed {seed}, at {}: {what}", vfs.describe(point));
                        first.get_or_insert(told);
                    }
                }
            }
        }
        (broken, first)
    }
}

/// A run with flushes, recycling and a second opening.
fn run(vfs: &FaultVfs, options: WalOptions, seed: u64) -> Promises {
    let rng = SeededRng::new(seed);
    let mut promises = Promises::default();
    let mut end = Lsn(0);
    for opening in 0..2 {
        let wal = create(vfs, 100 + opening, end, options);
        promises.starts.push((vfs.current_point(), end));
        for n in 0..120 {
            let length = if n % 40 == 39 { 50_000 } else { rng.below(900) as usize };
            let payload = record(seed * 10_000 + opening * 1000 + n, length);
            end = wal.append(&[&payload]).unwrap();
            promises.appended.push((end, payload));
            if rng.below(2) == 0 {
                wal.flush(end).unwrap();
                promises.durable.push((vfs.current_point(), end));
            }
            if n % 30 == 29 {
                wal.flush(end).unwrap();
                promises.durable.push((vfs.current_point(), end));
                promises.starts.push((vfs.current_point(), end));
                wal.recycle(end).unwrap();
            }
        }
        wal.flush(end).unwrap();
        promises.durable.push((vfs.current_point(), end));
    }
    promises
}

#[test]
fn every_flushed_record_survives_a_crash_anywhere() {
    for (options, seed) in [(SMALL, 1), (PADDED, 2), (SMALL, 3)] {
        let vfs = FaultVfs::new();
        let promises = run(&vfs, options, seed);
        assert!(vfs.current_point() > 200);
        let (broken, first) = promises.check_all(&vfs, 3);
        assert_eq!(broken, 0, "{}", first.unwrap_or_default());
    }
}

#[test]
fn concurrent_commits_survive_a_crash_anywhere() {
    let vfs = FaultVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    let promises = Mutex::new(Promises::default());
    promises.lock().unwrap().starts.push((vfs.current_point(), Lsn(0)));
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (vfs, wal, promises) = (&vfs, &wal, &promises);
            scope.spawn(move || {
                for n in 0..60 {
                    let payload = record(thread * 100 + n, 40 * (n as usize + 1) % 700);
                    let end = {
                        // Like a commit mutex: the order of positions is the order of the list.
                        let reservation = wal.reserve(payload.len()).unwrap();
                        let mut promises = promises.lock().unwrap();
                        let end = reservation.append(&[&payload]).unwrap();
                        promises.appended.push((end, payload));
                        end
                    };
                    wal.flush(end).unwrap();
                    let point = vfs.current_point();
                    promises.lock().unwrap().durable.push((point, end));
                }
            });
        }
    });
    let (broken, first) = promises.into_inner().unwrap().check_all(&vfs, 2);
    assert_eq!(broken, 0, "{}", first.unwrap_or_default());
}

#[test]
fn a_lying_disk_is_noticed() {
    for bug in [PlantedBug::IgnoreDirect, PlantedBug::IgnoreSyncDir] {
        let vfs = FaultVfs::new();
        vfs.plant(bug);
        let promises = run(&vfs, SMALL, 1);
        let (broken, _) = promises.check_all(&vfs, 1);
        assert!(broken > 50, "{bug:?} broke {broken} disks");
    }
}

#[test]
fn errors_anywhere_lose_nothing_that_was_acknowledged() {
    let calls = {
        let vfs = FaultVfs::new();
        run(&vfs, SMALL, 4);
        vfs.calls()
    };
    for call in 0..calls {
        for error in [5, 28] {
            let vfs = FaultVfs::new();
            vfs.fail_at(call, error);
            let mut appended = Vec::new();
            let mut start = Lsn(0);
            let mut durable = Lsn(0);
            let wal = Wal::create(Arc::new(vfs.clone()), Path::new("db-wal"), 7, Lsn(0), SMALL);
            let Ok(wal) = wal else { continue };
            for n in 0..60 {
                let payload = record(n, 900);
                // A full disk refuses one record and takes the next.
                let Ok(end) = wal.append(&[&payload]) else { continue };
                appended.push((end, payload));
                if wal.flush(end).is_ok() {
                    durable = end;
                    if n % 20 == 19 && wal.recycle(end).is_ok() {
                        start = end;
                    }
                }
            }
            let promises = Promises { appended, durable: vec![(0, durable)], starts: vec![(0, start)] };
            let point = vfs.current_point();
            for mode in CrashMode::ALL {
                let image = vfs.crash_image(point, mode, 1);
                let found = promises.check(&image, point);
                assert_eq!(found, Ok(()), "call {call} failed with {error}, then {mode:?}");
            }
        }
    }
}
