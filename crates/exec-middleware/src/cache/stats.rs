//! What a cache has done.

use std::sync::atomic::{AtomicU64, Ordering};

use exec_core::Money;

/// What a [`Cache`](crate::Cache) has done since it was made, and what it holds.
///
/// Every call is counted once: `hits + misses + coalesced + stale + bypassed` is how many calls were answered or failed,
/// besides those that left before it was known. A stale answer used because its renewal failed is one of `misses` or
/// `coalesced` and of `rescued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Answered by a kept answer that was good.
    pub hits: u64,
    /// Went on because no kept answer was there. Exactly so many upstream calls were made for callers.
    pub misses: u64,
    /// Shared the call of another caller.
    pub coalesced: u64,
    /// Answered at once by a kept answer past its time.
    pub stale: u64,
    /// Answered by a kept answer past its time because the call failed.
    pub rescued: u64,
    /// Not for the cache: writes, what may not be kept, callers who want none.
    pub bypassed: u64,
    /// Calls behind stale answers.
    pub revalidations: u64,
    /// Answers kept.
    pub stored: u64,
    /// Answers that could have been kept and were not: too heavy, cut, or made wrong meanwhile.
    pub refused: u64,
    /// Answers that had to make room.
    pub evicted: u64,
    /// Times the store failed or was too slow.
    pub store_errors: u64,
    /// What callers did not pay because no call of their own was made, where the price is known.
    pub saved: Money,
    /// Answers held now, as far as the store can say.
    pub entries: u64,
    /// What they weigh, in bytes.
    pub weight: u64,
    /// Calls that can be shared now.
    pub in_flight: u64,
    /// Invalidations remembered one by one.
    pub marks: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) coalesced: Counter,
    pub(super) stale: Counter,
    pub(super) rescued: Counter,
    pub(super) bypassed: Counter,
    pub(super) revalidations: Counter,
    pub(super) stored: Counter,
    pub(super) refused: Counter,
    pub(super) store_errors: Counter,
    pub(super) saved: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn one(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// What was counted; what is held is for others to say.
    pub(super) fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.get(),
            misses: self.misses.get(),
            coalesced: self.coalesced.get(),
            stale: self.stale.get(),
            rescued: self.rescued.get(),
            bypassed: self.bypassed.get(),
            revalidations: self.revalidations.get(),
            stored: self.stored.get(),
            refused: self.refused.get(),
            store_errors: self.store_errors.get(),
            saved: Money::micros(self.saved.get()),
            ..CacheStats::default()
        }
    }
}
