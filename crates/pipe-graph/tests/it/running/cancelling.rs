//! Dropping a run, at every place it can be dropped at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pipe_graph::{Forward, Mode, OnFailure, Plan, PlanRunner, Planner, Retry, Timing};

use crate::running::clock::millis;
use crate::running::work::{Act, Work, cap, listen, statuses, told};
use crate::support::graph;

fn small() -> (Plan, Work) {
    let lines = ["a: > A", "b: A > B", "c: A > C", "d: B C > D", "e: > E", "f: E > F"];
    let work = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .zip(1..)
        .fold(Work::default(), |work, (id, n)| work.takes(id, millis(7 * n % 10)));
    (Forward.plan(&graph(&lines)).unwrap(), work.act("c", Act::FailTimes(1)).act("f", Act::Panic))
}

/// Drops the run after each number of steps until it is long enough to end, and looks at what is left.
#[test]
fn a_run_dropped_anywhere_leaves_nothing_and_reports_every_pipe_it_started() {
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        for most in [1, 2, 16] {
            let mut cuts = 0;
            while cut_after(cuts, mode, most) {
                cuts += 1;
            }
            assert!(cuts > 10, "only {cuts} places");
        }
    }
}

fn cut_after(steps: usize, mode: Mode, most: usize) -> bool {
    let (plan, work) = small();
    let timing = Timing::new().timeout(millis(50)).retry(Retry::times(1).waits(millis(3), 1, millis(3)));
    let runner = PlanRunner::new().mode(mode).concurrency(cap(most)).on_failure(OnFailure::Continue);
    let (runner, mut events) = listen(runner.timing(Arc::new(work.clock.clone()), timing));
    let report = work.clock.block_for(steps, runner.run(&plan, &work));
    let cut = report.is_none();
    drop(report);
    assert_eq!(work.alive.load(Ordering::SeqCst), 0, "an output is left");
    assert_eq!(work.busy.load(Ordering::SeqCst), 0, "a pipe is left");
    assert_eq!(work.clock.pending(), 0, "a timer is left");
    let told = told(&events.drain());
    let of = |names: &[&str]| -> BTreeSet<String> {
        let told = told.iter().filter_map(|line| line.split_once(' '));
        told.filter(|(name, _)| names.contains(name)).map(|(_, id)| id.to_owned()).collect()
    };
    let started = of(&["pipe_started"]);
    let ended = of(&["pipe_completed", "pipe_failed", "pipe_skipped", "pipe_cancelled"]);
    assert!(started.is_subset(&ended), "{started:?} ended as {ended:?}");
    assert_eq!(work.log().into_iter().collect::<BTreeSet<_>>(), started);
    let last = if cut { "execution_failed" } else { "execution_completed" };
    assert!(steps == 0 || told.last().unwrap() == last);
    cut
}

#[test]
fn a_run_can_be_told_to_stop_and_says_how_far_it_came() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: B > C", "d: > D"])).unwrap();
    let work = Work::default().takes("b", millis(10)).takes("d", millis(1));
    let clock = work.clock.clone();
    let stop = pipe_graph::Clock::sleep(&clock, millis(5));
    let report = clock.block_on(PlanRunner::new().run_until(&plan, &work, stop));
    assert_eq!(statuses(&report), ["a: success", "d: success", "b: cancelled", "c: not_run"]);
    assert_eq!(report.totals().sum(), 4);
    assert_eq!(work.busy.load(Ordering::SeqCst), 0);
}
