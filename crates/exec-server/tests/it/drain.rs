//! Stopping: no longer ready at once, what is under way finishes, and what takes too long is told.

use exec_server::shutdown::Drain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use xtask::upstream::text;

use crate::support::{House, chat, execution, message, read_until};

async fn stopped(house: &mut House) -> usize {
    house.server.join_next().await.unwrap().unwrap()
}

fn stop(drain: &Drain) {
    drain.stop();
}

#[tokio::test]
async fn a_stream_under_way_finishes_and_nobody_new_begins() {
    let mut house = House::new().await;
    let mut stream =
        house.client.begin("/v1/chat/completions", &chat("fault:tokens=20,gap=20ms", true)).await;
    let mut seen = read_until(&mut stream, "tok1").await;
    stop(&house.drain);
    assert_eq!(house.client.get("/readyz").await.status, 503);
    assert_eq!(house.client.get("/livez").await.status, 200, "a process that drains lives");
    for (path, body) in [
        ("/v1/chat/completions", chat("m", false)),
        ("/v1/messages", message("m", true)),
        ("/api/v2/execution", execution("m", true)),
    ] {
        let refused = house.client.post(path, &body).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(
            refused.body.contains("shutting_down") && refused.header("retry-after").is_some(),
            "{refused:?}"
        );
    }
    stream.read_to_string(&mut seen).await.unwrap();
    assert!(seen.contains("\"finish_reason\":\"stop\"") && seen.contains("data: [DONE]"), "{seen}");
    assert_eq!(stopped(&mut house).await, 0);
}

#[tokio::test]
async fn what_takes_longer_than_the_grace_ends_with_an_error_its_caller_sees() {
    for (path, body) in [
        ("/v1/chat/completions", chat("fault:stall=5", true)),
        ("/v1/messages", message("claude/fault:stall=5", true)),
        ("/api/v2/execution", execution("fault:stall=5", true)),
    ] {
        let mut house = House::with(|config| config["server"]["grace"] = "50ms".into()).await;
        let mut stream = house.client.begin(path, &body).await;
        let mut seen = read_until(&mut stream, text(5).rsplit(' ').next().unwrap()).await;
        stop(&house.drain);
        stream.read_to_string(&mut seen).await.unwrap();
        assert!(seen.contains("error") && seen.contains("stopping"), "{path}: {seen}");
        assert!(!seen.contains("[DONE]") && !seen.contains("message_stop"), "{path}: {seen}");
        assert_eq!(stopped(&mut house).await, 1, "{path}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_streamed_is_told_too() {
    let mut house = House::with(|config| config["server"]["grace"] = "50ms".into()).await;
    let client = house.client;
    let mut calls = JoinSet::new();
    calls.spawn(async move { client.post("/v1/chat/completions", &chat("fault:hang", false)).await });
    house.upstream.wait_for(|stats| stats.in_flight == 1, crate::support::PATIENCE).await.unwrap();
    stop(&house.drain);
    let answer = calls.join_next().await.unwrap().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(stopped(&mut house).await, 1);
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let mut house = House::new().await;
    assert_eq!(house.client.get("/readyz").await.status, 200);
    stop(&house.drain);
    assert_eq!(stopped(&mut house).await, 0);
}

#[tokio::test]
async fn who_was_on_the_way_when_the_server_stopped_is_told() {
    let mut house = House::new().await;
    let mut silent = house.client.open("", b"").await;
    stop(&house.drain);
    assert_eq!(house.client.get("/readyz").await.status, 503, "who comes a moment later is told");
    let request = "POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    silent.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("stopping"), "{answer}");
    assert_eq!(stopped(&mut house).await, 0);
}
