//! A streamed answer: bytes from the transport, events from the parser, chunks from the format.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use exec_core::{Chunk, Error, Result};
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

use crate::fault::{broken, cut};
use crate::format::Decode;
use crate::http::IncomingBody;
use crate::http::sse::{SseError, SseParser};
use crate::remote::transport_failed;

/// The largest event of a stream.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// How many chunks may come before the first content.
const MAX_PRELUDE: usize = 1024;

/// How long the end of a complete answer is held back for the connection to become free. Most servers send the last
/// event and the end of the body together, and then it takes no time at all.
const LINGER: Duration = Duration::from_millis(20);

/// Reads the body of one streamed answer. Dropping it closes the connection or resets the stream.
pub(crate) struct EventStream {
    body: Option<IncomingBody>,
    parser: SseParser,
    decoder: Box<dyn Decode>,
    queue: VecDeque<Chunk>,
    lingering: Option<Pin<Box<Sleep>>>,
    failed: bool,
    /// Why it failed, until that is told.
    error: Option<Error>,
}

impl EventStream {
    pub(crate) fn new(body: IncomingBody, decoder: Box<dyn Decode>) -> Self {
        let parser = SseParser::new(MAX_EVENT_BYTES);
        let queue = VecDeque::new();
        Self { body: Some(body), parser, decoder, queue, lingering: None, failed: false, error: None }
    }

    /// Waits for the first piece of content, or for the end of an answer without any: the commit point. What came
    /// before it is kept and comes first.
    ///
    /// # Errors
    /// Whatever would have been the error of the body.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        std::future::poll_fn(|cx| {
            loop {
                if self.queue.iter().any(|chunk| chunk.is_content() || matches!(chunk, Chunk::End(_))) {
                    return Poll::Ready(Ok(()));
                }
                if self.queue.len() > MAX_PRELUDE {
                    return Poll::Ready(Err(broken(
                        "no_content",
                        "the stream begins with too many events without content",
                    )));
                }
                if let Err(error) = ready!(self.poll_read(cx)) {
                    return Poll::Ready(Err(error));
                }
            }
        })
        .await
    }

    /// The provider's identifier of the answer, if it was read.
    pub(crate) fn id(&self) -> Option<Arc<str>> {
        self.decoder.id()
    }

    /// The model that answers, if it was read.
    pub(crate) fn model(&self) -> Option<Arc<str>> {
        self.decoder.model()
    }

    /// Reads one event, or some bytes, or the end.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if let Some(event) = self.parser.next() {
            let event = event.map_err(|error| unreadable(&error))?;
            return Poll::Ready(self.decoder.event(event, &mut self.queue));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(Err(cut()));
        };
        match ready!(Pin::new(body).poll_next(cx)) {
            Some(Ok(bytes)) => self.parser.push(bytes),
            Some(Err(error)) => {
                self.body = None;
                return Poll::Ready(Err(transport_failed(error)));
            }
            None => {
                self.body = None;
                return Poll::Ready(self.decoder.finish(&mut self.queue));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Lets the body come to its end, so that its connection can be used again, and waits for it only briefly.
    fn poll_linger(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        while let Some(body) = &mut self.body {
            if let Poll::Ready(item) = Pin::new(body).poll_next(cx) {
                if !matches!(item, Some(Ok(_))) {
                    self.body = None;
                }
                continue;
            }
            let alarm = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            ready!(alarm.as_mut().poll(cx));
            self.body = None;
        }
        Poll::Ready(())
    }
}

impl Stream for EventStream {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.failed {
                return Poll::Ready(self.error.take().map(Err));
            }
            if matches!(self.queue.front(), Some(Chunk::End(_))) {
                ready!(self.poll_linger(cx));
            }
            if let Some(chunk) = self.queue.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if let Err(error) = ready!(self.poll_read(cx)) {
                // What was read before it broke comes first.
                self.failed = true;
                let Some(usage) = self.decoder.usage() else { return Poll::Ready(Some(Err(error))) };
                self.error = Some(error);
                return Poll::Ready(Some(Ok(Chunk::Spent(usage))));
            }
        }
    }
}

fn unreadable(error: &SseError) -> Error {
    broken("malformed_event", format!("the stream cannot be read: {error}"))
}
