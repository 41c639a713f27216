//! Connections to one HTTP server: HTTP/1.1, one request at a time, or HTTP/2, shared by several.
//!
//! A lease lasts from before the request to the end of the answer's body: see [`send`]. With TLS the handshake is part of
//! making a connection, so that idle connections, made ahead by [`Config::min_idle`](crate::Config::min_idle), are ready.

mod body;
mod connect;
mod exchange;

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use tokio::time::timeout;

use crate::manager::Manager;
pub use body::LeasedBody;
use body::Upload;
use connect::Driver;
pub use connect::Http;
pub use exchange::{HttpError, Unanswered, send, send_over};

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
    /// Whether the body of the request that is under way was taken wholly. Of no use with HTTP/2.
    taken: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Sender<B> {
    Http1(http1::SendRequest<Upload<B>>),
    Http2(http2::SendRequest<Upload<B>>),
}

impl<B> Sender<B> {
    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender) => sender.is_ready(),
        }
    }
}

impl<B: Body> HttpConnection<B> {
    /// Whether it speaks HTTP/2.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Waits, at most so long, until the exchange before is over in both directions, which it is nearly always. False when
    /// it is not then, or the connection is closed: [`mark_broken`](crate::Lease::mark_broken) it.
    pub async fn ready_within(&mut self, limit: Duration) -> bool {
        self.sender.is_ready() || timeout(limit, self.ready()).await.is_ok_and(|ready| ready.is_ok())
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

    /// Ends when the socket is closed.
    async fn close(&self, connection: HttpConnection<B>) {
        let HttpConnection { sender, driver, .. } = connection;
        drop(sender);
        Driver::ended(driver).await;
    }

    fn is_open(&self, connection: &HttpConnection<B>) -> bool {
        !connection.sender.is_closed()
    }

    fn expected_streams(&self) -> usize {
        if self.may_share() { self.most_streams() } else { 1 }
    }

    fn streams(&self, connection: &HttpConnection<B>) -> usize {
        if connection.is_http2() { self.most_streams() } else { 1 }
    }

    fn share(&self, connection: &HttpConnection<B>) -> Option<HttpConnection<B>> {
        match &connection.sender {
            Sender::Http2(sender) => Some(HttpConnection {
                sender: Sender::Http2(sender.clone()),
                driver: connection.driver.clone(),
                taken: Arc::default(),
            }),
            Sender::Http1(_) => None,
        }
    }
}
