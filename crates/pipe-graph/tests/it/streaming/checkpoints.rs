//! Checkpoints: committed downstream first, and a place to go on from.

use std::num::NonZeroU64;

use pipe_graph::PlanStreamer;

use super::flowing::{plan, run};
use super::works::{Streams, Twist};
use crate::running::work::{cap, listen_to, told};

const LINES: [&str; 5] = ["s1: > A", "s2: > B", "join: A B > J", "left: J > L", "right: J > R"];

fn every(items: u64) -> PlanStreamer {
    PlanStreamer::new().capacity(cap(4)).checkpoint_every(NonZeroU64::new(items).unwrap())
}

#[test]
fn a_pipe_commits_after_all_that_read_from_it() {
    let plan = plan(&LINES);
    let work = Streams::of(100);
    let report = run(&every(10), &plan, &work);
    let commits: Vec<String> = work.log().into_iter().filter(|line| line.starts_with("commit")).collect();
    assert_eq!(commits.len() as u64, 5 * report.checkpoint());
    assert!(report.checkpoint() > 5, "{}", report.checkpoint());
    for number in 1..=report.checkpoint() {
        let place =
            |id: &str| commits.iter().position(|line| *line == format!("commit {id} {number}")).unwrap();
        for (upstream, downstream) in [("s1", "join"), ("s2", "join"), ("join", "left"), ("join", "right")] {
            assert!(place(downstream) < place(upstream), "checkpoint {number}");
        }
    }
}

#[test]
fn all_is_committed_once_at_the_end_also_without_checkpoints_on_the_way() {
    let work = Streams::of(7);
    let report = run(&PlanStreamer::new(), &plan(&["src: > A", "sink: A > S"]), &work);
    assert_eq!(work.log()[4..], ["commit sink 1", "commit src 1"]);
    assert_eq!((report.checkpoint(), work.positions.lock().unwrap()["src"].0), (1, 7));
}

#[test]
fn a_source_that_ends_early_holds_up_no_checkpoint() {
    let plan = plan(&["long: > A", "short: > B", "join: A B > J"]);
    let work = Streams::of(300);
    work.positions.lock().unwrap().insert("short".to_owned(), (295, 295));
    let report = run(&every(20), &plan, &work);
    assert!(report.checkpoint() > 10, "{}", report.checkpoint());
}

/// Fails at every possible item once, goes on from the last checkpoint, and compares what the sink has received.
#[test]
fn a_stream_that_goes_on_after_a_failure_loses_nothing_and_repeats_only_what_was_not_committed() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    for fail_at in 1..=60 {
        let broken = Streams::of(60).twist("mid", Twist::FailAt(fail_at));
        let report = run(&every(7), &plan, &broken);
        let checkpoint = report.checkpoint();
        let (position, _) = broken.positions.lock().unwrap().get("src").copied().unwrap_or_default();
        let before = broken.kept("sink");
        let src = plan.graph().index("src").unwrap();
        assert_eq!(report.committed(src), checkpoint, "sources commit last");

        let mut again = broken.clone();
        again.twists.clear();
        again.positions.lock().unwrap().insert("src".to_owned(), (position, position));
        let report = run(&every(7).resume(checkpoint), &plan, &again);
        assert!(report.checkpoint() > checkpoint);
        let all = again.kept("sink");
        let repeated = &all[before.len()..];
        assert_eq!(repeated, (position..60).collect::<Vec<_>>(), "goes on exactly where the source was");
        assert!(before.iter().copied().eq(0..before.len() as u64));
        assert!(before.len() as u64 >= position, "nothing committed is missing");
        // Between two checkpoints, and what is on its way while one is open.
        assert!(before.len() as u64 - position <= 7 + 3 * (4 + 1) + 7, "{} of {position}", before.len());
    }
}

/// Drops a run after each number of steps, as a crash would, and goes on from what was committed by then.
#[test]
fn a_stream_that_goes_on_after_a_crash_loses_nothing_wherever_it_was() {
    let mut steps = 0;
    while crash_after(steps) {
        steps += 1;
    }
    assert!(steps > 50, "only {steps} places");
}

fn crash_after(steps: usize) -> bool {
    const ITEMS: u64 = 40;
    let plan = plan(&["s1: > A", "s2: > B", "join: A B > J", "sink: J > S"]);
    let work = Streams::of(ITEMS).twist("sink", Twist::Slow(3));
    let cut = work.clock.block_for(steps, every(5).run(&plan, &work)).is_none();
    let history = work.history.lock().unwrap().clone();
    // Where a source was: known for the last checkpoint that all sources have committed.
    let last =
        |id: &str| history.keys().filter(|(of, _)| of == id).map(|(_, number)| *number).max().unwrap_or(0);
    let checkpoint = last("s1").min(last("s2"));
    let position = |id: &str| history.get(&(id.to_owned(), checkpoint)).copied().unwrap_or(0);
    let positions = ["s1", "s2"].map(|id| (id.to_owned(), (position(id), position(id))));
    *work.positions.lock().unwrap() = positions.clone().into();
    let report = work.clock.block_on(every(5).resume(checkpoint).run(&plan, &work));
    assert!(report.pipes().totals().all_succeeded() && report.checkpoint() > checkpoint);
    let kept = work.kept("sink");
    let safe = positions.iter().map(|(_, (position, _))| *position).min().unwrap();
    for number in 0..ITEMS {
        let times = kept.iter().filter(|kept| **kept == number).count();
        assert!(times >= 2, "{number} of one of the two sources is lost after {steps} steps");
        assert!(number >= safe || times == 2, "{number} was committed and came {times} times");
    }
    cut
}

#[test]
fn a_commit_that_fails_fails_its_pipe_and_nobody_upstream_commits() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    let work = Streams::of(60).twist("mid", Twist::FailCommit(2));
    let report = run(&every(7), &plan, &work);
    assert_eq!(report.checkpoint(), 1);
    let committed = |id| report.committed(plan.graph().index(id).unwrap());
    assert_eq!((committed("sink"), committed("mid"), committed("src")), (2, 1, 1));
    assert_eq!(report.pipes().failed_pipes(), ["mid"]);
    assert!(!work.log().contains(&"commit src 2".to_owned()));
}

#[test]
fn commits_are_told() {
    let (streamer, mut events) = listen_to(|sink| PlanStreamer::new().listener(sink));
    run(&streamer, &plan(&["src: > A", "sink: A > S"]), &Streams::of(3));
    assert_eq!(
        told(&events.drain()),
        [
            "plan_generated",
            "execution_started",
            "pipe_started sink",
            "pipe_started src",
            "pipe_completed src",
            "pipe_completed sink",
            "checkpoint_committed sink",
            "checkpoint_committed src",
            "execution_completed",
        ]
    );
}
