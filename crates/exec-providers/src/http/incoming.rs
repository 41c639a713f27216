//! The answer of an upstream: its head, and its body as a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body::Body as _;

use super::error::TransportError;
use super::lease::Lease;

/// An answer whose body is still to come. Dropping it closes the connection or resets the stream.
#[must_use = "the connection is held until the body is read or dropped"]
#[non_exhaustive]
pub struct Incoming {
    /// The status; redirects are not followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: IncomingBody,
}

impl Incoming {
    pub(super) fn new(answer: Response<hyper::body::Incoming>, lease: Lease) -> Self {
        let (head, body) = answer.into_parts();
        let mut body = IncomingBody { body, lease: Some(lease) };
        body.end_if_complete();
        Self { status: head.status, headers: head.headers, body }
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`] when it is more than `limit` bytes, as soon as that is known; otherwise what
    /// the stream gives. Dropping the future closes the connection.
    pub async fn bytes(self, limit: usize) -> Result<Bytes, TransportError> {
        self.body.bytes(limit).await
    }
}

/// The body of an answer: chunks as they arrive, with an error when it ends before its announced end.
#[must_use = "the connection is held until the body is read or dropped"]
pub struct IncomingBody {
    body: hyper::body::Incoming,
    /// Gone when the body has ended or failed.
    lease: Option<Lease>,
}

/// Shows the names of the headers only.
impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Incoming")
            .field("status", &self.status)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for IncomingBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingBody").field("ended", &self.lease.is_none()).finish_non_exhaustive()
    }
}

impl IncomingBody {
    /// As [`Incoming::bytes`].
    ///
    /// # Errors
    /// As there.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, TransportError> {
        let too_large = || TransportError::TooLarge { limit };
        let announced = usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_large());
        }
        let first = self.next().await.transpose()?.unwrap_or_default();
        if first.len() > limit {
            return Err(too_large());
        }
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            if whole.len() + chunk.len() > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
            next = self.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    /// Gives the connection back as soon as all was read, without waiting to be asked for the end.
    fn end_if_complete(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.end();
        }
    }
}

impl Stream for IncomingBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(lease) = &mut this.lease {
            let body = &mut this.body;
            let frame = match lease.driver() {
                Some(driver) => driver.poll(cx, |cx| Pin::new(&mut *body).poll_frame(cx)),
                None => Pin::new(body).poll_frame(cx),
            };
            match ready!(frame) {
                None => this.lease.take().into_iter().for_each(Lease::end),
                Some(Err(error)) => {
                    this.lease = None;
                    return Poll::Ready(Some(Err(TransportError::body(&error))));
                }
                Some(Ok(frame)) => {
                    this.end_if_complete();
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
        Poll::Ready(None)
    }
}
