//! What holds for every stream, however it is laid out.

use std::num::NonZeroU64;
use std::sync::Arc;

use pipe_graph::{OnStreamFailure, Pipe, PipeGraph, PipeIndex, Plan, PlanStreamer, Planner, Reverse};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::flowing::run;
use super::works::{Streams, Twist};
use crate::running::work::cap;

/// A graph of up to 12 pipes, each of which reads up to three earlier ones.
fn plans() -> impl Strategy<Value = Plan> {
    vec(vec(any::<Index>(), 0..4), 1..12).prop_map(|pipes| {
        let pipes = pipes.into_iter().enumerate().map(|(number, reads)| {
            let reads = reads.iter().filter(|_| number > 0).map(|read| format!("e{}", read.index(number)));
            Pipe::new(format!("p{number:02}"), reads.collect::<Vec<_>>(), format!("e{number}"))
        });
        Reverse.plan(&Arc::new(PipeGraph::new(pipes).unwrap())).unwrap()
    })
}

fn streamer(capacity: usize, every: u64) -> PlanStreamer {
    PlanStreamer::new().capacity(cap(capacity)).checkpoint_every(NonZeroU64::new(every).unwrap())
}

/// By pipe: in how many ways an item of a source gets there.
fn ways(plan: &Plan) -> Vec<usize> {
    let graph = plan.graph();
    let mut ways = vec![0; graph.len()];
    for pipe in plan.pipes().iter().rev() {
        let near = graph.dependencies(*pipe);
        let sum = near.iter().map(|near| ways[near.get()]).sum();
        ways[pipe.get()] = if near.is_empty() { 1 } else { sum };
    }
    ways
}

proptest! {
    #[test]
    fn every_item_arrives_by_every_way(
        plan in plans(), capacity in 1usize..4, every in 1u64..8, slow in 1u64..5, at in any::<Index>(),
    ) {
        const ITEMS: usize = 25;
        let slow_one = plan.graph().id(plan.pipes()[at.index(plan.total_pipes())]);
        let work = Streams::of(ITEMS as u64).twist(slow_one, Twist::Slow(slow));
        let report = run(&streamer(capacity, every), &plan, &work);
        prop_assert!(report.pipes().totals().all_succeeded());
        let (graph, ways) = (plan.graph(), ways(&plan));
        for sink in graph.leaves().filter(|sink| !graph.dependencies(*sink).is_empty()) {
            prop_assert_eq!(work.kept(graph.id(sink)).len(), ITEMS * ways[sink.get()]);
        }
        prop_assert!(graph.indices().all(|pipe| report.committed(pipe) == report.checkpoint()));
    }

    #[test]
    fn a_stream_with_a_failure_ends_and_nobody_commits_more_than_those_it_sends_to(
        plan in plans(), capacity in 1usize..4, every in 1u64..8, fail in 1u64..40, at in any::<Index>(), stop: bool,
    ) {
        let failing = plan.graph().id(plan.pipes()[at.index(plan.total_pipes())]);
        let work = Streams::of(25).twist(failing, Twist::FailAt(fail));
        let policy = if stop { OnStreamFailure::StopRun } else { OnStreamFailure::StopBranch };
        let report = run(&streamer(capacity, every).on_failure(policy), &plan, &work);
        let graph = plan.graph();
        let committed = |pipe: PipeIndex| report.committed(pipe);
        for pipe in graph.indices() {
            prop_assert!(graph.dependents(pipe).iter().all(|reader| committed(pipe) <= committed(*reader)));
            prop_assert!((report.checkpoint()..=report.checkpoint() + 1).contains(&committed(pipe)));
        }
        // What is undone was started, and the last started is undone first.
        let log = work.log();
        let of = |what: &str| -> Vec<String> {
            let lines = log.iter().filter_map(|line| line.strip_prefix(what));
            lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        let (started, undone) = (of("start "), of("undo "));
        // One that was dropped before its first poll has noted nothing.
        let place = |id: &String| started.iter().position(|started| started == id);
        let places: Vec<usize> = undone.iter().filter_map(place).collect();
        let descending = places.windows(2).all(|pair| pair[0] > pair[1]);
        prop_assert!(descending, "{:?} undone as {:?}", started, undone);
    }
}
