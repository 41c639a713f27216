//! How the server says it is: one picture as JSON and for Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::openapi::assert_is;
use crate::support::{House, chat, execution, read_until};

/// A house where everything has a guard.
async fn house() -> House {
    House::with(|config| {
        config["pipeline"] = json!({"middleware": ["trace", "metrics", "validate", "rate_limit", "concurrency_limit"]});
        config["middleware"] = json!({"rate_limit": {"limits": [{"requests": 100, "tokens": 900_000, "per": "global"}]},
            "concurrency_limit": {"limit": 7}});
        let up = config["providers"]["up"].as_object_mut().unwrap();
        up.insert("guard".into(), json!(["retry", "breaker", "limit", "timeout"]));
        up.insert("retry".into(), json!({"attempts": 2, "backoff": {"base": "1ms", "cap": "1ms"}}));
        up.insert("breaker".into(), json!({"failures": 4}));
        up.insert("limit".into(), json!({"adaptive": {"initial": 5, "max": 5}, "requests": 50}));
        config["providers"]["claude"]["guard"] = json!(["hedge", "limit"]);
        config["providers"]["claude"]["limit"] = json!({"concurrency": 3});
        config["providers"]["chat"] = json!({"type": "fallback", "members": ["up", "claude"]});
    })
    .await
}

async fn status(house: &House) -> Value {
    let answer = house.client.get("/api/v2/status").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_is("Status", &answer.json());
    answer.json()
}

/// The figures by name and labels.
async fn metrics(house: &House) -> BTreeMap<String, f64> {
    let answer = house.client.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = answer.body.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
        })
        .collect()
}

fn provider<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["providers"].as_array().unwrap().iter().find(|provider| provider["name"] == name).unwrap()
}

#[tokio::test]
async fn a_fresh_server_has_everything_at_rest() {
    let house = house().await;
    let status = status(&house).await;
    assert_eq!((&status["status"], &status["inFlight"]), (&json!("ready"), &json!(0)));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        status["pipeline"]["guards"],
        json!(["trace", "metrics", "validate", "rate_limit", "concurrency_limit"])
    );
    assert_eq!(status["retryBudget"], json!({"requests": 0, "retries": 0, "left": 10}));
    let up = provider(&status, "up");
    assert_eq!(up["guards"], json!(["retry", "breaker", "adaptive_limit", "rate_limit", "timeout"]));
    assert_eq!((&up["default"], &up["health"]), (&json!(true), &json!("healthy")));
    assert_eq!((&up["breaker"]["state"], up["breaker"].get("openForMs")), (&json!("closed"), None));
    assert_eq!(up["limits"][0]["limit"], 5);
    assert_eq!(up["rateLimit"]["requestsLeft"], 50);
    assert_eq!(provider(&status, "claude")["health"], "unknown");
    assert_eq!(provider(&status, "chat")["health"], "healthy");
}

#[tokio::test]
async fn what_is_under_way_is_told_until_it_is_over() {
    let house = house().await;
    let mut stream = house.client.begin("/v1/chat/completions", &chat("fault:stall=3", true)).await;
    read_until(&mut stream, "tok1").await;
    let during = status(&house).await;
    let figures = metrics(&house).await;
    assert_eq!(during["inFlight"], 1);
    assert_eq!(during["pipeline"]["limits"][0]["inFlight"], 1);
    assert_eq!(provider(&during, "up")["limits"][0]["inFlight"], 1);
    assert_eq!(figures["exec_in_flight"], 1.0);
    assert_eq!(figures["exec_limit_in_flight{guard=\"concurrency_limit\"}"], 1.0);
    assert_eq!(figures["exec_limit_in_flight{provider=\"up\",guard=\"adaptive_limit\"}"], 1.0);
    drop(stream);
    house.quiet().await;
    let after = status(&house).await;
    assert_eq!(after["inFlight"], 0);
    assert_eq!(after["pipeline"]["limits"][0]["inFlight"], 0);
    assert_eq!(provider(&after, "up")["limits"][0]["admitted"], 1);
}

