//! A call that is slower than usual is made a second time, and whichever has content first is the answer.
//!
//! "The Tail at Scale" (Dean and Barroso, 2013), with the rules of gRPC's hedging (proposal A6) for answers that fail.
//!
//! Which neighbour do I want instead? For calls that *fail*, a [`Retry`](crate::Retry), which waits between attempts; put
//! it outside of this. To give a slow call up, a [`Timeout`](crate::Timeout).

mod config;
mod learned;
mod race;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exec_core::{
    Catalogue, Context, FieldError, Middleware, Money, Next, Request, Reservation, Response, Result,
};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use self::learned::{Kind, Learned};
use self::race::Race;
use crate::RetryBudget;
use crate::limit::estimate_tokens;
use crate::repeat::Repeat;

pub use self::config::HedgeConfig;

/// Makes a call again beside itself when it is slower than its like.
///
/// - **When.** After `factor` times the quantile of how long the first content of such calls took, which is learned, or
///   after `delay` while too few are known. A call counts once: as long as its first attempt took, or had taken when it
///   lost.
/// - **What.** Only what may be sent twice, by the rule of [`Retry`](crate::Retry); anything else passes untouched.
/// - **Who wins.** The first attempt with content in hand; chunks that only say that a stream lives are none. The others
///   are dropped, which cancels them: permits, connections and reservations come back. The caller reads one stream.
/// - **Failures.** One that nothing helps against ends the call. After one that passes the next hedge is sent at once. A
///   provider that says how long to wait, a guard that refuses a hedge, or a failure that would be the same here
///   again ends hedging, and the attempts that are under way go on. If all fail, the last real failure lists them.
/// - **How much.** Hedges are at most `floor` and `share` of the calls of a minute, and never more than the attempts the
///   execution has left. Where prices are known, money for a hedge is set aside in the execution's budget: the losers of
///   a race count as having cost it, and without enough there is no hedge.
///
/// Each hedge is an event `hedged`, and the answer's report counts all attempts. Nothing is spawned: dropping the future
/// drops every attempt and timer.
///
/// ```
/// use std::time::Duration;
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, Executor, Pipeline, Request};
/// use exec_middleware::{Hedge, HedgeConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let slow_once = Script::new("s", [Answer::text("late").after(Duration::from_secs(60)), Answer::text("soon")]);
/// let pipeline = Pipeline::around(slow_once).with(Hedge::new(HedgeConfig::default()).unwrap());
///
/// let answer = pipeline.execute(Request::chat(Chat::user("hi")), &Context::new("1")).await.unwrap();
/// assert_eq!((answer.report.attempts, answer.collect().await.unwrap().text()), (2, "soon".to_owned()));
/// # }
/// ```
#[derive(Debug)]
pub struct Hedge {
    config: HedgeConfig,
    learned: Learned,
    budget: RetryBudget,
    repeat: Repeat,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    sent: AtomicU64,
    won: AtomicU64,
    refused: AtomicU64,
}

/// What a [`Hedge`] has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeStats {
    /// Calls that might have been hedged.
    pub calls: u64,
    /// Hedges that were sent.
    pub sent: u64,
    /// Hedges whose answer was taken.
    pub won: u64,
    /// Hedges for which share, attempts or money did not suffice.
    pub refused: u64,
}

impl Hedge {
    /// A hedge with these settings.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, at once.
    pub fn new(config: HedgeConfig) -> Result<Self, Vec<FieldError>> {
        let budget = config.check()?;
        let kinds = usize::try_from(config.kinds).unwrap_or(usize::MAX);
        let learned = Learned::new(config.quantile, config.samples, kinds);
        Ok(Self { config, learned, budget, repeat: Repeat::default(), counts: Counts::default() })
    }

    /// The same, hedging also what `catalogue` says is idempotent, and not what it says is not.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: Arc<Catalogue>) -> Self {
        self.repeat = self.repeat.with_catalogue(catalogue);
        self
    }

    /// The same, hedging also the requests for which `also` is true.
    #[must_use]
    pub fn hedging(mut self, also: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.repeat = self.repeat.with_predicate(Arc::new(also));
        self
    }

    /// How long a call like `request` is waited for now before it is hedged.
    #[must_use]
    pub fn delay(&self, request: &Request) -> Duration {
        self.delay_of(&Kind::of(request))
    }

    /// What it has done since it was made.
    #[must_use]
    pub fn stats(&self) -> HedgeStats {
        let Counts { calls, sent, won, refused } = &self.counts;
        let [calls, sent, won, refused] = [calls, sent, won, refused].map(|n| n.load(Ordering::Relaxed));
        HedgeStats { calls, sent, won, refused }
    }

    fn delay_of(&self, kind: &Kind) -> Duration {
        let HedgeConfig { delay, min_delay, factor, .. } = self.config;
        // At most an hour and a bit, a hundred times.
        self.learned.quantile(kind).map_or(delay, |usual| usual.mul_f64(factor)).max(min_delay)
    }

    /// Whether another attempt may be sent, with what is set aside for it.
    fn allow(&self, request: &Request, context: &Context) -> Option<Extra> {
        let extra = if context.budget().attempts_left() > 0 { self.afford(request, context) } else { None };
        let allowed = extra.filter(|_| self.budget.withdraw());
        if allowed.is_none() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    fn afford(&self, request: &Request, context: &Context) -> Option<Extra> {
        let HedgeConfig { price_micros, answer_tokens, max_cost_micros, .. } = self.config;
        if price_micros == Money::ZERO {
            return Some(Extra(None));
        }
        let cost = price_micros.per_million(estimate_tokens(request, answer_tokens));
        if max_cost_micros.is_some_and(|most| cost > most) {
            return None;
        }
        Some(Extra(Some((context.budget().reserve(cost).ok()?, cost))))
    }
}

impl Middleware for Hedge {
    // What `#[async_trait]` would write, but the race, which is rare, has a box of its own.
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
        if !self.repeat.is_harmless(&request) {
            return next.run(request, context);
        }
        Box::pin(async move {
            self.counts.calls.fetch_add(1, Ordering::Relaxed);
            self.budget.deposit();
            let (kind, began) = (Kind::of(&request), Instant::now());
            let delay = self.delay_of(&kind);
            let mut first = pin!(race::attempt(request.clone(), context, next));
            match tokio::time::timeout_at(began + delay, first.as_mut()).await {
                Ok(Ok(response)) => {
                    self.learned.record(kind, began.elapsed());
                    Ok(response)
                }
                Ok(Err(error)) => {
                    let race = Race::new(self, request, context, next, began);
                    Box::pin(race.failed(error, delay)).await
                }
                Err(_) => {
                    let race = Race::new(self, request, context, next, began);
                    Box::pin(race.slow(first, delay)).await
                }
            }
        })
    }

    fn name(&self) -> &'static str {
        "hedge"
    }
}

/// What is set aside for one hedge, if prices are known. Given back when dropped.
#[derive(Debug)]
struct Extra(Option<(Reservation, Money)>);

impl Extra {
    /// It is taken to have cost what was set aside.
    fn spend(self) {
        if let Some((reservation, cost)) = self.0 {
            reservation.settle(cost);
        }
    }
}
