//! A client that uses a connection once, keeps every byte, and can leave whenever it likes.

use super::Dialect;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server closed it.
    Closed,
    /// It broke.
    Broken,
    /// Nothing ended it within the limit: a hang.
    Never,
}

/// Everything that came back.
#[derive(Debug)]
pub(crate) struct Heard {
    /// 0 if no head came.
    pub(crate) status: u16,
    /// The head in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the framing of HTTP came to its end.
    pub(crate) framed: bool,
    pub(crate) ended: Ended,
    pub(crate) took: Duration,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: &'static str,
    path: String,
    headers: String,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            headers: String::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// What `dialect` asks of `model`.
    pub(crate) fn ask(dialect: Dialect, model: &str, stream: bool) -> Self {
        Self::post(dialect.path(), &dialect.ask(model, stream))
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: String::new(), body: Vec::new() }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let head = format!(
            "{} {} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{}\r\n",
            self.method,
            self.path,
            self.body.len(),
            self.headers
        );
        [head.as_bytes(), &self.body].concat()
    }
}

/// Where requests go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Sends and reads to the end, or until `limit` has passed. A connection that cannot be made is one that broke.
    pub(crate) async fn send(&self, call: &Call, limit: Duration) -> Heard {
        let start = Instant::now();
        match timeout_at(start + limit, self.begin(call)).await {
            Ok(Ok(talk)) => talk.finish(start + limit).await,
            Ok(Err(_)) => Talk::parse(&[], Ended::Broken, start.elapsed()),
            Err(_) => Talk::parse(&[], Ended::Never, start.elapsed()),
        }
    }

    /// Sends, and leaves the reading to the caller. Connecting may take as long as the system lets it.
    pub(crate) async fn begin(&self, call: &Call) -> io::Result<Talk> {
        let start = Instant::now();
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&call.bytes()).await?;
        Ok(Talk { stream, seen: Vec::new(), start })
    }
}

/// A request that was sent. Dropping it is leaving.
#[derive(Debug)]
pub(crate) struct Talk {
    stream: TcpStream,
    seen: Vec<u8>,
    start: Instant,
}

impl Talk {
    /// Reads until what came contains `text`; false if the connection ended before.
    pub(crate) async fn read_until(&mut self, text: &str, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while memchr::memmem::find(&self.seen, text.as_bytes()).is_none() {
            match timeout_at(until, self.stream.read_buf(&mut self.seen)).await {
                Ok(Ok(read)) if read > 0 => {}
                _ => return false,
            }
        }
        true
    }

    /// Reads to the end, or until `until`.
    pub(crate) async fn finish(mut self, until: Instant) -> Heard {
        let ended = match timeout_at(until, self.stream.read_to_end(&mut self.seen)).await {
            Ok(Ok(_)) => Ended::Closed,
            Ok(Err(_)) => Ended::Broken,
            Err(_) => Ended::Never,
        };
        Self::parse(&self.seen, ended, self.start.elapsed())
    }

    fn parse(bytes: &[u8], ended: Ended, took: Duration) -> Heard {
        let at = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
        let head = std::str::from_utf8(&bytes[..at]).unwrap_or_default().to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let rest = bytes.get(at + 4..).unwrap_or_default();
        let (body, framed) = if head.contains("transfer-encoding: chunked") {
            unchunked(rest)
        } else {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            (rest.to_vec(), length == Some(rest.len()))
        };
        Heard { status, head, body, framed, ended, took }
    }
}

/// The body without its framing, and whether the framing came to its end.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut whole = Vec::new();
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(bytes) {
        let Ok(size) = usize::try_from(size) else { break };
        let data = &bytes[line..];
        whole.extend_from_slice(&data[..size.min(data.len())]);
        if size == 0 {
            return (whole, true);
        }
        bytes = data.get(size + 2..).unwrap_or_default();
    }
    (whole, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &str) -> Heard {
        Talk::parse(bytes.as_bytes(), Ended::Closed, Duration::ZERO)
    }

    #[test]
    fn a_body_is_taken_out_of_its_framing_and_a_cut_one_is_known() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: B\r\n\r\n";
        let whole = heard(&format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
        assert_eq!((whole.status, whole.body.as_slice(), whole.framed), (200, b"abcde".as_slice(), true));
        assert_eq!(whole.header("x-a"), Some("b"));
        let cut = heard(&format!("{head}3\r\nabc\r\n9\r\nde"));
        assert_eq!((cut.body.as_slice(), cut.framed), (b"abcde".as_slice(), false));
        assert!(heard("HTTP/1.1 429 Too Many\r\ncontent-length: 2\r\n\r\n{}").framed);
        assert!(!heard("HTTP/1.1 429 Too Many\r\ncontent-length: 3\r\n\r\n{}").framed);
        assert_eq!(heard("").status, 0);
    }
}
