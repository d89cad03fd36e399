mod crash;
mod damage;

use super::{Wal, WalOptions, WalReader, record_bytes};
use crate::error::{ErrorKind, Result, StorageError};
use crate::ids::Lsn;
use crate::vfs::{FaultVfs, MemoryVfs, Rng, SeededRng, Vfs};
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "db-wal";
const SMALL: WalOptions = WalOptions { segment_bytes: 32 * 1024, ring_bytes: 16 * 1024, pad: false };
const PADDED: WalOptions = WalOptions { pad: true, segment_bytes: 64 * 1024, ..SMALL };

fn create(vfs: &(impl Vfs + Clone + 'static), salt: u64, start: Lsn, options: WalOptions) -> Wal {
    Wal::create(Arc::new(vfs.clone()), Path::new(FOLDER), salt, start, options).unwrap()
}

/// A record that a reader can tell from any other: its number and bytes that depend on it.
fn record(number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.max(8)];
    SeededRng::new(number).fill(&mut bytes);
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

type Records = Vec<(Lsn, Lsn, Vec<u8>)>;

/// All records from `from`, and the error that ended them, if any.
fn read_until_error(vfs: &(impl Vfs + Clone + 'static), from: Lsn) -> (Records, Result<()>) {
    let mut records = Vec::new();
    let mut read = || {
        let mut reader = WalReader::open(Arc::new(vfs.clone()), Path::new(FOLDER), from, None)?;
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        assert!(reader.next()?.is_none(), "the end is final");
        Ok(())
    };
    let end = read();
    (records, end)
}

fn read(vfs: &(impl Vfs + Clone + 'static), from: Lsn) -> Records {
    let (records, end) = read_until_error(vfs, from);
    end.unwrap();
    records
}

fn payloads(records: Records) -> Vec<Vec<u8>> {
    records.into_iter().map(|(_, _, payload)| payload).collect()
}

fn storage_error<T>(result: Result<T>) -> StorageError {
    match result.err().map(|e| e.kind().to_string()) {
        None => panic!("should have failed"),
        Some(text) if text == StorageError::Poisoned.to_string() => StorageError::Poisoned,
        Some(text) if text == StorageError::OutcomeUnknown.to_string() => StorageError::OutcomeUnknown,
        Some(text) if text.ends_with("no space left on device") => {
            StorageError::DiskFull { path: String::new() }
        }
        Some(text) => panic!("unexpected: {text}"),
    }
}

fn segment_count(vfs: &impl Vfs) -> usize {
    vfs.list(Path::new(FOLDER)).unwrap().len()
}

#[test]
fn records_come_back_from_every_boundary() {
    for options in [SMALL, PADDED, WalOptions::default()] {
        let vfs = MemoryVfs::new();
        let wal = create(&vfs, 1, Lsn(77), options);
        let rng = SeededRng::new(5);
        let mut expected = Vec::new();
        for number in 0..300 {
            let length = if number % 50 == 0 { 40_000 } else { rng.below(700) as usize };
            let payload = record(number, length);
            let start = wal.end();
            let (head, tail) = payload.split_at(payload.len() / 3);
            let end = wal.append(&[head, &[], tail]).unwrap();
            assert_eq!(end.0 - start.0, record_bytes(payload.len()) as u64);
            expected.push((start, end, payload));
            if rng.below(3) == 0 {
                wal.flush(end).unwrap();
                assert_eq!(wal.durable(), end);
            }
        }
        wal.append(&[]).unwrap();
        expected.push((expected[299].1, wal.end(), Vec::new()));
        wal.flush(wal.end()).unwrap();
        assert_eq!(read(&vfs, Lsn(77)), expected);
        for (at, (start, _, _)) in expected.iter().enumerate().step_by(if options.pad { 1 } else { 7 }) {
            assert_eq!(read(&vfs, *start), expected[at..], "from {start}");
        }
        assert!(read(&vfs, wal.end()).is_empty());
    }
}

#[test]
fn what_was_not_flushed_is_not_there() {
    let vfs = MemoryVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    assert!(read(&vfs, Lsn(0)).is_empty());
    let first = wal.append(&[b"one"]).unwrap();
    assert_eq!(wal.durable(), Lsn(0));
    assert!(read(&vfs, Lsn(0)).is_empty());
    wal.flush(first).unwrap();
    wal.append(&[b"two"]).unwrap();
    assert_eq!(payloads(read(&vfs, Lsn(0))), [b"one"]);
    wal.flush(Lsn(u64::MAX)).unwrap();
    assert_eq!(wal.durable(), wal.end());
    assert_eq!(payloads(read(&vfs, Lsn(0))), [b"one", b"two"]);
}

#[test]
fn records_larger_than_ring_and_segment() {
    for options in [SMALL, PADDED] {
        let vfs = MemoryVfs::new();
        let wal = create(&vfs, 1, Lsn(0), options);
        let sizes = [100, 5_000_000, 70_000, 3, 200_000];
        let expected: Vec<_> = sizes.iter().enumerate().map(|(n, &size)| record(n as u64, size)).collect();
        for payload in &expected {
            wal.append(&[payload]).unwrap();
        }
        wal.flush(wal.end()).unwrap();
        assert_eq!(payloads(read(&vfs, Lsn(0))), expected);
    }
}

#[test]
fn concurrent_appenders_and_flushers() {
    const THREADS: u64 = 8;
    const EACH: u64 = 400;
    for options in [SMALL, PADDED, WalOptions::default()] {
        let vfs = MemoryVfs::new();
        let wal = create(&vfs, 1, Lsn(0), options);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let wal = &wal;
                scope.spawn(move || {
                    let rng = SeededRng::new(thread);
                    for n in 0..EACH {
                        let payload = record(thread * EACH + n, rng.below(300) as usize);
                        let end = match rng.below(2) {
                            0 => wal.append(&[&payload]).unwrap(),
                            _ => wal.reserve(payload.len()).unwrap().append(&[&payload]).unwrap(),
                        };
                        if rng.below(4) == 0 {
                            wal.flush(end).unwrap();
                            assert!(wal.durable() >= end);
                        }
                    }
                });
            }
        });
        wal.flush(wal.end()).unwrap();
        let mut next = [0; THREADS as usize];
        for payload in payloads(read(&vfs, Lsn(0))) {
            let number = u64::from_le_bytes(payload[..8].try_into().unwrap());
            assert_eq!(payload, record(number, payload.len()));
            let thread = (number / EACH) as usize;
            assert_eq!(number % EACH, next[thread], "a thread's records keep their order");
            next[thread] += 1;
        }
        assert_eq!(next, [EACH; THREADS as usize]);
    }
}

