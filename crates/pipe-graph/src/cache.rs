//! What is worth keeping between its first reader and its last, and when it can go.

mod choice;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pipe::{PipeId, PipeIndex};
use crate::plan::{Order, Plan};

/// How to keep what is worth it, unless told otherwise.
pub(crate) const DEFAULT_LEVEL: &str = "MEMORY_AND_DISK";

/// What is known about the entities, and how much of them may be held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheOptions {
    /// How to keep an entity; carried, not read.
    pub level: String,
    /// Size in bytes of the entities where it is known.
    pub bytes: BTreeMap<String, u64>,
    /// What it costs to read or make an entity once more, where it is known.
    pub cost: BTreeMap<String, Duration>,
    /// The most bytes to hold at a time, counted by generation: exact for a run with barriers. Entities of unknown size
    /// are not held under a limit.
    pub memory_limit: Option<u64>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        let level = DEFAULT_LEVEL.to_owned();
        Self { level, bytes: BTreeMap::new(), cost: BTreeMap::new(), memory_limit: None }
    }
}

/// Why an entity should or should not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CacheReason {
    /// Keep: more than one pipe reads it.
    SharedInput,
    /// Shared, but others are worth more of the memory.
    MemoryLimit,
    /// Shared, but nobody knows whether it fits the limit.
    SizeUnknown,
}

/// An entity that more than one pipe of a plan reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheRecommendation {
    /// What is read.
    pub entity: String,
    /// Who reads it; sorted, at least two.
    pub consumers: Vec<PipeId>,
    /// How to keep it.
    pub level: String,
    /// Whether to keep it; the reason says why or why not.
    pub keep: bool,
    /// Why.
    pub reason: CacheReason,
    /// Its size, if known.
    pub bytes: Option<u64>,
    /// What keeping it saves: its cost for every reader but the first, if known.
    pub saves: Option<Duration>,
    /// The generation from which it is held: that of the pipe that makes it, or of its first reader.
    pub held_from: usize,
    /// The generation after which it can be released.
    pub release_after: usize,
    /// Its readers in that generation: once these and all others have finished, nobody will read it.
    pub last_readers: Vec<PipeId>,
}

impl Plan {
    /// What is worth keeping while the plan runs, sorted by entity. Nothing of a part that runs in reverse: what streams
    /// is not read twice. Costs a pass over all inputs; under a memory limit also the generations each entity spans.
    #[must_use]
    pub fn recommend_caches(&self, options: &CacheOptions) -> Vec<CacheRecommendation> {
        let mut found: Vec<CacheRecommendation> = shared(self)
            .chunk_by(|a, b| a.0 == b.0)
            .map(|readers| self.recommendation(readers, options))
            .collect();
        found.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        if let Some(limit) = options.memory_limit {
            choice::fit(&mut found, limit, self.total_generations());
        }
        found
    }

    fn recommendation(&self, readers: &[(u32, PipeIndex)], options: &CacheOptions) -> CacheRecommendation {
        let graph = self.graph();
        let entity = graph.entities.get(readers[0].0 as usize).to_owned();
        let generation = |&(_, pipe): &(u32, PipeIndex)| self.generation_of(pipe);
        let (mut first, mut last) = (usize::MAX, 0);
        for reader in readers {
            first = first.min(generation(reader));
            last = last.max(generation(reader));
        }
        let maker = PipeIndex(graph.producers[readers[0].0 as usize]);
        let made = (maker.0 != crate::graph::NONE).then(|| self.generation_of(maker));
        let others = u32::try_from(readers.len() - 1).unwrap_or(u32::MAX);
        let id = |&(_, pipe): &(u32, PipeIndex)| graph.pipe_id(pipe);
        CacheRecommendation {
            consumers: readers.iter().map(id).collect(),
            level: options.level.clone(),
            keep: true,
            reason: CacheReason::SharedInput,
            bytes: options.bytes.get(&entity).copied(),
            saves: options.cost.get(&entity).map(|cost| cost.saturating_mul(others)),
            held_from: made.unwrap_or(first).min(first),
            release_after: last,
            last_readers: readers.iter().filter(|reader| generation(reader) == last).map(id).collect(),
            entity,
        }
    }
}

/// Shared entities with each of their readers, ascending.
fn shared(plan: &Plan) -> Vec<(u32, PipeIndex)> {
    let graph = plan.graph();
    if plan.order() == Order::Reverse {
        return Vec::new();
    }
    let counts = graph.reader_counts();
    let mut readers: Vec<(u32, PipeIndex)> = (graph.indices())
        .filter(|&pipe| plan.direction(pipe) == Order::Forward)
        .flat_map(|pipe| graph.inputs.row(pipe.get()).iter().map(move |&entity| (entity, pipe)))
        .filter(|&(entity, _)| counts[entity as usize] > 1)
        .collect();
    readers.sort_unstable();
    // In a mixed plan some readers have fallen away.
    readers.chunk_by(|a, b| a.0 == b.0).filter(|readers| readers.len() > 1).flatten().copied().collect()
}

/// The names of the shared entities, sorted.
pub(crate) fn shared_entities(plan: &Plan) -> Vec<&str> {
    let graph = plan.graph();
    let mut names: Vec<&str> = (shared(plan).chunk_by(|a, b| a.0 == b.0))
        .map(|readers| graph.entities.get(readers[0].0 as usize))
        .collect();
    names.sort_unstable();
    names
}
