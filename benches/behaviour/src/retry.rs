//! Retries: how many calls they make of one, and how long they go on.

mod contestants;

use std::time::Duration;

use exec_core::{Error, ErrorKind};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::time::{Instant, sleep};

use self::contestants::{Contestant, Settings};
use crate::row::{Count, OURS, Result, Row, ensure, virtually};

const GUARD: &str = "retry";
const CALLS: usize = 1000;
const ASKED: Duration = Duration::from_secs(7);

const NESTED: &str = "three layers with 3 attempts each, nothing helps: calls made of one";
const OUTAGE: &str = "1000 callers with 4 attempts each, nothing helps: calls made";
const AFTER: &str = "told to come back after 7 s: waited";
const TOTAL: &str = "a limit of 5 s for everything, attempts of 3 s that fail: given up after";
const TWICE: &str = "what must not be done twice, no answer: calls made, with defaults";

pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for who in contestants::ALL {
        let mut seen = |name, saw: String, promised: &str| -> Result {
            let row = if who.name == OURS {
                Row::ours(GUARD, name, saw, promised)
            } else {
                Ok(Row::new(GUARD, name, who.name, saw))
            };
            rows.push(row?);
            Ok(())
        };
        seen(NESTED, virtually(nested(&who))?, "3")?;
        // Retries: 10, and a tenth of the thousand.
        seen(OUTAGE, virtually(outage(&who))?, "1110")?;
        seen(AFTER, virtually(after(&who))?, "7 s")?;
        seen(TOTAL, virtually(total(&who))?, "5 s")?;
        seen(TWICE, virtually(twice(&who))?, "1")?;
    }
    Ok(rows)
}

/// What is called: it fails, and counts.
#[derive(Clone, Debug)]
struct Backend {
    calls: Count,
    takes: Duration,
    asks: Option<Duration>,
}

impl Backend {
    fn new() -> Self {
        Self { calls: Count::default(), takes: Duration::ZERO, asks: None }
    }

    fn call(&self) -> BoxFuture<'static, std::result::Result<(), Error>> {
        let Self { calls, takes, asks } = self.clone();
        async move {
            calls.one();
            sleep(takes).await;
            let error = Error::new(ErrorKind::Overloaded, "told to fail");
            Err(match asks {
                Some(wait) => error.with_retry_after(wait),
                None => error,
            })
        }
        .boxed()
    }
}

async fn nested(who: &Contestant) -> Result<String> {
    let backend = Backend::new();
    let settings = Settings { attempts: 3, layers: 3, ..Settings::default() };
    ensure(!(who.make)(&backend, settings)?().await, || "it cannot succeed".into())?;
    Ok(backend.calls.get().to_string())
}

async fn outage(who: &Contestant) -> Result<String> {
    let backend = Backend::new();
    let call = (who.make)(&backend, Settings::default())?;
    let succeeded = join_all((0..CALLS).map(|_| call())).await.into_iter().filter(|ok| *ok).count();
    ensure(succeeded == 0, || "it cannot succeed".into())?;
    Ok(backend.calls.get().to_string())
}

async fn after(who: &Contestant) -> Result<String> {
    let wait = async |settings| -> Result<u64> {
        let start = Instant::now();
        let backend = Backend { asks: Some(ASKED), ..Backend::new() };
        (who.make)(&backend, settings)?().await;
        ensure(backend.calls.get() == 2, || format!("{} calls instead of 2", backend.calls.get()))?;
        Ok(start.elapsed().as_secs())
    };
    let settings = Settings { attempts: 2, ..Settings::default() };
    let plain = wait(settings).await?;
    Ok(match who.by_hand {
        None => format!("{plain} s"),
        Some(how) => {
            let told = wait(Settings { by_hand: true, ..settings }).await?;
            format!("{plain} s; {told} s with {how}")
        }
    })
}

async fn total(who: &Contestant) -> Result<String> {
    let (backend, start) = (Backend { takes: Duration::from_secs(3), ..Backend::new() }, Instant::now());
    let settings = Settings { total: Some(Duration::from_secs(5)), ..Settings::default() };
    (who.make)(&backend, settings)?().await;
    ensure(backend.calls.get() >= 2, || "it was not tried again".into())?;
    let seconds = start.elapsed().as_secs();
    Ok(who.limit.map_or_else(|| format!("{seconds} s"), |but| format!("{seconds} s; {but}")))
}

async fn twice(who: &Contestant) -> Result<String> {
    let backend = Backend::new();
    (who.make)(&backend, Settings { harmless: false, ..Settings::default() })?().await;
    Ok(backend.calls.get().to_string())
}
