//! Writes a streamed answer.
//!
//! The blocks of this format come one after the other, while elsewhere the pieces of several tool calls may come mixed.
//! So whatever comes while the arguments of the open call are incomplete waits (up to a bound, see `held.rs`) until
//! they are complete, or until the answer ends. When more comes than may wait, the open call is closed as it is, and
//! pieces of it that come later are lost; its reader finds that its input is no JSON.

use bytes::{BufMut, Bytes, BytesMut};
use exec_core::{Chunk, Error, ErrorKind, Handover, Report, Summary, ToolDelta, Verbatim};
use serde_json::json;

use super::MESSAGES;
use super::answer::{self, envelope};
use super::block::made_up_id;
use super::held::Held;
use super::json::{Json, Object};
use super::usage::{stop_reason, usage_json};
use crate::about::{About, NOT_HERE};
use crate::format::{Render, Reply};
use crate::lines::write_data;
use crate::progress::Progress;

/// The most tool calls one answer may have; later ones are left out.
const MAX_CALLS: usize = 1024;

/// The most bytes of one signature; what is longer is none that anybody would take back.
const MAX_SIGNATURE: usize = 1 << 20;

/// The name of the event that brings a piece of a block.
const DELTA: &[u8] = super::stream_block::DELTA.as_bytes();

/// A writer for one streamed answer.
#[derive(Debug)]
pub(super) struct Renderer {
    reply: Reply,
    state: State,
    /// The number of the block that is open, or else of the next one.
    block: u64,
    open: Option<Open>,
    closed_calls: Vec<u32>,
    held: Held,
    /// Whether the end was announced in an event that was forwarded.
    announced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Fresh,
    /// Everything so far was forwarded as it came.
    Forwarding,
    Writing,
    Done,
}

#[derive(Debug)]
enum Open {
    Text,
    Thinking { signature: String },
    Call { index: u32, progress: Progress },
    Forwarded,
}

impl Renderer {
    pub(super) fn new(reply: Reply) -> Self {
        Self {
            reply,
            state: State::Fresh,
            block: 0,
            open: None,
            closed_calls: Vec::new(),
            held: Held::default(),
            announced: false,
        }
    }

    /// Forwards an event and notes where in the answer it leaves us.
    fn forward(&mut self, event: &Verbatim, out: &mut BytesMut) {
        self.state = State::Forwarding;
        let name = event.event.as_deref().unwrap_or_default();
        match name {
            b"content_block_start" => {
                self.open = Some(Open::Forwarded);
            }
            b"content_block_stop" => {
                self.open = None;
                self.block += 1;
            }
            // Words go on in the block they are in, whoever says them.
            DELTA if matches!(event.means[..], [Chunk::Text(_)]) => self.open = Some(Open::Text),
            b"message_delta" => self.announced = true,
            b"message_stop" => self.state = State::Done,
            _ => {}
        }
        write_event(name, &event.data, out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.state == State::Fresh {
            let message = envelope(&self.reply)
                .with("content", Vec::new())
                .with("stop_reason", json!(null))
                .with("stop_sequence", json!(null))
                .with("usage", usage_json(None));
            write("message_start", &Object::typed("message_start").with("message", message), out);
        }
        self.state = State::Writing;
    }

    /// Whether the open block must be completed before another one may begin.
    fn waits(&self) -> bool {
        matches!(&self.open, Some(Open::Call { progress, .. }) if !progress.is_complete())
    }

    fn take(&mut self, chunk: Chunk, out: &mut BytesMut) {
        let continues = match (&self.open, &chunk) {
            (Some(Open::Call { index, .. }), Chunk::ToolCall(delta)) => *index == delta.index,
            _ => false,
        };
        if !continues && self.waits() {
            if !self.held.push(chunk) {
                self.write_held(out);
            }
            return;
        }
        self.write_chunk(chunk, out);
        while !self.waits() {
            let Some(chunk) = self.held.pop() else { break };
            self.write_chunk(chunk, out);
        }
    }

    /// Writes everything that waits, whether the block before it is complete or not.
    fn write_held(&mut self, out: &mut BytesMut) {
        while let Some(chunk) = self.held.pop() {
            self.write_chunk(chunk, out);
        }
    }

    fn write_chunk(&mut self, chunk: Chunk, out: &mut BytesMut) {
        match chunk {
            Chunk::Text(text) => self.text(&text, out),
            Chunk::Reasoning(text) => self.thinking(&text, out),
            Chunk::Signature(text) => self.signature(&text, out),
            Chunk::ToolCall(delta) => self.call(delta, out),
            Chunk::Opaque(opaque) if opaque.wire == MESSAGES.as_str() => {
                self.close(out);
                self.open(Open::Forwarded, Json::Raw(&opaque.value), out);
                self.close(out);
            }
            Chunk::Data(value) => {
                self.close(out);
                self.text(value.get(), out);
                self.close(out);
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Some(Open::Text)) {
            self.close(out);
            self.open(Open::Text, Object::typed("text").with("text", ""), out);
        }
        self.delta("text_delta", "text", text, out);
    }

    fn thinking(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if !matches!(&self.open, Some(Open::Thinking { signature }) if signature.is_empty()) {
            self.open_thinking(out);
        }
        self.delta("thinking_delta", "thinking", text, out);
    }

    /// Kept until the block closes: readers take a signature as a whole.
    fn signature(&mut self, text: &str, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Some(Open::Thinking { .. })) {
            self.open_thinking(out);
        }
        if let Some(Open::Thinking { signature }) = &mut self.open
            && signature.len() + text.len() <= MAX_SIGNATURE
        {
            signature.push_str(text);
        }
    }

    fn open_thinking(&mut self, out: &mut BytesMut) {
        self.close(out);
        let block = Object::typed("thinking").with("thinking", "").with("signature", "");
        self.open(Open::Thinking { signature: String::new() }, block, out);
    }

    fn call(&mut self, delta: ToolDelta, out: &mut BytesMut) {
        if !matches!(self.open, Some(Open::Call { index, .. }) if index == delta.index) {
            if self.closed_calls.contains(&delta.index) || self.closed_calls.len() >= MAX_CALLS {
                return;
            }
            self.close(out);
            let id = delta.id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| made_up_id(delta.index as usize));
            let name = delta.name.unwrap_or_default();
            let block = Object::typed("tool_use").with("id", json!(id)).with("name", json!(name));
            let open = Open::Call { index: delta.index, progress: Progress::default() };
            self.open(open, block.with("input", json!({})), out);
        }
        if let Some(Open::Call { progress, .. }) = &mut self.open {
            progress.feed(&delta.arguments);
        }
        if !delta.arguments.is_empty() {
            self.delta("input_json_delta", "partial_json", &delta.arguments, out);
        }
    }

