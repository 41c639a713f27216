//! A plan to look at: text, Mermaid, DOT and JSON. The same plan always gives the same bytes.

mod dot;
mod json;
mod mermaid;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::pipe::{PipeId, PipeIndex};
use crate::plan::Plan;

/// What a run has to say about one pipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// How it stands, in a word or two.
    pub status: String,
    /// How long it took, if it did. In JSON: seconds.
    #[serde(
        rename = "duration_seconds",
        serialize_with = "json::seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub duration: Option<Duration>,
}

/// What a run has to say, by pipe. Pipes that are not in the graph are not drawn.
pub type Overlay = BTreeMap<PipeId, Mark>;

/// A plan about to be drawn.
///
/// ```
/// use std::sync::Arc;
/// use pipe_graph::{Forward, Pipe, PipeGraph, Planner};
///
/// let graph = Arc::new(PipeGraph::new([Pipe::new("a", ["raw"], "db.x"), Pipe::new("b", ["db.x"], "y")])?);
/// let drawn = Forward.plan(&graph)?.render().mermaid();
/// assert_eq!(drawn, "graph TD\n    n0[\"a\"]\n    n1[\"b\"]\n    n0 -->|x| n1\n");
/// # Ok::<(), pipe_graph::Problems>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Render<'a> {
    plan: &'a Plan,
    overlay: Option<&'a Overlay>,
}

impl Plan {
    /// The plan, to be drawn.
    pub fn render(&self) -> Render<'_> {
        Render { plan: self, overlay: None }
    }
}

impl<'a> Render<'a> {
    /// Lays statuses and timings of a run over the plan.
    pub fn overlay(self, overlay: &'a Overlay) -> Self {
        Self { overlay: Some(overlay), ..self }
    }

    /// Generation by generation, for a terminal. No newline at the end.
    #[must_use]
    pub fn text(self) -> String {
        text::text(self)
    }

    /// A Mermaid flowchart. Edges carry the part of the entity after its last dot.
    #[must_use]
    pub fn mermaid(self) -> String {
        mermaid::mermaid(self)
    }

    /// A Graphviz digraph; the pipes of a generation stand on one rank.
    #[must_use]
    pub fn dot(self) -> String {
        dot::dot(self)
    }

    /// `{"graph", "plan", "statuses"}`: what [`PipeGraph`](crate::PipeGraph) and [`PlanDraft`](crate::PlanDraft) read,
    /// and the overlay.
    #[must_use]
    pub fn json(self) -> String {
        json::json(self)
    }

    fn mark(self, pipe: PipeIndex) -> Option<String> {
        let mark = self.overlay?.get(self.plan.graph().id(pipe))?;
        Some(match mark.duration {
            Some(duration) => format!("{}, {:.3}s", mark.status, duration.as_secs_f64()),
            None => mark.status.clone(),
        })
    }
}
