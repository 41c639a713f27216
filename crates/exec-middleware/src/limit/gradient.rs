//! Finds how many calls at once a backend can do, from how long they take. Pure: time comes from outside.
//!
//! While calls take about as long as without a queue, the limit grows; when they take longer, it shrinks by the same
//! factor. How long they take without a queue is measured: now and then the limit is halved for a moment. The idea of
//! a gradient is from Netflix's concurrency-limits, the halving from its Vegas and from BBR's probe of the round trip.

use std::time::Duration;

/// What a [`Gradient`] goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) initial: f64,
    pub(crate) window: Duration,
    pub(crate) samples: u32,
    pub(crate) tolerance: f64,
    pub(crate) backoff: f64,
}

/// How much of the way to its target the limit goes in one window.
const SMOOTHING: f64 = 0.4;
/// How much of a mean that is below the known one is believed.
const TRUST: f64 = 0.25;
/// Fewer samples than this say little: service times scatter, and the mean of so many by a seventh.
const SURE: f64 = 50.0;
/// A probe that differs by more than this from what is known is soon repeated.
const SURPRISE: f64 = 0.2;
const FIRST_PROBE: u32 = 4;
const LAST_PROBE: u32 = 64;

/// A limit that follows its samples.
#[derive(Debug)]
pub(crate) struct Gradient {
    bounds: Bounds,
    limit: f64,
    /// How long a call takes without a queue, in seconds.
    base: Option<f64>,
    /// How long one takes now: the mean of about the last [`SURE`] calls.
    now: Option<f64>,
    window: Window,
    /// What the backend's rate allows, and until when.
    cap: Option<(f64, Duration)>,
    /// Where a refusal holds the limit, and until when.
    held: Option<(f64, Duration)>,
    /// Windows until the next probe, and how far apart probes are.
    until_probe: u32,
    between_probes: u32,
    phase: Phase,
    /// Until it had to shrink once, it grows fast.
    starting: bool,
}

/// Where a probe is: calls that began before it are waited for, and counted, then the others are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Steady,
    Draining { back: f64, calls: usize },
    Measuring { back: f64 },
}

#[derive(Debug, Default)]
struct Window {
    since: Duration,
    samples: u32,
    sum: f64,
    busiest: usize,
    dropped: bool,
}

