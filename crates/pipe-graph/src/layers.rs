//! Longest-path layers: every pipe one layer after the last of those it waits for.

use crate::csr::Csr;
use crate::graph::{Flow, PipeGraph};
use crate::pipe::PipeIndex;

/// Pipes by layer, ascending within each.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    /// By pipe: its layer.
    pub(crate) level: Vec<u32>,
    pub(crate) pipes: Vec<PipeIndex>,
    /// Layer `n` is `pipes[starts[n]..starts[n + 1]]`.
    pub(crate) starts: Vec<u32>,
}

/// Layers from the sources.
pub(crate) fn forward(graph: &PipeGraph) -> Layers {
    let level = match &graph.flow {
        Flow::Ascending => levels(graph.indices(), &graph.dependencies),
        Flow::Listed(order) => levels(order.iter().copied(), &graph.dependencies),
    };
    Layers::of(level)
}

/// Layers from the sinks: those of the graph with every edge turned round.
pub(crate) fn reverse(graph: &PipeGraph) -> Layers {
    let level = match &graph.flow {
        Flow::Ascending => levels(graph.indices().rev(), &graph.dependents),
        Flow::Listed(order) => levels(order.iter().rev().copied(), &graph.dependents),
    };
    Layers::of(level)
}

fn levels(order: impl Iterator<Item = PipeIndex>, before: &Csr<PipeIndex>) -> Vec<u32> {
    let mut level = vec![0; before.rows()];
    for pipe in order {
        let last = before.row(pipe.get()).iter().map(|near| level[near.get()] + 1).max();
        level[pipe.get()] = last.unwrap_or(0);
    }
    level
}

impl Layers {
    /// Sorts pipes by level, each level ascending: a counting sort. Every level up to the highest must be there.
    pub(crate) fn of(level: Vec<u32>) -> Self {
        let count = level.iter().max().map_or(0, |&highest| highest as usize + 1);
        let mut starts = vec![0u32; count + 1];
        level.iter().for_each(|&level| starts[level as usize + 1] += 1);
        (0..count).for_each(|layer| starts[layer + 1] += starts[layer]);
        let mut next = starts.clone();
        let mut pipes = vec![PipeIndex(0); level.len()];
        for (pipe, &level) in level.iter().enumerate() {
            let slot = &mut next[level as usize];
            pipes[*slot as usize] = PipeIndex::at(pipe);
            *slot += 1;
        }
        Self { level, pipes, starts }
    }

    pub(crate) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn layer(&self, number: usize) -> &[PipeIndex] {
        &self.pipes[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    pub(crate) fn widest(&self) -> usize {
        (0..self.count()).map(|number| self.layer(number).len()).max().unwrap_or(0)
    }
}
