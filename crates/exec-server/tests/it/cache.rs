//! Kept and shared answers, as callers and operators see them over HTTP.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::openapi::assert_is;
use crate::support::{Answer, House, PATIENCE, chat, execution, message, read_until};

/// After this an answer that is good for a millisecond is past its time.
const PAST: Duration = Duration::from_millis(3);

/// A house that keeps answers with these settings, after `change` has changed the rest.
async fn keeping(settings: Value, change: impl FnOnce(&mut Value)) -> House {
    House::with(|config| {
        config["pipeline"] = json!({"middleware": ["trace", "metrics", "validate", "cache"]});
        config["middleware"] = json!({"cache": settings});
        change(config);
    })
    .await
}

async fn house() -> House {
    keeping(json!({}), |_| {}).await
}

/// Every door, with a body for `model` behind `provider`.
fn doors(model: &str, stream: bool) -> [(&'static str, Value); 3] {
    [
        ("/v1/chat/completions", chat(model, stream)),
        ("/v1/messages", message(&format!("claude/{model}"), stream)),
        ("/api/v2/execution", execution(model, stream)),
    ]
}

fn from(answer: &Answer) -> &str {
    answer.header("x-exec-cache").unwrap_or("nothing")
}

async fn ask(house: &House, headers: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let answer = house.client.post_with("/api/v2/execution", headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn figures(house: &House) -> Value {
    house.client.get("/api/v2/status").await.json()["pipeline"]["cache"].clone()
}

/// Reads a stream to its end.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

#[tokio::test]
async fn what_was_answered_is_answered_again_byte_for_byte_in_every_dialect() {
    let house = house().await;
    // What is asked in the native format is one request, streamed or not.
    for (stream, model) in [(false, "m"), (true, "n")] {
        for (path, body) in doors(model, stream) {
            let calls = house.upstream.stats().calls;
            let first = house.client.post(path, &body).await;
            let again = house.client.post(path, &body).await;
            assert_eq!((from(&first), from(&again)), ("miss", "hit"), "{path} {first:?}");
            assert_eq!(house.upstream.stats().calls, calls + 1, "{path} {stream}");
            assert_eq!(first.header("x-exec-provider"), again.header("x-exec-provider"));
            if path.starts_with("/v1") {
                assert_eq!(first.body, again.body, "{path} {stream}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_kept_costs_nothing_and_says_what_it_saved() {
    let house = keeping(json!({}), |config| {
        config["providers"]["sim"] =
            json!({"type": "simulator", "price": {"input": 150_000, "output": 600_000}});
    })
    .await;
    let first = ask(&house, "", &execution("sim/m", false)).await.json();
    let again = ask(&house, "", &execution("sim/m", false)).await.json();
    assert_is("ExecutionAnswer", &again);
    let (first, again) = (&first["data"], &again["data"]);
    assert_eq!(
        (&first["cache"], &first["cacheHit"], &first["saved"]),
        (&Value::Null, &json!(false), &Value::Null)
    );
    assert_eq!(
        (&again["cache"], &again["cacheHit"], &again["attempts"]),
        (&json!("hit"), &json!(true), &json!(0))
    );
    assert_eq!((&again["cost"]["total"], &again["saved"]), (&json!(0.0), &first["cost"]));
    assert_eq!((&again["content"], &again["provider"]), (&first["content"], &first["provider"]));
    let status = house.client.get("/api/v2/status").await.json();
    assert_is("Status", &status);
    let cache = &status["pipeline"]["cache"];
    let counted =
        ["hits", "misses", "stored", "entries", "inFlight"].map(|name| cache[name].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1, 1, 0]);
    assert!(cache["savedMicros"].as_u64().unwrap() > 0 && cache["weightBytes"].as_u64().unwrap() > 0);
    let metrics = house.client.get("/metrics").await.body;
    for line in ["exec_cache_calls_total{result=\"hit\"} 1", "exec_cache_entries 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn tenants_never_meet_neither_in_what_is_kept_nor_in_what_is_shared() {
    let house = keeping(json!({}), |config| config["server"]["tenant_header"] = "x-team".into()).await;
    for stream in [false, true] {
        let body = execution("m", stream);
        let calls = house.upstream.stats().calls;
        for (team, expected) in [("red", "miss"), ("blue", "miss"), ("red", "hit"), ("blue", "hit")] {
            let answer = ask(&house, &format!("x-team: {team}\r\n"), &body).await;
            assert_eq!(from(&answer), expected, "{team} {stream}");
        }
        assert_eq!(from(&ask(&house, "", &body).await), "miss", "nor those without a name");
        assert_eq!(house.upstream.stats().calls, calls + 3);
        house.client.delete("/api/v2/cache").await;
    }
    house.upstream.reset();
    let body = chat("fault:headers=300ms", true).to_string();
    let teams = ["red", "blue"].repeat(5);
    let calls = teams.iter().map(|team| {
        let (client, body, headers) = (house.client, &body, format!("x-team: {team}\r\n"));
        async move { client.post_with("/v1/chat/completions", &headers, body.as_bytes()).await }
    });
    let answers = join_all(calls).await;
    for (n, answer) in answers.iter().enumerate() {
        let same = &answers[n % 2].body;
        assert_eq!((answer.status, &answer.body), (200, same));
    }
    assert_eq!(house.upstream.stats().calls, 2, "one for each team");
    // The upstream names every answer of its own: those of the teams are different answers.
    assert_ne!(answers[0].body, answers[1].body);
}

#[tokio::test]
async fn who_comes_later_gets_all_of_a_stream_although_its_first_reader_leaves() {
    let house = house().await;
    for (path, body) in doors("fault:gap=4ms", true) {
        let calls = house.upstream.stats().calls;
        let mut leader = house.client.begin(path, &body).await;
        read_until(&mut leader, "tok3").await;
        let mut late = house.client.begin(path, &body).await;
        let head = read_until(&mut late, "tok1").await;
        assert!(head.to_lowercase().contains("x-exec-cache: coalesced"), "{head}");
        drop(leader);
        let whole = head + &rest(late).await;
        for token in ["tok0", "tok30", "tok59"] {
            assert!(whole.contains(token), "{path}: {token} is not in {whole}");
        }
        assert_eq!(house.upstream.stats().calls, calls + 1, "{path}");
        house.quiet().await;
        assert_eq!(from(&house.client.post(path, &body).await), "hit", "and it is kept");
    }
    assert_eq!(house.upstream.stats().left, 0);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_cancelled_upstream() {
    let house = house().await;
    let mut both = Vec::new();
    for _ in 0..2 {
        let mut reader = house.client.begin("/v1/chat/completions", &chat("fault:stall=3", true)).await;
        read_until(&mut reader, "tok1").await;
        both.push(reader);
    }
    assert_eq!((house.upstream.stats().calls, house.upstream.stats().in_flight), (1, 1));
    both.pop();
    assert_eq!(figures(&house).await["inFlight"], 1);
    drop(both);
    house.quiet().await;
    assert_eq!((house.upstream.stats().left, &figures(&house).await["entries"]), (1, &json!(0)));
}

#[tokio::test]
async fn a_hundred_equal_streams_at_once_are_one_call() {
    let house = house().await;
    for (path, body) in doors("fault:headers=100ms,gap=1ms", true) {
        let calls = house.upstream.stats().calls;
        let answers = join_all((0..100).map(|_| house.client.post(path, &body))).await;
        assert_eq!(house.upstream.stats().calls, calls + 1, "{path}");
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.body.contains("tok59")));
        if path.starts_with("/v1") {
            assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{path}");
        }
        let misses = answers.iter().filter(|answer| from(answer) == "miss").count();
        assert_eq!(misses, 1, "{path}");
    }
}

#[tokio::test]
async fn an_answer_past_its_time_is_used_at_once_and_renewed_behind() {
    let house = keeping(json!({"ttl": "1ms", "stale_while_revalidate": "1h"}), |_| {}).await;
    let body = execution("fault:headers=50ms", false);
    assert_eq!(from(&ask(&house, "", &body).await), "miss");
    tokio::time::sleep(PAST).await;
    assert_eq!(from(&ask(&house, "", &body).await), "stale");
    house.upstream.wait_for(|stats| stats.completed == 2, PATIENCE).await.unwrap();
    let cache = figures(&house).await;
    assert_eq!((&cache["stale"], &cache["revalidations"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_answer_past_its_time_is_better_than_a_failure_that_passes() {
    let house = keeping(json!({"ttl": "1ms", "stale_if_error": "1h"}), |_| {}).await;
    let body = execution("m", false);
    assert_eq!(from(&ask(&house, "", &body).await), "miss");
    let House { upstream, client, server: _server, .. } = house;
    upstream.stop().await;
    tokio::time::sleep(PAST).await;
    let answer = client.post("/api/v2/execution", &body).await;
    assert_eq!((answer.status, from(&answer)), (200, "stale"), "{answer:?}");
    let cache = client.get("/api/v2/status").await.json()["pipeline"]["cache"].clone();
    assert_eq!((&cache["rescued"], &cache["misses"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn a_caller_says_what_the_cache_may_do() {
    let house = house().await;
    let say = async |header: &str, native: &str| {
        let mut body = execution("m", false);
        if !native.is_empty() {
            body["cache"] = native.into();
        }
        let header = if header.is_empty() { String::new() } else { format!("x-exec-cache: {header}\r\n") };
        let answer = ask(&house, &header, &body).await;
        (from(&answer).to_owned(), house.upstream.stats().calls)
    };
    let expect = |word: &str, calls: u64| (word.to_owned(), calls);
    assert_eq!(say("read", "").await, expect("miss", 1));
    assert_eq!(say("", "read").await, expect("miss", 2), "nothing was kept");
    assert_eq!(say("off", "").await, expect("nothing", 3));
    assert_eq!(say("", "off").await, expect("nothing", 4));
    assert_eq!(say("default", "").await, expect("miss", 5));
    assert_eq!(say("read", "").await, expect("hit", 5));
    assert_eq!(say("", "refresh").await, expect("miss", 6));
    assert_eq!(say("off", "read").await, expect("hit", 6), "the body wins");
    for (path, body) in doors("m", false) {
        let wrong =
            house.client.post_with(path, "x-exec-cache: write\r\n", body.to_string().as_bytes()).await;
        assert!(wrong.status == 400 && wrong.body.contains("default, off, read or refresh"), "{wrong:?}");
    }
    let warm = house.client.post("/v1/chat/completions", &chat("m", false)).await;
    assert_eq!(from(&warm), "miss", "the native answers are of another request");
}

#[tokio::test]
async fn an_operator_says_which_answers_are_wrong() {
    let house = keeping(json!({}), |config| config["server"]["tenant_header"] = "x-team".into()).await;
    let words = async |models: &[&str]| {
        let mut words = Vec::new();
        for model in models {
            let answer = ask(&house, "x-team: red\r\n", &execution(model, false)).await;
            words.push(from(&answer).to_owned());
        }
        words
    };
    for (query, expected) in [
        ("", ["miss", "miss"]),
        ("?model=a", ["miss", "hit"]),
        ("?model=a*&operation=chat", ["miss", "miss"]),
        ("?model=a&operation=embed", ["hit", "hit"]),
        ("?operation=chat", ["miss", "miss"]),
        ("?operation=chat&tenant=blue", ["hit", "hit"]),
        ("?tenant=red", ["miss", "miss"]),
    ] {
        words(&["a", "ab"]).await;
        let answer = house.client.delete(&format!("/api/v2/cache{query}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{query}");
        assert_eq!(words(&["a", "ab"]).await, expected, "{query}");
    }
    for query in ["?modle=a", "?operation=caht"] {
        let wrong = house.client.delete(&format!("/api/v2/cache{query}")).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
        assert_is("ExecutionError", &wrong.json());
    }
    let without = House::new().await.client.delete("/api/v2/cache").await;
    assert_eq!((without.status, without.json()["code"].clone()), (404, json!("no_cache")));
}

#[tokio::test]
async fn a_stand_in_and_an_answer_of_two_providers_are_not_kept() {
    let house = keeping(json!({}), |config| {
        let well = config["providers"]["up"].clone();
        config["providers"]["well"] = well;
        config["providers"]["well"]["models"] = json!({"*": "m"});
        config["providers"]["twice"] =
            json!({"type": "fallback", "members": ["up", "well"], "mid_stream": "restart"});
        config["providers"]["alone"] =
            json!({"type": "fallback", "members": ["up"], "degraded": {"text": "later"}});
    })
    .await;
    for _ in 0..2 {
        let answer = ask(&house, "", &execution("alone/fault:status=503", false)).await;
        assert_eq!((from(&answer), answer.header("x-exec-degraded")), ("miss", Some("true")));
        let answer = ask(&house, "", &execution("twice/fault:cut=3", true)).await;
        assert!(from(&answer) == "miss" && answer.body.contains("\"restarted\""), "{answer:?}");
    }
    let cache = figures(&house).await;
    assert_eq!((&cache["stored"], &cache["entries"], &cache["hits"]), (&json!(0), &json!(0), &json!(0)));
}

#[tokio::test]
async fn a_kept_answer_takes_no_place_at_any_guard_behind_the_cache() {
    let house = keeping(json!({}), |config| {
        config["pipeline"]["middleware"] =
            json!(["trace", "validate", "rate_limit", "cache", "breaker", "concurrency_limit"]);
        config["middleware"]["rate_limit"] = json!({"limits": [{"requests": 4, "per": "global"}]});
        config["providers"]["up"]["guard"] = json!(["breaker", "limit"]);
        config["providers"]["up"]["limit"] = json!({"concurrency": 1, "queue": 0, "requests": 2});
        config["providers"]["chat"] =
            json!({"type": "fallback", "members": ["up", "claude"], "mode": "circuit_breaker"});
        config["server"]["default_provider"] = "chat".into();
    })
    .await;
    for _ in 0..4 {
        ask(&house, "", &execution("m", false)).await;
    }
    let refused = house.client.post("/api/v2/execution", &execution("m", false)).await;
    assert_eq!(refused.status, 429, "the limits of the caller count what is kept");
    let status = house.client.get("/api/v2/status").await.json();
    let provider = |name: &str| {
        status["providers"].as_array().unwrap().iter().find(|provider| provider["name"] == name).unwrap()
    };
    let (up, chat) = (provider("up"), provider("chat"));
    let seen = [
        &status["pipeline"]["breaker"]["succeeded"],
        &status["pipeline"]["limits"][0]["admitted"],
        &chat["members"][0]["breaker"]["succeeded"],
        &up["breaker"]["succeeded"],
        &up["limits"][0]["admitted"],
        &up["rateLimit"]["requestsLeft"],
    ];
    assert_eq!(seen, [&json!(1); 6], "{status}");
    assert_eq!(chat["members"][1]["breaker"]["succeeded"], 0);
}
