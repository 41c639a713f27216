//! How long to wait before the next attempt: a pure schedule. Randomness is handed in, nothing here sleeps.
//!
//! Full and decorrelated jitter as in "Exponential Backoff And Jitter" (Brooker, 2015). Written here rather than taken
//! from a library because a delay is a function of the retry, the delay before it and one random number, so that every
//! claim about it can be tested over all inputs; libraries keep the randomness to themselves.

use std::time::Duration;

use exec_core::FieldError;
use serde::{Deserialize, Serialize};

/// The longest cap that may be set.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How a delay is spread, so that callers who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Anything from nothing to `min(cap, base * factor^(n-1))`. The least load on the provider.
    #[default]
    Full,
    /// Anything from `base` to three times the delay before it, at most `cap`. Never at once.
    Decorrelated,
    /// Exactly `min(cap, base * factor^(n-1))`. For tests, and for a caller that is alone.
    None,
}

/// The settings of a [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// The first delay before jitter. Default 1 s.
    #[serde(with = "exec_core::duration")]
    pub base: Duration,
    /// How much longer each following delay is; at least 1. Default 2. Not used by decorrelated jitter.
    pub factor: f64,
    /// No delay is longer. Default 30 s, at most a day.
    #[serde(with = "exec_core::duration")]
    pub cap: Duration,
    /// How it is spread. Default full.
    pub jitter: Jitter,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        let (base, cap) = (Duration::from_secs(1), Duration::from_secs(30));
        Self { base, factor: 2.0, cap, jitter: Jitter::Full }
    }
}

impl BackoffConfig {
    /// Everything that is wrong with the settings; nothing when a schedule can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.base.is_zero() {
            errors.push(FieldError::new("base", "out_of_range", "must be longer than 0s"));
        }
        if !(self.base..=LONGEST).contains(&self.cap) {
            errors.push(FieldError::new("cap", "out_of_range", "must be between `base` and 24h"));
        }
        if !(1.0..=f64::MAX).contains(&self.factor) {
            errors.push(FieldError::new("factor", "out_of_range", "must be at least 1"));
        }
        errors
    }
}

/// A schedule of delays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    config: BackoffConfig,
}

impl Backoff {
    /// A schedule with these settings.
    ///
    /// # Errors
    /// Everything that is wrong with them: `base` not above 0, `cap` below `base` or above a day, `factor` below 1.
    pub fn new(config: BackoffConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if errors.is_empty() { Ok(Self { config }) } else { Err(errors) }
    }

    /// The delay before retry `n`, counted from 1. `previous` is the delay before it (nothing before the first);
    /// `random` is any number, and all are equally likely to be handed in.
    #[must_use]
    pub fn delay(&self, n: u32, previous: Duration, random: u64) -> Duration {
        let BackoffConfig { base, cap, jitter, .. } = self.config;
        match jitter {
            Jitter::None => self.ceiling(n),
            Jitter::Full => between(Duration::ZERO, self.ceiling(n), random),
            Jitter::Decorrelated => {
                let most = previous.max(base).saturating_mul(3).min(cap);
                between(base, most, random)
            }
        }
    }

    /// `min(cap, base * factor^(n-1))`.
    fn ceiling(&self, n: u32) -> Duration {
        let BackoffConfig { base, factor, cap, .. } = self.config;
        let grown = base.as_secs_f64() * factor.powf(f64::from(n.saturating_sub(1)));
        if grown < cap.as_secs_f64() { Duration::from_secs_f64(grown) } else { cap }
    }
}

/// The point between two durations of at most a day at the fraction `random / 2^64`, both ends included.
fn between(low: Duration, high: Duration, random: u64) -> Duration {
    let span = high.saturating_sub(low).as_nanos() + 1;
    let nanos = (span * u128::from(random)) >> 64;
    low + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(jitter: Jitter) -> Backoff {
        Backoff::new(BackoffConfig { jitter, ..BackoffConfig::default() }).unwrap()
    }

    #[test]
    fn the_schedule_doubles_up_to_its_cap() {
        let delays = [1, 2, 3, 5, 6, u32::MAX].map(|n| schedule(Jitter::None).delay(n, Duration::ZERO, 7));
        assert_eq!(delays.map(|delay| delay.as_secs()), [1, 2, 4, 16, 30, 30]);
    }

    #[test]
    fn jitter_reaches_both_ends_of_its_interval() {
        let full = schedule(Jitter::Full);
        assert_eq!(full.delay(2, Duration::ZERO, 0), Duration::ZERO);
        assert_eq!(full.delay(2, Duration::ZERO, u64::MAX), Duration::from_secs(2));
        let wide = schedule(Jitter::Decorrelated);
        let previous = Duration::from_secs(4);
        assert_eq!(wide.delay(9, previous, 0), Duration::from_secs(1));
        assert_eq!(wide.delay(9, previous, u64::MAX), Duration::from_secs(12));
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let config = BackoffConfig {
            base: Duration::ZERO,
            factor: f64::NAN,
            cap: Duration::MAX,
            ..BackoffConfig::default()
        };
        let errors = Backoff::new(config).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["base", "cap", "factor"]);
    }

    proptest! {
        /// Invariant 19.
        #[test]
        fn a_delay_is_inside_its_interval_whatever_the_retry(
            n in prop_oneof![1u32..40, Just(u32::MAX), any::<u32>()],
            random: u64,
            base in 1u64..100_000_000_000,
            more in 0u64..100_000_000_000,
            factor in prop_oneof![1.0f64..4.0, Just(f64::MAX)],
            previous: u64,
        ) {
            let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(base + more).min(LONGEST));
            let make = |jitter| Backoff::new(BackoffConfig { base, factor, cap, jitter }).unwrap();
            let previous = Duration::from_nanos(previous);
            let ceiling = make(Jitter::None).delay(n, previous, random);
            prop_assert!(ceiling <= cap && (n > 1 || ceiling.abs_diff(base) <= Duration::from_nanos(64)));
            prop_assert!(make(Jitter::Full).delay(n, previous, random) <= ceiling);
            let wide = make(Jitter::Decorrelated).delay(n, previous, random);
            prop_assert!(base <= wide && wide <= cap.min(previous.max(base) * 3));
        }
    }
}
