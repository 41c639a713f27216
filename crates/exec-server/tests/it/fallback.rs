//! A fallback: who is asked next, when, and what the caller is told.

use serde_json::json;
use xtask::upstream::text;

use crate::support::{House, chat};

/// A house with a fallback over two upstream providers, each mapped to a model of its own.
async fn house(first: &str, second: &str) -> House {
    House::with(|config| {
        let base = config["providers"]["up"]["base_url"].clone();
        let anthropic = config["providers"]["claude"]["base_url"].clone();
        config["providers"]["one"] =
            json!({"type": "openai", "base_url": base, "api_key": "k", "models": {"*": first}, "timeout": {"first_chunk": "200ms"}});
        config["providers"]["two"] =
            json!({"type": "anthropic", "base_url": anthropic, "api_key": "k", "models": {"*": second}});
        config["providers"]["both"] = json!({"type": "fallback", "members": ["one", "two"]});
        config["server"]["default_provider"] = "both".into();
    })
    .await
}

#[tokio::test]
async fn the_next_one_answers_for_every_failure_before_content() {
    for fault in [
        "fault:status=500",
        "fault:status=503",
        "fault:status=429",
        "fault:status=401",
        "fault:status=404",
        "fault:error=insufficient_quota",
        "fault:reset=before",
        "fault:reset=headers",
        "fault:cut=0",
        "fault:cut-clean=0",
        "fault:stream-error=0",
        "fault:malformed=1",
        "fault:hang",
        "fault:first=5s",
    ] {
        let house = house(fault, "m").await;
        let answer = house.client.post("/v1/chat/completions", &chat("any", true)).await;
        assert_eq!(answer.status, 200, "{fault}: {answer:?}");
        assert_eq!(answer.header("x-exec-provider"), Some("two"), "{fault}");
        assert!(answer.body.contains("data: [DONE]") && answer.body.contains("tok59"), "{fault}: {answer:?}");
        assert_eq!(house.upstream.stats().calls, 2, "{fault}");
    }
}

#[tokio::test]
async fn lifecycle_events_do_not_commit_and_content_does() {
    let house = house("fault:ping,stream-error=0", "m").await;
    let answer = house.client.post("/v1/chat/completions", &chat("any", true)).await;
    assert_eq!(answer.header("x-exec-provider"), Some("two"), "{answer:?}");

    let house = self::house("fault:stream-error=1", "m").await;
    let answer = house.client.post("/v1/chat/completions", &chat("any", true)).await;
    assert_eq!(answer.header("x-exec-provider"), Some("one"));
    assert!(answer.events().pop().unwrap().contains("\"error\""), "{answer:?}");
    assert_eq!(house.upstream.stats().calls, 1, "an answer that has begun is never begun again");
}

#[tokio::test]
async fn what_would_fail_everywhere_is_not_routed_around() {
    for fault in ["fault:status=400", "fault:error=context_length", "fault:error=content_filter"] {
        let house = house(fault, "m").await;
        let answer = house.client.post("/v1/chat/completions", &chat("any", false)).await;
        assert_eq!(answer.status, 400, "{fault}: {answer:?}");
        assert_eq!(house.upstream.stats().calls, 1, "{fault}");
    }
}

#[tokio::test]
async fn when_nobody_answers_the_error_lists_every_attempt() {
    let house = house("fault:status=500", "fault:status=529").await;
    let answer = house.client.post("/api/v2/execution", &json!({"prompt": "x", "model": "any"})).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let body = answer.json();
    let attempts: Vec<_> =
        body["attempts"].as_array().unwrap().iter().map(|a| a["provider"].clone()).collect();
    assert_eq!(attempts, ["one", "two"], "{body}");
    assert_eq!(house.events.names(), ["started", "dispatched", "fell_back", "dispatched", "ended"]);
}

#[tokio::test]
async fn the_answer_names_who_really_answered_and_how_many_were_asked() {
    let house = house("fault:status=500", "claude-real").await;
    let answer = house.client.post("/api/v2/execution", &json!({"prompt": "x", "model": "any"})).await.json();
    let data = &answer["data"];
    assert_eq!(
        (&data["provider"], &data["model"], &data["attempts"]),
        (&json!("two"), &json!("claude-real"), &json!(2))
    );
    assert_eq!(data["content"], text(60));
}
