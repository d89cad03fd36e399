//! Power loss, failing disks and kills, against a model of the commits that were acknowledged.
//!
//! ```text
//! workload/     a seeded run of several sessions on a disk that records every operation      -> History
//! oracle.rs     a disk found after a crash at a point of it: is it one of the states it may be?
//! power.rs      every point x what the disk kept of the unsynced x seeds, and crashes of the recoveries
//! faults.rs     every call of a run failing once
//! planted.rs    lies of the disk and of the log that must be noticed
//! ```
//! `RUSTDB_CRASH_FULL=1` makes every test exhaustive; otherwise a seeded sample is taken.

mod driver;
mod faults;
mod model;
mod oracle;
mod planted;
mod power;
mod workload;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether everything is to be tried.
fn is_full() -> bool {
    std::env::var_os("RUSTDB_CRASH_FULL").is_some()
}

/// Failures after which a test stops.
const ENOUGH: usize = 20;

/// Runs `check` for every case on all cores and returns what went wrong, a line for each failure, until `enough`.
fn failures<C: Sync>(
    cases: &[C],
    enough: usize,
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
                    if failed.lock().expect("checks are run behind catch_unwind").len() >= enough {
                        return;
                    }
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
                    failed
                        .lock()
                        .expect("checks are run behind catch_unwind")
                        .push(format!("{}: {problem}", describe(case)));
                }
            });
        }
    });
    failed.into_inner().expect("checks are run behind catch_unwind")
}

/// Fails with all of them.
fn assert_none(failed: &[String]) {
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}
