//! What is soaked: two upstreams, one of each format, and a server with every guard it has.

use crate::lab::{Gateway, Lab};
use crate::shell::Result;
use std::time::Duration;
use xtask::upstream::Upstream;

/// The window of the limit that counts requests and tokens.
pub(super) const WINDOW: Duration = Duration::from_secs(5);
/// What may be asked in a window: more than ever is, so that it is counted and settled but refuses nobody.
pub(super) const REQUESTS: u32 = 1_000_000;
pub(super) const TOKENS: u32 = 1_000_000_000;

/// Everything that is running.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) first: Upstream,
    pub(super) second: Upstream,
    pub(super) gateway: Gateway,
}

impl Setup {
    pub(super) async fn open(lab: &Lab) -> Result<Self> {
        let (first, second) = (Upstream::start().await?, Upstream::start().await?);
        let gateway = lab.start(&configuration(&first.url(), &second.url()), &["--log", "error"])?;
        Ok(Self { first, second, gateway })
    }

    /// Calls that are being answered upstream.
    pub(super) fn upstream_in_flight(&self) -> u64 {
        self.first.stats().in_flight + self.second.stats().in_flight
    }

    /// Connections that the server holds to its upstreams.
    pub(super) fn upstream_open(&self) -> u64 {
        self.first.stats().open + self.second.stats().open
    }
}

fn configuration(first: &str, second: &str) -> String {
    let timeout = "timeout = { connect = \"5s\", first_chunk = \"5s\", idle = \"5s\", total = \"8s\" }";
    let transport = "transport = { max_connections = 512, max_waiting = 4096 }";
    let breaker = "breaker = { failure_rate = 0.8, volume = 50, open = \"500ms\", open_max = \"1s\" }";
    let guard = "guard = [\"retry\", \"hedge\", \"breaker\", \"limit\", \"timeout\"]\nretry = { attempts = 2, total = \"6s\", backoff = { base = \"10ms\", cap = \"50ms\" } }";
    format!(
        r#"
[server]
default_provider = "either"
max_connections = 12000

[pipeline]
middleware = ["trace", "metrics", "catch_panic", "validate", "rate_limit", "concurrency_limit", "timeout"]

[middleware.rate_limit]
limits = [{{ requests = {REQUESTS}, tokens = {TOKENS}, window = "{}s", per = "global" }}]

[middleware.concurrency_limit]
limit = 2000
queue = 4000
wait = "10s"

[middleware.timeout]
total = "60s"

[providers.first]
type = "openai"
base_url = "{first}/v1"
api_key = "any"
{timeout}
{transport}
{guard}
{breaker}
limit = {{ concurrency = 600, queue = 2000, wait = "3s" }}

[providers.second]
type = "anthropic"
base_url = "{second}"
api_key = "any"
{timeout}
{transport}
{guard}
{breaker}
limit = {{ adaptive = {{ min = 300, max = 600, initial = 400, queue = 2000, wait = "3s" }} }}

[providers.either]
type = "fallback"
members = ["first", "second"]
mid_stream = "continue"
"#,
        WINDOW.as_secs()
    )
}
