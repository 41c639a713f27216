//! Short ways to write graphs and to read plans.

use std::sync::Arc;

use pipe_graph::{Pipe, PipeGraph, PipeId, Plan, Problem, Problems};

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
    problem.ids().iter().map(PipeId::as_str).collect::<Vec<_>>().join(",")
}

/// The names of each generation.
pub(crate) fn generations(plan: &Plan) -> Vec<Vec<&str>> {
    plan.generations().map(|generation| generation.ids().collect()).collect()
}

/// The graph of the facts, G23: batch and streaming differ on it.
pub(crate) const UNBALANCED: [&str; 5] = ["a: > A", "b: A > B", "c: B > C", "e: C > E", "d: > D"];

/// The state of a small generator of numbers (splitmix64): tests repeat themselves exactly.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
