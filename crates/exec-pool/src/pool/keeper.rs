//! The one task that looks after a pool: late callers, old connections, what must be ready, leases held for long.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::shared::{Shared, Slots};
use crate::hooks::Event;
use crate::manager::Manager;
use crate::sync::lock;

/// Where a pool is at home: the runtime in which its keeper runs.
#[derive(Debug, Default)]
pub(crate) struct Home {
    handle: Option<Handle>,
    kept: bool,
}

impl Home {
    pub(super) fn handle(&self) -> Option<Handle> {
        self.handle.clone()
    }
}

/// Notes that there is no keeper any more, however it ended.
struct Keeper<M: Manager>(Weak<Shared<M>>);

impl<M: Manager> Drop for Keeper<M> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            lock(&shared.home).kept = false;
            shared.slots().set_keeper(None);
            shared.kept.store(false, Ordering::SeqCst);
            // The first of them starts another one, in a runtime that lives.
            shared.nudge_waiting();
        }
    }
}

impl<M: Manager> Shared<M> {
    /// Starts the keeper if there is none.
    pub(crate) fn start(self: &Arc<Self>) {
        let Ok(here) = Handle::try_current() else {
            return;
        };
        let mut home = lock(&self.home);
        if home.kept || self.working.is_cancelled() {
            return;
        }
        self.slots().set_keeper(Some(here.id()));
        self.kept.store(true, Ordering::SeqCst);
        *home = Home { handle: Some(here), kept: true };
        drop(home);
        let keeper = Keeper(Arc::downgrade(self));
        let bell = self.bell.clone();
        self.spawn(&self.working, async move {
            while let Some(shared) = keeper.0.upgrade() {
                let next = shared.visit();
                drop(shared);
                // A call is as welcome as the time.
                let _called = timeout_at(next, bell.notified()).await;
            }
        });
    }

    fn visit(self: &Arc<Self>) -> Instant {
        let now = Instant::now();
        let leaks = self.slots().leaks(now);
        leaks.into_iter().for_each(|lease| self.hooks.tell(&Event::Leak(lease)));
        self.act_at(now, Slots::<M>::keep)
    }

    fn nudge_waiting(&self) {
        let seats: Vec<_> = self.slots().waiting().cloned().collect();
        seats.iter().for_each(|seat| seat.nudge());
    }
}
