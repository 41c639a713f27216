//! Why there is no connection, and what is left when a pool closes.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Problem;

/// Why a `get` gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError<E: std::error::Error + 'static> {
    /// The time for waiting was over.
    #[error("no connection within {waited:?}: {stage}")]
    Timeout {
        /// What the caller's place in the queue stood for when the time was over.
        stage: Stage,
        /// How long it had waited.
        waited: Duration,
    },
    /// As many callers wait as may.
    #[error("all connections are in use and {waiting} callers wait already")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// No connection could be made.
    #[error("failed to connect")]
    Connect(#[source] ConnectError<E>),
    /// The pool is closed, or closes.
    #[error("the pool is closed")]
    Closed,
}

/// Why a connection could not be made. Everybody who waited for it gets the same one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError<E: std::error::Error + 'static> {
    /// What [`Manager::create`](crate::Manager::create) said.
    #[error(transparent)]
    Failed(Arc<E>),
    /// It took longer than [`Config::connect`](crate::Config::connect).
    #[error("it took longer than {0:?}")]
    TooSlow(Duration),
    /// It panicked, or the runtime it ran in has ended.
    #[error("it was cut off")]
    CutOff,
}

impl<E: std::error::Error + 'static> Clone for ConnectError<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(error.clone()),
            Self::TooSlow(limit) => Self::TooSlow(*limit),
            Self::CutOff => Self::CutOff,
        }
    }
}

/// What one who waits, waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Somebody to give a connection back.
    Queue,
    /// A connection that is being made.
    Connect,
    /// A connection that is being checked.
    Check,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "all connections are in use",
            Self::Connect => "a connection was still being made",
            Self::Check => "a connection was still being checked",
        })
    }
}

/// A configuration that no pool can be made of, with everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad configuration of a pool: {}", listed(.0))]
pub struct ConfigError(pub Vec<Problem>);

/// A lease that is out, and where it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// Where `get` was called.
    pub site: &'static Location<'static>,
    /// For how long it is held.
    pub held: Duration,
}

impl fmt::Display for LeaseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "taken at {}, held for {:?}", self.site, self.held)
    }
}

/// A pool did not become empty within the time it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{connections} connections are still there; leases: {}", listed(.leases))]
#[non_exhaustive]
pub struct NotDrained {
    /// Connections in use or being closed.
    pub connections: usize,
    /// The leases that are out.
    pub leases: Vec<LeaseInfo>,
}

fn listed(items: &[impl fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
