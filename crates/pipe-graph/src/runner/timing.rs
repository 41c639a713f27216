//! Time, which comes in from outside: the clock, how long a pipe may take, and when it is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::graph::PipeGraph;
use crate::pipe::{PipeId, PipeIndex};

/// Where time comes from. A runtime's timer is three lines of code; a test has one that it moves itself.
pub trait Clock: Send + Sync + 'static {
    /// How long it is since some moment that never changes. Does not run backwards.
    fn now(&self) -> Duration;

    /// Ends when this much time has passed. Dropping it gives the timer back.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}

/// When a failed attempt is followed by another. The default is never.
///
/// The wait before retry `n` is `first * factor^(n - 1)`, at most `longest`; [`Runner::retry`](crate::Runner::retry)
/// may refuse it, shorten it, stretch it up to `longest`, or spread it by chance. A panic is never retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// How many attempts may follow the first.
    pub times: u32,
    /// The wait before the first retry.
    pub first: Duration,
    /// What each wait is multiplied by to give the next.
    pub factor: u32,
    /// The longest wait.
    pub longest: Duration,
    /// Whether an attempt that ran out of time is retried too: only for work that may be done twice.
    pub timeouts: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self::times(0)
    }
}

impl Retry {
    /// So many retries after 1, 2, 4, … seconds, at most a minute.
    #[must_use]
    pub fn times(times: u32) -> Self {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { times, first, factor: 2, longest, timeouts: false }
    }

    /// Other waits.
    #[must_use]
    pub fn waits(mut self, first: Duration, factor: u32, longest: Duration) -> Self {
        (self.first, self.factor, self.longest) = (first, factor, longest);
        self
    }

    /// Retries attempts that ran out of time, too.
    #[must_use]
    pub fn timeouts(mut self) -> Self {
        self.timeouts = true;
        self
    }

    /// The wait before this retry, the first being 1.
    #[must_use]
    pub fn delay(&self, retry: u32) -> Duration {
        let mut delay = self.first.min(self.longest);
        for _ in 1..retry {
            let next = delay.checked_mul(self.factor).unwrap_or(self.longest).min(self.longest);
            if next == delay {
                break;
            }
            delay = next;
        }
        delay
    }
}

/// What holds for one pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeTiming {
    /// How long one attempt may take; then it is dropped and has failed. `None` is without end.
    pub timeout: Option<Duration>,
    /// When it is tried again.
    pub retry: Retry,
}

/// Timeouts and retries of a run. They need a [`Clock`], so they come with one:
/// [`PlanRunner::timing`](crate::PlanRunner::timing).
#[derive(Clone, Debug, Default)]
pub struct Timing {
    every: PipeTiming,
    own: BTreeMap<PipeId, PipeTiming>,
}

impl Timing {
    /// No timeouts and no retries: only durations are measured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The longest an attempt of any pipe may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.every.timeout = Some(timeout);
        self
    }

    /// When any pipe is tried again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.every.retry = retry;
        self
    }

    /// What holds for the pipe of this name instead. Names that are not planned are ignored.
    #[must_use]
    pub fn pipe(mut self, id: impl Into<PipeId>, timing: PipeTiming) -> Self {
        self.own.insert(id.into(), timing);
        self
    }

    pub(crate) fn of(&self, graph: &PipeGraph, pipe: PipeIndex) -> PipeTiming {
        if self.own.is_empty() {
            return self.every;
        }
        self.own.get(graph.id(pipe)).copied().unwrap_or(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stop_growing() {
        let seconds = |retry: Retry| [1, 2, 3, 7, u32::MAX].map(|n| retry.delay(n).as_secs());
        assert_eq!(seconds(Retry::times(9)), [1, 2, 4, 60, 60]);
        let long = Retry::times(9).waits(Duration::from_secs(5), u32::MAX, Duration::MAX);
        assert_eq!(long.delay(u32::MAX), Duration::MAX);
        let fixed = Retry::times(9).waits(Duration::from_secs(30), 1, Duration::from_secs(30));
        assert_eq!(fixed.delay(u32::MAX), Duration::from_secs(30));
    }
}
