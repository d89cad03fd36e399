//! What every back end promises, checked against each of them.

use super::{AlignedBuf, FaultVfs, MemoryVfs, OpenOptions, OsVfs, Vfs};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const READ: OpenOptions = OpenOptions { write: false, create: false, create_new: false, direct: false };
const CREATE: OpenOptions = OpenOptions { write: true, create: true, ..READ };

/// A folder on the real disk, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    #[expect(clippy::disallowed_methods, reason = "test set-up outside of what is tested")]
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rustdb-vfs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn on_each_back_end(name: &str, check: impl Fn(&dyn Vfs, &Path)) {
    let scratch = Scratch::new(name);
    check(&OsVfs, &scratch.0);
    for vfs in [&MemoryVfs::new() as &dyn Vfs, &FaultVfs::new()] {
        vfs.create_dir(Path::new("/top")).unwrap();
        check(vfs, Path::new("/top"));
    }
}

#[test]
fn files_read_what_was_written() {
    on_each_back_end("content", |vfs, top| {
        let path = top.join("f");
        let file = vfs.open(&path, CREATE).unwrap();
        let other = vfs.open(&path, READ).unwrap();
        file.write_at(b"world", 6).unwrap();
        file.write_batch(&[(0, b"hello"), (5, b" ")]).unwrap();
        let mut found = [0; 11];
        other.read_at(&mut found, 0).unwrap();
        assert_eq!(&found, b"hello world");
        assert_eq!(other.read_at(&mut found, 1).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(other.write_at(b"x", 0).is_err(), "opened for reading");
        file.set_size(5).unwrap();
        file.allocate(20_000).unwrap();
        file.allocate(100).unwrap();
        assert_eq!(other.size().unwrap(), 20_000);
        other.read_at(&mut found, 0).unwrap();
        assert_eq!(&found, b"hello\0\0\0\0\0\0");
        file.sync().unwrap();
        assert_eq!(file.identity().unwrap(), other.identity().unwrap());
        assert_ne!(file.identity().unwrap(), vfs.open(&top.join("g"), CREATE).unwrap().identity().unwrap());
    });
}

#[test]
fn names_follow_the_rules() {
    on_each_back_end("names", |vfs, top| {
        let (a, b, folder) = (top.join("a"), top.join("b"), top.join("d"));
        let kind = |path: &Path, options| vfs.open(path, options).map(drop).unwrap_err().kind();
        assert_eq!(kind(&a, READ), ErrorKind::NotFound);
        assert_eq!(kind(&folder.join("a"), CREATE), ErrorKind::NotFound);
        vfs.open(&a, OpenOptions { create_new: true, ..CREATE }).unwrap().write_at(b"a", 0).unwrap();
        assert_eq!(kind(&a, OpenOptions { create_new: true, ..CREATE }), ErrorKind::AlreadyExists);
        vfs.create_dir(&folder).unwrap();
        vfs.create_dir(&folder).unwrap();
        vfs.open(&b, CREATE).unwrap();
        vfs.rename(&a, &b).unwrap();
        assert!(!vfs.exists(&a).unwrap());
        assert_eq!(vfs.open(&b, READ).unwrap().size().unwrap(), 1);
        assert_eq!(vfs.rename(&a, &b).unwrap_err().kind(), ErrorKind::NotFound);
        vfs.rename(&b, &folder.join("c")).unwrap();
        vfs.sync_dir(&folder).unwrap();
        assert_eq!(vfs.list(&folder).unwrap(), ["c"]);
        assert_eq!(vfs.list(top).unwrap(), ["d"]);
        assert_eq!(vfs.list(&b).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(vfs.remove_dir(&folder).is_err(), "not empty");
        vfs.remove(&folder.join("c")).unwrap();
        vfs.remove_dir(&folder).unwrap();
        assert_eq!(vfs.remove(&b).unwrap_err().kind(), ErrorKind::NotFound);
        vfs.sync_dir(top).unwrap();
        assert!(vfs.list(top).unwrap().is_empty());
    });
}

#[test]
fn direct_writes_are_seen_by_other_handles() {
    on_each_back_end("direct", |vfs, top| {
        let path = top.join("f");
        let direct = vfs.open(&path, OpenOptions { direct: true, ..CREATE }).unwrap();
        let mut block = AlignedBuf::zeroed(8192);
        block.fill(3);
        direct.write_at(&block, 4096).unwrap();
        block.fill(5);
        direct.write_at(&block[..4096], 8192).unwrap();
        let mut found = vec![1; 12288];
        vfs.open(&path, READ).unwrap().read_at(&mut found, 0).unwrap();
        assert_eq!([found[0], found[4096], found[8192]], [0, 3, 5]);
    });
}

#[test]
fn a_process_shares_its_lock_and_keeps_others_out() {
    use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
    let scratch = Scratch::new("lock");
    let path = scratch.0.join("f");
    let first = OsVfs.open(&path, CREATE).unwrap();
    let second = OsVfs.open(&path, CREATE).unwrap();
    // A description that bypasses the share stands for another process.
    let stranger = open(&path, OFlags::RDWR, Mode::empty()).unwrap();
    let is_free = || {
        let free = flock(&stranger, FlockOperation::NonBlockingLockExclusive).is_ok();
        flock(&stranger, FlockOperation::Unlock).unwrap();
        free
    };
    assert!(first.try_lock().unwrap());
    assert!(first.try_lock().unwrap());
    assert!(second.try_lock().unwrap());
    drop(OsVfs.open(&path, READ).unwrap());
    assert!(!is_free());
    drop(first);
    assert!(!is_free());
    drop(second);
    assert!(is_free());
    flock(&stranger, FlockOperation::NonBlockingLockExclusive).unwrap();
    let third = OsVfs.open(&path, CREATE).unwrap();
    assert!(!third.try_lock().unwrap());
    flock(&stranger, FlockOperation::Unlock).unwrap();
    assert!(third.try_lock().unwrap());
}
