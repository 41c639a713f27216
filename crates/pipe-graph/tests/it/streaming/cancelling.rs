//! Dropping a stream, at every place it can be dropped at.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use pipe_graph::{OnStreamFailure, PlanStreamer};

use super::flowing::plan;
use super::works::{Streams, Twist};
use crate::running::work::{cap, listen_to, told};

#[test]
fn a_stream_dropped_anywhere_leaves_nothing_and_reports_every_pipe_it_started() {
    let mut cuts = 0;
    while cut_after(cuts) {
        cuts += 1;
    }
    assert!(cuts > 30, "only {cuts} places");
}

fn cut_after(steps: usize) -> bool {
    let plan = plan(&["s1: > A", "s2: > B", "join: A B > J", "bad: A > X", "slow: J > L", "sink: J > R"]);
    let work = Streams::of(60)
        .twist("slow", Twist::Slow(3))
        .twist("bad", Twist::PanicAt(40))
        .twist("join", Twist::ReadyAfter(2));
    let (streamer, mut events) = listen_to(|sink| {
        let streamer = PlanStreamer::new().capacity(cap(2)).checkpoint_every(NonZeroU64::new(5).unwrap());
        streamer.on_failure(OnStreamFailure::StopBranch).listener(sink)
    });
    let report = work.clock.block_for(steps, streamer.run(&plan, &work));
    let cut = report.is_none();
    assert_eq!((work.live(), work.clock.pending()), (0, 0), "an item or a timer is left");
    let told = told(&events.drain());
    let of = |names: &[&str]| -> BTreeSet<String> {
        let told = told.iter().filter_map(|line| line.split_once(' '));
        told.filter(|(name, _)| names.contains(name)).map(|(_, id)| id.to_owned()).collect()
    };
    let started = of(&["pipe_started"]);
    assert_eq!(of(&["pipe_completed", "pipe_failed", "pipe_cancelled"]), started);
    let count = |what: &str| work.log().iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("start"), count("end"), "a pipe is left");
    let last = if cut { "execution_failed" } else { "execution_completed" };
    assert!(steps == 0 || told.last().unwrap() == last);
    cut
}

#[test]
fn a_dropped_stream_ends_its_pipes_last_started_first() {
    let plan = plan(&["src: > A", "mid: A > B", "sink: B > S"]);
    let work = Streams::of(1000).twist("sink", Twist::Slow(1));
    assert!(work.clock.block_for(9, PlanStreamer::new().run(&plan, &work)).is_none());
    assert_eq!(work.log(), ["start sink", "start mid", "start src", "end src", "end mid", "end sink"]);
}
