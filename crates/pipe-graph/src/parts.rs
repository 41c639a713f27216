//! The connected parts of a graph, whichever way the edges point.

use crate::graph::{NONE, PipeGraph};
use crate::pipe::PipeIndex;

/// Which part each pipe is in. Parts are numbered by their smallest pipe.
#[derive(Debug)]
pub(crate) struct Parts {
    of: Vec<u32>,
    count: usize,
}

impl Parts {
    pub(crate) fn of(graph: &PipeGraph) -> Self {
        let mut parts = Self { of: vec![NONE; graph.len()], count: 0 };
        let mut queue = Vec::new();
        for start in graph.indices() {
            if parts.of[start.get()] != NONE {
                continue;
            }
            parts.of[start.get()] = parts.count as u32;
            queue.push(start);
            while let Some(pipe) = queue.pop() {
                for near in graph.dependencies(pipe).iter().chain(graph.dependents(pipe)) {
                    if parts.of[near.get()] == NONE {
                        parts.of[near.get()] = parts.count as u32;
                        queue.push(*near);
                    }
                }
            }
            parts.count += 1;
        }
        parts
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn part_of(&self, pipe: PipeIndex) -> usize {
        self.of[pipe.get()] as usize
    }
}
