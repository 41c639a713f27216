//! What holds for every graph, however it fails.

use std::sync::Arc;

use pipe_graph::{Forward, Mode, OnFailure, Pipe, PipeGraph, Plan, PlanRunner, Planner};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::running::clock::millis;
use crate::running::work::{Act, Work, cap, statuses};

/// A graph of up to 24 pipes that read earlier ones, what each does, and how long it takes.
fn work() -> impl Strategy<Value = (Plan, Work)> {
    let act = prop_oneof![
        6 => Just(Act::Make),
        1 => Just(Act::NoData),
        2 => Just(Act::Fail),
        1 => Just(Act::Panic),
    ];
    vec((vec(any::<prop::sample::Index>(), 0..4), act, 0u64..5), 0..24).prop_map(|pipes| {
        let mut graph = PipeGraph::builder();
        let mut work = Work::default();
        for (number, (reads, act, time)) in pipes.into_iter().enumerate() {
            let inputs: Vec<String> =
                reads.iter().filter(|_| number > 0).map(|read| format!("e{}", read.index(number))).collect();
            let id = format!("p{}", (number * 7) % 24);
            graph.add(Pipe::new(&*id, inputs, format!("e{number}")));
            work = work.act(&id, act).takes(&id, millis(time));
        }
        (Forward.plan(&Arc::new(graph.build().unwrap())).unwrap(), work)
    })
}

fn run(plan: &Plan, work: &Work, mode: Mode, most: usize, policy: OnFailure) -> (Vec<String>, Vec<String>) {
    let runner = PlanRunner::new().mode(mode).concurrency(cap(most)).on_failure(policy);
    let mut report = work.clock.block_on(runner.run(plan, work));
    let outputs = report.take_outputs().into_iter().map(|(_, made)| made.text.clone()).collect();
    assert_eq!(report.totals().sum(), plan.total_pipes());
    (statuses(&report), outputs)
}

proptest! {
    #[test]
    fn every_mode_gives_the_same_results((plan, work) in work(), most in 1usize..6) {
        for policy in [OnFailure::Continue, OnFailure::SkipDependents] {
            let expected = run(&plan, &work, Mode::Sequential, 1, policy);
            for mode in [Mode::Dataflow, Mode::Barrier] {
                prop_assert_eq!(&run(&plan, &work, mode, most, policy), &expected);
            }
        }
    }

    /// A naive model, pipe by pipe in the order of the plan.
    #[test]
    fn a_pipe_is_skipped_exactly_if_something_upstream_failed((plan, work) in work(), most in 1usize..6) {
        let (statuses, _) = run(&plan, &work, Mode::Dataflow, most, OnFailure::SkipDependents);
        let mut blamed = vec![None; plan.total_pipes()];
        for (&pipe, status) in plan.pipes().iter().zip(&statuses) {
            let id = plan.graph().id(pipe);
            let upstream = plan.graph().dependencies(pipe).iter().filter_map(|near| blamed[near.get()]).min();
            let fails = matches!(work.acts[id], Act::Fail | Act::Panic);
            blamed[pipe.get()] = upstream.or(fails.then_some(pipe));
            match upstream {
                Some(upstream) => prop_assert_eq!(status, &format!("{id}: skipped @{}", plan.graph().id(upstream))),
                None => prop_assert_eq!(status.contains("failed"), fails),
            }
        }
    }

    #[test]
    fn whoever_fails_fast_has_one_failure_and_starts_no_reader_of_it((plan, work) in work(), most in 1usize..6) {
        for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
            let (statuses, _) = run(&plan, &work, mode, most, OnFailure::FailFast);
            let failed = statuses.iter().filter(|status| status.contains("failed")).count();
            let fails = work.acts.values().any(|act| matches!(act, Act::Fail | Act::Panic));
            prop_assert_eq!(failed, usize::from(fails));
            let stopped = statuses.iter().any(|status| status.contains("cancelled") || status.contains("not_run"));
            prop_assert!(fails || !stopped);
        }
    }
}
