//! How a pool behaves: its size, its limits in time, and the presets.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// The settings of a [`Pool`](crate::Pool). Durations are written `"30s"` in text; `"0s"` switches off what says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The most connections at once, in use, idle, being made or being closed. 1 to 100,000. Default 10.
    pub max: usize,
    /// So many idle connections are kept ready, as far as `max` lets them: made ahead at the start and after a loss.
    /// At most `max`. Default 0.
    pub min_idle: usize,
    /// The most connections that are made at the same time. At least 1. Default 4.
    pub max_connecting: usize,
    /// The most callers that wait; the next one is refused at once. 0 means that nobody waits. Default 1024.
    pub max_waiting: usize,
    /// How long one `get` may take in all: waiting, connecting, checking and doing it again after a dead connection.
    /// Above 0. Default 30 s.
    #[serde(with = "duration")]
    pub wait: Duration,
    /// How long making one connection may take. It goes on when its caller is gone, for the next. Above 0. Default 10 s.
    #[serde(with = "duration")]
    pub connect: Duration,
    /// How long one check may take. Above 0. Default 5 s.
    #[serde(with = "duration")]
    pub check: Duration,
    /// How long a farewell to one connection may take; it counts as a connection until then. Above 0. Default 1 s.
    #[serde(with = "duration")]
    pub goodbye: Duration,
    /// A connection that was idle for less than this is lent without a check. `"0s"` checks always. Default 500 ms.
    #[serde(with = "duration")]
    pub trust: Duration,
    /// A connection idle for so long is closed, unless `min_idle` needs it. `"0s"`: never. Default 10 min.
    #[serde(with = "duration")]
    pub idle: Duration,
    /// A connection so old is closed when nobody uses it. `"0s"`: never. Default 30 min.
    #[serde(with = "duration")]
    pub lifetime: Duration,
    /// An idle connection is checked so often. `"0s"`: never. Default never.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
    /// The share by which `lifetime` and `keep_alive` are shortened at most, spread evenly over the connections.
    /// 0 to 0.9. Default 0.2.
    pub jitter: f64,
    /// After a failure to connect nothing is tried for so long, doubled by each further failure. Above 0. Default 10 ms.
    #[serde(with = "duration")]
    pub backoff: Duration,
    /// The longest pause after a failure to connect. At least `backoff`. Default 5 s.
    #[serde(with = "duration")]
    pub backoff_max: Duration,
    /// What a failure to connect means for those who wait. Default `fail`.
    pub on_connect_error: OnConnectError,
    /// A lease held for so long is reported, once, with the place it was taken at. `"0s"`: never. Default never.
    #[serde(with = "duration")]
    pub leak: Duration,
}

/// What a failure to connect means for those who wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnConnectError {
    /// They get the error at once, unless a connection is in use or on its way and may come to them.
    #[default]
    Fail,
    /// It is tried again until their time is over; then they get the last error.
    Retry,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// The most connections of one pool.
const MOST: usize = 100_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            max: 10,
            min_idle: 0,
            max_connecting: 4,
            max_waiting: 1024,
            wait: 30 * SECOND,
            connect: 10 * SECOND,
            check: 5 * SECOND,
            goodbye: SECOND,
            trust: Duration::from_millis(500),
            idle: 10 * MINUTE,
            lifetime: 30 * MINUTE,
            keep_alive: Duration::ZERO,
            jitter: 0.2,
            backoff: Duration::from_millis(10),
            backoff_max: 5 * SECOND,
            on_connect_error: OnConnectError::Fail,
            leak: Duration::ZERO,
        }
    }
}

impl Config {
    /// At most `max` connections, all else by default.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// For a database: 50 connections, 5 ready, closed after 30 s idle, kept alive every 10 s.
    #[must_use]
    pub fn database() -> Self {
        Self::preset(50, 5, 30 * SECOND, 10 * SECOND)
    }

    /// For servers of tools: 20 connections, 2 ready, closed after 60 s idle, kept alive every 15 s.
    #[must_use]
    pub fn mcp_tools() -> Self {
        Self::preset(20, 2, 60 * SECOND, 15 * SECOND)
    }

    /// For an HTTP upstream: 100 connections, 10 ready, closed after 60 s idle, looked at every 20 s.
    #[must_use]
    pub fn http_client() -> Self {
        Self::preset(100, 10, 60 * SECOND, 20 * SECOND)
    }