#[test]
fn a_reservation_holds_and_returns_room() {
    let vfs = MemoryVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    let first = wal.reserve(SMALL.ring_bytes / 2).unwrap();
    std::thread::scope(|scope| {
        // Does not fit beside the first; goes on once that is used and helps to flush it.
        let second = scope.spawn(|| wal.reserve(SMALL.ring_bytes * 2 / 3).unwrap().append(&[b"second"]));
        first.append(&[b"first"]).unwrap();
        first.append(&[b"more than one record may use it"]).unwrap();
        drop(first);
        second.join().unwrap().unwrap();
    });
    let unused = wal.reserve(SMALL.ring_bytes * 10).unwrap();
    drop(unused);
    let exceeded = wal.reserve(1).unwrap();
    for n in 0..200 {
        exceeded.append(&[&record(n, 1000)]).unwrap();
    }
    drop(exceeded);
    wal.flush(wal.end()).unwrap();
    let found = payloads(read(&vfs, Lsn(0)));
    assert_eq!(found[..3], [&b"first"[..], b"more than one record may use it", b"second"]);
    assert_eq!(found.len(), 203);
}

#[test]
fn recycling_bounds_the_folder_and_keeps_what_is_needed() {
    for options in [SMALL, PADDED] {
        let vfs = MemoryVfs::new();
        let wal = create(&vfs, 1, Lsn(0), options);
        let mut most = 0;
        let mut kept = Lsn(0);
        for round in 0..60 {
            let expected: Vec<_> = (0..100).map(|n| record(round * 100 + n, 1000)).collect();
            for payload in &expected {
                wal.flush(wal.append(&[payload]).unwrap()).unwrap();
            }
            assert_eq!(payloads(read(&vfs, kept)), expected, "round {round}");
            kept = wal.end();
            wal.recycle(kept).unwrap();
            assert!(read(&vfs, kept).is_empty());
            if round > 3 {
                most = most.max(segment_count(&vfs));
            }
        }
        let per_round = 1 + 100 * (if options.pad { 4096 } else { 1100 }) / options.segment_bytes as usize;
        assert!(most <= 2 * per_round + 4, "{most} segments for {per_round} a round");
        let (none, error) = read_until_error(&vfs, Lsn(5));
        assert!(none.is_empty());
        assert!(matches!(error.unwrap_err().kind(), ErrorKind::Storage(StorageError::CorruptLog { .. })));
        // After a burst the folder shrinks again.
        wal.append(&[&vec![1; 3_000_000]]).unwrap();
        for _ in 0..3 {
            wal.flush(wal.end()).unwrap();
            wal.recycle(wal.end()).unwrap();
            wal.append(&[&[1; 60_000]]).unwrap();
        }
        assert!(segment_count(&vfs) < 12, "{} segments", segment_count(&vfs));
    }
}

