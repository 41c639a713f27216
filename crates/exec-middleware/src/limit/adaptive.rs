//! A limit on calls at once that finds itself.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Allowance, Context, End, Error, ErrorKind, FieldError, Middleware, Next, RateLimitHint, Remedy, Request,
    Response, Result,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bulkhead::{Bulkhead, LimitStats, Seat, Woken};
use super::concurrency::{Door, out_of_range, size};
use super::gradient::{Bounds, Gradient};
use crate::sync::lock;

const GUARD: &str = "adaptive_limit";

/// The settings of an [`AdaptiveLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConfig {
    /// The limit is never lower.
    pub min: u32,
    /// The limit is never higher.
    pub max: u32,
    /// Where it begins.
    pub initial: u32,
    /// So many wait; with 0 nobody does.
    pub queue: u32,
    /// So long they wait.
    #[serde(with = "exec_core::duration")]
    pub wait: Duration,
    /// The limit changes once in this time, or less often when there are fewer than `samples` calls.
    #[serde(with = "exec_core::duration")]
    pub window: Duration,
    /// A window has at least so many calls.
    pub samples: u32,
    /// Calls may take so many times as long as without a queue before the limit shrinks, from 1 to 10.
    pub tolerance: f64,
    /// A refusal by the backend shrinks the limit to this share, above 0 and below 1.
    pub backoff: f64,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            min: 1,
            max: 200,
            initial: 20,
            queue: 100,
            wait: Duration::from_secs(5),
            window: Duration::from_secs(1),
            samples: 10,
            tolerance: 1.05,
            backoff: 0.9,
        }
    }
}

impl AdaptiveConfig {
    /// Everything that is wrong with the settings; nothing when a limit can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        out_of_range(&mut errors, "min", self.min, 1);
        out_of_range(&mut errors, "max", self.max, 1);
        out_of_range(&mut errors, "queue", self.queue, 0);
        out_of_range(&mut errors, "samples", self.samples, 1);
        let mut when = |wrong: bool, path: &str, code, text: &str| {
            if wrong {
                errors.push(FieldError::new(path, code, text));
            }
        };
        when(self.min > self.max, "min", "conflict", "must not be more than `max`");
        let outside = !(self.min..=self.max.max(self.min)).contains(&self.initial);
        when(outside, "initial", "out_of_range", "must be from `min` to `max`");
        when(self.window.is_zero(), "window", "out_of_range", "must be longer than no time");
        let text = "must be longer than no time, or `queue` must be 0";
        when(self.queue > 0 && self.wait.is_zero(), "wait", "conflict", text);
        let tolerance = (1.0..=10.0).contains(&self.tolerance);
        when(!tolerance, "tolerance", "out_of_range", "must be from 1 to 10");
        let backoff = self.backoff > 0.0 && self.backoff < 1.0;
        when(!backoff, "backoff", "out_of_range", "must be above 0 and below 1");
        errors
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            min: self.min.into(),
            max: self.max.into(),
            initial: self.initial.into(),
            window: self.window,
            samples: self.samples,
            tolerance: self.tolerance,
            backoff: self.backoff,
        }
    }
}

/// Lets as many calls through at once as the backend does without a queue of its own. A clone is a handle of the same limit.
///
/// It grows while calls are as fast as they can be and shrinks when they become slower, when one is refused with
/// `RateLimited` or `Overloaded`, and when one runs into a time limit. What the provider says of its own limits, in an
/// answer's [report](exec_core::Report::limits) or as the time to wait of a refusal, is kept as long as it holds. It stays as it is while less than half of it is
/// used. What counts is the time until an answer begins, not how long its body takes to read; the place is held until the
/// body is over. Waiting, priorities and refusal are those of a [`ConcurrencyLimit`](crate::ConcurrencyLimit), with the
/// code `adaptive_limit`. A call that is dropped gives its place back and says nothing.
///
/// Which neighbour do I want instead? When the right number is known, a [`ConcurrencyLimit`](crate::ConcurrencyLimit).
///
/// ```
/// use exec_middleware::{AdaptiveConfig, AdaptiveLimit};
/// let limit = AdaptiveLimit::new(AdaptiveConfig { min: 1, max: 50, initial: 4, ..AdaptiveConfig::default() }).unwrap();
/// assert_eq!(limit.stats().limit, 4);
/// let errors = AdaptiveLimit::new(AdaptiveConfig { min: 0, backoff: 2.0, ..AdaptiveConfig::default() }).unwrap_err();
/// assert_eq!(errors.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct AdaptiveLimit {
    shared: Arc<Shared>,
    door: Door,
}

