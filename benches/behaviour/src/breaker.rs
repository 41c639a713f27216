//! Circuit breakers in half-open: who is let in, and what results of others do.

mod contestants;

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, LocalBoxFuture};
use tokio::sync::oneshot;

use self::contestants::Contestant;
use crate::row::{Count, Result, Row, ensure, really, virtually};

const GUARD: &str = "breaker";
/// Breakers stay open for so long.
const OPEN: Duration = Duration::from_millis(200);
/// Longer than that, whatever the machine does.
const LATER: Duration = Duration::from_millis(300);

/// A call that failed.
#[derive(Debug)]
struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Failed {}

/// What is guarded.
type Work = BoxFuture<'static, std::result::Result<(), Failed>>;
/// The same with the guard around it.
type Call = BoxFuture<'static, Told>;

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    Failed,
    Refused,
}

type Probe = for<'a> fn(&'a Contestant) -> LocalBoxFuture<'a, Result<usize>>;

/// The situation, how to make it, and what we promise.
const PROBES: [(&str, Probe, &str); 7] = [
    ("half-open, 1000 callers at once: calls begun", |it| many(it).boxed_local(), "3"),
    ("one probe under way, 50 more callers: calls begun", |it| late(it, 0, Told::Done).boxed_local(), "2"),
    (
        "the same after 5 successes of calls begun before it opened",
        |it| late(it, 5, Told::Done).boxed_local(),
        "2",
    ),
    (
        "the same after 5 failures of calls begun before it opened",
        |it| late(it, 5, Told::Failed).boxed_local(),
        "2",
    ),
    ("20 probes cancelled in turn, then 50 callers: calls begun", |it| cancelled(it).boxed_local(), "3"),
    (
        "3 probes that never end, 10 open times later 50 callers: calls begun",
        |it| stuck(it).boxed_local(),
        "3",
    ),
    ("20 calls that panic, then 50 callers: calls begun", |it| ready(panicking(it)).boxed_local(), "0"),
];

pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, probe, promised) in PROBES {
        let saw = virtually(async { probe(&contestants::ours()?).await })?;
        rows.push(Row::ours(GUARD, name, saw.to_string(), promised)?);
        for (who, make) in contestants::RIVALS {
            let saw = really()?.block_on(async { probe(&make()?).await });
            let saw = saw.map_err(|error| format!("{who}: {name}: {error}"))?;
            rows.push(Row::new(GUARD, name, who, saw.to_string()));
        }
    }
    Ok(rows)
}

/// Calls that were begun at once and do not end.
struct Begun {
    begun: usize,
    /// Held, because a dropped call is a cancelled one.
    _calls: Vec<Call>,
}

fn begin(breaker: &Contestant, calls: usize) -> Begun {
    let count = Count::default();
    let mut calls: Vec<Call> = (0..calls)
        .map(|_| {
            let count = count.clone();
            let work = async move {
                count.one();
                pending().await
            };
            breaker.call(work.boxed())
        })
        .collect();
    for call in &mut calls {
        let _waits_or_is_refused = step(call);
    }
    Begun { begun: count.get(), _calls: calls }
}

/// Lets a call run until it waits.
fn step(call: &mut Call) -> Poll<Told> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets calls fail until one is refused: it is open then.
async fn trip(breaker: &Contestant) -> Result {
    for _ in 0..20 {
        if breaker.call(async { Err(Failed) }.boxed()).await == Told::Refused {
            return Ok(());
        }
    }
    Err("20 failures did not open it".into())
}

/// Opens it and waits until it tries again. No result has come since, so it cannot be closed.
async fn half_open(breaker: &Contestant) -> Result {
    trip(breaker).await?;
    tokio::time::sleep(LATER).await;
    Ok(())
}

async fn many(breaker: &Contestant) -> Result<usize> {
    half_open(breaker).await?;
    Ok(begin(breaker, 1000).begun)
}

/// `old` calls that began while it was closed end as `told` while a probe is under way.
async fn late(breaker: &Contestant, old: usize, told: Told) -> Result<usize> {
    let (mut ends, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..old {
        let (end, ended) = oneshot::channel();
        let mut call = breaker.call(async move { ended.await.unwrap_or(Err(Failed)) }.boxed());
        ensure(step(&mut call).is_pending(), || "it was not closed".into())?;
        ends.push(end);
        calls.push(call);
    }
    half_open(breaker).await?;
    let probe = begin(breaker, 1);
    ensure(probe.begun == 1, || "no probe was let in".into())?;
    for (end, call) in ends.into_iter().zip(&mut calls) {
        let sent = end.send(if told == Told::Done { Ok(()) } else { Err(Failed) });
        ensure(sent.is_ok() && call.await == told, || "an old call was lost".into())?;
    }
    Ok(begin(breaker, 50).begun)
}

async fn cancelled(breaker: &Contestant) -> Result<usize> {
    half_open(breaker).await?;
    for n in 0..20 {
        let probe = begin(breaker, 1);
        ensure(probe.begun == 1, || format!("probe {n} was not let in"))?;
    }
    Ok(begin(breaker, 50).begun)
}

async fn stuck(breaker: &Contestant) -> Result<usize> {
    half_open(breaker).await?;
    let probes = begin(breaker, 3);
    ensure(probes.begun == 3, || format!("{} of 3 probes were let in", probes.begun))?;
    for _ in 0..2 {
        tokio::time::sleep(5 * OPEN).await;
        // Somebody asks now and then, and is cancelled if it is let in.
        begin(breaker, 1);
    }
    Ok(begin(breaker, 50).begun)
}

fn panicking(breaker: &Contestant) -> Result<usize> {
    let mut panics = 0;
    for _ in 0..20 {
        let mut call = breaker.call(async { resume_unwind(Box::new("told to panic")) }.boxed());
        panics += usize::from(catch_unwind(AssertUnwindSafe(|| step(&mut call))).is_err());
    }
    ensure(panics >= 5, || format!("only {panics} calls panicked"))?;
    Ok(begin(breaker, 50).begun)
}
