//! Errors that every format has words for: an answer that is none, a stream that stops, a request nobody can write; and
//! what statuses and wordings mean, whoever says them.
//!
//! What nobody has a rule for is judged by the class of its status. A remedy says what would help, not what is allowed:
//! whether a call may be made twice is decided by [`Retry`](exec_middleware::Retry).

use exec_core::{Error, ErrorKind, Remedy};
use http::HeaderMap;

use crate::http::JsonError;

/// The prompt is longer than the model can read.
const TOO_LONG: [&str; 17] = [
    "maximum context length",
    "maximum prompt length",
    "context length exceeded",
    "context length is only",
    "exceeds the context length",
    "greater than the context length",
    "exceeds the context window",
    "exceed context window",
    "exceed context limit",
    "exceeds the available context size",
    "context size has been exceeded",
    "context the overflows",
    "prompt is too long",
    "input is too long",
    "exceeds the maximum number of tokens allowed",
    "`inputs` tokens + `max_new_tokens`",
    "n_keep",
];
/// The account has no money or no quota left: waiting does not help.
const SPENT: [&str; 10] = [
    "credit balance is too low",
    "specified api usage limits",
    "used all available credits",
    "monthly spending limit",
    "doesn't have any credits",
    "run out of credits",
    "insufficient balance",
    "extra usage is required",
    "free-models-per-day",
    "key limit exceeded",
];
const FILTERED: [&str; 6] = [
    "content filtering policy",
    "content management policy",
    "content exists risk",
    "violates usage guidelines",
    "potentially violating our usage policy",
    "inappropriate content",
];
/// The account may not do this, though the request is fine and the status says otherwise.
const DISABLED: [&str; 4] = [
    "organization has been disabled",
    "organization has been restricted",
    "organization must be verified",
    "location is not supported",
];
const WRONG_KEY: [&str; 3] = ["api key not valid", "api key expired", "incorrect api key"];
const NO_MODEL: [&str; 2] = ["is not a valid model id", "model not exist"];

/// What a failure is, what would help, and its code.
pub(crate) type Ruling = (ErrorKind, Remedy, &'static str);

pub(crate) const SPENT_RULING: Ruling = (ErrorKind::RateLimited, Remedy::Elsewhere, "insufficient_quota");
pub(crate) const TOO_LONG_RULING: Ruling =
    (ErrorKind::ContextLength, Remedy::Stop, "context_length_exceeded");
pub(crate) const FILTERED_RULING: Ruling = (ErrorKind::ContentFiltered, Remedy::Stop, "content_filter");
pub(crate) const DISABLED_RULING: Ruling =
    (ErrorKind::PermissionDenied, Remedy::Elsewhere, "account_disabled");
pub(crate) const WRONG_KEY_RULING: Ruling =
    (ErrorKind::Unauthenticated, Remedy::Elsewhere, "invalid_api_key");
pub(crate) const NO_MODEL_RULING: Ruling = (ErrorKind::NotFound, Remedy::Elsewhere, "model_not_found");

/// Failures whose wording says more than their status. A status of 200 is that of an error inside an answer.
pub(crate) fn by_wording(status: u16, message: &str) -> Option<Ruling> {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let refused = status == 200 || (400..500).contains(&status);
    if refused && says(&SPENT) {
        return Some(SPENT_RULING);
    }
    // One request that is larger than the limit of a minute never fits.
    if matches!(status, 413 | 429) && says(&["request too large"]) && says(&["per min"]) {
        return Some((ErrorKind::RateLimited, Remedy::Elsewhere, "request_too_large"));
    }
    // Some servers say this with status 500.
    if (refused || status == 500) && status != 429 && says(&TOO_LONG) {
        return Some(TOO_LONG_RULING);
    }
    if refused && (says(&FILTERED) || (status == 403 && says(&["flagged", "moderation"]))) {
        return Some(FILTERED_RULING);
    }
    if refused && says(&DISABLED) {
        return Some(DISABLED_RULING);
    }
    let by_400 = [(&WRONG_KEY[..], WRONG_KEY_RULING), (&NO_MODEL, NO_MODEL_RULING)];
    by_400.into_iter().find(|(words, _)| status == 400 && says(words)).map(|(_, ruling)| ruling)
}

/// What a status means that came with nothing better. Of 503 the wording says whether it is too much or nothing.
pub(crate) fn by_status(status: u16, message: &str) -> (ErrorKind, Remedy) {
    match status {
        401 => (ErrorKind::Unauthenticated, Remedy::Elsewhere),
        402 => (ErrorKind::RateLimited, Remedy::Elsewhere),
        403 => (ErrorKind::PermissionDenied, Remedy::Elsewhere),
        404 | 410 => (ErrorKind::NotFound, Remedy::Elsewhere),
        408 | 409 | 425 => (ErrorKind::Upstream, Remedy::Retry),
        413 => (ErrorKind::TooLarge, Remedy::Stop),
        // The model failed, or what it leans on.
        424 => (ErrorKind::Upstream, Remedy::Elsewhere),
        429 => (ErrorKind::RateLimited, Remedy::Retry),
        400..=499 => (ErrorKind::InvalidRequest, Remedy::Stop),
        501 => (ErrorKind::Unsupported, Remedy::Elsewhere),
        503 if is_busy(message) => (ErrorKind::Overloaded, Remedy::Retry),
        529 => (ErrorKind::Overloaded, Remedy::Retry),
        // From 521 on a proxy's, about the server behind it.
        502 | 503 | 521..=523 | 525 | 526 | 530 => (ErrorKind::Unavailable, Remedy::Retry),
        500.. => (ErrorKind::Upstream, Remedy::Retry),
        // A redirect, or a success that is none: this place is not what it was taken for.
        _ => (ErrorKind::Upstream, Remedy::Elsewhere),
    }
}

fn is_busy(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["overload", "capacity", "busy"].into_iter().any(|word| message.contains(word))
}

/// The remedy, after what the server itself advises in `x-should-retry`, which goes before our own opinion, unless that
/// is certain.
pub(crate) fn advised(headers: &HeaderMap, kind: ErrorKind, remedy: Remedy) -> Remedy {
    let spent = kind == ErrorKind::RateLimited && remedy == Remedy::Elsewhere;
    let certain = spent || matches!(kind, ErrorKind::ContextLength | ErrorKind::ContentFiltered);
    let advice = headers.get("x-should-retry").and_then(|advice| advice.to_str().ok()?.trim().parse().ok());
    match advice {
        Some(true) if !certain => Remedy::Retry,
        Some(false) if remedy == Remedy::Retry => Remedy::Elsewhere,
        _ => remedy,
    }
}

/// Whether `text` can be a code, which is for programs: short and plain.
pub(crate) fn is_code(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// An answer or event that cannot be used. The message says where, never what: the answer is the caller's.
pub(crate) fn broken(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Upstream, message).with_code(code)
}

/// A stream that stopped too early.
pub(crate) fn cut() -> Error {
    broken("stream_cut", "the stream ended before its end was announced")
}

/// A request that cannot be written. It is the caller's fault only if the bytes it sent are.
pub(crate) fn unwritable(error: JsonError) -> Error {
    let kind = match error {
        JsonError::Source { .. } => ErrorKind::InvalidRequest,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("the request cannot be written for the provider: {error}")).with_source(error)
}
