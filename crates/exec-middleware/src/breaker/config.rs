//! The settings of a breaker.

use std::time::Duration;

use exec_core::FieldError;
use serde::{Deserialize, Serialize};

use super::rules::Rules;
use super::window::Span;

const FAILURES: u32 = 5;
const WINDOW_CALLS: u32 = 100;
/// A byte is kept for each.
const MOST_CALLS: u32 = 100_000;
const MOST_PROBES: u32 = 1_000;

/// When a [`CircuitBreaker`](super::CircuitBreaker) opens, for how long, and what closes it.
///
/// It opens for the first of its rules that is reached: `failures`, `failure_rate`, `slow_rate`. With none of the three,
/// five failures in a row open it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// So many failures in a row open it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// So large a share of failed calls in the window opens it, above 0 and up to 1. Reached when equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// So large a share of slow calls in the window opens it, above 0 and up to 1. Reached when equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_rate: Option<f64>,
    /// An answer that begins after this time or later is slow, whether it succeeds or not.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub slow: Option<Duration>,
    /// With fewer results than this in the window, no share opens it.
    pub volume: u32,
    /// The window is the last so many results; 100 unless `window` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_calls: Option<u32>,
    /// The window is the results of the last so much time.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// How long it stays open.
    #[serde(with = "exec_core::duration")]
    pub open: Duration,
    /// How long it stays open at most, however often its probes failed; ten times `open` unless set.
    #[serde(with = "exec_core::duration::option", skip_serializing_if = "Option::is_none")]
    pub open_max: Option<Duration>,
    /// Each time its probes fail it stays open so many times as long, from 1 to 100.
    pub growth: f64,
    /// Of a time that has grown, up to this share is taken away at random, from 0 to 1.
    pub jitter: f64,
    /// So many calls are let through to see whether they succeed.
    pub probes: u32,
    /// This share of the probes must succeed to close it, above 0 and up to 1.
    pub success_rate: f64,
    /// Probes that did not answer after this time have failed.
    #[serde(with = "exec_core::duration")]
    pub half_open: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: None,
            failure_rate: None,
            slow_rate: None,
            slow: None,
            volume: 10,
            window_calls: None,
            window: None,
            open: Duration::from_secs(60),
            open_max: None,
            growth: 2.0,
            jitter: 0.5,
            probes: 1,
            success_rate: 0.8,
            half_open: Duration::from_secs(300),
        }
    }
}

impl BreakerConfig {
    /// Opens after 5 failures in a row, for 60 seconds; one good call closes it.
    #[must_use]
    pub fn consecutive() -> Self {
        Self { failures: Some(FAILURES), ..Self::default() }
    }

    /// Opens when half of the last 100 calls failed, once there are 10, for 60 seconds; 4 good calls of 5 close it.
    #[must_use]
    pub fn rate() -> Self {
        Self { failure_rate: Some(0.5), probes: 5, ..Self::default() }
    }

    /// What the settings come to, or everything that is wrong with them.
    pub(crate) fn rules(&self) -> Result<Rules, Vec<FieldError>> {
        let errors = self.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        let calls = Span::Calls(self.window_calls.unwrap_or(WINDOW_CALLS));
        let unset = self.failure_rate.is_none() && self.slow_rate.is_none();
        Ok(Rules {
            failures: self.failures.or(unset.then_some(FAILURES)),
            failure_rate: self.failure_rate,
            slow: self.slow.zip(self.slow_rate),
            volume: self.volume,
            span: self.window.map_or(calls, Span::Time),
            open: self.open,
            open_max: self.open_max.unwrap_or_else(|| self.open.saturating_mul(10)),
            growth: self.growth,
            jitter: self.jitter,
            probes: self.probes,
            needed: needed(self.success_rate, self.probes),
            half_open: self.half_open,
        })
    }

    /// Everything that is wrong with the settings; nothing when a breaker can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut found = Problems::default();
        for (path, rate) in [("failure_rate", self.failure_rate), ("slow_rate", self.slow_rate)] {
            found.share(path, rate.unwrap_or(1.0));
        }
        found.share("success_rate", self.success_rate);
        for (path, number, most) in [
            ("failures", self.failures.unwrap_or(1), u32::MAX),
            ("volume", self.volume, u32::MAX),
            ("window_calls", self.window_calls.unwrap_or(1), MOST_CALLS),
            ("probes", self.probes, MOST_PROBES),
        ] {
            found.when(!(1..=most).contains(&number), path, "out_of_range", format!("must be 1 to {most}"));
        }
        for (path, time) in
            [("window", self.window), ("open", Some(self.open)), ("half_open", Some(self.half_open))]
        {
            found.when(time == Some(Duration::ZERO), path, "out_of_range", "must be longer than no time");
        }
        let growth = "must be from 1 to 100";
        found.when(!(1.0..=100.0).contains(&self.growth), "growth", "out_of_range", growth);
        found.when(!(0.0..=1.0).contains(&self.jitter), "jitter", "out_of_range", "must be from 0 to 1");
        self.contradictions(&mut found);
        found.0
    }

    fn contradictions(&self, found: &mut Problems) {
        found.when(
            self.window.is_some() && self.window_calls.is_some(),
            "window",
            "conflict",
            "choose one of `window` and `window_calls`",
        );
        found.when(
            self.slow.is_some() != self.slow_rate.is_some(),
            "slow",
            "conflict",
            "set both of `slow` and `slow_rate`, or none",
        );
        let longest = self.open_max.unwrap_or(self.open);
        found.when(longest < self.open, "open_max", "conflict", "must not be shorter than `open`");
        let rated = self.failure_rate.is_some() || self.slow_rate.is_some();
        let calls = self.window_calls.unwrap_or(if self.window.is_some() { u32::MAX } else { WINDOW_CALLS });
        found.when(
            rated && self.volume > calls,
            "volume",
            "conflict",
            "must not be more than the window holds: it would never open",
        );
    }
}

/// How many of `probes` are the share `rate`, rounded up. What a product has too much in its last digits does not count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the probes")]
fn needed(rate: f64, probes: u32) -> u32 {
    ((rate * f64::from(probes) - 1e-9).ceil() as u32).clamp(1, probes)
}

#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn when(&mut self, wrong: bool, path: &str, code: &'static str, message: impl Into<String>) {
        if wrong {
            self.0.push(FieldError::new(path, code, message));
        }
    }

    /// What is not a number is no share either.
    fn share(&mut self, path: &str, share: f64) {
        let wrong = !(share > 0.0 && share <= 1.0);
        self.when(wrong, path, "out_of_range", "must be above 0 and at most 1");
    }
}
