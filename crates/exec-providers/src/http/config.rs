//! The settings of a transport and the check of its base URL.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use serde::Deserialize;

use super::error::TransportError;

/// How one upstream is reached. Durations are written as `"250ms"`, `"5s"`, `"2m"`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Scheme, host, optional port and path prefix, such as `https://api.example.com/v1`.
    pub base_url: String,
    /// The most connections open at any time, from 1. Default 256.
    pub max_connections: usize,
    /// The most requests that wait for a connection; more fail at once. Default 1024.
    pub max_waiting: usize,
    /// The limit for name lookup, TCP and TLS of one connection. Default 5 s.
    #[serde(with = "exec_core::duration")]
    pub connect: Duration,
    /// How long an unused connection is kept; zero keeps none. Default 90 s.
    #[serde(with = "exec_core::duration")]
    pub idle: Duration,
    /// Whether HTTP/2 is spoken. Default [`Http2::Auto`].
    pub http2: Http2,
    /// The most bytes an HTTP/1 connection buffers in each direction, from 8192. Default 64 KiB.
    pub http1_max_buf_size: usize,
    /// Who keeps the connections. Default [`Pooling::Own`].
    pub pool: Pooling,
    /// A PEM file with certificate authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// When HTTP/2 is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Http2 {
    /// Over TLS when the upstream offers it; never without TLS.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Never,
    /// HTTP/2 only, also without TLS.
    PriorKnowledge,
}

/// Who keeps the connections of a transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pooling {
    /// The transport itself: whoever reads an answer moves its connection along.
    #[default]
    Own,
    /// A pool of the crate `exec-pool`, with a task for each connection. Needs the feature `exec-pool`; otherwise the
    /// settings are refused.
    ///
    /// What differs: a connection that a caller gave up waiting for is still made, for the next, and counts as open; those
    /// for whom one is being made count among [`TransportConfig::max_waiting`]; a failure to connect is told when no other
    /// connection is in use or being made, and nothing is tried for a millisecond after it; a connection that the upstream
    /// closed while it was unused counts as open until it is looked at; and requests over the upstream's limit of HTTP/2
    /// streams wait inside the connection, not in the queue, so that the limit for connecting does not end that wait.
    ExecPool,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            max_connections: 256,
            max_waiting: 1024,
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(90),
            http2: Http2::Auto,
            http1_max_buf_size: 64 * 1024,
            pool: Pooling::Own,
            ca_file: None,
        }
    }
}

impl TransportConfig {
    /// The defaults for this base URL.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), ..Self::default() }
    }

    /// Checks everything that can be checked without connecting.
    ///
    /// # Errors
    /// [`TransportError::Config`] naming the setting that is wrong; the value is not shown.
    pub fn validate(&self) -> Result<(), TransportError> {
        self.check().map(drop)
    }

    pub(super) fn check(&self) -> Result<Base, TransportError> {
        let wrong = |field, problem| Err(TransportError::Config { field, problem });
        if self.max_connections == 0 {
            return wrong("max_connections", "must be at least 1");
        }
        if self.http1_max_buf_size < 8192 {
            return wrong("http1_max_buf_size", "must be at least 8192");
        }
        if self.connect.is_zero() {
            return wrong("connect", "must be more than zero");
        }
        if self.pool == Pooling::ExecPool && !cfg!(feature = "exec-pool") {
            return wrong("pool", "\"exec_pool\" needs a build with the feature exec-pool");
        }
        Base::parse(&self.base_url).map_err(|problem| TransportError::Config { field: "base_url", problem })
    }
}

/// Leaves the URL out: a wrong one may hold a password.
impl std::fmt::Debug for TransportConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = Base::parse(&self.base_url).map(|base| base.authority.to_string());
        f.debug_struct("TransportConfig")
            .field("host", &host)
            .field("max_connections", &self.max_connections)
            .field("max_waiting", &self.max_waiting)
            .field("connect", &self.connect)
            .field("idle", &self.idle)
            .field("http2", &self.http2)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// A base URL that was checked.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// Without a slash at the end.
    prefix: String,
}

impl Base {
    fn parse(url: &str) -> Result<Self, &'static str> {
        if url.is_empty() {
            return Err("must be set");
        }
        if url.contains('#') {
            return Err("must not have a fragment");
        }
        let parts = url.parse::<Uri>().map_err(|_| "is not a valid url")?.into_parts();
        let scheme = parts.scheme.ok_or("must start with http:// or https://")?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err("must start with http:// or https://");
        }
        let authority = parts.authority.ok_or("must have a host")?;
        if authority.as_str().contains('@') {
            return Err("must not have a user name or password");
        }
        if authority.host().is_empty() {
            return Err("must have a host");
        }
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
        if path.contains('?') {
            return Err("must not have a query");
        }
        Ok(Self { scheme, authority, prefix: path.trim_end_matches('/').to_owned() })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The URL of `path` below this base. The path stays encoded as it is.
    pub(super) fn join(&self, path: &str) -> Result<Uri, TransportError> {
        let wrong = |problem| TransportError::Request { problem };
        if !path.starts_with('/') {
            return Err(wrong("path must start with a slash"));
        }
        if path.contains('#') {
            return Err(wrong("path must not have a fragment"));
        }
        let path =
            PathAndQuery::try_from([&self.prefix, path].concat()).map_err(|_| wrong("path is not valid"))?;
        self.uri(path)
    }

    /// The URL that stands for the host alone.
    pub(super) fn origin(&self) -> Result<Uri, TransportError> {
        self.uri(PathAndQuery::from_static("/"))
    }

    pub(super) fn uri(&self, path: PathAndQuery) -> Result<Uri, TransportError> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|_| TransportError::Request { problem: "url is not valid" })
    }
}
