//! Guards as an operator sets them: each does over HTTP what its settings say.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::docs::MIDDLEWARE;
use crate::support::{Answer, House, PATIENCE, chat, execution, message, read_until};

/// A house whose upstream provider has these settings besides its own.
async fn provider(settings: Value) -> House {
    House::with(|config| {
        for name in ["up", "claude"] {
            let table = config["providers"][name].as_object_mut().unwrap();
            table.extend(settings.as_object().unwrap().clone());
        }
    })
    .await
}

/// A house whose pipeline has `name` with these settings.
async fn pipeline(name: &str, settings: Value) -> House {
    House::with(|config| {
        config["pipeline"] = json!({"middleware": ["trace", name]});
        config["middleware"] = json!({name: settings});
    })
    .await
}

async fn ask(house: &House, fault: &str) -> Answer {
    house.client.post("/api/v2/execution", &execution(fault, false)).await
}

fn code(answer: &Answer) -> Value {
    answer.json()["code"].clone()
}

/// How long a refused caller is told to wait.
fn wait(answer: &Answer) -> Duration {
    let millis = answer.header("retry-after-ms").unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap();
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(seconds, u64::div_ceil(millis, 1000), "rounded up");
    Duration::from_millis(millis)
}

const QUICK: &str = "1ms";

#[tokio::test]
async fn a_retry_asks_the_same_provider_again_and_no_more_often_than_it_may() {
    let retry = |attempts: u32| json!({"attempts": attempts, "backoff": {"base": QUICK, "cap": QUICK}});
    let house = provider(json!({"guard": ["retry"], "retry": retry(3)})).await;
    let answer = ask(&house, "fault:flap=2").await;
    assert_eq!((answer.status, house.upstream.stats().calls), (200, 3), "{answer:?}");
    assert_eq!(answer.json()["data"]["attempts"], 3);
    let answer = ask(&house, "fault:status=503").await;
    assert_eq!((answer.status, house.upstream.stats().calls), (503, 6), "{answer:?}");

    let house = pipeline("retry", retry(2)).await;
    assert_eq!(ask(&house, "fault:flap=1").await.status, 200);
    assert_eq!(ask(&house, "fault:status=400").await.status, 400);
    assert_eq!(house.upstream.stats().calls, 3, "a caller's mistake is not repeated");
}

#[tokio::test]
async fn all_retries_draw_from_one_budget_of_the_process() {
    let house = House::with(|config| {
        config["pipeline"] = json!({"retry_budget": {"floor": 2, "ratio": 0.0}});
        for name in ["up", "claude"] {
            config["providers"][name]["guard"] = json!(["retry"]);
            config["providers"][name]["retry"] =
                json!({"attempts": 9, "backoff": {"base": QUICK, "cap": QUICK}});
        }
    })
    .await;
    assert_eq!(ask(&house, "fault:status=500").await.status, 502);
    assert_eq!(house.upstream.stats().calls, 3);
    assert_eq!(ask(&house, "claude/fault:status=500").await.status, 502);
    assert_eq!(house.upstream.stats().calls, 4, "the other provider's retries are spent as well");
}

#[tokio::test]
async fn an_execution_makes_no_more_calls_than_it_may_however_many_guards_retry() {
    let house = House::with(|config| {
        config["limits"] = json!({"attempts": 4});
        let retry = json!({"attempts": 3, "backoff": {"base": QUICK, "cap": QUICK}});
        config["pipeline"] = json!({"middleware": ["validate", "retry"]});
        config["middleware"] = json!({"retry": retry});
        config["providers"]["both"] = json!({"type": "fallback", "members": ["up", "claude"]});
        for name in ["up", "claude", "both"] {
            config["providers"][name]["guard"] = json!(["retry"]);
            config["providers"][name]["retry"] = retry.clone();
        }
        config["server"]["default_provider"] = "both".into();
    })
    .await;
    ask(&house, "fault:status=500").await;
    assert_eq!(house.upstream.stats().calls, 4);
}

