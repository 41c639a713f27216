//! A call that failed for a passing reason is made again, after a while, a few times, and never more than is good.
//!
//! Which neighbour do I want instead? To ask somebody else, a fallback. To stop asking somebody who is down, a breaker;
//! put it inside of this, so that it sees every attempt. To ask twice before anything has failed, a hedge.

mod backoff;
mod budget;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exec_core::{
    Attempt, Catalogue, Context, Error, ErrorKind, Event, FieldError, Middleware, Next, Remedy, Request,
    Response, Result,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use self::backoff::{Backoff, BackoffConfig, Jitter};
pub use self::budget::{RetryBudget, RetryBudgetConfig, RetryBudgetStats};
use crate::random;
use crate::repeat::Repeat;

/// Who fails without a name.
pub(crate) const UNNAMED: &str = "unnamed";

/// More attempts of one call are a mistake in a configuration.
const MOST_ATTEMPTS: u32 = 100;

/// The settings of a [`Retry`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// The most attempts of one call, the first one included. Default 4: the first and three retries.
    pub attempts: u32,
    /// How long to wait between them when the provider does not say.
    pub backoff: BackoffConfig,
    /// A provider that asks for a longer wait is not waited for. Default 60 s.
    #[serde(with = "exec_core::duration")]
    pub max_retry_after: Duration,
    /// For all attempts and waits together, until the answer begins. Without it the context's deadline alone counts.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
    /// How many retries all calls together may make.
    pub budget: RetryBudgetConfig,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 4,
            backoff: BackoffConfig::default(),
            max_retry_after: Duration::from_secs(60),
            total: None,
            budget: RetryBudgetConfig::default(),
        }
    }
}

impl RetryConfig {
    /// Everything that is wrong with the settings; nothing when a retry can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !(1..=MOST_ATTEMPTS).contains(&self.attempts) {
            let text = format!("must be between 1, the first one, and {MOST_ATTEMPTS}");
            errors.push(FieldError::new("attempts", "out_of_range", text));
        }
        if self.total.is_some_and(|total| total.is_zero()) {
            errors.push(FieldError::new("total", "out_of_range", "must be longer than 0s"));
        }
        errors.extend(under("backoff", self.backoff.problems()));
        errors.extend(under("budget", self.budget.problems()));
        errors
    }
}

/// Makes a failed call again.
///
/// - Only when the error's remedy is [`Remedy::Retry`], and only what may be sent twice: conversations, embeddings and
///   the list of models, what a [catalogue](Self::with_catalogue) calls idempotent, what a
///   [predicate](Self::repeating) names, and anything that provably [never left](Error::is_unsent).
/// - Never after the commit point: an answer that has begun is final, also when its body breaks.
/// - A provider that says how long to wait is obeyed to the nanosecond; otherwise the [`Backoff`] decides.
/// - A wait that would end after the deadline is not begun, and an attempt is dropped at the deadline.
/// - All calls share one [`RetryBudget`]. When it is spent the call fails at once.
/// - Nested retries do not multiply: upstream calls are counted in the context's budget, and an error given up here has
///   the remedy `Elsewhere`, so that a retry outside leaves it to a fallback.
///
/// When it gives up it returns the last real error with every attempt [listed](Error::attempts). Dropping the future
/// stops the attempt or the wait at once; nothing runs on.
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Request};
/// use exec_middleware::{Retry, RetryConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let shaky = Script::new("shaky", [Answer::error(ErrorKind::Overloaded), Answer::text("here I am")]);
/// let retry = Retry::new(RetryConfig { attempts: 2, ..RetryConfig::default() }).unwrap();
/// let pipeline = Pipeline::around(shaky).with(retry);
///
/// let answer = pipeline.execute(Request::chat(Chat::user("hi")), &Context::new("1")).await.unwrap();
/// assert_eq!(answer.report.attempts, 2);
/// # }
/// ```
#[derive(Debug)]
pub struct Retry {
    attempts: u32,
    backoff: Backoff,
    max_retry_after: Duration,
    total: Option<Duration>,
    budget: RetryBudget,
    repeat: Repeat,
    random: AtomicU64,
    name: Arc<str>,
}

