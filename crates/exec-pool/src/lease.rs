//! A connection in the hands of one caller.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::time::Instant;

use crate::manager::Manager;
use crate::pool::shared::{Conn, Shared, Slots, Todo};
use crate::stats::Reason;

/// A connection that goes back to its pool when this is dropped, wherever that is: to the first who waits, if any.
///
/// A future that is dropped half-way through an exchange leaves a connection that nobody can use. If the connection does
/// not notice that itself, call [`mark_broken`](Self::mark_broken) before the exchange and
/// [`mark_sound`](Self::mark_sound) after it. A lease that is dropped by a panic counts as broken.
#[must_use = "a lease gives its connection back when it is dropped"]
pub struct Lease<M: Manager> {
    /// There until the lease is dropped or detached.
    conn: Option<Conn<M>>,
    number: usize,
    broken: bool,
    shared: Arc<Shared<M>>,
}

impl<M: Manager> Lease<M> {
    pub(crate) fn new(conn: Conn<M>, number: usize, shared: Arc<Shared<M>>) -> Self {
        let mut lease = Self { conn: Some(conn), number, broken: false, shared };
        if let (Some(hook), Some(conn)) = (&lease.shared.hooks.lend, &mut lease.conn) {
            hook(&mut conn.inner);
        }
        lease
    }

    /// The connection is closed when the lease ends, and another takes its place.
    pub fn mark_broken(&mut self) {
        self.broken = true;
    }

    /// Takes [`mark_broken`](Self::mark_broken) back.
    pub fn mark_sound(&mut self) {
        self.broken = false;
    }

    /// Takes the connection out of the pool, which may make another in its place. A shared connection is lent to nobody
    /// else then.
    #[must_use = "the connection is closed when it is dropped"]
    pub fn detach(mut self) -> M::Connection {
        match self.conn.take() {
            Some(conn) => {
                self.shared.act(|slots, now, todo| slots.detach(self.number, &conn, now, todo));
                conn.inner
            }
            None => gone(),
        }
    }

    /// Whether the connection may be lent again; a panic in the user's code means no.
    fn is_good(&self, conn: &mut Conn<M>) -> bool {
        if self.broken || std::thread::panicking() {
            return false;
        }
        let Shared { manager, hooks, .. } = &*self.shared;
        let judge = || {
            let kept = hooks.give_back.as_ref().is_none_or(|hook| hook(&mut conn.inner));
            kept && manager.is_open(&conn.inner)
        };
        catch_unwind(AssertUnwindSafe(judge)).unwrap_or(false)
    }
}

impl<M: Manager> Drop for Lease<M> {
    fn drop(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            let fate = (!self.is_good(&mut conn)).then_some(Reason::Broken);
            let now = Instant::now();
            conn.used(now);
            let number = self.number;
            let end = |slots: &mut Slots<M>, now, todo: &mut Todo<M>| {
                slots.give_back(number, conn, fate, now, todo)
            };
            let rest = self.shared.act_at(now, end);
            drop(rest);
        }
    }
}

impl<M: Manager> Deref for Lease<M> {
    type Target = M::Connection;

    fn deref(&self) -> &Self::Target {
        match &self.conn {
            Some(conn) => &conn.inner,
            None => gone(),
        }
    }
}

impl<M: Manager> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.conn {
            Some(conn) => &mut conn.inner,
            None => gone(),
        }
    }
}

impl<M: Manager> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("broken", &self.broken).finish_non_exhaustive()
    }
}

#[cold]
fn gone() -> ! {
    unreachable!("only what ends a lease takes its connection")
}
