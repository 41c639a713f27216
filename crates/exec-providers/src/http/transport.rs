//! A client for one upstream: bounded connections, no redirects, typed failures.

use std::time::Duration;

use http::Request;
use http::header::CONTENT_LENGTH;
use tokio::time::{Instant, timeout_at};

use super::config::{Base, TransportConfig};
use super::error::TransportError;
use super::gate::TransportStats;
use super::incoming::Incoming;
use super::lease::Sent;
use super::request::OutgoingRequest;
use super::rope::Sending;
use super::source::{Connection, Source};

/// How often a request is given to another connection when the one it got turned out to be closed.
const TRIES: usize = 3;

/// A client for one upstream. Dropping it closes all unused connections; answers under way are not cut off.
pub struct Transport {
    base: Base,
    source: Source,
}

/// Shows the host only: the path of a base URL may hold a key.
impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.base.authority.as_str();
        f.debug_struct("Transport").field("host", &host).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Transport {
    /// Checks the settings and prepares a client; connects nothing. Reads certificate files, which blocks for a
    /// moment.
    ///
    /// # Errors
    /// [`TransportError::Config`] naming the setting that is wrong; the value is not shown.
    pub fn new(config: &TransportConfig) -> Result<Self, TransportError> {
        let base = config.check()?;
        Ok(Self { source: Source::new(config, &base)?, base })
    }

    /// Sends a request and waits for the head of the answer, whatever its status.
    ///
    /// `connect_limit` bounds the time until a connection is ready: the queue, TCP and TLS together. Without it
    /// only the making of a connection is bounded, by [`TransportConfig::connect`].
    ///
    /// Dropping the future leaves the queue, or closes the connection (HTTP/1) or resets the stream (HTTP/2).
    ///
    /// # Errors
    /// See [`TransportError`]; [`TransportError::unsent`] tells whether it is safe to send again. A request that
    /// meets a connection closed by the upstream before anything was sent is sent again here, at most twice.
    pub async fn send(
        &self,
        request: OutgoingRequest,
        connect_limit: Option<Duration>,
    ) -> Result<Incoming, TransportError> {
        let deadline = connect_limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut request = self.prepare(request)?;
        for _ in 0..TRIES {
            let connection = self.checkout(deadline).await?;
            match connection.send(self.absolute(request)?).await? {
                Sent::Answered(answer) => return Ok(Incoming::new(answer)),
                Sent::Returned(whole) => request = *whole,
            }
        }
        Err(TransportError::Closed { sent: false })
    }

    /// How busy this client is.
    #[must_use]
    pub fn stats(&self) -> TransportStats {
        self.source.stats()
    }

    async fn checkout(&self, deadline: Option<Instant>) -> Result<Connection, TransportError> {
        let checkout = self.source.checkout();
        match deadline {
            None => checkout.await,
            Some(deadline) => {
                timeout_at(deadline, checkout).await.unwrap_or(Err(TransportError::connect_timeout()))
            }
        }
    }

    fn prepare(&self, mut request: OutgoingRequest) -> Result<Request<Sending>, TransportError> {
        let uri = self.base.join(&request.path)?;
        let mut headers = request.take_headers();
        if !request.body.is_empty() || !matches!(request.method, http::Method::GET | http::Method::HEAD) {
            headers.insert(CONTENT_LENGTH, request.body.len().into());
        }
        let mut outgoing = Request::new(Sending::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = headers;
        Ok(outgoing)
    }

    /// Undoes what an HTTP/1 connection did to a request that comes back from it: the next may speak HTTP/2.
    fn absolute(&self, mut request: Request<Sending>) -> Result<Request<Sending>, TransportError> {
        if request.uri().authority().is_none() {
            request.headers_mut().remove(http::header::HOST);
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| self.base.origin(), |path| self.base.uri(path))?;
        }
        Ok(request)
    }
}
