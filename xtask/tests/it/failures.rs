//! Failures in their true shapes.
use crate::client::{ANTHROPIC, LIMIT, OPENAI, Reply, anthropic, chat, openai, raw, send};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use xtask::upstream::{Upstream, text};

#[tokio::test]
async fn every_status_has_a_body_of_its_format() {
    let upstream = Upstream::start().await.unwrap();
    for status in [400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529] {
        let spec = format!("status={status}");
        let reply = openai(&upstream, &spec, json!({"stream": true})).await;
        assert_eq!(reply.status(), status);
        let error = &reply.json()["error"];
        assert!(
            error["message"].is_string() && error["type"].is_string() && error.get("param").is_some(),
            "{error}"
        );
        let reply = anthropic(&upstream, &spec, json!({})).await;
        assert_eq!(reply.status(), status);
        assert_eq!(reply.json()["type"], "error");
        assert!(reply.json()["error"]["type"].as_str().unwrap().contains("error") || status == 413);
        assert!(reply.json()["request_id"].is_string());
    }
}

#[tokio::test]
async fn named_errors_carry_the_codes_clients_decide_on() {
    let upstream = Upstream::start().await.unwrap();
    let wanted = [
        ("context_length", 400, "context_length_exceeded"),
        ("content_filter", 400, "content_filter"),
        ("insufficient_quota", 429, "insufficient_quota"),
        ("rate_limit", 429, "rate_limit_exceeded"),
        ("model_not_found", 404, "model_not_found"),
    ];
    for (name, status, code) in wanted {
        let reply = openai(&upstream, &format!("error={name}"), json!({})).await;
        assert_eq!((reply.status(), &reply.json()["error"]["code"]), (status, &code.into()));
    }
    let wanted = [
        ("overloaded", 529, "overloaded_error"),
        ("rate_limit", 429, "rate_limit_error"),
        ("billing", 402, "billing_error"),
        ("prefill_rejected", 400, "invalid_request_error"),
        ("model_not_found", 404, "not_found_error"),
    ];
    for (name, status, kind) in wanted {
        let reply = anthropic(&upstream, &format!("error={name}"), json!({})).await;
        assert_eq!((reply.status(), &reply.json()["error"]["type"]), (status, &kind.into()));
    }
    let html = openai(&upstream, "error=bad_json", json!({})).await;
    assert_eq!((html.status(), html.header("content-type")), (400, Some("text/html")));
    assert!(html.text().starts_with("<html>"));
    let spent = anthropic(&upstream, "error=insufficient_quota", json!({})).await.json();
    assert_eq!(spent["error"]["details"]["error_code"], "enforced_spend_limit_reached");
}

#[tokio::test]
async fn failures_say_when_to_come_back() {
    let upstream = Upstream::start().await.unwrap();
    let spec = "status=429,retry-after=Wed, 21 Oct 2026 07:28:00 GMT,retry-after-ms=1500";
    let reply = openai(&upstream, spec, json!({})).await;
    assert_eq!(reply.header("retry-after"), Some("Wed, 21 Oct 2026 07:28:00 GMT"));
    assert_eq!(reply.header("retry-after-ms"), Some("1500"));
    assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some("0"));
}

#[tokio::test]
async fn keys_are_checked() {
    let upstream = Upstream::start().await.unwrap();
    let body = chat("m", &json!({})).to_string();
    let post = |path: &'static str, headers: &'static str| raw("POST", path, headers, &body);
    let reply = send(&upstream, &post("/v1/chat/completions", "authorization: Bearer bad-key\r\n")).await;
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (401, &"invalid_api_key".into()));
    let reply = send(&upstream, &post("/v1/chat/completions", "")).await;
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (401, &json!(null)));
    let headers = "x-api-key: bad-key\r\nanthropic-version: 2023-06-01\r\n";
    let reply = send(&upstream, &post("/v1/messages", headers)).await;
    assert_eq!((reply.status(), &reply.json()["error"]["type"]), (401, &"authentication_error".into()));
    let reply = send(&upstream, &post("/v1/messages", "x-api-key: k\r\n")).await;
    assert_eq!(reply.json()["error"]["message"], "anthropic-version: header is required");
}

