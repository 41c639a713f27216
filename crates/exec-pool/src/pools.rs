//! One pool for each key.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Config;
use crate::error::{ConfigError, NotDrained};
use crate::manager::Manager;
use crate::pool::Pool;
use crate::stats::Stats;
use crate::sync::{Mutex, MutexGuard, lock};

/// Pools by key, at most so many.
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
/// use exec_pool::{Config, Pools, SecondConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pools = Pools::new(100, SecondConfig::Error);
/// let pool = pools.get_or_create("tenant-1", &Config::database(), || Numbers)?;
/// let lease = pool.get().await?;
/// assert!(pools.get_or_create("tenant-1", &Config::new(3), || Numbers).is_err());
/// # drop(lease);
/// # Ok(())
/// # }
/// ```
pub struct Pools<K, M: Manager> {
    most: usize,
    second: SecondConfig,
    pools: Mutex<HashMap<K, Entry<M>>>,
}

struct Entry<M: Manager> {
    /// As it was asked for: a pool may have been resized since.
    config: Config,
    pool: Pool<M>,
}

/// What happens when a pool is asked for with another configuration than it was made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondConfig {
    /// The first configuration stays, the other is ignored.
    #[default]
    Ignore,
    /// It is an error.
    Error,
}

/// Why there is no pool.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolsError {
    /// There are as many pools as there may be.
    #[error("there are {0} pools already")]
    Full(usize),
    /// The pool of this key was made with another configuration.
    #[error("the pool of this key has another configuration")]
    OtherConfig,
    /// No pool can be made of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl<K: Eq + Hash + Clone, M: Manager> Pools<K, M> {
    /// No pool yet, and at most `most`.
    #[must_use]
    pub fn new(most: usize, second: SecondConfig) -> Self {
        Self { most, second, pools: Mutex::default() }
    }

    /// The pool of `key`; if there is none, or only a closed one, it is made with `config` and the manager.
    ///
    /// # Errors
    /// When there are too many, when the configuration is bad, or is another than the first and that is not ignored.
    pub fn get_or_create(
        &self,
        key: K,
        config: &Config,
        manager: impl FnOnce() -> M,
    ) -> Result<Pool<M>, PoolsError> {
        let mut pools = self.lock();
        if let Some(entry) = pools.get(&key).filter(|entry| !entry.pool.is_closed()) {
            if self.second == SecondConfig::Error && entry.config != *config {
                return Err(PoolsError::OtherConfig);
            }
            return Ok(entry.pool.clone());
        }
        if pools.len() >= self.most && !pools.contains_key(&key) {
            return Err(PoolsError::Full(pools.len()));
        }
        let pool = Pool::new(manager(), config.clone())?;
        pools.insert(key, Entry { config: config.clone(), pool: pool.clone() });
        Ok(pool)
    }

    /// The pool of `key`, if there is one.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<Pool<M>> {
        self.lock().get(key).map(|entry| entry.pool.clone())
    }

    /// Takes the pool of `key` out; it is not closed.
    pub fn remove(&self, key: &K) -> Option<Pool<M>> {
        self.lock().remove(key).map(|entry| entry.pool)
    }

    /// A look at all pools, in no order.
    #[must_use]
    pub fn stats(&self) -> Vec<(K, Stats)> {
        self.lock().iter().map(|(key, entry)| (key.clone(), entry.pool.stats())).collect()
    }

    /// Closes all pools at once and takes them out; see [`Pool::close`].
    ///
    /// # Errors
    /// Those that were not empty after `within`.
    pub async fn close(&self, within: Duration) -> Result<(), Vec<(K, NotDrained)>> {
        let pools: Vec<_> = self.lock().drain().map(|(key, entry)| (key, entry.pool)).collect();
        let until = Instant::now() + within;
        pools.iter().for_each(|(_, pool)| pool.begin_close());
        let mut left = Vec::new();
        for (key, pool) in pools {
            if let Err(why) = pool.drained(until).await {
                left.push((key, why));
            }
        }
        if left.is_empty() { Ok(()) } else { Err(left) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<M>>> {
        lock(&self.pools)
    }
}

impl<K, M: Manager> fmt::Debug for Pools<K, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").field("most", &self.most).field("pools", &lock(&self.pools).len()).finish()
    }
}
