//! A streamed answer on its way to the caller.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exec_core::{Chunk, Chunks, Context, Response, Result};
use exec_providers::format::{Render, Reply};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::shutdown::{InFlight, explained, stopping};

/// How much is written before the connection is asked to take it. A reader who is slower than this is waited for.
const FRAME_BYTES: usize = 16 << 10;

const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Makes the renderer once the reply is known.
pub type MakeRenderer = Box<dyn FnOnce(Reply) -> Box<dyn Render> + Send>;

/// The body of a streamed answer. It may begin before the provider has answered: then it shows that it lives until the
/// provider does, and a failure becomes an error event.
///
/// Dropping it cancels the execution.
pub struct EventBody {
    state: State,
    keep_alive: Duration,
    quiet: Pin<Box<Sleep>>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Says that an execution is under way until the body is gone.
    _in_flight: InFlight,
}

enum State {
    Waiting(BoxFuture<'static, Result<Response>>, Box<Reply>, MakeRenderer),
    Streaming(Chunks, Box<dyn Render>),
    Done,
}

impl EventBody {
    /// The body of an answer that is there.
    pub fn streaming(response: Response, reply: Reply, renderer: MakeRenderer, life: Life) -> Self {
        Self::new(begin(response, reply, renderer), life)
    }

    /// The body of an answer that is still waited for.
    pub fn waiting(
        call: BoxFuture<'static, Result<Response>>,
        reply: Reply,
        renderer: MakeRenderer,
        life: Life,
    ) -> Self {
        let mut body = Self::new(State::Waiting(call, Box::new(reply), renderer), life);
        // The wait before this was as long as one silence may be.
        body.quiet.as_mut().reset(Instant::now());
        body
    }

    fn new(state: State, life: Life) -> Self {
        let Life { keep_alive, context, in_flight } = life;
        let quiet = Box::pin(sleep_until(Instant::now() + keep_alive));
        let cancelled = Box::pin(context.cancelled_owned());
        Self { state, keep_alive, quiet, cancelled, _in_flight: in_flight }
    }

    /// Writes what is there, up to a frame. True when nothing more will come.
    fn fill(&mut self, cx: &mut TaskContext<'_>, out: &mut BytesMut) -> bool {
        while out.len() < FRAME_BYTES {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Waiting(mut call, reply, renderer) => match call.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Waiting(call, reply, renderer);
                        return false;
                    }
                    Poll::Ready(Ok(response)) => self.state = begin(response, *reply, renderer),
                    Poll::Ready(Err(error)) => renderer(*reply).error(&explained(error), out),
                },
                State::Streaming(mut chunks, mut renderer) => match chunks.poll_next_unpin(cx) {
                    Poll::Pending => {
                        self.state = State::Streaming(chunks, renderer);
                        return false;
                    }
                    Poll::Ready(Some(Ok(chunk))) => {
                        let last = matches!(chunk, Chunk::End(_));
                        renderer.chunk(chunk, out);
                        if !last {
                            self.state = State::Streaming(chunks, renderer);
                        }
                    }
                    Poll::Ready(Some(Err(error))) => renderer.error(&explained(error), out),
                    Poll::Ready(None) => {}
                },
                State::Done => return true,
            }
        }
        false
    }

    /// Ends the answer with an error event: the server is stopping and its grace is over.
    fn break_off(&mut self, out: &mut BytesMut) {
        let error = stopping();
        match std::mem::replace(&mut self.state, State::Done) {
            State::Waiting(_, reply, renderer) => renderer(*reply).error(&error, out),
            State::Streaming(_, mut renderer) => renderer.error(&error, out),
            State::Done => {}
        }
    }
}

fn begin(response: Response, reply: Reply, renderer: MakeRenderer) -> State {
    let reply = Reply { report: response.report.clone(), ..reply };
    State::Streaming(response.into_chunks(), renderer(reply))
}

/// What the life of a body depends on.
#[derive(Debug)]
pub struct Life {
    /// The longest silence.
    pub keep_alive: Duration,
    /// Cancelled when the server stops waiting for it.
    pub context: Context,
    /// Given back when the body is gone.
    pub in_flight: InFlight,
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = BytesMut::new();
        let over = self.fill(cx, &mut out);
        if out.is_empty() && !over && self.cancelled.as_mut().poll(cx).is_ready() {
            self.break_off(&mut out);
        }
        if out.is_empty() && matches!(self.state, State::Done) {
            return Poll::Ready(None);
        }
        if out.is_empty() {
            std::task::ready!(self.quiet.as_mut().poll(cx));
            out.extend_from_slice(KEEP_ALIVE);
        }
        let next = Instant::now() + self.keep_alive;
        self.quiet.as_mut().reset(next);
        Poll::Ready(Some(Ok(Frame::data(out.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl std::fmt::Debug for EventBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventBody")
    }
}