#[tokio::test]
async fn requests_are_checked() {
    let upstream = Upstream::start().await.unwrap();
    let chats = |body: &str| raw("POST", "/v1/chat/completions", OPENAI, body);
    let messages = |body: &str| raw("POST", "/v1/messages", ANTHROPIC, body);
    let wanted = [
        (chats("{}"), 400, "model parameter"),
        (chats("{"), 400, "parse the JSON"),
        (chats(r#"{"model":"m"}"#), 400, "'messages'"),
        (chats(r#"{"model":"m","messages":[]}"#), 400, "empty array"),
        (chats(r#"{"model":"missing-x","messages":[1]}"#), 404, "missing-x"),
        (messages("{}"), 400, "model: Field required"),
        (messages(r#"{"model":"m","messages":[1]}"#), 400, "max_tokens: Field required"),
        (messages(r#"{"model":"missing","messages":[1],"max_tokens":1}"#), 404, "model: missing"),
        (raw("GET", "/v1/chat/completions", OPENAI, ""), 405, "Not allowed to GET"),
        (raw("GET", "/nowhere", OPENAI, ""), 404, "Invalid URL (GET /nowhere)"),
    ];
    for (request, status, part) in wanted {
        let reply = send(&upstream, &request).await;
        assert_eq!(reply.status(), status, "{request}");
        assert!(reply.text().contains(part), "{}", reply.text());
    }
}

#[tokio::test]
async fn unknown_faults_are_named() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "tokens=3,bogus=1", json!({})).await;
    assert_eq!(reply.status(), 400);
    assert!(reply.text().contains("bogus"));
    let body = chat("fault:tokens=x", &json!({})).to_string();
    let reply = send(&upstream, &raw("POST", "/v1/chat/completions", OPENAI, &body)).await;
    assert!(reply.text().contains("tokens=x"));
}

#[tokio::test]
async fn a_flapping_scenario_fails_first_and_starts_over_on_reset() {
    let upstream = Upstream::start().await.unwrap();
    for wanted in [503, 503, 200, 200] {
        assert_eq!(openai(&upstream, "flap=2", json!({})).await.status(), wanted);
    }
    assert_eq!(openai(&upstream, "flap=2,tokens=1", json!({})).await.status(), 503);
    upstream.reset();
    assert_eq!(openai(&upstream, "flap=2", json!({})).await.status(), 503);
}

#[tokio::test]
async fn a_scenario_that_holds_for_a_while_is_over_afterwards() {
    let upstream = Upstream::start().await.unwrap();
    for wanted in [429, 429, 200] {
        let reply = openai(&upstream, "status=429,retry-after=2,times=2", json!({})).await;
        assert_eq!(reply.status(), wanted);
    }
    let outage = || openai(&upstream, "status=500,for=50ms", json!({}));
    let start = Instant::now();
    assert_eq!(outage().await.status(), 500);
    let recovered = async { while outage().await.status() != 200 {} };
    tokio::time::timeout(LIMIT, recovered).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_conversation_that_the_assistant_ends_is_continued_or_refused() {
    let upstream = Upstream::start().await.unwrap();
    let ends_with = |said: &str| json!({"stream": true, "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": said}]});
    let said = text(40);
    for reply in
        [openai(&upstream, "", ends_with(&said)).await, anthropic(&upstream, "", ends_with(&said)).await]
    {
        let deltas = reply.events().into_iter();
        let places = ["/choices/0/delta/content", "/delta/text"];
        let rest: String = deltas
            .filter_map(|event| places.iter().find_map(|at| event.pointer(at)?.as_str().map(str::to_owned)))
            .collect();
        assert_eq!(said.clone() + &rest, text(60));
    }
    for reply in [
        openai(&upstream, "no-prefill", ends_with(&said)).await,
        anthropic(&upstream, "no-prefill", ends_with(&said)).await,
        anthropic(&upstream, "", ends_with("so ")).await,
    ] {
        assert_eq!(reply.status(), 400, "{}", reply.text());
    }
    assert_eq!(openai(&upstream, "no-prefill", json!({})).await.status(), 200);
}

#[tokio::test]
async fn headers_about_limits_can_be_left_out() {
    let upstream = Upstream::start().await.unwrap();
    let limits = |reply: &Reply| reply.head.contains("ratelimit");
    assert!(limits(&openai(&upstream, "status=429", json!({})).await));
    for reply in [
        openai(&upstream, "status=429,unlimited", json!({})).await,
        anthropic(&upstream, "status=429,unlimited", json!({})).await,
    ] {
        assert!(reply.status() == 429 && !limits(&reply) && reply.head.contains("request-id: req_"));
        assert!(!reply.text().contains("try again"), "{}", reply.text());
    }
}
