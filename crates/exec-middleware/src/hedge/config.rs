//! The settings of a hedge.

use std::time::Duration;

use exec_core::{FieldError, Money};
use serde::{Deserialize, Serialize};

use crate::{RetryBudget, RetryBudgetConfig};

/// More at once are a mistake in a configuration.
const MOST_HEDGES: u32 = 10;
/// The longest delay that may be set.
const LONGEST: Duration = Duration::from_secs(3600);
/// In which time the share of hedges is counted.
const WINDOW: Duration = Duration::from_secs(60);

/// The settings of a [`Hedge`](super::Hedge).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HedgeConfig {
    /// So many more attempts of one call, from 1 to 10. Default 1.
    pub max_hedges: u32,
    /// The share of past calls whose first content had come by the time that counts as usual, from 0.5 to 0.999.
    /// Default 0.9.
    pub quantile: f64,
    /// So many times the usual is waited before a hedge is sent, from 1 to 100, so that the edge of the usual is not
    /// hedged. Default 1.5.
    pub factor: f64,
    /// How long to wait while fewer than `samples` calls are known. Default 2 s, at most an hour.
    #[serde(with = "exec_core::duration")]
    pub delay: Duration,
    /// It is never waited less. Default 10 ms.
    #[serde(with = "exec_core::duration")]
    pub min_delay: Duration,
    /// So many calls of a kind must be known before their times count. Default 50.
    pub samples: u32,
    /// So many kinds of calls (by operation, model, and whether streamed) are told apart; the others share one. Default 256.
    pub kinds: u32,
    /// Hedges may be at most this share of the calls within a minute, from 0 to 1. Default 0.05.
    pub share: f64,
    /// So many hedges a minute beside the share, for callers that ask seldom. Default 1.
    pub floor: u32,
    /// A call of which another attempt is taken to cost more, in millionths of a dollar, is not hedged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_micros: Option<Money>,
    /// What a million tokens are taken to cost, in millionths of a dollar. Default 0: what a hedge costs is not known, and
    /// neither `max_cost_micros` nor the money of an execution holds it back.
    pub price_micros: Money,
    /// The tokens an answer is taken to have if the request does not bound them. Default 1024.
    pub answer_tokens: u64,
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self {
            max_hedges: 1,
            quantile: 0.9,
            factor: 1.5,
            delay: Duration::from_secs(2),
            min_delay: Duration::from_millis(10),
            samples: 50,
            kinds: 256,
            share: 0.05,
            floor: 1,
            max_cost_micros: None,
            price_micros: Money::ZERO,
            answer_tokens: 1024,
        }
    }
}

impl HedgeConfig {
    /// Everything that is wrong with the settings; nothing when a hedge can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut when = |wrong: bool, path: &str, text: &str| {
            if wrong {
                errors.push(FieldError::new(path, "out_of_range", text));
            }
        };
        when(!(1..=MOST_HEDGES).contains(&self.max_hedges), "max_hedges", "must be between 1 and 10");
        when(!(0.5..=0.999).contains(&self.quantile), "quantile", "must be between 0.5 and 0.999");
        when(!(1.0..=100.0).contains(&self.factor), "factor", "must be between 1 and 100");
        let delay = !self.delay.is_zero() && self.delay <= LONGEST;
        when(!delay, "delay", "must be longer than 0s and at most 1h");
        when(self.min_delay > self.delay, "min_delay", "must not be longer than `delay`");
        when(self.samples == 0, "samples", "must be at least 1");
        when(self.kinds == 0, "kinds", "must be at least 1");
        when(!(0.0..=1.0).contains(&self.share), "share", "must be between 0 and 1");
        when(self.floor == 0 && self.share <= 0.0, "floor", "with a share of 0 no hedge is ever sent");
        let unpriced = self.max_cost_micros.is_some() && self.price_micros == Money::ZERO;
        when(unpriced, "max_cost_micros", "needs `price_micros`, or nothing is known to cost that much");
        errors
    }

    /// The budget of hedges, or everything that is wrong.
    pub(super) fn check(&self) -> Result<RetryBudget, Vec<FieldError>> {
        let errors = self.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        RetryBudget::new(RetryBudgetConfig { floor: self.floor, ratio: self.share, ttl: WINDOW })
    }
}
