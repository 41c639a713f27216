//! A raw HTTP/1.1 client: it keeps every byte and says how the connection ended.
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xtask::upstream::Upstream;

/// No answer here takes longer unless something is wrong.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN.
    Closed,
    /// RST.
    Reset,
}

/// Everything that came back on a connection that was used once.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) chunks: Vec<Vec<u8>>,
    /// Whether the framing of the body was complete.
    pub(crate) whole: bool,
    pub(crate) ending: Ending,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| *n == name).map(|(_, v)| v).next()
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap()
    }

    /// Data of all events; `[DONE]` and broken JSON become strings.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = self.text().replace("\r\n", "\n");
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
    }
}

/// A chat request in either format; `extra` is merged into it.
pub(crate) fn chat(model: &str, extra: &Value) -> Value {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 99});
    let fields = extra.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(fields);
    body
}

/// The bytes of a request on a connection to be closed.
pub(crate) fn raw(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

pub(crate) const OPENAI: &str = "authorization: Bearer key\r\n";
pub(crate) const ANTHROPIC: &str = "x-api-key: key\r\nanthropic-version: 2023-06-01\r\n";

pub(crate) async fn openai(upstream: &Upstream, spec: &str, extra: Value) -> Reply {
    let headers = format!("{OPENAI}x-fault: {spec}\r\n");
    send(upstream, &raw("POST", "/v1/chat/completions", &headers, &chat("m", &extra).to_string())).await
}

pub(crate) async fn anthropic(upstream: &Upstream, spec: &str, extra: Value) -> Reply {
    let headers = format!("{ANTHROPIC}x-fault: {spec}\r\n");
    send(upstream, &raw("POST", "/v1/messages", &headers, &chat("m", &extra).to_string())).await
}

/// Sends bytes on a new connection and reads until it ends.
pub(crate) async fn send(upstream: &Upstream, request: &str) -> Reply {
    let mut stream = TcpStream::connect(upstream.addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read(&mut stream).await
}

/// Reads until the connection ends.
pub(crate) async fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let ended =
        tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    let ending = if ended.is_ok() { Ending::Closed } else { Ending::Reset };
    parse(&bytes, ending)
}

/// Reads until `wanted` has arrived.
pub(crate) async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        while !bytes.windows(wanted.len()).any(|w| w == wanted.as_bytes()) {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "closed before {wanted}");
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("it arrives");
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn parse(bytes: &[u8], ending: Ending) -> Reply {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut reply = Reply { head, chunks: Vec::new(), whole: false, ending };
    if reply.header("transfer-encoding") == Some("chunked") {
        (reply.chunks, reply.whole) = dechunk(&bytes[end..]);
    } else {
        let length = reply.header("content-length").and_then(|n| n.parse().ok());
        reply.whole = length == Some(bytes.len() - end);
        reply.chunks.push(bytes[end..].to_vec());
    }
    reply
}

/// Chunks, and whether the last one was there with nothing after it.
fn dechunk(mut rest: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            return (chunks, rest == b"\r\n");
        }
        chunks.push(rest[..size].to_vec());
        assert_eq!(&rest[size..size + 2], b"\r\n");
        rest = &rest[size + 2..];
    }
    (chunks, false)
}
