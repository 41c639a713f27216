//! What a failure of the provider means.

use std::time::SystemTime;

use bytes::Bytes;
use exec_core::{Error, ErrorKind, Remedy};
use http::HeaderMap;

use super::reset;
use crate::fault::{SPENT_RULING, advised, broken, by_status, by_wording, is_code};
use crate::key::Key;
use crate::object::Object;
use crate::retry_after::retry_after;

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
    fn of(body: &[u8]) -> Self {
        let outer = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text).ok());
        let Some(outer) = outer else { return Self::default() };
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

/// The error of an answer with a status that is no success. `key` is in none of its texts.
pub(super) fn of_status(status: u16, headers: &HeaderMap, body: &Bytes, key: &Key, now: SystemTime) -> Error {
    let said = Said::of(body);
    let error = meaning(Some(status), &said, key);
    let remedy = advised(headers, error.kind(), error.remedy());
    let mut error = error.with_remedy(remedy);
    let wait = retry_after(headers, now).or_else(|| reset::until_reset(status, headers, now));
    if let Some(wait) = wait {
        error = error.with_retry_after(wait);
    }
    error.with_upstream(key.answer(status, body))
}

/// The error an event of a stream says it is.
pub(super) fn of_event(data: &Bytes, key: &Key) -> Error {
    let said = Said::of(data);
    let error = meaning(None, &said, key);
    // The status under which the stream began; the words are those of the event.
    error.with_upstream(key.answer(200, data))
}

fn meaning(status: Option<u16>, said: &Said, key: &Key) -> Error {
    let text = said.message.as_deref().unwrap_or_default();
    let (kind, remedy, canonical) = special(status, said, text).unwrap_or_else(|| {
        let by_type = said.kind.as_deref().and_then(by_type);
        let (kind, remedy) = by_type.unwrap_or_else(|| by_status(status.unwrap_or(500), text));
        (kind, remedy, None)
    });
    let message = match (text.is_empty(), status) {
        (false, _) => key.message(text),
        (true, Some(status)) => format!("the provider answered with status {status}"),
        (true, None) => "the provider broke the answer off without a reason".to_owned(),
    };
    let mut error = Error::new(kind, message).with_remedy(remedy);
    let code = said.detail.as_deref().or(canonical).or(said.kind.as_deref()).map(|code| key.redact(code));
    if let Some(code) = code.filter(|code| is_code(code)) {
        error = error.with_code(code);
    }
    error
}

/// What only the words tell: these all come as `invalid_request_error` or `rate_limit_error`.
fn special(
    status: Option<u16>,
    said: &Said,
    text: &str,
) -> Option<(ErrorKind, Remedy, Option<&'static str>)> {
    let (kind, remedy, code) = SPENT_RULING;
    let is_spent = said.detail.as_deref() == Some("enforced_spend_limit_reached");
    if is_spent || said.kind.as_deref() == Some("billing_error") || status == Some(402) {
        return Some((kind, remedy, Some(code)));
    }
    let unspecific = matches!(said.kind.as_deref(), None | Some("invalid_request_error"));
    let ruling = by_wording(status.unwrap_or(200), text);
    ruling
        .filter(|ruling| unspecific || *ruling == SPENT_RULING)
        .map(|(kind, remedy, code)| (kind, remedy, Some(code)))
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

/// An answer that is none.
pub(super) fn malformed(what: &str) -> Error {
    broken("malformed_answer", format!("the provider sent {what}"))
}
