//! The transport without TLS: its bounds, reuse of connections, and what a drop does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Pooling, Transport, TransportError};
use futures_util::StreamExt;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::POOL;
use super::support::{
    BOUND, OK, Peak, config, listen, post, read_request, scripted, serve_http, until, upstream,
};

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_connections_are_used_again() {
    let (listener, address) = listen().await;
    let (heads, mut seen) = mpsc::unbounded_channel();
    let _owner = upstream(listener, move |mut socket| {
        let heads = heads.clone();
        async move {
            while let Some(head) = read_request(&mut socket, 11).await {
                heads.send((socket.peer_addr().unwrap(), head)).unwrap();
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    });
    let transport = Transport::new(&config(address)).unwrap();
    for _ in 0..3 {
        let mut body = Body::from(Bytes::from_static(b"hello "));
        body.push(Bytes::from_static(b"world"));
        let mut request = OutgoingRequest::post("/echo?alt=sse", body);
        request.headers.insert("transfer-encoding", http::HeaderValue::from_static("chunked"));
        request.secret_header(http::header::AUTHORIZATION, "Bearer k").unwrap();
        let answer = transport.send(request, Some(BOUND)).await.unwrap();
        assert_eq!(answer.bytes(10).await.unwrap(), "ok");
    }
    let (first, head) = seen.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/echo?alt=sse HTTP/1.1\r\n") && head.ends_with("\r\n\r\nhello world"));
    for line in [format!("host: {address}"), "content-length: 11".into(), "authorization: Bearer k".into()] {
        assert_eq!(head.matches(&line).count(), 1, "{line} in {head}");
    }
    assert!(!head.contains("transfer-encoding"));
    assert_eq!((seen.recv().await.unwrap().0, seen.recv().await.unwrap().0), (first, first));
    assert_eq!((transport.stats().open, transport.stats().in_use), (1, 0));
}

#[tokio::test]
async fn a_large_body_in_many_segments_arrives_whole() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |socket| {
        serve_http(socket, |request| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Full::new(body))
        })
    });
    let transport = Transport::new(&config(address)).unwrap();
    let mut body = Body::empty();
    for byte in 0..40_u8 {
        body.push(Bytes::from(vec![byte; 100_000 + usize::from(byte)]));
    }
    let whole = body.to_bytes();
    let answer = transport.send(OutgoingRequest::post("/", body), None).await.unwrap();
    assert!(answer.bytes(whole.len()).await.unwrap() == whole);
}

