//! Upstreams that speak their format in unusual ways: the answer is the same.

use serde_json::{Value, json};
use xtask::upstream::{arguments, text};

use crate::support::{House, chat, execution, message};

/// The words of a streamed answer in the format of `path`.
fn said(path: &str, events: &[String]) -> String {
    let place = match path {
        "/v1/messages" => "/delta/text",
        "/v1/chat/completions" => "/choices/0/delta/content",
        _ => "/content",
    };
    let words = |event: &String| {
        let event: Value = serde_json::from_str(event).ok()?;
        event.pointer(place)?.as_str().map(str::to_owned)
    };
    events.iter().filter_map(words).collect()
}

#[tokio::test]
async fn however_the_bytes_come_the_words_are_the_same() {
    let house = House::new().await;
    for quirk in
        ["bytewise", "utf8split", "crlf", "comments", "ping", "crlf,comments,ping,utf8split", "bytewise,crlf"]
    {
        for provider in ["up", "claude"] {
            let model = format!("{provider}/fault:{quirk}");
            for (path, body) in [
                ("/v1/chat/completions", chat(&model, true)),
                ("/v1/messages", message(&model, true)),
                ("/api/v2/execution", execution(&model, true)),
            ] {
                let answer = house.client.post(path, &body).await;
                assert_eq!(said(path, &answer.events()), text(60), "{path} {model}");
                assert!(!answer.body.contains("\"error\""), "{path} {model}");
            }
        }
    }
}

#[tokio::test]
async fn wherever_the_usage_stands_it_is_found() {
    let house = House::new().await;
    for (quirk, expected) in
        [("usage=each", json!(60)), ("usage=nonempty", json!(60)), ("usage=none", Value::Null)]
    {
        let model = format!("up/fault:{quirk}");
        let answer = house.client.post("/api/v2/execution", &execution(&model, true)).await;
        let done: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
        assert_eq!(
            done["data"]["usage"].get("completionTokens").cloned().unwrap_or_default(),
            expected,
            "{quirk}"
        );
    }
}

#[tokio::test]
async fn tool_calls_are_told_apart_whatever_their_index_says() {
    let house = House::new().await;
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    for quirk in ["", ",toolindex=zero", ",toolindex=missing", ",toolindex=one", ",bytewise", ",utf8split"] {
        for provider in ["up", "claude"] {
            let model = format!("{provider}/fault:tools=3{quirk}");
            let mut body = message(&model, true);
            body["tools"] = json!([
                {"name": "first", "input_schema": {"type": "object"}},
                {"name": "second", "input_schema": {"type": "object"}},
                {"name": "third", "input_schema": {"type": "object"}},
            ]);
            let anthropic = house.client.post("/v1/messages", &body).await;
            assert_eq!(anthropic_calls(&anthropic.events()), expected(), "/v1/messages {model}");
            let mut body = chat(&model, true);
            body["tools"] = json!([tool("first"), tool("second"), tool("third")]);
            let openai = house.client.post("/v1/chat/completions", &body).await;
            assert_eq!(openai_calls(&openai.events()), expected(), "/v1/chat/completions {model}");
        }
    }
}

/// Name and arguments of every call.
fn expected() -> Vec<(String, Value)> {
    let names = ["first", "second", "third"];
    let parsed = |i| serde_json::from_str(&arguments(i, 3)).unwrap_or_else(|_| json!({}));
    names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), parsed(i))).collect()
}

fn anthropic_calls(events: &[String]) -> Vec<(String, Value)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        if let Some(name) = event.pointer("/content_block/name") {
            calls.push((name.as_str().unwrap().to_owned(), String::new()));
        }
        if let Some(part) = event.pointer("/delta/partial_json") {
            calls.last_mut().unwrap().1.push_str(part.as_str().unwrap());
        }
    }
    parsed(calls)
}

fn openai_calls(events: &[String]) -> Vec<(String, Value)> {
    let mut calls: Vec<(String, String)> = Vec::new();
    for event in events {
        let Ok(event) = serde_json::from_str::<Value>(event) else { continue };
        for delta in
            event.pointer("/choices/0/delta/tool_calls").and_then(Value::as_array).into_iter().flatten()
        {
            let index = usize::try_from(delta["index"].as_u64().unwrap()).unwrap();
            if index == calls.len() {
                calls.push((delta["function"]["name"].as_str().unwrap().to_owned(), String::new()));
            }
            calls[index].1.push_str(delta["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    parsed(calls)
}

fn parsed(calls: Vec<(String, String)>) -> Vec<(String, Value)> {
    let value = |text: &str| if text.is_empty() { json!({}) } else { serde_json::from_str(text).unwrap() };
    calls.into_iter().map(|(name, text)| (name, value(&text))).collect()
}
