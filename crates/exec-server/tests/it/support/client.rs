//! A client of one request a connection, which can look at every byte and leave whenever it likes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head as it came, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), b"").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(&format!("DELETE {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, "", body.to_string().as_bytes()).await
    }

    /// `headers` are whole lines, each with its CRLF.
    pub(crate) async fn post_with(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.send(&head(path, headers, body.len()), body).await
    }

    /// Sends and reads until the server closes.
    pub(crate) async fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.open(head, body).await;
        let mut bytes = Vec::new();
        // A server that refuses a body before it has read it may reset the connection after its answer.
        let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
        assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
        Answer::parse(&bytes)
    }

    /// Sends, and leaves the reading to the test.
    pub(crate) async fn open(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The same: the answer may be there before the body is sent.
        let _ = stream.write_all(body).await;
        stream
    }

    pub(crate) async fn begin(&self, path: &str, body: &Value) -> TcpStream {
        let body = body.to_string();
        self.open(&head(path, "", body.len()), body.as_bytes()).await
    }
}

fn head(path: &str, headers: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n"
    )
}

/// Reads from `stream` until what came contains `text`.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while !seen.windows(text.len()).any(|part| part == text.as_bytes()) {
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "closed before {text:?}: {:?}", String::from_utf8(seen.clone()));
            seen.extend_from_slice(&buffer[..read]);
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    String::from_utf8(seen).unwrap()
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let body = bytes.get(at + 4..).unwrap_or_default();
        let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() };
        Self { status, head, body: String::from_utf8(body).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The data of every event, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..at]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let data = &bytes[at + 2..];
        whole.extend_from_slice(&data[..size.min(data.len())]);
        bytes = data.get(size + 2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    whole
}
