//! What failures of the provider mean: one line for each body that was seen.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use exec_core::{Error, ErrorKind, Remedy};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::super::error::of_status;

fn error(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect();
    let now = UNIX_EPOCH + Duration::from_secs(1_735_689_600);
    of_status(status, &headers, &Bytes::from(body.to_owned()), &"sk-ant-secret".into(), now)
}

fn said(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
}

use ErrorKind as K;
use Remedy::{Elsewhere, Retry, Stop};
use Seen::{Raw, Said};

/// What a provider sent.
enum Seen {
    /// An error in its own shape.
    Said(&'static str, &'static str),
    /// Something else.
    Raw(&'static str),
}

const INVALID: &str = "invalid_request_error";

const SPENT: &str = r#"{"type":"error","error":{"type":"rate_limit_error","message":"spend","details":{"error_code":"enforced_spend_limit_reached"}}}"#;

/// Status, body, and what they mean.
const BODIES: &[(u16, Seen, K, Remedy, &str)] = &[
    (400, Said(INVALID, "messages: at least one message is required"), K::InvalidRequest, Stop, INVALID),
    (
        400,
        Said(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
        K::ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        400,
        Said(INVALID, "input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
        K::ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        400,
        Said(INVALID, "Your credit balance is too low to access the Anthropic API."),
        K::RateLimited,
        Elsewhere,
        "insufficient_quota",
    ),
    (
        400,
        Said(INVALID, "You have reached your specified API usage limits."),
        K::RateLimited,
        Elsewhere,
        "insufficient_quota",
    ),
    (
        400,
        Said(INVALID, "Output blocked by content filtering policy"),
        K::ContentFiltered,
        Stop,
        "content_filter",
    ),
    (400, Said(INVALID, "temperature: range: 0..1"), K::InvalidRequest, Stop, INVALID),
    (
        401,
        Said("authentication_error", "invalid x-api-key"),
        K::Unauthenticated,
        Elsewhere,
        "authentication_error",
    ),
    (
        401,
        Said("authentication_error", "OAuth token has expired"),
        K::Unauthenticated,
        Elsewhere,
        "authentication_error",
    ),
    (402, Said("billing_error", "pay first"), K::RateLimited, Elsewhere, "insufficient_quota"),
    (402, Raw(""), K::RateLimited, Elsewhere, "insufficient_quota"),
    (403, Said("permission_error", "no access"), K::PermissionDenied, Elsewhere, "permission_error"),
    (403, Raw("<html>Request not allowed</html>"), K::PermissionDenied, Elsewhere, "permission_denied"),
    (404, Said("not_found_error", "model: claude-0"), K::NotFound, Elsewhere, "not_found_error"),
    (404, Raw("404 page not found"), K::NotFound, Elsewhere, "not_found"),
    (408, Raw(""), K::Upstream, Retry, "upstream"),
    (409, Said("conflict_error", "conflict"), K::Upstream, Retry, "conflict_error"),
    (
        413,
        Said("request_too_large", "Request exceeds the maximum size"),
        K::TooLarge,
        Stop,
        "request_too_large",
    ),
    (413, Raw("<html>413 Request Entity Too Large</html>"), K::TooLarge, Stop, "too_large"),
    (422, Raw("{}"), K::InvalidRequest, Stop, "invalid_request"),
    (429, Said("rate_limit_error", "slow down"), K::RateLimited, Retry, "rate_limit_error"),
    (429, Raw(SPENT), K::RateLimited, Elsewhere, "enforced_spend_limit_reached"),
    (429, Raw("{\"error\": 5}"), K::RateLimited, Retry, "rate_limited"),
    (500, Said("api_error", "Internal server error"), K::Upstream, Retry, "api_error"),
    (500, Said("overloaded_error", "Overloaded"), K::Overloaded, Retry, "overloaded_error"),
    (500, Raw("{\"error\": \"plain words\"}"), K::Upstream, Retry, "upstream"),
    (502, Raw("<html>Bad Gateway</html>"), K::Unavailable, Retry, "unavailable"),
    (503, Raw("upstream connect error"), K::Unavailable, Retry, "unavailable"),
    (504, Said("timeout_error", "timed out"), K::Upstream, Retry, "timeout_error"),
    (520, Raw(""), K::Upstream, Retry, "upstream"),
    (529, Said("overloaded_error", "Overloaded"), K::Overloaded, Retry, "overloaded_error"),
    (529, Raw(""), K::Overloaded, Retry, "overloaded"),
    (302, Raw(""), K::Upstream, Elsewhere, "upstream"),
    (400, Said("Weird Type!", "x"), K::InvalidRequest, Stop, "invalid_request"),
    (400, Raw("[[[["), K::InvalidRequest, Stop, "invalid_request"),
];

#[test]
fn every_body_that_was_seen_is_understood() {
    for (status, seen, kind, remedy, code) in BODIES {
        let body = match seen {
            Said(kind, message) => said(kind, message),
            Raw(body) => (*body).to_owned(),
        };
        let error = error(*status, &[], &body);
        assert_eq!((error.kind(), error.remedy(), error.code()), (*kind, *remedy, *code), "{status} {body}");
        assert!(!error.message().is_empty());
        assert_eq!(error.upstream().unwrap().status, *status);
    }
}

#[test]
fn the_wait_is_taken_from_wherever_it_is_said() {
    let reset = ("anthropic-ratelimit-tokens-reset", "2025-01-01T00:00:30Z");
    let wait = |status, headers: &[_]| error(status, headers, "").retry_after();
    assert_eq!(wait(429, &[("retry-after", "7"), reset]), Some(Duration::from_secs(7)));
    assert_eq!(wait(429, &[reset]), Some(Duration::from_secs(30)));
    assert_eq!(wait(529, &[("retry-after", "2")]), Some(Duration::from_secs(2)));
    assert_eq!(wait(529, &[reset]), None);
}

#[test]
fn the_key_is_in_no_error() {
    let escaped = r#"{"error":{"type":"api_error","message":"bad key sk-ant-secret"},"sk-ant-secret":"sk\u002dant-secret"}"#;
    for body in [said("authentication_error", "invalid key sk-ant-secret"), escaped.into()] {
        let error = error(401, &[], &body);
        assert!(error.message().contains("[redacted]"), "{error}");
        let text = format!("{error:?}");
        assert!(!text.contains("sk-ant-secret") && !text.contains("u002d"), "{text}");
    }
}

#[test]
fn a_large_body_is_not_kept() {
    let body = said("api_error", &"x".repeat(20_000));
    let error = error(500, &[], &body);
    assert!(error.upstream().unwrap().body.is_none() && error.message().len() == 2000);
    assert!(error_body("{\"a\":1}") && !error_body("<html>"));
}

fn error_body(body: &str) -> bool {
    error(500, &[], body).upstream().unwrap().body.is_some()
}
