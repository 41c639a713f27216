//! A plan in short.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Order, Plan};
use crate::cache;
use crate::pipe::Metadata;

/// A plan in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The name of the planner.
    pub strategy: String,
    /// Which way it runs.
    pub order: Order,
    /// Pipes.
    pub total_pipes: usize,
    /// Generations.
    pub total_generations: usize,
    /// Pipes in the largest generation.
    pub max_parallelism: usize,
    /// Pipes by generations, to two decimals; 0 without any.
    pub avg_pipes_per_generation: f64,
    /// Pipes in each generation.
    pub generation_sizes: Vec<usize>,
    /// What the planner says, kept apart so that it cannot hide the figures above.
    pub metadata: Metadata,
}

impl Plan {
    /// The plan in short.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            strategy: self.strategy().to_owned(),
            order: self.order(),
            total_pipes: self.total_pipes(),
            total_generations: self.total_generations(),
            max_parallelism: self.max_parallelism(),
            avg_pipes_per_generation: crate::graph::two_decimals(
                self.total_pipes(),
                self.total_generations(),
            ),
            generation_sizes: self.generations().map(|generation| generation.len()).collect(),
            metadata: self.metadata().clone(),
        }
    }
}

/// What the planner said, and what is worth caching.
pub(super) fn metadata(plan: &Plan, base: &Metadata, caches: bool) -> Metadata {
    let mut metadata = base.clone();
    if caches {
        let shared = cache::shared_entities(plan);
        let level = |entity: &&str| ((*entity).to_owned(), Value::from(cache::DEFAULT_LEVEL));
        let levels: Metadata = shared.iter().map(level).collect();
        metadata.insert("cache_candidate_count".to_owned(), shared.len().into());
        metadata.insert("cache_candidate_entities".to_owned(), json!(shared));
        metadata.insert("cache_recommendations".to_owned(), Value::Object(levels));
    }
    metadata
}
