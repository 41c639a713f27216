//! The order the pipes ask for by their `processing_mode` tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Planner, forward_facts, reverse_facts};
use crate::graph::PipeGraph;
use crate::layers::{self, Layers};
use crate::parts::Parts;
use crate::pipe::{Metadata, Pipe, PipeIndex};
use crate::plan::{Order, Plan};
use crate::problem::{Problem, Problems};

const TAG: &str = "processing_mode";

/// Reads the `processing_mode` tag of every pipe: `streaming` or `batch`, in any case, spaces around it ignored; `batch`
/// without one. Called `config_based`.
///
/// Pipes that are connected run the same way: as a stream if one of them says so. Parts that are not connected do not
/// change each other; if they differ, the plan is [`Order::Mixed`]. A pipe tagged `batch` that runs as a stream because
/// its neighbours do is named in the metadata under `overruled`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configured;

impl Configured {
    /// What is wrong with the tag of this pipe; for pipes that never became a graph.
    #[must_use]
    pub fn problem(pipe: &Pipe) -> Option<Problem> {
        let value = pipe.tags.get(TAG)?;
        let unknown = || Problem::UnknownMode { id: pipe.id.clone(), value: value.clone() };
        Mode::read(value).is_none().then(unknown)
    }
}

impl Planner for Configured {
    fn name(&self) -> &'static str {
        "config_based"
    }

    /// # Errors
    /// [`Problem::UnknownMode`] for every pipe whose tag is something else.
    fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
        let modes = Modes::read(graph)?;
        let (order, layers) = match (modes.streams.contains(&false), modes.streams.contains(&true)) {
            (_, false) => (Order::Forward, layers::forward(graph)),
            (false, true) => (Order::Reverse, layers::reverse(graph)),
            (true, true) => (Order::Mixed, modes.mixed(graph)),
        };
        let facts = modes.facts(graph, order);
        Ok(Plan::trusted(graph, self.name(), order, layers, facts, true))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Batch,
    Streaming,
}

impl Mode {
    fn read(value: &str) -> Option<Self> {
        match value.trim().to_lowercase().as_str() {
            "batch" => Some(Self::Batch),
            "streaming" => Some(Self::Streaming),
            _ => None,
        }
    }
}

struct Modes {
    parts: Parts,
    /// By part: whether it runs as a stream.
    streams: Vec<bool>,
    /// The pipes that say what they want.
    tagged: BTreeMap<PipeIndex, Mode>,
}

impl Modes {
    fn read(graph: &PipeGraph) -> Result<Self, Problems> {
        let mut tagged = BTreeMap::new();
        let mut problems = Vec::new();
        for &pipe in graph.extras.keys() {
            let Some(value) = graph.tag(pipe, TAG) else { continue };
            if let Some(mode) = Mode::read(value) {
                tagged.insert(pipe, mode);
            } else {
                problems.push(Problem::UnknownMode { id: graph.pipe_id(pipe), value: value.to_owned() });
            }
        }
        let parts = Parts::of(graph);
        let mut streams = vec![false; parts.count()];
        let streaming = tagged.iter().filter(|(_, mode)| **mode == Mode::Streaming);
        streaming.for_each(|(&pipe, _)| streams[parts.part_of(pipe)] = true);
        Problems::none_or(problems, || Self { parts, streams, tagged })
    }

    fn streams(&self, pipe: PipeIndex) -> bool {
        self.streams[self.parts.part_of(pipe)]
    }

    /// Generation `n` holds generation `n` of every part. No level is left out: a part has all levels below its highest.
    fn mixed(&self, graph: &PipeGraph) -> Layers {
        let mut level = layers::forward(graph).level;
        for (pipe, reverse) in graph.indices().zip(layers::reverse(graph).level) {
            if self.streams(pipe) {
                level[pipe.get()] = reverse;
            }
        }
        Layers::of(level)
    }

    fn facts(&self, graph: &PipeGraph, order: Order) -> Metadata {
        let (mode, mut facts) = match order {
            Order::Forward => ("batch", forward_facts()),
            Order::Reverse => ("streaming", reverse_facts()),
            Order::Mixed => ("mixed", Metadata::new()),
        };
        if order == Order::Mixed {
            facts.insert("execution_order".to_owned(), json!("mixed"));
            facts.insert("checkpoint_order".to_owned(), json!("downstream_first"));
            facts.insert("streaming_pipes".to_owned(), json!(self.streaming_pipes(graph)));
        }
        facts.insert("detected_mode".to_owned(), json!(mode));
        facts.insert("mode_source".to_owned(), json!("pipe_tags"));
        facts.insert("description".to_owned(), json!(format!("Config-based {mode} execution")));
        let overruled = self.overruled(graph);
        if !overruled.is_empty() {
            facts.insert("overruled".to_owned(), json!(overruled));
        }
        facts
    }

    fn streaming_pipes<'a>(&self, graph: &'a PipeGraph) -> Vec<&'a str> {
        graph.indices().filter(|&pipe| self.streams(pipe)).map(|pipe| graph.id(pipe)).collect()
    }

    fn overruled<'a>(&self, graph: &'a PipeGraph) -> Vec<&'a str> {
        let overruled = |(&pipe, &mode): (&PipeIndex, &Mode)| {
            (mode == Mode::Batch && self.streams(pipe)).then(|| graph.id(pipe))
        };
        self.tagged.iter().filter_map(overruled).collect()
    }
}