#[derive(Debug)]
struct Shared {
    bulkhead: Arc<Bulkhead>,
    gradient: Mutex<Gradient>,
    origin: Instant,
}

impl AdaptiveLimit {
    /// A limit that begins at `initial`.
    ///
    /// # Errors
    /// Everything that is wrong with `config`.
    pub fn new(config: AdaptiveConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        let shared = Shared {
            bulkhead: Bulkhead::new(size(config.initial), size(config.queue)),
            gradient: Mutex::new(Gradient::new(config.bounds())),
            origin: Instant::now(),
        };
        let door = Door { guard: GUARD, queue: config.queue, wait: config.wait };
        Ok(Self { shared: Arc::new(shared), door })
    }

    /// Takes into account what the provider says of its limits, for who has it from elsewhere than an answer's report: until
    /// its calls are all there again, no more are let through at once than what is left keeps busy, and while it has no
    /// tokens left as few as may be. How many tokens a call will take is not known here, so tokens that are left say nothing.
    pub fn hint(&self, hint: &RateLimitHint) {
        self.shared.hint(hint);
    }

    /// What it knows about itself.
    #[must_use]
    pub fn stats(&self) -> LimitStats {
        self.shared.bulkhead.stats()
    }
}

impl Shared {
    fn adapt(&self, f: impl FnOnce(&mut Gradient, Duration)) {
        let now = Instant::now().saturating_duration_since(self.origin);
        let mut gradient = lock(&self.gradient);
        f(&mut gradient, now);
        let limit = gradient.limit(now);
        // Still under the lock, so that an older limit never replaces a newer one.
        let same = limit == self.bulkhead.limit();
        let woken = if same { Woken::default() } else { self.bulkhead.resize(limit) };
        drop(gradient);
        woken.wake();
    }

    fn hint(&self, hint: &RateLimitHint) {
        let told = |allowance: Allowance| Some((allowance.rate()?, allowance.reset?));
        let spent = hint.tokens.filter(|tokens| tokens.remaining == Some(0));
        if let Some((rate, reset)) = spent.or(hint.requests).and_then(told) {
            self.adapt(|gradient, now| gradient.cap(rate, now.saturating_add(reset)));
        }
    }

    fn answered(&self, latency: Duration, response: &Response) {
        if let Some(hint) = &response.report.limits
            && !response.report.cached
        {
            self.hint(hint);
        }
        let busy = self.bulkhead.in_flight();
        self.adapt(|gradient, now| gradient.sample(latency, busy, now));
    }

    fn failed(&self, error: &Error) {
        // What never left says nothing about the backend: another guard of ours refused it.
        if error.is_unsent() {
            return;
        }
        let ours = error.remedy() == Remedy::Stop;
        match (error.kind(), error.retry_after()) {
            (ErrorKind::RateLimited, Some(wait)) => self.adapt(|gradient, now| {
                gradient.dropped();
                gradient.hold(now.saturating_add(wait));
            }),
            (ErrorKind::RateLimited, None) => self.adapt(|gradient, _| gradient.dropped()),
            (ErrorKind::Overloaded | ErrorKind::DeadlineExceeded, _) if !ours => {
                self.adapt(|gradient, _| gradient.dropped());
            }
            _ => {}
        }
    }
}

/// Holds the place to the end of the body.
fn hold(response: Response, seat: Seat, shared: &Arc<Shared>) -> Response {
    if response.is_full() {
        return response;
    }
    let shared = shared.clone();
    response.on_end(move |end| {
        drop(seat);
        if matches!(end, End::Failed(ErrorKind::Overloaded | ErrorKind::RateLimited)) {
            shared.adapt(|gradient, _| gradient.dropped());
        }
    })
}

#[async_trait]
impl Middleware for AdaptiveLimit {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let seat = self.door.admit(&self.shared.bulkhead, &request, context).await?;
        let started = Instant::now();
        match next.run(request, context).await {
            Ok(response) => {
                self.shared.answered(started.elapsed(), &response);
                Ok(hold(response, seat, &self.shared))
            }
            Err(error) => {
                self.shared.failed(&error);
                Err(error)
            }
        }
    }

    fn name(&self) -> &'static str {
        GUARD
    }
}
