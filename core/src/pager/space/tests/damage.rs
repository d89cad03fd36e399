use super::*;
use crate::codec::checksum::crc32c;
use crate::error::{Error, ErrorKind, StorageError};
use crate::pager::space::header;

/// A small file with every structure in it, and its bytes.
fn sample() -> (Vec<u8>, BTreeMap<PageId, u64>) {
    let vfs = MemoryVfs::new();
    let mut driver = Driver::create(&vfs, PAGE).unwrap();
    let ids: Vec<PageId> = (0..12).map(|_| driver.add().unwrap()).collect();
    driver.cut().unwrap();
    ids[..5].iter().for_each(|pid| driver.remove(*pid));
    ids[5..8].iter().for_each(|pid| driver.write(*pid).unwrap());
    let mut cut = driver.prepare_cut().unwrap();
    cut.clean = true;
    driver.space.commit_cut(cut).unwrap();
    let file = file_in(&vfs);
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    (bytes, driver.current)
}

fn vfs_with(bytes: &[u8]) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    file_in(&vfs).write_at(bytes, 0).unwrap();
    vfs
}

/// Uses a possibly damaged file in every way; true if anything was noticed.
fn exercise(bytes: &[u8]) -> bool {
    let Ok((space, superblock)) = Space::open(path(), file_in(&vfs_with(bytes))) else { return true };
    let mut noticed = false;
    let mut page = vec![0; space.page_size()];
    for pid in 0..20 {
        match space.lookup(PageId(pid)) {
            Ok(Some(at)) => noticed |= space.read_page(at.page, PageId(pid), at.crc, &mut page).is_err(),
            Ok(None) => {}
            Err(_) => noticed = true,
        }
    }
    noticed |= space.read_blob(superblock.cut_state).is_err() || space.read_blob(superblock.domains).is_err();
    noticed |= !space.verify().is_ok_and(|report| report.is_clean());
    let mut driver = Driver::over(space, BTreeMap::new());
    let _ = (0..10).try_for_each(|_| driver.add().map(drop)).and_then(|()| driver.cut());
    noticed
}

#[test]
fn flipped_bytes_are_errors_not_panics() {
    let (bytes, current) = sample();
    check_contents(&open_in(&vfs_with(&bytes)), &current);
    assert!(!exercise(&bytes));
    // Densely where structure is, sampled elsewhere.
    let positions = (0..bytes.len()).filter(|at| at % 16_384 < 160 || at % 211 == 0);
    for at in positions {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        exercise(&damaged);
    }
}

#[test]
fn damage_of_anything_in_use_is_noticed() {
    let (bytes, _) = sample();
    let space = open_in(&vfs_with(&bytes));
    let places = space.places.lock();
    for place in places.durable().iter().filter(|place| ![0, 4].contains(place)) {
        for offset in [0, 4, 8, 40, 95, 96, 5000, 16_383] {
            let mut damaged = bytes.clone();
            damaged[place as usize * 16_384 + offset] ^= 0x10;
            assert!(exercise(&damaged), "byte {offset} of page {place}");
        }
    }
}

#[test]
fn cut_off_files_are_errors() {
    let (bytes, _) = sample();
    let rng = SeededRng::new(1);
    let random = (0..100).map(|_| rng.below(bytes.len() as u64) as usize);
    for len in [0, 1, 511, 4095, 4096, 65_536, 65_537, 69_632, 81_920].into_iter().chain(random) {
        assert!(Space::open(path(), file_in(&vfs_with(&bytes[..len]))).is_err(), "{len}");
    }
}

