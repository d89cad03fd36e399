//! The bar under a statement that takes long.
//!
//! A thread looks at the statement a few times a second and draws on standard error, over what it has drawn before.
//! Whoever is about to print something hides the bar first; the lock they share makes sure that it does not come back.

use parking_lot::{Condvar, Mutex};
use rustdb::ProgressHandle;
use std::io::Write;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a statement runs before there is a bar.
pub(crate) const DELAY: Duration = Duration::from_millis(1500);
/// How often it is drawn.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many characters the bar is long.
const LENGTH: usize = 40;
/// How many characters all of the line is long.
const WIDTH: usize = 64;

/// When there is a bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum When {
    /// If standard error is a terminal.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Draws the progress of a connection's statements.
pub(crate) struct ProgressBar {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    progress: ProgressHandle,
    delay: Duration,
}

struct State {
    /// When the statement began; none if none runs, or its result is being printed.
    begun: Option<Instant>,
    /// The thread waits to be told of a statement.
    idle: bool,
    drawn: bool,
    closed: bool,
    out: Box<dyn Write + Send>,
}

impl State {
    /// A terminal that has gone needs no bar.
    fn put(&mut self, text: &str) {
        write!(self.out, "{text}").and_then(|()| self.out.flush()).ok();
    }

    fn hide(&mut self) {
        self.begun = None;
        if std::mem::take(&mut self.drawn) {
            self.put(&format!("\r{:WIDTH$}\r", ""));
        }
    }
}

impl ProgressBar {
    /// Draws on `out` what statements have done that have run for `delay`.
    pub(crate) fn new(progress: ProgressHandle, out: Box<dyn Write + Send>, delay: Duration) -> Self {
        let state = State { begun: None, idle: false, drawn: false, closed: false, out };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), progress, delay });
        let watched = Arc::clone(&shared);
        // Without a thread, which the system may refuse, there is no bar.
        let thread = std::thread::Builder::new().name("rustdb-progress".to_owned());
        Self { shared, thread: thread.spawn(move || watch(&watched)).ok() }
    }

    /// A statement begins, which ends when what is returned is dropped.
    pub(crate) fn start(&self) -> Shown<'_> {
        let mut state = self.shared.state.lock();
        #[expect(clippy::disallowed_methods, reason = "the user's time, not the database's")]
        let now = Instant::now();
        state.begun = Some(now);
        if state.idle {
            self.shared.changed.notify_one();
        }
        Shown(self)
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
        self.thread.take().map(JoinHandle::join);
    }
}

/// A statement whose progress is drawn if it takes long.
pub(crate) struct Shown<'a>(&'a ProgressBar);

impl Shown<'_> {
    /// Takes the bar away for good.
    pub(crate) fn hide(&self) {
        self.0.shared.state.lock().hide();
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.hide();
    }
}

fn watch(shared: &Shared) {
    let mut state = shared.state.lock();
    while !state.closed {
        let Some(begun) = state.begun else {
            state.idle = true;
            shared.changed.wait(&mut state);
            state.idle = false;
            continue;
        };
        let elapsed = begun.elapsed();
        if elapsed >= shared.delay
            && let Some(fraction) = shared.progress.fraction()
        {
            state.drawn = true;
            state.put(&line(fraction, elapsed));
        }
        shared.changed.wait_for(&mut state, INTERVAL);
    }
}

fn line(fraction: f64, elapsed: Duration) -> String {
    let bar = "#".repeat((fraction * LENGTH as f64) as usize);
    let seconds = elapsed.as_secs();
    let time = match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {:02} s", seconds % 60),
    };
    let text = format!("[{bar:.<LENGTH$}] {:3} %  {time}", (fraction * 100.0) as u8);
    format!("\r{text:WIDTH$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Hands on what is drawn.
    struct Paper(Sender<String>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A bar for a connection, and what it draws.
    fn bar(connection: &rustdb::Connection, delay: Duration) -> (ProgressBar, Receiver<String>) {
        let (paper, seen) = channel();
        (ProgressBar::new(connection.progress_handle(), Box::new(Paper(paper)), delay), seen)
    }

    const LONG: &str = "SELECT i FROM generate_series(1, 100000) AS g(i)";

    #[test]
    fn the_bar_is_as_long_as_the_work_done() {
        let text = |fraction, seconds| line(fraction, Duration::from_secs(seconds)).trim_end().to_owned();
        assert_eq!(text(0.0, 2), format!("\r[{}]   0 %  2 s", ".".repeat(40)));
        assert_eq!(text(0.5, 61), format!("\r[{}{}]  50 %  1 min 01 s", "#".repeat(20), ".".repeat(20)));
        assert_eq!(text(0.9999, 9), format!("\r[{}.]  99 %  9 s", "#".repeat(39)));
        assert_eq!(text(1.0, 9), format!("\r[{}] 100 %  9 s", "#".repeat(40)));
        assert_eq!(line(1.0, Duration::from_secs(100_000)).len(), WIDTH + 1);
    }

    #[test]
    fn a_bar_goes_before_its_statement_ends() {
        let connection = rustdb::Database::in_memory().unwrap().connect().unwrap();
        let (bar, seen) = bar(&connection, Duration::ZERO);
        let rows = connection.query(LONG, ()).unwrap();
        let shown = bar.start();
        let first = seen.recv_timeout(Duration::from_secs(30)).expect("a bar");
        assert!(first.starts_with("\r[#"), "{first:?}");
        shown.hide();
        let last = seen.try_iter().collect::<String>();
        assert!(last.ends_with(&format!("\r{}\r", " ".repeat(WIDTH))), "{last:?}");
        drop((shown, rows));
        drop(bar);
        assert_eq!(seen.iter().next(), None, "nothing is drawn once it is hidden");
    }

    #[test]
    fn short_statements_and_those_without_a_figure_have_no_bar() {
        let connection = rustdb::Database::in_memory().unwrap().connect().unwrap();
        for (sql, delay) in [(LONG, DELAY), ("SELECT 1", Duration::ZERO)] {
            let (bar, seen) = bar(&connection, delay);
            let rows = connection.query(sql, ()).unwrap();
            let wait_until_idle = |idle| {
                while bar.shared.state.lock().idle != idle {
                    std::thread::yield_now();
                }
            };
            wait_until_idle(true);
            let shown = bar.start();
            // When the lock is free again, it has looked.
            wait_until_idle(false);
            drop((shown, rows));
            drop(bar);
            assert_eq!(seen.iter().next(), None, "{sql}");
        }
    }
}
