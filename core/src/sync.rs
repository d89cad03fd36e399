//! Where concurrent modules take atomics, locks and thread-locals from.
//!
//! Built with `--cfg shuttle` these are the `shuttle` crate's, whose scheduler runs the tests of a protocol
//! through chosen interleavings; otherwise they are the standard library's and `parking_lot`'s. `Arc` and
//! `OnceLock` are always the standard ones: nothing interleaves inside them that a protocol depends on.

#[cfg(shuttle)]
mod model;

#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::atomic, thread_local};

#[cfg(shuttle)]
pub(crate) use model::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::atomic, thread_local};

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value alone in its pair of cache lines, so that writers of neighbours do not slow its readers down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A small number of the calling thread's own, counted up from 0 as threads first ask.
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|&number| number)
}
