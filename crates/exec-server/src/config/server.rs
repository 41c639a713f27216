//! `[server]` and `[limits]`: the door of the house and what may come in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use exec_core::Budget;
use http::HeaderName;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::read::Reader;

/// `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where requests are accepted; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The provider that is asked when nobody names one.
    pub default_provider: Option<String>,
    /// The header whose value says whose call it is.
    #[serde(deserialize_with = "header_name")]
    pub tenant_header: Option<HeaderName>,
    /// Where the server keeps what it stores.
    pub data_dir: Option<PathBuf>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// The most connections of callers at a time; more wait in the operating system's queue.
    pub max_connections: usize,
    /// How long a caller may take to send a request's head.
    #[serde(with = "exec_core::duration")]
    pub head_timeout: Duration,
    /// How long a caller may take to send a request's body.
    #[serde(with = "exec_core::duration")]
    pub body_timeout: Duration,
    /// How long an execution may take in all, its body included.
    #[serde(with = "exec_core::duration")]
    pub timeout: Duration,
    /// How often a stream that says nothing shows that it lives.
    #[serde(with = "exec_core::duration")]
    pub keep_alive: Duration,
    /// How long executions may go on after the server was told to stop.
    #[serde(with = "exec_core::duration")]
    pub grace: Duration,
}

fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    HeaderName::try_from(name).map(Some).map_err(|_| D::Error::custom("is not the name of a header"))
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            default_provider: None,
            tenant_header: None,
            data_dir: None,
            max_body_bytes: 32 << 20,
            max_connections: 16_384,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            timeout: Duration::from_secs(600),
            keep_alive: Duration::from_secs(15),
            grace: Duration::from_secs(30),
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, reader: &mut Reader) {
        let durations = [
            ("head_timeout", self.head_timeout),
            ("body_timeout", self.body_timeout),
            ("timeout", self.timeout),
            ("keep_alive", self.keep_alive),
        ];
        for (name, duration) in durations {
            if duration.is_zero() {
                reader.problem(format!("server.{name}"), "must be more than zero");
            }
        }
        let counts = [("max_body_bytes", self.max_body_bytes), ("max_connections", self.max_connections)];
        for (name, count) in counts {
            if count == 0 {
                reader.problem(format!("server.{name}"), "must be at least 1");
            }
        }
    }
}

/// `[limits]`: what one execution may ask for and use.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The most characters of a prompt of the native API.
    pub prompt_chars: usize,
    /// The largest `maxTokens` of the native API.
    pub max_tokens: u64,
    /// The most calls of providers one execution may make, whatever falls back inside it.
    pub attempts: u32,
}

impl LimitsConfig {
    /// What holds when nothing is set.
    pub(crate) const DEFAULT: Self =
        Self { prompt_chars: 10_000, max_tokens: 8_000, attempts: Budget::DEFAULT_ATTEMPTS };
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl LimitsConfig {
    pub(super) fn check(self, reader: &mut Reader) {
        if self.prompt_chars == 0 {
            reader.problem("limits.prompt_chars", "must be at least 1");
        }
        if self.max_tokens == 0 {
            reader.problem("limits.max_tokens", "must be at least 1");
        }
        if self.attempts == 0 {
            reader.problem("limits.attempts", "must be at least 1");
        }
    }
}
