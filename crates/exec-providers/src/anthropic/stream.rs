//! Reads a streamed answer.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use exec_core::{Chunk, Error, Result, Summary, Usage, Verbatim};
use serde_json::value::RawValue;

use super::MESSAGES;
use super::decode::name;
use super::error;
use super::stream_block::{Blocks, DELTA, Delta};
use super::usage::{self, Counts};
use crate::fault::cut;
use crate::format::Decode;
use crate::hold::Hold;
use crate::http::sse::SseEvent;
use crate::key::Key;
use crate::object::Object;

/// The events with a meaning. What is not among them is passed over, because there may be new ones any day.
const EVENTS: [&str; 7] = [
    "message_start",
    "content_block_start",
    DELTA,
    "content_block_stop",
    "message_delta",
    "message_stop",
    "error",
];

/// A reader for one streamed answer.
pub(super) struct Stream {
    verbatim: bool,
    key: Key,
    blocks: Blocks,
    counts: Counts,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    id: Option<Arc<str>>,
    model: Option<Arc<str>>,
    held: Hold,
    ended: bool,
}

impl Stream {
    /// `verbatim` keeps every event as it came, besides what it means.
    pub(super) fn new(verbatim: bool, key: Key) -> Self {
        Self {
            verbatim,
            key,
            blocks: Blocks::default(),
            counts: Counts::default(),
            stop_reason: None,
            stop_sequence: None,
            id: None,
            model: None,
            held: Hold::default(),
            ended: false,
        }
    }

    /// What the event `kind` means, besides the end.
    fn read(&mut self, kind: &str, data: &Bytes, event: Object<'_>) -> Result<Vec<Chunk>> {
        match kind {
            "message_start" => self.start(event)?,
            "content_block_start" => return self.blocks.start(data, event),
            DELTA => return Ok(self.blocks.delta(Delta::of(event)?)?.into_iter().collect()),
            "content_block_stop" => return self.blocks.stop(event),
            "message_delta" => self.delta(event),
            "message_stop" => {
                self.ended = true;
                return self.blocks.close();
            }
            "error" => return Err(self.error(data)),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn error(&self, data: &Bytes) -> Error {
        error::of_event(data, &self.key)
    }

    fn start(&mut self, mut event: Object<'_>) -> Result<()> {
        let message = event.take("message").and_then(Object::of);
        let mut message = message.ok_or_else(|| error::malformed("a message_start without a message"))?;
        self.id = name(&mut message, "id");
        self.model = name(&mut message, "model");
        self.count(message.take("usage"));
        Ok(())
    }

    fn delta(&mut self, mut event: Object<'_>) {
        self.count(event.take("usage"));
        let Some(mut delta) = event.take("delta").and_then(Object::of) else { return };
        self.stop_reason = delta.read("stop_reason").or(self.stop_reason.take());
        self.stop_sequence = delta.read("stop_sequence").or(self.stop_sequence.take());
    }

    fn count(&mut self, usage: Option<&RawValue>) {
        if let Some(usage) = usage {
            self.counts.update(usage);
        }
    }

    /// Adds an event of the type `kind` and what it means.
    fn give(
        &mut self,
        kind: &str,
        event: SseEvent,
        means: impl IntoIterator<Item = Chunk>,
        out: &mut VecDeque<Chunk>,
    ) {
        if !self.verbatim {
            out.extend(means);
            return;
        }
        let name = Some(bytes_of(if event.name().is_empty() { kind } else { event.name() }));
        let means = means.into_iter().collect();
        let event = Chunk::Verbatim(Verbatim { wire: MESSAGES, event: name, data: event.data, means });
        self.held.forward(event, self.stop_reason.is_some() && !self.ended, out);
    }

    fn summary(&mut self) -> Summary {
        Summary {
            finish: usage::finish(self.stop_reason.as_deref()),
            stop_sequence: self.stop_sequence.take(),
            usage: self.counts.usage(),
            cost: None,
        }
    }
}

impl Decode for Stream {
    fn event(&mut self, event: SseEvent, out: &mut VecDeque<Chunk>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        if matches!(event.name(), DELTA | "")
            && let Some(delta) = Delta::fast(event.text())
        {
            let means = self.blocks.delta(delta)?;
            self.give(DELTA, event, means, out);
            return Ok(());
        }
        let parsed = Object::parse(event.text());
        // The type in the data is what counts: not everybody who speaks this format also names the events.
        let inner: Option<String> = parsed.as_ref().ok().and_then(kind_of);
        let kind = inner.unwrap_or_else(|| event.name().to_owned());
        let means = match parsed {
            Ok(object) => self.read(&kind, &event.data, object)?,
            Err(_) if kind == "error" => return Err(self.error(&event.data)),
            Err(_) if kind.is_empty() || EVENTS.contains(&kind.as_str()) => {
                return Err(error::malformed("an event that is no JSON object"));
            }
            Err(_) => Vec::new(),
        };
        self.give(&kind, event, means, out);
        if self.ended {
            out.push_back(Chunk::End(self.summary()));
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut VecDeque<Chunk>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        Err(cut())
    }

    fn usage(&self) -> Option<Usage> {
        self.counts.usage()
    }

    fn id(&self) -> Option<Arc<str>> {
        self.id.clone()
    }

    fn model(&self) -> Option<Arc<str>> {
        self.model.clone()
    }
}

/// The name of an event, without a copy if it is one we know.
fn bytes_of(name: &str) -> Bytes {
    let known = EVENTS.into_iter().find(|known| *known == name);
    known
        .map_or_else(|| Bytes::copy_from_slice(name.as_bytes()), |known| Bytes::from_static(known.as_bytes()))
}

/// The type of an event; one that has none and speaks of an error is one.
fn kind_of(event: &Object<'_>) -> Option<String> {
    let kind = event.get("type").and_then(|kind| serde_json::from_str(kind.get()).ok());
    kind.or_else(|| event.get("error").map(|_| "error".to_owned()))
}
