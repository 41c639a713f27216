//! What the pool does by itself: making, checking and closing connections.
//!
//! Each task holds a guard that knows what it is about: a task that is stopped, panics or never runs gives its slot back.

use std::future::Future;
use std::sync::Arc;

use tokio::time::timeout;

use super::shared::{Conn, Shared, Slots};
use crate::error::ConnectError;
use crate::hooks::Event;
use crate::manager::Manager;
use crate::stats::Reason;

/// The slot of a connection that is being made.
struct Opening<M: Manager>(Option<Arc<Shared<M>>>);

impl<M: Manager> Drop for Opening<M> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            failed(&shared, &ConnectError::CutOff);
        }
    }
}

fn failed<M: Manager>(shared: &Arc<Shared<M>>, error: &ConnectError<M::Error>) {
    shared.hooks.tell(&Event::ConnectFailed(error));
    shared.act(|slots, now, todo| slots.not_opened(error, now, todo));
}

pub(super) fn open<M: Manager>(shared: Arc<Shared<M>>) -> impl Future<Output = ()> + Send {
    let opening = Opening(Some(shared.clone()));
    async move {
        let mut opening = opening;
        let made = make(&shared).await;
        opening.0 = None;
        match made {
            Ok((inner, streams)) => {
                shared.act(|slots, now, todo| slots.opened(inner, streams, now, todo));
                shared.hooks.tell(&Event::Created);
            }
            Err(error) => failed(&shared, &error),
        }
    }
}

/// A new connection, and how many leases may share it.
async fn make<M: Manager>(shared: &Shared<M>) -> Result<(M::Connection, usize), ConnectError<M::Error>> {
    let limit = shared.config.connect;
    let made = timeout(limit, shared.manager.create()).await.map_err(|_| ConnectError::TooSlow(limit))?;
    let mut inner = made.map_err(|error| ConnectError::Failed(Arc::new(error)))?;
    if let Some(hook) = &shared.hooks.create {
        hook(&mut inner);
    }
    if !shared.manager.is_open(&inner) {
        return Err(ConnectError::CutOff);
    }
    let streams = shared.manager.streams(&inner);
    Ok((inner, streams))
}

/// The slot of a connection that is being checked.
struct Checking<M: Manager>(Option<Arc<Shared<M>>>);

impl<M: Manager> Drop for Checking<M> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.act(Slots::<M>::lost_in_check);
        }
    }
}

pub(super) fn check<M: Manager>(
    shared: Arc<Shared<M>>,
    mut conn: Conn<M>,
) -> impl Future<Output = ()> + Send {
    let checking = Checking(Some(shared.clone()));
    async move {
        let mut checking = checking;
        let verdict = match shared.manager.is_open(&conn.inner) {
            true => timeout(shared.config.check, shared.manager.check(&mut conn.inner)).await,
            false => Ok(Ok(())),
        };
        let good = matches!(verdict, Ok(Ok(()))) && shared.manager.is_open(&conn.inner);
        checking.0 = None;
        if good {
            return shared.act(|slots, now, todo| slots.checked(conn, now, todo));
        }
        let error = verdict.ok().and_then(Result::err);
        let error = error.as_ref().map(|error| error as &(dyn std::error::Error + 'static));
        shared.hooks.tell(&Event::CheckFailed(error));
        shared.act(|slots, now, todo| slots.found_dead(conn, now, todo));
    }
}

/// The slot of a connection that is being closed.
struct Closing<M: Manager>(Arc<Shared<M>>, Reason);

impl<M: Manager> Drop for Closing<M> {
    fn drop(&mut self) {
        self.0.act(|slots, now, todo| slots.gone(self.1, now, todo));
    }
}

pub(super) fn close<M: Manager>(
    shared: Arc<Shared<M>>,
    conn: Conn<M>,
    reason: Reason,
) -> impl Future<Output = ()> + Send {
    let closing = Closing(shared, reason);
    async move {
        let Closing(shared, _) = &closing;
        // Who does not say farewell in time is left without.
        let _ended = timeout(shared.config.goodbye, shared.manager.close(conn.inner)).await;
    }
}
