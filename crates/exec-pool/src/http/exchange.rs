//! One request and its answer over a lease.

use std::io;

use ::http::{Request, Response};
use hyper::body::Incoming;

use super::body::Upload;
use super::{Body, Http, HttpConnection, LeasedBody, Sender};
use crate::error::PoolError;
use crate::lease::Lease;
use crate::pool::Pool;

/// How many connections a request is given to, each of which turns out to be closed.
const TRIES: usize = 3;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There was no connection; nothing was sent.
    #[error(transparent)]
    Pool(#[from] PoolError<io::Error>),
    /// Several connections in a row were closed by the server before they took anything; nothing was sent.
    #[error("the server closes its connections before they are used")]
    Closed,
    /// It failed on the way; the server may have seen the request.
    #[error("the exchange failed")]
    Exchange(#[source] hyper::Error),
}

/// Why a connection gave no answer.
#[derive(Debug)]
pub enum Unanswered<B> {
    /// It was closed before it took anything: the request is whole, and may be sent over another one.
    Returned(Box<Request<B>>),
    /// It failed on the way; the server may have seen the request.
    Failed(hyper::Error),
}

/// Sends a request over a connection of the pool. The URI of an HTTP/1.1 request is the path alone, with a `host` header;
/// that of an HTTP/2 request is whole: [`HttpConnection::is_http2`] tells which it is to be, and `request` is asked for
/// each connection that is tried.
///
/// A connection that the server closed before it took anything is replaced, at most twice, each within the limits of
/// `get`. Dropping the future closes an HTTP/1.1 connection that is in the middle of an exchange, and resets the stream of
/// an HTTP/2 one.
///
/// # Errors
/// When there is no connection or the exchange fails. Answers of any status are answers.
pub async fn send<B: Body>(
    pool: &Pool<Http<B>>,
    request: impl Fn(&HttpConnection<B>) -> Request<B>,
) -> Result<Response<LeasedBody<B>>, HttpError> {
    let limit = pool.shared().config.check;
    for _ in 0..TRIES {
        let mut lease = pool.get().await?;
        if !lease.ready_within(limit).await {
            lease.mark_broken();
            continue;
        }
        let message = request(&lease);
        match send_over(lease, message).await {
            Ok(response) => return Ok(response),
            Err(Unanswered::Returned(_)) => {}
            Err(Unanswered::Failed(error)) => return Err(HttpError::Exchange(error)),
        }
    }
    Err(HttpError::Closed)
}

/// As [`send`], over a connection that the caller has taken and found [ready](HttpConnection::ready_within).
///
/// # Errors
/// When the connection gives no answer; its lease has ended then.
pub async fn send_over<B: Body>(
    mut lease: Lease<Http<B>>,
    request: Request<B>,
) -> Result<Response<LeasedBody<B>>, Unanswered<B>> {
    match exchange(&mut lease, request).await {
        Ok(response) => Ok(response.map(|body| LeasedBody::new(body, lease))),
        Err(Unanswered::Returned(request)) => {
            lease.mark_broken();
            Err(Unanswered::Returned(request))
        }
        Err(failed) => Err(failed),
    }
}

async fn exchange<B: Body>(
    lease: &mut Lease<Http<B>>,
    request: Request<B>,
) -> Result<Response<Incoming>, Unanswered<B>> {
    if !lease.is_http2() {
        // Until the end of the body: whoever stops in between leaves it in the middle of an exchange.
        lease.mark_broken();
    }
    let taken = lease.taken.clone();
    let request = request.map(|body| Upload::new(body, taken));
    let answer = match &mut lease.sender {
        Sender::Http1(sender) => sender.try_send_request(request).await,
        Sender::Http2(sender) => sender.try_send_request(request).await,
    };
    answer.map_err(|mut error| match error.take_message() {
        Some(request) => Unanswered::Returned(Box::new(request.map(Upload::into_inner))),
        None => Unanswered::Failed(error.into_error()),
    })
}
