//! Power loss, failing disks and kills, against a model of the commits that were acknowledged.
//!
//! ```text
//! workload.rs   a seeded run of several sessions on a disk that records every operation      -> History
//! oracle.rs     a disk found after a crash at a point of it: is it one of the states it may be?
//! power.rs      every point x what the disk kept of the unsynced x seeds, and crashes of the recoveries
//! faults.rs     every call of a run failing once
//! planted.rs    lies of the disk and of the log that must be noticed
//! ```
//! `RUSTDB_CRASH_FULL=1` makes every test exhaustive; otherwise a seeded sample is taken.

mod driver;
mod model;
mod oracle;
mod power;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether everything is to be tried.
fn is_full() -> bool {
    std::env::var_os("RUSTDB_CRASH_FULL").is_some()
}

/// Runs `check` for every case on all cores and returns what went wrong, a line for each of the first failures.
fn failures<C: Sync>(
    cases: &[C],
    check: impl Fn(&C) -> Result<(), String> + Sync,
    describe: impl Fn(&C) -> String + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let checked = catch_unwind(AssertUnwindSafe(|| check(case)));
                    let problem = match checked {
                        Ok(Ok(())) => continue,
                        Ok(Err(problem)) => problem,
                        Err(panic) => {
                            let message = panic.downcast_ref::<String>().map(String::as_str);
                            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                            format!("panic: {}", message.unwrap_or("?"))
                        }
                    };
                    let mut failed = failed.lock().unwrap();
                    failed.push(format!("{}: {problem}", describe(case)));
                    if failed.len() >= 20 {
                        return;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}
