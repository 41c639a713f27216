//! Who called, who is connected, who left.
use crate::client::{ANTHROPIC, LIMIT, OPENAI, chat, openai, raw, read_until, send};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use xtask::upstream::Upstream;

async fn open(upstream: &Upstream, spec: &str, model: &str, stream: bool) -> TcpStream {
    let body = chat(model, &json!({"stream": stream})).to_string();
    let headers = format!("{OPENAI}x-fault: {spec}\r\n");
    let mut client = TcpStream::connect(upstream.addr()).await.unwrap();
    client.write_all(raw("POST", "/v1/chat/completions", &headers, &body).as_bytes()).await.unwrap();
    client
}

/// Leaving must be noticed at once; a busy machine may spoil a try, but not five.
async fn leaves(spec: &str, seen_first: Option<&str>) {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        fastest = fastest.min(leave(spec, seen_first).await);
        if fastest < Duration::from_millis(100) {
            return;
        }
    }
    panic!("{spec}: noticed after {fastest:?}");
}

/// Drops the client once its request is in flight, and says how long it took to be counted as left.
async fn leave(spec: &str, seen_first: Option<&str>) -> Duration {
    let upstream = Upstream::start().await.unwrap();
    let mut client = open(&upstream, spec, "gone", true).await;
    upstream.wait_for(|stats| stats.in_flight == 1, LIMIT).await.unwrap();
    if let Some(wanted) = seen_first {
        read_until(&mut client, wanted).await;
    }
    let start = Instant::now();
    drop(client);
    let stats = upstream.wait_for(|stats| stats.left == 1 && stats.open == 0, LIMIT).await.unwrap();
    let noticed = start.elapsed();
    assert_eq!(stats.departures[0].model, "gone");
    assert!(stats.departures[0].idle <= stats.departures[0].age);
    assert_eq!((stats.in_flight, stats.completed, stats.broken), (0, 0, 0));
    noticed
}

#[tokio::test]
async fn leaving_is_noticed_while_nothing_is_sent() {
    leaves("hang", None).await;
    leaves("headers=1m", None).await;
    leaves("first=1m", Some("assistant")).await;
    leaves("stall=2", Some("tok1")).await;
    leaves("gap=1m", Some("tok0")).await;
}

#[tokio::test]
async fn leaving_is_noticed_while_the_client_does_not_read() {
    leaves("bytes=1000M", Some("xxx")).await;
}

#[tokio::test]
async fn calls_are_counted_by_path_and_model() {
    let upstream = Upstream::start().await.unwrap();
    for _ in 0..3 {
        openai(&upstream, "", json!({})).await;
    }
    send(&upstream, &raw("GET", "/v1/models", ANTHROPIC, "")).await;
    let stats = upstream.wait_for(|stats| stats.open == 0, LIMIT).await.unwrap();
    assert_eq!((stats.calls, stats.completed, stats.connections), (4, 4, 4));
    assert_eq!(stats.by_path["/v1/chat/completions"], 3);
    assert_eq!(stats.by_model["m"], 3);
    assert!(stats.peak_open >= 1 && stats.in_flight == 0);
}

#[tokio::test]
async fn peaks_are_kept() {
    let upstream = Upstream::start().await.unwrap();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(open(&upstream, "hang", "m", false).await);
    }
    upstream.wait_for(|stats| stats.in_flight == 5, LIMIT).await.unwrap();
    clients.clear();
    let stats = upstream.wait_for(|stats| stats.left == 5 && stats.open == 0, LIMIT).await.unwrap();
    assert_eq!((stats.peak_open, stats.peak_in_flight), (5, 5));
}

#[tokio::test]
async fn waiting_ends_at_its_limit() {
    let upstream = Upstream::start().await.unwrap();
    let stats = upstream.wait_for(|stats| stats.calls == 1, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(stats.calls, 0);
}

#[tokio::test]
async fn the_last_requests_are_kept_with_a_bound() {
    let upstream = Upstream::start().await.unwrap();
    for i in 0..70 {
        openai(&upstream, "status=500", json!({"n": i})).await;
    }
    let last = upstream.last();
    assert_eq!(last.len(), 64);
    let body: Value = serde_json::from_str(&last[63].body).unwrap();
    assert_eq!(body["n"], 69);
    assert!(last[0].headers.contains(&("x-fault".to_owned(), "status=500".to_owned())));
    openai(&upstream, "", json!({"long": "汉".repeat(40_000)})).await;
    let long = upstream.last().pop().unwrap();
    assert!(long.body_len > 120_000 && long.body.len() > 65_500 && long.body.len() <= 65_536);
}

#[tokio::test]
async fn other_languages_read_the_same_over_http() {
    let upstream = Upstream::start().await.unwrap();
    openai(&upstream, "", json!({})).await;
    let stats = send(&upstream, &raw("GET", "/__stats", "", "")).await.json();
    assert_eq!((&stats["calls"], &stats["completed"]), (&1.into(), &1.into()));
    let last = send(&upstream, &raw("GET", "/__last", "", "")).await.json();
    assert_eq!(last[0]["path"], "/v1/chat/completions");
    let reset = send(&upstream, &raw("POST", "/__reset", "", "")).await.json();
    assert_eq!((&reset["calls"], &reset["open"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn stopping_closes_the_port() {
    let upstream = Upstream::start().await.unwrap();
    let addr = upstream.addr();
    let mut client = open(&upstream, "hang", "m", true).await;
    upstream.wait_for(|stats| stats.in_flight == 1, LIMIT).await.unwrap();
    upstream.stop().await;
    assert_eq!(crate::client::read(&mut client).await.head, "");
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn dropping_closes_connections() {
    let upstream = Upstream::start().await.unwrap();
    let mut client = open(&upstream, "stall=1", "m", true).await;
    upstream.wait_for(|stats| stats.in_flight == 1, LIMIT).await.unwrap();
    drop(upstream);
    assert!(!crate::client::read(&mut client).await.whole);
}
