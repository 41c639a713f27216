//! No more than so much in a time: requests, tokens and money, for a tenant, a model, a provider, everybody.
//!
//! Which neighbour do I want instead? For how much goes on *at once*, a concurrency limit. For what one execution may
//! spend, the [`Budget`](exec_core::Budget) of its context. To wait until there is room, a [`Retry`](crate::Retry) on the
//! caller's side: a denial says exactly how long.

mod charge;
mod config;
mod gcra;
mod keys;
mod log;
mod meter;
mod names;
mod reservation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Context, End, Error, ErrorKind, Event, FieldError, Middleware, Next, Remedy, Request, Response, Result,
};
use tokio::time::Instant;

pub use self::charge::Charge;
use self::charge::Unit;
pub(crate) use self::charge::estimate_tokens;
pub use self::config::{Limit, Per, RateLimitConfig};
use self::keys::{Call, Denial, Scope, Why, admit};
pub use self::meter::Mode;
use self::meter::Nanos;
use self::names::{Owner, Uses, Who};
pub use self::reservation::RateReservation;

/// Refuses a call that would be more than the limits allow; never waits.
///
/// - **All or nothing.** Every limit must allow a call, or none is charged.
/// - **Which mode promises what.** [`Mode::Exact`]: never more than the limit in *any* window. [`Mode::Smooth`]: never
///   more than `burst + limit * t / window` in any time `t`, for less memory.
/// - **Reserve and settle.** Tokens and money are set aside before the call (a token for each four bytes and the longest
///   answer allowed) and settled when the answer says what it used. What was too much is given back; what was too
///   little is owed, and delays later calls. An answer that breaks off is settled at what was set aside, one from a
///   cache uses no tokens and no money.
/// - **A denial** has the kind `RateLimited` and the exact time after which the call, alone, is admitted. A call that is
///   larger than a whole limit never is, and its error says so with the remedy `Stop`.
/// - **What never left costs nothing.** A call that another guard below refused, or that did not reach its provider, is
///   given back.
/// - **Bounded keys.** Keys are forgotten when nothing of them counts any more, and never before.
///
/// Dropping the future settles the call at what was set aside: it was on its way. Put it outside of a cache and of a
/// retry, so that a call is charged once.
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Request};
/// use exec_middleware::{Limit, Per, RateLimit, RateLimitConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let limits = vec![
///     Limit { requests: Some(1), ..Limit::default() },
///     Limit { tokens: Some(1_000_000), per: Per::Global, ..Limit::default() },
/// ];
/// let limit = RateLimit::new(RateLimitConfig { limits, ..RateLimitConfig::default() }).unwrap();
/// let pipeline = Pipeline::around(Script::new("s", [Answer::text("x")])).with(limit);
///
/// let (mine, yours) = (Context::new("1").with_tenant("me"), Context::new("2").with_tenant("you"));
/// let ask = || Request::chat(Chat::user("hi"));
/// assert!(pipeline.execute(ask(), &mine).await.is_ok());
/// let denied = pipeline.execute(ask(), &mine).await.unwrap_err();
/// assert_eq!((denied.kind(), denied.retry_after().unwrap().as_secs()), (ErrorKind::RateLimited, 60));
/// assert!(pipeline.execute(ask(), &yours).await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    scopes: Vec<Scope>,
    config: RateLimitConfig,
    /// Whether more is counted than calls.
    metered: bool,
    /// Whether every limit is exact, so that giving back needs no clock.
    exact: bool,
    uses: Uses,
    born: Instant,
    refused: AtomicU64,
}

