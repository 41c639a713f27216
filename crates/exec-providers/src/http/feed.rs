//! The chunk a parser is at, and how far it has read it.

use bytes::{Bytes, BytesMut};

/// Chunks of one stream, read front to back.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) chunk: Bytes,
    pub(super) position: usize,
    /// All bytes that ever came.
    pub(super) seen: u64,
}

impl Feed {
    /// Adds the next bytes; no copy when the chunk before was read to its end.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if self.is_unread() {
            let mut joined = BytesMut::from(&self.chunk[self.position..]);
            joined.extend_from_slice(&chunk);
            self.chunk = joined.freeze();
        } else {
            self.chunk = chunk;
        }
        self.position = 0;
    }

    /// Whether something of the chunk is left.
    pub(super) fn is_unread(&self) -> bool {
        self.position < self.chunk.len()
    }

    /// Lets go of the chunk: from now on only what was cut out of it keeps it alive.
    pub(super) fn release(&mut self) {
        self.chunk = Bytes::new();
        self.position = 0;
    }
}
