//! The settings that every scenario runs with: one configuration, as an operator who reads the documents would write it.

use std::time::Duration;

/// What the first and the second provider can read: what is too long for one may not be for the other.
pub(super) const WINDOWS: [&str; 2] = ["context_window = 128000", "context_window = 200000"];

/// Of each of the two providers.
pub(super) const MEMBER: &str = r#"guard = ["retry", "breaker", "timeout"]
retry = { attempts = 3, max_retry_after = "5s" }
breaker = { failures = 5, open = "10s", open_max = "15s" }
timeout = { connect = "2s", first_chunk = "10s", idle = "10s", total = "12s" }"#;

/// Of the fallback over them.
pub(super) const FALLBACK: &str = r#"mid_stream = "continue""#;

/// How long a breaker stays open at most.
pub(super) const OPEN: Duration = Duration::from_secs(10);

/// The whole configuration, for the report.
pub(super) fn shown() -> String {
    let provider = |name: &str, kind: &str, models: &str, window: &str| {
        format!(
            "[providers.{name}]\ntype = \"{kind}\"\nmodels = {{ \"*\" = \"{models}\" }}\n{window}\n{MEMBER}\n\n"
        )
    };
    provider("first", "openai", "fault", WINDOWS[0])
        + &provider("second", "anthropic", super::house::SECOND_MODEL, WINDOWS[1])
        + &format!("[providers.chat]\ntype = \"fallback\"\nmembers = [\"first\", \"second\"]\n{FALLBACK}")
}
