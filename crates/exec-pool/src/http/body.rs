//! The body of an answer, with the lease it comes over.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Body, Http};
use crate::lease::Lease;

/// A body that gives its connection back when it has ended. Dropped before, it closes an HTTP/1.1 connection and resets
/// the stream of an HTTP/2 one.
pub struct LeasedBody<B: Body> {
    body: Incoming,
    lease: Option<Lease<Http<B>>>,
}

impl<B: Body> LeasedBody<B> {
    pub(super) fn new(body: Incoming, lease: Lease<Http<B>>) -> Self {
        let mut leased = Self { body, lease: Some(lease) };
        if leased.body.is_end_stream() {
            leased.end();
        }
        leased
    }

    fn end(&mut self) {
        if let Some(mut lease) = self.lease.take() {
            lease.mark_sound();
        }
    }
}

impl<B: Body> http_body::Body for LeasedBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        match &frame {
            Poll::Ready(None) => this.end(),
            // What it is worth then, it was said before the exchange.
            Poll::Ready(Some(Err(_))) => drop(this.lease.take()),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        // Only who reads to the end gives the connection back, so the end is said after it was read.
        self.lease.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body> fmt::Debug for LeasedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeasedBody").field("ended", &self.lease.is_none()).finish()
    }
}
