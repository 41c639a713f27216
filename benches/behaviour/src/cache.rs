//! One load for all who ask the same at once: when it fails, panics, or who began it leaves.

mod contestants;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};

use self::contestants::{Contestant, Does, Loader};
use crate::row::{Result, Row, ensure, virtually};

const GUARD: &str = "cache";
const CALLERS: usize = 100;
/// A load takes so long.
const LOAD: Duration = Duration::from_millis(20);

const FAILING: &str = "100 callers, a load of 20 ms that fails: loads, and when the last caller knows";
const AFTER: &str = "the next caller after that: loads";
const LEAVING: &str =
    "100 callers, the first leaves after 10 ms: loads, and how many of the others are answered";
const PANIC: &str = "100 callers, the first load panics: the next caller is answered";
const OUTDATED: &str = "invalidated while it loads: what is kept afterwards";

pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut seen = |name, promised: &str, probe: &dyn Fn(Make) -> Result<String>| -> Result {
        rows.push(Row::ours(GUARD, name, probe(contestants::ours)?, promised)?);
        for (who, make) in contestants::RIVALS {
            rows.push(Row::new(GUARD, name, who, probe(make)?));
        }
        Ok(())
    };
    seen(FAILING, "1, 20 ms", &|make| virtually(async { Ok(failing(make).await?.0) }))?;
    seen(AFTER, "1", &|make| virtually(async { Ok(failing(make).await?.1) }))?;
    seen(LEAVING, "1, 99", &|make| virtually(leaving(make)))?;
    seen(PANIC, "yes", &|make| virtually(panicking(make)))?;
    seen(OUTDATED, "nothing old", &|make| virtually(outdated(make)))?;
    Ok(rows)
}

type Make = fn(Loader) -> Result<Contestant>;

/// So many callers, each asking once, one after the other.
async fn ask(cache: &Arc<Contestant>, callers: usize) -> JoinSet<Option<usize>> {
    let mut asking = JoinSet::new();
    for _ in 0..callers {
        let cache = cache.clone();
        asking.spawn(async move { cache.get().await });
        yield_now().await;
    }
    asking
}

async fn failing(make: Make) -> Result<(String, String)> {
    let loader = Loader::new(LOAD, Does::Fail);
    let cache = Arc::new(make(loader.clone())?);
    let start = Instant::now();
    let answered = ask(&cache, CALLERS).await.join_all().await.into_iter().flatten().count();
    ensure(answered == 0, || format!("{answered} callers had an answer from nowhere"))?;
    let (loads, took) = (loader.loads(), start.elapsed());
    ensure(cache.get().await.is_none(), || "a failure became an answer".into())?;
    Ok((format!("{loads}, {} ms", rounded(took, loads)), (loader.loads() - loads).to_string()))
}

/// The timer is exact to a millisecond, and may be late by one for each load.
fn rounded(took: Duration, loads: usize) -> u128 {
    let exact = LOAD * u32::try_from(loads).unwrap_or(u32::MAX);
    if took.abs_diff(exact) <= exact / 10 { exact.as_millis() } else { took.as_millis() }
}

async fn leaving(make: Make) -> Result<String> {
    let loader = Loader::new(LOAD, Does::Answer);
    let cache = Arc::new(make(loader.clone())?);
    let first = ask(&cache, 1).await;
    ensure(loader.loads() == 1, || "the first caller did not begin the load".into())?;
    let others = ask(&cache, CALLERS - 1).await;
    sleep(LOAD / 2).await;
    drop(first);
    let answered = others.join_all().await.into_iter().flatten().count();
    Ok(format!("{}, {answered}", loader.loads()))
}

async fn panicking(make: Make) -> Result<String> {
    let loader = Loader::new(LOAD, Does::PanicOnce);
    let cache = Arc::new(make(loader.clone())?);
    let mut callers = ask(&cache, CALLERS).await;
    while callers.join_next().await.is_some() {}
    ensure(loader.panicked(), || "nothing panicked".into())?;
    let next = tokio::time::timeout(Duration::from_secs(60), cache.get()).await;
    Ok(if matches!(next, Ok(Some(_))) { "yes" } else { "no" }.to_owned())
}

/// The load begins with the first version, the second is written while it is under way, and all that is kept is made wrong.
async fn outdated(make: Make) -> Result<String> {
    let loader = Loader::new(LOAD, Does::Answer);
    let cache = Arc::new(make(loader.clone())?);
    let first = ask(&cache, 1).await;
    sleep(LOAD / 2).await;
    ensure(loader.loads() == 1, || "no load is under way".into())?;
    cache.invalidate().await;
    first.join_all().await;
    let kept = cache.get().await.ok_or("no answer")?;
    ensure(cache.get().await == Some(kept), || "nothing is kept at all".into())?;
    Ok(if kept == 1 { "the old answer" } else { "nothing old" }.to_owned())
}
