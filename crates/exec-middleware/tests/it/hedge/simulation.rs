//! A backend with a slow tail, from a seed, and many cancelled calls on several threads.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use exec_core::{Output, Summary};
use futures_util::stream;
use tokio::task::JoinSet;

use super::*;
use crate::stress::Random;

const CALLS: u64 = 20_000;
const A_SECOND: u64 = 50;

/// Begins to answer after 200 to 400 ms, or in one of twenty calls after 5 s.
fn slow_tail(seed: u64, calls: Arc<AtomicU64>) -> impl Executor {
    executor_fn(move |_, _| {
        let n = calls.fetch_add(1, Ordering::SeqCst);
        let mut random = Random(seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let wait = if random.below(100) < 5 { 5_000 } else { 200 + random.below(200) };
        let chunks = stream::iter([Chunk::Text("a".into()), Chunk::End(Summary::default())]);
        let chunks = stream::once(tokio::time::sleep(Duration::from_millis(wait)))
            .flat_map(move |()| chunks.clone().map(Ok));
        Box::pin(async move { Ok(Response::stream(chunks)) })
    })
}

/// How long the first content took of `CALLS` calls, `A_SECOND` of them begun in a second.
async fn run(pipeline: Pipeline) -> Vec<Duration> {
    let mut all = JoinSet::new();
    for n in 0..CALLS {
        let pipeline = pipeline.clone();
        all.spawn(async move {
            tokio::time::sleep(SECOND * (n as u32) / (A_SECOND as u32)).await;
            let (context, began) = (Context::new("1"), Instant::now());
            let mut body = pipeline.execute(streamed(), &context).await.unwrap().into_chunks();
            body.next().await.unwrap().unwrap();
            began.elapsed()
        });
    }
    let mut times = all.join_all().await;
    times.sort_unstable();
    times
}

#[tokio::test(start_paused = true)]
async fn a_slow_tail_is_halved_at_the_cost_of_a_twentieth() {
    let share = 0.05;
    let plain = run(Pipeline::new(slow_tail(7, Arc::default()))).await;
    let calls = Arc::new(AtomicU64::new(0));
    let hedge = Arc::new(Hedge::new(HedgeConfig { share, floor: 0, ..HedgeConfig::default() }).unwrap());
    let hedged = run(Pipeline::new(slow_tail(7, calls.clone())).with_shared(hedge.clone())).await;
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    let (before, after, extra) = (p99(&plain), p99(&hedged), calls.load(Ordering::SeqCst) - CALLS);
    assert!(after * 2 <= before, "{before:?} {after:?}");
    assert!(extra as f64 <= share * CALLS as f64 && extra == hedge.stats().sent, "{extra}");
}

/// Streams, fails, panics or takes its time, as the seed says.
fn unsteady(open: Arc<AtomicUsize>) -> impl Executor {
    struct Visit(Arc<AtomicUsize>);
    impl Drop for Visit {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let calls = AtomicU64::new(0);
    executor_fn(move |_, _| {
        open.fetch_add(1, Ordering::SeqCst);
        let (visit, mut random) = (Visit(open.clone()), Random(calls.fetch_add(1, Ordering::SeqCst)));
        Box::pin(async move {
            for _ in 0..random.below(20) {
                tokio::time::sleep(Duration::from_micros(100 * random.below(4))).await;
            }
            match random.below(10) {
                0 => std::panic::resume_unwind(Box::new("as the seed says")),
                1 => Err(Error::new(ErrorKind::Upstream, "as the seed says")),
                2 => Err(Error::new(ErrorKind::InvalidRequest, "as the seed says")),
                3..6 => Ok(Response::full(Output::default())),
                _ => {
                    let chunks =
                        stream::iter([Ok(Chunk::Text("a".into())), Ok(Chunk::End(Summary::default()))]);
                    Ok(Response::stream(chunks).on_end(move |_| drop(visit)))
                }
            }
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_left_of_races_that_were_won_lost_and_left() {
    let (open, money) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Budget::new(u32::MAX, Some(Money::micros(1 << 40)))));
    let limit = ConcurrencyConfig { limit: 60, queue: 10, ..ConcurrencyConfig::default() };
    let limit = ConcurrencyLimit::new(limit).unwrap();
    let hedge = Arc::new(hedge(|config| {
        config.max_hedges = 2;
        (config.delay, config.min_delay) = (Duration::from_millis(1), Duration::from_micros(100));
        (config.share, config.price_micros) = (1.0, Money::micros(1));
    }));
    let pipeline = Pipeline::new(unsteady(open.clone())).with_shared(hedge.clone()).with(limit.clone());
    let mut all = JoinSet::new();
    for task in 0..32 {
        let (pipeline, money) = (pipeline.clone(), money.clone());
        all.spawn(async move {
            let mut random = Random(task);
            for _ in 0..40 {
                let context = Context::new("1").with_budget(money.clone());
                let call = async { pipeline.execute(streamed(), &context).await?.collect().await };
                let call = AssertUnwindSafe(call).catch_unwind();
                let patience = Duration::from_micros(random.below(4_000));
                let _ = tokio::time::timeout(patience, call).await;
            }
        });
    }
    all.join_all().await;
    let (stats, limited) = (hedge.stats(), limit.stats());
    assert_eq!((open.load(Ordering::SeqCst), limited.in_flight, limited.waiting), (0, 0, 0), "{limited:?}");
    assert!(stats.sent > 0 && stats.won > 0 && stats.sent <= 2 * stats.calls, "{stats:?}");
    let spent = (1 << 40) - money.money_left().unwrap().as_micros();
    // A hedge costs the two tokens' worth that was set aside, rounded up, or nothing.
    assert!(spent <= stats.sent, "{spent} {stats:?}");
}
