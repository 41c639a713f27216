//! Nothing is recursive and nothing rescans: long and wide graphs plan in a moment.

use std::sync::Arc;

use pipe_graph::{Configured, Forward, PipeGraph, Plan, Planner, Reverse};

const CHAIN: usize = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };

fn chain(length: usize) -> Arc<PipeGraph> {
    let mut builder = PipeGraph::builder();
    builder.reserve(length);
    // From the far end, so that neither names nor declarations are in the order of the flow.
    for n in (0..length).rev() {
        builder.declare(&format!("p{n}"), [format!("e{n}")], &format!("e{}", n + 1));
    }
    Arc::new(builder.build().unwrap())
}

#[test]
fn a_very_long_chain_plans_in_every_order() {
    let graph = chain(CHAIN);
    let generation = |plan: &Plan, n: usize| plan.find_generation(&format!("p{n}")).unwrap();
    let forward = Forward.plan(&graph).unwrap();
    assert_eq!((forward.total_generations(), generation(&forward, CHAIN - 1)), (CHAIN, CHAIN - 1));
    let reverse = Reverse.plan(&graph).unwrap();
    assert_eq!((reverse.total_generations(), generation(&reverse, CHAIN - 1)), (CHAIN, 0));
    assert_eq!(Configured.plan(&graph).unwrap().max_parallelism(), 1);
    assert_eq!(graph.until([format!("p{}", CHAIN / 2)]).unwrap().len(), CHAIN / 2 + 1);
}

#[test]
fn a_very_wide_graph_has_two_generations() {
    let mut builder = PipeGraph::builder();
    builder.declare("source", [""; 0], "all");
    for n in 0..CHAIN / 4 {
        builder.declare(&format!("p{n}"), ["all"], &format!("e{n}"));
    }
    let plan = Forward.plan(&Arc::new(builder.build().unwrap())).unwrap();
    assert_eq!((plan.total_generations(), plan.max_parallelism()), (2, CHAIN / 4));
}

#[test]
fn a_very_long_ring_is_one_cycle() {
    let mut builder = PipeGraph::builder();
    for n in 0..CHAIN {
        builder.declare(&format!("p{n}"), [format!("e{n}")], &format!("e{}", (n + 1) % CHAIN));
    }
    assert_eq!(builder.build().unwrap_err().all()[0].ids().len(), CHAIN + 1);
}