impl Retry {
    /// A retry with these settings, its jitter seeded by the process.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once.
    pub fn new(config: RetryConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            attempts: config.attempts,
            backoff: Backoff::new(config.backoff)?,
            max_retry_after: config.max_retry_after,
            total: config.total,
            budget: RetryBudget::new(config.budget)?,
            repeat: Repeat::default(),
            random: AtomicU64::new(RandomState::new().hash_one(0)),
            name: UNNAMED.into(),
        })
    }

    /// The same with jitter that is a function of `seed`, so that a run can be repeated.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.random = AtomicU64::new(seed);
        self
    }

    /// The same, named in the list of attempts as what it calls, where an error does not name its provider.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The same with a budget that others draw from as well, in place of its own.
    #[must_use]
    pub fn with_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// The same, repeating also what `catalogue` says is idempotent, and not what it says is not.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: Arc<Catalogue>) -> Self {
        self.repeat = self.repeat.with_catalogue(catalogue);
        self
    }

    /// The same, repeating also the requests for which `also` is true.
    #[must_use]
    pub fn repeating(mut self, also: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.repeat = self.repeat.with_predicate(Arc::new(also));
        self
    }

    /// How long to wait before the next attempt, or `None` to give up. Takes from the retry budget.
    fn wait(&self, run: &Run, request: &Request, context: &Context) -> Option<Duration> {
        let error = &run.last;
        if run.made() >= self.attempts
            || context.budget().attempts_left() == 0
            || !self.repeat.allows(request, error)
        {
            return None;
        }
        let wait = match error.retry_after() {
            Some(asked) if asked > self.max_retry_after => return None,
            Some(asked) => asked,
            None => self.backoff.delay(run.step, run.previous, self.draw()),
        };
        let late = context.remaining().is_some_and(|left| wait >= left);
        (!late && self.budget.withdraw()).then_some(wait)
    }

    /// Everything after the first failure.
    async fn again(
        &self,
        first: Error,
        request: Request,
        context: &Context,
        next: Next<'_>,
    ) -> Result<Response> {
        let mut run = Run::new(first);
        loop {
            let Some(wait) = self.wait(&run, &request, context) else {
                return Err(run.give_up(&self.name, context));
            };
            context.bound(tokio::time::sleep(wait).map(Ok)).await?;
            context.emit(&Event::Retried { kind: run.last.kind(), wait });
            match attempt(request.clone(), context, next).await {
                Ok(mut response) => {
                    let made = run.made() + 1;
                    response.report.attempts = response.report.attempts.max(made);
                    return Ok(response);
                }
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                // No call was made, or it was dropped for want of time: the error before it is the real one.
                Err(error) if error.kind() == ErrorKind::Exhausted || out_of_time(&error, context) => {
                    return Err(run.give_up(&self.name, context));
                }
                Err(error) => run.failed(&self.name, error, wait),
            }
        }
    }

    fn too_slow(&self) -> Error {
        let message = format!("no answer came within {:?}, retries included", self.total.unwrap_or_default());
        let error = Error::new(ErrorKind::DeadlineExceeded, message);
        error.with_code("total_timeout").with_remedy(Remedy::Elsewhere)
    }

    fn draw(&self) -> u64 {
        random::mix(self.random.fetch_add(random::STEP, Ordering::Relaxed).wrapping_add(random::STEP))
    }
}

