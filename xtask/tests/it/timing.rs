//! Waits: what leaves before them and what after.
use crate::client::{OPENAI, chat, openai, raw, read_until};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use xtask::upstream::Upstream;

async fn open(upstream: &Upstream, spec: &str) -> TcpStream {
    let body = chat("m", &json!({"stream": true})).to_string();
    let headers = format!("{OPENAI}x-fault: {spec}\r\n");
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    stream.write_all(raw("POST", "/v1/chat/completions", &headers, &body).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn the_head_leaves_before_the_first_token() {
    let upstream = Upstream::start().await.unwrap();
    let mut stream = open(&upstream, "first=1m").await;
    let got = read_until(&mut stream, "\"role\":\"assistant\"").await;
    assert!(got.starts_with("HTTP/1.1 200 OK") && !got.contains("tok0"));
}

#[tokio::test]
async fn nothing_leaves_before_the_headers_time() {
    let upstream = Upstream::start().await.unwrap();
    let mut stream = open(&upstream, "headers=1m").await;
    let read = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(read.is_err());
}

#[tokio::test]
async fn gaps_add_up() {
    let upstream = Upstream::start().await.unwrap();
    for stream in [true, false] {
        let start = Instant::now();
        let reply = openai(&upstream, "tokens=5,gap=20ms", json!({"stream": stream})).await;
        assert!(reply.whole && start.elapsed() >= Duration::from_millis(80));
    }
}

#[tokio::test]
async fn a_stalled_stream_stays_open() {
    let upstream = Upstream::start().await.unwrap();
    let mut stream = open(&upstream, "stall=2").await;
    let got = read_until(&mut stream, "tok1").await;
    assert!(!got.contains("tok2"));
    let read = tokio::time::timeout(Duration::from_millis(100), read_until(&mut stream, "tok2")).await;
    assert!(read.is_err());
    assert_eq!(upstream.stats().in_flight, 1);
}
