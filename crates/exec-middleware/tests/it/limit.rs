//! Limits on calls at once.

use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Allowance, Context, ErrorKind, Event, Executor, Options, Output, Pipeline, Priority, RateLimitHint,
    Report, Response, executor_fn,
};
use exec_middleware::{AdaptiveConfig, AdaptiveLimit, ConcurrencyConfig, ConcurrencyLimit, Limit};
use futures_util::{FutureExt, StreamExt};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::rate::limiter;
use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

fn limit(limit: u32, queue: u32, wait: Duration) -> ConcurrencyLimit {
    ConcurrencyLimit::new(ConcurrencyConfig { limit, queue, wait }).unwrap()
}

fn context() -> Context {
    Context::new("1")
}

#[tokio::test(start_paused = true)]
async fn a_queue_of_none_refuses_without_waiting() {
    let limit = limit(1, 0, SECOND);
    let events = Arc::new(Recorder::default());
    let pipeline = around(&Script::new("s", [Answer::text("a")]), limit.clone());
    let held = limit.acquire(Priority::Normal).await.unwrap();
    let started = Instant::now();
    let error = pipeline.execute(unary(), &context().with_events(events.clone())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Overloaded, "concurrency_limit"));
    assert!(error.is_unsent() && started.elapsed().is_zero());
    assert_eq!(events.events(), [Event::Shed { guard: "concurrency_limit" }]);
    drop(held);
    pipeline.execute(unary(), &context()).await.unwrap().collect().await.unwrap();
    let stats = limit.stats();
    assert_eq!((stats.in_flight, stats.admitted, stats.full, stats.peak), (0, 2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_queue_and_the_wait_are_bounded() {
    let limit = limit(1, 2, SECOND);
    let held = limit.acquire(Priority::Normal).await.unwrap();
    let started = Instant::now();
    let mut waiting = JoinSet::new();
    for _ in 0..2 {
        let limit = limit.clone();
        waiting.spawn(async move { limit.acquire(Priority::Normal).await.map(drop) });
    }
    tokio::task::yield_now().await;
    assert_eq!(limit.stats().waiting, 2);
    assert!(limit.acquire(Priority::Urgent).await.is_err());
    assert!(started.elapsed().is_zero(), "a full queue refuses at once");
    for result in waiting.join_all().await {
        assert_eq!(result.unwrap_err().code(), "concurrency_limit");
    }
    assert_eq!(started.elapsed(), SECOND);
    let stats = limit.stats();
    assert_eq!((stats.waiting, stats.full, stats.late, stats.left), (0, 1, 2, 0));
    drop(held);
    assert_eq!(limit.stats().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_more_urgent_first_and_within_that_the_earlier() {
    let limit = limit(1, 10, 60 * SECOND);
    let held = limit.acquire(Priority::Normal).await.unwrap();
    let (tell, order) = tokio::sync::mpsc::unbounded_channel();
    let mut calls = JoinSet::new();
    for (name, priority) in [
        (0, Priority::Low),
        (1, Priority::Normal),
        (2, Priority::Urgent),
        (3, Priority::Normal),
        (4, Priority::High),
    ] {
        let (limit, tell) = (limit.clone(), tell.clone());
        calls.spawn(async move {
            let permit = limit.acquire(priority).await.unwrap();
            tell.send(name).unwrap();
            tokio::time::sleep(SECOND).await;
            drop(permit);
        });
        tokio::task::yield_now().await;
    }
    drop((held, tell));
    calls.join_all().await;
    let order: Vec<_> = futures_util::stream::unfold(order, |mut order| async move {
        order.recv().await.map(|name| (name, order))
    })
    .collect()
    .await;
    assert_eq!(order, [2, 4, 1, 3, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_place_is_held_to_the_end_of_the_body() {
    let script = Script::new(
        "s",
        [
            Answer::stream(&["a"]),
            Answer::cut(&["a"]).then_error(ErrorKind::Upstream),
            Answer::cut(&["a"]).stall(),
            Answer::error(ErrorKind::Upstream),
            Answer::hang(),
        ],
    );
    let limit = limit(1, 0, SECOND);
    let pipeline = around(&script, limit.clone());
    let run = || async { pipeline.execute(streamed(), &context()).await };
    let first = run().await.unwrap();
    assert_eq!(run().await.unwrap_err().code(), "concurrency_limit");
    first.collect().await.unwrap();
    run().await.unwrap().collect().await.unwrap_err();
    drop(run().await.unwrap());
    assert_eq!(run().await.unwrap_err().kind(), ErrorKind::Upstream);
    assert!(run().now_or_never().is_none());
    assert_eq!((limit.stats().in_flight, script.calls()), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_the_wait_and_is_no_overload() {
    let limit = limit(1, 10, 60 * SECOND);
    let _held = limit.acquire(Priority::Normal).await.unwrap();
    let pipeline = around(&Script::new("s", [Answer::text("a")]), limit.clone());
    let error = pipeline.execute(unary(), &context().with_timeout(SECOND)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    assert_eq!((limit.stats().waiting, limit.stats().left), (0, 1));
}

#[tokio::test]
async fn a_new_size_takes_effect_and_cancels_nothing() {
    let limit = limit(4, 10, 60 * SECOND);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(limit.acquire(Priority::Normal).await.unwrap());
    }
    limit.resize(2);
    let mut waiting = Box::pin(limit.acquire(Priority::Normal));
    for left in (2..4).rev() {
        held.pop();
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(limit.stats().in_flight, left);
    }
    held.pop();
    let got = waiting.now_or_never().unwrap().unwrap();
    assert_eq!((limit.stats().in_flight, limit.stats().limit), (2, 2));
    let mut waiting = Box::pin(limit.acquire(Priority::Normal));
    assert!(waiting.as_mut().now_or_never().is_none());
    limit.resize(3);
    assert!(waiting.now_or_never().unwrap().is_ok());
    drop((got, held));
    assert_eq!(limit.stats().in_flight, 0);
}

#[tokio::test]
async fn priority_is_that_of_the_request() {
    let limit = limit(1, 10, 60 * SECOND);
    let pipeline = around(&Script::new("s", [Answer::stream(&["a"])]), limit.clone());
    let held = limit.acquire(Priority::Normal).await.unwrap();
    let with = |priority| unary().with_options(Options { priority, stream: true, ..Options::default() });
    let (one, other) = (context(), context());
    let mut low = pipeline.execute(with(Priority::Low), &one);
    let mut urgent = pipeline.execute(with(Priority::Urgent), &other);
    assert!(low.as_mut().now_or_never().is_none() && urgent.as_mut().now_or_never().is_none());
    drop(held);
    assert!(low.as_mut().now_or_never().is_none());
    let answer = urgent.await.unwrap();
    assert!(low.as_mut().now_or_never().is_none());
    drop(answer);
    low.await.unwrap().collect().await.unwrap();
}

fn adaptive(change: impl FnOnce(&mut AdaptiveConfig)) -> AdaptiveLimit {
    let mut config = AdaptiveConfig { initial: 10, queue: 0, ..AdaptiveConfig::default() };
    change(&mut config);
    AdaptiveLimit::new(config).unwrap()
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_backend_shrink_the_limit_and_others_do_not() {
    for (kind, limit) in [
        (ErrorKind::RateLimited, 9),
        (ErrorKind::Overloaded, 9),
        (ErrorKind::InvalidRequest, 10),
        (ErrorKind::Upstream, 10),
        (ErrorKind::DeadlineExceeded, 10),
    ] {
        let adaptive = adaptive(|_| {});
        let pipeline = around(&Script::new("s", [Answer::error(kind)]), adaptive.clone());
        pipeline.execute(unary(), &context()).await.unwrap_err();
        assert_eq!((adaptive.stats().limit, adaptive.stats().in_flight), (limit, 0), "{kind}");
    }
    let adaptive = self::adaptive(|_| {});
    let ours = limiter(vec![Limit { requests: Some(1), ..Limit::default() }]);
    let pipeline = Pipeline::around(Script::new("s", [Answer::text("a")])).with(adaptive.clone()).with(ours);
    pipeline.execute(unary(), &context()).await.unwrap().collect().await.unwrap();
    pipeline.execute(unary(), &context()).await.unwrap_err();
    assert_eq!(
        adaptive.stats().limit,
        10,
        "what another guard of ours refuses says nothing about the backend"
    );
    let adaptive = self::adaptive(|_| {});
    let answer = Answer::cut(&["a"]).then_error(ErrorKind::Overloaded);
    let pipeline = around(&Script::new("s", [answer]), adaptive.clone());
    pipeline.execute(streamed(), &context()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(adaptive.stats().limit, 9);
}

#[tokio::test(start_paused = true)]
async fn it_grows_when_all_of_it_is_used_and_keeps_in_its_bounds() {
    let adaptive = adaptive(|c| (c.max, c.queue) = (40, 1_000));
    let script = Script::new("s", [Answer::text("a").after(SECOND / 10)]);
    let pipeline = around(&script, adaptive.clone());
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let pipeline = pipeline.clone();
        calls.spawn(async move {
            for _ in 0..100 {
                pipeline.execute(unary(), &context()).await.unwrap().collect().await.unwrap();
            }
        });
    }
    calls.join_all().await;
    let stats = adaptive.stats();
    assert_eq!((stats.limit, stats.peak, stats.in_flight), (40, 40, 0), "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_kept_while_it_lasts() {
    let adaptive = adaptive(|_| {});
    adaptive.hint(&hint(3, 9));
    assert_eq!(adaptive.stats().limit, 3);
    tokio::time::advance(2 * SECOND).await;
    let pipeline = around(&Script::new("s", [Answer::text("a")]), adaptive.clone());
    pipeline.execute(unary(), &context()).await.unwrap().collect().await.unwrap();
    assert_eq!(adaptive.stats().limit, 10);
}

/// So many calls and tokens are left for a second.
fn hint(requests: u64, tokens: u64) -> RateLimitHint {
    let left = |n| Some(Allowance { remaining: Some(n), reset: Some(SECOND), ..Allowance::default() });
    RateLimitHint { requests: left(requests), tokens: left(tokens) }
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_reports_of_the_limits_is_kept() {
    let ask = async |hint: RateLimitHint, cached: bool| {
        let report = Report { limits: Some(Arc::new(hint)), cached, ..Report::default() };
        let backend = executor_fn(move |_, _| {
            let report = report.clone();
            Box::pin(async move { Ok(Response::full(Output::default()).with_report(report)) })
        });
        let adaptive = adaptive(|_| {});
        let pipeline = Pipeline::new(backend).with(adaptive.clone());
        drop(pipeline.execute(unary(), &context()).await.unwrap());
        adaptive.stats().limit
    };
    assert_eq!(ask(hint(4, 9), false).await, 4);
    assert_eq!(ask(hint(4, 0), false).await, 1, "no tokens are left");
    assert_eq!(ask(hint(4, 9), true).await, 10, "what was kept says nothing about now");
    assert_eq!(ask(RateLimitHint::default(), false).await, 10);
}

#[test]
fn configuration_is_read_strictly_and_checked() {
    let config: ConcurrencyConfig = serde_json::from_str(r#"{"limit": 5, "wait": "1s"}"#).unwrap();
    assert_eq!((config.limit, config.queue, config.wait), (5, 100, SECOND));
    assert!(serde_json::from_str::<ConcurrencyConfig>(r#"{"limits": 5}"#).is_err());
    assert!(serde_json::from_str::<AdaptiveConfig>(r#"{"minimum": 5}"#).is_err());
    let wrong = ConcurrencyConfig { limit: 0, queue: 1, wait: Duration::ZERO };
    let paths: Vec<_> = ConcurrencyLimit::new(wrong).unwrap_err().into_iter().map(|e| e.path).collect();
    assert_eq!(paths, ["limit", "wait"]);
    let wrong = AdaptiveConfig {
        min: 9,
        max: 5,
        initial: 20,
        queue: 1,
        wait: Duration::ZERO,
        window: Duration::ZERO,
        samples: 0,
        tolerance: 0.5,
        backoff: f64::NAN,
    };
    let paths: Vec<_> = AdaptiveLimit::new(wrong).unwrap_err().into_iter().map(|e| e.path).collect();
    assert_eq!(paths, ["samples", "min", "initial", "window", "wait", "tolerance", "backoff"]);
}
