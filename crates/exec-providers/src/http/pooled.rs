//! Connections from a pool of `exec-pool`, made by the same connector as our own.

use std::io;
use std::time::Duration;

use exec_pool::http::{Http, LeasedBody, Unanswered, send_over};
use exec_pool::{Config, ConnectError, Lease, Pool, PoolError};
use http::{Request, Response};
use hyper_util::client::legacy::connect::Connection as _;
use tower_service::Service as _;

use super::config::{Base, Http2, TransportConfig};
use super::connector::connector;
use super::content::Content;
use super::error::{TransportError, io_kind};
use super::gate::TransportStats;
use super::lease::{Sent, to_origin_form};
use super::rope::Sending;

pub(super) type PooledLease = Lease<Http<Sending>>;
pub(super) type PooledBody = LeasedBody<Sending>;

/// The longest limit that a pool takes.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How many connections in a row may turn out to be of no use.
const TRIES: usize = 3;
/// Every request is told of its own failure to connect, so there is hardly a pause after one.
const BACKOFF: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Pooled {
    pool: Pool<Http<Sending>>,
    connect: Duration,
}

impl Pooled {
    pub(super) fn new(config: &TransportConfig, base: &Base) -> Result<Self, TransportError> {
        let mut pool = Pool::builder(manager(config, base)?).config(settings(config));
        if config.idle.is_zero() {
            pool = pool.on_return(|_| false);
        }
        // Every other setting is one that a pool can have.
        let problem = "must be at most 100000 for a pool of exec-pool";
        let pool = pool.build().map_err(|_| TransportError::Config { field: "max_connections", problem })?;
        Ok(Self { pool, connect: config.connect })
    }

    pub(super) fn stats(&self) -> TransportStats {
        let stats = self.pool.stats();
        TransportStats { open: stats.total, in_use: stats.leases, waiting: stats.waiting }
    }

    /// A connection for one request. Dropping the future leaves the queue; what is being made goes on, for the next.
    pub(super) async fn checkout(&self) -> Result<PooledLease, TransportError> {
        for _ in 0..TRIES {
            let mut lease = self.pool.get().await.map_err(no_connection)?;
            if lease.ready_within(self.connect).await {
                return Ok(lease);
            }
            lease.mark_broken();
        }
        Err(TransportError::Closed { sent: false })
    }
}

fn manager(config: &TransportConfig, base: &Base) -> Result<Http<Sending>, TransportError> {
    let (connector, origin) = (connector(config, base.is_tls())?, base.origin()?);
    let manager = Http::over(move || {
        let connecting = connector.clone().call(origin.clone());
        async move {
            let socket = connecting.await.map_err(|error| {
                io::Error::new(io_kind(error.as_ref()).unwrap_or(io::ErrorKind::Other), error)
            })?;
            let http2 = socket.connected().is_negotiated_h2();
            Ok((socket, http2))
        }
    });
    let manager = manager.max_buffer(config.http1_max_buf_size);
    Ok(match config.http2 {
        Http2::PriorKnowledge => manager.prior_knowledge(),
        Http2::Auto if base.is_tls() => manager,
        // Nobody shares an HTTP/1 connection, so as many are made at once as are wanted.
        Http2::Auto | Http2::Never => manager.streams(1),
    })
}

/// Waiting has no limit here, because that of the request is outside; nor is there a check, because a connection that
/// was closed is known to be.
fn settings(config: &TransportConfig) -> Config {
    Config {
        max: config.max_connections,
        max_connecting: config.max_connections,
        max_waiting: config.max_waiting,
        wait: YEAR,
        connect: config.connect.min(YEAR),
        trust: YEAR,
        idle: config.idle.min(YEAR),
        lifetime: Duration::ZERO,
        backoff: BACKOFF,
        backoff_max: BACKOFF,
        ..Config::default()
    }
}

fn no_connection(error: PoolError<io::Error>) -> TransportError {
    match error {
        PoolError::Full { .. } => TransportError::Busy,
        PoolError::Timeout { .. } | PoolError::Connect(ConnectError::TooSlow(_)) => {
            TransportError::connect_timeout()
        }
        PoolError::Connect(ConnectError::Failed(error)) => TransportError::Connect {
            timed_out: error.kind() == io::ErrorKind::TimedOut,
            source: Some(error.into()),
        },
        other => TransportError::Connect { timed_out: false, source: Some(other.into()) },
    }
}

/// Sends the request and waits for the head of the answer.
pub(super) async fn send(
    lease: PooledLease,
    mut request: Request<Sending>,
) -> Result<Sent<Response<Content>>, TransportError> {
    if !lease.is_http2() {
        to_origin_form(&mut request)?;
    }
    match send_over(lease, request).await {
        Ok(answer) => Ok(Sent::Answered(answer.map(|body| Content::Pooled(Some(body))))),
        Err(Unanswered::Returned(request)) => Ok(Sent::Returned(request)),
        Err(Unanswered::Failed(error)) => Err(TransportError::head(&error)),
    }
}
