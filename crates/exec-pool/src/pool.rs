//! The pool as its users see it.

pub(crate) mod keeper;
mod settings;
pub(crate) mod shared;
mod wait;
mod work;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::config::{Config, Problem};
use crate::error::{ConfigError, LeaseInfo, NotDrained, PoolError};
use crate::lease::Lease;
use crate::manager::Manager;
use crate::stats::Stats;
pub use settings::Builder;
use shared::Shared;

/// Connections for many callers, at most so many at once.
///
/// A clone is another handle of the same pool. When the last one is dropped everything the pool does is stopped, idle
/// connections are dropped without farewell, and leases drop theirs when they end; [`close`](Self::close) is gentler.
///
/// Connections are made and checked in tasks of the runtime that the pool is used in. They belong to the pool: a caller who
/// leaves stops nothing, and what was under way serves the next.
///
/// ```
/// # use std::io;
/// # struct Numbers;
/// # impl exec_pool::Manager for Numbers {
/// #     type Connection = u32;
/// #     type Error = io::Error;
/// #     async fn create(&self) -> io::Result<u32> { Ok(7) }
/// #     async fn check(&self, _: &mut u32) -> io::Result<()> { Ok(()) }
/// # }
/// use exec_pool::{Config, Pool};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new(Numbers, Config::new(5))?;
/// let connection = pool.get().await?;
/// assert_eq!(*connection, 7);
/// drop(connection);
/// assert_eq!(pool.stats().idle, 1);
/// # Ok(())
/// # }
/// ```
pub struct Pool<M: Manager>(Arc<Owner<M>>);

/// Ends the pool when its last handle is dropped.
struct Owner<M: Manager>(Arc<Shared<M>>);

impl<M: Manager> Drop for Owner<M> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Manager> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl<M: Manager> Pool<M> {
    /// A pool with this configuration.
    ///
    /// Inside a tokio runtime it begins to make its idle connections; outside of one it begins with the first `get`, or
    /// with [`start`](Self::start).
    ///
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub fn new(manager: M, config: Config) -> Result<Self, ConfigError> {
        Self::builder(manager).config(config).build()
    }

    /// A pool with hooks or a seed.
    pub fn builder(manager: M) -> Builder<M> {
        Builder::new(manager)
    }

    fn of(shared: Arc<Shared<M>>) -> Self {
        Self(Arc::new(Owner(shared)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<M>> {
        &self.0.0
    }

    /// Begins to make the idle connections, if it has not begun. Does nothing outside a tokio runtime.
    pub fn start(&self) {
        self.shared().start();
    }

    /// A connection, within [`Config::wait`]. Callers are served in the order in which they ask.
    ///
    /// Dropping the future leaves the queue; a connection that came meanwhile goes to the next, and nothing that is under
    /// way for the pool is stopped.
    ///
    /// # Errors
    /// [`Timeout`](PoolError::Timeout), [`Full`](PoolError::Full) at once, [`Connect`](PoolError::Connect) with what the
    /// manager said, [`Closed`](PoolError::Closed).
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = Result<Lease<M>, PoolError<M::Error>>> + Send + '_ {
        self.lend(None, Location::caller())
    }

    /// [`get`](Self::get) with a limit of its own instead of [`Config::wait`].
    ///
    /// # Errors
    /// As `get`.
    #[track_caller]
    pub fn get_within(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Lease<M>, PoolError<M::Error>>> + Send + '_ {
        self.lend(Some(limit), Location::caller())
    }

    async fn lend(
        &self,
        limit: Option<Duration>,
        site: &'static Location<'static>,
    ) -> Result<Lease<M>, PoolError<M::Error>> {
        self.shared().lend(limit, Instant::now(), site).await
    }

    /// A connection if one can be lent at once, without a check and without overtaking anybody.
    #[must_use]
    #[track_caller]
    pub fn try_get(&self) -> Option<Lease<M>> {
        self.shared().take(Instant::now(), Location::caller())
    }

    /// A look at the pool; all figures are of the same instant.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().slots().stats()
    }

    /// The leases that are out, with the places they were taken at.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseInfo> {
        self.shared().slots().leases(Instant::now())
    }

    /// The configuration, with the size it has now.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared().slots().config().clone()
    }

    /// Another size. Connections that are too many are closed when nobody uses them; no user is cut off.
    ///
    /// # Errors
    /// When no pool can have this size; nothing is changed then.
    pub fn resize(&self, max: usize, min_idle: usize) -> Result<(), ConfigError> {
        let config = Config { max, min_idle, ..self.config() };
        let problems: Vec<Problem> = config.problems();
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        self.shared().act(|slots, now, todo| slots.resize(max, min_idle, now, todo));
        Ok(())
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().slots().is_closed()
    }

    /// Closes the pool: who waits is refused at once, idle connections are closed, those in use when they come back, and
    /// none is made any more. Ends when all are gone, or after `within`.
    ///
    /// The pool is closed from the first poll on, also when the future is dropped. It may be called again to wait longer.
    ///
    /// # Errors
    /// When some are left, with the leases that are out.
    pub async fn close(&self, within: Duration) -> Result<(), NotDrained> {
        self.begin_close();
        self.drained(Instant::now() + within).await
    }

    pub(crate) fn begin_close(&self) {
        self.shared().close();
    }

    pub(crate) async fn drained(&self, until: Instant) -> Result<(), NotDrained> {
        let shared = self.shared();
        if timeout_at(until, shared.emptied()).await.is_ok() {
            return Ok(());
        }
        let (connections, leases) = (self.stats().total, self.leases());
        Err(NotDrained { connections, leases })
    }
}
