//! A graph in numbers.

use serde::Serialize;

use super::PipeGraph;
use crate::layers;

/// A graph in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphStats {
    /// Pipes.
    pub node_count: usize,
    /// Edges.
    pub edge_count: usize,
    /// Pipes without dependencies.
    pub root_count: usize,
    /// Pipes without dependents.
    pub leaf_count: usize,
    /// Generations of the forward plan; the reverse plan has as many.
    pub generation_count: usize,
    /// Pipes in the largest generation of the forward plan.
    pub max_parallelism: usize,
    /// Edges by pipes, to two decimals; 0 without pipes.
    pub avg_dependencies: f64,
    /// Entities that more than one pipe reads, with how many read each.
    pub shared_entities: std::collections::BTreeMap<String, usize>,
    /// The readers of the shared entities, added up.
    pub total_cache_opportunities: usize,
}

impl PipeGraph {
    /// The graph in numbers. Linear, and a sort of the shared entities.
    #[must_use]
    pub fn stats(&self) -> GraphStats {
        let layers = layers::forward(self);
        let shared = self.shared_inputs();
        GraphStats {
            node_count: self.len(),
            edge_count: self.edge_count(),
            root_count: self.roots().count(),
            leaf_count: self.leaves().count(),
            generation_count: layers.count(),
            max_parallelism: layers.widest(),
            avg_dependencies: two_decimals(self.edge_count(), self.len()),
            total_cache_opportunities: shared.iter().map(|(_, readers)| readers).sum(),
            shared_entities: shared
                .into_iter()
                .map(|(entity, readers)| (entity.to_owned(), readers))
                .collect(),
        }
    }
}

/// `part / whole` to two decimals; 0 of nothing.
pub(crate) fn two_decimals(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 100.0).round() / 100.0 }
}
