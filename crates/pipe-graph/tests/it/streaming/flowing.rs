//! Items reach whoever reads them, in order, through queues that stay small.

use std::sync::atomic::Ordering;

use pipe_graph::{Forward, Plan, PlanStreamer, Planner, Reverse, StreamReport};

use super::works::{Streams, Twist};
use crate::running::work::{cap, statuses};
use crate::support::graph;

pub(super) fn plan(lines: &[&str]) -> Plan {
    Reverse.plan(&graph(lines)).unwrap()
}

pub(super) fn run(streamer: &PlanStreamer, plan: &Plan, work: &Streams) -> StreamReport<String> {
    let report = work.clock.block_on(streamer.run(plan, work));
    assert_eq!(work.live(), 0, "items are left");
    assert_eq!(report.pipes().totals().sum(), plan.total_pipes());
    report
}

#[test]
fn everything_arrives_once_and_in_order_by_every_way() {
    let plan = plan(&["src: > A", "x: A > X", "y: A > Y", "both: X Y > B", "only: A > O"]);
    for capacity in [1, 2, 64] {
        let work = Streams::of(500);
        let report = run(&PlanStreamer::new().capacity(cap(capacity)), &plan, &work);
        assert!(report.pipes().totals().all_succeeded());
        assert_eq!(work.kept("only"), (0..500).collect::<Vec<_>>());
        let mut both = work.kept("both");
        assert_eq!(both.len(), 1000);
        both.sort_unstable();
        both.dedup();
        assert_eq!(both.len(), 500);
    }
}

#[test]
fn pipes_start_downstream_first_and_only_when_their_readers_are_ready() {
    let plan = plan(&["src: > A", "mid: A > B", "fast: A > F", "sink: B > S"]);
    let work = Streams::of(1).twist("sink", Twist::ReadyAfter(30)).twist("mid", Twist::ReadyAfter(10));
    run(&PlanStreamer::new(), &plan, &work);
    let log = work.log();
    let place = |text: &str| log.iter().position(|line| line == text).unwrap();
    assert!(place("start sink") < place("ready sink"));
    assert!(place("ready sink") < place("start mid"));
    assert!(place("ready mid") < place("start src") && place("start fast") < place("start src"));
}

#[test]
fn a_forward_plan_streams_downstream_first_all_the_same() {
    let plan = Forward.plan(&graph(&["src: > A", "sink: A > S"])).unwrap();
    let work = Streams::of(3);
    run(&PlanStreamer::new(), &plan, &work);
    assert_eq!(work.log()[..2], ["start sink", "start src"]);
    assert_eq!(work.kept("sink"), [0, 1, 2]);
}

#[test]
fn a_slow_sink_holds_back_its_source_and_memory_stays_flat() {
    const ITEMS: u64 = 1_000_000;
    let plan = plan(&["src: > A", "mid: A > B", "slow: B > S", "quick: A > Q"]);
    let work = Streams::of(ITEMS).twist("slow", Twist::Slow(1000));
    run(&PlanStreamer::new().capacity(cap(16)), &plan, &work);
    assert_eq!(work.kept("slow").len() as u64, ITEMS);
    // Three edges of 16, one item in the hands of each of the four pipes, and one copy on its way.
    let most = work.counts.most.load(Ordering::SeqCst);
    assert!(most <= 3 * 16 + 4 + 1, "{most} items lived at once");
}

#[test]
fn a_sink_that_has_enough_ends_its_sources_in_order() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    let work = Streams::of(1_000_000).twist("sink", Twist::EndAt(10));
    let report = run(&PlanStreamer::new(), &plan, &work);
    assert!(report.pipes().totals().all_succeeded());
    assert!(work.log().contains(&"nobody reads src".to_owned()));
}

#[test]
fn told_to_stop_sources_stop_and_the_rest_runs_dry() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    let work = Streams::of(u64::MAX).twist("sink", Twist::Slow(10));
    let stop = pipe_graph::Clock::sleep(&work.clock, std::time::Duration::from_millis(20));
    let report = work.clock.block_on(PlanStreamer::new().run_until(&plan, &work, stop));
    assert_eq!(statuses(report.pipes()), ["sink: success", "mid: success", "src: cancelled"]);
    assert_eq!(work.live(), 0);
    let kept = work.kept("sink");
    assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
    assert_eq!(report.checkpoint(), 1, "what ran dry is committed");
    let (position, _) = work.positions.lock().unwrap()["src"];
    assert_eq!(position, kept.len() as u64, "the source goes on where the sink ended");
}

#[test]
fn a_stream_without_pipes_is_over_at_once() {
    assert_eq!(run(&PlanStreamer::new(), &plan(&[]), &Streams::of(1)).checkpoint(), 0);
}
