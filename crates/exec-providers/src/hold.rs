//! Holding back the event that says why an answer ends, until the answer has ended.
//!
//! Such an event comes one or two before the terminal one. Forwarded at once, an answer that is cut between the two
//! would look complete to its caller.

use std::collections::VecDeque;

use exec_core::Chunk;

/// The most events that are held; there should be one or two.
const MAX_HELD: usize = 64;

/// Events that wait for the terminal one.
#[derive(Default)]
pub(crate) struct Hold(VecDeque<Chunk>);

impl Hold {
    /// Adds `event` to `out`, behind everything held; or holds it, while the answer is about to end.
    pub(crate) fn forward(&mut self, event: Chunk, ending: bool, out: &mut VecDeque<Chunk>) {
        self.0.push_back(event);
        if !ending || self.0.len() > MAX_HELD {
            self.release(out);
        }
    }

    /// Adds everything held to `out`: the answer has ended.
    pub(crate) fn release(&mut self, out: &mut VecDeque<Chunk>) {
        out.append(&mut self.0);
    }
}
