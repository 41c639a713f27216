//! The shapes people draw, in both orders: what the first design was tested with.

use pipe_graph::{CacheOptions, Forward, PipeGraph, Planner, Producers, Reverse};

use crate::support::{generations, graph, pipes};

fn both(lines: &[&str]) -> (Vec<String>, Vec<String>) {
    let graph = graph(lines);
    let short = |planner: &dyn Planner| -> Vec<String> {
        generations(&planner.plan(&graph).unwrap()).into_iter().map(|ids| ids.join(" ")).collect()
    };
    (short(&Forward), short(&Reverse))
}

#[track_caller]
fn assert_orders(lines: &[&str], forward: &[&str], reverse: &[&str]) {
    let (batch, streaming) = both(lines);
    assert_eq!(batch, forward);
    assert_eq!(streaming, reverse);
}

#[test]
fn a_line() {
    assert_orders(
        &["sink: B > C", "middle: A > B", "source: > A"],
        &["source", "middle", "sink"],
        &["sink", "middle", "source"],
    );
}

#[test]
fn pipes_side_by_side() {
    assert_orders(&["a: x > A", "b: y > B", "c: > C"], &["a b c"], &["a b c"]);
}

#[test]
fn a_diamond() {
    let lines = ["top: > T", "left: T > L", "right: T > R", "bottom: L R > B"];
    assert_orders(&lines, &["top", "left right", "bottom"], &["bottom", "left right", "top"]);
}

#[test]
fn two_chains() {
    let lines = ["a1: > A1", "a2: A1 > A2", "a3: A2 > A3", "b1: > B1", "b2: B1 > B2", "b3: B2 > B3"];
    assert_orders(&lines, &["a1 b1", "a2 b2", "a3 b3"], &["a3 b3", "a2 b2", "a1 b1"]);
}

#[test]
fn one_source_with_many_sinks() {
    let lines = ["read: events > E", "db: E > D", "lake: E > L", "warehouse: E > W"];
    assert_orders(&lines, &["read", "db lake warehouse"], &["db lake warehouse", "read"]);
    let plan = Reverse.plan(&graph(&lines)).unwrap();
    assert_eq!(plan.metadata()["checkpoint_order"], "downstream_first");
    assert_eq!(plan.metadata()["description"], "Sinks → Sources (streaming processing)");
}

#[test]
fn bronze_silver_gold() {
    let lines = [
        "bronze_customers: c.csv > b.c",
        "bronze_orders: o.csv > b.o",
        "bronze_products: p.csv > b.p",
        "silver_customers: b.c > s.c",
        "silver_orders: b.o > s.o",
        "silver_products: b.p > s.p",
        "gold_baskets: s.o s.p > g.b",
        "gold_people: s.c s.o > g.p",
        "platinum: g.b g.p > report",
    ];
    let plan = Forward.plan(&graph(&lines)).unwrap();
    assert_eq!((plan.total_pipes(), plan.total_generations(), plan.max_parallelism()), (9, 4, 3));
    assert_eq!(plan.metadata()["description"], "Sources → Sinks (batch processing)");
    assert_eq!(plan.metadata()["cache_candidate_entities"], serde_json::json!(["s.o"]));
    assert_eq!(
        plan.generation(2).unwrap().dependency_ids(),
        ["silver_customers", "silver_orders", "silver_products"]
    );
    let summary = plan.summary();
    assert_eq!((summary.avg_pipes_per_generation, summary.generation_sizes), (2.25, vec![3, 3, 2, 1]));
}

#[test]
fn no_pipes_make_a_plan_without_generations_and_nothing_to_keep() {
    let graph = graph(&[]);
    for planner in [&Forward as &dyn Planner, &Reverse] {
        let plan = planner.plan(&graph).unwrap();
        assert_eq!((plan.total_generations(), plan.max_parallelism(), plan.pipes().len()), (0, 0, 0));
        assert!(plan.recommend_caches(&CacheOptions::default()).is_empty());
        assert!(plan.summary().avg_pipes_per_generation.abs() < f64::EPSILON);
    }
}

#[test]
fn a_producer_that_reads_itself_is_planned_the_same_in_any_order_of_declaration() {
    let lines = ["first: > X", "merge: X > X", "reader: X > Y"];
    let plan = |lines: &[&str]| {
        let mut builder = PipeGraph::builder().producers(Producers::All);
        builder.extend(pipes(lines));
        let graph = std::sync::Arc::new(builder.build().unwrap());
        generations(&Forward.plan(&graph).unwrap()).into_iter().map(|ids| ids.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(plan(&lines), ["first", "merge", "reader"]);
    assert_eq!(plan(&[lines[2], lines[1], lines[0]]), ["first", "merge", "reader"]);
}
