//! Server-sent events from bytes, for streams that an upstream sends.
//!
//! Follows the WHATWG rules (HTML standard, "event stream interpretation"). Any way to cut the same bytes into
//! chunks gives the same events. The reading of `data` belongs to the provider that knows the wire format;
//! lines that are JSON without any framing are in [`ndjson`](super::ndjson).
//!
//! ```
//! use bytes::Bytes;
//! use exec_providers::http::sse::SseParser;
//!
//! let mut parser = SseParser::new(1 << 20);
//! parser.push(Bytes::from_static(b"event: ping\ndata: {}\n\n"));
//! let event = parser.next().transpose()?.ok_or("no event")?;
//! assert_eq!((event.name(), &event.data[..]), ("ping", &b"{}"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::feed::Feed;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The data lines, joined with LF. Always valid UTF-8.
    ///
    /// A slice of the chunk it came in when it is one line of one chunk, so it keeps that chunk alive.
    pub data: Bytes,
    name: Bytes,
    id: Bytes,
}

impl SseEvent {
    /// The `event` field, or `""` when the event has none (which the standard calls `message`).
    #[must_use]
    pub fn name(&self) -> &str {
        str_of(&self.name)
    }

    /// The last event id seen in the stream so far, or `""`.
    #[must_use]
    pub fn id(&self) -> &str {
        str_of(&self.id)
    }

    /// The data as text.
    #[must_use]
    pub fn text(&self) -> &str {
        str_of(&self.data)
    }
}

/// Why a stream of events cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// A complete line of an event is not UTF-8.
    #[error("event stream holds a line that is not valid utf-8")]
    InvalidUtf8,
    /// An event, or a line that has not ended yet, is bigger than the limit.
    #[error("event is larger than {limit} bytes")]
    TooLarge {
        /// The limit the parser was made with.
        limit: usize,
    },
}

/// What was left over when the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SseEnd {
    /// The stream ended between two events.
    Clean,
    /// The stream ended inside an event, which is dropped as the standard says.
    Unterminated,
}

/// A parser that is fed chunks and asked for events.
///
/// Push a chunk, then call [`next`](Iterator::next) until it gives `None`. After an error it gives nothing more.
/// Memory is bounded: at most the chunk in hand and about twice `max_event_bytes`.
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    feed: Feed,
    /// The beginning of a line that has not ended yet.
    carry: BytesMut,
    /// The last line ended with CR, so a LF that follows belongs to it.
    after_cr: bool,
    /// How much of a byte order mark was seen; `None` once the start is behind us.
    bom: Option<usize>,
    pending: Pending,
    id: Bytes,
    comments_seen: u64,
    failed: bool,
}

#[derive(Debug, Default)]
struct Pending {
    data: Data,
    name: Bytes,
    /// Bytes of the fields kept so far, for the limit.
    size: usize,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    One(Bytes),
    Joined(BytesMut),
}

/// What a line says; the ranges are inside the line.
enum Line {
    Blank,
    Comment,
    Data(Range<usize>),
    Name(Range<usize>),
    Id(Range<usize>),
    Other,
}

