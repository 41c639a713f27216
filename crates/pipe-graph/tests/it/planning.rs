//! Plans: forward, reverse, as configured, and from outside.

use pipe_graph::{Forward, Order, Planner, Reverse};

use crate::support::{UNBALANCED, generations, graph};

#[test]
fn streaming_layers_the_reversed_graph_and_not_the_reversed_batch() {
    let graph = graph(&["a: > A", "d: > D", "b: A > B", "x: D > X", "c: B > C", "e: C > E"]);
    let batch = Forward.plan(&graph).unwrap();
    assert_eq!(generations(&batch), [vec!["a", "d"], vec!["b", "x"], vec!["c"], vec!["e"]]);
    let streaming = Reverse.plan(&graph).unwrap();
    assert_eq!(generations(&streaming), [vec!["e", "x"], vec!["c", "d"], vec!["b"], vec!["a"]]);
}

#[test]
fn a_plan_answers_where_and_how_wide() {
    let plan = Forward.plan(&graph(&UNBALANCED)).unwrap();
    assert_eq!((plan.total_pipes(), plan.total_generations(), plan.max_parallelism()), (5, 4, 2));
    assert_eq!((plan.strategy(), plan.order()), ("batch", Order::Forward));
    assert_eq!(plan.find_generation("c"), Some(2));
    assert_eq!(plan.find_generation("nobody"), None);
    assert!(plan.generation(4).is_none());
    let first = plan.generation(1).unwrap();
    assert_eq!((first.number(), first.len(), first.contains("b"), first.contains("a")), (1, 1, true, false));
    assert_eq!(first.dependency_ids(), ["a"]);
}
