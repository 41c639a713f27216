//! Accounting: what was called, who is connected, who left.
use super::fault::Faults;
use super::request::Request;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests and departures that are kept.
const KEPT: usize = 64;
/// Bytes of a body that are kept.
const KEPT_BODY: usize = 64 << 10;
/// Different paths, models or flapping specifications; beyond these they count under `other`.
const MAX_KEYS: usize = 1024;

/// A snapshot of the upstream's counters since the start or the last reset.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests that were read completely; control endpoints do not count, here and below.
    pub calls: u64,
    /// The same by path.
    pub by_path: BTreeMap<String, u64>,
    /// The same by model; requests without one do not count here.
    pub by_model: BTreeMap<String, u64>,
    /// TCP connections accepted, control connections included.
    pub connections: u64,
    /// TCP connections open now, control connections included.
    pub open: u64,
    /// Most connections open at one time.
    pub peak_open: u64,
    /// Requests being answered or left hanging now.
    pub in_flight: u64,
    /// Most requests in flight at one time.
    pub peak_in_flight: u64,
    /// Responses sent to their end, failures included.
    pub completed: u64,
    /// Responses that we reset or cut as the scenario asked.
    pub broken: u64,
    /// Clients that closed while we were answering or hanging.
    pub left: u64,
    /// The last 64 of them, oldest first.
    pub departures: Vec<Departure>,
}

/// A client that closed its connection before the answer's end.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Departure {
    /// Path of the request.
    pub path: String,
    /// Its model, or an empty string.
    pub model: String,
    /// Time since our last write for this request, or since its arrival if there was none.
    #[serde(rename = "idle_us", serialize_with = "micros")]
    pub idle: Duration,
    /// Time since the request's arrival.
    #[serde(rename = "age_us", serialize_with = "micros")]
    pub age: Duration,
}

/// A request as it was received.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Seen {
    /// Method in capitals.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// When it was read completely, since the upstream's start.
    #[serde(rename = "at_us", serialize_with = "micros")]
    pub at: Duration,
    /// Headers in order, names in lower case; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of the body, or an empty string if they are not UTF-8.
    pub body: String,
    /// Bytes of the whole body.
    pub body_len: usize,
}

#[derive(Debug, Default)]
struct Inner {
    stats: Stats,
    departures: VecDeque<Departure>,
    last: VecDeque<Kept>,
    flaps: HashMap<String, Flaps>,
    requests: u64,
}

/// A request with only the first bytes of its body, in memory of its own.
#[derive(Clone, Debug)]
struct Kept {
    request: Request,
    body_len: usize,
    at: Duration,
}

/// What was asked with one specification that does not hold for ever.
#[derive(Debug)]
struct Flaps {
    requests: u64,
    since: Instant,
}

