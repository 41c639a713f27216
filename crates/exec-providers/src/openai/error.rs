//! Reads what a provider says when it fails, without ever repeating the key it was called with.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use exec_core::{Error, Raw, UpstreamAnswer};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::error_rules::{self, Said};
use crate::retry_after::retry_after;

/// Larger bodies are not kept for the caller.
const MAX_KEPT: usize = 16 * 1024;
/// The most characters of a message that are repeated.
const MAX_MESSAGE: usize = 1000;
/// A shorter key is none, and would be found in any text.
const MIN_KEY: usize = 4;

/// Reads failures of a provider that is called with one key.
#[derive(Default)]
pub(super) struct ErrorReader {
    pub(super) key: Option<SecretString>,
}

impl ErrorReader {
    /// What an answer with a status that is no success means.
    pub(super) fn http(&self, status: u16, headers: &HeaderMap, body: &Bytes) -> Error {
        let value = self.read(body);
        let said = value.as_ref().map(Said::of).or_else(|| self.plain(body)).unwrap_or_default();
        let should_retry = header(headers, "x-should-retry").and_then(|text| text.parse().ok());
        let verdict = error_rules::judge(status, &said, should_retry);
        let mut error = verdict.into_error(status, &self.message(&said));
        let wait = retry_after(headers, SystemTime::now()).or_else(|| limit_reset(status, headers));
        if let Some(wait) = wait {
            error = error.with_retry_after(wait);
        }
        error.with_upstream(UpstreamAnswer { status, body: self.kept(body, value) })
    }

    /// What an error inside a successful answer means: an `error` member, or a text that is no JSON at all.
    pub(super) fn in_answer(&self, body: &Bytes) -> Error {
        let value = self.read(body);
        let said = value.as_ref().map(Said::of).or_else(|| self.plain(body)).unwrap_or_default();
        let status = said.status.unwrap_or(200);
        let error = error_rules::judge(status, &said, None).into_error(status, &self.message(&said));
        error.with_upstream(UpstreamAnswer { status, body: self.kept(body, value) })
    }

    fn message(&self, said: &Said) -> String {
        let message = said.message.as_deref().unwrap_or("the provider gave no reason");
        // First the key, then the length: a cut key is a key that is not found.
        let text = self.redact(message);
        text.char_indices().nth(MAX_MESSAGE).map_or(text.as_str(), |(end, _)| &text[..end]).to_owned()
    }

    /// The body as JSON without the key in it.
    fn read(&self, body: &Bytes) -> Option<Value> {
        let mut value = serde_json::from_slice(body).ok()?;
        self.redact_value(&mut value);
        Some(value)
    }

    /// A short text that is no page of HTML.
    fn plain(&self, body: &Bytes) -> Option<Said> {
        let text = std::str::from_utf8(body).ok()?.trim();
        let readable = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('<');
        readable.then(|| Said { message: Some(self.redact(text)), ..Said::default() })
    }

    /// What the caller may see of the body: byte for byte unless the key is in it.
    fn kept(&self, body: &Bytes, clean: Option<Value>) -> Option<Raw> {
        let clean = clean.filter(|_| body.len() <= MAX_KEPT)?;
        let same = serde_json::from_slice::<Value>(body).is_ok_and(|given| given == clean);
        if same { Raw::parse(body).ok() } else { Some(clean.into()) }
    }

    fn redact(&self, text: &str) -> String {
        match &self.key {
            Some(key) if key.expose_secret().len() >= MIN_KEY => {
                text.replace(key.expose_secret(), "[redacted]")
            }
            _ => text.to_owned(),
        }
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(members) => {
                let old = std::mem::take(members);
                members.extend(old.into_iter().map(|(name, mut value)| {
                    self.redact_value(&mut value);
                    (self.redact(&name), value)
                }));
            }
            _ => {}
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// When the limits that are used up are renewed. A remaining count of -1 is what some servers send for "unknown".
fn limit_reset(status: u16, headers: &HeaderMap) -> Option<Duration> {
    if status != 429 {
        return None;
    }
    let reset = |what: &str| {
        let wait = go_duration(header(headers, &format!("x-ratelimit-reset-{what}"))?)?;
        let spent = header(headers, &format!("x-ratelimit-remaining-{what}")) == Some("0");
        Some((spent, wait))
    };
    let resets: Vec<_> = [reset("requests"), reset("tokens")].into_iter().flatten().collect();
    let spent = resets.iter().filter(|(spent, _)| *spent).map(|(_, wait)| *wait).max();
    spent.or_else(|| resets.iter().map(|(_, wait)| *wait).min())
}

/// `6m0s`, `1.5s`, `20ms`, as the Go language writes durations.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let number: f64 = rest[..unit_at].parse().ok()?;
        rest = &rest[unit_at..];
        let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit_end] {
                "ns" => 1e-9,
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
