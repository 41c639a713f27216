//! Upstreams for the tests: raw TCP ones that say exactly what they are told, and a real HTTP one.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use exec_providers::http::{Body, OutgoingRequest, Transport, TransportConfig, TransportStats};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Long enough for anything that must happen at all.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) fn config(address: SocketAddr) -> TransportConfig {
    let mut config = TransportConfig::new(format!("http://{address}/v1"));
    config.pool = super::POOL;
    config
}

pub(crate) fn post(text: &'static str) -> OutgoingRequest {
    OutgoingRequest::post("/echo", Body::from(Bytes::from_static(text.as_bytes())))
}

/// An upstream whose connections are each handled by `serve`; ends when dropped.
pub(crate) fn upstream<F, S>(listener: TcpListener, serve: S) -> JoinSet<()>
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut owner = JoinSet::new();
    owner.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(serve(socket));
        }
    });
    owner
}

/// Reads up to the end of the head, and `body` bytes more; false when the client closed first.
pub(crate) async fn read_request(socket: &mut TcpStream, body: usize) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = memchr::memmem::find(&seen, b"\r\n\r\n")
            && seen.len() >= end + 4 + body
        {
            return Some(String::from_utf8(seen).unwrap());
        }
        if socket.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
    }
}

/// Serves HTTP/1 or HTTP/2 on a connection with an answer made by `answer`.
pub(crate) async fn serve_http<F, S>(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answer: S)
where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
}

/// Waits for a state of the counts, with a bound.
pub(crate) async fn until(transport: &Transport, wanted: impl Fn(TransportStats) -> bool) -> TransportStats {
    let reached = async {
        while !wanted(transport.stats()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(BOUND, reached).await;
    assert!(in_time.is_ok(), "counts stay at {:?}", transport.stats());
    transport.stats()
}

/// Counts what is going on and remembers the most there ever was.
#[derive(Debug, Default)]
pub(crate) struct Peak {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Peak {
    pub(crate) fn enter(self: &Arc<Self>) -> Inside {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub(crate) struct Inside(Arc<Peak>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An upstream that answers every request with these bytes and then closes when `close`.
pub(crate) async fn scripted(answer: &'static str, close: bool) -> (Transport, JoinSet<()>) {
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
