//! Guards with their settings: those that every call passes, and those of each try at one provider.
//!
//! What a guard's settings must be is said by its own crate; here they are read, with their paths.

use exec_core::FieldError;
use exec_middleware::{
    AdaptiveConfig, BreakerConfig, ConcurrencyConfig, HedgeConfig, Limit, MetricsConfig, Misplaced, Per,
    RateLimitConfig, RetryConfig, Severity, TimeoutConfig, ValidateConfig, lint,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Problem;
use super::read::Reader;

/// One guard with its settings.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// A span and events around every call.
    Trace,
    /// Calls are counted and timed.
    Metrics(MetricsConfig),
    /// A panic becomes an error.
    CatchPanic,
    /// A request that cannot work is refused.
    Validate(ValidateConfig),
    /// So much in a time.
    RateLimit(RateLimitConfig),
    /// A call that failed for a passing reason is made again.
    Retry(RetryConfig),
    /// A call that is slower than usual is made a second time.
    Hedge(HedgeConfig),
    /// What is broken is not called.
    Breaker(BreakerConfig),
    /// So much at once.
    ConcurrencyLimit(ConcurrencyConfig),
    /// The same with a number that finds itself.
    AdaptiveLimit(AdaptiveConfig),
    /// Time limits over everything a call does.
    Timeout(TimeoutConfig),
}

/// The guards that every call can pass, in the order that works.
pub(super) const KNOWN: [&str; 11] = [
    "trace",
    "metrics",
    "catch_panic",
    "validate",
    "rate_limit",
    "retry",
    "hedge",
    "breaker",
    "concurrency_limit",
    "adaptive_limit",
    "timeout",
];

pub(super) const NO_LIMIT: &str = "has no limit: set connect, first_chunk, idle or total";

/// Those without settings.
pub(super) const PLAIN: [&str; 2] = ["trace", "catch_panic"];

impl Guard {
    /// The guard `name` with the settings it has in `settings`, which stand under `path`; `None` when there is no such guard.
    pub(super) fn read(
        name: &str,
        settings: &mut Map<String, Value>,
        path: &str,
        reader: &mut Reader,
    ) -> Option<Self> {
        let at = format!("{path}.{name}");
        let mut take = || settings.remove(name).unwrap_or_else(|| Map::new().into());
        Some(match name {
            "trace" => Self::Trace,
            "metrics" => Self::Metrics(checked(take(), &at, reader, MetricsConfig::problems)),
            "catch_panic" => Self::CatchPanic,
            "validate" => Self::Validate(validate(take(), &at, reader)),
            "rate_limit" => Self::RateLimit(checked(take(), &at, reader, RateLimitConfig::problems)),
            "retry" => Self::Retry(retry(take(), &at, reader)),
            "hedge" => Self::Hedge(checked(take(), &at, reader, HedgeConfig::problems)),
            "breaker" => Self::Breaker(breaker(take(), &at, reader)),
            "concurrency_limit" => {
                Self::ConcurrencyLimit(checked(take(), &at, reader, ConcurrencyConfig::problems))
            }
            "adaptive_limit" => Self::AdaptiveLimit(checked(take(), &at, reader, AdaptiveConfig::problems)),
            "timeout" => Self::Timeout(timeout(take(), &at, reader)),
            _ => return None,
        })
    }

    /// As it calls itself.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Metrics(_) => "metrics",
            Self::CatchPanic => "catch_panic",
            Self::Validate(_) => "validate",
            Self::RateLimit(_) => "rate_limit",
            Self::Retry(_) => "retry",
            Self::Hedge(_) => "hedge",
            Self::Breaker(_) => "breaker",
            Self::ConcurrencyLimit(_) => "concurrency_limit",
            Self::AdaptiveLimit(_) => "adaptive_limit",
            Self::Timeout(_) => "timeout",
        }
    }

    /// Whether it is a retry, which draws from the common budget.
    pub(super) fn is_retry(&self) -> bool {
        matches!(self, Self::Retry(_))
    }

    /// Whether it counts for each tenant.
    pub(super) fn counts_tenants(&self) -> bool {
        let by_tenant = |limit: &Limit| matches!(limit.per, Per::Tenant | Per::TenantModel);
        matches!(self, Self::RateLimit(config) if config.limits.iter().any(by_tenant))
    }
}

/// What is wrong with the order of `guards`, which stand at `path`: what can only be a mistake, and what may be meant.
pub(super) fn misplaced(guards: &[Guard], path: &str) -> (Vec<Problem>, Vec<Problem>) {
    let found = lint(guards.iter().map(Guard::name));
    let (errors, warnings): (Vec<Misplaced>, _) =
        found.into_iter().partition(|misplaced| misplaced.severity == Severity::Error);
    let problems =
        |all: Vec<Misplaced>| all.into_iter().map(|one| Problem::new(path, one.to_string())).collect();
    (problems(errors), problems(warnings))
}

/// Settings that were read and hold.
fn checked<T: DeserializeOwned + Default>(
    value: Value,
    path: &str,
    reader: &mut Reader,
    problems: impl Fn(&T) -> Vec<FieldError>,
) -> T {
    let settings = reader.value(value, path);
    reader.fields(path, problems(&settings));
    settings
}

/// No operation of the server declares a schema of its answers yet.
fn validate(mut value: Value, path: &str, reader: &mut Reader) -> ValidateConfig {
    if take(&mut value, "output").is_some() {
        reader.problem(format!("{path}.output"), "has no effect: no operation here declares what it answers");
    }
    reader.value(value, path)
}

/// All retries draw from one budget, or an outage would be repeated as often as there are guards.
fn retry(mut value: Value, path: &str, reader: &mut Reader) -> RetryConfig {
    if take(&mut value, "budget").is_some() {
        reader.problem(format!("{path}.budget"), "all retries share one: set pipeline.retry_budget");
    }
    checked(value, path, reader, RetryConfig::problems)
}

/// `preset` gives the settings that are not there.
fn breaker(mut value: Value, path: &str, reader: &mut Reader) -> BreakerConfig {
    let preset = match take(&mut value, "preset") {
        None => None,
        Some(Value::String(name)) if name == "consecutive" => Some(BreakerConfig::consecutive()),
        Some(Value::String(name)) if name == "rate" => Some(BreakerConfig::rate()),
        Some(_) => {
            reader.problem(format!("{path}.preset"), "must be \"consecutive\" or \"rate\"");
            None
        }
    };
    if let (Some(Ok(Value::Object(preset))), Some(given)) =
        (preset.map(serde_json::to_value), value.as_object_mut())
    {
        for (name, setting) in preset {
            given.entry(name).or_insert(setting);
        }
    }
    checked(value, path, reader, BreakerConfig::problems)
}

/// A set of limits without any does nothing.
fn timeout(value: Value, path: &str, reader: &mut Reader) -> TimeoutConfig {
    let limits: TimeoutConfig = checked(value, path, reader, TimeoutConfig::problems);
    if limits == TimeoutConfig::default() {
        reader.problem(path, NO_LIMIT);
    }
    limits
}

fn take(value: &mut Value, name: &str) -> Option<Value> {
    value.as_object_mut().and_then(|members| members.remove(name))
}
