//! The OpenAPI document against the server: the same routes, and answers that are what it says.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Answer, House, chat, execution, message};

/// A router cannot be asked for its routes, so its source is.
const ROUTER: &str = include_str!("../../src/routes.rs");

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

/// The routes in the source of the router, as `post /path`.
fn routed() -> BTreeSet<String> {
    let routes = ROUTER.lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
    routes
        .map(|route| {
            let (path, handler) = route.split_once("\", ").unwrap();
            format!("{} {}", handler.split_once('(').unwrap().0, path.replace("{*", "{"))
        })
        .collect()
}

fn documented() -> BTreeSet<String> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let operations = |(path, item): (&String, &Value)| {
        item.as_object().unwrap().keys().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    paths.iter().flat_map(operations).collect()
}

/// What the document says of the component `name`.
fn schema(name: &str) -> Validator {
    let reference = format!("#/components/schemas/{name}");
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": reference,
        "components": document()["components"],
    });
    jsonschema::validator_for(&schema).unwrap()
}

pub(crate) fn assert_is(name: &str, value: &Value) {
    let wrong: Vec<String> =
        schema(name).iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?} in {value}");
}

/// A house that can do everything the native format can show: prices, faults, failed attempts.
async fn house() -> House {
    House::with(|config| {
        config["providers"]["sim"] =
            json!({"type": "simulator", "price": {"input": 150_000, "output": 600_000}});
        config["providers"]["down"] =
            json!({"type": "simulator", "error_rate": 1.0, "errors": ["unavailable"]});
        config["providers"]["either"] = json!({"type": "fallback", "members": ["down", "sim"]});
        let up = config["providers"]["up"].clone();
        config["providers"]["well"] = up;
        config["providers"]["well"]["models"] = json!({"*": "m"});
        config["providers"]["twice"] =
            json!({"type": "fallback", "members": ["up", "well"], "mid_stream": "restart"});
        config["providers"]["neither"] = json!({"type": "fallback", "members": ["down"]});
    })
    .await
}

#[test]
fn every_route_is_documented_and_nothing_else() {
    assert!(routed().len() >= 9, "{:?}", routed());
    assert_eq!(documented(), routed());
}

