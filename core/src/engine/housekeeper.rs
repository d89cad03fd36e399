//! The thread that clears up behind committed transactions and takes cuts when the log has grown.

use super::Engine;
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between looks; short enough that versions do not pile up, long enough to cost nothing.
const PERIOD: Duration = Duration::from_millis(20);
/// Pieces of garbage cleared without a pause.
const BATCH: usize = 10_000;

/// The thread, until it is dropped.
pub struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeper {
    /// Starts to look after `engine`; a cut is taken when the log is longer than `log_limit` bytes.
    pub fn start(engine: &Arc<Engine>, log_limit: u64) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (engine, signal) = (Arc::downgrade(engine), Arc::clone(&stop));
        #[expect(clippy::disallowed_methods, reason = "the engine owns this thread and joins it")]
        let thread = std::thread::spawn(move || run(&engine, &signal, log_limit));
        Self { stop, thread: Some(thread) }
    }
}

fn run(engine: &Weak<Engine>, (stop, signal): &(Mutex<bool>, Condvar), log_limit: u64) {
    let mut stopped = stop.lock();
    while !*stopped {
        signal.wait_for(&mut stopped, PERIOD);
        let Some(engine) = engine.upgrade() else { return };
        if *stopped || engine.is_stopped() {
            return;
        }
        drop(stopped);
        // Neither failure loses anything: garbage stays listed, the former cut stands. Both are tried again, and a
        // failure that stops the database is told to every session by its next statement.
        engine.store().collect_garbage(BATCH).ok();
        if engine.log_length() > log_limit {
            engine.checkpoint().ok();
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
