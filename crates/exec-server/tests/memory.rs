//! How much memory an execution takes, measured by an allocator that counts.
//!
//! A binary of its own, because the allocator counts everything in the process; and one test, because two at once would
//! count each other. The client and the upstream run in the process too, so they make their bytes as they go and keep
//! none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use exec_server::{Config, Environment, Server};
use peak_alloc::PeakAlloc;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    let mut tasks = JoinSet::new();
    let upstream = sink(&mut tasks).await;
    let server = serve(upstream, &mut tasks).await;
    // The first call takes what is taken once: connections, tables, buffers.
    prompt(server, "/v1/chat/completions", "warm/m", MB, Content::Plain).await;
    prompt(server, "/v1/chat/completions", "cold/m", MB, Content::Plain).await;

    // 20 MB of prompt, in the format of the provider and in another one, as text with and without escapes.
    for (door, model) in [
        ("/v1/chat/completions", "warm/m"),
        ("/v1/messages", "cold/m"),
        ("/v1/chat/completions", "cold/m"),
        ("/v1/messages", "warm/m"),
    ] {
        for content in [Content::Plain, Content::Escaped, Content::Image] {
            let copies = prompt(server, door, model, 20 * MB, content).await;
            println!("20 MB {content:?} at {door} to {model}: {copies:.2} copies at the peak");
            assert!(copies <= 2.0, "{content:?} at {door} to {model}: {copies:.2} copies of a 20 MB prompt");
        }
    }

    let held = slow_reader(server).await;
    println!("200 MB to a reader of 1 MB/s: {held} bytes held at the peak");
    assert!(held < MB, "{held} bytes are held for a slow reader");
}

/// A server in front of `upstream`, spoken to in both formats.
async fn serve(upstream: SocketAddr, tasks: &mut JoinSet<()>) -> SocketAddr {
    let tree = json!({
        "server": {"listen": "127.0.0.1:0", "default_provider": "warm"},
        "providers": {
            "warm": {"type": "openai", "base_url": format!("http://{upstream}/v1")},
            "cold": {"type": "anthropic", "base_url": format!("http://{upstream}")},
        },
    });
    let config = Config::from_tree(tree, &Environment::default()).unwrap();
    let server = Server::bind(&config).await.unwrap();
    let address = server.address();
    tasks.spawn(async move {
        server.run(std::future::pending()).await;
    });
    address
}

/// An upstream that keeps nothing of what it is sent. Whoever asks for the model `flood` gets 200 MB.
async fn sink(tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(swallow(stream));
        }
    });
    address
}

async fn swallow(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut head = Vec::new();
        let end = loop {
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            head.extend_from_slice(&buffer[..read]);
            if let Some(at) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let text = std::str::from_utf8(&head[..end]).unwrap().to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut left = length.parse::<usize>().unwrap() - (head.len() - end);
        let flood = head.windows(5).any(|w| w == b"flood");
        while left > 0 {
            let read = stream.read(&mut buffer[..left.min(64 << 10)]).await.unwrap_or(0);
            assert!(read > 0, "the server left with {left} bytes to go");
            left -= read;
        }
        if flood {
            pour(&mut stream).await;
            return;
        }
        let anthropic = text.starts_with("post /v1/messages");
        stream.write_all(small_answer(anthropic).as_bytes()).await.unwrap();
    }
}

fn small_answer(anthropic: bool) -> String {
    let body = if anthropic {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "stop_sequence": null, "content": [{"type": "text", "text": "ok"}],
            "usage": {"input_tokens": 1, "output_tokens": 1}})
    } else {
        json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    };
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// 200 MB of stream, as fast as it is taken.
async fn pour(stream: &mut TcpStream) {
    let delta = json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"content": "x".repeat(1024)}, "finish_reason": null}]});
    let event = format!("data: {delta}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    // The reader leaves when it has seen enough.
    let _ = stream.write_all(head.as_bytes()).await;
    for _ in 0..(200 * MB / chunk.len()) {
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// What the prompt is made of.
#[derive(Clone, Copy, Debug)]
enum Content {
    Plain,
    /// Every eighth byte begins an escape.
    Escaped,
    Image,
}

/// Sends a prompt of `bytes` bytes and answers how many copies of it there were at the peak.
async fn prompt(server: SocketAddr, door: &str, model: &str, bytes: usize, content: Content) -> f64 {
    let (before, after) = around(door, model, content);
    let filler = match content {
        Content::Plain | Content::Image => "abcdefgh".repeat(8 << 10),
        Content::Escaped => "abcdef\\n".repeat(8 << 10),
    };
    let length = before.len() + bytes + after.len();
    let mut stream = TcpStream::connect(server).await.unwrap();
    let floor = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let head =
        format!("POST {door} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(before.as_bytes()).await.unwrap();
    for _ in 0..bytes / filler.len() {
        stream.write_all(filler.as_bytes()).await.unwrap();
    }
    stream.write_all(after.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ok\""), "{answer}");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let copies = MEMORY.peak_usage().saturating_sub(floor) as f64 / bytes as f64;
    copies
}

/// The body before and after the large part.
fn around(door: &str, model: &str, content: Content) -> (String, &'static str) {
    let anthropic = door == "/v1/messages";
    let start = format!(r#"{{"model":"{model}","max_tokens":10,"messages":[{{"role":"user","content":["#);
    match (content, anthropic) {
        (Content::Image, true) => (
            start + r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":""#,
            r#""}}]}]}"#,
        ),
        (Content::Image, false) => {
            (start + r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,"#, r#""}}]}]}"#)
        }
        _ => (start + r#"{"type":"text","text":""#, r#""}]}]}"#),
    }
}

/// Reads 200 MB at 1 MB/s for some seconds and the rest at once. Answers how much was held at the peak of the slow part.
async fn slow_reader(server: SocketAddr) -> usize {
    let body = json!({"model": "warm/flood", "stream": true, "messages": [{"role": "user", "content": "x"}]})
        .to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = vec![0; 64 << 10];
    let floor = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut total = 0;
    let started = Instant::now();
    for second in 1..=5 {
        let mut seen = 0;
        while seen < MB {
            let wanted = (MB - seen).min(buffer.len());
            seen += stream.read(&mut buffer[..wanted]).await.unwrap();
        }
        total += seen;
        sleep_until(started + Duration::from_secs(second)).await;
    }
    let held = MEMORY.peak_usage().saturating_sub(floor);
    while total < 190 * MB {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended after {total} bytes");
        total += read;
    }
    held
}