#[tokio::test]
async fn an_open_breaker_says_how_long_in_every_dialect_and_the_dead_are_left_alone() {
    let house = provider(json!({"guard": ["breaker"], "breaker": {"failures": 3, "open": "40s"}})).await;
    for call in 0..15 {
        let answer = ask(&house, "fault:status=500").await;
        assert_eq!(answer.status, if call < 3 { 502 } else { 503 }, "{answer:?}");
    }
    assert_eq!(house.upstream.stats().calls, 3);
    let native = ask(&house, "m").await;
    let openai = house.client.post("/v1/chat/completions", &chat("m", true)).await;
    for _ in 0..3 {
        house.client.post("/v1/messages", &message("claude/fault:status=500", false)).await;
    }
    let anthropic = house.client.post("/v1/messages", &message("claude/m", false)).await;
    let codes =
        [code(&native), openai.json()["error"]["code"].clone(), anthropic.json()["error"]["code"].clone()];
    assert_eq!(codes, [json!("breaker_open"), json!("breaker_open"), json!("breaker_open")], "{anthropic:?}");
    for answer in [native, openai, anthropic] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(wait(&answer) > Duration::from_secs(30) && wait(&answer) <= Duration::from_secs(40));
    }
    assert!(house.events.names().contains(&"breaker_changed"));
}

#[tokio::test]
async fn a_breaker_lets_a_probe_through_when_it_said_so_and_closes() {
    let house = provider(json!({"guard": ["breaker"], "breaker": {"failures": 2, "open": "60ms"}})).await;
    for _ in 0..2 {
        assert_eq!(ask(&house, "fault:flap=2").await.status, 503);
    }
    let refused = ask(&house, "fault:flap=2").await;
    assert_eq!(code(&refused), "breaker_open");
    tokio::time::sleep(wait(&refused)).await;
    assert_eq!(ask(&house, "fault:flap=2").await.status, 200);
    assert_eq!(house.upstream.stats().calls, 3);
    assert_eq!(house.client.get("/api/v2/status").await.json()["providers"][1]["breaker"]["state"], "closed");
}

#[tokio::test]
async fn a_preset_gives_what_is_left_out() {
    let house = provider(json!({"guard": ["breaker"], "breaker": {"preset": "rate", "volume": 4}})).await;
    for status in [200, 200, 502, 502, 503] {
        let fault = if status == 200 { "m" } else { "fault:status=500" };
        assert_eq!(ask(&house, fault).await.status, status);
    }
    let house = provider(json!({"guard": ["breaker"], "breaker": {"preset": "consecutive"}})).await;
    for _ in 0..15 {
        ask(&house, "fault:status=500").await;
    }
    assert_eq!(house.upstream.stats().calls, 5);
}

#[tokio::test]
async fn a_fallback_does_not_wait_for_the_dead() {
    let house = House::with(|config| {
        config["providers"]["up"]["models"] = json!({"*": "fault:status=500"});
        config["providers"]["up"]["guard"] = json!(["breaker"]);
        config["providers"]["chat"] = json!({"type": "fallback", "members": ["up", "claude"]});
        config["server"]["default_provider"] = "chat".into();
    })
    .await;
    for _ in 0..15 {
        assert_eq!(ask(&house, "m").await.status, 200);
    }
    let stats = house.upstream.stats();
    assert_eq!((stats.by_path["/v1/chat/completions"], stats.by_path["/v1/messages"]), (5, 15));
    let status = house.client.get("/api/v2/status").await.json();
    let health: Vec<_> =
        status["providers"].as_array().unwrap().iter().map(|p| p["health"].clone()).collect();
    assert_eq!(health, ["degraded", "unknown", "unhealthy"], "chat, claude, up");
}

/// A stream that goes on until it is dropped.
async fn hold(house: &House, path: &str) -> tokio::net::TcpStream {
    let mut stream = house.client.begin(path, &chat("fault:stall=3", true)).await;
    read_until(&mut stream, "tok1").await;
    stream
}

#[tokio::test]
async fn a_limit_on_calls_at_once_lasts_to_the_end_of_the_body() {
    for house in [
        provider(json!({"guard": ["limit"], "limit": {"concurrency": 1, "queue": 0}})).await,
        provider(json!({"guard": ["limit"], "limit": {"adaptive": {"initial": 1, "max": 1, "queue": 0}}}))
            .await,
        pipeline("concurrency_limit", json!({"limit": 1, "queue": 0})).await,
        pipeline("adaptive_limit", json!({"initial": 1, "max": 1, "queue": 0})).await,
    ] {
        let held = hold(&house, "/v1/chat/completions").await;
        let refused = ask(&house, "m").await;
        assert_eq!((refused.status, wait(&refused)), (503, Duration::from_secs(1)), "{refused:?}");
        assert!(["concurrency_limit", "adaptive_limit"].contains(&code(&refused).as_str().unwrap()));
        assert_eq!(house.upstream.stats().calls, 1);
        drop(held);
        house.quiet().await;
        assert_eq!(ask(&house, "m").await.status, 200);
    }
}

