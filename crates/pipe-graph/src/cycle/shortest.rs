//! A shortest cycle of a group of pipes that all reach each other.
//!
//! Breadth first from each pipe in turn. A pipe that was tried is taken out, and with it all that is then on no cycle,
//! so that a ring of any length costs one round. Dense groups soon have a short cycle, and no search goes deeper than
//! the best one. What is left is bounded by [`STEPS`]; from then on the first cycle found of a group is reported though a
//! shorter one may exist.

use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;

/// Edges looked at, for all groups together, before the best cycle so far is good enough.
const STEPS: usize = 50_000_000;
const UNSEEN: u32 = u32::MAX;

/// Lists by pipe, made once for all groups and clean between searches.
pub(super) struct Scratch {
    /// In the group, not yet taken out.
    live: Vec<bool>,
    /// How many live pipes feed it.
    fed: Vec<u32>,
    /// How many live pipes it feeds.
    feeds: Vec<u32>,
    parent: Vec<u32>,
    depth: Vec<u32>,
    queue: Vec<PipeIndex>,
    steps: usize,
}

impl Scratch {
    pub(super) fn new(pipes: usize) -> Self {
        Self {
            live: vec![false; pipes],
            fed: vec![0; pipes],
            feeds: vec![0; pipes],
            parent: vec![UNSEEN; pipes],
            depth: vec![0; pipes],
            queue: Vec::new(),
            steps: 0,
        }
    }
}

/// A shortest cycle of the group, open, from its smallest pipe along the flow.
pub(super) fn shortest(graph: &PipeGraph, group: &[PipeIndex], scratch: &mut Scratch) -> Vec<PipeIndex> {
    scratch.take_in(graph, group);
    let mut best: Vec<PipeIndex> = Vec::new();
    for &start in group {
        // No pipe feeds itself, so nothing is shorter than two.
        if best.len() == 2 || (scratch.steps > STEPS && !best.is_empty()) {
            break;
        }
        if scratch.live[start.get()] {
            let limit = if best.is_empty() { usize::MAX } else { best.len() - 1 };
            if let Some(cycle) = scratch.search(graph, start, limit) {
                best = cycle;
            }
            scratch.take_out(graph, start);
        }
    }
    group.iter().for_each(|pipe| scratch.live[pipe.get()] = false);
    let smallest = best.iter().enumerate().min_by_key(|(_, pipe)| **pipe).map_or(0, |(place, _)| place);
    best.rotate_left(smallest);
    best
}

impl Scratch {
    /// A shortest cycle through `start` of at most `limit` live pipes.
    fn search(&mut self, graph: &PipeGraph, start: PipeIndex, limit: usize) -> Option<Vec<PipeIndex>> {
        self.queue.clear();
        self.queue.push(start);
        self.depth[start.get()] = 1;
        let mut last = None;
        let mut next = 0;
        while let (None, Some(&pipe)) = (last, self.queue.get(next)) {
            next += 1;
            if self.depth[pipe.get()] as usize > limit {
                break;
            }
            last = self.visit(graph, pipe, start);
        }
        let cycle = last.map(|last| self.way_back(start, last));
        self.queue.iter().for_each(|pipe| self.parent[pipe.get()] = UNSEEN);
        cycle
    }

    /// Queues what the pipe feeds; the pipe itself when it feeds `start`.
    fn visit(&mut self, graph: &PipeGraph, pipe: PipeIndex, start: PipeIndex) -> Option<PipeIndex> {
        for &dependent in graph.dependents(pipe) {
            self.steps += 1;
            if dependent == start {
                return Some(pipe);
            }
            if self.live[dependent.get()] && self.parent[dependent.get()] == UNSEEN {
                self.parent[dependent.get()] = pipe.0;
                self.depth[dependent.get()] = self.depth[pipe.get()] + 1;
                self.queue.push(dependent);
            }
        }
        None
    }

    fn way_back(&self, start: PipeIndex, last: PipeIndex) -> Vec<PipeIndex> {
        let mut cycle = vec![last];
        let mut pipe = last;
        while pipe != start {
            pipe = PipeIndex(self.parent[pipe.get()]);
            cycle.push(pipe);
        }
        cycle.reverse();
        cycle
    }

    fn take_in(&mut self, graph: &PipeGraph, group: &[PipeIndex]) {
        group.iter().for_each(|pipe| self.live[pipe.get()] = true);
        for &pipe in group {
            self.fed[pipe.get()] = self.count_live(graph.dependencies(pipe));
            self.feeds[pipe.get()] = self.count_live(graph.dependents(pipe));
        }
    }

    fn count_live(&self, pipes: &[PipeIndex]) -> u32 {
        pipes.iter().filter(|pipe| self.live[pipe.get()]).count() as u32
    }

    /// Takes a pipe out, and then every pipe that no live pipe feeds or that feeds none.
    fn take_out(&mut self, graph: &PipeGraph, pipe: PipeIndex) {
        self.queue.clear();
        self.queue.push(pipe);
        self.live[pipe.get()] = false;
        while let Some(gone) = self.queue.pop() {
            for &near in graph.dependents(gone) {
                self.fed[near.get()] = self.fed[near.get()].saturating_sub(1);
                self.drop_if_loose(near);
            }
            for &near in graph.dependencies(gone) {
                self.feeds[near.get()] = self.feeds[near.get()].saturating_sub(1);
                self.drop_if_loose(near);
            }
        }
    }

    fn drop_if_loose(&mut self, pipe: PipeIndex) {
        if self.live[pipe.get()] && (self.fed[pipe.get()] == 0 || self.feeds[pipe.get()] == 0) {
            self.live[pipe.get()] = false;
            self.queue.push(pipe);
        }
    }
}
