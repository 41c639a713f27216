//! What must wait until the block that is open is complete.

use std::collections::VecDeque;

use exec_core::{Chunk, ToolDelta};

/// The most bytes that wait.
const MAX_HELD: usize = 1 << 20;

/// What a chunk counts besides its text.
const OVERHEAD: usize = 64;

/// Chunks that came while another block was open, in order; pieces of one call are one chunk.
#[derive(Debug, Default)]
pub(super) struct Held {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

impl Held {
    /// Adds a chunk. Gives `false` when there is more than may wait.
    pub(super) fn push(&mut self, chunk: Chunk) -> bool {
        self.bytes += size(&chunk);
        match (self.chunks.back_mut(), chunk) {
            (_, Chunk::ToolCall(delta)) => self.push_call(delta),
            (Some(Chunk::Text(text)), Chunk::Text(more)) => text.push_str(&more),
            (_, chunk) => self.chunks.push_back(chunk),
        }
        self.bytes <= MAX_HELD
    }

    fn push_call(&mut self, delta: ToolDelta) {
        let same = |chunk: &mut Chunk| match chunk {
            Chunk::ToolCall(known) if known.index == delta.index => Some(()),
            _ => None,
        };
        let at = self.chunks.iter_mut().position(|chunk| same(chunk).is_some());
        match at.and_then(|at| self.chunks.get_mut(at)) {
            Some(Chunk::ToolCall(known)) => {
                known.id = known.id.take().or(delta.id);
                known.name = known.name.take().or(delta.name);
                known.arguments.push_str(&delta.arguments);
            }
            _ => self.chunks.push_back(Chunk::ToolCall(delta)),
        }
    }

    /// The oldest chunk.
    pub(super) fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front();
        self.bytes = if self.chunks.is_empty() { 0 } else { self.bytes };
        chunk
    }
}

fn size(chunk: &Chunk) -> usize {
    OVERHEAD
        + match chunk {
            Chunk::Text(text) | Chunk::Reasoning(text) | Chunk::Signature(text) => text.len(),
            Chunk::ToolCall(delta) => delta.arguments.len(),
            Chunk::Opaque(opaque) => opaque.value.bytes().len(),
            Chunk::Data(value) => value.bytes().len(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let mut held = Held::default();
        assert!(held.push(Chunk::Text("x".repeat(MAX_HELD / 2))));
        assert!(!held.push(Chunk::Text("x".repeat(MAX_HELD / 2))));
    }
}
