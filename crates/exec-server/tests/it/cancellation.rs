//! A caller who leaves, wherever it leaves: the upstream sees it at once, nothing stays taken, and it is told as dropped.

use std::time::Duration;

use exec_core::{End, Event};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::{House, PATIENCE, chat, execution, message, read_until};

/// How soon the upstream must see its connection closed after the caller is gone.
const SOON: Duration = Duration::from_millis(100);

/// The three doors, each with its way to ask for `model`, and both formats behind them.
fn doors(spec: &str, stream: bool) -> Vec<(&'static str, Value)> {
    let [up, claude] = ["up", "claude"].map(|name| format!("{name}/fault:{spec}"));
    vec![
        ("/v1/chat/completions", chat(&up, stream)),
        ("/v1/chat/completions", chat(&claude, stream)),
        ("/v1/messages", message(&up, stream)),
        ("/v1/messages", message(&claude, stream)),
        ("/api/v2/execution", execution(&up, stream)),
    ]
}

/// Lets callers leave after `reach` has brought them where they leave from. A busy machine may be slow once, so of five
/// tries one must be soon enough; every try must leave nothing behind.
async fn leave(spec: &str, stream: bool, reach: impl AsyncFn(&House, &mut TcpStream)) {
    for (path, body) in doors(spec, stream) {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            best = best.min(leave_once(path, &body, &reach).await);
            if best <= SOON {
                break;
            }
        }
        assert!(best <= SOON, "{path} {body}: the upstream saw it after {best:?}");
    }
}

async fn leave_once(path: &str, body: &Value, reach: &impl AsyncFn(&House, &mut TcpStream)) -> Duration {
    let house = House::new().await;
    let mut stream = house.client.begin(path, body).await;
    reach(&house, &mut stream).await;
    let left = tokio::time::Instant::now();
    drop(stream);
    house.upstream.wait_for(|stats| stats.left == 1, PATIENCE).await.unwrap();
    let seen = left.elapsed();
    house.quiet().await;
    let ends: Vec<_> = house
        .events
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Ended { end, .. } = event { Some(end) } else { None })
        .collect();
    assert_eq!(ends, [End::Dropped], "{path} {body}");
    assert_eq!(house.upstream.stats().open, 0, "{path} {body}: the connection stayed open");
    seen
}

async fn asked(house: &House, _: &mut TcpStream) {
    house.upstream.wait_for(|stats| stats.in_flight == 1, PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_head_of_the_answer() {
    leave("hang", true, asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_token() {
    leave("first=60s", true, asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_the_stream() {
    leave("stall=5", true, async |_: &House, stream: &mut TcpStream| {
        read_until(stream, "tok3").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_call_that_is_not_streamed() {
    leave("hang", false, asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_keep_alives_are_sent() {
    let house = House::with(|config| config["server"]["keep_alive"] = "20ms".into()).await;
    let mut stream = house.client.begin("/v1/chat/completions", &chat("fault:hang", true)).await;
    read_until(&mut stream, ": keep-alive\n\n: keep-alive").await;
    drop(stream);
    house.upstream.wait_for(|stats| stats.left == 1, PATIENCE).await.unwrap();
    house.quiet().await;
}