    /// [`database`](Self::database) at production size: 100 connections, 10 ready.
    #[must_use]
    pub fn database_production() -> Self {
        Self { max: 100, min_idle: 10, ..Self::database() }
    }

    /// [`mcp_tools`](Self::mcp_tools) at production size: 50 connections, 5 ready.
    #[must_use]
    pub fn mcp_tools_production() -> Self {
        Self { max: 50, min_idle: 5, ..Self::mcp_tools() }
    }

    fn preset(max: usize, min_idle: usize, idle: Duration, keep_alive: Duration) -> Self {
        Self { min_idle, idle, keep_alive, ..Self::new(max) }
    }

    /// Everything that is wrong with it; empty when a pool can be made of it.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |wrong: bool, field: &'static str, message: &'static str| {
            if wrong {
                problems.push(Problem { field, message });
            }
        };
        check(!(1..=MOST).contains(&self.max), "max", "must be 1 to 100000");
        check(self.min_idle > self.max, "min_idle", "must not be above max");
        check(self.max_connecting == 0, "max_connecting", "must be at least 1");
        for (field, duration) in [
            ("wait", self.wait),
            ("connect", self.connect),
            ("check", self.check),
            ("goodbye", self.goodbye),
            ("backoff", self.backoff),
        ] {
            check(duration.is_zero(), field, "must be above 0s");
        }
        for (field, duration) in self.limits() {
            check(duration > YEAR, field, "must be at most a year");
        }
        check(!(0.0..=0.9).contains(&self.jitter), "jitter", "must be 0 to 0.9");
        check(self.backoff_max < self.backoff, "backoff_max", "must not be below backoff");
        problems
    }

    fn limits(&self) -> [(&'static str, Duration); 11] {
        [
            ("wait", self.wait),
            ("connect", self.connect),
            ("check", self.check),
            ("goodbye", self.goodbye),
            ("trust", self.trust),
            ("idle", self.idle),
            ("lifetime", self.lifetime),
            ("keep_alive", self.keep_alive),
            ("backoff", self.backoff),
            ("backoff_max", self.backoff_max),
            ("leak", self.leak),
        ]
    }
}

/// No limit is longer: instants must not overflow.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// One field of a [`Config`] that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The name of the field.
    pub field: &'static str,
    /// What it must be.
    pub message: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_as_they_are_documented_and_sound() {
        let sizes = |config: Config| {
            assert_eq!(config.problems(), []);
            (config.max, config.min_idle, config.idle.as_secs(), config.keep_alive.as_secs())
        };
        assert_eq!(sizes(Config::default()), (10, 0, 600, 0));
        assert_eq!(sizes(Config::database()), (50, 5, 30, 10));
        assert_eq!(sizes(Config::mcp_tools()), (20, 2, 60, 15));
        assert_eq!(sizes(Config::http_client()), (100, 10, 60, 20));
        assert_eq!(sizes(Config::database_production()), (100, 10, 30, 10));
        assert_eq!(sizes(Config::mcp_tools_production()), (50, 5, 60, 15));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let zero = Duration::ZERO;
        let config = Config {
            max: 0,
            min_idle: 1,
            max_connecting: 0,
            wait: zero,
            connect: zero,
            check: zero,
            goodbye: zero,
            jitter: f64::NAN,
            backoff_max: zero,
            idle: Duration::MAX,
            ..Config::default()
        };
        let fields: Vec<_> = config.problems().iter().map(|problem| problem.field).collect();
        assert_eq!(
            fields,
            [
                "max",
                "min_idle",
                "max_connecting",
                "wait",
                "connect",
                "check",
                "goodbye",
                "idle",
                "jitter",
                "backoff_max"
            ]
        );
    }

    #[test]
    fn text_is_read_strictly_and_zero_stays_zero() {
        let config: Config = serde_json::from_str(r#"{"max": 7, "idle": "0s", "wait": "1m 500ms"}"#).unwrap();
        assert_eq!((config.max, config.idle, config.wait.as_millis()), (7, Duration::ZERO, 60_500));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
        assert!(serde_json::from_str::<Config>(r#"{"maximum": 7}"#).is_err());
        let error = serde_json::from_str::<Config>(r#"{"wait": "60"}"#).unwrap_err().to_string();
        assert!(error.contains("`60` is no duration"), "{error}");
    }
}
