//! A connection lent to one request, from the sending of its head to the end of the answer's body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;

use super::error::TransportError;
use super::gate::InUse;
use super::http1::{Driver, Http1};
use super::http2::Http2Stream;
use super::pool::Pool;
use super::rope::Sending;

#[derive(Debug)]
pub(super) enum Held {
    Http1(Http1),
    Http2(Http2Stream),
}

/// Dropping it closes the connection, or resets the stream; [`end`](Self::end) keeps it for the next request.
#[derive(Debug)]
pub(super) struct Lease {
    held: Held,
    /// Whether the connection took the whole request body; it is not free before.
    taken: Arc<AtomicBool>,
    pool: Arc<Pool>,
    _in_use: InUse,
}

/// How far a request came.
pub(super) enum Sent<A> {
    Answered(A),
    /// The connection was gone before anything was sent: the request is whole.
    Returned(Box<Request<Sending>>),
}

impl Lease {
    pub(super) fn new(held: Held, pool: Arc<Pool>, in_use: InUse) -> Self {
        Self { held, taken: Arc::default(), pool, _in_use: in_use }
    }

    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Sending>,
    ) -> Result<Sent<Response<Incoming>>, TransportError> {
        self.taken = request.body().taken();
        let answer = match &mut self.held {
            Held::Http1(connection) => {
                to_origin_form(&mut request)?;
                connection.send(request).await
            }
            Held::Http2(stream) => stream.sender.try_send_request(request).await,
        };
        answer.map(Sent::Answered).or_else(|mut failure| match failure.take_message() {
            Some(request) => Ok(Sent::Returned(Box::new(request))),
            None => Err(TransportError::head(failure.error())),
        })
    }

    /// What moves the connection along, when nobody else does.
    pub(super) fn driver(&mut self) -> Option<&mut Driver> {
        match &mut self.held {
            Held::Http1(connection) => Some(connection.driver()),
            Held::Http2(_) => None,
        }
    }

    /// The answer was read to its end.
    pub(super) fn end(self) {
        let Self { held, taken, pool, _in_use } = self;
        if let Held::Http1(connection) = held
            && taken.load(Ordering::Acquire)
        {
            pool.put_back(connection);
        }
        drop(_in_use);
    }
}

/// HTTP/1 sends the path alone and names the host in a header. A request that was returned has that form already.
pub(super) fn to_origin_form(request: &mut Request<Sending>) -> Result<(), TransportError> {
    let Some(authority) = request.uri().authority() else {
        return Ok(());
    };
    let host = HeaderValue::from_str(authority.as_str());
    let host = host.map_err(|_| TransportError::Request { problem: "host is not valid" })?;
    let path = request.uri().path_and_query().cloned();
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    Ok(())
}
