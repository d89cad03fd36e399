//! Row operations: the short steps between which the database's pages, undo and redo agree with each other.
//!
//! A row operation changes a page, the index entries and the undo and redo that belong to it, with the splits
//! this needs. The cut's barrier needs a moment when no thread is inside one. Threads announce themselves in
//! counters, each thread (nearly always) in a cache line of its own; the barrier closes the door and waits
//! for the counters to reach zero.
//!
//! 1. Inside a row operation nothing waits for I/O, memory, a lock of a transaction, log space, the commit
//!    mutex or another row operation: otherwise the barrier would wait for it too, or for ever.
//! 2. While the barrier's closure runs no thread is inside. Entering is: add one to the counter, then look at
//!    `closing`; the barrier sets `closing`, then reads the counters, all sequentially consistent. So either
//!    the barrier sees the count, or the thread sees the closed door and steps back out.
//! 3. A counter that the barrier has read as zero stays without anybody inside, even though threads that step
//!    back out raise it for a moment. So reading the counters one after the other is enough.
//! 4. Nobody sleeps through its wake-up: whoever sleeps checked its condition holding the gate, and whoever
//!    changes the condition takes the gate before it notifies. A leaving thread looks at `closing` after it
//!    lowered its counter, so a barrier that saw the old count is found.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, Padded, thread_local, thread_number};
use std::marker::PhantomData;

/// More threads than this share counters, which is correct but slower.
const LANES: usize = 64;

thread_local! {
    /// The address of the [`RowOps`] this thread is inside of, to find nested entries in debug builds.
    static INSIDE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts the threads inside row operations.
pub struct RowOps {
    lanes: Box<[Padded<AtomicUsize>]>,
    closing: Padded<AtomicBool>,
    /// One barrier at a time.
    barrier: Mutex<()>,
    gate: Mutex<()>,
    drained: Condvar,
    opened: Condvar,
}

impl Default for RowOps {
    fn default() -> Self {
        Self {
            lanes: (0..LANES).map(|_| Padded(AtomicUsize::new(0))).collect(),
            closing: Padded(AtomicBool::new(false)),
            barrier: Mutex::new(()),
            gate: Mutex::new(()),
            drained: Condvar::new(),
            opened: Condvar::new(),
        }
    }
}

impl RowOps {
    /// Starts a row operation, after the barrier that may be running.
    pub fn enter(&self) -> RowOpGuard<'_> {
        if cfg!(debug_assertions) {
            INSIDE.with(|inside| {
                assert_ne!(inside.get(), self.address(), "row operations do not nest");
            });
        }
        let lane = &self.lanes[thread_number() % LANES];
        loop {
            lane.fetch_add(1, Ordering::SeqCst);
            if !self.closing.load(Ordering::SeqCst) {
                break;
            }
            self.leave(lane);
            let mut gate = self.gate.lock();
            while self.closing.load(Ordering::SeqCst) {
                self.opened.wait(&mut gate);
            }
        }
        if cfg!(debug_assertions) {
            INSIDE.with(|inside| inside.set(self.address()));
        }
        RowOpGuard { ops: self, lane, stays_on_its_thread: PhantomData }
    }

    /// Runs `f` while no thread is inside a row operation. Threads that want to enter wait meanwhile. The
    /// caller must not be inside one itself.
    pub fn barrier<T>(&self, f: impl FnOnce() -> T) -> T {
        let _one = self.barrier.lock();
        self.closing.store(true, Ordering::SeqCst);
        let _door = Door(self);
        let mut gate = self.gate.lock();
        while self.lanes.iter().any(|lane| lane.load(Ordering::SeqCst) != 0) {
            self.drained.wait(&mut gate);
        }
        drop(gate);
        f()
    }

    fn leave(&self, lane: &AtomicUsize) {
        lane.fetch_sub(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            drop(self.gate.lock());
            self.drained.notify_one();
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// Opens the door again, also when the barrier's closure panics.
struct Door<'a>(&'a RowOps);

impl Drop for Door<'_> {
    fn drop(&mut self) {
        let gate = self.0.gate.lock();
        self.0.closing.store(false, Ordering::SeqCst);
        drop(gate);
        self.0.opened.notify_all();
    }
}

/// A row operation in progress; ends when dropped, on the thread that entered.
pub struct RowOpGuard<'a> {
    ops: &'a RowOps,
    lane: &'a AtomicUsize,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Drop for RowOpGuard<'_> {
    fn drop(&mut self) {
        let Self { ops, lane, stays_on_its_thread: PhantomData } = self;
        if cfg!(debug_assertions) {
            INSIDE.with(|inside| inside.set(0));
        }
        ops.leave(lane);
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
