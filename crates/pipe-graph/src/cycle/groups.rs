//! Strongly connected components: Tarjan's algorithm (Depth-first search and linear graph algorithms, 1972) with its own
//! stack in place of the program's, so that no chain is too long.

use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;

const UNSEEN: u32 = u32::MAX;

/// Groups of more than one pipe in which each reaches each, every group ascending.
pub(super) fn groups(graph: &PipeGraph) -> Vec<Vec<PipeIndex>> {
    let mut search = Search {
        graph,
        seen: vec![UNSEEN; graph.len()],
        low: vec![0; graph.len()],
        open: vec![false; graph.len()],
        path: Vec::new(),
        calls: Vec::new(),
        clock: 0,
        found: Vec::new(),
    };
    graph.indices().for_each(|pipe| search.from(pipe));
    search.found
}

struct Search<'a> {
    graph: &'a PipeGraph,
    /// When a pipe was first met.
    seen: Vec<u32>,
    /// The earliest pipe on the path that it reaches.
    low: Vec<u32>,
    open: Vec<bool>,
    path: Vec<PipeIndex>,
    /// A pipe, and which of its dependents is next.
    calls: Vec<(PipeIndex, usize)>,
    clock: u32,
    found: Vec<Vec<PipeIndex>>,
}

impl Search<'_> {
    fn from(&mut self, start: PipeIndex) {
        if self.seen[start.get()] == UNSEEN {
            self.enter(start);
        }
        while let Some((pipe, next)) = self.calls.last_mut() {
            let pipe = *pipe;
            match self.graph.dependents(pipe).get(*next) {
                Some(&dependent) => {
                    *next += 1;
                    self.meet(pipe, dependent);
                }
                None => self.leave(pipe),
            }
        }
    }

    fn enter(&mut self, pipe: PipeIndex) {
        self.seen[pipe.get()] = self.clock;
        self.low[pipe.get()] = self.clock;
        self.clock += 1;
        self.open[pipe.get()] = true;
        self.path.push(pipe);
        self.calls.push((pipe, 0));
    }

    fn meet(&mut self, pipe: PipeIndex, dependent: PipeIndex) {
        if self.seen[dependent.get()] == UNSEEN {
            self.enter(dependent);
        } else if self.open[dependent.get()] {
            self.low[pipe.get()] = self.low[pipe.get()].min(self.seen[dependent.get()]);
        }
    }

    fn leave(&mut self, pipe: PipeIndex) {
        self.calls.pop();
        if let Some(&(caller, _)) = self.calls.last() {
            self.low[caller.get()] = self.low[caller.get()].min(self.low[pipe.get()]);
        }
        if self.low[pipe.get()] == self.seen[pipe.get()] {
            self.close(pipe);
        }
    }

    fn close(&mut self, first: PipeIndex) {
        let from = self.path.iter().rposition(|&pipe| pipe == first).unwrap_or(0);
        let mut group = self.path.split_off(from);
        group.iter().for_each(|pipe| self.open[pipe.get()] = false);
        if group.len() > 1 {
            group.sort_unstable();
            self.found.push(group);
        }
    }
}
