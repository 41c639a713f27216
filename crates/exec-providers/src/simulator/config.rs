//! The settings of a simulator, and what is wrong with them.

use std::time::Duration;

use exec_core::{FieldError, Money};
use serde::Deserialize;

use super::failure::Failure;
use super::fault::Fault;

/// The most tokens an answer may be set to have: it is composed in memory before it is paced.
pub const MAX_TOKENS: u32 = 100_000;

/// How a simulator behaves. Durations are written as `"250ms"`, `"5s"`, `"2m"`.
///
/// ```
/// use exec_providers::simulator::SimulatorConfig;
/// let config: SimulatorConfig = serde_json::from_str(
///     r#"{"seed": 7, "latency": {"first_chunk": "250ms", "jitter": 0.2}, "fault": {"type": "cut", "after": 40}}"#,
/// ).unwrap();
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SimulatorConfig {
    /// What every answer, delay and failure is derived from. Default 0.
    pub seed: u64,
    /// How long it takes until something comes.
    pub latency: Latency,
    /// How fast tokens follow each other; 0 is as fast as they are read. Default 0.
    pub tokens_per_second: f64,
    /// How many tokens an answer has, from 1 to [`MAX_TOKENS`]. Default 40.
    pub tokens: u32,
    /// The share of calls that fail before anything is answered, from 0 to 1. Default 0.
    pub error_rate: f64,
    /// How they fail, one of these at random. Default: all with `server_error`.
    pub errors: Vec<Failure>,
    /// What tokens cost. Default nothing.
    pub price: Price,
    /// The models it lists; it answers for any other name as well. Default `simulator`.
    pub models: Vec<String>,
    /// The most tokens a prompt may have, from 1. Default 128,000.
    pub context_window: u64,
    /// Whether a conversation that ends with a turn of the assistant is refused. Default no.
    pub reject_prefill: bool,
    /// What goes wrong in every call that does not name faults of its own. Default nothing.
    pub fault: Option<Fault>,
}

/// How long it takes until something comes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Latency {
    /// The wait for the first chunk. Default none.
    #[serde(with = "exec_core::duration")]
    pub first_chunk: Duration,
    /// How far every wait may be off, as a share of it, from 0 to 1. Default 0.
    pub jitter: f64,
}

/// What a million tokens cost, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Price {
    /// Tokens of the prompt.
    pub input: Money,
    /// Tokens of the answer.
    pub output: Money,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Latency::default(),
            tokens_per_second: 0.0,
            tokens: 40,
            error_rate: 0.0,
            errors: vec![Failure::ServerError],
            price: Price::default(),
            models: vec!["simulator".to_owned()],
            context_window: 128_000,
            reject_prefill: false,
            fault: None,
        }
    }
}

impl SimulatorConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// Everything that is wrong, each with its path below this table.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            ("latency.jitter", share(self.latency.jitter), "must be from 0 to 1"),
            (
                "tokens_per_second",
                self.tokens_per_second.is_finite() && self.tokens_per_second >= 0.0,
                "must be 0 or more",
            ),
            ("tokens", (1..=MAX_TOKENS).contains(&self.tokens), "must be from 1 to 100000"),
            ("error_rate", share(self.error_rate), "must be from 0 to 1"),
            (
                "errors",
                self.error_rate <= 0.0 || !self.errors.is_empty(),
                "must name a failure when error_rate is above 0",
            ),
            ("models", self.models.iter().all(|model| !model.is_empty()), "must not hold an empty name"),
            ("context_window", self.context_window > 0, "must be at least 1"),
        ];
        let wrong: Vec<_> = rules
            .into_iter()
            .filter(|(_, holds, _)| !holds)
            .map(|(path, _, message)| FieldError::new(path, "out_of_range", message))
            .chain(self.fault.iter().flat_map(Fault::wrong))
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_is_valid_and_an_empty_table_is_the_default() {
        let config = SimulatorConfig::default();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(serde_json::from_value::<SimulatorConfig>(json!({})).unwrap(), config);
    }

    #[test]
    fn every_setting_is_read() {
        let config: SimulatorConfig = serde_json::from_value(json!({
            "seed": 1, "latency": {"first_chunk": "250ms", "jitter": 0.5}, "tokens_per_second": 50.0, "tokens": 60,
            "error_rate": 0.1, "errors": ["overloaded", "rate_limited"], "price": {"input": 150_000, "output": 600_000},
            "models": ["a"], "context_window": 100, "reject_prefill": true, "fault": {"type": "cut", "after": 40}
        }))
        .unwrap();
        let expected = SimulatorConfig {
            seed: 1,
            latency: Latency { first_chunk: Duration::from_millis(250), jitter: 0.5 },
            tokens_per_second: 50.0,
            tokens: 60,
            error_rate: 0.1,
            errors: vec![Failure::Overloaded, Failure::RateLimited],
            price: Price { input: Money::micros(150_000), output: Money::micros(600_000) },
            models: vec!["a".to_owned()],
            context_window: 100,
            reject_prefill: true,
            fault: Some(Fault::Cut { after: 40 }),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let config = SimulatorConfig {
            latency: Latency { jitter: 1.5, ..Latency::default() },
            tokens_per_second: f64::NAN,
            tokens: 0,
            error_rate: 0.5,
            errors: Vec::new(),
            models: vec![String::new()],
            context_window: 0,
            fault: Some(Fault::AnswersAs { model: String::new() }),
            ..SimulatorConfig::default()
        };
        let paths: Vec<_> = config.validate().unwrap_err().into_iter().map(|e| e.path).collect();
        assert_eq!(
            paths,
            [
                "latency.jitter",
                "tokens_per_second",
                "tokens",
                "errors",
                "models",
                "context_window",
                "fault.model"
            ]
        );
    }

    #[test]
    fn unknown_settings_are_refused() {
        let wrong = [json!({"sede": 1}), json!({"latency": {"first": "1s"}}), json!({"price": {"in": 1}})];
        for table in wrong {
            assert!(serde_json::from_value::<SimulatorConfig>(table.clone()).is_err(), "{table}");
        }
    }
}