#[tokio::test]
async fn who_waits_for_a_place_waits_no_longer_than_is_set() {
    let limit = json!({"concurrency": 1, "queue": 1, "wait": "50ms"});
    let house = provider(json!({"guard": ["limit"], "limit": limit})).await;
    let held = house.client.begin("/v1/messages", &message("claude/fault:stall=3", true)).await;
    house.upstream.wait_for(|stats| stats.in_flight == 1, PATIENCE).await.unwrap();
    let began = Instant::now();
    let refused = house.client.post("/v1/messages", &message("claude/m", false)).await;
    assert!(began.elapsed() >= Duration::from_millis(50), "it waited in the queue");
    assert_eq!(refused.status, 529, "Anthropic's own status for it: {refused:?}");
    assert_eq!(refused.json()["error"]["code"], "concurrency_limit");
    drop(held);
}

#[tokio::test]
async fn a_limit_on_calls_in_a_time_says_exactly_how_long() {
    for house in [
        provider(json!({"guard": ["limit"], "limit": {"requests": 1, "window": "40s"}})).await,
        pipeline("rate_limit", json!({"limits": [{"requests": 1, "window": "40s", "per": "provider"}]}))
            .await,
    ] {
        assert_eq!(house.client.post("/v1/chat/completions", &chat("m", false)).await.status, 200);
        let native = ask(&house, "m").await;
        let openai = house.client.post("/v1/chat/completions", &chat("m", true)).await;
        assert_eq!(
            (code(&native), &openai.json()["error"]["code"]),
            (json!("rate_limited"), &json!("rate_limit_exceeded"))
        );
        for answer in [native, openai] {
            assert_eq!(answer.status, 429, "{answer:?}");
            assert!(wait(&answer) > Duration::from_secs(30) && wait(&answer) <= Duration::from_secs(40));
        }
        assert_eq!(house.upstream.stats().calls, 1);
    }
}

#[tokio::test]
async fn tokens_of_a_provider_are_limited_by_what_answers_used() {
    // An answer of the upstream has 60 tokens; what is set aside for one is more.
    let limit = json!({"tokens": 1400, "window": "1h", "mode": "smooth"});
    let house = provider(json!({"guard": ["limit"], "limit": limit})).await;
    let statuses =
        [ask(&house, "m").await.status, ask(&house, "m").await.status, ask(&house, "m").await.status];
    assert_eq!(statuses, [200, 200, 200], "what was set aside and not used was given back");
    let left = &house.client.get("/api/v2/status").await.json()["providers"][1]["rateLimit"]["tokensLeft"];
    assert!((1..1400 - 3 * 60).contains(&left.as_u64().unwrap()), "{left}");
}

#[tokio::test]
async fn tenants_are_told_apart_by_the_header_that_is_named() {
    let house = House::with(|config| {
        config["server"]["tenant_header"] = "x-api-key".into();
        config["pipeline"] = json!({"middleware": ["rate_limit"]});
        config["middleware"] = json!({"rate_limit": {"limits": [
            {"requests": 1, "per": "tenant"}, {"requests": 3, "per": "global"}]}});
    })
    .await;
    let ask = async |headers: &str| {
        let body = execution("m", false).to_string();
        house.client.post_with("/api/v2/execution", headers, body.as_bytes()).await
    };
    assert_eq!(ask("x-api-key: one\r\n").await.status, 200);
    let refused = ask("x-api-key: one\r\n").await;
    assert!(refused.status == 429 && refused.body.contains("this tenant"), "{refused:?}");
    assert_eq!(ask("x-api-key: two\r\n").await.status, 200);
    assert_eq!(ask("").await.status, 200, "those without a name share one, and a refused call used nothing");
    let refused = ask("x-api-key: three\r\n").await;
    assert!(refused.status == 429 && refused.body.contains("everybody"), "{refused:?}");
}

