//! Who else makes layers: rustworkx-core, and the plainest code over compressed rows, which is the floor.

use std::collections::HashMap;

use rustworkx_core::dag_algo::layers;
use rustworkx_core::petgraph::Direction::Incoming;
use rustworkx_core::petgraph::graph::{DiGraph, NodeIndex};

use super::shapes::Edges;

/// Kahn's algorithm over compressed rows, with nothing around it: no names, no levels by pipe, no order within a layer.
#[derive(Debug)]
pub(crate) struct Floor {
    starts: Vec<u32>,
    targets: Vec<u32>,
    waits: Vec<u32>,
}

impl Floor {
    pub(crate) fn new(edges: &Edges) -> Self {
        let mut starts = vec![0; edges.len() + 1];
        let mut waits = vec![0; edges.len()];
        for (from, to) in edges.pairs() {
            starts[from as usize + 1] += 1;
            waits[to as usize] += 1;
        }
        (0..edges.len()).for_each(|row| starts[row + 1] += starts[row]);
        let mut next = starts.clone();
        let mut targets = vec![0; starts[edges.len()] as usize];
        for (from, to) in edges.pairs() {
            targets[next[from as usize] as usize] = to;
            next[from as usize] += 1;
        }
        Self { starts, targets, waits }
    }

    /// All pipes layer by layer, and where each layer starts.
    pub(crate) fn layers(&self) -> (Vec<u32>, Vec<u32>) {
        let mut waits = self.waits.clone();
        let mut order: Vec<u32> = Vec::with_capacity(waits.len());
        order.extend((0..waits.len() as u32).filter(|&pipe| waits[pipe as usize] == 0));
        let mut ends = vec![0];
        let mut done = 0;
        while done < order.len() {
            let end = order.len();
            ends.push(end as u32);
            while done < end {
                let pipe = order[done] as usize;
                done += 1;
                for &target in &self.targets[self.starts[pipe] as usize..self.starts[pipe + 1] as usize] {
                    waits[target as usize] -= 1;
                    if waits[target as usize] == 0 {
                        order.push(target);
                    }
                }
            }
        }
        (order, ends)
    }

    pub(crate) fn widths(&self) -> Vec<usize> {
        self.layers().1.windows(2).map(|ends| (ends[1] - ends[0]) as usize).collect()
    }
}

/// rustworkx-core over a petgraph.
#[derive(Debug)]
pub(crate) struct Rustworkx(DiGraph<(), ()>);

impl Rustworkx {
    pub(crate) fn new(edges: &Edges) -> Self {
        let mut graph = DiGraph::with_capacity(edges.len(), edges.len() * 3);
        for _ in 0..edges.len() {
            graph.add_node(());
        }
        for (from, to) in edges.pairs() {
            graph.add_edge(NodeIndex::from(from), NodeIndex::from(to), ());
        }
        Self(graph)
    }

    /// As somebody would write it who has names: a map from what is made to who makes it, then the edges.
    pub(crate) fn from_names(edges: &Edges) -> Self {
        let mut graph = DiGraph::with_capacity(edges.len(), edges.len() * 3);
        let mut makers = HashMap::with_capacity(edges.len());
        edges.each(|_, _, output| {
            makers.insert(output, graph.add_node(()));
        });
        edges.each(|_, inputs, output| {
            for &input in inputs {
                if let Some(&maker) = makers.get(input) {
                    graph.add_edge(maker, makers[output], ());
                }
            }
        });
        Self(graph)
    }

    pub(crate) fn layers(&self) -> Vec<Vec<NodeIndex>> {
        layers(&self.0, self.0.externals(Incoming).collect()).map_while(Result::ok).collect()
    }

    pub(crate) fn widths(&self) -> Vec<usize> {
        self.layers().iter().map(Vec::len).collect()
    }
}
