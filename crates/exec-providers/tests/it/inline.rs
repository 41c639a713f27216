//! HTTP/1 connections without a task: what moves them along, how often, and who notices their end.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Transport};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::own::support::{BOUND, OK, config, listen, read_request, until, upstream};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const UPLOAD: usize = 20 << 20;

#[tokio::test]
async fn chunks_that_arrive_together_are_read_without_a_pause() {
    let (listener, address) = listen().await;
    let _owner = upstream(listener, |mut socket| async move {
        while read_request(&mut socket, 0).await.is_some() {
            let answer = [CHUNKED, &"3\r\nabc\r\n".repeat(60), "0\r\n\r\n"].concat();
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let transport = Transport::new(&config(address)).unwrap();
    for _ in 0..2 {
        let mut answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        for index in 0..60 {
            let chunk = answer.body.next().now_or_never();
            assert_eq!(chunk.expect("the chunk is here already").unwrap().unwrap(), "abc", "chunk {index}");
        }
        assert!(answer.body.next().now_or_never().expect("the end is here already").is_none());
        assert_eq!((transport.stats().in_use, transport.stats().open), (0, 1));
    }
}

#[tokio::test]
async fn a_silent_stream_is_left_alone() {
    let (listener, address) = listen().await;
    let (go, wait) = watch::channel(false);
    let _owner = upstream(listener, move |mut socket| {
        let mut wait = wait.clone();
        async move {
            read_request(&mut socket, 0).await.unwrap();
            socket.write_all([CHUNKED, "3\r\nabc\r\n"].concat().as_bytes()).await.unwrap();
            wait.wait_for(|go| *go).await.unwrap();
            socket.write_all(b"3\r\ndef\r\n").await.unwrap();
            assert!(matches!(socket.read(&mut [0; 8]).await, Ok(0) | Err(_)));
        }
    });
    let transport = Transport::new(&config(address)).unwrap();
    let mut answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
    assert_eq!(answer.body.next().await.unwrap().unwrap(), "abc");
    let mut polls = 0;
    let next = poll_fn(|cx| {
        polls += 1;
        Pin::new(&mut answer.body).poll_next(cx)
    });
    let silence = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        go.send_replace(true);
    };
    let both = async { tokio::join!(alone(next), silence) };
    let (chunk, ()) = timeout(BOUND, both).await.unwrap();
    assert_eq!(chunk.unwrap().unwrap(), "def");
    // Once to wait and once to be given; what tells the socket is ready may come once in vain.
    assert!((2..=3).contains(&polls), "polled {polls} times");
}

/// Polls `work` only when it was woken itself, whatever happens beside it.
async fn alone<T>(work: impl Future<Output = T>) -> T {
    FuturesUnordered::from_iter([work]).next().await.unwrap()
}

/// Reads a head and no more; false at the end.
async fn read_head(socket: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { return false };
        head.push(byte);
    }
    true
}

/// Reads `left` bytes.
async fn swallow(socket: &mut TcpStream, mut left: usize) {
    let mut buffer = vec![0; 64 << 10];
    while left > 0 {
        left -= socket.read(&mut buffer).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_goes_on_while_the_head_and_then_the_body_are_waited_for() {
    for early in [false, true] {
        let (listener, address) = listen().await;
        let _owner = upstream(listener, move |mut socket| async move {
            let (head, body) = OK.split_at(OK.len() - 2);
            while read_head(&mut socket).await {
                if early {
                    socket.write_all(head.as_bytes()).await.unwrap();
                }
                swallow(&mut socket, UPLOAD).await;
                let rest = if early { body } else { OK };
                socket.write_all(rest.as_bytes()).await.unwrap();
            }
        });
        let transport = Transport::new(&config(address)).unwrap();
        for _ in 0..2 {
            let body = Body::from(Bytes::from(vec![b'x'; UPLOAD]));
            let call = async { transport.send(OutgoingRequest::post("/", body), None).await?.bytes(2).await };
            assert_eq!(timeout(BOUND, call).await.unwrap().unwrap(), "ok");
            assert_eq!((transport.stats().in_use, transport.stats().open), (0, 1), "it is kept");
        }
    }
}

#[tokio::test]
async fn an_unused_connection_that_speaks_or_ends_is_closed() {
    for close in [false, true] {
        let (listener, address) = listen().await;
        let (go, wait) = watch::channel(false);
        let _owner = upstream(listener, move |mut socket| {
            let mut wait = wait.clone();
            async move {
                read_request(&mut socket, 0).await.unwrap();
                socket.write_all(OK.as_bytes()).await.unwrap();
                wait.wait_for(|go| *go).await.unwrap();
                if !close {
                    socket.write_all(OK.as_bytes()).await.unwrap();
                    assert!(matches!(socket.read(&mut [0; 8]).await, Ok(0) | Err(_)));
                }
            }
        });
        let transport = Transport::new(&config(address)).unwrap();
        let answer = transport.send(OutgoingRequest::get("/"), None).await.unwrap();
        assert_eq!(answer.bytes(2).await.unwrap(), "ok");
        assert_eq!(transport.stats().open, 1);
        go.send_replace(true);
        until(&transport, |stats| stats.open == 0).await;
    }
}
