//! One response on a connection: head, framing of the body, and the faults that concern bytes rather than meaning.
use super::connection::{Connection, Flow, Stop};
use super::error::Format;
use super::fault::{Faults, Split};
use super::json::put;
use std::time::Duration;

const OPENAI: &str = "openai-version: 2020-10-01\r\nopenai-organization: org-upstream\r\nopenai-processing-ms: 12\r\n\
x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-remaining-requests: 9999\r\n\
x-ratelimit-remaining-tokens: 1999979\r\nx-ratelimit-reset-requests: 6ms\r\nx-ratelimit-reset-tokens: 0s\r\nx-request-id: ";
const OPENAI_LIMITED: &str = "openai-version: 2020-10-01\r\nopenai-organization: org-upstream\r\nopenai-processing-ms: 2\r\n\
x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-remaining-requests: 0\r\n\
x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-requests: 20s\r\nx-ratelimit-reset-tokens: 6m0s\r\nx-request-id: ";
const ANTHROPIC: &str = "anthropic-organization-id: 7b1f3c1e-0000-4000-8000-000000000001\r\n\
anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n\
anthropic-ratelimit-requests-reset: 2026-01-01T00:00:01Z\r\nanthropic-ratelimit-input-tokens-limit: 400000\r\n\
anthropic-ratelimit-input-tokens-remaining: 399000\r\nanthropic-ratelimit-input-tokens-reset: 2026-01-01T00:00:01Z\r\n\
anthropic-ratelimit-output-tokens-limit: 80000\r\nanthropic-ratelimit-output-tokens-remaining: 79000\r\n\
anthropic-ratelimit-output-tokens-reset: 2026-01-01T00:00:01Z\r\nrequest-id: ";
const ANTHROPIC_LIMITED: &str = "anthropic-organization-id: 7b1f3c1e-0000-4000-8000-000000000001\r\n\
anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 0\r\n\
anthropic-ratelimit-requests-reset: 2026-01-01T00:01:00Z\r\nrequest-id: ";

/// What kind of response a head announces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// `None` is a chunked body.
    pub(super) length: Option<u64>,
}

/// Writes one response.
#[derive(Debug)]
pub(super) struct Wire<'a> {
    pub(super) conn: &'a mut Connection,
    pub(super) format: Format,
    /// Number of the request, for the ids inside the answer.
    pub(super) id: u64,
    keep_alive: bool,
    chunked: bool,
    split: Split,
    room: u64,
}

impl<'a> Wire<'a> {
    pub(super) fn new(
        conn: &'a mut Connection,
        format: Format,
        id: u64,
        keep_alive: bool,
        faults: &Faults,
    ) -> Self {
        let room = faults.cut_bytes.unwrap_or(u64::MAX);
        Self { conn, format, id, keep_alive, chunked: false, split: faults.split, room }
    }

    pub(super) async fn pause(&mut self, time: Duration) -> Flow {
        self.conn.pause(time).await
    }

    /// Gathers the head; it leaves with the first flush.
    pub(super) async fn head(&mut self, head: Head, faults: &Faults) -> Flow {
        let out = &mut self.conn.out;
        put(out, format_args!("HTTP/1.1 {} {}\r\n", head.status, reason(head.status)));
        put(out, format_args!("content-type: {}\r\n", head.content_type));
        let limited = head.status == 429;
        let headers = match (self.format, limited) {
            (Format::OpenAi, _) if faults.unlimited => "x-request-id: ",
            (Format::Anthropic, _) if faults.unlimited => "request-id: ",
            (Format::OpenAi, false) => OPENAI,
            (Format::OpenAi, true) => OPENAI_LIMITED,
            (Format::Anthropic, false) => ANTHROPIC,
            (Format::Anthropic, true) => ANTHROPIC_LIMITED,
        };
        put(out, format_args!("{headers}req_{:024x}\r\n", self.id));
        retry_headers(out, head.status, faults);
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        self.chunked = head.length.is_none();
        match head.length {
            Some(length) => put(out, format_args!("content-length: {length}\r\n\r\n")),
            None => out.extend_from_slice(b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"),
        }
        if faults.reset_headers {
            self.conn.flush().await?;
            return Err(Stop::Reset);
        }
        Ok(())
    }

    /// Sends a part of the body as one HTTP chunk, or as many as the scenario asks.
    pub(super) async fn body(&mut self, data: &[u8]) -> Flow {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        self.split(&data[..data.len().min(room)]).await?;
        if data.len() >= room {
            self.conn.flush().await?;
            return Err(Stop::Close);
        }
        self.room -= data.len() as u64;
        self.conn.flush_if_full().await
    }

    async fn split(&mut self, data: &[u8]) -> Flow {
        match self.split {
            Split::Events => self.chunk(data),
            Split::Bytes => {
                for byte in data.chunks(1) {
                    self.chunk(byte);
                    self.conn.flush().await?;
                }
            }
            Split::Utf8 => {
                let mut rest = data;
                while let Some(at) = rest.iter().position(|b| *b >= 0xC0) {
                    let (head, tail) = rest.split_at(at + 1);
                    self.chunk(head);
                    self.conn.flush().await?;
                    rest = tail;
                }
                self.chunk(rest);
            }
        }
        Ok(())
    }

    fn chunk(&mut self, data: &[u8]) {
        let out = &mut self.conn.out;
        // An empty chunk would end the body.
        if data.is_empty() {
            return;
        }
        if self.chunked {
            put(out, format_args!("{:x}\r\n", data.len()));
        }
        out.extend_from_slice(data);
        if self.chunked {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Ends the body and sends what is left.
    pub(super) async fn finish(&mut self) -> Flow {
        if self.chunked {
            self.conn.out.extend_from_slice(b"0\r\n\r\n");
        }
        self.conn.flush().await
    }

    /// A whole response at once.
    pub(super) async fn respond(
        &mut self,
        status: u16,
        content_type: &'static str,
        body: &[u8],
        faults: &Faults,
    ) -> Flow {
        let length = Some(body.len() as u64);
        self.head(Head { status, content_type, length }, faults).await?;
        self.body(body).await?;
        self.finish().await
    }
}

fn retry_headers(out: &mut Vec<u8>, status: u16, faults: &Faults) {
    if status < 400 {
        return;
    }
    if let Some(after) = &faults.retry_after {
        put(out, format_args!("retry-after: {after}\r\n"));
    }
    if let Some(after) = faults.retry_after_ms {
        put(out, format_args!("retry-after-ms: {after}\r\n"));
    }
}

/// The reason phrase of a status this upstream sends.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "Unknown",
    }
}
