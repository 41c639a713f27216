//! Whether a graph has cycles, and which ones: one shortest for every group of pipes that wait for each other.

mod groups;
mod shortest;

use crate::graph::{Flow, PipeGraph};
use crate::pipe::PipeIndex;
use crate::problem::Problem;

/// An order in which every pipe stands after its dependencies; `None` when there is a cycle.
///
/// Kahn's algorithm (Topological sorting of large networks, 1962), after one look at whether the names are in order.
pub(crate) fn flow(graph: &PipeGraph) -> Option<Flow> {
    let ascending = |pipe: PipeIndex| graph.dependencies(pipe).last().is_none_or(|&last| last < pipe);
    if graph.indices().all(ascending) {
        return Some(Flow::Ascending);
    }
    let mut waits: Vec<u32> = graph.indices().map(|pipe| graph.dependencies(pipe).len() as u32).collect();
    let mut order = Vec::with_capacity(graph.len());
    order.extend(graph.roots());
    let mut next = 0;
    while let Some(&pipe) = order.get(next) {
        next += 1;
        for dependent in graph.dependents(pipe) {
            let waits = &mut waits[dependent.get()];
            *waits -= 1;
            if *waits == 0 {
                order.push(*dependent);
            }
        }
    }
    (order.len() == graph.len()).then_some(Flow::Listed(order))
}

/// The cycles, each closed and starting at its smallest name, sorted.
pub(crate) fn cycles(graph: &PipeGraph) -> Vec<Problem> {
    let mut scratch = shortest::Scratch::new(graph.len());
    let mut found: Vec<Vec<PipeIndex>> = groups::groups(graph)
        .into_iter()
        .map(|group| shortest::shortest(graph, &group, &mut scratch))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|cycle| closed(graph, &cycle)).collect()
}

fn closed(graph: &PipeGraph, cycle: &[PipeIndex]) -> Problem {
    let ids = cycle.iter().chain(cycle.first()).map(|&pipe| graph.pipe_id(pipe)).collect();
    Problem::Cycle { ids }
}