impl SseParser {
    /// A parser that refuses events (and single lines) of more than `max_event_bytes`.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            limit: max_event_bytes,
            feed: Feed::default(),
            carry: BytesMut::new(),
            after_cr: false,
            bom: Some(0),
            pending: Pending::default(),
            id: Bytes::new(),
            comments_seen: 0,
            failed: false,
        }
    }

    /// Adds the next bytes of the stream.
    ///
    /// Costs no copy when the chunk before was read to its end, which is the way to use it.
    pub fn push(&mut self, chunk: Bytes) {
        self.feed.seen += chunk.len() as u64;
        if !self.failed {
            self.feed.push(chunk);
        }
    }

    /// Tells whether the bytes ended inside an event. Call it at the end of the stream, with all events taken.
    #[must_use]
    pub fn finish(&self) -> SseEnd {
        let clean = !self.feed.is_unread()
            && self.carry.is_empty()
            && matches!(self.bom, None | Some(0))
            && self.pending.is_empty();
        if clean { SseEnd::Clean } else { SseEnd::Unterminated }
    }

    /// All bytes pushed so far: a change is transport activity, even when no event came of it.
    #[must_use]
    pub fn bytes_seen(&self) -> u64 {
        self.feed.seen
    }

    /// Comment lines so far; upstreams send them to keep a connection open.
    #[must_use]
    pub fn comments_seen(&self) -> u64 {
        self.comments_seen
    }

    fn advance(&mut self) -> Result<Option<SseEvent>, SseError> {
        self.skip_bom();
        while self.feed.is_unread() {
            if std::mem::take(&mut self.after_cr) && self.feed.chunk[self.feed.position] == b'\n' {
                self.feed.position += 1;
                continue;
            }
            let start = self.feed.position;
            let Some(length) = memchr2(b'\n', b'\r', &self.feed.chunk[start..]) else {
                self.keep_rest()?;
                break;
            };
            let end = start + length;
            self.feed.position = end + 1;
            self.after_cr = self.feed.chunk[end] == b'\r';
            if let Some(event) = self.end_line(start..end)? {
                return Ok(Some(event));
            }
        }
        // The chunk is read: from now on only its events keep it alive.
        self.feed.release();
        Ok(None)
    }

    /// Steps over a byte order mark at the very start, which may come in pieces.
    fn skip_bom(&mut self) {
        while let Some(matched) = self.bom {
            let Some(&byte) = self.feed.chunk.get(self.feed.position) else {
                return;
            };
            if matched < BOM.len() && byte == BOM[matched] {
                self.feed.position += 1;
                self.bom = (matched + 1 < BOM.len()).then_some(matched + 1);
            } else {
                self.carry.extend_from_slice(&BOM[..matched]);
                self.bom = None;
            }
        }
    }

    fn keep_rest(&mut self) -> Result<(), SseError> {
        let rest = &self.feed.chunk[self.feed.position..];
        self.check_size(self.carry.len() + rest.len())?;
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    fn check_size(&self, line: usize) -> Result<(), SseError> {
        if self.pending.size + line > self.limit {
            return Err(SseError::TooLarge { limit: self.limit });
        }
        Ok(())
    }

    /// Takes a line that has ended; `range` is its part in the chunk in hand.
    fn end_line(&mut self, range: Range<usize>) -> Result<Option<SseEvent>, SseError> {
        self.check_size(self.carry.len() + range.len())?;
        if self.carry.is_empty() {
            let line = read_line(&self.feed.chunk[range.clone()])?;
            return Ok(self.apply(line, None, range.start));
        }
        let mut whole = std::mem::take(&mut self.carry);
        whole.extend_from_slice(&self.feed.chunk[range]);
        let whole = whole.freeze();
        let line = read_line(&whole)?;
        Ok(self.apply(line, Some(&whole), 0))
    }

    /// Applies a line whose text is in `origin`, or else in the chunk from `base` on.
    fn apply(&mut self, line: Line, origin: Option<&Bytes>, base: usize) -> Option<SseEvent> {
        let take = |range: Range<usize>| {
            let range = base + range.start..base + range.end;
            origin.unwrap_or(&self.feed.chunk).slice(range)
        };
        match line {
            Line::Blank => return self.pending.dispatch(&self.id),
            Line::Comment => self.comments_seen += 1,
            Line::Data(range) => self.pending.add_data(take(range)),
            Line::Name(range) => self.pending.set_name(take(range)),
            Line::Id(range) => {
                self.id = take(range);
                self.pending.size += self.id.len();
            }
            Line::Other => {}
        }
        None
    }

    fn fail(&mut self) {
        self.failed = true;
        self.feed.release();
        self.carry = BytesMut::new();
        self.pending = Pending::default();
    }
}

impl Iterator for SseParser {
    type Item = Result<SseEvent, SseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.advance();
        if step.is_err() {
            self.fail();
        }
        step.transpose()
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        matches!(self.data, Data::None) && self.name.is_empty()
    }

    fn set_name(&mut self, name: Bytes) {
        self.size += name.len();
        self.name = name;
    }

    fn add_data(&mut self, line: Bytes) {
        self.size += line.len() + 1;
        self.data = match std::mem::take(&mut self.data) {
            Data::None => Data::One(line),
            Data::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + line.len() + 1);
                joined.extend_from_slice(&first);
                Data::Joined(join(joined, &line))
            }
            Data::Joined(joined) => Data::Joined(join(joined, &line)),
        };
    }

    /// A blank line: an event without any data line is dropped, name and all.
    fn dispatch(&mut self, id: &Bytes) -> Option<SseEvent> {
        let pending = std::mem::take(self);
        let data = match pending.data {
            Data::None => return None,
            Data::One(line) => line,
            Data::Joined(lines) => lines.freeze(),
        };
        Some(SseEvent { data, name: pending.name, id: id.clone() })
    }
}

fn join(mut lines: BytesMut, line: &[u8]) -> BytesMut {
    lines.extend_from_slice(b"\n");
    lines.extend_from_slice(line);
    lines
}

fn read_line(line: &[u8]) -> Result<Line, SseError> {
    let parsed = classify(line);
    // Comments and fields we drop may hold anything.
    if let Line::Data(range) | Line::Name(range) | Line::Id(range) = &parsed {
        std::str::from_utf8(&line[range.clone()]).map_err(|_| SseError::InvalidUtf8)?;
    }
    Ok(parsed)
}

fn classify(line: &[u8]) -> Line {
    match line {
        [] => return Line::Blank,
        [b':', ..] => return Line::Comment,
        _ => {}
    }
    let value = |name: &[u8]| value_of(line, name);
    if let Some(range) = value(b"data") {
        return Line::Data(range);
    }
    if let Some(range) = value(b"event") {
        return Line::Name(range);
    }
    match value(b"id") {
        Some(range) if memchr::memchr(0, &line[range.clone()]).is_none() => Line::Id(range),
        _ => Line::Other,
    }
}

/// Where the value of the field `name` is: after the colon and one space; empty when there is no colon.
fn value_of(line: &[u8], name: &[u8]) -> Option<Range<usize>> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()..line.len()),
        [b':', b' ', ..] => Some(name.len() + 2..line.len()),
        [b':', ..] => Some(name.len() + 1..line.len()),
        _ => None,
    }
}

/// Only called on bytes that were checked when their line ended.
fn str_of(checked: &[u8]) -> &str {
    std::str::from_utf8(checked).unwrap_or_default()
}
