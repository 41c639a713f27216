//! Figures that are true whatever becomes of a call, and events for those who want them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Chunk, Context, Cost, ErrorKind, Event, EventSink, Executor, Middleware, Money, Pipeline, Summary, Usage,
};
use exec_middleware::{
    BreakerConfig, CircuitBreaker, ConcurrencyConfig, ConcurrencyLimit, EventBus, Hedge, HedgeConfig,
    Metrics, MetricsConfig, Retry, RetryConfig, Trace,
};
use futures_util::{FutureExt, StreamExt};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tokio::task::JoinSet;

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

fn some(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(MetricsConfig::default()).unwrap()
}

fn context() -> Context {
    Context::new("1")
}

/// What `call` records, by name and labels; of histograms how many.
fn recorded(call: impl AsyncFnOnce()) -> BTreeMap<String, f64> {
    let recorder = DebuggingRecorder::new();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(call()));
    let all = recorder.snapshotter().snapshot().into_vec().into_iter();
    all.map(|(key, _, _, value)| {
        let labels: Vec<_> =
            key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(n) => n as f64,
            DebugValue::Gauge(n) => n.into_inner(),
            DebugValue::Histogram(samples) => samples.len() as f64,
        };
        (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
    })
    .collect()
}

#[test]
fn what_an_exporter_sees() {
    let found = recorded(async || {
        let summary = Summary {
            usage: Some(Usage { input: 7, output: 3, ..Usage::default() }),
            cost: Some(Cost { input: Money::micros(5), output: Money::micros(6) }),
            ..Summary::default()
        };
        let answer = Answer::cut(&["a"]).chunk(Chunk::End(summary));
        let script = Script::new("s", [Answer::error(ErrorKind::Overloaded), answer, Answer::hang()]);
        let retry = Retry::new(RetryConfig::default()).unwrap();
        let pipeline = Pipeline::around(script).with(metrics()).with(retry);
        pipeline.execute(streamed(), &context()).await.unwrap().collect().await.unwrap();
        assert!(pipeline.execute(unary(), &context()).now_or_never().is_none());
    });
    let expected = [
        ("exec_call_duration_seconds{operation=chat,model=m}", 1.0),
        ("exec_calls_in_flight{}", 0.0),
        ("exec_calls_total{operation=chat,model=m,outcome=cancelled}", 1.0),
        ("exec_calls_total{operation=chat,model=m,outcome=completed}", 1.0),
        ("exec_cost_micros_total{model=m}", 11.0),
        ("exec_first_content_seconds{operation=chat,model=m}", 1.0),
        ("exec_retries_total{kind=overloaded}", 1.0),
        ("exec_tokens_total{model=m,direction=input}", 7.0),
        ("exec_tokens_total{model=m,direction=output}", 3.0),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test(start_paused = true)]
async fn every_outcome_is_counted_once_and_no_gauge_stays_up() {
    let metrics = metrics();
    let none =
        ConcurrencyLimit::new(ConcurrencyConfig { limit: 1, queue: 0, ..ConcurrencyConfig::default() })
            .unwrap();
    let script = Script::new(
        "s",
        [
            Answer::text("a"),
            Answer::error(ErrorKind::Upstream),
            Answer::cut(&["a"]),
            Answer::error(ErrorKind::RateLimited),
            Answer::cut(&["a"]).stall(),
            Answer::hang(),
        ],
    );
    let pipeline = Pipeline::around(script).with(metrics.clone()).with(none.clone());
    for _ in 0..4 {
        if let Ok(response) = pipeline.execute(streamed(), &context()).await {
            let _ = response.collect().await;
        }
    }
    let mut body = pipeline.execute(streamed(), &context()).await.unwrap().into_chunks();
    body.next().await.unwrap().unwrap();
    assert_eq!(metrics.snapshot().in_flight, 1);
    pipeline.execute(streamed(), &context()).await.unwrap_err();
    drop(body);
    assert!(pipeline.execute(streamed(), &context()).now_or_never().is_none());
    drop(pipeline.execute(streamed(), &context()));
    let seen = metrics.snapshot();
    let counts = [seen.calls, seen.in_flight, seen.completed, seen.failed, seen.rejected, seen.cancelled];
    assert_eq!(counts, [7, 0, 1, 3, 1, 2], "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_no_gauge_up() {
    let metrics = metrics();
    let pipeline = around(&Script::new("s", [Answer::panic()]), metrics.clone());
    let context = context();
    let call = std::panic::AssertUnwindSafe(pipeline.execute(unary(), &context)).catch_unwind();
    assert!(call.await.is_err());
    assert_eq!((metrics.snapshot().in_flight, metrics.snapshot().cancelled), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn it_hears_what_guards_do_and_hides_nothing_from_others() {
    let (metrics, others) = (metrics(), Arc::new(Recorder::default()));
    let breaker =
        CircuitBreaker::new(BreakerConfig { failures: Some(1), ..BreakerConfig::default() }).unwrap();
    let script = Script::new("s", [Answer::hang(), Answer::text("b"), Answer::error(ErrorKind::Unavailable)]);
    let pipeline = Pipeline::around(script)
        .with(Trace)
        .with(metrics.clone())
        .with(Hedge::new(HedgeConfig::default()).unwrap())
        .with(breaker);
    let context = context().with_events(others.clone());
    for _ in 0..3 {
        let _ = pipeline.execute(unary(), &context).await;
    }
    let seen = metrics.snapshot();
    assert_eq!((seen.hedged, seen.completed, seen.failed, seen.rejected), (1, 1, 1, 1), "{seen:?}");
    let names = others.names();
    for (name, times) in [("started", 3), ("hedged", 1), ("breaker_changed", 1), ("shed", 1), ("ended", 3)] {
        assert_eq!(names.iter().filter(|told| **told == name).count(), times, "{name} in {names:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn times_are_kept_for_models_that_answer_and_for_no_more_than_allowed() {
    let metrics = Metrics::new(MetricsConfig { labels: 2 }).unwrap();
    let answer = Answer::text("a").after(SECOND);
    let pipeline = around(&Script::new("s", [Answer::error(ErrorKind::NotFound), answer]), metrics.clone());
    for model in ["invented", "a", "a", "b", "c", "d"] {
        let _ = pipeline.execute(unary().with_model(model), &context()).await;
    }
    let models = metrics.snapshot().models;
    let answered: Vec<_> = models.iter().map(|model| (&*model.model, model.answered)).collect();
    assert_eq!(answered, [("a", 2), ("b", 1), ("other", 2)]);
    for model in models {
        assert!((SECOND..SECOND * 33 / 32).contains(&model.first_content.p50) && model.whole.p99 >= SECOND);
    }
    assert!(Metrics::new(MetricsConfig { labels: 0 }).is_err());
}

fn tell(bus: &EventBus, events: usize) {
    (0..events).for_each(|_| bus.emit(&context(), &Event::CacheHit));
}

#[tokio::test]
async fn who_is_slow_loses_their_own_oldest_and_nobody_elses() {
    let bus = EventBus::new();
    let (mut slow, mut quick) = (bus.subscribe(some(2)).unwrap(), bus.subscribe(some(100)).unwrap());
    bus.emit(&context(), &Event::CacheMiss);
    tell(&bus, 4);
    bus.emit(&Context::new("2").with_tenant("t"), &Event::Coalesced);
    let names =
        |told: Vec<Arc<exec_middleware::Told>>| told.iter().map(|told| told.event.name()).collect::<Vec<_>>();
    let mut read = Vec::new();
    while let Some(told) = slow.try_next() {
        read.push(told);
    }
    assert_eq!((&*read[1].id, read[1].tenant.as_deref()), ("2", Some("t")));
    assert_eq!((names(read), slow.lost()), (vec!["cache_hit", "coalesced"], 4));
    drop(bus);
    let read: Vec<_> = (&mut quick).collect().await;
    assert_eq!((read.len(), quick.lost()), (6, 0), "and the bus is gone");
}

#[tokio::test]
async fn who_leaves_is_told_nothing_and_who_panics_harms_nobody() {
    let bus = EventBus::new();
    let broken = bus.subscribe_to(some(9), |_| std::panic::resume_unwind(Box::new("as told"))).unwrap();
    let mut hits = bus.subscribe_to(some(9), |event| *event == Event::CacheHit).unwrap();
    bus.emit(&context(), &Event::CacheMiss);
    tell(&bus, 1);
    assert_eq!((hits.next().await.unwrap().event.name(), hits.try_next()), ("cache_hit", None));
    drop((broken, hits));
    assert_eq!(bus.subscribers(), 0);
    let mut many: Vec<_> = (0..256).map(|_| bus.subscribe(some(1)).unwrap()).collect();
    assert_eq!(bus.subscribe(some(1)).unwrap_err().kind(), ErrorKind::Overloaded);
    many.pop();
    assert!(bus.subscribe(some(1)).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_event_is_read_or_counted_as_lost() {
    const TELLERS: usize = 8;
    const EACH: usize = 500;
    let bus = EventBus::new();
    let mut readers = JoinSet::new();
    for most in [1, 10, 10_000] {
        let mut events = bus.subscribe(some(most)).unwrap();
        readers.spawn(async move {
            let mut read = 0;
            while events.next().await.is_some() {
                read += 1;
            }
            (most, read, events.lost())
        });
    }
    let mut tellers = JoinSet::new();
    for _ in 0..TELLERS {
        let bus = bus.clone();
        tellers.spawn(async move {
            for n in 0..EACH {
                tell(&bus, 1);
                if n % 50 == 0 {
                    drop(bus.subscribe(some(1)));
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    tellers.join_all().await;
    drop(bus);
    for (most, read, lost) in readers.join_all().await {
        assert_eq!(read + lost, (TELLERS * EACH) as u64, "{most}");
        assert!(most < 10_000 || lost == 0);
    }
}

#[test]
fn the_names_are_those_a_pipeline_shows() {
    assert_eq!(metrics().name(), "metrics");
}
