//! The transport without TLS: its bounds, what a drop does, and the type of every failure.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Transport, TransportError};
use futures_util::StreamExt;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{BOUND, Peak, config, listen, post, read_request, serve_http, until, upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An upstream that answers every request with these bytes and then closes when `close`.
async fn scripted(answer: &'static str, close: bool) -> (Transport, JoinSet<()>) {
    let (listener, address) = listen().await;
    let owner = upstream(listener, move |mut socket| async move {
        while read_request(&mut socket, 0).await.is_some() {
            socket.write_all(answer.as_bytes()).await.unwrap();
            if close {
                return;
            }
        }
    });
    (Transport::new(&config(address)).unwrap(), owner)
}

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
        request
            .headers
            .insert("transfer-encoding", http::HeaderValue::from_static("chunked"));
        request
            .secret_header(http::header::AUTHORIZATION, "Bearer k")
            .unwrap();
        let answer = transport.send(request, Some(BOUND)).await.unwrap();
        assert_eq!(answer.bytes(10).await.unwrap(), "ok");
    }
    let (first, head) = seen.recv().await.unwrap();
    assert!(head.starts_with("POST /v1/echo?alt=sse HTTP/1.1\r\n") && head.ends_with("\r\n\r\nhello world"));
    for line in [
        format!("host: {address}"),
        "content-length: 11".into(),
        "authorization: Bearer k".into(),
    ] {
        assert_eq!(head.matches(&line).count(), 1, "{line} in {head}");
    }
    assert!(!head.contains("transfer-encoding"));
    assert_eq!(
        (seen.recv().await.unwrap().0, seen.recv().await.unwrap().0),
        (first, first)
    );
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
    let answer = transport
        .send(OutgoingRequest::post("/", body), None)
        .await
        .unwrap();
    assert!(answer.bytes(whole.len()).await.unwrap() == whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cap_holds_under_load_and_cancels() {
    let (listener, address) = listen().await;
    let peak = Arc::new(Peak::default());
    let seen = peak.clone();
    let _owner = upstream(listener, move |mut socket| {
        let peak = seen.clone();
        async move {
            let _inside = peak.enter();
            while read_request(&mut socket, 0).await.is_some() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if socket.write_all(OK.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut config = config(address);
    config.max_connections = 8;
    let transport = Arc::new(Transport::new(&config).unwrap());
    let mut calls = JoinSet::new();
    for index in 0..200_u64 {
        let transport = transport.clone();
        calls.spawn(async move {
            let call = async {
                transport
                    .send(OutgoingRequest::get("/"), None)
                    .await?
                    .bytes(10)
                    .await
            };
            if index % 3 == 0 {
                timeout(Duration::from_micros(index * 70), call)
                    .await
                    .ok()
                    .map(Result::unwrap)
            } else {
                Some(call.await.unwrap())
            }
        });
        assert!(transport.stats().open <= 8);
    }
    let done = timeout(BOUND, calls.join_all()).await.unwrap();
    assert!(done.iter().flatten().count() >= 133);
    let stats = until(&transport, |stats| stats.in_use == 0 && stats.waiting == 0).await;
    assert!(stats.open <= 8, "{stats:?}");
    // The upstream sees a close a little later than we do it, so it may count more than we hold.
    assert!(peak.most() <= 16, "upstream saw {}", peak.most());
}

#[tokio::test]
async fn the_queue_is_bounded_and_first_come_first_served() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |mut socket| async move {
        while read_request(&mut socket, 0).await.is_some() {
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
                .await
                .unwrap();
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
    assert_eq!(
        (
            transport.stats().open,
            transport.stats().in_use,
            transport.stats().waiting
        ),
        (1, 1, 0)
    );
    drop(second);
    until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
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

    let mut answer = transport
        .send(OutgoingRequest::get("/stream"), None)
        .await
        .unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "first");
    assert_eq!(
        (seen.recv().await, transport.stats().in_use),
        (Some("request"), 1)
    );
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
    assert_eq!(
        transport.stats().in_use,
        0,
        "an empty body gives the connection back by itself"
    );
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    let short = [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ];
    for answer in short {
        let (transport, _owner) = scripted(answer, true).await;
        let mut answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        assert_eq!(answer.body.next().await.unwrap().unwrap(), "abc");
        let error = answer.body.next().await.unwrap().unwrap_err();
        assert!(
            matches!(error, TransportError::Incomplete) && !error.unsent(),
            "{error:?}"
        );
        assert!(answer.body.next().await.is_none());
        until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
    }
}

#[tokio::test]
async fn a_close_or_nonsense_before_the_head_is_typed() {
    let (transport, _owner) = scripted("", true).await;
    let error = transport.send(post("x"), None).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Closed { sent: true }) && !error.unsent(),
        "{error:?}"
    );
    let (transport, _owner) = scripted("SSH-2.0-secret\r\n\r\n", true).await;
    let error = transport.send(post("x"), None).await.unwrap_err();
    assert!(matches!(error, TransportError::Protocol), "{error:?}");
    until(&transport, |stats| stats.open == 0).await;
}

#[tokio::test]
async fn a_reset_is_typed_in_the_head_and_in_the_body() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"] {
        let (listener, address) = listen().await;
        let (go, wait) = tokio::sync::watch::channel(false);
        let _owner = upstream(listener, move |mut socket| {
            let mut wait = wait.clone();
            async move {
                read_request(&mut socket, 0).await.unwrap();
                socket.write_all(head.as_bytes()).await.unwrap();
                wait.wait_for(|go| *go).await.unwrap();
                socket.set_zero_linger().unwrap();
            }
        });
        let transport = Transport::new(&config(address)).unwrap();
        let error = if head.is_empty() {
            go.send_replace(true);
            transport.send(OutgoingRequest::get("/"), None).await.unwrap_err()
        } else {
            let mut answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
            answer.body.next().await.unwrap().unwrap();
            go.send_replace(true);
            answer.body.next().await.unwrap().unwrap_err()
        };
        assert!(
            matches!(error, TransportError::Reset) && !error.unsent(),
            "{error:?}"
        );
        until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
    }
}

#[tokio::test]
async fn a_refused_connection_is_unsent() {
    let (listener, address) = listen().await;
    drop(listener);
    let transport = Transport::new(&config(address)).unwrap();
    let error = transport.send(post("x"), Some(BOUND)).await.unwrap_err();
    assert!(
        matches!(
            error,
            TransportError::Connect {
                timed_out: false,
                source: Some(_)
            }
        ),
        "{error:?}"
    );
    assert!(error.unsent());
    assert_eq!(transport.stats(), Default::default());
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let (transport, _owner) = scripted(OK, true).await;
    for _ in 0..5 {
        let answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        assert_eq!(answer.bytes(2).await.unwrap(), "ok");
        until(&transport, |stats| stats.open == 0).await;
    }
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
    transport
        .send(OutgoingRequest::get("/"), None)
        .await
        .unwrap()
        .bytes(2)
        .await
        .unwrap();
    assert_eq!(transport.stats().open, 1);
    until(&transport, |stats| stats.open == 0).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    for answer in [OK, chunked] {
        let (transport, _owner) = scripted(answer, false).await;
        let answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        let error = answer.bytes(1).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { limit: 1 }));
        until(&transport, |stats| stats.in_use == 0).await;
    }
    let (transport, _owner) = scripted(chunked, false).await;
    let answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
    assert_eq!(answer.bytes(6).await.unwrap(), "abcdef");
}
