//! Plans as the tags of the pipes ask for.

use std::sync::Arc;

use pipe_graph::{Configured, Order, Pipe, PipeGraph, Plan, Planner, Problems};

use crate::support::{generations, kinds, pipe};

fn plan(lines: &[(&str, &str)]) -> Result<Plan, Problems> {
    let tagged = |&(line, mode): &(&str, &str)| -> Pipe {
        let pipe = pipe(line);
        if mode.is_empty() { pipe } else { pipe.tag("processing_mode", mode) }
    };
    Configured.plan(&Arc::new(PipeGraph::new(lines.iter().map(tagged)).unwrap()))
}

#[test]
fn without_tags_it_is_batch() {
    let plan = plan(&[("a: > A", ""), ("b: A > B", " Batch ")]).unwrap();
    assert_eq!((plan.strategy(), plan.order()), ("config_based", Order::Forward));
    assert_eq!(plan.metadata()["detected_mode"], "batch");
    assert_eq!(plan.metadata()["mode_source"], "pipe_tags");
    assert_eq!(plan.metadata()["description"], "Config-based batch execution");
    assert_eq!(plan.metadata()["execution_order"], "forward");
}

#[test]
fn a_streaming_pipe_takes_those_it_is_connected_to_along_and_says_whom() {
    let plan = plan(&[("a: > A", "batch"), ("b: A > B", " STREAMING "), ("c: A > C", "")]).unwrap();
    assert_eq!(plan.order(), Order::Reverse);
    assert_eq!(generations(&plan), [vec!["b", "c"], vec!["a"]]);
    assert_eq!(plan.metadata()["detected_mode"], "streaming");
    assert_eq!(plan.metadata()["checkpoint_order"], "downstream_first");
    assert_eq!(plan.metadata()["overruled"], serde_json::json!(["a"]));
}

#[test]
fn parts_that_are_not_connected_keep_their_own_way() {
    let lines =
        [("a: > A", ""), ("b: A > B", ""), ("s: raw > S", "streaming"), ("t: S > T", ""), ("u: T > U", "")];
    let plan = plan(&lines).unwrap();
    assert_eq!(plan.order(), Order::Mixed);
    assert_eq!(generations(&plan), [vec!["a", "u"], vec!["b", "t"], vec!["s"]]);
    assert_eq!(plan.metadata()["streaming_pipes"], serde_json::json!(["s", "t", "u"]));
    let graph = plan.graph();
    let direction = |id| plan.direction(graph.index(id).unwrap());
    assert_eq!(["a", "b"].map(direction), [Order::Forward; 2]);
    assert_eq!(["s", "t", "u"].map(direction), [Order::Reverse; 3]);
}

#[test]
fn every_unknown_mode_is_an_error() {
    let problems = plan(&[("a: > A", "stream"), ("b: A > B", "streaming"), ("c: > C", "")]).unwrap_err();
    assert_eq!(kinds(&problems), [("unknown_mode", "a".to_owned())]);
    assert!(problems.to_string().contains("\"stream\""), "{problems}");
    assert!(plan(&[("a: > A", "x"), ("b: A > B", "")]).is_err());
}