/// Shared by all connections of one upstream.
#[derive(Debug)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
    changed: Notify,
    started: Instant,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { inner: Mutex::default(), changed: Notify::new(), started: Instant::now() }
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_waiters();
        value
    }

    pub(super) fn snapshot(&self) -> Stats {
        let inner = self.lock();
        Stats { departures: inner.departures.iter().cloned().collect(), ..inner.stats.clone() }
    }

    pub(super) fn last(&self) -> Vec<Seen> {
        let kept: Vec<Kept> = self.lock().last.iter().cloned().collect();
        kept.iter().map(seen).collect()
    }

    /// Forgets everything but what is open and in flight.
    pub(super) fn reset(&self) {
        self.update(|inner| {
            let Stats { open, in_flight, .. } = inner.stats;
            let stats =
                Stats { open, peak_open: open, in_flight, peak_in_flight: in_flight, ..Stats::default() };
            *inner = Inner { stats, requests: inner.requests, ..Inner::default() };
        });
    }

    /// Whether this request with a flapping specification fails; counts it.
    pub(super) fn flaps(&self, spec: &str, times: u64) -> bool {
        self.again(spec).0 <= times
    }

    /// Whether what the specification says holds for this request; counts it if that may change.
    pub(super) fn concerns(&self, faults: &Faults) -> bool {
        if faults.times.is_none() && faults.lasts.is_none() {
            return true;
        }
        let (requests, age) = self.again(&faults.spec);
        faults.times.is_none_or(|times| requests <= times) && faults.lasts.is_none_or(|time| age < time)
    }

    /// Counts a request with a specification: how many there were, and how long ago the first was.
    fn again(&self, spec: &str) -> (u64, Duration) {
        let mut inner = self.lock();
        let key = if inner.flaps.len() < MAX_KEYS || inner.flaps.contains_key(spec) { spec } else { "other" };
        let fresh = || Flaps { requests: 0, since: Instant::now() };
        let seen = inner.flaps.entry(key.to_owned()).or_insert_with(fresh);
        seen.requests += 1;
        (seen.requests, seen.since.elapsed())
    }

    /// Resolves with the first snapshot that satisfies `predicate`. Cancel safe.
    pub(super) async fn wait_for(&self, predicate: impl Fn(&Stats) -> bool) -> Stats {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let stats = self.snapshot();
            if predicate(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connect(&self) -> Open<'_> {
        self.update(|Inner { stats, .. }| {
            stats.connections += 1;
            stats.open += 1;
            stats.peak_open = stats.peak_open.max(stats.open);
        });
        Open(self)
    }

    /// Counts a request until the guard is ended or dropped.
    pub(super) fn begin(&self, request: &Request, model: &str) -> InFlight<'_> {
        let kept = Kept {
            request: request.detached(KEPT_BODY),
            body_len: request.body.len(),
            at: self.started.elapsed(),
        };
        let id = self.update(|inner| {
            let stats = &mut inner.stats;
            stats.calls += 1;
            stats.in_flight += 1;
            stats.peak_in_flight = stats.peak_in_flight.max(stats.in_flight);
            count(&mut stats.by_path, request.path());
            if !model.is_empty() {
                count(&mut stats.by_model, model);
            }
            keep(&mut inner.last, kept);
            inner.requests += 1;
            inner.requests
        });
        InFlight { ledger: self, id, arrived: Instant::now() }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Ledger);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.update(|inner| inner.stats.open -= 1);
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    ledger: &'a Ledger,
    pub(super) id: u64,
    arrived: Instant,
}

impl InFlight<'_> {
    pub(super) fn completed(self) {
        self.ledger.lock().stats.completed += 1;
    }

    pub(super) fn broken(self) {
        self.ledger.lock().stats.broken += 1;
    }

    pub(super) fn left(self, request: &Request, model: &str, last_write: Option<Instant>) {
        let departure = Departure {
            path: request.path().to_owned(),
            model: model.to_owned(),
            idle: last_write.unwrap_or(self.arrived).elapsed(),
            age: self.arrived.elapsed(),
        };
        let mut inner = self.ledger.lock();
        inner.stats.left += 1;
        keep(&mut inner.departures, departure);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.ledger.update(|inner| inner.stats.in_flight -= 1);
    }
}

fn count(map: &mut BTreeMap<String, u64>, key: &str) {
    if let Some(count) = map.get_mut(key) {
        *count += 1;
        return;
    }
    let key = if map.len() < MAX_KEYS { key } else { "other" };
    *map.entry(key.to_owned()).or_default() += 1;
}

fn keep<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn seen(kept: &Kept) -> Seen {
    let request = &kept.request;
    Seen {
        method: request.method().to_owned(),
        path: request.path().to_owned(),
        query: request.query().to_owned(),
        at: kept.at,
        headers: request.headers().map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect(),
        body: longest_utf8(&request.body).to_owned(),
        body_len: kept.body_len,
    }
}

/// A body cut at the limit may end inside a character; a body that is not text at all is not shown.
fn longest_utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    }
}

fn micros<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