// What `#[async_trait]` would write, but with two futures: one that has no time to watch is a third of the other's size.
impl Middleware for Retry {
    fn handle<'a, 'b, 'n, 'c>(
        &'a self,
        request: Request,
        context: &'b Context,
        next: Next<'n>,
    ) -> BoxFuture<'c, Result<Response>>
    where
        'a: 'c,
        'b: 'c,
        'n: 'c,
        Self: 'c,
    {
        if self.total.is_none() && context.deadline().is_none() {
            return Box::pin(async move {
                self.budget.deposit();
                match next.run(request.clone(), context).await {
                    Err(error) if self.repeat.allows(&request, &error) => {
                        Box::pin(self.again(error, request, context, next)).await
                    }
                    answer => answer,
                }
            });
        }
        Box::pin(async move {
            self.budget.deposit();
            let limited = self.total.map(|total| context.with_timeout(total));
            let inner = limited.as_ref().unwrap_or(context);
            match attempt(request.clone(), inner, next).await {
                Err(error) if self.repeat.allows(&request, &error) => {
                    Box::pin(self.again(error, request, inner, next)).await
                }
                // Our own limit, and not the one of the execution: there may be time elsewhere.
                Err(error) if out_of_time(&error, inner) && !out_of_time(&error, context) => {
                    Err(self.too_slow())
                }
                answer => answer,
            }
        })
    }

    fn name(&self) -> &'static str {
        "retry"
    }
}

/// One attempt, dropped at the deadline. Without a deadline there is nothing to watch.
async fn attempt(request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
    match context.deadline() {
        None => next.run(request, context).await,
        Some(_) => context.bound(next.run(request, context)).await,
    }
}

fn out_of_time(error: &Error, context: &Context) -> bool {
    error.kind() == ErrorKind::DeadlineExceeded && context.remaining().is_some_and(|left| left.is_zero())
}

/// `found` with the paths they have under `name`.
fn under(name: &str, found: Vec<FieldError>) -> impl Iterator<Item = FieldError> {
    found.into_iter().map(move |e| FieldError { path: format!("{name}.{}", e.path), ..e })
}

/// What one call has been through.
struct Run {
    last: Error,
    /// The attempts before the last one.
    earlier: Vec<Attempt>,
    /// The number of the next retry in the schedule, which begins anew after a wait the provider asked for.
    step: u32,
    previous: Duration,
    /// Whether no attempt can have reached anybody.
    unsent: bool,
}

impl Run {
    fn new(first: Error) -> Self {
        let unsent = first.is_unsent();
        Self { last: first, earlier: Vec::new(), step: 1, previous: Duration::ZERO, unsent }
    }

    fn made(&self) -> u32 {
        u32::try_from(self.earlier.len() + 1).unwrap_or(u32::MAX)
    }

    fn failed(&mut self, name: &str, error: Error, wait: Duration) {
        self.unsent &= error.is_unsent();
        let asked = self.last.retry_after().is_some();
        (self.step, self.previous) = if asked { (1, Duration::ZERO) } else { (self.step + 1, wait) };
        let last = std::mem::replace(&mut self.last, error);
        self.earlier.push(summary(name, &last));
    }

    /// The last real error with every attempt listed. What a call below has listed of its own stays as it is.
    fn give_up(mut self, name: &str, context: &Context) -> Error {
        self.last = self.last.with_unsent(self.unsent);
        if self.last.remedy() == Remedy::Retry {
            let over = context.budget().attempts_left() == 0 || context.is_cancelled();
            self.last = self.last.with_remedy(if over { Remedy::Stop } else { Remedy::Elsewhere });
        }
        if !self.last.attempts().is_empty() {
            return self.last;
        }
        self.earlier.push(summary(name, &self.last));
        self.last.with_attempts(self.earlier)
    }
}

/// One line about a failure, for the list of them: by the name of its provider, or else `name`.
pub(crate) fn summary(name: &str, error: &Error) -> Attempt {
    let provider = error.provider().cloned().unwrap_or_else(|| name.into());
    Attempt { provider, kind: error.kind(), message: error.message().to_owned() }
}
