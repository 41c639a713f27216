//! The type of every failure, and whether the request can have been sent.

use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Pooling, Transport, TransportError, TransportStats};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::POOL;
use super::support::{BOUND, OK, config, listen, post, read_request, scripted, until, upstream};

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
        assert!(matches!(error, TransportError::Incomplete) && !error.unsent(), "{error:?}");
        assert!(answer.body.next().await.is_none());
        until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
    }
}

#[tokio::test]
async fn a_close_or_nonsense_before_the_head_is_typed() {
    let (transport, _owner) = scripted("", true).await;
    let error = transport.send(post("x"), None).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed { sent: true }) && !error.unsent(), "{error:?}");
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
        assert!(matches!(error, TransportError::Reset) && !error.unsent(), "{error:?}");
        until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
    }
}

#[tokio::test]
async fn a_refused_connection_is_unsent() {
    let (listener, address) = listen().await;
    drop(listener);
    let transport = Transport::new(&config(address)).unwrap();
    let error = transport.send(post("x"), Some(BOUND)).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect { timed_out: false, source: Some(_) }), "{error:?}");
    assert!(error.unsent());
    assert_eq!(transport.stats(), TransportStats::default());
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let (listener, address) = listen().await;
    let (closed, mut seen) = mpsc::unbounded_channel();
    let _owner = upstream(listener, move |mut socket| {
        let closed = closed.clone();
        async move {
            read_request(&mut socket, 0).await.unwrap();
            socket.write_all(OK.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
            closed.send(()).unwrap();
        }
    });
    let transport = Transport::new(&config(address)).unwrap();
    for _ in 0..5 {
        let answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        assert_eq!(answer.bytes(2).await.unwrap(), "ok");
        timeout(BOUND, seen.recv()).await.unwrap().unwrap();
        if POOL == Pooling::Own {
            until(&transport, |stats| stats.open == 0).await;
        }
    }
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

#[tokio::test]
async fn an_answer_before_the_whole_upload_does_not_leave_a_busy_connection_in_the_pool() {
    let (transport, _owner) =
        scripted("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n", false).await;
    // More than the socket buffers take: the upstream answers after the head and reads no more for a while.
    let body = Body::from(Bytes::from(vec![b'x'; 64 << 20]));
    let answer = transport.send(OutgoingRequest::post("/", body), None).await.unwrap();
    assert_eq!(answer.status, http::StatusCode::PAYLOAD_TOO_LARGE);
    drop(answer);
    until(&transport, |stats| stats.open == 0 && stats.in_use == 0).await;
}
