//! When a breaker opens, for how long, and what closes it: settings that were checked.

use std::time::Duration;

use super::window::{Counts, Span};

/// What a breaker goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    /// So many failures in a row open it.
    pub(crate) failures: Option<u32>,
    /// So large a share of failures opens it.
    pub(crate) failure_rate: Option<f64>,
    /// What is slow, and the share of slow calls that opens it.
    pub(crate) slow: Option<(Duration, f64)>,
    /// Fewer results than this have no rate.
    pub(crate) volume: u32,
    pub(crate) span: Span,
    pub(crate) open: Duration,
    pub(crate) open_max: Duration,
    pub(crate) growth: f64,
    pub(crate) jitter: f64,
    pub(crate) probes: u32,
    /// So many good probes close it.
    pub(crate) needed: u32,
    pub(crate) half_open: Duration,
}

impl Rules {
    /// Whether it goes by rates, so that every result counts.
    pub(crate) fn rated(&self) -> bool {
        self.failure_rate.is_some() || self.slow.is_some()
    }

    pub(crate) fn trips(&self, streak: u32, counts: Counts) -> bool {
        let reached = |limit: Option<f64>, rate: f64| limit.is_some_and(|limit| rate >= limit);
        let rates = reached(self.failure_rate, counts.failure_rate())
            || reached(self.slow.map(|(_, rate)| rate), counts.slow_rate());
        self.failures.is_some_and(|limit| streak >= limit) || (counts.calls >= self.volume && rates)
    }

    /// How long it stays open after `cycles` failed attempts to close. `random` is from 0 to 1: it takes away up to
    /// `jitter` of the time, except of the first.
    pub(crate) fn open_time(&self, cycles: u32, random: f64) -> Duration {
        if cycles == 0 {
            return self.open;
        }
        let grown = self.open.as_secs_f64() * self.growth.powf(f64::from(cycles));
        let capped = grown.min(self.open_max.as_secs_f64()) * (1.0 - self.jitter * random);
        Duration::try_from_secs_f64(capped).unwrap_or(self.open_max).min(self.open_max)
    }
}
