//! One engine, three formats: the same answer whichever door it leaves by and whichever provider it comes from.

use serde_json::{Value, json};
use xtask::upstream::text;

use crate::support::{House, chat, execution, message};

#[tokio::test]
async fn every_door_answers_from_every_provider() {
    let house = House::new().await;
    for provider in ["up", "claude"] {
        let model = format!("{provider}/m");
        let openai = house.client.post("/v1/chat/completions", &chat(&model, false)).await.json();
        assert_eq!(openai["choices"][0]["message"]["content"], text(60));
        assert_eq!(openai["choices"][0]["finish_reason"], "stop");
        assert_eq!(openai["usage"]["completion_tokens"], 60);
        let anthropic = house.client.post("/v1/messages", &message(&model, false)).await.json();
        assert_eq!(anthropic["content"][0]["text"], text(60));
        assert_eq!(
            (&anthropic["stop_reason"], &anthropic["usage"]["output_tokens"]),
            (&json!("end_turn"), &json!(60))
        );
        let native = house.client.post("/api/v2/execution", &execution(&model, false)).await.json();
        assert_eq!((&native["success"], &native["data"]["content"]), (&json!(true), &json!(text(60))));
        assert_eq!(native["data"]["usage"]["completionTokens"], 60);
        assert_eq!((&native["data"]["provider"], &native["data"]["model"]), (&json!(provider), &json!("m")));
    }
}

#[tokio::test]
async fn the_native_stream_has_its_four_events() {
    let house = House::new().await;
    let answer = house.client.post("/api/v2/execution", &execution("m", true)).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let names: Vec<&str> = answer.body.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names.iter().filter(|name| **name == "chunk").count(), 60);
    assert_eq!(names[60..], ["usage", "done"]);
    let events: Vec<Value> =
        answer.events().iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let said: String = events.iter().filter_map(|event| event["content"].as_str()).collect();
    assert_eq!(said, text(60));
    let done = &events[61];
    assert_eq!((&done["data"]["streamed"], &done["data"]["provider"]), (&json!(true), &json!("up")));
}

#[tokio::test]
async fn what_came_in_the_same_format_is_forwarded_as_it_is() {
    let house = House::new().await;
    let through = house.client.post("/v1/chat/completions", &chat("m", false)).await.json();
    assert!(through["system_fingerprint"].is_string(), "a field we have no name for: {through}");
    let mut body = chat("fault:echo", false);
    body["logit_bias"] = json!({"50256": -100});
    body["future_option"] = json!([1, {"deep": null}]);
    house.client.post("/v1/chat/completions", &body).await;
    let seen: Value = serde_json::from_str(&house.upstream.last().pop().unwrap().body).unwrap();
    assert_eq!((&seen["logit_bias"], &seen["future_option"]), (&body["logit_bias"], &body["future_option"]));
    assert_eq!(seen["model"], "fault:echo");
}

#[tokio::test]
async fn what_another_format_cannot_say_is_left_out_and_named() {
    let house = House::new().await;
    let mut body = chat("claude/m", false);
    body["logit_bias"] = json!({"50256": -100});
    body["seed"] = json!(7);
    let answer = house.client.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let dropped = answer.header("x-exec-dropped").unwrap();
    assert!(dropped.contains("logit_bias") && dropped.contains("seed"), "{dropped}");
    let same = house.client.post("/v1/chat/completions", &chat("up/m", false)).await;
    assert_eq!(same.header("x-exec-dropped"), None);
}

#[tokio::test]
async fn models_are_listed_by_the_names_that_reach_them() {
    let house = House::new().await;
    let list = house.client.get("/v1/models").await.json();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert!(
        ids.iter().any(|id| !id.contains('/')) && ids.iter().any(|id| id.starts_with("claude/")),
        "{ids:?}"
    );
    for id in &ids {
        let answer = house.client.post("/v1/chat/completions", &chat(id, false)).await;
        assert_eq!(answer.status, 200, "{id}: {answer:?}");
        assert_eq!(house.client.get(&format!("/v1/models/{id}")).await.json()["id"], *id);
    }
    assert_eq!(house.client.get("/v1/models/nothing").await.status, 404);
}

#[tokio::test]
async fn embeddings_go_where_they_can_and_say_so_where_they_cannot() {
    let house = House::new().await;
    let ask = |model: &str| json!({"model": model, "input": ["a", "b"]});
    let answer = house.client.post("/v1/embeddings", &ask("up/e")).await.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    let refused = house.client.post("/v1/embeddings", &ask("claude/e")).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (422, &json!("unsupported")),
        "{refused:?}"
    );
}
