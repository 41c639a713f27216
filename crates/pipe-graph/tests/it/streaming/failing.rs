//! A failed pipe stops the run, or its branch; what was started is stopped and undone, last started first.

use pipe_graph::{OnStreamFailure, PlanStreamer};

use super::flowing::{plan, run};
use super::works::{Streams, Twist};
use crate::running::work::statuses;

const TWO: [&str; 6] = ["src: > A", "l1: A > L", "l2: L > LL", "r1: A > R", "r2: R > RR", "r0: > Z"];

fn ends(work: &Streams, what: &str) -> Vec<String> {
    let log = work.log().into_iter();
    log.filter_map(|line| Some(line.strip_prefix(what)?.trim().to_owned())).collect()
}

#[test]
fn the_run_stops_and_is_undone_in_reverse_order_of_its_start() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    for twist in [Twist::FailAt(5), Twist::PanicAt(5)] {
        let work = Streams::of(1000).twist("mid", twist);
        let report = run(&PlanStreamer::new(), &plan, &work);
        assert_eq!(ends(&work, "start"), ["sink", "mid", "src"]);
        assert_eq!(ends(&work, "end"), ["mid", "src", "sink"], "after the one that failed");
        assert_eq!(ends(&work, "undo"), ["src 0", "mid 0", "sink 0"]);
        assert!(ends(&work, "commit").is_empty());
        let statuses = statuses(report.pipes());
        assert_eq!((&*statuses[0], &*statuses[2]), ("sink: cancelled @mid", "src: cancelled @mid"));
        assert!(statuses[1].starts_with("mid: failed"));
    }
}

#[test]
fn a_branch_stops_with_all_that_feeds_only_it_and_the_rest_goes_on() {
    let plan = plan(&TWO);
    let work = Streams::of(1000).twist("l1", Twist::FailAt(5));
    let report = run(&PlanStreamer::new().on_failure(OnStreamFailure::StopBranch), &plan, &work);
    let mut statuses = statuses(report.pipes());
    statuses.sort();
    let expected = [
        "l1: failed (l1 is broken)",
        "l2: cancelled @l1",
        "r0: success",
        "r1: success",
        "r2: success",
        "src: success",
    ];
    assert_eq!(statuses, expected);
    assert_eq!(work.kept("r2").len(), 1000);
    assert_eq!(ends(&work, "undo"), ["l1 0", "l2 0"]);
    assert_eq!(
        report.checkpoint(),
        0,
        "what the branch lost can only be sent again if the source did not commit"
    );
}

#[test]
fn the_last_reader_to_fail_takes_its_producers_along() {
    let plan = plan(&["src: > A", "l: A > L", "r: A > R"]);
    let work = Streams::of(1000).twist("l", Twist::FailAt(5)).twist("r", Twist::FailAt(50));
    let report = run(&PlanStreamer::new().on_failure(OnStreamFailure::StopBranch), &plan, &work);
    assert_eq!(
        statuses(report.pipes()),
        ["l: failed (l is broken)", "r: failed (r is broken)", "src: cancelled @r"]
    );
}

#[test]
fn producers_of_a_pipe_that_fails_before_it_is_ready_are_not_run() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S", "own: > O"]);
    for policy in [OnStreamFailure::StopRun, OnStreamFailure::StopBranch] {
        let report = Broken::run(&PlanStreamer::new().on_failure(policy), &plan);
        let statuses = statuses(report.pipes());
        assert!(statuses.contains(&"sink: failed (no)".to_owned()));
        assert!(
            statuses.contains(&"src: not_run".to_owned()) && statuses.contains(&"mid: not_run".to_owned())
        );
    }
}

/// Its sink fails at once.
struct Broken;

impl Broken {
    fn run(streamer: &PlanStreamer, plan: &pipe_graph::Plan) -> pipe_graph::StreamReport<String> {
        crate::running::clock::Virtual::default().block_on(streamer.run(plan, &Self))
    }
}

impl pipe_graph::StreamRunner for Broken {
    type Item = ();
    type Error = String;

    async fn run(&self, task: pipe_graph::Task<'_>, mut flow: pipe_graph::Flow<()>) -> Result<(), String> {
        if task.id() == "sink" {
            return Err("no".to_owned());
        }
        while flow.recv().await.is_some() {}
        Ok(())
    }
}
