//! What a pool says about itself. All figures of one look were true at one instant.

use std::time::Duration;

/// A look at a pool. Counters begin with the pool.
///
/// At every instant `total = idle + in_use + connecting` and `created = total - connecting + closed.total()`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// The most connections there may be.
    pub max: usize,
    /// Connections that are there, those being made and those being closed too. At most `max`, unless `max` was lowered.
    pub total: usize,
    /// Ready to be lent.
    pub idle: usize,
    /// Lent, or in the hands of the pool: `checking` and `closing` count here.
    pub in_use: usize,
    /// Being made.
    pub connecting: usize,
    /// Of those in use, how many the pool is checking.
    pub checking: usize,
    /// Of those in use, how many the pool is closing.
    pub closing: usize,
    /// Leases that are out. Above the connections in use where leases share them.
    pub leases: usize,
    /// Callers that wait.
    pub waiting: usize,
    /// The most connections that were ever in use at once.
    pub peak_in_use: usize,
    /// Connections that were made.
    pub created: u64,
    /// Attempts to make one that failed.
    pub connect_failures: u64,
    /// Checks that found a connection dead.
    pub checks_failed: u64,
    /// Connections that are gone, by reason.
    pub closed: Closed,
    /// Leases that were given.
    pub lent: u64,
    /// Callers that were refused because too many waited.
    pub refused: u64,
    /// Callers that got the error of a connection that could not be made.
    pub failed: u64,
    /// Callers that left while they waited.
    pub left: u64,
    /// Callers whose time was over, by what they waited for.
    pub timeouts: Timeouts,
    /// Leases that were held for longer than [`Config::leak`](crate::Config::leak).
    pub suspected_leaks: u64,
    /// How long the callers waited who got a lease.
    pub waits: Waits,
}

impl Stats {
    /// The share of the possible connections that is in use: 0 to 1, above it only after `max` was lowered.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.in_use as f64 / self.max.max(1) as f64
    }
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its user said so, or the manager saw that it is not open any more.
    Broken,
    /// A check failed or took too long.
    Dead,
    /// Nobody had used it for long.
    Idle,
    /// It had reached its age.
    Lifetime,
    /// The pool was made smaller.
    Shrunk,
    /// The pool was closed.
    Closed,
    /// Its user took it out of the pool.
    Detached,
}

/// Closed connections, by [`Reason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// [`Reason::Broken`].
    pub broken: u64,
    /// [`Reason::Dead`].
    pub dead: u64,
    /// [`Reason::Idle`].
    pub idle: u64,
    /// [`Reason::Lifetime`].
    pub lifetime: u64,
    /// [`Reason::Shrunk`].
    pub shrunk: u64,
    /// [`Reason::Closed`].
    pub closed: u64,
    /// [`Reason::Detached`].
    pub detached: u64,
}

impl Closed {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.broken + self.dead + self.idle + self.lifetime + self.shrunk + self.closed + self.detached
    }

    pub(crate) fn count(&mut self, reason: Reason) {
        *match reason {
            Reason::Broken => &mut self.broken,
            Reason::Dead => &mut self.dead,
            Reason::Idle => &mut self.idle,
            Reason::Lifetime => &mut self.lifetime,
            Reason::Shrunk => &mut self.shrunk,
            Reason::Closed => &mut self.closed,
            Reason::Detached => &mut self.detached,
        } += 1;
    }
}

/// Callers whose time was over, by [`Stage`](crate::Stage).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// All connections were in use.
    pub queue: u64,
    /// A connection was still being made.
    pub connect: u64,
    /// A connection was still being checked.
    pub check: u64,
}

impl Timeouts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.queue + self.connect + self.check
    }
}

/// Bounds of buckets, doubled from one to the next.
const BUCKETS: usize = 22;
/// The bound of the first bucket in microseconds.
const FIRST: u64 = 64;

/// A histogram of waits: those that got a connection at once, and buckets that double from 64 µs to 134 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    at_once: u64,
    buckets: [u64; BUCKETS],
    longer: u64,
    micros: u64,
}

impl Waits {
    /// How many got a connection without waiting.
    #[must_use]
    pub fn at_once(&self) -> u64 {
        self.at_once
    }

    /// How many are in the histogram.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.at_once + self.buckets.iter().sum::<u64>() + self.longer
    }

    /// The mean wait, those at once counted as 0. Zero when there is none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.micros.checked_div(self.count()).unwrap_or(0))
    }

    /// An upper bound of the wait that so many percent (0 to 100) did not exceed; at most twice the true one above
    /// 64 µs. `None` when nobody got a lease, or the wait is beyond the last bucket.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil().max(1.0);
        let mut seen = 0.0;
        self.bounds().find_map(|(bound, count)| {
            seen += count as f64;
            (seen >= wanted).then_some(bound)
        })
    }

    /// The upper bounds of the buckets and how many waits are in each; the first bound is 0.
    pub fn bounds(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let bound = |at: usize| Duration::from_micros(FIRST << at);
        let first = (Duration::ZERO, self.at_once);
        std::iter::once(first)
            .chain(self.buckets.iter().enumerate().map(move |(at, count)| (bound(at), *count)))
    }

    pub(crate) fn add_at_once(&mut self) {
        self.at_once += 1;
    }

    pub(crate) fn add(&mut self, wait: Duration) {
        let micros = micros(wait);
        *self.bucket(wait, micros) += 1;
        self.micros = self.micros.saturating_add(micros);
    }

    /// Takes back what was added.
    pub(crate) fn remove(&mut self, wait: Duration) {
        let micros = micros(wait);
        let bucket = self.bucket(wait, micros);
        *bucket = bucket.saturating_sub(1);
        self.micros = self.micros.saturating_sub(micros);
    }

    fn bucket(&mut self, wait: Duration, micros: u64) -> &mut u64 {
        if wait.is_zero() {
            return &mut self.at_once;
        }
        // The number of doublings of the first bound that hold the wait.
        let at = micros.saturating_sub(1) / FIRST;
        let at = (u64::BITS - at.leading_zeros()) as usize;
        self.buckets.get_mut(at).unwrap_or(&mut self.longer)
    }
}

fn micros(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(wait.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_the_bucket_that_bounds_it() {
        for (wait, bound) in
            [(0, 0), (1, 64), (64, 64), (65, 128), (128, 128), (129, 256), (1_000_000, 1_048_576)]
        {
            let mut waits = Waits::default();
            waits.add(Duration::from_micros(wait));
            assert_eq!(waits.percentile(50.0), Some(Duration::from_micros(bound)), "{wait}");
            assert_eq!((waits.count(), waits.mean().as_micros()), (1, u128::from(wait)));
            waits.remove(Duration::from_micros(wait));
            assert_eq!(waits, Waits::default());
        }
    }

    #[test]
    fn percentiles_go_through_the_buckets_and_end_where_nothing_is_known() {
        let mut waits = Waits::default();
        assert_eq!(waits.percentile(50.0), None);
        for millis in [0, 0, 10, 100, 1_000_000] {
            waits.add(Duration::from_millis(millis));
        }
        let at = |percent| waits.percentile(percent).map(|bound| bound.as_micros());
        assert_eq!(
            [at(0.0), at(40.0), at(60.0), at(80.0), at(100.0)],
            [Some(0), Some(0), Some(16_384), Some(131_072), None]
        );
        assert_eq!(waits.bounds().map(|(_, count)| count).sum::<u64>(), 4);
    }
}
