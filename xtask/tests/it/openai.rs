//! Chat completions as OpenAI sends them.
use crate::client::{openai, raw, send};
use serde_json::{Value, json};
use xtask::upstream::{Upstream, arguments, text};

fn content(events: &[Value]) -> String {
    events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

fn tools() -> Value {
    json!({"tools": [
        {"type": "function", "function": {"name": "first", "parameters": {}}},
        {"type": "function", "function": {"name": "second"}},
    ]})
}

#[tokio::test]
async fn a_complete_answer_has_the_fields_of_the_real_one() {
    let upstream = Upstream::start().await.unwrap();
    let reply = openai(&upstream, "", json!({})).await;
    let answer = reply.json();
    assert_eq!(reply.status(), 200);
    assert!(reply.whole);
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["choices"][0]["message"]["content"], text(60));
    assert_eq!(answer["choices"][0]["message"]["refusal"], Value::Null);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["completion_tokens"], 60);
    assert_eq!(answer["usage"]["total_tokens"], 81);
    assert_eq!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 0);
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
}

#[tokio::test]
async fn a_stream_says_the_same_and_ends_with_done() {
    let upstream = Upstream::start().await.unwrap();
    let reply = openai(&upstream, "", json!({"stream": true})).await;
    let events = reply.events();
    assert!(reply.header("content-type").unwrap().starts_with("text/event-stream"));
    assert!(reply.whole);
    assert_eq!(events.len(), 63);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(content(&events), text(60));
    assert_eq!(events[61]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[62], "[DONE]");
    assert!(events[..62].iter().all(|e| e.get("usage").is_none() && e["object"] == "chat.completion.chunk"));
}

#[tokio::test]
async fn usage_comes_in_a_chunk_without_choices_when_asked_for() {
    let upstream = Upstream::start().await.unwrap();
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let events = openai(&upstream, "tokens=2", asked).await.events();
    let (last, others) = events[..events.len() - 1].split_last().unwrap();
    assert!(others.iter().all(|e| e.get("usage") == Some(&Value::Null)));
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn compatible_servers_report_usage_in_their_own_ways() {
    let upstream = Upstream::start().await.unwrap();
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    let none = openai(&upstream, "usage=none", asked).await.text();
    assert!(!none.contains("usage"));
    let each = openai(&upstream, "tokens=3,usage=each", json!({"stream": true})).await.events();
    let counts: Vec<_> = each.iter().filter_map(|e| e["usage"]["completion_tokens"].as_u64()).collect();
    assert_eq!(counts, [0, 1, 2, 3, 3]);
    let nonempty = openai(&upstream, "tokens=3,usage=nonempty", json!({"stream": true})).await.events();
    let last = &nonempty[nonempty.len() - 2];
    assert!(last["usage"].is_object() && !last["choices"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn tool_calls_are_streamed_in_pieces_by_index() {
    let upstream = Upstream::start().await.unwrap();
    let mut asked = tools();
    let unary = openai(&upstream, "tools=3", asked.clone()).await.json();
    asked["stream"] = true.into();
    let events = openai(&upstream, "tools=3", asked).await.events();
    let mut calls = vec![(String::new(), String::new()); 3];
    for delta in events.iter().filter_map(|e| e["choices"][0]["delta"]["tool_calls"].get(0)) {
        let call = &mut calls[usize::try_from(delta["index"].as_u64().unwrap()).unwrap()];
        call.0 += delta["function"]["name"].as_str().unwrap_or("");
        call.1 += delta["function"]["arguments"].as_str().unwrap();
    }
    let names: Vec<_> = calls.iter().map(|c| c.0.as_str()).collect();
    assert_eq!(names, ["first", "second", "first"]);
    for (i, call) in calls.iter().enumerate() {
        assert_eq!(call.1, arguments(i, 3));
        assert_eq!(unary["choices"][0]["message"]["tool_calls"][i]["function"]["arguments"], arguments(i, 3));
    }
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(unary["choices"][0]["message"]["content"], Value::Null);
}

#[tokio::test]
async fn compatible_servers_number_tool_calls_in_their_own_ways() {
    let upstream = Upstream::start().await.unwrap();
    let mut asked = tools();
    asked["stream"] = true.into();
    for (spec, wanted) in [("zero", Some([0, 0])), ("one", Some([1, 2])), ("missing", None)] {
        let events = openai(&upstream, &format!("tools=2,toolindex={spec}"), asked.clone()).await.events();
        let deltas = events.iter().filter_map(|e| e["choices"][0]["delta"]["tool_calls"].get(0));
        let starts = deltas.filter(|d| d.get("id").is_some()).map(|d| d.get("index").and_then(Value::as_u64));
        let indexes: Option<Vec<u64>> = starts.collect();
        assert_eq!(indexes, wanted.map(Vec::from), "{spec}");
    }
}

#[tokio::test]
async fn answers_end_in_other_ways() {
    let upstream = Upstream::start().await.unwrap();
    let length = openai(&upstream, "finish=length", json!({})).await.json();
    assert_eq!(length["choices"][0]["finish_reason"], "length");
    let refused = openai(&upstream, "refuse", json!({})).await.json();
    assert_eq!(refused["choices"][0]["finish_reason"], "content_filter");
    assert!(refused["choices"][0]["message"]["refusal"].is_string());
    let empty = openai(&upstream, "no-content", json!({"stream": true})).await.events();
    assert_eq!((content(&empty).as_str(), empty.len()), ("", 3));
    let thinking = openai(&upstream, "reasoning", json!({})).await.json();
    assert!(thinking["choices"][0]["message"]["reasoning_content"].as_str().unwrap().contains("think4"));
    assert_eq!(thinking["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
    let streamed = openai(&upstream, "reasoning", json!({"stream": true})).await.events();
    assert_eq!(streamed[1]["choices"][0]["delta"]["reasoning_content"], "think0");
    assert_eq!(content(&streamed), text(60));
}

#[tokio::test]
async fn an_echo_tells_what_arrived() {
    let upstream = Upstream::start().await.unwrap();
    let body = json!({"model": "fault:echo", "messages": [1]}).to_string();
    let headers = "Authorization: Bearer k\r\nX-Mark: a\"b\r\n";
    let answer = send(&upstream, &raw("POST", "/v1/chat/completions?a=1", headers, &body)).await.json();
    let said: Value =
        serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(said["query"], "a=1");
    assert_eq!(said["headers"]["x-mark"], "a\"b");
    assert_eq!(said["body_len"], body.len());
}
