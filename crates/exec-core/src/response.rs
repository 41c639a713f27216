//! What comes back: a stream that may happen to be complete already, so that there is one path.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use pin_project_lite::pin_project;

use crate::chunk::{Chunk, Fold, Output, Summary};
use crate::{Cost, Error, ErrorKind, RateLimitHint, Result, Wire};

/// The pieces of an answer as they come. Dropping it cancels the call.
pub type Chunks = BoxStream<'static, Result<Chunk>>;

/// Who answered and how, known before the first piece is handed on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Who really answered.
    pub provider: Option<Arc<str>>,
    /// With which model, by the provider's name for it.
    pub model: Option<Arc<str>>,
    /// The provider's identifier of the answer.
    pub id: Option<Arc<str>>,
    /// Which strategy ran it.
    pub strategy: Option<Arc<str>>,
    /// How many upstream calls it took; 0 until somebody counts.
    pub attempts: u32,
    /// Whether it took no upstream call of its own; then its summary has no cost.
    pub cached: bool,
    /// Whether it is a stand-in, given because nobody could answer.
    pub degraded: bool,
    /// Whether one provider said all of it. Of a stream this is known at its end: see [`Chunk::Handover`].
    pub integrity: Integrity,
    /// Whose call it came from, if not from one of its own.
    pub reuse: Option<Reuse>,
    /// What the caller would have paid for a call of its own, where that is known when the answer begins.
    pub saved: Option<Cost>,
    /// What of the request the provider's format could not express and was left out.
    pub dropped: Vec<String>,
    /// What the provider said of its own rate limits.
    pub limits: Option<Arc<RateLimitHint>>,
}

/// Whether an answer is of one piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Integrity {
    /// One provider said all of it.
    #[default]
    Whole,
    /// One broke off, and another went on from there.
    Continued {
        /// Who broke off.
        broken: Arc<str>,
        /// After how many characters.
        at: usize,
    },
    /// One broke off, and another said it all again.
    Restarted {
        /// Who broke off.
        broken: Arc<str>,
        /// After how many characters.
        at: usize,
    },
}

impl Integrity {
    /// The stable name used in JSON: `continued`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Continued { .. } => "continued",
            Self::Restarted { .. } => "restarted",
        }
    }

    /// Who broke off and after how many characters, if anybody did.
    #[must_use]
    pub fn broken(&self) -> Option<(&Arc<str>, usize)> {
        match self {
            Self::Whole => None,
            Self::Continued { broken, at } | Self::Restarted { broken, at } => Some((broken, *at)),
        }
    }
}

/// Whose call an answer came from, that took none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reuse {
    /// An earlier one: the answer was kept and is good.
    Hit,
    /// An earlier one: the answer was kept, and its time is over.
    Stale,
    /// One that was under way.
    Coalesced,
}

impl Reuse {
    /// The stable name used in JSON and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Coalesced => "coalesced",
        }
    }
}

/// How a body came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It was read to its last chunk.
    Complete(Summary),
    /// It broke.
    Failed(ErrorKind),
    /// Its reader left.
    Dropped,
}

/// An answer, complete or still coming.
///
/// Whatever must live as long as the answer (a permit, a lease, an open measurement) rides on
/// [`on_end`](Self::on_end).
#[must_use = "a response does nothing until it is collected or streamed"]
pub struct Response {
    /// Who answered and how.
    pub report: Report,
    body: Body,
    ends: Ends,
}

enum Body {
    Full(Box<Output>, Option<(Wire, Bytes)>),
    /// A stream that ends as it promises.
    Stream(Chunks),
    /// One that went through somebody's hands, and may not.
    Mapped(Chunks),
}

impl Response {
    /// A complete answer.
    pub fn full(output: Output) -> Self {
        Self { report: Report::default(), body: Body::Full(Box::new(output), None), ends: Ends::default() }
    }

    /// A complete answer together with the bytes it was read from, for a caller who speaks the same format.
    pub fn verbatim(output: Output, wire: Wire, bytes: Bytes) -> Self {
        Self { body: Body::Full(Box::new(output), Some((wire, bytes))), ..Self::full(Output::default()) }
    }

    /// An answer that is still coming. The stream is not polled again after its [`Chunk::End`] or its first error; one
    /// that stops without either is given an error as its last item.
    pub fn stream(chunks: impl Stream<Item = Result<Chunk>> + Send + 'static) -> Self {
        let chunks = Terminated { inner: chunks, done: false }.boxed();
        Self { report: Report::default(), body: Body::Stream(chunks), ends: Ends::default() }
    }

    /// The format and bytes a complete answer was read from, if there are any.
    #[must_use]
    pub fn as_received(&self) -> Option<(Wire, &Bytes)> {
        match &self.body {
            Body::Full(_, Some((wire, bytes))) => Some((*wire, bytes)),
            _ => None,
        }
    }

