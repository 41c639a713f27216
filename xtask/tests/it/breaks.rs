//! Answers that stop before their end.
use crate::client::{Ending, OPENAI, anthropic, chat, openai, raw, send};
use serde_json::{Value, json};
use xtask::upstream::{Upstream, text};

fn streaming() -> Value {
    json!({"stream": true})
}

fn content(events: &[Value]) -> String {
    events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect()
}

#[tokio::test]
async fn resets_are_resets() {
    let upstream = Upstream::start().await.unwrap();
    let before = openai(&upstream, "reset=before", streaming()).await;
    assert_eq!((before.ending, before.head.as_str()), (Ending::Reset, ""));
    let headers = openai(&upstream, "reset=headers", streaming()).await;
    assert_eq!((headers.ending, headers.status(), headers.chunks.len()), (Ending::Reset, 200, 0));
    let later = openai(&upstream, "reset=3", streaming()).await;
    assert_eq!((later.ending, later.whole), (Ending::Reset, false));
    assert_eq!(content(&later.events()), text(3));
    assert_eq!(upstream.stats().broken, 3);
}

#[tokio::test]
async fn a_cut_closes_without_an_end() {
    let upstream = Upstream::start().await.unwrap();
    for k in [0, 1, 60] {
        let reply = openai(&upstream, &format!("cut={k}"), streaming()).await;
        assert_eq!((reply.ending, reply.whole), (Ending::Closed, false));
        assert_eq!(content(&reply.events()), text(k));
        let reply = anthropic(&upstream, &format!("cut={k}"), streaming()).await;
        let said: String = reply.events().iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
        assert_eq!((said, reply.whole), (text(k), false));
    }
    let beyond = openai(&upstream, "cut=61", streaming()).await;
    assert!(beyond.whole);
}

#[tokio::test]
async fn a_clean_cut_ends_the_body_but_not_the_answer() {
    let upstream = Upstream::start().await.unwrap();
    let reply = openai(&upstream, "cut-clean=2", streaming()).await;
    assert!(reply.whole);
    assert_eq!(content(&reply.events()), text(2));
    assert!(!reply.text().contains("[DONE]") && !reply.text().contains("\"stop\""));
    let reply = anthropic(&upstream, "cut-clean=2", streaming()).await;
    assert!(reply.whole && !reply.text().contains("message_stop") && !reply.text().contains("message_delta"));
    let unary = openai(&upstream, "cut-clean=2", json!({})).await;
    assert!(unary.whole && unary.text().ends_with("tok0 tok1"));
}

#[tokio::test]
async fn complete_answers_break_too() {
    let upstream = Upstream::start().await.unwrap();
    let cut = openai(&upstream, "cut=2", json!({})).await;
    assert!(!cut.whole && cut.text().ends_with("\"content\":\"tok0 tok1"));
    let reset = anthropic(&upstream, "reset=2", json!({})).await;
    assert_eq!(reset.ending, Ending::Reset);
    let broken = openai(&upstream, "malformed=1", json!({})).await;
    assert!(broken.whole && serde_json::from_slice::<Value>(&broken.body()).is_err());
    let list = send(&upstream, &raw("GET", "/v1/models", &format!("{OPENAI}x-fault: cut=0\r\n"), "")).await;
    assert!(!list.whole && !list.body().is_empty());
}

#[tokio::test]
async fn a_cut_after_bytes_is_exact() {
    let upstream = Upstream::start().await.unwrap();
    for n in [1, 100, 1000] {
        let stream = openai(&upstream, &format!("cut-bytes={n}"), streaming()).await;
        assert_eq!((stream.body().len(), stream.whole), (n, false));
    }
    let unary = anthropic(&upstream, "cut-bytes=7", json!({})).await;
    assert_eq!(unary.text(), "{\"id\":\"");
}

#[tokio::test]
async fn the_malformed_event_is_the_one_asked_for() {
    let upstream = Upstream::start().await.unwrap();
    let events = openai(&upstream, "malformed=3", streaming()).await.events();
    let broken: Vec<_> = (0..events.len() - 1).filter(|i| events[*i].is_string()).collect();
    assert_eq!(broken, [2]);
    assert_eq!(events.last().unwrap(), "[DONE]");
    let events = anthropic(&upstream, "malformed=1", streaming()).await.events();
    assert!(events[0].is_string() && events[1].is_object());
}

#[tokio::test]
async fn the_last_event_can_be_missing() {
    let upstream = Upstream::start().await.unwrap();
    let reply = openai(&upstream, "no-done", streaming()).await;
    assert!(
        reply.whole
            && reply.text().contains("\"finish_reason\":\"stop\"")
            && !reply.text().contains("[DONE]")
    );
    let reply = anthropic(&upstream, "no-done", streaming()).await;
    assert!(reply.whole && reply.text().contains("message_delta") && !reply.text().contains("message_stop"));
}

#[tokio::test]
async fn an_error_inside_the_stream_has_the_formats_shape() {
    let upstream = Upstream::start().await.unwrap();
    let events = openai(&upstream, "stream-error=2", streaming()).await.events();
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["error"]["type"], "server_error");
    let reply = anthropic(&upstream, "stream-error=2", streaming()).await;
    assert_eq!(reply.status(), 200);
    assert!(
        reply
            .text()
            .contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")
    );
    let named = openai(&upstream, "stream-error=0,error=rate_limit", streaming()).await;
    assert_eq!(named.status(), 200);
    assert_eq!(named.events()[1]["error"]["code"], "rate_limit_exceeded");
}

#[tokio::test]
async fn the_model_carries_a_scenario_too() {
    let upstream = Upstream::start().await.unwrap();
    let body = chat("fault:reset=before", &json!({})).to_string();
    let reply = send(&upstream, &raw("POST", "/v1/chat/completions", OPENAI, &body)).await;
    assert_eq!(reply.ending, Ending::Reset);
}
