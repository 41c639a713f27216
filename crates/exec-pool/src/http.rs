//! Connections to one HTTP server: HTTP/1.1, one request at a time, or HTTP/2, shared by several.
//!
//! A lease lasts from before the request to the end of the answer's body: see [`send`]. With TLS the handshake is part of
//! making a connection, so that idle connections, made ahead by [`Config::min_idle`](crate::Config::min_idle), are ready.

mod body;
mod connect;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use crate::error::PoolError;
use crate::lease::Lease;
use crate::manager::Manager;
use crate::pool::Pool;
pub use body::LeasedBody;
use connect::Driver;
pub use connect::Http;

/// What the body of a request must be.
pub trait Body:
    http_body::Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> Body for B where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + Unpin + 'static
{
}

/// A connection, with the task that moves it along.
#[derive(Debug)]
pub struct HttpConnection<B> {
    sender: Sender<B>,
    driver: Arc<Driver>,
}

#[derive(Debug)]
enum Sender<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

impl<B> Sender<B> {
    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// There was no connection; nothing was sent.
    #[error(transparent)]
    Pool(#[from] PoolError<io::Error>),
    /// It failed on the way; the server may have seen the request.
    #[error("the exchange failed")]
    Exchange(#[source] hyper::Error),
}

/// Sends a request over a connection of the pool. The URI of an HTTP/1.1 request is the path alone, with a `host` header;
/// that of an HTTP/2 request is whole: [`HttpConnection::is_http2`] tells which it is to be, and `request` is asked for
/// each connection that is tried.
///
/// A connection that the server closed before it took anything is replaced, within the limits of `get`. Dropping the
/// future closes an HTTP/1.1 connection that is in the middle of an exchange, and resets the stream of an HTTP/2 one.
///
/// # Errors
/// When there is no connection or the exchange fails. Answers of any status are answers.
pub async fn send<B: Body>(
    pool: &Pool<Http<B>>,
    request: impl Fn(&HttpConnection<B>) -> Request<B>,
) -> Result<Response<LeasedBody<B>>, HttpError> {
    loop {
        let mut lease = pool.get().await?;
        if lease.ready().await.is_err() {
            lease.mark_broken();
            continue;
        }
        let message = request(&lease);
        match exchange(&mut lease, message).await {
            Ok(response) => return Ok(response.map(|body| LeasedBody::new(body, lease))),
            Err(Failed::Unsent) => lease.mark_broken(),
            Err(Failed::Sent(error)) => return Err(HttpError::Exchange(error)),
        }
    }
}

enum Failed {
    /// Nothing of it was sent.
    Unsent,
    Sent(hyper::Error),
}

async fn exchange<B: Body>(
    lease: &mut Lease<Http<B>>,
    request: Request<B>,
) -> Result<Response<Incoming>, Failed> {
    let failed = |unsent: bool, error| if unsent { Failed::Unsent } else { Failed::Sent(error) };
    if !lease.is_http2() {
        // Until the end of the body: whoever stops in between leaves it in the middle of an exchange.
        lease.mark_broken();
    }
    match &mut lease.sender {
        Sender::Http1(sender) => sender
            .try_send_request(request)
            .await
            .map_err(|mut error| failed(error.take_message().is_some(), error.into_error())),
        Sender::Http2(sender) => sender
            .try_send_request(request)
            .await
            .map_err(|mut error| failed(error.take_message().is_some(), error.into_error())),
    }
}

impl<B: Body> HttpConnection<B> {
    /// Whether it speaks HTTP/2.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Waits for the end of the exchange before.
    async fn ready(&mut self) -> hyper::Result<()> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        }
    }
}

impl<B: Body> Manager for Http<B> {
    type Connection = HttpConnection<B>;
    type Error = io::Error;

    async fn create(&self) -> io::Result<HttpConnection<B>> {
        self.connect().await
    }

    /// hyper's task reads the end of a connection when it comes, so there is nothing to ask.
    async fn check(&self, connection: &mut HttpConnection<B>) -> io::Result<()> {
        connection.ready().await.map_err(io::Error::other)
    }

    fn is_open(&self, connection: &HttpConnection<B>) -> bool {
        !connection.sender.is_closed()
    }

    fn streams(&self, connection: &HttpConnection<B>) -> usize {
        if connection.is_http2() { self.most_streams() } else { 1 }
    }

    fn share(&self, connection: &HttpConnection<B>) -> Option<HttpConnection<B>> {
        match &connection.sender {
            Sender::Http2(sender) => Some(HttpConnection {
                sender: Sender::Http2(sender.clone()),
                driver: connection.driver.clone(),
            }),
            Sender::Http1(_) => None,
        }
    }
}
