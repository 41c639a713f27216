//! What a wire format is: four translations in one place.
//!
//! A format reads requests ([`Front::read`]) and writes answers ([`Front::answer`], [`Render`]) for callers who speak it,
//! and writes requests and reads answers, whole or in pieces, of providers that speak it. The canonical types of `exec_core` stand between the two, so n formats need n translations and not n².

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exec_core::{
    Capabilities, Chunk, Error, Operation, Output, RateLimitHint, Report, Request, Result, Usage, Wire,
};
use http::HeaderMap;
use tokio::time::Instant;

use crate::http::sse::SseEvent;
use crate::http::{Body, OutgoingRequest};

/// A format as a provider speaks it.
pub(crate) trait Format: Send + Sync + 'static {
    /// The name of the format that `operation` has.
    fn wire(&self, operation: &Operation) -> Wire;

    /// What providers that speak it can do, whatever their models.
    fn capabilities(&self) -> Capabilities;

    /// Writes `request` for `model`, the provider's own name for it. When the request was received in this format its
    /// bytes are sent on and only what must differ is replaced.
    ///
    /// # Errors
    /// `Unsupported` when the format has no such operation, `InvalidRequest` when the input is not what the operation takes.
    fn encode(&self, request: &Request, model: &str) -> Result<Encoded>;

    /// Puts the credentials and the format's own headers on `outgoing`, and those of the caller that the format allows.
    ///
    /// # Errors
    /// `Internal` when the configured credentials cannot be a header.
    fn headers(&self, request: &Request, outgoing: &mut OutgoingRequest) -> Result<()>;

    /// Reads a complete answer.
    ///
    /// # Errors
    /// `Upstream` when it is no answer, or the error it says it is.
    fn decode(&self, operation: &Operation, body: &Bytes) -> Result<Answer>;

    /// A reader for one streamed answer to what was encoded.
    fn decoder(&self, encoded: &Encoded) -> Box<dyn Decode>;

    /// What an answer with a status that is no success means. `body` is at most some kilobytes and may be anything.
    fn error(&self, status: u16, headers: &HeaderMap, body: &Bytes) -> Error;

    /// What the headers of an answer say of the provider's own rate limits.
    fn limits(&self, headers: &HeaderMap) -> Option<RateLimitHint>;

    /// The path below the base address at which the models are listed, unbilled.
    fn models_path(&self) -> &'static str;

    /// The names in an answer from [`models_path`](Self::models_path).
    ///
    /// # Errors
    /// `Upstream` when it is no list of models.
    fn models(&self, body: &Bytes) -> Result<Vec<Arc<str>>>;
}

/// A request as a provider takes it.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The path below the base address.
    pub(crate) path: &'static str,
    /// The body.
    pub(crate) body: Body,
    /// What of the request the format could not express.
    pub(crate) dropped: Vec<String>,
    /// Whether the caller speaks this format too, so that events of the answer are forwarded as they come.
    pub(crate) verbatim: bool,
    /// Whether we asked for usage in the stream though the caller did not, so that it must not see it.
    pub(crate) hide_usage: bool,
}

/// A complete answer as read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) output: Output,
    /// The provider's identifier of the answer.
    pub(crate) id: Option<Arc<str>>,
    /// The model that really answered.
    pub(crate) model: Option<Arc<str>>,
}

/// Reads one streamed answer, event by event.
pub(crate) trait Decode: Send {
    /// Reads an event and adds what it means to `out`, in order. [`Chunk::End`] is added at most once, when the
    /// format's terminal event was read; nothing is read after it.
    ///
    /// # Errors
    /// `Upstream` for an event that is broken, or the error the event says it is.
    fn event(&mut self, event: SseEvent, out: &mut VecDeque<Chunk>) -> Result<()>;

    /// The stream is over and no [`Chunk::End`] was given: whether the answer is complete all the same (it was
    /// announced that it is, and only the last formality is missing). Adds the end then.
    ///
    /// # Errors
    /// `Upstream` with code `stream_cut` when it is not.
    fn finish(&mut self, out: &mut VecDeque<Chunk>) -> Result<()>;

    /// What was used so far, as far as it was read.
    fn usage(&self) -> Option<Usage>;

    /// The provider's identifier of the answer, as soon as it was read.
    fn id(&self) -> Option<Arc<str>>;

    /// The model that really answers, as soon as it was read.
    fn model(&self) -> Option<Arc<str>>;
}

/// A format as a caller speaks it.
pub trait Front: Send + Sync + 'static {
    /// Its name.
    fn wire(&self) -> Wire;

    /// Reads a request body: JSON, types, ranges, all errors at once with their paths.
    ///
    /// # Errors
    /// `InvalidRequest` with every wrong field.
    fn read(&self, body: &Bytes) -> Result<Request>;

    /// The JSON of a complete answer.
    fn answer(&self, output: &Output, reply: &Reply) -> Bytes;

    /// A writer for one streamed answer.
    fn renderer(&self, reply: Reply) -> Box<dyn Render>;

    /// The JSON of an error, the same shape before and inside a stream.
    fn error(&self, error: &Error, request_id: &str) -> Bytes;
}

/// What an answer says of itself.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Who answered and how.
    pub report: Report,
    /// Our identifier of the execution.
    pub request_id: Arc<str>,
    /// The model as the caller named it, for answers of providers that do not say theirs.
    pub model: Option<Arc<str>>,
    /// Seconds since 1970.
    pub created: u64,
    /// When the execution began.
    pub started: Option<Instant>,
    /// Whether the caller wants the usage in the stream, in formats where that is asked for.
    pub include_usage: bool,
}

impl Reply {
    /// How long the execution has taken so far.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.map(|started| started.elapsed()).unwrap_or_default()
    }
}

/// Writes one streamed answer as server-sent events.
pub trait Render: Send {
    /// Writes what `chunk` is in this format, whole events only. The first call also writes what comes before everything,
    /// [`Chunk::End`] what comes after. An event that came in this very format is written as it came.
    fn chunk(&mut self, chunk: Chunk, out: &mut BytesMut);

    /// Writes that the answer broke. Nothing follows: neither a finish nor the terminal event.
    fn error(&mut self, error: &Error, out: &mut BytesMut);
}
