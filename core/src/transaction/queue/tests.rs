use super::super::modes::{ROW_CONFLICTS, TABLE_CONFLICTS, TableLockMode as T};
use super::*;

/// A queue of table locks driven by a script, one line a step: `1 Share` asks, `-1 Share` gives back, `x1`
/// withdraws what locker 1 waits for. After each step come the holders and, after `|`, the waiters.
fn check(script: &[(&str, &str)]) {
    let mut queue = LockQueue::default();
    for &(step, expected) in script {
        let (who, mode) = step.split_once(' ').unwrap_or((step, "AccessShare"));
        let mode = T::ALL.into_iter().find(|known| format!("{known:?}") == mode).unwrap() as u8;
        if let Some(who) = who.strip_prefix('x') {
            let locker = LockerId(who.parse().unwrap());
            let sleeper = Arc::clone(&queue.waiters().find(|w| w.locker == locker).unwrap().sleeper);
            queue.withdraw(&sleeper);
            queue.grant_waiting(TABLE_CONFLICTS, |_, _| false);
        } else if let Some(who) = who.strip_prefix('-') {
            queue.release(LockerId(who.parse().unwrap()), set_of(mode));
            queue.grant_waiting(TABLE_CONFLICTS, |_, _| false);
        } else {
            let locker = LockerId(who.parse().unwrap());
            if let Answer::WaitAt(place) = queue.request(locker, mode, 0, TABLE_CONFLICTS, false) {
                queue.wait_at(place, Request { locker, mode, sleeper: Arc::default() });
            }
        }
        let mut holders: Vec<u32> = queue.holders().iter().map(|holder| holder.locker.0).collect();
        holders.sort_unstable();
        let waiters: Vec<u32> = queue.waiters().map(|waiter| waiter.locker.0).collect();
        let show = |list: &[u32]| list.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(format!("{} | {}", show(&holders), show(&waiters)), expected, "after {step}");
    }
    for holder in queue.holders() {
        let waits_as_well = queue.waiters().any(|waiter| {
            waiter.locker == holder.locker && covers(holder.modes, waiter.mode, TABLE_CONFLICTS)
        });
        assert!(!waits_as_well);
    }
}

#[test]
fn compatible_modes_are_held_side_by_side() {
    check(&[
        ("1 AccessShare", "1 | "),
        ("2 RowExclusive", "1 2 | "),
        ("3 ShareUpdateExclusive", "1 2 3 | "),
        ("4 AccessShare", "1 2 3 4 | "),
        ("-1 AccessShare", "2 3 4 | "),
    ]);
}

#[test]
fn nobody_overtakes_a_waiting_strong_request() {
    check(&[
        ("1 AccessShare", "1 | "),
        ("2 AccessExclusive", "1 | 2"),
        ("3 AccessShare", "1 | 2 3"),
        ("4 AccessShare", "1 | 2 3 4"),
        ("-1 AccessShare", "2 | 3 4"),
        ("-2 AccessExclusive", "3 4 | "),
    ]);
}

#[test]
fn compatible_requests_pass_waiters_they_do_not_disturb() {
    check(&[
        ("1 RowExclusive", "1 | "),
        ("2 Share", "1 | 2"),
        ("3 AccessShare", "1 3 | 2"),
        ("4 RowShare", "1 3 4 | 2"),
        ("5 RowExclusive", "1 3 4 | 2 5"),
        ("-1 RowExclusive", "2 3 4 | 5"),
    ]);
}

#[test]
fn withdrawing_lets_those_behind_go_on() {
    check(&[
        ("1 AccessShare", "1 | "),
        ("2 AccessExclusive", "1 | 2"),
        ("3 RowExclusive", "1 | 2 3"),
        ("4 AccessExclusive", "1 | 2 3 4"),
        ("x2", "1 3 | 4"),
        ("x4", "1 3 | "),
    ]);
}

#[test]
fn a_holder_that_wants_more_goes_before_those_who_wait_for_it() {
    check(&[
        ("1 Share", "1 | "),
        ("2 RowExclusive", "1 | 2"),
        ("1 RowExclusive", "1 | 2"),
        ("-1 Share", "1 2 | "),
    ]);
    check(&[
        ("1 RowExclusive", "1 | "),
        ("2 RowExclusive", "1 2 | "),
        ("3 AccessExclusive", "1 2 | 3"),
        ("1 ShareRowExclusive", "1 2 | 1 3"),
        ("-2 RowExclusive", "1 | 3"),
    ]);
}

#[test]
fn what_is_covered_is_not_taken_again() {
    let mut queue = LockQueue::default();
    let mut ask = |mode: T| queue.request(LockerId(1), mode as u8, 0, TABLE_CONFLICTS, false);
    assert_eq!(ask(T::Exclusive), Answer::Granted);
    assert_eq!(ask(T::RowShare), Answer::Covered);
    assert_eq!(ask(T::AccessExclusive), Answer::Granted);
}

#[test]
fn a_decided_sleeper_gets_nothing() {
    let mut queue = LockQueue::default();
    let sleeper = Arc::new(Sleeper::default());
    assert_eq!(queue.request(LockerId(1), 3, 0, ROW_CONFLICTS, false), Answer::Granted);
    assert_eq!(queue.request(LockerId(2), 3, 0, ROW_CONFLICTS, false), Answer::WaitAt(0));
    queue.wait_at(0, Request { locker: LockerId(2), mode: 3, sleeper: Arc::clone(&sleeper) });
    sleeper.decide(Outcome::Canceled);
    queue.release(LockerId(1), set_of(3));
    queue.grant_waiting(ROW_CONFLICTS, |_, _| false);
    assert!(queue.is_idle());
}

#[test]
fn blockers_are_holders_and_those_ahead() {
    let mut queue = LockQueue::default();
    let mut sleepers = Vec::new();
    for (locker, mode) in [(1, T::RowExclusive), (2, T::AccessShare), (3, T::Share), (4, T::RowExclusive)] {
        let (locker, mode) = (LockerId(locker), mode as u8);
        if let Answer::WaitAt(place) = queue.request(locker, mode, 0, TABLE_CONFLICTS, false) {
            let sleeper = Arc::new(Sleeper::default());
            sleepers.push(Arc::clone(&sleeper));
            queue.wait_at(place, Request { locker, mode, sleeper });
        }
    }
    assert_eq!(queue.blockers(&sleepers[0], TABLE_CONFLICTS), [LockerId(1)]);
    assert_eq!(queue.blockers(&sleepers[1], TABLE_CONFLICTS), [LockerId(3)]);
    assert_eq!(queue.blockers(&Arc::default(), TABLE_CONFLICTS), []);
}
