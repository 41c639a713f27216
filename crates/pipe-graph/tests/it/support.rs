//! Short ways to write graphs and to read plans.

use std::sync::Arc;

use pipe_graph::{Pipe, PipeGraph, Plan, Problem, Problems};

/// Pipes written as `name: inputs > output`, for example `"b: x y > z"`.
pub(crate) fn pipes(lines: &[&str]) -> Vec<Pipe> {
    lines.iter().map(|line| pipe(line)).collect()
}

pub(crate) fn pipe(line: &str) -> Pipe {
    let (id, rest) = line.split_once(':').expect("a colon");
    let (inputs, output) = rest.split_once('>').expect("an arrow");
    Pipe::new(id.trim(), inputs.split_whitespace(), output.trim())
}

pub(crate) fn graph(lines: &[&str]) -> Arc<PipeGraph> {
    Arc::new(PipeGraph::new(pipes(lines)).expect("a graph without problems"))
}

/// What is wrong, as (kind, names joined by commas).
pub(crate) fn kinds(problems: &Problems) -> Vec<(&'static str, String)> {
    problems.all().iter().map(|problem| (problem.kind(), names(problem))).collect()
}

fn names(problem: &Problem) -> String {
    problem.ids().iter().map(|id| id.as_str()).collect::<Vec<_>>().join(",")
}

/// The names of each generation.
pub(crate) fn generations(plan: &Plan) -> Vec<Vec<&str>> {
    plan.generations().map(|generation| generation.ids().collect()).collect()
}

/// The graph of the facts, G23: batch and streaming differ on it.
pub(crate) const UNBALANCED: [&str; 5] = ["a: > A", "b: A > B", "c: B > C", "e: C > E", "d: > D"];

pub(crate) mod time;
pub(crate) mod work;
