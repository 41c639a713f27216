//! The same answer in other bytes: chunks, line ends, comments, pings, sizes.
use crate::client::{ANTHROPIC, Ending, OPENAI, anthropic, chat, openai, parse, raw, read_until, send};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use xtask::upstream::{Upstream, text};

fn streaming() -> Value {
    json!({"stream": true})
}

#[tokio::test]
async fn bytes_come_one_by_one() {
    let upstream = Upstream::start().await.unwrap();
    let reply = openai(&upstream, "tokens=4,bytewise", streaming()).await;
    assert!(reply.whole && reply.chunks.iter().all(|chunk| chunk.len() == 1));
    assert_eq!(reply.events().len(), 7);
    assert!(openai(&upstream, "bytewise", json!({})).await.whole);
}

#[tokio::test]
async fn chunks_end_inside_characters() {
    let upstream = Upstream::start().await.unwrap();
    for spec in ["tokens=8", "tokens=8,utf8split"] {
        let reply = anthropic(&upstream, spec, streaming()).await;
        let split = reply.chunks.iter().filter(|chunk| std::str::from_utf8(chunk).is_err()).count();
        assert_eq!(split > 0, spec.contains("utf8split"));
        let said: String = reply.events().iter().filter_map(|e| e["delta"]["text"].as_str()).collect();
        assert_eq!(said, text(8));
    }
}

#[tokio::test]
async fn lines_end_with_crlf_and_comments_come_between() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "tokens=3,crlf,comments", streaming()).await;
    let body = reply.text();
    assert_eq!(body.matches('\n').count(), body.matches("\r\n").count());
    assert_eq!(body.matches(": keep-alive\r\n\r\n").count(), reply.events().len());
}

#[tokio::test]
async fn pings_come_between_tokens() {
    let upstream = Upstream::start().await.unwrap();
    let reply = anthropic(&upstream, "tokens=5,ping", streaming()).await;
    assert_eq!(reply.text().matches("event: ping").count(), 1 + 4);
    let events = openai(&upstream, "tokens=5,ping", streaming()).await.events();
    let roles = events.iter().filter(|e| e["choices"][0]["delta"]["role"] == "assistant").count();
    assert_eq!(roles, 1 + 4);
}

#[tokio::test]
async fn long_answers_are_as_long_as_asked() {
    let upstream = Upstream::start().await.unwrap();
    let unary = openai(&upstream, "bytes=2500", json!({})).await.json();
    assert_eq!(unary["choices"][0]["message"]["content"].as_str().unwrap().len(), 2500);
    let events = openai(&upstream, "bytes=3M", streaming()).await.events();
    let length: usize =
        events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).map(str::len).sum();
    assert_eq!(length, 3 << 20);
}

#[tokio::test]
async fn connections_are_kept_and_requests_may_be_sent_ahead() {
    let upstream = Upstream::start().await.unwrap();
    let body = chat("m", &json!({})).to_string();
    let one = raw("POST", "/v1/chat/completions", OPENAI, &body);
    let kept = one.replace("connection: close\r\n", "");
    let both = send(&upstream, &format!("{kept}{one}")).await;
    let text = both.text();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 1, "the second head is in what follows the first");
    assert_eq!(upstream.stats().calls, 2);
    assert_eq!(upstream.stats().connections, 1);
}

#[tokio::test]
async fn chunked_requests_are_read() {
    let upstream = Upstream::start().await.unwrap();
    let body = chat("m", &json!({})).to_string();
    let (a, b) = body.split_at(10);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nconnection: close\r\n{ANTHROPIC}transfer-encoding: chunked\r\n\r\n"
    );
    let chunks = format!("{:x}\r\n{a}\r\n{:X};x=y\r\n{b}\r\n0\r\ntrailer: t\r\n\r\n", a.len(), b.len());
    assert_eq!(send(&upstream, &format!("{head}{chunks}")).await.json()["stop_reason"], "end_turn");
}

#[tokio::test]
async fn a_client_that_expects_continue_gets_it() {
    let upstream = Upstream::start().await.unwrap();
    let body = chat("m", &json!({})).to_string();
    let whole = raw("POST", "/v1/chat/completions", &format!("{OPENAI}expect: 100-continue\r\n"), &body);
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    stream.write_all(&whole.as_bytes()[..whole.len() - body.len()]).await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(crate::client::read(&mut stream).await.status(), 200);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let upstream = Upstream::start().await.unwrap();
    assert_eq!(send(&upstream, "nonsense\r\n\r\n").await.status(), 400);
    let huge = "POST /v1/messages HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n";
    assert_eq!(send(&upstream, huge).await.status(), 413);
}

#[test]
fn the_client_notices_a_missing_end() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(parse(format!("{head}1\r\na\r\n0\r\n\r\n").as_bytes(), Ending::Closed).whole);
    assert!(!parse(format!("{head}1\r\na\r\n").as_bytes(), Ending::Closed).whole);
}