/// An upstream that counts its connections and takes a moment for every answer.
async fn counted(max_connections: usize) -> (Arc<Transport>, Arc<Peak>, JoinSet<()>) {
    let (listener, address) = listen().await;
    let peak = Arc::new(Peak::default());
    let seen = peak.clone();
    let owner = upstream(listener, move |mut socket| {
        let inside = seen.enter();
        async move {
            let _inside = inside;
            while read_request(&mut socket, 0).await.is_some() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if socket.write_all(OK.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut config = config(address);
    config.max_connections = max_connections;
    (Arc::new(Transport::new(&config).unwrap()), peak, owner)
}

async fn call(transport: Arc<Transport>, limit: Duration) -> Option<Bytes> {
    let call = async { transport.send(OutgoingRequest::get("/"), None).await?.bytes(10).await };
    let answer = timeout(limit, call).await.ok().map(Result::unwrap);
    assert!(transport.stats().open <= 8);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_never_sees_more_connections_than_the_cap() {
    let (transport, peak, _owner) = counted(8).await;
    let calls: JoinSet<_> = (0..200).map(|_| call(transport.clone(), BOUND)).collect();
    let answers = timeout(BOUND, calls.join_all()).await.unwrap();
    assert_eq!(answers.iter().flatten().count(), 200);
    assert!((1..=8).contains(&peak.most()), "upstream saw {}", peak.most());
    until(&transport, |stats| stats.in_use == 0 && stats.waiting == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_give_everything_back() {
    let (transport, _peak, _owner) = counted(8).await;
    let limit = |index: u64| {
        if index.is_multiple_of(3) { Duration::from_micros(index * 70) } else { BOUND }
    };
    let calls: JoinSet<_> = (0..200).map(|index| call(transport.clone(), limit(index))).collect();
    let answers = timeout(BOUND, calls.join_all()).await.unwrap();
    assert!(answers.iter().flatten().count() >= 133);
    until(&transport, |stats| stats.in_use == 0 && stats.waiting == 0 && stats.open <= 8).await;
    let again: JoinSet<_> = (0..8).map(|_| call(transport.clone(), BOUND)).collect();
    assert_eq!(timeout(BOUND, again.join_all()).await.unwrap().iter().flatten().count(), 8);
}

#[tokio::test]
async fn dropping_the_transport_closes_what_is_unused_and_finishes_what_is_not() {
    let (transport, peak, _owner) = counted(8).await;
    let mut answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
    let used = timeout(BOUND, call(transport.clone(), BOUND)).await.unwrap();
    assert_eq!((used.as_deref(), peak.now()), (Some(&b"ok"[..]), 2));
    drop(transport);
    let body = timeout(BOUND, answer.body.next()).await.unwrap();
    assert_eq!(body.unwrap().unwrap(), "ok");
    drop(answer);
    let all_closed = async {
        while peak.now() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(BOUND, all_closed).await.unwrap();
}

#[tokio::test]
async fn the_queue_is_bounded_and_first_come_first_served() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |mut socket| async move {
        while read_request(&mut socket, 0).await.is_some() {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        }
    });
    let mut config = config(address);
    (config.max_connections, config.max_waiting) = (1, 2);
    let transport = Transport::new(&config).unwrap();
    let first = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
    let mut second = Box::pin(transport.send(OutgoingRequest::get("/"), None));
    let mut third = Box::pin(transport.send(OutgoingRequest::get("/"), Some(Duration::from_millis(50))));
    assert!(futures_util::poll!(&mut second).is_pending() && futures_util::poll!(&mut third).is_pending());
    assert_eq!(transport.stats().waiting, 2);
    let busy = transport.send(OutgoingRequest::get("/"), None).await.unwrap_err();
    assert!(matches!(busy, TransportError::Busy) && busy.unsent());
    let late = third.await.unwrap_err();
    assert!(matches!(late, TransportError::Connect { timed_out: true, .. }) && late.unsent());
    drop(first);
    let second = timeout(BOUND, second).await.unwrap().unwrap();
    assert_eq!((transport.stats().open, transport.stats().in_use, transport.stats().waiting), (1, 1, 0));
    drop(second);
    until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
}

#[tokio::test]
async fn whoever_comes_when_a_connection_is_given_back_does_not_overtake_whoever_waits() {
    let (transport, _owner) = {
        let (listener, address) = listen().await;
        let owner = upstream(listener, |mut socket| async move {
            while read_request(&mut socket, 0).await.is_some() {
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        });
        let mut config = config(address);
        config.max_connections = 1;
        (Transport::new(&config).unwrap(), owner)
    };
    let first = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
    let mut waits = Box::pin(transport.send(OutgoingRequest::get("/"), None));
    let mut waits_too = Box::pin(transport.send(OutgoingRequest::get("/"), None));
    assert!(futures_util::poll!(&mut waits).is_pending() && futures_util::poll!(&mut waits_too).is_pending());
    assert_eq!(first.bytes(2).await.unwrap(), "ok");
    let mut comes = Box::pin(transport.send(OutgoingRequest::get("/"), None));
    assert!(futures_util::poll!(&mut comes).is_pending());
    assert_eq!(transport.stats().waiting, 2 + usize::from(POOL == Pooling::Own));
    for waited in [waits, waits_too, comes] {
        let answer = timeout(BOUND, waited).await.unwrap().unwrap();
        assert_eq!(answer.bytes(2).await.unwrap(), "ok");
    }
    assert_eq!(transport.stats().open, 1);
}

#[tokio::test]
async fn a_drop_closes_the_connection_at_once() {
    let (listener, address) = listen().await;
    let (events, mut seen) = mpsc::unbounded_channel();
    let _owner = upstream(listener, move |mut socket| {
        let events = events.clone();
        async move {
            let head = read_request(&mut socket, 0).await.unwrap();
            events.send("request").unwrap();
            if head.contains("/stream") {
                socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst").await.unwrap();
            }
            let end = socket.read(&mut [0; 8]).await;
            assert!(matches!(end, Ok(0) | Err(_)));
            events.send("closed").unwrap();
        }
    });
    let transport = Transport::new(&config(address)).unwrap();
    let mut call = Box::pin(transport.send(OutgoingRequest::get("/silent"), None));
    tokio::select! {
        _ = &mut call => panic!("no answer was sent"),
        event = seen.recv() => assert_eq!(event, Some("request")),
    }
    drop(call);
    let closed = timeout(Duration::from_millis(100), seen.recv()).await;
    assert_eq!(closed, Ok(Some("closed")), "while waiting for the head");

    let mut answer = transport.send(OutgoingRequest::get("/stream"), None).await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "first");
    assert_eq!((seen.recv().await, transport.stats().in_use), (Some("request"), 1));
    drop(answer);
    let closed = timeout(Duration::from_millis(100), seen.recv()).await;
    assert_eq!(closed, Ok(Some("closed")), "inside the body");
    until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
}

#[tokio::test]
async fn redirects_are_returned() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let (transport, _owner) = scripted(answer, false).await;
    let answer = transport.send(post("x"), None).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(answer.headers["location"], "/elsewhere");
    assert_eq!(transport.stats().in_use, 0, "an empty body gives the connection back by itself");
}

#[tokio::test]
async fn unused_connections_are_closed_after_the_idle_time() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |mut socket| async move {
        while read_request(&mut socket, 0).await.is_some() {
            socket.write_all(OK.as_bytes()).await.unwrap();
        }
    });
    let mut config = config(address);
    config.idle = Duration::from_millis(40);
    let transport = Transport::new(&config).unwrap();
    transport.send(OutgoingRequest::get("/"), None).await.unwrap().bytes(2).await.unwrap();
    assert_eq!(transport.stats().open, 1);
    until(&transport, |stats| stats.open == 0).await;
}
