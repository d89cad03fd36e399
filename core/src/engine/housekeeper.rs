//! The thread that clears up behind committed transactions, takes cuts when the log has grown, and writes what commits
//! that did not wait have left in the log.

use super::Engine;
use crate::error::{Result, StorageError};
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between looks; short enough that versions do not pile up, long enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(20);
/// What commits that do not wait have left in the log is written at every so many looks, as often as PostgreSQL does by
/// default (`wal_writer_delay`, 200 ms) but for the time that a cut or clearing up takes in between.
const LOOKS_TO_FLUSH: u64 = 10;
/// A cut that failed is tried again after so many looks.
const LOOKS_TO_RETRY: u64 = 50;
/// Pieces of garbage cleared without a pause.
const BATCH: usize = 10_000;

/// The thread, until it is dropped.
pub struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeper {
    /// Starts to look after `engine`; a cut is taken when the log is longer than `log_limit` bytes.
    ///
    /// # Errors
    /// 58030 when the system gives no thread.
    pub fn start(engine: &Arc<Engine>, log_limit: u64) -> Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (engine, signal) = (Arc::downgrade(engine), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("rustdb-housekeeper".to_owned());
        let thread = thread.spawn(move || run(&engine, &signal, log_limit)).map_err(|source| {
            let (operation, path) = ("start a thread", "housekeeper".to_owned());
            StorageError::Io { operation, path, source }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn run(engine: &Weak<Engine>, (stop, signal): &(Mutex<bool>, Condvar), log_limit: u64) {
    let mut stopped = stop.lock();
    let (mut looks, mut next_cut) = (0_u64, 0_u64);
    while !*stopped {
        signal.wait_for(&mut stopped, PERIOD);
        let Some(engine) = engine.upgrade() else { return };
        if *stopped || engine.is_stopped() {
            return;
        }
        drop(stopped);
        // No failure loses anything: garbage stays listed, the former cut stands. All are tried again, and a
        // failure that stops the database is told to every session by its next statement.
        engine.store().collect_garbage(BATCH).ok();
        looks += 1;
        if looks.is_multiple_of(LOOKS_TO_FLUSH) {
            engine.flush_log().ok();
        }
        if engine.log_length() > log_limit && looks >= next_cut {
            next_cut = if engine.checkpoint().is_err() { looks + LOOKS_TO_RETRY } else { 0 };
        }
        drop(engine);
        stopped = stop.lock();
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its own hook.
            thread.join().ok();
        }
    }
}
