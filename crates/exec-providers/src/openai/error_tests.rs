//! Failures as providers word them, and what we make of them.

use exec_core::ErrorKind::{self, *};
use exec_core::Remedy::{self, *};
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::key::MAX_KEPT;

type Case = (u16, &'static str, ErrorKind, Remedy, &'static str);

const CASES: &[Case] = &[
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        400,
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However","type":"BadRequestError","param":null,"code":400}"#,
        ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        413,
        r#"{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        422,
        r#"{"message":"the request exceeds the context window","type":"invalid_request_error"}"#,
        ContextLength,
        Stop,
        "context_length_exceeded",
    ),
    (
        400,
        r#"{"error":{"message":"Your request was rejected by our safety system","type":"invalid_request_error","code":"content_policy_violation"}}"#,
        ContentFiltered,
        Stop,
        "content_filter",
    ),
    (
        400,
        r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
        ContentFiltered,
        Stop,
        "content_filter",
    ),
    (
        403,
        r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged","metadata":{"reasons":["violence"]}}}"#,
        ContentFiltered,
        Stop,
        "content_filter",
    ),
    (
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-canary-123456. You can find your key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        Unauthenticated,
        Elsewhere,
        "invalid_api_key",
    ),
    (
        401,
        r#"{"error":{"message":"No auth credentials found","code":401}}"#,
        Unauthenticated,
        Elsewhere,
        "unauthenticated",
    ),
    (401, r#"{"message":"Unauthorized"}"#, Unauthenticated, Elsewhere, "unauthenticated"),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        Unauthenticated,
        Elsewhere,
        "invalid_api_key",
    ),
    (
        402,
        r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
        RateLimited,
        Elsewhere,
        "insufficient_quota",
    ),
    (
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        RateLimited,
        Elsewhere,
        "insufficient_quota",
    ),
    (
        403,
        r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
        PermissionDenied,
        Elsewhere,
        "unsupported_country_region_territory",
    ),
    (403, "", PermissionDenied, Elsewhere, "permission_denied"),
    (
        404,
        r#"{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        NotFound,
        Elsewhere,
        "model_not_found",
    ),
    (404, r#"{"detail":"Not Found"}"#, NotFound, Elsewhere, "not_found"),
    (404, r#"{"error":"model 'llama' not found, try pulling it first"}"#, NotFound, Elsewhere, "not_found"),
    (
        400,
        r#"{"error":{"message":"unknown model","type":"invalid_request_error","code":"model_not_found"}}"#,
        NotFound,
        Elsewhere,
        "model_not_found",
    ),
    (
        400,
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens'","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        InvalidRequest,
        Stop,
        "unsupported_parameter",
    ),
    (
        400,
        r#"{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}"#,
        InvalidRequest,
        Stop,
        "invalid_request",
    ),
    (
        422,
        r#"{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}"#,
        InvalidRequest,
        Stop,
        "invalid_request",
    ),
    (408, r#"{"error":{"code":408,"message":"Request timed out"}}"#, Upstream, Retry, "upstream"),
    (409, r#"{"error":{"message":"conflict"}}"#, Upstream, Retry, "upstream"),
    (413, "<html><h1>413 Request Entity Too Large</h1></html>", TooLarge, Stop, "too_large"),
    (
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        RateLimited,
        Retry,
        "rate_limit_exceeded",
    ),
    (
        429,
        r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 12000","type":"tokens","code":"rate_limit_exceeded"}}"#,
        RateLimited,
        Elsewhere,
        "request_too_large",
    ),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        RateLimited,
        Elsewhere,
        "insufficient_quota",
    ),
    (
        429,
        r#"{"error":{"message":"spend limit","type":"insufficient_quota","code":"project_spend_limit_exceeded"}}"#,
        RateLimited,
        Elsewhere,
        "project_spend_limit_exceeded",
    ),
    (
        429,
        r#"{"error":{"message":"no credit","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
        RateLimited,
        Elsewhere,
        "credit_balance_exhausted",
    ),
    (429, r#"{"message":"Requests rate limit exceeded"}"#, RateLimited, Retry, "rate_limited"),
    (429, "Too Many Requests", RateLimited, Retry, "rate_limited"),
    (
        429,
        r#"{"error":{"message":"ramp up slowly","type":"requests","code":"slow_down"}}"#,
        Overloaded,
        Retry,
        "slow_down",
    ),
    (
        503,
        r#"{"error":{"message":"Slow down","type":"server_error","code":"slow_down"}}"#,
        Overloaded,
        Retry,
        "slow_down",
    ),
    (
        500,
        r#"{"error":{"message":"The server had an error while processing your request","type":"server_error","param":null,"code":null}}"#,
        Upstream,
        Retry,
        "upstream",
    ),
    (500, "upstream connect error", Upstream, Retry, "upstream"),
    (502, "<html>Bad gateway</html>", Unavailable, Retry, "unavailable"),
    (
        502,
        r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"provider_name":"x"}}}"#,
        Unavailable,
        Retry,
        "unavailable",
    ),
    (
        503,
        r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error"}}"#,
        Overloaded,
        Retry,
        "overloaded",
    ),
    (503, r#"{"error":{"message":"no healthy upstream"}}"#, Unavailable, Retry, "unavailable"),
    (504, "", Upstream, Retry, "upstream"),
    (
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        Overloaded,
        Retry,
        "overloaded_error",
    ),
    (501, "{}", Unsupported, Elsewhere, "unsupported"),
    (301, "", Upstream, Elsewhere, "upstream"),
    (418, "\u{0}", InvalidRequest, Stop, "invalid_request"),
];

fn reader() -> ErrorReader {
    ErrorReader { key: "sk-canary-123456".into() }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|&(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
}

#[test]
fn every_recorded_failure_is_understood() {
    for &(status, body, kind, remedy, code) in CASES {
        let error = reader().http(status, &HeaderMap::new(), &Bytes::from_static(body.as_bytes()));
        assert_eq!((error.kind(), error.remedy(), error.code()), (kind, remedy, code), "{status} {body}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(error.upstream().unwrap().status, status);
    }
}

#[test]
fn errors_inside_an_answer_are_judged_by_their_code() {
    let cases = [
        (r#"{"error":{"code":429,"message":"limit"}}"#, RateLimited, Retry),
        (r#"{"error":{"message":"x","type":"server_error"}}"#, Upstream, Retry),
        (r#"{"error":{"message":"x","type":"overloaded_error"}}"#, Overloaded, Retry),
        (r#"{"error":{"message":"x","type":"invalid_request_error"}}"#, InvalidRequest, Stop),
        (r#"{"error":{"message":"x","code":"insufficient_quota"}}"#, RateLimited, Elsewhere),
        (r#"{"object":"error","message":"x","code":400}"#, InvalidRequest, Stop),
        (r#"{"choices":[{"finish_reason":"error","error":{"code":502,"message":"x"}}]}"#, Unavailable, Retry),
        (r#"{"choices":[{"finish_reason":"error"}]}"#, Upstream, Retry),
        ("no JSON at all", Upstream, Retry),
    ];
    for (body, kind, remedy) in cases {
        let error = reader().in_answer(&Bytes::from_static(body.as_bytes()));
        assert_eq!((error.kind(), error.remedy()), (kind, remedy), "{body}");
    }
}

#[test]
fn the_key_is_found_in_any_spelling_and_place() {
    for body in [
        r#"{"error":{"message":"bad key sk-canary-123456"}}"#,
        r#"{"error":{"message":"bad key \u0073k-canary-123456","sk-canary-123456":["sk-canary-123456"]}}"#,
        "plain sk-canary-123456",
    ] {
        let error = reader().http(401, &HeaderMap::new(), &Bytes::from_static(body.as_bytes()));
        assert!(error.message().contains("[redacted]"), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn a_body_is_kept_as_it_came_when_it_is_small_json() {
    let body = Bytes::from_static(b"{\"error\": {\"message\":\"x\",  \"n\": 1.50}}");
    let error = reader().http(500, &HeaderMap::new(), &body);
    assert_eq!(error.upstream().unwrap().body.as_ref().unwrap().bytes(), &body);
    let large = format!(r#"{{"error":{{"message":"{}"}}}}"#, "ä".repeat(MAX_KEPT));
    let error = reader().http(500, &HeaderMap::new(), &large.into());
    assert!(error.upstream().unwrap().body.is_none());
    assert!(error.message().len() < 3 * MAX_MESSAGE);
    assert!(
        reader().http(500, &HeaderMap::new(), &Bytes::from_static(b"<p>")).upstream().unwrap().body.is_none()
    );
}

#[test]
fn the_wrong_field_is_named() {
    let body = br#"{"error":{"message":"bad","param":"messages[0].content","code":"invalid_type"}}"#;
    let error = reader().http(400, &HeaderMap::new(), &Bytes::from_static(body));
    assert_eq!(error.fields()[0].path, "messages[0].content");
    assert_eq!(error.message(), "messages[0].content: bad (status 400)");
}

#[test]
fn the_server_knows_best_whether_to_retry() {
    let remedy = |status, advice| {
        let body = Bytes::from_static(br#"{"error":{"message":"x"}}"#);
        reader().http(status, &headers(&[("x-should-retry", advice)]), &body).remedy()
    };
    assert_eq!(remedy(500, "false"), Elsewhere);
    assert_eq!(remedy(400, "true"), Retry);
    assert_eq!(remedy(402, "true"), Elsewhere);
    assert_eq!(remedy(400, "false"), Stop);
}

#[test]
fn the_wait_is_read_from_any_header() {
    let wait = |pairs: &[(&'static str, &'static str)]| {
        reader().http(429, &headers(pairs), &Bytes::new()).retry_after().map(|wait| wait.as_millis())
    };
    let (requests, tokens) = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens");
    let spent = "x-ratelimit-remaining-tokens";
    assert_eq!(wait(&[("retry-after-ms", "20"), (requests, "1s")]), Some(20));
    assert_eq!(wait(&[(requests, "1s"), (tokens, "6m0s"), (spent, "0")]), Some(360_000));
    assert_eq!(wait(&[(requests, "1s"), (tokens, "6m0s"), (spent, "-1")]), Some(1000));
    assert_eq!(wait(&[(requests, "soon")]), None);
    assert_eq!(go_duration("1h2m3.5s20ms").unwrap().as_millis(), 3_723_520);
    for wrong in ["", "5", "s", "1x", "-1s", "1.2.3s"] {
        assert_eq!(go_duration(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_body_is_a_panic_and_none_shows_the_key(body: Vec<u8>, status in 100_u16..1000, at: prop::sample::Index) {
        let mut body = body;
        let at = at.index(body.len() + 1);
        body.splice(at..at, *b"sk-canary-123456");
        let error = reader().http(status, &HeaderMap::new(), &body.into());
        let shown = format!("{error:?}");
        prop_assert!(!shown.contains("canary"));
    }
}
