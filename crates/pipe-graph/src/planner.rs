//! Who puts a graph in order: sources first, sinks first, or as the pipes themselves ask for.

mod configured;

use std::sync::Arc;

use serde_json::{Value, json};

pub use configured::Configured;

use crate::graph::PipeGraph;
use crate::layers;
use crate::pipe::Metadata;
use crate::plan::{Order, Plan};
use crate::problem::Problems;

/// Puts the pipes of a graph in order.
///
/// One from outside writes a [`PlanDraft`](crate::PlanDraft) and has it checked: there is no other way to a [`Plan`].
///
/// ```
/// use std::sync::Arc;
/// use pipe_graph::{Order, PipeGraph, Plan, PlanDraft, Planner, Problems};
///
/// /// One pipe at a time, by name.
/// struct OneByOne;
///
/// impl Planner for OneByOne {
///     fn name(&self) -> &str {
///         "one_by_one"
///     }
///
///     fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
///         let generations = graph.indices().map(|pipe| [graph.pipe_id(pipe)]);
///         PlanDraft::new(self.name(), Order::Forward, generations).check(graph)
///     }
/// }
/// ```
pub trait Planner {
    /// What its plans are called.
    fn name(&self) -> &str;

    /// The plan: the same for the same graph, whatever else happens.
    ///
    /// # Errors
    /// Whatever keeps this planner from making one.
    fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems>;
}

/// For batch work: every pipe as early as its dependencies allow, so generation 0 holds the sources. Called `batch`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forward;

impl Planner for Forward {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
        Ok(Plan::trusted(graph, self.name(), Order::Forward, layers::forward(graph), forward_facts(), true))
    }
}

/// For streams: every pipe as early as its dependents allow, so generation 0 holds the sinks. Called `streaming`.
///
/// These are the layers of the graph with every edge turned round, and not the forward generations read backwards: only
/// so are all sinks in generation 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reverse;

impl Planner for Reverse {
    fn name(&self) -> &'static str {
        "streaming"
    }

    fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
        Ok(Plan::trusted(graph, self.name(), Order::Reverse, layers::reverse(graph), reverse_facts(), true))
    }
}

fn forward_facts() -> Metadata {
    facts([
        ("execution_order", json!("forward")),
        ("description", json!("Sources → Sinks (batch processing)")),
    ])
}

fn reverse_facts() -> Metadata {
    facts([
        ("execution_order", json!("reverse")),
        ("description", json!("Sinks → Sources (streaming processing)")),
        ("checkpoint_order", json!("downstream_first")),
    ])
}

fn facts<const N: usize>(facts: [(&str, Value); N]) -> Metadata {
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
