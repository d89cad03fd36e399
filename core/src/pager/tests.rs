use super::space::{BlobRef, Cut, PageKind, Space};
use super::{Clock, Eviction, MIN_FRAMES, Pager, Random, Restart};
use crate::ids::{Lsn, ObjectId, PageId, Timestamp};
use crate::memory::Budget;
use crate::vfs::{FaultVfs, MemoryVfs, OpenOptions, Vfs};
use std::collections::HashMap;
use std::path::Path;

const BODY: usize = 200;

fn file(vfs: &dyn Vfs) -> std::sync::Arc<dyn crate::vfs::VfsFile> {
    let options = OpenOptions { write: true, create: true, create_new: false, direct: false };
    vfs.open(Path::new("/pool.db"), options).unwrap()
}

fn pager(space: Space, eviction: Box<dyn Eviction>) -> Pager {
    Pager::new(space, MIN_FRAMES, &Budget::new(64 << 20), eviction).unwrap()
}

fn create(vfs: &dyn Vfs, eviction: Box<dyn Eviction>) -> Pager {
    pager(Space::create(Path::new("/pool.db"), file(vfs), 16 << 10, [1; 16]).unwrap(), eviction)
}

fn reopen(vfs: &dyn Vfs) -> Pager {
    pager(Space::open(Path::new("/pool.db"), file(vfs)).unwrap().0, Box::new(Clock::default()))
}

fn allocate(pager: &Pager, value: u64) -> PageId {
    pager
        .retry(|| {
            let mut guard = pager.allocate(PageKind::Data, ObjectId(9), 0)?;
            guard[BODY..BODY + 8].copy_from_slice(&value.to_le_bytes());
            Ok(guard.page_id())
        })
        .unwrap()
}

fn set(pager: &Pager, page: PageId, value: u64) {
    pager
        .retry(|| {
            let mut guard = pager.pin_exclusive(page)?;
            guard[BODY..BODY + 8].copy_from_slice(&value.to_le_bytes());
            Ok(())
        })
        .unwrap();
}

fn get(pager: &Pager, page: PageId) -> u64 {
    pager
        .retry(|| {
            let seen = pager.optimistic(page)?;
            let value = seen.u64(BODY);
            seen.validate()?;
            let guard = pager.pin_shared(page)?;
            assert_eq!(guard.kind(), Some(PageKind::Data));
            Ok(value.max(u64::from_le_bytes(guard[BODY..BODY + 8].try_into().unwrap())))
        })
        .unwrap()
}

fn finish(pager: &Pager, epoch: crate::ids::Epoch) -> crate::error::Result<()> {
    pager.write_cut(epoch)?;
    pager.finish_cut(Cut {
        epoch,
        changes: pager.cut_changes(),
        cut_state: BlobRef::EMPTY,
        domains: BlobRef::EMPTY,
        catalog_root: 0,
        wal_start: Lsn(0),
        wal_salt: 0,
        commit_ts: Timestamp(0),
        clean: false,
    })
}

/// A short sequence of pseudo-random numbers.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn pages_survive_eviction_cuts_and_reopening() {
    let evictions: [Box<dyn Eviction>; 2] = [Box::new(Clock::default()), Box::new(Random::new(5))];
    for eviction in evictions {
        let vfs = MemoryVfs::new();
        let mut model = HashMap::new();
        let mut draws = Draws(77);
        {
            let pager = create(&vfs, eviction);
            let mut open_cut = None;
            for step in 0..20_000_u64 {
                let known = |draws: &mut Draws, model: &HashMap<PageId, u64>| {
                    let at = draws.below(model.len() as u64) as usize;
                    *model.keys().nth(at).unwrap()
                };
                match draws.below(100) {
                    0..20 => drop(model.insert(allocate(&pager, step), step)),
                    20..30 if model.len() > 150 => {
                        let page = known(&mut draws, &model);
                        model.remove(&page);
                        pager
                            .retry(|| {
                                pager.free(pager.pin_exclusive(page)?);
                                Ok(())
                            })
                            .unwrap();
                    }
                    30..60 if !model.is_empty() => {
                        let page = known(&mut draws, &model);
                        set(&pager, page, step);
                        model.insert(page, step);
                    }
                    60..99 if !model.is_empty() => {
                        let page = known(&mut draws, &model);
                        assert_eq!(get(&pager, page), model[&page], "step {step}");
                    }
                    99 if draws.below(3) == 0 => match open_cut.take() {
                        // Everything between the two goes on while the cut is open.
                        None => open_cut = Some((pager.begin_cut(), model.clone())),
                        Some((epoch, _)) if draws.below(4) == 0 => {
                            pager.write_cut(epoch).unwrap();
                            pager.abandon_cut();
                        }
                        Some((epoch, image)) => {
                            finish(&pager, epoch).unwrap();
                            let report = pager.space().verify().unwrap();
                            assert!(report.problems.is_empty(), "{:?}", report.problems);
                            let copy = reopen(&vfs.clone());
                            image.iter().for_each(|(&page, &value)| assert_eq!(get(&copy, page), value));
                        }
                    },
                    _ => {}
                }
            }
            if open_cut.is_some() {
                pager.abandon_cut();
            }
            let epoch = pager.begin_cut();
            finish(&pager, epoch).unwrap();
        }
        let pager = reopen(&vfs);
        model.iter().for_each(|(&page, &value)| assert_eq!(get(&pager, page), value));
    }
}

