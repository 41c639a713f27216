//! The graph: pipes and who feeds whom. It does not change once built; [`crate::GraphBuilder`] builds it.

mod narrow;
mod serial;
mod stats;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use stats::GraphStats;
pub(crate) use stats::two_decimals;

use crate::builder::GraphBuilder;
use crate::csr::Csr;
use crate::names::Names;
use crate::pipe::{Metadata, Pipe, PipeId, PipeIndex};
use crate::problem::Problems;

/// What stands for "no pipe makes this".
pub(crate) const NONE: u32 = u32::MAX;

/// Pipes, and an edge from each pipe to those that read what it makes. Immutable and free of cycles.
///
/// Pipes are numbered from 0 in the order of their names, so equal declarations give equal graphs in whatever order
/// they come. Neighbours are plain slices; nothing below is worse than linear in what it returns unless it says so.
#[derive(Clone, Debug)]
pub struct PipeGraph {
    pub(crate) ids: Names,
    pub(crate) entities: Arc<Names>,
    pub(crate) outputs: Vec<u32>,
    pub(crate) inputs: Csr<u32>,
    /// By entity: one of its producers, or [`NONE`].
    pub(crate) producers: Vec<u32>,
    pub(crate) dependencies: Csr<PipeIndex>,
    pub(crate) dependents: Csr<PipeIndex>,
    pub(crate) flow: Flow,
    pub(crate) extras: Extras,
    pub(crate) rules: Rules,
}

/// Tags and metadata of the pipes that have any.
pub(crate) type Extras = BTreeMap<PipeIndex, Extra>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Extra {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) metadata: Metadata,
}

/// An order in which every pipe stands after its dependencies.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    /// The order of the names is one.
    Ascending,
    Listed(Vec<PipeIndex>),
}

/// How edges were drawn; kept so that a graph read back is drawn the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rules {
    pub(crate) self_read: SelfRead,
    pub(crate) producers: Producers,
}

/// What it means that a pipe reads what it makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfRead {
    /// It reads what an earlier run left: no edge.
    #[default]
    PriorState,
    /// A mistake.
    Error,
}

/// What it means that several pipes make one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Producers {
    /// A mistake.
    #[default]
    Unique,
    /// Readers come after all of them.
    All,
}

impl PipeGraph {
    /// A graph of these pipes under the default rules.
    ///
    /// # Errors
    /// Everything that is wrong with them; see [`GraphBuilder::build`].
    pub fn new(pipes: impl IntoIterator<Item = Pipe>) -> Result<Self, Problems> {
        let mut builder = Self::builder();
        builder.extend(pipes);
        builder.build()
    }

    /// A builder without pipes.
    pub fn builder() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// How many pipes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outputs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// How many edges there are.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.dependencies.items().len()
    }

    /// Every pipe, in the order of the names.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = PipeIndex> + ExactSizeIterator + use<> {
        (0..self.len()).map(PipeIndex::at)
    }

    /// The pipe of this name. Logarithmic.
    #[must_use]
    pub fn index(&self, id: &str) -> Option<PipeIndex> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.ids.get(middle).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(PipeIndex::at(middle)),
            }
        }
        None
    }

    /// The name of a pipe.
    #[must_use]
    pub fn id(&self, pipe: PipeIndex) -> &str {
        self.ids.get(pipe.get())
    }

    /// The name of a pipe, to keep.
    #[must_use]
    pub fn pipe_id(&self, pipe: PipeIndex) -> PipeId {
        self.id(pipe).into()
    }

    /// The pipe as it was declared, with inputs named twice folded.
    #[must_use]
    pub fn pipe(&self, pipe: PipeIndex) -> Pipe {
        let mut declared = Pipe::new(self.id(pipe), self.inputs(pipe), self.output(pipe));
        if let Some(extra) = self.extras.get(&pipe) {
            declared.tags.clone_from(&extra.tags);
            declared.metadata.clone_from(&extra.metadata);
        }
        declared
    }

    /// The entity a pipe makes; it labels every edge that leaves the pipe.
    #[must_use]
    pub fn output(&self, pipe: PipeIndex) -> &str {
        self.entities.get(self.outputs[pipe.get()] as usize)
    }

    /// The entities a pipe reads, in its own order, each once.
    pub fn inputs(&self, pipe: PipeIndex) -> impl ExactSizeIterator<Item = &str> {
        self.inputs.row(pipe.get()).iter().map(|&entity| self.entities.get(entity as usize))
    }

    /// A tag of a pipe.
    #[must_use]
    pub fn tag(&self, pipe: PipeIndex, name: &str) -> Option<&str> {
        self.extras.get(&pipe)?.tags.get(name).map(String::as_str)
    }

    /// What else its owner said of a pipe.
    #[must_use]
    pub fn metadata(&self, pipe: PipeIndex) -> Option<&Metadata> {
        self.extras.get(&pipe).map(|extra| &extra.metadata).filter(|metadata| !metadata.is_empty())
    }

    /// The pipes whose output this pipe reads, ascending.
    #[must_use]
    pub fn dependencies(&self, pipe: PipeIndex) -> &[PipeIndex] {
        self.dependencies.row(pipe.get())
    }

    /// The pipes that read this pipe's output, ascending.
    #[must_use]
    pub fn dependents(&self, pipe: PipeIndex) -> &[PipeIndex] {
        self.dependents.row(pipe.get())
    }

    /// Pipes without dependencies, in the order of the names.
    pub fn roots(&self) -> impl Iterator<Item = PipeIndex> {
        self.indices().filter(|&pipe| self.dependencies(pipe).is_empty())
    }

    /// Pipes without dependents, in the order of the names.
    pub fn leaves(&self) -> impl Iterator<Item = PipeIndex> {
        self.indices().filter(|&pipe| self.dependents(pipe).is_empty())
    }

    /// Entities that are read and that no pipe of the graph makes; sorted.
    #[must_use]
    pub fn external_inputs(&self) -> Vec<&str> {
        let mut external: Vec<&str> = (self.reader_counts().into_iter().enumerate())
            .filter(|&(entity, count)| count > 0 && self.producers[entity] == NONE)
            .map(|(entity, _)| self.entities.get(entity))
            .collect();
        external.sort_unstable();
        external
    }

    /// Entities that more than one pipe reads, external ones too, each with how many; sorted.
    #[must_use]
    pub fn shared_inputs(&self) -> Vec<(&str, usize)> {
        let mut shared: Vec<(&str, usize)> = (self.reader_counts().into_iter().enumerate())
            .filter(|&(_, count)| count > 1)
            .map(|(entity, count)| (self.entities.get(entity), count as usize))
            .collect();
        shared.sort_unstable();
        shared
    }

    /// By entity: how many pipes read it.
    pub(crate) fn reader_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.entities.len()];
        self.inputs.items().iter().for_each(|&entity| counts[entity as usize] += 1);
        counts
    }
}
