//! What a pool can be given besides its configuration.

use std::fmt;

use super::Pool;
use super::shared::Shared;
use crate::config::Config;
use crate::error::ConfigError;
use crate::hooks::{Event, Hooks};
use crate::manager::Manager;

/// Builds a [`Pool`]: see [`Pool::builder`].
#[must_use = "a builder does nothing by itself"]
pub struct Builder<M: Manager> {
    manager: M,
    config: Config,
    hooks: Hooks<M::Connection>,
    seed: u64,
}

impl<M: Manager> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<M: Manager> Builder<M> {
    pub(super) fn new(manager: M) -> Self {
        Self { manager, config: Config::default(), hooks: Hooks::default(), seed: 0 }
    }

    /// Sets the configuration.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Where the randomness of jitter begins, 0 by default. Pools of several processes should begin at different ones.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Called with every connection that was made. A panic in it is a failure to connect.
    pub fn on_create(mut self, f: impl Fn(&mut M::Connection) + Send + Sync + 'static) -> Self {
        self.hooks.create = Some(Box::new(f));
        self
    }

    /// Called with every connection that is lent, in the task of the caller.
    pub fn on_lend(mut self, f: impl Fn(&mut M::Connection) + Send + Sync + 'static) -> Self {
        self.hooks.lend = Some(Box::new(f));
        self
    }

    /// Called with every connection that comes back, where its lease is dropped; `false` or a panic closes it as broken.
    pub fn on_return(mut self, f: impl Fn(&mut M::Connection) -> bool + Send + Sync + 'static) -> Self {
        self.hooks.give_back = Some(Box::new(f));
        self
    }

    /// Called with everything that happens. It must not wait; a panic in it changes nothing.
    pub fn on_event(mut self, f: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.hooks.event = Some(Box::new(f));
        self
    }

    /// Makes the pool; see [`Pool::new`].
    ///
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub fn build(self) -> Result<Pool<M>, ConfigError> {
        let problems = self.config.problems();
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        let pool = Pool::of(Shared::new(self.manager, self.config, self.hooks, self.seed));
        pool.start();
        Ok(pool)
    }
}
