//! Cycles: one shortest for every group, closed, and the same however the pipes are declared.

use pipe_graph::{Pipe, PipeGraph};

use crate::support::{Numbers, kinds, pipes};

fn cycles(pipes: Vec<Pipe>) -> Vec<String> {
    let problems = PipeGraph::new(pipes).unwrap_err();
    kinds(&problems).into_iter().filter(|(kind, _)| *kind == "cycle").map(|(_, ids)| ids).collect()
}

#[test]
fn the_shortest_is_named_and_nothing_that_is_no_cycle() {
    // The first design also reported a, b, c here.
    assert_eq!(cycles(pipes(&["a: B > A", "b: A > B", "c: A > C"])), ["a,b,a"]);
    assert_eq!(cycles(pipes(&["a: E > A", "b: A > B", "c: B > C", "d: C > D", "e: D B > E"])), ["a,b,e,a"]);
}

#[test]
fn the_message_shows_the_chain_closed() {
    let problems = PipeGraph::new(pipes(&["x: Y > X", "y: X > Y"])).unwrap_err();
    assert_eq!(problems.to_string(), "cycle: \"x\" → \"y\" → \"x\"");
}

#[test]
fn every_group_has_its_own_whatever_the_order_of_declaration() {
    let mut all =
        pipes(&["p: Q > P", "q: P > Q", "a: C > A", "b: A > B", "c: B > C", "free: A > F", "late: F > L"]);
    let mut numbers = Numbers(1);
    for _ in 0..50 {
        for place in (1..all.len()).rev() {
            all.swap(place, numbers.below(place + 1));
        }
        assert_eq!(cycles(all.clone()), ["a,b,c,a", "p,q,p"]);
    }
}

#[test]
fn a_cycle_outside_the_request_is_no_error() {
    let mut builder = PipeGraph::builder().request(["c"]);
    builder.extend(pipes(&["a: B > A", "b: A > B", "c: A > C"]));
    assert_eq!(builder.build().unwrap().external_inputs(), ["A"]);
}

#[test]
fn a_ring_of_many_and_a_thicket_are_searched_in_reasonable_time() {
    let ring =
        |n: usize| Pipe::new(format!("p{n:06}"), [format!("e{}", (n + 49_999) % 50_000)], format!("e{n}"));
    assert_eq!(cycles((0..50_000).map(ring).collect())[0].split(',').count(), 50_001);
    let mut numbers = Numbers(7);
    let tangled = (0..3000).map(|n| {
        let inputs: Vec<String> = (0..5).map(|_| format!("e{}", numbers.below(3000))).collect();
        Pipe::new(format!("p{n:04}"), inputs, format!("e{n}"))
    });
    assert!(cycles(tangled.collect()).iter().all(|cycle| cycle.split(',').count() <= 9));
}

#[test]
fn a_hub_with_many_loops_and_many_makers_of_one_entity_take_a_moment() {
    let spokes = 20_000;
    let mut builder = PipeGraph::builder();
    let back: Vec<String> = (0..spokes).map(|n| format!("t{n}")).collect();
    builder.declare("hub", &back, "out");
    for n in 0..spokes {
        builder.declare(&format!("s{n:06}"), ["out"], &format!("s{n}"));
        builder.declare(&format!("t{n:06}"), [format!("s{n}")], &format!("t{n}"));
    }
    let problems = builder.build().unwrap_err();
    assert_eq!(kinds(&problems), [("cycle", "hub,s000000,t000000,hub".to_owned())]);
    // Drawn out, these would be 400 million edges.
    let mut builder = PipeGraph::builder();
    for n in 0..spokes {
        builder.declare(&format!("maker{n}"), ["raw"], "all").declare(
            &format!("reader{n}"),
            ["all"],
            &format!("r{n}"),
        );
    }
    assert_eq!(builder.build().unwrap_err().all()[0].ids().len(), spokes);
}