#[tokio::test]
async fn an_open_breaker_and_spent_budgets_are_told_in_both() {
    let house = house().await;
    for _ in 0..4 {
        house.client.post("/api/v2/execution", &execution("fault:status=500", false)).await;
    }
    let status = status(&house).await;
    let up = provider(&status, "up");
    let breaker = &up["breaker"];
    assert_eq!(
        (&breaker["state"], &breaker["failed"], &breaker["rejected"]),
        (&json!("open"), &json!(4), &json!(2))
    );
    assert!((1..=60_000).contains(&breaker["openForMs"].as_u64().unwrap()), "{breaker}");
    assert_eq!(
        (&up["health"], &provider(&status, "chat")["health"]),
        (&json!("unhealthy"), &json!("degraded"))
    );
    assert_eq!(status["retryBudget"]["retries"], 2);
    assert_eq!(up["rateLimit"]["requestsLeft"], 46);

    let figures = metrics(&house).await;
    assert_eq!(figures["exec_breaker_state{provider=\"up\",state=\"open\"}"], 1.0);
    assert_eq!(figures["exec_breaker_state{provider=\"up\",state=\"closed\"}"], 0.0);
    assert_eq!(figures["exec_breaker_calls_total{provider=\"up\",outcome=\"rejected\"}"], 2.0);
    assert!(figures["exec_breaker_open_for_seconds{provider=\"up\"}"] > 50.0);
    assert_eq!(figures["exec_provider_health{provider=\"up\",health=\"unhealthy\"}"], 1.0);
    assert_eq!(figures["exec_retry_budget_left"], 8.0);
    assert_eq!(figures["exec_rate_limit_left{provider=\"up\",unit=\"requests\"}"], 46.0);
}

#[tokio::test]
async fn two_servers_in_one_process_tell_of_themselves_only() {
    let (busy, idle) = (house().await, house().await);
    for _ in 0..3 {
        busy.client.post("/api/v2/execution", &execution("m", false)).await;
    }
    let calls = "exec_breaker_calls_total{provider=\"up\",outcome=\"succeeded\"}";
    assert_eq!((metrics(&busy).await[calls], metrics(&idle).await[calls]), (3.0, 0.0));
}

#[tokio::test]
async fn nothing_secret_is_told_and_no_provider_is_asked() {
    let house = house().await;
    let texts = [house.client.get("/api/v2/status").await.body, house.client.get("/metrics").await.body];
    for text in texts {
        for secret in ["good-key", "127.0.0.1", "http"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    assert_eq!(house.upstream.stats().connections, 0);
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let house = house().await;
    let mut stream = house.client.begin("/v1/chat/completions", &chat("fault:stall=3", true)).await;
    read_until(&mut stream, "tok1").await;
    house.drain.stop();
    assert_eq!(status(&house).await["status"], "stopping");
    assert_eq!(metrics(&house).await["exec_stopping"], 1.0);
}

/// The names in the first column of the table that begins with `head`.
fn described(head: &str) -> BTreeSet<String> {
    let text = include_str!("../../../../docs/configuration.md");
    let table = text.split_once(head).unwrap().1.split("\n\n").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap().split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn every_metric_is_described_and_nothing_else() {
    assert!(exec_server::metrics::install() && exec_server::metrics::install(), "once is enough");
    let house = house().await;
    for model in ["m", "fault:status=500"] {
        house.client.post("/api/v2/execution", &execution(model, false)).await;
    }
    let figures = metrics(&house).await;
    let calls = "exec_calls_total{operation=\"chat\",model=\"m\",outcome=\"completed\"}";
    assert!(figures[calls] >= 1.0, "{figures:?}");
    let name = |key: &String| {
        let name = key.split('{').next().unwrap();
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        histogram.unwrap_or(name).to_owned()
    };
    let told: BTreeSet<String> = figures.keys().map(name).collect();
    let (ours, of_calls) = (described("| metric |"), described("| metric of calls |"));
    assert!(ours.is_subset(&told), "{:?}", ours.difference(&told));
    assert!(told.iter().all(|name| ours.contains(name) || of_calls.contains(name)), "{told:?}");
    for name in
        ["exec_calls_total", "exec_call_duration_seconds", "exec_attempts_total", "exec_retries_total"]
    {
        assert!(told.contains(name) && of_calls.contains(name), "{name}");
    }
    let calls = &status(&house).await["pipeline"]["calls"];
    assert_eq!((&calls["calls"], &calls["completed"], &calls["failed"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(calls["models"][0]["answered"], 1);
}
