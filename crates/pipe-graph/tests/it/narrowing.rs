//! Parts of a graph.

use pipe_graph::{Forward, PipeGraph, Planner};

use crate::support::{generations, graph, kinds};

const LINES: [&str; 6] = ["a: raw > A", "b: A > B", "c: B > C", "d: A > D", "e: C D > E", "f: other > F"];

fn ids(graph: &PipeGraph) -> Vec<&str> {
    graph.indices().map(|pipe| graph.id(pipe)).collect()
}

#[test]
fn chosen_pipes_keep_the_edges_between_them() {
    let part = graph(&LINES).select(["e", "c", "a"]).unwrap();
    assert_eq!(ids(&part), ["a", "c", "e"]);
    assert_eq!(part.edge_count(), 1);
    assert_eq!(part.external_inputs(), ["B", "D", "raw"]);
    assert_eq!(generations(&Forward.plan(&part.into()).unwrap()), [vec!["a", "c"], vec!["e"]]);
}

#[test]
fn from_takes_what_lies_behind_and_until_what_lies_before() {
    let graph = graph(&LINES);
    assert_eq!(ids(&graph.from(["b", "f"]).unwrap()), ["b", "c", "e", "f"]);
    assert_eq!(ids(&graph.until(["c", "d"]).unwrap()), ["a", "b", "c", "d"]);
    assert_eq!(ids(&graph.from(["b"]).unwrap().until(["c"]).unwrap()), ["b", "c"]);
}

#[test]
fn names_the_graph_does_not_have_are_all_named() {
    let problems = graph(&LINES).select(["x", "a", "nobody", "x"]).unwrap_err();
    assert_eq!(kinds(&problems), [("missing", "nobody,x".to_owned())]);
}

#[test]
fn the_numbers_of_a_graph() {
    let stats = serde_json::to_value(graph(&LINES).stats()).unwrap();
    let expected = serde_json::json!({
        "node_count": 6, "edge_count": 5, "root_count": 2, "leaf_count": 2, "generation_count": 4, "max_parallelism": 2,
        "avg_dependencies": 0.83, "shared_entities": {"A": 2}, "total_cache_opportunities": 2,
    });
    assert_eq!(stats, expected);
    let empty = graph(&[]).stats();
    assert_eq!((empty.node_count, empty.generation_count, empty.max_parallelism), (0, 0, 0));
    assert!(empty.avg_dependencies.abs() < f64::EPSILON);
}
