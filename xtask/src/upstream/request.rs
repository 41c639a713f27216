//! One request read off a connection: head, headers and body, length-delimited or chunked.
use super::connection::Connection;
use bytes::{Buf as _, Bytes, BytesMut};
use std::ops::Range;

const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
const MAX_BODY: usize = 64 << 20;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A complete request; the head is kept as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    head: Bytes,
    method: Range<usize>,
    target: Range<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
    http_1_0: bool,
    pub(super) body: Bytes,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The client closed between requests or in the middle of one.
    Gone,
    /// Not HTTP we read; answer with this status and close.
    Bad(u16),
}

impl Request {
    /// Reads the next request. Cancel safe only in that the connection must then be closed.
    pub(super) async fn read(conn: &mut Connection) -> Result<Self, NoRequest> {
        let mut request = Self::read_head(conn).await?;
        request.body = request.read_body(conn).await?;
        Ok(request)
    }

    /// A copy that does not hold the connection's buffer, with at most `limit` bytes of the body.
    pub(super) fn detached(&self, limit: usize) -> Self {
        Self {
            head: Bytes::copy_from_slice(&self.head),
            body: Bytes::copy_from_slice(&self.body[..self.body.len().min(limit)]),
            ..self.clone()
        }
    }

    async fn read_head(conn: &mut Connection) -> Result<Self, NoRequest> {
        loop {
            if !conn.inbox.is_empty()
                && let Some(request) = Self::parse_head(&mut conn.inbox)?
            {
                return Ok(request);
            }
            if conn.inbox.len() > MAX_HEAD {
                return Err(NoRequest::Bad(431));
            }
            fill(conn).await?;
        }
    }

    fn parse_head(inbox: &mut BytesMut) -> Result<Option<Self>, NoRequest> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        let Ok(status) = parsed.parse(inbox) else {
            return Err(NoRequest::Bad(400));
        };
        let httparse::Status::Complete(len) = status else {
            return Ok(None);
        };
        let at = |part: &[u8]| {
            let start = part.as_ptr() as usize - inbox.as_ptr() as usize;
            start..start + part.len()
        };
        let request = Self {
            method: at(parsed.method.unwrap_or_default().as_bytes()),
            target: at(parsed.path.unwrap_or_default().as_bytes()),
            headers: parsed.headers.iter().map(|h| (at(h.name.as_bytes()), at(h.value))).collect(),
            http_1_0: parsed.version == Some(0),
            head: Bytes::new(),
            body: Bytes::new(),
        };
        Ok(Some(Self { head: inbox.split_to(len).freeze(), ..request }))
    }

    async fn read_body(&self, conn: &mut Connection) -> Result<Bytes, NoRequest> {
        let chunked =
            self.header("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"));
        let length = self.header("content-length").map(str::parse::<usize>).transpose();
        let length = length.map_err(|_| NoRequest::Bad(400))?.unwrap_or(0);
        if length > MAX_BODY {
            return Err(NoRequest::Bad(413));
        }
        if conn.inbox.is_empty()
            && self.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue"))
        {
            conn.out.extend_from_slice(CONTINUE);
            conn.flush().await.map_err(|_| NoRequest::Gone)?;
        }
        if chunked { chunks(conn).await } else { take(conn, length).await }
    }

    /// The value of a header; `name` in any case. `None` also if it is not UTF-8.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found =
            self.headers.iter().find(|(n, _)| self.head[n.clone()].eq_ignore_ascii_case(name.as_bytes()))?;
        self.part(&found.1)
    }

    /// All headers as they came; values that are not UTF-8 are left out.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((self.part(name)?, self.part(value)?)))
    }

    fn part(&self, range: &Range<usize>) -> Option<&str> {
        std::str::from_utf8(&self.head[range.clone()]).ok()
    }

    pub(super) fn method(&self) -> &str {
        self.part(&self.method).unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        self.split_target().0
    }

    pub(super) fn query(&self) -> &str {
        self.split_target().1
    }

    fn split_target(&self) -> (&str, &str) {
        let target = self.part(&self.target).unwrap_or_default();
        target.split_once('?').unwrap_or((target, ""))
    }

    /// Whether the client wants to use the connection again.
    pub(super) fn keep_alive(&self) -> bool {
        match self.header("connection") {
            Some(value) if value.eq_ignore_ascii_case("close") => false,
            Some(value) if value.eq_ignore_ascii_case("keep-alive") => true,
            _ => !self.http_1_0,
        }
    }
}

async fn fill(conn: &mut Connection) -> Result<(), NoRequest> {
    if conn.fill().await { Ok(()) } else { Err(NoRequest::Gone) }
}

async fn take(conn: &mut Connection, length: usize) -> Result<Bytes, NoRequest> {
    while conn.inbox.len() < length {
        conn.inbox.reserve(length - conn.inbox.len());
        fill(conn).await?;
    }
    Ok(conn.inbox.split_to(length).freeze())
}

async fn chunks(conn: &mut Connection) -> Result<Bytes, NoRequest> {
    let mut body = BytesMut::new();
    loop {
        let size = chunk_size(conn).await?;
        if size == 0 {
            trailers(conn).await?;
            return Ok(body.freeze());
        }
        if body.len() + size > MAX_BODY {
            return Err(NoRequest::Bad(413));
        }
        body.extend_from_slice(&take(conn, size).await?);
        if take(conn, 2).await?.as_ref() != b"\r\n" {
            return Err(NoRequest::Bad(400));
        }
    }
}

async fn chunk_size(conn: &mut Connection) -> Result<usize, NoRequest> {
    loop {
        match httparse::parse_chunk_size(&conn.inbox) {
            Ok(httparse::Status::Complete((len, size))) => {
                conn.inbox.advance(len);
                return usize::try_from(size).map_err(|_| NoRequest::Bad(413));
            }
            Ok(httparse::Status::Partial) if conn.inbox.len() < MAX_HEAD => fill(conn).await?,
            _ => return Err(NoRequest::Bad(400)),
        }
    }
}

async fn trailers(conn: &mut Connection) -> Result<(), NoRequest> {
    loop {
        let Some(end) = memchr::memchr(b'\n', &conn.inbox) else {
            if conn.inbox.len() > MAX_HEAD {
                return Err(NoRequest::Bad(431));
            }
            fill(conn).await?;
            continue;
        };
        let line = conn.inbox.split_to(end + 1);
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
    }
}
