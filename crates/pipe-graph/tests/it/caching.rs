//! What is worth keeping, and until when.

use std::time::Duration;

use pipe_graph::{CacheOptions, CacheReason, Configured, Forward, Pipe, PipeGraph, Planner, Reverse};

use crate::support::{graph, pipes};

const LINES: [&str; 6] =
    ["m: raw > A", "p: A raw > P", "q: A P > Q", "r: Q raw > R", "s: S S > T", "u: X > U"];

#[test]
fn an_entity_is_recommended_when_more_than_one_pipe_reads_it() {
    let plan = Forward.plan(&graph(&LINES)).unwrap();
    let found = plan.recommend_caches(&CacheOptions::default());
    let short: Vec<_> =
        found.iter().map(|one| (one.entity.as_str(), one.held_from, one.release_after)).collect();
    assert_eq!(short, [("A", 0, 2), ("raw", 0, 3)]);
    assert_eq!(found[0].consumers, ["p", "q"]);
    assert_eq!(found[1].last_readers, ["r"]);
    assert_eq!((found[0].level.as_str(), found[0].reason), ("MEMORY_AND_DISK", CacheReason::SharedInput));
}

#[test]
fn the_metadata_of_a_batch_plan_names_what_to_keep_and_a_stream_keeps_nothing() {
    let graph = graph(&LINES);
    let batch = Forward.plan(&graph).unwrap();
    assert_eq!(batch.metadata()["cache_recommendations"]["raw"], "MEMORY_AND_DISK");
    assert_eq!(batch.metadata()["cache_candidate_count"], 2);
    assert_eq!(batch.metadata()["cache_candidate_entities"], serde_json::json!(["A", "raw"]));
    let stream = Reverse.plan(&graph).unwrap();
    assert_eq!(stream.metadata()["cache_candidate_count"], 0);
    assert!(stream.recommend_caches(&CacheOptions::default()).is_empty());
}

#[test]
fn under_a_memory_limit_what_saves_most_per_byte_is_kept() {
    let plan = Forward.plan(&graph(&LINES)).unwrap();
    let mut options = CacheOptions { memory_limit: Some(100), ..CacheOptions::default() };
    options.bytes.extend([("A".to_owned(), 60), ("raw".to_owned(), 60)]);
    options.cost.insert("A".to_owned(), Duration::from_secs(9));
    options.cost.insert("raw".to_owned(), Duration::from_secs(1));
    let kept = |options: &CacheOptions| -> Vec<_> {
        plan.recommend_caches(options).into_iter().map(|one| (one.keep, one.reason)).collect()
    };
    assert_eq!(kept(&options), [(true, CacheReason::SharedInput), (false, CacheReason::MemoryLimit)]);
    options.cost.insert("raw".to_owned(), Duration::from_secs(90));
    assert_eq!(kept(&options)[1], (true, CacheReason::SharedInput));
    options.bytes.remove("A");
    assert_eq!(kept(&options)[0], (false, CacheReason::SizeUnknown));
}

#[test]
fn entities_that_are_never_held_together_share_the_memory() {
    let graph = graph(&["a: x > A", "b: x > B", "c: A B y > C", "d: C y > D", "e: C > E"]);
    let plan = Forward.plan(&graph).unwrap();
    let mut options = CacheOptions { memory_limit: Some(10), ..CacheOptions::default() };
    options.bytes.extend(["x", "y"].map(|entity| (entity.to_owned(), 10)));
    let kept: Vec<_> =
        plan.recommend_caches(&options).into_iter().filter(|one| one.keep).map(|one| one.entity).collect();
    assert_eq!(kept, ["x", "y"]);
}

#[test]
fn a_mixed_plan_keeps_what_its_batch_parts_share() {
    let mut all = pipes(&["a: raw > A", "b: raw > B", "s: raw > S", "t: S T > U", "v: S T > V"]);
    all[2] = Pipe::new("s", ["raw"], "S").tag("processing_mode", "streaming");
    let plan = Configured.plan(&std::sync::Arc::new(PipeGraph::new(all).unwrap())).unwrap();
    assert_eq!(plan.metadata()["cache_candidate_entities"], serde_json::json!(["raw"]));
    assert_eq!(plan.recommend_caches(&CacheOptions::default())[0].consumers, ["a", "b"]);
}
