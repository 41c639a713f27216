//! Bodies of failures as providers, compatible servers and proxies in front of them send them, and what each means: those
//! that the tests of `exec-providers` hold the taxonomy to, read from their files.

use crate::faults::house::Wire;
use crate::faults::rules::canned::Reply;
use crate::faults::rules::retries::date_in;
use crate::shell::{self, Result};
use serde_json::Value;

const FOLDER: &str = "crates/exec-providers/tests/it/errors";
/// Stands for the HTTP date so many seconds from now.
const IN_90_S: &str = "{in 90s}";

/// What happens after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The same provider is asked again, and then another.
    Again,
    /// Another is asked.
    Another,
    /// Nobody: the request is at fault.
    Nobody,
}

/// A failure and what it means.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Who sends it.
    pub(super) from: String,
    pub(super) reply: Reply,
    /// The kind of the error, as the native format names it.
    pub(super) kind: String,
    pub(super) then: Then,
}

impl Case {
    /// Those that providers of this format send, but for those inside a stream that has begun.
    pub(super) fn all(wire: Wire) -> Result<Vec<Self>> {
        let mut files: Vec<_> = std::fs::read_dir(shell::root()?.join(FOLDER))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort();
        let mut cases = Vec::new();
        for file in files {
            let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
            let ours =
                entries.iter().filter(|entry| entry["format"] == wire.name() && entry["stream"] != true);
            cases.extend(ours.map(Self::read).collect::<Result<Vec<_>>>()?);
        }
        Ok(cases)
    }

    fn read(entry: &Value) -> Result<Self> {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let status = u16::try_from(entry["status"].as_u64().ok_or("a failure without a status")?)?;
        // A wait that is longer than the retry of these calls allows sends them to another at once.
        let waits = entry["retry_after"].as_str().is_some_and(|wait| wait != "0s");
        let then = match entry["remedy"].as_str() {
            Some("stop") => Then::Nobody,
            Some("retry") if !waits => Then::Again,
            _ => Then::Another,
        };
        let reply = Reply { status, head: head(entry)?, body: body(entry) };
        Ok(Self { from: text("from"), reply, kind: text("kind"), then })
    }

    /// The status of the kind.
    pub(super) fn status(&self) -> u16 {
        match self.kind.as_str() {
            "invalid_request" | "context_length" | "content_filtered" => 400,
            "unauthenticated" => 401,
            "permission_denied" => 403,
            "not_found" => 404,
            "too_large" => 413,
            "unsupported" => 422,
            "rate_limited" => 429,
            "upstream" => 502,
            _ => 503,
        }
    }
}

fn head(entry: &Value) -> Result<String> {
    let kind = if entry["body"].is_string() { "text/html" } else { "application/json" };
    let mut head = format!("content-type: {kind}\r\n");
    for (name, value) in entry["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let value = if value == IN_90_S { date_in(90)? } else { value.to_owned() };
        head += &format!("{name}: {value}\r\n");
    }
    Ok(head)
}

/// The text, or JSON.
fn body(entry: &Value) -> String {
    entry["body"].as_str().map_or_else(|| entry["body"].to_string(), str::to_owned)
}