impl Inner {
    fn now(&self) -> Nanos {
        // Saturates: a clock that stands before our birth reads 0.
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl RateLimit {
    /// A limiter with these settings. Its clones share everything.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once.
    pub fn new(config: RateLimitConfig) -> Result<Self, Vec<FieldError>> {
        let rules = config::rules(&config)?;
        let metered = rules.values().flatten().any(|(unit, _)| *unit != Unit::Requests);
        let exact = rules.values().flatten().all(|(_, rule)| rule.mode == Mode::Exact);
        let uses = Uses::of(&rules.keys().copied().collect::<Vec<_>>());
        let scopes = rules.into_iter().map(|(per, rules)| Scope::new(per, rules, config.keys)).collect();
        let (born, refused) = (Instant::now(), AtomicU64::new(0));
        Ok(Self { inner: Arc::new(Inner { scopes, config, metered, exact, uses, born, refused }) })
    }

    /// What would be set aside for `request`. O(n) over an input that was not received as bytes.
    #[must_use]
    pub fn estimate(&self, request: &Request) -> Charge {
        if self.inner.metered { Charge::estimate(request, &self.inner.config) } else { Charge::CALL }
    }

    /// Sets aside what `request` is estimated to use.
    ///
    /// # Errors
    /// `RateLimited` with the exact time to wait; `Overloaded` with the code `too_many_keys` when there is no room for
    /// the caller's key.
    pub fn reserve(&self, request: &Request, context: &Context) -> Result<RateReservation> {
        self.reserve_as(request, context, self.estimate(request))
    }

    /// Sets `charge` aside, for a caller who knows better than the [estimate](Self::estimate).
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn reserve_as(
        &self,
        request: &Request,
        context: &Context,
        charge: Charge,
    ) -> Result<RateReservation> {
        let who = Who::of(request, context);
        let mut call = Call { who, charge, now: self.inner.now() };
        match admit(&self.inner.scopes, &mut call) {
            None => {
                let at = call.now;
                Ok(RateReservation::new(self.inner.clone(), Owner::of(who, self.inner.uses), charge, at))
            }
            Some(denial) => Err(self.refuse(denial, context)),
        }
    }

    /// Charges `charge` for good.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub fn check(&self, request: &Request, context: &Context, charge: Charge) -> Result<()> {
        let (who, now) = (Who::of(request, context), self.inner.now());
        match admit(&self.inner.scopes, &mut Call { who, charge, now }) {
            None => Ok(()),
            Some(denial) => Err(self.refuse(denial, context)),
        }
    }

    /// How many requests the tightest limit leaves the caller now; `None` when requests are not limited.
    #[must_use]
    pub fn requests_left(&self, request: &Request, context: &Context) -> Option<u64> {
        let (who, now) = (Who::of(request, context), self.inner.now());
        self.inner.scopes.iter().filter_map(|scope| scope.left(who, Unit::Requests, now)).min()
    }

    /// The same for tokens.
    #[must_use]
    pub fn tokens_left(&self, request: &Request, context: &Context) -> Option<u64> {
        let (who, now) = (Who::of(request, context), self.inner.now());
        self.inner.scopes.iter().filter_map(|scope| scope.left(who, Unit::Tokens, now)).min()
    }

    /// How many keys are remembered, of all kinds.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.inner.scopes.iter().map(Scope::keys).sum()
    }

    /// What it knows about itself. O(shards).
    #[must_use]
    pub fn stats(&self) -> RateStats {
        let (who, now) = (Who::default(), self.inner.now());
        let everybody = self.inner.scopes.iter().find(|scope| scope.is_global());
        let left = |unit| everybody.and_then(|scope| scope.left(who, unit, now));
        RateStats {
            keys: self.keys(),
            refused: self.inner.refused.load(Ordering::Relaxed),
            requests_left: left(Unit::Requests),
            tokens_left: left(Unit::Tokens),
        }
    }

    #[cold]
    fn refuse(&self, denial: Denial, context: &Context) -> Error {
        self.inner.refused.fetch_add(1, Ordering::Relaxed);
        refuse(denial, context)
    }
}

/// A look at a [`RateLimit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateStats {
    /// How many keys are remembered, of all kinds.
    pub keys: usize,
    /// Calls that were refused since it was made.
    pub refused: u64,
    /// The requests that the limits for everybody leave now, if there are such.
    pub requests_left: Option<u64>,
    /// The same for tokens.
    pub tokens_left: Option<u64>,
}

#[async_trait]
impl Middleware for RateLimit {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let mut reservation = self.reserve(&request, context)?;
        reservation.mark_sent();
        match next.run(request, context).await {
            Ok(response) if response.report.reuse.is_some() => {
                reservation.settle_call();
                Ok(response)
            }
            Ok(response) if !self.inner.metered => Ok(response),
            Ok(response) => Ok(response.on_end(move |end| {
                if let End::Complete(summary) = end {
                    reservation.settle_summary(summary);
                }
            })),
            Err(error) => {
                reservation.settle_error(&error);
                Err(error)
            }
        }
    }

    fn name(&self) -> &'static str {
        "rate_limit"
    }
}

fn refuse(denial: Denial, context: &Context) -> Error {
    context.emit(&Event::Shed { guard: "rate_limit" });
    let (wait, who) = (Duration::from_nanos(denial.wait), denial.per.words());
    // In words to the millisecond, and not too early.
    let spoken = Duration::from_millis(denial.wait.div_ceil(1_000_000));
    let error = match denial.why {
        Why::Spent(unit, rule) => {
            let (limit, unit, window) = (rule.limit, unit.words(), Duration::from_nanos(rule.window));
            let message =
                format!("{limit} {unit} in {window:?} are reached for {who}: try again in {spoken:?}");
            Error::new(ErrorKind::RateLimited, message).with_retry_after(wait)
        }
        Why::Never(unit, rule) => {
            let most = if rule.mode == Mode::Smooth { rule.burst } else { rule.limit };
            let message =
                format!("the call needs more {} than the {most} that {who} may use at once", unit.words());
            Error::new(ErrorKind::RateLimited, message).with_remedy(Remedy::Stop)
        }
        Why::Keys => {
            let message = format!("too many different callers are being counted: try again in {spoken:?}");
            Error::new(ErrorKind::Overloaded, message).with_code("too_many_keys").with_retry_after(wait)
        }
    };
    error.with_unsent(true)
}
