//! Calls of the disk that fail, once or for a while.

use super::driver::Draws;
use super::oracle::{Care, verify};
use super::power::SMALL;
use super::workload::{Plan, run};
use super::{ENOUGH, assert_none, failures, is_full};
use rustdb::vfs::{CrashMode, FaultVfs};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Raw errors of every Unix.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

const PLAN: Plan = Plan { seed: 7, steps: 700, rows: 40, cut_every: 35, faulty: true, ..SMALL };

#[derive(Clone, Copy, Debug)]
struct Fault {
    call: u64,
    error: i32,
}

/// Runs with one failing call; then whatever is on the disk must hold the commits that were acknowledged.
fn check(fault: &Fault, silent: &AtomicUsize) -> Result<(), String> {
    let vfs = FaultVfs::new();
    vfs.fail_at(fault.call, fault.error);
    let history = run(vfs, PLAN);
    if history.coverage.errors == 0 {
        silent.fetch_add(1, Ordering::Relaxed);
    }
    let end = history.vfs.current_point();
    for mode in CrashMode::ALL {
        let image = history.vfs.crash_image(end, mode, fault.call);
        verify(&history, &image, history.bounds(end), 100 + fault.call, Care::Use)
            .map_err(|problem| format!("{} errors, then {mode:?}: {problem}", history.coverage.errors))?;
    }
    Ok(())
}

#[test]
fn one_failing_call_ends_in_a_stated_error_and_loses_nothing() {
    let whole = run(FaultVfs::new(), PLAN);
    let calls = whole.vfs.calls();
    assert!(calls >= 500, "{calls} calls");
    let sample = if is_full() { 1 } else { 8 };
    let mut draws = Draws::new(1);
    let faults: Vec<Fault> = (0..calls)
        .flat_map(|call| [EIO, ENOSPC].map(|error| Fault { call, error }))
        .filter(|_| draws.one_in(sample))
        .collect();
    let silent = AtomicUsize::new(0);
    let failed = failures(
        &faults,
        ENOUGH,
        |fault| check(fault, &silent),
        |fault| format!("{fault:?}, {}", whole.vfs.describe(fault.call)),
    );
    let silent = silent.into_inner();
    eprintln!("{} faults of {calls} calls, {silent} of them met by nobody", faults.len());
    assert_none(&failed);
    assert!(silent * 10 < faults.len(), "{silent} of {} faults were swallowed", faults.len());
}

#[test]
fn a_full_disk_refuses_work_until_there_is_room() {
    let full = run(FaultVfs::new(), PLAN).vfs.used_space();
    let step = if is_full() { 1 } else { 5 };
    let runs: Vec<u64> = (1..60).step_by(step).map(|part| full * part / 100 + (64 << 10)).collect();
    let refusing = AtomicUsize::new(0);
    let check = |space: &u64| {
        let history = run(FaultVfs::new(), Plan { space: *space, ..PLAN });
        let end = history.vfs.current_point();
        if history.coverage.errors > 0 && history.commits.len() > 20 {
            refusing.fetch_add(1, Ordering::Relaxed);
        }
        let image = history.vfs.crash_image(end, CrashMode::Drop, 1);
        verify(&history, &image, history.bounds(end), 1, Care::Use).map(drop)
    };
    assert_none(&failures(&runs, ENOUGH, check, |space| format!("{space} of {full} bytes")));
    let refusing = refusing.into_inner();
    eprintln!("{} runs, {refusing} of them went on after a refusal", runs.len());
    assert!(refusing * 3 > runs.len());
}
