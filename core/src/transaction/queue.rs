//! Who holds one lock and who waits for it: the rules, without threads.
//!
//! 1. A request is granted if it conflicts neither with what others hold nor with what is asked for by those
//!    who wait before it. So nobody is overtaken by a request that would make him wait longer.
//! 2. Requests wait in the order of arrival, with one exception: who already holds this lock in some mode is
//!    placed before the first one that waits for that mode, since behind it both would wait for each other.
//! 3. Whenever holders or waiters leave, everybody who can be granted now is granted, first come first.

use super::cancel::{Outcome, Sleeper};
use super::deadlock::LockerId;
use super::modes::{Conflicts, ModeSet, covers, set_of};
use std::collections::VecDeque;
use std::sync::Arc;

/// A request that waits.
pub(super) struct Request {
    pub(super) locker: LockerId,
    pub(super) mode: u8,
    pub(super) sleeper: Arc<Sleeper>,
}

/// What a locker holds.
pub(super) struct Holder {
    pub(super) locker: LockerId,
    pub(super) modes: ModeSet,
}

/// One lock.
#[derive(Default)]
pub(super) struct LockQueue {
    holders: Vec<Holder>,
    waiters: VecDeque<Request>,
}

/// The answer to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// The locker holds the mode now.
    Granted,
    /// What it holds already excludes as much.
    Covered,
    /// The request has to wait at this place among the waiters.
    WaitAt(usize),
}

impl LockQueue {
    /// Nobody holds it or waits for it.
    pub(super) fn is_idle(&self) -> bool {
        self.holders.is_empty() && self.waiters.is_empty()
    }

    pub(super) fn holders(&self) -> &[Holder] {
        &self.holders
    }

    pub(super) fn waiters(&self) -> impl Iterator<Item = &Request> {
        self.waiters.iter()
    }

    fn held_by(&self, locker: LockerId) -> ModeSet {
        self.holders.iter().find(|holder| holder.locker == locker).map_or(0, |holder| holder.modes)
    }

    /// Whether somebody other than `locker` holds a mode of `excluded`.
    pub(super) fn others_hold(&self, locker: LockerId, excluded: ModeSet) -> bool {
        self.holders.iter().any(|holder| holder.locker != locker && holder.modes & excluded != 0)
    }

    /// Grants `mode` to `locker`, or says where it has to wait. `elsewhere` is what the locker holds of this
    /// lock without being listed here, and `blocked_elsewhere` whether somebody excludes it who is not.
    pub(super) fn request(
        &mut self,
        locker: LockerId,
        mode: u8,
        elsewhere: ModeSet,
        conflicts: Conflicts,
        blocked_elsewhere: bool,
    ) -> Answer {
        let own = elsewhere | self.held_by(locker);
        if covers(own, mode, conflicts) {
            return Answer::Covered;
        }
        let waits_for_us = |request: &Request| conflicts[usize::from(request.mode)] & own != 0;
        let place = self.waiters.iter().position(waits_for_us).unwrap_or(self.waiters.len());
        let excluded = conflicts[usize::from(mode)];
        let overtakes = self.waiters.iter().take(place).any(|ahead| set_of(ahead.mode) & excluded != 0);
        if blocked_elsewhere || overtakes || self.others_hold(locker, excluded) {
            return Answer::WaitAt(place);
        }
        self.hold(locker, mode);
        Answer::Granted
    }

    /// Puts a request among the waiters, at the place that [`Self::request`] gave.
    pub(super) fn wait_at(&mut self, place: usize, request: Request) {
        self.waiters.insert(place, request);
    }

    /// Takes a request back that is not wanted any more.
    pub(super) fn withdraw(&mut self, sleeper: &Arc<Sleeper>) {
        self.waiters.retain(|request| !Arc::ptr_eq(&request.sleeper, sleeper));
    }

    /// Gives modes up.
    pub(super) fn release(&mut self, locker: LockerId, modes: ModeSet) {
        let Some(at) = self.holders.iter().position(|holder| holder.locker == locker) else { return };
        self.holders[at].modes &= !modes;
        if self.holders[at].modes == 0 {
            self.holders.swap_remove(at);
        }
    }

    /// Grants what can be granted and wakes those who wait for it.
    pub(super) fn grant_waiting(
        &mut self,
        conflicts: Conflicts,
        blocked_elsewhere: impl Fn(LockerId, u8) -> bool,
    ) {
        let mut asked_before: ModeSet = 0;
        let mut at = 0;
        while let Some(request) = self.waiters.get(at) {
            let (locker, mode) = (request.locker, request.mode);
            let excluded = conflicts[usize::from(mode)];
            let blocked = asked_before & excluded != 0
                || self.others_hold(locker, excluded)
                || blocked_elsewhere(locker, mode);
            if blocked {
                asked_before |= set_of(mode);
                at += 1;
                continue;
            }
            let Some(granted) = self.waiters.remove(at) else { return };
            // Who was cancelled meanwhile is gone; its own clean-up finds nothing left to do.
            if granted.sleeper.decide(Outcome::Granted) {
                self.hold(locker, mode);
            }
        }
    }

    /// Wakes everybody, for a lock that was only there to be waited for.
    pub(super) fn grant_all(self) {
        for request in self.waiters {
            request.sleeper.decide(Outcome::Granted);
        }
    }

    /// Whom the request of `sleeper` waits for; nobody if it does not wait here.
    pub(super) fn blockers(&self, sleeper: &Arc<Sleeper>, conflicts: Conflicts) -> Vec<LockerId> {
        let Some(at) = self.waiters.iter().position(|request| Arc::ptr_eq(&request.sleeper, sleeper)) else {
            return Vec::new();
        };
        let locker = self.waiters[at].locker;
        let excluded = conflicts[usize::from(self.waiters[at].mode)];
        let holders = self.holders.iter().filter(|holder| holder.modes & excluded != 0).map(|h| h.locker);
        let ahead = self.waiters.iter().take(at).filter(|ahead| set_of(ahead.mode) & excluded != 0);
        holders.chain(ahead.map(|ahead| ahead.locker)).filter(|&other| other != locker).collect()
    }

    fn hold(&mut self, locker: LockerId, mode: u8) {
        match self.holders.iter_mut().find(|holder| holder.locker == locker) {
            Some(holder) => holder.modes |= set_of(mode),
            None => self.holders.push(Holder { locker, modes: set_of(mode) }),
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
