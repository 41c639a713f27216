//! What the handles, the leases and the tasks of a pool share: the slots under their lock, and doing what they ask for.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::keeper::Home;
use super::work;
use crate::config::Config;
use crate::hooks::{Event, Hooks};
use crate::lease::Lease;
use crate::manager::Manager;
use crate::slots;
use crate::stats::Reason;
use crate::sync::{Mutex, MutexGuard, lock};

pub(super) type Seat<M> = slots::Seat<<M as Manager>::Connection, <M as Manager>::Error>;
pub(super) type Outcome<M> = slots::Outcome<<M as Manager>::Connection, <M as Manager>::Error>;
pub(crate) type Slots<M> = slots::Slots<<M as Manager>::Connection, <M as Manager>::Error, Arc<Seat<M>>>;
pub(crate) type Todo<M> = slots::Todo<<M as Manager>::Connection, <M as Manager>::Error, Arc<Seat<M>>>;
type More<M> = slots::More<<M as Manager>::Connection, <M as Manager>::Error, Arc<Seat<M>>>;
pub(crate) type Conn<M> = slots::Conn<<M as Manager>::Connection>;
pub(crate) type Lent<M> = slots::Lent<<M as Manager>::Connection>;

pub(crate) struct Shared<M: Manager> {
    pub(crate) manager: Arc<M>,
    /// As it was at the start: the limits that never change.
    pub(crate) config: Config,
    pub(crate) hooks: Hooks<M::Connection>,
    slots: Mutex<Slots<M>>,
    pub(super) home: Mutex<Home>,
    /// Whether somebody waits, as far as one can know without the lock.
    pub(super) crowded: AtomicBool,
    /// Whether there is a keeper.
    pub(super) kept: AtomicBool,
    /// Calls the keeper.
    pub(super) bell: Arc<Notify>,
    /// Rung when the last connection of a closed pool is gone.
    empty: Notify,
    /// Ends what makes and checks connections, and the keeper: the pool closes.
    pub(super) working: CancellationToken,
    /// Ends farewells too: the pool is dropped.
    pub(super) alive: CancellationToken,
}

impl<M: Manager> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("slots", &*self.slots()).finish_non_exhaustive()
    }
}

impl<M: Manager> Shared<M> {
    pub(super) fn new(manager: M, config: Config, hooks: Hooks<M::Connection>, seed: u64) -> Arc<Self> {
        let manager = Arc::new(manager);
        let sharer = manager.clone();
        let slots = Slots::<M>::new(config.clone(), seed, Box::new(move |conn| sharer.share(conn)));
        Arc::new(Self {
            manager,
            config,
            hooks,
            slots: Mutex::new(slots),
            home: Mutex::default(),
            crowded: AtomicBool::new(false),
            kept: AtomicBool::new(false),
            bell: Arc::default(),
            empty: Notify::new(),
            working: CancellationToken::new(),
            alive: CancellationToken::new(),
        })
    }

    pub(crate) fn slots(&self) -> MutexGuard<'_, Slots<M>> {
        lock(&self.slots)
    }

    /// Changes the slots, and then does what they ask for.
    pub(crate) fn act<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Slots<M>, Instant, &mut Todo<M>) -> T,
    ) -> T {
        self.act_at(Instant::now(), change)
    }

    pub(crate) fn act_at<T>(
        self: &Arc<Self>,
        now: Instant,
        change: impl FnOnce(&mut Slots<M>, Instant, &mut Todo<M>) -> T,
    ) -> T {
        let mut todo = Todo::<M>::default();
        let mut slots = self.slots();
        let result = change(&mut slots, now, &mut todo);
        self.crowded.store(slots.is_crowded(), Ordering::Relaxed);
        drop(slots);
        self.perform(todo);
        result
    }

    fn perform(self: &Arc<Self>, todo: Todo<M>) {
        if let Some((seat, outcome)) = todo.tell {
            self.tell(&seat, outcome);
        }
        if let Some(more) = todo.more {
            self.perform_more(*more);
        }
    }

    fn tell(self: &Arc<Self>, seat: &Seat<M>, outcome: Outcome<M>) {
        if let Err(slots::Outcome::Lent(lent)) = seat.tell(outcome) {
            self.give_up(lent);
        }
    }

    /// A connection came for a caller who had left.
    pub(super) fn give_up(self: &Arc<Self>, lent: Lent<M>) {
        let rest = self.act(|slots, now, todo| slots.give_up(lent, now, todo));
        drop(rest);
    }

    fn perform_more(self: &Arc<Self>, more: More<M>) {
        let slots::More { tell, open, check, close, ring, empty } = more;
        tell.into_iter().for_each(|(seat, outcome)| self.tell(&seat, outcome));
        if open > 0 {
            self.start();
        }
        for _ in 0..open {
            let work = work::open(self.clone());
            self.spawn(&self.working, work);
        }
        for conn in check {
            let work = work::check(self.clone(), conn);
            self.spawn(&self.working, work);
        }
        for (conn, reason) in close {
            self.hooks.tell(&Event::Closed(reason));
            let work = work::close(self.clone(), conn, reason);
            self.spawn(&self.alive, work);
        }
        if ring {
            self.bell.notify_one();
        }
        if empty {
            self.empty.notify_waiters();
        }
    }

    /// Runs a task of the pool. Where there is no runtime, or the pool has ended, it is dropped, and notes that itself.
    pub(super) fn spawn(&self, owner: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
        let handle = Handle::try_current().ok().or_else(|| lock(&self.home).handle());
        if let Some(handle) = handle.filter(|_| !owner.is_cancelled()) {
            handle.spawn(owner.clone().run_until_cancelled_owned(work));
        }
    }

    /// A lease of a connection that is there and known to work.
    pub(crate) fn take(self: &Arc<Self>, now: Instant, site: &'static Location<'static>) -> Option<Lease<M>> {
        loop {
            let lent = self.slots().take(now, site)?;
            if let Ok(lease) = self.admit(lent) {
                return Some(lease);
            }
        }
    }

    /// Makes a lease of it; a connection that was closed meanwhile is put away.
    pub(super) fn admit(self: &Arc<Self>, lent: Lent<M>) -> Result<Lease<M>, ()> {
        if self.manager.is_open(&lent.conn.inner) {
            return Ok(Lease::new(lent.conn, lent.lease, self.clone()));
        }
        drop(self.act(|slots, now, todo| slots.take_back(lent, Some(Reason::Broken), now, todo)));
        Err(())
    }

    pub(super) fn close(self: &Arc<Self>) {
        self.act(|slots, _, todo| slots.close(todo));
        self.working.cancel();
    }

    /// The last handle is gone.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.working.cancel();
        self.alive.cancel();
        self.act(|slots, _, todo| slots.close(todo));
    }

    /// Until the closed pool has no connection any more.
    pub(super) async fn emptied(&self) {
        let mut rung = pin!(self.empty.notified());
        poll_fn(|cx| {
            rung.as_mut().enable();
            match self.slots().stats().total {
                0 => std::task::Poll::Ready(()),
                _ => rung.as_mut().poll(cx),
            }
        })
        .await;
    }
}
