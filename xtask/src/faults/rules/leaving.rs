//! A caller who leaves: the upstream must see it at once, wherever the call was, and nothing may stay taken.

use super::{LIMIT, house};
use crate::faults::house::{House, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Dialect, Lab, Talk};
use crate::shell::Result;
use std::time::Duration;
use tokio::time::Instant;

/// How soon the upstream must see its connection closed.
const SOON: Duration = Duration::from_millis(100);
/// A busy machine may be slow once: one of so many tries must be soon enough.
const TRIES: usize = 5;
/// Long enough for a call that should not be made.
const NOBODY: Duration = Duration::from_millis(300);

/// One place at a time, so that a queue can be stood in; a retry that waits.
const MEMBER: &str = r#"guard = ["retry", "limit", "timeout"]
retry = { attempts = 3, max_retry_after = "60s" }
limit = { concurrency = 1, queue = 8, wait = "30s" }"#;

/// Where a call is when its caller leaves: what the upstream does, and what is read before leaving.
const PLACES: [(&str, &str, bool, Option<&str>); 4] = [
    ("before the head", "hang", true, None),
    ("before the first token", "first=60s", true, None),
    ("in the middle", "stall=5", true, Some("tok3")),
    ("not streamed", "hang", false, None),
];

pub(super) async fn run(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, MEMBER, "", "").await?;
    for dialect in Dialect::ALL {
        for (place, spec, stream, seen) in PLACES {
            let best = best(&house, dialect, spec, stream, seen).await?;
            checks.must(best.is_some_and(|time| time <= SOON), || {
                format!("{} {place}: seen upstream after {best:?}", dialect.name())
            });
        }
        waiting(&mut checks, &house, dialect).await?;
        queued(&mut checks, &house, dialect).await?;
        // The one place is free again: a call that is well gets it.
        let (heard, told) = house.ask_for(dialect, "first/well", true, LIMIT).await;
        checks.must(told.complete, || format!("{}: the place stays taken, {}", dialect.name(), heard.status));
    }
    checks.must(house.is_quiet().await, || "an upstream is still answering".to_owned());
    checks.saw("closed upstream within 100 ms; no further call; its place is free again");
    Ok(checks)
}

async fn best(
    house: &House,
    dialect: Dialect,
    spec: &str,
    stream: bool,
    seen: Option<&str>,
) -> Result<Option<Duration>> {
    let mut best: Option<Duration> = None;
    for _ in 0..TRIES {
        let time = once(house, dialect, spec, stream, seen).await?;
        best = best.into_iter().chain(time).min();
        if best.is_some_and(|best| best <= SOON) {
            break;
        }
    }
    Ok(best)
}

/// How long it took the upstream to see the caller leave; `None` if it never did.
async fn once(
    house: &House,
    dialect: Dialect,
    spec: &str,
    stream: bool,
    seen: Option<&str>,
) -> Result<Option<Duration>> {
    let before = house.first.stats().left;
    let mut talk = begin(house, dialect, spec, stream).await?;
    house.first.wait_for(|stats| stats.in_flight == 1, LIMIT).await.map_err(|_| "the call never arrived")?;
    if let Some(text) = seen {
        talk.read_until(text, LIMIT).await;
    }
    let left = Instant::now();
    drop(talk);
    let gone = house.first.wait_for(|stats| stats.left > before && stats.in_flight == 0, LIMIT).await;
    Ok(gone.is_ok().then(|| left.elapsed()))
}

async fn begin(house: &House, dialect: Dialect, spec: &str, stream: bool) -> Result<Talk> {
    let call = Call::ask(dialect, &format!("first/fault:{spec}"), stream);
    Ok(house.gateway.client().begin(&call).await?)
}

/// Leaves while a retry waits: the provider is not asked again.
async fn waiting(checks: &mut Checks, house: &House, dialect: Dialect) -> Result {
    let before = house.first.stats().calls;
    let talk = begin(house, dialect, "status=429,unlimited,retry-after-ms=200", true).await?;
    let failed = house.first.wait_for(|stats| stats.calls > before && stats.in_flight == 0, LIMIT).await;
    checks.must(failed.is_ok(), || format!("{} in the wait of a retry: no call was made", dialect.name()));
    drop(talk);
    let again = house.first.wait_for(|stats| stats.calls > before + 1, NOBODY).await;
    checks.must(again.is_err(), || format!("{} in the wait of a retry: asked again", dialect.name()));
    Ok(())
}

/// Leaves while another call has the only place: no call is made when the place is free.
async fn queued(checks: &mut Checks, house: &House, dialect: Dialect) -> Result {
    let before = house.first.stats().calls;
    let holder = begin(house, dialect, "stall=5", true).await?;
    house.first.wait_for(|stats| stats.in_flight == 1, LIMIT).await.map_err(|_| "the call never arrived")?;
    let waiter = begin(house, dialect, "hang", true).await?;
    let early = house.first.wait_for(|stats| stats.calls > before + 1, NOBODY).await;
    checks.must(early.is_err(), || format!("{} in a queue: it did not wait", dialect.name()));
    drop(waiter);
    // Long enough for the server to see that it left, and for the next call to be made if it does not.
    tokio::time::sleep(NOBODY).await;
    drop(holder);
    let late = house.first.wait_for(|stats| stats.calls > before + 1, NOBODY).await;
    checks.must(late.is_err(), || format!("{} in a queue: asked after it left", dialect.name()));
    Ok(())
}
