//! The settings of a fallback, and what is wrong with them.

use std::time::Duration;

use exec_core::FieldError;
use exec_middleware::{BreakerConfig, CircuitBreaker, Retry, RetryConfig};
use serde::{Deserialize, Serialize};

/// The settings of a [`Fallback`](super::Fallback).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackConfig {
    /// When a member is passed over or asked again. Default: immediate.
    pub mode: FallbackMode,
    /// When a member counts as broken, with `circuit_breaker`. Default: 5 failures in a row, for 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerConfig>,
    /// How a member is asked again, with `retry_then_fallback`. Default: 4 attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryConfig>,
    /// When a member counts as ill, with `health_based`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthConfig>,
    /// What happens to a stream that breaks after its first content. Default: fail.
    pub mid_stream: MidStream,
    /// How fast a stream must begin to be kept. Default: as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<PaceConfig>,
    /// What is answered when nobody can. Default: the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<DegradedConfig>,
}

/// When a member is passed over or asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallbackMode {
    /// Each member is asked once.
    #[default]
    Immediate,
    /// Each member is asked several times, with waits between.
    RetryThenFallback,
    /// A member that keeps failing is passed over for a while, then tried with a call.
    CircuitBreaker,
    /// A member that keeps failing is passed over until a check says that it is well.
    HealthBased,
}

/// What happens to a stream that breaks after its first content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MidStream {
    /// It ends with the error.
    #[default]
    Fail,
    /// The next member says it all again.
    Restart,
    /// The next member goes on from there if it can; else as with restart.
    Continue,
}

/// When a member counts as ill, and when as well again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// So many failed calls in a row make it ill. Default 3.
    pub failures: u32,
    /// So many good checks in a row make it well. Default 2.
    pub recoveries: u32,
    /// How long after it fell ill, or after a check that failed, it is checked again. Default 30 s.
    #[serde(with = "exec_core::duration")]
    pub interval: Duration,
    /// A check that takes longer has failed. Default 5 s.
    #[serde(with = "exec_core::duration")]
    pub timeout: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(5));
        Self { failures: 3, recoveries: 2, interval, timeout }
    }
}

impl HealthConfig {
    /// The breaker whose probes are checks. What it waits does not grow: a check costs nothing.
    pub(super) fn breaker(self) -> BreakerConfig {
        BreakerConfig {
            failures: Some(self.failures),
            open: self.interval,
            growth: 1.0,
            jitter: 0.2,
            probes: self.recoveries,
            success_rate: 1.0,
            ..BreakerConfig::default()
        }
    }
}

/// How fast a stream must begin to be kept: while another member is left, nothing of it is handed on before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceConfig {
    /// So many characters. Default 40.
    pub characters: usize,
    /// So soon after its first content. Default 2 s.
    #[serde(with = "exec_core::duration")]
    pub within: Duration,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self { characters: 40, within: Duration::from_secs(2) }
    }
}

/// What is answered when nobody can.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DegradedConfig {
    /// The text of the answer to a conversation.
    pub text: String,
}

impl FallbackConfig {
    /// Checks the settings for a fallback of so many members.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn validate(&self, members: usize) -> Result<(), Vec<FieldError>> {
        let mut found = Problems::default();
        found.when(members == 0, "members", "required", "name at least one provider");
        self.without_effect(members, &mut found);
        if let Some(Err(wrong)) = self.breaker.map(CircuitBreaker::new) {
            found.under("breaker", wrong);
        }
        if let Some(Err(wrong)) = self.retry.map(Retry::new) {
            found.under("retry", wrong);
        }
        if let Some(health) = self.health {
            if let Err(wrong) = CircuitBreaker::new(health.breaker()) {
                found.under("health", wrong.into_iter().map(as_health).collect());
            }
            found.when(health.timeout.is_zero(), "health.timeout", "out_of_range", "must be longer than 0s");
        }
        if let Some(pace) = self.pace {
            found.when(pace.characters == 0, "pace.characters", "out_of_range", "must be at least 1");
            found.when(pace.within.is_zero(), "pace.within", "out_of_range", "must be longer than 0s");
        }
        let silent = self.degraded.as_ref().is_some_and(|degraded| degraded.text.trim().is_empty());
        found.when(silent, "degraded.text", "required", "say what is answered when nobody can");
        if found.0.is_empty() { Ok(()) } else { Err(found.0) }
    }

    /// Settings that nobody would read are refused, not ignored.
    fn without_effect(&self, members: usize, found: &mut Problems) {
        for (path, set, mode, name) in [
            ("breaker", self.breaker.is_some(), FallbackMode::CircuitBreaker, "circuit_breaker"),
            ("retry", self.retry.is_some(), FallbackMode::RetryThenFallback, "retry_then_fallback"),
            ("health", self.health.is_some(), FallbackMode::HealthBased, "health_based"),
        ] {
            let message = format!("has no effect without mode = \"{name}\"");
            found.when(set && self.mode != mode, path, "no_effect", message);
        }
        let alone = members == 1;
        let message = "has no effect with one member: there is nobody else to ask";
        found.when(alone && self.mid_stream != MidStream::Fail, "mid_stream", "no_effect", message);
        found.when(alone && self.pace.is_some(), "pace", "no_effect", message);
    }
}

/// The names that the settings of the breaker have here.
fn as_health(error: FieldError) -> FieldError {
    let path = match error.path.as_str() {
        "probes" => "recoveries".to_owned(),
        "open" | "open_max" => "interval".to_owned(),
        _ => error.path,
    };
    FieldError { path, ..error }
}

#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn when(&mut self, wrong: bool, path: &str, code: &'static str, message: impl Into<String>) {
        if wrong {
            self.0.push(FieldError::new(path, code, message));
        }
    }

    fn under(&mut self, name: &str, errors: Vec<FieldError>) {
        self.0.extend(errors.into_iter().map(|e| FieldError { path: format!("{name}.{}", e.path), ..e }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(config: &FallbackConfig, members: usize) -> Vec<String> {
        config
            .validate(members)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|e| format!("{} {}", e.path, e.code))
            .collect()
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let config = FallbackConfig {
            mode: FallbackMode::HealthBased,
            breaker: Some(BreakerConfig { failures: Some(0), ..BreakerConfig::default() }),
            retry: Some(RetryConfig { attempts: 0, ..RetryConfig::default() }),
            health: Some(HealthConfig {
                recoveries: 0,
                interval: Duration::ZERO,
                timeout: Duration::ZERO,
                failures: 0,
            }),
            mid_stream: MidStream::Continue,
            pace: Some(PaceConfig { characters: 0, within: Duration::ZERO }),
            degraded: Some(DegradedConfig { text: " ".into() }),
        };
        assert_eq!(
            wrong(&config, 1),
            [
                "breaker no_effect",
                "retry no_effect",
                "mid_stream no_effect",
                "pace no_effect",
                "breaker.failures out_of_range",
                "retry.attempts out_of_range",
                "health.failures out_of_range",
                "health.recoveries out_of_range",
                "health.interval out_of_range",
                "health.timeout out_of_range",
                "pace.characters out_of_range",
                "pace.within out_of_range",
                "degraded.text required"
            ]
        );
        assert_eq!(wrong(&FallbackConfig::default(), 0), ["members required"]);
        assert!(wrong(&FallbackConfig::default(), 1).is_empty());
    }
}
