//! The plan: the pipes of a graph in generations. It does not change, and one that breaks the order cannot exist.

mod check;
mod draft;
mod summary;

use std::sync::{Arc, OnceLock};

pub use draft::{GenerationDraft, PlanDraft};
pub use summary::Summary;

use crate::graph::PipeGraph;
use crate::layers::Layers;
use crate::pipe::{Metadata, PipeId, PipeIndex};

/// Which way a plan runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// Every pipe after its dependencies: for batch work.
    Forward,
    /// Every pipe after its dependents, so that readers are ready before writers start: for streams.
    Reverse,
    /// Each connected part of the graph in one of the two.
    Mixed,
}

impl Order {
    /// `forward`, `reverse` or `mixed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
            Self::Mixed => "mixed",
        }
    }
}

/// Every pipe of a graph exactly once, in generations whose pipes do not wait for each other. Cheap to clone.
///
/// A [`Planner`](crate::Planner) makes it; one from outside hands in a [`PlanDraft`], which is checked in full.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    graph: Arc<PipeGraph>,
    strategy: String,
    order: Order,
    layers: Layers,
    base: Metadata,
    /// Whether what the plan says of itself includes what is worth caching, which is worked out when first asked for.
    caches: bool,
    metadata: OnceLock<Metadata>,
}

impl Plan {
    /// The caller answers for the layers: all pipes, once, in the order stated.
    pub(crate) fn trusted(
        graph: &Arc<PipeGraph>,
        strategy: &str,
        order: Order,
        layers: Layers,
        base: Metadata,
        caches: bool,
    ) -> Self {
        let (graph, strategy) = (Arc::clone(graph), strategy.to_owned());
        Self(Arc::new(Inner { graph, strategy, order, layers, base, caches, metadata: OnceLock::new() }))
    }

    /// The graph that is planned.
    #[must_use]
    pub fn graph(&self) -> &Arc<PipeGraph> {
        &self.0.graph
    }

    /// The name of the planner.
    #[must_use]
    pub fn strategy(&self) -> &str {
        &self.0.strategy
    }

    /// Which way it runs.
    #[must_use]
    pub fn order(&self) -> Order {
        self.0.order
    }

    /// Which way the part of the graph that this pipe is in runs: never [`Order::Mixed`].
    #[must_use]
    pub fn direction(&self, pipe: PipeIndex) -> Order {
        let earlier =
            |near: Option<&PipeIndex>| near.map(|&near| self.generation_of(near) < self.generation_of(pipe));
        let after_dependencies = earlier(self.graph().dependencies(pipe).first());
        let after_dependents = earlier(self.graph().dependents(pipe).first());
        match (self.order(), after_dependencies, after_dependents) {
            (Order::Mixed, Some(false), _) | (Order::Mixed, None, Some(true)) => Order::Reverse,
            (Order::Mixed, ..) => Order::Forward,
            (order, ..) => order,
        }
    }

    /// Every pipe in the order of the plan: by generation, and within one by name unless the planner chose otherwise.
    #[must_use]
    pub fn pipes(&self) -> &[PipeIndex] {
        &self.0.layers.pipes
    }

    /// How many pipes are planned: all of the graph.
    #[must_use]
    pub fn total_pipes(&self) -> usize {
        self.pipes().len()
    }

    /// How many generations there are.
    #[must_use]
    pub fn total_generations(&self) -> usize {
        self.0.layers.count()
    }

    /// Pipes in the largest generation; 0 without pipes.
    #[must_use]
    pub fn max_parallelism(&self) -> usize {
        self.0.layers.widest()
    }

    /// The generation of this number, from 0.
    #[must_use]
    pub fn generation(&self, number: usize) -> Option<Generation<'_>> {
        (number < self.total_generations()).then_some(Generation { plan: self, number })
    }

    /// All generations in order.
    pub fn generations(&self) -> impl DoubleEndedIterator<Item = Generation<'_>> + ExactSizeIterator {
        (0..self.total_generations()).map(|number| Generation { plan: self, number })
    }

    /// The number of the generation this pipe is in.
    #[must_use]
    pub fn generation_of(&self, pipe: PipeIndex) -> usize {
        self.0.layers.level[pipe.get()] as usize
    }

    /// The number of the generation the pipe of this name is in.
    #[must_use]
    pub fn find_generation(&self, id: &str) -> Option<usize> {
        Some(self.generation_of(self.graph().index(id)?))
    }

    /// What the planner says about the plan. Worked out when first asked for, which can cost a pass over the graph.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.0.metadata.get_or_init(|| summary::metadata(self, &self.0.base, self.0.caches))
    }
}

/// Equal when graph, strategy, order, generations and metadata are.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (&*self.0, &*other.0);
        mine.strategy == theirs.strategy
            && mine.order == theirs.order
            && mine.layers.starts == theirs.layers.starts
            && mine.layers.pipes == theirs.layers.pipes
            && mine.graph == theirs.graph
            && self.metadata() == other.metadata()
    }
}

/// Pipes of a plan that do not wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct Generation<'a> {
    plan: &'a Plan,
    number: usize,
}

impl<'a> Generation<'a> {
    /// Its place in the plan, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its pipes.
    #[must_use]
    pub fn pipes(&self) -> &'a [PipeIndex] {
        self.plan.0.layers.layer(self.number)
    }

    /// The names of its pipes.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let graph = self.plan.graph();
        self.pipes().iter().map(|&pipe| graph.id(pipe))
    }

    /// How many pipes it has: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a generation is never empty")]
    pub fn len(&self) -> usize {
        self.pipes().len()
    }

    /// Whether the pipe of this name is in it.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.plan.find_generation(id) == Some(self.number)
    }

    /// The direct dependencies of its pipes, each once, sorted. They are in earlier generations of a forward plan and in
    /// later ones of a reverse plan.
    #[must_use]
    pub fn dependencies(&self) -> Vec<PipeIndex> {
        let graph = self.plan.graph();
        let mut all: Vec<_> =
            self.pipes().iter().flat_map(|&pipe| graph.dependencies(pipe)).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The names of [`dependencies`](Self::dependencies).
    #[must_use]
    pub fn dependency_ids(&self) -> Vec<PipeId> {
        self.dependencies().into_iter().map(|pipe| self.plan.graph().pipe_id(pipe)).collect()
    }
}
