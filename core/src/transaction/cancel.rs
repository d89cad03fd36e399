//! Stopping a statement, and the thread that sleeps in it.
//!
//! A [`Cancel`] belongs to a session. Whoever wants to stop its statement raises a flag; running code looks at
//! the flag between chunks of work, sleeping code is woken. The deadline of `statement_timeout` lives here too,
//! because it ends a statement in the same places.
//!
//! 1. A sleeper is put on the list before it looks at the flag for the last time, and the flag is raised
//!    before the list is read, so one of the two sides sees the other.
//! 2. A sleeper's outcome is decided once; who comes second (a grant after a timeout, say) is told so and must
//!    act as if the sleeper were gone.

use crate::error::{Error, Result, TransactionError};
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};
use crate::vfs::Clock;
use std::sync::Arc;
use std::time::Duration;

const RUNNING: u8 = 0;
const BY_USER: u8 = 1;
const BY_TIMEOUT: u8 = 2;
const NO_DEADLINE: u64 = u64::MAX;

/// The stop switch of one session's statements.
pub struct Cancel {
    state: AtomicU8,
    /// In microseconds of the clock's monotonic time.
    deadline: AtomicU64,
    clock: Arc<dyn Clock>,
    sleepers: Mutex<Vec<Arc<Sleeper>>>,
}

impl Cancel {
    /// A switch that is not raised and has no deadline.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(RUNNING),
            deadline: AtomicU64::new(NO_DEADLINE),
            clock,
            sleepers: Mutex::new(Vec::new()),
        })
    }

    /// Begins a statement: what was asked of earlier ones is forgotten, and `timeout` (`statement_timeout`)
    /// starts to run.
    pub fn start_statement(&self, timeout: Option<Duration>) {
        let deadline = timeout.map_or(NO_DEADLINE, |timeout| micros(self.clock.monotonic() + timeout));
        self.deadline.store(deadline, Ordering::Relaxed);
        self.state.store(RUNNING, Ordering::SeqCst);
    }

    /// Asks the running statement to stop; wakes it if it sleeps.
    pub fn cancel(&self) {
        self.raise(BY_USER);
        for sleeper in self.sleepers.lock().iter() {
            sleeper.decide(Outcome::Canceled);
        }
    }

    /// To be called between chunks of work. One load, and a look at the clock if there is a deadline.
    ///
    /// # Errors
    /// 57014 when the statement was asked to stop or its time is over.
    pub fn check(&self) -> Result<()> {
        if self.remaining() == Some(Duration::ZERO) {
            self.raise(BY_TIMEOUT);
        }
        if self.canceled() { Err(self.error()) } else { Ok(()) }
    }

    /// The error of a statement that was stopped.
    pub(super) fn error(&self) -> Error {
        let by_user = self.state.load(Ordering::SeqCst) == BY_USER;
        let cause = if by_user { "user request" } else { "statement timeout" };
        TransactionError::Canceled { cause }.into()
    }

    /// Time until the deadline, if there is one.
    fn remaining(&self) -> Option<Duration> {
        match self.deadline.load(Ordering::Relaxed) {
            NO_DEADLINE => None,
            deadline => Some(Duration::from_micros(deadline).saturating_sub(self.clock.monotonic())),
        }
    }

    /// The first cause stays.
    fn raise(&self, cause: u8) {
        self.state.compare_exchange(RUNNING, cause, Ordering::SeqCst, Ordering::SeqCst).ok();
    }

    fn canceled(&self) -> bool {
        self.state.load(Ordering::SeqCst) != RUNNING
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NO_DEADLINE)
}

/// How long, and on whose behalf, to wait for a lock.
#[derive(Clone, Copy)]
pub struct Patience<'a> {
    /// Ends the wait early.
    pub cancel: &'a Cancel,
    /// `lock_timeout`.
    pub lock_timeout: Option<Duration>,
    /// What a rollback would throw away, in records of undo: of the transactions of a deadlock the one with
    /// the least is sacrificed.
    pub weight: u64,
}

/// Why a sleeper was woken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It has what it waited for.
    Granted,
    /// It was chosen to end a deadlock; the report's lines.
    Deadlock(String),
    /// Its statement is to stop.
    Canceled,
    /// It waited too long.
    TimedOut,
}

/// A thread that waits, or is about to.
#[derive(Default)]
pub(super) struct Sleeper {
    outcome: Mutex<Option<Outcome>>,
    wake: Condvar,
}

impl Sleeper {
    /// Decides the outcome, unless it is decided already.
    pub(super) fn decide(&self, outcome: Outcome) -> bool {
        let mut decided = self.outcome.lock();
        if decided.is_some() {
            return false;
        }
        *decided = Some(outcome);
        drop(decided);
        self.wake.notify_one();
        true
    }

    /// Whether nothing is decided.
    pub(super) fn waits(&self) -> bool {
        self.outcome.lock().is_none()
    }

    /// Sleeps until the outcome is decided, by somebody else or by the clock.
    pub(super) fn sleep(self: &Arc<Self>, patience: &Patience<'_>) -> Outcome {
        let cancel = patience.cancel;
        cancel.sleepers.lock().push(Arc::clone(self));
        if cancel.canceled() {
            self.decide(Outcome::Canceled);
        }
        let outcome = self.sleep_listed(patience);
        cancel.sleepers.lock().retain(|other| !Arc::ptr_eq(other, self));
        outcome
    }

    fn sleep_listed(&self, patience: &Patience<'_>) -> Outcome {
        let deadline = patience.cancel.remaining();
        let limit = patience.lock_timeout.into_iter().chain(deadline).min();
        let mut outcome = self.outcome.lock();
        match limit {
            None => {
                while outcome.is_none() {
                    self.wake.wait(&mut outcome);
                }
            }
            Some(limit) => {
                self.wake.wait_while_for(&mut outcome, |outcome| outcome.is_none(), limit);
            }
        }
        outcome
            .get_or_insert_with(|| {
                if limit == deadline {
                    patience.cancel.raise(BY_TIMEOUT);
                    Outcome::Canceled
                } else {
                    Outcome::TimedOut
                }
            })
            .clone()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
