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

/// A connection that is being checked; it is gone before its slot is free.
struct Checking<M: Manager> {
    shared: Arc<Shared<M>>,
    conn: Option<Conn<M>>,
}

impl<M: Manager> Drop for Checking<M> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop(conn);
            self.shared.act(Slots::<M>::lost_in_check);
        }
    }
}

impl<M: Manager> Checking<M> {
    /// Whether the connection works; if not, with what the manager said.
    async fn verdict(&mut self) -> Result<(), Option<M::Error>> {
        let Self { shared, conn: Some(conn) } = self else {
            return Ok(());
        };
        if !shared.manager.is_open(&conn.inner) {
            return Err(None);
        }
        let checked = timeout(shared.config.check, shared.manager.check(&mut conn.inner)).await;
        checked.map_err(|_| None)?.map_err(Some)?;
        if shared.manager.is_open(&conn.inner) { Ok(()) } else { Err(None) }
    }
}

pub(super) fn check<M: Manager>(shared: Arc<Shared<M>>, conn: Conn<M>) -> impl Future<Output = ()> + Send {
    let mut checking = Checking { shared, conn: Some(conn) };
    async move {
        let verdict = checking.verdict().await;
        let shared = checking.shared.clone();
        let Some(conn) = checking.conn.take() else {
            return;
        };
        let Err(error) = verdict else {
            return shared.act(|slots, now, todo| slots.checked(conn, now, todo));
        };
        let error = error.as_ref().map(|error| error as &(dyn std::error::Error + 'static));
        shared.hooks.tell(&Event::CheckFailed(error));
        shared.act(|slots, now, todo| slots.found_dead(conn, now, todo));
    }
}

/// A connection that is being closed; it is gone before its slot is free.
struct Closing<M: Manager> {
    shared: Arc<Shared<M>>,
    conn: Option<Conn<M>>,
    reason: Reason,
}

impl<M: Manager> Drop for Closing<M> {
    fn drop(&mut self) {
        drop(self.conn.take());
        self.shared.act(|slots, now, todo| slots.gone(self.reason, now, todo));
    }
}

pub(super) fn close<M: Manager>(
    shared: Arc<Shared<M>>,
    conn: Conn<M>,
    reason: Reason,
) -> impl Future<Output = ()> + Send {
    let mut closing = Closing { shared, conn: Some(conn), reason };
    async move {
        if let Some(conn) = closing.conn.take() {
            let shared = &closing.shared;
            // Who does not say farewell in time is left without.
            let _ended = timeout(shared.config.goodbye, shared.manager.close(conn.inner)).await;
        }
    }
}