#[tokio::test]
async fn what_our_own_guards_refuse_is_no_failure_and_is_charged_to_nobody() {
    let house = House::with(|config| {
        config["pipeline"] = json!({"middleware": ["rate_limit", "breaker"]});
        config["middleware"] =
            json!({"rate_limit": {"limits": [{"requests": 2, "per": "global"}]}, "breaker": {"failures": 1}});
        config["providers"]["up"]["guard"] = json!(["breaker", "limit"]);
        config["providers"]["up"]["breaker"] = json!({"failures": 1});
        config["providers"]["up"]["limit"] = json!({"requests": 1});
    })
    .await;
    let calls = [ask(&house, "m").await, ask(&house, "m").await, ask(&house, "m").await];
    assert_eq!(calls.map(|answer| answer.status), [200, 429, 429]);
    assert_eq!(ask(&house, "claude/m").await.status, 200, "the second call of two that may be");
    let status = house.client.get("/api/v2/status").await.json();
    for guards in [&status["pipeline"], &status["providers"][1]] {
        assert_eq!(guards["breaker"]["state"], "closed", "{status}");
        assert_eq!(guards["breaker"]["failed"], 0);
    }
}

#[tokio::test]
async fn the_order_of_the_guards_is_that_of_the_list() {
    let settings = |guard: Value| {
        json!({"guard": guard, "timeout": {"total": "150ms"},
            "retry": {"attempts": 3, "backoff": {"base": "60ms", "cap": "60ms", "jitter": "none"}}})
    };
    let house = provider(settings(json!(["retry", "timeout"]))).await;
    assert_eq!(ask(&house, "fault:headers=60ms,flap=2").await.status, 200, "each try has its own time");
    let house = provider(settings(json!(["timeout", "retry"]))).await;
    let late = ask(&house, "fault:headers=60ms,flap=2").await;
    assert_eq!((late.status, code(&late)), (504, json!("total_timeout")), "all tries share it");
}

#[tokio::test]
async fn one_breaker_around_everything_and_the_names_of_all_guards() {
    // A call that fails is hedged at once, so the first alone has failed twice.
    let house = House::with(|config| {
        config["pipeline"] = json!({"middleware": MIDDLEWARE});
        config["middleware"] =
            json!({"breaker": {"failures": 2}, "retry": {"attempts": 1}, "timeout": {"total": "9s"}});
    })
    .await;
    for (model, status) in
        [("fault:status=500", 502), ("claude/fault:status=500", 503), ("m", 503), ("claude/m", 503)]
    {
        assert_eq!(ask(&house, model).await.status, status, "{model}");
    }
    let status = house.client.get("/api/v2/status").await.json();
    assert_eq!(
        status["pipeline"]["guards"],
        json!(MIDDLEWARE),
        "what is listed is called as it calls itself"
    );
}

#[tokio::test]
async fn every_attempt_is_listed_by_the_name_of_its_provider() {
    let retry = json!({"attempts": 3, "max_retry_after": "9s", "backoff": {"base": QUICK, "cap": QUICK}});
    let limit = json!({"requests": 1, "window": "30s"});
    let house = provider(json!({"guard": ["retry", "limit"], "retry": retry, "limit": limit})).await;
    let answer = ask(&house, "fault:status=500").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    let attempts = answer.json()["attempts"].clone();
    let told: Vec<_> =
        attempts.as_array().unwrap().iter().map(|a| (a["provider"].clone(), a["kind"].clone())).collect();
    assert_eq!(told, [(json!("up"), json!("upstream")), (json!("up"), json!("rate_limited"))]);
}

#[tokio::test]
async fn a_slow_call_is_made_a_second_time() {
    let hedge = json!({"delay": "40ms"});
    for house in [provider(json!({"guard": ["hedge"], "hedge": hedge})).await, pipeline("hedge", hedge).await]
    {
        assert_eq!(ask(&house, "m").await.status, 200);
        assert_eq!(house.upstream.stats().calls, 1, "what is fast is not");
        assert_eq!(ask(&house, "fault:headers=400ms").await.status, 200);
        assert_eq!(house.upstream.stats().calls, 3);
        house.quiet().await;
        let status = house.client.get("/api/v2/status").await.json();
        let guarded = [&status["pipeline"], &status["providers"][1]];
        assert_eq!(
            guarded.map(|guards| guards["hedge"]["sent"].as_u64().unwrap_or(0)).iter().sum::<u64>(),
            1
        );
    }
}

#[tokio::test]
async fn strict_validation_refuses_what_would_only_be_a_warning() {
    let house = pipeline("validate", json!({"strict": true})).await;
    let unnamed = house.client.post("/api/v2/execution", &json!({"prompt": "x"})).await;
    assert_eq!((unnamed.status, unnamed.json()["details"][0]["field"].clone()), (400, json!("model")));
}
