//! Hedges: a second call beside a slow one.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{
    Chat, Context, Error, ErrorKind, Executor, Output, Pipeline, Request, Response, executor_fn,
};
use exec_middleware::{Hedge, HedgeConfig};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

use crate::row::{Count, Result, Row, ensure, made, virtually};

const GUARD: &str = "hedge";
const TOWER: &str = "tower `hedge`";
/// What a call usually takes.
const USUAL: Duration = Duration::from_millis(10);
const SLOW: Duration = Duration::from_millis(100);
const LEARNED: usize = 100;

const STUCK: &str = "calls take 10 ms, one never ends: calls made of it, answered within 50 ms";
const FAILING: &str = "the second call fails at once, the first would be answered: answered";
const STORM: &str = "100 callers at once while everything takes ten times as long: calls made beyond theirs";

pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, acts, callers, promised) in
        [(STUCK, stuck as Acts, 1, "2, yes"), (FAILING, failing, 1, "yes"), (STORM, storm, LEARNED, "11")]
    {
        let told = |seen: Seen| match name {
            STUCK => format!("{}, {}", seen.calls, yes(seen.answered == 1 && seen.took <= SLOW / 2)),
            FAILING => yes(seen.answered == 1).to_owned(),
            _ => (seen.calls - callers).to_string(),
        };
        let seen = virtually(ours(acts, callers))?;
        rows.push(Row::ours(GUARD, name, told(seen), promised)?);
        rows.push(Row::new(GUARD, name, TOWER, told(virtually(rival(acts, callers))?)));
    }
    Ok(rows)
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// What the n-th call does: how long it takes, and whether it succeeds.
type Acts = fn(usize) -> (Duration, bool);

fn stuck(n: usize) -> (Duration, bool) {
    if n == 1 { (Duration::from_secs(3600), true) } else { (USUAL, true) }
}

fn failing(n: usize) -> (Duration, bool) {
    if n == 1 { (SLOW, true) } else { (Duration::ZERO, false) }
}

fn storm(_: usize) -> (Duration, bool) {
    (SLOW, true)
}

struct Seen {
    calls: usize,
    answered: usize,
    took: Duration,
}

/// What is called. The first [`LEARNED`] calls are usual.
#[derive(Clone)]
struct Backend {
    acts: Acts,
    usual: usize,
    calls: Count,
}

impl Backend {
    async fn call(self) -> std::result::Result<(), Error> {
        let n = self.calls.one();
        let (takes, succeeds) = if n <= self.usual { (USUAL, true) } else { (self.acts)(n - self.usual) };
        sleep(takes).await;
        if succeeds { Ok(()) } else { Err(Error::new(ErrorKind::Overloaded, "told to fail")) }
    }
}

async fn ours(acts: Acts, callers: usize) -> Result<Seen> {
    let backend = Backend { acts, usual: LEARNED, calls: Count::default() };
    let same = backend.clone();
    let last = executor_fn(move |_: Request, _: &Context| {
        let call = same.clone().call();
        async move { call.await.map(|()| Response::full(Output::default())) }.boxed()
    });
    let pipeline = Arc::new(Pipeline::new(last).with(made(Hedge::new(HedgeConfig::default()))?));
    let ask = || {
        let pipeline = pipeline.clone();
        async move { pipeline.execute(Request::chat(Chat::user("hi")), &Context::new("1")).await.is_ok() }
    };
    for _ in 0..LEARNED {
        ensure(ask().await, || "a usual call failed".into())?;
    }
    ensure(backend.calls.get() == LEARNED, || "a usual call was hedged".into())?;
    seen(&backend, (0..callers).map(|_| ask().boxed()).collect()).await
}

/// Asks all of `calls` at once.
async fn seen(backend: &Backend, calls: Vec<BoxFuture<'_, bool>>) -> Result<Seen> {
    let (before, start) = (backend.calls.get(), Instant::now());
    let answered = join_all(calls).await.into_iter().filter(|ok| *ok).count();
    Ok(Seen { calls: backend.calls.get() - before, answered, took: start.elapsed() })
}

/// Everything may be hedged.
#[derive(Clone)]
struct Always;

impl tower::hedge::Policy<()> for Always {
    fn clone_request(&self, (): &()) -> Option<()> {
        Some(())
    }

    fn can_retry(&self, (): &()) -> bool {
        true
    }
}

/// It knows the latencies of as many usual calls, and hedges at the same quantile.
async fn rival(acts: Acts, callers: usize) -> Result<Seen> {
    let backend = Backend { acts, usual: 0, calls: Count::default() };
    let same = backend.clone();
    let service = tower::service_fn(move |()| same.clone().call());
    let minute = Duration::from_secs(60);
    let mut hedge =
        tower::hedge::Hedge::new_with_mock_latencies(service, Always, 50, 0.9, minute, &[10; LEARNED]);
    let mut calls = Vec::new();
    for _ in 0..callers {
        calls.push(hedge.ready().await?.call(()).map(|answer| answer.is_ok()).boxed());
    }
    seen(&backend, calls).await
}
