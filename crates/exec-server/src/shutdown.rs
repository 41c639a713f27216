//! Stopping without losing anybody: no longer ready, drain, then cancel.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{Error, ErrorKind};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long whoever is sent away should wait before asking again, us or our successor.
const COME_BACK: Duration = Duration::from_secs(1);

/// What callers are told who come while the server stops, or whose execution outlasts its grace.
pub(crate) fn stopping() -> Error {
    Error::new(ErrorKind::Unavailable, "the server is stopping: ask again, its successor will answer")
        .with_code("shutting_down")
        .with_retry_after(COME_BACK)
}

/// `error` as the caller is told it. Executions are cancelled from above by nothing but the end of the server. Nobody
/// knows when there will be room for one that was turned away, so its caller is told to come back as soon as a header can
/// say.
pub(crate) fn explained(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Cancelled => stopping(),
        ErrorKind::Overloaded if error.is_unsent() && error.retry_after().is_none() => {
            error.with_retry_after(COME_BACK)
        }
        _ => error,
    }
}

/// Counts the executions under way and knows whether new ones may begin.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Cancelled when the server was told to stop.
    stopping: CancellationToken,
    /// Cancelled when it no longer waits for executions. The parent of every execution.
    over: CancellationToken,
    in_flight: watch::Sender<usize>,
}

/// One execution under way.
#[derive(Debug)]
pub struct InFlight(Arc<Inner>);

impl Drain {
    /// Begins an execution, unless the server is stopping.
    #[must_use]
    pub fn begin(&self) -> Option<InFlight> {
        // Counted before looking, so that whoever stops either sees it or has said so.
        self.0.in_flight.send_modify(|count| *count += 1);
        let begun = InFlight(self.0.clone());
        (!self.is_stopping()).then_some(begun)
    }

    /// Whether the server was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Tells the server to stop.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Resolves when it was told to.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// The parent of every execution's cancellation.
    #[must_use]
    pub fn over(&self) -> &CancellationToken {
        &self.0.over
    }

    /// How many executions are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        *self.0.in_flight.borrow()
    }

    /// Waits until no execution is under way, at most `grace`; then cancels the rest and waits for them to say so, at
    /// most `farewell`. Answers how many were cancelled.
    pub async fn drain(&self, grace: Duration, farewell: Duration) -> usize {
        if self.idle_within(grace).await {
            return 0;
        }
        let cancelled = self.in_flight();
        self.0.over.cancel();
        self.idle_within(farewell).await;
        cancelled
    }

    async fn idle_within(&self, limit: Duration) -> bool {
        let mut count = self.0.in_flight.subscribe();
        // The sender lives in self, so the wait can only end by being idle or late.
        tokio::time::timeout(limit, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_began_before_may_finish_and_nothing_begins_after() {
        let drain = Drain::default();
        let running = drain.begin().unwrap();
        drain.stop();
        assert!(drain.begin().is_none());
        assert_eq!(drain.in_flight(), 1);
        let finish = async {
            tokio::time::sleep(SECOND).await;
            drop(running);
        };
        let (cancelled, ()) = tokio::join!(drain.drain(2 * SECOND, SECOND), finish);
        assert_eq!((cancelled, drain.over().is_cancelled()), (0, false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_than_the_grace_is_cancelled() {
        let drain = Drain::default();
        let running = drain.begin().unwrap();
        drain.stop();
        let over = drain.over().clone();
        let obey = async move {
            over.cancelled().await;
            drop(running);
        };
        let (cancelled, ()) = tokio::join!(drain.drain(SECOND, 60 * SECOND), obey);
        assert_eq!((cancelled, drain.in_flight()), (1, 0));
    }
}
