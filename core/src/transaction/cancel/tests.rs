use super::*;
use crate::vfs::{ManualClock, SystemClock};
use std::thread;

fn patience(cancel: &Cancel, lock_timeout: Option<Duration>) -> Patience<'_> {
    Patience { cancel, lock_timeout, weight: 0 }
}

fn message(cancel: &Cancel) -> String {
    cancel.check().unwrap_err().to_string()
}

#[test]
fn a_statement_runs_until_asked_to_stop() {
    let cancel = Cancel::new(Arc::new(ManualClock::new(0)));
    cancel.start_statement(None);
    cancel.check().unwrap();
    cancel.cancel();
    assert_eq!(message(&cancel), "canceling statement due to user request");
    assert_eq!(cancel.check().unwrap_err().sqlstate().0, "57014");
    cancel.start_statement(None);
    cancel.check().unwrap();
}

#[test]
fn the_deadline_counts_from_the_statements_start() {
    let clock = Arc::new(ManualClock::new(0));
    let cancel = Cancel::new(Arc::<ManualClock>::clone(&clock));
    cancel.start_statement(Some(Duration::from_millis(10)));
    clock.advance(Duration::from_millis(9));
    cancel.check().unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(message(&cancel), "canceling statement due to statement timeout");
    cancel.cancel();
    assert_eq!(message(&cancel), "canceling statement due to statement timeout", "the first cause stays");
    cancel.start_statement(Some(Duration::from_millis(10)));
    cancel.check().unwrap();
}

#[test]
fn a_sleeper_is_decided_once() {
    let sleeper = Arc::new(Sleeper::default());
    assert!(sleeper.waits());
    assert!(sleeper.decide(Outcome::Granted));
    assert!(!sleeper.decide(Outcome::Canceled) && !sleeper.waits());
    let cancel = Cancel::new(Arc::new(SystemClock));
    cancel.cancel();
    assert_eq!(sleeper.sleep(&patience(&cancel, None)), Outcome::Granted);
    assert!(cancel.sleepers.lock().is_empty());
}

#[test]
fn time_runs_out_for_its_own_reason() {
    let millis = Duration::from_millis;
    let cases = [
        (None, Some(millis(5)), Outcome::TimedOut),
        (Some(millis(5)), None, Outcome::Canceled),
        (Some(millis(5)), Some(millis(60_000)), Outcome::Canceled),
        (Some(millis(60_000)), Some(millis(5)), Outcome::TimedOut),
        (Some(millis(0)), Some(millis(60_000)), Outcome::Canceled),
    ];
    for (statement, lock, expected) in cases {
        let cancel = Cancel::new(Arc::new(SystemClock));
        cancel.start_statement(statement);
        let outcome = Arc::new(Sleeper::default()).sleep(&patience(&cancel, lock));
        assert_eq!(outcome, expected, "{statement:?}, {lock:?}");
        if outcome == Outcome::Canceled {
            assert_eq!(cancel.error().to_string(), "canceling statement due to statement timeout");
        }
    }
}

/// The request to stop comes before, during and after falling asleep.
#[test]
fn no_request_to_stop_is_slept_through() {
    for _ in 0..3_000 {
        let cancel = Cancel::new(Arc::new(SystemClock));
        let sleeper = Arc::new(Sleeper::default());
        thread::scope(|scope| {
            scope.spawn(|| {
                let outcome = sleeper.sleep(&patience(&cancel, Some(Duration::from_secs(60))));
                assert_eq!(outcome, Outcome::Canceled);
            });
            cancel.cancel();
        });
    }
}
