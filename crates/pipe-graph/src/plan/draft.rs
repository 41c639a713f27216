//! A plan as somebody else wrote it: a planner from outside, or a file. It becomes a [`Plan`] only if all of it is right.

use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::{Order, Plan, check};
use crate::graph::PipeGraph;
use crate::pipe::{Metadata, PipeId};
use crate::problem::Problems;

/// A plan that has not been checked.
///
/// ```
/// use std::sync::Arc;
/// use pipe_graph::{Order, Pipe, PipeGraph, PlanDraft};
///
/// let graph = Arc::new(PipeGraph::new([Pipe::new("a", ["raw"], "x"), Pipe::new("b", ["x"], "y")])?);
/// let wrong = PlanDraft::new("mine", Order::Forward, [["b"], ["a"]]).check(&graph);
/// assert_eq!(wrong.unwrap_err().to_string(), r#""b" in generation 0 must come after "a""#);
/// # Ok::<(), pipe_graph::Problems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDraft {
    /// The name of the planner.
    pub strategy: String,
    /// Which way it runs.
    pub order: Order,
    /// Who runs when.
    pub generations: Vec<GenerationDraft>,
    /// What the planner says about it.
    #[serde(default)]
    pub metadata: Metadata,
}

/// A generation that has not been checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationDraft {
    /// Its place, from 0.
    pub number: usize,
    /// Its pipes.
    pub pipes: Vec<PipeId>,
    /// What its pipes directly depend on, sorted; checked when stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<PipeId>>,
}

impl PlanDraft {
    /// A draft with its generations numbered in order.
    #[must_use]
    pub fn new<G, I>(
        strategy: impl Into<String>,
        order: Order,
        generations: impl IntoIterator<Item = G>,
    ) -> Self
    where
        G: IntoIterator<Item = I>,
        I: Into<PipeId>,
    {
        let generation = |(number, pipes): (usize, G)| {
            let pipes = pipes.into_iter().map(Into::into).collect();
            GenerationDraft { number, pipes, dependencies: None }
        };
        let generations = generations.into_iter().enumerate().map(generation).collect();
        Self { strategy: strategy.into(), order, generations, metadata: Metadata::new() }
    }

    /// The plan, if this is one for the graph.
    ///
    /// # Errors
    /// Everything that is wrong: pipes left out, invented or named twice, pipes not after what they wait for, wrong
    /// numbers, empty generations, wrong dependencies.
    pub fn check(self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
        check::check(self, graph)
    }
}

/// Writes what [`PlanDraft`] reads, without the graph.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let generations: Vec<GenerationDraft> = self
            .generations()
            .map(|generation| GenerationDraft {
                number: generation.number(),
                pipes: generation.ids().map(PipeId::from).collect(),
                dependencies: Some(generation.dependency_ids()),
            })
            .collect();
        let mut fields = serializer.serialize_struct("Plan", 4)?;
        fields.serialize_field("strategy", self.strategy())?;
        fields.serialize_field("order", &self.order())?;
        fields.serialize_field("generations", &generations)?;
        fields.serialize_field("metadata", self.metadata())?;
        fields.end()
    }
}
