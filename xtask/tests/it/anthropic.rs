//! Messages as Anthropic sends them.
use crate::client::{ANTHROPIC, Reply, anthropic, raw, send};
use serde_json::{Value, json};
use xtask::upstream::{Upstream, arguments, text};

fn tools() -> Value {
    json!({"stream": true, "tools": [{"name": "first", "input_schema": {}}]})
}

fn kinds(reply: &Reply) -> Vec<String> {
    let mut kinds: Vec<String> =
        reply.events().iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect();
    kinds.dedup();
    kinds
}

fn joined(events: &[Value], field: &str, index: u64) -> String {
    let of_block = events.iter().filter(|e| e["index"] == index);
    of_block.filter_map(|e| e["delta"][field].as_str()).collect()
}

#[tokio::test]
async fn a_complete_message_has_the_fields_of_the_real_one() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "", json!({})).await;
    let answer = reply.json();
    assert!(reply.whole);
    assert_eq!(answer["type"], "message");
    assert_eq!(answer["content"], json!([{"type": "text", "text": text(60)}]));
    assert_eq!(answer["stop_reason"], "end_turn");
    assert_eq!(answer["stop_sequence"], Value::Null);
    assert_eq!(answer["usage"]["input_tokens"], 21);
    assert_eq!(answer["usage"]["output_tokens"], 60);
    assert!(reply.header("request-id").unwrap().starts_with("req_"));
}

#[tokio::test]
async fn the_events_of_a_stream_come_in_order() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "", json!({"stream": true})).await;
    let order = ["message_start", "content_block_start", "ping", "content_block_delta", "content_block_stop"];
    assert_eq!(kinds(&reply), [&order[..], &["message_delta", "message_stop"]].concat());
    assert_eq!(joined(&reply.events(), "text", 0), text(60));
    for line in reply.text().split("\n\n").filter(|event| !event.is_empty()) {
        let (name, data) = line.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), data["type"]);
    }
    let events = reply.events();
    assert_eq!(events[events.len() - 2]["usage"]["output_tokens"], 60);
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn tool_use_blocks_come_in_pieces_and_one_is_empty() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "tokens=2,tools=3", tools()).await;
    let events = reply.events();
    assert_eq!(joined(&events, "text", 0), text(2));
    assert_eq!(joined(&events, "partial_json", 1), arguments(0, 3));
    assert_eq!(joined(&events, "partial_json", 2), arguments(1, 3));
    assert_eq!(joined(&events, "partial_json", 3), "");
    let starts: Vec<_> = events.iter().filter(|e| e["content_block"]["type"] == "tool_use").collect();
    assert!(
        starts
            .iter()
            .all(|e| e["content_block"]["input"] == json!({}) && e["content_block"]["name"] == "first")
    );
    assert_eq!(starts.len(), 3);
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
    let unary = anthropic(&upstream, "tools=3", json!({"tools": [{"name": "first"}]})).await.json();
    assert_eq!(unary["content"].as_array().unwrap().len(), 3);
    assert_eq!(unary["content"][2]["input"], json!({}));
    assert_eq!(unary["content"][0]["input"]["city"], "東京 特別");
}

#[tokio::test]
async fn thinking_is_signed_and_comes_first() {
    let upstream = Upstream::start().await.unwrap();
    let events = anthropic(&upstream, "reasoning", json!({"stream": true})).await.events();
    assert_eq!(joined(&events, "thinking", 0), "think0 think1 think2 think3 think4");
    assert!(!joined(&events, "signature", 0).is_empty());
    assert_eq!(joined(&events, "text", 1), text(60));
    let unary = anthropic(&upstream, "reasoning", json!({})).await.json();
    assert_eq!(unary["content"][0]["type"], "thinking");
    assert_eq!(unary["content"][1]["text"], text(60));
}

#[tokio::test]
async fn messages_end_in_other_ways() {
    let upstream = Upstream::start().await.unwrap();
    for (spec, reason) in [("finish=length", "max_tokens"), ("refuse", "refusal"), ("no-content", "end_turn")]
    {
        let unary = anthropic(&upstream, spec, json!({})).await.json();
        assert_eq!(unary["stop_reason"], reason);
        let events = anthropic(&upstream, spec, json!({"stream": true})).await.events();
        assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], reason);
    }
}

#[tokio::test]
async fn models_have_the_shape_of_who_asks() {
    let upstream = Upstream::start().await.unwrap();
    let list = send(&upstream, &raw("GET", "/v1/models", ANTHROPIC, "")).await.json();
    assert_eq!(list["has_more"], false);
    assert_eq!(list["first_id"], list["data"][0]["id"]);
    let list = send(&upstream, &raw("GET", "/v1/models", crate::client::OPENAI, "")).await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["object"], "model");
    let one = send(&upstream, &raw("GET", "/v1/models/abc", crate::client::OPENAI, "")).await.json();
    assert_eq!(one["id"], "abc");
    let gone = send(&upstream, &raw("GET", "/v1/models/missing-1", crate::client::OPENAI, "")).await;
    assert_eq!((gone.status(), &gone.json()["error"]["code"]), (404, &"model_not_found".into()));
}
