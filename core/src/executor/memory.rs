//! How the operators of all running queries share the memory budget.
//!
//! An operator that keeps rows has an [`Allowance`] a thread and asks it before it grows. The first bytes, up to a
//! floor, it must get or the query fails with 53200; beyond, a refusal means: spill, then ask again.
//!
//! ```text
//!   limit   | frames and others, a quarter at least | held by allowances |   free, or frames not in use now   |
//!                                                   `------- available, shared by all allowances ------------'
//! ```
//! Who has no more than an equal share of what is available may grow while any of it is left. Who has more leaves
//! the last quarter to the others, so that an operator that starts late finds something. Should what is owed to one be
//! missing all the same, it waits a little: meanwhile whoever has more than a share gets nothing and spills.

use crate::error::{Result, StorageError};
use crate::memory::{Budget, Grant};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What an allowance takes from the budget at a time, at the least.
const STEP: u64 = 16 << 10;
/// How long what is owed is waited for at a time, and how often.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSES: usize = 25;

/// Divides the budget between operators.
#[derive(Debug)]
pub(super) struct Arbiter {
    budget: Arc<Budget>,
    floor: u64,
    allowances: AtomicU64,
    held: AtomicU64,
    /// Allowances that wait for what is owed to them.
    waiting: Mutex<usize>,
    given_back: Condvar,
}

impl Arbiter {
    /// Every allowance is worth at least `floor` bytes, or its query fails.
    pub(super) fn new(budget: &Arc<Budget>, floor: u64) -> Arc<Self> {
        let (allowances, held) = (AtomicU64::new(0), AtomicU64::new(0));
        let (waiting, given_back) = (Mutex::new(0), Condvar::new());
        Arc::new(Self { budget: Arc::clone(budget), floor, allowances, held, waiting, given_back })
    }

    /// A new allowance, of nothing yet.
    ///
    /// # Errors
    /// Never, unless the budget refuses even nothing.
    pub(super) fn allowance(self: &Arc<Self>) -> Result<Allowance> {
        let grant = self.budget.reserve(0)?;
        self.allowances.fetch_add(1, Ordering::Relaxed);
        Ok(Allowance { arbiter: Arc::clone(self), grant })
    }

    /// Whether one that would then hold `wanted` bytes may take `more`.
    fn is_fair(&self, wanted: u64, more: u64) -> bool {
        let available = self.budget.limit() / 4 * 3;
        let held = self.held.load(Ordering::Relaxed);
        let share = available / self.allowances.load(Ordering::Relaxed).max(1);
        if wanted <= share {
            held + more <= available
        } else {
            held + more <= available / 4 * 3 && *self.waiting.lock() == 0
        }
    }

    /// Takes what is owed, and waits a little for others to give back.
    fn take_owed(&self, grant: &mut Grant, more: u64) -> Result<()> {
        let mut taken = grant.try_grow(more);
        if !taken {
            let mut waiting = self.waiting.lock();
            *waiting += 1;
            for _ in 0..PAUSES {
                self.given_back.wait_for(&mut waiting, PAUSE);
                // Making room may write pages.
                taken = parking_lot::MutexGuard::unlocked(&mut waiting, || grant.try_grow(more));
                if taken {
                    break;
                }
            }
            *waiting -= 1;
        }
        if !taken {
            return Err(StorageError::OutOfMemory { requested: more, limit: self.budget.limit() }.into());
        }
        self.held.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }
}

/// The memory of one operator on one thread. It goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Allowance {
    arbiter: Arc<Arbiter>,
    grant: Grant,
}

impl Allowance {
    /// Makes it cover `bytes` in all; false if the operator has to do with less.
    ///
    /// # Errors
    /// 53200 when not even the floor can be had.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<bool> {
        let (bytes, held) = (bytes as u64, self.grant.bytes());
        if bytes <= held {
            return Ok(true);
        }
        let floor = self.arbiter.floor;
        let more = (bytes - held).next_multiple_of(STEP);
        if held + more <= floor {
            self.arbiter.take_owed(&mut self.grant, more)?;
            return Ok(true);
        }
        let granted = self.arbiter.is_fair(held + more, more) && self.grant.try_grow(more);
        if granted {
            self.arbiter.held.fetch_add(more, Ordering::Relaxed);
        }
        Ok(granted)
    }

    /// Makes it cover `bytes` in all, whatever others need: for the least an operator can work with.
    ///
    /// # Errors
    /// 53200 when the budget has not so much.
    pub(super) fn demand(&mut self, bytes: usize) -> Result<()> {
        let more = (bytes as u64).saturating_sub(self.grant.bytes());
        self.arbiter.take_owed(&mut self.grant, more)
    }

    /// Gives back what is over `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let before = self.grant.bytes();
        self.grant.shrink_to(bytes as u64);
        let given_back = before - self.grant.bytes();
        self.arbiter.held.fetch_sub(given_back, Ordering::Relaxed);
        if given_back > 0 {
            self.arbiter.given_back.notify_all();
        }
    }

    /// Bytes it covers.
    pub(super) fn bytes(&self) -> u64 {
        self.grant.bytes()
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.shrink_to(0);
        self.arbiter.allowances.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_owed_and_more_is_shared() {
        let budget = Budget::new(1 << 20);
        let arbiter = Arbiter::new(&budget, 64 << 10);
        let (mut first, mut second) = (arbiter.allowance().unwrap(), arbiter.allowance().unwrap());
        assert!(first.cover(512 << 10).unwrap(), "much is free");
        assert!(!first.cover(700 << 10).unwrap(), "the last quarter is for others");
        assert!(second.cover(240 << 10).unwrap(), "less than its share");
        assert!(!second.cover(500 << 10).unwrap());
        let mut third = arbiter.allowance().unwrap();
        first.shrink_to(1 << 10);
        assert!(second.cover(500 << 10).unwrap());
        assert!(third.cover(64 << 10).unwrap());
        drop((first, second, third));
        assert_eq!(budget.used(), 0);
        let mut hog = arbiter.allowance().unwrap();
        hog.demand(1 << 20).unwrap();
        assert_eq!(arbiter.allowance().unwrap().cover(1).unwrap_err().sqlstate().0, "53200");
    }
}