    fn open<'a>(&mut self, open: Open, block: impl Into<Json<'a>>, out: &mut BytesMut) {
        let event = Object::typed("content_block_start").with("index", self.block);
        write("content_block_start", &event.with("content_block", block), out);
        self.open = Some(open);
    }

    fn close(&mut self, out: &mut BytesMut) {
        let Some(open) = self.open.take() else { return };
        match open {
            Open::Thinking { signature } if !signature.is_empty() => {
                self.delta("signature_delta", "signature", &signature, out);
            }
            Open::Call { index, .. } => self.closed_calls.push(index),
            _ => {}
        }
        write("content_block_stop", &Object::typed("content_block_stop").with("index", self.block), out);
        self.block += 1;
    }

    /// Written by hand, because there is one for nearly every token.
    fn delta(&self, kind: &str, field: &str, text: &str, out: &mut BytesMut) {
        out.put_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        put_json(&self.block, out);
        for piece in [",\"delta\":{\"type\":\"", kind, "\",\"", field, "\":"] {
            out.put_slice(piece.as_bytes());
        }
        put_json(&text, out);
        out.put_slice(b"}}\n\n");
    }

    /// Somebody else goes on. That the answer begins anew has no word here.
    fn handover(&mut self, handover: Handover, out: &mut BytesMut) {
        if self.state == State::Forwarding {
            self.state = State::Writing;
        }
        let id = self.reply.report.id.take();
        self.reply.report = Report { id, ..handover.report };
        if handover.anew {
            self.error(&Error::new(ErrorKind::Upstream, NOT_HERE).with_code("answer_began_anew"), out);
        }
    }

    fn end(&mut self, summary: &Summary, out: &mut BytesMut) {
        self.write_held(out);
        self.close(out);
        if !self.announced {
            let delta = json!({"stop_reason": stop_reason(summary), "stop_sequence": summary.stop_sequence});
            let mut event = Object::typed("message_delta").with("delta", delta);
            event.set("usage", usage_json(summary.usage));
            event.set_some("exec", About::of(&self.reply.report).map(|about| json!(about)));
            write("message_delta", &event, out);
        }
        write("message_stop", &Object::typed("message_stop"), out);
        self.state = State::Done;
    }
}

impl Render for Renderer {
    fn chunk(&mut self, chunk: Chunk, out: &mut BytesMut) {
        match (self.state, chunk) {
            (State::Done, _) => {}
            (State::Fresh | State::Forwarding, Chunk::Verbatim(event)) if event.wire == MESSAGES => {
                self.forward(&event, out);
            }
            (_, Chunk::Verbatim(event)) => {
                self.begin(out);
                for chunk in event.means {
                    self.take(chunk, out);
                }
            }
            (_, Chunk::Handover(handover)) => self.handover(*handover, out),
            (_, Chunk::End(summary)) => {
                self.begin(out);
                self.end(&summary, out);
            }
            (_, chunk) => {
                self.begin(out);
                self.take(chunk, out);
            }
        }
    }

    fn error(&mut self, error: &Error, out: &mut BytesMut) {
        if self.state != State::Done {
            self.state = State::Done;
            write_event(b"error", &answer::error(error, &self.reply.request_id), out);
        }
    }
}

fn write(name: &str, event: &Object<'_>, out: &mut BytesMut) {
    for piece in ["event: ", name, "\ndata: "] {
        out.put_slice(piece.as_bytes());
    }
    put_json(event, out);
    out.put_slice(b"\n\n");
}

fn put_json(value: &impl serde::Serialize, out: &mut BytesMut) {
    // The buffer grows as needed and everything here can be written: this does not fail.
    let _: serde_json::Result<()> = serde_json::to_writer(out.writer(), value);
}

/// An event as it came.
fn write_event(name: &[u8], data: &Bytes, out: &mut BytesMut) {
    if !name.is_empty() {
        out.put_slice(b"event: ");
        out.put_slice(name);
        out.put_slice(b"\n");
    }
    write_data(data, out);
}