#[test]
fn threads_see_whole_pages_while_cuts_run() {
    let vfs = MemoryVfs::new();
    let pager = create(&vfs, Box::new(Clock::default()));
    let pages: Vec<PageId> = (0..200).map(|_| allocate(&pager, 0)).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let steps = std::sync::atomic::AtomicU64::new(0);
    // The barrier's stand-in: writers hold it shared around each change.
    let barrier = parking_lot::RwLock::new(());
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (pager, pages, stop, barrier, steps) = (&pager, &pages, &stop, &barrier, &steps);
            scope.spawn(move || {
                let mut draws = Draws(seed * 7919);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let page = pages[draws.below(200) as usize];
                    steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    loop {
                        let attempt = || -> Result<(), Restart> {
                            let _inside = barrier.read();
                            if draws.0.is_multiple_of(3) {
                                let mut guard = pager.pin_exclusive(page)?;
                                let next = u64::from_le_bytes(guard[BODY..BODY + 8].try_into().unwrap()) + 1;
                                for at in (BODY..16_000).step_by(8) {
                                    guard[at..at + 8].copy_from_slice(&next.to_le_bytes());
                                }
                            } else {
                                let seen = pager.optimistic(page)?;
                                let (first, last) = (seen.u64(BODY), seen.u64(15_992));
                                seen.validate()?;
                                assert!(first == last || last == 0, "{first} {last}");
                            }
                            Ok(())
                        };
                        match attempt() {
                            Ok(()) => break,
                            Err(restart) => pager.resolve(restart).unwrap(),
                        }
                    }
                }
            });
        }
        while steps.load(std::sync::atomic::Ordering::Relaxed) < 30_000 {
            let epoch = {
                let _alone = barrier.write();
                pager.begin_cut()
            };
            finish(&pager, epoch).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let report = pager.space().verify().unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn sides_survive_eviction() {
    let vfs = MemoryVfs::new();
    let pager = create(&vfs, Box::new(Clock::default()));
    let page = allocate(&pager, 1);
    pager
        .retry(|| {
            *pager.pin_exclusive(page)?.side_mut() = Some(Box::new(42_u32));
            Ok(())
        })
        .unwrap();
    for value in 0..300 {
        allocate(&pager, value);
    }
    let side = pager.retry(|| {
        assert!(pager.optimistic(page)?.has_side());
        Ok(pager.pin_shared(page)?.side().and_then(|side| side.downcast_ref::<u32>().copied()))
    });
    assert_eq!(side.unwrap(), Some(42));
}

#[test]
fn a_full_disk_loses_nothing() {
    for call in 0..40 {
        let vfs = FaultVfs::new();
        let pager = create(&vfs, Box::new(Clock::default()));
        let pages: Vec<PageId> = (0..100).map(|value| allocate(&pager, value)).collect();
        let epoch = pager.begin_cut();
        vfs.fail_at(vfs.calls() + call, 28);
        let outcome = finish(&pager, epoch);
        if outcome.is_err() && !pager.space().is_poisoned() {
            pager.abandon_cut();
            let epoch = pager.begin_cut();
            finish(&pager, epoch).unwrap();
            assert!(pager.space().verify().unwrap().problems.is_empty());
        }
        for (value, &page) in pages.iter().enumerate() {
            assert_eq!(get(&pager, page), value as u64, "call {call}");
        }
    }
}

#[test]
fn the_pool_gives_memory_to_operators_and_takes_it_back() {
    let vfs = MemoryVfs::new();
    let size = 16 << 10;
    let budget = Budget::new(300 * size);
    let space = Space::create(Path::new("/pool.db"), file(&vfs), 16 << 10, [1; 16]).unwrap();
    let pager = std::sync::Arc::new(Pager::new(space, 300, &budget, Box::new(Clock::default())).unwrap());
    let pool = std::sync::Arc::downgrade(&pager);
    budget.set_reclaimer(move |bytes| {
        if let Some(pool) = pool.upgrade() {
            pool.shrink(bytes);
        }
    });
    let pages: Vec<PageId> = (0..500).map(|value| allocate(&pager, value)).collect();
    assert!(budget.used() > 250 * size);
    for _ in 0..3 {
        let grant = budget.reserve(200 * size).unwrap();
        for (value, &page) in pages.iter().enumerate() {
            assert_eq!(get(&pager, page), value as u64);
        }
        assert!(budget.reserve(200 * size).is_err());
        drop(grant);
        for (value, &page) in pages.iter().enumerate() {
            assert_eq!(get(&pager, page), value as u64);
        }
        assert!(budget.used() > 250 * size);
    }
}
