//! What a failed pipe means for the others.

use pipe_graph::{Failure, Forward, Mode, OnFailure, Plan, PlanRunner, Planner, Status};

use crate::running::clock::millis;
use crate::running::work::{Act, Done, Work, cap, statuses};
use crate::support::graph;

fn plan(lines: &[&str]) -> Plan {
    Forward.plan(&graph(lines)).unwrap()
}

fn run(runner: &PlanRunner, plan: &Plan, work: &Work) -> Done {
    let report = work.clock.block_on(runner.run(plan, work));
    assert_eq!(report.totals().sum(), plan.total_pipes());
    report
}

#[test]
fn fail_fast_cancels_the_queued_drops_the_running_and_does_not_start_the_rest() {
    let plan = plan(&["a: > A", "b: > B", "c: > C", "d: > D", "e: A B > E"]);
    let work = Work::default()
        .act("a", Act::Fail)
        .takes("a", millis(10))
        .takes("b", millis(50))
        .takes("c", millis(50));
    let report = run(&PlanRunner::new().concurrency(cap(2)), &plan, &work);
    assert_eq!(
        statuses(&report),
        ["a: failed (a is broken)", "b: cancelled @a", "c: cancelled @a", "d: cancelled @a", "e: not_run"]
    );
    assert_eq!(
        work.log(),
        ["a", "b"],
        "those with the longest way to go first, and nobody after the failure"
    );
    assert_eq!(work.clock.pending(), 0, "the running one was dropped");
    let b = report.result(plan.graph().index("b").unwrap());
    assert_eq!((b.attempts, b.elapsed), (1, std::time::Duration::ZERO), "no clock, no durations");
}

#[test]
fn continue_runs_everything_also_what_depends_on_the_failed() {
    let plan = plan(&["a: > A", "b: A > B", "c: > C"]);
    let work = Work::default().act("a", Act::Fail);
    let report = run(&PlanRunner::new().on_failure(OnFailure::Continue), &plan, &work);
    assert_eq!(statuses(&report), ["a: failed (a is broken)", "c: success", "b: success"]);
    assert_eq!(report.output("b").unwrap().text, "b(-)");
    assert_eq!(report.failed_pipes(), ["a"]);
}

#[test]
fn skip_dependents_skips_all_the_way_down_and_blames_the_first_by_name() {
    let lines = ["a: > A", "z: > Z", "b: A Z > B", "c: B > C", "x: > X", "y: X > Y"];
    let plan = plan(&lines);
    // The one that fails last is blamed as well as if it had failed first.
    let work = Work::default().act("a", Act::Fail).act("z", Act::Fail).takes("a", millis(10));
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        let report = run(&PlanRunner::new().mode(mode).on_failure(OnFailure::SkipDependents), &plan, &work);
        let mut statuses = statuses(&report);
        statuses.sort();
        let expected = [
            "a: failed (a is broken)",
            "b: skipped @a",
            "c: skipped @a",
            "x: success",
            "y: success",
            "z: failed (z is broken)",
        ];
        assert_eq!(statuses, expected);
    }
}

#[test]
fn a_panic_is_a_failed_pipe_and_nothing_more() {
    let plan = plan(&["a: > A", "b: > B", "c: A > C"]);
    let work = Work::default().act("a", Act::Panic);
    let report = run(&PlanRunner::new().on_failure(OnFailure::SkipDependents), &plan, &work);
    assert_eq!(statuses(&report), ["a: failed (panicked: a fell over)", "b: success", "c: skipped @a"]);
    assert!(
        matches!(report.status("a"), Some(Status::Failed(Failure::Panic(text))) if text == "a fell over")
    );
}

#[test]
fn totals_add_up_to_all_pipes_and_the_summary_says_the_same() {
    let plan = plan(&["a: > A", "b: A > B", "c: > C", "d: C > D", "e: > E"]);
    let work = Work::default().act("a", Act::Fail).act("c", Act::NoData);
    let report = run(&PlanRunner::new().on_failure(OnFailure::SkipDependents).run_id("r-1"), &plan, &work);
    let summary = serde_json::to_value(report.summary()).unwrap();
    let expected = serde_json::json!({
        "run_id": "r-1", "strategy": "batch", "total_pipes": 5, "generations_executed": 2,
        "success_count": 2, "failed_count": 1, "skipped_count": 2, "cancelled_count": 0, "not_run_count": 0,
        "duration_seconds": 0.0, "all_succeeded": false, "failed_pipes": ["a"],
    });
    assert_eq!(summary, expected);
    let generations: Vec<_> = report.generations().collect();
    assert_eq!(generations.iter().map(|generation| generation.totals.sum()).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(generations[0].failed_pipes, ["a"]);
}

#[test]
fn a_plan_without_pipes_is_over_at_once() {
    let plan = plan(&[]);
    let work = Work::default();
    let report = run(&PlanRunner::new(), &plan, &work);
    assert!(report.totals().all_succeeded());
    assert_eq!(report.results().len(), 0);
}

#[test]
fn runs_of_one_runner_do_not_know_of_each_other() {
    let plan = plan(&["a: > A", "b: A > B"]);
    let (good, bad) = (Work::default().takes("a", millis(5)), Work::default().act("a", Act::Fail));
    let runner = PlanRunner::new().on_failure(OnFailure::SkipDependents);
    let both = futures_util::future::join(runner.run(&plan, &good), runner.run(&plan, &bad));
    let (first, second) = good.clock.block_on(both);
    assert_eq!(statuses(&first), ["a: success", "b: success"]);
    assert_eq!(statuses(&second), ["a: failed (a is broken)", "b: skipped @a"]);
}
