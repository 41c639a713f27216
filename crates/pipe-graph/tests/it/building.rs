//! From declared pipes to a graph, and everything that can be wrong on the way.

use pipe_graph::{Pipe, PipeGraph, Problem, Producers, SelfRead};

use crate::support::{graph, kinds, pipes};

#[test]
fn edges_follow_entities_and_the_rest_is_external() {
    let graph = graph(&["b: x outside > y", "a: > x", "c: x y > z"]);
    let c = graph.index("c").unwrap();
    let ids = |pipes: &[pipe_graph::PipeIndex]| {
        pipes.iter().map(|&pipe| graph.id(pipe).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(graph.dependencies(c)), ["a", "b"]);
    assert_eq!(ids(graph.dependents(graph.index("a").unwrap())), ["b", "c"]);
    assert_eq!(graph.external_inputs(), ["outside"]);
    assert_eq!(graph.shared_inputs(), [("x", 2)]);
    assert_eq!((graph.len(), graph.edge_count()), (3, 3));
    assert_eq!(graph.index("nobody"), None);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let mut builder =
        PipeGraph::builder().request(["a", "a", "nobody", "b", "c", "d", "no"]).self_read(SelfRead::Error);
    builder.extend(pipes(&["a: B > A", "b: A > B", "c: > C", "d: > C", "c: > other", "d: C > C"]));
    let problems = builder.build().unwrap_err();
    let expected = [
        ("missing", "no,nobody"),
        ("duplicate_pipe", "c"),
        ("duplicate_pipe", "d"),
        ("duplicate_request", "a"),
        ("duplicate_producer", "c,d"),
        ("cycle", "a,b,a"),
    ];
    assert_eq!(kinds(&problems), expected.map(|(kind, ids)| (kind, ids.to_owned())));
}

#[test]
fn a_self_read_is_prior_state_by_default_and_an_error_if_asked() {
    let lines = ["a: X > X", "b: X > Y"];
    let plain = graph(&lines);
    assert!(plain.dependencies(plain.index("a").unwrap()).is_empty());
    assert_eq!(plain.edge_count(), 1);
    let mut strict = PipeGraph::builder().self_read(SelfRead::Error);
    strict.extend(pipes(&lines));
    let entity = "X".to_owned();
    assert_eq!(strict.build().unwrap_err().all(), [Problem::SelfRead { id: "a".into(), entity }]);
}

#[test]
fn several_producers_are_an_error_unless_readers_come_after_all() {
    let lines = ["p: > X", "q: Z > X", "z: > Z", "r: X > Y"];
    let problems = PipeGraph::new(pipes(&lines)).unwrap_err();
    assert_eq!(kinds(&problems), [("duplicate_producer", "p,q".to_owned())]);
    let mut builder = PipeGraph::builder().producers(Producers::All);
    builder.extend(pipes(&lines));
    let graph = builder.build().unwrap();
    assert_eq!(graph.dependencies(graph.index("r").unwrap()).len(), 2);
}

#[test]
fn an_input_named_twice_counts_once() {
    let twice = graph(&["a: x x y x > A"]);
    assert!(twice.shared_inputs().is_empty());
    assert_eq!(twice.pipe(twice.index("a").unwrap()).inputs, ["x", "y"]);
    let many: Vec<String> = (0..100).map(|n| format!("e{}", n % 30)).collect();
    let graph = PipeGraph::new([Pipe::new("many", many, "out")]).unwrap();
    assert_eq!(graph.inputs(graph.index("many").unwrap()).len(), 30);
}

#[test]
fn only_what_is_requested_is_used_unless_ancestors_are_asked_for() {
    let lines = ["a: > A", "b: A > B", "c: B > C", "loop1: L2 > L1", "loop2: L1 > L2"];
    let mut builder = PipeGraph::builder().request(["c", "a"]);
    builder.extend(pipes(&lines));
    let narrow = builder.clone().build().unwrap();
    assert_eq!((narrow.len(), narrow.edge_count()), (2, 0));
    assert_eq!(narrow.external_inputs(), ["B"]);
    let wide = builder.request(["c"]).with_ancestors().build().unwrap();
    assert_eq!(wide.indices().map(|pipe| wide.id(pipe)).collect::<Vec<_>>(), ["a", "b", "c"]);
}
