//! A provider that answers with failures from a list: the number in the model's name says which.

use crate::shell::Result;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A failure as it is sent: status, further heads with their line ends, body.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// Serves them until dropped.
#[derive(Debug)]
pub(super) struct Canned {
    pub(super) address: SocketAddr,
    calls: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Canned {
    pub(super) async fn start(replies: Vec<Reply>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(replies), Arc::clone(&calls)));
        Ok(Self { address, calls, _tasks: tasks })
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, replies: Arc<Vec<Reply>>, calls: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (replies, calls) = (Arc::clone(&replies), Arc::clone(&calls));
        connections.spawn(async move {
            // A client that leaves early has nothing to be told.
            let _gone = answer(stream, &replies, &calls).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: TcpStream, replies: &[Reply], calls: &AtomicU64) -> std::io::Result<()> {
    let mut seen = Vec::new();
    while number(&seen).is_none() {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(());
        }
    }
    calls.fetch_add(1, Ordering::Relaxed);
    let Some(Reply { status, head, body }) = number(&seen).and_then(|n| replies.get(n)) else {
        return Ok(());
    };
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}");
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// The number in the model `canned-N` of a request, once its body is there.
fn number(bytes: &[u8]) -> Option<usize> {
    let at = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let body: Value = serde_json::from_slice(&bytes[at..]).ok()?;
    body["model"].as_str()?.strip_prefix("canned-")?.parse().ok()
}
