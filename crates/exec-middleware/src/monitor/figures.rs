//! Figures that can be read without any exporter: how many, and how long lately.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::histogram::Histogram;
use crate::sync::lock;

/// Calls that are older by so many of the same model count half.
const HALF_LIFE: u32 = 10_000;

/// What [`Metrics`](crate::Metrics) has counted since it was made. When nothing is under way,
/// `calls = completed + failed + rejected + cancelled`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Calls that began.
    pub calls: u64,
    /// Calls that are under way, bodies included.
    pub in_flight: u64,
    /// Calls whose answer was read to its end.
    pub completed: u64,
    /// Calls that failed, or whose body broke.
    pub failed: u64,
    /// Calls that a guard refused without sending them.
    pub rejected: u64,
    /// Calls whose caller left.
    pub cancelled: u64,
    /// Attempts made again after a failure.
    pub retried: u64,
    /// Attempts made beside a slow one.
    pub hedged: u64,
    /// Calls that another provider was asked for.
    pub fell_back: u64,
    /// Calls that a kept answer was used for.
    pub cache_hits: u64,
    /// Calls that no kept answer was there for.
    pub cache_misses: u64,
    /// Calls that shared the answer of an equal one.
    pub coalesced: u64,
    /// The models that answered, by name; those beyond the bound together as `other`.
    pub models: Vec<ModelFigures>,
}

/// How long calls of one model took lately: a call counts half when 10 000 others came after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelFigures {
    /// By the caller's name for it; empty when the calls name none.
    pub model: Arc<str>,
    /// Calls that were answered.
    pub answered: u64,
    /// Until the answer began.
    pub first_content: Quantiles,
    /// Until it was read to its end.
    pub whole: Quantiles,
}

/// The time in which so many were done, at most 1/32 too high. All 0 when there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quantiles {
    /// Half of them.
    pub p50: Duration,
    /// 95 of a hundred.
    pub p95: Duration,
    /// 99 of a hundred.
    pub p99: Duration,
}

/// What is counted, each alone.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) completed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) hedged: AtomicU64,
    pub(super) fell_back: AtomicU64,
    pub(super) cache_hits: AtomicU64,
    pub(super) cache_misses: AtomicU64,
    pub(super) coalesced: AtomicU64,
}

pub(super) fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// The times of each model. Its keys are labels, so they are bounded.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<BTreeMap<Arc<str>, Model>>);

#[derive(Debug)]
struct Model {
    answered: u64,
    first: Histogram,
    whole: Histogram,
}

impl Times {
    pub(super) fn first(&self, model: &Arc<str>, took: Duration) {
        self.with(model, |model| {
            model.answered += 1;
            model.first.record(took);
        });
    }

    pub(super) fn whole(&self, model: &Arc<str>, took: Duration) {
        self.with(model, |model| model.whole.record(took));
    }

    fn with(&self, model: &Arc<str>, f: impl FnOnce(&mut Model)) {
        let mut models = lock(&self.0);
        if !models.contains_key(model) {
            let (first, whole) = (Histogram::new(HALF_LIFE), Histogram::new(HALF_LIFE));
            models.insert(model.clone(), Model { answered: 0, first, whole });
        }
        if let Some(model) = models.get_mut(model) {
            f(model);
        }
    }
}

pub(super) fn snapshot(counts: &Counts, times: &Times) -> Snapshot {
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let models = lock(&times.0).iter().map(|(name, model)| model.figures(name)).collect();
    Snapshot {
        calls: get(&counts.calls),
        in_flight: get(&counts.in_flight),
        completed: get(&counts.completed),
        failed: get(&counts.failed),
        rejected: get(&counts.rejected),
        cancelled: get(&counts.cancelled),
        retried: get(&counts.retried),
        hedged: get(&counts.hedged),
        fell_back: get(&counts.fell_back),
        cache_hits: get(&counts.cache_hits),
        cache_misses: get(&counts.cache_misses),
        coalesced: get(&counts.coalesced),
        models,
    }
}

impl Model {
    fn figures(&self, name: &Arc<str>) -> ModelFigures {
        let (first_content, whole) = (quantiles(&self.first), quantiles(&self.whole));
        ModelFigures { model: name.clone(), answered: self.answered, first_content, whole }
    }
}

fn quantiles(histogram: &Histogram) -> Quantiles {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|q| histogram.quantile(q).unwrap_or_default());
    Quantiles { p50, p95, p99 }
}
