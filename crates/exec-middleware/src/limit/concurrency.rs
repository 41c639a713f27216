//! So many calls at once and no more; the others wait a little, or are told at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Context, Error, ErrorKind, Event, FieldError, Middleware, Next, Priority, Request, Response, Result,
};
use serde::{Deserialize, Serialize};

use super::bulkhead::{Bulkhead, LimitStats, Seat};

const GUARD: &str = "concurrency_limit";
/// More than this, in a queue or at once, is no limit.
pub(super) const MOST: u32 = 1_000_000;

/// The settings of a [`ConcurrencyLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConcurrencyConfig {
    /// So many calls at once.
    pub limit: u32,
    /// So many wait; with 0 nobody does.
    pub queue: u32,
    /// So long they wait.
    #[serde(with = "exec_core::duration")]
    pub wait: Duration,
}

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        Self { limit: 100, queue: 100, wait: Duration::from_secs(5) }
    }
}

impl ConcurrencyConfig {
    /// Everything that is wrong with the settings; nothing when a limit can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        out_of_range(&mut errors, "limit", self.limit, 1);
        out_of_range(&mut errors, "queue", self.queue, 0);
        if self.queue > 0 && self.wait.is_zero() {
            let text = "must be longer than no time, or `queue` must be 0";
            errors.push(FieldError::new("wait", "conflict", text));
        }
        errors
    }
}

pub(super) fn out_of_range(errors: &mut Vec<FieldError>, path: &str, number: u32, least: u32) {
    if !(least..=MOST).contains(&number) {
        errors.push(FieldError::new(path, "out_of_range", format!("must be {least} to {MOST}")));
    }
}

/// Lets so many calls through at once. A clone is a handle of the same limit.
///
/// A call counts until its body is over: read to its end, broken, or dropped. Who waits is let in by
/// [`Priority`](exec_core::Priority), the more urgent first, and within one priority in the order of arrival; nobody
/// overtakes. Dropping a call that waits takes it out of the queue. A refused call has an error of kind `Overloaded` with
/// the code `concurrency_limit`, and was provably not sent.
///
/// Which neighbour do I want instead? When nobody knows the right number, an [`AdaptiveLimit`](crate::AdaptiveLimit);
/// when calls fail rather than pile up, a [`CircuitBreaker`](crate::CircuitBreaker).
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Request};
/// use exec_middleware::{ConcurrencyConfig, ConcurrencyLimit};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let config = ConcurrencyConfig { limit: 1, queue: 0, ..ConcurrencyConfig::default() };
/// let limit = ConcurrencyLimit::new(config).unwrap();
/// let pipeline = Pipeline::around(Script::new("s", [Answer::stream(&["a"])])).with(limit.clone());
/// let context = Context::new("1");
/// let ask = || pipeline.execute(Request::chat(Chat::user("hi")), &context);
///
/// let first = ask().await.unwrap();
/// assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::Overloaded);
/// first.collect().await.unwrap();
/// assert_eq!(limit.stats().in_flight, 0);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    bulkhead: Arc<Bulkhead>,
    door: Door,
}

/// How one waits at a limit, and what one is told who may not come in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) guard: &'static str,
    pub(super) queue: u32,
    pub(super) wait: Duration,
}

/// The right to one call, given back when dropped.
#[derive(Debug)]
#[must_use = "the place is free again when the permit is dropped"]
pub struct ConcurrencyPermit {
    _seat: Seat,
}

impl ConcurrencyLimit {
    /// A limit with nobody in it.
    ///
    /// # Errors
    /// Everything that is wrong with `config`.
    pub fn new(config: ConcurrencyConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        let ConcurrencyConfig { limit, queue, wait } = config;
        let door = Door { guard: GUARD, queue, wait };
        Ok(Self { bulkhead: Bulkhead::new(size(limit), size(queue)), door })
    }

    /// Waits for a permit, as long as the settings allow. For callers who are no [`Executor`](exec_core::Executor); the
    /// middleware does it itself. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full or the wait too long.
    pub async fn acquire(&self, priority: Priority) -> Result<ConcurrencyPermit> {
        self.door.enter(&self.bulkhead, priority).await.map(|seat| ConcurrencyPermit { _seat: seat })
    }

    /// Changes how many calls may be under way, at least 1. Raising it lets those in who wait; lowering it cancels nothing, and lets nobody in
    /// until fewer than `limit` are under way.
    pub fn resize(&self, limit: u32) {
        self.bulkhead.resize(size(limit.max(1))).wake();
    }

    /// What it knows about itself.
    #[must_use]
    pub fn stats(&self) -> LimitStats {
        self.bulkhead.stats()
    }
}

pub(super) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Door {
    pub(super) async fn enter(&self, bulkhead: &Arc<Bulkhead>, priority: Priority) -> Result<Seat> {
        match bulkhead.try_enter() {
            Some(seat) => Ok(seat),
            None => self.queue_up(bulkhead, priority).await,
        }
    }

    async fn queue_up(&self, bulkhead: &Arc<Bulkhead>, priority: Priority) -> Result<Seat> {
        if self.queue == 0 {
            bulkhead.refused_full();
            return Err(self.refused(bulkhead, "and nobody may wait"));
        }
        match tokio::time::timeout(self.wait, bulkhead.enter(priority)).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(_)) => {
                bulkhead.refused_full();
                Err(self.refused(bulkhead, "and as many wait as may"))
            }
            Err(_) => {
                bulkhead.refused_late();
                Err(self.refused(bulkhead, &format!("for {:?}", self.wait)))
            }
        }
    }

    fn refused(&self, bulkhead: &Bulkhead, why: &str) -> Error {
        let message = format!("as many calls as may be, {}, are under way {why}", bulkhead.limit());
        Error::new(ErrorKind::Overloaded, message).with_code(self.guard).with_unsent(true)
    }

    /// Comes in for `request`, or tells that it was shed.
    pub(super) async fn admit(
        &self,
        bulkhead: &Arc<Bulkhead>,
        request: &Request,
        context: &Context,
    ) -> Result<Seat> {
        if let Some(seat) = bulkhead.try_enter() {
            return Ok(seat);
        }
        let entered = context.bound(self.queue_up(bulkhead, request.options.priority)).await;
        entered.inspect_err(|error| {
            if error.kind() == ErrorKind::Overloaded {
                context.emit(&Event::Shed { guard: self.guard });
            }
        })
    }
}

#[async_trait]
impl Middleware for ConcurrencyLimit {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let seat = self.door.admit(&self.bulkhead, &request, context).await?;
        let response = next.run(request, context).await?;
        Ok(response.on_end(move |_| drop(seat)))
    }

    fn name(&self) -> &'static str {
        GUARD
    }
}
