//! What the store holds: its bound, and how often it has what is asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use exec_core::{Context, Operation, Request, Scope};
use futures_util::FutureExt;
use serde_json::json;

use super::entry::Entry;
use super::key::Key;
use super::store::{MemoryStore, Store};
use crate::random::{STEP, mix};

const KEYS: usize = 20_000;
const ROOM: u64 = 1_000;
const WEIGHT: u32 = 4_096;

fn key(n: usize) -> Key {
    let request = Request::new(Operation::CHAT, json!({"n": n}));
    Key::of(&request, &Context::new("1"), Scope::Tenant).unwrap()
}

fn entry(weight: u32) -> Arc<Entry> {
    Arc::new(Entry::placeholder(weight))
}

struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(STEP);
        (mix(self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Keys asked for as Zipf says, with the exponent 0.9; with a `scan`, each is followed by one that is asked for once.
fn trace(length: usize, scan: bool) -> Vec<usize> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += (rank as f64).powf(-0.9);
        sums.push(sum);
    }
    let mut random = Random(42);
    let mut all = Vec::new();
    for n in 0..length {
        let at = random.share() * sum;
        all.push(sums.partition_point(|sum| *sum < at));
        if scan {
            all.push(KEYS + n);
        }
    }
    all
}

fn now<T>(work: impl Future<Output = exec_core::Result<T>>) -> T {
    work.now_or_never().unwrap().unwrap()
}

/// How often ours has it, in percent of the whole trace.
fn ours(trace: &[usize], keys: &[Key]) -> f64 {
    let (store, entry) = (MemoryStore::new(ROOM * u64::from(WEIGHT)), entry(WEIGHT));
    let mut hits = 0;
    for n in trace {
        if now(store.get(&keys[*n])).is_some() {
            hits += 1;
        } else {
            now(store.put(&keys[*n], entry.clone()));
        }
    }
    100.0 * f64::from(hits) / trace.len() as f64
}

fn mokas(trace: &[usize]) -> f64 {
    let cache = moka::sync::Cache::new(ROOM);
    let mut hits = 0;
    for n in trace {
        if cache.get(n).is_some() {
            hits += 1;
        } else {
            cache.insert(*n, ());
        }
    }
    100.0 * f64::from(hits) / trace.len() as f64
}

/// The plain rule: who was not asked for the longest goes.
fn least_recent(trace: &[usize]) -> f64 {
    let (mut at, mut order, mut hits) = (HashMap::new(), BTreeMap::new(), 0);
    for (time, n) in trace.iter().enumerate() {
        if let Some(before) = at.insert(*n, time) {
            order.remove(&before);
            hits += 1;
        } else if at.len() > ROOM as usize {
            let (_, oldest) = order.pop_first().unwrap();
            at.remove(&oldest);
        }
        order.insert(time, *n);
    }
    100.0 * f64::from(hits) / trace.len() as f64
}

#[tokio::test]
async fn it_has_what_is_asked_for_as_often_as_moka_and_more_often_than_the_plain_rule() {
    let length = 60_000;
    let keys: Vec<Key> = (0..KEYS + length).map(key).collect();
    for scan in [false, true] {
        let trace = trace(length, scan);
        let (ours, mokas, plain) = (ours(&trace, &keys), mokas(&trace), least_recent(&trace));
        assert!(
            ours >= mokas - 1.0 && ours > plain,
            "scan {scan}: {ours:.1} %, moka {mokas:.1}, plain {plain:.1}"
        );
    }
}

#[tokio::test]
async fn it_weighs_no_more_than_it_may() {
    let store = MemoryStore::new(10_000);
    let mut random = Random(1);
    for n in 0..2_000 {
        let weight = 1 + (random.share() * 400.0) as u32;
        now(store.put(&key(n % 500), entry(weight)));
        if n % 100 == 99 {
            store.settle();
            assert!(store.size().weight <= 10_000, "{store:?}");
        }
    }
    assert!(store.size().entries > 10 && store.size().evicted > 0, "{store:?}");
    let before = store.size().entries;
    now(store.put(&key(1_000), entry(10_001)));
    store.settle();
    assert_eq!(store.size().entries, before, "what is heavier than all room moves nobody");
}