#[tokio::test]
async fn every_documented_operation_is_answered() {
    let house = House::new().await;
    for operation in documented() {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = path.replace("{id}", "nothing");
        let answer = if method == "get" {
            house.client.get(&path).await
        } else {
            house.client.post_with(&path, "", b"{}").await
        };
        assert!(answer.status != 405 && !answer.body.contains("unknown_route"), "{operation}: {answer:?}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "nobody uses {reference}");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let operations = document["paths"].as_object().unwrap().values();
    let names: Vec<&str> = operations
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[tokio::test]
async fn the_document_is_served_as_it_is() {
    let house = House::new().await;
    assert_eq!(house.client.get("/openapi.json").await.json(), document());
}

#[tokio::test]
async fn native_answers_are_what_the_document_says() {
    let house = house().await;
    for provider in ["up", "claude", "sim", "either"] {
        let body = json!({"prompt": "hello", "model": "m", "provider": provider});
        let answer = house.client.post("/api/v2/execution", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_is("ExecutionAnswer", &answer.json());
    }
}

#[tokio::test]
async fn native_events_are_what_the_document_says() {
    let house = house().await;
    let document = document();
    let content = &document["paths"]["/api/v2/execution"]["post"]["responses"]["200"]["content"];
    let events = content["text/event-stream"]["x-sse-events"].as_object().unwrap();
    let mut seen = BTreeSet::new();
    for model in
        ["m", "twice/fault:cut=3", "sim/m", "up/fault:reasoning", "claude/fault:reasoning", "sim/fault:cut=3"]
    {
        let answer = house.client.post("/api/v2/execution", &execution(model, true)).await;
        for (event, data) in named_events(&answer) {
            let reference = events[&event]["$ref"].as_str().unwrap();
            assert_is(reference.rsplit('/').next().unwrap(), &data);
            seen.insert(event);
        }
    }
    let documented: BTreeSet<String> = events.keys().cloned().collect();
    assert_eq!(seen, documented, "each event was there to be looked at");
}

/// The events of a stream with their data.
fn named_events(answer: &Answer) -> Vec<(String, Value)> {
    let blocks = answer.body.split("\n\n").filter(|block| block.starts_with("event: "));
    blocks
        .map(|block| {
            let (event, data) = block["event: ".len()..].split_once("\ndata: ").unwrap();
            (event.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn native_errors_are_what_the_document_says() {
    let house = house().await;
    for (body, status, part) in [
        (json!({"prompt": "", "temperature": 3}), 400, "details"),
        (json!({"prompt": "x", "provider": "neither"}), 503, "attempts"),
        (json!({"prompt": "x", "provider": "sim", "model": "fault:rate_limited=2s"}), 429, "retryAfterMs"),
        (json!({"prompt": "x", "provider": "nowhere"}), 404, "code"),
        (json!({"prompt": "x", "strategy": "batch"}), 422, "kind"),
    ] {
        let answer = house.client.post("/api/v2/execution", &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_is("ExecutionError", &answer.json());
        assert!(answer.json().get(part).is_some(), "{part} is not in {answer:?}");
    }
}

#[tokio::test]
async fn native_requests_are_what_the_document_says() {
    let house = house().await;
    let schema = schema("ExecutionRequest");
    let good = [
        json!({"prompt": "x"}),
        json!({"prompt": "x", "systemPrompt": "y", "model": "m", "temperature": 2, "maxTokens": 8000,
            "stream": false, "provider": "sim", "strategy": "auto", "priority": "urgent", "fallback": false, "metadata": {"a": 1}}),
        json!({"prompt": "x", "systemPrompt": null, "model": null, "temperature": null, "maxTokens": null,
            "stream": null, "provider": null, "strategy": null, "priority": null, "fallback": null, "metadata": null}),
    ];
    for mut body in good {
        assert!(schema.is_valid(&body), "{body}");
        body["provider"] = "sim".into();
        assert_eq!(house.client.post("/api/v2/execution", &body).await.status, 200, "{body}");
    }
    for (name, value) in [
        ("prompt", json!("")),
        ("prompt", json!("x".repeat(10_001))),
        ("systemPrompt", json!(1)),
        ("temperature", json!(2.1)),
        ("maxTokens", json!(8001)),
        ("maxTokens", json!(0)),
        ("stream", json!("yes")),
        ("provider", json!("")),
        ("strategy", json!("batch")),
        ("priority", json!("asap")),
        ("fallback", json!("no")),
        ("metadata", json!([])),
        ("max_tokens", json!(5)),
    ] {
        let mut body = json!({"prompt": "x", "provider": "sim"});
        body[name] = value;
        let status = house.client.post("/api/v2/execution", &body).await.status;
        assert!(!schema.is_valid(&body) && matches!(status, 400 | 422), "{name}: {status}");
    }
}

#[tokio::test]
async fn answers_of_the_other_doors_are_what_the_document_says() {
    let house = house().await;
    let ask = async |path: &str, body: Value| house.client.post(path, &body).await.json();
    assert_is("OpenAiChatAnswer", &ask("/v1/chat/completions", chat("sim/m", false)).await);
    assert_is("OpenAiError", &ask("/v1/chat/completions", json!({"temperature": 3})).await);
    assert_is("OpenAiError", &ask("/v1/chat/completions", chat("sim/fault:refused", false)).await);
    assert_is("AnthropicMessage", &ask("/v1/messages", message("sim/m", false)).await);
    assert_is("AnthropicError", &ask("/v1/messages", json!({"temperature": 3})).await);
    let texts = json!({"model": "up/text-embedding-3-small", "input": ["a", "b"]});
    assert_is("OpenAiEmbeddingsAnswer", &ask("/v1/embeddings", texts).await);
    let stream = house.client.post("/v1/chat/completions", &chat("sim/m", true)).await;
    for event in stream.events().iter().filter(|event| *event != "[DONE]") {
        assert_is("OpenAiChatChunk", &serde_json::from_str(event).unwrap());
    }
}

#[tokio::test]
async fn what_can_be_got_is_what_the_document_says() {
    let house = house().await;
    let get = async |path: &str| house.client.get(path).await.json();
    assert_is("OpenAiModelList", &get("/v1/models").await);
    assert_is("OpenAiModel", &get("/v1/models/sim/simulator").await);
    assert_is("OpenAiError", &get("/v1/models/nothing").await);
    assert_is("Alive", &get("/livez").await);
    assert_is("Readiness", &get("/readyz").await);
    assert_is("Status", &get("/api/v2/status").await);
    let anthropic = async |path: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nanthropic-version: 2023-06-01\r\n\r\n"
        );
        house.client.send(&head, b"").await.json()
    };
    assert_is("AnthropicModelList", &anthropic("/v1/models").await);
    assert_is("AnthropicModel", &anthropic("/v1/models/sim/simulator").await);
    assert_is("AnthropicError", &anthropic("/v1/models/nothing").await);
}
