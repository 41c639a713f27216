//! A request body as a list of segments, so that large parts are sent from where they already are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// From this size on a piece is shared, below it is copied: a segment costs about as much as copying a few KiB.
pub const SHARE_FROM: usize = 8 * 1024;

/// How much of a segment is handed to the connection at a time, so that a connection without vectored writes
/// copies no more than this.
const FRAME: usize = 64 * 1024;

/// A body of known length made of segments. Cloning it copies no content.
#[derive(Clone, Default)]
pub struct Body {
    segments: Vec<Bytes>,
    length: u64,
}

impl Body {
    /// A body without content.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The segments in the order they are sent; none is empty.
    #[must_use]
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The number of bytes in all segments.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The whole content in one piece. Copies when there is more than one segment.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &self.segments[..] {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => many.concat().into(),
        }
    }

    /// Adds a segment at the end.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.length += segment.len() as u64;
            self.segments.push(segment);
        }
    }
}

impl From<Bytes> for Body {
    fn from(content: Bytes) -> Self {
        let mut body = Self::empty();
        body.push(content);
        body
    }
}

/// Shows sizes only: a body may hold anything.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("segments", &self.segments.len())
            .field("length", &self.length)
            .finish()
    }
}

/// Collects small writes in a buffer and shares large ones that lie inside a source.
#[derive(Debug)]
pub(super) struct Rope<'a> {
    sources: &'a [Bytes],
    buffer: Vec<u8>,
    body: Body,
}

impl<'a> Rope<'a> {
    pub(super) fn new(sources: &'a [Bytes]) -> Self {
        Self {
            sources,
            buffer: Vec::new(),
            body: Body::empty(),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        match self.shared(piece) {
            Some(segment) => {
                self.flush_buffer();
                self.body.push(segment);
            }
            None => self.buffer.extend_from_slice(piece),
        }
    }

    pub(super) fn finish(mut self) -> Body {
        self.flush_buffer();
        self.body
    }

    fn shared(&self, piece: &[u8]) -> Option<Bytes> {
        if piece.len() < SHARE_FROM {
            return None;
        }
        let wanted = piece.as_ptr_range();
        let holds = |source: &&Bytes| {
            let have = source.as_ptr_range();
            have.start <= wanted.start && wanted.end <= have.end
        };
        self.sources
            .iter()
            .find(holds)
            .map(|source| source.slice_ref(piece))
    }

    fn flush_buffer(&mut self) {
        if !self.buffer.is_empty() {
            self.body.push(std::mem::take(&mut self.buffer).into());
        }
    }
}

impl io::Write for Rope<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.push(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body on its way out; tells through `taken` when the connection has taken all of it.
#[derive(Debug)]
pub(super) struct Sending {
    segments: std::vec::IntoIter<Bytes>,
    current: Bytes,
    remaining: u64,
    taken: Arc<AtomicBool>,
}

impl Sending {
    pub(super) fn new(body: Body) -> Self {
        let taken = Arc::new(AtomicBool::new(body.is_empty()));
        Self {
            remaining: body.length,
            segments: body.segments.into_iter(),
            current: Bytes::new(),
            taken,
        }
    }

    pub(super) fn taken(&self) -> Arc<AtomicBool> {
        self.taken.clone()
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.current.is_empty() {
            match self.segments.next() {
                Some(segment) => self.current = segment,
                None => return Poll::Ready(None),
            }
        }
        let size = self.current.len().min(FRAME);
        let frame = self.current.split_to(size);
        self.remaining -= size as u64;
        if self.remaining == 0 {
            self.taken.store(true, Ordering::Release);
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