/// Changes the superblock as its owner could, with a good checksum.
fn with_superblock(bytes: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for copy in [0, 65_536] {
        let image = &mut bytes[copy..copy + 4096];
        change(image);
        let crc = crc32c(&image[..4092]);
        image[4092..].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

#[test]
fn hostile_superblocks_do_no_harm() {
    let (bytes, _) = sample();
    for at in (0..288).step_by(4) {
        for value in [0, 1, 2, 5, 0x7fff_ffff, 0xffff_ffffu32] {
            exercise(&with_superblock(&bytes, |image| {
                image[at..at + 4].copy_from_slice(&value.to_le_bytes())
            }));
        }
    }
}

/// Pages with good checksums whose contents make no sense. Parents are patched up to the superblock.
#[test]
fn hostile_map_entries_do_no_harm() {
    let (bytes, _) = sample();
    let superblock = open_in(&vfs_with(&bytes)).superblock();
    let rng = SeededRng::new(2);
    for root_at in [96usize, 112] {
        let root = if root_at == 96 { superblock.page_map } else { superblock.free_map };
        let node = root.entry.place().0 as usize * 16_384;
        for _ in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..=rng.below(3) {
                let entry = node + 96 + rng.below(16) as usize * 16;
                let value = match rng.below(3) {
                    0 => rng.next_u64(),
                    1 => rng.below(40) | (1 + rng.below(3)) << 48,
                    _ => rng.below(1 << 48) | (1 + rng.below(3)) << 48,
                };
                damaged[entry..entry + 8].copy_from_slice(&value.to_le_bytes());
            }
            let crc = header::seal(&mut damaged[node..node + 16_384]);
            let damaged = with_superblock(&damaged, |image| {
                image[root_at + 8..root_at + 12].copy_from_slice(&crc.to_le_bytes())
            });
            exercise(&damaged);
        }
    }
}

fn open_error(bytes: &[u8]) -> Error {
    Space::open(path(), file_in(&vfs_with(bytes))).map(drop).unwrap_err()
}

#[test]
fn errors_say_what_is_wrong() {
    let (bytes, _) = sample();
    let check = |bytes: &[u8], expect: fn(&StorageError) -> bool| {
        let error = open_error(bytes);
        assert!(matches!(error.kind(), ErrorKind::Storage(e) if expect(e)), "{error}");
    };
    check(b"", |e| matches!(e, StorageError::NotADatabase { .. }));
    check(&[b'x'; 100_000], |e| matches!(e, StorageError::NotADatabase { .. }));
    check(b"SQLite format 3\0", |e| matches!(e, StorageError::NotADatabase { .. }));
    check(&bytes[..bytes.len() - 1], |e| matches!(e, StorageError::Corrupt { .. }));
    let mut both = bytes.clone();
    both[100] ^= 1;
    both[65_536 + 100] ^= 1;
    check(&both, |e| matches!(e, StorageError::Corrupt { .. }));
    let newer = with_superblock(&bytes, |image| image[8] = 2);
    check(&newer, |e| matches!(e, StorageError::WrongVersion { found: 2, supported: 1 }));
    for word in [24, 32] {
        let features = with_superblock(&bytes, |image| image[word] = 4);
        check(&features, |e| matches!(e, StorageError::UnsupportedFeatures { bits: 4 }));
    }
    let compatible = with_superblock(&bytes, |image| image[16] = 4);
    assert!(Space::open(path(), file_in(&vfs_with(&compatible))).is_ok());
}

#[test]
fn fields_of_later_builds_survive_a_cut() {
    let (bytes, current) = sample();
    let later = with_superblock(&bytes, |image| (image[16], image[3000]) = (4, 77));
    let vfs = vfs_with(&later);
    Driver::over(open_in(&vfs), current).cut().unwrap();
    let mut image = [0; 4096];
    for copy in [0, 65_536] {
        file_in(&vfs).read_at(&mut image, copy).unwrap();
        assert_eq!((image[16], image[3000]), (4, 77));
    }
}

#[test]
fn one_damaged_superblock_copy_is_survived() {
    let (bytes, current) = sample();
    for copy in [0, 65_536] {
        for at in (0..280).chain(4092..4096) {
            let mut damaged = bytes.clone();
            damaged[copy + at] ^= 0x40;
            let space = open_in(&vfs_with(&damaged));
            assert_eq!(space.superblock().epoch, Epoch(3), "byte {at}");
        }
    }
    check_contents(&open_in(&vfs_with(&bytes)), &current);
}
