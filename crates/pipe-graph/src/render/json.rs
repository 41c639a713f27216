//! A plan with its graph and the state of a run, as JSON.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Overlay, Render};
use crate::graph::PipeGraph;
use crate::plan::Plan;

#[derive(Serialize)]
struct Drawn<'a> {
    graph: &'a PipeGraph,
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    statuses: Option<&'a Overlay>,
}

pub(super) fn json(render: Render<'_>) -> String {
    let Render { plan, overlay } = render;
    let drawn = Drawn { graph: plan.graph(), plan, statuses: overlay };
    // All keys are strings and all numbers finite, so nothing can fail.
    serde_json::to_string_pretty(&drawn).unwrap_or_default()
}

#[expect(clippy::ref_option, reason = "the shape serde asks for")]
pub(super) fn seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