#[test]
fn a_new_opening_starts_a_chain_of_its_own() {
    let vfs = MemoryVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    for n in 0..100 {
        wal.append(&[&record(n, 600)]).unwrap();
    }
    wal.flush(wal.end()).unwrap();
    let middle = wal.end();
    drop(wal);
    let wal = create(&vfs, 2, middle, SMALL);
    assert_eq!(read(&vfs, Lsn(0)).len(), 100, "until the cut, the old chain counts");
    let reader = WalReader::open(Arc::new(vfs.clone()), Path::new(FOLDER), middle, None).unwrap();
    assert_eq!(reader.salt(), 2);
    for n in 100..200 {
        wal.append(&[&record(n, 600)]).unwrap();
    }
    wal.flush(wal.end()).unwrap();
    assert_eq!(read(&vfs, Lsn(0)).len(), 100);
    assert_eq!(read(&vfs, middle).len(), 100);
    let before = segment_count(&vfs);
    wal.recycle(middle).unwrap();
    assert!(segment_count(&vfs) <= before);
    assert_eq!(read(&vfs, middle).len(), 100);
    for n in 200..400 {
        wal.append(&[&record(n, 600)]).unwrap();
    }
    wal.flush(wal.end()).unwrap();
    assert_eq!(read(&vfs, middle).len(), 300);
    wal.close_empty().unwrap();
    assert!(!vfs.exists(Path::new(FOLDER)).unwrap());
}

#[test]
fn a_full_disk_refuses_work_but_loses_none() {
    let vfs = FaultVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    let mut written = 0;
    let mut refused = 0;
    vfs.limit_space(5 * SMALL.segment_bytes + 100);
    while refused < 20 {
        match wal.append(&[&record(written, 500)]) {
            Ok(_) => written += 1,
            Err(e) => {
                assert_eq!(e.sqlstate().0, "53100");
                refused += 1;
            }
        }
        assert!(!wal.poisoned());
    }
    assert!(written > 5 * 28 * 1024 / 600, "{written} records fitted");
    wal.flush(wal.end()).unwrap();
    assert_eq!(read(&vfs, Lsn(0)).len() as u64, written);
    wal.recycle(wal.end()).unwrap();
    let start = wal.end();
    for n in 0..40 {
        wal.append(&[&record(n, 500)]).unwrap();
    }
    wal.flush(wal.end()).unwrap();
    assert_eq!(read(&vfs, start).len(), 40);
}

#[test]
fn a_failed_write_poisons_the_log() {
    let vfs = FaultVfs::new();
    let wal = create(&vfs, 1, Lsn(0), SMALL);
    let first = wal.append(&[b"durable"]).unwrap();
    wal.flush(first).unwrap();
    vfs.fail_at(vfs.calls(), 5);
    let second = wal.append(&[&record(1, 9000)]).unwrap();
    let error = wal.flush(second);
    assert!(error.as_ref().unwrap_err().detail().unwrap().contains("could not write file"));
    assert!(matches!(storage_error(error), StorageError::OutcomeUnknown));
    assert!(wal.poisoned());
    assert_eq!(wal.durable(), first);
    wal.flush(first).unwrap();
    let before = vfs.calls();
    assert!(matches!(storage_error(wal.flush(second)), StorageError::OutcomeUnknown));
    assert!(matches!(storage_error(wal.append(&[b"x"])), StorageError::Poisoned));
    assert!(matches!(storage_error(wal.reserve(1)), StorageError::Poisoned));
    assert!(matches!(storage_error(wal.recycle(first)), StorageError::Poisoned));
    assert_eq!(vfs.calls(), before, "nothing touches the disk any more");
    assert_eq!(payloads(read(&vfs, Lsn(0))), [b"durable"]);
}

#[test]
fn poison_reaches_everyone_who_waits() {
    for fail_after in [0, 1, 5, 20, 100] {
        let vfs = FaultVfs::new();
        let wal = create(&vfs, 1, Lsn(0), SMALL);
        vfs.fail_at(vfs.calls() + fail_after, 5);
        let acknowledged: Vec<Lsn> = std::thread::scope(|scope| {
            let commit = |thread: u64| {
                let mut last = Lsn(0);
                for n in 0.. {
                    let Ok(end) = wal.append(&[&record(thread * 1000 + n, 300)]) else { break };
                    match wal.flush(end) {
                        Ok(()) => last = end,
                        unknown => {
                            assert!(matches!(storage_error(unknown), StorageError::OutcomeUnknown));
                            break;
                        }
                    }
                }
                last
            };
            let threads: Vec<_> = (0..6).map(|thread| scope.spawn(move || commit(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let last = read(&vfs, Lsn(0)).last().map_or(Lsn(0), |(_, end, _)| *end);
        assert!(acknowledged.into_iter().all(|end| end <= last));
    }
}
