//! Four separate time limits, because one cannot do: a stream of ten minutes is fine, ten seconds of silence are not.
//!
//! For a limit over several tries put one `Timeout` outside of them and set `total`; for a limit of each try put one
//! inside. A deadline that the caller set is the [`Context`]'s and is kept here for bodies as well.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Chunk, Chunks, Context, Error, ErrorKind, FieldError, Middleware, Next, Remedy, Request, Response, Result,
};
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// The limits of a [`Timeout`]. What is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutConfig {
    /// Until a connection is there: waiting for a free one, opening it, and its handshake.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// Until the first content of a streamed answer. An answer asked for whole comes all at once, after any time the
    /// model needs, and is limited by `total` only.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub first_chunk: Option<Duration>,
    /// Between two pieces of content, as long as the reader waits for them. Signs of life without content do not count,
    /// and neither does the time a slow reader takes.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// For everything, the body included.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

impl TimeoutConfig {
    /// Everything that is wrong with the limits: one of zero would fail every call.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let Self { connect, first_chunk, idle, total } = *self;
        [("connect", connect), ("first_chunk", first_chunk), ("idle", idle), ("total", total)]
            .into_iter()
            .filter(|(_, limit)| *limit == Some(Duration::ZERO))
            .map(|(name, _)| {
                FieldError::new(name, "out_of_range", "must be more than zero; leave it out for no limit")
            })
            .collect()
    }
}

/// Ends a call that takes too long. The call is dropped at once, which cancels it down to the socket.
///
/// Before the first chunk the error has the remedy `Elsewhere` while the execution has time left: who was silent once is
/// not asked again. In the body it ends the stream, with the same remedy, for who can go on elsewhere. A body is also ended, here, by the deadline and the cancellation of
/// its [`Context`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeout {
    config: TimeoutConfig,
}

impl Timeout {
    /// A timeout with these limits.
    #[must_use]
    pub fn new(config: TimeoutConfig) -> Self {
        Self { config }
    }
}

#[async_trait]
impl Middleware for Timeout {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let TimeoutConfig { connect, first_chunk, idle, total } = self.config;
        let started = Instant::now();
        let inner = connect.map_or_else(|| context.child(), |limit| context.with_connect_limit(limit));
        let first = first_chunk.filter(|_| request.options.stream);
        let until = [first, total].into_iter().flatten().min().and_then(|limit| started.checked_add(limit));
        let call = context.bound(next.run(request, &inner));
        let response = match until {
            None => call.await?,
            Some(at) => tokio::time::timeout_at(at, call).await.map_err(|_| too_slow(first, total))??,
        };
        let total = total.and_then(|limit| started.checked_add(limit));
        Ok(response.map_chunks(|chunks| Limited::new(chunks, idle, total, context)))
    }

    fn name(&self) -> &'static str {
        "timeout"
    }
}

fn too_slow(first: Option<Duration>, total: Option<Duration>) -> Error {
    match (first, total) {
        (Some(first), total) if total.is_none_or(|total| first <= total) => {
            late("first_chunk_timeout", format!("no content came within {first:?}"))
        }
        (_, total) => late("total_timeout", format!("no answer came within {:?}", total.unwrap_or_default())),
    }
    .with_remedy(Remedy::Elsewhere)
}

fn late(code: &'static str, message: String) -> Error {
    Error::new(ErrorKind::DeadlineExceeded, message).with_code(code)
}

/// A body with its limits.
pub(crate) struct Limited {
    chunks: Chunks,
    idle: Option<Duration>,
    /// Since when the reader has been waiting for content.
    waiting: Option<Instant>,
    /// When the body must be over, and why.
    end: Option<(Instant, &'static str)>,
    alarm: Option<Pin<Box<Sleep>>>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Limited {
    pub(crate) fn new(
        chunks: Chunks,
        idle: Option<Duration>,
        total: Option<Instant>,
        context: &Context,
    ) -> Self {
        let total = total.map(|at| (at, "total_timeout"));
        let deadline = context.deadline().map(|at| (at, "deadline_exceeded"));
        let end = [total, deadline].into_iter().flatten().min();
        let cancelled = Box::pin(context.cancelled_owned());
        Self { chunks, idle, waiting: None, end, alarm: None, cancelled }
    }

    /// The next moment at which something is too late.
    fn next_limit(&self) -> Option<(Instant, &'static str)> {
        let idle = self.waiting.zip(self.idle).and_then(|(since, limit)| since.checked_add(limit));
        [idle.map(|at| (at, "idle_timeout")), self.end].into_iter().flatten().min()
    }

    /// Whether something is too late. Sets the alarm for the moment it will be; moves it only when it rings early,
    /// so that a fast stream does not touch the timer at every chunk.
    fn poll_late(&mut self, cx: &mut TaskContext<'_>) -> Poll<Error> {
        while let Some((at, code)) = self.next_limit() {
            if Instant::now() >= at {
                return Poll::Ready(self.too_late(code));
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() > at || alarm.is_elapsed() {
                alarm.as_mut().reset(at);
            }
            std::task::ready!(alarm.as_mut().poll(cx));
        }
        Poll::Pending
    }

    fn too_late(&self, code: &'static str) -> Error {
        let message = match (code, self.idle) {
            ("idle_timeout", Some(limit)) => format!("the stream was silent for {limit:?}"),
            _ => "the stream took longer than it may".to_owned(),
        };
        // Only the deadline of the execution leaves no time elsewhere.
        let remedy = if code == "deadline_exceeded" { Remedy::Stop } else { Remedy::Elsewhere };
        late(code, message).with_remedy(remedy)
    }
}

impl Stream for Limited {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(item) = self.chunks.poll_next_unpin(cx) {
            if item.as_ref().is_none_or(|item| item.as_ref().map_or(true, Chunk::is_content)) {
                self.waiting = None;
            }
            // A body that is never silent is still over at its end.
            return match self.end {
                Some((at, code)) if Instant::now() >= at && !is_end(item.as_ref()) => {
                    Poll::Ready(Some(Err(self.too_late(code))))
                }
                _ => Poll::Ready(item),
            };
        }
        if self.idle.is_some() {
            self.waiting.get_or_insert_with(Instant::now);
        }
        if self.cancelled.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Error::new(ErrorKind::Cancelled, "the execution was cancelled"))));
        }
        self.poll_late(cx).map(|error| Some(Err(error)))
    }
}

fn is_end(item: Option<&Result<Chunk>>) -> bool {
    matches!(item, None | Some(Ok(Chunk::End(_)) | Err(_)))
}
