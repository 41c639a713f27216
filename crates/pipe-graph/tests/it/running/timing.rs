//! Time limits and further attempts.

use std::sync::Arc;
use std::time::Duration;

use pipe_graph::{
    Failure, Forward, Inputs, Mode, OnFailure, PipeTiming, PlanRunner, Planner, Retry, Runner, Task, Timing,
};

use crate::running::clock::millis;
use crate::running::work::{Act, Work, cap, listen, statuses, told};
use crate::support::graph;

fn timed(work: &Work, timing: Timing) -> PlanRunner {
    PlanRunner::new().on_failure(OnFailure::SkipDependents).timing(Arc::new(work.clock.clone()), timing)
}

#[test]
fn a_pipe_that_takes_too_long_is_dropped_and_has_failed() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: > C"])).unwrap();
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        let work = Work::default().takes("a", millis(500)).takes("c", millis(40));
        let runner = timed(&work, Timing::new().timeout(millis(50)).retry(Retry::times(3))).mode(mode);
        let report = work.clock.block_on(runner.run(&plan, &work));
        assert_eq!(statuses(&report), ["a: failed (took longer than 50ms)", "c: success", "b: skipped @a"]);
        let a = report.result(plan.graph().index("a").unwrap());
        assert_eq!((a.attempts, a.elapsed), (1, millis(50)), "not retried: it may have done its work");
        assert_eq!(work.clock.pending(), 0);
    }
}

#[test]
fn timeouts_are_retried_where_that_is_harmless() {
    let plan = Forward.plan(&graph(&["a: > A"])).unwrap();
    let work = Work::default().takes("a", millis(500));
    let retry = Retry::times(2).waits(millis(10), 3, millis(20)).timeouts();
    let runner = timed(&work, Timing::new().timeout(millis(50)).retry(retry));
    let report = work.clock.block_on(runner.run(&plan, &work));
    let a = report.result(plan.graph().index("a").unwrap());
    assert_eq!((a.attempts, a.elapsed), (3, millis(50 + 10 + 50 + 20 + 50)));
}

#[test]
fn each_pipe_can_have_its_own_time_and_retries() {
    let plan = Forward.plan(&graph(&["a.b: > A", "b: > B"])).unwrap();
    let work = Work::default().act("a.b", Act::FailTimes(2)).act("b", Act::FailTimes(1));
    let own = PipeTiming { timeout: None, retry: Retry::times(2) };
    let (runner, mut events) = listen(timed(&work, Timing::new().pipe("a.b", own)));
    let report = work.clock.block_on(runner.run(&plan, &work));
    assert_eq!(statuses(&report), ["a.b: success", "b: failed (b is broken)"]);
    assert_eq!(report.elapsed(), Duration::from_secs(3));
    let told = told(&events.drain());
    let of = |name: &str| told.iter().filter(|line| *line == name).count();
    assert_eq!((of("pipe_started a.b"), of("pipe_retrying a.b"), of("pipe_completed a.b")), (1, 2, 1));
}

#[test]
fn a_pipe_that_waits_for_its_next_attempt_keeps_nobody_waiting() {
    let plan = Forward.plan(&graph(&["a: > A", "b: > B", "c: > C"])).unwrap();
    let work = Work::default().act("a", Act::FailTimes(1)).takes("b", millis(100)).takes("c", millis(100));
    let runner = timed(&work, Timing::new().retry(Retry::times(1)));
    let report = work.clock.block_on(runner.clone().concurrency(cap(1)).run(&plan, &work));
    assert_eq!(report.elapsed(), Duration::from_secs(1), "the others ran in the meantime");
    assert_eq!(work.log(), ["a", "b", "c", "a"]);
    work.log.lock().unwrap().clear();
    work.clock.block_on(runner.mode(Mode::Sequential).run(&plan, &work));
    assert_eq!(work.log(), ["a", "a", "b", "c"], "one after the other means just that");
}

/// Says itself what is retried and when.
struct Picky(Work);

impl Runner for Picky {
    type Output = crate::running::work::Made;
    type Error = String;

    async fn run(
        &self,
        task: Task<'_>,
        inputs: Inputs<'_, Self::Output>,
    ) -> Result<Option<Self::Output>, String> {
        self.0.run(task, inputs).await
    }

    fn retry(&self, task: Task<'_>, _: &Failure<String>, delay: Duration) -> Option<Duration> {
        match task.id() {
            "hopeless" => None,
            "jitter" => Some(delay / 2),
            "panics" => panic!("even here"),
            _ => Some(Duration::MAX),
        }
    }
}

#[test]
fn the_runner_decides_what_is_worth_another_attempt_within_bounds() {
    let lines = ["hopeless: > H", "jitter: > J", "panics: > P", "patient: > X"];
    let plan = Forward.plan(&graph(&lines)).unwrap();
    let work =
        lines.iter().fold(Work::default(), |work, line| work.act(line.split(':').next().unwrap(), Act::Fail));
    let runner = timed(&work, Timing::new().retry(Retry::times(1).waits(millis(10), 1, millis(30))));
    let report = work.clock.clone().block_on(runner.run(&plan, &Picky(work)));
    let took: Vec<_> = report.results().map(|(_, result)| (result.attempts, result.elapsed)).collect();
    assert_eq!(took, [(1, millis(0)), (2, millis(5)), (1, millis(0)), (2, millis(30))]);
    assert!(statuses(&report)[2].contains("panicked: even here"));
}

#[test]
fn a_panic_is_never_retried() {
    let plan = Forward.plan(&graph(&["a: > A"])).unwrap();
    let work = Work::default().act("a", Act::Panic);
    let report = work.clock.block_on(timed(&work, Timing::new().retry(Retry::times(5))).run(&plan, &work));
    assert_eq!(report.result(plan.graph().index("a").unwrap()).attempts, 1);
}
