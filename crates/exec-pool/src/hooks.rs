//! Looking on, and preparing connections, at the points of their lives.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::LeaseInfo;
use crate::stats::Reason;

/// Something that happened to a pool. Told outside all locks, in the task it happened in.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was made.
    Created,
    /// A connection could not be made.
    ConnectFailed(&'a (dyn Error + 'static)),
    /// A check found a connection dead, or took too long (`None`).
    CheckFailed(Option<&'a (dyn Error + 'static)>),
    /// A connection is being closed.
    Closed(Reason),
    /// A lease is held for longer than [`Config::leak`](crate::Config::leak).
    Leak(LeaseInfo),
}

type Touch<C> = Box<dyn Fn(&mut C) + Send + Sync>;
type Judge<C> = Box<dyn Fn(&mut C) -> bool + Send + Sync>;
type Listen = Box<dyn Fn(&Event<'_>) + Send + Sync>;

pub(crate) struct Hooks<C> {
    pub(crate) create: Option<Touch<C>>,
    pub(crate) lend: Option<Touch<C>>,
    pub(crate) give_back: Option<Judge<C>>,
    pub(crate) event: Option<Listen>,
}

impl<C> Default for Hooks<C> {
    fn default() -> Self {
        Self { create: None, lend: None, give_back: None, event: None }
    }
}

impl<C> Hooks<C> {
    pub(crate) fn tell(&self, event: &Event<'_>) {
        if let Event::Leak(lease) = event {
            tracing::warn!(target: "exec_pool", "a lease is held for long: {lease}");
        }
        if let Some(listen) = &self.event {
            // Whoever listens must not stop the pool half-way; the panic was reported by its hook.
            let _heard = catch_unwind(AssertUnwindSafe(|| listen(event)));
        }
    }
}

impl<C> fmt::Debug for Hooks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}
