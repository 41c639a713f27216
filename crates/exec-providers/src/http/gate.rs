//! The counts that bound a transport: open connections and waiting requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard, Notify};

use super::error::TransportError;

/// How busy a transport is at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Connections that are open or being opened.
    pub open: usize,
    /// Requests that hold a connection, or a stream of one, up to the end of the answer's body.
    pub in_use: usize,
    /// Requests that wait for a connection.
    pub waiting: usize,
}

/// The bounds and their counts, and the bell for those who wait.
#[derive(Debug)]
pub(super) struct Gate {
    max_open: usize,
    max_waiting: usize,
    open: AtomicUsize,
    in_use: AtomicUsize,
    waiting: AtomicUsize,
    bell: Notify,
    /// Who waits; fair. Whoever is first holds it and listens to the bell.
    line: Mutex<()>,
}

impl Gate {
    pub(super) fn new(max_open: usize, max_waiting: usize) -> Arc<Self> {
        let zero = AtomicUsize::default;
        Arc::new(Self {
            max_open,
            max_waiting,
            open: zero(),
            in_use: zero(),
            waiting: zero(),
            bell: Notify::new(),
            line: Mutex::new(()),
        })
    }

    /// Rung for each thing that was freed: a socket, a stream, a connection given back, a turn to dial.
    pub(super) fn bell(&self) -> &Notify {
        &self.bell
    }

    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    pub(super) fn try_open(self: &Arc<Self>) -> Option<OpenPermit> {
        take(&self.open, self.max_open).then(|| OpenPermit(self.clone()))
    }

    pub(super) fn wait(self: &Arc<Self>) -> Result<Waiting, TransportError> {
        take(&self.waiting, self.max_waiting).then(|| Waiting(self.clone())).ok_or(TransportError::Busy)
    }

    /// Waits until nobody is in front. The next is first when the guard is dropped.
    pub(super) async fn first(&self) -> MutexGuard<'_, ()> {
        self.line.lock().await
    }

    pub(super) fn using(self: &Arc<Self>) -> InUse {
        self.in_use.fetch_add(1, Ordering::AcqRel);
        InUse(self.clone())
    }

    pub(super) fn stats(&self) -> TransportStats {
        TransportStats {
            open: self.open.load(Ordering::Acquire),
            in_use: self.in_use.load(Ordering::Acquire),
            waiting: self.waiting.load(Ordering::Acquire),
        }
    }
}

/// Adds one unless that would exceed `max`.
fn take(count: &AtomicUsize, max: usize) -> bool {
    let more = |now| (now < max).then_some(now + 1);
    count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
}

/// The right to have one connection open; lives inside the connection's socket.
#[derive(Debug)]
pub(super) struct OpenPermit(Arc<Gate>);

impl Drop for OpenPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.bell.notify_one();
    }
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Waiting(Arc<Gate>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts a request that holds a connection.
#[derive(Debug)]
pub(super) struct InUse(Arc<Gate>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::AcqRel);
    }
}