    /// Sets the report.
    pub fn with_report(mut self, report: Report) -> Self {
        self.report = report;
        self
    }

    /// Whether the answer is complete already.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.body, Body::Full(..))
    }

    /// The answer, if it is complete already.
    #[must_use]
    pub fn output(&self) -> Option<&Output> {
        match &self.body {
            Body::Full(output, _) => Some(output),
            Body::Stream(_) | Body::Mapped(_) => None,
        }
    }

    /// The bytes a complete answer was read from, if their format is `wire`.
    #[must_use]
    pub fn bytes_in(&self, wire: Wire) -> Option<&Bytes> {
        match &self.body {
            Body::Full(_, Some((known, bytes))) if *known == wire => Some(bytes),
            _ => None,
        }
    }

    /// The whole answer.
    ///
    /// Dropping the future cancels the call.
    ///
    /// # Errors
    /// What the stream says; `Upstream` when it stops before its end.
    pub async fn collect(self) -> Result<Output> {
        if let Body::Full(output, _) = self.body {
            return Ok(*output);
        }
        let mut chunks = self.into_chunks();
        let mut fold = Fold::default();
        while let Some(chunk) = chunks.next().await {
            fold.push(chunk?)?;
        }
        Ok(fold.finish())
    }

    /// The answer in pieces. Of an answer that is complete already, the fields without a name of texts, thinking and
    /// tool calls are left out: a piece has no place for them.
    pub fn into_chunks(self) -> Chunks {
        match self.body {
            Body::Full(output, _) => stream::iter(output.into_chunks().map(Ok)).boxed(),
            Body::Stream(chunks) if self.ends.0.is_empty() => chunks,
            Body::Stream(inner) | Body::Mapped(inner) => {
                Watched { inner: Terminated { inner, done: false }, ends: self.ends }.boxed()
            }
        }
    }

    /// Puts the chunks of a streamed answer through `f`; a complete answer stays as it is.
    ///
    /// Whoever watches the end of the answer, registered before or after, sees how the new stream ends. One that stops
    /// without its end is given an error, like every stream.
    pub fn map_chunks<S>(self, f: impl FnOnce(Chunks) -> S) -> Self
    where
        S: Stream<Item = Result<Chunk>> + Send + 'static,
    {
        let Self { report, body, ends } = self;
        let body = match body {
            Body::Full(..) => body,
            Body::Stream(chunks) | Body::Mapped(chunks) => Body::Mapped(f(chunks).boxed()),
        };
        Self { report, body, ends }
    }

    /// Calls `f` exactly once when the answer is over: complete, failed, or dropped before its end.
    ///
    /// For a complete answer that is now. Several are called in the order they were registered, the innermost layer's first.
    pub fn on_end(mut self, f: impl FnOnce(&End) + Send + 'static) -> Self {
        match &self.body {
            Body::Full(output, _) => f(&End::Complete(output.summary.clone())),
            Body::Stream(_) | Body::Mapped(_) => self.ends.0.push(Box::new(f)),
        }
        self
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("report", &self.report)
            .field("full", &self.is_full())
            .finish_non_exhaustive()
    }
}

type OnEnd = Box<dyn FnOnce(&End) + Send>;

/// The callbacks of one body. Fires them with `Dropped` if nobody fired them before.
#[derive(Default)]
struct Ends(Vec<OnEnd>);

impl Ends {
    fn fire(&mut self, end: &End) {
        for f in std::mem::take(&mut self.0) {
            f(end);
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.fire(&End::Dropped);
        }
    }
}

pin_project! {
    /// Makes a cut visible: a stream that stops without its end gets an error as its last item. Nothing follows an end
    /// or an error.
    struct Terminated<S> {
        #[pin]
        inner: S,
        done: bool,
    }
}

impl<S: Stream<Item = Result<Chunk>>> Stream for Terminated<S> {
    type Item = Result<Chunk>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if *this.done {
            return Poll::Ready(None);
        }
        let item = ready!(this.inner.poll_next(cx)).unwrap_or_else(|| Err(cut_short()));
        *this.done = matches!(item, Ok(Chunk::End(_)) | Err(_));
        Poll::Ready(Some(item))
    }
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Upstream, "the stream ended before its end was announced").with_code("stream_cut")
}

/// Tells the callbacks how the stream ended.
struct Watched {
    inner: Terminated<Chunks>,
    ends: Ends,
}

impl Stream for Watched {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.inner.poll_next_unpin(cx));
        match &item {
            Some(Ok(Chunk::End(summary))) => self.ends.fire(&End::Complete(summary.clone())),
            Some(Err(error)) => self.ends.fire(&End::Failed(error.kind())),
            Some(Ok(_)) | None => {}
        }
        Poll::Ready(item)
    }
}
