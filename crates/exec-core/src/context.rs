//! Who asks, until when, and with what budget: everything about a call that is not part of what is asked.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::event::{Event, EventSink, TracingSink};
use crate::{Budget, Error, ErrorKind, Result};

/// The circumstances of one execution. Cheap to clone.
///
/// A [child](Self::child) shares everything and can only be narrower: its deadline is never later, and cancelling it
/// leaves its parent alone while cancelling the parent cancels it.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    deadline: Option<Instant>,
    connect: Option<Duration>,
    cancel: CancellationToken,
}

struct Shared {
    id: Arc<str>,
    tenant: Option<Arc<str>>,
    started: Instant,
    events: Arc<dyn EventSink>,
}

impl Context {
    /// A context with the identifier `id`, no tenant, no deadline, the default budget, and events written to `tracing`.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        let shared =
            Shared { id: id.into(), tenant: None, started: Instant::now(), events: Arc::new(TracingSink) };
        Self {
            shared: Arc::new(shared),
            budget: Arc::default(),
            deadline: None,
            connect: None,
            cancel: CancellationToken::new(),
        }
    }

    /// The same call, asked by `tenant`.
    #[must_use]
    pub fn with_tenant(self, tenant: impl Into<Arc<str>>) -> Self {
        self.reshare(|shared| shared.tenant = Some(tenant.into()))
    }

    /// The same call, telling its events to `events`.
    #[must_use]
    pub fn with_events(self, events: Arc<dyn EventSink>) -> Self {
        self.reshare(|shared| shared.events = events)
    }

    /// The same call with `budget` inside the one it has: see [`Budget::child`].
    #[must_use]
    pub fn with_budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// The same call, cancelled also by `cancel`, which becomes its parent.
    #[must_use]
    pub fn with_cancel(mut self, cancel: &CancellationToken) -> Self {
        self.cancel = cancel.child_token();
        self
    }

    /// A child that ends `limit` from now, or when this one does if that is earlier.
    #[must_use]
    pub fn with_timeout(&self, limit: Duration) -> Self {
        let mut child = self.child();
        let at = Instant::now().checked_add(limit);
        child.deadline = [self.deadline, at].into_iter().flatten().min();
        child
    }

    /// A child that gives up a connection which is not there after `limit`. Whoever opens connections reads it.
    #[must_use]
    pub fn with_connect_limit(&self, limit: Duration) -> Self {
        let mut child = self.child();
        child.connect = Some(self.connect.map_or(limit, |outer| outer.min(limit)));
        child
    }

    /// The same call without its deadline and its cancellation, for work that several callers share: one of them who
    /// leaves, or has no more time, must not end it for the others. Whoever makes one says what ends the work instead.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { deadline: None, cancel: CancellationToken::new(), ..self.clone() }
    }

    /// A child that can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), ..self.clone() }
    }

    /// The identifier of the execution, the same for all its children.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.shared.id
    }

    /// Who asks.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.shared.tenant.as_ref()
    }

    /// How long ago the execution began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.started.elapsed()
    }

    /// When the execution must be over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long it has left; `None` if there is no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// How long opening a connection may take.
    #[must_use]
    pub fn connect_limit(&self) -> Option<Duration> {
        self.connect
    }

    /// What it may still spend.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Cancels this context and its children.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Resolves when it is cancelled. For owned tasks; everything else is cancelled by being dropped.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// The same as a future that borrows nothing, for bodies.
    pub fn cancelled_owned(&self) -> WaitForCancellationFutureOwned {
        self.cancel.clone().cancelled_owned()
    }

    /// Tells an event. Never waits and never fails.
    pub fn emit(&self, event: &Event) {
        self.shared.events.emit(self, event);
    }

    /// Runs `work` until the deadline or until cancelled, whichever is first. `work` is dropped then.
    ///
    /// # Errors
    /// What `work` says, `Cancelled`, or `DeadlineExceeded`, both with the remedy `Stop`: no time is left elsewhere either.
    pub async fn bound<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let deadline = async {
            match self.deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the execution was cancelled")),
            result = work => result,
            () = deadline => Err(Error::new(ErrorKind::DeadlineExceeded, "the deadline of the execution passed")),
        }
    }

    fn reshare(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared {
            id: self.shared.id.clone(),
            tenant: self.shared.tenant.clone(),
            started: self.shared.started,
            events: self.shared.events.clone(),
        };
        change(&mut shared);
        self.shared = Arc::new(shared);
        self
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.shared.id)
            .field("tenant", &self.shared.tenant)
            .field("remaining", &self.remaining())
            .field("attempts_left", &self.budget.attempts_left())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_child_never_outlives_its_parent() {
        let parent = Context::new("p").with_timeout(SECOND);
        assert_eq!(parent.with_timeout(10 * SECOND).remaining(), Some(SECOND));
        assert_eq!(parent.with_timeout(SECOND / 2).remaining(), Some(SECOND / 2));
        assert_eq!(parent.with_timeout(Duration::MAX).remaining(), Some(SECOND));
        let slow = parent.with_timeout(10 * SECOND);
        let error = slow.bound(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
        assert!(!parent.is_cancelled());
    }

    #[tokio::test]
    async fn cancelling_goes_down_and_not_up() {
        let parent = Context::new("p");
        let (left, right) = (parent.child(), parent.child());
        left.cancel();
        assert!(!parent.is_cancelled() && !right.is_cancelled());
        parent.cancel();
        let error = right.bound(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!((error.kind(), error.remedy()), (ErrorKind::Cancelled, crate::Remedy::Stop));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_detached_outlives_the_call_and_spends_its_budget() {
        let caller = Context::new("p").with_tenant("t").with_timeout(SECOND);
        let shared = caller.detached();
        caller.cancel();
        assert!(!shared.is_cancelled() && shared.deadline().is_none());
        assert_eq!((shared.id(), shared.tenant()), (caller.id(), caller.tenant()));
        shared.budget().take_attempt().unwrap();
        assert_eq!(caller.budget().attempts_left(), Budget::DEFAULT_ATTEMPTS - 1);
    }

    #[test]
    fn the_connect_limit_only_shrinks() {
        let context = Context::new("p").with_connect_limit(SECOND);
        assert_eq!(context.with_connect_limit(2 * SECOND).connect_limit(), Some(SECOND));
        assert_eq!(context.with_connect_limit(SECOND / 2).connect_limit(), Some(SECOND / 2));
    }
}
