//! Power loss at every point.

use super::driver::{self, Draws};
use super::oracle::{Care, verify};
use super::workload::{History, Plan, run};
use super::{failures, is_full};
use rustdb::vfs::{CrashMode, FaultVfs, MemoryVfs, Vfs};
use std::sync::Arc;

const SEEDS: u64 = 3;

#[derive(Clone, Copy, Debug)]
struct Crash {
    point: u64,
    mode: CrashMode,
    seed: u64,
}

/// Every crash of a run, or one of `every` of them, spread evenly.
fn crashes(history: &History, every: usize) -> Vec<Crash> {
    let points = 0..=history.vfs.current_point();
    let of_point = |point| {
        CrashMode::ALL
            .into_iter()
            .flat_map(move |mode| (0..SEEDS).map(move |seed| Crash { point, mode, seed }))
    };
    let all: Vec<Crash> = points.flat_map(of_point).collect();
    let mut draws = Draws::new(history.commits.len() as u64);
    all.into_iter().filter(|_| draws.one_in(every as u64)).collect()
}

fn describe(history: &History, plan: Plan, crash: &Crash) -> String {
    let (first, last) = history.bounds(crash.point);
    let point = history.vfs.describe(crash.point);
    format!("seed {}, {crash:?}, commits {first}..={last}, {point}", plan.seed)
}

fn check(history: &History, crash: &Crash, again: u64) -> Result<(), String> {
    let image = history.vfs.crash_image(crash.point, crash.mode, crash.seed);
    let care = if crash.point % 4 == crash.seed { Care::Use } else { Care::Look };
    let survived = verify(history, &image, history.bounds(crash.point), crash.seed + 10, care)?;
    crash_again(history, &image, survived, crash, again)
}

/// Crashes at `count` points of the recovery of `image`, each of which must find the same commits again.
fn crash_again(
    history: &History,
    image: &MemoryVfs,
    survived: usize,
    crash: &Crash,
    count: u64,
) -> Result<(), String> {
    if count == 0 {
        return Ok(());
    }
    let recovery = FaultVfs::with_contents(image);
    let shared: Arc<dyn Vfs> = Arc::new(recovery.clone());
    driver::open(&shared, crash.seed + 20).map_err(|error| format!("recovering: {error}"))?;
    let mut draws = Draws::new(crash.point * 31 + crash.seed);
    for _ in 0..count {
        let point = draws.below(recovery.current_point() + 1);
        let mode = *draws.pick(&CrashMode::ALL);
        let image = recovery.crash_image(point, mode, crash.seed);
        verify(history, &image, (survived, survived), crash.seed + 30, Care::Look)
            .map_err(|problem| format!("again at {mode:?} {}: {problem}", recovery.describe(point)))?;
    }
    Ok(())
}

fn sweep(plan: Plan, sample: usize, again: u64) {
    let history = run(FaultVfs::new(), plan);
    let (every, again) = if is_full() { (1, 10) } else { (sample, again) };
    let crashes = crashes(&history, every);
    let failed =
        failures(&crashes, |crash| check(&history, crash, again), |crash| describe(&history, plan, crash));
    println!(
        "seed {}: {} points, {} commits, {} crashes, each again at {again} points",
        plan.seed,
        history.vfs.current_point(),
        history.commits.len(),
        crashes.len()
    );
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}

/// The run that is crashed at every point.
const PLAN: Plan =
    Plan { seed: 1, steps: 4000, rows: 500, sessions: 5, cut_every: 130, faulty: false, trace: false };
/// Runs that differ by their seeds.
const SMALL: Plan = Plan { seed: 100, steps: 900, rows: 60, sessions: 6, cut_every: 40, ..PLAN };

#[test]
fn the_run_covers_what_the_suite_promises() {
    let history = run(FaultVfs::new(), PLAN);
    let coverage = &history.coverage;
    println!("{} points, {} commits, {coverage:?}", history.vfs.current_point(), history.commits.len());
    assert!(history.vfs.current_point() >= 2000);
    assert!(coverage.cuts_across_transactions() >= 3);
    assert!(coverage.cuts_inside_rollback() >= 3);
    assert!(coverage.largest_redo() > 64 << 10);
    assert!(coverage.revived > 20 && coverage.back_to_old_keys > 20 && coverage.violations > 5);
    assert!(coverage.schema_changes_committed > 3 && coverage.schema_changes_undone > 3);
}

#[test]
fn a_crash_at_any_point_leaves_what_was_acknowledged() {
    sweep(PLAN, 40, 1);
}

#[test]
fn short_runs_of_many_seeds_survive_a_crash_anywhere() {
    let seeds = if is_full() { 40 } else { 6 };
    for seed in 0..seeds {
        let plan = Plan { seed: SMALL.seed * (seed + 1), ..SMALL };
        sweep(plan, if seed % 2 == 0 { 60 } else { 150 }, 1);
    }
}
