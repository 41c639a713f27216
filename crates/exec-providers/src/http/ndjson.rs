//! Newline-delimited JSON from bytes: one value per line, as Ollama and batch results send it.
//!
//! Any way to cut the same bytes into chunks gives the same lines. The values are not parsed here.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use super::feed::Feed;

/// Why a stream of lines cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NdjsonError {
    /// A complete line is not UTF-8.
    #[error("line is not valid utf-8")]
    InvalidUtf8,
    /// A line, finished or not, is bigger than the limit.
    #[error("line is larger than {limit} bytes")]
    TooLarge {
        /// The limit the parser was made with.
        limit: usize,
    },
}

/// A parser that is fed chunks and asked for lines.
///
/// Push a chunk, then call [`next`](Iterator::next) until it gives `None`; at the end of the stream take the last
/// line with [`finish`](Self::finish). Blank lines are skipped and a CR before the LF is cut off. A line is a
/// slice of the chunk it came in when it lies in one. After an error nothing more comes.
#[derive(Debug)]
pub struct NdjsonParser {
    limit: usize,
    feed: Feed,
    carry: BytesMut,
    failed: bool,
}

impl NdjsonParser {
    /// A parser that refuses lines of more than `max_line_bytes`, counted without the LF.
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Self {
        Self { limit: max_line_bytes, feed: Feed::default(), carry: BytesMut::new(), failed: false }
    }

    /// Adds the next bytes of the stream; no copy when the chunk before was read to its end.
    pub fn push(&mut self, chunk: Bytes) {
        self.feed.seen += chunk.len() as u64;
        if !self.failed {
            self.feed.push(chunk);
        }
    }

    /// All bytes pushed so far: a change is transport activity, even when no line came of it.
    #[must_use]
    pub fn bytes_seen(&self) -> u64 {
        self.feed.seen
    }

    /// The last line when the stream ended without LF after it.
    ///
    /// # Errors
    /// [`NdjsonError::InvalidUtf8`] when that line is not text.
    pub fn finish(&mut self) -> Result<Option<Bytes>, NdjsonError> {
        let line = std::mem::take(&mut self.carry).freeze();
        check(&line)?;
        let line = trim(&line);
        Ok((!line.is_empty()).then_some(line))
    }

    fn advance(&mut self) -> Result<Option<Bytes>, NdjsonError> {
        while self.feed.is_unread() {
            let start = self.feed.position;
            let rest = &self.feed.chunk[start..];
            let Some(length) = memchr(b'\n', rest) else {
                self.check_size(rest.len())?;
                self.carry.extend_from_slice(rest);
                break;
            };
            self.check_size(length)?;
            self.feed.position = start + length + 1;
            let line = trim(&self.take_line(start, length));
            if !line.is_empty() {
                check(&line)?;
                return Ok(Some(line));
            }
        }
        self.feed.release();
        Ok(None)
    }

    fn take_line(&mut self, start: usize, length: usize) -> Bytes {
        let part = start..start + length;
        if self.carry.is_empty() {
            return self.feed.chunk.slice(part);
        }
        let mut line = std::mem::take(&mut self.carry);
        line.extend_from_slice(&self.feed.chunk[part]);
        line.freeze()
    }

    fn check_size(&self, more: usize) -> Result<(), NdjsonError> {
        if self.carry.len() + more > self.limit {
            return Err(NdjsonError::TooLarge { limit: self.limit });
        }
        Ok(())
    }
}

impl Iterator for NdjsonParser {
    type Item = Result<Bytes, NdjsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.advance();
        if step.is_err() {
            self.failed = true;
            self.feed.release();
            self.carry = BytesMut::new();
        }
        step.transpose()
    }
}

fn check(line: &[u8]) -> Result<(), NdjsonError> {
    std::str::from_utf8(line).map(drop).map_err(|_| NdjsonError::InvalidUtf8)
}

/// Cuts JSON white space off both ends, which takes the CR of a CRLF with it.
fn trim(line: &Bytes) -> Bytes {
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace());
    let end = line.iter().rposition(|byte| !byte.is_ascii_whitespace());
    match (start, end) {
        (Some(start), Some(end)) => line.slice(start..=end),
        _ => Bytes::new(),
    }
}
