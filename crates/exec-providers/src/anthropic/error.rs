//! What a failure of the provider means.

use std::time::SystemTime;

use bytes::Bytes;
use exec_core::{Error, ErrorKind, Raw, Remedy, UpstreamAnswer};
use http::HeaderMap;
use serde_json::value::RawValue;

use super::reset;
use crate::object::Object;
use crate::retry_after::retry_after;

/// The largest body that is kept for the caller.
const MAX_KEPT: usize = 16 * 1024;

/// The longest message that is passed on, in characters.
const MAX_MESSAGE: usize = 2000;

/// What the provider said, as far as it said it in its format.
#[derive(Debug, Default)]
struct Said {
    kind: Option<String>,
    message: Option<String>,
    /// `details.error_code`, which tells apart what the type does not.
    detail: Option<String>,
}

impl Said {
    /// Reads `{"type":"error","error":{…}}`, or the inner object alone.
    fn of(json: &str) -> Self {
        let Ok(outer) = Object::parse(json) else { return Self::default() };
        let inner = outer.get("error");
        if let Some(message) = inner.and_then(|inner| serde_json::from_str(inner.get()).ok()) {
            return Self { message: Some(message), ..Self::default() };
        }
        let mut error = inner.and_then(Object::of).unwrap_or(outer);
        let details = error.take("details").and_then(Object::of);
        Self {
            kind: error.read("type"),
            message: error.read("message"),
            detail: details.and_then(|mut details| details.read("error_code")),
        }
    }
}

/// The error of an answer with a status that is no success. `secret` is in none of its texts.
pub(super) fn of_status(
    status: u16,
    headers: &HeaderMap,
    body: &Bytes,
    secret: Option<&str>,
    now: SystemTime,
) -> Error {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let said = Said::of(text);
    let mut error = meaning(Some(status), &said, secret);
    let wait = retry_after(headers, now).or_else(|| reset::until_reset(status, headers, now));
    if let Some(wait) = wait {
        error = error.with_retry_after(wait);
    }
    error.with_upstream(UpstreamAnswer { status, body: kept(text, secret) })
}

/// The error an event of a stream says it is.
pub(super) fn of_event(data: &str, secret: Option<&str>) -> Error {
    let said = Said::of(data);
    let error = meaning(None, &said, secret);
    // The status under which the stream began; the words are those of the event.
    error.with_upstream(UpstreamAnswer { status: 200, body: kept(data, secret) })
}

fn meaning(status: Option<u16>, said: &Said, secret: Option<&str>) -> Error {
    let text = said.message.as_deref().unwrap_or_default();
    let (kind, remedy) = special(said, text).unwrap_or_else(|| {
        let by_type = said.kind.as_deref().and_then(by_type);
        by_type.unwrap_or_else(|| by_status(status.unwrap_or(500)))
    });
    let message = match (text.is_empty(), status) {
        (false, _) => redact(text, secret).chars().take(MAX_MESSAGE).collect(),
        (true, Some(status)) => format!("the provider answered with status {status}"),
        (true, None) => "the provider broke the answer off without a reason".to_owned(),
    };
    let mut error = Error::new(kind, message).with_remedy(remedy);
    let code = said.detail.as_deref().or(said.kind.as_deref()).filter(|code| is_code(code));
    if let Some(code) = code {
        error = error.with_code(code);
    }
    error
}

/// A code is for programs: short and plain, and so no place for a secret.
fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// What only the words tell: these all come as `invalid_request_error` or `rate_limit_error`.
fn special(said: &Said, text: &str) -> Option<(ErrorKind, Remedy)> {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let spent = said.detail.as_deref() == Some("enforced_spend_limit_reached")
        || said.kind.as_deref() == Some("billing_error");
    if spent || says(&["credit balance is too low", "specified api usage limits"]) {
        return Some((ErrorKind::RateLimited, Remedy::Elsewhere));
    }
    if !matches!(said.kind.as_deref(), None | Some("invalid_request_error")) {
        return None;
    }
    if says(&["prompt is too long", "exceed context limit", "exceeds the context window", "context window"]) {
        return Some((ErrorKind::ContextLength, Remedy::Stop));
    }
    says(&["content filtering policy"]).then_some((ErrorKind::ContentFiltered, Remedy::Stop))
}

fn by_type(kind: &str) -> Option<(ErrorKind, Remedy)> {
    Some(match kind {
        "invalid_request_error" => (ErrorKind::InvalidRequest, Remedy::Stop),
        "authentication_error" => (ErrorKind::Unauthenticated, Remedy::Elsewhere),
        "permission_error" => (ErrorKind::PermissionDenied, Remedy::Elsewhere),
        "not_found_error" => (ErrorKind::NotFound, Remedy::Elsewhere),
        "request_too_large" => (ErrorKind::TooLarge, Remedy::Stop),
        "rate_limit_error" => (ErrorKind::RateLimited, Remedy::Retry),
        "overloaded_error" => (ErrorKind::Overloaded, Remedy::Retry),
        "api_error" | "timeout_error" | "conflict_error" => (ErrorKind::Upstream, Remedy::Retry),
        _ => return None,
    })
}

fn by_status(status: u16) -> (ErrorKind, Remedy) {
    match status {
        401 => (ErrorKind::Unauthenticated, Remedy::Elsewhere),
        402 => (ErrorKind::RateLimited, Remedy::Elsewhere),
        403 => (ErrorKind::PermissionDenied, Remedy::Elsewhere),
        404 => (ErrorKind::NotFound, Remedy::Elsewhere),
        413 => (ErrorKind::TooLarge, Remedy::Stop),
        429 => (ErrorKind::RateLimited, Remedy::Retry),
        503 | 529 => (ErrorKind::Overloaded, Remedy::Retry),
        408 | 409 | 425 | 500.. => (ErrorKind::Upstream, Remedy::Retry),
        400..=499 => (ErrorKind::InvalidRequest, Remedy::Stop),
        // A redirect, or a success that is none: this place is not what it was taken for.
        _ => (ErrorKind::Upstream, Remedy::Elsewhere),
    }
}

fn redact(text: &str, secret: Option<&str>) -> String {
    match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, "[redacted]"),
        _ => text.to_owned(),
    }
}

/// The body for the caller: small JSON, without the secret however it is written.
fn kept(text: &str, secret: Option<&str>) -> Option<Raw> {
    if text.len() > MAX_KEPT {
        return None;
    }
    let json: &RawValue = serde_json::from_str(text).ok()?;
    let redacted = Bytes::from(redact(json.get(), secret));
    let raw = Raw::parse(&redacted).ok()?;
    let hidden = secret.is_some_and(|secret| !secret.is_empty() && holds(&raw.to_value(), secret));
    (!hidden).then_some(raw)
}

/// Whether the secret is in a text once escapes are undone.
fn holds(value: &serde_json::Value, secret: &str) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains(secret),
        serde_json::Value::Array(list) => list.iter().any(|value| holds(value, secret)),
        serde_json::Value::Object(map) => {
            map.iter().any(|(name, value)| name.contains(secret) || holds(value, secret))
        }
        _ => false,
    }
}

/// An answer that is none.
pub(super) fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Upstream, format!("the provider sent {what}")).with_code("malformed_answer")
}
