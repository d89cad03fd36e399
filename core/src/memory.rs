//! The memory budget: one limit for everything the engine holds, frames and operators alike.
//!
//! Whoever wants memory that grows with data reserves it here first and holds a [`Grant`]. When the limit is
//! reached, the reclaimer (the buffer pool) is asked to give some of its memory up. A reservation refused all the
//! same makes the asker spill; only then does a statement fail with 53200.

use crate::error::{Result, StorageError};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Gives up to so many bytes of its grant back, where it can.
type Reclaimer = Box<dyn Fn(u64) + Send + Sync>;

/// The whole database's memory limit and what of it is taken, in bytes.
pub struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    reclaimer: OnceLock<Reclaimer>,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limit", &self.limit).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: AtomicU64::new(limit), used: AtomicU64::new(0), reclaimer: OnceLock::new() })
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Bytes reserved now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Changes the limit; grants already given stay.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Names who is asked for memory when the limit is reached; only the first call counts.
    pub fn set_reclaimer(&self, reclaim: impl Fn(u64) + Send + Sync + 'static) {
        self.reclaimer.get_or_init(|| Box::new(reclaim));
    }

    fn take_or_reclaim(&self, bytes: u64) -> bool {
        if self.take(bytes) {
            return true;
        }
        let Some(reclaim) = self.reclaimer.get() else { return false };
        reclaim((self.used() + bytes).saturating_sub(self.limit()));
        self.take(bytes)
    }

    /// Nothing can always be had, also when the limit was lowered below what is used.
    fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| bytes == 0 || sum <= limit)
            })
            .is_ok()
    }

    /// Reserves `bytes`.
    ///
    /// # Errors
    /// 53200 when that would pass the limit.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Grant> {
        if !self.take_or_reclaim(bytes) {
            return Err(StorageError::OutOfMemory { requested: bytes, limit: self.limit() }.into());
        }
        Ok(Grant { budget: Arc::clone(self), bytes })
    }
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub struct Grant {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Grant {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `more` bytes, or returns false and holds what it held.
    #[must_use]
    pub fn try_grow(&mut self, more: u64) -> bool {
        let granted = self.budget.take_or_reclaim(more);
        if granted {
            self.bytes += more;
        }
        granted
    }

    /// The same from what is free now: for whoever could only be asked to give up what it has itself.
    #[must_use]
    pub fn try_grow_from_free(&mut self, more: u64) -> bool {
        let granted = self.budget.take(more);
        if granted {
            self.bytes += more;
        }
        granted
    }

    /// Gives all but `bytes` back.
    pub fn shrink_to(&mut self, bytes: u64) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        self.budget.used.fetch_sub(freed, Ordering::Relaxed);
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_bounded_and_returned() {
        let budget = Budget::new(100);
        let mut a = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_err());
        assert!(a.try_grow(40));
        assert!(!a.try_grow(1));
        a.shrink_to(10);
        assert_eq!(budget.used(), 10);
        budget.set_limit(5);
        assert!(a.try_grow(0) && budget.reserve(0).is_ok());
        assert!(!a.try_grow(1));
        drop(a);
        assert_eq!(budget.used(), 0);
    }
}
