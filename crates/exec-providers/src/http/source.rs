//! Where a request gets its connection: from the pool of this crate, or from one of `exec-pool`.

use std::sync::Arc;

use http::{Request, Response};

use super::config::{Base, TransportConfig};
use super::content::Content;
use super::error::TransportError;
use super::gate::TransportStats;
use super::lease::{Lease, Sent};
use super::pool::Pool;
#[cfg(feature = "exec-pool")]
use super::pooled::{Pooled, PooledLease};
use super::rope::Sending;

/// The connections of one upstream.
#[derive(Debug)]
pub(super) enum Source {
    Own(Arc<Pool>),
    #[cfg(feature = "exec-pool")]
    Pooled(Pooled),
}

/// A connection for one request. Dropping it closes the connection, or resets the stream, once something was sent.
#[derive(Debug)]
pub(super) enum Connection {
    Own(Lease),
    #[cfg(feature = "exec-pool")]
    Pooled(PooledLease),
}

impl Source {
    /// `config` was checked.
    pub(super) fn new(config: &TransportConfig, base: &Base) -> Result<Self, TransportError> {
        #[cfg(feature = "exec-pool")]
        if config.pool == super::config::Pooling::ExecPool {
            return Pooled::new(config, base).map(Self::Pooled);
        }
        Pool::new(config.clone(), base).map(Self::Own)
    }

    pub(super) fn stats(&self) -> TransportStats {
        match self {
            Self::Own(pool) => pool.stats(),
            #[cfg(feature = "exec-pool")]
            Self::Pooled(pool) => pool.stats(),
        }
    }

    /// A connection, after whatever wait. Dropping the future leaves the queue.
    pub(super) async fn checkout(&self) -> Result<Connection, TransportError> {
        match self {
            Self::Own(pool) => pool.checkout().await.map(Connection::Own),
            #[cfg(feature = "exec-pool")]
            Self::Pooled(pool) => pool.checkout().await.map(Connection::Pooled),
        }
    }
}

impl Connection {
    /// Sends the request and waits for the head of the answer.
    pub(super) async fn send(
        self,
        request: Request<Sending>,
    ) -> Result<Sent<Response<Content>>, TransportError> {
        match self {
            Self::Own(mut lease) => Ok(match lease.send(request).await? {
                Sent::Answered(answer) => Sent::Answered(answer.map(|body| Content::own(body, lease))),
                Sent::Returned(request) => Sent::Returned(request),
            }),
            #[cfg(feature = "exec-pool")]
            Self::Pooled(lease) => super::pooled::send(lease, request).await,
        }
    }
}
