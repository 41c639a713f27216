//! The results a breaker looks back at: the last so many, or those of the last so much time. Pure, O(1) for each result.

use std::time::Duration;

/// How far a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Calls(u32),
    Time(Duration),
}

/// One result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// How many results, and how many of them failed or were slow. One result can be both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
}

impl Counts {
    pub(crate) fn failure_rate(self) -> f64 {
        rate(self.failed, self.calls)
    }

    pub(crate) fn slow_rate(self) -> f64 {
        rate(self.slow, self.calls)
    }

    fn add(&mut self, sample: Sample) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(sample.failed.into());
        self.slow = self.slow.saturating_add(sample.slow.into());
    }

    fn remove(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failed = self.failed.saturating_sub(other.failed);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}

/// The quotient of two integers is rounded to the nearest number, as `0.07` in a file is: 7 of 100 reach it.
fn rate(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}

impl From<Sample> for Counts {
    fn from(sample: Sample) -> Self {
        let mut counts = Self::default();
        counts.add(sample);
        counts
    }
}

/// A window over results.
#[derive(Debug)]
pub(crate) enum Window {
    Calls(Ring),
    Time(Buckets),
}

impl Window {
    pub(crate) fn new(span: Span) -> Self {
        match span {
            Span::Calls(calls) => Self::Calls(Ring::new(calls)),
            Span::Time(time) => Self::Time(Buckets::new(time)),
        }
    }

    /// Adds a result of the time that `clock` says, and says what the window holds now.
    pub(crate) fn record(&mut self, sample: Sample, clock: impl FnOnce() -> Duration) -> Counts {
        match self {
            Self::Calls(ring) => ring.record(sample),
            Self::Time(buckets) => buckets.record(sample, clock()),
        }
    }

    /// What the window holds at `now`.
    pub(crate) fn counts(&mut self, now: Duration) -> Counts {
        match self {
            Self::Calls(ring) => ring.sum,
            Self::Time(buckets) => buckets.advance(now),
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Calls(ring) => ring.clear(),
            Self::Time(buckets) => buckets.clear(),
        }
    }
}

/// The last `size` results, a byte each.
#[derive(Debug)]
pub(crate) struct Ring {
    samples: Vec<Sample>,
    size: usize,
    at: usize,
    sum: Counts,
}

impl Ring {
    fn new(size: u32) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
        Self { samples: Vec::with_capacity(size), size, at: 0, sum: Counts::default() }
    }

    fn record(&mut self, sample: Sample) -> Counts {
        match self.samples.get_mut(self.at) {
            Some(oldest) => self.sum.remove(Counts::from(std::mem::replace(oldest, sample))),
            None => self.samples.push(sample),
        }
        self.sum.add(sample);
        self.at = if self.at + 1 == self.size { 0 } else { self.at + 1 };
        self.sum
    }

    fn clear(&mut self) {
        self.samples.clear();
        self.at = 0;
        self.sum = Counts::default();
    }
}

const BUCKETS: usize = 10;

/// The results of the last `BUCKETS` slices of time. The current slice is not over, so what counts is younger than the
/// window is long, and at least nine tenths of the window count.
#[derive(Debug)]
pub(crate) struct Buckets {
    slices: [Counts; BUCKETS],
    width: Duration,
    /// The slice that time is in. Never goes back, whatever the clock does.
    current: u128,
    sum: Counts,
}

impl Buckets {
    fn new(window: Duration) -> Self {
        let width = (window / 10).max(Duration::from_nanos(1));
        Self { slices: [Counts::default(); BUCKETS], width, current: 0, sum: Counts::default() }
    }

    fn record(&mut self, sample: Sample, now: Duration) -> Counts {
        self.advance(now);
        let at = self.place(self.current);
        self.slices[at].add(sample);
        self.sum.add(sample);
        self.sum
    }

    fn advance(&mut self, now: Duration) -> Counts {
        let slice = now.as_nanos() / self.width.as_nanos();
        let passed = slice.saturating_sub(self.current).min(BUCKETS as u128);
        for step in 0..passed {
            let at = self.place(slice - step);
            self.sum.remove(std::mem::take(&mut self.slices[at]));
        }
        self.current = self.current.max(slice);
        self.sum
    }

    fn clear(&mut self) {
        self.slices = Default::default();
        self.sum = Counts::default();
    }

    fn place(&self, slice: u128) -> usize {
        usize::try_from(slice % BUCKETS as u128).unwrap_or(0)
    }
}
