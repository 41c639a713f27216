//! What can go wrong between us and an upstream, and whether it can have received anything.

use std::error::Error;
use std::io;

/// A cause of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A failure of the transport. No variant ever shows a header value, a body or a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A setting is wrong.
    #[error("{field} {problem}")]
    Config {
        /// The setting's name.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The request cannot be put on the wire as it was given.
    #[error("request {problem}")]
    Request {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// All connections are taken and the queue for them is full.
    #[error("too many requests are waiting for a connection")]
    Busy,
    /// No connection: the wait for one, name lookup, TCP or TLS failed or took too long.
    #[error("no connection{}", if *.timed_out { " within the limit" } else { "" })]
    Connect {
        /// The limit was reached; otherwise the attempt failed.
        timed_out: bool,
        /// What failed, when something did.
        #[source]
        source: Option<BoxError>,
    },
    /// The upstream closed the connection before it answered.
    #[error("connection closed before the answer{}", if *.sent { "" } else { ", nothing was sent" })]
    Closed {
        /// Whether any part of the request can have reached the upstream.
        sent: bool,
    },
    /// The connection or stream was reset, before or inside the answer.
    #[error("connection reset")]
    Reset,
    /// The answer's body ended before its announced end.
    #[error("body ended too early")]
    Incomplete,
    /// The connection went silent and was given up.
    #[error("connection timed out")]
    TimedOut,
    /// What came is not valid HTTP.
    #[error("answer is not valid http")]
    Protocol,
    /// The body is bigger than the caller allows.
    #[error("body is larger than {limit} bytes")]
    TooLarge {
        /// The allowed number of bytes.
        limit: usize,
    },
}

impl TransportError {
    /// True only if provably no part of the request was sent, so that sending it again cannot run it twice.
    #[must_use]
    pub fn unsent(&self) -> bool {
        match self {
            Self::Config { .. } | Self::Request { .. } | Self::Busy | Self::Connect { .. } => true,
            Self::Closed { sent } => !sent,
            Self::Reset | Self::Incomplete | Self::TimedOut | Self::Protocol | Self::TooLarge { .. } => false,
        }
    }

    /// Whether a time limit was the cause.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Connect { timed_out: true, .. } | Self::TimedOut)
    }

    pub(super) fn connect(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let timed_out = io_kind(source.as_ref()) == Some(io::ErrorKind::TimedOut);
        Self::Connect { timed_out, source: Some(source) }
    }

    pub(super) const fn connect_timeout() -> Self {
        Self::Connect { timed_out: true, source: None }
    }

    /// A failure after the request was handed to a connection, before the head of the answer.
    pub(super) fn head(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Closed { sent: true };
        }
        match Self::in_flight(error) {
            Self::Incomplete => Self::Closed { sent: true },
            other => other,
        }
    }

    /// A failure inside the body of the answer.
    pub(super) fn body(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Incomplete;
        }
        Self::in_flight(error)
    }

    fn in_flight(error: &hyper::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        if error.is_parse() {
            return Self::Protocol;
        }
        match io_kind(error) {
            Some(io::ErrorKind::UnexpectedEof) => Self::Incomplete,
            Some(io::ErrorKind::TimedOut) => Self::TimedOut,
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Self::Protocol,
            // What is left is a reset of the connection or of an HTTP/2 stream.
            _ => Self::Reset,
        }
    }
}

pub(super) fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}
