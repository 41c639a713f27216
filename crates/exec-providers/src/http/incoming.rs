//! The answer of an upstream: its head, and its body as a stream.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, Response, StatusCode};

use super::content::Content;
use super::error::TransportError;

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
    pub(super) fn new(answer: Response<Content>) -> Self {
        let (head, content) = answer.into_parts();
        let body = IncomingBody { content, ended: false };
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
    content: Content,
    ended: bool,
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
        f.debug_struct("IncomingBody").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl IncomingBody {
    /// As [`Incoming::bytes`].
    ///
    /// # Errors
    /// As there.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, TransportError> {
        let too_large = || TransportError::TooLarge { limit };
        let announced = usize::try_from(self.content.size_hint().lower()).unwrap_or(usize::MAX);
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
}

impl Stream for IncomingBody {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.content.poll_frame(cx)) {
                None => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(TransportError::body(&error))));
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}
