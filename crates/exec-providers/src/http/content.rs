//! The body of an answer as it comes, with the connection it comes over.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::lease::Lease;
#[cfg(feature = "exec-pool")]
use super::pooled::PooledBody;

/// Dropping it closes the connection, or resets the stream; reading it to the end keeps the connection for the next.
#[derive(Debug)]
pub(super) enum Content {
    Own {
        body: Incoming,
        /// Gone when the body has ended or failed.
        lease: Option<Lease>,
    },
    /// Gone when the body has ended or failed.
    #[cfg(feature = "exec-pool")]
    Pooled(Option<PooledBody>),
}

impl Content {
    pub(super) fn own(body: Incoming, lease: Lease) -> Self {
        let mut lease = Some(lease);
        end_if_complete(&body, &mut lease);
        Self::Own { body, lease }
    }

    /// The next frame; after the end or an error there are none.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Self::Own { body, lease } => poll_own(body, lease, cx),
            #[cfg(feature = "exec-pool")]
            Self::Pooled(body) => {
                let Some(open) = body else {
                    return Poll::Ready(None);
                };
                let frame = ready!(Pin::new(open).poll_frame(cx));
                if !matches!(frame, Some(Ok(_))) {
                    *body = None;
                }
                Poll::Ready(frame)
            }
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { body, .. } => body.size_hint(),
            #[cfg(feature = "exec-pool")]
            Self::Pooled(body) => body.as_ref().map(http_body::Body::size_hint).unwrap_or_default(),
        }
    }
}

fn poll_own(
    body: &mut Incoming,
    lease: &mut Option<Lease>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let Some(held) = lease else {
        return Poll::Ready(None);
    };
    let frame = ready!(match held.driver() {
        Some(driver) => driver.poll(cx, |cx| Pin::new(&mut *body).poll_frame(cx)),
        None => Pin::new(&mut *body).poll_frame(cx),
    });
    match &frame {
        None => lease.take().into_iter().for_each(Lease::end),
        Some(Err(_)) => *lease = None,
        Some(Ok(_)) => end_if_complete(body, lease),
    }
    Poll::Ready(frame)
}

/// Gives the connection back as soon as all was read, without waiting to be asked for the end.
fn end_if_complete(body: &Incoming, lease: &mut Option<Lease>) {
    if body.is_end_stream() {
        lease.take().into_iter().for_each(Lease::end);
    }
}
