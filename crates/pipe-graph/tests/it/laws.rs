//! Laws that hold for every graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipe_graph::{Configured, Forward, Order, Pipe, PipeGraph, Plan, Planner, Reverse};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::generations;

/// Pipes in some order of declaration; every edge runs from a lower number to a higher, names do not show it.
fn dag() -> impl Strategy<Value = Vec<Pipe>> {
    let reads = vec((vec(any::<prop::sample::Index>(), 0..4), 0..4u8), 0..30);
    reads
        .prop_map(|reads| {
            reads.iter().enumerate().map(|(n, (from, mode))| declared(n, from, *mode)).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn name(n: usize) -> String {
    format!("p{}", n * 7 % 31)
}

fn declared(n: usize, from: &[prop::sample::Index], mode: u8) -> Pipe {
    let mut inputs = vec![format!("outside{}", n % 3)];
    if n > 0 {
        inputs.extend(from.iter().map(|index| format!("db.e{}", index.index(n))));
    }
    let pipe = Pipe::new(name(n), inputs, format!("db.e{n}"));
    match mode {
        0 => pipe.tag("processing_mode", "streaming"),
        1 => pipe.tag("processing_mode", "batch"),
        _ => pipe,
    }
}

fn graph(pipes: Vec<Pipe>) -> Arc<PipeGraph> {
    Arc::new(PipeGraph::new(pipes).unwrap())
}

/// The same pipes with every edge turned round: each reads one entity per pipe that read it.
fn turned(graph: &PipeGraph) -> Arc<PipeGraph> {
    let out = |id: &str| format!("out of {id}");
    let turn = |pipe| {
        let readers = graph.dependents(pipe).iter().map(|&reader| out(graph.id(reader)));
        Pipe::new(graph.id(pipe), readers, out(graph.id(pipe)))
    };
    self::graph(graph.indices().map(turn).collect())
}

fn edges(graph: &PipeGraph) -> BTreeSet<(String, String)> {
    let from = |pipe| {
        graph.dependents(pipe).iter().map(move |&near| (graph.id(pipe).to_owned(), graph.id(near).to_owned()))
    };
    graph.indices().flat_map(from).collect()
}

/// Every pipe is right after the last of those it waits for, and so can be in no earlier generation.
fn is_tight(plan: &Plan) -> Result<(), TestCaseError> {
    let graph = plan.graph();
    for pipe in graph.indices() {
        let reverse = plan.direction(pipe) == Order::Reverse;
        let before = if reverse { graph.dependents(pipe) } else { graph.dependencies(pipe) };
        let earliest = before.iter().map(|&near| plan.generation_of(near) + 1).max().unwrap_or(0);
        prop_assert_eq!(plan.generation_of(pipe), earliest, "{}", graph.id(pipe));
    }
    Ok(())
}

/// Names by node and edges of a drawing whose lines are `n0<open>name<close>` and `n0 <arrow> n1`.
fn drawn(text: &str, open: &str, close: &str, arrow: &str) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let mut nodes = BTreeMap::new();
    let mut edges = BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| line.starts_with('n') && !line.starts_with("node "))
    {
        let node = line.split([' ', '[']).next().unwrap().to_owned();
        if let Some((_, rest)) = line.split_once(arrow) {
            let target = rest.split_whitespace().find(|word| word.starts_with('n') && *word != "n").unwrap();
            edges.insert((node, target.trim_end_matches(';').to_owned()));
        } else {
            let label = line.split_once(open).unwrap().1.strip_suffix(close).unwrap();
            nodes.insert(node, label.to_owned());
        }
    }
    let named = edges.into_iter().map(|(from, to)| (nodes[&from].clone(), nodes[&to].clone())).collect();
    (nodes.into_values().collect(), named)
}

proptest! {
    #[test]
    fn batch_is_streaming_of_the_graph_turned_round(pipes in dag()) {
        let graph = graph(pipes);
        let turned = turned(&graph);
        let (batch, streaming) = (Forward.plan(&graph).unwrap(), Reverse.plan(&turned).unwrap());
        prop_assert_eq!(generations(&batch), generations(&streaming));
        let (batch, streaming) = (Forward.plan(&turned).unwrap(), Reverse.plan(&graph).unwrap());
        prop_assert_eq!(generations(&batch), generations(&streaming));
        prop_assert_eq!(batch.total_generations(), Forward.plan(&graph).unwrap().total_generations());
    }

    #[test]
    fn the_order_of_declaration_changes_nothing((one, other) in dag().prop_flat_map(|pipes| (Just(pipes.clone()), Just(pipes).prop_shuffle()))) {
        let (one, other) = (graph(one), graph(other));
        prop_assert_eq!(&one, &other);
        let planners: [&dyn Planner; 3] = [&Forward, &Reverse, &Configured];
        for planner in planners {
            let (one, other) = (planner.plan(&one).unwrap(), planner.plan(&other).unwrap());
            prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
            prop_assert_eq!(one.render().mermaid(), other.render().mermaid());
            prop_assert_eq!(one.render().dot(), other.render().dot());
        }
    }

    #[test]
    fn every_pipe_is_planned_once_and_as_early_as_can_be(pipes in dag()) {
        let graph = graph(pipes);
        let planners: [&dyn Planner; 3] = [&Forward, &Reverse, &Configured];
        for planner in planners {
            let plan = planner.plan(&graph).unwrap();
            is_tight(&plan)?;
            let planned: BTreeSet<_> = plan.pipes().iter().collect();
            prop_assert_eq!((planned.len(), plan.total_pipes()), (graph.len(), graph.len()));
            prop_assert!(plan.generations().all(|generation| generation.pipes().is_sorted() && generation.len() > 0));
            for generation in plan.generations() {
                for &pipe in generation.pipes() {
                    prop_assert_eq!(plan.find_generation(graph.id(pipe)), Some(generation.number()));
                }
            }
        }
    }

    #[test]
    fn names_and_edges_can_be_read_from_the_drawings(pipes in dag()) {
        let graph = graph(pipes);
        let plan = Reverse.plan(&graph).unwrap();
        let names: BTreeSet<String> = graph.indices().map(|pipe| graph.id(pipe).to_owned()).collect();
        let expected = (names, edges(&graph));
        prop_assert_eq!(&drawn(&plan.render().mermaid(), "[\"", "\"]", " -->|"), &expected);
        prop_assert_eq!(&drawn(&plan.render().dot(), "[label=\"", "\"];", " -> "), &expected);
    }

    #[test]
    fn requesting_selecting_and_reading_back_agree(pipes in dag(), kept in vec(any::<bool>(), 31)) {
        let ids: Vec<String> = (0..pipes.len()).filter(|&n| kept[n]).map(name).collect();
        let mut builder = PipeGraph::builder().request(ids.iter().map(String::as_str));
        builder.extend(pipes.clone());
        let (requested, selected) = (builder.clone().build().unwrap(), graph(pipes).select(&ids).unwrap());
        prop_assert_eq!(&requested, &selected);
        prop_assert_eq!(edges(&requested), edges(&selected));
        prop_assert_eq!(requested.external_inputs(), selected.external_inputs());
        prop_assert_eq!(requested.stats(), selected.stats());
        let ancestors = builder.with_ancestors().build().unwrap();
        let again: PipeGraph = serde_json::from_str(&serde_json::to_string(&ancestors).unwrap()).unwrap();
        prop_assert_eq!(again, ancestors.until(&ids).unwrap());
    }
}
