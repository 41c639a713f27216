//! A fallback: who is asked next, when, and what the caller is told.

use std::collections::BTreeSet;
use std::time::Duration;

use exec_server::{Config, Environment};
use serde_json::{Value, json};
use xtask::upstream::text;

use crate::support::{House, chat, message};

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

/// A house with a fallback of these rules over a first member that fails with `fault` and a second that does not.
async fn ruled(fault: &str, rules: Value) -> House {
    House::with(|config| {
        let base = config["providers"]["up"]["base_url"].clone();
        for (name, model) in [("one", fault), ("two", "good")] {
            config["providers"][name] =
                json!({"type": "openai", "base_url": base, "api_key": "k", "models": {"*": model}});
        }
        let mut both = rules;
        both["type"] = "fallback".into();
        both["members"] = json!(["one", "two"]);
        config["providers"]["both"] = both;
        config["server"]["default_provider"] = "both".into();
    })
    .await
}

#[tokio::test]
async fn an_outage_of_fifteen_requests_makes_five_calls_and_ends_by_itself() {
    let rules = json!({"mode": "circuit_breaker", "breaker": {"failures": 5, "open": "400ms"}});
    let house = ruled("fault:flap=5", rules).await;
    for _ in 0..15 {
        let answer = house.client.post("/v1/chat/completions", &chat("any", false)).await;
        assert_eq!(answer.header("x-exec-provider"), Some("two"), "{answer:?}");
    }
    assert_eq!(house.upstream.stats().by_model["fault:flap=5"], 5);
    tokio::time::sleep(Duration::from_millis(450)).await;
    let answer = house.client.post("/v1/chat/completions", &chat("any", false)).await;
    assert_eq!(answer.header("x-exec-provider"), Some("one"), "{answer:?}");
}

#[tokio::test]
async fn the_same_member_is_asked_again_where_the_mode_says_so() {
    let retry = json!({"attempts": 3, "backoff": {"base": "1ms", "cap": "1ms"}});
    let house = ruled("fault:flap=2", json!({"mode": "retry_then_fallback", "retry": retry})).await;
    let answer = house.client.post("/v1/chat/completions", &chat("any", true)).await;
    assert_eq!(answer.header("x-exec-provider"), Some("one"), "{answer:?}");
    assert_eq!(house.upstream.stats().calls, 3);
}

#[tokio::test]
async fn a_caller_may_refuse_to_be_sent_elsewhere() {
    let house = ruled("fault:status=500", json!({"degraded": {"text": "later"}})).await;
    let body = chat("any", false).to_string();
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let body = if path == "/v1/messages" { message("any", false).to_string() } else { body.clone() };
        let answer = house.client.post_with(path, "x-exec-fallback: false\r\n", body.as_bytes()).await;
        assert_eq!(answer.status, 502, "{answer:?}");
    }
    let native = json!({"prompt": "x", "model": "any", "fallback": false});
    assert_eq!(house.client.post("/api/v2/execution", &native).await.status, 502);
    assert_eq!(house.upstream.stats().calls, 3);
    let answer =
        house.client.post_with("/v1/chat/completions", "x-exec-fallback: maybe\r\n", body.as_bytes()).await;
    assert!(answer.status == 400 && answer.body.contains("x-exec-fallback"), "{answer:?}");
}

#[tokio::test]
async fn a_stand_in_says_that_it_is_one_at_every_door() {
    let house = House::with(|config| {
        config["providers"]["down"] =
            json!({"type": "simulator", "error_rate": 1.0, "errors": ["unavailable"]});
        config["providers"]["both"] =
            json!({"type": "fallback", "members": ["down"], "degraded": {"text": "Please come back later."}});
        config["server"]["default_provider"] = "both".into();
    })
    .await;
    for stream in [false, true] {
        for (path, body) in [
            ("/v1/chat/completions", chat("any", stream)),
            ("/v1/messages", message("any", stream)),
            ("/api/v2/execution", json!({"prompt": "x", "model": "any", "stream": stream})),
        ] {
            let answer = house.client.post(path, &body).await;
            assert_eq!(answer.status, 200, "{path} {answer:?}");
            assert_eq!(answer.header("x-exec-degraded"), Some("true"), "{path} {answer:?}");
            assert!(answer.body.contains("\"degraded\":true"), "{path} {answer:?}");
            assert!(answer.body.contains("Please come back later."), "{path} {answer:?}");
        }
    }
    let answer = house.client.post("/v1/chat/completions", &chat("up/good", false)).await;
    assert_eq!(answer.header("x-exec-degraded"), None);
}

#[tokio::test]
async fn a_stream_that_drips_is_left_for_the_next_member() {
    let rules = json!({"pace": {"characters": 20, "within": "100ms"}});
    let house = ruled("fault:gap=2s", rules).await;
    let answer = house.client.post("/v1/chat/completions", &chat("any", true)).await;
    assert_eq!(answer.header("x-exec-provider"), Some("two"), "{answer:?}");
    assert!(answer.body.contains("tok59") && answer.body.matches("tok0").count() == 1, "{answer:?}");
    house.quiet().await;
}

#[test]
fn rules_that_cannot_work_are_refused_with_every_reason() {
    let tree = json!({"providers": {
        "s": {"type": "simulator"},
        "f": {
            "type": "fallback", "members": ["s"], "mode": "health_based", "breaker": {"failures": 0},
            "health": {"failures": 0, "timeout": "0s"}, "mid_stream": "restart", "degraded": {"text": ""},
        },
    }});
    let found = Config::from_tree(tree, &Environment::default()).unwrap_err().0;
    let paths: BTreeSet<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    for path in
        ["breaker", "breaker.failures", "health.failures", "health.timeout", "mid_stream", "degraded.text"]
    {
        assert!(paths.contains(format!("providers.f.{path}").as_str()), "{path}: {paths:?}");
    }
}
