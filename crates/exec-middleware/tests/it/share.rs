//! One call for all who ask the same at once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exec_core::testing::{Answer, Script};
use exec_core::{
    Chunk, Context, Error, ErrorKind, Executor, Handover, Operation, Options, Output, Pipeline, Report,
    Request, Response, Result, Reuse, Summary, executor_fn,
};
use exec_middleware::{Cache, CacheConfig};
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use tokio::task::JoinSet;

use crate::stress::Random;
use crate::{around, streamed, unary};

const MILLI: Duration = Duration::from_millis(1);

fn cache() -> Cache {
    Cache::new(CacheConfig::default()).unwrap()
}

async fn text(pipeline: &Pipeline, request: Request, context: &Context) -> Result<String> {
    Ok(pipeline.execute(request, context).await?.collect().await?.text())
}

/// Twenty words, one every 50 ms, the first after a second.
fn slow_stream() -> Answer {
    let words = (0..20).fold(Answer::cut(&[]).after(1000 * MILLI), |answer, n| {
        answer.pause(50 * MILLI).chunk(Chunk::Text(format!("{n} ")))
    });
    words.chunk(Chunk::End(Summary::default()))
}

fn whole() -> String {
    (0..20).map(|n| format!("{n} ")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_equal_requests_at_any_time_are_one_call() {
    let (script, cache) = (Script::new("a", [slow_stream()]), cache());
    let pipeline = around(&script, cache.clone());
    let mut random = Random(7);
    let calls = (0..1_000).map(|_| {
        let (pipeline, wait) = (pipeline.clone(), random.below(4_000) as u32);
        async move {
            tokio::time::sleep(wait * MILLI).await;
            text(&pipeline, streamed(), &Context::new("1")).await.unwrap()
        }
    });
    let texts = join_all(calls).await;
    assert!(texts.iter().all(|text| *text == whole()));
    let stats = cache.stats();
    assert_eq!((script.calls(), stats.misses, stats.in_flight), (1, 1, 0));
    assert!(stats.hits > 100 && stats.coalesced > 100, "{stats:?}");
    assert_eq!(stats.hits + stats.coalesced + stats.misses, 1_000);
}

#[tokio::test(start_paused = true)]
async fn the_first_caller_may_leave_at_any_moment() {
    for leaves in [10, 999, 1_049, 1_051, 1_500, 1_990] {
        let (script, cache) = (Script::new("a", [slow_stream()]), cache());
        let pipeline = around(&script, cache.clone());
        let context = Context::new("1");
        let leader = tokio::time::timeout(leaves * MILLI, text(&pipeline, streamed(), &context));
        let follower = async {
            tokio::time::sleep(5 * MILLI).await;
            text(&pipeline, streamed(), &Context::new("2")).await.unwrap()
        };
        let (left, followed) = tokio::join!(leader, follower);
        assert!(left.is_err() && followed == whole(), "{leaves}");
        let stats = cache.stats();
        assert_eq!((script.calls(), script.open(), stats.stored, stats.in_flight), (1, 0, 1, 0), "{leaves}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_all_have_left_the_call_ends() {
    let (script, cache) = (Script::new("a", [slow_stream()]), cache());
    let pipeline = around(&script, cache.clone());
    for limit in [10, 1_500] {
        let context = Context::new("1");
        let calls =
            (0..10).map(|_| tokio::time::timeout(limit * MILLI, text(&pipeline, streamed(), &context)));
        assert!(join_all(calls).await.iter().all(std::result::Result::is_err));
        assert_eq!((script.open(), cache.stats().in_flight, cache.stats().stored), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn each_waiter_keeps_its_own_deadline_and_cancellation() {
    let (script, cache) = (Script::new("a", [slow_stream()]), cache());
    let pipeline = around(&script, cache);
    let hasty = Context::new("1").with_timeout(500 * MILLI);
    let patient = Context::new("2").with_timeout(60_000 * MILLI);
    let middling = Context::new("3").with_timeout(1_500 * MILLI);
    let cancelled = Context::new("4");
    let cancel = async {
        tokio::time::sleep(1_200 * MILLI).await;
        cancelled.cancel();
    };
    let (hasty, patient, middling, cancelled, ()) = tokio::join!(
        text(&pipeline, streamed(), &hasty),
        text(&pipeline, streamed(), &patient),
        text(&pipeline, streamed(), &middling),
        text(&pipeline, streamed(), &cancelled),
        cancel
    );
    assert_eq!(hasty.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(middling.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!((patient.unwrap(), script.calls()), (whole(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_everybodys_once_and_nobodys_later() {
    let answer = Answer::error(ErrorKind::Upstream).after(20 * MILLI);
    let (script, cache) = (Script::new("a", [answer, Answer::text("x")]), cache());
    let pipeline = around(&script, cache);
    let context = Context::new("1");
    let failed = join_all((0..100).map(|_| text(&pipeline, unary(), &context))).await;
    assert!(failed.into_iter().all(|answer| answer.unwrap_err().kind() == ErrorKind::Upstream));
    assert_eq!(script.calls(), 1);
    assert_eq!((text(&pipeline, unary(), &context).await.unwrap(), script.calls()), ("x".into(), 2));
}

#[tokio::test(start_paused = true)]
async fn a_panic_reaches_its_caller_and_poisons_nothing() {
    let broken = Answer::cut(&["a"]).pause(10 * MILLI).then_panic();
    for broken in [Answer::panic().after(10 * MILLI), broken] {
        let (script, cache) = (Script::new("a", [broken, Answer::stream(&["x"])]), cache());
        let pipeline = around(&script, cache.clone());
        let context = Context::new("1");
        let calls = (0..10).map(|_| AssertUnwindSafe(text(&pipeline, streamed(), &context)).catch_unwind());
        let ends = join_all(calls).await;
        let panics = ends.iter().filter(|end| end.is_err()).count();
        let told = ends
            .iter()
            .flatten()
            .filter(|end| end.as_ref().is_err_and(|error| error.code() == "shared_call_broke"));
        assert_eq!((panics, told.count(), script.calls()), (1, 9, 1));
        assert_eq!(
            (text(&pipeline, streamed(), &context).await.unwrap(), cache.stats().in_flight),
            ("x".into(), 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tenants_shapes_and_refreshers_do_not_share() {
    let (script, cache) = (Script::new("a", [slow_stream()]), cache());
    let pipeline = around(&script, cache);
    let refresh = Options { stream: true, cache: exec_core::CachePolicy::Refresh, ..Options::default() };
    let (a, b) = (Context::new("1").with_tenant("a"), Context::new("1").with_tenant("b"));
    let refreshed = async {
        tokio::time::sleep(5 * MILLI).await;
        text(&pipeline, unary().with_options(refresh), &a).await
    };
    let joins_the_refreshed = async {
        tokio::time::sleep(6 * MILLI).await;
        text(&pipeline, streamed(), &a).await
    };
    let _ = tokio::join!(
        text(&pipeline, streamed(), &a),
        text(&pipeline, streamed(), &b),
        text(&pipeline, unary(), &a),
        refreshed,
        joins_the_refreshed
    );
    assert_eq!(script.calls(), 4);
}

/// So many pieces of 100 bytes, one every millisecond.
fn long(pieces: usize) -> Answer {
    let piece = "x".repeat(100);
    let all =
        (0..pieces).fold(Answer::cut(&[]), |answer, _| answer.pause(MILLI).chunk(Chunk::Text(piece.clone())));
    all.chunk(Chunk::End(Summary::default()))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_grown_too_long_is_not_joined_and_holds_no_more_than_it_may() {
    let script = Script::new("a", [long(200)]);
    let config = CacheConfig { max_entry_bytes: 4_096, ..CacheConfig::default() };
    let cache = Cache::new(config).unwrap();
    let pipeline = around(&script, cache.clone());
    let context = Context::new("1");
    let mut slow = pipeline.execute(streamed(), &context).await.unwrap().into_chunks();
    let early = text(&pipeline, streamed(), &context);
    let late = async {
        tokio::time::sleep(100 * MILLI).await;
        text(&pipeline, streamed(), &context).await
    };
    let (early, late) = tokio::join!(early, late);
    assert_eq!((early.unwrap().len(), late.unwrap().len(), script.calls()), (20_000, 20_000, 2));
    let lagged = slow.next().await.unwrap().unwrap_err();
    assert_eq!(lagged.code(), "shared_call_lagged");
    assert_eq!((cache.stats().stored, cache.stats().refused), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_is_slow_holds_up_nobody_and_misses_nothing() {
    let (script, cache) = (Script::new("a", [slow_stream()]), cache());
    let pipeline = around(&script, cache);
    let context = Context::new("1");
    let mut slow = pipeline.execute(streamed(), &context).await.unwrap().into_chunks();
    let before = tokio::time::Instant::now();
    let fast = pipeline.execute(streamed(), &context).await.unwrap();
    assert_eq!(fast.report.reuse, Some(Reuse::Coalesced));
    assert_eq!(fast.collect().await.unwrap().text(), whole());
    assert!(before.elapsed() <= 1_100 * MILLI);
    let mut words = 0;
    while let Some(chunk) = slow.next().await {
        words += usize::from(matches!(chunk.unwrap(), Chunk::Text(_)));
    }
    assert_eq!((words, script.open()), (20, 0));
}

/// Counts what is alive.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers the number of the request, whole or in pieces; every tenth call fails.
fn backend(alive: &Arc<AtomicUsize>) -> impl Executor {
    let (alive, calls) = (alive.clone(), AtomicUsize::new(0));
    executor_fn(move |request: Request, _| {
        alive.fetch_add(1, Ordering::SeqCst);
        let held = Alive(alive.clone());
        let mut random = Random(calls.fetch_add(1, Ordering::SeqCst) as u64);
        Box::pin(async move {
            let number = request.input.value()?["n"].to_string();
            for _ in 0..random.below(4) {
                tokio::task::yield_now().await;
            }
            match random.below(10) {
                0 => Err(Error::new(ErrorKind::Upstream, "as the seed says")),
                1..5 => Ok(Response::full(Output::text_of(number))),
                _ => {
                    let words =
                        [Chunk::Text(number), Chunk::Text(String::new()), Chunk::End(Summary::default())];
                    Ok(Response::stream(stream::iter(words).then(move |chunk| {
                        let _held = &held;
                        async move {
                            tokio::task::yield_now().await;
                            Ok(chunk)
                        }
                    })))
                }
            }
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_callers_who_leave_gets_true_answers_and_leaves_nothing() {
    let alive = Arc::new(AtomicUsize::new(0));
    let config = CacheConfig {
        operations: vec![Operation::from("number")],
        ttl: Duration::from_nanos(1),
        ..CacheConfig::default()
    };
    let cache = Cache::new(config).unwrap();
    let pipeline = Pipeline::new(backend(&alive)).with(cache.clone());
    let mut all = JoinSet::new();
    for task in 0..64 {
        let pipeline = pipeline.clone();
        all.spawn(async move {
            let mut random = Random(task);
            for _ in 0..200 {
                let n = random.below(8);
                let request = Request::new(Operation::from("number"), json!({"n": n}));
                let request =
                    request.with_options(Options { stream: random.below(2) == 0, ..Options::default() });
                let context = Context::new("1");
                let mut call = Box::pin(text(&pipeline, request, &context));
                if random.below(3) > 0 {
                    match call.await {
                        Ok(text) => assert_eq!(text, n.to_string()),
                        Err(error) => assert_eq!(error.message(), "as the seed says"),
                    }
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
    let stats = cache.stats();
    assert_eq!((stats.in_flight, alive.load(Ordering::SeqCst)), (0, 0), "{stats:?}");
    assert!(stats.coalesced > 100 && stats.misses > 100, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_of_one_provider_or_stands_in_is_not_kept() {
    let handover = Handover { report: Report::default(), anew: true };
    let taken_over = Answer::cut(&["half"])
        .chunk(Chunk::Handover(Box::new(handover)))
        .chunk(Chunk::Text("whole".to_owned()))
        .chunk(Chunk::End(Summary::default()));
    let script = Script::new("a", [taken_over]);
    let pipeline = around(&script, cache());
    for calls in 1..=2 {
        assert_eq!(text(&pipeline, streamed(), &Context::new("1")).await.unwrap(), "whole");
        assert_eq!(script.calls(), calls);
    }
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let stand_in = executor_fn(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        let report = Report { degraded: true, ..Report::default() };
        Box::pin(async { Ok(Response::full(Output::text_of("later")).with_report(report)) })
    });
    let pipeline = Pipeline::new(stand_in).with(cache());
    for n in 1..=2 {
        assert_eq!(text(&pipeline, unary(), &Context::new("1")).await.unwrap(), "later");
        assert_eq!(calls.load(Ordering::SeqCst), n);
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_begin_anew_or_wants_no_fallback_shares_with_nobody_who_does() {
    let script = Script::new("a", [slow_stream()]);
    let pipeline = around(&script, cache());
    let plain = Options { stream: true, ..Options::default() };
    let restartable = Options { restartable: true, ..plain.clone() };
    let alone = Options { no_fallback: true, ..plain.clone() };
    let context = Context::new("1");
    let asked =
        [plain, restartable, alone].map(|options| text(&pipeline, unary().with_options(options), &context));
    assert!(join_all(asked).await.into_iter().all(|text| text.unwrap() == whole()));
    assert_eq!(script.calls(), 3);
}
