//! How far a statement is.
//!
//! A pipeline that has many rows to read, and COPY from a file, has a [`Share`] of the statement's work: what it is
//! expected to be, and what is done of it. The session's [`Meter`] shows the shares of the statement that runs, added up.
//!
//! ```text
//!   shares   scan of t: 700 of 1000 rows    scan of u: 0 of 100    groups: 0 of 50        700 / 1150
//! ```
//! 1. Shares are advanced by chunks, never by rows, and only where there are many; a lookup by key knows no meter.
//! 2. The fraction of a statement never falls, also when the statement starts again, and never passes 1.
//! 3. What was expected may be wrong: what exceeds a share is not counted, and a share that ends early is complete.
//!
//! Work behind the last row that a pipeline reads (merging sorted runs, say) is in no share: the fraction stands still
//! meanwhile.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pipelines that are expected to read fewer rows have no share: they take no time that anybody would watch.
const MIN_ROWS: f64 = 16_384.0;
/// Estimates may be larger, but not their sum.
const MAX_ROWS: f64 = 1e15;

/// A part of a statement's work, in rows or bytes.
pub struct Share {
    expected: u64,
    done: AtomicU64,
}

impl Share {
    /// A share of so many rows or bytes, none of which is done.
    pub fn new(expected: u64) -> Arc<Self> {
        Arc::new(Self { expected, done: AtomicU64::new(0) })
    }

    /// The share of a pipeline that is expected to read so many rows; `None` if they are few.
    pub(super) fn of_rows(rows: f64) -> Option<Arc<Self>> {
        (rows >= MIN_ROWS).then(|| Self::new(rows.min(MAX_ROWS) as u64))
    }

    /// So much more is done.
    pub fn advance(&self, amount: u64) {
        self.done.fetch_add(amount, Ordering::Relaxed);
    }

    /// There is no more to do.
    pub(super) fn finish(&self) {
        self.done.fetch_max(self.expected, Ordering::Relaxed);
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed).min(self.expected)
    }
}

/// Shows how far the running statement of a session is, to any thread.
#[derive(Default)]
pub struct Meter(Mutex<Option<Work>>);

struct Work {
    shares: Vec<Arc<Share>>,
    /// The largest fraction that was shown.
    reached: f64,
}

impl Meter {
    /// What is done of the running statement's work, from 0 to 1; `None` if none runs, or one about whose length nothing
    /// is known or that is expected to be short.
    pub fn fraction(&self) -> Option<f64> {
        let mut work = self.0.lock();
        let work = work.as_mut()?;
        let expected: u64 = work.shares.iter().map(|share| share.expected).sum();
        let done: u64 = work.shares.iter().map(|share| share.done()).sum();
        work.reached = work.reached.max(done as f64 / expected.max(1) as f64);
        Some(work.reached)
    }

    /// Shows a statement with these shares until what is returned is dropped; nothing without shares. The fraction
    /// `reached` was shown before the statement had to start again.
    pub(super) fn begin(self: &Arc<Self>, shares: Vec<Arc<Share>>, reached: f64) -> Option<Metered> {
        if shares.is_empty() {
            return None;
        }
        *self.0.lock() = Some(Work { shares, reached });
        Some(Metered(Arc::clone(self)))
    }
}

/// A statement that a meter shows.
pub(super) struct Metered(Arc<Meter>);

impl Drop for Metered {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_by_what_is_expected_of_them() {
        let meter = Arc::new(Meter::default());
        assert_eq!(meter.fraction(), None);
        assert!(meter.begin(Vec::new(), 0.0).is_none());
        let (large, small) = (Share::new(300), Share::new(100));
        let metered = meter.begin(vec![Arc::clone(&large), Arc::clone(&small)], 0.0);
        assert_eq!(meter.fraction(), Some(0.0));
        large.advance(150);
        assert_eq!(meter.fraction(), Some(0.375));
        // More than was expected is no work of others.
        large.advance(1000);
        assert_eq!(meter.fraction(), Some(0.75));
        small.finish();
        large.finish();
        assert_eq!(meter.fraction(), Some(1.0));
        drop(metered);
        assert_eq!(meter.fraction(), None);
    }

    #[test]
    fn a_statement_that_starts_again_does_not_fall_back() {
        let meter = Arc::new(Meter::default());
        let share = Share::new(10);
        share.advance(6);
        let metered = meter.begin(vec![share], 0.0);
        let reached = meter.fraction().unwrap();
        drop(metered);
        let again = Share::new(10);
        let _metered = meter.begin(vec![Arc::clone(&again)], reached);
        assert_eq!(meter.fraction(), Some(0.6));
        again.advance(7);
        assert_eq!(meter.fraction(), Some(0.7));
    }
}