impl Gradient {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            limit: bounds.initial.clamp(bounds.min, bounds.max),
            bounds,
            base: None,
            now: None,
            window: Window::default(),
            cap: None,
            held: None,
            until_probe: FIRST_PROBE,
            between_probes: FIRST_PROBE,
            phase: Phase::Steady,
            starting: true,
        }
    }

    /// How many calls may be under way at `now`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 1, at most max")]
    pub(crate) fn limit(&self, now: Duration) -> usize {
        let limit = match self.phase {
            Phase::Steady => self.limit,
            Phase::Draining { back, .. } | Phase::Measuring { back } => back / 2.0,
        };
        let caps = [self.cap, self.held].into_iter().flatten().filter(|(_, until)| now < *until);
        caps.fold(limit, |limit, (cap, _)| limit.min(cap)).clamp(self.bounds.min, self.bounds.max) as usize
    }

    /// A call took `latency` and ended at `now`, when `in_flight` were under way.
    pub(crate) fn sample(&mut self, latency: Duration, in_flight: usize, now: Duration) {
        if !self.counts(in_flight, now) {
            return;
        }
        let needed = self.needed();
        let window = &mut self.window;
        window.samples = window.samples.saturating_add(1);
        window.sum += latency.as_secs_f64();
        window.busiest = window.busiest.max(in_flight);
        let enough = window.samples >= needed;
        if enough && now.saturating_sub(window.since) >= self.bounds.window {
            self.close_window(now);
        }
    }

    /// Whether a call says something now. A probe waits until no more calls than it allows are under way, and then until
    /// twice as many have ended: what began before is gone. (To look at those only that begin after that would
    /// favour the short ones.)
    fn counts(&mut self, in_flight: usize, now: Duration) -> bool {
        let limit = self.limit(now);
        let Phase::Draining { back, calls } = &mut self.phase else { return true };
        *calls += usize::from(in_flight <= limit);
        if *calls > 2 * limit {
            self.phase = Phase::Measuring { back: *back };
            self.window = Window { since: now, ..Window::default() };
        }
        false
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small constant")]
    fn needed(&self) -> u32 {
        match self.phase {
            Phase::Measuring { .. } => self.bounds.samples.max(2 * SURE as u32),
            _ => self.bounds.samples,
        }
    }

    /// A call was refused by the backend, or took too long: the limit shrinks at once, once in a window.
    pub(crate) fn dropped(&mut self) {
        self.starting = false;
        if !std::mem::replace(&mut self.window.dropped, true) {
            self.limit = (self.limit * self.bounds.backoff).max(self.bounds.min);
        }
    }

    /// Until `until` the backend takes `rate` calls a second: no more at once than that rate keeps busy (Little's law).
    pub(crate) fn cap(&mut self, rate: f64, until: Duration) {
        let busy = rate * self.base.unwrap_or(1.0);
        self.cap = Some((busy.ceil().max(self.bounds.min), until));
    }

    /// Until `until` the limit does not grow.
    pub(crate) fn hold(&mut self, until: Duration) {
        self.held = Some((self.limit, until));
    }

    fn close_window(&mut self, now: Duration) {
        let window = std::mem::replace(&mut self.window, Window { since: now, ..Window::default() });
        let mean = window.sum / f64::from(window.samples.max(1));
        match self.phase {
            Phase::Steady => self.steady(&window, mean),
            Phase::Draining { .. } => {}
            Phase::Measuring { back } => self.measured(back, mean),
        }
    }

    fn steady(&mut self, window: &Window, mean: f64) {
        let weight = (f64::from(window.samples) / SURE).min(1.0);
        let now = self.now.map_or(mean, |now| now + weight * (mean - now));
        let base = match self.base {
            // One at a time cannot queue.
            Some(base) if now >= base * (1.0 - SURPRISE) && self.limit >= 2.0 => base,
            Some(base) => base + weight * TRUST * (now - base),
            None => now,
        };
        (self.now, self.base) = (Some(now), Some(base));
        if !window.dropped {
            self.step(base / now.max(f64::MIN_POSITIVE), weight, window.busiest);
        }
        self.until_probe = self.until_probe.saturating_sub(1);
        if self.until_probe == 0 {
            self.probe();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer calls than a float can count")]
    fn step(&mut self, speed: f64, weight: f64, busiest: usize) {
        let gradient = (self.bounds.tolerance * speed).clamp(0.5, 1.0);
        self.starting &= gradient >= 1.0;
        let target = if gradient < 1.0 {
            self.limit * gradient
        } else if (busiest as f64) < self.limit / 2.0 {
            // Nobody asked for as much as there is: more would say nothing about the backend.
            self.limit
        } else if self.starting {
            self.limit * 2.0
        } else {
            self.limit + 1.0 + self.limit.sqrt() / 2.0
        };
        self.limit =
            (self.limit + weight * SMOOTHING * (target - self.limit)).clamp(self.bounds.min, self.bounds.max);
    }

    /// With room for less than two there is nothing to halve.
    fn probe(&mut self) {
        self.until_probe = self.between_probes;
        if self.limit >= 2.0 && self.limit / 2.0 >= self.bounds.min {
            self.phase = Phase::Draining { back: self.limit, calls: 0 };
        }
    }

    /// A queue was mistaken for the work itself when halving the limit made calls much faster: then the next probe is
    /// soon. When it changed little, probes become rare.
    fn measured(&mut self, back: f64, mean: f64) {
        let known = self.base.unwrap_or(mean);
        let wrong = (mean / known.max(f64::MIN_POSITIVE) - 1.0).abs() > SURPRISE;
        self.base = Some(if mean < known * (1.0 - SURPRISE) { mean } else { f64::midpoint(known, mean) });
        self.between_probes = if wrong { FIRST_PROBE } else { (self.between_probes * 2).min(LAST_PROBE) };
        self.until_probe = self.between_probes;
        self.limit = self.limit.min(back);
        self.now = None;
        self.phase = Phase::Steady;
    }
}

#[cfg(test)]
mod tests;
