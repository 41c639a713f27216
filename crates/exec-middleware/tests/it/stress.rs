//! Guards on several threads, with calls that are cancelled, fail and panic as a seed says.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use exec_core::{
    Chunk, Context, Error, ErrorKind, Executor, Output, Pipeline, Response, Summary, executor_fn,
};
use exec_middleware::breaker::State;
use exec_middleware::{
    AdaptiveConfig, AdaptiveLimit, BreakerConfig, CircuitBreaker, ConcurrencyConfig, ConcurrencyLimit,
};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::task::JoinSet;

use crate::streamed;

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// How many are inside, and the most that ever were.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Visit(Arc<Inside>);

impl Inside {
    fn visit(self: &Arc<Self>) -> Visit {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Visit(self.clone())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers, streams, fails or panics after giving way a few times, as the seed says.
fn backend(inside: &Arc<Inside>, seed: u64) -> impl Executor {
    let (inside, calls) = (inside.clone(), AtomicU64::new(seed));
    executor_fn(move |_, _| {
        let (visit, mut random) = (inside.visit(), Random(calls.fetch_add(1, Ordering::SeqCst)));
        Box::pin(async move {
            for _ in 0..random.below(4) {
                tokio::task::yield_now().await;
            }
            match random.below(10) {
                // A panic without its report, of which there would be a thousand.
                0 => std::panic::resume_unwind(Box::new("as the seed says")),
                1 | 2 => Err(Error::new(ErrorKind::Upstream, "as the seed says")),
                3..6 => Ok(Response::full(Output::default())),
                _ => {
                    let chunks = stream::iter([Chunk::Text("a".into()), Chunk::End(Summary::default())]);
                    // The work is over when the end is told, not when its reader lets go of the body.
                    let mut visit = Some(visit);
                    Ok(Response::stream(chunks.then(move |chunk| {
                        let inside = if matches!(chunk, Chunk::End(_)) { visit.take() } else { None };
                        async move {
                            tokio::task::yield_now().await;
                            drop(inside);
                            Ok(chunk)
                        }
                    })))
                }
            }
        })
    })
}

/// Runs `tasks` of `calls` each and leaves every third of them somewhere in the middle.
async fn storm(pipeline: Pipeline, tasks: u64, calls: u64) {
    let mut all = JoinSet::new();
    for task in 0..tasks {
        let pipeline = pipeline.clone();
        all.spawn(async move {
            let mut random = Random(task);
            for _ in 0..calls {
                let context = Context::new("1");
                let call = async { pipeline.execute(streamed(), &context).await?.collect().await };
                let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
                if random.below(3) > 0 {
                    let _ = call.await;
                    continue;
                }
                for _ in 0..random.below(8) {
                    if call.as_mut().now_or_never().is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    all.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_than_the_limit_are_inside_and_none_is_left() {
    let inside = Arc::new(Inside::default());
    let config = ConcurrencyConfig { limit: 7, queue: 20, wait: Duration::from_secs(60) };
    let limit = ConcurrencyLimit::new(config).unwrap();
    storm(Pipeline::new(backend(&inside, 1)).with(limit.clone()), 64, 200).await;
    let stats = limit.stats();
    assert_eq!((stats.in_flight, stats.waiting, inside.now.load(Ordering::SeqCst)), (0, 0, 0), "{stats:?}");
    assert!(inside.most.load(Ordering::SeqCst) <= 7 && stats.peak == 7, "{stats:?}");
    assert!(stats.left > 0 && stats.full > 0 && stats.admitted > 0, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_changes_all_the_time_keeps_its_promise() {
    let inside = Arc::new(Inside::default());
    let config = ConcurrencyConfig { limit: 9, queue: 100, wait: Duration::from_secs(60) };
    let limit = ConcurrencyLimit::new(config).unwrap();
    let resizing = limit.clone();
    let mut resizer = JoinSet::new();
    resizer.spawn(async move {
        let mut random = Random(5);
        loop {
            let next = 1 + random.below(9);
            resizing.resize(next as u32);
            tokio::task::yield_now().await;
        }
    });
    storm(Pipeline::new(backend(&inside, 2)).with(limit.clone()), 32, 200).await;
    resizer.shutdown().await;
    let stats = limit.stats();
    assert_eq!((stats.in_flight, stats.waiting, inside.now.load(Ordering::SeqCst)), (0, 0, 0), "{stats:?}");
    assert!(inside.most.load(Ordering::SeqCst) <= 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_adaptive_limit_leaks_no_place() {
    let inside = Arc::new(Inside::default());
    let window = Duration::from_millis(1);
    let config = AdaptiveConfig { max: 12, initial: 4, window, queue: 50, ..AdaptiveConfig::default() };
    let limit = AdaptiveLimit::new(config).unwrap();
    storm(Pipeline::new(backend(&inside, 3)).with(limit.clone()), 64, 200).await;
    let stats = limit.stats();
    assert_eq!((stats.in_flight, stats.waiting, inside.now.load(Ordering::SeqCst)), (0, 0, 0), "{stats:?}");
    assert!(inside.most.load(Ordering::SeqCst) <= 12 && (1..=12).contains(&stats.limit), "{stats:?}");
}

fn half_open(probes: u32) -> CircuitBreaker {
    let breaker = CircuitBreaker::new(BreakerConfig {
        failures: Some(1),
        probes,
        success_rate: 1.0,
        open: Duration::from_nanos(1),
        ..BreakerConfig::default()
    })
    .unwrap();
    breaker.acquire().unwrap().failure();
    breaker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_so_many_probes_of_a_thousand_callers() {
    for probes in [1, 3, 10] {
        let breaker = half_open(probes);
        let inside = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let (started, waiting) = (inside.clone(), gate.clone());
        let backend = executor_fn(move |_, _| {
            started.fetch_add(1, Ordering::SeqCst);
            let waiting = waiting.clone();
            Box::pin(async move {
                let _permit = waiting.acquire().await;
                Ok(Response::full(Output::default()))
            })
        });
        let pipeline = Pipeline::new(backend).with(breaker.clone());
        let mut calls = JoinSet::new();
        for _ in 0..1_000 {
            let pipeline = pipeline.clone();
            calls.spawn(async move { pipeline.execute(streamed(), &Context::new("1")).await.is_ok() });
        }
        let mut refused = 0;
        while refused < 1_000 - probes {
            assert!(!calls.join_next().await.unwrap().unwrap(), "nobody answers yet");
            refused += 1;
        }
        assert_eq!((inside.load(Ordering::SeqCst), breaker.state()), (probes as usize, State::HalfOpen));
        gate.add_permits(1_000);
        assert!(calls.join_all().await.into_iter().all(|answered| answered));
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_probes_never_leave_it_stuck() {
    let breaker = half_open(3);
    let pipeline = Pipeline::new(executor_fn(|_, _| Box::pin(std::future::pending()))).with(breaker.clone());
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let pipeline = pipeline.clone();
        calls.spawn(async move {
            for _ in 0..2_500 {
                let context = Context::new("1");
                let _ = pipeline.execute(streamed(), &context).now_or_never();
            }
        });
    }
    calls.join_all().await;
    let stats = breaker.stats();
    assert_eq!((stats.state, stats.probes), (State::HalfOpen, 0), "{stats:?}");
    assert!(stats.unrecorded >= 10_000, "{stats:?}");
    for _ in 0..3 {
        breaker.acquire().unwrap().success();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transitions_are_told_once_and_in_order_by_whatever_thread() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = told.clone();
    let config =
        BreakerConfig { failures: Some(2), open: Duration::from_nanos(1), ..BreakerConfig::default() };
    let breaker = CircuitBreaker::new(config).unwrap();
    let breaker = breaker.with_listener(move |_, state| sink.lock().unwrap().push(state));
    let inside = Arc::new(Inside::default());
    let pipeline = Pipeline::new(backend(&inside, 4)).with(breaker.clone());
    for _ in 0..100 {
        storm(pipeline.clone(), 32, 100).await;
        if told.lock().unwrap().len() > 100 {
            break;
        }
    }
    let told = told.lock().unwrap();
    let opened = told.iter().filter(|state| **state == State::Open).count() as u64;
    assert!(told.len() > 100 && opened == breaker.stats().opened, "{} told, {opened} opened", told.len());
    for pair in told.windows(2) {
        let follows = matches!(
            pair,
            [State::Open, State::HalfOpen]
                | [State::HalfOpen, State::Open | State::Closed]
                | [State::Closed, State::Open]
        );
        assert!(follows, "{pair:?}");
    }
    assert_eq!(told.last(), Some(&breaker.state()));
    let stats = breaker.stats();
    assert!(stats.probes == 0 && inside.now.load(Ordering::SeqCst) == 0, "{stats:?}");
}
