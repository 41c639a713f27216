//! All guards around one call, in the order that works.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Chat, Context, End, Error, ErrorKind, Event, Executor, Middleware, Pipeline, Priority, Request,
};
use exec_middleware::{
    AdaptiveConfig, AdaptiveLimit, BackoffConfig, BreakerConfig, Breakers, CatchPanic, CircuitBreaker,
    ConcurrencyConfig, ConcurrencyLimit, EventBus, Hedge, HedgeConfig, Limit, Metrics, MetricsConfig, ORDER,
    Per, RateLimit, RateLimitConfig, Retry, RetryBudgetConfig, RetryConfig, Timeout, TimeoutConfig, Trace,
    Validate, lint,
};
use tokio::task::JoinSet;

use crate::rate::{limiter, tokens};
use crate::stress::Random;
use crate::{streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

/// One of each guard, with handles of those that have figures.
struct Guards {
    all: Vec<Arc<dyn Middleware>>,
    metrics: Metrics,
    rate: RateLimit,
    hedge: Arc<Hedge>,
    breaker: CircuitBreaker,
    breakers: Arc<Breakers>,
    limit: ConcurrencyLimit,
    adaptive: AdaptiveLimit,
}

impl Guards {
    /// Limits that let `most` calls through in a window and at once.
    fn new(most: u64, attempts: u32) -> Self {
        let per = Per::Global;
        let limits = vec![
            Limit { requests: Some(most), per, ..Limit::default() },
            Limit { tokens: Some(1_000_000_000), per, ..Limit::default() },
        ];
        let (limit, floor) = (u32::try_from(most).unwrap(), 100_000);
        let rate = RateLimit::new(RateLimitConfig { limits, ..RateLimitConfig::default() }).unwrap();
        let budget = RetryBudgetConfig { floor, ..RetryBudgetConfig::default() };
        let backoff = BackoffConfig { base: SECOND / 10, ..BackoffConfig::default() };
        let retry = Retry::new(RetryConfig { attempts, budget, backoff, ..RetryConfig::default() }).unwrap();
        let hedge = Arc::new(Hedge::new(HedgeConfig { floor, ..HedgeConfig::default() }).unwrap());
        let breaker = CircuitBreaker::new(BreakerConfig::rate()).unwrap();
        let breakers = Arc::new(Breakers::new(breaker.named("each"), NonZeroUsize::new(9).unwrap()));
        let metrics = Metrics::new(MetricsConfig::default()).unwrap();
        let concurrency = ConcurrencyConfig { limit, ..ConcurrencyConfig::default() };
        let concurrency = ConcurrencyLimit::new(concurrency).unwrap();
        let adaptive = AdaptiveConfig { max: limit, initial: limit, ..AdaptiveConfig::default() };
        let adaptive = AdaptiveLimit::new(adaptive).unwrap();
        let timeout =
            TimeoutConfig { idle: Some(20 * SECOND), total: Some(90 * SECOND), ..TimeoutConfig::default() };
        let mut all: Vec<Arc<dyn Middleware>> = vec![
            Arc::new(Timeout::new(timeout)),
            Arc::new(adaptive.clone()),
            Arc::new(concurrency.clone()),
            breakers.clone(),
            Arc::new(breaker.clone()),
            hedge.clone(),
            Arc::new(retry.with_seed(1)),
            Arc::new(rate.clone()),
            Arc::new(Validate::default()),
            Arc::new(CatchPanic),
            Arc::new(metrics.clone()),
            Arc::new(Trace),
        ];
        // In whatever order they are listed, and whichever there are.
        all.sort_by_key(|guard| ORDER.iter().position(|name| *name == guard.name()));
        Self { all, metrics, rate, hedge, breaker, breakers, limit: concurrency, adaptive }
    }

    fn around(&self, script: &Arc<Script>) -> Pipeline {
        self.all.iter().cloned().fold(Pipeline::around(script.clone()), Pipeline::with_shared)
    }

    /// That nothing is under way and nobody waits.
    fn assert_quiet(&self) {
        let (limit, adaptive) = (self.limit.stats(), self.adaptive.stats());
        let gauges = [limit.in_flight, limit.waiting, adaptive.in_flight, adaptive.waiting];
        let probes = [self.breaker.stats().probes, self.breakers.get("chat").stats().probes];
        assert_eq!((gauges, probes, self.metrics.snapshot().in_flight), ([0; 4], [0; 2], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_order_that_works_each_guard_sees_what_it_should() {
    let guards = Guards::new(100, 4);
    let script = Script::new("s", [Answer::error(ErrorKind::Overloaded), Answer::stream(&["a"])]);
    let pipeline = guards.around(&script);
    let names: Vec<_> = pipeline.order().collect();
    assert_eq!((lint(names.iter().copied()), names.len()), (Vec::new(), guards.all.len()));
    assert!(names.iter().all(|name| ORDER.contains(name)), "{names:?}");

    let events = Arc::new(Recorder::default());
    let context = Context::new("1").with_events(events.clone());
    let answer = pipeline.execute(streamed(), &context).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().text(), "a");
    // The hedge, inside of the retry, repeats at once what passes; so there is nothing left to wait for.
    assert_eq!(events.names(), ["started", "hedged", "first_chunk", "ended"]);
    let (breaker, seen) = (guards.breaker.stats(), guards.metrics.snapshot());
    assert_eq!((breaker.failed, breaker.succeeded, guards.limit.stats().admitted), (1, 1, 2), "each attempt");
    assert_eq!(
        (guards.rate.requests_left(&unary(), &context), seen.calls, seen.completed),
        (Some(99), 1, 1),
        "one call"
    );
    guards.assert_quiet();

    // What cannot work gets no further than validation.
    pipeline.execute(Request::chat(Chat::default()), &context).await.unwrap_err();
    assert_eq!((script.calls(), guards.rate.requests_left(&unary(), &context)), (2, Some(99)));
}

#[tokio::test(start_paused = true)]
async fn a_denial_in_one_dimension_charges_none() {
    for tokens_left in [None, Some(5_000)] {
        let requests = Limit { requests: Some(2), ..Limit::default() };
        let rate = limiter([Some(requests), tokens_left.map(tokens)].into_iter().flatten().collect());
        let limit = ConcurrencyConfig { limit: 1, queue: 0, ..ConcurrencyConfig::default() };
        let limit = ConcurrencyLimit::new(limit).unwrap();
        let script = Script::new("s", [Answer::text("a")]);
        let pipeline = Pipeline::around(script.clone()).with(rate.clone()).with(limit.clone());
        let context = Context::new("1");
        let left = || (rate.requests_left(&unary(), &context), rate.tokens_left(&unary(), &context));
        let (before, held) = (left(), limit.acquire(Priority::Normal).await.unwrap());
        for _ in 0..9 {
            assert_eq!(pipeline.execute(unary(), &context).await.unwrap_err().kind(), ErrorKind::Overloaded);
            assert_eq!(left(), before, "no place");
        }
        drop(held);
        if tokens_left.is_some() {
            let long = Request::chat(Chat::user("x".repeat(40_000)));
            assert_eq!(pipeline.execute(long, &context).await.unwrap_err().kind(), ErrorKind::RateLimited);
            assert_eq!((left(), limit.stats().admitted), (before, 1), "no tokens");
        }
        for _ in 0..2 {
            drop(pipeline.execute(unary(), &context).await.unwrap());
        }
        let spent = rate.tokens_left(&unary(), &context);
        assert_eq!(pipeline.execute(unary(), &context).await.unwrap_err().kind(), ErrorKind::RateLimited);
        assert_eq!(
            (rate.tokens_left(&unary(), &context), limit.stats().in_flight),
            (spent, 0),
            "no requests"
        );
    }
}

/// One answer in ten is a fault; the others take their time.
fn answer(random: &mut Random) -> Answer {
    let kinds = [ErrorKind::Overloaded, ErrorKind::Upstream, ErrorKind::RateLimited, ErrorKind::Unavailable];
    let answer = match random.below(100) {
        0..4 => Answer::error(kinds[random.below(4) as usize]),
        4..6 => Answer::cut(&["a"]),
        6..8 => Answer::cut(&["a", "b"]).then_error(ErrorKind::Upstream),
        8 => Answer::cut(&["a"]).then_panic(),
        9 => Answer::hang(),
        10..55 => return Answer::text("a").after(Duration::from_millis(random.below(900))),
        _ => Answer::cut(&["a"])
            .pause(Duration::from_millis(random.below(900)))
            .chunk(exec_core::Chunk::End(Default::default())),
    };
    answer.after(Duration::from_millis(random.below(300)))
}

/// What its caller saw of a call.
async fn call(pipeline: Pipeline, bus: EventBus, n: u64) -> &'static str {
    let mut random = Random(n);
    tokio::time::sleep(Duration::from_millis(random.below(20_000))).await;
    let context = Context::new(n.to_string()).with_events(Arc::new(bus));
    let request = if random.below(2) == 0 { unary() } else { streamed() };
    let whole = async { pipeline.execute(request, &context).await?.collect().await };
    let patience = if random.below(10) == 0 { random.below(1_000) } else { 1_000_000 };
    match tokio::time::timeout(Duration::from_millis(patience), whole).await {
        Ok(Ok(_)) => "completed",
        Ok(Err(error)) if refused(&error) => "rejected",
        Ok(Err(_)) => "failed",
        Err(_) => "cancelled",
    }
}

fn refused(error: &Error) -> bool {
    error.is_unsent() && error.attempts().is_empty()
}

#[tokio::test(start_paused = true)]
async fn five_thousand_calls_add_up_and_leave_nothing_behind() {
    const CALLS: u64 = 5_000;
    let guards = Guards::new(4_800, 3);
    let mut random = Random(61);
    let script = Script::new("s", (0..20_000).map(|_| answer(&mut random)));
    let (pipeline, bus) = (guards.around(&script), EventBus::new());
    let mut ended =
        bus.subscribe_to(NonZeroUsize::MAX, |event| matches!(event, Event::Ended { .. })).unwrap();
    let mut calls = JoinSet::new();
    for n in 0..CALLS {
        calls.spawn(call(pipeline.clone(), bus.clone(), n));
    }
    let seen = calls.join_all().await;
    let count = |outcome| seen.iter().filter(|seen| **seen == outcome).count() as u64;
    let [completed, failed, rejected, cancelled] =
        ["completed", "failed", "rejected", "cancelled"].map(count);

    guards.assert_quiet();
    assert_eq!(script.open(), 0, "no call and no body is alive");
    let figures = guards.metrics.snapshot();
    assert_eq!(
        (figures.calls, figures.completed, figures.cancelled),
        (CALLS, completed, cancelled),
        "{figures:?}"
    );
    assert_eq!(figures.failed + figures.rejected, failed + rejected, "{figures:?}");
    assert_eq!(figures.calls, figures.completed + figures.failed + figures.rejected + figures.cancelled);
    let mut told = 0;
    while let Some(event) = ended.try_next() {
        told += u64::from(matches!(
            event.event,
            Event::Ended { end: End::Complete(_) | End::Failed(_) | End::Dropped, .. }
        ));
    }
    assert_eq!((told, ended.lost()), (CALLS, 0), "each end is told once");
    let least =
        [(completed, 3_500), (failed, 50), (rejected, 50), (cancelled, 200), (guards.hedge.stats().sent, 50)];
    assert!(least.iter().all(|(seen, least)| seen >= least) && figures.retried > 0, "{least:?} {figures:?}");
    tokio::time::advance(61 * SECOND).await;
    let context = Context::new("1");
    let left = (guards.rate.requests_left(&unary(), &context), guards.rate.tokens_left(&unary(), &context));
    assert_eq!(left, (Some(4_800), Some(1_000_000_000)), "nothing is set aside for ever");
}
